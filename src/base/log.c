/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/buf.h"
#include "base/log_private.h"
#include "base/metrics.h"
#include "base/text.h"

/* Fields that do not fit are left out: journald splits at 48 KiB. */
enum { LINE_MAX_SIZE = 16384, USUAL_SIZE = 1000, TAIL = 16 };

static const struct {
	const char *name;
	int priority; /* of syslog(3) */
} levels[] = {
    [LOG_ERROR] = {"error", 3},
    [LOG_WARNING] = {"warning", 4},
    [LOG_NOTICE] = {"notice", 5},
    [LOG_INFO] = {"info", 6},
    [LOG_DEBUG] = {"debug", 7},
};

static const struct {
	const char *name;
	enum log_topic topic;
} topics[] = {
    {"smtp", LOG_TOPIC_SMTP},
    {"next-hop", LOG_TOPIC_NEXT_HOP},
    {"dns", LOG_TOPIC_DNS},
    {"auth", LOG_TOPIC_AUTH},
    {"store", LOG_TOPIC_STORE},
};

/* The process's sink: log_setup writes it, also while threads log. */
static struct {
	atomic_int level;  /* enum log_level */
	atomic_int format; /* enum log_format */
	atomic_bool journal;
	atomic_uint topics;
	atomic_llong dropped; /* lines, not yet told */
} sink = {.level = LOG_INFO};

/* systemd.exec(5): "device:inode" of the journal's stream.  stderr may lead
 * elsewhere though stdout leads there, as with StandardError=append:. */
static bool is_journal(void)
{
	const char *text = getenv("JOURNAL_STREAM");
	struct slice device, inode;
	uint64_t device_number, inode_number;
	struct stat status;

	return text && fstat(STDERR_FILENO, &status) == 0 &&
	       slice_split(slice_from(text), ':', &device, &inode) &&
	       slice_to_u64(device, UINT64_MAX, &device_number) &&
	       slice_to_u64(inode, UINT64_MAX, &inode_number) &&
	       device_number == status.st_dev && inode_number == status.st_ino;
}

void log_setup(enum log_level level, enum log_format format)
{
	sink.level = level;
	sink.format = format;
	sink.journal = is_journal();
	log_output_look();
}

void log_set_topics(unsigned int wanted)
{
	atomic_store(&sink.topics, wanted);
}

bool log_traces(enum log_topic topic)
{
	return (atomic_load_explicit(&sink.topics, memory_order_relaxed) |
		   log_client.topics) &
	       topic;
}

unsigned int log_topic_from_name(struct slice name)
{
	for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++)
		if (slice_eq(name, slice_from(topics[i].name)))
			return topics[i].topic;
	return 0;
}

static void add_time(struct buf *line)
{
	/* Many lines are of the same second. */
	static _Thread_local struct {
		time_t seconds;
		char text[32];
	} last;
	struct timespec now;
	struct tm tm;
	long ms;

	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec != last.seconds) {
		gmtime_r(&now.tv_sec, &tm);
		strftime(
		    last.text, sizeof(last.text), "%Y-%m-%dT%H:%M:%S.", &tm);
		last.seconds = now.tv_sec;
	}
	ms = now.tv_nsec / 1000000;
	buf_add_text(line, last.text);
	buf_add_byte(line, (char)('0' + ms / 100));
	buf_add_byte(line, (char)('0' + ms / 10 % 10));
	buf_add_byte(line, (char)('0' + ms % 10));
	buf_add_byte(line, 'Z');
}

static bool is_plain(char c)
{
	return ascii_is_visible(c) && c != '"' && c != '\\' && c != '=';
}

/* One character, or one octet that is none. */
static void add_quoted(struct buf *line, struct slice sequence)
{
	char c = sequence.ptr[0];

	if (c == '"' || c == '\\') {
		buf_add_format(line, "\\%c", c);
		return;
	}
	if (c == ' ' || ascii_is_visible(c) ||
	    (sequence.len > 1 && !text_is_control(sequence))) {
		buf_add(line, sequence);
		return;
	}
	for (size_t i = 0; i < sequence.len; i++)
		buf_add_format(line, "\\x%02x", (unsigned char)sequence.ptr[i]);
}

static void add_text_value(struct buf *line, struct slice value)
{
	if (value.len && slice_all(value, is_plain)) {
		buf_add(line, value);
		return;
	}
	buf_add_byte(line, '"');
	while (value.len) {
		size_t length = text_utf8_length(value);

		if (length == 0)
			length = 1;
		add_quoted(line, slice_sub(value, 0, length));
		value = slice_from_pos(value, length);
	}
	buf_add_byte(line, '"');
}

static void add_text_field(struct buf *line, const struct log_field *field)
{
	buf_add_byte(line, ' ');
	buf_add_text(line, field->key);
	buf_add_byte(line, '=');
	if (field->kind == LOG_VALUE_INT)
		buf_add_number(line, field->number);
	else
		add_text_value(line, field->slice);
}

static void add_json_field(struct buf *line, const struct log_field *field)
{
	buf_add_text(line, ",\"");
	buf_add_text(line, field->key);
	buf_add_text(line, "\":");
	if (field->kind == LOG_VALUE_INT)
		buf_add_number(line, field->number);
	else
		text_add_json_string(line, field->slice);
}

/* Whole fields as long as there is room: false if one is left out. */
static bool add_fields(struct buf *line, const struct log_field *fields,
    void (*add)(struct buf *line, const struct log_field *field))
{
	bool all = true;

	for (const struct log_field *field = fields; field->key; field++) {
		size_t before = line->len;

		add(line, field);
		if (buf_overflowed(line) || line->len > LINE_MAX_SIZE - TAIL) {
			line->len = before;
			line->overflowed = false;
			all = false;
		}
	}
	return all;
}

/* Many sessions trace at once: each line says whose it is. */
static bool add_all(struct buf *line, enum log_level level,
    const struct log_field *fields,
    void (*add)(struct buf *line, const struct log_field *field))
{
	char ip[IP_TEXT_MAX];

	if (level == LOG_DEBUG && log_client.known)
		add_fields(line,
		    (const struct log_field[]){
			LOG_T("client", ip_format(&log_client.ip, ip)),
			LOG_I("port", log_client.port), {0}},
		    add);
	return add_fields(line, fields, add);
}

static void add_text_line(struct buf *line, enum log_level level,
    const char *event, const struct log_field *fields)
{
	add_time(line);
	buf_add_byte(line, ' ');
	buf_add_text(line, levels[level].name);
	buf_add_byte(line, ' ');
	buf_add_text(line, event);
	if (!add_all(line, level, fields, add_text_field))
		buf_add_text(line, " cut=1");
}

static void add_json_line(struct buf *line, enum log_level level,
    const char *event, const struct log_field *fields)
{
	buf_add_text(line, "{\"time\":\"");
	add_time(line);
	buf_add_format(line, "\",\"level\":\"%s\",\"event\":\"%s\"",
	    levels[level].name, event);
	if (!add_all(line, level, fields, add_json_field))
		buf_add_text(line, ",\"cut\":1");
	buf_add_byte(line, '}');
}

static bool write_event(
    enum log_level level, const char *event, const struct log_field *fields)
{
	struct buf line;
	bool ok;

	buf_init(&line, LINE_MAX_SIZE);
	buf_reserve(&line, USUAL_SIZE);
	if (sink.journal)
		buf_add_format(&line, "<%d>", levels[level].priority);
	if (sink.format == LOG_FORMAT_JSON)
		add_json_line(&line, level, event, fields);
	else
		add_text_line(&line, level, event, fields);
	buf_add_byte(&line, '\n');
	ok = log_output_write(buf_slice(&line));
	buf_release(&line);
	return ok;
}

static void tell_dropped(void)
{
	int64_t lines = atomic_exchange(&sink.dropped, 0);

	if (lines &&
	    !write_event(LOG_WARNING, "log.dropped",
		(const struct log_field[]){LOG_I("lines", lines), {0}}))
		atomic_fetch_add(&sink.dropped, lines);
}

void log_write(
    enum log_level level, const char *event, const struct log_field *fields)
{
	int saved_errno = errno;

	/* A trace is asked for by topic, whatever the level. */
	if ((int)level > atomic_load(&sink.level) && level != LOG_DEBUG)
		return;
	if (!write_event(level, event, fields)) {
		atomic_fetch_add(&sink.dropped, 1);
		metrics_add(METRIC_LOG_LINES_DROPPED, 1);
	} else if (atomic_load(&sink.dropped)) {
		tell_dropped();
	}
	errno = saved_errno;
}
