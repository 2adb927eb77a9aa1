/* SPDX-License-Identifier: Apache-2.0 */
/* Traces are looked up: at first where they stand, then, so many at a time,
 * what is in them.  Fresh ones and filed ones are asked for each by its own
 * indexes. */
#include "store/sqlite_query.h"
#include "store/store_pack.h"

#define FRESH "recent_trace WHERE 1"
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
	const char *tables;
	const char *exact_recipient, *domain_recipient, *verdict, *order;
};

static const struct trace_source fresh = {FRESH, IN_FRESH "address_key = ?)",
    IN_FRESH "domain = ?)", " AND verdict = ?", BY_TIME};

/* By an index of the time, or by the id. */
static const struct trace_source filed_by_time = {"trace WHERE 1",
    HAS_RECIPIENT "address_key = ?)", HAS_RECIPIENT "domain = ?)",
    " AND verdict = ?", BY_TIME};

/* CROSS: the chunks first, so that it ends when there are enough.  Newer chunks
 * are of later commits, whatever the clock said. */
static const struct trace_source filed_by_key = {
    "trace_chunk CROSS JOIN trace WHERE trace.chunk = trace_chunk.chunk",
    HAS_RECIPIENT "address_key = ?)", HAS_RECIPIENT "domain = ?)",
    " AND +verdict = ?", BY_CHUNK};

/* NOT INDEXED: by the number of its row alone. */
static const struct trace_source filed_by_recipient = {
    "trace_chunk CROSS JOIN trace NOT INDEXED WHERE 1",
    IN_CHUNK "address_key = ?)", IN_CHUNK "domain = ?)", " AND verdict = ?",
    BY_CHUNK};

/* A part of what is asked, which an index answers alone.  Where several are
 * asked, the one of which there is least leads to the traces, and the others
 * are looked at there: of a large sender, or of the domain that is in nearly
 * every trace, all would have to be read for what is in a few. */
struct way {
	const struct trace_source *source;
	const char *entries; /* of the index */
	const char *exact_recipient, *domain_recipient;
	bool of_sender, of_time, of_recipient;
};

/* Of two that have as many, the first.  What all have very much of, the time
 * ends soonest. */
static const struct way ways[] = {
    {.source = &filed_by_key,
	.entries = "trace_chunk CROSS JOIN trace"
		   " WHERE trace.chunk = trace_chunk.chunk",
	.of_sender = true},
    {.source = &filed_by_time, .entries = "trace WHERE 1", .of_time = true},
    {.source = &filed_by_recipient,
	.entries = "trace_chunk CROSS JOIN trace_recipient r"
		   " WHERE r.chunk = trace_chunk.chunk",
	.exact_recipient = " AND r.address_key = ?",
	.domain_recipient = " AND r.domain = ?",
	.of_recipient = true},
};

enum { WAYS = sizeof(ways) / sizeof(ways[0]) };

/* More are not counted: 10 ms. */
enum { COUNT_MAX = 1 << 17 };

/* The part of the query that is this way's; false: there is none. */
static bool take_part(const struct way *way, const struct store_query *query,
    struct store_query *ret)
{
	bool has_sender = query->null_sender || !slice_empty(query->sender);
	bool has_time = query->from_ms || query->to_ms;

	*ret = (struct store_query){.limit = COUNT_MAX};
	if (way->of_recipient) {
		ret->recipient = query->recipient;
		return !slice_empty(query->recipient);
	}
	ret->from_ms = query->from_ms;
	ret->to_ms = query->to_ms;
	if (way->of_sender) {
		ret->sender = query->sender;
		ret->null_sender = query->null_sender;
		return has_sender;
	}
	ret->verdict = query->verdict;
	/* The sender's index has the time, too. */
	return !slice_empty(query->verdict) || (has_time && !has_sender);
}

static bool count_entries(struct store_connection *connection,
    struct arena *arena, const struct way *way, const struct store_query *part,
    int64_t *ret, struct err *err)
{
	struct sqlite_parameters parameters = {.count = 0};
	struct buf *sql = buf_in_arena(arena, SQLITE_SQL_MAX);
	sqlite3_stmt *statement;
	int code;

	buf_add_format(
	    sql, "SELECT count(*) FROM (SELECT 1 FROM %s", way->entries);
	sqlite_add_conditions(arena, sql, &parameters, part,
	    way->exact_recipient, way->domain_recipient);
	sqlite_add_text(sql, &parameters, " AND verdict = ?", part->verdict);
	buf_add_format(sql, " LIMIT %lld)", (long long)part->limit);
	statement = sqlite_prepare_query(
	    connection, buf_slice(sql), &parameters, err);
	if (!statement)
		return false;
	code = sqlite3_step(statement);
	if (code == SQLITE_ROW) {
		*ret = sqlite3_column_int64(statement, 0);
		code = sqlite3_step(statement);
	}
	return sqlite_finish_query(connection, statement, code, err);
}

/* The way with the fewest entries; those are counted where there is a choice.
 */
static bool choose_way(struct store_connection *connection, struct arena *arena,
    const struct store_query *query, const struct trace_source **ret,
    struct err *err)
{
	const struct way *possible[WAYS];
	struct store_query parts[WAYS];
	size_t count = 0;
	int64_t fewest = INT64_MAX, entries = 0;

	for (size_t i = 0; i < WAYS; i++)
		if (take_part(&ways[i], query, &parts[count]))
			possible[count++] = &ways[i];
	*ret = count ? possible[0]->source : &filed_by_time;
	for (size_t i = 0; count > 1 && i < count; i++) {
		if (!count_entries(connection, arena, possible[i], &parts[i],
			&entries, err))
			return false;
		if (entries < fewest) {
			fewest = entries;
			*ret = possible[i]->source;
		}
	}
	return true;
}

static bool filed_source(struct store_connection *connection,
    struct arena *arena, const struct store_query *query,
    const struct trace_source **ret, struct err *err)
{
	*ret = &filed_by_time;
	if (!slice_empty(query->id))
		return true;
	*ret = &filed_by_key;
	if (!slice_empty(query->message_id))
		return true;
	return choose_way(connection, arena, query, ret, err);
}

static void add_source(struct arena *arena, struct buf *sql,
    struct sqlite_parameters *parameters, const struct trace_source *source,
    const struct store_query *query)
{
	buf_add_format(
	    sql, "SELECT * FROM (SELECT row, time_ms FROM %s", source->tables);
	sqlite_add_conditions(arena, sql, parameters, query,
	    source->exact_recipient, source->domain_recipient);
	sqlite_add_text(sql, parameters, source->verdict, query->verdict);
	buf_add_format(sql, "%s LIMIT %lld)", source->order,
	    (long long)sqlite_row_limit(query));
}

/* The newest of both are merged. */
static struct slice row_query(struct arena *arena,
    const struct store_query *query, const struct trace_source *filed,
    struct sqlite_parameters *parameters)
{
	struct buf *sql = buf_in_arena(arena, SQLITE_SQL_MAX);

	buf_add_text(sql, "SELECT row FROM (");
	add_source(arena, sql, parameters, filed, query);
	buf_add_text(sql, " UNION ALL ");
	add_source(arena, sql, parameters, &fresh, query);
	buf_add_format(sql, ") t" BY_TIME " LIMIT %lld",
	    (long long)sqlite_row_limit(query));
	return buf_slice(sql);
}

static bool find_rows(struct store_connection *connection, struct arena *arena,
    const struct store_query *query, struct store_rows *ret, struct err *err)
{
	struct sqlite_parameters parameters = {.count = 0};
	const struct trace_source *filed;
	struct store_rows rows = {0};
	sqlite3_stmt *statement;
	int code;

	if (!filed_source(connection, arena, query, &filed, err))
		return false;
	statement = sqlite_prepare_query(connection,
	    row_query(arena, query, filed, &parameters), &parameters, err);
	if (!statement)
		return false;
	while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
		rows.items = sqlite_grow(
		    arena, rows.items, rows.count, sizeof(*rows.items));
		rows.items[rows.count++] = sqlite3_column_int64(statement, 0);
	}
	if (!sqlite_finish_query(connection, statement, code, err))
		return false;
	*ret = rows;
	return true;
}

#define TRACE_TEXTS                                                            \
	"SELECT id, message_id, listener, client_ip, client_name, helo,"       \
	" sender, header_from, subject, verdict, policy, reply, delivery,"     \
	" own_domain_result, own_domain, spf_result, dkim_result,"             \
	" dmarc_result, connector, "
#define OF_FACTS(column)                                                       \
	"(SELECT " column " FROM trace_facts f WHERE f.row = t.row)"
#define FACTS "ifnull(" OF_FACTS("facts") ", facts), " OF_FACTS("packed")
#define NO_FACTS "'', x''"
#define OF_ROW ", time_ms, size FROM all_trace t WHERE row = ?"

/* What reads one trace after the other. */
struct trace_reader {
	struct store_connection *connection;
	struct arena *arena;
	sqlite3_stmt *trace, *recipients;
};

static bool open_reader(
    struct trace_reader *reader, bool with_facts, struct err *err)
{
	static const struct sqlite_parameters none = {.count = 0};

	reader->trace = sqlite_prepare_query(reader->connection,
	    with_facts ? SLICE(TRACE_TEXTS FACTS OF_ROW)
		       : SLICE(TRACE_TEXTS NO_FACTS OF_ROW),
	    &none, err);
	reader->recipients = sqlite_prepare_query(reader->connection,
	    SLICE("SELECT address FROM all_recipient WHERE parent = ?"
		  " ORDER BY place"),
	    &none, err);
	return reader->trace && reader->recipients;
}

static void close_reader(struct trace_reader *reader)
{
	sqlite3_finalize(reader->trace);
	sqlite3_finalize(reader->recipients);
}

/* What an older version wrote is not packed. */
static bool read_facts(struct trace_reader *reader, int column,
    const struct store_trace *trace, struct slice *ret, struct err *err)
{
	const void *packed = sqlite3_column_blob(reader->trace, column);
	size_t len = (size_t)sqlite3_column_bytes(reader->trace, column);

	if (len == 0 ||
	    store_unpack(reader->arena, slice_of(packed, len), ret, NULL))
		return true;
	return err_set(err, E_IO,
	    "store: %s: the facts of trace %.*s are damaged; put a copy of the "
	    "database in place, with its -wal and -shm moved away "
	    "(docs/OPERATIONS.md)",
	    reader->connection->path, SLICE_ARGS(slice_sub(trace->id, 0, 64)));
}

static bool read_trace(struct trace_reader *reader, int64_t row,
    struct store_trace *ret, struct err *err)
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
		*texts[i] = sqlite_copy_text(reader->arena, reader->trace, i);
	trace.time_ms = sqlite3_column_int64(reader->trace, TEXTS + 1);
	trace.size = (uint64_t)sqlite3_column_int64(reader->trace, TEXTS + 2);
	if (!read_facts(reader, TEXTS, &trace, &trace.facts, err) ||
	    !sqlite_read_recipients(reader->connection, reader->arena,
		reader->recipients, row, &trace.recipient_count, &recipients,
		NULL, err))
		return false;
	trace.recipients = recipients;
	*ret = trace;
	return true;
}

/* Those that are still there: a row may have expired since it was found. */
static bool read_traces(struct trace_reader *reader,
    const struct store_rows *rows, size_t *ret_count, struct store_trace *ret,
    struct err *err)
{
	size_t count = 0;

	for (size_t i = 0; i < rows->count; i++) {
		int code;

		sqlite3_reset(reader->trace);
		sqlite3_bind_int64(reader->trace, 1, rows->items[i]);
		code = sqlite3_step(reader->trace);
		if (code == SQLITE_DONE)
			continue;
		if (code != SQLITE_ROW)
			return sqlite_fail(reader->connection, err);
		if (!read_trace(reader, rows->items[i], &ret[count++], err))
			return false;
	}
	*ret_count = count;
	return true;
}

static bool read_rows(struct store_connection *connection, struct arena *arena,
    const struct store_rows *rows, bool with_facts, size_t *ret_count,
    struct store_trace **ret, struct err *err)
{
	struct trace_reader reader = {.connection = connection, .arena = arena};
	bool ok;

	*ret = ARENA_ARRAY(arena, rows->count, struct store_trace);
	ok = open_reader(&reader, with_facts, err) &&
	     read_traces(&reader, rows, ret_count, *ret, err);
	close_reader(&reader);
	return ok;
}

bool sqlite_find_traces(struct store_connection *connection,
    struct arena *arena, const struct store_query *query, size_t *ret_count,
    struct store_trace **ret, struct err *err)
{
	struct store_rows rows;

	return sqlite_begin_reading(connection, err) &&
	       sqlite_end_reading(connection,
		   find_rows(connection, arena, query, &rows, err) &&
		       read_rows(connection, arena, &rows, true, ret_count, ret,
			   err));
}

bool sqlite_find_rows(struct store_connection *connection, struct arena *arena,
    const struct store_query *query, struct store_rows *ret, struct err *err)
{
	return sqlite_begin_reading(connection, err) &&
	       sqlite_end_reading(
		   connection, find_rows(connection, arena, query, ret, err));
}

bool sqlite_read_rows(struct store_connection *connection, struct arena *arena,
    const struct store_rows *rows, size_t *ret_count, struct store_trace **ret,
    struct err *err)
{
	return sqlite_begin_reading(connection, err) &&
	       sqlite_end_reading(connection, read_rows(connection, arena, rows,
						  false, ret_count, ret, err));
}
