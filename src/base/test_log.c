/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log_private.h"
#include "base/text.h"

#define S(text) SLICE_INIT(text)
#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

enum { CAPTURED_MAX = 65536 };

/* What went to stderr since capture_start; cmocka writes there too, but not
 * in between. */
struct capture {
	int file, saved;
	char text[CAPTURED_MAX];
};

static void capture_start(struct capture *capture)
{
	capture->file = memfd_create("stderr", MFD_CLOEXEC);
	assert_true(capture->file >= 0);
	capture->saved = dup(STDERR_FILENO);
	dup2(capture->file, STDERR_FILENO);
	log_output_look();
}

static struct slice capture_end(struct capture *capture)
{
	ssize_t count;

	dup2(capture->saved, STDERR_FILENO);
	log_output_look();
	close(capture->saved);
	count = pread(capture->file, capture->text, CAPTURED_MAX, 0);
	close(capture->file);
	assert_true(count >= 0);
	return slice_of(capture->text, (size_t)count);
}

static struct slice logged(struct capture *capture, struct slice value)
{
	capture_start(capture);
	log_info("test.event", LOG_S("value", value), LOG_I("n", -7));
	return capture_end(capture);
}

static const struct {
	struct slice value;
	const char *text, *json;
} values[] = {
    /* clang-format off */
    {S("plain"), "plain", "\"plain\""},
    {S("a@b.example"), "a@b.example", "\"a@b.example\""},
    {S(""), "\"\"", "\"\""},
    {S("two words"), "\"two words\"", "\"two words\""},
    {S("a=b"), "\"a=b\"", "\"a=b\""},
    {S("quo\"te\\"), "\"quo\\\"te\\\\\"", "\"quo\\\"te\\\\\""},
    /* Attempts at a second line. */
    {S("x\n2027-01-31T10:00:00.000Z info message.verdict verdict=accept"),
	"\"x\\x0a2027-01-31T10:00:00.000Z info message.verdict "
	"verdict=accept\"",
	"\"x\\n2027-01-31T10:00:00.000Z info message.verdict "
	"verdict=accept\""},
    {S("x\r\n"), "\"x\\x0d\\x0a\"", "\"x\\r\\n\""},
    {S("x\0y\x1b[2J\x7f"), "\"x\\x00y\\x1b[2J\\x7f\"",
	"\"x\\u0000y\\u001b[2J\\u007f\""},
    /* Attempts at a second key. */
    {S("x\" verdict=accept y=\""), "\"x\\\" verdict=accept y=\\\"\"",
	"\"x\\\" verdict=accept y=\\\"\""},
    {S("\xc3\xa4"), "\"\xc3\xa4\"", "\"\xc3\xa4\""},
    {S("\xe4"), "\"\\xe4\"", "\"\xef\xbf\xbd\""},
    {S("\xc2\x85"), "\"\\xc2\\x85\"", "\"\\u0085\""},
    {S("\xe2\x80\xa8"), "\"\\xe2\\x80\\xa8\"", "\"\\u2028\""},
    {S("\xd8\x9c"), "\"\\xd8\\x9c\"", "\"\\u061c\""},
    {S("\xe2\x80\x8f"), "\"\\xe2\\x80\\x8f\"", "\"\\u200f\""},
    {S("\xe2\x80\xae"), "\"\\xe2\\x80\\xae\"", "\"\\u202e\""},
    /* clang-format on */
};

static bool is_time(struct slice text)
{
	struct slice form = SLICE("0000-00-00T00:00:00.000Z");

	for (size_t i = 0; i < form.len; i++)
		if (form.ptr[i] == '0' ? text.ptr[i] < '0' || text.ptr[i] > '9'
				       : text.ptr[i] != form.ptr[i])
			return false;
	return text.len > form.len;
}

static void test_text(void **state)
{
	struct capture capture;

	(void)state;
	log_setup(LOG_INFO, LOG_FORMAT_TEXT);
	for (size_t i = 0; i < COUNT(values); i++) {
		struct slice line = logged(&capture, values[i].value);
		struct arena *arena = arena_new(0);

		assert_true(is_time(line));
		if (!slice_eq(slice_from_pos(line, 24),
			arena_format_slice(arena,
			    " info test.event value=%s n=-7\n",
			    values[i].text)))
			fail_msg("%.*s", SLICE_ARGS(line));
		assert_int_equal(slice_find(line, '\n'), line.len - 1);
		arena_free(arena);
	}
}

static void test_json(void **state)
{
	struct capture capture;

	(void)state;
	log_setup(LOG_INFO, LOG_FORMAT_JSON);
	for (size_t i = 0; i < COUNT(values); i++) {
		struct slice line = logged(&capture, values[i].value);
		struct arena *arena = arena_new(0);

		assert_true(is_time(slice_from_pos(line, 9)));
		if (!slice_eq(slice_from_pos(line, 33),
			arena_format_slice(arena,
			    "\",\"level\":\"info\",\"event\":\"test.event\","
			    "\"value\":%s,\"n\":-7}\n",
			    values[i].json)))
			fail_msg("%.*s", SLICE_ARGS(line));
		arena_free(arena);
	}
	log_setup(LOG_INFO, LOG_FORMAT_TEXT);
}

/* A field that is too long does not take the others, the line's end or the
 * syntax with it. */
static void test_too_long(void **state)
{
	static char many[40000];
	struct slice value = slice_of(many, sizeof(many));
	struct capture capture;
	struct slice line;

	(void)state;
	memset(many, '\x01', sizeof(many));
	log_setup(LOG_INFO, LOG_FORMAT_TEXT);
	line = logged(&capture, value);
	assert_true(slice_eq(
	    slice_from_pos(line, 24), SLICE(" info test.event n=-7 cut=1\n")));
	log_setup(LOG_INFO, LOG_FORMAT_JSON);
	line = logged(&capture, value);
	assert_true(slice_eq(slice_from_pos(line, 33),
	    SLICE("\",\"level\":\"info\",\"event\":\"test.event\",\"n\":-7,"
		  "\"cut\":1}\n")));
	value.len = 2000;
	line = logged(&capture, value);
	assert_true(line.len > 12000);
	assert_true(slice_ends_nocase(line, SLICE("\",\"n\":-7}\n")));
	log_setup(LOG_INFO, LOG_FORMAT_TEXT);
}

static void test_levels_and_topics(void **state)
{
	struct capture capture;
	struct slice text;

	(void)state;
	log_setup(LOG_WARNING, LOG_FORMAT_TEXT);
	capture_start(&capture);
	errno = ENOSPC;
	log_info("not.said", LOG_I("n", 1));
	log_trace(LOG_TOPIC_DNS, "not.traced", LOG_I("n", 1));
	log_set_topics(LOG_TOPIC_DNS);
	log_trace(LOG_TOPIC_DNS, "traced", LOG_I("n", 1));
	log_trace(LOG_TOPIC_SMTP, "not.traced", LOG_I("n", 1));
	log_set_topics(0);
	log_error("said", LOG_I("n", 1));
	assert_int_equal(errno, ENOSPC);
	text = capture_end(&capture);
	assert_int_equal(slice_find_slice(text, SLICE("not.")), text.len);
	assert_true(
	    slice_find_slice(text, SLICE(" debug traced n=1\n")) < text.len);
	assert_true(
	    slice_find_slice(text, SLICE(" error said n=1\n")) < text.len);
	assert_int_equal(
	    log_topic_from_name(SLICE("next-hop")), LOG_TOPIC_NEXT_HOP);
	assert_int_equal(log_topic_from_name(SLICE("all")), 0);
}

/* Two lines with JOURNAL_STREAM as it names stderr; or, off, another file. */
static struct slice logged_to_journal(struct capture *capture, int off)
{
	struct stat status;
	char text[64];

	capture_start(capture);
	fstat(STDERR_FILENO, &status);
	snprintf(text, sizeof(text), "%ju:%ju", (uintmax_t)status.st_dev,
	    (uintmax_t)status.st_ino + off);
	setenv("JOURNAL_STREAM", text, 1);
	log_setup(LOG_INFO, LOG_FORMAT_TEXT);
	unsetenv("JOURNAL_STREAM");
	log_error("said", LOG_I("n", 1));
	log_notice("said", LOG_I("n", 2));
	return capture_end(capture);
}

/* systemd.exec(5): with StandardError=append: the variable may name stdout. */
static void test_journal(void **state)
{
	struct capture capture;
	struct slice text;

	(void)state;
	text = logged_to_journal(&capture, 0);
	assert_true(slice_starts(text, SLICE("<3>2")));
	assert_true(slice_find_slice(text, SLICE("\n<5>2")) < text.len);
	text = logged_to_journal(&capture, 1);
	assert_true(slice_starts(text, SLICE("2")));
	assert_int_equal(slice_find(text, '<'), text.len);
	setenv("JOURNAL_STREAM", "1:", 1);
	log_setup(LOG_INFO, LOG_FORMAT_TEXT);
	unsetenv("JOURNAL_STREAM");
	text = logged(&capture, SLICE("x"));
	assert_int_equal(slice_find(text, '<'), text.len);
	log_setup(LOG_INFO, LOG_FORMAT_TEXT);
}

enum { PIPE_SIZE = 8192 };

struct pipe_log {
	int read, saved;
};

/* Stderr is a pipe that nobody reads, with room for some lines. */
static void pipe_start(struct pipe_log *log)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_true(fcntl(ends[1], F_SETPIPE_SZ, PIPE_SIZE) >= PIPE_SIZE);
	log->read = ends[0];
	log->saved = dup(STDERR_FILENO);
	dup2(ends[1], STDERR_FILENO);
	log_output_look();
	close(ends[1]);
}

static void pipe_end(struct pipe_log *log)
{
	dup2(log->saved, STDERR_FILENO);
	log_output_look();
	close(log->saved);
	close(log->read);
}

static size_t read_pipe(const struct pipe_log *log, char *text, size_t size)
{
	ssize_t count = read(log->read, text, size);

	assert_true(count > 0);
	return (size_t)count;
}

static size_t count_lines(struct slice text)
{
	size_t count = 0;

	for (size_t i = 0; i < text.len; i++)
		count += text.ptr[i] == '\n';
	return count;
}

/* A reader that hangs holds up nobody, and is told what it missed. */
static void test_reader_hangs(void **state)
{
	enum { LINES = 500 };
	static char text[CAPTURED_MAX];
	char dropped[32];
	struct pipe_log log;
	struct slice first, rest;
	int64_t began = clock_monotonic_ms(), took;
	size_t written;

	(void)state;
	alarm(30);
	pipe_start(&log);
	for (int i = 0; i < LINES; i++)
		log_info("test.event", LOG_I("n", i));
	took = clock_monotonic_ms() - began;
	first = slice_of(text, read_pipe(&log, text, PIPE_SIZE));
	log_info("test.event", LOG_T("after", "it"));
	rest = slice_of(first.ptr + first.len,
	    read_pipe(&log, text + first.len, PIPE_SIZE));
	pipe_end(&log);
	alarm(0);
	assert_true(took < 10000);
	written = count_lines(first);
	assert_true(written > 10 && written < LINES);
	assert_int_equal(count_lines(rest), 2);
	assert_true(slice_find_slice(rest, SLICE("after=it")) < rest.len);
	snprintf(dropped, sizeof(dropped), "log.dropped lines=%zu\n",
	    LINES - written);
	assert_true(slice_ends_nocase(rest, slice_from(dropped)));
}

/* So often poll(2) tells of room that is gone when it is written to: another
 * process has filled the pipe meanwhile. */
static int vain_room;

int poll(struct pollfd *pollers, nfds_t count, int timeout_ms)
{
	const struct timespec timeout = {.tv_sec = timeout_ms / 1000,
	    .tv_nsec = timeout_ms % 1000 * 1000000L};

	if (vain_room > 0) {
		vain_room--;
		pollers->revents = POLLOUT;
		return 1;
	}
	return ppoll(pollers, count, timeout_ms < 0 ? NULL : &timeout, NULL);
}

/* Nobody waits for a reader that hangs, whoever else writes to its pipe. */
static void test_room_is_taken(void **state)
{
	static char text[CAPTURED_MAX], filling[PIPE_SIZE];
	struct pipe_log log;
	struct slice rest;

	(void)state;
	memset(filling, 'x', sizeof(filling));
	alarm(30);
	pipe_start(&log);
	assert_int_equal(
	    write(STDERR_FILENO, filling, sizeof(filling)), PIPE_SIZE);
	vain_room = 2;
	log_info("test.event", LOG_I("n", 1));
	vain_room = 0;
	assert_int_equal(read_pipe(&log, text, PIPE_SIZE), PIPE_SIZE);
	log_info("test.event", LOG_I("n", 2));
	rest = slice_of(text, read_pipe(&log, text, PIPE_SIZE));
	pipe_end(&log);
	alarm(0);
	assert_int_equal(count_lines(rest), 2);
	assert_true(slice_find_slice(rest, SLICE(" n=2\n")) < rest.len);
	assert_true(slice_ends_nocase(rest, SLICE("log.dropped lines=1\n")));
}

/* A line of which the pipe took a part ends there: the next is one again. */
static void test_cut_line(void **state)
{
	static char text[CAPTURED_MAX], value[PIPE_SIZE * 3 / 2];
	struct pipe_log log;
	struct slice rest;

	(void)state;
	memset(value, 'x', sizeof(value));
	alarm(30);
	pipe_start(&log);
	log_info("test.event", LOG_S("value", slice_of(value, sizeof(value))));
	assert_int_equal(read_pipe(&log, text, PIPE_SIZE), PIPE_SIZE);
	assert_int_equal(count_lines(slice_of(text, PIPE_SIZE)), 0);
	log_info("test.event", LOG_T("after", "it"));
	rest = slice_of(text, read_pipe(&log, text, PIPE_SIZE));
	pipe_end(&log);
	alarm(0);
	assert_int_equal(count_lines(rest), 3);
	assert_int_equal(text[0], '\n');
	assert_true(slice_ends_nocase(rest, SLICE("log.dropped lines=1\n")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_text),
	    cmocka_unit_test(test_json),
	    cmocka_unit_test(test_too_long),
	    cmocka_unit_test(test_levels_and_topics),
	    cmocka_unit_test(test_journal),
	    cmocka_unit_test(test_reader_hangs),
	    cmocka_unit_test(test_room_is_taken),
	    cmocka_unit_test(test_cut_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
