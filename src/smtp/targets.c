/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/targets.h"

#include <stdlib.h>
#include <sys/random.h>

#include "dns/resolver.h"
#include "smtp/interfaces.h"

enum { PORT_SMTP = 25 };

static const struct ip loopback4 = {.family = IP_V4, .bytes = {127, 0, 0, 1}};
static const struct ip loopback6 = {.family = IP_V6, .bytes = {[15] = 1}};
static const struct slice unix_prefix = SLICE_INIT("unix:");

struct finder {
	struct arena *arena;
	const struct config *config;
	const struct conf_route *route;
	struct dns_session *dns; /* NULL: no names */
	struct target_list *list;
	bool temporary;			/* DNS could not tell something */
	bool loop;			/* we are a target ourselves */
	struct smtp_reply_text refusal; /* code 0: none */
};

static struct smtp_reply_text reply(
    int code, struct slice enhanced, struct slice text)
{
	return (struct smtp_reply_text){code, enhanced, text};
}

/* Who is there, and what protects the way; a socket is protected as it is. */
static struct slice place_of(
    struct arena *arena, const struct smtp_endpoint *endpoint)
{
	static const char *const policies[] = {
	    [NEXT_HOP_TLS_OFF] = "off",
	    [NEXT_HOP_TLS_MAY] = "may",
	    [NEXT_HOP_TLS_MUST] = "must",
	};
	char ip[IP_TEXT_MAX] = "";

	if (endpoint->path.len)
		return arena_format_slice(
		    arena, "unix:%.*s", SLICE_ARGS(endpoint->path));
	ip_format(&endpoint->ip, ip);
	return arena_format_slice(arena, "%.*s[%s]:%u,tls=%s%s%.*s",
	    SLICE_ARGS(endpoint->host), ip, (unsigned int)endpoint->port,
	    policies[endpoint->tls], endpoint->tls_ca.len ? ",ca=" : "",
	    SLICE_ARGS(endpoint->tls_ca));
}

/* What makes two endpoints one connection's worth; the log has it, too. */
static struct slice key_of(
    struct arena *arena, const struct smtp_endpoint *endpoint)
{
	struct slice place = place_of(arena, endpoint);
	struct slice proxy = {0};

	if (endpoint->proxy_protocol)
		proxy = arena_format_slice(
		    arena, ",proxy=%u", (unsigned int)endpoint->proxy_protocol);
	return arena_format_slice(arena, "%s:%.*s%s%.*s",
	    endpoint->lmtp ? "lmtp" : "smtp", SLICE_ARGS(place),
	    endpoint->xforward ? ",xforward" : "", SLICE_ARGS(proxy));
}

static void add(struct finder *finder, struct smtp_endpoint endpoint)
{
	const struct conf_route *route = finder->route;

	if (finder->list->count == TARGETS_MAX)
		return;
	endpoint.lmtp = route->kind == NEXT_HOP_LMTP;
	endpoint.xforward = route->xforward;
	endpoint.tls = route->tls;
	endpoint.tls_ca = route->tls_ca;
	endpoint.proxy_protocol = route->proxy_protocol;
	endpoint.key = key_of(finder->arena, &endpoint);
	finder->list->endpoints[finder->list->count++] = endpoint;
}

static bool is_unspecified(const struct ip *ip)
{
	struct ip any = {.family = ip->family};

	return ip_equal(ip, &any);
}

/* One of our listeners would answer there.  Who connects to no address is
 * connected to this host.  An exchanger with an address of this host is us, of
 * whatever family; a fixed next hop may be another program at the same port of
 * the other. */
static const struct conf_listener *find_ourselves(const struct config *config,
    const struct conf_route *route, const struct ip *ip, uint16_t port)
{
	bool by_mx = route->kind == NEXT_HOP_MX;

	if (is_unspecified(ip))
		ip = ip->family == IP_V4 ? &loopback4 : &loopback6;
	for (size_t i = 0; i < config->listener_count; i++) {
		struct ip listens;
		uint16_t at;

		if (config->listeners[i].role == ROLE_MILTER ||
		    !ip_parse_with_port(config->listeners[i].address, PORT_SMTP,
			&listens, &at, NULL) ||
		    at != port)
			continue;
		if (ip_equal(&listens, ip) ||
		    (is_unspecified(&listens) &&
			(by_mx || listens.family == ip->family) &&
			interfaces_have(ip)))
			return &config->listeners[i];
	}
	return NULL;
}

/* False: not added, since we would be our own next hop: each session would
 * begin another one at RCPT, until there are no more. */
static bool add_ip(struct finder *finder, struct slice host,
    const struct ip *ip, uint16_t port)
{
	if (find_ourselves(finder->config, finder->route, ip, port))
		return false;
	add(finder,
	    (struct smtp_endpoint){.host = host, .ip = *ip, .port = port});
	return true;
}

/* *ret_loop: an address of it is ours.  Returns how many were added. */
static size_t add_addresses(struct finder *finder, struct slice host,
    uint16_t port, enum dns_type type, bool *ret_loop)
{
	const struct dns_answer *answer = dns_ask(finder->dns, host, type);
	size_t added = 0;

	if (answer->status == DNS_TEMPORARY_FAILURE)
		finder->temporary = true;
	for (size_t i = 0; i < answer->count && added < TARGETS_ADDRESSES_MAX;
	     i++) {
		struct slice data = answer->records[i].data;
		struct ip ip;

		if (data.len != (type == DNS_A ? 4 : 16))
			continue;
		ip = ip_from_bytes(type == DNS_A ? IP_V4 : IP_V6, data.ptr);
		if (!add_ip(finder, host, &ip, port)) {
			*ret_loop = true;
			continue;
		}
		added++;
	}
	return added;
}

static bool has_use_of(const struct finder *finder, enum ip_family family)
{
	switch (finder->route->address_family) {
	case ADDRESS_FAMILY_IPV4: return family == IP_V4;
	case ADDRESS_FAMILY_IPV6: return family == IP_V6;
	case ADDRESS_FAMILY_ANY: break;
	}
	return true;
}

/* RFC 6761 section 6.3: known without asking. */
static bool add_localhost(
    struct finder *finder, struct slice host, uint16_t port)
{
	if (!slice_eq_nocase(host, SLICE("localhost")))
		return false;
	if (has_use_of(finder, IP_V4) &&
	    !add_ip(finder, host, &loopback4, port))
		finder->loop = true;
	if (has_use_of(finder, IP_V6) &&
	    !add_ip(finder, host, &loopback6, port))
		finder->loop = true;
	return true;
}

static size_t add_host(
    struct finder *finder, struct slice host, uint16_t port, bool *ret_loop)
{
	static const struct {
		enum ip_family family;
		enum dns_type type;
	} kinds[] = {{IP_V4, DNS_A}, {IP_V6, DNS_AAAA}};
	size_t added = 0;

	if (!finder->dns)
		return 0;
	for (size_t i = 0; i < 2; i++)
		if (has_use_of(finder, kinds[i].family))
			dns_prefetch(finder->dns, host, kinds[i].type);
	for (size_t i = 0; i < 2; i++)
		if (has_use_of(finder, kinds[i].family))
			added += add_addresses(
			    finder, host, port, kinds[i].type, ret_loop);
	return added;
}

struct exchanger {
	struct slice name;
	uint16_t preference;
	uint32_t random;
};

static int compare_exchangers(const void *left, const void *right)
{
	const struct exchanger *a = left, *b = right;

	if (a->preference != b->preference)
		return a->preference < b->preference ? -1 : 1;
	return a->random < b->random ? -1 : a->random > b->random;
}

static size_t sorted_exchangers(struct arena *arena,
    const struct dns_answer *answer, struct exchanger **ret)
{
	struct exchanger *list = ARENA_ARRAY(
	    arena, answer->count, struct exchanger);
	size_t count = 0;

	for (size_t i = 0; i < answer->count; i++) {
		struct exchanger *one = &list[count];

		/* "." beside others is nonsense: RFC 7505 section 3. */
		if (slice_empty(answer->records[i].data))
			continue;
		one->name = answer->records[i].data;
		one->preference = answer->records[i].preference;
		if (getrandom(&one->random, sizeof(one->random), 0) < 0)
			one->random = 0;
		count++;
	}
	qsort(list, count, sizeof(*list), compare_exchangers);
	*ret = list;
	return count;
}

/* RFC 5321 section 5.1: if we are an exchanger, those that are not better
 * than us are of no use: they would send it back. */
static void add_exchangers(
    struct finder *finder, const struct dns_answer *answer, uint16_t port)
{
	struct exchanger *list;
	size_t count = sorted_exchangers(finder->arena, answer, &list);
	size_t group = 0; /* where those of one preference begin */

	for (size_t i = 0; i < count && i < TARGETS_HOSTS_MAX; i++) {
		bool loop = slice_eq_nocase(
		    list[i].name, finder->config->hostname);

		if (i == 0 || list[i].preference != list[i - 1].preference)
			group = finder->list->count;
		if (!loop)
			add_host(finder, list[i].name, port, &loop);
		if (loop) {
			finder->loop = true;
			finder->list->count = group;
			return;
		}
	}
}

static void refuse(
    struct finder *finder, int code, struct slice enhanced, struct slice text)
{
	finder->refusal = reply(code, enhanced, text);
}

static void find_mx(struct finder *finder, struct slice domain, uint16_t port)
{
	const struct dns_answer *answer;

	if (!finder->dns)
		return;
	answer = dns_ask(finder->dns, domain, DNS_MX);
	switch (answer->status) {
	case DNS_TEMPORARY_FAILURE: finder->temporary = true; return;
	case DNS_NXDOMAIN:
		refuse(finder, 550, SLICE("5.1.2"),
		    SLICE("the recipient's domain does not exist"));
		return;
	case DNS_NODATA: {
		bool loop = false;

		add_host(finder, domain, port, &loop);
		finder->loop |= loop;
		return;
	}
	case DNS_FOUND: break;
	}
	if (answer->count == 1 && slice_empty(answer->records[0].data)) {
		refuse(finder, 556, SLICE("5.1.10"),
		    SLICE("the recipient's domain takes no mail (null MX)"));
		return;
	}
	add_exchangers(finder, answer, port);
}

/* "[192.0.2.1]", "[IPv6:2001:db8::1]": RFC 5321 section 4.1.3. */
static bool parse_literal(struct slice domain, struct ip *ret)
{
	const struct slice tag = SLICE("IPv6:");

	if (domain.len < 2 || domain.ptr[0] != '[' ||
	    domain.ptr[domain.len - 1] != ']')
		return false;
	domain = slice_sub(domain, 1, domain.len - 2);
	if (slice_starts_nocase(domain, tag))
		domain = slice_from_pos(domain, tag.len);
	return ip_parse(domain, ret);
}

static void find_target(struct finder *finder, const struct conf_target *target)
{
	uint16_t port = targets_port(target);
	struct ip ip;

	if (slice_starts(target->host, unix_prefix))
		add(finder,
		    (struct smtp_endpoint){.host = SLICE("localhost"),
			.path = slice_from_pos(target->host, unix_prefix.len)});
	else if (finder->route->kind == NEXT_HOP_MX)
		find_mx(finder, target->host, port);
	else if (ip_parse(target->host, &ip))
		finder->loop |= !add_ip(finder, target->host, &ip, port);
	else if (add_localhost(finder, target->host, port))
		return;
	else if (target->lookup_mx)
		find_mx(finder, target->host, port);
	else
		add_host(finder, target->host, port, &finder->loop);
}

static void find_domain(struct finder *finder, struct slice domain)
{
	const struct conf_route *route = finder->route;
	struct conf_target target = {
	    .host = domain,
	    .port = route->target_count ? route->targets[0].port : 0,
	    .lookup_mx = true,
	};
	struct ip ip;

	if (!parse_literal(domain, &ip)) {
		find_target(finder, &target);
		return;
	}
	if (!target.port)
		target.port = PORT_SMTP;
	finder->loop |= !add_ip(
	    finder, slice_sub(domain, 1, domain.len - 2), &ip, target.port);
}

uint16_t targets_port(const struct conf_target *target)
{
	return target->port ? target->port : PORT_SMTP;
}

/* One at this port, whatever its address. */
static const struct conf_listener *find_at_port(
    const struct config *config, uint16_t port)
{
	for (size_t i = 0; i < config->listener_count; i++) {
		struct ip ip;
		uint16_t at;

		if (config->listeners[i].role != ROLE_MILTER &&
		    ip_parse_with_port(config->listeners[i].address, PORT_SMTP,
			&ip, &at, NULL) &&
		    at == port)
			return &config->listeners[i];
	}
	return NULL;
}

const struct conf_listener *targets_lead_to(const struct config *config,
    const struct conf_route *route, const struct conf_target *target)
{
	uint16_t port = targets_port(target);
	struct ip ip;

	if (slice_starts(target->host, unix_prefix))
		return NULL;
	if (ip_parse(target->host, &ip))
		return find_ourselves(config, route, &ip, port);
	if (slice_eq_nocase(target->host, SLICE("localhost")))
		return find_ourselves(config, route, &loopback4, port);
	if (slice_eq_nocase(target->host, config->hostname))
		return find_at_port(config, port);
	return NULL;
}

bool targets_same(const struct conf_route *a, const struct conf_route *b)
{
	return a == b ||
	       (slice_eq(a->text, b->text) &&
		   a->address_family == b->address_family && a->tls == b->tls &&
		   slice_eq(a->tls_ca, b->tls_ca) &&
		   a->xforward == b->xforward &&
		   a->proxy_protocol == b->proxy_protocol);
}

static struct smtp_reply_text reason(const struct finder *finder)
{
	if (finder->temporary)
		return reply(451, SLICE("4.4.3"),
		    SLICE("the next hop's name cannot be looked up now"));
	if (finder->route->kind != NEXT_HOP_MX && finder->loop)
		return reply(451, SLICE("4.3.5"),
		    SLICE("the route for this domain leads back to this "
			  "gateway; the administrator must correct routes"));
	if (finder->route->kind != NEXT_HOP_MX)
		return reply(451, SLICE("4.4.1"),
		    SLICE("the next hop's name has no address"));
	if (finder->refusal.code)
		return finder->refusal;
	if (finder->loop)
		return reply(554, SLICE("5.4.6"),
		    SLICE("mail for this domain would come back to us"));
	return reply(550, SLICE("5.4.4"),
	    SLICE("the recipient's mail exchangers have no address"));
}

bool targets_find(struct arena *arena, const struct config *config,
    struct dns_resolver *resolver, const struct next_hop_request *request,
    struct target_list *ret, struct smtp_reply_text *ret_reply)
{
	struct finder finder = {
	    .arena = arena,
	    .config = config,
	    .route = request->route,
	    .list = ret,
	};

	ret->count = 0;
	if (resolver)
		finder.dns = dns_session_new(arena, resolver, &config->limits,
		    deadline_in((int64_t)config->limits.dns_time));
	if (request->route->kind == NEXT_HOP_MX)
		find_domain(&finder, request->domain);
	else
		for (size_t i = 0; i < request->route->target_count; i++)
			find_target(&finder, &request->route->targets[i]);
	if (ret->count)
		return true;
	*ret_reply = reason(&finder);
	return false;
}
