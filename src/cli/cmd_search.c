/* SPDX-License-Identifier: Apache-2.0 */
/* gatehouse search - which messages came, and what became of them. */
#include "cli/commands.h"
#include "cli/show.h"
#include "cli/store_options.h"
#include "message/decision.h"

static const struct option_spec options_search[] = {
    {"verdict", 0, OPTION_TEXT, "WORD",
	"accept, reject, defer, quarantine, discard, redirect or hold"},
    {"until", 0, OPTION_TEXT, "TIME", "up to then: " STORE_OPTIONS_TIME},
    {0},
};

static bool take_verdict(
    const struct command_line *line, struct slice *ret, struct err *err)
{
	*ret = command_text(line, "verdict");
	if (!command_has(line, "verdict"))
		return true;
	for (int i = VERDICT_ACCEPT; i <= VERDICT_REJECT; i++)
		if (slice_eq(*ret, slice_from(verdict_name((enum verdict)i))))
			return true;
	return err_set(err, E_USAGE,
	    "--verdict: \"%.*s\" is none; accept, reject, defer, quarantine, "
	    "discard, redirect or hold",
	    SLICE_ARGS(slice_sub(*ret, 0, 40)));
}

/* The whole second: a moment is printed without its milliseconds. */
static bool take_until(
    const struct command_line *line, int64_t *ret_ms, struct err *err)
{
	if (!store_options_since(line, "until", clock_now(NULL), ret_ms, err))
		return false;
	if (command_has(line, "until"))
		*ret_ms += 999;
	return true;
}

static bool take_query(
    const struct command_line *line, struct store_query *ret, struct err *err)
{
	return store_options_query(line, ret, err) &&
	       take_verdict(line, &ret->verdict, err) &&
	       take_until(line, &ret->to_ms, err);
}

static json_t *row_json(struct arena *arena, const struct store_trace *row)
{
	const struct {
		const char *key;
		struct slice text;
	} texts[] = {
	    {"id", row->id},
	    {"message_id", row->message_id},
	    {"listener", row->listener},
	    {"client_ip", row->client_ip},
	    {"client_name", row->client_name},
	    {"helo", row->helo},
	    {"sender", row->sender},
	    {"header_from", row->header_from},
	    {"subject", row->subject},
	    {"verdict", row->verdict},
	    {"policy", row->policy},
	    {"reply", row->reply},
	    {"delivery", row->delivery},
	    {"own_domain", row->own_domain_result},
	    {"spf", row->spf_result},
	    {"dkim", row->dkim_result},
	    {"dmarc", row->dmarc_result},
	    {"connector", row->connector},
	};
	json_t *json = json_pack("{s:o, s:I, s:o}", "time",
	    show_json_time(arena, row->time_ms), "size", (json_int_t)row->size,
	    "recipients",
	    show_json_texts(arena, row->recipient_count, row->recipients));

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		json_object_set_new(
		    json, texts[i].key, show_json_text(arena, texts[i].text));
	return json;
}

static void add_row(const struct store_trace *row, struct buf *out)
{
	struct slice reply;

	show_time(out, row->time_ms);
	buf_add_text(out, "  ");
	show_text(out, row->id);
	buf_add_text(out, "  ");
	show_text(out, row->verdict);
	buf_add_text(out, "  <");
	show_text(out, row->sender);
	buf_add_text(out, "> to");
	for (size_t i = 0; i < row->recipient_count; i++) {
		buf_add_text(out, i ? ", <" : " <");
		show_text(out, row->recipients[i]);
		buf_add_byte(out, '>');
	}
	buf_add_text(out, " from ");
	show_text(out, row->client_ip);
	buf_add_byte(out, '\n');
	/* Of what was accepted the next hop's words are the reply. */
	reply = row->reply.len ? row->reply : row->delivery;
	if (!reply.len)
		return;
	buf_add_text(out, "    ");
	show_text(out, reply);
	buf_add_byte(out, '\n');
}

enum { STEP = 256 }; /* rows in memory */

struct listing {
	struct store *store;
	bool is_json;
	struct show_list list;
};

static int print_rows(struct arena *arena, struct listing *listing,
    size_t count, const struct store_trace *rows)
{
	struct buf *out = buf_in_arena(arena, SHOW_MAX);
	int code = EXIT_DONE;

	for (size_t i = 0; i < count && code == EXIT_DONE; i++) {
		if (listing->is_json) {
			if (!show_list_add(
				&listing->list, row_json(arena, &rows[i])))
				code = EXIT_INTERNAL;
			continue;
		}
		buf_clear(out);
		add_row(&rows[i], out);
		code = show_print(out);
	}
	return code;
}

/* However many there are, and however slowly they are read: memory for some,
 * and no moment of the database is held. */
static int print_all(struct listing *listing, const struct store_rows *found)
{
	int code = EXIT_DONE;

	for (size_t at = 0; at < found->count && code == EXIT_DONE;
	     at += STEP) {
		const struct store_rows step = {
		    .count = found->count - at < STEP ? found->count - at
						      : STEP,
		    .items = found->items + at,
		};
		struct arena *arena = arena_new(0);
		struct store_trace *rows;
		struct err err;
		size_t count;

		if (store_read_rows(
			listing->store, arena, &step, &count, &rows, &err))
			code = print_rows(arena, listing, count, rows);
		else
			code = command_fail(&err);
		arena_free(arena);
	}
	return code;
}

static int run(struct arena *arena, const struct command_line *line)
{
	struct listing listing = {.is_json = command_has(line, "json")};
	struct store_rows found;
	struct store_query query;
	struct err err;
	int code;

	if (!take_query(line, &query, &err) ||
	    !store_options_open(arena, line, &listing.store, NULL, &err) ||
	    !store_find_rows(listing.store, arena, &query, &found, &err))
		return command_fail(&err);
	found.count = store_options_cut(&query, found.count);
	code = print_all(&listing, &found);
	if (!listing.is_json)
		return code;
	return code == EXIT_DONE ? show_list_end(&listing.list) : code;
}

const struct command command_search = {
    .name = "search",
    .arguments = "",
    .summary = "find messages by sender, recipient, verdict and time",
    .description =
	"Lists the messages that came, refused ones too, as far back as "
	"traces are kept, the newest first: when, the id of the transaction, "
	"the verdict, sender, recipients, client, and the reply that it got. "
	"What is given must all be so; addresses may stand in angle brackets, "
	"as they are printed, and --until means its whole second. gatehouse "
	"explain tells why, by id or Message-ID.",
    .options = {options_query, options_search, options_store, options_json},
    .examples = "# What was refused of a partner in the last two days?\n"
		"gatehouse search --sender @partner.example --verdict reject "
		"--since 2d\n"
		"# What came for one mailbox on one day, for a script\n"
		"gatehouse search --recipient ann@agency.example --since "
		"2027-01-31 --until 2027-02-01 --json",
    .run = run,
};
