/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/test_delivery_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

const char message[] = "Subject: x\r\n\r\n.dot\r\n";
const char message_sent[] = "Subject: x\r\n\r\n..dot\r\n.\r\n";

void open_world(struct world *world)
{
	*world = (struct world){.arena = arena_new(0)};
	world->config = config_default();
	world->config->hostname = SLICE("gate.example");
	world->config->limits.next_hop_timeout = HOP_MS;
	world->config->limits.next_hop_data_timeout = HOP_MS;
	world->pool = next_hop_pool_new(world->config, NULL);
	world->session = delivery_session_new(
	    world->arena, world->pool, &world->client);
	world->client.helo = SLICE("client.example");
	assert_true(ip_parse(SLICE("192.0.2.9"), &world->client.ip));
	world->client.port = 999;
	world->envelope = (struct envelope){
	    .id = SLICE("ID1"),
	    .client = &world->client,
	    .mail_from = SLICE("s@a.example"),
	};
	world->route = (struct conf_route){
	    .kind = NEXT_HOP_SMTP,
	    .text = SLICE("smtp:test"),
	    .targets = world->targets,
	};
}

void add_server(
    struct world *world, const char *const *const *scripts, size_t count)
{
	size_t at = world->route.target_count++;

	world->servers[at] = fake_server_start(scripts, count, false);
	world->targets[at] = (struct conf_target){
	    .host = SLICE("127.0.0.1"),
	    .port = fake_server_port(world->servers[at]),
	};
}

void close_world(struct world *world)
{
	if (world->delivery)
		delivery_abort(world->delivery);
	arena_free(world->arena);
	next_hop_pool_release(world->pool);
	config_release(world->config);
	for (size_t i = 0; i < world->route.target_count; i++) {
		const char *problem = fake_server_stop(world->servers[i]);

		if (problem)
			fail_msg("server %zu %s", i, problem);
	}
}

void expect_reply(
    struct world *world, struct smtp_reply_text text, const char *wanted)
{
	const char *line = arena_format(world->arena, "%d %.*s %.*s", text.code,
	    SLICE_ARGS(text.enhanced), SLICE_ARGS(text.text));

	if (strncmp(line, wanted, strlen(wanted)))
		fail_msg("\"%s\" instead of \"%s\"", line, wanted);
}

struct smtp_reply_text ask(struct world *world, const char *address)
{
	struct envelope_recipient recipient = {
	    .address = slice_from(address),
	    .dsn_notify = SLICE("NEVER"),
	};

	if (!world->delivery)
		world->delivery = delivery_new(
		    world->arena, world->session, &world->envelope);
	return delivery_recipient(world->delivery, &world->route, &recipient);
}

struct smtp_reply_text log_in(struct world *world)
{
	const struct delivery_credentials right = {
	    .user = SLICE("u"), .password = SLICE("p")};

	return delivery_session_authenticate(
	    world->session, world->arena, &world->route, &right);
}

struct delivery_result send_text(struct world *world, const char *text)
{
	struct slice piece = slice_from(text);
	struct message_pieces pieces = {1, &piece, piece.len};
	struct delivery_result result = delivery_data(world->delivery, &pieces);

	world->delivery = NULL;
	return result;
}

void announce(struct world *world)
{
	struct slice piece = slice_from(message);

	delivery_announce(
	    world->delivery, &(struct message_pieces){1, &piece, piece.len});
}
