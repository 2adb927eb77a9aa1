/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/delivery_private.h"

#include "base/log.h"
#include "smtp/client.h"

static void release_session(void *object)
{
	struct delivery_session *session = object;

	smtp_client_quit(session->authenticated);
	next_hop_pool_release(session->pool);
}

void delivery_session_wait(
    struct delivery_session *session, const struct delivery_waiter *waiter)
{
	static const struct delivery_waiter nobody = {
	    .dot_by = {INT64_MAX}, .until = {INT64_MAX}};

	session->waiter = waiter ? *waiter : nobody;
}

struct delivery_session *delivery_session_new(struct arena *arena,
    struct next_hop_pool *pool, const struct envelope_client *client)
{
	struct delivery_session *session = ARENA_NEW(
	    arena, struct delivery_session);

	session->arena = arena;
	session->pool = next_hop_pool_hold(pool);
	session->client = client;
	delivery_session_wait(session, NULL);
	arena_defer(arena, release_session, session);
	return session;
}

static struct smtp_reply_text reply_cannot_login(void)
{
	return (struct smtp_reply_text){454, SLICE("4.7.0"),
	    SLICE("your login cannot be checked now, try again later")};
}

static struct smtp_reply_text put_off_login(
    const struct delivery_session *session, const struct err *err)
{
	char ip[IP_TEXT_MAX];

	log_warning("smtp.login_deferred",
	    LOG_T("client_ip", ip_format(&session->client->ip, ip)),
	    LOG_S("listener", session->client->listener), LOG_ERR(err));
	return reply_cannot_login();
}

struct smtp_reply_text delivery_session_authenticate(
    struct delivery_session *session, struct arena *arena,
    const struct conf_route *route,
    const struct delivery_credentials *credentials)
{
	struct next_hop_request request = {.route = route,
	    .client = session->client,
	    .fresh = true,
	    .until = DEADLINE_NEVER};
	struct smtp_client *client;
	struct smtp_reply_text text;
	struct smtp_reply answer;
	struct err err;

	if (route->kind != NEXT_HOP_SMTP && route->kind != NEXT_HOP_LMTP) {
		err_set(
		    &err, E_CONFIG, "the route of logins leads to no server");
		return put_off_login(session, &err);
	}
	/* next-hop.away says why. */
	if (!next_hop_pool_get(session->pool, arena, &request, &client, &text))
		return reply_cannot_login();
	smtp_client_state(client)->authenticated = true;
	if (!client_auth(client, credentials, &answer, &err)) {
		smtp_client_quit(client);
		return put_off_login(session, &err);
	}
	if (answer.code == 235) {
		smtp_client_quit(session->authenticated);
		session->authenticated = client;
		session->authenticated_route = arena_slice(
		    session->arena, route->text);
		return (struct smtp_reply_text){
		    235, SLICE("2.7.0"), SLICE("welcome")};
	}
	smtp_client_quit(client);
	/* The next hop's words could tell users from passwords. */
	if (answer.code == 535 || answer.code == 534 || answer.code == 501)
		return (struct smtp_reply_text){
		    535, SLICE("5.7.8"), SLICE("login refused")};
	err_set(&err, E_TEMP, "the next hop answers %d", answer.code);
	return put_off_login(session, &err);
}

void delivery_session_forget_login(struct delivery_session *session)
{
	smtp_client_quit(session->authenticated);
	session->authenticated = NULL;
	session->authenticated_route = SLICE("");
}
