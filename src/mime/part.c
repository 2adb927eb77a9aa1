/* SPDX-License-Identifier: Apache-2.0 */
#include "mime/part.h"

#include "base/ascii.h"
#include "mime/boundary.h"
#include "mime/field.h"

enum { BOUNDARY_GRAMMAR_MAX = 70 }; /* RFC 2046 section 5.1.1 */

/* The first field of that name into *ret; false: there is none. */
static bool read_field(struct arena *scratch, const struct header_list *headers,
    struct slice name, enum fault repeated, struct mime_field *ret,
    struct faults *faults)
{
	const struct header_field *field = headers_find(headers, name, 0);

	if (!field)
		return false;
	if (headers_find(headers, name, 1))
		faults_add(faults, repeated);
	mime_field_parse(scratch, field->value, ret);
	if (!ret->valid)
		faults_add(faults, FAULT_MIME_HEADER_INVALID);
	if (ret->repeated)
		faults_add(faults, FAULT_MIME_PARAMETER_REPEATED);
	return true;
}

/* A line of the header that others may take for content. */
static void check_fields(
    const struct header_list *headers, struct faults *faults)
{
	for (size_t i = 0; i < headers->count; i++) {
		const struct header_field *field = &headers->fields[i];

		if (field->name.ptr == NULL)
			faults_add(faults, FAULT_HEADER_WITHOUT_COLON);
		else if (!field->valid)
			faults_add(faults, FAULT_HEADER_NAME_INVALID);
	}
	if (headers->count && ascii_is_wsp(headers->fields[0].raw.ptr[0]))
		faults_add(faults, FAULT_HEADER_STARTS_FOLDED);
}

/* "a/b"; anything else is text/plain (RFC 2045 section 5.2). */
static struct slice usable_type(struct slice word)
{
	struct slice type, subtype;

	slice_split(word, '/', &type, &subtype);
	return type.len && subtype.len ? word : SLICE("text/plain");
}

static struct slice read_boundary(struct arena *arena, struct arena *scratch,
    const struct mime_field *type, struct faults *faults)
{
	const struct slice *raw = mime_field_raw(type, SLICE("boundary"));
	struct slice boundary = raw ? *raw : (struct slice){NULL, 0};

	/* In pieces (RFC 2231) it is legal, but few readers know. */
	if (!raw) {
		boundary = mime_field_text(scratch, type, SLICE("boundary"));
		if (boundary.len)
			faults_add(faults, FAULT_MIME_BOUNDARY_AMBIGUOUS);
	}
	while (boundary.len && ascii_is_fws(boundary.ptr[boundary.len - 1]))
		boundary.len--;
	if (boundary.len > BOUNDARY_GRAMMAR_MAX)
		faults_add(faults, FAULT_MIME_HEADER_INVALID);
	if (boundary.len == 0 || boundary.len > BOUNDARY_MAX) {
		faults_add(faults, FAULT_MIME_BOUNDARY_MISSING);
		boundary.len = 0;
	}
	return arena_slice(arena, boundary);
}

static void read_encoding(struct arena *scratch,
    const struct header_list *headers, struct mime_part *part,
    struct faults *faults)
{
	struct mime_field field;

	part->encoding = ENCODING_IDENTITY;
	if (!read_field(scratch, headers, SLICE("Content-Transfer-Encoding"),
		FAULT_CONTENT_TRANSFER_ENCODING_REPEATED, &field, faults))
		return;
	part->encoding = mime_encoding_of(field.word);
	if (part->encoding == ENCODING_UNKNOWN)
		faults_add(faults, FAULT_MIME_ENCODING_UNKNOWN);
}

/* What the type wants; an encoded message stays closed (RFC 2046 section
 * 5.2.1 forbids it), an encoded multipart is read as if it were not. */
static enum mime_kind kind_of(
    const struct mime_part *part, struct faults *faults)
{
	bool encoded = part->encoding != ENCODING_IDENTITY &&
		       part->encoding != ENCODING_UNKNOWN;
	bool multipart = slice_starts(part->type, SLICE("multipart/"));
	bool message = slice_eq(part->type, SLICE("message/rfc822")) ||
		       slice_eq(part->type, SLICE("message/global"));

	if (!multipart && !message)
		return MIME_LEAF;
	if (encoded)
		faults_add(faults, FAULT_MIME_ENCODED_COMPOSITE);
	if (multipart)
		return MIME_MULTIPART;
	return encoded ? MIME_LEAF : MIME_MESSAGE;
}

void mime_part_describe(struct arena *arena, struct arena *scratch,
    const struct header_list *headers, struct slice default_type,
    struct mime_part *part, struct slice *ret_boundary, struct faults *faults)
{
	struct mime_field type, disposition;
	bool has_type = read_field(scratch, headers, SLICE("Content-Type"),
	    FAULT_CONTENT_TYPE_REPEATED, &type, faults);
	bool has_disposition = read_field(scratch, headers,
	    SLICE("Content-Disposition"), FAULT_MIME_HEADER_INVALID,
	    &disposition, faults);
	struct slice name = {NULL, 0};

	check_fields(headers, faults);
	part->type = default_type;
	if (has_type) {
		part->type = arena_slice(arena, usable_type(type.word));
		part->charset = arena_slice(
		    arena, mime_field_text(scratch, &type, SLICE("charset")));
	}
	if (has_disposition) {
		part->attachment = slice_eq(
		    disposition.word, SLICE("attachment"));
		name = mime_field_text(
		    scratch, &disposition, SLICE("filename"));
	}
	if (name.len == 0 && has_type)
		name = mime_field_text(scratch, &type, SLICE("name"));
	part->name = arena_slice(arena, name);
	read_encoding(scratch, headers, part, faults);
	part->kind = kind_of(part, faults);
	*ret_boundary = (struct slice){NULL, 0};
	if (part->kind == MIME_MULTIPART)
		*ret_boundary = read_boundary(arena, scratch, &type, faults);
	if (part->kind == MIME_MULTIPART && ret_boundary->len == 0)
		part->kind = MIME_LEAF;
}
