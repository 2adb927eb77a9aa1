/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ascii.h"
#include "base/require.h"
#include "message/decision.h"
#include "smtp/capabilities.h"
#include "smtp/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_printable(char byte)
{
	return byte == ' ' || ascii_is_visible(byte);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = slice_of((const char *)data, size), line;
	struct arena *arena = arena_new(0);
	struct smtp_reply reply = {0};
	struct smtp_reply_text text;
	bool complete = false;

	while (rest.len && !complete) {
		slice_split(rest, '\n', &line, &rest);
		if (!reply_add_line(arena, &reply, line, &complete, NULL))
			break;
	}
	if (complete) {
		struct smtp_capabilities offered = capabilities_parse(&reply);

		require(offered.size_max <= INT64_MAX);
		text = reply_pass_on(arena, &reply);
		require(text.code >= 200 && text.code != 421);
		require(text.text.len && text.text.len <= REPLY_TEXT_MAX);
		require(slice_all(text.text, is_printable));
		require(slice_all(text.enhanced, is_printable));
		require(text.enhanced.ptr[0] == '0' + text.code / 100);
	}
	arena_free(arena);
	return 0;
}
