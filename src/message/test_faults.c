/* SPDX-License-Identifier: Apache-2.0 */
#include "message/faults.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/limits.h"

#define S(text) SLICE_INIT(text)
#define FEW "From: a@b\r\nDate: x\r\nMessage-ID: <1@b>\r\n"
#define GOOD FEW "To: c@d\r\nSubject: s\r\n"

static const struct {
	struct slice message;
	const char *want; /* names divided by blanks */
} cases[] = {
    /* clang-format off */
    {S(GOOD "\r\nbody\r\n"), ""},
    {S(GOOD "\r\nbo\ndy\r\n"), "bare-lf"},
    {S(GOOD "\r\nbo\rdy\r\n"), "bare-cr"},
    {S(GOOD "\r\nbo\r\r\ndy\r\n"), "bare-cr"},
    {S(GOOD "\r\nbo\n\r\ndy\r\n"), "bare-lf"},
    {S(GOOD "\r\nbody"), ""},
    {S(GOOD "\r\nbody\r"), "bare-cr"},
    {S(GOOD "\r\n\r"), "bare-cr"},
    {S(GOOD "X: y\r"), "bare-cr no-header-end"},
    {S(GOOD "\r\n\0\r\n"), "nul-in-body"},
    {S(GOOD "X: \0\r\n\r\n"), "nul-in-header"},
    {S(GOOD "X: \x01\r\n\r\n"), "header-control-bytes"},
    {S(GOOD "\x01X: y\r\n\r\n"), "header-name-invalid header-control-bytes"},
    {S(GOOD "\0X: y\r\n\r\n"), "nul-in-header header-name-invalid"},
    {S(GOOD "X: \xff\r\n\r\n"), "header-8bit"},
    {S(GOOD "X: \xc3\xa4\r\n\r\n"), ""},
    {S(GOOD "nothing\r\n\r\n"), "header-without-colon"},
    {S(GOOD "a b: c\r\n\r\n"), "header-name-invalid"},
    {S(" x\r\n" GOOD "\r\n"), "header-without-colon header-starts-folded"},
    {S(GOOD), "no-header-end"},
    {S(FEW "Subject: 1\r\n\r\n"), "to-missing"},
    {S(FEW "cc: 1\r\n\r\n"), "subject-missing"},
    {S(GOOD "from: c@d\r\nSubject: 2\r\nTo: 2\r\n\r\n"),
	"from-repeated to-repeated subject-repeated"},
    {S("X: y\r\n\r\n"), "from-missing to-missing subject-missing "
	"date-missing message-id-missing"},
    {S(GOOD "Content-Type: a\r\nContent-Type: b\r\n\r\n"),
	"content-type-repeated"},
    /* clang-format on */
};

static const char *names_of(struct arena *arena, struct faults faults)
{
	struct buf *text = buf_in_arena(arena, 4096);

	for (int i = 0; i < FAULT_COUNT; i++) {
		if (!faults_has(faults, (enum fault)i))
			continue;
		if (text->len)
			buf_add_byte(text, ' ');
		buf_add_text(text, fault_name((enum fault)i));
	}
	return arena_text(arena, buf_slice(text));
}

/* Every split of the bytes into two pieces finds the same. */
static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slice message = cases[i].message;
		struct arena *arena = arena_new(0);
		struct header_list list;
		struct faults head;

		assert_true(headers_parse(
		    arena, message, &limits_default, &list, NULL));
		head = faults_of_headers(&list);
		for (size_t at = list.body_offset; at <= message.len; at++) {
			struct fault_scan scan = {0};
			struct faults all = head;

			all.bits |= faults_of_bytes(
			    &scan, slice_sub(message, 0, list.body_offset))
					.bits;
			scan.in_body = true;
			all.bits |= faults_of_bytes(
			    &scan, slice_sub(message, list.body_offset,
				       at - list.body_offset))
					.bits;
			all.bits |= faults_of_bytes(
			    &scan, slice_from_pos(message, at))
					.bits;
			all.bits |= faults_of_end(&scan).bits;
			assert_string_equal(
			    names_of(arena, all), cases[i].want);
		}
		arena_free(arena);
	}
}

static void test_long_line(void **state)
{
	struct arena *arena = arena_new(0);
	struct buf *text = buf_in_arena(arena, 2000);
	struct fault_scan scan = {.in_body = true};

	(void)state;
	for (int i = 0; i < 998; i++)
		buf_add_byte(text, 'x');
	buf_add_text(text, "\r\n");
	assert_int_equal(faults_of_bytes(&scan, buf_slice(text)).bits, 0);
	buf_clear(text);
	for (int i = 0; i < 999; i++)
		buf_add_byte(text, 'x');
	faults_of_bytes(&scan, buf_slice(text));
	assert_true(faults_has(
	    faults_of_bytes(&scan, SLICE("\r\n")), FAULT_LINE_TOO_LONG));
	assert_int_equal(faults_of_end(&scan).bits, 0);
	faults_of_bytes(&scan, buf_slice(text));
	assert_true(faults_has(faults_of_end(&scan), FAULT_LINE_TOO_LONG));
	arena_free(arena);
}

/* A bare CR counts for its line, also where a piece ends with it. */
static void test_long_line_with_cr(void **state)
{
	char line[1001];

	(void)state;
	memset(line, 'x', sizeof(line));
	line[500] = '\r';
	memcpy(line + 999, "\r\n", 2);
	for (size_t cut = 0; cut <= sizeof(line); cut++) {
		struct fault_scan scan = {.in_body = true};
		struct faults found = faults_of_bytes(
		    &scan, slice_of(line, cut));

		found.bits |= faults_of_bytes(
		    &scan, slice_of(line + cut, sizeof(line) - cut))
				  .bits;
		assert_true(faults_has(found, FAULT_BARE_CR));
		assert_true(faults_has(found, FAULT_LINE_TOO_LONG));
	}
}

/* Every octet of a field: NUL, controls, and what is not UTF-8. */
static void test_octets(void **state)
{
	(void)state;
	for (unsigned int octet = 0; octet < 256; octet++) {
		struct arena *arena = arena_new(0);
		char text[] = "X: a?b\r\n\r\n";
		struct header_list list;
		struct faults found;

		text[4] = (char)octet;
		if (octet == '\n')
			text[5] = ' ';
		assert_true(
		    headers_parse(arena, slice_of(text, sizeof(text) - 1),
			&limits_default, &list, NULL));
		found = faults_of_headers(&list);
		assert_int_equal(
		    faults_has(found, FAULT_NUL_IN_HEADER), octet == 0);
		assert_int_equal(faults_has(found, FAULT_HEADER_CONTROL_BYTES),
		    octet == 127 || (octet && octet < ' ' && octet != '\t' &&
					octet != '\r' && octet != '\n'));
		assert_int_equal(
		    faults_has(found, FAULT_HEADER_8BIT), octet > 127);
		arena_free(arena);
	}
}

/* Mostly ordinary lines, here and there something odd. */
static void make_random(unsigned int *seed, char *text, size_t len)
{
	static const char odd[] = "\r\n.\0x";
	size_t line = (size_t)rand_r(seed) % 1100;
	size_t rareness = 20 + (size_t)rand_r(seed) % 4000;

	for (size_t i = 0; i < len; i++) {
		size_t place = i % (line + 2);

		text[i] = "x\r\n"[place < line ? 0 : place - line + 1];
		if ((size_t)rand_r(seed) % rareness == 0)
			text[i] = odd[(size_t)rand_r(seed) % 5];
	}
}

/* Octet by octet the same faults as in large pieces. */
static void test_pieces(void **state)
{
	char text[3000];
	unsigned int seed = 1;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		struct fault_scan large = {.in_body = true}, small = large;
		struct faults found = {0}, wanted = {0};
		size_t cut = (size_t)rand_r(&seed) % sizeof(text);

		make_random(&seed, text, sizeof(text));
		found.bits = faults_of_bytes(&large, slice_of(text, cut)).bits;
		found.bits |= faults_of_bytes(
		    &large, slice_of(text + cut, sizeof(text) - cut))
				  .bits;
		for (size_t i = 0; i < sizeof(text); i++)
			wanted.bits |=
			    faults_of_bytes(&small, slice_of(text + i, 1)).bits;
		if (found.bits != wanted.bits ||
		    large.after_cr != small.after_cr ||
		    large.line_length != small.line_length)
			fail_msg("round %d: %llx, not %llx", round,
			    (unsigned long long)found.bits,
			    (unsigned long long)wanted.bits);
	}
}

/* Names are for programs: each says one thing. */
static void test_names(void **state)
{
	(void)state;
	for (int i = 0; i < FAULT_COUNT; i++) {
		const char *name = fault_name((enum fault)i);

		assert_int_equal(
		    strspn(name, "abcdefghijklmnopqrstuvwxyz8-"), strlen(name));
		assert_non_null(strchr(fault_help((enum fault)i), ' '));
		for (int j = 0; j < i; j++) {
			assert_string_not_equal(
			    name, fault_name((enum fault)j));
			assert_string_not_equal(fault_help((enum fault)i),
			    fault_help((enum fault)j));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cases),
	    cmocka_unit_test(test_long_line),
	    cmocka_unit_test(test_long_line_with_cr),
	    cmocka_unit_test(test_octets),
	    cmocka_unit_test(test_pieces),
	    cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
