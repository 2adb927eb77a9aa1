/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/identity.h"

#include <grp.h>
#include <pwd.h>

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
