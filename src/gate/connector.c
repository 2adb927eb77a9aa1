/* SPDX-License-Identifier: Apache-2.0 */
/* Which trusted source a client is (Exchange: inbound connector). */
#include "base/log.h"
#include "dns/name.h"
#include "gate/gate_private.h"

static bool in_networks(
    const struct conf_network_list *networks, const struct ip *ip)
{
	for (size_t i = 0; i < networks->count; i++)
		if (ip_network_contains(&networks->items[i], ip))
			return true;
	return false;
}

/* "*.x.example" stands for one label, as in RFC 6125 section 6.4.3. */
static bool tls_name_matches(struct slice pattern, struct slice name)
{
	if (!slice_starts(pattern, SLICE("*.")))
		return slice_eq_nocase(pattern, name);
	return slice_find(name, '.') > 0 &&
	       slice_eq_nocase(name_parent(name), slice_from_pos(pattern, 2));
}

static bool has_tls_name(
    const struct conf_text_list *patterns, const struct envelope_client *client)
{
	for (size_t i = 0; i < patterns->count; i++)
		for (size_t j = 0; j < client->tls_name_count; j++)
			if (tls_name_matches(
				patterns->items[i], client->tls_names[j]))
				return true;
	return false;
}

static bool lists(const struct conf_text_list *list, struct slice text)
{
	for (size_t i = 0; i < list->count; i++)
		if (slice_eq(list->items[i], text))
			return true;
	return false;
}

/* Every kind of evidence that the connector names must be there: an address
 * of a shared cloud alone proves little. */
static bool matches(const struct conf_connector *connector,
    const struct envelope_client *client)
{
	if (connector->networks.count == 0 && connector->tls_names.count == 0)
		return false;
	if (connector->listeners.count &&
	    !lists(&connector->listeners, client->listener))
		return false;
	if (connector->require_tls && !client->tls)
		return false;
	if (connector->networks.count &&
	    !in_networks(&connector->networks, &client->ip))
		return false;
	return connector->tls_names.count == 0 ||
	       has_tls_name(&connector->tls_names, client);
}

/* The first that matches and has not expired, or NULL; in *ret_expired the
 * first that had, or NULL. */
static const struct conf_connector *find(const struct gate_context *context,
    const struct envelope_client *client,
    const struct conf_connector **ret_expired)
{
	const struct config *config = context->config;
	int64_t now = clock_now(&context->clock);

	*ret_expired = NULL;
	for (size_t i = 0; i < config->connector_count; i++) {
		const struct conf_connector *connector = &config->connectors[i];

		if (!matches(connector, client))
			continue;
		if (!connector->expires || now <= connector->expires)
			return connector;
		if (!*ret_expired)
			*ret_expired = connector;
	}
	return NULL;
}

static bool is_internal(const struct conf_connector *connector,
    const struct envelope_client *client)
{
	return client->authenticated_as.len > 0 ||
	       (connector && connector->treat_as == TREAT_AS_INTERNAL);
}

void connector_attribute(struct gate_message *message)
{
	const struct envelope_client *client = message->envelope->client;

	message->connector = find(message->context, client, &message->expired);
	message->internal = is_internal(message->connector, client);
}

bool gate_client_is_internal(
    const struct gate_context *context, const struct envelope_client *client)
{
	const struct conf_connector *expired;

	return is_internal(find(context, client, &expired), client);
}

bool connector_may_send_as(
    const struct gate_message *message, struct slice domain)
{
	const struct conf_text_list *list;

	if (!message->connector)
		return false;
	list = &message->connector->may_send_as;
	for (size_t i = 0; i < list->count; i++)
		if (name_is_at_or_below(domain, list->items[i]))
			return true;
	return false;
}

void gate_warn_of_expiry(const struct gate_context *context)
{
	const struct config *config = context->config;
	int64_t now = clock_now(&context->clock);
	struct arena *arena = arena_new(0);

	for (size_t i = 0; i < config->connector_count; i++) {
		const struct conf_connector *connector = &config->connectors[i];

		if (!connector->expires ||
		    connector->expires - now > GATE_EXPIRY_WARNING_S)
			continue;
		log_warning("connector.expiry",
		    LOG_S("connector", connector->name),
		    LOG_T("state",
			now > connector->expires ? "expired" : "expires"),
		    LOG_S(
			"at", clock_format_rfc3339(arena, connector->expires)),
		    LOG_S("owner", connector->owner),
		    LOG_S("reason", connector->reason));
	}
	arena_free(arena);
}
