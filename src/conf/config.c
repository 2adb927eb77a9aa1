/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/config.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "conf/check.h"
#include "conf/load.h"
#include "conf/yaml.h"

/* The absolute folder of a file; "-" is in the current one. */
static struct slice folder_of(struct arena *arena, const char *path)
{
	struct slice text = slice_from(path);
	char current[PATH_MAX], *real;
	size_t end = text.len;
	struct slice folder;

	while (end > 0 && text.ptr[end - 1] != '/')
		end--;
	folder = end ? slice_sub(text, 0, end) : SLICE(".");
	real = realpath(arena_text(arena, folder), current);
	if (!real)
		return arena_slice(arena, folder);
	/* The root is the one folder that ends with a slash. */
	folder = slice_from(current);
	return slice_eq(folder, SLICE("/")) ? SLICE("")
					    : arena_slice(arena, folder);
}

/* Where the bytes are, and the file that they are said to be. */
struct source {
	const char *bytes, *path;
};

static bool load_file(struct arena *arena, struct source source,
    struct load_options options, struct config **ret, struct problems *problems,
    struct err *err)
{
	struct slice bytes;
	struct config *config;

	if (!io_read_file(arena, source.bytes, YAML_SIZE_MAX, &bytes, err)) {
		if (err && err->kind == E_LIMIT)
			err->kind = E_CONFIG;
		return false;
	}
	options.file = source.path;
	options.folder = folder_of(arena, source.path);
	config = load_bytes(bytes, &options, problems);
	if (!config)
		return problems_first(problems, err);
	*ret = config;
	return true;
}

/* The bytes of the file and the search for problems are gone afterwards; what
 * the caller asked for is copied. */
static bool load(struct arena *arena, struct source source,
    struct load_options options, struct config **ret,
    struct config_problems *ret_problems, struct err *err)
{
	struct arena *scratch = arena_new(0);
	struct problems *problems = problems_new(arena, source.path);
	bool ok = load_file(scratch, source, options, ret, problems, err);

	if (ret_problems)
		problems_export(problems, ret_problems);
	arena_free(scratch);
	return ok;
}

bool config_load(struct arena *arena, const char *path, struct config **ret,
    struct config_problems *problems, struct err *err)
{
	return load(arena, (struct source){path, path},
	    (struct load_options){0}, ret, problems, err);
}

bool config_load_copy(struct arena *arena, const char *copy, const char *path,
    struct config **ret, struct config_problems *problems, struct err *err)
{
	return load(arena, (struct source){copy, path},
	    (struct load_options){0}, ret, problems, err);
}

bool check_file(struct arena *arena, const char *path, check_more *more,
    struct config **ret, struct config_problems *ret_problems, struct err *err)
{
	struct load_options options = {.check_files = true, .more = more};

	return load(arena, (struct source){path, path}, options, ret,
	    ret_problems, err);
}

struct config *config_default(void)
{
	struct config *config = load_defaults();
	char name[HOST_NAME_MAX + 1] = "";

	if (gethostname(name, sizeof(name) - 1) || !*name)
		config->hostname = SLICE("localhost");
	else
		config->hostname = arena_lower(config->arena, slice_from(name));
	return config;
}
