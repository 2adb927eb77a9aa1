/* SPDX-License-Identifier: Apache-2.0 */
/* Sends the corpus over a number of connections and measures.
 *
 *	load --corpus FOLDER --to PORT[,PORT...] [--protocol smtp|milter]
 *	     [--connections 16] [--messages 2000] [--per-connection 1]
 *	     [--kind 4k] [--client xclient|proxy|none]
 *	     [--expect corpus|accept|report]
 *
 * Several ports: filters that see each message in turn, each on a connection
 * of its own, as an MTA with several milters has it.  The result is one line of
 * JSON; exit status 1: a verdict was not the expected one.  With report, wrong
 * ones are counted and nothing else.
 *
 * One thread, which never waits for anything but epoll.  It runs beside what it
 * measures, so a message costs few system calls: sockets are registered once,
 * edge-triggered, and what can be sent goes out in one call from the mapped
 * corpus.
 */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/require.h"

enum { EVENTS = 64, STALLED_MS = 60 * 1000, WRONG_SHOWN = 5 };

struct load {
	const struct load_protocol *protocol;
	struct load_settings settings;
	struct corpus corpus;
	bool expect_accept, report_only;
	uint16_t ports[LOAD_HOPS_MAX];
	int epoll;
	size_t wanted, begun, done, open;
	size_t verdicts[BENCH_VERDICTS];
	size_t wrong;
	uint64_t octets;
	uint32_t *latencies; /* microseconds, one a message */
};

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

_Noreturn static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* For protocols. */

const struct corpus_message *load_next(struct load_connection *connection)
{
	struct load *load = connection->load;

	connection->message = NULL;
	if (load->begun == load->wanted)
		return NULL;
	connection->message =
	    &load->corpus.messages[load->begun++ % load->corpus.count];
	if (connection->sent)
		connection->started_us = now_us();
	return connection->message;
}

void load_done(struct load_connection *connection, enum bench_verdict verdict)
{
	struct load *load = connection->load;
	const struct corpus_message *message = connection->message;
	enum bench_verdict expected = load->expect_accept ? BENCH_ACCEPT
							  : message->expected;

	load->latencies[load->done++] = (uint32_t)(now_us() -
						   connection->started_us);
	load->verdicts[verdict]++;
	load->octets += message->octets.len;
	connection->message = NULL;
	if (verdict == expected)
		return;
	if (load->wrong++ < WRONG_SHOWN && !load->report_only)
		fprintf(stderr, "load: %s, not %s: %.*s from %.*s: %.*s\n",
		    bench_verdict_names[verdict], bench_verdict_names[expected],
		    SLICE_ARGS(message->sender), SLICE_ARGS(message->client_ip),
		    (int)connection->in_len, connection->in);
}

/* Octets that follow each other in memory are one piece. */
void load_send(struct load_connection *connection, struct slice bytes)
{
	struct slice *last = connection->out_count
				 ? &connection->out[connection->out_count - 1]
				 : NULL;

	if (last && last->ptr + last->len == bytes.ptr) {
		last->len += bytes.len;
		return;
	}
	require(connection->out_count < LOAD_OUTPUT_MAX);
	connection->out[connection->out_count++] = bytes;
}

void load_copy(struct load_connection *connection, struct slice bytes)
{
	char *line = connection->lines + connection->lines_len;

	require(bytes.len <= sizeof(connection->lines) - connection->lines_len);
	memcpy(line, bytes.ptr, bytes.len);
	connection->lines_len += bytes.len;
	load_send(connection, slice_of(line, bytes.len));
}

void load_say(struct load_connection *connection, const char *format, ...)
{
	char line[2048];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	require(len >= 0 && (size_t)len < sizeof(line));
	load_copy(connection, slice_of(line, (size_t)len));
}

void load_close(struct load_connection *connection)
{
	connection->closing = true;
}

bool load_pass_on(struct load_connection *connection)
{
	if (connection->hop + 1 == connection->settings->hops)
		return false;
	connection->passing_on = true;
	load_close(connection);
	return true;
}

/* Connections. */

static void watch(struct load_connection *connection)
{
	struct epoll_event event = {
	    .events = EPOLLIN | EPOLLOUT | EPOLLET,
	    .data.ptr = connection,
	};

	if (epoll_ctl(connection->load->epoll, EPOLL_CTL_ADD, connection->fd,
		&event) < 0)
		die("epoll_ctl");
}

static void take_sent(struct load_connection *connection, size_t sent)
{
	size_t gone = 0;

	while (
	    gone < connection->out_count && sent >= connection->out[gone].len)
		sent -= connection->out[gone++].len;
	connection->out_count -= gone;
	memmove(connection->out, connection->out + gone,
	    connection->out_count * sizeof(connection->out[0]));
	if (connection->out_count)
		connection->out[0] = slice_from_pos(connection->out[0], sent);
	else
		connection->lines_len = 0;
}

static ssize_t send_pieces(const struct load_connection *connection)
{
	struct iovec pieces[LOAD_OUTPUT_MAX];
	struct msghdr message = {
	    .msg_iov = pieces, .msg_iovlen = connection->out_count};

	for (size_t i = 0; i < connection->out_count; i++)
		pieces[i] = (struct iovec){
		    (void *)(uintptr_t)connection->out[i].ptr,
		    connection->out[i].len};
	return sendmsg(connection->fd, &message, MSG_NOSIGNAL);
}

/* False: the connection is lost. */
static bool flush(struct load_connection *connection)
{
	const struct load_protocol *protocol = connection->load->protocol;

	while (connection->out_count) {
		ssize_t sent = send_pieces(connection);

		if (sent < 0 && errno != EINTR)
			return errno == EAGAIN;
		if (sent > 0)
			take_sent(connection, (size_t)sent);
		if (!connection->out_count && protocol->drained)
			protocol->drained(connection);
	}
	return true;
}

/* What the protocol says first is sent at once if the connection is there at
 * once, as it usually is on loopback; else when epoll says that it is. */
static void open_socket(struct load_connection *connection)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET,
	    .sin_port = htons(connection->load->ports[connection->hop]),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int yes = 1;

	connection->fd = socket(
	    AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (connection->fd < 0)
		die("socket");
	setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	if (connect(connection->fd, (struct sockaddr *)&address,
		sizeof(address)) < 0 &&
	    errno != EINPROGRESS)
		die("connect");
	connection->closing = connection->passing_on = false;
	connection->in_len = connection->out_count = connection->lines_len = 0;
	connection->load->open++;
	connection->load->protocol->begin(connection);
	watch(connection);
	flush(connection);
}

/* The buffers stay as they are. */
static void open_connection(
    struct load *load, struct load_connection *connection)
{
	memset(connection, 0, offsetof(struct load_connection, in));
	connection->load = load;
	connection->settings = &load->settings;
	connection->started_us = now_us();
	open_socket(connection);
}

/* Another one takes its place while messages are left. */
static void replace(struct load_connection *connection)
{
	struct load *load = connection->load;

	close(connection->fd);
	load->open--;
	if (connection->passing_on) {
		connection->hop++;
		open_socket(connection);
		return;
	}
	if (connection->message)
		load_done(connection, BENCH_FAILED);
	if (load->begun < load->wanted)
		open_connection(load, connection);
}

/* More is to come and there is nothing to say: else a filter that sends a
 * header and its verdict in two packets waits 40 ms with the second for our
 * delayed acknowledgement of the first. */
static void acknowledge(const struct load_connection *connection)
{
	int yes = 1;

	if (!connection->out_count && !connection->closing)
		setsockopt(connection->fd, IPPROTO_TCP, TCP_QUICKACK, &yes,
		    sizeof(yes));
}

/* Until nothing is left, which a short count tells.  False: it has ended. */
static bool receive(struct load_connection *connection)
{
	const struct load_protocol *protocol = connection->load->protocol;
	size_t room, taken;
	ssize_t count;

	do {
		room = LOAD_INPUT_MAX - connection->in_len;
		count = recv(connection->fd,
		    connection->in + connection->in_len, room, 0);
		if (count < 0)
			return errno == EAGAIN || errno == EINTR;
		if (count == 0)
			return false;
		connection->in_len += (size_t)count;
		taken = protocol->input(
		    connection, slice_of(connection->in, connection->in_len));
		connection->in_len -= taken;
		memmove(
		    connection->in, connection->in + taken, connection->in_len);
		if (connection->in_len == LOAD_INPUT_MAX)
			return false;
	} while ((size_t)count == room);
	acknowledge(connection);
	return true;
}

static void handle(struct load_connection *connection, uint32_t events)
{
	bool alive = true;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		alive = receive(connection);
	alive = alive && flush(connection);
	if (!alive || (connection->closing && !connection->out_count))
		replace(connection);
}

static void run(struct load *load, size_t connections)
{
	struct load_connection *all = memory_new(connections, sizeof(*all));
	struct epoll_event events[EVENTS];

	for (size_t i = 0; i < connections && load->begun < load->wanted; i++)
		open_connection(load, &all[i]);
	while (load->open) {
		int count = epoll_wait(load->epoll, events, EVENTS, STALLED_MS);

		if (count == 0) {
			errno = ETIMEDOUT;
			die("nothing moves");
		}
		for (int i = 0; i < count; i++)
			handle(events[i].data.ptr, events[i].events);
	}
	memory_free(all);
}

/* Figures. */

static int compare(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static double percentile_ms(const struct load *load, unsigned int percent)
{
	return load->latencies[(load->done - 1) * percent / 100] / 1000.0;
}

static void print_result(struct load *load, double seconds, double cpu)
{
	qsort(load->latencies, load->done, sizeof(uint32_t), compare);
	printf("{\"messages\":%zu,\"octets\":%llu,\"seconds\":%.4f,"
	       "\"rate\":%.1f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,"
	       "\"max_ms\":%.3f,\"wrong\":%zu,\"load_cpu\":%.3f",
	    load->done, (unsigned long long)load->octets, seconds,
	    (double)load->done / seconds, percentile_ms(load, 50),
	    percentile_ms(load, 99), percentile_ms(load, 100), load->wrong,
	    cpu);
	for (int i = 0; i < BENCH_VERDICTS; i++)
		printf(
		    ",\"%s\":%zu", bench_verdict_names[i], load->verdicts[i]);
	printf("}\n");
}

/* Options. */

struct options {
	const char *corpus, *kind;
	uint64_t connections, messages;
};

static const struct load_protocol *const protocols[] = {
    &load_smtp, &load_milter};

static bool set_protocol(struct load *load, const char *name)
{
	load->protocol = NULL;
	for (size_t i = 0; i < sizeof(protocols) / sizeof(*protocols); i++)
		if (strcmp(protocols[i]->name, name) == 0)
			load->protocol = protocols[i];
	return load->protocol != NULL;
}

static bool set_client(struct load *load, const char *name)
{
	static const char *const names[] = {[CLIENT_NONE] = "none",
	    [CLIENT_XCLIENT] = "xclient",
	    [CLIENT_PROXY] = "proxy"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(names[i], name) == 0) {
			load->settings.client = (enum load_client)i;
			return true;
		}
	return false;
}

static bool set_number(const char *text, uint64_t max, uint64_t *ret)
{
	return slice_to_u64(slice_from(text), max, ret) && *ret;
}

static bool set_ports(struct load *load, const char *text)
{
	struct slice rest = slice_from(text), one;
	uint64_t port;

	do {
		slice_split(rest, ',', &one, &rest);
		if (load->settings.hops == LOAD_HOPS_MAX ||
		    !slice_to_u64(one, UINT16_MAX, &port) || !port)
			return false;
		load->ports[load->settings.hops++] = (uint16_t)port;
	} while (!slice_empty(rest));
	return true;
}

static bool set_option(struct load *load, struct options *options, int name)
{
	switch (name) {
	case 'c': options->corpus = optarg; return true;
	case 'k': options->kind = optarg; return true;
	case 't': return set_ports(load, optarg);
	case 'n': return set_number(optarg, 10000, &options->connections);
	case 'm': return set_number(optarg, UINT32_MAX, &options->messages);
	case 'r':
		return set_number(
		    optarg, UINT32_MAX, &load->settings.per_connection);
	case 'p': return set_protocol(load, optarg);
	case 'a': return set_client(load, optarg);
	case 'e':
		load->expect_accept = strcmp(optarg, "accept") == 0;
		load->report_only = strcmp(optarg, "report") == 0;
		return true;
	}
	return false;
}

static bool read_options(
    struct load *load, struct options *options, int argc, char **argv)
{
	static const struct option names[] = {
	    {"corpus", required_argument, NULL, 'c'},
	    {"kind", required_argument, NULL, 'k'},
	    {"to", required_argument, NULL, 't'},
	    {"connections", required_argument, NULL, 'n'},
	    {"messages", required_argument, NULL, 'm'},
	    {"per-connection", required_argument, NULL, 'r'},
	    {"protocol", required_argument, NULL, 'p'},
	    {"client", required_argument, NULL, 'a'},
	    {"expect", required_argument, NULL, 'e'},
	    {0},
	};
	int name;

	while ((name = getopt_long(argc, argv, "", names, NULL)) != -1)
		if (!set_option(load, options, name))
			return false;
	return options->corpus && load->settings.hops && optind == argc;
}

int main(int argc, char **argv)
{
	struct arena *arena = arena_new(0);
	struct load load = {
	    .protocol = &load_smtp, .settings = {CLIENT_PROXY, 1, 0}};
	struct options options = {.connections = 16, .messages = 2000};
	struct err err;
	int64_t started;
	double cpu;

	if (!read_options(&load, &options, argc, argv)) {
		fputs("usage: load --corpus FOLDER --to PORT ...; see load.c\n",
		    stderr);
		return 2;
	}
	if (!corpus_open(arena, options.corpus, slice_from(options.kind),
		&load.corpus, &err)) {
		fprintf(stderr, "load: %s\n", err.text);
		return 2;
	}
	load.wanted = options.messages;
	load.latencies = memory_new(load.wanted, sizeof(uint32_t));
	load.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (load.protocol->prepare)
		load.protocol->prepare(arena, &load.corpus);
	cpu = cpu_seconds();
	started = now_us();
	run(&load, options.connections);
	print_result(
	    &load, (double)(now_us() - started) / 1e6, cpu_seconds() - cpu);
	memory_free(load.latencies);
	arena_free(arena);
	return load.wrong && !load.report_only ? 1 : 0;
}
