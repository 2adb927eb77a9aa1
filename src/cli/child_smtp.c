/* SPDX-License-Identifier: Apache-2.0 */
/* The child that speaks SMTP: sessions, DNS, the store's writer.  It also
 * clears the store, and looks after certificates. */
#include "base/log.h"
#include "cli/certificate_watch.h"
#include "cli/child_mail.h"
#include "cli/expiry.h"
#include "smtp/server.h"

enum {
	WARN_EVERY_MS = 24 * 3600 * 1000,
	AGAIN_FIRST_MS = 15 * 1000,
	AGAIN_MAX_MS = 3600 * 1000,
};

struct smtp_child {
	struct mail_child mail; /* first */
	struct smtp_server *server;
	struct file_watch certificates;
	int64_t certificates_again_ms; /* 0: all are in use */
	int64_t certificates_delay_ms; /* before that */
	struct expiry expiry;
	int64_t warn_at_ms;
};

/* The supervisor reloads nothing that lacks the listener of a socket: one that
 * nobody answered would swallow its clients. */
static bool start(struct mail_child *child, const struct listener *listeners,
    size_t count, struct err *err)
{
	struct smtp_child *smtp = (struct smtp_child *)child;
	struct smtp_server_settings settings = {
	    .gate = mail_child_context(child),
	    .listener_count = count,
	    .listeners = listeners,
	};

	certificate_watch_begin(&smtp->certificates, child->config);
	return smtp_server_start(&settings, &smtp->server, err);
}

/* Less and less often: connections to next hops, and what is known of those
 * that are away, do not outlast a try. */
static void plan_again(struct smtp_child *child, bool ok)
{
	int64_t delay = child->certificates_delay_ms * 2;

	child->certificates_delay_ms = child->certificates_again_ms = 0;
	if (ok)
		return;
	if (delay < AGAIN_FIRST_MS)
		delay = AGAIN_FIRST_MS;
	if (delay > AGAIN_MAX_MS)
		delay = AGAIN_MAX_MS;
	child->certificates_delay_ms = delay;
	child->certificates_again_ms = clock_monotonic_ms() + delay;
}

static bool reload(
    struct mail_child *child, const struct gate_context *next, struct err *err)
{
	struct smtp_child *smtp = (struct smtp_child *)child;
	struct file_watch certificates;

	certificate_watch_begin(&certificates, next->config);
	if (!smtp_server_reload(smtp->server, next, err))
		return false;
	smtp->certificates = certificates;
	plan_again(smtp, true);
	metrics_set(METRIC_CERTIFICATES_KEPT, 0);
	smtp->warn_at_ms = 0;
	return true;
}

static void tell_kept(const struct err *err)
{
	log_error("smtp.certificates", LOG_T("result", "kept"), LOG_ERR(err));
}

static void tell_nothing(const struct err *err)
{
	(void)err;
}

static bool renew_with(struct smtp_child *child,
    const struct gate_context *context, void (*tell)(const struct err *err))
{
	bool ok = smtp_server_renew(child->server, context, tell);

	metrics_set(METRIC_CERTIFICATES_KEPT, !ok);
	plan_again(child, ok);
	return ok;
}

static void renew(struct mail_child *child, const struct gate_context *next)
{
	renew_with((struct smtp_child *)child, next, tell_kept);
}

static void tell_loaded(bool ok)
{
	metrics_count(
	    METRIC_CERTIFICATE_LOADS, ok ? SLICE("loaded") : SLICE("kept"));
	if (ok)
		log_notice("smtp.certificates", LOG_T("result", "loaded"));
}

/* Renewed files are taken into use without being told; what cannot be used
 * stays as it is.  It is tried again without a word, since the files may be
 * good and the failure one that passes: a lack of descriptors or memory. */
static void reload_certificates(struct smtp_child *child)
{
	struct gate_context context = mail_child_context(&child->mail);

	if (certificate_watch_changed(
		&child->certificates, child->mail.config)) {
		child->certificates_delay_ms = 0;
		tell_loaded(renew_with(child, &context, tell_kept));
	} else if (child->certificates_again_ms &&
		   clock_monotonic_ms() >= child->certificates_again_ms &&
		   renew_with(child, &context, tell_nothing)) {
		tell_loaded(true);
	}
}

static void expire(struct smtp_child *child)
{
	const struct expiry_now now = {
	    .wall_ms = clock_now_ms(NULL),
	    .boot_ms = clock_boot_ms(),
	};

	expiry_go_on(
	    &child->expiry, child->mail.store, child->mail.config, &now);
}

static void warn_of_expiry(struct smtp_child *child)
{
	struct gate_context context = mail_child_context(&child->mail);

	if (clock_monotonic_ms() < child->warn_at_ms)
		return;
	child->warn_at_ms = clock_monotonic_ms() + WARN_EVERY_MS;
	gate_warn_of_expiry(&context);
}

static void tick(struct mail_child *child)
{
	struct smtp_child *smtp = (struct smtp_child *)child;

	reload_certificates(smtp);
	smtp_server_tidy(smtp->server);
	expire(smtp);
	warn_of_expiry(smtp);
}

static void finish(struct mail_child *child)
{
	struct smtp_child *smtp = (struct smtp_child *)child;

	smtp_server_drain(smtp->server);
	smtp_server_wait(smtp->server);
}

int child_smtp_run(
    struct arena *arena, const char *config_path, struct config *config)
{
	static const struct mail_child_kind kind = {
	    .name = "smtp",
	    .process = PROCESS_SMTP,
	    .start = start,
	    .reload = reload,
	    .renew = renew,
	    .tick = tick,
	    .finish = finish,
	};
	struct smtp_child child = {.mail = {.kind = &kind}};

	return mail_child_run(&child.mail, arena, config_path, config);
}
