/* SPDX-License-Identifier: Apache-2.0 */
/* gate/gate_private.h - one message on its way through the gate. */
#ifndef GATE_GATE_PRIVATE_H
#define GATE_GATE_PRIVATE_H

#include "auth/authres.h"
#include "auth/header_from.h"
#include "auth/intermediary.h"
#include "auth/own_domain.h"
#include "gate/gate.h"

/* A policy's override of a DMARC failure, for the trace and the report. */
struct dmarc_override {
	bool applies;
	bool undecided;	     /* for a temporary reason */
	struct slice reason; /* "trusted intermediary ...", plain words */
};

/* One part of the message, the containers too. */
struct content_part {
	struct slice path, type, name;
	uint64_t size;	     /* decoded octets */
	uint64_t text_words; /* of a text part */
};

struct gate_message {
	struct arena *arena;
	const struct gate_context *context;
	const struct envelope *envelope;
	struct dns_session *dns;
	int64_t started_ms; /* monotonic */

	/* Who hands it over. */
	const struct conf_connector *connector; /* NULL: none */
	const struct conf_connector *expired;	/* would have matched */
	bool internal; /* authenticated, or a connector says so */

	/* What it is. */
	bool has_header;
	struct header_list headers;
	struct faults faults;
	struct fault_scan scan;
	struct header_from from;
	struct slice content;
	uint64_t body_size; /* of the octets that came */

	/* What of the body is needed: see gate/body_need.c. */
	bool header_judged, header_settles;
	bool keep_known, keeps;
	bool body_skipped;

	/* What is in it; filled by content_inspect alone. */
	bool content_inspected;
	size_t part_count;
	struct content_part *parts;

	/* What authentication says; not filled for internal mail. */
	struct body_hashes *hashes;
	struct dkim_verifier *dkim_verifier;
	struct arc_verifier *arc_verifier;
	bool spf_done, spf_helo_done;
	struct spf_outcome spf, spf_helo;
	size_t dkim_count;
	const struct dkim_outcome *dkim;
	struct arc_outcome arc;
	size_t dmarc_count; /* one for each From: domain */
	struct dmarc_outcome *dmarc;
	struct own_domain_outcome own_domain;
	struct dmarc_override override;
	bool dns_exhausted; /* by what decides: without HELO's SPF */

	/* What is to be done. */
	bool refused;				    /* before any judgement */
	struct smtp_reply_text *recipient_refusals; /* code 0: accepted */
	size_t refused_recipient_count;
	bool refused_at_rcpt; /* by policy; what for, if nothing follows */
	struct envelope_recipient refused_recipient;
	struct smtp_reply_text rcpt_refusal;
	struct decision decision;
	bool decided;
	bool mta_holds;			     /* what is quarantined */
	bool marked_as_junk;		     /* instead of quarantine */
	struct slice trace_field;	     /* Received, or empty */
	struct slice authentication_results; /* the added field's value */
	int64_t decided_ms;

	/* What is recorded of it. */
	struct store_trace *trace;
	struct store_quarantine *held; /* NULL: it is not quarantined here */
	struct store_pending *pending;
	struct err record_failure; /* why nothing is pending */
};

/* gate/connector.c: sets connector, expired and internal. */
void connector_attribute(struct gate_message *message);

/* Does the message's connector let it send as this domain (or below it)? */
bool connector_may_send_as(
    const struct gate_message *message, struct slice domain);

/* gate/route.c */
bool route_is_accepted_domain(const struct config *config, struct slice domain);
const struct conf_route *route_find(
    const struct config *config, struct slice domain);

/* gate/authenticate.c */
void authenticate_prefetch_spf(struct gate_message *message);
struct own_domain_outcome authenticate_own_domain(struct gate_message *message);
void authenticate_spf(struct gate_message *message);
void authenticate_header(struct gate_message *message);
void authenticate_finish(struct gate_message *message);

/* At the end of every struct gate_message, whatever became of it. */
void authenticate_count_queries(void *message);

/* gate/body_need.c, for a policy, amid gate_decide: the message goes on with
 * this body (see decision_replace_body), whether the one it came with was kept
 * or not. */
bool body_replace(
    struct gate_message *message, struct slice body, struct err *err);

/* gate/content.c: walks the parts, once; adds the faults it finds. */
void content_inspect(struct gate_message *message);

/* gate/policies.c: runs every built-in policy and fills the decision. */
void policies_apply(struct gate_message *message);

/* Do the policies that look at the header alone refuse the message? */
bool policies_reject_by_header(struct gate_message *message);

/* gate/gate.c: octets that came; 0 if it was refused before. */
uint64_t gate_message_size(const struct gate_message *message);

/* gate/header_policy.c: Authentication-Results, trust headers, loop mark. */
void header_policy_apply(struct gate_message *message);

/* How often the message already carries our loop mark. */
size_t header_policy_loop_count(const struct gate_message *message);

/* gate/trace.c */
void trace_fill(struct gate_message *message, struct store_trace *ret);

#endif
