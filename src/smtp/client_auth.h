/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/client_auth.h - logging in to a next hop: RFC 4954, PLAIN and LOGIN. */
#ifndef SMTP_CLIENT_AUTH_H
#define SMTP_CLIENT_AUTH_H

#include "smtp/client.h"

/* As a client gave them, decoded.  Free of NUL. */
struct delivery_credentials {
	struct slice authorization_id; /* of PLAIN; or empty */
	struct slice user;
	struct slice password;
};

/* *ret is the reply that ends the exchange: 235 for yes.  False: E_TEMP if
 * the connection is not private or neither mechanism is offered, or the
 * connection failed. */
bool client_auth(struct smtp_client *client,
    const struct delivery_credentials *credentials, struct smtp_reply *ret,
    struct err *err);

#endif
