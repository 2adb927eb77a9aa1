/* SPDX-License-Identifier: Apache-2.0 */
/* Facts are packed and come back; what is damaged does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "store/store_pack.h"
#include "store/store_test.h"

/* Much of it stands in the dictionary, some of it does not. */
static const char facts[] =
    "{\"id\":\"0VcHm66mhNPGLS4v\",\"verdict\":\"accept\",\"smtp_reply\":\"250 "
    "2.0.0 accepted\",\"policy\":\"\",\"reason\":\"\",\"client\":{\"ip\":"
    "\"192.0.2.29\",\"name\":\"mail.sender.example\",\"helo\":"
    "\"mail.sender.example\",\"listener\":\"mx\",\"tls\":\"TLSv1.3\"}}";

/* What was written once must be read for ever. */
static const char packed_facts[] =
    "\xdd\x00\x00\x00\x03\xc9\x09\xff\x01\x30\x56\x63\x48\x6d\x36\x36"
    "\x6d\x68\x4e\x50\x47\x4c\x53\x34\x76\x76\x02\x01\x0f\xd9\x09\x40"
    "\x49\x32\x39\x22\x2c\xe0\x00\x02\x7c\x05\x8b\x2e\x65\x78\x61\x6d"
    "\x70\x6c\x65\xe9\x09\x0d\x1d\x00\x0f\xf7\x09\x08\x50\x2e\x33\x22"
    "\x7d\x7d";

static struct slice unpacked(struct arena *arena, struct slice packed)
{
	struct slice text = SLICE_INIT("untouched");
	struct err err = {.kind = E_NONE};

	if (!store_unpack(arena, packed, &text, &err)) {
		assert_int_equal(err.kind, E_IO);
		assert_true(slice_eq(text, SLICE("untouched")));
	}
	return text;
}

static void test_round_trip(void **state)
{
	static const size_t sizes[] = {
	    0, 1, 3, 4, 12, 13, 64, 255, 3000, 65535, 65536, 70000, 3 << 20};
	struct arena *arena = arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (int noise = 0; noise < 2; noise++) {
			char *text = arena_alloc(arena, sizes[i] + 1);
			uint32_t random = 7;
			struct slice back;

			for (size_t at = 0; at < sizes[i]; at++) {
				random = random * 1664525 + 1013904223;
				text[at] = noise ? (char)(random >> 24)
						 : facts[at % sizeof(facts)];
			}
			back = unpacked(
			    arena, store_pack(arena, slice_of(text, sizes[i])));
			assert_true(slice_eq(back, slice_of(text, sizes[i])));
			assert_int_equal(back.ptr[back.len], '\0');
		}
	arena_free(arena);
}

static void test_what_all_have_in_common(void **state)
{
	struct arena *arena = arena_new(0);
	struct slice packed = store_pack(arena, slice_from(facts));

	(void)state;
	assert_in_range(packed.len, 1, slice_from(facts).len / 2);
	arena_free(arena);
}

static void test_of_the_first_version(void **state)
{
	struct arena *arena = arena_new(0);
	struct slice packed = slice_of(packed_facts, sizeof(packed_facts) - 1);

	(void)state;
	assert_true(slice_eq(unpacked(arena, packed), slice_from(facts)));
	arena_free(arena);
}

/* A block that is nothing but a match of all of it (lz4_Block_format.md), and
 * the literals that each block ends with. */
static void test_dictionary_never_changes(void **state)
{
	enum { LENGTH = 3391, ENDS = 5, SHORTEST = 4, MORE = 15 };
	static const char ends[] = "@ends";
	static const struct hash_secret fixed = {1, 2};
	struct arena *arena = arena_new(0);
	struct buf *packed = buf_in_arena(arena, 100);
	const int length = LENGTH + ENDS;
	int rest = LENGTH - SHORTEST - MORE;
	struct slice text;

	(void)state;
	buf_add_byte(packed, (char)(length & 0xff));
	buf_add_byte(packed, (char)(length >> 8));
	buf_add(packed, slice_of("\0\0", 2));
	buf_add_byte(packed, MORE); /* no literals, a long match */
	buf_add_byte(packed, (char)(LENGTH & 0xff));
	buf_add_byte(packed, (char)(LENGTH >> 8));
	for (; rest >= 255; rest -= 255)
		buf_add_byte(packed, '\xff');
	buf_add_byte(packed, (char)rest);
	buf_add_byte(packed, ENDS << 4);
	buf_add_text(packed, ends);
	text = unpacked(arena, buf_slice(packed));
	assert_int_equal(text.len, length);
	assert_true(
	    slice_ends_nocase(text, SLICE("\"rcode\":\"NOERROR\"}]}@ends")));
	assert_int_equal(hash_bytes(&fixed, text), 4059996166);
	arena_free(arena);
}

static void test_damaged(void **state)
{
	static const char *const others[] = {"", "1", "123", "1234",
	    "\xff\xff\xff\xff\x01x", "\xff\xff\xff\x03\x01x"};
	struct arena *arena = arena_new(0);
	struct slice packed = store_pack(arena, slice_from(facts));
	char *damaged = arena_text(arena, packed);

	(void)state;
	for (size_t len = 0; len < packed.len; len++)
		assert_true(slice_eq(unpacked(arena, slice_sub(packed, 0, len)),
		    SLICE("untouched")));
	/* Another text or none, and never an octet outside. */
	for (size_t at = 0; at < packed.len * 8; at++) {
		damaged[at / 8] ^= (char)(1 << at % 8);
		unpacked(arena, slice_of(damaged, packed.len));
		damaged[at / 8] ^= (char)(1 << at % 8);
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_true(slice_eq(unpacked(arena, slice_from(others[i])),
		    SLICE("untouched")));
	arena_free(arena);
}

/* Facts of before, of now and damaged ones, as a reader finds them. */
static void test_in_the_store(void **state)
{
	struct place place = place_new("");
	struct store *store = open_place(&place);
	struct arena *arena = arena_new(0);
	struct store_trace trace = trace_new("T", 1000), *found;
	const struct store_query query = {.id = SLICE("T")};
	struct err err = {.kind = E_NONE};
	struct store_rows rows;
	size_t count;
	sqlite3 *db;

	(void)state;
	trace.facts = slice_from(facts);
	assert_true(store_put(store, &trace, NULL, deadline_in(5000), NULL));
	db = open_raw(&place);
	assert_true(
	    store_find_traces(store, arena, &query, &count, &found, NULL));
	assert_true(slice_eq(found->facts, trace.facts));

	run_raw(
	    db, "UPDATE trace_facts SET facts = '{\"old\":1}', packed = x''");
	assert_true(
	    store_find_traces(store, arena, &query, &count, &found, NULL));
	assert_true(slice_eq(found->facts, SLICE("{\"old\":1}")));

	/* The list does not need them. */
	run_raw(
	    db, "UPDATE trace_facts SET facts = '', packed = x'0102030405'");
	assert_false(
	    store_find_traces(store, arena, &query, &count, &found, &err));
	assert_int_equal(err.kind, E_IO);
	assert_non_null(strstr(err.text, "trace T are damaged"));
	assert_true(store_find_rows(store, arena, &query, &rows, NULL));
	assert_true(store_read_rows(store, arena, &rows, &count, &found, NULL));
	assert_int_equal(count, 1);

	sqlite3_close(db);
	store_close(store);
	arena_free(arena);
	place_remove(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_what_all_have_in_common),
	    cmocka_unit_test(test_of_the_first_version),
	    cmocka_unit_test(test_dictionary_never_changes),
	    cmocka_unit_test(test_damaged),
	    cmocka_unit_test(test_in_the_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
