/* SPDX-License-Identifier: Apache-2.0 */
/* dns/negative.h - what "there is nothing" is founded on (RFC 2308, section
 * 2.2), private to dns/.
 *
 * Read from the authority section of an answer without records as libunbound
 * hands it on: it keeps an SOA, it keeps an NS of the name's own zones, and it
 * drops those of zones above them.
 */
#ifndef DNS_NEGATIVE_H
#define DNS_NEGATIVE_H

#include "base/slice.h"

enum negative {
	NEGATIVE_SOA, /* of a zone that was asked */
	/* Neither SOA nor NS: NODATA of type 3.  So say forwarders for names
	 * that they make up or hide, and a lame server's referral upwards looks
	 * the same here.  Also what is no message. */
	NEGATIVE_BARE,
	/* NS without SOA: the server knows who knows.  No answer. */
	NEGATIVE_REFERRAL,
};

enum negative negative_read(struct slice message);

#endif
