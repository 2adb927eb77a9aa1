/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/folder_check.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/store_place.h"
#include "cli/identity.h"

/* StateDirectory= of packaging/gatehouse.service. */
static const struct slice folder_of_unit = SLICE_INIT("/var/lib/gatehouse");

struct folders {
	struct arena *arena;
	const struct config *config;
	const struct checker *checker;
	int state; /* what look() says of state_directory */
};

static struct slice without_last_part(struct slice path)
{
	while (path.len > 1 && path.ptr[path.len - 1] == '/')
		path.len--;
	while (path.len > 1 && path.ptr[path.len - 1] != '/')
		path.len--;
	while (path.len > 1 && path.ptr[path.len - 1] == '/')
		path.len--;
	return path;
}

/* 0, or errno; ENOTDIR: it is a file. */
static int look(struct arena *arena, struct slice path, struct stat *ret)
{
	if (stat(arena_text(arena, path), ret) == 0)
		return S_ISDIR(ret->st_mode) ? 0 : ENOTDIR;
	return errno == ENOENT && slice_eq(path, folder_of_unit) ? 0 : errno;
}

static bool is_within(struct slice path, struct slice folder)
{
	return slice_starts(path, folder) &&
	       (path.len == folder.len || path.ptr[folder.len] == '/');
}

static void tell(const struct folders *folders, const char *key,
    struct slice path, int number, bool needed)
{
	const char *text, *name = arena_text(folders->arena, path);

	if (number == ENOENT)
		text = arena_format(folders->arena,
		    "there is no folder %s; make it, and let the service's "
		    "user write there",
		    name);
	else if (number == ENOTDIR)
		text = arena_format(folders->arena, "%s is no folder", name);
	else
		text = arena_format(folders->arena, "cannot look at %s: %s",
		    name, strerror(number));
	if (needed && (number == ENOENT || number == ENOTDIR))
		check_error(folders->checker, key, "%s", text);
	else
		check_warning(folders->checker, key, "%s", text);
}

/* By its mode alone: groups that the unit adds, and what a mount allows, are
 * not known here. */
static bool may_write(const struct stat *status, uid_t uid, gid_t gid)
{
	mode_t wanted = S_IWOTH | S_IXOTH;

	if (status->st_uid == uid)
		wanted = S_IWUSR | S_IXUSR;
	else if (status->st_gid == gid)
		wanted = S_IWGRP | S_IXGRP;
	return uid == 0 || (status->st_mode & wanted) == wanted;
}

static void check_rights(const struct folders *folders, const char *key,
    struct slice path, const struct stat *status)
{
	const struct config *config = folders->config;
	uid_t uid;
	gid_t gid;

	if (access(arena_text(folders->arena, path), W_OK) < 0 &&
	    errno == EROFS)
		check_warning(folders->checker, key,
		    "%.*s is on a file system that is mounted read-only",
		    SLICE_ARGS(path));
	else if (geteuid() == 0 && config->user.len &&
		 identity_find(folders->arena, config, &uid, &gid, NULL) &&
		 !may_write(status, uid, gid))
		check_warning(folders->checker, key,
		    "user %.*s may not write to %.*s by its mode",
		    SLICE_ARGS(config->user), SLICE_ARGS(path));
}

/* path: where the start makes files. */
static void check_folder(
    const struct folders *folders, const char *key, struct slice path)
{
	/* The unit's, not made yet, is right. */
	struct stat status = {.st_mode = S_IRWXO};
	int number;

	/* Told already. */
	if (!check_is_sound(folders->checker, key) ||
	    (folders->state &&
		is_within(path, folders->config->state_directory)))
		return;
	number = look(folders->arena, path, &status);
	if (number)
		tell(folders, key, path, number, true);
	else
		check_rights(folders, key, path, &status);
}

static struct slice folder_of_spool(const struct folders *folders)
{
	struct slice path = folders->config->spool_directory;
	struct stat status;

	if (look(folders->arena, path, &status) == ENOENT)
		return without_last_part(path);
	return path;
}

static struct slice folder_of_store(const struct config *config)
{
	struct store_place place = {.max_size = 0};
	struct slice kind, text;

	slice_split(config->store, ':', &kind, &text);
	if (!store_place_parse(text, &place, NULL))
		return SLICE("/");
	return without_last_part(place.path);
}

void folder_check(const struct config *config, const struct checker *checker)
{
	struct folders folders = {
	    .arena = arena_new(0),
	    .config = config,
	    .checker = checker,
	};
	struct slice state = config->state_directory;
	struct slice spool = folder_of_spool(&folders);
	struct slice store = folder_of_store(config);
	struct stat status;

	folders.state = look(folders.arena, state, &status);
	/* Itself, it has a place for the rules of gatehouse trace alone. */
	if (folders.state && check_is_sound(checker, "state_directory"))
		tell(&folders, "state_directory", state, folders.state,
		    is_within(spool, state) || is_within(store, state));
	check_folder(&folders, "spool_directory", spool);
	check_folder(&folders, "store", store);
	arena_free(folders.arena);
}
