/* SPDX-License-Identifier: Apache-2.0 */
/* What is told of a message: the facts as JSON, and its row in the store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gate/gate_private.h"
#include "gate/test_stage.h"

static const char rich[] =
    "X-MS-Exchange-Organization-SCL: -1\r\n"
    "From: A <a@plain.example>, b@monitor.example\r\n"
    "To: user@agency.example\r\n"
    "Subject: =?utf-8?q?caf=C3=A9?=\r\n"
    " au lait\r\n"
    "Date: Sun, 31 Jan 2027 10:00:00 +0000\r\n"
    "Message-ID: <1@x.example>\r\n"
    "MIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=b\r\n"
    "\r\n"
    "--b\r\n"
    "Content-Type: text/plain\r\n"
    "\r\n"
    "three words here\r\n"
    "--b\r\n"
    "Content-Type: application/octet-stream; name=\"a.bin\"\r\n"
    "\r\n"
    "0123456789\r\n"
    "--b--\r\n";

/* With ' for ". */
/* clang-format off */
static const char rich_facts[] =
    "{'id':'0000000000000001',"
    "'verdict':'accept',"
    "'smtp_reply':'250 2.0.0 accepted',"
    "'policy':'',"
    "'reason':'',"
    "'client':{'ip':'192.0.2.77','name':'name.example','helo':'h.example','listener':'mx','tls':'TLSv1.3',"
    "'authenticated_as':'','connector':'Scanner','expired_connector':'','in_organization':false},"
    "'mail_from':'bounce@host.example',"
    "'spf':{'result':'fail','domain':'host.example','identity':'mailfrom','explanation':'explained',"
    "'problem':'spf problem','mechanism':'all','dns_lookups':0},"
    "'spf_helo':{'result':'none','domain':'h.example','identity':'helo','explanation':'','problem':'',"
    "'mechanism':'','dns_lookups':0},"
    "'dkim':[{'result':'policy','domain':'a.example','selector':'s','algorithm':'rsa-sha256','identity':'@a.example',"
    "'reason':'too short','key_bits':512,'testing':true,'body_length_limited':false},{'result':'pass','domain':'b.example',"
    "'selector':'','algorithm':'','identity':'','reason':'','key_bits':0,'testing':false,'body_length_limited':true}],"
    "'arc':{'result':'pass','sets':3,'oldest_pass':2,'sealer':'l.example','reason':'why'},"
    "'dmarc':{'result':'fail','from_domain':'monitor.example','policy':'none','applied_policy':'none','policy_domain':'monitor.example',"
    "'organizational_domain':'monitor.example','spf_aligned':true,'dkim_aligned':true,'testing':false,'record':'v=DMARC1; p=none',"
    "'problem':'','reason':'neither SPF nor DKIM passed for a domain aligned with monitor.example','override':'trusted'},"
    "'dmarc_of_each_author':[{'result':'none','from_domain':'plain.example','policy':'none','applied_policy':'none',"
    "'policy_domain':'','organizational_domain':'plain.example','spf_aligned':false,'dkim_aligned':false,'testing':false,"
    "'record':'','problem':'','reason':'no DMARC record applies to plain.example','override':'trusted'},"
    "{'result':'fail','from_domain':'monitor.example','policy':'none','applied_policy':'none','policy_domain':'monitor.example',"
    "'organizational_domain':'monitor.example','spf_aligned':true,'dkim_aligned':true,'testing':false,'record':'v=DMARC1; p=none',"
    "'problem':'','reason':'neither SPF nor DKIM passed for a domain aligned with monitor.example','override':'trusted'}],"
    "'own_domain':{'result':'exempt','domain':'agency.example','reason':'may'},"
    "'authentication_results':'mx1.agency.example; spf=fail (sender IP is 192.0.2.77) smtp.mailfrom=bounce@host.example; spf=none (sender IP is "
    "192.0.2.77) smtp.helo=h.example; dkim=none; arc=none; dmarc=none reason=\\'no DMARC record applies to plain.example\\' "
    "header.from=plain.example; dmarc=fail (p=none dis=none) reason=\\'neither SPF nor DKIM passed for a domain aligned with monitor.example\\' "
    "header.from=monitor.example policy.dmarc=none',"
    "'message':{'malformed':['from-several-addresses'],'from':['a@plain.example','b@monitor.example'],"
    "'size':410,'message_id':'<1@x.example>','subject':'caf\xc3\xa9 au lait','date':'Sun, 31 Jan 2027 10:00:00 +0000',"
    "'parts':[{'path':'0','type':'multipart/mixed','name':'','size':131,'text_words':0},{'path':'1','type':'text/plain',"
    "'name':'','size':16,'text_words':3},{'path':'2','type':'application/octet-stream','name':'a.bin','size':10,"
    "'text_words':0}]},"
    "'markings':[],"
    "'labels':[],"
    "'sensitive_information':[],"
    "'rules':[],"
    "'steps':[{'policy':'line-ends','matched':false},{'policy':'loop','matched':false},{'policy':'malformed',"
    "'matched':false},{'policy':'own-domain','matched':false},{'policy':'several-authors','matched':false},"
    "{'policy':'dmarc','matched':false}],"
    "'recipients':[{'address':'user@agency.example','verdict':'accept'},{'address':'other@agency.example',"
    "'verdict':'reject'}],"
    "'headers':{'added':['Authentication-Results: mx1.agency.example;\\r\\n\\tspf=fail (sender IP is 192.0.2.77) "
    "smtp.mailfrom=bounce@host.example;\\r\\n\\tspf=none (sender IP is 192.0.2.77) "
    "smtp.helo=h.example;\\r\\n\\tdkim=none;\\r\\n\\tarc=none;\\r\\n\\tdmarc=none reason=\\'no DMARC record applies to "
    "plain.example\\'\\r\\n\\theader.from=plain.example;\\r\\n\\tdmarc=fail (p=none dis=none)\\r\\n\\treason=\\'neither SPF nor DKIM passed for a domain "
    "aligned with monitor.example\\'\\r\\n\\theader.from=monitor.example policy.dmarc=none',"
    "'X-Gatehouse-Loop: mx1.agency.example'],'removed':['X-MS-Exchange-Organization-SCL: -1']},"
    "'dns_queries':[{'name':'host.example','type':'TXT','rcode':'NOERROR'},{'name':'_dmarc.plain.example',"
    "'type':'TXT','rcode':'NXDOMAIN'},{'name':'_dmarc.example','type':'TXT','rcode':'NXDOMAIN'},"
    "{'name':'_dmarc.monitor.example','type':'TXT','rcode':'NOERROR'},{'name':'h.example','type':'TXT','rcode':'NXDOMAIN'}]}";

static const char poor_facts[] =
    "{'id':'0000000000000001',"
    "'verdict':'reject',"
    "'smtp_reply':'552 5.3.4 too big',"
    "'policy':'limits',"
    "'reason':'too big',"
    "'client':{'ip':'192.0.2.66','name':'','helo':'h.example','listener':'mx','tls':'','authenticated_as':'',"
    "'connector':'','expired_connector':'','in_organization':false},"
    "'mail_from':'bounce@host.example',"
    "'spf':{'result':'none','domain':'','identity':'mailfrom','explanation':'','problem':'','mechanism':'',"
    "'dns_lookups':0},"
    "'spf_helo':{'result':'none','domain':'','identity':'mailfrom','explanation':'','problem':'',"
    "'mechanism':'','dns_lookups':0},"
    "'dkim':[],"
    "'arc':{'result':'none','sets':0,'oldest_pass':0,'sealer':'','reason':''},"
    "'dmarc':{'result':'none','from_domain':'','policy':'none','applied_policy':'none','policy_domain':'',"
    "'organizational_domain':'','spf_aligned':false,'dkim_aligned':false,'testing':false,'record':'',"
    "'problem':'','reason':'','override':null},"
    "'own_domain':{'result':'none','domain':'','reason':''},"
    "'authentication_results':'mx1.agency.example; none',"
    "'message':{'malformed':[],'from':[],'size':0,'message_id':'','subject':'','date':'','parts':[]},"
    "'markings':[],"
    "'labels':[],"
    "'sensitive_information':[],"
    "'rules':[],"
    "'steps':[{'policy':'limits','matched':true,'enforced':true,'verdict':'reject','because':'too big'}],"
    "'recipients':[{'address':'user@agency.example','verdict':'reject'}],"
    "'headers':{'added':['Authentication-Results: mx1.agency.example; none','X-Gatehouse-Loop: mx1.agency.example'],"
    "'removed':[]},"
    "'dns_queries':[{'name':'host.example','type':'TXT','rcode':'UNUSED'}]}";
/* clang-format on */

/* As if it had signatures and more. */
static void add_outcomes(struct gate_message *message)
{
	static const struct slice signed_by = SLICE_INIT("a.example");
	struct dkim_outcome *dkim = ARENA_ARRAY(
	    message->arena, 2, struct dkim_outcome);

	dkim[0] = (struct dkim_outcome){
	    .result = DKIM_POLICY,
	    .domain = signed_by,
	    .selector = SLICE("s"),
	    .algorithm = SLICE("rsa-sha256"),
	    .identity = SLICE("@a.example"),
	    .reason = SLICE("too short"),
	    .key_bits = 512,
	    .testing = true,
	};
	dkim[1] = (struct dkim_outcome){
	    .result = DKIM_PASS,
	    .domain = SLICE("b.example"),
	    .body_length_limited = true,
	};
	message->dkim = dkim;
	message->dkim_count = 2;
	message->arc = (struct arc_outcome){
	    .result = ARC_PASS,
	    .sets = 3,
	    .oldest_pass = 2,
	    .sealer = SLICE("l.example"),
	    .reason = SLICE("why"),
	};
	message->spf.explanation = SLICE("explained");
	message->spf.problem = SLICE("spf problem");
	message->dmarc[1].spf_aligned = true;
	message->dmarc[1].dkim_aligned = true;
	message->override.applies = true;
	message->override.reason = SLICE("trusted");
	message->own_domain = (struct own_domain_outcome){
	    .result = OWN_DOMAIN_EXEMPT,
	    .domain = SLICE("agency.example"),
	    .reason = SLICE("may"),
	};
}

static struct gate_message *judge_rich(struct stage *stage)
{
	static const struct stage_input input = {
	    .ip = "192.0.2.77", .mail_from = BOUNCE, .helo = "h.example"};
	const struct envelope_recipient more = {
	    .address = SLICE("other@agency.example")};
	const struct smtp_reply_text reply = {
	    550, SLICE("5.1.1"), SLICE("no such user")};
	struct gate_message *message;
	size_t body;

	stage_set(stage, &input);
	envelope_add_recipient(stage->arena, &stage->envelope, &more);
	stage->client.name = SLICE("name.example");
	stage->client.tls = true;
	stage->client.tls_version = SLICE("TLSv1.3");
	stage->context.inspect_content = true;
	message = gate_begin(stage->arena, &stage->context, &stage->envelope);
	assert_true(gate_header(message, slice_from(rich), NULL));
	body = gate_body_offset(message);
	gate_body(message, slice_from(rich + body));
	gate_refuse_recipient(message, 1, &reply);
	gate_decide(message, slice_from(rich));
	add_outcomes(message);
	return message;
}

static void expect(struct gate_message *message, const char *wanted)
{
	char *text = arena_text(message->arena, gate_json(message));

	for (char *at = text; *at; at++)
		if (*at == '"')
			*at = '\'';
	assert_string_equal(text, wanted);
}

static void test_rich(void **state)
{
	struct stage stage;
	struct gate_message *message = judge_rich(&stage);

	(void)state;
	expect(message, rich_facts);
	stage_clear(&stage);
}

static void test_poor(void **state)
{
	struct stage_input input = {.ip = STRANGER, .mail_from = BOUNCE};
	struct smtp_reply_text reply = {552, SLICE("5.3.4"), SLICE("too big")};
	struct gate_message *message;
	struct stage stage;

	(void)state;
	stage_set(&stage, &input);
	message = gate_begin(stage.arena, &stage.context, &stage.envelope);
	gate_refuse(message, SLICE("limits"), &reply);
	gate_decide(message, SLICE(""));
	expect(message, poor_facts);
	stage_clear(&stage);
}

/* Who reads it instead, and what. */
static void test_changes(void **state)
{
	struct stage_input input = {.ip = STRANGER, .mail_from = BOUNCE};
	const struct envelope_recipient more = {
	    .address = SLICE("other@agency.example")};
	const struct envelope_recipient added = {
	    .address = SLICE("audit@agency.example")};
	struct gate_message *message;
	struct stage stage;
	struct slice facts;

	(void)state;
	stage_set(&stage, &input);
	stage.client.tls_version = SLICE("of no use without TLS");
	envelope_add_recipient(stage.arena, &stage.envelope, &more);
	message = gate_begin(stage.arena, &stage.context, &stage.envelope);
	assert_true(gate_header(message, slice_from(rich), NULL));
	gate_body(message, slice_from(rich + gate_body_offset(message)));
	message->content = slice_from(rich);
	recipient_edit_remove(
	    stage.arena, &message->decision.recipients, &stage.envelope, 0);
	assert_true(recipient_edit_add(stage.arena,
	    &message->decision.recipients, &stage.envelope, &added, NULL));
	assert_true(body_replace(message, SLICE("new\r\n"), NULL));
	gate_decide(message, slice_from(rich));
	facts = gate_json(message);
	assert_true(
	    slice_find_slice(facts,
		SLICE("\"recipient_changes\":{\"added\":["
		      "\"audit@agency.example\"],\"removed\":["
		      "\"user@agency.example\"]},\"body\":{"
		      "\"replaced\":true,\"size\":5},\"dns_queries\":")) <
	    facts.len);
	assert_true(slice_find_slice(facts, SLICE("\"tls\":\"\"")) < facts.len);
	/* Not asked for: nothing is looked into. */
	assert_true(slice_find_slice(facts, SLICE("\"parts\":[]")) < facts.len);
	stage_clear(&stage);
}

/* Faults that show only inside are those of the message too. */
static void test_inspected_faults(void **state)
{
	static const char text[] =
	    "From: a@plain.example\r\nTo: user@agency.example\r\n"
	    "MIME-Version: 1.0\r\nContent-Type: multipart/mixed\r\n\r\n"
	    "--b\r\n";
	struct stage_input input = {.ip = STRANGER, .mail_from = BOUNCE};
	struct gate_message *message;
	struct stage stage;
	size_t parts;

	(void)state;
	stage_set(&stage, &input);
	message = gate_begin(stage.arena, &stage.context, &stage.envelope);
	content_inspect(message); /* no header yet: nothing */
	assert_false(message->content_inspected);
	assert_true(gate_header(message, slice_from(text), NULL));
	gate_decide(message, slice_from(text));
	assert_false(faults_has(message->faults, FAULT_MIME_BOUNDARY_MISSING));
	content_inspect(message);
	assert_true(faults_has(message->faults, FAULT_MIME_BOUNDARY_MISSING));
	parts = message->part_count;
	message->part_count = 99;
	content_inspect(message); /* once */
	assert_int_equal(message->part_count, 99);
	assert_int_equal(parts, 1);
	stage_clear(&stage);
}

/* The row of the store: one word for all signatures, the worst
 * author's. */
static void test_trace(void **state)
{
	struct stage stage;
	struct gate_message *message = judge_rich(&stage);
	struct store_trace trace;

	(void)state;
	trace_fill(message, &trace);
	assert_true(slice_eq(trace.id, SLICE("0000000000000001")));
	assert_int_equal(trace.time_ms, stage.context.clock.fixed_at * 1000);
	assert_true(slice_eq(trace.message_id, SLICE("<1@x.example>")));
	assert_true(slice_eq(trace.listener, SLICE("mx")));
	assert_true(slice_eq(trace.client_ip, SLICE("192.0.2.77")));
	assert_true(slice_eq(trace.client_name, SLICE("name.example")));
	assert_true(slice_eq(trace.helo, SLICE("h.example")));
	assert_true(slice_eq(trace.sender, SLICE(BOUNCE)));
	assert_true(slice_eq(trace.header_from, SLICE("a@plain.example")));
	assert_true(slice_eq(trace.subject, SLICE("caf\xc3\xa9 au lait")));
	assert_int_equal(trace.size, sizeof(rich) - 1);
	assert_true(slice_eq(trace.verdict, SLICE("accept")));
	assert_true(slice_empty(trace.policy));
	assert_true(slice_empty(trace.reply));
	assert_int_equal(trace.recipient_count, 2);
	assert_true(
	    slice_eq(trace.recipients[0], SLICE("user@agency.example")));
	assert_true(
	    slice_eq(trace.recipients[1], SLICE("other@agency.example")));
	assert_true(slice_eq(trace.own_domain_result, SLICE("exempt")));
	assert_true(slice_eq(trace.own_domain, SLICE("agency.example")));
	assert_true(slice_eq(trace.spf_result, SLICE("fail")));
	assert_true(slice_eq(trace.dkim_result, SLICE("pass")));
	assert_true(slice_eq(trace.dmarc_result, SLICE("fail")));
	assert_true(slice_eq(trace.connector, SLICE("Scanner")));
	assert_true(slice_eq(trace.facts, gate_json(message)));
	for (size_t i = 0; i < message->dmarc_count; i++)
		message->dmarc[i].result = DMARC_PASS;
	message->dkim_count = 1; /* it does not pass */
	trace_fill(message, &trace);
	assert_true(slice_eq(trace.dkim_result, SLICE("policy")));
	assert_true(slice_eq(trace.dmarc_result, SLICE("pass")));
	/* One that passes says nothing of the other. */
	message->dmarc[1].result = DMARC_FAIL;
	trace_fill(message, &trace);
	assert_true(slice_eq(trace.dmarc_result, SLICE("fail")));
	assert_true(
	    slice_find_slice(trace.facts,
		SLICE("\"dmarc\":{\"result\":\"fail\"")) < trace.facts.len);
	message->dmarc[1].result = DMARC_PASS;
	message->dmarc[0].result = DMARC_TEMPERROR;
	trace_fill(message, &trace);
	assert_true(slice_eq(trace.dmarc_result, SLICE("temperror")));
	stage_clear(&stage);
}

/* What each recipient was told, and the message after them. */
static void test_refused_recipients(void **state)
{
	static const struct {
		int first, second; /* codes; 0: taken */
		const char *recipients;
		enum verdict verdict;
	} cases[] = {
	    {0, 0, "accept accept ", VERDICT_ACCEPT},
	    {550, 0, "reject accept ", VERDICT_ACCEPT},
	    {0, 451, "accept defer ", VERDICT_ACCEPT},
	    {451, 550, "defer reject ", VERDICT_REJECT},
	    {550, 451, "reject defer ", VERDICT_DEFER},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static const char key[] = "\",\"verdict\":\"";
		struct stage_input input = {
		    .ip = "192.0.2.77", .mail_from = BOUNCE};
		const struct envelope_recipient more = {
		    .address = SLICE("other@agency.example")};
		const struct smtp_reply_text first = {
		    cases[i].first, SLICE("5.1.1"), SLICE("no")};
		const struct smtp_reply_text second = {
		    cases[i].second, SLICE("5.1.1"), SLICE("no")};
		struct gate_message *message;
		struct slice rest, list, word;
		struct stage stage;

		stage_set(&stage, &input);
		envelope_add_recipient(stage.arena, &stage.envelope, &more);
		message = gate_begin(
		    stage.arena, &stage.context, &stage.envelope);
		assert_true(gate_header(message, slice_from(rich), NULL));
		if (first.code)
			gate_refuse_recipient(message, 0, &first);
		if (second.code)
			gate_refuse_recipient(message, 1, &second);
		assert_int_equal(
		    gate_decide(message, slice_from(rich))->verdict,
		    cases[i].verdict);
		rest = gate_json(message);
		rest = slice_from_pos(
		    rest, slice_find_slice(rest, SLICE("\"recipients\":[")));
		rest = slice_sub(rest, 0, slice_find(rest, ']'));
		list = SLICE("");
		while (slice_find_slice(rest, slice_from(key)) < rest.len) {
			rest = slice_from_pos(
			    rest, slice_find_slice(rest, slice_from(key)) +
				      sizeof(key) - 1);
			slice_split(rest, '"', &word, &rest);
			list = ARENA_JOIN(stage.arena, list, word, SLICE(" "));
		}
		assert_string_equal(
		    arena_text(stage.arena, list), cases[i].recipients);
		stage_clear(&stage);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rich),
	    cmocka_unit_test(test_poor),
	    cmocka_unit_test(test_changes),
	    cmocka_unit_test(test_inspected_faults),
	    cmocka_unit_test(test_trace),
	    cmocka_unit_test(test_refused_recipients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
