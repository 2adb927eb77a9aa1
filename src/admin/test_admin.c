/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admin/admin_private.h"
#include "base/ascii.h"
#include "base/io.h"

struct fixture {
	struct arena *arena;
	struct metrics *metrics;
	struct admin_server *server;
	int fd;
	char directory[64];
	char path[128];
};

static void start(struct fixture *fixture, const char *spool_directory)
{
	const struct admin_settings settings = {
	    .address = SLICE("127.0.0.1:0"),
	    .metrics = fixture->metrics,
	    .store_url = arena_format_slice(
		fixture->arena, "sqlite:%s", fixture->path),
	    .spool_directory = slice_from(spool_directory),
	};
	struct err err = {.kind = E_NONE};

	if (!admin_start(&settings, &fixture->server, &err))
		fail_msg("%s", err.text);
}

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	fixture->arena = arena_new(0);
	assert_true(metrics_create(&fixture->metrics, &fixture->fd, NULL));
	metrics_use(fixture->metrics);
	snprintf(fixture->directory, sizeof(fixture->directory),
	    "/tmp/gatehouse-admin-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	snprintf(fixture->path, sizeof(fixture->path), "%s/a.db",
	    fixture->directory);
	start(fixture, "");
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	struct fixture *fixture = *state;

	admin_stop(fixture->server);
	metrics_use(NULL);
	metrics_close(fixture->metrics);
	close(fixture->fd);
	for (size_t i = 0; i < 3; i++)
		unlink(arena_format(
		    fixture->arena, "%s%s", fixture->path, suffixes[i]));
	rmdir(fixture->directory);
	arena_free(fixture->arena);
	free(fixture);
	return 0;
}

/* The whole answer to one request. */
static struct slice ask(struct fixture *fixture, const char *request)
{
	struct sockaddr_in where = {
	    .sin_family = AF_INET,
	    .sin_port = htons((uint16_t)admin_port(fixture->server)),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct buf *answer = buf_in_arena(fixture->arena, 1 << 20);
	struct deadline deadline = deadline_in(20000);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	size_t count = 1;

	assert_int_equal(
	    connect(fd, (struct sockaddr *)&where, sizeof(where)), 0);
	assert_true(io_write_all(fd, slice_from(request), deadline, NULL));
	while (count > 0) {
		char *room = buf_reserve(answer, 4096);

		assert_true(
		    io_read_some(fd, room, 4096, deadline, &count, NULL));
		buf_grown(answer, count);
	}
	close(fd);
	return buf_slice(answer);
}

static struct slice get(struct fixture *fixture, const char *path)
{
	return ask(fixture, arena_format(fixture->arena,
				"GET %s HTTP/1.1\r\nHost: localhost\r\n"
				"Connection: close\r\n\r\n",
				path));
}

static bool has(struct slice text, const char *needle)
{
	return slice_find_slice(text, slice_from(needle)) < text.len;
}

static struct slice body_of(struct slice answer)
{
	return slice_from_pos(
	    answer, slice_find_slice(answer, SLICE("\r\n\r\n")) + 4);
}

static void test_answers(void **state)
{
	static const struct {
		const char *request, *status;
	} rows[] = {
	    {"GET /healthz HTTP/1.1\r\n", "HTTP/1.1 200 "},
	    {"GET /metrics HTTP/1.1\r\n", "HTTP/1.1 200 "},
	    {"GET / HTTP/1.1\r\n", "HTTP/1.1 404 "},
	    {"GET /metrics/ HTTP/1.1\r\n", "HTTP/1.1 404 "},
	    {"GET /../metrics HTTP/1.1\r\n", "HTTP/1.1 404 "},
	    {"POST /metrics HTTP/1.1\r\nContent-Length: 0\r\n",
		"HTTP/1.1 405 "},
	    {"POST /metrics HTTP/1.1\r\nContent-Length: 99999999\r\n",
		"HTTP/1.1 405 "},
	    {"DELETE /readyz HTTP/1.1\r\n", "HTTP/1.1 405 "},
	    {"HEAD /healthz HTTP/1.1\r\n", "HTTP/1.1 200 "},
	    {"HEAD /readyz HTTP/1.1\r\n", "HTTP/1.1 503 "},
	    {"HEAD /metrics HTTP/1.1\r\n", "HTTP/1.1 200 "},
	    {"HEAD /nothing HTTP/1.1\r\n", "HTTP/1.1 404 "},
	    {"PUT /x HTTP/1.1\r\nContent-Length: 0\r\n", "HTTP/1.1 404 "},
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct slice answer = ask(
		    fixture, arena_format(fixture->arena,
				 "%sHost: x\r\nConnection: close\r\n\r\n",
				 rows[i].request));

		if (!slice_starts(answer, slice_from(rows[i].status)))
			fail_msg("%s: %.*s", rows[i].request,
			    SLICE_ARGS(slice_sub(answer, 0, 60)));
		assert_true(has(answer, "X-Content-Type-Options: nosniff"));
		assert_true(has(answer, "Cache-Control: no-store"));
		assert_true(has(answer, "default-src 'none'"));
	}
	assert_true(
	    has(ask(fixture, "POST /metrics HTTP/1.1\r\nHost: x\r\n"
			     "Connection: close\r\nContent-Length: 0\r\n\r\n"),
		"Allow: GET, HEAD"));
	/* RFC 9112 section 3.2: not without a Host field. */
	assert_true(slice_starts(
	    ask(fixture, "GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n"),
	    SLICE("HTTP/1.1 400 ")));
	assert_true(slice_starts(ask(fixture, "GET /healthz HTTP/1.0\r\n\r\n"),
	    SLICE("HTTP/1.1 200 ")));
	/* As long as GET's, and not there. */
	assert_true(has(ask(fixture, "HEAD /healthz HTTP/1.1\r\nHost: x\r\n"
				     "Connection: close\r\n\r\n"),
	    "Content-Length: 3\r\n"));
	assert_int_equal(
	    body_of(ask(fixture, "HEAD /healthz HTTP/1.1\r\nHost: x\r\n"
				 "Connection: close\r\n\r\n"))
		.len,
	    0);
}

static void test_ready(void **state)
{
	struct fixture *fixture = *state;
	struct slice answer = get(fixture, "/readyz");
	struct store *store;

	assert_true(slice_starts(answer, SLICE("HTTP/1.1 503 ")));
	assert_true(has(answer, "smtp: not started"));
	/* Asked from this host: with the system's words. */
	assert_true(has(answer, "store: not-found: "));
	assert_true(has(answer, "/a.db"));
	assert_false(has(answer, ": store: "));
	metrics_heartbeat(PROCESS_SMTP);
	assert_true(store_open(
	    arena_format_slice(fixture->arena, "sqlite:%s", fixture->path),
	    &store, NULL));
	/* The last probe's answer stands for two seconds. */
	assert_true(has(get(fixture, "/readyz"), "store: not-found"));
	usleep(2100 * 1000);
	answer = get(fixture, "/readyz");
	assert_true(slice_starts(answer, SLICE("HTTP/1.1 200 ")));
	assert_true(
	    has(get(fixture, "/metrics"), "\ngatehouse_store_size_bytes "));
	store_close(store);
	/* One that is wanted and never came. */
	metrics_expect(PROCESS_MILTER);
	answer = get(fixture, "/readyz");
	assert_true(slice_starts(answer, SLICE("HTTP/1.1 503 ")));
	assert_true(has(answer, "milter: not started\n"));
	metrics_heartbeat(PROCESS_MILTER);
	assert_true(
	    slice_starts(get(fixture, "/readyz"), SLICE("HTTP/1.1 200 ")));
}

static void test_room(void **state)
{
	static const struct {
		const char *spool_directory;
		const char *problem; /* NULL: none */
		const char *metric;  /* NULL: none */
	} rows[] = {
	    {"", NULL, NULL},
	    {"/tmp", NULL, "\ngatehouse_room_bytes{disk=\"spool\"} "},
	    /* Nothing can be written there. */
	    {"/proc", "spool: full: 0 KiB are left of its disk",
		"\ngatehouse_room_bytes{disk=\"spool\"} 0\n"},
	    {"/nonexistent", "spool: not-found: /nonexistent: ", NULL},
	};
	struct fixture *fixture = *state;
	struct store *store;

	metrics_heartbeat(PROCESS_SMTP);
	assert_true(store_open(
	    arena_format_slice(fixture->arena, "sqlite:%s", fixture->path),
	    &store, NULL));
	store_close(store);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct slice answer, page;

		admin_stop(fixture->server);
		start(fixture, rows[i].spool_directory);
		answer = get(fixture, "/readyz");
		page = get(fixture, "/metrics");
		assert_true(
		    has(page, "\ngatehouse_room_bytes{disk=\"store\"} "));
		if (!slice_starts(body_of(answer),
			slice_from(
			    rows[i].problem ? rows[i].problem : "ready\n")))
			fail_msg("%zu: %.*s", i, SLICE_ARGS(answer));
		if (rows[i].metric)
			assert_true(has(page, rows[i].metric));
		else
			assert_false(has(page, "\"spool\""));
	}
}

/* The gauge tells what the probe for the scrape before found. */
static const char *ready_gauge(struct fixture *fixture)
{
	struct slice page = {NULL, 0};

	for (int i = 0; i < 100; i++) {
		page = get(fixture, "/metrics");
		if (has(page, "\ngatehouse_ready 1\n"))
			return "1";
		if (has(page, "\ngatehouse_ready 0\n"))
			return "0";
		usleep(20 * 1000);
	}
	return "none";
}

static void test_ready_gauge(void **state)
{
	struct fixture *fixture = *state;
	struct store *store;

	assert_false(has(get(fixture, "/metrics"), "gatehouse_ready"));
	assert_string_equal(ready_gauge(fixture), "0");
	assert_true(store_open(
	    arena_format_slice(fixture->arena, "sqlite:%s", fixture->path),
	    &store, NULL));
	store_close(store);
	usleep(2100 * 1000);
	metrics_heartbeat(PROCESS_SMTP);
	get(fixture, "/metrics");
	usleep(500 * 1000);
	assert_string_equal(ready_gauge(fixture), "1");
	metrics_expect(PROCESS_MILTER);
	assert_string_equal(ready_gauge(fixture), "0");
}

/* A small reader of the text format. */
struct sample {
	struct slice name, labels;
	double value;
};

static bool is_name(char c)
{
	return ascii_is_alnum(c) || c == '_' || c == ':';
}

static bool read_sample(struct slice line, struct sample *ret)
{
	struct slice head, value;
	char text[64], *end;
	size_t brace;

	if (!slice_split(line, ' ', &head, &value) || value.len >= 64)
		return false;
	brace = slice_find(head, '{');
	ret->name = slice_sub(head, 0, brace);
	ret->labels = slice_from_pos(head, brace);
	if (ret->name.len == 0 || !slice_all(ret->name, is_name))
		return false;
	if (ret->labels.len &&
	    (!slice_ends_nocase(ret->labels, SLICE("\"}")) ||
		slice_find_slice(ret->labels, SLICE("=\"")) == ret->labels.len))
		return false;
	memcpy(text, value.ptr, value.len);
	text[value.len] = 0;
	ret->value = strtod(text, &end);
	return value.len > 0 && *end == 0;
}

/* Every sample stands below the TYPE line of its family, once. */
static size_t check_exposition(struct slice text)
{
	struct slice line, rest = text, family = {NULL, 0};
	struct slice seen[1024];
	size_t samples = 0;

	assert_true(slice_ends_nocase(text, SLICE("\n")));
	while (slice_split(rest, '\n', &line, &rest)) {
		struct sample sample = {0};
		struct slice key;

		if (slice_starts(line, SLICE("# TYPE "))) {
			slice_split(
			    slice_from_pos(line, 7), ' ', &family, &key);
			continue;
		}
		if (slice_starts(line, SLICE("# HELP ")))
			continue;
		if (!read_sample(line, &sample))
			fail_msg("not a sample: %.*s", SLICE_ARGS(line));
		assert_true(slice_starts(sample.name, family));
		key = slice_of(line.ptr, sample.name.len + sample.labels.len);
		for (size_t i = 0; i < samples; i++)
			assert_false(slice_eq(key, seen[i]));
		assert_true(samples < 1024);
		seen[samples++] = key;
	}
	assert_int_equal(rest.len, 0);
	return samples;
}

static void test_metrics(void **state)
{
	struct fixture *fixture = *state;
	struct slice body;

	metrics_heartbeat(PROCESS_SMTP);
	metrics_count(METRIC_MESSAGES, SLICE("reject"));
	metrics_add(METRIC_CONNECTIONS, -1);
	metrics_observe(METRIC_MESSAGE_SIZE, 1000);
	metrics_observe(METRIC_MESSAGE_SIZE, 5000);
	metrics_observe(METRIC_DECIDE_DURATION, 1500);
	metrics_observe(METRIC_DECIDE_DURATION, 99000000);
	body = body_of(get(fixture, "/metrics"));
	assert_true(check_exposition(body) > METRIC_COUNT);
	assert_true(
	    has(body, "\ngatehouse_messages_total{verdict=\"reject\"} 1\n"));
	assert_true(
	    has(body, "\ngatehouse_messages_total{verdict=\"accept\"} 0\n"));
	assert_true(has(body, "\ngatehouse_connections -1\n"));
	assert_true(has(body, "\n# TYPE gatehouse_connections gauge\n"));
	assert_true(has(body, "_message_size_bytes_bucket{le=\"1024\"} 1\n"));
	assert_true(has(body, "_message_size_bytes_bucket{le=\"16384\"} 2\n"));
	assert_true(has(body, "_message_size_bytes_sum 6000\n"));
	assert_true(
	    has(body, "_decide_duration_seconds_bucket{le=\"0.001\"} 0\n"));
	assert_true(
	    has(body, "_decide_duration_seconds_bucket{le=\"0.0025\"} 1\n"));
	assert_true(
	    has(body, "_decide_duration_seconds_bucket{le=\"+Inf\"} 2\n"));
	assert_true(has(body, "_decide_duration_seconds_sum 99.0015"));
	assert_true(has(body, "_decide_duration_seconds_count 2\n"));
	assert_true(has(body, "\ngatehouse_start_time_seconds "));
	assert_false(has(body, "\ngatehouse_start_time_seconds 0\n"));
	assert_true(has(body, "heartbeat_age_seconds{process=\"smtp\"} "));
}

static void test_addresses(void **state)
{
	static const char *const bad[] = {
	    "localhost", "127.0.0.1:x", "127.0.0.1:70000", "300.0.0.1:1"};
	struct fixture *fixture = *state;
	struct admin_settings settings = {.metrics = fixture->metrics};
	struct admin_server *server;
	struct err err;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		settings.address = slice_from(bad[i]);
		assert_false(admin_start(&settings, &server, &err));
		assert_int_equal(err.kind, E_CONFIG);
	}
	settings.address = arena_format_slice(
	    fixture->arena, "127.0.0.1:%u", admin_port(fixture->server));
	assert_false(admin_start(&settings, &server, &err));
	assert_int_equal(err.kind, E_TEMP);
	/* RFC 5737: nobody's. */
	settings.address = SLICE("192.0.2.1:8025");
	assert_false(admin_start(&settings, &server, &err));
	assert_int_equal(err.kind, E_TEMP);
}

/* docs/METRICS.md says what the rows say.  GATEHOUSE_WRITE_DOCS=1 writes it. */
static void add_row(struct buf *page, const struct metric_spec *spec)
{
	static const char *const kinds[] = {
	    [METRIC_COUNTER] = "counter",
	    [METRIC_GAUGE] = "gauge",
	    [METRIC_HISTOGRAM] = "histogram",
	};

	buf_add_format(page, "| `%s` | %s | ", spec->name, kinds[spec->kind]);
	if (spec->label)
		buf_add_format(page, "%s: ", spec->label);
	for (size_t i = 0; spec->label && spec->values[i]; i++)
		buf_add_format(page, "%s`%s`", i ? ", " : "", spec->values[i]);
	buf_add_format(page, " | %s |\n", spec->help);
}

static void test_page(void **state)
{
	struct fixture *fixture = *state;
	struct buf *page = buf_in_arena(fixture->arena, 1 << 16);
	const char *source = getenv("GATEHOUSE_SOURCE");
	struct slice is;
	char *path;

	if (!source)
		skip();
	path = arena_format(fixture->arena, "%s/docs/METRICS.md", source);
	buf_add_text(page,
	    "# Metrics\n\n"
	    "`GET /metrics` of the admin listener (`admin.address`), in the "
	    "text format of\nPrometheus. Label values are fixed: nothing that "
	    "a peer says becomes a label.\nThis page is checked against "
	    "`src/base/metrics_rows.c` by `test_admin.c`;\nrun that test with "
	    "`GATEHOUSE_WRITE_DOCS=1` to write it again.\n\n"
	    "| name | kind | labels | what it counts |\n|---|---|---|---|\n");
	for (size_t i = 0; i < METRIC_COUNT; i++)
		add_row(page, &metric_specs[i]);
	buf_add_text(page,
	    "| `gatehouse_start_time_seconds` | gauge |  | When the service "
	    "started, since 1970. |\n"
	    "| `gatehouse_heartbeat_age_seconds` | gauge | process | Since a "
	    "process last said that it is alive. |\n"
	    "| `gatehouse_ready` | gauge |  | 1 if mail can be taken: what "
	    "/readyz says. |\n"
	    "| `gatehouse_store_size_bytes` | gauge |  | Of the database and "
	    "its log, on the disk. |\n"
	    "| `gatehouse_room_bytes` | gauge | disk: `store`, `spool` | What "
	    "the store, or the spool on its disk, still takes. |\n\n"
	    "`GET /healthz` is 200 while the admin process answers. `GET "
	    "/readyz` is 200 when\nthe SMTP process, and the milter's if a "
	    "listener wants one, has shown life within 30\nseconds and a "
	    "write has reached the store's disk, and it and the spool's have "
	    "room "
	    "for 4 MiB\nmore (the store also below its `max_size`); otherwise "
	    "it is 503, with "
	    "a\nline for each thing that is missing (on a loopback address "
	    "with the system's words).\n`gatehouse_ready` says the same as a "
	    "metric. A scrape does not wait for a disk: what\nit tells of the "
	    "store was found out at the scrape before, and at first nothing "
	    "is.\n");
	if (getenv("GATEHOUSE_WRITE_DOCS")) {
		FILE *file = fopen(path, "w");

		assert_non_null(file);
		assert_int_equal(
		    fwrite(page->ptr, 1, page->len, file), page->len);
		fclose(file);
	}
	assert_true(io_read_file(fixture->arena, path, 1 << 16, &is, NULL));
	if (!slice_eq(is, buf_slice(page)))
		fail_msg("docs/METRICS.md differs from the rows");
}

#define UNIT(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    UNIT(test_answers),
	    UNIT(test_ready),
	    UNIT(test_room),
	    UNIT(test_ready_gauge),
	    UNIT(test_metrics),
	    UNIT(test_addresses),
	    UNIT(test_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
