/* SPDX-License-Identifier: Apache-2.0 */
/* What a child opens that the configuration names. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/child.h"
#include "cli/resolver_config.h"
#include "cli/supervisor.h"

struct slice child_store_url(const struct config *config)
{
	const char *url = getenv(CHILD_ENV_STORE);

	return url ? slice_from(url) : config->store;
}

bool child_make_spool(
    struct arena *arena, const struct config *config, struct err *err)
{
	const char *path = arena_text(arena, config->spool_directory);

	if (mkdir(path, S_IRWXU) < 0 && errno != EEXIST)
		return err_set_errno(
		    err, "spool_directory: cannot make %s", path);
	if (access(path, W_OK | X_OK) < 0)
		return err_set_errno(
		    err, "spool_directory: cannot write to %s", path);
	return true;
}

bool child_open_named(struct arena *arena, const struct config *config,
    struct dns_resolver **ret, struct err *err)
{
	if (child_make_spool(arena, config, err) &&
	    resolver_open_configured(arena, config, NULL, ret, err))
		return true;
	err->kind = E_CONFIG;
	return false;
}
