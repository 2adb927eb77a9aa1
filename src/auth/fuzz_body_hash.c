/* SPDX-License-Identifier: Apache-2.0 */
/* Two octets say where the body is split and where a limit stands; the rest is
 * the body.  Whatever they say, the digests are those of the reference. */
#include "auth/body_hash.h"

#include "auth/crypto.h"
#include "auth/test_reference.h"
#include "base/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void compare(struct arena *arena,
    enum dkim_canonicalization canonicalization, struct slice body, size_t step,
    size_t limit)
{
	struct slice canonical = test_reference_body(
	    arena, canonicalization, body);
	struct body_hashes *hashes = body_hashes_new(arena);
	size_t all = body_hashes_want(
	    hashes, canonicalization, BODY_LENGTH_ALL);
	size_t part = body_hashes_want(hashes, canonicalization, limit);
	struct crypto_digest digest;

	while (body.len) {
		body_hashes_add(hashes, slice_sub(body, 0, step));
		body = slice_from_pos(body, step);
	}
	body_hashes_finish(hashes);
	require(body_hashes_length(hashes, all) == canonical.len);
	digest = crypto_sha256(canonical);
	require(slice_eq(
	    body_hashes_digest(hashes, all), crypto_digest_slice(&digest)));
	digest = crypto_sha256(slice_sub(canonical, 0, limit));
	require(slice_eq(
	    body_hashes_digest(hashes, part), crypto_digest_slice(&digest)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena;
	struct slice body;

	if (size < 2)
		return 0;
	arena = arena_new(0);
	body = slice_of((const char *)data + 2, size - 2);
	compare(arena, CANON_SIMPLE, body, data[0] + 1u, data[1]);
	compare(arena, CANON_RELAXED, body, data[0] + 1u, data[1]);
	arena_free(arena);
	return 0;
}
