/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/dkim_signature.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

#define BH "bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=; "
#define BASE "v=1; a=rsa-sha256; d=example.com; s=sel; h=From; " BH "b=AAAA"
#define AMS "i=1; a=rsa-sha256; d=example.com; s=sel; h=From; " BH "b=AAAA"
#define AS "i=1; a=rsa-sha256; d=example.com; s=sel; cv=none; b=AAAA"

#define TEN "0123456789"

#define D SIGNATURE_DKIM
#define M SIGNATURE_ARC_MESSAGE
#define S SIGNATURE_ARC_SEAL

static const struct {
	enum signature_kind kind;
	const char *value;
	const char *problem; /* NULL: good; else how the error starts */
} cases[] = {
    {D, BASE, NULL},
    /* RFC 6376 section 2.10: "=" may be missing */
    {D,
	"v=1; a=rsa-sha256; d=example.com; s=sel; h=From; "
	"bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY; b=AAAAAA",
	NULL},
    {D,
	"v=1; a=rsa-sha256; d=example.com; s=sel; h=From; "
	"bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY==; b=AAAA",
	"bh="},
    {S, "i=1; a=rsa-sha256; d=example.com; s=sel; cv=none; b=AA", NULL},
    {D, BASE "; z=From:a|b; unknown=x", NULL},
    {D, BASE "; c=relaxed", NULL},
    {D, BASE "; c=RELAXED/simple", NULL},
    {D, BASE "; c=relaxed/", "c="},
    {D, BASE "; c=none/simple", "c="},
    {D, BASE "; l=0", NULL},
    {D, BASE "; l=-1", "l="},
    {D, BASE "; l=", "l="},
    {D, BASE "; l=99999999999999999999999999999999", NULL},
    {D, BASE "; l=" TEN TEN TEN TEN TEN TEN TEN "123456", NULL},
    {D, BASE "; l=" TEN TEN TEN TEN TEN TEN TEN "1234567", "l="},
    {D, BASE "; t=1; x=2", NULL},
    {D, BASE "; t=1000000000000", "t="},
    {D, BASE "; x=soon", "x="},
    {D, BASE "; x=1000000000000", NULL},
    {D, BASE "; x=" TEN TEN TEN TEN TEN TEN TEN "1234567", NULL},
    {D, BASE "; x=" TEN TEN "x", "x="},
    {M, AMS "; x=1000000000000", NULL},
    {D, BASE "; q=dns/txt", NULL},
    {D, BASE "; q=other:DNS/TXT", NULL},
    {D, BASE "; q=http", "q="},
    {D, BASE "; i=a@sub.example.com", NULL},
    {D, BASE "; i=@example.com", NULL},
    {D, BASE "; i=a=40b=3D\r\n @example.com", NULL},
    {D, BASE "; i=example.com", "i="},
    {D, BASE "; i=a=4@example.com", "i="},
    {D, BASE "; i=a=00@example.com", "i="},
    {D, BASE "; i=a=G0=9F=98=80@example.com", "i="},
    {D, BASE "; i=a=F0=9F=98=80@example.com", NULL},
    {D, BASE "; i=a@example..com", "i="},
    {D, BASE "; i=a@example.com.", "i="},
    {D, BASE "; i=\xff@example.com", "i="},
    {D, BASE "; d=example.net", "d= occurs twice"},
    {D, "a=rsa-sha256; d=example.com; s=sel; h=From; " BH "b=AAAA",
	"v= is missing"},
    {D, "v=2; a=rsa-sha256; d=example.com; s=sel; h=From; " BH "b=AAAA",
	"v= is not 1"},
    {D, "v=1; a=rsa-md5; d=example.com; s=sel; h=From; " BH "b=AAAA", "a="},
    {D, "v=1; a=rsa-sha1; d=example.com; s=sel; h=From; bh=AAAA; b=AAAA", NULL},
    {D, "v=1; a=rsa-sha256; d=example.com; s=sel; h=From; bh=AAAA; b=AAAA",
	"bh="},
    {D, "v=1; a=rsa-sha256; d=example.com; s=sel; h=From; " BH "b=",
	"b= is not"},
    {D, "v=1; a=rsa-sha256; d=example.com; s=sel; h=From; " BH "b=A*AA",
	"b= is not"},
    {D, "v=1; a=rsa-sha256; d=a..b; s=sel; h=From; " BH "b=AAAA", "d="},
    {D, "v=1; a=rsa-sha256; d=a b; s=sel; h=From; " BH "b=AAAA", "d="},
    {D, "v=1; a=rsa-sha256; d=; s=sel; h=From; " BH "b=AAAA", "d="},
    {D, "v=1; a=rsa-sha256; d=a.example.; s=sel; h=From; " BH "b=AAAA", "d="},
    {D, "v=1; a=rsa-sha256; d=a.example; s=sel.; h=From; " BH "b=AAAA", "s="},
    {D, "v=1; a=rsa-sha256; d=example.com; s=; h=From; " BH "b=AAAA", "s="},
    {D, "v=1; a=rsa-sha256; d=example.com; s=s; h=Fr om; " BH "b=AAAA", "h="},
    {D, "v=1; a=rsa-sha256; d=example.com; s=s; " BH "b=AAAA", "h= is"},
    {D, "v=1;; a=rsa-sha256", "tag 2"},
    {D, "", "tag 1"},
    {M, AMS, NULL},
    {M, AMS "; x=1", NULL},
    {M, "i=10; a=rsa-sha256; d=example.com; s=sel; h=From; " BH "b=AAAA", NULL},
    {M, "i=001; a=rsa-sha256; d=example.com; s=sel; h=From; " BH "b=AAAA",
	"i="},
    {M, BASE, "i= is missing"},
    {M, BASE "; i=0", "i="},
    {M, BASE "; i=100", "i="},
    {M, BASE "; i=+1", "i="},
    {S, AS, NULL},
    {S, AS "; h=From", "h="},
    {S, "i=1; a=rsa-sha256; d=a.example.; s=sel; cv=none; b=AAAA", "d="},
    {S, AS "; t=", "t="},
    {S, "i=1; a=rsa-sha256; d=example.com; s=sel; b=AAAA", "cv= is missing"},
    {S, "i=1; a=rsa-sha256; d=example.com; s=sel; cv=; b=AAAA", "cv="},
};

static struct header_field field_of(const char *value)
{
	return (struct header_field){
	    .raw = slice_from(value),
	    .value = slice_from(value),
	};
}

static void test_table(void **state)
{
	struct arena *arena = arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct header_field field = field_of(cases[i].value);
		struct dkim_signature signature;
		struct err err = {0};
		bool good = dkim_signature_parse(
		    arena, cases[i].kind, &field, &signature, &err);

		if (good != !cases[i].problem)
			fail_msg("%s: %s", cases[i].value, err.text);
		if (good)
			continue;
		assert_int_equal(err.kind, E_SYNTAX);
		if (!slice_starts(
			slice_from(err.text), slice_from(cases[i].problem)))
			fail_msg("%s: %s", cases[i].value, err.text);
	}
	arena_free(arena);
}

static void test_values(void **state)
{
	struct header_field field = field_of(
	    "v=1; a=ed25519-sha256; c=simple/relaxed; d=Example.COM; s=S1._x;"
	    "h=From : To:\r\n from; i==4Aoe@Sub.example.com; l=12; t=5; x=6;" BH
	    "b= AB\r\n CD EFGHIA==");
	struct arena *arena = arena_new(0);
	struct dkim_signature got;
	struct err err = {0};

	(void)state;
	if (!dkim_signature_parse(arena, SIGNATURE_DKIM, &field, &got, &err))
		fail_msg("%s", err.text);
	assert_int_equal(got.algorithm, ALGORITHM_ED25519_SHA256);
	assert_int_equal(got.header_canon, CANON_SIMPLE);
	assert_int_equal(got.body_canon, CANON_RELAXED);
	assert_true(slice_eq(got.domain, SLICE("example.com")));
	assert_true(slice_eq(got.selector, SLICE("s1._x")));
	assert_true(slice_eq(got.identity, SLICE("Joe@Sub.example.com")));
	assert_true(slice_eq(got.identity_domain, SLICE("sub.example.com")));
	assert_true(slice_eq(got.start, SLICE("ABCDEFGH")));
	assert_int_equal(got.body_length, 12);
	assert_int_equal(got.signed_at, 5);
	assert_int_equal(got.expires_at, 6);
	assert_int_equal(dkim_signature_count(&got, SLICE("FROM")), 2);
	assert_false(dkim_signature_covers(&got, SLICE("Cc")));
	arena_free(arena);
}

/* RFC 8616: U-labels in d=, s= and i= are their A-labels. */
static void test_international(void **state)
{
	struct header_field field = field_of(
	    "v=1; a=rsa-sha256; h=From; d=b\xc3\xbc"
	    "cher.example;"
	    "s=sch\xc3\xb6n; i=j\xc3\xb6rg@b\xc3\xbc"
	    "cher.example;" BH "b=AAAA");
	struct arena *arena = arena_new(0);
	struct dkim_signature got;
	struct err err = {0};

	(void)state;
	if (!dkim_signature_parse(arena, SIGNATURE_DKIM, &field, &got, &err))
		fail_msg("%s", err.text);
	assert_true(slice_eq(got.domain, SLICE("xn--bcher-kva.example")));
	assert_true(slice_eq(got.selector, SLICE("xn--schn-7qa")));
	assert_true(slice_eq(got.identity_domain, got.domain));
	arena_free(arena);
}

/* What reports want is there although the field is bad. */
static void test_partial(void **state)
{
	struct header_field field = field_of(
	    "v=1; d=example.com; s=sel; a=rsa-sha256; b=AAAA; h=From");
	struct arena *arena = arena_new(0);
	struct dkim_signature got;
	struct err err;

	(void)state;
	assert_false(
	    dkim_signature_parse(arena, SIGNATURE_DKIM, &field, &got, &err));
	assert_true(slice_eq(got.domain, SLICE("example.com")));
	assert_true(slice_eq(got.selector, SLICE("sel")));
	assert_true(slice_eq(got.algorithm_text, SLICE("rsa-sha256")));
	arena_free(arena);
}

/* c= and what its absence means: RFC 6376 section 3.5; in ARC, relaxed. */
static void test_canonicalizations(void **state)
{
	static const struct {
		enum signature_kind kind;
		const char *value;
		enum dkim_canonicalization header, body;
	} rows[] = {
	    {D, BASE, CANON_SIMPLE, CANON_SIMPLE},
	    {D, BASE "; c=relaxed", CANON_RELAXED, CANON_SIMPLE},
	    {D, BASE "; c=Simple/Relaxed", CANON_SIMPLE, CANON_RELAXED},
	    {M, AMS, CANON_RELAXED, CANON_RELAXED},
	    {M, AMS "; c=simple", CANON_SIMPLE, CANON_SIMPLE},
	    {M, AMS "; c=relaxed/simple", CANON_RELAXED, CANON_SIMPLE},
	};
	struct arena *arena = arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct header_field field = field_of(rows[i].value);
		struct dkim_signature got;
		struct err err;

		assert_true(dkim_signature_parse(
		    arena, rows[i].kind, &field, &got, &err));
		assert_int_equal(got.header_canon, rows[i].header);
		assert_int_equal(got.body_canon, rows[i].body);
	}
	arena_free(arena);
}

static bool parses_with(struct arena *arena, const char *tag, size_t len)
{
	struct buf *buf = buf_in_arena(arena, 8192);
	struct dkim_signature got;
	struct header_field field;
	struct err err;

	buf_add_format(
	    buf, "v=1; a=rsa-sha256; d=example.com; s=s; h=From; %s", tag);
	while (len--)
		buf_add_byte(buf, 'A');
	field = (struct header_field){.value = buf_slice(buf)};
	return dkim_signature_parse(arena, SIGNATURE_DKIM, &field, &got, &err);
}

/* Before they are decoded: b= up to 4,096 octets, bh= up to 128. */
static void test_text_limits(void **state)
{
	static const char spaces[] = "                                        "
				     "                                        "
				     "                                        ";
	struct arena *arena = arena_new(0);
	const char *hash = "frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=";
	int fill = 128 - (int)strlen(hash);

	(void)state;
	assert_true(parses_with(arena, BH "b=", 4096));
	assert_false(parses_with(arena, BH "b=", 4100));
	assert_true(parses_with(arena, BH "b=AAAA \r\n AAAA", 4096 - 12));
	for (int more = 0; more < 2; more++)
		assert_int_equal(parses_with(arena,
				     arena_format(arena, "b=AAAA; bh=f%.*s%s",
					 fill + more, spaces, hash + 1),
				     0),
		    !more);
	arena_free(arena);
}

static void test_name_limit(void **state)
{
	struct arena *arena = arena_new(0);
	struct buf *buf = buf_in_arena(arena, 4096);
	struct dkim_signature got;
	struct header_field field;
	struct err err;

	(void)state;
	buf_add_text(
	    buf, "v=1; a=rsa-sha256; d=example.com; s=s; " BH "b=AAAA; h=From");
	for (int i = 1; i < SIGNATURE_NAMES_MAX; i++)
		buf_add_text(buf, ":a");
	field = (struct header_field){.value = buf_slice(buf)};
	assert_true(
	    dkim_signature_parse(arena, SIGNATURE_DKIM, &field, &got, &err));
	buf_add_text(buf, ":a");
	field = (struct header_field){.value = buf_slice(buf)};
	assert_false(
	    dkim_signature_parse(arena, SIGNATURE_DKIM, &field, &got, &err));
	assert_int_equal(err.kind, E_LIMIT);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table),
	    cmocka_unit_test(test_values),
	    cmocka_unit_test(test_international),
	    cmocka_unit_test(test_partial),
	    cmocka_unit_test(test_canonicalizations),
	    cmocka_unit_test(test_text_limits),
	    cmocka_unit_test(test_name_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
