/* SPDX-License-Identifier: Apache-2.0 */
/* cli/supervisor_private.h - what supervisor.c (the loop) is made of:
 * supervisor_reload.c (the configuration), which stands on
 * supervisor_children.c (the processes).
 */
#ifndef CLI_SUPERVISOR_PRIVATE_H
#define CLI_SUPERVISOR_PRIVATE_H

#include <signal.h>
#include <sys/types.h>

#include "base/clock.h"
#include "cli/supervisor.h"

enum child_kind { CHILD_SMTP, CHILD_MILTER, CHILD_ADMIN, CHILD_COUNT };

struct child {
	bool wanted;
	pid_t pid;	/* 0: not running */
	int control;	/* socket to it, or -1 */
	char heard[16]; /* of a word that has not ended */
	size_t heard_len;
	bool ready;
	bool reloading; /* it has not said yet what came of it */
	int64_t started_ms, heard_ms, start_at_ms, backoff_ms;
};

struct supervisor {
	const struct supervisor_settings *settings;
	struct config *config;	    /* the last that all children took */
	int config_copy;	    /* of its file, for children to come */
	struct config *next_config; /* they are at it; NULL: no reload */
	int next_copy;
	bool kept;  /* one of them cannot use it */
	bool again; /* SIGHUP came meanwhile */
	struct child children[CHILD_COUNT];
	int signals; /* signalfd */
	sigset_t signal_mask;
	bool announced; /* READY=1 was sent */
	struct deadline feed_at;
	int64_t looked_ms; /* supervisor_kill_silent */
	bool stopping;
	struct deadline stop_by;
	int exit_code;
};

/* supervisor_children.c */

/* "smtp", "milter", "admin": as the log calls it.  Static. */
const char *supervisor_child_name(enum child_kind kind);

/* As the configuration says; what it has no use for any more is ended. */
void supervisor_want_children(struct supervisor *supervisor);

/* Those that are wanted, do not run, and have waited for it; none amid a
 * reload. */
void supervisor_start_children(struct supervisor *supervisor);

/* To all children that run. */
void supervisor_signal(const struct supervisor *supervisor, int number);

/* SIGTERM to all; once. */
void supervisor_begin_stop(struct supervisor *supervisor);

/* SIGCHLD: whoever has ended. */
void supervisor_reap(struct supervisor *supervisor);

/* What a child has said on its socket. */
void supervisor_hear(struct supervisor *supervisor, enum child_kind kind);

/* Whoever has shown no sign of life for too long at now_ms (monotonic).  Called
 * with each pass of the loop: after a gap all of us were frozen (a container
 * that was paused), and each child has its full time again. */
void supervisor_kill_silent(struct supervisor *supervisor, int64_t now_ms);

/* supervisor_reload.c */

/* SIGHUP: a file that is good goes to the children. */
void supervisor_reload(struct supervisor *supervisor);

/* Once all have answered, their configuration is ours, or the old one stays. */
void supervisor_go_on_reloading(struct supervisor *supervisor);

/* Of a reload that is under way, if one is. */
void supervisor_drop_next(struct supervisor *supervisor);

#endif
