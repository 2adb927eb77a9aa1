/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>

#include "base/require.h"
#include "message/address.h"
#include "smtp/command.h"
#include "smtp/line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice raw = slice_of((const char *)data, size), line, decoded;
	struct arena *arena = arena_new(0);
	struct command_path path;
	struct command command;
	struct mailbox mailbox;
	struct err err;
	uint64_t number;
	bool last;

	if (line_check(raw, &line) != LINE_OK)
		line = raw;
	else
		require(slice_find(line, '\n') == line.len);
	command = command_split(line);
	command_helo_is_sane(command.argument);
	command_parse_bdat(command.argument, &number, &last);
	command_decode_xtext(arena, command.argument, &decoded);
	if (command_parse_path(command.argument, SLICE("FROM:"), &path, &err)) {
		require(path.count <= COMMAND_PARAMETERS_MAX);
		address_parse_path(arena, path.path, true, &mailbox, &err);
	}
	arena_free(arena);
	return 0;
}
