/* SPDX-License-Identifier: Apache-2.0 */
/* auth/dmarc_record.h - one DMARC policy record: RFC 9989 sections 4.7, 4.8.
 *
 * Nothing is borrowed but the text itself.  Errors after the version are never
 * fatal: a tag that breaks its grammar counts as absent, an unknown one is
 * skipped, and what is worth telling the domain's owner goes into problem.
 */
#ifndef AUTH_DMARC_RECORD_H
#define AUTH_DMARC_RECORD_H

#include "auth/dmarc.h"
#include "base/arena.h"
#include "base/slice.h"

enum dmarc_psd { DMARC_PSD_UNKNOWN, DMARC_PSD_YES, DMARC_PSD_NO };

struct dmarc_record {
	struct slice text;
	bool usable; /* false: no valid policy and no rua= (4.10.1) */
	enum dmarc_policy policy;	      /* p= */
	enum dmarc_policy subdomain_policy;   /* sp=, else p= */
	enum dmarc_policy nonexistent_policy; /* np=, else sp=, else p= */
	enum dmarc_psd psd;
	bool testing; /* t=y */
	bool strict_spf, strict_dkim;
	struct slice rua, ruf; /* raw values, or empty */
	struct slice problem;  /* plain words; empty if there is none */
};

/* Is the version tag first, and exactly DMARC1?  Anything else at the name is
 * not a policy record and is not counted as one (4.10, steps 2 and 6). */
bool dmarc_record_is(struct slice text);

/* text must be one by dmarc_record_is. */
struct dmarc_record dmarc_record_parse(struct arena *arena, struct slice text);

#endif
