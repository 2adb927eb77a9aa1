/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/rate.h - how much each network (IPv4 /24, IPv6 /64) takes.
 *
 * Counts connections, new connections per minute, messages per minute and
 * threads at work, against struct limits.  Clients without an address (Unix
 * sockets) are not counted.  Any thread; one lock, held shortly.
 */
#ifndef SMTP_RATE_H
#define SMTP_RATE_H

#include <stdbool.h>

#include "base/ip.h"
#include "base/limits.h"

struct rate_table;

struct rate_table *rate_new(void);
void rate_free(struct rate_table *table);

/* Counts a new connection; NULL if it may stay, else the name of the setting
 * that it is over (it is not counted as open then). */
const char *rate_connect(
    struct rate_table *table, const struct ip *ip, const struct limits *limits);

/* Once for each rate_connect that returned NULL. */
void rate_disconnect(struct rate_table *table, const struct ip *ip);

/* Counts a message; NULL, or the setting. */
const char *rate_message(
    struct rate_table *table, const struct ip *ip, const struct limits *limits);

/* Before a session of the network runs on a thread.  False: half of
 * limits->threads run for it already, and the others are not its. */
bool rate_begin_work(
    struct rate_table *table, const struct ip *ip, const struct limits *limits);

/* Once for each rate_begin_work that returned true. */
void rate_end_work(struct rate_table *table, const struct ip *ip);

/* Networks remembered now. */
size_t rate_size(struct rate_table *table);

#endif
