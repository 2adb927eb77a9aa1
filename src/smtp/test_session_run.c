/* SPDX-License-Identifier: Apache-2.0 */
/* What session_glance and session_run return, and what a session keeps while
 * it waits: called by hand, on one thread.
 */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/log.h"
#include "smtp/fake_delivery.h"
#include "smtp/session_fixture.h"
#include "smtp/session_private.h"

struct world {
	struct session_fixture fixture;
	struct session *session;
	int peer;
};

static void set_up(struct world *world)
{
	session_fixture_begin(&world->fixture);
	world->fixture.route.text = SLICE("smtp:[127.0.0.1]:25");
}

static void open_session(struct world *world)
{
	world->session = session_fixture_open(&world->fixture, &world->peer);
}

static void tear_down(struct world *world)
{
	session_free(world->session);
	close(world->peer);
	session_fixture_end(&world->fixture);
}

static void say(const struct world *world, const char *text)
{
	assert_true(io_write_all(
	    world->peer, slice_from(text), deadline_in(5000), NULL));
}

static void take_answer(struct session *session, struct slice line)
{
	(void)line;
	session->continuation = NULL;
}

/* What answers a command of two lines is no command: no glance takes it, and a
 * line that is too long, or has a NUL, ends it. */
static void test_continuation(void **state)
{
	static const struct {
		const char *words;
		size_t len; /* 0: up to the NUL */
		enum session_next glance;
	} cases[] = {
	    {"NOOP\r\n", 0, SESSION_WORKS},
	    {"NOOP\0\r\n", 7, SESSION_WORKS},
	    {"NOOP NOOP NOOP NOOP NOOP NOOP NOOP NOOP\r\n", 0, SESSION_WORKS},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t len = cases[i].len ? cases[i].len
					  : strlen(cases[i].words);
		struct world world;

		print_message("case %zu\n", i);
		set_up(&world);
		world.fixture.config->limits.command_length = 30;
		open_session(&world);
		assert_int_equal(session_glance(world.session), SESSION_WAITS);
		world.session->continuation = take_answer;
		assert_true(io_write_all(world.peer,
		    slice_of(cases[i].words, len), deadline_in(5000), NULL));
		assert_int_equal(
		    session_glance(world.session), cases[i].glance);
		assert_int_equal(session_run(world.session), SESSION_WAITS);
		assert_null(world.session->continuation);
		tear_down(&world);
	}
}

/* What the server has said; all of it is taken. */
static struct slice hear(const struct world *world, char *memory, size_t size)
{
	ssize_t count = recv(world->peer, memory, size, MSG_DONTWAIT);

	return slice_of(memory, count > 0 ? (size_t)count : 0);
}

/* A command that has come is answered before the end. */
static void test_draining(void **state)
{
	static const struct {
		const char *words, *replies;
		bool over;
	} cases[] = {
	    {"", "421 4.3.2 shutting down\r\n", true},
	    {"NOOP\r\n", "250 2.0.0 ok\r\n421 4.3.2 shutting down\r\n", true},
	    {"HELO x\r\nMAIL FROM:<a@b.example>\r\n",
		"250 mx.example\r\n250 2.1.0 sender ok\r\n"
		"421 4.3.2 shutting down\r\n",
		true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char memory[4096];
		struct world world;

		print_message("case %zu\n", i);
		set_up(&world);
		open_session(&world);
		assert_int_equal(session_glance(world.session), SESSION_WAITS);
		hear(&world, memory, sizeof(memory));
		atomic_store(&world.fixture.draining, true);
		say(&world, cases[i].words);
		if (session_glance(world.session) == SESSION_WORKS)
			session_run(world.session);
		assert_int_equal(world.session->over, cases[i].over);
		assert_true(slice_eq(hear(&world, memory, sizeof(memory)),
		    slice_from(cases[i].replies)));
		tear_down(&world);
	}
}

/* A glance frees nothing that takes time. */
static void test_end(void **state)
{
	static const struct {
		const char *user, *words;
		enum session_next glance;
	} cases[] = {
	    {"", "HELO x\r\n", SESSION_OVER},
	    {"ann", "", SESSION_WORKS},
	    {"", "HELO x\r\nMAIL FROM:<a@b.example>\r\n", SESSION_WORKS},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct world world;

		set_up(&world);
		open_session(&world);
		say(&world, cases[i].words);
		assert_int_equal(session_run(world.session), SESSION_WAITS);
		world.session->client.authenticated_as = slice_from(
		    cases[i].user);
		session_hang_up(world.session, "test");
		assert_int_equal(
		    session_glance(world.session), cases[i].glance);
		assert_int_equal(session_run(world.session), SESSION_OVER);
		tear_down(&world);
	}
}

/* As if the session had been where it is for so long. */
static void age(struct world *world, int64_t ms)
{
	struct session *session = world->session;

	if (session->until.at_ms != DEADLINE_NEVER.at_ms)
		session->until.at_ms -= ms;
	if (session->silent_until.at_ms != DEADLINE_NEVER.at_ms)
		session->silent_until.at_ms -= ms;
	if (session->incoming && session->incoming->started_ms)
		session->incoming->started_ms -= ms;
	if (session->ready_ms)
		session->ready_ms -= ms;
}

/* A session of that data_rate in which before was said and answered. */
static void begin(struct world *world, uint64_t data_rate, const char *before)
{
	set_up(world);
	world->fixture.config->limits.data_rate = data_rate;
	open_session(world);
	assert_int_equal(session_glance(world->session), SESSION_WAITS);
	say(world, before);
	if (session_glance(world->session) == SESSION_WORKS)
		assert_int_equal(session_run(world->session), SESSION_WAITS);
}

/* What a client has sent counts, though its deadline has passed before there is
 * a thread to read it; then it waits no longer for one that drips. */
static void test_late(void **state)
{
	enum { LATE_MS = 400 * 1000 };
	static const struct {
		const char *before; /* until it waits */
		const char *words;
		int64_t comes_ms, starts_ms; /* after so long; and its thread */
		enum session_next next;	     /* SESSION_OVER: with 421 */
	} cases[] = {
	    {"", "HELO x\r\n", LATE_MS, 0, SESSION_WAITS},
	    {"", "HELO", LATE_MS, 0, SESSION_OVER},
	    {"", "", LATE_MS, 0, SESSION_OVER},
	    {"", "MAIL", 0, LATE_MS, SESSION_WAITS},
	    {"HELO x\r\n", "MAIL FROM:<>\r\nRC", 0, LATE_MS, SESSION_WAITS},
	    {"HELO x\r\n", "MAIL FROM:<>\r\nRC", LATE_MS, 0, SESSION_WAITS},
	    /* The rate counts after 30 seconds: here 10 octets a second. */
	    {"HELO x\r\nBDAT 9000\r\n", "0123456789", 29000, 0, SESSION_WAITS},
	    {"HELO x\r\nBDAT 9000\r\n", "0123456789", 30500, 0, SESSION_WAITS},
	    {"HELO x\r\nBDAT 9000\r\n", "0123456789", 31500, 0, SESSION_OVER},
	    {"HELO x\r\nBDAT 9000\r\n", "", 30500, 0, SESSION_OVER},
	    {"HELO x\r\nBDAT 9000\r\n", "0", 0, LATE_MS, SESSION_WAITS},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct world world;
		enum session_next next;

		print_message("case %zu\n", i);
		begin(&world, 10, cases[i].before);
		age(&world, cases[i].comes_ms);
		say(&world, cases[i].words);
		next = session_glance(world.session);
		age(&world, cases[i].starts_ms);
		if (next == SESSION_WORKS)
			next = session_run(world.session);
		assert_int_equal(next, cases[i].next);
		assert_true(next != SESSION_OVER || world.session->over);
		tear_down(&world);
	}
}

/* Fills the connection with what a client sends without a pause. */
static void pour(const struct world *world)
{
	char octets[4096];

	memset(octets, 'x', sizeof(octets));
	while (send(world->peer, octets, sizeof(octets), MSG_DONTWAIT) > 0)
		;
}

static int count_unread(const struct world *world)
{
	int count = 0;

	assert_int_equal(
	    ioctl(session_fd(world->session), FIONREAD, &count), 0);
	return count;
}

/* Bytes that never end outrun no deadline: some of those that are there when it
 * has passed are taken, not all. */
static void test_endless(void **state)
{
	enum { LATE_MS = 400 * 1000 };
	static const struct {
		const char *before;
		bool whole; /* limits.session_timeout */
		bool ends;
	} cases[] = {
	    {"", false, true},
	    {"", true, true},
	    {"HELO x\r\nBDAT 9000000\r\n", true, true},
	    {"HELO x\r\nBDAT 9000000\r\n", false, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct world world;

		print_message("case %zu\n", i);
		begin(&world, 1, cases[i].before);
		if (cases[i].whole)
			world.session->ends_at.at_ms = clock_monotonic_ms();
		else if (cases[i].ends)
			age(&world, LATE_MS);
		pour(&world);
		if (session_glance(world.session) == SESSION_WORKS)
			session_run(world.session);
		assert_int_equal(world.session->over, cases[i].ends);
		if (cases[i].ends)
			assert_true(count_unread(&world) > 0);
		else
			assert_int_equal(count_unread(&world), 0);
		tear_down(&world);
	}
}

enum { UNREAD_COMMANDS = 1500, UNREAD_ROOM = 1 << 20 };

/* Many refused recipients, then last; the kernel keeps little of the replies.
 */
static void say_unread(struct world *world, const char *last)
{
	const int little = 1;
	struct buf commands;

	world->fixture.config->limits.refused_recipients = UNREAD_COMMANDS + 1;
	open_session(world);
	setsockopt(session_fd(world->session), SOL_SOCKET, SO_SNDBUF, &little,
	    sizeof(little));
	buf_init(&commands, UNREAD_ROOM);
	buf_add_text(&commands, "HELO x\r\nMAIL FROM:<a@b.example>\r\n");
	for (int i = 0; i < UNREAD_COMMANDS; i++)
		buf_add_text(&commands, "RCPT TO:<unknown@agency.example>\r\n");
	buf_add_text(&commands, last);
	say(world, commands.ptr);
	buf_release(&commands);
}

/* A client that does not read: no more is done for it than fits.  When it reads
 * it hears all of it, the last words too, and may fall behind again. */
static void test_unread(void **state)
{
	enum { UNSENT_MAX = 4096, REPLY_MAX = 512 };
	static const struct {
		const char *last, *hears;
		enum session_next next;
	} cases[] = {
	    {"NOOP\r\n", "\r\n250 2.0.0 ok\r\n", SESSION_WAITS},
	    {"QUIT\r\n", "\r\n221 ", SESSION_OVER},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		enum session_next next;
		struct world world;
		struct buf heard;
		char memory[4096];

		set_up(&world);
		say_unread(&world, cases[i].last);
		assert_int_equal(session_run(world.session), SESSION_WAITS);
		assert_in_range(stream_unsent(world.session->stream), 1,
		    UNSENT_MAX + REPLY_MAX);
		assert_true(world.session->output_until.at_ms > 0);
		assert_false(session_may_end(world.session));
		buf_init(&heard, UNREAD_ROOM);
		do {
			buf_add(&heard, hear(&world, memory, sizeof(memory)));
			next = session_run(world.session);
		} while (next != SESSION_OVER &&
			 stream_unsent(world.session->stream));
		assert_int_equal(next, cases[i].next);
		assert_int_equal(world.session->output_until.at_ms, 0);
		buf_add(&heard, hear(&world, memory, sizeof(memory)));
		assert_true(slice_find_slice(buf_slice(&heard),
				slice_from(cases[i].hears)) < heard.len);
		buf_release(&heard);
		tear_down(&world);
	}
}

/* What a client sends behind our last words is dropped, but not for ever. */
static void test_rest(void **state)
{
	enum { REST_MS = 10 * 1000 };
	static const struct {
		int64_t ms;
		enum session_next next;
	} cases[] = {
	    {REST_MS - 500, SESSION_WAITS},
	    {REST_MS, SESSION_OVER},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct world world;

		set_up(&world);
		world.fixture.config->limits.tarpit_delay = 2000;
		open_session(&world);
		assert_int_equal(session_glance(world.session), SESSION_WAITS);
		say(&world, "NOOP\n");
		assert_int_equal(session_glance(world.session), SESSION_WAITS);
		assert_in_range(session_wakes_at(world.session).at_ms,
		    clock_monotonic_ms() + REST_MS - 1000,
		    clock_monotonic_ms() + REST_MS);
		world.session->rest_until.at_ms -= cases[i].ms;
		say(&world, "NOOP\n");
		assert_int_equal(session_glance(world.session), cases[i].next);
		tear_down(&world);
	}
}

/* The rest of a line that is too long is dropped, up to a limit of its own;
 * what stands behind it is not counted with it. */
static void test_long_line(void **state)
{
	enum { TOO_MUCH = 65536 };
	static char line[TOO_MUCH];
	static const struct {
		int len;
		const char *end;
		uint64_t content; /* that came before */
		enum session_next next;
		bool over;
	} cases[] = {
	    {30000, "", 0, SESSION_WAITS, false},
	    {30000, "", TOO_MUCH, SESSION_WAITS, false},
	    {30000, "\r\nNOOP\r\n", TOO_MUCH, SESSION_WAITS, false},
	    {TOO_MUCH - 1, "", 0, SESSION_WAITS, true},
	};

	(void)state;
	memset(line, 'x', sizeof(line) - 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct world world;

		print_message("case %zu\n", i);
		set_up(&world);
		open_session(&world);
		assert_int_equal(session_glance(world.session), SESSION_WAITS);
		world.session->bytes = cases[i].content;
		say(&world, line + TOO_MUCH - 1 - cases[i].len);
		session_run(world.session);
		say(&world, "xx");
		say(&world, cases[i].end);
		assert_int_equal(session_run(world.session), cases[i].next);
		assert_int_equal(world.session->over, cases[i].over);
		if (!cases[i].over)
			assert_int_equal(
			    world.session->bytes, cases[i].content);
		tear_down(&world);
	}
}

static size_t memory_in_use(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

/* A session keeps no large buffers while it waits: for its client, until a
 * refusal has been held back, or for a thread. */
static void test_memory(void **state)
{
	enum { LITTLE = 16384, CHUNK = 200000, PIECE = 20000 };
	static const struct {
		const char *words;
		int pieces;
		enum session_next next;
	} cases[] = {
	    {"HELO x\r\nBDAT 200000\r\n", CHUNK / PIECE - 1, SESSION_WAITS},
	    {"HELO x\r\nBDAT 200000\r\n", CHUNK / PIECE, SESSION_SLEEPS},
	    {"HELO x\r\nHELP\r\nNOOP\r\n", 0, SESSION_WAITS},
	    {"HELO x\r\nMAIL FROM:<>\r\n", 0, SESSION_WORKS},
	};
	char piece[PIECE + 1];

	(void)state;
	memset(piece, 'x', PIECE);
	piece[PIECE] = '\0';
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct world world;
		enum session_next next;
		size_t before;

		set_up(&world);
		world.fixture.config->limits.tarpit_delay = 60 * 1000;
		open_session(&world);
		assert_int_equal(session_glance(world.session), SESSION_WAITS);
		before = memory_in_use();
		say(&world, cases[i].words);
		next = session_glance(world.session);
		for (int j = 0; j < cases[i].pieces; j++) {
			say(&world, piece);
			next = session_run(world.session);
		}
		assert_int_equal(next, cases[i].next);
		if (next == SESSION_WORKS)
			session_shrink(world.session);
		assert_in_range(memory_in_use(), 0, before + LITTLE);
		tear_down(&world);
	}
}

/* DATA is said before the record is made, unless it will hardly be followed by
 * the message. */
static void test_announced(void **state)
{
	static const struct {
		const char *field;
		unsigned int announced;
	} cases[] = {
	    {"Subject: x", 1},
	    {"X-Commit: fail", 1},
	    {"X-Stalled: yes", 0},
	    {"X-Verdict: reject", 0},
	    {"X-Verdict: quarantine", 0},
	    {"X-Add: new@agency.example", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		unsigned int before = fake_announced_count();
		struct world world;

		set_up(&world);
		open_session(&world);
		say(&world, "HELO x\r\nMAIL FROM:<a@b.example>\r\n"
			    "RCPT TO:<user@agency.example>\r\nDATA\r\n");
		assert_int_equal(session_run(world.session), SESSION_WAITS);
		say(&world, cases[i].field);
		say(&world, "\r\n\r\n.\r\nQUIT\r\n");
		while (session_run(world.session) != SESSION_OVER)
			;
		assert_int_equal(
		    fake_announced_count() - before, cases[i].announced);
		tear_down(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_continuation),
	    cmocka_unit_test(test_draining),
	    cmocka_unit_test(test_end),
	    cmocka_unit_test(test_late),
	    cmocka_unit_test(test_endless),
	    cmocka_unit_test(test_unread),
	    cmocka_unit_test(test_rest),
	    cmocka_unit_test(test_long_line),
	    cmocka_unit_test(test_memory),
	    cmocka_unit_test(test_announced),
	};

	log_setup(LOG_ERROR, LOG_FORMAT_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
