/* SPDX-License-Identifier: Apache-2.0 */
/* RCPT (RFC 5321, 4.1.1.3): relaying is the gate's question, the mailbox the
 * next hop's.
 */
#include "smtp/session_private.h"
#include "smtp/transaction.h"

/* So many times limits.recipients are put off one by one, then all. */
enum { EXCESS_TIMES = 10 };

/* Who guesses addresses is sent away.  Our own systems do not guess, and the
 * message with many dead addresses would never be delivered. */
static void count_refused(struct session *session)
{
	if (session_is_own_system(session))
		return;
	session->bad_recipients++;
	if (session->bad_recipients >= session->limits->refused_recipients)
		session_reply(session, 421, "4.7.0",
		    "too many refused recipients (limits.refused_recipients)");
}

/* RFC 3461, 4.1: NEVER alone, or a list of the others. */
static bool notify_is_proper(struct slice value)
{
	bool alone = true, more;

	if (slice_eq_nocase(value, SLICE("NEVER")))
		return true;
	do {
		struct slice word;

		more = slice_split(value, ',', &word, &value);
		alone = slice_eq_nocase(word, SLICE("SUCCESS")) ||
			slice_eq_nocase(word, SLICE("FAILURE")) ||
			slice_eq_nocase(word, SLICE("DELAY"));
	} while (more && alone);
	return alone;
}

static bool notify_has(struct slice value, struct slice wanted)
{
	struct slice word;
	bool more, found;

	do {
		more = slice_split(value, ',', &word, &value);
		found = slice_eq_nocase(word, wanted);
	} while (more && !found);
	return found;
}

/* The sender may be forged, and a notice that nothing went wrong would tell it
 * what it never wrote: SUCCESS and DELAY are taken out.  When nothing is left
 * there is none of failure either, for none was asked for (RFC 3461, 4.1). */
static struct slice notify_for_stranger(struct slice value)
{
	return notify_has(value, SLICE("FAILURE")) ? SLICE("FAILURE")
						   : SLICE("NEVER");
}

/* RFC 3461, 4.2: addr-type ";" xtext, up to 500 characters. */
static bool orcpt_is_proper(struct arena *arena, struct slice value)
{
	struct slice type, address, decoded;

	return value.len <= 500 && slice_split(value, ';', &type, &address) &&
	       type.len && command_decode_xtext(arena, address, &decoded);
}

static bool take_notify(struct session *session, struct slice value,
    struct envelope_recipient *recipient)
{
	bool internal = gate_client_is_internal(
	    &session->snapshot->gate, &session->client);

	if (recipient->dsn_notify.len || !notify_is_proper(value))
		return false;
	if (!internal)
		value = notify_for_stranger(value);
	recipient->dsn_notify = arena_slice(session->transaction->arena, value);
	return true;
}

static bool take_orcpt(struct session *session, struct slice value,
    struct envelope_recipient *recipient)
{
	struct arena *arena = session->transaction->arena;

	if (recipient->dsn_orcpt.len || !orcpt_is_proper(arena, value))
		return false;
	recipient->dsn_orcpt = arena_slice(arena, value);
	return true;
}

/* RFC 3461, 4: each at most once. */
static bool take_parameter(struct session *session,
    const struct command_parameter *given, struct envelope_recipient *recipient)
{
	return slice_eq_nocase(given->name, SLICE("NOTIFY"))
		   ? take_notify(session, given->value, recipient)
		   : take_orcpt(session, given->value, recipient);
}

/* False: the client was told. */
static bool take_parameters(struct session *session,
    const struct command_path *path, struct envelope_recipient *recipient)
{
	for (size_t i = 0; i < path->count; i++) {
		const struct command_parameter *given = &path->parameters[i];

		if (!session->client.esmtp ||
		    !(slice_eq_nocase(given->name, SLICE("NOTIFY")) ||
			slice_eq_nocase(given->name, SLICE("ORCPT")))) {
			session_reply(session, 555, "5.5.4",
			    "%.*s is not a parameter here",
			    SLICE_ARGS(given->name));
			return false;
		}
		if (!take_parameter(session, given, recipient)) {
			session_reply(session, 501, "5.5.4",
			    "%.*s has no proper value",
			    SLICE_ARGS(given->name));
			return false;
		}
	}
	return true;
}

/* <Postmaster> needs no domain (RFC 5321, 4.5.1). */
static struct slice with_domain(struct session *session, struct slice path)
{
	const struct config *config = session->config;
	struct slice domain = config->accepted_domains.count
				  ? config->accepted_domains.items[0]
				  : config->hostname;

	if (!slice_eq_nocase(path, SLICE("postmaster")))
		return path;
	return arena_format_slice(session->transaction->arena, "%.*s@%.*s",
	    SLICE_ARGS(path), SLICE_ARGS(domain));
}

/* False: the client was told. */
static bool take_address(
    struct session *session, struct slice path, struct slice *ret)
{
	static const struct cmd_address_codes codes = {553, "5.1.3"};

	path = with_domain(session, path);
	if (!slice_empty(path))
		return cmd_take_address(
		    session, session->transaction, path, &codes, ret);
	session_reply(session, 501, "5.1.3", "an address is missing");
	return false;
}

/* Asks the gate, then the next hop.  2xx: it may be added. */
static struct smtp_reply_text ask(
    struct transaction *transaction, const struct envelope_recipient *recipient)
{
	struct smtp_reply_text reply, suspect;

	if (!gate_recipient(transaction->gate, recipient->address, &reply))
		return reply;
	reply = delivery_recipient(transaction->delivery,
	    gate_route(transaction->gate, recipient->address), recipient);
	/* Who forges our domain does not learn which mailboxes exist. */
	if (reply.code >= 500 &&
	    gate_own_domain_suspect(transaction->gate, &suspect))
		return suspect;
	return reply;
}

/* RFC 5321, 4.5.3.1.10: for the next transaction. */
static bool is_excess(const struct smtp_reply_text *reply)
{
	return reply->code == 452 && slice_eq(reply->enhanced, SLICE("4.5.3"));
}

/* An honest list sends it then, and is not held back for it; but not for ever.
 */
static void refuse_excess(
    struct session *session, const struct smtp_reply_text *reply)
{
	uint64_t max = session->limits->recipients;

	session->transaction->excess_recipients++;
	if (session->transaction->excess_recipients > EXCESS_TIMES * max) {
		session_reply(session, 421, "4.5.3",
		    "far too many recipients (limits.recipients: %llu)",
		    (unsigned long long)max);
		return;
	}
	session_reply_text(session, reply);
	session->sleeps_until.at_ms = 0;
}

static void refuse_over_limit(struct session *session)
{
	const struct smtp_reply_text reply = {452, SLICE("4.5.3"),
	    arena_format_slice(session->transaction->arena,
		"too many recipients (limits.recipients: %llu)",
		(unsigned long long)session->limits->recipients)};

	refuse_excess(session, &reply);
}

void cmd_rcpt(struct session *session, struct slice argument)
{
	struct transaction *transaction = session->transaction;
	struct envelope_recipient recipient = {0};
	struct command_path path;
	struct smtp_reply_text reply;
	struct err err;

	if (!command_parse_path(argument, SLICE("TO:"), &path, &err)) {
		session_reply(session, 501, "5.5.4", "%s", err.text);
		session_count_bad(session);
		return;
	}
	if (transaction->envelope.recipient_count >=
	    session->limits->recipients) {
		refuse_over_limit(session);
		return;
	}
	if (!take_address(session, path.path, &recipient.address) ||
	    !take_parameters(session, &path, &recipient)) {
		count_refused(session);
		return;
	}
	reply = ask(transaction, &recipient);
	if (reply.code / 100 == 2)
		envelope_add_recipient(
		    transaction->arena, &transaction->envelope, &recipient);
	else
		gate_note_refused_recipient(
		    transaction->gate, recipient.address, &reply);
	if (is_excess(&reply))
		refuse_excess(session, &reply);
	else
		session_reply_text(session, &reply);
	if (reply.code >= 500)
		count_refused(session);
}
