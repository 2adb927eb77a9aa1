/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/rsa_der.h"

enum { DER_INTEGER = 0x02, DER_BIT_STRING = 0x03, DER_SEQUENCE = 0x30 };

/* AlgorithmIdentifier's content: OID 1.2.840.113549.1.1.1, then NULL. */
static const struct slice rsa_encryption = SLICE_INIT(
    "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00");

static unsigned char byte_at(struct slice s, size_t at)
{
	return (unsigned char)s.ptr[at];
}

/* The length octets after the tag, in their shortest form (X.690, 10.1). */
static bool take_length(struct slice *der, size_t *ret)
{
	size_t octets, length = 0;

	if (der->len < 1)
		return false;
	octets = byte_at(*der, 0);
	*der = slice_from_pos(*der, 1);
	if (octets < 0x80) {
		*ret = octets;
		return true;
	}
	octets &= 0x7f;
	if (octets == 0 || octets > 2 || der->len < octets)
		return false;
	for (size_t i = 0; i < octets; i++)
		length = length << 8 | byte_at(*der, i);
	if (length < (octets == 1 ? 0x80u : 0x100u))
		return false;
	*der = slice_from_pos(*der, octets);
	*ret = length;
	return true;
}

/* The content of the element with that tag at the start of *der. */
static bool take(struct slice *der, unsigned char tag, struct slice *ret)
{
	struct slice rest;
	size_t length;

	if (der->len < 2 || byte_at(*der, 0) != tag)
		return false;
	rest = slice_from_pos(*der, 1);
	if (!take_length(&rest, &length) || length > rest.len)
		return false;
	*ret = slice_sub(rest, 0, length);
	*der = slice_from_pos(rest, length);
	return true;
}

/* A positive INTEGER, without the zero octet that keeps it positive. */
static bool take_number(struct slice *der, struct slice *ret)
{
	struct slice number;

	if (!take(der, DER_INTEGER, &number) || number.len == 0)
		return false;
	if (byte_at(number, 0) & 0x80)
		return false;
	if (byte_at(number, 0) == 0) {
		number = slice_from_pos(number, 1);
		if (number.len == 0 || !(byte_at(number, 0) & 0x80))
			return false;
	}
	*ret = number;
	return true;
}

static unsigned int count_bits(struct slice number)
{
	unsigned int bits = (unsigned int)(number.len - 1) * 8;

	for (unsigned char top = byte_at(number, 0); top; top >>= 1)
		bits++;
	return bits;
}

/* SubjectPublicKeyInfo's content, down to the RSAPublicKey's. */
static bool unwrap_key_info(struct slice info, struct slice *ret)
{
	struct slice algorithm, bits;

	if (!take(&info, DER_SEQUENCE, &algorithm) ||
	    !slice_eq(algorithm, rsa_encryption) ||
	    !take(&info, DER_BIT_STRING, &bits) || info.len != 0)
		return false;
	/* The first octet counts unused bits. */
	if (bits.len < 1 || byte_at(bits, 0) != 0)
		return false;
	bits = slice_from_pos(bits, 1);
	return take(&bits, DER_SEQUENCE, ret) && bits.len == 0;
}

bool rsa_der_parse(struct slice der, struct rsa_numbers *ret, struct err *err)
{
	struct rsa_numbers numbers;
	struct slice content;

	if (!take(&der, DER_SEQUENCE, &content) || der.len != 0)
		return err_set(err, E_SYNTAX, "not DER");
	if (content.len && byte_at(content, 0) == DER_SEQUENCE &&
	    !unwrap_key_info(content, &content))
		return err_set(err, E_SYNTAX, "not an RSA public key in DER");
	if (!take_number(&content, &numbers.modulus) ||
	    !take_number(&content, &numbers.exponent) || content.len != 0)
		return err_set(err, E_SYNTAX, "not an RSA public key in DER");

	numbers.bits = count_bits(numbers.modulus);
	if (numbers.bits > RSA_BITS_MAX)
		return err_set(err, E_LIMIT, "RSA key of %u bits, over %d",
		    numbers.bits, RSA_BITS_MAX);
	if (count_bits(numbers.exponent) > RSA_EXPONENT_BITS_MAX)
		return err_set(err, E_LIMIT, "RSA exponent over %d bits",
		    RSA_EXPONENT_BITS_MAX);
	/* An even modulus or exponent is no RSA key; 1 signs everything. */
	if (!(byte_at(numbers.modulus, numbers.modulus.len - 1) & 1) ||
	    !(byte_at(numbers.exponent, numbers.exponent.len - 1) & 1) ||
	    count_bits(numbers.exponent) < 2)
		return err_set(err, E_SYNTAX, "not the numbers of an RSA key");
	*ret = numbers;
	return true;
}
