/* SPDX-License-Identifier: Apache-2.0 */
/* conf/load.h - from bytes to a snapshot: what config_load is made of. */
#ifndef CONF_LOAD_H
#define CONF_LOAD_H

#include "base/clock.h"
#include "conf/config.h"
#include "conf/problems.h"

struct checker; /* conf/check.h */

/* Looks at things that are named, where conf knows nothing of them. */
typedef void check_more(
    const struct config *config, const struct checker *checker);

struct load_options {
	const char *file;	   /* for messages, and for relative paths */
	struct slice folder;	   /* absolute; where relative paths begin */
	const struct clock *clock; /* NULL: the system's */
	bool check_files;	   /* files that are named must be readable */
	check_more *more;	   /* NULL: nothing */
};

/* A snapshot with one holder; NULL if problems has errors. */
struct config *load_bytes(struct slice bytes,
    const struct load_options *options, struct problems *problems);

/* All fields from their defaults, nothing checked. */
struct config *load_defaults(void);

#endif
