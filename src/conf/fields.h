/* SPDX-License-Identifier: Apache-2.0 */
/* conf/fields.h - the fields of the configuration as rows of tables.
 *
 * The loader, the defaults, "config check", "config dump" and "config
 * describe" all follow from the rows: a new field is a row and a member of a
 * struct in conf/config.h.  A row that has a table is a mapping with rows of
 * its own, in the same struct or in a member of it.
 */
#ifndef CONF_FIELDS_H
#define CONF_FIELDS_H

#include <stddef.h>

#include "conf/config.h"
#include "conf/domain.h"

enum field_type {
	TYPE_TEXT,	 /* struct slice */
	TYPE_NAME,	 /* struct slice: letters, digits and "-_. " */
	TYPE_PATH,	 /* struct slice: absolute */
	TYPE_DOMAIN,	 /* struct slice; forms say what is allowed */
	TYPE_NETWORK,	 /* struct ip_network */
	TYPE_ADDRESS,	 /* struct slice: IP:PORT or unix:/path */
	TYPE_IP_PORT,	 /* struct slice: IP:PORT */
	TYPE_DNS_SERVER, /* struct slice: IP or IP@PORT */
	TYPE_STORE,	 /* struct slice: sqlite:/path */
	TYPE_NEXT_HOP, /* the text of a struct conf_route, and what it means */
	TYPE_HEADER,   /* struct slice: "Name: value" */
	TYPE_SECONDS,  /* uint64_t */
	TYPE_MILLISECONDS, /* uint64_t */
	TYPE_SIZE,	   /* uint64_t: bytes */
	TYPE_NUMBER,	   /* uint64_t */
	TYPE_BOOLEAN,	   /* bool */
	TYPE_CHOICE,	   /* an enum, in the order of choices */
	TYPE_WORD,	   /* struct slice: one of choices */
	TYPE_DATE,	   /* int64_t: the last second of a day */
	TYPE_TABLE,	   /* a mapping */
	TYPE_TABLES,	   /* a list of mappings: count and array */
	TYPE_UNAVAILABLE,  /* of a later version: an error */
	TYPE_NO_EFFECT,	   /* of a later version: a warning */
	TYPE_COUNT
};

struct field {
	const char *name;
	enum field_type type;
	bool list; /* struct conf_text_list or conf_network_list */
	bool required;
	bool is_alias;	    /* adds to the list of another row */
	unsigned int forms; /* of a domain */
	size_t offset;
	size_t count_offset;	    /* of TYPE_TABLES */
	uint64_t min, max;	    /* of numbers; max 0: none */
	const char *fallback;	    /* as it would be written; NULL: unset */
	const char *const *choices; /* ends with NULL */
	const struct table *table;
	const char *help;    /* a line or two */
	const char *example; /* the value alone */
};

struct table {
	const struct field *fields;
	size_t count;
	size_t size;	      /* of the struct, for TYPE_TABLES */
	const void *defaults; /* instead of fallbacks; or NULL */
};

/* In fallbacks, what stands for another field. */
#define FIELD_STATE_DIRECTORY "<state_directory>"

extern const struct table table_config;

/* Parts of it, each in its own file. */
extern const struct table table_listener, table_connector, table_route;
extern const struct table table_authentication, table_limits;

#define TABLE_OF(rows, type)                                                   \
	{                                                                      \
		.fields = (rows), .count = sizeof(rows) / sizeof((rows)[0]),   \
		.size = sizeof(type),                                          \
	}

/* The row of name; NULL: none. */
const struct field *fields_find(const struct table *table, struct slice name);

/* The name that a typist most likely meant; NULL: none is near. */
const char *fields_nearest(const struct table *table, struct slice name);

#endif
