/* SPDX-License-Identifier: Apache-2.0 */
/* The system is stood in for: one address, which moves, and a clock. */
#include "smtp/interfaces.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

int __wrap_getifaddrs(struct ifaddrs **ret);
void __wrap_freeifaddrs(struct ifaddrs *list);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret);

static const char *address; /* NULL: the system tells nothing */
static time_t now = 100;
static int asked;

int __wrap_getifaddrs(struct ifaddrs **ret)
{
	static struct sockaddr_in sockaddr;
	static struct ifaddrs without, with = {.ifa_next = &without};

	asked++;
	if (!address)
		return -1;
	sockaddr.sin_family = AF_INET;
	assert_int_equal(inet_pton(AF_INET, address, &sockaddr.sin_addr), 1);
	with.ifa_addr = (struct sockaddr *)&sockaddr;
	*ret = &with;
	return 0;
}

void __wrap_freeifaddrs(struct ifaddrs *list)
{
	assert_non_null(list);
}

int __wrap_clock_gettime(clockid_t id, struct timespec *ret)
{
	(void)id;
	*ret = (struct timespec){.tv_sec = now};
	return 0;
}

static bool have(const char *text)
{
	struct ip ip;

	assert_true(ip_parse(slice_from(text), &ip));
	return interfaces_have(&ip);
}

static void test_addresses(void **state)
{
	(void)state;
	address = "192.0.2.1";
	assert_true(have("127.0.0.7"));
	assert_true(have("::1"));
	assert_int_equal(asked, 0);
	assert_true(have("192.0.2.1"));
	assert_true(have("::ffff:192.0.2.1"));
	assert_false(have("192.0.2.2"));
	assert_false(have("2001:db8::1"));
	assert_int_equal(asked, 1);

	/* It moves, and is noticed a second later. */
	address = "192.0.2.2";
	assert_false(have("192.0.2.2"));
	now++;
	assert_true(have("192.0.2.2"));
	assert_false(have("192.0.2.1"));
	assert_int_equal(asked, 2);

	address = NULL;
	now++;
	assert_false(have("192.0.2.2"));
	assert_false(have("192.0.2.2"));
	assert_int_equal(asked, 3);
	address = "192.0.2.2";
	now++;
	assert_true(have("192.0.2.2"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
