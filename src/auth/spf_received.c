/* SPDX-License-Identifier: Apache-2.0 */
/* The Received-SPF field: RFC 7208 section 9.1. */
#include "auth/spf.h"

#include "base/ascii.h"
#include "base/buf.h"

enum {
	LINE_MAX_OCTETS = 78,
	FIELD_MAX_OCTETS = 16384,
	/* Escaped and with its key still within a line of 998 octets. */
	VALUE_MAX_OCTETS = 480,
};

/* The field and the column it has come to. */
struct field {
	struct buf *text;
	size_t column;
};

/* A piece that is not broken, on a new line if it does not fit. */
static void add_piece(struct field *field, struct slice piece)
{
	if (field->column + 1 + piece.len > LINE_MAX_OCTETS) {
		buf_add_text(field->text, "\r\n\t");
		field->column = 8;
	} else {
		buf_add_byte(field->text, ' ');
		field->column++;
	}
	buf_add(field->text, piece);
	field->column += piece.len;
}

/* atext of RFC 5322; 8-bit is for quoted strings. */
static bool is_atext(char c)
{
	const struct slice others = SLICE("!#$%&'*+-/=?^_`{|}~");

	return ascii_is_alnum(c) || slice_find(others, c) < others.len;
}

static bool is_dot_atom(struct slice text)
{
	struct slice atom;
	bool more;

	do {
		more = slice_split(text, '.', &atom, &text);
		if (slice_empty(atom) || !slice_all(atom, is_atext))
			return false;
	} while (more);
	return true;
}

/* Text inside quotes or a comment: what would end it is escaped, what could
 * end the line is replaced. */
static void add_quoted(struct buf *out, struct slice text, struct slice escape)
{
	for (size_t i = 0; i < text.len && i < VALUE_MAX_OCTETS; i++) {
		char c = text.ptr[i];

		if (ascii_is_control(c))
			c = '?';
		else if (slice_find(escape, c) < escape.len)
			buf_add_byte(out, '\\');
		buf_add_byte(out, c);
	}
}

/* key-value-pair; empty values are left out. */
static void add_pair(struct arena *arena, struct field *field, const char *key,
    struct slice value)
{
	struct buf *pair = buf_in_arena(arena, FIELD_MAX_OCTETS);

	if (slice_empty(value))
		return;
	buf_add_format(pair, "%s=", key);
	if (is_dot_atom(value) && value.len <= VALUE_MAX_OCTETS) {
		buf_add(pair, value);
	} else {
		buf_add_byte(pair, '"');
		add_quoted(pair, value, SLICE("\"\\"));
		buf_add_byte(pair, '"');
	}
	buf_add_byte(pair, ';');
	add_piece(field, buf_slice(pair));
}

/* What the result says, in words (section 2.6). */
static const char *meaning(enum spf_result result)
{
	static const char *const meanings[] = {
	    [SPF_NONE] = "has no SPF record",
	    [SPF_NEUTRAL] = "says nothing about this client",
	    [SPF_PASS] = "authorizes this client",
	    [SPF_FAIL] = "does not authorize this client",
	    [SPF_SOFTFAIL] = "probably does not authorize this client",
	    [SPF_TEMPERROR] = "could not be looked up",
	    [SPF_PERMERROR] = "has a faulty SPF record",
	};

	return meanings[result];
}

/* The comment, word by word, so that it can be folded. */
static void add_comment(struct arena *arena, struct field *field,
    const struct spf_request *request, const struct spf_outcome *outcome)
{
	struct buf *comment = buf_in_arena(arena, FIELD_MAX_OCTETS);
	const struct slice specials = SLICE("()\\");
	struct slice rest, word;

	buf_add_byte(comment, '(');
	if (!slice_empty(request->receiver)) {
		add_quoted(comment, request->receiver, specials);
		buf_add_text(comment, ": ");
	}
	if (!slice_empty(outcome->domain)) {
		add_quoted(comment, outcome->domain, specials);
		buf_add_byte(comment, ' ');
	}
	buf_add_format(comment, "%s)", meaning(outcome->result));
	rest = buf_slice(comment);
	while (rest.len) {
		slice_split(rest, ' ', &word, &rest);
		if (!slice_empty(word))
			add_piece(field, word);
	}
}

struct slice spf_received_field(struct arena *arena,
    const struct spf_request *request, const struct spf_outcome *outcome)
{
	const char *result = spf_result_name(outcome->result);
	struct field field = {.text = buf_in_arena(arena, FIELD_MAX_OCTETS)};
	char address[IP_TEXT_MAX];
	bool is_helo = outcome->identity == SPF_IDENTITY_HELO;

	buf_add_format(field.text, "Received-SPF: %s", result);
	field.column = field.text->len;
	add_comment(arena, &field, request, outcome);
	add_pair(arena, &field, "identity",
	    is_helo ? SLICE("helo") : SLICE("mailfrom"));
	add_pair(arena, &field, "client-ip",
	    slice_from(ip_format(&request->client_ip, address)));
	add_pair(arena, &field, "helo", request->helo);
	add_pair(arena, &field, "envelope-from", request->mail_from);
	add_pair(arena, &field, "receiver", request->receiver);
	add_pair(arena, &field, "mechanism", outcome->mechanism);
	add_pair(arena, &field, "problem", outcome->problem);
	return buf_slice(field.text);
}
