/* SPDX-License-Identifier: Apache-2.0 */
/* conf/domain_index.h - the domains of a configuration, sorted once.
 *
 * There may be tens of thousands of them: to compare each with each takes
 * longer than the supervisor has patience.  Names are borrowed and compared
 * octet by octet, for the configuration has them in one form.
 */
#ifndef CONF_DOMAIN_INDEX_H
#define CONF_DOMAIN_INDEX_H

#include "base/arena.h"
#include "base/slice.h"

struct domain_entry {
	struct slice name;
	size_t number; /* the caller's */
};

struct domain_index {
	size_t count, room;
	struct domain_entry *entries; /* by name, then by number */
};

/* For at most room names. */
struct domain_index domain_index_new(struct arena *arena, size_t room);
void domain_index_add(
    struct domain_index *index, struct slice name, size_t number);

/* After the last one was added, before any is looked for. */
void domain_index_sort(struct domain_index *index);

/* The one with the least number; NULL: none has this name. */
const struct domain_entry *domain_index_find(
    const struct domain_index *index, struct slice name);

/* The same for a pattern that covers the domain: its name, ".parent" of any
 * domain above it, or "*". */
const struct domain_entry *domain_index_cover(
    const struct domain_index *index, struct slice domain);

#endif
