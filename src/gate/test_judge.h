/* SPDX-License-Identifier: Apache-2.0 */
/* gate/test_judge.h - whole messages through the gate, for tests.
 *
 * A configuration, a zone and one message, judged as `gatehouse check` does.
 * Signatures are made here with one key, published for every domain that a
 * message is signed by.
 */
#ifndef GATE_TEST_JUDGE_H
#define GATE_TEST_JUDGE_H

#include "gate/gate_private.h"

struct judge_arc {
	const char *sealer;  /* d= of the seal; NULL: no set */
	const char *results; /* what its ARC-Authentication-Results say */
	const char *tags;    /* "i=1; cv=none;"; NULL: those */
};

struct judge_case {
	const char *what;

	/* The message: header on top of the ordinary fields. */
	const char *header;
	size_t header_len;	/* if header holds NUL; 0: up to the first */
	const char *body;	/* default "Hello\r\n" */
	const char *signed_by;	/* d=; NULL: unsigned */
	const char *sign_names; /* h=; default from:subject:date */
	const char *sign_tags;	/* more tags: "l=3;" */
	unsigned int rsa_bits;	/* of the key; 0: it is Ed25519 */
	struct judge_arc arc;	/* after signing */
	const char *added;	/* fields on top, after signing and sealing */
	const char *appended;	/* to the body, after signing and sealing */

	/* Who brings it; default: the stranger of stranger.example. */
	const char *client, *helo, *mail_from, *client_name, *listener;
	const char *authenticated_as, *tls_name;
	bool tls, name_unknown;
	bool after_refusal; /* the next hop refused another recipient before */

	const char *config; /* appended to the configuration */
	const char *broken; /* this name's queries fail; "NAME/TXT" */

	/* What is expected; NULL: not looked at. */
	enum verdict verdict;
	const char *policy;		/* of the verdict; "" for accept */
	const char *reply;		/* how it begins */
	const char *dmarc, *own_domain; /* of the first author; of all */
	const char *kept, *removed;	/* is in, is not in what is handed on */
	const char *because;		/* is in the words of a step */
	const char *override; /* is in its reason; "": there is none */
};

/* Judges each and compares; fails the test, with everything that is known about
 * those that came out another way. */
void judge_all(const struct judge_case *tests, size_t count);

#endif
