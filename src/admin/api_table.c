/* SPDX-License-Identifier: Apache-2.0 */
/* The routes, one row each.  All are GET (or HEAD) without parameters. */
#include "admin/admin_private.h"

/* A process beats every few seconds; longer than this is a hang. */
enum { HEARTBEAT_MAX_MS = 30000 };

/* smtp always runs, milter only where a listener needs it. */
static const struct {
	enum metrics_process process;
	const char *name;
	bool is_always_expected;
} wanted[] = {
    {PROCESS_SMTP, "smtp", true},
    {PROCESS_MILTER, "milter", false},
};

enum { WANTED = sizeof(wanted) / sizeof(wanted[0]) };

static bool lives(size_t i)
{
	int64_t age = metrics_heartbeat_age_ms(wanted[i].process);

	if (age < 0)
		return !wanted[i].is_always_expected &&
		       !metrics_is_expected(wanted[i].process);
	return age <= HEARTBEAT_MAX_MS;
}

static bool all_live(void)
{
	for (size_t i = 0; i < WANTED; i++)
		if (!lives(i))
			return false;
	return true;
}

static void tell_dead(struct buf *body)
{
	for (size_t i = 0; i < WANTED; i++) {
		int64_t age = metrics_heartbeat_age_ms(wanted[i].process);

		if (lives(i))
			continue;
		if (age < 0)
			buf_add_format(
			    body, "%s: not started\n", wanted[i].name);
		else
			buf_add_format(body, "%s: no sign of life for %lld s\n",
			    wanted[i].name, (long long)age / 1000);
	}
}

/* The text has paths and the words of the system: for this host alone. */
static void tell_disk(const struct admin_state *state, const char *name,
    const struct err *err, struct buf *body)
{
	static const struct slice title = SLICE_INIT("store: ");
	struct slice text = slice_from(err->text);

	if (err->kind == E_NONE)
		return;
	if (slice_starts(text, title))
		text = slice_from_pos(text, title.len);
	buf_add_format(body, "%s: %s", name, err_kind_name(err->kind));
	if (state->is_private)
		buf_add_format(body, ": %.*s", SLICE_ARGS(text));
	buf_add_byte(body, '\n');
}

static unsigned int answer_metrics(struct admin_state *state, struct buf *body)
{
	struct exposition_extra extra = {0};
	struct admin_probe probes[DISKS];
	uint64_t size = 0;
	bool is_ready;

	if (readiness_sizes(state, &size, probes)) {
		extra.store_size = size ? &size : NULL;
		extra.probes = probes;
	}
	if (readiness_disks_known(state, &is_ready)) {
		is_ready = is_ready && all_live();
		extra.is_ready = &is_ready;
	}
	exposition_render(state->metrics, &extra, body);
	return 200;
}

static unsigned int answer_health(struct admin_state *state, struct buf *body)
{
	(void)state;
	buf_add_text(body, "ok\n");
	return 200;
}

static unsigned int answer_ready(struct admin_state *state, struct buf *body)
{
	struct admin_probe probes[DISKS];

	tell_dead(body);
	readiness_disks(state, probes);
	for (size_t i = 0; i < DISKS; i++)
		tell_disk(state, admin_disk_names[i], &probes[i].err, body);
	if (buf_slice(body).len)
		return 503;
	buf_add_text(body, "ready\n");
	return 200;
}

#define TEXT "text/plain; charset=utf-8"

const struct api_route api_routes[] = {
    {"/metrics", "text/plain; version=0.0.4; charset=utf-8",
	"counters for Prometheus", answer_metrics},
    {"/healthz", TEXT, "this process answers", answer_health},
    {"/readyz", TEXT, "mail can be taken", answer_ready},
};

const size_t api_route_count = sizeof(api_routes) / sizeof(api_routes[0]);
