/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/dmarc_walk.h"

#include "dns/name.h"

/* Section 4.10, step 4: from eight labels on, the next name has seven. */
enum { SHORTENED_LABELS = 7 };

size_t dmarc_walk_names(
    struct slice domain, struct slice ret[static DMARC_WALK_MAX])
{
	size_t count = 0, labels;

	ret[count++] = domain;
	domain = name_parent(domain);
	labels = name_label_count(domain);
	for (; labels > SHORTENED_LABELS; labels--)
		domain = name_parent(domain);
	for (; domain.len; domain = name_parent(domain))
		ret[count++] = domain;
	return count;
}

static void take_step(struct arena *arena, struct dns_session *dns,
    struct slice domain, struct dmarc_walk_step *ret, const char **ret_problem)
{
	struct slice name = ARENA_JOIN(arena, SLICE("_dmarc."), domain);
	const struct dns_answer *answer = dns_ask(dns, name, DNS_TXT);
	struct slice text = {NULL, 0};
	size_t records = 0;

	*ret = (struct dmarc_walk_step){
	    .domain = domain, .status = answer->status};
	if (answer->status == DNS_TEMPORARY_FAILURE)
		*ret_problem = answer->problem;
	if (answer->status != DNS_FOUND)
		return;
	for (size_t i = 0; i < answer->count; i++)
		if (dmarc_record_is(answer->records[i].data)) {
			text = answer->records[i].data;
			records++;
		}
	ret->several = records > 1;
	ret->found = records == 1;
	if (ret->found)
		ret->record = dmarc_record_parse(arena, text);
}

struct dmarc_walk dmarc_walk(
    struct arena *arena, struct dns_session *dns, struct slice start)
{
	struct dmarc_walk walk = {.start = start, .problem = ""};
	struct slice names[DMARC_WALK_MAX];
	size_t count = dmarc_walk_names(start, names);

	while (walk.count < count) {
		struct dmarc_walk_step *step = &walk.steps[walk.count];

		take_step(arena, dns, names[walk.count], step, &walk.problem);
		walk.count++;
		if (step->status == DNS_TEMPORARY_FAILURE) {
			walk.temporary = true;
			break;
		}
		if (step->found && step->record.psd != DMARC_PSD_UNKNOWN)
			break;
	}
	return walk;
}

/* The domain on the way from start up to parent that is one label longer. */
static struct slice one_label_below(struct slice start, struct slice parent)
{
	struct slice name = start;

	while (name.len && !slice_eq(name_parent(name), parent))
		name = name_parent(name);
	return name;
}

struct slice dmarc_walk_organizational_domain(const struct dmarc_walk *walk)
{
	struct slice shortest = walk->start;

	if (walk->temporary)
		return (struct slice){NULL, 0};
	for (size_t i = 0; i < walk->count; i++) {
		const struct dmarc_walk_step *step = &walk->steps[i];

		if (!step->found)
			continue;
		if (step->record.psd == DMARC_PSD_NO)
			return step->domain;
		/* A public suffix that is itself the author keeps to rule 3. */
		if (step->record.psd == DMARC_PSD_YES && i > 0)
			return one_label_below(walk->start, step->domain);
		shortest = step->domain;
	}
	return shortest;
}
