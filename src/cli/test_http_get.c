/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/http_get.h"
#include "cli/samples.h"

static void test_answers(void **state)
{
	static const struct {
		const char *text;
		unsigned int status; /* 0: not an answer */
		const char *body;
	} cases[] = {
	    {"HTTP/1.1 200 OK\r\nA: b\r\n\r\nready\n", 200, "ready\n"},
	    {"HTTP/1.0 503 No\r\n\r\n", 503, ""},
	    {"HTTP/1.1 200\r\n\r\nx", 200, "x"},
	    {"HTTP/1.1 200 OK\r\nA: b\r\n", 0, ""},
	    {"HTTP/2 200 OK\r\n\r\n", 0, ""},
	    {"HTTP/1.1 2x0 OK\r\n\r\n", 0, ""},
	    {"HTTP/1.1 099 OK\r\n\r\n", 0, ""},
	    {"HTTP/1.1 600 OK\r\n\r\n", 0, ""},
	    {"HTTP/1.\r\n\r\n", 0, ""},
	    {"220 mx1.agency.example ESMTP\r\n\r\n", 0, ""},
	    {"", 0, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct http_answer answer = {0};
		struct err err = {0};
		bool ok = http_answer_parse(
		    slice_from(cases[i].text), &answer, &err);

		print_message("case %zu\n", i);
		assert_int_equal(ok, cases[i].status != 0);
		assert_int_equal(answer.status, cases[i].status);
		assert_int_equal(err.kind, ok ? E_NONE : E_SYNTAX);
		assert_true(slice_eq(answer.body, slice_from(cases[i].body)));
	}
}

static const char samples[] =
    "# HELP gatehouse_connections now\n"
    "gatehouse_connections_accepted_total 9\n"
    "gatehouse_connections 3\n"
    "gatehouse_heartbeat_age_seconds{process=\"smtp\"} 1.250\n"
    "gatehouse_messages_total{verdict=\"accept\"} 5\n"
    "gatehouse_messages_total{verdict=\"reject\"} 2\n"
    "gatehouse_milter_connections -1\n"
    "gatehouse_store_waiting x";

static void test_samples(void **state)
{
	static const struct {
		const char *series;
		bool there;
		uint64_t value;
	} cases[] = {
	    {"gatehouse_connections", true, 3},
	    {"gatehouse_connections_accepted_total", true, 9},
	    {"gatehouse_heartbeat_age_seconds{process=\"smtp\"}", true, 1},
	    {"gatehouse_heartbeat_age_seconds", false, 0},
	    {"gatehouse_milter_connections", false, 0},
	    {"gatehouse_store_waiting", false, 0},
	    {"gatehouse_none", false, 0},
	};
	struct slice text = slice_from(samples);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t value = 0;

		print_message("%s\n", cases[i].series);
		assert_int_equal(
		    samples_find(text, slice_from(cases[i].series), &value),
		    cases[i].there);
		assert_int_equal(value, cases[i].value);
	}
	assert_int_equal(samples_value(text, METRIC_CONNECTIONS, 0), 3);
	assert_int_equal(samples_sum(text, METRIC_MESSAGES), 7);
	assert_int_equal(samples_sum(text, METRIC_DNS_FAILURES), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_answers),
	    cmocka_unit_test(test_samples),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
