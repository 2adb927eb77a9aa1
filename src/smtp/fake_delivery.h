/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/fake_delivery.h - for tests of sessions: a next hop without a network.
 *
 *	unknown@...	550 5.1.1 at RCPT
 *	other@...	452 4.5.3 at RCPT
 *	later@...	452 4.2.2 at RCPT
 *	moved@...	251 at RCPT: taken
 *	full@...	452 4.2.2 after DATA, for this recipient alone
 *	busy@...	421 at RCPT
 *	slow@...	250 at RCPT, after a second
 *	gone@...	421 after DATA, for all
 *	held@...	no reply after DATA until fake_delivery_let_go
 * User "ann" with password "secret" may log in.
 */
#ifndef SMTP_FAKE_DELIVERY_H
#define SMTP_FAKE_DELIVERY_H

#include "base/arena.h"
#include "base/slice.h"

/* A copy of the message that was delivered last; any thread. */
struct slice fake_delivered(struct arena *arena);

/* Who got it: addresses with blanks between. */
struct slice fake_recipients(struct arena *arena);

/* The same of all messages since fake_delivery_hold, one a line. */
struct slice fake_all_recipients(struct arena *arena);

/* So many messages in all; and so many were announced. */
unsigned int fake_delivery_count(void);
unsigned int fake_announced_count(void);

/* For so many recipients it was asked. */
unsigned int fake_asked_count(void);

/* How long it takes to free a pool, when nobody uses it any more. */
void fake_pool_takes(unsigned int milliseconds);

/* As at the beginning. */
void fake_delivery_hold(void);
bool fake_delivery_is_held(void);
void fake_delivery_let_go(void);

#endif
