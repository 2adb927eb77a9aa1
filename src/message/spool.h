/* SPDX-License-Identifier: Apache-2.0 */
/* message/spool.h - the bytes of one message while they arrive.
 *
 * In memory up to a size, then in an unlinked file of the spool directory:
 * nothing is left behind by a crash.  Content is seen as one slice (the file
 * is mapped), so no reader knows the difference.
 */
#ifndef MESSAGE_SPOOL_H
#define MESSAGE_SPOOL_H

#include "base/arena.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/slice.h"

struct spool;

/* The arena releases it.  directory is used only past limits->spool_memory;
 * its text must outlive the spool. */
struct spool *spool_new(
    struct arena *arena, const char *directory, const struct limits *limits);

/* False: E_LIMIT (limits->message_size), E_FULL (the disk is, nearly), E_IO;
 * what was there is let go, unless it is E_LIMIT. */
bool spool_add(struct spool *spool, struct slice bytes, struct err *err);

/* Memory is short: with the next octets all but a small message (64 KiB) goes
 * to the file. */
void spool_use_file(struct spool *spool);

/* What is there is let go; from now on octets are counted, and refused over
 * the limit, but not kept: spool_content must not follow. */
void spool_forget(struct spool *spool);

uint64_t spool_size(const struct spool *spool);

/* What it takes of memory now; mapped content does not count. */
size_t spool_memory(const struct spool *spool);

/* All of it, valid until the next spool_add or the spool's end.
 * False: E_TEMP or E_IO (mapping failed). */
bool spool_content(struct spool *spool, struct slice *ret, struct err *err);

#endif
