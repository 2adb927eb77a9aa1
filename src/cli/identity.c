/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/identity.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

bool identity_find(struct arena *arena, const struct config *config,
    uid_t *ret_uid, gid_t *ret_gid, struct err *err)
{
	const char *user = arena_text(arena, config->user);
	struct passwd *entry = getpwnam(user);
	struct group *group = NULL;

	if (!entry)
		return err_set(err, E_CONFIG,
		    "user: there is no user \"%s\"; "
		    "make it with: adduser --system --group %s",
		    user, user);
	if (config->group.len) {
		group = getgrnam(arena_text(arena, config->group));
		if (!group)
			return err_set(err, E_CONFIG,
			    "group: there is no group \"%.*s\"",
			    SLICE_ARGS(config->group));
	}
	*ret_uid = entry->pw_uid;
	*ret_gid = group ? group->gr_gid : entry->pw_gid;
	return true;
}

bool identity_become(
    struct arena *arena, const struct config *config, struct err *err)
{
	uid_t uid = 0;
	gid_t gid = 0;

	if (geteuid() != 0 || config->user.len == 0)
		return true;
	if (!identity_find(arena, config, &uid, &gid, err))
		return false;
	/* As User= of a unit does: a command sees what the service sees. */
	if (initgroups(arena_text(arena, config->user), gid) < 0 ||
	    setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return err_set_errno(err, "drop privileges");
	if (uid != 0 && setuid(0) == 0)
		return err_set(err, E_CONFIG, "privileges came back");
	return true;
}
