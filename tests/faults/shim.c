/* SPDX-License-Identifier: Apache-2.0 */
/* shim.c - makes chosen calls of a process fail; for LD_PRELOAD.
 *
 * GATEHOUSE_FAULTS names a file of struct control, which the driver (faults.py)
 * writes and reads while the process runs; GATEHOUSE_FAULTS_IN a text that
 * stands in the command line (words separated by a space) of the processes that
 * are meant.  Calls are counted from the moment on that the driver sets counts
 * to 0; those from the chosen number on, as many as it says, fail with the
 * chosen errno and do nothing, or are cut short, or take their time first.  If
 * a text is given, only calls whose file's path contains it count.  The clock
 * of the day is ahead by clock_offset seconds, and boot_offset seconds more
 * have passed since the machine was started (it slept).  Calls that libc makes
 * on its own (stdio, malloc) are not seen.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* The order is that of FUNCTIONS in faults.py. */
enum function {
	READ,
	WRITE,
	RECV,
	SEND,
	SYNC,
	RENAME,
	UNLINK,
	OPEN,
	TRUNCATE,
	MAP,
	SOCKET,
	ACCEPT,
	FUNCTION_COUNT,
};

enum effect { FAIL, SHORT, SLOW };

struct control {
	_Atomic uint32_t function; /* which is to fail */
	_Atomic uint32_t number;   /* the first call that does; 0: none */
	_Atomic uint32_t many;	   /* how many from there on */
	_Atomic uint32_t effect;
	_Atomic int32_t error; /* FAIL: errno; SLOW: milliseconds */
	_Atomic uint32_t hits; /* how often one did */
	_Atomic int64_t clock_offset, boot_offset;
	char only[64]; /* text in the path; empty: any */
	_Atomic uint32_t counts[FUNCTION_COUNT];
};

static struct control *control;

static void *next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

/* Whether the file is one that is meant; path NULL: that of fd. */
static bool is_chosen(int fd, const char *path)
{
	char link[64], target[PATH_MAX];
	ssize_t len;

	if (!control->only[0])
		return true;
	if (path)
		return strstr(path, control->only);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, target, sizeof(target) - 1);
	if (len < 0)
		return false;
	target[len] = '\0';
	return strstr(target, control->only);
}

/* Whether this call is one of them. */
static bool is_hit(enum function function, int fd, const char *path)
{
	uint32_t count, number;
	int saved = errno;

	if (!control || !is_chosen(fd, path))
		return false;
	errno = saved;
	count = atomic_fetch_add(&control->counts[function], 1) + 1;
	number = control->number;
	if (control->function != function || !number || count < number ||
	    count - number >= control->many)
		return false;
	atomic_fetch_add(&control->hits, 1);
	return true;
}

/* True: the call has failed.  *len becomes less if it is to be cut short. */
static bool fails(enum function function, int fd, const char *path, size_t *len)
{
	struct timespec delay;

	if (!is_hit(function, fd, path))
		return false;
	switch (atomic_load(&control->effect)) {
	case SHORT:
		if (len && *len > 1)
			*len /= 2;
		return false;
	case SLOW:
		delay.tv_sec = control->error / 1000;
		delay.tv_nsec = control->error % 1000 * 1000000L;
		nanosleep(&delay, NULL);
		return false;
	default: errno = control->error; return true;
	}
}

static bool is_meant(const char *text)
{
	int (*real_open)(const char *, int, ...) = next("open");
	char words[4096];
	ssize_t count;
	int fd = real_open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	count = read(fd, words, sizeof(words) - 1);
	close(fd);
	for (ssize_t i = 0; i < count; i++)
		if (!words[i])
			words[i] = ' ';
	words[count < 0 ? 0 : count] = '\0';
	return strstr(words, text);
}

__attribute__((constructor)) static void prepare(void)
{
	int (*real_open)(const char *, int, ...) = next("open");
	void *(*real_mmap)(void *, size_t, int, int, int, off_t) = next("mmap");
	const char *path = getenv("GATEHOUSE_FAULTS");
	const char *text = getenv("GATEHOUSE_FAULTS_IN");
	void *area;
	int fd;

	if (!path || !text || !is_meant(text))
		return;
	fd = real_open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	area = real_mmap(
	    NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (area != MAP_FAILED)
		control = area;
}

/* A wrapper of NAME(PARAMETERS), which passes ARGUMENTS on.  FD, PATH and LEN
 * say what it is about: see fails. */
#define WRAP(                                                                  \
    TYPE, NAME, FUNCTION, FAILURE, FD, PATH, LEN, PARAMETERS, ARGUMENTS)       \
	TYPE NAME PARAMETERS;                                                  \
	TYPE NAME PARAMETERS                                                   \
	{                                                                      \
		static TYPE(*_Atomic real) PARAMETERS;                         \
		if (!real)                                                     \
			real = next(#NAME);                                    \
		if (fails(FUNCTION, FD, PATH, LEN))                            \
			return FAILURE;                                        \
		return real ARGUMENTS;                                         \
	}

/* The same for open(2) and its like, which have a mode if flags say so. */
#define WRAP_OPEN(NAME, PARAMETERS, ARGUMENTS)                                 \
	int NAME PARAMETERS;                                                   \
	int NAME PARAMETERS                                                    \
	{                                                                      \
		static int(*_Atomic real) PARAMETERS;                          \
		mode_t mode = 0;                                               \
		va_list list;                                                  \
		va_start(list, flags);                                         \
		if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE)       \
			mode = va_arg(list, mode_t);                           \
		va_end(list);                                                  \
		if (!real)                                                     \
			real = next(#NAME);                                    \
		if (fails(OPEN, -1, path, NULL))                               \
			return -1;                                             \
		return real ARGUMENTS;                                         \
	}

/* clang-format off */
WRAP(ssize_t, read, READ, -1, fd, NULL, NULL,
    (int fd, void *bytes, size_t len),
    (fd, bytes, len))
WRAP(ssize_t, pread, READ, -1, fd, NULL, NULL,
    (int fd, void *bytes, size_t len, off_t at),
    (fd, bytes, len, at))
WRAP(ssize_t, pread64, READ, -1, fd, NULL, NULL,
    (int fd, void *bytes, size_t len, off_t at),
    (fd, bytes, len, at))
WRAP(ssize_t, write, WRITE, -1, fd, NULL, &len,
    (int fd, const void *bytes, size_t len),
    (fd, bytes, len))
WRAP(ssize_t, pwrite, WRITE, -1, fd, NULL, &len,
    (int fd, const void *bytes, size_t len, off_t at),
    (fd, bytes, len, at))
WRAP(ssize_t, pwrite64, WRITE, -1, fd, NULL, &len,
    (int fd, const void *bytes, size_t len, off_t at),
    (fd, bytes, len, at))
WRAP(ssize_t, writev, WRITE, -1, fd, NULL, NULL,
    (int fd, const struct iovec *parts, int count),
    (fd, parts, count))
WRAP(ssize_t, recv, RECV, -1, fd, NULL, &len,
    (int fd, void *bytes, size_t len, int flags),
    (fd, bytes, len, flags))
WRAP(ssize_t, send, SEND, -1, fd, NULL, &len,
    (int fd, const void *bytes, size_t len, int flags),
    (fd, bytes, len, flags))
WRAP(ssize_t, sendmsg, SEND, -1, fd, NULL, NULL,
    (int fd, const struct msghdr *message, int flags),
    (fd, message, flags))
WRAP(int, fsync, SYNC, -1, fd, NULL, NULL,
    (int fd),
    (fd))
WRAP(int, fdatasync, SYNC, -1, fd, NULL, NULL,
    (int fd),
    (fd))
WRAP(int, rename, RENAME, -1, -1, to, NULL,
    (const char *from, const char *to),
    (from, to))
WRAP(int, link, RENAME, -1, -1, to, NULL,
    (const char *from, const char *to),
    (from, to))
WRAP(int, unlink, UNLINK, -1, -1, path, NULL,
    (const char *path),
    (path))
WRAP(int, mkdir, OPEN, -1, -1, path, NULL,
    (const char *path, mode_t mode),
    (path, mode))
WRAP(int, creat, OPEN, -1, -1, path, NULL,
    (const char *path, mode_t mode),
    (path, mode))
WRAP_OPEN(open, (const char *path, int flags, ...), (path, flags, mode))
WRAP_OPEN(open64, (const char *path, int flags, ...), (path, flags, mode))
WRAP_OPEN(openat, (int at, const char *path, int flags, ...),
    (at, path, flags, mode))
WRAP_OPEN(openat64, (int at, const char *path, int flags, ...),
    (at, path, flags, mode))
WRAP(int, ftruncate, TRUNCATE, -1, fd, NULL, NULL,
    (int fd, off_t len),
    (fd, len))
WRAP(int, ftruncate64, TRUNCATE, -1, fd, NULL, NULL,
    (int fd, off_t len),
    (fd, len))
WRAP(int, fallocate, TRUNCATE, -1, fd, NULL, NULL,
    (int fd, int mode, off_t at, off_t len),
    (fd, mode, at, len))
WRAP(int, fallocate64, TRUNCATE, -1, fd, NULL, NULL,
    (int fd, int mode, off_t at, off_t len),
    (fd, mode, at, len))
WRAP(void *, mmap, MAP, MAP_FAILED, fd, NULL, NULL,
    (void *at, size_t len, int rights, int flags, int fd, off_t from),
    (at, len, rights, flags, fd, from))
WRAP(void *, mmap64, MAP, MAP_FAILED, fd, NULL, NULL,
    (void *at, size_t len, int rights, int flags, int fd, off_t from),
    (at, len, rights, flags, fd, from))
WRAP(int, socket, SOCKET, -1, -1, NULL, NULL,
    (int family, int type, int protocol),
    (family, type, protocol))
WRAP(int, connect, SOCKET, -1, -1, NULL, NULL,
    (int fd, const struct sockaddr *to, socklen_t len),
    (fd, to, len))
WRAP(int, accept4, ACCEPT, -1, -1, NULL, NULL,
    (int fd, struct sockaddr *from, socklen_t *len, int flags),
    (fd, from, len, flags))
/* clang-format on */

/* The clock of the day; the monotonic one does not jump. */

static int64_t offset_of(clockid_t id)
{
	if (!control)
		return 0;
	switch (id) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE: return control->clock_offset;
	case CLOCK_BOOTTIME: return control->boot_offset;
	default: return 0;
	}
}

int clock_gettime(clockid_t id, struct timespec *now)
{
	static int (*_Atomic real)(clockid_t, struct timespec *);
	int result;

	if (!real)
		real = next("clock_gettime");
	result = real(id, now);
	if (result == 0)
		now->tv_sec += offset_of(id);
	return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	struct timespec at;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &at);
	now->tv_sec = at.tv_sec;
	now->tv_usec = at.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *ret)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (ret)
		*ret = now.tv_sec;
	return now.tv_sec;
}
