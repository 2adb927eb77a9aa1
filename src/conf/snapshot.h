/* SPDX-License-Identifier: Apache-2.0 */
/* conf/snapshot.h - the memory behind a struct config. */
#ifndef CONF_SNAPSHOT_H
#define CONF_SNAPSHOT_H

#include "conf/config.h"

/* Zeroed, with its arena and one holder: end with config_release. */
struct config *snapshot_new(void);

#endif
