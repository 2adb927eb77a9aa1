/* SPDX-License-Identifier: Apache-2.0 */
#include "milter/test_stage.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "milter/packet.h"
#include "milter/test_config.h"

static struct milter_snapshot *snapshot_of(void *context)
{
	struct stage *stage = context;

	return milter_snapshot_hold(stage->snapshot);
}

static int64_t data_timeout_of(void *context)
{
	const struct stage *stage = context;

	return (int64_t)stage->config->limits.data_timeout;
}

static void take_notice(void *context)
{
	struct stage *stage = context;

	atomic_store(&stage->committed, true);
}

void stage_open(struct stage *stage)
{
	struct gate_context gate = {0};
	struct milter_session_settings settings = {
	    .listener = SLICE("mta"),
	    .snapshot = snapshot_of,
	    .data_timeout = data_timeout_of,
	    .context = stage,
	    .draining = &stage->draining,
	    .committed = {take_notice, stage},
	};
	int pair[2];

	*stage = (struct stage){0};
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	stage->mta = pair[0];
	settings.fd = pair[1];
	stage->config = test_config();
	stage->config->limits.header_size = 4096;
	stage->config->limits.message_size = 200 * 1024;
	stage->config->limits.line_length = 998;
	stage->config->limits.recipients = 3;
	gate.config = stage->config;
	stage->snapshot = milter_snapshot_new(&gate);
	stage->session = milter_session_new(&settings);
	buf_init(&stage->heard, STAGE_REPLY_MAX);
}

void stage_close(struct stage *stage)
{
	milter_session_free(stage->session);
	milter_snapshot_release(stage->snapshot);
	config_release(stage->config);
	buf_release(&stage->heard);
	close(stage->mta);
}

/* Until its time has come, or the store has told. */
static enum milter_session_result wait_for_commit(struct stage *stage)
{
	while (!atomic_load(&stage->committed) &&
	       !deadline_passed(milter_session_wakes_at(stage->session)))
		usleep(1000);
	if (!atomic_exchange(&stage->committed, false))
		return milter_session_run(stage->session);
	milter_session_committed(stage->session);
	return milter_session_glance(stage->session);
}

/* The server's part, until nothing more is there. */
void stage_run(struct stage *stage)
{
	int fd = milter_session_fd(stage->session);

	while (!stage->over) {
		enum milter_session_result result = milter_session_glance(
		    stage->session);

		while (result == MILTER_SESSION_WORKS ||
		       result == MILTER_SESSION_COMMITS)
			result = result == MILTER_SESSION_WORKS
				     ? milter_session_run(stage->session)
				     : wait_for_commit(stage);
		/* Who has the answer was told before. */
		assert_false(atomic_load(&stage->committed));
		stage->over = result == MILTER_SESSION_OVER;
		if (!io_wait(fd, POLLIN, deadline_in(0), NULL))
			break;
	}
}

void stage_hear(struct stage *stage)
{
	char memory[4096];
	ssize_t count;

	stage_run(stage);
	while ((count = recv(stage->mta, memory, sizeof(memory), 0)) > 0)
		assert_true(
		    buf_add(&stage->heard, slice_of(memory, (size_t)count)));
}

void stage_say(struct stage *stage, struct slice octets)
{
	while (octets.len) {
		ssize_t count = send(
		    stage->mta, octets.ptr, octets.len, MSG_NOSIGNAL);

		if (count < 0) {
			stage_hear(stage);
			if (stage->over)
				return;
			continue;
		}
		octets = slice_from_pos(octets, (size_t)count);
	}
	stage_hear(stage);
}

void stage_translate(struct slice line, struct buf *out)
{
	for (size_t i = 0; i < line.len; i++) {
		char c = line.ptr[i];

		if (c == '|') {
			buf_add_byte(out, '\0');
		} else if (c == '~') {
			buf_add_text(out, "\r\n");
		} else if (c == '^') {
			buf_add_byte(out, '\n');
		} else if (c == '\\') {
			char digits[3] = {line.ptr[i + 1], line.ptr[i + 2], 0};

			buf_add_byte(out, (char)strtol(digits, NULL, 16));
			i += 2;
		} else {
			buf_add_byte(out, c);
		}
	}
}

static void expect(struct stage *stage, struct slice wanted)
{
	struct slice heard = slice_from_pos(
	    buf_slice(&stage->heard), stage->read);
	struct packet packet = {0};
	struct err err;

	assert_int_equal(packet_read(heard, &packet, &err), PACKET_WHOLE);
	stage->read += packet.size;
	heard = slice_sub(heard, 4, packet.size - 4);
	if (!slice_eq(heard, wanted))
		print_message("heard: %.*s\n", SLICE_ARGS(heard));
	assert_true(slice_eq(heard, wanted));
}

static void play_line(struct stage *stage, struct slice line)
{
	struct buf text, octets;
	char what = line.ptr[0];

	buf_init(&text, STAGE_REPLY_MAX);
	buf_init(&octets, STAGE_REPLY_MAX);
	stage_translate(slice_from_pos(line, 1), &text);
	if (what == '>') {
		packet_write(
		    &octets, text.ptr[0], slice_from_pos(buf_slice(&text), 1));
		stage_say(stage, buf_slice(&octets));
	} else if (what == '<') {
		expect(stage, buf_slice(&text));
	} else if (what == '%') {
		stage_hear(stage);
		assert_false(stage->over);
		assert_int_equal(stage->read, stage->heard.len);
	} else {
		assert_int_equal(what, '$');
		stage_hear(stage);
		assert_true(stage->over);
		assert_int_equal(stage->read, stage->heard.len);
	}
	buf_release(&text);
	buf_release(&octets);
}

void stage_play(struct stage *stage, const char *script)
{
	struct slice rest = slice_from(script);

	while (rest.len) {
		struct slice line;

		slice_split(rest, '\n', &line, &rest);
		if (line.len)
			play_line(stage, line);
	}
}
