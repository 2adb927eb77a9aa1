/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/value.h"

#include <assert.h>
#include <string.h>
#include <sys/un.h>

#include "base/ascii.h"
#include "base/clock.h"
#include "base/require.h"
#include "base/store_place.h"
#include "base/text.h"
#include "conf/next_hop.h"
#include "conf/number.h"
#include "conf/problems.h"

enum { TEXT_MAX = 1000, SECONDS_OF_DAY = 86400 };

struct value_type {
	const char *name, *help;
	size_t size; /* of an item */
	bool bare;
	bool (*parse)(const struct value_input *in, struct slice text,
	    void *ret, struct err *err);
	struct slice (*format)(
	    struct arena *arena, const struct field *field, const void *value);
};

/* Choices are read and written as int. */
static_assert(sizeof(enum listener_role) == sizeof(int) &&
		  sizeof(enum conf_mode) == sizeof(int) &&
		  sizeof(enum log_level) == sizeof(int),
    "an enum is not an int");
/* One code counts and walks both kinds of lists. */
static_assert(
    offsetof(struct conf_text_list, items) ==
	    offsetof(struct conf_network_list, items) &&
	sizeof(struct conf_text_list) == sizeof(struct conf_network_list),
    "the lists differ");

static const char *quote(const struct value_input *in, struct slice text)
{
	return problems_quote(in->arena, text);
}

static void set_slice(
    const struct value_input *in, struct slice text, void *ret)
{
	struct slice copy = arena_slice(in->arena, text);

	memcpy(ret, &copy, sizeof(copy));
}

static struct slice get_slice(const void *value)
{
	struct slice text;

	memcpy(&text, value, sizeof(text));
	return text;
}

static struct slice format_slice(
    struct arena *arena, const struct field *field, const void *value)
{
	(void)arena;
	(void)field;
	return get_slice(value);
}

static bool is_not_control(char c)
{
	return !ascii_is_control(c);
}

static bool parse_text(
    const struct value_input *in, struct slice text, void *ret, struct err *err)
{
	if (text.len > TEXT_MAX)
		return err_set(
		    err, E_LIMIT, "is longer than %d bytes", TEXT_MAX);
	if (!slice_all(text, is_not_control) || !text_is_utf8(text))
		return err_set(err, E_SYNTAX,
		    "%s has bytes that are not printable; write one line of "
		    "text",
		    quote(in, text));
	set_slice(in, text, ret);
	return true;
}

static bool is_name_byte(char c)
{
	return ascii_is_alnum(c) || ascii_is_8bit(c) ||
	       (c && strchr("-_. ", c));
}

static bool parse_name(
    const struct value_input *in, struct slice text, void *ret, struct err *err)
{
	if (!slice_all(text, is_name_byte) || !text_is_utf8(text) ||
	    text.len > 64 || slice_trim(text).len != text.len)
		return err_set(err, E_SYNTAX,
		    "%s is not a name; write up to 64 letters, digits, "
		    "blanks, '-', '_' or '.'",
		    quote(in, text));
	set_slice(in, text, ret);
	return true;
}

static bool parse_path(
    const struct value_input *in, struct slice text, void *ret, struct err *err)
{
	struct slice path = text;

	if (!parse_text(in, text, &path, err))
		return false;
	if (text.len && text.ptr[0] != '/')
		path = arena_format_slice(in->arena, "%.*s/%.*s",
		    SLICE_ARGS(in->folder), SLICE_ARGS(text));
	memcpy(ret, &path, sizeof(path));
	return true;
}

static bool parse_domain(
    const struct value_input *in, struct slice text, void *ret, struct err *err)
{
	struct slice name;

	if (!domain_normalize(in->arena, text, in->field->forms, &name, err))
		return false;
	memcpy(ret, &name, sizeof(name));
	return true;
}

static bool parse_network(
    const struct value_input *in, struct slice text, void *ret, struct err *err)
{
	struct ip_network network;

	if (!ip_network_parse(text, &network, NULL))
		return err_set(err, E_SYNTAX,
		    "%s is not an IP address or network; write 192.0.2.1, "
		    "192.0.2.0/24 or \"2001:db8::/32\"",
		    quote(in, text));
	memcpy(ret, &network, sizeof(network));
	return true;
}

static struct slice format_network(
    struct arena *arena, const struct field *field, const void *value)
{
	char text[IP_TEXT_MAX];
	struct ip_network network;

	(void)field;
	memcpy(&network, value, sizeof(network));
	ip_format(&network.address, text);
	if (network.prefix == (network.address.family == IP_V4 ? 32 : 128))
		return arena_slice(arena, slice_from(text));
	return arena_format_slice(arena, "%s/%u", text, network.prefix);
}

/* A port is there when the default does not matter. */
static bool is_ip_with_port(struct slice text)
{
	struct ip ip;
	uint16_t one, other;

	return slice_find(text, '@') == text.len &&
	       ip_parse_with_port(text, 1, &ip, &one, NULL) &&
	       ip_parse_with_port(text, 2, &ip, &other, NULL) && one == other;
}

static bool parse_ip_port(
    const struct value_input *in, struct slice text, void *ret, struct err *err)
{
	if (!is_ip_with_port(text))
		return err_set(err, E_SYNTAX,
		    "%s is not an address; write \"127.0.0.1:8025\" or "
		    "\"[::1]:8025\"",
		    quote(in, text));
	set_slice(in, text, ret);
	return true;
}

/* With the zero that ends it. */
enum { SOCKET_PATH_MAX = sizeof(((struct sockaddr_un *)0)->sun_path) - 1 };

static bool parse_socket(
    const struct value_input *in, struct slice text, void *ret, struct err *err)
{
	struct slice path;

	if (!parse_path(in, text, &path, err))
		return false;
	if (path.len > SOCKET_PATH_MAX)
		return err_set(err, E_LIMIT,
		    "the path of the socket is longer than %d bytes",
		    SOCKET_PATH_MAX);
	path = arena_format_slice(in->arena, "unix:%.*s", SLICE_ARGS(path));
	set_slice(in, path, ret);
	return true;
}

static bool parse_address(
    const struct value_input *in, struct slice text, void *ret, struct err *err)
{
	static const struct slice unix_prefix = SLICE_INIT("unix:");
	struct slice path = slice_from_pos(text, unix_prefix.len);

	if (slice_starts(text, unix_prefix) && path.len)
		return parse_socket(in, path, ret, err);
	if (!is_ip_with_port(text))
		return err_set(err, E_SYNTAX,
		    "%s is not an address; write \"0.0.0.0:25\", \"[::]:25\" "
		    "or \"unix:/path\"",
		    quote(in, text));
	set_slice(in, text, ret);
	return true;
}

static bool parse_dns_server(
    const struct value_input *in, struct slice text, void *ret, struct err *err)
{
	struct slice address, port;
	struct ip ip;
	uint64_t number = 53;
	bool has_port = slice_split(text, '@', &address, &port);

	if (!ip_parse(address, &ip) ||
	    (has_port && !slice_to_u64(port, UINT16_MAX, &number)) || !number)
		return err_set(err, E_SYNTAX,
		    "%s is not a DNS server; write \"192.0.2.53\" or "
		    "\"192.0.2.53@5353\"",
		    quote(in, text));
	set_slice(in, text, ret);
	return true;
}

static bool parse_store(
    const struct value_input *in, struct slice text, void *ret, struct err *err)
{
	static const struct slice sqlite = SLICE_INIT("sqlite:");
	struct slice path = slice_from_pos(text, sqlite.len);
	struct store_place place;

	if (slice_starts(text, SLICE("postgresql:")))
		return err_set(err, E_SYNTAX,
		    "PostgreSQL is not available in this version; write "
		    "sqlite:/path/to/file");
	if (!slice_starts(text, sqlite) || !path.len)
		return err_set(err, E_SYNTAX,
		    "%s is not a store; write sqlite:/path/to/file",
		    quote(in, text));
	if (!store_place_parse(path, &place, err) ||
	    !parse_path(in, path, &path, err))
		return false;
	path = arena_format_slice(in->arena, "sqlite:%.*s", SLICE_ARGS(path));
	set_slice(in, path, ret);
	return true;
}

static bool parse_next_hop(
    const struct value_input *in, struct slice text, void *ret, struct err *err)
{
	(void)ret; /* it fills the route that the field is in */
	return next_hop_parse(in->arena, in->folder, text, in->base, err);
}

/* ftext of RFC 5322 section 3.6.8. */
static bool is_field_name_byte(char c)
{
	return ascii_is_visible(c) && c != ':';
}

static bool parse_header(
    const struct value_input *in, struct slice text, void *ret, struct err *err)
{
	struct slice name, body;

	if (!slice_split(text, ':', &name, &body) || !name.len ||
	    !slice_all(name, is_field_name_byte) || !slice_trim(body).len ||
	    !slice_all(body, is_not_control) || text.len > 900)
		return err_set(err, E_SYNTAX,
		    "%s is not a header field; write \"Name: value\"",
		    quote(in, text));
	set_slice(in, text, ret);
	return true;
}

static bool check_bounds(
    const struct value_input *in, uint64_t number, struct err *err)
{
	const struct field *field = in->field;
	struct slice low, high;

	if (number >= field->min && (!field->max || number <= field->max))
		return true;
	low = number_format(in->arena, field->type, field->min);
	high = number_format(in->arena, field->type, field->max);
	return err_set(err, E_LIMIT,
	    "is out of bounds; %.*s to %.*s is possible", SLICE_ARGS(low),
	    SLICE_ARGS(high));
}

static bool parse_number(
    const struct value_input *in, struct slice text, void *ret, struct err *err)
{
	uint64_t number;

	if (!number_parse(in->field->type, text, &number))
		return err_set(err, E_SYNTAX, "%s is not a %s; write %s",
		    quote(in, text), value_type_name(in->field->type),
		    value_type_help(in->field->type));
	if (!check_bounds(in, number, err))
		return false;
	memcpy(ret, &number, sizeof(number));
	return true;
}

static struct slice format_number(
    struct arena *arena, const struct field *field, const void *value)
{
	uint64_t number;

	memcpy(&number, value, sizeof(number));
	return number_format(arena, field->type, number);
}

static bool parse_boolean(
    const struct value_input *in, struct slice text, void *ret, struct err *err)
{
	bool value = slice_eq_nocase(text, SLICE("true"));

	if (!value && !slice_eq_nocase(text, SLICE("false")))
		return err_set(
		    err, E_SYNTAX, "%s is not true or false", quote(in, text));
	memcpy(ret, &value, sizeof(value));
	return true;
}

static struct slice format_boolean(
    struct arena *arena, const struct field *field, const void *value)
{
	bool is_true;

	(void)arena;
	(void)field;
	memcpy(&is_true, value, sizeof(is_true));
	return is_true ? SLICE("true") : SLICE("false");
}

static const char *list_of_choices(const struct value_input *in)
{
	const char *list = "";

	for (const char *const *choice = in->field->choices; *choice; choice++)
		list = arena_format(
		    in->arena, "%s%s%s", list, *list ? ", " : "", *choice);
	return list;
}

static bool find_choice(
    const struct value_input *in, struct slice text, int *ret, struct err *err)
{
	const char *const *choices = in->field->choices;

	for (int i = 0; choices[i]; i++) {
		if (!slice_eq(text, slice_from(choices[i])))
			continue;
		*ret = i;
		return true;
	}
	return err_set(err, E_SYNTAX, "%s is not known; it is one of: %s",
	    quote(in, text), list_of_choices(in));
}

static bool parse_choice(
    const struct value_input *in, struct slice text, void *ret, struct err *err)
{
	int choice;

	if (!find_choice(in, text, &choice, err))
		return false;
	memcpy(ret, &choice, sizeof(choice));
	return true;
}

static struct slice format_choice(
    struct arena *arena, const struct field *field, const void *value)
{
	int choice;

	(void)arena;
	memcpy(&choice, value, sizeof(choice));
	return slice_from(field->choices[choice]);
}

static bool parse_word(
    const struct value_input *in, struct slice text, void *ret, struct err *err)
{
	int choice;

	if (!find_choice(in, text, &choice, err))
		return false;
	set_slice(in, text, ret);
	return true;
}

static bool parse_date(
    const struct value_input *in, struct slice text, void *ret, struct err *err)
{
	static const struct slice shape = SLICE_INIT("2027-01-31");
	int64_t seconds;

	/* 31 November comes back as another day. */
	if (text.len != shape.len ||
	    !clock_parse_rfc3339(text, &seconds, NULL) ||
	    !slice_starts(clock_format_rfc3339(in->arena, seconds), text))
		return err_set(err, E_SYNTAX,
		    "%s is not a date; write it like 2027-01-31",
		    quote(in, text));
	seconds += SECONDS_OF_DAY - 1;
	memcpy(ret, &seconds, sizeof(seconds));
	return true;
}

static struct slice format_date(
    struct arena *arena, const struct field *field, const void *value)
{
	int64_t seconds;

	(void)field;
	memcpy(&seconds, value, sizeof(seconds));
	if (seconds == 0)
		return SLICE("");
	return slice_sub(
	    clock_format_rfc3339(arena, seconds), 0, sizeof("2027-01-31") - 1);
}

#define TEXTUAL .size = sizeof(struct slice), .format = format_slice
#define NUMERIC                                                                \
	.size = sizeof(uint64_t), .parse = parse_number, .format = format_number

static const struct value_type types[TYPE_COUNT] = {
    [TYPE_TEXT] = {"text", "a line of text", TEXTUAL, .parse = parse_text},
    [TYPE_NAME] = {"name", "letters, digits, blanks, '-', '_' and '.'", TEXTUAL,
	.parse = parse_name},
    [TYPE_PATH] = {"path",
	"a file or folder; relative to the folder of the configuration",
	TEXTUAL, .parse = parse_path},
    [TYPE_DOMAIN] = {"domain name", "like agency.example", TEXTUAL,
	.parse = parse_domain},
    [TYPE_NETWORK] = {"network", "192.0.2.0/24, 2001:db8::/32 or an address",
	.size = sizeof(struct ip_network), .parse = parse_network,
	.format = format_network},
    [TYPE_ADDRESS] = {"address", "IP:PORT, [IPv6]:PORT or unix:/path", TEXTUAL,
	.parse = parse_address},
    [TYPE_IP_PORT] = {"address", "IP:PORT or [IPv6]:PORT", TEXTUAL,
	.parse = parse_ip_port},
    [TYPE_DNS_SERVER] = {"DNS server", "IP or IP@PORT", TEXTUAL,
	.parse = parse_dns_server},
    [TYPE_STORE] = {"store",
	"sqlite:/path/to/file, or sqlite:/path/to/file?max_size=20G", TEXTUAL,
	.parse = parse_store},
    [TYPE_NEXT_HOP] = {"next hop", "see the help", TEXTUAL,
	.parse = parse_next_hop},
    [TYPE_HEADER] = {"header field", "\"Name: value\"", TEXTUAL,
	.parse = parse_header},
    [TYPE_SECONDS] = {"duration",
	"a number with a unit: 45s, 10m, 12h, 30d or 2w", NUMERIC},
    [TYPE_MILLISECONDS] = {"duration",
	"a number with a unit: 500ms, 45s, 10m or 12h", NUMERIC},
    [TYPE_SIZE] = {"size",
	"bytes, or a number with a unit of 1024: 64K, 150M, 20G", NUMERIC},
    [TYPE_NUMBER] = {"number", "digits alone", .bare = true, NUMERIC},
    [TYPE_BOOLEAN] = {"boolean", "true or false", .size = sizeof(bool),
	.bare = true, .parse = parse_boolean, .format = format_boolean},
    [TYPE_CHOICE] = {"choice", NULL, .size = sizeof(int), .parse = parse_choice,
	.format = format_choice},
    [TYPE_WORD] = {"choice", NULL, TEXTUAL, .parse = parse_word},
    [TYPE_DATE] = {"date", "like 2027-01-31", .size = sizeof(int64_t),
	.parse = parse_date, .format = format_date},
    [TYPE_TABLE] = {"mapping", NULL},
    [TYPE_TABLES] = {"list of mappings", NULL},
    [TYPE_UNAVAILABLE] = {"not available in this version", NULL},
    [TYPE_NO_EFFECT] = {"without effect in this version", NULL},
};

bool value_parse(
    const struct value_input *in, struct slice text, void *ret, struct err *err)
{
	const struct value_type *type = &types[in->field->type];

	require(type->parse);
	/* Left empty on purpose ("") unsets what may be unset. */
	if (!text.len && type->format == format_slice) {
		if (in->field->list || in->field->required)
			return err_set(err, E_SYNTAX, "is empty; write %s",
			    type->help ? type->help : list_of_choices(in));
		set_slice(in, text, ret);
		return true;
	}
	return type->parse(in, text, ret, err);
}

struct slice value_format(
    struct arena *arena, const struct field *field, const void *value)
{
	require(types[field->type].format);
	return types[field->type].format(arena, field, value);
}

bool value_default(struct arena *arena, const struct table *table,
    const struct field *field, const struct config *config, struct slice *ret)
{
	static const struct slice mark = SLICE_INIT(FIELD_STATE_DIRECTORY);
	struct slice text = slice_from(field->fallback);
	size_t at = slice_find_slice(text, mark);

	if (table->defaults) {
		*ret = value_format(arena, field,
		    (const char *)table->defaults + field->offset);
		return true;
	}
	if (config && at < text.len)
		text = arena_format_slice(arena, "%.*s%.*s%.*s",
		    SLICE_ARGS(slice_sub(text, 0, at)),
		    SLICE_ARGS(config->state_directory),
		    SLICE_ARGS(slice_from_pos(text, at + mark.len)));
	*ret = text;
	return field->fallback != NULL;
}

const char *value_type_name(enum field_type type)
{
	return types[type].name;
}

const char *value_type_help(enum field_type type)
{
	return types[type].help;
}

size_t value_item_size(enum field_type type)
{
	return types[type].size;
}

bool value_is_bare(enum field_type type)
{
	return types[type].bare;
}

size_t value_list_count(const void *list)
{
	size_t count;

	memcpy(&count, list, sizeof(count));
	return count;
}

const void *value_list_item(
    const void *list, enum field_type type, size_t index)
{
	const char *items;

	memcpy(&items,
	    (const char *)list + offsetof(struct conf_text_list, items),
	    sizeof(items));
	return items + index * types[type].size;
}
