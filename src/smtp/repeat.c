/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/repeat.h"

#include "base/log.h"
#include "base/metrics.h"
#include "smtp/reply.h"

static bool is_ok(const struct smtp_reply_text *text)
{
	return text->code / 100 == 2;
}

/* RFC 5322, 3.6.4.  Without one, the same text may be meant to come twice. */
static bool has_message_id(struct slice content)
{
	struct slice line;
	bool more = true;

	while (more) {
		more = slice_split(content, '\n', &line, &content);
		if (line.len <= 1)
			return false;
		if (slice_starts_nocase(line, SLICE("Message-ID:")))
			return true;
	}
	return false;
}

/* A whole message is hashed at the first call: not without need. */
static const struct taken_copy *copy_of(struct repeat *repeat, size_t i)
{
	const struct envelope_client *client = repeat->envelope->client;
	struct slice recipient = repeat->envelope->recipients[i].address;
	const struct conf_route *route = gate_route(repeat->gate, recipient);

	if (!route || route->kind != NEXT_HOP_LMTP ||
	    !has_message_id(repeat->content))
		return NULL;
	if (!repeat->has_digest)
		repeat->copy.content = crypto_sha256(repeat->content);
	repeat->has_digest = true;
	repeat->copy.client = client->ip;
	repeat->copy.user = client->authenticated_as;
	repeat->copy.next_hop = route->text;
	repeat->copy.sender = repeat->envelope->mail_from;
	repeat->copy.recipient = recipient;
	return &repeat->copy;
}

static size_t find_those_who_have_it(struct repeat *repeat)
{
	size_t count = repeat->envelope->recipient_count, have = 0;

	repeat->had = ARENA_ARRAY(repeat->arena, count, bool);
	for (size_t i = 0; i < count; i++) {
		const struct taken_copy *copy = copy_of(repeat, i);

		if (!copy ||
		    !partly_taken_has(repeat->table, repeat->arena, copy))
			continue;
		repeat->had[i] = true;
		have++;
	}
	return have;
}

/* RFC 5321, 4.1.1.5: SMTP takes no recipient back.  Returns how many are left.
 */
static size_t begin_anew(struct repeat *repeat, struct delivery **delivery)
{
	const struct smtp_reply_text already = {250, SLICE("2.0.0"),
	    SLICE("this recipient has the message already")};
	const struct envelope *envelope = repeat->envelope;

	repeat->replies = ARENA_ARRAY(
	    repeat->arena, envelope->recipient_count, struct smtp_reply_text);
	delivery_abort(*delivery);
	*delivery = delivery_new(repeat->arena, repeat->session, envelope);
	for (size_t i = 0; i < envelope->recipient_count; i++) {
		const struct envelope_recipient *recipient =
		    &envelope->recipients[i];
		struct smtp_reply_text text;

		repeat->replies[i] = already;
		if (repeat->had[i])
			continue;
		repeat->replies[i].code = 0;
		text = delivery_recipient(*delivery,
		    gate_route(repeat->gate, recipient->address), recipient);
		if (!is_ok(&text))
			repeat->replies[i] = text;
	}
	return delivery_recipient_count(*delivery);
}

bool repeat_leave_out(struct repeat *repeat, struct delivery **delivery)
{
	if (partly_taken_empty(repeat->table))
		return true;
	repeat->have = find_those_who_have_it(repeat);
	return !repeat->have || begin_anew(repeat, delivery) > 0;
}

bool repeat_had(const struct repeat *repeat, size_t recipient)
{
	return repeat->have && repeat->had[recipient];
}

/* All have it: nothing of it comes again.  4xx: all of it does. */
static void remember(
    struct repeat *repeat, const struct delivery_result *result)
{
	int class = result->reply.code / 100;

	for (size_t i = 0; i < result->count; i++) {
		const struct taken_copy *copy;

		if (class == 2 ? !repeat_had(repeat, i)
			       : !is_ok(&result->recipient_replies[i]))
			continue;
		copy = copy_of(repeat, i);
		if (copy && class == 2)
			partly_taken_forget(repeat->table, repeat->arena, copy);
		else if (copy && class == 4)
			partly_taken_add(repeat->table, repeat->arena, copy);
	}
}

/* The replies of those who were asked take their places among the others. */
static void fill_in(struct repeat *repeat, const struct delivery_result *result)
{
	size_t next = 0;

	for (size_t i = 0; i < repeat->envelope->recipient_count; i++)
		if (!repeat->replies[i].code)
			repeat->replies[i] = result->recipient_replies[next++];
}

static void tell(const struct repeat *repeat)
{
	metrics_add(METRIC_RECIPIENTS_LEFT_OUT, (int64_t)repeat->have);
	log_info("smtp.repeat", LOG_S("id", repeat->envelope->id),
	    LOG_S("from", repeat->envelope->mail_from),
	    LOG_I("recipients", (int64_t)repeat->envelope->recipient_count),
	    LOG_I("left_out", (int64_t)repeat->have));
}

struct delivery_result repeat_map(
    struct repeat *repeat, const struct delivery_result *result)
{
	struct delivery_result all;

	if (repeat->have) {
		tell(repeat);
		fill_in(repeat, result);
		all = (struct delivery_result){
		    .count = repeat->envelope->recipient_count,
		    .recipient_replies = repeat->replies,
		    .tells_apart = true,
		};
		all.reply = reply_strongest(repeat->replies, all.count);
		/* What the next hop said of it has its queue's number. */
		if (is_ok(&all.reply) && result->count)
			all.reply = result->reply;
	} else {
		all = *result;
	}
	/* With PRDR each has had its own reply. */
	if (all.tells_apart && !repeat->envelope->prdr)
		remember(repeat, &all);
	return all;
}
