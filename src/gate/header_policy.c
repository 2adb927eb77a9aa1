/* SPDX-License-Identifier: Apache-2.0 */
/* What is taken out of a header and put on top of it.
 *
 * Out, from outside mail: Authentication-Results that claim to be of a host of
 * ours (RFC 8601 section 5), and the fields by which Exchange systems trust
 * each other (its header firewall).  In: our Authentication-Results, the loop
 * mark, and on request Received-SPF and Exchange's style of results.
 */
#include "dns/name.h"
#include "gate/gate_private.h"

static const struct slice loop_field = SLICE_INIT("X-Gatehouse-Loop");

/* Names, or beginnings of names, that only a trusted system may send. */
static const struct slice trust_prefixes[] = {
    SLICE_INIT("X-MS-Exchange-Organization-"),
    SLICE_INIT("X-MS-Exchange-Forest-"),
    SLICE_INIT("X-MS-Exchange-CrossTenant-"),
    SLICE_INIT("X-MS-Exchange-CrossPremises-"),
    SLICE_INIT("X-MS-Exchange-AntiSpam-"),
    SLICE_INIT("X-MS-Exchange-SkipListedInternetSender"),
    SLICE_INIT("X-MS-Exchange-ExternalOriginalInternetSender"),
    SLICE_INIT("X-Forefront-Antispam-Report"),
    SLICE_INIT("X-Forefront-PRVS"),
    SLICE_INIT("X-Microsoft-Antispam"),
    SLICE_INIT("X-CustomSpam"),
    SLICE_INIT("X-Gatehouse-"),
};

/* Nobody trusts what it says, and Exchange Online's ARC-Message-Signatures
 * cover it: without it, the seal of whoever forwards from there is broken. */
static const struct slice sealed_prefix = SLICE_INIT(
    "X-MS-Exchange-AntiSpam-MessageData-");

static struct slice authserv_id(const struct gate_message *message)
{
	const struct config *config = message->context->config;

	return config->authserv_id.len ? config->authserv_id : config->hostname;
}

size_t header_policy_loop_count(const struct gate_message *message)
{
	const struct config *config = message->context->config;
	struct header_positions marks = headers_named(
	    &message->headers, loop_field);
	size_t passes = 0;

	for (size_t i = 0; i < marks.count; i++)
		passes += slice_eq_nocase(
		    slice_trim(message->headers.fields[marks.items[i]].value),
		    config->hostname);
	return passes;
}

static bool is_trust_field(struct slice name)
{
	if (slice_eq_nocase(name, loop_field) ||
	    slice_starts_nocase(name, sealed_prefix))
		return false;
	for (size_t i = 0;
	     i < sizeof(trust_prefixes) / sizeof(trust_prefixes[0]); i++)
		if (slice_starts_nocase(name, trust_prefixes[i]))
			return true;
	return false;
}

/* The accepted domain that this host is in: our other gateways are, too.  Empty
 * if it is in none. */
static struct slice own_hosts(const struct gate_message *message)
{
	const struct config *config = message->context->config;
	struct slice domain = {NULL, 0};

	for (size_t i = 0; i < config->accepted_domains.count; i++) {
		struct slice accepted = config->accepted_domains.items[i];

		if (accepted.len > domain.len &&
		    (name_is_at_or_below(config->hostname, accepted) ||
			name_is_at_or_below(authserv_id(message), accepted)))
			domain = accepted;
	}
	return domain;
}

static bool is_forged_result(struct gate_message *message, struct slice name,
    struct slice value, struct slice domain)
{
	if (!slice_eq_nocase(name, SLICE("Authentication-Results")))
		return false;
	/* Without an authserv-id it speaks for whoever stands before the
	 * reader: for us. */
	return authres_is_anonymous(value) ||
	       authres_claims(
		   message->arena, value, authserv_id(message), domain);
}

static void remove_untrusted(struct gate_message *message)
{
	struct slice domain = own_hosts(message);

	for (size_t i = 0; i < message->headers.count; i++) {
		const struct header_field *field = &message->headers.fields[i];

		struct slice name = headers_lenient_name(message->arena, field);

		if (is_trust_field(name) ||
		    is_forged_result(message, name, field->value, domain))
			edit_remove(
			    message->arena, &message->decision.edits, i);
	}
}

static void add(
    struct gate_message *message, const char *name, struct slice value)
{
	edit_add_on_top(message->arena, &message->decision.edits,
	    ARENA_JOIN(message->arena, slice_from(name), SLICE(": "), value));
}

static struct slice disposition(const struct gate_message *message)
{
	switch (message->decision.verdict) {
	case VERDICT_REJECT: return SLICE("reject");
	case VERDICT_QUARANTINE: return SLICE("quarantine");
	default:
		return message->marked_as_junk ? SLICE("quarantine")
					       : SLICE("none");
	}
}

static void add_results(struct gate_message *message)
{
	const struct conf_authentication *settings =
	    &message->context->config->authentication;
	/* For the null sender both are one (RFC 7208 section 2.4). */
	bool has_helo = message->spf_helo_done &&
			message->spf.identity != SPF_IDENTITY_HELO;
	struct authres_input input = {
	    .authserv_id = authserv_id(message),
	    .smtputf8 = message->envelope->smtputf8,
	    .client_ip = message->envelope->client->ip,
	    .mail_from = message->envelope->mail_from,
	    .helo = message->envelope->client->helo,
	    .spf_mailfrom = message->spf_done ? &message->spf : NULL,
	    .spf_helo = has_helo ? &message->spf_helo : NULL,
	    .dkim_checked = message->dkim_verifier != NULL,
	    .dkim_count = message->dkim_count,
	    .dkim = message->dkim,
	    .arc = message->arc_verifier ? &message->arc : NULL,
	    .dmarc_count = message->dmarc_count,
	    .dmarc = message->dmarc,
	    .disposition = disposition(message),
	    .override = message->override.reason,
	    .own_domain = &message->own_domain,
	};

	if (settings->exchange_style_results)
		add(message, "Authentication-Results",
		    authres_exchange_style(message->arena, &input));
	message->authentication_results = authres_write(message->arena, &input);
	if (settings->received_spf) {
		struct spf_request request = {
		    .client_ip = message->envelope->client->ip,
		    .helo = message->envelope->client->helo,
		    .mail_from = message->envelope->mail_from,
		    .receiver = message->context->config->hostname,
		};

		edit_add_on_top(message->arena, &message->decision.edits,
		    spf_received_field(
			message->arena, &request, &message->spf));
	}
	add(message, "Authentication-Results", message->authentication_results);
}

void header_policy_apply(struct gate_message *message)
{
	/* It would become a part of what is put on top of it. */
	if (faults_has(message->faults, FAULT_HEADER_STARTS_FOLDED))
		edit_remove(message->arena, &message->decision.edits, 0);
	add(message, "X-Gatehouse-Loop", message->context->config->hostname);
	if (message->internal)
		return;
	remove_untrusted(message);
	add_results(message);
}
