/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/require.h"

/* What err.h defines for an analyzer. */
#undef err_set
#undef err_set_errno
#undef err_prefix

static const char *const kind_names[] = {
    [E_NONE] = "none",
    [E_SYNTAX] = "syntax",
    [E_LIMIT] = "limit",
    [E_NOT_FOUND] = "not-found",
    [E_TEMP] = "temporary",
    [E_TIMEOUT] = "timeout",
    [E_CLOSED] = "closed",
    [E_IO] = "io",
    [E_FULL] = "full",
    [E_CONFIG] = "config",
    [E_USAGE] = "usage",
};

static enum err_kind kind_of_errno(int number)
{
	switch (number) {
	case ENOSPC:
	case EDQUOT: return E_FULL;
	case EAGAIN:
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM: return E_TEMP;
	case ETIMEDOUT: return E_TIMEOUT;
	case ECONNRESET:
	case EPIPE: return E_CLOSED;
	case ENOENT: return E_NOT_FOUND;
	default: return E_IO;
	}
}

__attribute__((format(printf, 2, 0))) static void set_text(
    struct err *err, const char *format, va_list args)
{
	vsnprintf(err->text, sizeof(err->text), format, args);
}

bool err_set(struct err *err, enum err_kind kind, const char *format, ...)
{
	va_list args;

	if (!err)
		return false;
	err->kind = kind;
	va_start(args, format);
	set_text(err, format, args);
	va_end(args);
	return false;
}

bool err_set_errno(struct err *err, const char *format, ...)
{
	int number = errno;
	char reason[128];
	size_t used;
	va_list args;

	if (!err)
		return false;
	err->kind = kind_of_errno(number);
	va_start(args, format);
	set_text(err, format, args);
	va_end(args);
	used = strlen(err->text);
	snprintf(err->text + used, sizeof(err->text) - used, ": %s",
	    strerror_r(number, reason, sizeof(reason)));
	return false;
}

bool err_prefix(struct err *err, const char *format, ...)
{
	char text[ERR_TEXT_MAX];
	size_t used;
	va_list args;

	if (!err)
		return false;
	memcpy(text, err->text, sizeof(text));
	va_start(args, format);
	set_text(err, format, args);
	va_end(args);
	used = strlen(err->text);
	snprintf(err->text + used, sizeof(err->text) - used, ": %s", text);
	return false;
}

const char *err_kind_name(enum err_kind kind)
{
	require((size_t)kind < sizeof(kind_names) / sizeof(kind_names[0]));
	return kind_names[kind];
}
