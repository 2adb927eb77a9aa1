/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/capacity.h"

#include "base/ascii.h"

static bool is_ascii(char byte)
{
	return !ascii_is_8bit(byte);
}

static bool is_larger(const struct smtp_capabilities *offered, uint64_t size,
    struct smtp_reply_text *ret)
{
	if (!offered->size_max || size <= offered->size_max)
		return false;
	*ret = (struct smtp_reply_text){552, SLICE("5.3.4"),
	    SLICE("the message is larger than the next hop takes")};
	return true;
}

/* RFC 6531 section 3.5 and RFC 1870 section 6.1. */
bool capacity_exceeds(const struct smtp_capabilities *offered,
    const struct envelope *envelope, const struct envelope_recipient *recipient,
    struct smtp_reply_text *ret)
{
	bool ascii = slice_all(envelope->mail_from, is_ascii) &&
		     slice_all(recipient->address, is_ascii);

	if (!ascii && !capabilities_have(offered, CAP_SMTPUTF8)) {
		*ret = (struct smtp_reply_text){550, SLICE("5.6.7"),
		    SLICE("the next hop takes no internationalized "
			  "addresses (SMTPUTF8)")};
		return true;
	}
	return is_larger(offered, envelope->declared_size, ret);
}

static bool is_8bit(const struct message_pieces *pieces)
{
	for (size_t i = 0; i < pieces->count; i++)
		if (!slice_all(pieces->pieces[i], is_ascii))
			return true;
	return false;
}

static bool header_is_8bit(const struct message_pieces *pieces)
{
	size_t line = 0; /* bytes in it, CR not counted */

	for (size_t i = 0; i < pieces->count; i++) {
		struct slice piece = pieces->pieces[i];

		for (size_t j = 0; j < piece.len; j++) {
			if (ascii_is_8bit(piece.ptr[j]))
				return true;
			if (piece.ptr[j] == '\n' && !line)
				return false;
			if (piece.ptr[j] == '\n')
				line = 0;
			else
				line += piece.ptr[j] != '\r';
		}
	}
	return false;
}

bool capacity_content_exceeds(const struct smtp_capabilities *offered,
    const struct envelope *envelope, const struct message_pieces *pieces,
    bool declared, struct smtp_reply_text *ret)
{
	if (is_larger(offered, pieces->size, ret))
		return true;
	if (!declared)
		return false;
	if (envelope->body == BODY_8BITMIME &&
	    !capabilities_have(offered, CAP_8BITMIME) && is_8bit(pieces))
		*ret = (struct smtp_reply_text){554, SLICE("5.6.3"),
		    SLICE("the next hop takes no such data (8BITMIME)")};
	else if (envelope->smtputf8 &&
		 !capabilities_have(offered, CAP_SMTPUTF8) &&
		 header_is_8bit(pieces))
		*ret = (struct smtp_reply_text){554, SLICE("5.6.9"),
		    SLICE("the next hop takes no UTF-8 header (SMTPUTF8)")};
	else
		return false;
	return true;
}
