/* SPDX-License-Identifier: Apache-2.0 */
/* cli/folder_check.h - the folders that the start needs, looked at before. */
#ifndef CLI_FOLDER_CHECK_H
#define CLI_FOLDER_CHECK_H

#include "conf/check.h"

/* One that is missing is an error, unless the start makes it: the last part of
 * spool_directory, and the unit's StateDirectory=.  One that who asks may not
 * look at, or where (asked by root) the configured user seems to have no
 * right to write, or nobody has, is a warning. */
void folder_check(const struct config *config, const struct checker *checker);

#endif
