/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/header_from.h"

#include "base/ascii.h"
#include "base/buf.h"
#include "base/text.h"
#include "dns/name.h"
#include "message/address.h"

enum { PROBLEM_MAX = 1000, PARSED_MAX = 1000 };

struct reader {
	struct arena *arena;
	struct header_from *from;
	struct buf *problem;
	size_t max;
	bool over_limit;
};

static void note(struct reader *reader, enum fault fault, const char *what)
{
	faults_add(&reader->from->faults, fault);
	if (reader->problem->len)
		buf_add_text(reader->problem, "; ");
	buf_add_text(reader->problem, what);
}

static void note_unreadable(struct reader *reader, const char *what)
{
	reader->from->complete = false;
	if (!reader->from->unreadable)
		reader->from->unreadable = what;
	note(reader, FAULT_FROM_UNPARSEABLE, what);
}

/* CR and LF only as folding: CR LF or LF, then white space. */
static bool has_stray_control(struct slice value)
{
	for (size_t i = 0; i < value.len; i++) {
		char c = value.ptr[i];
		bool folds = false;

		if (c == '\r')
			folds = i + 1 < value.len && value.ptr[i + 1] == '\n';
		else if (c == '\n')
			folds = i + 1 < value.len &&
				ascii_is_wsp(value.ptr[i + 1]);
		if (ascii_is_control(c) && c != '\t' && !folds)
			return true;
	}
	return false;
}

/* False: the octets forbid reading it at all. */
static bool check_octets(struct reader *reader, struct slice value)
{
	if (slice_find(value, '\0') < value.len) {
		note(reader, FAULT_NUL_IN_HEADER, "From: holds a NUL");
		reader->from->complete = false;
		return false;
	}
	if (has_stray_control(value)) {
		note(reader, FAULT_HEADER_CONTROL_BYTES,
		    "From: holds a control octet");
		reader->from->complete = false;
		return false;
	}
	if (!text_is_utf8(value))
		note(reader, FAULT_HEADER_8BIT,
		    "From: holds octets that are not UTF-8");
	return true;
}

/* "=?charset?q?text?=" (RFC 2047), which must not stand in an address: some
 * readers decode it there and show another address. */
static bool has_encoded_word(struct slice text)
{
	size_t at = slice_find_slice(text, SLICE("=?"));

	text = slice_from_pos(text, at + 2);
	return slice_find_slice(text, SLICE("?=")) < text.len;
}

static void add_domain(struct reader *reader, struct slice domain)
{
	struct header_from *from = reader->from;

	for (size_t i = 0; i < from->domain_count; i++)
		if (slice_eq(from->domains[i], domain))
			return;
	from->domains[from->domain_count++] = domain;
}

/* A quoted local part that holds an address: readers that drop the quotes, or
 * look for the first "@", show that one. */
static bool holds_address(struct slice local_part)
{
	return slice_find(local_part, '@') < local_part.len ||
	       slice_find(local_part, '<') < local_part.len ||
	       slice_find(local_part, '>') < local_part.len;
}

/* What makes readers disagree about whose address this is; or NULL. */
static const char *ambiguity(const struct mailbox *mailbox)
{
	if (has_encoded_word(mailbox->local_part) ||
	    has_encoded_word(mailbox->domain))
		return "From: has an encoded word inside an address";
	if (holds_address(mailbox->local_part))
		return "From: has an address inside a quoted local part";
	if (mailbox->source_route)
		return "From: has an address with a source route";
	return NULL;
}

/* A name that programs show as another is judged by what it is, all the same.
 */
static void add_shown_domain(struct reader *reader, struct slice domain)
{
	add_domain(reader, domain);
	if (!name_check_a_labels(domain, NULL))
		note_unreadable(reader,
		    "From: has a domain with an A-label that no "
		    "internationalized label becomes");
}

static void add_mailbox(struct reader *reader, const struct mailbox *mailbox)
{
	struct header_from *from = reader->from;
	const char *ambiguous = ambiguity(mailbox);
	struct slice domain;

	if (from->address_count == reader->max) {
		if (!reader->over_limit)
			note_unreadable(reader, "From: has too many addresses "
						"(limits.from_addresses)");
		reader->over_limit = true;
		return;
	}
	from->addresses[from->address_count++] = text_clean_utf8(
	    reader->arena, address_format(reader->arena, mailbox));
	/* Refusing it is a setting; whoever sets it otherwise still has the
	 * domain judged that the grammar says (RFC 5322 section 3.4.1). */
	if (ambiguous)
		note_unreadable(reader, ambiguous);
	if (!text_is_utf8(mailbox->domain) ||
	    !name_normalize(reader->arena, mailbox->domain, &domain, NULL))
		note_unreadable(
		    reader, "From: has an address without a valid domain name");
	else
		add_shown_domain(reader, domain);
}

static void read_field(struct reader *reader, struct slice value)
{
	struct mailbox_list list;
	struct err err;

	if (!check_octets(reader, value))
		return;
	if (!address_parse_list(
		reader->arena, value, PARSED_MAX, &list, &err)) {
		note_unreadable(
		    reader, arena_format(reader->arena, "From: %s", err.text));
		return;
	}
	if (list.count == 0)
		note_unreadable(reader, "From: has no address");
	for (size_t i = 0; i < list.count; i++)
		add_mailbox(reader, &list.mailboxes[i]);
}

/* "From" with octets that no name has: a strict reader skips the field, a
 * lenient one shows it. */
static void check_disguises(
    struct reader *reader, const struct header_list *headers)
{
	for (size_t i = 0; i < headers->count; i++) {
		const struct header_field *field = &headers->fields[i];

		if (field->valid ||
		    slice_eq_nocase(field->name, SLICE("From")) ||
		    !slice_eq_nocase(headers_lenient_name(reader->arena, field),
			SLICE("From")))
			continue;
		note_unreadable(reader,
		    "a field that some readers take for From: has other "
		    "octets in its name");
		return;
	}
}

struct header_from header_from_read(struct arena *arena,
    const struct header_list *headers, const struct limits *limits)
{
	struct header_from from = {.complete = true};
	struct reader reader = {
	    .arena = arena,
	    .from = &from,
	    .problem = buf_in_arena(arena, PROBLEM_MAX),
	    .max = limits->from_addresses,
	};
	size_t count = headers_count(headers, SLICE("From"));

	from.domains = ARENA_ARRAY(arena, reader.max, struct slice);
	from.addresses = ARENA_ARRAY(arena, reader.max, struct slice);
	if (count == 0) {
		from.complete = false;
		note(&reader, FAULT_FROM_MISSING, "there is no From:");
	}
	if (count > 1)
		note(&reader, FAULT_FROM_REPEATED,
		    "there is more than one From:");
	if (count > reader.max)
		from.complete = false;
	for (size_t i = 0; i < count && i < reader.max; i++)
		read_field(
		    &reader, headers_find(headers, SLICE("From"), i)->value);
	if (from.address_count > 1 && count == 1)
		note(&reader, FAULT_FROM_SEVERAL_ADDRESSES,
		    "From: has more than one address");
	check_disguises(&reader, headers);
	from.problem = buf_slice(reader.problem);
	return from;
}
