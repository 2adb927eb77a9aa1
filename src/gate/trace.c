/* SPDX-License-Identifier: Apache-2.0 */
/* The row that a message leaves in the store. */
#include "gate/gate_private.h"
#include "mime/words.h"

static struct slice header_value(
    const struct gate_message *message, struct slice name)
{
	const struct header_field *field = headers_find(
	    &message->headers, name, 0);

	if (!field)
		return (struct slice){NULL, 0};
	return headers_unfold(message->arena, field->value);
}

/* The best of all signatures: one word for the column. */
static struct slice dkim_word(const struct gate_message *message)
{
	for (size_t i = 0; i < message->dkim_count; i++)
		if (message->dkim[i].result == DKIM_PASS)
			return SLICE("pass");
	if (message->dkim_count == 0)
		return SLICE("none");
	return slice_from(dkim_result_name(message->dkim[0].result));
}

static struct slice dmarc_word(const struct gate_message *message)
{
	const struct dmarc_outcome *worst = dmarc_worst(
	    message->dmarc_count, message->dmarc);

	return slice_from(
	    dmarc_result_name(worst ? worst->result : DMARC_NONE));
}

static const struct slice *recipients(
    const struct gate_message *message, size_t *ret_count)
{
	const struct envelope *envelope = message->envelope;
	struct slice *list = ARENA_ARRAY(
	    message->arena, envelope->recipient_count, struct slice);

	for (size_t i = 0; i < envelope->recipient_count; i++)
		list[i] = envelope->recipients[i].address;
	*ret_count = envelope->recipient_count;
	return list;
}

static void fill_authentication(
    const struct gate_message *message, struct store_trace *trace)
{
	trace->own_domain_result = slice_from(
	    own_domain_result_name(message->own_domain.result));
	trace->own_domain = message->own_domain.domain;
	trace->spf_result = slice_from(spf_result_name(message->spf.result));
	trace->dkim_result = dkim_word(message);
	trace->dmarc_result = dmarc_word(message);
	trace->connector = message->connector ? message->connector->name
					      : (struct slice){NULL, 0};
}

void trace_fill(struct gate_message *message, struct store_trace *ret)
{
	const struct envelope_client *client = message->envelope->client;
	const struct decision *decision = &message->decision;
	char *ip = arena_alloc(message->arena, IP_TEXT_MAX);
	struct store_trace trace = {
	    .id = message->envelope->id,
	    .time_ms = clock_now_ms(&message->context->clock),
	    .message_id = header_value(message, SLICE("Message-ID")),
	    .listener = client->listener,
	    .client_ip = slice_from(ip_format(&client->ip, ip)),
	    .client_name = client->name,
	    .helo = client->helo,
	    .sender = message->envelope->mail_from,
	    .subject = mime_decode_words(
		message->arena, header_value(message, SLICE("Subject"))),
	    .size = gate_message_size(message),
	    .verdict = slice_from(verdict_name(decision->verdict)),
	    .policy = decision->policy,
	    .facts = gate_json(message),
	};

	if (message->from.address_count)
		trace.header_from = message->from.addresses[0];
	if (decision->reply.code)
		trace.reply = decision_reply_line(
		    message->arena, &decision->reply);
	trace.recipients = recipients(message, &trace.recipient_count);
	fill_authentication(message, &trace);
	*ret = trace;
}
