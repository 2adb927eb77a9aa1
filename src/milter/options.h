/* SPDX-License-Identifier: Apache-2.0 */
/* milter/options.h - what an MTA and this filter agree upon at the start.
 *
 * Asked for is what saves answers (one at the end of a message is enough) and
 * what keeps the octets of header fields; without either an older MTA is
 * served as well.  So are the rights to change recipients and body, which few
 * messages need: see answer_lacks.  Needed are only the right to insert fields
 * and the right to remove them: without the second, forged results would stay.
 */
#ifndef MILTER_OPTIONS_H
#define MILTER_OPTIONS_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

struct milter_options {
	uint32_t version, actions, steps;
};

/* What an SMFIC_OPTNEG says.  False: E_SYNTAX. */
bool options_parse(
    struct slice data, struct milter_options *ret, struct err *err);

/* False: E_CONFIG, the MTA cannot do what is needed. */
bool options_choose(const struct milter_options *offered,
    struct milter_options *ret, struct err *err);

/* The answer, with the macros that are wanted if the MTA lets us say so. */
bool options_write(struct buf *out, const struct milter_options *chosen);

#endif
