/* SPDX-License-Identifier: Apache-2.0 */
/* What src/mime makes of a file, as JSON: the program behind
 * test_mime_suite.py.
 *
 *	mime_tree tree FILE	the parts of a message
 *	mime_tree field FILE	a field's value: Content-Type and such
 *	mime_tree words FILE	a field's value with encoded words
 */
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/text.h"
#include "mime/charset.h"
#include "mime/field.h"
#include "mime/tree.h"
#include "mime/words.h"

enum { FILE_MAX = 1 << 24 };

static void add_text(struct buf *out, const char *key, struct slice text)
{
	buf_add_format(out, "\"%s\":", key);
	text_add_json_string(out, text);
	buf_add_byte(out, ',');
}

static void add_octets(
    struct arena *arena, struct buf *out, const char *key, struct slice octets)
{
	add_text(out, key, text_base64_encode(arena, octets));
}

static void add_number(struct buf *out, const char *key, uint64_t number)
{
	buf_add_format(out, "\"%s\":%llu,", key, (unsigned long long)number);
}

/* A comma that is one too many becomes the bracket. */
static void end_list(struct buf *out, char bracket)
{
	if (out->ptr[out->len - 1] == ',')
		out->ptr[out->len - 1] = bracket;
	else
		buf_add_byte(out, bracket);
}

static void add_fields(
    struct arena *arena, struct buf *out, const struct mime_part *part)
{
	struct header_list headers = {0};

	headers_parse(arena, part->header, &limits_default, &headers, NULL);
	buf_add_text(out, "\"fields\":[");
	for (size_t i = 0; i < headers.count; i++) {
		if (!headers.fields[i].valid)
			continue;
		text_add_json_string(
		    out, text_base64_encode(arena, headers.fields[i].raw));
		buf_add_byte(out, ',');
	}
	end_list(out, ']');
	buf_add_byte(out, ',');
}

static void add_part(struct arena *arena, struct buf *out,
    struct mime_tree *tree, size_t position)
{
	static const char *const kinds[] = {"leaf", "multipart", "message"};
	const struct mime_part *part = &tree->parts[position];

	buf_add_byte(out, '{');
	add_text(out, "path", mime_part_path(arena, tree, position));
	add_text(out, "kind", slice_from(kinds[part->kind]));
	add_number(out, "parent", part->parent);
	add_text(out, "type", part->type);
	add_text(out, "charset", part->charset);
	add_text(out, "name", part->name);
	add_number(out, "attachment", part->attachment);
	add_fields(arena, out, part);
	add_octets(arena, out, "body", part->body);
	add_octets(arena, out, "preamble", part->preamble);
	add_octets(arena, out, "epilogue", part->epilogue);
	add_octets(arena, out, "octets",
	    mime_part_octets(arena, part, SIZE_MAX / 2, &tree->faults));
	add_text(out, "text",
	    mime_part_text(arena, part, SIZE_MAX / 2, &tree->faults));
	end_list(out, '}');
	buf_add_byte(out, ',');
}

static bool show_tree(
    struct arena *arena, struct buf *out, struct slice message, struct err *err)
{
	struct header_list headers;
	struct mime_tree tree;

	if (!headers_parse(arena, message, &limits_default, &headers, err))
		return false;
	mime_parse(arena, message, &headers, &limits_default, &tree);
	buf_add_text(out, "\"parts\":[");
	for (size_t i = 0; i < tree.count; i++)
		add_part(arena, out, &tree, i);
	end_list(out, ']');
	buf_add_text(out, ",\"faults\":[");
	for (int i = 0; i < FAULT_COUNT; i++)
		if (faults_has(tree.faults, (enum fault)i))
			buf_add_format(
			    out, "\"%s\",", fault_name((enum fault)i));
	end_list(out, ']');
	return true;
}

static bool show_field(
    struct arena *arena, struct buf *out, struct slice value, struct err *err)
{
	struct mime_field field;

	(void)err;
	mime_field_parse(arena, value, &field);
	add_text(out, "word", field.word);
	buf_add_format(out, "\"valid\":%s,\"parameters\":{",
	    field.valid ? "true" : "false");
	/* The first of those of one name is written last: readers of JSON
	 * keep that one. */
	for (size_t i = field.count; i-- > 0;) {
		struct slice name = field.parameters[i].name;

		name.len = slice_find(name, '*');
		text_add_json_string(out, name);
		buf_add_byte(out, ':');
		text_add_json_string(out, mime_field_text(arena, &field, name));
		buf_add_byte(out, ',');
	}
	end_list(out, '}');
	return true;
}

static bool show_words(
    struct arena *arena, struct buf *out, struct slice value, struct err *err)
{
	(void)err;
	add_text(out, "text",
	    mime_decode_words(arena, headers_unfold(arena, value)));
	out->len--;
	return true;
}

static const struct {
	const char *name;
	bool (*show)(struct arena *arena, struct buf *out, struct slice bytes,
	    struct err *err);
} modes[] = {{"tree", show_tree}, {"field", show_field}, {"words", show_words}};

int main(int argc, char **argv)
{
	struct arena *arena = arena_new(0);
	struct buf *out = buf_in_arena(arena, SIZE_MAX / 2);
	struct slice bytes;
	struct err err = {E_USAGE, "usage: mime_tree tree|field|words FILE"};
	bool ok = false;

	buf_add_byte(out, '{');
	for (size_t i = 0; argc == 3 && i < 3; i++)
		if (strcmp(argv[1], modes[i].name) == 0)
			ok = io_read_file(
				 arena, argv[2], FILE_MAX, &bytes, &err) &&
			     modes[i].show(arena, out, bytes, &err);
	buf_add_byte(out, '}');
	if (ok)
		printf("%s\n", out->ptr);
	else
		fprintf(stderr, "%s\n", err.text);
	arena_free(arena);
	return ok ? 0 : 1;
}
