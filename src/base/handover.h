/* SPDX-License-Identifier: Apache-2.0 */
/* base/handover.h - a semaphore by which one thread gives another what it
 * wrote before.
 *
 * sem_post(3) gives; handover_wait takes.  Why not sem_clockwait(3) itself:
 * ThreadSanitizer does not know it, and would take every such gift for a race.
 */
#ifndef BASE_HANDOVER_H
#define BASE_HANDOVER_H

#include <semaphore.h>

#include "base/clock.h"

/* False: the deadline has passed, and nothing was given. */
bool handover_wait(sem_t *semaphore, struct deadline deadline);

#endif
