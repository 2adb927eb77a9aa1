/* SPDX-License-Identifier: Apache-2.0 */
/* The child that mail servers ask: milter sessions, DNS, the store's writer. */
#include "cli/child_mail.h"
#include "milter/milter_server.h"

struct milter_child {
	struct mail_child mail; /* first */
	struct milter_server *server;
};

static bool start(struct mail_child *child, const struct listener *listeners,
    size_t count, struct err *err)
{
	struct milter_child *milter = (struct milter_child *)child;
	struct milter_server_settings settings = {
	    .gate = mail_child_context(child),
	    .listener_count = count,
	    .listeners = listeners,
	};

	return milter_server_start(&settings, &milter->server, err);
}

static bool reload(
    struct mail_child *child, const struct gate_context *next, struct err *err)
{
	(void)err;
	milter_server_reload(((struct milter_child *)child)->server, next);
	return true;
}

static void renew(struct mail_child *child, const struct gate_context *next)
{
	milter_server_reload(((struct milter_child *)child)->server, next);
}

static void finish(struct mail_child *child)
{
	struct milter_child *milter = (struct milter_child *)child;

	milter_server_drain(milter->server);
	milter_server_wait(milter->server);
}

int child_milter_run(
    struct arena *arena, const char *config_path, struct config *config)
{
	static const struct mail_child_kind kind = {
	    .name = "milter",
	    .process = PROCESS_MILTER,
	    .start = start,
	    .reload = reload,
	    .renew = renew,
	    .finish = finish,
	};
	struct milter_child child = {.mail = {.kind = &kind}};

	return mail_child_run(&child.mail, arena, config_path, config);
}
