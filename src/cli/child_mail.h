/* SPDX-License-Identifier: Apache-2.0 */
/* cli/child_mail.h - what the children that judge mail, smtp and milter, have
 * in common: configuration, DNS, the store, and their life from start to drain.
 */
#ifndef CLI_CHILD_MAIL_H
#define CLI_CHILD_MAIL_H

#include "auth/dkim_key.h"
#include "base/acceptor.h"
#include "base/file_watch.h"
#include "base/metrics.h"
#include "cli/child.h"
#include "cli/listeners.h"
#include "cli/trace_rules.h"
#include "dns/resolver.h"
#include "gate/gate.h"
#include "store/store.h"

struct mail_child;

/* What is the child's own.  Each gets its own struct, with mail_child first. */
struct mail_child_kind {
	const char *name;
	enum metrics_process process;
	/* False: as the server's start. */
	bool (*start)(struct mail_child *child,
	    const struct listener *listeners, size_t count, struct err *err);
	/* False: nothing has changed. */
	bool (*reload)(struct mail_child *child,
	    const struct gate_context *next, struct err *err);
	/* The configuration in use, with another resolver. */
	void (*renew)(
	    struct mail_child *child, const struct gate_context *next);
	/* Every CHILD_ALIVE_MS; must return within a few seconds, or the
	 * supervisor takes the child for hung.  May be NULL. */
	void (*tick)(struct mail_child *child);
	/* Drains; returns when the last session has ended. */
	void (*finish)(struct mail_child *child);
};

struct mail_child {
	const struct mail_child_kind *kind;
	struct arena *arena;
	const char *config_path;
	struct child_process *process;
	struct config *config;	       /* the newest one */
	struct dns_resolver *resolver; /* of that */
	struct file_watch trust_anchor;
	struct store *store;
	struct dkim_key_cache *key_cache;
	struct trace_follower trace;
};

/* What its messages are judged with now. */
struct gate_context mail_child_context(const struct mail_child *child);

/* Until SIGTERM.  kind is set; config becomes the child's.  Returns the exit
 * code. */
int mail_child_run(struct mail_child *child, struct arena *arena,
    const char *config_path, struct config *config);

#endif
