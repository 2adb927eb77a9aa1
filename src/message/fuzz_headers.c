/* SPDX-License-Identifier: Apache-2.0 */
#include "message/headers.h"

#include "base/require.h"
#include "message/faults.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* However the bytes are cut, what is wrong with them is the same. */
static void check_faults(struct slice bytes)
{
	struct fault_scan whole = {0}, cut = {0};
	struct faults all = faults_of_bytes(&whole, bytes), parts = {0};
	size_t step = bytes.len % 7 + 1;

	while (bytes.len) {
		parts.bits |=
		    faults_of_bytes(&cut, slice_sub(bytes, 0, step)).bits;
		bytes = slice_from_pos(bytes, step);
	}
	require(all.bits == parts.bits);
	require(faults_of_end(&whole).bits == faults_of_end(&cut).bits);
	for (int i = 0; i < FAULT_COUNT; i++)
		require(
		    !faults_has(all, (enum fault)i) ||
		    (*fault_name((enum fault)i) && *fault_help((enum fault)i)));
}

/* A header over a limit is refused, not cut. */
static void check_limits(struct arena *arena, struct slice message)
{
	struct limits limits = limits_default;
	struct header_list list;

	limits.header_size = 200;
	limits.header_field_size = 100;
	limits.header_count = 3;
	if (headers_parse(arena, message, &limits, &list, NULL)) {
		require(list.count <= limits.header_count);
		require(list.block.len <= limits.header_size);
	}
}

/* As if each name were compared with each. */
static void check_named(const struct header_list *list, size_t of)
{
	struct slice name = list->fields[of].name;
	struct header_positions found = headers_named(list, name);
	size_t count = 0;

	for (size_t i = 0; i < list->count; i++) {
		if (!slice_eq_nocase(list->fields[i].name, name))
			continue;
		require(count < found.count && found.items[count] == i);
		count++;
	}
	require(count == found.count);
}

/* The fields together are the block, whatever the bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice message = slice_of((const char *)data, size);
	struct arena *arena = arena_new(0);
	struct header_list list;
	size_t total = 0;

	if (headers_parse(arena, message, &limits_default, &list, NULL)) {
		for (size_t i = 0; i < list.count; i++) {
			require(
			    list.fields[i].raw.ptr == list.block.ptr + total);
			total += list.fields[i].raw.len;
			headers_unfold(arena, list.fields[i].value);
			headers_lenient_name(arena, &list.fields[i]);
			if (i < 16)
				check_named(&list, i);
		}
		require(total == list.block.len);
		require(list.body_offset <= size);
		faults_of_headers(&list);
	}
	check_limits(arena, message);
	check_faults(message);
	arena_free(arena);
	return 0;
}
