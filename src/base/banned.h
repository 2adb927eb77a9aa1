/* SPDX-License-Identifier: Apache-2.0 */
/* base/banned.h - functions that are not used here, as compile errors.
 *
 * Forced into every source by the build (-include), after the system headers
 * that declare them.  Each has a bounded or thread-safe replacement in base/.
 */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* With clang the C library's checked forms are macros. */
#undef sprintf
#undef vsprintf

#pragma GCC poison strcpy strcat strncpy strncat stpcpy strtok strtok_r
#pragma GCC poison sprintf vsprintf gets
#pragma GCC poison atoi atol atoll atof
#pragma GCC poison gmtime localtime ctime asctime
#pragma GCC poison tmpnam tempnam mktemp

#endif
