/* SPDX-License-Identifier: Apache-2.0 */
#include "server.h"

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

enum { EVENTS = 64, INPUT_MAX = 256 * 1024 };

struct connection {
	int fd;
	_Alignas(8) char own[];
};

void server_say(struct server *server, struct slice text)
{
	if (text.len > sizeof(server->output) - server->output_len)
		return;
	memcpy(server->output + server->output_len, text.ptr, text.len);
	server->output_len += text.len;
}

static bool flush(struct server *server, const struct connection *connection)
{
	ssize_t sent = 0;

	if (server->output_len)
		sent = send(connection->fd, server->output, server->output_len,
		    MSG_NOSIGNAL);
	server->output_len = 0;
	return sent >= 0;
}

static void serve(struct server *server, struct connection *connection)
{
	ssize_t count = recv(connection->fd, server->input, INPUT_MAX, 0);
	bool goes_on;

	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	goes_on = count > 0 && server->take(server, connection->own,
				   slice_of(server->input, (size_t)count));
	if (flush(server, connection) && goes_on)
		return;
	close(connection->fd);
	memory_free(connection);
}

static void welcome(struct server *server)
{
	int yes = 1;
	int fd = accept4(
	    server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct epoll_event event = {.events = EPOLLIN};
	struct connection *connection;

	if (fd < 0)
		return;
	connection = memory_new(1, sizeof(*connection) + server->client_size);
	connection->fd = fd;
	event.data.ptr = connection;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event);
	if (server->greeting)
		server_say(server, slice_from(server->greeting));
	flush(server, connection);
}

static bool listen_on(struct server *server, uint64_t port)
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
	sigaddset(&signals, SIGUSR1);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	server->epoll = epoll_create1(EPOLL_CLOEXEC);
	server->signals = signalfd(-1, &signals, SFD_CLOEXEC);
	event.data.ptr = &server->signals;
	epoll_ctl(server->epoll, EPOLL_CTL_ADD, server->signals, &event);
	server->listener = socket(
	    AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(
	    server->listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	event.data.ptr = &server->listener;
	epoll_ctl(server->epoll, EPOLL_CTL_ADD, server->listener, &event);
	return bind(server->listener, (struct sockaddr *)&address,
		   sizeof(address)) == 0 &&
	       listen(server->listener, SOMAXCONN) == 0;
}

/* False: asked to end. */
static bool report(const struct server *server)
{
	struct signalfd_siginfo signal;

	if (read(server->signals, &signal, sizeof(signal)) != sizeof(signal))
		return false;
	printf("{\"messages\":%llu,\"octets\":%llu}\n", server->messages,
	    server->octets);
	fflush(stdout);
	return signal.ssi_signo != SIGTERM;
}

/* False: asked to end. */
static bool run_once(struct server *server)
{
	struct epoll_event events[EVENTS];
	int count = epoll_wait(server->epoll, events, EVENTS, -1);

	for (int i = 0; i < count; i++) {
		if (events[i].data.ptr == &server->signals) {
			if (!report(server))
				return false;
		} else if (events[i].data.ptr == &server->listener) {
			welcome(server);
		} else {
			serve(server, events[i].data.ptr);
		}
	}
	return true;
}

int server_main(struct server *server, int argc, char **argv)
{
	uint64_t port;

	if (argc != 2 ||
	    !slice_to_u64(slice_from(argv[1]), UINT16_MAX, &port)) {
		fprintf(stderr, "usage: %s PORT\n", server->name);
		return 2;
	}
	server->input = memory_new(1, INPUT_MAX);
	if (!listen_on(server, port)) {
		perror(server->name);
		return 2;
	}
	while (run_once(server))
		;
	memory_free(server->input);
	return 0;
}
