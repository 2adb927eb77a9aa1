/* SPDX-License-Identifier: Apache-2.0 */
/* base/log_private.h - what log.c and log_client.c share. */
#ifndef BASE_LOG_PRIVATE_H
#define BASE_LOG_PRIVATE_H

#include "base/ip.h"

/* Whom a thread works for. */
struct log_client {
	bool known;
	uint16_t port;
	unsigned int topics; /* traced for this client */
	struct ip ip;
};

extern _Thread_local struct log_client log_client;

#endif
