/* SPDX-License-Identifier: Apache-2.0 */
/* message/content_memory.h - memory that messages take while they come in, all
 * messages of this process together.
 *
 * Ten thousand clients that stop amid a message must not take all memory: each
 * message says what it holds.  Beyond an eighth of limits.content_memory in all
 * none but small ones stay in memory, beyond all of it none is taken.
 */
#ifndef MESSAGE_CONTENT_MEMORY_H
#define MESSAGE_CONTENT_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "message/spool.h"

/* Now so many octets of a message, that were *held; of all: any thread.
 * Give 0 in the end. */
uint64_t content_memory_hold(uint64_t *held, uint64_t now);

/* The same of a message that is in the spool, with so many octets besides.
 * False: all together hold more than max. */
bool content_memory_allows(
    uint64_t max, uint64_t *held, struct spool *spool, uint64_t besides);

#endif
