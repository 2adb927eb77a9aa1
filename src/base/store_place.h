/* SPDX-License-Identifier: Apache-2.0 */
/* base/store_place.h - what follows "sqlite:" in the URL of a store.
 *
 * "/path/gatehouse.db", with "?max_size=20G" to leave room on a disk that
 * others use: K, M, G or T are units of 1024.  The configuration is checked
 * by the same function that the store is opened with.
 */
#ifndef BASE_STORE_PLACE_H
#define BASE_STORE_PLACE_H

#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

enum { STORE_PATH_MAX = 4000 };

struct store_place {
	struct slice path;
	uint64_t max_size; /* octets; 0: as large as the disk */
};

/* Borrows.  False: E_CONFIG. */
bool store_place_parse(
    struct slice text, struct store_place *ret, struct err *err);

#endif
