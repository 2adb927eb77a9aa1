/* SPDX-License-Identifier: Apache-2.0 */
/* conf/problems.h - everything wrong with a file, collected in its order.
 *
 * A problem has a place, the key it is about and one line of text: what is
 * wrong; what is right.  Once there are PROBLEMS_MAX errors more are counted,
 * not kept.
 */
#ifndef CONF_PROBLEMS_H
#define CONF_PROBLEMS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"
#include "conf/config.h"

enum { PROBLEMS_MAX = 100 };

/* 1-based, as editors count; columns are characters. */
struct place {
	unsigned int line, column;
};

struct problem {
	struct place place;
	const char *key; /* "listeners[0].name", or "" */
	struct slice text;
};

struct problem_list {
	size_t count; /* seen */
	size_t kept;
	struct problem items[PROBLEMS_MAX];
};

struct problems {
	struct arena *arena; /* owns the texts */
	const char *file;    /* as the administrator named it */
	struct problem_list errors, warnings;
};

struct problems *problems_new(struct arena *arena, const char *file);

/* key may be NULL or "". */
void problems_error(struct problems *problems, struct place place,
    const char *key, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void problems_warning(struct problems *problems, struct place place,
    const char *key, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Whether an error is about key or something in it. */
bool problems_about(const struct problems *problems, const char *key);

/* A foreign text for a message: quoted, cleaned and cut. */
const char *problems_quote(struct arena *arena, struct slice text);

/* What the callers of config_load see, sorted by place. */
void problems_export(struct problems *problems, struct config_problems *ret);

/* The first error as E_CONFIG; returns false. */
bool problems_first(struct problems *problems, struct err *err);

#endif
