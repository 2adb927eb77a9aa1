/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that is known about a message, as JSON: `check --json`, and the
 * facts that a trace keeps for `explain`. */
#include <jansson.h>

#include "base/buf.h"
#include "base/memory.h"
#include "base/text.h"
#include "gate/gate_private.h"
#include "message/address.h"
#include "mime/words.h"

static json_t *text_value(struct arena *arena, struct slice text)
{
	struct slice clean = text_clean_utf8(arena, text);

	return json_stringn(clean.len ? clean.ptr : "", clean.len);
}

static void set_text(
    struct arena *arena, json_t *object, const char *key, struct slice text)
{
	json_object_set_new(object, key, text_value(arena, text));
}

static void set_word(json_t *object, const char *key, const char *word)
{
	json_object_set_new(object, key, json_string(word));
}

static void set_number(json_t *object, const char *key, uint64_t number)
{
	json_object_set_new(object, key, json_integer((json_int_t)number));
}

static void set_flag(json_t *object, const char *key, bool flag)
{
	json_object_set_new(object, key, json_boolean(flag));
}

static json_t *spf_value(
    struct gate_message *message, const struct spf_outcome *spf)
{
	json_t *value = json_object();

	set_word(value, "result", spf_result_name(spf->result));
	set_text(message->arena, value, "domain", spf->domain);
	set_word(value, "identity",
	    spf->identity == SPF_IDENTITY_HELO ? "helo" : "mailfrom");
	set_text(message->arena, value, "explanation", spf->explanation);
	set_text(message->arena, value, "problem", spf->problem);
	set_text(message->arena, value, "mechanism", spf->mechanism);
	set_number(value, "dns_lookups", spf->dns_lookups);
	return value;
}

static json_t *dkim_value(
    struct gate_message *message, const struct dkim_outcome *dkim)
{
	struct arena *arena = message->arena;
	json_t *value = json_object();

	set_word(value, "result", dkim_result_name(dkim->result));
	set_text(arena, value, "domain", dkim->domain);
	set_text(arena, value, "selector", dkim->selector);
	set_text(arena, value, "algorithm", dkim->algorithm);
	set_text(arena, value, "identity", dkim->identity);
	set_text(arena, value, "reason", dkim->reason);
	set_number(value, "key_bits", dkim->key_bits);
	set_flag(value, "testing", dkim->testing);
	set_flag(value, "body_length_limited", dkim->body_length_limited);
	return value;
}

static json_t *dkim_values(struct gate_message *message)
{
	json_t *values = json_array();

	for (size_t i = 0; i < message->dkim_count; i++)
		json_array_append_new(
		    values, dkim_value(message, &message->dkim[i]));
	return values;
}

static json_t *arc_value(struct gate_message *message)
{
	const struct arc_outcome *arc = &message->arc;
	json_t *value = json_object();

	set_word(value, "result", arc_result_name(arc->result));
	set_number(value, "sets", arc->sets);
	set_number(value, "oldest_pass", arc->oldest_pass);
	set_text(message->arena, value, "sealer", arc->sealer);
	set_text(message->arena, value, "reason", arc->reason);
	return value;
}

static json_t *dmarc_value(
    struct gate_message *message, const struct dmarc_outcome *dmarc)
{
	const struct dmarc_discovery *found = &dmarc->discovery;
	struct arena *arena = message->arena;
	json_t *value = json_object();

	set_word(value, "result", dmarc_result_name(dmarc->result));
	set_text(arena, value, "from_domain", dmarc->from_domain);
	set_word(value, "policy", dmarc_policy_name(found->policy));
	set_word(
	    value, "applied_policy", dmarc_policy_name(found->applied_policy));
	set_text(arena, value, "policy_domain", found->policy_domain);
	set_text(arena, value, "organizational_domain",
	    found->organizational_domain);
	set_flag(value, "spf_aligned", dmarc->spf_aligned);
	set_flag(value, "dkim_aligned", dmarc->dkim_aligned);
	set_flag(value, "testing", found->testing);
	set_text(arena, value, "record", found->record);
	set_text(arena, value, "problem", found->problem);
	set_text(arena, value, "reason", dmarc->reason);
	if (message->override.applies)
		set_text(arena, value, "override", message->override.reason);
	else
		json_object_set_new(value, "override", json_null());
	return value;
}

/* The first From: domain's is "dmarc"; several are listed besides. */
static void set_dmarc(struct gate_message *message, json_t *facts)
{
	static const struct dmarc_outcome none = {.result = DMARC_NONE};
	json_t *others;

	json_object_set_new(facts, "dmarc",
	    dmarc_value(
		message, message->dmarc_count ? &message->dmarc[0] : &none));
	if (message->dmarc_count < 2)
		return;
	others = json_array();
	for (size_t i = 0; i < message->dmarc_count; i++)
		json_array_append_new(
		    others, dmarc_value(message, &message->dmarc[i]));
	json_object_set_new(facts, "dmarc_of_each_author", others);
}

static json_t *own_domain_value(struct gate_message *message)
{
	json_t *value = json_object();

	set_word(value, "result",
	    own_domain_result_name(message->own_domain.result));
	set_text(message->arena, value, "domain", message->own_domain.domain);
	set_text(message->arena, value, "reason", message->own_domain.reason);
	return value;
}

static json_t *fault_values(struct gate_message *message)
{
	json_t *values = json_array();

	for (int fault = 0; fault < FAULT_COUNT; fault++)
		if (faults_has(message->faults, (enum fault)fault))
			json_array_append_new(
			    values, json_string(fault_name((enum fault)fault)));
	return values;
}

static json_t *text_values(
    struct arena *arena, size_t count, const struct slice *texts)
{
	json_t *values = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(values, text_value(arena, texts[i]));
	return values;
}

static json_t *part_values(struct gate_message *message)
{
	json_t *values = json_array();

	for (size_t i = 0; i < message->part_count; i++) {
		const struct content_part *part = &message->parts[i];
		json_t *value = json_object();

		set_text(message->arena, value, "path", part->path);
		set_text(message->arena, value, "type", part->type);
		set_text(message->arena, value, "name", part->name);
		set_number(value, "size", part->size);
		set_number(value, "text_words", part->text_words);
		json_array_append_new(values, value);
	}
	return values;
}

static void set_field(struct gate_message *message, json_t *object,
    const char *key, struct slice name)
{
	const struct header_field *field = headers_find(
	    &message->headers, name, 0);
	struct slice text = {NULL, 0};

	if (field)
		text = mime_decode_words(message->arena,
		    headers_unfold(message->arena, field->value));
	set_text(message->arena, object, key, text);
}

static json_t *message_value(struct gate_message *message)
{
	json_t *value = json_object();

	if (message->context->inspect_content)
		content_inspect(message);
	json_object_set_new(value, "malformed", fault_values(message));
	json_object_set_new(value, "from",
	    text_values(message->arena, message->from.address_count,
		message->from.addresses));
	set_number(value, "size", message->content.len);
	set_field(message, value, "message_id", SLICE("Message-ID"));
	set_field(message, value, "subject", SLICE("Subject"));
	set_field(message, value, "date", SLICE("Date"));
	json_object_set_new(value, "parts", part_values(message));
	return value;
}

static json_t *step_values(struct gate_message *message)
{
	const struct decision *decision = &message->decision;
	json_t *values = json_array();

	for (size_t i = 0; i < decision->step_count; i++) {
		const struct decision_step *step = &decision->steps[i];
		json_t *value = json_object();

		set_text(message->arena, value, "policy", step->policy);
		set_flag(value, "matched", step->matched);
		set_flag(value, "enforced", step->enforced);
		set_word(value, "verdict", verdict_name(step->verdict));
		set_text(message->arena, value, "because", step->because);
		json_array_append_new(values, value);
	}
	return values;
}

static json_t *recipient_values(struct gate_message *message)
{
	const struct envelope *envelope = message->envelope;
	json_t *values = json_array();

	for (size_t i = 0; i < envelope->recipient_count; i++) {
		json_t *value = json_object();
		bool refused = message->recipient_refusals &&
			       message->recipient_refusals[i].code;
		enum verdict verdict = refused ? VERDICT_REJECT
					       : message->decision.verdict;

		set_text(message->arena, value, "address",
		    envelope->recipients[i].address);
		set_word(value, "verdict", verdict_name(verdict));
		json_array_append_new(values, value);
	}
	return values;
}

static json_t *header_values(struct gate_message *message)
{
	const struct header_edits *edits = &message->decision.edits;
	json_t *value = json_object(), *added = json_array();
	json_t *removed = json_array();

	for (size_t i = edits->added_count; i-- > 0;)
		json_array_append_new(added,
		    text_value(message->arena, slice_trim(edits->added[i])));
	for (size_t i = 0; i < edits->removed_count; i++) {
		size_t at = edits->removed[i];

		json_array_append_new(
		    removed, text_value(message->arena,
				 slice_trim(message->headers.fields[at].raw)));
	}
	json_object_set_new(value, "added", added);
	json_object_set_new(value, "removed", removed);
	return value;
}

static json_t *query_values(struct gate_message *message)
{
	const struct dns_query_record *records;
	size_t count = dns_session_queries(message->dns, &records);
	json_t *values = json_array();

	for (size_t i = 0; i < count; i++) {
		const struct dns_answer *answer = records[i].answer;
		json_t *value = json_object();

		set_text(message->arena, value, "name", records[i].name);
		set_word(value, "type", dns_type_name(records[i].type));
		set_word(value, "rcode", answer ? answer->rcode : "UNUSED");
		if (answer && answer->problem[0])
			set_word(value, "problem", answer->problem);
		json_array_append_new(values, value);
	}
	return values;
}

static json_t *client_value(struct gate_message *message)
{
	const struct envelope_client *client = message->envelope->client;
	struct arena *arena = message->arena;
	json_t *value = json_object();
	char ip[IP_TEXT_MAX];

	set_word(value, "ip", ip_format(&client->ip, ip));
	set_text(arena, value, "name", client->name);
	set_text(arena, value, "helo", client->helo);
	set_text(arena, value, "listener", client->listener);
	set_text(
	    arena, value, "tls", client->tls ? client->tls_version : SLICE(""));
	set_text(arena, value, "authenticated_as", client->authenticated_as);
	set_text(arena, value, "connector",
	    message->connector ? message->connector->name : SLICE(""));
	set_text(arena, value, "expired_connector",
	    message->expired ? message->expired->name : SLICE(""));
	set_flag(value, "in_organization", message->internal);
	return value;
}

static void set_verdict(struct gate_message *message, json_t *facts)
{
	const struct decision *decision = &message->decision;
	bool replies = decision->reply.code != 0;

	set_word(facts, "verdict", verdict_name(decision->verdict));
	set_text(message->arena, facts, "smtp_reply",
	    replies ? decision_reply_line(message->arena, &decision->reply)
		    : SLICE("250 2.0.0 accepted"));
	set_text(message->arena, facts, "policy", decision->policy);
	set_text(message->arena, facts, "reason", decision->reason);
}

static void set_content(json_t *facts)
{
	static const char *const keys[] = {
	    "markings", "labels", "sensitive_information", "rules"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		json_object_set_new(facts, keys[i], json_array());
}

/* Folding as one blank each. */
static struct slice one_line(struct arena *arena, struct slice value)
{
	struct buf *line = buf_in_arena(arena, value.len);

	for (size_t i = 0; i < value.len; i++)
		if (value.ptr[i] != '\r' && value.ptr[i] != '\n')
			buf_add_byte(
			    line, value.ptr[i] == '\t' ? ' ' : value.ptr[i]);
	return buf_slice(line);
}

struct slice gate_json(struct gate_message *message)
{
	struct arena *arena = message->arena;
	json_t *facts = json_object();
	struct slice text;
	char *dump;

	set_text(arena, facts, "id", message->envelope->id);
	set_verdict(message, facts);
	json_object_set_new(facts, "client", client_value(message));
	set_text(arena, facts, "mail_from", message->envelope->mail_from);
	json_object_set_new(facts, "spf", spf_value(message, &message->spf));
	json_object_set_new(
	    facts, "spf_helo", spf_value(message, &message->spf_helo));
	json_object_set_new(facts, "dkim", dkim_values(message));
	json_object_set_new(facts, "arc", arc_value(message));
	set_dmarc(message, facts);
	json_object_set_new(facts, "own_domain", own_domain_value(message));
	set_text(arena, facts, "authentication_results",
	    one_line(arena, message->authentication_results));
	json_object_set_new(facts, "message", message_value(message));
	set_content(facts);
	json_object_set_new(facts, "steps", step_values(message));
	json_object_set_new(facts, "recipients", recipient_values(message));
	json_object_set_new(facts, "headers", header_values(message));
	json_object_set_new(facts, "dns_queries", query_values(message));
	dump = json_dumps(facts, JSON_COMPACT);
	text = dump ? arena_slice(arena, slice_from(dump)) : SLICE("{}");
	memory_free(dump);
	json_decref(facts);
	return text;
}
