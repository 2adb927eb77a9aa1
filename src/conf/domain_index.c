/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/domain_index.h"

#include <stdlib.h>

#include "base/require.h"

struct domain_index domain_index_new(struct arena *arena, size_t room)
{
	return (struct domain_index){
	    .room = room,
	    .entries = ARENA_ARRAY(arena, room, struct domain_entry),
	};
}

void domain_index_add(
    struct domain_index *index, struct slice name, size_t number)
{
	require(index->count < index->room);
	index->entries[index->count++] = (struct domain_entry){name, number};
}

static int compare(const void *one, const void *other)
{
	const struct domain_entry *a = one, *b = other;
	int order = slice_compare(a->name, b->name);

	return order ? order
		     : (a->number > b->number) - (a->number < b->number);
}

void domain_index_sort(struct domain_index *index)
{
	if (index->count)
		qsort(index->entries, index->count, sizeof(index->entries[0]),
		    compare);
}

const struct domain_entry *domain_index_find(
    const struct domain_index *index, struct slice name)
{
	size_t low = 0, high = index->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (slice_compare(index->entries[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == index->count || !slice_eq(index->entries[low].name, name))
		return NULL;
	return &index->entries[low];
}

static const struct domain_entry *least(
    const struct domain_entry *a, const struct domain_entry *b)
{
	if (!a || !b)
		return a ? a : b;
	return b->number < a->number ? b : a;
}

const struct domain_entry *domain_index_cover(
    const struct domain_index *index, struct slice domain)
{
	const struct domain_entry *found = least(
	    domain_index_find(index, domain),
	    domain_index_find(index, SLICE("*")));

	for (size_t i = 0; i < domain.len; i++)
		if (domain.ptr[i] == '.')
			found = least(found, domain_index_find(index,
						 slice_from_pos(domain, i)));
	return found;
}
