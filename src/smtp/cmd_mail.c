/* SPDX-License-Identifier: Apache-2.0 */
/* MAIL (RFC 5321, 4.1.1.2) and its parameters, one row each. */
#include "base/ascii.h"
#include "message/address.h"
#include "smtp/session_private.h"
#include "smtp/transaction.h"

/* Each says whether the value is right; a refusal of its own goes to
 * transaction->failure. */
static bool take_size(struct session *session, struct transaction *transaction,
    struct slice value)
{
	const uint64_t max = session->limits->message_size;
	uint64_t size;

	if (!slice_to_u64(value, UINT64_MAX / 2, &size))
		return false;
	transaction->envelope.declared_size = size;
	if (size > max)
		transaction->failure = (struct smtp_reply_text){552,
		    SLICE("5.3.4"),
		    arena_format_slice(transaction->arena,
			"message too large (limits.message_size: %llu)",
			(unsigned long long)max)};
	return true;
}

static bool take_body(struct session *session, struct transaction *transaction,
    struct slice value)
{
	(void)session;
	if (slice_eq_nocase(value, SLICE("8BITMIME")))
		transaction->envelope.body = BODY_8BITMIME;
	else if (!slice_eq_nocase(value, SLICE("7BIT")))
		return false;
	return true;
}

static bool take_smtputf8(struct session *session,
    struct transaction *transaction, struct slice value)
{
	(void)session;
	(void)value;
	transaction->envelope.smtputf8 = true;
	return true;
}

static bool take_prdr(struct session *session, struct transaction *transaction,
    struct slice value)
{
	(void)session;
	(void)value;
	transaction->envelope.prdr = true;
	return true;
}

static bool take_ret(struct session *session, struct transaction *transaction,
    struct slice value)
{
	(void)session;
	transaction->envelope.dsn_ret = arena_slice(transaction->arena, value);
	return slice_eq_nocase(value, SLICE("FULL")) ||
	       slice_eq_nocase(value, SLICE("HDRS"));
}

static bool take_envid(struct session *session, struct transaction *transaction,
    struct slice value)
{
	struct slice decoded;

	(void)session;
	transaction->envelope.dsn_envid = arena_slice(
	    transaction->arena, value);
	/* RFC 3461, 4.4: up to 100 characters. */
	return value.len <= 100 &&
	       command_decode_xtext(transaction->arena, value, &decoded);
}

/* RFC 4954, 5: who is not known speaks for nobody, whatever it says. */
static bool may_speak_for_others(const struct session *session)
{
	return !slice_empty(session->client.authenticated_as) ||
	       session_is_own_system(session);
}

static bool take_auth(struct session *session, struct transaction *transaction,
    struct slice value)
{
	struct slice decoded;

	transaction->envelope.auth_parameter =
	    may_speak_for_others(session)
		? arena_slice(transaction->arena, value)
		: SLICE("<>");
	return command_decode_xtext(transaction->arena, value, &decoded);
}

struct mail_parameter {
	struct slice name;
	bool has_value;
	bool (*take)(struct session *session, struct transaction *transaction,
	    struct slice value);
};

static const struct mail_parameter parameters[] = {
    {SLICE_INIT("SIZE"), true, take_size},
    {SLICE_INIT("BODY"), true, take_body},
    {SLICE_INIT("SMTPUTF8"), false, take_smtputf8},
    {SLICE_INIT("RET"), true, take_ret},
    {SLICE_INIT("ENVID"), true, take_envid},
    {SLICE_INIT("AUTH"), true, take_auth},
    {SLICE_INIT("PRDR"), false, take_prdr},
};

static const struct mail_parameter *find(struct slice name)
{
	for (size_t i = 0; i < sizeof(parameters) / sizeof(*parameters); i++)
		if (slice_eq_nocase(parameters[i].name, name))
			return &parameters[i];
	return NULL;
}

static bool is_repeated(const struct command_path *path, size_t position)
{
	for (size_t i = 0; i < position; i++)
		if (slice_eq_nocase(path->parameters[i].name,
			path->parameters[position].name))
			return true;
	return false;
}

/* False: the client was told. */
static bool take_parameters(struct session *session,
    struct transaction *transaction, const struct command_path *path)
{
	for (size_t i = 0; i < path->count; i++) {
		const struct command_parameter *given = &path->parameters[i];
		const struct mail_parameter *row = find(given->name);

		if (!row || !session->client.esmtp) {
			session_reply(session, 555, "5.5.4",
			    "%.*s is not a parameter here",
			    SLICE_ARGS(given->name));
			return false;
		}
		if (given->has_value != row->has_value ||
		    is_repeated(path, i) ||
		    !row->take(session, transaction, given->value)) {
			session_reply(session, 501, "5.5.4",
			    "%.*s has no proper value",
			    SLICE_ARGS(given->name));
			return false;
		}
	}
	if (transaction->failure.code)
		session_reply_text(session, &transaction->failure);
	return !transaction->failure.code;
}

/* A source route stands before the address: "@a,@b:c@d" (RFC 5321, C).  One
 * with nothing behind it stays, and is no address: it is not the null path. */
static struct slice without_route(struct slice path)
{
	size_t colon;

	if (slice_empty(path) || path.ptr[0] != '@')
		return path;
	colon = slice_find(path, ':');
	return colon + 1 < path.len ? slice_from_pos(path, colon + 1) : path;
}

static bool is_7bit(char c)
{
	return !ascii_is_8bit(c);
}

bool cmd_take_address(struct session *session, struct transaction *transaction,
    struct slice path, const struct cmd_address_codes *codes, struct slice *ret)
{
	bool smtputf8 = transaction->envelope.smtputf8;
	struct mailbox mailbox;
	struct err err;

	path = without_route(path);
	if (!smtputf8 && !slice_all(path, is_7bit)) {
		/* RFC 6531, 3.5 */
		session_reply(session, codes->utf8, "5.6.7",
		    "an internationalized address needs SMTPUTF8");
		return false;
	}
	if (!address_parse_path(
		transaction->arena, path, smtputf8, &mailbox, &err)) {
		session_reply(session, 501, codes->syntax, "%s", err.text);
		return false;
	}
	*ret = arena_slice(transaction->arena, path);
	return true;
}

/* False: the client was told. */
static bool may_begin(struct session *session)
{
	const char *setting;

	if (session->transactions >= session->limits->transactions) {
		session_reply(session, 421, "4.7.0",
		    "connect again (limits.transactions: %llu)",
		    (unsigned long long)session->limits->transactions);
		return false;
	}
	/* Our own systems' outgoing mail is as much as it is. */
	if (session_is_own_system(session))
		return true;
	setting = rate_message(
	    session->shared->rate, &session->client.ip, session->limits);
	if (setting)
		session_reply(session, 450, "4.7.1",
		    "too many messages from your network (%s)", setting);
	return !setting;
}

/* A proper question whose answer is no is not bad, only idle. */
static void count_refused(
    struct session *session, const struct transaction *transaction)
{
	if (transaction->failure.code)
		session_count_idle(session);
	else
		session_count_bad(session);
}

void cmd_mail(struct session *session, struct slice argument)
{
	static const struct cmd_address_codes codes = {550, "5.1.7"};
	struct transaction *transaction;
	struct command_path path;
	struct err err;

	if (!command_parse_path(argument, SLICE("FROM:"), &path, &err)) {
		session_reply(session, 501, "5.5.4", "%s", err.text);
		session_count_bad(session);
		return;
	}
	if (!may_begin(session))
		return;
	transaction = transaction_new(session);
	if (!take_parameters(session, transaction, &path) ||
	    !cmd_take_address(session, transaction, path.path, &codes,
		&transaction->envelope.mail_from)) {
		count_refused(session, transaction);
		transaction_free(transaction);
		return;
	}
	session->transactions++;
	session->bdat_failed = false;
	session_look_up_name(session);
	transaction_begin(session, transaction);
	session_reply(session, 250, "2.1.0", "sender ok");
}
