/* SPDX-License-Identifier: Apache-2.0 */
/* gate/gate.h - the one entrance for every message.
 *
 * SMTP, milter, check and replay all come in here with an envelope, a header
 * and a body, and get the same struct decision.  The gate judges and records;
 * it does not speak a protocol.
 *
 * Order of calls for one message (one thread at a time):
 *	gate_begin, gate_recipient*, gate_header, gate_body*, gate_decide,
 *	gate_commit (not for check; or its parts), gate_note_delivery.
 */
#ifndef GATE_GATE_H
#define GATE_GATE_H

#include "auth/arc.h"
#include "auth/dkim.h"
#include "auth/dmarc.h"
#include "auth/spf.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "conf/config.h"
#include "dns/resolver.h"
#include "message/decision.h"
#include "message/envelope.h"
#include "message/faults.h"
#include "store/store.h"

/* What a message is judged with; shared, immutable while in use. */
struct gate_context {
	struct config *config;
	struct dns_resolver *resolver;
	struct store *store; /* NULL: nothing is recorded (check) */
	struct dkim_key_cache *key_cache; /* NULL: none */
	struct clock clock;
	bool inspect_content; /* gate_json tells of the parts, and of each of
			       * many recipients, too (check) */
};

struct gate_message;

/* After MAIL FROM: attributes the connector and starts the SPF queries.
 * envelope may gain recipients until gate_header. */
struct gate_message *gate_begin(struct arena *arena,
    const struct gate_context *context, const struct envelope *envelope);

/* Whether mail of this client, as it is known so far, is internal: it has
 * authenticated, or a connector with treat_as: internal says so. */
bool gate_client_is_internal(
    const struct gate_context *context, const struct envelope_client *client);

/* From now on observer is told when one of the calls that follow waits for DNS:
 * what it holds meanwhile others may need.  Copied. */
void gate_observe_waits(
    struct gate_message *message, const struct dns_wait_observer *observer);

/* A verdict about one recipient before it is asked of the next hop: relaying
 * (550 5.7.1 when neither the recipient's domain is ours nor the client may
 * relay, nor may it when the local part names another destination).  True: go
 * on.  False: *ret is the refusal. */
bool gate_recipient(struct gate_message *message, struct slice address,
    struct smtp_reply_text *ret);

/* The route for a recipient: never NULL after gate_recipient said yes. */
const struct conf_route *gate_route(
    const struct gate_message *message, struct slice address);

/* The same with no message at hand (the release of a quarantined one); NULL
 * if the configuration has none.  It belongs to config. */
const struct conf_route *gate_find_route(
    struct arena *arena, const struct config *config, struct slice address);

/* True if this sender uses a domain of ours and nothing authenticates it so
 * far: an unknown recipient is then answered with *ret (550 5.7.1), not with
 * the next hop's 5.1.1, so that refusal does not depend on the mailbox. */
bool gate_own_domain_suspect(
    struct gate_message *message, struct smtp_reply_text *ret);

/* The header block (with its empty line) is complete.  header must stay valid
 * and in place until the message ends.  False: E_LIMIT. */
bool gate_header(
    struct gate_message *message, struct slice header, struct err *err);

/* Pieces of the body as they arrive, dots unstuffed, CR LF kept. */
void gate_body(struct gate_message *message, struct slice piece);

/* After gate_header.  False: the header has settled it (the message will be
 * refused), and no octet of the body changes that. */
bool gate_needs_body(struct gate_message *message);

/* After gate_needs_body said no: what has not come yet will not.  Signatures
 * are not judged then. */
void gate_skip_body(struct gate_message *message);

/* After gate_header, for who does not pass the message on himself.  False: the
 * body is only to be seen (gate_body), its octets will not be wanted again:
 * the verdict cannot be quarantine in our own store.  Never waits; a yes may
 * become a no when DNS has answered, so ask again. */
bool gate_keeps_body(struct gate_message *message);

/* Where the body begins in the header that gate_header took. */
size_t gate_body_offset(const struct gate_message *message);

/* A refusal that came before any judgement: a limit, or a recipient (by its
 * number in the envelope).  gate_decide then asks nothing of DNS; when every
 * recipient is refused the message is. */
void gate_refuse(struct gate_message *message, struct slice policy,
    const struct smtp_reply_text *reply);
void gate_refuse_recipient(struct gate_message *message, size_t number,
    const struct smtp_reply_text *reply);

/* content is the whole message (gate_header's bytes come first), or its header
 * alone if gate_keeps_body said no.  Waits for DNS within the limits.  Never
 * NULL; lives in the arena. */
const struct decision *gate_decide(
    struct gate_message *message, struct slice content);

/* Best before gate_header, at least before gate_commit: if the verdict is
 * quarantine, the MTA that asks us keeps the message, and the store only the
 * trace. */
void gate_mta_holds(struct gate_message *message);

/* The trace, and the quarantined message if that is the verdict, are durable
 * when this returns true.  False: answer *ret (451 4.3.0), deliver nothing. */
bool gate_commit(struct gate_message *message, struct smtp_reply_text *ret);

/* The same without a thread that waits.  notice as for store_put_begin.
 * False: it has failed already, and there will be no notice.  gate_commit_end
 * tells the result, after that or after the notice. */
bool gate_commit_begin(
    struct gate_message *message, const struct store_notice *notice);

/* When it is to be given up.  That returns true if there will be no notice
 * (and gate_commit_end says 451); false if there was or will be one. */
struct deadline gate_commit_deadline(const struct gate_message *message);
bool gate_commit_give_up(struct gate_message *message);
bool gate_commit_end(struct gate_message *message, struct smtp_reply_text *ret);

/* False: the store is in trouble, and it is likely that gate_commit fails. */
bool gate_expects_commit(const struct gate_message *message);

/* A recipient was refused at RCPT, by gate_recipient or the next hop: logged,
 * and remembered for gate_end. */
void gate_note_refused_recipient(struct gate_message *message,
    struct slice address, const struct smtp_reply_text *reply);

/* The transaction is over, whatever came of it: leaves the trace of one in
 * which a recipient was refused with 5.7.1 and no content came.  Nothing else
 * may follow. */
void gate_end(struct gate_message *message);

/* What came of it: verdict "accept"/"reject"/"defer" of the next hop. */
void gate_note_delivery(
    struct gate_message *message, struct slice verdict, struct slice reply);

/* The Received field of this passage (a whole field with its line end): it
 * stands on top of gate_pieces, so of what is delivered and of what is kept in
 * quarantine (RFC 5321 section 4.4).  field must live as long as message. */
void gate_trace_field(struct gate_message *message, struct slice field);

/* The edited message to hand on, after gate_decide. */
struct message_pieces gate_pieces(struct gate_message *message);

/* Everything that is known, as the JSON of `check --json`. */
struct slice gate_json(struct gate_message *message);

/* Logs the connectors that have expired, and those that will within 14 days:
 * once a day, and whenever a configuration is loaded. */
enum { GATE_EXPIRY_WARNING_S = 14 * 24 * 3600 };
void gate_warn_of_expiry(const struct gate_context *context);

/* The Authentication-Results value that gate_decide added; or empty. */
struct slice gate_authentication_results(const struct gate_message *message);

/* The SMTP reply for an error that is no verdict: only here do kinds of errors
 * become replies, and none of them says yes (design, section 8). */
struct smtp_reply_text gate_reply_for_error(
    struct arena *arena, const struct err *err);

#endif
