/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/buf.h"
#include "base/io.h"
#include "base/log.h"
#include "message/address.h"

enum { NAME_MAX_BYTES = 255, PATH_MAX_BYTES = 4000, CHUNK = 65536 };

static struct smtp_reply_text reply(
    int code, struct slice enhanced, struct slice text)
{
	return (struct smtp_reply_text){code, enhanced, text};
}

static struct smtp_reply_text reply_unknown(void)
{
	return reply(
	    550, SLICE("5.1.1"), SLICE("there is no such mailbox here"));
}

static bool is_name_byte(char byte)
{
	return byte != '/' && !ascii_is_control(byte);
}

/* What may stand in a path as one whole component or a part of it: nothing
 * that leads elsewhere or hides. */
static bool is_safe_name(struct slice name)
{
	return name.len && name.len <= NAME_MAX_BYTES && name.ptr[0] != '.' &&
	       slice_all(name, is_name_byte);
}

static bool expand(struct arena *arena, struct slice pattern,
    const struct mailbox *mailbox, struct slice *ret)
{
	struct buf *path = buf_in_arena(arena, PATH_MAX_BYTES);

	for (size_t i = 0; i < pattern.len; i++) {
		char byte = pattern.ptr[i];
		struct slice name;

		if (byte != '%' || i + 1 == pattern.len) {
			buf_add_byte(path, byte);
			continue;
		}
		byte = pattern.ptr[++i];
		if (byte != 'd' && byte != 'l') {
			buf_add_byte(path, byte);
			continue;
		}
		name = arena_lower(
		    arena, byte == 'd' ? mailbox->domain : mailbox->local_part);
		if (!is_safe_name(name))
			return false;
		buf_add(path, name);
	}
	*ret = buf_slice(path);
	return !buf_overflowed(path);
}

static bool is_directory(const char *path)
{
	struct stat status;

	if (stat(path, &status) < 0)
		return false;
	errno = ENOTDIR;
	return S_ISDIR(status.st_mode);
}

static bool leads_nowhere(const char *path)
{
	struct stat status;

	return lstat(path, &status) == 0 && S_ISLNK(status.st_mode) &&
	       stat(path, &status) < 0;
}

/* The folder that is not there tells nothing of the user: the one that holds
 * the users' is missing, too, or the user's is a link to what is missing. */
static bool is_away(
    struct arena *arena, struct slice pattern, const struct mailbox *mailbox)
{
	size_t user = slice_find_slice(pattern, SLICE("%l"));
	size_t end = user + slice_find(slice_from_pos(pattern, user), '/');
	struct slice holder, link;

	while (user && pattern.ptr[user - 1] != '/')
		user--;
	return !expand(arena, slice_sub(pattern, 0, user), mailbox, &holder) ||
	       !is_directory(arena_text(arena, holder)) ||
	       !expand(arena, slice_sub(pattern, 0, end), mailbox, &link) ||
	       leads_nowhere(arena_text(arena, link));
}

/* errno says why it is no directory. */
static struct smtp_reply_text refuse(struct arena *arena, struct slice pattern,
    const struct mailbox *mailbox, struct slice path)
{
	bool missing = errno == ENOENT || errno == ENOTDIR;
	struct err err;

	err_set_errno(&err, "%.*s", SLICE_ARGS(path));
	if (missing && !is_away(arena, pattern, mailbox))
		return reply_unknown();
	log_warning("next-hop.maildir", LOG_ERR(&err));
	return reply(
	    451, SLICE("4.3.0"), SLICE("the mailbox cannot be looked at now"));
}

bool maildir_folder(struct arena *arena, struct slice pattern,
    struct slice address, struct maildir_recipient *ret,
    struct smtp_reply_text *ret_reply)
{
	bool exists = slice_find_slice(pattern, SLICE("%l")) < pattern.len;
	struct mailbox mailbox;
	struct slice path;

	if (!address_parse_path(arena, address, true, &mailbox, NULL) ||
	    !expand(arena, pattern, &mailbox, &path)) {
		*ret_reply = reply_unknown();
		return false;
	}
	if (exists && !is_directory(arena_text(arena, path))) {
		*ret_reply = refuse(arena, pattern, &mailbox, path);
		return false;
	}
	*ret = (struct maildir_recipient){
	    .address = address, .folder = path, .exists = exists};
	return true;
}

/* One file on its way. */
struct file {
	const char *folder;
	const char *temporary, *final; /* paths */
	bool exists, linked;
};

struct writer {
	int fd;
	bool pending_cr;
	size_t used;
	char *bytes; /* CHUNK of them */
};

static bool write_failed(const char *path, struct err *err)
{
	if (errno == EFBIG)
		return err_set(err, E_FULL, "%s: file size limit", path);
	return err_set_errno(err, "%s", path);
}

static bool drain(struct writer *writer, struct err *err)
{
	size_t at = 0;

	while (at < writer->used) {
		ssize_t count = write(
		    writer->fd, writer->bytes + at, writer->used - at);

		if (count > 0)
			at += (size_t)count;
		else if (count == 0 || errno != EINTR)
			return write_failed("write", err);
	}
	writer->used = 0;
	return true;
}

static bool put(struct writer *writer, struct slice bytes, struct err *err)
{
	while (bytes.len) {
		struct slice part = slice_sub(bytes, 0, CHUNK - writer->used);

		memcpy(writer->bytes + writer->used, part.ptr, part.len);
		writer->used += part.len;
		bytes = slice_from_pos(bytes, part.len);
		if (writer->used == CHUNK && !drain(writer, err))
			return false;
	}
	return true;
}

/* CR LF becomes LF; any other CR stays. */
static bool put_piece(
    struct writer *writer, struct slice piece, struct err *err)
{
	while (piece.len) {
		size_t end;

		if (writer->pending_cr && piece.ptr[0] != '\n' &&
		    !put(writer, SLICE("\r"), err))
			return false;
		writer->pending_cr = false;
		end = slice_find(piece, '\r');
		if (!put(writer, slice_sub(piece, 0, end), err))
			return false;
		writer->pending_cr = end < piece.len;
		piece = slice_from_pos(piece, end + 1);
	}
	return true;
}

static bool write_message(struct writer *writer, struct slice top,
    const struct message_pieces *pieces, struct err *err)
{
	if (!put(writer, top, err))
		return false;
	for (size_t i = 0; i < pieces->count; i++)
		if (!put_piece(writer, pieces->pieces[i], err))
			return false;
	if (writer->pending_cr && !put(writer, SLICE("\r"), err))
		return false;
	return drain(writer, err);
}

/* bytes: CHUNK of them, for whatever. */
static bool write_file(const struct file *file, char *bytes, struct slice top,
    const struct message_pieces *pieces, struct err *err)
{
	struct writer writer = {.bytes = bytes};
	bool ok;

	writer.fd = io_open(file->temporary,
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
	if (writer.fd < 0)
		return err_set_errno(err, "%s", file->temporary);
	ok = write_message(&writer, top, pieces, err);
	if (ok && io_sync(writer.fd) < 0)
		ok = write_failed("fsync", err);
	if (close(writer.fd) < 0 && ok)
		ok = write_failed("close", err);
	return ok || err_prefix(err, "%s", file->temporary);
}

/* mkdir -p, each new name made durable. */
static bool make_directories(
    struct arena *arena, const char *path, struct err *err)
{
	char *copy = arena_text(arena, slice_from(path));

	for (char *at = copy + 1;; at++) {
		char byte = *at;
		char *parent;

		if (byte != '/' && byte != '\0')
			continue;
		*at = '\0';
		if (mkdir(copy, S_IRWXU) == 0) {
			parent = arena_text(arena, slice_from(copy));
			*(strrchr(parent, '/') + 1) = '\0';
			if (!io_sync_directory(parent, err))
				return false;
		} else if (errno != EEXIST) {
			return err_set_errno(err, "%s", copy);
		}
		if (byte == '\0')
			return true;
		*at = byte;
	}
}

static bool make_folder(
    struct arena *arena, const struct file *file, struct err *err)
{
	static const char *const names[] = {"tmp", "cur", "new"};

	if (file->exists && !is_directory(file->folder))
		return err_set_errno(err, "%s", file->folder);
	for (size_t i = 0; i < 3; i++) {
		const char *path = arena_format(
		    arena, "%s/%s", file->folder, names[i]);

		if (!is_directory(path) && !make_directories(arena, path, err))
			return false;
	}
	return true;
}

static const char *unique_name(struct arena *arena, struct slice hostname)
{
	struct buf *name = buf_in_arena(arena, NAME_MAX_BYTES);
	struct timespec now;
	uint64_t random = 0;

	clock_gettime(CLOCK_REALTIME, &now);
	/* Never fails for so few bytes once the system is up. */
	while (getrandom(&random, sizeof(random), 0) < 0 && errno == EINTR)
		;
	buf_add_format(name, "%lld.M%06ldP%ldR%016llx.", (long long)now.tv_sec,
	    now.tv_nsec / 1000, (long)getpid(), (unsigned long long)random);
	for (size_t i = 0; i < hostname.len && name->len < 200; i++) {
		char byte = hostname.ptr[i];

		buf_add_byte(name,
		    ascii_is_visible(byte) && byte != '/' && byte != ':' ? byte
									 : '_');
	}
	return arena_text(arena, buf_slice(name));
}

static bool has_no_control(char byte)
{
	return !ascii_is_control(byte);
}

static struct slice top_fields(struct arena *arena, struct slice sender,
    struct slice folder, size_t count,
    const struct maildir_recipient *recipients)
{
	struct buf *top = buf_in_arena(arena, (count + 1) * 4096);

	if (!slice_all(sender, has_no_control))
		sender = slice_of(NULL, 0);
	buf_add_format(top, "Return-Path: <%.*s>\n", SLICE_ARGS(sender));
	for (size_t i = 0; i < count; i++)
		if (slice_eq(recipients[i].folder, folder) &&
		    slice_all(recipients[i].address, has_no_control))
			buf_add_format(top, "Delivered-To: %.*s\n",
			    SLICE_ARGS(recipients[i].address));
	return buf_slice(top);
}

static bool link_file(struct file *file, struct err *err)
{
	if (link(file->temporary, file->final) < 0) {
		/* File systems without hard links. */
		if ((errno != EPERM && errno != EOPNOTSUPP) ||
		    rename(file->temporary, file->final) < 0)
			return err_set_errno(err, "%s", file->final);
	}
	file->linked = true;
	return true;
}

static void undo(struct file *files, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		unlink(files[i].temporary);
		if (files[i].linked)
			unlink(files[i].final);
	}
}

static bool publish(
    struct arena *arena, struct file *files, size_t count, struct err *err)
{
	for (size_t i = 0; i < count; i++)
		if (!link_file(&files[i], err))
			return false;
	for (size_t i = 0; i < count; i++)
		if (!io_sync_directory(
			arena_format(arena, "%s/new", files[i].folder), err))
			return false;
	for (size_t i = 0; i < count; i++)
		unlink(files[i].temporary);
	return true;
}

static bool is_first_of_folder(
    const struct maildir_recipient *recipients, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (slice_eq(recipients[i].folder, recipients[at].folder))
			return false;
	return true;
}

static struct smtp_reply_text reply_for(const struct err *err)
{
	if (err->kind == E_FULL)
		return reply(
		    452, SLICE("4.3.1"), SLICE("no space left in the mailbox"));
	return reply(
	    451, SLICE("4.3.0"), SLICE("the mailbox cannot be written to now"));
}

static struct file prepare(struct arena *arena, struct slice hostname,
    const struct maildir_recipient *recipient)
{
	const char *name = unique_name(arena, hostname);
	const char *path = arena_text(arena, recipient->folder);

	return (struct file){
	    .folder = path,
	    .exists = recipient->exists,
	    .temporary = arena_format(arena, "%s/tmp/%s", path, name),
	    .final = arena_format(arena, "%s/new/%s", path, name),
	};
}

struct smtp_reply_text maildir_deliver(struct arena *arena,
    struct slice hostname, struct slice sender, size_t count,
    const struct maildir_recipient *recipients,
    const struct message_pieces *pieces)
{
	struct file *files = ARENA_ARRAY(arena, count, struct file);
	char *bytes = arena_alloc(arena, CHUNK);
	size_t file_count = 0;
	struct err err = {0};
	bool ok = true;

	for (size_t i = 0; i < count && ok; i++) {
		struct slice folder = recipients[i].folder;
		struct slice top;

		if (!is_first_of_folder(recipients, i))
			continue;
		top = top_fields(arena, sender, folder, count, recipients);
		files[file_count++] = prepare(arena, hostname, &recipients[i]);
		ok = make_folder(arena, &files[file_count - 1], &err) &&
		     write_file(
			 &files[file_count - 1], bytes, top, pieces, &err);
	}
	if (ok && publish(arena, files, file_count, &err))
		return reply(
		    250, SLICE("2.0.0"), SLICE("delivered to the mailbox"));
	undo(files, file_count);
	log_warning("next-hop.maildir", LOG_ERR(&err));
	return reply_for(&err);
}
