/* SPDX-License-Identifier: Apache-2.0 */
/* dns/resolver.h - DNS answers with their security, within limits.
 *
 * One resolver a process (and configuration snapshot): libunbound behind one
 * thread, or a master file that is all the DNS there is.  Sessions never touch
 * libunbound: they post queries and wait with a deadline.  Answers are
 * reference-counted inside; what a session sees lives in its own arena.
 *
 * Bogus data is never handed out (dependencies hazard: it carries the forged
 * records): a bogus answer is DNS_TEMPORARY_FAILURE with security DNS_BOGUS.
 */
#ifndef DNS_RESOLVER_H
#define DNS_RESOLVER_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/ip.h"
#include "base/limits.h"
#include "base/slice.h"

enum dns_type {
	DNS_A = 1,
	DNS_NS = 2,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_TLSA = 52,
};

enum dns_status {
	DNS_FOUND,  /* at least one record */
	DNS_NODATA, /* the name exists, the type does not */
	DNS_NXDOMAIN,
	DNS_TEMPORARY_FAILURE, /* SERVFAIL, timeout, bogus, over a ceiling */
};

enum dns_security { DNS_INSECURE, DNS_SECURE, DNS_BOGUS };

struct dns_record {
	struct slice data;   /* A, AAAA: 4 or 16 octets.  PTR, NS, CNAME, MX:
			      * the name in text, lower case, without the
			      * final dot ("" is the root).  TXT: all
			      * character-strings joined.  Else raw rdata. */
	uint16_t preference; /* MX only */
};

struct dns_answer {
	enum dns_status status;
	enum dns_security security;
	const char *problem; /* why it failed, in words; "" if it did not */
	const char *rcode;   /* "NOERROR", "NXDOMAIN", "SERVFAIL", "TIMEOUT" */
	bool over_limit;     /* failed for a limit of ours, not of theirs */
	uint32_t ttl;	     /* seconds, clamped by the cache's bounds */
	size_t count;	     /* over 0 if DNS_FOUND, else 0 */
	const struct dns_record *records;
};

struct dns_failure {
	struct slice name; /* compared without case and final dot */
	bool any_type;
	enum dns_type type;
	bool timeout; /* else SERVFAIL */
};

struct dns_settings {
	size_t server_count; /* none: full recursion from the root */
	const struct ip *servers;
	const uint16_t *server_ports;
	struct slice zone_file; /* path; then nothing else is ever asked */
	struct slice zone_text; /* or what would stand in one: for tests */
	size_t failure_count;	/* injected: --dns-fail */
	const struct dns_failure *failures;
	struct slice trust_anchor; /* file; empty: no validation */
	uint64_t cache_bytes;	   /* bound of the answer cache */
	uint32_t cache_min_ttl, cache_max_ttl, cache_negative_ttl;
	/* s; 0: not kept */
	uint64_t query_timeout_ms; /* of one query */
};

struct dns_resolver;

/* Settings are copied.  False: E_CONFIG (zone file: with file:line), E_IO. */
bool dns_resolver_open(const struct dns_settings *settings,
    struct dns_resolver **ret, struct err *err);

/* Reference-counted: a snapshot and its sessions each hold one. */
struct dns_resolver *dns_resolver_hold(struct dns_resolver *resolver);
void dns_resolver_release(struct dns_resolver *resolver);

/* All queries of one message: within limits->dns_queries, dns_time and
 * dns_memory, and no later than deadline.  The same name and type is asked
 * once.  One thread. */
struct dns_session;

struct dns_session *dns_session_new(struct arena *arena,
    struct dns_resolver *resolver, const struct limits *limits,
    struct deadline deadline);

/* Starts a query and does not wait: for queries that can run in parallel.  Not
 * if 32 of the session are without an answer, or few places for queries are
 * left: then it is started when it is asked. */
void dns_prefetch(
    struct dns_session *session, struct slice name, enum dns_type type);

/* The answer, waited for.  Never NULL; a name that cannot be one (a label over
 * 63 octets, over 253 in all, empty label) is DNS_NXDOMAIN without a query;
 * a U-label is converted to its A-label.  Valid as long as the session. */
const struct dns_answer *dns_ask(
    struct dns_session *session, struct slice name, enum dns_type type);

/* Who is told that the session waits, by the thread that does: what it holds
 * others may need meanwhile.  Not for what is there, nor amid a peek.  Neither
 * may use the session. */
struct dns_wait_observer {
	void (*begin)(void *context);
	void (*end)(void *context);
	void *context;
};

/* From now on; observer is copied, its context outlives the session's last
 * question. */
void dns_session_observe_waits(
    struct dns_session *session, const struct dns_wait_observer *observer);

/* Between the two nothing is waited for: an answer that has not come counts as
 * a temporary failure.  End: true if none was missing; then whoever asks the
 * same again, during this session, gets the same. */
void dns_peek_begin(struct dns_session *session);
bool dns_peek_end(struct dns_session *session);

/* A limit of ours (dns_queries, dns_time, dns_memory, the deadline) has left a
 * question without its answer: then a temporary failure is not the domain's,
 * and who sent the message may have brought it about. */
bool dns_session_exhausted(const struct dns_session *session);

/* What was asked so far, in order: for traces. */
struct dns_query_record {
	struct slice name;
	enum dns_type type;
	const struct dns_answer *answer; /* NULL: never waited for */
};
size_t dns_session_queries(
    const struct dns_session *session, const struct dns_query_record **ret);

/* How often something else was not asked: over limits->dns_queries. */
size_t dns_session_refused(const struct dns_session *session);

/* "A", "TXT"; "TYPE99" for others is not needed. */
const char *dns_type_name(enum dns_type type);
bool dns_type_from_name(struct slice name, enum dns_type *ret);

#endif
