/* SPDX-License-Identifier: Apache-2.0 */
/* The ARC test suite of ValiMail: every validation test of it; and of its
 * signing tests the chains that their messages bring along. */
#include <libfyaml.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "auth/test_reference.h"
#include "auth/test_signer.h"

enum { ZONE_MAX = 1 << 20 };

struct totals {
	size_t passed, failed, contested;
};

/* The suite gives these no status at all (cv is empty): a seal of theirs says
 * cv=fail, after which it wants no more sets.  RFC 8617 section 5.2, steps 2
 * and 3, calls the chain failed: that is what is expected here. */
static const char *const contested[] = {
    "cv_fail_i2_as2_fail",
    "cv_fail_i2_as1_fail",
};

static struct slice scalar(struct fy_node *node)
{
	size_t len;
	const char *text = fy_node_get_scalar(node, &len);

	return slice_of(text, text ? len : 0);
}

static struct slice member(struct fy_node *map, const char *key)
{
	return scalar(fy_node_mapping_lookup_by_string(map, key, (size_t)-1));
}

static struct slice make_zone(struct arena *arena, struct fy_node *records)
{
	struct buf *zone = buf_in_arena(arena, ZONE_MAX);
	struct fy_node_pair *pair;
	void *iterator = NULL;

	buf_add_text(
	    zone, ". 300 IN SOA ns.invalid. h.invalid. 1 3600 600 86400 60\n");
	while ((pair = fy_node_mapping_iterate(records, &iterator)))
		test_zone_add(zone, scalar(fy_node_pair_key(pair)),
		    scalar(fy_node_pair_value(pair)));
	return buf_slice(zone);
}

static bool is_contested(struct slice name)
{
	for (size_t i = 0; i < sizeof(contested) / sizeof(contested[0]); i++)
		if (slice_eq(name, slice_from(contested[i])))
			return true;
	return false;
}

static enum arc_result expected_result(struct slice name, struct fy_node *test)
{
	struct slice cv = member(test, "cv");

	if (is_contested(name) || slice_eq_nocase(cv, SLICE("Fail")))
		return ARC_FAIL;
	return slice_eq_nocase(cv, SLICE("Pass")) ? ARC_PASS : ARC_NONE;
}

/* What the seal to be made says of the chain before it; no seal at all: the
 * chain had failed already. */
static enum arc_result expected_before_sealing(
    struct slice name, struct fy_node *test)
{
	struct slice seal = member(test, "AS");

	(void)name;
	if (slice_find_slice(seal, SLICE("cv=none")) < seal.len)
		return ARC_NONE;
	return slice_find_slice(seal, SLICE("cv=pass")) < seal.len ? ARC_PASS
								   : ARC_FAIL;
}

struct suite {
	const char *what, *file;
	enum arc_result (*expected)(struct slice name, struct fy_node *test);
};

static const struct suite suites[] = {
    {"validation", "arc/arc-draft-validation-tests-part1.yml", expected_result},
    {"chains before signing", "arc/arc-draft-sign-tests-part1.yml",
	expected_before_sealing},
};

static void run_test(const struct suite *suite, struct slice zone,
    struct slice name, struct fy_node *test, struct totals *totals)
{
	struct arena *arena = arena_new(0);
	enum arc_result expected = suite->expected(name, test);
	struct test_run run = {
	    .zone = zone,
	    .message = test_reference_crlf(arena, member(test, "message")),
	};

	test_verify(arena, &run);
	if (run.arc.result != expected) {
		totals->failed++;
		fprintf(stderr, "FAILED %.*s: %s (%.*s), not %s\n",
		    SLICE_ARGS(name), arc_result_name(run.arc.result),
		    SLICE_ARGS(run.arc.reason), arc_result_name(expected));
	} else if (is_contested(name)) {
		totals->contested++;
		printf("contested: %.*s: fail by RFC 8617 section 5.2, no "
		       "status by the suite\n",
		    SLICE_ARGS(name));
	} else {
		totals->passed++;
	}
	arena_free(arena);
}

static void run_document(const struct suite *suite,
    struct fy_document *document, struct totals *totals)
{
	struct fy_node *root = fy_document_root(document);
	struct arena *arena = arena_new(0);
	struct slice zone = make_zone(arena,
	    fy_node_mapping_lookup_by_string(root, "txt-records", (size_t)-1));
	struct fy_node *tests = fy_node_mapping_lookup_by_string(
	    root, "tests", (size_t)-1);
	struct fy_node_pair *pair;
	void *iterator = NULL;

	while ((pair = fy_node_mapping_iterate(tests, &iterator)))
		run_test(suite, zone, scalar(fy_node_pair_key(pair)),
		    fy_node_pair_value(pair), totals);
	arena_free(arena);
}

static int run_suite(const struct suite *suite, const char *folder)
{
	struct totals totals = {0};
	struct fy_document *document;
	struct fy_parser *parser;
	char path[4096];

	snprintf(
	    path, sizeof(path), "%s/%s", folder ? folder : "", suite->file);
	if (!folder || access(path, R_OK) != 0) {
		fprintf(stderr, "MISSING TEST DATA: %s\n", path);
		return 77;
	}
	parser = fy_parser_create(&(struct fy_parse_cfg){0});
	if (!parser || fy_parser_set_input_file(parser, path) != 0)
		return 1;
	while ((document = fy_parse_load_document(parser))) {
		run_document(suite, document, &totals);
		fy_parse_document_destroy(parser, document);
	}
	fy_parser_destroy(parser);
	printf("ARC %s: %zu passed, %zu failed, %zu contested\n", suite->what,
	    totals.passed, totals.failed, totals.contested);
	/* An unreadable suite must not look like a good one. */
	return totals.failed || totals.passed == 0 ? 1 : 0;
}

int main(void)
{
	const char *folder = getenv("GATEHOUSE_TESTDATA");
	int worst = 0;

	for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++) {
		int status = run_suite(&suites[i], folder);

		if (status == 1 || worst == 0)
			worst = status;
	}
	return worst;
}
