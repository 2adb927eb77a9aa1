/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/config_copy.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/io.h"
#include "conf/yaml.h"

int config_copy_open(const char *path, struct err *err)
{
	struct arena *arena = arena_new(0);
	struct slice bytes;
	int fd = -1;

	if (io_read_file(arena, path, YAML_SIZE_MAX, &bytes, err)) {
		fd = memfd_create("gatehouse.yaml", MFD_CLOEXEC);
		if (fd < 0)
			err_set_errno(err, "memfd_create");
	} else if (err->kind == E_LIMIT) {
		err->kind = E_CONFIG;
	}
	if (fd >= 0 && !io_write_all(fd, bytes, DEADLINE_NEVER, err)) {
		close(fd);
		fd = -1;
	}
	arena_free(arena);
	return fd;
}

bool config_copy_load(struct arena *arena, int copy, const char *path,
    struct config **ret, struct config_problems *problems, struct err *err)
{
	char name[32];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", copy);
	return config_load_copy(arena, name, path, ret, problems, err);
}
