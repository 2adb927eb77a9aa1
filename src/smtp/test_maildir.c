/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/maildir.h"

#include <dirent.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"

struct place {
	struct arena *arena;
	char path[100];
};

static void open_place(struct place *place)
{
	place->arena = arena_new(0);
	snprintf(place->path, sizeof(place->path), "/tmp/maildir-XXXXXX");
	assert_non_null(mkdtemp(place->path));
}

static int remove_one(
    const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	(void)status;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void close_place(struct place *place)
{
	nftw(place->path, remove_one, 20, FTW_DEPTH | FTW_PHYS);
	arena_free(place->arena);
}

static const char *below(struct place *place, const char *name)
{
	return arena_format(place->arena, "%s/%s", place->path, name);
}

/* Files in a folder; the last one's content in *ret. */
static size_t count_files(
    struct place *place, const char *folder, struct slice *ret)
{
	const char *path = below(place, folder);
	DIR *directory = opendir(path);
	struct dirent *entry;
	size_t count = 0;

	while (directory && (entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		count++;
		if (ret)
			assert_true(io_read_file(place->arena,
			    arena_format(
				place->arena, "%s/%s", path, entry->d_name),
			    1 << 20, ret, NULL));
	}
	if (directory)
		closedir(directory);
	return count;
}

static void test_folders(void **state)
{
	static const struct {
		const char *pattern, *address, *folder;
	} cases[] = {
	    {"/m", "a@b.example", "/m"},
	    {"/m/%d", "a@B.Example", "/m/b.example"},
	    {"/m/100%%/%d", "a@b.example", "/m/100%/b.example"},
	    {"/m/%d", "a@..", NULL},
	    {"%p/%l", "User@b.example", "%p/user"},
	    {"%p/%d/%l", "user@c.example", "%p/c.example/user"},
	    {"%p/%d/%l", "nobody@c.example", NULL},
	    {"%p/%d/%l/x", "user@c.example", NULL},
	    {"%p/%l", "nobody@b.example", NULL},
	    {"%p/%l", "../user@b.example", NULL},
	    {"%p/%l", "\"../user\"@b.example", NULL},
	    {"%p/%l", "\".\"@b.example", NULL},
	    {"%p/%l", "\"..\"@b.example", NULL},
	    {"%p/%l", "\"\"@b.example", NULL},
	    {"%p/%l", "\"user/\"@b.example", NULL},
	    {"%p/x%l", "\"/../user\"@b.example", NULL},
	    {"%p/%l", "file@b.example", NULL},
	    {"%p/%l", "", NULL},
	};
	struct place place;

	(void)state;
	open_place(&place);
	assert_int_equal(mkdir(below(&place, "user"), 0700), 0);
	assert_int_equal(mkdir(below(&place, "c.example"), 0700), 0);
	assert_int_equal(mkdir(below(&place, "c.example/user"), 0700), 0);
	fclose(fopen(below(&place, "file"), "w"));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *pattern = cases[i].pattern;
		const char *wanted = cases[i].folder;
		struct smtp_reply_text text = {0};
		struct maildir_recipient one = {0};
		bool ok;

		if (!strncmp(pattern, "%p", 2))
			pattern = below(&place, pattern + 3);
		if (wanted && !strncmp(wanted, "%p", 2))
			wanted = below(&place, wanted + 3);
		ok = maildir_folder(place.arena, slice_from(pattern),
		    slice_from(cases[i].address), &one, &text);
		if (ok != (wanted != NULL))
			fail_msg("%s: %.*s", cases[i].address,
			    SLICE_ARGS(one.folder));
		if (ok)
			assert_true(slice_eq(one.folder, slice_from(wanted)));
		else
			assert_int_equal(text.code, 550);
	}
	close_place(&place);
}

/* A disk that is not mounted makes nobody unknown. */
static void test_folders_that_are_away(void **state)
{
	static const struct {
		const char *pattern, *address;
		int code;
	} cases[] = {
	    {"away/%l", "user@b.example", 451},
	    {"%d/%l", "user@b.example", 451},
	    {"away/%d/%l", "user@b.example", 451},
	    {"file/%l", "user@b.example", 451},
	    {"here/%l", "user@b.example", 550},
	    {"here/x%l", "user@b.example", 550},
	    {"here/%l/%d", "user@b.example", 550},
	    {"here/%l", "link@b.example", 451},
	    {"here/%l/Maildir", "link@b.example", 451},
	    {"here/%l", "loop@b.example", 451},
	};
	struct place place;

	(void)state;
	open_place(&place);
	assert_int_equal(mkdir(below(&place, "here"), 0700), 0);
	fclose(fopen(below(&place, "file"), "w"));
	assert_int_equal(
	    symlink(below(&place, "away"), below(&place, "here/link")), 0);
	assert_int_equal(symlink("loop", below(&place, "here/loop")), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct smtp_reply_text text = {0};
		struct maildir_recipient one;

		assert_false(maildir_folder(place.arena,
		    slice_from(below(&place, cases[i].pattern)),
		    slice_from(cases[i].address), &one, &text));
		if (text.code != cases[i].code)
			fail_msg("%s: %d", cases[i].pattern, text.code);
	}
	close_place(&place);
}

static struct message_pieces pieces_of(
    struct place *place, const char *text, size_t split)
{
	struct slice *pieces = ARENA_ARRAY(place->arena, 2, struct slice);

	pieces[0] = slice_sub(slice_from(text), 0, split);
	pieces[1] = slice_from_pos(slice_from(text), split);
	return (struct message_pieces){2, pieces, strlen(text)};
}

static struct maildir_recipient recipient(
    struct place *place, const char *address, const char *folder)
{
	return (struct maildir_recipient){.address = slice_from(address),
	    .folder = slice_from(below(place, folder))};
}

static void test_delivery(void **state)
{
	static const char text[] = "A: b\r\n\r\nx\ry\r\nz\r";
	struct slice content = {0};
	struct place place;
	size_t split;

	(void)state;
	open_place(&place);
	for (split = 0; split < sizeof(text); split++) {
		const char *folder = arena_format(place.arena, "m/%zu", split);
		const struct maildir_recipient one = recipient(
		    &place, "r@b.example", folder);
		struct message_pieces pieces = pieces_of(&place, text, split);

		assert_int_equal(
		    maildir_deliver(place.arena, SLICE("h.example"),
			SLICE("s@a.example"), 1, &one, &pieces)
			.code,
		    250);
		assert_int_equal(
		    count_files(&place,
			arena_format(place.arena, "%s/new", folder), &content),
		    1);
		assert_int_equal(
		    count_files(&place,
			arena_format(place.arena, "%s/tmp", folder), NULL),
		    0);
		assert_string_equal(arena_text(place.arena, content),
		    "Return-Path: <s@a.example>\n"
		    "Delivered-To: r@b.example\nA: b\n\nx\ry\nz\r");
	}
	close_place(&place);
}

static void test_several_folders(void **state)
{
	struct slice content;
	struct place place;

	(void)state;
	open_place(&place);
	{
		const struct maildir_recipient all[] = {
		    recipient(&place, "a@b.example", "one"),
		    recipient(&place, "b@b.example", "two"),
		    recipient(&place, "c@b.example", "one"),
		};
		struct message_pieces pieces = pieces_of(
		    &place, "A: b\r\n\r\n", 3);

		assert_int_equal(maildir_deliver(place.arena, SLICE("h/x:y"),
				     SLICE(""), 3, all, &pieces)
				     .code,
		    250);
	}
	assert_int_equal(count_files(&place, "two/new", &content), 1);
	assert_int_equal(count_files(&place, "one/new", &content), 1);
	assert_string_equal(arena_text(place.arena, content),
	    "Return-Path: <>\nDelivered-To: a@b.example\n"
	    "Delivered-To: c@b.example\nA: b\n\n");
	close_place(&place);
}

/* All or none, and nothing is left behind. */
static void test_failures(void **state)
{
	static char big[300000];
	struct place place;
	struct rlimit old, small;
	struct smtp_reply_text text;

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	open_place(&place);
	fclose(fopen(below(&place, "file"), "w"));
	{
		const struct maildir_recipient all[] = {
		    recipient(&place, "a@b.example", "one"),
		    recipient(&place, "b@b.example", "file"),
		};
		struct message_pieces pieces = pieces_of(&place, big, 9);

		text = maildir_deliver(place.arena, SLICE("h.example"),
		    SLICE(""), 2, all, &pieces);
		assert_int_equal(text.code, 451);
		signal(SIGXFSZ, SIG_IGN);
		assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
		small = old;
		small.rlim_cur = 100000;
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
		text = maildir_deliver(place.arena, SLICE("h.example"),
		    SLICE(""), 1, all, &pieces);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
		assert_int_equal(text.code, 452);
		assert_true(slice_eq(text.enhanced, SLICE("4.3.1")));
	}
	assert_int_equal(count_files(&place, "one/new", NULL), 0);
	assert_int_equal(count_files(&place, "one/tmp", NULL), 0);
	close_place(&place);
}

/* What goes away between RCPT and the message is not made again: it would be
 * on another disk, or a mailbox of nobody. */
static void test_mailbox_goes_away(void **state)
{
	struct maildir_recipient one;
	struct smtp_reply_text text;
	struct message_pieces pieces;
	struct stat status;
	struct place place;

	(void)state;
	open_place(&place);
	pieces = pieces_of(&place, "A: b\r\n\r\n", 3);
	assert_int_equal(mkdir(below(&place, "user"), 0700), 0);
	assert_true(maildir_folder(place.arena, slice_from(below(&place, "%l")),
	    SLICE("user@b.example"), &one, &text));
	one.address = SLICE("user@b.example");
	assert_int_equal(rmdir(below(&place, "user")), 0);
	text = maildir_deliver(
	    place.arena, SLICE("h.example"), SLICE(""), 1, &one, &pieces);
	assert_int_equal(text.code, 451);
	assert_int_not_equal(stat(below(&place, "user"), &status), 0);
	assert_int_equal(mkdir(below(&place, "user"), 0700), 0);
	text = maildir_deliver(
	    place.arena, SLICE("h.example"), SLICE(""), 1, &one, &pieces);
	assert_int_equal(text.code, 250);
	close_place(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_folders),
	    cmocka_unit_test(test_folders_that_are_away),
	    cmocka_unit_test(test_delivery),
	    cmocka_unit_test(test_several_folders),
	    cmocka_unit_test(test_failures),
	    cmocka_unit_test(test_mailbox_goes_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
