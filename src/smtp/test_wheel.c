/* SPDX-License-Identifier: Apache-2.0 */
/* Deadlines of parked sessions, and counts per network. */
#include "smtp/wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "smtp/rate.h"

static struct wheel wheel;

static void add(struct wheel_entry *entry, int64_t at_ms)
{
	wheel_add(&wheel, entry, (struct deadline){at_ms});
}

static void test_expiry(void **state)
{
	const int64_t turn = WHEEL_TICK_MS * WHEEL_SLOTS;
	struct wheel_entry past = {0}, soon = {0}, gone = {0}, far = {0},
			   never = {0};

	(void)state;
	wheel_init(&wheel, 1000000);
	add(&past, 5);
	add(&soon, 1000000 + 250);
	add(&gone, 1000000 + 250);
	add(&far, 1000000 + 2 * turn + 50);
	wheel_add(&wheel, &never, DEADLINE_NEVER);
	wheel_remove(&wheel, &gone);
	wheel_remove(&wheel, &gone);
	assert_ptr_equal(wheel_expire(&wheel, 1000000), &past);
	assert_null(wheel_expire(&wheel, 1000000 + 249));
	assert_ptr_equal(wheel_expire(&wheel, 1000000 + 400), &soon);
	assert_null(wheel_expire(&wheel, 1000000 + 400));
	assert_null(wheel_expire(&wheel, 1000000 + turn + 500));
	assert_null(wheel_expire(&wheel, 1000000 + 2 * turn));
	assert_ptr_equal(wheel_expire(&wheel, 1000000 + 2 * turn + 300), &far);
	assert_null(wheel_expire(&wheel, 1000000 + 9 * turn));
	assert_int_equal(wheel.count, 1);
	assert_ptr_equal(wheel_take_any(&wheel), &never);
	assert_null(wheel_take_any(&wheel));
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
	    .message_rate = 1};
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
	for (int i = 0; i < 10; i++)
		assert_null(rate_message(table, &none, &limits));
	assert_int_equal(rate_size(table), 3);
	rate_free(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_expiry),
	    cmocka_unit_test(test_networks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
