/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the whole answer of a server, read from a socket. */
#include "cli/http_get.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/require.h"
#include "cli/samples.h"
#include "smtp/connect.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* connect.c is not linked: this is who answers. */
static struct {
	struct slice answer;
	int fd; /* its end, open until all is read; or -1 */
} server = {.fd = -1};

bool connect_tcp(const struct ip *ip, uint16_t port, struct deadline deadline,
    int *ret_fd, struct err *err)
{
	struct slice answer = server.answer;
	int pair[2];

	(void)ip;
	(void)deadline;
	if (port == 0)
		return err_set(err, E_IO, "refused");
	require(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	require(
	    send(pair[1], answer.ptr, answer.len, 0) == (ssize_t)answer.len);
	shutdown(pair[1], SHUT_WR);
	*ret_fd = pair[0];
	server.fd = pair[1];
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct arena *arena = arena_new(0);
	struct http_answer answer = {.body = {(const char *)bytes, size}};
	struct ip ip = {.family = IP_V4};

	server.answer = answer.body;
	if (http_get(arena, &ip, size % 100 ? 80 : 0, "/metrics",
		DEADLINE_NEVER, &answer, NULL))
		require(answer.status >= 100 && answer.status <= 599);
	if (server.fd >= 0)
		close(server.fd);
	server.fd = -1;
	for (int i = 0; i < METRIC_COUNT; i++)
		samples_sum(answer.body, (enum metric)i);
	arena_free(arena);
	return 0;
}
