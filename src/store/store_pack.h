/* SPDX-License-Identifier: Apache-2.0 */
/* store/store_pack.h - the facts of a trace as they lie in the store.
 *
 * The text's length in four octets (little-endian), then a block of LZ4 that
 * was made with a dictionary of what every trace has in common: 3.4 KB become
 * 0.7, which takes 3 us.  Zstandard would make it 0.6, and takes 6.
 */
#ifndef STORE_STORE_PACK_H
#define STORE_STORE_PACK_H

#include "base/arena.h"
#include "base/err.h"

/* In the arena; the text has STORE_FACTS_MAX octets at most. */
struct slice store_pack(struct arena *arena, struct slice text);

/* *ret in the arena, terminated.  False: E_IO, what store_pack made is
 * damaged. */
bool store_unpack(struct arena *arena, struct slice packed, struct slice *ret,
    struct err *err);

#endif
