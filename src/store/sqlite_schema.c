/* SPDX-License-Identifier: Apache-2.0 */
/* The tables, as numbered steps.
 *
 * A step that was released never changes: the next change is a new row.  Text
 * keys (…_key, …_domain) are lower case; `row` is never seen outside.
 */
#include "base/clock.h"
#include "base/log.h"
#include "store/sqlite_private.h"

enum {
	/* "Gate", so that file(1) and this program know the database. */
	APPLICATION_ID = 0x47617465,
	UPGRADE_WAIT_MS = 15 * 60 * 1000,
	UPGRADE_PAUSE_MS = 20,
	UPGRADE_QUIET_TRIES = 50, /* then the log says why nothing happens */
};

/* The rows of a quarantined message's pieces have no foreign key on purpose:
 * a message is deleted by moving its number to quarantine_garbage, and its
 * pieces are cleared away in small steps. */
static const char version_1[] =
    "CREATE TABLE trace ("
    " row INTEGER PRIMARY KEY,"
    " id TEXT NOT NULL UNIQUE,"
    " time_ms INTEGER NOT NULL,"
    " message_id TEXT NOT NULL,"
    " listener TEXT NOT NULL,"
    " client_ip TEXT NOT NULL,"
    " client_name TEXT NOT NULL,"
    " helo TEXT NOT NULL,"
    " sender TEXT NOT NULL,"
    " sender_key TEXT NOT NULL,"
    " sender_domain TEXT NOT NULL,"
    " header_from TEXT NOT NULL,"
    " subject TEXT NOT NULL,"
    " size INTEGER NOT NULL,"
    " verdict TEXT NOT NULL,"
    " policy TEXT NOT NULL,"
    " reply TEXT NOT NULL,"
    " delivery TEXT NOT NULL,"
    " own_domain_result TEXT NOT NULL,"
    " own_domain TEXT NOT NULL,"
    " spf_result TEXT NOT NULL,"
    " dkim_result TEXT NOT NULL,"
    " dmarc_result TEXT NOT NULL,"
    " connector TEXT NOT NULL,"
    " facts TEXT NOT NULL"
    ") STRICT;"
    "CREATE INDEX trace_time ON trace (time_ms);"
    "CREATE INDEX trace_message_id ON trace (message_id);"
    "CREATE INDEX trace_sender ON trace (sender_key, time_ms);"
    "CREATE INDEX trace_sender_domain ON trace (sender_domain, time_ms);"
    "CREATE INDEX trace_verdict ON trace (verdict, time_ms);"
    "CREATE INDEX trace_own_domain ON trace (time_ms) WHERE own_domain <> '';"

    "CREATE TABLE trace_recipient ("
    " parent INTEGER NOT NULL REFERENCES trace (row) ON DELETE CASCADE,"
    " place INTEGER NOT NULL,"
    " address TEXT NOT NULL,"
    " address_key TEXT NOT NULL,"
    " domain TEXT NOT NULL,"
    " PRIMARY KEY (parent, place)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX trace_recipient_address ON trace_recipient (address_key);"
    "CREATE INDEX trace_recipient_domain ON trace_recipient (domain);"

    "CREATE TABLE quarantine ("
    " row INTEGER PRIMARY KEY AUTOINCREMENT,"
    " id TEXT NOT NULL UNIQUE,"
    " time_ms INTEGER NOT NULL,"
    " message_id TEXT NOT NULL,"
    " sender TEXT NOT NULL,"
    " sender_key TEXT NOT NULL,"
    " sender_domain TEXT NOT NULL,"
    " reason TEXT NOT NULL,"
    " route TEXT NOT NULL,"
    " size INTEGER NOT NULL,"
    " released_ms INTEGER NOT NULL"
    ") STRICT;"
    "CREATE INDEX quarantine_time ON quarantine (time_ms);"
    "CREATE INDEX quarantine_message_id ON quarantine (message_id);"
    "CREATE INDEX quarantine_sender ON quarantine (sender_key, time_ms);"
    "CREATE INDEX quarantine_sender_domain"
    " ON quarantine (sender_domain, time_ms);"

    "CREATE TABLE quarantine_recipient ("
    " parent INTEGER NOT NULL REFERENCES quarantine (row) ON DELETE CASCADE,"
    " place INTEGER NOT NULL,"
    " address TEXT NOT NULL,"
    " address_key TEXT NOT NULL,"
    " domain TEXT NOT NULL,"
    " PRIMARY KEY (parent, place)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX quarantine_recipient_address"
    " ON quarantine_recipient (address_key);"
    "CREATE INDEX quarantine_recipient_domain"
    " ON quarantine_recipient (domain);"

    "CREATE TABLE quarantine_piece ("
    " row INTEGER PRIMARY KEY,"
    " parent INTEGER NOT NULL,"
    " place INTEGER NOT NULL,"
    " bytes BLOB NOT NULL,"
    " UNIQUE (parent, place)"
    ") STRICT;"
    "CREATE TABLE quarantine_garbage ("
    " parent INTEGER PRIMARY KEY"
    ") STRICT;"

    "CREATE TABLE probe ("
    " one INTEGER PRIMARY KEY CHECK (one = 1),"
    " time_ms INTEGER NOT NULL"
    ") STRICT;";

/* Fresh rows stand in tables with no more indexes than a commit can afford;
 * the writer files them by the hundred (sqlite_file.c).  `row` is unique in
 * both tables together.  The facts, which are most of a row, are written once
 * and stay where they are; the column of version 1 keeps those from before. */
static const char version_2[] =
    "CREATE TABLE recent_trace ("
    " row INTEGER PRIMARY KEY,"
    " id TEXT NOT NULL UNIQUE,"
    " time_ms INTEGER NOT NULL,"
    " message_id TEXT NOT NULL,"
    " listener TEXT NOT NULL,"
    " client_ip TEXT NOT NULL,"
    " client_name TEXT NOT NULL,"
    " helo TEXT NOT NULL,"
    " sender TEXT NOT NULL,"
    " sender_key TEXT NOT NULL,"
    " sender_domain TEXT NOT NULL,"
    " header_from TEXT NOT NULL,"
    " subject TEXT NOT NULL,"
    " size INTEGER NOT NULL,"
    " verdict TEXT NOT NULL,"
    " policy TEXT NOT NULL,"
    " reply TEXT NOT NULL,"
    " delivery TEXT NOT NULL,"
    " own_domain_result TEXT NOT NULL,"
    " own_domain TEXT NOT NULL,"
    " spf_result TEXT NOT NULL,"
    " dkim_result TEXT NOT NULL,"
    " dmarc_result TEXT NOT NULL,"
    " connector TEXT NOT NULL"
    ") STRICT;"
    "CREATE TABLE trace_facts ("
    " row INTEGER PRIMARY KEY,"
    " facts TEXT NOT NULL"
    ") STRICT;"
    "CREATE TABLE recent_recipient ("
    " parent INTEGER NOT NULL,"
    " place INTEGER NOT NULL,"
    " address TEXT NOT NULL,"
    " address_key TEXT NOT NULL,"
    " domain TEXT NOT NULL,"
    " PRIMARY KEY (parent, place)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE VIEW all_trace AS"
    " SELECT " SQLITE_TRACE_COLUMNS ", facts FROM trace UNION ALL"
    " SELECT " SQLITE_TRACE_COLUMNS ", '' FROM recent_trace;"
    "CREATE VIEW all_recipient AS"
    " SELECT " SQLITE_RECIPIENT_COLUMNS " FROM trace_recipient UNION ALL"
    " SELECT " SQLITE_RECIPIENT_COLUMNS " FROM recent_recipient;";

/* With a million traces each new one changed a page of its own of every index
 * whose keys come in no order: to file it took 65 us, and four pages in the
 * log.  Those indexes begin with the chunk now, 8,192 rows in the order they
 * came: what is filed together stands together, and filing takes 14 us and
 * half a page however many there are.  Searches go through the chunks, newest
 * first. */
static const char version_3[] =
    "DROP INDEX trace_message_id;"
    "DROP INDEX trace_sender;"
    "DROP INDEX trace_sender_domain;"
    "DROP INDEX trace_recipient_address;"
    "DROP INDEX trace_recipient_domain;"
    "ALTER TABLE trace ADD COLUMN"
    " chunk INTEGER NOT NULL GENERATED ALWAYS AS (row >> 13) VIRTUAL;"
    "ALTER TABLE trace_recipient ADD COLUMN"
    " chunk INTEGER NOT NULL GENERATED ALWAYS AS (parent >> 13) VIRTUAL;"
    "CREATE INDEX trace_message_id ON trace (chunk, message_id, time_ms);"
    "CREATE INDEX trace_sender ON trace (chunk, sender_key, time_ms);"
    "CREATE INDEX trace_sender_domain"
    " ON trace (chunk, sender_domain, time_ms);"
    "CREATE INDEX trace_recipient_address"
    " ON trace_recipient (chunk, address_key);"
    "CREATE INDEX trace_recipient_domain ON trace_recipient (chunk, domain);"
    "CREATE TABLE trace_chunk (chunk INTEGER PRIMARY KEY) STRICT;"
    "INSERT INTO trace_chunk SELECT DISTINCT chunk FROM trace;";

/* Who has a message already need not get it again when the others do. */
static const char version_4[] =
    "ALTER TABLE quarantine_recipient ADD COLUMN"
    " released_ms INTEGER NOT NULL DEFAULT 0;"
    "UPDATE quarantine_recipient SET released_ms ="
    " (SELECT released_ms FROM quarantine WHERE row = parent)"
    " WHERE parent IN (SELECT row FROM quarantine WHERE released_ms <> 0);";

/* A restart must not make a clock right that is ahead. */
static const char version_5[] = "CREATE TABLE clock ("
				" one INTEGER PRIMARY KEY CHECK (one = 1),"
				" time_ms INTEGER NOT NULL,"
				" doubted_ms INTEGER NOT NULL"
				") STRICT;"
				"INSERT INTO clock VALUES (1, 0, 0);";

/* Facts are packed (store_pack.h): a page has those of five traces, not of
 * one.  What was written before stays in its column. */
static const char version_6[] = "ALTER TABLE trace_facts ADD COLUMN"
				" packed BLOB NOT NULL DEFAULT x'';";

const struct sqlite_migration sqlite_migrations[] = {
    {1, version_1},
    {2, version_2},
    {3, version_3},
    {4, version_4},
    {5, version_5},
    {6, version_6},
};

const size_t sqlite_migration_count = sizeof(sqlite_migrations) /
				      sizeof(sqlite_migrations[0]);

/* In a transaction, lest another process makes the tables between two of its
 * questions.  0: an empty database.  False also for somebody else's. */
static bool read_version(
    struct store_connection *connection, int64_t *ret, struct err *err)
{
	int64_t application, tables;

	if (!sqlite_get_int(
		connection, "PRAGMA application_id", 0, &application, err) ||
	    !sqlite_get_int(connection, "SELECT count(*) FROM sqlite_schema", 0,
		&tables, err))
		return false;
	if (tables == 0) {
		*ret = 0;
		return true;
	}
	if (application != APPLICATION_ID)
		return err_set(err, E_CONFIG,
		    "store: %s is a database of another program; name another "
		    "file in store:",
		    connection->path);
	return sqlite_get_int(
	    connection, "SELECT max(version) FROM schema_version", 0, ret, err);
}

static bool look_up_version(
    struct store_connection *connection, int64_t *ret, struct err *err)
{
	bool ok = sqlite_run(connection, "BEGIN", err) &&
		  read_version(connection, ret, err);

	if (!sqlite3_get_autocommit(connection->db))
		sqlite3_exec(connection->db, "ROLLBACK", NULL, NULL, NULL);
	return ok;
}

static bool refuse_newer(const struct store_connection *connection,
    int64_t version, int known, struct err *err)
{
	return err_set(err, E_CONFIG,
	    "store: %s has version %lld of the tables, and this program knows "
	    "%d: run the newer program that made it, or put the copy from "
	    "before the upgrade in place, with its -wal and -shm moved away "
	    "(docs/OPERATIONS.md)",
	    connection->path, (long long)version, known);
}

static bool apply(struct store_connection *connection,
    const struct sqlite_migration *migration, struct err *err)
{
	char *record = sqlite3_mprintf(
	    "CREATE TABLE IF NOT EXISTS schema_version ("
	    " version INTEGER PRIMARY KEY, applied_ms INTEGER NOT NULL"
	    ") STRICT;"
	    "INSERT INTO schema_version VALUES (%d, %lld);"
	    "PRAGMA application_id = %d;",
	    migration->version, (long long)clock_now_ms(NULL),
	    (int)APPLICATION_ID);
	bool ok = record && sqlite_run(connection, migration->sql, err) &&
		  sqlite_run(connection, record, err);

	sqlite3_free(record);
	return ok;
}

/* One step in a transaction.  The version is read again under its lock:
 * another process may have migrated in between.  *first: the version that was
 * there, -1 before the first step.  *ret_done: nothing left. */
static bool step(struct store_connection *connection,
    const struct sqlite_migration *migrations, size_t count, int64_t *first,
    bool *ret_done, struct err *err)
{
	int64_t version;
	size_t next = 0;

	if (!read_version(connection, &version, err))
		return false;
	if (version > migrations[count - 1].version)
		return refuse_newer(
		    connection, version, migrations[count - 1].version, err);
	while (next < count && migrations[next].version <= version)
		next++;
	*ret_done = next == count;
	if (*ret_done)
		return true;
	if (*first < 0)
		*first = version;
	if (*first > 0)
		log_notice("store.upgrade",
		    LOG_I("version", migrations[next].version));
	return apply(connection, &migrations[next], err) &&
	       sqlite_run(connection, "COMMIT", err);
}

/* Another process upgrades a large database, or makes this one. */
static int wait_for_upgrade(void *deadline, int tries)
{
	if (tries == UPGRADE_QUIET_TRIES)
		log_notice(
		    "store.upgrade_waits", LOG_I("limit_ms", UPGRADE_WAIT_MS));
	return !deadline_passed(*(struct deadline *)deadline) &&
	       sqlite3_sleep(UPGRADE_PAUSE_MS) >= 0;
}

static bool apply_all(struct store_connection *connection,
    const struct sqlite_migration *migrations, size_t count, struct err *err)
{
	bool done = false, ok = true;
	int64_t first = -1;

	while (ok && !done) {
		if (!sqlite_run(connection, "BEGIN IMMEDIATE", err))
			return false;
		ok = step(connection, migrations, count, &first, &done, err);
		if (!sqlite3_get_autocommit(connection->db))
			sqlite3_exec(
			    connection->db, "ROLLBACK", NULL, NULL, NULL);
	}
	return ok;
}

bool sqlite_schema_migrate(struct store_connection *connection,
    const struct sqlite_migration *migrations, size_t count, struct err *err)
{
	struct deadline deadline = deadline_in(UPGRADE_WAIT_MS);
	int64_t version;
	bool ok;

	if (!look_up_version(connection, &version, err))
		return false;
	if (version == migrations[count - 1].version)
		return true;
	sqlite3_busy_handler(connection->db, wait_for_upgrade, &deadline);
	ok = apply_all(connection, migrations, count, err);
	sqlite3_busy_timeout(connection->db, STORE_LOCK_STEP_MS);
	return ok;
}

bool sqlite_schema_check(struct store_connection *connection, struct err *err)
{
	int known = sqlite_migrations[sqlite_migration_count - 1].version;
	int64_t version;

	if (!look_up_version(connection, &version, err))
		return false;
	if (version > known)
		return refuse_newer(connection, version, known, err);
	if (version == 0)
		return err_set(err, E_CONFIG,
		    "store: %s has no tables yet: gatehouse serve makes them "
		    "at its start, and its log says if it cannot",
		    connection->path);
	if (version < known)
		return err_set(err, E_CONFIG,
		    "store: %s has version %lld of the tables, this program "
		    "needs %d: start gatehouse serve once, it upgrades them",
		    connection->path, (long long)version, known);
	return true;
}
