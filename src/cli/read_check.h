/* SPDX-License-Identifier: Apache-2.0 */
/* cli/read_check.h - whether the service may read what root can. */
#ifndef CLI_READ_CHECK_H
#define CLI_READ_CHECK_H

#include "conf/check.h"

/* Asked by root: a file that the configured user may not open is a warning, not
 * an error, since the unit may add groups (SupplementaryGroups=).  It is opened
 * as that user, so groups, access control lists and folders count.  Nothing
 * happens if others ask, or if there is no such user.  Not beside threads that
 * open files. */
void read_check(const struct config *config, const struct checker *checker);

#endif
