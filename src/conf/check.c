/* SPDX-License-Identifier: Apache-2.0 */
/* Each check has the path of what it is about: it gives the place, and a check
 * is left out when an error about the same thing is already known.
 */
#include "conf/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/text.h"
#include "conf/check_effect.h"
#include "conf/domain_index.h"
#include "conf/problems.h"

enum { EXPIRY_WARNING_DAYS = 14, SECONDS_OF_DAY = 86400, TEXT_MAX = 2048 };

/* Less than TimeoutStopSec= of packaging/gatehouse.service, with the grace of
 * the supervisor. */
enum { DRAIN_WARNING_MS = 85 * 1000 };

struct checker {
	const struct config *config;
	const struct yaml_node *root;
	const struct load_options *options;
	struct problems *problems;
};

#define ERROR(checker, path, ...)                                              \
	problems_error((checker)->problems,                                    \
	    place_of(checker, &(checker)->problems->errors, path), path,       \
	    __VA_ARGS__)
#define WARNING(checker, path, ...)                                            \
	problems_warning((checker)->problems,                                  \
	    place_of(checker, &(checker)->problems->warnings, path), path,     \
	    __VA_ARGS__)

/* Not looked for when list is full: thousands of problems would each walk
 * through a list of thousands. */
static struct place place_of(const struct checker *checker,
    const struct problem_list *list, const char *path)
{
	if (list->kept == PROBLEMS_MAX)
		return (struct place){1, 1};
	return yaml_find(checker->root, path)->place;
}

/* "routes[3]", "routes[3].tls": for what follows. */
static const char *path_of(const struct checker *checker, const char *list,
    size_t index, const char *name)
{
	return arena_format(checker->problems->arena, "%s[%zu]%s%s", list,
	    index, *name ? "." : "", name);
}

static bool is_sound(const struct checker *checker, const char *path)
{
	return !problems_about(checker->problems, path);
}

bool check_is_sound(const struct checker *checker, const char *path)
{
	return is_sound(checker, path);
}

bool check_is_written(
    const struct checker *checker, const char *path, const char *name)
{
	return yaml_get(yaml_find(checker->root, path), name) != NULL;
}

void check_error(
    const struct checker *checker, const char *path, const char *format, ...)
{
	struct arena *arena = checker->problems->arena;
	char text[TEXT_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	ERROR(checker, arena_format(arena, "%s", path), "%s", text);
}

void check_warning(
    const struct checker *checker, const char *path, const char *format, ...)
{
	struct arena *arena = checker->problems->arena;
	char text[TEXT_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	WARNING(checker, arena_format(arena, "%s", path), "%s", text);
}

static bool contains(const struct conf_text_list *list, struct slice text)
{
	for (size_t i = 0; i < list->count; i++)
		if (slice_eq(list->items[i], text))
			return true;
	return false;
}

static void check_readable(
    const struct checker *checker, const char *path, struct slice file)
{
	struct err err;

	if (!checker->options->check_files || !file.len ||
	    !access(arena_text(checker->problems->arena, file), R_OK))
		return;
	err_set_errno(&err, "%.*s", SLICE_ARGS(file));
	ERROR(checker, path, "cannot be read: %s", err.text);
}

static void check_tls(const struct checker *checker, size_t i)
{
	const struct conf_listener *listener = &checker->config->listeners[i];
	const struct conf_tls *tls = &listener->tls;
	const char *path = path_of(checker, "listeners", i, "tls");
	bool has_tls = tls->certificate.len && tls->key.len;

	if (!is_sound(checker, path))
		return;
	if (!tls->certificate.len != !tls->key.len)
		ERROR(checker, path,
		    "has one of certificate and key; it needs both");
	else if (!has_tls && (tls->required || tls->client_ca.len))
		ERROR(checker, path, "needs a certificate and a key");
	else if (!has_tls && listener->implicit_tls)
		ERROR(checker, path_of(checker, "listeners", i, "implicit_tls"),
		    "needs tls with a certificate and a key");
	if (has_tls && listener->role == ROLE_MILTER)
		ERROR(checker, path, "is not for a milter listener");
	if (!has_tls && listener->role == ROLE_SUBMISSION &&
	    !listener->xclient.count)
		WARNING(checker, path_of(checker, "listeners", i, ""),
		    "takes no mail: without tls nobody can log in");
	check_readable(checker,
	    path_of(checker, "listeners", i, "tls.certificate"),
	    tls->certificate);
	check_readable(
	    checker, path_of(checker, "listeners", i, "tls.key"), tls->key);
	check_readable(checker,
	    path_of(checker, "listeners", i, "tls.client_ca"), tls->client_ca);
}

static bool is_any(const struct ip *ip)
{
	struct ip any = {.family = ip->family};

	return ip_equal(ip, &any);
}

/* Linux lets nobody listen at an address whose port is taken at all of them
 * (IPv6 listeners leave IPv4 alone). */
static void check_unique_address(const struct checker *checker,
    const char *path, struct slice address, size_t j)
{
	struct slice other = checker->config->listeners[j].address;
	struct ip ip, other_ip;
	uint16_t port, other_port;
	bool both_ip = ip_parse_with_port(address, 0, &ip, &port, NULL) &&
		       ip_parse_with_port(
			   other, 0, &other_ip, &other_port, NULL);

	if (!address.len || (both_ip && (!port || port != other_port)))
		return;
	if (both_ip ? ip_equal(&ip, &other_ip) : slice_eq(address, other))
		ERROR(checker, path,
		    "is the address of listeners[%zu] too; each needs its own",
		    j);
	else if (both_ip && ip.family == other_ip.family &&
		 (is_any(&ip) || is_any(&other_ip)))
		ERROR(checker, path,
		    "%.*s cannot be had beside %.*s of listeners[%zu]; "
		    "write the addresses that are meant, or another port",
		    SLICE_ARGS(address), SLICE_ARGS(other), j);
}

static void check_unique_listener(const struct checker *checker, size_t i)
{
	const struct conf_listener *listeners = checker->config->listeners;
	const char *name = path_of(checker, "listeners", i, "name");

	for (size_t j = 0; j < i; j++) {
		if (listeners[i].name.len &&
		    slice_eq(listeners[i].name, listeners[j].name))
			ERROR(checker, name,
			    "is the name of listeners[%zu] too; each needs "
			    "its own",
			    j);
		check_unique_address(checker,
		    path_of(checker, "listeners", i, "address"),
		    listeners[i].address, j);
	}
}

static void check_listeners(const struct checker *checker)
{
	const struct config *config = checker->config;

	for (size_t i = 0; i < config->listener_count; i++) {
		check_unique_listener(checker, i);
		check_tls(checker, i);
		check_unique_address(
		    checker, "admin.address", config->admin_address, i);
	}
}

/* Is there a listener of this connector that verifies certificates? */
static bool can_verify_names(
    const struct config *config, const struct conf_connector *connector)
{
	for (size_t i = 0; i < config->listener_count; i++) {
		const struct conf_listener *listener = &config->listeners[i];

		/* Behind a milter the MTA verifies them. */
		if ((listener->tls.client_ca.len ||
			listener->role == ROLE_MILTER) &&
		    (!connector->listeners.count ||
			contains(&connector->listeners, listener->name)))
			return true;
	}
	return false;
}

static void check_connector_source(const struct checker *checker, size_t i)
{
	const struct conf_connector *connector =
	    &checker->config->connectors[i];
	const struct conf_network_list *networks = &connector->networks;
	const char *path = path_of(checker, "connectors", i, "");
	bool internal = connector->treat_as == TREAT_AS_INTERNAL;

	if (!networks->count && !connector->tls_names.count && internal)
		ERROR(checker, path,
		    "treat_as: internal needs networks or tls_names; without "
		    "them anybody would be internal");
	else if (!networks->count && !connector->tls_names.count)
		WARNING(checker, path,
		    "has neither networks nor tls_names: it never matches");
	for (size_t j = 0; internal && j < networks->count; j++)
		if (networks->items[j].prefix == 0)
			WARNING(checker,
			    path_of(checker, "connectors", i, "networks"),
			    "makes the whole internet internal: an open "
			    "relay, unless a firewall is in front");
	if (connector->tls_names.count &&
	    !can_verify_names(checker->config, connector))
		WARNING(checker, path_of(checker, "connectors", i, "tls_names"),
		    "none of its listeners has tls.client_ca, so no name is "
		    "ever verified");
}

static void check_connector_listeners(const struct checker *checker, size_t i)
{
	const struct config *config = checker->config;
	const struct conf_text_list *names = &config->connectors[i].listeners;

	for (size_t j = 0; j < names->count; j++) {
		bool found = false;

		for (size_t k = 0; k < config->listener_count; k++)
			found = found || slice_eq(config->listeners[k].name,
					     names->items[j]);
		if (!found)
			ERROR(checker,
			    path_of(checker, "connectors", i, "listeners"),
			    "there is no listener called %s",
			    problems_quote(
				checker->problems->arena, names->items[j]));
	}
}

/* An exception that nobody owns stays for ever. */
static void check_connector_expiry(const struct checker *checker, size_t i)
{
	const struct conf_connector *connector =
	    &checker->config->connectors[i];
	const char *expires = path_of(checker, "connectors", i, "expires");
	int64_t left = connector->expires - clock_now(checker->options->clock);

	if (connector->may_send_as.count &&
	    (!connector->owner.len || !connector->reason.len))
		WARNING(checker,
		    path_of(checker, "connectors", i, "may_send_as"),
		    "write the %s of this exception too",
		    connector->owner.len    ? "reason"
		    : connector->reason.len ? "owner"
					    : "owner and the reason");
	if (!connector->expires)
		return;
	if (left < 0)
		WARNING(checker, expires, "has passed: it does not count");
	else if (left < EXPIRY_WARNING_DAYS * SECONDS_OF_DAY)
		WARNING(checker, expires,
		    "is near: it counts for %" PRId64 " more days",
		    left / SECONDS_OF_DAY);
}

/* Is it one of the domains, or below one where that counts? */
static bool is_ours(const struct config *config,
    const struct domain_index *accepted, struct slice domain)
{
	if (domain_index_find(accepted, domain))
		return true;
	for (size_t i = 0; config->accepted_subdomains && i < domain.len; i++)
		if (domain.ptr[i] == '.' &&
		    domain_index_find(accepted, slice_from_pos(domain, i + 1)))
			return true;
	return false;
}

static void check_connector_domains(const struct checker *checker,
    const struct domain_index *accepted, size_t i)
{
	const struct conf_text_list *domains =
	    &checker->config->connectors[i].may_send_as;
	const char *path = path_of(checker, "connectors", i, "may_send_as");

	for (size_t j = 0; j < domains->count; j++)
		if (!is_ours(checker->config, accepted, domains->items[j]))
			WARNING(checker, path_of(checker, path, j, ""),
			    "%.*s is no domain of ours: this is an exception "
			    "from its DMARC policy alone",
			    SLICE_ARGS(domains->items[j]));
}

static void check_connectors(
    const struct checker *checker, const struct domain_index *accepted)
{
	const struct conf_connector *connectors = checker->config->connectors;

	for (size_t i = 0; i < checker->config->connector_count; i++) {
		if (!is_sound(checker, path_of(checker, "connectors", i, "")))
			continue;
		for (size_t j = 0; j < i; j++)
			if (slice_eq(connectors[i].name, connectors[j].name))
				ERROR(checker,
				    path_of(checker, "connectors", i, "name"),
				    "is the name of connectors[%zu] too; each "
				    "needs its own",
				    j);
		check_connector_source(checker, i);
		check_connector_listeners(checker, i);
		if (is_sound(checker, "organization"))
			check_connector_domains(checker, accepted, i);
		check_connector_expiry(checker, i);
	}
}

static size_t count_route_domains(const struct config *config)
{
	size_t count = 0;

	for (size_t i = 0; i < config->route_count; i++)
		count += config->routes[i].domains.count;
	return count;
}

/* By the number 0 those that lead elsewhere than to an MX come first. */
static struct domain_index index_routes(const struct checker *checker)
{
	const struct config *config = checker->config;
	struct domain_index index = domain_index_new(
	    checker->problems->arena, count_route_domains(config));

	for (size_t i = 0; i < config->route_count; i++) {
		const struct conf_route *route = &config->routes[i];

		for (size_t j = 0; j < route->domains.count; j++)
			domain_index_add(&index, route->domains.items[j],
			    route->kind == NEXT_HOP_MX);
	}
	domain_index_sort(&index);
	return index;
}

/* Our own MX is this program: mail for us needs another way. */
static void check_accepted_domain(
    const struct checker *checker, const struct domain_index *routes, size_t i)
{
	struct slice domain = checker->config->accepted_domains.items[i];
	const struct domain_entry *found = domain_index_cover(routes, domain);
	const char *path;

	if (found && !found->number)
		return;
	path = path_of(checker, "organization.accepted_domains", i, "");
	if (!found)
		WARNING(checker, path,
		    "no route leads to %.*s: its mail is deferred",
		    SLICE_ARGS(domain));
	else
		WARNING(checker, path,
		    "%.*s is routed to its MX, which may be this host",
		    SLICE_ARGS(domain));
}

/* The number is the place in a list of all domains of all routes. */
struct route_place {
	size_t route, domain;
};

static void warn_of_twice(const struct checker *checker, struct slice name,
    const struct route_place *first, const struct route_place *place)
{
	const char *list = path_of(checker, "routes", place->route, "domains");
	const char *path = path_of(checker, list, place->domain, "");

	if (first->route == place->route)
		WARNING(checker, path, "is there twice");
	else
		WARNING(checker, path,
		    "%.*s is in routes[%zu] too, which is the one that counts",
		    SLICE_ARGS(name), first->route);
}

static void check_domains_of_routes(const struct checker *checker)
{
	const struct config *config = checker->config;
	struct arena *arena = checker->problems->arena;
	size_t room = count_route_domains(config), count = 0, first = 0;
	struct domain_index index = domain_index_new(arena, room);
	struct route_place *places = ARENA_ARRAY(
	    arena, room, struct route_place);

	for (size_t i = 0; i < config->route_count; i++)
		for (size_t j = 0; j < config->routes[i].domains.count; j++) {
			places[count] = (struct route_place){i, j};
			domain_index_add(&index,
			    config->routes[i].domains.items[j], count++);
		}
	domain_index_sort(&index);
	for (size_t i = 1; i < index.count; i++)
		if (!slice_eq(index.entries[i].name, index.entries[first].name))
			first = i;
		else
			warn_of_twice(checker, index.entries[i].name,
			    &places[index.entries[first].number],
			    &places[index.entries[i].number]);
}

/* A milter alone leaves delivery to the MTA. */
static bool delivers(const struct config *config)
{
	for (size_t i = 0; i < config->listener_count; i++)
		if (config->listeners[i].role != ROLE_MILTER)
			return true;
	return config->listener_count == 0;
}

static void check_routes(const struct checker *checker)
{
	const struct config *config = checker->config;
	struct domain_index routes;

	for (size_t i = 0; i < config->route_count; i++) {
		const struct conf_route *route = &config->routes[i];

		if (!is_sound(checker, path_of(checker, "routes", i, "")))
			continue;
		if (!route->domains.count)
			ERROR(checker, path_of(checker, "routes", i, "domains"),
			    "is empty; write [\"*\"] for all domains");
		check_readable(checker, path_of(checker, "routes", i, "tls_ca"),
		    route->tls_ca);
	}
	if (is_sound(checker, "routes"))
		check_domains_of_routes(checker);
	if (!is_sound(checker, "routes") ||
	    !is_sound(checker, "organization") || !delivers(config))
		return;
	routes = index_routes(checker);
	for (size_t i = 0; i < config->accepted_domains.count; i++)
		check_accepted_domain(checker, &routes, i);
}

/* A second one makes a message malformed, or would be believed. */
static const struct slice own_fields[] = {
    SLICE_INIT("From"),
    SLICE_INIT("Sender"),
    SLICE_INIT("Reply-To"),
    SLICE_INIT("To"),
    SLICE_INIT("Cc"),
    SLICE_INIT("Bcc"),
    SLICE_INIT("Subject"),
    SLICE_INIT("Date"),
    SLICE_INIT("Message-ID"),
    SLICE_INIT("In-Reply-To"),
    SLICE_INIT("References"),
    SLICE_INIT("MIME-Version"),
    SLICE_INIT("Content-Type"),
    SLICE_INIT("Content-Transfer-Encoding"),
    SLICE_INIT("Content-Disposition"),
    SLICE_INIT("Received"),
    SLICE_INIT("Return-Path"),
    SLICE_INIT("Received-SPF"),
    SLICE_INIT("Authentication-Results"),
    SLICE_INIT("DKIM-Signature"),
    SLICE_INIT("ARC-Seal"),
    SLICE_INIT("ARC-Message-Signature"),
    SLICE_INIT("ARC-Authentication-Results"),
};

static void check_junk_header(const struct checker *checker)
{
	static const char path[] = "authentication.dmarc.junk_header";
	const struct conf_authentication *auth =
	    &checker->config->authentication;
	struct slice name, value;

	if (auth->dmarc_quarantine_action == QUARANTINE_ACTION_JUNK_HEADER &&
	    !auth->dmarc_junk_header.len)
		ERROR(checker, path,
		    "is empty; quarantine_action: junk_header needs it");
	slice_split(auth->dmarc_junk_header, ':', &name, &value);
	for (size_t i = 0; i < sizeof(own_fields) / sizeof(own_fields[0]); i++)
		if (slice_eq_nocase(name, own_fields[i]))
			ERROR(checker, path,
			    "%s may not be added: it is one of the message's "
			    "own; write one like \"X-Spam-Flag: YES\"",
			    problems_quote(checker->problems->arena, name));
}

static void check_intermediaries(const struct checker *checker)
{
	static const char list[] = "authentication.trusted_intermediaries";
	const struct conf_authentication *auth =
	    &checker->config->authentication;

	for (size_t i = 0; i < auth->intermediary_count; i++) {
		const struct conf_intermediary *one = &auth->intermediaries[i];
		const char *path = path_of(checker, list, i, "");
		int kinds = (one->arc_sealer.len > 0) + (one->host.len > 0) +
			    (one->dkim_domain.len > 0) +
			    (one->networks.count > 0);

		if (is_sound(checker, path) && kinds != 1)
			ERROR(checker, path,
			    "has %d of arc_sealer, host, dkim_domain and "
			    "networks; it needs exactly one",
			    kinds);
	}
	check_junk_header(checker);
}

static struct domain_index index_accepted(const struct checker *checker)
{
	const struct conf_text_list *domains =
	    &checker->config->accepted_domains;
	struct domain_index index = domain_index_new(
	    checker->problems->arena, domains->count);

	for (size_t i = 0; i < domains->count; i++)
		if (domains->items[i].len)
			domain_index_add(&index, domains->items[i], i);
	domain_index_sort(&index);
	return index;
}

static void check_duplicate_domains(
    const struct checker *checker, const struct domain_index *accepted)
{
	const struct domain_entry *entries = accepted->entries;

	for (size_t i = 1; i < accepted->count; i++)
		if (slice_eq(entries[i].name, entries[i - 1].name))
			WARNING(checker,
			    path_of(checker, "organization.accepted_domains",
				entries[i].number, ""),
			    "is there twice");
}

static void check_top(const struct checker *checker)
{
	const struct config *config = checker->config;
	const struct conf_dns *dns = &config->dns;
	const struct {
		const char *path;
		struct slice text;
	} needed[] = {
	    {"state_directory", config->state_directory},
	    {"spool_directory", config->spool_directory},
	    {"store", config->store},
	};

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (!needed[i].text.len && is_sound(checker, needed[i].path))
			ERROR(checker, needed[i].path,
			    "is empty; leave the key out for its default");
	if (config->limits.drain_timeout > DRAIN_WARNING_MS)
		WARNING(checker, "limits.drain_timeout",
		    "is longer than gatehouse.service waits "
		    "(TimeoutStopSec=90): raise that too, to 5 s more");
	if (config->log.trace.count)
		WARNING(checker, "log.trace",
		    "is on: what every client does, with addresses, stays in "
		    "the log; take it out when the fault is found (gatehouse "
		    "trace ends by itself)");
	if (dns->cache_min_ttl > dns->cache_max_ttl)
		ERROR(checker, "dns.cache_min_ttl", "is over cache_max_ttl");
	if (dns->zone.len && dns->servers.count)
		ERROR(checker, "dns.servers",
		    "and zone exclude each other; use one of them");
	check_readable(checker, "dns.zone", dns->zone);
	/* Whether the default is there, options->more looks. */
	check_readable(checker, "dns.trust_anchor",
	    yaml_get(yaml_get(checker->root, "dns"), "trust_anchor")
		? dns->trust_anchor
		: SLICE(""));
}

void check_config(const struct config *config, const struct yaml_node *root,
    const struct load_options *options, struct problems *problems)
{
	const struct checker checker = {config, root, options, problems};
	const struct domain_index accepted = index_accepted(&checker);

	check_top(&checker);
	check_duplicate_domains(&checker, &accepted);
	check_listeners(&checker);
	check_connectors(&checker, &accepted);
	check_routes(&checker);
	check_intermediaries(&checker);
	check_effect(config, &checker);
	if (options->more)
		options->more(config, &checker);
}
