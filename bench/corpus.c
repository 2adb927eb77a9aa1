/* SPDX-License-Identifier: Apache-2.0 */
#include "corpus.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const bench_verdict_names[BENCH_VERDICTS] = {
    [BENCH_ACCEPT] = "accept",
    [BENCH_REJECT] = "reject",
    [BENCH_DEFER] = "defer",
    [BENCH_FAILED] = "failed",
};

/* For the life of the process. */
static bool map_file(struct arena *arena, const char *folder, const char *name,
    struct slice *ret, struct err *err)
{
	struct slice path = arena_format_slice(arena, "%s/%s", folder, name);
	int fd = open(arena_text(arena, path), O_RDONLY | O_CLOEXEC);
	struct stat status;
	void *map;

	if (fd < 0 || fstat(fd, &status) < 0)
		return err_set_errno(err, "%s/%s", folder, name);
	map = mmap(NULL, (size_t)status.st_size, PROT_READ,
	    MAP_PRIVATE | MAP_POPULATE, fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		return err_set_errno(err, "%s/%s", folder, name);
	*ret = slice_of(map, (size_t)status.st_size);
	return true;
}

static bool read_line(
    struct slice line, struct slice octets, struct corpus_message *ret)
{
	enum { OFFSET, SIZE, KIND, VERDICT, KEY, IP, HELO, SENDER, RCPT, COLS };
	struct slice columns[COLS];
	uint64_t offset, size;

	for (size_t i = 0; i < COLS; i++)
		slice_split(line, '\t', &columns[i], &line);
	if (!slice_to_u64(columns[OFFSET], octets.len, &offset) ||
	    !slice_to_u64(columns[SIZE], octets.len - offset, &size) ||
	    slice_empty(columns[RCPT]))
		return false;
	*ret = (struct corpus_message){
	    .octets = slice_sub(octets, offset, size),
	    .kind = columns[KIND],
	    .expected = slice_eq(columns[VERDICT], SLICE("accept"))
			    ? BENCH_ACCEPT
			    : BENCH_REJECT,
	    .is_rsa = slice_eq(columns[KEY], SLICE("rsa")),
	    .client_ip = columns[IP],
	    .helo = columns[HELO],
	    .sender = columns[SENDER],
	    .recipients = columns[RCPT],
	};
	return true;
}

static size_t count_lines(struct slice text)
{
	size_t count = 0;

	for (size_t i = 0; i < text.len; i++)
		count += text.ptr[i] == '\n';
	return count;
}

bool corpus_open(struct arena *arena, const char *folder, struct slice kind,
    struct corpus *ret, struct err *err)
{
	struct slice octets, index, line;
	struct corpus_message *messages;
	size_t count = 0;

	if (!map_file(arena, folder, "messages", &octets, err) ||
	    !map_file(arena, folder, "index", &index, err))
		return false;
	messages = ARENA_ARRAY(
	    arena, count_lines(index) + 1, struct corpus_message);
	while (slice_split(index, '\n', &line, &index)) {
		if (!read_line(line, octets, &messages[count]))
			return err_set(err, E_SYNTAX, "%s/index: %.*s", folder,
			    SLICE_ARGS(line));
		if (slice_empty(kind) || slice_eq(messages[count].kind, kind))
			count++;
	}
	if (!count)
		return err_set(err, E_SYNTAX, "%s: no such message", folder);
	*ret = (struct corpus){count, messages};
	return true;
}

struct slice corpus_body(struct slice octets)
{
	return slice_from_pos(
	    octets, slice_find_slice(octets, SLICE("\r\n\r\n")) + 4);
}
