/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/spf_ptr.h"

#include <string.h>

#include "dns/name.h"

static enum dns_type address_type(const struct ip *client)
{
	return client->family == IP_V6 ? DNS_AAAA : DNS_A;
}

void spf_ptr_ask(struct spf_ptr *ptr, struct arena *arena,
    struct dns_session *dns, const struct ip *client)
{
	const struct dns_answer *answer;

	if (ptr->asked)
		return;
	ptr->asked = true;
	answer = dns_ask(dns, name_reverse(arena, client), DNS_PTR);
	ptr->found_nothing = answer->status == DNS_NODATA ||
			     answer->status == DNS_NXDOMAIN;
	/* Section 4.6.4: "all records other than the first 10 MUST be
	 * ignored". */
	for (size_t i = 0; i < answer->count; i++) {
		if (ptr->count == SPF_PTR_NAMES_MAX)
			break;
		ptr->names[ptr->count++].name = answer->records[i].data;
	}
}

/* Does the name lead back to the client?  Section 5.5: a name whose addresses
 * cannot be had is skipped. */
static bool is_valid(
    struct spf_ptr_name *name, struct dns_session *dns, const struct ip *client)
{
	size_t size = client->family == IP_V6 ? 16 : 4;
	const struct dns_answer *answer;

	if (name->tried)
		return name->valid;
	name->tried = true;
	answer = dns_ask(dns, name->name, address_type(client));
	for (size_t i = 0; i < answer->count; i++) {
		struct slice data = answer->records[i].data;

		if (data.len == size && !memcmp(data.ptr, client->bytes, size))
			name->valid = true;
	}
	return name->valid;
}

/* As name_is_at_or_below, whatever the case. */
static bool is_at_or_below(struct slice name, struct slice domain)
{
	size_t above = name.len - domain.len;

	if (slice_empty(domain) || !slice_ends_nocase(name, domain))
		return false;
	return above == 0 || name.ptr[above - 1] == '.';
}

static bool is_anything(struct slice name, struct slice domain)
{
	(void)domain;
	return !slice_empty(name);
}

/* The first validated name that suits; their queries run in parallel. */
static struct slice find_name(struct spf_ptr *ptr, struct dns_session *dns,
    const struct ip *client, struct slice domain,
    bool (*suits)(struct slice name, struct slice domain))
{
	for (size_t i = 0; i < ptr->count; i++)
		if (suits(ptr->names[i].name, domain) && !ptr->names[i].tried)
			dns_prefetch(
			    dns, ptr->names[i].name, address_type(client));
	for (size_t i = 0; i < ptr->count; i++)
		if (suits(ptr->names[i].name, domain) &&
		    is_valid(&ptr->names[i], dns, client))
			return ptr->names[i].name;
	return (struct slice){NULL, 0};
}

bool spf_ptr_matches(struct spf_ptr *ptr, struct dns_session *dns,
    const struct ip *client, struct slice domain)
{
	return !slice_empty(
	    find_name(ptr, dns, client, domain, is_at_or_below));
}

struct slice spf_ptr_best_name(struct spf_ptr *ptr, struct dns_session *dns,
    const struct ip *client, struct slice domain)
{
	static bool (*const wishes[])(struct slice, struct slice) = {
	    slice_eq_nocase,
	    is_at_or_below,
	    is_anything,
	};

	for (size_t i = 0; i < sizeof(wishes) / sizeof(*wishes); i++) {
		struct slice name = find_name(
		    ptr, dns, client, domain, wishes[i]);

		if (!slice_empty(name))
			return name;
	}
	return SLICE("unknown");
}
