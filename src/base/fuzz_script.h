/* SPDX-License-Identifier: Apache-2.0 */
/* base/fuzz_script.h - for fuzz targets whose input is a script: one step a
 * line.
 *
 * A target that links fuzz_script.c has mutations that know lines: they are
 * added (from fuzz_script_lines), repeated, moved and dropped as a whole, and
 * two scripts are joined between lines; now and then octets within one change.
 */
#ifndef BASE_FUZZ_SCRIPT_H
#define BASE_FUZZ_SCRIPT_H

#include "base/arena.h"
#include "base/slice.h"

/* The target's words: lines worth trying, without line end; ends with NULL. */
extern const char *const fuzz_script_lines[];

/* "\r", "\n", "\0", "\\" and "\hh" (two hexadecimal digits) are one octet. */
struct slice fuzz_script_unescape(struct arena *arena, struct slice text);

#endif
