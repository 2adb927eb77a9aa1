/* SPDX-License-Identifier: Apache-2.0 */
/* base/ascii.h - classes of US-ASCII bytes, whatever the locale says. */
#ifndef BASE_ASCII_H
#define BASE_ASCII_H

#include <stdbool.h>

static inline bool ascii_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool ascii_is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static inline bool ascii_is_alpha(char c)
{
	return ascii_is_upper(c) || (c >= 'a' && c <= 'z');
}

static inline bool ascii_is_alnum(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c);
}

static inline bool ascii_is_xdigit(char c)
{
	return ascii_is_digit(c) || (c >= 'a' && c <= 'f') ||
	       (c >= 'A' && c <= 'F');
}

/* SP and HTAB: WSP of RFC 5234. */
static inline bool ascii_is_wsp(char c)
{
	return c == ' ' || c == '\t';
}

/* WSP, CR and LF: what folding white space is made of. */
static inline bool ascii_is_fws(char c)
{
	return ascii_is_wsp(c) || c == '\r' || c == '\n';
}

/* C0 controls and DEL. */
static inline bool ascii_is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

/* VCHAR of RFC 5234: visible, US-ASCII. */
static inline bool ascii_is_visible(char c)
{
	return c > 0x20 && c < 0x7f;
}

static inline bool ascii_is_8bit(char c)
{
	return ((unsigned char)c & 0x80) != 0;
}

static inline char ascii_lower(char c)
{
	return ascii_is_upper(c) ? (char)(c | 0x20) : c;
}

/* token of MIME (RFC 2045 section 5.1): no specials, no blanks. */
static inline bool ascii_is_mime_token(char c)
{
	switch (c) {
	case '(':
	case ')':
	case '<':
	case '>':
	case '@':
	case ',':
	case ';':
	case ':':
	case '\\':
	case '"':
	case '/':
	case '[':
	case ']':
	case '?':
	case '=': return false;
	default: return ascii_is_visible(c);
	}
}

/* The value of a hexadecimal digit, or -1. */
static inline int ascii_hex_value(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

#endif
