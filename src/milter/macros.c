/* SPDX-License-Identifier: Apache-2.0 */
#include "milter/macros.h"

#include "milter/packet.h"

enum { VALUE_MAX = 1024 };

static const struct slice names[MACRO_COUNT] = {
    [MACRO_QUEUE_ID] = SLICE_INIT("i"),
    [MACRO_CLIENT_RESOLVE] = SLICE_INIT("client_resolve"),
    [MACRO_TLS_VERSION] = SLICE_INIT("tls_version"),
    [MACRO_CIPHER] = SLICE_INIT("cipher"),
    [MACRO_VERIFY] = SLICE_INIT("verify"),
    [MACRO_CERT_SUBJECT] = SLICE_INIT("cert_subject"),
    [MACRO_CN_SUBJECT] = SLICE_INIT("cn_subject"),
    [MACRO_AUTH_AUTHEN] = SLICE_INIT("auth_authen"),
    [MACRO_AUTH_TYPE] = SLICE_INIT("auth_type"),
    [MACRO_MAIL_ADDR] = SLICE_INIT("mail_addr"),
    [MACRO_RCPT_ADDR] = SLICE_INIT("rcpt_addr"),
};

/* The commands in the order of a session; those of one message last. */
static const struct slice order = SLICE_INIT("CHMR");

void macros_init(struct macros *macros)
{
	for (size_t i = 0; i < MACRO_COUNT; i++) {
		buf_init(&macros->values[i], VALUE_MAX);
		macros->commands[i] = 0;
	}
}

void macros_release(struct macros *macros)
{
	for (size_t i = 0; i < MACRO_COUNT; i++)
		buf_release(&macros->values[i]);
}

/* A long name has braces, a name of one letter may have them. */
static size_t find(struct slice name)
{
	size_t i = 0;

	if (name.len > 2 && name.ptr[0] == '{' && name.ptr[name.len - 1] == '}')
		name = slice_sub(name, 1, name.len - 2);
	while (i < MACRO_COUNT && !slice_eq(name, names[i]))
		i++;
	return i;
}

void macros_forget(struct macros *macros, char command)
{
	size_t from = slice_find(order, command);

	for (size_t i = 0; i < MACRO_COUNT; i++)
		if (macros->commands[i] &&
		    slice_find(order, macros->commands[i]) >= from) {
			buf_clear(&macros->values[i]);
			macros->commands[i] = 0;
		}
}

static void keep(
    struct macros *macros, char command, size_t i, struct slice value)
{
	buf_clear(&macros->values[i]);
	macros->commands[i] = command;
	buf_add(&macros->values[i], value);
}

bool macros_take(struct macros *macros, struct slice data, struct err *err)
{
	char command;

	if (data.len == 0)
		return err_set(err, E_SYNTAX, "macros: of no command");
	command = data.ptr[0];
	data = slice_from_pos(data, 1);
	if (slice_find(order, command) < order.len)
		macros_forget(macros, command);
	while (data.len) {
		struct slice name, value;
		size_t i;

		if (!packet_take_text(&data, &name) ||
		    !packet_take_text(&data, &value))
			return err_set(
			    err, E_SYNTAX, "macros: not pairs of texts");
		i = find(name);
		if (i < MACRO_COUNT)
			keep(macros, command, i, value);
	}
	return true;
}

struct slice macros_get(const struct macros *macros, enum macro macro)
{
	if (!macros->commands[macro])
		return (struct slice){NULL, 0};
	return buf_slice(&macros->values[macro]);
}
