/* SPDX-License-Identifier: Apache-2.0 */
/* message/cfws.h - comments and folding white space: RFC 5322 section 3.2.2. */
#ifndef MESSAGE_CFWS_H
#define MESSAGE_CFWS_H

#include "base/err.h"
#include "base/slice.h"

/* Comments in comments; nobody writes more than two. */
enum { CFWS_DEPTH_MAX = 32 };

/* Takes [CFWS] off the start of *text.  False: E_SYNTAX, for a comment that is
 * not closed or nested deeper than CFWS_DEPTH_MAX; where *text then starts is
 * not told. */
bool cfws_skip(struct slice *text, struct err *err);

#endif
