/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/line.h"

enum line_fault line_check(struct slice line, struct slice *ret)
{
	struct slice text;

	if (line.len < 2 || line.ptr[line.len - 2] != '\r')
		return LINE_BARE_LF;
	text = slice_sub(line, 0, line.len - 2);
	if (slice_find(text, '\r') < text.len)
		return LINE_BARE_CR;
	if (slice_find(text, '\n') < text.len)
		return LINE_BARE_LF;
	if (slice_find(text, '\0') < text.len)
		return LINE_NUL;
	*ret = text;
	return LINE_OK;
}
