/* SPDX-License-Identifier: Apache-2.0 */
#include "milter/packet.h"

enum { LENGTH_SIZE = 4 };

static uint32_t get_u32(const char *ptr)
{
	const unsigned char *p = (const unsigned char *)ptr;

	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

void packet_put_u32(unsigned char memory[static 4], uint32_t number)
{
	memory[0] = (unsigned char)(number >> 24);
	memory[1] = (unsigned char)(number >> 16);
	memory[2] = (unsigned char)(number >> 8);
	memory[3] = (unsigned char)number;
}

enum packet_status packet_read(
    struct slice input, struct packet *ret, struct err *err)
{
	uint32_t length;

	ret->size = LENGTH_SIZE;
	if (input.len < LENGTH_SIZE)
		return PACKET_PART;
	length = get_u32(input.ptr);
	if (length == 0) {
		err_set(err, E_SYNTAX, "a packet without a command");
		return PACKET_BAD;
	}
	if (length > PACKET_MAX) {
		err_set(err, E_LIMIT, "a packet of %lu octets, over %d",
		    (unsigned long)length, PACKET_MAX);
		return PACKET_BAD;
	}
	ret->size = LENGTH_SIZE + (size_t)length;
	if (input.len < ret->size)
		return PACKET_PART;
	ret->command = input.ptr[LENGTH_SIZE];
	ret->data = slice_sub(input, LENGTH_SIZE + 1, length - 1);
	return PACKET_WHOLE;
}

bool packet_take_text(struct slice *data, struct slice *ret)
{
	size_t end = slice_find(*data, '\0');

	if (end == data->len)
		return false;
	*ret = slice_sub(*data, 0, end);
	*data = slice_from_pos(*data, end + 1);
	return true;
}

bool packet_take_u32(struct slice *data, uint32_t *ret)
{
	if (data->len < 4)
		return false;
	*ret = get_u32(data->ptr);
	*data = slice_from_pos(*data, 4);
	return true;
}

bool packet_parse_text(struct slice data, struct slice *ret, struct err *err)
{
	struct slice text;

	if (!packet_take_text(&data, &text) || data.len)
		return err_set(err, E_SYNTAX, "not one terminated text");
	*ret = text;
	return true;
}

static bool take_port(struct slice *data, uint16_t *ret)
{
	const unsigned char *p = (const unsigned char *)data->ptr;

	if (data->len < 2)
		return false;
	*ret = (uint16_t)(p[0] << 8 | p[1]);
	*data = slice_from_pos(*data, 2);
	return true;
}

bool packet_parse_connect(
    struct slice data, struct packet_connect *ret, struct err *err)
{
	static const struct slice prefix = SLICE_INIT("IPv6:");
	struct packet_connect connect = {0};

	if (!packet_take_text(&data, &connect.name) || data.len == 0)
		return err_set(err, E_SYNTAX, "no client name or family");
	connect.family = data.ptr[0];
	data = slice_from_pos(data, 1);
	if (connect.family != 'U' && !take_port(&data, &connect.port))
		return err_set(err, E_SYNTAX, "no client port");
	if (connect.family != 'U' &&
	    !packet_parse_text(data, &connect.address, err))
		return err_prefix(err, "client address");
	if (slice_starts_nocase(connect.address, prefix))
		connect.address = slice_from_pos(connect.address, prefix.len);
	*ret = connect;
	return true;
}

/* Room for a whole packet, its head written; NULL: no room. */
static char *begin(struct buf *out, char code, size_t data_size)
{
	unsigned char *memory;

	if (data_size >= PACKET_MAX) {
		out->overflowed = true;
		return NULL;
	}
	memory = (unsigned char *)buf_reserve(out, LENGTH_SIZE + 1 + data_size);
	if (!memory)
		return NULL;
	packet_put_u32(memory, (uint32_t)(data_size + 1));
	memory[LENGTH_SIZE] = (unsigned char)code;
	buf_grown(out, LENGTH_SIZE + 1);
	return (char *)memory;
}

static bool is_text(struct slice text)
{
	return slice_find(text, '\0') == text.len;
}

static bool add_text(struct buf *out, struct slice text)
{
	return buf_add(out, text) && buf_add_byte(out, '\0');
}

bool packet_write(struct buf *out, char code, struct slice data)
{
	return begin(out, code, data.len) && buf_add(out, data);
}

bool packet_write_text(struct buf *out, char code, struct slice text)
{
	return is_text(text) && begin(out, code, text.len + 1) &&
	       add_text(out, text);
}

bool packet_write_header(struct buf *out, char code, uint32_t index,
    struct slice name, struct slice value)
{
	unsigned char number[4];

	packet_put_u32(number, index);
	return is_text(name) && is_text(value) &&
	       begin(out, code, sizeof(number) + name.len + value.len + 2) &&
	       buf_add(out, slice_of((const char *)number, sizeof(number))) &&
	       add_text(out, name) && add_text(out, value);
}
