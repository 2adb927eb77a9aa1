/* SPDX-License-Identifier: Apache-2.0 */
/* auth/psl.h - the Public Suffix List, as a cross-check.
 *
 * DMARC no longer uses it (RFC 9989 section 4.10); older receivers do.  Where
 * it and the tree walk differ, `gatehouse dmarc` says so.
 */
#ifndef AUTH_PSL_H
#define AUTH_PSL_H

#include "base/arena.h"
#include "base/slice.h"

/* The public suffix with one label more.  Empty: domain is itself a public
 * suffix, is no domain name, or the system has no list. */
struct slice psl_organizational_domain(
    struct arena *arena, struct slice domain);

#endif
