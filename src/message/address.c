/* SPDX-License-Identifier: Apache-2.0 */
#include "message/address.h"

#include "base/ascii.h"
#include "base/buf.h"
#include "base/text.h"
#include "message/cfws.h"

/* RFC 5321 section 4.5.3.1.3: a path has 256 octets with its brackets. */
enum { PATH_MAX_OCTETS = 254, LABEL_MAX_OCTETS = 63 };

/* What is left of the text.  In the arena stand the pieces of one element of a
 * list, or of one path. */
struct scanner {
	struct slice rest;
	struct arena *arena;
	struct err *err;
};

static bool at_byte(const struct scanner *scanner, char byte)
{
	return scanner->rest.len && scanner->rest.ptr[0] == byte;
}

static void advance(struct scanner *scanner, size_t count)
{
	scanner->rest = slice_from_pos(scanner->rest, count);
}

static bool take_byte(struct scanner *scanner, char byte)
{
	if (!at_byte(scanner, byte))
		return false;
	advance(scanner, 1);
	return true;
}

static bool fail(struct scanner *scanner, const char *what)
{
	return err_set(scanner->err, E_SYNTAX, "%s", what);
}

/* atext of RFC 5322 section 3.2.3, with UTF-8 (RFC 6532 section 3.2). */
static bool is_atom_byte(char c)
{
	switch (c) {
	case '(':
	case ')':
	case '<':
	case '>':
	case '[':
	case ']':
	case ':':
	case ';':
	case '@':
	case '\\':
	case ',':
	case '.':
	case '"': return false;
	default: return ascii_is_visible(c) || ascii_is_8bit(c);
	}
}

static bool skip_cfws(struct scanner *scanner)
{
	return cfws_skip(&scanner->rest, scanner->err);
}

static bool take_quoted(struct scanner *scanner, struct buf *out)
{
	advance(scanner, 1);
	while (scanner->rest.len) {
		char c = scanner->rest.ptr[0];

		if (c == '"') {
			advance(scanner, 1);
			return true;
		}
		if (c == '\\' && scanner->rest.len > 1) {
			advance(scanner, 1);
			c = scanner->rest.ptr[0];
		}
		if (c == '\0' || (ascii_is_control(c) && !ascii_is_fws(c)))
			return fail(
			    scanner, "a quoted string holds a control octet");
		if (c != '\r' && c != '\n')
			buf_add_byte(out, c);
		advance(scanner, 1);
	}
	return fail(scanner, "a quoted string is not closed");
}

static struct slice take_atom(struct scanner *scanner)
{
	size_t len = 0;
	struct slice atom;

	while (len < scanner->rest.len && is_atom_byte(scanner->rest.ptr[len]))
		len++;
	atom = slice_sub(scanner->rest, 0, len);
	advance(scanner, len);
	return atom;
}

/* Words and dots up to a special that ends them.  What they say as a display
 * name and as a local part are collected together: which it was is only known
 * at the special. */
struct words {
	struct buf *phrase, *local;
	bool any, any_word; /* anything; more than dots */
	bool is_local;	    /* words with dots between them: a local part */
	bool after_dot;
	/* Domains behind "@" in a name that ought to be quoted: the first, and
	 * whether there is another. */
	struct slice claim;
	bool claims_differ;
};

static bool is_domain_byte(char c)
{
	return ascii_is_alnum(c) || c == '.' || c == '-' || c == '_';
}

static void note_claim(struct words *words, struct slice domain)
{
	if (domain.len == 0 ||
	    (words->claim.len && !slice_eq_nocase(words->claim, domain)))
		words->claims_differ = true;
	words->claim = domain;
}

static void note_claims(struct words *words, struct slice text)
{
	size_t at, len = 0;

	while ((at = slice_find(text, '@')) < text.len) {
		text = slice_from_pos(text, at + 1);
		for (len = 0; len < text.len && is_domain_byte(text.ptr[len]);)
			len++;
		note_claim(words, slice_sub(text, 0, len));
	}
}

/* What no reader takes for the end of an encoded word or of a name. */
static bool is_loose_byte(char c)
{
	switch (c) {
	case '<':
	case '>':
	case '"':
	case '(':
	case ')':
	case '\\': return false;
	default: return ascii_is_visible(c);
	}
}

static bool is_loose_special(char c)
{
	return c == '@' || c == ',' || c == ':' || c == ';' || c == '[' ||
	       c == ']';
}

static bool ends_loose_word(struct slice rest)
{
	return rest.len == 0 || ascii_is_fws(rest.ptr[0]) || rest.ptr[0] == '<';
}

/* The length of an encoded word (RFC 2047) with specials in it, which it ought
 * to encode (section 5); 0 if it is none. */
static size_t loose_encoded_word(struct slice text)
{
	struct slice charset, encoding, word, rest;
	size_t len = 0, specials = 0;

	if (!slice_starts(text, SLICE("=?")) ||
	    !slice_split(slice_from_pos(text, 2), '?', &charset, &rest) ||
	    !slice_split(rest, '?', &encoding, &rest) ||
	    !slice_split(rest, '?', &word, &rest) ||
	    !slice_starts(rest, SLICE("=")) ||
	    !ends_loose_word(slice_from_pos(rest, 1)))
		return 0;
	if (!slice_eq_nocase(encoding, SLICE("q")) &&
	    !slice_eq_nocase(encoding, SLICE("b")))
		return 0;
	len = (size_t)(rest.ptr + 1 - text.ptr);
	if (!slice_all(slice_sub(text, 0, len), is_loose_byte))
		return 0;
	for (size_t i = 0; i < word.len; i++)
		specials += is_loose_special(word.ptr[i]);
	return specials ? len : 0;
}

static void join_word(struct words *words, bool first, bool gap)
{
	if (!first && !words->after_dot)
		words->is_local = false;
	if (!first && gap)
		buf_add_byte(words->phrase, ' ');
	words->any = true;
	words->any_word = true;
	words->after_dot = false;
}

/* What can stand in no address, but does in names that are not quoted: brackets
 * and encoded words with specials.  No reader sees another address in them but
 * by an "@", which is kept in mind. */
static bool take_loose_word(struct scanner *scanner, struct words *words)
{
	size_t len = loose_encoded_word(scanner->rest);

	if (at_byte(scanner, '[') || at_byte(scanner, ']'))
		len = 1;
	if (!len)
		return false;
	words->is_local = false;
	note_claims(words, slice_sub(scanner->rest, 0, len));
	buf_add(words->phrase, slice_sub(scanner->rest, 0, len));
	advance(scanner, len);
	return true;
}

static bool take_word(struct scanner *scanner, struct words *words, bool gap)
{
	bool first = !words->any;
	size_t from;

	if (at_byte(scanner, '.')) {
		words->any = true;
		words->after_dot = true;
		advance(scanner, 1);
		buf_add_byte(words->local, '.');
		return buf_add_byte(words->phrase, '.');
	}
	join_word(words, first, gap);
	if (take_loose_word(scanner, words))
		return true;
	if (at_byte(scanner, '"')) {
		from = words->local->len;
		if (!take_quoted(scanner, words->local))
			return false;
		buf_add(words->phrase,
		    slice_from_pos(buf_slice(words->local), from));
		return true;
	}
	if (!scanner->rest.len || !is_atom_byte(scanner->rest.ptr[0]))
		return fail(
		    scanner, "an octet that cannot stand in an address");
	from = words->phrase->len;
	buf_add(words->phrase, take_atom(scanner));
	buf_add(words->local, slice_from_pos(buf_slice(words->phrase), from));
	return true;
}

static bool ends_words(const struct scanner *scanner)
{
	return scanner->rest.len == 0 || at_byte(scanner, '<') ||
	       at_byte(scanner, '@') || at_byte(scanner, ':') ||
	       at_byte(scanner, ';') || at_byte(scanner, ',') ||
	       at_byte(scanner, '>');
}

static bool take_words(struct scanner *scanner, struct words *ret)
{
	size_t max = scanner->rest.len * 2 + 1;

	*ret = (struct words){
	    .phrase = buf_in_arena(scanner->arena, max),
	    .local = buf_in_arena(scanner->arena, max),
	    .is_local = true,
	};
	for (;;) {
		size_t before = scanner->rest.len;

		if (!skip_cfws(scanner))
			return false;
		if (ends_words(scanner))
			break;
		if (!take_word(scanner, ret, scanner->rest.len < before))
			return false;
	}
	if (!ret->any_word)
		ret->is_local = false;
	return true;
}

static bool is_literal_byte(char c)
{
	return (ascii_is_visible(c) || ascii_is_wsp(c)) && c != '[' &&
	       c != ']' && c != '\\';
}

static bool take_literal(struct scanner *scanner, struct slice *ret)
{
	size_t end = slice_find(scanner->rest, ']');
	struct slice inner = slice_sub(scanner->rest, 1, end ? end - 1 : 0);

	if (end == scanner->rest.len || !slice_all(inner, is_literal_byte))
		return fail(scanner, "a domain literal is malformed");
	*ret = slice_sub(scanner->rest, 0, end + 1);
	advance(scanner, end + 1);
	return true;
}

/* domain of RFC 5322 section 3.4.1, obsolete white space included.  It borrows
 * the buffer. */
static bool take_domain(
    struct scanner *scanner, struct buf *domain, struct slice *ret)
{
	buf_clear(domain);
	if (!skip_cfws(scanner))
		return false;
	if (at_byte(scanner, '['))
		return take_literal(scanner, ret) && skip_cfws(scanner);
	for (;;) {
		struct slice label = take_atom(scanner);

		if (label.len == 0)
			return fail(scanner, "a domain has an empty label");
		buf_add(domain, label);
		if (!skip_cfws(scanner))
			return false;
		if (!take_byte(scanner, '.'))
			break;
		buf_add_byte(domain, '.');
		if (!skip_cfws(scanner))
			return false;
	}
	*ret = buf_slice(domain);
	return true;
}

/* "@a,@b:" before an addr-spec in angle brackets (RFC 5322 section 4.4). */
static bool skip_route(struct scanner *scanner, bool *ret_any)
{
	struct buf *domain;
	struct slice ignored;

	if (!skip_cfws(scanner) || !at_byte(scanner, '@'))
		return true;
	*ret_any = true;
	domain = buf_in_arena(scanner->arena, scanner->rest.len);
	while (take_byte(scanner, '@') || take_byte(scanner, ',')) {
		take_byte(scanner, '@');
		if (!take_domain(scanner, domain, &ignored))
			return false;
	}
	return take_byte(scanner, ':') ||
	       fail(scanner, "a source route has no end");
}

static bool take_addr_spec(
    struct scanner *scanner, const struct words *local, struct mailbox *ret)
{
	if (!local->any)
		return fail(scanner, "an address is empty");
	if (!local->is_local)
		return fail(scanner, "a local part is malformed");
	if (!take_byte(scanner, '@'))
		return fail(scanner, "an address has no domain");
	ret->local_part = buf_slice(local->local);
	return take_domain(scanner,
	    buf_in_arena(scanner->arena, scanner->rest.len), &ret->domain);
}

static bool take_angle_address(
    struct scanner *scanner, const struct words *name, struct mailbox *ret)
{
	struct words local;

	ret->display_name = buf_slice(name->phrase);
	advance(scanner, 1);
	if (!skip_route(scanner, &ret->source_route) ||
	    !take_words(scanner, &local) ||
	    !take_addr_spec(scanner, &local, ret))
		return false;
	if (!take_byte(scanner, '>'))
		return fail(scanner, "an address has no closing bracket");
	if (name->claims_differ ||
	    (name->claim.len && !slice_eq_nocase(name->claim, ret->domain)))
		return fail(scanner, "a name without quotes holds another "
				     "address");
	return true;
}

static bool is_plain_byte(char c)
{
	return is_domain_byte(c) || c == '+';
}

/* "a@b <c@b>": programs that quote no names write it, and whatever a reader
 * takes for the address, its domain is that one.  With another in the brackets,
 * or in quotes or an encoded word before it, readers disagree. */
static bool take_address_as_name(
    struct scanner *scanner, const struct words *words, struct mailbox *mailbox)
{
	struct mailbox behind = {0};

	if (!at_byte(scanner, '<'))
		return true;
	if (!take_angle_address(scanner, words, &behind))
		return false;
	if (!slice_eq_nocase(behind.domain, mailbox->domain) ||
	    !slice_all(mailbox->local_part, is_plain_byte))
		return fail(scanner, "addresses are not separated");
	behind.display_name = mailbox->display_name;
	*mailbox = behind;
	return true;
}

static bool add_mailbox(struct arena *arena, struct mailbox_list *list,
    size_t max, size_t *room, const struct mailbox *mailbox, struct err *err)
{
	if (list->count == max)
		return err_set(err, E_LIMIT, "more than %zu addresses", max);
	list->mailboxes = arena_grow(arena, list->mailboxes, list->count, room,
	    sizeof(*list->mailboxes));
	list->mailboxes[list->count++] = (struct mailbox){
	    .display_name = arena_slice(arena, mailbox->display_name),
	    .local_part = arena_slice(arena, mailbox->local_part),
	    .domain = arena_slice(arena, mailbox->domain),
	    .source_route = mailbox->source_route,
	};
	return true;
}

enum element {
	ELEMENT_NONE,
	ELEMENT_MAILBOX,
	ELEMENT_GROUP_START,
	ELEMENT_ERROR
};

/* One mailbox, or the name and colon that open a group, or nothing between
 * commas (obsolete, RFC 5322 section 4.4). */
static enum element take_element(
    struct scanner *scanner, bool in_group, struct mailbox *ret)
{
	struct words words;
	bool ok;

	*ret = (struct mailbox){0};
	if (!take_words(scanner, &words))
		return ELEMENT_ERROR;
	if (at_byte(scanner, ':')) {
		if (in_group || !words.any) {
			fail(scanner, "a colon that opens no group");
			return ELEMENT_ERROR;
		}
		advance(scanner, 1);
		return ELEMENT_GROUP_START;
	}
	if (!words.any && !at_byte(scanner, '<') && !at_byte(scanner, '@'))
		return ELEMENT_NONE;
	if (at_byte(scanner, '<'))
		ok = take_angle_address(scanner, &words, ret);
	else
		ok = take_addr_spec(scanner, &words, ret) &&
		     take_address_as_name(scanner, &words, ret);
	return ok && skip_cfws(scanner) ? ELEMENT_MAILBOX : ELEMENT_ERROR;
}

static bool take_list(struct scanner *scanner, struct arena *arena, size_t max,
    struct mailbox_list *ret)
{
	struct mailbox_list list = {0};
	size_t room = 0;
	bool in_group = false;

	for (;;) {
		struct mailbox mailbox;
		enum element element = take_element(
		    scanner, in_group, &mailbox);

		if (element == ELEMENT_ERROR)
			return false;
		if (element == ELEMENT_MAILBOX &&
		    !add_mailbox(
			arena, &list, max, &room, &mailbox, scanner->err))
			return false;
		arena_reset(scanner->arena);
		if (element == ELEMENT_GROUP_START) {
			in_group = true;
			continue;
		}
		if (in_group && take_byte(scanner, ';')) {
			in_group = false;
			if (!skip_cfws(scanner))
				return false;
		}
		if (scanner->rest.len == 0)
			break;
		if (!take_byte(scanner, ','))
			return fail(scanner, "addresses are not separated");
	}
	if (in_group)
		return fail(scanner, "a group is not closed");
	*ret = list;
	return true;
}

/* Elements that name nobody are not counted, so they must not take memory that
 * stays: a header of half a megabyte has as many. */
bool address_parse_list(struct arena *arena, struct slice value, size_t max,
    struct mailbox_list *ret, struct err *err)
{
	struct scanner scanner = {value, arena_new(0), err};
	bool fine = take_list(&scanner, arena, max, ret);

	arena_free(scanner.arena);
	return fine;
}

/* Let-dig, hyphen; underscores are seen in the field; UTF-8 by RFC 6531. */
static bool is_label_byte(char c, bool smtputf8)
{
	return ascii_is_alnum(c) || c == '-' || c == '_' ||
	       (smtputf8 && ascii_is_8bit(c));
}

/* The DNS's limit is that of an A-label: UTF-8 that stands for one may be
 * longer (RFC 5890 section 4.2). */
static bool is_path_label(struct slice label, bool smtputf8)
{
	bool is_u_label = false;

	for (size_t i = 0; i < label.len; i++) {
		if (!is_label_byte(label.ptr[i], smtputf8))
			return false;
		is_u_label = is_u_label || ascii_is_8bit(label.ptr[i]);
	}
	return label.len > 0 && (label.len <= LABEL_MAX_OCTETS || is_u_label);
}

static bool is_path_domain(struct slice domain, bool smtputf8)
{
	struct slice label;
	bool more;

	do {
		more = slice_split(domain, '.', &label, &domain);
		if (!is_path_label(label, smtputf8))
			return false;
	} while (more);
	return true;
}

static bool take_path_local(struct scanner *scanner, struct slice *ret)
{
	struct buf *local = buf_in_arena(scanner->arena, scanner->rest.len);

	if (at_byte(scanner, '"')) {
		if (!take_quoted(scanner, local))
			return false;
	} else {
		bool any = false;

		do {
			struct slice atom = take_atom(scanner);

			any = any || atom.len;
			buf_add(local, atom);
		} while (at_byte(scanner, '.') && buf_add_byte(local, '.') &&
			 take_byte(scanner, '.'));
		if (!any)
			return fail(scanner, "the local part is malformed");
	}
	*ret = buf_slice(local);
	return true;
}

static bool take_path_domain(
    struct scanner *scanner, bool smtputf8, struct slice *ret)
{
	if (at_byte(scanner, '['))
		return take_literal(scanner, ret) &&
		       (scanner->rest.len == 0 ||
			   fail(scanner, "text after the domain literal"));
	if (!is_path_domain(scanner->rest, smtputf8))
		return fail(scanner, "the domain is malformed");
	*ret = scanner->rest;
	return true;
}

bool address_parse_path(struct arena *arena, struct slice text, bool smtputf8,
    struct mailbox *ret, struct err *err)
{
	struct scanner scanner = {text, arena, err};
	struct mailbox mailbox = {0};
	size_t colon = slice_find(text, ':');

	if (text.len > PATH_MAX_OCTETS)
		return err_set(
		    err, E_LIMIT, "address over %d octets", PATH_MAX_OCTETS);
	for (size_t i = 0; i < text.len; i++)
		if (ascii_is_control(text.ptr[i]) ||
		    (!smtputf8 && ascii_is_8bit(text.ptr[i])))
			return fail(&scanner, "an octet that an address "
					      "cannot hold without SMTPUTF8");
	if (!text_is_utf8(text))
		return fail(&scanner, "the address is not UTF-8");
	if (text.len == 0) {
		*ret = mailbox;
		return true;
	}
	if (at_byte(&scanner, '@') && colon < text.len)
		advance(&scanner, colon + 1);
	if (!take_path_local(&scanner, &mailbox.local_part))
		return false;
	if (!take_byte(&scanner, '@'))
		return fail(&scanner, "the address has no domain");
	if (!take_path_domain(&scanner, smtputf8, &mailbox.domain))
		return false;
	*ret = mailbox;
	return true;
}

struct slice address_domain(struct slice address)
{
	for (size_t i = address.len; i-- > 0;)
		if (address.ptr[i] == '@')
			return slice_from_pos(address, i + 1);
	return (struct slice){NULL, 0};
}

bool address_has_odd_dots(struct slice local)
{
	return local.len &&
	       (local.ptr[0] == '.' || local.ptr[local.len - 1] == '.' ||
		   slice_find_slice(local, SLICE("..")) < local.len);
}

/* To be written without quotes; what could be the start of an encoded word is
 * not. */
static bool is_dot_atom(struct slice text)
{
	bool after_dot = true;

	if (slice_find_slice(text, SLICE("=?")) < text.len)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		bool is_dot = text.ptr[i] == '.';

		if (is_dot ? after_dot : !is_atom_byte(text.ptr[i]))
			return false;
		after_dot = is_dot;
	}
	return !after_dot;
}

struct slice address_format(struct arena *arena, const struct mailbox *mailbox)
{
	struct buf *out;

	if (mailbox->local_part.len == 0 && mailbox->domain.len == 0)
		return (struct slice){NULL, 0};
	out = buf_in_arena(
	    arena, mailbox->local_part.len * 2 + mailbox->domain.len + 3);
	if (is_dot_atom(mailbox->local_part)) {
		buf_add(out, mailbox->local_part);
	} else {
		buf_add_byte(out, '"');
		for (size_t i = 0; i < mailbox->local_part.len; i++) {
			char c = mailbox->local_part.ptr[i];

			if (c == '"' || c == '\\')
				buf_add_byte(out, '\\');
			buf_add_byte(out, c);
		}
		buf_add_byte(out, '"');
	}
	buf_add_byte(out, '@');
	buf_add(out, mailbox->domain);
	return buf_slice(out);
}
