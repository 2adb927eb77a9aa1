/* SPDX-License-Identifier: Apache-2.0 */
/* mime/part.h - what the header of a part says about it. */
#ifndef MIME_PART_H
#define MIME_PART_H

#include "mime/tree.h"

/* Sets type, charset, name, attachment and encoding; kind to what the type
 * wants it to be.  *ret_boundary is a multipart's; empty, with a fault, if
 * there is no usable one.  What it keeps is copied to arena; scratch is for
 * the way. */
void mime_part_describe(struct arena *arena, struct arena *scratch,
    const struct header_list *headers, struct slice default_type,
    struct mime_part *part, struct slice *ret_boundary, struct faults *faults);

#endif
