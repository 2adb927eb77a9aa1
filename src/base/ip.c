/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ip.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/require.h"

static const unsigned char mapped_prefix[12] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static size_t size_of(enum ip_family family)
{
	return family == IP_V4 ? 4 : family == IP_V6 ? 16 : 0;
}

struct ip ip_from_bytes(enum ip_family family, const void *bytes)
{
	struct ip ip = {.family = family};

	memcpy(ip.bytes, bytes, size_of(family));
	if (family == IP_V6 &&
	    !memcmp(ip.bytes, mapped_prefix, sizeof(mapped_prefix)))
		return ip_from_bytes(
		    IP_V4, (const char *)bytes + sizeof(mapped_prefix));
	return ip;
}

bool ip_parse(struct slice text, struct ip *ret)
{
	char copy[IP_TEXT_MAX];
	unsigned char bytes[16];

	if (text.len == 0 || text.len >= sizeof(copy) ||
	    slice_find(text, '\0') < text.len)
		return false;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	if (inet_pton(AF_INET, copy, bytes) == 1)
		*ret = ip_from_bytes(IP_V4, bytes);
	else if (inet_pton(AF_INET6, copy, bytes) == 1)
		*ret = ip_from_bytes(IP_V6, bytes);
	else
		return false;
	return true;
}

/* inet_ntop takes ten times as long. */
static void format_v4(const unsigned char octets[static 4], char *text)
{
	for (size_t i = 0; i < 4; i++) {
		if (octets[i] >= 100)
			*text++ = (char)('0' + octets[i] / 100);
		if (octets[i] >= 10)
			*text++ = (char)('0' + octets[i] / 10 % 10);
		*text++ = (char)('0' + octets[i] % 10);
		*text++ = i < 3 ? '.' : '\0';
	}
}

const char *ip_format(const struct ip *ip, char text[static IP_TEXT_MAX])
{
	if (ip->family == IP_NONE)
		memcpy(text, "unknown", sizeof("unknown"));
	else if (ip->family == IP_V4)
		format_v4(ip->bytes, text);
	else
		require(inet_ntop(AF_INET6, ip->bytes, text, IP_TEXT_MAX));
	return text;
}

bool ip_equal(const struct ip *a, const struct ip *b)
{
	return a->family == b->family &&
	       !memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

bool ip_is_loopback(const struct ip *ip)
{
	static const unsigned char loopback6[16] = {[15] = 1};

	if (ip->family == IP_V4)
		return ip->bytes[0] == 127;
	return ip->family == IP_V6 &&
	       !memcmp(ip->bytes, loopback6, sizeof(loopback6));
}

struct ip ip_mask(const struct ip *ip, unsigned int prefix)
{
	struct ip masked = *ip;
	unsigned int bits = (unsigned int)size_of(ip->family) * 8;

	for (unsigned int bit = prefix; bit < bits; bit++)
		masked.bytes[bit / 8] &= (unsigned char)~(0x80 >> bit % 8);
	return masked;
}

bool ip_network_parse(
    struct slice text, struct ip_network *ret, struct err *err)
{
	struct ip_network network;
	struct slice address, prefix;
	bool has_prefix = slice_split(text, '/', &address, &prefix);
	uint64_t bits;

	if (!ip_parse(address, &network.address))
		return err_set(err, E_SYNTAX,
		    "\"%.*s\" is not an IP address or network",
		    SLICE_ARGS(slice_sub(text, 0, 64)));
	bits = size_of(network.address.family) * 8;
	if (has_prefix && !slice_to_u64(prefix, bits, &bits))
		return err_set(err, E_SYNTAX,
		    "\"%.*s\": the prefix length is not a number up to %u",
		    SLICE_ARGS(slice_sub(text, 0, 64)), (unsigned int)bits);
	network.prefix = (unsigned int)bits;
	*ret = network;
	return true;
}

bool ip_network_contains(const struct ip_network *network, const struct ip *ip)
{
	struct ip a, b;

	if (network->address.family != ip->family || ip->family == IP_NONE)
		return false;
	a = ip_mask(&network->address, network->prefix);
	b = ip_mask(ip, network->prefix);
	return ip_equal(&a, &b);
}

bool ip_from_sockaddr(
    const struct sockaddr *address, struct ip *ret, uint16_t *ret_port)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	uint16_t port;

	if (address->sa_family == AF_INET) {
		memcpy(&v4, address, sizeof(v4));
		*ret = ip_from_bytes(IP_V4, &v4.sin_addr);
		port = ntohs(v4.sin_port);
	} else if (address->sa_family == AF_INET6) {
		memcpy(&v6, address, sizeof(v6));
		*ret = ip_from_bytes(IP_V6, &v6.sin6_addr);
		port = ntohs(v6.sin6_port);
	} else {
		*ret = (struct ip){.family = IP_NONE};
		return false;
	}
	if (ret_port)
		*ret_port = port;
	return true;
}

socklen_t ip_to_sockaddr(
    const struct ip *ip, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

	memset(ret, 0, sizeof(*ret));
	require(ip->family != IP_NONE);
	if (ip->family == IP_V4) {
		v4.sin_port = htons(port);
		memcpy(&v4.sin_addr, ip->bytes, 4);
		memcpy(ret, &v4, sizeof(v4));
		return sizeof(v4);
	}
	v6.sin6_port = htons(port);
	memcpy(&v6.sin6_addr, ip->bytes, 16);
	memcpy(ret, &v6, sizeof(v6));
	return sizeof(v6);
}

/* Where the address ends and the port begins; the whole text if no port. */
static void split_port(struct slice text, struct slice *ret_address,
    struct slice *ret_port, bool *ret_has_port)
{
	size_t colon = slice_find(text, ':');
	struct slice inside, after;

	*ret_address = text;
	*ret_port = (struct slice){NULL, 0};
	*ret_has_port = true;
	if (slice_split(text, '@', ret_address, ret_port))
		return;
	if (text.len && text.ptr[0] == '[' &&
	    slice_split(slice_from_pos(text, 1), ']', &inside, &after)) {
		*ret_address = inside;
		*ret_has_port = after.len > 0;
		/* Without ':' it is no port, whatever it is. */
		if (*ret_has_port)
			*ret_port = after.ptr[0] == ':'
					? slice_from_pos(after, 1)
					: SLICE("?");
		return;
	}
	/* One colon is a port; more are an IPv6 address without one. */
	if (colon < text.len && slice_find(slice_from_pos(text, colon + 1),
				    ':') == text.len - colon - 1) {
		slice_split(text, ':', ret_address, ret_port);
		return;
	}
	*ret_has_port = false;
}

bool ip_parse_with_port(struct slice text, uint16_t default_port,
    struct ip *ret, uint16_t *ret_port, struct err *err)
{
	struct slice address, port;
	bool has_port;
	uint64_t number = default_port;
	struct ip ip;

	split_port(text, &address, &port, &has_port);
	if (!ip_parse(address, &ip) ||
	    (has_port && !slice_to_u64(port, UINT16_MAX, &number)))
		return err_set(err, E_SYNTAX,
		    "\"%.*s\" is not an address with a port, like "
		    "192.0.2.1:25 or [2001:db8::1]:25",
		    SLICE_ARGS(slice_sub(text, 0, 64)));
	*ret = ip;
	*ret_port = (uint16_t)number;
	return true;
}
