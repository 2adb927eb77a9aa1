/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/number.h"

#include <inttypes.h>

#include "base/ascii.h"

struct unit {
	const char *name;
	uint64_t factor;
};

/* From the largest to the smallest, which must have the factor 1. */
static const struct unit second_units[] = {{"w", 7 * 86400}, {"d", 86400},
    {"h", 3600}, {"m", 60}, {"s", 1}, {NULL, 0}};
static const struct unit millisecond_units[] = {{"d", 86400 * 1000},
    {"h", 3600 * 1000}, {"m", 60 * 1000}, {"s", 1000}, {"ms", 1}, {NULL, 0}};
static const struct unit size_units[] = {
    {"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}, {"", 1}, {NULL, 0}};
static const struct unit no_units[] = {{"", 1}, {NULL, 0}};

static const struct unit *units_of(enum field_type type)
{
	switch (type) {
	case TYPE_SECONDS: return second_units;
	case TYPE_MILLISECONDS: return millisecond_units;
	case TYPE_SIZE: return size_units;
	default: return no_units;
	}
}

bool number_parse(enum field_type type, struct slice text, uint64_t *ret)
{
	size_t digits = 0;
	uint64_t number;

	while (digits < text.len && ascii_is_digit(text.ptr[digits]))
		digits++;
	if (!slice_to_u64(slice_sub(text, 0, digits), UINT64_MAX, &number))
		return false;
	if (number == 0 && digits == text.len) {
		*ret = 0;
		return true;
	}
	for (const struct unit *u = units_of(type); u->name; u++) {
		if (!slice_eq(
			slice_from_pos(text, digits), slice_from(u->name)))
			continue;
		return !__builtin_mul_overflow(number, u->factor, ret);
	}
	return false;
}

struct slice number_format(
    struct arena *arena, enum field_type type, uint64_t number)
{
	const struct unit *unit = units_of(type);

	while (unit->factor > 1 &&
	       (number < unit->factor || number % unit->factor))
		unit++;
	/* 0 in the smallest unit that people write. */
	if (number == 0 && type == TYPE_MILLISECONDS)
		return SLICE("0s");
	return arena_format_slice(
	    arena, "%" PRIu64 "%s", number / unit->factor, unit->name);
}
