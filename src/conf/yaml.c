/* SPDX-License-Identifier: Apache-2.0 */
/* The events of libfyaml become a tree of our own: its documents would
 * resolve aliases or need a walk to find them, and know no limits.
 */
#include "conf/yaml.h"

#include <libfyaml.h>
#include <limits.h>
#include <string.h>

#include "base/ascii.h"
#include "base/text.h"

struct frame {
	struct yaml_node *node;
	bool has_key; /* a mapping: the next value is for key */
	bool bad_key;
	struct slice key;
	struct place key_place;
};

struct builder {
	struct arena *arena;
	struct problems *problems;
	struct yaml_node *root;
	struct frame stack[YAML_DEPTH_MAX];
	size_t depth, nodes, documents;
};

static struct place place_of_mark(const struct fy_mark *mark)
{
	struct place place = {1, 1};

	if (mark && mark->line >= 0 && mark->column >= 0) {
		place.line = (unsigned int)mark->line + 1;
		place.column = (unsigned int)mark->column + 1;
	}
	return place;
}

/* Quotes, "*" and "&" are not in the token that they begin. */
static struct place before(struct place place)
{
	if (place.column > 1)
		place.column--;
	return place;
}

static bool is_quoted(struct fy_token *token)
{
	enum fy_scalar_style style = token ? fy_token_scalar_style(token)
					   : FYSS_PLAIN;

	return style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED;
}

static struct slice token_text(struct builder *builder, struct fy_token *token)
{
	size_t len = 0;
	const char *text = token ? fy_token_get_text(token, &len) : NULL;

	return arena_slice(builder->arena, slice_of(text, text ? len : 0));
}

/* Both names of a key are remembered by its frame until the value comes. */
static bool take_key(struct builder *builder, struct frame *frame,
    struct slice key, struct place place)
{
	const struct yaml_node *map = frame->node;

	frame->has_key = true;
	frame->bad_key = false;
	frame->key = key;
	frame->key_place = place;
	if (map->count == YAML_KEYS_MAX) {
		problems_error(builder->problems, place, NULL,
		    "more than %d keys in one mapping", YAML_KEYS_MAX);
		return false;
	}
	if (slice_eq(key, SLICE("<<"))) {
		problems_error(builder->problems, place, NULL,
		    "merge keys (<<) are not used here; write the keys out");
		frame->bad_key = true;
	}
	for (const struct yaml_node *n = map->first; n; n = n->next) {
		if (!slice_eq(n->key, key))
			continue;
		problems_error(builder->problems, place, NULL,
		    "the key %s is repeated; it is also on line %u",
		    problems_quote(builder->arena, key), n->key_place.line);
		frame->bad_key = true;
	}
	return true;
}

static void append(struct yaml_node *parent, struct yaml_node *node)
{
	if (parent->last)
		parent->last->next = node;
	else
		parent->first = node;
	parent->last = node;
	parent->count++;
}

/* Where a node belongs; NULL: a problem that ends the parsing. */
static struct yaml_node *add_node(
    struct builder *builder, enum yaml_kind kind, struct place place)
{
	struct frame *frame;
	struct yaml_node *node;

	if (++builder->nodes > YAML_NODES_MAX) {
		problems_error(builder->problems, place, NULL,
		    "more than %d values in one file", YAML_NODES_MAX);
		return NULL;
	}
	node = ARENA_NEW(builder->arena, struct yaml_node);
	node->kind = kind;
	node->place = place;
	if (builder->depth == 0) {
		builder->root = node;
		return node;
	}
	frame = &builder->stack[builder->depth - 1];
	if (frame->node->kind == YAML_MAP) {
		if (!frame->has_key) {
			problems_error(builder->problems, place, NULL,
			    "a key must be a plain name");
			return NULL;
		}
		node->key = frame->key;
		node->key_place = frame->key_place;
		frame->has_key = false;
		if (frame->bad_key) {
			node->bad = true;
			return node;
		}
	}
	append(frame->node, node);
	return node;
}

static bool is_waiting_for_key(const struct builder *builder)
{
	const struct frame *frame;

	if (builder->depth == 0)
		return false;
	frame = &builder->stack[builder->depth - 1];
	return frame->node->kind == YAML_MAP && !frame->has_key;
}

/* What makes the value of an event unusable. */
static bool has_extras(
    struct builder *builder, struct fy_token *anchor, struct fy_token *tag)
{
	if (anchor)
		problems_error(builder->problems,
		    before(place_of_mark(fy_token_start_mark(anchor))), NULL,
		    "anchors (&name) are not used here; write the value out");
	if (tag)
		problems_error(builder->problems,
		    place_of_mark(fy_token_start_mark(tag)), NULL,
		    "tags (!name) are not used here; leave the tag out");
	return anchor || tag;
}

static bool on_scalar(
    struct builder *builder, struct fy_event *event, struct place place)
{
	struct fy_event_scalar_data *scalar = &event->scalar;
	struct slice text = token_text(builder, scalar->value);
	bool bad = has_extras(builder, scalar->anchor, scalar->tag);
	struct yaml_node *node;

	if (is_waiting_for_key(builder))
		return take_key(
		    builder, &builder->stack[builder->depth - 1], text, place);
	node = add_node(builder, YAML_SCALAR, place);
	if (!node)
		return false;
	/* What is not there has the place of its key. */
	if (text.len == 0 && node->key.len && !is_quoted(scalar->value))
		node->place = node->key_place;
	node->text = text;
	node->plain = !scalar->value ||
		      fy_token_scalar_style(scalar->value) == FYSS_PLAIN;
	node->bad = node->bad || bad;
	return true;
}

static bool on_alias(
    struct builder *builder, struct fy_event *event, struct place place)
{
	struct slice text = token_text(builder, event->alias.anchor);
	struct yaml_node *node;

	problems_error(builder->problems, place, NULL,
	    "aliases (*name) are not used here; write the value out");
	if (is_waiting_for_key(builder))
		return take_key(
		    builder, &builder->stack[builder->depth - 1], text, place);
	node = add_node(builder, YAML_SCALAR, place);
	if (node)
		node->bad = true;
	return node != NULL;
}

static bool on_start(struct builder *builder, enum yaml_kind kind,
    struct place place, struct fy_token *anchor, struct fy_token *tag)
{
	bool bad = has_extras(builder, anchor, tag);
	struct yaml_node *node;

	if (builder->depth == YAML_DEPTH_MAX) {
		problems_error(builder->problems, place, NULL,
		    "nested deeper than %d levels", YAML_DEPTH_MAX);
		return false;
	}
	node = add_node(builder, kind, place);
	if (!node)
		return false;
	node->bad = node->bad || bad;
	builder->stack[builder->depth++] = (struct frame){.node = node};
	return true;
}

static bool on_document(struct builder *builder, struct place place)
{
	if (builder->documents++ == 0)
		return true;
	problems_error(builder->problems, place, NULL,
	    "a second document begins here; a configuration is one document");
	return false;
}

static bool on_event(struct builder *builder, struct fy_event *event)
{
	struct place place = place_of_mark(fy_event_start_mark(event));

	switch (event->type) {
	case FYET_DOCUMENT_START: return on_document(builder, place);
	case FYET_SCALAR:
		return on_scalar(builder, event,
		    is_quoted(event->scalar.value) ? before(place) : place);
	case FYET_ALIAS: return on_alias(builder, event, before(place));
	case FYET_MAPPING_START:
		return on_start(builder, YAML_MAP, place,
		    event->mapping_start.anchor, event->mapping_start.tag);
	case FYET_SEQUENCE_START:
		return on_start(builder, YAML_LIST, place,
		    event->sequence_start.anchor, event->sequence_start.tag);
	case FYET_MAPPING_END:
	case FYET_SEQUENCE_END: builder->depth--; return true;
	default: return true;
	}
}

static void add_diagnostics(struct builder *builder, struct fy_diag *diag)
{
	struct fy_diag_error *error;
	void *at = NULL;
	bool any = false;

	while (!any && (error = fy_diag_errors_iterate(diag, &at))) {
		struct place place = {1, 1};

		if (error->line > 0 && error->column > 0)
			place = (struct place){(unsigned int)error->line,
			    (unsigned int)error->column};
		problems_error(builder->problems, place, NULL,
		    "not valid YAML: %s", error->msg);
		any = true;
	}
	if (!any && !builder->problems->errors.count)
		problems_error(builder->problems, (struct place){1, 1}, NULL,
		    "not valid YAML");
}

/* False: the parsing stopped before the end. */
static bool run_parser(
    struct builder *builder, struct fy_parser *parser, struct fy_diag *diag)
{
	struct fy_event *event;
	bool ended = false, ok = true;

	while (ok && !ended && (event = fy_parser_parse(parser))) {
		ended = event->type == FYET_STREAM_END;
		ok = on_event(builder, event) &&
		     builder->problems->errors.count < PROBLEMS_MAX;
		fy_parser_event_free(parser, event);
	}
	if (ok && (!ended || fy_diag_got_error(diag))) {
		add_diagnostics(builder, diag);
		return false;
	}
	return ok;
}

static void destroy_parser(void *parser)
{
	fy_parser_destroy(parser);
}

static void destroy_diag(void *diag)
{
	fy_diag_destroy(diag);
}

static struct fy_diag *quiet_diag(struct arena *arena)
{
	struct fy_diag_cfg cfg;
	struct fy_diag *diag;

	fy_diag_cfg_default(&cfg);
	cfg.fp = NULL;
	cfg.colorize = false;
	diag = fy_diag_create(&cfg);
	if (diag) {
		fy_diag_set_collect_errors(diag, true);
		arena_defer(arena, destroy_diag, diag);
	}
	return diag;
}

/* The library lets bad UTF-8 pass, and takes quadratic time for blank lines of
 * a block scalar. */
static bool check_bytes(struct slice bytes, struct problems *problems)
{
	struct place place = {1, 1};
	size_t run = 0, length;

	for (; bytes.len; bytes = slice_from_pos(bytes, length)) {
		length = text_utf8_length(bytes);
		if (length == 0 || *bytes.ptr == '\0') {
			problems_error(problems, place, NULL,
			    "a byte that is not text in UTF-8");
			return false;
		}
		place.column++;
		if (*bytes.ptr == '\n')
			place = (struct place){place.line + 1, 1};
		run = ascii_is_fws(*bytes.ptr) ? run + 1 : 0;
		if (run > YAML_BLANKS_MAX) {
			problems_error(problems, place, NULL,
			    "more than %d blanks or empty lines in a row",
			    YAML_BLANKS_MAX);
			return false;
		}
	}
	return true;
}

struct yaml_node *yaml_parse(struct arena *arena, struct slice bytes,
    bool is_json, struct problems *problems)
{
	struct builder *builder = ARENA_NEW(arena, struct builder);
	struct fy_diag *diag = quiet_diag(arena);
	struct fy_parse_cfg cfg = {
	    .flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG |
		     (is_json ? FYPCF_JSON_FORCE : FYPCF_JSON_NONE),
	    .diag = diag,
	};
	struct fy_parser *parser = diag ? fy_parser_create(&cfg) : NULL;

	builder->arena = arena;
	builder->problems = problems;
	if (parser)
		arena_defer(arena, destroy_parser, parser);
	if (!parser || fy_parser_set_string(parser, bytes.ptr, bytes.len)) {
		problems_error(problems, (struct place){1, 1}, NULL,
		    "the YAML parser cannot start");
		return NULL;
	}
	if (!check_bytes(bytes, problems) || !run_parser(builder, parser, diag))
		return NULL;
	if (!builder->root || yaml_is_null(builder->root)) {
		builder->root = ARENA_NEW(arena, struct yaml_node);
		builder->root->kind = YAML_MAP;
		builder->root->place = (struct place){1, 1};
	}
	return builder->root;
}

const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key)
{
	if (!map || map->kind != YAML_MAP)
		return NULL;
	for (const struct yaml_node *n = map->first; n; n = n->next)
		if (slice_eq(n->key, slice_from(key)))
			return n;
	return NULL;
}

static const struct yaml_node *nth(const struct yaml_node *list, uint64_t index)
{
	const struct yaml_node *node = NULL;

	if (list->kind == YAML_LIST)
		for (node = list->first; node && index; index--)
			node = node->next;
	return node;
}

const struct yaml_node *yaml_find(
    const struct yaml_node *root, const char *path)
{
	const struct yaml_node *found = root;
	struct slice rest = slice_from(path);

	while (rest.len) {
		struct slice step, name, index;
		const struct yaml_node *next = NULL;
		uint64_t number;

		slice_split(rest, '.', &step, &rest);
		slice_split(step, '[', &name, &index);
		for (next = found->kind == YAML_MAP ? found->first : NULL;
		     next && !slice_eq(next->key, name);)
			next = next->next;
		if (!next)
			return found;
		found = next;
		if (index.len < 2 ||
		    !slice_to_u64(slice_sub(index, 0, index.len - 1),
			YAML_NODES_MAX, &number))
			continue;
		next = nth(found, number);
		if (!next)
			return found;
		found = next;
	}
	return found;
}

bool yaml_is_null(const struct yaml_node *node)
{
	static const char *const names[] = {"", "~", "null", "Null", "NULL"};

	if (node->kind != YAML_SCALAR || !node->plain)
		return false;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (slice_eq(node->text, slice_from(names[i])))
			return true;
	return false;
}
