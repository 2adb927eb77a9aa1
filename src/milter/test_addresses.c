/* SPDX-License-Identifier: Apache-2.0 */
/* Whom MAIL and RCPT name, with and without the MTA's macros. */
#include "milter/test_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"

#define OURS "from director@agency.example to user@agency.example."
#define MANY "the sender is no address that all read alike"
#define LOCAL "the mail server takes the sender for one of its own"

/* MAIL's argument, {mail_addr} (NULL: there is none), and whose mail it is, or
 * the words of a refusal.  A reply's '%' is doubled for the MTA. */
static const struct {
	const char *given, *resolved, *heard;
} senders[] = {
    /* What is an address means the same to everybody. */
    {"<a@b.example>", NULL, "from a@b.example to user@agency.example."},
    {"<a@b.example>", "", "from a@b.example to user@agency.example."},
    {"<A@B.Example>", "a@b.example",
	"from A@B.Example to user@agency.example."},
    {"a@b.example", "a@b.example", "from a@b.example to user@agency.example."},
    {"<@x.example:a@b.example>", "a@b.example",
	"from a@b.example to user@agency.example."},
    {"<a@[192.0.2.1]>", "a@[192.0.2.1]",
	"from a@[192.0.2.1] to user@agency.example."},
    {"<>", NULL, "from  to user@agency.example."},
    {"<>", "", "from  to user@agency.example."},
    {"<>", "<>", "from  to user@agency.example."},
    /* Some mailboxes are called so. */
    {"<a..b@b.example>", NULL, "from a..b@b.example to user@agency.example."},
    {"<a.@b.example>", "a.@b.example",
	"from a.@b.example to user@agency.example."},
    {"<a..b@agency.example>", NULL,
	"from a..b@agency.example to user@agency.example."},
    /* What is not, means what the MTA makes of it. */
    {"<director@(x)agency.example>", "director@agency.example", OURS},
    {"<director@agency(x).example>", "director@agency.example", OURS},
    {"<director@agency.example(x)>", "director@agency.example", OURS},
    {"<director @ agency.example>", "director@agency.example", OURS},
    {"<<director@agency.example>>", "director@agency.example", OURS},
    {"<director>", "director@agency.example", OURS},
    {"<>", "director@agency.example", OURS},
    {"<@evil.example:director>", "director@agency.example", OURS},
    {"<\\22director@agency.example\\22>", "director@agency.example", OURS},
    {"<director@\\22agency.example\\22>", "director@agency.example", OURS},
    {"<director@\\5cagency.example>", "director@agency.example", OURS},
    {"<director@agency.example.>", "director@agency.example", OURS},
    {"<a..b@b.example>", "\\22a..b\\22@b.example",
	"from a..b@b.example to user@agency.example."},
    /* Unless it may deliver another than it resolves. */
    {"<director%agency.example>", "director@agency.example", MANY},
    {"<agency.example!director>", "director@agency.example", MANY},
    {"<a%b.example@(x)agency.example>", "a@b.example", MANY},
    {"<a%b.example@agency.example(@b.example>", "a@b.example", MANY},
    {"<\\22a@b.example\\22@(x)agency.example>", "a@b.example", MANY},
    {"<director@\\22agency.example\\22>", "director@\\22agency.example\\22",
	MANY},
    {"<director@(x)agency.example>", "director", MANY},
    {"<@agency.example>", "", MANY},
    /* Ours remains ours where the MTA has mailboxes for it. */
    {"<director@agency.example>", "director", OURS},
    {"<director@AGENCY.example>", "a@b.example",
	"from director@AGENCY.example to user@agency.example."},
    {"<a%b.example@agency.example>", "a@b.example",
	"from a%%b.example@agency.example to user@agency.example."},
    {"<a@below.agency.example>", "a@b.example",
	"from a@below.agency.example to user@agency.example."},
    /* An alias in DNS, or half a name, that the MTA replaces. */
    {"<director@alias.example>", "director@agency.example", OURS},
    {"<director@alias.example>", "director@agency.example.", OURS},
    {"<director@agency>", "director@agency.example", OURS},
    {"<director@alias.example>", "director", LOCAL},
    {"<director@alias.example>", "agency.example!director", LOCAL},
    /* An MTA that does not tell. */
    {"<director@(x)agency.example>", NULL, MANY},
    {"<director@agency(x).example>", NULL, MANY},
    {"<director@agency.example(x)>", NULL, MANY},
    {"<director @ agency.example>", NULL, MANY},
    {"<<director@agency.example>>", NULL, MANY},
    {"<director>", NULL, MANY},
    {"<@evil.example:director>", NULL, MANY},
    {"<\\22director@agency.example\\22>", NULL, MANY},
    {"<director@\\22agency.example\\22>", NULL, MANY},
    {"<director@\\5cagency.example>", NULL, MANY},
    {"<director%agency.example>", NULL, MANY},
    {"<agency.example!director>", NULL, MANY},
    {"<director@>", NULL, MANY},
    {"<@agency.example(:a@b.example>", NULL, MANY},
    {"<@x.example:@y.example:a@b.example>", NULL, MANY},
    {"<a@b.example,director@agency.example>", NULL, MANY},
};

static const char *sender_script(struct arena *arena, size_t i)
{
	const char *resolved = senders[i].resolved;
	bool taken = slice_starts(slice_from(senders[i].heard), SLICE("from "));

	return arena_format(arena,
	    AGREE_6 CLIENT ">DM%s%s%s\n>M%s|\n>R<user@agency.example>|\n"
			   ">LX-Envelope| addresses|\n"
			   ">LX-Verdict| reject|\n>N\n>E\n<y550 %s %s|\n%%",
	    resolved ? "{mail_addr}|" : "", resolved ? resolved : "",
	    resolved ? "|" : "", senders[i].given, taken ? "5.7.1" : "5.1.7",
	    senders[i].heard);
}

static void test_senders(void **state)
{
	struct slice domain = SLICE("agency.example");

	(void)state;
	for (size_t i = 0; i < sizeof(senders) / sizeof(*senders); i++) {
		struct arena *arena = arena_new(0);
		struct conf_text_list before;
		struct stage stage;

		print_message("%s, %s\n", senders[i].given,
		    senders[i].resolved ? senders[i].resolved : "none");
		stage_open(&stage);
		before = stage.config->accepted_domains;
		stage.config->accepted_domains = (struct conf_text_list){
		    1, &domain};
		stage.config->accepted_subdomains = true;
		stage_play(&stage, sender_script(arena, i));
		stage.config->accepted_domains = before;
		stage_close(&stage);
		arena_free(arena);
	}
}

struct row {
	const char *given, *macros, *heard;
};

static void play(const char *script)
{
	struct stage stage;

	stage_open(&stage);
	stage_play(&stage, script);
	stage_close(&stage);
}

/* Of our own systems everything is taken: a job's "<root>", say. */
static void test_senders_within(void **state)
{
	static const struct row rows[] = {
	    {"<root>", "", "root"},
	    {"<root>", "{mail_addr}|root@agency.example|",
		"root@agency.example"},
	    {"<root%agency.example>", "{mail_addr}|root@agency.example|",
		"root@agency.example"},
	    {"<root@(x)agency.example>", "{mail_addr}|root|", "root"},
	    {"<root@(x)agency.example>", "", "root@(x)agency.example"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct arena *arena = arena_new(0);

		print_message("%s, %s\n", rows[i].given, rows[i].macros);
		play(arena_format(arena,
		    AGREE_6 CLIENT
		    ">DM{auth_authen}|ann|%s\n>M%s|\n"
		    ">R<user@agency.example>|\n"
		    ">LX-Envelope| addresses|\n>LX-Verdict| reject|\n>N\n"
		    ">E\n<y550 5.7.1 from %s to user@agency.example.|\n%%",
		    rows[i].macros, rows[i].given, rows[i].heard));
		arena_free(arena);
	}
}

/* A sender is not the next message's. */
static void test_next_sender(void **state)
{
	(void)state;
	play(AGREE_6 CLIENT
	    ">DM{mail_addr}|a@b.example|\n>M<a@(x)b.example>|\n"
	    ">R<user@agency.example>|\n>LFrom| x|\n>N\n>E\n<c\n"
	    ">M<a@(x)b.example>|\n>R<user@agency.example>|\n>N\n>E\n<y550 "
	    "5.1.7 " MANY "|\n%\n" ENVELOPE ">LFrom| x|\n>N\n>E\n<c\n%");
}

/* A recipient is removed by what the MTA called him, whoever that is; and what
 * was told of one is not another's. */
static void test_recipients(void **state)
{
	static const struct row rows[] = {
	    {"<u@x.example>", "{rcpt_addr}|u@y.example|", "u@x.example"},
	    {"<u@x.example>", "{rcpt_addr}|u|", "u@x.example"},
	    {"<u@(x)x.example>", "{rcpt_addr}|u@x.example|", "u@x.example"},
	    {"<u>", "{rcpt_addr}|u@x.example|", "u@x.example"},
	    {"<u@(x)x.example>", "{rcpt_addr}|u|", "u@(x)x.example"},
	    {"<u@(x)x.example>", "", "u@(x)x.example"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct arena *arena = arena_new(0);

		print_message("%s, %s\n", rows[i].given, rows[i].macros);
		play(arena_format(arena,
		    AGREE_6 CLIENT
		    ">M<a@b.example>|\n>DR%s\n>R%s|\n>R<v>|\n"
		    ">LX-Envelope| addresses|\n>LX-Verdict| reject|\n>N\n"
		    ">E\n<y550 5.7.1 from a@b.example to %s v.|\n%%\n"
		    ">M<a@b.example>|\n>DR%s\n>R%s|\n>R<v>|\n"
		    ">LX-Remove| 1|\n>LX-Remove| 0|\n"
		    ">LX-Add| new@x.example|\n>N\n>E\n"
		    "<-<v>|\n<-%s|\n<+<new@x.example>|\n<c\n%%",
		    rows[i].macros, rows[i].given, rows[i].heard,
		    rows[i].macros, rows[i].given, rows[i].given));
		arena_free(arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_senders),
	    cmocka_unit_test(test_senders_within),
	    cmocka_unit_test(test_next_sender),
	    cmocka_unit_test(test_recipients),
	};

	log_setup(LOG_ERROR, LOG_FORMAT_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
