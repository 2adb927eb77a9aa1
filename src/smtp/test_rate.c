/* SPDX-License-Identifier: Apache-2.0 */
/* Counts per network. */
#include "smtp/rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>
#include <uthash.h>

/* The linker's names: --wrap=clock_gettime. */
/* NOLINTBEGIN(cert-dcl37-c,cert-dcl51-cpp) */
int __wrap_clock_gettime(clockid_t id, struct timespec *ret);
/* NOLINTEND(cert-dcl37-c,cert-dcl51-cpp) */

static int64_t now_ms = 1000;

int __wrap_clock_gettime(clockid_t id, struct timespec *ret)
{
	(void)id;
	ret->tv_sec = now_ms / 1000;
	ret->tv_nsec = now_ms % 1000 * 1000000;
	return 0;
}

static struct ip address(const char *text)
{
	struct ip ip = {0};

	assert_true(ip_parse(slice_from(text), &ip));
	return ip;
}

static void test_networks(void **state)
{
	const struct limits limits = {.connections_per_network = 2,
	    .connection_rate = 4,
	    .message_rate = 1,
	    .failed_logins = 2};
	struct rate_table *table = rate_new();
	struct ip a = address("192.0.2.1"), b = address("192.0.2.200"),
		  c = address("192.0.3.1"), d = address("2001:db8::1"),
		  e = address("2001:db8::ffff:1"), none = {0};

	(void)state;
	assert_null(rate_connect(table, &a, &limits));
	assert_null(rate_connect(table, &b, &limits));
	assert_string_equal(
	    rate_connect(table, &a, &limits), "limits.connections_per_network");
	assert_null(rate_connect(table, &c, &limits));
	rate_disconnect(table, &a);
	assert_null(rate_connect(table, &b, &limits));
	rate_disconnect(table, &b);
	assert_string_equal(
	    rate_connect(table, &b, &limits), "limits.connection_rate");
	assert_null(rate_message(table, &d, &limits));
	assert_string_equal(
	    rate_message(table, &e, &limits), "limits.message_rate");
	rate_login_failed(table, &a);
	assert_null(rate_login(table, &b, &limits));
	rate_login_failed(table, &b);
	assert_string_equal(
	    rate_login(table, &a, &limits), "limits.failed_logins");
	assert_null(rate_login(table, &c, &limits));
	for (int i = 0; i < 10; i++) {
		assert_null(rate_message(table, &none, &limits));
		rate_login_failed(table, &none);
		assert_null(rate_login(table, &none, &limits));
	}
	assert_int_equal(rate_size(table), 3);
	rate_free(table);
}

static void take_one_of_each(struct rate_table *table, const struct ip *ip,
    const struct limits *limits, bool fits)
{
	const char *connection = rate_connect(table, ip, limits);

	assert_int_equal(!connection, fits);
	if (!connection)
		rate_disconnect(table, ip);
	assert_int_equal(!rate_message(table, ip, limits), fits);
	assert_int_equal(!rate_login(table, ip, limits), fits);
	rate_login_failed(table, ip);
}

/* A minute of the table is a whole one, whatever the clock says when it is
 * made; then all may come again, and who is quiet is forgotten. */
static void test_minutes(void **state)
{
	const struct limits limits = {.connections_per_network = 9,
	    .connection_rate = 1,
	    .message_rate = 1,
	    .failed_logins = 1};
	static const struct {
		int64_t ms; /* since the table was made */
		bool fits;
		size_t size; /* then */
	} steps[] = {
	    {0, true, 3},
	    {200, false, 3},
	    {59999, false, 3},
	    {60000, true, 2}, /* the open one, and this */
	    {60200, false, 2},
	    {119999, false, 2},
	    {120000, true, 2},
	};
	struct ip ip = address("192.0.2.1"), quiet = address("192.0.3.1"),
		  open = address("192.0.4.1");

	(void)state;
	for (int64_t began = 59000; began <= 60000; began += 100) {
		struct rate_table *table;

		now_ms = began;
		table = rate_new();
		assert_null(rate_message(table, &quiet, &limits));
		assert_null(rate_connect(table, &open, &limits));
		for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
			now_ms = began + steps[i].ms;
			take_one_of_each(table, &ip, &limits, steps[i].fits);
			assert_int_equal(rate_size(table), steps[i].size);
		}
		rate_free(table);
	}
}

static size_t count_works(const struct work *work)
{
	size_t count = 0;

	for (; work; work = work->next)
		count++;
	return count;
}

/* Threads of two networks, three workers of each: who may begin, and who is
 * next when one ends. */
static void test_lines(void **state)
{
	enum { WORKS = 6, NOBODY = -1 };
	static const struct {
		enum { BEGIN, END } call;
		uint64_t threads;
		int work;
		bool may;	/* BEGIN */
		int next;	/* END */
		size_t in_line; /* then */
	} steps[] = {
	    {BEGIN, 2, 0, true, 0, 0},
	    {BEGIN, 2, 1, false, 0, 1},
	    {BEGIN, 2, 2, false, 0, 2},
	    /* Another network has a line of its own. */
	    {BEGIN, 2, 3, true, 0, 2},
	    {BEGIN, 2, 4, false, 0, 3},
	    {END, 2, 0, false, 1, 2},
	    /* Who comes again stands behind the others. */
	    {BEGIN, 2, 0, false, 0, 3},
	    {END, 2, 1, false, 2, 2},
	    {END, 2, 2, false, 0, 1},
	    {END, 2, 0, false, NOBODY, 1},
	    {END, 2, 3, false, 4, 0},
	    {END, 2, 4, false, NOBODY, 0},
	    /* A reload: one thread less for each network. */
	    {BEGIN, 4, 0, true, 0, 0},
	    {BEGIN, 4, 1, true, 0, 0},
	    {BEGIN, 2, 2, false, 0, 1},
	    {END, 2, 0, false, NOBODY, 1},
	    {END, 2, 1, false, 2, 0},
	    {BEGIN, 2, 0, false, 0, 1},
	    /* And one more again: not for who comes now. */
	    {BEGIN, 4, 1, false, 0, 2},
	    {END, 4, 2, false, 0, 0},
	    {END, 4, 0, false, NOBODY, 0},
	    {END, 4, 1, false, NOBODY, 0},
	    {BEGIN, 2, 2, true, 0, 0},
	    {BEGIN, 2, 0, false, 0, 1},
	};
	struct rate_table *table = rate_new();
	struct work works[WORKS], *next;
	struct ip none = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		const struct limits limits = {.threads = steps[i].threads};
		struct ip ip = address(
		    steps[i].work < 3 ? "192.0.2.1" : "2001:db8::1");

		if (steps[i].call == BEGIN) {
			assert_int_equal(rate_begin_work(table, &ip, &limits,
					     &works[steps[i].work]),
			    steps[i].may);
			assert_true(steps[i].may || rate_has_line(table, &ip));
		} else {
			size_t before = rate_in_line(table);

			next = rate_end_work(table, &ip);
			assert_ptr_equal(next, steps[i].next == NOBODY
						   ? NULL
						   : &works[steps[i].next]);
			assert_int_equal(
			    count_works(next), before - steps[i].in_line);
		}
		assert_int_equal(rate_in_line(table), steps[i].in_line);
	}
	/* Number 2 works, 0 is in line. */
	next = rate_end_lines(table);
	assert_ptr_equal(next, &works[0]);
	assert_null(next->next);
	assert_true(rate_begin_work(
	    table, &(struct ip){0}, &(struct limits){.threads = 1}, &works[5]));
	assert_null(rate_end_work(table, &none));
	assert_false(rate_has_line(table, &none));
	rate_free(table);
}

/* CPU time of counting a connection of each. */
static clock_t count_all(size_t count, const struct ip *addresses)
{
	struct rate_table *table = rate_new();
	clock_t began = clock(), took;

	for (size_t i = 0; i < count; i++) {
		rate_connect(table, &addresses[i], &limits_default);
		rate_disconnect(table, &addresses[i]);
	}
	took = clock() - began;
	assert_int_equal(rate_size(table), count);
	rate_free(table);
	return took;
}

static struct ip numbered(uint32_t number)
{
	const unsigned char bytes[16] = {0x20, 0x01, 0x0d, 0xb8,
	    (unsigned char)(number >> 24), (unsigned char)(number >> 16),
	    (unsigned char)(number >> 8), (unsigned char)number};

	return ip_from_bytes(IP_V6, bytes);
}

/* uthash's own hash has no secret: who has many networks could choose those
 * that stand in one row, for all the others to walk along. */
static void test_chosen_networks(void **state)
{
	enum { COUNT = 8000, ROW = 256 };
	static struct ip any[COUNT], chosen[COUNT];
	uint32_t number = 0;

	(void)state;
	for (size_t i = 0; i < COUNT; number++) {
		unsigned int hash;

		chosen[i] = numbered(number);
		HASH_JEN(&chosen[i], sizeof(chosen[i]), hash);
		i += hash % ROW == 0;
	}
	for (uint32_t i = 0; i < COUNT; i++)
		any[i] = numbered(i);
	assert_in_range(count_all(COUNT, chosen), 0,
	    10 * count_all(COUNT, any) + CLOCKS_PER_SEC / 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_networks),
	    cmocka_unit_test(test_minutes),
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_chosen_networks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
