/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the value of Authentication-Results; and any bytes as what our
 * own field speaks of, which must then be readable and hold nothing else. */
#include "auth/authres.h"
#include "base/ascii.h"
#include "base/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_lines(struct slice text)
{
	size_t line = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (slice_starts(slice_from_pos(text, i), SLICE("\r\n\t"))) {
			i += 2;
			line = 1;
			continue;
		}
		require(!ascii_is_control(text.ptr[i]));
		require(++line <= 998);
	}
}

static void write_and_read(struct arena *arena, struct slice value)
{
	struct dkim_outcome dkim = {.result = DKIM_FAIL,
	    .domain = value,
	    .selector = value,
	    .identity = value,
	    .reason = value,
	    .signature_start = value};
	struct spf_outcome spf = {
	    .result = SPF_TEMPERROR, .domain = value, .problem = value};
	struct dmarc_outcome dmarc = {
	    .result = DMARC_FAIL, .from_domain = value, .reason = value};
	struct authres_input input = {
	    .authserv_id = SLICE("mx1.agency.example"),
	    .smtputf8 = value.len % 2,
	    .mail_from = value,
	    .helo = value,
	    .spf_mailfrom = &spf,
	    .dkim_checked = true,
	    .dkim_count = 1,
	    .dkim = &dkim,
	    .dmarc_count = 1,
	    .dmarc = &dmarc,
	};
	struct slice text = authres_write(arena, &input);
	struct authres read;

	check_lines(text);
	require(authres_parse(arena, text, &read, NULL));
	require(read.conforming && read.count == 3);
	require(slice_eq(read.results[1].method, SLICE("dkim")));
	require(slice_eq(read.results[2].result, SLICE("fail")));
	require(authres_claims(arena, text, input.authserv_id));
	check_lines(authres_exchange_style(arena, &input));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice value = slice_of((const char *)data, size);
	struct arena *arena = arena_new(0);
	struct slice id = SLICE("mx1.agency.example");
	struct authres read;

	if (authres_parse(arena, value, &read, NULL) &&
	    slice_eq_nocase(read.authserv_id, id))
		require(authres_claims(arena, value, id));
	authres_claims(arena, value, id);
	authres_is_anonymous(value);
	write_and_read(arena, value);
	arena_free(arena);
	return 0;
}
