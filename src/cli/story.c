/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/story.h"

#include <jansson.h>
#include <string.h>

#include "cli/show.h"

/* "" for what is not there, is null or is not a text. */
static struct slice text_of(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return slice_of(json_string_value(value), json_string_length(value));
}

static bool flag_of(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

/* before, the text and after; nothing at all for an empty text. */
static void add(
    struct buf *out, const char *before, struct slice text, const char *after)
{
	if (slice_empty(text))
		return;
	buf_add_text(out, before);
	show_text(out, text);
	buf_add_text(out, after);
}

static void tell_head(const struct store_trace *trace, struct buf *out)
{
	buf_add_text(out, "Message ");
	show_text(out, trace->id);
	buf_add_text(out, ", ");
	show_time(out, trace->time_ms);
	buf_add_byte(out, '\n');
	add(out, "  Message-ID  ", trace->message_id, "\n");
	add(out, "  From        ", trace->header_from, "\n");
	add(out, "  Subject     ", trace->subject, "\n");
	if (trace->size)
		buf_add_format(out, "  Size        %llu bytes\n",
		    (unsigned long long)trace->size);
}

static void tell_client(
    const struct store_trace *trace, const json_t *facts, struct buf *out)
{
	const json_t *client = json_object_get(facts, "client");
	struct slice tls = text_of(client, "tls");

	buf_add_text(out, "\nHanded over by\n  ");
	if (slice_empty(trace->client_name))
		buf_add_text(out, "a host without a verified name");
	else
		show_text(out, trace->client_name);
	add(out, " [", trace->client_ip, "]");
	add(out, ", which said HELO ", trace->helo, "");
	add(out, ", at listener ", trace->listener, "");
	buf_add_byte(out, '\n');
	if (!slice_empty(tls))
		add(out, "  encrypted with ", tls, "\n");
	else if (json_object_get(client, "tls"))
		buf_add_text(out, "  not encrypted\n");
	add(out, "  logged in as ", text_of(client, "authenticated_as"), "\n");
	add(out, "  by connector ", trace->connector, "\n");
	add(out, "  connector ", text_of(client, "expired_connector"),
	    " fits, but has expired\n");
	if (flag_of(client, "in_organization"))
		buf_add_text(out, "  counts as inside the organization\n");
}

static void tell_envelope(const struct store_trace *trace, struct buf *out)
{
	buf_add_text(out, "\nEnvelope\n  from <");
	show_text(out, trace->sender);
	buf_add_text(out, ">\n");
	for (size_t i = 0; i < trace->recipient_count; i++)
		if (slice_empty(trace->recipients[i]))
			buf_add_text(out, "  to   <>\n");
		else
			add(out, "  to   <", trace->recipients[i], ">\n");
}

static void tell_addresses(
    const json_t *list, const char *before, struct buf *out)
{
	const json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		buf_add_text(out, before);
		show_text(out,
		    slice_of(json_string_value(one), json_string_length(one)));
		buf_add_text(out, ">\n");
	}
}

/* What policy made of recipients and body. */
static void tell_changes(const json_t *facts, struct buf *out)
{
	const json_t *recipients = json_object_get(facts, "recipient_changes");
	const json_t *body = json_object_get(facts, "body");

	tell_addresses(
	    json_object_get(recipients, "removed"), "  not to <", out);
	tell_addresses(
	    json_object_get(recipients, "added"), "  also to <", out);
	if (flag_of(body, "replaced"))
		buf_add_format(out, "  with a new body of %lld bytes\n",
		    (long long)json_integer_value(
			json_object_get(body, "size")));
}

static void tell_spf(
    const struct store_trace *trace, const json_t *facts, struct buf *out)
{
	const json_t *spf = json_object_get(facts, "spf");

	add(out, "  SPF    ", trace->spf_result, "");
	if (slice_empty(trace->spf_result))
		return;
	add(out, " for ", text_of(spf, "domain"), "");
	add(out, " (", text_of(spf, "identity"), ")");
	add(out, ": ", text_of(spf, "problem"), "");
	add(out, "; the domain says: ", text_of(spf, "explanation"), "");
	buf_add_byte(out, '\n');
}

static void tell_dkim(const json_t *facts, struct buf *out)
{
	const json_t *list = json_object_get(facts, "dkim"), *one;
	size_t i;

	if (json_is_array(list) && json_array_size(list) == 0)
		buf_add_text(out, "  DKIM   none: no signature\n");
	json_array_foreach(list, i, one)
	{
		add(out, "  DKIM   ", text_of(one, "result"), "");
		add(out, " for ", text_of(one, "domain"), "");
		add(out, ", selector ", text_of(one, "selector"), "");
		add(out, ", ", text_of(one, "algorithm"), "");
		if (flag_of(one, "body_length_limited"))
			buf_add_text(out, ", over a part of the body only");
		add(out, ": ", text_of(one, "reason"), "");
		buf_add_byte(out, '\n');
	}
}

static void tell_arc(const json_t *facts, struct buf *out)
{
	const json_t *arc = json_object_get(facts, "arc");

	if (slice_empty(text_of(arc, "result")))
		return;
	add(out, "  ARC    ", text_of(arc, "result"), "");
	add(out, ", sealed by ", text_of(arc, "sealer"), "");
	add(out, ": ", text_of(arc, "reason"), "");
	buf_add_byte(out, '\n');
}

static void tell_dmarc(
    const struct store_trace *trace, const json_t *facts, struct buf *out)
{
	const json_t *dmarc = json_object_get(facts, "dmarc");

	if (slice_empty(trace->dmarc_result))
		return;
	add(out, "  DMARC  ", trace->dmarc_result, "");
	add(out, " for ", text_of(dmarc, "from_domain"), "");
	/* No domain: no record, and then no policy either. */
	if (!slice_empty(text_of(dmarc, "policy_domain"))) {
		add(out, "; ", text_of(dmarc, "policy_domain"), "");
		add(out, " asks for ", text_of(dmarc, "applied_policy"), "");
		buf_add_format(out, "; SPF %saligned, DKIM %saligned",
		    flag_of(dmarc, "spf_aligned") ? "" : "not ",
		    flag_of(dmarc, "dkim_aligned") ? "" : "not ");
	}
	add(out, ": ", text_of(dmarc, "problem"), "");
	buf_add_byte(out, '\n');
	add(out, "         overridden: ", text_of(dmarc, "override"), "\n");
}

static void tell_own_domain(
    const struct store_trace *trace, const json_t *facts, struct buf *out)
{
	const json_t *own = json_object_get(facts, "own_domain");

	if (slice_empty(trace->own_domain))
		return;
	add(out, "  Our domain ", trace->own_domain, " is used: ");
	show_text(out, trace->own_domain_result);
	add(out, ": ", text_of(own, "reason"), "");
	buf_add_byte(out, '\n');
}

static void tell_authentication(
    const struct store_trace *trace, const json_t *facts, struct buf *out)
{
	buf_add_text(out, "\nWho it comes from\n");
	tell_spf(trace, facts, out);
	tell_dkim(facts, out);
	tell_arc(facts, out);
	tell_dmarc(trace, facts, out);
	tell_own_domain(trace, facts, out);
}

static void tell_malformed(const json_t *facts, struct buf *out)
{
	const json_t *message = json_object_get(facts, "message");
	const json_t *faults = json_object_get(message, "malformed"), *fault;
	size_t i;

	if (json_array_size(faults) == 0)
		return;
	buf_add_text(out, "\nFaults of its form\n");
	json_array_foreach(faults, i, fault) add(out, "  ",
	    slice_of(json_string_value(fault), json_string_length(fault)),
	    "\n");
}

static void tell_steps(const json_t *facts, struct buf *out)
{
	const json_t *steps = json_object_get(facts, "steps"), *step;
	size_t i;

	if (json_array_size(steps) == 0)
		return;
	buf_add_text(out, "\nWhat was tried\n");
	json_array_foreach(steps, i, step)
	{
		add(out, "  ", text_of(step, "policy"), ": ");
		if (!flag_of(step, "matched")) {
			buf_add_text(out, "did not match");
		} else {
			add(out, "matched, asks to ", text_of(step, "verdict"),
			    "");
			if (!flag_of(step, "enforced"))
				buf_add_text(out, " (not enforced)");
		}
		add(out, ": ", text_of(step, "because"), "");
		buf_add_byte(out, '\n');
	}
}

static void tell_outcome(
    const struct store_trace *trace, const json_t *facts, struct buf *out)
{
	struct slice decided = text_of(facts, "verdict");

	buf_add_text(out, "\nOutcome\n");
	add(out, "  verdict   ", trace->verdict, "");
	add(out, ", by ", trace->policy, "");
	add(out, ": ", text_of(facts, "reason"), "");
	buf_add_byte(out, '\n');
	if (!slice_empty(decided) && !slice_eq(decided, trace->verdict))
		add(out, "  decided   ", decided, ", before the delivery\n");
	add(out, "  reply     ", trace->reply, "\n");
	if (!slice_empty(trace->delivery))
		add(out, "  delivery  ", trace->delivery, "\n");
	else if (slice_eq(trace->verdict, SLICE("accept")))
		buf_add_text(out, "  delivery  not known (yet)\n");
}

void story_tell(const struct store_trace *trace, struct buf *out)
{
	json_t *facts = json_loadb(trace->facts.ptr ? trace->facts.ptr : "",
	    trace->facts.len, 0, NULL);

	tell_head(trace, out);
	tell_client(trace, facts, out);
	tell_envelope(trace, out);
	tell_changes(facts, out);
	tell_authentication(trace, facts, out);
	tell_malformed(facts, out);
	tell_steps(facts, out);
	tell_outcome(trace, facts, out);
	json_decref(facts);
}
