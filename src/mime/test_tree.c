/* SPDX-License-Identifier: Apache-2.0 */
#include "mime/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/buf.h"
#include "mime/boundary.h"

/* Each part as "path type" and, of a leaf, its body in brackets; then the
 * names of the faults. */
static const struct {
	const char *message, *tree, *faults;
} cases[] = {
    /* clang-format off */
    {"A: 1\n\nx\n", "1 text/plain [x\n]", ""},
    {"", "1 text/plain []", ""},
    {"Content-Type: multipart/mixed; boundary=b\n\n"
	"pre\n--b\n\nx\n--b\nContent-Type: text/html\n\ny\n\n--b--\nepi\n",
	"0 multipart/mixed, 1 text/plain [x], 2 text/html [y\n]", ""},
    /* Nothing before, between or after. */
    {"Content-Type: multipart/mixed; boundary=b\n\n--b\n\n--b\n--b--",
	"0 multipart/mixed, 1 text/plain [], 2 text/plain []", ""},
    /* White space after a boundary; a header without a body. */
    {"Content-Type: multipart/mixed; boundary=\"b \"\n\n--b \t\n"
	"Content-Type: image/gif\n--b-- \n",
	"0 multipart/mixed, 1 image/gif []", ""},
    /* A boundary stands at a line's beginning only, and alone in it. */
    {"Content-Type: multipart/mixed; boundary=b\n\n--b\n\n --b\nx--b\n--a\n"
	"-b\n--\n--b--", "0 multipart/mixed, 1 text/plain [ --b\nx--b\n--a\n"
	"-b\n--]", ""},
    {"Content-Type: multipart/mixed; boundary=b\n\n--b\n\n--bc\nx\n--b--",
	"0 multipart/mixed, 1 text/plain [--bc\nx]",
	"mime-boundary-ambiguous"},
    {"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nxxb\n--b--",
	"0 multipart/mixed, 1 text/plain [xxb]", ""},
    /* One boundary begins as the other: the longer one is not hidden. */
    {"Content-Type: multipart/mixed; boundary=bc\n\n--bc\n"
	"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--bc\n\ny\n"
	"--bc--", "0 multipart/mixed, 1 multipart/mixed, 1.1 text/plain [x], "
	"2 text/plain [y]",
	"mime-boundary-unused mime-boundary-ambiguous"},
    {"Content-Type: multipart/mixed; boundary=b\n\n--b\n"
	"Content-Type: multipart/mixed; boundary=b2\n\n--b2\n\nx\n--b2--\n"
	"--b--", "0 multipart/mixed, 1 multipart/mixed, 1.1 text/plain [x]",
	""},
    /* The same boundary inside: the inner one has it till it is closed. */
    {"Content-Type: multipart/mixed; boundary=b\n\n--b\n"
	"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n"
	"--b\n\ny\n--b--", "0 multipart/mixed, 1 multipart/mixed, "
	"1.1 text/plain [x], 2 text/plain [y]", "mime-boundary-ambiguous"},
    /* After the end. */
    {"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n--b\n\ny\n",
	"0 multipart/mixed, 1 text/plain [x]", "mime-boundary-ambiguous"},
    /* An outer boundary ends what is inside; nothing is closed. */
    {"Content-Type: multipart/mixed; boundary=a\n\n--a\n"
	"Content-Type: multipart/related; boundary=b\n\n--b\n"
	"Content-Type: message/rfc822\n\n"
	"Content-Type: multipart/mixed; boundary=c\n\n--c\n\nx\n--a\n\ny\n",
	"0 multipart/mixed, 1 multipart/related, 1.1 message/rfc822, "
	"1.1.0 multipart/mixed, 1.1.1 text/plain [x], 2 text/plain [y\n]",
	"mime-boundary-unused"},
    {"Content-Type: multipart/mixed; boundary=a\n\n--a\n"
	"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--a\n\ny\n"
	"--b\nz\n--a--", "0 multipart/mixed, 1 multipart/mixed, "
	"1.1 text/plain [x], 2 text/plain [y\n--b\nz]",
	"mime-boundary-unused"},
    {"Content-Type: multipart/mixed; boundary=b\n\nx\n",
	"1 multipart/mixed [x\n]", "mime-boundary-unused"},
    {"Content-Type: multipart/mixed; boundary=b\n\nx\n--b--\n",
	"1 multipart/mixed [x\n--b--\n]", "mime-boundary-unused"},
    {"Content-Type: multipart/mixed\n\n--b\n\nx\n--b--\n",
	"1 multipart/mixed [--b\n\nx\n--b--\n]", "mime-boundary-missing"},
    {"Content-Type: multipart/mixed; boundary=\" \"\n\nx",
	"1 multipart/mixed [x]", "mime-boundary-missing"},
    /* Messages. */
    {"Content-Type: message/rfc822\n\nSubject: s\n\nx",
	"1 message/rfc822, 1.1 text/plain [x]", ""},
    {"Content-Type: message/rfc822\n\n--x: 1\n\ny",
	"1 message/rfc822, 1.1 text/plain [y]", ""},
    {"Content-Type: message/global\n\n", "1 message/global, "
	"1.1 text/plain []", ""},
    {"Content-Type: multipart/digest; boundary=b\n\n--b\n\nA: 1\n\nx\n--b\n"
	"Content-Type: text/plain\n\ny\n--b--", "0 multipart/digest, "
	"1 message/rfc822, 1.1 text/plain [x], 2 text/plain [y]", ""},
    {"Content-Type: multipart/digest; boundary=b\n\n--b\n--b--",
	"0 multipart/digest, 1 message/rfc822, 1.1 text/plain []", ""},
    {"Content-Type: message/rfc822\n\nContent-Type: message/rfc822\n\n"
	"A: 1\n\nx", "1 message/rfc822, 1.1 message/rfc822, "
	"1.1.1 text/plain [x]", ""},
    {"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nQQ==",
	"1 message/rfc822 [QQ==]", "mime-encoded-composite"},
    {"Content-Type: message/rfc822\nContent-Transfer-Encoding: x\n\n"
	"Subject: s\n\nx", "1 message/rfc822, 1.1 text/plain [x]",
	"mime-encoding-unknown"},
    {"Content-Type: multipart/mixed; boundary=b\n"
	"Content-Transfer-Encoding: quoted-printable\n\n--b\n\nx\n--b--",
	"0 multipart/mixed, 1 text/plain [x]", "mime-encoded-composite"},
    /* Header fields. */
    {"Content-Type: text/html\nContent-Type: text/plain\n\n",
	"1 text/html []", "content-type-repeated"},
    {"Content-Type: text\n\n", "1 text/plain []", ""},
    {"Content-Type: text/\n\n", "1 text/plain []", "mime-header-invalid"},
    {"Content-Type: a/b; x=1; x=2\n\n", "1 a/b []",
	"mime-parameter-repeated"},
    {"Content-Transfer-Encoding: base65\n\n", "1 text/plain []",
	"mime-encoding-unknown"},
    {"Content-Transfer-Encoding: 7bit\nContent-Transfer-Encoding: base64\n\n",
	"1 text/plain []", "content-transfer-encoding-repeated"},
    {"Content-Disposition: inline\nContent-Disposition: attachment\n\n",
	"1 text/plain []", "mime-header-invalid"},
    {"Content-Type: multipart/mixed; boundary=b\n\n--b\nno colon\n\nx\n--b--",
	"0 multipart/mixed, 1 text/plain [x]", "header-without-colon"},
    {"Content-Type: multipart/mixed; boundary=b\n\n--b\nA B: 1\n\nx\n--b--",
	"0 multipart/mixed, 1 text/plain [x]", "header-name-invalid"},
    {"Content-Type: multipart/mixed; boundary=b\n\n--b\n A: 1\nB: 2\n\nx\n"
	"--b--", "0 multipart/mixed, 1 text/plain [x]",
	"header-name-invalid header-starts-folded"},
    {"Content-Type: multipart/mixed; boundary*0=b; boundary*1=c\n\n"
	"--bc\n\nx\n--bc--", "0 multipart/mixed, 1 text/plain [x]",
	"mime-boundary-ambiguous"},
    /* Too deep: limits of the test are 4 and 6. */
    {"Content-Type: message/rfc822\n\nContent-Type: message/rfc822\n\n"
	"Content-Type: message/rfc822\n\nContent-Type: message/rfc822\n\n"
	"Content-Type: message/rfc822\n\nx",
	"1 message/rfc822, 1.1 message/rfc822, 1.1.1 message/rfc822, "
	"1.1.1.1 message/rfc822, 1.1.1.1.1 message/rfc822 [x]",
	"mime-too-deep"},
    {"Content-Type: multipart/mixed; boundary=b\n\n--b\n\n1\n--b\n\n2\n--b\n\n"
	"3\n--b\n\n4\n--b\n\n5\n--b\n\n6\n--b\n\n7\n--b--",
	"0 multipart/mixed, 1 text/plain [1], 2 text/plain [2], "
	"3 text/plain [3], 4 text/plain [4], 5 text/plain [5]",
	"mime-too-many-parts"},
    /* A message that would be one too many is content. */
    {"Content-Type: multipart/mixed; boundary=b\n\n--b\n\n1\n--b\n\n2\n--b\n\n"
	"3\n--b\n\n4\n--b\nContent-Type: message/rfc822\n\nA: 1\n\nx\n--b--",
	"0 multipart/mixed, 1 text/plain [1], 2 text/plain [2], "
	"3 text/plain [3], 4 text/plain [4], "
	"5 message/rfc822 [A: 1\n\nx\n--b--]",
	"mime-too-many-parts"},
    /* Whether it is closed somewhere behind them is not looked for. */
    {"Content-Type: multipart/mixed; boundary=b\n\n--b\n\n1\n--b\n\n2\n--b\n\n"
	"3\n--b\n\n4\n--b\n\n5\n--b\n\n6\n",
	"0 multipart/mixed, 1 text/plain [1], 2 text/plain [2], "
	"3 text/plain [3], 4 text/plain [4], 5 text/plain [5]",
	"mime-too-many-parts"},
    /* clang-format on */
};

static struct limits limits_of_test(void)
{
	struct limits limits = limits_default;

	limits.mime_depth = 4;
	limits.mime_parts = 6;
	return limits;
}

static struct mime_tree parse(
    struct arena *arena, struct slice message, const struct limits *limits)
{
	struct header_list headers;
	struct mime_tree tree;

	assert_true(headers_parse(arena, message, limits, &headers, NULL));
	mime_parse(arena, message, &headers, limits, &tree);
	return tree;
}

static const char *dump(struct arena *arena, const struct mime_tree *tree)
{
	struct buf *text = buf_in_arena(arena, 4096);

	for (size_t i = 0; i < tree->count; i++) {
		const struct mime_part *part = &tree->parts[i];

		buf_add_format(text, "%s%.*s %.*s", i ? ", " : "",
		    SLICE_ARGS(mime_part_path(arena, tree, i)),
		    SLICE_ARGS(part->type));
		if (part->kind == MIME_LEAF)
			buf_add_format(text, " [%.*s]", SLICE_ARGS(part->body));
	}
	return text->ptr;
}

static const char *dump_faults(struct arena *arena, struct faults faults)
{
	struct buf *text = buf_in_arena(arena, 4096);

	buf_add_text(text, "");
	for (int i = 0; i < FAULT_COUNT; i++)
		if (faults_has(faults, (enum fault)i))
			buf_add_format(text, "%s%s", text->len ? " " : "",
			    fault_name((enum fault)i));
	return text->ptr;
}

/* LF as CR LF. */
static struct slice with_crlf(struct arena *arena, const char *text)
{
	struct buf *out = buf_in_arena(arena, strlen(text) * 2);

	buf_add_text(out, "");
	for (; *text; text++) {
		if (*text == '\n')
			buf_add_byte(out, '\r');
		buf_add_byte(out, *text);
	}
	return buf_slice(out);
}

static void test_cases(void **state)
{
	struct limits limits = limits_of_test();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arena *arena = arena_new(0);
		struct mime_tree lf = parse(
		    arena, slice_from(cases[i].message), &limits);
		struct mime_tree crlf = parse(
		    arena, with_crlf(arena, cases[i].message), &limits);

		assert_string_equal(dump(arena, &lf), cases[i].tree);
		assert_string_equal(
		    dump_faults(arena, lf.faults), cases[i].faults);
		assert_string_equal(
		    dump(arena, &crlf), with_crlf(arena, cases[i].tree).ptr);
		assert_int_equal(crlf.faults.bits, lf.faults.bits);
		arena_free(arena);
	}
}

/* 70 octets are the most of the grammar, BOUNDARY_MAX the most that is read. */
static void test_boundary_lengths(void **state)
{
	static const struct {
		size_t length, parts;
		const char *faults;
	} rows[] = {
	    {70, 2, ""},
	    {71, 2, "mime-header-invalid"},
	    {BOUNDARY_MAX, 2, "mime-header-invalid"},
	    {BOUNDARY_MAX + 1, 1, "mime-header-invalid mime-boundary-missing"},
	};
	char boundary[BOUNDARY_MAX + 1];

	(void)state;
	memset(boundary, 'b', sizeof(boundary));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena *arena = arena_new(0);
		int length = (int)rows[i].length;
		struct mime_tree tree = parse(arena,
		    arena_format_slice(arena,
			"Content-Type: multipart/mixed; boundary=%.*s\n\n"
			"--%.*s\n\nx\n--%.*s--\n",
			length, boundary, length, boundary, length, boundary),
		    &limits_default);

		assert_int_equal(tree.count, rows[i].parts);
		assert_string_equal(
		    dump_faults(arena, tree.faults), rows[i].faults);
		arena_free(arena);
	}
}

static void test_ranges(void **state)
{
	struct arena *arena = arena_new(0);
	struct mime_tree tree = parse(arena,
	    SLICE("Content-Type: multipart/mixed; boundary=b\r\n\r\n"
		  "pre\r\n--b\r\nContent-Type: application/pdf; name=n.txt\r\n"
		  "Content-Disposition: attachment; filename=\"f.pdf\"\r\n"
		  "Content-Transfer-Encoding: base64\r\n\r\nQUJD*\r\n--b--\r\n"
		  "epi\r\n"),
	    &limits_default);
	const struct mime_part *leaf = &tree.parts[1];
	struct faults faults = {0};

	(void)state;
	assert_true(slice_eq(tree.parts[0].preamble, SLICE("pre")));
	assert_true(slice_eq(tree.parts[0].epilogue, SLICE("epi\r\n")));
	assert_true(slice_eq(tree.parts[0].header,
	    SLICE("Content-Type: multipart/mixed; boundary=b\r\n\r\n")));
	assert_true(slice_starts(leaf->header, SLICE("Content-Type: app")));
	assert_true(slice_ends_nocase(leaf->header, SLICE("base64\r\n\r\n")));
	assert_true(slice_eq(leaf->name, SLICE("f.pdf")));
	assert_true(leaf->attachment);
	assert_true(slice_eq(
	    mime_part_octets(arena, leaf, 100, &faults), SLICE("ABC")));
	assert_string_equal(dump_faults(arena, faults), "mime-encoding-broken");
	assert_true(
	    slice_eq(mime_part_octets(arena, leaf, 100, NULL), SLICE("ABC")));
	assert_true(
	    slice_eq(mime_part_octets(arena, leaf, 2, NULL), SLICE("AB")));
	assert_true(slice_eq(
	    mime_part_octets(arena, &tree.parts[0], 3, NULL), SLICE("pre")));
	assert_int_equal(mime_part_text(arena, leaf, 100, NULL).len, 0);
	arena_free(arena);
}

/* The file name of the disposition, else the name of the type. */
static void test_names(void **state)
{
	static const struct {
		const char *fields, *name;
	} rows[] = {
	    {"Content-Type: a/b; name=n.txt\n"
	     "Content-Disposition: attachment; filename=f.pdf\n",
		"f.pdf"},
	    {"Content-Type: a/b; name=n.txt\n"
	     "Content-Disposition: attachment\n",
		"n.txt"},
	    {"Content-Type: a/b; name=n.txt\n", "n.txt"},
	    {"Content-Disposition: inline; filename=f.pdf\n", "f.pdf"},
	    {"Content-Type: a/b\n", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena *arena = arena_new(0);
		struct mime_tree tree = parse(
		    arena, slice_from(rows[i].fields), &limits_default);

		assert_string_equal(
		    arena_text(arena, tree.parts[0].name), rows[i].name);
		arena_free(arena);
	}
}

/* Text is read by its encoding and its charset. */
static void test_text(void **state)
{
	struct arena *arena = arena_new(0);
	struct mime_tree tree = parse(arena,
	    SLICE("Content-Type: text/plain; charset=koi8-r\n"
		  "Content-Transfer-Encoding: quoted-printable\n\n=F0=D2"),
	    &limits_default);
	struct faults faults = {0};

	(void)state;
	assert_true(
	    slice_eq(mime_part_text(arena, &tree.parts[0], 100, &faults),
		SLICE("\xd0\x9f\xd1\x80")));
	assert_string_equal(dump_faults(arena, faults), "");
	tree = parse(arena, SLICE("\n\xc3\xa9=41"), &limits_default);
	assert_int_equal(tree.parts[0].encoding, ENCODING_IDENTITY);
	assert_true(slice_eq(mime_part_text(arena, &tree.parts[0], 100, NULL),
	    SLICE("\xc3\xa9=41")));
	arena_free(arena);
}

/* A part's header over a limit: the part is a leaf, all of it content. */
static void test_header_limit(void **state)
{
	struct limits limits = limits_default;
	struct arena *arena = arena_new(0);
	struct mime_tree tree;

	(void)state;
	limits.header_count = 2;
	tree = parse(arena,
	    SLICE("Content-Type: multipart/mixed; boundary=b\n\n--b\nA: 1\nB: "
		  "2\nC: 3\n\nx\n--b\n\ny\n--b--"),
	    &limits);
	assert_string_equal(dump(arena, &tree),
	    "0 multipart/mixed, 1 application/octet-stream "
	    "[A: 1\nB: 2\nC: 3\n\nx], 2 text/plain [y]");
	assert_int_equal(tree.parts[1].header.len, 0);
	assert_string_equal(
	    dump_faults(arena, tree.faults), "mime-header-invalid");
	arena_free(arena);
}

/* depth multiparts, each in the other, each with its own boundary; then as
 * many lines that look like boundaries. */
static struct slice nested(struct arena *arena, size_t depth)
{
	struct buf *text = buf_in_arena(arena, depth * 200 + 200);

	for (size_t i = 0; i < depth; i++)
		buf_add_format(text,
		    "Content-Type: multipart/mixed; boundary=bound-%zu\n\n"
		    "--bound-%zu\n",
		    i, i);
	buf_add_text(text, "\n");
	for (size_t i = 0; i < depth; i++)
		buf_add_format(text, "--bound-%zu-\n--\n", i);
	for (size_t i = depth; i-- > 0;)
		buf_add_format(text, "\n--bound-%zu--\n", i);
	return buf_slice(text);
}

static struct slice flat(struct arena *arena, size_t parts)
{
	struct buf *text = buf_in_arena(arena, parts * 100 + 200);

	buf_add_text(text, "Content-Type: multipart/mixed; boundary=b\n\n");
	for (size_t i = 0; i < parts; i++)
		buf_add_text(text, "--b\nContent-Type: a/b; name=c\n\n1\n2\n");
	buf_add_text(text, "--b--\n");
	return buf_slice(text);
}

/* Milliseconds of this process, the best of three runs. */
static int64_t time_of(
    struct slice (*make)(struct arena *arena, size_t size), size_t size)
{
	struct limits limits = limits_default;
	int64_t best = INT64_MAX;

	limits.mime_depth = limits.mime_parts = SIZE_MAX;
	for (int i = 0; i < 3; i++) {
		struct arena *arena = arena_new(0);
		struct slice message = make(arena, size);
		clock_t before = clock();
		int64_t took;
		struct mime_tree tree = parse(arena, message, &limits);

		took = (clock() - before) * 1000 / CLOCKS_PER_SEC;
		assert_int_equal(tree.count, size + 1);
		best = took < best ? took : best;
		arena_free(arena);
	}
	return best;
}

/* Twice the input takes twice the time: three times at most, and 30 ms for
 * what else the machine does to its caches.  The square would take four times.
 */
static void test_linear(void **state)
{
	static const struct {
		const char *name;
		struct slice (*make)(struct arena *arena, size_t size);
		size_t size;
	} rows[] = {{"flat", flat, 100000}, {"nested", nested, 10000}};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		int64_t one = time_of(rows[i].make, rows[i].size);
		int64_t two = time_of(rows[i].make, rows[i].size * 2);

		print_message("%s: %zu parts %lld ms, %zu parts %lld ms\n",
		    rows[i].name, rows[i].size, (long long)one,
		    rows[i].size * 2, (long long)two);
		assert_true(two <= one * 3 + 30);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cases),
	    cmocka_unit_test(test_boundary_lengths),
	    cmocka_unit_test(test_ranges),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_text),
	    cmocka_unit_test(test_header_limit),
	    cmocka_unit_test(test_linear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
