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

/* A number under limit, from the octets of value. */
static unsigned int draw(struct slice value, size_t at, unsigned int limit)
{
	return at < value.len ? (unsigned char)value.ptr[at] % limit : 0;
}

/* Outcomes of every kind, with value wherever a stranger chooses. */
struct outcomes {
	struct dkim_outcome dkim;
	struct spf_outcome spf;
	struct dmarc_outcome dmarc;
	struct arc_outcome arc;
	struct own_domain_outcome own;
	struct slice sealers[3];
};

static void draw_outcomes(struct slice value, struct outcomes *ret)
{
	ret->sealers[0] = ret->sealers[2] = value;
	ret->sealers[1] = SLICE("b.example");
	ret->dkim = (struct dkim_outcome){
	    .result = draw(value, 0, DKIM_PERMERROR + 1),
	    .domain = value,
	    .selector = value,
	    .identity = value,
	    .reason = value,
	    .signature_start = value,
	    .key_bits = draw(value, 1, 3) * 1024,
	    .testing = draw(value, 1, 2)};
	ret->spf = (struct spf_outcome){
	    .result = draw(value, 2, SPF_PERMERROR + 1),
	    .identity = draw(value, 1, 2),
	    .domain = value,
	    .problem = value};
	ret->dmarc = (struct dmarc_outcome){
	    .result = draw(value, 3, DMARC_PERMERROR + 1),
	    .discovery = {.policy = draw(value, 4, DMARC_POLICY_REJECT + 1),
		.policy_domain = draw(value, 5, 2) ? value : SLICE("o.example"),
		.testing = draw(value, 5, 3)},
	    .from_domain = value,
	    .reason = value};
	ret->arc = (struct arc_outcome){
	    .result = draw(value, 6, ARC_TEMPERROR + 1),
	    .sets = draw(value, 6, 50),
	    .sealer_count = draw(value, 6, 4),
	    .sealers = ret->sealers,
	    .reason = value};
	ret->own = (struct own_domain_outcome){
	    .result = draw(value, 7, OWN_DOMAIN_FAIL + 1),
	    .identity = draw(value, 7, 2),
	    .domain = value,
	    .reason = value};
}

static void write_and_read(struct arena *arena, struct slice value)
{
	static const struct slice dispositions[] = {SLICE_INIT(""),
	    SLICE_INIT("none"), SLICE_INIT("quarantine"), SLICE_INIT("reject")};
	struct outcomes outcomes;
	struct authres_input input = {
	    .authserv_id = SLICE("mx1.agency.example"),
	    .smtputf8 = value.len % 2,
	    .client_ip = {.family = draw(value, 8, IP_V6 + 1)},
	    .mail_from = value,
	    .helo = value,
	    .spf_mailfrom = draw(value, 9, 4) ? &outcomes.spf : NULL,
	    .spf_helo = draw(value, 9, 8) > 3 ? &outcomes.spf : NULL,
	    .dkim_checked = true,
	    .dkim_count = draw(value, 10, 5) ? 1 : 0,
	    .dkim = &outcomes.dkim,
	    .arc = draw(value, 11, 3) ? &outcomes.arc : NULL,
	    .dmarc_count = draw(value, 12, 4) ? 1 : 0,
	    .dmarc = &outcomes.dmarc,
	    .disposition = dispositions[draw(value, 13, 4)],
	    .own_domain = draw(value, 14, 3) ? &outcomes.own : NULL,
	};
	size_t count = !!input.spf_mailfrom + !!input.spf_helo + 1u +
		       input.dmarc_count;
	struct slice text;
	struct authres read;

	draw_outcomes(value, &outcomes);
	count += input.arc && outcomes.arc.result != ARC_TEMPERROR;
	count += input.own_domain && outcomes.own.result != OWN_DOMAIN_NONE;
	text = authres_write(arena, &input);
	check_lines(text);
	require(authres_parse(arena, text, &read, NULL));
	require(read.conforming && read.count == count);
	for (size_t i = 0; i < count; i++)
		require(slice_empty(authres_property(
		    &read.results[i], "policy", "no-such-thing")));
	require(authres_claims(arena, text, input.authserv_id, SLICE("")));
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
		require(authres_claims(arena, value, id, SLICE("")) &&
			authres_claims(arena, value, SLICE(""), id));
	authres_claims(arena, value, id, SLICE("example"));
	authres_is_anonymous(value);
	write_and_read(arena, value);
	arena_free(arena);
	return 0;
}
