/* SPDX-License-Identifier: Apache-2.0 */
#include "milter/mta_address.h"

#include "auth/own_domain.h"
#include "base/ascii.h"
#include "dns/name.h"
#include "message/address.h"

static bool is_route_byte(char c)
{
	return ascii_is_alnum(c) || c == '.' || c == '-' || c == '_' ||
	       c == '@' || c == ',';
}

/* "<@a:b@c>" gives "b@c"; a part of text.  A route in which anything is odd
 * stays: its colon may be part of a comment. */
static struct slice path_of(struct slice text)
{
	size_t colon;

	if (text.len >= 2 && text.ptr[0] == '<' &&
	    text.ptr[text.len - 1] == '>')
		text = slice_sub(text, 1, text.len - 2);
	colon = slice_find(text, ':');
	if (text.len && text.ptr[0] == '@' && colon < text.len &&
	    slice_all(slice_sub(text, 0, colon), is_route_byte))
		text = slice_from_pos(text, colon + 1);
	return text;
}

/* Resolvers may leave the dot that ends a complete name. */
static struct slice resolved_path(struct slice text)
{
	text = path_of(text);
	if (text.len && text.ptr[text.len - 1] == '.')
		text.len--;
	return text;
}

/* All read it alike: one mailbox at one domain. */
static bool is_mailbox(struct arena *arena, struct slice path)
{
	struct mailbox mailbox;

	return path.len && path.ptr[0] != '@' &&
	       address_parse_path(arena, path, true, &mailbox, NULL) &&
	       mailbox.domain.len;
}

/* No more than one domain stands there, wherever that is: what the MTA may
 * take off the end leaves no other. */
static bool names_one_domain(struct slice path)
{
	size_t ats = 0;

	for (size_t i = 0; i < path.len; i++) {
		if (path.ptr[i] == '%' || path.ptr[i] == '!')
			return false;
		ats += path.ptr[i] == '@';
	}
	return ats <= 1;
}

static bool is_ours(
    struct arena *arena, const struct config *config, struct slice path)
{
	const struct own_domain_input input = {
	    .accepted_count = config->accepted_domains.count,
	    .accepted = config->accepted_domains.items,
	    .subdomains = config->accepted_subdomains,
	};
	struct slice name;

	return name_normalize(arena, address_domain(path), &name, NULL) &&
	       own_domain_match(&input, name).len;
}

static bool same_domain(struct slice path, struct slice other)
{
	return slice_eq_nocase(address_domain(path), address_domain(other));
}

struct mta_sender mta_address_sender(struct arena *arena,
    const struct config *config, struct slice given, struct slice resolved)
{
	struct slice path = path_of(given);
	bool sound;

	resolved = arena_slice(arena, resolved_path(resolved));
	sound = path.len ? is_mailbox(arena, path) : !resolved.len;
	/* An address of ours is judged as such, wherever the MTA would send
	 * answers to it. */
	if (sound && (!resolved.len || same_domain(path, resolved) ||
			 is_ours(arena, config, path)))
		return (struct mta_sender){path, NULL};
	if (is_mailbox(arena, resolved) && (sound || names_one_domain(path)))
		return (struct mta_sender){resolved, NULL};
	return (struct mta_sender){
	    resolved.len ? resolved : path,
	    sound ? "the mail server takes the sender for one of its own"
		  : "the sender is no address that all read alike",
	};
}

struct slice mta_address_recipient(
    struct arena *arena, struct slice given, struct slice resolved)
{
	struct slice path = path_of(given);

	resolved = resolved_path(resolved);
	if (!is_mailbox(arena, path) && is_mailbox(arena, resolved))
		return arena_slice(arena, resolved);
	return path;
}
