/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/refusal.h"

#include "base/log.h"
#include "base/metrics.h"
#include "base/require.h"
#include "smtp/session.h"

#define FROM_NETWORK "too many connections from your network"

static const struct refusal refusals[] = {
    {"limits.connections", "4.3.2", "too many connections"},
    {"limits.connections_per_network", "4.7.0", FROM_NETWORK},
    {"limits.connection_rate", "4.7.0", FROM_NETWORK},
};

const struct refusal *refusal_find(const char *setting)
{
	const size_t count = sizeof(refusals) / sizeof(*refusals);
	size_t i = 0;

	while (i < count &&
	       !slice_eq(slice_from(refusals[i].setting), slice_from(setting)))
		i++;
	require(i < count);
	return &refusals[i];
}

void refusal_count(struct session_shared *shared, struct slice reason)
{
	atomic_fetch_add_explicit(&shared->refused, 1, memory_order_relaxed);
	metrics_count(METRIC_CONNECTIONS_REFUSED, reason);
}

void refusal_note(struct session_shared *shared, const struct refusal *refusal,
    const struct ip *ip, struct slice listener)
{
	struct slice setting = slice_from(refusal->setting);
	char text[IP_TEXT_MAX];

	refusal_count(shared, slice_from_pos(setting, sizeof("limits.") - 1));
	log_info("smtp.connection_refused",
	    LOG_T("client_ip", ip_format(ip, text)),
	    LOG_S("listener", listener), LOG_S("setting", setting));
}
