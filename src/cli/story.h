/* SPDX-License-Identifier: Apache-2.0 */
/* cli/story.h - one message's trace in plain words.
 *
 * Told from the row and from its facts (the JSON of `check --json`).  A fact
 * that is missing, or is not of the expected kind, is left out: a trace of an
 * older program still has its story.
 */
#ifndef CLI_STORY_H
#define CLI_STORY_H

#include "base/buf.h"
#include "store/store.h"

void story_tell(const struct store_trace *trace, struct buf *out);

#endif
