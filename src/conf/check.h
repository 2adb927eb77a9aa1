/* SPDX-License-Identifier: Apache-2.0 */
/* conf/check.h - what one field alone cannot show to be wrong. */
#ifndef CONF_CHECK_H
#define CONF_CHECK_H

#include "conf/load.h"
#include "conf/yaml.h"

/* Adds to problems; root gives the places. */
void check_config(const struct config *config, const struct yaml_node *root,
    const struct load_options *options, struct problems *problems);

/* config_load that also wants every file that is named to be readable, and
 * has more (or NULL) look at what is in them. */
bool check_file(struct arena *arena, const char *path, check_more *more,
    struct config **ret, struct config_problems *ret_problems, struct err *err);

/* For more: whether no error is known about path, "listeners[0].tls", or
 * something in it; whether the file itself has name in the mapping at path ("":
 * at its top); and one more. */
bool check_is_sound(const struct checker *checker, const char *path);
bool check_is_written(
    const struct checker *checker, const char *path, const char *name);
void check_error(const struct checker *checker, const char *path,
    const char *format, ...) __attribute__((format(printf, 3, 4)));
void check_warning(const struct checker *checker, const char *path,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
