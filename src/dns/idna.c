/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/idna.h"

#include <idn2.h>
#include <string.h>

#include "base/ascii.h"
#include "base/text.h"

/* A label of 63 octets stands for fewer than 63 characters of at most 4. */
enum { A_LABEL_MAX = 63, U_LABEL_MAX = 4 * A_LABEL_MAX };

/* IDNA 2008, with the mappings of UTS #46 for what users write. */
enum { STRICT = IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL };

bool idna_is_needed(struct slice label)
{
	for (size_t i = 0; i < label.len; i++)
		if (ascii_is_8bit(label.ptr[i]))
			return true;
	return false;
}

bool idna_add_label(struct buf *buf, struct slice label, struct err *err)
{
	char text[U_LABEL_MAX + 1] = {0};
	char *ascii = NULL;
	int code;
	bool added;

	if (label.len > U_LABEL_MAX)
		return err_set(err, E_SYNTAX, "label too long");
	if (!text_is_utf8(label) || memchr(label.ptr, '\0', label.len))
		return err_set(err, E_SYNTAX, "label is not UTF-8");
	memcpy(text, label.ptr, label.len);
	code = idn2_to_ascii_8z(text, &ascii, STRICT);
	if (code != IDN2_OK)
		return err_set(err, E_SYNTAX, "bad internationalized label: %s",
		    idn2_strerror(code));
	added = buf_add_text(buf, ascii);
	idn2_free(ascii);
	return added || err_set(err, E_SYNTAX, "domain name too long");
}

bool idna_is_a_label(struct slice label)
{
	return slice_starts_nocase(label, SLICE("xn--"));
}

/* Whether the A-label of the text, decoded from label, is label. */
static bool becomes(const char *text, struct slice label)
{
	struct buf again;
	bool same;

	buf_init(&again, U_LABEL_MAX);
	same = idna_add_label(&again, slice_from(text), NULL) &&
	       slice_eq_nocase(buf_slice(&again), label);
	buf_release(&again);
	return same;
}

/* What registries sell although IDNA 2008 has no symbols (RFC 5892).  Blocks
 * of pictures alone: other symbols are doubles of "/", "-" and letters. */
static bool is_picture(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} blocks[] = {
	    {0x231a, 0x231b},	/* watch, hourglass */
	    {0x23e9, 0x23fa},	/* clocks, buttons of players */
	    {0x2600, 0x27bf},	/* miscellaneous symbols, dingbats */
	    {0x2b00, 0x2bff},	/* stars, arrows */
	    {0x1f000, 0x1f0ff}, /* tiles, cards */
	    {0x1f1e6, 0x1f1ff}, /* flags */
	    {0x1f300, 0x1f64f}, /* emoji; then ornaments, slashes among them */
	    {0x1f680, 0x1faff},
	};

	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++)
		if (c >= blocks[i].first && c <= blocks[i].last)
			return true;
	return false;
}

/* The same of a text with pictures.  libidn2 takes symbols in transitional
 * processing only, which has no rules for directions and joiners; the others
 * judge the text with an x in place of each picture. */
static bool becomes_with_pictures(uint32_t *text, struct slice label)
{
	char *again = NULL, *plain = NULL;
	bool same = idn2_to_ascii_4z(text, &again,
			IDN2_NFC_INPUT | IDN2_TRANSITIONAL) == IDN2_OK &&
		    slice_eq_nocase(slice_from(again), label);

	for (uint32_t *c = text; *c; c++)
		if (is_picture(*c))
			*c = 'x';
	same = same && idn2_to_ascii_4z(text, &plain, STRICT) == IDN2_OK;
	idn2_free(again);
	idn2_free(plain);
	return same;
}

static bool check_pictures(const char *text, struct slice label)
{
	uint32_t *decoded = NULL;
	bool same = idn2_to_unicode_8z4z(text, &decoded, 0) == IDN2_OK &&
		    becomes_with_pictures(decoded, label);

	idn2_free(decoded);
	return same;
}

bool idna_check_a_label(struct slice label, struct err *err)
{
	char text[A_LABEL_MAX + 1] = {0};
	char *decoded = NULL;
	bool same;

	if (label.len > A_LABEL_MAX)
		return err_set(err, E_SYNTAX, "label too long");
	/* Decoding leaves upper case alone, which encoding does not. */
	for (size_t i = 0; i < label.len; i++)
		text[i] = ascii_lower(label.ptr[i]);
	same = idn2_to_unicode_8z8z(text, &decoded, 0) == IDN2_OK &&
	       becomes(decoded, label);
	idn2_free(decoded);
	return same || check_pictures(text, label) ||
	       err_set(err, E_SYNTAX,
		   "%.*s is no A-label: no internationalized label is "
		   "written so",
		   SLICE_ARGS(label));
}
