/* SPDX-License-Identifier: Apache-2.0 */
/* cli/samples.h - values out of the text of /metrics. */
#ifndef CLI_SAMPLES_H
#define CLI_SAMPLES_H

#include "base/metrics.h"

/* The value of "name" or "name{label=\"value\"}" as the server writes it,
 * without a fraction.  False: not there, or not a number from 0 to 2^53. */
bool samples_find(struct slice text, struct slice series, uint64_t *ret);

/* One value of the label of a metric (see metric_specs), and all of them; 0
 * for what is not there. */
uint64_t samples_value(struct slice text, enum metric metric, size_t value);
uint64_t samples_sum(struct slice text, enum metric metric);

#endif
