/* SPDX-License-Identifier: Apache-2.0 */
/* The child that speaks SMTP: sessions, DNS, the store's writer. */
#include <stdlib.h>

#include "auth/dkim_key.h"
#include "base/log.h"
#include "base/metrics.h"
#include "cli/certificate_watch.h"
#include "cli/child.h"
#include "cli/command.h"
#include "cli/resolver_config.h"
#include "cli/supervisor.h"
#include "cli/trace_rules.h"
#include "smtp/server.h"

enum {
	KEY_CACHE_MAX = 4096,
	EXPIRE_EVERY_MS = 600 * 1000,
	WARN_EVERY_MS = 24 * 3600 * 1000,
};

struct smtp_child {
	struct arena *arena;
	const char *config_path;
	struct child_process *process;
	struct config *config;	       /* the newest one */
	struct dns_resolver *resolver; /* of that */
	struct store *store;
	struct dkim_key_cache *key_cache;
	struct smtp_server *server;
	struct dns_statistics dns_seen;
	struct file_watch certificates;
	struct trace_follower trace;
	int64_t expire_at_ms, warn_at_ms;
};

static struct gate_context context_of(const struct smtp_child *child)
{
	return (struct gate_context){
	    .config = child->config,
	    .resolver = child->resolver,
	    .store = child->store,
	    .key_cache = child->key_cache,
	};
}

static bool start_server(struct smtp_child *child, struct err *err)
{
	const char *text = getenv(CHILD_ENV_LISTENERS);
	struct listener_sockets sockets;
	struct smtp_server_socket wanted[LISTENERS_MAX];
	struct smtp_server_settings settings = {
	    .gate = context_of(child),
	    .sockets = wanted,
	};

	if (!listeners_from_text(child->arena, slice_from(text), &sockets, err))
		return false;
	for (size_t i = 0; i < sockets.count; i++) {
		/* One that is gone: the file changed since the supervisor
		 * read it. */
		if (listeners_index(child->config, sockets.sockets[i].name) ==
		    child->config->listener_count)
			continue;
		wanted[settings.socket_count++] = (struct smtp_server_socket){
		    sockets.sockets[i].fd, sockets.sockets[i].name,
		    sockets.sockets[i].is_kept};
	}
	return smtp_server_start(&settings, &child->server, err);
}

static bool start(struct smtp_child *child, struct err *err)
{
	if (!child_open_metrics(err))
		return false;
	/* This child came first; the others count anew at once. */
	metrics_reset_gauges();
	certificate_watch_begin(&child->certificates, child->config);
	return child_begin(child->arena, child->config, &child->process, err) &&
	       child_open_named(
		   child->arena, child->config, &child->resolver, err) &&
	       store_open(child->config->store, &child->store, err) &&
	       start_server(child, err);
}

/* A bad file, certificate or zone changes nothing. */
static void reload(struct smtp_child *child)
{
	struct arena *arena = arena_new(0);
	struct smtp_child next = *child;
	struct gate_context context;
	struct err err = {0};
	bool ok = config_load(
	    arena, child->config_path, &next.config, NULL, &err);

	if (ok && (!child_make_spool(arena, next.config, &err) ||
		      !resolver_open_configured(
			  arena, next.config, NULL, &next.resolver, &err))) {
		config_release(next.config);
		ok = false;
	}
	if (ok) {
		context = context_of(&next);
		certificate_watch_begin(&next.certificates, next.config);
		ok = smtp_server_reload(child->server, &context, &err);
		config_release(ok ? child->config : next.config);
		dns_resolver_release(ok ? child->resolver : next.resolver);
	}
	if (ok) {
		child->config = next.config;
		child->resolver = next.resolver;
		child->certificates = next.certificates;
		child->dns_seen = (struct dns_statistics){0};
		child->warn_at_ms = 0;
		log_notice("smtp.reload", LOG_T("result", "loaded"));
	} else {
		log_error(
		    "smtp.reload", LOG_T("result", "kept"), LOG_ERR(&err));
	}
	child_tell(child->process, ok ? "reloaded" : "kept");
	arena_free(arena);
}

/* Renewed files are taken into use without being told; what cannot be used
 * changes nothing. */
static void reload_certificates(struct smtp_child *child)
{
	struct gate_context context = context_of(child);
	struct err err = {0};
	bool ok;

	if (!certificate_watch_changed(&child->certificates, child->config))
		return;
	ok = smtp_server_reload(child->server, &context, &err);
	metrics_count(
	    METRIC_CERTIFICATE_LOADS, ok ? SLICE("loaded") : SLICE("kept"));
	if (ok)
		log_notice("smtp.certificates", LOG_T("result", "loaded"));
	else
		log_error("smtp.certificates", LOG_T("result", "kept"),
		    LOG_ERR(&err));
}

/* What the resolver counted since the last time. */
static void count_dns(struct smtp_child *child)
{
	struct dns_statistics now = dns_resolver_statistics(child->resolver);

	metrics_add(
	    METRIC_DNS_BOGUS, (int64_t)(now.bogus - child->dns_seen.bogus));
	child->dns_seen = now;
}

static int64_t before(uint64_t keep)
{
	return keep ? clock_now_ms(NULL) - (int64_t)keep * 1000 : 0;
}

static void expire(struct smtp_child *child)
{
	uint64_t removed = 0;
	struct err err = {0};

	if (clock_monotonic_ms() < child->expire_at_ms)
		return;
	child->expire_at_ms = clock_monotonic_ms() + EXPIRE_EVERY_MS;
	if (!store_expire(child->store, before(child->config->keep_trace),
		before(child->config->keep_quarantine), &removed, &err))
		log_warning("store.expire", LOG_ERR(&err));
	else if (removed)
		log_info("store.expire", LOG_I("removed", (int64_t)removed));
}

static void warn_of_expiry(struct smtp_child *child)
{
	struct gate_context context = context_of(child);

	if (clock_monotonic_ms() < child->warn_at_ms)
		return;
	child->warn_at_ms = clock_monotonic_ms() + WARN_EVERY_MS;
	gate_warn_of_expiry(&context);
}

static void run(struct smtp_child *child)
{
	for (;;) {
		switch (child_wait(child->process)) {
		case CHILD_STOP: return;
		case CHILD_RELOAD: reload(child); break;
		case CHILD_TICK:
			reload_certificates(child);
			trace_rules_follow(&child->trace, child->config);
			count_dns(child);
			expire(child);
			warn_of_expiry(child);
			break;
		}
	}
}

int child_smtp_run(
    struct arena *arena, const char *config_path, struct config *config)
{
	struct smtp_child child = {
	    .arena = arena,
	    .config_path = config_path,
	    .config = config,
	    .key_cache = dkim_key_cache_new(KEY_CACHE_MAX),
	    .trace = {.child = "smtp"},
	    .expire_at_ms = clock_monotonic_ms() + EXPIRE_EVERY_MS,
	};
	struct err err = {0};

	if (!start(&child, &err)) {
		log_error("smtp.start", LOG_ERR(&err));
		return command_fail(&err);
	}
	metrics_heartbeat(PROCESS_SMTP);
	trace_rules_follow(&child.trace, child.config);
	child_tell(child.process, "ready");
	run(&child);
	log_notice("smtp.draining",
	    LOG_I("limit_ms", (int64_t)child.config->limits.drain_timeout));
	smtp_server_drain(child.server);
	smtp_server_wait(child.server);
	store_close(child.store);
	dns_resolver_release(child.resolver);
	config_release(child.config);
	dkim_key_cache_free(child.key_cache);
	return EXIT_DONE;
}
