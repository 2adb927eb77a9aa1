/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/config_copy.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "conf/yaml.h"

int config_copy_open(const char *path, struct err *err)
{
	const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW |
			  F_SEAL_WRITE;
	struct arena *arena = arena_new(0);
	struct slice bytes;
	int fd = -1;

	if (io_read_file(arena, path, YAML_SIZE_MAX, &bytes, err)) {
		fd = memfd_create(
		    "gatehouse.yaml", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		if (fd < 0)
			err_set_errno(err, "memfd_create");
	} else if (err->kind == E_LIMIT) {
		err->kind = E_CONFIG;
	}
	if (fd >= 0 && !io_write_all(fd, bytes, DEADLINE_NEVER, err)) {
		close(fd);
		fd = -1;
	}
	if (fd >= 0 && fcntl(fd, F_ADD_SEALS, seals) < 0) {
		err_set_errno(err, "cannot seal the copy of the configuration");
		close(fd);
		fd = -1;
	}
	arena_free(arena);
	return fd;
}

/* One octet with one descriptor: cmsg(3). */
struct parcel {
	struct msghdr message;
	struct iovec part;
	char octet;
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
};

static void wrap(struct parcel *parcel)
{
	memset(parcel, 0, sizeof(*parcel));
	parcel->part = (struct iovec){&parcel->octet, 1};
	parcel->message = (struct msghdr){
	    .msg_iov = &parcel->part,
	    .msg_iovlen = 1,
	    .msg_control = parcel->control,
	    .msg_controllen = sizeof(parcel->control),
	};
}

bool config_copy_send(int socket, int copy, struct err *err)
{
	struct parcel parcel;
	struct cmsghdr *header;

	wrap(&parcel);
	header = CMSG_FIRSTHDR(&parcel.message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(copy));
	memcpy(CMSG_DATA(header), &copy, sizeof(copy));
	return sendmsg(socket, &parcel.message, MSG_DONTWAIT | MSG_NOSIGNAL) ==
		   1 ||
	       err_set_errno(err, "the configuration cannot be handed over");
}

/* -1: there was no descriptor with it. */
static int unwrap(struct parcel *parcel)
{
	const struct cmsghdr *header = CMSG_FIRSTHDR(&parcel->message);
	int copy = -1;

	if (header && header->cmsg_level == SOL_SOCKET &&
	    header->cmsg_type == SCM_RIGHTS &&
	    header->cmsg_len == CMSG_LEN(sizeof(copy)))
		memcpy(&copy, CMSG_DATA(header), sizeof(copy));
	return copy;
}

int config_copy_receive(int socket)
{
	struct parcel parcel;
	int newest = -1;

	for (;;) {
		int copy;

		wrap(&parcel);
		if (recvmsg(socket, &parcel.message,
			MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != 1)
			return newest;
		copy = unwrap(&parcel);
		if (copy < 0)
			continue;
		if (newest >= 0)
			close(newest);
		newest = copy;
	}
}

bool config_copy_load(struct arena *arena, int copy, const char *path,
    struct config **ret, struct config_problems *problems, struct err *err)
{
	char name[32];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", copy);
	return config_load_copy(arena, name, path, ret, problems, err);
}
