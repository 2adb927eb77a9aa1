/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/spf_record.h"

#include <arpa/inet.h>
#include <string.h>

#include "auth/spf_macro.h"
#include "base/ascii.h"
#include "base/require.h"

enum { SHOWN_MAX = 64, IP4_BITS = 32, IP6_BITS = 128 };

/* What may follow the name of a mechanism. */
enum argument {
	ARGUMENT_NONE,
	ARGUMENT_DOMAIN,
	ARGUMENT_OPTIONAL_DOMAIN,
	ARGUMENT_OPTIONAL_DOMAIN_PREFIXES,
	ARGUMENT_IP4,
	ARGUMENT_IP6,
};

struct mechanism_spec {
	struct slice name;
	enum spf_mechanism mechanism;
	enum argument argument;
};

static const struct mechanism_spec mechanisms[] = {
    {SLICE_INIT("all"), SPF_ALL, ARGUMENT_NONE},
    {SLICE_INIT("include"), SPF_INCLUDE, ARGUMENT_DOMAIN},
    {SLICE_INIT("a"), SPF_A, ARGUMENT_OPTIONAL_DOMAIN_PREFIXES},
    {SLICE_INIT("mx"), SPF_MX, ARGUMENT_OPTIONAL_DOMAIN_PREFIXES},
    {SLICE_INIT("ptr"), SPF_PTR, ARGUMENT_OPTIONAL_DOMAIN},
    {SLICE_INIT("ip4"), SPF_IP4, ARGUMENT_IP4},
    {SLICE_INIT("ip6"), SPF_IP6, ARGUMENT_IP6},
    {SLICE_INIT("exists"), SPF_EXISTS, ARGUMENT_DOMAIN},
};

static const struct slice version = SLICE_INIT("v=spf1");

bool spf_record_is_spf(struct slice text)
{
	return slice_starts_nocase(text, version) &&
	       (text.len == version.len || text.ptr[version.len] == ' ');
}

static bool is_name_byte(char c)
{
	return ascii_is_alnum(c) || c == '-' || c == '_' || c == '.';
}

/* name = ALPHA *( ALPHA / DIGIT / "-" / "_" / "." ): its length, or 0. */
static size_t name_length(struct slice text)
{
	size_t len = 0;

	if (slice_empty(text) || !ascii_is_alpha(text.ptr[0]))
		return 0;
	while (len < text.len && is_name_byte(text.ptr[len]))
		len++;
	return len;
}

/* The number after a "/": no leading zeros (sections 5.3, 5.6). */
static bool parse_prefix(
    struct slice text, unsigned int bits, unsigned int *ret, struct err *err)
{
	uint64_t number;

	if (!slice_to_u64(text, bits, &number) ||
	    (text.len > 1 && text.ptr[0] == '0'))
		return err_set(err, E_SYNTAX,
		    "the prefix length is not a number from 0 to %u", bits);
	*ret = (unsigned int)number;
	return true;
}

/* Takes "/" and digits off the end of *text: the digits, or an empty slice
 * if the text does not end so. */
static struct slice take_digits(struct slice *text)
{
	size_t start = text->len;
	struct slice digits;

	while (start > 0 && ascii_is_digit(text->ptr[start - 1]))
		start--;
	if (start == text->len || start == 0 || text->ptr[start - 1] != '/')
		return (struct slice){NULL, 0};
	digits = slice_from_pos(*text, start);
	text->len = start - 1;
	return digits;
}

/* dual-cidr-length = [ ip4-cidr-length ] [ "/" ip6-cidr-length ], taken off
 * the end: a domain-spec may itself have slashes. */
static bool take_prefixes(
    struct slice *text, struct spf_term *term, struct err *err)
{
	struct slice digits = take_digits(text);

	term->prefix4 = IP4_BITS;
	term->prefix6 = IP6_BITS;
	if (digits.len && text->len && text->ptr[text->len - 1] == '/') {
		text->len--;
		if (!parse_prefix(digits, IP6_BITS, &term->prefix6, err))
			return false;
		digits = take_digits(text);
	}
	return slice_empty(digits) ||
	       parse_prefix(digits, IP4_BITS, &term->prefix4, err);
}

static bool parse_network(struct slice text, enum ip_family family,
    struct ip_network *ret, struct err *err)
{
	unsigned int bits = family == IP_V4 ? IP4_BITS : IP6_BITS;
	struct ip_network network = {.address.family = family, .prefix = bits};
	struct slice address, prefix;
	bool has_prefix = slice_split(text, '/', &address, &prefix);
	char copy[IP_TEXT_MAX];

	/* Not ip_parse: an IPv4-mapped address stays an IPv6 one here, and so
	 * matches no client (section 5: such a client counts as IPv4). */
	if (address.len == 0 || address.len >= sizeof(copy))
		return err_set(err, E_SYNTAX, "not an IP address");
	memcpy(copy, address.ptr, address.len);
	copy[address.len] = '\0';
	if (inet_pton(family == IP_V4 ? AF_INET : AF_INET6, copy,
		network.address.bytes) != 1)
		return err_set(err, E_SYNTAX, "not an IPv%d address",
		    family == IP_V4 ? 4 : 6);
	if (has_prefix && !parse_prefix(prefix, bits, &network.prefix, err))
		return false;
	*ret = network;
	return true;
}

static bool parse_domain(
    struct slice text, bool optional, struct spf_term *term, struct err *err)
{
	if (slice_empty(text) && optional)
		return true;
	if (slice_empty(text) || text.ptr[0] != ':')
		return err_set(err, E_SYNTAX, "a domain is missing");
	term->domain = slice_from_pos(text, 1);
	return spf_macro_check_domain(term->domain, err);
}

/* text: what follows the name. */
static bool parse_argument(struct slice text, enum argument argument,
    struct spf_term *term, struct err *err)
{
	switch (argument) {
	case ARGUMENT_NONE:
		return slice_empty(text) ||
		       err_set(err, E_SYNTAX, "takes no argument");
	case ARGUMENT_OPTIONAL_DOMAIN_PREFIXES:
		return take_prefixes(&text, term, err) &&
		       parse_domain(text, true, term, err);
	case ARGUMENT_IP4:
	case ARGUMENT_IP6:
		if (slice_empty(text) || text.ptr[0] != ':')
			return err_set(err, E_SYNTAX, "an address is missing");
		return parse_network(slice_from_pos(text, 1),
		    argument == ARGUMENT_IP4 ? IP_V4 : IP_V6, &term->network,
		    err);
	default:
		return parse_domain(
		    text, argument == ARGUMENT_OPTIONAL_DOMAIN, term, err);
	}
}

/* qualifier = "+" / "-" / "?" / "~"; takes it off *text. */
static enum spf_result take_qualifier(struct slice *text)
{
	static const struct {
		char sign;
		enum spf_result result;
	} qualifiers[] = {
	    {'+', SPF_PASS},
	    {'-', SPF_FAIL},
	    {'?', SPF_NEUTRAL},
	    {'~', SPF_SOFTFAIL},
	};

	for (size_t i = 0; i < 4; i++) {
		if (text->len && text->ptr[0] == qualifiers[i].sign) {
			*text = slice_from_pos(*text, 1);
			return qualifiers[i].result;
		}
	}
	return SPF_PASS;
}

static bool parse_directive(
    struct slice text, struct spf_term *ret, struct err *err)
{
	struct spf_term term = {.qualifier = take_qualifier(&text)};
	struct slice name = slice_sub(text, 0, name_length(text));

	term.text = text;
	for (size_t i = 0; i < sizeof(mechanisms) / sizeof(*mechanisms); i++) {
		if (!slice_eq_nocase(name, mechanisms[i].name))
			continue;
		term.mechanism = mechanisms[i].mechanism;
		if (!parse_argument(slice_from_pos(text, name.len),
			mechanisms[i].argument, &term, err))
			return false;
		*ret = term;
		return true;
	}
	return err_set(err, E_SYNTAX, "unknown mechanism");
}

/* redirect= and exp= stand at most once each (section 6). */
static bool set_once(struct slice value, struct slice *ret, struct err *err)
{
	if (!slice_empty(*ret))
		return err_set(err, E_SYNTAX, "the modifier is repeated");
	if (!spf_macro_check_domain(value, err))
		return false;
	*ret = value;
	return true;
}

static bool parse_modifier(struct slice name, struct slice value,
    struct spf_record *record, struct err *err)
{
	if (slice_eq_nocase(name, SLICE("redirect")))
		return set_once(value, &record->redirect, err);
	if (slice_eq_nocase(name, SLICE("exp")))
		return set_once(value, &record->explanation, err);
	return spf_macro_check_string(value, err);
}

/* Puts the term, printable and cut, before the words of err. */
static bool term_error(struct slice text, struct err *err)
{
	char shown[SHOWN_MAX + 1];
	size_t len = text.len < SHOWN_MAX ? text.len : SHOWN_MAX;

	for (size_t i = 0; i < len; i++)
		shown[i] = ascii_is_visible(text.ptr[i]) ? text.ptr[i] : '?';
	shown[len] = '\0';
	return err_prefix(err, "\"%s\"", shown);
}

static bool parse_term(struct slice text, struct spf_term *terms,
    struct spf_record *record, struct err *err)
{
	size_t name = name_length(text);

	if (!slice_all(text, ascii_is_visible))
		return err_set(
		    err, E_SYNTAX, "has bytes that are not visible US-ASCII");
	/* Section 4.6.1: "=" right after the name makes it a modifier. */
	if (name && name < text.len && text.ptr[name] == '=')
		return parse_modifier(slice_sub(text, 0, name),
		    slice_from_pos(text, name + 1), record, err);
	if (!parse_directive(text, &terms[record->count], err))
		return false;
	record->count++;
	return true;
}

/* record = version *( 1*SP ( directive / modifier ) ) *SP: takes one term off
 * *rest; false at the end. */
static bool next_term(struct slice *rest, struct slice *ret)
{
	do {
		if (rest->len == 0)
			return false;
		slice_split(*rest, ' ', ret, rest);
	} while (slice_empty(*ret));
	return true;
}

static size_t count_terms(struct slice text)
{
	struct slice term;
	size_t count = 0;

	while (next_term(&text, &term))
		count++;
	return count;
}

bool spf_record_parse(struct arena *arena, struct slice text,
    struct spf_record *ret, struct err *err)
{
	struct spf_record record = {.count = 0};
	struct slice rest, term;
	struct spf_term *terms;
	size_t count;

	require(spf_record_is_spf(text));
	rest = slice_from_pos(text, version.len);
	count = count_terms(rest);
	if (count > SPF_TERMS_MAX)
		return err_set(
		    err, E_LIMIT, "more than %d terms", SPF_TERMS_MAX);
	terms = ARENA_ARRAY(arena, count, struct spf_term);
	while (next_term(&rest, &term))
		if (!parse_term(term, terms, &record, err))
			return term_error(term, err);
	record.terms = terms;
	*ret = record;
	return true;
}
