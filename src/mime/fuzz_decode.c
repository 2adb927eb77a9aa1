/* SPDX-License-Identifier: Apache-2.0 */
#include "mime/decode.h"

#include "base/require.h"
#include "base/text.h"
#include "mime/charset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first octet chooses encoding and charset.  Decoding never makes more
 * octets, a limit cuts, and base64 that is not broken is what the strict
 * decoder says it is. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct slice charsets[] = {SLICE_INIT(""),
	    SLICE_INIT("iso-2022-jp"), SLICE_INIT("big5-hkscs"),
	    SLICE_INIT("utf-7"), SLICE_INIT("utf-16"), SLICE_INIT("gb2312")};
	struct arena *arena = arena_new(0);
	struct slice body, decoded, strict;
	enum mime_encoding encoding;
	bool broken;

	mime_encoding_of(slice_of((const char *)data, size));
	if (size) {
		body = slice_of((const char *)data + 1, size - 1);
		encoding = data[0] % (ENCODING_UNKNOWN + 1);
		decoded = mime_decode(arena, encoding, body, size, &broken);
		require(decoded.len <= body.len);
		require(slice_eq(mime_decode(arena, encoding, body, 7, NULL),
		    slice_sub(decoded, 0, 7)));
		if (encoding == ENCODING_BASE64 && !broken &&
		    text_base64_decode(arena, body, &strict))
			require(slice_eq(decoded, strict));
		require(mime_decode_q(arena, body).len <= body.len);
		require(mime_count_words(decoded) <= decoded.len);
		require(text_is_utf8(
		    mime_to_utf8(arena, charsets[data[0] / 8 % 6], decoded)));
	}
	arena_free(arena);
	return 0;
}
