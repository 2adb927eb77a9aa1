/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "cli/config_copy.h"
#include "cli/identity.h"
#include "cli/supervisor.h"

struct child_process {
	int control; /* socket to the supervisor, or -1 */
	int copy;    /* of the last configuration it gave; or -1 */
	int signals; /* signalfd */
};

int child_inherited_fd(const char *variable)
{
	const char *text = getenv(variable);
	uint64_t fd;

	if (!text || !slice_to_u64(slice_from(text), 65535, &fd))
		return -1;
	fcntl((int)fd, F_SETFD, FD_CLOEXEC);
	return (int)fd;
}

/* As many descriptors as may be had: each session needs two. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int open_signals(void)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGHUP);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	return signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
}

bool child_begin(struct arena *arena, const struct config *config,
    struct child_process **ret, struct err *err)
{
	struct child_process *child = ARENA_NEW(arena, struct child_process);

	child->control = child_inherited_fd(CHILD_ENV_CONTROL);
	child->copy = child_inherited_fd(CHILD_ENV_CONFIG);
	child->signals = open_signals();
	if (child->signals < 0)
		return err_set_errno(err, "signalfd");
	raise_descriptor_limit();
	memory_tune();
	if (!identity_become(arena, config, err))
		return false;
	/* Changing ids cleared it; the supervisor may be gone already. */
	if (child->control >= 0)
		prctl(PR_SET_PDEATHSIG, SIGTERM);
	/* Executed as /proc/self/exe, it would be called "exe". */
	prctl(PR_SET_NAME, "gatehouse");
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_DUMPABLE, 0);
	umask(077);
	*ret = child;
	return true;
}

void child_tell(const struct child_process *child, const char *word)
{
	char line[64];
	size_t length = strnlen(word, sizeof(line) - 1);

	if (child->control < 0)
		return;
	memcpy(line, word, length);
	line[length] = '\n';
	/* A full socket means that the supervisor has enough to read. */
	if (write(child->control, line, length + 1) < 0 && errno == EPIPE)
		kill(getpid(), SIGTERM);
}

bool child_load_config(struct child_process *child, struct arena *arena,
    const char *path, struct config **ret, struct err *err)
{
	int copy = config_copy_receive(child->control);

	if (copy >= 0) {
		if (child->copy >= 0)
			close(child->copy);
		child->copy = copy;
	}
	if (child->copy < 0)
		return config_load(arena, path, ret, NULL, err);
	return config_copy_load(arena, child->copy, path, ret, NULL, err);
}

enum child_event child_wait(const struct child_process *child)
{
	struct pollfd poller = {.fd = child->signals, .events = POLLIN};
	struct signalfd_siginfo info;
	int ready = poll(&poller, 1, CHILD_ALIVE_MS);

	/* With a signal too: reload upon reload is no silence. */
	child_tell(child, "alive");
	if (ready > 0 &&
	    read(child->signals, &info, sizeof(info)) == sizeof(info))
		return info.ssi_signo == SIGHUP ? CHILD_RELOAD : CHILD_STOP;
	return CHILD_TICK;
}

bool child_open_metrics(struct err *err)
{
	int fd = child_inherited_fd(CHILD_ENV_METRICS);
	struct metrics *metrics;

	if (fd < 0)
		return true;
	if (!metrics_open(fd, &metrics, err))
		return false;
	metrics_use(metrics);
	return true;
}
