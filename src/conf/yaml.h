/* SPDX-License-Identifier: Apache-2.0 */
/* conf/yaml.h - a YAML 1.2 or JSON text as a tree that knows its places.
 *
 * Only what a configuration needs: one document of mappings, lists and
 * scalars.  Aliases, anchors, tags, merge keys and repeated keys are errors
 * (resolving aliases lets ten lines fill the memory).  Depth, keys of a
 * mapping and nodes are limited; the parser is iterative.  Scalars stay text:
 * the fields say what they must be.  The tree lives in the arena given.
 */
#ifndef CONF_YAML_H
#define CONF_YAML_H

#include "base/arena.h"
#include "base/slice.h"
#include "conf/problems.h"

enum yaml_limit {
	YAML_SIZE_MAX = 4 * 1024 * 1024, /* bytes of a file */
	YAML_DEPTH_MAX = 20,
	YAML_KEYS_MAX = 256, /* of one mapping */
	YAML_NODES_MAX = 200000,
	YAML_BLANKS_MAX = 1000, /* white space in a row, line ends included */
};

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml_node {
	enum yaml_kind kind;
	struct place place;
	struct slice text; /* of a scalar */
	bool plain;	   /* a scalar without quotes */
	bool bad;	   /* already reported: judge it no further */
	struct slice key;  /* in a mapping */
	struct place key_place;
	size_t count; /* of children */
	struct yaml_node *first, *last, *next;
};

/* NULL if there is no tree: the text is broken, and problems say where.  The
 * tree may be usable in part although problems were added: see "bad".  An
 * empty text is an empty mapping. */
struct yaml_node *yaml_parse(struct arena *arena, struct slice bytes,
    bool is_json, struct problems *problems);

/* The value of key in a mapping; NULL if absent, or map is NULL. */
const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key);

/* What a path like "connectors[0].tls.key" names, or its nearest ancestor that
 * is there. */
const struct yaml_node *yaml_find(
    const struct yaml_node *root, const char *path);

/* A plain scalar that YAML reads as null: nothing, "~" or "null". */
bool yaml_is_null(const struct yaml_node *node);

#endif
