/* SPDX-License-Identifier: Apache-2.0 */
#include "gate/test_judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "auth/test_signer.h"
#include "base/require.h"

static const int64_t now = 1772323200; /* 2026-03-01 */

static const char base_config[] =
    "hostname: mx1.agency.example\n"
    "organization:\n"
    "  accepted_domains: [agency.example, b\xc3\xbc"
    "cher.example]\n"
    "listeners:\n"
    "  - {name: mx, address: '127.0.0.1:2525', role: mx}\n"
    "  - {name: relay, address: '127.0.0.1:2526', role: relay}\n"
    "routes:\n"
    "  - {domains: ['*'], next_hop: 'smtp:[127.0.0.1]:26'}\n";

/* clang-format off */
static const struct {
	const char *name, *text;
} base_zone[] = {
    {"agency.example", "v=spf1 ip4:192.0.2.10 -all"},
    {"open.agency.example", "v=spf1 +all"},
    {"half.agency.example", "v=spf1 ip4:0.0.0.0/1 ip4:128.0.0.0/1 -all"},
    {"includes.agency.example", "v=spf1 include:open.agency.example -all"},
    {"redirects.agency.example", "v=spf1 redirect=open.agency.example"},
    {"narrow.agency.example", "v=spf1 -include:half.agency.example -all"},
    {"unsure.agency.example", "v=spf1 ?include:open.agency.example -all"},
    {"wide.agency.example", "v=spf1 ip4:203.0.0.0/8 -all"},
    {"xn--bcher-kva.example", "v=spf1 -all"},
    /* the stranger: authenticates as himself */
    {"stranger.example", "v=spf1 ip4:203.0.113.66 -all"},
    {"_dmarc.stranger.example", "v=DMARC1; p=none"},
    {"mapped.example", "v=spf1 ip6:::ffff:203.0.113.66 -all"},
    /* others, whom he would like to be */
    {"bank.example", "v=spf1 ip4:192.0.2.20 -all"},
    {"_dmarc.bank.example", "v=DMARC1; p=reject"},
    {"open.bank.example", "v=spf1 +all"},
    {"strict.example", "v=spf1 ip4:192.0.2.20 -all"},
    {"_dmarc.strict.example", "v=DMARC1; p=reject; adkim=s; aspf=s"},
    {"sub.strict.example", "v=spf1 +all"},
    {"none.example", "v=spf1 -all"},
    {"_dmarc.none.example", "v=DMARC1; p=none"},
    {"_dmarc.none2.example", "v=DMARC1; p=none"},
    {"_dmarc.quarantine.example", "v=DMARC1; p=quarantine"},
    {"_dmarc.pct.example", "v=DMARC1; p=reject; pct=0"},
    {"_dmarc.testing.example", "v=DMARC1; p=reject; t=y"},
    {"_dmarc.testing2.example", "v=DMARC1; p=quarantine; t=y"},
    {"_dmarc.subs.example", "v=DMARC1; p=none; sp=reject; np=quarantine"},
    {"there.subs.example", "it exists"},
    {"_dmarc.loose.example", "v=DMARC1; p=reject; sp=none; np=reject"},
    {"there.loose.example", "it exists"},
    {"norecord.example", "v=spf1 -all"},
    /* eleven queries */
    {"greedy.example", "v=spf1 exists:0.x.example exists:1.x.example "
	"exists:2.x.example exists:3.x.example exists:4.x.example "
	"exists:5.x.example exists:6.x.example exists:7.x.example "
	"exists:8.x.example exists:9.x.example -all"},
    /* eight, of records that are there */
    {"lavish.example", "v=spf1 include:agency.example include:bank.example "
	"include:strict.example include:none.example include:norecord.example "
	"include:one.suffix.example include:xn--bcher-kva.example -all"},
    /* a public suffix and two of its registrants */
    {"_dmarc.suffix.example", "v=DMARC1; p=reject; psd=y"},
    {"one.suffix.example", "v=spf1 -all"},
    {"two.suffix.example", "v=spf1 ip4:203.0.113.66 -all"},
};
/* clang-format on */

static const char *const signers[] = {"agency.example", "sub.agency.example",
    "bank.example", "strict.example", "sub.strict.example", "stranger.example",
    "lists.example", "two.suffix.example", "suffix.example"};

enum { SIGNER_COUNT = sizeof(signers) / sizeof(signers[0]) };

static const char *algorithm(const struct judge_case *test)
{
	return test->rsa_bits ? "rsa" : "ed25519";
}

static struct slice zone_text(struct arena *arena,
    const struct judge_case *test, const struct test_key *key)
{
	struct buf *zone = buf_in_arena(arena, 16 * 1024);

	for (size_t i = 0; i < sizeof(base_zone) / sizeof(base_zone[0]); i++)
		test_zone_add(zone, slice_from(base_zone[i].name),
		    slice_from(base_zone[i].text));
	for (size_t i = 0; i < SIGNER_COUNT; i++)
		test_zone_add(zone,
		    arena_format_slice(arena, "k._domainkey.%s", signers[i]),
		    arena_format_slice(arena, "v=DKIM1; k=%s; p=%.*s",
			algorithm(test),
			SLICE_ARGS(test_key_public(arena, key))));
	return buf_slice(zone);
}

static struct config *load(struct arena *arena, const char *more)
{
	char path[] = "/tmp/test-judge-XXXXXX";
	int fd = mkstemp(path);
	struct config *config;
	struct err err = {0};
	bool ok;

	require(fd >= 0);
	require(write(fd, base_config, sizeof(base_config) - 1) > 0);
	require(!more || write(fd, more, strlen(more)) > 0);
	close(fd);
	ok = config_load(arena, path, &config, NULL, &err);
	unlink(path);
	if (!ok)
		fail_msg("%s", err.text);
	return config;
}

static struct dns_resolver *open_dns(
    struct arena *arena, const struct judge_case *test, struct slice zone)
{
	struct dns_failure failure = {0};
	struct slice type;
	struct dns_settings settings = {
	    .zone_text = zone,
	    .failure_count = test->broken ? 1 : 0,
	    .failures = &failure,
	    .cache_bytes = 1024 * 1024,
	};
	struct dns_resolver *resolver;
	struct err err = {0};

	(void)arena;
	if (test->broken) {
		failure.any_type = !slice_split(
		    slice_from(test->broken), '/', &failure.name, &type);
		if (!failure.any_type)
			require(dns_type_from_name(type, &failure.type));
	}
	if (!dns_resolver_open(&settings, &resolver, &err))
		fail_msg("%s", err.text);
	return resolver;
}

static struct slice text_or(const char *text, const char *otherwise)
{
	return slice_from(text ? text : otherwise);
}

static struct slice signed_message(struct arena *arena,
    const struct judge_case *test, const struct test_key *key,
    struct slice message)
{
	struct test_signature signature = {
	    .key = key,
	    .header_canon = CANON_RELAXED,
	    .names = test->sign_names ? test->sign_names : "from:subject:date",
	    .limited = test->sign_tags && strstr(test->sign_tags, "l=5;"),
	    .body_length = 5,
	};

	signature.tags = arena_format(arena,
	    "v=1; a=%s-sha256; c=relaxed/simple; d=%s; s=k; h=%s; %s",
	    algorithm(test), test->signed_by, signature.names,
	    test->sign_tags ? test->sign_tags : "");
	return test_sign(arena, &signature, message);
}

static struct slice sealed_message(struct arena *arena,
    const struct judge_case *test, const struct test_key *key,
    struct slice message)
{
	const char *sealer = test->arc.sealer;
	struct test_signature signature = {
	    .key = key,
	    .field = "ARC-Message-Signature",
	    .header_canon = CANON_RELAXED,
	    .names = "from:subject:date",
	    .tags = arena_format(arena,
		"i=1; a=ed25519-sha256; c=relaxed/simple; d=%s; s=k; "
		"h=from:subject:date;",
		sealer),
	};
	struct test_signature seal = {
	    .key = key,
	    .tags = arena_format(arena, "%s a=ed25519-sha256; d=%s; s=k;",
		test->arc.tags ? test->arc.tags : "i=1; cv=none;", sealer),
	};

	return test_seal(arena, &signature, &seal, 1,
	    arena_format(arena, "i=1; %s", test->arc.results), message);
}

static struct slice make_message(struct arena *arena,
    const struct judge_case *test, const struct test_key *key)
{
	struct buf *unsigned_message = buf_in_arena(arena, 1024 * 1024);
	struct slice message;

	/* The header may hold NUL. */
	buf_add(unsigned_message, test->header_len
				      ? slice_of(test->header, test->header_len)
				      : slice_from(test->header));
	buf_add_format(unsigned_message,
	    "Subject: s\r\nDate: Sun, 01 Mar 2026 00:00:00 +0000\r\n"
	    "Message-ID: <1@stranger.example>\r\n\r\n%s",
	    test->body ? test->body : "Hello\r\n");
	message = buf_slice(unsigned_message);
	if (test->signed_by)
		message = signed_message(arena, test, key, message);
	if (test->arc.sealer)
		message = sealed_message(arena, test, key, message);
	if (!test->added && !test->appended)
		return message;
	return arena_format_slice(arena, "%s%.*s%s",
	    test->added ? test->added : "", SLICE_ARGS(message),
	    test->appended ? test->appended : "");
}

static struct envelope_client make_client(
    struct arena *arena, const struct judge_case *test)
{
	struct slice *tls_name = ARENA_NEW(arena, struct slice);
	struct envelope_client client = {
	    .helo = text_or(test->helo, "stranger.example"),
	    .name = text_or(test->client_name, ""),
	    .name_unknown = test->name_unknown,
	    .listener = text_or(test->listener, "mx"),
	    .authenticated_as = text_or(test->authenticated_as, ""),
	    .esmtp = true,
	    .tls = test->tls || test->tls_name,
	    .tls_name_count = test->tls_name ? 1 : 0,
	    .tls_names = tls_name,
	};

	*tls_name = text_or(test->tls_name, "");
	require(ip_parse(text_or(test->client, "203.0.113.66"), &client.ip));
	return client;
}

static struct slice handed_on(struct arena *arena, struct gate_message *message)
{
	struct message_pieces pieces = gate_pieces(message);
	struct buf *all = buf_in_arena(arena, pieces.size);

	for (size_t i = 0; i < pieces.count; i++)
		buf_add(all, pieces.pieces[i]);
	return buf_slice(all);
}

static bool contains(struct slice text, const char *part)
{
	return slice_find_slice(text, slice_from(part)) < text.len;
}

static bool says(const struct decision *decision, const char *because)
{
	for (size_t i = 0; i < decision->step_count; i++)
		if (contains(decision->steps[i].because, because))
			return true;
	return false;
}

static bool is_overridden(
    const struct gate_message *message, const char *reason)
{
	if (!*reason)
		return !message->override.applies;
	return message->override.applies &&
	       contains(message->override.reason, reason);
}

static bool is_word(const char *expected, const char *word)
{
	return !expected || !strcmp(expected, word);
}

static const char *other_words(struct arena *arena,
    const struct judge_case *test, struct gate_message *message)
{
	struct slice all = handed_on(arena, message);

	if (test->kept && !contains(all, test->kept))
		return "what must be in the message";
	if (test->removed && contains(all, test->removed))
		return "what must not be in the message";
	if (test->because && !says(&message->decision, test->because))
		return "what the steps say";
	if (test->override && !is_overridden(message, test->override))
		return "the override";
	return NULL;
}

static const char *difference(struct arena *arena,
    const struct judge_case *test, struct gate_message *message)
{
	const struct decision *decision = &message->decision;

	if (decision->verdict != test->verdict)
		return "the verdict";
	if (test->policy &&
	    !slice_eq(decision->policy, slice_from(test->policy)))
		return "the policy";
	if (test->reply &&
	    !slice_starts(decision_reply_line(arena, &decision->reply),
		slice_from(test->reply)))
		return "the reply";
	if (!is_word(
		test->dmarc, message->dmarc_count
				 ? dmarc_result_name(message->dmarc[0].result)
				 : "none"))
		return "DMARC";
	if (!is_word(test->own_domain,
		own_domain_result_name(message->own_domain.result)))
		return "own domain";
	return other_words(arena, test, message);
}

static bool judge_run(const struct judge_case *test)
{
	struct arena *arena = arena_new(0);
	const struct test_key *key = test_key_new(arena,
	    test->rsa_bits ? CRYPTO_RSA : CRYPTO_ED25519, test->rsa_bits);
	struct slice content = make_message(arena, test, key);
	struct gate_context context = {
	    .config = load(arena, test->config),
	    .resolver = open_dns(arena, test, zone_text(arena, test, key)),
	    .clock = {.fixed = true, .fixed_at = now},
	};
	struct envelope_client client = make_client(arena, test);
	struct envelope envelope = {
	    .id = SLICE("0000000000000001"),
	    .client = &client,
	    .smtputf8 = true,
	    .mail_from = text_or(test->mail_from, "x@stranger.example"),
	};
	struct envelope_recipient recipient = {
	    .address = SLICE("user@agency.example")};
	const struct decision *decision;
	struct gate_message *message;
	const char *different;
	bool keeps = true, needs = true;
	struct err err;

	envelope_add_recipient(arena, &envelope, &recipient);
	message = gate_begin(arena, &context, &envelope);
	if (test->after_refusal) {
		struct smtp_reply_text unused;

		gate_own_domain_suspect(message, &unused);
	}
	if (gate_header(message, content, &err)) {
		keeps = gate_keeps_body(message);
		needs = gate_needs_body(message);
		gate_body(message,
		    slice_from_pos(content, gate_body_offset(message)));
	} else {
		struct smtp_reply_text refusal = gate_reply_for_error(
		    arena, &err);

		gate_refuse(message, SLICE("limits"), &refusal);
	}
	decision = gate_decide(message, content);
	different = difference(arena, test, message);
	/* What was let go would be missing now. */
	if ((!keeps && decision->verdict == VERDICT_QUARANTINE) ||
	    (!needs && decision->verdict != VERDICT_REJECT))
		different = "whether its body is needed";
	if (different)
		fprintf(stderr, "%s: %s is another\n%.*s\n%.*s\n", test->what,
		    different, SLICE_ARGS(gate_json(message)),
		    SLICE_ARGS(handed_on(arena, message)));
	dns_resolver_release(context.resolver);
	config_release(context.config);
	arena_free(arena);
	return !different;
}

void judge_all(const struct judge_case *tests, size_t count)
{
	size_t failed = 0;

	for (size_t i = 0; i < count; i++)
		failed += !judge_run(&tests[i]);
	assert_int_equal(failed, 0);
}
