/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/dkim.h"

#include "auth/body_hash.h"
#include "auth/dkim_check.h"
#include "auth/dkim_choose.h"
#include "auth/dkim_signature.h"
#include "base/log.h"

/* One DKIM-Signature field. */
struct work {
	struct dkim_signature signature;
	struct dkim_outcome *outcome;
	bool open;	    /* not judged yet: body and key are needed */
	size_t body_number; /* of body_hashes_want */
};

struct dkim_verifier {
	struct arena *arena;
	const struct dkim_settings *settings;
	struct dns_session *dns;
	const struct header_list *headers;
	struct body_hashes *hashes;
	size_t count; /* of outcomes */
	struct dkim_outcome *outcomes;
	size_t work_count;
	struct work *work;
};

const char *dkim_result_name(enum dkim_result result)
{
	static const char *const names[] = {
	    [DKIM_NONE] = "none",
	    [DKIM_PASS] = "pass",
	    [DKIM_FAIL] = "fail",
	    [DKIM_POLICY] = "policy",
	    [DKIM_NEUTRAL] = "neutral",
	    [DKIM_TEMPERROR] = "temperror",
	    [DKIM_PERMERROR] = "permerror",
	};

	return names[result];
}

static void describe(
    struct dkim_outcome *outcome, const struct dkim_signature *signature)
{
	outcome->domain = signature->domain;
	outcome->selector = signature->selector;
	outcome->algorithm = signature->algorithm_text;
	outcome->identity = signature->identity;
	outcome->signature_start = signature->start;
}

static void judge(struct work *work, const struct dkim_check *check)
{
	work->open = false;
	work->outcome->result = check->result;
	work->outcome->reason = check->reason;
	work->outcome->key_bits = check->key_bits;
	work->outcome->testing = check->testing;
}

static void start(struct dkim_verifier *verifier, struct work *work,
    const struct header_field *field)
{
	struct dkim_signature *signature = &work->signature;
	struct dkim_check check = {.result = DKIM_NEUTRAL};
	struct err err;

	if (!dkim_signature_parse(
		verifier->arena, SIGNATURE_DKIM, field, signature, &err)) {
		describe(work->outcome, signature);
		check.reason = arena_slice(
		    verifier->arena, slice_from(err.text));
		judge(work, &check);
		return;
	}
	describe(work->outcome, signature);
	check = dkim_check_rules(verifier->settings, SIGNATURE_DKIM, signature);
	if (check.result != DKIM_PASS) {
		judge(work, &check);
		return;
	}
	work->open = true;
	work->body_number = body_hashes_want(
	    verifier->hashes, signature->body_canon, signature->body_length);
	dkim_check_prefetch(verifier->arena, verifier->dns, signature);
}

/* One outcome for all those that are not verified. */
static void describe_left_out(struct dkim_verifier *verifier, size_t left_out)
{
	struct dkim_outcome *last = &verifier->outcomes[verifier->work_count];

	last->result = DKIM_POLICY;
	last->reason = arena_format_slice(verifier->arena,
	    "%zu more signatures, over limits.dkim_signatures", left_out);
}

struct dkim_verifier *dkim_verifier_new(struct arena *arena,
    const struct dkim_settings *settings, struct dns_session *dns,
    const struct header_list *headers, struct body_hashes *hashes)
{
	struct dkim_verifier *verifier = ARENA_NEW(arena, struct dkim_verifier);
	struct dkim_choice choice = dkim_choose(
	    arena, headers, settings->limits);

	*verifier = (struct dkim_verifier){
	    .arena = arena,
	    .settings = settings,
	    .dns = dns,
	    .headers = headers,
	    .hashes = hashes,
	    .count = choice.count + (choice.left_out > 0),
	    .work_count = choice.count,
	};
	verifier->outcomes = ARENA_ARRAY(
	    arena, verifier->count, struct dkim_outcome);
	verifier->work = ARENA_ARRAY(arena, verifier->work_count, struct work);
	for (size_t i = 0; i < choice.count; i++) {
		verifier->work[i].outcome = &verifier->outcomes[i];
		start(verifier, &verifier->work[i], choice.fields[i]);
	}
	if (choice.left_out)
		describe_left_out(verifier, choice.left_out);
	return verifier;
}

static struct dkim_check check_all(
    struct dkim_verifier *verifier, struct work *work)
{
	const struct dkim_signature *signature = &work->signature;
	struct dkim_check check = dkim_check_body(
	    signature, verifier->hashes, work->body_number);
	struct crypto_digest digest;

	/* Another body cannot be cured by a key: DNS is not waited for. */
	if (check.result != DKIM_PASS)
		return check;
	digest = dkim_check_header_digest(verifier->headers, signature);
	return dkim_check_signature(verifier->arena, verifier->settings,
	    verifier->dns, SIGNATURE_DKIM, signature, &digest);
}

/* What speaks against a signature even if it verifies: known without the key,
 * so that a key which cannot be had now does not leave it open. */
static struct dkim_check check_acceptable(
    const struct dkim_verifier *verifier, const struct work *work)
{
	/* RFC 6376 section 8.2: what follows is anybody's. */
	if (work->outcome->body_length_limited &&
	    !verifier->settings->accept_body_length)
		return (struct dkim_check){
		    .result = DKIM_POLICY,
		    .reason = SLICE("l= leaves a part of the body unsigned"),
		};
	return dkim_check_additions(
	    verifier->arena, verifier->headers, &work->signature);
}

static void finish(struct dkim_verifier *verifier, struct work *work)
{
	struct dkim_check check = check_all(verifier, work), acceptable;

	work->outcome->body_length_limited = dkim_check_is_limited(
	    &work->signature, verifier->hashes, work->body_number);
	acceptable = check_acceptable(verifier, work);
	if (acceptable.result != DKIM_PASS &&
	    (check.result == DKIM_PASS || check.result == DKIM_TEMPERROR)) {
		check.result = acceptable.result;
		check.reason = acceptable.reason;
	}
	judge(work, &check);
}

size_t dkim_verifier_finish(
    struct dkim_verifier *verifier, const struct dkim_outcome **ret)
{
	for (size_t i = 0; i < verifier->work_count; i++) {
		struct work *work = &verifier->work[i];

		if (work->open)
			finish(verifier, work);
		log_trace(LOG_TOPIC_AUTH, "dkim.signature",
		    LOG_T("result", dkim_result_name(work->outcome->result)),
		    LOG_S("domain", work->outcome->domain),
		    LOG_S("reason", work->outcome->reason));
	}
	*ret = verifier->outcomes;
	return verifier->count;
}
