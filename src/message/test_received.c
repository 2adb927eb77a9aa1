/* SPDX-License-Identifier: Apache-2.0 */
/* The trace field: RFC 5321 section 4.4; "with": RFC 3848, RFC 6531, 4.3. */
#include "message/received.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	struct envelope_client client;
	const char *ip;
	bool smtputf8;
	const char *recipients[3];
	const char *want; /* between "from" and the date */
} rows[] = {
    /* clang-format off */
    {{.helo = SLICE_INIT("h.example"), .name = SLICE_INIT("n.example")},
	"192.0.2.1", false, {"a@b"},
	"h.example (n.example [192.0.2.1])\r\n\t"
	"by mx1.example with SMTP id I\r\n\tfor <a@b>"},
    {{.helo = SLICE_INIT("[IPv6:2001:db8::1]"), .esmtp = true},
	"2001:db8::1", false, {"a@b", "c@d"},
	"[IPv6:2001:db8::1] (unknown [IPv6:2001:db8::1])\r\n\t"
	"by mx1.example with ESMTP id I"},
    {{.esmtp = true}, "192.0.2.1", true, {NULL},
	"unknown (unknown [192.0.2.1])\r\n\t"
	"by mx1.example with UTF8SMTP id I"},
    {{.helo = SLICE_INIT("h"), .esmtp = true, .tls = true,
	 .tls_version = SLICE_INIT("TLSv1.3"),
	 .tls_cipher = SLICE_INIT("TLS_AES_256_GCM_SHA384")},
	"192.0.2.1", false, {NULL},
	"h (unknown [192.0.2.1])\r\n\t"
	"(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384)\r\n\t"
	"by mx1.example with ESMTPS id I"},
    {{.helo = SLICE_INIT("h"), .esmtp = true, .tls = true,
	 .tls_version = SLICE_INIT("v"), .tls_cipher = SLICE_INIT("c)\r\nX: y"),
	 .authenticated_as = SLICE_INIT("u")},
	"192.0.2.1", true, {NULL},
	"h (unknown [192.0.2.1])\r\n\t(using v with cipher c???X??y)\r\n\t"
	"by mx1.example with UTF8SMTPSA id I"},
    {{.helo = SLICE_INIT("h"), .esmtp = true,
	 .authenticated_as = SLICE_INIT("u")},
	"192.0.2.1", false, {NULL},
	"h (unknown [192.0.2.1])\r\n\tby mx1.example with ESMTPA id I"},
    /* What the client, its DNS and its recipient say adds nothing. */
    {{.helo = SLICE_INIT(";a (b) [c]:d-e_f.\r\nX: y"),
	 .name = SLICE_INIT("n[1]:\xff.x-y_z")},
	"192.0.2.1", false, {"a;b@c"},
	"?a??b??[c]:d-e_f.??X:?y (n?1???.x-y_z [192.0.2.1])\r\n\t"
	"by mx1.example with SMTP id I"},
    {{.helo = SLICE_INIT("h")}, "192.0.2.1", false, {"\"a b\"@c"},
	"h (unknown [192.0.2.1])\r\n\tby mx1.example with SMTP id I"},
    /* clang-format on */
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct arena *arena = arena_new(0);
		struct envelope_client client = rows[i].client;
		struct envelope envelope = {.id = SLICE("I"),
		    .client = &client,
		    .smtputf8 = rows[i].smtputf8,
		    .received_at = 1800000000};

		assert_true(ip_parse(slice_from(rows[i].ip), &client.ip));
		for (size_t j = 0; rows[i].recipients[j]; j++)
			envelope_add_recipient(arena, &envelope,
			    &(struct envelope_recipient){
				.address = slice_from(rows[i].recipients[j])});
		assert_string_equal(
		    arena_text(arena,
			received_field(arena, SLICE("mx1.example"), &envelope)),
		    arena_format(arena,
			"Received: from %s;\r\n\t"
			"Fri, 15 Jan 2027 08:00:00 +0000\r\n",
			rows[i].want));
		arena_free(arena);
	}
}

/* Who is named in "for": only an address that needs no quoting there. */
static void test_recipients(void **state)
{
	(void)state;
	for (unsigned int octet = 1; octet < 256; octet++) {
		struct arena *arena = arena_new(0);
		struct envelope_client client = {.ip = {.family = IP_V4}};
		struct envelope envelope = {.client = &client};
		char address[] = "a?b@c", wanted[] = "for <a?b@c>";
		bool plain = octet > ' ' && octet < 127 &&
			     !strchr("<>()\\\",;", (int)octet);

		address[1] = wanted[6] = (char)octet;
		envelope_add_recipient(arena, &envelope,
		    &(struct envelope_recipient){
			.address = slice_from(address)});
		if (!strstr(arena_text(arena,
				received_field(arena, SLICE("m"), &envelope)),
			wanted) == plain)
			fail_msg("octet %u", octet);
		arena_free(arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_recipients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
