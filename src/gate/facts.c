/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that is known about a message, as JSON: `check --json`, and the
 * facts that a trace keeps for `explain`. */
#include <string.h>

#include "base/buf.h"
#include "base/json_write.h"
#include "base/text.h"
#include "gate/gate_private.h"
#include "message/address.h"
#include "mime/words.h"

/* Refused mail leaves its facts in the store: no sender may decide how much.
 * Octets of one text, and how many of a list; what conforms to the RFCs fits
 * (but for fields that are removed, which are there to be recognized). */
enum {
	NAME_CAP = 320,		   /* address: RFC 5321, 64 + 1 + 255 */
	TEXT_CAP = STORE_TEXT_MAX, /* Subject, Message-ID, records, reasons */
	RESULTS_CAP = 8000,	   /* Authentication-Results of all */
	REMOVED_FIELD_CAP = 200,
	REMOVED_COUNT_CAP = 50,
	QUERY_COUNT_CAP = 100,
	RECIPIENT_COUNT_CAP = 100, /* RFC 5321 section 4.5.3.1.8 */
};

enum { USUAL_SIZE = 4096 };

static void write_cut(
    struct json_write *json, const char *key, struct slice text, size_t cap)
{
	static const struct slice more = SLICE_INIT("\xe2\x80\xa6");
	struct slice cut = text_cut(text, cap);
	char marked[RESULTS_CAP + 4];

	if (cut.len < text.len) {
		memcpy(marked, cut.ptr, cut.len);
		memcpy(marked + cut.len, more.ptr, more.len);
		cut = slice_of(marked, cut.len + more.len);
	}
	json_write_text(json, key, cut);
}

static void write_text(
    struct json_write *json, const char *key, struct slice text)
{
	write_cut(json, key, text, TEXT_CAP);
}

static void write_name(
    struct json_write *json, const char *key, struct slice name)
{
	write_cut(json, key, name, NAME_CAP);
}

static void write_spf(
    struct json_write *json, const char *key, const struct spf_outcome *spf)
{
	json_write_begin(json, key, '{');
	json_write_word(json, "result", spf_result_name(spf->result));
	write_name(json, "domain", spf->domain);
	json_write_word(json, "identity",
	    spf->identity == SPF_IDENTITY_HELO ? "helo" : "mailfrom");
	write_text(json, "explanation", spf->explanation);
	write_text(json, "problem", spf->problem);
	write_text(json, "mechanism", spf->mechanism);
	json_write_number(json, "dns_lookups", spf->dns_lookups);
	json_write_end(json, '}');
}

static void write_signature(
    struct json_write *json, const struct dkim_outcome *dkim)
{
	json_write_begin(json, NULL, '{');
	json_write_word(json, "result", dkim_result_name(dkim->result));
	write_name(json, "domain", dkim->domain);
	write_name(json, "selector", dkim->selector);
	write_name(json, "algorithm", dkim->algorithm);
	write_name(json, "identity", dkim->identity);
	write_text(json, "reason", dkim->reason);
	json_write_number(json, "key_bits", dkim->key_bits);
	json_write_flag(json, "testing", dkim->testing);
	json_write_flag(json, "body_length_limited", dkim->body_length_limited);
	json_write_end(json, '}');
}

static void write_dkim(
    struct json_write *json, const struct gate_message *message)
{
	json_write_begin(json, "dkim", '[');
	for (size_t i = 0; i < message->dkim_count; i++)
		write_signature(json, &message->dkim[i]);
	json_write_end(json, ']');
}

static void write_arc(struct json_write *json, const struct arc_outcome *arc)
{
	json_write_begin(json, "arc", '{');
	json_write_word(json, "result", arc_result_name(arc->result));
	json_write_number(json, "sets", arc->sets);
	json_write_number(json, "oldest_pass", arc->oldest_pass);
	write_name(json, "sealer", arc->sealer);
	write_text(json, "reason", arc->reason);
	json_write_end(json, '}');
}

static void write_author(struct json_write *json, const char *key,
    const struct gate_message *message, const struct dmarc_outcome *dmarc)
{
	const struct dmarc_discovery *found = &dmarc->discovery;

	json_write_begin(json, key, '{');
	json_write_word(json, "result", dmarc_result_name(dmarc->result));
	write_name(json, "from_domain", dmarc->from_domain);
	json_write_word(json, "policy", dmarc_policy_name(found->policy));
	json_write_word(
	    json, "applied_policy", dmarc_policy_name(found->applied_policy));
	write_name(json, "policy_domain", found->policy_domain);
	write_name(json, "organizational_domain", found->organizational_domain);
	json_write_flag(json, "spf_aligned", dmarc->spf_aligned);
	json_write_flag(json, "dkim_aligned", dmarc->dkim_aligned);
	json_write_flag(json, "testing", found->testing);
	write_text(json, "record", found->record);
	write_text(json, "problem", found->problem);
	write_text(json, "reason", dmarc->reason);
	if (message->override.applies)
		write_text(json, "override", message->override.reason);
	else
		json_write_null(json, "override");
	json_write_end(json, '}');
}

/* The worst of all From: domains' is "dmarc"; several are listed besides. */
static void write_dmarc(
    struct json_write *json, const struct gate_message *message)
{
	static const struct dmarc_outcome none = {.result = DMARC_NONE};
	const struct dmarc_outcome *worst = dmarc_worst(
	    message->dmarc_count, message->dmarc);

	write_author(json, "dmarc", message, worst ? worst : &none);
	if (message->dmarc_count < 2)
		return;
	json_write_begin(json, "dmarc_of_each_author", '[');
	for (size_t i = 0; i < message->dmarc_count; i++)
		write_author(json, NULL, message, &message->dmarc[i]);
	json_write_end(json, ']');
}

static void write_own_domain(
    struct json_write *json, const struct own_domain_outcome *own)
{
	json_write_begin(json, "own_domain", '{');
	json_write_word(json, "result", own_domain_result_name(own->result));
	write_name(json, "domain", own->domain);
	write_text(json, "reason", own->reason);
	json_write_end(json, '}');
}

static void write_faults(struct json_write *json, struct faults faults)
{
	json_write_begin(json, "malformed", '[');
	for (int fault = 0; fault < FAULT_COUNT; fault++)
		if (faults_has(faults, (enum fault)fault))
			json_write_word(
			    json, NULL, fault_name((enum fault)fault));
	json_write_end(json, ']');
}

static void write_from(
    struct json_write *json, const struct gate_message *message)
{
	json_write_begin(json, "from", '[');
	for (size_t i = 0; i < message->from.address_count; i++)
		write_name(json, NULL, message->from.addresses[i]);
	json_write_end(json, ']');
}

static void write_parts(
    struct json_write *json, const struct gate_message *message)
{
	json_write_begin(json, "parts", '[');
	for (size_t i = 0; i < message->part_count; i++) {
		const struct content_part *part = &message->parts[i];

		json_write_begin(json, NULL, '{');
		write_text(json, "path", part->path);
		write_text(json, "type", part->type);
		write_text(json, "name", part->name);
		json_write_number(json, "size", part->size);
		json_write_number(json, "text_words", part->text_words);
		json_write_end(json, '}');
	}
	json_write_end(json, ']');
}

static void write_field(struct json_write *json, const char *key,
    struct gate_message *message, struct slice name)
{
	const struct header_field *field = headers_find(
	    &message->headers, name, 0);
	struct slice text = {NULL, 0};

	if (field)
		text = mime_decode_words(message->arena,
		    headers_unfold(message->arena, field->value));
	write_text(json, key, text);
}

static void write_message(struct json_write *json, struct gate_message *message)
{
	if (message->context->inspect_content)
		content_inspect(message);
	json_write_begin(json, "message", '{');
	write_faults(json, message->faults);
	write_from(json, message);
	json_write_number(json, "size", gate_message_size(message));
	write_field(json, "message_id", message, SLICE("Message-ID"));
	write_field(json, "subject", message, SLICE("Subject"));
	write_field(json, "date", message, SLICE("Date"));
	write_parts(json, message);
	json_write_end(json, '}');
}

static void write_steps(
    struct json_write *json, const struct decision *decision)
{
	json_write_begin(json, "steps", '[');
	for (size_t i = 0; i < decision->step_count; i++) {
		const struct decision_step *step = &decision->steps[i];

		json_write_begin(json, NULL, '{');
		write_text(json, "policy", step->policy);
		json_write_flag(json, "matched", step->matched);
		if (step->matched) {
			json_write_flag(json, "enforced", step->enforced);
			json_write_word(
			    json, "verdict", verdict_name(step->verdict));
		}
		if (step->because.len)
			write_text(json, "because", step->because);
		json_write_end(json, '}');
	}
	json_write_end(json, ']');
}

/* What its client was told at RCPT, else what becomes of the message. */
static enum verdict recipient_verdict(
    const struct gate_message *message, size_t number)
{
	int code = message->recipient_refusals
		       ? message->recipient_refusals[number].code
		       : 0;

	if (code == 0)
		return message->decision.verdict;
	return code < 500 ? VERDICT_DEFER : VERDICT_REJECT;
}

/* A trace has them all as rows of their own (struct store_trace), and what
 * becomes of each is the message's verdict. */
static void write_recipients(
    struct json_write *json, const struct gate_message *message)
{
	const struct envelope *envelope = message->envelope;
	size_t count = envelope->recipient_count, shown = count;

	if (shown > RECIPIENT_COUNT_CAP && !message->context->inspect_content)
		shown = RECIPIENT_COUNT_CAP;
	json_write_begin(json, "recipients", '[');
	for (size_t i = 0; i < shown; i++) {
		json_write_begin(json, NULL, '{');
		write_text(json, "address", envelope->recipients[i].address);
		json_write_word(json, "verdict",
		    verdict_name(recipient_verdict(message, i)));
		json_write_end(json, '}');
	}
	json_write_end(json, ']');
	if (count > shown)
		json_write_number(json, "recipients_more", count - shown);
}

static void write_header(
    struct json_write *json, const struct gate_message *message)
{
	const struct header_edits *edits = &message->decision.edits;
	size_t shown = edits->removed_count < REMOVED_COUNT_CAP
			   ? edits->removed_count
			   : REMOVED_COUNT_CAP;

	json_write_begin(json, "headers", '{');
	json_write_begin(json, "added", '[');
	for (size_t i = edits->added_count; i-- > 0;)
		write_cut(json, NULL, slice_trim(edits->added[i]), RESULTS_CAP);
	json_write_end(json, ']');
	json_write_begin(json, "removed", '[');
	for (size_t i = 0; i < shown; i++)
		write_cut(json, NULL,
		    slice_trim(message->headers.fields[edits->removed[i]].raw),
		    REMOVED_FIELD_CAP);
	json_write_end(json, ']');
	if (edits->removed_count > shown)
		json_write_number(
		    json, "removed_more", edits->removed_count - shown);
	json_write_end(json, '}');
}

/* Only where there is something to tell. */
static void write_changes(
    struct json_write *json, const struct gate_message *message)
{
	const struct decision *decision = &message->decision;
	const struct recipient_edits *edits = &decision->recipients;

	if (recipient_edit_any(edits)) {
		json_write_begin(json, "recipient_changes", '{');
		json_write_begin(json, "added", '[');
		for (size_t i = 0; i < edits->added_count; i++)
			write_text(json, NULL, edits->added[i].address);
		json_write_end(json, ']');
		json_write_begin(json, "removed", '[');
		for (size_t i = 0; i < message->envelope->recipient_count; i++)
			if (recipient_edit_removes(edits, i))
				write_text(json, NULL,
				    message->envelope->recipients[i].address);
		json_write_end(json, ']');
		json_write_end(json, '}');
	}
	if (decision->replaces_body) {
		json_write_begin(json, "body", '{');
		json_write_flag(json, "replaced", true);
		json_write_number(json, "size", decision->body.len);
		json_write_end(json, '}');
	}
}

static void write_queries(
    struct json_write *json, const struct gate_message *message)
{
	const struct dns_query_record *records;
	size_t count = dns_session_queries(message->dns, &records);
	size_t shown = count < QUERY_COUNT_CAP ? count : QUERY_COUNT_CAP;

	json_write_begin(json, "dns_queries", '[');
	for (size_t i = 0; i < shown; i++) {
		const struct dns_answer *answer = records[i].answer;

		json_write_begin(json, NULL, '{');
		write_text(json, "name", records[i].name);
		json_write_word(json, "type", dns_type_name(records[i].type));
		json_write_word(
		    json, "rcode", answer ? answer->rcode : "UNUSED");
		if (answer && answer->problem[0])
			json_write_word(json, "problem", answer->problem);
		json_write_end(json, '}');
	}
	json_write_end(json, ']');
	if (count > shown)
		json_write_number(json, "dns_queries_more", count - shown);
}

static void write_client(
    struct json_write *json, const struct gate_message *message)
{
	const struct envelope_client *client = message->envelope->client;
	char ip[IP_TEXT_MAX];

	json_write_begin(json, "client", '{');
	json_write_word(json, "ip", ip_format(&client->ip, ip));
	write_text(json, "name", client->name);
	write_text(json, "helo", client->helo);
	write_text(json, "listener", client->listener);
	write_text(json, "tls", client->tls ? client->tls_version : SLICE(""));
	write_text(json, "authenticated_as", client->authenticated_as);
	write_text(json, "connector",
	    message->connector ? message->connector->name : SLICE(""));
	write_text(json, "expired_connector",
	    message->expired ? message->expired->name : SLICE(""));
	json_write_flag(json, "in_organization", message->internal);
	json_write_end(json, '}');
}

static void write_verdict(
    struct json_write *json, const struct gate_message *message)
{
	const struct decision *decision = &message->decision;
	bool replies = decision->reply.code != 0;

	json_write_word(json, "verdict", verdict_name(decision->verdict));
	write_text(json, "smtp_reply",
	    replies ? decision_reply_line(message->arena, &decision->reply)
		    : SLICE("250 2.0.0 accepted"));
	write_text(json, "policy", decision->policy);
	write_text(json, "reason", decision->reason);
}

static void write_content(struct json_write *json)
{
	static const char *const keys[] = {
	    "markings", "labels", "sensitive_information", "rules"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		json_write_begin(json, keys[i], '[');
		json_write_end(json, ']');
	}
}

/* Folding as one blank each. */
static struct slice one_line(struct arena *arena, struct slice value)
{
	char *line = arena_alloc(arena, value.len + 1);
	size_t used = 0;

	for (size_t i = 0; i < value.len; i++)
		if (value.ptr[i] != '\r' && value.ptr[i] != '\n')
			line[used++] = value.ptr[i] == '\t' ? ' '
							    : value.ptr[i];
	return slice_of(line, used);
}

static void write_facts(struct json_write *json, struct gate_message *message)
{
	json_write_begin(json, NULL, '{');
	write_text(json, "id", message->envelope->id);
	write_verdict(json, message);
	write_client(json, message);
	write_text(json, "mail_from", message->envelope->mail_from);
	write_spf(json, "spf", &message->spf);
	write_spf(json, "spf_helo", &message->spf_helo);
	write_dkim(json, message);
	write_arc(json, &message->arc);
	write_dmarc(json, message);
	write_own_domain(json, &message->own_domain);
	write_cut(json, "authentication_results",
	    one_line(message->arena, message->authentication_results),
	    RESULTS_CAP);
	write_message(json, message);
	write_content(json);
	write_steps(json, &message->decision);
	write_recipients(json, message);
	write_header(json, message);
	write_changes(json, message);
	write_queries(json, message);
	json_write_end(json, '}');
}

/* STORE_FACTS_MAX is far above what is left of many recipients and parts. */
struct slice gate_json(struct gate_message *message)
{
	struct buf *buf = buf_in_arena(message->arena, STORE_FACTS_MAX);
	struct json_write json = {.buf = buf};

	buf_reserve(buf, USUAL_SIZE);
	write_facts(&json, message);
	return buf_overflowed(buf) ? SLICE("{}") : buf_slice(buf);
}
