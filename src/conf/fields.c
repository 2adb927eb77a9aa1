/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/fields.h"

#include "base/require.h"
#include "base/text.h"

static const struct field organization_fields[] = {
    {.name = "accepted_domains",
	.type = TYPE_DOMAIN,
	.list = true,
	.offset = offsetof(struct config, accepted_domains),
	.help = "Our domains: mail for them is taken from anybody, and mail "
		"that uses them is checked for being ours.",
	.example = "[agency.example, agency.example.net]"},
    {.name = "accepted_subdomains",
	.type = TYPE_BOOLEAN,
	.offset = offsetof(struct config, accepted_subdomains),
	.fallback = "true",
	.help = "Whether names below the accepted domains are ours too when "
		"they are used as a sender.",
	.example = "false"},
    {.name = "classification_limit",
	.type = TYPE_NO_EFFECT,
	.help = "The highest protective marking that this environment may "
		"hold."},
};

static const struct table organization = TABLE_OF(
    organization_fields, struct config);

static const struct field dns_fields[] = {
    {.name = "servers",
	.type = TYPE_DNS_SERVER,
	.list = true,
	.offset = offsetof(struct conf_dns, servers),
	.help = "Forward queries to these servers, which must be "
		"resolvers. Without any, names are resolved from the root "
		"servers down.",
	.example = "[192.0.2.53, \"192.0.2.54@5353\"]"},
    {.name = "zone",
	.type = TYPE_PATH,
	.offset = offsetof(struct conf_dns, zone),
	.help = "An RFC 1035 master file that answers every query; nothing "
		"else is asked. For tests.",
	.example = "test.zone"},
    {.name = "trust_anchor",
	.type = TYPE_PATH,
	.offset = offsetof(struct conf_dns, trust_anchor),
	.fallback = "/usr/share/dns/root.key",
	.help = "The keys that DNSSEC validation starts from. \"\" switches "
		"validation off, and DANE with it.",
	.example = "/usr/share/dns/root.key"},
    {.name = "cache_size",
	.type = TYPE_SIZE,
	.offset = offsetof(struct conf_dns, cache_size),
	.fallback = "64M",
	.min = 1 << 20,
	.max = (uint64_t)64 << 30,
	.help = "Memory for cached answers.",
	.example = "256M"},
    {.name = "cache_min_ttl",
	.type = TYPE_SECONDS,
	.offset = offsetof(struct conf_dns, cache_min_ttl),
	.fallback = "0s",
	.max = 3600,
	.help = "Keep answers with records at least this long, whatever they "
		"say.",
	.example = "0s"},
    {.name = "cache_max_ttl",
	.type = TYPE_SECONDS,
	.offset = offsetof(struct conf_dns, cache_max_ttl),
	.fallback = "1d",
	.min = 1,
	.max = 7 * 86400,
	.help = "Keep answers at most this long.",
	.example = "1d"},
    {.name = "cache_negative_ttl",
	.type = TYPE_SECONDS,
	.offset = offsetof(struct conf_dns, cache_negative_ttl),
	.fallback = "15m",
	.min = 1,
	.max = 86400,
	.help = "Keep answers that say \"there is none\" at most this long.",
	.example = "15m"},
};

static const struct table dns = TABLE_OF(dns_fields, struct conf_dns);

static const struct field keep_fields[] = {
    {.name = "trace",
	.type = TYPE_SECONDS,
	.offset = offsetof(struct config, keep_trace),
	.fallback = "90d",
	.max = (uint64_t)36500 * 86400,
	.help = "How long the record of each message is kept; 0s is for ever.",
	.example = "90d"},
    {.name = "quarantine",
	.type = TYPE_SECONDS,
	.offset = offsetof(struct config, keep_quarantine),
	.fallback = "30d",
	.max = (uint64_t)36500 * 86400,
	.help = "How long quarantined messages are kept; 0s is for ever.",
	.example = "30d"},
};

static const struct table keep = TABLE_OF(keep_fields, struct config);

static const char *const milter_quarantines[] = {
    [MILTER_QUARANTINE_STORE] = "store", [MILTER_QUARANTINE_MTA] = "mta", NULL};

static const struct field milter_fields[] = {
    {.name = "quarantine",
	.type = TYPE_CHOICE,
	.offset = offsetof(struct config, milter_quarantine),
	.choices = milter_quarantines,
	.fallback = "store",
	.help = "Who keeps a message that a milter listener quarantines: our "
		"store, or the MTA in its hold queue.",
	.example = "mta"},
};

static const struct table milter = TABLE_OF(milter_fields, struct config);

static const struct field admin_fields[] = {
    {.name = "address",
	.type = TYPE_IP_PORT,
	.offset = offsetof(struct config, admin_address),
	.help = "Where the administration interface listens; without it there "
		"is none.",
	.example = "127.0.0.1:8025"},
};

static const struct table admin = TABLE_OF(admin_fields, struct config);

static const char *const log_formats[] = {
    [LOG_FORMAT_TEXT] = "text", [LOG_FORMAT_JSON] = "json", NULL};

static const char *const log_levels[] = {[LOG_ERROR] = "error",
    [LOG_WARNING] = "warning",
    [LOG_NOTICE] = "notice",
    [LOG_INFO] = "info",
    [LOG_DEBUG] = "debug",
    NULL};

static const char *const log_topics[] = {
    "smtp", "next-hop", "dns", "auth", "store", NULL};

static const struct field log_fields[] = {
    {.name = "format",
	.type = TYPE_CHOICE,
	.offset = offsetof(struct conf_log, format),
	.choices = log_formats,
	.fallback = "text",
	.help = "Lines of key=value, or one JSON object a line.",
	.example = "json"},
    {.name = "level",
	.type = TYPE_CHOICE,
	.offset = offsetof(struct conf_log, level),
	.choices = log_levels,
	.fallback = "info",
	.help = "The least important events that are logged.",
	.example = "notice"},
    {.name = "trace",
	.type = TYPE_WORD,
	.list = true,
	.offset = offsetof(struct conf_log, trace),
	.choices = log_topics,
	.help = "Topics to log in every detail, for finding faults.",
	.example = "[smtp, dns]"},
};

static const struct table log_table = TABLE_OF(log_fields, struct conf_log);

static const struct field config_fields[] = {
    {.name = "hostname",
	.type = TYPE_DOMAIN,
	.required = true,
	.forms = DOMAIN_QUALIFIED,
	.offset = offsetof(struct config, hostname),
	.help = "The name of this host in greetings and trace fields; its "
		"addresses should resolve back to it.",
	.example = "mx1.agency.example"},
    {.name = "authserv_id",
	.type = TYPE_DOMAIN,
	.forms = DOMAIN_UNDERSCORE,
	.offset = offsetof(struct config, authserv_id),
	.help = "The name in Authentication-Results (RFC 8601 section 2.5); "
		"without it the hostname. Fields of strangers that claim it, "
		"or a host of the accepted domain it is in, are removed; "
		"gateways in several domains need one name.",
	.example = "agency.example"},
    {.name = "user",
	.type = TYPE_NAME,
	.offset = offsetof(struct config, user),
	.fallback = "gatehouse",
	.help = "Who to become after a start as root; \"\" stays root.",
	.example = "gatehouse"},
    {.name = "group",
	.type = TYPE_NAME,
	.offset = offsetof(struct config, group),
	.fallback = "gatehouse",
	.help = "The group to take after a start as root; \"\" takes the "
		"user's.",
	.example = "gatehouse"},
    {.name = "state_directory",
	.type = TYPE_PATH,
	.offset = offsetof(struct config, state_directory),
	.fallback = "/var/lib/gatehouse",
	.help = "The folder for everything that the program keeps.",
	.example = "/var/lib/gatehouse"},
    {.name = "spool_directory",
	.type = TYPE_PATH,
	.offset = offsetof(struct config, spool_directory),
	.fallback = FIELD_STATE_DIRECTORY "/spool",
	.help = "The folder for large messages while they are judged.",
	.example = "/var/spool/gatehouse"},
    {.name = "organization",
	.type = TYPE_TABLE,
	.table = &organization,
	.help = "Who we are."},
    {.name = "listeners",
	.type = TYPE_TABLES,
	.table = &table_listener,
	.offset = offsetof(struct config, listeners),
	.count_offset = offsetof(struct config, listener_count),
	.help = "Where mail comes in."},
    {.name = "connectors",
	.type = TYPE_TABLES,
	.table = &table_connector,
	.offset = offsetof(struct config, connectors),
	.count_offset = offsetof(struct config, connector_count),
	.help = "Sources of mail that are known, and what they may do."},
    {.name = "routes",
	.type = TYPE_TABLES,
	.table = &table_route,
	.offset = offsetof(struct config, routes),
	.count_offset = offsetof(struct config, route_count),
	.help = "Where accepted mail goes, by the domain of the recipient."},
    {.name = "dns",
	.type = TYPE_TABLE,
	.table = &dns,
	.offset = offsetof(struct config, dns),
	.help = "How names are resolved."},
    {.name = "authentication",
	.type = TYPE_TABLE,
	.table = &table_authentication,
	.offset = offsetof(struct config, authentication),
	.help = "What follows from SPF, DKIM, ARC and DMARC."},
    {.name = "store",
	.type = TYPE_STORE,
	.offset = offsetof(struct config, store),
	.fallback = "sqlite:" FIELD_STATE_DIRECTORY "/gatehouse.db",
	.help = "Where traces and quarantined messages are kept; with "
		"?max_size=20G (K, M, G, T) after the path, in a database of "
		"no more than that: mail is deferred when it is full.",
	.example = "sqlite:/var/lib/gatehouse/gatehouse.db?max_size=20G"},
    {.name = "keep",
	.type = TYPE_TABLE,
	.table = &keep,
	.help = "How long records are kept."},
    {.name = "milter",
	.type = TYPE_TABLE,
	.table = &milter,
	.help = "What is special to milter listeners."},
    {.name = "admin",
	.type = TYPE_TABLE,
	.table = &admin,
	.help = "The administration interface."},
    {.name = "log",
	.type = TYPE_TABLE,
	.table = &log_table,
	.offset = offsetof(struct config, log),
	.help = "What is logged."},
    {.name = "limits",
	.type = TYPE_TABLE,
	.table = &table_limits,
	.offset = offsetof(struct config, limits),
	.help = "How much a peer may ask for."},
    {.name = "rules",
	.type = TYPE_UNAVAILABLE,
	.help = "Files with mail flow rules."},
    {.name = "sensitive_information",
	.type = TYPE_UNAVAILABLE,
	.help = "Files that define sensitive information types."},
    {.name = "journal",
	.type = TYPE_NO_EFFECT,
	.help = "The store of past messages for replay."},
};

const struct table table_config = TABLE_OF(config_fields, struct config);

const struct field *fields_find(const struct table *table, struct slice name)
{
	for (size_t i = 0; i < table->count; i++)
		if (slice_eq(name, slice_from(table->fields[i].name)))
			return &table->fields[i];
	return NULL;
}

enum { FIELDS_MAX = 64 };

const char *fields_nearest(const struct table *table, struct slice name)
{
	const char *names[FIELDS_MAX];

	require(table->count <= FIELDS_MAX);
	for (size_t i = 0; i < table->count; i++)
		names[i] = table->fields[i].name;
	return text_nearest(name, names, table->count);
}
