/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/listeners.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/io.h"
#include "base/ip.h"
#include "base/memory.h"
#include "cli/identity.h"

enum { BACKLOG = 1024, SMTP_PORT = 25 };

static const struct slice unix_prefix = SLICE_INIT("unix:");

static bool unix_address(
    struct slice path, struct sockaddr_un *ret, struct err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (path.len == 0 || path.len >= sizeof(address.sun_path))
		return err_set(
		    err, E_CONFIG, "the socket's path is empty or too long");
	memcpy(address.sun_path, path.ptr, path.len);
	*ret = address;
	return true;
}

/* What a former run left behind goes; a socket that is in use, or a file that
 * is none, stays. */
static bool clear_way(
    int fd, const struct sockaddr_un *address, struct err *err)
{
	struct stat status;

	if (lstat(address->sun_path, &status) < 0)
		return errno == ENOENT ||
		       err_set_errno(err, "%s", address->sun_path);
	if (!S_ISSOCK(status.st_mode))
		return err_set(err, E_CONFIG,
		    "%s: there is a file that is no socket", address->sun_path);
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) ==
		0 ||
	    errno != ECONNREFUSED)
		return err_set(err, E_TEMP,
		    "%s: another program listens there (ss -lxp shows which)",
		    address->sun_path);
	return unlink(address->sun_path) == 0 ||
	       err_set_errno(err, "%s", address->sun_path);
}

/* Root binds it, but it belongs to whom we become: the MTA's user can be put
 * into that group. */
static bool give_away(
    const struct config *config, const char *path, struct err *err)
{
	struct arena *arena;
	uid_t uid;
	gid_t gid;
	bool ok;

	if (geteuid() != 0 || config->user.len == 0)
		return true;
	arena = arena_new(0);
	ok = identity_find(arena, config, &uid, &gid, err) &&
	     (chown(path, uid, gid) == 0 || err_set_errno(err, "%s", path));
	arena_free(arena);
	return ok;
}

static bool bind_unix(
    const struct config *config, struct slice path, int *ret, struct err *err)
{
	struct sockaddr_un address;
	int fd, probe;
	bool ok;

	if (!unix_address(path, &address, err))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ok = (fd >= 0 && probe >= 0) || err_set_errno(err, "socket");
	ok = ok && clear_way(probe, &address, err);
	if (ok &&
	    (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		chmod(address.sun_path, 0660) < 0 || listen(fd, BACKLOG) < 0))
		ok = err_set_errno(err, "%s", address.sun_path);
	ok = ok && give_away(config, address.sun_path, err);
	close(probe);
	if (ok)
		*ret = fd;
	else
		close(fd);
	return ok;
}

static bool bind_failed(int fd, struct slice address, struct err *err)
{
	int number = errno;

	err_set_errno(err, "listen on %.*s", SLICE_ARGS(address));
	if (number == EACCES)
		err_set(err, E_CONFIG,
		    "listen on %.*s: permission denied; "
		    "ports below 1024 need root, CAP_NET_BIND_SERVICE or "
		    "systemd's socket activation",
		    SLICE_ARGS(address));
	else if (number == EADDRINUSE)
		err_set(err, E_TEMP,
		    "listen on %.*s: another program "
		    "listens there (ss -ltnp shows which)",
		    SLICE_ARGS(address));
	else if (number == EADDRNOTAVAIL)
		err_set(err, E_TEMP,
		    "listen on %.*s: no interface of this host has this "
		    "address (ip address shows them)",
		    SLICE_ARGS(address));
	close(fd);
	return false;
}

static bool bind_tcp(struct slice text, int *ret, struct err *err)
{
	struct sockaddr_storage address;
	struct ip ip;
	uint16_t port;
	socklen_t length;
	int fd, on = 1;

	if (!ip_parse_with_port(text, SMTP_PORT, &ip, &port, err))
		return false;
	length = ip_to_sockaddr(&ip, port, &address);
	fd = socket(
	    address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set_errno(err, "socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (address.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&address, length) < 0 ||
	    listen(fd, BACKLOG) < 0)
		return bind_failed(fd, text, err);
	*ret = fd;
	return true;
}

/* Is this socket from systemd the one that the configuration means? */
static bool is_activated(
    int fd, const char *fd_name, const struct conf_listener *listener)
{
	struct sockaddr_storage bound;
	socklen_t length = sizeof(bound);
	struct ip wanted_ip, ip;
	uint16_t wanted_port, port;

	if (slice_eq(listener->name, slice_from(fd_name)))
		return true;
	if (slice_starts(listener->address, unix_prefix)) {
		struct slice path = slice_from_pos(
		    listener->address, unix_prefix.len);

		return sd_is_socket_unix(
			   fd, SOCK_STREAM, 1, path.ptr, path.len) > 0;
	}
	return ip_parse_with_port(listener->address, SMTP_PORT, &wanted_ip,
		   &wanted_port, NULL) &&
	       getsockname(fd, (struct sockaddr *)&bound, &length) == 0 &&
	       ip_from_sockaddr((struct sockaddr *)&bound, &ip, &port) &&
	       ip_equal(&ip, &wanted_ip) && port == wanted_port;
}

static int find_activated(
    char **names, int count, const struct conf_listener *listener)
{
	for (int i = 0; i < count; i++)
		if (is_activated(SD_LISTEN_FDS_START + i, names ? names[i] : "",
			listener))
			return SD_LISTEN_FDS_START + i;
	return -1;
}

static bool open_one(const struct config *config,
    const struct conf_listener *listener, char **names, int activated,
    struct listener_socket *socket, struct err *err)
{
	int *ret = &socket->fd;

	*ret = find_activated(names, activated, listener);
	socket->is_kept = *ret >= 0;
	if (socket->is_kept)
		return io_set_nonblocking(*ret, err);
	if (slice_starts(listener->address, unix_prefix))
		return bind_unix(config,
		    slice_from_pos(listener->address, unix_prefix.len), ret,
		    err);
	return bind_tcp(listener->address, ret, err);
}

static const struct listener_socket *find_socket(
    const struct listener_sockets *sockets, int fd)
{
	for (size_t i = 0; i < sockets->count; i++)
		if (sockets->sockets[i].fd == fd)
			return &sockets->sockets[i];
	return NULL;
}

/* One that nobody answered would swallow its clients: systemd holds it. */
static bool check_all_taken(const struct listener_sockets *sockets,
    char **names, int count, struct err *err)
{
	for (int i = 0; i < count; i++)
		if (!find_socket(sockets, SD_LISTEN_FDS_START + i))
			return err_set(err, E_CONFIG,
			    "systemd's socket %d (%s) is no listener's: add "
			    "one with its address, or take it out of "
			    "gatehouse.socket",
			    i + 1, names ? names[i] : "no name");
	return true;
}

static void free_names(char **names)
{
	for (char **name = names; name && *name; name++)
		memory_free(*name);
	memory_free(names);
}

bool listeners_open(
    const struct config *config, struct listener_sockets *ret, struct err *err)
{
	struct listener_sockets sockets = {0};
	char **names = NULL;
	int activated = sd_listen_fds_with_names(0, &names);
	bool ok = true;

	for (size_t i = 0; ok && i < config->listener_count; i++) {
		const struct conf_listener *listener = &config->listeners[i];
		struct listener_socket *socket =
		    &sockets.sockets[sockets.count];

		if (sockets.count == LISTENERS_MAX) {
			ok = err_set(err, E_CONFIG, "more than %d listeners",
			    LISTENERS_MAX);
			break;
		}
		ok = open_one(
			 config, listener, names, activated, socket, err) ||
		     err_prefix(
			 err, "listener %.*s", SLICE_ARGS(listener->name));
		socket->name = listener->name;
		socket->is_milter = listener->role == ROLE_MILTER;
		if (ok)
			sockets.count++;
	}
	ok = ok && check_all_taken(&sockets, names, activated, err);
	free_names(names);
	if (!ok) {
		listeners_close(&sockets);
		return false;
	}
	*ret = sockets;
	return true;
}

void listeners_close(struct listener_sockets *sockets)
{
	for (size_t i = 0; i < sockets->count; i++)
		close(sockets->sockets[i].fd);
	sockets->count = 0;
}

struct slice listeners_to_text(
    struct arena *arena, const struct listener_sockets *sockets, bool milter)
{
	struct slice text = {NULL, 0};

	for (size_t i = 0; i < sockets->count; i++)
		if (sockets->sockets[i].is_milter == milter)
			text = arena_format_slice(arena, "%.*s%d%s=%.*s\n",
			    SLICE_ARGS(text), sockets->sockets[i].fd,
			    sockets->sockets[i].is_kept ? "+" : "",
			    SLICE_ARGS(sockets->sockets[i].name));
	return text;
}

bool listeners_from_text(struct arena *arena, struct slice text,
    struct listener_sockets *ret, struct err *err)
{
	struct listener_sockets sockets = {0};

	while (text.len) {
		struct slice line, number, name, nothing;
		bool has_name, is_kept;
		uint64_t fd;

		slice_split(text, '\n', &line, &text);
		has_name = slice_split(line, '=', &number, &name);
		is_kept = slice_split(number, '+', &number, &nothing);
		if (!has_name || !slice_to_u64(number, 65535, &fd) ||
		    sockets.count == LISTENERS_MAX)
			return err_set(err, E_USAGE, "bad list of listeners");
		sockets.sockets[sockets.count++] = (struct listener_socket){
		    .name = arena_slice(arena, name),
		    .is_kept = is_kept,
		    .fd = (int)fd};
	}
	*ret = sockets;
	return true;
}

size_t listeners_index(const struct config *config, struct slice name)
{
	for (size_t i = 0; i < config->listener_count; i++)
		if (slice_eq(config->listeners[i].name, name))
			return i;
	return config->listener_count;
}
