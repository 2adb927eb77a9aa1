/* SPDX-License-Identifier: Apache-2.0 */
/* base/log_client.h - traces of one client or network, while the service runs.
 *
 * A thread that works for a client says so (log_client_begin); topics that are
 * traced for that client's network are then traced on this thread, and every
 * trace line names the client.  Where nothing is traced this costs one read of
 * an atomic.
 *
 * A rule ends by itself: no trace is forgotten and fills the disk.
 */
#ifndef BASE_LOG_CLIENT_H
#define BASE_LOG_CLIENT_H

#include "base/ip.h"
#include "base/log.h"

enum { LOG_CLIENT_RULES_MAX = 16 };

struct log_client_rule {
	struct ip_network network;
	unsigned int topics; /* of enum log_topic */
	int64_t until_ms;    /* since 1970 */
};

/* Replaces all rules; at most LOG_CLIENT_RULES_MAX.  Any thread. */
void log_client_set(size_t count, const struct log_client_rule *rules);

/* This thread works for that client from now on.  Call it again when the
 * client turns out to be another (PROXY, XCLIENT). */
void log_client_begin(const struct ip *ip, uint16_t port);
void log_client_end(void);

#endif
