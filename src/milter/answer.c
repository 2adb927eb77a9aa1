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

/* What is not printable would be refused by the MTA. */
static struct slice printable(struct arena *arena, struct slice line)
{
	char *text = arena_alloc(arena, line.len + 1);

	for (size_t i = 0; i < line.len; i++) {
		char c = line.ptr[i];

		text[i] = c < ' ' || c > '~' ? '?' : c;
	}
	return slice_of(text, line.len);
}

/* Sendmail takes a reply for a format, so '%' is doubled; Postfix undoes it. */
static struct slice reply_text(struct arena *arena, struct slice line)
{
	struct slice plain = printable(arena, line);
	char *text = arena_alloc(arena, 2 * line.len + 1);
	size_t len = 0;

	for (size_t i = 0; i < plain.len; i++) {
		text[len++] = plain.ptr[i];
		if (plain.ptr[i] == '%')
			text[len++] = '%';
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
	struct header_positions alike = headers_named(
	    list, list->fields[position].name);
	uint32_t count = 1;

	while (alike.items[count - 1] < position)
		count++;
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

static bool has_parameters(const struct envelope_recipient *recipient)
{
	return recipient->dsn_notify.len || recipient->dsn_orcpt.len;
}

static uint32_t needed_for_recipients(const struct recipient_edits *edits)
{
	uint32_t needed = 0;

	for (size_t i = 0; i < edits->removed_count; i++)
		if (recipient_edit_frees_address(edits, edits->removed[i]))
			needed |= SMFIF_DELRCPT;
	for (size_t i = 0; i < edits->added_count; i++)
		needed |= has_parameters(&edits->added[i]) ? SMFIF_ADDRCPT_PAR
							   : SMFIF_ADDRCPT;
	return needed;
}

static bool passes(
    const struct decision *decision, const struct answer_terms *terms)
{
	return decision->verdict == VERDICT_ACCEPT ||
	       (decision->verdict == VERDICT_QUARANTINE && terms->mta_holds);
}

const char *answer_lacks(
    const struct decision *decision, const struct answer_terms *terms)
{
	static const struct {
		uint32_t action;
		const char *words;
	} rows[] = {
	    {SMFIF_ADDRCPT, "add recipients"},
	    {SMFIF_ADDRCPT_PAR, "add recipients with parameters"},
	    {SMFIF_DELRCPT, "remove recipients"},
	    {SMFIF_CHGBODY, "replace the body"},
	};
	uint32_t needed = needed_for_recipients(&decision->recipients);

	if (decision->replaces_body)
		needed |= SMFIF_CHGBODY;
	if (!passes(decision, terms))
		return NULL;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (needed & rows[i].action & ~terms->actions)
			return rows[i].words;
	return NULL;
}

struct smtp_reply_text answer_lacking(struct arena *arena, const char *what)
{
	return (struct smtp_reply_text){451, SLICE("4.3.5"),
	    arena_format_slice(arena,
		"policy must %s, which the mail server does not allow", what)};
}

static bool write_path(struct arena *arena, char code,
    const struct envelope_recipient *recipient, struct buf *out)
{
	struct buf *data = buf_in_arena(arena, PACKET_MAX);

	buf_add_format(data, "<%.*s>", SLICE_ARGS(recipient->address));
	buf_add_byte(data, '\0');
	if (code == SMFIR_ADDRCPT_PAR) {
		if (recipient->dsn_notify.len)
			buf_add_format(data, "NOTIFY=%.*s",
			    SLICE_ARGS(recipient->dsn_notify));
		if (recipient->dsn_orcpt.len)
			buf_add_format(data, "%sORCPT=%.*s",
			    recipient->dsn_notify.len ? " " : "",
			    SLICE_ARGS(recipient->dsn_orcpt));
		buf_add_byte(data, '\0');
	}
	return !buf_overflowed(data) &&
	       packet_write(out, code, buf_slice(data));
}

/* Postfix and Sendmail remove every recipient of that address.  One of two that
 * are equal is therefore left to them: they deliver to an address once. */
static bool write_removed(const struct recipient_edits *edits,
    const struct slice *paths, struct buf *out)
{
	for (size_t i = 0; i < edits->removed_count; i++) {
		size_t number = edits->removed[i];

		if (recipient_edit_frees_address(edits, number) &&
		    !packet_write_text(out, SMFIR_DELRCPT, paths[number]))
			return false;
	}
	return true;
}

/* Those that are removed come first: one that is added again must stay. */
static bool write_recipients(struct arena *arena,
    const struct recipient_edits *edits, const struct slice *paths,
    struct buf *out)
{
	if (!write_removed(edits, paths, out))
		return false;
	for (size_t i = 0; i < edits->added_count; i++) {
		const struct envelope_recipient *one = &edits->added[i];

		if (!write_path(arena,
			has_parameters(one) ? SMFIR_ADDRCPT_PAR : SMFIR_ADDRCPT,
			one, out))
			return false;
	}
	return true;
}

/* True: all is said but the body and the end. */
static bool write_changes(struct arena *arena, const struct decision *decision,
    const struct answer_subject *subject, const struct answer_terms *terms,
    struct buf *out)
{
	bool holds = decision->verdict == VERDICT_QUARANTINE;

	return write_removals(
		   arena, decision, subject->header, subject->limits, out) &&
	       write_insertions(arena, decision, terms->leading_space, out) &&
	       write_recipients(
		   arena, &decision->recipients, subject->paths, out) &&
	       (!holds || packet_write_text(out, SMFIR_QUARANTINE,
			      printable(arena, decision->reason)));
}

static bool answer_passed(struct arena *arena, const struct decision *decision,
    const struct answer_subject *subject, const struct answer_terms *terms,
    struct buf *out)
{
	const char *lacks = answer_lacks(decision, terms);
	struct smtp_reply_text reply;

	buf_clear(out);
	if (lacks) {
		reply = answer_lacking(arena, lacks);
		answer_reply(arena, &reply, out);
		return false;
	}
	if (write_changes(arena, decision, subject, terms, out)) {
		if (decision->replaces_body)
			return true;
		if (answer_end(out))
			return false;
	}
	answer_later(arena, "the message cannot be changed", out);
	return false;
}

bool answer_decision(struct arena *arena, const struct decision *decision,
    const struct answer_subject *subject, const struct answer_terms *terms,
    struct buf *out)
{
	if (passes(decision, terms))
		return answer_passed(arena, decision, subject, terms, out);
	switch (decision->verdict) {
	/* Our store has what is quarantined: the MTA says 250 and forgets. */
	case VERDICT_QUARANTINE:
	case VERDICT_DISCARD:
		buf_clear(out);
		packet_write(out, SMFIR_DISCARD, SLICE(""));
		break;
	case VERDICT_DEFER:
	case VERDICT_REJECT: answer_reply(arena, &decision->reply, out); break;
	default:
		/* Nothing asks for it here; the client keeps its copy. */
		answer_later(
		    arena, "this verdict cannot be carried out here", out);
	}
	return false;
}

bool answer_body(struct slice *body, struct buf *out)
{
	struct slice piece = slice_sub(*body, 0, MILTER_BODY_PIECE_MAX);

	*body = slice_from_pos(*body, piece.len);
	return packet_write(out, SMFIR_REPLBODY, piece);
}

bool answer_end(struct buf *out)
{
	return packet_write(out, SMFIR_CONTINUE, SLICE(""));
}
