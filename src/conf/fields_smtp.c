/* SPDX-License-Identifier: Apache-2.0 */
/* Where mail comes from and where it goes. */
#include "conf/fields.h"

static const struct field tls_fields[] = {
    {.name = "certificate",
	.type = TYPE_PATH,
	.offset = offsetof(struct conf_tls, certificate),
	.help = "PEM file with the certificate and its chain; without it "
		"STARTTLS is not offered.",
	.example = "/etc/gatehouse/mx1.pem"},
    {.name = "key",
	.type = TYPE_PATH,
	.offset = offsetof(struct conf_tls, key),
	.help =
	    "PEM file with the private key of the certificate, not encrypted.",
	.example = "/etc/gatehouse/mx1.key"},
    {.name = "client_ca",
	.type = TYPE_PATH,
	.offset = offsetof(struct conf_tls, client_ca),
	.help = "PEM file with the authorities that client certificates are "
		"verified with; connectors with tls_names need it.",
	.example = "/etc/ssl/certs/ca-certificates.crt"},
    {.name = "required",
	.type = TYPE_BOOLEAN,
	.fallback = "false",
	.offset = offsetof(struct conf_tls, required),
	.help = "Refuse MAIL before STARTTLS.",
	.example = "true"},
};

static const struct table tls = TABLE_OF(tls_fields, struct conf_tls);

static const char *const roles[] = {[ROLE_MX] = "mx",
    [ROLE_RELAY] = "relay",
    [ROLE_SUBMISSION] = "submission",
    [ROLE_MILTER] = "milter",
    NULL};

static const struct field listener_fields[] = {
    {.name = "name",
	.type = TYPE_NAME,
	.required = true,
	.offset = offsetof(struct conf_listener, name),
	.help = "How logs, connectors and commands call it.",
	.example = "mx"},
    {.name = "address",
	.type = TYPE_ADDRESS,
	.required = true,
	.offset = offsetof(struct conf_listener, address),
	.help = "IP address and port, or the path of a socket.",
	.example = "\"0.0.0.0:25\""},
    {.name = "role",
	.type = TYPE_CHOICE,
	.required = true,
	.offset = offsetof(struct conf_listener, role),
	.choices = roles,
	.help = "mx: mail from anybody for our domains; relay: outgoing mail "
		"of our own systems; submission: users, who log in at the "
		"server that the route of \"*\" (or else the first) leads "
		"to; milter: an MTA asks.",
	.example = "mx"},
    {.name = "tls",
	.type = TYPE_TABLE,
	.table = &tls,
	.offset = offsetof(struct conf_listener, tls),
	.help = "TLS for clients."},
    {.name = "implicit_tls",
	.type = TYPE_BOOLEAN,
	.fallback = "false",
	.offset = offsetof(struct conf_listener, implicit_tls),
	.help = "TLS from the first byte, as on port 465.",
	.example = "true"},
    {.name = "proxy_protocol",
	.type = TYPE_NETWORK,
	.list = true,
	.offset = offsetof(struct conf_listener, proxy_protocol),
	.help = "Load balancers that must send a PROXY header, version 1 or "
		"2, with the address of the client.",
	.example = "[10.0.0.0/24]"},
    {.name = "xclient",
	.type = TYPE_NETWORK,
	.list = true,
	.offset = offsetof(struct conf_listener, xclient),
	.help = "Hosts that may say with XCLIENT who their client is.",
	.example = "[10.0.0.7]"},
};

const struct table table_listener = TABLE_OF(
    listener_fields, struct conf_listener);

static const char *const treatments[] = {
    [TREAT_AS_EXTERNAL] = "external", [TREAT_AS_INTERNAL] = "internal", NULL};

static const struct field connector_fields[] = {
    {.name = "name",
	.type = TYPE_NAME,
	.required = true,
	.offset = offsetof(struct conf_connector, name),
	.help = "How logs and traces call it.",
	.example = "Exchange Online"},
    {.name = "networks",
	.type = TYPE_NETWORK,
	.list = true,
	.offset = offsetof(struct conf_connector, networks),
	.help = "Client addresses that it stands for.",
	.example = "[192.0.2.0/24, \"2001:db8::/48\"]"},
    {.name = "addresses",
	.type = TYPE_NETWORK,
	.list = true,
	.is_alias = true,
	.offset = offsetof(struct conf_connector, networks),
	.help = "The same as networks, by another name.",
	.example = "[198.51.100.7]"},
    {.name = "tls_names",
	.type = TYPE_DOMAIN,
	.list = true,
	.forms = DOMAIN_WILDCARD,
	.offset = offsetof(struct conf_connector, tls_names),
	.help = "Names in a verified client certificate: of its "
		"subjectAltName, or if it has none its common name. \"*.\" "
		"stands for one label.",
	.example = "[\"*.mail.example\"]"},
    {.name = "listeners",
	.type = TYPE_NAME,
	.list = true,
	.offset = offsetof(struct conf_connector, listeners),
	.help = "The listeners that it counts on; without any, all of them.",
	.example = "[relay]"},
    {.name = "treat_as",
	.type = TYPE_CHOICE,
	.choices = treatments,
	.fallback = "external",
	.offset = offsetof(struct conf_connector, treat_as),
	.help = "internal: its mail is in the organization and may go "
		"anywhere; external: it is a stranger with a name.",
	.example = "internal"},
    {.name = "may_send_as",
	.type = TYPE_DOMAIN,
	.list = true,
	.offset = offsetof(struct conf_connector, may_send_as),
	.help = "Accepted domains, with what is below them, that it may use "
		"as a sender.",
	.example = "[agency.example]"},
    {.name = "owner",
	.type = TYPE_TEXT,
	.offset = offsetof(struct conf_connector, owner),
	.help = "Who answers for it.",
	.example = "facilities"},
    {.name = "reason",
	.type = TYPE_TEXT,
	.offset = offsetof(struct conf_connector, reason),
	.help = "Why it exists; traces show it.",
	.example = "scanner on floor 3"},
    {.name = "expires",
	.type = TYPE_DATE,
	.offset = offsetof(struct conf_connector, expires),
	.help = "The last day (UTC) on which it counts.",
	.example = "2027-01-31"},
    {.name = "require_tls",
	.type = TYPE_BOOLEAN,
	.fallback = "false",
	.offset = offsetof(struct conf_connector, require_tls),
	.help = "It does not count without TLS.",
	.example = "true"},
};

const struct table table_connector = TABLE_OF(
    connector_fields, struct conf_connector);

static const char *const next_hop_tls[] = {[NEXT_HOP_TLS_OFF] = "off",
    [NEXT_HOP_TLS_MAY] = "may",
    [NEXT_HOP_TLS_MUST] = "must",
    NULL};

static const char *const address_families[] = {[ADDRESS_FAMILY_ANY] = "any",
    [ADDRESS_FAMILY_IPV4] = "ipv4",
    [ADDRESS_FAMILY_IPV6] = "ipv6",
    NULL};

static const struct field route_fields[] = {
    {.name = "domains",
	.type = TYPE_DOMAIN,
	.list = true,
	.required = true,
	.forms = DOMAIN_ANY | DOMAIN_BELOW,
	.offset = offsetof(struct conf_route, domains),
	.help = "Domains of recipients; \"*\" is all, \".x.example\" is "
		"everything below x.example.",
	.example = "[agency.example, .agency.example]"},
    {.name = "next_hop",
	.type = TYPE_NEXT_HOP,
	.required = true,
	.offset = offsetof(struct conf_route, text),
	.help = "smtp:HOST (its MX, or itself), smtp:HOST:PORT, "
		"smtp:[HOST]:PORT (itself), lmtp:HOST:PORT, lmtp:unix:/path, "
		"maildir:/path (%d the domain, %l the local part), or mx (the "
		"MX of the recipient). Several hosts, separated by commas, "
		"are tried in turn.",
	.example = "\"smtp:[10.0.0.8]:25, [10.0.0.9]:25\""},
    {.name = "address_family",
	.type = TYPE_CHOICE,
	.choices = address_families,
	.fallback = "any",
	.offset = offsetof(struct conf_route, address_family),
	.help = "Which addresses of hosts count that have a name. any: IPv4, "
		"then IPv6; ipv4 or ipv6 alone where the next hop knows ours "
		"by it.",
	.example = "ipv4"},
    {.name = "tls",
	.type = TYPE_CHOICE,
	.choices = next_hop_tls,
	.fallback = "may",
	.offset = offsetof(struct conf_route, tls),
	.help = "off: never; may: if offered, whatever the certificate; must: "
		"verified, or the mail is not sent.",
	.example = "must"},
    {.name = "tls_ca",
	.type = TYPE_PATH,
	.offset = offsetof(struct conf_route, tls_ca),
	.help = "PEM file with the authorities that verify the next hop; "
		"without it those that the system trusts.",
	.example = "/etc/ssl/certs/ca-certificates.crt"},
    {.name = "xforward",
	.type = TYPE_BOOLEAN,
	.fallback = "false",
	.offset = offsetof(struct conf_route, xforward),
	.help = "Tell the next hop with XFORWARD who the client is.",
	.example = "true"},
    {.name = "proxy_protocol",
	.type = TYPE_NUMBER,
	.fallback = "0",
	.max = 2,
	.offset = offsetof(struct conf_route, proxy_protocol),
	.help = "The version of the PROXY header sent to the next hop; 0 is "
		"none.",
	.example = "2"},
};

const struct table table_route = TABLE_OF(route_fields, struct conf_route);
