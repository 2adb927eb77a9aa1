/* SPDX-License-Identifier: Apache-2.0 */
/* The readers' queries but those for traces.  Each sees one moment of the
 * database, whatever is committed meanwhile. */
#include <string.h>

#include "store/sqlite_query.h"

#define QUARANTINE_COLUMNS                                                     \
	"row, id, message_id, sender, reason, route, time_ms, size, "          \
	"released_ms"

static bool read_quarantined(struct store_connection *connection,
    struct arena *arena, sqlite3_stmt *statement, struct store_quarantined *ret,
    struct err *err)
{
	struct store_quarantined message = {
	    .id = sqlite_copy_text(arena, statement, 1),
	    .message_id = sqlite_copy_text(arena, statement, 2),
	    .sender = sqlite_copy_text(arena, statement, 3),
	    .reason = sqlite_copy_text(arena, statement, 4),
	    .route = sqlite_copy_text(arena, statement, 5),
	    .time_ms = sqlite3_column_int64(statement, 6),
	    .size = (uint64_t)sqlite3_column_int64(statement, 7),
	    .released_ms = sqlite3_column_int64(statement, 8),
	};
	static const struct sqlite_parameters none = {.count = 0};
	sqlite3_stmt *recipients = sqlite_prepare_query(connection,
	    SLICE("SELECT address, released_ms FROM quarantine_recipient"
		  " WHERE parent = ? ORDER BY place"),
	    &none, err);
	bool ok = recipients &&
		  sqlite_read_recipients(connection, arena, recipients,
		      sqlite3_column_int64(statement, 0),
		      &message.recipient_count, &message.recipients,
		      &message.recipient_released_ms, err);

	sqlite3_finalize(recipients);
	*ret = message;
	return ok;
}

static bool list_quarantine(struct store_connection *connection,
    struct arena *arena, const struct store_query *query, bool released_too,
    size_t *ret_count, struct store_quarantined **ret, struct err *err)
{
	struct sqlite_parameters parameters = {.count = 0};
	struct buf *sql = buf_in_arena(arena, SQLITE_SQL_MAX);
	struct store_quarantined *list = NULL;
	sqlite3_stmt *statement;
	size_t count = 0;
	int code;

	buf_add_text(
	    sql, "SELECT " QUARANTINE_COLUMNS " FROM quarantine WHERE ");
	buf_add_text(sql, released_too ? "1" : "released_ms = 0");
	sqlite_add_conditions(arena, sql, &parameters, query,
	    " AND row IN (SELECT parent FROM quarantine_recipient"
	    " WHERE address_key = ?)",
	    " AND row IN (SELECT parent FROM quarantine_recipient"
	    " WHERE domain = ?)");
	buf_add_format(sql, " ORDER BY time_ms DESC, row DESC LIMIT %lld",
	    (long long)sqlite_row_limit(query));
	statement = sqlite_prepare_query(
	    connection, buf_slice(sql), &parameters, err);
	if (!statement)
		return false;
	while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
		list = sqlite_grow(arena, list, count, sizeof(*list));
		if (!read_quarantined(
			connection, arena, statement, &list[count++], err)) {
			sqlite3_finalize(statement);
			return false;
		}
	}
	if (!sqlite_finish_query(connection, statement, code, err))
		return false;
	*ret_count = count;
	*ret = list;
	return true;
}

static bool damaged(
    const struct store_connection *connection, struct slice id, struct err *err)
{
	return err_set(err, E_IO,
	    "store: %s: the pieces of message %.*s do "
	    "not make up its size; put a copy of the database in place, with "
	    "its -wal and -shm moved away (docs/OPERATIONS.md)",
	    connection->path, SLICE_ARGS(slice_sub(id, 0, 64)));
}

/* The pieces into one memory of the size that the row says. */
static bool read_message(struct store_connection *connection,
    struct arena *arena, const struct store_quarantined *message,
    int64_t parent, struct slice *ret, struct err *err)
{
	struct sqlite_parameters parameters = {.count = 1};
	sqlite3_stmt *statement;
	size_t used = 0;
	char *bytes;
	int code;

	parameters.values[0].number = parent;
	statement = sqlite_prepare_query(connection,
	    SLICE("SELECT bytes FROM quarantine_piece WHERE parent = ?"
		  " ORDER BY place"),
	    &parameters, err);
	if (!statement)
		return false;
	bytes = arena_alloc(arena, message->size + 1);
	while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
		const void *part = sqlite3_column_blob(statement, 0);
		size_t len = (size_t)sqlite3_column_bytes(statement, 0);

		if (!part || len > message->size - used) {
			sqlite3_finalize(statement);
			return damaged(connection, message->id, err);
		}
		memcpy(bytes + used, part, len);
		used += len;
	}
	if (!sqlite_finish_query(connection, statement, code, err))
		return false;
	if (used != message->size)
		return damaged(connection, message->id, err);
	*ret = slice_of(bytes, used);
	return true;
}

/* More than this was never stored: a damaged row must not take memory. */
static const uint64_t message_size_max = (uint64_t)1 << 32;

static bool get_quarantined(struct store_connection *connection,
    struct arena *arena, struct slice id, struct store_quarantined *ret,
    struct slice *ret_message, struct err *err)
{
	struct sqlite_parameters parameters = {.count = 1};
	struct store_quarantined message;
	sqlite3_stmt *statement;
	int64_t parent;
	bool ok;
	int code;

	parameters.values[0].is_text = true;
	parameters.values[0].text = id;
	statement = sqlite_prepare_query(connection,
	    SLICE("SELECT " QUARANTINE_COLUMNS " FROM quarantine WHERE id = ?"),
	    &parameters, err);
	if (!statement)
		return false;
	code = sqlite3_step(statement);
	if (code == SQLITE_DONE) {
		sqlite3_finalize(statement);
		return err_set(err, E_NOT_FOUND,
		    "no quarantined message has the id %.*s",
		    SLICE_ARGS(slice_sub(id, 0, 64)));
	}
	if (code != SQLITE_ROW)
		return sqlite_finish_query(connection, statement, code, err);
	parent = sqlite3_column_int64(statement, 0);
	ok = read_quarantined(connection, arena, statement, &message, err);
	sqlite3_finalize(statement);
	if (!ok)
		return false;
	if (message.size > message_size_max)
		return damaged(connection, message.id, err);
	if (!read_message(
		connection, arena, &message, parent, ret_message, err))
		return false;
	*ret = message;
	return true;
}

static bool report_own_domains(struct store_connection *connection,
    struct arena *arena, int64_t from_ms, size_t *ret_count,
    struct store_own_domain_row **ret, struct err *err)
{
	struct sqlite_parameters parameters = {.count = 2};
	struct store_own_domain_row *list = NULL;
	sqlite3_stmt *statement;
	size_t count = 0;
	int code;

	parameters.values[0].number = from_ms;
	parameters.values[1].number = STORE_REPORT_MAX;
	statement = sqlite_prepare_query(connection,
	    SLICE("SELECT own_domain, client_ip, client_name,"
		  " own_domain_result, spf_result, dkim_result, count(*),"
		  " min(time_ms), max(time_ms) FROM all_trace"
		  " WHERE own_domain <> '' AND time_ms >= ?"
		  " AND own_domain_result NOT IN ('', 'none')"
		  " GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 7 DESC, 1, 2 LIMIT ?"),
	    &parameters, err);
	if (!statement)
		return false;
	while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
		list = sqlite_grow(arena, list, count, sizeof(*list));
		list[count++] = (struct store_own_domain_row){
		    .domain = sqlite_copy_text(arena, statement, 0),
		    .client_ip = sqlite_copy_text(arena, statement, 1),
		    .client_name = sqlite_copy_text(arena, statement, 2),
		    .result = sqlite_copy_text(arena, statement, 3),
		    .spf_result = sqlite_copy_text(arena, statement, 4),
		    .dkim_result = sqlite_copy_text(arena, statement, 5),
		    .count = (uint64_t)sqlite3_column_int64(statement, 6),
		    .first_ms = sqlite3_column_int64(statement, 7),
		    .last_ms = sqlite3_column_int64(statement, 8),
		};
	}
	if (!sqlite_finish_query(connection, statement, code, err))
		return false;
	*ret_count = count;
	*ret = list;
	return true;
}

/* The public ones: one transaction around each. */
bool sqlite_list_quarantine(struct store_connection *connection,
    struct arena *arena, const struct store_query *query, bool released_too,
    size_t *ret_count, struct store_quarantined **ret, struct err *err)
{
	return sqlite_begin_reading(connection, err) &&
	       sqlite_end_reading(
		   connection, list_quarantine(connection, arena, query,
				   released_too, ret_count, ret, err));
}

bool sqlite_get_quarantined(struct store_connection *connection,
    struct arena *arena, struct slice id, struct store_quarantined *ret,
    struct slice *ret_message, struct err *err)
{
	return sqlite_begin_reading(connection, err) &&
	       sqlite_end_reading(connection, get_quarantined(connection, arena,
						  id, ret, ret_message, err));
}

bool sqlite_report_own_domains(struct store_connection *connection,
    struct arena *arena, int64_t from_ms, size_t *ret_count,
    struct store_own_domain_row **ret, struct err *err)
{
	return sqlite_begin_reading(connection, err) &&
	       sqlite_end_reading(
		   connection, report_own_domains(connection, arena, from_ms,
				   ret_count, ret, err));
}

/* One process puts both, and the same gets them. */
bool sqlite_get_clock(struct store_connection *connection,
    struct store_clock *ret, struct err *err)
{
	return sqlite_get_int(connection, "SELECT time_ms FROM clock", 0,
		   &ret->time_ms, err) &&
	       sqlite_get_int(connection, "SELECT doubted_ms FROM clock", 0,
		   &ret->doubted_ms, err);
}
