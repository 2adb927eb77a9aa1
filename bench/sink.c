/* SPDX-License-Identifier: Apache-2.0 */
/* A next hop that takes everything and keeps nothing.
 *
 *	sink PORT
 *
 * One thread.  SIGTERM: says how many messages and octets came, and ends.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/slice.h"

enum { EVENTS = 64, INPUT_MAX = 256 * 1024, LINE_MAX_LEN = 4096, KEEP = 4 };

struct client {
	int fd;
	bool in_data;
	size_t len; /* of line, or of the last octets of content */
	char line[LINE_MAX_LEN];
};

struct sink {
	int epoll, listener, signals;
	unsigned long long messages, octets;
	char input[INPUT_MAX];
	char output[LINE_MAX_LEN];
	size_t output_len;
};

static void say(struct sink *sink, const char *text)
{
	size_t len = strlen(text);

	if (sink->output_len + len > sizeof(sink->output))
		return;
	memcpy(sink->output + sink->output_len, text, len);
	sink->output_len += len;
}

static const struct {
	struct slice verb;
	const char *reply;
} replies[] = {
    {SLICE_INIT("EHLO"), "250-sink.example\r\n250-PIPELINING\r\n"
			 "250-8BITMIME\r\n250-SIZE\r\n250 SMTPUTF8\r\n"},
    {SLICE_INIT("LHLO"), "250-sink.example\r\n250 PIPELINING\r\n"},
    {SLICE_INIT("DATA"), "354 go on\r\n"},
    {SLICE_INIT("QUIT"), "221 bye\r\n"},
};

/* False: the client says goodbye. */
static bool take_command(
    struct sink *sink, struct client *client, struct slice line)
{
	for (size_t i = 0; i < sizeof(replies) / sizeof(*replies); i++)
		if (slice_starts_nocase(line, replies[i].verb)) {
			say(sink, replies[i].reply);
			client->in_data = slice_starts_nocase(
			    line, SLICE("DATA"));
			return !slice_starts_nocase(line, SLICE("QUIT"));
		}
	say(sink, "250 2.0.0 ok\r\n");
	return true;
}

static void remember(struct client *client, struct slice octets)
{
	octets = slice_sub(octets, 0, LINE_MAX_LEN - client->len);
	memcpy(client->line + client->len, octets.ptr, octets.len);
	client->len += octets.len;
}

/* Content ends with CR LF . CR LF; client->line has the octets before. */
static struct slice take_content(
    struct sink *sink, struct client *client, struct slice in)
{
	static const struct slice end = SLICE_INIT("\r\n.\r\n");
	char joint[2 * KEEP];
	size_t before = client->len, head = in.len < KEEP ? in.len : KEEP, at;

	memcpy(joint, client->line, before);
	memcpy(joint + before, in.ptr, head);
	at = slice_find_slice(slice_of(joint, before + head), end);
	if (at < before + head) {
		at = at + end.len - before;
	} else {
		at = slice_find_slice(in, end);
		at = at < in.len ? at + end.len : 0;
	}
	if (at) {
		sink->messages++;
		sink->octets += at;
		client->in_data = false;
		client->len = 0;
		say(sink, "250 2.0.0 taken\r\n");
		return slice_from_pos(in, at);
	}
	sink->octets += in.len;
	client->len = before + head < KEEP ? before + head : KEEP;
	if (in.len >= KEEP)
		memcpy(client->line, in.ptr + in.len - KEEP, KEEP);
	else
		memcpy(client->line, joint + before + head - client->len,
		    client->len);
	return slice_of(NULL, 0);
}

/* False: over. */
static bool take(struct sink *sink, struct client *client, struct slice in)
{
	while (in.len) {
		size_t end;

		if (client->in_data) {
			in = take_content(sink, client, in);
			continue;
		}
		end = slice_find(in, '\n');
		remember(client, slice_sub(in, 0, end));
		if (end == in.len)
			return true;
		in = slice_from_pos(in, end + 1);
		if (!take_command(
			sink, client, slice_of(client->line, client->len)))
			return false;
		client->len = 0;
		/* The empty line counts: content may be a dot alone. */
		if (client->in_data) {
			memcpy(client->line, "\r\n", 2);
			client->len = 2;
		}
	}
	return true;
}

static bool flush(struct sink *sink, const struct client *client)
{
	ssize_t sent = 0;

	if (sink->output_len)
		sent = send(
		    client->fd, sink->output, sink->output_len, MSG_NOSIGNAL);
	sink->output_len = 0;
	return sent >= 0;
}

static void serve(struct sink *sink, struct client *client)
{
	ssize_t count = recv(client->fd, sink->input, INPUT_MAX, 0);
	bool goes_on;

	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	goes_on = count > 0 &&
		  take(sink, client, slice_of(sink->input, (size_t)count));
	if (flush(sink, client) && goes_on)
		return;
	close(client->fd);
	memory_free(client);
}

static void welcome(struct sink *sink)
{
	int yes = 1;
	int fd = accept4(
	    sink->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct client *client;
	struct epoll_event event = {.events = EPOLLIN};

	if (fd < 0)
		return;
	client = MEMORY_NEW(struct client);
	client->fd = fd;
	event.data.ptr = client;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	epoll_ctl(sink->epoll, EPOLL_CTL_ADD, fd, &event);
	say(sink, "220 sink.example ESMTP\r\n");
	flush(sink, client);
}

static bool listen_on(struct sink *sink, uint64_t port)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET,
	    .sin_port = htons((uint16_t)port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct epoll_event event = {.events = EPOLLIN};
	sigset_t signals;
	int yes = 1;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	sink->epoll = epoll_create1(EPOLL_CLOEXEC);
	sink->signals = signalfd(-1, &signals, SFD_CLOEXEC);
	event.data.ptr = &sink->signals;
	epoll_ctl(sink->epoll, EPOLL_CTL_ADD, sink->signals, &event);
	sink->listener = socket(
	    AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(sink->listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	event.data.ptr = &sink->listener;
	epoll_ctl(sink->epoll, EPOLL_CTL_ADD, sink->listener, &event);
	return bind(sink->listener, (struct sockaddr *)&address,
		   sizeof(address)) == 0 &&
	       listen(sink->listener, SOMAXCONN) == 0;
}

/* False: asked to end. */
static bool run_once(struct sink *sink)
{
	struct epoll_event events[EVENTS];
	int count = epoll_wait(sink->epoll, events, EVENTS, -1);

	for (int i = 0; i < count; i++) {
		if (events[i].data.ptr == &sink->signals)
			return false;
		if (events[i].data.ptr == &sink->listener)
			welcome(sink);
		else
			serve(sink, events[i].data.ptr);
	}
	return true;
}

int main(int argc, char **argv)
{
	struct sink *sink = MEMORY_NEW(struct sink);
	uint64_t port;

	if (argc != 2 ||
	    !slice_to_u64(slice_from(argv[1]), UINT16_MAX, &port)) {
		fputs("usage: sink PORT\n", stderr);
		return 2;
	}
	if (!listen_on(sink, port)) {
		perror("sink");
		return 2;
	}
	while (run_once(sink))
		;
	printf("{\"messages\":%llu,\"octets\":%llu}\n", sink->messages,
	    sink->octets);
	memory_free(sink);
	return 0;
}
