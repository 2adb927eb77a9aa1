/* SPDX-License-Identifier: Apache-2.0 */
/* AUTH PLAIN and LOGIN (RFC 4954, RFC 4616): nothing is known about users
 * here; the next hop is asked with the client's own credentials, and that
 * connection then carries the session's messages.
 */
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "conf/next_hop.h"
#include "smtp/session_private.h"

/* Against guessing; each failed try is also held back by tarpit_delay. */
enum { FAILED_LOGINS_MAX = 3 };

bool cmd_auth_exists(const struct session *session)
{
	return session->client.role == ROLE_SUBMISSION && session->client.tls;
}

static void forget_bytes(struct slice text)
{
	if (text.len)
		explicit_bzero((char *)(uintptr_t)text.ptr, text.len);
}

static bool is_nul(char c)
{
	return c == '\0';
}

static bool has_nul(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (is_nul(text.ptr[i]))
			return true;
	return false;
}

static void count_failure(struct session *session)
{
	char ip[IP_TEXT_MAX];

	log_info("smtp.login_failed",
	    LOG_T("client_ip", ip_format(&session->client.ip, ip)),
	    LOG_S("listener", session->client.listener));
	rate_login_failed(session->shared->rate, &session->client.ip);
	if (++session->failed_logins >= FAILED_LOGINS_MAX)
		session_reply(session, 421, "4.7.0", "too many failed logins");
}

/* Three tries a connection are many with many connections. */
static bool refuse_guessing(struct session *session)
{
	const char *setting = rate_login(
	    session->shared->rate, &session->client.ip, session->limits);

	if (!setting)
		return false;
	session_reply(session, 454, "4.7.0",
	    "too many failed logins from your network (%s)", setting);
	session_count_bad(session);
	return true;
}

static void log_in(struct session *session, struct arena *arena,
    const char *mechanism, const struct delivery_credentials *credentials)
{
	const struct conf_route *route = next_hop_for_logins(session->config);
	struct smtp_reply_text reply;

	if (slice_empty(credentials->user) || has_nul(credentials->user) ||
	    has_nul(credentials->password) ||
	    has_nul(credentials->authorization_id)) {
		session_reply(session, 501, "5.5.2", "malformed credentials");
		return;
	}
	if (!route) {
		session_reply(session, 454, "4.7.0", "nobody to ask");
		session_count_bad(session);
		return;
	}
	if (refuse_guessing(session))
		return;
	reply = delivery_session_authenticate(
	    session_delivery(session), arena, route, credentials);
	session_reply_text(session, &reply);
	if (reply.code == 235) {
		session->client.authenticated_as = arena_slice(
		    session->arena, credentials->user);
		session->client.auth_mechanism = slice_from(mechanism);
	} else if (reply.code >= 500) {
		count_failure(session);
	} else {
		/* Nobody was guessing, but asking again costs a connection. */
		session_count_bad(session);
	}
}

/* "*" cancels; "=" is the empty response.  False: the client was told. */
static bool decode(struct session *session, struct arena *arena,
    struct slice text, struct slice *ret)
{
	if (slice_eq(text, SLICE("*"))) {
		session_reply(session, 501, "5.7.0", "login cancelled");
		return false;
	}
	if (slice_eq(text, SLICE("=")))
		text.len = 0;
	if (text_base64_decode(arena, text, ret))
		return true;
	session_reply(session, 501, "5.5.2", "that is not base64");
	session_count_bad(session);
	return false;
}

static void log_in_plain(struct session *session, struct slice line)
{
	struct arena *arena = arena_new(0);
	struct delivery_credentials credentials = {0};
	struct slice message = SLICE(""), rest = SLICE("");

	session->continuation = NULL;
	if (decode(session, arena, line, &message)) {
		/* [authzid] NUL authcid NUL password */
		slice_split(
		    message, '\0', &credentials.authorization_id, &rest);
		slice_split(
		    rest, '\0', &credentials.user, &credentials.password);
		log_in(session, arena, "PLAIN", &credentials);
	}
	forget_bytes(message);
	arena_free(arena);
}

static void take_login_password(struct session *session, struct slice line)
{
	struct arena *arena = arena_new(0);
	struct delivery_credentials credentials = {.user = session->auth_user};

	session->continuation = NULL;
	if (decode(session, arena, line, &credentials.password))
		log_in(session, arena, "LOGIN", &credentials);
	forget_bytes(credentials.password);
	arena_free(arena);
}

static void take_login_user(struct session *session, struct slice line)
{
	struct slice user;

	session->continuation = NULL;
	if (!decode(session, session->arena, line, &user))
		return;
	session->auth_user = user;
	session->continuation = take_login_password;
	session_reply(session, 334, NULL, "UGFzc3dvcmQ6");
}

void cmd_auth(struct session *session, struct slice argument)
{
	struct slice mechanism, initial;
	bool has_initial = slice_split(argument, ' ', &mechanism, &initial);

	initial = slice_trim(initial);
	if (session->client.authenticated_as.len) {
		session_reply(session, 503, "5.5.1", "logged in already");
	} else if (slice_eq_nocase(mechanism, SLICE("PLAIN"))) {
		if (has_initial) {
			log_in_plain(session, initial);
			return;
		}
		session->continuation = log_in_plain;
		session_reply(session, 334, NULL, "%s", "");
	} else if (slice_eq_nocase(mechanism, SLICE("LOGIN"))) {
		if (has_initial) {
			take_login_user(session, initial);
			return;
		}
		session->continuation = take_login_user;
		session_reply(session, 334, NULL, "VXNlcm5hbWU6");
	} else {
		session_reply(
		    session, 504, "5.5.4", "mechanisms are PLAIN and LOGIN");
	}
}
