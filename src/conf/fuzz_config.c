/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration of any bytes; one that loads must survive its dump. */
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/require.h"
#include "conf/dump.h"
#include "conf/load.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct config *load(struct arena *arena, struct slice bytes)
{
	static const struct clock clock = {
	    .fixed = true, .fixed_at = 1780315200};
	struct load_options options = {.file = "fuzz.yaml",
	    .folder = SLICE("/etc/gatehouse"),
	    .clock = &clock};

	return load_bytes(bytes, &options, problems_new(arena, options.file));
}

static struct slice dump(
    struct arena *arena, const struct config *config, unsigned int flags)
{
	struct buf *buf = buf_in_arena(arena, DUMP_SIZE_MAX);

	require(dump_config(config, flags, buf));
	return buf_slice(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new(0);
	struct config *config = load(arena, slice_of((const char *)data, size));

	for (unsigned int flags = 0; config && flags < 4; flags++) {
		struct config *again = load(arena, dump(arena, config, flags));

		require(again);
		require(
		    slice_eq(dump(arena, config, 0), dump(arena, again, 0)));
		config_release(again);
	}
	config_release(config);
	arena_free(arena);
	return 0;
}
