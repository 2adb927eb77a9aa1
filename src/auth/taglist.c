/* SPDX-License-Identifier: Apache-2.0 */
/* Strict on purpose: a verifier that repairs its input judges another
 * signature than the one that the next hop will read.
 */
#include "auth/taglist.h"

#include "base/ascii.h"

static bool is_name_byte(char c)
{
	return ascii_is_alnum(c) || c == '_';
}

/* VALCHAR and folding.  8-bit bytes are UTF-8 of RFC 8616; the tags that may
 * not hold them check for themselves. */
static bool is_value_byte(char c)
{
	return ascii_is_fws(c) || !ascii_is_control(c);
}

const struct tag *taglist_find(const struct taglist *list, struct slice name)
{
	for (size_t i = 0; i < list->count; i++)
		if (slice_eq(list->tags[i].name, name))
			return &list->tags[i];
	return NULL;
}

static bool add_tag(struct taglist *list, struct slice spec, struct err *err)
{
	struct tag tag;
	size_t nth = list->count + 1;

	if (!slice_split(spec, '=', &tag.name, &tag.whole))
		return err_set(err, E_SYNTAX, "tag %zu has no '='", nth);
	tag.name = slice_trim(tag.name);
	tag.value = slice_trim(tag.whole);

	/* tag-name = ALPHA *(ALPHA / DIGIT / "_") */
	if (slice_empty(tag.name) || !ascii_is_alpha(tag.name.ptr[0]) ||
	    !slice_all(tag.name, is_name_byte))
		return err_set(err, E_SYNTAX, "tag %zu has a bad name", nth);
	if (!slice_all(tag.value, is_value_byte))
		return err_set(err, E_SYNTAX, "%.*s= holds a control byte",
		    SLICE_ARGS(tag.name));

	/* "Tags with duplicate names MUST NOT occur": the list is void. */
	if (taglist_find(list, tag.name))
		return err_set(
		    err, E_SYNTAX, "%.*s= occurs twice", SLICE_ARGS(tag.name));
	if (list->count == TAGLIST_MAX)
		return err_set(err, E_LIMIT, "more than %d tags", TAGLIST_MAX);
	list->tags[list->count++] = tag;
	return true;
}

bool taglist_parse(struct slice text, struct taglist *ret, struct err *err)
{
	struct taglist list = {.count = 0};
	struct slice spec, rest = text;

	/* One ";" may end the list; "a=1;;" has an empty tag: an error. */
	do {
		slice_split(rest, ';', &spec, &rest);
		if (!add_tag(&list, spec, err))
			return false;
	} while (!slice_empty(slice_trim(rest)));
	*ret = list;
	return true;
}

bool taglist_next_word(struct slice *rest, struct slice *ret)
{
	struct slice word;

	if (slice_empty(*rest))
		return false;
	slice_split(*rest, ':', &word, rest);
	*ret = slice_trim(word);
	return true;
}
