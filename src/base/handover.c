/* SPDX-License-Identifier: Apache-2.0 */
#include "base/handover.h"

#include <errno.h>
#include <time.h>

/* GCC says it by a macro, clang by a feature. */
#ifdef __has_feature
#if __has_feature(thread_sanitizer)
#define WATCHED
#endif
#elif defined(__SANITIZE_THREAD__)
#define WATCHED
#endif

#ifdef WATCHED
/* Of its runtime. */
void __tsan_acquire(void *address); /* NOLINT(bugprone-reserved-identifier) */
#define TELL_WATCHER(address) __tsan_acquire(address)
#else
#define TELL_WATCHER(address) ((void)(address))
#endif

bool handover_wait(sem_t *semaphore, struct deadline deadline)
{
	struct timespec at = {
	    .tv_sec = (time_t)(deadline.at_ms / 1000),
	    .tv_nsec = (long)(deadline.at_ms % 1000) * 1000000,
	};
	bool for_ever = deadline.at_ms == DEADLINE_NEVER.at_ms;

	while ((for_ever ? sem_wait(semaphore)
			 : sem_clockwait(semaphore, CLOCK_MONOTONIC, &at)) != 0)
		if (errno != EINTR)
			return false;
	TELL_WATCHER(semaphore);
	return true;
}
