/* SPDX-License-Identifier: Apache-2.0 */
/* base/ip.h - IP addresses and networks.
 *
 * An IPv4-mapped IPv6 address (::ffff:192.0.2.1) becomes the IPv4 address it
 * stands for wherever one enters, as RFC 7208 section 5 wants for SPF.
 */
#ifndef BASE_IP_H
#define BASE_IP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/slice.h"

enum ip_family { IP_NONE, IP_V4, IP_V6 };

struct ip {
	enum ip_family family;
	unsigned char bytes[16]; /* 4 or 16, network order, rest 0 */
};

struct ip_network {
	struct ip address;   /* host bits are kept as written */
	unsigned int prefix; /* 0 to 32, or 0 to 128 */
};

enum { IP_TEXT_MAX = INET6_ADDRSTRLEN };

/* Strict forms of inet_pton(3).  False: not an address; *ret untouched. */
bool ip_parse(struct slice text, struct ip *ret);

/* 4 or 16 bytes in network order, as in A and AAAA. */
struct ip ip_from_bytes(enum ip_family family, const void *bytes);

/* Writes the canonical text (RFC 5952) and returns it; "unknown" for
 * IP_NONE. */
const char *ip_format(const struct ip *ip, char text[static IP_TEXT_MAX]);

bool ip_equal(const struct ip *a, const struct ip *b);
bool ip_is_loopback(const struct ip *ip);

/* "192.0.2.0/24", "2001:db8::/32", or an address alone. */
bool ip_network_parse(
    struct slice text, struct ip_network *ret, struct err *err);

bool ip_network_contains(const struct ip_network *network, const struct ip *ip);

/* The network of so many bits that ip is in: for counting per network. */
struct ip ip_mask(const struct ip *ip, unsigned int prefix);

/* IP_NONE (and false) for other families.  ret_port may be NULL. */
bool ip_from_sockaddr(
    const struct sockaddr *address, struct ip *ret, uint16_t *ret_port);

/* Returns the length of the address written. */
socklen_t ip_to_sockaddr(
    const struct ip *ip, uint16_t port, struct sockaddr_storage *ret);

/* "192.0.2.1:25", "[2001:db8::1]:25", "192.0.2.1@53".  Without a port the
 * default stands. */
bool ip_parse_with_port(struct slice text, uint16_t default_port,
    struct ip *ret, uint16_t *ret_port, struct err *err);

#endif
