/* SPDX-License-Identifier: Apache-2.0 */
/* gatehouse quarantine list, show, delete: what is held. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/show.h"
#include "cli/store_options.h"
#include "cli/story.h"

static const struct option_spec options_list[] = {
    {"released", 0, OPTION_FLAG, NULL, "also those that were released"},
    {0},
};

static const struct option_spec options_show[] = {
    {"raw", 0, OPTION_FLAG, NULL, "write the exact bytes of the message"},
    {0},
};

static const struct option_spec options_delete[] = {
    {"yes", 0, OPTION_FLAG, NULL, "do not ask"},
    {0},
};

/* Those of its recipients that have not got it. */
static json_t *held_for_json(
    struct arena *arena, const struct store_quarantined *row)
{
	json_t *list = json_array();

	for (size_t i = 0; i < row->recipient_count; i++)
		if (!row->recipient_released_ms[i])
			json_array_append_new(
			    list, show_json_text(arena, row->recipients[i]));
	return list;
}

static json_t *row_json(
    struct arena *arena, const struct store_quarantined *row)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o}",
	    "id", show_json_text(arena, row->id), "time",
	    show_json_time(arena, row->time_ms), "message_id",
	    show_json_text(arena, row->message_id), "sender",
	    show_json_text(arena, row->sender), "recipients",
	    show_json_texts(arena, row->recipient_count, row->recipients),
	    "held_for", held_for_json(arena, row), "reason",
	    show_json_text(arena, row->reason), "size", (json_int_t)row->size,
	    "route", show_json_text(arena, row->route), "released",
	    row->released_ms ? show_json_time(arena, row->released_ms)
			     : json_null());
}

static int list_json(
    struct arena *arena, size_t count, const struct store_quarantined *rows)
{
	struct show_list list = {0};

	for (size_t i = 0; i < count; i++)
		if (!show_list_add(&list, row_json(arena, &rows[i])))
			break;
	return show_list_end(&list);
}

static void add_row(const struct store_quarantined *row, struct buf *out)
{
	show_text(out, row->id);
	buf_add_text(out, "  ");
	show_time(out, row->time_ms);
	buf_add_text(out, "  <");
	show_text(out, row->sender);
	buf_add_text(out, "> to");
	for (size_t i = 0; i < row->recipient_count; i++) {
		buf_add_text(out, i ? ", <" : " <");
		show_text(out, row->recipients[i]);
		buf_add_byte(out, '>');
		if (row->released_ms || !row->recipient_released_ms[i])
			continue;
		buf_add_text(out, " (released ");
		show_time(out, row->recipient_released_ms[i]);
		buf_add_byte(out, ')');
	}
	if (row->released_ms) {
		buf_add_text(out, "  released ");
		show_time(out, row->released_ms);
	}
	buf_add_text(out, "\n    ");
	show_text(out, row->reason);
	buf_add_byte(out, '\n');
}

static int list_run(struct arena *arena, const struct command_line *line)
{
	struct store_query query;
	struct buf *out = buf_in_arena(arena, SHOW_MAX);
	struct store_quarantined *rows;
	struct store *store;
	int code = EXIT_DONE;
	struct err err;
	size_t count;

	if (!store_options_query(line, &query, &err) ||
	    !store_options_open(arena, line, &store, NULL, &err) ||
	    !store_list_quarantine(store, arena, &query,
		command_has(line, "released"), &count, &rows, &err))
		return command_fail(&err);
	count = store_options_cut(&query, count);
	if (command_has(line, "json"))
		return list_json(arena, count, rows);
	for (size_t i = 0; i < count && code == EXIT_DONE; i++) {
		buf_clear(out);
		add_row(&rows[i], out);
		code = show_print(out);
	}
	return code;
}

static void add_header(struct slice message, struct buf *out)
{
	size_t end = slice_find_slice(message, SLICE("\r\n\r\n"));

	buf_add_text(out, "\nHeader\n");
	show_lines(out, slice_sub(message, 0, end), "  ");
}

static json_t *facts_json(
    struct arena *arena, struct store *store, struct slice id)
{
	const struct store_query query = {.id = id};
	struct store_trace *trace;
	json_t *facts = NULL;
	size_t count;

	if (store_find_traces(store, arena, &query, &count, &trace, NULL) &&
	    count && trace->facts.len)
		facts = json_loadb(trace->facts.ptr, trace->facts.len, 0, NULL);
	return facts ? facts : json_null();
}

static int show_words(struct arena *arena, struct store *store,
    const struct store_quarantined *held, struct slice message)
{
	const struct store_query query = {.id = held->id};
	struct buf *out = buf_in_arena(arena, SHOW_MAX);
	struct store_trace *trace;
	size_t count = 0;

	add_row(held, out);
	buf_add_byte(out, '\n');
	/* The trace may have expired before the message. */
	if (store_find_traces(store, arena, &query, &count, &trace, NULL) &&
	    count)
		story_tell(trace, out);
	add_header(message, out);
	return show_print(out);
}

static int show_run(struct arena *arena, const struct command_line *line)
{
	const char *const *arguments;
	struct store_quarantined held;
	struct slice message, id;
	struct store *store;
	struct err err;
	json_t *json;

	command_arguments(line, &arguments);
	id = slice_from(arguments[0]);
	if (!store_options_open(arena, line, &store, NULL, &err) ||
	    !store_get_quarantined(store, arena, id, &held, &message, &err))
		return command_fail(&err);
	if (command_has(line, "raw"))
		return fwrite(message.ptr, 1, message.len, stdout) ==
			       message.len
			   ? EXIT_DONE
			   : EXIT_TEMPORARY;
	if (!command_has(line, "json"))
		return show_words(arena, store, &held, message);
	json = row_json(arena, &held);
	json_object_set_new(json, "header",
	    show_json_text(
		arena, slice_sub(message, 0,
			   slice_find_slice(message, SLICE("\r\n\r\n")))));
	json_object_set_new(json, "facts", facts_json(arena, store, id));
	return show_print_json(json);
}

static bool confirmed(
    const struct command_line *line, size_t count, struct err *err)
{
	char answer[16];

	if (command_has(line, "yes"))
		return true;
	if (!isatty(STDIN_FILENO))
		return err_set(err, E_USAGE,
		    "quarantine delete: say --yes where nobody can be asked");
	fprintf(stderr, "Delete %zu message%s for ever? [y/N] ", count,
	    count == 1 ? "" : "s");
	if (fgets(answer, sizeof(answer), stdin) &&
	    (!strcmp(answer, "y\n") || !strcmp(answer, "yes\n")))
		return true;
	return err_set(err, E_USAGE, "quarantine delete: nothing was deleted");
}

static int delete_run(struct arena *arena, const struct command_line *line)
{
	const char *const *arguments;
	size_t count = command_arguments(line, &arguments);
	int code = EXIT_DONE;
	struct store *store;
	struct err err;

	if (!store_options_open(arena, line, &store, NULL, &err) ||
	    !confirmed(line, count, &err))
		return command_fail(&err);
	for (size_t i = 0; i < count; i++)
		if (!store_delete_quarantined(
			store, slice_from(arguments[i]), &err))
			code = command_fail(&err);
	return code;
}

const struct command command_quarantine_list = {
    .name = "quarantine list",
    .arguments = "",
    .summary = "list the messages in quarantine",
    .description = "Lists the messages that are held, the newest first, with "
		   "the reason. Their ids are what show, release and delete "
		   "take. A message stays in the list until it was released to "
		   "all its recipients; those that have it are marked.",
    .options = {options_query, options_list, options_store, options_json},
    .examples = "# What is held for one domain since yesterday?\n"
		"gatehouse quarantine list --recipient @agency.example "
		"--since 1d\n",
    .run = list_run,
};

const struct command command_quarantine_show = {
    .name = "quarantine show",
    .arguments = "ID",
    .summary = "show a message in quarantine",
    .description =
	"Shows why a message is held, its story as gatehouse explain tells "
	"it, and its header. Control bytes are shown as \\xNN.\n"
	"\n"
	"With --raw writes the exact bytes of the message, and nothing else: "
	"write them to a file, not to a terminal.",
    .options = {options_show, options_store, options_json},
    .arguments_min = 1,
    .arguments_max = 1,
    .examples = "# Look at one\n"
		"gatehouse quarantine show 0K3mZ9QxT1aB7cDe\n"
		"# Judge it anew\n"
		"gatehouse quarantine show 0K3mZ9QxT1aB7cDe --raw > held.eml\n",
    .run = show_run,
};

const struct command command_quarantine_delete = {
    .name = "quarantine delete",
    .arguments = "ID...",
    .summary = "delete messages from quarantine",
    .description = "Deletes messages for ever, after asking. Their traces "
		   "stay.\n"
		   "\n"
		   "Exit code 66: at least one id was not there; the others "
		   "are deleted all the same.",
    .options = {options_delete, options_store},
    .arguments_min = 1,
    .arguments_max = 1000,
    .examples = "# Delete one without being asked\n"
		"gatehouse quarantine delete --yes 0K3mZ9QxT1aB7cDe\n",
    .run = delete_run,
};
