/* SPDX-License-Identifier: Apache-2.0 */
/* bench/corpus.h - the messages that make-corpus wrote.
 *
 * Octets are mapped and never copied.
 */
#ifndef BENCH_CORPUS_H
#define BENCH_CORPUS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

enum bench_verdict {
	BENCH_ACCEPT,
	BENCH_REJECT,
	BENCH_DEFER,
	BENCH_FAILED, /* no reply at all */
	BENCH_VERDICTS
};

extern const char *const bench_verdict_names[BENCH_VERDICTS];

struct corpus_message {
	struct slice octets; /* as a milter gets it */
	struct slice kind;   /* "4k" */
	enum bench_verdict expected;
	bool is_rsa;
	struct slice client_ip, helo, sender;
	struct slice recipients; /* one or more, with commas between */
	struct slice prepared;	 /* the protocol's own */
};

struct corpus {
	size_t count;
	struct corpus_message *messages;
};

/* Only messages of this kind; empty: all.  False: E_IO, E_SYNTAX. */
bool corpus_open(struct arena *arena, const char *folder, struct slice kind,
    struct corpus *ret, struct err *err);

/* The part behind the empty line. */
struct slice corpus_body(struct slice octets);

#endif
