/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of DNS, when, and what is counted of a message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/metrics.h"
#include "gate/gate_private.h"
#include "gate/test_stage.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

#define REST                                                                   \
	"To: user@agency.example\r\nSubject: s\r\nMessage-ID: "                \
	"<1@x.example>\r\n"                                                    \
	"Date: Fri, 1 Jan 2027 00:00:00 +0000\r\n\r\nbody\r\n"
#define TWO "From: a@plain.example, b@monitor.example\r\n" REST

static int use_metrics(void **state)
{
	struct metrics *metrics;
	int fd;

	if (!metrics_create(&metrics, &fd, NULL))
		return -1;
	close(fd);
	metrics_use(metrics);
	*state = metrics;
	return 0;
}

static int leave_metrics(void **state)
{
	metrics_use(NULL);
	metrics_close(*state);
	return 0;
}

static int64_t total(const struct metrics *metrics, enum metric metric)
{
	int64_t sum = 0;

	for (size_t i = 0; i < metric_value_count(&metric_specs[metric]); i++)
		sum += metrics_read(metrics, metric, i);
	return sum;
}

static int64_t counted(
    const struct metrics *metrics, enum metric metric, const char *word)
{
	const char *const *values = metric_specs[metric].values;

	for (size_t i = 0; values[i]; i++)
		if (!strcmp(values[i], word))
			return metrics_read(metrics, metric, i);
	fail_msg("no value %s", word);
	return 0;
}

static const enum metric results[] = {METRIC_SPF_RESULTS, METRIC_DKIM_RESULTS,
    METRIC_ARC_RESULTS, METRIC_DMARC_RESULTS, METRIC_OWN_DOMAIN_RESULTS,
    METRIC_DNS_QUERIES, METRIC_DNS_FAILURES, METRIC_POLICY_REPORTS};

/* From here to expect(): judges one message. */
static struct gate_message *judge(
    struct stage *stage, const struct stage_input *more, const char *text)
{
	struct stage_input input = *more;
	struct smtp_reply_text reply;
	struct gate_message *message;
	size_t body;

	if (!input.ip)
		input.ip = STRANGER;
	input.mail_from = BOUNCE;
	stage_set(stage, &input);
	message = gate_begin(stage->arena, &stage->context, &stage->envelope);
	/* As at RCPT: it is asked for once all the same. */
	gate_own_domain_suspect(message, &reply);
	assert_true(gate_header(message, slice_from(text), NULL));
	body = gate_body_offset(message);
	gate_body(message, slice_from(text + body));
	gate_decide(message, slice_from(text));
	return message;
}

/* Rows are judged one after another: counts are those of each. */
static const struct {
	const char *name, *message;
	struct stage_input input;
	struct {
		enum metric metric;
		const char *word;
		int64_t count;
	} counts[9];
	int64_t all[COUNT(results)];
} rows[] = {
    {"a stranger", "DKIM-Signature: v=1\r\n" TWO, {0},
	{{METRIC_SPF_RESULTS, "pass", 1}, {METRIC_DKIM_RESULTS, "neutral", 1},
	    {METRIC_ARC_RESULTS, "none", 1}, {METRIC_DMARC_RESULTS, "none", 1},
	    {METRIC_DMARC_RESULTS, "fail", 1},
	    {METRIC_OWN_DOMAIN_RESULTS, "none", 1},
	    {METRIC_DNS_QUERIES, "TXT", 5}},
	{1, 1, 1, 2, 1, 5, 0, 0}},
    {"one of us", "DKIM-Signature: v=1\r\n" TWO, {.user = "ceo"}, {{0}}, {0}},
    {"no answer", "From: a@down.example\r\n" REST, {0},
	{{METRIC_DKIM_RESULTS, "none", 1}, {METRIC_DNS_FAILURES, "servfail", 1},
	    {METRIC_DMARC_RESULTS, "temperror", 1}},
	{1, 1, 1, 1, 1, 4, 1, 0}},
    {"the bank", "From: a@bank.example\r\n" REST, {0},
	{{METRIC_DMARC_RESULTS, "fail", 1}}, {1, 1, 1, 1, 1, 4, 0, 0}},
    {"the bank, reported", "From: a@bank.example\r\n" REST,
	{.config = AUTHENTICATION("dmarc: {enforce: false}")},
	{{METRIC_POLICY_REPORTS, "dmarc", 1}}, {1, 1, 1, 1, 1, 4, 0, 1}},
    {"us", "From: a@agency.example\r\n" REST, {0},
	{{METRIC_OWN_DOMAIN_RESULTS, "fail", 1}}, {1, 1, 1, 1, 1, 4, 0, 0}},
};

static void test_counts(void **state)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct stage stage;

		use_metrics(state);
		judge(&stage, &rows[i].input, rows[i].message);
		stage_clear(&stage);
		for (size_t j = 0; rows[i].counts[j].word; j++) {
			int64_t count = counted(*state,
			    rows[i].counts[j].metric, rows[i].counts[j].word);

			if (count != rows[i].counts[j].count)
				fail_msg("%s: %s %lld", rows[i].name,
				    rows[i].counts[j].word, (long long)count);
		}
		for (size_t j = 0; j < COUNT(results); j++)
			if (total(*state, results[j]) != rows[i].all[j])
				fail_msg("%s: %s %lld", rows[i].name,
				    metric_specs[results[j]].name,
				    (long long)total(*state, results[j]));
		leave_metrics(state);
	}
}

/* A name server that does not answer is another failure than one that says
 * that it fails. */
static void test_no_answer(void **state)
{
	static const struct dns_failure failures[] = {
	    {.name = SLICE_INIT("_dmarc.plain.example"),
		.any_type = true,
		.timeout = true},
	    {.name = SLICE_INIT("agency.example"), .any_type = true},
	};
	struct dns_settings settings = {
	    .zone_text = SLICE("x.example. 300 TXT x\n"),
	    .failure_count = COUNT(failures),
	    .failures = failures,
	    .query_timeout_ms = 1000,
	};
	struct stage_input input = {
	    .ip = STRANGER, .mail_from = "ceo@agency.example"};
	struct gate_message *message;
	struct stage stage;
	struct err err;

	use_metrics(state);
	stage_set(&stage, &input);
	dns_resolver_release(stage.context.resolver);
	assert_true(
	    dns_resolver_open(&settings, &stage.context.resolver, &err));
	message = gate_begin(stage.arena, &stage.context, &stage.envelope);
	assert_true(gate_header(
	    message, SLICE("From: a@plain.example\r\n" REST), NULL));
	gate_decide(message, SLICE("From: a@plain.example\r\n" REST));
	stage_clear(&stage);
	assert_int_equal(counted(*state, METRIC_DNS_FAILURES, "timeout"), 1);
	assert_int_equal(counted(*state, METRIC_DNS_FAILURES, "servfail"), 1);
	assert_int_equal(total(*state, METRIC_DNS_FAILURES), 2);
	assert_int_equal(
	    counted(*state, METRIC_OWN_DOMAIN_RESULTS, "temperror"), 1);
	leave_metrics(state);
}

/* What a limit of ours fails has a word of its own, also where it was not even
 * asked. */
static void test_limit(void **state)
{
	static const char text[] = "From: a@a.example, a@b.example, "
				   "a@c.example, a@d.example, a@e.example, "
				   "a@f.example, a@g.example, "
				   "a@h.example\r\n" REST;
	struct stage_input input = {.config = "limits: {dns_queries: 10}\n"};
	struct stage stage;

	use_metrics(state);
	judge(&stage, &input, text);
	stage_clear(&stage);
	assert_int_equal(total(*state, METRIC_DNS_QUERIES), 10);
	assert_true(counted(*state, METRIC_DNS_FAILURES, "limit") > 0);
	assert_int_equal(total(*state, METRIC_DNS_FAILURES),
	    counted(*state, METRIC_DNS_FAILURES, "limit"));
	leave_metrics(state);
}

/* Who is sent away at RCPT has cost a query too. */
static void test_refused_early(void **state)
{
	struct stage_input input = {
	    .ip = STRANGER, .mail_from = "ceo@agency.example"};
	struct smtp_reply_text reply;
	struct gate_message *message;
	struct stage stage;

	use_metrics(state);
	stage_set(&stage, &input);
	message = gate_begin(stage.arena, &stage.context, &stage.envelope);
	assert_true(gate_own_domain_suspect(message, &reply));
	gate_end(message);
	stage_clear(&stage);
	assert_int_equal(counted(*state, METRIC_DNS_QUERIES, "TXT"), 1);
	leave_metrics(state);
}

/* As early as what it needs is known; nothing for our own people. */
static void test_early(void **state)
{
	static const struct {
		struct stage_input input;
		size_t at_mail, with_header;
	} cases[] = {
	    {{.ip = STRANGER}, 1, 4},
	    {{.ip = STRANGER, .user = "ceo"}, 0, 0},
	    {{.ip = "192.0.2.130", .tls_name = "m.protection.example"}, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct stage_input input = cases[i].input;
		const struct dns_query_record *queries;
		struct gate_message *message;
		struct stage stage;

		input.mail_from = BOUNCE;
		stage_set(&stage, &input);
		message = gate_begin(
		    stage.arena, &stage.context, &stage.envelope);
		assert_int_equal(dns_session_queries(message->dns, &queries),
		    cases[i].at_mail);
		assert_true(gate_header(message, SLICE(TWO), NULL));
		assert_int_equal(dns_session_queries(message->dns, &queries),
		    cases[i].with_header);
		stage_clear(&stage);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_counts),
	    cmocka_unit_test(test_no_answer),
	    cmocka_unit_test(test_limit),
	    cmocka_unit_test(test_refused_early),
	    cmocka_unit_test(test_early),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
