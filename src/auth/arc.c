/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/arc.h"

#include "auth/arc_set.h"
#include "auth/dkim_canon.h"
#include "auth/dkim_check.h"
#include "base/log.h"

struct arc_verifier {
	struct arena *arena;
	const struct dkim_settings *settings;
	struct dns_session *dns;
	const struct header_list *headers;
	struct body_hashes *hashes;
	struct arc_sets sets;
	bool *judged;	      /* by set: its message signature can be tried */
	size_t *body_numbers; /* by set */
	struct arc_outcome outcome;
};

const char *arc_result_name(enum arc_result result)
{
	static const char *const names[] = {
	    [ARC_NONE] = "none",
	    [ARC_PASS] = "pass",
	    [ARC_FAIL] = "fail",
	    [ARC_TEMPERROR] = "temperror",
	};

	return names[result];
}

/* What the outcome says about the sets, whatever the result. */
static void describe(struct arc_verifier *verifier)
{
	struct arc_outcome *outcome = &verifier->outcome;
	size_t count = verifier->sets.count;
	struct slice *sealers, *results;
	const struct arc_set *newest;

	outcome->sets = (unsigned int)count;
	if (count == 0)
		return;
	sealers = ARENA_ARRAY(verifier->arena, count, struct slice);
	results = ARENA_ARRAY(verifier->arena, count, struct slice);
	for (size_t i = 0; i < count; i++) {
		sealers[i] = verifier->sets.sets[i].seal.domain;
		results[i] = verifier->sets.sets[i].results_value;
	}
	newest = &verifier->sets.sets[count - 1];
	outcome->sealer_count = count;
	outcome->sealers = sealers;
	outcome->results = results;
	outcome->sealer = newest->seal.domain;
	outcome->from_signed =
	    newest->message_field &&
	    dkim_signature_covers(&newest->message, SLICE("From")) &&
	    dkim_signature_count(&newest->message, SLICE("From")) >=
		headers_count(verifier->headers, SLICE("From"));
	outcome->fields_added = newest->message_field &&
				dkim_check_additions(verifier->arena,
				    verifier->headers, &newest->message)
					.result != DKIM_PASS;
}

/* Keys and body hashes that the sets need; the newest is asked for first. */
static void prepare(struct arc_verifier *verifier)
{
	size_t count = verifier->sets.count;

	verifier->judged = ARENA_ARRAY(verifier->arena, count, bool);
	verifier->body_numbers = ARENA_ARRAY(verifier->arena, count, size_t);
	for (size_t i = count; i-- > 0;) {
		struct arc_set *set = &verifier->sets.sets[i];
		struct dkim_check check;

		dkim_check_prefetch(verifier->arena, verifier->dns, &set->seal);
		if (!slice_empty(set->message_problem))
			continue;
		check = dkim_check_rules(
		    verifier->settings, SIGNATURE_ARC_MESSAGE, &set->message);
		set->message_problem = check.reason;
		if (check.result != DKIM_PASS)
			continue;
		verifier->judged[i] = true;
		verifier->body_numbers[i] = body_hashes_want(verifier->hashes,
		    set->message.body_canon, set->message.body_length);
		dkim_check_prefetch(
		    verifier->arena, verifier->dns, &set->message);
	}
}

struct arc_verifier *arc_verifier_new(struct arena *arena,
    const struct dkim_settings *settings, struct dns_session *dns,
    const struct header_list *headers, struct body_hashes *hashes)
{
	struct arc_verifier *verifier = ARENA_NEW(arena, struct arc_verifier);
	struct err err;

	*verifier = (struct arc_verifier){
	    .arena = arena,
	    .settings = settings,
	    .dns = dns,
	    .headers = headers,
	    .hashes = hashes,
	};
	if (!arc_sets_collect(arena, headers,
		(size_t)settings->limits->arc_sets, &verifier->sets, &err)) {
		verifier->outcome.result = ARC_FAIL;
		verifier->outcome.reason = arena_slice(
		    arena, slice_from(err.text));
	}
	describe(verifier);
	if (verifier->outcome.result == ARC_NONE)
		prepare(verifier);
	return verifier;
}

/* RFC 8617 section 5.2, step 4: as a DKIM-Signature. */
static struct dkim_check check_message(
    struct arc_verifier *verifier, size_t index)
{
	const struct arc_set *set = &verifier->sets.sets[index];
	struct dkim_check check = {DKIM_PERMERROR, set->message_problem, 0, 0};
	size_t number = verifier->body_numbers[index];
	struct crypto_digest digest;

	if (!verifier->judged[index])
		return check;
	check = dkim_check_body(&set->message, verifier->hashes, number);
	if (check.result != DKIM_PASS)
		return check;
	if (!verifier->settings->accept_body_length &&
	    dkim_check_is_limited(&set->message, verifier->hashes, number)) {
		check.result = DKIM_POLICY;
		check.reason = SLICE("l= leaves a part of the body unsigned");
		return check;
	}
	digest = dkim_check_header_digest(verifier->headers, &set->message);
	return dkim_check_signature(verifier->arena, verifier->settings,
	    verifier->dns, SIGNATURE_ARC_MESSAGE, &set->message, &digest);
}

/* RFC 8617 section 5.1.1: a seal signs every set up to its own, oldest first,
 * as results, message signature, seal.  So hash holds all sets before this
 * one, and afterwards this one too. */
static struct dkim_check check_seal(struct arc_verifier *verifier,
    const struct arc_set *set, struct crypto_hash *hash, struct buf *buf)
{
	struct crypto_digest digest;
	struct dkim_check check;

	buf_clear(buf);
	dkim_canon_field(buf, CANON_RELAXED, set->results->raw);
	dkim_canon_field(buf, CANON_RELAXED, set->message_field->raw);
	crypto_hash_add(hash, buf_slice(buf));

	buf_clear(buf);
	dkim_canon_own_field(
	    buf, CANON_RELAXED, set->seal_field->raw, set->seal.whole_b);
	digest = crypto_hash_digest(hash, buf_slice(buf));

	buf_clear(buf);
	dkim_canon_field(buf, CANON_RELAXED, set->seal_field->raw);
	crypto_hash_add(hash, buf_slice(buf));

	check = dkim_check_rules(
	    verifier->settings, SIGNATURE_ARC_SEAL, &set->seal);
	if (check.result != DKIM_PASS)
		return check;
	return dkim_check_signature(verifier->arena, verifier->settings,
	    verifier->dns, SIGNATURE_ARC_SEAL, &set->seal, &digest);
}

/* A failure for good outweighs a temporary one.  True: it is final. */
static bool note(struct arc_verifier *verifier, const char *what,
    size_t instance, const struct dkim_check *check)
{
	struct arc_outcome *outcome = &verifier->outcome;

	if (check->result == DKIM_PASS)
		return false;
	outcome->result = check->result == DKIM_TEMPERROR ? ARC_TEMPERROR
							  : ARC_FAIL;
	outcome->reason = arena_format_slice(verifier->arena,
	    "%s of instance %zu: %.*s", what, instance,
	    SLICE_ARGS(check->reason));
	return outcome->result == ARC_FAIL;
}

static void check_seals(struct arc_verifier *verifier)
{
	struct crypto_hash *hash = crypto_hash_new(verifier->arena);
	struct buf buf;

	buf_init(&buf, dkim_canon_max(verifier->headers));
	for (size_t i = 0; i < verifier->sets.count; i++) {
		struct dkim_check check = check_seal(
		    verifier, &verifier->sets.sets[i], hash, &buf);

		if (note(verifier, "the seal", i + 1, &check))
			break;
	}
	buf_release(&buf);
}

/* The oldest instance since which nothing that is signed was changed; 0 if
 * that is so for all.  RFC 8617 section 5.2, step 5. */
static unsigned int find_oldest_pass(struct arc_verifier *verifier)
{
	for (size_t i = verifier->sets.count - 1; i-- > 0;)
		if (check_message(verifier, i).result != DKIM_PASS)
			return (unsigned int)i + 2;
	return 0;
}

static void validate(struct arc_verifier *verifier)
{
	size_t newest = verifier->sets.count - 1;
	struct dkim_check check = check_message(verifier, newest);

	if (note(verifier, "the message signature", newest + 1, &check))
		return;
	check_seals(verifier);
	if (verifier->outcome.result != ARC_NONE)
		return;
	verifier->outcome.result = ARC_PASS;
	verifier->outcome.oldest_pass = find_oldest_pass(verifier);
}

struct arc_outcome arc_verifier_finish(struct arc_verifier *verifier)
{
	if (verifier->outcome.result == ARC_NONE && verifier->sets.count)
		validate(verifier);
	log_trace(LOG_TOPIC_AUTH, "arc.chain",
	    LOG_T("result", arc_result_name(verifier->outcome.result)),
	    LOG_I("sets", verifier->outcome.sets),
	    LOG_S("reason", verifier->outcome.reason));
	return verifier->outcome;
}
