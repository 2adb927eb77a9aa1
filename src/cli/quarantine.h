/* SPDX-License-Identifier: Apache-2.0 */
/* cli/quarantine.h - the release of a message from quarantine. */
#ifndef CLI_QUARANTINE_H
#define CLI_QUARANTINE_H

#include "cli/command.h"
#include "message/decision.h"
#include "smtp/next_hop_pool.h"
#include "store/store.h"

/* Hands the message to the next hop of one recipient, as the configuration
 * routes it today.  True only after its 2xx; *ret_reply is filled always. */
bool quarantine_release_deliver(struct arena *arena, struct next_hop_pool *pool,
    const struct store_quarantined *held, struct slice recipient,
    struct slice message, struct smtp_reply_text *ret_reply);

#endif
