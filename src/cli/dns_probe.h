/* SPDX-License-Identifier: Apache-2.0 */
/* cli/dns_probe.h - does DNS answer?  Asked from here, in the way that the
 * configuration says. */
#ifndef CLI_DNS_PROBE_H
#define CLI_DNS_PROBE_H

#include "base/err.h"
#include "conf/config.h"

/* Asks for the MX of our first domain, whatever the answer is, within the
 * limits of a message.  False: what failed, in words. */
bool dns_probe(
    const struct config *config, int64_t *ret_duration_ms, struct err *err);

#endif
