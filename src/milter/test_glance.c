/* SPDX-License-Identifier: Apache-2.0 */
/* What a glance takes and what it leaves to a thread; and what a session does
 * that is run before the store has told.  By hand: the calls of the server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "milter/packet.h"
#include "milter/test_stage.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define CONTENT ">LX-A| b|\n>N\n"

/* Sends the packets of a script; the session does nothing yet. */
static void put(const struct stage *stage, const char *script)
{
	struct slice rest = slice_from(script), line;
	struct buf text, octets;

	buf_init(&text, STAGE_REPLY_MAX);
	buf_init(&octets, STAGE_REPLY_MAX);
	while (rest.len) {
		slice_split(rest, '\n', &line, &rest);
		buf_clear(&text);
		stage_translate(slice_from_pos(line, 1), &text);
		packet_write(
		    &octets, text.ptr[0], slice_from_pos(buf_slice(&text), 1));
	}
	assert_int_equal(
	    send(stage->mta, octets.ptr, octets.len, 0), octets.len);
	buf_release(&text);
	buf_release(&octets);
}

static void test_what_a_glance_takes(void **state)
{
	static const struct {
		const char *before; /* played */
		const char *comes;
		bool draining;
		enum milter_session_result glance, run; /* run: if WORKS */
	} rows[] = {
	    {"", ">O\\00\\00\\00\\06\\00\\00\\00\\3f\\00\\1f\\ff\\ff\n", false,
		MILTER_SESSION_WAITS, 0},
	    {AGREE_6, CLIENT, false, MILTER_SESSION_WAITS, 0},
	    {AGREE_6, ">Q\n", false, MILTER_SESSION_OVER, 0},
	    /* No command of ours, and what is not at its place. */
	    {AGREE_6, ">z\n", false, MILTER_SESSION_OVER, 0},
	    {"", CLIENT, false, MILTER_SESSION_OVER, 0},
	    /* A message. */
	    {AGREE_6 CLIENT, ">M<a@b.example>|\n", false, MILTER_SESSION_WORKS,
		MILTER_SESSION_WAITS},
	    {AGREE_6 CLIENT, ENVELOPE, false, MILTER_SESSION_WORKS,
		MILTER_SESSION_WAITS},
	    {START, ">Q\n", false, MILTER_SESSION_WORKS, MILTER_SESSION_OVER},
	    {START, CONTENT, false, MILTER_SESSION_WORKS, MILTER_SESSION_WAITS},
	    /* The end. */
	    {AGREE_6, CLIENT, true, MILTER_SESSION_WORKS, MILTER_SESSION_OVER},
	    {START, CONTENT, true, MILTER_SESSION_WORKS, MILTER_SESSION_WAITS},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct stage stage;

		print_message("%zu\n", i);
		stage_open(&stage);
		stage_play(&stage, rows[i].before);
		atomic_store(&stage.draining, rows[i].draining);
		put(&stage, rows[i].comes);
		assert_int_equal(
		    milter_session_glance(stage.session), rows[i].glance);
		if (rows[i].glance == MILTER_SESSION_WORKS)
			assert_int_equal(
			    milter_session_run(stage.session), rows[i].run);
		stage_close(&stage);
	}
}

/* So many commands, each of which is answered, to an MTA that reads nothing
 * yet.  True: all answers are on their way. */
static bool glance_at(size_t commands)
{
	const int little = 1;
	enum { ANSWER_SIZE = 5 };
	enum milter_session_result result;
	char memory[4096];
	struct stage stage;
	struct buf octets;
	ssize_t heard;

	buf_init(&octets, commands * 8);
	for (size_t i = 0; i < commands; i++)
		packet_write(&octets, 'U', SLICE("x\0"));
	stage_open(&stage);
	setsockopt(milter_session_fd(stage.session), SOL_SOCKET, SO_SNDBUF,
	    &little, sizeof(little));
	stage_play(&stage, AGREE_2);
	assert_int_equal(
	    send(stage.mta, octets.ptr, octets.len, 0), octets.len);
	result = milter_session_glance(stage.session);
	heard = recv(stage.mta, memory, sizeof(memory), 0);
	if (result == MILTER_SESSION_WAITS)
		assert_int_equal(heard, commands * ANSWER_SIZE);
	else
		assert_int_equal(result, MILTER_SESSION_WORKS);
	stage_close(&stage);
	buf_release(&octets);
	return result == MILTER_SESSION_WAITS;
}

/* An MTA that does not read keeps a thread waiting, not the accepting one; and
 * no answer is left behind. */
static void test_unread_answers(void **state)
{
	enum { MANY = 200 };
	size_t fits = 1;

	(void)state;
	while (fits < MANY && glance_at(fits))
		fits++;
	assert_in_range(fits, 2, MANY - 1);
}

/* Decided, and on its way to the store. */
static void begin_commit(struct stage *stage, const char *fields)
{
	stage_open(stage);
	stage_play(stage, START);
	put(stage, fields);
	put(stage, ">N\n>E\n");
	assert_int_equal(
	    milter_session_glance(stage->session), MILTER_SESSION_WORKS);
	assert_int_equal(
	    milter_session_run(stage->session), MILTER_SESSION_COMMITS);
}

/* The store is done; next is what a glance at the answer says. */
static void tell_committed(struct stage *stage, enum milter_session_result next)
{
	assert_true(atomic_exchange(&stage->committed, false));
	milter_session_committed(stage->session);
	assert_int_equal(milter_session_glance(stage->session), next);
}

static void test_answer_of_a_glance(void **state)
{
	struct stage stage;

	(void)state;
	begin_commit(&stage, ">LX-A| b|\n");
	tell_committed(&stage, MILTER_SESSION_WAITS);
	stage_hear(&stage);
	stage_play(&stage, "<c\n%");
	stage_close(&stage);

	/* A body may be more than the MTA takes at once. */
	begin_commit(&stage, ">LX-Body| 2 line|\n");
	tell_committed(&stage, MILTER_SESSION_WORKS);
	assert_int_equal(
	    milter_session_run(stage.session), MILTER_SESSION_WAITS);
	stage_hear(&stage);
	stage_play(&stage, "<bline~line~\n<c\n%");
	stage_close(&stage);
}

static void await_deadline(const struct stage *stage)
{
	while (!deadline_passed(milter_session_wakes_at(stage->session)))
		usleep(1000);
}

/* Woken for nothing it waits on; when its time has come the message is given
 * up, unless the store is at it: then it tells, and is asked no more. */
static void test_before_the_store_tells(void **state)
{
	struct stage stage;

	(void)state;
	begin_commit(&stage, ">LX-Commit| never|\n");
	if (!deadline_passed(milter_session_wakes_at(stage.session)))
		assert_int_equal(
		    milter_session_run(stage.session), MILTER_SESSION_COMMITS);
	await_deadline(&stage);
	assert_int_equal(
	    milter_session_run(stage.session), MILTER_SESSION_WAITS);
	stage_hear(&stage);
	stage_play(&stage, "<y451 4.3.0 not stored|\n%");
	stage_close(&stage);

	begin_commit(&stage, ">LX-Commit| late|\n");
	await_deadline(&stage);
	assert_int_equal(
	    milter_session_run(stage.session), MILTER_SESSION_COMMITS);
	assert_int_equal(
	    milter_session_wakes_at(stage.session).at_ms, INT64_MAX);
	tell_committed(&stage, MILTER_SESSION_WAITS);
	stage_hear(&stage);
	stage_play(&stage, "<c\n%");
	stage_close(&stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_a_glance_takes),
	    cmocka_unit_test(test_unread_answers),
	    cmocka_unit_test(test_answer_of_a_glance),
	    cmocka_unit_test(test_before_the_store_tells),
	};

	log_setup(LOG_ERROR, LOG_FORMAT_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
