/* SPDX-License-Identifier: Apache-2.0 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/workers.h"

enum { MANY = 5000, THREADS_MAX = 64, IDLES = 2000, PATIENCE_S = 30 };

struct task {
	struct work work; /* first */
	void (*run)(struct task *task);
	struct workers *workers;
	sem_t *waits, *tells;
	struct task *next;
	atomic_int *done;
	int at; /* the number of those that were done before */
};

static void run_task(void *context, struct work *work)
{
	struct task *task = (struct task *)work;

	(void)context;
	task->run(task);
}

static void count(struct task *task)
{
	task->at = atomic_fetch_add(task->done, 1);
}

static bool wait_for(sem_t *sem)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	return sem_timedwait(sem, &until) == 0;
}

/* Nothing is counted if what it waits for does not come. */
static void wait_and_count(struct task *task)
{
	sem_post(task->tells);
	if (wait_for(task->waits))
		count(task);
}

static void post_next(struct task *task)
{
	count(task);
	if (task->next)
		workers_post(task->workers, &task->next->work);
}

static void test_order(void **state)
{
	static struct task tasks[MANY];
	struct workers *workers = workers_new(
	    1, WORKERS_IDLE_MS, run_task, NULL);
	atomic_int done = 0;

	(void)state;
	for (int i = 0; i < MANY; i++) {
		tasks[i] = (struct task){.run = count, .done = &done};
		workers_post(workers, &tasks[i].work);
	}
	assert_true(workers_threads(workers) <= 1);
	workers_free(workers);
	assert_int_equal(done, MANY);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(tasks[i].at, i);
}

/* It lies until the workers are gone. */
struct meeting {
	struct task tasks[THREADS_MAX];
	sem_t here, go;
};

/* All of them wait for each other: none may stand in line behind another. */
static void meet(struct meeting *meeting, struct workers *workers,
    size_t threads, atomic_int *done)
{
	int all = atomic_load(done) + (int)threads;

	sem_init(&meeting->here, 0, 0);
	sem_init(&meeting->go, 0, 0);
	for (size_t i = 0; i < threads; i++) {
		meeting->tasks[i] = (struct task){.run = wait_and_count,
		    .done = done,
		    .tells = &meeting->here,
		    .waits = &meeting->go};
		workers_post(workers, &meeting->tasks[i].work);
	}
	for (size_t i = 0; i < threads; i++)
		assert_true(wait_for(&meeting->here));
	assert_int_equal(workers_threads(workers), threads);
	for (size_t i = 0; i < threads; i++)
		sem_post(&meeting->go);
	while (atomic_load(done) < all)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void test_waiting_work(void **state)
{
	static const size_t numbers[] = {1, 2, 7, THREADS_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		struct workers *workers = workers_new(
		    numbers[i], WORKERS_IDLE_MS, run_task, NULL);
		struct meeting first, second;
		atomic_int done = 0;

		/* Threads are started, then idle ones are woken. */
		meet(&first, workers, numbers[i], &done);
		meet(&second, workers, numbers[i], &done);
		workers_free(workers);
		assert_int_equal(done, 2 * numbers[i]);
	}
}

/* What waits gets a thread when there may be more of them. */
static void test_max(void **state)
{
	struct workers *workers = workers_new(
	    1, WORKERS_IDLE_MS, run_task, NULL);
	atomic_int done = 0;
	sem_t here, go;
	struct task waiting = {
	    .run = wait_and_count, .done = &done, .tells = &here, .waits = &go};
	struct task next = {
	    .run = wait_and_count, .done = &done, .tells = &here, .waits = &go};

	(void)state;
	sem_init(&here, 0, 0);
	sem_init(&go, 0, 0);
	workers_post(workers, &waiting.work);
	assert_true(wait_for(&here));
	workers_set_max(workers, 2);
	workers_post(workers, &next.work);
	assert_true(wait_for(&here));
	assert_int_equal(workers_threads(workers), 2);
	sem_post(&go);
	sem_post(&go);
	workers_free(workers);
	assert_int_equal(done, 2);
	sem_destroy(&here);
	sem_destroy(&go);
}

static void test_work_that_posts(void **state)
{
	static struct task tasks[MANY];
	struct workers *workers = workers_new(
	    3, WORKERS_IDLE_MS, run_task, NULL);
	atomic_int done = 0;

	(void)state;
	for (int i = 0; i < MANY; i++)
		tasks[i] = (struct task){.run = post_next,
		    .workers = workers,
		    .next = i + 1 < MANY ? &tasks[i + 1] : NULL,
		    .done = &done};
	workers_post(workers, &tasks[0].work);
	workers_free(workers);
	assert_int_equal(done, MANY);
}

/* Threads that idle end, but for one, and no work is lost with them: not even
 * what comes at that moment, while the others wait for something. */
static void test_idle(void **state)
{
	static struct task tasks[IDLES];
	struct workers *workers = workers_new(THREADS_MAX, 1, run_task, NULL);
	static struct meeting meeting;
	atomic_int done = 0;
	struct task blocked;
	sem_t here, go;

	(void)state;
	meet(&meeting, workers, THREADS_MAX, &done);
	while (workers_threads(workers) > 1)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	workers_set_max(workers, 2);
	sem_init(&here, 0, 0);
	sem_init(&go, 0, 0);
	blocked = (struct task){
	    .run = wait_and_count, .done = &done, .tells = &here, .waits = &go};
	workers_post(workers, &blocked.work);
	assert_true(wait_for(&here));
	for (int i = 0; i < IDLES; i++) {
		int before = atomic_load(&done);

		tasks[i] = (struct task){.run = count, .done = &done};
		workers_post(workers, &tasks[i].work);
		for (int ms = 0; atomic_load(&done) == before; ms++) {
			assert_true(ms < PATIENCE_S * 1000);
			nanosleep(
			    &(struct timespec){.tv_nsec = 900000 + i * 100},
			    NULL);
		}
	}
	sem_post(&go);
	workers_free(workers);
	assert_int_equal(done, THREADS_MAX + IDLES + 1);
	sem_destroy(&here);
	sem_destroy(&go);
}

static atomic_bool no_threads;

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
    void *(*run)(void *), void *context)
{
	static int (*create)(
	    pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

	if (atomic_load(&no_threads))
		return EAGAIN;
	if (!create)
		*(void **)&create = dlsym(RTLD_NEXT, "pthread_create");
	return create(thread, attributes, run, context);
}

/* How often stderr, a file meanwhile, tells of it. */
static size_t count_lines_of(FILE *file)
{
	char line[1024];
	size_t count = 0;

	rewind(file);
	while (fgets(line, sizeof(line), file))
		count += strstr(line, " workers.no_thread ") != NULL;
	return count;
}

/* The threads that there are do all of it, and the log tells once. */
static void test_no_further_thread(void **state)
{
	static struct task tasks[MANY];
	struct workers *workers = workers_new(
	    THREADS_MAX, WORKERS_IDLE_MS, run_task, NULL);
	int saved = dup(STDERR_FILENO);
	FILE *file = tmpfile();
	atomic_int done = 0;

	(void)state;
	dup2(fileno(file), STDERR_FILENO);
	atomic_store(&no_threads, true);
	for (int i = 0; i < MANY; i++) {
		tasks[i] = (struct task){.run = count, .done = &done};
		workers_post(workers, &tasks[i].work);
	}
	assert_int_equal(workers_threads(workers), 1);
	workers_free(workers);
	atomic_store(&no_threads, false);
	dup2(saved, STDERR_FILENO);
	close(saved);
	assert_int_equal(done, MANY);
	assert_int_equal(count_lines_of(file), 1);
	fclose(file);
}

/* Without any, what is posted would wait for whoever posts next. */
static void test_no_thread(void **state)
{
	(void)state;
	atomic_store(&no_threads, true);
	assert_null(workers_new(1, WORKERS_IDLE_MS, run_task, NULL));
	assert_int_equal(errno, EAGAIN);
	atomic_store(&no_threads, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_waiting_work),
	    cmocka_unit_test(test_max),
	    cmocka_unit_test(test_work_that_posts),
	    cmocka_unit_test(test_idle),
	    cmocka_unit_test(test_no_further_thread),
	    cmocka_unit_test(test_no_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
