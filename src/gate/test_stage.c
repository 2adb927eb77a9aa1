/* SPDX-License-Identifier: Apache-2.0 */
#include "gate/test_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/io.h"
#include "dns/dns_test.h"

static const char zone[] =
    "$TTL 300\n"
    "shop.example. TXT \"v=spf1 ip4:192.0.2.10 -all\"\n"
    "_dmarc.shop.example. TXT \"v=DMARC1; p=reject\"\n"
    "bank.example. TXT \"v=spf1 -all\"\n"
    "_dmarc.bank.example. TXT \"v=DMARC1; p=reject\"\n"
    "_dmarc.quarantine.example. TXT \"v=DMARC1; p=quarantine\"\n"
    "_dmarc.monitor.example. TXT \"v=DMARC1; p=none\"\n"
    "_dmarc.trial.example. TXT \"v=DMARC1; p=reject; t=y\"\n"
    "_dmarc.trialq.example. TXT \"v=DMARC1; p=quarantine; t=y\"\n"
    "host.example. TXT \"v=spf1 ip4:192.0.2.66 -all\"\n"
    "agency.example. TXT \"v=spf1 ip4:192.0.2.99 -all\"\n"
    "_dmarc.strict.agency.example. TXT \"v=DMARC1; p=reject\"\n"
    "down.example. A 192.0.2.1\n";

static const char base_config[] =
    "hostname: mx1.agency.example\n"
    "organization: {accepted_domains: [agency.example]}\n"
    "listeners: [{name: mx, address: '127.0.0.1:2525', role: mx},\n"
    "  {name: relay, address: '127.0.0.1:2526', role: relay}]\n"
    "routes:\n"
    "  - {domains: [agency.example], next_hop: 'maildir:/tmp/none'}\n"
    "  - {domains: ['*'], next_hop: mx}\n"
    "connectors:\n"
    "  - {name: Scanner, addresses: [192.0.2.77], owner: facilities,\n"
    "     may_send_as: [agency.example], reason: MFD,\n"
    "     expires: 2027-01-31}\n"
    "  - {name: Exchange, networks: [192.0.2.128/28],\n"
    "     tls_names: ['*.protection.example'], treat_as: internal}\n"
    "  - {name: Cloud, networks: [192.0.2.160/28], require_tls: true,\n"
    "     listeners: [relay], treat_as: internal}\n"
    "dns: {trust_anchor: ''}\n";

/* The base with the top-level keys of more in place of its own. */
static struct slice merged(struct arena *arena, const char *more)
{
	struct buf *out = buf_in_arena(arena, 65536);
	struct slice rest = slice_from(base_config), line;
	bool skipping = false;

	while (slice_split(rest, '\n', &line, &rest)) {
		size_t colon = slice_find(line, ':');
		const char *own = arena_text(
		    arena, slice_sub(line, 0, colon + 1));

		if (line.ptr[0] != ' ')
			skipping = more && !strncmp(own, more, strlen(own));
		if (!skipping) {
			buf_add(out, line);
			buf_add_byte(out, '\n');
		}
	}
	buf_add_text(out, more ? more : "");
	return buf_slice(out);
}

struct config *stage_config(struct arena *arena, const char *more)
{
	char path[] = "/tmp/gatehouse-test-gate-XXXXXX";
	struct config *config = NULL;
	struct err err = {0};
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_true(
	    io_write_all(fd, merged(arena, more), DEADLINE_NEVER, NULL));
	close(fd);
	if (!config_load(arena, path, &config, NULL, &err))
		fail_msg("%s", err.text);
	unlink(path);
	return config;
}

static struct dns_resolver *open_zone(void)
{
	static const struct dns_failure failures[] = {
	    {.name = SLICE_INIT("_dmarc.down.example"), .any_type = true},
	};

	return dns_test_open(slice_from(zone), 1, failures);
}

void stage_set(struct stage *stage, const struct stage_input *input)
{
	const char *now = input->now ? input->now : "2027-01-31T23:59:59Z";
	struct envelope_recipient recipient = {
	    .address = SLICE("user@agency.example")};

	*stage = (struct stage){.arena = arena_new(0)};
	stage->context.config = stage_config(stage->arena, input->config);
	stage->context.resolver = open_zone();
	stage->context.clock.fixed = true;
	assert_true(clock_parse_rfc3339(
	    slice_from(now), &stage->context.clock.fixed_at, NULL));
	assert_true(ip_parse(slice_from(input->ip), &stage->client.ip));
	stage->client.helo = slice_from(
	    input->helo ? input->helo : "h.example");
	stage->client.listener = slice_from(
	    input->listener ? input->listener : "mx");
	stage->client.authenticated_as = slice_from(input->user);
	if (input->tls_name) {
		stage->tls_name = slice_from(input->tls_name);
		stage->client.tls = true;
		stage->client.tls_name_count = 1;
		stage->client.tls_names = &stage->tls_name;
	}
	stage->envelope = (struct envelope){
	    .id = SLICE("0000000000000001"),
	    .client = &stage->client,
	    .mail_from = slice_from(input->mail_from),
	};
	envelope_add_recipient(stage->arena, &stage->envelope, &recipient);
}

void stage_clear(struct stage *stage)
{
	arena_free(stage->arena); /* the sessions of the resolver, first */
	dns_resolver_release(stage->context.resolver);
	config_release(stage->context.config);
}
