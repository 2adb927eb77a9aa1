/* SPDX-License-Identifier: Apache-2.0 */
/* store/store_test.h - what the store's tests share. */
#ifndef STORE_STORE_TEST_H
#define STORE_STORE_TEST_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/store.h"

/* A directory of its own for each test, and a URL in it. */
struct place {
	char directory[64];
	char path[128];
	char url[160];
};

static inline struct place place_new(const char *options)
{
	struct place place = {.directory = "/tmp/gatehouse-store-XXXXXX"};

	if (!mkdtemp(place.directory))
		abort();
	snprintf(place.path, sizeof(place.path), "%s/test.db", place.directory);
	snprintf(
	    place.url, sizeof(place.url), "sqlite:%s%s", place.path, options);
	return place;
}

static inline void place_remove(const struct place *place)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	char path[160];

	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s%s", place->path, suffixes[i]);
		unlink(path);
	}
	rmdir(place->directory);
}

/* A plain accepted message. */
static inline struct store_trace trace_new(const char *id, int64_t time_ms)
{
	static const struct slice recipients[] = {
	    SLICE_INIT("Ann@Agency.example"), SLICE_INIT("bob@other.example")};

	return (struct store_trace){
	    .id = slice_from(id),
	    .time_ms = time_ms,
	    .message_id = SLICE("<m1@sender.example>"),
	    .listener = SLICE("mx"),
	    .client_ip = SLICE("192.0.2.7"),
	    .client_name = SLICE("mail.sender.example"),
	    .helo = SLICE("mail.sender.example"),
	    .sender = SLICE("Carl@Sender.example"),
	    .header_from = SLICE("carl@sender.example"),
	    .recipient_count = 2,
	    .recipients = recipients,
	    .subject = SLICE("Minutes"),
	    .size = 1234,
	    .verdict = SLICE("accept"),
	    .own_domain_result = SLICE("none"),
	    .spf_result = SLICE("pass"),
	    .dkim_result = SLICE("pass"),
	    .dmarc_result = SLICE("pass"),
	    .facts = SLICE("{\"verdict\":\"accept\"}"),
	};
}

#endif
