/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/proxy_protocol.h"

#include <string.h>

enum {
	LINE_MAX_V1 = 107, /* CR LF included */
	FIXED_V2 = 16,
	ADDRESSES_V4 = 12,
	ADDRESSES_V6 = 36,
};

static const struct slice signature_v2 = SLICE_INIT("\r\n\r\n\0\r\nQUIT\n");

/* True if one of them is the start of the other. */
static bool agrees(struct slice have, struct slice expected)
{
	size_t len = have.len < expected.len ? have.len : expected.len;

	return slice_eq(slice_sub(have, 0, len), slice_sub(expected, 0, len));
}

static struct slice take_word(struct slice *text)
{
	struct slice word;

	slice_split(*text, ' ', &word, text);
	return word;
}

static bool parse_source_v1(
    struct slice text, enum ip_family family, struct proxy_header *ret)
{
	struct slice source = take_word(&text);
	struct slice destination = take_word(&text);
	struct slice source_port = take_word(&text);
	struct proxy_header header = {.has_source = true};
	struct ip ignored;
	uint64_t port;

	/* "::ffff:192.0.2.1" in TCP6 becomes the address it stands for. */
	if (!ip_parse(source, &header.source) ||
	    !ip_parse(destination, &ignored) ||
	    (family == IP_V4 && header.source.family != IP_V4))
		return false;
	if (!slice_to_u64(source_port, UINT16_MAX, &port))
		return false;
	header.source_port = (uint16_t)port;
	if (!slice_to_u64(text, UINT16_MAX, &port))
		return false;
	*ret = header;
	return true;
}

static enum proxy_result parse_v1(
    struct slice have, struct proxy_header *ret, size_t *ret_length)
{
	size_t lf = slice_find(have, '\n');
	struct slice line, protocol;

	if (lf == have.len)
		return have.len < LINE_MAX_V1 ? PROXY_MORE : PROXY_BAD;
	if (lf >= LINE_MAX_V1 || lf < 1 || have.ptr[lf - 1] != '\r')
		return PROXY_BAD;
	line = slice_sub(have, 0, lf - 1);
	take_word(&line);
	protocol = take_word(&line);
	if (slice_eq(protocol, SLICE("UNKNOWN")))
		*ret = (struct proxy_header){0};
	else if (slice_eq(protocol, SLICE("TCP4"))) {
		if (!parse_source_v1(line, IP_V4, ret))
			return PROXY_BAD;
	} else if (slice_eq(protocol, SLICE("TCP6"))) {
		if (!parse_source_v1(line, IP_V6, ret))
			return PROXY_BAD;
	} else {
		return PROXY_BAD;
	}
	*ret_length = lf + 1;
	return PROXY_DONE;
}

static uint16_t get_u16(const unsigned char *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static bool parse_source_v2(unsigned char family, const unsigned char *bytes,
    size_t length, struct proxy_header *ret)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	struct proxy_header header = {.has_source = true};

	switch (family) {
	case 0x11: /* TCP over IPv4 */
		if (length < ADDRESSES_V4)
			return false;
		header.source.family = IP_V4;
		memcpy(header.source.bytes, bytes, 4);
		header.source_port = get_u16(bytes + 8);
		break;
	case 0x21: /* TCP over IPv6 */
		if (length < ADDRESSES_V6)
			return false;
		memcpy(&v6.sin6_addr, bytes, 16);
		ip_from_sockaddr(
		    (const struct sockaddr *)&v6, &header.source, NULL);
		header.source_port = get_u16(bytes + 32);
		break;
	case 0x00: /* unspecified: the receiver ignores what follows */
		header.has_source = false;
		break;
	default: return false;
	}
	*ret = header;
	return true;
}

static enum proxy_result parse_v2(
    struct slice have, struct proxy_header *ret, size_t *ret_length)
{
	const unsigned char *bytes = (const unsigned char *)have.ptr;
	size_t length;

	if (have.len < FIXED_V2)
		return PROXY_MORE;
	length = get_u16(bytes + 14);
	if (bytes[12] >> 4 != 2 || FIXED_V2 + length > PROXY_HEADER_MAX)
		return PROXY_BAD;
	if (have.len < FIXED_V2 + length)
		return PROXY_MORE;
	switch (bytes[12] & 0x0f) {
	case 0: /* LOCAL: a health check of the balancer itself */
		*ret = (struct proxy_header){0};
		break;
	case 1: /* PROXY */
		if (!parse_source_v2(bytes[13], bytes + FIXED_V2, length, ret))
			return PROXY_BAD;
		break;
	default: return PROXY_BAD;
	}
	*ret_length = FIXED_V2 + length;
	return PROXY_DONE;
}

enum proxy_result proxy_protocol_parse(
    struct slice have, struct proxy_header *ret, size_t *ret_length)
{
	if (slice_empty(have))
		return PROXY_MORE;
	if (agrees(have, SLICE("PROXY ")))
		return have.len < 6 ? PROXY_MORE
				    : parse_v1(have, ret, ret_length);
	if (agrees(have, signature_v2))
		return have.len < signature_v2.len
			   ? PROXY_MORE
			   : parse_v2(have, ret, ret_length);
	return PROXY_BAD;
}
