/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fuzz_time.h"

#include <poll.h>
#include <time.h>

#include "base/require.h"

/* The linker's names: --wrap=poll, --wrap=clock_gettime. */
/* NOLINTBEGIN(cert-dcl37-c,cert-dcl51-cpp) */
int __real_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __real_clock_gettime(clockid_t id, struct timespec *ret);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret);
/* NOLINTEND(cert-dcl37-c,cert-dcl51-cpp) */

static struct {
	fuzz_time_peer peer; /* NULL: stopped */
	void *context;
	int64_t now_ms;
} fake;

void fuzz_time_start(fuzz_time_peer peer, void *context)
{
	fake.peer = peer;
	fake.context = context;
	fake.now_ms = 1000 * 1000;
}

int64_t fuzz_time_now(void)
{
	return fake.now_ms;
}

void fuzz_time_pass(int64_t ms)
{
	fake.now_ms += ms;
}

void fuzz_time_stop(void)
{
	fake.peer = NULL;
}

int __wrap_clock_gettime(clockid_t id, struct timespec *ret)
{
	if (!fake.peer || id != CLOCK_MONOTONIC)
		return __real_clock_gettime(id, ret);
	ret->tv_sec = fake.now_ms / 1000;
	ret->tv_nsec = fake.now_ms % 1000 * 1000000;
	return 0;
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	if (!fake.peer || timeout_ms == 0)
		return __real_poll(fds, count, timeout_ms);
	require(count == 1);
	for (;;) {
		int ready = __real_poll(fds, count, 0);
		int64_t wait;

		if (ready)
			return ready;
		wait = fake.peer(fake.context, fds->fd);
		if (wait == 0)
			continue;
		if (wait > 0 && (timeout_ms < 0 || wait < timeout_ms)) {
			fuzz_time_pass(wait);
			timeout_ms -= timeout_ms < 0 ? 0 : (int)wait;
			continue;
		}
		/* Who waits for ever, and for nobody, is lost. */
		require(timeout_ms > 0);
		fuzz_time_pass(timeout_ms);
		return 0;
	}
}
