/* SPDX-License-Identifier: Apache-2.0 */
/* message/decision.h - what is to be done with a message, and why.
 *
 * Intents only.  Built-in policies and (later) rules fill it; the session
 * acts.  The strongest verdict stands: see decision_apply.  Changes of header,
 * recipients and body are all carried out, or the message is not accepted.
 */
#ifndef MESSAGE_DECISION_H
#define MESSAGE_DECISION_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"
#include "message/edit.h"
#include "message/recipient_edit.h"

enum verdict {
	VERDICT_ACCEPT,
	VERDICT_REDIRECT,
	VERDICT_HOLD,
	VERDICT_QUARANTINE,
	VERDICT_DISCARD,
	VERDICT_DEFER,
	VERDICT_REJECT,
};

/* "accept", "redirect", ... */
const char *verdict_name(enum verdict verdict);

struct smtp_reply_text {
	int code;	       /* 550 */
	struct slice enhanced; /* "5.7.1" */
	struct slice text;     /* one line, US-ASCII, no control bytes */
};

/* One policy or rule that was tried. */
struct decision_step {
	struct slice policy; /* "dmarc", "own-domain", "malformed", a rule */
	bool matched;
	bool enforced;	      /* false: report only, or overridden */
	enum verdict verdict; /* what it asked for, when it matched */
	struct slice because; /* plain words */
};

struct decision {
	enum verdict verdict;
	struct smtp_reply_text reply; /* for defer and reject */
	struct slice policy; /* whose verdict it is; empty for accept */
	struct slice reason; /* plain words; empty for accept */
	size_t step_count, step_room;
	struct decision_step *steps;
	struct header_edits edits;
	struct recipient_edits recipients;
	bool replaces_body;
	struct slice body; /* then: the new one; see decision_replace_body */
};

/* Records the step; if it matched and is enforced and its verdict is stronger
 * than the present one, the verdict, policy, reason and reply become its own.
 * reply may be NULL when the verdict needs none. */
void decision_apply(struct arena *arena, struct decision *decision,
    const struct decision_step *step, const struct smtp_reply_text *reply);

/* The message goes on with body instead of original, the one it came with; the
 * same octets change nothing.  NULL: the original was not kept, so whatever
 * body is, it is sent.  body outlives the decision; a large one is best the
 * content of a spool (message/spool.h), which is a slice, too.  The fields that
 * describe a body (Content-Type, MIME-Version, Content-Transfer-Encoding,
 * Content-Length) are not guessed: edits must fit it, and 8-bit octets need an
 * original that had some.  False: E_LIMIT (over max octets), E_SYNTAX (bare CR
 * or LF, or no line end at its end). */
bool decision_replace_body(struct decision *decision,
    const struct slice *original, struct slice body, uint64_t max,
    struct err *err);

/* "550 5.7.1 text": one line. */
struct slice decision_reply_line(
    struct arena *arena, const struct smtp_reply_text *reply);

#endif
