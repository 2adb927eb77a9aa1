/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/child_mail.h"

#include <stdlib.h>

#include "base/log.h"
#include "cli/command.h"
#include "cli/resolver_config.h"
#include "cli/supervisor.h"

enum { KEY_CACHE_MAX = 4096 };

struct gate_context mail_child_context(const struct mail_child *child)
{
	return (struct gate_context){
	    .config = child->config,
	    .resolver = child->resolver,
	    .store = child->store,
	    .key_cache = child->key_cache,
	};
}

/* A master file needs none. */
static struct slice trust_anchor_of(const struct config *config)
{
	return slice_empty(config->dns.zone) ? config->dns.trust_anchor
					     : SLICE("");
}

/* Before it is read. */
static void watch_trust_anchor(
    struct mail_child *child, const struct config *config)
{
	const struct slice path = trust_anchor_of(config);

	file_watch_begin(&child->trust_anchor, 1, &path);
}

static bool start_server(struct mail_child *child, struct err *err)
{
	const char *text = getenv(CHILD_ENV_LISTENERS);
	struct listener_sockets sockets;
	struct listener listeners[LISTENERS_MAX];

	if (!listeners_from_text(child->arena, slice_from(text), &sockets, err))
		return false;
	for (size_t i = 0; i < sockets.count; i++)
		listeners[i] = (struct listener){sockets.sockets[i].fd,
		    sockets.sockets[i].name, sockets.sockets[i].is_kept};
	return child->kind->start(child, listeners, sockets.count, err);
}

static bool start(struct mail_child *child, struct err *err)
{
	if (!child_open_metrics(err))
		return false;
	watch_trust_anchor(child, child->config);
	metrics_act_as(child->kind->process);
	return child_begin(child->arena, child->config, &child->process, err) &&
	       child_open_named(
		   child->arena, child->config, &child->resolver, err) &&
	       store_open_patiently(
		   child_store_url(child->config), &child->store, err) &&
	       start_server(child, err);
}

/* Configuration, what it names, and the resolver; or nothing of them. */
static bool load(struct arena *arena, struct mail_child *next, struct err *err)
{
	struct config *config;

	if (!child_load_config(
		next->process, arena, next->config_path, &config, err))
		return false;
	watch_trust_anchor(next, config);
	if (!child_make_spool(arena, config, err) ||
	    !resolver_open_configured(
		arena, config, NULL, &next->resolver, err)) {
		config_release(config);
		return false;
	}
	next->config = config;
	return true;
}

static bool take_into_use(
    struct mail_child *child, struct mail_child *next, struct err *err)
{
	struct gate_context context = mail_child_context(next);
	bool ok = child->kind->reload(child, &context, err);

	config_release(ok ? child->config : next->config);
	dns_resolver_release(ok ? child->resolver : next->resolver);
	if (!ok)
		return false;
	child->config = next->config;
	child->resolver = next->resolver;
	child->trust_anchor = next->trust_anchor;
	child_set_up_log(child->config);
	return true;
}

/* A bad file, certificate or zone changes nothing. */
static void reload(struct mail_child *child)
{
	struct arena *arena = arena_new(0);
	struct mail_child next = *child;
	struct err err = {0};
	bool ok = load(arena, &next, &err) && take_into_use(child, &next, &err);

	child_tell_reload(child->process, child->kind->name, ok ? NULL : &err);
	arena_free(arena);
}

static bool renew_resolver(
    struct arena *arena, struct mail_child *child, struct err *err)
{
	struct gate_context next = mail_child_context(child);

	if (!resolver_open_configured(
		arena, child->config, NULL, &next.resolver, err))
		return false;
	child->kind->renew(child, &next);
	dns_resolver_release(child->resolver);
	child->resolver = next.resolver;
	return true;
}

/* Whoever upgrades it (dns-root-data, when the root rolls its key) tells
 * nobody; with the old one everything would be bogus. */
static void follow_trust_anchor(struct mail_child *child)
{
	const struct slice path = trust_anchor_of(child->config);
	struct arena *arena;
	struct err err = {0};

	if (!file_watch_changed(&child->trust_anchor, 1, &path))
		return;
	arena = arena_new(0);
	if (renew_resolver(arena, child, &err))
		log_notice("dns.trust_anchor",
		    LOG_T("child", child->kind->name),
		    LOG_T("result", "loaded"), LOG_S("path", path));
	else if (file_watch_failed(&child->trust_anchor))
		log_error("dns.trust_anchor", LOG_T("child", child->kind->name),
		    LOG_T("result", "kept"), LOG_S("path", path),
		    LOG_ERR(&err));
	arena_free(arena);
}

static void tick(struct mail_child *child)
{
	follow_trust_anchor(child);
	trace_rules_follow(&child->trace, child->config);
	if (child->kind->tick)
		child->kind->tick(child);
}

static void run(struct mail_child *child)
{
	for (;;) {
		switch (child_wait(child->process)) {
		case CHILD_STOP: return;
		case CHILD_RELOAD: reload(child); break;
		case CHILD_TICK: tick(child); break;
		}
	}
}

static void release(struct mail_child *child)
{
	store_close(child->store);
	dns_resolver_release(child->resolver);
	config_release(child->config);
	dkim_key_cache_free(child->key_cache);
}

int mail_child_run(struct mail_child *child, struct arena *arena,
    const char *config_path, struct config *config)
{
	struct err err = {0};

	child->arena = arena;
	child->config_path = config_path;
	child->config = config;
	child->key_cache = dkim_key_cache_new(KEY_CACHE_MAX);
	child->trace.child = child->kind->name;
	if (!start(child, &err))
		return child_cannot_start(child->kind->name, &err);
	metrics_heartbeat(child->kind->process);
	trace_rules_follow(&child->trace, child->config);
	child_tell(child->process, "ready");
	run(child);
	log_notice("child.draining", LOG_T("child", child->kind->name),
	    LOG_I("limit_ms", (int64_t)child->config->limits.drain_timeout));
	child->kind->finish(child);
	release(child);
	return EXIT_DONE;
}
