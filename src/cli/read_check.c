/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/read_check.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <unistd.h>

#include "base/require.h"
#include "cli/identity.h"

/* Of root, to come back to. */
struct own_groups {
	gid_t group;
	int count;
	gid_t *list;
};

/* The effective ids alone.  False: nothing has changed. */
static bool borrow(struct arena *arena, const struct config *config,
    struct own_groups *ret_own)
{
	uid_t uid;
	gid_t gid;
	int count = getgroups(0, NULL);

	if (geteuid() != 0 || !config->user.len || count < 0 ||
	    !identity_find(arena, config, &uid, &gid, NULL))
		return false;
	ret_own->group = getegid();
	ret_own->list = ARENA_ARRAY(arena, (size_t)count + 1, gid_t);
	ret_own->count = getgroups(count, ret_own->list);
	if (ret_own->count < 0 ||
	    initgroups(arena_text(arena, config->user), gid) < 0)
		return false;
	if (setegid(gid) == 0 && seteuid(uid) == 0)
		return true;
	require(setegid(ret_own->group) == 0);
	require(setgroups((size_t)ret_own->count, ret_own->list) == 0);
	return false;
}

static void give_back(const struct own_groups *own)
{
	require(seteuid(0) == 0);
	require(setegid(own->group) == 0);
	require(setgroups((size_t)own->count, own->list) == 0);
}

/* What the error about it, if there is one, says already. */
static void check_file_of(struct arena *arena, const struct config *config,
    const struct checker *checker, const char *path, struct slice file)
{
	int fd;

	if (!file.len || !check_is_sound(checker, path))
		return;
	fd = open(arena_text(arena, file), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	else if (errno == EACCES || errno == EPERM)
		check_warning(checker, path,
		    "user %.*s may not read %.*s: %s; give its group the right",
		    SLICE_ARGS(config->user), SLICE_ARGS(file),
		    strerror(errno));
}

static void check_listener(struct arena *arena, const struct config *config,
    const struct checker *checker, size_t i)
{
	const struct conf_tls *tls = &config->listeners[i].tls;
	const struct {
		const char *name;
		struct slice file;
	} files[] = {
	    {"certificate", tls->certificate},
	    {"key", tls->key},
	    {"client_ca", tls->client_ca},
	};

	for (size_t j = 0; j < sizeof(files) / sizeof(files[0]); j++)
		check_file_of(arena, config, checker,
		    arena_format(
			arena, "listeners[%zu].tls.%s", i, files[j].name),
		    files[j].file);
}

void read_check(const struct config *config, const struct checker *checker)
{
	struct arena *arena = arena_new(0);
	struct own_groups own;

	if (borrow(arena, config, &own)) {
		for (size_t i = 0; i < config->listener_count; i++)
			check_listener(arena, config, checker, i);
		for (size_t i = 0; i < config->route_count; i++)
			check_file_of(arena, config, checker,
			    arena_format(arena, "routes[%zu].tls_ca", i),
			    config->routes[i].tls_ca);
		check_file_of(
		    arena, config, checker, "dns.zone", config->dns.zone);
		check_file_of(arena, config, checker, "dns.trust_anchor",
		    config->dns.trust_anchor);
		give_back(&own);
	}
	arena_free(arena);
}
