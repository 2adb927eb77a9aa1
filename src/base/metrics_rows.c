/* SPDX-License-Identifier: Apache-2.0 */
/* The metrics, one row each; docs/METRICS.md is checked against them. */
#include "base/metrics.h"

static const char *const reply_classes[] = {
    "2xx", "3xx", "4xx", "5xx", "other", NULL};

static const char *const refusals[] = {"connections", "connections_per_network",
    "connection_rate", "proxy_protocol", "draining", "descriptors", "other",
    NULL};

static const char *const milter_failures[] = {
    "protocol", "timeout", "io", "connections", "descriptors", "other", NULL};

static const char *const change_refusers[] = {
    "mail-server", "next-hop", "other", NULL};

static const char *const verdicts[] = {"accept", "redirect", "hold",
    "quarantine", "discard", "defer", "reject", "other", NULL};

static const char *const policies[] = {"line-ends", "loop", "malformed",
    "own-domain", "several-authors", "dmarc", "recipient", "limits", "next-hop",
    "other", NULL};

static const char *const load_results[] = {"loaded", "kept", NULL};

static const char *const tls_results[] = {"ok", "failed", NULL};

static const char *const spf_results[] = {"none", "neutral", "pass", "fail",
    "softfail", "temperror", "permerror", "other", NULL};

static const char *const dkim_results[] = {"none", "pass", "fail", "policy",
    "neutral", "temperror", "permerror", "other", NULL};

static const char *const dmarc_results[] = {
    "none", "pass", "fail", "temperror", "permerror", "other", NULL};

static const char *const arc_results[] = {
    "none", "pass", "fail", "temperror", "other", NULL};

static const char *const own_domain_results[] = {
    "none", "pass", "exempt", "temperror", "fail", "other", NULL};

static const char *const next_hop_failures[] = {"dns", "refused", "timeout",
    "closed", "tls", "protocol", "lack", "other", NULL};

static const char *const dns_types[] = {
    "A", "AAAA", "MX", "TXT", "PTR", "TLSA", "CNAME", "other", NULL};

static const char *const dns_failures[] = {
    "timeout", "bogus", "limit", "servfail", NULL};

static const char *const store_failures[] = {
    "full", "locked", "timeout", "io", "row", "held", "queue", "other", NULL};

static const char *const children[] = {
    "smtp", "milter", "admin", "outbox", "extract", "other", NULL};

enum { US_PER_S = 1000000 };

/* A message waits for DNS and a next hop: milliseconds to minutes. */
static const uint64_t message_times[] = {10000, 25000, 50000, 100000, 250000,
    500000, 1000000, 2500000, 5000000, 10000000, 30000000, 60000000, 300000000,
    0};

/* One commit, or one decision without its waits. */
static const uint64_t short_times[] = {250, 500, 1000, 2500, 5000, 10000, 25000,
    50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000,
    30000000, 0};

static const uint64_t sizes[] = {1024, 4096, 16384, 65536, 262144, 1048576,
    4194304, 16777216, 67108864, 157286400, 0};

#define PLAIN(title, kind_, text)                                              \
	{                                                                      \
		.name = "gatehouse_" title, .help = text, .kind = kind_        \
	}
#define COUNTER(title, text) PLAIN(title "_total", METRIC_COUNTER, text)
#define GAUGE(title, text) PLAIN(title, METRIC_GAUGE, text)
#define LABELLED(title, label_, values_, text)                                 \
	{                                                                      \
		.name = "gatehouse_" title "_total", .help = text,             \
		.kind = METRIC_COUNTER, .label = label_, .values = values_     \
	}
#define HISTOGRAM(title, buckets_, divisor_, text)                             \
	{                                                                      \
		.name = "gatehouse_" title, .help = text,                      \
		.kind = METRIC_HISTOGRAM, .buckets = buckets_,                 \
		.divisor = divisor_                                            \
	}

const struct metric_spec metric_specs[METRIC_COUNT] = {
    [METRIC_CONNECTIONS_ACCEPTED] = COUNTER("connections_accepted",
	"Client connections accepted; one may still get no greeting: no TLS "
	"handshake, no PROXY header, refused behind it."),
    [METRIC_CONNECTIONS_REFUSED] = LABELLED("connections_refused", "reason",
	refusals,
	"Client connections refused before a greeting, by the limit "
	"or reason."),
    [METRIC_CONNECTIONS] = GAUGE(
	"connections", "Client connections that are open."),
    [METRIC_CONNECTIONS_PARKED] = GAUGE("connections_parked",
	"Of these, those that wait for their client and have no thread."),
    [METRIC_CONNECTIONS_IN_LINE] = GAUGE("connections_in_line",
	"Of these, those that wait for a thread: their network has its share."),
    [METRIC_SMTP_REPLIES] = LABELLED("smtp_replies", "class", reply_classes,
	"Replies to clients, by their first digit."),
    [METRIC_RECEIVED_BYTES] = COUNTER(
	"received_bytes", "Bytes of message data from clients."),
    [METRIC_SMUGGLING_ATTEMPTS] = COUNTER("smuggling_attempts",
	"Sessions ended because of bare line ends or odd ends of data."),
    [METRIC_TLS_HANDSHAKES] = LABELLED("tls_handshakes", "result", tls_results,
	"TLS handshakes with clients."),
    [METRIC_CERTIFICATE_LOADS] = LABELLED("certificate_loads", "result",
	load_results,
	"Changed certificate files; kept: not usable, the old ones stay."),
    [METRIC_CERTIFICATES_KEPT] = GAUGE("certificates_kept",
	"1 while changed certificate files cannot be used: the old ones stay."),
    [METRIC_CERTIFICATE_NOT_AFTER] = GAUGE("certificate_not_after_seconds",
	"When the first certificate in use expires, since 1970; 0: none."),
    [METRIC_MILTER_CONNECTIONS_ACCEPTED] = COUNTER(
	"milter_connections_accepted",
	"Connections of mail servers to milter listeners."),
    [METRIC_MILTER_CONNECTIONS] = GAUGE(
	"milter_connections", "Connections of mail servers that are open."),
    [METRIC_MILTER_FAILURES] = LABELLED("milter_failures", "reason",
	milter_failures,
	"Connections of mail servers that we refused or ended."),
    [METRIC_MESSAGES] = LABELLED("messages", "verdict", verdicts,
	"Messages that were decided, by verdict."),
    [METRIC_POLICY_VERDICTS] = LABELLED("policy_verdicts", "policy", policies,
	"Messages whose verdict came from this policy."),
    [METRIC_POLICY_REPORTS] = LABELLED("policy_reports", "policy", policies,
	"Messages that a policy matched without being enforced."),
    [METRIC_CHANGES_REFUSED] = LABELLED("changes_refused", "peer",
	change_refusers,
	"Messages answered 451: a change that policy decided was refused, by "
	"the mail server whose milter we are or by a next hop."),
    [METRIC_RECIPIENTS_LEFT_OUT] = COUNTER("recipients_left_out",
	"Recipients of messages that came again over SMTP, who had them "
	"already "
	"from an LMTP server."),
    [METRIC_MESSAGE_SIZE] = HISTOGRAM(
	"message_size_bytes", sizes, 1, "Size of messages as received."),
    [METRIC_MESSAGE_DURATION] = HISTOGRAM("message_duration_seconds",
	message_times, US_PER_S,
	"From MAIL to the reply after the end of data."),
    [METRIC_DECIDE_DURATION] = HISTOGRAM("decide_duration_seconds", short_times,
	US_PER_S, "From the end of data to the decision, DNS included."),
    [METRIC_SPF_RESULTS] = LABELLED(
	"spf_results", "result", spf_results, "SPF results, one a message."),
    [METRIC_DKIM_RESULTS] = LABELLED("dkim_results", "result", dkim_results,
	"DKIM results, one a signature; none: a message without."),
    [METRIC_DMARC_RESULTS] = LABELLED("dmarc_results", "result", dmarc_results,
	"DMARC results, one for each domain of From:."),
    [METRIC_ARC_RESULTS] = LABELLED("arc_results", "result", arc_results,
	"ARC chain results, one a message."),
    [METRIC_OWN_DOMAIN_RESULTS] = LABELLED("own_domain_results", "result",
	own_domain_results, "Results of own-domain control, one a message."),
    [METRIC_NEXT_HOP_REPLIES] = LABELLED("next_hop_replies", "class",
	reply_classes, "Replies of next hops, by their first digit."),
    [METRIC_NEXT_HOP_FAILURES] = LABELLED("next_hop_failures", "reason",
	next_hop_failures, "Next hops that could not be talked to."),
    [METRIC_NEXT_HOPS_WAITING] = GAUGE("next_hops_waiting",
	"Connections to next hops that wait for slow clients or for DNS."),
    [METRIC_NEXT_HOPS_GIVEN_BACK] = COUNTER("next_hops_given_back",
	"Those that were given back, because too many waited "
	"(limits.next_hop_waiting)."),
    [METRIC_NEXT_HOPS_AWAY] = GAUGE("next_hops_away",
	"Addresses of configured next hops that failed when last tried, "
	"about ten minutes ago at most."),
    [METRIC_DNS_QUERIES] = LABELLED("dns_queries", "type", dns_types,
	"DNS queries of messages, cached answers included."),
    [METRIC_DNS_FAILURES] = LABELLED("dns_failures", "reason", dns_failures,
	"DNS queries of messages without a usable answer; `limit`: one of "
	"ours was reached, or they were not asked for that."),
    [METRIC_DNS_BOGUS] = COUNTER(
	"dns_bogus", "DNS answers that failed DNSSEC validation."),
    [METRIC_DNS_CACHE_HITS] = COUNTER("dns_cache_hits",
	"DNS queries answered from the cache, those for next hops included."),
    [METRIC_DNS_IN_FLIGHT] = GAUGE(
	"dns_in_flight", "DNS queries under way now."),
    [METRIC_STORE_COMMITS] = COUNTER(
	"store_commits", "Groups of rows committed to the store."),
    [METRIC_STORE_ROWS] = COUNTER(
	"store_rows", "Changes committed to the store."),
    [METRIC_STORE_FAILURES] = LABELLED("store_failures", "reason",
	store_failures,
	"Changes that the store could not commit; held: no room for one more "
	"message in quarantine."),
    [METRIC_STORE_WAITING] = GAUGE(
	"store_waiting", "Changes that wait for the store."),
    [METRIC_STORE_COMMIT_DURATION] = HISTOGRAM("store_commit_duration_seconds",
	short_times, US_PER_S, "One group, from its first row to the disk."),
    [METRIC_STORE_EXPIRY_PUT_OFF] = GAUGE("store_expiry_put_off_seconds",
	"For how long nothing old is removed from the store, because the "
	"clock of the day was set ahead; 0: it is removed."),
    [METRIC_CHILD_RESTARTS] = LABELLED("child_restarts", "child", children,
	"Children of the supervisor started again after an unexpected end."),
    [METRIC_CONFIG_LOADS] = LABELLED("config_loads", "result", load_results,
	"Reloads of the configuration; kept: it was not taken, or not by all."),
    [METRIC_CONFIG_LAST_RELOAD] = GAUGE("config_last_reload_successful",
	"0 while the file that was loaded last is not what runs: it was not "
	"taken, or not by all."),
    [METRIC_LOG_LINES_DROPPED] = COUNTER("log_lines_dropped",
	"Lines that the log's reader did not take in time."),
};

size_t metric_value_count(const struct metric_spec *spec)
{
	size_t count = 0;

	while (spec->label && spec->values[count])
		count++;
	return count ? count : 1;
}

size_t metric_bucket_count(const struct metric_spec *spec)
{
	size_t count = 0;

	while (spec->buckets && spec->buckets[count])
		count++;
	return count;
}
