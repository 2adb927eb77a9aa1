/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/spf_eval.h"

#include <stdarg.h>
#include <string.h>

#include "auth/spf_record.h"
#include "base/require.h"

/* The record that is being evaluated. */
struct scope {
	struct spf_evaluation *evaluation;
	struct slice domain;
	unsigned int depth;
	bool explaining; /* its queries count against no limit */
};

/* How a term went. */
enum match { MATCH_NO, MATCH_YES, MATCH_TEMPERROR, MATCH_PERMERROR };

static enum ip_family client_family(const struct scope *scope)
{
	return scope->evaluation->values.client_ip.family;
}

static enum dns_type address_type(const struct scope *scope)
{
	return client_family(scope) == IP_V6 ? DNS_AAAA : DNS_A;
}

/* Keeps the first problem; returns match. */
static enum match problem(const struct scope *scope, enum match match,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

static enum match problem(
    const struct scope *scope, enum match match, const char *format, ...)
{
	struct spf_evaluation *evaluation = scope->evaluation;
	char text[ERR_TEXT_MAX];
	va_list args;

	if (!slice_empty(evaluation->problem))
		return match;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	evaluation->problem = arena_format_slice(
	    evaluation->arena, "%.*s: %s", SLICE_ARGS(scope->domain), text);
	return match;
}

static enum match dns_problem(const struct scope *scope, struct slice name,
    enum dns_type type, const struct dns_answer *answer)
{
	return problem(scope, MATCH_TEMPERROR, "DNS query %.*s %s: %s",
	    SLICE_ARGS(name), dns_type_name(type),
	    answer->problem[0] ? answer->problem : answer->rcode);
}

/* Section 4.6.4: at most ten terms that need DNS. */
static bool count_lookup(const struct scope *scope)
{
	if (++scope->evaluation->lookups <= SPF_LOOKUPS_MAX)
		return true;
	problem(scope, MATCH_PERMERROR, "more than %d terms need DNS queries",
	    SPF_LOOKUPS_MAX);
	return false;
}

/* Section 4.6.4: at most two terms whose queries find nothing. */
static enum match count_void(const struct scope *scope)
{
	if (++scope->evaluation->void_lookups <= SPF_VOID_LOOKUPS_MAX)
		return MATCH_NO;
	return problem(scope, MATCH_PERMERROR,
	    "more than %d terms have DNS queries that find nothing",
	    SPF_VOID_LOOKUPS_MAX);
}

static bool found_nothing(const struct dns_answer *answer)
{
	return answer->status == DNS_NODATA || answer->status == DNS_NXDOMAIN;
}

/* The p macro.  Section 4.6.4 counts its PTR query, once. */
static struct slice validated_name(void *context)
{
	struct scope *scope = context;
	struct spf_evaluation *evaluation = scope->evaluation;
	const struct ip *client = &evaluation->values.client_ip;

	if (!evaluation->ptr.asked && !scope->explaining &&
	    !count_lookup(scope))
		return SLICE("unknown");
	spf_ptr_ask(
	    &evaluation->ptr, evaluation->arena, evaluation->dns, client);
	return spf_ptr_best_name(
	    &evaluation->ptr, evaluation->dns, client, scope->domain);
}

static struct spf_macro_values macro_values(struct scope *scope)
{
	struct spf_macro_values values = scope->evaluation->values;

	values.domain = scope->domain;
	values.validated_name = validated_name;
	values.context = scope;
	return values;
}

static bool matches_nothing(const struct scope *scope, struct slice spec)
{
	return spf_macro_matches_nothing(spec, &scope->evaluation->values);
}

/* The target-name of section 4.8: MATCH_YES and *ret_name; MATCH_NO if it is
 * no name that could be asked for; or the error of a p macro. */
static enum match target_name(
    struct scope *scope, struct slice spec, struct slice *ret_name)
{
	struct spf_macro_values values = macro_values(scope);
	bool usable;

	if (slice_empty(spec)) {
		*ret_name = scope->domain;
		return MATCH_YES;
	}
	usable = spf_macro_expand_domain(
	    scope->evaluation->arena, spec, &values, ret_name);
	if (scope->evaluation->lookups > SPF_LOOKUPS_MAX)
		return MATCH_PERMERROR;
	return usable ? MATCH_YES : MATCH_NO;
}

/* Does one of the addresses suit, under the term's prefix lengths? */
static bool has_client(const struct scope *scope, const struct spf_term *term,
    const struct dns_answer *answer)
{
	bool is_v6 = client_family(scope) == IP_V6;
	size_t size = is_v6 ? 16 : 4;
	struct ip_network network = {
	    .address.family = client_family(scope),
	    .prefix = is_v6 ? term->prefix6 : term->prefix4,
	};

	for (size_t i = 0; i < answer->count; i++) {
		if (answer->records[i].data.len != size)
			continue;
		memcpy(
		    network.address.bytes, answer->records[i].data.ptr, size);
		if (ip_network_contains(
			&network, &scope->evaluation->values.client_ip))
			return true;
	}
	return false;
}

static enum match match_all(struct scope *scope, const struct spf_term *term)
{
	(void)scope;
	(void)term;
	return MATCH_YES;
}

/* Section 5.6. */
static enum match match_network(
    struct scope *scope, const struct spf_term *term)
{
	return ip_network_contains(
		   &term->network, &scope->evaluation->values.client_ip)
		   ? MATCH_YES
		   : MATCH_NO;
}

/* Section 5.3. */
static enum match match_a(struct scope *scope, const struct spf_term *term)
{
	enum dns_type type = address_type(scope);
	const struct dns_answer *answer;
	struct slice name;
	enum match match = target_name(scope, term->domain, &name);

	if (match != MATCH_YES)
		return match;
	answer = dns_ask(scope->evaluation->dns, name, type);
	if (answer->status == DNS_TEMPORARY_FAILURE)
		return dns_problem(scope, name, type, answer);
	if (found_nothing(answer))
		return count_void(scope);
	return has_client(scope, term, answer) ? MATCH_YES : MATCH_NO;
}

/* The addresses of the exchanges, in the order of the answer.
 *
 * The term is what finds nothing, not each of its exchanges: a host with IPv4
 * addresses only is no fault when an IPv6 client comes.  A host that does not
 * exist is one, whatever comes; else one live host would hide any number of
 * queries for made-up names below somebody else's (section 11.1). */
static enum match match_exchanges(struct scope *scope,
    const struct spf_term *term, const struct dns_answer *exchanges)
{
	struct dns_session *dns = scope->evaluation->dns;
	enum dns_type type = address_type(scope);
	bool any_address = false, any_missing = false;

	for (size_t i = 0; i < exchanges->count; i++)
		if (!slice_empty(exchanges->records[i].data))
			dns_prefetch(dns, exchanges->records[i].data, type);
	for (size_t i = 0; i < exchanges->count; i++) {
		struct slice name = exchanges->records[i].data;
		const struct dns_answer *answer;

		if (slice_empty(name)) /* RFC 7505: the null MX */
			continue;
		answer = dns_ask(dns, name, type);
		if (answer->status == DNS_TEMPORARY_FAILURE)
			return dns_problem(scope, name, type, answer);
		any_address = any_address || answer->status == DNS_FOUND;
		any_missing = any_missing || answer->status == DNS_NXDOMAIN;
		if (has_client(scope, term, answer))
			return MATCH_YES;
	}
	return any_address && !any_missing ? MATCH_NO : count_void(scope);
}

/* Section 5.4. */
static enum match match_mx(struct scope *scope, const struct spf_term *term)
{
	const struct dns_answer *answer;
	struct slice name;
	enum match match = target_name(scope, term->domain, &name);

	if (match != MATCH_YES)
		return match;
	answer = dns_ask(scope->evaluation->dns, name, DNS_MX);
	if (answer->status == DNS_TEMPORARY_FAILURE)
		return dns_problem(scope, name, DNS_MX, answer);
	if (found_nothing(answer))
		return count_void(scope);
	/* Told before any address is asked for, so that the result does not
	 * depend on the order of the records. */
	if (answer->count > SPF_NAMES_MAX)
		return problem(scope, MATCH_PERMERROR,
		    "%.*s has more than %d MX records", SLICE_ARGS(name),
		    SPF_NAMES_MAX);
	return match_exchanges(scope, term, answer);
}

/* Section 5.5. */
static enum match match_ptr(struct scope *scope, const struct spf_term *term)
{
	struct spf_evaluation *evaluation = scope->evaluation;
	const struct ip *client = &evaluation->values.client_ip;
	struct slice name;
	enum match match = target_name(scope, term->domain, &name);

	if (match != MATCH_YES)
		return match;
	spf_ptr_ask(
	    &evaluation->ptr, evaluation->arena, evaluation->dns, client);
	if (evaluation->ptr.found_nothing)
		return count_void(scope);
	return spf_ptr_matches(&evaluation->ptr, evaluation->dns, client, name)
		   ? MATCH_YES
		   : MATCH_NO;
}

/* Section 5.7: an A record of any kind, whatever the client's family. */
static enum match match_exists(struct scope *scope, const struct spf_term *term)
{
	const struct dns_answer *answer;
	struct slice name;
	enum match match = target_name(scope, term->domain, &name);

	if (match != MATCH_YES)
		return match;
	answer = dns_ask(scope->evaluation->dns, name, DNS_A);
	if (answer->status == DNS_TEMPORARY_FAILURE)
		return dns_problem(scope, name, DNS_A, answer);
	return found_nothing(answer) ? count_void(scope) : MATCH_YES;
}

/* A valid domain of section 4.3, of a target-name. */
static bool is_record_domain(struct slice name)
{
	return slice_find(name, '.') < name.len;
}

/* Section 5.2, the table of results. */
static enum match match_include(
    struct scope *scope, const struct spf_term *term)
{
	static const enum match matches[] = {
	    [SPF_NONE] = MATCH_PERMERROR,
	    [SPF_NEUTRAL] = MATCH_NO,
	    [SPF_PASS] = MATCH_YES,
	    [SPF_FAIL] = MATCH_NO,
	    [SPF_SOFTFAIL] = MATCH_NO,
	    [SPF_TEMPERROR] = MATCH_TEMPERROR,
	    [SPF_PERMERROR] = MATCH_PERMERROR,
	};
	struct slice name;
	enum match match = target_name(scope, term->domain, &name);
	struct spf_check check = {.result = SPF_NONE};

	if (match == MATCH_PERMERROR)
		return match;
	if (match == MATCH_YES && is_record_domain(name))
		check = spf_evaluate(scope->evaluation, name, scope->depth + 1);
	if (check.result == SPF_NONE)
		problem(scope, MATCH_PERMERROR, "%.*s has no SPF record",
		    SLICE_ARGS(term->text));
	return matches[check.result];
}

struct mechanism {
	bool needs_dns;
	enum match (*match)(struct scope *scope, const struct spf_term *term);
};

static const struct mechanism mechanisms[] = {
    [SPF_ALL] = {false, match_all},
    [SPF_INCLUDE] = {true, match_include},
    [SPF_A] = {true, match_a},
    [SPF_MX] = {true, match_mx},
    [SPF_PTR] = {true, match_ptr},
    [SPF_IP4] = {false, match_network},
    [SPF_IP6] = {false, match_network},
    [SPF_EXISTS] = {true, match_exists},
};

/* Starts the queries of a term whose name needs no macro. */
static void prefetch_term(struct scope *scope, const struct spf_term *term)
{
	static const enum dns_type types[] = {
	    [SPF_INCLUDE] = DNS_TXT,
	    [SPF_MX] = DNS_MX,
	    [SPF_EXISTS] = DNS_A,
	};
	struct slice name = slice_empty(term->domain) ? scope->domain
						      : term->domain;
	enum dns_type type = term->mechanism == SPF_A ? address_type(scope)
						      : types[term->mechanism];

	if (slice_find(name, '%') < name.len)
		return;
	if (name.ptr[name.len - 1] == '.')
		name.len--;
	scope->evaluation->prefetched++;
	dns_prefetch(scope->evaluation->dns, name, type);
}

/* Terms are evaluated from left to right, but their queries can run in
 * parallel: up to the term that matches without any, and never more in all
 * than the limit allows to evaluate. */
static void prefetch_terms(struct scope *scope, const struct spf_record *record)
{
	const struct spf_evaluation *evaluation = scope->evaluation;

	for (size_t i = 0; i < record->count; i++) {
		const struct spf_term *term = &record->terms[i];

		if (evaluation->prefetched + evaluation->lookups >=
		    SPF_LOOKUPS_MAX)
			return;
		if (term->mechanism == SPF_PTR)
			continue;
		if (mechanisms[term->mechanism].needs_dns)
			prefetch_term(scope, term);
		else if (mechanisms[term->mechanism].match(scope, term) ==
			 MATCH_YES)
			return;
	}
}

/* The one SPF record of the domain (sections 4.4 and 4.5).  SPF_PASS: it is in
 * *ret. */
static enum spf_result find_record(struct scope *scope, struct slice *ret)
{
	const struct dns_answer *answer = dns_ask(
	    scope->evaluation->dns, scope->domain, DNS_TXT);
	enum spf_result result = SPF_NONE;

	if (answer->status == DNS_TEMPORARY_FAILURE) {
		dns_problem(scope, scope->domain, DNS_TXT, answer);
		return SPF_TEMPERROR;
	}
	for (size_t i = 0; i < answer->count; i++) {
		if (!spf_record_is_spf(answer->records[i].data))
			continue;
		if (result == SPF_PASS) {
			problem(
			    scope, MATCH_PERMERROR, "more than one SPF record");
			return SPF_PERMERROR;
		}
		*ret = answer->records[i].data;
		result = SPF_PASS;
	}
	return result;
}

/* Section 6.1: no record there is an error of the record that points there.
 * A target that matches nothing is no fault of the record, and leaves it as if
 * nothing had matched (section 4.7). */
static struct spf_check redirect(struct scope *scope, struct slice spec)
{
	struct spf_check check = {.result = SPF_PERMERROR};
	struct slice name;
	enum match match;

	if (!count_lookup(scope))
		return check;
	if (matches_nothing(scope, spec))
		return (struct spf_check){.result = SPF_NEUTRAL};
	match = target_name(scope, spec, &name);
	if (match == MATCH_PERMERROR)
		return check;
	if (match == MATCH_YES && is_record_domain(name)) {
		check = spf_evaluate(scope->evaluation, name, scope->depth + 1);
		if (check.result != SPF_NONE)
			return check;
	}
	problem(scope, MATCH_PERMERROR, "redirect=%.*s has no SPF record",
	    SLICE_ARGS(spec));
	return (struct spf_check){.result = SPF_PERMERROR};
}

/* An include leaves it to the record that it names.  A network of half the
 * world, twice, is "all" in other words. */
static bool suits_everybody(
    const struct scope *scope, const struct spf_term *term)
{
	enum { WIDE4 = 8, WIDE6 = 16 };
	bool is_v6 = client_family(scope) == IP_V6;

	switch (term->mechanism) {
	case SPF_ALL: return true;
	case SPF_IP4: return term->network.prefix < WIDE4;
	case SPF_IP6: return term->network.prefix < WIDE6;
	case SPF_A:
	case SPF_MX:
		return is_v6 ? term->prefix6 < WIDE6 : term->prefix4 < WIDE4;
	case SPF_INCLUDE: return scope->evaluation->everybody;
	default: return false;
	}
}

static enum match match_term(struct scope *scope, const struct spf_term *term)
{
	const struct mechanism *mechanism = &mechanisms[term->mechanism];

	if (mechanism->needs_dns && !count_lookup(scope))
		return MATCH_PERMERROR;
	if (matches_nothing(scope, term->domain))
		return MATCH_NO;
	return mechanism->match(scope, term);
}

/* Sections 4.6.2, 4.6.3 and 4.7. */
static struct spf_check evaluate_record(
    struct scope *scope, const struct spf_record *record)
{
	for (size_t i = 0; i < record->count; i++) {
		const struct spf_term *term = &record->terms[i];

		switch (match_term(scope, term)) {
		case MATCH_NO: break;
		case MATCH_YES:
			scope->evaluation->everybody = suits_everybody(
			    scope, term);
			return (struct spf_check){
			    .result = term->qualifier,
			    .mechanism = term->text,
			    .domain = scope->domain,
			    .explanation = record->explanation,
			};
		case MATCH_TEMPERROR:
			return (struct spf_check){.result = SPF_TEMPERROR};
		case MATCH_PERMERROR:
			return (struct spf_check){.result = SPF_PERMERROR};
		}
	}
	if (!slice_empty(record->redirect))
		return redirect(scope, record->redirect);
	return (struct spf_check){.result = SPF_NEUTRAL};
}

struct spf_check spf_evaluate(
    struct spf_evaluation *evaluation, struct slice domain, unsigned int depth)
{
	struct scope scope = {evaluation, domain, depth, false};
	struct spf_record record;
	struct slice text;
	enum spf_result found;
	struct err err;

	/* Each include and each redirect is counted before it comes here. */
	require(depth <= SPF_LOOKUPS_MAX);
	found = find_record(&scope, &text);
	if (found != SPF_PASS)
		return (struct spf_check){.result = found};
	if (!spf_record_parse(evaluation->arena, text, &record, &err)) {
		problem(&scope, MATCH_PERMERROR, "%s", err.text);
		return (struct spf_check){.result = SPF_PERMERROR};
	}
	prefetch_terms(&scope, &record);
	return evaluate_record(&scope, &record);
}

/* Section 6.2: any trouble with it, and there is no explanation. */
struct slice spf_explain(
    struct spf_evaluation *evaluation, const struct spf_check *check)
{
	struct scope scope = {evaluation, check->domain, 0, true};
	const struct slice none = {NULL, 0};
	struct spf_macro_values values = macro_values(&scope);
	const struct dns_answer *answer;
	struct slice name, text;

	if (slice_empty(check->explanation) ||
	    !spf_macro_expand_domain(
		evaluation->arena, check->explanation, &values, &name))
		return none;
	answer = dns_ask(evaluation->dns, name, DNS_TXT);
	if (answer->status != DNS_FOUND || answer->count != 1 ||
	    !spf_macro_expand_text(evaluation->arena, answer->records[0].data,
		&values, &text, NULL))
		return none;
	return text;
}
