/* SPDX-License-Identifier: Apache-2.0 */
/* base/limits.h - how much a peer may ask for, in one place.
 *
 * Each is a field of the configuration (limits.NAME) with this default; the
 * reply that refuses names the setting.  Sizes are bytes, times milliseconds
 * unless the name says otherwise.
 */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#include <stddef.h>
#include <stdint.h>

struct limits {
	/* message */
	uint64_t message_size;	    /* 150 MiB */
	uint64_t header_size;	    /* the whole header block */
	uint64_t header_count;	    /* fields */
	uint64_t header_field_size; /* one field, folded */
	uint64_t line_length;	    /* of data; RFC 5322 says 998 */
	uint64_t received_count;    /* Received: fields before it is a loop */
	uint64_t mime_depth;
	uint64_t mime_parts;
	uint64_t spool_memory;	 /* larger messages go to a file, see
				  * message/content_memory.h */
	uint64_t content_memory; /* of all messages that come to a child */
	/* session */
	uint64_t connections;		  /* in all */
	uint64_t connections_per_network; /* per /24 or /64 */
	uint64_t connection_rate;	  /* new ones per network and minute */
	uint64_t message_rate;		  /* messages per network and minute */
	uint64_t failed_logins;		  /* per network and minute */
	uint64_t threads;		  /* sessions working at one time */
	uint64_t command_length;
	uint64_t recipients;
	uint64_t refused_recipients;	/* before 421 */
	uint64_t bad_commands;		/* before 421 */
	uint64_t transactions;		/* per connection */
	uint64_t command_timeout;	/* for one whole command */
	uint64_t data_timeout;		/* without any byte of data */
	uint64_t data_rate;		/* bytes per second, at least */
	uint64_t tls_timeout;		/* for a whole handshake */
	uint64_t session_timeout;	/* for a whole connection */
	uint64_t tarpit_delay;		/* before an error reply */
	uint64_t next_hop_timeout;	/* for one command to the next hop */
	uint64_t next_hop_data_timeout; /* for its reply to end of data */
	uint64_t next_hop_waiting;	/* connections that wait, idle */
	uint64_t drain_timeout;		/* after SIGTERM */
	/* authentication */
	uint64_t dkim_signatures;   /* verified per message */
	uint64_t arc_sets;	    /* RFC 8617: 50 */
	uint64_t from_addresses;    /* evaluated per message */
	uint64_t dns_queries;	    /* per message */
	uint64_t dns_time;	    /* per message */
	uint64_t dns_query_timeout; /* per query */
	uint64_t dns_memory;	    /* of all answers of a message */
};

/* What the documentation promises. */
extern const struct limits limits_default;

#endif
