/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite_query.h"

#include <string.h>

#include "base/text.h"

struct slice sqlite_copy_text(
    struct arena *arena, sqlite3_stmt *statement, int column)
{
	const void *bytes = sqlite3_column_text(statement, column);
	int len = sqlite3_column_bytes(statement, column);

	if (!bytes || len <= 0)
		return (struct slice){NULL, 0};
	return arena_slice(arena, slice_of(bytes, (size_t)len));
}

void sqlite_add_text(struct buf *sql, struct sqlite_parameters *parameters,
    const char *condition, struct slice text)
{
	if (slice_empty(text))
		return;
	buf_add_text(sql, condition);
	parameters->values[parameters->count].is_text = true;
	parameters->values[parameters->count++].text = text;
}

static void add_number(struct buf *sql, struct sqlite_parameters *parameters,
    const char *condition, int64_t number)
{
	if (number == 0)
		return;
	buf_add_text(sql, condition);
	parameters->values[parameters->count++].number = number;
}

/* An address, or "@domain". */
static void add_address(struct arena *arena, struct buf *sql,
    struct sqlite_parameters *parameters, const char *exact, const char *domain,
    struct slice text)
{
	struct slice key = arena_lower(arena, text);

	if (slice_starts(key, SLICE("@")))
		sqlite_add_text(
		    sql, parameters, domain, slice_from_pos(key, 1));
	else
		sqlite_add_text(sql, parameters, exact, key);
}

void sqlite_add_conditions(struct arena *arena, struct buf *sql,
    struct sqlite_parameters *parameters, const struct store_query *query,
    const char *exact_recipient, const char *domain_recipient)
{
	sqlite_add_text(sql, parameters, " AND id = ?", query->id);
	sqlite_add_text(
	    sql, parameters, " AND message_id = ?", query->message_id);
	add_address(arena, sql, parameters, " AND sender_key = ?",
	    " AND sender_domain = ?", query->sender);
	if (query->null_sender)
		buf_add_text(sql, " AND sender_key = ''");
	add_address(arena, sql, parameters, exact_recipient, domain_recipient,
	    query->recipient);
	add_number(sql, parameters, " AND time_ms >= ?", query->from_ms);
	add_number(sql, parameters, " AND time_ms <= ?", query->to_ms);
}

sqlite3_stmt *sqlite_prepare_query(struct store_connection *connection,
    struct slice sql, const struct sqlite_parameters *parameters,
    struct err *err)
{
	sqlite3_stmt *statement = NULL;

	if (sqlite3_prepare_v2(connection->db, sql.ptr, (int)sql.len,
		&statement, NULL) != SQLITE_OK) {
		sqlite_fail(connection, err);
		return NULL;
	}
	for (size_t i = 0; i < parameters->count; i++) {
		if (parameters->values[i].is_text)
			sqlite_bind_slice(
			    statement, (int)i + 1, parameters->values[i].text);
		else
			sqlite3_bind_int64(statement, (int)i + 1,
			    parameters->values[i].number);
	}
	return statement;
}

bool sqlite_finish_query(struct store_connection *connection,
    sqlite3_stmt *statement, int code, struct err *err)
{
	bool ok = code == SQLITE_DONE;

	if (!ok)
		sqlite_fail(connection, err);
	sqlite3_finalize(statement);
	return ok;
}

void *sqlite_grow(struct arena *arena, void *list, size_t count, size_t size)
{
	void *larger;

	/* Full at 0, 16, 32, 64...: powers of two from 16 on. */
	if (count != 0 && (count < 16 || (count & (count - 1)) != 0))
		return list;
	larger = arena_array(arena, count ? count * 2 : 16, size);
	if (count)
		memcpy(larger, list, count * size);
	return larger;
}

bool sqlite_read_recipients(struct store_connection *connection,
    struct arena *arena, sqlite3_stmt *statement, int64_t parent,
    size_t *ret_count, struct slice **ret, int64_t **ret_moments,
    struct err *err)
{
	struct slice *list = NULL;
	int64_t *moments = NULL;
	size_t count = 0;
	int code;

	sqlite3_reset(statement);
	sqlite3_bind_int64(statement, 1, parent);
	while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
		list = sqlite_grow(arena, list, count, sizeof(*list));
		if (ret_moments) {
			moments = sqlite_grow(
			    arena, moments, count, sizeof(*moments));
			moments[count] = sqlite3_column_int64(statement, 1);
		}
		list[count++] = sqlite_copy_text(arena, statement, 0);
	}
	if (code != SQLITE_DONE)
		return sqlite_fail(connection, err);
	*ret_count = count;
	*ret = list;
	if (ret_moments)
		*ret_moments = moments;
	return true;
}

int64_t sqlite_row_limit(const struct store_query *query)
{
	if (query->limit == 0)
		return STORE_DEFAULT_LIMIT;
	return query->limit > INT64_MAX ? INT64_MAX : (int64_t)query->limit;
}

bool sqlite_begin_reading(struct store_connection *connection, struct err *err)
{
	return sqlite_run(connection, "BEGIN", err);
}

bool sqlite_end_reading(struct store_connection *connection, bool ok)
{
	sqlite3_exec(connection->db, "ROLLBACK", NULL, NULL, NULL);
	return ok;
}
