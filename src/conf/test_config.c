/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/config.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "conf/check.h"
#include "conf/describe.h"
#include "conf/dump.h"
#include "conf/load.h"
#include "conf/test_texts.h"

/* 2026-06-01, noon. */
static const struct clock noon = {.fixed = true, .fixed_at = 1780315200};

static struct config *load(
    struct arena *arena, const char *text, struct config_problems *ret)
{
	struct load_options options = {.file = "t.yaml",
	    .folder = SLICE("/etc/gatehouse"),
	    .clock = &noon};
	struct problems *problems = problems_new(arena, options.file);
	struct config *config = load_bytes(
	    slice_from(text), &options, problems);

	problems_export(problems, ret);
	return config;
}

/* "t.yaml:3:5: key: text" of every line, errors then warnings. */
static const char *all_of(
    struct arena *arena, const struct config_problems *problems)
{
	const char *text = "";

	for (size_t i = 0; i < problems->count; i++)
		text = arena_format(arena, "%s%s: %s\n", text,
		    problems->errors[i].where.ptr,
		    problems->errors[i].text.ptr);
	for (size_t i = 0; i < problems->warning_count; i++)
		text = arena_format(arena, "%s%s: warning: %s\n", text,
		    problems->warnings[i].where.ptr,
		    problems->warnings[i].text.ptr);
	return text;
}

static void test_bad(void **state)
{
	size_t failures = 0;

	(void)state;
	for (const struct test_text *t = test_texts; t->text; t++) {
		struct arena *arena = arena_new(0);
		struct config_problems problems;
		struct config *config = load(arena, t->text, &problems);
		const char *all = all_of(arena, &problems);

		if (!strstr(all, t->want) || problems.count != t->errors ||
		    !config != (t->errors > 0)) {
			print_error("%s\nwant %u errors, %s\ngot\n%s\n",
			    t->text, t->errors, t->want, all);
			failures++;
		}
		config_release(config);
		arena_free(arena);
	}
	assert_int_equal(failures, 0);
}

static void test_full(void **state)
{
	struct arena *arena = arena_new(0);
	struct config_problems problems;
	struct config *config = load(arena, test_text_full, &problems);

	(void)state;
	assert_string_equal(all_of(arena, &problems),
	    "t.yaml:50:42: warning: log.trace: is on: what every client does, "
	    "with addresses, stays in the log; take it out when the fault is "
	    "found (gatehouse trace ends by itself)\n");
	assert_non_null(config);
	assert_string_equal(config->hostname.ptr, "mx1.agency.example");
	assert_int_equal(config->accepted_domains.count, 2);
	assert_string_equal(
	    config->accepted_domains.items[1].ptr, "xn--bcher-kva.example");
	assert_int_equal(config->listeners[1].role, ROLE_RELAY);
	assert_string_equal(
	    config->listeners[0].tls.key.ptr, "/etc/gatehouse/k.pem");
	assert_true(config->listeners[0].tls.required);
	assert_int_equal(config->listeners[0].xclient.items[0].prefix, 128);
	assert_int_equal(config->connectors[0].networks.count, 3);
	assert_int_equal(config->connectors[0].treat_as, TREAT_AS_INTERNAL);
	assert_int_equal(config->connectors[1].expires, 1801439999);
	assert_int_equal(config->routes[0].target_count, 2);
	assert_int_equal(config->routes[0].tls, NEXT_HOP_TLS_MUST);
	assert_int_equal(config->routes[1].kind, NEXT_HOP_MX);
	assert_string_equal(config->dns.trust_anchor.ptr, "");
	assert_int_equal(config->dns.cache_size, 32 << 20);
	assert_int_equal(config->authentication.own_domains, MODE_REPORT);
	assert_int_equal(config->authentication.intermediary_count, 2);
	assert_string_equal(config->store.ptr, "sqlite:/srv/gh/gatehouse.db");
	assert_string_equal(config->spool_directory.ptr, "/srv/gh/spool");
	assert_int_equal(config->keep_trace, 0);
	assert_int_equal(config->log.level, LOG_DEBUG);
	assert_int_equal(config->limits.message_size, 50 << 20);
	assert_int_equal(config->limits.tls_timeout, 1500);
	assert_int_equal(config->limits.recipients, limits_default.recipients);
	config_release(config);
	arena_free(arena);
}

static const char *dump(
    struct arena *arena, const struct config *config, unsigned int flags)
{
	struct buf *buf = buf_in_arena(arena, DUMP_SIZE_MAX);

	assert_true(dump_config(config, flags, buf));
	return buf->ptr;
}

/* What is dumped, in every form, loads to what is dumped again. */
static void test_round_trip(void **state)
{
	static const char *const texts[] = {test_text_full,
	    "hostname: a.example\n",
	    "hostname: a.example\nuser: \"\"\nadmin: {address: \"[::1]:80\"}\n"
	    "organization: {accepted_subdomains: false}\n"
	    "connectors: [{name: 'null', owner: 'a: \"b\" # c', "
	    "reason: \"\\u2028 \\u00fc\\U0001f4e7\", "
	    "networks: [192.0.2.1/0]}]\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct arena *arena = arena_new(0);
		struct config_problems problems;
		struct config *config = load(arena, texts[i], &problems);
		const char *all;

		if (!config)
			fail_msg("%s", all_of(arena, &problems));
		all = dump(arena, config, 0);
		for (unsigned int flags = 0; flags < 4; flags++) {
			struct config *again = load(
			    arena, dump(arena, config, flags), &problems);

			if (!again)
				fail_msg(
				    "%u: %s", flags, all_of(arena, &problems));
			assert_string_equal(dump(arena, again, 0), all);
			config_release(again);
		}
		config_release(config);
		arena_free(arena);
	}
}

static void test_changed_only(void **state)
{
	struct arena *arena = arena_new(0);
	struct config_problems problems;
	struct config *config = load(arena,
	    "hostname: a.example\nstate_directory: /srv\n"
	    "store: sqlite:/srv/gatehouse.db\nlimits: {recipients: 1000, "
	    "message_size: 1M}\n",
	    &problems);

	(void)state;
	assert_non_null(
	    strstr(dump(arena, config, 0), "keep:\n  trace: 90d\n"));
	assert_string_equal(dump(arena, config, DUMP_CHANGED),
	    "hostname: a.example\nstate_directory: /srv\nlimits:\n"
	    "  message_size: 1M\n");
	config_release(config);
	arena_free(arena);
}

static void test_default(void **state)
{
	struct config *config = config_default();

	(void)state;
	assert_true(config->hostname.len > 0);
	assert_int_equal(config->file.len, 0);
	assert_string_equal(
	    config->store.ptr, "sqlite:/var/lib/gatehouse/gatehouse.db");
	assert_string_equal(
	    config->dns.trust_anchor.ptr, "/usr/share/dns/root.key");
	assert_true(config->authentication.dmarc_enforce);
	assert_true(config->accepted_subdomains);
	assert_int_equal(config->keep_trace, 90 * 86400);
	assert_memory_equal(
	    &config->limits, &limits_default, sizeof(limits_default));
	config_release(config);
}

static void test_files(void **state)
{
	struct arena *arena = arena_new(0);
	struct config_problems problems;
	struct config *config = NULL;
	struct err err;
	char path[] = "/tmp/test-config-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_true(dprintf(fd, "hostname: a.example\n"
				"dns: {zone: not/there}\n") > 0);
	close(fd);
	assert_true(config_load(arena, path, &config, &problems, &err));
	assert_string_equal(config->dns.zone.ptr, "/tmp/not/there");
	assert_string_equal(config->file.ptr, path);
	config_release(config);
	assert_false(check_file(arena, path, NULL, &config, &problems, &err));
	assert_int_equal(err.kind, E_CONFIG);
	assert_non_null(strstr(err.text, ":2:13: dns.zone: cannot be read"));
	unlink(path);
	assert_false(config_load(arena, path, &config, NULL, &err));
	assert_int_equal(err.kind, E_NOT_FOUND);
	arena_free(arena);
}

static void test_example(void **state)
{
	const char *source = getenv("GATEHOUSE_SOURCE");
	struct arena *arena = arena_new(0);
	struct config_problems problems;
	struct config *config = NULL;
	struct err err = {0};

	(void)state;
	assert_non_null(source);
	if (!config_load(arena,
		arena_format(arena, "%s/examples/gatehouse.yaml", source),
		&config, &problems, &err))
		fail_msg("%s", err.text);
	assert_int_equal(problems.warning_count, 0);
	config_release(config);
	arena_free(arena);
}

static void test_logins(void **state)
{
	static const char *const hops[] = {
	    "\"smtp:[192.0.2.1]:25\", tls: must",
	    "\"smtp:[127.0.0.1]:25, [::1]:25, localhost:25\"",
	    "\"lmtp:unix:/s\"",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(hops) / sizeof(hops[0]); i++) {
		struct arena *arena = arena_new(0);
		struct config_problems problems;
		struct config *config = load(arena,
		    arena_format(arena,
			"hostname: a.example\nlisteners:\n"
			"  - {name: a, address: \"[::]:587\", role: "
			"submission, "
			"tls: {certificate: c, key: k}}\n"
			"routes:\n  - {domains: [\"*\"], next_hop: %s}\n",
			hops[i]),
		    &problems);

		assert_string_equal(all_of(arena, &problems), "");
		config_release(config);
		arena_free(arena);
	}
}

static int64_t cpu_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What it takes to load a configuration of so many domains. */
static int64_t load_domains(size_t count)
{
	struct arena *arena = arena_new(0);
	struct buf *text = buf_in_arena(arena, 16 << 20);
	struct config_problems problems;
	struct config *config;
	int64_t began;

	buf_add_text(text, "hostname: a.example\norganization:\n"
			   "  accepted_domains:\n");
	for (size_t i = 0; i < count; i++)
		buf_add_format(text, "  - d%zu.example\n", i);
	buf_add_text(text, "routes:\n- next_hop: 'maildir:/m'\n  domains:\n");
	for (size_t i = 0; i < count; i++)
		buf_add_format(text, "  - d%zu.example\n", i);
	buf_add_byte(text, '\0');
	began = cpu_ms();
	config = load(arena, text->ptr, &problems);
	began = cpu_ms() - began;
	assert_non_null(config);
	config_release(config);
	arena_free(arena);
	return began;
}

/* The supervisor has no patience for what grows with the square: that was 300
 * times as much for 20 times as many. */
static void test_many_domains(void **state)
{
	int64_t few = load_domains(1500), many = load_domains(30000);

	(void)state;
	if (many > 100 * (few + 1))
		fail_msg(
		    "%lld ms, and %lld ms", (long long)few, (long long)many);
}

static void *hold_and_release(void *object)
{
	struct config *config = object;
	struct arena *arena = arena_new(0);
	struct config_problems problems;

	for (int i = 0; i < 20000; i++)
		config_release(config_hold(config));
	for (int i = 0; i < 50; i++)
		config_release(load(arena, test_text_full, &problems));
	arena_free(arena);
	config_release(config);
	return NULL;
}

static void test_threads(void **state)
{
	struct config *config = config_default();
	pthread_t threads[4];

	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
				     hold_and_release, config_hold(config)),
		    0);
	config_release(config);
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

static void test_describe(void **state)
{
	struct arena *arena = arena_new(0);
	struct buf *buf = buf_in_arena(arena, DESCRIBE_SIZE_MAX);
	struct err err;

	(void)state;
	assert_true(
	    describe_fields(SLICE("limits.recipients"), false, buf, &err));
	assert_non_null(strstr(buf->ptr, "default:  1000\n"));
	assert_non_null(strstr(buf->ptr, "bounds:   1 to 100000\n"));
	buf_clear(buf);
	assert_true(
	    describe_fields(SLICE("listeners.tls.key"), true, buf, &err));
	assert_non_null(strstr(buf->ptr, "\"listeners[].tls.key\""));
	buf_clear(buf);
	assert_false(
	    describe_fields(SLICE("limits.recipient"), false, buf, &err));
	assert_int_equal(err.kind, E_USAGE);
	assert_non_null(strstr(err.text, "limits.recipients?"));
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bad),
	    cmocka_unit_test(test_full),
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_changed_only),
	    cmocka_unit_test(test_default),
	    cmocka_unit_test(test_files),
	    cmocka_unit_test(test_example),
	    cmocka_unit_test(test_logins),
	    cmocka_unit_test(test_many_domains),
	    cmocka_unit_test(test_threads),
	    cmocka_unit_test(test_describe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
