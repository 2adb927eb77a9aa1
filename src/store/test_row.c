/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept of a row's texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/store_test.h"

/* A sender's fields may have half a megabyte. */
static void test_long_text(void **state)
{
	enum { LENGTH = 100000 };
	struct place place = place_new("");
	struct store *store = open_place(&place);
	struct arena *arena = arena_new(0);
	struct slice text = arena_format_slice(
	    arena, "<%0*d@sender.example>", LENGTH, 1);
	const struct store_trace trace = {.id = SLICE("L"),
	    .message_id = text,
	    .subject = text,
	    .header_from = text,
	    .reply = text,
	    .facts = text};
	struct store_query query = {.message_id = text};
	struct store_trace *found;
	size_t count;

	(void)state;
	assert_true(store_put(store, &trace, NULL, deadline_in(5000), NULL));
	/* By what was sent, and by what is told. */
	for (int i = 0; i < 2; i++) {
		assert_true(store_find_traces(
		    store, arena, &query, &count, &found, NULL));
		assert_int_equal(count, 1);
		assert_int_equal(found->message_id.len, STORE_TEXT_MAX);
		query.message_id = found->message_id;
	}
	assert_int_equal(found->subject.len, STORE_TEXT_MAX);
	assert_int_equal(found->header_from.len, STORE_TEXT_MAX);
	assert_int_equal(found->reply.len, STORE_TEXT_MAX);
	assert_int_equal(found->facts.len, text.len);
	store_close(store);
	arena_free(arena);
	place_remove(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_long_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
