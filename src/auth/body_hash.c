/* SPDX-License-Identifier: Apache-2.0 */
/* Nearly all of a body is the same before and after canonicalization.  So the
 * work is done by runs: find where the next change is, hash everything before
 * it in place, and carry what cannot be judged yet (line ends that may be the
 * last ones, white space that may end a line) as counts from piece to piece.
 *
 * A length limit costs no second pass: the digest of the first N octets is the
 * state of the one stream when N octets are in.
 */
#include "auth/body_hash.h"

#include "auth/crypto.h"
#include "base/ascii.h"
#include "base/require.h"

/* A digest of the first length octets of a stream. */
struct limit {
	uint64_t length;
	size_t number; /* in body_hashes.digests */
	bool taken;
	struct limit *next; /* longer ones follow */
};

/* One canonicalization of the body. */
struct stream {
	struct crypto_hash *hash; /* NULL: not wanted */
	uint64_t length;	  /* octets of the canonical body so far */
	struct limit *limits;	  /* shortest first */
	struct limit *open;	  /* the first that is not taken */
	uint64_t line_ends;	  /* CR LF seen, not hashed: may be the last */
	bool white_space;	  /* WSP seen after them: may end a line */
	bool after_cr;		  /* CR seen after them: may start a CR LF */
};

struct wanted {
	enum dkim_canonicalization canonicalization;
	uint64_t length;
	struct crypto_digest digest;
};

struct body_hashes {
	struct arena *arena;
	struct stream streams[2]; /* by enum dkim_canonicalization */
	size_t count, room;
	struct wanted *wanted;
	bool started, finished;
};

struct body_hashes *body_hashes_new(struct arena *arena)
{
	struct body_hashes *hashes = ARENA_NEW(arena, struct body_hashes);

	hashes->arena = arena;
	return hashes;
}

static void add_limit(
    struct body_hashes *hashes, struct stream *stream, size_t number)
{
	struct limit *limit = ARENA_NEW(hashes->arena, struct limit);
	struct limit **at = &stream->limits;

	limit->length = hashes->wanted[number].length;
	limit->number = number;
	while (*at && (*at)->length < limit->length)
		at = &(*at)->next;
	limit->next = *at;
	*at = limit;
	stream->open = stream->limits;
}

static size_t add_wanted(struct body_hashes *hashes, const struct wanted *new)
{
	if (hashes->count == hashes->room) {
		struct wanted *more;

		hashes->room = hashes->room ? hashes->room * 2 : 4;
		more = ARENA_ARRAY(hashes->arena, hashes->room, struct wanted);
		for (size_t i = 0; i < hashes->count; i++)
			more[i] = hashes->wanted[i];
		hashes->wanted = more;
	}
	hashes->wanted[hashes->count] = *new;
	return hashes->count++;
}

size_t body_hashes_want(struct body_hashes *hashes,
    enum dkim_canonicalization canonicalization, uint64_t length)
{
	struct stream *stream = &hashes->streams[canonicalization];
	struct wanted new = {canonicalization, length, {{0}}};
	size_t number;

	require(!hashes->started && !hashes->finished);
	for (size_t i = 0; i < hashes->count; i++)
		if (hashes->wanted[i].canonicalization == canonicalization &&
		    hashes->wanted[i].length == length)
			return i;
	if (!stream->hash)
		stream->hash = crypto_hash_new(hashes->arena);
	number = add_wanted(hashes, &new);
	add_limit(hashes, stream, number);
	return number;
}

static void take_digest(
    struct body_hashes *hashes, struct stream *stream, struct limit *limit)
{
	hashes->wanted[limit->number].digest = crypto_hash_digest(
	    stream->hash, SLICE(""));
	stream->open = limit->next;
}

/* Hashes octets of the canonical body; stops at each limit for its digest. */
static void hash_octets(
    struct body_hashes *hashes, struct stream *stream, struct slice octets)
{
	while (octets.len && stream->open) {
		uint64_t room = stream->open->length - stream->length;
		size_t count = octets.len < room ? octets.len : (size_t)room;

		crypto_hash_add(stream->hash, slice_sub(octets, 0, count));
		stream->length += count;
		octets = slice_from_pos(octets, count);
		if (count == room)
			take_digest(hashes, stream, stream->open);
	}
	stream->length += octets.len;
}

static void hash_line_ends(struct body_hashes *hashes, struct stream *stream)
{
	static const char block[] = "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n"
				    "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n";
	enum { LINES = (sizeof(block) - 1) / 2 };

	while (stream->line_ends) {
		size_t lines = stream->line_ends < LINES
				   ? (size_t)stream->line_ends
				   : LINES;

		hash_octets(hashes, stream, slice_of(block, lines * 2));
		stream->line_ends -= lines;
	}
}

/* Content that follows proves that what was held back counts. */
static void hash_content(
    struct body_hashes *hashes, struct stream *stream, struct slice content)
{
	hash_line_ends(hashes, stream);
	if (stream->white_space) {
		hash_octets(hashes, stream, SLICE(" "));
		stream->white_space = false;
	}
	hash_octets(hashes, stream, content);
}

/* A CR was held back: is it the first half of a line end?  Then takes the
 * second half from piece. */
static void resolve_cr(
    struct body_hashes *hashes, struct stream *stream, struct slice *piece)
{
	stream->after_cr = false;
	if (piece->len && piece->ptr[0] == '\n') {
		stream->line_ends++;
		stream->white_space = false;
		*piece = slice_from_pos(*piece, 1);
		return;
	}
	hash_content(hashes, stream, SLICE("\r"));
}

/* The length of piece without the line ends, and the CR, that end it. */
static size_t before_line_ends(struct slice piece)
{
	size_t len = piece.len;

	for (;;) {
		if (len >= 1 && piece.ptr[len - 1] == '\r')
			len -= 1;
		else if (len >= 2 && piece.ptr[len - 1] == '\n' &&
			 piece.ptr[len - 2] == '\r')
			len -= 2;
		else
			return len;
	}
}

/* Line ends and bare CRs alone, from the start of piece. */
static struct slice take_line_ends(
    struct body_hashes *hashes, struct stream *stream, struct slice piece)
{
	while (piece.len) {
		if (stream->after_cr) {
			resolve_cr(hashes, stream, &piece);
			continue;
		}
		if (piece.ptr[0] != '\r')
			break;
		stream->after_cr = true;
		piece = slice_from_pos(piece, 1);
	}
	return piece;
}

/* RFC 6376 section 3.4.3: only the empty lines at the end change. */
static void add_simple(
    struct body_hashes *hashes, struct stream *stream, struct slice piece)
{
	size_t content;

	piece = take_line_ends(hashes, stream, piece);
	content = before_line_ends(piece);
	if (content)
		hash_content(hashes, stream, slice_sub(piece, 0, content));
	take_line_ends(hashes, stream, slice_from_pos(piece, content));
}

/* Does relaxed canonicalization change c when next follows it?  A lone space
 * between words stays; so do CR LFs inside the text.  Without branches, so
 * that compilers make vectors of it. */
static unsigned char is_changed(char c, char next)
{
	return (unsigned char)((c == '\t') |
			       ((c == ' ') & ((next == ' ') | (next == '\t') |
						 (next == '\r'))));
}

enum { BLOCK = 32 };

static bool block_is_clean(const char *bytes)
{
	unsigned char changed = 0;

	for (size_t i = 0; i < BLOCK; i++)
		changed |= is_changed(bytes[i], bytes[i + 1]);
	return !changed;
}

/* How much of piece, from its start, stays as it is; the rest starts with
 * white space that changes, or that ends the piece. */
static size_t unchanged_length(struct slice piece)
{
	size_t at = 0, last = piece.len - 1;

	while (at + BLOCK <= last && block_is_clean(piece.ptr + at))
		at += BLOCK;
	while (at < last && !is_changed(piece.ptr[at], piece.ptr[at + 1]))
		at++;
	if (at == last && !ascii_is_wsp(piece.ptr[last]))
		at++;
	return at;
}

/* RFC 6376 section 3.4.4: white space at the end of a line goes, elsewhere it
 * becomes one space; empty lines at the end go. */
static void add_relaxed(
    struct body_hashes *hashes, struct stream *stream, struct slice piece)
{
	for (;;) {
		size_t count = 0;

		piece = take_line_ends(hashes, stream, piece);
		if (!piece.len)
			return;
		while (count < piece.len && ascii_is_wsp(piece.ptr[count]))
			count++;
		if (count) {
			stream->white_space = true;
		} else {
			/* Its first byte is neither CR nor white space, so
			 * that at least this one is hashed. */
			count = before_line_ends(
			    slice_sub(piece, 0, unchanged_length(piece)));
			hash_content(
			    hashes, stream, slice_sub(piece, 0, count));
		}
		piece = slice_from_pos(piece, count);
	}
}

void body_hashes_add(struct body_hashes *hashes, struct slice piece)
{
	require(!hashes->finished);
	hashes->started = true;
	if (hashes->streams[CANON_SIMPLE].hash)
		add_simple(hashes, &hashes->streams[CANON_SIMPLE], piece);
	if (hashes->streams[CANON_RELAXED].hash)
		add_relaxed(hashes, &hashes->streams[CANON_RELAXED], piece);
}

static void finish(struct body_hashes *hashes, struct stream *stream,
    enum dkim_canonicalization canonicalization)
{
	if (!stream->hash)
		return;
	if (stream->after_cr)
		resolve_cr(hashes, stream, &(struct slice){NULL, 0});
	/* One CR LF ends the body, whether or not one was there; an empty
	 * body is CR LF if simple, and stays empty if relaxed. */
	if (canonicalization == CANON_SIMPLE || stream->length > 0)
		hash_octets(hashes, stream, SLICE("\r\n"));
	while (stream->open)
		take_digest(hashes, stream, stream->open);
}

void body_hashes_finish(struct body_hashes *hashes)
{
	if (hashes->finished)
		return;
	finish(hashes, &hashes->streams[CANON_SIMPLE], CANON_SIMPLE);
	finish(hashes, &hashes->streams[CANON_RELAXED], CANON_RELAXED);
	hashes->finished = true;
}

struct slice body_hashes_digest(const struct body_hashes *hashes, size_t number)
{
	require(hashes->finished && number < hashes->count);
	return crypto_digest_slice(&hashes->wanted[number].digest);
}

uint64_t body_hashes_length(const struct body_hashes *hashes, size_t number)
{
	require(hashes->finished && number < hashes->count);
	return hashes->streams[hashes->wanted[number].canonicalization].length;
}
