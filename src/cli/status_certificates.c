/* SPDX-License-Identifier: Apache-2.0 */
/* What expires: certificates of listeners, connectors. */
#include <errno.h>
#include <unistd.h>

#include "cli/samples.h"
#include "cli/status.h"
#include "smtp/tls_certificate.h"
#include "smtp/tls_server.h"

static void look_at_certificate(
    struct status *status, struct status_certificate *one)
{
	struct arena *arena = status->arena;
	struct err err = {0};
	struct status_lines *lines = &status->problems;
	const char *word = "has expired";

	if (!tls_certificate_expires(arena, one->path, &one->expires, &err)) {
		/* Another user may be allowed to read it. */
		status_add_line(err.kind == E_IO ? &status->warnings : lines,
		    arena_format_slice(arena,
			"certificate of listener %.*s: %s",
			SLICE_ARGS(one->listener), err.text));
		return;
	}
	if (one->expires > status->now + STATUS_WARN_DAYS * DAY)
		return;
	if (one->expires > status->now) {
		lines = &status->warnings;
		word = "expires soon";
	}
	status_add_line(lines,
	    arena_format_slice(arena, "certificate of listener %.*s %s: %.*s",
		SLICE_ARGS(one->listener), word,
		SLICE_ARGS(clock_format_rfc3339(arena, one->expires))));
}

/* What runs goes on with what it has loaded.  A key that only the service may
 * read is not looked at. */
static void look_at_key(
    struct status *status, const struct conf_listener *listener)
{
	const struct conf_tls tls = {
	    .certificate = listener->tls.certificate,
	    .key = listener->tls.key,
	};
	struct ssl_ctx_st *context;
	struct err err = {0};

	if (access(arena_text(status->arena, tls.key), R_OK) < 0 &&
	    errno != ENOENT)
		return;
	if (tls_server_load(&tls, &context, &err)) {
		tls_server_free(context);
		return;
	}
	status_add_line(&status->warnings,
	    arena_format_slice(status->arena,
		"listener %.*s: %s: the next start will fail",
		SLICE_ARGS(listener->name), err.text));
}

void status_look_at_certificates(struct status *status)
{
	const struct config *config = status->config;

	status->certificates = ARENA_ARRAY(
	    status->arena, config->listener_count, struct status_certificate);
	for (size_t i = 0; i < config->listener_count; i++) {
		const struct conf_listener *listener = &config->listeners[i];
		struct status_certificate *one =
		    &status->certificates[status->certificate_count];

		if (slice_empty(listener->tls.certificate))
			continue;
		one->listener = listener->name;
		one->path = listener->tls.certificate;
		status->certificate_count++;
		look_at_certificate(status, one);
		if (one->expires)
			look_at_key(status, listener);
	}
}

const char *status_connector_word(int64_t expires, int64_t now)
{
	if (expires < now)
		return "expired";
	return expires < now + STATUS_WARN_DAYS * DAY ? "expires soon"
						      : "valid";
}

void status_look_at_connectors(struct status *status)
{
	for (size_t i = 0; i < status->config->connector_count; i++) {
		const struct conf_connector *one =
		    &status->config->connectors[i];

		if (one->expires == 0 ||
		    one->expires >= status->now + STATUS_WARN_DAYS * DAY)
			continue;
		status_add_line(&status->warnings,
		    arena_format_slice(status->arena,
			"connector %.*s: %s, %.*s", SLICE_ARGS(one->name),
			status_connector_word(one->expires, status->now),
			SLICE_ARGS(clock_format_rfc3339(
			    status->arena, one->expires))));
	}
}

/* When the first of them expires; 0: unknown, or there is none. */
static int64_t earliest_of_files(const struct status *status)
{
	int64_t earliest = 0;

	for (size_t i = 0; i < status->certificate_count; i++) {
		int64_t at = status->certificates[i].expires;

		if (at == 0)
			return 0;
		if (!earliest || at < earliest)
			earliest = at;
	}
	return earliest;
}

void status_compare_certificates(struct status *status)
{
	int64_t earliest = earliest_of_files(status);
	uint64_t in_use = 0, kept = 0;

	status_number(
	    status, metric_specs[METRIC_CERTIFICATES_KEPT].name, &kept);
	status_number(
	    status, metric_specs[METRIC_CERTIFICATE_NOT_AFTER].name, &in_use);
	if (!kept &&
	    (in_use == 0 || earliest == 0 || (int64_t)in_use == earliest))
		return;
	if (in_use && (int64_t)in_use <= status->now)
		status_add_line(&status->problems,
		    SLICE(
			"a certificate in use has expired; its file is newer"));
	status_add_line(&status->warnings,
	    SLICE("the certificates in use are not those of the files: "
		  "smtp.certificates in the log says why"));
}
