/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/delivery_private.h"

#include "base/ascii.h"
#include "base/require.h"
#include "base/text.h"
#include "message/address.h"
#include "smtp/capacity.h"
#include "smtp/client.h"
#include "smtp/client_mail.h"
#include "smtp/maildir.h"
#include "smtp/targets.h"

/* A next hop that goes away behind so many has counted them (Postfix:
 * smtpd_hard_error_limit, 20; others have less).  More than an idle connection
 * may bring (REFUSALS_MAX of next_hop_pool.c). */
enum { ERRORS_MIN = 10 };

static struct smtp_reply_text reply(
    int code, struct slice enhanced, struct slice text)
{
	return (struct smtp_reply_text){code, enhanced, text};
}

static struct smtp_reply_text reply_lost(void)
{
	return reply(451, SLICE("4.4.2"),
	    SLICE("the connection to the next hop was lost"));
}

/* The one 421: see the header. */
static struct smtp_reply_text reply_login_lost(void)
{
	return reply(421, SLICE("4.4.2"),
	    SLICE("the connection that you logged in to was lost"));
}

static struct smtp_reply_text reply_given_up(void)
{
	return reply(451, SLICE("4.4.2"),
	    SLICE("it took too long until the next hop would take the "
		  "message"));
}

static struct smtp_reply_text reply_not_sayable(void)
{
	return reply(
	    501, SLICE("5.1.3"), SLICE("an address that cannot be passed on"));
}

static bool is_ok(const struct smtp_reply_text *text)
{
	return text->code / 100 == 2;
}

static bool is_ascii(char byte)
{
	return !ascii_is_8bit(byte);
}

/* --- Connections ------------------------------------------------------- */

static bool is_borrowed(const struct delivery *delivery)
{
	return delivery->client &&
	       delivery->client == delivery->session->authenticated;
}

static void drop(struct delivery *delivery)
{
	if (is_borrowed(delivery))
		delivery->session->authenticated = NULL;
	smtp_client_drop(delivery->client);
	delivery->client = NULL;
}

static void give_back_login(struct delivery_session *session)
{
	struct smtp_client *client = session->authenticated;

	smtp_client_set_end(client, DEADLINE_NEVER);
	if (!smtp_client_is_broken(client) &&
	    smtp_client_state(client)->in_transaction)
		smtp_client_reset(client, NULL);
	if (smtp_client_is_broken(client)) {
		smtp_client_drop(client);
		session->authenticated = NULL;
	}
}

void delivery_leave(struct delivery *delivery)
{
	struct smtp_client *client = delivery->client;

	if (!client)
		return;
	if (delivery->announced)
		drop(delivery);
	else if (is_borrowed(delivery))
		give_back_login(delivery->session);
	else
		next_hop_pool_put(delivery->session->pool, client);
	delivery->client = NULL;
}

/* From the end of data on the client waits for all of it together. */
static void hurry(const struct delivery *delivery, struct deadline end)
{
	if (delivery->client)
		smtp_client_set_end(delivery->client, end);
}

/* Nobody will hear the answer: the message must not be taken. */
static bool is_given_up(const struct delivery *delivery)
{
	const struct delivery_waiter *waiter = &delivery->session->waiter;

	return deadline_passed(waiter->dot_by) ||
	       (waiter->is_gone && waiter->is_gone(waiter->context));
}

static bool uses_login(const struct delivery *delivery)
{
	struct slice route = delivery->session->authenticated_route;

	return !slice_empty(route) && slice_eq(route, delivery->route->text);
}

static bool acquire(struct delivery *delivery,
    const struct next_hop_request *request, struct smtp_reply_text *ret_reply)
{
	struct delivery_session *session = delivery->session;

	if (!uses_login(delivery)) {
		if (!next_hop_pool_get(session->pool, delivery->arena, request,
			&delivery->client, ret_reply))
			return false;
		hurry(delivery, session->waiter.dot_by);
		return true;
	}
	if (session->authenticated &&
	    smtp_client_is_idle(session->authenticated)) {
		delivery->client = session->authenticated;
		hurry(delivery, session->waiter.dot_by);
		return true;
	}
	smtp_client_drop(session->authenticated);
	session->authenticated = NULL;
	*ret_reply = reply_login_lost();
	return false;
}

/* --- Recipients -------------------------------------------------------- */

static bool exceeds(const struct delivery *delivery,
    const struct envelope_recipient *recipient, struct smtp_reply_text *ret)
{
	return capacity_exceeds(smtp_client_capabilities(delivery->client),
	    delivery->envelope, recipient, ret);
}

static struct next_hop_request request_of(const struct delivery *delivery)
{
	return (struct next_hop_request){
	    .route = delivery->route,
	    .domain = delivery->domain,
	    .client = delivery->session->client,
	    .until = delivery->session->waiter.dot_by,
	};
}

/* Others are tried first, for a while. */
static void blame(const struct delivery *delivery, const struct err *err)
{
	struct next_hop_request request = request_of(delivery);

	if (is_borrowed(delivery))
		return;
	next_hop_pool_blame(
	    delivery->session->pool, &request, delivery->client, err);
}

enum attempt {
	ATTEMPT_DONE,
	ATTEMPT_AGAIN, /* the connection failed, nothing was accepted */
};

/* The connection ended, or the command could not be said. */
static enum attempt after_failure(
    struct delivery *delivery, struct smtp_reply_text *ret)
{
	bool borrowed = is_borrowed(delivery);
	bool failed = smtp_client_is_broken(delivery->client);

	drop(delivery);
	*ret = borrowed ? reply_login_lost() : reply_lost();
	if (borrowed)
		return ATTEMPT_DONE;
	if (failed)
		return ATTEMPT_AGAIN;
	*ret = reply_not_sayable();
	return ATTEMPT_DONE;
}

static enum attempt begin(struct delivery *delivery,
    const struct envelope_recipient *recipient, struct smtp_reply_text *ret)
{
	struct smtp_reply mail, rcpt;
	struct err err = {0};

	if (exceeds(delivery, recipient, ret)) {
		delivery_leave(delivery);
		return ATTEMPT_DONE;
	}
	if (!client_mail_begin(delivery->client, delivery->envelope, recipient,
		&mail, &rcpt, &err)) {
		/* A reused one may have been closed meanwhile. */
		if (smtp_client_is_broken(delivery->client) &&
		    !smtp_client_state(delivery->client)->reused)
			blame(delivery, &err);
		return after_failure(delivery, ret);
	}
	if (smtp_client_is_broken(delivery->client)) {
		/* 421 to MAIL or to the first RCPT; the replies end with the
		 * connection. */
		struct smtp_reply_text closing = reply_pass_on(
		    delivery->arena, reply_is_ok(&mail) ? &rcpt : &mail);
		enum attempt attempt = after_failure(delivery, ret);

		if (attempt == ATTEMPT_AGAIN)
			*ret = closing;
		return attempt;
	}
	if (reply_is_ok(&mail)) {
		*ret = reply_pass_on(delivery->arena, &rcpt);
		return ATTEMPT_DONE;
	}
	*ret = reply_pass_on(delivery->arena, &mail);
	delivery->sender_refusal = *ret;
	delivery_leave(delivery);
	return ATTEMPT_DONE;
}

/* A reused connection may have been closed meanwhile: that is tried again on
 * a new one.  A new one that fails is tried at another target. */
static struct smtp_reply_text first_recipient(
    struct delivery *delivery, const struct envelope_recipient *recipient)
{
	struct next_hop_request request = request_of(delivery);
	struct smtp_reply_text text = reply_lost(), unreachable;

	while (acquire(delivery, &request, &unreachable)) {
		struct smtp_client *client = delivery->client;
		bool reused = smtp_client_state(client)->reused;
		struct slice key = arena_slice(
		    delivery->arena, smtp_client_endpoint(client)->key);

		if (begin(delivery, recipient, &text) == ATTEMPT_DONE)
			return text;
		if (!reused && request.avoid.len)
			return text;
		if (!reused)
			request.avoid = key;
		request.fresh = true;
	}
	return request.avoid.len ? text : unreachable;
}

static struct smtp_reply_text next_recipient(
    struct delivery *delivery, const struct envelope_recipient *recipient)
{
	struct smtp_reply_text text, ignored;
	struct smtp_reply answer;
	unsigned int refusals;
	bool said;

	if (exceeds(delivery, recipient, &text))
		return text;
	said = client_mail_recipient(
	    delivery->client, recipient, &answer, NULL);
	refusals = smtp_client_state(delivery->client)->refusals;
	if (!smtp_client_is_broken(delivery->client))
		return said ? reply_pass_on(delivery->arena, &answer)
			    : reply_not_sayable();
	if (after_failure(delivery, &text) == ATTEMPT_DONE)
		delivery->lost = delivery->count > 0;
	else if (!delivery->count)
		return first_recipient(delivery, recipient);
	else if (refusals >= ERRORS_MIN ? delivery_begin_again(delivery, &text)
					: delivery_renew(delivery, &ignored))
		return next_recipient(delivery, recipient);
	return text;
}

static struct smtp_reply_text say_recipient(
    struct delivery *delivery, const struct envelope_recipient *recipient)
{
	return delivery->client ? next_recipient(delivery, recipient)
				: first_recipient(delivery, recipient);
}

/* What it says of a recipient that it had taken is not for good. */
static struct smtp_reply_text reply_changed_mind(
    const struct smtp_reply_text *said)
{
	return said->code / 100 == 4
		   ? *said
		   : reply(451, SLICE("4.4.2"),
			 SLICE("the next hop had taken it, and does not take "
			       "it again"));
}

bool delivery_renew(struct delivery *delivery, struct smtp_reply_text *ret)
{
	size_t count = delivery->count;
	bool whole = !delivery->renewed && !uses_login(delivery) &&
		     !is_given_up(delivery);

	*ret = reply_lost();
	delivery->renewed = true;
	delivery->announced = false;
	for (delivery->count = 0; whole && delivery->count < count;) {
		struct smtp_reply_text text = say_recipient(
		    delivery, &delivery->accepted[delivery->count]);

		whole = is_ok(&text);
		delivery->count += whole;
		if (!whole)
			*ret = reply_changed_mind(&text);
	}
	delivery->count = count;
	delivery->lost = !whole;
	/* What it said this time is told once; the next time it is asked. */
	delivery->sender_refusal = (struct smtp_reply_text){0};
	if (!whole)
		delivery_leave(delivery);
	return whole;
}

static struct smtp_reply_text add_folder(
    struct delivery *delivery, const struct envelope_recipient *recipient)
{
	struct maildir_recipient one;
	struct smtp_reply_text refusal;

	if (!maildir_folder(delivery->arena, delivery->route->maildir,
		recipient->address, &one, &refusal))
		return refusal;
	delivery->folders = arena_grow(delivery->arena, delivery->folders,
	    delivery->count, &delivery->folder_room, sizeof(one));
	one.address = arena_slice(delivery->arena, one.address);
	delivery->folders[delivery->count] = one;
	return reply(250, SLICE("2.1.5"), SLICE("ok"));
}

static bool is_same_destination(const struct delivery *delivery,
    const struct conf_route *route, struct slice domain)
{
	return delivery->route && targets_same(delivery->route, route) &&
	       (route->kind != NEXT_HOP_MX ||
		   slice_eq_nocase(delivery->domain, domain));
}

static void release_delivery(void *object)
{
	delivery_abort(object);
}

struct delivery *delivery_new(struct arena *arena,
    struct delivery_session *session, const struct envelope *envelope)
{
	struct delivery *delivery = ARENA_NEW(arena, struct delivery);

	delivery->arena = arena;
	delivery->session = session;
	delivery->envelope = envelope;
	arena_defer(arena, release_delivery, delivery);
	return delivery;
}

struct smtp_reply_text delivery_recipient(struct delivery *delivery,
    const struct conf_route *route, const struct envelope_recipient *recipient)
{
	struct slice domain = address_domain(recipient->address);
	struct smtp_reply_text text;

	require(!delivery->finished);
	if (!is_same_destination(delivery, route, domain)) {
		if (delivery->count)
			return reply(452, SLICE("4.5.3"),
			    SLICE("this recipient needs a transaction of its "
				  "own, send it separately"));
		delivery_leave(delivery);
		delivery->lost = false;
		delivery->rests = false;
		delivery->sender_refusal = (struct smtp_reply_text){0};
		delivery->route = route;
		delivery->domain = arena_slice(delivery->arena, domain);
	}
	if (delivery->lost)
		return reply_lost();
	if (!delivery_wake(delivery, true, &text))
		return text;
	if (delivery->sender_refusal.code)
		return delivery->sender_refusal;
	if (route->kind == NEXT_HOP_MAILDIR)
		text = add_folder(delivery, recipient);
	else
		text = say_recipient(delivery, recipient);
	if (is_ok(&text)) {
		delivery->accepted = arena_grow(delivery->arena,
		    delivery->accepted, delivery->count, &delivery->room,
		    sizeof(*recipient));
		delivery->accepted[delivery->count++] = *recipient;
	}
	return text;
}

size_t delivery_recipient_count(const struct delivery *delivery)
{
	return delivery->count;
}

/* --- The message ------------------------------------------------------- */

static struct delivery_result same_for_all(
    struct delivery *delivery, struct smtp_reply_text text)
{
	struct smtp_reply_text *replies = ARENA_ARRAY(
	    delivery->arena, delivery->count, struct smtp_reply_text);

	for (size_t i = 0; i < delivery->count; i++)
		replies[i] = text;
	return (struct delivery_result){
	    .reply = text,
	    .count = delivery->count,
	    .recipient_replies = replies,
	};
}

static bool content_exceeds(const struct delivery *delivery,
    const struct message_pieces *pieces, struct smtp_reply_text *ret)
{
	return capacity_content_exceeds(
	    smtp_client_capabilities(delivery->client), delivery->envelope,
	    pieces, !delivery->undeclared, ret);
}

static struct smtp_reply_text connection_failed(struct delivery *delivery)
{
	bool borrowed = is_borrowed(delivery);

	drop(delivery);
	return borrowed ? reply_login_lost() : reply_lost();
}

/* A peer that refuses amid the data has often said why. */
static struct smtp_reply_text content_failed(struct delivery *delivery)
{
	struct smtp_reply answer;
	struct smtp_reply_text text, lost;
	bool said = smtp_client_last_words(delivery->client, &answer);

	if (said)
		text = reply_pass_on(delivery->arena, &answer);
	lost = connection_failed(delivery);
	return said && !is_ok(&text) && lost.code != 421 ? text : lost;
}

/* RFC 2033 section 4.2: a reply for each accepted recipient, in order. */
static void read_outcomes(
    struct delivery *delivery, size_t count, struct smtp_reply_text *replies)
{
	for (size_t i = 0; i < count; i++) {
		struct smtp_reply answer;

		if (!delivery->client) {
			replies[i] = i ? replies[i - 1] : reply_lost();
			continue;
		}
		if (client_mail_outcome(delivery->client, &answer, NULL))
			replies[i] = reply_pass_on(delivery->arena, &answer);
		else
			replies[i] = connection_failed(delivery);
	}
}

static struct delivery_result outcome(struct delivery *delivery)
{
	bool lmtp = smtp_client_endpoint(delivery->client)->lmtp;
	size_t count = lmtp ? delivery->count : 1;
	struct smtp_reply_text *replies = ARENA_ARRAY(
	    delivery->arena, count, struct smtp_reply_text);

	read_outcomes(delivery, count, replies);
	if (delivery->client)
		smtp_client_state(delivery->client)->in_transaction = false;
	if (!lmtp)
		return same_for_all(delivery, replies[0]);
	return (struct delivery_result){
	    .reply = reply_strongest(replies, count),
	    .count = count,
	    .recipient_replies = replies,
	    .tells_apart = true,
	};
}

void delivery_announce(
    struct delivery *delivery, const struct message_pieces *pieces)
{
	struct smtp_reply_text ignored;

	/* What is wrong delivery_data will find, and say. */
	if (!delivery->client || is_borrowed(delivery) ||
	    content_exceeds(delivery, pieces, &ignored) ||
	    !client_mail_data(delivery->client, NULL))
		return;
	delivery->announced = true;
	smtp_client_flush(delivery->client);
}

/* One try.  GO_OVER: the connection ended before any content was sent. */
enum go { GO_ON, GO_NO, GO_OVER };

static enum go ask_for_go_ahead(struct delivery *delivery,
    const struct message_pieces *pieces, struct smtp_reply_text *ret)
{
	struct smtp_client *client = delivery->client;
	struct smtp_reply answer;
	struct err err = {0};
	bool said;

	if (content_exceeds(delivery, pieces, ret))
		return GO_NO;
	said = (delivery->announced || client_mail_data(client, &err)) &&
	       client_mail_go_ahead(client, &answer, &err);
	/* One that hangs would do so again. */
	if (!said && err.kind == E_TIMEOUT)
		blame(delivery, &err);
	delivery->announced &= !said;
	if (said)
		*ret = reply_pass_on(delivery->arena, &answer);
	if (!said || reply_is_closing(&answer)) {
		struct smtp_reply_text lost = connection_failed(delivery);

		if (!said || lost.code == 421)
			*ret = lost;
		return GO_OVER;
	}
	if (is_ok(ret))
		*ret = reply_lost();
	return answer.code == 354 ? GO_ON : GO_NO;
}

static struct delivery_result send_data(
    struct delivery *delivery, const struct message_pieces *pieces)
{
	const struct delivery_waiter *waiter = &delivery->session->waiter;
	struct dot_stuff state = {0};
	struct smtp_reply_text text, ignored;
	enum go go;

	delivery->renewed = false;
	hurry(delivery, waiter->dot_by);
	if (!delivery_wake(delivery, false, &text))
		return same_for_all(delivery, text);
	do
		go = ask_for_go_ahead(delivery, pieces, &text);
	while (go == GO_OVER && delivery_renew(delivery, &ignored));
	if (go != GO_ON)
		return same_for_all(delivery, text);
	if (!client_mail_content(delivery->client, pieces, &state, NULL))
		return same_for_all(delivery, content_failed(delivery));
	if (is_given_up(delivery)) {
		drop(delivery);
		return same_for_all(delivery, reply_given_up());
	}
	hurry(delivery, waiter->until);
	if (!client_mail_final_dot(delivery->client, &state, NULL))
		return same_for_all(delivery, content_failed(delivery));
	return outcome(delivery);
}

struct delivery_result delivery_data(
    struct delivery *delivery, const struct message_pieces *pieces)
{
	struct delivery_result result;

	require(!delivery->finished && delivery->count);
	delivery->finished = true;
	if (is_given_up(delivery))
		result = same_for_all(delivery, reply_given_up());
	else if (delivery->route->kind == NEXT_HOP_MAILDIR)
		result = same_for_all(delivery,
		    maildir_deliver(delivery->arena,
			next_hop_pool_config(delivery->session->pool)->hostname,
			delivery->envelope->mail_from, delivery->count,
			delivery->folders, pieces));
	else if (delivery->lost)
		result = same_for_all(delivery, reply_lost());
	else
		result = send_data(delivery, pieces);
	delivery_leave(delivery);
	return result;
}

void delivery_abort(struct delivery *delivery)
{
	delivery_resume(delivery);
	delivery_leave(delivery);
	delivery->finished = true;
}

/* RFC 6531 section 3.5: of an address or a header in UTF-8, and nothing else.
 */
static bool needs_smtputf8(
    struct slice sender, struct slice recipient, struct slice message)
{
	size_t end = slice_find_slice(message, SLICE("\r\n\r\n"));
	struct slice header = slice_sub(message, 0, end);

	return !slice_all(sender, is_ascii) ||
	       !slice_all(recipient, is_ascii) ||
	       (!slice_all(header, is_ascii) && text_is_utf8(header));
}

bool delivery_send_message(struct arena *arena, struct next_hop_pool *pool,
    const struct conf_route *route, struct slice sender, struct slice recipient,
    struct slice message, struct smtp_reply_text *ret_reply)
{
	struct delivery_session *session = delivery_session_new(
	    arena, pool, NULL);
	struct message_pieces pieces = {1, &message, message.len};
	struct envelope_recipient one = {.address = recipient};
	struct envelope envelope = {
	    .id = envelope_new_id(arena),
	    .mail_from = sender,
	    .smtputf8 = needs_smtputf8(sender, recipient, message),
	    .body = slice_all(message, is_ascii) ? BODY_7BIT : BODY_8BITMIME,
	    .declared_size = message.len,
	};
	struct delivery *delivery = delivery_new(arena, session, &envelope);
	struct smtp_reply_text text;

	delivery->undeclared = true;
	text = delivery_recipient(delivery, route, &one);
	if (is_ok(&text))
		text = delivery_data(delivery, &pieces).reply;
	delivery_abort(delivery);
	*ret_reply = text;
	return is_ok(&text);
}
