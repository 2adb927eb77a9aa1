/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include <string.h>
#include <sys/random.h>

#include "base/require.h"

struct state {
	uint64_t v0, v1, v2, v3;
};

struct hash_secret hash_secret_new(void)
{
	struct hash_secret secret;

	/* Up to 256 bytes come whole, once the system has booted. */
	require(getrandom(&secret, sizeof(secret), 0) == sizeof(secret));
	return secret;
}

static uint64_t rotate(uint64_t x, unsigned int bits)
{
	return x << bits | x >> (64 - bits);
}

static void sip_round(struct state *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = rotate(s->v1, 13) ^ s->v0;
	s->v3 = rotate(s->v3, 16) ^ s->v2;
	s->v0 = rotate(s->v0, 32);
	s->v2 += s->v1;
	s->v0 += s->v3;
	s->v1 = rotate(s->v1, 17) ^ s->v2;
	s->v3 = rotate(s->v3, 21) ^ s->v0;
	s->v2 = rotate(s->v2, 32);
}

static void mix(struct state *s, uint64_t word)
{
	s->v3 ^= word;
	sip_round(s);
	s->v0 ^= word;
}

unsigned int hash_bytes(const struct hash_secret *secret, struct slice bytes)
{
	struct state s = {
	    secret->k0 ^ 0x736f6d6570736575,
	    secret->k1 ^ 0x646f72616e646f6d,
	    secret->k0 ^ 0x6c7967656e657261,
	    secret->k1 ^ 0x7465646279746573,
	};
	uint64_t word = 0;
	size_t pos = 0;

	for (; bytes.len - pos >= 8; pos += 8) {
		memcpy(&word, bytes.ptr + pos, 8);
		mix(&s, word);
	}
	word = 0;
	if (pos < bytes.len)
		memcpy(&word, bytes.ptr + pos, bytes.len - pos);
	mix(&s, word | (uint64_t)bytes.len << 56);
	s.v2 ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(&s);
	return (unsigned int)(s.v0 ^ s.v1 ^ s.v2 ^ s.v3);
}
