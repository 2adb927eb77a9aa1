/* SPDX-License-Identifier: Apache-2.0 */
#include "base/slice.h"

#include <string.h>

#include "base/ascii.h"

bool slice_eq(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || !memcmp(a.ptr, b.ptr, a.len));
}

bool slice_eq_nocase(struct slice a, struct slice b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i]))
			return false;
	return true;
}

int slice_compare(struct slice a, struct slice b)
{
	size_t common = a.len < b.len ? a.len : b.len;
	int order = common ? memcmp(a.ptr, b.ptr, common) : 0;

	if (order)
		return order < 0 ? -1 : 1;
	return (a.len > b.len) - (a.len < b.len);
}

bool slice_starts(struct slice s, struct slice prefix)
{
	return s.len >= prefix.len &&
	       slice_eq(slice_of(s.ptr, prefix.len), prefix);
}

bool slice_starts_nocase(struct slice s, struct slice prefix)
{
	return s.len >= prefix.len &&
	       slice_eq_nocase(slice_of(s.ptr, prefix.len), prefix);
}

bool slice_ends_nocase(struct slice s, struct slice suffix)
{
	return s.len >= suffix.len &&
	       slice_eq_nocase(slice_from_pos(s, s.len - suffix.len), suffix);
}

size_t slice_find_slice(struct slice s, struct slice needle)
{
	const char *at;

	if (needle.len == 0)
		return 0;
	if (s.len < needle.len)
		return s.len;
	at = memmem(s.ptr, s.len, needle.ptr, needle.len);
	return at ? (size_t)(at - s.ptr) : s.len;
}

struct slice slice_trim(struct slice s)
{
	while (s.len && ascii_is_fws(s.ptr[0])) {
		s.ptr++;
		s.len--;
	}
	while (s.len && ascii_is_fws(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

bool slice_split(struct slice s, char separator, struct slice *ret_head,
    struct slice *ret_rest)
{
	size_t at = slice_find(s, separator);

	*ret_head = slice_of(s.ptr, at);
	*ret_rest = slice_from_pos(s, at + 1);
	return at < s.len;
}

bool slice_to_u64(struct slice s, uint64_t max, uint64_t *ret)
{
	uint64_t value = 0;

	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		uint64_t digit;

		if (!ascii_is_digit(s.ptr[i]))
			return false;
		digit = (uint64_t)(s.ptr[i] - '0');
		if (value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
		if (value > max)
			return false;
	}
	*ret = value;
	return true;
}
