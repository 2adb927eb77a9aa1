/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/xforward.h"

#include "base/ascii.h"
#include "smtp/capabilities.h"

/* A command line has 512 octets at most, CR LF included (RFC 5321, 4.5.3.1.4);
 * Postfix takes values of 255. */
enum { COMMAND_MAX = 510, VALUE_MAX = 255 };

static bool is_xchar(char c)
{
	return ascii_is_visible(c) && c != '+' && c != '=';
}

struct slice xtext_encode(struct arena *arena, struct slice text)
{
	static const char digits[] = "0123456789ABCDEF";
	struct buf *buf = buf_in_arena(arena, text.len * 3);

	for (size_t i = 0; i < text.len; i++) {
		unsigned char byte = (unsigned char)text.ptr[i];

		if (is_xchar(text.ptr[i])) {
			buf_add_byte(buf, text.ptr[i]);
			continue;
		}
		buf_add_byte(buf, '+');
		buf_add_byte(buf, digits[byte >> 4]);
		buf_add_byte(buf, digits[byte & 15]);
	}
	return buf_slice(buf);
}

/* IPv6 addresses carry the tag of RFC 5321 section 4.1.3. */
static struct slice address_of(
    struct arena *arena, const struct envelope_client *client)
{
	char text[IP_TEXT_MAX];

	if (client->ip.family == IP_NONE)
		return slice_of(NULL, 0);
	return arena_format_slice(arena, "%s%s",
	    client->ip.family == IP_V6 ? "IPv6:" : "",
	    ip_format(&client->ip, text));
}

static struct slice port_of(
    struct arena *arena, const struct envelope_client *client)
{
	if (!client->port)
		return slice_of(NULL, 0);
	return arena_format_slice(arena, "%u", (unsigned int)client->port);
}

static struct slice value_of(struct arena *arena,
    const struct envelope_client *client, struct slice ident,
    unsigned int attribute)
{
	static const struct envelope_client nobody = {
	    .ip = {.family = IP_NONE}};

	/* No mail begins here.  What is LOCAL Postfix completes and rewrites as
	 * its own: a stranger's "Reply-To: director" would name ours. */
	if (attribute == XFORWARD_SOURCE)
		return SLICE("REMOTE");
	if (attribute == XFORWARD_IDENT)
		return ident;
	if (!client)
		client = &nobody;
	switch (attribute) {
	case XFORWARD_NAME: return client->name;
	case XFORWARD_ADDR: return address_of(arena, client);
	case XFORWARD_PORT: return port_of(arena, client);
	case XFORWARD_HELO: return client->helo;
	case XFORWARD_PROTO:
		if (slice_empty(client->helo))
			return slice_of(NULL, 0);
		return client->esmtp ? SLICE("ESMTP") : SLICE("SMTP");
	default: return slice_of(NULL, 0);
	}
}

static const struct {
	unsigned int bit;
	const char *name;
} attributes[] = {
    {XFORWARD_NAME, "NAME"},
    {XFORWARD_ADDR, "ADDR"},
    {XFORWARD_PORT, "PORT"},
    {XFORWARD_PROTO, "PROTO"},
    {XFORWARD_HELO, "HELO"},
    {XFORWARD_IDENT, "IDENT"},
    {XFORWARD_SOURCE, "SOURCE"},
};

size_t xforward_commands(struct arena *arena,
    const struct envelope_client *client, struct slice ident,
    unsigned int offered, struct slice ret[static XFORWARD_COMMANDS_MAX])
{
	const struct slice verb = SLICE("XFORWARD");
	struct slice command = verb;
	size_t count = 0;

	for (size_t i = 0; i < sizeof(attributes) / sizeof(*attributes); i++) {
		struct slice value, pair;

		if (!(offered & attributes[i].bit))
			continue;
		value = xtext_encode(
		    arena, value_of(arena, client, ident, attributes[i].bit));
		if (slice_empty(value) || value.len > VALUE_MAX)
			value = SLICE("[UNAVAILABLE]");
		pair = arena_format_slice(
		    arena, " %s=%.*s", attributes[i].name, SLICE_ARGS(value));
		if (command.len + pair.len > COMMAND_MAX) {
			ret[count++] = command;
			command = verb;
		}
		command = arena_format_slice(
		    arena, "%.*s%.*s", SLICE_ARGS(command), SLICE_ARGS(pair));
	}
	if (command.len > verb.len)
		ret[count++] = command;
	return count;
}
