/* SPDX-License-Identifier: Apache-2.0 */
#include "base/workers.h"

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
	IDLE_MS = 10 * 1000,
};

/* A thread that waits: work is handed to it before it is woken. */
struct idler {
	struct idler *older;
	struct work *work;
	sem_t handed;
};

struct workers {
	pthread_mutex_t lock;
	pthread_cond_t ended; /* a thread has ended */
	struct work *first, **last;
	struct idler *idle; /* the one that waits since last, first */
	size_t threads, max;
	bool ending;
	void (*run)(void *context, struct work *work);
	void *context;
};

struct workers *workers_new(
    size_t max, void (*run)(void *context, struct work *work), void *context)
{
	struct workers *workers = MEMORY_NEW(struct workers);

	pthread_mutex_init(&workers->lock, NULL);
	pthread_cond_init(&workers->ended, NULL);
	workers->last = &workers->first;
	workers->max = max ? max : 1;
	workers->run = run;
	workers->context = context;
	return workers;
}

static struct work *take_first(struct workers *workers)
{
	struct work *work = workers->first;

	if (!work)
		return NULL;
	workers->first = work->next;
	if (!workers->first)
		workers->last = &workers->first;
	return work;
}

/* False: it was found on the list at this very moment, and will be woken. */
static bool leave(struct workers *workers, struct idler *idler)
{
	struct idler **at = &workers->idle;
	bool found;

	pthread_mutex_lock(&workers->lock);
	while (*at && *at != idler)
		at = &(*at)->older;
	found = *at != NULL;
	if (found)
		*at = idler->older;
	pthread_mutex_unlock(&workers->lock);
	return found;
}

/* NULL: none came in time, or all must end. */
static struct work *take(struct workers *workers)
{
	struct idler idler = {0};
	struct work *work;

	pthread_mutex_lock(&workers->lock);
	work = take_first(workers);
	if (work || workers->ending) {
		pthread_mutex_unlock(&workers->lock);
		return work;
	}
	sem_init(&idler.handed, 0, 0);
	idler.older = workers->idle;
	workers->idle = &idler;
	pthread_mutex_unlock(&workers->lock);
	if (!handover_wait(&idler.handed, deadline_in(IDLE_MS)) &&
	    !leave(workers, &idler))
		handover_wait(&idler.handed, DEADLINE_NEVER);
	sem_destroy(&idler.handed);
	return idler.work;
}

static void *run_thread(void *argument)
{
	struct workers *workers = argument;
	struct work *work;

	while ((work = take(workers)))
		workers->run(workers->context, work);
	pthread_mutex_lock(&workers->lock);
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

/* With the lock: the thread that went idle last, whose caches are warm.  NULL:
 * there is none. */
static struct idler *hand_over(struct workers *workers, struct work *work)
{
	struct idler *idler = workers->idle;

	if (!idler)
		return NULL;
	workers->idle = idler->older;
	idler->work = work;
	return idler;
}

static void enqueue(struct workers *workers, struct work *work)
{
	work->next = NULL;
	*workers->last = work;
	workers->last = &work->next;
	if (workers->threads < workers->max)
		start_thread(workers);
}

void workers_post(struct workers *workers, struct work *work)
{
	struct idler *idler;

	pthread_mutex_lock(&workers->lock);
	idler = hand_over(workers, work);
	if (!idler)
		enqueue(workers, work);
	pthread_mutex_unlock(&workers->lock);
	/* Waking takes long enough for others to want the lock meanwhile. */
	if (idler)
		sem_post(&idler->handed);
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
		sem_post(&idler->handed);
	}
	while (workers->threads)
		pthread_cond_wait(&workers->ended, &workers->lock);
	pthread_mutex_unlock(&workers->lock);
	pthread_cond_destroy(&workers->ended);
	pthread_mutex_destroy(&workers->lock);
	memory_free(workers);
}
