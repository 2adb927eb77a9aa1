/* SPDX-License-Identifier: Apache-2.0 */
/* The commands, one row each.  A new one is a row here and a function in a
 * cmd_*.c file; HELP and the syntax replies follow from the row.
 */
#include "base/log.h"
#include "smtp/session_private.h"
#include "smtp/transaction.h"

static void cmd_rset(struct session *session, struct slice argument)
{
	(void)argument;
	transaction_drop(session);
	session->bdat_failed = false;
	session_reply(session, 250, "2.0.0", "ok");
}

static void cmd_noop(struct session *session, struct slice argument)
{
	(void)argument;
	session_reply(session, 250, "2.0.0", "ok");
}

static void cmd_quit(struct session *session, struct slice argument)
{
	(void)argument;
	session_reply(session, 221, "2.0.0", "%.*s closing connection",
	    SLICE_ARGS(session->config->hostname));
	session_hang_up(session, "quit");
}

/* Telling which mailboxes exist is left to RCPT (RFC 5321, 7.3). */
static void cmd_vrfy(struct session *session, struct slice argument)
{
	(void)argument;
	session_reply(
	    session, 252, "2.5.0", "not verified here; RCPT will tell");
}

static void cmd_expn(struct session *session, struct slice argument)
{
	(void)argument;
	session_reply(session, 502, "5.5.1", "lists are not expanded");
}

static void cmd_help(struct session *session, struct slice argument)
{
	(void)argument;
	for (const struct verb *verb = verbs; verb->name.len; verb++) {
		char line[128];
		int len;

		if (verb->exists && !verb->exists(session))
			continue;
		len = snprintf(
		    line, sizeof(line), "214-2.0.0 %s\r\n", verb->syntax);
		session_send(session, slice_of(line, (size_t)len));
	}
	session_reply(session, 214, "2.0.0", "end of help");
}

/* From networks that may not send it; the header stands before everything
 * else, so here it was meant to deceive. */
static void cmd_proxy(struct session *session, struct slice argument)
{
	(void)argument;
	session_reply(session, 550, "5.7.1",
	    "the PROXY protocol is not accepted from here");
	session_dismiss(session, "PROXY header from a stranger");
}

enum {
	MAIL_FLAGS = VERB_ARGUMENT | VERB_AFTER_TLS | VERB_AFTER_AUTH |
		     VERB_AFTER_HELO | VERB_OUTSIDE,
	RCPT_FLAGS = VERB_ARGUMENT | VERB_INSIDE | VERB_NOT_IN_CHUNKS,
	DATA_FLAGS = VERB_NO_ARGUMENT | VERB_INSIDE | VERB_NOT_IN_CHUNKS,
	TLS_FLAGS = VERB_NO_ARGUMENT | VERB_AFTER_HELO | VERB_OUTSIDE,
	AUTH_FLAGS = VERB_ARGUMENT | VERB_AFTER_HELO | VERB_OUTSIDE |
		     VERB_SECRET | VERB_IDLE,
	LIGHT_FLAGS = VERB_LIGHT | VERB_IDLE,
};

/* clang-format off */
#define VERB(word, bits, text, check, function) \
	{.name = SLICE_INIT(word), .flags = bits, .syntax = text, \
	 .exists = check, .run = function}

const struct verb verbs[] = {
	VERB("EHLO", LIGHT_FLAGS | VERB_ARGUMENT, "EHLO host", NULL, cmd_ehlo),
	VERB("HELO", LIGHT_FLAGS | VERB_ARGUMENT, "HELO host", NULL, cmd_helo),
	VERB("STARTTLS", TLS_FLAGS, "STARTTLS", cmd_starttls_exists,
	    cmd_starttls),
	VERB("AUTH", AUTH_FLAGS, "AUTH mechanism [initial-response]",
	    cmd_auth_exists, cmd_auth),
	VERB("XCLIENT", VERB_ARGUMENT | VERB_OUTSIDE,
	    "XCLIENT name=value ...", cmd_xclient_exists, cmd_xclient),
	VERB("MAIL", MAIL_FLAGS, "MAIL FROM:<address> [parameters]", NULL,
	    cmd_mail),
	VERB("RCPT", RCPT_FLAGS, "RCPT TO:<address> [parameters]", NULL,
	    cmd_rcpt),
	VERB("DATA", DATA_FLAGS, "DATA", NULL, cmd_data),
	/* BDAT checks for itself: its octets follow in any case. */
	VERB("BDAT", 0, "BDAT size [LAST]", NULL, cmd_bdat),
	VERB("RSET", LIGHT_FLAGS | VERB_NO_ARGUMENT, "RSET", NULL, cmd_rset),
	VERB("NOOP", LIGHT_FLAGS, "NOOP [anything]", NULL, cmd_noop),
	VERB("VRFY", LIGHT_FLAGS | VERB_ARGUMENT, "VRFY address", NULL, cmd_vrfy),
	VERB("EXPN", LIGHT_FLAGS | VERB_ARGUMENT, "EXPN list", NULL, cmd_expn),
	VERB("HELP", LIGHT_FLAGS, "HELP", NULL, cmd_help),
	VERB("QUIT", VERB_NO_ARGUMENT | VERB_LIGHT, "QUIT", NULL, cmd_quit),
	{{0}, 0, NULL, NULL, NULL},
};

/* Not commands, but known: they end the session. */
static const struct verb hostile[] = {
	VERB("PROXY", 0, "", NULL, cmd_proxy),
};
/* clang-format on */

static const struct verb *find(const struct session *session, struct slice name)
{
	for (const struct verb *verb = verbs; verb->name.len; verb++)
		if (slice_eq_nocase(verb->name, name))
			return !verb->exists || verb->exists(session) ? verb
								      : NULL;
	if (slice_eq(hostile[0].name, name))
		return &hostile[0];
	return NULL;
}

static bool lacks_tls(const struct session *session, struct slice argument)
{
	(void)argument;
	return session->listener->tls.required && !session->client.tls;
}

static bool lacks_helo(const struct session *session, struct slice argument)
{
	(void)argument;
	return slice_empty(session->client.helo);
}

static bool lacks_login(const struct session *session, struct slice argument)
{
	(void)argument;
	return session->client.role == ROLE_SUBMISSION &&
	       slice_empty(session->client.authenticated_as);
}

static bool is_inside(const struct session *session, struct slice argument)
{
	(void)argument;
	return session->transaction != NULL;
}

static bool is_outside(const struct session *session, struct slice argument)
{
	(void)argument;
	return !session->transaction;
}

static bool is_in_chunks(const struct session *session, struct slice argument)
{
	(void)argument;
	return session->transaction && session->transaction->chunks;
}

static bool has_argument(const struct session *session, struct slice argument)
{
	(void)session;
	return argument.len > 0;
}

static bool has_none(const struct session *session, struct slice argument)
{
	(void)session;
	return argument.len == 0;
}

/* In this order. */
static const struct condition {
	enum verb_flags flag;
	bool (*is_broken)(const struct session *session, struct slice argument);
	int code;
	const char *enhanced;
	const char *text; /* NULL: the command's syntax */
} conditions[] = {
    {VERB_AFTER_TLS, lacks_tls, 530, "5.7.0", "STARTTLS comes first here"},
    {VERB_AFTER_HELO, lacks_helo, 503, "5.5.1", "EHLO or HELO comes first"},
    {VERB_AFTER_AUTH, lacks_login, 530, "5.7.0", "log in first"},
    {VERB_OUTSIDE, is_inside, 503, "5.5.1", "not inside a mail transaction"},
    {VERB_INSIDE, is_outside, 503, "5.5.1", "MAIL comes first"},
    {VERB_NOT_IN_CHUNKS, is_in_chunks, 503, "5.5.1", "BDAT goes on, or RSET"},
    {VERB_NO_ARGUMENT, has_argument, 501, "5.5.4", NULL},
    {VERB_ARGUMENT, has_none, 501, "5.5.4", NULL},
};

/* The first condition that is not met; NULL: go on. */
static const struct condition *find_broken(const struct session *session,
    const struct verb *verb, struct slice argument)
{
	for (size_t i = 0; i < sizeof(conditions) / sizeof(*conditions); i++)
		if (verb->flags & conditions[i].flag &&
		    conditions[i].is_broken(session, argument))
			return &conditions[i];
	return NULL;
}

/* A client that was refused AUTH may go on with its password all the same: what
 * is no command is not shown, and neither is what follows AUTH, whether there
 * is AUTH for this client or not. */
static struct slice may_be_traced(struct slice line, struct slice name)
{
	for (const struct verb *verb = verbs; verb->name.len; verb++)
		if (slice_eq_nocase(verb->name, name))
			return verb->flags & VERB_SECRET ? name : line;
	return SLICE("(not a command)");
}

/* What is no command is refused without work. */
bool verbs_are_light(struct slice line)
{
	struct slice name = command_split(slice_trim(line)).verb;

	for (const struct verb *verb = verbs; verb->name.len; verb++)
		if (slice_eq_nocase(verb->name, name))
			return verb->flags & VERB_LIGHT;
	return true;
}

void verbs_run(struct session *session, struct slice line)
{
	struct command command = command_split(line);
	const struct verb *verb = find(session, command.verb);
	const struct condition *broken;

	log_trace(LOG_TOPIC_SMTP, "smtp.command",
	    LOG_S("text", may_be_traced(line, command.verb)));
	if (!verb) {
		session_reply(session, 500, "5.5.1", "unknown command");
		session_count_bad(session);
		return;
	}
	broken = find_broken(session, verb, command.argument);
	if (!broken) {
		verb->run(session, command.argument);
		if (verb->flags & VERB_IDLE)
			session_count_idle(session);
		return;
	}
	if (broken->text)
		session_reply(session, broken->code, broken->enhanced, "%s",
		    broken->text);
	else
		session_reply(session, broken->code, broken->enhanced,
		    "syntax: %s", verb->syntax);
	session_count_bad(session);
}
