/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/capabilities.h"

struct word {
	struct slice name;
	unsigned int bit;
};

static const struct word keywords[] = {
    {SLICE_INIT("PIPELINING"), CAP_PIPELINING},
    {SLICE_INIT("8BITMIME"), CAP_8BITMIME},
    {SLICE_INIT("SMTPUTF8"), CAP_SMTPUTF8},
    {SLICE_INIT("SIZE"), CAP_SIZE},
    {SLICE_INIT("DSN"), CAP_DSN},
    {SLICE_INIT("STARTTLS"), CAP_STARTTLS},
    {SLICE_INIT("XFORWARD"), CAP_XFORWARD},
    {SLICE_INIT("AUTH"), CAP_AUTH},
    {{NULL, 0}, 0},
};

static const struct word mechanisms[] = {
    {SLICE_INIT("PLAIN"), CAP_AUTH_PLAIN},
    {SLICE_INIT("LOGIN"), CAP_AUTH_LOGIN},
    {{NULL, 0}, 0},
};

static const struct word attributes[] = {
    {SLICE_INIT("NAME"), XFORWARD_NAME},
    {SLICE_INIT("ADDR"), XFORWARD_ADDR},
    {SLICE_INIT("PORT"), XFORWARD_PORT},
    {SLICE_INIT("PROTO"), XFORWARD_PROTO},
    {SLICE_INIT("HELO"), XFORWARD_HELO},
    {SLICE_INIT("IDENT"), XFORWARD_IDENT},
    {SLICE_INIT("SOURCE"), XFORWARD_SOURCE},
    {{NULL, 0}, 0},
};

static unsigned int bit_of(const struct word *words, struct slice name)
{
	for (; words->bit; words++)
		if (slice_eq_nocase(words->name, name))
			return words->bit;
	return 0;
}

static unsigned int bits_of(const struct word *words, struct slice list)
{
	unsigned int bits = 0;
	struct slice name;

	while (list.len) {
		slice_split(list, ' ', &name, &list);
		bits |= bit_of(words, name);
	}
	return bits;
}

static void parse_line(
    struct smtp_capabilities *capabilities, struct slice line)
{
	struct slice keyword, rest;
	unsigned int bit;

	slice_split(line, ' ', &keyword, &rest);
	bit = bit_of(keywords, keyword);
	capabilities->offered |= bit;
	if (bit == CAP_AUTH)
		capabilities->offered |= bits_of(mechanisms, rest);
	else if (bit == CAP_XFORWARD)
		capabilities->xforward |= bits_of(attributes, rest);
	else if (bit == CAP_SIZE)
		slice_to_u64(
		    slice_trim(rest), INT64_MAX, &capabilities->size_max);
}

struct smtp_capabilities capabilities_parse(const struct smtp_reply *reply)
{
	struct smtp_capabilities capabilities = {0};

	/* The first line is the peer's name. */
	for (size_t i = 1; i < reply->line_count; i++)
		parse_line(&capabilities, reply->lines[i]);
	return capabilities;
}
