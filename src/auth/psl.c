/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/psl.h"

#include <libpsl.h>

#include "dns/name.h"

static void free_list(void *object)
{
	psl_free(object);
}

struct slice psl_organizational_domain(struct arena *arena, struct slice domain)
{
	struct slice name, none = {NULL, 0};
	const char *registrable;
	psl_ctx_t *list;
	struct ip ip;

	/* The library compares with case and would split an address. */
	if (ip_parse(domain, &ip) ||
	    !name_normalize(arena, domain, &name, NULL))
		return none;
	list = psl_latest(NULL);
	if (!list)
		return none;
	arena_defer(arena, free_list, list);
	registrable = psl_registrable_domain(list, arena_text(arena, name));
	return registrable ? arena_slice(arena, slice_from(registrable)) : none;
}
