/* SPDX-License-Identifier: Apache-2.0 */
/* base/role.h - what a listener is for. */
#ifndef BASE_ROLE_H
#define BASE_ROLE_H

enum listener_role {
	ROLE_MX,	 /* mail from anybody for our domains */
	ROLE_RELAY,	 /* outgoing mail of our own systems */
	ROLE_SUBMISSION, /* authenticated users */
	ROLE_MILTER,	 /* an MTA asks */
};

#endif
