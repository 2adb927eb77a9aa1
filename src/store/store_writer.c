/* SPDX-License-Identifier: Apache-2.0 */
/* The writer thread: what many sessions post is committed in groups.
 *
 * A job is its session's memory.  While it is queued the session may take it
 * out (its deadline has passed: nothing is written).  When a group begins, its
 * jobs leave the queue and belong to the writer until it calls `done`; the
 * session waits for that whatever its deadline says, because only the result
 * of the commit tells whether the row exists, and the row's text is the
 * session's memory, too.
 *
 * The lock of the store is taken before jobs leave the queue.  So a store that
 * another process holds locked costs each session its own deadline, no more.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/handover.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "base/require.h"
#include "store/store_private.h"
#include "store/store_queue.h"

enum {
	GROUP_MAX = 256,	    /* members of one commit */
	GROUP_BYTES_MAX = 16 << 20, /* messages and facts; then it is full */
	QUEUE_MAX = 8192,
	COMPANY_US = 1000, /* as a session waits for others */
	COMPANY_ROWS = 16,
	COMPANY_TRIES = 8,	  /* groups until one more is hoped for */
	NOTE_COMPANY_MS = 100,	  /* notes wait for a session's row */
	NOTE_RETRY_MS = 1000,	  /* notes after a failed group */
	AGAIN_MS = 10,		  /* at least, from one try to the next */
	FILE_IDLE_MS = 1000,	  /* fresh rows are filed when it is quiet */
	STOP_PATIENCE_MS = 10000, /* for a locked store at the end */
	STALLED_WAIT_MS = 2000,	  /* once others have waited in vain */
};

/* A job that owns all it needs. */
struct note {
	struct store_job job; /* first */
	struct store_work work;
	struct arena *arena;
};

struct store_writer {
	const struct store_backend *backend;
	struct slice place;
	/* NULL: not yet open.  Only its own thread changes that. */
	struct store_connection *_Atomic connection;
	pthread_t thread;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t work_waits;
	struct store_queue queue;
	size_t waiters;	 /* jobs in the queue that are not notes */
	size_t wakes_at; /* so many of them */
	size_t company;	 /* so many come together, as far as is known */
	unsigned int company_met; /* since that was tried */
	uint64_t commit_us;	  /* what the last commit took */
	bool stopping;
	bool locked;	     /* begin is being refused at present */
	bool backing_off;    /* notes wait for the next try */
	atomic_bool stalled; /* somebody gave up; no commit since then */
	uint64_t unfiled;    /* fresh rows, as far as is known */
	uint64_t file_at;    /* that many are filed at once */
	struct store_statistics statistics;
};

static void init_condition(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(condition, &attributes);
	pthread_condattr_destroy(&attributes);
}

/* False: the deadline has passed. */
static bool wait_until(
    pthread_cond_t *condition, pthread_mutex_t *lock, struct deadline deadline)
{
	struct timespec at = {
	    .tv_sec = (time_t)(deadline.at_ms / 1000),
	    .tv_nsec = (long)(deadline.at_ms % 1000) * 1000000,
	};

	if (deadline_passed(deadline))
		return false;
	if (deadline.at_ms == DEADLINE_NEVER.at_ms)
		pthread_cond_wait(condition, lock);
	else
		pthread_cond_timedwait(condition, lock, &at);
	return true;
}

/* With the lock held.  True: the writer has to be woken, best when the lock is
 * given up: it would wait for it at once. */
static bool enqueue(struct store_writer *writer, struct store_job *job)
{
	job->queued = true;
	if (!job->note)
		writer->waiters++;
	store_queue_push_back(&writer->queue, job);
	metrics_set(METRIC_STORE_WAITING, (int64_t)writer->queue.count);
	/* Others that come along bring no news. */
	return writer->queue.count == 1 || writer->queue.count == GROUP_MAX ||
	       (!job->note && writer->waiters == writer->wakes_at);
}

static void dequeue(struct store_writer *writer, struct store_job *job)
{
	job->queued = false;
	if (!job->note)
		writer->waiters--;
	store_queue_take_out(&writer->queue, job);
	metrics_set(METRIC_STORE_WAITING, (int64_t)writer->queue.count);
}

/* The arena holds the note itself. */
static void free_note(struct store_job *job)
{
	arena_free(((struct note *)job)->arena);
}

static void count_failure(struct store_writer *writer, enum err_kind kind)
{
	static const struct {
		enum err_kind kind;
		const char *reason;
	} reasons[] = {
	    {E_FULL, "full"},
	    {E_TEMP, "locked"},
	    {E_TIMEOUT, "timeout"},
	    {E_IO, "io"},
	    {E_SYNTAX, "row"},
	    {E_LIMIT, "held"},
	};
	const char *reason = "other";

	/* What somebody asked for and is not there is no failure. */
	if (kind == E_NOT_FOUND)
		return;
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].kind == kind)
			reason = reasons[i].reason;
	writer->statistics.failures++;
	metrics_count(METRIC_STORE_FAILURES, slice_from(reason));
}

bool store_is_member_failure(enum err_kind kind)
{
	return kind == E_NOT_FOUND || kind == E_SYNTAX || kind == E_LIMIT;
}

/* With the lock held: the result, which tell gives to whom it belongs. */
static void finish(struct store_writer *writer, struct store_queue *finished,
    struct store_job *job, const struct err *failure)
{
	job->ok = !failure;
	if (failure) {
		job->err = *failure;
		count_failure(writer, failure->kind);
	} else {
		writer->statistics.rows++;
		metrics_add(METRIC_STORE_ROWS, 1);
	}
	store_queue_push_back(finished, job);
}

/* Without the lock: a job may be gone as soon as it is told. */
static void tell(const struct store_queue *finished)
{
	struct store_job *next;

	for (struct store_job *job = finished->first; job; job = next) {
		next = job->next;
		job->done(job);
	}
}

/* Every queued session gets the failure; notes stay for a better time. */
static void fail_queued(struct store_writer *writer,
    struct store_queue *finished, const struct err *failure)
{
	struct store_job *next;

	for (struct store_job *job = writer->queue.first; job; job = next) {
		next = job->next;
		if (job->note && !writer->stopping)
			continue;
		dequeue(writer, job);
		finish(writer, finished, job, failure);
	}
	writer->backing_off = true;
}

static size_t message_size(const struct store_work *work)
{
	size_t size = work->row ? work->row->trace.facts.len : 0;

	if (work->quarantine)
		for (size_t i = 0; i < work->quarantine->piece_count; i++)
			size += work->quarantine->pieces[i].len;
	return size;
}

/* With the lock held.  A large message ends its group, so that small ones do
 * not wait for several of them. */
static size_t take_group(struct store_writer *writer, struct store_job **group)
{
	size_t count = 0, bytes = 0;

	while (writer->queue.first && count < GROUP_MAX &&
	       bytes < GROUP_BYTES_MAX) {
		struct store_job *job = writer->queue.first;

		dequeue(writer, job);
		bytes += message_size(job->work);
		group[count++] = job;
	}
	return count;
}

/* Without the lock.  False: no member is written. */
static bool write_group(struct store_writer *writer, struct store_job **group,
    size_t count, struct err *failure)
{
	const struct store_backend *backend = writer->backend;

	for (size_t i = 0; i < count; i++) {
		struct store_job *job = group[i];

		job->err.kind = E_NONE;
		if (backend->write(writer->connection, job->work, &job->err))
			continue;
		if (!store_is_member_failure(job->err.kind)) {
			*failure = job->err;
			backend->rollback(writer->connection);
			return false;
		}
	}
	if (backend->commit(writer->connection, failure))
		return true;
	backend->rollback(writer->connection);
	return false;
}

/* With the lock held. */
static void requeue_notes(
    struct store_writer *writer, struct store_job **group, size_t count)
{
	for (size_t i = count; i-- > 0;)
		if (group[i]->note) {
			group[i]->queued = true;
			store_queue_push_front(&writer->queue, group[i]);
		}
	metrics_set(METRIC_STORE_WAITING, (int64_t)writer->queue.count);
}

/* With the lock held. */
static void finish_group(struct store_writer *writer, struct store_job **group,
    size_t count, const struct err *failure, struct store_queue *finished)
{
	writer->backing_off = failure != NULL;
	if (!failure) {
		writer->stalled = false;
		writer->statistics.commits++;
		metrics_add(METRIC_STORE_COMMITS, 1);
	}
	for (size_t i = 0; i < count; i++) {
		struct store_job *job = group[i];
		bool alone = !failure && job->err.kind != E_NONE;

		if (failure && job->note && !writer->stopping)
			continue;
		if (!failure && job->work->kind == WORK_PUT)
			writer->unfiled++;
		finish(writer, finished, job, alone ? &job->err : failure);
	}
	if (failure && !writer->stopping)
		requeue_notes(writer, group, count);
}

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* With the lock held, and the store's; gives the first up in between. */
static void commit_group(
    struct store_writer *writer, struct store_queue *finished)
{
	struct store_job *group[GROUP_MAX];
	struct err failure = {.kind = E_NONE};
	uint64_t began = now_us();
	size_t count = take_group(writer, group);
	bool ok;

	/* All may have given up while the store's lock was waited for. */
	if (count == 0) {
		writer->stalled = false;
		writer->backend->rollback(writer->connection);
		return;
	}
	pthread_mutex_unlock(&writer->lock);
	ok = write_group(writer, group, count, &failure);
	log_trace(LOG_TOPIC_STORE, "store.group", LOG_I("rows", (int64_t)count),
	    LOG_T("kind", ok ? "ok" : err_kind_name(failure.kind)),
	    LOG_T("error", failure.text));
	pthread_mutex_lock(&writer->lock);
	if (ok) {
		writer->commit_us = now_us() - began;
		metrics_observe(
		    METRIC_STORE_COMMIT_DURATION, writer->commit_us);
	}
	finish_group(writer, group, count, ok ? NULL : &failure, finished);
}

/* With the lock held. */
static bool only_notes(const struct store_writer *writer)
{
	if (writer->stopping || writer->waiters)
		return false;
	return writer->backing_off || writer->queue.count < GROUP_MAX;
}

/* With the lock held; gives it up in between.  What fails is tried again when
 * it is quiet, or with more rows. */
static void file_recent(struct store_writer *writer)
{
	struct err err = {.kind = E_NONE};
	uint64_t moved = 0;
	bool ok;

	pthread_mutex_unlock(&writer->lock);
	ok = writer->backend->file_recent(
	    writer->connection, STORE_FILE_ROWS, &moved, &err);
	pthread_mutex_lock(&writer->lock);
	if (!ok) {
		log_trace(LOG_TOPIC_STORE, "store.not_filed",
		    LOG_T("error", err.text));
		count_failure(writer, err.kind);
	}
	if (ok && moved < STORE_FILE_ROWS)
		writer->unfiled = 0;
	else if (ok)
		writer->unfiled -= moved < writer->unfiled
				       ? moved
				       : writer->unfiled - 1;
	writer->file_at = writer->unfiled + STORE_FILE_ROWS;
}

/* With the lock held. */
static void file_when_many(struct store_writer *writer)
{
	if (writer->backend->file_recent && writer->unfiled >= writer->file_at)
		file_recent(writer);
}

/* With the lock held.  When it is quiet, all fresh rows are filed. */
static void wait_for_first(struct store_writer *writer)
{
	struct deadline quiet = deadline_in(FILE_IDLE_MS);

	while (!writer->stopping && !writer->queue.first) {
		bool due = writer->unfiled && writer->connection &&
			   writer->backend->file_recent;

		if (wait_until(&writer->work_waits, &writer->lock,
			due ? quiet : DEADLINE_NEVER))
			continue;
		file_recent(writer);
		quiet = deadline_in(FILE_IDLE_MS);
	}
}

/* With the lock held: how many came.  One that is alone soon waits for nobody;
 * now and then one more is hoped for. */
static void learn_company(struct store_writer *writer)
{
	if (writer->waiters < writer->company) {
		writer->company--;
	} else if (writer->waiters > writer->company) {
		writer->company = writer->waiters;
	} else if (writer->company > 1 &&
		   ++writer->company_met % COMPANY_TRIES == 0) {
		writer->company++;
	}
	if (writer->company > COMPANY_ROWS)
		writer->company = COMPANY_ROWS;
}

/* With the lock held; gives it up in between.  A commit costs much more than a
 * row, so who comes together is committed together: at 16 connections groups
 * of 4 became 7, and a message took 10 % less CPU time.  Not longer than twice
 * what the last commit took: where that is cheap there is little to be won.
 * (Twice instead of once: 3 to 8 % less with 16 connections, 2 % more with 4,
 * the latency is the same.) */
static void wait_for_company(struct store_writer *writer)
{
	uint64_t twice = 2 * writer->commit_us;
	uint64_t patience = twice < COMPANY_US ? twice : COMPANY_US;
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (long)patience * 1000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	writer->wakes_at = writer->company;
	while (writer->waiters < writer->company && !writer->stopping &&
	       pthread_cond_timedwait(
		   &writer->work_waits, &writer->lock, &until) == 0)
		;
	writer->wakes_at = 1;
	learn_company(writer);
}

/* With the lock held; gives it up in between.  Nobody waits for notes: they
 * share the commit of the next session's row, and after a failure they are not
 * tried again at once. */
static void wait_for_sessions(struct store_writer *writer)
{
	struct deadline deadline = deadline_in(
	    writer->backing_off ? NOTE_RETRY_MS : NOTE_COMPANY_MS);

	while (only_notes(writer) &&
	       wait_until(&writer->work_waits, &writer->lock, deadline))
		;
	writer->backing_off = false;
}

/* With the lock held.  False: nothing to do and stopping.  What was there may
 * be given up while others are waited for. */
static bool wait_for_work(struct store_writer *writer)
{
	do {
		wait_for_first(writer);
		wait_for_sessions(writer);
		if (writer->waiters)
			wait_for_company(writer);
	} while (!writer->queue.first && !writer->stopping);
	return writer->queue.first != NULL;
}

/* Without the lock.  The store's, which it is opened for at first. */
static bool begin(struct store_writer *writer, struct err *err)
{
	const struct store_backend *backend = writer->backend;
	struct store_connection *opened;

	if (!writer->connection) {
		if (!backend->open(writer->place, STORE_CREATE, &opened, err))
			return false;
		writer->connection = opened;
		log_notice("store.back", LOG_S("place", writer->place));
	}
	return backend->begin(writer->connection, err);
}

/* With the lock held.  One try; *patience is when a stopping writer gives
 * up. */
static void try_group(struct store_writer *writer, struct deadline *patience)
{
	struct deadline again = deadline_in(AGAIN_MS);
	struct err failure = {.kind = E_NONE};
	struct store_queue finished = {0};
	bool began;

	pthread_mutex_unlock(&writer->lock);
	began = begin(writer, &failure);
	pthread_mutex_lock(&writer->lock);
	/* E_TEMP: the jobs stay queued, and each session's own deadline says
	 * how long it has patience. */
	writer->locked = !began && failure.kind == E_TEMP;
	if (began)
		*patience = DEADLINE_NEVER;
	else if (writer->stopping && patience->at_ms == DEADLINE_NEVER.at_ms)
		*patience = deadline_in(STOP_PATIENCE_MS);
	if (began)
		commit_group(writer, &finished);
	else if (!writer->locked || deadline_passed(*patience))
		fail_queued(writer, &finished, &failure);
	pthread_mutex_unlock(&writer->lock);
	tell(&finished);
	pthread_mutex_lock(&writer->lock);
	/* Not each failure has taken the time that waiting for a lock takes. */
	if (writer->locked)
		wait_until(&writer->work_waits, &writer->lock, again);
}

static void *run(void *object)
{
	struct store_writer *writer = object;
	struct deadline patience = DEADLINE_NEVER;

	pthread_mutex_lock(&writer->lock);
	while (wait_for_work(writer)) {
		try_group(writer, &patience);
		file_when_many(writer);
	}
	pthread_mutex_unlock(&writer->lock);
	return NULL;
}

bool store_writer_start(const struct store_backend *backend, struct slice place,
    struct store_connection *connection, struct store_writer **ret,
    struct err *err)
{
	struct store_writer *writer = MEMORY_NEW(struct store_writer);

	writer->backend = backend;
	writer->place = place;
	writer->connection = connection;
	writer->unfiled = 1; /* of an earlier run, perhaps */
	writer->file_at = STORE_FILE_ROWS;
	writer->wakes_at = 1;
	pthread_mutex_init(&writer->lock, NULL);
	init_condition(&writer->work_waits);
	if (pthread_create(&writer->thread, NULL, run, writer) != 0) {
		memory_free(writer);
		return err_set(err, E_TEMP, "store: cannot start a thread");
	}
	*ret = writer;
	return true;
}

void store_writer_stop(struct store_writer *writer)
{
	pthread_mutex_lock(&writer->lock);
	writer->stopping = true;
	pthread_cond_signal(&writer->work_waits);
	pthread_mutex_unlock(&writer->lock);
	pthread_join(writer->thread, NULL);
	if (writer->connection)
		writer->backend->close(writer->connection);
	pthread_cond_destroy(&writer->work_waits);
	pthread_mutex_destroy(&writer->lock);
	memory_free(writer);
}

bool store_writer_begin(
    struct store_writer *writer, struct store_job *job, struct err *err)
{
	bool queued, wake = false;

	/* Or every session would soon wait here for its own whole deadline. */
	if (writer->stalled)
		job->deadline = deadline_min(
		    job->deadline, deadline_in(STALLED_WAIT_MS));
	pthread_mutex_lock(&writer->lock);
	require(!writer->stopping);
	queued = writer->queue.count < QUEUE_MAX;
	if (queued) {
		wake = enqueue(writer, job);
	} else {
		writer->statistics.failures++;
		metrics_count(METRIC_STORE_FAILURES, SLICE("queue"));
	}
	pthread_mutex_unlock(&writer->lock);
	if (wake)
		pthread_cond_signal(&writer->work_waits);
	return queued || err_set(err, E_TEMP, "store: too many changes wait");
}

/* With the lock held. */
static void take_back(struct store_writer *writer, struct store_job *job)
{
	dequeue(writer, job);
	writer->stalled = true;
	job->ok = false;
	if (writer->locked)
		err_set(&job->err, E_TEMP,
		    "store: the database is locked by another process");
	else
		err_set(&job->err, E_TIMEOUT,
		    "store: no commit within the time allowed");
	count_failure(writer, job->err.kind);
}

bool store_writer_give_up(struct store_writer *writer, struct store_job *job)
{
	bool queued;

	pthread_mutex_lock(&writer->lock);
	queued = job->queued;
	if (queued)
		take_back(writer, job);
	pthread_mutex_unlock(&writer->lock);
	return queued;
}

bool store_writer_is_stalled(const struct store_writer *writer)
{
	return writer->stalled;
}

/* A job whose thread waits. */
struct waiting_job {
	struct store_job job; /* first */
	sem_t done;
};

static void wake_waiting(struct store_job *job)
{
	sem_post(&((struct waiting_job *)job)->done);
}

bool store_writer_run(struct store_writer *writer, struct store_work *work,
    struct deadline deadline, struct err *err)
{
	struct waiting_job waiting = {
	    .job = {.work = work, .deadline = deadline, .done = wake_waiting}};
	struct store_job *job = &waiting.job;
	bool begun;

	sem_init(&waiting.done, 0, 0);
	begun = store_writer_begin(writer, job, err);
	/* If it cannot be taken back its group is being written: see the top
	 * of this file. */
	if (begun && !handover_wait(&waiting.done, job->deadline) &&
	    !store_writer_give_up(writer, job))
		handover_wait(&waiting.done, DEADLINE_NEVER);
	sem_destroy(&waiting.done);
	if (begun && !job->ok && err)
		*err = job->err;
	return begun && job->ok;
}

void store_writer_note(struct store_writer *writer, struct slice id,
    struct slice verdict, struct slice reply)
{
	struct arena *arena = arena_new(512);
	struct note *note = ARENA_NEW(arena, struct note);

	note->arena = arena;
	note->work.kind = WORK_NOTE;
	note->work.id = arena_slice(arena, id);
	note->work.verdict = arena_slice(arena, verdict);
	note->work.reply = arena_slice(arena, reply);
	note->job.note = true;
	note->job.work = &note->work;
	note->job.done = free_note;
	if (!store_writer_begin(writer, &note->job, NULL))
		arena_free(arena);
}

struct store_statistics store_writer_statistics(struct store_writer *writer)
{
	struct store_statistics statistics;

	pthread_mutex_lock(&writer->lock);
	statistics = writer->statistics;
	statistics.waiting = writer->queue.count;
	pthread_mutex_unlock(&writer->lock);
	statistics.size_bytes = writer->connection
				    ? writer->backend->size(writer->connection)
				    : 0;
	return statistics;
}
