/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/proxy_header.h"

#include <string.h>

enum {
	V2_SIGNATURE = 12,
	V2_HEADER = 16,
	V2_LOCAL = 0x20,
	V2_PROXY = 0x21,
	V2_TCP4 = 0x11,
	V2_TCP6 = 0x21,
};

static struct ip destination_for(
    const struct ip *source, const struct ip *destination)
{
	struct ip any = {.family = source->family};

	return destination->family == source->family ? *destination : any;
}

static struct slice text_header(struct arena *arena, const struct ip *source,
    uint16_t source_port, const struct ip *destination, uint16_t port)
{
	char from[IP_TEXT_MAX], to[IP_TEXT_MAX];

	return arena_format_slice(arena, "PROXY %s %s %s %u %u\r\n",
	    source->family == IP_V4 ? "TCP4" : "TCP6", ip_format(source, from),
	    ip_format(destination, to), (unsigned int)source_port,
	    (unsigned int)port);
}

static void put_port(unsigned char *at, uint16_t port)
{
	at[0] = (unsigned char)(port >> 8);
	at[1] = (unsigned char)port;
}

static struct slice binary_header(struct arena *arena, const struct ip *source,
    uint16_t source_port, const struct ip *destination, uint16_t port)
{
	size_t address = source->family == IP_V4 ? 4 : 16;
	size_t size = 2 * address + 4;
	unsigned char *header = arena_alloc(arena, V2_HEADER + size);
	unsigned char *at = header + V2_HEADER;

	memcpy(header, "\r\n\r\n\0\r\nQUIT\n", V2_SIGNATURE);
	header[12] = V2_PROXY;
	header[13] = address == 4 ? V2_TCP4 : V2_TCP6;
	put_port(header + 14, (uint16_t)size);
	memcpy(at, source->bytes, address);
	memcpy(at + address, destination->bytes, address);
	put_port(at + 2 * address, source_port);
	put_port(at + 2 * address + 2, port);
	return slice_of((const char *)header, V2_HEADER + size);
}

struct slice proxy_header(struct arena *arena, uint64_t version,
    const struct envelope_client *client, const struct ip *destination,
    uint16_t port)
{
	struct ip to;

	if (!client || client->ip.family == IP_NONE)
		return version == 1 ? SLICE("PROXY UNKNOWN\r\n")
				    : SLICE("\r\n\r\n\0\r\nQUIT\n"
					    "\x20\0\0\0");
	to = destination_for(&client->ip, destination);
	return version == 1
		   ? text_header(arena, &client->ip, client->port, &to, port)
		   : binary_header(arena, &client->ip, client->port, &to, port);
}
