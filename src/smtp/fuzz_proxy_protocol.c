/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>

#include "base/require.h"
#include "smtp/proxy_protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice have = slice_of((const char *)data, size);
	struct proxy_header header;
	size_t length;

	if (proxy_protocol_parse(have, &header, &length) == PROXY_DONE) {
		require(length <= size && length <= PROXY_HEADER_MAX);
		/* Less of it is not enough, and not wrong. */
		require(proxy_protocol_parse(slice_sub(have, 0, length - 1),
			    &header, &length) == PROXY_MORE);
	}
	return 0;
}
