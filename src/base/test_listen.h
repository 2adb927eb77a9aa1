/* SPDX-License-Identifier: Apache-2.0 */
/* base/test_listen.h - a socket for the servers of tests. */
#ifndef BASE_TEST_LISTEN_H
#define BASE_TEST_LISTEN_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/require.h"

/* Listens on the port of 127.0.0.1, 0: on a free one; *ret_address tells. */
static inline int test_listen(uint16_t port, struct sockaddr_in *ret_address)
{
	const int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr *address = (struct sockaddr *)ret_address;
	socklen_t size = sizeof(*ret_address);

	*ret_address = (struct sockaddr_in){
	    .sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	require(fd >= 0);
	require(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0);
	require(bind(fd, address, size) == 0);
	require(listen(fd, 1000) == 0);
	require(getsockname(fd, address, &size) == 0);
	return fd;
}

#endif
