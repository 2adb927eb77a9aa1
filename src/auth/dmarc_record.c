/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/dmarc_record.h"

#include "base/ascii.h"
#include "base/buf.h"

enum { PROBLEM_MAX = 600 };

/* A policy tag: absent, broken, or one of the three values. */
struct policy_tag {
	bool present, valid;
	enum dmarc_policy policy;
};

struct parser {
	struct dmarc_record *record;
	struct buf *problem;
	struct policy_tag p, sp, np;
};

static void note(struct parser *parser, const char *tag, const char *what)
{
	if (parser->problem->len)
		buf_add_text(parser->problem, "; ");
	buf_add_format(parser->problem, "%s= %s", tag, what);
}

static struct slice trim_wsp(struct slice text)
{
	while (text.len && ascii_is_wsp(text.ptr[0]))
		text = slice_from_pos(text, 1);
	while (text.len && ascii_is_wsp(text.ptr[text.len - 1]))
		text.len--;
	return text;
}

/* dmarc-value: printing characters but the semicolon, at least one. */
static bool is_value(struct slice value)
{
	for (size_t i = 0; i < value.len; i++)
		if (value.ptr[i] < 0x20 || value.ptr[i] > 0x7e)
			return false;
	return value.len > 0;
}

/* Literals of ABNF are compared without case (RFC 5234 section 2.3). */
static bool is_word(struct slice value, const char *word)
{
	return slice_eq_nocase(value, slice_from(word));
}

static void read_policy(
    struct parser *parser, struct policy_tag *tag, struct slice value)
{
	static const enum dmarc_policy all[] = {
	    DMARC_POLICY_NONE, DMARC_POLICY_QUARANTINE, DMARC_POLICY_REJECT};

	(void)parser;
	tag->present = true;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (is_word(value, dmarc_policy_name(all[i]))) {
			tag->valid = true;
			tag->policy = all[i];
		}
}

static void read_p(struct parser *parser, struct slice value)
{
	read_policy(parser, &parser->p, value);
}

static void read_sp(struct parser *parser, struct slice value)
{
	read_policy(parser, &parser->sp, value);
}

static void read_np(struct parser *parser, struct slice value)
{
	read_policy(parser, &parser->np, value);
}

static void read_flag(struct parser *parser, const char *tag,
    struct slice value, const char *yes, const char *no, bool *ret)
{
	if (is_word(value, yes))
		*ret = true;
	else if (!is_word(value, no))
		note(parser, tag, "has an unknown value: the default counts");
}

static void read_adkim(struct parser *parser, struct slice value)
{
	read_flag(
	    parser, "adkim", value, "s", "r", &parser->record->strict_dkim);
}

static void read_aspf(struct parser *parser, struct slice value)
{
	read_flag(parser, "aspf", value, "s", "r", &parser->record->strict_spf);
}

static void read_t(struct parser *parser, struct slice value)
{
	read_flag(parser, "t", value, "y", "n", &parser->record->testing);
}

static void read_psd(struct parser *parser, struct slice value)
{
	if (is_word(value, "y"))
		parser->record->psd = DMARC_PSD_YES;
	else if (is_word(value, "n"))
		parser->record->psd = DMARC_PSD_NO;
	else if (!is_word(value, "u"))
		note(parser, "psd", "has an unknown value: u counts");
}

/* Looked at for the domain's owner only: no failure reports are sent. */
static void read_fo(struct parser *parser, struct slice value)
{
	unsigned int seen = 0;
	struct slice item;

	while (value.len) {
		unsigned int bit;

		slice_split(value, ':', &item, &value);
		item = trim_wsp(item);
		if (is_word(item, "0") || is_word(item, "1"))
			bit = 1; /* one of the two, not both */
		else if (is_word(item, "d"))
			bit = 2;
		else if (is_word(item, "s"))
			bit = 4;
		else
			bit = 0;
		if (bit == 0 || (seen & bit)) {
			note(parser, "fo", "is malformed: 0 counts");
			return;
		}
		seen |= bit;
	}
}

/* A character of an RFC 3986 URI; "%" is looked at by the caller. */
static bool is_uri_byte(char c)
{
	static const char others[] = "-._~:/?#[]@$&'()*+;=%";

	if (ascii_is_alnum(c))
		return true;
	for (const char *at = others; *at; at++)
		if (*at == c)
			return true;
	return false;
}

/* scheme ":" hier-part of RFC 3986.  "!" must be encoded, but "!10m" at the
 * end is the obsolete size, to be ignored (RFC 9989 section 4.8). */
static bool is_uri(struct slice uri)
{
	size_t colon = slice_find(uri, ':');

	uri.len = slice_find(uri, '!');
	if (colon == 0 || colon >= uri.len || !ascii_is_alpha(uri.ptr[0]))
		return false;
	for (size_t i = 0; i < colon; i++)
		if (!ascii_is_alnum(uri.ptr[i]) && uri.ptr[i] != '+' &&
		    uri.ptr[i] != '-' && uri.ptr[i] != '.')
			return false;
	for (size_t i = colon; i < uri.len; i++) {
		if (!is_uri_byte(uri.ptr[i]))
			return false;
		if (uri.ptr[i] == '%' &&
		    (i + 2 >= uri.len || !ascii_is_xdigit(uri.ptr[i + 1]) ||
			!ascii_is_xdigit(uri.ptr[i + 2])))
			return false;
	}
	return true;
}

static void read_uris(struct parser *parser, const char *tag,
    struct slice value, struct slice *ret)
{
	struct slice rest = value, item;
	bool any = false, broken = false;

	while (rest.len) {
		slice_split(rest, ',', &item, &rest);
		if (is_uri(trim_wsp(item)))
			any = true;
		else
			broken = true;
	}
	if (any)
		*ret = value;
	if (broken || !any)
		note(parser, tag, "holds something that is not a URI");
}

static void read_rua(struct parser *parser, struct slice value)
{
	read_uris(parser, "rua", value, &parser->record->rua);
}

static void read_ruf(struct parser *parser, struct slice value)
{
	read_uris(parser, "ruf", value, &parser->record->ruf);
}

/* Historic since RFC 9989 (section 9.3): known, and never applied. */
static void read_pct(struct parser *parser, struct slice value)
{
	if (!is_word(value, "100"))
		note(parser, "pct", "no longer exists and is not applied");
}

static void read_rf(struct parser *parser, struct slice value)
{
	(void)value;
	note(parser, "rf", "no longer exists and is not applied");
}

static void read_ri(struct parser *parser, struct slice value)
{
	(void)value;
	note(parser, "ri", "no longer exists and is not applied");
}

static const struct tag_reader {
	const char *name;
	void (*read)(struct parser *parser, struct slice value);
} readers[] = {
    {"p", read_p},
    {"sp", read_sp},
    {"np", read_np},
    {"psd", read_psd},
    {"t", read_t},
    {"adkim", read_adkim},
    {"aspf", read_aspf},
    {"fo", read_fo},
    {"rua", read_rua},
    {"ruf", read_ruf},
    {"pct", read_pct},
    {"rf", read_rf},
    {"ri", read_ri},
};

enum { READER_COUNT = sizeof(readers) / sizeof(readers[0]) };

/* The first of a repeated tag counts: RFC 6376 section 3.2 forbids
 * repetition, and a later one is then an error to be ignored. */
static void read_tag(struct parser *parser, struct slice tag, uint32_t *seen)
{
	struct slice name, value;

	slice_split(tag, '=', &name, &value);
	name = trim_wsp(name);
	value = trim_wsp(value);
	for (size_t i = 0; i < READER_COUNT; i++) {
		if (!slice_eq_nocase(name, slice_from(readers[i].name)))
			continue;
		if (*seen & (UINT32_C(1) << i)) {
			note(parser, readers[i].name,
			    "is repeated: the first one counts");
			return;
		}
		*seen |= UINT32_C(1) << i;
		if (!is_value(value))
			value = (struct slice){"", 0};
		readers[i].read(parser, value);
		return;
	}
}

/* Section 4.10.1: what a record says whose policy cannot be read. */
static void settle_policy(struct parser *parser)
{
	struct dmarc_record *record = parser->record;
	bool bad_sub = parser->sp.present && !parser->sp.valid;
	bool bad_nonexistent = parser->np.present && !parser->np.valid;

	record->usable = true;
	if (parser->p.valid && !bad_sub && !bad_nonexistent) {
		record->policy = parser->p.policy;
		record->subdomain_policy = parser->sp.valid ? parser->sp.policy
							    : record->policy;
		record->nonexistent_policy = parser->np.valid
						 ? parser->np.policy
						 : record->subdomain_policy;
		return;
	}
	if (!parser->p.present)
		note(parser, "p", "is missing");
	else if (!parser->p.valid)
		note(parser, "p", "is not none, quarantine or reject");
	if (bad_sub)
		note(parser, "sp", "is not none, quarantine or reject");
	if (bad_nonexistent)
		note(parser, "np", "is not none, quarantine or reject");
	record->usable = record->rua.len > 0;
	buf_add_text(parser->problem,
	    record->usable ? ": treated as p=none because there is a rua="
			   : ": without a valid rua= the record is not used");
}

static bool split_version(struct slice text, struct slice *ret_rest)
{
	struct slice version, name, value;

	slice_split(text, ';', &version, ret_rest);
	/* No white space before the version: dmarc-version begins with "v". */
	if (version.len == 0 || ascii_lower(version.ptr[0]) != 'v' ||
	    !slice_split(version, '=', &name, &value))
		return false;
	return is_word(trim_wsp(name), "v") &&
	       slice_eq(trim_wsp(value), SLICE("DMARC1"));
}

bool dmarc_record_is(struct slice text)
{
	struct slice rest;

	return split_version(text, &rest);
}

struct dmarc_record dmarc_record_parse(struct arena *arena, struct slice text)
{
	struct dmarc_record record = {.text = text};
	struct parser parser = {
	    .record = &record,
	    .problem = buf_in_arena(arena, PROBLEM_MAX),
	};
	struct slice rest, tag;
	uint32_t seen = 0;

	split_version(text, &rest);
	while (rest.len) {
		slice_split(rest, ';', &tag, &rest);
		read_tag(&parser, tag, &seen);
	}
	settle_policy(&parser);
	record.problem = buf_slice(parser.problem);
	return record;
}

const char *dmarc_policy_name(enum dmarc_policy policy)
{
	static const char *const names[] = {
	    [DMARC_POLICY_NONE] = "none",
	    [DMARC_POLICY_QUARANTINE] = "quarantine",
	    [DMARC_POLICY_REJECT] = "reject",
	};

	return names[policy];
}
