/* SPDX-License-Identifier: Apache-2.0 */
/* gate/test_stage.h - a configuration, a zone and a client: what tests judge
 * a message with. */
#ifndef GATE_TEST_STAGE_H
#define GATE_TEST_STAGE_H

#include "gate/gate.h"

#define STRANGER "192.0.2.66" /* SPF of host.example passes for it */
#define BOUNCE "bounce@host.example"
#define AUTHENTICATION(text) "authentication: {" text "}\n"

/* NULL: the default. */
struct stage_input {
	const char *config; /* top-level keys in place of those of the base */
	const char *ip, *mail_from;
	const char *now, *helo, *user, *tls_name, *listener;
};

struct stage {
	struct arena *arena;
	struct gate_context context;
	struct envelope_client client;
	struct slice tls_name;
	struct envelope envelope; /* to user@agency.example */
};

/* Fails the test if the configuration does not load. */
struct config *stage_config(struct arena *arena, const char *more);

void stage_set(struct stage *stage, const struct stage_input *input);
void stage_clear(struct stage *stage);

#endif
