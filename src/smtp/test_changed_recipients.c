/* SPDX-License-Identifier: Apache-2.0 */
/* With a next hop that follows a script, and the gate's routes faked. */
#include "smtp/changed_recipients.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/log.h"
#include "smtp/test_fake_server.h"

enum { HOP_MS = 400, ENVELOPE_RECIPIENTS = 2 };

#define SCRIPT(...) ((const char *const[]){__VA_ARGS__, NULL})
#define HELLO "S:220 hop.example", "C:EHLO gate.example", "S:250 hop.example"
#define LHELLO "S:220 hop.example", "C:LHLO gate.example", "S:250 hop.example"
#define MAIL "C:MAIL FROM:<s@a.example>", "S:250 2.1.0 ok"
#define RCPT(name) "C:RCPT TO:<" name "@b.example>", "S:250 2.1.5 ok"
#define BOTH MAIL, RCPT("one"), RCPT("two")
#define RSET "C:RSET", "S:250 2.0.0 ok"
#define DATA "C:DATA", "S:354 go", "D"
#define NOT_ADDED "451 4.3.5 a recipient that policy adds"

/* The envelope has one@ and two@; what of them is removed, what is added, and
 * what both (with PRDR) and all hear. */
static const struct {
	const char *name;
	const char *const *script;
	bool lmtp;
	const char *removed, *added; /* numbers; blanks between addresses */
	const char *refusal;	     /* or, if there is none: */
	const char *one, *two, *all;
} cases[] = {
    {"one more",
	SCRIPT(HELLO, BOTH, RCPT("new"), DATA, "S:250 2.0.0 kept", "H"), false,
	"", "new@b.example", NULL, "250 2.0.0 kept", "250 2.0.0 kept",
	"250 2.0.0 kept"},
    {"one less, the transaction anew",
	SCRIPT(HELLO, BOTH, RSET, MAIL, RCPT("two"), DATA, "S:250 2.0.0 kept",
	    "H"),
	false, "0", "", NULL, "250 2.1.5 accepted", "250 2.0.0 kept",
	"250 2.0.0 kept"},
    {"another instead of all",
	SCRIPT(HELLO, BOTH, RSET, MAIL, RCPT("new"), DATA, "S:250 2.0.0 kept",
	    "H"),
	false, "01", "new@b.example", NULL, "250 2.1.5 accepted",
	"250 2.1.5 accepted", "250 2.0.0 kept"},
    {"the content is refused",
	SCRIPT(
	    HELLO, BOTH, RSET, MAIL, RCPT("two"), DATA, "S:554 5.6.0 no", "H"),
	false, "0", "", NULL, "250 2.1.5 accepted", "554 5.6.0 no",
	"554 5.6.0 no"},
    {"and with it what was added: nobody hears yes",
	SCRIPT(HELLO, BOTH, RSET, MAIL, RCPT("two"), RCPT("new"), DATA,
	    "S:554 5.6.0 no", "H"),
	false, "0", "new@b.example", NULL, "554 5.6.0 no", "554 5.6.0 no",
	"554 5.6.0 no"},
    {"the new one is unknown",
	SCRIPT(HELLO, BOTH, "C:RCPT TO:<new@b.example>", "S:550 5.1.1 who",
	    RSET, "H"),
	false, "", "new@b.example", NOT_ADDED, NULL, NULL, NULL},
    {"the new one is busy",
	SCRIPT(HELLO, BOTH, "C:RCPT TO:<new@b.example>", "S:450 4.2.1 busy",
	    RSET, "H"),
	false, "", "new@b.example", NOT_ADDED, NULL, NULL, NULL},
    {"the second of two new ones is unknown",
	SCRIPT(HELLO, BOTH, RCPT("new"), "C:RCPT TO:<no@b.example>",
	    "S:550 5.1.1 who", RSET, "H"),
	false, "", "new@b.example no@b.example", NOT_ADDED, NULL, NULL, NULL},
    {"an old one is refused the second time",
	SCRIPT(HELLO, BOTH, RSET, MAIL, "C:RCPT TO:<two@b.example>",
	    "S:452 4.2.2 full", RSET, "H"),
	false, "0", "", "452 4.2.2 full", NULL, NULL, NULL},
    {"lost meanwhile", SCRIPT(HELLO, BOTH, "X"), false, "", "new@b.example",
	NOT_ADDED, NULL, NULL, NULL},
    {"LMTP: each has its reply",
	SCRIPT(LHELLO, BOTH, RSET, MAIL, RCPT("two"), RCPT("new"), DATA,
	    "S:452 4.2.2 full", "S:250 2.0.0 kept", "H"),
	true, "0", "new@b.example", NULL, "250 2.1.5 accepted",
	"452 4.2.2 full", "452 4.2.2 full"},
    {"LMTP: the new one has not got it",
	SCRIPT(LHELLO, BOTH, RCPT("new"), DATA, "S:250 2.0.0 kept",
	    "S:250 2.0.0 kept", "S:452 4.2.2 full", "H"),
	true, "", "new@b.example", NULL, NOT_ADDED, NOT_ADDED, NOT_ADDED},
    {"LMTP: the new one refuses it",
	SCRIPT(LHELLO, BOTH, RCPT("new"), DATA, "S:250 2.0.0 kept",
	    "S:250 2.0.0 kept", "S:550 5.7.1 new@b.example: no", "H"),
	true, "", "new@b.example", NULL, NOT_ADDED, NOT_ADDED, NOT_ADDED},
    {"LMTP: an old one refuses it, too",
	SCRIPT(LHELLO, BOTH, RCPT("new"), DATA, "S:250 2.0.0 kept",
	    "S:554 5.6.0 no", "S:550 5.7.1 new@b.example: no", "H"),
	true, "", "new@b.example", NULL, NOT_ADDED, "554 5.6.0 no", NOT_ADDED},
    {"LMTP: all refuse it",
	SCRIPT(LHELLO, BOTH, RCPT("new"), DATA, "S:554 5.6.0 no",
	    "S:554 5.6.0 no", "S:550 5.7.1 new@b.example: no", "H"),
	true, "", "new@b.example", NULL, "554 5.6.0 no", "554 5.6.0 no",
	"554 5.6.0 no"},
    {"LMTP: the one instead of all refuses it",
	SCRIPT(LHELLO, BOTH, RSET, MAIL, RCPT("new"), DATA,
	    "S:550 5.7.1 new@b.example: no", "H"),
	true, "01", "new@b.example", NULL, NOT_ADDED, NOT_ADDED, NOT_ADDED},
};

struct world {
	struct arena *arena;
	struct config *config;
	struct gate_context gate;
	struct next_hop_pool *pool;
	struct envelope_client client;
	struct envelope envelope;
	struct conf_target target;
	struct conf_route route;
	struct recipient_edits edits;
	struct delivery *delivery;
	struct changed_recipients change;
};

static void open_world(struct world *world, uint16_t port, bool lmtp)
{
	*world = (struct world){.arena = arena_new(0)};
	world->config = config_default();
	world->config->hostname = SLICE("gate.example");
	world->config->limits.next_hop_timeout = HOP_MS;
	world->config->limits.next_hop_data_timeout = HOP_MS;
	world->target = (struct conf_target){
	    .host = SLICE("127.0.0.1"), .port = port};
	world->route = (struct conf_route){
	    .kind = lmtp ? NEXT_HOP_LMTP : NEXT_HOP_SMTP,
	    .text = SLICE("smtp:test"),
	    .target_count = 1,
	    .targets = &world->target,
	};
	world->config->route_count = 1;
	world->config->routes = &world->route;
	world->gate.config = world->config;
	world->pool = next_hop_pool_new(world->config, NULL);
	world->envelope = (struct envelope){
	    .id = SLICE("ID1"),
	    .received_at = 1800000000,
	    .client = &world->client,
	    .mail_from = SLICE("s@a.example"),
	};
	world->change = (struct changed_recipients){
	    .arena = world->arena,
	    .gate = gate_begin(world->arena, &world->gate, &world->envelope),
	    .envelope = &world->envelope,
	    .edits = &world->edits,
	    .session = delivery_session_new(
		world->arena, world->pool, &world->client),
	};
	world->delivery = delivery_new(
	    world->arena, world->change.session, &world->envelope);
}

static void close_world(struct world *world)
{
	delivery_abort(world->delivery);
	arena_free(world->arena);
	next_hop_pool_release(world->pool);
	/* They stand in this struct. */
	world->config->route_count = 0;
	config_release(world->config);
}

static void ask_both(struct world *world)
{
	static const struct slice names[ENVELOPE_RECIPIENTS] = {
	    SLICE_INIT("one@b.example"), SLICE_INIT("two@b.example")};

	for (size_t i = 0; i < ENVELOPE_RECIPIENTS; i++) {
		const struct envelope_recipient one = {.address = names[i]};

		assert_int_equal(
		    delivery_recipient(world->delivery, &world->route, &one)
			.code,
		    250);
		envelope_add_recipient(world->arena, &world->envelope, &one);
	}
}

static void edit(struct world *world, const char *removed, const char *added)
{
	struct slice rest = slice_from(added);

	for (; *removed; removed++)
		recipient_edit_remove(world->arena, &world->edits,
		    &world->envelope, (size_t)(*removed - '0'));
	while (rest.len) {
		struct envelope_recipient one = {0};

		slice_split(rest, ' ', &one.address, &rest);
		assert_true(recipient_edit_add(
		    world->arena, &world->edits, &world->envelope, &one, NULL));
	}
}

static void expect(
    struct world *world, const struct smtp_reply_text *text, const char *wanted)
{
	const char *line = arena_text(
	    world->arena, decision_reply_line(world->arena, text));

	if (strncmp(line, wanted, strlen(wanted)))
		fail_msg("\"%s\" instead of \"%s\"", line, wanted);
}

static void send_message(struct world *world, size_t number)
{
	struct slice piece = SLICE("Subject: x\r\n\r\ntext\r\n");
	const struct message_pieces pieces = {1, &piece, piece.len};
	struct delivery_result result = delivery_data(world->delivery, &pieces);

	changed_recipients_map(&world->change, &result);
	assert_int_equal(result.count, ENVELOPE_RECIPIENTS);
	expect(world, &result.recipient_replies[0], cases[number].one);
	expect(world, &result.recipient_replies[1], cases[number].two);
	expect(world, &result.reply, cases[number].all);
}

static void test_dialogues(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct fake_server *server = fake_server_start(
		    &cases[i].script, 1, false);
		struct smtp_reply_text refusal = {0};
		struct world world;
		const char *problem;
		bool ok;

		print_message("%s\n", cases[i].name);
		open_world(&world, fake_server_port(server), cases[i].lmtp);
		ask_both(&world);
		edit(&world, cases[i].removed, cases[i].added);
		ok = changed_recipients_apply(
		    &world.change, &world.delivery, &refusal);
		assert_int_equal(ok, cases[i].refusal == NULL);
		if (ok)
			send_message(&world, i);
		else
			expect(&world, &refusal, cases[i].refusal);
		close_world(&world);
		problem = fake_server_stop(server);
		if (problem)
			fail_msg("%s", problem);
	}
}

static size_t files_in(struct arena *arena, const char *folder)
{
	DIR *directory = opendir(arena_format(arena, "%s/new", folder));
	struct dirent *entry;
	size_t count = 0;

	while (directory && (entry = readdir(directory)))
		count += entry->d_name[0] != '.';
	if (directory)
		closedir(directory);
	return count;
}

/* The same with folders: who is removed has none. */
static void test_maildir(void **state)
{
	static const char *const names[] = {"one", "two", "new"};
	static const size_t wanted[] = {0, 1, 1};
	char root[] = "/tmp/gatehouse-test-XXXXXX";
	struct slice piece = SLICE("Subject: x\r\n\r\ntext\r\n");
	const struct message_pieces pieces = {1, &piece, piece.len};
	struct smtp_reply_text refusal = {0};
	struct delivery_result result;
	struct world world;

	(void)state;
	assert_non_null(mkdtemp(root));
	open_world(&world, 1, false);
	world.route.kind = NEXT_HOP_MAILDIR;
	world.route.maildir = arena_format_slice(world.arena, "%s/%%l", root);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(
		    mkdir(arena_format(world.arena, "%s/%s", root, names[i]),
			0700),
		    0);
	ask_both(&world);
	edit(&world, "0", "new@b.example");
	assert_true(
	    changed_recipients_apply(&world.change, &world.delivery, &refusal));
	result = delivery_data(world.delivery, &pieces);
	assert_int_equal(result.reply.code, 250);
	assert_int_equal(result.count, 2);
	changed_recipients_map(&world.change, &result);
	assert_int_equal(result.recipient_replies[0].code, 250);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(
		    files_in(world.arena,
			arena_format(world.arena, "%s/%s", root, names[i])),
		    wanted[i]);
	/* Nobody has a folder of that name. */
	world.edits = (struct recipient_edits){0};
	world.envelope.recipient_count = 0;
	world.delivery = delivery_new(
	    world.arena, world.change.session, &world.envelope);
	ask_both(&world);
	edit(&world, "", "nobody@b.example");
	assert_false(
	    changed_recipients_apply(&world.change, &world.delivery, &refusal));
	assert_int_equal(refusal.code, 451);
	assert_int_equal(
	    system(arena_format(world.arena, "rm -r %s", root)), 0);
	close_world(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_dialogues),
	    cmocka_unit_test(test_maildir),
	};

	log_setup(LOG_ERROR, LOG_FORMAT_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
