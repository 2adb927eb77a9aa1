/* SPDX-License-Identifier: Apache-2.0 */
/* store/sqlite_checkpoint.h - the log is copied into the database beside the
 * writer.
 *
 * A checkpoint of a log of 16 MiB takes 20 ms, or seconds on a slow disk, and
 * done by the writer every session that commits meanwhile waits for it.  So a
 * thread with a connection of its own does it while the writer goes on.  The
 * little that was written meanwhile the writer copies itself: only when all of
 * the log is copied, and nobody reads from it, does SQLite use it from its
 * start again.
 */
#ifndef STORE_SQLITE_CHECKPOINT_H
#define STORE_SQLITE_CHECKPOINT_H

#include <sqlite3.h>
#include <stdint.h>

struct sqlite_checkpointer;

/* After each commit of db looks how long the log is.  The thread starts when
 * there is something to do for the first time; path is copied. */
struct sqlite_checkpointer *sqlite_checkpointer_new(
    sqlite3 *db, const char *path);

/* Before db is closed.  NULL is allowed. */
void sqlite_checkpointer_free(struct sqlite_checkpointer *checkpointer);

/* How often who copied; on the writer's thread. */
struct sqlite_checkpoint_counts {
	uint64_t thread, writer;
};
struct sqlite_checkpoint_counts sqlite_checkpointer_counts(
    struct sqlite_checkpointer *checkpointer);

#endif
