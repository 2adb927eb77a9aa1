/* SPDX-License-Identifier: Apache-2.0 */
/* store/store_private.h - what a backend implements.
 *
 * A backend is one const struct store_backend, listed in store_backends.c.
 * It opens connections.  The first is the writer's: only the writer thread
 * uses it (and, before that thread starts, the one that opens the store).
 * Others are readers', each used by one thread at a time.
 *
 * Text that arrives here is UTF-8 without NUL (store_row.c sees to it).
 */
#ifndef STORE_STORE_PRIVATE_H
#define STORE_STORE_PRIVATE_H

#include "store/store.h"

enum store_access {
	STORE_CREATE, /* writer of the gateway: makes and migrates */
	STORE_WRITE,  /* writer of a command: what is there, as it is */
	STORE_READ,
};

/* A trace with what its searches are keyed by. */
struct store_recipients {
	size_t count;
	const struct slice *addresses, *keys, *domains; /* the latter lower
							 * case */
};

struct store_row {
	struct store_trace trace;
	struct slice sender_key, sender_domain; /* lower case */
	struct slice packed_facts;		/* store_pack.h */
	struct store_recipients recipients;
	struct store_recipients held; /* of the quarantined message */
};

enum store_work_kind {
	WORK_PUT,
	WORK_NOTE, /* delivery of a trace */
	WORK_MARK_RELEASED,
	WORK_DELETE, /* a quarantined message */
	WORK_EXPIRE, /* one step */
	WORK_CLOCK,
	WORK_PROBE,
	WORK_KINDS
};

/* One change: a member of a group. */
struct store_work {
	enum store_work_kind kind;
	const struct store_row *row;		   /* PUT */
	const struct store_quarantine *quarantine; /* PUT; or NULL */
	struct slice id, verdict, reply; /* NOTE, MARK_RELEASED, DELETE */
	struct slice recipient;		 /* MARK_RELEASED */
	int64_t time_ms;		 /* MARK_RELEASED, PROBE */
	int64_t trace_before_ms, quarantine_before_ms; /* EXPIRE */
	struct store_clock clock;		       /* CLOCK */
	uint64_t removed; /* result of EXPIRE: rows that a user knows */
	bool more;	  /* result of EXPIRE: call again */
	uint64_t room;	  /* result of PROBE: octets */
};

struct store_connection;

struct store_backend {
	const char *scheme; /* of the URL, without ":" */

	/* place is the URL after the scheme, checked by parse. */
	bool (*open)(struct slice place, enum store_access access,
	    struct store_connection **ret, struct err *err);
	void (*close)(struct store_connection *connection);

	/* A transaction.  begin takes the lock that writing needs, and does
	 * not wait longer than STORE_LOCK_STEP_MS: E_TEMP, try again. */
	bool (*begin)(struct store_connection *connection, struct err *err);
	bool (*commit)(struct store_connection *connection, struct err *err);
	void (*rollback)(struct store_connection *connection);

	/* All of it or nothing.  False with E_NOT_FOUND, E_SYNTAX or E_LIMIT:
	 * this member alone has failed, the transaction goes on.  Any other
	 * kind: the whole transaction has to be rolled back. */
	bool (*write)(struct store_connection *connection,
	    struct store_work *work, struct err *err);

	/* Where a commit must be cheap, rows are written without most of their
	 * indexes, and later moved in transactions of some hundred rows.
	 * Moves at most so many, and says how many; failing leaves all as it
	 * was.  NULL: the backend has no need of it. */
	bool (*file_recent)(struct store_connection *connection, uint64_t rows,
	    uint64_t *ret_moved, struct err *err);

	bool (*find_traces)(struct store_connection *connection,
	    struct arena *arena, const struct store_query *query,
	    size_t *ret_count, struct store_trace **ret, struct err *err);
	bool (*find_rows)(struct store_connection *connection,
	    struct arena *arena, const struct store_query *query,
	    struct store_rows *ret, struct err *err);
	bool (*read_rows)(struct store_connection *connection,
	    struct arena *arena, const struct store_rows *rows,
	    size_t *ret_count, struct store_trace **ret, struct err *err);
	bool (*list_quarantine)(struct store_connection *connection,
	    struct arena *arena, const struct store_query *query,
	    bool released_too, size_t *ret_count,
	    struct store_quarantined **ret, struct err *err);
	bool (*get_quarantined)(struct store_connection *connection,
	    struct arena *arena, struct slice id, struct store_quarantined *ret,
	    struct slice *ret_message, struct err *err);
	bool (*report_own_domains)(struct store_connection *connection,
	    struct arena *arena, int64_t from_ms, size_t *ret_count,
	    struct store_own_domain_row **ret, struct err *err);
	bool (*get_clock)(struct store_connection *connection,
	    struct store_clock *ret, struct err *err);

	/* Bytes on disk; any thread. */
	uint64_t (*size)(const struct store_connection *connection);
};

enum {
	STORE_LOCK_STEP_MS = 100,      /* of waiting for a lock in begin */
	STORE_PIECE_SIZE = 256 * 1024, /* a message is stored in such rows */
	STORE_DEFAULT_LIMIT = 100,
	STORE_FILE_ROWS = 512,	   /* fresh rows filed in one step */
	STORE_EXPIRE_ROWS = 1000,  /* traces removed in one step */
	STORE_EXPIRE_PIECES = 200, /* message pieces removed in one step */
};

/* Ends with NULL. */
extern const struct store_backend *const store_backends[];

extern const struct store_backend sqlite_backend;

/* True if only the member that caused it has failed. */
bool store_is_member_failure(enum err_kind kind);

/* A row of clean text in arena; text that is clean already is borrowed. */
struct store_row *store_row_new(struct arena *arena,
    const struct store_trace *trace, const struct store_quarantine *quarantine);

/* The part after the last '@', lower case; empty without one. */
struct slice store_row_domain(struct arena *arena, struct slice address);

/* The writer thread with its queue. */
struct store_writer;

/* Takes the connection over; NULL: opens one at place, which must outlive it,
 * when it is needed. */
bool store_writer_start(const struct store_backend *backend, struct slice place,
    struct store_connection *connection, struct store_writer **ret,
    struct err *err);

/* Writes what is queued (a locked store is given 10 seconds), then closes the
 * connection. */
void store_writer_stop(struct store_writer *writer);

/* A change on its way.  The caller fills the first three; all of it, and what
 * work points to, stays in place until done is called or it was given up. */
struct store_job {
	struct store_work *work;
	struct deadline deadline; /* begin may bring it forward */
	/* Once, on the writer's thread, which must not wait there: ok and err
	 * are final, and the job is the caller's again. */
	void (*done)(struct store_job *job);
	bool ok;
	struct err err;

	/* The writer's. */
	struct store_job *next, *previous;
	bool note;   /* nobody waits for it */
	bool queued; /* still in the queue: may be taken out */
};

/* False: E_TEMP, too many wait already; done will not be called. */
bool store_writer_begin(
    struct store_writer *writer, struct store_job *job, struct err *err);

/* When the job's deadline has passed.  True: nothing was or will be written,
 * err (E_TIMEOUT, E_TEMP) is set, and done will not be called.  False: its
 * group is under way, and its result alone is the truth: done was called, or
 * will be. */
bool store_writer_give_up(struct store_writer *writer, struct store_job *job);

/* Begins and waits, giving up at the deadline; work and all it points to stay
 * the caller's. */
bool store_writer_run(struct store_writer *writer, struct store_work *work,
    struct deadline deadline, struct err *err);

/* See store_is_stalled. */
bool store_writer_is_stalled(const struct store_writer *writer);

/* Copies the texts and returns at once.  Dropped (and counted) when too many
 * wait. */
void store_writer_note(struct store_writer *writer, struct slice id,
    struct slice verdict, struct slice reply);

/* commits, rows, failures, waiting and size. */
struct store_statistics store_writer_statistics(struct store_writer *writer);

#endif
