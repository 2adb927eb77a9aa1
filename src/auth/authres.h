/* SPDX-License-Identifier: Apache-2.0 */
/* auth/authres.h - Authentication-Results: RFC 8601.
 *
 * Writing our own field (authres_write.c), reading others (authres_read.c), and
 * the line that Exchange Online writes (authres_exchange.c).
 */
#ifndef AUTH_AUTHRES_H
#define AUTH_AUTHRES_H

#include "auth/arc.h"
#include "auth/dkim.h"
#include "auth/dmarc.h"
#include "auth/own_domain.h"
#include "auth/spf.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/ip.h"
#include "base/slice.h"

/* What was found out about a message.  What is NULL, 0 or empty was not
 * looked at. */
struct authres_input {
	struct slice authserv_id; /* our host name */
	bool smtputf8;		  /* the field may hold UTF-8 (RFC 6532) */
	struct ip client_ip;
	struct slice mail_from; /* as given, without brackets */
	struct slice helo;
	const struct spf_outcome *spf_mailfrom, *spf_helo;
	bool dkim_checked; /* with dkim_count 0: "dkim=none" */
	size_t dkim_count;
	const struct dkim_outcome *dkim;
	const struct arc_outcome *arc; /* TEMPERROR: not written, for there is
					* no registered result for it */
	size_t dmarc_count;	       /* one for each domain of From: */
	const struct dmarc_outcome *dmarc;
	struct slice disposition; /* "none", "quarantine", "reject":
				   * what came of DMARC */
	struct slice override;	  /* why that is milder than the policy */
	const struct own_domain_outcome *own_domain;
};

/* The value of the field, from the authserv-id on, folded with CR LF HTAB; no
 * final line end; no line over 998 octets.  Whatever a stranger chose is
 * quoted, and its control octets (and 8-bit ones, unless smtputf8) become
 * "?". */
struct slice authres_write(
    struct arena *arena, const struct authres_input *input);

/* "spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=...; dkim=...;dmarc=...
 * action=... header.from=...;compauth=pass reason=100": no authserv-id, and so
 * no field of RFC 8601.  Folded as above. */
struct slice authres_exchange_style(
    struct arena *arena, const struct authres_input *input);

struct authres_property {
	struct slice ptype;    /* "header"; empty: "name=value" of Exchange */
	struct slice property; /* "from" */
	struct slice value;    /* unquoted */
};

struct authres_result {
	struct slice method, result;
	struct slice reason; /* unquoted */
	size_t property_count;
	struct authres_property *properties;
};

struct authres {
	struct slice authserv_id;
	unsigned int version; /* 1 when not given */
	size_t count;	      /* 0: "none" */
	struct authres_result *results;
	bool conforming; /* false: a deviation that is common was tolerated:
			  * a value that should be quoted, an empty one, a
			  * property without its type, a final ";" */
};

/* value is what follows "Authentication-Results:", or "i=N;" in
 * ARC-Authentication-Results; folded or not.  False: E_SYNTAX, E_LIMIT. */
bool authres_parse(struct arena *arena, struct slice value, struct authres *ret,
    struct err *err);

/* The value of a property, compared without case; empty if it has none. */
struct slice authres_property(const struct authres_result *result,
    const char *ptype, const char *property);

/* Could anybody read this field as written by authserv_id, or, unless domain is
 * empty, by a host of that domain?  Errs towards yes: such a field in incoming
 * mail is forged and is removed (section 5: whatever claims to come from within
 * the trust boundary). */
bool authres_claims(struct arena *arena, struct slice value,
    struct slice authserv_id, struct slice domain);

/* True for a field without an authserv-id ("spf=pass ..."), as Exchange
 * writes them: whoever reads those takes them for the last gateway's. */
bool authres_is_anonymous(struct slice value);

#endif
