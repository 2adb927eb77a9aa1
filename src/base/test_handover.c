/* SPDX-License-Identifier: Apache-2.0 */
#include "base/handover.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct gift {
	sem_t given, taken;
	int value; /* written by the giver, without a lock */
} gift;

static void *give(void *argument)
{
	for (int i = 1; i <= 1000; i++) {
		gift.value = i;
		sem_post(&gift.given);
		handover_wait(&gift.taken, DEADLINE_NEVER);
	}
	return argument;
}

static void test_values(void **state)
{
	pthread_t thread;

	(void)state;
	sem_init(&gift.given, 0, 0);
	sem_init(&gift.taken, 0, 0);
	assert_int_equal(pthread_create(&thread, NULL, give, NULL), 0);
	for (int i = 1; i <= 1000; i++) {
		assert_true(handover_wait(&gift.given, deadline_in(60000)));
		assert_int_equal(gift.value, i);
		sem_post(&gift.taken);
	}
	pthread_join(thread, NULL);
	sem_destroy(&gift.given);
	sem_destroy(&gift.taken);
}

static void test_deadline(void **state)
{
	int64_t before = clock_monotonic_ms();
	sem_t semaphore;

	(void)state;
	sem_init(&semaphore, 0, 0);
	assert_false(handover_wait(&semaphore, deadline_in(20)));
	assert_in_range(clock_monotonic_ms() - before, 20, 10000);
	assert_false(handover_wait(&semaphore, (struct deadline){1}));
	sem_post(&semaphore);
	assert_true(handover_wait(&semaphore, (struct deadline){1}));
	sem_destroy(&semaphore);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_values),
	    cmocka_unit_test(test_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
