/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/metrics.h"

static bool is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || ascii_is_digit(c) || c == '_';
}

static bool ends(struct slice name, const char *suffix)
{
	return slice_ends_nocase(name, slice_from(suffix));
}

static void check_row(const struct metric_spec *spec)
{
	struct slice name = slice_from(spec->name);

	assert_true(slice_starts(name, SLICE("gatehouse_")));
	assert_true(slice_all(name, is_name_byte));
	assert_true(ends(slice_from(spec->help), "."));
	assert_int_equal(spec->kind == METRIC_COUNTER, ends(name, "_total"));
	if (spec->kind == METRIC_HISTOGRAM) {
		assert_true(ends(name, "_seconds") || ends(name, "_bytes"));
		assert_true(spec->divisor > 0);
		for (size_t i = 1; i < metric_bucket_count(spec); i++)
			assert_true(spec->buckets[i] > spec->buckets[i - 1]);
	}
	assert_int_equal(spec->label != NULL, spec->values != NULL);
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < METRIC_COUNT; i++) {
		assert_non_null(metric_specs[i].name);
		check_row(&metric_specs[i]);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(
			    metric_specs[i].name, metric_specs[k].name);
	}
}

static void test_without_block(void **state)
{
	(void)state;
	metrics_add(METRIC_CONNECTIONS, 1);
	metrics_count(METRIC_MESSAGES, SLICE("accept"));
	metrics_observe(METRIC_MESSAGE_SIZE, 1);
	assert_int_equal(metrics_heartbeat_age_ms(PROCESS_SMTP), -1);
}

static void test_words(void **state)
{
	struct metrics *metrics;
	uint64_t counts[32], sum;
	int fd;

	(void)state;
	assert_true(metrics_create(&metrics, &fd, NULL));
	metrics_use(metrics);
	metrics_count(METRIC_TLS_HANDSHAKES, SLICE("ok"));
	metrics_count(METRIC_MESSAGES, SLICE("reject"));
	metrics_count(METRIC_MESSAGES, SLICE("no such word"));
	metrics_count_reply(METRIC_SMTP_REPLIES, 250);
	metrics_count_reply(METRIC_SMTP_REPLIES, 550);
	metrics_count_reply(METRIC_SMTP_REPLIES, 999);
	assert_int_equal(metrics_read(metrics, METRIC_TLS_HANDSHAKES, 0), 1);
	assert_int_equal(metrics_read(metrics, METRIC_MESSAGES, 6), 1);
	assert_int_equal(metrics_read(metrics, METRIC_MESSAGES, 7), 1);
	assert_int_equal(metrics_read(metrics, METRIC_SMTP_REPLIES, 0), 1);
	assert_int_equal(metrics_read(metrics, METRIC_SMTP_REPLIES, 3), 1);
	assert_int_equal(metrics_read(metrics, METRIC_SMTP_REPLIES, 4), 1);

	metrics_observe(METRIC_MESSAGE_SIZE, 1024);
	metrics_observe(METRIC_MESSAGE_SIZE, 1025);
	metrics_observe(METRIC_MESSAGE_SIZE, UINT32_MAX);
	metrics_read_histogram(metrics, METRIC_MESSAGE_SIZE, counts, &sum);
	assert_int_equal(counts[0], 1);
	assert_int_equal(counts[1], 1);
	assert_int_equal(counts[10], 1);
	assert_int_equal(sum, 1024 + 1025 + (uint64_t)UINT32_MAX);

	metrics_add(METRIC_CONNECTIONS, 3);
	metrics_add(METRIC_CONNECTIONS, -1);
	assert_int_equal(metrics_read(metrics, METRIC_CONNECTIONS, 0), 2);
	metrics_use(NULL);
	metrics_close(metrics);
	close(fd);
}

/* A gauge is the sum of what each process has; one that was killed leaves
 * nothing behind once its successor is there. */
static void test_gauges(void **state)
{
	static const struct {
		enum metrics_process process;
		int64_t set, sum;
	} steps[] = {
	    {PROCESS_SMTP, 5, 5},
	    {PROCESS_MILTER, 2, 7},
	    {PROCESS_ADMIN, 1, 8},
	    {PROCESS_MILTER, 0, 6}, /* the next one */
	    {PROCESS_SMTP, 3, 4},
	};
	struct metrics *metrics;
	int fd;

	(void)state;
	assert_true(metrics_create(&metrics, &fd, NULL));
	metrics_use(metrics);
	metrics_count(METRIC_MESSAGES, SLICE("reject"));
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		metrics_act_as(steps[i].process);
		metrics_add(METRIC_STORE_WAITING, 9);
		metrics_set(METRIC_STORE_WAITING, steps[i].set);
		assert_int_equal(metrics_read(metrics, METRIC_STORE_WAITING, 0),
		    steps[i].sum);
	}
	assert_int_equal(metrics_read(metrics, METRIC_MESSAGES, 6), 1);
	metrics_use(NULL);
	metrics_close(metrics);
	close(fd);
}

static void *count_many(void *unused)
{
	for (int i = 0; i < 10000; i++)
		metrics_count(METRIC_MESSAGES, SLICE("accept"));
	return unused;
}

static void run_child(int fd)
{
	struct metrics *metrics;
	pthread_t threads[2];

	if (!metrics_open(fd, &metrics, NULL))
		_exit(1);
	metrics_use(metrics);
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, count_many, NULL);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	metrics_heartbeat(PROCESS_SMTP);
	_exit(0);
}

static void test_shared(void **state)
{
	struct metrics *metrics;
	int fd, status;
	pid_t child;

	(void)state;
	assert_true(metrics_create(&metrics, &fd, NULL));
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		run_child(fd);
	metrics_use(metrics);
	count_many(NULL);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(metrics_read(metrics, METRIC_MESSAGES, 0), 30000);
	assert_in_range(metrics_heartbeat_age_ms(PROCESS_SMTP), 0, 60000);
	assert_int_equal(metrics_heartbeat_age_ms(PROCESS_OUTBOX), -1);
	metrics_use(NULL);
	metrics_close(metrics);
	close(fd);
}

static void test_foreign_block(void **state)
{
	struct metrics *metrics = NULL;
	struct err err;
	int fd = memfd_create("other", 0), mine;

	(void)state;
	assert_false(metrics_open(fd, &metrics, &err));
	assert_int_equal(err.kind, E_CONFIG);
	close(fd);
	assert_true(metrics_create(&metrics, &mine, NULL));
	*(unsigned char *)metrics ^= 1;
	assert_false(metrics_open(mine, &metrics, &err));
	assert_int_equal(err.kind, E_CONFIG);
	metrics_close(metrics);
	close(mine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_without_block),
	    cmocka_unit_test(test_words),
	    cmocka_unit_test(test_gauges),
	    cmocka_unit_test(test_shared),
	    cmocka_unit_test(test_foreign_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
