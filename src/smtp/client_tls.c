/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/client_tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>

#include "base/ip.h"
#include "base/memory.h"
#include "base/require.h"

struct context {
	struct context *next;
	char *ca; /* NULL: of unverified connections */
	SSL_CTX *ssl;
};

struct client_tls {
	pthread_mutex_t lock;
	struct context *contexts;
};

struct client_tls *client_tls_new(void)
{
	struct client_tls *tls = MEMORY_NEW(struct client_tls);

	require(pthread_mutex_init(&tls->lock, NULL) == 0);
	return tls;
}

void client_tls_free(struct client_tls *tls)
{
	if (!tls)
		return;
	while (tls->contexts) {
		struct context *context = tls->contexts;

		tls->contexts = context->next;
		SSL_CTX_free(context->ssl);
		memory_free(context->ca);
		memory_free(context);
	}
	pthread_mutex_destroy(&tls->lock);
	memory_free(tls);
}

static bool load_authorities(SSL_CTX *ssl, const char *ca, struct err *err)
{
	bool ok = *ca ? SSL_CTX_load_verify_file(ssl, ca) == 1
		      : SSL_CTX_set_default_verify_paths(ssl) == 1;

	ERR_clear_error();
	return ok || err_set(err, E_CONFIG,
			 "%s: no certificates to verify "
			 "next hops with",
			 *ca ? ca : "the system");
}

static bool configure(SSL_CTX *ssl, const char *ca, struct err *err)
{
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
	if (!ca) {
		SSL_CTX_set_verify(ssl, SSL_VERIFY_NONE, NULL);
		SSL_CTX_set_security_level(ssl, 0);
		SSL_CTX_set_min_proto_version(ssl, TLS1_VERSION);
		return true;
	}
	SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION);
	return load_authorities(ssl, ca, err);
}

/* Locked. */
static void add_context(struct client_tls *tls, const char *ca, SSL_CTX *ssl)
{
	struct context *context = MEMORY_NEW(struct context);

	context->ca = ca ? memory_copy_text(ca, slice_from(ca).len) : NULL;
	context->ssl = ssl;
	context->next = tls->contexts;
	tls->contexts = context;
}

static bool new_context(const char *ca, SSL_CTX **ret, struct err *err)
{
	SSL_CTX *ssl = SSL_CTX_new(TLS_client_method());

	if (!ssl)
		return err_set(err, E_TEMP, "TLS: no memory for a context");
	if (!configure(ssl, ca, err)) {
		SSL_CTX_free(ssl);
		return false;
	}
	*ret = ssl;
	return true;
}

static bool is_context_for(const struct context *context, const char *ca)
{
	if (!context->ca || !ca)
		return !context->ca && !ca;
	return slice_eq(slice_from(context->ca), slice_from(ca));
}

/* Locked.  NULL: there is none. */
static SSL_CTX *look_up(const struct client_tls *tls, const char *ca)
{
	const struct context *context;

	for (context = tls->contexts; context; context = context->next)
		if (is_context_for(context, ca))
			return context->ssl;
	return NULL;
}

/* ca: NULL for unverified, "" for the system's authorities. */
static bool find_context(
    struct client_tls *tls, const char *ca, SSL_CTX **ret, struct err *err)
{
	SSL_CTX *ssl;
	bool ok = true;

	require(pthread_mutex_lock(&tls->lock) == 0);
	ssl = look_up(tls, ca);
	if (!ssl) {
		ok = new_context(ca, &ssl, err);
		if (ok)
			add_context(tls, ca, ssl);
	}
	require(pthread_mutex_unlock(&tls->lock) == 0);
	if (ok)
		*ret = ssl;
	return ok;
}

bool client_tls_prepare(
    struct client_tls *tls, const struct conf_route *route, struct err *err)
{
	SSL_CTX *context;
	char *path;
	bool ok;

	if (route->kind == NEXT_HOP_MAILDIR ||
	    route->tls != NEXT_HOP_TLS_MUST || slice_empty(route->tls_ca))
		return true;
	path = memory_copy_text(route->tls_ca.ptr, route->tls_ca.len);
	ok = find_context(tls, path, &context, err);
	memory_free(path);
	return ok;
}

void client_tls_keep(struct client_tls *tls, struct client_tls *old,
    const struct conf_route *route)
{
	char *path = memory_copy_text(route->tls_ca.ptr, route->tls_ca.len);
	SSL_CTX *ssl;

	require(pthread_mutex_lock(&old->lock) == 0);
	ssl = look_up(old, path);
	require(ssl && SSL_CTX_up_ref(ssl) == 1);
	require(pthread_mutex_unlock(&old->lock) == 0);
	require(pthread_mutex_lock(&tls->lock) == 0);
	add_context(tls, path, ssl);
	require(pthread_mutex_unlock(&tls->lock) == 0);
	memory_free(path);
}

/* host is not const: the macro of OpenSSL casts it away. */
static bool expect_host(SSL *ssl, char *host, bool verify)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	struct ip ip;

	if (ip_parse(slice_from(host), &ip))
		return !verify || X509_VERIFY_PARAM_set1_ip(param, ip.bytes,
				      ip.family == IP_V4 ? 4 : 16) == 1;
	/* SSL_set_tlsext_host_name, without its cast. */
	if (SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME,
		TLSEXT_NAMETYPE_host_name, (void *)(uintptr_t)host) != 1)
		return false;
	if (!verify)
		return true;
	/* RFC 9525 section 6.3: a wildcard is a whole label; section 2: a
	 * common name names nobody. */
	X509_VERIFY_PARAM_set_hostflags(
	    param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
		       X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	return X509_VERIFY_PARAM_set1_host(param, host, 0) == 1;
}

bool client_tls_start(struct client_tls *tls, bool verify, struct slice ca,
    struct slice host, struct ssl_st **ret, struct err *err)
{
	char *path = verify ? memory_copy_text(ca.ptr, ca.len) : NULL;
	char *name = memory_copy_text(host.ptr, host.len);
	SSL_CTX *context = NULL;
	SSL *ssl = NULL;
	bool ok = find_context(tls, path, &context, err);

	if (ok) {
		ssl = SSL_new(context);
		ok = (ssl && expect_host(ssl, name, verify)) ||
		     err_set(err, E_TEMP, "TLS: cannot prepare for %s", name);
		ERR_clear_error();
	}
	memory_free(path);
	memory_free(name);
	if (!ok) {
		SSL_free(ssl);
		return false;
	}
	SSL_set_connect_state(ssl);
	*ret = ssl;
	return true;
}

const char *client_tls_problem(struct ssl_st *ssl)
{
	long result;

	if (!ssl || SSL_get_verify_mode(ssl) == SSL_VERIFY_NONE)
		return "";
	result = SSL_get_verify_result(ssl);
	return result == X509_V_OK ? "" : X509_verify_cert_error_string(result);
}
