/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/tls_server.h - what a listener shows to TLS clients.
 *
 * TLS 1.2 and later.  One context a listener and configuration snapshot, so a
 * reload brings new certificates to new sessions; snapshots share it while its
 * files cannot be used.  A client certificate is
 * asked for when tls.client_ca is set, and never demanded: mail from those who
 * have none is judged without it.
 */
#ifndef SMTP_TLS_SERVER_H
#define SMTP_TLS_SERVER_H

#include "base/arena.h"
#include "base/err.h"
#include "conf/config.h"
#include "message/envelope.h"

struct ssl_ctx_st;
struct ssl_st;

/* Certificate and key are read now.  False: E_CONFIG, naming the file. */
bool tls_server_load(
    const struct conf_tls *tls, struct ssl_ctx_st **ret, struct err *err);
void tls_server_free(struct ssl_ctx_st *context);

/* One more owner, who frees it, too.  Any thread. */
struct ssl_ctx_st *tls_server_hold(struct ssl_ctx_st *context);

/* When the first certificate of the chain expires, in seconds since 1970; 0 if
 * that cannot be told. */
int64_t tls_server_expires(const struct ssl_ctx_st *context);

/* Whether the certificate has the name, as RFC 6125 has it: an alternative name
 * ("*." stands for one label), or the common name where there are none. */
bool tls_server_is_for(struct ssl_ctx_st *context, struct slice name);

/* For stream_start_tls. */
struct ssl_st *tls_server_accept(struct ssl_ctx_st *context);

/* After the handshake: fills tls, tls_version, tls_cipher and, if the client's
 * certificate was verified, tls_names (lower case; the alternative names, or
 * the common name where there are none). */
void tls_server_describe(
    struct ssl_st *ssl, struct arena *arena, struct envelope_client *client);

#endif
