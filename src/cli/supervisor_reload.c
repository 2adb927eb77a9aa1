/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/log.h"
#include "base/metrics.h"
#include "cli/child.h"
#include "cli/config_copy.h"
#include "cli/supervisor_private.h"

void supervisor_log_problems(const struct config_problems *problems)
{
	for (size_t i = 0; i < problems->count; i++)
		log_error("config.error",
		    LOG_S("where", problems->errors[i].where),
		    LOG_S("error", problems->errors[i].text));
	for (size_t i = 0; i < problems->warning_count; i++)
		log_warning("config.warning",
		    LOG_S("where", problems->warnings[i].where),
		    LOG_S("warning", problems->warnings[i].text));
}

/* The sockets stay with the children that have them. */
static bool keeps_sockets(const struct listener_sockets *bound,
    const struct config *config, struct err *err)
{
	for (size_t i = 0; i < bound->count; i++) {
		const struct listener_socket *socket = &bound->sockets[i];
		size_t index = listeners_index(config, socket->name);

		if (index == config->listener_count)
			return err_set(err, E_CONFIG,
			    "listener %.*s is gone or has another name: this "
			    "takes a restart",
			    SLICE_ARGS(socket->name));
		if ((config->listeners[index].role == ROLE_MILTER) !=
		    socket->is_milter)
			return err_set(err, E_CONFIG,
			    "listener %.*s becomes or was a milter: this takes "
			    "a restart",
			    SLICE_ARGS(socket->name));
	}
	return true;
}

static bool same_addresses(const struct config *a, const struct config *b)
{
	if (a->listener_count != b->listener_count)
		return false;
	for (size_t i = 0; i < b->listener_count; i++) {
		size_t index = listeners_index(a, b->listeners[i].name);

		if (index == a->listener_count ||
		    !slice_eq(
			a->listeners[index].address, b->listeners[i].address))
			return false;
	}
	return true;
}

/* What is opened, or dropped, once: compared with what was, not with what the
 * last file wanted. */
static void warn_of_restart(const struct config *old, const struct config *new)
{
	const struct {
		const char *key;
		bool same;
	} rows[] = {
	    {"listeners", same_addresses(old, new)},
	    {"store", slice_eq(old->store, new->store)},
	    {"user", slice_eq(old->user, new->user)},
	    {"group", slice_eq(old->group, new->group)},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!rows[i].same)
			log_warning("supervisor.takes_restart",
			    LOG_T("setting", rows[i].key));
}

static void notify_reloading(void)
{
	char text[96];

	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld",
	    (long long)clock_monotonic_ms() * 1000);
	sd_notify(0, text);
}

static void say_ready(const struct supervisor *supervisor, const char *status)
{
	char text[128];

	snprintf(text, sizeof(text), "%sSTATUS=%s",
	    supervisor->announced ? "READY=1\n" : "", status);
	sd_notify(0, text);
}

void supervisor_drop_next(struct supervisor *supervisor)
{
	if (!supervisor->next_config)
		return;
	config_release(supervisor->next_config);
	close(supervisor->next_copy);
	supervisor->next_config = NULL;
	supervisor->kept = false;
}

static void count_load(bool ok)
{
	metrics_count(
	    METRIC_CONFIG_LOADS, ok ? SLICE("loaded") : SLICE("kept"));
	metrics_set(METRIC_CONFIG_LAST_RELOAD, ok);
}

static void keep_old(struct supervisor *supervisor, const struct err *err)
{
	count_load(false);
	log_error("supervisor.reload", LOG_T("result", "kept"), LOG_ERR(err));
	say_ready(supervisor, "reload failed: the running configuration stays");
}

/* A bad file changes nothing; a good one goes to the children, who load it
 * themselves with the rights they have. */
static bool load_next(struct supervisor *supervisor, struct err *err)
{
	const char *path = supervisor->settings->config_path;
	struct arena *arena = arena_new(0);
	struct config_problems problems = {0};
	bool ok = false;

	supervisor->next_copy = config_copy_open(path, err);
	if (supervisor->next_copy >= 0) {
		ok = config_copy_load(arena, supervisor->next_copy, path,
		    &supervisor->next_config, &problems, err);
		supervisor_log_problems(&problems);
		if (!ok)
			close(supervisor->next_copy);
	}
	arena_free(arena);
	if (ok && !keeps_sockets(supervisor->settings->listeners,
		      supervisor->next_config, err)) {
		supervisor_drop_next(supervisor);
		return false;
	}
	return ok;
}

/* Who was not given it would load the old one again and say that all is well.
 * One that starts just now reloads when it is there; nobody waits for it. */
static void tell_child(struct supervisor *supervisor, enum child_kind kind)
{
	struct child *child = &supervisor->children[kind];
	struct err err;

	/* One that has ended is started with it. */
	if (!config_copy_send(child->control, supervisor->next_copy, &err) &&
	    err.kind != E_CLOSED) {
		log_error("supervisor.hand_over",
		    LOG_T("child", supervisor_child_name(kind)), LOG_ERR(&err));
		supervisor->kept = true;
		return;
	}
	child->reloading = child->ready;
	kill(child->pid, SIGHUP);
}

static void tell_children(struct supervisor *supervisor)
{
	for (int kind = 0; kind < CHILD_COUNT; kind++)
		if (supervisor->children[kind].pid &&
		    supervisor->children[kind].control >= 0)
			tell_child(supervisor, (enum child_kind)kind);
}

void supervisor_reload(struct supervisor *supervisor)
{
	struct err err = {0};

	if (supervisor->stopping)
		return;
	supervisor->again = supervisor->next_config != NULL;
	if (supervisor->again)
		return;
	notify_reloading();
	if (!load_next(supervisor, &err)) {
		keep_old(supervisor, &err);
		return;
	}
	warn_of_restart(supervisor->settings->config, supervisor->next_config);
	tell_children(supervisor);
}

/* A child that could not use it keeps the old one, and its log says why; the
 * others have the new one already. */
static void adopt_next(struct supervisor *supervisor)
{
	struct err err;

	if (supervisor->kept) {
		err_set(
		    &err, E_CONFIG, "a child cannot use it, see child.reload");
		supervisor_drop_next(supervisor);
		keep_old(supervisor, &err);
		return;
	}
	config_release(supervisor->config);
	close(supervisor->config_copy);
	supervisor->config = supervisor->next_config;
	supervisor->config_copy = supervisor->next_copy;
	supervisor->next_config = NULL;
	supervisor_want_children(supervisor);
	child_set_up_log(supervisor->config);
	count_load(true);
	log_notice("supervisor.reload", LOG_T("result", "loaded"));
	say_ready(supervisor, "serving");
}

void supervisor_go_on_reloading(struct supervisor *supervisor)
{
	if (!supervisor->next_config)
		return;
	for (int kind = 0; kind < CHILD_COUNT; kind++)
		if (supervisor->children[kind].reloading)
			return;
	adopt_next(supervisor);
	if (supervisor->again)
		supervisor_reload(supervisor);
}
