/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/trace_rules.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/io.h"

enum { FILE_MAX = 4096, WRITE_MS = 5000 };

static const char *path_of(struct arena *arena, const struct config *config)
{
	return arena_format(
	    arena, "%.*s/trace", SLICE_ARGS(config->state_directory));
}

/* Those that only another version knows are left out. */
static bool parse_topics(struct slice text, unsigned int *ret)
{
	unsigned int topics = 0;

	while (text.len) {
		struct slice name;

		slice_split(text, ',', &name, &text);
		topics |= log_topic_from_name(name);
	}
	*ret = topics;
	return topics != 0;
}

static bool parse_rule(
    struct slice line, struct log_client_rule *ret, struct err *err)
{
	struct slice until, network, topics, rest;
	uint64_t at;

	slice_split(line, ' ', &until, &rest);
	slice_split(rest, ' ', &network, &topics);
	if (!slice_to_u64(until, INT64_MAX, &at) ||
	    !ip_network_parse(network, &ret->network, NULL) ||
	    !parse_topics(topics, &ret->topics))
		return err_set(err, E_SYNTAX,
		    "not UNTIL NETWORK TOPICS: \"%.*s\"",
		    SLICE_ARGS(slice_sub(line, 0, 80)));
	ret->until_ms = (int64_t)at;
	return true;
}

static bool parse(struct slice text, struct trace_rules *ret, struct err *err)
{
	struct trace_rules rules = {0};
	int64_t now = clock_now_ms(NULL);

	while (text.len) {
		struct log_client_rule rule;
		struct slice line;

		slice_split(text, '\n', &line, &text);
		if (!parse_rule(line, &rule, err))
			return false;
		if (rule.until_ms <= now)
			continue;
		if (rules.count == LOG_CLIENT_RULES_MAX)
			return err_set(err, E_LIMIT, "more than %d rules",
			    LOG_CLIENT_RULES_MAX);
		rules.items[rules.count++] = rule;
	}
	*ret = rules;
	return true;
}

bool trace_rules_read(
    const struct config *config, struct trace_rules *ret, struct err *err)
{
	struct arena *arena = arena_new(0);
	const char *path = path_of(arena, config);
	struct err why = {0};
	struct slice text;
	bool ok;

	ok = io_read_file(arena, path, FILE_MAX, &text, &why);
	if (!ok && why.kind == E_NOT_FOUND) {
		*ret = (struct trace_rules){0};
		ok = true;
	} else if (ok) {
		ok = parse(text, ret, &why) || err_prefix(&why, "%s", path);
	}
	if (!ok && err)
		*err = why;
	arena_free(arena);
	return ok;
}

static struct slice format(struct arena *arena, const struct trace_rules *rules)
{
	struct buf *out = buf_in_arena(arena, FILE_MAX);

	for (size_t i = 0; i < rules->count; i++) {
		const struct log_client_rule *rule = &rules->items[i];

		buf_add_format(out, "%lld %.*s %.*s\n",
		    (long long)rule->until_ms,
		    SLICE_ARGS(trace_network_text(arena, &rule->network)),
		    SLICE_ARGS(trace_topics_text(arena, rule->topics)));
	}
	return buf_slice(out);
}

/* The folder belongs to the service's user, who must not make root write
 * through a link. */
static bool replace(
    const char *path, const char *fresh, struct slice text, struct err *err)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd;
	bool ok;

	unlink(fresh);
	fd = io_open(fresh, flags, 0644);
	if (fd < 0)
		return err_set_errno(err, "%s", fresh);
	/* Whatever the umask: the children are another user. */
	ok = fchmod(fd, 0644) == 0 || err_set_errno(err, "%s", fresh);
	ok = ok && (io_write_all(fd, text, deadline_in(WRITE_MS), err) ||
		       err_prefix(err, "%s", fresh));
	close(fd);
	if (ok && rename(fresh, path) != 0)
		ok = err_set_errno(err, "%s", path);
	if (!ok)
		unlink(fresh);
	return ok;
}

bool trace_rules_write(const struct config *config,
    const struct trace_rules *rules, struct err *err)
{
	struct arena *arena = arena_new(0);
	const char *path = path_of(arena, config);
	bool ok = true;

	if (rules->count)
		ok = replace(path, arena_format(arena, "%s.new", path),
		    format(arena, rules), err);
	else if (unlink(path) != 0 && errno != ENOENT)
		ok = err_set_errno(err, "%s", path);
	arena_free(arena);
	return ok;
}

static bool has(
    const struct trace_rules *rules, const struct log_client_rule *rule)
{
	for (size_t i = 0; i < rules->count; i++)
		if (ip_equal(&rules->items[i].network.address,
			&rule->network.address) &&
		    rules->items[i].network.prefix == rule->network.prefix &&
		    rules->items[i].topics == rule->topics &&
		    rules->items[i].until_ms == rule->until_ms)
			return true;
	return false;
}

static void log_rule(struct arena *arena, const char *event, const char *child,
    const struct log_client_rule *rule)
{
	log_notice(event, LOG_T("child", child),
	    LOG_S("clients", trace_network_text(arena, &rule->network)),
	    LOG_S("topics", trace_topics_text(arena, rule->topics)),
	    LOG_S("until", clock_format_rfc3339(arena, rule->until_ms / 1000)));
}

/* What is in the first and not in the second. */
static void log_difference(const char *event, const char *child,
    const struct trace_rules *rules, const struct trace_rules *other)
{
	struct arena *arena = arena_new(0);

	for (size_t i = 0; i < rules->count; i++)
		if (!has(other, &rules->items[i]))
			log_rule(arena, event, child, &rules->items[i]);
	arena_free(arena);
}

void trace_rules_follow(
    struct trace_follower *follower, const struct config *config)
{
	struct trace_rules now;
	struct err err = {0};

	if (!trace_rules_read(config, &now, &err)) {
		if (!follower->failed)
			log_warning("trace.failed",
			    LOG_T("child", follower->child), LOG_ERR(&err));
		follower->failed = true;
		return;
	}
	follower->failed = false;
	if (now.count == 0 && follower->active.count == 0)
		return;
	log_client_set(now.count, now.items);
	log_difference("trace.ended", follower->child, &follower->active, &now);
	log_difference("trace.begun", follower->child, &now, &follower->active);
	follower->active = now;
}

struct slice trace_topics_text(struct arena *arena, unsigned int topics)
{
	static const char *const names[] = {
	    "smtp", "next-hop", "dns", "auth", "store"};
	struct slice text = {NULL, 0};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (topics & log_topic_from_name(slice_from(names[i])))
			text = arena_format_slice(arena, "%.*s%s%s",
			    SLICE_ARGS(text), text.len ? "," : "", names[i]);
	return text;
}

struct slice trace_network_text(
    struct arena *arena, const struct ip_network *network)
{
	struct ip masked = ip_mask(&network->address, network->prefix);
	char ip[IP_TEXT_MAX];

	return arena_format_slice(
	    arena, "%s/%u", ip_format(&masked, ip), network->prefix);
}
