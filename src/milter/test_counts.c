/* SPDX-License-Identifier: Apache-2.0 */
/* What is counted of a session and its messages; and what one that has failed
 * still holds. */
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/metrics.h"
#include "gate/fake_gate.h"
#include "message/content_memory.h"
#include "milter/packet.h"
#include "milter/test_stage.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

#define FIELD ">LFrom| a@b.example|\n"
#define BODY ">Bbody~\n"
enum { HEADER_SIZE = sizeof("From: a@b.example\r\n\r\n") - 1, BODY_SIZE = 6 };

/* Labels of the metrics, in their order. */
enum { PROTOCOL, TIMEOUT, IO, FAILURES };
enum { MAIL_SERVER };

enum ending { QUITS, FALLS_SILENT, CLOSES, IS_LOST, LOSES_ANSWER, IS_RESET };

static const struct {
	const char *name, *script;
	enum ending ending;
	int64_t failures[FAILURES];
	int64_t bytes;	    /* received */
	int64_t refused;    /* changes that the MTA does not allow: noted */
	int64_t messages;   /* answered */
	uint64_t judged;    /* of these */
	uint64_t sizes_sum; /* theirs */
} rows[] = {
    {"a message", START FIELD ">N\n" BODY ">E\n<c\n>Q\n", QUITS, {0},
	HEADER_SIZE + BODY_SIZE, 0, 1, 1, HEADER_SIZE + BODY_SIZE},
    {"no end of the header; a piece with the end of the message",
	START FIELD BODY ">Ex~\n<c\n>Q\n", QUITS, {0},
	HEADER_SIZE + BODY_SIZE + 3, 0, 1, 1, HEADER_SIZE + BODY_SIZE + 3},
    {"several", START FIELD ">N\n>E\n<c\n" ENVELOPE FIELD ">E\n<c\n>Q\n", QUITS,
	{0}, 2 * HEADER_SIZE, 0, 2, 2, 2 * HEADER_SIZE},
    {"one that is given up", START FIELD ">N\n>A\n>Q\n", QUITS, {0},
	HEADER_SIZE, 0, 0, 0, 0},
    {"over a limit",
	START ">R<b@x>|\n>R<c@x>|\n>R<d@x>|\n" FIELD ">N\n" BODY ">E\n>Q\n",
	QUITS, {0}, BODY_SIZE, 0, 1, 0, 0},
    {"what the MTA does not allow",
	">O\\00\\00\\00\\06\\00\\00\\00\\37\\00\\1f\\ff\\ff\n" CLIENT ENVELOPE
	">R<b@x.example>|\n>LX-Remove| b@x.example|\n>N\n>E\n>Q\n",
	QUITS, {0}, sizeof("X-Remove: b@x.example\r\n\r\n") - 1, 1, 1, 1,
	sizeof("X-Remove: b@x.example\r\n\r\n") - 1},
    {"no packet", START ">z\n", QUITS, {[PROTOCOL] = 1}, 0, 0, 0, 0, 0},
    {"silence", START FIELD, FALLS_SILENT, {[TIMEOUT] = 1}, 0, 0, 0, 0, 0},
    {"silence between messages", START, FALLS_SILENT, {0}, 0, 0, 0, 0, 0},
    {"the end between messages", START ">N\n>E\n<c\n", CLOSES, {0}, 2, 0, 1, 1,
	2},
    {"the end amid a message", START FIELD, CLOSES, {0}, 0, 0, 0, 0, 0},
    {"a connection that is reset", AGREE_6, IS_RESET, {[IO] = 1}, 0, 0, 0, 0,
	0},
    {"lost amid its answer", START ">LX-Body| 20000 1234567|\n>N\n",
	LOSES_ANSWER, {[IO] = 1}, sizeof("X-Body: 20000 1234567\r\n\r\n") - 1,
	0, 1, 1, sizeof("X-Body: 20000 1234567\r\n\r\n") - 1},
    {"a lost connection", "", IS_LOST, {[IO] = 1}, 0, 0, 0, 0, 0},
};

static const struct slice options = SLICE_INIT(
    "\0\0\0\xdO\0\0\0\6\0\0\0\x3f\0\x1f\xff\xff");

/* With an answer on its way. */
static void lose(struct stage *stage, struct slice packet)
{
	assert_int_equal(
	    send(stage->mta, packet.ptr, packet.len, 0), packet.len);
	assert_int_equal(shutdown(stage->mta, SHUT_RDWR), 0);
	stage_run(stage);
	assert_true(stage->over);
}

/* With an answer unread. */
static void reset(struct stage *stage)
{
	int other = dup(STDERR_FILENO);

	assert_int_equal(
	    send(milter_session_fd(stage->session), "unread", 6, 0), 6);
	/* In its place, for stage_close. */
	assert_int_equal(dup2(other, stage->mta), stage->mta);
	close(other);
	stage_run(stage);
}

static void play(size_t i)
{
	struct stage stage;

	stage_open(&stage);
	stage.config->limits.data_timeout = rows[i].ending == FALLS_SILENT
						? 30
						: 60 * 1000;
	stage_play(&stage, rows[i].script);
	if (rows[i].ending == FALLS_SILENT) {
		usleep(40 * 1000);
		stage_run(&stage);
	} else if (rows[i].ending == CLOSES) {
		assert_int_equal(shutdown(stage.mta, SHUT_WR), 0);
		stage_run(&stage);
		assert_true(stage.over);
	} else if (rows[i].ending == IS_LOST) {
		lose(&stage, options);
	} else if (rows[i].ending == LOSES_ANSWER) {
		lose(&stage, SLICE("\0\0\0\1E"));
	} else if (rows[i].ending == IS_RESET) {
		reset(&stage);
	}
	stage_close(&stage);
}

static uint64_t observed(
    const struct metrics *metrics, enum metric metric, uint64_t *ret_sum)
{
	size_t buckets = metric_bucket_count(&metric_specs[metric]) + 1;
	uint64_t counts[64] = {0}, count = 0;

	assert_in_range(buckets, 1, COUNT(counts));
	metrics_read_histogram(metrics, metric, counts, ret_sum);
	for (size_t i = 0; i < buckets; i++)
		count += counts[i];
	return count;
}

static void expect_counts(const struct metrics *metrics, size_t i)
{
	enum { LONG_US = 60 * 1000000 };
	uint64_t sum;

	for (size_t j = 0; j < FAILURES; j++)
		assert_int_equal(
		    metrics_read(metrics, METRIC_MILTER_FAILURES, j),
		    rows[i].failures[j]);
	assert_int_equal(
	    metrics_read(metrics, METRIC_RECEIVED_BYTES, 0), rows[i].bytes);
	assert_int_equal(
	    metrics_read(metrics, METRIC_CHANGES_REFUSED, MAIL_SERVER),
	    rows[i].refused);
	assert_int_equal(
	    observed(metrics, METRIC_MESSAGE_DURATION, &sum), rows[i].messages);
	assert_in_range(sum, 0, LONG_US);
	assert_int_equal(
	    observed(metrics, METRIC_DECIDE_DURATION, &sum), rows[i].judged);
	assert_in_range(sum, 0, LONG_US);
	assert_int_equal(
	    observed(metrics, METRIC_MESSAGE_SIZE, &sum), rows[i].judged);
	assert_int_equal(sum, rows[i].sizes_sum);
}

static void test_counts(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct metrics *metrics;
		unsigned int noted;
		int fd;

		print_message("%s\n", rows[i].name);
		assert_true(metrics_create(&metrics, &fd, NULL));
		close(fd);
		metrics_use(metrics);
		noted = fake_gate_noted_count();
		play(i);
		expect_counts(metrics, i);
		assert_int_equal(
		    fake_gate_noted_count() - noted, rows[i].refused);
		metrics_use(NULL);
		metrics_close(metrics);
	}
}

/* Descriptors of files in a folder, deleted or not. */
static size_t count_files_in(const char *folder)
{
	DIR *descriptors = opendir("/proc/self/fd");
	struct dirent *entry;
	size_t count = 0;

	assert_non_null(descriptors);
	while ((entry = readdir(descriptors))) {
		char link[300], target[4096] = "";

		snprintf(link, sizeof(link), "/proc/self/fd/%s", entry->d_name);
		if (readlink(link, target, sizeof(target) - 1) > 0)
			count += slice_starts(
			    slice_from(target), slice_from(folder));
	}
	closedir(descriptors);
	return count;
}

enum { MEMORY = 1000, LITTLE = 4096, PIECE = 50000 };

/* What makes a message fail whose body has begun, and the answer. */
static const struct {
	const char *name;
	char octet; /* of lines of body ('x': of one that has no end) */
	int pieces;
	const char *script, *answer;
} failures[] = {
    {"a limit of ours", 'x', 1, "", "y554 5.6.0"},
    {"a limit of the spool's", 'l', 5, "", "y552 5.3.4"},
    {"a malformed field", 0, 0, ">LX-A| b|\n", "y550 5.6.0"},
};

static void say_body(struct stage *stage, char octet, int pieces)
{
	char piece[PIECE];
	struct buf packet;

	memset(piece, octet, sizeof(piece));
	for (size_t i = 0; octet != 'x' && i < sizeof(piece); i += 100)
		memcpy(piece + i, "\r\n", 2);
	buf_init(&packet, sizeof(piece) + 5);
	packet_write(&packet, 'B', slice_of(piece, sizeof(piece)));
	for (int i = 0; i < pieces; i++)
		stage_say(stage, buf_slice(&packet));
	buf_release(&packet);
}

/* A message whose content is in a file of folder. */
static void begin_in_file(struct stage *stage, const char *folder)
{
	stage_open(stage);
	stage->config->spool_directory = slice_from(folder);
	stage->config->limits.spool_memory = MEMORY;
	stage_play(stage, START FIELD ">N\n");
	say_body(stage, 'l', 1);
	assert_int_equal(count_files_in(folder), 1);
}

/* However long the MTA goes on: neither a file nor memory is kept for a message
 * that is refused in any case. */
static void test_failed_is_let_go(void **state)
{
	char folder[] = "/tmp/milter-test-XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(folder));
	for (size_t i = 0; i < COUNT(failures); i++) {
		uint64_t nothing = 0;
		struct stage stage;
		struct slice heard;

		print_message("%s\n", failures[i].name);
		begin_in_file(&stage, folder);
		assert_true(content_memory_hold(&nothing, 0) > 0);
		say_body(&stage, failures[i].octet, failures[i].pieces);
		stage_play(&stage, failures[i].script);
		assert_int_equal(count_files_in(folder), 0);
		assert_in_range(content_memory_hold(&nothing, 0), 1, LITTLE);
		stage_play(&stage, ">Bmore~\n%\n>E\n");
		assert_int_equal(count_files_in(folder), 0);
		heard = slice_from_pos(buf_slice(&stage.heard), stage.read + 4);
		assert_true(
		    slice_starts(heard, slice_from(failures[i].answer)));
		assert_int_equal(content_memory_hold(&nothing, 0), 0);
		stage_close(&stage);
	}
	assert_int_equal(rmdir(folder), 0);
}

/* Nor for one that is given up, or whose client is. */
static void test_given_up_is_let_go(void **state)
{
	static const char *const words[] = {
	    ">A\n", ">K\n", ">Hagain.example|\n", ">DMi|Q2|\n", ENVELOPE};
	char folder[] = "/tmp/milter-test-XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(folder));
	for (size_t i = 0; i < COUNT(words); i++) {
		uint64_t nothing = 0;
		struct stage stage;

		print_message("%s", words[i]);
		begin_in_file(&stage, folder);
		stage_play(&stage, words[i]);
		assert_int_equal(count_files_in(folder), 0);
		assert_int_equal(content_memory_hold(&nothing, 0), 0);
		stage_close(&stage);
	}
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_counts),
	    cmocka_unit_test(test_failed_is_let_go),
	    cmocka_unit_test(test_given_up_is_let_go),
	};

	signal(SIGPIPE, SIG_IGN);
	log_setup(LOG_ERROR, LOG_FORMAT_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
