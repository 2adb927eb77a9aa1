/* SPDX-License-Identifier: Apache-2.0 */
/* milter/answer.h - decisions as packets for the MTA. */
#ifndef MILTER_ANSWER_H
#define MILTER_ANSWER_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/limits.h"
#include "message/decision.h"

struct answer_terms {
	bool leading_space; /* SMFIP_HDR_LEADSPC was agreed */
	bool mta_holds;	    /* a quarantined message goes to its hold queue */
};

/* Our code and words, for the SMTP client. */
void answer_reply(
    struct arena *arena, const struct smtp_reply_text *reply, struct buf *out);

/* Changes of the header (given as it was judged) and the verdict.  When out
 * cannot hold them, or a verdict cannot be carried out here, the client is
 * asked to try again: it is never accepted unchanged. */
void answer_decision(struct arena *arena, const struct decision *decision,
    struct slice header, const struct limits *limits,
    const struct answer_terms *terms, struct buf *out);

#endif
