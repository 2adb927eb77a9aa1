/* SPDX-License-Identifier: Apache-2.0 */
#include "milter/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { INTERVAL_MS = 20 };

static void open_pair(int pair[static 2])
{
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
}

static void close_pair(const int pair[static 2])
{
	close(pair[0]);
	close(pair[1]);
}

/* How many packets came; nothing else may. */
static size_t heard(int fd)
{
	static const char packet[] = {0, 0, 0, 1, 'p'};
	char memory[sizeof(packet)];
	size_t count = 0;
	ssize_t size;

	while ((size = recv(fd, memory, sizeof(memory), 0)) > 0) {
		assert_int_equal(size, sizeof(packet));
		assert_memory_equal(memory, packet, sizeof(packet));
		count++;
	}
	return count;
}

static void test_told_while_it_waits(void **state)
{
	struct progress_list progress;
	struct progress_wait waits[3];
	int pairs[3][2];

	(void)state;
	progress_init(&progress, INTERVAL_MS);
	for (int i = 0; i < 3; i++) {
		open_pair(pairs[i]);
		progress_begin(&progress, &waits[i], pairs[i][0]);
	}
	progress_tell(&progress);
	for (int i = 0; i < 3; i++)
		assert_int_equal(heard(pairs[i][1]), 0);
	progress_end(&progress, &waits[1]);
	for (int turn = 0; turn < 2; turn++) {
		usleep((INTERVAL_MS + 5) * 1000);
		progress_tell(&progress);
		progress_tell(&progress);
		assert_int_equal(heard(pairs[0][1]), 1);
		assert_int_equal(heard(pairs[1][1]), 0);
		assert_int_equal(heard(pairs[2][1]), 1);
	}
	progress_end(&progress, &waits[2]);
	progress_begin(&progress, &waits[1], pairs[1][0]);
	progress_end(&progress, &waits[0]);
	progress_end(&progress, &waits[1]);
	usleep((INTERVAL_MS + 5) * 1000);
	progress_tell(&progress);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(heard(pairs[i][1]), 0);
		close_pair(pairs[i]);
	}
	progress_destroy(&progress);
}

/* One that is gone or reads nothing holds nobody up. */
static void test_nobody_reads(void **state)
{
	struct progress_list progress;
	struct progress_wait gone, full, fine;
	int pairs[3][2];
	char memory[4096] = {0};

	(void)state;
	progress_init(&progress, INTERVAL_MS);
	for (int i = 0; i < 3; i++)
		open_pair(pairs[i]);
	progress_begin(&progress, &gone, pairs[0][0]);
	progress_begin(&progress, &full, pairs[1][0]);
	progress_begin(&progress, &fine, pairs[2][0]);
	shutdown(pairs[0][1], SHUT_RDWR);
	while (send(pairs[1][0], memory, sizeof(memory), MSG_NOSIGNAL) > 0)
		;
	usleep((INTERVAL_MS + 5) * 1000);
	progress_tell(&progress);
	assert_int_equal(heard(pairs[2][1]), 1);
	progress_end(&progress, &gone);
	progress_end(&progress, &full);
	progress_end(&progress, &fine);
	for (int i = 0; i < 3; i++)
		close_pair(pairs[i]);
	progress_destroy(&progress);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_told_while_it_waits),
	    cmocka_unit_test(test_nobody_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
