/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/session_private.h - the inside of a session, for session.c, the
 * commands (cmd_*.c, xclient.c) and transaction.c.
 */
#ifndef SMTP_SESSION_PRIVATE_H
#define SMTP_SESSION_PRIVATE_H

#include "base/buf.h"
#include "base/err.h"
#include "conf/config.h"
#include "message/envelope.h"
#include "smtp/command.h"
#include "smtp/delivery.h"
#include "smtp/session.h"

struct transaction;

/* What the client's next bytes are: a row for each. */
struct session_phase {
	/* Does what can be done with what is buffered.  False: more is needed
	 * first. */
	bool (*step)(struct session *session);
	/* Gets more, if it comes before linger has passed (as stream_fill). */
	bool (*more)(
	    struct session *session, struct deadline linger, struct err *err);
	/* More did not come in time (E_TIMEOUT) or never will: ends the
	 * session. */
	void (*give_up)(struct session *session, const struct err *err);
	/* A client that gets on keeps its thread for so long: parking its
	 * session and waking another thread would cost more than the wait. */
	int64_t linger_ms;
	bool light; /* mostly: for a glance */
};

/* Content that comes in: after DATA, or a chunk. */
struct incoming {
	int64_t started_ms; /* when it was first waited for; 0: not yet */
	bool waiting;	    /* since then, or the last bytes */
	uint64_t bytes;	    /* that came */
	uint64_t counted;   /* of these; see LINGER_BYTES */
	uint64_t chunk;	    /* its size */
	uint64_t left;	    /* of it, still to come */
	bool last;
	const char *refusal; /* why the chunk is not taken; NULL: it is */
};

struct session {
	struct arena *arena; /* of the connection */
	struct stream *stream;
	struct smtp_snapshot *snapshot;
	struct session_shared *shared;
	const struct config *config;
	const struct conf_listener *listener;
	const struct limits *limits;
	size_t listener_index;

	struct ip peer; /* of the socket, or of PROXY */
	struct envelope_client client;
	struct buf helo;		   /* what client.helo points into */
	bool name_looked_up;		   /* client.name was asked for */
	struct delivery_session *delivery; /* made with the first need */
	struct transaction *transaction;   /* NULL outside of one */

	/* For AUTH: what the next line is for, instead of a command. */
	void (*continuation)(struct session *session, struct slice line);
	struct slice auth_user;

	const struct session_phase *phase; /* NULL: it has not begun */
	struct incoming *incoming;	   /* made with the first content */
	bool counted, greeted, over;
	bool dismissed;		 /* over, and may still be sending */
	bool lost;		 /* nothing can be sent any more */
	bool got_on;		 /* something was done since it waited last */
	bool glancing;		 /* on a thread that must not wait */
	bool skipping;		 /* the rest of a line that is too long */
	bool bdat_failed;	 /* until RSET or MAIL */
	const char *reason;	 /* why it ended, for the log */
	struct deadline ends_at; /* limits.session_timeout */
	/* For what the phase waits for, however it drips; and if nothing
	 * comes. */
	struct deadline until, silent_until;
	struct deadline linger_until;
	bool late;	  /* what had come at a deadline has been taken */
	int64_t ready_ms; /* since then it waits for a thread; 0: no */
	/* Each at_ms 0: no. */
	struct deadline output_until; /* the client is to take our replies */
	struct deadline sleeps_until; /* a refusal is held back */
	struct deadline rest_until;   /* what still comes is dropped */
	uint64_t rest_left;	      /* so much of it */
	int64_t started_ms;
	int64_t unsent_since_ms; /* the oldest reply that waits in output */
	unsigned int commands, refused_commands, transactions, messages;
	unsigned int failed_logins;
	/* Against limits.bad_commands and limits.refused_recipients. */
	unsigned int bad_commands, bad_recipients;
	unsigned int idle_commands; /* since the last message */
	size_t skipped;		    /* of the line that is too long */
	uint64_t bytes;
};

/* session_reply.c.  One reply.  enhanced is NULL for those that have none (RFC
 * 2034: 220, 354, 334).  Long text becomes several lines.  A refusal may be
 * held back by limits.tarpit_delay.  421 ends the session. */
void session_reply(struct session *session, int code, const char *enhanced,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
void session_reply_text(
    struct session *session, const struct smtp_reply_text *reply);

/* Bytes as they are: the lines of EHLO.  All that is said is sent when the
 * session waits for its client, or has worked for seconds; the reply to a
 * message at once, and before it is sent on what stands before. */
void session_send(struct session *session, struct slice text);

/* Sends what was said.  False: the client does not take all of it now, or will
 * not any more. */
bool session_write_out(struct session *session);

/* The same, unless it is held back. */
void session_flush(struct session *session);

/* An unknown or wrong command was answered: counts against
 * limits.bad_commands. */
void session_count_bad(struct session *session);

/* A message was delivered: it outweighs one bad command and one refused
 * recipient, so that a long connection of an honest client does not end for
 * them, and who guesses pays with a message for each guess. */
void session_count_delivered(struct session *session);

/* A command that brought no message nearer was answered: too many of them end
 * the session. */
void session_count_idle(struct session *session);

/* Bare CR or LF: says so, counts, ends the session. */
void session_refuse_smuggling(struct session *session, const char *what);

/* Ends it at once, when what was said is sent. */
void session_hang_up(struct session *session, const char *reason);

/* session_end.c.  The same for a client that was told why, and may still be
 * sending: what comes is dropped until it closes, within bounds. */
void session_dismiss(struct session *session, const char *reason);

/* The last words were that its time is over: it has no more. */
void session_time_out(struct session *session, const char *reason);

/* After the last words were sent.  False: later. */
bool session_may_close(struct session *session);

/* Forgets what the client said so far: after STARTTLS and XCLIENT. */
void session_forget_client(struct session *session);

/* What comes next, and until when all of it has to be there. */
void session_enter(struct session *session, const struct session_phase *phase,
    struct deadline until);

/* session_command.c. */
void session_await_command(struct session *session);
bool session_awaits_command(const struct session *session);

/* session_start.c: the beginning, up to the greeting; the greeting; and a TLS
 * handshake, after what was said is sent. */
void session_begin(struct session *session);
void session_greet(struct session *session);
void session_start_tls(struct session *session);

/* The reverse name that leads back to the address (RFC 8601, section 2.7.3):
 * once a session, in client.name. */
void session_look_up_name(struct session *session);

struct delivery_session *session_delivery(struct session *session);

/* One of our own systems, by a relay listener and what the gate knows of the
 * client: its mail is as much as it is.  The listener alone says nothing, for
 * anybody may be able to connect to it. */
bool session_is_own_system(const struct session *session);

/* Checks a path of MAIL or RCPT; *ret is a copy without a source route.  False:
 * the client was told, with these codes. */
struct cmd_address_codes {
	int utf8;	    /* needs SMTPUTF8 */
	const char *syntax; /* enhanced code of 501 */
};
bool cmd_take_address(struct session *session, struct transaction *transaction,
    struct slice path, const struct cmd_address_codes *codes,
    struct slice *ret);

/* Conditions of a command: smtp/verbs.c says in which order. */
enum verb_flags {
	VERB_NO_ARGUMENT = 1 << 0,
	VERB_ARGUMENT = 1 << 1,
	VERB_AFTER_TLS = 1 << 2,  /* where tls.required */
	VERB_AFTER_AUTH = 1 << 3, /* on submission listeners */
	VERB_AFTER_HELO = 1 << 4,
	VERB_OUTSIDE = 1 << 5, /* not inside a transaction */
	VERB_INSIDE = 1 << 6,
	VERB_NOT_IN_CHUNKS = 1 << 7, /* not after BDAT */
	VERB_SECRET = 1 << 8,	     /* its argument is not traced */
	VERB_IDLE = 1 << 9,	     /* brings no message nearer */
	VERB_LIGHT = 1 << 10,	     /* for a glance, outside a transaction */
};

struct verb {
	struct slice name;
	unsigned int flags;
	const char *syntax; /* for 501 and HELP */
	/* Is there such a command for this client?  NULL: always. */
	bool (*exists)(const struct session *session);
	void (*run)(struct session *session, struct slice argument);
};

/* Ends with an empty name: smtp/verbs.c. */
extern const struct verb verbs[];

void verbs_run(struct session *session, struct slice line);

/* The command costs next to nothing and waits for nobody. */
bool verbs_are_light(struct slice line);

/* The functions of the rows. */
void cmd_helo(struct session *session, struct slice argument);
void cmd_ehlo(struct session *session, struct slice argument);
void cmd_starttls(struct session *session, struct slice argument);
bool cmd_starttls_exists(const struct session *session);
void cmd_auth(struct session *session, struct slice argument);
bool cmd_auth_exists(const struct session *session);
void cmd_xclient(struct session *session, struct slice argument);
bool cmd_xclient_exists(const struct session *session);
void cmd_mail(struct session *session, struct slice argument);
void cmd_rcpt(struct session *session, struct slice argument);
void cmd_data(struct session *session, struct slice argument);
void cmd_bdat(struct session *session, struct slice argument);

#endif
