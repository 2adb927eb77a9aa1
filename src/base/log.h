/* SPDX-License-Identifier: Apache-2.0 */
/* base/log.h - one event a line, as key=value or as JSON.
 *
 *	2027-01-31T10:00:00.123Z info smtp.verdict id=4Xb verdict=reject ...
 *
 * To stderr (journald takes it from there, with its <N> priority prefix when
 * JOURNAL_STREAM says that stderr leads to it).  A value with blanks, quotes,
 * equals signs or control bytes is quoted, with \xNN for what is not printable
 * or not UTF-8: a peer cannot forge a line, nor hide one.  A field that makes
 * the line longer than 16 KiB is left out, and "cut=1" stands at the end.
 * Event names and keys are stable; docs/LOGGING.md lists them.
 *
 * Code below gate/ does not log, except traces.  The sink is set once at
 * start; writing is thread-safe, one write(2) a line (several for a long line
 * to a pipe).  When the reader of stderr hangs, lines are dropped and counted,
 * and "log.dropped" says how many once it reads again.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG };

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* What can be traced, by topic; a set of bits. */
enum log_topic {
	LOG_TOPIC_SMTP = 1 << 0,
	LOG_TOPIC_NEXT_HOP = 1 << 1,
	LOG_TOPIC_DNS = 1 << 2,
	LOG_TOPIC_AUTH = 1 << 3,
	LOG_TOPIC_STORE = 1 << 4,
};

enum log_value_kind { LOG_VALUE_END, LOG_VALUE_SLICE, LOG_VALUE_INT };

struct log_field {
	const char *key;
	enum log_value_kind kind;
	struct slice slice;
	int64_t number;
};

#define LOG_S(name, value)                                                     \
	{                                                                      \
		.key = name, .kind = LOG_VALUE_SLICE, .slice = value           \
	}
#define LOG_T(name, text) LOG_S(name, slice_from(text))
#define LOG_I(name, value)                                                     \
	{                                                                      \
		.key = name, .kind = LOG_VALUE_INT, .number = value            \
	}

/* At least one field each. */
#define log_event(level, event, ...)                                           \
	log_write(level, event, (const struct log_field[]){__VA_ARGS__, {0}})
#define log_error(event, ...) log_event(LOG_ERROR, event, __VA_ARGS__)
#define log_warning(event, ...) log_event(LOG_WARNING, event, __VA_ARGS__)
#define log_notice(event, ...) log_event(LOG_NOTICE, event, __VA_ARGS__)
#define log_info(event, ...) log_event(LOG_INFO, event, __VA_ARGS__)

/* Evaluates its fields only when the topic is traced. */
#define log_trace(topic, event, ...)                                           \
	do {                                                                   \
		if (log_traces(topic))                                         \
			log_event(LOG_DEBUG, event, __VA_ARGS__);              \
	} while (0)

/* Fields of an error: "error=..." and its kind. */
#define LOG_ERR(err)                                                           \
	LOG_T("kind", err_kind_name((err)->kind)), LOG_T("error", (err)->text)

/* Also looks what stderr leads to: again when that is another. */
void log_setup(enum log_level level, enum log_format format);

/* Which topics are traced from now on, of all clients (base/log_client.h: of
 * some); safe at any time. */
void log_set_topics(unsigned int topics);
bool log_traces(enum log_topic topic);

/* What a trace of one client shows if nothing else is wanted. */
#define LOG_TOPICS_ALL 0x1fU

/* The bit of a name ("smtp", "next-hop", "dns", "auth", "store");
 * 0: no such topic. */
unsigned int log_topic_from_name(struct slice name);

/* fields end with a zeroed one. */
void log_write(
    enum log_level level, const char *event, const struct log_field *fields);

#endif
