/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/fuzz_smtp_hop.h - a next hop for fuzz_smtp_session: on the same thread,
 * saying what the script says, keeping what it was given.
 *
 * Lines of the script, each the answer to one command (or greeting, or message,
 * with LMTP one for each recipient) in the order in which it is asked, over all
 * connections; after the last one, and for "@.", the answer is proper:
 *	@ TEXT	TEXT (with escapes) and CR LF
 *	@- TEXT	TEXT alone, then it closes
 *	@+ TEXT	TEXT and CR LF, unasked, right behind the answer before
 *	@x	closes
 *	@h	falls silent
 *	@r	(instead of a greeting) takes no connection
 */
#ifndef SMTP_FUZZ_SMTP_HOP_H
#define SMTP_FUZZ_SMTP_HOP_H

#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"

struct fuzz_hop;

/* A message that came to its final dot. */
struct fuzz_receipt {
	struct slice content; /* without dot-stuffing */
	size_t recipients;
	size_t kept;   /* for as many 2xx was said */
	bool accepted; /* for all of them */
};

/* Lives in arena.  proxy_protocol: which version precedes the greeting. */
struct fuzz_hop *fuzz_hop_new(
    struct arena *arena, struct slice script, uint64_t proxy_protocol);

/* The gateway connects: its end, or -1. */
int fuzz_hop_connect(struct fuzz_hop *hop);

/* A message that needs no connection (Maildir).  False: the script's next line
 * is other than "@.", and nothing is kept. */
bool fuzz_hop_keep(
    struct fuzz_hop *hop, struct slice content, size_t recipients);

/* True: it did something for the connection whose other end is fd. */
bool fuzz_hop_act(struct fuzz_hop *hop, int fd);

/* After the gateway has closed everything. */
void fuzz_hop_end(struct fuzz_hop *hop);

/* What came before this is in order; false: the script had it say things that
 * nobody asked for, and then nothing it got need make sense. */
bool fuzz_hop_was_honest(const struct fuzz_hop *hop);
/* It was spoken to in LMTP. */
bool fuzz_hop_was_lmtp(const struct fuzz_hop *hop);

const struct fuzz_receipt *fuzz_hop_receipts(
    const struct fuzz_hop *hop, size_t *ret_count);

#endif
