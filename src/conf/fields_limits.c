/* SPDX-License-Identifier: Apache-2.0 */
/* One row for every member of struct limits; their defaults are
 * limits_default, in base/limits.c.
 */
#include "conf/fields.h"

#define LIMIT(member, kind, low, high)                                         \
	.name = #member, .type = kind,                                         \
	.offset = offsetof(struct limits, member), .min = (low), .max = (high)

static const struct field limits_fields[] = {
    {LIMIT(message_size, TYPE_SIZE, 1024, (uint64_t)2 << 30),
	.help = "The largest message, as SIZE announces it (RFC 1870).",
	.example = "50M"},
    {LIMIT(header_size, TYPE_SIZE, 1024, 16 << 20),
	.help = "The largest header block.", .example = "256K"},
    {LIMIT(header_count, TYPE_NUMBER, 10, 100000),
	.help = "Header fields of a message.", .example = "1000"},
    {LIMIT(header_field_size, TYPE_SIZE, 998, 4 << 20),
	.help = "The largest header field, with its folded lines.",
	.example = "64K"},
    {LIMIT(line_length, TYPE_SIZE, 998, 1 << 20),
	.help = "The longest line of a message; RFC 5322 section 2.1.1 "
		"allows 998, but many programs fold nothing.",
	.example = "16K"},
    {LIMIT(received_count, TYPE_NUMBER, 5, 1000),
	.help = "Received fields before a message is taken for a loop.",
	.example = "50"},
    {LIMIT(mime_depth, TYPE_NUMBER, 1, 1000),
	.help = "How deep parts of a message may nest.", .example = "50"},
    {LIMIT(mime_parts, TYPE_NUMBER, 1, 1000000), .help = "Parts of a message.",
	.example = "1000"},
    {LIMIT(spool_memory, TYPE_SIZE, 4096, 1 << 30),
	.help = "Larger messages go to a file of the spool.", .example = "4M"},
    {LIMIT(content_memory, TYPE_SIZE, 1 << 20, 1ULL << 40),
	.help = "Memory that all messages together take while they come in, by "
		"SMTP or by milter each; over it they are deferred.",
	.example = "256M"},
    {LIMIT(connections, TYPE_NUMBER, 1, 1000000),
	.help = "Connections at one time, in all.", .example = "2000"},
    {LIMIT(connections_per_network, TYPE_NUMBER, 1, 1000000),
	.help = "Connections at one time from one /24 or /64.",
	.example = "20"},
    {LIMIT(connection_rate, TYPE_NUMBER, 1, 1000000),
	.help = "New connections from one /24 or /64 in a minute.",
	.example = "60"},
    {LIMIT(message_rate, TYPE_NUMBER, 1, 1000000),
	.help = "Messages from one /24 or /64 in a minute; not of internal "
		"clients of relay listeners.",
	.example = "300"},
    {LIMIT(failed_logins, TYPE_NUMBER, 1, 1000000),
	.help = "Failed logins from one /24 or /64 in a minute; until it is "
		"over nobody from there logs in.",
	.example = "10"},
    {LIMIT(threads, TYPE_NUMBER, 1, 32768),
	.help = "Sessions that work at one time, half of them of one network; "
		"the others wait in line.",
	.example = "256"},
    /* What a session's input holds: STREAM_INPUT_MAX in smtp/stream.h. */
    {LIMIT(command_length, TYPE_SIZE, 512, 32768),
	.help = "The longest SMTP command; RFC 5321 section 4.5.3.1.4 "
		"wants 512.",
	.example = "2K"},
    {LIMIT(recipients, TYPE_NUMBER, 1, 100000),
	.help = "Recipients of a message; RFC 5321 section 4.5.3.1.8 "
		"wants 100.",
	.example = "200"},
    {LIMIT(refused_recipients, TYPE_NUMBER, 1, 100000),
	.help = "Recipients refused with 5xx before the connection ends: who "
		"guesses addresses. A delivered message outweighs one; "
		"internal clients of relay listeners have no such limit.",
	.example = "20"},
    {LIMIT(bad_commands, TYPE_NUMBER, 1, 1000),
	.help = "Unknown or refused commands before the connection ends. A "
		"delivered message outweighs one.",
	.example = "10"},
    {LIMIT(transactions, TYPE_NUMBER, 1, 1000000),
	.help = "Messages of one connection.", .example = "100"},
    {LIMIT(command_timeout, TYPE_MILLISECONDS, 100, 3600 * 1000),
	.help = "Time for one whole command; RFC 5321 section 4.5.3.2.7 "
		"wants 5m.",
	.example = "300s"},
    {LIMIT(data_timeout, TYPE_MILLISECONDS, 100, 3600 * 1000),
	.help = "Time without any byte of a message; RFC 5321 section "
		"4.5.3.2.5 wants 3m.",
	.example = "180s"},
    {LIMIT(data_rate, TYPE_SIZE, 0, 1 << 30),
	.help = "Bytes in a second that a client must send of a message; "
		"0 is any.",
	.example = "512"},
    {LIMIT(tls_timeout, TYPE_MILLISECONDS, 100, 600 * 1000),
	.help = "Time for a whole TLS handshake.", .example = "30s"},
    {LIMIT(session_timeout, TYPE_MILLISECONDS, 1000, 86400 * 1000),
	.help = "Time for a whole connection.", .example = "1h"},
    {LIMIT(tarpit_delay, TYPE_MILLISECONDS, 0, 60 * 1000),
	.help = "How long an error reply is held back.", .example = "1s"},
    {LIMIT(next_hop_timeout, TYPE_MILLISECONDS, 100, 3600 * 1000),
	.help = "Time for one command to the next hop.", .example = "60s"},
    {LIMIT(next_hop_data_timeout, TYPE_MILLISECONDS, 100, 3600 * 1000),
	.help = "Time for the reply of the next hop to a message; RFC "
		"5321 section 4.5.3.2.6 wants 10m. Whatever is set, a "
		"client has its answer nine minutes after its message.",
	.example = "10m"},
    {LIMIT(next_hop_waiting, TYPE_NUMBER, 0, 1000000),
	.help = "Connections to next hops that may wait until a slow client "
		"has sent its message, or until DNS has answered for it, all "
		"routes together. Of more, those "
		"that have waited longest are given back, and their "
		"recipients asked for once more when the message is there. "
		"A half of what the next hop takes at one time (Postfix, "
		"Dovecot: 100; Exim: 20). With 0 a client that does not send "
		"its commands "
		"together can have five recipients in a message.",
	.example = "50"},
    {LIMIT(drain_timeout, TYPE_MILLISECONDS, 0, 3600 * 1000),
	.help = "How long running sessions may finish when the program "
		"ends.  The supervisor waits 5 s more, and systemd as long "
		"as TimeoutStopSec= of its unit says (90 s).",
	.example = "30s"},
    {LIMIT(dkim_signatures, TYPE_NUMBER, 1, 100),
	.help = "DKIM signatures that are verified of a message.  Of more, "
		"those by a domain of From, or near one, come first; then "
		"those on top.",
	.example = "10"},
    {LIMIT(arc_sets, TYPE_NUMBER, 1, 50),
	.help = "ARC sets of a message; RFC 8617 section 4.2.1 allows 50.",
	.example = "20"},
    {LIMIT(from_addresses, TYPE_NUMBER, 1, 100),
	.help = "Addresses in From that are evaluated.", .example = "10"},
    {LIMIT(dns_queries, TYPE_NUMBER, 10, 10000),
	.help = "DNS queries for one message.", .example = "200"},
    {LIMIT(dns_time, TYPE_MILLISECONDS, 100, 600 * 1000),
	.help = "Time for all DNS queries of one message; RFC 7208 "
		"section 4.6.4 wants 20s.",
	.example = "20s"},
    {LIMIT(dns_query_timeout, TYPE_MILLISECONDS, 100, 120 * 1000),
	.help = "Time for one DNS query.", .example = "5s"},
    {LIMIT(dns_memory, TYPE_SIZE, 64 * 1024, 1 << 30),
	.help = "Memory for the DNS answers of one message.", .example = "1M"},
};

const struct table table_limits = {
    .fields = limits_fields,
    .count = sizeof(limits_fields) / sizeof(limits_fields[0]),
    .size = sizeof(struct limits),
    .defaults = &limits_default,
};
