/* SPDX-License-Identifier: Apache-2.0 */
/* gatehouse quarantine release - a held message goes on to its recipients.
 *
 * Each recipient is marked once the next hop has taken it for him: a crash in
 * between means that it may be delivered to him twice, never that it is lost
 * (RFC 5321 section 4.5.4.1).
 */
#include "cli/quarantine.h"

#include <stdio.h>

#include "cli/commands.h"
#include "cli/release_lock.h"
#include "cli/resolver_config.h"
#include "cli/show.h"
#include "cli/store_options.h"
#include "gate/gate.h"
#include "smtp/delivery.h"

static const struct option_spec options_release[] = {
    {"to", 0, OPTION_LIST, "ADDR", "only to this one of its recipients"},
    {"again", 0, OPTION_FLAG, NULL, "also to those who have got it already"},
    {0},
};

struct release {
	struct arena *arena; /* of one message */
	const struct command_line *line;
	struct store *store;
	struct next_hop_pool *pool;
	int lock;
	struct show_list *list; /* NULL: words */
};

enum { OTHER_RELEASE_MS = 60 * 1000 };

bool quarantine_release_deliver(struct arena *arena, struct next_hop_pool *pool,
    const struct store_quarantined *held, struct slice recipient,
    struct slice message, struct smtp_reply_text *ret_reply)
{
	const struct conf_route *route = gate_find_route(
	    arena, next_hop_pool_config(pool), recipient);

	if (!route) {
		*ret_reply = (struct smtp_reply_text){550, SLICE("5.1.2"),
		    SLICE("no route of the configuration is for this domain")};
		return false;
	}
	return delivery_send_message(
	    arena, pool, route, held->sender, recipient, message, ret_reply);
}

static bool is_wanted(const struct release *release, struct slice recipient)
{
	const struct slice *wanted;
	size_t count = command_list(release->line, "to", &wanted);

	for (size_t i = 0; i < count; i++)
		if (slice_eq_nocase(wanted[i], recipient))
			return true;
	return count == 0;
}

static bool has_recipient(
    const struct store_quarantined *held, struct slice address)
{
	for (size_t i = 0; i < held->recipient_count; i++)
		if (slice_eq_nocase(held->recipients[i], address))
			return true;
	return false;
}

/* One that is mistyped must not pass for done. */
static bool check_wanted(const struct release *release,
    const struct store_quarantined *held, struct err *err)
{
	struct buf *strays = buf_in_arena(release->arena, ERR_TEXT_MAX);
	const struct slice *wanted;
	size_t count = command_list(release->line, "to", &wanted);

	for (size_t i = 0; i < count; i++) {
		if (has_recipient(held, wanted[i]))
			continue;
		buf_add_text(strays, strays->len ? ", <" : "<");
		show_text(strays, wanted[i]);
		buf_add_byte(strays, '>');
	}
	if (strays->len == 0)
		return true;
	return err_set(err, E_USAGE,
	    "%.*s: nothing was sent: no recipient of it is %.*s",
	    SLICE_ARGS(held->id), SLICE_ARGS(buf_slice(strays)));
}

/* What became of one recipient: the next hop's reply, or since when he has the
 * message (0: not yet). */
struct fate {
	struct slice recipient;
	const char *result;
	struct slice reply;
	int64_t had_since_ms;
};

static void add_json(
    const struct release *release, struct slice id, const struct fate *fate)
{
	struct arena *arena = release->arena;

	show_list_add(release->list,
	    json_pack("{s:o, s:o, s:s, s:o, s:o}", "id",
		show_json_text(arena, id), "recipient",
		show_json_text(arena, fate->recipient), "result", fate->result,
		"reply",
		fate->had_since_ms ? json_null()
				   : show_json_text(arena, fate->reply),
		"released",
		fate->had_since_ms ? show_json_time(arena, fate->had_since_ms)
				   : json_null()));
}

/* "ID <recipient> what". */
static void tell(
    const struct release *release, struct slice id, const struct fate *fate)
{
	struct buf *out;

	if (release->list) {
		add_json(release, id, fate);
		return;
	}
	out = buf_in_arena(release->arena, 4096);
	show_text(out, id);
	buf_add_text(out, " <");
	show_text(out, fate->recipient);
	buf_add_text(out, "> ");
	if (fate->had_since_ms) {
		buf_add_text(out, "has it already, since ");
		show_time(out, fate->had_since_ms);
	} else {
		show_text(out, fate->reply);
	}
	buf_add_byte(out, '\n');
	show_print(out);
}

/* What became of the recipients of one message. */
struct tally {
	size_t wanted, had, failed, unmarked;
	struct err problem; /* the last mark's that failed */
};

static bool was_deleted(const struct tally *tally)
{
	return tally->unmarked && tally->problem.kind == E_NOT_FOUND;
}

/* Who has it was to get it: that it cannot be recorded keeps nobody else from
 * it. */
static void mark(const struct release *release,
    const struct store_quarantined *held, struct slice recipient,
    struct tally *tally)
{
	struct buf *out = buf_in_arena(release->arena, 4096);

	if (store_mark_released(release->store, held->id, recipient,
		clock_now_ms(NULL), &tally->problem))
		return;
	tally->unmarked++;
	show_text(out, held->id);
	buf_add_text(out, ": delivered to <");
	show_text(out, recipient);
	buf_add_text(out, ">, but could not be marked as released: ");
	buf_add_text(out, was_deleted(tally) ? "it has been deleted meanwhile"
					     : tally->problem.text);
	fprintf(stderr, "gatehouse: %.*s\n", SLICE_ARGS(buf_slice(out)));
}

static void deliver_to(const struct release *release,
    const struct store_quarantined *held, size_t i, struct slice message,
    struct tally *tally)
{
	struct fate fate = {.recipient = held->recipients[i]};
	struct smtp_reply_text reply = {0};
	bool taken;

	tally->wanted++;
	if (held->recipient_released_ms[i] &&
	    !command_has(release->line, "again")) {
		tally->had++;
		fate.result = "released-before";
		fate.had_since_ms = held->recipient_released_ms[i];
		tell(release, held->id, &fate);
		return;
	}
	taken = quarantine_release_deliver(release->arena, release->pool, held,
	    fate.recipient, message, &reply);
	tally->failed += !taken;
	fate.result = taken ? "delivered" : "failed";
	fate.reply = decision_reply_line(release->arena, &reply);
	tell(release, held->id, &fate);
	if (taken)
		mark(release, held, fate.recipient, tally);
}

static bool conclude(const struct store_quarantined *held,
    const struct tally *tally, struct err *err)
{
	size_t tried = tally->wanted - tally->had;

	if (tried == 0)
		return err_set(err, E_USAGE,
		    "%.*s was released before; --again sends it once more",
		    SLICE_ARGS(held->id));
	if (was_deleted(tally))
		return err_set(err, E_NOT_FOUND,
		    "%.*s was deleted amid its release: %zu of %zu recipients "
		    "got it",
		    SLICE_ARGS(held->id), tried - tally->failed, tried);
	if (tally->failed)
		return err_set(err, E_TEMP,
		    "%.*s: %zu of %zu recipients did not get it; it is still "
		    "held for those: release it again",
		    SLICE_ARGS(held->id), tally->failed, tried);
	if (tally->unmarked)
		return err_set(err, tally->problem.kind,
		    "%.*s is still held for %zu of %zu recipients who got it: "
		    "released again, they get it once more",
		    SLICE_ARGS(held->id), tally->unmarked, tried);
	return true;
}

static bool release_locked(
    const struct release *release, struct slice id, struct err *err)
{
	struct store_quarantined held;
	struct tally tally = {0};
	struct slice message;

	if (!store_get_quarantined(
		release->store, release->arena, id, &held, &message, err) ||
	    !check_wanted(release, &held, err))
		return false;
	for (size_t i = 0; i < held.recipient_count; i++)
		if (is_wanted(release, held.recipients[i]))
			deliver_to(release, &held, i, message, &tally);
	return conclude(&held, &tally, err);
}

static bool take_lock(
    const struct release *release, struct slice id, struct err *err)
{
	if (release_lock_take(release->lock, id, deadline_in(0), err))
		return true;
	if (err->kind != E_TIMEOUT)
		return false;
	fprintf(stderr,
	    "gatehouse: %.*s: another release of it is under way; waiting for "
	    "that\n",
	    SLICE_ARGS(id));
	return release_lock_take(
	    release->lock, id, deadline_in(OTHER_RELEASE_MS), err);
}

/* Who got it by another release is known only once that has ended. */
static bool release_one(
    const struct release *release, struct slice id, struct err *err)
{
	bool ok;

	if (!take_lock(release, id, err))
		return false;
	ok = release_locked(release, id, err);
	release_lock_give(release->lock, id);
	return ok;
}

static void release_resolver(void *resolver)
{
	dns_resolver_release(resolver);
}

static void release_pool(void *pool)
{
	next_hop_pool_release(pool);
}

static bool open_pool(struct arena *arena, struct release *release,
    struct config *config, struct err *err)
{
	struct dns_resolver *resolver;

	if (!config)
		return err_set(err, E_USAGE,
		    "quarantine release: the routes are needed: give -c too");
	if (!resolver_open_configured(arena, config, NULL, &resolver, err))
		return false;
	arena_defer(arena, release_resolver, resolver);
	release->pool = next_hop_pool_new(config, resolver);
	arena_defer(arena, release_pool, release->pool);
	return true;
}

static int run(struct arena *arena, const struct command_line *line)
{
	struct show_list list = {0};
	struct release release = {
	    .line = line,
	    .list = command_has(line, "json") ? &list : NULL,
	};
	struct config *config = NULL;
	const char *const *arguments;
	size_t count = command_arguments(line, &arguments);
	int code = EXIT_DONE;
	struct err err;

	if (!store_options_open(arena, line, &release.store, &config, &err) ||
	    !open_pool(arena, &release, config, &err) ||
	    !release_lock_open(arena, config, &release.lock, &err))
		return command_fail(&err);
	for (size_t i = 0; i < count; i++) {
		release.arena = arena_new(0);
		if (!release_one(&release, slice_from(arguments[i]), &err))
			code = command_fail(&err);
		arena_free(release.arena);
	}
	if (release.list && show_list_end(&list) != EXIT_DONE)
		return EXIT_INTERNAL;
	return code;
}

const struct command command_quarantine_release = {
    .name = "quarantine release",
    .arguments = "ID...",
    .summary = "deliver messages from quarantine",
    .description =
	"Delivers a held message to its recipients, with its own envelope "
	"sender, by the routes of the configuration: to those who have not got "
	"it by an earlier release, unless --again is said. It counts as "
	"released only when the next hop has taken it for each of them; until "
	"then quarantine list shows for whom it is held. Its bytes stay until "
	"quarantine delete, or until they expire.\n"
	"\n"
	"Of two releases of a message at once one waits for the other, up to a "
	"minute, then fails with exit code 75: they lock a byte of the file "
	"release.lock in the state directory.\n"
	"\n"
	"Root becomes user and group of the configuration first: mailboxes and "
	"the files that routes name must be open to them, as to the service.\n"
	"\n"
	"Prints the next hop's reply for each recipient; with --json an array "
	"of objects: id, recipient, result (delivered, failed or "
	"released-before), reply, and released (since when he has it). Exit "
	"code 2: "
	"--to names somebody who is no recipient of the message, and nothing "
	"of it was sent; or all have it already. Exit code 75: some "
	"did not get it, and the message is still held for them. Exit code 66: "
	"there is no such message, or it was deleted amid its release, which "
	"goes on all the same. Whoever has got it and could not be marked, "
	"because the store was locked or full, is told of, and gets it again "
	"with the next release.",
    .options = {options_release, options_store, options_json},
    .arguments_min = 1,
    .arguments_max = 1000,
    .examples = "# A false positive\n"
		"gatehouse quarantine release 0K3mZ9QxT1aB7cDe\n"
		"# Only to one of its recipients\n"
		"gatehouse quarantine release --to ann@agency.example "
		"0K3mZ9QxT1aB7cDe\n",
    .run = run,
};
