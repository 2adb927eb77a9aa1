/* SPDX-License-Identifier: Apache-2.0 */
/* Signed messages of three other projects, with the result each must have. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "auth/test_reference.h"
#include "auth/test_signer.h"
#include "base/io.h"
#include "dns/resolver.h"

enum { FILE_MAX = 1 << 20, RESULTS_MAX = 3 };

static const struct {
	const char *zone, *message;
	size_t count;
	enum dkim_result results[RESULTS_MAX];
} cases[] = {
    {"mail-auth/001.zone", "mail-auth/001.eml", 2, {DKIM_PASS, DKIM_PASS}},
    {"mail-auth/002.zone", "mail-auth/002.eml", 1, {DKIM_PASS}},
    {"mail-auth/003.zone", "mail-auth/003.eml", 2, {DKIM_PASS, DKIM_PASS}},
    {"go-msgauth/go-msgauth.zone", "go-msgauth/verifiedMailString.eml", 1,
	{DKIM_PASS}},
    {"go-msgauth/go-msgauth.zone", "go-msgauth/verifiedEd25519MailString.eml",
	2, {DKIM_PASS, DKIM_PASS}},
    /* The key is a bare RSAPublicKey. */
    {"go-msgauth/go-msgauth.zone", "go-msgauth/verifiedRawRSAMailString.eml", 1,
	{DKIM_PASS}},
    {"go-msgauth/go-msgauth.zone", "go-msgauth/unsignedMailString.eml", 0, {0}},
    /* The same signature three times: under the limit here, and good. */
    {"go-msgauth/go-msgauth.zone", "go-msgauth/tooManySignaturesMailString.eml",
	3, {DKIM_PASS, DKIM_PASS, DKIM_PASS}},
    {"dkimpy/dkimpy.zone", "dkimpy/rfc6376.signed.msg", 2,
	{DKIM_PASS, DKIM_PASS}},
    {"dkimpy/dkimpy.zone", "dkimpy/rfc6376.signed.rsa.msg", 1, {DKIM_PASS}},
    /* No key in the zone. */
    {"dkimpy/dkimpy.zone", "dkimpy/ed25519test2.msg", 1, {DKIM_PERMERROR}},
    {"dkimpy/dkimpy.zone", "dkimpy/test2.message", 1, {DKIM_PERMERROR}},
    /* d=legitimate.com(.attacker.com: no domain name. */
    {"dkimpy/dkimpy.zone", "dkimpy/test.message.baddomain", 1, {DKIM_NEUTRAL}},
    {"dkimpy/dkimpy.zone", "dkimpy/ed25519test.msg", 0, {0}},
    {"dkimpy/dkimpy.zone", "dkimpy/rfc6376.msg", 0, {0}},
    {"dkimpy/dkimpy.zone", "dkimpy/rfc6376.w1258.msg", 0, {0}},
    {"dkimpy/dkimpy.zone", "dkimpy/test.message", 0, {0}},
    {"dkimpy/dkimpy.zone", "dkimpy/test_extra.message", 0, {0}},
    {"dkimpy/dkimpy.zone", "dkimpy/test_nofrom.message", 0, {0}},
    {"dkimpy/dkimpy.zone", "dkimpy/message.mbox", 1, {DKIM_PERMERROR}},
};

static struct slice read_file(
    struct arena *arena, const char *folder, const char *name)
{
	const char *path = arena_format(arena, "%s/dkim/%s", folder, name);
	struct slice text;
	struct err err;

	if (!io_read_file(arena, path, FILE_MAX, &text, &err)) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	return text;
}

static bool run_case(const char *folder, size_t number, size_t piece)
{
	struct arena *arena = arena_new(0);
	struct slice message = read_file(arena, folder, cases[number].message);
	struct test_run run = {
	    .zone = read_file(arena, folder, cases[number].zone),
	    .message = test_reference_crlf(arena, message),
	    .piece = piece,
	};
	bool good;

	test_verify(arena, &run);
	good = run.count == cases[number].count;
	for (size_t i = 0; good && i < run.count; i++)
		good = run.dkim[i].result == cases[number].results[i];
	if (!good)
		for (size_t i = 0; i < run.count; i++)
			fprintf(stderr,
			    "FAILED %s: signature %zu of %zu: %s (%.*s)\n",
			    cases[number].message, i + 1, run.count,
			    dkim_result_name(run.dkim[i].result),
			    SLICE_ARGS(run.dkim[i].reason));
	arena_free(arena);
	return good;
}

int main(void)
{
	const char *folder = getenv("GATEHOUSE_TESTDATA");
	const char *zone = "/dkim/mail-auth/001.zone";
	size_t passed = 0, failed = 0;
	char path[4096];

	snprintf(path, sizeof(path), "%s%s", folder ? folder : "", zone);
	if (!folder || access(path, R_OK) != 0) {
		fprintf(stderr, "MISSING TEST DATA: %s\n", path);
		return 77;
	}
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (run_case(folder, i, 0) && run_case(folder, i, 1))
			passed++;
		else
			failed++;
	}
	printf("DKIM messages: %zu passed, %zu failed\n", passed, failed);
	return failed ? 1 : 0;
}
