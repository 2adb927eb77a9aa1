/* SPDX-License-Identifier: Apache-2.0 */
/* At every step of a session: silence, garbage, the end of the message. */
#include "milter/test_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "milter/packet.h"

/* The linker's names: --wrap=clock_gettime. */
/* NOLINTBEGIN(cert-dcl37-c,cert-dcl51-cpp) */
int __real_clock_gettime(clockid_t id, struct timespec *ret);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret);
/* NOLINTEND(cert-dcl37-c,cert-dcl51-cpp) */

static time_t skipped_s;

int __wrap_clock_gettime(clockid_t id, struct timespec *ret)
{
	int result = __real_clock_gettime(id, ret);

	ret->tv_sec += skipped_s;
	return result;
}

/* An MTA that falls silent: for long only where it may wait for its client. */
static void test_silence(void **state)
{
	static const struct {
		const char *script;
		bool may_wait;
	} rows[] = {
	    {"", false},
	    {AGREE_6, true},
	    {AGREE_6 CLIENT, true},
	    {AGREE_6 CLIENT ">M<a@b.example>|\n", true},
	    {START, true},
	    {START ">LFrom| x|\n", false},
	    {START ">N\n", false},
	    {START ">N\n>Bx~\n", false},
	    {START ">Bx~\n", false},
	    {START ">N\n>Bx~\n>E\n<c\n", true},
	    {START ">N\n>A\n", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct stage stage;

		stage_open(&stage);
		stage.config->limits.data_timeout = 30;
		stage_hear(&stage);
		stage_play(&stage, rows[i].script);
		usleep(40 * 1000);
		stage_run(&stage);
		print_message("%zu\n", i);
		assert_int_equal(stage.over, !rows[i].may_wait);
		stage_close(&stage);
	}
}

/* Nor amid a packet, wherever that comes. */
static void test_silence_amid_packet(void **state)
{
	static const char *const scripts[] = {"", AGREE_6, AGREE_6 CLIENT,
	    START, START ">LFrom| x|\n>N\n>E\n<c\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(scripts) / sizeof(*scripts); i++)
		for (size_t len = 1; len < 6; len++) {
			struct stage stage;

			stage_open(&stage);
			stage.config->limits.data_timeout = 30;
			stage_play(&stage, scripts[i]);
			stage_say(
			    &stage, slice_sub(SLICE("\0\0\0\6UXYZ"), 0, len));
			assert_false(stage.over);
			usleep(40 * 1000);
			stage_run(&stage);
			assert_true(stage.over);
			stage_close(&stage);
		}
}

/* Where it may wait: for two hours, and what comes at their end came in time.
 */
static void test_long_silence(void **state)
{
	enum { HOURS_2 = 7200 };
	static const char *const scripts[] = {
	    AGREE_6, AGREE_6 CLIENT, START, START ">N\n>Bx~\n>E\n<c\n"};
	static const struct {
		time_t s;
		const char *comes;
		bool over;
	} rows[] = {
	    {HOURS_2 - 2, "", false},
	    {HOURS_2, "", true},
	    {HOURS_2, ">DCx|y|\n", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(scripts) / sizeof(*scripts); i++)
		for (size_t j = 0; j < sizeof(rows) / sizeof(*rows); j++) {
			struct stage stage;

			print_message("%zu, %zu\n", i, j);
			stage_open(&stage);
			stage_play(&stage, scripts[i]);
			assert_in_range(
			    milter_session_wakes_at(stage.session).at_ms,
			    deadline_in((HOURS_2 - 60) * 1000).at_ms,
			    deadline_in(HOURS_2 * 1000).at_ms);
			skipped_s += rows[j].s;
			stage_play(&stage, rows[j].comes);
			stage_run(&stage);
			assert_int_equal(stage.over, rows[j].over);
			stage_close(&stage);
			skipped_s = 0;
		}
}

/* Every packet of a session, each with its head. */
static size_t split_dialogue(
    const char *dialogue, struct buf *out, size_t *ret_ends, size_t room)
{
	struct slice rest = slice_from(dialogue);
	size_t count = 0;

	while (rest.len) {
		struct slice line;
		struct buf text;

		slice_split(rest, '\n', &line, &rest);
		if (line.len == 0 || line.ptr[0] != '>')
			continue;
		assert_true(count < room);
		buf_init(&text, STAGE_REPLY_MAX);
		stage_translate(slice_from_pos(line, 1), &text);
		packet_write(
		    out, text.ptr[0], slice_from_pos(buf_slice(&text), 1));
		buf_release(&text);
		ret_ends[count++] = out->len;
	}
	return count;
}

#define WHOLE                                                                  \
	START ">DMi|Q|\n" ENVELOPE                                             \
	      ">DRx|y|\n>LX-Edit| yes|\n>LFrom| x|\n>N\n>Bbody~\n>Bbody~\n"

/* What no MTA sends ends the session at every step, unanswered. */
static void test_malformed_everywhere(void **state)
{
	static const struct slice rows[] = {
	    SLICE_INIT("\0\0\0\0"),
	    SLICE_INIT("\0\x10\0\1B"), /* PACKET_MAX + 1 */
	    SLICE_INIT("\xff\xff\xff\xffM"),
	    SLICE_INIT("EHLO x\r\n"),
	    SLICE_INIT("\0\0\0\1z"),
	    SLICE_INIT("\0\0\0\1\0"),
	    SLICE_INIT("\0\0\0\1O"),
	    SLICE_INIT("\0\0\0\xcO\0\0\0\6\0\0\0\x3f\0\x1f\xff"),
	    SLICE_INIT("\0\0\0\1C"),
	    SLICE_INIT("\0\0\0\3Ca\0"),
	    SLICE_INIT("\0\0\0\4Ca\0004"),
	    SLICE_INIT("\0\0\0\6Ca\0004\0\x19"),
	    SLICE_INIT("\0\0\0\x0f"
		       "Ca\0004\0\x19"
		       "192.0.2.1"),
	    SLICE_INIT("\0\0\0\x11"
		       "Ca\0004\0\x19"
		       "192.0.2.1\0x"),
	    SLICE_INIT("\0\0\0\7Ca\0004\0\x19\0"),
	    SLICE_INIT("\0\0\0\1H"),
	    SLICE_INIT("\0\0\0\2Hx"),
	    SLICE_INIT("\0\0\0\4Hx\0y"),
	    SLICE_INIT("\0\0\0\1M"),
	    SLICE_INIT("\0\0\0\5M<a@b"),
	    SLICE_INIT("\0\0\0\1R"),
	    SLICE_INIT("\0\0\0\5R<a@b"),
	    SLICE_INIT("\0\0\0\1L"),
	    SLICE_INIT("\0\0\0\3LX\0"),
	    SLICE_INIT("\0\0\0\4LX\0y"),
	    SLICE_INIT("\0\0\0\6LX\0y\0z"),
	    SLICE_INIT("\0\0\0\1D"),
	    SLICE_INIT("\0\0\0\3DMi"),
	    SLICE_INIT("\0\0\0\4DMi\0"),
	    SLICE_INIT("\0\0\0\5DMi\0x"),
	};
	size_t ends[64], count, cut;
	struct buf octets;

	(void)state;
	buf_init(&octets, STAGE_REPLY_MAX);
	count = split_dialogue(WHOLE, &octets, ends, 64);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		for (size_t step = 0; step <= count; step++) {
			struct stage stage;

			cut = step ? ends[step - 1] : 0;
			stage_open(&stage);
			stage_say(
			    &stage, slice_sub(buf_slice(&octets), 0, cut));
			assert_false(stage.over);
			stage.read = stage.heard.len;
			stage_say(&stage, rows[i]);
			if (!stage.over || stage.read != stage.heard.len)
				print_message("row %zu, step %zu\n", i, step);
			assert_true(stage.over);
			assert_int_equal(stage.read, stage.heard.len);
			stage_close(&stage);
		}
	buf_release(&octets);
}

/* A client that goes away, or a message that the MTA itself gives up: whatever
 * was said before, the next message is judged alone. */
static void test_abort_everywhere(void **state)
{
	static const char *const aborts[] = {
	    ">A\n", ">K\n" CLIENT, ">Hagain.example|\n", ">DMi|Q2|\n"};
	size_t ends[64], count;
	struct buf octets;

	(void)state;
	buf_init(&octets, STAGE_REPLY_MAX);
	count = split_dialogue(
	    WHOLE ">LX-Verdict| reject|\n", &octets, ends, 64);
	for (size_t i = 0; i < sizeof(aborts) / sizeof(*aborts); i++)
		/* From the client on: options, connect, HELO. */
		for (size_t step = 3; step <= count; step++) {
			struct stage stage;

			stage_open(&stage);
			stage_say(&stage,
			    slice_sub(buf_slice(&octets), 0, ends[step - 1]));
			stage.read = stage.heard.len;
			stage_play(&stage, aborts[i]);
			stage_play(&stage,
			    "%\n" ENVELOPE ">LFrom| x|\n>N\n>Bx~\n>E\n<c\n%");
			stage_close(&stage);
		}
	buf_release(&octets);
}

/* The largest packet that is negotiable anywhere: a piece of 1 MiB - 1. */
static void test_largest_packet(void **state)
{
	struct stage stage;
	struct buf octets;
	char *piece;

	(void)state;
	buf_init(&octets, PACKET_MAX + 4);
	piece = buf_reserve(&octets, PACKET_MAX + 4);
	memcpy(piece, "\0\x10\0\0B", 5);
	for (size_t i = 5; i < PACKET_MAX + 4; i++)
		piece[i] = i % 80 == 3 ? '\r' : i % 80 == 4 ? '\n' : 'x';
	buf_grown(&octets, PACKET_MAX + 4);
	stage_open(&stage);
	stage.config->limits.message_size = 4 * PACKET_MAX;
	stage_play(&stage, START ">LFrom| x|\n>N\n");
	stage_say(&stage, buf_slice(&octets));
	stage_say(&stage, buf_slice(&octets));
	stage_play(&stage, ">E\n<c\n%");
	stage_close(&stage);
	buf_release(&octets);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_silence),
	    cmocka_unit_test(test_silence_amid_packet),
	    cmocka_unit_test(test_long_silence),
	    cmocka_unit_test(test_malformed_everywhere),
	    cmocka_unit_test(test_abort_everywhere),
	    cmocka_unit_test(test_largest_packet),
	};

	log_setup(LOG_ERROR, LOG_FORMAT_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
