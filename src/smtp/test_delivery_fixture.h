/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/test_delivery_fixture.h - for tests of deliveries: a route to next hops
 * that follow scripts (test_fake_server.h), and one transaction at a time.
 */
#ifndef SMTP_TEST_DELIVERY_FIXTURE_H
#define SMTP_TEST_DELIVERY_FIXTURE_H

#include "smtp/delivery.h"
#include "smtp/test_fake_server.h"

enum { HOP_MS = 400, SERVERS_MAX = 3 };

#define SCRIPT(...) ((const char *const[]){__VA_ARGS__, NULL})
#define GREETING "S:220 hop.example", "C:EHLO gate.example"
#define HELLO GREETING, "S:250 hop.example"
#define MAIL "C:MAIL FROM:<s@a.example>", "S:250 2.1.0 ok"
#define RCPT "C:RCPT TO:<r@b.example>", "S:250 2.1.5 ok"
#define DATA "C:DATA", "S:354 go", "D"

/* One connection after the other. */
#define SCRIPTS(...) ((const char *const *const[]){__VA_ARGS__})

struct world {
	struct arena *arena;
	struct config *config;
	struct next_hop_pool *pool;
	struct delivery_session *session;
	struct envelope_client client;
	struct envelope envelope;
	struct conf_target targets[SERVERS_MAX];
	struct conf_route route;
	struct fake_server *servers[SERVERS_MAX];
	struct delivery *delivery;
};

void open_world(struct world *world);
void close_world(struct world *world);

/* One target more; so many connections, a script each. */
void add_server(
    struct world *world, const char *const *const *scripts, size_t count);

/* text begins so. */
void expect_reply(
    struct world *world, struct smtp_reply_text text, const char *wanted);

struct smtp_reply_text ask(struct world *world, const char *address);

/* As user "u" with the password "p". */
struct smtp_reply_text log_in(struct world *world);

/* The end of the transaction; what goes over the wire is message_sent. */
struct delivery_result send_text(struct world *world, const char *text);
void announce(struct world *world);

extern const char message[], message_sent[];

#endif
