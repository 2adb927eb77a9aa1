/* SPDX-License-Identifier: Apache-2.0 */
/* The child that mail servers ask: milter sessions, DNS, the store's writer. */
#include <stdlib.h>

#include "auth/dkim_key.h"
#include "base/log.h"
#include "base/metrics.h"
#include "cli/child.h"
#include "cli/command.h"
#include "cli/resolver_config.h"
#include "cli/supervisor.h"
#include "cli/trace_rules.h"
#include "milter/milter_server.h"

enum { KEY_CACHE_MAX = 4096 };

struct milter_child {
	struct arena *arena;
	const char *config_path;
	struct child_process *process;
	struct config *config;	       /* the newest one */
	struct dns_resolver *resolver; /* of that */
	struct store *store;
	struct dkim_key_cache *key_cache;
	struct milter_server *server;
	struct dns_statistics dns_seen;
	struct trace_follower trace;
};

static struct gate_context context_of(const struct milter_child *child)
{
	return (struct gate_context){
	    .config = child->config,
	    .resolver = child->resolver,
	    .store = child->store,
	    .key_cache = child->key_cache,
	};
}

static bool start_server(struct milter_child *child, struct err *err)
{
	const char *text = getenv(CHILD_ENV_LISTENERS);
	struct listener_sockets sockets;
	struct milter_server_socket wanted[LISTENERS_MAX];
	struct milter_server_settings settings = {
	    .gate = context_of(child),
	    .sockets = wanted,
	};

	if (!listeners_from_text(child->arena, slice_from(text), &sockets, err))
		return false;
	for (size_t i = 0; i < sockets.count; i++)
		wanted[settings.socket_count++] = (struct milter_server_socket){
		    sockets.sockets[i].fd, sockets.sockets[i].name};
	return milter_server_start(&settings, &child->server, err);
}

static bool start(struct milter_child *child, struct err *err)
{
	return child_open_metrics(err) &&
	       child_begin(child->arena, child->config, &child->process, err) &&
	       child_open_named(
		   child->arena, child->config, &child->resolver, err) &&
	       store_open(child->config->store, &child->store, err) &&
	       start_server(child, err);
}

/* Configuration and resolver, or nothing of both. */
static bool load(
    struct arena *arena, struct milter_child *child, struct err *err)
{
	struct config *config;

	if (!config_load(arena, child->config_path, &config, NULL, err))
		return false;
	if (!child_make_spool(arena, config, err) ||
	    !resolver_open_configured(
		arena, config, NULL, &child->resolver, err)) {
		config_release(config);
		return false;
	}
	child->config = config;
	return true;
}

/* A bad file or zone changes nothing. */
static void reload(struct milter_child *child)
{
	struct arena *arena = arena_new(0);
	struct milter_child next = *child;
	struct gate_context context;
	struct err err = {0};

	if (load(arena, &next, &err)) {
		context = context_of(&next);
		milter_server_reload(child->server, &context);
		config_release(child->config);
		dns_resolver_release(child->resolver);
		child->config = next.config;
		child->resolver = next.resolver;
		child->dns_seen = (struct dns_statistics){0};
		log_notice("milter.reload", LOG_T("result", "loaded"));
		child_tell(child->process, "reloaded");
	} else {
		log_error(
		    "milter.reload", LOG_T("result", "kept"), LOG_ERR(&err));
		child_tell(child->process, "kept");
	}
	arena_free(arena);
}

/* What the resolver counted since the last time. */
static void count_dns(struct milter_child *child)
{
	struct dns_statistics now = dns_resolver_statistics(child->resolver);

	metrics_add(
	    METRIC_DNS_BOGUS, (int64_t)(now.bogus - child->dns_seen.bogus));
	child->dns_seen = now;
}

static void run(struct milter_child *child)
{
	for (;;) {
		switch (child_wait(child->process)) {
		case CHILD_STOP: return;
		case CHILD_RELOAD: reload(child); break;
		case CHILD_TICK:
			trace_rules_follow(&child->trace, child->config);
			count_dns(child);
			break;
		}
	}
}

int child_milter_run(
    struct arena *arena, const char *config_path, struct config *config)
{
	struct milter_child child = {
	    .arena = arena,
	    .config_path = config_path,
	    .config = config,
	    .key_cache = dkim_key_cache_new(KEY_CACHE_MAX),
	    .trace = {.child = "milter"},
	};
	struct err err = {0};

	if (!start(&child, &err)) {
		log_error("milter.start", LOG_ERR(&err));
		return command_fail(&err);
	}
	metrics_heartbeat(PROCESS_MILTER);
	trace_rules_follow(&child.trace, child.config);
	child_tell(child.process, "ready");
	run(&child);
	log_notice("milter.draining",
	    LOG_I("limit_ms", (int64_t)child.config->limits.drain_timeout));
	milter_server_drain(child.server);
	milter_server_wait(child.server);
	store_close(child.store);
	dns_resolver_release(child.resolver);
	config_release(child.config);
	dkim_key_cache_free(child.key_cache);
	return EXIT_DONE;
}
