/* SPDX-License-Identifier: Apache-2.0 */
/* Fresh rows are filed: moved to the tables that have all the indexes.
 *
 * Each index of a trace is another page in the log of nearly every commit.
 * Moving some hundred rows at once writes each page once.  The writer does it
 * between commits; under load sessions wait for it, some milliseconds.  The
 * facts of a trace stay where they are.  A row is in one of the tables at any
 * moment that a reader sees.
 */
#include "store/sqlite_private.h"

/* *ret: the last row to file; 0: there is none. */
static bool find_border(struct store_connection *connection, uint64_t rows,
    int64_t *ret, struct err *err)
{
	sqlite3_stmt *statement = sqlite_prepared(
	    connection, SQL_FILE_BORDER, err);
	bool ok;

	if (!statement)
		return false;
	sqlite3_bind_int64(statement, 1, (int64_t)rows);
	ok = sqlite3_step(statement) == SQLITE_ROW;
	if (ok)
		*ret = sqlite3_column_int64(statement, 0);
	else
		sqlite_fail(connection, err);
	sqlite3_reset(statement);
	return ok;
}

static bool move(struct store_connection *connection, uint64_t rows,
    uint64_t *ret_moved, struct err *err)
{
	static const enum sqlite_statement steps[] = {SQL_FILE_CHUNKS,
	    SQL_FILE_TRACES, SQL_FILE_RECIPIENTS, SQL_FILE_DELETE_RECIPIENTS,
	    SQL_FILE_DELETE_TRACES};
	uint64_t changes = 0;
	int64_t border = 0;

	if (!find_border(connection, rows, &border, err))
		return false;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		sqlite3_stmt *statement = sqlite_prepared(
		    connection, steps[i], err);

		if (!statement)
			return false;
		sqlite3_bind_int64(statement, 1, border);
		if (!sqlite_execute(connection, statement, &changes, err))
			return false;
	}
	*ret_moved = changes; /* of the last step: the traces */
	return true;
}

static bool execute(struct store_connection *connection,
    enum sqlite_statement number, struct err *err)
{
	return sqlite_execute(
	    connection, sqlite_prepared(connection, number, err), NULL, err);
}

bool sqlite_file_recent(struct store_connection *connection, uint64_t rows,
    uint64_t *ret_moved, struct err *err)
{
	bool ok;

	if (!execute(connection, SQL_BEGIN, err))
		return false;
	ok = move(connection, rows, ret_moved, err) &&
	     execute(connection, SQL_COMMIT, err);
	if (!ok && !sqlite3_get_autocommit(connection->db))
		sqlite3_exec(connection->db, "ROLLBACK", NULL, NULL, NULL);
	return ok;
}
