/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/client.h"

#include <poll.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "smtp/client_tls.h"
#include "smtp/connect.h"
#include "smtp/proxy_header.h"
#include "smtp/stream.h"

enum {
	CONNECT_MS = 30 * 1000,
	RESET_MS = 5000,
	QUIT_MS = 200,
	LAST_WORDS_MS = 1000,
};

struct smtp_client {
	const struct smtp_client_settings *settings;
	struct arena *arena;   /* the connection's */
	struct arena *replies; /* since smtp_client_forget */
	struct smtp_endpoint endpoint;
	struct stream *stream;
	struct smtp_capabilities capabilities;
	bool verified, broken;
	enum smtp_client_stage stage; /* while it is opened */
	struct deadline end;
	struct smtp_client_state state;
};

const struct smtp_endpoint *smtp_client_endpoint(
    const struct smtp_client *client)
{
	return &client->endpoint;
}

const struct smtp_capabilities *smtp_client_capabilities(
    const struct smtp_client *client)
{
	return &client->capabilities;
}

const struct limits *smtp_client_limits(const struct smtp_client *client)
{
	return client->settings->limits;
}

struct smtp_client_state *smtp_client_state(struct smtp_client *client)
{
	return &client->state;
}

bool smtp_client_is_tls(const struct smtp_client *client)
{
	return stream_ssl(client->stream) != NULL;
}

bool smtp_client_is_private(const struct smtp_client *client)
{
	return client->verified || client->endpoint.path.len ||
	       ip_is_loopback(&client->endpoint.ip);
}

bool smtp_client_is_broken(const struct smtp_client *client)
{
	return client->broken;
}

/* Whatever can be read is the end of the connection, or 421. */
bool smtp_client_is_idle(const struct smtp_client *client)
{
	struct pollfd poller = {
	    .fd = stream_fd(client->stream), .events = POLLIN};

	return !client->broken && !stream_has_input(client->stream) &&
	       poll(&poller, 1, 0) == 0;
}

struct deadline smtp_client_deadline(const struct smtp_client *client)
{
	return deadline_min(client->end,
	    deadline_in((int64_t)client->settings->limits->next_hop_timeout));
}

void smtp_client_set_end(struct smtp_client *client, struct deadline end)
{
	client->end = end;
}

void smtp_client_drop(struct smtp_client *client)
{
	if (!client)
		return;
	if (client->stream)
		stream_free(client->stream);
	arena_free(client->replies);
	arena_free(client->arena);
	memory_free(client);
}

void smtp_client_quit(struct smtp_client *client)
{
	if (client && !client->broken &&
	    smtp_client_send(client, SLICE("QUIT"), false, NULL) &&
	    stream_flush(client->stream, deadline_in(QUIT_MS), NULL))
		stream_say_goodbye(client->stream);
	smtp_client_drop(client);
}

void smtp_client_shrink(struct smtp_client *client)
{
	smtp_client_forget(client);
	stream_shrink(client->stream);
}

void smtp_client_forget(struct smtp_client *client)
{
	arena_reset(client->replies);
}

static bool failed(struct smtp_client *client, struct err *err)
{
	client->broken = true;
	return err_prefix(err, "%.*s", SLICE_ARGS(client->endpoint.key));
}

static bool is_over(struct err *err)
{
	return err_set(err, E_CLOSED, "the connection is over");
}

bool smtp_client_write(struct smtp_client *client, struct slice bytes,
    struct deadline deadline, struct err *err)
{
	if (client->broken)
		return is_over(err);
	return stream_write(client->stream, bytes, deadline, err) ||
	       failed(client, err);
}

static bool is_clean(char byte)
{
	return !ascii_is_control(byte);
}

bool smtp_client_send(struct smtp_client *client, struct slice command,
    bool secret, struct err *err)
{
	struct deadline deadline = smtp_client_deadline(client);

	if (!slice_all(command, is_clean))
		return err_set(err, E_SYNTAX, "a control byte in a command");
	log_trace(LOG_TOPIC_NEXT_HOP, "next-hop.command",
	    LOG_S("target", client->endpoint.key),
	    LOG_S("command", secret ? SLICE("(secret)") : command));
	return smtp_client_write(client, command, deadline, err) &&
	       smtp_client_write(client, SLICE("\r\n"), deadline, err);
}

void smtp_client_flush(struct smtp_client *client)
{
	static const struct deadline at_once = {0};
	struct err err;

	if (!client->broken && !stream_flush(client->stream, at_once, &err) &&
	    err.kind != E_TIMEOUT)
		client->broken = true;
}

static bool read_reply(struct smtp_client *client, struct deadline deadline,
    struct smtp_reply *ret, struct err *err)
{
	struct smtp_reply reply = {0};
	bool complete = false;
	struct slice line;

	while (!complete) {
		if (!stream_read_line(client->stream, REPLY_LINE_MAX + 2,
			deadline, &line, err) ||
		    !reply_add_line(
			client->replies, &reply, line, &complete, err))
			return failed(client, err);
		log_trace(LOG_TOPIC_NEXT_HOP, "next-hop.reply",
		    LOG_S("target", client->endpoint.key),
		    LOG_S("line", slice_trim(line)));
	}
	metrics_count_reply(METRIC_NEXT_HOP_REPLIES, reply.code);
	client->state.refusals += reply.code >= 400;
	/* It closes now, whatever else is asked. */
	if (reply_is_closing(&reply))
		client->broken = true;
	*ret = reply;
	return true;
}

bool smtp_client_receive(struct smtp_client *client, struct deadline deadline,
    struct smtp_reply *ret, struct err *err)
{
	deadline = deadline_min(deadline, client->end);
	if (client->broken)
		return is_over(err);
	if (!stream_flush(client->stream, deadline, err))
		return failed(client, err);
	return read_reply(client, deadline, ret, err);
}

bool smtp_client_last_words(struct smtp_client *client, struct smtp_reply *ret)
{
	client->broken = true;
	return read_reply(client, deadline_in(LAST_WORDS_MS), ret, NULL);
}

bool smtp_client_command(struct smtp_client *client, struct slice command,
    struct smtp_reply *ret, struct err *err)
{
	smtp_client_forget(client);
	return smtp_client_send(client, command, false, err) &&
	       smtp_client_receive(
		   client, smtp_client_deadline(client), ret, err);
}

bool smtp_client_reset(struct smtp_client *client, struct err *err)
{
	struct smtp_reply reply;

	smtp_client_forget(client);
	if (!smtp_client_send(client, SLICE("RSET"), false, err) ||
	    !smtp_client_receive(client, deadline_in(RESET_MS), &reply, err))
		return false;
	if (!reply_is_ok(&reply)) {
		client->broken = true;
		return err_set(err, E_TEMP, "RSET was refused: %d", reply.code);
	}
	client->state.in_transaction = false;
	return true;
}

static bool say_refusal(const struct smtp_client *client, const char *what,
    const struct smtp_reply *reply, struct err *err)
{
	struct slice text = reply->line_count ? reply->lines[0] : SLICE("");

	err_set(
	    err, E_TEMP, "%s: %d %.*s", what, reply->code, SLICE_ARGS(text));
	return err_prefix(err, "%.*s", SLICE_ARGS(client->endpoint.key));
}

static bool refused(struct smtp_client *client, const char *what,
    const struct smtp_reply *reply, struct err *err)
{
	client->broken = true;
	return say_refusal(client, what, reply, err);
}

static bool say_hello(struct smtp_client *client, struct err *err)
{
	struct slice name = client->settings->hostname;
	struct smtp_reply reply;

	if (!smtp_client_command(client,
		arena_format_slice(client->arena, "%s %.*s",
		    client->endpoint.lmtp ? "LHLO" : "EHLO", SLICE_ARGS(name)),
		&reply, err))
		return false;
	if (reply_is_ok(&reply)) {
		client->capabilities = capabilities_parse(&reply);
		return true;
	}
	/* RFC 5321 section 3.2: an old server. */
	if (reply.code / 100 != 5 || client->endpoint.lmtp)
		return refused(client, "EHLO", &reply, err);
	client->capabilities = (struct smtp_capabilities){0};
	if (!smtp_client_command(client,
		arena_format_slice(
		    client->arena, "HELO %.*s", SLICE_ARGS(name)),
		&reply, err))
		return false;
	return reply_is_ok(&reply) || refused(client, "HELO", &reply, err);
}

static bool shake_hands(struct smtp_client *client, struct err *err)
{
	const struct smtp_endpoint *endpoint = &client->endpoint;
	int64_t time = (int64_t)client->settings->limits->tls_timeout;
	struct deadline deadline = deadline_min(client->end, deadline_in(time));
	bool verify = endpoint->tls == NEXT_HOP_TLS_MUST;
	struct err reason = {0};
	struct ssl_st *ssl;

	if (!client_tls_start(client->settings->tls, verify, endpoint->tls_ca,
		endpoint->host, &ssl, err))
		return failed(client, err);
	if (stream_start_tls(client->stream, ssl, deadline, &reason)) {
		client->verified = verify;
		return true;
	}
	err_set(err, reason.kind, "%s %s", reason.text,
	    client_tls_problem(stream_ssl(client->stream)));
	return failed(client, err);
}

/* *ret_handshake_failed: the peer may be fine without TLS. */
static bool start_tls(
    struct smtp_client *client, bool *ret_handshake_failed, struct err *err)
{
	bool must = client->endpoint.tls == NEXT_HOP_TLS_MUST;
	struct smtp_reply reply;

	if (client->endpoint.tls == NEXT_HOP_TLS_OFF ||
	    client->endpoint.path.len)
		return true;
	client->stage = STAGE_TLS;
	if (!capabilities_have(&client->capabilities, CAP_STARTTLS)) {
		if (!must)
			return true;
		err_set(err, E_TEMP, "STARTTLS is required and not offered");
		return failed(client, err);
	}
	if (!smtp_client_command(client, SLICE("STARTTLS"), &reply, err))
		return false;
	if (reply.code != 220) {
		if (must || reply_is_closing(&reply))
			return refused(client, "STARTTLS", &reply, err);
		say_refusal(client, "STARTTLS", &reply, err);
		client->state.tls_failed = true;
		return true;
	}
	/* What it offered before counts no more (RFC 3207 section 4.2). */
	client->capabilities = (struct smtp_capabilities){0};
	if (!shake_hands(client, err)) {
		*ret_handshake_failed = true;
		return false;
	}
	client->stage = STAGE_GREETING;
	return say_hello(client, err);
}

static bool greet(struct smtp_client *client,
    const struct envelope_client *about, bool *ret_handshake_failed,
    struct err *err)
{
	const struct smtp_endpoint *endpoint = &client->endpoint;
	struct deadline deadline = smtp_client_deadline(client);
	struct smtp_reply reply = {0};

	if (endpoint->proxy_protocol) {
		client->state.proxied = true;
		if (!smtp_client_write(client,
			proxy_header(client->arena, endpoint->proxy_protocol,
			    about, &endpoint->ip, endpoint->port),
			deadline, err))
			return false;
	}
	if (!smtp_client_receive(client, deadline, &reply, err))
		return false;
	if (reply.code != 220)
		return refused(client, "greeting", &reply, err);
	return say_hello(client, err) &&
	       start_tls(client, ret_handshake_failed, err);
}

static void copy_endpoint(
    struct smtp_client *client, const struct smtp_endpoint *endpoint)
{
	struct arena *arena = client->arena;

	client->endpoint = *endpoint;
	client->endpoint.host = arena_slice(arena, endpoint->host);
	client->endpoint.path = arena_slice(arena, endpoint->path);
	client->endpoint.tls_ca = arena_slice(arena, endpoint->tls_ca);
	client->endpoint.key = arena_slice(arena, endpoint->key);
}

static bool connect_endpoint(const struct smtp_endpoint *endpoint,
    struct deadline deadline, int *ret_fd, struct err *err)
{
	deadline = deadline_min(deadline, deadline_in(CONNECT_MS));
	return (endpoint->path.len
		       ? connect_unix(endpoint->path, deadline, ret_fd, err)
		       : connect_tcp(&endpoint->ip, endpoint->port, deadline,
			     ret_fd, err)) ||
	       err_prefix(err, "%.*s", SLICE_ARGS(endpoint->key));
}

static bool open_once(const struct smtp_client_settings *settings,
    const struct smtp_endpoint *endpoint, const struct envelope_client *about,
    struct deadline deadline, struct smtp_client **ret,
    enum smtp_client_stage *ret_stage, bool *ret_handshake_failed,
    struct err *err)
{
	struct smtp_client *client;
	int fd;

	*ret_stage = STAGE_CONNECT;
	if (!connect_endpoint(endpoint, deadline, &fd, err))
		return false;
	client = MEMORY_NEW(struct smtp_client);
	client->settings = settings;
	client->arena = arena_new(1024);
	client->replies = arena_new(1024);
	client->stream = stream_new(fd);
	client->stage = STAGE_GREETING;
	client->end = deadline;
	copy_endpoint(client, endpoint);
	if (!greet(client, about, ret_handshake_failed, err)) {
		*ret_stage = client->stage;
		smtp_client_quit(client);
		return false;
	}
	client->state.refusals = 0; /* EHLO may be one */
	client->end = DEADLINE_NEVER;
	*ret = client;
	return true;
}

bool smtp_client_open(const struct smtp_client_settings *settings,
    const struct smtp_endpoint *endpoint, const struct envelope_client *client,
    struct deadline deadline, struct smtp_client **ret,
    enum smtp_client_stage *ret_stage, struct err *err)
{
	bool handshake_failed = false;
	struct smtp_endpoint plain;
	struct err again = {0};

	if (open_once(settings, endpoint, client, deadline, ret, ret_stage,
		&handshake_failed, err))
		return true;
	if (!handshake_failed || endpoint->tls != NEXT_HOP_TLS_MAY)
		return false;
	plain = *endpoint;
	plain.tls = NEXT_HOP_TLS_OFF;
	if (!open_once(settings, &plain, client, deadline, ret, ret_stage,
		&handshake_failed, &again)) {
		*err = again;
		return false;
	}
	(*ret)->state.tls_failed = true;
	return true;
}
