/* SPDX-License-Identifier: Apache-2.0 */
/* milter/test_stage.h - sessions as scripts, over a socket pair, with a gate
 * whose verdict stands in the message.
 *
 * A line of a script is a packet: ">" to the session, "<" from it; the command
 * letter, then the data, in which '|' is NUL, '~' is CR LF, '^' is LF and
 * "\hh" an octet.  "$" is the end of the connection by the session, "%" that
 * nothing more has come.  Numbers of options are written out by "OPTIONS".
 */
#ifndef MILTER_TEST_STAGE_H
#define MILTER_TEST_STAGE_H

#include "base/buf.h"
#include "milter/milter_session.h"

enum { STAGE_REPLY_MAX = 64 * 1024 };

struct stage {
	struct config *config;
	struct milter_snapshot *snapshot;
	struct milter_session *session;
	int mta;
	atomic_bool draining, committed;
	bool over;
	struct buf heard;
	size_t read; /* of what was heard */
};

void stage_open(struct stage *stage);
void stage_close(struct stage *stage);

/* The session takes what is there; with hear, its answers are kept. */
void stage_run(struct stage *stage);
void stage_hear(struct stage *stage);

/* Octets to the session, and what it answers. */
void stage_say(struct stage *stage, struct slice octets);

/* The octets that a line of a script stands for. */
void stage_translate(struct slice line, struct buf *out);

/* All of a script; what is not as it says fails the test. */
void stage_play(struct stage *stage, const char *script);

/* Version 2: every command is answered.  6: nothing but the end. */
#define AGREE_2                                                                \
	">O\\00\\00\\00\\02\\00\\00\\00\\1f\\00\\00\\00\\7f\n"                 \
	"<O\\00\\00\\00\\02\\00\\00\\00\\1f\\00\\00\\00\\00\n"
#define AGREE_6                                                                \
	">O\\00\\00\\00\\06\\00\\00\\00\\3f\\00\\1f\\ff\\ff\n"                 \
	"<O\\00\\00\\00\\06\\00\\00\\00\\3f\\00\\1f\\f7\\80\n"
#define CLIENT                                                                 \
	">Cmail.example|4|\\19"                                                \
	"192.0.2.1|\n>Hmail.example|\n"
#define ENVELOPE ">M<a@b.example>|\n>R<user@agency.example>|\n"
#define START AGREE_6 CLIENT ENVELOPE

#endif
