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

struct sqlite_checkpointer {
	sqlite3 *db; /* the writer's */
	char *path;
	bool started;
	pthread_t thread;
	/* Pages of the log at which the thread is due, and at which the writer
	 * tries next, and insists; the writer's. */
	int due_at, try_at, insist_at;
	struct sqlite_checkpoint_counts counts;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool wanted;	 /* the thread is to copy, or is at it */
	bool rest_waits; /* it has, and the writer is to copy the rest */
	bool stopping;
};

/* Pages that are left to copy; at least 1 if another process or a reader is in
 * the way: then some other time. */
static int copy(sqlite3 *db, int mode, const char *who)
{
	int64_t began = clock_monotonic_ms();
	int pages = 0, copied = 0, left;
	int code = sqlite3_wal_checkpoint_v2(db, NULL, mode, &pages, &copied);

	if (code == SQLITE_OK)
		log_trace(LOG_TOPIC_STORE, "store.checkpoint", LOG_T("by", who),
		    LOG_I("pages", pages), LOG_I("copied", copied),
		    LOG_I("duration_ms", clock_monotonic_ms() - began));
	else if ((code & 0xff) != SQLITE_BUSY)
		log_warning("store.not_checkpointed",
		    LOG_T("error", sqlite3_errmsg(db)));
	left = pages > copied ? pages - copied : 0;
	return code == SQLITE_OK || left ? left : 1;
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

static void *run(void *object)
{
	struct sqlite_checkpointer *checkpointer = object;
	sqlite3 *db = NULL;

	pthread_mutex_lock(&checkpointer->lock);
	while (!checkpointer->stopping) {
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
			copy(db, SQLITE_CHECKPOINT_PASSIVE, "thread");
			bring_to_disk(db);
		}
		pthread_mutex_lock(&checkpointer->lock);
		checkpointer->counts.thread += db != NULL;
		checkpointer->wanted = false;
		checkpointer->rest_waits = true;
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
	checkpointer->try_at = 0;
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
static int insist(struct sqlite_checkpointer *checkpointer, int pages)
{
	struct deadline deadline = deadline_in(INSIST_MS);
	int left;

	checkpointer->insist_at = pages < INT32_MAX / 2 ? pages * 2 : INT32_MAX;
	sqlite3_busy_handler(checkpointer->db, is_to_wait, &deadline);
	left = copy(checkpointer->db, SQLITE_CHECKPOINT_RESTART, "writer");
	sqlite3_busy_timeout(checkpointer->db, STORE_LOCK_STEP_MS);
	if (left)
		log_warning("store.not_checkpointed",
		    LOG_T(
			"error", "something reads the database all the time"));
	return left;
}

static void copy_rest(struct sqlite_checkpointer *checkpointer, int pages)
{
	int left;

	if (pages < checkpointer->try_at)
		return;
	checkpointer->try_at = pages + REST_PAGES;
	checkpointer->counts.writer++;
	left = pages >= checkpointer->insist_at
		   ? insist(checkpointer, pages)
		   : copy(
			 checkpointer->db, SQLITE_CHECKPOINT_PASSIVE, "writer");
	/* That much is for the thread again. */
	pthread_mutex_lock(&checkpointer->lock);
	if (left >= LOG_PAGES)
		want(checkpointer);
	pthread_mutex_unlock(&checkpointer->lock);
}

/* On the writer's thread, the commit is done. */
static int look(void *context, sqlite3 *db, const char *database, int pages)
{
	struct sqlite_checkpointer *checkpointer = context;
	bool rest;

	(void)db;
	(void)database;
	pthread_mutex_lock(&checkpointer->lock);
	/* It has begun anew. */
	if (pages < LOG_PAGES) {
		checkpointer->rest_waits = false;
		checkpointer->due_at = LOG_PAGES;
		checkpointer->insist_at = INSIST_PAGES;
	}
	if (pages >= checkpointer->due_at && !checkpointer->rest_waits &&
	    !checkpointer->wanted)
		want(checkpointer);
	rest = checkpointer->rest_waits && pages >= checkpointer->try_at;
	pthread_mutex_unlock(&checkpointer->lock);
	if (rest)
		copy_rest(checkpointer, pages);
	return SQLITE_OK;
}

struct sqlite_checkpointer *sqlite_checkpointer_new(
    sqlite3 *db, const char *path)
{
	struct sqlite_checkpointer *checkpointer = MEMORY_NEW(
	    struct sqlite_checkpointer);

	checkpointer->db = db;
	checkpointer->path = memory_copy_text(path, strlen(path));
	checkpointer->due_at = LOG_PAGES;
	checkpointer->insist_at = INSIST_PAGES;
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
