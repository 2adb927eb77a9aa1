/* SPDX-License-Identifier: Apache-2.0 */
/* Plays the dialogues of tests/dialogues/ against a session.
 *
 *	# a comment
 *	= recipients 2		a setting (session_fixture.h)
 *	> EHLO client.example	the client sends the line and CR LF
 *	>> MAIL\n		the same without CR LF, with escapes \r \n \0 \\
 *	< 250 2.0.0 ok		exactly this reply comes; a final * is anything
 *	! closed		the server has closed
 *	! waits			nothing more comes, and the session is alive
 *	~ body line		a line of what was delivered; a final * is
 *				anything; at the end of the dialogue
 *	@ a@x b@x		who got the message that was delivered last
 */
#include "smtp/session.h"

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/log.h"
#include "smtp/fake_delivery.h"
#include "smtp/session_fixture.h"

struct play {
	struct arena *arena;
	const char *file;
	int line;
	struct session_fixture fixture;
	struct session *session;
	pthread_t thread;
	int peer;
	struct buf output;
	bool closed;
	struct slice delivered;
};

/* The server's part: parks and wakes the session. */
static void *serve(void *argument)
{
	struct play *play = argument;
	struct session *session = play->session;

	enum session_next next = session_glance(session);

	while (next != SESSION_OVER) {
		struct deadline wakes = session_wakes_at(session);
		bool ready = false;

		if (next == SESSION_SLEEPS)
			usleep((unsigned int)deadline_poll_ms(wakes) * 1000);
		else if (next == SESSION_WAITS)
			ready = io_wait(session_fd(session),
			    session_wants(session), wakes, NULL);
		next = ready ? session_glance(session) : session_run(session);
	}
	session_free(session);
	return NULL;
}

static void start(struct play *play)
{
	play->session = session_fixture_open(&play->fixture, &play->peer);
	assert_int_equal(pthread_create(&play->thread, NULL, serve, play), 0);
}

/* More output, if it comes in time. */
static bool receive(struct play *play, int timeout_ms)
{
	char *room = buf_reserve(&play->output, 4096);
	size_t count = 0;

	if (!io_read_some(
		play->peer, room, 4096, deadline_in(timeout_ms), &count, NULL))
		return false;
	play->closed = !count;
	buf_grown(&play->output, count);
	return count > 0;
}

static void send_bytes(struct play *play, struct slice text)
{
	assert_int_equal(write(play->peer, text.ptr, text.len), text.len);
}

static struct slice unescape(struct arena *arena, struct slice text)
{
	char *copy = arena_text(arena, text);
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (c == '\\' && i + 1 < text.len) {
			c = text.ptr[++i];
			c = c == 'r'   ? '\r'
			    : c == 'n' ? '\n'
			    : c == '0' ? '\0'
				       : c;
		}
		copy[len++] = c;
	}
	return slice_of(copy, len);
}

static bool matches(struct slice got, struct slice expected)
{
	if (expected.len && expected.ptr[expected.len - 1] == '*')
		return slice_starts(
		    got, slice_sub(expected, 0, expected.len - 1));
	return slice_eq(got, expected);
}

static void expect_line(struct play *play, struct slice from,
    struct slice expected, size_t *ret_used)
{
	size_t end = slice_find_slice(from, SLICE("\r\n"));
	struct slice got = slice_sub(from, 0, end);

	if (end == from.len || !matches(got, expected))
		fail_msg("%s:%d: expected \"%.*s\", got \"%.*s\"", play->file,
		    play->line, SLICE_ARGS(expected), SLICE_ARGS(got));
	*ret_used = end + 2;
}

static void expect_reply(struct play *play, struct slice expected)
{
	size_t used;

	while (slice_find(buf_slice(&play->output), '\n') == play->output.len)
		if (!receive(play, 5000))
			break;
	expect_line(play, buf_slice(&play->output), expected, &used);
	buf_consume(&play->output, used);
}

static void expect_state(struct play *play, struct slice state)
{
	bool closes = slice_eq(state, SLICE("closed"));

	while (!play->closed && receive(play, closes ? 5000 : 30))
		;
	if (play->output.len)
		fail_msg("%s:%d: unexpected \"%.*s\"", play->file, play->line,
		    SLICE_ARGS(buf_slice(&play->output)));
	if (play->closed != closes)
		fail_msg("%s:%d: %s", play->file, play->line,
		    play->closed ? "closed" : "not closed");
}

static void expect_recipients(struct play *play, struct slice expected)
{
	struct slice got = fake_recipients(play->arena);

	if (!slice_eq(got, expected))
		fail_msg("%s:%d: delivered to \"%.*s\"", play->file, play->line,
		    SLICE_ARGS(got));
}

static void play_line(struct play *play, struct slice line)
{
	struct slice word, rest;
	size_t used = 0;

	slice_split(line, ' ', &word, &rest);
	if (slice_empty(word) || word.ptr[0] == '#')
		return;
	if (slice_eq(word, SLICE("="))) {
		slice_split(rest, ' ', &word, &rest);
		if (!session_fixture_set(
			&play->fixture, word, rest, 0, UINT64_MAX / 2))
			fail_msg(
			    "%s:%d: no such setting", play->file, play->line);
		return;
	}
	if (!play->session)
		start(play);
	if (slice_eq(word, SLICE(">"))) {
		send_bytes(play, rest);
		send_bytes(play, SLICE("\r\n"));
	} else if (slice_eq(word, SLICE(">>"))) {
		send_bytes(play, unescape(play->arena, rest));
	} else if (slice_eq(word, SLICE("<"))) {
		expect_reply(play, rest);
	} else if (slice_eq(word, SLICE("~"))) {
		if (!play->delivered.ptr)
			play->delivered = fake_delivered(play->arena);
		expect_line(play, play->delivered, rest, &used);
		play->delivered = slice_from_pos(play->delivered, used);
	} else if (slice_eq(word, SLICE("@"))) {
		expect_recipients(play, rest);
	} else if (slice_eq(word, SLICE("!"))) {
		expect_state(play, rest);
	} else {
		fail_msg("%s:%d: what?", play->file, play->line);
	}
}

static void play_file(const char *path, const char *name)
{
	struct play play = {.file = name, .arena = arena_new(0)};
	struct slice text, line;

	assert_true(io_read_file(play.arena, path, 1 << 20, &text, NULL));
	session_fixture_begin(&play.fixture);
	play.fixture.route.text = SLICE("smtp:[127.0.0.1]:25");
	buf_init(&play.output, 1 << 20);
	while (text.len) {
		slice_split(text, '\n', &line, &text);
		play.line++;
		play_line(&play, line);
	}
	if (play.output.len)
		fail_msg("%s: unexpected \"%.*s\"", name,
		    SLICE_ARGS(buf_slice(&play.output)));
	close(play.peer);
	pthread_join(play.thread, NULL);
	buf_release(&play.output);
	session_fixture_end(&play.fixture);
	arena_free(play.arena);
}

static void test_dialogues(void **state)
{
	const char *source = getenv("GATEHOUSE_SOURCE");
	struct arena *arena = arena_new(0);
	const char *folder = arena_format(
	    arena, "%s/tests/dialogues", source ? source : ".");
	DIR *directory = opendir(folder);
	struct dirent *entry;
	int count = 0;

	(void)state;
	assert_non_null(directory);
	while ((entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		play_file(arena_format(arena, "%s/%s", folder, entry->d_name),
		    entry->d_name);
		count++;
	}
	closedir(directory);
	arena_free(arena);
	print_message("%d dialogues\n", count);
	assert_true(count >= 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_dialogues),
	};

	log_setup(LOG_ERROR, LOG_FORMAT_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
