/* SPDX-License-Identifier: Apache-2.0 */
/* conf/check_effect.h - settings that other settings leave without effect: who
 * wrote them believes that they protect something. */
#ifndef CONF_CHECK_EFFECT_H
#define CONF_CHECK_EFFECT_H

#include "conf/check.h"

void check_effect(const struct config *config, const struct checker *checker);

#endif
