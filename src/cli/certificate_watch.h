/* SPDX-License-Identifier: Apache-2.0 */
/* cli/certificate_watch.h - have the files of TLS changed?
 *
 * Certificates, keys and the CAs of clients, and those of next hops: all that
 * is read when a configuration is taken into use.  See base/file_watch.h.
 */
#ifndef CLI_CERTIFICATE_WATCH_H
#define CLI_CERTIFICATE_WATCH_H

#include "base/file_watch.h"
#include "conf/config.h"

/* Before the files of this configuration are read. */
void certificate_watch_begin(
    struct file_watch *watch, const struct config *config);

bool certificate_watch_changed(
    struct file_watch *watch, const struct config *config);

#endif
