/* SPDX-License-Identifier: Apache-2.0 */
/* store/sqlite_query.h - a query is put together, and its rows are read. */
#ifndef STORE_SQLITE_QUERY_H
#define STORE_SQLITE_QUERY_H

#include "base/buf.h"
#include "store/sqlite_private.h"

enum { SQLITE_CONDITIONS_MAX = 16, SQLITE_SQL_MAX = 4096 };

/* What is bound to the '?'s, in order. */
struct sqlite_parameters {
	size_t count;
	struct {
		bool is_text;
		struct slice text;
		int64_t number;
	} values[SQLITE_CONDITIONS_MAX];
};

/* The condition with its value; nothing for an empty text. */
void sqlite_add_text(struct buf *sql, struct sqlite_parameters *parameters,
    const char *condition, struct slice text);

/* The conditions that traces and quarantined messages have in common: their
 * tables call the columns the same. */
void sqlite_add_conditions(struct arena *arena, struct buf *sql,
    struct sqlite_parameters *parameters, const struct store_query *query,
    const char *exact_recipient, const char *domain_recipient);

/* With its parameters, whose texts must stay; NULL: err says why.  Ends with
 * sqlite_finish_query, or sqlite3_finalize. */
sqlite3_stmt *sqlite_prepare_query(struct store_connection *connection,
    struct slice sql, const struct sqlite_parameters *parameters,
    struct err *err);

/* Ends a loop over rows: false and err unless all were seen. */
bool sqlite_finish_query(struct store_connection *connection,
    sqlite3_stmt *statement, int code, struct err *err);

struct slice sqlite_copy_text(
    struct arena *arena, sqlite3_stmt *statement, int column);

/* Room for one more element of a list that doubles in the arena. */
void *sqlite_grow(struct arena *arena, void *list, size_t count, size_t size);

/* The addresses of the prepared query's first column, for this parent; it may
 * be used again.  ret_moments (NULL: none) are those of the second. */
bool sqlite_read_recipients(struct store_connection *connection,
    struct arena *arena, sqlite3_stmt *statement, int64_t parent,
    size_t *ret_count, struct slice **ret, int64_t **ret_moments,
    struct err *err);

int64_t sqlite_row_limit(const struct store_query *query);

/* One moment of the database, in between; end returns ok. */
bool sqlite_begin_reading(struct store_connection *connection, struct err *err);
bool sqlite_end_reading(struct store_connection *connection, bool ok);

#endif
