/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdio.h>

#include "auth/dmarc.h"
#include "auth/psl.h"
#include "cli/commands.h"
#include "cli/dns_options.h"
#include "cli/show.h"

static const struct option_spec options_dmarc[] = {
    {"from-domain", 0, OPTION_TEXT, "DOMAIN",
	"domain of the address in From:", true},
    {0},
};

static json_t *json_queries(
    struct arena *arena, const struct dns_session *session)
{
	const struct dns_query_record *queries;
	size_t count = dns_session_queries(session, &queries);
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list,
		    json_pack("{s:o, s:s, s:s}", "name",
			show_json_text(arena, queries[i].name), "type",
			dns_type_name(queries[i].type), "rcode",
			queries[i].answer ? queries[i].answer->rcode : ""));
	return list;
}

/* "found" instead of "pass": nothing has been authenticated here. */
static const char *status_name(const struct dmarc_discovery *found)
{
	return found->status == DMARC_PASS ? "found"
					   : dmarc_result_name(found->status);
}

static int print_json(struct arena *arena, const struct dmarc_discovery *found,
    struct slice by_list, const struct dns_session *session)
{
	json_t *json = json_pack(
	    "{s:s, s:o, s:o, s:o, s:s, s:s, s:b, s:b, s:o, s:o, s:o}", "status",
	    status_name(found), "policy_domain",
	    show_json_text(arena, found->policy_domain),
	    "organizational_domain",
	    show_json_text(arena, found->organizational_domain),
	    "psl_organizational_domain", show_json_text(arena, by_list),
	    "policy", dmarc_policy_name(found->policy), "applied_policy",
	    dmarc_policy_name(found->applied_policy), "strict_spf",
	    found->strict_spf, "strict_dkim", found->strict_dkim, "record",
	    show_json_text(arena, found->record), "problem",
	    show_json_text(arena, found->problem), "queries",
	    json_queries(arena, session));

	return show_print_json(json);
}

static void print_line(
    struct arena *arena, const char *name, struct slice value)
{
	struct buf *text = buf_in_arena(arena, SHOW_MAX);

	/* A record is a stranger's text. */
	show_text(text, slice_empty(value) ? SLICE("-") : value);
	printf("%-24s%.*s\n", name, SLICE_ARGS(buf_slice(text)));
}

static void print_policy(const struct dmarc_discovery *found)
{
	printf("%-24s%s", "policy:", dmarc_policy_name(found->policy));
	if (!slice_eq(found->author_domain, found->policy_domain))
		printf(" (that for %ssubdomains)",
		    found->author_domain_exists ? "" : "non-existent ");
	putchar('\n');
	printf("%-24s%s%s\n",
	    "applied:", dmarc_policy_name(found->applied_policy),
	    found->testing ? " (t=y: one step milder)" : "");
	printf("%-24sSPF %s, DKIM %s\n",
	    "alignment:", found->strict_spf ? "strict" : "relaxed",
	    found->strict_dkim ? "strict" : "relaxed");
}

static int print_text(struct arena *arena, const struct dmarc_discovery *found,
    struct slice by_list, const struct dns_session *session)
{
	const struct dns_query_record *queries;
	size_t count = dns_session_queries(session, &queries);

	print_line(arena, "domain:", found->author_domain);
	print_line(
	    arena, "organizational domain:", found->organizational_domain);
	if (!slice_eq(by_list, found->organizational_domain))
		print_line(arena, "  by the suffix list:", by_list);
	print_line(arena, "record found at:", found->policy_domain);
	print_line(arena, "record:", found->record);
	if (found->policy_domain.len)
		print_policy(found);
	else if (found->status == DMARC_TEMPERROR)
		puts("Whether a policy applies cannot be told now.");
	else
		puts("No DMARC policy applies.");
	if (found->problem.len)
		print_line(arena, "problem:", found->problem);
	puts("asked:");
	for (size_t i = 0; i < count; i++)
		print_line(arena, "",
		    arena_format_slice(arena, "%.*s %s %s",
			SLICE_ARGS(queries[i].name),
			dns_type_name(queries[i].type),
			queries[i].answer ? queries[i].answer->rcode : ""));
	return EXIT_DONE;
}

static int run(struct arena *arena, const struct command_line *line)
{
	struct slice domain = command_text(line, "from-domain");
	struct dmarc_discovery found;
	struct dns_resolver *resolver;
	struct dns_session *session;
	struct slice by_list;
	struct err err;

	if (!dns_options_open(arena, line, &resolver, &err))
		return command_fail(&err);
	session = dns_options_session(arena, resolver);
	found = dmarc_discover(arena, session, domain);
	if (found.status == DMARC_PERMERROR) {
		err_set(&err, E_USAGE, "--from-domain: %.*s",
		    SLICE_ARGS(slice_sub(found.problem, 0, 200)));
		return command_fail(&err);
	}
	by_list = psl_organizational_domain(arena, domain);
	return command_has(line, "json")
		   ? print_json(arena, &found, by_list, session)
		   : print_text(arena, &found, by_list, session);
}

const struct command command_dmarc = {
    .name = "dmarc",
    .arguments = "",
    .summary = "show the DMARC policy that applies to a domain",
    .description =
	"Finds the DMARC policy record (RFC 9989) for mail whose From: has an "
	"address in the domain, as the gateway would: the DNS tree walk, the "
	"organizational domain, and which of p=, sp= and np= applies.\n"
	"\n"
	"The organizational domain by the Public Suffix List, which receivers "
	"of the older RFC 7489 use, is shown where it differs.  With --json "
	"also every DNS query and its answer.",
    .options = {options_dmarc, options_dns, options_json},
    .examples = "# Which policy applies to agency.example?\n"
		"gatehouse dmarc --from-domain agency.example\n"
		"# Against a zone file, with the queries\n"
		"gatehouse dmarc --from-domain a.agency.example "
		"--zone agency.zone --json",
    .run = run,
};
