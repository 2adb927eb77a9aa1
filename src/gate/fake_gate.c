/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of sessions: a gate whose verdict stands in the message itself.
 *
 *	X-Verdict: reject (or another verdict)
 *	X-Reply: 90 words (the text of a refusal, so many times)
 *	X-Client: told (the text of a refusal tells of the client)
 *	X-Envelope: told (it tells of what MAIL and RCPT said), or addresses
 *	X-Commit: fail (or "at once": before it has begun; "never": until it is
 *	given up; "late": done when that is tried;
 *	"later", with threads: after a tenth of a second)
 *	X-Decide: slowly (with threads), or "waits" (for DNS, no time)
 *	X-Stalled: yes (it is likely that the commit fails)
 *	X-Header: too-many
 *	X-Need: nothing (of the body)
 *	X-Keep: nothing (of the body)
 *	X-Edit: yes (all of these are removed, two fields are added)
 *	X-Remove: a@b.example (from the recipients), or its number there
 *	X-Add: a@b.example, or "a@b.example NOTIFY=NEVER"
 *	X-Body: 3 a line (the new body has that line three times)
 */
#include "gate/fake_gate.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/memory.h"
#include "base/require.h"
#include "base/text.h"
#include "gate/gate.h"

enum { REPLY_MAX = 4096, SOON_MS = 20, SLOWLY_MS = 500, LATER_MS = 100 };

struct gate_message {
	struct arena *arena;
	const struct gate_context *context;
	const struct envelope *envelope;
	struct slice header, content, trace_field;
	uint64_t body_size;
	struct decision decision;
	struct dns_wait_observer observer;
	bool mta_holds;
	bool skips, forgets; /* the body */
	bool refused;	     /* before any judgement */
	bool given_up;
	bool decided, commits, committed;
	struct store_notice notice;
	struct teller *teller;
};

/* Tells of a commit, unless that was given up; freed by who is last. */
struct teller {
	struct store_notice notice;
	atomic_bool settled;
	atomic_int holders;
	useconds_t wait_us;
};

static bool uses_threads;
static atomic_uint noted;

void fake_gate_use_threads(void)
{
	uses_threads = true;
}

unsigned int fake_gate_noted_count(void)
{
	return atomic_load(&noted);
}

static void release_teller(struct teller *teller)
{
	if (atomic_fetch_sub(&teller->holders, 1) == 1)
		memory_free(teller);
}

static void *run_teller(void *object)
{
	struct teller *teller = object;

	usleep(teller->wait_us);
	if (!atomic_exchange(&teller->settled, true))
		teller->notice.done(teller->notice.context);
	release_teller(teller);
	return NULL;
}

static void release_teller_of(void *object)
{
	release_teller(object);
}

static struct teller *start_teller(
    struct arena *arena, const struct store_notice *notice, useconds_t wait_us)
{
	struct teller *teller = MEMORY_NEW(struct teller);
	pthread_t thread;

	teller->notice = *notice;
	teller->wait_us = wait_us;
	atomic_store(&teller->holders, 2);
	arena_defer(arena, release_teller_of, teller);
	require(pthread_create(&thread, NULL, run_teller, teller) == 0);
	pthread_detach(thread);
	return teller;
}

struct gate_message *gate_begin(struct arena *arena,
    const struct gate_context *context, const struct envelope *envelope)
{
	struct gate_message *message = ARENA_NEW(arena, struct gate_message);

	require(envelope->id.len > 0 && envelope->received_at > 0);
	message->arena = arena;
	message->context = context;
	message->envelope = envelope;
	return message;
}

/* Whoever comes by one comes by all. */
bool gate_client_is_internal(
    const struct gate_context *context, const struct envelope_client *client)
{
	return client->authenticated_as.len > 0 ||
	       context->config->connector_count > 0;
}

void gate_observe_waits(
    struct gate_message *message, const struct dns_wait_observer *observer)
{
	message->observer = *observer;
}

static void wait_for_dns(const struct gate_message *message)
{
	const struct dns_wait_observer *observer = &message->observer;

	if (!observer->begin)
		return;
	observer->begin(observer->context);
	observer->end(observer->context);
}

bool gate_recipient(struct gate_message *message, struct slice address,
    struct smtp_reply_text *ret)
{
	(void)message;
	if (!slice_ends_nocase(address, SLICE("@stranger.example")))
		return true;
	*ret = (struct smtp_reply_text){
	    550, SLICE("5.7.1"), SLICE("relaying denied")};
	return false;
}

const struct conf_route *gate_route(
    const struct gate_message *message, struct slice address)
{
	(void)address;
	return message->context->config->routes;
}

bool gate_own_domain_suspect(
    struct gate_message *message, struct smtp_reply_text *ret)
{
	if (!slice_ends_nocase(
		message->envelope->mail_from, SLICE("@agency.example")))
		return false;
	wait_for_dns(message);
	*ret = (struct smtp_reply_text){
	    550, SLICE("5.7.1"), SLICE("not from outside")};
	return true;
}

static bool has(const struct gate_message *message, const char *text)
{
	return slice_find_slice(message->header, slice_from(text)) <
	       message->header.len;
}

bool gate_header(
    struct gate_message *message, struct slice header, struct err *err)
{
	message->header = header;
	if (has(message, "X-Header: too-many"))
		return err_set(err, E_LIMIT, "limits.header_count");
	return true;
}

void gate_body(struct gate_message *message, struct slice piece)
{
	require(message->header.ptr != NULL);
	message->body_size += piece.len;
}

bool gate_needs_body(struct gate_message *message)
{
	require(message->header.ptr != NULL);
	return !has(message, "X-Need: nothing");
}

void gate_skip_body(struct gate_message *message)
{
	require(!gate_needs_body(message));
	message->skips = true;
}

bool gate_keeps_body(struct gate_message *message)
{
	require(message->header.ptr != NULL);
	message->forgets = has(message, "X-Keep: nothing");
	return !message->forgets;
}

static void edit(struct gate_message *message)
{
	static const struct limits *const limits = &limits_default;
	struct header_list list;
	struct decision *decision = &message->decision;

	/* A header that is over a limit does not come so far. */
	if (!has(message, "X-Edit: yes") ||
	    !headers_parse(
		message->arena, message->header, limits, &list, NULL))
		return;
	for (size_t i = 0; i < list.count; i++)
		if (slice_eq_nocase(list.fields[i].name, SLICE("X-Edit")))
			edit_remove(message->arena, &decision->edits, i);
	edit_add_on_top(message->arena, &decision->edits, SLICE("X-Low: 1"));
	edit_add_on_top(
	    message->arena, &decision->edits, SLICE("X-High: a\r\n\tb"));
}

/* The values of all fields of that name. */
static struct slice next_value(
    const struct header_list *list, struct slice name, size_t *nth)
{
	const struct header_field *field = headers_find(list, name, (*nth)++);

	return field ? slice_trim(field->value) : (struct slice){NULL, 0};
}

static void remove_recipient(struct gate_message *message, struct slice which)
{
	const struct envelope *envelope = message->envelope;
	uint64_t number = UINT64_MAX;

	(void)slice_to_u64(which, UINT64_MAX, &number);
	for (size_t i = 0; i < envelope->recipient_count; i++)
		if (i == number ||
		    slice_eq(envelope->recipients[i].address, which))
			recipient_edit_remove(message->arena,
			    &message->decision.recipients, envelope, i);
}

static void remove_recipients(
    struct gate_message *message, const struct header_list *list)
{
	struct slice value;

	for (size_t nth = 0;
	     (value = next_value(list, SLICE("X-Remove"), &nth)).len;)
		remove_recipient(message, value);
}

static void add_recipients(
    struct gate_message *message, const struct header_list *list)
{
	struct slice value;

	for (size_t nth = 0;
	     (value = next_value(list, SLICE("X-Add"), &nth)).len;) {
		struct envelope_recipient recipient = {0};
		struct slice parameter;

		slice_split(value, ' ', &recipient.address, &parameter);
		slice_split(parameter, '=', &value, &recipient.dsn_notify);
		/* Not an address: not added. */
		(void)recipient_edit_add(message->arena,
		    &message->decision.recipients, message->envelope,
		    &recipient, NULL);
	}
}

static void change_body(
    struct gate_message *message, const struct header_list *list)
{
	const uint64_t max = message->context->config->limits.message_size;
	struct buf *body = buf_in_arena(message->arena, max);
	const struct slice original = slice_from_pos(
	    message->content, message->header.len);
	size_t nth = 0;
	struct slice value = next_value(list, SLICE("X-Body"), &nth);
	struct slice count, line;
	uint64_t times = 0;

	if (!slice_split(value, ' ', &count, &line) ||
	    !slice_to_u64(count, max, &times))
		return;
	while (times-- && buf_add(body, line) && buf_add(body, SLICE("\r\n")))
		;
	(void)decision_replace_body(&message->decision,
	    message->forgets ? NULL : &original, buf_slice(body), max, NULL);
}

static void change(struct gate_message *message)
{
	static const struct {
		const char *field;
		void (*change)(struct gate_message *message,
		    const struct header_list *list);
	} rows[] = {
	    {"X-Remove: ", remove_recipients},
	    {"X-Add: ", add_recipients},
	    {"X-Body: ", change_body},
	};
	struct header_list list;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (has(message, rows[i].field) &&
		    headers_parse(message->arena, message->header,
			&limits_default, &list, NULL))
			rows[i].change(message, &list);
	/* As the real one does: somebody must be left. */
	if (message->decision.recipients.removed_count &&
	    !recipient_edit_count(
		&message->decision.recipients, message->envelope))
		message->decision.verdict = VERDICT_DEFER;
}

static struct slice client_words(const struct gate_message *message)
{
	const struct envelope_client *client = message->envelope->client;
	struct slice certificate = client->tls_name_count ? client->tls_names[0]
							  : SLICE("");
	char ip[IP_TEXT_MAX];

	return arena_format_slice(message->arena,
	    "name %.*s%s, helo %.*s, %s%.*s %.*s, certificate %.*s, user "
	    "%.*s %.*s, at %s %u, %s to %s %.*s.",
	    SLICE_ARGS(client->name),
	    client->name_unknown ? "unknown for now" : "",
	    SLICE_ARGS(client->helo), client->tls ? "tls " : "",
	    SLICE_ARGS(client->tls_version), SLICE_ARGS(client->tls_cipher),
	    SLICE_ARGS(certificate), SLICE_ARGS(client->authenticated_as),
	    SLICE_ARGS(client->auth_mechanism), ip_format(&client->ip, ip),
	    client->port, client->esmtp ? "esmtp" : "smtp",
	    client->role == ROLE_MILTER ? "milter" : "others",
	    SLICE_ARGS(client->listener));
}

static struct slice envelope_words(const struct gate_message *message)
{
	const struct envelope *envelope = message->envelope;
	const struct envelope_recipient *first = envelope->recipients;

	return arena_format_slice(message->arena,
	    "%s%ssize %llu, ret %.*s, envid %.*s, notify %.*s, orcpt "
	    "%.*s%s%.*s.",
	    envelope->smtputf8 ? "smtputf8, " : "",
	    envelope->body == BODY_8BITMIME ? "8bitmime, " : "",
	    (unsigned long long)envelope->declared_size,
	    SLICE_ARGS(envelope->dsn_ret), SLICE_ARGS(envelope->dsn_envid),
	    SLICE_ARGS(first->dsn_notify), SLICE_ARGS(first->dsn_orcpt),
	    envelope->queue_id.len ? ", queue " : "",
	    SLICE_ARGS(envelope->queue_id));
}

static struct slice address_words(const struct gate_message *message)
{
	const struct envelope *envelope = message->envelope;
	struct buf *words = buf_in_arena(message->arena, REPLY_MAX);

	buf_add_text(words, "from ");
	buf_add(words, envelope->mail_from);
	buf_add_text(words, " to");
	for (size_t i = 0; i < envelope->recipient_count; i++) {
		buf_add_byte(words, ' ');
		buf_add(words, envelope->recipients[i].address);
	}
	buf_add_byte(words, '.');
	return buf_slice(words);
}

/* What is said of a message that is refused. */
static struct slice refusal(struct gate_message *message, const char *text)
{
	struct buf *reply = buf_in_arena(message->arena, REPLY_MAX);
	struct header_list list;
	struct slice value, count, words;
	uint64_t times = 0;
	size_t nth = 0;

	if (has(message, "X-Client: told"))
		return text_clean_utf8(message->arena, client_words(message));
	if (has(message, "X-Envelope: told") &&
	    message->envelope->recipient_count)
		return text_clean_utf8(message->arena, envelope_words(message));
	if (has(message, "X-Envelope: addresses"))
		return text_clean_utf8(message->arena, address_words(message));
	if (!has(message, "X-Reply: ") ||
	    !headers_parse(
		message->arena, message->header, &limits_default, &list, NULL))
		return slice_from(text);
	value = next_value(&list, SLICE("X-Reply"), &nth);
	if (!slice_split(value, ' ', &count, &words) ||
	    !slice_to_u64(count, REPLY_MAX, &times))
		return slice_from(text);
	while (times-- && buf_add(reply, words) && buf_add_byte(reply, ' '))
		;
	return text_clean_utf8(message->arena, slice_trim(buf_slice(reply)));
}

void gate_mta_holds(struct gate_message *message)
{
	message->mta_holds = true;
}

const struct decision *gate_decide(
    struct gate_message *message, struct slice content)
{
	static const enum verdict verdicts[] = {VERDICT_REDIRECT, VERDICT_HOLD,
	    VERDICT_QUARANTINE, VERDICT_DISCARD, VERDICT_DEFER, VERDICT_REJECT};
	struct decision *decision = &message->decision;

	require(!message->decided);
	message->decided = true;
	if (message->refused)
		return decision;
	/* The header is where it was, and nothing was lost on the way. */
	require(slice_starts(content, message->header));
	require(content.len == message->header.len +
				   (message->forgets ? 0 : message->body_size));
	if (uses_threads && has(message, "X-Decide: slowly"))
		usleep(SLOWLY_MS * 1000);
	if (has(message, "X-Decide: waits"))
		wait_for_dns(message);
	message->content = content;
	edit(message);
	change(message);
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(*verdicts); i++) {
		const char *name = verdict_name(verdicts[i]);

		if (has(message,
			arena_format(message->arena, "X-Verdict: %s", name)))
			decision->verdict = verdicts[i];
	}
	if (decision->verdict == VERDICT_REJECT)
		decision->reply = (struct smtp_reply_text){550, SLICE("5.7.1"),
		    refusal(message, message->skips
					 ? "refused by policy, unread"
					 : "refused by policy")};
	if (decision->verdict == VERDICT_DEFER)
		decision->reply = (struct smtp_reply_text){451, SLICE("4.4.3"),
		    refusal(message, "no answer from DNS")};
	return decision;
}

static bool tell_commit(bool ok, struct smtp_reply_text *ret)
{
	if (!ok)
		*ret = (struct smtp_reply_text){
		    451, SLICE("4.3.0"), SLICE("not stored")};
	return ok;
}

bool gate_commit_end(struct gate_message *message, struct smtp_reply_text *ret)
{
	message->committed = true;
	return tell_commit(!has(message, "X-Commit: fail") &&
			       !has(message, "X-Commit: at once") &&
			       !message->given_up,
	    ret);
}

bool gate_expects_commit(const struct gate_message *message)
{
	return !has(message, "X-Stalled: yes");
}

bool gate_commit(struct gate_message *message, struct smtp_reply_text *ret)
{
	return tell_commit(!has(message, "X-Commit: fail"), ret);
}

/* Some longer than gate_commit_deadline says. */
static useconds_t commit_takes_us(const struct gate_message *message)
{
	static atomic_uint count;

	if (has(message, "X-Commit: later"))
		return LATER_MS * 1000;
	return atomic_fetch_add(&count, 1) * 7919 % (25 * 1000);
}

bool gate_commit_begin(
    struct gate_message *message, const struct store_notice *notice)
{
	require(message->decided);
	message->commits = true;
	message->notice = *notice;
	if (has(message, "X-Commit: at once"))
		return false;
	if (uses_threads) {
		message->teller = start_teller(
		    message->arena, notice, commit_takes_us(message));
		return true;
	}
	if (!has(message, "X-Commit: never") && !has(message, "X-Commit: late"))
		notice->done(notice->context);
	return true;
}

struct deadline gate_commit_deadline(const struct gate_message *message)
{
	bool soon = has(message, "X-Commit: ") || uses_threads;

	return deadline_in(
	    soon && !has(message, "X-Commit: later") ? SOON_MS : 60000);
}

bool gate_commit_give_up(struct gate_message *message)
{
	if (message->teller) {
		message->given_up = !atomic_exchange(
		    &message->teller->settled, true);
		return message->given_up;
	}
	message->given_up = has(message, "X-Commit: never");
	if (!message->given_up)
		message->notice.done(message->notice.context);
	return message->given_up;
}

void gate_note_delivery(
    struct gate_message *message, struct slice verdict, struct slice reply)
{
	static const struct {
		char digit;
		struct slice verdict;
	} words[] = {
	    {'2', SLICE_INIT("accept")},
	    {'4', SLICE_INIT("defer")},
	    {'5', SLICE_INIT("reject")},
	};
	bool fits = false;

	(void)message;
	atomic_fetch_add(&noted, 1);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		fits = fits || (reply.len && reply.ptr[0] == words[i].digit &&
				   slice_eq(verdict, words[i].verdict));
	require(fits);
}

void gate_note_refused_recipient(struct gate_message *message,
    struct slice address, const struct smtp_reply_text *reply)
{
	(void)message;
	require(address.len && reply->code >= 400);
}

void gate_refuse(struct gate_message *message, struct slice policy,
    const struct smtp_reply_text *reply)
{
	require(policy.len && reply->code >= 400);
	message->refused = true;
	message->decision.verdict = VERDICT_REJECT;
	message->decision.reply = *reply;
}

void gate_end(struct gate_message *message)
{
	/* Its result is asked for, whatever it is needed for. */
	require(message->committed || !message->commits);
}

void gate_trace_field(struct gate_message *message, struct slice field)
{
	message->trace_field = field;
}

struct message_pieces gate_pieces(struct gate_message *message)
{
	struct message_pieces pieces = {.count = 3};

	pieces.pieces = ARENA_ARRAY(message->arena, 3, struct slice);
	pieces.pieces[0] = message->trace_field;
	pieces.pieces[1] = message->header;
	pieces.pieces[2] = message->decision.replaces_body
			       ? message->decision.body
			       : slice_from_pos(
				     message->content, message->header.len);
	for (size_t i = 0; i < pieces.count; i++)
		pieces.size += pieces.pieces[i].len;
	return pieces;
}

struct smtp_reply_text gate_reply_for_error(
    struct arena *arena, const struct err *err)
{
	struct slice text = arena_slice(arena, slice_from(err->text));

	if (err->kind == E_LIMIT)
		return (struct smtp_reply_text){552, SLICE("5.3.4"), text};
	return (struct smtp_reply_text){451, SLICE("4.3.0"), text};
}
