/* SPDX-License-Identifier: Apache-2.0 */
/* The SQLite backend: connections, transactions, errors.
 *
 * WAL with synchronous=FULL: a commit is on the disk when it returns, and
 * readers never wait for the writer.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/store_place.h"
#include "store/sqlite_private.h"

enum {
	OPEN_WAIT_MS = 5000, /* for locks while opening, and of readers */
	PAGE_SIZE = 4096,
};

static enum err_kind kind_of(int code, int system_errno)
{
	if (system_errno == ENOSPC || system_errno == EDQUOT)
		return E_FULL;
	switch (code & 0xff) {
	case SQLITE_FULL: return E_FULL;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_NOMEM:
	case SQLITE_INTERRUPT: return E_TEMP;
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
	case SQLITE_TOOBIG: return E_SYNTAX;
	default: return E_IO;
	}
}

static const char *advice_for(int code, enum err_kind kind)
{
	if (kind == E_FULL)
		return "; free space, keep traces for less time, or raise "
		       "max_size, which takes a restart";
	switch (code & 0xff) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return "; move it away with its -wal and -shm, and put a copy "
		       "there, or begin with an empty one "
		       "(docs/OPERATIONS.md)";
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_READONLY:
		return "; the folder and its files must belong to the "
		       "user that runs (chown), or run this as "
		       "that user";
	default: return "";
	}
}

bool sqlite_fail(const struct store_connection *connection, struct err *err)
{
	int code = sqlite3_extended_errcode(connection->db);
	/* Only an I/O error has a meaningful errno: others keep an old one. */
	int number = (code & 0xff) == SQLITE_IOERR
			 ? sqlite3_system_errno(connection->db)
			 : 0;
	enum err_kind kind = kind_of(code, number);

	return err_set(err, kind, "store: %s: %s%s", connection->path,
	    sqlite3_errmsg(connection->db), advice_for(code, kind));
}

bool sqlite_run(
    struct store_connection *connection, const char *sql, struct err *err)
{
	if (sqlite3_exec(connection->db, sql, NULL, NULL, NULL) == SQLITE_OK)
		return true;
	return sqlite_fail(connection, err);
}

bool sqlite_get_int(struct store_connection *connection, const char *sql,
    int64_t fallback, int64_t *ret, struct err *err)
{
	sqlite3_stmt *statement = NULL;
	int64_t value = fallback;
	int code;

	if (sqlite3_prepare_v2(connection->db, sql, -1, &statement, NULL) !=
	    SQLITE_OK)
		return sqlite_fail(connection, err);
	code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		value = sqlite3_column_int64(statement, 0);
	if (code != SQLITE_ROW && code != SQLITE_DONE) {
		sqlite_fail(connection, err);
		sqlite3_finalize(statement);
		return false;
	}
	sqlite3_finalize(statement);
	*ret = value;
	return true;
}

void sqlite_bind_slice(sqlite3_stmt *statement, int at, struct slice text)
{
	/* A NULL pointer would be SQL's NULL. */
	sqlite3_bind_text64(statement, at, text.len ? text.ptr : "", text.len,
	    SQLITE_STATIC, SQLITE_UTF8);
}

sqlite3_stmt *sqlite_prepared(struct store_connection *connection,
    enum sqlite_statement number, struct err *err)
{
	sqlite3_stmt **at = &connection->statements[number];

	if (!*at &&
	    sqlite3_prepare_v3(connection->db, sqlite_statement_texts[number],
		-1, SQLITE_PREPARE_PERSISTENT, at, NULL) != SQLITE_OK)
		sqlite_fail(connection, err);
	return *at;
}

bool sqlite_execute(struct store_connection *connection,
    sqlite3_stmt *statement, uint64_t *ret_changes, struct err *err)
{
	int code;
	bool ok;

	if (!statement)
		return false; /* err was set by sqlite_prepared */
	do
		code = sqlite3_step(statement);
	while (code == SQLITE_ROW);
	ok = code == SQLITE_DONE;
	if (!ok)
		sqlite_fail(connection, err);
	else if (ret_changes)
		*ret_changes = (uint64_t)sqlite3_changes64(connection->db);
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return ok;
}

static void close_connection(struct store_connection *connection)
{
	for (size_t i = 0; i < SQL_STATEMENTS; i++)
		sqlite3_finalize(connection->statements[i]);
	sqlite_checkpointer_free(connection->checkpointer);
	sqlite3_close(connection->db);
	memory_free(connection->path);
	memory_free(connection->log_path);
	memory_free(connection);
}

/* Before SQLite sees it, so that the file is never readable by others; its
 * log gets the same mode from SQLite.  An existing file stays as it is (and
 * is not opened here: closing it would drop SQLite's locks). */
static bool create_file(const char *path, struct err *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	const char *slash = strrchr(path, '/');

	if (fd >= 0) {
		close(fd);
		return true;
	}
	if (errno == EEXIST)
		return true;
	if (errno == ENOENT)
		/* Its disk may not be mounted yet: no E_CONFIG. */
		return err_set(err, E_IO,
		    "store: the directory %.*s does not exist; mount its disk, "
		    "or make it (mkdir -p) and give it to the user that runs "
		    "gatehouse, or change store:",
		    slash ? (int)(slash - path) : 1, slash ? path : ".");
	return err_set_errno(err, "store: cannot make %s", path);
}

static bool check_exists(const char *path, struct err *err)
{
	if (access(path, F_OK) == 0 || errno != ENOENT)
		return true; /* SQLite says what else is wrong */
	return err_set(err, E_NOT_FOUND,
	    "store: there is no database at %s; gatehouse serve makes it, or "
	    "name another with --store",
	    path);
}

/* Two processes that make the same database: SQLite does not wait here,
 * because the one that waits may hold what the other needs. */
static bool step_while_busy(sqlite3_stmt *statement)
{
	enum { STEP_MS = 10 };
	int code = sqlite3_step(statement);

	for (int ms = 0; ms < OPEN_WAIT_MS && (code & 0xff) == SQLITE_BUSY;
	     ms += STEP_MS) {
		sqlite3_reset(statement);
		sqlite3_sleep(STEP_MS);
		code = sqlite3_step(statement);
	}
	return code == SQLITE_ROW;
}

static bool use_wal(struct store_connection *connection, struct err *err)
{
	sqlite3_stmt *statement = NULL;
	const unsigned char *is;
	bool ok;

	if (sqlite3_prepare_v2(connection->db, "PRAGMA journal_mode = WAL", -1,
		&statement, NULL) != SQLITE_OK ||
	    !step_while_busy(statement)) {
		sqlite_fail(connection, err);
		sqlite3_finalize(statement);
		return false;
	}
	is = sqlite3_column_text(statement, 0);
	ok = is && strcmp((const char *)is, "wal") == 0;
	sqlite3_finalize(statement);
	if (ok)
		return true;
	return err_set(err, E_IO,
	    "store: %s: its file system cannot keep a write-ahead log; use a "
	    "local disk",
	    connection->path);
}

static bool set_up(struct store_connection *connection, enum store_access mode,
    uint64_t max_pages, struct err *err)
{
	char limit[64];

	sqlite3_extended_result_codes(connection->db, 1);
	sqlite3_db_config(connection->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_busy_timeout(connection->db, OPEN_WAIT_MS);
	/* secure_delete=FAST overwrites what costs no extra write. */
	if (!sqlite_run(connection,
		"PRAGMA foreign_keys = ON;"
		"PRAGMA trusted_schema = OFF;"
		"PRAGMA synchronous = FULL;"
		"PRAGMA secure_delete = FAST;"
		"PRAGMA cache_size = -8192;"
		"PRAGMA journal_size_limit = 67108864;",
		err))
		return false;
	if (mode == STORE_CREATE &&
	    (!sqlite_run(connection, "PRAGMA auto_vacuum = INCREMENTAL", err) ||
		!use_wal(connection, err) ||
		!sqlite_schema_migrate(connection, sqlite_migrations,
		    sqlite_migration_count, err)))
		return false;
	if (mode != STORE_CREATE && !sqlite_schema_check(connection, err))
		return false;
	if (mode == STORE_READ)
		return sqlite_run(connection, "PRAGMA query_only = ON", err);
	/* A savepoint's copies of pages stay in memory: no file is made and
	 * removed for each group.  (What a migration sorts does not.) */
	if (!sqlite_run(connection, "PRAGMA temp_store = MEMORY", err))
		return false;
	sqlite3_busy_timeout(connection->db, STORE_LOCK_STEP_MS);
	if (max_pages == 0)
		return true;
	snprintf(limit, sizeof(limit), "PRAGMA max_page_count = %llu",
	    (unsigned long long)max_pages);
	return sqlite_run(connection, limit, err);
}

static uint64_t inode_of(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 ? (uint64_t)status.st_ino : 0;
}

/* "-wal" behind the path; the buffer has room. */
static char *log_path(const char *path)
{
	char text[STORE_PATH_MAX + 8];
	int len = snprintf(text, sizeof(text), "%s-wal", path);

	return memory_copy_text(text, (size_t)len);
}

static pthread_once_t configure_once = PTHREAD_ONCE_INIT;

/* Statistics of memory take a lock at each allocation, 60 times a trace. */
static void configure_library(void)
{
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static bool open_connection(struct slice text, enum store_access mode,
    struct store_connection **ret, struct err *err)
{
	struct store_connection *connection;
	struct store_place place = {.max_size = 0};
	struct err problem;
	int code;

	if (!store_place_parse(text, &place, &problem))
		return err_set(err, problem.kind, "store: %s", problem.text);
	pthread_once(&configure_once, configure_library);
	connection = MEMORY_NEW(struct store_connection);
	connection->path = memory_copy_text(place.path.ptr, place.path.len);
	connection->log_path = log_path(connection->path);
	if (mode == STORE_CREATE && !create_file(connection->path, err))
		goto out;
	if (mode != STORE_CREATE && !check_exists(connection->path, err))
		goto out;
	code = sqlite3_open_v2(connection->path, &connection->db,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (code != SQLITE_OK) {
		sqlite_fail(connection, err);
		goto out;
	}
	if (!set_up(connection, mode,
		(place.max_size + PAGE_SIZE - 1) / PAGE_SIZE, err))
		goto out;
	if (mode != STORE_READ)
		connection->checkpointer = sqlite_checkpointer_new(
		    connection->db, connection->path);
	connection->files[0] = inode_of(connection->path);
	connection->files[1] = inode_of(connection->log_path);
	*ret = connection;
	return true;
out:
	close_connection(connection);
	return false;
}

/* Files that lost their names still take what is written, and keep it until
 * they are closed: no commit may count there. */
static bool has_its_files(
    const struct store_connection *connection, struct err *err)
{
	const uint64_t now[2] = {
	    inode_of(connection->path), inode_of(connection->log_path)};

	if (now[0] == connection->files[0] && now[1] == connection->files[1])
		return true;
	return err_set(err, E_IO,
	    "store: %s: the file or its -wal was moved or deleted while in "
	    "use; put it back, or restart gatehouse for what is there now",
	    connection->path);
}

static bool begin(struct store_connection *connection, struct err *err)
{
	connection->last_row = -1;
	if (!sqlite_execute(connection,
		sqlite_prepared(connection, SQL_BEGIN, err), NULL, err))
		return false;
	if (has_its_files(connection, err))
		return true;
	sqlite3_exec(connection->db, "ROLLBACK", NULL, NULL, NULL);
	return false;
}

static bool commit(struct store_connection *connection, struct err *err)
{
	return sqlite_execute(connection,
	    sqlite_prepared(connection, SQL_COMMIT, err), NULL, err);
}

static void rollback(struct store_connection *connection)
{
	/* Some errors (a full disk) have rolled back already. */
	if (!sqlite3_get_autocommit(connection->db))
		sqlite3_exec(connection->db, "ROLLBACK", NULL, NULL, NULL);
}

static uint64_t file_size(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 ? (uint64_t)status.st_size : 0;
}

static uint64_t size(const struct store_connection *connection)
{
	return file_size(connection->path) + file_size(connection->log_path);
}

const struct store_backend sqlite_backend = {
    .scheme = "sqlite",
    .open = open_connection,
    .close = close_connection,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .write = sqlite_write,
    .file_recent = sqlite_file_recent,
    .find_traces = sqlite_find_traces,
    .find_rows = sqlite_find_rows,
    .read_rows = sqlite_read_rows,
    .list_quarantine = sqlite_list_quarantine,
    .get_quarantined = sqlite_get_quarantined,
    .report_own_domains = sqlite_report_own_domains,
    .get_clock = sqlite_get_clock,
    .size = size,
};
