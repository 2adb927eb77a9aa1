/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/snapshot.h"

#include "base/memory.h"
#include "base/metrics.h"
#include "smtp/targets.h"
#include "smtp/tls_server.h"

/* A transaction has one next hop, and a route to MX records has one for each
 * domain. */
static bool needs_one_domain(const struct config *config)
{
	for (size_t i = 0; i < config->route_count; i++) {
		const struct conf_route *route = &config->routes[i];

		if (route->kind == NEXT_HOP_MX ||
		    !targets_same(route, &config->routes[0]))
			return true;
	}
	return false;
}

static bool load_certificate(
    struct smtp_snapshot *snapshot, size_t index, struct err *err)
{
	const struct conf_listener *listener =
	    &snapshot->gate.config->listeners[index];

	if (listener->role == ROLE_MILTER ||
	    slice_empty(listener->tls.certificate))
		return true;
	return tls_server_load(&listener->tls, &snapshot->tls[index], err) ||
	       err_prefix(err, "listener %.*s", SLICE_ARGS(listener->name));
}

static bool load_certificates(struct smtp_snapshot *snapshot, struct err *err)
{
	for (size_t i = 0; i < snapshot->gate.config->listener_count; i++)
		if (!load_certificate(snapshot, i, err))
			return false;
	return true;
}

static bool renew_certificates(struct smtp_snapshot *snapshot,
    const struct smtp_snapshot *old, void (*tell)(const struct err *err))
{
	bool all = true;

	for (size_t i = 0; i < snapshot->gate.config->listener_count; i++) {
		struct err err = {0};

		if (load_certificate(snapshot, i, &err))
			continue;
		snapshot->tls[i] = tls_server_hold(old->tls[i]);
		tell(&err);
		all = false;
	}
	return all;
}

/* The newest snapshot is the one that is shown to clients. */
static void tell_expiry(const struct smtp_snapshot *snapshot)
{
	int64_t earliest = 0;

	for (size_t i = 0; i < snapshot->gate.config->listener_count; i++) {
		int64_t at = snapshot->tls[i]
				 ? tls_server_expires(snapshot->tls[i])
				 : 0;

		if (at && (!earliest || at < earliest))
			earliest = at;
	}
	metrics_set(METRIC_CERTIFICATE_NOT_AFTER, earliest);
}

/* All but what is read from files of TLS. */
static struct smtp_snapshot *begin(const struct gate_context *gate)
{
	struct smtp_snapshot *snapshot = MEMORY_NEW(struct smtp_snapshot);

	snapshot->references = 1;
	snapshot->gate = *gate;
	config_hold(gate->config);
	if (gate->resolver)
		dns_resolver_hold(gate->resolver);
	snapshot->one_domain = needs_one_domain(gate->config);
	snapshot->pool = next_hop_pool_new(gate->config, gate->resolver);
	snapshot->tls = memory_new(
	    gate->config->listener_count + 1, sizeof(struct ssl_ctx_st *));
	return snapshot;
}

bool smtp_snapshot_new(const struct gate_context *gate,
    struct smtp_snapshot **ret, struct err *err)
{
	struct smtp_snapshot *snapshot = begin(gate);

	if (!load_certificates(snapshot, err) ||
	    !next_hop_pool_load_authorities(snapshot->pool, err)) {
		smtp_snapshot_release(snapshot);
		return false;
	}
	tell_expiry(snapshot);
	*ret = snapshot;
	return true;
}

bool smtp_snapshot_renew(const struct gate_context *gate,
    const struct smtp_snapshot *old, void (*tell)(const struct err *err),
    struct smtp_snapshot **ret)
{
	struct smtp_snapshot *snapshot = begin(gate);
	bool certificates = renew_certificates(snapshot, old, tell);
	bool authorities = next_hop_pool_renew_authorities(
	    snapshot->pool, old->pool, tell);

	tell_expiry(snapshot);
	*ret = snapshot;
	return certificates && authorities;
}

struct smtp_snapshot *smtp_snapshot_hold(struct smtp_snapshot *snapshot)
{
	atomic_fetch_add_explicit(
	    &snapshot->references, 1, memory_order_relaxed);
	return snapshot;
}

void smtp_snapshot_release(struct smtp_snapshot *snapshot)
{
	if (!snapshot || atomic_fetch_sub(&snapshot->references, 1) != 1)
		return;
	if (snapshot->pool)
		next_hop_pool_release(snapshot->pool);
	for (size_t i = 0; i < snapshot->gate.config->listener_count; i++)
		tls_server_free(snapshot->tls[i]);
	memory_free(snapshot->tls);
	if (snapshot->gate.resolver)
		dns_resolver_release(snapshot->gate.resolver);
	config_release(snapshot->gate.config);
	memory_free(snapshot);
}
