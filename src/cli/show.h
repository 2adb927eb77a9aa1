/* SPDX-License-Identifier: Apache-2.0 */
/* cli/show.h - what commands print: text of strangers, moments, JSON. */
#ifndef CLI_SHOW_H
#define CLI_SHOW_H

#include <jansson.h>

#include "base/buf.h"

/* For people's terminals: what a stranger wrote may not move the cursor,
 * change colours or turn the direction of writing.  Such bytes come out as
 * \xNN. */
void show_text(struct buf *out, struct slice text);

/* The same for text of several lines (of a header, with its tabs), each after
 * margin. */
void show_lines(struct buf *out, struct slice text, const char *margin);

/* "2027-01-31T10:00:00Z". */
void show_time(struct buf *out, int64_t time_ms);

/* To standard output; what is over a buffer's maximum is missing, and that is
 * told.  The exit code. */
int show_print(const struct buf *out);
int show_print_json(json_t *json); /* takes the reference */

/* An array of any length, printed element by element: begin with a zeroed
 * list, and end it, elements or none.  False: no more can be printed. */
struct show_list {
	bool has_elements, has_failed;
};
bool show_list_add(struct show_list *list, json_t *element); /* the same */
int show_list_end(const struct show_list *list);

/* Clean UTF-8. */
json_t *show_json_text(struct arena *arena, struct slice text);
json_t *show_json_time(struct arena *arena, int64_t time_ms);
json_t *show_json_texts(
    struct arena *arena, size_t count, const struct slice *texts);

enum { SHOW_MAX = 64 << 20 };

#endif
