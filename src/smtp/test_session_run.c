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
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/log.h"
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

/* A glance frees nothing that takes time. */
static void test_end(void **state)
{
	static const struct {
		const char *user;
		enum session_next glance;
	} cases[] = {
	    {"", SESSION_OVER},
	    {"ann", SESSION_WORKS},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct world world;

		set_up(&world);
		open_session(&world);
		assert_int_equal(session_glance(world.session), SESSION_WAITS);
		world.session->client.authenticated_as = slice_from(
		    cases[i].user);
		session_hang_up(world.session, "test");
		assert_int_equal(
		    session_glance(world.session), cases[i].glance);
		assert_int_equal(session_run(world.session), SESSION_OVER);
		tear_down(&world);
	}
}

static void say(const struct world *world, const char *text)
{
	assert_true(io_write_all(
	    world->peer, slice_from(text), deadline_in(5000), NULL));
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_end),
	    cmocka_unit_test(test_memory),
	};

	log_setup(LOG_ERROR, LOG_FORMAT_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
