/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/fake_delivery.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/memory.h"
#include "base/require.h"
#include "smtp/delivery.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct buf last = {.max = 1 << 24};
static struct buf last_recipients = {.max = 1 << 16};
static unsigned int count;
static atomic_uint announced, asked;
static pthread_cond_t let_go = PTHREAD_COND_INITIALIZER;
static bool is_let_go;
static unsigned int held_count;
static struct buf all_recipients = {.max = 1 << 24};

struct next_hop_pool {
	struct config *config;
};

struct next_hop_pool *next_hop_pool_new(
    struct config *config, struct dns_resolver *resolver)
{
	struct next_hop_pool *pool = MEMORY_NEW(struct next_hop_pool);

	(void)resolver;
	pool->config = config;
	return pool;
}

bool next_hop_pool_load_authorities(struct next_hop_pool *pool, struct err *err)
{
	(void)pool;
	(void)err;
	return true;
}

bool next_hop_pool_renew_authorities(struct next_hop_pool *pool,
    struct next_hop_pool *old, void (*tell)(const struct err *err))
{
	(void)pool;
	(void)old;
	(void)tell;
	return true;
}

void next_hop_pool_tidy(struct next_hop_pool *pool, int64_t now_ms)
{
	(void)pool;
	(void)now_ms;
}

void next_hop_pool_retire(struct next_hop_pool *pool)
{
	(void)pool;
}

static atomic_uint pool_takes_ms;

void fake_pool_takes(unsigned int milliseconds)
{
	atomic_store(&pool_takes_ms, milliseconds);
}

void next_hop_pool_release(struct next_hop_pool *pool)
{
	usleep(atomic_load(&pool_takes_ms) * 1000);
	memory_free(pool);
}

struct delivery_session {
	int unused;
};

struct delivery_session *delivery_session_new(struct arena *arena,
    struct next_hop_pool *pool, const struct envelope_client *client)
{
	(void)pool;
	(void)client;
	return ARENA_NEW(arena, struct delivery_session);
}

void delivery_session_wait(
    struct delivery_session *session, const struct delivery_waiter *waiter)
{
	(void)session;
	(void)waiter;
}

struct smtp_reply_text delivery_session_authenticate(
    struct delivery_session *session, struct arena *arena,
    const struct conf_route *route,
    const struct delivery_credentials *credentials)
{
	(void)session;
	(void)arena;
	require(route != NULL);
	if (slice_eq(credentials->user, SLICE("ann")) &&
	    slice_eq(credentials->password, SLICE("secret")))
		return (struct smtp_reply_text){
		    235, SLICE("2.7.0"), SLICE("welcome")};
	if (slice_eq(credentials->user, SLICE("nobody")))
		return (struct smtp_reply_text){
		    454, SLICE("4.7.0"), SLICE("cannot be checked")};
	return (struct smtp_reply_text){
	    535, SLICE("5.7.8"), SLICE("wrong name or password")};
}

void delivery_session_forget_login(struct delivery_session *session)
{
	(void)session;
}

struct delivery {
	size_t count;
	bool full[100], any_full, gone, held, paused;
	bool over;
	struct smtp_reply_text replies[100];
	struct slice recipients[100];
};

struct delivery *delivery_new(struct arena *arena,
    struct delivery_session *session, const struct envelope *envelope)
{
	(void)session;
	(void)envelope;
	return ARENA_NEW(arena, struct delivery);
}

struct smtp_reply_text delivery_recipient(struct delivery *delivery,
    const struct conf_route *route, const struct envelope_recipient *recipient)
{
	static const struct {
		struct slice who;
		struct smtp_reply_text reply;
	} refusals[] = {
	    {SLICE_INIT("unknown@"),
		{550, SLICE_INIT("5.1.1"), SLICE_INIT("no such mailbox")}},
	    {SLICE_INIT("other@"),
		{452, SLICE_INIT("4.5.3"),
		    SLICE_INIT("one next hop per transaction")}},
	    {SLICE_INIT("later@"),
		{452, SLICE_INIT("4.2.2"), SLICE_INIT("mailbox full")}},
	    {SLICE_INIT("busy@"),
		{421, SLICE_INIT("4.3.2"), SLICE_INIT("log in again")}},
	};
	struct slice address = recipient->address;

	require(route != NULL && delivery->count < 100 && !delivery->paused);
	atomic_fetch_add(&asked, 1);
	if (slice_starts(address, SLICE("slow@")))
		usleep(1000 * 1000);
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++)
		if (slice_starts(address, refusals[i].who))
			return refusals[i].reply;
	if (slice_starts(address, SLICE("full@")))
		delivery->any_full = delivery->full[delivery->count] = true;
	if (slice_starts(address, SLICE("gone@")))
		delivery->gone = true;
	if (slice_starts(address, SLICE("held@")))
		delivery->held = true;
	delivery->recipients[delivery->count] = address;
	delivery->count++;
	if (slice_starts(address, SLICE("moved@")))
		return (struct smtp_reply_text){
		    251, SLICE("2.1.5"), SLICE("will forward")};
	return (struct smtp_reply_text){
	    250, SLICE("2.1.5"), SLICE("recipient ok")};
}

void delivery_pause(struct delivery *delivery)
{
	require(!delivery->paused);
	delivery->paused = true;
}

void delivery_resume(struct delivery *delivery)
{
	delivery->paused = false;
}

size_t delivery_recipient_count(const struct delivery *delivery)
{
	return delivery->count;
}

void delivery_announce(
    struct delivery *delivery, const struct message_pieces *pieces)
{
	require(!delivery->over && delivery->count && pieces->count);
	atomic_fetch_add(&announced, 1);
}

struct delivery_result delivery_data(
    struct delivery *delivery, const struct message_pieces *pieces)
{
	const struct smtp_reply_text yes = {
	    250, SLICE("2.0.0"), SLICE("delivered")};
	const struct smtp_reply_text full = {
	    452, SLICE("4.2.2"), SLICE("mailbox full")};
	const struct smtp_reply_text gone = {
	    421, SLICE("4.4.2"), SLICE("log in again")};
	uint64_t size = 0;

	require(!delivery->over && delivery->count && !delivery->paused);
	pthread_mutex_lock(&lock);
	held_count += delivery->held;
	while (delivery->held && !is_let_go)
		pthread_cond_wait(&let_go, &lock);
	held_count -= delivery->held;
	buf_clear(&last);
	for (size_t i = 0; i < pieces->count; i++) {
		buf_add(&last, pieces->pieces[i]);
		size += pieces->pieces[i].len;
	}
	buf_clear(&last_recipients);
	for (size_t i = 0; i < delivery->count; i++)
		buf_add_format(&last_recipients, "%s%.*s", i ? " " : "",
		    SLICE_ARGS(delivery->recipients[i]));
	buf_add_format(
	    &all_recipients, "%.*s\n", SLICE_ARGS(buf_slice(&last_recipients)));
	count++;
	pthread_mutex_unlock(&lock);
	require(size == pieces->size);
	for (size_t i = 0; i < delivery->count; i++)
		delivery->replies[i] = delivery->gone	   ? gone
				       : delivery->full[i] ? full
							   : yes;
	delivery->over = true;
	return (struct delivery_result){.reply = delivery->gone	      ? gone
						 : delivery->any_full ? full
								      : yes,
	    .count = delivery->count,
	    .recipient_replies = delivery->replies,
	    .tells_apart = true};
}

void delivery_abort(struct delivery *delivery)
{
	delivery->over = true;
}

struct slice fake_delivered(struct arena *arena)
{
	struct slice copy;

	pthread_mutex_lock(&lock);
	copy = arena_slice(arena, buf_slice(&last));
	pthread_mutex_unlock(&lock);
	return copy;
}

struct slice fake_recipients(struct arena *arena)
{
	struct slice copy;

	pthread_mutex_lock(&lock);
	copy = arena_slice(arena, buf_slice(&last_recipients));
	pthread_mutex_unlock(&lock);
	return copy;
}

struct slice fake_all_recipients(struct arena *arena)
{
	struct slice copy;

	pthread_mutex_lock(&lock);
	copy = arena_slice(arena, buf_slice(&all_recipients));
	pthread_mutex_unlock(&lock);
	return copy;
}

unsigned int fake_announced_count(void)
{
	return atomic_load(&announced);
}

unsigned int fake_asked_count(void)
{
	return atomic_load(&asked);
}

unsigned int fake_delivery_count(void)
{
	unsigned int now;

	pthread_mutex_lock(&lock);
	now = count;
	pthread_mutex_unlock(&lock);
	return now;
}

void fake_delivery_hold(void)
{
	pthread_mutex_lock(&lock);
	is_let_go = false;
	buf_clear(&all_recipients);
	pthread_mutex_unlock(&lock);
}

bool fake_delivery_is_held(void)
{
	bool held;

	pthread_mutex_lock(&lock);
	held = held_count > 0;
	pthread_mutex_unlock(&lock);
	return held;
}

void fake_delivery_let_go(void)
{
	pthread_mutex_lock(&lock);
	is_let_go = true;
	pthread_cond_broadcast(&let_go);
	pthread_mutex_unlock(&lock);
}
