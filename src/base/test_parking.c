/* SPDX-License-Identifier: Apache-2.0 */
#include "base/parking.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cmocka.h>

enum { WAIT_MS = 5000 };

struct car {
	struct parked parked; /* first */
	int other;	      /* end of a pipe */
	atomic_int runs;
	bool parks_again;
};

struct fixture {
	pthread_mutex_t lock;
	struct parking parking;
	atomic_int runs;
};

static void park(
    struct fixture *fixture, struct car *car, int64_t wait_ms, uint32_t events)
{
	pthread_mutex_lock(&fixture->lock);
	parking_add(
	    &fixture->parking, &car->parked, deadline_in(wait_ms), events);
	pthread_mutex_unlock(&fixture->lock);
}

static void run(void *context, struct work *work)
{
	struct fixture *fixture = context;
	struct car *car = (struct car *)work;

	atomic_fetch_add(&car->runs, 1);
	if (car->parks_again)
		park(fixture, car, 60000, 0);
	atomic_fetch_add(&fixture->runs, 1);
}

static void set_up(struct fixture *fixture)
{
	*fixture = (struct fixture){.lock = PTHREAD_MUTEX_INITIALIZER};
	fixture->parking.lock = &fixture->lock;
	fixture->parking.epoll = epoll_create1(EPOLL_CLOEXEC);
	fixture->parking.workers = workers_new(
	    2, WORKERS_IDLE_MS, run, fixture);
	wheel_init(&fixture->parking.wheel, clock_monotonic_ms());
}

static void tear_down(struct fixture *fixture)
{
	workers_free(fixture->parking.workers);
	close(fixture->parking.epoll);
}

static void car_new(struct car *car)
{
	int ends[2];

	*car = (struct car){0};
	assert_int_equal(pipe(ends), 0);
	car->parked.fd = ends[0];
	car->other = ends[1];
}

static void car_end(struct car *car)
{
	close(car->parked.fd);
	close(car->other);
}

static bool take(struct fixture *fixture, struct car *car)
{
	bool taken;

	pthread_mutex_lock(&fixture->lock);
	taken = parking_take(&fixture->parking, &car->parked);
	pthread_mutex_unlock(&fixture->lock);
	return taken;
}

static void await_runs(struct fixture *fixture, int count)
{
	for (int i = 0; i < WAIT_MS && atomic_load(&fixture->runs) < count; i++)
		usleep(1000);
	assert_int_equal(atomic_load(&fixture->runs), count);
}

/* Its event fires once, until it is parked again. */
static void test_event(void **state)
{
	struct epoll_event event;
	struct fixture fixture;
	struct car car;

	(void)state;
	set_up(&fixture);
	car_new(&car);
	for (int round = 0; round < 2; round++) {
		park(&fixture, &car, 60000, EPOLLIN);
		assert_int_equal(
		    epoll_wait(fixture.parking.epoll, &event, 1, 0), round);
		if (round == 0) {
			assert_int_equal(write(car.other, "x", 1), 1);
			assert_int_equal(
			    epoll_wait(fixture.parking.epoll, &event, 1, 0), 1);
		}
		assert_ptr_equal(event.data.ptr, &car);
		assert_int_equal(
		    epoll_wait(fixture.parking.epoll, &event, 1, 0), 0);
		assert_true(take(&fixture, &car));
		assert_false(take(&fixture, &car));
	}
	car_end(&car);
	tear_down(&fixture);
}

/* Its time wakes it, and then no event does. */
static void test_time(void **state)
{
	struct epoll_event event;
	struct fixture fixture;
	struct car soon, late;

	(void)state;
	set_up(&fixture);
	car_new(&soon);
	car_new(&late);
	park(&fixture, &soon, 0, EPOLLIN);
	park(&fixture, &late, 60000, 0);
	assert_int_equal(parking_count(&fixture.parking), 2);
	usleep((WHEEL_TICK_MS + 10) * 1000);
	parking_wake_due(&fixture.parking);
	await_runs(&fixture, 1);
	assert_int_equal(soon.runs, 1);
	assert_int_equal(write(soon.other, "x", 1), 1);
	assert_int_equal(epoll_wait(fixture.parking.epoll, &event, 1, 0), 0);
	assert_int_equal(parking_count(&fixture.parking), 1);
	assert_true(take(&fixture, &late));
	car_end(&soon);
	car_end(&late);
	tear_down(&fixture);
}

/* Each once, those that park again at once as well. */
static void test_all(void **state)
{
	enum { COUNT = 100 };
	static struct car cars[COUNT];
	struct fixture fixture;

	(void)state;
	set_up(&fixture);
	for (int i = 0; i < COUNT; i++) {
		car_new(&cars[i]);
		cars[i].parks_again = true;
		park(&fixture, &cars[i], 60000, i % 2 ? EPOLLIN : 0);
	}
	parking_wake_all(&fixture.parking);
	await_runs(&fixture, COUNT);
	for (int i = 0; i < COUNT; i++) {
		assert_int_equal(cars[i].runs, 1);
		assert_true(take(&fixture, &cars[i]));
		car_end(&cars[i]);
	}
	tear_down(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_event),
	    cmocka_unit_test(test_time),
	    cmocka_unit_test(test_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
