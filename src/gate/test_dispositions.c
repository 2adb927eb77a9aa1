/* SPDX-License-Identifier: Apache-2.0 */
/* What follows from what was found out: published policy, temporary errors,
 * settings, trusted intermediaries, connectors. */
#include "gate/test_judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define STRANGER "From: x@stranger.example\r\n"
#define BANK "From: x@bank.example\r\n"
#define TEN "A: 1\r\nA: 2\r\nA: 3\r\nA: 4\r\nA: 5\r\nA: 6\r\nA: 7\r\n"
#define US "From: ceo@agency.example\r\n"
#define ACCEPT .verdict = VERDICT_ACCEPT, .policy = ""
#define REJECT .verdict = VERDICT_REJECT, .reply = "550 5.7.1 "
#define QUARANTINE .verdict = VERDICT_QUARANTINE, .policy = "dmarc"
#define DEFER .verdict = VERDICT_DEFER, .reply = "451 4."
#define AUTHENTICATION(text) .config = "authentication: {" text "}\n"
#define TRUST(text) AUTHENTICATION("trusted_intermediaries: [{" text "}]")
#define FEW_QUERIES                                                            \
	.config = "limits: {dns_queries: 10}\n"                                \
		  "authentication: {dmarc: {on_temporary_error: accept}}\n"
#define CONNECTOR(text) .config = "connectors:\n  - {name: c, " text "}\n"

/* clang-format off */
static const struct judge_case policies[] = {
    {"p=reject", BANK, REJECT, .policy = "dmarc", .dmarc = "fail"},
    {"p=reject, passes by SPF", BANK, ACCEPT, .client = "192.0.2.20", .mail_from = "a@bank.example", .dmarc = "pass"},
    {"p=reject, passes by DKIM", BANK, ACCEPT, .signed_by = "bank.example", .dmarc = "pass"},
    {"p=reject, below", "From: x@a.b.bank.example\r\n", REJECT, .dmarc = "fail"},
    {"p=quarantine", "From: x@quarantine.example\r\n", QUARANTINE, .dmarc = "fail"},
    {"p=reject, results say so", BANK, REJECT, .kept = "dis=reject"},
    {"p=quarantine, results say so", "From: x@quarantine.example\r\n", QUARANTINE, .kept = "dis=quarantine"},
    {"p=none", "From: x@none.example\r\n", ACCEPT, .dmarc = "fail"},
    {"no record", "From: x@norecord.example\r\n", ACCEPT, .dmarc = "none"},
    {"no such domain", "From: x@nowhere.example\r\n", ACCEPT, .dmarc = "none"},
    {"pct=0 means nothing", "From: x@pct.example\r\n", REJECT, .dmarc = "fail"},
    {"t=y makes reject quarantine", "From: x@testing.example\r\n", QUARANTINE},
    {"t=y makes quarantine nothing", "From: x@testing2.example\r\n", ACCEPT, .dmarc = "fail"},
    {"p= of sp=", "From: x@subs.example\r\n", ACCEPT, .dmarc = "fail"},
    {"sp=reject", "From: x@there.subs.example\r\n", REJECT, .dmarc = "fail"},
    {"np=quarantine", "From: x@absent.subs.example\r\n", QUARANTINE},
    {"sp=none", "From: x@there.loose.example\r\n", ACCEPT, .dmarc = "fail"},
    {"np=reject", "From: x@absent.loose.example\r\n", REJECT, .dmarc = "fail"},
    {"of a public suffix", "From: x@one.suffix.example\r\n", REJECT, .dmarc = "fail"},
    {"null sender", BANK, REJECT, .mail_from = ""},
    {"several, same domain", "From: a@bank.example, b@bank.example\r\n", ACCEPT, .signed_by = "bank.example"},
    {"several, one with p=quarantine", "From: a@stranger.example, b@quarantine.example\r\n", REJECT, .policy = "several-authors"},
    {"several, one with t=y", "From: a@stranger.example, b@testing2.example\r\n", REJECT, .policy = "several-authors"},
    {"several, both pass", "From: a@bank.example, b@stranger.example\r\n", REJECT, .signed_by = "bank.example", .policy = "several-authors"},
    {"several, the strictest of those that fail", "From: a@none.example, b@testing.example, c@bank.example, d@quarantine.example\r\n", REJECT, .policy = "several-authors", .because = "mail from bank.example is not accepted"},
    {"several, p=none and no record", "From: a@none.example, b@norecord.example\r\n", ACCEPT},
};

static const struct judge_case temporary[] = {
    {"SPF, nothing else", BANK, DEFER, .mail_from = "a@bank.example", .broken = "bank.example/TXT", .dmarc = "temperror"},
    {"SPF, DKIM passes", BANK, ACCEPT, .mail_from = "a@bank.example", .broken = "bank.example/TXT", .signed_by = "bank.example", .dmarc = "pass"},
    {"SPF of another", BANK, REJECT, .broken = "stranger.example/TXT", .dmarc = "fail"},
    {"key, nothing else", BANK, DEFER, .signed_by = "bank.example", .broken = "k._domainkey.bank.example/TXT", .dmarc = "temperror"},
    {"key, SPF passes", BANK, ACCEPT, .signed_by = "bank.example", .broken = "k._domainkey.bank.example/TXT",
	.client = "192.0.2.20", .mail_from = "a@bank.example", .dmarc = "pass"},
    {"l= leaves content unsigned, key down", BANK, REJECT, .signed_by = "bank.example", .sign_tags = "l=5;", .appended = "evil\r\n", .broken = "k._domainkey.bank.example"},
    {"second Subject, key down", BANK, REJECT, .signed_by = "bank.example", .added = "Subject: evil\r\n", .broken = "k._domainkey.bank.example"},
    {"record", BANK, DEFER, .broken = "_dmarc.bank.example/TXT", .dmarc = "temperror", .policy = "dmarc"},
    {"record of the parent", "From: x@a.bank.example\r\n", DEFER, .broken = "_dmarc.bank.example/TXT"},
    {"record of the top, who may be aligned", BANK, DEFER, .broken = "_dmarc.example/TXT", .dmarc = "temperror"},
    {"record of the top, nothing passes", BANK, REJECT, .mail_from = "x@norecord.example", .broken = "_dmarc.example/TXT", .dmarc = "fail"},
    {"record down, signed by it", BANK, ACCEPT, .signed_by = "bank.example", .broken = "_dmarc.bank.example/TXT", .dmarc = "temperror"},
    {"record down, sent by it", BANK, ACCEPT, .client = "192.0.2.20", .mail_from = "a@bank.example", .broken = "_dmarc.bank.example/TXT", .dmarc = "temperror"},
    {"record down, signed by the parent", "From: x@a.bank.example\r\n", DEFER, .signed_by = "bank.example", .broken = "_dmarc.a.bank.example/TXT", .dmarc = "temperror"},
    {"record down of one of several, signed by it", "From: a@bank.example, b@norecord.example\r\n", DEFER, .signed_by = "bank.example", .broken = "_dmarc.bank.example/TXT", .policy = "dmarc"},
    {"record down, two addresses there, signed by it", "From: a@bank.example, b@bank.example\r\n", ACCEPT, .signed_by = "bank.example", .broken = "_dmarc.bank.example/TXT"},
    {"whether np= applies", "From: x@absent.loose.example\r\n", DEFER, .broken = "absent.loose.example/A"},
    {"p=none, key", "From: x@none.example\r\n", .verdict = VERDICT_ACCEPT, .signed_by = "stranger.example", .broken = "k._domainkey.stranger.example/TXT", .dmarc = "fail"},
    {"p=none, its own key", "From: x@none.example\r\n", .verdict = VERDICT_ACCEPT, .signed_by = "none.example", .broken = "k._domainkey.none.example/TXT", .dmarc = "temperror"},
    {"ours, SPF", US, DEFER, .mail_from = "a@agency.example", .broken = "agency.example/TXT", .own_domain = "temperror", .policy = "own-domain"},
    {"ours, SPF, DKIM passes", US, ACCEPT, .mail_from = "a@agency.example", .broken = "agency.example/TXT", .signed_by = "agency.example", .own_domain = "pass"},
    {"ours, key", US, DEFER, .signed_by = "agency.example", .broken = "k._domainkey.agency.example/TXT", .own_domain = "temperror"},
    {"ours, key, SPF passes", US, ACCEPT, .client = "192.0.2.10", .mail_from = "a@agency.example", .signed_by = "agency.example",
	.broken = "k._domainkey.agency.example/TXT", .own_domain = "pass"},
    {"ours, SPF of another", US, REJECT, .broken = "stranger.example/TXT", .own_domain = "fail"},
    {"ours, our record", US, REJECT, .broken = "_dmarc.agency.example/TXT", .own_domain = "fail"},
    {"ours, our record, authenticated", US, ACCEPT, .signed_by = "agency.example", .broken = "_dmarc.agency.example/TXT", .own_domain = "pass", .dmarc = "temperror"},
    {"ours, our record, authenticated as the parent", "From: x@a.agency.example\r\n", DEFER, .signed_by = "agency.example", .broken = "_dmarc.a.agency.example/TXT", .own_domain = "pass", .policy = "dmarc"},
    {"accept on temporary error", BANK, ACCEPT, .broken = "_dmarc.bank.example/TXT", AUTHENTICATION("dmarc: {on_temporary_error: accept}")},
    {"accept on temporary error, but ours", US, DEFER, .signed_by = "agency.example", .broken = "k._domainkey.agency.example/TXT",
	AUTHENTICATION("dmarc: {on_temporary_error: accept}")},
    /* A stranger may not bring the temporary error along. */
    {"accept on temporary error, policy known, dead key below", BANK, DEFER, .signed_by = "bank.example", .broken = "k._domainkey.bank.example/TXT", .policy = "dmarc",
	AUTHENTICATION("dmarc: {on_temporary_error: accept}")},
    {"accept on temporary error, policy known, dead sender below", BANK, DEFER, .mail_from = "a@lame.bank.example", .broken = "lame.bank.example/TXT", .policy = "dmarc",
	AUTHENTICATION("dmarc: {on_temporary_error: accept}")},
    {"accept on temporary error, quarantine known", "From: x@quarantine.example\r\n", DEFER, .mail_from = "a@lame.quarantine.example", .broken = "lame.quarantine.example/TXT", .policy = "dmarc",
	AUTHENTICATION("dmarc: {on_temporary_error: accept}")},
    {"accept on temporary error, whether np= applies", "From: x@absent.loose.example\r\n", ACCEPT, .broken = "absent.loose.example/A", .dmarc = "temperror",
	AUTHENTICATION("dmarc: {on_temporary_error: accept}")},
    {"queries used up by HELO after a dead policy", BANK, ACCEPT, .helo = "lavish.example", .broken = "_dmarc.bank.example/TXT", FEW_QUERIES},
    {"queries used up by MAIL FROM", BANK, DEFER, .mail_from = "x@greedy.example", FEW_QUERIES, .after_refusal = true, .policy = "dmarc"},
    {"queries used up by HELO", BANK, REJECT, .helo = "greedy.example", FEW_QUERIES, .after_refusal = true, .policy = "dmarc"},
    {"queries used up by another author", "From: a@a.b.c.d.e.f.g.h.stranger.example, b@none2.example, x@bank.example\r\n", DEFER, FEW_QUERIES, .policy = "dmarc"},
    {"accept on temporary error is not accept on failure", BANK, REJECT, .broken = "stranger.example/TXT", AUTHENTICATION("dmarc: {on_temporary_error: accept}")},
};

static const struct judge_case settings[] = {
    {"enforce: false", BANK, ACCEPT, .dmarc = "fail", AUTHENTICATION("dmarc: {enforce: false}")},
    {"enforce: false, quarantine", "From: x@quarantine.example\r\n", ACCEPT, AUTHENTICATION("dmarc: {enforce: false}")},
    {"enforce: false, temporary", BANK, ACCEPT, .broken = "_dmarc.bank.example/TXT", AUTHENTICATION("dmarc: {enforce: false}")},
    {"enforce: false, several", "From: a@stranger.example, b@bank.example\r\n", ACCEPT, AUTHENTICATION("dmarc: {enforce: false}")},
    {"enforce: false, ours", US, REJECT, .policy = "own-domain", .because = "agency.example in From: is ours, but neither SPF nor DKIM passes", AUTHENTICATION("dmarc: {enforce: false}")},
    {"junk header", "From: x@quarantine.example\r\n", ACCEPT, .kept = "X-Spam-Flag: YES\r\n", AUTHENTICATION("dmarc: {quarantine_action: junk_header}")},
    {"junk header, ours says so in the results", "From: x@quarantine.example\r\n", ACCEPT, .kept = "dmarc=fail", AUTHENTICATION("dmarc: {quarantine_action: junk_header}")},
    {"junk header, results say so", "From: x@quarantine.example\r\n", ACCEPT, .kept = "dis=quarantine", AUTHENTICATION("dmarc: {quarantine_action: junk_header}")},
    {"junk header, Exchange's style says so", "From: x@quarantine.example\r\n", ACCEPT, .kept = "action=quarantine", AUTHENTICATION("exchange_style_results: true, dmarc: {quarantine_action: junk_header}")},
    {"junk header, not enforced, results", "From: x@quarantine.example\r\n", ACCEPT, .kept = "dis=none", AUTHENTICATION("dmarc: {enforce: false, quarantine_action: junk_header}")},
    {"junk header does not mitigate reject", BANK, REJECT, .removed = "X-Spam-Flag", AUTHENTICATION("dmarc: {quarantine_action: junk_header}")},
    {"junk header, not enforced", "From: x@quarantine.example\r\n", ACCEPT, .removed = "X-Spam-Flag", AUTHENTICATION("dmarc: {enforce: false, quarantine_action: junk_header}")},
    {"own_domains: off", US, ACCEPT, AUTHENTICATION("own_domains: off")},
    {"own_domains: report", US, ACCEPT, .own_domain = "fail", AUTHENTICATION("own_domains: report")},
    {"own_domains: report, temporary", US, ACCEPT, .own_domain = "temperror", .mail_from = "a@agency.example", .broken = "agency.example/TXT", AUTHENTICATION("own_domains: report")},
    {"malformed: report", "To: a@b.example\r\n", ACCEPT, AUTHENTICATION("malformed: report")},
    {"malformed: report, the strictest counts", STRANGER BANK, REJECT, .policy = "several-authors", AUTHENTICATION("malformed: report")},
    {"malformed: report, below us, no A-label", "From: a@xn--a.agency.example\r\n", REJECT, .policy = "own-domain", AUTHENTICATION("malformed: report")},
    {"malformed: off, below the bank, no A-label", "From: a@xn--a.bank.example\r\n", REJECT, .policy = "dmarc", AUTHENTICATION("malformed: off")},
    {"malformed: report, route to us", "From: <@stranger.example:ceo@agency.example>\r\n", REJECT, .policy = "own-domain", AUTHENTICATION("malformed: report")},
    {"malformed: report, quoted at, ours", "From: \"a@b\"@agency.example\r\n", REJECT, .policy = "own-domain", AUTHENTICATION("malformed: report")},
    {"malformed: off, quoted at, bank", "From: \"a@b\"@bank.example\r\n", REJECT, .policy = "dmarc", AUTHENTICATION("malformed: off")},
    {"malformed: off, encoded word, bank", "From: =?utf-8?q?ceo?=@bank.example\r\n", REJECT, .policy = "dmarc", AUTHENTICATION("malformed: off")},
    {"malformed: off, ours", STRANGER US, REJECT, .policy = "own-domain", AUTHENTICATION("malformed: off")},
    {"RSA of 1024 bits", BANK, ACCEPT, .signed_by = "bank.example", .rsa_bits = 1024, .dmarc = "pass"},
    {"minimum_rsa_bits", BANK, REJECT, .signed_by = "bank.example", .rsa_bits = 1024, .dmarc = "fail", AUTHENTICATION("dkim: {minimum_rsa_bits: 2048}")},
    {"l= accepted", BANK, ACCEPT, .signed_by = "bank.example", .sign_tags = "l=5;", .appended = "more\r\n", AUTHENTICATION("dkim: {accept_body_length: true}")},
    {"Exchange's style is ours too", STRANGER, ACCEPT, .kept = "spf=pass (sender IP is 203.0.113.66)", AUTHENTICATION("exchange_style_results: true")},
    {"SMTPUTF8", STRANGER, ACCEPT, .mail_from = "j\xc3\xb6rg@stranger.example", .kept = "smtp.mailfrom=\"j\xc3\xb6rg@stranger.example\""},
    {"Received-SPF", STRANGER, ACCEPT, .kept = "Received-SPF: pass", AUTHENTICATION("received_spf: true")},
    {"header over its limit", BANK TEN, .verdict = VERDICT_REJECT, .policy = "limits", .reply = "552 5.3.4 ", .config = "limits: {header_count: 10}\n"},
    {"authors over their limit", "From: a@stranger.example, b@stranger.example, c@stranger.example\r\n", REJECT, .policy = "malformed", .config = "limits: {from_addresses: 2}\n"},
};

static const struct judge_case intermediaries[] = {
    {"host", BANK, ACCEPT, .client_name = "list.partner.example", TRUST("host: list.partner.example"), .dmarc = "fail", .because = "(p=reject); overridden: ", .override = "list.partner.example"},
    {"host, passes itself", BANK, ACCEPT, .signed_by = "bank.example", .client_name = "list.partner.example", TRUST("host: list.partner.example"), .dmarc = "pass", .override = ""},
    {"host, other case", BANK, ACCEPT, .client_name = "List.Partner.Example.", TRUST("host: list.partner.example")},
    {"host, another", BANK, REJECT, .client_name = "evil-list.partner.example", TRUST("host: list.partner.example")},
    {"host, said in HELO only", BANK, REJECT, .helo = "list.partner.example", TRUST("host: list.partner.example")},
    {"host, unverified", BANK, REJECT, .client_name = "", TRUST("host: list.partner.example")},
    {"host, not known for now", BANK, DEFER, .policy = "dmarc", .name_unknown = true, TRUST("host: list.partner.example")},
    {"host, wildcard", BANK, ACCEPT, .client_name = "a.b.partner.example", TRUST("host: '*.partner.example'")},
    {"host, wildcard's parent", BANK, REJECT, .client_name = "partner.example", TRUST("host: '*.partner.example'")},
    {"host, wildcard glued", BANK, REJECT, .client_name = "evilpartner.example", TRUST("host: '*.partner.example'")},
    {"network", BANK, ACCEPT, .client = "198.51.100.9", TRUST("networks: [198.51.100.0/28]")},
    {"network, mapped", BANK, ACCEPT, .client = "::ffff:198.51.100.9", TRUST("networks: [198.51.100.0/28]")},
    {"network, outside", BANK, REJECT, .client = "198.51.100.16", TRUST("networks: [198.51.100.0/28]")},
    {"network, IPv6", BANK, ACCEPT, .client = "2001:db8::9", TRUST("networks: ['2001:db8::/64']")},
    {"network, ::/0 has no IPv4", BANK, REJECT, TRUST("networks: ['::/0']")},
    {"dkim_domain", BANK, ACCEPT, .signed_by = "lists.example", TRUST("dkim_domain: lists.example")},
    {"dkim_domain, changed", BANK, REJECT, .signed_by = "lists.example", .appended = "evil\r\n", TRUST("dkim_domain: lists.example")},
    {"dkim_domain, another", BANK, REJECT, .signed_by = "stranger.example", TRUST("dkim_domain: lists.example")},
    {"dkim_domain, key down", BANK, DEFER, .signed_by = "lists.example", .broken = "k._domainkey.lists.example", TRUST("dkim_domain: lists.example")},
    {"dkim_domain, key down, not enforced", BANK, ACCEPT, .signed_by = "lists.example", .broken = "k._domainkey.lists.example",
	AUTHENTICATION("dmarc: {enforce: false}, trusted_intermediaries: [{dkim_domain: lists.example}]")},
    {"dkim_domain, key down, accept on temporary error", BANK, REJECT, .policy = "dmarc", .signed_by = "lists.example", .broken = "k._domainkey.lists.example",
	AUTHENTICATION("dmarc: {on_temporary_error: accept}, trusted_intermediaries: [{dkim_domain: lists.example}]")},
    {"dkim_domain, another's key down", BANK, REJECT, .signed_by = "stranger.example", .broken = "k._domainkey.stranger.example", TRUST("dkim_domain: lists.example")},
    {"network, SPF down", BANK, ACCEPT, .client = "198.51.100.9", .mail_from = "a@bank.example", .broken = "bank.example/TXT", TRUST("networks: [198.51.100.0/28]")},
    {"network, key down", BANK, ACCEPT, .client = "198.51.100.9", .signed_by = "bank.example", .broken = "k._domainkey.bank.example/TXT", TRUST("networks: [198.51.100.0/28]")},
    {"network, record down", BANK, ACCEPT, .client = "198.51.100.9", .broken = "_dmarc.bank.example/TXT", TRUST("networks: [198.51.100.0/28]")},
    {"quarantine is overridden too", "From: x@quarantine.example\r\n", ACCEPT, .client_name = "list.partner.example", TRUST("host: list.partner.example")},
    {"not for us", US, REJECT, .policy = "own-domain", .client_name = "list.partner.example", TRUST("host: list.partner.example")},
    {"not for several authors", "From: a@none.example, b@bank.example\r\n", REJECT, .policy = "several-authors", .client_name = "list.partner.example", TRUST("host: list.partner.example")},
    {"not for the malformed", BANK BANK, REJECT, .policy = "malformed", .client_name = "list.partner.example", TRUST("host: list.partner.example")},
};

#define NETWORK "networks: [203.0.113.66/32], "
static const struct judge_case connectors[] = {
    {"internal", US, ACCEPT, CONNECTOR(NETWORK "treat_as: internal"), .own_domain = "none"},
    {"external", US, REJECT, CONNECTOR(NETWORK "treat_as: external")},
    {"internal, other address", US, REJECT, .client = "203.0.113.67", CONNECTOR(NETWORK "treat_as: internal")},
    {"internal, mapped address", US, ACCEPT, .client = "::ffff:203.0.113.66", CONNECTOR(NETWORK "treat_as: internal")},
    {"last day", US, ACCEPT, CONNECTOR(NETWORK "treat_as: internal, expires: 2026-03-01")},
    {"expired", US, REJECT, CONNECTOR(NETWORK "treat_as: internal, expires: 2026-02-28")},
    {"its listener", US, ACCEPT, .listener = "relay", CONNECTOR(NETWORK "treat_as: internal, listeners: [relay]")},
    {"another listener", US, REJECT, CONNECTOR(NETWORK "treat_as: internal, listeners: [relay]")},
    {"needs TLS", US, REJECT, CONNECTOR(NETWORK "treat_as: internal, require_tls: true")},
    {"has TLS", US, ACCEPT, .tls = true, CONNECTOR(NETWORK "treat_as: internal, require_tls: true")},
    {"TLS name", US, ACCEPT, .tls_name = "out.mail.example", CONNECTOR("tls_names: [out.mail.example], treat_as: internal")},
    {"TLS name, upper case", US, ACCEPT, .tls_name = "OUT.Mail.example", CONNECTOR("tls_names: [out.mail.example], treat_as: internal")},
    {"TLS name, none", US, REJECT, .tls = true, CONNECTOR("tls_names: [out.mail.example], treat_as: internal")},
    {"TLS name, wrong network", US, REJECT, .tls_name = "out.mail.example", .client = "203.0.113.1", CONNECTOR(NETWORK "tls_names: [out.mail.example], treat_as: internal")},
    {"TLS name missing, right network", US, REJECT, CONNECTOR(NETWORK "tls_names: [out.mail.example], treat_as: internal")},
    {"wildcard", US, ACCEPT, .tls_name = "a.mail.example", CONNECTOR("tls_names: ['*.mail.example'], treat_as: internal")},
    {"wildcard, two labels", US, REJECT, .tls_name = "a.b.mail.example", CONNECTOR("tls_names: ['*.mail.example'], treat_as: internal")},
    {"wildcard, no label", US, REJECT, .tls_name = "mail.example", CONNECTOR("tls_names: ['*.mail.example'], treat_as: internal")},
    {"wildcard, empty label", US, REJECT, .tls_name = ".mail.example", CONNECTOR("tls_names: ['*.mail.example'], treat_as: internal")},
    {"wildcard, glued", US, REJECT, .tls_name = "amail.example", CONNECTOR("tls_names: ['*.mail.example'], treat_as: internal")},
    {"wildcard certificate, plain name", US, REJECT, .tls_name = "*.mail.example", CONNECTOR("tls_names: [out.mail.example], treat_as: internal")},
    {"may send as us", US, ACCEPT, .own_domain = "exempt", CONNECTOR(NETWORK "may_send_as: [agency.example]")},
    {"may send as us, below", "From: a@b.agency.example\r\n", ACCEPT, .own_domain = "exempt", CONNECTOR(NETWORK "may_send_as: [agency.example]")},
    {"may send as us, expired", US, REJECT, CONNECTOR(NETWORK "may_send_as: [agency.example], expires: 2026-02-28")},
    {"may send as a part of us", US, REJECT, CONNECTOR(NETWORK "may_send_as: [scan.agency.example]")},
    {"may send as us, but is the bank", BANK, REJECT, .policy = "dmarc", CONNECTOR(NETWORK "may_send_as: [agency.example]")},
    {"may send as us, with the bank", "From: a@agency.example, b@bank.example\r\n", REJECT, .policy = "several-authors", CONNECTOR(NETWORK "may_send_as: [agency.example]")},
    {"may send as us, with the bank, whose record is down", "From: x@bank.example, a@agency.example\r\n", DEFER, .policy = "dmarc", .broken = "_dmarc.bank.example/TXT", CONNECTOR(NETWORK "may_send_as: [agency.example]")},
    {"may send as us, MAIL FROM another of ours", US, REJECT, .mail_from = "a@b\xc3\xbc" "cher.example", CONNECTOR(NETWORK "may_send_as: [agency.example]")},
    {"authenticated", US, ACCEPT, .authenticated_as = "ceo"},
    {"internal mail is not judged by policy", BANK, ACCEPT, .authenticated_as = "ceo", .dmarc = "none"},
    {"internal mail without From", "To: a@b.example\r\n", ACCEPT, .authenticated_as = "ceo"},
    {"internal mail with bare LF", "From: ceo@agency.example\n", .verdict = VERDICT_REJECT, .reply = "550 5.5.2", .authenticated_as = "ceo"},
};
/* clang-format on */

static void test_policies(void **state)
{
	(void)state;
	judge_all(policies, COUNT(policies));
}

static void test_temporary_errors(void **state)
{
	(void)state;
	judge_all(temporary, COUNT(temporary));
}

static void test_settings(void **state)
{
	(void)state;
	judge_all(settings, COUNT(settings));
}

static void test_intermediaries(void **state)
{
	(void)state;
	judge_all(intermediaries, COUNT(intermediaries));
}

static void test_connectors(void **state)
{
	(void)state;
	judge_all(connectors, COUNT(connectors));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_policies),
	    cmocka_unit_test(test_temporary_errors),
	    cmocka_unit_test(test_settings),
	    cmocka_unit_test(test_intermediaries),
	    cmocka_unit_test(test_connectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
