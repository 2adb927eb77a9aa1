/* SPDX-License-Identifier: Apache-2.0 */
/* base/metrics.h - counters, gauges and histograms that processes share.
 *
 * The supervisor makes one block of memory (memfd) before its children start
 * and hands its descriptor over; every process counts into it with relaxed
 * atomics, and the admin process renders it.  A child that crashes takes no
 * count with it.
 *
 * What is counted are the rows of base/metrics_rows.c, one for each value of
 * enum metric: adding a metric is one enum value and one row.  Labels have
 * fixed values; a word that is not among them counts as the last one, "other":
 * no peer can grow the block.
 *
 * The block in use, and whose gauges are set in it, are the only globals of the
 * program, set once at start by metrics_use and metrics_act_as.  Without it,
 * counting does nothing, so libraries and tests need no set-up.
 */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

enum metric {
	/* smtp */
	METRIC_CONNECTIONS_ACCEPTED,
	METRIC_CONNECTIONS_REFUSED, /* reason */
	METRIC_CONNECTIONS,	    /* gauge: now */
	METRIC_CONNECTIONS_PARKED,  /* gauge: of these */
	METRIC_CONNECTIONS_IN_LINE, /* gauge: of these */
	METRIC_SMTP_REPLIES,	    /* class */
	METRIC_RECEIVED_BYTES,
	METRIC_SMUGGLING_ATTEMPTS,
	METRIC_TLS_HANDSHAKES,	      /* result */
	METRIC_CERTIFICATE_LOADS,     /* result */
	METRIC_CERTIFICATES_KEPT,     /* gauge: 1 or 0 */
	METRIC_CERTIFICATE_NOT_AFTER, /* gauge: seconds since 1970, or 0 */
	/* milter */
	METRIC_MILTER_CONNECTIONS_ACCEPTED,
	METRIC_MILTER_CONNECTIONS, /* gauge: now */
	METRIC_MILTER_FAILURES,	   /* reason */
	/* messages */
	METRIC_MESSAGES,	/* verdict */
	METRIC_POLICY_VERDICTS, /* policy: it decided */
	METRIC_POLICY_REPORTS,	/* policy: matched, not enforced */
	METRIC_CHANGES_REFUSED, /* peer */
	METRIC_RECIPIENTS_LEFT_OUT,
	METRIC_MESSAGE_SIZE,	 /* histogram, bytes */
	METRIC_MESSAGE_DURATION, /* histogram, microseconds */
	METRIC_DECIDE_DURATION,	 /* histogram, microseconds */
	/* authentication */
	METRIC_SPF_RESULTS, /* result */
	METRIC_DKIM_RESULTS,
	METRIC_DMARC_RESULTS,
	METRIC_ARC_RESULTS,
	METRIC_OWN_DOMAIN_RESULTS,
	/* next hop */
	METRIC_NEXT_HOP_REPLIES,  /* class */
	METRIC_NEXT_HOP_FAILURES, /* reason */
	METRIC_NEXT_HOPS_WAITING, /* gauge: now */
	METRIC_NEXT_HOPS_GIVEN_BACK,
	METRIC_NEXT_HOPS_AWAY, /* gauge: now */
	/* dns */
	METRIC_DNS_QUERIES,  /* type */
	METRIC_DNS_FAILURES, /* reason */
	METRIC_DNS_BOGUS,
	METRIC_DNS_CACHE_HITS,
	METRIC_DNS_IN_FLIGHT, /* gauge */
	/* store */
	METRIC_STORE_COMMITS,
	METRIC_STORE_ROWS,
	METRIC_STORE_FAILURES,	      /* reason */
	METRIC_STORE_WAITING,	      /* gauge */
	METRIC_STORE_COMMIT_DURATION, /* histogram, microseconds */
	METRIC_STORE_EXPIRY_PUT_OFF,  /* gauge: seconds */
	/* process */
	METRIC_CHILD_RESTARTS,	   /* child */
	METRIC_CONFIG_LOADS,	   /* result */
	METRIC_CONFIG_LAST_RELOAD, /* gauge: 1, or 0 if it was kept out */
	METRIC_LOG_LINES_DROPPED,
	METRIC_COUNT
};

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/* One row. */
struct metric_spec {
	const char *name; /* "gatehouse_..._total" */
	const char *help; /* one line */
	enum metric_kind kind;
	const char *label;	   /* NULL: none */
	const char *const *values; /* of the label; ends with NULL; the last
				    * is what an unknown word counts as */
	const uint64_t *buckets;   /* upper bounds, in the unit observed;
				    * ends with 0 */
	uint64_t divisor; /* histogram: observed units per rendered unit */
};

extern const struct metric_spec metric_specs[METRIC_COUNT];

/* 1 for a metric without a label. */
size_t metric_value_count(const struct metric_spec *spec);
size_t metric_bucket_count(const struct metric_spec *spec);

struct metrics;

/* A new block in a memfd, all zero.  *ret_fd is inherited over fork and exec
 * (no FD_CLOEXEC).  False: E_IO or E_TEMP. */
bool metrics_create(struct metrics **ret, int *ret_fd, struct err *err);

/* Maps the block of another process; the descriptor may be closed after.
 * False: E_CONFIG (not a block of this program's version), E_IO. */
bool metrics_open(int fd, struct metrics **ret, struct err *err);

/* Unmaps.  Not while metrics_use still names it. */
void metrics_close(struct metrics *metrics);

/* Seconds since 1970 UTC: when the supervisor started. */
int64_t metrics_created_at(const struct metrics *metrics);

/* What the functions below count into from now on; NULL: nothing.  Once, at
 * the start of a process, before its threads. */
void metrics_use(struct metrics *metrics);

/* For gauges a negative step is allowed. */
void metrics_add(enum metric metric, int64_t step);
void metrics_set(enum metric metric, int64_t value);

/* One more, under the label's value `word`. */
void metrics_count(enum metric metric, struct slice word);

/* "2xx" ... "5xx" of an SMTP reply code. */
void metrics_count_reply(enum metric metric, int code);

/* A histogram's value, in the unit of its row (microseconds or bytes). */
void metrics_observe(enum metric metric, uint64_t value);

/* Signs of life, for /readyz. */
enum metrics_process {
	PROCESS_SMTP,
	PROCESS_ADMIN,
	PROCESS_OUTBOX,
	PROCESS_MILTER,
	PROCESS_COUNT
};

/* Which of them this process is, once, at its start.  Its gauges are its own,
 * and begin at zero: what a predecessor left that was killed is gone.  A gauge
 * is rendered as the sum of all processes'. */
void metrics_act_as(enum metrics_process process);

/* "I am alive": at least once every 5 seconds. */
void metrics_heartbeat(enum metrics_process process);

/* It is wanted: that it has never shown life is a fault too. */
void metrics_expect(enum metrics_process process);
bool metrics_is_expected(enum metrics_process process);

/* Milliseconds since; -1: never, or no block in use. */
int64_t metrics_heartbeat_age_ms(enum metrics_process process);

/* Reading, for the admin process.  value is a number below
 * metric_value_count. */
int64_t metrics_read(
    const struct metrics *metrics, enum metric metric, size_t value);

/* A histogram: ret_counts has metric_bucket_count + 1 elements, not
 * cumulative, the last for what is over all bounds. */
void metrics_read_histogram(const struct metrics *metrics, enum metric metric,
    uint64_t *ret_counts, uint64_t *ret_sum);

#endif
