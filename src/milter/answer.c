/* SPDX-License-Identifier: Apache-2.0 */
#include "milter/answer.h"

#include "milter/header_field.h"
#include "milter/packet.h"
#include "milter/protocol.h"

/* Below the MTA's own Received, which stands at 0 although it is not shown to
 * filters: where our own SMTP server puts its fields, too. */
enum { INSERT_AT = 1 };

/* RFC 5321, 4.5.3.1.5: 512 octets; less the code, two blanks, the line end. */
enum { REPLY_LINE_MAX = 512 - 7 };

/* Sendmail takes the text for a format, so '%' is doubled; Postfix undoes it.
 * What is not printable would be refused by either. */
static struct slice reply_text(struct arena *arena, struct slice line)
{
	char *text = arena_alloc(arena, 2 * line.len + 1);
	size_t len = 0;

	for (size_t i = 0; i < line.len; i++) {
		char c = line.ptr[i];

		text[len++] = c < ' ' || c > '~' ? '?' : c;
		if (c == '%')
			text[len++] = c;
	}
	return slice_of(text, len);
}

/* How much of the text one line takes: up to a blank, if there is one. */
static size_t line_of(struct slice text, size_t room)
{
	if (text.len <= room)
		return text.len;
	for (size_t i = room; i > 0; i--)
		if (text.ptr[i] == ' ')
			return i;
	return room;
}

/* "550-5.7.1 much" CR LF "550 5.7.1 text", as libmilter's smfi_setmlreply
 * writes it. */
static struct slice reply_lines(
    struct arena *arena, const struct smtp_reply_text *reply)
{
	struct slice lines = {NULL, 0}, rest = reply->text;
	size_t room = REPLY_LINE_MAX - reply->enhanced.len;

	for (;;) {
		struct smtp_reply_text part = *reply;
		struct slice line;

		part.text = slice_sub(rest, 0, line_of(rest, room));
		rest = slice_from_pos(rest, part.text.len);
		line = reply_text(arena, decision_reply_line(arena, &part));
		if (rest.len == 0)
			return arena_format_slice(arena, "%.*s%.*s",
			    SLICE_ARGS(lines), SLICE_ARGS(line));
		if (rest.ptr[0] == ' ')
			rest = slice_from_pos(rest, 1);
		lines = arena_format_slice(arena, "%.*s%.3s-%.*s\r\n",
		    SLICE_ARGS(lines), line.ptr,
		    SLICE_ARGS(slice_from_pos(line, 4)));
	}
}

void answer_reply(
    struct arena *arena, const struct smtp_reply_text *reply, struct buf *out)
{
	buf_clear(out);
	packet_write_text(out, SMFIR_REPLYCODE, reply_lines(arena, reply));
}

static void answer_later(struct arena *arena, const char *why, struct buf *out)
{
	struct smtp_reply_text reply = {451, SLICE("4.3.5"), slice_from(why)};

	answer_reply(arena, &reply, out);
}

/* As MTAs count them: from 1, those of the same name. */
static uint32_t occurrence(const struct header_list *list, size_t position)
{
	uint32_t count = 0;

	for (size_t i = 0; i <= position; i++)
		count += slice_eq_nocase(
		    list->fields[i].name, list->fields[position].name);
	return count;
}

/* From the bottom up, and before anything is inserted: some MTAs count what
 * they have removed or inserted, some do not. */
static bool write_removals(struct arena *arena, const struct decision *decision,
    struct slice header, const struct limits *limits, struct buf *out)
{
	struct header_list list;
	struct err err;

	if (decision->edits.removed_count == 0)
		return true;
	if (!headers_parse(arena, header, limits, &list, &err))
		return false;
	for (size_t i = list.count; i-- > 0;)
		if (edit_removes(&decision->edits, i) &&
		    !packet_write_header(out, SMFIR_CHGHEADER,
			occurrence(&list, i), list.fields[i].name, SLICE("")))
			return false;
	return true;
}

static bool write_insertions(struct arena *arena,
    const struct decision *decision, bool leading_space, struct buf *out)
{
	for (size_t i = 0; i < decision->edits.added_count; i++) {
		struct slice name, value;

		header_field_take_apart(arena, decision->edits.added[i],
		    leading_space, &name, &value);
		if (!packet_write_header(
			out, SMFIR_INSHEADER, INSERT_AT, name, value))
			return false;
	}
	return true;
}

static void answer_passed(struct arena *arena, const struct decision *decision,
    struct slice header, const struct limits *limits,
    const struct answer_terms *terms, struct buf *out)
{
	bool holds = decision->verdict == VERDICT_QUARANTINE;

	buf_clear(out);
	if (write_removals(arena, decision, header, limits, out) &&
	    write_insertions(arena, decision, terms->leading_space, out) &&
	    (!holds || packet_write_text(out, SMFIR_QUARANTINE,
			   reply_text(arena, decision->reason))) &&
	    packet_write(out, SMFIR_CONTINUE, SLICE("")))
		return;
	answer_later(arena, "the header cannot be changed", out);
}

void answer_decision(struct arena *arena, const struct decision *decision,
    struct slice header, const struct limits *limits,
    const struct answer_terms *terms, struct buf *out)
{
	switch (decision->verdict) {
	case VERDICT_ACCEPT:
		answer_passed(arena, decision, header, limits, terms, out);
		return;
	case VERDICT_QUARANTINE:
		if (terms->mta_holds) {
			answer_passed(
			    arena, decision, header, limits, terms, out);
			return;
		}
		/* Our store has it: the MTA says 250 and forgets it. */
		break;
	case VERDICT_DISCARD: break;
	case VERDICT_DEFER:
	case VERDICT_REJECT: answer_reply(arena, &decision->reply, out); return;
	default:
		/* Nothing asks for it here; the client keeps its copy. */
		answer_later(
		    arena, "this verdict cannot be carried out here", out);
		return;
	}
	buf_clear(out);
	packet_write(out, SMFIR_DISCARD, SLICE(""));
}
