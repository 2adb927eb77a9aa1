/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/session_fixture.h"

#include <sys/socket.h>

#include "base/require.h"

void session_fixture_begin(struct session_fixture *fixture)
{
	struct config *config = config_default();

	*fixture = (struct session_fixture){.config = config};
	config->hostname = SLICE("mx.example");
	config->limits = limits_default;
	config->limits.tarpit_delay = 0;
	config->spool_directory = SLICE("/tmp");
	fixture->listener.name = SLICE("mx");
	config->listener_count = 1;
	config->listeners = &fixture->listener;
	config->route_count = 1;
	config->routes = &fixture->route;
	require(
	    ip_network_parse(SLICE("127.0.0.0/8"), &fixture->loopback, NULL));
	fixture->shared.draining = &fixture->draining;
	fixture->shared.rate = rate_new();
	fixture->shared.partly_taken = partly_taken_new();
}

void session_fixture_end(struct session_fixture *fixture)
{
	rate_free(fixture->shared.rate);
	partly_taken_free(fixture->shared.partly_taken);
	config_release(fixture->config);
}

static uint64_t *limit_of(struct limits *limits, struct slice name)
{
	const struct {
		const char *name;
		uint64_t *number;
	} numbers[] = {
	    {"message_size", &limits->message_size},
	    {"header_size", &limits->header_size},
	    {"line_length", &limits->line_length},
	    {"command_length", &limits->command_length},
	    {"next_hop_waiting", &limits->next_hop_waiting},
	    {"content_memory", &limits->content_memory},
	    {"spool_memory", &limits->spool_memory},
	    {"recipients", &limits->recipients},
	    {"refused_recipients", &limits->refused_recipients},
	    {"bad_commands", &limits->bad_commands},
	    {"transactions", &limits->transactions},
	    {"message_rate", &limits->message_rate},
	    {"command_timeout", &limits->command_timeout},
	    {"data_timeout", &limits->data_timeout},
	    {"data_rate", &limits->data_rate},
	    {"session_timeout", &limits->session_timeout},
	    {"tarpit_delay", &limits->tarpit_delay},
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		if (slice_eq(slice_from(numbers[i].name), name))
			return numbers[i].number;
	return NULL;
}

static bool set_role(struct conf_listener *listener, struct slice value)
{
	if (slice_eq(value, SLICE("submission")))
		listener->role = ROLE_SUBMISSION;
	else if (slice_eq(value, SLICE("relay")))
		listener->role = ROLE_RELAY;
	else
		return false;
	return true;
}

static void add_connector(struct session_fixture *fixture)
{
	fixture->connector.treat_as = TREAT_AS_INTERNAL;
	fixture->config->connector_count = 1;
	fixture->config->connectors = &fixture->connector;
}

static void accept_domain(struct session_fixture *fixture, struct slice domain)
{
	fixture->accepted = domain;
	fixture->config->accepted_domains = (struct conf_text_list){
	    1, &fixture->accepted};
}

bool session_fixture_set(struct session_fixture *fixture, struct slice name,
    struct slice value, uint64_t min, uint64_t max)
{
	struct conf_network_list networks = {1, &fixture->loopback};
	struct conf_listener *listener = &fixture->listener;
	uint64_t *limit = limit_of(&fixture->config->limits, name);
	uint64_t number;

	if (limit) {
		if (!slice_to_u64(value, max, &number) || number < min)
			return false;
		*limit = number;
		return true;
	}
	if (slice_eq(name, SLICE("role")))
		return set_role(listener, value);
	if (slice_eq(name, SLICE("internal")))
		add_connector(fixture);
	else if (slice_eq(name, SLICE("accepted")))
		accept_domain(fixture, value);
	else if (slice_eq(name, SLICE("tls_required")))
		listener->tls.required = true;
	else if (slice_eq(name, SLICE("xclient")))
		listener->xclient = networks;
	else if (slice_eq(name, SLICE("proxy_protocol")))
		listener->proxy_protocol = networks;
	else
		return false;
	return true;
}

struct session *session_fixture_open(
    struct session_fixture *fixture, int *ret_peer)
{
	struct session_settings settings = {
	    .shared = &fixture->shared, .port = 4000};
	struct gate_context gate = {.config = fixture->config};
	int pair[2];

	gate.clock = (struct clock){true, 1800000000};
	require(smtp_snapshot_new(&gate, &settings.snapshot, NULL));
	require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
	settings.stream = stream_new(pair[0]);
	require(ip_parse(SLICE("127.0.0.1"), &settings.peer));
	*ret_peer = pair[1];
	return session_new(&settings);
}
