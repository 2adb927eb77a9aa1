/* SPDX-License-Identifier: Apache-2.0 */
/* milter/test_config.h - what the tests of this directory configure. */
#ifndef MILTER_TEST_CONFIG_H
#define MILTER_TEST_CONFIG_H

#include "conf/config.h"

/* End with config_release. */
static inline struct config *test_config(void)
{
	struct config *config = config_default();

	config->hostname = SLICE("mx.example");
	config->limits = limits_default;
	config->spool_directory = SLICE("/tmp");
	return config;
}

#endif
