/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/authres.h"

#include "auth/authres_text.h"
#include "base/ascii.h"
#include "base/buf.h"

enum { FIELD_MAX = 64 * 1024, REASON_MAX = 200, IDENTITY_MAX = 320 };

/* property "ptype.name=value"; nothing for an empty value. */
static void add_property(
    struct authres_text *text, const char *name, struct slice value)
{
	if (value.len == 0 || value.len > IDENTITY_MAX)
		return;
	authres_text_begin(text);
	buf_add_text(text->word, name);
	buf_add_byte(text->word, '=');
	authres_text_pvalue(text, value);
	authres_text_end(text);
}

static void add_result(
    struct authres_text *text, const char *method, const char *result)
{
	authres_text_statement(text);
	authres_text_begin(text);
	buf_add_text(text->word, method);
	buf_add_byte(text->word, '=');
	buf_add_text(text->word, result);
	authres_text_end(text);
}

static void add_reason(struct authres_text *text, struct slice reason)
{
	if (reason.len == 0)
		return;
	authres_text_begin(text);
	buf_add_text(text->word, "reason=");
	authres_text_quoted(text, slice_sub(reason, 0, REASON_MAX));
	authres_text_end(text);
}

static void add_comment(struct authres_text *text, struct slice comment)
{
	authres_text_begin(text);
	authres_text_comment(text, slice_sub(comment, 0, REASON_MAX));
	authres_text_end(text);
}

static void add_spf(struct arena *arena, struct authres_text *text,
    const struct authres_input *input, const struct spf_outcome *spf)
{
	char address[IP_TEXT_MAX];
	bool is_helo = spf->identity == SPF_IDENTITY_HELO;

	add_result(text, "spf", spf_result_name(spf->result));
	if (input->client_ip.family != IP_NONE)
		add_comment(text,
		    ARENA_JOIN(arena, SLICE("sender IP is "),
			slice_from(ip_format(&input->client_ip, address))));
	add_reason(text, spf->problem);
	if (!is_helo && input->mail_from.len)
		add_property(text, "smtp.mailfrom", input->mail_from);
	else
		add_property(text, "smtp.helo",
		    input->helo.len ? input->helo : spf->domain);
}

static void add_dkim(struct arena *arena, struct authres_text *text,
    const struct dkim_outcome *dkim)
{
	add_result(text, "dkim", dkim_result_name(dkim->result));
	if (dkim->key_bits)
		add_comment(text,
		    arena_format_slice(arena, "%u-bit key%s", dkim->key_bits,
			dkim->testing ? ", testing" : ""));
	if (dkim->result != DKIM_PASS)
		add_reason(text, dkim->reason);
	add_property(text, "header.d", dkim->domain);
	/* Room is left for all that follows, whatever a stranger made up. */
	if (text->out->len < FIELD_MAX / 4) {
		add_property(text, "header.i", dkim->identity);
		add_property(text, "header.s", dkim->selector);
	}
	add_property(text, "header.a", dkim->algorithm);
	add_property(text, "header.b", slice_sub(dkim->signature_start, 0, 8));
}

/* "a.example:b.example", the first sealer first (RFC 8617 section 7.2). */
static struct slice chain(struct arena *arena, const struct arc_outcome *arc)
{
	struct buf *names = buf_in_arena(arena, IDENTITY_MAX);

	for (size_t i = 0; i < arc->sealer_count; i++) {
		if (i)
			buf_add_byte(names, ':');
		buf_add(names, arc->sealers[i]);
	}
	return buf_overflowed(names) ? (struct slice){NULL, 0}
				     : buf_slice(names);
}

/* The registered results are none, pass and fail (RFC 8617 section 10.1).
 * What could not be evaluated is none of them, and is not said: readers take an
 * unknown word for whatever they like. */
static void add_arc(struct arena *arena, struct authres_text *text,
    const struct authres_input *input)
{
	const struct arc_outcome *arc = input->arc;
	char address[IP_TEXT_MAX];

	if (arc->result == ARC_TEMPERROR)
		return;
	add_result(text, "arc", arc_result_name(arc->result));
	if (arc->result == ARC_NONE)
		return;
	add_comment(text, arena_format_slice(arena, "i=%u", arc->sets));
	if (arc->result != ARC_PASS)
		add_reason(text, arc->reason);
	if (input->client_ip.family != IP_NONE)
		add_property(text, "smtp.remote-ip",
		    slice_from(ip_format(&input->client_ip, address)));
	if (arc->result == ARC_PASS)
		add_property(text, "header.oldest-pass",
		    arena_format_slice(arena, "%u", arc->oldest_pass));
	add_property(text, "arc.chain", chain(arena, arc));
}

static void add_dmarc(struct arena *arena, struct authres_text *text,
    const struct authres_input *input, const struct dmarc_outcome *dmarc)
{
	const struct dmarc_discovery *found = &dmarc->discovery;
	bool has_policy = found->policy_domain.len > 0;
	struct slice policy = slice_from(dmarc_policy_name(found->policy));

	add_result(text, "dmarc", dmarc_result_name(dmarc->result));
	if (has_policy)
		add_comment(text,
		    arena_format_slice(arena, "p=%.*s%s dis=%.*s",
			SLICE_ARGS(policy), found->testing ? " t=y" : "",
			SLICE_ARGS(input->disposition.len ? input->disposition
							  : SLICE("none"))));
	if (dmarc->result != DMARC_PASS)
		add_reason(
		    text, input->override.len && dmarc->result == DMARC_FAIL
			      ? input->override
			      : dmarc->reason);
	add_property(text, "header.from", dmarc->from_domain);
	if (!has_policy)
		return;
	add_property(text, "policy.dmarc", policy);
	if (!slice_eq(found->policy_domain, dmarc->from_domain))
		add_property(text, "polrec.domain", found->policy_domain);
}

/* No method is registered for it: experimental (RFC 8601 section 2.7.7). */
static void add_own_domain(
    struct authres_text *text, const struct own_domain_outcome *own)
{
	if (own->result == OWN_DOMAIN_NONE)
		return;
	add_result(text, "x-own-domain", own_domain_result_name(own->result));
	add_property(text, "policy.identity",
	    slice_from(own_domain_identity_name(own->identity)));
	add_property(text, "policy.domain", own->domain);
}

struct slice authres_write(
    struct arena *arena, const struct authres_input *input)
{
	struct authres_text text;
	size_t before;

	authres_text_init(arena, &text, FIELD_MAX, input->smtputf8);
	authres_text_begin(&text);
	authres_text_pvalue(&text, input->authserv_id);
	authres_text_end(&text);
	before = text.out->len;
	if (input->spf_mailfrom)
		add_spf(arena, &text, input, input->spf_mailfrom);
	if (input->spf_helo)
		add_spf(arena, &text, input, input->spf_helo);
	for (size_t i = 0; i < input->dkim_count; i++)
		add_dkim(arena, &text, &input->dkim[i]);
	if (input->dkim_checked && input->dkim_count == 0)
		add_result(&text, "dkim", "none");
	if (input->arc)
		add_arc(arena, &text, input);
	for (size_t i = 0; i < input->dmarc_count; i++)
		add_dmarc(arena, &text, input, &input->dmarc[i]);
	if (input->own_domain)
		add_own_domain(&text, input->own_domain);
	if (text.out->len == before)
		buf_add_text(text.out, "; none");
	return buf_slice(text.out);
}
