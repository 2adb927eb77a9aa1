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

/* What registries sell although IDNA 2008 has no symbols (RFC 5892): those of
 * Unicode 14.0 with Emoji_Presentation (emoji-data.txt), and sun, cloud,
 * umbrella, snowman, telephone, skull, smile, hearts, airplane, envelope,
 * snowflake.  Without what may be read as something else: letters and digits
 * in any frame (signs of the zodiac, too), circles, squares, full moons and
 * other round or angular spots, crosses, check marks, loops, and what looks
 * like punctuation, arithmetic or money. */
static const struct {
	uint32_t first, last;
} pictures[] = {{0x231a, 0x231b}, {0x23f0, 0x23f0}, {0x23f3, 0x23f3},
    {0x2600, 0x2603}, {0x260e, 0x260e}, {0x2614, 0x2615}, {0x2620, 0x2620},
    {0x263a, 0x263a}, {0x2665, 0x2665}, {0x267f, 0x267f}, {0x2693, 0x2693},
    {0x26a1, 0x26a1}, {0x26bd, 0x26be}, {0x26c4, 0x26c5}, {0x26ea, 0x26ea},
    {0x26f2, 0x26f3}, {0x26f5, 0x26f5}, {0x26fa, 0x26fa}, {0x26fd, 0x26fd},
    {0x2708, 0x270b}, {0x2728, 0x2728}, {0x2744, 0x2744}, {0x2764, 0x2764},
    {0x2b50, 0x2b50}, {0x1f0cf, 0x1f0cf}, {0x1f300, 0x1f310},
    {0x1f319, 0x1f320}, {0x1f32d, 0x1f335}, {0x1f337, 0x1f37c},
    {0x1f37e, 0x1f393}, {0x1f3a0, 0x1f3ca}, {0x1f3cf, 0x1f3d3},
    {0x1f3e0, 0x1f3e6}, {0x1f3e8, 0x1f3f0}, {0x1f3f4, 0x1f3f4},
    {0x1f3f8, 0x1f43e}, {0x1f440, 0x1f440}, {0x1f442, 0x1f4a3},
    {0x1f4a5, 0x1f4ae}, {0x1f4b0, 0x1f4b1}, {0x1f4b3, 0x1f4fc},
    {0x1f4ff, 0x1f517}, {0x1f525, 0x1f530}, {0x1f54b, 0x1f54e},
    {0x1f550, 0x1f567}, {0x1f57a, 0x1f57a}, {0x1f595, 0x1f596},
    {0x1f5a4, 0x1f5a4}, {0x1f5fb, 0x1f64f}, {0x1f680, 0x1f6aa},
    {0x1f6ac, 0x1f6bd}, {0x1f6bf, 0x1f6c5}, {0x1f6cc, 0x1f6cc},
    {0x1f6d0, 0x1f6d0}, {0x1f6d2, 0x1f6d2}, {0x1f6d5, 0x1f6d7},
    {0x1f6dd, 0x1f6df}, {0x1f6eb, 0x1f6ec}, {0x1f6f4, 0x1f6fc},
    {0x1f90c, 0x1f93a}, {0x1f93c, 0x1f945}, {0x1f947, 0x1f9ff},
    {0x1fa70, 0x1fa74}, {0x1fa78, 0x1fa7c}, {0x1fa80, 0x1fa86},
    {0x1fa90, 0x1faac}, {0x1fab0, 0x1faba}, {0x1fac0, 0x1fac5},
    {0x1fad0, 0x1fad9}, {0x1fae0, 0x1fae7}, {0x1faf0, 0x1faf6}};

static bool is_picture(uint32_t c)
{
	for (size_t i = 0; i < sizeof(pictures) / sizeof(pictures[0]); i++)
		if (c >= pictures[i].first && c <= pictures[i].last)
			return true;
	return false;
}

static bool is_flag_letter(uint32_t c)
{
	return c >= 0x1f1e6 && c <= 0x1f1ff;
}

/* A flag is two letters, and many programs show these: as a label of their own
 * they are taken, but not within a word or as one. */
static bool is_flag(const uint32_t *text)
{
	return is_flag_letter(text[0]) && is_flag_letter(text[1]) && !text[2];
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
	bool flag = is_flag(text);

	for (uint32_t *c = text; *c; c++)
		if (flag || is_picture(*c))
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
