/* SPDX-License-Identifier: Apache-2.0 */
/* store/store_test.h - what the store's tests share. */
#ifndef STORE_STORE_TEST_H
#define STORE_STORE_TEST_H

#include <fcntl.h>
#include <sqlite3.h>
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

static inline struct store *open_url(const char *url)
{
	struct err err = {.kind = E_NONE};
	struct store *store;

	if (!store_open(slice_from(url), &store, &err)) {
		fprintf(stderr, "%s\n", err.text);
		abort();
	}
	return store;
}

static inline struct store *open_place(const struct place *place)
{
	return open_url(place->url);
}

/* The database beside the store. */
static inline sqlite3 *open_raw(const struct place *place)
{
	sqlite3 *db;

	if (sqlite3_open(place->path, &db) != SQLITE_OK)
		abort();
	return db;
}

static inline void run_raw(sqlite3 *db, const char *sql)
{
	char *message = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) {
		fprintf(stderr, "%s: %s\n", sql, message);
		abort();
	}
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
