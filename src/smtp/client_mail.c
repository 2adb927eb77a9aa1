/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/client_mail.h"

#include "base/buf.h"
#include "message/address.h"
#include "smtp/xforward.h"

enum { COMMAND_MAX = 4096, CHUNK = 256 * 1024 };

static bool offers(
    const struct smtp_client *client, enum smtp_capability capability)
{
	return capabilities_have(smtp_client_capabilities(client), capability);
}

static void add_parameter(struct buf *buf, const char *name, struct slice value)
{
	if (!slice_empty(value))
		buf_add_format(buf, " %s=%.*s", name, SLICE_ARGS(value));
}

static bool finish_command(
    struct smtp_client *client, const struct buf *buf, struct err *err)
{
	if (buf_overflowed(buf))
		return err_set(
		    err, E_LIMIT, "a command of over %d bytes", COMMAND_MAX);
	return smtp_client_send(client, buf_slice(buf), false, err);
}

/* As RFC 5321 section 4.1.2 wants it: a local part with dots elsewhere than
 * between atoms, which clients write as it is, stands in quotes. */
static struct slice proper(struct arena *arena, struct slice address)
{
	struct slice domain = address_domain(address), local;

	if (!domain.len || address.ptr[0] == '"')
		return address;
	local = slice_sub(address, 0, address.len - domain.len - 1);
	return address_has_odd_dots(local)
		   ? ARENA_JOIN(arena, SLICE("\""), local, SLICE("\"@"), domain)
		   : address;
}

static bool send_mail(struct smtp_client *client, struct arena *arena,
    const struct envelope *envelope, struct err *err)
{
	struct buf *buf = buf_in_arena(arena, COMMAND_MAX);

	buf_add_format(buf, "MAIL FROM:<%.*s>",
	    SLICE_ARGS(proper(arena, envelope->mail_from)));
	if (offers(client, CAP_SIZE) && envelope->declared_size)
		buf_add_format(buf, " SIZE=%llu",
		    (unsigned long long)envelope->declared_size);
	if (offers(client, CAP_8BITMIME) && envelope->body == BODY_8BITMIME)
		buf_add_text(buf, " BODY=8BITMIME");
	if (offers(client, CAP_SMTPUTF8) && envelope->smtputf8)
		buf_add_text(buf, " SMTPUTF8");
	if (offers(client, CAP_DSN)) {
		add_parameter(buf, "RET", envelope->dsn_ret);
		add_parameter(buf, "ENVID", envelope->dsn_envid);
	}
	if (offers(client, CAP_AUTH))
		add_parameter(buf, "AUTH", envelope->auth_parameter);
	return finish_command(client, buf, err);
}

static bool send_recipient(struct smtp_client *client, struct arena *arena,
    const struct envelope_recipient *recipient, struct err *err)
{
	struct buf *buf = buf_in_arena(arena, COMMAND_MAX);

	buf_add_format(buf, "RCPT TO:<%.*s>",
	    SLICE_ARGS(proper(arena, recipient->address)));
	if (offers(client, CAP_DSN)) {
		add_parameter(buf, "NOTIFY", recipient->dsn_notify);
		add_parameter(buf, "ORCPT", recipient->dsn_orcpt);
	}
	return finish_command(client, buf, err);
}

/* An answer that does not matter, unless the connection ends. */
static bool skip_replies(
    struct smtp_client *client, size_t count, struct err *err)
{
	struct smtp_reply reply;

	while (count--)
		if (!smtp_client_receive(
			client, smtp_client_deadline(client), &reply, err))
			return false;
	return true;
}

/* Returns in *ret_waiting how many replies are still to come. */
static bool send_xforward(struct smtp_client *client, struct arena *arena,
    const struct envelope *envelope, size_t *ret_waiting, struct err *err)
{
	struct slice commands[XFORWARD_COMMANDS_MAX];
	size_t count = 0;

	if (smtp_client_endpoint(client)->xforward &&
	    offers(client, CAP_XFORWARD))
		count = xforward_commands(arena, envelope->client, envelope->id,
		    smtp_client_capabilities(client)->xforward, commands);
	for (size_t i = 0; i < count; i++) {
		if (!smtp_client_send(client, commands[i], false, err))
			return false;
		if (!offers(client, CAP_PIPELINING) &&
		    !skip_replies(client, 1, err))
			return false;
	}
	*ret_waiting = offers(client, CAP_PIPELINING) ? count : 0;
	return true;
}

static bool begin(struct smtp_client *client, struct arena *arena,
    const struct envelope *envelope, const struct envelope_recipient *recipient,
    struct smtp_reply *ret_mail, struct smtp_reply *ret_rcpt, struct err *err)
{
	struct deadline deadline = smtp_client_deadline(client);
	bool pipelining = offers(client, CAP_PIPELINING);
	struct smtp_reply mail, rcpt = {0};
	size_t waiting;

	if (!send_xforward(client, arena, envelope, &waiting, err) ||
	    !send_mail(client, arena, envelope, err))
		return false;
	if (pipelining && !send_recipient(client, arena, recipient, err))
		return false;
	if (!skip_replies(client, waiting, err) ||
	    !smtp_client_receive(client, deadline, &mail, err))
		return false;
	if (reply_is_ok(&mail))
		smtp_client_state(client)->in_transaction = true;
	else if (!pipelining || smtp_client_is_broken(client))
		goto done;
	if (!pipelining && !send_recipient(client, arena, recipient, err))
		return false;
	if (!smtp_client_receive(client, deadline, &rcpt, err))
		return false;
	if (!reply_is_ok(&mail))
		rcpt = (struct smtp_reply){0};
done:
	*ret_mail = mail;
	*ret_rcpt = rcpt;
	return true;
}

bool client_mail_begin(struct smtp_client *client,
    const struct envelope *envelope, const struct envelope_recipient *recipient,
    struct smtp_reply *ret_mail, struct smtp_reply *ret_rcpt, struct err *err)
{
	struct arena *arena = arena_new(0);
	bool ok;

	smtp_client_forget(client);
	ok = begin(client, arena, envelope, recipient, ret_mail, ret_rcpt, err);
	arena_free(arena);
	return ok;
}

bool client_mail_recipient(struct smtp_client *client,
    const struct envelope_recipient *recipient, struct smtp_reply *ret,
    struct err *err)
{
	struct arena *arena = arena_new(0);
	bool ok;

	smtp_client_forget(client);
	ok = send_recipient(client, arena, recipient, err) &&
	     smtp_client_receive(
		 client, smtp_client_deadline(client), ret, err);
	arena_free(arena);
	return ok;
}

/* A reply that nobody asked for would be taken for the answer to what is
 * said next: in the end for the one that says the message is safe. */
static bool is_in_step(const struct smtp_client *client, struct err *err)
{
	return smtp_client_is_idle(client) ||
	       err_set(err, E_CLOSED, "the peer spoke unasked");
}

bool client_mail_data(struct smtp_client *client, struct err *err)
{
	smtp_client_forget(client);
	return is_in_step(client, err) &&
	       smtp_client_send(client, SLICE("DATA"), false, err);
}

bool client_mail_go_ahead(
    struct smtp_client *client, struct smtp_reply *ret, struct err *err)
{
	return smtp_client_receive(
	    client, smtp_client_deadline(client), ret, err);
}

/* A peer that takes its time per chunk is borne as long as it moves, up to
 * the end that the whole content has. */
static bool send_piece(struct smtp_client *client, struct dot_stuff *state,
    struct slice piece, struct deadline end, struct err *err)
{
	while (piece.len) {
		bool dot;
		struct slice part = dot_stuff_next(state, &piece, &dot);

		if (dot)
			part = SLICE(".");
		while (part.len) {
			struct deadline deadline = deadline_min(
			    end, smtp_client_deadline(client));

			if (!smtp_client_write(client,
				slice_sub(part, 0, CHUNK), deadline, err))
				return false;
			part = slice_from_pos(part, CHUNK);
		}
	}
	return true;
}

bool client_mail_content(struct smtp_client *client,
    const struct message_pieces *pieces, struct dot_stuff *state,
    struct err *err)
{
	struct deadline end = deadline_in(
	    (int64_t)smtp_client_limits(client)->session_timeout);

	for (size_t i = 0; i < pieces->count; i++)
		if (!send_piece(client, state, pieces->pieces[i], end, err))
			return false;
	return true;
}

bool client_mail_final_dot(
    struct smtp_client *client, const struct dot_stuff *state, struct err *err)
{
	return is_in_step(client, err) &&
	       smtp_client_write(client, dot_stuff_end(state),
		   smtp_client_deadline(client), err);
}

bool client_mail_outcome(
    struct smtp_client *client, struct smtp_reply *ret, struct err *err)
{
	const struct limits *limits = smtp_client_limits(client);

	smtp_client_forget(client);
	if (!smtp_client_receive(client,
		deadline_in((int64_t)limits->next_hop_data_timeout), ret, err))
		return false;
	if (reply_is_ok(ret))
		smtp_client_state(client)->refusals = 0;
	return true;
}
