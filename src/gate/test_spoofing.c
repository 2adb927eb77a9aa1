/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that want to be from somebody else: a stranger who authenticates
 * as himself tries every way to make a reader see another author. */
#include "gate/test_judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define STRANGER "From: x@stranger.example\r\n"
#define BANK "From: x@bank.example\r\n"
#define REJECT .verdict = VERDICT_REJECT
#define DEFER .verdict = VERDICT_DEFER
#define ACCEPT .verdict = VERDICT_ACCEPT, .policy = ""
#define MALFORMED REJECT, .policy = "malformed", .reply = "550 5.7.1 "
#define OWN REJECT, .policy = "own-domain", .reply = "550 5.7.1 "
#define US "From: ceo@agency.example\r\n"
#define TEN(text) text text text text text text text text text text
#define NUL_HEADER(text) .header = text, .header_len = sizeof(text) - 1

/* clang-format off */

/* Who is the author?  What a reader could see, not what is convenient. */
static const struct judge_case authors[] = {
    {"himself", STRANGER, ACCEPT, .dmarc = "pass"},
    {"us", "From: ceo@agency.example\r\n", OWN, .own_domain = "fail"},
    {"the bank", BANK, REJECT, .policy = "dmarc", .dmarc = "fail"},
    /* fields */
    {"none", "To: a@agency.example\r\n", MALFORMED, .because = "there is no From: field"},
    {"no address", "From: ceo\r\n", MALFORMED, .because = "From: an address has no domain"},
    {"two fields", STRANGER "From: ceo@agency.example\r\n", MALFORMED},
    {"two fields of one", STRANGER STRANGER, MALFORMED},
    {"another case", STRANGER "fROM: ceo@agency.example\r\n", MALFORMED},
    {"blank before colon", "From : ceo@agency.example\r\n", OWN},
    {"tab before colon", "From\t: ceo@agency.example\r\n", OWN},
    {"second with blank", STRANGER "From : x@bank.example\r\n", MALFORMED},
    {"fold before colon", STRANGER "From\r\n : ceo@agency.example\r\n", MALFORMED},
    {"fold before colon, alone", "From\r\n : ceo@agency.example\r\n", REJECT},
    {"control before colon", STRANGER "From\x01: ceo@agency.example\r\n", MALFORMED},
    {"vertical tab before colon", STRANGER "From\v: ceo@agency.example\r\n", MALFORMED},
    {"8 bit before colon", STRANGER "From\xa0: ceo@agency.example\r\n", MALFORMED},
    {"no-break space before colon", STRANGER "From\xc2\xa0: ceo@agency.example\r\n", MALFORMED},
    {"zero-width space inside", STRANGER "Fr\xe2\x80\x8bom: ceo@agency.example\r\n", MALFORMED},
    {"byte order mark before", "\xef\xbb\xbf" "From: ceo@agency.example\r\n" STRANGER, MALFORMED},
    {"first line folded", " From: ceo@agency.example\r\n" STRANGER, MALFORMED},
    {"first line a tab", "\tX: y\r\n" STRANGER, MALFORMED},
    {"after a blank line", "To: a@b.example\r\n \r\n" STRANGER "From: ceo@agency.example\r\n", MALFORMED},
    {"NUL in name", NUL_HEADER(STRANGER "From\0: ceo@agency.example\r\n"), MALFORMED},
    {"lone CR", STRANGER "Subject: x\rFrom: ceo@agency.example\r\n", REJECT, .reply = "550 5.5.2"},
    {"lone LF", STRANGER "Subject: x\nFrom: ceo@agency.example\r\n", REJECT, .reply = "550 5.5.2"},
    {"line without colon", "junk\r\nFrom: ceo@agency.example\r\n", OWN},
    {"mbox line", "From ceo@agency.example Sun Mar 01 00:00:00 2026\r\n" STRANGER, ACCEPT},
    /* octets */
    {"NUL", NUL_HEADER("From: ceo@agency.example\0@stranger.example\r\n"), MALFORMED},
    {"control before", "From: \x01" "ceo@agency.example\r\n", MALFORMED},
    {"control after", "From: ceo@agency.example\x7f\r\n", MALFORMED},
    {"control inside", "From: ceo@agency.example\v<x@stranger.example>\r\n", MALFORMED},
    {"control, several", STRANGER "From: \x02" "ceo@agency.example\r\n", MALFORMED},
    {"8 bit in domain", "From: ceo@agency\xff.example\r\n", MALFORMED},
    {"8 bit in name", "From: M\xfcller <ceo@agency.example>\r\n", OWN},
    {"C1 control in UTF-8", "From: ceo@agency.example\xc2\x85<x@stranger.example>\r\n", MALFORMED},
    /* syntax */
    {"angle", "From: <ceo@agency.example>\r\n", OWN},
    {"folded", "From:\r\n ceo@agency\r\n .example\r\n", OWN},
    {"blanks", "From: ceo @ agency . example\r\n", OWN},
    {"comment before", "From: (x@stranger.example) ceo@agency.example\r\n", OWN},
    {"comment after", "From: ceo@agency.example (x@stranger.example)\r\n", OWN},
    {"comment in domain", "From: ceo@agency.example(.stranger.example)\r\n", OWN},
    {"comment open", "From: ceo@agency.example(.stranger.example\r\n", MALFORMED},
    {"comment escaped", "From: ceo@agency.example (\\) <x@stranger.example>)\r\n", OWN},
    {"two ats", "From: ceo@agency.example@stranger.example\r\n", MALFORMED},
    {"unquoted name", "From: ceo@agency.example <x@stranger.example>\r\n", MALFORMED},
    {"after the bracket", "From: <x@stranger.example> ceo@agency.example\r\n", MALFORMED},
    {"glued to the bracket", "From: <x@stranger.example>ceo@agency.example\r\n", MALFORMED},
    {"nested brackets", "From: <<ceo@agency.example>>\r\n", MALFORMED},
    {"semicolon", "From: x@stranger.example; ceo@agency.example\r\n", MALFORMED},
    {"escaped comma", "From: <ceo@agency.example>\\, <x@stranger.example>\r\n", MALFORMED},
    {"quoted local part", "From: \"ceo@agency.example\"@stranger.example\r\n", MALFORMED},
    {"quoted, in brackets", "From: <\"ceo@agency.example> \"@stranger.example>\r\n", MALFORMED},
    {"quoted pair", "From: \"ceo\\@agency.example\"@stranger.example\r\n", MALFORMED},
    {"quote open", "From: \"ceo@agency.example\\\"@stranger.example\r\n", MALFORMED},
    {"source route", "From: <@agency.example:x@stranger.example>\r\n", MALFORMED},
    {"source route to us", "From: <@stranger.example,@x.example:ceo@agency.example>\r\n", MALFORMED},
    {"literal", "From: ceo@[192.0.2.10]\r\n", MALFORMED},
    {"no domain", "From: ceo\r\n", MALFORMED},
    {"null address", "From: <>\r\n", MALFORMED},
    {"empty", "From:\r\n", MALFORMED},
    {"empty group", "From: ceo@agency.example:;\r\n", MALFORMED},
    {"no members", "From: ceo:;\r\n", MALFORMED},
    {"in a group", "From: Board: ceo@agency.example;\r\n", OWN},
    {"open group", "From: Board: ceo@agency.example\r\n", MALFORMED},
    {"empty elements", "From: ,, ceo@agency.example ,,\r\n", OWN},
    /* encoded words */
    {"encoded address", "From: =?utf-8?q?ceo=40agency.example?=\r\n", MALFORMED},
    {"encoded brackets", "From: =?utf-8?b?PGNlb0BhZ2VuY3kuZXhhbXBsZT4=?=, x@stranger.example\r\n", MALFORMED},
    {"encoded local part", "From: =?utf-8?q?ceo=40agency.example=00?=@stranger.example\r\n", MALFORMED},
    {"encoded, quoted", "From: \"=?utf-8?q?ceo=40agency.example?=\"@stranger.example\r\n", MALFORMED},
    {"encoded domain", "From: ceo@=?utf-8?q?agency?=.example\r\n", MALFORMED},
    /* our domain in other letters */
    {"upper case", "From: ceo@AGENCY.Example\r\n", OWN},
    {"final dot", "From: ceo@agency.example.\r\n", REJECT},
    {"below", "From: ceo@a.b.agency.example\r\n", OWN},
    {"A-label", "From: ceo@xn--bcher-kva.example\r\n", OWN},
    {"A-label, upper case", "From: ceo@XN--BCHER-KVA.EXAMPLE\r\n", OWN},
    {"U-label", "From: ceo@b\xc3\xbc" "cher.example\r\n", OWN},
    {"U-label, upper case", "From: ceo@B\xc3\x9c" "CHER.example\r\n", OWN},
    {"U-label, decomposed", "From: ceo@bu\xcc\x88" "cher.example\r\n", OWN},
    {"full width", "From: ceo@\xef\xbd\x81gency.example\r\n", OWN},
    {"full-width dot", "From: ceo@agency\xef\xbc\x8e" "example\r\n", OWN},
    {"ideographic dot", "From: ceo@agency\xe3\x80\x82" "example\r\n", OWN},
    {"soft hyphen", "From: ceo@agen\xc2\xad" "cy.example\r\n", OWN},
    {"zero-width space", "From: ceo@agency.example\xe2\x80\x8b\r\n", OWN},
    /* domains that look like ours are other domains */
    {"Cyrillic a", "From: ceo@\xd0\xb0gency.example\r\n", ACCEPT, .own_domain = "none", .dmarc = "none"},
    {"Cyrillic a, A-label", "From: ceo@xn--gency-7ve.example\r\n", ACCEPT, .own_domain = "none", .dmarc = "none"},
    {"A-label of a picture", "From: ceo@xn--i-7iq.ws\r\n", ACCEPT, .own_domain = "none", .dmarc = "none"},
    {"A-label of a picture, below us", "From: ceo@xn--ls8h.agency.example\r\n", OWN},
    {"A-label of a slash", "From: ceo@xn--example-7d7c.ws\r\n", MALFORMED},
    {"A-label of ASCII", "From: ceo@xn--agency-.example\r\n", MALFORMED},
    {"A-label with a soft hyphen", "From: ceo@xn--agency-eja.example\r\n", MALFORMED},
    {"A-label in full width", "From: ceo@xn--gency-cp33a.example\r\n", MALFORMED},
    {"A-label, right to left", "From: ceo@xn--elpmaxe-z76c.xn--ycnega-1l0c\r\n", MALFORMED},
    {"dotless i", "From: ceo@b\xc3\xbc" "cher.ex\xc4\xb1mple\r\n", ACCEPT, .own_domain = "none"},
    {"another accent", "From: ceo@b\xc3\xba" "cher.example\r\n", ACCEPT, .own_domain = "none"},
    {"no accent", "From: ceo@bucher.example\r\n", ACCEPT, .own_domain = "none"},
    {"digit", "From: ceo@agency.examp1e\r\n", ACCEPT, .own_domain = "none"},
    {"ours in front", "From: ceo@agency.example.stranger.example\r\n", ACCEPT, .own_domain = "none"},
    {"ours in front, full-width dot", "From: ceo@agency.example\xef\xbc\x8estranger.example\r\n", ACCEPT, .own_domain = "none"},
    {"right to left", "From: ceo@\xe2\x80\xae" "elpmaxe.ycnega\r\n", MALFORMED},
    {"slash", "From: ceo@agency.example\xe2\x81\x84.stranger.example\r\n", MALFORMED},
    {"fraction slash", "From: ceo@agency.example/x.stranger.example\r\n", REJECT},
    /* quoted and routed domains and local parts */
    {"quoted domain", "From: ceo@\"agency.example\"\r\n", MALFORMED},
    {"escaped domain", "From: ceo@agency\\.example\r\n", MALFORMED},
    {"empty local part", "From: @agency.example\r\n", MALFORMED},
    {"empty, quoted", "From: \"\"@agency.example\r\n", OWN},
    {"quoted, ours", "From: \"c e o\"@agency.example\r\n", OWN},
    {"percent", "From: ceo%agency.example@stranger.example\r\n", ACCEPT, .dmarc = "pass", .own_domain = "none"},
    {"bang", "From: agency.example!ceo@stranger.example\r\n", ACCEPT, .dmarc = "pass", .own_domain = "none"},
    {"only in the name", "From: \"ceo@agency.example\" <x@stranger.example>\r\n", ACCEPT, .dmarc = "pass", .own_domain = "none"},
    {"only in the name, encoded", "From: =?utf-8?q?ceo=40agency.example?= <x@stranger.example>\r\n", ACCEPT, .dmarc = "pass", .own_domain = "none"},
    /* long ones */
    {"behind a long name", "From: " TEN(TEN(TEN("name "))) "<ceo@agency.example>\r\n", OWN},
    {"behind many folds", "From:" TEN(TEN("\r\n ")) "ceo@agency.example\r\n", REJECT},
    {"behind a long comment", "From: (" TEN(TEN(TEN("x"))) ") ceo@agency.example\r\n", OWN},
    {"behind deep comments", "From: " TEN(TEN("(")) "x@stranger.example" TEN(TEN(")")) " ceo@agency.example\r\n", REJECT},
    {"over limits.header_field_size", "From: x@stranger.example (" TEN(TEN(TEN(TEN("0123456789\r\n ")))) ")\r\n", REJECT},
    {"behind limits.from_addresses", "From: " TEN("x@stranger.example, ") "ceo@agency.example\r\n", REJECT},
    {"label too long", "From: ceo@" TEN("0123456") "." "agency.example\r\n", MALFORMED},
    {"name too long", "From: ceo@" TEN(TEN("abc.")) "agency.example\r\n", MALFORMED},
    /* several authors */
    {"with us", "From: x@stranger.example, ceo@agency.example\r\n", OWN},
    {"with the bank", "From: x@stranger.example, y@bank.example\r\n", REJECT, .policy = "several-authors"},
    {"with p=none", "From: x@stranger.example, y@none.example\r\n", ACCEPT},
    {"bank in a group", "From: x@stranger.example, g: y@bank.example;\r\n", REJECT, .policy = "several-authors"},
    {"p=none first, and one that is down", "From: x@none.example, y@none2.example\r\n", DEFER,
	.broken = "_dmarc.none2.example", .reply = "451 4.7.0 "},
};

/* The envelope. */
static const struct judge_case envelopes[] = {
    {"us in MAIL FROM", STRANGER, OWN, .mail_from = "ceo@agency.example"},
    {"us, upper case", STRANGER, OWN, .mail_from = "ceo@AGENCY.EXAMPLE"},
    {"us, as U-label", STRANGER, OWN, .mail_from = "ceo@b\xc3\xbc" "cher.example"},
    {"us, full width", STRANGER, OWN, .mail_from = "ceo@\xef\xbd\x81gency.example"},
    {"below us", STRANGER, OWN, .mail_from = "a@sub.agency.example"},
    {"below us, no A-label", STRANGER, OWN, .mail_from = "a@xn--a.agency.example"},
    {"below us, A-label of ASCII", STRANGER, OWN, .mail_from = "a@xn--hr-.agency.example"},
    {"below us, no U-label", STRANGER, OWN, .mail_from = "x@a\xe2\x80\xae" "b.agency.example"},
    {"below us, no U-label, upper case", STRANGER, OWN, .mail_from = "x@C.a\xe2\x80\xae" "b.AGENCY.example"},
    {"below us, no U-label, we are one", STRANGER, OWN, .mail_from = "x@a\xe2\x80\xae" "b.B\xc3\x9c" "CHER.example"},
    {"below us, label of 64 octets", STRANGER, OWN, .mail_from = "x@" TEN("123456") "1234.agency.example"},
    {"below us, no U-label, signed", STRANGER, OWN, .mail_from = "x@a\xe2\x80\xae" "b.agency.example", .signed_by = "agency.example"},
    {"below us, no U-label, DNS down", STRANGER, OWN, .mail_from = "x@a\xe2\x80\xae" "b.agency.example", .broken = "agency.example/TXT"},
    {"no U-label elsewhere", STRANGER, ACCEPT, .mail_from = "x@a\xe2\x80\xae" "b.agency.example.stranger.example", .own_domain = "none"},
    {"no U-label, glued to us", STRANGER, ACCEPT, .mail_from = "x@a\xe2\x80\xae" "bagency.example", .own_domain = "none"},
    {"literal", STRANGER, ACCEPT, .mail_from = "x@[192.0.2.1]", .own_domain = "none"},
    {"quoted at", STRANGER, OWN, .mail_from = "\"x@stranger.example\"@agency.example"},
    {"null sender, our HELO", "From: ceo@agency.example\r\n", OWN, .mail_from = "", .helo = "agency.example"},
    {"null sender, own HELO", "From: ceo@agency.example\r\n", OWN, .mail_from = ""},
    {"null sender, bank", BANK, REJECT, .mail_from = "", .helo = "bank.example", .dmarc = "fail"},
    {"null sender, own HELO, bank", BANK, REJECT, .mail_from = "", .dmarc = "fail"},
    {"null sender, one result", STRANGER, ACCEPT, .mail_from = "", .kept = "smtp.helo=stranger.example;\r\n", .removed = "smtp.helo=stranger.example;\r\n\tspf="},
    {"HELO alone passes", BANK, REJECT, .mail_from = "x@none.example", .helo = "open.bank.example", .dmarc = "fail"},
    {"+all below, strict", "From: a@strict.example\r\n", REJECT, .mail_from = "x@sub.strict.example", .dmarc = "fail"},
    {"+all below the bank is its own word", BANK, ACCEPT, .mail_from = "x@open.bank.example", .dmarc = "pass"},
    {"mapped address", "From: x@mapped.example\r\n", ACCEPT, .mail_from = "x@mapped.example", .client = "::ffff:203.0.113.66"},
    {"another registrant of a suffix", "From: x@one.suffix.example\r\n", REJECT, .mail_from = "x@two.suffix.example", .dmarc = "fail"},
    {"the suffix itself", "From: x@suffix.example\r\n", REJECT, .mail_from = "x@two.suffix.example", .dmarc = "fail"},
    {"ours is +all below", US, OWN, .mail_from = "x@open.agency.example", .own_domain = "fail"},
    {"ours is +all below, HELO", US, OWN, .mail_from = "", .helo = "open.agency.example", .own_domain = "fail"},
    {"ours is +all, envelope", STRANGER, OWN, .mail_from = "x@open.agency.example", .own_domain = "fail"},
    {"ours includes +all", US, OWN, .mail_from = "x@includes.agency.example"},
    {"ours redirects to +all", US, OWN, .mail_from = "x@redirects.agency.example"},
    {"ours is two halves", US, OWN, .mail_from = "x@half.agency.example"},
    {"ours excludes them", US, OWN, .mail_from = "x@narrow.agency.example"},
    {"ours is unsure of them", US, OWN, .mail_from = "x@unsure.agency.example"},
    {"ours is a wide network", US, ACCEPT, .mail_from = "x@wide.agency.example", .own_domain = "pass"},
    {"ours is +all, signed", US, ACCEPT, .mail_from = "x@open.agency.example", .signed_by = "agency.example", .own_domain = "pass"},
    {"null sender, HELO with final dot", US, OWN, .mail_from = "", .helo = "agency.example."},
    {"null sender, HELO in other letters", US, OWN, .mail_from = "", .helo = "AGENCY.example"},
    {"null sender, HELO literal", BANK, REJECT, .mail_from = "", .helo = "[192.0.2.20]", .dmarc = "fail"},
    {"null sender, HELO with an at", BANK, REJECT, .mail_from = "", .helo = "x@bank.example", .dmarc = "fail"},
    {"null sender, HELO with NUL-like end", BANK, REJECT, .mail_from = "", .helo = "stranger.example\\000.bank.example", .dmarc = "fail"},
    {"null sender, no HELO", BANK, REJECT, .mail_from = "", .helo = "", .dmarc = "fail"},
    {"ours as local part", STRANGER, ACCEPT, .mail_from = "agency.example@stranger.example", .own_domain = "none", .dmarc = "pass"},
    {"A-label of ASCII", "From: x@xn--bank-.example\r\n", MALFORMED, .mail_from = "x@xn--bank-.example"},
    {"look-alike of ours", STRANGER, ACCEPT, .mail_from = "ceo@\xd0\xb0gency.example", .own_domain = "none"},
    {"a name that ends alike", "From: x@notagency.example\r\n", ACCEPT, .own_domain = "none"},
    {"a name that ends alike, bank", BANK, REJECT, .mail_from = "x@notbank.example", .dmarc = "fail"},
};

/* Signatures. */
static const struct judge_case signatures[] = {
    {"ours", "From: ceo@agency.example\r\n", ACCEPT, .signed_by = "agency.example", .own_domain = "pass"},
    {"of the bank", BANK, ACCEPT, .signed_by = "bank.example", .dmarc = "pass"},
    {"of a stranger", BANK, REJECT, .signed_by = "stranger.example", .dmarc = "fail"},
    {"of a stranger, ours", "From: ceo@agency.example\r\n", OWN, .signed_by = "stranger.example"},
    {"of the parent, strict", "From: a@sub.strict.example\r\n", REJECT, .signed_by = "strict.example", .dmarc = "fail"},
    {"of a child, strict", "From: a@strict.example\r\n", REJECT, .signed_by = "sub.strict.example", .dmarc = "fail"},
    {"of the suffix", "From: x@one.suffix.example\r\n", REJECT, .signed_by = "suffix.example", .dmarc = "fail"},
    {"of another registrant", "From: x@one.suffix.example\r\n", REJECT, .signed_by = "two.suffix.example", .dmarc = "fail"},
    {"i= elsewhere", BANK, REJECT, .signed_by = "stranger.example", .sign_tags = "i=x@bank.example;", .dmarc = "fail"},
    {"without From", BANK, REJECT, .signed_by = "bank.example", .sign_names = "subject:date", .dmarc = "fail"},
    {"expired", BANK, REJECT, .signed_by = "bank.example", .sign_tags = "t=1; x=2;", .dmarc = "fail"},
    {"replayed with a longer body", BANK, REJECT, .signed_by = "bank.example", .sign_tags = "l=5;", .appended = "and evil\r\n", .dmarc = "fail"},
    {"replayed with another body", BANK, REJECT, .signed_by = "bank.example", .appended = "and evil\r\n", .dmarc = "fail"},
    {"replayed with another From", BANK, MALFORMED, .signed_by = "bank.example", .added = STRANGER},
    {"replayed with From below", BANK, MALFORMED, .signed_by = "stranger.example", .added = STRANGER},
    {"replayed with another Subject", BANK, REJECT, .signed_by = "bank.example", .added = "Subject: evil\r\n", .dmarc = "fail"},
    {"replayed with another Date", BANK, REJECT, .signed_by = "bank.example", .added = "DATE : x\r\n", .dmarc = "fail"},
    {"replayed with a second type", BANK "Content-Type: text/plain\r\n", REJECT, .signed_by = "bank.example",
	.sign_names = "from:content-type", .added = "Content-Type: text/html\r\n", .dmarc = "fail"},
    {"two signed Subjects are the signer's", BANK "Subject: t\r\n", ACCEPT, .signed_by = "bank.example",
	.sign_names = "from:subject:subject", .dmarc = "pass"},
    {"other fields may be added", BANK, ACCEPT, .signed_by = "bank.example", .added = "Received: x\r\nList-Id: y\r\n", .dmarc = "pass"},
    {"the key's name is down", BANK, DEFER, .signed_by = "bank.example", .broken = "k._domainkey.bank.example", .dmarc = "temperror", .reply = "451 4.7.0 "},
    {"another's key is down", BANK, REJECT, .signed_by = "stranger.example", .broken = "k._domainkey.stranger.example", .dmarc = "fail"},
};

/* Seals; lists.example is trusted, stranger.example is not. */
#define TRUSTED .config = "authentication: {trusted_intermediaries: [{arc_sealer: lists.example}]}\n"
static const struct judge_case seals[] = {
    {"by the list", BANK, ACCEPT, TRUSTED, .arc = {"lists.example", "lists.example; dmarc=pass header.from=bank.example"}, .dmarc = "fail"},
    {"by a stranger", BANK, REJECT, TRUSTED, .arc = {"stranger.example", "lists.example; dmarc=pass header.from=bank.example"}},
    {"by a stranger for us", "From: ceo@agency.example\r\n", OWN, TRUSTED, .arc = {"stranger.example", "mx1.agency.example; dmarc=pass header.from=agency.example"}},
    {"nobody trusted", BANK, REJECT, .arc = {"lists.example", "lists.example; dmarc=pass header.from=bank.example"}},
    {"list saw no pass", BANK, REJECT, TRUSTED, .arc = {"lists.example", "lists.example; dmarc=fail header.from=bank.example"}},
    {"list saw another pass", BANK, REJECT, TRUSTED, .arc = {"lists.example", "lists.example; dmarc=pass header.from=stranger.example"}},
    {"pass in a comment", BANK, REJECT, TRUSTED, .arc = {"lists.example", "lists.example; dmarc=fail (dmarc=pass header.from=bank.example) header.from=x.example"}},
    {"pass in a value", BANK, REJECT, TRUSTED, .arc = {"lists.example", "lists.example; spf=pass smtp.mailfrom=\"x; dmarc=pass header.from=bank.example\"@stranger.example"}},
    {"spf of a stranger", BANK, REJECT, TRUSTED, .arc = {"lists.example", "lists.example; spf=pass smtp.mailfrom=x@stranger.example"}},
    {"starts at two", BANK, REJECT, TRUSTED, .arc = {"lists.example", "lists.example; dmarc=pass header.from=bank.example", "i=2; cv=pass;"}},
    {"cv=pass at one", BANK, REJECT, TRUSTED, .arc = {"lists.example", "lists.example; dmarc=pass header.from=bank.example", "i=1; cv=pass;"}},
    {"cv=fail", BANK, REJECT, TRUSTED, .arc = {"lists.example", "lists.example; dmarc=pass header.from=bank.example", "i=1; cv=fail;"}},
    {"results twice", BANK, REJECT, TRUSTED, .arc = {"lists.example", "lists.example; dmarc=fail header.from=bank.example"},
	.added = "ARC-Authentication-Results: i=1; lists.example; dmarc=pass header.from=bank.example\r\n"},
    {"results without a seal", BANK, REJECT, TRUSTED, .added = "ARC-Authentication-Results: i=1; lists.example; dmarc=pass header.from=bank.example\r\n"},
    {"changed after sealing", BANK, REJECT, TRUSTED, .arc = {"lists.example", "lists.example; dmarc=pass header.from=bank.example"}, .appended = "evil\r\n"},
    {"another From after sealing", "From: x@none.example\r\n", MALFORMED, TRUSTED, .arc = {"lists.example", "lists.example; dmarc=pass header.from=none.example"}, .added = BANK},
    {"another Subject after sealing", BANK, REJECT, TRUSTED, .arc = {"lists.example", "lists.example; dmarc=pass header.from=bank.example"}, .added = "Subject: evil\r\n"},
    {"the list's key is down, and it saw no pass", BANK, REJECT, TRUSTED, .arc = {"lists.example", "lists.example; dmarc=fail header.from=bank.example"}, .broken = "k._domainkey.lists.example", .policy = "dmarc"},
    {"the list's key is down, second Subject", BANK, REJECT, TRUSTED, .arc = {"lists.example", "lists.example; dmarc=pass header.from=bank.example"}, .added = "Subject: evil\r\n", .broken = "k._domainkey.lists.example", .policy = "dmarc"},
    {"the list's key is down", BANK, DEFER, TRUSTED, .arc = {"lists.example", "lists.example; dmarc=pass header.from=bank.example"}, .broken = "k._domainkey.lists.example"},
};

/* Fields that speak for us. */
#define AR "Authentication-Results"
static const struct judge_case forgeries[] = {
    {"ours", STRANGER AR ": mx1.agency.example; dmarc=pass FORGED\r\n", ACCEPT, .removed = "FORGED", .kept = AR ": mx1.agency.example;"},
    {"of our other gateway", STRANGER AR ": mx2.agency.example; dmarc=pass FORGED\r\n", ACCEPT, .removed = "FORGED"},
    {"of our other gateway, version", STRANGER AR ": mx2.agency.example1; dmarc=pass FORGED\r\n", ACCEPT, .removed = "FORGED"},
    {"of our domain", STRANGER AR ": Agency.example; dmarc=pass FORGED\r\n", ACCEPT, .removed = "FORGED"},
    {"of a look-alike of our domain", STRANGER AR ": mx.notagency.example; dmarc=pass\r\n", ACCEPT, .kept = "notagency"},
    {"of a domain above ours", STRANGER AR ": example; dmarc=pass\r\n", ACCEPT, .kept = " example; dmarc=pass"},
    {"upper case", STRANGER "AUTHENTICATION-RESULTS: MX1.Agency.EXAMPLE; FORGED\r\n", ACCEPT, .removed = "FORGED"},
    {"blank before colon", STRANGER AR " : mx1.agency.example; FORGED\r\n", ACCEPT, .removed = "FORGED"},
    {"tab before colon", STRANGER AR "\t: mx1.agency.example; FORGED\r\n", ACCEPT, .removed = "FORGED"},
    {"fold before colon", STRANGER AR "\r\n : mx1.agency.example; FORGED\r\n", ACCEPT, .removed = "FORGED"},
    {"fold after colon", STRANGER AR ":\r\n\tmx1.agency.example\r\n ; FORGED\r\n", ACCEPT, .removed = "FORGED"},
    {"with version", STRANGER AR ": mx1.agency.example 1; FORGED\r\n", ACCEPT, .removed = "FORGED"},
    {"with another version", STRANGER AR ": mx1.agency.example/2; FORGED\r\n", ACCEPT, .removed = "FORGED"},
    {"comment before", STRANGER AR ": (a (b) c) mx1.agency.example; FORGED\r\n", ACCEPT, .removed = "FORGED"},
    {"comment with semicolon", STRANGER AR ": (a;b) mx1.agency.example; FORGED\r\n", ACCEPT, .removed = "FORGED"},
    {"comment inside", STRANGER AR ": mx1.(x)agency.example; FORGED\r\n", ACCEPT, .removed = "FORGED"},
    {"quoted", STRANGER AR ": \"mx1.agency.example\"; FORGED\r\n", ACCEPT, .removed = "FORGED"},
    {"quoted pairs", STRANGER AR ": \"mx1\\.agency.example\"; FORGED\r\n", ACCEPT, .removed = "FORGED"},
    {"quoted in part", STRANGER AR ": \"mx1.\"agency.example; FORGED\r\n", ACCEPT, .removed = "FORGED"},
    {"final dot", STRANGER AR ": mx1.agency.example.; FORGED\r\n", ACCEPT, .removed = "FORGED"},
    {"without id", STRANGER AR ": dmarc=pass header.from=bank.example FORGED\r\n", ACCEPT, .removed = "FORGED"},
    {"without id, Exchange", STRANGER AR ": spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=FORGED\r\n", ACCEPT, .removed = "FORGED"},
    {"without id, comment first", STRANGER AR ": (x) dmarc=pass header.from=FORGED\r\n", ACCEPT, .removed = "FORGED"},
    {"without id, semicolon first", STRANGER AR ": ; dmarc=pass header.from=FORGED\r\n", ACCEPT, .removed = "FORGED"},
    {"no semicolon", STRANGER AR ": mx1.agency.example FORGED\r\n", ACCEPT, .removed = "FORGED"},
    {"of others stays", STRANGER AR ": mx.bank.example; dmarc=pass THEIRS\r\n", ACCEPT, .kept = "THEIRS"},
    {"trust", STRANGER "X-MS-Exchange-Organization-AuthAs: FORGED\r\n", ACCEPT, .removed = "FORGED"},
    {"trust, lower case", STRANGER "x-ms-exchange-organization-scl: FORGED\r\n", ACCEPT, .removed = "FORGED"},
    {"trust, blank", STRANGER "X-MS-Exchange-Organization-AuthAs : FORGED\r\n", ACCEPT, .removed = "FORGED"},
    {"trust, fold", STRANGER "X-MS-Exchange-Organization-AuthAs\r\n : FORGED\r\n", ACCEPT, .removed = "FORGED"},
    {"trust, folded value", STRANGER "X-MS-Exchange-Organization-AuthAs:\r\n FORGED\r\n", ACCEPT, .removed = "FORGED"},
    {"trust, forest", STRANGER "X-MS-Exchange-Forest-RulesExecuted: FORGED\r\n", ACCEPT, .removed = "FORGED"},
    {"trust, skip listing", STRANGER "X-MS-Exchange-SkipListedInternetSender: FORGED\r\n", ACCEPT, .removed = "FORGED"},
    {"trust, skip listing in use", STRANGER "X-MS-Exchange-ExternalOriginalInternetSender: FORGED\r\n", ACCEPT, .removed = "FORGED"},
    {"trust, first and folded", " X-MS-Exchange-Organization-AuthAs: Internal\r\n" STRANGER, MALFORMED},
    {"trust, after a line without colon", STRANGER "junk\r\nX-MS-Exchange-Organization-AuthAs: FORGED\r\n", ACCEPT, .removed = "FORGED"},
    {"trust, control in the name", STRANGER "X-MS-Exchange-Organization-AuthAs\x01: FORGED\r\n", ACCEPT, .removed = "FORGED"},
    {"trust, control before the name", STRANGER "\x01X-MS-Exchange-Organization-AuthAs: FORGED\r\n", ACCEPT, .removed = "FORGED"},
    {"report of spam filters", STRANGER "X-MS-Exchange-AntiSpam-Report: FORGED\r\n", ACCEPT, .removed = "FORGED"},
    {"what Exchange Online seals", STRANGER "X-MS-Exchange-AntiSpam-MessageData-0: SEALED\r\n", ACCEPT, .kept = "SEALED"},
    {"report", STRANGER "X-Forefront-Antispam-Report: FORGED\r\n", ACCEPT, .removed = "FORGED"},
    {"ours of another kind", STRANGER "X-Gatehouse-Whatever: FORGED\r\n", ACCEPT, .removed = "FORGED"},
    {"junk mark, folded start", " x\r\n y\r\nFrom: a@quarantine.example\r\n", ACCEPT, .kept = "X-Spam-Flag: YES\r\nFrom:",
	.config = "authentication: {malformed: report, dmarc: {quarantine_action: junk_header}}\n"},
    {"loop mark, folded start, internal", " x\r\nFrom: ceo@agency.example\r\n", ACCEPT, .authenticated_as = "ceo", .kept = "X-Gatehouse-Loop: mx1.agency.example\r\nFrom:"},
    {"internal mail keeps them", "From: ceo@agency.example\r\nX-MS-Exchange-Organization-AuthAs: Internal\r\n", ACCEPT, .authenticated_as = "ceo", .kept = "AuthAs: Internal"},
    {"junk header", "From: a@quarantine.example\r\nX-Spam-Flag: NO\r\n", ACCEPT, .kept = "X-Spam-Flag: YES",
	.config = "authentication: {dmarc: {quarantine_action: junk_header}}\n"},
};
/* clang-format on */

static void test_authors(void **state)
{
	(void)state;
	judge_all(authors, COUNT(authors));
}

static void test_envelopes(void **state)
{
	(void)state;
	judge_all(envelopes, COUNT(envelopes));
}

static void test_signatures(void **state)
{
	(void)state;
	judge_all(signatures, COUNT(signatures));
}

static void test_seals(void **state)
{
	(void)state;
	judge_all(seals, COUNT(seals));
}

static void test_forgeries(void **state)
{
	(void)state;
	judge_all(forgeries, COUNT(forgeries));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_authors),
	    cmocka_unit_test(test_envelopes),
	    cmocka_unit_test(test_signatures),
	    cmocka_unit_test(test_seals),
	    cmocka_unit_test(test_forgeries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
