/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/changed_recipients.h"

#include "base/log.h"
#include "base/metrics.h"
#include "base/require.h"
#include "smtp/reply.h"

static bool is_ok(const struct smtp_reply_text *text)
{
	return text->code / 100 == 2;
}

/* What the client hears of one that was added, and of which it knows nothing.
 * The administrator must hear of it: the client cannot help it. */
static struct smtp_reply_text refuse_added(
    const struct changed_recipients *change,
    const struct envelope_recipient *recipient,
    const struct smtp_reply_text *said)
{
	metrics_count(METRIC_CHANGES_REFUSED, SLICE("next-hop"));
	log_error("smtp.added_recipient_refused",
	    LOG_S("id", change->envelope->id),
	    LOG_S("recipient", recipient->address),
	    LOG_S("reply", decision_reply_line(change->arena, said)));
	/* 421 ends a session whose login is lost: see smtp/delivery.h. */
	return said->code == 421
		   ? *said
		   : (struct smtp_reply_text){451, SLICE("4.3.5"),
			 SLICE("a recipient that policy adds cannot be "
			       "reached; try again later")};
}

static struct smtp_reply_text ask(const struct changed_recipients *change,
    struct delivery *delivery, const struct envelope_recipient *recipient)
{
	const struct conf_route *route = gate_route(
	    change->gate, recipient->address);

	if (!route)
		return (struct smtp_reply_text){451, SLICE("4.3.5"),
		    SLICE("no route is configured for this domain")};
	return delivery_recipient(delivery, route, recipient);
}

static bool begin_anew(const struct changed_recipients *change,
    struct delivery **delivery, struct smtp_reply_text *ret)
{
	const struct envelope *envelope = change->envelope;

	delivery_abort(*delivery);
	*delivery = delivery_new(change->arena, change->session, envelope);
	for (size_t i = 0; i < envelope->recipient_count; i++) {
		if (recipient_edit_removes(change->edits, i))
			continue;
		*ret = ask(change, *delivery, &envelope->recipients[i]);
		if (!is_ok(ret))
			return false;
	}
	return true;
}

bool changed_recipients_apply(const struct changed_recipients *change,
    struct delivery **delivery, struct smtp_reply_text *ret)
{
	const struct recipient_edits *edits = change->edits;

	/* The gate lets no decision through that leaves nobody. */
	require(recipient_edit_count(edits, change->envelope));
	if (edits->removed_count && !begin_anew(change, delivery, ret))
		return false;
	for (size_t i = 0; i < edits->added_count; i++) {
		struct smtp_reply_text said = ask(
		    change, *delivery, &edits->added[i]);

		if (!is_ok(&said)) {
			*ret = refuse_added(change, &edits->added[i], &said);
			return false;
		}
	}
	return true;
}

/* What is said of those that were added.  A next hop's one reply for all is
 * about the message, and everyone may hear it. */
static struct smtp_reply_text reply_of_added(
    const struct changed_recipients *change,
    const struct delivery_result *result, size_t kept)
{
	for (size_t i = kept; i < result->count; i++) {
		const struct smtp_reply_text *said =
		    &result->recipient_replies[i];

		if (!is_ok(said) && result->tells_apart)
			return refuse_added(
			    change, &change->edits->added[i - kept], said);
		if (!is_ok(said))
			return *said;
	}
	return (struct smtp_reply_text){250, SLICE("2.1.5"), SLICE("accepted")};
}

void changed_recipients_map(
    const struct changed_recipients *change, struct delivery_result *result)
{
	const struct envelope *envelope = change->envelope;
	size_t kept = envelope->recipient_count - change->edits->removed_count;
	struct smtp_reply_text added = reply_of_added(change, result, kept);
	struct smtp_reply_text *replies = ARENA_ARRAY(
	    change->arena, envelope->recipient_count, struct smtp_reply_text);
	size_t next = 0;

	require(result->count == kept + change->edits->added_count);
	for (size_t i = 0; i < envelope->recipient_count; i++) {
		struct smtp_reply_text own = added;

		if (!recipient_edit_removes(change->edits, i))
			own = result->recipient_replies[next++];
		replies[i] = is_ok(&own) && !is_ok(&added) ? added : own;
	}
	result->count = envelope->recipient_count;
	result->recipient_replies = replies;
	if (!is_ok(&result->reply))
		result->reply = reply_strongest(replies, result->count);
}
