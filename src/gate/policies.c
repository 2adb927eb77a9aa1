/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in policies, as rows: each looks at the facts and says what it
 * wants and why.  The strongest enforced verdict stands. */
#include "base/metrics.h"
#include "gate/gate_private.h"

enum { LOOP_PASSES_MAX = 5 };

struct wish {
	bool matched;
	bool enforced;
	enum verdict verdict;
	struct slice because;
	struct smtp_reply_text reply;
};

struct policy {
	struct slice name;
	struct wish (*judge)(struct gate_message *message);
	bool by_header; /* it looks at nothing else */
};

static struct smtp_reply_text reply_of(
    int code, struct slice enhanced, struct slice text)
{
	return (struct smtp_reply_text){code, enhanced, text};
}

static struct wish refuse(struct gate_message *message, bool enforced,
    struct slice enhanced, const char *because)
{
	struct slice text = slice_from(because);

	return (struct wish){
	    .matched = true,
	    .enforced = enforced,
	    .verdict = VERDICT_REJECT,
	    .because = text,
	    .reply = reply_of(550, enhanced,
		arena_format_slice(message->arena, "%s (id %.*s)", because,
		    SLICE_ARGS(message->envelope->id))),
	};
}

static struct wish defer(
    struct gate_message *message, struct slice enhanced, const char *because)
{
	return (struct wish){
	    .matched = true,
	    .enforced = true,
	    .verdict = VERDICT_DEFER,
	    .because = slice_from(because),
	    .reply = reply_of(451, enhanced,
		arena_format_slice(message->arena,
		    "%s; try again later (id %.*s)", because,
		    SLICE_ARGS(message->envelope->id))),
	};
}

static const struct wish no_wish = {.matched = false};

/* Bare line ends never reach this from SMTP, which refuses them at once; from
 * a file or a milter they do. */
static struct wish judge_line_ends(struct gate_message *message)
{
	if (!faults_has(message->faults, FAULT_BARE_LF) &&
	    !faults_has(message->faults, FAULT_BARE_CR))
		return no_wish;
	return refuse(message, true, SLICE("5.5.2"),
	    "bare LF or bare CR in the message (SMTP smuggling); lines must "
	    "end with CR LF");
}

static struct wish judge_loop(struct gate_message *message)
{
	const struct limits *limits = &message->context->config->limits;
	size_t received = headers_count(&message->headers, SLICE("Received"));
	struct wish wish;

	if (received < limits->received_count &&
	    header_policy_loop_count(message) < LOOP_PASSES_MAX)
		return no_wish;
	wish = refuse(message, true, SLICE("5.4.6"),
	    arena_format(message->arena,
		"mail loop: %zu Received: fields (limits.received_count), "
		"%zu passes through this gateway",
		received, header_policy_loop_count(message)));
	wish.reply.code = 554;
	return wish;
}

/* What cannot be read says more than that it cannot. */
static const char *words_of(
    const struct gate_message *message, enum fault fault)
{
	return fault == FAULT_FROM_UNPARSEABLE && message->from.unreadable
		   ? message->from.unreadable
		   : fault_help(fault);
}

/* Faults that leave no author to authenticate, or hide one. */
static struct wish judge_malformed(struct gate_message *message)
{
	static const enum fault refused[] = {
	    FAULT_NUL_IN_HEADER,
	    FAULT_FROM_MISSING,
	    FAULT_FROM_REPEATED,
	    FAULT_FROM_UNPARSEABLE,
	    FAULT_HEADER_STARTS_FOLDED,
	};
	enum conf_mode mode =
	    message->context->config->authentication.malformed;

	if (mode == MODE_OFF)
		return no_wish;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (faults_has(message->faults, refused[i]))
			return refuse(message,
			    mode == MODE_ENFORCE && !message->internal,
			    SLICE("5.7.1"), words_of(message, refused[i]));
	/* Whatever else: an author that could not be read is not judged. */
	if (!message->from.complete)
		return refuse(message,
		    mode == MODE_ENFORCE && !message->internal, SLICE("5.7.1"),
		    arena_format(message->arena, "%.*s",
			SLICE_ARGS(message->from.problem)));
	return no_wish;
}

static struct wish judge_own_domain(struct gate_message *message)
{
	const struct own_domain_outcome *own = &message->own_domain;
	enum conf_mode mode =
	    message->context->config->authentication.own_domains;
	struct wish wish;

	if (mode == MODE_OFF || message->internal)
		return no_wish;
	if (own->result == OWN_DOMAIN_FAIL) {
		wish = refuse(message, mode == MODE_ENFORCE, SLICE("5.7.1"),
		    arena_format(message->arena,
			"mail from outside may not use our domain %.*s "
			"unauthenticated",
			SLICE_ARGS(own->domain)));
	} else if (own->result == OWN_DOMAIN_TEMPERROR) {
		wish = defer(message, SLICE("4.4.3"),
		    "whether this mail may use our domain could not be "
		    "checked (DNS)");
		wish.enforced = mode == MODE_ENFORCE;
	} else {
		return no_wish;
	}
	if (own->reason.len)
		wish.because = own->reason;
	return wish;
}

/* Several authors' domains of which one has a policy: nothing tells whose
 * policy to follow (RFC 9989 section 5.3.1 leaves it open; the design says
 * refuse). */
static struct wish judge_several_authors(struct gate_message *message)
{
	const struct config *config = message->context->config;

	if (message->dmarc_count < 2 || message->internal)
		return no_wish;
	for (size_t i = 0; i < message->dmarc_count; i++)
		if (message->dmarc[i].discovery.policy != DMARC_POLICY_NONE)
			return refuse(message,
			    config->authentication.dmarc_enforce,
			    SLICE("5.7.1"),
			    "From: names several domains, of which one has a "
			    "DMARC policy");
	return no_wish;
}

/* The outcome whose disposition is the strictest. */
static const struct dmarc_outcome *strictest(const struct gate_message *message)
{
	const struct dmarc_outcome *worst = NULL;

	for (size_t i = 0; i < message->dmarc_count; i++) {
		const struct dmarc_outcome *one = &message->dmarc[i];

		if (one->result != DMARC_FAIL)
			continue;
		if (!worst || one->discovery.applied_policy >
				  worst->discovery.applied_policy)
			worst = one;
	}
	return worst;
}

static struct wish quarantine(struct gate_message *message, const char *because)
{
	const struct conf_authentication *settings =
	    &message->context->config->authentication;
	bool junk = settings->dmarc_quarantine_action ==
		    QUARANTINE_ACTION_JUNK_HEADER;

	return (struct wish){
	    .matched = true,
	    .enforced = settings->dmarc_enforce,
	    .verdict = junk ? VERDICT_ACCEPT : VERDICT_QUARANTINE,
	    .because = slice_from(because),
	};
}

/* The administrator has explained it. */
static void override(const struct gate_message *message, struct wish *wish)
{
	wish->enforced = false;
	wish->because = arena_format_slice(message->arena,
	    "%.*s; overridden: %.*s", SLICE_ARGS(wish->because),
	    SLICE_ARGS(message->override.reason));
}

static struct wish dispose(
    struct gate_message *message, const struct dmarc_outcome *failed)
{
	const struct dmarc_discovery *found = &failed->discovery;
	const char *because = arena_format(message->arena,
	    "unauthenticated mail from %.*s is not accepted due to the DMARC "
	    "policy of %.*s (p=%s)",
	    SLICE_ARGS(failed->from_domain), SLICE_ARGS(found->policy_domain),
	    dmarc_policy_name(found->policy));
	struct wish wish;

	switch (found->applied_policy) {
	case DMARC_POLICY_REJECT:
		wish = refuse(message,
		    message->context->config->authentication.dmarc_enforce,
		    SLICE("5.7.1"), because);
		break;
	case DMARC_POLICY_QUARANTINE:
		wish = quarantine(message, because);
		break;
	default: return no_wish;
	}
	if (message->override.applies)
		override(message, &wish);
	return wish;
}

static bool is_policy_known(const struct dmarc_discovery *found)
{
	return found->status == DMARC_PASS;
}

/* Does the decision need what could not be asked?  Not when the policy is
 * known, and asks for nothing; nor when any record would let the only author
 * pass.  Of several, a policy of one refuses them all. */
static bool needs_answer(
    const struct gate_message *message, const struct dmarc_outcome *outcome)
{
	const struct dmarc_discovery *found = &outcome->discovery;
	bool aligned = outcome->spf_aligned || outcome->dkim_aligned;

	if (outcome->result != DMARC_TEMPERROR ||
	    (aligned && message->dmarc_count == 1))
		return false;
	return !is_policy_known(found) ||
	       found->applied_policy != DMARC_POLICY_NONE;
}

/* Is there anything that an override could explain? */
static bool is_unsettled(const struct gate_message *message)
{
	bool unsettled = strictest(message) != NULL;

	for (size_t i = 0; i < message->dmarc_count; i++)
		unsettled = unsettled ||
			    needs_answer(message, &message->dmarc[i]);
	return unsettled;
}

/* What on_temporary_error lets pass is a domain whose DNS fails; that our
 * limits are used up is the sender's own doing. */
static bool defers_for_dns(const struct gate_message *message)
{
	return message->context->config->authentication
		       .dmarc_on_temporary_error == TEMPORARY_DEFER ||
	       message->dns_exhausted;
}

/* Nor does it let pass what a known policy forbids: which key or SPF record
 * below the author's domain is asked for the sender chooses, and there may be
 * one that fails for good. */
static struct wish judge_unanswered(
    struct gate_message *message, const struct dmarc_outcome *outcome)
{
	struct wish wish = defer(message, SLICE("4.7.0"),
	    arena_format(message->arena,
		"whether DMARC passes for %.*s could not be checked (DNS)",
		SLICE_ARGS(outcome->from_domain)));

	wish.enforced =
	    message->context->config->authentication.dmarc_enforce &&
	    (is_policy_known(&outcome->discovery) || defers_for_dns(message));
	if (message->override.applies)
		override(message, &wish);
	return wish;
}

static struct wish judge_dmarc(struct gate_message *message)
{
	const struct conf_authentication *settings =
	    &message->context->config->authentication;
	const struct dmarc_outcome *failed = strictest(message);

	if (failed && failed->discovery.applied_policy != DMARC_POLICY_NONE) {
		struct wish wish = dispose(message, failed);

		if (!message->override.undecided || !defers_for_dns(message))
			return wish;
		wish = defer(message, SLICE("4.7.0"),
		    "whether a trusted intermediary relayed this mail could "
		    "not be checked (DNS)");
		wish.enforced = settings->dmarc_enforce;
		return wish;
	}
	/* p=none of one author says nothing of the others. */
	for (size_t i = 0; i < message->dmarc_count; i++)
		if (needs_answer(message, &message->dmarc[i]))
			return judge_unanswered(message, &message->dmarc[i]);
	return no_wish;
}

static const struct policy policies[] = {
    {SLICE_INIT("line-ends"), judge_line_ends},
    {SLICE_INIT("loop"), judge_loop, true},
    {SLICE_INIT("malformed"), judge_malformed, true},
    {SLICE_INIT("own-domain"), judge_own_domain},
    {SLICE_INIT("several-authors"), judge_several_authors},
    {SLICE_INIT("dmarc"), judge_dmarc},
};

/* For a wish that is enforced. */
static bool asks_for_junk_header(
    const struct policy *policy, const struct wish *wish)
{
	return slice_eq(policy->name, SLICE("dmarc")) &&
	       wish->verdict == VERDICT_ACCEPT;
}

static void mark_as_junk(struct gate_message *message)
{
	edit_add_on_top(message->arena, &message->decision.edits,
	    message->context->config->authentication.dmarc_junk_header);
	message->marked_as_junk = true;
}

static void apply(struct gate_message *message, const struct policy *policy)
{
	struct wish wish = policy->judge(message);
	struct decision_step step = {
	    .policy = policy->name,
	    .matched = wish.matched,
	    .enforced = wish.enforced,
	    .verdict = wish.verdict,
	    .because = wish.because,
	};

	decision_apply(message->arena, &message->decision, &step,
	    wish.reply.code ? &wish.reply : NULL);
	if (!wish.matched)
		return;
	if (!wish.enforced)
		metrics_count(METRIC_POLICY_REPORTS, policy->name);
	else if (asks_for_junk_header(policy, &wish))
		mark_as_junk(message);
}

/* DMARC failures, and results that are not known, which the administrator has
 * explained. */
static void find_override(struct gate_message *message)
{
	const struct conf_authentication *settings =
	    &message->context->config->authentication;
	struct intermediary_input input = {
	    .count = settings->intermediary_count,
	    .list = settings->intermediaries,
	    .arc = &message->arc,
	    .client_ip = message->envelope->client->ip,
	    .client_name = message->envelope->client->name,
	    .client_name_unknown = message->envelope->client->name_unknown,
	    .dkim_count = message->dkim_count,
	    .dkim = message->dkim,
	    .from_count = message->from.domain_count,
	    .from = message->from.domains,
	};
	struct intermediary_outcome found;
	bool may_send_as = message->from.domain_count > 0;

	for (size_t i = 0; i < message->from.domain_count; i++)
		may_send_as = may_send_as && connector_may_send_as(message,
						 message->from.domains[i]);
	if (may_send_as) {
		message->override = (struct dmarc_override){
		    .applies = true,
		    .reason = arena_format_slice(message->arena,
			"connector %.*s may send as this domain",
			SLICE_ARGS(message->connector->name)),
		};
		return;
	}
	found = intermediary_find(message->arena, &input);
	message->override.applies = found.matched;
	message->override.undecided = found.undecided;
	if (found.matched)
		message->override.reason = found.reason;
}

bool policies_reject_by_header(struct gate_message *message)
{
	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
		struct wish wish = no_wish;

		if (policies[i].by_header)
			wish = policies[i].judge(message);
		if (wish.matched && wish.enforced &&
		    wish.verdict == VERDICT_REJECT)
			return true;
	}
	return false;
}

void policies_apply(struct gate_message *message)
{
	if (!message->internal && is_unsettled(message))
		find_override(message);
	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++)
		apply(message, &policies[i]);
}
