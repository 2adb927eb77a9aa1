/* SPDX-License-Identifier: Apache-2.0 */
/* dns/dns_test.h - a resolver that knows one zone, for tests of what asks it.
 */
#ifndef DNS_DNS_TEST_H
#define DNS_DNS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dns/resolver.h"

/* Of a master file's text; queries for the names of failures fail.  Fails the
 * test if the text is wrong; the caller releases the resolver. */
static inline struct dns_resolver *dns_test_open(
    struct slice zone, size_t failure_count, const struct dns_failure *failures)
{
	struct dns_settings settings = {
	    .zone_text = zone,
	    .failure_count = failure_count,
	    .failures = failures,
	    .query_timeout_ms = 1000,
	};
	struct dns_resolver *resolver = NULL;
	struct err err;

	if (!dns_resolver_open(&settings, &resolver, &err))
		fail_msg("%s", err.text);
	return resolver;
}

/* What one message may ask. */
static inline struct dns_session *dns_test_session(
    struct arena *arena, struct dns_resolver *resolver)
{
	return dns_session_new(
	    arena, resolver, &limits_default, deadline_in(10000));
}

#endif
