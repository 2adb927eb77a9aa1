/* SPDX-License-Identifier: Apache-2.0 */
/* milter/macros.h - what the MTA tells beside its commands.
 *
 * Macros come before the command that they belong to, and hold until that
 * command, or one that stands before it in a session, comes with macros again.
 * Only those listed here are kept, each up to a length: a longer one counts as
 * not given.
 */
#ifndef MILTER_MACROS_H
#define MILTER_MACROS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

enum macro {
	MACRO_QUEUE_ID, /* i */
	/* Sendmail: OK if the client's name is verified, TEMP if DNS failed. */
	MACRO_CLIENT_RESOLVE,
	MACRO_TLS_VERSION,
	MACRO_CIPHER,
	MACRO_VERIFY, /* Sendmail: OK if the client's certificate is */
	MACRO_CERT_SUBJECT,
	MACRO_CN_SUBJECT,
	MACRO_AUTH_AUTHEN,
	MACRO_AUTH_TYPE,
	MACRO_MAIL_ADDR, /* what MAIL's argument means to the MTA */
	MACRO_RCPT_ADDR, /* what RCPT's does */
	MACRO_COUNT
};

struct macros {
	struct buf values[MACRO_COUNT];
	char commands[MACRO_COUNT]; /* that it was given for; 0: not given */
};

void macros_init(struct macros *macros);
void macros_release(struct macros *macros);

/* The data of an SMFIC_MACRO.  False: E_SYNTAX. */
bool macros_take(struct macros *macros, struct slice data, struct err *err);

/* Empty: not given.  Valid until the next call of the others. */
struct slice macros_get(const struct macros *macros, enum macro macro);

/* Those of this command and of what follows it in a session. */
void macros_forget(struct macros *macros, char command);

#endif
