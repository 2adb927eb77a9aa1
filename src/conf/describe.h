/* SPDX-License-Identifier: Apache-2.0 */
/* conf/describe.h - the documentation of every field, from its row. */
#ifndef CONF_DESCRIBE_H
#define CONF_DESCRIBE_H

#include "base/buf.h"
#include "base/err.h"

enum { DESCRIBE_SIZE_MAX = 1024 * 1024 };

/* Of the field called name ("listeners[].tls.key"; "listeners.tls.key" will
 * do) and all below it; of all fields if name is empty.  As text or as a JSON
 * array.  False: E_USAGE, there is no such field. */
bool describe_fields(
    struct slice name, bool as_json, struct buf *buf, struct err *err);

#endif
