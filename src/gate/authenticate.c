/* SPDX-License-Identifier: Apache-2.0 */
/* Runs SPF, DKIM, ARC and DMARC over one message.
 *
 * Queries are started as early as what they need is known, so that they run
 * in parallel: SPF's at MAIL, keys and DMARC records when the header is
 * complete.  Mail of the organization itself is not judged.
 */
#include <string.h>

#include "base/ascii.h"
#include "base/log.h"
#include "base/metrics.h"
#include "dns/name.h"
#include "gate/gate_private.h"
#include "message/address.h"

enum { LABELS_MAX = 127 }; /* of a name: RFC 1035 section 2.3.4 */

static struct spf_request spf_request(const struct gate_message *message)
{
	const struct envelope *envelope = message->envelope;

	return (struct spf_request){
	    .client_ip = envelope->client->ip,
	    .helo = envelope->client->helo,
	    .mail_from = envelope->mail_from,
	    .receiver = message->context->config->hostname,
	    .clock = &message->context->clock,
	};
}

void authenticate_prefetch_spf(struct gate_message *message)
{
	struct spf_request request = spf_request(message);

	if (!message->internal)
		spf_prefetch(message->dns, &request);
}

void authenticate_spf(struct gate_message *message)
{
	struct spf_request request = spf_request(message);

	if (message->spf_done || message->internal)
		return;
	message->spf_done = true;
	message->spf = spf_check_mailfrom(
	    message->arena, message->dns, &request);
	metrics_count(METRIC_SPF_RESULTS,
	    slice_from(spf_result_name(message->spf.result)));
}

/* Nothing is decided by it, so it is asked last: what it costs of the limits
 * of DNS may be missing to nobody. */
static void authenticate_helo(struct gate_message *message)
{
	struct spf_request request = spf_request(message);

	message->spf_helo_done = true;
	message->spf_helo = spf_check_helo(
	    message->arena, message->dns, &request);
}

void authenticate_header(struct gate_message *message)
{
	const struct config *config = message->context->config;
	struct dkim_settings *settings = ARENA_NEW(
	    message->arena, struct dkim_settings);

	if (message->internal)
		return;
	*settings = (struct dkim_settings){
	    .limits = &config->limits,
	    .clock = &message->context->clock,
	    .accept_body_length =
		config->authentication.dkim_accept_body_length,
	    .minimum_rsa_bits =
		(unsigned int)config->authentication.dkim_minimum_rsa_bits,
	    .key_cache = message->context->key_cache,
	};
	/* Before the keys, which may be many: no sender can use up the queries
	 * for his author's policy with signatures. */
	for (size_t i = 0; i < message->from.domain_count; i++)
		dmarc_prefetch(message->dns, message->from.domains[i]);
	message->hashes = body_hashes_new(message->arena);
	message->dkim_verifier = dkim_verifier_new(message->arena, settings,
	    message->dns, &message->headers, message->hashes);
	message->arc_verifier = arc_verifier_new(message->arena, settings,
	    message->dns, &message->headers, message->hashes);
}

static void evaluate_dmarc(struct gate_message *message)
{
	const struct header_from *from = &message->from;

	message->dmarc_count = from->domain_count;
	message->dmarc = ARENA_ARRAY(
	    message->arena, from->domain_count, struct dmarc_outcome);
	for (size_t i = 0; i < from->domain_count; i++) {
		message->dmarc[i] = dmarc_evaluate(message->arena, message->dns,
		    from->domains[i], &message->spf, message->dkim_count,
		    message->dkim);
		metrics_count(METRIC_DMARC_RESULTS,
		    slice_from(dmarc_result_name(message->dmarc[i].result)));
		log_trace(LOG_TOPIC_AUTH, "auth.dmarc",
		    LOG_S("domain", from->domains[i]),
		    LOG_T(
			"result", dmarc_result_name(message->dmarc[i].result)),
		    LOG_S("record", message->dmarc[i].discovery.record),
		    LOG_S("reason", message->dmarc[i].reason));
	}
}

/* The labels that end text and are a name: all of them, or as many as there
 * are behind the last one that no name has. */
static struct slice longest_name(struct arena *arena, struct slice *text)
{
	size_t labels = name_label_count(*text);
	struct slice label, name;

	for (; labels; labels--) {
		/* More cannot be a name, and trying each would take long. */
		if (labels <= LABELS_MAX &&
		    name_normalize(arena, *text, &name, NULL))
			return name;
		slice_split(*text, '.', &label, text);
	}
	return SLICE("");
}

static struct slice printable_lower(struct arena *arena, struct slice text)
{
	char *copy = arena_text(arena, text);

	for (size_t i = 0; i < text.len; i++)
		copy[i] = ascii_is_visible(copy[i]) ? ascii_lower(copy[i])
						    : '?';
	return slice_of(copy, text.len);
}

/* The MAIL FROM domain as domains are compared; empty for the null sender.
 * What is no name keeps its end, for it may be below a domain of ours. */
static struct slice mail_from_domain(
    struct gate_message *message, bool *ret_unusable)
{
	struct slice text = address_domain(message->envelope->mail_from);
	struct slice end = text;
	struct slice name = longest_name(message->arena, &end);

	*ret_unusable = end.len < text.len;
	if (!*ret_unusable)
		return name;
	text.len -= end.len;
	return ARENA_JOIN(
	    message->arena, printable_lower(message->arena, text), name);
}

struct own_domain_outcome authenticate_own_domain(struct gate_message *message)
{
	const struct config *config = message->context->config;
	const struct conf_connector *connector = message->connector;
	bool unusable;
	struct slice mail_from = mail_from_domain(message, &unusable);
	struct own_domain_input input = {
	    .accepted_count = config->accepted_domains.count,
	    .accepted = config->accepted_domains.items,
	    .subdomains = config->accepted_subdomains,
	    .mail_from = mail_from,
	    .mail_from_unusable = unusable,
	    .from_count = message->from.domain_count,
	    .from = message->from.domains,
	    .spf = message->spf_done ? &message->spf : NULL,
	    .dkim_count = message->dkim_count,
	    .dkim = message->dkim,
	    .exempt_count = connector ? connector->may_send_as.count : 0,
	    .exempt = connector ? connector->may_send_as.items : NULL,
	};

	return own_domain_check(message->arena, &input);
}

static const char *failure_word(const struct dns_answer *answer)
{
	if (answer->over_limit)
		return "limit";
	if (answer->security == DNS_BOGUS)
		return "bogus";
	return strcmp(answer->rcode, "TIMEOUT") ? "servfail" : "timeout";
}

void authenticate_count_queries(void *object)
{
	const struct gate_message *message = object;
	const struct dns_query_record *records;
	size_t count = dns_session_queries(message->dns, &records);

	for (size_t i = 0; i < count; i++) {
		metrics_count(METRIC_DNS_QUERIES,
		    slice_from(dns_type_name(records[i].type)));
		if (records[i].answer &&
		    records[i].answer->status == DNS_TEMPORARY_FAILURE)
			metrics_count(METRIC_DNS_FAILURES,
			    slice_from(failure_word(records[i].answer)));
	}
	for (size_t i = dns_session_refused(message->dns); i > 0; i--)
		metrics_count(METRIC_DNS_FAILURES, SLICE("limit"));
}

void authenticate_finish(struct gate_message *message)
{
	if (message->internal)
		return;
	authenticate_spf(message);
	body_hashes_finish(message->hashes);
	message->dkim_count = dkim_verifier_finish(
	    message->dkim_verifier, &message->dkim);
	for (size_t i = 0; i < message->dkim_count; i++)
		metrics_count(METRIC_DKIM_RESULTS,
		    slice_from(dkim_result_name(message->dkim[i].result)));
	if (message->dkim_count == 0)
		metrics_count(METRIC_DKIM_RESULTS,
		    slice_from(dkim_result_name(DKIM_NONE)));
	message->arc = arc_verifier_finish(message->arc_verifier);
	metrics_count(METRIC_ARC_RESULTS,
	    slice_from(arc_result_name(message->arc.result)));
	evaluate_dmarc(message);
	message->own_domain = authenticate_own_domain(message);
	metrics_count(METRIC_OWN_DOMAIN_RESULTS,
	    slice_from(own_domain_result_name(message->own_domain.result)));
	message->dns_exhausted = dns_session_exhausted(message->dns);
	authenticate_helo(message);
}
