/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/spf.h"

#include "auth/spf_eval.h"
#include "base/ascii.h"
#include "base/log.h"
#include "dns/name.h"

enum { NAME_MAX_OCTETS = 253, LABEL_MAX_OCTETS = 63 };

/* A sender as check_host() sees it. */
struct sender {
	enum spf_identity identity;
	struct slice local_part, domain;
};

const char *spf_result_name(enum spf_result result)
{
	static const char *const names[] = {
	    [SPF_NONE] = "none",
	    [SPF_NEUTRAL] = "neutral",
	    [SPF_PASS] = "pass",
	    [SPF_FAIL] = "fail",
	    [SPF_SOFTFAIL] = "softfail",
	    [SPF_TEMPERROR] = "temperror",
	    [SPF_PERMERROR] = "permerror",
	};

	return names[result];
}

static bool is_host_byte(char c)
{
	return ascii_is_alnum(c) || c == '-' || c == '_';
}

static bool is_address(struct slice text)
{
	struct ip ip;

	return ip_parse(text, &ip);
}

/* Section 4.3: labels of 1 to 63 octets, at least two of them, and no address
 * or address literal. */
static bool is_valid_domain(struct slice domain)
{
	struct slice label, rest = domain;
	size_t count = 0;
	bool more;

	if (domain.len == 0 || domain.len > NAME_MAX_OCTETS ||
	    is_address(domain))
		return false;
	do {
		more = slice_split(rest, '.', &label, &rest);
		if (label.len == 0 || label.len > LABEL_MAX_OCTETS ||
		    !slice_all(label, is_host_byte))
			return false;
		count++;
	} while (more);
	return count >= 2;
}

/* Lower case, A-labels (RFC 8616 section 4), no final dot; as it is when it
 * cannot be a name: section 4.3 sorts it out. */
static struct slice tidy_domain(struct arena *arena, struct slice domain)
{
	struct slice name;

	if (name_normalize(arena, domain, &name, NULL))
		return name;
	return arena_lower(arena, domain);
}

static struct sender helo_sender(
    struct arena *arena, const struct spf_request *request)
{
	return (struct sender){
	    .identity = SPF_IDENTITY_HELO,
	    .local_part = SLICE("postmaster"),
	    .domain = tidy_domain(arena, request->helo),
	};
}

static struct sender mailfrom_sender(
    struct arena *arena, const struct spf_request *request)
{
	struct sender sender = {
	    .identity = SPF_IDENTITY_MAILFROM,
	    .local_part = SLICE("postmaster"), /* section 4.3 */
	};
	struct slice address = request->mail_from;
	size_t at = address.len;

	if (slice_empty(address)) /* section 2.4 */
		return helo_sender(arena, request);
	while (at > 0 && address.ptr[at - 1] != '@')
		at--;
	if (at > 1)
		sender.local_part = slice_sub(address, 0, at - 1);
	sender.domain = tidy_domain(arena, slice_from_pos(address, at));
	return sender;
}

static struct spf_outcome check(struct arena *arena, struct dns_session *dns,
    const struct spf_request *request, const struct sender *sender)
{
	struct spf_outcome outcome = {
	    .result = SPF_NONE,
	    .identity = sender->identity,
	    .domain = sender->domain,
	};
	struct spf_evaluation evaluation = {
	    .arena = arena,
	    .dns = dns,
	    .values =
		{
		    .local_part = sender->local_part,
		    .sender_domain = sender->domain,
		    .helo = tidy_domain(arena, request->helo),
		    .receiver = request->receiver,
		    .client_ip = request->client_ip,
		    .now = clock_now(request->clock),
		},
	};
	struct spf_check found;

	if (!is_valid_domain(sender->domain))
		return outcome;
	found = spf_evaluate(&evaluation, sender->domain, 0);
	outcome.result = found.result;
	outcome.dns_lookups = evaluation.lookups;
	outcome.mechanism = arena_slice(arena, found.mechanism);
	outcome.everybody = found.result == SPF_PASS && evaluation.everybody;
	if (found.result == SPF_FAIL)
		outcome.explanation = spf_explain(&evaluation, &found);
	if (found.result == SPF_TEMPERROR || found.result == SPF_PERMERROR)
		outcome.problem = evaluation.problem;
	log_trace(LOG_TOPIC_AUTH, "auth.spf", LOG_S("domain", outcome.domain),
	    LOG_T("result", spf_result_name(outcome.result)),
	    LOG_S("mechanism", outcome.mechanism),
	    LOG_S("problem", outcome.problem),
	    LOG_I("dns_lookups", outcome.dns_lookups));
	return outcome;
}

struct spf_outcome spf_check_mailfrom(struct arena *arena,
    struct dns_session *dns, const struct spf_request *request)
{
	struct sender sender = mailfrom_sender(arena, request);

	return check(arena, dns, request, &sender);
}

struct spf_outcome spf_check_helo(struct arena *arena, struct dns_session *dns,
    const struct spf_request *request)
{
	struct sender sender = helo_sender(arena, request);

	return check(arena, dns, request, &sender);
}

void spf_prefetch(struct dns_session *dns, const struct spf_request *request)
{
	struct arena *arena = arena_new(512);
	struct sender sender = mailfrom_sender(arena, request);

	if (is_valid_domain(sender.domain))
		dns_prefetch(dns, sender.domain, DNS_TXT);
	arena_free(arena);
}
