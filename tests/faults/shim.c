/* SPDX-License-Identifier: Apache-2.0 */
/* shim.c - makes one chosen call of a process fail; for LD_PRELOAD.
 *
 * GATEHOUSE_FAULTS names a file of struct control, which the driver writes and
 * reads while the process runs; GATEHOUSE_FAULTS_IN a text that stands in the
 * command line (words separated by a space) of the processes that are meant.
 * Calls are counted from the moment on that the driver sets counts to 0; the
 * call of that number fails with the chosen errno and does nothing.  Calls that
 * libc makes on its own (stdio, malloc) are not seen.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* The order is that of FUNCTIONS in test_faults.py. */
enum function {
	WRITE,
	SEND,
	SYNC,
	RENAME,
	OPEN,
	TRUNCATE,
	MAP,
	FUNCTION_COUNT,
};

struct control {
	_Atomic uint32_t function; /* which is to fail */
	_Atomic uint32_t number;   /* its call that fails; 0: none */
	_Atomic int32_t error;	   /* with this errno */
	_Atomic uint32_t hits;	   /* how often one did */
	_Atomic uint32_t counts[FUNCTION_COUNT];
};

static struct control *control;

static void *next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

/* Whether this call is the one. */
static bool fails(enum function function)
{
	uint32_t count;

	if (!control)
		return false;
	count = atomic_fetch_add(&control->counts[function], 1) + 1;
	if (control->function != function || control->number != count)
		return false;
	atomic_fetch_add(&control->hits, 1);
	errno = control->error;
	return true;
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

/* A wrapper of NAME(PARAMETERS), which passes ARGUMENTS on. */
#define WRAP(TYPE, NAME, FUNCTION, FAILURE, PARAMETERS, ARGUMENTS)             \
	TYPE NAME PARAMETERS;                                                  \
	TYPE NAME PARAMETERS                                                   \
	{                                                                      \
		static TYPE(*_Atomic real) PARAMETERS;                         \
		if (!real)                                                     \
			real = next(#NAME);                                    \
		if (fails(FUNCTION))                                           \
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
		if (fails(OPEN))                                               \
			return -1;                                             \
		return real ARGUMENTS;                                         \
	}

/* clang-format off */
WRAP(ssize_t, write, WRITE, -1,
    (int fd, const void *bytes, size_t len), (fd, bytes, len))
WRAP(ssize_t, pwrite, WRITE, -1,
    (int fd, const void *bytes, size_t len, off_t at), (fd, bytes, len, at))
WRAP(ssize_t, pwrite64, WRITE, -1,
    (int fd, const void *bytes, size_t len, off_t at), (fd, bytes, len, at))
WRAP(ssize_t, writev, WRITE, -1,
    (int fd, const void *parts, int count), (fd, parts, count))
WRAP(ssize_t, send, SEND, -1,
    (int fd, const void *bytes, size_t len, int flags),
    (fd, bytes, len, flags))
WRAP(ssize_t, sendmsg, SEND, -1,
    (int fd, const struct msghdr *message, int flags), (fd, message, flags))
WRAP(int, fsync, SYNC, -1, (int fd), (fd))
WRAP(int, fdatasync, SYNC, -1, (int fd), (fd))
WRAP(int, rename, RENAME, -1, (const char *from, const char *to), (from, to))
WRAP(int, link, RENAME, -1, (const char *from, const char *to), (from, to))
WRAP(int, creat, OPEN, -1, (const char *path, mode_t mode), (path, mode))
WRAP_OPEN(open, (const char *path, int flags, ...), (path, flags, mode))
WRAP_OPEN(open64, (const char *path, int flags, ...), (path, flags, mode))
WRAP_OPEN(openat, (int at, const char *path, int flags, ...),
    (at, path, flags, mode))
WRAP_OPEN(openat64, (int at, const char *path, int flags, ...),
    (at, path, flags, mode))
WRAP(int, ftruncate, TRUNCATE, -1, (int fd, off_t len), (fd, len))
WRAP(int, ftruncate64, TRUNCATE, -1, (int fd, off_t len), (fd, len))
WRAP(int, fallocate, TRUNCATE, -1,
    (int fd, int mode, off_t at, off_t len), (fd, mode, at, len))
WRAP(int, fallocate64, TRUNCATE, -1,
    (int fd, int mode, off_t at, off_t len), (fd, mode, at, len))
WRAP(void *, mmap, MAP, MAP_FAILED,
    (void *at, size_t len, int rights, int flags, int fd, off_t from),
    (at, len, rights, flags, fd, from))
WRAP(void *, mmap64, MAP, MAP_FAILED,
    (void *at, size_t len, int rights, int flags, int fd, off_t from),
    (at, len, rights, flags, fd, from))
/* clang-format on */
