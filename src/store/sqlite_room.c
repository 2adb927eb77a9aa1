/* SPDX-License-Identifier: Apache-2.0 */
/* What may still be written: to the disk, and below max_size. */
#include "base/disk_room.h"
#include "store/sqlite_private.h"

/* For traces, without which no mail is accepted: a tenth of all that there is,
 * some millions of them at most. */
enum { RESERVED_SHARE = 10 };
static const uint64_t reserved_max = (uint64_t)4 << 30;

bool sqlite_count_free(
    struct store_connection *connection, int64_t *ret, struct err *err)
{
	return sqlite_get_int(
	    connection, sqlite_statement_texts[SQL_FREE_PAGES], 0, ret, err);
}

bool sqlite_room(struct store_connection *connection, uint64_t *ret_room,
    uint64_t *ret_used, struct err *err)
{
	int64_t most, used, unused, page_size;
	uint64_t disk;

	if (!sqlite_get_int(
		connection, "PRAGMA max_page_count", 0, &most, err) ||
	    !sqlite_get_int(connection, "PRAGMA page_count", 0, &used, err) ||
	    !sqlite_count_free(connection, &unused, err) ||
	    !sqlite_get_int(connection, "PRAGMA page_size", 0, &page_size, err))
		return false;
	used -= unused;
	*ret_room = (uint64_t)(most - used) * (uint64_t)page_size;
	if (disk_room(connection->path, &disk, NULL) && disk < *ret_room)
		*ret_room = disk;
	if (ret_used)
		*ret_used = (uint64_t)used * (uint64_t)page_size;
	return true;
}

bool sqlite_has_room_to_hold(
    struct store_connection *connection, uint64_t size, struct err *err)
{
	uint64_t room, used, reserved;

	if (!sqlite_room(connection, &room, &used, err))
		return false;
	reserved = (used + room) / RESERVED_SHARE;
	if (reserved > reserved_max)
		reserved = reserved_max;
	if (room >= reserved && size <= room - reserved)
		return true;
	/* Of this member alone: the others of its group stay. */
	return err_set(err, E_LIMIT,
	    "store: no room to hold a message of %llu octets: %llu MiB are "
	    "left, of which %llu are kept for traces",
	    (unsigned long long)size, (unsigned long long)room >> 20,
	    (unsigned long long)reserved >> 20);
}
