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

/* No time mends it: somebody has to.  A disk that is full, broken, read-only or
 * not mounted for now is tried again; so is what may not be written to, as a
 * mount point may not be before the mount. */
static bool is_for_administrator(int number)
{
	static const int numbers[] = {ENOTDIR, ELOOP, ENAMETOOLONG};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (number == numbers[i])
			return true;
	return false;
}

static bool no_spool(const char *what, const char *path, struct err *err)
{
	int number = errno;

	err_set_errno(err, "spool_directory: cannot %s %s", what, path);
	if (is_for_administrator(number))
		err->kind = E_CONFIG;
	return false;
}

bool child_make_spool(
    struct arena *arena, const struct config *config, struct err *err)
{
	const char *path = arena_text(arena, config->spool_directory);

	if (mkdir(path, S_IRWXU) < 0 && errno != EEXIST)
		return no_spool("make", path, err);
	return access(path, W_OK | X_OK) == 0 ||
	       no_spool("write to", path, err);
}

bool child_open_named(struct arena *arena, const struct config *config,
    struct dns_resolver **ret, struct err *err)
{
	if (!child_make_spool(arena, config, err))
		return false;
	if (resolver_open_configured(arena, config, NULL, ret, err))
		return true;
	/* A lack of memory or descriptors passes; a file that is not there, or
	 * may not be read, does not. */
	if (err->kind != E_TEMP && err->kind != E_FULL)
		err->kind = E_CONFIG;
	return false;
}
