/* SPDX-License-Identifier: Apache-2.0 */
/* base/memory.h - allocation that cannot fail, for what no arena owns.
 *
 * Exhaustion ends the process: 250 is said only after safe delivery, so
 * nothing acknowledged is lost.  Whatever a peer can size passes a limit
 * before it comes here.  Outside base/ an arena is nearly always better.
 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>

/* Zeroed; count * size is checked for overflow. */
void *memory_new(size_t count, size_t size);

/* Keeps what is there; what is added is not initialized. */
void *memory_resize(void *memory, size_t count, size_t size);

/* A terminated copy of len bytes of text. */
char *memory_copy_text(const char *text, size_t len);

/* memory may be NULL. */
void memory_free(void *memory);

#define MEMORY_NEW(type) ((type *)memory_new(1, sizeof(type)))

/* For a process of many threads and large messages; call before they start.
 * Few arenas: what one thread gave back serves the next.  Memory is taken and
 * given back in larger steps, and a message's buffer is not mapped afresh each
 * time, which cost a twelfth of a 2 MB message in page faults. */
void memory_tune(void);

#endif
