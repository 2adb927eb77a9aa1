/* SPDX-License-Identifier: Apache-2.0 */
#include "milter/progress.h"

#include <sys/socket.h>

#include "base/clock.h"
#include "base/require.h"
#include "milter/protocol.h"

static void append(struct progress_list *progress, struct progress_wait *wait)
{
	wait->due_ms = clock_monotonic_ms() + progress->interval_ms;
	wait->next = NULL;
	wait->back = progress->last;
	*progress->last = wait;
	progress->last = &wait->next;
}

static void unlink_wait(
    struct progress_list *progress, struct progress_wait *wait)
{
	*wait->back = wait->next;
	if (wait->next)
		wait->next->back = wait->back;
	else
		progress->last = wait->back;
}

/* A part of a packet would be garbage in front of the answer, and an MTA that
 * does not read will not miss the rest. */
static void tell(int fd)
{
	static const char packet[] = {0, 0, 0, 1, SMFIR_PROGRESS};
	ssize_t count = send(
	    fd, packet, sizeof(packet), MSG_DONTWAIT | MSG_NOSIGNAL);

	if (count > 0 && count < (ssize_t)sizeof(packet))
		shutdown(fd, SHUT_RDWR);
}

void progress_init(struct progress_list *progress, int64_t interval_ms)
{
	*progress = (struct progress_list){.interval_ms = interval_ms};
	pthread_mutex_init(&progress->lock, NULL);
	progress->last = &progress->first;
}

void progress_destroy(struct progress_list *progress)
{
	require(!progress->first);
	pthread_mutex_destroy(&progress->lock);
}

void progress_begin(
    struct progress_list *progress, struct progress_wait *wait, int fd)
{
	if (!progress)
		return;
	wait->fd = fd;
	pthread_mutex_lock(&progress->lock);
	append(progress, wait);
	pthread_mutex_unlock(&progress->lock);
}

void progress_end(struct progress_list *progress, struct progress_wait *wait)
{
	if (!progress)
		return;
	pthread_mutex_lock(&progress->lock);
	unlink_wait(progress, wait);
	pthread_mutex_unlock(&progress->lock);
}

void progress_tell(struct progress_list *progress)
{
	int64_t now = clock_monotonic_ms();

	pthread_mutex_lock(&progress->lock);
	while (progress->first && progress->first->due_ms <= now) {
		struct progress_wait *wait = progress->first;

		tell(wait->fd);
		unlink_wait(progress, wait);
		append(progress, wait);
	}
	pthread_mutex_unlock(&progress->lock);
}
