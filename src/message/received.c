/* SPDX-License-Identifier: Apache-2.0 */
#include "message/received.h"

#include "base/ascii.h"
#include "base/clock.h"

static bool is_name_byte(char c)
{
	return ascii_is_alnum(c) || c == '.' || c == '-' || c == '_' ||
	       c == ':' || c == '[' || c == ']';
}

static bool is_token_byte(char c)
{
	return ascii_is_alnum(c) || c == '.' || c == '-' || c == '_';
}

static bool is_address_byte(char c)
{
	return ascii_is_visible(c) && c != '<' && c != '>' && c != '(' &&
	       c != ')' && c != '\\' && c != '"' && c != ';' && c != ',';
}

/* text with every byte that does not pass as '?'. */
static struct slice tamed(
    struct arena *arena, struct slice text, bool (*passes)(char byte))
{
	char *copy = arena_text(arena, text);

	for (size_t i = 0; i < text.len; i++)
		if (!passes(copy[i]))
			copy[i] = '?';
	return slice_of(copy, text.len);
}

/* The registered "with" keywords (RFC 3848, RFC 6531 section 4.3). */
static const char *protocol(const struct envelope *envelope)
{
	/* [SMTPUTF8][TLS][authenticated] */
	static const char *const words[2][2][2] = {
	    {{"ESMTP", "ESMTPA"}, {"ESMTPS", "ESMTPSA"}},
	    {{"UTF8SMTP", "UTF8SMTPA"}, {"UTF8SMTPS", "UTF8SMTPSA"}},
	};
	const struct envelope_client *client = envelope->client;

	if (!client->esmtp)
		return "SMTP";
	return words[envelope->smtputf8][client->tls]
		    [client->authenticated_as.len > 0];
}

static struct slice client_text(
    struct arena *arena, const struct envelope_client *client)
{
	char ip[IP_TEXT_MAX];
	struct slice helo = tamed(arena, client->helo, is_name_byte);
	struct slice name = tamed(arena, client->name, is_token_byte);

	if (slice_empty(helo))
		helo = SLICE("unknown");
	if (slice_empty(name))
		name = SLICE("unknown");
	return ARENA_JOIN(arena, helo, SLICE(" ("), name, SLICE(" ["),
	    client->ip.family == IP_V6 ? SLICE("IPv6:") : SLICE(""),
	    slice_from(ip_format(&client->ip, ip)), SLICE("])"));
}

static struct slice tls_text(
    struct arena *arena, const struct envelope_client *client)
{
	struct slice version, cipher;

	if (!client->tls)
		return SLICE("");
	version = tamed(arena, client->tls_version, is_token_byte);
	cipher = tamed(arena, client->tls_cipher, is_token_byte);
	return ARENA_JOIN(arena, SLICE("\r\n\t(using "), version,
	    SLICE(" with cipher "), cipher, SLICE(")"));
}

/* Only a single recipient is named: more would show blind copies. */
static struct slice for_text(
    struct arena *arena, const struct envelope *envelope)
{
	struct slice address;

	if (envelope->recipient_count != 1)
		return SLICE("");
	address = envelope->recipients[0].address;
	if (!slice_all(address, is_address_byte))
		return SLICE("");
	return ARENA_JOIN(arena, SLICE("\r\n\tfor <"), address, SLICE(">"));
}

struct slice received_field(
    struct arena *arena, struct slice hostname, const struct envelope *envelope)
{
	struct slice client = client_text(arena, envelope->client);
	struct slice tls = tls_text(arena, envelope->client);
	struct slice recipient = for_text(arena, envelope);
	struct slice date = clock_format_rfc5322(arena, envelope->received_at);

	return ARENA_JOIN(arena, SLICE("Received: from "), client, tls,
	    SLICE("\r\n\tby "), hostname, SLICE(" with "),
	    slice_from(protocol(envelope)), SLICE(" id "), envelope->id,
	    recipient, SLICE(";\r\n\t"), date, SLICE("\r\n"));
}
