/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/dkim_choose.h"

#include "auth/header_from.h"
#include "auth/taglist.h"
#include "dns/name.h"

enum nearness { IS_AUTHOR, ABOVE_OR_BELOW, BESIDE, UNRELATED, NEARNESS_COUNT };

struct candidate {
	const struct header_field *field;
	enum nearness nearness;
};

/* Two labels at least: else all of a top-level domain would be kin. */
static bool are_siblings(struct slice a, struct slice b)
{
	struct slice parent = name_parent(b);

	return name_label_count(parent) >= 2 && name_is_at_or_below(a, parent);
}

static enum nearness nearness_to(struct slice domain, struct slice author)
{
	if (slice_eq(domain, author))
		return IS_AUTHOR;
	if (name_is_at_or_below(domain, author) ||
	    name_is_at_or_below(author, domain))
		return ABOVE_OR_BELOW;
	return are_siblings(domain, author) ? BESIDE : UNRELATED;
}

/* A field that cannot be read is nobody's. */
static enum nearness rate(struct arena *arena, const struct header_field *field,
    const struct header_from *from)
{
	enum nearness nearest = UNRELATED;
	const struct tag *tag;
	struct taglist list;
	struct slice domain;

	if (!taglist_parse(field->value, &list, NULL))
		return UNRELATED;
	tag = taglist_find(&list, SLICE("d"));
	if (!tag || !name_normalize(arena, tag->value, &domain, NULL))
		return UNRELATED;
	for (size_t i = 0; i < from->domain_count; i++) {
		enum nearness one = nearness_to(domain, from->domains[i]);

		if (one < nearest)
			nearest = one;
	}
	return nearest;
}

static struct candidate *collect(
    struct arena *arena, const struct header_list *headers, size_t count)
{
	struct candidate *candidates = ARENA_ARRAY(
	    arena, count, struct candidate);
	size_t found = 0;

	for (size_t i = 0; i < headers->count; i++)
		if (slice_eq_nocase(
			headers->fields[i].name, SLICE("DKIM-Signature")))
			candidates[found++].field = &headers->fields[i];
	return candidates;
}

/* Rates all, and says how many of each nearness there is room for. */
static void share_room(struct arena *arena, const struct header_list *headers,
    const struct limits *limits, struct candidate *candidates, size_t count,
    size_t ret_room[NEARNESS_COUNT])
{
	struct header_from from = header_from_read(arena, headers, limits);
	size_t left = (size_t)limits->dkim_signatures;
	size_t counts[NEARNESS_COUNT] = {0};

	for (size_t i = 0; i < count; i++) {
		candidates[i].nearness = rate(
		    arena, candidates[i].field, &from);
		counts[candidates[i].nearness]++;
	}
	for (size_t i = 0; i < NEARNESS_COUNT; i++) {
		ret_room[i] = counts[i] < left ? counts[i] : left;
		left -= ret_room[i];
	}
}

struct dkim_choice dkim_choose(struct arena *arena,
    const struct header_list *headers, const struct limits *limits)
{
	size_t found = headers_count(headers, SLICE("DKIM-Signature"));
	struct candidate *candidates = collect(arena, headers, found);
	size_t room[NEARNESS_COUNT] = {[IS_AUTHOR] = found};
	struct dkim_choice choice = {
	    .fields = ARENA_ARRAY(arena, found, const struct header_field *),
	};

	/* Usually all of them are taken, and nobody's nearness matters. */
	if (found > limits->dkim_signatures)
		share_room(arena, headers, limits, candidates, found, room);
	for (size_t i = 0; i < found; i++) {
		if (room[candidates[i].nearness] == 0)
			continue;
		room[candidates[i].nearness]--;
		choice.fields[choice.count++] = candidates[i].field;
	}
	choice.left_out = found - choice.count;
	return choice;
}
