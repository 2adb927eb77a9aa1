/* SPDX-License-Identifier: Apache-2.0 */
/* message/content_memory.h - memory that messages take while they come in, all
 * messages of this process together.
 *
 * Ten thousand clients that stop amid a message must not take all memory: each
 * message says what it holds, and is refused when that is too much in all
 * (limits.content_memory).
 */
#ifndef MESSAGE_CONTENT_MEMORY_H
#define MESSAGE_CONTENT_MEMORY_H

#include <stdint.h>

/* Now so many octets of a message, that were *held; of all: any thread.
 * Give 0 in the end. */
uint64_t content_memory_hold(uint64_t *held, uint64_t now);

#endif
