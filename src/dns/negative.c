/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/negative.h"

/* RFC 1035, section 4.1: of the header, of a question and of a record after
 * their names, and where the counts of the sections stand. */
enum {
	HEADER_SIZE = 12,
	QUESTION_SIZE = 4,
	RECORD_SIZE = 10,
	RECORD_LENGTH = 8, /* where the length of the rdata stands */
	COUNT_QUESTION = 4,
	COUNT_ANSWER = 6,
	COUNT_AUTHORITY = 8,
};

enum { TYPE_NS = 2, TYPE_SOA = 6 };

static unsigned int u16_at(struct slice bytes, size_t pos)
{
	return (unsigned int)(unsigned char)bytes.ptr[pos] << 8 |
	       (unsigned char)bytes.ptr[pos + 1];
}

/* Sets *rest behind the name at its start; false: it ends before. */
static bool skip_name(struct slice *rest)
{
	size_t pos = 0;

	while (pos < rest->len) {
		unsigned char octet = (unsigned char)rest->ptr[pos];
		bool pointer = octet >= 0xc0;

		pos += pointer ? 2U : 1U + octet;
		if (!pointer && octet != 0)
			continue;
		if (pos > rest->len)
			return false;
		*rest = slice_from_pos(*rest, pos);
		return true;
	}
	return false;
}

static bool skip_question(struct slice *rest)
{
	if (!skip_name(rest) || rest->len < QUESTION_SIZE)
		return false;
	*rest = slice_from_pos(*rest, QUESTION_SIZE);
	return true;
}

static bool skip_record(struct slice *rest, unsigned int *ret_type)
{
	size_t size;

	if (!skip_name(rest) || rest->len < RECORD_SIZE)
		return false;
	size = RECORD_SIZE + u16_at(*rest, RECORD_LENGTH);
	if (size > rest->len)
		return false;
	*ret_type = u16_at(*rest, 0);
	*rest = slice_from_pos(*rest, size);
	return true;
}

enum negative negative_read(struct slice message)
{
	enum negative found = NEGATIVE_BARE;
	struct slice rest = slice_from_pos(message, HEADER_SIZE);
	unsigned int type;

	if (message.len < HEADER_SIZE)
		return NEGATIVE_BARE;
	for (size_t i = u16_at(message, COUNT_QUESTION); i > 0; i--)
		if (!skip_question(&rest))
			return NEGATIVE_BARE;
	for (size_t i = u16_at(message, COUNT_ANSWER); i > 0; i--)
		if (!skip_record(&rest, &type))
			return NEGATIVE_BARE;
	for (size_t i = u16_at(message, COUNT_AUTHORITY); i > 0; i--) {
		if (!skip_record(&rest, &type))
			return NEGATIVE_BARE;
		if (type == TYPE_SOA)
			return NEGATIVE_SOA;
		if (type == TYPE_NS)
			found = NEGATIVE_REFERRAL;
	}
	return found;
}
