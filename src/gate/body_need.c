/* SPDX-License-Identifier: Apache-2.0 */
/* For what the body is still needed: its octets may be most of the work.
 *
 * Everything here is about what can still happen, so whatever is not known yet
 * counts as "it can".  A policy that quarantines, or that reads content, must
 * be known to may_quarantine(). */
#include "base/require.h"
#include "gate/gate_private.h"

bool gate_needs_body(struct gate_message *message)
{
	require(message->has_header);
	if (!message->header_judged) {
		message->header_judged = true;
		message->header_settles = policies_reject_by_header(message);
	}
	return !message->header_settles;
}

void gate_skip_body(struct gate_message *message)
{
	require(!gate_needs_body(message) && !message->decided);
	message->body_skipped = true;
	/* Part of a body says nothing of its signatures. */
	message->hashes = NULL;
	message->dkim_verifier = NULL;
	message->arc_verifier = NULL;
}

/* Could a DMARC policy of this author ask for it?  Nobody waits for DNS, but
 * what was answered once is what gate_decide will be answered. */
static bool author_may_quarantine(
    struct gate_message *message, struct slice domain, bool *ret_known)
{
	struct arena *scratch = arena_new(0);
	struct dmarc_discovery found;
	bool may;

	dns_peek_begin(message->dns);
	found = dmarc_discover(scratch, message->dns, domain);
	*ret_known = dns_peek_end(message->dns);
	may = !*ret_known || found.applied_policy == DMARC_POLICY_QUARANTINE;
	arena_free(scratch);
	return may;
}

/* In our own store: only the DMARC policy quarantines. */
static bool may_quarantine(struct gate_message *message, bool *ret_known)
{
	const struct conf_authentication *settings =
	    &message->context->config->authentication;

	*ret_known = true;
	if (message->internal || message->mta_holds ||
	    !settings->dmarc_enforce ||
	    settings->dmarc_quarantine_action == QUARANTINE_ACTION_JUNK_HEADER)
		return false;
	for (size_t i = 0; i < message->from.domain_count; i++)
		if (author_may_quarantine(
			message, message->from.domains[i], ret_known))
			return true;
	return false;
}

bool gate_keeps_body(struct gate_message *message)
{
	bool known = true;

	if (message->keep_known)
		return message->keeps;
	message->keeps = message->context->inspect_content ||
			 (gate_needs_body(message) &&
			     may_quarantine(message, &known));
	message->keep_known = known;
	return message->keeps;
}

/* Of a body that was not kept nothing is there, which must not pass for an
 * empty one: to make it empty would then be no change. */
bool body_replace(
    struct gate_message *message, struct slice body, struct err *err)
{
	struct slice original = slice_from_pos(
	    message->content, message->headers.body_offset);
	bool kept = !message->body_skipped &&
		    original.len == message->body_size;

	return decision_replace_body(&message->decision,
	    kept ? &original : NULL, body,
	    message->context->config->limits.message_size, err);
}
