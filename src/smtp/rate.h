/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/rate.h - how much each network (IPv4 /24, IPv6 /64) takes.
 *
 * Counts connections, new connections per minute, messages and failed logins
 * per minute and threads at work, against struct limits.  Clients without an
 * address (Unix sockets) are not counted.  Minutes begin with the table.  Any
 * thread; one lock, held shortly.
 *
 * Work of a network that has its share of the threads stands in that network's
 * line, first come, first served: it gets the thread's place of one that ends.
 */
#ifndef SMTP_RATE_H
#define SMTP_RATE_H

#include <stdbool.h>

#include "base/ip.h"
#include "base/limits.h"
#include "base/workers.h"

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

/* Before a login is tried: NULL, or the setting that the failed ones of this
 * minute have reached.  Logins that are tried meanwhile are not counted yet. */
const char *rate_login(
    struct rate_table *table, const struct ip *ip, const struct limits *limits);

/* It failed: counted. */
void rate_login_failed(struct rate_table *table, const struct ip *ip);

/* Before work for the network is run.  False: half of limits->threads run for
 * it already, and the others are not its, or somebody is in line; work is in
 * line now and not the caller's any more (NULL: it is not). */
bool rate_begin_work(struct rate_table *table, const struct ip *ip,
    const struct limits *limits, struct work *work);

/* Once for each work that has run: rate_begin_work returned true, or it came
 * from here.  Returns the first in line, to be run now, linked by their next:
 * one, none, or (after a reload there are more threads) several. */
struct work *rate_end_work(struct rate_table *table, const struct ip *ip);

/* Somebody is in the network's line. */
bool rate_has_line(struct rate_table *table, const struct ip *ip);

/* From now on nobody has to stand in line.  Returns all who do, to be run now,
 * linked by their next. */
struct work *rate_end_lines(struct rate_table *table);

/* In all lines. */
size_t rate_in_line(struct rate_table *table);

/* Networks remembered now. */
size_t rate_size(struct rate_table *table);

#endif
