/* SPDX-License-Identifier: Apache-2.0 */
#include "mime/words.h"

#include "base/ascii.h"
#include "base/buf.h"
#include "base/require.h"
#include "base/text.h"
#include "mime/charset.h"
#include "mime/decode.h"

/* RFC 2047 section 2 says 75; some senders put a whole subject into one.  The
 * bound keeps a field of many beginnings from costing their square. */
enum { WORD_MAX = 4096, CHARSET_MAX = 128 };

struct encoded_word {
	struct slice charset;
	char encoding; /* 'b' or 'q' */
	struct slice text;
	size_t len; /* of it all */
};

/* "=?charset?e?text?=" at the start of text (RFC 2047 section 2). */
static bool read_word(struct slice text, struct encoded_word *ret)
{
	struct encoded_word word;
	struct slice charset, language;
	struct slice rest = slice_from_pos(text, 2);
	size_t at;

	if (!slice_starts(text, SLICE("=?")))
		return false;
	at = slice_find(slice_sub(rest, 0, CHARSET_MAX), '?');
	if (at == 0 || at >= rest.len || rest.ptr[at] != '?')
		return false;
	charset = slice_sub(rest, 0, at);
	/* RFC 2231 section 5: a language may follow the charset. */
	slice_split(charset, '*', &word.charset, &language);
	rest = slice_from_pos(rest, at + 1);
	if (rest.len < 4 || rest.ptr[1] != '?')
		return false;
	word.encoding = ascii_lower(rest.ptr[0]);
	if (word.encoding != 'b' && word.encoding != 'q')
		return false;
	rest = slice_sub(slice_from_pos(rest, 2), 0, WORD_MAX);
	at = slice_find_slice(rest, SLICE("?="));
	if (at == rest.len)
		return false;
	word.text = slice_sub(rest, 0, at);
	word.len = (size_t)(rest.ptr - text.ptr) + at + 2;
	*ret = word;
	return true;
}

static struct slice word_octets(
    struct arena *arena, const struct encoded_word *word)
{
	if (word->encoding == 'q')
		return mime_decode_q(arena, word->text);
	return mime_decode(
	    arena, ENCODING_BASE64, word->text, word->text.len, NULL);
}

/* A field of 100 KB has thousands of words: what is needed for one of them does
 * not stay in the arena of the result. */
struct decoder {
	struct arena *scratch; /* emptied after each word */
	struct mime_converters *converters;
	/* Octets of neighbours of one charset, not yet converted. */
	struct slice charset;
	struct buf pending;
	struct buf *out;
};

static void flush(struct decoder *decoder)
{
	if (decoder->pending.len == 0)
		return;
	require(buf_add(
	    decoder->out, mime_convert(decoder->converters, decoder->scratch,
			      decoder->charset, buf_slice(&decoder->pending))));
	buf_clear(&decoder->pending);
	arena_reset(decoder->scratch);
}

static void add_word(struct decoder *decoder, const struct encoded_word *word)
{
	if (!slice_eq_nocase(word->charset, decoder->charset))
		flush(decoder);
	decoder->charset = word->charset;
	require(
	    buf_add(&decoder->pending, word_octets(decoder->scratch, word)));
	arena_reset(decoder->scratch);
}

static void decode(struct decoder *decoder, struct slice text)
{
	struct encoded_word word;
	bool after_word = false;

	while (text.len) {
		size_t gap = 0;

		/* White space between two words is not shown: section 6.2. */
		while (
		    after_word && gap < text.len && ascii_is_fws(text.ptr[gap]))
			gap++;
		after_word = read_word(slice_from_pos(text, gap), &word);
		if (after_word) {
			add_word(decoder, &word);
			text = slice_from_pos(text, gap + word.len);
			continue;
		}
		flush(decoder);
		/* The octet after the gap begins no word: never look again. */
		gap += gap < text.len;
		gap += slice_find(slice_from_pos(text, gap), '=');
		require(buf_add(decoder->out, slice_sub(text, 0, gap)));
		text = slice_from_pos(text, gap);
	}
	flush(decoder);
}

struct slice mime_decode_words(struct arena *arena, struct slice text)
{
	struct decoder decoder = {.scratch = NULL};

	text = mime_to_utf8(arena, (struct slice){NULL, 0}, text);
	if (slice_find_slice(text, SLICE("=?")) == text.len)
		return text;
	decoder.scratch = arena_new(0);
	decoder.converters = mime_converters_new();
	decoder.out = buf_in_arena(arena, text.len * MIME_EXPANSION_MAX);
	buf_init(&decoder.pending, text.len);
	decode(&decoder, text);
	buf_release(&decoder.pending);
	mime_converters_free(decoder.converters);
	arena_free(decoder.scratch);
	return text_clean_utf8(arena, buf_slice(decoder.out));
}
