/* SPDX-License-Identifier: Apache-2.0 */
/* Counts per network. */
#include "smtp/rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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
	    cmocka_unit_test(test_networks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
