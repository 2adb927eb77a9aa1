/* SPDX-License-Identifier: Apache-2.0 */
/* Content in pieces, straight into a message: the limits of lines and of memory
 * count octets, wherever a piece ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/log.h"
#include "message/content_memory.h"
#include "milter/milter_message.h"
#include "milter/protocol.h"
#include "milter/test_config.h"

enum {
	LINE_MAX_HERE = 12,
	AS_MUCH_AS_COMES = 1 << 24,
	HEADER_SIZE = sizeof("X-A: b\r\n\r\n") - 1,
};

struct play {
	struct config *config;
	struct milter_snapshot *snapshot;
	struct macros macros;
	struct milter_message *message;
};

static void begin_with(struct play *play, uint64_t content_memory,
    uint64_t message_size, uint64_t header_size)
{
	static const struct milter_client client = {0};
	static const struct milter_options options = {
	    .version = 6, .steps = SMFIP_HDR_LEADSPC};
	struct gate_context gate = {0};
	struct err err;

	play->config = test_config();
	play->config->limits.line_length = LINE_MAX_HERE;
	play->config->limits.content_memory = content_memory;
	play->config->limits.message_size = message_size;
	play->config->limits.header_size = header_size;
	gate.config = play->config;
	play->snapshot = milter_snapshot_new(&gate);
	macros_init(&play->macros);
	play->message = milter_message_new(play->snapshot, &client,
	    &play->macros, &options, SLICE("<a@b.example>\0"), &err);
	assert_non_null(play->message);
	milter_message_header(play->message, SLICE("X-A"), SLICE(" b"));
	milter_message_end_header(play->message);
}

static void begin(struct play *play, uint64_t content_memory)
{
	begin_with(play, content_memory, AS_MUCH_AS_COMES, AS_MUCH_AS_COMES);
}

static void end(struct play *play)
{
	milter_message_free(play->message);
	milter_snapshot_release(play->snapshot);
	macros_release(&play->macros);
	config_release(play->config);
}

/* The rest of a message that has failed need not come. */
static bool has_failed(const struct play *play)
{
	return milter_message_skips_body(play->message);
}

static bool is_refused(struct slice body, size_t first, size_t second)
{
	struct play play;
	bool failed;

	begin(&play, AS_MUCH_AS_COMES);
	milter_message_body(play.message, slice_sub(body, 0, first));
	milter_message_body(
	    play.message, slice_sub(body, first, second - first));
	milter_message_body(play.message, slice_from_pos(body, second));
	failed = has_failed(&play);
	end(&play);
	return failed;
}

/* What stands before and behind a line of each length, in every three pieces.
 */
static void test_lines(void **state)
{
	static const char *const around[] = {
	    "", "\r\n", "123456789012\r\n", "1\r\n\r\n12345\r\n1234567890\r\n"};
	static const char line[] = "abcdefghijklmnopqrstuvwxyz";
	char text[128];

	(void)state;
	for (size_t i = 0; i < 4; i++)
		for (size_t j = 0; j < 4; j++)
			for (int len = 0; len <= 2 * LINE_MAX_HERE + 2; len++) {
				int size = snprintf(text, sizeof(text),
				    "%s%.*s\r\n%s", around[i], len, line,
				    around[j]);
				struct slice body = slice_of(
				    text, (size_t)size);

				for (size_t a = 0; a <= body.len; a++)
					for (size_t b = a; b <= body.len;
					     b += 3)
						assert_int_equal(
						    is_refused(body, a, b),
						    len > LINE_MAX_HERE);
			}
}

/* As much as a message takes it may take; its header is in memory twice. */
static void test_memory(void **state)
{
	static const int64_t less_than_held[] = {0, 1};
	const struct slice piece = SLICE("0123456789\r\n");
	uint64_t nothing = 0, held, header;
	struct play play;

	(void)state;
	begin(&play, AS_MUCH_AS_COMES);
	header = content_memory_hold(&nothing, 0);
	assert_in_range(header, 4000, 10000);
	for (int i = 0; i < 1000; i++)
		milter_message_body(play.message, piece);
	held = content_memory_hold(&nothing, 0);
	assert_in_range(held, header + 1000, 64 * 1024);
	end(&play);
	for (size_t i = 0; i < 2; i++) {
		begin(&play, held - (uint64_t)less_than_held[i]);
		for (int j = 0; j < 1000; j++)
			milter_message_body(play.message, piece);
		assert_int_equal(has_failed(&play), less_than_held[i] > 0);
		end(&play);
		assert_int_equal(content_memory_hold(&nothing, 0), 0);
	}
}

/* What is over with the header alone has failed there. */
static void test_header(void **state)
{
	static const struct {
		uint64_t content_memory, message_size, header_size;
		bool fails;
	} rows[] = {
	    {AS_MUCH_AS_COMES, AS_MUCH_AS_COMES, AS_MUCH_AS_COMES, false},
	    {1, AS_MUCH_AS_COMES, AS_MUCH_AS_COMES, true},
	    {AS_MUCH_AS_COMES, HEADER_SIZE, AS_MUCH_AS_COMES, false},
	    {AS_MUCH_AS_COMES, HEADER_SIZE - 1, AS_MUCH_AS_COMES, true},
	    {AS_MUCH_AS_COMES, AS_MUCH_AS_COMES, HEADER_SIZE, false},
	    {AS_MUCH_AS_COMES, AS_MUCH_AS_COMES, HEADER_SIZE - 1, true},
	    {AS_MUCH_AS_COMES, AS_MUCH_AS_COMES, HEADER_SIZE - 3, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct play play;

		print_message("%zu\n", i);
		begin_with(&play, rows[i].content_memory, rows[i].message_size,
		    rows[i].header_size);
		assert_int_equal(has_failed(&play), rows[i].fails);
		end(&play);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_header),
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_memory),
	};

	log_setup(LOG_ERROR, LOG_FORMAT_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
