/* SPDX-License-Identifier: Apache-2.0 */
/* The first line is the macro string, what follows is the sender's part: the
 * local part and the HELO name. */
#include "auth/spf_macro.h"
#include "base/ascii.h"
#include "base/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct slice validated_name(void *context)
{
	(void)context;
	return SLICE("mx.example.org");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice input = slice_of((const char *)data, size), spec, ret;
	struct arena *arena = arena_new(0);
	struct spf_macro_values values = {
	    .sender_domain = SLICE("agency.example"),
	    .domain = SLICE("mail.agency.example"),
	    .receiver = SLICE("mx1.agency.example"),
	    .client_ip = {.family = size % 2 ? IP_V4 : IP_V6},
	    .validated_name = validated_name,
	};

	slice_split(input, '\n', &spec, &input);
	slice_split(input, '\n', &values.local_part, &values.helo);
	spf_macro_check_string(spec, NULL);
	if (spf_macro_check_domain(spec, NULL) &&
	    spf_macro_expand_domain(arena, spec, &values, &ret))
		require(ret.len > 0 && slice_find(ret, '\n') == ret.len);
	if (spf_macro_expand_text(arena, spec, &values, &ret, NULL))
		for (size_t i = 0; i < ret.len; i++)
			require(
			    ret.ptr[i] == ' ' || ascii_is_visible(ret.ptr[i]));
	arena_free(arena);
	return 0;
}
