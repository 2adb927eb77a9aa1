/* SPDX-License-Identifier: Apache-2.0 */
/* milter/packet.h - packets of the milter protocol, read and written.
 *
 * A packet is a length (4 octets, network order), a command octet, and data;
 * the length counts the command.  Texts in the data end with a NUL.  Nothing
 * here waits or remembers; what is read borrows its input.  Data that is
 * shorter or longer than its command's form is E_SYNTAX: an MTA that sends it
 * has lost its place, and the connection must end.
 */
#ifndef MILTER_PACKET_H
#define MILTER_PACKET_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

/* Body pieces have up to 64 KiB; a header field may be larger. */
enum { PACKET_MAX = 1024 * 1024 };

enum packet_status { PACKET_WHOLE, PACKET_PART, PACKET_BAD };

struct packet {
	char command;
	struct slice data;
	size_t size; /* of all of it */
};

/* The packet at the start of input.  PACKET_PART: more octets are needed;
 * ret->size is how many there must be (4 if that is not known).
 * PACKET_BAD: no length that a packet may have; E_LIMIT or E_SYNTAX. */
enum packet_status packet_read(
    struct slice input, struct packet *ret, struct err *err);

/* Takes a text (without its NUL) from the front of data.  False: no NUL. */
bool packet_take_text(struct slice *data, struct slice *ret);
bool packet_take_u32(struct slice *data, uint32_t *ret);

/* The one text that is all of data. */
bool packet_parse_text(struct slice data, struct slice *ret, struct err *err);

struct packet_connect {
	struct slice name; /* verified by the MTA, or "[address]" */
	char family;	   /* '4', '6', 'L' (a local socket), 'U' (unknown) */
	uint16_t port;
	struct slice address; /* text, without "IPv6:" */
};
bool packet_parse_connect(
    struct slice data, struct packet_connect *ret, struct err *err);

/* Writers.  False: over the buffer's maximum, or a NUL inside of a text. */
bool packet_write(struct buf *out, char code, struct slice data);
bool packet_write_text(struct buf *out, char code, struct slice text);
bool packet_write_header(struct buf *out, char code, uint32_t index,
    struct slice name, struct slice value);

void packet_put_u32(unsigned char memory[static 4], uint32_t number);

#endif
