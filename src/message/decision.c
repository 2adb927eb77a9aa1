/* SPDX-License-Identifier: Apache-2.0 */
#include "message/decision.h"

#include <string.h>

#include "base/require.h"
#include "message/faults.h"

static const char *const names[] = {
    [VERDICT_ACCEPT] = "accept",
    [VERDICT_REDIRECT] = "redirect",
    [VERDICT_HOLD] = "hold",
    [VERDICT_QUARANTINE] = "quarantine",
    [VERDICT_DISCARD] = "discard",
    [VERDICT_DEFER] = "defer",
    [VERDICT_REJECT] = "reject",
};

const char *verdict_name(enum verdict verdict)
{
	require((size_t)verdict < sizeof(names) / sizeof(names[0]));
	return names[verdict];
}

static void add_step(struct arena *arena, struct decision *decision,
    const struct decision_step *step)
{
	decision->steps = arena_grow(arena, decision->steps,
	    decision->step_count, &decision->step_room,
	    sizeof(*decision->steps));
	decision->steps[decision->step_count++] = *step;
}

void decision_apply(struct arena *arena, struct decision *decision,
    const struct decision_step *step, const struct smtp_reply_text *reply)
{
	add_step(arena, decision, step);
	if (!step->matched || !step->enforced ||
	    step->verdict <= decision->verdict)
		return;
	decision->verdict = step->verdict;
	decision->policy = step->policy;
	decision->reason = step->because;
	decision->reply = reply ? *reply : (struct smtp_reply_text){0};
}

/* What would end the content early for a careless next hop. */
static bool has_sound_lines(struct slice body)
{
	struct fault_scan scan = {0};
	struct faults faults = faults_of_bytes(&scan, body);

	return !faults_has(faults, FAULT_BARE_LF) &&
	       !faults_has(faults, FAULT_BARE_CR) &&
	       (!body.len || slice_ends_nocase(body, SLICE("\r\n")));
}

bool decision_replace_body(struct decision *decision,
    const struct slice *original, struct slice body, uint64_t max,
    struct err *err)
{
	if (body.len > max)
		return err_set(err, E_LIMIT, "a new body of over %llu octets",
		    (unsigned long long)max);
	if (!has_sound_lines(body))
		return err_set(err, E_SYNTAX,
		    "a new body with a line that does not end with CR LF");
	decision->replaces_body = !original || !slice_eq(body, *original);
	decision->body = body;
	return true;
}

struct slice decision_reply_line(
    struct arena *arena, const struct smtp_reply_text *reply)
{
	if (slice_empty(reply->enhanced))
		return arena_format_slice(
		    arena, "%d %.*s", reply->code, SLICE_ARGS(reply->text));
	return arena_format_slice(arena, "%d %.*s %.*s", reply->code,
	    SLICE_ARGS(reply->enhanced), SLICE_ARGS(reply->text));
}
