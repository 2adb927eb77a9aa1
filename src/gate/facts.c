/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that is known about a message, as JSON: `check --json`, and the
 * facts that a trace keeps for `explain`. */
#include "base/buf.h"
#include "base/json_write.h"
#include "gate/gate_private.h"
#include "message/address.h"
#include "mime/words.h"

/* Far above what limits let into a message's facts. */
enum { FACTS_MAX = 64 << 20, USUAL_SIZE = 4096 };

static void write_spf(
    struct json_write *json, const char *key, const struct spf_outcome *spf)
{
	json_write_begin(json, key, '{');
	json_write_word(json, "result", spf_result_name(spf->result));
	json_write_text(json, "domain", spf->domain);
	json_write_word(json, "identity",
	    spf->identity == SPF_IDENTITY_HELO ? "helo" : "mailfrom");
	json_write_text(json, "explanation", spf->explanation);
	json_write_text(json, "problem", spf->problem);
	json_write_text(json, "mechanism", spf->mechanism);
	json_write_number(json, "dns_lookups", spf->dns_lookups);
	json_write_end(json, '}');
}

static void write_signature(
    struct json_write *json, const struct dkim_outcome *dkim)
{
	json_write_begin(json, NULL, '{');
	json_write_word(json, "result", dkim_result_name(dkim->result));
	json_write_text(json, "domain", dkim->domain);
	json_write_text(json, "selector", dkim->selector);
	json_write_text(json, "algorithm", dkim->algorithm);
	json_write_text(json, "identity", dkim->identity);
	json_write_text(json, "reason", dkim->reason);
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
	json_write_text(json, "sealer", arc->sealer);
	json_write_text(json, "reason", arc->reason);
	json_write_end(json, '}');
}

static void write_author(struct json_write *json, const char *key,
    const struct gate_message *message, const struct dmarc_outcome *dmarc)
{
	const struct dmarc_discovery *found = &dmarc->discovery;

	json_write_begin(json, key, '{');
	json_write_word(json, "result", dmarc_result_name(dmarc->result));
	json_write_text(json, "from_domain", dmarc->from_domain);
	json_write_word(json, "policy", dmarc_policy_name(found->policy));
	json_write_word(
	    json, "applied_policy", dmarc_policy_name(found->applied_policy));
	json_write_text(json, "policy_domain", found->policy_domain);
	json_write_text(
	    json, "organizational_domain", found->organizational_domain);
	json_write_flag(json, "spf_aligned", dmarc->spf_aligned);
	json_write_flag(json, "dkim_aligned", dmarc->dkim_aligned);
	json_write_flag(json, "testing", found->testing);
	json_write_text(json, "record", found->record);
	json_write_text(json, "problem", found->problem);
	json_write_text(json, "reason", dmarc->reason);
	if (message->override.applies)
		json_write_text(json, "override", message->override.reason);
	else
		json_write_null(json, "override");
	json_write_end(json, '}');
}

/* The first From: domain's is "dmarc"; several are listed besides. */
static void write_dmarc(
    struct json_write *json, const struct gate_message *message)
{
	static const struct dmarc_outcome none = {.result = DMARC_NONE};

	write_author(json, "dmarc", message,
	    message->dmarc_count ? &message->dmarc[0] : &none);
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
	json_write_text(json, "domain", own->domain);
	json_write_text(json, "reason", own->reason);
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
		json_write_text(json, NULL, message->from.addresses[i]);
	json_write_end(json, ']');
}

static void write_parts(
    struct json_write *json, const struct gate_message *message)
{
	json_write_begin(json, "parts", '[');
	for (size_t i = 0; i < message->part_count; i++) {
		const struct content_part *part = &message->parts[i];

		json_write_begin(json, NULL, '{');
		json_write_text(json, "path", part->path);
		json_write_text(json, "type", part->type);
		json_write_text(json, "name", part->name);
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
	json_write_text(json, key, text);
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
		json_write_text(json, "policy", step->policy);
		json_write_flag(json, "matched", step->matched);
		if (step->matched) {
			json_write_flag(json, "enforced", step->enforced);
			json_write_word(
			    json, "verdict", verdict_name(step->verdict));
		}
		if (step->because.len)
			json_write_text(json, "because", step->because);
		json_write_end(json, '}');
	}
	json_write_end(json, ']');
}

static void write_recipients(
    struct json_write *json, const struct gate_message *message)
{
	const struct envelope *envelope = message->envelope;

	json_write_begin(json, "recipients", '[');
	for (size_t i = 0; i < envelope->recipient_count; i++) {
		bool refused = message->recipient_refusals &&
			       message->recipient_refusals[i].code;
		enum verdict verdict = refused ? VERDICT_REJECT
					       : message->decision.verdict;

		json_write_begin(json, NULL, '{');
		json_write_text(
		    json, "address", envelope->recipients[i].address);
		json_write_word(json, "verdict", verdict_name(verdict));
		json_write_end(json, '}');
	}
	json_write_end(json, ']');
}

static void write_header(
    struct json_write *json, const struct gate_message *message)
{
	const struct header_edits *edits = &message->decision.edits;

	json_write_begin(json, "headers", '{');
	json_write_begin(json, "added", '[');
	for (size_t i = edits->added_count; i-- > 0;)
		json_write_text(json, NULL, slice_trim(edits->added[i]));
	json_write_end(json, ']');
	json_write_begin(json, "removed", '[');
	for (size_t i = 0; i < edits->removed_count; i++)
		json_write_text(json, NULL,
		    slice_trim(message->headers.fields[edits->removed[i]].raw));
	json_write_end(json, ']');
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
			json_write_text(json, NULL, edits->added[i].address);
		json_write_end(json, ']');
		json_write_begin(json, "removed", '[');
		for (size_t i = 0; i < message->envelope->recipient_count; i++)
			if (recipient_edit_removes(edits, i))
				json_write_text(json, NULL,
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

	json_write_begin(json, "dns_queries", '[');
	for (size_t i = 0; i < count; i++) {
		const struct dns_answer *answer = records[i].answer;

		json_write_begin(json, NULL, '{');
		json_write_text(json, "name", records[i].name);
		json_write_word(json, "type", dns_type_name(records[i].type));
		json_write_word(
		    json, "rcode", answer ? answer->rcode : "UNUSED");
		if (answer && answer->problem[0])
			json_write_word(json, "problem", answer->problem);
		json_write_end(json, '}');
	}
	json_write_end(json, ']');
}

static void write_client(
    struct json_write *json, const struct gate_message *message)
{
	const struct envelope_client *client = message->envelope->client;
	char ip[IP_TEXT_MAX];

	json_write_begin(json, "client", '{');
	json_write_word(json, "ip", ip_format(&client->ip, ip));
	json_write_text(json, "name", client->name);
	json_write_text(json, "helo", client->helo);
	json_write_text(json, "listener", client->listener);
	json_write_text(
	    json, "tls", client->tls ? client->tls_version : SLICE(""));
	json_write_text(json, "authenticated_as", client->authenticated_as);
	json_write_text(json, "connector",
	    message->connector ? message->connector->name : SLICE(""));
	json_write_text(json, "expired_connector",
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
	json_write_text(json, "smtp_reply",
	    replies ? decision_reply_line(message->arena, &decision->reply)
		    : SLICE("250 2.0.0 accepted"));
	json_write_text(json, "policy", decision->policy);
	json_write_text(json, "reason", decision->reason);
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
	json_write_text(json, "id", message->envelope->id);
	write_verdict(json, message);
	write_client(json, message);
	json_write_text(json, "mail_from", message->envelope->mail_from);
	write_spf(json, "spf", &message->spf);
	write_spf(json, "spf_helo", &message->spf_helo);
	write_dkim(json, message);
	write_arc(json, &message->arc);
	write_dmarc(json, message);
	write_own_domain(json, &message->own_domain);
	json_write_text(json, "authentication_results",
	    one_line(message->arena, message->authentication_results));
	write_message(json, message);
	write_content(json);
	write_steps(json, &message->decision);
	write_recipients(json, message);
	write_header(json, message);
	write_changes(json, message);
	write_queries(json, message);
	json_write_end(json, '}');
}

struct slice gate_json(struct gate_message *message)
{
	struct buf *buf = buf_in_arena(message->arena, FACTS_MAX);
	struct json_write json = {.buf = buf};

	buf_reserve(buf, USUAL_SIZE);
	write_facts(&json, message);
	return buf_overflowed(buf) ? SLICE("{}") : buf_slice(buf);
}
