/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/client_auth.h"

#include <string.h>

#include "base/text.h"

/* RFC 4954 section 4: a longer initial response goes on a line of its own. */
enum { COMMAND_MAX = 510, RESPONSE_MAX = 12288 };

static bool exchange(struct smtp_client *client, struct slice line, bool secret,
    struct smtp_reply *ret, struct err *err)
{
	if (line.len > RESPONSE_MAX)
		return err_set(err, E_LIMIT, "credentials too long");
	smtp_client_forget(client);
	return smtp_client_send(client, line, secret, err) &&
	       smtp_client_receive(
		   client, smtp_client_deadline(client), ret, err);
}

/* RFC 4616: authorization identity NUL user NUL password. */
static struct slice plain_response(
    struct arena *arena, const struct delivery_credentials *credentials)
{
	const struct slice parts[] = {credentials->authorization_id,
	    credentials->user, credentials->password};
	size_t size = 2, at = 0;
	char *text;

	for (size_t i = 0; i < 3; i++)
		size += parts[i].len;
	text = arena_alloc(arena, size);
	for (size_t i = 0; i < 3; i++) {
		if (parts[i].len)
			memcpy(text + at, parts[i].ptr, parts[i].len);
		at += parts[i].len + 1;
	}
	return text_base64_encode(arena, slice_of(text, size));
}

static bool use_plain(struct smtp_client *client, struct arena *arena,
    const struct delivery_credentials *credentials, struct smtp_reply *ret,
    struct err *err)
{
	struct slice response = plain_response(arena, credentials);
	struct slice command = arena_format_slice(
	    arena, "AUTH PLAIN %.*s", SLICE_ARGS(response));

	if (command.len <= COMMAND_MAX)
		return exchange(client, command, true, ret, err);
	if (!exchange(client, SLICE("AUTH PLAIN"), false, ret, err))
		return false;
	return ret->code != 334 || exchange(client, response, true, ret, err);
}

/* Never a standard (draft-murchison-sasl-login), but all that some offer. */
static bool use_login(struct smtp_client *client, struct arena *arena,
    const struct delivery_credentials *credentials, struct smtp_reply *ret,
    struct err *err)
{
	if (!exchange(client, SLICE("AUTH LOGIN"), false, ret, err))
		return false;
	if (ret->code == 334 &&
	    !exchange(client, text_base64_encode(arena, credentials->user),
		true, ret, err))
		return false;
	return ret->code != 334 ||
	       exchange(client,
		   text_base64_encode(arena, credentials->password), true, ret,
		   err);
}

bool client_auth(struct smtp_client *client,
    const struct delivery_credentials *credentials, struct smtp_reply *ret,
    struct err *err)
{
	const struct smtp_capabilities *capabilities = smtp_client_capabilities(
	    client);
	struct arena *arena;
	bool ok;

	if (!smtp_client_is_private(client))
		return err_set(
		    err, E_TEMP, "no login without verified TLS (tls: must)");
	arena = arena_new(0);
	if (capabilities_have(capabilities, CAP_AUTH_PLAIN))
		ok = use_plain(client, arena, credentials, ret, err);
	else if (capabilities_have(capabilities, CAP_AUTH_LOGIN) &&
		 slice_empty(credentials->authorization_id))
		ok = use_login(client, arena, credentials, ret, err);
	else
		ok = err_set(err, E_TEMP, "it offers neither PLAIN nor LOGIN");
	arena_free(arena);
	return ok;
}
