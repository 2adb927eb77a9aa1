/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/test_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { TEXT_MAX = 256 * 1024 };

static void format(char *text, size_t size, const char *pattern, ...)
    __attribute__((format(printf, 3, 4)));

static void format(char *text, size_t size, const char *pattern, ...)
{
	va_list args;
	int len;

	va_start(args, pattern);
	len = vsnprintf(text, size, pattern, args);
	va_end(args);
	assert_in_range(len, 0, (int)size - 1);
}

static FILE *open_file(
    const struct test_server *server, const char *name, const char *mode)
{
	char path[256];
	FILE *file;

	format(path, sizeof(path), "%s/%s", server->folder, name);
	file = fopen(path, mode);
	if (!file)
		fail_msg("cannot open %s", path);
	return file;
}

static char *read_file(const struct test_server *server, const char *name)
{
	FILE *file = open_file(server, name, "r");
	char *text = test_calloc(1, TEXT_MAX);

	assert_in_range(fread(text, 1, TEXT_MAX - 1, file), 1, TEXT_MAX - 2);
	fclose(file);
	return text;
}

/* In the folder, standard output to the file "output". */
static pid_t spawn(const struct test_server *server, const char *const *args)
{
	pid_t pid = fork();

	if (pid == 0) {
		/* No test leaves a server behind, however it ends. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (chdir(server->folder) != 0)
			_exit(126);
		dup2(open("output", O_CREAT | O_TRUNC | O_WRONLY, 0600), 1);
		execvp(args[0], (char *const *)(uintptr_t)args);
		_exit(127);
	}
	assert_true(pid > 0);
	return pid;
}

static void run(const struct test_server *server, const char *const *args)
{
	int status = 0;
	pid_t pid = spawn(server, args);

	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("%s failed: is it installed?", args[0]);
}

static void break_signature(const struct test_server *server, const char *name,
    const struct test_zone *zone)
{
	char *text = read_file(server, name), *at = strstr(text, zone->find);
	FILE *file = open_file(server, name, "w");

	assert_non_null(at);
	assert_int_equal(strlen(zone->find), strlen(zone->put));
	memcpy(at, zone->put, strlen(zone->put));
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
	test_free(text);
}

static void add_anchor(const struct test_server *server, const char *key)
{
	char name[128], *text;
	FILE *anchors = open_file(server, "anchors", "a");

	format(name, sizeof(name), "%s.ds", key);
	text = read_file(server, name);
	fputs(text, anchors);
	assert_int_equal(fclose(anchors), 0);
	test_free(text);
}

/* The name of the file to be served goes into *file. */
static void sign(const struct test_server *server, const struct test_zone *zone,
    char *file, size_t size)
{
	const char *const make_key[] = {
	    "ldns-keygen", "-a", "ECDSAP256SHA256", "-k", zone->name, NULL};
	const char *sign_zone[] = {"ldns-signzone", zone->name, NULL, NULL};
	char *key;

	run(server, make_key);
	key = read_file(server, "output");
	key[strcspn(key, "\n")] = '\0';
	sign_zone[2] = key;
	run(server, sign_zone);
	add_anchor(server, key);
	test_free(key);
	format(file, size, "%s.signed", zone->name);
	if (zone->find)
		break_signature(server, file, zone);
}

static void write_zone(
    const struct test_server *server, const struct test_zone *zone)
{
	FILE *file = open_file(server, zone->name, "w");

	fprintf(file,
	    "$ORIGIN %s.\n$TTL 300\n"
	    "@ SOA ns.%s. hostmaster.%s. 1 3600 600 86400 120\n"
	    "@ NS ns.%s.\n%s",
	    zone->name, zone->name, zone->name, zone->name, zone->text);
	assert_int_equal(fclose(file), 0);
}

static void write_config(const struct test_server *server,
    const struct test_zone *zones, size_t count)
{
	FILE *file = open_file(server, "nsd.conf", "w");

	fprintf(file,
	    "server:\n  ip-address: 127.0.0.1@%u\n  server-count: 1\n"
	    /* 500 queries come at once. */
	    "  receive-buffer-size: 4194304\n"
	    "  zonesdir: \"%s\"\n  username: \"\"\n  chroot: \"\"\n"
	    "  database: \"\"\n  pidfile: \"\"\n  xfrdfile: \"\"\n"
	    "  zonelistfile: \"zone.list\"\n  logfile: \"log\"\n"
	    "  xfrdir: \"%s\"\n  cookie-secret-file: \"\"\n"
	    "remote-control:\n  control-enable: no\n",
	    server->port, server->folder, server->folder);
	for (size_t i = 0; i < count; i++) {
		char name[128];

		write_zone(server, &zones[i]);
		format(name, sizeof(name), "%s", zones[i].name);
		if (zones[i].sign)
			sign(server, &zones[i], name, sizeof(name));
		fprintf(file, "zone:\n  name: \"%s\"\n  zonefile: \"%s\"\n",
		    zones[i].name, name);
	}
	assert_int_equal(fclose(file), 0);
}

static int bind_loopback(int type, uint16_t port, uint16_t *ret_port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	if (bind(fd, (struct sockaddr *)&address, len) != 0) {
		close(fd);
		return -1;
	}
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

int test_server_silent(uint16_t *ret_port)
{
	return bind_loopback(SOCK_DGRAM, 0, ret_port);
}

/* One that is free for UDP and for TCP. */
static uint16_t free_port(void)
{
	uint16_t port = 0, same;
	int udp, tcp;

	do {
		udp = bind_loopback(SOCK_DGRAM, 0, &port);
		tcp = bind_loopback(SOCK_STREAM, port, &same);
		close(udp);
		if (tcp >= 0)
			close(tcp);
	} while (tcp < 0);
	return port;
}

/* nsd listens for TCP once it serves. */
static void wait_until_up(const struct test_server *server)
{
	const struct sockaddr_in address = {.sin_family = AF_INET,
	    .sin_port = htons(server->port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	for (int i = 0; i < 500; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		int code = connect(
		    fd, (const struct sockaddr *)&address, sizeof(address));

		close(fd);
		if (code == 0)
			return;
		if (waitpid(server->pid, NULL, WNOHANG) != 0)
			fail_msg("nsd ended: is it installed? see %s/log",
			    server->folder);
		usleep(20000);
	}
	fail_msg("nsd does not listen: see %s/log", server->folder);
}

void test_server_start(
    struct test_server *ret, const struct test_zone *zones, size_t count)
{
	const char *const args[] = {"nsd", "-d", "-c", "nsd.conf", NULL};
	const char *tmp = getenv("TMPDIR");

	format(ret->folder, sizeof(ret->folder), "%s/dns-test-XXXXXX",
	    tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(ret->folder));
	ret->port = free_port();
	write_config(ret, zones, count);
	/* Debian keeps nsd where an ordinary user's PATH does not look. */
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	ret->pid = spawn(ret, args);
	wait_until_up(ret);
}

static int remove_one(
    const char *path, const struct stat *status, int type, struct FTW *position)
{
	(void)status;
	(void)type;
	(void)position;
	return remove(path);
}

void test_server_stop(struct test_server *server)
{
	if (server->pid > 0) {
		kill(server->pid, SIGTERM);
		waitpid(server->pid, NULL, 0);
	}
	nftw(server->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

struct metrics *test_server_metrics(void)
{
	struct metrics *metrics;
	int fd;

	assert_true(metrics_create(&metrics, &fd, NULL));
	close(fd);
	metrics_use(metrics);
	return metrics;
}
