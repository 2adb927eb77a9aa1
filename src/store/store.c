/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of the contract: URL to backend, the writer, and the readers. */
#include "store/store.h"

#include <pthread.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "store/store_private.h"

enum {
	READERS_IDLE_MAX = 4,  /* connections kept open */
	ADMIN_WAIT_MS = 15000, /* release, delete, one expiry step */
	PROBE_WAIT_MS = 5000,
};

struct store {
	const struct store_backend *backend;
	char *place;
	struct store_writer *writer;
	pthread_mutex_t lock; /* of the idle readers */
	size_t idle_count;
	struct store_connection *idle[READERS_IDLE_MAX];
};

/* NULL: err says why. */
static const struct store_backend *find_backend(
    struct slice url, struct slice *ret_place, struct err *err)
{
	struct slice scheme, place;
	bool has_scheme = slice_split(url, ':', &scheme, &place);

	for (size_t i = 0; has_scheme && store_backends[i]; i++) {
		if (!slice_eq(scheme, slice_from(store_backends[i]->scheme)))
			continue;
		*ret_place = place;
		return store_backends[i];
	}
	err_set(err, E_CONFIG,
	    "store: \"%.*s\" is not known; write sqlite:/path/gatehouse.db",
	    SLICE_ARGS(slice_sub(url, 0, 80)));
	return NULL;
}

static struct store *store_new(
    const struct store_backend *backend, struct slice place)
{
	struct store *store = MEMORY_NEW(struct store);

	store->backend = backend;
	store->place = memory_copy_text(place.ptr, place.len);
	pthread_mutex_init(&store->lock, NULL);
	return store;
}

static void free_store(struct store *store)
{
	pthread_mutex_destroy(&store->lock);
	memory_free(store->place);
	memory_free(store);
}

/* What time may mend. */
static bool is_away(const struct err *err)
{
	return err->kind == E_FULL || err->kind == E_TEMP;
}

static bool open_store(struct slice url, enum store_access access,
    bool patiently, struct store **ret, struct err *err)
{
	struct slice place = {NULL, 0};
	const struct store_backend *backend = find_backend(url, &place, err);
	struct store_connection *connection = NULL;
	struct err problem;
	struct store *store;

	if (!backend)
		return false;
	if (!backend->open(place, access, &connection, &problem)) {
		if (!patiently || !is_away(&problem))
			return err_set(err, problem.kind, "%s", problem.text);
		log_error("store.away", LOG_ERR(&problem));
	}
	store = store_new(backend, place);
	if (!store_writer_start(backend, slice_from(store->place), connection,
		&store->writer, err)) {
		if (connection)
			backend->close(connection);
		free_store(store);
		return false;
	}
	*ret = store;
	return true;
}

bool store_open(struct slice url, struct store **ret, struct err *err)
{
	return open_store(url, STORE_CREATE, false, ret, err);
}

bool store_open_patiently(struct slice url, struct store **ret, struct err *err)
{
	return open_store(url, STORE_CREATE, true, ret, err);
}

bool store_open_existing(struct slice url, struct store **ret, struct err *err)
{
	return open_store(url, STORE_WRITE, false, ret, err);
}

void store_close(struct store *store)
{
	if (!store)
		return;
	for (size_t i = 0; i < store->idle_count; i++)
		store->backend->close(store->idle[i]);
	store_writer_stop(store->writer);
	free_store(store);
}

struct store_pending {
	struct store_job job; /* first */
	struct store_work work;
	struct store_quarantine quarantine;
	struct store_writer *writer;
	struct store_notice notice;
};

static void fill_put(struct arena *arena, const struct store_trace *trace,
    const struct store_quarantine *quarantine, struct store_work *work,
    struct store_quarantine *held)
{
	*work = (struct store_work){
	    .kind = WORK_PUT,
	    .row = store_row_new(arena, trace, quarantine),
	};
	if (!quarantine)
		return;
	*held = *quarantine;
	held->id = text_clean_utf8(arena, held->id);
	held->reason = text_clean_utf8(arena, held->reason);
	held->route = text_clean_utf8(arena, held->route);
	work->quarantine = held;
}

bool store_put(struct store *store, const struct store_trace *trace,
    const struct store_quarantine *quarantine, struct deadline deadline,
    struct err *err)
{
	struct arena *arena = arena_new(0);
	struct store_quarantine held;
	struct store_work work;
	bool ok;

	fill_put(arena, trace, quarantine, &work, &held);
	ok = store_writer_run(store->writer, &work, deadline, err);
	arena_free(arena);
	return ok;
}

static void give_notice(struct store_job *job)
{
	const struct store_notice *notice =
	    &((struct store_pending *)job)->notice;

	notice->done(notice->context);
}

struct store_pending *store_put_begin(struct store *store, struct arena *arena,
    const struct store_trace *trace, const struct store_quarantine *quarantine,
    struct deadline deadline, const struct store_notice *notice,
    struct err *err)
{
	struct store_pending *pending = ARENA_NEW(arena, struct store_pending);

	fill_put(
	    arena, trace, quarantine, &pending->work, &pending->quarantine);
	pending->job.work = &pending->work;
	pending->job.deadline = deadline;
	pending->job.done = give_notice;
	pending->writer = store->writer;
	pending->notice = *notice;
	return store_writer_begin(store->writer, &pending->job, err) ? pending
								     : NULL;
}

struct deadline store_put_deadline(const struct store_pending *pending)
{
	return pending->job.deadline;
}

bool store_put_give_up(struct store_pending *pending)
{
	return store_writer_give_up(pending->writer, &pending->job);
}

bool store_put_end(const struct store_pending *pending, struct err *err)
{
	if (!pending->job.ok && err)
		*err = pending->job.err;
	return pending->job.ok;
}

bool store_is_stalled(const struct store *store)
{
	return store_writer_is_stalled(store->writer);
}

void store_note_delivery(struct store *store, struct slice id,
    struct slice verdict, struct slice reply)
{
	struct arena *arena = arena_new(0);

	store_writer_note(store->writer, text_clean_utf8(arena, id),
	    text_clean_utf8(arena, verdict), text_clean_utf8(arena, reply));
	arena_free(arena);
}

static bool take_reader(
    struct store *store, struct store_connection **ret, struct err *err)
{
	struct store_connection *reader = NULL;

	pthread_mutex_lock(&store->lock);
	if (store->idle_count > 0)
		reader = store->idle[--store->idle_count];
	pthread_mutex_unlock(&store->lock);
	if (!reader)
		return store->backend->open(
		    slice_from(store->place), STORE_READ, ret, err);
	*ret = reader;
	return true;
}

/* One that failed is not kept: its next use might fail for that reason. */
static void give_reader(
    struct store *store, struct store_connection *reader, bool keep)
{
	pthread_mutex_lock(&store->lock);
	keep = keep && store->idle_count < READERS_IDLE_MAX;
	if (keep)
		store->idle[store->idle_count++] = reader;
	pthread_mutex_unlock(&store->lock);
	if (!keep)
		store->backend->close(reader);
}

/* As long as what is stored: see store_row.c. */
static struct store_query cut_query(const struct store_query *query)
{
	struct store_query cut = *query;

	cut.message_id = text_cut(cut.message_id, STORE_TEXT_MAX);
	return cut;
}

bool store_find_traces(struct store *store, struct arena *arena,
    const struct store_query *query, size_t *ret_count,
    struct store_trace **ret, struct err *err)
{
	struct store_query cut = cut_query(query);
	struct store_connection *reader;
	bool ok;

	if (!take_reader(store, &reader, err))
		return false;
	ok = store->backend->find_traces(
	    reader, arena, &cut, ret_count, ret, err);
	give_reader(store, reader, ok);
	return ok;
}

bool store_find_rows(struct store *store, struct arena *arena,
    const struct store_query *query, struct store_rows *ret, struct err *err)
{
	struct store_query cut = cut_query(query);
	struct store_connection *reader;
	bool ok;

	if (!take_reader(store, &reader, err))
		return false;
	ok = store->backend->find_rows(reader, arena, &cut, ret, err);
	give_reader(store, reader, ok);
	return ok;
}

bool store_read_rows(struct store *store, struct arena *arena,
    const struct store_rows *rows, size_t *ret_count, struct store_trace **ret,
    struct err *err)
{
	struct store_connection *reader;
	bool ok;

	if (!take_reader(store, &reader, err))
		return false;
	ok = store->backend->read_rows(
	    reader, arena, rows, ret_count, ret, err);
	give_reader(store, reader, ok);
	return ok;
}

bool store_list_quarantine(struct store *store, struct arena *arena,
    const struct store_query *query, bool released_too, size_t *ret_count,
    struct store_quarantined **ret, struct err *err)
{
	struct store_query cut = cut_query(query);
	struct store_connection *reader;
	bool ok;

	if (!take_reader(store, &reader, err))
		return false;
	ok = store->backend->list_quarantine(
	    reader, arena, &cut, released_too, ret_count, ret, err);
	give_reader(store, reader, ok);
	return ok;
}

bool store_get_quarantined(struct store *store, struct arena *arena,
    struct slice id, struct store_quarantined *ret, struct slice *ret_message,
    struct err *err)
{
	struct store_connection *reader;
	bool ok;

	if (!take_reader(store, &reader, err))
		return false;
	ok = store->backend->get_quarantined(
	    reader, arena, id, ret, ret_message, err);
	give_reader(store, reader, ok);
	return ok;
}

bool store_report_own_domains(struct store *store, struct arena *arena,
    int64_t from_ms, size_t *ret_count, struct store_own_domain_row **ret,
    struct err *err)
{
	struct store_connection *reader;
	bool ok;

	if (!take_reader(store, &reader, err))
		return false;
	ok = store->backend->report_own_domains(
	    reader, arena, from_ms, ret_count, ret, err);
	give_reader(store, reader, ok);
	return ok;
}

bool store_mark_released(struct store *store, struct slice id,
    struct slice recipient, int64_t time_ms, struct err *err)
{
	struct store_work work = {.kind = WORK_MARK_RELEASED,
	    .id = id,
	    .recipient = recipient,
	    .time_ms = time_ms};

	return store_writer_run(
	    store->writer, &work, deadline_in(ADMIN_WAIT_MS), err);
}

bool store_expire(struct store *store, int64_t trace_before_ms,
    int64_t quarantine_before_ms, struct deadline until, uint64_t *ret_removed,
    bool *ret_more, struct err *err)
{
	struct store_work work;

	*ret_removed = 0;
	do {
		work = (struct store_work){
		    .kind = WORK_EXPIRE,
		    .trace_before_ms = trace_before_ms,
		    .quarantine_before_ms = quarantine_before_ms,
		};
		if (!store_writer_run(
			store->writer, &work, deadline_in(ADMIN_WAIT_MS), err))
			return false;
		*ret_removed += work.removed;
	} while (work.more && !deadline_passed(until));
	*ret_more = work.more;
	return true;
}

bool store_get_clock(
    struct store *store, struct store_clock *ret, struct err *err)
{
	struct store_connection *reader;
	bool ok;

	if (!take_reader(store, &reader, err))
		return false;
	ok = store->backend->get_clock(reader, ret, err);
	give_reader(store, reader, ok);
	return ok;
}

bool store_put_clock(
    struct store *store, const struct store_clock *clock, struct err *err)
{
	struct store_work work = {.kind = WORK_CLOCK, .clock = *clock};

	return store_writer_run(
	    store->writer, &work, deadline_in(ADMIN_WAIT_MS), err);
}

bool store_delete_quarantined(
    struct store *store, struct slice id, struct err *err)
{
	struct store_work work = {.kind = WORK_DELETE, .id = id};
	uint64_t removed;
	bool more;

	if (!store_writer_run(
		store->writer, &work, deadline_in(ADMIN_WAIT_MS), err))
		return false;
	/* The message is gone; its pieces are cleared away now, or if that
	 * takes long or fails with the next expiry. */
	store_expire(
	    store, 0, 0, deadline_in(ADMIN_WAIT_MS), &removed, &more, NULL);
	return true;
}

struct store_statistics store_statistics(struct store *store)
{
	return store_writer_statistics(store->writer);
}

bool store_probe(struct store *store, uint64_t *ret_room, struct err *err)
{
	struct store_work work = {
	    .kind = WORK_PROBE, .time_ms = clock_now_ms(NULL)};

	if (!store_writer_run(
		store->writer, &work, deadline_in(PROBE_WAIT_MS), err))
		return false;
	*ret_room = work.room;
	return true;
}
