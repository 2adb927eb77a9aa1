/* SPDX-License-Identifier: Apache-2.0 */
/* Sends the corpus over a number of connections and measures.
 *
 *	load --corpus FOLDER --to PORT [--protocol smtp|milter] [--connections
 *16]
 *	     [--messages 2000] [--per-connection 1] [--kind 4k]
 *	     [--client xclient|proxy|none] [--expect corpus|accept]
 *
 * One thread.  The result is one line of JSON; exit status 1: a verdict was
 * not the expected one.
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
	bool expect_accept;
	uint16_t port;
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
	if (load->wrong++ < WRONG_SHOWN)
		fprintf(stderr, "load: %s, not %s: %.*s from %.*s: %.*s\n",
		    bench_verdict_names[verdict], bench_verdict_names[expected],
		    SLICE_ARGS(message->sender), SLICE_ARGS(message->client_ip),
		    (int)connection->in_len, connection->in);
}

void load_send(struct load_connection *connection, struct slice bytes)
{
	require(connection->out_count < LOAD_OUTPUT_MAX);
	connection->out[connection->out_count++] = bytes;
}

/* Texts that follow each other are one piece. */
void load_copy(struct load_connection *connection, struct slice bytes)
{
	char *line = connection->lines + connection->lines_len;
	struct slice *last = connection->out_count
				 ? &connection->out[connection->out_count - 1]
				 : NULL;

	require(bytes.len <= sizeof(connection->lines) - connection->lines_len);
	memcpy(line, bytes.ptr, bytes.len);
	connection->lines_len += bytes.len;
	if (last && last->ptr + last->len == line)
		last->len += bytes.len;
	else
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

/* Connections. */

static void watch(
    struct load_connection *connection, int operation, bool writes)
{
	struct epoll_event event = {
	    .events = EPOLLIN | (writes ? EPOLLOUT : 0),
	    .data.ptr = connection,
	};

	if (epoll_ctl(
		connection->load->epoll, operation, connection->fd, &event) < 0)
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

/* False: the connection is lost. */
static bool flush(struct load_connection *connection)
{
	while (connection->out_count) {
		struct iovec pieces[LOAD_OUTPUT_MAX];
		struct msghdr message = {
		    .msg_iov = pieces, .msg_iovlen = connection->out_count};
		ssize_t sent;

		for (size_t i = 0; i < connection->out_count; i++)
			pieces[i] = (struct iovec){
			    (void *)(uintptr_t)connection->out[i].ptr,
			    connection->out[i].len};
		sent = sendmsg(connection->fd, &message, MSG_NOSIGNAL);
		if (sent >= 0)
			take_sent(connection, (size_t)sent);
		else if (errno == EAGAIN)
			break;
		else if (errno != EINTR)
			return false;
	}
	return true;
}

static void open_connection(
    struct load *load, struct load_connection *connection)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET,
	    .sin_port = htons(load->port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int yes = 1;

	memset(connection, 0, sizeof(*connection));
	connection->load = load;
	connection->settings = &load->settings;
	connection->started_us = now_us();
	connection->fd = socket(
	    AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (connection->fd < 0)
		die("socket");
	setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	if (connect(connection->fd, (struct sockaddr *)&address,
		sizeof(address)) < 0 &&
	    errno != EINPROGRESS)
		die("connect");
	load->open++;
	load->protocol->begin(connection);
	watch(connection, EPOLL_CTL_ADD, true);
}

/* Another one takes its place while messages are left. */
static void replace(struct load_connection *connection)
{
	struct load *load = connection->load;

	if (connection->message)
		load_done(connection, BENCH_FAILED);
	close(connection->fd);
	load->open--;
	if (load->begun < load->wanted)
		open_connection(load, connection);
}

/* False: the connection has ended. */
static bool receive(struct load_connection *connection)
{
	const struct load_protocol *protocol = connection->load->protocol;
	size_t room = LOAD_INPUT_MAX - connection->in_len, taken;
	ssize_t count = recv(
	    connection->fd, connection->in + connection->in_len, room, 0);

	if (count < 0)
		return errno == EAGAIN || errno == EINTR;
	if (count == 0)
		return false;
	connection->in_len += (size_t)count;
	taken = protocol->input(
	    connection, slice_of(connection->in, connection->in_len));
	connection->in_len -= taken;
	memmove(connection->in, connection->in + taken, connection->in_len);
	return connection->in_len < LOAD_INPUT_MAX;
}

static void handle(struct load_connection *connection, uint32_t events)
{
	bool wrote = events & EPOLLOUT;
	bool alive = true;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		alive = receive(connection);
	alive = alive && flush(connection);
	if (!alive || (connection->closing && !connection->out_count)) {
		replace(connection);
		return;
	}
	if (wrote != (connection->out_count > 0))
		watch(connection, EPOLL_CTL_MOD, connection->out_count > 0);
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

static double percentile_ms(const struct load *load, unsigned int percent)
{
	return load->latencies[(load->done - 1) * percent / 100] / 1000.0;
}

static void print_result(struct load *load, double seconds)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	qsort(load->latencies, load->done, sizeof(uint32_t), compare);
	printf("{\"messages\":%zu,\"octets\":%llu,\"seconds\":%.4f,"
	       "\"rate\":%.1f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,"
	       "\"max_ms\":%.3f,\"wrong\":%zu,\"load_cpu\":%.3f",
	    load->done, (unsigned long long)load->octets, seconds,
	    (double)load->done / seconds, percentile_ms(load, 50),
	    percentile_ms(load, 99), percentile_ms(load, 100), load->wrong,
	    (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		(double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) /
		    1e6);
	for (int i = 0; i < BENCH_VERDICTS; i++)
		printf(
		    ",\"%s\":%zu", bench_verdict_names[i], load->verdicts[i]);
	printf("}\n");
}

/* Options. */

struct options {
	const char *corpus, *kind;
	uint64_t port, connections, messages;
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

static bool set_option(struct load *load, struct options *options, int name)
{
	switch (name) {
	case 'c': options->corpus = optarg; return true;
	case 'k': options->kind = optarg; return true;
	case 't': return set_number(optarg, UINT16_MAX, &options->port);
	case 'n': return set_number(optarg, 10000, &options->connections);
	case 'm': return set_number(optarg, UINT32_MAX, &options->messages);
	case 'r':
		return set_number(
		    optarg, UINT32_MAX, &load->settings.per_connection);
	case 'p': return set_protocol(load, optarg);
	case 'a': return set_client(load, optarg);
	case 'e':
		load->expect_accept = strcmp(optarg, "accept") == 0;
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
	return options->corpus && options->port && optind == argc;
}

int main(int argc, char **argv)
{
	struct arena *arena = arena_new(0);
	struct load load = {
	    .protocol = &load_smtp, .settings = {CLIENT_PROXY, 1}};
	struct options options = {.connections = 16, .messages = 2000};
	struct err err;
	int64_t started;

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
	load.port = (uint16_t)options.port;
	load.wanted = options.messages;
	load.latencies = memory_new(load.wanted, sizeof(uint32_t));
	load.epoll = epoll_create1(EPOLL_CLOEXEC);
	started = now_us();
	run(&load, options.connections);
	print_result(&load, (double)(now_us() - started) / 1e6);
	memory_free(load.latencies);
	arena_free(arena);
	return load.wrong ? 1 : 0;
}
