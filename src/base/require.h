/* SPDX-License-Identifier: Apache-2.0 */
/* base/require.h - conditions that only a bug can break; always checked.
 *
 * Never for anything that a peer, a file or the system can cause.
 */
#ifndef BASE_REQUIRE_H
#define BASE_REQUIRE_H

#define require(condition)                                                     \
	((condition) ? (void)0 : require_failed(#condition, __FILE__, __LINE__))

/* Writes the broken condition to stderr and aborts. */
_Noreturn void require_failed(
    const char *condition, const char *file, int line);

#endif
