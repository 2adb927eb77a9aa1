/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/tls_certificate.h - what a certificate's file says about itself. */
#ifndef SMTP_TLS_CERTIFICATE_H
#define SMTP_TLS_CERTIFICATE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

/* When the first certificate of a PEM file ends to be valid, those of its
 * chain included: seconds since 1970 UTC.  False: E_NOT_FOUND, E_IO (not to be
 * read), E_LIMIT, E_CONFIG (there is no certificate in it). */
bool tls_certificate_expires(
    struct arena *arena, struct slice path, int64_t *ret, struct err *err);

#endif
