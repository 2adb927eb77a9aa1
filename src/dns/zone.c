/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/zone.h"

#include <string.h>

#include "base/io.h"
#include "dns/hash.h"
#include "dns/rdata.h"
#include "dns/zone_entry.h"
#include "dns/zone_rdata.h"

enum {
	ZONE_FILE_MAX = 64 * 1024 * 1024,
	ZONE_RRSET_MAX = 4096,
	ZONE_CHAIN_MAX = 16,
	ZONE_DEFAULT_TTL = 3600,
};

/* All records of one name and type. */
struct rrset {
	struct rrset *next;
	uint16_t type;
	uint32_t ttl; /* the least of them (RFC 2181, section 5.2) */
	size_t count, size;
	struct dns_record *records;
};

/* A name that exists: it has records, or is above one that has. */
struct node {
	struct slice name; /* canonical text */
	struct rrset *rrsets;
	UT_hash_handle hh;
};

struct zone {
	struct arena *arena;
	struct hash_secret secret;
	struct node *nodes;
};

struct parser {
	struct zone *zone;
	struct zone_lexer lexer;
	struct zone_entry *entry;
	struct buf rdata;
	struct wire_name origin, owner;
	bool has_owner, has_default_ttl, has_ttl;
	uint32_t default_ttl; /* $TTL */
	uint32_t ttl;	      /* of the entry before */
};

static struct node *find_node(const struct zone *zone, struct slice name)
{
	struct node *node;

	HASH_FIND_BYHASHVALUE(hh, zone->nodes, name.ptr, name.len,
	    hash_bytes(&zone->secret, name), node);
	return node;
}

/* Never a NULL pointer, which uthash would hand to memcmp. */
static struct slice parent_of(struct slice name)
{
	struct slice label, rest;

	slice_split(name, '.', &label, &rest);
	return slice_empty(rest) ? SLICE("") : rest;
}

/* The node of a name, made if need be, and those of all names above it. */
static struct node *add_node(struct zone *zone, struct slice name)
{
	struct node *first = find_node(zone, name), *node = first;

	while (!node) {
		unsigned int hash = hash_bytes(&zone->secret, name);

		node = ARENA_NEW(zone->arena, struct node);
		node->name = name;
		HASH_ADD_KEYPTR_BYHASHVALUE(hh, zone->nodes, node->name.ptr,
		    node->name.len, hash, node);
		if (!first)
			first = node;
		if (slice_empty(name))
			break;
		name = parent_of(name);
		node = find_node(zone, name);
	}
	return first;
}

static struct rrset *find_rrset(const struct node *node, unsigned int type)
{
	for (struct rrset *rrset = node->rrsets; rrset; rrset = rrset->next)
		if (rrset->type == type)
			return rrset;
	return NULL;
}

static struct rrset *add_rrset(
    struct zone *zone, struct node *node, uint16_t type, uint32_t ttl)
{
	struct rrset *rrset = find_rrset(node, type);

	if (!rrset) {
		rrset = ARENA_NEW(zone->arena, struct rrset);
		rrset->type = type;
		rrset->ttl = ttl;
		rrset->next = node->rrsets;
		node->rrsets = rrset;
	}
	if (ttl < rrset->ttl)
		rrset->ttl = ttl;
	return rrset;
}

/* RFC 2181, section 5: the same record twice is one record. */
static bool is_known(const struct rrset *rrset, const struct dns_record *record)
{
	for (size_t i = 0; i < rrset->count; i++)
		if (rrset->records[i].preference == record->preference &&
		    slice_eq(rrset->records[i].data, record->data))
			return true;
	return false;
}

static bool add_record(struct zone *zone, struct rrset *rrset,
    const struct dns_record *record, struct err *err)
{
	struct dns_record *larger;

	if (is_known(rrset, record))
		return true;
	if (rrset->type == DNS_CNAME && rrset->count > 0)
		return err_set(err, E_SYNTAX, "a second CNAME of one name");
	if (rrset->count == ZONE_RRSET_MAX)
		return err_set(err, E_SYNTAX,
		    "over %d records of one name and type", ZONE_RRSET_MAX);
	if (rrset->count == rrset->size) {
		rrset->size = rrset->size ? 2 * rrset->size : 1;
		larger = ARENA_ARRAY(
		    zone->arena, rrset->size, struct dns_record);
		if (rrset->count)
			memcpy(larger, rrset->records,
			    rrset->count * sizeof(*larger));
		rrset->records = larger;
	}
	rrset->records[rrset->count++] = *record;
	return true;
}

/* RFC 1034, section 3.6.2: where a CNAME is, no other data can be. */
static bool check_cname(const struct node *node, struct err *err)
{
	if (find_rrset(node, DNS_CNAME) && node->rrsets->next)
		return err_set(
		    err, E_SYNTAX, "a CNAME and other data for one name");
	return true;
}

static bool parse_owner(struct parser *p, size_t *pos, struct err *err)
{
	const struct zone_token *token = &p->entry->tokens[0];

	*pos = 0;
	if (p->entry->blank_owner)
		return p->has_owner || err_set(err, E_SYNTAX,
					   "blank owner in the first record");
	*pos = 1;
	if (token->quoted ||
	    !wire_from_master(token->text, &p->origin, &p->owner))
		return err_set(err, E_SYNTAX, "bad domain name '%.*s'",
		    SLICE_ARGS(slice_sub(token->text, 0, 80)));
	p->has_owner = true;
	return true;
}

static bool is_class(struct slice text)
{
	return slice_eq_nocase(text, SLICE("IN")) ||
	       slice_eq_nocase(text, SLICE("CLASS1"));
}

/* The fields between owner and type: a TTL and a class, in any order. */
static bool parse_ttl_and_class(struct parser *p, size_t *pos, struct err *err)
{
	bool has_class = false, has_ttl = false;

	for (; *pos < p->entry->count; ++*pos) {
		struct slice text = p->entry->tokens[*pos].text;

		if (!has_class && is_class(text))
			has_class = true;
		else if (!has_ttl && zone_time(text, &p->ttl))
			has_ttl = true;
		else
			break;
	}
	if (*pos == p->entry->count)
		return err_set(err, E_SYNTAX, "no record type");
	/* RFC 2308, section 4: $TTL; before it, the last TTL stays. */
	if (!has_ttl && (p->has_default_ttl || !p->has_ttl))
		p->ttl = p->has_default_ttl ? p->default_ttl : ZONE_DEFAULT_TTL;
	p->has_ttl = true;
	return true;
}

static bool store(struct parser *p, uint16_t type, struct err *err)
{
	struct zone *zone = p->zone;
	struct slice name = wire_text(zone->arena, &p->owner);
	struct node *node = add_node(zone, name);
	struct dns_record record;

	return rdata_parse(zone->arena, (enum dns_type)type,
		   buf_slice(&p->rdata), &record, err) &&
	       add_record(
		   zone, add_rrset(zone, node, type, p->ttl), &record, err) &&
	       check_cname(node, err);
}

static bool parse_record(struct parser *p, struct err *err)
{
	const struct zone_entry *entry = p->entry;
	const struct zone_type *type = NULL;
	struct slice word;
	uint16_t number = 0;
	bool kept = false;
	size_t pos;

	if (!parse_owner(p, &pos, err) || !parse_ttl_and_class(p, &pos, err))
		return false;
	word = entry->tokens[pos].text;
	if (entry->tokens[pos++].quoted ||
	    !zone_type_find(word, &type, &number))
		return err_set(err, E_SYNTAX,
		    "'%.*s' is no record type, class or TTL that is served",
		    SLICE_ARGS(slice_sub(word, 0, 40)));
	buf_clear(&p->rdata);
	if (!zone_rdata(type, entry->tokens + pos, entry->count - pos,
		&p->origin, &p->rdata, &kept, err)) {
		err_prefix(err, "%.*s", SLICE_ARGS(slice_sub(word, 0, 40)));
		return false;
	}
	if (kept)
		return store(p, number, err);
	add_node(p->zone, wire_text(p->zone->arena, &p->owner));
	return true;
}

static bool parse_directive(struct parser *p, struct err *err)
{
	struct slice word = p->entry->tokens[0].text;
	struct slice value = p->entry->tokens[1].text;

	if (slice_eq_nocase(word, SLICE("$INCLUDE")))
		return err_set(err, E_SYNTAX, "$INCLUDE is not supported");
	if (p->entry->count != 2)
		return err_set(err, E_SYNTAX, "a directive has one value");
	if (slice_eq_nocase(word, SLICE("$ORIGIN")))
		return wire_from_master(value, &p->origin, &p->origin) ||
		       err_set(err, E_SYNTAX, "bad domain name in $ORIGIN");
	if (!slice_eq_nocase(word, SLICE("$TTL")))
		return err_set(err, E_SYNTAX, "unknown directive");
	p->has_default_ttl = true;
	return zone_time(value, &p->default_ttl) ||
	       err_set(err, E_SYNTAX, "bad time in $TTL");
}

static bool parse_entry(struct parser *p, struct err *err)
{
	const struct zone_token *first = &p->entry->tokens[0];

	if (!p->entry->blank_owner && !first->quoted && first->text.len > 0 &&
	    first->text.ptr[0] == '$')
		return parse_directive(p, err);
	return parse_record(p, err);
}

static bool parse_all(struct parser *p, const char *file, struct err *err)
{
	struct err why;

	for (;;) {
		unsigned int line;

		if (!zone_entry_next(&p->lexer, p->entry, &why))
			return err_set(err, E_CONFIG, "%s:%u: %s", file,
			    p->lexer.line, why.text);
		if (p->entry->count == 0)
			return true;
		line = p->entry->line;
		if (!parse_entry(p, &why))
			return err_set(
			    err, E_CONFIG, "%s:%u: %s", file, line, why.text);
	}
}

static void release_nodes(void *object)
{
	struct zone *zone = object;

	HASH_CLEAR(hh, zone->nodes);
}

bool zone_parse(struct arena *arena, struct slice text, const char *file,
    struct zone **ret, struct err *err)
{
	struct parser p = {.lexer = {text, 0, 1}};
	bool fine;

	p.zone = ARENA_NEW(arena, struct zone);
	p.zone->arena = arena;
	p.zone->secret = hash_secret_new();
	arena_defer(arena, release_nodes, p.zone);
	wire_from_text(SLICE("."), &p.origin);
	p.entry = MEMORY_NEW(struct zone_entry);
	buf_init(&p.rdata, ZONE_RDATA_MAX);
	add_node(p.zone, SLICE(""));
	fine = parse_all(&p, file, err);
	buf_release(&p.rdata);
	memory_free(p.entry);
	if (fine)
		*ret = p.zone;
	return fine;
}

bool zone_read(
    struct arena *arena, const char *path, struct zone **ret, struct err *err)
{
	struct arena *file = arena_new(0);
	struct slice text;
	bool fine = io_read_file(file, path, ZONE_FILE_MAX, &text, err) &&
		    zone_parse(arena, text, path, ret, err);

	arena_free(file);
	return fine;
}

/* RFC 4592, section 3.3.1: the asterisk below the closest name that exists. */
static const struct node *find_wildcard(
    const struct zone *zone, struct slice name)
{
	char text[4 * WIRE_NAME_MAX + 2] = "*.";
	const struct node *encloser = NULL;

	while (!encloser) {
		name = parent_of(name);
		encloser = find_node(zone, name);
	}
	if (slice_empty(name))
		return find_node(zone, SLICE("*"));
	memcpy(text + 2, name.ptr, name.len);
	return find_node(zone, slice_of(text, name.len + 2));
}

static struct zone_answer negative(enum dns_status status, const char *problem)
{
	return (struct zone_answer){
	    .status = status, .problem = problem, .ttl = ZONE_DEFAULT_TTL};
}

struct zone_answer zone_find(
    const struct zone *zone, struct slice name, enum dns_type type)
{
	uint32_t ttl = UINT32_MAX;

	for (int links = 0; links <= ZONE_CHAIN_MAX; links++) {
		const struct node *node = find_node(zone, name);
		const struct rrset *rrset;

		if (!node)
			node = find_wildcard(zone, name);
		if (!node)
			return negative(DNS_NXDOMAIN, "");
		rrset = find_rrset(node, type);
		if (!rrset)
			rrset = find_rrset(node, DNS_CNAME);
		if (!rrset)
			return negative(DNS_NODATA, "");
		if (rrset->ttl < ttl)
			ttl = rrset->ttl;
		if (rrset->type == type)
			return (struct zone_answer){
			    DNS_FOUND, "", ttl, rrset->count, rrset->records};
		name = rrset->records[0].data;
	}
	return negative(
	    DNS_TEMPORARY_FAILURE, "a loop of CNAMEs, or a chain of over 16");
}
