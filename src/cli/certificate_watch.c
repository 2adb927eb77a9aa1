/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/certificate_watch.h"

enum { FILES_EACH = 3 };

static struct slice *paths_of(
    struct arena *arena, const struct config *config, size_t *ret_count)
{
	size_t count = 0;
	struct slice *paths = ARENA_ARRAY(arena,
	    config->listener_count * FILES_EACH + config->route_count + 1,
	    struct slice);

	for (size_t i = 0; i < config->listener_count; i++) {
		const struct conf_tls *tls = &config->listeners[i].tls;

		paths[count++] = tls->certificate;
		paths[count++] = tls->key;
		paths[count++] = tls->client_ca;
	}
	for (size_t i = 0; i < config->route_count; i++)
		paths[count++] = config->routes[i].tls_ca;
	*ret_count = count;
	return paths;
}

void certificate_watch_begin(
    struct file_watch *watch, const struct config *config)
{
	struct arena *arena = arena_new(0);
	size_t count;
	struct slice *paths = paths_of(arena, config, &count);

	file_watch_begin(watch, count, paths);
	arena_free(arena);
}

bool certificate_watch_changed(
    struct file_watch *watch, const struct config *config)
{
	struct arena *arena = arena_new(0);
	size_t count;
	struct slice *paths = paths_of(arena, config, &count);
	bool changed = file_watch_changed(watch, count, paths);

	arena_free(arena);
	return changed;
}
