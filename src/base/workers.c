/* SPDX-License-Identifier: Apache-2.0 */
#include "base/workers.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>

#include "base/log.h"
#include "base/memory.h"

enum {
	/* Deepest measured use of a library below a session is 39 KiB. */
	STACK_SIZE = 256 * 1024,
	IDLE_SECONDS = 10,
};

struct workers {
	pthread_mutex_t lock;
	pthread_cond_t posted; /* work waits, or all must end */
	pthread_cond_t ended;  /* a thread has ended */
	struct work *first, **last;
	size_t waiting, threads, idle, max;
	bool ending;
	void (*run)(void *context, struct work *work);
	void *context;
};

struct workers *workers_new(
    size_t max, void (*run)(void *context, struct work *work), void *context)
{
	struct workers *workers = MEMORY_NEW(struct workers);
	pthread_condattr_t attributes;

	pthread_mutex_init(&workers->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&workers->posted, &attributes);
	pthread_cond_init(&workers->ended, NULL);
	pthread_condattr_destroy(&attributes);
	workers->last = &workers->first;
	workers->max = max ? max : 1;
	workers->run = run;
	workers->context = context;
	return workers;
}

/* With the lock.  NULL: none came in time, or all must end. */
static struct work *take(struct workers *workers)
{
	struct timespec until;
	struct work *work;
	int result = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += IDLE_SECONDS;
	workers->idle++;
	while (!workers->first && !workers->ending && result != ETIMEDOUT)
		result = pthread_cond_timedwait(
		    &workers->posted, &workers->lock, &until);
	workers->idle--;
	work = workers->first;
	if (!work)
		return NULL;
	workers->first = work->next;
	if (!workers->first)
		workers->last = &workers->first;
	workers->waiting--;
	return work;
}

static void *run_thread(void *argument)
{
	struct workers *workers = argument;
	struct work *work;

	pthread_mutex_lock(&workers->lock);
	while ((work = take(workers))) {
		pthread_mutex_unlock(&workers->lock);
		workers->run(workers->context, work);
		pthread_mutex_lock(&workers->lock);
	}
	workers->threads--;
	pthread_cond_broadcast(&workers->ended);
	pthread_mutex_unlock(&workers->lock);
	return NULL;
}

/* With the lock. */
static void start_thread(struct workers *workers)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	pthread_t thread;
	int error;

	sigfillset(&all);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	error = pthread_create(&thread, &attributes, run_thread, workers);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	if (!error)
		workers->threads++;
	else if (!workers->threads)
		log_error("workers.no_thread", LOG_I("errno", error));
}

void workers_post(struct workers *workers, struct work *work)
{
	pthread_mutex_lock(&workers->lock);
	work->next = NULL;
	*workers->last = work;
	workers->last = &work->next;
	workers->waiting++;
	if (workers->idle < workers->waiting && workers->threads < workers->max)
		start_thread(workers);
	pthread_cond_signal(&workers->posted);
	pthread_mutex_unlock(&workers->lock);
}

void workers_set_max(struct workers *workers, size_t max)
{
	pthread_mutex_lock(&workers->lock);
	workers->max = max ? max : 1;
	pthread_mutex_unlock(&workers->lock);
}

size_t workers_threads(struct workers *workers)
{
	size_t threads;

	pthread_mutex_lock(&workers->lock);
	threads = workers->threads;
	pthread_mutex_unlock(&workers->lock);
	return threads;
}

void workers_free(struct workers *workers)
{
	pthread_mutex_lock(&workers->lock);
	workers->ending = true;
	pthread_cond_broadcast(&workers->posted);
	while (workers->threads)
		pthread_cond_wait(&workers->ended, &workers->lock);
	pthread_mutex_unlock(&workers->lock);
	pthread_cond_destroy(&workers->posted);
	pthread_cond_destroy(&workers->ended);
	pthread_mutex_destroy(&workers->lock);
	memory_free(workers);
}
