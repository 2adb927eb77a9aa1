/* SPDX-License-Identifier: Apache-2.0 */
/* gatehouse check - the live path for one message, without side effects. */
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "cli/commands.h"
#include "cli/resolver_config.h"
#include "cli/show.h"
#include "gate/gate.h"
#include "message/address.h"

static const struct option_spec options_check[] = {
    {"client-ip", 0, OPTION_TEXT, "IP", "the client's address", true},
    {"helo", 0, OPTION_TEXT, "NAME", "what it said in HELO or EHLO", true},
    {"mail-from", 0, OPTION_TEXT, "ADDR",
	"envelope sender; '' is the null return path", true},
    {"rcpt-to", 0, OPTION_LIST, "ADDR", "envelope recipient", true},
    {"tls", 0, OPTION_FLAG, NULL, "the connection has TLS"},
    {"authenticated-as", 0, OPTION_TEXT, "USER", "SASL user"},
    {"listener", 0, OPTION_TEXT, "NAME",
	"listener of the configuration (default: the first)"},
    {"client-name", 0, OPTION_TEXT, "NAME", "the client's verified host name"},
    {"tls-name", 0, OPTION_LIST, "NAME",
	"name in the client's verified certificate"},
    {0},
};

struct check {
	struct gate_context context;
	struct envelope_client client;
	struct envelope envelope;
};

static bool usage(struct err *err, const char *option)
{
	err->kind = E_USAGE;
	return err_prefix(err, "check: --%s", option);
}

/* Without -c it is the service's file, if there is one.  Which it was is told:
 * a verdict of another configuration is of no use. */
static bool load_config(struct arena *arena, const struct command_line *line,
    struct config **ret, struct err *err)
{
	const char *path = COMMAND_CONFIG_DEFAULT;

	if (command_has(line, "config"))
		return config_load(arena,
		    arena_text(arena, command_text(line, "config")), ret, NULL,
		    err);
	if (config_load(arena, path, ret, NULL, err)) {
		fprintf(stderr, "gatehouse: check: %s judges\n", path);
		return true;
	}
	if (err->kind != E_NOT_FOUND)
		return false;
	fprintf(stderr,
	    "gatehouse: check: there is no %s: the built-in defaults judge, "
	    "with no accepted domains\n",
	    path);
	*ret = config_default();
	return true;
}

static bool open_context(struct arena *arena, const struct command_line *line,
    struct gate_context *ret, struct err *err)
{
	ret->inspect_content = true;
	if (!command_clock(line, &ret->clock, err) ||
	    !load_config(arena, line, &ret->config, err))
		return false;
	/* The snapshot is this command's own: nobody else sees the change. */
	if (command_has(line, "hostname")) {
		ret->config->hostname = command_text(line, "hostname");
		ret->config->authserv_id = ret->config->hostname;
	}
	return resolver_open_configured(
	    arena, ret->config, line, &ret->resolver, err);
}

static bool set_listener(const struct command_line *line,
    const struct config *config, struct envelope_client *client,
    struct err *err)
{
	struct slice name = command_text(line, "listener");

	client->listener = SLICE("check");
	if (config->listener_count && name.len == 0)
		name = config->listeners[0].name;
	for (size_t i = 0; i < config->listener_count; i++) {
		if (!slice_eq(config->listeners[i].name, name))
			continue;
		client->listener = name;
		client->role = config->listeners[i].role;
		return true;
	}
	return name.len == 0 ||
	       err_set(err, E_USAGE,
		   "check: --listener: there is no listener \"%.*s\"",
		   SLICE_ARGS(name));
}

static bool set_client(const struct command_line *line,
    const struct config *config, struct envelope_client *client,
    struct err *err)
{
	const struct slice *tls_names;

	if (!ip_parse(command_text(line, "client-ip"), &client->ip))
		return err_set(err, E_USAGE,
		    "check: --client-ip: \"%.*s\" is not an IP address",
		    SLICE_ARGS(command_text(line, "client-ip")));
	client->helo = command_text(line, "helo");
	client->esmtp = true;
	client->name = command_text(line, "client-name");
	client->tls_name_count = command_list(line, "tls-name", &tls_names);
	client->tls_names = tls_names;
	client->tls = command_has(line, "tls") || client->tls_name_count > 0;
	client->tls_version = client->tls ? SLICE("TLS") : SLICE("");
	client->authenticated_as = command_text(line, "authenticated-as");
	return set_listener(line, config, client, err);
}

static bool check_path(struct arena *arena, struct slice address,
    const char *option, struct err *err)
{
	struct mailbox ignored;

	return address_parse_path(arena, address, true, &ignored, err) ||
	       usage(err, option);
}

static bool set_envelope(struct arena *arena, const struct command_line *line,
    struct check *check, struct err *err)
{
	const struct slice *recipients;
	size_t count = command_list(line, "rcpt-to", &recipients);

	check->envelope.id = envelope_new_id(arena);
	check->envelope.client = &check->client;
	check->envelope.received_at = clock_now(&check->context.clock);
	check->envelope.smtputf8 = true;
	check->envelope.mail_from = command_text(line, "mail-from");
	if (!check_path(arena, check->envelope.mail_from, "mail-from", err))
		return false;
	for (size_t i = 0; i < count; i++) {
		struct envelope_recipient one = {.address = recipients[i]};

		if (!check_path(arena, one.address, "rcpt-to", err))
			return false;
		envelope_add_recipient(arena, &check->envelope, &one);
	}
	return true;
}

static void add_step(const struct decision_step *step, struct buf *out)
{
	show_text(out, step->policy);
	buf_add_text(out, step->enforced ? ": " : ": (not enforced) ");
	buf_add_text(out, verdict_name(step->verdict));
	buf_add_text(out, ": ");
	show_text(out, step->because);
	buf_add_byte(out, '\n');
}

static void print_words(struct gate_message *message,
    const struct decision *decision, struct arena *arena)
{
	struct buf *out = buf_in_arena(arena, SHOW_MAX);

	buf_add_text(out, verdict_name(decision->verdict));
	buf_add_byte(out, '\n');
	if (decision->reply.code) {
		buf_add_text(out, "reply: ");
		show_text(out, decision_reply_line(arena, &decision->reply));
		buf_add_byte(out, '\n');
	}
	for (size_t i = 0; i < decision->step_count; i++)
		if (decision->steps[i].matched)
			add_step(&decision->steps[i], out);
	buf_add_text(out, "Authentication-Results: ");
	show_lines(out, gate_authentication_results(message), "");
	show_print(out);
}

/* Those that RCPT would refuse.  Without accepted domains there is nobody to
 * receive for, and the question is about the message alone; a route is not
 * asked for, since nothing is delivered. */
static void refuse_recipients(
    struct gate_message *message, const struct check *check)
{
	if (check->context.config->accepted_domains.count == 0)
		return;
	for (size_t i = 0; i < check->envelope.recipient_count; i++) {
		struct smtp_reply_text refusal;

		if (!gate_recipient(message,
			check->envelope.recipients[i].address, &refusal) &&
		    refusal.code >= 500)
			gate_refuse_recipient(message, i, &refusal);
	}
}

/* False: E_LIMIT, or what io_read_file says. */
static bool give_content(struct gate_message *message,
    const struct check *check, struct arena *arena, const char *path,
    struct slice *ret, struct err *err)
{
	uint64_t max = check->context.config->limits.message_size;

	if (!io_read_file(arena, path, max, ret, err)) {
		if (err->kind == E_LIMIT)
			err_set(err, E_LIMIT,
			    "message of more than %llu octets "
			    "(limits.message_size)",
			    (unsigned long long)max);
		return false;
	}
	if (!gate_header(message, *ret, err))
		return false;
	gate_body(message, slice_from_pos(*ret, gate_body_offset(message)));
	return true;
}

static bool evaluate(struct arena *arena, const struct check *check,
    const char *path, bool json, struct err *err)
{
	struct gate_message *message = gate_begin(
	    arena, &check->context, &check->envelope);
	struct slice content = {NULL, 0};
	const struct decision *decision;

	refuse_recipients(message, check);
	if (!give_content(message, check, arena, path, &content, err)) {
		struct smtp_reply_text refusal;

		if (err->kind != E_LIMIT)
			return false;
		refusal = gate_reply_for_error(arena, err);
		gate_refuse(message, SLICE("limits"), &refusal);
	}
	decision = gate_decide(message, content);
	if (json)
		printf("%.*s\n", SLICE_ARGS(gate_json(message)));
	else
		print_words(message, decision, arena);
	return true;
}

static int check_run(struct arena *arena, const struct command_line *line)
{
	struct check check = {0};
	const char *const *arguments;
	size_t count = command_arguments(line, &arguments);
	const char *path = count ? arguments[0] : "-";
	struct err err = {0};
	bool ok = open_context(arena, line, &check.context, &err) &&
		  set_client(line, check.context.config, &check.client, &err) &&
		  set_envelope(arena, line, &check, &err) &&
		  evaluate(
		      arena, &check, path, command_has(line, "json"), &err);

	dns_resolver_release(check.context.resolver);
	config_release(check.context.config);
	return ok ? EXIT_DONE : command_fail(&err);
}

const struct command command_check = {
    .name = "check",
    .arguments = "[MESSAGE|-]",
    .summary = "evaluate one message as the live path would",
    .description =
	"Reads a message (exact octets, CR LF line ends) from a file or\n"
	"standard input and says what the gateway would answer and why.\n"
	"Nothing is delivered, stored or sent.\n\n"
	"Without -c it judges by /etc/gatehouse/gatehouse.yaml, or, where\n"
	"that is not there, by the built-in defaults, with no accepted\n"
	"domains; which of both is told on standard error.",
    .options = {options_config, options_check, options_dns, options_clock,
	options_json},
    .arguments_max = 1,
    .examples =
	"# what would happen to this message?\n"
	"gatehouse check \\\n"
	"    --client-ip 192.0.2.1 --helo mail.example.com \\\n"
	"    --mail-from a@example.com --rcpt-to b@agency.example "
	"message.eml\n"
	"# as JSON, with a zone file as the only DNS\n"
	"gatehouse check --zone demo.zone --client-ip 192.0.2.1 --helo h \\\n"
	"    --mail-from '' --rcpt-to b@agency.example --json - <message.eml\n",
    .run = check_run,
};
