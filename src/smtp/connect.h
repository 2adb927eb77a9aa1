/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/connect.h - opening a socket to a peer, within a deadline. */
#ifndef SMTP_CONNECT_H
#define SMTP_CONNECT_H

#include "base/clock.h"
#include "base/err.h"
#include "base/ip.h"
#include "base/slice.h"

/* Non-blocking and close-on-exec; the caller's to close.  False: E_TIMEOUT,
 * E_TEMP, E_CLOSED or E_IO. */
bool connect_tcp(const struct ip *ip, uint16_t port, struct deadline deadline,
    int *ret_fd, struct err *err);
bool connect_unix(
    struct slice path, struct deadline deadline, int *ret_fd, struct err *err);

#endif
