/* SPDX-License-Identifier: Apache-2.0 */
/* https://www.sqlite.org/wal.html, "Avoiding Excessively Large WAL Files": a
 * checkpoint that runs beside a writer never completes, because the writer
 * goes on writing.
 */
#include "store/sqlite_checkpoint.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

enum {
	/* Pages that nearly every row changes are copied less often when the
	 * log is longer: 16 MiB. */
	LOG_PAGES = 4096,
	/* The writer waits for the thread: 64 MiB. */
	LOG_PAGES_MAX = 16384,
};

struct sqlite_checkpointer {
	sqlite3 *db; /* the writer's */
	char *path;
	int due_at; /* so many pages; the writer's */
	bool started;
	pthread_t thread;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool wanted;	 /* the thread is to copy, or is at it */
	bool rest_waits; /* it has, and the writer is to copy the rest */
	bool stopping;
};

/* Another process or a reader may be in the way: then some other time. */
static void copy(sqlite3 *db, const char *who)
{
	int64_t began = clock_monotonic_ms();
	int pages = 0, copied = 0;
	int code = sqlite3_wal_checkpoint_v2(
	    db, NULL, SQLITE_CHECKPOINT_PASSIVE, &pages, &copied);

	if (code == SQLITE_OK)
		log_trace(LOG_TOPIC_STORE, "store.checkpoint", LOG_T("by", who),
		    LOG_I("pages", pages), LOG_I("copied", copied),
		    LOG_I("duration_ms", clock_monotonic_ms() - began));
	else if ((code & 0xff) != SQLITE_BUSY)
		log_warning("store.not_checkpointed",
		    LOG_T("error", sqlite3_errmsg(db)));
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
		if (db)
			copy(db, "thread");
		pthread_mutex_lock(&checkpointer->lock);
		checkpointer->wanted = false;
		checkpointer->rest_waits = true;
		pthread_cond_broadcast(&checkpointer->changed);
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
	pthread_cond_broadcast(&checkpointer->changed);
}

/* On the writer's thread, the commit is done. */
static int look(void *context, sqlite3 *db, const char *database, int pages)
{
	struct sqlite_checkpointer *checkpointer = context;
	bool rest;

	(void)database;
	/* It may have begun anew. */
	if (checkpointer->due_at > pages + LOG_PAGES)
		checkpointer->due_at = pages + LOG_PAGES;
	pthread_mutex_lock(&checkpointer->lock);
	if (pages >= checkpointer->due_at && !checkpointer->wanted &&
	    !checkpointer->rest_waits) {
		checkpointer->due_at = pages + LOG_PAGES;
		want(checkpointer);
	}
	while (pages >= LOG_PAGES_MAX && checkpointer->wanted)
		pthread_cond_wait(&checkpointer->changed, &checkpointer->lock);
	rest = checkpointer->rest_waits;
	checkpointer->rest_waits = false;
	pthread_mutex_unlock(&checkpointer->lock);
	if (rest)
		copy(db, "writer");
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
	pthread_cond_broadcast(&checkpointer->changed);
	pthread_mutex_unlock(&checkpointer->lock);
	if (checkpointer->started)
		pthread_join(checkpointer->thread, NULL);
	pthread_cond_destroy(&checkpointer->changed);
	pthread_mutex_destroy(&checkpointer->lock);
	memory_free(checkpointer->path);
	memory_free(checkpointer);
}
