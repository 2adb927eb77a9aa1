/* SPDX-License-Identifier: Apache-2.0 */
/* https://www.sqlite.org/wal.html, "Avoiding Excessively Large WAL Files": a
 * checkpoint that runs beside a writer never completes, because the writer
 * goes on writing; nor does one beside readers that are always there.
 */
#include "store/sqlite_checkpoint.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "store/store_private.h"

enum {
	/* Pages that nearly every row changes are copied less often when the
	 * log is longer: 16 MiB. */
	LOG_PAGES = 4096,
	/* Between two tries of the writer: another process may have written in
	 * between, or a reader may have been in the way. */
	REST_PAGES = 64,
	/* Where much is left a reader sees an older moment: no hurry. */
	AGAIN_PAGES = 1024,
	/* 64 MiB: the writer waits for readers, and again whenever the log has
	 * become twice as long. */
	INSIST_PAGES = 16384,
	INSIST_MS = 500,
	INSIST_PAUSE_MS = 2,
};

struct outcome {
	int pages; /* of the log; -1: an error */
	int left;  /* of them, to copy */
};

struct sqlite_checkpointer {
	sqlite3 *db; /* the writer's */
	char *path;
	bool started;
	pthread_t thread;
	int try_at, insist_at; /* pages of the log; the writer's */

	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct sqlite_checkpoint_counts counts;
	int seen;	 /* pages of the log, at the last commit */
	int due_at;	 /* so many are for the thread */
	bool wanted;	 /* it is to copy, or is at it */
	bool rest_waits; /* it has, and the writer is to copy the rest */
	bool stopping;
};

/* Another process or a reader may be in the way: then there is at least one
 * page left, for some other time. */
static struct outcome copy(sqlite3 *db, int mode, const char *who)
{
	int64_t began = clock_monotonic_ms();
	int pages = 0, copied = 0;
	int code = sqlite3_wal_checkpoint_v2(db, NULL, mode, &pages, &copied);
	struct outcome outcome = {
	    .pages = pages, .left = pages > copied ? pages - copied : 0};

	if (code == SQLITE_OK) {
		log_trace(LOG_TOPIC_STORE, "store.checkpoint", LOG_T("by", who),
		    LOG_I("pages", pages), LOG_I("copied", copied),
		    LOG_I("duration_ms", clock_monotonic_ms() - began));
		return outcome;
	}
	if ((code & 0xff) != SQLITE_BUSY)
		log_warning("store.not_checkpointed",
		    LOG_T("error", sqlite3_errmsg(db)));
	if (!outcome.left)
		outcome.left = 1;
	return outcome;
}

/* Without a log a connection knows nothing of it: it has to read first. */
static sqlite3 *open_beside(const char *path)
{
	sqlite3 *db = NULL;

	if (sqlite3_open_v2(path, &db,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
		NULL) == SQLITE_OK &&
	    sqlite3_exec(db, "PRAGMA synchronous = FULL; PRAGMA user_version",
		NULL, NULL, NULL) == SQLITE_OK)
		return db;
	log_warning("store.not_checkpointed",
	    LOG_T("error", db ? sqlite3_errmsg(db) : "out of memory"));
	sqlite3_close(db);
	return NULL;
}

/* SQLite leaves that to the one who reaches the end of the log, and that will
 * be the writer: it would wait for the disk.  An error comes again there. */
static void bring_to_disk(sqlite3 *db)
{
	sqlite3_file *file = NULL;

	if (sqlite3_file_control(
		db, "main", SQLITE_FCNTL_FILE_POINTER, &file) == SQLITE_OK &&
	    file && file->pMethods)
		file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
}

/* With the lock, when somebody has copied.  Where much is left a reader sees an
 * older moment, or the disk fails, and the thread is to try again, not too
 * often; a little is for the writer. */
static void leave_rest(
    struct sqlite_checkpointer *checkpointer, struct outcome outcome)
{
	checkpointer->rest_waits = outcome.pages >= 0 &&
				   outcome.left < LOG_PAGES;
	if (!checkpointer->rest_waits)
		checkpointer->due_at = checkpointer->seen + AGAIN_PAGES;
}

static void *run(void *object)
{
	struct sqlite_checkpointer *checkpointer = object;
	sqlite3 *db = NULL;

	pthread_mutex_lock(&checkpointer->lock);
	while (!checkpointer->stopping) {
		struct outcome outcome = {0};

		if (!checkpointer->wanted) {
			pthread_cond_wait(
			    &checkpointer->changed, &checkpointer->lock);
			continue;
		}
		pthread_mutex_unlock(&checkpointer->lock);
		/* If it cannot, the writer copies everything. */
		if (!db)
			db = open_beside(checkpointer->path);
		if (db) {
			outcome = copy(db, SQLITE_CHECKPOINT_PASSIVE, "thread");
			bring_to_disk(db);
		}
		pthread_mutex_lock(&checkpointer->lock);
		checkpointer->counts.thread += db != NULL;
		checkpointer->wanted = false;
		leave_rest(checkpointer, outcome);
	}
	pthread_mutex_unlock(&checkpointer->lock);
	sqlite3_close(db);
	return NULL;
}

/* With the lock. */
static void want(struct sqlite_checkpointer *checkpointer)
{
	if (!checkpointer->started)
		checkpointer->started = pthread_create(&checkpointer->thread,
					    NULL, run, checkpointer) == 0;
	checkpointer->wanted = checkpointer->started;
	checkpointer->rest_waits = !checkpointer->started;
	pthread_cond_signal(&checkpointer->changed);
}

/* SQLite's own pauses grow to 100 ms, and miss a reader that begins again. */
static int is_to_wait(void *deadline, int tries)
{
	(void)tries;
	return !deadline_passed(*(struct deadline *)deadline) &&
	       sqlite3_sleep(INSIST_PAUSE_MS) >= 0;
}

/* Waits until who reads now has read: then the log can begin anew. */
static struct outcome insist(struct sqlite_checkpointer *checkpointer)
{
	struct deadline deadline = deadline_in(INSIST_MS);
	struct outcome outcome;

	checkpointer->insist_at = checkpointer->seen < INT32_MAX / 2
				      ? checkpointer->seen * 2
				      : INT32_MAX;
	sqlite3_busy_handler(checkpointer->db, is_to_wait, &deadline);
	outcome = copy(checkpointer->db, SQLITE_CHECKPOINT_RESTART, "writer");
	sqlite3_busy_timeout(checkpointer->db, STORE_LOCK_STEP_MS);
	if (outcome.pages >= 0 && outcome.left)
		log_warning("store.not_checkpointed",
		    LOG_T("error", "the database is read all the time"));
	return outcome;
}

static void copy_rest(struct sqlite_checkpointer *checkpointer)
{
	struct outcome outcome = checkpointer->seen >= checkpointer->insist_at
				     ? insist(checkpointer)
				     : copy(checkpointer->db,
					   SQLITE_CHECKPOINT_PASSIVE, "writer");

	checkpointer->try_at = checkpointer->seen + REST_PAGES;
	pthread_mutex_lock(&checkpointer->lock);
	checkpointer->counts.writer++;
	leave_rest(checkpointer, outcome);
	pthread_mutex_unlock(&checkpointer->lock);
}

/* With the lock: the log has begun anew. */
static void begin_anew(struct sqlite_checkpointer *checkpointer)
{
	checkpointer->try_at = 0;
	checkpointer->insist_at = INSIST_PAGES;
	checkpointer->due_at = LOG_PAGES;
	checkpointer->rest_waits = false;
}

/* On the writer's thread, the commit is done. */
static int look(void *context, sqlite3 *db, const char *database, int pages)
{
	struct sqlite_checkpointer *checkpointer = context;
	bool acts;

	(void)db;
	(void)database;
	pthread_mutex_lock(&checkpointer->lock);
	if (pages < checkpointer->seen)
		begin_anew(checkpointer);
	checkpointer->seen = pages;
	if (!checkpointer->wanted && !checkpointer->rest_waits &&
	    pages >= checkpointer->due_at)
		want(checkpointer);
	acts = !checkpointer->wanted &&
	       ((checkpointer->rest_waits && pages >= checkpointer->try_at) ||
		   pages >= checkpointer->insist_at);
	pthread_mutex_unlock(&checkpointer->lock);
	if (acts)
		copy_rest(checkpointer);
	return SQLITE_OK;
}

struct sqlite_checkpointer *sqlite_checkpointer_new(
    sqlite3 *db, const char *path)
{
	struct sqlite_checkpointer *checkpointer = MEMORY_NEW(
	    struct sqlite_checkpointer);

	checkpointer->db = db;
	checkpointer->path = memory_copy_text(path, strlen(path));
	begin_anew(checkpointer);
	pthread_mutex_init(&checkpointer->lock, NULL);
	pthread_cond_init(&checkpointer->changed, NULL);
	sqlite3_wal_hook(db, look, checkpointer);
	return checkpointer;
}

void sqlite_checkpointer_free(struct sqlite_checkpointer *checkpointer)
{
	if (!checkpointer)
		return;
	sqlite3_wal_hook(checkpointer->db, NULL, NULL);
	pthread_mutex_lock(&checkpointer->lock);
	checkpointer->stopping = true;
	pthread_cond_signal(&checkpointer->changed);
	pthread_mutex_unlock(&checkpointer->lock);
	if (checkpointer->started)
		pthread_join(checkpointer->thread, NULL);
	pthread_cond_destroy(&checkpointer->changed);
	pthread_mutex_destroy(&checkpointer->lock);
	memory_free(checkpointer->path);
	memory_free(checkpointer);
}

struct sqlite_checkpoint_counts sqlite_checkpointer_counts(
    struct sqlite_checkpointer *checkpointer)
{
	struct sqlite_checkpoint_counts counts;

	pthread_mutex_lock(&checkpointer->lock);
	counts = checkpointer->counts;
	pthread_mutex_unlock(&checkpointer->lock);
	return counts;
}
