/* SPDX-License-Identifier: Apache-2.0 */
/* What the gate hears of a client: of names and certificates only those that
 * the MTA has verified, as Postfix and as Sendmail tell it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "milter/test_stage.h"

static const struct {
	const char *name;   /* of SMFIC_CONNECT */
	const char *macros; /* of MAIL: "name|value|" */
	const char *heard;
} cases[] = {
    {"mail.example", "", "name mail.example, helo h.example,  , certificate ,"},
    {"[192.0.2.1]", "", "name , helo"},
    {"unknown", "", "name , helo"},
    {"UNKNOWN", "", "name , helo"},
    {"", "", "name , helo"},
    /* Sendmail gives a name that it could not verify. */
    {"mail.example", "{client_resolve}|OK|", "name mail.example, helo"},
    {"mail.example", "{client_resolve}|FAIL|", "name , helo"},
    {"mail.example", "{client_resolve}|FORGED|", "name , helo"},
    {"mail.example", "{client_resolve}|TEMP|", "name unknown for now, helo"},
    /* The connection; the user. */
    {"m", "{tls_version}|TLSv1.3|{cipher}|AES|",
	"name m, helo h.example, tls TLSv1.3 AES, certificate , user  "},
    {"m", "{auth_authen}|ceo|{auth_type}|PLAIN|",
	"name m, helo h.example,  , certificate , user ceo PLAIN"},
    /* Postfix tells of no certificate that it does not trust. */
    {"m", "{cert_subject}|c.example|",
	"name m, helo h.example,  , certificate c.example,"},
    /* Sendmail tells of any, and how good it is. */
    {"m", "{verify}|OK|{cn_subject}|c.example|",
	"name m, helo h.example,  , certificate c.example,"},
    {"m", "{verify}|OK|{cert_subject}|/C=AU/CN=c.example|",
	"name m, helo h.example,  , certificate c.example,"},
    {"m", "{verify}|OK|{cert_subject}|/C=AU/CN=c.example/O=x|",
	"name m, helo h.example,  , certificate c.example,"},
    {"m", "{verify}|OK|{cn_subject}|c.example|{cert_subject}|/CN=d.example|",
	"name m, helo h.example,  , certificate c.example,"},
    /* Which of them is the name's, and which stands within another? */
    {"m", "{verify}|OK|{cert_subject}|/O=x/CN=c.example/CN=d.example|",
	"name m, helo h.example,  , certificate ,"},
    {"m", "{verify}|FAIL|{cn_subject}|c.example|{cert_subject}|/CN=c.example|",
	"name m, helo h.example,  , certificate ,"},
    {"m", "{verify}|NO|{cn_subject}|c.example|",
	"name m, helo h.example,  , certificate ,"},
    {"m", "{verify}|NONE|{cert_subject}|c.example|",
	"name m, helo h.example,  , certificate ,"},
    /* {verify} was not asked for: whether it is good is not known. */
    {"m", "{cn_subject}|c.example|",
	"name m, helo h.example,  , certificate ,"},
    {"m", "{cert_subject}|/C=AU/CN=c.example|",
	"name m, helo h.example,  , certificate ,"},
};

#define TELL ENVELOPE ">LX-Client| told|\n>LX-Verdict| reject|\n>N\n>E\n"

/* The words of the refusal begin so. */
static void expect_words(const char *script, const char *wanted)
{
	struct stage stage;
	struct slice heard;

	stage_open(&stage);
	stage_play(&stage, script);
	stage_hear(&stage);
	heard = slice_from_pos(buf_slice(&stage.heard), stage.read);
	heard = slice_from_pos(heard, strlen("1234y550 5.7.1 "));
	if (!slice_starts(heard, slice_from(wanted)))
		fail_msg("%s: %.*s", script, SLICE_ARGS(heard));
	stage_close(&stage);
}

static void test_clients(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct arena *arena = arena_new(0);

		expect_words(
		    arena_format(arena,
			AGREE_6
			">C%s|4|\\19192.0.2.1|\n>Hh.example|\n>DM%s\n" TELL,
			cases[i].name, cases[i].macros),
		    cases[i].heard);
		arena_free(arena);
	}
}

#define NOTHING_ELSE "helo ,  , certificate , user  , "
#define TO_US ", esmtp to milter mta."

/* What CONNECT and HELO tell; nothing of whoever came before over the same
 * connection of the MTA. */
static void test_connections(void **state)
{
	static const char *const before[] = {
	    AGREE_6,
	    AGREE_6 ">DC{client_resolve}|FORGED|\n>Cfirst.example|4|\\19"
		    "198.51.100.7|\n>DH{tls_version}|TLSv1.3|{cipher}|AES|\n"
		    ">Hfirst.example|\n>DM{auth_authen}|ceo|\n" ENVELOPE
		    ">LX-A| b|\n>N\n>E\n<c\n>K\n",
	};
	static const struct {
		const char *script, *heard;
	} rows[] = {
	    {">Ca.example|4|\\19"
	     "192.0.2.1|\n",
		"name a.example, " NOTHING_ELSE "at 192.0.2.1 25" TO_US},
	    {">Ca.example|6\\ff\\fe"
	     "2001:db8::1|\n",
		"name a.example, " NOTHING_ELSE "at 2001:db8::1 65534" TO_US},
	    /* The MTA's own host. */
	    {">Clocalhost|L||/run/x|\n",
		"name localhost, " NOTHING_ELSE "at 127.0.0.1 0" TO_US},
	    /* Nobody knows who. */
	    {">Ca.example|U\n",
		"name a.example, " NOTHING_ELSE "at unknown 0" TO_US},
	    {">Cunknown|4||unknown|\n",
		"name , " NOTHING_ELSE "at unknown 0" TO_US},
	    {">Cunknown|4||UNKNOWN|\n",
		"name , " NOTHING_ELSE "at unknown 0" TO_US},
	    /* The last HELO counts. */
	    {">Ca.example|U\n>Hb.example|\n>Hc.example|\n",
		"name a.example, helo c.example, "},
	};

	(void)state;
	for (size_t i = 0; i < 2; i++)
		for (size_t j = 0; j < sizeof(rows) / sizeof(*rows); j++) {
			struct arena *arena = arena_new(0);

			expect_words(arena_format(arena, "%s%s" TELL, before[i],
					 rows[j].script),
			    rows[j].heard);
			arena_free(arena);
		}
}

static const struct {
	const char *mail, *rcpt, *heard;
} envelopes[] = {
    {"", "", "size 0, ret , envid , notify , orcpt ."},
    {"SIZE=123|RET=HDRS|ENVID=e1|", "NOTIFY=NEVER|ORCPT=rfc822;x@y|",
	"size 123, ret HDRS, envid e1, notify NEVER, orcpt rfc822;x@y."},
    {"size=5|body=8bitmime|smtputf8|", "orcpt=a|",
	"smtputf8, 8bitmime, size 5, ret , envid , notify , orcpt a."},
    {"BODY=7BIT|SIZE=many|OTHER=1|", "OTHER=NEVER|",
	"size 0, ret , envid , notify , orcpt ."},
};

static void test_envelopes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(envelopes) / sizeof(*envelopes); i++) {
		struct arena *arena = arena_new(0);
		struct stage stage;

		stage_open(&stage);
		stage_play(&stage,
		    arena_format(arena,
			AGREE_6 CLIENT
			">M<a@b.example>|%s\n>R<user@agency.example>|%s\n"
			">LX-Envelope| told|\n>LX-Verdict| reject|\n>N\n>E\n"
			"<y550 5.7.1 %s|\n%%",
			envelopes[i].mail, envelopes[i].rcpt,
			envelopes[i].heard));
		stage_close(&stage);
		arena_free(arena);
	}
}

/* The last that was told before the end. */
static void test_queue_id(void **state)
{
	static const struct {
		const char *at_mail, *at_end, *heard;
	} rows[] = {
	    {"", "", "orcpt ."},
	    {">DMi|4ABC|\n", "", "orcpt , queue 4ABC."},
	    {">DMi|4ABC|\n", ">DEi|4DEF|\n", "orcpt , queue 4DEF."},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct arena *arena = arena_new(0);

		expect_words(
		    arena_format(arena,
			AGREE_6 CLIENT "%s" ENVELOPE ">LX-Envelope| told|\n"
				       ">LX-Verdict| reject|\n>N\n"
				       "%s>E\n",
			rows[i].at_mail, rows[i].at_end),
		    arena_format(arena, "size 0, ret , envid , notify , %s",
			rows[i].heard));
		arena_free(arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_clients),
	    cmocka_unit_test(test_connections),
	    cmocka_unit_test(test_envelopes),
	    cmocka_unit_test(test_queue_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
