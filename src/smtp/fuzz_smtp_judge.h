/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/fuzz_smtp_judge.h - was that SMTP?  A model of its own of what a
 * dialogue means, with a require() for each rule; for fuzz_smtp_client.
 */
#ifndef SMTP_FUZZ_SMTP_JUDGE_H
#define SMTP_FUZZ_SMTP_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"
#include "smtp/fuzz_smtp_hop.h"

struct judge_case {
	struct slice sent, heard;
	uint64_t command_length;
	bool proxied; /* a PROXY header stands first */
	bool cut;     /* the client closed before it had heard all */
	bool deaf;    /* or did not read all that was said */
};

struct judge;

struct judge *judge_new(struct arena *arena, const struct judge_case *given);

/* In this order. */
void judge_replies(struct judge *judge);
void judge_dialogue(struct judge *judge);
void judge_messages(const struct judge *judge, const struct fuzz_hop *hop);

#endif
