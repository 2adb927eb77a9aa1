/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/proxy_header.h - the PROXY protocol's header, as a sender.
 *
 * Versions 1 (text) and 2 (binary) of HAProxy's specification.  The
 * destination told is the next hop's own address where the families agree:
 * the address that the client connected to means nothing to it.
 */
#ifndef SMTP_PROXY_HEADER_H
#define SMTP_PROXY_HEADER_H

#include "base/arena.h"
#include "base/ip.h"
#include "base/slice.h"
#include "message/envelope.h"

/* version is 1 or 2.  client may be NULL (and its address IP_NONE): UNKNOWN or
 * LOCAL. */
struct slice proxy_header(struct arena *arena, uint64_t version,
    const struct envelope_client *client, const struct ip *destination,
    uint16_t port);

#endif
