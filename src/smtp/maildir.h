/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/maildir.h - final delivery into Maildir folders.
 *
 * A message is written below tmp/, made durable, linked into new/, and new/ is
 * made durable, before success is reported.  Line ends become LF, as Maildir
 * readers expect; Return-Path: (RFC 5321 section 4.4) and one Delivered-To: a
 * recipient stand on top.
 */
#ifndef SMTP_MAILDIR_H
#define SMTP_MAILDIR_H

#include "base/arena.h"
#include "base/slice.h"
#include "message/decision.h"
#include "message/edit.h"

struct maildir_recipient {
	struct slice address;
	struct slice folder; /* path; several may share one */
	bool exists;	     /* it did, and is not made if it is gone */
};

/* The folder of an address: pattern with %d (domain) and %l (local part) in
 * lower case, %% for '%'.  With %l the folder must exist: that is how we know
 * the user.  *ret refers to address.  False: *ret_reply is 550 5.1.1 (nobody of
 * that name, or a name that cannot be one of a folder: '/', a leading dot,
 * control bytes, over 255 bytes), or 451 4.3.0: also where the folder that
 * holds the users' is missing, which is a disk that is not mounted, or leads
 * nowhere. */
bool maildir_folder(struct arena *arena, struct slice pattern,
    struct slice address, struct maildir_recipient *ret,
    struct smtp_reply_text *ret_reply);

/* One file per distinct folder, all or none.  250, 452 4.3.1 (no space) or
 * 451 4.3.0. */
struct smtp_reply_text maildir_deliver(struct arena *arena,
    struct slice hostname, struct slice sender, size_t count,
    const struct maildir_recipient *recipients,
    const struct message_pieces *pieces);

#endif
