/* SPDX-License-Identifier: Apache-2.0 */
#include "base/metrics.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/require.h"

enum {
	MAGIC = 0x47484d31, /* "GHM1" */
	SLOTS_MAX = 1024,
	GAUGE_SHARES = PROCESS_COUNT + 1, /* the last: of any other process */
};

/* The shared block.  Offsets are in it, so that reading needs no table of
 * its own; a block from a program with other rows has another fingerprint. */
struct metrics {
	uint32_t magic;
	uint64_t fingerprint;
	uint32_t offset[METRIC_COUNT];
	int64_t created_at;			  /* seconds since 1970 */
	_Atomic int64_t heartbeat[PROCESS_COUNT]; /* monotonic ms */
	atomic_bool expected[PROCESS_COUNT];
	_Atomic int64_t slot[SLOTS_MAX];
};

static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "a lock cannot be shared");

/* Set once at the start of a process: see the header. */
static struct metrics *in_use;
static size_t own_share = PROCESS_COUNT;

static size_t slots_of(const struct metric_spec *spec)
{
	/* A histogram has one more bucket for the rest, and its sum. */
	if (spec->kind == METRIC_HISTOGRAM)
		return metric_bucket_count(spec) + 2;
	if (spec->kind == METRIC_GAUGE)
		return GAUGE_SHARES;
	return metric_value_count(spec);
}

/* FNV-1a. */
static uint64_t mix(uint64_t hash, const void *bytes, size_t len)
{
	const unsigned char *at = bytes;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ at[i]) * 0x100000001b3ULL;
	return hash;
}

static uint64_t fingerprint(void)
{
	uint64_t hash = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < METRIC_COUNT; i++) {
		size_t slots = slots_of(&metric_specs[i]);

		hash = mix(
		    hash, metric_specs[i].name, strlen(metric_specs[i].name));
		hash = mix(hash, &slots, sizeof(slots));
	}
	return hash;
}

static void lay_out(struct metrics *metrics)
{
	size_t used = 0;

	for (size_t i = 0; i < METRIC_COUNT; i++) {
		metrics->offset[i] = (uint32_t)used;
		used += slots_of(&metric_specs[i]);
	}
	require(used <= SLOTS_MAX);
	metrics->fingerprint = fingerprint();
	metrics->magic = MAGIC;
}

/* NULL: err says why. */
static struct metrics *map(int fd, struct err *err)
{
	void *memory = mmap(NULL, sizeof(struct metrics),
	    PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (memory != MAP_FAILED)
		return memory;
	err_set_errno(err, "metrics: cannot map the block");
	return NULL;
}

bool metrics_create(struct metrics **ret, int *ret_fd, struct err *err)
{
	struct metrics *metrics;
	int fd = memfd_create("gatehouse-metrics", 0);

	if (fd < 0)
		return err_set_errno(err, "metrics: cannot make the block");
	if (ftruncate(fd, sizeof(struct metrics)) != 0) {
		err_set_errno(err, "metrics: cannot size the block");
		close(fd);
		return false;
	}
	metrics = map(fd, err);
	if (!metrics) {
		close(fd);
		return false;
	}
	lay_out(metrics);
	metrics->created_at = clock_now(NULL);
	*ret = metrics;
	*ret_fd = fd;
	return true;
}

bool metrics_open(int fd, struct metrics **ret, struct err *err)
{
	struct metrics *metrics;
	struct stat status;

	if (fstat(fd, &status) != 0)
		return err_set_errno(err, "metrics: descriptor %d", fd);
	/* Mapping less than a block would fault at the first count. */
	if (status.st_size != (off_t)sizeof(struct metrics))
		return err_set(err, E_CONFIG,
		    "metrics: descriptor %d is not a block of metrics", fd);
	metrics = map(fd, err);
	if (!metrics)
		return false;
	if (metrics->magic != MAGIC || metrics->fingerprint != fingerprint()) {
		metrics_close(metrics);
		return err_set(err, E_CONFIG,
		    "metrics: the block is of another version of the program");
	}
	*ret = metrics;
	return true;
}

void metrics_close(struct metrics *metrics)
{
	if (metrics)
		munmap(metrics, sizeof(*metrics));
}

int64_t metrics_created_at(const struct metrics *metrics)
{
	return metrics->created_at;
}

void metrics_use(struct metrics *metrics)
{
	in_use = metrics;
	own_share = PROCESS_COUNT;
}

static void add(enum metric metric, size_t at, int64_t step)
{
	if (in_use)
		atomic_fetch_add_explicit(
		    &in_use->slot[in_use->offset[metric] + at], step,
		    memory_order_relaxed);
}

void metrics_add(enum metric metric, int64_t step)
{
	const struct metric_spec *spec = &metric_specs[metric];

	require(spec->kind != METRIC_HISTOGRAM && !spec->label);
	require(step >= 0 || spec->kind == METRIC_GAUGE);
	add(metric, spec->kind == METRIC_GAUGE ? own_share : 0, step);
}

void metrics_set(enum metric metric, int64_t value)
{
	require(metric_specs[metric].kind == METRIC_GAUGE);
	if (in_use)
		atomic_store_explicit(
		    &in_use->slot[in_use->offset[metric] + own_share], value,
		    memory_order_relaxed);
}

void metrics_count(enum metric metric, struct slice word)
{
	const struct metric_spec *spec = &metric_specs[metric];
	size_t last = metric_value_count(spec) - 1, at = 0;

	require(spec->label && spec->kind != METRIC_HISTOGRAM);
	while (at < last && !slice_eq(word, slice_from(spec->values[at])))
		at++;
	add(metric, at, 1);
}

void metrics_count_reply(enum metric metric, int code)
{
	char class[] = "?xx";

	if (code >= 200 && code <= 599)
		class[0] = (char)('0' + code / 100);
	metrics_count(metric, slice_from(class));
}

void metrics_observe(enum metric metric, uint64_t value)
{
	const struct metric_spec *spec = &metric_specs[metric];
	size_t count = metric_bucket_count(spec), at = 0;

	require(spec->kind == METRIC_HISTOGRAM);
	while (at < count && value > spec->buckets[at])
		at++;
	add(metric, at, 1);
	add(metric, count + 1, (int64_t)value);
}

void metrics_act_as(enum metrics_process process)
{
	own_share = process;
	for (size_t i = 0; i < METRIC_COUNT; i++)
		if (metric_specs[i].kind == METRIC_GAUGE)
			metrics_set((enum metric)i, 0);
}

void metrics_heartbeat(enum metrics_process process)
{
	if (in_use)
		atomic_store_explicit(&in_use->heartbeat[process],
		    clock_monotonic_ms(), memory_order_relaxed);
}

void metrics_expect(enum metrics_process process)
{
	if (in_use)
		atomic_store_explicit(
		    &in_use->expected[process], true, memory_order_relaxed);
}

bool metrics_is_expected(enum metrics_process process)
{
	return in_use && atomic_load_explicit(
			     &in_use->expected[process], memory_order_relaxed);
}

int64_t metrics_heartbeat_age_ms(enum metrics_process process)
{
	int64_t at = 0, age;

	if (in_use)
		at = atomic_load_explicit(
		    &in_use->heartbeat[process], memory_order_relaxed);
	if (at == 0)
		return -1;
	age = clock_monotonic_ms() - at;
	return age < 0 ? 0 : age;
}

static int64_t read_slot(
    const struct metrics *metrics, enum metric metric, size_t at)
{
	return atomic_load_explicit(
	    &metrics->slot[metrics->offset[metric] + at], memory_order_relaxed);
}

int64_t metrics_read(
    const struct metrics *metrics, enum metric metric, size_t value)
{
	const struct metric_spec *spec = &metric_specs[metric];
	int64_t sum = 0;

	require(spec->kind != METRIC_HISTOGRAM);
	require(value < metric_value_count(spec));
	if (spec->kind != METRIC_GAUGE)
		return read_slot(metrics, metric, value);
	for (size_t i = 0; i < GAUGE_SHARES; i++)
		sum += read_slot(metrics, metric, i);
	return sum;
}

void metrics_read_histogram(const struct metrics *metrics, enum metric metric,
    uint64_t *ret_counts, uint64_t *ret_sum)
{
	const struct metric_spec *spec = &metric_specs[metric];
	size_t count = metric_bucket_count(spec);

	require(spec->kind == METRIC_HISTOGRAM);
	for (size_t i = 0; i <= count; i++)
		ret_counts[i] = (uint64_t)read_slot(metrics, metric, i);
	*ret_sum = (uint64_t)read_slot(metrics, metric, count + 1);
}
