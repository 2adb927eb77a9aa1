/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/client_tls.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "smtp/client.h"
#include "smtp/test_fake_server.h"

#define OFFER                                                                  \
	"S:220 hop", "C:EHLO", "S:250-hop\r\n250 STARTTLS", "C:STARTTLS",      \
	    "S:220 go"
#define AGAIN "C:EHLO", "S:250-hop\r\n250 SIZE 77", "C:QUIT"
#define STARTTLS                                                               \
	"S:220 hop", "C:EHLO", "S:250-hop\r\n250 STARTTLS", "C:STARTTLS"
#define SCRIPT(...) ((const char *const[]){__VA_ARGS__, NULL})

/* A certificate for hop.example (by its common name: old.example) that signs
 * itself, with its key. */
static void write_certificate(const char *path, const char *alternative)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();
	X509_NAME *name = X509_get_subject_name(certificate);
	X509_EXTENSION *names = X509V3_EXT_conf_nid(
	    NULL, NULL, NID_subject_alt_name, alternative);
	FILE *file = fopen(path, "w");

	X509_set_version(certificate, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -1000);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 100000);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
	    (const unsigned char *)"old.example", -1, -1, 0);
	X509_set_issuer_name(certificate, name);
	X509_add_ext(certificate, names, -1);
	X509_set_pubkey(certificate, key);
	assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
	assert_non_null(file);
	PEM_write_X509(file, certificate);
	PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
	fclose(file);
	X509_EXTENSION_free(names);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

static const struct {
	const char *name;
	enum conf_next_hop_tls tls;
	bool with_ca;
	const char *host;
	const char *const *scripts[2];
	bool opens, encrypted, tells; /* why it is plain */
} cases[] = {
    {"off", NEXT_HOP_TLS_OFF, false, "hop.example",
	{SCRIPT("S:220 hop", "C:EHLO", "S:250-hop\r\n250 STARTTLS", "C:QUIT")},
	true, false},
    {"may, not offered", NEXT_HOP_TLS_MAY, false, "hop.example",
	{SCRIPT("S:220 hop", "C:EHLO", "S:250 hop", "C:QUIT")}, true, false},
    {"may", NEXT_HOP_TLS_MAY, false, "other.example",
	{SCRIPT(OFFER, "T", AGAIN)}, true, true},
    {"may, refused", NEXT_HOP_TLS_MAY, false, "hop.example",
	{SCRIPT("S:220 hop", "C:EHLO", "S:250-hop\r\n250 STARTTLS",
	    "C:STARTTLS", "S:454 4.7.0 not now", "C:QUIT")},
	true, false, true},
    {"may, handshake fails", NEXT_HOP_TLS_MAY, false, "hop.example",
	{SCRIPT(OFFER, "G"), SCRIPT("S:220 hop", "C:EHLO",
				 "S:250-hop\r\n250 STARTTLS", "C:QUIT")},
	true, false, true},
    {"must", NEXT_HOP_TLS_MUST, true, "hop.example",
	{SCRIPT(OFFER, "T", AGAIN)}, true, true},
    {"must, other name", NEXT_HOP_TLS_MUST, true, "other.example",
	{SCRIPT(OFFER, "T", "A")}, false, false},
    {"must, unknown authority", NEXT_HOP_TLS_MUST, false, "hop.example",
	{SCRIPT(OFFER, "T", "A")}, false, false},
    {"must, an address", NEXT_HOP_TLS_MUST, true, "127.0.0.1",
	{SCRIPT(OFFER, "T", "A")}, false, false},
    {"must, handshake fails", NEXT_HOP_TLS_MUST, true, "hop.example",
	{SCRIPT(OFFER, "G")}, false, false},
    {"must, not offered", NEXT_HOP_TLS_MUST, true, "hop.example",
	{SCRIPT("S:220 hop", "C:EHLO", "S:250 hop", "A")}, false, false},
    {"must, refused", NEXT_HOP_TLS_MUST, true, "hop.example",
	{SCRIPT("S:220 hop", "C:EHLO", "S:250-hop\r\n250 STARTTLS",
	    "C:STARTTLS", "S:454 4.7.0 not now", "A")},
	false, false},
    /* What is sent before the handshake is not believed after it. */
    {"must, with forged capabilities", NEXT_HOP_TLS_MUST, true, "hop.example",
	{SCRIPT("S:220 hop", "C:EHLO", "S:250-hop\r\n250 STARTTLS",
	    "C:STARTTLS", "S:220 go\r\n250-evil\r\n250 SIZE 1", "T", AGAIN)},
	true, true},
};

static void test_policies(void **state)
{
	struct limits limits = limits_default;
	struct client_tls *tls = client_tls_new();
	struct smtp_client_settings settings = {
	    .hostname = SLICE("gate.example"), .limits = &limits, .tls = tls};
	char path[] = "/tmp/client-tls-XXXXXX";

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	limits.next_hop_timeout = 2000;
	limits.tls_timeout = 2000;
	close(mkstemp(path));
	write_certificate(path, "DNS:hop.example");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t count = cases[i].scripts[1] ? 2 : 1;
		struct fake_server *server = fake_server_start(
		    cases[i].scripts, count, false);
		struct smtp_endpoint endpoint = {
		    .host = slice_from(cases[i].host),
		    .port = fake_server_port(server),
		    .tls = cases[i].tls,
		    .tls_ca = slice_from(cases[i].with_ca ? path : ""),
		};
		enum smtp_client_stage stage;
		struct smtp_client *client;
		struct err err = {0};
		const char *problem;
		bool ok;

		fake_server_use_certificate(server, path);
		assert_true(ip_parse(SLICE("127.0.0.1"), &endpoint.ip));
		ok = smtp_client_open(&settings, &endpoint, NULL,
		    deadline_in(2000), &client, &stage, &err);
		if (ok != cases[i].opens)
			fail_msg("%s: %s", cases[i].name, err.text);
		if (ok) {
			assert_int_equal(
			    smtp_client_is_tls(client), cases[i].encrypted);
			if (cases[i].encrypted)
				assert_int_equal(
				    smtp_client_capabilities(client)->size_max,
				    77);
			if (smtp_client_state(client)->tls_failed !=
				cases[i].tells ||
			    (err.kind != E_NONE) != cases[i].tells)
				fail_msg("%s: %s", cases[i].name, err.text);
			smtp_client_quit(client);
		}
		problem = fake_server_stop(server);
		if (problem)
			fail_msg("%s: %s", cases[i].name, problem);
	}
	client_tls_free(tls);
	unlink(path);
}

static const struct {
	const char *name;
	const char *const *script;
	enum conf_next_hop_tls tls;
	enum smtp_client_stage stage;
	enum err_kind kind;
} stages[] = {
    {"no greeting", SCRIPT("H"), NEXT_HOP_TLS_OFF, STAGE_GREETING, E_TIMEOUT},
    {"refuses", SCRIPT("S:554 no"), NEXT_HOP_TLS_OFF, STAGE_GREETING, E_TEMP},
    {"no EHLO", SCRIPT("S:220 hop", "C:EHLO", "H"), NEXT_HOP_TLS_OFF,
	STAGE_GREETING, E_TIMEOUT},
    {"no STARTTLS", SCRIPT(STARTTLS, "H"), NEXT_HOP_TLS_MAY, STAGE_TLS,
	E_TIMEOUT},
    {"closing at STARTTLS", SCRIPT(STARTTLS, "S:421 bye"), NEXT_HOP_TLS_MAY,
	STAGE_TLS, E_TEMP},
    {"no handshake", SCRIPT(STARTTLS, "S:220 go", "H"), NEXT_HOP_TLS_MUST,
	STAGE_TLS, E_TIMEOUT},
};

/* RFC 9525: a common name is not looked at, also where no other name is. */
static void test_common_name_alone(void **state)
{
	static const char *const script[] = {OFFER, "T", "A", NULL};
	static const char *const *const scripts[] = {script};
	struct client_tls *tls = client_tls_new();
	const struct smtp_client_settings settings = {
	    .hostname = SLICE("gate.example"),
	    .limits = &limits_default,
	    .tls = tls,
	};
	char path[] = "/tmp/client-tls-XXXXXX";
	struct fake_server *server = fake_server_start(scripts, 1, false);
	struct smtp_endpoint endpoint = {
	    .host = SLICE("old.example"),
	    .port = fake_server_port(server),
	    .tls = NEXT_HOP_TLS_MUST,
	    .tls_ca = slice_from(path),
	};
	enum smtp_client_stage stage;
	struct smtp_client *client;
	struct err err = {0};

	(void)state;
	close(mkstemp(path));
	write_certificate(path, "email:postmaster@old.example");
	fake_server_use_certificate(server, path);
	assert_true(ip_parse(SLICE("127.0.0.1"), &endpoint.ip));
	assert_false(smtp_client_open(&settings, &endpoint, NULL,
	    deadline_in(2000), &client, &stage, &err));
	assert_int_equal(stage, STAGE_TLS);
	assert_non_null(strstr(err.text, "ostname mismatch"));
	assert_null(fake_server_stop(server));
	client_tls_free(tls);
	unlink(path);
}

/* Whatever it waits for, opening is over in time, and says where it was. */
static void test_stages(void **state)
{
	struct limits limits = limits_default;
	struct client_tls *tls = client_tls_new();
	const struct smtp_client_settings settings = {
	    .hostname = SLICE("gate.example"),
	    .limits = &limits,
	    .tls = tls,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
		struct fake_server *server = fake_server_start(
		    &stages[i].script, 1, false);
		struct smtp_endpoint endpoint = {
		    .host = SLICE("hop.example"),
		    .port = fake_server_port(server),
		    .tls = stages[i].tls,
		};
		int64_t started = clock_monotonic_ms();
		enum smtp_client_stage stage = STAGE_CONNECT;
		struct smtp_client *client;
		struct err err = {0};

		assert_true(ip_parse(SLICE("127.0.0.1"), &endpoint.ip));
		assert_false(smtp_client_open(&settings, &endpoint, NULL,
		    deadline_in(300), &client, &stage, &err));
		if (stage != stages[i].stage || err.kind != stages[i].kind)
			fail_msg(
			    "%s: %d %s", stages[i].name, (int)stage, err.text);
		assert_in_range(clock_monotonic_ms() - started, 0, 2000);
		assert_null(fake_server_stop(server));
	}
	client_tls_free(tls);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_policies),
	    cmocka_unit_test(test_common_name_alone),
	    cmocka_unit_test(test_stages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
