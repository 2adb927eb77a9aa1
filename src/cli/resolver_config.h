/* SPDX-License-Identifier: Apache-2.0 */
/* cli/resolver_config.h - the resolver that a configuration describes. */
#ifndef CLI_RESOLVER_CONFIG_H
#define CLI_RESOLVER_CONFIG_H

#include "cli/command.h"
#include "conf/config.h"
#include "dns/resolver.h"

/* line (may be NULL) can put its DNS options over the configuration's.  The
 * caller releases *ret.  A trust anchor file that is not there is an error:
 * to go without validation is said with "". */
bool resolver_open_configured(struct arena *arena, const struct config *config,
    const struct command_line *line, struct dns_resolver **ret,
    struct err *err);

#endif
