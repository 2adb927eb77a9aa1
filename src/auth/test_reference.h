/* SPDX-License-Identifier: Apache-2.0 */
/* auth/test_reference.h - body canonicalization as the text of RFC 6376 says
 * it, octet by octet and line by line: what body_hash is compared with.  For
 * tests and fuzzing only.
 */
#ifndef AUTH_TEST_REFERENCE_H
#define AUTH_TEST_REFERENCE_H

#include "auth/body_hash.h"

struct slice test_reference_body(struct arena *arena,
    enum dkim_canonicalization canonicalization, struct slice body);

/* LF without CR before it becomes CR LF. */
struct slice test_reference_crlf(struct arena *arena, struct slice text);

#endif
