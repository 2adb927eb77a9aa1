/* SPDX-License-Identifier: Apache-2.0 */
/* store/sqlite_private.h - what the files of the SQLite backend share. */
#ifndef STORE_SQLITE_PRIVATE_H
#define STORE_SQLITE_PRIVATE_H

#include <sqlite3.h>

#include "store/sqlite_checkpoint.h"
#include "store/store_private.h"

/* A trace but for its facts; part of migration 2, so it never changes. */
#define SQLITE_TRACE_COLUMNS                                                   \
	"row, id, time_ms, message_id, listener, client_ip, client_name,"      \
	" helo, sender, sender_key, sender_domain, header_from, subject,"      \
	" size, verdict, policy, reply, delivery, own_domain_result,"          \
	" own_domain, spf_result, dkim_result, dmarc_result, connector"
#define SQLITE_RECIPIENT_COLUMNS "parent, place, address, address_key, domain"

/* The statements that the writer keeps prepared: rows in sqlite_write.c. */
enum sqlite_statement {
	SQL_BEGIN,
	SQL_COMMIT,
	SQL_SAVEPOINT,
	SQL_SAVEPOINT_RELEASE,
	SQL_SAVEPOINT_ROLLBACK,
	SQL_LAST_ROW,
	SQL_PUT_TRACE,
	SQL_PUT_TRACE_FACTS,
	SQL_PUT_TRACE_RECIPIENT,
	SQL_PUT_QUARANTINE,
	SQL_PUT_QUARANTINE_RECIPIENT,
	SQL_PUT_PIECE,
	SQL_NOTE_RECENT,
	SQL_NOTE,
	SQL_FILE_BORDER,
	SQL_FILE_CHUNKS,
	SQL_FILE_TRACES,
	SQL_FILE_RECIPIENTS,
	SQL_FILE_DELETE_RECIPIENTS,
	SQL_FILE_DELETE_TRACES,
	SQL_MARK_RECIPIENT,
	SQL_MARK_RELEASED,
	SQL_DISCARD_ID,
	SQL_DISCARD_OLD,
	SQL_DELETE_DISCARDED,
	SQL_DELETE_FACTS,
	SQL_DELETE_TRACES,
	SQL_DELETE_CHUNKS,
	SQL_DELETE_RECENT_FACTS,
	SQL_DELETE_RECENT_RECIPIENTS,
	SQL_DELETE_RECENT,
	SQL_DELETE_PIECES,
	SQL_DELETE_GARBAGE,
	SQL_VACUUM,
	SQL_FREE_PAGES,
	SQL_CLOCK,
	SQL_PROBE,
	SQL_STATEMENTS
};

struct store_connection {
	sqlite3 *db;
	char *path, *log_path;
	struct sqlite_checkpointer *checkpointer; /* of a writer */
	uint64_t files[2]; /* inodes of both when they were opened */
	int64_t last_row;  /* of traces, in a transaction; -1: not asked */
	sqlite3_stmt *statements[SQL_STATEMENTS]; /* NULL: not yet */
};

extern const char *const sqlite_statement_texts[SQL_STATEMENTS];

/* Fills err from the connection's last error and returns false. */
bool sqlite_fail(const struct store_connection *connection, struct err *err);

/* One or more statements without parameters. */
bool sqlite_run(
    struct store_connection *connection, const char *sql, struct err *err);

/* The first column of the first row; fallback if there is none. */
bool sqlite_get_int(struct store_connection *connection, const char *sql,
    int64_t fallback, int64_t *ret, struct err *err);

/* text must stay until the statement is reset. */
void sqlite_bind_slice(sqlite3_stmt *statement, int at, struct slice text);

/* A numbered change of the tables: rows in sqlite_schema.c. */
struct sqlite_migration {
	int version;
	const char *sql;
};

extern const struct sqlite_migration sqlite_migrations[];
extern const size_t sqlite_migration_count;

/* Brings the tables to the last version; each migration is a transaction.  If
 * another process is at it, waits for as long as a child may take to start.
 * The connection waits STORE_LOCK_STEP_MS for locks afterwards.
 * False: E_CONFIG if the database is newer, or is not ours. */
bool sqlite_schema_migrate(struct store_connection *connection,
    const struct sqlite_migration *migrations, size_t count, struct err *err);

/* E_CONFIG unless the tables are of exactly this program's version. */
bool sqlite_schema_check(struct store_connection *connection, struct err *err);

/* Of the backend's table; sqlite_write.c, sqlite_file.c, sqlite_find.c,
 * sqlite_read.c. */
bool sqlite_write(struct store_connection *connection, struct store_work *work,
    struct err *err);
bool sqlite_file_recent(struct store_connection *connection, uint64_t rows,
    uint64_t *ret_moved, struct err *err);
bool sqlite_find_traces(struct store_connection *connection,
    struct arena *arena, const struct store_query *query, size_t *ret_count,
    struct store_trace **ret, struct err *err);
bool sqlite_find_rows(struct store_connection *connection, struct arena *arena,
    const struct store_query *query, struct store_rows *ret, struct err *err);
bool sqlite_read_rows(struct store_connection *connection, struct arena *arena,
    const struct store_rows *rows, size_t *ret_count, struct store_trace **ret,
    struct err *err);
bool sqlite_list_quarantine(struct store_connection *connection,
    struct arena *arena, const struct store_query *query, bool released_too,
    size_t *ret_count, struct store_quarantined **ret, struct err *err);
bool sqlite_get_quarantined(struct store_connection *connection,
    struct arena *arena, struct slice id, struct store_quarantined *ret,
    struct slice *ret_message, struct err *err);
bool sqlite_report_own_domains(struct store_connection *connection,
    struct arena *arena, int64_t from_ms, size_t *ret_count,
    struct store_own_domain_row **ret, struct err *err);
bool sqlite_get_clock(struct store_connection *connection,
    struct store_clock *ret, struct err *err);

/* Pages of the database that nothing is in. */
bool sqlite_count_free(
    struct store_connection *connection, int64_t *ret, struct err *err);

/* Octets that the disk and max_size still have room for, and those in use (may
 * be NULL). */
bool sqlite_room(struct store_connection *connection, uint64_t *ret_room,
    uint64_t *ret_used, struct err *err);

/* Whoever fills the quarantine does not take the room of traces, which all
 * other mail needs.  False: E_LIMIT, which is the kind of nothing else here. */
bool sqlite_has_room_to_hold(
    struct store_connection *connection, uint64_t size, struct err *err);

/* Runs a prepared statement to its end, then clears it; rows are skipped.
 * ret_changes may be NULL. */
bool sqlite_execute(struct store_connection *connection,
    sqlite3_stmt *statement, uint64_t *ret_changes, struct err *err);

/* The prepared statement, made at its first use; NULL: err says why. */
sqlite3_stmt *sqlite_prepared(struct store_connection *connection,
    enum sqlite_statement number, struct err *err);

#endif
