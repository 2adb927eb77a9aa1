/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/dmarc.h"

#include "auth/dmarc_walk.h"
#include "base/buf.h"
#include "dns/name.h"

enum { PROBLEM_MAX = 2000 };

static void add_problem(struct buf *problem, struct slice text)
{
	if (text.len == 0)
		return;
	if (problem->len)
		buf_add_text(problem, "; ");
	buf_add(problem, text);
}

static void note_walk(
    struct arena *arena, struct buf *problem, const struct dmarc_walk *walk)
{
	for (size_t i = 0; i < walk->count; i++) {
		const struct dmarc_walk_step *step = &walk->steps[i];

		if (step->several)
			add_problem(problem,
			    arena_format_slice(arena,
				"several policy records at _dmarc.%.*s: all "
				"are ignored",
				SLICE_ARGS(step->domain)));
		if (step->status == DNS_TEMPORARY_FAILURE)
			add_problem(problem,
			    arena_format_slice(arena,
				"_dmarc.%.*s could not be asked: %s",
				SLICE_ARGS(step->domain), walk->problem));
	}
}

/* Section 4.10.1: the record of the author domain, else that of its
 * organizational domain, else that of its public suffix.  NULL: none. */
static const struct dmarc_walk_step *select_record(
    const struct dmarc_walk *walk, struct slice organizational_domain)
{
	const struct dmarc_walk_step *suffix = NULL;

	for (size_t i = 0; i < walk->count; i++) {
		const struct dmarc_walk_step *step = &walk->steps[i];

		if (!step->found)
			continue;
		if (i == 0 || slice_eq(step->domain, organizational_domain))
			return step;
		if (step->record.psd == DMARC_PSD_YES)
			suffix = step;
	}
	return suffix;
}

/* Section 3.2.13 and appendix A.4: NXDOMAIN means it does not exist, nor
 * anything below it; any record, or none of the asked type, that it does. */
static bool author_exists(
    struct dns_session *dns, const struct dmarc_walk *walk, bool *ret_temporary)
{
	const struct dns_answer *answer;

	/* Something below it exists. */
	if (walk->steps[0].status == DNS_FOUND ||
	    walk->steps[0].status == DNS_NODATA)
		return true;
	answer = dns_ask(dns, walk->start, DNS_A);
	/* The NXDOMAIN may be that of an alias's target (RFC 6604). */
	if (answer->status == DNS_NXDOMAIN)
		answer = dns_ask(dns, walk->start, DNS_CNAME);
	if (answer->status == DNS_TEMPORARY_FAILURE)
		*ret_temporary = true;
	return answer->status != DNS_NXDOMAIN;
}

static enum dmarc_policy milder(enum dmarc_policy policy)
{
	return policy == DMARC_POLICY_REJECT ? DMARC_POLICY_QUARANTINE
					     : DMARC_POLICY_NONE;
}

static void choose_policy(struct dns_session *dns,
    const struct dmarc_walk *walk, const struct dmarc_walk_step *step,
    struct dmarc_discovery *discovery)
{
	const struct dmarc_record *record = &step->record;
	bool temporary = false;

	if (step == &walk->steps[0]) {
		discovery->policy = record->policy;
		return;
	}
	discovery->policy = record->subdomain_policy;
	if (record->nonexistent_policy == record->subdomain_policy)
		return;
	discovery->author_domain_exists = author_exists(dns, walk, &temporary);
	if (temporary)
		discovery->status = DMARC_TEMPERROR;
	if (!discovery->author_domain_exists ||
	    (temporary && record->nonexistent_policy > discovery->policy))
		discovery->policy = record->nonexistent_policy;
}

static void use_record(struct arena *arena, struct dns_session *dns,
    const struct dmarc_walk *walk, const struct dmarc_walk_step *step,
    struct dmarc_discovery *discovery, struct buf *problem)
{
	const struct dmarc_record *record = &step->record;

	discovery->record = record->text;
	add_problem(problem, record->problem);
	if (!record->usable)
		return;
	discovery->status = DMARC_PASS;
	discovery->policy_domain = step->domain;
	discovery->testing = record->testing;
	discovery->strict_spf = record->strict_spf;
	discovery->strict_dkim = record->strict_dkim;
	discovery->rua = record->rua;
	discovery->ruf = record->ruf;
	choose_policy(dns, walk, step, discovery);
	if (discovery->status == DMARC_TEMPERROR)
		add_problem(
		    problem, arena_format_slice(arena,
				 "whether %.*s exists could not be asked",
				 SLICE_ARGS(walk->start)));
	discovery->applied_policy = record->testing ? milder(discovery->policy)
						    : discovery->policy;
}

struct dmarc_discovery dmarc_discover(
    struct arena *arena, struct dns_session *dns, struct slice author_domain)
{
	struct dmarc_discovery discovery = {
	    .status = DMARC_NONE,
	    .author_domain = author_domain,
	    .author_domain_exists = true,
	};
	struct buf *problem = buf_in_arena(arena, PROBLEM_MAX);
	const struct dmarc_walk_step *step;
	struct dmarc_walk walk;
	struct err err;

	if (!name_normalize(
		arena, author_domain, &discovery.author_domain, &err)) {
		discovery.status = DMARC_PERMERROR;
		discovery.problem = arena_format_slice(arena, "%s", err.text);
		return discovery;
	}
	walk = dmarc_walk(arena, dns, discovery.author_domain);
	discovery.organizational_domain = dmarc_walk_organizational_domain(
	    &walk);
	note_walk(arena, problem, &walk);
	step = walk.temporary && !walk.steps[0].found
		   ? NULL
		   : select_record(&walk, discovery.organizational_domain);
	if (step)
		use_record(arena, dns, &walk, step, &discovery, problem);
	else if (walk.temporary)
		discovery.status = DMARC_TEMPERROR;
	discovery.problem = buf_slice(problem);
	return discovery;
}

void dmarc_prefetch(struct dns_session *dns, struct slice author_domain)
{
	struct arena *arena = arena_new(1024);
	struct slice names[DMARC_WALK_MAX], domain;
	size_t count;

	if (name_normalize(arena, author_domain, &domain, NULL)) {
		count = dmarc_walk_names(domain, names);
		for (size_t i = 0; i < count; i++)
			dns_prefetch(dns,
			    ARENA_JOIN(arena, SLICE("_dmarc."), names[i]),
			    DNS_TXT);
	}
	arena_free(arena);
}
