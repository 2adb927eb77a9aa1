/* SPDX-License-Identifier: Apache-2.0 */
/* dns/idna.h - one U-label to its A-label (IDNA 2008, RFC 5891).
 *
 * Only labels with bytes over 127 go through libidn2, and without its STD3
 * rules: those delete underscores, and "_dmarc.x" would become "dmarc.x".
 */
#ifndef DNS_IDNA_H
#define DNS_IDNA_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

bool idna_is_needed(struct slice label);

/* Appends the A-label.  Full stops of other scripts (U+3002) end a label, so
 * that what is added may hold dots.  False: E_SYNTAX. */
bool idna_add_label(struct buf *buf, struct slice label, struct err *err);

#endif
