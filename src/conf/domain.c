/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/domain.h"

#include <idn2.h>

#include "base/ascii.h"
#include "conf/problems.h"

enum { DOMAIN_MAX = 253, LABEL_MAX = 63 };

static void free_idn(void *text)
{
	idn2_free(text);
}

static bool is_ascii(char c)
{
	return !ascii_is_8bit(c);
}

/* U-labels become A-labels; what is US-ASCII stays.  The library's STD3 flag
 * would delete underscores: the labels are checked afterwards instead. */
static bool to_ascii(
    struct arena *arena, struct slice text, struct slice *ret, struct err *err)
{
	const char *terminated = arena_text(arena, text);
	uint8_t *ascii = NULL;
	int code;

	if (slice_all(text, is_ascii)) {
		*ret = arena_lower(arena, text);
		return true;
	}
	code = idn2_lookup_u8((const uint8_t *)terminated, &ascii,
	    IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	if (code != IDN2_OK)
		return err_set(err, E_SYNTAX, "%s is not a domain name: %s",
		    problems_quote(arena, text), idn2_strerror(code));
	arena_defer(arena, free_idn, ascii);
	*ret = arena_lower(arena, slice_from((const char *)ascii));
	return true;
}

static bool is_ldh(char c)
{
	return ascii_is_alnum(c) || c == '-';
}

static bool is_ldh_or_underscore(char c)
{
	return is_ldh(c) || c == '_';
}

/* A valid A-label is what its own U-label becomes (RFC 5890, 2.3.2.1). */
static bool decodes(const char *label)
{
	char *unicode = NULL;
	uint8_t *again = NULL;
	bool same;

	if (idn2_to_unicode_8z8z(label, &unicode, 0) != IDN2_OK)
		return false;
	same = idn2_lookup_u8((const uint8_t *)unicode, &again,
		   IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) == IDN2_OK &&
	       slice_eq(slice_from(label), slice_from((const char *)again));
	idn2_free(unicode);
	idn2_free(again);
	return same;
}

static const char *fault_of_label(
    struct arena *arena, struct slice label, unsigned int forms)
{
	if (label.len == 0)
		return "it has an empty label";
	if (label.len > LABEL_MAX)
		return "a label is longer than 63";
	if (!slice_all(label,
		forms & DOMAIN_UNDERSCORE ? is_ldh_or_underscore : is_ldh))
		return "labels are letters, digits and hyphens";
	if (label.ptr[0] == '-' || label.ptr[label.len - 1] == '-')
		return "a label begins or ends with a hyphen";
	if (!slice_starts(label, SLICE("xn--")))
		return NULL;
	return decodes(arena_text(arena, label))
		   ? NULL
		   : "a label with xn-- does not decode";
}

static const char *fault_of(
    struct arena *arena, struct slice name, unsigned int forms)
{
	struct slice label, rest = name;
	size_t labels = 0;
	bool more;

	if (name.len == 0)
		return "it is empty";
	if (name.len > DOMAIN_MAX)
		return "it is longer than 253";
	do {
		const char *fault;

		more = slice_split(rest, '.', &label, &rest);
		fault = fault_of_label(arena, label, forms);
		if (fault)
			return fault;
		labels++;
	} while (more);
	if (slice_all(label, ascii_is_digit))
		return "it looks like an IP address";
	if ((forms & DOMAIN_QUALIFIED) && labels < 2)
		return "it needs a dot: a fully qualified name, like "
		       "mx1.agency.example";
	return NULL;
}

/* The prefix that the forms allow; empty if there is none. */
static struct slice prefix_of(struct slice text, unsigned int forms)
{
	if ((forms & DOMAIN_WILDCARD) && slice_starts(text, SLICE("*.")))
		return SLICE("*.");
	if ((forms & DOMAIN_BELOW) && slice_starts(text, SLICE(".")))
		return SLICE(".");
	return SLICE("");
}

bool domain_normalize(struct arena *arena, struct slice text,
    unsigned int forms, struct slice *ret, struct err *err)
{
	struct slice prefix = prefix_of(text, forms);
	struct slice name = slice_from_pos(text, prefix.len);
	const char *fault;

	if ((forms & DOMAIN_ANY) && slice_eq(text, SLICE("*"))) {
		*ret = SLICE("*");
		return true;
	}
	if (name.len > 1 && name.ptr[name.len - 1] == '.')
		name.len--;
	if (name.len > 4 * DOMAIN_MAX || slice_find(name, '\0') < name.len)
		return err_set(err, E_SYNTAX, "%s is not a domain name",
		    problems_quote(arena, text));
	if (!to_ascii(arena, name, &name, err))
		return false;
	fault = fault_of(arena, name, forms);
	if (fault)
		return err_set(err, E_SYNTAX, "%s is not a domain name: %s",
		    problems_quote(arena, text), fault);
	*ret = arena_format_slice(
	    arena, "%.*s%.*s", SLICE_ARGS(prefix), SLICE_ARGS(name));
	return true;
}
