/* SPDX-License-Identifier: Apache-2.0 */
/* The routes, one row each.  All are GET without parameters. */
#include "admin/admin_private.h"

/* The SMTP process beats every few seconds; longer than this is a hang. */
enum { HEARTBEAT_MAX_MS = 30000 };

static unsigned int answer_metrics(struct admin_state *state, struct buf *body)
{
	uint64_t size = 0;
	bool has_size = readiness_store_size(state, &size);

	exposition_render(state->metrics, has_size ? &size : NULL, body);
	return 200;
}

static unsigned int answer_health(struct admin_state *state, struct buf *body)
{
	(void)state;
	buf_add_text(body, "ok\n");
	return 200;
}

static bool smtp_lives(struct buf *body)
{
	int64_t age = metrics_heartbeat_age_ms(PROCESS_SMTP);

	if (age >= 0 && age <= HEARTBEAT_MAX_MS)
		return true;
	if (age < 0)
		buf_add_text(body, "smtp: not started\n");
	else
		buf_add_format(body, "smtp: no sign of life for %lld s\n",
		    (long long)age / 1000);
	return false;
}

/* It runs only where a listener needs it. */
static bool milter_lives(struct buf *body)
{
	int64_t age = metrics_heartbeat_age_ms(PROCESS_MILTER);

	if (age <= HEARTBEAT_MAX_MS)
		return true;
	buf_add_format(body, "milter: no sign of life for %lld s\n",
	    (long long)age / 1000);
	return false;
}

static unsigned int answer_ready(struct admin_state *state, struct buf *body)
{
	struct err err = {.kind = E_NONE};
	bool smtp = smtp_lives(body), milter = milter_lives(body);
	bool stores = readiness_store(state, &err);

	if (!stores)
		buf_add_format(body, "store: %s\n", err_kind_name(err.kind));
	if (!smtp || !milter || !stores)
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
