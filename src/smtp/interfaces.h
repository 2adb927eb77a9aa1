/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/interfaces.h - the addresses of this host. */
#ifndef SMTP_INTERFACES_H
#define SMTP_INTERFACES_H

#include <stdbool.h>

#include "base/ip.h"

/* Loopback, or an address of an interface.  Any thread may ask, for each
 * message: the system is asked once a second (14 us with two interfaces, more
 * with the hundreds of a container host), so an address that moves here is
 * known a second later.  What the system does not tell is not ours. */
bool interfaces_have(const struct ip *ip);

#endif
