/* SPDX-License-Identifier: Apache-2.0 */
/* cli/dns_options.h - the options of options_dns, made into a resolver.
 *
 * --dns-server IP[@PORT] forwards there, unvalidated; --zone FILE is all the
 * DNS there is; neither: full recursion with the system's root key.
 */
#ifndef CLI_DNS_OPTIONS_H
#define CLI_DNS_OPTIONS_H

#include "cli/command.h"
#include "dns/resolver.h"

/* Is there an option that says where answers come from?  If not, `check` takes
 * the configuration's. */
bool dns_options_has_source(const struct command_line *line);

/* Puts what the options say into *settings and leaves the rest.  What it adds
 * lives in arena.  False: E_USAGE. */
bool dns_options_apply(struct arena *arena, const struct command_line *line,
    struct dns_settings *settings, struct err *err);

/* A resolver by the options alone.  The arena releases it.  False: E_USAGE, or
 * as dns_resolver_open. */
bool dns_options_open(struct arena *arena, const struct command_line *line,
    struct dns_resolver **ret, struct err *err);

/* The session of a command that looks at one message or domain; *ret's limits
 * are the default ones.  Lives in arena. */
struct dns_session *dns_options_session(
    struct arena *arena, struct dns_resolver *resolver);

#endif
