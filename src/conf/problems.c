/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"

enum { QUOTED_MAX = 60 };

struct problems *problems_new(struct arena *arena, const char *file)
{
	struct problems *problems = ARENA_NEW(arena, struct problems);

	problems->arena = arena;
	problems->file = arena_text(arena, slice_from(file));
	return problems;
}

__attribute__((format(printf, 5, 0))) static void add(struct problems *problems,
    struct problem_list *list, struct place place, const char *key,
    const char *format, va_list args)
{
	char text[ERR_TEXT_MAX];
	struct problem *problem;

	list->count++;
	if (list->kept == PROBLEMS_MAX)
		return;
	vsnprintf(text, sizeof(text), format, args);
	problem = &list->items[list->kept++];
	problem->place = place;
	problem->key = arena_text(problems->arena, slice_from(key));
	problem->text = arena_slice(problems->arena, slice_from(text));
}

void problems_error(struct problems *problems, struct place place,
    const char *key, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(problems, &problems->errors, place, key, format, args);
	va_end(args);
}

void problems_warning(struct problems *problems, struct place place,
    const char *key, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(problems, &problems->warnings, place, key, format, args);
	va_end(args);
}

bool problems_about(const struct problems *problems, const char *key)
{
	size_t len = strlen(key);

	for (size_t i = 0; i < problems->errors.kept; i++) {
		const char *other = problems->errors.items[i].key;

		if (!strncmp(other, key, len) &&
		    (len == 0 || other[len] == '\0' || other[len] == '.' ||
			other[len] == '['))
			return true;
	}
	return false;
}

const char *problems_quote(struct arena *arena, struct slice text)
{
	struct buf *buf = buf_in_arena(arena, QUOTED_MAX * 8);
	struct slice shown = text;

	/* Cut between characters. */
	if (text.len > QUOTED_MAX) {
		size_t len = QUOTED_MAX;

		while (len > 0 && ((unsigned char)text.ptr[len] & 0xc0) == 0x80)
			len--;
		shown = slice_sub(text, 0, len);
	}
	text_add_json_string(buf, shown);
	if (shown.len < text.len)
		buf_add_text(buf, "...");
	return arena_text(arena, buf_slice(buf));
}

static int compare_places(const void *a, const void *b)
{
	const struct problem *x = a, *y = b;

	if (x->place.line != y->place.line)
		return x->place.line < y->place.line ? -1 : 1;
	if (x->place.column != y->place.column)
		return x->place.column < y->place.column ? -1 : 1;
	return strcmp(x->key, y->key);
}

static void export_list(struct problems *problems, struct problem_list *list,
    size_t *ret_count, struct config_warning **ret)
{
	struct arena *arena = problems->arena;
	size_t count = list->kept;

	*ret = ARENA_ARRAY(arena, count + 1, struct config_warning);
	qsort(list->items, count, sizeof(list->items[0]), compare_places);
	for (size_t i = 0; i < count; i++) {
		const struct problem *problem = &list->items[i];

		(*ret)[i].where = arena_format_slice(arena, "%s:%u:%u",
		    problems->file, problem->place.line, problem->place.column);
		(*ret)[i].text = arena_format_slice(arena, "%s%s%.*s",
		    problem->key, *problem->key ? ": " : "",
		    SLICE_ARGS(problem->text));
	}
	if (list->count > count) {
		(*ret)[count].where = slice_from(problems->file);
		(*ret)[count].text = arena_format_slice(
		    arena, "%zu more are not shown", list->count - count);
		count++;
	}
	*ret_count = count;
}

void problems_export(struct problems *problems, struct config_problems *ret)
{
	export_list(problems, &problems->errors, &ret->count, &ret->errors);
	export_list(
	    problems, &problems->warnings, &ret->warning_count, &ret->warnings);
}

bool problems_first(struct problems *problems, struct err *err)
{
	struct config_problems exported;

	problems_export(problems, &exported);
	err_set(err, E_CONFIG, "%.*s: %.*s",
	    SLICE_ARGS(exported.errors[0].where),
	    SLICE_ARGS(exported.errors[0].text));
	return false;
}
