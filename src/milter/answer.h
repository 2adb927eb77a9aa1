/* SPDX-License-Identifier: Apache-2.0 */
/* milter/answer.h - decisions as packets for the MTA. */
#ifndef MILTER_ANSWER_H
#define MILTER_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/limits.h"
#include "message/decision.h"

struct answer_terms {
	uint32_t actions;   /* that were agreed */
	bool leading_space; /* SMFIP_HDR_LEADSPC was agreed */
	bool mta_holds;	    /* a quarantined message goes to its hold queue */
};

/* The message as the MTA told of it. */
struct answer_subject {
	struct slice header;	   /* as it was judged */
	const struct slice *paths; /* of the envelope's recipients, as RCPT
				    * gave them: "<a@b.example>" */
	const struct limits *limits;
};

/* Our code and words, for the SMTP client. */
void answer_reply(
    struct arena *arena, const struct smtp_reply_text *reply, struct buf *out);

/* What the decision needs and the MTA did not allow, in words; NULL: nothing.
 * Part of the changes would be less than what was decided, so none is made. */
const char *answer_lacks(
    const struct decision *decision, const struct answer_terms *terms);
struct smtp_reply_text answer_lacking(struct arena *arena, const char *what);

/* Changes and the verdict.  When out cannot hold them, or a verdict cannot be
 * carried out here, the client is asked to try again: it is never accepted
 * unchanged.  True: the new body goes out behind out, then the end
 * (answer_body, answer_end); it may be larger than any buffer. */
bool answer_decision(struct arena *arena, const struct decision *decision,
    const struct answer_subject *subject, const struct answer_terms *terms,
    struct buf *out);

/* Takes a piece from the front of body; an empty body is one piece, too. */
bool answer_body(struct slice *body, struct buf *out);
bool answer_end(struct buf *out);

#endif
