/* SPDX-License-Identifier: Apache-2.0 */
#include "mime/tree.h"

#include <string.h>

#include "base/require.h"
#include "mime/boundary.h"
#include "mime/part.h"

enum state { IN_HEADER, IN_BODY };

/* Offsets are those of the message. */
struct parser {
	struct arena *arena;   /* of the tree */
	struct arena *work;    /* of this struct's arrays */
	struct arena *scratch; /* of one part's header */
	const struct limits *limits;
	struct slice message;
	struct mime_tree tree;
	size_t room;
	struct boundary_stack *boundaries; /* NULL: none yet */
	size_t multipart_room;
	size_t *multiparts; /* the part of each boundary */
	size_t current;	    /* the innermost part that is open */
	size_t start;	    /* where its header, or its body, begins */
	enum state state;
	bool full; /* limits->mime_parts is reached */
};

static struct mime_part *part_at(const struct parser *parser, size_t position)
{
	return &parser->tree.parts[position];
}

static struct slice range(const struct parser *parser, size_t from, size_t to)
{
	require(to <= parser->message.len);
	return slice_sub(parser->message, from, to > from ? to - from : 0);
}

static size_t offset_of(const struct parser *parser, struct slice piece)
{
	return piece.ptr ? (size_t)(piece.ptr - parser->message.ptr)
			 : parser->message.len;
}

/* Begins a part whose header is at offset start.  False: there are too many. */
static bool open_part(struct parser *parser, size_t parent, size_t start)
{
	struct mime_part part = {.parent = parent};

	if (parser->tree.count >= parser->limits->mime_parts) {
		faults_add(&parser->tree.faults, FAULT_MIME_TOO_MANY_PARTS);
		parser->full = true;
		return false;
	}
	if (parser->tree.count) {
		part.depth = part_at(parser, parent)->depth + 1;
		part.number = ++part_at(parser, parent)->children;
	}
	parser->tree.parts = arena_grow(parser->work, parser->tree.parts,
	    parser->tree.count, &parser->room, sizeof(part));
	parser->tree.parts[parser->tree.count] = part;
	parser->current = parser->tree.count++;
	parser->start = start;
	parser->state = IN_HEADER;
	return true;
}

static void push_boundary(
    struct parser *parser, size_t position, struct slice boundary)
{
	if (!parser->boundaries)
		parser->boundaries = boundary_stack_new(parser->work);
	parser->multiparts = arena_grow(parser->work, parser->multiparts,
	    boundary_count(parser->boundaries), &parser->multipart_room,
	    sizeof(*parser->multiparts));
	parser->multiparts[boundary_count(parser->boundaries)] = position;
	if (!boundary_push(parser->boundaries, boundary))
		faults_add(&parser->tree.faults, FAULT_MIME_BOUNDARY_AMBIGUOUS);
}

/* RFC 2046 section 5.1.5: in a digest it is message/rfc822. */
static struct slice default_type(
    const struct parser *parser, const struct mime_part *part)
{
	const struct mime_part *parent = part_at(parser, part->parent);

	if (part->depth && slice_eq(parent->type, SLICE("multipart/digest")))
		return SLICE("message/rfc822");
	return SLICE("text/plain");
}

/* The header of the current part is read; its body begins at offset at. */
static void enter_body(struct parser *parser, size_t at, struct slice boundary)
{
	struct mime_part *part = part_at(parser, parser->current);

	part->body = range(parser, at, at);
	parser->start = at;
	parser->state = IN_BODY;
	if (part->kind == MIME_LEAF)
		return;
	if (part->depth >= parser->limits->mime_depth) {
		faults_add(&parser->tree.faults, FAULT_MIME_TOO_DEEP);
		part->kind = MIME_LEAF;
	} else if (part->kind == MIME_MULTIPART) {
		push_boundary(parser, parser->current, boundary);
	} else if (!open_part(parser, parser->current, at)) {
		part->kind = MIME_LEAF;
	}
}

/* The header of the current part ends at offset end; its body follows. */
static void end_header(struct parser *parser, size_t end)
{
	struct mime_part *part = part_at(parser, parser->current);
	struct header_list headers;
	struct slice boundary = {NULL, 0};

	part->header = range(parser, parser->start, end);
	if (headers_parse(parser->scratch, part->header, parser->limits,
		&headers, NULL)) {
		mime_part_describe(parser->arena, parser->scratch, &headers,
		    default_type(parser, part), part, &boundary,
		    &parser->tree.faults);
	} else {
		faults_add(&parser->tree.faults, FAULT_MIME_HEADER_INVALID);
		part->type = SLICE("application/octet-stream");
		end = parser->start;
		part->header = range(parser, end, end);
	}
	arena_reset(parser->scratch);
	enter_body(parser, end, boundary);
}

static void end_part(struct parser *parser, size_t position, size_t end)
{
	struct mime_part *part = part_at(parser, position);

	part->body = range(parser, offset_of(parser, part->body), end);
	if (part->epilogue.ptr)
		part->epilogue = range(
		    parser, offset_of(parser, part->epilogue), end);
}

/* Everything inside the part outer ends at offset end. */
static void close_inside(struct parser *parser, size_t outer, size_t end)
{
	while (parser->current != outer) {
		end_part(parser, parser->current, end);
		parser->current = part_at(parser, parser->current)->parent;
	}
}

/* A multipart without a single part is one. */
static void pop_boundary(struct parser *parser)
{
	size_t number = boundary_count(parser->boundaries) - 1;
	struct mime_part *part = part_at(parser, parser->multiparts[number]);

	if (part->children == 0)
		part->kind = MIME_LEAF;
	/* Beyond the limit nobody looked for more. */
	if (!parser->full &&
	    (part->children == 0 ||
		!boundary_is_closed(parser->boundaries, number)))
		faults_add(&parser->tree.faults, FAULT_MIME_BOUNDARY_UNUSED);
	boundary_pop(parser->boundaries);
}

/* The line end before a boundary is the boundary's (RFC 2046 section 5.1.1),
 * if it is not that of the part's header. */
static size_t without_line_end(const struct parser *parser, size_t at)
{
	const char *bytes = parser->message.ptr;

	if (at > parser->start && bytes[at - 1] == '\n') {
		at--;
		if (at > parser->start && bytes[at - 1] == '\r')
			at--;
	}
	return at;
}

/* The line at offset at, up to offset after, is a boundary. */
static void take_boundary(struct parser *parser, size_t at, size_t after,
    const struct boundary_match *match)
{
	size_t multipart = parser->multiparts[match->number];
	struct mime_part *part;
	size_t end;

	/* A part may be a header alone, and hold nothing then. */
	while (parser->state == IN_HEADER)
		end_header(parser, at);
	end = without_line_end(parser, at);
	while (boundary_count(parser->boundaries) > match->number + 1)
		pop_boundary(parser);
	close_inside(parser, multipart, end);
	part = part_at(parser, multipart);
	if (part->children == 0)
		part->preamble = range(
		    parser, offset_of(parser, part->body), end);
	parser->start = after;
	parser->state = IN_BODY;
	if (match->kind == BOUNDARY_DELIMITER) {
		open_part(parser, multipart, after);
		return;
	}
	boundary_close(parser->boundaries, match->number);
	part->epilogue = range(parser, after, after);
}

static bool has_boundaries(const struct parser *parser)
{
	return parser->boundaries && boundary_count(parser->boundaries) > 0;
}

/* As headers_parse sees it: not a line of white space. */
static bool is_empty_line(struct slice line)
{
	return slice_eq(line, SLICE("\r\n")) || slice_eq(line, SLICE("\n")) ||
	       slice_eq(line, SLICE("\r"));
}

static void take_line(struct parser *parser, size_t at, size_t after)
{
	struct slice line = range(parser, at, after);

	if (has_boundaries(parser) && slice_starts(line, SLICE("--"))) {
		struct boundary_match match = boundary_match(
		    parser->boundaries, line);

		if (match.ambiguous)
			faults_add(&parser->tree.faults,
			    FAULT_MIME_BOUNDARY_AMBIGUOUS);
		if (match.kind != BOUNDARY_NONE) {
			take_boundary(parser, at, after, &match);
			return;
		}
	}
	if (parser->state == IN_HEADER && is_empty_line(line))
		end_header(parser, after);
}

static void take_lines(struct parser *parser, size_t at)
{
	while (at < parser->message.len && !parser->full &&
	       (parser->state == IN_HEADER || has_boundaries(parser))) {
		size_t line = slice_find(
		    slice_from_pos(parser->message, at), '\n');
		size_t after = at + line + 1;

		if (after > parser->message.len)
			after = parser->message.len;
		take_line(parser, at, after);
		at = after;
	}
}

static void finish(struct parser *parser)
{
	size_t end = parser->message.len;

	while (parser->state == IN_HEADER)
		end_header(parser, end);
	while (has_boundaries(parser))
		pop_boundary(parser);
	close_inside(parser, 0, end);
	end_part(parser, 0, end);
}

void mime_parse(struct arena *arena, struct slice message,
    const struct header_list *headers, const struct limits *limits,
    struct mime_tree *ret)
{
	struct limits one_part = *limits;
	struct parser parser = {
	    .arena = arena,
	    .work = arena_new(0),
	    .scratch = arena_new(0),
	    .limits = &one_part,
	    .message = message,
	};
	struct slice boundary;
	struct mime_part *root;

	if (one_part.mime_parts == 0)
		one_part.mime_parts = 1;
	require(open_part(&parser, 0, 0));
	root = part_at(&parser, 0);
	root->header = range(&parser, 0, headers->body_offset);
	mime_part_describe(arena, parser.scratch, headers, SLICE("text/plain"),
	    root, &boundary, &parser.tree.faults);
	enter_body(&parser, headers->body_offset, boundary);
	take_lines(&parser, headers->body_offset);
	finish(&parser);
	*ret = parser.tree;
	ret->parts = ARENA_ARRAY(arena, ret->count, struct mime_part);
	memcpy(ret->parts, parser.tree.parts, ret->count * sizeof(*ret->parts));
	arena_free(parser.scratch);
	arena_free(parser.work);
}
