/* SPDX-License-Identifier: Apache-2.0 */
/* dns/idna.h - one U-label to its A-label, and back (IDNA 2008, RFC 5891).
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

/* Begins with "xn--", in any case: A-label, or pretends to be one. */
bool idna_is_a_label(struct slice label);

/* An A-label is what its own U-label becomes (RFC 5890, section 2.3.2.1; RFC
 * 5891, section 5.3).  Programs that show "xn--agency-eja", which is "agency"
 * with a soft hyphen, as they decode it would show another name.  Pictures
 * ("xn--ls8h") are taken, too, though no U-label here may have them: there are
 * such domains.  Only those that nobody reads as a letter, a digit or a mark
 * of punctuation; a flag, which may be shown as two letters, only as the whole
 * label.  False: E_SYNTAX. */
bool idna_check_a_label(struct slice label, struct err *err);

#endif
