/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/authres.h"

#include "auth/authres_text.h"
#include "message/address.h"

enum { FIELD_MAX = 8 * 1024, DOMAIN_MAX = 320, TEXT_MAX = 200 };

static void add(struct authres_text *text, const char *name, struct slice value)
{
	if (value.len > DOMAIN_MAX)
		return;
	authres_text_begin(text);
	buf_add_format(text->word, "%s=", name);
	authres_text_pvalue(text, value.len ? value : SLICE("none"));
	authres_text_end(text);
}

static void add_statement(
    struct authres_text *text, const char *name, const char *result)
{
	authres_text_statement(text);
	add(text, name, slice_from(result));
}

static void add_comment(struct authres_text *text, struct slice comment)
{
	authres_text_begin(text);
	authres_text_comment(text, slice_sub(comment, 0, TEXT_MAX));
	authres_text_end(text);
}

static void add_spf(struct arena *arena, struct authres_text *text,
    const struct authres_input *input)
{
	const struct spf_outcome *spf = input->spf_mailfrom;
	struct slice domain = address_domain(input->mail_from);
	char address[IP_TEXT_MAX];

	add_statement(text, "spf", spf ? spf_result_name(spf->result) : "none");
	add_comment(text, arena_format_slice(arena, "sender IP is %s",
			      ip_format(&input->client_ip, address)));
	add(text, "smtp.mailfrom", domain.len ? domain : input->helo);
}

/* The signature that says most: one that passes, else the top one. */
static const struct dkim_outcome *best_signature(
    const struct authres_input *input)
{
	for (size_t i = 0; i < input->dkim_count; i++)
		if (input->dkim[i].result == DKIM_PASS)
			return &input->dkim[i];
	return input->dkim_count ? &input->dkim[0] : NULL;
}

static void add_dkim(
    struct authres_text *text, const struct authres_input *input)
{
	const struct dkim_outcome *dkim = best_signature(input);

	if (!dkim) {
		add_statement(text, "dkim", "none");
		add_comment(text, SLICE("message not signed"));
		add(text, "header.d", SLICE("none"));
		return;
	}
	add_statement(text, "dkim", dkim_result_name(dkim->result));
	if (dkim->result == DKIM_PASS)
		add_comment(text, SLICE("signature was verified"));
	else if (dkim->reason.len)
		add_comment(text, dkim->reason);
	add(text, "header.d", dkim->domain);
}

/* No record, but identical domains passed: DMARC would have. */
static bool would_pass(
    const struct authres_input *input, const struct dmarc_outcome *dmarc)
{
	const struct spf_outcome *spf = input->spf_mailfrom;

	if (dmarc->result != DMARC_NONE || dmarc->from_domain.len == 0)
		return false;
	if (spf && spf->result == SPF_PASS &&
	    slice_eq_nocase(spf->domain, dmarc->from_domain))
		return true;
	for (size_t i = 0; i < input->dkim_count; i++)
		if (input->dkim[i].result == DKIM_PASS &&
		    slice_eq_nocase(input->dkim[i].domain, dmarc->from_domain))
			return true;
	return false;
}

/* "oreject": the policy was reject, and something else was done. */
static const char *action_of(
    const struct authres_input *input, const struct dmarc_outcome *dmarc)
{
	if (dmarc->result == DMARC_TEMPERROR ||
	    dmarc->result == DMARC_PERMERROR)
		return dmarc_result_name(dmarc->result);
	if (dmarc->result != DMARC_FAIL)
		return "none";
	if (dmarc->discovery.applied_policy == DMARC_POLICY_REJECT)
		return slice_eq(input->disposition, SLICE("reject"))
			   ? "reject"
			   : "oreject";
	if (dmarc->discovery.applied_policy == DMARC_POLICY_QUARANTINE &&
	    !slice_eq(input->disposition, SLICE("none")))
		return "quarantine";
	return "none";
}

/* Composite authentication and its reason code. */
struct composite {
	const char *result, *code;
};

static struct composite composite_of(const struct authres_input *input,
    const struct dmarc_outcome *dmarc, bool best_guess)
{
	bool ours = input->own_domain &&
		    input->own_domain->result == OWN_DOMAIN_FAIL;

	if (!dmarc || dmarc->result == DMARC_TEMPERROR)
		return (struct composite){"none", "300"};
	if (dmarc->result == DMARC_PASS)
		return (struct composite){"pass", "100"};
	if (best_guess)
		return (struct composite){"pass", "109"};
	if (dmarc->result == DMARC_FAIL && input->override.len && input->arc &&
	    input->arc->result == ARC_PASS)
		return (struct composite){"pass", "130"};
	if (dmarc->result == DMARC_FAIL &&
	    dmarc->discovery.policy != DMARC_POLICY_NONE)
		return (struct composite){"fail", ours ? "010" : "000"};
	return (struct composite){"fail", ours ? "601" : "001"};
}

struct slice authres_exchange_style(
    struct arena *arena, const struct authres_input *input)
{
	const struct dmarc_outcome *dmarc = dmarc_worst(
	    input->dmarc_count, input->dmarc);
	bool best_guess = dmarc && would_pass(input, dmarc);
	struct composite composite = composite_of(input, dmarc, best_guess);
	struct authres_text text;

	authres_text_init(arena, &text, FIELD_MAX, input->smtputf8);
	add_spf(arena, &text, input);
	add_dkim(&text, input);
	if (dmarc) {
		add_statement(&text, "dmarc",
		    best_guess ? "bestguesspass"
			       : dmarc_result_name(dmarc->result));
		add(&text, "action", slice_from(action_of(input, dmarc)));
		add(&text, "header.from", dmarc->from_domain);
	}
	add_statement(&text, "compauth", composite.result);
	add(&text, "reason", slice_from(composite.code));
	return buf_slice(text.out);
}
