/* SPDX-License-Identifier: Apache-2.0 */
/* base/fuzz_time.h - time that passes only when all wait, for fuzz targets.
 *
 * Link with fuzz_time_args: poll(2) and the monotonic clock are then ours
 * between fuzz_time_start and fuzz_time_stop.  Code that would wait for a peer
 * calls the peer instead, on the same thread; if the peer has nothing to say,
 * the clock jumps to the end of the wait.  So an hour of timeouts takes
 * microseconds, and the same input does the same every time.
 */
#ifndef BASE_FUZZ_TIME_H
#define BASE_FUZZ_TIME_H

#include <stdint.h>

enum { FUZZ_TIME_NEVER = -1 };

/* Lets the peer behind fd read and write.  0: it did; else so many
 * milliseconds pass before it does, or FUZZ_TIME_NEVER. */
typedef int64_t (*fuzz_time_peer)(void *context, int fd);

void fuzz_time_start(fuzz_time_peer peer, void *context);
int64_t fuzz_time_now(void);
void fuzz_time_pass(int64_t ms);
void fuzz_time_stop(void);

#endif
