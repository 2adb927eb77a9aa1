/* SPDX-License-Identifier: Apache-2.0 */
#include "base/store_place.h"

#include <string.h>

#include "base/ascii.h"

static bool parse_size(struct slice text, uint64_t *ret)
{
	static const char units[] = "KMGT";
	unsigned int shift = 0;
	uint64_t number;

	if (text.len > 1 && !ascii_is_digit(text.ptr[text.len - 1])) {
		const char *unit = strchr(units, text.ptr[text.len - 1]);

		if (!unit || !*unit)
			return false;
		shift = (unsigned int)(unit - units + 1) * 10;
		text.len--;
	}
	if (!slice_to_u64(text, UINT64_MAX >> 41, &number))
		return false;
	*ret = number << shift;
	return true;
}

bool store_place_parse(
    struct slice text, struct store_place *ret, struct err *err)
{
	static const struct slice max_size = SLICE_INIT("max_size=");
	struct slice path, option;
	uint64_t size = 0;

	slice_split(text, '?', &path, &option);
	/* ":memory:" would be another database for each connection. */
	if (path.len == 0 || path.ptr[0] == ':' || path.len > STORE_PATH_MAX ||
	    slice_find(path, '\0') < path.len)
		return err_set(err, E_CONFIG,
		    "sqlite: needs a path: sqlite:/path/gatehouse.db");
	if (path.len < text.len && !slice_starts(option, max_size))
		return err_set(err, E_CONFIG,
		    "\"?%.*s\" is not known; there is ?max_size=20G",
		    SLICE_ARGS(slice_sub(option, 0, 80)));
	option = slice_from_pos(option, max_size.len);
	if (path.len < text.len && !parse_size(option, &size))
		return err_set(err, E_CONFIG,
		    "\"%.*s\" is not a size; write max_size=20G, or with K, M "
		    "or T",
		    SLICE_ARGS(slice_sub(option, 0, 80)));
	*ret = (struct store_place){path, size};
	return true;
}
