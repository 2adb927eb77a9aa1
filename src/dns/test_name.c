/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dns/wire.h"

#define TEN "0123456789"
#define LABEL_63 TEN TEN TEN TEN TEN TEN "012"
#define LABEL_64 TEN TEN TEN TEN TEN TEN "0123"

static void assert_slice(struct slice got, const char *want)
{
	char text[1100];

	assert_true(got.len < sizeof(text));
	snprintf(text, sizeof(text), "%.*s", SLICE_ARGS(got));
	assert_string_equal(text, want);
}

static const struct {
	const char *text, *want; /* NULL: not a name */
} normal_cases[] = {
    {"Example.COM", "example.com"},
    {"example.com.", "example.com"},
    {"_DMARC.example.com", "_dmarc.example.com"},
    {"sel._domainkey.b\xc3\xbc"
     "cher.example",
	"sel._domainkey.xn--bcher-kva.example"},
    {"a_\xc3\xbc.example", "xn--a_-yka.example"},
    {"B\xc3\x9c"
     "CHER.example",
	"xn--bcher-kva.example"},
    {"a\xe3\x80\x82"
     "b.example",
	"a.b.example"},
    {"xn--bcher-kva.example", "xn--bcher-kva.example"},
    {"localhost", "localhost"},
    {LABEL_63 ".example", LABEL_63 ".example"},
    {LABEL_64 ".example", NULL},
    {LABEL_63 "." LABEL_63 "." LABEL_63 "." TEN TEN TEN TEN TEN TEN "0",
	LABEL_63 "." LABEL_63 "." LABEL_63 "." TEN TEN TEN TEN TEN TEN "0"},
    {LABEL_63 "." LABEL_63 "." LABEL_63 "." TEN TEN TEN TEN TEN TEN "01", NULL},
    {"", NULL},
    {".", NULL},
    {"a..b", NULL},
    {".a", NULL},
    {"a..", NULL},
    {"a b.example", NULL},
    {"a/b.example", NULL},
    {"[192.0.2.1]", NULL},
    {"*.example", NULL},
    {"a\\b.example", NULL},
    {"b\xfc"
     "cher.example",
	NULL},
    {"\xe2\x84\x80.example", NULL}, /* maps to "a/c" */
    {"xn--agency-.example", "xn--agency-.example"},
    {"XN--A.Agency.example", "xn--a.agency.example"},
};

static void test_normalize(void **state)
{
	struct arena *arena = arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof(normal_cases) / sizeof(normal_cases[0]);
	     i++) {
		struct slice got = SLICE("untouched");
		struct err err;
		bool fine = name_normalize(
		    arena, slice_from(normal_cases[i].text), &got, &err);

		if (fine != (normal_cases[i].want != NULL))
			fail_msg("'%s': %s", normal_cases[i].text,
			    fine ? "accepted" : err.text);
		if (!fine)
			assert_int_equal(err.kind, E_SYNTAX);
		assert_slice(got, fine ? normal_cases[i].want : "untouched");
	}
	arena_free(arena);
}

/* What programs show when they decode it is this name. */
static const struct {
	const char *text;
	bool want;
} a_label_cases[] = {
    {"bcher.example", true},
    {"XN--BCHER-KVA.example", true},
    {"xn--gency-7ve.example", true},
    {"xn--strae-oqa.example", true},
    {"xn--a_-yka.example", true},
    {"xn--5dbqzzl.example", true},
    {"axn--b-.example", true},
    {"xn--agency-.example", false},   /* "agency" */
    {"a.XN--AGENCY-.example", false}, /* the same */
    {"xn--agency-\xe3\x80\x82"
     "example",
	false},
    {"\xef\xbd\x98n--agency-.example", false}, /* full-width x */
    {"xn--agency-eja.example", false},	       /* with a soft hyphen */
    {"xn--agency-ef0c.example", false},	       /* with a zero-width space */
    {"xn--gency-cp33a.example", false},	       /* with a full-width a */
    {"xn--bucher-xyd.example", false},	       /* decomposed */
    {"xn--a-dha8227a.example", false},	       /* with a full stop */
    {"xn--ab-g4t.example", false},	       /* right to left */
    /* pictures, as UTS #46 has them */
    {"xn--ls8h.la", true},
    {"XN--I-7IQ.ws", true},		  /* i and a heart */
    {"xn--n3h.example", true},		  /* a snowman */
    {"xn--e77hib.example", true},	  /* a flag */
    {"xn--on8h5e.example", true},	  /* a thumb with a skin */
    {"xn--bcher-kva2499d.example", true}, /* behind a word */
    {"xn--gency-3ve3024d.example", true}, /* behind a Cyrillic one */
    {"xn--3bi.ws", true},		  /* an airplane */
    {"xn--57h.ws", true},		  /* high voltage */
    {"xn--f7i.ws", true},		  /* a star */
    {"xn--9s9hmv.ws", true},		  /* a fox, a melting face */
    {"xn--i-7iqv272g.ws", false},	  /* its variation is not encoded */
    {"xn--1ug6825plhas9r.ws", false},	  /* nor are joiners */
    {"xn--a-tgn044a.ws", false},
    {"xn--fn8h24640coa1h.ws", false}, /* nor tags */
    {"xn--1-2sn3401h.ws", false},     /* a key */
    {"xn--wca248q.example", false},   /* with a capital letter */
    {"xn--strae-oqa2410e.example", false},
    {"xn--gency-qd73d.example", false},	    /* a letter in a black square */
    {"xn--gency-r163d.example", false},	    /* a letter in a square */
    {"xn--qei5084e.example", false},	    /* with a full-width a */
    {"xn--agency-eja4040f.example", false}, /* with a soft hyphen */
    {"xn--ab-onyz33b.example", false},	    /* with a full stop */
    {"xn--zvg06z.example", false},	    /* right to left */
    {"xn--4dbc798w.example", false},
    /* other symbols */
    {"xn--example-7d7c.ws", false},  /* fraction slash */
    {"xn--example-qi35f.ws", false}, /* a very heavy slash */
    {"xn--ab-6bv.example", false},   /* division slash */
    {"xn--ab-wfx.example", false},   /* a line of a box */
    {"xn--fan-xna.example", false},  /* division sign */
    {"xn--wkh.example", false},	     /* iota of APL */
    /* what is read as something else: squares as dots */
    {"xn--paypalcom-bc3g.example", false},
    {"xn--paypalcom-lc3g.example", false},
    {"xn--paypalcom-gh56h.example", false},
    {"xn--ab-wrx.example", false},
    {"xn--ab-6y0a.example", false},
    {"xn--ab-i672a.example", false},	   /* a small diamond */
    {"xn--paypalcom-by5f.example", false}, /* heavy minus */
    {"xn--ab-vry.example", false},	   /* heavy plus */
    {"xn--kh9h.example", false},	   /* heavy equals sign */
    {"xn--ab-nmy.example", false},	   /* vertical bar */
    {"xn--ab-wmy.example", false},	   /* quotes, commas */
    {"xn--ab-8my.example", false},
    {"xn--ab-cny.example", false},
    {"xn--ab-bhw.example", false},
    {"xn--ab-0ny.example", false},    /* a bracket */
    {"xn--a-8hq.example", false},     /* a question mark */
    {"xn--ab-kmy.example", false},    /* an exclamation mark */
    {"xn--ggle-508b.example", false}, /* circles */
    {"xn--ggle-q08b.example", false},
    {"xn--ggle-543b.example", false},
    {"xn--ggle-vg73c.example", false},
    {"xn--ggle-g893c.example", false},
    {"xn--ggle-5743c.example", false},	/* the full moon */
    {"xn--eample-wp0d.example", false}, /* crosses */
    {"xn--eample-p00d.example", false},
    {"xn--ab-6ty.example", false},	 /* a loop */
    {"xn--ab-6h92a.example", false},	 /* alchemy */
    {"xn--ab-xyx.example", false},	 /* Scorpius, an m */
    {"xn--a-gc3s.example", false},	 /* a dollar sign */
    {"xn--rs8h.example", false},	 /* 100 */
    {"xn--yv8h.example", false},	 /* 10 */
    {"xn--3v8h.example", false},	 /* abc */
    {"xn--v47h.example", false},	 /* AB */
    {"xn--577h.example", false},	 /* Katakana */
    {"xn--a-zd1s.example", false},	 /* a Chinese character on a tile */
    {"xn--ency-uz33cbb.example", false}, /* letters of flags */
    {"xn--e77heafh0b5d.example", false},
    {"xn--e77h.example", false},
    {"xn--99999999.example", false},
    {"xn--a.example", false},
    {"xn--.example", false},
    {"xn---.example", false},
};

static void test_a_labels(void **state)
{
	struct arena *arena = arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof(a_label_cases) / sizeof(a_label_cases[0]);
	     i++) {
		struct slice name;
		struct err err = {.kind = E_SYNTAX};
		bool fine = name_normalize(arena,
				slice_from(a_label_cases[i].text), &name,
				&err) &&
			    name_check_a_labels(name, &err);

		if (fine != a_label_cases[i].want)
			fail_msg("'%s'", a_label_cases[i].text);
		if (!fine)
			assert_int_equal(err.kind, E_SYNTAX);
	}
	arena_free(arena);
}

static void test_at_or_below(void **state)
{
	static const struct {
		const char *name, *parent;
		bool want;
	} cases[] = {
	    {"example.com", "example.com", true},
	    {"a.example.com", "example.com", true},
	    {"b.a.example.com", "example.com", true},
	    {"badexample.com", "example.com", false},
	    {"com", "example.com", false},
	    {"example.com", "", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(name_is_at_or_below(slice_from(cases[i].name),
				     slice_from(cases[i].parent)),
		    cases[i].want);
}

static void test_parts(void **state)
{
	(void)state;
	assert_slice(name_parent(SLICE("a.b.c")), "b.c");
	assert_slice(name_parent(SLICE("c")), "");
	assert_slice(name_parent(SLICE("")), "");
	assert_int_equal(name_label_count(SLICE("a.b.c")), 3);
	assert_int_equal(name_label_count(SLICE("a")), 1);
	assert_int_equal(name_label_count(SLICE("")), 0);
}

static void test_reverse(void **state)
{
	struct arena *arena = arena_new(0);
	struct ip ip;

	(void)state;
	assert_true(ip_parse(SLICE("192.0.2.1"), &ip));
	assert_slice(name_reverse(arena, &ip), "1.2.0.192.in-addr.arpa");
	assert_true(ip_parse(SLICE("2001:db8::567:89ab"), &ip));
	assert_slice(name_reverse(arena, &ip),
	    "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2"
	    ".ip6.arpa");
	arena_free(arena);
}

/* Questions: any octets, as their canonical text. */
static void test_question_names(void **state)
{
	static const struct {
		struct slice text;
		const char *want; /* NULL: cannot be a name */
	} cases[] = {
	    {SLICE_INIT("A.Example"), "a.example"},
	    {SLICE_INIT("a.example."), "a.example"},
	    {SLICE_INIT("."), ""},
	    {SLICE_INIT(""), NULL},
	    {SLICE_INIT("a..b"), NULL},
	    {SLICE_INIT(".."), NULL},
	    {SLICE_INIT("joe blow.example"), "joe\\032blow.example"},
	    {SLICE_INIT("joe\\032blow.example"), "joe\\032blow.example"},
	    {SLICE_INIT("a\0b.example"), "a\\000b.example"},
	    {SLICE_INIT("a\\046b.example"), "a\\046b.example"},
	    {SLICE_INIT("a\\b.example"), "a\\092b.example"},
	    {SLICE_INIT("a\\999.example"), "a\\092999.example"},
	    {SLICE_INIT("xn--agency-.example"), "xn--agency-.example"},
	    {SLICE_INIT("b\xc3\xbc"
			"cher.example"),
		"xn--bcher-kva.example"},
	    {SLICE_INIT("b\xfc"
			"cher.example"),
		NULL},
	    {SLICE_INIT(LABEL_63 ".example"), LABEL_63 ".example"},
	    {SLICE_INIT(LABEL_64 ".example"), NULL},
	    {SLICE_INIT(LABEL_63 "." LABEL_63 "." LABEL_63
				 "." TEN TEN TEN TEN TEN TEN "01"),
		NULL},
	};
	struct arena *arena = arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct wire_name name;
		bool fine = wire_from_text(cases[i].text, &name);

		if (fine != (cases[i].want != NULL))
			fail_msg("case %zu", i);
		if (fine)
			assert_slice(wire_text(arena, &name), cases[i].want);
	}
	arena_free(arena);
}

/* Names in rdata of strangers. */
static void test_wire_read(void **state)
{
	static const struct {
		struct slice rdata;
		bool want;
	} cases[] = {
	    {SLICE_INIT("\1a\7example\0"), true},
	    {SLICE_INIT("\0"), true},
	    {SLICE_INIT(""), false},
	    {SLICE_INIT("\1a\7example"), false},
	    {SLICE_INIT("\1a\7exam"), false},
	    {SLICE_INIT("\1a\xc0\0"), false},
	    {SLICE_INIT("\77" LABEL_63 "\77" LABEL_63 "\77" LABEL_63
			"\77" LABEL_63 "\0"),
		false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct wire_name name;

		if (wire_read(cases[i].rdata, &name) != cases[i].want)
			fail_msg("case %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_normalize),
	    cmocka_unit_test(test_a_labels),
	    cmocka_unit_test(test_at_or_below),
	    cmocka_unit_test(test_parts),
	    cmocka_unit_test(test_reverse),
	    cmocka_unit_test(test_question_names),
	    cmocka_unit_test(test_wire_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
