/* SPDX-License-Identifier: Apache-2.0 */
/* base/json_write.h - writes a JSON text (RFC 8259) from front to end.
 *
 *	json_write_begin(&json, NULL, '{');
 *	json_write_text(&json, "name", name);
 *	json_write_begin(&json, "list", '[');
 *	json_write_number(&json, NULL, 1);
 *	json_write_end(&json, ']');
 *	json_write_end(&json, '}');
 *
 * A key is a literal of ours, NULL within a list.  No tree is built: a trace
 * is written for every message.  For reading there is jansson.
 */
#ifndef BASE_JSON_WRITE_H
#define BASE_JSON_WRITE_H

#include "base/buf.h"

struct json_write {
	struct buf *buf; /* the caller's; its maximum is the limit */
	bool comma;	 /* due before the next value */
};

void json_write_begin(struct json_write *json, const char *key, char bracket);
void json_write_end(struct json_write *json, char bracket);

/* Text of any bytes: what is no UTF-8, and NUL, becomes U+FFFD. */
void json_write_text(
    struct json_write *json, const char *key, struct slice text);
void json_write_word(
    struct json_write *json, const char *key, const char *word);
void json_write_number(
    struct json_write *json, const char *key, uint64_t number);
void json_write_flag(struct json_write *json, const char *key, bool flag);
void json_write_null(struct json_write *json, const char *key);

#endif
