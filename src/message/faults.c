/* SPDX-License-Identifier: Apache-2.0 */
#include "message/faults.h"

#include "base/ascii.h"
#include "base/lines.h"
#include "base/require.h"
#include "base/text.h"

static const struct {
	const char *name, *help;
} rows[] = {
    /* clang-format off */
    [FAULT_BARE_LF] = {"bare-lf", "a line ends with LF alone"},
    [FAULT_BARE_CR] = {"bare-cr", "a CR stands without its LF"},
    [FAULT_NUL_IN_HEADER] = {"nul-in-header", "the header holds a NUL octet"},
    [FAULT_NUL_IN_BODY] = {"nul-in-body", "the body holds a NUL octet"},
    [FAULT_LINE_TOO_LONG] = {"line-too-long",
	"a line has more than 998 octets"},
    [FAULT_HEADER_WITHOUT_COLON] = {"header-without-colon",
	"a header line has no colon"},
    [FAULT_HEADER_NAME_INVALID] = {"header-name-invalid",
	"a header field's name holds octets that a name cannot hold"},
    [FAULT_HEADER_CONTROL_BYTES] = {"header-control-bytes",
	"a header field holds control octets"},
    [FAULT_HEADER_8BIT] = {"header-8bit",
	"a header field holds 8-bit octets that are not UTF-8"},
    [FAULT_HEADER_STARTS_FOLDED] = {"header-starts-folded",
	"the header begins with a continuation line"},
    [FAULT_NO_HEADER_END] = {"no-header-end",
	"no empty line ends the header"},
    [FAULT_FROM_MISSING] = {"from-missing", "there is no From: field"},
    [FAULT_FROM_REPEATED] = {"from-repeated",
	"there are several From: fields"},
    [FAULT_FROM_UNPARSEABLE] = {"from-unparseable",
	"From: has no address with a valid domain"},
    [FAULT_FROM_SEVERAL_ADDRESSES] = {"from-several-addresses",
	"From: has several addresses"},
    [FAULT_SENDER_REPEATED] = {"sender-repeated",
	"there are several Sender: fields"},
    [FAULT_REPLY_TO_REPEATED] = {"reply-to-repeated",
	"there are several Reply-To: fields"},
    [FAULT_TO_MISSING] = {"to-missing",
	"there is no To:, Cc: or Bcc: field"},
    [FAULT_TO_REPEATED] = {"to-repeated", "there are several To: fields"},
    [FAULT_CC_REPEATED] = {"cc-repeated", "there are several Cc: fields"},
    [FAULT_BCC_REPEATED] = {"bcc-repeated", "there are several Bcc: fields"},
    [FAULT_SUBJECT_MISSING] = {"subject-missing",
	"there is no Subject: field"},
    [FAULT_SUBJECT_REPEATED] = {"subject-repeated",
	"there are several Subject: fields"},
    [FAULT_DATE_MISSING] = {"date-missing", "there is no Date: field"},
    [FAULT_DATE_REPEATED] = {"date-repeated",
	"there are several Date: fields"},
    [FAULT_MESSAGE_ID_MISSING] = {"message-id-missing",
	"there is no Message-ID: field"},
    [FAULT_MESSAGE_ID_REPEATED] = {"message-id-repeated",
	"there are several Message-ID: fields"},
    [FAULT_MIME_VERSION_REPEATED] = {"mime-version-repeated",
	"there are several MIME-Version: fields"},
    [FAULT_CONTENT_TYPE_REPEATED] = {"content-type-repeated",
	"there are several Content-Type: fields"},
    [FAULT_CONTENT_TRANSFER_ENCODING_REPEATED] = {
	"content-transfer-encoding-repeated",
	"there are several Content-Transfer-Encoding: fields"},
    [FAULT_MIME_HEADER_INVALID] = {"mime-header-invalid",
	"a Content-Type or other MIME field breaks its grammar"},
    [FAULT_MIME_BOUNDARY_MISSING] = {"mime-boundary-missing",
	"a multipart has no boundary parameter"},
    [FAULT_MIME_BOUNDARY_UNUSED] = {"mime-boundary-unused",
	"a multipart's boundary never occurs or is never closed"},
    [FAULT_MIME_BOUNDARY_AMBIGUOUS] = {"mime-boundary-ambiguous",
	"boundaries can be read in several ways"},
    [FAULT_MIME_ENCODED_COMPOSITE] = {"mime-encoded-composite",
	"a multipart or message is itself base64 or quoted-printable"},
    [FAULT_MIME_ENCODING_UNKNOWN] = {"mime-encoding-unknown",
	"a Content-Transfer-Encoding is unknown"},
    [FAULT_MIME_ENCODING_BROKEN] = {"mime-encoding-broken",
	"base64 or quoted-printable content holds foreign octets"},
    [FAULT_MIME_PARAMETER_REPEATED] = {"mime-parameter-repeated",
	"a MIME parameter occurs twice"},
    [FAULT_MIME_TOO_DEEP] = {"mime-too-deep",
	"parts are nested deeper than limits.mime_depth"},
    [FAULT_MIME_TOO_MANY_PARTS] = {"mime-too-many-parts",
	"there are more parts than limits.mime_parts"},
    /* clang-format on */
};

static_assert(
    sizeof(rows) / sizeof(rows[0]) == FAULT_COUNT, "every fault has a name");

void faults_add(struct faults *faults, enum fault fault)
{
	faults->bits |= UINT64_C(1) << fault;
}

bool faults_has(struct faults faults, enum fault fault)
{
	return faults.bits >> fault & 1;
}

const char *fault_name(enum fault fault)
{
	require(fault < FAULT_COUNT);
	return rows[fault].name;
}

const char *fault_help(enum fault fault)
{
	require(fault < FAULT_COUNT);
	return rows[fault].help;
}

/* RFC 5322 section 3.6: how often a field may occur. */
static const struct {
	struct slice name;
	enum fault repeated;
	enum fault missing; /* FAULT_COUNT: may be missing */
} counted[] = {
    {SLICE_INIT("From"), FAULT_FROM_REPEATED, FAULT_FROM_MISSING},
    {SLICE_INIT("Sender"), FAULT_SENDER_REPEATED, FAULT_COUNT},
    {SLICE_INIT("Reply-To"), FAULT_REPLY_TO_REPEATED, FAULT_COUNT},
    {SLICE_INIT("To"), FAULT_TO_REPEATED, FAULT_COUNT},
    {SLICE_INIT("Cc"), FAULT_CC_REPEATED, FAULT_COUNT},
    {SLICE_INIT("Bcc"), FAULT_BCC_REPEATED, FAULT_COUNT},
    {SLICE_INIT("Subject"), FAULT_SUBJECT_REPEATED, FAULT_SUBJECT_MISSING},
    {SLICE_INIT("Date"), FAULT_DATE_REPEATED, FAULT_DATE_MISSING},
    {SLICE_INIT("Message-ID"), FAULT_MESSAGE_ID_REPEATED,
	FAULT_MESSAGE_ID_MISSING},
    {SLICE_INIT("MIME-Version"), FAULT_MIME_VERSION_REPEATED, FAULT_COUNT},
    {SLICE_INIT("Content-Type"), FAULT_CONTENT_TYPE_REPEATED, FAULT_COUNT},
    {SLICE_INIT("Content-Transfer-Encoding"),
	FAULT_CONTENT_TRANSFER_ENCODING_REPEATED, FAULT_COUNT},
};

/* What may be wrong with an octet of a header field; 0: nothing. */
enum { IS_NUL = 1, IS_CONTROL = 2, IS_8BIT = 4 };

static const unsigned char oddities[256] = {
    /* clang-format off */
    [0] = IS_NUL,
    [1 ... 8] = IS_CONTROL, /* then HTAB, LF */
    [11 ... 12] = IS_CONTROL, /* then CR */
    [14 ... 31] = IS_CONTROL,
    [127] = IS_CONTROL,
    [128 ... 255] = IS_8BIT,
    /* clang-format on */
};

static void check_field(const struct header_field *field, struct faults *faults)
{
	unsigned int odd = 0;

	if (field->name.ptr == NULL)
		faults_add(faults, FAULT_HEADER_WITHOUT_COLON);
	else if (!field->valid)
		faults_add(faults, FAULT_HEADER_NAME_INVALID);
	for (size_t i = 0; i < field->raw.len; i++)
		odd |= oddities[(unsigned char)field->raw.ptr[i]];
	if (odd & IS_NUL)
		faults_add(faults, FAULT_NUL_IN_HEADER);
	if (odd & IS_CONTROL)
		faults_add(faults, FAULT_HEADER_CONTROL_BYTES);
	if ((odd & IS_8BIT) && !text_is_utf8(field->raw))
		faults_add(faults, FAULT_HEADER_8BIT);
}

struct faults faults_of_headers(const struct header_list *list)
{
	struct faults faults = {0};

	for (size_t i = 0; i < list->count; i++)
		check_field(&list->fields[i], &faults);
	if (list->count && ascii_is_wsp(list->fields[0].raw.ptr[0]))
		faults_add(&faults, FAULT_HEADER_STARTS_FOLDED);
	if (list->body_offset == list->block.len)
		faults_add(&faults, FAULT_NO_HEADER_END);
	if (!headers_find(list, SLICE("To"), 0) &&
	    !headers_find(list, SLICE("Cc"), 0) &&
	    !headers_find(list, SLICE("Bcc"), 0))
		faults_add(&faults, FAULT_TO_MISSING);
	for (size_t i = 0; i < sizeof(counted) / sizeof(counted[0]); i++) {
		size_t count = headers_count(list, counted[i].name);

		if (count > 1)
			faults_add(&faults, counted[i].repeated);
		if (count == 0 && counted[i].missing != FAULT_COUNT)
			faults_add(&faults, counted[i].missing);
	}
	return faults;
}

static void end_line(
    struct fault_scan *state, size_t length, struct faults *faults)
{
	if (length > LINES_SHORT)
		faults_add(faults, FAULT_LINE_TOO_LONG);
	state->line_length = 0;
}

/* One run without LF, and the LF that ends it if ended. */
static void scan_line_piece(struct fault_scan *state, struct slice piece,
    bool ended, struct faults *faults)
{
	bool ends_with_cr = piece.len ? piece.ptr[piece.len - 1] == '\r'
				      : state->after_cr;
	struct slice inner = piece;

	if (state->after_cr && piece.len) {
		faults_add(faults, FAULT_BARE_CR);
		state->line_length++;
	}
	if (inner.len && ends_with_cr)
		inner.len--;
	if (slice_find(inner, '\r') < inner.len)
		faults_add(faults, FAULT_BARE_CR);
	if (slice_find(inner, '\0') < inner.len)
		faults_add(faults,
		    state->in_body ? FAULT_NUL_IN_BODY : FAULT_NUL_IN_HEADER);
	state->line_length += inner.len;
	state->after_cr = ends_with_cr;
	if (!ended)
		return;
	if (!ends_with_cr)
		faults_add(faults, FAULT_BARE_LF);
	end_line(state, state->line_length, faults);
	state->after_cr = false;
}

/* Past lines that have nothing odd but perhaps their length.  False: the
 * next one has to be looked at. */
static bool skip_ordinary(
    struct fault_scan *state, struct slice *bytes, struct faults *faults)
{
	size_t count, longest = 0;

	if (state->after_cr || bytes->ptr[0] == '\n')
		return false;
	count = lines_ordinary(*bytes);
	if (!count)
		return false;
	state->line_length = lines_measure(
	    slice_sub(*bytes, 0, count), state->line_length, &longest);
	if (longest)
		faults_add(faults, FAULT_LINE_TOO_LONG);
	state->after_cr = bytes->ptr[count - 1] == '\r';
	*bytes = slice_from_pos(*bytes, count);
	return true;
}

struct faults faults_of_bytes(struct fault_scan *state, struct slice bytes)
{
	struct faults faults = {0};

	while (bytes.len) {
		size_t at;
		bool ended;

		if (skip_ordinary(state, &bytes, &faults))
			continue;
		at = slice_find(bytes, '\n');
		ended = at < bytes.len;
		scan_line_piece(state, slice_sub(bytes, 0, at), ended, &faults);
		bytes = slice_from_pos(bytes, at + 1);
	}
	return faults;
}

struct faults faults_of_end(const struct fault_scan *state)
{
	struct faults faults = {0};

	if (state->after_cr)
		faults_add(&faults, FAULT_BARE_CR);
	if (state->line_length + state->after_cr > LINES_SHORT)
		faults_add(&faults, FAULT_LINE_TOO_LONG);
	return faults;
}
