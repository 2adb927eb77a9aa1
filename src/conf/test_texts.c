/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/test_texts.h"

#include <stddef.h>

#define H "hostname: a.example\n"
#define L H "listeners:\n"
#define MX "  - {name: mx, address: \"0.0.0.0:25\", role: mx}\n"
#define RELAY "  - {name: re, address: \"0.0.0.0:26\", role: relay}\n"
#define SUBMISSION                                                             \
	"  - {name: a, address: \"[::]:587\", role: submission, "              \
	"tls: {certificate: c, key: k}}\n"
#define C L RELAY "connectors:\n"
#define R L RELAY "routes:\n"
#define A L RELAY "authentication:\n"
#define SOCKET_107                                                             \
	"tmp/a-name-of-107-bytes-that-with-its-slash-has-one-too-many-for-"    \
	"the-address-of-a-socket-of-linux-........."

const char test_text_full[] =
    "hostname: MX1.agency.example\n"
    "authserv_id: agency.example\n"
    "state_directory: /srv/gh\n"
    "organization:\n"
    "  accepted_domains: [agency.example, B\xc3\xbc"
    "cher.example]\n"
    "listeners:\n"
    "  - name: mx\n"
    "    address: \"[::]:25\"\n"
    "    role: mx\n"
    "    tls: {certificate: c.pem, key: k.pem, client_ca: a.pem,\n"
    "      required: true}\n"
    "    proxy_protocol: [10.0.0.0/8]\n"
    "    xclient: [\"2001:db8::7\"]\n"
    "  - {name: mta, address: \"unix:/run/milter\", role: relay}\n"
    "connectors:\n"
    "  - name: Exchange Online\n"
    "    networks: [192.0.2.0/24, \"2001:db8::/32\"]\n"
    "    addresses: [198.51.100.7]\n"
    "    tls_names: [\"*.outlook.example\"]\n"
    "    listeners: [mx]\n"
    "    treat_as: internal\n"
    "    require_tls: true\n"
    "  - {name: Scanner, networks: [198.51.100.8], owner: facilities,\n"
    "     may_send_as: [agency.example], reason: MFD,\n"
    "     expires: 2027-01-31}\n"
    "routes:\n"
    "  - domains: [agency.example, .agency.example,\n"
    "      xn--bcher-kva.example]\n"
    "    next_hop: \"smtp:[10.0.0.8]:25, [10.0.0.9]:26\"\n"
    "    tls: must\n"
    "    tls_ca: ca.pem\n"
    "    xforward: true\n"
    "    proxy_protocol: 2\n"
    "  - {domains: [\"*\"], next_hop: mx, address_family: ipv4}\n"
    "dns: {servers: [192.0.2.53, \"2001:db8::53@5353\"],\n"
    "  trust_anchor: \"\", cache_size: 32M, cache_max_ttl: 2h}\n"
    "authentication:\n"
    "  dmarc: {enforce: false, on_temporary_error: accept,\n"
    "    quarantine_action: junk_header, junk_header: \"X-Junk: 1\"}\n"
    "  own_domains: report\n"
    "  malformed: off\n"
    "  trusted_intermediaries:\n"
    "    - {arc_sealer: lists.example, reason: list}\n"
    "    - {networks: [192.0.2.1]}\n"
    "  exchange_style_results: true\n"
    "  received_spf: true\n"
    "  dkim: {accept_body_length: true, minimum_rsa_bits: 2048}\n"
    "keep: {trace: 0, quarantine: 2w}\n"
    "admin: {address: \"127.0.0.1:8025\"}\n"
    "log: {format: json, level: debug, trace: [smtp, next-hop]}\n"
    "limits: {message_size: 50M, tls_timeout: 1500ms}\n";

/* clang-format off */
const struct test_text test_texts[] = {
    /* the file */
    {"", 1, "t.yaml:1:1: hostname: is missing; write hostname: mx1"},
    {"[1]", 1, "t.yaml:1:1: the file: is a list; it must be a mapping"},
    {"x", 1, "t.yaml:1:1: the file: is a single value"},
    {H "limit: {}\n", 1, "t.yaml:2:1: \"limit\" is not a known key; did you mean limits?"},
    {H "<<: {a: 1}\n", 1, "t.yaml:2:1: merge keys (<<) are not used"},
    {H "hostname: b.example\n", 1, "t.yaml:2:1: the key \"hostname\" is repeated; it is also on line 1"},
    {H "qqqqqqqq: 1\n", 1, "known here: hostname, authserv_id, user"},
    {H "state_directory: /srv/a?b\n", 1, "t.yaml:1:1: store: the default does not work here: "},
    {H "state_directory: /srv/a?b\nstore: sqlite:/srv/x.db\n", 0, ""},
    {H "limits:\n  recipiants: 3\n", 1, "t.yaml:3:3: limits: \"recipiants\" is not a known key; did you mean recipients?"},
    {"hostname: localhost\n", 1, "t.yaml:1:11: hostname: \"localhost\" is not a domain name: it needs a dot"},
    {"hostname: 192.0.2.1\n", 1, "it looks like an IP address"},
    {"hostname:\n", 1, "t.yaml:1:1: hostname: has no value"},
    {H "dns:\n  zone:\n  cache_size: 1M\n", 1, "t.yaml:3:3: dns.zone: has no value"},
    {"hostname: ''\n", 1, "hostname: is empty"},
    {"hostname: [a.example]\n", 1, "hostname: is a list; it must be a single value, like mx1"},
    {"hostname: a b\nuser: \"x\\ny\"\nstore: 7\n", 3, "t.yaml:2:7: user:"},
    {H "rules: [x.yaml]\n", 1, "t.yaml:2:1: rules: is not available in this version"},
    {H "sensitive_information: []\n", 1, "is not available"},
    {H "journal: {keep: 30d}\n", 0, "t.yaml:2:1: warning: journal: has no effect"},
    {H "organization:\n  classification_limit: SECRET\n", 0, "t.yaml:3:3: warning: organization.classification_limit: has no effect"},
    {H "store: postgresql://db\n", 1, "PostgreSQL is not available"},
    {H "store: sqlite:/p/o.db?max_size=20X\n", 1, "t.yaml:2:8: store: \"20X\" is not a size"},
    {H "store: sqlite:/p/o.db?maxsize=20G\n", 1, "t.yaml:2:8: store: \"?maxsize=20G\" is not known"},
    {H "store: 'sqlite::memory:'\n", 1, "t.yaml:2:8: store: sqlite: needs a path"},
    {H "store: 'sqlite:?max_size=20G'\n", 1, "t.yaml:2:8: store: sqlite: needs a path"},
    {H "store: ''\n", 1, "t.yaml:2:8: store: is empty; leave the key out"},
    {H "dns:\n", 0, ""},
    {H "dns: []\n", 1, "dns: is a list; it must be a mapping"},
    {H "keep: {trace: 90}\n", 1, "t.yaml:2:15: keep.trace: \"90\" is not a duration; write a number with a unit"},
    {H "dns: {cache_min_ttl: 30m, cache_max_ttl: 1m}\n", 1, "t.yaml:2:22: dns.cache_min_ttl: is over cache_max_ttl"},
    {H "dns: {cache_max_ttl: 0s}\n", 1, "t.yaml:2:22: dns.cache_max_ttl: is out of bounds; 1s to 1w is possible"},
    {H "dns: {cache_negative_ttl: 0s}\n", 1, "t.yaml:2:27: dns.cache_negative_ttl: is out of bounds; 1s to 1d is possible"},
    {H "dns: {servers: [dns.example]}\n", 1, "t.yaml:2:17: dns.servers[0]: \"dns.example\" is not a DNS server"},
    {H "dns: {servers: [\"192.0.2.1@0\"]}\n", 1, "not a DNS server"},
    {H "dns: {servers: [192.0.2.1], zone: z}\n", 1, "exclude each other"},
    {H "log: {level: verbose}\n", 1, "\"verbose\" is not known; it is one of: error, warning, notice, info, debug"},
    {H "log: {trace: [smtp, dns]}\n", 0, "t.yaml:2:14: warning: log.trace: is on: what every client does, with addresses, stays in the log"},
    {H "log: {trace: [smtp, all]}\n", 1, "t.yaml:2:21: log.trace[1]: \"all\" is not known"},
    {H "log: {trace: [config]}\n", 1, "log.trace[0]: \"config\" is not known; it is one of: smtp, next-hop, dns, auth, store"},
    {H "limits: {recipients: 0}\n", 1, "limits.recipients: is out of bounds; 1 to 100000 is possible"},
    {H "limits: {drain_timeout: 86s}\n", 0, "t.yaml:2:25: warning: limits.drain_timeout: is longer than gatehouse.service waits"},
    {H "limits: {arc_sets: 51}\n", 1, "1 to 50"},
    {H "limits: {message_size: 150MB}\n", 1, "is not a size"},
    {H "limits: {command_length: 33K}\n", 1, "limits.command_length: is out of bounds; 512 to 32K is possible"},
    {H "limits: {command_length: 32K}\n", 0, ""},
    {H "limits: {message_size: [1]}\n", 1, "like 50M"},
    {H "user: ''\ngroup: mail\n", 0, "t.yaml:3:8: warning: group: has no effect: user"},
    {H "milter: {quarantine: mta}\n", 0, "t.yaml:2:22: warning: milter.quarantine: has no effect: there is no milter listener"},
    {H "admin: {address: localhost}\n", 1, "is not an address"},
    {H "admin: {address: \"unix:/run/admin\"}\n", 1, "t.yaml:2:18: admin.address: \"unix:/run/admin\" is not an address; write \"127.0.0.1:8025\" or \"[::1]:8025\""},
    {H "admin: {address: \"[::1]:8025\"}\n", 0, ""},
    {H "organization: {accepted_domains: agency.example}\n", 1, "is a single value; it must be a list, like [agency"},
    {H "organization: {accepted_domains: [a.example, a_b.example]}\n", 1, "t.yaml:2:46: organization.accepted_domains[1]: \"a_b.example\" is not a domain name"},
    {H "organization: {accepted_domains: [a.example, A.example]}\n", 0, "accepted_domains[1]: is there twice"},
    {H "organization: {accepted_domains: [~]}\n", 1, "accepted_domains[0]: has no value"},
    {H "organization: {accepted_subdomains: yes}\n", 1, "\"yes\" is not true or false"},
    {H "organization: {accepted_domains: [x.example]}\n", 0, "t.yaml:2:35: warning: organization.accepted_domains[0]: no route leads to x.example"},
    /* listeners */
    {L "  - {name: mx, role: mx}\n", 1, "t.yaml:3:5: listeners[0].address: is missing; write address: \"0.0.0.0:25\""},
    {L "  - x\n", 1, "t.yaml:3:5: listeners[0]: is a single value; it must be a mapping"},
    {L MX, 0, "accepted_domains: there are none: an mx listener refuses"},
    {L MX MX, 2, "t.yaml:4:12: listeners[1].name: is the name of listeners[0] too"},
    {L MX MX, 2, "t.yaml:4:25: listeners[1].address: is the address of listeners[0] too"},
    {L MX "  - {name: b, address: \"10.0.0.5:25\", role: relay}\n", 1, "t.yaml:4:24: listeners[1].address: 10.0.0.5:25 cannot be had beside 0.0.0.0:25 of listeners[0]"},
    {L "  - {name: b, address: \"10.0.0.5:25\", role: relay}\n" MX, 1, "t.yaml:4:25: listeners[1].address: 0.0.0.0:25 cannot be had beside 10.0.0.5:25 of listeners[0]"},
    {L "  - {name: b, address: \"[::1]:25\", role: relay}\n  - {name: c, address: \"[::]:25\", role: relay}\n", 1, "listeners[1].address: [::]:25 cannot be had beside [::1]:25"},
    {L "  - {name: b, address: \"[::1]:25\", role: relay}\n  - {name: c, address: \"[0::1]:25\", role: relay}\n", 1, "listeners[1].address: is the address of listeners[0] too"},
    {L MX "  - {name: b, address: \"[::]:25\", role: relay}\n  - {name: c, address: \"10.0.0.5:26\", role: relay}\n", 0, ""},
    {L "  - {name: a, address: \"0.0.0.0:0\", role: relay}\n  - {name: b, address: \"10.0.0.5:0\", role: relay}\n", 0, ""},
    {L MX "admin: {address: \"127.0.0.1:25\"}\n", 1, "t.yaml:4:18: admin.address: 127.0.0.1:25 cannot be had beside 0.0.0.0:25 of listeners[0]"},
    {L MX "admin: {address: \"0.0.0.0:25\"}\n", 1, "admin.address: is the address of listeners[0] too"},
    {L "  - {name: a, address: \"0.0.0.0\", role: mx}\n", 1, "listeners[0].address: \"0.0.0.0\" is not an address"},
    {L "  - {name: a, address: \"0.0.0.0@25\", role: mx}\n", 1, "is not an address"},
    {L "  - {name: a, address: \"unix:\", role: mx}\n", 1, "is not an address"},
    {L "  - {name: a, address: \"unix:/" SOCKET_107 "\", role: relay}\n", 1, "listeners[0].address: the path of the socket is longer than 107 bytes"},
    {L "  - {name: a, address: \"[::]:0\", role: relay}\n", 0, ""},
    {L "  - {name: a, address: \"[::]:25\", role: smtp}\n", 1, "one of: mx, relay, submission, milter"},
    {L "  - {name: a/b, address: \"[::]:25\", role: relay}\n", 1, "is not a name"},
    {L "  - {name: a, address: \"[::]:25\", role: relay, tls: {key: k}}\n", 1, "listeners[0].tls: has one of certificate and key"},
    {L "  - {name: a, address: \"[::]:25\", role: relay, tls: {required: true}}\n", 1, "t.yaml:3:53: listeners[0].tls: needs a certificate and a key"},
    {L "  - {name: a, address: \"[::]:25\", role: relay, implicit_tls: true}\n", 1, "implicit_tls: needs tls"},
    {L "  - {name: a, address: \"[::]:25\", role: milter, tls: {certificate: c, key: k}}\n", 1, "is not for a milter"},
    {L "  - {name: a, address: \"[::]:25\", role: milter, xclient: [10.0.0.7]}\n", 0, "t.yaml:3:58: warning: listeners[0].xclient: has no effect: it is not for a milter listener"},
    {L "  - {name: a, address: \"[::]:25\", role: milter, proxy_protocol: [10.0.0.7]}\n", 0, "warning: listeners[0].proxy_protocol: has no effect: it is not for a milter listener"},
    {L "  - {name: a, address: \"[::]:25\", role: milter}\n", 0, "t.yaml:1:1: warning: organization.accepted_domains: there are none: mail that uses"},
    {L "  - {name: a, address: \"[::]:25\", role: relay, tls: {certificate: c, key: k, client_ca: a}}\n", 0, "t.yaml:3:89: warning: listeners[0].tls.client_ca: has no effect: no connector of this listener has tls_names"},
    {L "  - {name: a, address: \"[::]:25\", role: submission}\n", 0, "warning: listeners[0]: takes no mail: without tls nobody can log in"},
    {L SUBMISSION "", 0, "t.yaml:3:42: warning: listeners[0].role: nobody can log in: there is no route"},
    {L SUBMISSION "routes:\n  - {domains: [\"*\"], next_hop: mx}\n", 0, "t.yaml:3:42: warning: listeners[0].role: nobody can log in: routes[0], which logins take, leads to no server"},
    {L SUBMISSION "routes:\n  - {domains: [x.example], next_hop: \"smtp:[127.0.0.1]:25\"}\n  - {domains: [\"*\"], next_hop: \"maildir:/m\"}\n", 0, "t.yaml:3:42: warning: listeners[0].role: nobody can log in: routes[1], which"},
    {L SUBMISSION "routes:\n  - {domains: [x.example], next_hop: \"smtp:[192.0.2.1]:25\"}\n", 0, "t.yaml:3:42: warning: listeners[0].role: nobody can log in: routes[0], which logins take, has no tls: must"},
    {L "  - {name: a, address: \"[::]:25\", role: relay, xclient: [10.0.0.0/33]}\n", 1, "listeners[0].xclient[0]: \"10.0.0.0/33\" is not an IP address or network"},
    {L "  -\n", 1, "listeners[0]: is empty"},
    /* connectors */
    {C "  - {name: a, networks: [192.0.2.1]}\n  - ~\n", 1, "t.yaml:6:5: connectors[1]: is empty; write a mapping, or remove it"},
    {C "  - {name: a, treat_as: internal}\n", 1, "t.yaml:5:5: connectors[0]: treat_as: internal needs networks or tls_names"},
    {C "  - {name: a}\n", 0, "warning: connectors[0]: has neither networks nor tls_names"},
    {C "  - {name: a, treat_as: internal, networks: [0.0.0.0/0]}\n", 0, "open relay"},
    {C "  - {name: a, tls_names: [x.example]}\n", 0, "none of its listeners has tls.client_ca"},
    {C "  - {name: a, networks: [192.0.2.1], require_tls: true}\n", 0, "t.yaml:5:51: warning: connectors[0].require_tls: none of its listeners has tls: it never counts"},
    {C "  - {name: a, networks: [192.0.2.1], listeners: [rely]}\n", 1, "there is no listener called \"rely\""},
    {C "  - {name: a, networks: [192.0.2.1]}\n  - {name: a, networks: [192.0.2.2]}\n", 1, "connectors[1].name: is the name of connectors[0] too"},
    {C "  - {name: a, networks: [192.0.2.1], may_send_as: [x.example]}\n", 0, "write the owner and the reason of this exception"},
    {C "  - {name: a, networks: [192.0.2.1], may_send_as: [x.example], owner: b}\n", 0, "write the reason of"},
    {C "  - {name: a, networks: [192.0.2.1], expires: 2026-05-31}\n", 0, "t.yaml:5:47: warning: connectors[0].expires: has passed"},
    {C "  - {name: a, networks: [192.0.2.1], expires: 2026-06-01}\n", 0, "counts for 0 more days"},
    {C "  - {name: a, networks: [192.0.2.1], expires: 2026-06-11}\n", 0, "counts for 10 more days"},
    {C "  - {name: a, networks: [192.0.2.1], expires: 2026-02-29}\n", 1, "is not a date"},
    {C "  - {name: a, networks: [192.0.2.1], expires: tomorrow}\n", 1, "is not a date"},
    {C "  - {name: a, networks: [192.0.2.1/0x1]}\n", 1, "is not an IP"},
    {C "  - {name: a, networks: [192.0.2.1], may_send_as: [a.example, b.example], owner: b, reason: c}\norganization: {accepted_domains: [a.example]}\n", 0, "connectors[0].may_send_as[1]: b.example is no domain of ours"},
    {C "  - {name: a, networks: [192.0.2.1], may_send_as: [x.a.example], owner: b, reason: c}\norganization: {accepted_domains: [a.example], accepted_subdomains: false}\n", 0, "may_send_as[0]: x.a.example is no domain of ours"},
    /* routes */
    {R "  - {domains: [a.example, .a.example], next_hop: mx}\n  - {domains: [b.example, A.example, \"*\"], next_hop: mx}\n", 0, "t.yaml:6:27: warning: routes[1].domains[1]: a.example is in routes[0] too, which is the one that counts"},
    {R "  - {domains: [a.example, a.example], next_hop: mx}\n", 0, "routes[0].domains[1]: is there twice"},
    {R "  - {domains: [\"*\"], next_hop: mx}\n  - {domains: [\"*\"], next_hop: mx}\n", 0, "routes[1].domains[0]: * is in routes[0] too"},
    {R "  - {domains: [\"*\"], next_hop: \"maildir:/m\", tls: must}\n", 0, "routes[0].tls: has no effect: a Maildir is no server"},
    {R "  - {domains: [\"*\"], next_hop: \"maildir:/m\", tls: may, tls_ca: /c}\n", 0, "routes[0].tls_ca: has no effect"},
    {R "  - {domains: [\"*\"], next_hop: \"maildir:/m\", address_family: ipv6}\n", 0, "routes[0].address_family: has no effect: a Maildir"},
    {R "  - {domains: [\"*\"], next_hop: \"smtp:[192.0.2.1]:25\", address_family: ipv4}\n", 0, "routes[0].address_family: has no effect: no host of next_hop is a name"},
    {R "  - {domains: [\"*\"], next_hop: \"lmtp:unix:/l\", address_family: ipv4}\n", 0, "routes[0].address_family: has no effect: no host"},
    {R "  - {domains: [\"*\"], next_hop: mx, address_family: inet}\n", 1, "one of: any, ipv4, ipv6"},
    {R "  - {domains: [\"*\"], next_hop: \"maildir:/m\", xforward: true}\n", 0, "routes[0].xforward: has no effect"},
    {R "  - {domains: [\"*\"], next_hop: \"maildir:/m\", proxy_protocol: 2}\n", 0, "routes[0].proxy_protocol: has no effect"},
    {R "  - {domains: [\"*\"], next_hop: mx, tls_ca: /c}\n", 0, "t.yaml:5:44: warning: routes[0].tls_ca: has no effect: only tls: must verifies the next hop"},
    {R "  - {domains: [\"*\"], next_hop: mx, tls: off, tls_ca: /c}\n", 0, "routes[0].tls_ca: has no effect"},
    {R "  - {domains: [a.example]}\n", 1, "t.yaml:5:5: routes[0].next_hop: is missing"},
    {R "  - {domains: [], next_hop: mx}\n", 1, "routes[0].domains: is empty; write"},
    {R "  - {domains: [\"*.a.example\"], next_hop: mx}\n", 1, "is not a domain name"},
    {R "  - {domains: [\"*\"], next_hop: \"smpt:a.example\"}\n", 1, "is not a next hop; write smtp:HOST"},
    {R "  - {domains: [\"*\"], next_hop: mx, proxy_protocol: 3}\n", 1, "0 to 2 is possible"},
    {R "  - {domains: [\"*\"], next_hop: mx}\norganization: {accepted_domains: [x.example]}\n", 0, "is routed to its MX"},
    {R "  - {domains: [.x.example], next_hop: \"maildir:/m\"}\norganization: {accepted_domains: [x.example]}\n", 0, "no route leads to x.example"},
    /* authentication */
    {A "  dmarc: {quarantine_action: delete}\n", 1, "one of: quarantine, junk_header"},
    {A "  dmarc: {junk_header: \"no colon\"}\n", 1, "is not a header field"},
    {A "  dmarc: {junk_header: \"X-A: b\\r\\nBcc: c\"}\n", 1, "is not a header field"},
    {A "  dmarc: {quarantine_action: junk_header, junk_header: \"\"}\n", 1, "junk_header: is empty"},
    {A "  dmarc: {junk_header: \"from: spam@x.example\"}\n", 1, "t.yaml:5:24: authentication.dmarc.junk_header: \"from\" may not be added: it is one of the message's own"},
    {A "  dmarc: {junk_header: \"Subject: spam\"}\n", 1, "\"Subject\" may not be added"},
    {A "  dmarc: {junk_header: \"DKIM-Signature: x\"}\n", 1, "\"DKIM-Signature\" may not be added"},
    {A "  dmarc: {junk_header: \"X-Spam: yes\"}\n", 0, "t.yaml:5:24: warning: authentication.dmarc.junk_header: has no effect: quarantine_action is quarantine"},
    {A "  own_domains: on\n", 1, "one of: off, report, enforce"},
    {A "  dkim: {minimum_rsa_bits: 512}\n", 1, "1024 to 4096 is possible"},
    {A "  trusted_intermediaries: [{reason: x}]\n", 1, "t.yaml:5:28: authentication.trusted_intermediaries[0]: has 0 of arc_sealer"},
    {A "  trusted_intermediaries: [{host: a.example, arc_sealer: b.example}]\n", 1, "has 2 of"},
    {A "  trusted_intermediaries: [{host: a b}]\n", 1, "trusted_intermediaries[0].host: \"a b\" is not a domain name"},
    {NULL, 0, NULL},
};
/* clang-format on */
