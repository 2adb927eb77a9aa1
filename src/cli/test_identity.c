/* SPDX-License-Identifier: Apache-2.0 */
/* What is left of root: the calls, which are taken here instead of by libc. */
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

enum { UID = 4711, GID = 4712 };

static char calls[256];

static void note(const char *call, const char *name, unsigned int id)
{
	size_t used = strlen(calls);

	snprintf(calls + used, sizeof(calls) - used, "%s(%s%s%u) ", call, name,
	    *name ? "," : "", id);
}

uid_t geteuid(void)
{
	return 0;
}

struct passwd *getpwnam(const char *name)
{
	static struct passwd entry = {.pw_uid = UID, .pw_gid = GID};

	assert_string_equal(name, "scanner");
	return &entry;
}

int initgroups(const char *name, gid_t gid)
{
	note("initgroups", name, gid);
	return 0;
}

int setresgid(gid_t real, gid_t effective, gid_t saved)
{
	assert_true(real == effective && effective == saved);
	note("setresgid", "", real);
	return 0;
}

int setresuid(uid_t real, uid_t effective, uid_t saved)
{
	assert_true(real == effective && effective == saved);
	note("setresuid", "", real);
	return 0;
}

int setuid(uid_t uid)
{
	assert_int_equal(uid, 0);
	return -1;
}

/* The user's supplementary groups too, as the unit gives them to the service;
 * groups first, while there is the right to it. */
static void test_all_groups(void **state)
{
	struct arena *arena = arena_new(0);
	struct config *config = config_default();
	struct err err = {0};

	(void)state;
	config->user = SLICE("scanner");
	config->group = SLICE("");
	assert_true(identity_become(arena, config, &err));
	assert_string_equal(
	    calls, "initgroups(scanner,4712) setresgid(4712) setresuid(4711) ");
	config_release(config);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_all_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
