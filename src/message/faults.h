/* SPDX-License-Identifier: Apache-2.0 */
/* message/faults.h - what is structurally wrong with a message.
 *
 * A fault is a fact: policy decides about it.  The names are stable; they are
 * what `check --json` lists in message.malformed.
 */
#ifndef MESSAGE_FAULTS_H
#define MESSAGE_FAULTS_H

#include <assert.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"
#include "message/headers.h"

enum fault {
	FAULT_BARE_LF,
	FAULT_BARE_CR,
	FAULT_NUL_IN_HEADER,
	FAULT_NUL_IN_BODY,
	FAULT_LINE_TOO_LONG, /* over 998 octets: RFC 5322, 2.1.1 */
	FAULT_HEADER_WITHOUT_COLON,
	FAULT_HEADER_NAME_INVALID,
	FAULT_HEADER_CONTROL_BYTES,
	FAULT_HEADER_8BIT, /* 8-bit that is not UTF-8 */
	FAULT_HEADER_STARTS_FOLDED,
	FAULT_NO_HEADER_END,
	FAULT_FROM_MISSING,
	FAULT_FROM_REPEATED,
	FAULT_FROM_UNPARSEABLE,
	FAULT_FROM_SEVERAL_ADDRESSES,
	FAULT_SENDER_REPEATED,
	FAULT_REPLY_TO_REPEATED,
	FAULT_TO_MISSING, /* nor Cc: or Bcc: */
	FAULT_TO_REPEATED,
	FAULT_CC_REPEATED,
	FAULT_BCC_REPEATED,
	FAULT_SUBJECT_MISSING,
	FAULT_SUBJECT_REPEATED,
	FAULT_DATE_MISSING,
	FAULT_DATE_REPEATED,
	FAULT_MESSAGE_ID_MISSING,
	FAULT_MESSAGE_ID_REPEATED,
	FAULT_MIME_VERSION_REPEATED,
	FAULT_CONTENT_TYPE_REPEATED,
	FAULT_CONTENT_TRANSFER_ENCODING_REPEATED,
	FAULT_MIME_HEADER_INVALID,     /* Content-* that breaks its grammar */
	FAULT_MIME_BOUNDARY_MISSING,   /* multipart without a boundary */
	FAULT_MIME_BOUNDARY_UNUSED,    /* never occurs, or never closes */
	FAULT_MIME_BOUNDARY_AMBIGUOUS, /* a line that only some readers take
					* for a boundary */
	FAULT_MIME_ENCODED_COMPOSITE,  /* base64 or QP multipart */
	FAULT_MIME_ENCODING_UNKNOWN,
	FAULT_MIME_ENCODING_BROKEN, /* base64 or QP with foreign bytes */
	FAULT_MIME_PARAMETER_REPEATED,
	FAULT_MIME_TOO_DEEP,
	FAULT_MIME_TOO_MANY_PARTS,
	FAULT_COUNT,
};

/* A set of faults. */
struct faults {
	uint64_t bits;
};

static_assert(FAULT_COUNT <= 64, "a fault is a bit");

void faults_add(struct faults *faults, enum fault fault);
bool faults_has(struct faults faults, enum fault fault);

/* "bare-lf", "from-repeated", ... */
const char *fault_name(enum fault fault);

/* "a line ends with LF alone": for traces and replies. */
const char *fault_help(enum fault fault);

/* The faults of the header block itself (not of MIME or From's addresses). */
struct faults faults_of_headers(const struct header_list *list);

/* Bare CR, bare LF, NUL and over-long lines of a piece of the message.
 * state carries a CR over from piece to piece; start with zeroes. */
struct fault_scan {
	bool after_cr;
	size_t line_length;
	bool in_body;
};
struct faults faults_of_bytes(struct fault_scan *state, struct slice bytes);

/* What only the end of the message shows: of a last line without an end. */
struct faults faults_of_end(const struct fault_scan *state);

#endif
