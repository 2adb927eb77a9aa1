/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/tls_certificate.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <time.h>

#include "base/io.h"

enum { FILE_MAX = 1 << 20, CHAIN_MAX = 32 };

int tls_certificate_no_passphrase(char *room, int size, int writes, void *asked)
{
	(void)room;
	(void)size;
	(void)writes;
	if (asked)
		*(bool *)asked = true;
	return -1;
}

bool tls_certificate_not_after(const struct x509_st *certificate, int64_t *ret)
{
	struct tm tm = {0};

	if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &tm) != 1)
		return false;
	*ret = timegm(&tm);
	return true;
}

/* The number of certificates that were read. */
static int read_chain(BIO *pem, int64_t *earliest)
{
	int count = 0;

	while (count < CHAIN_MAX) {
		X509 *certificate = PEM_read_bio_X509(
		    pem, NULL, tls_certificate_no_passphrase, NULL);
		int64_t at = 0;
		bool ok;

		if (!certificate)
			break;
		ok = tls_certificate_not_after(certificate, &at);
		X509_free(certificate);
		if (!ok)
			return 0;
		if (count == 0 || at < *earliest)
			*earliest = at;
		count++;
	}
	return count;
}

bool tls_certificate_expires(
    struct arena *arena, struct slice path, int64_t *ret, struct err *err)
{
	int64_t earliest = 0;
	struct slice text;
	int count;
	BIO *pem;

	if (!io_read_file(arena, arena_text(arena, path), FILE_MAX, &text, err))
		return false;
	pem = BIO_new_mem_buf(text.len ? text.ptr : "", (int)text.len);
	if (!pem)
		return err_set(err, E_TEMP, "no memory for a certificate");
	count = read_chain(pem, &earliest);
	BIO_free(pem);
	/* The end of the file is an error, too: it is nobody else's. */
	ERR_clear_error();
	if (count == 0)
		return err_set(err, E_CONFIG, "%.*s: no certificate in it",
		    SLICE_ARGS(path));
	*ret = earliest;
	return true;
}
