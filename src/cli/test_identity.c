/* SPDX-License-Identifier: Apache-2.0 */
/* What is left of root: the calls, which are taken here instead of by libc. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/identity.h"

enum { UID = 4711, GID = 4712, GROUP = 4713, NO_FAILURE = -1 };

static char calls[256];

/* The world of a case: who we are, whom there is, which call fails. */
static struct world {
	uid_t me;
	bool no_user, no_group, is_root;
	int fails; /* of the calls below, this one */
	int called;
	bool comes_back;
} world;

static int note(const char *call, const char *name, unsigned int id)
{
	size_t used = strlen(calls);

	snprintf(calls + used, sizeof(calls) - used, "%s(%s%s%u) ", call, name,
	    *name ? "," : "", id);
	if (world.called++ != world.fails)
		return 0;
	errno = EPERM;
	return -1;
}

uid_t geteuid(void)
{
	return world.me;
}

struct passwd *getpwnam(const char *name)
{
	static struct passwd entry;

	assert_string_equal(name, "scanner");
	entry.pw_uid = world.is_root ? 0 : UID;
	entry.pw_gid = GID;
	return world.no_user ? NULL : &entry;
}

struct group *getgrnam(const char *name)
{
	static struct group entry = {.gr_gid = GROUP};

	assert_string_equal(name, "mail");
	return world.no_group ? NULL : &entry;
}

int initgroups(const char *name, gid_t gid)
{
	return note("initgroups", name, gid);
}

int setresgid(gid_t real, gid_t effective, gid_t saved)
{
	assert_true(real == effective && effective == saved);
	return note("setresgid", "", real);
}

int setresuid(uid_t real, uid_t effective, uid_t saved)
{
	assert_true(real == effective && effective == saved);
	return note("setresuid", "", real);
}

int setuid(uid_t uid)
{
	assert_int_equal(uid, 0);
	return world.comes_back ? 0 : -1;
}

#define GROUPS "initgroups(scanner,4712) "
#define GID_TO "setresgid(4712) "
#define UID_TO "setresuid(4711) "

/* Groups first, while there is the right to it; the user's supplementary groups
 * too, as the unit gives them to the service.  Who cannot become the user does
 * not go on as root. */
static const struct {
	const char *name, *user, *group;
	struct world world;
	const char *calls;
	const char *error; /* NULL: done */
} rows[] = {
    {"all groups", "scanner", "", {.fails = NO_FAILURE}, GROUPS GID_TO UID_TO,
	NULL},
    {"a group of its own", "scanner", "mail", {.fails = NO_FAILURE},
	"initgroups(scanner,4713) setresgid(4713) setresuid(4711) ", NULL},
    {"not root", "scanner", "", {.me = UID, .fails = NO_FAILURE}, "", NULL},
    {"nobody to become", "", "", {.fails = NO_FAILURE}, "", NULL},
    {"to become root", "scanner", "",
	{.is_root = true, .comes_back = true, .fails = NO_FAILURE},
	GROUPS GID_TO "setresuid(0) ", NULL},
    {"no user", "scanner", "", {.no_user = true, .fails = NO_FAILURE}, "",
	"user: there is no user \"scanner\""},
    {"no group", "scanner", "mail", {.no_group = true, .fails = NO_FAILURE}, "",
	"group: there is no group \"mail\""},
    {"groups stay", "scanner", "", {.fails = 0}, GROUPS, "drop privileges: "},
    {"the group stays", "scanner", "", {.fails = 1}, GROUPS GID_TO,
	"drop privileges: "},
    {"the user stays", "scanner", "", {.fails = 2}, GROUPS GID_TO UID_TO,
	"drop privileges: "},
    {"root comes back", "scanner", "",
	{.comes_back = true, .fails = NO_FAILURE}, GROUPS GID_TO UID_TO,
	"privileges came back"},
};

static void test_become(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena *arena = arena_new(0);
		struct config *config = config_default();
		struct err err = {0};

		print_message("%s\n", rows[i].name);
		world = rows[i].world;
		calls[0] = '\0';
		config->user = slice_from(rows[i].user);
		config->group = slice_from(rows[i].group);
		assert_int_equal(
		    identity_become(arena, config, &err), !rows[i].error);
		assert_string_equal(calls, rows[i].calls);
		if (rows[i].error && !strstr(err.text, rows[i].error))
			fail_msg("%s", err.text);
		config_release(config);
		arena_free(arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_become),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
