/* SPDX-License-Identifier: Apache-2.0 */
/* The block of metrics as text, format version 0.0.4 of Prometheus. */
#include "admin/admin_private.h"

static const char *const kinds[] = {
    [METRIC_COUNTER] = "counter",
    [METRIC_GAUGE] = "gauge",
    [METRIC_HISTOGRAM] = "histogram",
};

/* Names, help and label values are our own constants without quotes or
 * backslashes: nothing to escape. */
static void add_head(
    struct buf *out, const char *name, const char *help, enum metric_kind kind)
{
	buf_add_format(
	    out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kinds[kind]);
}

static void add_values(
    const struct metrics *metrics, enum metric metric, struct buf *out)
{
	const struct metric_spec *spec = &metric_specs[metric];

	for (size_t i = 0; i < metric_value_count(spec); i++) {
		buf_add_text(out, spec->name);
		if (spec->label)
			buf_add_format(
			    out, "{%s=\"%s\"}", spec->label, spec->values[i]);
		buf_add_format(out, " %lld\n",
		    (long long)metrics_read(metrics, metric, i));
	}
}

static void add_histogram(
    const struct metrics *metrics, enum metric metric, struct buf *out)
{
	enum { BUCKETS_MAX = 64 };
	const struct metric_spec *spec = &metric_specs[metric];
	size_t count = metric_bucket_count(spec);
	double unit = (double)spec->divisor;
	uint64_t counts[BUCKETS_MAX] = {0}, sum = 0, below = 0;

	if (count + 1 > BUCKETS_MAX)
		return;
	metrics_read_histogram(metrics, metric, counts, &sum);
	for (size_t i = 0; i < count; i++) {
		below += counts[i];
		buf_add_format(out, "%s_bucket{le=\"%.10g\"} %llu\n",
		    spec->name, (double)spec->buckets[i] / unit,
		    (unsigned long long)below);
	}
	below += counts[count];
	buf_add_format(out,
	    "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %.15g\n%s_count %llu\n",
	    spec->name, (unsigned long long)below, spec->name,
	    (double)sum / unit, spec->name, (unsigned long long)below);
}

static void add_heartbeats(struct buf *out)
{
	static const char *const names[] = {
	    [PROCESS_SMTP] = "smtp",
	    [PROCESS_ADMIN] = "admin",
	    [PROCESS_OUTBOX] = "outbox",
	    [PROCESS_MILTER] = "milter",
	};
	static const char name[] = "gatehouse_heartbeat_age_seconds";

	add_head(out, name, "Since a process last said that it is alive.",
	    METRIC_GAUGE);
	for (size_t i = 0; i < PROCESS_COUNT; i++) {
		int64_t age = metrics_heartbeat_age_ms((enum metrics_process)i);

		if (age >= 0)
			buf_add_format(out, "%s{process=\"%s\"} %.3f\n", name,
			    names[i], (double)age / 1000);
	}
}

static void add_start(const struct metrics *metrics, struct buf *out)
{
	static const char name[] = "gatehouse_start_time_seconds";

	add_head(
	    out, name, "When the service started, since 1970.", METRIC_GAUGE);
	buf_add_format(
	    out, "%s %lld\n", name, (long long)metrics_created_at(metrics));
}

static void add_ready(bool is_ready, struct buf *out)
{
	static const char name[] = "gatehouse_ready";

	add_head(out, name, "1 if mail can be taken: what /readyz says.",
	    METRIC_GAUGE);
	buf_add_format(out, "%s %d\n", name, is_ready);
}

static void add_store_size(uint64_t size, struct buf *out)
{
	static const char name[] = "gatehouse_store_size_bytes";

	add_head(out, name, "Of the database and its log, on the disk.",
	    METRIC_GAUGE);
	buf_add_format(out, "%s %llu\n", name, (unsigned long long)size);
}

static void add_room(const struct admin_probe *probes, struct buf *out)
{
	static const char name[] = "gatehouse_room_bytes";

	add_head(out, name,
	    "What the store, or the spool on its disk, still takes.",
	    METRIC_GAUGE);
	for (size_t i = 0; i < DISKS; i++)
		if (probes[i].knows_room)
			buf_add_format(out, "%s{disk=\"%s\"} %llu\n", name,
			    admin_disk_names[i],
			    (unsigned long long)probes[i].room);
}

void exposition_render(const struct metrics *metrics,
    const struct exposition_extra *extra, struct buf *out)
{
	for (size_t i = 0; i < METRIC_COUNT; i++) {
		const struct metric_spec *spec = &metric_specs[i];

		add_head(out, spec->name, spec->help, spec->kind);
		if (spec->kind == METRIC_HISTOGRAM)
			add_histogram(metrics, (enum metric)i, out);
		else
			add_values(metrics, (enum metric)i, out);
	}
	add_start(metrics, out);
	add_heartbeats(out);
	if (extra->is_ready)
		add_ready(*extra->is_ready, out);
	if (extra->store_size)
		add_store_size(*extra->store_size, out);
	if (extra->probes)
		add_room(extra->probes, out);
}
