/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/tls_certificate.h - what a certificate's file says about itself. */
#ifndef SMTP_TLS_CERTIFICATE_H
#define SMTP_TLS_CERTIFICATE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

struct x509_st;

/* When the first certificate of a PEM file ends to be valid, those of its
 * chain included: seconds since 1970 UTC.  False: E_NOT_FOUND, E_IO (not to be
 * read), E_LIMIT, E_CONFIG (there is no certificate in it). */
bool tls_certificate_expires(
    struct arena *arena, struct slice path, int64_t *ret, struct err *err);

/* The same of one certificate.  False: its time cannot be read. */
bool tls_certificate_not_after(const struct x509_st *certificate, int64_t *ret);

/* A pem_password_cb: no file is opened with a passphrase, and nobody is asked
 * at a terminal.  asked: a bool that becomes true, or NULL. */
int tls_certificate_no_passphrase(
    char *room, int size, int writes, void *asked);

#endif
