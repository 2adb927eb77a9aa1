/* SPDX-License-Identifier: Apache-2.0 */
/* What session_glance and session_run return, and what a session keeps while
 * it waits: called by hand, on one thread.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_end),
	};

	log_setup(LOG_ERROR, LOG_FORMAT_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
