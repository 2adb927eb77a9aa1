/* SPDX-License-Identifier: Apache-2.0 */
/* For tests with real mail servers: a milter whose verdict stands in the
 * message (gate/fake_gate.c).
 *
 *	fake_milter PORT	on 127.0.0.1, until SIGTERM
 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/slice.h"
#include "base/test_listen.h"
#include "milter/milter_server.h"
#include "milter/test_config.h"

int main(int count, char **arguments)
{
	struct listener listening = {.name = SLICE("mta")};
	struct milter_server_settings settings = {
	    .listener_count = 1, .listeners = &listening};
	struct config *config;
	struct milter_server *server;
	struct sockaddr_in address;
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
	listening.fd = test_listen((uint16_t)port, &address);
	settings.gate.config = config = test_config();
	config->limits.drain_timeout = 500;
	if (!milter_server_start(&settings, &server, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	sigwait(&signals, &number);
	milter_server_drain(server);
	milter_server_wait(server);
	config_release(config);
	close(listening.fd);
	return 0;
}
