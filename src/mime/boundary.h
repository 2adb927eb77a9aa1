/* SPDX-License-Identifier: Apache-2.0 */
/* mime/boundary.h - the boundaries of the multiparts around a line.
 *
 * RFC 2046 section 5.1.1.  Finding which of them a line is takes time by the
 * line's length, not by their number: each is found by its hash, and the hash
 * of every beginning of the line comes from one pass over it.
 */
#ifndef MIME_BOUNDARY_H
#define MIME_BOUNDARY_H

#include "base/arena.h"
#include "base/slice.h"

/* Longer ones than 70 break the grammar, but readers take them; a line has
 * 998 octets at most. */
enum { BOUNDARY_MAX = 990 };

struct boundary_stack;

struct boundary_stack *boundary_stack_new(struct arena *arena);

/* How many there are; they are numbered from 0, the outermost. */
size_t boundary_count(const struct boundary_stack *stack);

/* boundary has 1 to BOUNDARY_MAX octets, none of them white space at its end,
 * and must stay.  False: one of the same text is open. */
bool boundary_push(struct boundary_stack *stack, struct slice boundary);

/* Its closing delimiter was seen: it stays, but no line opens a part of it. */
void boundary_close(struct boundary_stack *stack, size_t number);
bool boundary_is_closed(const struct boundary_stack *stack, size_t number);

/* Removes the innermost. */
void boundary_pop(struct boundary_stack *stack);

enum boundary_kind {
	BOUNDARY_NONE,
	BOUNDARY_DELIMITER, /* "--boundary" */
	BOUNDARY_CLOSE,	    /* "--boundary--" */
};

struct boundary_match {
	enum boundary_kind kind;
	size_t number;
	/* Another reader may see another one, or any: the line goes on after
	 * an inner boundary (some compare its beginning alone, as the text of
	 * section 5.1.1 allows), or the boundary has been closed. */
	bool ambiguous;
};

/* line begins with "--"; its line end and white space before that are
 * ignored.  The innermost open boundary wins. */
struct boundary_match boundary_match(
    const struct boundary_stack *stack, struct slice line);

#endif
