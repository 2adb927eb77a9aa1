/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/next_hop.h"

#include <string.h>

#include "base/ascii.h"
#include "conf/domain.h"
#include "conf/problems.h"

static const struct slice smtp_word = SLICE_INIT("smtp:");
static const struct slice lmtp_word = SLICE_INIT("lmtp:");
static const struct slice maildir_word = SLICE_INIT("maildir:");
static const struct slice unix_word = SLICE_INIT("unix:");

enum { SMTP_PORT = 25 };

static bool parse_port(
    struct arena *arena, struct slice text, uint16_t *ret, struct err *err)
{
	uint64_t port;

	if (!slice_to_u64(text, UINT16_MAX, &port) || port == 0)
		return err_set(err, E_SYNTAX, "the port %s is not 1 to 65535",
		    problems_quote(arena, text));
	*ret = (uint16_t)port;
	return true;
}

/* A name or an address; *ret_is_ip says which. */
static bool parse_host(struct arena *arena, struct slice text,
    struct slice *ret, bool *ret_is_ip, struct err *err)
{
	struct ip ip;

	*ret_is_ip = ip_parse(text, &ip);
	if (*ret_is_ip) {
		*ret = arena_slice(arena, text);
		return true;
	}
	return domain_normalize(arena, text, DOMAIN_UNDERSCORE, ret, err);
}

/* Splits "HOST", "HOST:PORT", "[HOST]" and "[HOST]:PORT". */
static bool split_target(struct arena *arena, struct slice text,
    struct slice *ret_host, struct slice *ret_port, bool *ret_brackets,
    struct err *err)
{
	bool has_port = false;

	*ret_brackets = slice_starts(text, SLICE("["));
	if (!*ret_brackets) {
		has_port = slice_split(text, ':', ret_host, ret_port);
	} else {
		struct slice rest;

		if (!slice_split(slice_from_pos(text, 1), ']', ret_host, &rest))
			return err_set(err, E_SYNTAX, "%s has no \"]\"",
			    problems_quote(arena, text));
		has_port = slice_starts(rest, SLICE(":"));
		if (rest.len && !has_port)
			return err_set(err, E_SYNTAX,
			    "%s has more after \"]\" than a port",
			    problems_quote(arena, text));
		*ret_port = slice_from_pos(rest, 1);
	}
	if (slice_find(*ret_port, ':') < ret_port->len)
		return err_set(err, E_SYNTAX,
		    "%s: write an IPv6 address in brackets",
		    problems_quote(arena, text));
	if (has_port && !ret_port->len)
		return err_set(err, E_SYNTAX, "%s has no port after \":\"",
		    problems_quote(arena, text));
	return true;
}

static bool parse_target(struct arena *arena, enum conf_next_hop_kind kind,
    struct slice text, struct conf_target *ret, struct err *err)
{
	struct conf_target target = {.port = SMTP_PORT};
	struct slice host, port = {NULL, 0};
	bool brackets, is_ip;

	if (kind == NEXT_HOP_LMTP && slice_starts(text, unix_word)) {
		struct slice path = slice_from_pos(text, unix_word.len);

		if (!slice_starts(path, SLICE("/")))
			return err_set(err, E_SYNTAX,
			    "%s: write unix: with an absolute path",
			    problems_quote(arena, text));
		target.host = arena_slice(arena, text);
		target.port = 0;
		*ret = target;
		return true;
	}
	if (!split_target(arena, text, &host, &port, &brackets, err) ||
	    !parse_host(arena, host, &target.host, &is_ip, err) ||
	    (port.len && !parse_port(arena, port, &target.port, err)))
		return false;
	/* RFC 2033 section 5: never on the port of SMTP. */
	if (kind == NEXT_HOP_LMTP && (!port.len || target.port == SMTP_PORT))
		return err_set(err, E_SYNTAX,
		    "%s: LMTP needs a port, and not 25; write lmtp:HOST:24",
		    problems_quote(arena, text));
	target.lookup_mx = !brackets && !is_ip && !port.len;
	*ret = target;
	return true;
}

static bool is_separator(char c)
{
	return c == ',' || ascii_is_wsp(c);
}

/* The next item of a list; false at its end. */
static bool next_item(struct slice *rest, struct slice *ret)
{
	size_t start = 0, end;

	while (start < rest->len && is_separator(rest->ptr[start]))
		start++;
	end = start;
	while (end < rest->len && !is_separator(rest->ptr[end]))
		end++;
	*ret = slice_sub(*rest, start, end - start);
	*rest = slice_from_pos(*rest, end);
	return ret->len > 0;
}

static bool parse_targets(struct arena *arena, struct slice word,
    struct slice text, struct conf_route *route, struct err *err)
{
	struct slice item, rest = slice_from_pos(text, word.len);

	route->targets = ARENA_ARRAY(
	    arena, NEXT_HOP_TARGETS_MAX, struct conf_target);
	while (next_item(&rest, &item)) {
		if (slice_starts(item, word))
			item = slice_from_pos(item, word.len);
		if (route->target_count == NEXT_HOP_TARGETS_MAX)
			return err_set(err, E_LIMIT, "more than %d targets",
			    NEXT_HOP_TARGETS_MAX);
		if (!parse_target(arena, route->kind, item,
			&route->targets[route->target_count++], err))
			return false;
	}
	if (!route->target_count)
		return err_set(err, E_SYNTAX, "%s names no host",
		    problems_quote(arena, text));
	return true;
}

/* %d and %l are all that a path may ask for. */
static bool is_maildir_path(struct slice path)
{
	for (size_t i = 0; i < path.len; i++) {
		if (ascii_is_control(path.ptr[i]))
			return false;
		if (path.ptr[i] != '%')
			continue;
		if (++i == path.len ||
		    (path.ptr[i] != 'd' && path.ptr[i] != 'l'))
			return false;
	}
	return path.len > 0;
}

static bool parse_maildir(struct arena *arena, struct slice folder,
    struct slice text, struct conf_route *route, struct err *err)
{
	struct slice path = slice_from_pos(text, maildir_word.len);

	if (path.len && path.ptr[0] != '/')
		path = arena_format_slice(
		    arena, "%.*s/%.*s", SLICE_ARGS(folder), SLICE_ARGS(path));
	if (!is_maildir_path(path))
		return err_set(err, E_SYNTAX,
		    "%s is not a Maildir; write maildir:/path, with %%d for "
		    "the domain and %%l for the local part",
		    problems_quote(arena, text));
	route->kind = NEXT_HOP_MAILDIR;
	route->maildir = arena_slice(arena, path);
	route->text = arena_format_slice(
	    arena, "maildir:%.*s", SLICE_ARGS(path));
	return true;
}

static bool parse_kind(struct arena *arena, struct slice folder,
    struct slice text, struct conf_route *route, struct err *err)
{
	if (slice_eq(text, SLICE("mx"))) {
		route->kind = NEXT_HOP_MX;
		return true;
	}
	if (slice_starts(text, maildir_word))
		return parse_maildir(arena, folder, text, route, err);
	if (slice_starts(text, smtp_word)) {
		route->kind = NEXT_HOP_SMTP;
		return parse_targets(arena, smtp_word, text, route, err);
	}
	if (slice_starts(text, lmtp_word)) {
		route->kind = NEXT_HOP_LMTP;
		return parse_targets(arena, lmtp_word, text, route, err);
	}
	return err_set(err, E_SYNTAX,
	    "%s is not a next hop; write smtp:HOST, smtp:[HOST]:PORT, "
	    "lmtp:HOST:PORT, lmtp:unix:/path, maildir:/path or mx",
	    problems_quote(arena, text));
}

bool next_hop_parse(struct arena *arena, struct slice folder, struct slice text,
    struct conf_route *route, struct err *err)
{
	struct conf_route parsed = *route;

	parsed.text = arena_slice(arena, text);
	parsed.targets = NULL;
	parsed.target_count = 0;
	parsed.maildir = SLICE("");
	if (!parse_kind(arena, folder, text, &parsed, err))
		return false;
	*route = parsed;
	return true;
}

const struct conf_route *next_hop_for_logins(const struct config *config)
{
	for (size_t i = 0; i < config->route_count; i++)
		for (size_t j = 0; j < config->routes[i].domains.count; j++)
			if (slice_eq(
				config->routes[i].domains.items[j], SLICE("*")))
				return &config->routes[i];
	return config->route_count ? &config->routes[0] : NULL;
}
