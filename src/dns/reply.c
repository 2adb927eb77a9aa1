/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/reply.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

enum { FIRST_BLOCK = 384, PROBLEM_MAX = 256 };

struct reply *reply_new(void)
{
	struct arena *arena = arena_new(FIRST_BLOCK);
	struct reply *reply = ARENA_NEW(arena, struct reply);

	atomic_init(&reply->holders, 1);
	reply->arena = arena;
	reply->answer.status = DNS_NODATA;
	reply->answer.problem = "";
	reply->answer.rcode = "NOERROR";
	return reply;
}

__attribute__((format(printf, 3, 0))) static struct reply *failure(
    enum dns_security security, const char *rcode, const char *format,
    va_list args)
{
	struct reply *reply = reply_new();
	char problem[PROBLEM_MAX];

	vsnprintf(problem, sizeof(problem), format, args);
	reply->answer.status = DNS_TEMPORARY_FAILURE;
	reply->answer.security = security;
	reply->answer.rcode = rcode;
	reply->answer.problem = arena_text(reply->arena, slice_from(problem));
	return reply;
}

struct reply *reply_failure(
    enum dns_security security, const char *rcode, const char *format, ...)
{
	struct reply *reply;
	va_list args;

	va_start(args, format);
	reply = failure(security, rcode, format, args);
	va_end(args);
	return reply;
}

struct reply *reply_over_limit(const char *rcode, const char *format, ...)
{
	struct reply *reply;
	va_list args;

	va_start(args, format);
	reply = failure(DNS_INSECURE, rcode, format, args);
	va_end(args);
	reply->answer.over_limit = true;
	return reply;
}

struct reply *reply_hold(struct reply *reply)
{
	atomic_fetch_add_explicit(&reply->holders, 1, memory_order_relaxed);
	return reply;
}

void reply_release(struct reply *reply)
{
	if (!reply)
		return;
	if (atomic_fetch_sub_explicit(
		&reply->holders, 1, memory_order_acq_rel) == 1)
		arena_free(reply->arena);
}

size_t reply_size(const struct reply *reply)
{
	return arena_size(reply->arena);
}
