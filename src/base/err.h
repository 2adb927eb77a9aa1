/* SPDX-License-Identifier: Apache-2.0 */
/* base/err.h - why something failed.
 *
 * A function that can fail returns bool and fills a struct err of its caller.
 * Domain results (an SPF temperror, a DNS NXDOMAIN) are not failures: they are
 * enums of their own.  Only gate/failure_policy turns kinds into SMTP replies.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>

enum err_kind {
	E_NONE,
	E_SYNTAX, /* input breaks its grammar */
	E_LIMIT,  /* input is over a limit */
	E_NOT_FOUND,
	E_TEMP,	   /* the same call may succeed later */
	E_TIMEOUT, /* a deadline passed */
	E_CLOSED,  /* the peer closed the connection */
	E_IO,	   /* the system refused: errno's text is in the message */
	E_FULL,	   /* no space left */
	E_CONFIG,  /* the configuration is wrong */
	E_USAGE,   /* the command line is wrong */
};

enum { ERR_TEXT_MAX = 512 };

struct err {
	enum err_kind kind;
	char text[ERR_TEXT_MAX]; /* one line, terminated, maybe cut */
};

/* Fills err (which may be NULL) and returns false, so that
 * "return err_set(...)" ends a failing function. */
bool err_set(struct err *err, enum err_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As err_set, with ": " and the text of errno appended.  The kind follows
 * errno: no room is E_FULL, what may be there later (EAGAIN, EMFILE, ENFILE,
 * ENOBUFS, ENOMEM) E_TEMP, a lost connection E_CLOSED, ETIMEDOUT E_TIMEOUT,
 * ENOENT E_NOT_FOUND, the others E_IO. */
bool err_set_errno(struct err *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Puts "prefix: " before the text; keeps the kind; returns false. */
bool err_prefix(struct err *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What the analyzer of clang-tidy cannot see from here: they return false. */
#ifdef __clang_analyzer__
#define err_set(...) ((void)err_set(__VA_ARGS__), false)
#define err_set_errno(...) ((void)err_set_errno(__VA_ARGS__), false)
#define err_prefix(...) ((void)err_prefix(__VA_ARGS__), false)
#endif

/* "syntax", "limit", ...: for logs. */
const char *err_kind_name(enum err_kind kind);

#endif
