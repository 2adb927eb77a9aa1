/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/arc_set.h"

#include "base/ascii.h"
#include "message/cfws.h"

/* While collecting: sets has a place for every instance that can be. */
struct collection {
	struct arena *arena;
	size_t room;
	struct arc_sets *sets;
};

static struct arc_set *set_of(struct collection *collection,
    unsigned int instance, const char *what, struct err *err)
{
	struct arc_sets *sets = collection->sets;

	/* Three fields an instance: a higher number leaves a gap. */
	if (instance > collection->room) {
		err_set(err, E_SYNTAX, "%s: instance %u leaves a gap", what,
		    instance);
		return NULL;
	}
	if (instance > sets->count)
		sets->count = instance;
	return &sets->sets[instance - 1];
}

static bool take_place(const struct header_field **place,
    const struct header_field *field, unsigned int instance, const char *what,
    struct err *err)
{
	if (*place)
		return err_set(err, E_SYNTAX, "%s: instance %u occurs twice",
		    what, instance);
	*place = field;
	return true;
}

static bool take_byte(struct slice *text, char byte)
{
	if (text->len == 0 || text->ptr[0] != byte)
		return false;
	*text = slice_from_pos(*text, 1);
	return cfws_skip(text, NULL);
}

/* arc-info = instance [CFWS] ";" authres-payload (RFC 8617 section 4.1.1), and
 * instance = [CFWS] "i" [CFWS] "=" [CFWS] 1*2DIGIT (section 3.10). */
static bool read_instance(
    struct slice value, unsigned int *ret, struct slice *ret_rest)
{
	struct slice number, rest = value;
	uint64_t instance;
	size_t digits = 0;

	if (!cfws_skip(&rest, NULL) || !take_byte(&rest, 'i') ||
	    !take_byte(&rest, '='))
		return false;
	while (digits < rest.len && ascii_is_digit(rest.ptr[digits]))
		digits++;
	number = slice_sub(rest, 0, digits);
	if (digits > 2 || !slice_to_u64(number, 99, &instance) || instance == 0)
		return false;
	rest = slice_from_pos(rest, digits);
	if (!cfws_skip(&rest, NULL) || rest.len == 0 || rest.ptr[0] != ';')
		return false;
	*ret = (unsigned int)instance;
	*ret_rest = slice_trim(slice_from_pos(rest, 1));
	return true;
}

static bool add_results(struct collection *collection,
    const struct header_field *field, struct err *err)
{
	static const char what[] = "ARC-Authentication-Results";
	unsigned int instance;
	struct slice value;
	struct arc_set *set;

	if (!read_instance(field->value, &instance, &value))
		return err_set(err, E_SYNTAX, "%s: no instance", what);
	set = set_of(collection, instance, what, err);
	if (!set || !take_place(&set->results, field, instance, what, err))
		return false;
	set->results_value = value;
	return true;
}

static bool add_message(struct collection *collection,
    const struct header_field *field, struct err *err)
{
	static const char what[] = "ARC-Message-Signature";
	struct dkim_signature signature;
	struct arc_set *set;
	bool good = dkim_signature_parse(
	    collection->arena, SIGNATURE_ARC_MESSAGE, field, &signature, err);

	if (signature.instance == 0)
		return err_prefix(err, "%s", what);
	/* set_of may write to err: the problem is kept before. */
	struct slice problem = good ? SLICE("")
				    : arena_slice(collection->arena,
					  slice_from(err->text));

	set = set_of(collection, signature.instance, what, err);
	if (!set || !take_place(&set->message_field, field, signature.instance,
			what, err))
		return false;
	set->message = signature;
	set->message_problem = problem;
	return true;
}

static bool add_seal(struct collection *collection,
    const struct header_field *field, struct err *err)
{
	static const char what[] = "ARC-Seal";
	struct dkim_signature signature;
	struct arc_set *set;

	if (!dkim_signature_parse(
		collection->arena, SIGNATURE_ARC_SEAL, field, &signature, err))
		return err_prefix(err, "%s", what);
	set = set_of(collection, signature.instance, what, err);
	if (!set ||
	    !take_place(&set->seal_field, field, signature.instance, what, err))
		return false;
	set->seal = signature;
	return true;
}

static const struct arc_field {
	struct slice name;
	bool (*add)(struct collection *collection,
	    const struct header_field *field, struct err *err);
} arc_fields[] = {
    {SLICE_INIT("ARC-Authentication-Results"), add_results},
    {SLICE_INIT("ARC-Message-Signature"), add_message},
    {SLICE_INIT("ARC-Seal"), add_seal},
};

enum { FIELD_COUNT = sizeof(arc_fields) / sizeof(arc_fields[0]) };

static bool add_field(struct collection *collection,
    const struct header_field *field, struct err *err)
{
	for (size_t i = 0; i < FIELD_COUNT; i++)
		if (slice_eq_nocase(field->name, arc_fields[i].name))
			return arc_fields[i].add(collection, field, err);
	return true;
}

static bool check_set(
    const struct arc_set *set, size_t instance, struct err *err)
{
	enum chain_validation wanted = instance == 1 ? CV_NONE : CV_PASS;

	if (!set->results || !set->message_field || !set->seal_field)
		return err_set(
		    err, E_SYNTAX, "instance %zu is incomplete", instance);
	/* RFC 8617 section 5.2, steps 2 and 3. */
	if (set->seal.chain_validation == CV_FAIL)
		return err_set(err, E_SYNTAX,
		    "the seal of instance %zu says cv=fail", instance);
	if (set->seal.chain_validation != wanted)
		return err_set(err, E_SYNTAX,
		    "the seal of instance %zu has the wrong cv=", instance);
	return true;
}

bool arc_sets_collect(struct arena *arena, const struct header_list *headers,
    size_t max, struct arc_sets *ret, struct err *err)
{
	struct collection collection = {arena, 0, ret};
	size_t count = 0;

	*ret = (struct arc_sets){0};
	for (size_t i = 0; i < FIELD_COUNT; i++)
		count += headers_count(headers, arc_fields[i].name);
	if (count == 0)
		return true;
	if (count > FIELD_COUNT * max)
		return err_set(err, E_LIMIT, "more than %zu ARC sets", max);
	collection.room = (count + FIELD_COUNT - 1) / FIELD_COUNT;
	ret->sets = ARENA_ARRAY(arena, collection.room, struct arc_set);

	/* From the bottom: the oldest set is read first, so that a fault of a
	 * newer one leaves the most known. */
	for (size_t i = headers->count; i-- > 0;)
		if (!add_field(&collection, &headers->fields[i], err))
			return false;
	for (size_t i = 0; i < ret->count; i++)
		if (!check_set(&ret->sets[i], i + 1, err))
			return false;
	return true;
}
