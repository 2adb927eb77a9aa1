/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/dkim_signature.h"

#include "auth/taglist.h"
#include "base/ascii.h"
#include "base/text.h"
#include "dns/name.h"
#include "message/address.h"

enum { HEADER_B_LENGTH = 8 }; /* RFC 6008 section 3: at least eight */

static const int64_t TIME_MAX = 999999999999; /* 12 digits: RFC 6376, 3.5 */

/* What the tags of one field are read into. */
struct reader {
	struct arena *arena;
	enum signature_kind kind;
	struct dkim_signature *signature;
	const struct tag *tag;
};

static bool bad(const struct reader *reader, const char *what, struct err *err)
{
	return err_set(
	    err, E_SYNTAX, "%.*s= %s", SLICE_ARGS(reader->tag->name), what);
}

static bool read_version(struct reader *reader, struct err *err)
{
	if (!slice_eq(reader->tag->value, SLICE("1")))
		return bad(reader, "is not 1", err);
	return true;
}

static bool read_algorithm(struct reader *reader, struct err *err)
{
	static const struct slice names[] = {
	    [ALGORITHM_RSA_SHA256] = SLICE_INIT("rsa-sha256"),
	    [ALGORITHM_ED25519_SHA256] = SLICE_INIT("ed25519-sha256"),
	    [ALGORITHM_RSA_SHA1] = SLICE_INIT("rsa-sha1"),
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		/* ABNF strings have no case (RFC 5234 section 2.3). */
		if (!slice_eq_nocase(reader->tag->value, names[i]))
			continue;
		reader->signature->algorithm = (enum signature_algorithm)i;
		reader->signature->algorithm_text = names[i];
		return true;
	}
	return bad(reader, "names no known algorithm", err);
}

static bool read_canonicalization(
    struct slice name, enum dkim_canonicalization *ret)
{
	if (slice_eq_nocase(name, SLICE("simple")))
		*ret = CANON_SIMPLE;
	else if (slice_eq_nocase(name, SLICE("relaxed")))
		*ret = CANON_RELAXED;
	else
		return false;
	return true;
}

/* "relaxed" alone is relaxed/simple. */
static bool read_canonicalizations(struct reader *reader, struct err *err)
{
	struct dkim_signature *signature = reader->signature;
	struct slice header, body;

	if (!slice_split(reader->tag->value, '/', &header, &body))
		body = SLICE("simple");
	if (!read_canonicalization(header, &signature->header_canon) ||
	    !read_canonicalization(body, &signature->body_canon))
		return bad(reader, "names no known canonicalization", err);
	return true;
}

/* The text of b= as header.b wants it: without white space. */
static struct slice first_characters(struct reader *reader)
{
	struct slice text = reader->tag->value;
	char start[HEADER_B_LENGTH];
	size_t len = 0;

	for (size_t i = 0; i < text.len && len < sizeof(start); i++)
		if (!ascii_is_fws(text.ptr[i]))
			start[len++] = text.ptr[i];
	return arena_slice(reader->arena, slice_of(start, len));
}

static bool read_signature(struct reader *reader, struct err *err)
{
	struct dkim_signature *signature = reader->signature;

	signature->whole_b = reader->tag->whole;
	if (reader->tag->value.len > 4 * SIGNATURE_SIZE_MAX)
		return bad(reader, "is too long", err);
	if (!text_base64_decode_unpadded(
		reader->arena, reader->tag->value, &signature->signature) ||
	    signature->signature.len == 0)
		return bad(reader, "is not base64", err);
	signature->start = first_characters(reader);
	return true;
}

static bool read_body_hash(struct reader *reader, struct err *err)
{
	struct dkim_signature *signature = reader->signature;

	if (reader->tag->value.len > 4 * CRYPTO_DIGEST_SIZE ||
	    !text_base64_decode_unpadded(
		reader->arena, reader->tag->value, &signature->body_hash))
		return bad(reader, "is not a hash in base64", err);
	if (signature->body_hash.len != CRYPTO_DIGEST_SIZE &&
	    signature->algorithm != ALGORITHM_RSA_SHA1)
		return bad(reader, "is not a SHA-256 hash", err);
	return true;
}

/* domain-name of RFC 6376 section 3.5, which has no final dot: with one, a
 * verifier that takes the name as it is asks for another key than we do.
 * U-labels become A-labels here: RFC 8616 section 4. */
static bool normalize(
    struct arena *arena, struct slice name, struct slice *ret, struct err *err)
{
	return !slice_ends_nocase(name, SLICE(".")) &&
	       name_normalize(arena, name, ret, err);
}

static bool read_name(struct reader *reader, struct slice *ret, struct err *err)
{
	if (!normalize(reader->arena, reader->tag->value, ret, err))
		return bad(reader, "is not a domain name", err);
	return true;
}

static bool read_domain(struct reader *reader, struct err *err)
{
	return read_name(reader, &reader->signature->domain, err);
}

static bool read_selector(struct reader *reader, struct err *err)
{
	return read_name(reader, &reader->signature->selector, err);
}

static bool read_names(struct reader *reader, struct err *err)
{
	struct slice rest = reader->tag->value, name;
	size_t count = 0;

	while (taglist_next_word(&rest, &name)) {
		for (size_t i = 0; i < name.len; i++)
			if (!ascii_is_visible(name.ptr[i]))
				return bad(reader, "holds a bad name", err);
		if (++count > SIGNATURE_NAMES_MAX)
			return err_set(err, E_LIMIT, "h= has over %d names",
			    SIGNATURE_NAMES_MAX);
	}
	reader->signature->names = reader->tag->value;
	return true;
}

/* dkim-quoted-printable: RFC 6376 section 2.11.  White space is ignored. */
static bool decode_quoted(
    struct arena *arena, struct slice text, struct slice *ret)
{
	char *decoded = arena_alloc(arena, text.len + 1);
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		int high, low;

		if (ascii_is_fws(c))
			continue;
		if (c == '=') {
			if (text.len - i < 3)
				return false;
			high = ascii_hex_value(text.ptr[i + 1]);
			low = ascii_hex_value(text.ptr[i + 2]);
			if (high < 0 || low < 0)
				return false;
			c = (char)(high << 4 | low);
			i += 2;
		}
		decoded[len++] = c;
	}
	*ret = slice_of(decoded, len);
	return true;
}

static bool is_identity_byte(char c)
{
	return !ascii_is_control(c);
}

/* i=: the agent or user, [local-part] "@" domain-name. */
static bool read_identity(struct reader *reader, struct err *err)
{
	struct dkim_signature *signature = reader->signature;
	struct slice identity, domain;

	if (!decode_quoted(reader->arena, reader->tag->value, &identity) ||
	    !slice_all(identity, is_identity_byte) || !text_is_utf8(identity) ||
	    slice_find(identity, '@') == identity.len)
		return bad(reader, "is not an identity", err);
	domain = address_domain(identity);
	if (!normalize(reader->arena, domain, &domain, err))
		return bad(reader, "is not an identity", err);
	signature->identity_domain = domain;
	signature->identity = identity;
	return true;
}

static bool read_instance(struct reader *reader, struct err *err)
{
	uint64_t instance;

	/* 1*2DIGIT: RFC 8617 section 4.2.1. */
	if (reader->tag->value.len > 2 ||
	    !slice_to_u64(reader->tag->value, 99, &instance) || instance == 0)
		return bad(reader, "is not an instance number", err);
	reader->signature->instance = (unsigned int)instance;
	return true;
}

static bool is_digit(char c)
{
	return ascii_is_digit(c);
}

/* Up to 76 digits; what no number holds is longer than any body. */
static bool read_body_length(struct reader *reader, struct err *err)
{
	struct slice text = reader->tag->value;

	if (slice_empty(text) || text.len > 76 || !slice_all(text, is_digit))
		return bad(reader, "is not a length", err);
	if (!slice_to_u64(
		text, BODY_LENGTH_ALL - 1, &reader->signature->body_length))
		reader->signature->body_length = BODY_LENGTH_ALL - 1;
	return true;
}

static bool read_time(struct reader *reader, int64_t *ret, struct err *err)
{
	uint64_t seconds;

	if (!slice_to_u64(reader->tag->value, (uint64_t)TIME_MAX, &seconds))
		return bad(reader, "is not a time", err);
	*ret = (int64_t)seconds;
	return true;
}

static bool read_signed_at(struct reader *reader, struct err *err)
{
	return read_time(reader, &reader->signature->signed_at, err);
}

/* "Any value longer than 12 digits" is infinite (RFC 6376 section 3.5): such a
 * signature does not expire.  One that was made then would be no good. */
static bool read_expires_at(struct reader *reader, struct err *err)
{
	struct slice text = reader->tag->value;
	int64_t *ret = &reader->signature->expires_at;

	if (read_time(reader, ret, err))
		return true;
	if (slice_empty(text) || !slice_all(text, is_digit))
		return false;
	*ret = TIME_MAX + 1;
	return true;
}

/* One of the query methods must be ours: section 3.5, q=. */
static bool read_query(struct reader *reader, struct err *err)
{
	struct slice rest = reader->tag->value, method;

	while (taglist_next_word(&rest, &method))
		if (slice_eq_nocase(method, SLICE("dns/txt")))
			return true;
	return bad(reader, "does not offer dns/txt", err);
}

static bool read_chain_validation(struct reader *reader, struct err *err)
{
	static const struct slice names[] = {
	    [CV_NONE] = SLICE_INIT("none"),
	    [CV_PASS] = SLICE_INIT("pass"),
	    [CV_FAIL] = SLICE_INIT("fail"),
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!slice_eq_nocase(reader->tag->value, names[i]))
			continue;
		reader->signature->chain_validation = (enum chain_validation)i;
		return true;
	}
	return bad(reader, "is none of none, pass, fail", err);
}

static bool read_forbidden(struct reader *reader, struct err *err)
{
	return bad(reader, "must not stand here", err);
}

enum {
	DKIM = SIGNATURE_DKIM,
	MESSAGE = SIGNATURE_ARC_MESSAGE,
	SEAL = SIGNATURE_ARC_SEAL,
	ALL = DKIM | MESSAGE | SEAL,
};

/* In order of reading: what reports want comes first. */
static const struct tag_rule {
	struct slice name;
	unsigned int kinds;    /* where the row applies */
	unsigned int required; /* where it must be */
	bool (*read)(struct reader *reader, struct err *err);
} tag_rules[] = {
    {SLICE_INIT("i"), MESSAGE | SEAL, MESSAGE | SEAL, read_instance},
    {SLICE_INIT("d"), ALL, ALL, read_domain},
    {SLICE_INIT("s"), ALL, ALL, read_selector},
    {SLICE_INIT("a"), ALL, ALL, read_algorithm},
    {SLICE_INIT("b"), ALL, ALL, read_signature},
    {SLICE_INIT("v"), DKIM, DKIM, read_version},
    {SLICE_INIT("i"), DKIM, 0, read_identity},
    {SLICE_INIT("bh"), DKIM | MESSAGE, DKIM | MESSAGE, read_body_hash},
    {SLICE_INIT("h"), DKIM | MESSAGE, DKIM | MESSAGE, read_names},
    {SLICE_INIT("c"), DKIM | MESSAGE, 0, read_canonicalizations},
    {SLICE_INIT("l"), DKIM | MESSAGE, 0, read_body_length},
    {SLICE_INIT("q"), DKIM | MESSAGE, 0, read_query},
    {SLICE_INIT("t"), ALL, 0, read_signed_at},
    {SLICE_INIT("x"), DKIM | MESSAGE, 0, read_expires_at},
    {SLICE_INIT("cv"), SEAL, SEAL, read_chain_validation},
    /* RFC 8617 section 4.1.3: a seal with h= fails. */
    {SLICE_INIT("h"), SEAL, 0, read_forbidden},
};

static bool read_tag(struct reader *reader, const struct taglist *list,
    const struct tag_rule *rule, struct err *err)
{
	reader->tag = taglist_find(list, rule->name);
	if (reader->tag)
		return rule->read(reader, err);
	if (rule->required & reader->kind)
		return err_set(
		    err, E_SYNTAX, "%.*s= is missing", SLICE_ARGS(rule->name));
	return true;
}

bool dkim_signature_parse(struct arena *arena, enum signature_kind kind,
    const struct header_field *field, struct dkim_signature *ret,
    struct err *err)
{
	struct reader reader = {arena, kind, ret, NULL};
	struct taglist list;

	*ret = (struct dkim_signature){
	    .field = field,
	    .body_length = BODY_LENGTH_ALL,
	    .signed_at = -1,
	    .expires_at = -1,
	};
	/* Without c= DKIM means simple/simple (RFC 6376 section 3.5).  RFC
	 * 8617 names no default of its own for message signatures, but the
	 * signers and the test suite that there are mean relaxed/relaxed. */
	if (kind == SIGNATURE_ARC_MESSAGE)
		ret->header_canon = ret->body_canon = CANON_RELAXED;
	if (!taglist_parse(field->value, &list, err))
		return false;
	for (size_t i = 0; i < sizeof(tag_rules) / sizeof(tag_rules[0]); i++)
		if ((tag_rules[i].kinds & kind) &&
		    !read_tag(&reader, &list, &tag_rules[i], err))
			return false;
	if (slice_empty(ret->identity)) {
		ret->identity = arena_format_slice(
		    arena, "@%.*s", SLICE_ARGS(ret->domain));
		ret->identity_domain = ret->domain;
	}
	return true;
}

size_t dkim_signature_count(
    const struct dkim_signature *signature, struct slice name)
{
	struct slice rest = signature->names, word;
	size_t count = 0;

	while (taglist_next_word(&rest, &word))
		count += slice_eq_nocase(word, name);
	return count;
}

bool dkim_signature_covers(
    const struct dkim_signature *signature, struct slice name)
{
	return dkim_signature_count(signature, name) > 0;
}
