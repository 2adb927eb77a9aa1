/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ip.h"

#include "base/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
	}
	if (ip_network_parse(text, &network, NULL))
		require(ip_network_contains(&network, &network.address));
	ip_parse_with_port(text, 25, &ip, &port, NULL);
	return 0;
}
