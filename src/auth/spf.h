/* SPDX-License-Identifier: Apache-2.0 */
/* auth/spf.h - Sender Policy Framework: check_host() of RFC 7208. */
#ifndef AUTH_SPF_H
#define AUTH_SPF_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/ip.h"
#include "base/slice.h"
#include "dns/resolver.h"

enum spf_result {
	SPF_NONE,
	SPF_NEUTRAL,
	SPF_PASS,
	SPF_FAIL,
	SPF_SOFTFAIL,
	SPF_TEMPERROR,
	SPF_PERMERROR,
};

/* "none", "neutral", ... */
const char *spf_result_name(enum spf_result result);

enum spf_identity { SPF_IDENTITY_MAILFROM, SPF_IDENTITY_HELO };

struct spf_request {
	struct ip client_ip;
	struct slice helo;
	struct slice mail_from; /* without angle brackets; empty: null sender */
	struct slice receiver;	/* our host name: the r macro */
	const struct clock *clock; /* the t macro */
};

struct spf_outcome {
	enum spf_result result;
	enum spf_identity identity;
	struct slice domain;	  /* whose record it is (before redirects) */
	struct slice explanation; /* of fail, US-ASCII; or empty */
	struct slice problem;	  /* of temperror and permerror; or empty */
	struct slice
	    mechanism; /* that matched: "include:x.example"; or empty */
	unsigned int dns_lookups; /* counted against the limit of 10 */
	bool everybody; /* a pass by "+all" or a network wider than IPv4 /8 or
			 * IPv6 /16: it says nothing about the client */
};

/* MAIL FROM, or postmaster@HELO for the null sender (RFC 7208 section 2.4). */
struct spf_outcome spf_check_mailfrom(struct arena *arena,
    struct dns_session *dns, const struct spf_request *request);

/* The HELO identity (section 2.3): postmaster@HELO. */
struct spf_outcome spf_check_helo(struct arena *arena, struct dns_session *dns,
    const struct spf_request *request);

/* Starts the queries that an evaluation will surely need. */
void spf_prefetch(struct dns_session *dns, const struct spf_request *request);

/* "Received-SPF: pass (...) ..." of RFC 7208 section 9.1; no line end. */
struct slice spf_received_field(struct arena *arena,
    const struct spf_request *request, const struct spf_outcome *outcome);

#endif
