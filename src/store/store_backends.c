/* SPDX-License-Identifier: Apache-2.0 */
/* The backends there are: adding one is a file and a row. */
#include "store/store_private.h"

const struct store_backend *const store_backends[] = {
    &sqlite_backend,
    NULL,
};
