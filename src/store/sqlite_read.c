/* SPDX-License-Identifier: Apache-2.0 */
/* The readers' queries.  Each sees one moment of the database, whatever is
 * committed meanwhile. */
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "store/sqlite_private.h"

enum { CONDITIONS_MAX = 16, SQL_MAX = 4096 };

/* What is bound to the '?'s, in order. */
struct parameters {
	size_t count;
	struct {
		bool is_text;
		struct slice text;
		int64_t number;
	} values[CONDITIONS_MAX];
};

static struct slice copy_text(
    struct arena *arena, sqlite3_stmt *statement, int column)
{
	const void *bytes = sqlite3_column_text(statement, column);
	int len = sqlite3_column_bytes(statement, column);

	if (!bytes || len <= 0)
		return (struct slice){NULL, 0};
	return arena_slice(arena, slice_of(bytes, (size_t)len));
}

static void add_text(struct buf *sql, struct parameters *parameters,
    const char *condition, struct slice text)
{
	if (slice_empty(text))
		return;
	buf_add_text(sql, condition);
	parameters->values[parameters->count].is_text = true;
	parameters->values[parameters->count++].text = text;
}

static void add_number(struct buf *sql, struct parameters *parameters,
    const char *condition, int64_t number)
{
	if (number == 0)
		return;
	buf_add_text(sql, condition);
	parameters->values[parameters->count++].number = number;
}

/* An address, or "@domain". */
static void add_address(struct arena *arena, struct buf *sql,
    struct parameters *parameters, const char *exact, const char *domain,
    struct slice text)
{
	struct slice key = arena_lower(arena, text);

	if (slice_starts(key, SLICE("@")))
		add_text(sql, parameters, domain, slice_from_pos(key, 1));
	else
		add_text(sql, parameters, exact, key);
}

/* The conditions that traces and quarantined messages have in common: their
 * tables call the columns the same. */
static void add_conditions(struct arena *arena, struct buf *sql,
    struct parameters *parameters, const struct store_query *query,
    const char *exact_recipient, const char *domain_recipient)
{
	add_text(sql, parameters, " AND id = ?", query->id);
	add_text(sql, parameters, " AND message_id = ?", query->message_id);
	add_address(arena, sql, parameters, " AND sender_key = ?",
	    " AND sender_domain = ?", query->sender);
	if (query->null_sender)
		buf_add_text(sql, " AND sender_key = ''");
	add_address(arena, sql, parameters, exact_recipient, domain_recipient,
	    query->recipient);
	add_number(sql, parameters, " AND time_ms >= ?", query->from_ms);
	add_number(sql, parameters, " AND time_ms <= ?", query->to_ms);
}

static sqlite3_stmt *prepare(struct store_connection *connection,
    struct slice sql, const struct parameters *parameters, struct err *err)
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

/* Ends a loop over rows: false and err unless all were seen. */
static bool finish(struct store_connection *connection, sqlite3_stmt *statement,
    int code, struct err *err)
{
	bool ok = code == SQLITE_DONE;

	if (!ok)
		sqlite_fail(connection, err);
	sqlite3_finalize(statement);
	return ok;
}

/* Room for one more element of a list that doubles in the arena. */
static void *grow(struct arena *arena, void *list, size_t count, size_t size)
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

/* ret_moments (NULL: none) are those of the second column. */
static bool read_recipients(struct store_connection *connection,
    struct arena *arena, const char *sql, int64_t parent, size_t *ret_count,
    struct slice **ret, int64_t **ret_moments, struct err *err)
{
	struct parameters parameters = {.count = 1};
	struct slice *list = NULL;
	int64_t *moments = NULL;
	sqlite3_stmt *statement;
	size_t count = 0;
	int code;

	parameters.values[0].number = parent;
	statement = prepare(connection, slice_from(sql), &parameters, err);
	if (!statement)
		return false;
	while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
		list = grow(arena, list, count, sizeof(*list));
		if (ret_moments) {
			moments = grow(arena, moments, count, sizeof(*moments));
			moments[count] = sqlite3_column_int64(statement, 1);
		}
		list[count++] = copy_text(arena, statement, 0);
	}
	if (!finish(connection, statement, code, err))
		return false;
	*ret_count = count;
	*ret = list;
	if (ret_moments)
		*ret_moments = moments;
	return true;
}

#define TRACE_COLUMNS                                                          \
	"row, id, message_id, listener, client_ip, client_name, helo, sender," \
	" header_from, subject, verdict, policy, reply, delivery,"             \
	" own_domain_result, own_domain, spf_result, dkim_result,"             \
	" dmarc_result, connector, ifnull((SELECT facts FROM trace_facts f"    \
	" WHERE f.row = t.row), facts), time_ms, size"

static bool read_trace(struct store_connection *connection, struct arena *arena,
    sqlite3_stmt *statement, struct store_trace *ret, struct err *err)
{
	struct store_trace trace = {0};
	struct slice *texts[] = {&trace.id, &trace.message_id, &trace.listener,
	    &trace.client_ip, &trace.client_name, &trace.helo, &trace.sender,
	    &trace.header_from, &trace.subject, &trace.verdict, &trace.policy,
	    &trace.reply, &trace.delivery, &trace.own_domain_result,
	    &trace.own_domain, &trace.spf_result, &trace.dkim_result,
	    &trace.dmarc_result, &trace.connector, &trace.facts};
	enum { TEXTS = sizeof(texts) / sizeof(texts[0]) };
	struct slice *recipients;

	for (int i = 0; i < TEXTS; i++)
		*texts[i] = copy_text(arena, statement, i + 1);
	trace.time_ms = sqlite3_column_int64(statement, TEXTS + 1);
	trace.size = (uint64_t)sqlite3_column_int64(statement, TEXTS + 2);
	if (!read_recipients(connection, arena,
		"SELECT address FROM all_recipient WHERE parent = ?"
		" ORDER BY place",
		sqlite3_column_int64(statement, 0), &trace.recipient_count,
		&recipients, NULL, err))
		return false;
	trace.recipients = recipients;
	*ret = trace;
	return true;
}

static int64_t row_limit(const struct store_query *query)
{
	if (query->limit == 0)
		return STORE_DEFAULT_LIMIT;
	return query->limit > INT64_MAX ? INT64_MAX : (int64_t)query->limit;
}

#define FRESH SQLITE_TRACE_COLUMNS ", '' FROM recent_trace WHERE 1"
#define FILED SQLITE_TRACE_COLUMNS ", facts FROM "
#define BY_TIME " ORDER BY time_ms DESC, row DESC"
#define BY_CHUNK " ORDER BY trace_chunk.chunk DESC, time_ms DESC, row DESC"
#define HAS_RECIPIENT                                                          \
	" AND EXISTS (SELECT 1 FROM trace_recipient r WHERE"                   \
	" r.parent = trace.row AND r."
#define IN_CHUNK                                                               \
	" AND row IN (SELECT parent FROM trace_recipient r WHERE"              \
	" r.chunk = trace_chunk.chunk AND r."
#define IN_FRESH " AND row IN (SELECT parent FROM recent_recipient WHERE "

/* Where traces stand and how they are found there, newest first.  With "+" an
 * index of the verdict is no choice: it would be read for each chunk. */
struct trace_source {
	const char *columns; /* and tables */
	const char *exact_recipient, *domain_recipient, *verdict, *order;
};

static const struct trace_source fresh = {FRESH, IN_FRESH "address_key = ?)",
    IN_FRESH "domain = ?)", " AND verdict = ?", BY_TIME};

/* By an index of the time, or by the id. */
static const struct trace_source filed_by_time = {FILED "trace WHERE 1",
    HAS_RECIPIENT "address_key = ?)", HAS_RECIPIENT "domain = ?)",
    " AND verdict = ?", BY_TIME};

/* CROSS: the chunks first, so that it ends when there are enough.  Newer chunks
 * are of later commits, whatever the clock said. */
static const struct trace_source filed_by_key = {FILED
    "trace_chunk CROSS JOIN trace WHERE trace.chunk = trace_chunk.chunk",
    HAS_RECIPIENT "address_key = ?)", HAS_RECIPIENT "domain = ?)",
    " AND +verdict = ?", BY_CHUNK};

static const struct trace_source filed_by_recipient = {
    FILED "trace_chunk CROSS JOIN trace WHERE 1", IN_CHUNK "address_key = ?)",
    IN_CHUNK "domain = ?)", " AND +verdict = ?", BY_CHUNK};

/* A domain of ours is that of nearly all recipients: what else is asked finds
 * less. */
static bool is_broad(const struct store_query *query)
{
	return slice_starts(query->recipient, SLICE("@")) &&
	       (!slice_empty(query->verdict) || query->from_ms || query->to_ms);
}

static const struct trace_source *filed_source(const struct store_query *query)
{
	if (!slice_empty(query->id))
		return &filed_by_time;
	if (!slice_empty(query->message_id) || !slice_empty(query->sender) ||
	    query->null_sender)
		return &filed_by_key;
	if (slice_empty(query->recipient) || is_broad(query))
		return &filed_by_time;
	return &filed_by_recipient;
}

static void add_source(struct arena *arena, struct buf *sql,
    struct parameters *parameters, const struct trace_source *source,
    const struct store_query *query)
{
	buf_add_format(sql, "SELECT * FROM (SELECT %s", source->columns);
	add_conditions(arena, sql, parameters, query, source->exact_recipient,
	    source->domain_recipient);
	add_text(sql, parameters, source->verdict, query->verdict);
	buf_add_format(
	    sql, "%s LIMIT %lld)", source->order, (long long)row_limit(query));
}

/* The newest of both are merged. */
static struct slice trace_query(struct arena *arena,
    const struct store_query *query, struct parameters *parameters)
{
	struct buf *sql = buf_in_arena(arena, SQL_MAX);

	buf_add_text(sql, "SELECT " TRACE_COLUMNS " FROM (");
	add_source(arena, sql, parameters, filed_source(query), query);
	buf_add_text(sql, " UNION ALL ");
	add_source(arena, sql, parameters, &fresh, query);
	buf_add_format(
	    sql, ") t" BY_TIME " LIMIT %lld", (long long)row_limit(query));
	return buf_slice(sql);
}

static bool find_traces(struct store_connection *connection,
    struct arena *arena, const struct store_query *query, size_t *ret_count,
    struct store_trace **ret, struct err *err)
{
	struct parameters parameters = {.count = 0};
	struct store_trace *list = NULL;
	sqlite3_stmt *statement;
	size_t count = 0;
	int code;

	statement = prepare(connection, trace_query(arena, query, &parameters),
	    &parameters, err);
	if (!statement)
		return false;
	while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
		list = grow(arena, list, count, sizeof(*list));
		if (!read_trace(
			connection, arena, statement, &list[count++], err)) {
			sqlite3_finalize(statement);
			return false;
		}
	}
	if (!finish(connection, statement, code, err))
		return false;
	*ret_count = count;
	*ret = list;
	return true;
}

#define QUARANTINE_COLUMNS                                                     \
	"row, id, message_id, sender, reason, route, time_ms, size, "          \
	"released_ms"

static bool read_quarantined(struct store_connection *connection,
    struct arena *arena, sqlite3_stmt *statement, struct store_quarantined *ret,
    struct err *err)
{
	struct store_quarantined message = {
	    .id = copy_text(arena, statement, 1),
	    .message_id = copy_text(arena, statement, 2),
	    .sender = copy_text(arena, statement, 3),
	    .reason = copy_text(arena, statement, 4),
	    .route = copy_text(arena, statement, 5),
	    .time_ms = sqlite3_column_int64(statement, 6),
	    .size = (uint64_t)sqlite3_column_int64(statement, 7),
	    .released_ms = sqlite3_column_int64(statement, 8),
	};

	if (!read_recipients(connection, arena,
		"SELECT address, released_ms FROM quarantine_recipient"
		" WHERE parent = ? ORDER BY place",
		sqlite3_column_int64(statement, 0), &message.recipient_count,
		&message.recipients, &message.recipient_released_ms, err))
		return false;
	*ret = message;
	return true;
}

static bool list_quarantine(struct store_connection *connection,
    struct arena *arena, const struct store_query *query, bool released_too,
    size_t *ret_count, struct store_quarantined **ret, struct err *err)
{
	struct parameters parameters = {.count = 0};
	struct buf *sql = buf_in_arena(arena, SQL_MAX);
	struct store_quarantined *list = NULL;
	sqlite3_stmt *statement;
	size_t count = 0;
	int code;

	buf_add_text(
	    sql, "SELECT " QUARANTINE_COLUMNS " FROM quarantine WHERE ");
	buf_add_text(sql, released_too ? "1" : "released_ms = 0");
	add_conditions(arena, sql, &parameters, query,
	    " AND row IN (SELECT parent FROM quarantine_recipient"
	    " WHERE address_key = ?)",
	    " AND row IN (SELECT parent FROM quarantine_recipient"
	    " WHERE domain = ?)");
	buf_add_format(sql, " ORDER BY time_ms DESC, row DESC LIMIT %lld",
	    (long long)row_limit(query));
	statement = prepare(connection, buf_slice(sql), &parameters, err);
	if (!statement)
		return false;
	while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
		list = grow(arena, list, count, sizeof(*list));
		if (!read_quarantined(
			connection, arena, statement, &list[count++], err)) {
			sqlite3_finalize(statement);
			return false;
		}
	}
	if (!finish(connection, statement, code, err))
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
	struct parameters parameters = {.count = 1};
	sqlite3_stmt *statement;
	size_t used = 0;
	char *bytes;
	int code;

	parameters.values[0].number = parent;
	statement = prepare(connection,
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
	if (!finish(connection, statement, code, err))
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
	struct parameters parameters = {.count = 1};
	struct store_quarantined message;
	sqlite3_stmt *statement;
	int64_t parent;
	bool ok;
	int code;

	parameters.values[0].is_text = true;
	parameters.values[0].text = id;
	statement = prepare(connection,
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
		return finish(connection, statement, code, err);
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
	struct parameters parameters = {.count = 2};
	struct store_own_domain_row *list = NULL;
	sqlite3_stmt *statement;
	size_t count = 0;
	int code;

	parameters.values[0].number = from_ms;
	parameters.values[1].number = STORE_REPORT_MAX;
	statement = prepare(connection,
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
		list = grow(arena, list, count, sizeof(*list));
		list[count++] = (struct store_own_domain_row){
		    .domain = copy_text(arena, statement, 0),
		    .client_ip = copy_text(arena, statement, 1),
		    .client_name = copy_text(arena, statement, 2),
		    .result = copy_text(arena, statement, 3),
		    .spf_result = copy_text(arena, statement, 4),
		    .dkim_result = copy_text(arena, statement, 5),
		    .count = (uint64_t)sqlite3_column_int64(statement, 6),
		    .first_ms = sqlite3_column_int64(statement, 7),
		    .last_ms = sqlite3_column_int64(statement, 8),
		};
	}
	if (!finish(connection, statement, code, err))
		return false;
	*ret_count = count;
	*ret = list;
	return true;
}

/* The public ones: one transaction around each. */
static bool begin(struct store_connection *connection, struct err *err)
{
	return sqlite_run(connection, "BEGIN", err);
}

static bool end(struct store_connection *connection, bool ok)
{
	sqlite3_exec(connection->db, "ROLLBACK", NULL, NULL, NULL);
	return ok;
}

bool sqlite_find_traces(struct store_connection *connection,
    struct arena *arena, const struct store_query *query, size_t *ret_count,
    struct store_trace **ret, struct err *err)
{
	return begin(connection, err) &&
	       end(connection,
		   find_traces(connection, arena, query, ret_count, ret, err));
}

bool sqlite_list_quarantine(struct store_connection *connection,
    struct arena *arena, const struct store_query *query, bool released_too,
    size_t *ret_count, struct store_quarantined **ret, struct err *err)
{
	return begin(connection, err) &&
	       end(connection, list_quarantine(connection, arena, query,
				   released_too, ret_count, ret, err));
}

bool sqlite_get_quarantined(struct store_connection *connection,
    struct arena *arena, struct slice id, struct store_quarantined *ret,
    struct slice *ret_message, struct err *err)
{
	return begin(connection, err) &&
	       end(connection, get_quarantined(connection, arena, id, ret,
				   ret_message, err));
}

bool sqlite_report_own_domains(struct store_connection *connection,
    struct arena *arena, int64_t from_ms, size_t *ret_count,
    struct store_own_domain_row **ret, struct err *err)
{
	return begin(connection, err) &&
	       end(connection, report_own_domains(connection, arena, from_ms,
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
