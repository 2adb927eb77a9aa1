/* SPDX-License-Identifier: Apache-2.0 */
#include "message/cfws.h"

#include "base/ascii.h"

/* A comment may hold comments: counted, not recursed into. */
static bool skip_comment(struct slice *text, struct err *err)
{
	size_t depth = 0;

	while (text->len) {
		char c = text->ptr[0];

		*text = slice_from_pos(*text, c == '\\' ? 2 : 1);
		if (c == '(' && ++depth > CFWS_DEPTH_MAX)
			return err_set(
			    err, E_SYNTAX, "comments are nested too deep");
		if (c == ')' && --depth == 0)
			return true;
	}
	return err_set(err, E_SYNTAX, "a comment is not closed");
}

bool cfws_skip(struct slice *text, struct err *err)
{
	while (text->len) {
		if (ascii_is_fws(text->ptr[0]))
			*text = slice_from_pos(*text, 1);
		else if (text->ptr[0] != '(')
			return true;
		else if (!skip_comment(text, err))
			return false;
	}
	return true;
}
