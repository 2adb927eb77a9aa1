/* SPDX-License-Identifier: Apache-2.0 */
/* gatehouse explain - why a message was treated as it was. */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/show.h"
#include "cli/store_options.h"
#include "cli/story.h"

/* An id is unique; a Message-ID may be anybody's, any number of times. */
static bool find(struct arena *arena, struct store *store, struct slice what,
    size_t *ret_count, struct store_trace **ret, struct err *err)
{
	struct slice inner = what;
	enum { ONE_MORE = STORE_OPTIONS_ROWS + 1 };
	struct store_query queries[3] = {{.id = what},
	    {.message_id = what, .limit = ONE_MORE}, {.limit = ONE_MORE}};

	if (inner.len > 2 && inner.ptr[0] == '<' &&
	    inner.ptr[inner.len - 1] == '>')
		inner = slice_sub(inner, 1, inner.len - 2);
	else
		inner = arena_format_slice(arena, "<%.*s>", SLICE_ARGS(what));
	queries[2].message_id = inner;
	*ret_count = 0;
	for (size_t i = 0; i < 3 && *ret_count == 0; i++)
		if (!store_find_traces(
			store, arena, &queries[i], ret_count, ret, err))
			return false;
	return true;
}

static json_t *short_json(struct arena *arena, const struct store_trace *trace)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id",
	    show_json_text(arena, trace->id), "time",
	    show_json_time(arena, trace->time_ms), "message_id",
	    show_json_text(arena, trace->message_id), "sender",
	    show_json_text(arena, trace->sender), "recipients_of_envelope",
	    show_json_texts(arena, trace->recipient_count, trace->recipients),
	    "verdict", show_json_text(arena, trace->verdict), "delivery",
	    show_json_text(arena, trace->delivery));
}

/* The facts, with what came after them. */
static json_t *full_json(struct arena *arena, const struct store_trace *trace)
{
	json_t *facts = json_loadb(trace->facts.ptr ? trace->facts.ptr : "",
	    trace->facts.len, 0, NULL);
	json_t *row = short_json(arena, trace);

	if (!json_is_object(facts)) {
		json_decref(facts);
		facts = json_object();
	}
	json_object_update(facts, row);
	json_object_set_new(
	    facts, "reply", show_json_text(arena, trace->reply));
	json_decref(row);
	return facts;
}

/* found may be one more than are listed. */
static size_t listed(size_t found)
{
	return found > STORE_OPTIONS_ROWS ? STORE_OPTIONS_ROWS : found;
}

static int print_json(
    struct arena *arena, size_t count, const struct store_trace *traces)
{
	json_t *list;

	if (count == 1)
		return show_print_json(full_json(arena, traces));
	if (listed(count) < count)
		fprintf(stderr,
		    "gatehouse: more than %zu messages match; these are the "
		    "newest\n",
		    listed(count));
	list = json_array();
	for (size_t i = 0; i < listed(count); i++)
		json_array_append_new(list, short_json(arena, &traces[i]));
	return show_print_json(list);
}

static int print_text(
    struct arena *arena, size_t count, const struct store_trace *traces)
{
	struct buf *out = buf_in_arena(arena, SHOW_MAX);

	if (count == 1) {
		story_tell(traces, out);
		return show_print(out);
	}
	buf_add_format(out,
	    "%s%zu messages match; gatehouse explain ID tells of one:\n",
	    listed(count) < count ? "more than " : "", listed(count));
	for (size_t i = 0; i < listed(count); i++) {
		show_text(out, traces[i].id);
		buf_add_text(out, "  ");
		show_time(out, traces[i].time_ms);
		buf_add_text(out, "  ");
		show_text(out, traces[i].verdict);
		buf_add_text(out, "  from <");
		show_text(out, traces[i].sender);
		buf_add_text(out, ">  ");
		show_text(out, traces[i].client_ip);
		buf_add_byte(out, '\n');
	}
	return show_print(out);
}

static int tell_none(struct arena *arena, struct slice what)
{
	struct buf *shown = buf_in_arena(arena, ERR_TEXT_MAX * 2);

	show_text(shown, slice_sub(what, 0, 200));
	fprintf(stderr,
	    "gatehouse: no message has the id or Message-ID %.*s; it may be "
	    "older than the traces that are kept, or it never came here\n",
	    SLICE_ARGS(buf_slice(shown)));
	return EXIT_FOUND;
}

static int run(struct arena *arena, const struct command_line *line)
{
	const char *const *arguments;
	struct store_trace *traces;
	struct store *store;
	struct err err;
	size_t count;

	command_arguments(line, &arguments);
	/* An empty query would match any message. */
	if (!arguments[0][0]) {
		err_set(&err, E_USAGE,
		    "explain: the id is empty; write one, or a Message-ID");
		return command_fail(&err);
	}
	if (!store_options_open(arena, line, &store, NULL, &err) ||
	    !find(
		arena, store, slice_from(arguments[0]), &count, &traces, &err))
		return command_fail(&err);
	if (count == 0)
		return tell_none(arena, slice_from(arguments[0]));
	if (command_has(line, "json"))
		return print_json(arena, count, traces);
	return print_text(arena, count, traces);
}

const struct command command_explain = {
    .name = "explain",
    .arguments = "ID|MESSAGE-ID",
    .summary = "tell why a message was treated as it was",
    .description =
	"Tells the story of one message from its trace: who handed it over, "
	"what SPF, DKIM, ARC and DMARC said, whether it used one of our "
	"domains, which policies were tried, the verdict, the reply that the "
	"client got, and what the next hop answered.\n"
	"\n"
	"The message is named by the id of its transaction, as in the log and "
	"in the reply, or by its Message-ID with or without angle brackets. "
	"If several messages have that Message-ID the newest of them, up to "
	"100, are listed: with --json as an array, where one message is an "
	"object.\n"
	"\n"
	"Exit code 1: no such message.",
    .options = {options_store, options_json},
    .arguments_min = 1,
    .arguments_max = 1,
    .examples = "# Why was it refused?\n"
		"gatehouse explain 0K3mZ9QxT1aB7cDe\n"
		"# By its Message-ID, as JSON\n"
		"gatehouse explain '<1234@sender.example>' --json",
    .run = run,
};
