/* SPDX-License-Identifier: Apache-2.0 */
/* The writer's statements: one function for each kind of change. */
#include <string.h>

#include "base/require.h"
#include "store/sqlite_private.h"

/* After an expiry step so many pages go back to the system, and as long as
 * more than FREE_PAGES_MAX (64 MiB) are left, there is another step. */
#define VACUUM_PAGES "2048"
enum { FREE_PAGES_MAX = 16384 };

/* What the next hop said is what the sender was told. */
#define NOTE                                                                   \
	" SET delivery = ?2,"                                                  \
	" policy = CASE WHEN ?3 IN ('', verdict) THEN policy"                  \
	"  ELSE 'next-hop' END,"                                               \
	" verdict = CASE WHEN ?3 = '' THEN verdict ELSE ?3 END"                \
	" WHERE id = ?1"

/* OR FAIL: of one row all is looked at before anything is written, and where
 * many are filed a failure ends their transaction.  So SQLite needs to keep no
 * copies of pages to undo a statement alone. */
const char *const sqlite_statement_texts[SQL_STATEMENTS] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_SAVEPOINT] = "SAVEPOINT member",
    [SQL_SAVEPOINT_RELEASE] = "RELEASE member",
    [SQL_SAVEPOINT_ROLLBACK] = "ROLLBACK TO member",
    [SQL_PUT_TRACE] =
	"INSERT OR FAIL INTO recent_trace (row, id, message_id, listener, "
	"client_ip, "
	"client_name,"
	" helo, sender, sender_key, sender_domain, header_from, subject,"
	" verdict, policy, reply, delivery, own_domain_result, own_domain,"
	" spf_result, dkim_result, dmarc_result, connector, time_ms,"
	" size) SELECT ?24, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, "
	"?13, ?14,"
	" ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23"
	" WHERE NOT EXISTS (SELECT 1 FROM trace WHERE id = ?1)",
    [SQL_LAST_ROW] = "SELECT max("
		     "ifnull((SELECT max(row) FROM recent_trace), 0),"
		     "ifnull((SELECT max(row) FROM trace), 0))",
    [SQL_PUT_TRACE_FACTS] =
	"INSERT OR REPLACE INTO trace_facts (row, facts, packed)"
	" VALUES (?1, '', ?2)",
    [SQL_PUT_TRACE_RECIPIENT] =
	"INSERT INTO recent_recipient (parent, place, address, address_key,"
	" domain) VALUES (?1, ?2, ?3, ?4, ?5)",
    [SQL_PUT_QUARANTINE] =
	"INSERT INTO quarantine (id, message_id, sender, sender_key,"
	" sender_domain, reason, route, time_ms, size, released_ms)"
	" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0)",
    [SQL_PUT_QUARANTINE_RECIPIENT] =
	"INSERT INTO quarantine_recipient (parent, place, address,"
	" address_key, domain) VALUES (?1, ?2, ?3, ?4, ?5)",
    [SQL_PUT_PIECE] = "INSERT INTO quarantine_piece (parent, place, bytes)"
		      " VALUES (?1, ?2, ?3)",
    [SQL_NOTE_RECENT] = "UPDATE recent_trace" NOTE,
    [SQL_NOTE] = "UPDATE trace" NOTE,
    [SQL_FILE_BORDER] = "SELECT max(row) FROM (SELECT row FROM recent_trace"
			" ORDER BY row LIMIT ?1)",
    [SQL_FILE_CHUNKS] = "INSERT OR IGNORE INTO trace_chunk"
			" SELECT DISTINCT row >> 13 FROM recent_trace"
			" WHERE row <= ?1",
    [SQL_FILE_TRACES] = "INSERT OR FAIL INTO trace (" SQLITE_TRACE_COLUMNS
			", facts)"
			" SELECT " SQLITE_TRACE_COLUMNS ", ''"
			" FROM recent_trace WHERE row <= ?1",
    [SQL_FILE_RECIPIENTS] =
	"INSERT OR FAIL INTO trace_recipient (" SQLITE_RECIPIENT_COLUMNS ")"
	" SELECT " SQLITE_RECIPIENT_COLUMNS
	" FROM recent_recipient WHERE parent <= ?1",
    [SQL_FILE_DELETE_RECIPIENTS] =
	"DELETE FROM recent_recipient WHERE parent <= ?1",
    [SQL_FILE_DELETE_TRACES] = "DELETE FROM recent_trace WHERE row <= ?1",
    [SQL_MARK_RECIPIENT] =
	"UPDATE quarantine_recipient SET released_ms = ?2"
	" WHERE parent = (SELECT row FROM quarantine WHERE id = ?1)"
	" AND address = ?3",
    [SQL_MARK_RELEASED] =
	"UPDATE quarantine SET released_ms = ?2 WHERE id = ?1"
	" AND NOT EXISTS (SELECT 1 FROM quarantine_recipient"
	"  WHERE parent = quarantine.row AND released_ms = 0)",
    [SQL_DISCARD_ID] = "INSERT INTO quarantine_garbage"
		       " SELECT row FROM quarantine WHERE id = ?1",
    [SQL_DISCARD_OLD] =
	"INSERT INTO quarantine_garbage SELECT row FROM quarantine"
	" WHERE time_ms < ?1 ORDER BY time_ms LIMIT ?2",
    [SQL_DELETE_DISCARDED] =
	"DELETE FROM quarantine"
	" WHERE row IN (SELECT parent FROM quarantine_garbage)",
    [SQL_DELETE_FACTS] = "DELETE FROM trace_facts WHERE row IN (SELECT row"
			 " FROM trace WHERE time_ms < ?1"
			 " ORDER BY time_ms LIMIT ?2)",
    [SQL_DELETE_TRACES] =
	"DELETE FROM trace WHERE row IN (SELECT row FROM trace"
	" WHERE time_ms < ?1 ORDER BY time_ms LIMIT ?2)",
    [SQL_DELETE_CHUNKS] = "DELETE FROM trace_chunk WHERE chunk <"
			  " (SELECT min(row) >> 13 FROM trace)",
    [SQL_DELETE_RECENT_FACTS] =
	"DELETE FROM trace_facts WHERE row IN (SELECT row"
	" FROM recent_trace WHERE time_ms < ?1 ORDER BY row LIMIT ?2)",
    [SQL_DELETE_RECENT_RECIPIENTS] =
	"DELETE FROM recent_recipient WHERE parent IN (SELECT row"
	" FROM recent_trace WHERE time_ms < ?1 ORDER BY row LIMIT ?2)",
    [SQL_DELETE_RECENT] =
	"DELETE FROM recent_trace WHERE row IN (SELECT row"
	" FROM recent_trace WHERE time_ms < ?1 ORDER BY row LIMIT ?2)",
    /* CROSS: in the order of its own choice SQLite would read all pieces (18 ms
     * of 500,000) for the few that go (0.03 ms). */
    [SQL_DELETE_PIECES] =
	"DELETE FROM quarantine_piece WHERE row IN (SELECT p.row"
	" FROM quarantine_garbage g CROSS JOIN quarantine_piece p"
	" ON p.parent = g.parent LIMIT ?1)",
    [SQL_DELETE_GARBAGE] =
	"DELETE FROM quarantine_garbage WHERE NOT EXISTS (SELECT 1"
	" FROM quarantine_piece p WHERE p.parent = quarantine_garbage.parent)",
    [SQL_VACUUM] = "PRAGMA incremental_vacuum(" VACUUM_PAGES ")",
    [SQL_FREE_PAGES] = "PRAGMA freelist_count",
    /* The row is there, so that this needs no room. */
    [SQL_CLOCK] =
	"UPDATE clock SET time_ms = ?1, doubted_ms = ?2 WHERE one = 1",
    [SQL_PROBE] = "INSERT OR REPLACE INTO probe (one, time_ms) VALUES (1, ?1)",
};

static bool execute(struct store_connection *connection,
    enum sqlite_statement number, struct err *err)
{
	return sqlite_execute(
	    connection, sqlite_prepared(connection, number, err), NULL, err);
}

static bool put_recipients(struct store_connection *connection,
    enum sqlite_statement number, int64_t parent,
    const struct store_recipients *recipients, struct err *err)
{
	sqlite3_stmt *statement = sqlite_prepared(connection, number, err);

	if (!statement)
		return false;
	for (size_t i = 0; i < recipients->count; i++) {
		sqlite3_bind_int64(statement, 1, parent);
		sqlite3_bind_int64(statement, 2, (int64_t)i);
		sqlite_bind_slice(statement, 3, recipients->addresses[i]);
		sqlite_bind_slice(statement, 4, recipients->keys[i]);
		sqlite_bind_slice(statement, 5, recipients->domains[i]);
		if (!sqlite_execute(connection, statement, NULL, err))
			return false;
	}
	return true;
}

static bool put_facts(struct store_connection *connection, int64_t row,
    struct slice packed, struct err *err)
{
	sqlite3_stmt *statement = sqlite_prepared(
	    connection, SQL_PUT_TRACE_FACTS, err);

	if (!statement)
		return false;
	sqlite3_bind_int64(statement, 1, row);
	sqlite3_bind_blob64(
	    statement, 2, packed.ptr, packed.len, SQLITE_STATIC);
	return sqlite_execute(connection, statement, NULL, err);
}

/* Asked once a transaction; nobody else writes meanwhile. */
static bool know_last_row(struct store_connection *connection, struct err *err)
{
	sqlite3_stmt *statement;
	bool ok;

	if (connection->last_row >= 0)
		return true;
	statement = sqlite_prepared(connection, SQL_LAST_ROW, err);
	if (!statement)
		return false;
	ok = sqlite3_step(statement) == SQLITE_ROW;
	if (ok)
		connection->last_row = sqlite3_column_int64(statement, 0);
	else
		sqlite_fail(connection, err);
	sqlite3_reset(statement);
	return ok;
}

static bool put_trace(struct store_connection *connection,
    const struct store_row *row, struct err *err)
{
	const struct store_trace *trace = &row->trace;
	const struct slice texts[] = {trace->id, trace->message_id,
	    trace->listener, trace->client_ip, trace->client_name, trace->helo,
	    trace->sender, row->sender_key, row->sender_domain,
	    trace->header_from, trace->subject, trace->verdict, trace->policy,
	    trace->reply, trace->delivery, trace->own_domain_result,
	    trace->own_domain, trace->spf_result, trace->dkim_result,
	    trace->dmarc_result, trace->connector};
	enum { TEXTS = sizeof(texts) / sizeof(texts[0]) };
	sqlite3_stmt *statement = sqlite_prepared(
	    connection, SQL_PUT_TRACE, err);
	uint64_t changes;
	int64_t parent;

	if (!statement || !know_last_row(connection, err))
		return false;
	parent = connection->last_row + 1;
	for (int i = 0; i < TEXTS; i++)
		sqlite_bind_slice(statement, i + 1, texts[i]);
	sqlite3_bind_int64(statement, TEXTS + 1, trace->time_ms);
	sqlite3_bind_int64(statement, TEXTS + 2, (int64_t)trace->size);
	sqlite3_bind_int64(statement, TEXTS + 3, parent);
	if (!sqlite_execute(connection, statement, &changes, err))
		return false;
	if (!changes)
		return err_set(err, E_SYNTAX,
		    "store: a trace has the id %.*s already",
		    SLICE_ARGS(slice_sub(trace->id, 0, 64)));
	connection->last_row = parent;
	if (put_facts(connection, parent, row->packed_facts, err) &&
	    put_recipients(connection, SQL_PUT_TRACE_RECIPIENT, parent,
		&row->recipients, err))
		return true;
	/* Without a savepoint half a trace would stay: see is_single. */
	if (store_is_member_failure(err->kind))
		err->kind = E_IO;
	return false;
}

/* The bytes stay where they are: a row at a time is copied by SQLite. */
static bool put_pieces(struct store_connection *connection, int64_t parent,
    const struct store_quarantine *quarantine, struct err *err)
{
	sqlite3_stmt *statement = sqlite_prepared(
	    connection, SQL_PUT_PIECE, err);
	int64_t place = 0;

	if (!statement)
		return false;
	for (size_t i = 0; i < quarantine->piece_count; i++) {
		struct slice rest = quarantine->pieces[i];

		while (rest.len) {
			struct slice part = slice_sub(
			    rest, 0, STORE_PIECE_SIZE);

			sqlite3_bind_int64(statement, 1, parent);
			sqlite3_bind_int64(statement, 2, place++);
			sqlite3_bind_blob64(
			    statement, 3, part.ptr, part.len, SQLITE_STATIC);
			if (!sqlite_execute(connection, statement, NULL, err))
				return false;
			rest = slice_from_pos(rest, part.len);
		}
	}
	return true;
}

static bool put_quarantine(struct store_connection *connection,
    const struct store_row *row, const struct store_quarantine *quarantine,
    struct err *err)
{
	const struct slice texts[] = {quarantine->id, row->trace.message_id,
	    row->trace.sender, row->sender_key, row->sender_domain,
	    quarantine->reason, quarantine->route};
	enum { TEXTS = sizeof(texts) / sizeof(texts[0]) };
	sqlite3_stmt *statement = sqlite_prepared(
	    connection, SQL_PUT_QUARANTINE, err);
	uint64_t size = 0;
	int64_t parent;

	if (!statement)
		return false;
	for (size_t i = 0; i < quarantine->piece_count; i++)
		size += quarantine->pieces[i].len;
	if (!sqlite_has_room_to_hold(connection, size, err))
		return false;
	for (int i = 0; i < TEXTS; i++)
		sqlite_bind_slice(statement, i + 1, texts[i]);
	sqlite3_bind_int64(statement, TEXTS + 1, row->trace.time_ms);
	sqlite3_bind_int64(statement, TEXTS + 2, (int64_t)size);
	if (!sqlite_execute(connection, statement, NULL, err))
		return false;
	parent = sqlite3_last_insert_rowid(connection->db);
	return put_recipients(connection, SQL_PUT_QUARANTINE_RECIPIENT, parent,
		   &row->held, err) &&
	       put_pieces(connection, parent, quarantine, err);
}

static bool write_put(struct store_connection *connection,
    struct store_work *work, struct err *err)
{
	return put_trace(connection, work->row, err) &&
	       (!work->quarantine || put_quarantine(connection, work->row,
					 work->quarantine, err));
}

static bool note_in(struct store_connection *connection,
    enum sqlite_statement number, const struct store_work *work,
    uint64_t *ret_changes, struct err *err)
{
	sqlite3_stmt *statement = sqlite_prepared(connection, number, err);

	if (!statement)
		return false;
	sqlite_bind_slice(statement, 1, work->id);
	sqlite_bind_slice(statement, 2, work->reply);
	sqlite_bind_slice(statement, 3, work->verdict);
	return sqlite_execute(connection, statement, ret_changes, err);
}

static bool write_note(struct store_connection *connection,
    struct store_work *work, struct err *err)
{
	uint64_t changes;

	if (!note_in(connection, SQL_NOTE_RECENT, work, &changes, err))
		return false;
	if (!changes && !note_in(connection, SQL_NOTE, work, &changes, err))
		return false;
	return changes ? true
		       : err_set(err, E_NOT_FOUND, "store: no trace %.*s",
			     SLICE_ARGS(slice_sub(work->id, 0, 64)));
}

static bool no_such_message(const struct store_work *work, struct err *err)
{
	return err_set(err, E_NOT_FOUND,
	    "no quarantined message has the id %.*s",
	    SLICE_ARGS(slice_sub(work->id, 0, 64)));
}

static bool write_mark_released(struct store_connection *connection,
    struct store_work *work, struct err *err)
{
	sqlite3_stmt *recipient = sqlite_prepared(
	    connection, SQL_MARK_RECIPIENT, err);
	sqlite3_stmt *message = sqlite_prepared(
	    connection, SQL_MARK_RELEASED, err);
	uint64_t changes;

	if (!recipient || !message)
		return false;
	sqlite_bind_slice(recipient, 1, work->id);
	sqlite3_bind_int64(recipient, 2, work->time_ms);
	sqlite_bind_slice(recipient, 3, work->recipient);
	if (!sqlite_execute(connection, recipient, &changes, err))
		return false;
	if (!changes)
		return err_set(err, E_NOT_FOUND,
		    "no quarantined message has the id %.*s and the recipient "
		    "%.*s",
		    SLICE_ARGS(slice_sub(work->id, 0, 64)),
		    SLICE_ARGS(slice_sub(work->recipient, 0, 320)));
	sqlite_bind_slice(message, 1, work->id);
	sqlite3_bind_int64(message, 2, work->time_ms);
	return sqlite_execute(connection, message, NULL, err);
}

static bool write_delete(struct store_connection *connection,
    struct store_work *work, struct err *err)
{
	sqlite3_stmt *statement = sqlite_prepared(
	    connection, SQL_DISCARD_ID, err);
	uint64_t changes;

	if (!statement)
		return false;
	sqlite_bind_slice(statement, 1, work->id);
	if (!sqlite_execute(connection, statement, &changes, err))
		return false;
	if (changes == 0)
		return no_such_message(work, err);
	return execute(connection, SQL_DELETE_DISCARDED, err);
}

/* A statement with a moment (0: nothing is that old) and a row limit. */
static bool remove_before(struct store_connection *connection,
    enum sqlite_statement number, int64_t before_ms, uint64_t *ret_changes,
    struct err *err)
{
	sqlite3_stmt *statement = sqlite_prepared(connection, number, err);

	if (!statement)
		return false;
	sqlite3_bind_int64(statement, 1, before_ms);
	sqlite3_bind_int64(statement, 2, STORE_EXPIRE_ROWS);
	return sqlite_execute(connection, statement, ret_changes, err);
}

static bool clear_garbage(
    struct store_connection *connection, bool *ret_more, struct err *err)
{
	sqlite3_stmt *statement = sqlite_prepared(
	    connection, SQL_DELETE_PIECES, err);
	uint64_t pieces;

	if (!statement)
		return false;
	sqlite3_bind_int64(statement, 1, STORE_EXPIRE_PIECES);
	if (!sqlite_execute(connection, statement, &pieces, err))
		return false;
	*ret_more = pieces == STORE_EXPIRE_PIECES;
	return *ret_more || execute(connection, SQL_DELETE_GARBAGE, err);
}

/* Those that were filed, and those that were not: a full disk may have kept
 * them from it, and removing them must not need room. */
static bool remove_traces(struct store_connection *connection,
    int64_t before_ms, uint64_t *ret_removed, bool *ret_more, struct err *err)
{
	static const enum sqlite_statement steps[] = {SQL_DELETE_FACTS,
	    SQL_DELETE_TRACES, SQL_DELETE_RECENT_FACTS,
	    SQL_DELETE_RECENT_RECIPIENTS, SQL_DELETE_RECENT};
	enum { STEPS = sizeof(steps) / sizeof(steps[0]) };
	uint64_t removed[STEPS], filed, recent;

	for (size_t i = 0; i < STEPS; i++)
		if (!remove_before(
			connection, steps[i], before_ms, &removed[i], err))
			return false;
	if (!execute(connection, SQL_DELETE_CHUNKS, err))
		return false;
	filed = removed[1];
	recent = removed[STEPS - 1];
	*ret_removed = filed + recent;
	*ret_more = filed == STORE_EXPIRE_ROWS || recent == STORE_EXPIRE_ROWS;
	return true;
}

/* *ret_more: it helped, and there is much left.  Where it does not help (the
 * database was made without auto_vacuum) it never will. */
static bool give_back(
    struct store_connection *connection, bool *ret_more, struct err *err)
{
	int64_t before, after;

	if (!sqlite_count_free(connection, &before, err) ||
	    !execute(connection, SQL_VACUUM, err) ||
	    !sqlite_count_free(connection, &after, err))
		return false;
	*ret_more = after > FREE_PAGES_MAX && after < before;
	return true;
}

static bool write_expire(struct store_connection *connection,
    struct store_work *work, struct err *err)
{
	uint64_t traces = 0, messages = 0;
	bool more_traces, more_pieces, more_free;

	if (!remove_traces(connection, work->trace_before_ms, &traces,
		&more_traces, err) ||
	    !remove_before(connection, SQL_DISCARD_OLD,
		work->quarantine_before_ms, &messages, err) ||
	    !execute(connection, SQL_DELETE_DISCARDED, err) ||
	    !clear_garbage(connection, &more_pieces, err) ||
	    !give_back(connection, &more_free, err))
		return false;
	work->removed = traces + messages;
	work->more = more_traces || messages == STORE_EXPIRE_ROWS ||
		     more_pieces || more_free;
	return true;
}

static bool write_clock(struct store_connection *connection,
    struct store_work *work, struct err *err)
{
	sqlite3_stmt *statement = sqlite_prepared(connection, SQL_CLOCK, err);

	if (!statement)
		return false;
	sqlite3_bind_int64(statement, 1, work->clock.time_ms);
	sqlite3_bind_int64(statement, 2, work->clock.doubted_ms);
	return sqlite_execute(connection, statement, NULL, err);
}

static bool write_probe(struct store_connection *connection,
    struct store_work *work, struct err *err)
{
	sqlite3_stmt *statement = sqlite_prepared(connection, SQL_PROBE, err);

	if (!statement)
		return false;
	sqlite3_bind_int64(statement, 1, work->time_ms);
	return sqlite_execute(connection, statement, NULL, err) &&
	       sqlite_room(connection, &work->room, NULL, err);
}

typedef bool (*write_fn)(struct store_connection *connection,
    struct store_work *work, struct err *err);

static const write_fn writers[WORK_KINDS] = {
    [WORK_PUT] = write_put,
    [WORK_NOTE] = write_note,
    [WORK_MARK_RELEASED] = write_mark_released,
    [WORK_DELETE] = write_delete,
    [WORK_EXPIRE] = write_expire,
    [WORK_CLOCK] = write_clock,
    [WORK_PROBE] = write_probe,
};

/* A trace fails at its first statement or takes the group along: the copies
 * of pages that a savepoint makes would be for nothing. */
static bool is_single(const struct store_work *work)
{
	return work->kind == WORK_NOTE ||
	       (work->kind == WORK_PUT && !work->quarantine);
}

static bool write_in_savepoint(struct store_connection *connection,
    struct store_work *work, struct err *err)
{
	struct err failure = {.kind = E_NONE};

	if (!execute(connection, SQL_SAVEPOINT, err))
		return false;
	if (writers[work->kind](connection, work, &failure))
		return execute(connection, SQL_SAVEPOINT_RELEASE, err);
	*err = failure;
	/* What this member wrote so far goes; the group stays. */
	if (store_is_member_failure(failure.kind) &&
	    (!execute(connection, SQL_SAVEPOINT_ROLLBACK, err) ||
		!execute(connection, SQL_SAVEPOINT_RELEASE, err)))
		return false;
	return false;
}

bool sqlite_write(struct store_connection *connection, struct store_work *work,
    struct err *err)
{
	require(work->kind < WORK_KINDS);
	if (is_single(work))
		return writers[work->kind](connection, work, err);
	return write_in_savepoint(connection, work, err);
}
