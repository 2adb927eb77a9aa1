/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/dmarc.h"

#include "auth/dmarc_walk.h"
#include "dns/name.h"

const char *dmarc_result_name(enum dmarc_result result)
{
	static const char *const names[] = {
	    [DMARC_NONE] = "none",
	    [DMARC_PASS] = "pass",
	    [DMARC_FAIL] = "fail",
	    [DMARC_TEMPERROR] = "temperror",
	    [DMARC_PERMERROR] = "permerror",
	};

	return names[result];
}

enum alignment { NOT_ALIGNED, ALIGNED, ALIGNMENT_UNKNOWN };

/* Both normalized. organizational_domain is the author's; empty: unknown. */
static enum alignment align(struct arena *arena, struct dns_session *dns,
    struct slice author, struct slice organizational_domain,
    struct slice identifier, bool strict)
{
	struct dmarc_walk walk;

	if (slice_eq(author, identifier))
		return ALIGNED;
	if (strict)
		return NOT_ALIGNED;
	if (organizational_domain.len == 0) {
		/* Whatever the walk would have said, two domains without a
		 * common parent have no common organizational domain. */
		struct slice author_top = author, other_top = identifier;

		while (name_parent(author_top).len)
			author_top = name_parent(author_top);
		while (name_parent(other_top).len)
			other_top = name_parent(other_top);
		return slice_eq(author_top, other_top) ? ALIGNMENT_UNKNOWN
						       : NOT_ALIGNED;
	}
	/* An organizational domain is never below its domain's own name: no
	 * walk is needed for identifiers elsewhere in the tree. */
	if (!name_is_at_or_below(identifier, organizational_domain))
		return NOT_ALIGNED;
	walk = dmarc_walk(arena, dns, identifier);
	if (walk.temporary)
		return ALIGNMENT_UNKNOWN;
	return slice_eq(dmarc_walk_organizational_domain(&walk),
		   organizational_domain)
		   ? ALIGNED
		   : NOT_ALIGNED;
}

struct evaluation {
	struct arena *arena;
	struct dns_session *dns;
	struct dmarc_outcome outcome;
	bool exact;    /* only what is aligned under any record counts */
	bool may_pass; /* once something temporary is over */
	const char *may_pass_because;
};

static void mark_temporary(struct evaluation *evaluation, const char *because)
{
	if (!evaluation->may_pass)
		evaluation->may_pass_because = because;
	evaluation->may_pass = true;
}

/* One authenticated identifier, or one that could have become one. */
static bool is_aligned_pass(struct evaluation *evaluation, struct slice domain,
    bool strict, bool passed, const char *temporary_error)
{
	const struct dmarc_discovery *discovery =
	    &evaluation->outcome.discovery;
	struct slice identifier;
	enum alignment alignment;

	if (!name_normalize(evaluation->arena, domain, &identifier, NULL))
		return false;
	alignment = align(evaluation->arena, evaluation->dns,
	    discovery->author_domain, discovery->organizational_domain,
	    identifier, strict || evaluation->exact);
	if (alignment == NOT_ALIGNED)
		return false;
	if (!passed)
		mark_temporary(evaluation, temporary_error);
	else if (alignment == ALIGNMENT_UNKNOWN)
		mark_temporary(evaluation,
		    "a domain passed, but DNS could not tell whether it is "
		    "aligned");
	return passed && alignment == ALIGNED;
}

static void check_spf(
    struct evaluation *evaluation, const struct spf_outcome *spf)
{
	if (!spf || (spf->result != SPF_PASS && spf->result != SPF_TEMPERROR))
		return;
	evaluation->outcome.spf_aligned = is_aligned_pass(evaluation,
	    spf->domain, evaluation->outcome.discovery.strict_spf,
	    spf->result == SPF_PASS,
	    "SPF of an aligned domain failed temporarily");
}

static void check_dkim(
    struct evaluation *evaluation, const struct dkim_outcome *dkim)
{
	if (dkim->result != DKIM_PASS && dkim->result != DKIM_TEMPERROR)
		return;
	if (is_aligned_pass(evaluation, dkim->domain,
		evaluation->outcome.discovery.strict_dkim,
		dkim->result == DKIM_PASS,
		"an aligned DKIM signature failed temporarily"))
		evaluation->outcome.dkim_aligned = true;
}

static struct slice pass_reason(
    struct arena *arena, const struct dmarc_outcome *outcome)
{
	const char *by = outcome->dkim_aligned ? "DKIM" : "SPF";

	if (outcome->spf_aligned && outcome->dkim_aligned)
		by = "SPF and DKIM";
	return arena_format_slice(arena, "%s passed and aligned with %.*s", by,
	    SLICE_ARGS(outcome->discovery.author_domain));
}

static void settle(struct evaluation *evaluation)
{
	struct dmarc_outcome *outcome = &evaluation->outcome;
	struct arena *arena = evaluation->arena;

	if (outcome->spf_aligned || outcome->dkim_aligned) {
		outcome->result = DMARC_PASS;
		outcome->reason = pass_reason(arena, outcome);
	} else if (evaluation->may_pass) {
		outcome->result = DMARC_TEMPERROR;
		outcome->reason = arena_format_slice(
		    arena, "%s", evaluation->may_pass_because);
	} else if (outcome->discovery.status == DMARC_TEMPERROR) {
		outcome->result = DMARC_TEMPERROR;
		outcome->reason = outcome->discovery.problem;
	} else {
		outcome->result = DMARC_FAIL;
		outcome->reason = arena_format_slice(arena,
		    "neither SPF nor DKIM passed for a domain aligned with "
		    "%.*s",
		    SLICE_ARGS(outcome->discovery.author_domain));
	}
}

/* No record applies, or none could be asked for.  In the latter case the very
 * domain of the author is still aligned, whatever the record would say. */
static void settle_without_record(struct evaluation *evaluation)
{
	struct dmarc_outcome *outcome = &evaluation->outcome;
	const struct dmarc_discovery *discovery = &outcome->discovery;

	outcome->result = discovery->status;
	outcome->reason = discovery->problem;
	if (discovery->status == DMARC_NONE && !discovery->record.len)
		outcome->reason = arena_format_slice(evaluation->arena,
		    "no DMARC record applies to %.*s",
		    SLICE_ARGS(discovery->author_domain));
	else if (outcome->spf_aligned || outcome->dkim_aligned)
		outcome->reason = arena_format_slice(evaluation->arena,
		    "%.*s; %.*s, as any record would have it",
		    SLICE_ARGS(discovery->problem),
		    SLICE_ARGS(pass_reason(evaluation->arena, outcome)));
}

static void check_identifiers(struct evaluation *evaluation,
    const struct spf_outcome *spf, size_t dkim_count,
    const struct dkim_outcome *dkim)
{
	check_spf(evaluation, spf);
	for (size_t i = 0; i < dkim_count; i++)
		check_dkim(evaluation, &dkim[i]);
}

struct dmarc_outcome dmarc_evaluate(struct arena *arena,
    struct dns_session *dns, struct slice from_domain,
    const struct spf_outcome *spf, size_t dkim_count,
    const struct dkim_outcome *dkim)
{
	struct evaluation evaluation = {.arena = arena, .dns = dns};
	struct dmarc_outcome *outcome = &evaluation.outcome;
	const struct dmarc_discovery *discovery = &outcome->discovery;
	bool has_record;

	outcome->discovery = dmarc_discover(arena, dns, from_domain);
	outcome->from_domain = discovery->author_domain;
	has_record = discovery->policy_domain.len > 0;
	evaluation.exact = !has_record;
	if (has_record || discovery->status == DMARC_TEMPERROR)
		check_identifiers(&evaluation, spf, dkim_count, dkim);
	if (has_record)
		settle(&evaluation);
	else
		settle_without_record(&evaluation);
	return *outcome;
}

const struct dmarc_outcome *dmarc_worst(
    size_t count, const struct dmarc_outcome *outcomes)
{
	static const int rank[] = {
	    [DMARC_PASS] = 0,
	    [DMARC_NONE] = 1,
	    [DMARC_PERMERROR] = 2,
	    [DMARC_TEMPERROR] = 3,
	    [DMARC_FAIL] = 4,
	};
	const struct dmarc_outcome *worst = NULL;

	for (size_t i = 0; i < count; i++)
		if (!worst || rank[outcomes[i].result] > rank[worst->result])
			worst = &outcomes[i];
	return worst;
}
