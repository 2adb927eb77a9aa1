/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/admin_server.h"

#include <errno.h>
#include <microhttpd.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admin/admin_private.h"
#include "base/ip.h"
#include "base/log.h"
#include "base/memory.h"

enum {
	CONNECTIONS_MAX = 64, /* a thread each */
	STACK_SIZE = 1 << 20,
	CONNECTIONS_PER_IP_MAX = 32,
	TIMEOUT_S = 10,
	REQUEST_MEMORY = 16 << 10, /* line and headers of a request */
	BODY_MAX = 1 << 20,
	BACKLOG = 64,
	PORT = 8025,
};

struct admin_server {
	struct MHD_Daemon *daemon;
	unsigned int port;
	struct admin_state state;
};

/* For every answer, errors included: nothing here is for a browser to keep,
 * frame, guess the type of or run. */
static const struct {
	const char *name, *value;
} headers[] = {
    {"Cache-Control", "no-store"},
    {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Referrer-Policy", "no-referrer"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
};

static enum MHD_Result reply(struct MHD_Connection *connection,
    unsigned int status, const char *content_type, struct slice body,
    const char *allow)
{
	struct MHD_Response *response;
	enum MHD_Result result;

	/* The response copies the body, so it is only read here. */
	response = MHD_create_response_from_buffer(
	    body.len, (void *)(uintptr_t)body.ptr, MHD_RESPMEM_MUST_COPY);
	if (!response)
		return MHD_NO;
	MHD_add_response_header(
	    response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		MHD_add_response_header(
		    response, headers[i].name, headers[i].value);
	if (allow)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allow);
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static const struct api_route *find_route(const char *path)
{
	for (size_t i = 0; i < api_route_count; i++)
		if (strcmp(path, api_routes[i].path) == 0)
			return &api_routes[i];
	return NULL;
}

static enum MHD_Result answer(struct admin_server *server,
    struct MHD_Connection *connection, const struct api_route *route)
{
	enum MHD_Result result;
	unsigned int status;
	struct buf body;

	buf_init(&body, BODY_MAX);
	status = route->answer(&server->state, &body);
	result = reply(
	    connection, status, route->content_type, buf_slice(&body), NULL);
	buf_release(&body);
	return result;
}

/* A refusal is queued at once: the body of a request is never read. */
static enum MHD_Result handle(void *object, struct MHD_Connection *connection,
    const char *path, const char *method, const char *version,
    const char *upload, size_t *upload_size, void **request)
{
	static const char text[] = "text/plain; charset=utf-8";
	const struct api_route *route = find_route(path);

	(void)version;
	(void)upload;
	(void)upload_size;
	(void)request;
	if (!route)
		return reply(connection, MHD_HTTP_NOT_FOUND, text,
		    SLICE("not found\n"), NULL);
	/* RFC 9110 section 9.1: both, or neither.  The library leaves out the
	 * body. */
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
	    strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return reply(connection, MHD_HTTP_METHOD_NOT_ALLOWED, text,
		    SLICE("only GET and HEAD\n"), "GET, HEAD");
	return answer(object, connection, route);
}

static bool bad_address(struct slice address, struct err *err)
{
	return err_set(err, E_CONFIG,
	    "admin: \"%.*s\" is not an address; write 127.0.0.1:8025",
	    SLICE_ARGS(slice_sub(address, 0, 80)));
}

/* It may be free, or this host's, in a moment. */
static bool is_taken(int number)
{
	return number == EADDRINUSE || number == EADDRNOTAVAIL;
}

/* A listening socket; -1: err says why. */
static int listen_at(struct slice address, struct err *err)
{
	struct sockaddr_storage where;
	uint16_t port = PORT;
	struct ip ip = {0};
	socklen_t len;
	int fd, number, on = 1;

	if (slice_empty(address))
		address = SLICE("127.0.0.1:8025");
	if (!ip_parse_with_port(address, PORT, &ip, &port, err)) {
		bad_address(address, err);
		return -1;
	}
	len = ip_to_sockaddr(&ip, port, &where);
	fd = socket(
	    where.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	    bind(fd, (struct sockaddr *)&where, len) == 0 &&
	    listen(fd, BACKLOG) == 0)
		return fd;
	number = errno;
	err_set_errno(err, "admin: cannot listen at %.*s", SLICE_ARGS(address));
	if (is_taken(number))
		err->kind = E_TEMP;
	if (fd >= 0)
		close(fd);
	return -1;
}

static void note_address(struct admin_server *server, int fd)
{
	struct sockaddr_storage where;
	socklen_t len = sizeof(where);
	uint16_t port = 0;
	struct ip ip = {0};

	if (getsockname(fd, (struct sockaddr *)&where, &len) == 0)
		ip_from_sockaddr((struct sockaddr *)&where, &ip, &port);
	server->port = port;
	server->state.is_private = ip_is_loopback(&ip);
}

static void free_server(struct admin_server *server)
{
	readiness_stop(&server->state);
	store_close(server->state.store);
	pthread_mutex_destroy(&server->state.lock);
	memory_free(server->state.store_url);
	memory_free(server->state.spool_directory);
	memory_free(server);
}

/* It owns the socket from then on.  A thread for each connection: /healthz
 * answers however many wait in /readyz for a disk. */
static struct MHD_Daemon *start_daemon(struct admin_server *server, int fd)
{
	return MHD_start_daemon(MHD_USE_POLL_INTERNAL_THREAD |
				    MHD_USE_THREAD_PER_CONNECTION | MHD_USE_ITC,
	    0, NULL, NULL, handle, server, MHD_OPTION_LISTEN_SOCKET, fd,
	    MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_SIZE,
	    MHD_OPTION_CONNECTION_LIMIT, (unsigned int)CONNECTIONS_MAX,
	    MHD_OPTION_PER_IP_CONNECTION_LIMIT,
	    (unsigned int)CONNECTIONS_PER_IP_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
	    (unsigned int)TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
	    (size_t)REQUEST_MEMORY, MHD_OPTION_STRICT_FOR_CLIENT, 1,
	    MHD_OPTION_END);
}

bool admin_start(const struct admin_settings *settings,
    struct admin_server **ret, struct err *err)
{
	int fd = listen_at(settings->address, err);
	struct admin_server *server;

	if (fd < 0)
		return false;
	server = MEMORY_NEW(struct admin_server);
	note_address(server, fd);
	server->state.metrics = settings->metrics;
	server->state.store_url = memory_copy_text(
	    settings->store_url.ptr, settings->store_url.len);
	server->state.spool_directory = memory_copy_text(
	    settings->spool_directory.ptr, settings->spool_directory.len);
	pthread_mutex_init(&server->state.lock, NULL);
	if (readiness_start(&server->state))
		server->daemon = start_daemon(server, fd);
	if (!server->daemon) {
		close(fd);
		free_server(server);
		return err_set(err, E_TEMP, "admin: cannot start the server");
	}
	if (!server->state.is_private)
		log_warning(
		    "admin.exposed", LOG_S("address", settings->address));
	*ret = server;
	return true;
}

unsigned int admin_port(const struct admin_server *server)
{
	return server->port;
}

void admin_stop(struct admin_server *server)
{
	if (!server)
		return;
	MHD_stop_daemon(server->daemon);
	free_server(server);
}
