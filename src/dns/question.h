/* SPDX-License-Identifier: Apache-2.0 */
/* dns/question.h - a name and a type, as a key of tables, private to dns/. */
#ifndef DNS_QUESTION_H
#define DNS_QUESTION_H

#include "base/slice.h"
#include "dns/resolver.h"

struct question {
	struct slice key;  /* type (two octets) and name: unique; terminated */
	struct slice name; /* the part of key behind the type */
	enum dns_type type;
	unsigned int hash; /* of key */
};

#endif
