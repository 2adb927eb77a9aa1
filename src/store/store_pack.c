/* SPDX-License-Identifier: Apache-2.0 */
/* Most of a trace is the same in every other: its keys, and what is said of
 * mail that passed.  Unpacked, each is a page of its own in a commit. */
#include <limits.h>
#include <lz4.h>

#include "base/require.h"
#include "store/store.h"
#include "store/store_pack.h"

enum { LENGTH_OCTETS = 4 };

/* What was packed with it can be read with nothing else: it never changes.
 * Another one needs a column that says which. */
static const char dictionary[] =
    "\"dmarc_of_each_author\":[{\"recipient_changes\":{\"body\":{\"replaced\":"
    "true,\"problem\":\"SERVFAIL\",\"problem\":\"timeout\"temperrorpermerror"
    "softfailneutralbestguesspass250 2.0.0 accepted"
    "450 4.7.1 451 4.4.3 550 5.7.1 552 5.3.4 ,\"enforced\":false,\"enforced\":"
    "true,\"verdict\":\"quarantine\"discard\"redirect\"hold\"defer\"reject\","
    "\"because\":\"unauthenticated mail from  is not accepted due to the DMARC "
    "policy of  (p=reject)mail from our own domain  needs to be authenticated"
    "body hash did not verifysignature did not verifyno key for signature"
    "dkim=fail reason=\\\"body hash did not verify\\\" spf=none (sender IP is "
    "spf=softfail (sender IP is dmarc=fail (p=reject dis=reject) reason=\\\""
    "neither SPF nor DKIM passed for a domain aligned with \\\" header.from="
    "dkim=none; arc=none; dmarc=none reason=\\\"no DMARC record applies to "
    "arc=pass smtp.remote-ip=spf=pass (sender IP is "
    "dmarc=pass (p=quarantine dis=none) header.from="
    "{\"id\":\"\",\"verdict\":\"accept\",\"smtp_reply\":\"250 2.0.0 accepted\","
    "\"policy\":\"\",\"reason\":\"\",\"client\":{\"ip\":\"192.0.2.\",\"name\":"
    "\"mail.\",\"helo\":\"mail.\",\"listener\":\"mx\",\"tls\":\"TLSv1.3\","
    "\"authenticated_as\":\"\",\"connector\":\"\",\"expired_connector\":\"\","
    "\"in_organization\":false},\"mail_from\":\"@\",\"spf\":{\"result\":\"pass"
    "\",\"domain\":\".com\",\"identity\":\"mailfrom\",\"explanation\":\"\","
    "\"problem\":\"\",\"mechanism\":\"ip4:\",\"dns_lookups\":1},\"spf_helo\":{"
    "\"result\":\"none\",\"domain\":\"mail.\",\"identity\":\"helo\","
    "\"explanation\":\"\",\"problem\":\"\",\"mechanism\":\"\",\"dns_lookups\":"
    "0},\"dkim\":[{\"result\":\"pass\",\"domain\":\"\",\"selector\":\"\","
    "\"algorithm\":\"rsa-sha256\",\"identity\":\"@\",\"reason\":\"\","
    "\"key_bits\":2048,\"testing\":false,\"body_length_limited\":false}],"
    "\"arc\":{\"result\":\"none\",\"sets\":0,\"oldest_pass\":0,\"sealer\":\"\","
    "\"reason\":\"\"},\"dmarc\":{\"result\":\"pass\",\"from_domain\":\".com\","
    "\"policy\":\"reject\",\"applied_policy\":\"reject\",\"policy_domain\":\""
    ".com\",\"organizational_domain\":\".com\",\"spf_aligned\":true,"
    "\"dkim_aligned\":true,\"testing\":false,\"record\":\"v=DMARC1; p=reject; "
    "rua=mailto:dmarc@\",\"problem\":\"\",\"reason\":\"neither SPF nor DKIM "
    "passed for a domain aligned with \",\"override\":null},\"own_domain\":{"
    "\"result\":\"none\",\"domain\":\"\",\"reason\":\"\"},"
    "\"authentication_results\":\"; spf=pass (sender IP is ) smtp.mailfrom=@; "
    "spf=none (sender IP is ) smtp.helo=mail.; dkim=pass (2048-bit key) "
    "header.d= header.i=@ header.s= header.a=rsa-sha256 header.b=; arc=none; "
    "dmarc=pass (p=reject dis=none) header.from= policy.dmarc=reject\","
    "\"message\":{\"malformed\":[],\"from\":[\"@\"],\"size\":,\"message_id\":"
    "\"<@>\",\"subject\":\"\",\"date\":\"Mon, 01 Jan 2026 :00 +0000\","
    "\"parts\":[]},\"markings\":[],\"labels\":[],\"sensitive_information\":[],"
    "\"rules\":[],\"steps\":[{\"policy\":\"line-ends\",\"matched\":false},{"
    "\"policy\":\"loop\",\"matched\":false},{\"policy\":\"malformed\","
    "\"matched\":false},{\"policy\":\"own-domain\",\"matched\":false},{"
    "\"policy\":\"several-authors\",\"matched\":false},{\"policy\":\"dmarc\","
    "\"matched\":false}],\"recipients\":[{\"address\":\"@\",\"verdict\":"
    "\"accept\"}],\"headers\":{\"added\":[\"Authentication-Results: ;\\r\\n\\t"
    "spf=pass (sender IP is )\\r\\n\\tsmtp.mailfrom=@;\\r\\n\\tspf=none "
    "(sender "
    "IP is ) smtp.helo=mail.;\\r\\n\\tdkim=pass (2048-bit key) header.d= "
    "header.i=@\\r\\n\\theader.s= header.a=rsa-sha256 header.b=;\\r\\n\\t"
    "arc=none;\\r\\n\\tdmarc=pass (p=reject dis=none)\\r\\n\\theader.from= "
    "policy.dmarc=reject\",\"X-Gatehouse-Loop: \"],\"removed\":[]},"
    "\"dns_queries\":[{\"name\":\"_dmarc.\",\"type\":\"TXT\",\"rcode\":"
    "\"NXDOMAIN\"},{\"name\":\"._domainkey.\",\"type\":\"TXT\",\"rcode\":"
    "\"UNUSED\"},{\"name\":\"mail.\",\"type\":\"A\",\"rcode\":\"NOERROR\"},{"
    "\"name\":\"_spf.\",\"type\":\"TXT\",\"rcode\":\"NOERROR\"}]}";

enum { DICTIONARY_LEN = sizeof(dictionary) - 1 };

static void put_length(unsigned char *at, size_t length)
{
	for (int i = 0; i < LENGTH_OCTETS; i++)
		at[i] = (unsigned char)(length >> (8 * i));
}

static size_t get_length(const unsigned char *at)
{
	size_t length = 0;

	for (int i = 0; i < LENGTH_OCTETS; i++)
		length |= (size_t)at[i] << (8 * i);
	return length;
}

struct slice store_pack(struct arena *arena, struct slice text)
{
	LZ4_stream_t stream;
	int room, len;
	char *packed;

	require(text.len <= STORE_FACTS_MAX);
	room = LZ4_compressBound((int)text.len);
	packed = arena_alloc(arena, LENGTH_OCTETS + (size_t)room);
	put_length((unsigned char *)packed, text.len);
	LZ4_initStream(&stream, sizeof(stream));
	LZ4_loadDict(&stream, dictionary, DICTIONARY_LEN);
	len = LZ4_compress_fast_continue(&stream, text.len ? text.ptr : "",
	    packed + LENGTH_OCTETS, (int)text.len, room, 1);
	require(len > 0); /* it has the room it may need */
	return slice_of(packed, LENGTH_OCTETS + (size_t)len);
}

bool store_unpack(struct arena *arena, struct slice packed, struct slice *ret,
    struct err *err)
{
	size_t length;
	char *text;

	if (packed.len < LENGTH_OCTETS || packed.len > INT_MAX)
		return err_set(err, E_IO, "no packed text");
	length = get_length((const unsigned char *)packed.ptr);
	/* More was never packed: a damaged row must not take memory. */
	if (length > STORE_FACTS_MAX)
		return err_set(err, E_IO, "no packed text");
	text = arena_alloc(arena, length + 1);
	if (LZ4_decompress_safe_usingDict(packed.ptr + LENGTH_OCTETS, text,
		(int)(packed.len - LENGTH_OCTETS), (int)length, dictionary,
		DICTIONARY_LEN) != (int)length)
		return err_set(err, E_IO, "a packed text is damaged");
	*ret = slice_of(text, length);
	return true;
}
