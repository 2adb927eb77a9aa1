/* SPDX-License-Identifier: Apache-2.0 */
/* gatehouse trace - look over the shoulder of one client. */
#include <jansson.h>

#include "cli/commands.h"
#include "cli/show.h"
#include "cli/trace_rules.h"
#include "conf/number.h"

enum { DEFAULT_MS = 10 * 60 * 1000, MAX_MS = 24 * 3600 * 1000 };

/* The store's lines are of no client. */
#define CLIENT_TOPICS (LOG_TOPICS_ALL & ~(unsigned int)LOG_TOPIC_STORE)

static const struct option_spec options_trace[] = {
    {"client", 0, OPTION_LIST, "NETWORK",
	"trace this client: an address, or a network like 192.0.2.0/24"},
    {"for", 0, OPTION_TEXT, "TIME",
	"how long: 30s, 10m, 2h (default 10m, at most 24h)"},
    {"stop", 0, OPTION_FLAG, NULL, "end all traces of clients now"},
    {0},
};

static bool take_time(
    const struct command_line *line, int64_t *ret, struct err *err)
{
	struct slice text = command_text(line, "for");
	uint64_t ms = DEFAULT_MS;

	if (command_has(line, "for") &&
	    (!number_parse(TYPE_MILLISECONDS, text, &ms) || ms == 0 ||
		ms > MAX_MS))
		return err_set(err, E_USAGE,
		    "--for \"%.*s\" is not a time up to 24h, like 10m",
		    SLICE_ARGS(slice_sub(text, 0, 64)));
	*ret = clock_now_ms(NULL) + (int64_t)ms;
	return true;
}

static bool take_topics(
    const struct command_line *line, unsigned int *ret, struct err *err)
{
	const char *const *names;
	size_t count = command_arguments(line, &names);
	unsigned int topics = 0;

	for (size_t i = 0; i < count; i++) {
		unsigned int topic = log_topic_from_name(slice_from(names[i]));

		if (!(topic & CLIENT_TOPICS))
			return err_set(err, E_USAGE,
			    "there is no topic \"%.64s\"; there are %s",
			    names[i], "smtp, next-hop, dns, auth");
		topics |= topic;
	}
	*ret = count ? topics : CLIENT_TOPICS;
	return true;
}

/* Takes the place of a rule for the same network. */
static bool put_rule(struct trace_rules *rules,
    const struct log_client_rule *rule, struct err *err)
{
	for (size_t i = 0; i < rules->count; i++) {
		struct ip_network *network = &rules->items[i].network;

		if (network->prefix == rule->network.prefix &&
		    ip_equal(&network->address, &rule->network.address)) {
			rules->items[i] = *rule;
			return true;
		}
	}
	if (rules->count == LOG_CLIENT_RULES_MAX)
		return err_set(err, E_LIMIT,
		    "%d clients are traced already; end them with --stop",
		    LOG_CLIENT_RULES_MAX);
	rules->items[rules->count++] = *rule;
	return true;
}

/* What is written is what --client and the others say; *rules is what is in
 * force before, and then after. */
static bool change(const struct command_line *line, const struct config *config,
    struct trace_rules *rules, struct err *err)
{
	const struct slice *clients;
	size_t count = command_list(line, "client", &clients);
	struct log_client_rule rule = {0};

	if (command_has(line, "stop"))
		*rules = (struct trace_rules){0};
	if (!take_time(line, &rule.until_ms, err) ||
	    !take_topics(line, &rule.topics, err))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!ip_network_parse(clients[i], &rule.network, err)) {
			err->kind = E_USAGE;
			return err_prefix(err, "--client");
		}
		rule.network.address = ip_mask(
		    &rule.network.address, rule.network.prefix);
		if (!put_rule(rules, &rule, err))
			return false;
	}
	return trace_rules_write(config, rules, err);
}

static int print_json(struct arena *arena, const struct trace_rules *rules)
{
	json_t *all = json_array();

	for (size_t i = 0; i < rules->count; i++) {
		const struct log_client_rule *rule = &rules->items[i];

		json_array_append_new(
		    all, json_pack("{s:o, s:o, s:o}", "clients",
			     show_json_text(arena,
				 trace_network_text(arena, &rule->network)),
			     "topics",
			     show_json_text(
				 arena, trace_topics_text(arena, rule->topics)),
			     "until", show_json_time(arena, rule->until_ms)));
	}
	return show_print_json(all);
}

static int print_text(struct arena *arena, const struct trace_rules *rules)
{
	struct buf *out = buf_in_arena(arena, SHOW_MAX);

	if (rules->count == 0)
		buf_add_text(out, "no client is traced\n");
	for (size_t i = 0; i < rules->count; i++) {
		const struct log_client_rule *rule = &rules->items[i];

		buf_add(out, trace_network_text(arena, &rule->network));
		buf_add_text(out, " until ");
		show_time(out, rule->until_ms);
		buf_add_text(out, ": ");
		buf_add(out, trace_topics_text(arena, rule->topics));
		buf_add_byte(out, '\n');
	}
	return show_print(out);
}

static void release_config(void *config)
{
	config_release(config);
}

static int run(struct arena *arena, const struct command_line *line)
{
	const char *path = COMMAND_CONFIG_DEFAULT;
	const char *const *ignored;
	bool wants = command_has(line, "client") || command_has(line, "stop");
	struct trace_rules rules = {0};
	struct config *config;
	struct err err = {0};

	if (!wants &&
	    (command_has(line, "for") || command_arguments(line, &ignored))) {
		err_set(&err, E_USAGE, "whom? --client NETWORK is missing");
		return command_fail(&err);
	}
	if (command_has(line, "config"))
		path = arena_text(arena, command_text(line, "config"));
	if (!config_load(arena, path, &config, NULL, &err))
		return command_fail(&err);
	arena_defer(arena, release_config, config);
	/* --stop mends a file that cannot be read. */
	if ((!command_has(line, "stop") &&
		!trace_rules_read(config, &rules, &err)) ||
	    (wants && !change(line, config, &rules, &err)))
		return command_fail(&err);
	return command_has(line, "json") ? print_json(arena, &rules)
					 : print_text(arena, &rules);
}

const struct command command_trace = {
    .name = "trace",
    .arguments = "[TOPIC...]",
    .summary = "trace what some clients and the running service say",
    .description =
	"Tells the running service to log its dialogue with clients of these "
	"networks, and how it comes to its decisions, for some time; then it "
	"ends by itself. Nothing is restarted, and other clients' lines stay "
	"as they are. It begins within two seconds, for sessions that are "
	"already there with their next command. Without options, lists what "
	"is traced.\n"
	"\n"
	"Lines have the level debug, and name the client and its port. Topics "
	"are smtp (commands and replies), next-hop (the same with the next "
	"hop), dns (answers), auth (SPF, DKIM, ARC, DMARC and each policy); "
	"all of them, if none is given. Passwords and the content of messages "
	"are never logged; addresses of senders and recipients are.\n"
	"\n"
	"The rules are kept in the file trace of the state directory: who may "
	"write there (root, and the user of the service) may trace. At most "
	"16 networks are traced at a time.",
    .options = {options_trace, options_config, options_json},
    .arguments_max = 4,
    .examples = "# What does this server say, and what do we answer?\n"
		"gatehouse trace --client 192.0.2.25\n"
		"journalctl -u gatehouse -f | grep client=192.0.2.25\n"
		"# Authentication only, for a network, for an hour\n"
		"gatehouse trace --client 192.0.2.0/24 --for 1h auth dns\n"
		"gatehouse trace --stop",
    .run = run,
};
