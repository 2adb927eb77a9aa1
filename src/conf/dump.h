/* SPDX-License-Identifier: Apache-2.0 */
/* conf/dump.h - a snapshot as the text that loads to the same snapshot. */
#ifndef CONF_DUMP_H
#define CONF_DUMP_H

#include "base/buf.h"
#include "conf/config.h"

enum dump_flags {
	DUMP_CHANGED = 1 << 0, /* only what differs from the defaults */
	DUMP_JSON = 1 << 1,    /* instead of YAML */
};

enum { DUMP_SIZE_MAX = 64 * 1024 * 1024 };

/* What has neither a value nor a default is left out.  False: buf is full. */
bool dump_config(
    const struct config *config, unsigned int flags, struct buf *buf);

#endif
