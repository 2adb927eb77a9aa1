/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdio.h>

#include "auth/spf.h"
#include "cli/commands.h"
#include "cli/dns_options.h"
#include "cli/show.h"

static const struct option_spec options_spf[] = {
    {"client-ip", 0, OPTION_TEXT, "IP", "address of the SMTP client", true},
    {"helo", 0, OPTION_TEXT, "NAME", "its HELO or EHLO name", true},
    {"mail-from", 0, OPTION_TEXT, "ADDR",
	"envelope sender; '' is the null return path", true},
    {0},
};

static int print_json(struct arena *arena, const struct spf_outcome *outcome)
{
	bool is_helo = outcome->identity == SPF_IDENTITY_HELO;
	json_t *json = json_pack("{s:s, s:o, s:s, s:o, s:o, s:I}", "result",
	    spf_result_name(outcome->result), "domain",
	    show_json_text(arena, outcome->domain), "identity",
	    is_helo ? "helo" : "mailfrom", "explanation",
	    show_json_text(arena, outcome->explanation), "problem",
	    show_json_text(arena, outcome->problem), "dns_lookups",
	    (json_int_t)outcome->dns_lookups);

	return show_print_json(json);
}

static int run(struct arena *arena, const struct command_line *line)
{
	struct clock clock = {.fixed = false};
	struct spf_request request = {
	    .helo = command_text(line, "helo"),
	    .mail_from = command_text(line, "mail-from"),
	    .receiver = command_hostname(arena, line),
	    .clock = &clock,
	};
	struct slice client = command_text(line, "client-ip");
	struct dns_resolver *resolver;
	struct spf_outcome outcome;
	struct err err;

	if (!ip_parse(client, &request.client_ip)) {
		err_set(&err, E_USAGE,
		    "--client-ip \"%.*s\" is not an IP "
		    "address",
		    SLICE_ARGS(slice_sub(client, 0, 64)));
		return command_fail(&err);
	}
	if (!command_clock(line, &clock, &err) ||
	    !dns_options_open(arena, line, &resolver, &err))
		return command_fail(&err);
	outcome = spf_check_mailfrom(
	    arena, dns_options_session(arena, resolver), &request);
	if (command_has(line, "json"))
		return print_json(arena, &outcome);
	puts(spf_result_name(outcome.result));
	return EXIT_DONE;
}

const struct command command_spf = {
    .name = "spf",
    .arguments = "",
    .summary = "check whether a client may send for a domain (SPF)",
    .description =
	"Evaluates the SPF policy (RFC 7208) of the envelope sender's domain, "
	"or of the HELO name for the null return path, as the gateway would, "
	"and prints the result: none, neutral, pass, fail, softfail, "
	"temperror or permerror.\n"
	"\n"
	"With --json also the explanation that the domain gives for a fail, "
	"the problem behind a temperror or permerror, and the number of terms "
	"that needed DNS queries, of which ten are allowed.",
    .options = {options_spf, options_dns, options_clock, options_json},
    .examples = "# May 192.0.2.1 send for agency.example?\n"
		"gatehouse spf --client-ip 192.0.2.1 --helo mx.agency.example "
		"--mail-from a@agency.example\n"
		"# The same against a zone file, with details\n"
		"gatehouse spf --client-ip 192.0.2.1 --helo mx.agency.example "
		"--mail-from a@agency.example --zone agency.zone --json",
    .run = run,
};
