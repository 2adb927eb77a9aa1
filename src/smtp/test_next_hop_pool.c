/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/next_hop_pool.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/metrics.h"
#include "smtp/client.h"
#include "smtp/delivery.h"
#include "smtp/targets.h"
#include "smtp/test_fake_server.h"

enum { THREADS = 8, MESSAGES = 25 };

static const char zone[] = "$ORIGIN example.\n$TTL 60\n"
			   "@ SOA ns.example. root.example. 1 1 1 1 1\n"
			   "two MX 20 far\n"
			   "two MX 10 near\n"
			   "near A 127.0.0.1\n"
			   "far A 192.0.2.1\n"
			   "far AAAA 2001:db8::1\n"
			   "null MX 0 .\n"
			   "direct A 192.0.2.3\n"
			   "half A 192.0.2.4\n"
			   "nothing TXT x\n"
			   "dangling MX 10 nothere\n"
			   "us MX 10 gate\n"
			   "us MX 10 near\n"
			   "us MX 20 far\n"
			   "backup MX 5 far\n"
			   "backup MX 10 gate\n"
			   "backup MX 20 near\n"
			   "same MX 10 alias\n"
			   "alias A 127.0.0.7\n"
			   "odd MX 0 .\n"
			   "odd MX 5 far\n"
			   "gate A 192.0.2.9\n"
			   "mapped.example. AAAA ::ffff:127.0.0.7\n"
			   "any.example. MX 10 any.example.\n"
			   "any.example. A 0.0.0.0\n";

struct world {
	struct arena *arena;
	struct config *config;
	struct dns_resolver *resolver;
	struct conf_listener listener;
	struct conf_target target;
	struct conf_route route;
	char path[40];
};

static void open_world(struct world *world)
{
	const struct dns_failure failures[] = {
	    {.name = SLICE("broken.example"), .any_type = true},
	    {.name = SLICE("half.example"), .type = DNS_AAAA},
	};
	struct dns_settings settings = {
	    .failure_count = 2,
	    .failures = failures,
	    .cache_bytes = 1 << 20,
	    .cache_max_ttl = 60,
	    .cache_negative_ttl = 60,
	    .query_timeout_ms = 1000,
	};
	struct err err;
	int fd;

	*world = (struct world){.arena = arena_new(0)};
	memcpy(world->path, "/tmp/pool-zone-XXXXXX", 22);
	fd = mkstemp(world->path);
	assert_int_equal(write(fd, zone, strlen(zone)), strlen(zone));
	close(fd);
	settings.zone_file = slice_from(world->path);
	if (!dns_resolver_open(&settings, &world->resolver, &err))
		fail_msg("%s", err.text);
	world->config = config_default();
	world->config->hostname = SLICE("gate.example");
	world->config->limits.next_hop_timeout = 2000;
	world->listener = (struct conf_listener){
	    .address = SLICE("127.0.0.7:25"), .role = ROLE_MX};
	world->config->listeners = &world->listener;
	world->config->listener_count = 1;
	world->route = (struct conf_route){
	    .kind = NEXT_HOP_MX, .text = SLICE("mx")};
}

static void close_world(struct world *world)
{
	dns_resolver_release(world->resolver);
	config_release(world->config);
	arena_free(world->arena);
	unlink(world->path);
}

/* "mail exchangers in order", or "code enhanced". */
static const char *find(struct world *world, const char *domain)
{
	struct next_hop_request request = {
	    .route = &world->route, .domain = slice_from(domain)};
	struct target_list list;
	struct smtp_reply_text text;
	const char *found = "";

	if (!targets_find(world->arena, world->config, world->resolver,
		&request, &list, &text))
		return arena_format(world->arena, "%d %.*s", text.code,
		    SLICE_ARGS(text.enhanced));
	for (size_t i = 0; i < list.count; i++) {
		char ip[IP_TEXT_MAX];

		found = arena_format(world->arena, "%s%s%s", found,
		    i ? " " : "", ip_format(&list.endpoints[i].ip, ip));
	}
	return found;
}

static void test_mail_exchangers(void **state)
{
	static const struct {
		const char *domain, *found;
	} cases[] = {
	    {"two.example", "127.0.0.1 192.0.2.1 2001:db8::1"},
	    {"direct.example", "192.0.2.3"},
	    {"odd.example", "192.0.2.1 2001:db8::1"},
	    {"null.example", "556 5.1.10"},
	    {"nobody.example", "550 5.1.2"},
	    {"nothing.example", "550 5.4.4"},
	    {"dangling.example", "550 5.4.4"},
	    {"broken.example", "451 4.4.3"},
	    /* ourselves, and what is not better than us */
	    {"us.example", "554 5.4.6"},
	    {"backup.example", "192.0.2.1 2001:db8::1"},
	    {"same.example", "554 5.4.6"},
	    {"[127.0.0.7]", "554 5.4.6"},
	    {"mapped.example", "554 5.4.6"},
	    {"[IPv6:::ffff:127.0.0.7]", "554 5.4.6"},
	    {"[192.0.2.5]", "192.0.2.5"},
	    {"[IPv6:2001:db8::5]", "2001:db8::5"},
	};
	struct world world;

	(void)state;
	open_world(&world);
	/* Equal preferences come in random order: more than once. */
	for (size_t i = 0; i < 20 * sizeof(cases) / sizeof(cases[0]); i++) {
		size_t at = i % (sizeof(cases) / sizeof(cases[0]));
		const char *found = find(&world, cases[at].domain);

		if (strcmp(found, cases[at].found))
			fail_msg("%s: %s", cases[at].domain, found);
	}
	close_world(&world);
}

/* Who must come from an address of one family is not connected to by the
 * other, and what DNS says of the other does not matter. */
static void test_address_family(void **state)
{
	static const struct {
		enum conf_next_hop_kind kind;
		enum conf_address_family family;
		const char *name, *found;
	} cases[] = {
	    {NEXT_HOP_MX, ADDRESS_FAMILY_ANY, "half.example", "192.0.2.4"},
	    {NEXT_HOP_MX, ADDRESS_FAMILY_IPV4, "two.example",
		"127.0.0.1 192.0.2.1"},
	    {NEXT_HOP_MX, ADDRESS_FAMILY_IPV6, "two.example", "2001:db8::1"},
	    {NEXT_HOP_MX, ADDRESS_FAMILY_IPV6, "direct.example", "550 5.4.4"},
	    {NEXT_HOP_MX, ADDRESS_FAMILY_IPV6, "half.example", "451 4.4.3"},
	    {NEXT_HOP_MX, ADDRESS_FAMILY_IPV6, "[192.0.2.5]", "192.0.2.5"},
	    {NEXT_HOP_SMTP, ADDRESS_FAMILY_IPV4, "far.example", "192.0.2.1"},
	    {NEXT_HOP_SMTP, ADDRESS_FAMILY_IPV6, "far.example", "2001:db8::1"},
	    {NEXT_HOP_SMTP, ADDRESS_FAMILY_IPV6, "near.example", "451 4.4.1"},
	    {NEXT_HOP_SMTP, ADDRESS_FAMILY_IPV6, "half.example", "451 4.4.3"},
	    {NEXT_HOP_SMTP, ADDRESS_FAMILY_IPV4, "half.example", "192.0.2.4"},
	    {NEXT_HOP_SMTP, ADDRESS_FAMILY_IPV4, "localhost", "127.0.0.1"},
	    {NEXT_HOP_SMTP, ADDRESS_FAMILY_IPV6, "localhost", "::1"},
	    {NEXT_HOP_SMTP, ADDRESS_FAMILY_IPV6, "192.0.2.5", "192.0.2.5"},
	};
	struct world world;

	(void)state;
	open_world(&world);
	world.route.target_count = 1;
	world.route.targets = &world.target;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *found;

		world.route.kind = cases[i].kind;
		world.route.address_family = cases[i].family;
		world.target.host = slice_from(cases[i].name);
		found = find(&world, cases[i].name);
		if (strcmp(found, cases[i].found))
			fail_msg("%zu, %s: %s", i, cases[i].name, found);
	}
	close_world(&world);
}

/* The kernel connects to the loopback address instead. */
static void test_no_address_is_ours(void **state)
{
	static const struct {
		const char *listens, *domain, *found;
	} cases[] = {
	    {"127.0.0.1:25", "any.example", "554 5.4.6"},
	    {"127.0.0.1:25", "[0.0.0.0]", "554 5.4.6"},
	    {"127.0.0.1:25", "[IPv6:::ffff:0.0.0.0]", "554 5.4.6"},
	    {"0.0.0.0:25", "[0.0.0.0]", "554 5.4.6"},
	    {"[::]:25", "[IPv6:::]", "554 5.4.6"},
	    {"[::1]:25", "[IPv6:::]", "554 5.4.6"},
	    {"192.0.2.7:25", "[0.0.0.0]", "0.0.0.0"},
	};
	struct world world;

	(void)state;
	open_world(&world);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		world.listener.address = slice_from(cases[i].listens);
		assert_string_equal(
		    find(&world, cases[i].domain), cases[i].found);
	}
	close_world(&world);
}

/* Whose route is one fixed host: world->target. */
static void open_fixed_world(struct world *world)
{
	open_world(world);
	world->route.kind = NEXT_HOP_SMTP;
	world->route.target_count = 1;
	world->route.targets = &world->target;
}

/* A fixed next hop on this host is another program, or ourselves. */
static void test_fixed_next_hop_here(void **state)
{
	static const struct {
		const char *listens, *host;
		uint16_t port;
		const char *found;
	} cases[] = {
	    {"0.0.0.0:25", "127.0.0.1", 25, "451 4.3.5"},
	    {"0.0.0.0:25", "localhost", 0, "::1"},
	    {"127.0.0.1:25", "localhost", 0, "::1"},
	    {"0.0.0.0:25", "127.0.0.1", 10025, "127.0.0.1"},
	    {"0.0.0.0:10025", "127.0.0.1", 0, "127.0.0.1"},
	    {"192.0.2.7:25", "127.0.0.1", 25, "127.0.0.1"},
	    {"0.0.0.0:25", "192.0.2.5", 25, "192.0.2.5"},
	    {"[::]:25", "::1", 25, "451 4.3.5"},
	};
	struct world world;

	(void)state;
	open_fixed_world(&world);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *found;

		world.listener.address = slice_from(cases[i].listens);
		world.target.host = slice_from(cases[i].host);
		world.target.port = cases[i].port;
		found = find(&world, "x.example");
		if (strcmp(found, cases[i].found))
			fail_msg("%zu: %s", i, found);
	}
	close_world(&world);
}

/* A configured next hop that cannot be found must not cost a message. */
static void test_fixed_names(void **state)
{
	static const struct {
		const char *host;
		bool lookup_mx;
		const char *found;
	} cases[] = {
	    {"near.example", false, "127.0.0.1"},
	    {"two.example", true, "127.0.0.1 192.0.2.1 2001:db8::1"},
	    {"localhost", false, "127.0.0.1 ::1"},
	    {"198.51.100.1", false, "198.51.100.1"},
	    {"nobody.example", false, "451 4.4.1"},
	    {"nobody.example", true, "451 4.4.1"},
	    {"null.example", true, "451 4.4.1"},
	    {"broken.example", false, "451 4.4.3"},
	    /* ourselves: each message would be a hundred sessions */
	    {"127.0.0.7", false, "451 4.3.5"},
	    {"alias.example", false, "451 4.3.5"},
	    {"same.example", true, "451 4.3.5"},
	    {"us.example", true, "451 4.3.5"},
	    {"backup.example", true, "192.0.2.1 2001:db8::1"},
	};
	struct world world;

	(void)state;
	open_fixed_world(&world);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		world.target.host = slice_from(cases[i].host);
		world.target.lookup_mx = cases[i].lookup_mx;
		assert_string_equal(find(&world, "x.example"), cases[i].found);
	}
	close_world(&world);
}

/* Another domain by MX needs a transaction of its own. */
static void test_two_domains(void **state)
{
	static const char *const yes[] = {
	    "S:220 hop", "C:EHLO", "S:250 hop", "A", NULL};
	static const char *const *const scripts[] = {yes};
	struct fake_server *server = fake_server_start(scripts, 1, true);
	struct envelope envelope = {.mail_from = SLICE("s@a.example")};
	struct envelope_recipient recipient = {
	    .address = SLICE("r@two.example")};
	struct delivery_session *session;
	struct delivery *delivery;
	struct next_hop_pool *pool;
	struct world world;

	(void)state;
	open_world(&world);
	world.target.port = fake_server_port(server);
	world.route.target_count = 1;
	world.route.targets = &world.target;
	pool = next_hop_pool_new(world.config, world.resolver);
	session = delivery_session_new(world.arena, pool, NULL);
	delivery = delivery_new(world.arena, session, &envelope);
	assert_int_equal(
	    delivery_recipient(delivery, &world.route, &recipient).code, 250);
	recipient.address = SLICE("q@TWO.example");
	assert_int_equal(
	    delivery_recipient(delivery, &world.route, &recipient).code, 250);
	recipient.address = SLICE("r@near.example");
	assert_int_equal(
	    delivery_recipient(delivery, &world.route, &recipient).code, 452);
	delivery_abort(delivery);
	next_hop_pool_release(pool);
	close_world(&world);
	assert_null(fake_server_stop(server));
}

struct crowd {
	struct next_hop_pool *pool;
	const struct conf_route *route;
	size_t delivered;
};

static void *deliver_many(void *object)
{
	struct crowd *crowd = object;

	for (int i = 0; i < MESSAGES; i++) {
		struct arena *arena = arena_new(0);
		struct smtp_reply_text text;

		crowd->delivered += delivery_send_message(arena, crowd->pool,
		    crowd->route, SLICE("s@a.example"), SLICE("r@b.example"),
		    SLICE("A: b\r\n\r\n.\r\n"), &text);
		arena_free(arena);
	}
	return NULL;
}

static void test_threads(void **state)
{
	static const char *const yes[] = {
	    "S:220 hop", "C:EHLO", "S:250-hop\r\n250 PIPELINING", "A", NULL};
	static const char *const *const scripts[] = {yes};
	struct fake_server *server = fake_server_start(scripts, 1, true);
	struct conf_target targets[] = {
	    {.host = SLICE("127.0.0.1"), .port = 1}, /* refuses */
	    {.host = SLICE("127.0.0.1"), .port = fake_server_port(server)},
	};
	struct conf_route route = {
	    .kind = NEXT_HOP_SMTP, .targets = targets, .target_count = 2};
	struct next_hop_statistics statistics;
	struct crowd crowds[THREADS];
	pthread_t threads[THREADS];
	struct next_hop_pool *pool;
	struct world world;

	(void)state;
	open_world(&world);
	pool = next_hop_pool_new(world.config, world.resolver);
	for (size_t i = 0; i < THREADS; i++) {
		crowds[i] = (struct crowd){.pool = pool, .route = &route};
		pthread_create(&threads[i], NULL, deliver_many, &crowds[i]);
	}
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(crowds[i].delivered, MESSAGES);
	}
	statistics = next_hop_pool_statistics(pool);
	assert_in_range(statistics.opened, 1, THREADS);
	assert_int_equal(
	    statistics.opened + statistics.reused, THREADS * MESSAGES);
	/* Set aside after each thread's first try at most. */
	assert_in_range(statistics.failed, 1, THREADS);
	assert_int_equal(statistics.idle, statistics.opened);
	next_hop_pool_release(pool);
	assert_int_equal(fake_server_connections(server), statistics.opened);
	close_world(&world);
	assert_null(fake_server_stop(server));
}

static struct metrics *metrics;

static void open_counted(struct world *world)
{
	struct err err;
	int fd;

	assert_true(metrics_create(&metrics, &fd, &err));
	close(fd);
	metrics_use(metrics);
	open_world(world);
}

static void close_counted(struct world *world)
{
	close_world(world);
	metrics_use(NULL);
	metrics_close(metrics);
}

static int64_t count_away(void)
{
	return metrics_read(metrics, METRIC_NEXT_HOPS_AWAY, 0);
}

/* A standby that failed once is not tried while the first answers; an address
 * that DNS no longer gives, never. */
static void test_away_and_not_tried(void **state)
{
	struct conf_target target = {.host = SLICE("127.0.0.1"), .port = 1};
	const struct conf_route route = {
	    .kind = NEXT_HOP_SMTP, .targets = &target, .target_count = 1};
	const struct next_hop_request request = {
	    .route = &route, .until = deadline_in(2000)};
	int64_t now = clock_monotonic_ms();
	struct smtp_reply_text text;
	struct smtp_client *client;
	struct next_hop_pool *pool;
	struct world world;

	(void)state;
	open_counted(&world);
	pool = next_hop_pool_new(world.config, NULL);
	assert_false(
	    next_hop_pool_get(pool, world.arena, &request, &client, &text));
	next_hop_pool_tidy(pool, now + 5 * 60 * 1000);
	assert_int_equal(count_away(), 1);
	next_hop_pool_tidy(pool, now + 11 * 60 * 1000);
	assert_int_equal(count_away(), 0);
	/* Tried again, it counts again. */
	assert_false(
	    next_hop_pool_get(pool, world.arena, &request, &client, &text));
	assert_int_equal(count_away(), 1);
	next_hop_pool_release(pool);
	assert_int_equal(count_away(), 0);
	close_counted(&world);
}

/* What this process lacks is nobody's fault: once it is there, the first next
 * hop is the first again. */
static void test_no_descriptor(void **state)
{
	static const char *const yes[] = {
	    "S:220 hop", "C:EHLO", "S:250 hop", NULL};
	static const char *const *const scripts[] = {yes};
	struct fake_server *server = fake_server_start(scripts, 1, true);
	struct conf_target targets[] = {
	    {.host = SLICE("127.0.0.1"), .port = fake_server_port(server)},
	    {.host = SLICE("127.0.0.1"), .port = 1}};
	const struct conf_route route = {
	    .kind = NEXT_HOP_SMTP, .targets = targets, .target_count = 2};
	const struct next_hop_request request = {
	    .route = &route, .until = deadline_in(2000)};
	struct rlimit limit, none;
	struct smtp_reply_text text;
	struct smtp_client *client;
	struct next_hop_pool *pool;
	struct world world;

	(void)state;
	open_counted(&world);
	pool = next_hop_pool_new(world.config, NULL);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = limit.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_false(
	    next_hop_pool_get(pool, world.arena, &request, &client, &text));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(text.code, 451);
	assert_true(slice_eq(text.enhanced, SLICE("4.3.0")));
	assert_int_equal(count_away(), 0);
	assert_true(
	    next_hop_pool_get(pool, world.arena, &request, &client, &text));
	/* It was not said to be back, since it was never away. */
	assert_int_equal(next_hop_pool_statistics(pool).opened, 1);
	assert_int_equal(count_away(), 0);
	smtp_client_drop(client);
	next_hop_pool_release(pool);
	close_counted(&world);
	assert_null(fake_server_stop(server));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_mail_exchangers),
	    cmocka_unit_test(test_address_family),
	    cmocka_unit_test(test_no_address_is_ours),
	    cmocka_unit_test(test_fixed_names),
	    cmocka_unit_test(test_fixed_next_hop_here),
	    cmocka_unit_test(test_two_domains),
	    cmocka_unit_test(test_threads),
	    cmocka_unit_test(test_away_and_not_tried),
	    cmocka_unit_test(test_no_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
