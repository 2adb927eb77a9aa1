/* SPDX-License-Identifier: Apache-2.0 */
/* XCLIENT: a trusted proxy says who its client is (Postfix's extension). */
#include "base/ascii.h"
#include "base/log.h"
#include "base/log_client.h"
#include "smtp/session_private.h"
#include "smtp/transaction.h"

bool cmd_xclient_exists(const struct session *session)
{
	return session_in_networks(&session->listener->xclient, &session->peer);
}

/* Not known: there is none, or it could not be looked up now. */
static const struct slice unavailable = SLICE_INIT("[UNAVAILABLE]");
static const struct slice temporarily = SLICE_INIT("[TEMPUNAVAIL]");

static struct slice known(struct slice value)
{
	if (slice_eq_nocase(value, unavailable) ||
	    slice_eq_nocase(value, temporarily))
		return SLICE("");
	return value;
}

static bool take_name(struct session *session, struct slice value)
{
	session->client.name = known(value);
	session->client.name_unknown = slice_eq_nocase(value, temporarily);
	session->name_looked_up = true;
	return true;
}

static bool take_address(struct session *session, struct slice value)
{
	struct ip ip = {0};

	value = known(value);
	if (slice_starts_nocase(value, SLICE("IPV6:")))
		value = slice_from_pos(value, 5);
	if (value.len && !ip_parse(value, &ip))
		return false;
	session->client.ip = ip;
	return true;
}

static bool take_port(struct session *session, struct slice value)
{
	uint64_t port = 0;

	value = known(value);
	if (value.len && !slice_to_u64(value, UINT16_MAX, &port))
		return false;
	session->client.port = (uint16_t)port;
	return true;
}

static bool take_protocol(struct session *session, struct slice value)
{
	session->client.esmtp = slice_eq_nocase(value, SLICE("ESMTP"));
	return true;
}

static bool take_helo(struct session *session, struct slice value)
{
	value = known(value);
	if (value.len && !command_helo_is_sane(value))
		return false;
	buf_clear(&session->helo);
	buf_add(&session->helo, value);
	session->client.helo = buf_slice(&session->helo);
	return true;
}

static bool take_login(struct session *session, struct slice value)
{
	value = known(value);
	session->client.authenticated_as = value;
	session->client.auth_mechanism = value.len ? SLICE("XCLIENT")
						   : SLICE("");
	return true;
}

static bool ignore(struct session *session, struct slice value)
{
	(void)session;
	(void)value;
	return true;
}

static const struct attribute {
	struct slice name;
	bool (*take)(struct session *session, struct slice value);
} attributes[] = {
    {SLICE_INIT("NAME"), take_name},
    {SLICE_INIT("ADDR"), take_address},
    {SLICE_INIT("PORT"), take_port},
    {SLICE_INIT("PROTO"), take_protocol},
    {SLICE_INIT("HELO"), take_helo},
    {SLICE_INIT("LOGIN"), take_login},
    {SLICE_INIT("DESTADDR"), ignore},
    {SLICE_INIT("DESTPORT"), ignore},
};

static bool take_attribute(struct session *session, struct slice word)
{
	struct slice name, encoded, value;

	if (!slice_split(word, '=', &name, &encoded) ||
	    !command_decode_xtext(session->arena, encoded, &value) ||
	    !slice_all(value, ascii_is_visible))
		return false;
	for (size_t i = 0; i < sizeof(attributes) / sizeof(*attributes); i++)
		if (slice_eq_nocase(attributes[i].name, name))
			return attributes[i].take(session, value);
	return false;
}

/* The session starts again with its greeting.  The proxy's own connection
 * keeps its TLS; the client's is not known. */
void cmd_xclient(struct session *session, struct slice argument)
{
	session_forget_client(session);
	session->client.tls_name_count = 0;
	session->client.name = SLICE("");
	session->client.name_unknown = session->name_looked_up = false;
	while (argument.len) {
		struct slice word;

		slice_split(argument, ' ', &word, &argument);
		if (word.len && !take_attribute(session, word)) {
			session_reply(session, 501, "5.5.4",
			    "wrong attribute: %.*s", SLICE_ARGS(word));
			session_dismiss(session, "wrong XCLIENT");
			return;
		}
	}
	log_client_begin(&session->client.ip, session->client.port);
	session_greet(session);
}
