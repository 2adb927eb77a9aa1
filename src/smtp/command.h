/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/command.h - the grammar of command lines (RFC 5321, section 4.1).
 *
 * Everything borrows the line.  Nothing here knows what a command does.
 */
#ifndef SMTP_COMMAND_H
#define SMTP_COMMAND_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

/* More parameters than any extension here defines are an attack. */
enum { COMMAND_PARAMETERS_MAX = 16 };

struct command {
	struct slice verb;
	struct slice argument; /* without white space at both ends */
};

struct command_parameter {
	struct slice name;
	struct slice value;
	bool has_value;
};

struct command_path {
	struct slice path; /* between the angle brackets */
	size_t count;
	struct command_parameter parameters[COMMAND_PARAMETERS_MAX];
};

/* line is without its end. */
struct command command_split(struct slice line);

/* "FROM:<path> NAME=value NAME": keyword is "FROM:" or "TO:".  White space
 * before the path is forgiven.  False: E_SYNTAX or E_LIMIT, *ret untouched. */
bool command_parse_path(struct slice argument, struct slice keyword,
    struct command_path *ret, struct err *err);

/* xtext of RFC 3461, section 4: "+3D" is "=". */
bool command_decode_xtext(
    struct arena *arena, struct slice text, struct slice *ret);

/* "123" or "123 LAST" (RFC 3030, section 2). */
bool command_parse_bdat(
    struct slice argument, uint64_t *ret_size, bool *ret_last);

/* A HELO or EHLO argument that can be kept and printed: some name or address
 * literal, however wrong, of at most 255 visible bytes. */
bool command_helo_is_sane(struct slice argument);

#endif
