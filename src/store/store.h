/* SPDX-License-Identifier: Apache-2.0 */
/* store/store.h - traces and quarantine, whatever keeps them.
 *
 * A store is opened by URL.  SQLite (WAL, synchronous=FULL) is the first
 * backend; nothing here says so, and backends sit behind a table of functions.
 * One writer thread commits what many sessions post, in groups; each waits
 * for its own commit with a deadline.  Any thread may call anything.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/slice.h"

struct store;

/* "sqlite:/path/gatehouse.db", or with "?max_size=20G" after it: made (mode
 * 0600) and migrated if needed; the directory must exist.  False: E_CONFIG
 * (URL, a database of a newer or another program), E_TEMP (locked), E_IO (also:
 * no directory), E_FULL. */
bool store_open(struct slice url, struct store **ret, struct err *err);

/* For those who go on without it for a while: a store that is full or locked
 * opens, too.  What is put fails until the writer, which tries with each group,
 * can open it; store.away and store.back tell. */
bool store_open_patiently(
    struct slice url, struct store **ret, struct err *err);

/* For commands beside a running gateway: never creates or migrates.  False:
 * E_NOT_FOUND if there is no database, else as store_open. */
bool store_open_existing(struct slice url, struct store **ret, struct err *err);

/* Waits for what was posted (10 seconds at most if the store is locked). */
void store_close(struct store *store);

/* Octets of a Message-ID, a Subject, an author or a reply that are kept; a
 * search for a longer one finds what was cut. */
enum { STORE_TEXT_MAX = 1000 };

/* Octets of the facts of a trace at most. */
enum { STORE_FACTS_MAX = 64 << 20 };

/* One message, one row. */
struct store_trace {
	struct slice id;	 /* transaction id */
	int64_t time_ms;	 /* since 1970 UTC */
	struct slice message_id; /* Message-ID value; or empty */
	struct slice listener, client_ip, client_name, helo;
	struct slice sender;	  /* MAIL FROM */
	struct slice header_from; /* first From: address */
	size_t recipient_count;
	const struct slice *recipients;
	struct slice subject; /* unfolded, decoded if possible */
	uint64_t size;
	struct slice verdict;  /* "accept" ... */
	struct slice policy;   /* whose verdict */
	struct slice reply;    /* SMTP reply given, or decided */
	struct slice delivery; /* next hop's reply; empty: not yet known */
	/* for the report of own domains */
	struct slice own_domain_result; /* "none","pass","fail","exempt" */
	struct slice own_domain;	/* which of ours; or empty */
	struct slice spf_result, dkim_result, dmarc_result; /* words */
	struct slice connector;
	struct slice facts; /* JSON: everything `explain` tells */
};

/* A message that goes with its trace. */
struct store_quarantine {
	struct slice id; /* the transaction's id */
	struct slice reason;
	struct slice route; /* next hop as text, for the release */
	size_t piece_count; /* the edited message */
	const struct slice *pieces;
	size_t recipient_count; /* for the release, if they are not the */
	const struct slice *recipients; /* trace's; else NULL */
};

/* Commits a trace (and a quarantined message with it, if quarantine is not
 * NULL) before returning true.  False: E_FULL, E_TEMP, E_IO, E_TIMEOUT: the
 * caller answers 451 and nothing is stored, now or later; E_SYNTAX: the id is
 * there already.  Returns after the deadline only when the commit was under
 * way: then its result counts.  All text is made clean UTF-8. */
bool store_put(struct store *store, const struct store_trace *trace,
    const struct store_quarantine *quarantine, struct deadline deadline,
    struct err *err);

/* The same without a thread that waits.  done is called once, on the writer's
 * thread, which must not wait in it: store_put_end tells the result then.
 * arena, and all that trace and quarantine point to, stay in place so long.
 * NULL: E_TEMP, and done will not be called. */
struct store_pending;
struct store_notice {
	void (*done)(void *context);
	void *context;
};
struct store_pending *store_put_begin(struct store *store, struct arena *arena,
    const struct store_trace *trace, const struct store_quarantine *quarantine,
    struct deadline deadline, const struct store_notice *notice,
    struct err *err);

/* The deadline, or a nearer one if the store is in trouble: then it is to be
 * given up.  That returns true if nothing was or will be stored, and done not
 * called; false if the commit is under way, and done was called or will be. */
struct deadline store_put_deadline(const struct store_pending *pending);
bool store_put_give_up(struct store_pending *pending);

/* After done, or after it was given up: as store_put. */
bool store_put_end(const struct store_pending *pending, struct err *err);

/* Somebody has waited for a commit in vain, and none has come since. */
bool store_is_stalled(const struct store *store);

/* Completes a trace; returns at once, written with the next group.  A verdict
 * that differs from the trace's replaces it (the sender was told so), and the
 * trace's policy becomes "next-hop". */
void store_note_delivery(struct store *store, struct slice id,
    struct slice verdict, struct slice reply);

struct store_query {
	struct slice id; /* any empty field matches all */
	struct slice message_id;
	struct slice sender;	/* exact address or "@domain" */
	bool null_sender;	/* it is empty: what has no sender, bounces */
	struct slice recipient; /* as the sender */
	struct slice verdict;
	int64_t from_ms, to_ms; /* 0: open */
	uint64_t limit;		/* rows, newest first; 0: 100 */
};

/* Rows live in arena; recipients included. */
bool store_find_traces(struct store *store, struct arena *arena,
    const struct store_query *query, size_t *ret_count,
    struct store_trace **ret, struct err *err);

/* For any number of them: 8 octets each, in arena, by which a part after the
 * other can be read.  The store changes meanwhile: what has expired since it
 * was found is left out, and nobody is held up by who reads slowly. */
struct store_rows {
	size_t count;
	int64_t *items;
};
bool store_find_rows(struct store *store, struct arena *arena,
    const struct store_query *query, struct store_rows *ret, struct err *err);

/* In the same order, without their facts. */
bool store_read_rows(struct store *store, struct arena *arena,
    const struct store_rows *rows, size_t *ret_count, struct store_trace **ret,
    struct err *err);

struct store_quarantined {
	struct slice id;
	int64_t time_ms;
	struct slice message_id, sender, reason, route;
	size_t recipient_count;
	struct slice *recipients;
	int64_t *recipient_released_ms; /* of each; 0: still held */
	uint64_t size;
	int64_t released_ms; /* when the last of them was; 0: still held */
};
bool store_list_quarantine(struct store *store, struct arena *arena,
    const struct store_query *query, bool released_too, size_t *ret_count,
    struct store_quarantined **ret, struct err *err);

/* E_NOT_FOUND if there is none. */
bool store_get_quarantined(struct store *store, struct arena *arena,
    struct slice id, struct store_quarantined *ret, struct slice *ret_message,
    struct err *err);

/* One of its recipients has it; the message is released when all have.
 * E_NOT_FOUND: no such message, or the recipient is none of it. */
bool store_mark_released(struct store *store, struct slice id,
    struct slice recipient, int64_t time_ms, struct err *err);
bool store_delete_quarantined(
    struct store *store, struct slice id, struct err *err);

/* Who sends as us (gatehouse report own-domain). */
struct store_own_domain_row {
	struct slice domain, client_ip, client_name, result;
	struct slice spf_result, dkim_result;
	uint64_t count;
	int64_t first_ms, last_ms;
};
/* The most frequent first, STORE_REPORT_MAX of them. */
enum { STORE_REPORT_MAX = 10000 };
bool store_report_own_domains(struct store *store, struct arena *arena,
    int64_t from_ms, size_t *ret_count, struct store_own_domain_row **ret,
    struct err *err);

/* Removes what is older; 0 keeps for ever.  In small steps, each a commit of
 * its own, so that messages are put in between; one step at least, no new one
 * after until.  *ret_removed: rows, also after a failure.  *ret_more: call
 * again. */
bool store_expire(struct store *store, int64_t trace_before_ms,
    int64_t quarantine_before_ms, struct deadline until, uint64_t *ret_removed,
    bool *ret_more, struct err *err);

/* What time it is, as far as whoever expires is sure, and for how long the
 * clock of the day has been ahead of that (cli/expiry.h).  One of a store; all
 * zero in a new one. */
struct store_clock {
	int64_t time_ms, doubted_ms;
};
bool store_get_clock(
    struct store *store, struct store_clock *ret, struct err *err);
bool store_put_clock(
    struct store *store, const struct store_clock *clock, struct err *err);

struct store_statistics {
	uint64_t commits, rows, failures, waiting;
	uint64_t size_bytes; /* of the database and its log */
};
struct store_statistics store_statistics(struct store *store);

/* A write that reaches the disk: for /readyz.  *ret_room: octets that the disk
 * and max_size still have room for. */
bool store_probe(struct store *store, uint64_t *ret_room, struct err *err);

#endif
