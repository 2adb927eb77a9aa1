/* SPDX-License-Identifier: Apache-2.0 */
#include "mime/charset.h"

#include <errno.h>
#include <iconv.h>

#include "base/ascii.h"
#include "base/buf.h"
#include "base/memory.h"
#include "base/text.h"

/* Labels that mean more than they say: a sender that writes the left one uses
 * the right one, and readers follow (the WHATWG's Encoding Standard lists
 * them).  An empty right side: look at the bytes. */
static const struct {
	struct slice label;
	const char *charset;
} labels[] = {
    {SLICE_INIT(""), ""},
    {SLICE_INIT("utf-8"), "UTF-8"},
    {SLICE_INIT("utf8"), "UTF-8"},
    {SLICE_INIT("us-ascii"), ""},
    {SLICE_INIT("ascii"), ""},
    {SLICE_INIT("unknown-8bit"), ""},
    {SLICE_INIT("iso-8859-1"), "WINDOWS-1252"},
    {SLICE_INIT("latin1"), "WINDOWS-1252"},
    {SLICE_INIT("iso-8859-9"), "WINDOWS-1254"},
    {SLICE_INIT("iso-8859-11"), "CP874"},
    {SLICE_INIT("tis-620"), "CP874"},
    {SLICE_INIT("gb2312"), "GB18030"},
    {SLICE_INIT("gbk"), "GB18030"},
    {SLICE_INIT("shift_jis"), "CP932"},
    {SLICE_INIT("ks_c_5601-1987"), "CP949"},
    {SLICE_INIT("euc-kr"), "CP949"},
    {SLICE_INIT("unicode-1-1-utf-7"), "UTF-7"},
};

static const char *const by_looking = "";
static const char *const by_guess = "WINDOWS-1252";

struct mime_converters {
	size_t count;
	struct {
		char *name;
		iconv_t converter;
	} open[MIME_CONVERTERS_MAX + 1]; /* one more: by_guess */
};

struct mime_converters *mime_converters_new(void)
{
	return MEMORY_NEW(struct mime_converters);
}

static void close_all(struct mime_converters *converters)
{
	for (size_t i = 0; i < converters->count; i++) {
		memory_free(converters->open[i].name);
		iconv_close(converters->open[i].converter);
	}
}

void mime_converters_free(struct mime_converters *converters)
{
	close_all(converters);
	memory_free(converters);
}

/* (iconv_t)-1: there is none, or there are too many. */
static iconv_t converter_of(
    struct mime_converters *converters, struct slice name)
{
	size_t i;
	iconv_t converter;

	for (i = 0; i < converters->count; i++)
		if (slice_eq_nocase(name, slice_from(converters->open[i].name)))
			return converters->open[i].converter;
	if (i >= MIME_CONVERTERS_MAX && !slice_eq(name, slice_from(by_guess)))
		return (iconv_t)-1;
	converter = iconv_open("UTF-8", name.ptr);
	if (converter != (iconv_t)-1) {
		converters->open[i].name = memory_copy_text(name.ptr, name.len);
		converters->open[i].converter = converter;
		converters->count++;
	}
	return converter;
}

static bool is_charset_byte(char c)
{
	return ascii_is_alnum(c) || c == '-' || c == '_' || c == ':' ||
	       c == '.' || c == '+';
}

/* A name for iconv_open(3), or by_looking.  "//TRANSLIT" and such come from
 * nobody but us. */
static const char *name_of(struct arena *arena, struct slice charset)
{
	charset = slice_trim(charset);
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
		if (slice_eq_nocase(charset, labels[i].label))
			return labels[i].charset;
	if (charset.len > 64 || !slice_all(charset, is_charset_byte))
		return by_looking;
	return arena_text(arena, charset);
}

/* Input that cannot be converted is replaced octet by octet.  False: it does
 * not fit. */
static bool convert(iconv_t converter, struct slice bytes, struct buf *out)
{
	enum { STEP = 4096 };
	/* iconv(3) does not write there, its type says so only in C++. */
	char *in = (char *)(uintptr_t)bytes.ptr;
	size_t left = bytes.len;
	bool flushed = false;

	/* As if it were new: the last text may have ended anywhere. */
	iconv(converter, NULL, NULL, NULL, NULL);
	while (!flushed) {
		char *room = buf_reserve(out, STEP);
		char *to = room;
		size_t space = STEP;
		size_t result;

		if (!room)
			return false;
		/* At the end some charsets still hold a character back. */
		flushed = left == 0;
		result = iconv(
		    converter, left ? &in : NULL, &left, &to, &space);
		buf_grown(out, (size_t)(to - room));
		if (result != (size_t)-1 || errno == E2BIG || left == 0)
			continue;
		buf_add(out, SLICE("\xef\xbf\xbd"));
		in++;
		left--;
	}
	return out->len <= bytes.len * MIME_EXPANSION_MAX;
}

struct slice mime_convert(struct mime_converters *converters,
    struct arena *arena, struct slice charset, struct slice bytes)
{
	struct slice name = slice_from(name_of(arena, charset));
	iconv_t converter = (iconv_t)-1;
	struct buf *out;

	if (slice_eq(name, SLICE("UTF-8")))
		return text_clean_utf8(arena, bytes);
	if (name.len)
		converter = converter_of(converters, name);
	if (converter == (iconv_t)-1) {
		if (text_is_utf8(bytes))
			return text_clean_utf8(arena, bytes);
		converter = converter_of(converters, slice_from(by_guess));
	}
	if (converter == (iconv_t)-1)
		return text_clean_utf8(arena, bytes);
	out = buf_in_arena(arena, bytes.len * MIME_EXPANSION_MAX + 8192);
	if (!convert(converter, bytes, out))
		return text_clean_utf8(arena, bytes);
	return text_clean_utf8(arena, buf_slice(out));
}

struct slice mime_to_utf8(
    struct arena *arena, struct slice charset, struct slice bytes)
{
	struct mime_converters converters;
	struct slice text;

	converters.count = 0;
	text = mime_convert(&converters, arena, charset, bytes);
	close_all(&converters);
	return text;
}

size_t mime_count_words(struct slice text)
{
	size_t count = 0;
	bool inside = false;

	for (size_t i = 0; i < text.len; i++) {
		bool outside = ascii_is_control(text.ptr[i]) ||
			       text.ptr[i] == ' ';

		count += !inside && !outside;
		inside = !outside;
	}
	return count;
}
