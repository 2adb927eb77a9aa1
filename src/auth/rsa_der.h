/* SPDX-License-Identifier: Apache-2.0 */
/* auth/rsa_der.h - the numbers of an RSA public key in DER.
 *
 * A SubjectPublicKeyInfo with rsaEncryption (RFC 5280), which is what DKIM
 * keys hold, or a bare RSAPublicKey (RFC 8017 appendix A.1.1), which RFC 6376
 * section 3.6.1 names and some domains publish.  Strict: DER lengths only, no
 * negative or padded number, nothing left over.
 */
#ifndef AUTH_RSA_DER_H
#define AUTH_RSA_DER_H

#include "base/err.h"
#include "base/slice.h"

/* Checking a signature costs time by the key's size, and senders choose it. */
enum { RSA_BITS_MAX = 8192, RSA_EXPONENT_BITS_MAX = 64 };

struct rsa_numbers {
	struct slice modulus; /* big-endian, no leading zero */
	struct slice exponent;
	unsigned int bits; /* of the modulus */
};

/* The numbers borrow der.  False: E_SYNTAX, or E_LIMIT. */
bool rsa_der_parse(struct slice der, struct rsa_numbers *ret, struct err *err);

#endif
