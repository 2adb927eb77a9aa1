/* SPDX-License-Identifier: Apache-2.0 */
/* Before the first command: PROXY header, TLS handshake, greeting.  STARTTLS
 * comes here, too.
 */
#include "base/log_client.h"
#include "base/metrics.h"
#include "smtp/proxy_protocol.h"
#include "smtp/refusal.h"
#include "smtp/session_private.h"
#include "smtp/tls_server.h"

enum {
	PROXY_TIMEOUT_MS = 10 * 1000,
	LINGER_MS = 20, /* for the whole of it: peers that are near */
};

static void greet_first(struct session *session)
{
	session->greeted = true;
	if (atomic_load(session->shared->draining)) {
		refusal_count(session->shared, SLICE("draining"));
		session_reply(session, 421, "4.3.2", "shutting down");
	} else {
		session_greet(session);
	}
	session_await_command(session);
}

void session_greet(struct session *session)
{
	session_reply(session, 220, NULL, "%.*s ESMTP Gatehouse",
	    SLICE_ARGS(session->config->hostname));
}

/* TLS. */

static bool has_nothing_to_do(struct session *session)
{
	(void)session;
	return false;
}

static void end_handshake(struct session *session)
{
	metrics_count(METRIC_TLS_HANDSHAKES, SLICE("ok"));
	session_forget_client(session);
	tls_server_describe(
	    stream_ssl(session->stream), session->arena, &session->client);
	if (session->greeted)
		session_await_command(session);
	else
		greet_first(session);
}

static bool begin_handshake(struct session *session, struct err *err)
{
	struct ssl_st *ssl = tls_server_accept(
	    session->snapshot->tls[session->listener_index]);

	return ssl ? stream_begin_tls(session->stream, ssl, err)
		   : err_set(err, E_IO, "TLS: no memory");
}

static bool shake_hands(
    struct session *session, struct deadline linger, struct err *err)
{
	if (!stream_ssl(session->stream) && !begin_handshake(session, err))
		return false;
	if (!stream_shake_hands(session->stream, linger, err))
		return false;
	end_handshake(session);
	return true;
}

static void give_up_tls(struct session *session, const struct err *err)
{
	metrics_count(METRIC_TLS_HANDSHAKES, SLICE("failed"));
	log_trace(LOG_TOPIC_SMTP, "smtp.tls", LOG_ERR(err));
	session_hang_up(session, "TLS handshake failed");
}

static const struct session_phase handshake = {
    has_nothing_to_do, shake_hands, give_up_tls, LINGER_MS};

void session_start_tls(struct session *session)
{
	session_enter(session, &handshake,
	    deadline_in((int64_t)session->limits->tls_timeout));
}

/* PROXY header. */

static void begin_dialogue(struct session *session)
{
	if (session->listener->implicit_tls)
		session_start_tls(session);
	else
		greet_first(session);
}

static void refuse(struct session *session, const struct refusal *refusal)
{
	refusal_note(
	    session->shared, refusal, &session->peer, session->listener->name);
	/* A client of implicit TLS could not read it. */
	if (session->listener->implicit_tls)
		session_hang_up(session, refusal->setting);
	else
		session_reply(session, 421, refusal->enhanced, "%s (%s)",
		    refusal->text, refusal->setting);
}

static void take_proxy_header(
    struct session *session, const struct proxy_header *header)
{
	const char *setting;

	if (header->has_source) {
		session->peer = session->client.ip = header->source;
		session->client.port = header->source_port;
		log_client_begin(&session->client.ip, session->client.port);
	}
	setting = rate_connect(
	    session->shared->rate, &session->peer, session->limits);
	if (setting) {
		refuse(session, refusal_find(setting));
		return;
	}
	session->counted = true;
	begin_dialogue(session);
}

static void refuse_without_header(struct session *session)
{
	refusal_count(session->shared, SLICE("proxy_protocol"));
	session_hang_up(session, "no PROXY header");
}

static bool read_proxy_header(struct session *session)
{
	struct proxy_header header;
	size_t length;

	switch (proxy_protocol_parse(
	    stream_buffered(session->stream), &header, &length)) {
	case PROXY_DONE:
		stream_consume(session->stream, length);
		take_proxy_header(session, &header);
		return true;
	case PROXY_BAD: refuse_without_header(session); return true;
	case PROXY_MORE: break;
	}
	return false;
}

static bool fill_for_proxy(
    struct session *session, struct deadline linger, struct err *err)
{
	/* The client's first TLS record may come in the same segment, and has
	 * to be there when the handshake begins. */
	size_t most = session->listener->implicit_tls ? 1 : STREAM_INPUT_MAX;

	return stream_fill_some(session->stream, most, linger, err);
}

static void give_up_proxy(struct session *session, const struct err *err)
{
	/* A balancer that looks whether we are there is not refused. */
	if (err->kind == E_TIMEOUT)
		refuse_without_header(session);
	else
		session_hang_up(session, "no PROXY header");
}

static const struct session_phase proxy = {
    read_proxy_header, fill_for_proxy, give_up_proxy, LINGER_MS, true};

void session_begin(struct session *session)
{
	if (session_in_networks(
		&session->listener->proxy_protocol, &session->peer))
		session_enter(session, &proxy, deadline_in(PROXY_TIMEOUT_MS));
	else
		begin_dialogue(session);
}
