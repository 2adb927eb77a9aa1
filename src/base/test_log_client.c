/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

static struct ip ip_of(const char *text)
{
	struct ip ip;

	assert_true(ip_parse(slice_from(text), &ip));
	return ip;
}

static struct log_client_rule rule_of(
    const char *network, unsigned int topics, int64_t in_ms)
{
	struct log_client_rule rule = {
	    .topics = topics, .until_ms = clock_now_ms(NULL) + in_ms};

	assert_true(ip_network_parse(slice_from(network), &rule.network, NULL));
	return rule;
}

static bool traces(const char *ip, enum log_topic topic)
{
	struct ip client = ip_of(ip);
	bool traced;

	log_client_begin(&client, 1234);
	traced = log_traces(topic);
	log_client_end();
	return traced;
}

static void test_rules(void **state)
{
	struct log_client_rule rules[] = {
	    rule_of("192.0.2.0/24", LOG_TOPIC_SMTP, 60000),
	    rule_of("192.0.2.7", LOG_TOPIC_DNS, 60000),
	    rule_of("2001:db8::/32", LOG_TOPIC_AUTH, 60000),
	    rule_of("198.51.100.1", LOG_TOPIC_SMTP, -1),
	};

	(void)state;
	assert_false(traces("192.0.2.7", LOG_TOPIC_SMTP));
	log_client_set(4, rules);
	assert_true(traces("192.0.2.7", LOG_TOPIC_SMTP));
	assert_true(traces("192.0.2.7", LOG_TOPIC_DNS));
	assert_false(traces("192.0.2.7", LOG_TOPIC_AUTH));
	assert_true(traces("192.0.2.8", LOG_TOPIC_SMTP));
	assert_false(traces("192.0.2.8", LOG_TOPIC_DNS));
	assert_true(traces("2001:db8::1", LOG_TOPIC_AUTH));
	assert_false(traces("203.0.113.1", LOG_TOPIC_SMTP));
	/* It has ended, though nobody took it away. */
	assert_false(traces("198.51.100.1", LOG_TOPIC_SMTP));
	assert_false(log_traces(LOG_TOPIC_SMTP));
	log_client_set(0, NULL);
	assert_false(traces("192.0.2.7", LOG_TOPIC_SMTP));
}

static void test_too_many_rules(void **state)
{
	struct log_client_rule rules[LOG_CLIENT_RULES_MAX + 1];

	(void)state;
	for (size_t i = 0; i < LOG_CLIENT_RULES_MAX; i++)
		rules[i] = rule_of("192.0.2.1", LOG_TOPIC_SMTP, 60000);
	rules[LOG_CLIENT_RULES_MAX] = rule_of(
	    "192.0.2.2", LOG_TOPIC_SMTP, 60000);
	log_client_set(LOG_CLIENT_RULES_MAX + 1, rules);
	assert_true(traces("192.0.2.1", LOG_TOPIC_SMTP));
	assert_false(traces("192.0.2.2", LOG_TOPIC_SMTP));
	log_client_set(0, NULL);
}

/* Topics of the configuration are traced for everybody. */
static void test_with_topics_for_all(void **state)
{
	(void)state;
	log_set_topics(LOG_TOPIC_AUTH);
	assert_true(traces("192.0.2.7", LOG_TOPIC_AUTH));
	assert_false(traces("192.0.2.7", LOG_TOPIC_SMTP));
	log_set_topics(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rules),
	    cmocka_unit_test(test_too_many_rules),
	    cmocka_unit_test(test_with_topics_for_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
