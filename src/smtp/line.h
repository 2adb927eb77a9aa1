/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/line.h - is a command line what RFC 5321 allows?
 *
 * Lines end with CR LF and nothing else does (section 2.3.8).  A server that
 * takes a bare LF or CR as a line end reads other messages than the one who
 * relayed them: SMTP smuggling.
 */
#ifndef SMTP_LINE_H
#define SMTP_LINE_H

#include "base/slice.h"

enum line_fault { LINE_OK, LINE_BARE_LF, LINE_BARE_CR, LINE_NUL };

/* line ends with its LF.  LINE_OK: *ret is the text before CR LF. */
enum line_fault line_check(struct slice line, struct slice *ret);

#endif
