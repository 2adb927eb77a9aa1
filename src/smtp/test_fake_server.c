/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/test_fake_server.h"

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/require.h"
#include "base/test_listen.h"
#include "smtp/stream.h"

enum { PATIENCE_MS = 5000, PROBLEM_MAX = 300, RECORD_MAX = 64 << 20 };

struct fake_server {
	int listener;
	uint16_t port;
	pthread_t thread;
	bool joined, forever;
	const char *const *const *scripts;
	size_t count;
	const char *certificate;
	pthread_mutex_t lock;
	struct buf data, commands;
	char problem[PROBLEM_MAX];
	atomic_size_t connections, running;
	atomic_bool stopping;
};

struct dialogue {
	struct fake_server *server;
	struct stream *stream;
	const char *const *script;
};

static struct deadline patience(void)
{
	return deadline_in(PATIENCE_MS);
}

static bool complain(
    struct fake_server *server, const char *step, struct slice got)
{
	pthread_mutex_lock(&server->lock);
	if (!server->problem[0])
		snprintf(server->problem, PROBLEM_MAX,
		    "at \"%s\": got \"%.*s\"", step, SLICE_ARGS(got));
	pthread_mutex_unlock(&server->lock);
	return false;
}

static void record(
    struct fake_server *server, struct buf *buf, struct slice bytes)
{
	pthread_mutex_lock(&server->lock);
	buf_add(buf, bytes);
	pthread_mutex_unlock(&server->lock);
}

static bool say(struct dialogue *dialogue, const char *text)
{
	return stream_write(
		   dialogue->stream, slice_from(text), patience(), NULL) &&
	       stream_write(
		   dialogue->stream, SLICE("\r\n"), patience(), NULL) &&
	       stream_flush(dialogue->stream, patience(), NULL);
}

static bool hear(struct dialogue *dialogue, struct slice *ret)
{
	struct slice line;
	struct err err;

	if (!stream_read_line(
		dialogue->stream, 8000, patience(), &line, &err)) {
		*ret = SLICE("(nothing)");
		return false;
	}
	*ret = slice_trim(line);
	record(dialogue->server, &dialogue->server->commands, *ret);
	record(dialogue->server, &dialogue->server->commands, SLICE("\n"));
	return true;
}

static bool hear_data(struct dialogue *dialogue, size_t enough)
{
	struct slice line = {0};
	size_t size = 0;

	while (!enough || size < enough) {
		if (!stream_read_line(dialogue->stream, STREAM_INPUT_MAX,
			patience(), &line, NULL))
			return false;
		record(dialogue->server, &dialogue->server->data, line);
		size += line.len;
		if (slice_eq(line, SLICE(".\r\n")))
			return true;
	}
	return true;
}

static void hear_end(struct dialogue *dialogue)
{
	struct slice have;

	while (stream_fill(dialogue->stream, patience(), NULL)) {
		have = stream_buffered(dialogue->stream);
		stream_consume(dialogue->stream, have.len);
	}
}

static bool shake_hands(struct dialogue *dialogue)
{
	const char *path = dialogue->server->certificate;
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	SSL *ssl;
	bool ok;

	require(SSL_CTX_use_certificate_chain_file(context, path) == 1);
	require(
	    SSL_CTX_use_PrivateKey_file(context, path, SSL_FILETYPE_PEM) == 1);
	ssl = SSL_new(context);
	SSL_set_accept_state(ssl);
	ok = stream_start_tls(dialogue->stream, ssl, patience(), NULL);
	SSL_CTX_free(context);
	return ok;
}

static bool say_yes(struct dialogue *dialogue)
{
	struct slice line;

	while (hear(dialogue, &line)) {
		bool data = slice_starts_nocase(line, SLICE("DATA"));
		bool quit = slice_starts_nocase(line, SLICE("QUIT"));

		if (!say(dialogue, data	  ? "354 go"
				   : quit ? "221 bye"
					  : "250 2.0.0 ok"))
			return false;
		if (quit)
			return true;
		if (data && (!hear_data(dialogue, 0) ||
				!say(dialogue, "250 2.0.0 stored")))
			return false;
	}
	return true;
}

static bool take_step(struct dialogue *dialogue, const char *step)
{
	struct slice line, wanted = slice_from(step + (step[1] ? 2 : 1));

	switch (step[0]) {
	case 'S': return say(dialogue, step + 2);
	case 'C':
		return (hear(dialogue, &line) && slice_starts(line, wanted)) ||
		       complain(dialogue->server, step, line);
	case 'D':
		return hear_data(dialogue,
		    step[1] ? (size_t)strtoul(step + 2, NULL, 10) : 0);
	case 'T': return shake_hands(dialogue);
	case 'G': return say(dialogue, "this is no TLS");
	case 'H': hear_end(dialogue); return false;
	case 'A': return say_yes(dialogue);
	default: return false;
	}
}

static void *converse(void *object)
{
	struct dialogue *dialogue = object;
	const char *const *script = dialogue->script;

	while (*script && take_step(dialogue, *script))
		script++;
	stream_free(dialogue->stream);
	atomic_fetch_sub(&dialogue->server->running, 1);
	memory_free(dialogue);
	return NULL;
}

static void start_dialogue(
    struct fake_server *server, int fd, const char *const *script)
{
	struct dialogue *dialogue = MEMORY_NEW(struct dialogue);
	pthread_t thread;

	dialogue->server = server;
	dialogue->stream = stream_new(fd);
	dialogue->script = script;
	atomic_fetch_add(&server->connections, 1);
	atomic_fetch_add(&server->running, 1);
	if (!server->forever) {
		converse(dialogue);
		return;
	}
	require(pthread_create(&thread, NULL, converse, dialogue) == 0);
	pthread_detach(thread);
}

static void *serve(void *object)
{
	struct fake_server *server = object;

	for (size_t i = 0; server->forever || i < server->count; i++) {
		int fd = -1;

		while (
		    !atomic_load(&server->stopping) &&
		    !io_wait(server->listener, POLLIN, deadline_in(50), NULL))
			;
		if (!atomic_load(&server->stopping))
			fd = accept4(server->listener, NULL, NULL,
			    SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0)
			break;
		/* The last one: nobody may wait in the backlog. */
		if (!server->forever && i + 1 == server->count) {
			close(server->listener);
			server->listener = -1;
		}
		start_dialogue(
		    server, fd, server->scripts[server->forever ? 0 : i]);
	}
	while (atomic_load(&server->running))
		usleep(1000);
	return NULL;
}

struct fake_server *fake_server_start(
    const char *const *const *scripts, size_t count, bool forever)
{
	struct fake_server *server = MEMORY_NEW(struct fake_server);
	struct sockaddr_in address;

	server->scripts = scripts;
	server->count = count;
	server->forever = forever;
	buf_init(&server->data, RECORD_MAX);
	buf_init(&server->commands, RECORD_MAX);
	pthread_mutex_init(&server->lock, NULL);
	server->listener = test_listen(0, &address);
	server->port = ntohs(address.sin_port);
	require(pthread_create(&server->thread, NULL, serve, server) == 0);
	return server;
}

void fake_server_use_certificate(struct fake_server *server, const char *path)
{
	server->certificate = path;
}

uint16_t fake_server_port(const struct fake_server *server)
{
	return server->port;
}

struct slice fake_server_data(const struct fake_server *server)
{
	return buf_slice(&server->data);
}

struct slice fake_server_commands(const struct fake_server *server)
{
	return buf_slice(&server->commands);
}

size_t fake_server_connections(const struct fake_server *server)
{
	return atomic_load(&server->connections);
}

void fake_server_wait(struct fake_server *server)
{
	if (!server->joined)
		pthread_join(server->thread, NULL);
	server->joined = true;
}

const char *fake_server_stop(struct fake_server *server)
{
	/* One a thread, for the message of the last failure. */
	static _Thread_local char problem[PROBLEM_MAX];

	atomic_store(&server->stopping, true);
	fake_server_wait(server);
	if (server->listener >= 0)
		close(server->listener);
	memcpy(problem, server->problem, PROBLEM_MAX);
	buf_release(&server->data);
	buf_release(&server->commands);
	pthread_mutex_destroy(&server->lock);
	memory_free(server);
	return problem[0] ? problem : NULL;
}
