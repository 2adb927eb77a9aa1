/* SPDX-License-Identifier: Apache-2.0 */
/* conf/value.h - the types of fields: from text to a member, and back.
 *
 * A type is a row of a table in value.c.  What value_format writes,
 * value_parse reads to the same value.
 */
#ifndef CONF_VALUE_H
#define CONF_VALUE_H

#include "conf/fields.h"

struct value_input {
	struct arena *arena; /* of the snapshot */
	struct slice folder; /* absolute: where relative paths begin */
	const struct field *field;
	void *base; /* the struct that the field is a member of */
};

/* Parses one value (of a list: one item) into ret, which has
 * value_item_size bytes.  False: E_SYNTAX or E_LIMIT, one line that says what
 * is right; ret is untouched. */
bool value_parse(const struct value_input *in, struct slice text, void *ret,
    struct err *err);

struct slice value_format(
    struct arena *arena, const struct field *field, const void *value);

/* The default, as value_format writes it, with what it says of other fields
 * taken from config (NULL: left as it is).  False: there is none. */
bool value_default(struct arena *arena, const struct table *table,
    const struct field *field, const struct config *config, struct slice *ret);

/* "duration", "domain name": for messages and documents. */
const char *value_type_name(enum field_type type);

/* What a value looks like, in words; NULL if the name says it all. */
const char *value_type_help(enum field_type type);

size_t value_item_size(enum field_type type);

/* Numbers and booleans: written without quotes. */
bool value_is_bare(enum field_type type);

/* Lists keep their count and items the same way whatever the items are. */
size_t value_list_count(const void *list);
const void *value_list_item(
    const void *list, enum field_type type, size_t index);

#endif
