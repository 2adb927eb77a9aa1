/* SPDX-License-Identifier: Apache-2.0 */
/* check_host() against a zone: RFC 7208 sections 2, 4, 5 and 6. */
#include "auth/spf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/limits.h"
#include "dns/dns_test.h"

/* clang-format off */
static const char zone[] =
"$TTL 300\n"
/* 4.3 to 4.5: which record */
"none.example.         IN TXT \"v=spf10 -all\"\n"
"none.example.         IN TXT \"hello\"\n"
"two.example.          IN TXT \"v=spf1 -all\"\n"
"two.example.          IN TXT \"V=SPF1 +all\"\n"
"one.example.          IN TXT \"google-site-verification=1\"\n"
"one.example.          IN TXT \"v=spf1 \" \"ip4:192.0.2.\" \"1 -all\"\n"
"empty.example.        IN TXT \"v=spf1\"\n"
"bad.example.          IN TXT \"v=spf1 +all moo\"\n"
"xn--bcher-kva.example. IN TXT \"v=spf1 -all\"\n"
/* 4.6.2 and 4.7 */
"quals.example.        IN TXT \"v=spf1 +ip4:192.0.2.1 -ip4:192.0.2.2 ~ip4:192.0.2.3 ?ip4:192.0.2.4\"\n"
"first.example.        IN TXT \"v=spf1 ?all -all\"\n"
/* 5.2 */
"inc.example.          IN TXT \"v=spf1 include:quals.example -all\"\n"
"inc-none.example.     IN TXT \"v=spf1 include:none.example +all\"\n"
"inc-bad.example.      IN TXT \"v=spf1 include:bad.example +all\"\n"
"inc-temp.example.     IN TXT \"v=spf1 include:timeout.example +all\"\n"
"inc-label.example.    IN TXT \"v=spf1 include:%{d1} +all\"\n"
"inc-odd.example.      IN TXT \"v=spf1 include:mail..example +all\"\n"
"inc-not.example.      IN TXT \"v=spf1 -include:quals.example +all\"\n"
"inc-user.example.     IN TXT \"v=spf1 include:%{L}._spf.inc-user.example ip4:192.0.2.1 -all\"\n"
/* 5.3 */
"a.example.            IN TXT \"v=spf1 a a:other.example/30//126 -all\"\n"
"a.example.            IN A 192.0.2.10\n"
"a.example.            IN AAAA 2001:db8::10\n"
"other.example.        IN A 192.0.2.20\n"
"other.example.        IN AAAA 2001:db8::20\n"
"a-temp.example.       IN TXT \"v=spf1 a:servfail.example +all\"\n"
"a-space.example.      IN TXT \"v=spf1 a:odd%_name%%.example -all\"\n"
"odd\\032name\\%.example. IN A 192.0.2.1\n"
"a-odd.example.        IN TXT \"v=spf1 a:mail..example ?all\"\n"
/* 5.4 */
"mx.example.           IN TXT \"v=spf1 mx/31 -all\"\n"
"mx.example.           IN MX 10 other.example.\n"
"mx.example.           IN MX 20 a.example.\n"
"mx-none.example.      IN TXT \"v=spf1 mx -all\"\n"
"mx-none.example.      IN A 192.0.2.1\n"
"mx-null.example.      IN TXT \"v=spf1 mx mx -all\"\n"
"mx-null.example.      IN MX 0 .\n"
"mx-temp.example.      IN TXT \"v=spf1 mx +all\"\n"
"mx-temp.example.      IN MX 0 timeout.example.\n"
"mx-many.example.      IN TXT \"v=spf1 mx -all\"\n"
"mx-ten.example.       IN TXT \"v=spf1 mx -all\"\n"
"mx-v4.example.        IN TXT \"v=spf1 mx mx mx ip6:2001:db8::1 -all\"\n"
"mx-v4.example.        IN MX 0 v4a.example.\n"
"mx-v4.example.        IN MX 0 both.example.\n"
"v4a.example.          IN A 192.0.2.90\n"
"both.example.         IN A 192.0.2.91\n"
"both.example.         IN AAAA 2001:db8::91\n"
"mx-gone.example.      IN TXT \"v=spf1 mx mx mx ?all\"\n"
"mx-gone2.example.     IN TXT \"v=spf1 mx:mx-gone.example mx:mx-gone.example ?all\"\n"
"mx-gone.example.      IN MX 0 no1.example.\n"
"mx-gone.example.      IN MX 0 both.example.\n"
/* 5.5 */
"ptr.example.          IN TXT \"v=spf1 ptr -all\"\n"
"ptr-other.example.    IN TXT \"v=spf1 ptr:PTR.example -all\"\n"
"30.2.0.192.in-addr.arpa. IN PTR mail.ptr.example.\n"
"31.2.0.192.in-addr.arpa. IN PTR mail.ptr.example.\n"
"32.2.0.192.in-addr.arpa. IN PTR ptr.example.\n"
"33.2.0.192.in-addr.arpa. IN PTR mail.notptr.example.\n"
"34.2.0.192.in-addr.arpa. IN PTR timeout.ptr.example.\n"
"34.2.0.192.in-addr.arpa. IN PTR mail.ptr.example.\n"
"mail.ptr.example.     IN A 192.0.2.30\n"
"mail.ptr.example.     IN A 192.0.2.34\n"
"mail.ptr.example.     IN AAAA 2001:db8::30\n"
"ptr.example.          IN A 192.0.2.32\n"
"mail.notptr.example.  IN A 192.0.2.33\n"
"0.3.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. IN PTR mail.ptr.example.\n"
/* 5.6 */
"ip.example.           IN TXT \"v=spf1 ip6:2001:db8::/33 ip6:::ffff:192.0.2.1/1 ip4:192.0.2.128/25 -all\"\n"
/* 5.7 */
"exists.example.       IN TXT \"v=spf1 exists:%{i}.%{l}.ok.example -all\"\n"
"192.0.2.1.user.ok.example. IN A 127.0.0.2\n"
"192.0.2.2.user.ok.example. IN AAAA ::1\n"
"exists-a.example.     IN TXT \"v=spf1 exists:other.example -all\"\n"
/* 6.1 */
"redir.example.        IN TXT \"v=spf1 redirect=quals.example\"\n"
"redir-none.example.   IN TXT \"v=spf1 redirect=none.example\"\n"
"redir-unused.example. IN TXT \"v=spf1 redirect=none.example ?all\"\n"
"redir-temp.example.   IN TXT \"v=spf1 redirect=servfail.example\"\n"
"redir-a.example.      IN TXT \"v=spf1 redirect=a.example\"\n"
"redir-odd.example.    IN TXT \"v=spf1 redirect=mail..example\"\n"
"redir-label.example.  IN TXT \"v=spf1 redirect=%{d1}\"\n"
"redir-user.example.   IN TXT \"v=spf1 ip4:192.0.2.1 redirect=%{s}.example\"\n"
/* 6.2 */
"exp.example.          IN TXT \"v=spf1 exp=why.%{d} -all\"\n"
"why.exp.example.      IN TXT \"%{i} is not \" \"one of %{d}'s servers.\"\n"
"exp-two.example.      IN TXT \"v=spf1 exp=two.example -all\"\n"
"exp-none.example.     IN TXT \"v=spf1 exp=nowhere.example -all\"\n"
"exp-temp.example.     IN TXT \"v=spf1 exp=timeout.example -all\"\n"
"exp-8bit.example.     IN TXT \"v=spf1 exp=why8.example -all\"\n"
"why8.example.         IN TXT \"caf\\195\\169\"\n"
"exp-bad.example.      IN TXT \"v=spf1 exp=whybad.example -all\"\n"
"whybad.example.       IN TXT \"100% sure\"\n"
"exp-inc.example.      IN TXT \"v=spf1 -include:exp-pass.example exp=whyinc.example\"\n"
"exp-pass.example.     IN TXT \"v=spf1 +all exp=why.exp.example\"\n"
"whyinc.example.       IN TXT \"%{d} says no\"\n"
"exp-redir.example.    IN TXT \"v=spf1 redirect=exp.example exp=whyinc.example\"\n"
"exp-from.example.     IN TXT \"v=spf1 exp=whyfrom.example -all\"\n"
"whyfrom.example.      IN TXT \"%{s}\"\n"
/* 4.6.4 */
"ten.example.          IN TXT \"v=spf1 a:a.example a:a.example a:a.example a:a.example a:a.example a:a.example a:a.example a:a.example a:a.example a:a.example ?all\"\n"
"eleven.example.       IN TXT \"v=spf1 a:a.example a:a.example a:a.example a:a.example a:a.example a:a.example a:a.example a:a.example a:a.example include:ten.example ?all\"\n"
"early.example.        IN TXT \"v=spf1 ip4:192.0.2.1 redirect=loop.example\"\n"
"loop.example.         IN TXT \"v=spf1 redirect=loop.example\"\n"
"loopinc.example.      IN TXT \"v=spf1 include:loopinc.example\"\n"
"void2.example.        IN TXT \"v=spf1 a:no1.example exists:no2.example ?all\"\n"
"void3.example.        IN TXT \"v=spf1 a:no1.example exists:no2.example mx:none.example ?all\"\n"
"voidptr.example.      IN TXT \"v=spf1 a:no1.example exists:no2.example ptr ?all\"\n"
"pcount.example.       IN TXT \"v=spf1 a:%{p}.example exists:%{p}.example ?all\"\n"
"pone.example.         IN TXT \"v=spf1 exists:%{p}.example ?all\"\n"
/* terms whose queries are started ahead, and some that are not */
"ahead.example.        IN TXT \"v=spf1 exists:other.example a:a.example mx:mx.example include:quals.example ptr a:%{h} a:a.example. -all\"\n"
"ahead-ip.example.     IN TXT \"v=spf1 exists:other.example ip4:192.0.2.99 a ip4:192.0.2.1 mx -all\"\n"
"ahead-ten.example.    IN TXT \"v=spf1 exists:other.example a:n1.example a:n2.example a:n3.example a:n4.example a:n5.example a:n6.example a:n7.example a:n8.example a:n9.example a:n10.example a:n11.example -all\"\n"
/* whom they suit */
"all.example.          IN TXT \"v=spf1 +all\"\n"
"wide4.example.        IN TXT \"v=spf1 ip4:192.0.2.1/7 -all\"\n"
"eight.example.        IN TXT \"v=spf1 ip4:192.0.2.1/8 -all\"\n"
"wide6.example.        IN TXT \"v=spf1 ip6:2001:db8::1/15 -all\"\n"
"sixteen.example.      IN TXT \"v=spf1 ip6:2001:db8::1/16 -all\"\n"
"wide-a.example.       IN TXT \"v=spf1 a:other.example/7//16 -all\"\n"
"wide-a6.example.      IN TXT \"v=spf1 a:other.example/8//15 -all\"\n"
"wide-mx.example.      IN TXT \"v=spf1 mx:mx.example/7//16 -all\"\n"
"wide-mx6.example.     IN TXT \"v=spf1 mx:mx.example/8//15 -all\"\n"
"wide-inc.example.     IN TXT \"v=spf1 include:all.example -all\"\n"
"wide-not.example.     IN TXT \"v=spf1 include:quals.example ip4:192.0.2.0/24 -all\"\n"
"wide-redir.example.   IN TXT \"v=spf1 redirect=all.example\"\n"
"exp-void.example.     IN TXT \"v=spf1 a:no1.example a:no2.example exp=no3.example -all\"\n"
/* 7.1 */
"helo.example.         IN TXT \"v=spf1 a:%{h} -all\"\n"
;

struct row {
	const char *client, *helo, *mail_from;
	enum spf_result result;
	const char *mechanism;
	unsigned int lookups;
};

static const struct row rows[] = {
	/* 4.3: domains that cannot have a record */
	{"192.0.2.1", "h.example", "u@localhost", SPF_NONE, "", 0},
	{"192.0.2.1", "h.example", "u@[192.0.2.1]", SPF_NONE, "", 0},
	{"192.0.2.1", "h.example", "u@192.0.2.1", SPF_NONE, "", 0},
	{"192.0.2.1", "h.example", "u@one..example", SPF_NONE, "", 0},
	{"192.0.2.1", "h.example", "u@.one.example", SPF_NONE, "", 0},
	{"192.0.2.1", "h.example", "u@", SPF_NONE, "", 0},
	{"192.0.2.1", "h.example", "u@one example", SPF_NONE, "", 0},
	{"192.0.2.1", "h.example", "u@nowhere.example", SPF_NONE, "", 0},
	/* 4.4, 4.5 */
	{"192.0.2.1", "h.example", "u@none.example", SPF_NONE, "", 0},
	{"192.0.2.1", "h.example", "u@two.example", SPF_PERMERROR, "", 0},
	{"192.0.2.1", "h.example", "u@one.example", SPF_PASS, "ip4:192.0.2.1", 0},
	{"192.0.2.1", "h.example", "u@ONE.Example", SPF_PASS, "ip4:192.0.2.1", 0},
	{"192.0.2.1", "h.example", "u@one.example.", SPF_PASS, "ip4:192.0.2.1", 0},
	{"::ffff:192.0.2.1", "h.example", "u@one.example", SPF_PASS, "ip4:192.0.2.1", 0},
	{"192.0.2.2", "h.example", "\"a@b\"@one.example", SPF_FAIL, "all", 0},
	{"192.0.2.2", "h.example", "one.example", SPF_FAIL, "all", 0},
	{"192.0.2.1", "h.example", "u@empty.example", SPF_NEUTRAL, "", 0},
	{"192.0.2.1", "h.example", "u@bad.example", SPF_PERMERROR, "", 0},
	{"192.0.2.1", "h.example", "u@timeout.example", SPF_TEMPERROR, "", 0},
	{"192.0.2.1", "h.example", "u@servfail.example", SPF_TEMPERROR, "", 0},
	{"192.0.2.1", "h.example", "u@b\xc3\xbc" "cher.example", SPF_FAIL, "all", 0},
	/* 2.4: the null sender */
	{"192.0.2.1", "one.example", "", SPF_PASS, "ip4:192.0.2.1", 0},
	{"192.0.2.2", "ONE.example", "", SPF_FAIL, "all", 0},
	{"192.0.2.2", "[192.0.2.2]", "", SPF_NONE, "", 0},
	/* 4.6.2, 4.7 */
	{"192.0.2.1", "h.example", "u@quals.example", SPF_PASS, "ip4:192.0.2.1", 0},
	{"192.0.2.2", "h.example", "u@quals.example", SPF_FAIL, "ip4:192.0.2.2", 0},
	{"192.0.2.3", "h.example", "u@quals.example", SPF_SOFTFAIL, "ip4:192.0.2.3", 0},
	{"192.0.2.4", "h.example", "u@quals.example", SPF_NEUTRAL, "ip4:192.0.2.4", 0},
	{"192.0.2.5", "h.example", "u@quals.example", SPF_NEUTRAL, "", 0},
	{"192.0.2.5", "h.example", "u@first.example", SPF_NEUTRAL, "all", 0},
	/* 5.2 */
	{"192.0.2.1", "h.example", "u@inc.example", SPF_PASS, "include:quals.example", 1},
	{"192.0.2.2", "h.example", "u@inc.example", SPF_FAIL, "all", 1},
	{"192.0.2.3", "h.example", "u@inc.example", SPF_FAIL, "all", 1},
	{"192.0.2.4", "h.example", "u@inc.example", SPF_FAIL, "all", 1},
	{"192.0.2.1", "h.example", "u@inc-none.example", SPF_PERMERROR, "", 1},
	{"192.0.2.1", "h.example", "u@inc-bad.example", SPF_PERMERROR, "", 1},
	{"192.0.2.1", "h.example", "u@inc-temp.example", SPF_TEMPERROR, "", 1},
	{"192.0.2.1", "h.example", "u@inc-label.example", SPF_PERMERROR, "", 1},
	{"192.0.2.1", "h.example", "u@inc-odd.example", SPF_PERMERROR, "", 1},
	{"192.0.2.1", "h.example", "u@inc-not.example", SPF_FAIL, "include:quals.example", 1},
	{"192.0.2.2", "h.example", "u@inc-not.example", SPF_PASS, "all", 1},
	/* RFC 8616, 4: a term with such a local part matches nothing */
	{"192.0.2.1", "h.example", "\xc3\xbcser@inc-user.example", SPF_PASS, "ip4:192.0.2.1", 1},
	{"192.0.2.2", "h.example", "\xc3\xbcser@inc-user.example", SPF_FAIL, "all", 1},
	{"192.0.2.1", "h.example", "user@inc-user.example", SPF_PERMERROR, "", 1},
	/* 5.3 */
	{"192.0.2.10", "h.example", "u@a.example", SPF_PASS, "a", 1},
	{"192.0.2.11", "h.example", "u@a.example", SPF_FAIL, "all", 2},
	{"192.0.2.23", "h.example", "u@a.example", SPF_PASS, "a:other.example/30//126", 2},
	{"192.0.2.24", "h.example", "u@a.example", SPF_FAIL, "all", 2},
	{"2001:db8::10", "h.example", "u@a.example", SPF_PASS, "a", 1},
	{"2001:db8::23", "h.example", "u@a.example", SPF_PASS, "a:other.example/30//126", 2},
	{"2001:db8::24", "h.example", "u@a.example", SPF_FAIL, "all", 2},
	{"192.0.2.1", "h.example", "u@a-temp.example", SPF_TEMPERROR, "", 1},
	{"192.0.2.1", "h.example", "u@a-space.example", SPF_PASS, "a:odd%_name%%.example", 1},
	{"192.0.2.1", "h.example", "u@a-odd.example", SPF_NEUTRAL, "all", 1},
	/* 5.4 */
	{"192.0.2.21", "h.example", "u@mx.example", SPF_PASS, "mx/31", 1},
	{"192.0.2.11", "h.example", "u@mx.example", SPF_PASS, "mx/31", 1},
	{"192.0.2.22", "h.example", "u@mx.example", SPF_FAIL, "all", 1},
	{"2001:db8::20", "h.example", "u@mx.example", SPF_PASS, "mx/31", 1},
	{"192.0.2.1", "h.example", "u@mx-none.example", SPF_FAIL, "all", 1},
	{"192.0.2.1", "h.example", "u@mx-null.example", SPF_FAIL, "all", 2},
	{"192.0.2.1", "h.example", "u@mx-temp.example", SPF_TEMPERROR, "", 1},
	{"192.0.2.1", "h.example", "u@mx-ten.example", SPF_PASS, "mx", 1},
	{"192.0.2.1", "h.example", "u@mx-many.example", SPF_PERMERROR, "", 1},
	/* hosts without AAAA are no void lookups while one has it */
	{"2001:db8::1", "h.example", "u@mx-v4.example", SPF_PASS, "ip6:2001:db8::1", 3},
	/* one that does not exist makes its term void, unless it matches */
	{"192.0.2.1", "h.example", "u@mx-gone.example", SPF_PERMERROR, "", 3},
	{"2001:db8::1", "h.example", "u@mx-gone.example", SPF_PERMERROR, "", 3},
	{"192.0.2.1", "h.example", "u@mx-gone2.example", SPF_NEUTRAL, "all", 2},
	{"192.0.2.91", "h.example", "u@mx-gone.example", SPF_PASS, "mx", 1},
	/* 5.5 */
	{"192.0.2.30", "h.example", "u@ptr.example", SPF_PASS, "ptr", 1},
	{"192.0.2.31", "h.example", "u@ptr.example", SPF_FAIL, "all", 1},
	{"192.0.2.32", "h.example", "u@ptr.example", SPF_PASS, "ptr", 1},
	{"192.0.2.33", "h.example", "u@ptr.example", SPF_FAIL, "all", 1},
	{"192.0.2.34", "h.example", "u@ptr.example", SPF_PASS, "ptr", 1},
	{"192.0.2.35", "h.example", "u@ptr.example", SPF_FAIL, "all", 1},
	{"192.0.2.36", "h.example", "u@ptr.example", SPF_FAIL, "all", 1},
	{"192.0.2.30", "h.example", "u@ptr-other.example", SPF_PASS, "ptr:PTR.example", 1},
	{"2001:db8::30", "h.example", "u@ptr.example", SPF_PASS, "ptr", 1},
	/* 5.6 */
	{"192.0.2.128", "h.example", "u@ip.example", SPF_PASS, "ip4:192.0.2.128/25", 0},
	{"192.0.2.1", "h.example", "u@ip.example", SPF_FAIL, "all", 0},
	{"2001:db8:7fff::1", "h.example", "u@ip.example", SPF_PASS, "ip6:2001:db8::/33", 0},
	{"2001:db8:8000::1", "h.example", "u@ip.example", SPF_PASS, "ip6:::ffff:192.0.2.1/1", 0},
	{"8001:db8:8000::1", "h.example", "u@ip.example", SPF_FAIL, "all", 0},
	/* 5.7 */
	{"192.0.2.1", "h.example", "user@exists.example", SPF_PASS, "exists:%{i}.%{l}.ok.example", 1},
	{"192.0.2.2", "h.example", "user@exists.example", SPF_FAIL, "all", 1},
	{"192.0.2.1", "h.example", "\xc3\xbcser@exists.example", SPF_FAIL, "all", 1},
	{"2001:db8::1", "h.example", "u@exists-a.example", SPF_PASS, "exists:other.example", 1},
	/* 6.1 */
	{"192.0.2.2", "h.example", "u@redir.example", SPF_FAIL, "ip4:192.0.2.2", 1},
	{"192.0.2.5", "h.example", "u@redir.example", SPF_NEUTRAL, "", 1},
	{"192.0.2.1", "h.example", "u@redir-none.example", SPF_PERMERROR, "", 1},
	{"192.0.2.1", "h.example", "u@redir-unused.example", SPF_NEUTRAL, "all", 0},
	{"192.0.2.1", "h.example", "u@redir-temp.example", SPF_TEMPERROR, "", 1},
	{"192.0.2.10", "h.example", "u@redir-a.example", SPF_PASS, "a", 2},
	{"192.0.2.10", "h.example", "u@redir-odd.example", SPF_PERMERROR, "", 1},
	{"192.0.2.10", "h.example", "u@redir-label.example", SPF_PERMERROR, "", 1},
	{"192.0.2.2", "h.example", "\xc3\xbcser@redir-user.example", SPF_NEUTRAL, "", 1},
	{"192.0.2.2", "h.example", "user@redir-user.example", SPF_PERMERROR, "", 1},
	/* 4.6.4 */
	{"192.0.2.1", "h.example", "u@ten.example", SPF_NEUTRAL, "all", 10},
	{"192.0.2.1", "h.example", "u@eleven.example", SPF_PERMERROR, "", 11},
	{"192.0.2.1", "h.example", "u@early.example", SPF_PASS, "ip4:192.0.2.1", 0},
	{"192.0.2.1", "h.example", "u@loop.example", SPF_PERMERROR, "", 11},
	{"192.0.2.1", "h.example", "u@loopinc.example", SPF_PERMERROR, "", 11},
	{"192.0.2.1", "h.example", "u@void2.example", SPF_NEUTRAL, "all", 2},
	{"192.0.2.1", "h.example", "u@void3.example", SPF_PERMERROR, "", 3},
	{"192.0.2.1", "h.example", "u@voidptr.example", SPF_PERMERROR, "", 3},
	{"192.0.2.30", "h.example", "u@voidptr.example", SPF_NEUTRAL, "all", 3},
	{"192.0.2.30", "h.example", "u@pone.example", SPF_NEUTRAL, "all", 2},
	{"192.0.2.30", "h.example", "u@pcount.example", SPF_NEUTRAL, "all", 3},
	/* 7.2: h is whatever the client said */
	{"192.0.2.10", "a.example", "u@helo.example", SPF_PASS, "a:%{h}", 1},
	{"192.0.2.10", "hello there", "u@helo.example", SPF_FAIL, "all", 1},
};

static const struct {
	const char *mail_from, *explanation;
} explanations[] = {
	{"u@exp.example", "192.0.2.9 is not one of exp.example's servers."},
	{"u@exp-two.example", ""},
	{"u@exp-none.example", ""},
	{"u@exp-temp.example", ""},
	{"u@exp-8bit.example", ""},
	{"u@exp-bad.example", ""},
	{"u@exp-inc.example", "exp-inc.example says no"},
	{"u@exp-redir.example", "192.0.2.9 is not one of exp.example's servers."},
	{"u@exp-void.example", ""},
	{"u@one.example", ""},
	{"@exp-from.example", "postmaster@exp-from.example"},
	{"a@exp-from.example", "a@exp-from.example"},
	{"a\r\nb@exp-from.example", ""},
	{"caf\xc3\xa9@exp-from.example", ""},
};
/* clang-format on */

enum { ZONE_MAX = 65536 };

/* mx-many.example: one MX record more than the limit, the last of which would
 * match; mx-ten.example: as many as may be. */
static void add_exchanges(struct buf *text)
{
	for (int i = 0; i < 11; i++)
		buf_add_format(text,
		    "mx-many.example. 300 IN MX %d m%d.example.\n"
		    "m%d.example. 300 IN A 192.0.2.%d\n",
		    i, i, i, i == 0 ? 1 : 100 + i);
	for (int i = 0; i < 10; i++)
		buf_add_format(text,
		    "mx-ten.example. 300 IN MX %d m%d.example.\n", 9 - i, i);
}

static int open_zone(void **state)
{
	static const struct dns_failure failures[] = {
	    {SLICE_INIT("timeout.example"), true, 0, true},
	    {SLICE_INIT("timeout.ptr.example"), true, 0, true},
	    {SLICE_INIT("servfail.example"), true, 0, false},
	    {SLICE_INIT("36.2.0.192.in-addr.arpa"), true, 0, false},
	};
	struct arena *arena = arena_new(0);
	struct buf *text = buf_in_arena(arena, ZONE_MAX);

	buf_add_text(text, zone);
	add_exchanges(text);
	*state = dns_test_open(
	    buf_slice(text), sizeof(failures) / sizeof(*failures), failures);
	arena_free(arena);
	return 0;
}

static int close_zone(void **state)
{
	dns_resolver_release(*state);
	return 0;
}

static struct spf_request request_of(
    const char *client, const char *helo, const char *mail_from)
{
	struct spf_request request = {
	    .helo = slice_from(helo),
	    .mail_from = slice_from(mail_from),
	    .receiver = SLICE("mx1.agency.example"),
	};

	assert_true(ip_parse(slice_from(client), &request.client_ip));
	return request;
}

static void test_rows(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct row *row = &rows[i];
		struct arena *arena = arena_new(0);
		struct spf_request request = request_of(
		    row->client, row->helo, row->mail_from);
		struct spf_outcome outcome = spf_check_mailfrom(
		    arena, dns_test_session(arena, *state), &request);
		bool is_error = outcome.result == SPF_TEMPERROR ||
				outcome.result == SPF_PERMERROR;

		if (outcome.result != row->result ||
		    outcome.dns_lookups != row->lookups ||
		    !slice_eq(outcome.mechanism, slice_from(row->mechanism)) ||
		    slice_empty(outcome.problem) == is_error)
			fail_msg("%s %s: %s by \"%.*s\", %u lookups, %.*s",
			    row->client, row->mail_from,
			    spf_result_name(outcome.result),
			    SLICE_ARGS(outcome.mechanism), outcome.dns_lookups,
			    SLICE_ARGS(outcome.problem));
		assert_int_equal(outcome.identity, row->mail_from[0]
						       ? SPF_IDENTITY_MAILFROM
						       : SPF_IDENTITY_HELO);
		arena_free(arena);
	}
}

static void test_explanations(void **state)
{
	for (size_t i = 0; i < sizeof(explanations) / sizeof(*explanations);
	     i++) {
		struct arena *arena = arena_new(0);
		struct spf_request request = request_of(
		    "192.0.2.9", "h.example", explanations[i].mail_from);
		struct spf_outcome outcome = spf_check_mailfrom(
		    arena, dns_test_session(arena, *state), &request);

		assert_int_equal(outcome.result, SPF_FAIL);
		assert_string_equal(arena_text(arena, outcome.explanation),
		    explanations[i].explanation);
		arena_free(arena);
	}
}

/* Section 2.3: HELO is judged whatever the sender. */
static void test_helo(void **state)
{
	struct arena *arena = arena_new(0);
	struct spf_request request = request_of(
	    "192.0.2.9", "one.example", "u@quals.example");
	struct spf_outcome outcome = spf_check_helo(
	    arena, dns_test_session(arena, *state), &request);

	assert_int_equal(outcome.result, SPF_FAIL);
	assert_int_equal(outcome.identity, SPF_IDENTITY_HELO);
	assert_true(slice_eq(outcome.domain, SLICE("one.example")));
	arena_free(arena);
}

static size_t count_queries(
    const struct dns_session *session, struct slice name, enum dns_type type)
{
	const struct dns_query_record *queries;
	size_t all = dns_session_queries(session, &queries), count = 0;

	for (size_t i = 0; i < all; i++)
		if (queries[i].type == type && slice_eq(queries[i].name, name))
			count++;
	return count;
}

/* No query is made twice, prefetched or not, and none is made in vain for
 * what a matching address makes needless. */
static void test_queries(void **state)
{
	struct arena *arena = arena_new(0);
	struct dns_session *session = dns_test_session(arena, *state);
	struct spf_request request = request_of(
	    "192.0.2.1", "h.example", "u@eleven.example");
	const struct dns_query_record *queries;

	spf_prefetch(session, &request);
	spf_prefetch(session, &request);
	assert_int_equal(dns_session_queries(session, &queries), 1);
	spf_check_mailfrom(arena, session, &request);
	assert_int_equal(
	    count_queries(session, SLICE("eleven.example"), DNS_TXT), 1);
	assert_int_equal(count_queries(session, SLICE("a.example"), DNS_A), 1);
	assert_int_equal(
	    count_queries(session, SLICE("ten.example"), DNS_TXT), 1);
	assert_int_equal(dns_session_queries(session, &queries), 3);

	session = dns_test_session(arena, *state);
	request = request_of("192.0.2.1", "h.example", "u@early.example");
	spf_check_mailfrom(arena, session, &request);
	assert_int_equal(dns_session_queries(session, &queries), 1);
	/* No domain, no query. */
	session = dns_test_session(arena, *state);
	request = request_of("192.0.2.1", "h", "u@[192.0.2.1]");
	spf_prefetch(session, &request);
	spf_check_mailfrom(arena, session, &request);
	request = request_of("192.0.2.1", "h", "u@localhost");
	spf_prefetch(session, &request);
	spf_check_mailfrom(arena, session, &request);
	assert_int_equal(dns_session_queries(session, &queries), 0);
	arena_free(arena);
}

/* Terms are asked for before their turn: as far as they may be needed, and no
 * more than may be asked for. */
static void test_asked_ahead(void **state)
{
	static const struct {
		const char *client, *mail_from;
		size_t queries;
		const char *names[6];
		enum dns_type types[6];
	} cases[] = {
	    {"192.0.2.9", "u@ahead.example", 5,
		{"other.example", "a.example", "mx.example", "quals.example"},
		{DNS_A, DNS_A, DNS_MX, DNS_TXT}},
	    {"2001:db8::9", "u@ahead.example", 5,
		{"other.example", "a.example", "mx.example", "quals.example"},
		{DNS_A, DNS_AAAA, DNS_MX, DNS_TXT}},
	    {"192.0.2.1", "u@ahead-ip.example", 3,
		{"other.example", "ahead-ip.example"}, {DNS_A, DNS_A}},
	    {"192.0.2.99", "u@ahead-ip.example", 2, {"other.example"}, {DNS_A}},
	    {"192.0.2.9", "u@ahead-ten.example", 11,
		{"other.example", "n1.example", "n9.example"},
		{DNS_A, DNS_A, DNS_A}},
	    {"192.0.2.21", "u@mx.example", 4,
		{"mx.example", "other.example", "a.example"},
		{DNS_MX, DNS_A, DNS_A}},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct arena *arena = arena_new(0);
		struct dns_session *session = dns_test_session(arena, *state);
		struct spf_request request = request_of(
		    cases[i].client, "h.example", cases[i].mail_from);
		const struct dns_query_record *queries;

		spf_check_mailfrom(arena, session, &request);
		if (dns_session_queries(session, &queries) != cases[i].queries)
			fail_msg("case %zu: %zu", i,
			    dns_session_queries(session, &queries));
		for (size_t j = 0; cases[i].names[j]; j++)
			if (count_queries(session,
				slice_from(cases[i].names[j]),
				cases[i].types[j]) != 1)
				fail_msg("case %zu: %s", i, cases[i].names[j]);
		arena_free(arena);
	}
}

/* Section 4.3: what is no domain is not asked for. */
static void test_valid_domains(void **state)
{
	static const char label[] =
	    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	static const struct {
		int labels; /* of 49 octets and a dot, in front */
		int octets; /* of label, in front of those */
		const char *end;
		bool valid;
	} cases[] = {
	    {0, 0, "nowhere.example", true},
	    {0, 0, "a_b.example", true},
	    {0, 0, "nowhere.example.", true},
	    {0, 0, "nowhere", false},
	    {0, 0, "", false},
	    {0, 0, "a..example", false},
	    {0, 0, ".example", false},
	    {0, 0, "a b.example", false},
	    {0, 0, "a(b).example", false},
	    {0, 0, "192.0.2.1", false},
	    {0, 63, ".example", true},
	    {0, 64, ".example", false},
	    {4, 45, ".example", true},
	    {4, 46, ".example", false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct arena *arena = arena_new(0);
		struct dns_session *session = dns_test_session(arena, *state);
		struct buf *helo = buf_in_arena(arena, 1000);
		struct spf_request request;
		const struct dns_query_record *queries;

		for (int j = 0; j < cases[i].labels; j++)
			buf_add_format(helo, "%.49s.", label);
		buf_add_format(
		    helo, "%.*s%s", cases[i].octets, label, cases[i].end);
		request = request_of(
		    "192.0.2.1", arena_text(arena, buf_slice(helo)), "");
		assert_int_equal(
		    spf_check_helo(arena, session, &request).result, SPF_NONE);
		if (dns_session_queries(session, &queries) != cases[i].valid)
			fail_msg("case %zu", i);
		arena_free(arena);
	}
}

/* Does the term that passed suit any client? */
static void test_everybody(void **state)
{
	static const struct {
		const char *client, *mail_from;
		enum spf_result result;
		bool everybody;
	} cases[] = {
	    {"192.0.2.1", "u@all.example", SPF_PASS, true},
	    {"192.0.2.1", "u@one.example", SPF_PASS, false},
	    {"192.0.2.2", "u@one.example", SPF_FAIL, false},
	    {"192.0.2.2", "u@first.example", SPF_NEUTRAL, false},
	    {"192.0.2.1", "u@wide4.example", SPF_PASS, true},
	    {"192.0.2.1", "u@eight.example", SPF_PASS, false},
	    {"2001:db8::1", "u@wide6.example", SPF_PASS, true},
	    {"2001:db8::1", "u@sixteen.example", SPF_PASS, false},
	    {"192.0.2.1", "u@wide-a.example", SPF_PASS, true},
	    {"192.0.2.1", "u@wide-a6.example", SPF_PASS, false},
	    {"2001:db8::1", "u@wide-a.example", SPF_PASS, false},
	    {"2001:db8::1", "u@wide-a6.example", SPF_PASS, true},
	    {"192.0.2.1", "u@wide-mx.example", SPF_PASS, true},
	    {"192.0.2.1", "u@wide-mx6.example", SPF_PASS, false},
	    {"2001:db8::1", "u@wide-mx.example", SPF_PASS, false},
	    {"2001:db8::1", "u@wide-mx6.example", SPF_PASS, true},
	    {"192.0.2.1", "u@wide-inc.example", SPF_PASS, true},
	    {"192.0.2.1", "u@inc.example", SPF_PASS, false},
	    {"192.0.2.2", "u@wide-not.example", SPF_PASS, false},
	    {"192.0.2.1", "u@wide-redir.example", SPF_PASS, true},
	    {"192.0.2.1", "u@exists-a.example", SPF_PASS, false},
	    {"192.0.2.30", "u@ptr.example", SPF_PASS, false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct arena *arena = arena_new(0);
		struct spf_request request = request_of(
		    cases[i].client, "h.example", cases[i].mail_from);
		struct spf_outcome outcome = spf_check_mailfrom(
		    arena, dns_test_session(arena, *state), &request);

		if (outcome.result != cases[i].result ||
		    outcome.everybody != cases[i].everybody)
			fail_msg("%s %s: %s %d", cases[i].client,
			    cases[i].mail_from, spf_result_name(outcome.result),
			    outcome.everybody);
		arena_free(arena);
	}
}

/* Whose fault it is, in words. */
static void test_problems(void **state)
{
	static const struct {
		const char *mail_from, *problem;
	} cases[] = {
	    {"u@eleven.example",
		"ten.example: more than 10 terms need DNS queries"},
	    {"u@void3.example",
		"void3.example: more than 2 terms have DNS queries that find "
		"nothing"},
	    {"u@mx-many.example",
		"mx-many.example: mx-many.example has more than 10 MX "
		"records"},
	    {"u@timeout.example", "timeout.example: DNS query timeout.example "
				  "TXT: no answer (injected failure)"},
	    {"u@a-temp.example", "a-temp.example: DNS query servfail.example "
				 "A: server failure (injected failure)"},
	    {"u@two.example", "two.example: more than one SPF record"},
	    {"u@inc-none.example", "inc-none.example: include:none.example "
				   "has no SPF record"},
	    {"u@redir-none.example", "redir-none.example: "
				     "redirect=none.example has no SPF "
				     "record"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct arena *arena = arena_new(0);
		struct spf_request request = request_of(
		    "192.0.2.1", "h.example", cases[i].mail_from);
		struct spf_outcome outcome = spf_check_mailfrom(
		    arena, dns_test_session(arena, *state), &request);

		assert_string_equal(
		    arena_text(arena, outcome.problem), cases[i].problem);
		arena_free(arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_explanations),
	    cmocka_unit_test(test_helo),
	    cmocka_unit_test(test_queries),
	    cmocka_unit_test(test_asked_ahead),
	    cmocka_unit_test(test_valid_domains),
	    cmocka_unit_test(test_everybody),
	    cmocka_unit_test(test_problems),
	};

	return cmocka_run_group_tests(tests, open_zone, close_zone);
}
