/* SPDX-License-Identifier: Apache-2.0 */
/* cli/named_check.h - what a configuration names, looked at: certificates with
 * their keys, the authorities of next hops, the trust anchor or zone, the user,
 * folders, and next hops that are this gateway.
 */
#ifndef CLI_NAMED_CHECK_H
#define CLI_NAMED_CHECK_H

#include "conf/check.h"

/* For check_file.  What cannot be used is an error; what is about to end, or
 * may be made before the start, is a warning. */
void named_check(const struct config *config, const struct checker *checker);

#endif
