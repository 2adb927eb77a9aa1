/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/client_tls.h - TLS towards next hops.
 *
 * Contexts are made when first needed (or prepared) and shared by all threads:
 * loading the system's certificates costs milliseconds and memory.  Sessions
 * are not resumed.
 */
#ifndef SMTP_CLIENT_TLS_H
#define SMTP_CLIENT_TLS_H

#include <stdbool.h>

#include "base/err.h"
#include "base/slice.h"
#include "conf/config.h"

struct client_tls;
struct ssl_st;

struct client_tls *client_tls_new(void);
void client_tls_free(struct client_tls *tls);

/* Loads the tls_ca that the next hops of route are verified with, if they are:
 * otherwise its first message would find out that it is of no use.  False:
 * E_CONFIG (ca cannot be read, or is none) or E_TEMP. */
bool client_tls_prepare(
    struct client_tls *tls, const struct conf_route *route, struct err *err);

/* What old has prepared for route, where that cannot be done any more: both
 * use it from now on. */
void client_tls_keep(struct client_tls *tls, struct client_tls *old,
    const struct conf_route *route);

/* A connection's state, to be given to stream_start_tls.  verify: the
 * certificate must be for host (a name or an address) and lead to ca (PEM
 * file; empty: the system's authorities), with TLS 1.2 at least.  Without it
 * anything goes, since the other choice is no encryption at all (RFC 7435).
 * False: E_CONFIG (ca cannot be read) or E_TEMP. */
bool client_tls_start(struct client_tls *tls, bool verify, struct slice ca,
    struct slice host, struct ssl_st **ret, struct err *err);

/* Why the peer's certificate was refused; "" if that was not the trouble. */
const char *client_tls_problem(struct ssl_st *ssl);

#endif
