/* SPDX-License-Identifier: Apache-2.0 */
/* For what the body is needed, before and after DNS has answered. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "gate/gate_private.h"
#include "gate/test_stage.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

#define REST                                                                   \
	"To: user@agency.example\r\nSubject: s\r\nMessage-ID: "                \
	"<1@x.example>\r\n"                                                    \
	"Date: Fri, 1 Jan 2027 00:00:00 +0000\r\n\r\n"
#define LOOP "X-Gatehouse-Loop: mx1.agency.example\r\n"

static bool has(struct slice text, const char *part)
{
	return slice_find_slice(text, slice_from(part)) < text.len;
}

/* Whether a body must be kept, and whether it must come at all, once the header
 * is there and DNS has answered. */
static const struct {
	const char *name, *header;
	struct stage_input input;
	bool mta_holds, keeps, needs;
} bodies[] = {
    {"p=quarantine", "From: a@quarantine.example\r\n" REST, {0}, false, true,
	true},
    {"below it", "From: a@x.quarantine.example\r\n" REST, {0}, false, true,
	true},
    {"p=reject", "From: a@bank.example\r\n" REST, {0}, false, false, true},
    {"p=none", "From: a@monitor.example\r\n" REST, {0}, false, false, true},
    {"no record", "From: a@plain.example\r\n" REST, {0}, false, false, true},
    {"p=reject; t=y", "From: a@trial.example\r\n" REST, {0}, false, true, true},
    {"p=quarantine; t=y", "From: a@trialq.example\r\n" REST, {0}, false, false,
	true},
    {"no answer", "From: a@down.example\r\n" REST, {0}, false, false, true},
    {"two authors", "From: a@bank.example, b@quarantine.example\r\n" REST, {0},
	false, true, true},
    {"one From:, none in it", "From: \r\n" REST, {0}, false, false, false},
    {"no From:", REST, {0}, false, false, false},
    {"no From:, only reported", REST,
	{.config = AUTHENTICATION("malformed: report")}, false, false, true},
    {"no From:, from a user", REST, {.user = "ceo"}, false, false, true},
    {"a loop", LOOP LOOP LOOP LOOP LOOP "From: a@quarantine.example\r\n" REST,
	{0}, false, false, false},
    {"the MTA holds", "From: a@quarantine.example\r\n" REST, {0}, true, false,
	true},
    {"a field instead", "From: a@quarantine.example\r\n" REST,
	{.config = AUTHENTICATION("dmarc: {quarantine_action: junk_header}")},
	false, false, true},
    {"only reported", "From: a@quarantine.example\r\n" REST,
	{.config = AUTHENTICATION("dmarc: {enforce: false}")}, false, false,
	true},
    {"from a user", "From: a@quarantine.example\r\n" REST, {.user = "ceo"},
	false, false, true},
};

static void test_body_need(void **state)
{
	static const char body[] = "body\r\n";

	(void)state;
	for (size_t i = 0; i < COUNT(bodies); i++) {
		struct slice header = slice_from(bodies[i].header), whole;
		struct stage_input input = bodies[i].input;
		const struct decision *decision;
		struct gate_message *message;
		struct stage stage;
		bool keeps, needs;

		input.ip = STRANGER;
		input.mail_from = BOUNCE;
		stage_set(&stage, &input);
		message = gate_begin(
		    stage.arena, &stage.context, &stage.envelope);
		if (bodies[i].mta_holds)
			gate_mta_holds(message);
		assert_true(gate_header(message, header, NULL));
		keeps = gate_keeps_body(message);
		needs = gate_needs_body(message);
		if (keeps != bodies[i].keeps || needs != bodies[i].needs)
			fail_msg("%s: keeps %d, needs %d", bodies[i].name,
			    keeps, needs);
		whole = arena_format_slice(
		    stage.arena, "%s%s", bodies[i].header, body);
		if (needs)
			gate_body(message, slice_from(body));
		else
			gate_skip_body(message);
		decision = gate_decide(message, keeps ? whole : header);
		if (!keeps && !bodies[i].mta_holds)
			assert_int_not_equal(
			    decision->verdict, VERDICT_QUARANTINE);
		if (!needs) {
			assert_int_equal(decision->verdict, VERDICT_REJECT);
			/* Signatures were not looked at: not even "none". */
			assert_false(has(gate_json(message), "dkim=none"));
			assert_false(has(gate_json(message), "arc=none"));
		}
		assert_true(has(gate_json(message),
		    arena_format(stage.arena, "\"size\":%zu",
			needs ? whole.len : header.len)));
		stage_clear(&stage);
	}
}

/* A name server that answers when it is told to, and the message that waits. */
struct late {
	int fd;
	uint16_t port;
	const char *record; /* at _dmarc.late.example; NULL: no such name */
	struct stage stage;
	struct gate_message *message;
};

static void listen_late(struct late *late)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	struct sockaddr *any = (struct sockaddr *)&address;

	late->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(late->fd, any, size), 0);
	assert_int_equal(getsockname(late->fd, any, &size), 0);
	late->port = ntohs(address.sin_port);
}

static struct dns_resolver *open_late(const struct late *late)
{
	struct dns_resolver *resolver = NULL;
	struct dns_settings settings = {
	    .server_count = 1,
	    .server_ports = &late->port,
	    .query_timeout_ms = 20 * 1000,
	};
	struct ip loopback;
	struct err err;

	assert_true(ip_parse(SLICE("127.0.0.1"), &loopback));
	settings.servers = &loopback;
	if (!dns_resolver_open(&settings, &resolver, &err))
		fail_msg("%s", err.text);
	return resolver;
}

/* What has been asked so far; nothing but the record exists. */
static void answer_late(const struct late *late)
{
	enum { HEADER = 12, PACKET = 1500 };
	static const char name[] = "\6_dmarc\4late\7example";
	char packet[PACKET + 512];
	struct sockaddr_storage peer;
	socklen_t size = sizeof(peer);
	ssize_t got;

	while ((got = recvfrom(late->fd, packet, PACKET, MSG_DONTWAIT,
		    (struct sockaddr *)&peer, &size)) > HEADER) {
		size_t end = HEADER + strlen(packet + HEADER) + 5;
		bool there = late->record &&
			     slice_starts_nocase(
				 slice_of(packet + HEADER, end - HEADER),
				 slice_of(name, sizeof(name))) &&
			     packet[end - 3] == DNS_TXT;
		size_t len = there ? strlen(late->record) : 0;
		const char answer[] = {'\xc0', HEADER, 0, DNS_TXT, 0, 1, 0, 0,
		    1, 0, 0, (char)(len + 1), (char)len};

		packet[2] = (char)0x81;
		packet[3] = (char)(there ? 0x80 : 0x83);
		memcpy(packet + 4, "\0\1\0\0\0\0\0\0", 8);
		packet[7] = there;
		if (there) {
			memcpy(packet + end, answer, sizeof(answer));
			memcpy(
			    packet + end + sizeof(answer), late->record, len);
			end += sizeof(answer) + len;
		}
		sendto(
		    late->fd, packet, end, 0, (struct sockaddr *)&peer, size);
	}
}

static void begin_late(
    struct late *late, const char *header, const struct stage_input *more)
{
	struct stage_input input = *more;

	input.ip = STRANGER;
	input.mail_from = BOUNCE;
	listen_late(late);
	stage_set(&late->stage, &input);
	dns_resolver_release(late->stage.context.resolver);
	late->stage.context.resolver = open_late(late);
	late->message = gate_begin(
	    late->stage.arena, &late->stage.context, &late->stage.envelope);
	assert_true(gate_header(late->message, slice_from(header), NULL));
}

static void end_late(struct late *late)
{
	stage_clear(&late->stage);
	close(late->fd);
}

/* Until the answer is known: is the body kept then? */
static bool keeps_at_last(const struct late *late)
{
	for (int i = 0; i < 1000; i++) {
		bool keeps = gate_keeps_body(late->message);

		if (late->message->keep_known)
			return keeps;
		assert_true(keeps);
		answer_late(late);
		usleep(10 * 1000);
	}
	fail_msg("it is never known");
	return false;
}

/* As long as DNS has not answered, the message may yet be quarantined; nobody
 * waits for it, and what is known without DNS is known at once. */
static void test_unanswered(void **state)
{
	static const struct {
		const char *name, *header, *record;
		struct stage_input input;
		bool known, keeps, at_last;
	} rows[] = {
	    {"p=reject", "From: a@late.example\r\n" REST, "v=DMARC1; p=reject",
		{0}, false, true, false},
	    {"p=none", "From: a@late.example\r\n" REST, "v=DMARC1; p=none", {0},
		false, true, false},
	    {"p=quarantine", "From: a@late.example\r\n" REST,
		"v=DMARC1; p=quarantine", {0}, false, true, true},
	    {"of the domain above", "From: a@x.late.example\r\n" REST,
		"v=DMARC1; p=none; sp=quarantine", {0}, false, true, true},
	    {"no record", "From: a@late.example\r\n" REST, NULL, {0}, false,
		true, false},
	    {"two authors", "From: a@other.example, b@late.example\r\n" REST,
		"v=DMARC1; p=quarantine", {0}, false, true, true},
	    {"two that do not",
		"From: a@late.example, b@other.example\r\n" REST,
		"v=DMARC1; p=reject", {0}, false, true, false},
	    {"the header settles it", REST, NULL, {0}, true, false, false},
	    {"from a user", "From: a@late.example\r\n" REST, NULL,
		{.user = "ceo"}, true, false, false},
	    {"a field instead", "From: a@late.example\r\n" REST, NULL,
		{.config = AUTHENTICATION(
		     "dmarc: {quarantine_action: junk_header}")},
		true, false, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct late late = {.record = rows[i].record};
		bool keeps, known;

		begin_late(&late, rows[i].header, &rows[i].input);
		keeps = gate_keeps_body(late.message);
		known = late.message->keep_known;
		if (keeps != rows[i].keeps || known != rows[i].known)
			fail_msg("%s: keeps %d, known %d", rows[i].name, keeps,
			    known);
		if (keeps_at_last(&late) != rows[i].at_last)
			fail_msg("%s: not so at last", rows[i].name);
		end_late(&late);
	}
}

/* An answer that is known stays: the spool has acted on it.  One that is not is
 * asked for again. */
static void test_known_stays(void **state)
{
	static const char header[] = "From: a@late.example\r\n" REST;
	struct late late = {.record = "v=DMARC1; p=quarantine"};

	(void)state;
	begin_late(&late, header, &(struct stage_input){0});
	assert_true(gate_keeps_body(late.message));
	gate_mta_holds(late.message);
	assert_false(gate_keeps_body(late.message));
	late.message->mta_holds = false;
	assert_false(gate_keeps_body(late.message));
	end_late(&late);
	begin_late(&late, header, &(struct stage_input){0});
	assert_true(keeps_at_last(&late));
	gate_mta_holds(late.message);
	assert_true(gate_keeps_body(late.message));
	end_late(&late);
}

/* Who asks for the parts wants the body, whatever DNS will say. */
static void test_inspected(void **state)
{
	struct late late = {0};

	(void)state;
	begin_late(&late, "From: a@late.example\r\n" REST,
	    &(struct stage_input){.user = "ceo"});
	late.stage.context.inspect_content = true;
	assert_true(gate_keeps_body(late.message));
	assert_true(late.message->keep_known);
	end_late(&late);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_body_need),
	    cmocka_unit_test(test_unanswered),
	    cmocka_unit_test(test_known_stays),
	    cmocka_unit_test(test_inspected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
