/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/intermediary.h"

#include "auth/authres.h"
#include "dns/name.h"
#include "message/address.h"

/* The domain of an address, or the domain that stands there alone. */
static struct slice domain_of(struct slice value)
{
	return slice_find(value, '@') < value.len ? address_domain(value)
						  : value;
}

static bool is_domain(
    struct arena *arena, struct slice value, struct slice from)
{
	struct slice domain;

	return name_normalize(arena, domain_of(value), &domain, NULL) &&
	       slice_eq(from, domain);
}

/* Without DNS: identical, or one below the other; a name of one label is
 * nobody's organizational domain. */
static bool is_related(
    struct arena *arena, struct slice from, struct slice value)
{
	struct slice domain;

	if (!name_normalize(arena, domain_of(value), &domain, NULL))
		return false;
	if (slice_eq(from, domain))
		return true;
	return (name_is_at_or_below(from, domain) &&
		   name_label_count(domain) > 1) ||
	       (name_is_at_or_below(domain, from) &&
		   name_label_count(from) > 1);
}

/* The properties that hold the domain a passing result speaks of. */
static const struct evidence {
	const char *method, *ptype, *property;
	bool exact;
} evidence_rows[] = {
    {"dmarc", "header", "from", true},
    {"dkim", "header", "d", false},
    {"dkim", "header", "i", false},
    {"spf", "smtp", "mailfrom", false},
};

enum { EVIDENCE_COUNT = sizeof(evidence_rows) / sizeof(evidence_rows[0]) };

/* The domain that passed, if it speaks for from; empty if not. */
static struct slice speaks_for(
    struct arena *arena, const struct authres_result *result, struct slice from)
{
	if (!slice_eq_nocase(result->result, SLICE("pass")))
		return (struct slice){NULL, 0};
	for (size_t i = 0; i < EVIDENCE_COUNT; i++) {
		const struct evidence *row = &evidence_rows[i];
		struct slice value = authres_property(
		    result, row->ptype, row->property);

		if (!slice_eq_nocase(result->method, slice_from(row->method)) ||
		    value.len == 0)
			continue;
		if (row->exact ? is_domain(arena, value, from)
			       : is_related(arena, from, value))
			return domain_of(value);
	}
	return (struct slice){NULL, 0};
}

/* What the hop says itself stands above what we would make of its other
 * results: it knew how strictly the author aligns, and whose domain that is. */
static bool has_failed_for(
    struct arena *arena, const struct authres *authres, struct slice from)
{
	for (size_t i = 0; i < authres->count; i++) {
		const struct authres_result *result = &authres->results[i];

		if (slice_eq_nocase(result->method, SLICE("dmarc")) &&
		    slice_eq_nocase(result->result, SLICE("fail")) &&
		    is_domain(arena, authres_property(result, "header", "from"),
			from))
			return true;
	}
	return false;
}

/* "dkim pass for a.example": what passed for from at that hop; empty if
 * nothing did. */
static struct slice passed_for(
    struct arena *arena, const struct authres *authres, struct slice from)
{
	if (has_failed_for(arena, authres, from))
		return (struct slice){NULL, 0};
	for (size_t i = 0; i < authres->count; i++) {
		const struct authres_result *result = &authres->results[i];
		struct slice domain = speaks_for(arena, result, from);

		if (domain.len)
			return arena_format_slice(arena, "%.*s pass for %.*s",
			    SLICE_ARGS(result->method), SLICE_ARGS(domain));
	}
	return (struct slice){NULL, 0};
}

static bool is_configured_sealer(
    const struct intermediary_input *input, struct slice sealer)
{
	for (size_t i = 0; i < input->count; i++)
		if (input->list[i].arc_sealer.len &&
		    slice_eq_nocase(input->list[i].arc_sealer, sealer))
			return true;
	return false;
}

/* The oldest set from which on all sealers are trusted: its index. */
static size_t first_trusted_set(const struct intermediary_input *input)
{
	size_t first = input->arc->sealer_count;

	while (first > 0 &&
	       is_configured_sealer(input, input->arc->sealers[first - 1]))
		first--;
	return first;
}

/* Is what the sealer's sets say enough, if only the chain passes?  Known
 * without its keys. */
static bool sealer_vouches(struct arena *arena,
    const struct intermediary_input *input,
    const struct conf_intermediary *entry, struct slice *ret_why)
{
	const struct arc_outcome *arc = input->arc;
	struct slice passed = {NULL, 0};
	struct authres authres;
	size_t first;

	*ret_why = arena_format_slice(arena,
	    "sealed by %.*s, but its message signature does not cover every "
	    "From: field",
	    SLICE_ARGS(entry->arc_sealer));
	if (!arc->from_signed)
		return false;
	*ret_why = arena_format_slice(arena,
	    "sealed by %.*s, but a field that it signs is there once more",
	    SLICE_ARGS(entry->arc_sealer));
	if (arc->fields_added)
		return false;
	*ret_why = arena_format_slice(arena,
	    "sealed by %.*s, but its first seal does not say that the sender "
	    "was authenticated",
	    SLICE_ARGS(entry->arc_sealer));
	first = first_trusted_set(input);
	if (first >= arc->sealer_count || input->from_count == 0 ||
	    !authres_parse(arena, arc->results[first], &authres, NULL))
		return false;
	for (size_t i = 0; i < input->from_count; i++) {
		passed = passed_for(arena, &authres, input->from[i]);
		if (passed.len == 0)
			return false;
	}
	*ret_why = arena_format_slice(arena,
	    "ARC chain sealed by %.*s passes, and its first hop saw %.*s",
	    SLICE_ARGS(entry->arc_sealer), SLICE_ARGS(passed));
	return true;
}

static bool is_sealed_by(const struct intermediary_input *input,
    const struct conf_intermediary *entry)
{
	return input->arc &&
	       slice_eq_nocase(input->arc->sealer, entry->arc_sealer);
}

/* True: matched.  Else *ret_why, unless the seal is of somebody else. */
static bool match_sealer(struct arena *arena,
    const struct intermediary_input *input,
    const struct conf_intermediary *entry, struct slice *ret_why)
{
	if (!is_sealed_by(input, entry))
		return false;
	*ret_why = arena_format_slice(arena,
	    "sealed by %.*s, but the ARC chain does not pass",
	    SLICE_ARGS(entry->arc_sealer));
	return input->arc->result == ARC_PASS &&
	       sealer_vouches(arena, input, entry, ret_why);
}

/* "relay.example", or "*.example" for any name below it. */
static bool match_host(struct arena *arena,
    const struct intermediary_input *input,
    const struct conf_intermediary *entry, struct slice *ret_why)
{
	struct slice host = entry->host, name;
	bool matches;

	if (input->client_name.len == 0 ||
	    !name_normalize(arena, input->client_name, &name, NULL))
		return false;
	if (slice_starts(host, SLICE("*.")))
		matches = slice_ends_nocase(name, slice_from_pos(host, 1)) &&
			  name.len > host.len - 1;
	else
		matches = slice_eq_nocase(name, host);
	if (matches)
		*ret_why = arena_format_slice(
		    arena, "relayed by the host %.*s", SLICE_ARGS(name));
	return matches;
}

static bool match_dkim(struct arena *arena,
    const struct intermediary_input *input,
    const struct conf_intermediary *entry, struct slice *ret_why)
{
	for (size_t i = 0; i < input->dkim_count; i++) {
		if (!slice_eq_nocase(input->dkim[i].domain, entry->dkim_domain))
			continue;
		if (input->dkim[i].result == DKIM_PASS) {
			*ret_why = arena_format_slice(arena,
			    "a DKIM signature of %.*s passes",
			    SLICE_ARGS(entry->dkim_domain));
			return true;
		}
		*ret_why = arena_format_slice(arena,
		    "the DKIM signature of %.*s does not pass",
		    SLICE_ARGS(entry->dkim_domain));
	}
	return false;
}

static bool match_network(struct arena *arena,
    const struct intermediary_input *input,
    const struct conf_intermediary *entry, struct slice *ret_why)
{
	char address[IP_TEXT_MAX];

	for (size_t i = 0; i < entry->networks.count; i++) {
		if (!ip_network_contains(
			&entry->networks.items[i], &input->client_ip))
			continue;
		*ret_why = arena_format_slice(arena, "relayed by %s",
		    ip_format(&input->client_ip, address));
		return true;
	}
	return false;
}

static bool match_entry(struct arena *arena,
    const struct intermediary_input *input,
    const struct conf_intermediary *entry, struct slice *ret_why)
{
	if (entry->arc_sealer.len)
		return match_sealer(arena, input, entry, ret_why);
	if (entry->host.len)
		return match_host(arena, input, entry, ret_why);
	if (entry->dkim_domain.len)
		return match_dkim(arena, input, entry, ret_why);
	return input->client_ip.family != IP_NONE &&
	       match_network(arena, input, entry, ret_why);
}

/* Could it match once something temporary is over? */
static bool may_match(struct arena *arena,
    const struct intermediary_input *input,
    const struct conf_intermediary *entry)
{
	struct slice why;

	if (entry->arc_sealer.len)
		return is_sealed_by(input, entry) &&
		       input->arc->result == ARC_TEMPERROR &&
		       sealer_vouches(arena, input, entry, &why);
	if (entry->host.len)
		return input->client_name_unknown;
	if (!entry->dkim_domain.len)
		return false;
	for (size_t i = 0; i < input->dkim_count; i++)
		if (input->dkim[i].result == DKIM_TEMPERROR &&
		    slice_eq_nocase(input->dkim[i].domain, entry->dkim_domain))
			return true;
	return false;
}

struct intermediary_outcome intermediary_find(
    struct arena *arena, const struct intermediary_input *input)
{
	struct intermediary_outcome outcome = {
	    .reason = SLICE_INIT("no trusted intermediary relayed it"),
	};

	for (size_t i = 0; i < input->count; i++) {
		const struct conf_intermediary *entry = &input->list[i];
		struct slice why = {NULL, 0};

		outcome.matched = match_entry(arena, input, entry, &why);
		if (why.len)
			outcome.reason = why;
		if (!outcome.matched) {
			outcome.undecided |= may_match(arena, input, entry);
			continue;
		}
		outcome.undecided = false;
		outcome.entry = entry;
		if (entry->reason.len)
			outcome.reason = arena_format_slice(arena,
			    "%.*s (%.*s)", SLICE_ARGS(why),
			    SLICE_ARGS(entry->reason));
		break;
	}
	return outcome;
}
