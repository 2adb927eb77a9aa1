/* SPDX-License-Identifier: Apache-2.0 */
/* HELO, EHLO and STARTTLS. */
#include "base/metrics.h"
#include "smtp/session_private.h"
#include "smtp/transaction.h"

/* RFC 5321, 4.1.4: EHLO also resets the transaction. */
static bool take_name(struct session *session, struct slice argument)
{
	if (!command_helo_is_sane(argument)) {
		session_reply(session, 501, "5.5.4",
		    "that is neither a name nor an address literal");
		session_count_bad(session);
		return false;
	}
	transaction_drop(session);
	session->bdat_failed = false;
	buf_clear(&session->helo);
	buf_add(&session->helo, argument);
	session->client.helo = buf_slice(&session->helo);
	return true;
}

void cmd_helo(struct session *session, struct slice argument)
{
	if (!take_name(session, argument))
		return;
	session->client.esmtp = false;
	session_reply(
	    session, 250, NULL, "%.*s", SLICE_ARGS(session->config->hostname));
}

bool cmd_starttls_exists(const struct session *session)
{
	return session->snapshot->tls[session->listener_index] &&
	       !session->client.tls;
}

/* The lines that depend on the client or the configuration. */
static void add_conditional(struct session *session, struct buf *text)
{
	if (cmd_starttls_exists(session))
		buf_add_text(text, "250-STARTTLS\r\n");
	if (cmd_auth_exists(session))
		buf_add_text(text, "250-AUTH PLAIN LOGIN\r\n");
	if (cmd_xclient_exists(session))
		buf_add_text(
		    text, "250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN\r\n");
	/* RFC 9422 */
	buf_add_format(text, "250-LIMITS MAILMAX=%llu RCPTMAX=%llu%s\r\n",
	    (unsigned long long)session->limits->transactions,
	    (unsigned long long)session->limits->recipients,
	    session->snapshot->one_domain ? " RCPTDOMAINMAX=1" : "");
}

void cmd_ehlo(struct session *session, struct slice argument)
{
	struct buf text;

	if (!take_name(session, argument))
		return;
	session->client.esmtp = true;
	buf_init(&text, 4096);
	buf_add_format(&text,
	    "250-%.*s\r\n250-PIPELINING\r\n250-SIZE %llu\r\n"
	    "250-8BITMIME\r\n250-SMTPUTF8\r\n250-ENHANCEDSTATUSCODES\r\n"
	    "250-CHUNKING\r\n250-DSN\r\n250-PRDR\r\n",
	    SLICE_ARGS(session->config->hostname),
	    (unsigned long long)session->limits->message_size);
	add_conditional(session, &text);
	buf_add_text(&text, "250 HELP\r\n");
	session_send(session, buf_slice(&text));
	metrics_count_reply(METRIC_SMTP_REPLIES, 250);
	buf_release(&text);
}

void cmd_starttls(struct session *session, struct slice argument)
{
	(void)argument;
	session_reply(session, 220, "2.0.0", "go ahead");
	/* Whatever was sent behind STARTTLS in the clear is thrown away with
	 * the buffer: it could be anybody's. */
	session_start_tls(session);
}
