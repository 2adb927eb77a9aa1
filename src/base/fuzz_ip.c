/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ip.h"

#include "base/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* There and back. */
static void check_sockaddr(const struct ip *ip)
{
	struct sockaddr_storage address;
	struct ip again;
	uint16_t port = 0;
	socklen_t size = ip_to_sockaddr(ip, 587, &address);

	require(size <= sizeof(address));
	require(ip_from_sockaddr((struct sockaddr *)&address, &again, &port));
	require(ip_equal(ip, &again) && port == 587);
	require(ip_is_loopback(ip) == ip_is_loopback(&again));
	address.ss_family = AF_UNIX;
	require(!ip_from_sockaddr((struct sockaddr *)&address, &again, &port));
}

/* What is read is read again from its canonical text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_of((const char *)data, size);
	char canonical[IP_TEXT_MAX];
	struct ip_network network;
	struct ip ip, again;
	uint16_t port;

	if (ip_parse(text, &ip)) {
		require(
		    ip_parse(slice_from(ip_format(&ip, canonical)), &again));
		require(ip_equal(&ip, &again));
		check_sockaddr(&ip);
	}
	if (ip_network_parse(text, &network, NULL))
		require(ip_network_contains(&network, &network.address));
	ip_parse_with_port(text, 25, &ip, &port, NULL);
	return 0;
}
