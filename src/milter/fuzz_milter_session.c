/* SPDX-License-Identifier: Apache-2.0 */
/* A whole session with a gate that says what stands in the message. */
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/require.h"
#include "milter/milter_session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct milter_snapshot *hold(void *context)
{
	return milter_snapshot_hold(context);
}

static struct milter_snapshot *make_snapshot(void)
{
	struct gate_context gate = {.config = config_default()};
	struct milter_snapshot *snapshot;

	gate.config->limits = limits_default;
	gate.config->hostname = SLICE("mx.example");
	gate.config->spool_directory = SLICE("/tmp");
	snapshot = milter_snapshot_new(&gate);
	config_release(gate.config);
	return snapshot;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	atomic_bool draining = false;
	struct milter_session_settings settings = {
	    .listener = SLICE("mta"), .snapshot = hold, .draining = &draining};
	struct milter_session *session;
	int pair[2];

	log_setup(LOG_ERROR, LOG_FORMAT_TEXT);
	if (size > 64 * 1024)
		return 0;
	require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
	settings.fd = pair[1];
	settings.context = make_snapshot();
	session = milter_session_new(&settings);
	require(send(pair[0], data, size, 0) == (ssize_t)size);
	shutdown(pair[0], SHUT_WR);
	require(milter_session_run(session) == MILTER_SESSION_OVER);
	milter_session_free(session);
	milter_snapshot_release(settings.context);
	close(pair[0]);
	return 0;
}
