/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"

static struct stream *pair(int *ret_peer)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	*ret_peer = fds[1];
	assert_true(io_set_nonblocking(fds[0], NULL));
	return stream_new(fds[0]);
}

static void send_text(int fd, const char *text)
{
	size_t len = strlen(text);

	assert_int_equal(write(fd, text, len), (ssize_t)len);
}

static void assert_line(struct stream *stream, const char *expected)
{
	struct slice line = {0};
	struct err err = {0};

	if (!stream_read_line(stream, 100, deadline_in(1000), &line, &err))
		fail_msg("%s", err.text);
	assert_int_equal(line.len, strlen(expected));
	assert_memory_equal(line.ptr, expected, line.len);
}

static void test_lines(void **state)
{
	struct slice line;
	struct err err;
	int peer;
	struct stream *stream = pair(&peer);

	(void)state;
	send_text(peer, "EHLO a\r\nMAIL\nhalf");
	assert_line(stream, "EHLO a\r\n");
	assert_true(stream_has_input(stream));
	assert_line(stream, "MAIL\n");
	assert_false(
	    stream_read_line(stream, 100, deadline_in(10), &line, &err));
	assert_int_equal(err.kind, E_TIMEOUT);
	send_text(peer, " a line\r\n");
	assert_line(stream, "half a line\r\n");
	assert_false(stream_has_input(stream));
	stream_shrink(stream);
	send_text(peer, "123456789");
	assert_false(
	    stream_read_line(stream, 9, deadline_in(1000), &line, &err));
	assert_int_equal(err.kind, E_LIMIT);
	stream_consume(stream, stream_buffered(stream).len);
	close(peer);
	assert_false(
	    stream_read_line(stream, 9, deadline_in(1000), &line, &err));
	assert_int_equal(err.kind, E_CLOSED);
	stream_free(stream);
}

static void test_writes(void **state)
{
	enum { SIZE = 20000 };
	static char big[SIZE], got[SIZE + 10];
	struct err err = {0};
	size_t count = 0;
	int peer;
	struct stream *stream = pair(&peer);

	(void)state;
	memset(big, 'x', SIZE);
	assert_true(
	    stream_write(stream, SLICE("220 "), deadline_in(1000), &err));
	assert_int_equal(recv(peer, got, 1, MSG_DONTWAIT), -1);
	assert_true(
	    stream_write(stream, slice_of(big, SIZE), deadline_in(1000), &err));
	assert_true(
	    stream_write(stream, SLICE("\r\n"), deadline_in(1000), &err));
	assert_true(stream_flush(stream, deadline_in(1000), &err));
	while (count < SIZE + 6) {
		ssize_t some = read(peer, got + count, sizeof(got) - count);

		assert_true(some > 0);
		count += (size_t)some;
	}
	assert_memory_equal(got, "220 xxx", 7);
	assert_memory_equal(got + SIZE + 2, "xx\r\n", 4);
	close(peer);
	assert_false(stream_write(stream, slice_of(big, SIZE),
			 deadline_in(1000), &err) &&
		     stream_flush(stream, deadline_in(1000), &err));
	assert_int_equal(err.kind, E_CLOSED);
	stream_free(stream);
}

/* A peer that takes nothing cannot hold a writer past its deadline. */
static void test_write_deadline(void **state)
{
	static char big[1 << 20];
	struct err err = {0};
	int peer;
	struct stream *stream = pair(&peer);

	(void)state;
	assert_false(stream_write(
	    stream, slice_of(big, sizeof(big)), deadline_in(30), &err));
	assert_int_equal(err.kind, E_TIMEOUT);
	stream_free(stream);
	close(peer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_writes),
	    cmocka_unit_test(test_write_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
