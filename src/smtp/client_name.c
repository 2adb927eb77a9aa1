/* SPDX-License-Identifier: Apache-2.0 */
/* Who the client is by DNS: the first name of its reverse record that leads
 * back to its address.
 */
#include <string.h>

#include "dns/name.h"
#include "dns/resolver.h"
#include "smtp/session_private.h"

/* Names tried of one reverse record: some have hundreds. */
enum { NAMES_MAX = 5, LOOK_UP_MS = 5000 };

/* *unknown: it might, but DNS fails. */
static bool leads_back(struct dns_session *dns, struct slice name,
    const struct ip *ip, bool *unknown)
{
	size_t size = ip->family == IP_V4 ? 4 : 16;
	const struct dns_answer *answer = dns_ask(
	    dns, name, ip->family == IP_V4 ? DNS_A : DNS_AAAA);

	*unknown |= answer->status == DNS_TEMPORARY_FAILURE;
	for (size_t i = 0; i < answer->count; i++)
		if (answer->records[i].data.len == size &&
		    !memcmp(answer->records[i].data.ptr, ip->bytes, size))
			return true;
	return false;
}

static struct slice look_up(
    struct arena *arena, const struct session *session, bool *unknown)
{
	struct dns_session *dns = dns_session_new(arena,
	    session->snapshot->gate.resolver, session->limits,
	    deadline_in(LOOK_UP_MS));
	const struct ip *ip = &session->client.ip;
	const struct dns_answer *answer = dns_ask(
	    dns, name_reverse(arena, ip), DNS_PTR);

	*unknown = answer->status == DNS_TEMPORARY_FAILURE;
	for (size_t i = 0; i < answer->count && i < NAMES_MAX; i++)
		if (leads_back(dns, answer->records[i].data, ip, unknown))
			return answer->records[i].data;
	return SLICE("");
}

void session_look_up_name(struct session *session)
{
	struct envelope_client *client = &session->client;
	struct arena *arena;
	bool unknown;

	if (session->name_looked_up || !session->snapshot->gate.resolver ||
	    client->ip.family == IP_NONE)
		return;
	session->name_looked_up = true;
	arena = arena_new(0);
	client->name = arena_slice(
	    session->arena, look_up(arena, session, &unknown));
	client->name_unknown = client->name.len == 0 && unknown;
	arena_free(arena);
}
