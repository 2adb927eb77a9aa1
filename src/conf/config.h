/* SPDX-License-Identifier: Apache-2.0 */
/* conf/config.h - the configuration: an immutable, reference-counted snapshot.
 *
 * What each field means, its default and bounds are in the tables of
 * conf/fields.c; `gatehouse config describe` prints them.  Text is owned by
 * the snapshot; paths are absolute (made so against the file's folder).
 */
#ifndef CONF_CONFIG_H
#define CONF_CONFIG_H

#include "base/arena.h"
#include "base/err.h"
#include "base/ip.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/role.h"
#include "base/slice.h"

struct conf_text_list {
	size_t count;
	struct slice *items;
};

struct conf_network_list {
	size_t count;
	struct ip_network *items;
};

struct conf_tls {
	struct slice certificate; /* PEM chain; empty: no TLS */
	struct slice key;	  /* PEM */
	struct slice client_ca;	  /* PEM: verifies client certificates */
	bool required;		  /* no MAIL before STARTTLS */
};

struct conf_listener {
	struct slice name;
	struct slice address; /* "0.0.0.0:25", "[::]:25", "unix:/path" */
	enum listener_role role;
	struct conf_tls tls;
	bool implicit_tls; /* TLS from the first byte: port 465 */
	struct conf_network_list proxy_protocol; /* must send v1 or v2 */
	struct conf_network_list xclient;
};

enum conf_treat_as { TREAT_AS_EXTERNAL, TREAT_AS_INTERNAL };

/* A trusted source, as in Exchange. */
struct conf_connector {
	struct slice name;
	struct conf_network_list networks;
	struct conf_text_list tls_names; /* "*.x.example" for one label */
	struct conf_text_list listeners; /* empty: all */
	enum conf_treat_as treat_as;
	struct conf_text_list may_send_as; /* domains, subdomains included */
	struct slice owner, reason;
	int64_t expires; /* last second of that day, UTC; 0: never */
	bool require_tls;
};

enum conf_next_hop_kind {
	NEXT_HOP_SMTP,
	NEXT_HOP_LMTP,
	NEXT_HOP_MAILDIR,
	NEXT_HOP_MX
};

struct conf_target {
	struct slice host; /* name, address or "unix:/path" */
	uint16_t port;
	bool lookup_mx; /* host without brackets, no port: its MX */
};

enum conf_next_hop_tls {
	NEXT_HOP_TLS_OFF,
	NEXT_HOP_TLS_MAY,
	NEXT_HOP_TLS_MUST
};

enum conf_address_family {
	ADDRESS_FAMILY_ANY,
	ADDRESS_FAMILY_IPV4,
	ADDRESS_FAMILY_IPV6
};

struct conf_route {
	struct conf_text_list domains; /* "*" is all; ".x.example" below x */
	struct slice text;	       /* next_hop as written */
	enum conf_next_hop_kind kind;
	size_t target_count; /* in order of preference */
	struct conf_target *targets;
	enum conf_address_family address_family; /* of hosts that have names */
	struct slice maildir; /* path; %d and %l are domain and local part */
	enum conf_next_hop_tls tls;
	struct slice tls_ca; /* verify with it; empty: the system's */
	bool xforward;
	uint64_t proxy_protocol; /* 0, 1 or 2 sent to it */
};

struct conf_intermediary {
	struct slice arc_sealer; /* any one of these, the others empty */
	struct slice host;	 /* verified client name, or "*.name" */
	struct slice dkim_domain;
	struct conf_network_list networks;
	struct slice reason;
};

enum conf_mode { MODE_OFF, MODE_REPORT, MODE_ENFORCE };
enum conf_on_temporary_error { TEMPORARY_DEFER, TEMPORARY_ACCEPT };
enum conf_quarantine_action {
	QUARANTINE_ACTION_QUARANTINE,
	QUARANTINE_ACTION_JUNK_HEADER
};

struct conf_authentication {
	bool dmarc_enforce;
	enum conf_on_temporary_error dmarc_on_temporary_error;
	enum conf_quarantine_action dmarc_quarantine_action;
	struct slice dmarc_junk_header; /* "X-Spam-Flag: YES" */
	enum conf_mode own_domains;
	enum conf_mode malformed; /* what the message itself breaks */
	size_t intermediary_count;
	struct conf_intermediary *intermediaries;
	bool exchange_style_results;
	bool received_spf;
	bool dkim_accept_body_length; /* count l= with unsigned rest as pass */
	uint64_t dkim_minimum_rsa_bits; /* not under 1024 */
};

/* Who keeps what a milter listener quarantines. */
enum conf_milter_quarantine { MILTER_QUARANTINE_STORE, MILTER_QUARANTINE_MTA };

struct conf_dns {
	struct conf_text_list servers; /* "IP", "IP@PORT" */
	struct slice zone;	       /* master file */
	struct slice trust_anchor;
	uint64_t cache_size;					   /* bytes */
	uint64_t cache_min_ttl, cache_max_ttl, cache_negative_ttl; /* s */
};

struct conf_log {
	enum log_format format;
	enum log_level level;
	struct conf_text_list trace; /* topics */
};

struct config {
	struct arena *arena;
	struct slice file; /* where it was read from; empty: defaults */
	struct slice hostname;
	struct slice authserv_id;     /* empty: hostname */
	struct slice user, group;     /* after start as root */
	struct slice state_directory; /* spool, sockets */
	struct slice spool_directory;
	struct conf_text_list accepted_domains; /* normalized A-labels */
	bool accepted_subdomains; /* own-domain control covers them */
	size_t listener_count;
	struct conf_listener *listeners;
	size_t connector_count;
	struct conf_connector *connectors;
	size_t route_count;
	struct conf_route *routes;
	struct conf_dns dns;
	struct conf_authentication authentication;
	struct slice store;		      /* "sqlite:/path" */
	uint64_t keep_trace, keep_quarantine; /* seconds; 0: for ever */
	enum conf_milter_quarantine milter_quarantine;
	struct slice admin_address; /* "127.0.0.1:8025"; empty: none */
	struct conf_log log;
	struct limits limits;
};

/* Something to tell the administrator that does not stop loading. */
struct config_warning {
	struct slice where; /* "file:line:column" */
	struct slice text;
};

struct config_problems {
	size_t count; /* errors, all of them, not the first alone */
	struct config_warning *errors;
	size_t warning_count;
	struct config_warning *warnings;
};

/* Reads, checks and completes a file.  problems live in arena (they outlast a
 * failure) and may be NULL.  False: E_NOT_FOUND, E_IO or E_CONFIG; err has the
 * first problem as "file:line:column: key: what is wrong; what is right". */
bool config_load(struct arena *arena, const char *path, struct config **ret,
    struct config_problems *problems, struct err *err);

/* As config_load, of the bytes of copy: what the file at path was once. */
bool config_load_copy(struct arena *arena, const char *copy, const char *path,
    struct config **ret, struct config_problems *problems, struct err *err);

/* All defaults, for commands that need no file.  hostname is the system's. */
struct config *config_default(void);

/* Any thread. */
struct config *config_hold(struct config *config);
void config_release(struct config *config);

#endif
