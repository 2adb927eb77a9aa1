/* SPDX-License-Identifier: Apache-2.0 */
/* conf/test_texts.h - configurations for tests, and what is wrong with them. */
#ifndef CONF_TEST_TEXTS_H
#define CONF_TEST_TEXTS_H

struct test_text {
	const char *text;
	unsigned int errors;
	const char *want; /* is in the lines of the problems */
};

/* Ends with a NULL text. */
extern const struct test_text test_texts[];

/* Nearly every field, none of them wrong. */
extern const char test_text_full[];

#endif
