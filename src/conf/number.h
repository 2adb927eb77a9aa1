/* SPDX-License-Identifier: Apache-2.0 */
/* conf/number.h - numbers, durations and sizes with their units. */
#ifndef CONF_NUMBER_H
#define CONF_NUMBER_H

#include "conf/fields.h"

/* TYPE_NUMBER, TYPE_SIZE, TYPE_SECONDS or TYPE_MILLISECONDS.  False: not one,
 * or it does not fit.  A duration needs its unit unless it is 0. */
bool number_parse(enum field_type type, struct slice text, uint64_t *ret);

/* With the largest unit that keeps it whole. */
struct slice number_format(
    struct arena *arena, enum field_type type, uint64_t number);

#endif
