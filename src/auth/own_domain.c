/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/own_domain.h"

#include "dns/name.h"

const char *own_domain_result_name(enum own_domain_result result)
{
	static const char *const names[] = {
	    [OWN_DOMAIN_NONE] = "none",
	    [OWN_DOMAIN_PASS] = "pass",
	    [OWN_DOMAIN_EXEMPT] = "exempt",
	    [OWN_DOMAIN_TEMPERROR] = "temperror",
	    [OWN_DOMAIN_FAIL] = "fail",
	};

	return names[result];
}

const char *own_domain_identity_name(enum own_domain_identity identity)
{
	return identity == OWN_DOMAIN_MAIL_FROM ? "mailfrom" : "from";
}

struct slice own_domain_match(
    const struct own_domain_input *input, struct slice name)
{
	struct slice longest = {NULL, 0};

	for (size_t i = 0; i < input->accepted_count; i++) {
		struct slice accepted = input->accepted[i];

		if (accepted.len <= longest.len)
			continue;
		if (slice_eq(name, accepted) ||
		    (input->subdomains && name_is_at_or_below(name, accepted)))
			longest = accepted;
	}
	return longest;
}

static bool is_exempt(const struct own_domain_input *input, struct slice domain)
{
	for (size_t i = 0; i < input->exempt_count; i++)
		if (name_is_at_or_below(domain, input->exempt[i]))
			return true;
	return false;
}

/* Do both lie within one accepted domain?  Relaxed alignment: whether names
 * below it may themselves be used as senders makes no difference here. */
static bool are_aligned(const struct own_domain_input *input,
    struct slice domain, struct slice identifier)
{
	for (size_t i = 0; i < input->accepted_count; i++)
		if (name_is_at_or_below(domain, input->accepted[i]) &&
		    name_is_at_or_below(identifier, input->accepted[i]))
			return true;
	return false;
}

/* What one mechanism says: temporary errors count only where a pass would. */
struct evidence {
	bool pass, may_pass;
	bool everybody; /* SPF passes, as it does for everybody */
	bool unusable;	/* a domain that cannot be authenticated */
};

static void weigh_spf(const struct own_domain_input *input, struct slice domain,
    struct evidence *evidence)
{
	if (!input->spf || !are_aligned(input, domain, input->spf->domain))
		return;
	if (input->spf->everybody)
		evidence->everybody = true;
	else
		evidence->pass |= input->spf->result == SPF_PASS;
	evidence->may_pass |= input->spf->result == SPF_TEMPERROR;
}

static void weigh_dkim(const struct own_domain_input *input,
    struct slice domain, struct evidence *evidence)
{
	for (size_t i = 0; i < input->dkim_count; i++) {
		const struct dkim_outcome *dkim = &input->dkim[i];

		if (!are_aligned(input, domain, dkim->domain))
			continue;
		evidence->pass |= dkim->result == DKIM_PASS;
		evidence->may_pass |= dkim->result == DKIM_TEMPERROR;
	}
}

static struct evidence weigh(const struct own_domain_input *input,
    enum own_domain_identity identity, struct slice domain)
{
	struct evidence evidence = {
	    .unusable = identity == OWN_DOMAIN_MAIL_FROM &&
			input->mail_from_unusable,
	};

	if (evidence.unusable)
		return evidence;
	weigh_spf(input, domain, &evidence);
	weigh_dkim(input, domain, &evidence);
	return evidence;
}

/* What else a reader of a failure should know. */
static const char *remark(const struct evidence *evidence)
{
	if (evidence->unusable)
		return " (it is no valid domain name)";
	if (evidence->everybody)
		return " (its SPF record lets everybody pass)";
	return "";
}

static struct slice reason_of(struct arena *arena,
    const struct own_domain_outcome *outcome, const struct evidence *evidence)
{
	static const char *const endings[] = {
	    [OWN_DOMAIN_NONE] = "is used",
	    [OWN_DOMAIN_PASS] = "is authenticated",
	    [OWN_DOMAIN_EXEMPT] = "may be used by this connector",
	    [OWN_DOMAIN_TEMPERROR] =
		"could not be authenticated for a temporary reason",
	    [OWN_DOMAIN_FAIL] = "is ours, but neither SPF nor DKIM passes",
	};

	return arena_format_slice(arena, "%.*s in %s %s%s",
	    SLICE_ARGS(outcome->domain),
	    outcome->identity == OWN_DOMAIN_MAIL_FROM ? "MAIL FROM" : "From:",
	    endings[outcome->result],
	    outcome->result == OWN_DOMAIN_FAIL ? remark(evidence) : "");
}

static void check_identity(struct arena *arena,
    const struct own_domain_input *input, enum own_domain_identity identity,
    struct slice domain, struct own_domain_outcome *worst)
{
	struct own_domain_outcome outcome = {
	    .identity = identity,
	    .domain = domain,
	    .accepted = own_domain_match(input, domain),
	};
	struct evidence evidence;

	if (outcome.accepted.len == 0)
		return;
	evidence = weigh(input, identity, domain);
	if (evidence.pass)
		outcome.result = OWN_DOMAIN_PASS;
	else if (is_exempt(input, domain))
		outcome.result = OWN_DOMAIN_EXEMPT;
	else if (evidence.may_pass)
		outcome.result = OWN_DOMAIN_TEMPERROR;
	else
		outcome.result = OWN_DOMAIN_FAIL;
	if (outcome.result <= worst->result)
		return;
	outcome.reason = reason_of(arena, &outcome, &evidence);
	*worst = outcome;
}

struct own_domain_outcome own_domain_check(
    struct arena *arena, const struct own_domain_input *input)
{
	struct own_domain_outcome worst = {.result = OWN_DOMAIN_NONE};

	if (input->mail_from.len)
		check_identity(arena, input, OWN_DOMAIN_MAIL_FROM,
		    input->mail_from, &worst);
	for (size_t i = 0; i < input->from_count; i++)
		check_identity(arena, input, OWN_DOMAIN_HEADER_FROM,
		    input->from[i], &worst);
	return worst;
}
