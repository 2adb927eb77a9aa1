/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/body_hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/crypto.h"
#include "auth/test_reference.h"
#include "base/text.h"

static const struct {
	const char *body, *simple, *relaxed; /* canonical */
} cases[] = {
    /* RFC 6376 section 3.4.5 */
    {" C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n", " C\r\nD E\r\n"},
    {"", "\r\n", ""},
    {"\r\n", "\r\n", ""},
    {"\r\n\r\n\r\n", "\r\n", ""},
    {" ", " \r\n", ""},
    {"\t \r\n", "\t \r\n", ""},
    {"a", "a\r\n", "a\r\n"},
    {"a\r\n", "a\r\n", "a\r\n"},
    {"a\r\n\r\n", "a\r\n", "a\r\n"},
    {"a\r\n \r\n", "a\r\n \r\n", "a\r\n"},
    {"a\r\n \t\r\nb", "a\r\n \t\r\nb\r\n", "a\r\n\r\nb\r\n"},
    {"\r\na", "\r\na\r\n", "\r\na\r\n"},
    {"a \t", "a \t\r\n", "a\r\n"},
    {"a \t b\tc d", "a \t b\tc d\r\n", "a b c d\r\n"},
    {" a", " a\r\n", " a\r\n"},
    /* Bare CR and bare LF are octets like others. */
    {"a\r", "a\r\r\n", "a\r\r\n"},
    {"a \rb", "a \rb\r\n", "a \rb\r\n"},
    {"a \nb\n", "a \nb\n\r\n", "a \nb\n\r\n"},
    {"a\r\r\n\r\r\n", "a\r\r\n\r\r\n", "a\r\r\n\r\r\n"},
    {"\n\n", "\n\n\r\n", "\n\n\r\n"},
    {"\r\r\n", "\r\r\n", "\r\r\n"},
};

static struct slice digest_of(struct arena *arena,
    enum dkim_canonicalization canonicalization, struct slice body,
    size_t split, uint64_t limit, uint64_t *ret_length)
{
	struct body_hashes *hashes = body_hashes_new(arena);
	size_t number = body_hashes_want(hashes, canonicalization, limit);

	body_hashes_add(hashes, slice_sub(body, 0, split));
	body_hashes_add(hashes, slice_from_pos(body, split));
	body_hashes_finish(hashes);
	*ret_length = body_hashes_length(hashes, number);
	return body_hashes_digest(hashes, number);
}

static void expect(struct slice body, size_t split,
    enum dkim_canonicalization canonicalization, struct slice canonical)
{
	struct arena *arena = arena_new(0);
	struct crypto_digest digest = crypto_sha256(canonical);
	uint64_t length;
	struct slice got = digest_of(
	    arena, canonicalization, body, split, BODY_LENGTH_ALL, &length);

	if (!slice_eq(got, crypto_digest_slice(&digest)) ||
	    length != canonical.len)
		fail_msg("%s, split at %zu of \"%.*s\"",
		    canonicalization == CANON_SIMPLE ? "simple" : "relaxed",
		    split, SLICE_ARGS(body));
	arena_free(arena);
}

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slice body = slice_from(cases[i].body);

		for (size_t split = 0; split <= body.len; split++) {
			expect(body, split, CANON_SIMPLE,
			    slice_from(cases[i].simple));
			expect(body, split, CANON_RELAXED,
			    slice_from(cases[i].relaxed));
		}
	}
}

/* Every body of up to five octets of what matters, split everywhere. */
static void test_exhaustive(void **state)
{
	static const char alphabet[] = "a \t\r\n";
	char body[5];

	(void)state;
	for (size_t len = 1; len <= sizeof(body); len++) {
		unsigned int count = 1;

		for (size_t i = 0; i < len; i++)
			count *= 5;
		for (unsigned int n = 0; n < count; n++) {
			struct arena *arena = arena_new(0);
			unsigned int digits = n;

			for (size_t i = 0; i < len; i++, digits /= 5)
				body[i] = alphabet[digits % 5];
			for (size_t split = 0; split <= len; split++) {
				struct slice text = slice_of(body, len);

				expect(text, split, CANON_SIMPLE,
				    test_reference_body(
					arena, CANON_SIMPLE, text));
				expect(text, split, CANON_RELAXED,
				    test_reference_body(
					arena, CANON_RELAXED, text));
			}
			arena_free(arena);
		}
	}
}

/* Long enough for whole blocks, with every kind of run. */
static struct slice long_body(struct arena *arena)
{
	struct buf *buf = buf_in_arena(arena, 4096);

	for (int i = 0; i < 8; i++) {
		buf_add_text(buf, "A line of plain words that needs nothing "
				  "changed, and then another one.\r\n");
		buf_add_text(buf, "two  spaces,\ttabs \t and an end \t \r\n");
		for (int line = 0; line < i * 5; line++)
			buf_add_text(buf, line % 3 ? "\r\n" : "  \r\n");
	}
	return buf_slice(buf);
}

static void test_long(void **state)
{
	struct arena *arena = arena_new(0);
	struct slice body = long_body(arena);
	struct slice simple = test_reference_body(arena, CANON_SIMPLE, body);
	struct slice relaxed = test_reference_body(arena, CANON_RELAXED, body);

	(void)state;
	for (size_t split = 0; split <= body.len; split++) {
		expect(body, split, CANON_SIMPLE, simple);
		expect(body, split, CANON_RELAXED, relaxed);
	}
	arena_free(arena);
}

/* All limits of one body, taken in one pass. */
static void test_limits(void **state)
{
	struct arena *arena = arena_new(0);
	struct slice body = SLICE("a  b\r\n\r\n c \r\nd\r\n\r\n");
	struct slice canonical = test_reference_body(
	    arena, CANON_RELAXED, body);
	struct body_hashes *hashes = body_hashes_new(arena);
	size_t numbers[32] = {0};

	(void)state;
	assert_true(canonical.len + 2 < 32);
	/* Longest first: order must not matter. */
	for (size_t length = canonical.len + 2; length-- > 0;)
		numbers[length] = body_hashes_want(
		    hashes, CANON_RELAXED, length);
	assert_int_equal(
	    body_hashes_want(hashes, CANON_RELAXED, 3), numbers[3]);
	for (size_t i = 0; i < body.len; i++)
		body_hashes_add(hashes, slice_sub(body, i, 1));
	body_hashes_finish(hashes);
	for (size_t length = 0; length <= canonical.len; length++) {
		struct crypto_digest digest = crypto_sha256(
		    slice_sub(canonical, 0, length));

		assert_true(
		    slice_eq(body_hashes_digest(hashes, numbers[length]),
			crypto_digest_slice(&digest)));
		assert_int_equal(
		    body_hashes_length(hashes, numbers[length]), canonical.len);
	}
	arena_free(arena);
}

/* The values that RFC 6376 section 3.4.3 and 3.4.4 print for no body. */
static void test_empty(void **state)
{
	static const struct {
		enum dkim_canonicalization canonicalization;
		const char *digest;
	} empty[] = {
	    {CANON_SIMPLE, "frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY="},
	    {CANON_RELAXED, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="},
	};
	struct arena *arena = arena_new(0);

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		uint64_t length;
		struct slice got = digest_of(arena, empty[i].canonicalization,
		    SLICE(""), 0, BODY_LENGTH_ALL, &length);

		got = text_base64_encode(arena, got);
		assert_true(slice_eq(got, slice_from(empty[i].digest)));
	}
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table),
	    cmocka_unit_test(test_exhaustive),
	    cmocka_unit_test(test_long),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
