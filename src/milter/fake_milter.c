/* SPDX-License-Identifier: Apache-2.0 */
/* For tests with real mail servers: a milter whose verdict stands in the
 * message (gate/fake_gate.c).
 *
 *	fake_milter PORT	on 127.0.0.1, until SIGTERM
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/slice.h"
#include "milter/milter_server.h"

static int listen_on(uint16_t port)
{
	const struct sockaddr_in address = {
	    .sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	const int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    bind(fd, (const struct sockaddr *)&address, sizeof(address)) ||
	    listen(fd, 100)) {
		perror("listen");
		exit(1);
	}
	return fd;
}

static struct config *make_config(void)
{
	struct config *config = config_default();

	config->hostname = SLICE("mx.example");
	config->limits = limits_default;
	config->limits.drain_timeout = 500;
	config->spool_directory = SLICE("/tmp");
	return config;
}

int main(int count, char **arguments)
{
	struct milter_server_socket listening = {.name = SLICE("mta")};
	struct milter_server_settings settings = {
	    .socket_count = 1, .sockets = &listening};
	struct milter_server *server;
	uint64_t port;
	sigset_t signals;
	struct err err;
	int number;

	if (count != 2 ||
	    !slice_to_u64(slice_from(arguments[1]), UINT16_MAX, &port))
		return 2;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	log_setup(LOG_INFO, LOG_FORMAT_TEXT);
	listening.fd = listen_on((uint16_t)port);
	settings.gate.config = make_config();
	if (!milter_server_start(&settings, &server, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	sigwait(&signals, &number);
	milter_server_drain(server);
	milter_server_wait(server);
	config_release(settings.gate.config);
	close(listening.fd);
	return 0;
}
