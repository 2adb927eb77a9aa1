/* SPDX-License-Identifier: Apache-2.0 */
/* dns/recursor.h - libunbound behind one thread, private to dns/.
 *
 * Questions are posted from any thread; answers come on the recursor's own.
 * libunbound starts a second thread for its work.  Both end in recursor_close.
 */
#ifndef DNS_RECURSOR_H
#define DNS_RECURSOR_H

#include "base/err.h"
#include "dns/question.h"
#include "dns/reply.h"

struct recursor;

/* A question under way, owned by whoever posts it; it must live until it is
 * delivered or the recursor is closed. */
struct recursor_call {
	/* On the recursor's thread, once.  Takes the reply over. */
	void (*deliver)(struct recursor_call *call, struct reply *reply);
	bool forwarded; /* set by recursor_post */
};

/* False: E_CONFIG, E_IO or E_TEMP. */
bool recursor_open(const struct dns_settings *settings, struct recursor **ret,
    struct err *err);

/* Waits for its threads; what was not delivered then never will be. */
void recursor_close(struct recursor *recursor);

/* Questions that may be under way at one time. */
size_t recursor_capacity(const struct recursor *recursor);

/* Hold no lock that deliver takes.  False: nothing will be delivered. */
bool recursor_post(struct recursor *recursor, const struct question *question,
    struct recursor_call *call, struct err *err);

#endif
