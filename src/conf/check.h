/* SPDX-License-Identifier: Apache-2.0 */
/* conf/check.h - what one field alone cannot show to be wrong. */
#ifndef CONF_CHECK_H
#define CONF_CHECK_H

#include "conf/load.h"
#include "conf/yaml.h"

/* Adds to problems; root gives the places. */
void check_config(const struct config *config, const struct yaml_node *root,
    const struct load_options *options, struct problems *problems);

/* config_load that also wants every file that is named to be readable. */
bool check_file(struct arena *arena, const char *path, struct config **ret,
    struct config_problems *ret_problems, struct err *err);

#endif
