/* SPDX-License-Identifier: Apache-2.0 */
/* gate/fake_gate.h - what a test says to the gate of fake_gate.c. */
#ifndef GATE_FAKE_GATE_H
#define GATE_FAKE_GATE_H

/* From now on a commit is told by a thread of its own, after some
 * milliseconds, if it is not given up before. */
void fake_gate_use_threads(void);

/* So many deliveries were noted, of all messages. */
unsigned int fake_gate_noted_count(void);

#endif
