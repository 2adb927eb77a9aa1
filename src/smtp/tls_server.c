/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/tls_server.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "base/require.h"
#include "smtp/tls_certificate.h"

/* More names than any certificate needs; the rest are not read. */
enum { NAMES_MAX = 100, PATH_SIZE = 4096 };

static bool fail(struct err *err, struct slice path, const char *what)
{
	unsigned long code = ERR_get_error();
	char reason[200];

	/* The library would give a number for what the system has words for. */
	if (ERR_SYSTEM_ERROR(code))
		snprintf(reason, sizeof(reason), "%s",
		    strerror(ERR_GET_REASON(code)));
	else
		ERR_error_string_n(code, reason, sizeof(reason));
	ERR_clear_error();
	return err_set(
	    err, E_CONFIG, "%.*s: %s: %s", SLICE_ARGS(path), what, reason);
}

static bool path_text(struct slice path, char text[static PATH_SIZE])
{
	if (path.len >= PATH_SIZE)
		return false;
	memcpy(text, path.ptr, path.len);
	text[path.len] = '\0';
	return true;
}

/* The library tells it while it reads the key. */
static bool is_mismatch(void)
{
	unsigned long code = ERR_peek_last_error();

	return ERR_GET_LIB(code) == ERR_LIB_X509 &&
	       (ERR_GET_REASON(code) == X509_R_KEY_VALUES_MISMATCH ||
		   ERR_GET_REASON(code) == X509_R_KEY_TYPE_MISMATCH);
}

static bool load_key(
    SSL_CTX *context, const struct conf_tls *tls, struct err *err)
{
	struct slice key = tls->key;
	char path[PATH_SIZE];
	bool asked = false, ok;

	SSL_CTX_set_default_passwd_cb_userdata(context, &asked);
	ok = path_text(key, path) &&
	     SSL_CTX_use_PrivateKey_file(context, path, SSL_FILETYPE_PEM) == 1;
	SSL_CTX_set_default_passwd_cb_userdata(context, NULL);
	if (ok)
		return true;
	if (!asked && !is_mismatch())
		return fail(err, key, "no private key");
	ERR_clear_error();
	if (!asked)
		return err_set(err, E_CONFIG,
		    "%.*s: not the key of the certificate in %.*s",
		    SLICE_ARGS(key), SLICE_ARGS(tls->certificate));
	return err_set(err, E_CONFIG,
	    "%.*s: the private key is encrypted; it has to be there without a "
	    "passphrase",
	    SLICE_ARGS(key));
}

static bool load_pair(
    SSL_CTX *context, const struct conf_tls *tls, struct err *err)
{
	char path[PATH_SIZE];

	SSL_CTX_set_default_passwd_cb(context, tls_certificate_no_passphrase);
	if (!path_text(tls->certificate, path) ||
	    SSL_CTX_use_certificate_chain_file(context, path) != 1)
		return fail(err, tls->certificate, "no certificate chain");
	return load_key(context, tls, err);
}

/* Goes on in any case, and remembers through the application data that the
 * chain is not to be believed: the last error alone could be overwritten. */
static int note_verification(int ok, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(
	    store, SSL_get_ex_data_X509_STORE_CTX_idx());

	if (!ok && ssl)
		SSL_set_app_data(ssl, ssl);
	return 1;
}

static bool load_client_ca(
    SSL_CTX *context, const struct conf_tls *tls, struct err *err)
{
	char path[PATH_SIZE];
	X509_VERIFY_PARAM *parameters = SSL_CTX_get0_param(context);

	if (slice_empty(tls->client_ca))
		return true;
	if (!path_text(tls->client_ca, path) ||
	    SSL_CTX_load_verify_locations(context, path, NULL) != 1)
		return fail(err, tls->client_ca, "no CA certificates");
	/* Public CAs give mail servers certificates for servers only; the
	 * same one is shown when they are clients. */
	X509_VERIFY_PARAM_set_purpose(parameters, X509_PURPOSE_ANY);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, note_verification);
	/* A resumed session would not be verified again. */
	SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
	return true;
}

static bool set_up(
    SSL_CTX *context, const struct conf_tls *tls, struct err *err)
{
	static const unsigned char session_context[] = "gatehouse";

	SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION |
					 SSL_OP_NO_COMPRESSION |
					 SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_session_id_context(
	    context, session_context, sizeof(session_context) - 1);
	SSL_CTX_set_num_tickets(context, 1);
	return load_pair(context, tls, err) &&
	       load_client_ca(context, tls, err);
}

bool tls_server_load(
    const struct conf_tls *tls, struct ssl_ctx_st **ret, struct err *err)
{
	SSL_CTX *context;

	ERR_clear_error();
	context = SSL_CTX_new(TLS_server_method());
	if (!context)
		return fail(err, tls->certificate, "no TLS context");
	if (!set_up(context, tls, err)) {
		SSL_CTX_free(context);
		return false;
	}
	*ret = context;
	return true;
}

void tls_server_free(struct ssl_ctx_st *context)
{
	SSL_CTX_free(context);
}

struct ssl_ctx_st *tls_server_hold(struct ssl_ctx_st *context)
{
	require(SSL_CTX_up_ref(context) == 1);
	return context;
}

bool tls_server_is_for(struct ssl_ctx_st *context, struct slice name)
{
	X509 *certificate = SSL_CTX_get0_certificate(context);

	return certificate &&
	       X509_check_host(certificate, name.ptr, name.len, 0, NULL) == 1;
}

int64_t tls_server_expires(const struct ssl_ctx_st *context)
{
	const X509 *certificate = SSL_CTX_get0_certificate(context);
	STACK_OF(X509) *chain = NULL;
	int64_t earliest = 0;

	if (!certificate || !tls_certificate_not_after(certificate, &earliest))
		return 0;
	if (SSL_CTX_get0_chain_certs((SSL_CTX *)(uintptr_t)context, &chain) !=
	    1)
		return earliest;
	for (int i = 0; i < sk_X509_num(chain); i++) {
		int64_t at = 0;

		tls_certificate_not_after(sk_X509_value(chain, i), &at);
		if (at < earliest)
			earliest = at;
	}
	return earliest;
}

struct ssl_st *tls_server_accept(struct ssl_ctx_st *context)
{
	SSL *ssl = SSL_new(context);

	if (ssl)
		SSL_set_accept_state(ssl);
	return ssl;
}

struct names {
	size_t count;
	struct slice items[NAMES_MAX];
};

static void add_name(
    struct arena *arena, struct names *names, const ASN1_STRING *name)
{
	const char *bytes = (const char *)ASN1_STRING_get0_data(name);
	struct slice text = slice_of(bytes, (size_t)ASN1_STRING_length(name));

	/* A NUL inside would make two readers see two names. */
	if (slice_empty(text) || slice_find(text, '\0') < text.len ||
	    names->count == NAMES_MAX)
		return;
	names->items[names->count++] = arena_lower(arena, text);
}

static void add_alternative_names(
    struct arena *arena, struct names *names, X509 *certificate)
{
	GENERAL_NAMES *all = X509_get_ext_d2i(
	    certificate, NID_subject_alt_name, NULL, NULL);

	for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(all, i);

		if (name->type == GEN_DNS)
			add_name(arena, names, name->d.dNSName);
	}
	GENERAL_NAMES_free(all);
}

static void add_common_name(
    struct arena *arena, struct names *names, X509 *certificate)
{
	const X509_NAME *subject = X509_get_subject_name(certificate);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	const X509_NAME_ENTRY *entry = at < 0
					   ? NULL
					   : X509_NAME_get_entry(subject, at);

	if (entry)
		add_name(arena, names, X509_NAME_ENTRY_get_data(entry));
}

void tls_server_describe(
    struct ssl_st *ssl, struct arena *arena, struct envelope_client *client)
{
	X509 *certificate = SSL_get0_peer_certificate(ssl);
	struct names *names;

	client->tls = true;
	client->tls_version = arena_slice(
	    arena, slice_from(SSL_get_version(ssl)));
	client->tls_cipher = arena_slice(
	    arena, slice_from(SSL_get_cipher_name(ssl)));
	client->tls_name_count = 0;
	if (!certificate || SSL_get_app_data(ssl) ||
	    SSL_get_verify_result(ssl) != X509_V_OK)
		return;
	names = ARENA_NEW(arena, struct names);
	/* RFC 6125, 6.4.4: of old certificates, which say nothing else. */
	if (X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1) < 0)
		add_common_name(arena, names, certificate);
	else
		add_alternative_names(arena, names, certificate);
	client->tls_name_count = names->count;
	client->tls_names = names->items;
}
