/* SPDX-License-Identifier: Apache-2.0 */
#include "base/workers.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>

#include "base/handover.h"
#include "base/log.h"
#include "base/memory.h"

enum {
	/* Deepest measured use of a library below a session is 39 KiB. */
	STACK_SIZE = 256 * 1024,
	SHARE = 4, /* one thread comes for so much work that waits */
	TELL_EVERY_MS = 60 * 1000,
};

/* A thread that waits. */
struct idler {
	struct idler *older;
	sem_t woken;
};

struct workers {
	pthread_mutex_t lock;
	pthread_cond_t ended; /* a thread has ended */
	struct work *first, **last;
	struct idler *idle; /* the one that waits since last, first */
	size_t waiting;	    /* work */
	size_t coming;	    /* threads that were woken or started for it */
	size_t threads, max;
	int64_t idle_ms;
	int64_t tell_at_ms; /* that the system gives no thread; not before */
	bool ending;
	void (*run)(void *context, struct work *work);
	void *context;
};

static struct work *take_first(struct workers *workers)
{
	struct work *work = workers->first;

	if (!work)
		return NULL;
	workers->first = work->next;
	if (!workers->first)
		workers->last = &workers->first;
	workers->waiting--;
	return work;
}

/* With the lock. */
static void tell_no_thread(struct workers *workers, int error)
{
	int64_t now = clock_monotonic_ms();

	if (now < workers->tell_at_ms)
		return;
	workers->tell_at_ms = now + TELL_EVERY_MS;
	log_error("workers.no_thread", LOG_I("errno", error),
	    LOG_I("threads", (int64_t)workers->threads));
}

static void *run_thread(void *workers);

/* With the lock.  0, or an errno. */
static int start_thread(struct workers *workers)
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
	if (!error) {
		workers->threads++;
		workers->coming++;
	}
	return error;
}

/* With the lock, when work may wait: gets one more thread for it, if few are
 * coming.  Each calls the next when it is there: a burst of short work is done
 * by few, and much that waits for something soon has enough.  Not NULL: to be
 * woken without the lock, which others want meanwhile. */
static struct idler *call_one(struct workers *workers)
{
	struct idler *idler = workers->idle;

	if (workers->coming * SHARE >= workers->waiting)
		return NULL;
	if (idler) {
		/* It went idle last: its caches are warm. */
		workers->idle = idler->older;
		workers->coming++;
	} else if (workers->threads < workers->max) {
		int error = start_thread(workers);

		/* Those that there are do it, later. */
		if (error)
			tell_no_thread(workers, error);
	}
	return idler;
}

/* With the lock: from now on there is no such thread. */
static void count_out(struct workers *workers)
{
	workers->threads--;
	pthread_cond_broadcast(&workers->ended);
}

/* False: it has been called at this very moment, or is the last. */
static bool leave(struct workers *workers, struct idler *idler)
{
	struct idler **at = &workers->idle;
	bool leaves;

	pthread_mutex_lock(&workers->lock);
	while (*at && *at != idler)
		at = &(*at)->older;
	leaves = *at && workers->threads > 1;
	if (leaves) {
		*at = idler->older;
		count_out(workers);
	}
	pthread_mutex_unlock(&workers->lock);
	return leaves;
}

/* False: nothing was to do for a while, and the thread is counted out. */
static bool idle(struct workers *workers, struct idler *idler)
{
	while (!handover_wait(&idler->woken, deadline_in(workers->idle_ms)))
		if (leave(workers, idler))
			return false;
	return true;
}

/* NULL: none came in time, or all must end; the thread is counted out. */
static struct work *take(struct workers *workers, bool came)
{
	struct idler self, *next;
	struct work *work;
	bool wait;

	for (;;) {
		pthread_mutex_lock(&workers->lock);
		if (came)
			workers->coming--;
		work = take_first(workers);
		next = call_one(workers);
		wait = !work && !workers->ending;
		if (wait) {
			sem_init(&self.woken, 0, 0);
			self.older = workers->idle;
			workers->idle = &self;
		} else if (!work) {
			count_out(workers);
		}
		pthread_mutex_unlock(&workers->lock);
		if (next)
			sem_post(&next->woken);
		if (!wait)
			return work;
		came = idle(workers, &self);
		sem_destroy(&self.woken);
		if (!came)
			return NULL;
	}
}

static void *run_thread(void *argument)
{
	struct workers *workers = argument;
	struct work *work;
	bool came = true;

	while ((work = take(workers, came))) {
		workers->run(workers->context, work);
		came = false;
	}
	return NULL;
}

struct workers *workers_new(size_t max, int64_t idle_ms,
    void (*run)(void *context, struct work *work), void *context)
{
	struct workers *workers = MEMORY_NEW(struct workers);
	int error;

	pthread_mutex_init(&workers->lock, NULL);
	pthread_cond_init(&workers->ended, NULL);
	workers->last = &workers->first;
	workers->max = max ? max : 1;
	workers->idle_ms = idle_ms;
	workers->run = run;
	workers->context = context;
	pthread_mutex_lock(&workers->lock);
	error = start_thread(workers);
	pthread_mutex_unlock(&workers->lock);
	if (!error)
		return workers;
	workers_free(workers);
	errno = error;
	return NULL;
}

void workers_post(struct workers *workers, struct work *work)
{
	struct idler *idler;

	work->next = NULL;
	pthread_mutex_lock(&workers->lock);
	*workers->last = work;
	workers->last = &work->next;
	workers->waiting++;
	idler = call_one(workers);
	pthread_mutex_unlock(&workers->lock);
	if (idler)
		sem_post(&idler->woken);
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
	while (workers->idle) {
		struct idler *idler = workers->idle;

		workers->idle = idler->older;
		workers->coming++;
		sem_post(&idler->woken);
	}
	while (workers->threads)
		pthread_cond_wait(&workers->ended, &workers->lock);
	pthread_mutex_unlock(&workers->lock);
	pthread_cond_destroy(&workers->ended);
	pthread_mutex_destroy(&workers->lock);
	memory_free(workers);
}
