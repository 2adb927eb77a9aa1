/* SPDX-License-Identifier: Apache-2.0 */
/* What follows from the results of authentication. */
#include "conf/fields.h"

static const char *const temporary[] = {
    [TEMPORARY_DEFER] = "defer", [TEMPORARY_ACCEPT] = "accept", NULL};

static const char *const quarantine_actions[] = {
    [QUARANTINE_ACTION_QUARANTINE] = "quarantine",
    [QUARANTINE_ACTION_JUNK_HEADER] = "junk_header",
    NULL};

static const char *const modes[] = {[MODE_OFF] = "off",
    [MODE_REPORT] = "report",
    [MODE_ENFORCE] = "enforce",
    NULL};

#define OFFSET(member) offsetof(struct conf_authentication, member)

static const struct field dmarc_fields[] = {
    {.name = "enforce",
	.type = TYPE_BOOLEAN,
	.fallback = "true",
	.offset = OFFSET(dmarc_enforce),
	.help = "Do what the policy of the domain says; false only reports.",
	.example = "true"},
    {.name = "on_temporary_error",
	.type = TYPE_CHOICE,
	.choices = temporary,
	.fallback = "defer",
	.offset = OFFSET(dmarc_on_temporary_error),
	.help = "What happens when DNS fails and the DMARC policy of the "
		"author's domain cannot be found out: the sender tries again, "
		"or the message passes. Where the policy is known, but not "
		"whether SPF or DKIM passes, the sender tries again in any "
		"case; so it does when the message uses up limits.dns_queries "
		"or limits.dns_time.",
	.example = "defer"},
    {.name = "quarantine_action",
	.type = TYPE_CHOICE,
	.choices = quarantine_actions,
	.fallback = "quarantine",
	.offset = OFFSET(dmarc_quarantine_action),
	.help = "What p=quarantine leads to: our quarantine, or a header that "
		"the next hop files as junk.",
	.example = "junk_header"},
    {.name = "junk_header",
	.type = TYPE_HEADER,
	.fallback = "X-Spam-Flag: YES",
	.offset = OFFSET(dmarc_junk_header),
	.help = "The header field for quarantine_action: junk_header; none "
		"that a message has itself.",
	.example = "\"X-Spam-Flag: YES\""},
};

static const struct table dmarc = TABLE_OF(
    dmarc_fields, struct conf_authentication);

static const struct field dkim_fields[] = {
    {.name = "accept_body_length",
	.type = TYPE_BOOLEAN,
	.fallback = "false",
	.offset = OFFSET(dkim_accept_body_length),
	.help = "Let a signature pass although its l= leaves a part of the "
		"body unsigned.",
	.example = "false"},
    {.name = "minimum_rsa_bits",
	.type = TYPE_NUMBER,
	.fallback = "1024",
	.min = 1024,
	.max = 4096,
	.offset = OFFSET(dkim_minimum_rsa_bits),
	.help = "Shorter RSA keys do not verify (RFC 8301 section 3.2).",
	.example = "2048"},
};

static const struct table dkim = TABLE_OF(
    dkim_fields, struct conf_authentication);

static const struct field intermediary_fields[] = {
    {.name = "arc_sealer",
	.type = TYPE_DOMAIN,
	.offset = offsetof(struct conf_intermediary, arc_sealer),
	.help = "The domain of the newest ARC seal, if the chain is valid.",
	.example = "lists.example"},
    {.name = "host",
	.type = TYPE_DOMAIN,
	.forms = DOMAIN_WILDCARD,
	.offset = offsetof(struct conf_intermediary, host),
	.help = "The name of the client, verified in both directions.",
	.example = "list.partner.example"},
    {.name = "dkim_domain",
	.type = TYPE_DOMAIN,
	.offset = offsetof(struct conf_intermediary, dkim_domain),
	.help = "The domain of a DKIM signature that passes.",
	.example = "lists.example"},
    {.name = "networks",
	.type = TYPE_NETWORK,
	.list = true,
	.offset = offsetof(struct conf_intermediary, networks),
	.help = "The addresses of the client.",
	.example = "[192.0.2.25]"},
    {.name = "reason",
	.type = TYPE_TEXT,
	.offset = offsetof(struct conf_intermediary, reason),
	.help = "Why it is trusted; traces and reports show it.",
	.example = "mailing list of the partner agency"},
};

static const struct table intermediary = TABLE_OF(
    intermediary_fields, struct conf_intermediary);

static const struct field authentication_fields[] = {
    {.name = "dmarc",
	.type = TYPE_TABLE,
	.table = &dmarc,
	.help = "DMARC (RFC 7489, RFC 9989)."},
    {.name = "own_domains",
	.type = TYPE_CHOICE,
	.choices = modes,
	.fallback = "enforce",
	.offset = OFFSET(own_domains),
	.help = "Mail from outside that uses an accepted domain without "
		"being authenticated.  A pass of SPF by +all or by a network "
		"wider than IPv4 /8 or IPv6 /16 authenticates nobody.",
	.example = "report"},
    {.name = "malformed",
	.type = TYPE_CHOICE,
	.choices = modes,
	.fallback = "enforce",
	.offset = OFFSET(malformed),
	.help = "Messages without a clear From: field or with other faults "
		"that hide who sent them.  Unless enforce, they may pass: "
		"DMARC and own_domains then judge the addresses that can be "
		"read, and see no author where none can be.",
	.example = "report"},
    {.name = "trusted_intermediaries",
	.type = TYPE_TABLES,
	.table = &intermediary,
	.offset = OFFSET(intermediaries),
	.count_offset = OFFSET(intermediary_count),
	.help = "Lists and forwarders that explain a DMARC failure; each has "
		"one of arc_sealer, host, dkim_domain or networks."},
    {.name = "exchange_style_results",
	.type = TYPE_BOOLEAN,
	.fallback = "false",
	.offset = OFFSET(exchange_style_results),
	.help = "Write Authentication-Results in the manner of Exchange "
		"Online.",
	.example = "true"},
    {.name = "received_spf",
	.type = TYPE_BOOLEAN,
	.fallback = "false",
	.offset = OFFSET(received_spf),
	.help = "Add a Received-SPF field too (RFC 7208 section 9.1).",
	.example = "true"},
    {.name = "dkim",
	.type = TYPE_TABLE,
	.table = &dkim,
	.help = "Which DKIM signatures count."},
};

const struct table table_authentication = TABLE_OF(
    authentication_fields, struct conf_authentication);
