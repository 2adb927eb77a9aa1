/* SPDX-License-Identifier: Apache-2.0 */
/* milter/fuzz_milter_judge.h - was that the milter protocol?  A model of its
 * own of what is to be answered, for fuzz_milter_session.
 */
#ifndef MILTER_FUZZ_MILTER_JUDGE_H
#define MILTER_FUZZ_MILTER_JUDGE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/slice.h"

/* Ends the process if not:
 * - what is agreed upon is what was offered, or less;
 * - each command has its one answer, and none that was not to be answered;
 * - the end of a message has changes that the gate asked for and one last
 *   word, which never lets a message pass that the gate did not, or whose
 *   sender is nobody's address unless the MTA tells whose.
 * holds: quarantine is the MTA's, if it can.  alive: the session had not ended
 * of itself, so every answer must be there. */
void milter_judge(struct arena *arena, struct slice sent, struct slice heard,
    bool holds, bool alive);

#endif
