/* SPDX-License-Identifier: Apache-2.0 */
/* milter/protocol.h - the letters and bits of the milter protocol.
 *
 * Version 6 is that of Sendmail 8.14 and Postfix 2.6; version 2 that of
 * Sendmail 8.11.  The protocol is described in draft-adams-milter-protocol;
 * the names are those of Sendmail's headers, as everybody knows them.
 */
#ifndef MILTER_PROTOCOL_H
#define MILTER_PROTOCOL_H

enum { MILTER_VERSION_MIN = 2, MILTER_VERSION = 6 };

/* What the MTA sends. */
enum milter_command {
	SMFIC_ABORT = 'A',
	SMFIC_BODY = 'B',
	SMFIC_CONNECT = 'C',
	SMFIC_MACRO = 'D',
	SMFIC_BODYEOB = 'E',
	SMFIC_HELO = 'H',
	SMFIC_QUIT_NC = 'K',
	SMFIC_HEADER = 'L',
	SMFIC_MAIL = 'M',
	SMFIC_EOH = 'N',
	SMFIC_OPTNEG = 'O',
	SMFIC_QUIT = 'Q',
	SMFIC_RCPT = 'R',
	SMFIC_DATA = 'T',
	SMFIC_UNKNOWN = 'U',
};

/* A piece of a body, either way (Sendmail's MILTER_CHUNK_SIZE). */
enum { MILTER_BODY_PIECE_MAX = 65535 };

/* What it may be answered. */
enum milter_reply {
	SMFIR_ADDRCPT = '+',
	SMFIR_DELRCPT = '-',
	SMFIR_ADDRCPT_PAR = '2',
	SMFIR_REPLBODY = 'b',
	SMFIR_CONTINUE = 'c',
	SMFIR_DISCARD = 'd',
	SMFIR_INSHEADER = 'i',
	SMFIR_CHGHEADER = 'm',
	SMFIR_PROGRESS = 'p',
	SMFIR_QUARANTINE = 'q',
	SMFIR_SKIP = 's',
	SMFIR_TEMPFAIL = 't',
	SMFIR_REPLYCODE = 'y',
};

/* Actions: what a filter may ask for at the end of a message. */
enum milter_action {
	SMFIF_ADDHDRS = 1 << 0,
	SMFIF_CHGBODY = 1 << 1,
	SMFIF_ADDRCPT = 1 << 2,
	SMFIF_DELRCPT = 1 << 3,
	SMFIF_CHGHDRS = 1 << 4,
	SMFIF_QUARANTINE = 1 << 5,
	SMFIF_ADDRCPT_PAR = 1 << 7, /* with parameters of RCPT */
	SMFIF_SETSYMLIST = 1 << 8,  /* it may name the macros it wants */
};

/* Steps: what the MTA need not send, what will not be answered. */
enum milter_step {
	SMFIP_NR_HDR = 1 << 7,
	SMFIP_NOUNKNOWN = 1 << 8,
	SMFIP_NODATA = 1 << 9,
	SMFIP_SKIP = 1 << 10, /* SMFIR_SKIP is understood */
	SMFIP_NR_CONN = 1 << 12,
	SMFIP_NR_HELO = 1 << 13,
	SMFIP_NR_MAIL = 1 << 14,
	SMFIP_NR_RCPT = 1 << 15,
	SMFIP_NR_DATA = 1 << 16,
	SMFIP_NR_UNKN = 1 << 17,
	SMFIP_NR_EOH = 1 << 18,
	SMFIP_NR_BODY = 1 << 19,
	SMFIP_HDR_LEADSPC = 1 << 20, /* values keep the space after ':' */
};

/* For which commands a list of macros is asked for. */
enum milter_stage {
	SMFIM_CONNECT,
	SMFIM_HELO,
	SMFIM_ENVFROM,
	SMFIM_ENVRCPT,
	SMFIM_DATA,
	SMFIM_EOM,
	SMFIM_EOH,
};

#endif
