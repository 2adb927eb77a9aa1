/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/check_effect.h"

#include <stdio.h>

#include "conf/next_hop.h"

/* What is said about a field of an item ("routes[3]"; "" is the file), if. */
struct row {
	const char *name;
	bool holds;
	const char *text;
};

#define COUNT_OF(rows) (sizeof(rows) / sizeof((rows)[0]))

static void tell(const struct checker *checker, const char *item,
    const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char path[128];

		if (!rows[i].holds)
			continue;
		snprintf(path, sizeof(path), "%s%s%s", item, *item ? "." : "",
		    rows[i].name);
		check_warning(checker, path, "%s", rows[i].text);
	}
}

/* False: an error is known already. */
static bool name_item(const struct checker *checker, const char *list,
    size_t index, char ret[static 64])
{
	snprintf(ret, 64, "%s[%zu]", list, index);
	return check_is_sound(checker, ret);
}

static bool counts_on(
    const struct conf_connector *connector, struct slice listener)
{
	for (size_t i = 0; i < connector->listeners.count; i++)
		if (slice_eq(connector->listeners.items[i], listener))
			return true;
	return connector->listeners.count == 0;
}

static bool has_tls_names(
    const struct config *config, const struct conf_listener *listener)
{
	for (size_t i = 0; i < config->connector_count; i++)
		if (config->connectors[i].tls_names.count &&
		    counts_on(&config->connectors[i], listener->name))
			return true;
	return false;
}

/* A password is shown to nobody else: see client_auth. */
static bool is_private(const struct conf_route *route)
{
	if (route->tls == NEXT_HOP_TLS_MUST)
		return true;
	for (size_t i = 0; i < route->target_count; i++) {
		struct slice host = route->targets[i].host;
		struct ip ip;

		if (!slice_starts(host, SLICE("unix:")) &&
		    !slice_eq(host, SLICE("localhost")) &&
		    !(ip_parse(host, &ip) && ip_is_loopback(&ip)))
			return false;
	}
	return true;
}

static void check_logins(const struct config *config,
    const struct checker *checker, const char *listener)
{
	const struct conf_route *route = next_hop_for_logins(config);
	const char *why = NULL;
	char path[128];

	snprintf(path, sizeof(path), "%s.role", listener);
	if (!route)
		check_warning(checker, path,
		    "nobody can log in: there is no route whose server could "
		    "be asked");
	else if (route->kind != NEXT_HOP_SMTP && route->kind != NEXT_HOP_LMTP)
		why = "leads to no server that could be asked; write smtp: or "
		      "lmtp:";
	else if (!is_private(route))
		why = "has no tls: must, and its server is not on this host";
	if (why)
		check_warning(checker, path,
		    "nobody can log in: routes[%td], which logins take, %s",
		    route - config->routes, why);
}

static void check_listener(
    const struct config *config, const struct checker *checker, size_t i)
{
	static const char not_for_milter[] =
	    "has no effect: it is not for a milter listener";
	const struct conf_listener *listener = &config->listeners[i];
	bool is_milter = listener->role == ROLE_MILTER;
	const struct row rows[] = {
	    {"xclient", is_milter && listener->xclient.count, not_for_milter},
	    {"proxy_protocol", is_milter && listener->proxy_protocol.count,
		not_for_milter},
	    {"tls.client_ca",
		listener->tls.client_ca.len && !has_tls_names(config, listener),
		"has no effect: no connector of this listener has tls_names; "
		"clients without a certificate are let in"},
	};
	char item[64];

	if (!name_item(checker, "listeners", i, item))
		return;
	tell(checker, item, rows, COUNT_OF(rows));
	if (listener->role == ROLE_SUBMISSION &&
	    listener->tls.certificate.len && check_is_sound(checker, "routes"))
		check_logins(config, checker, item);
}

/* Behind a milter the MTA has TLS, or not. */
static bool can_have_tls(
    const struct config *config, const struct conf_connector *connector)
{
	for (size_t i = 0; i < config->listener_count; i++) {
		const struct conf_listener *listener = &config->listeners[i];

		if (counts_on(connector, listener->name) &&
		    (listener->tls.certificate.len ||
			listener->role == ROLE_MILTER))
			return true;
	}
	return false;
}

static void check_connector(
    const struct config *config, const struct checker *checker, size_t i)
{
	const struct conf_connector *connector = &config->connectors[i];
	const struct row rows[] = {
	    {"require_tls",
		connector->require_tls && !can_have_tls(config, connector),
		"none of its listeners has tls: it never counts"},
	};
	char item[64];

	if (name_item(checker, "connectors", i, item))
		tell(checker, item, rows, COUNT_OF(rows));
}

/* Those whose addresses are looked up. */
static bool has_names(const struct conf_route *route)
{
	static const struct slice unix_prefix = SLICE_INIT("unix:");
	struct ip ip;

	for (size_t i = 0; i < route->target_count; i++)
		if (!slice_starts(route->targets[i].host, unix_prefix) &&
		    !ip_parse(route->targets[i].host, &ip))
			return true;
	return route->kind == NEXT_HOP_MX;
}

static void check_route(
    const struct config *config, const struct checker *checker, size_t i)
{
	static const char no_server[] = "has no effect: a Maildir is no server";
	const struct conf_route *route = &config->routes[i];
	bool is_maildir = route->kind == NEXT_HOP_MAILDIR;
	bool must = route->tls == NEXT_HOP_TLS_MUST;
	bool one_family = route->address_family != ADDRESS_FAMILY_ANY;
	const struct row rows[] = {
	    {"address_family", is_maildir && one_family, no_server},
	    {"address_family", !is_maildir && one_family && !has_names(route),
		"has no effect: no host of next_hop is a name"},
	    {"tls", is_maildir && must, no_server},
	    {"tls_ca", is_maildir && route->tls_ca.len, no_server},
	    {"xforward", is_maildir && route->xforward, no_server},
	    {"proxy_protocol", is_maildir && route->proxy_protocol, no_server},
	    {"tls_ca", !is_maildir && route->tls_ca.len && !must,
		"has no effect: only tls: must verifies the next hop"},
	};
	char item[64];

	if (name_item(checker, "routes", i, item))
		tell(checker, item, rows, COUNT_OF(rows));
}

static bool has_role(const struct config *config, enum listener_role role)
{
	for (size_t i = 0; i < config->listener_count; i++)
		if (config->listeners[i].role == role)
			return true;
	return false;
}

static void check_top(
    const struct config *config, const struct checker *checker)
{
	const struct conf_authentication *auth = &config->authentication;
	bool has_milter = has_role(config, ROLE_MILTER);
	bool has_mx = has_role(config, ROLE_MX);
	bool has_none = !config->accepted_domains.count &&
			check_is_sound(checker, "organization");
	const struct row rows[] = {
	    {"group",
		!config->user.len && check_is_written(checker, "", "group"),
		"has no effect: user is empty, so that nobody is become"},
	    {"milter.quarantine",
		config->milter_quarantine == MILTER_QUARANTINE_MTA &&
		    !has_milter && check_is_sound(checker, "listeners"),
		"has no effect: there is no milter listener"},
	    {"authentication.dmarc.junk_header",
		auth->dmarc_quarantine_action !=
			QUARANTINE_ACTION_JUNK_HEADER &&
		    check_is_written(
			checker, "authentication.dmarc", "junk_header"),
		"has no effect: quarantine_action is quarantine"},
	    {"organization.accepted_domains", has_none && has_mx,
		"there are none: an mx listener refuses every recipient"},
	    {"organization.accepted_domains", has_none && has_milter && !has_mx,
		"there are none: mail that uses a domain of ours is not "
		"checked for being ours"},
	};

	tell(checker, "", rows, COUNT_OF(rows));
}

void check_effect(const struct config *config, const struct checker *checker)
{
	check_top(config, checker);
	for (size_t i = 0; i < config->listener_count; i++)
		check_listener(config, checker, i);
	for (size_t i = 0; i < config->connector_count; i++)
		check_connector(config, checker, i);
	for (size_t i = 0; i < config->route_count; i++)
		check_route(config, checker, i);
}
