#include "enclave/fetch/tls.h"

#include "core/ip.h"
#include "enclave/fetch/staple.h"
#include "enclave/fetch/transparency.h"
#include "enclave/fetch/x509_time.h"

#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#define DAY_S 86400u
#define LIFETIME_DAYS_DEFAULT 398u
#define RSA_BITS_MIN 2048
/* A signature with more is checked slower than anybody needs. */
#define RSA_BITS_MAX 8192
/* SHA-1 counts 63, SHA-256 128. */
#define HASH_BITS_MIN 112
#define SCT_MIN_DEFAULT 2u
#define FEATURE_STATUS_REQUEST 5

struct tls {
	X509_STORE *roots;
	struct transparency *transparency;
	size_t private_count;
	struct cs_hash private_roots[FETCH_ANCHORS_MAX]; /* of their DER */
	struct verify_time now;
};

/* OpenSSL's numbers for what hangs on its objects; they are the process', given once. */
static int peer_index = -1;  /* of an SSL_CTX: struct tls_peer */
static int facts_index = -1; /* of an SSL_SESSION: struct tls_facts */

/* To whom a connection goes, and who is told. libcurl makes an SSL_CTX for each connection: one
 * reference is its. */
struct tls_peer {
	uint32_t references;
	bool used;  /* by a request */
	bool ended; /* by the other side itself */
	struct tls *tls;
	tls_refused *refused;
	void *context;
	uint64_t id;
	char host[254];
};

/* ---- facts, counted by their sessions ---- */

static void free_facts(void *parent, void *value, CRYPTO_EX_DATA *data, int index, long argl,
		       void *argp)
{
	struct tls_facts *facts = value;
	(void)parent, (void)data, (void)index, (void)argl, (void)argp;
	if (facts != NULL && --facts->references == 0)
		free(facts);
}

/* TLS 1.3 makes a session for each ticket by copying the one of the handshake. */
static int share_facts(CRYPTO_EX_DATA *to, const CRYPTO_EX_DATA *from, void **value, int index,
		       long argl, void *argp)
{
	struct tls_facts *facts = *value;
	(void)to, (void)from, (void)index, (void)argl, (void)argp;
	if (facts != NULL)
		facts->references++;
	return 1;
}

static void free_peer(void *parent, void *value, CRYPTO_EX_DATA *data, int index, long argl,
		      void *argp)
{
	(void)parent, (void)data, (void)index, (void)argl, (void)argp;
	tls_peer_release(value);
}

void tls_peer_release(struct tls_peer *peer)
{
	if (peer != NULL && --peer->references == 0)
		free(peer);
}

static struct tls_peer *peer_of(const SSL *ssl)
{
	return SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), peer_index);
}

struct tls_peer *tls_peer_of(SSL *ssl)
{
	struct tls_peer *peer = peer_of(ssl);
	if (peer != NULL)
		peer->references++;
	return peer;
}

bool tls_peer_ended(const struct tls_peer *peer)
{
	return peer->ended;
}

const struct tls_facts *tls_facts_of(SSL *ssl)
{
	const SSL_SESSION *session = SSL_get0_session(ssl);
	return session == NULL ? NULL : SSL_SESSION_get_ex_data(session, facts_index);
}

/* ---- certificates ---- */

static const char *check_key(X509 *certificate)
{
	static const char *const curves[] = {"prime256v1", "secp384r1", "secp521r1"};
	char group[32];
	const EVP_PKEY *key = X509_get0_pubkey(certificate);
	if (key == NULL)
		return "a key in the chain cannot be read";
	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_ED25519:
	case EVP_PKEY_ED448:
		return NULL;
	case EVP_PKEY_RSA:
	case EVP_PKEY_RSA_PSS:
		return EVP_PKEY_get_bits(key) >= RSA_BITS_MIN &&
				       EVP_PKEY_get_bits(key) <= RSA_BITS_MAX
			       ? NULL
			       : "the size of an RSA key in the chain";
	case EVP_PKEY_EC:
		if (EVP_PKEY_get_group_name(key, group, sizeof group, NULL) == 1)
			for (size_t i = 0; i < CS_LEN(curves); i++)
				if (strcmp(group, curves[i]) == 0)
					return NULL;
		return "the curve of a key in the chain";
	}
	return "the kind of a key in the chain";
}

static const char *check_hash(X509 *certificate)
{
	int bits = 0;
	if (X509_get_signature_info(certificate, NULL, NULL, &bits, NULL) != 1 ||
	    bits < HASH_BITS_MIN)
		return "a signature in the chain is weak";
	return NULL;
}

/* The low end decides what has begun, the high end what is over. */
static const char *check_dates(struct tls_facts *facts, const X509 *certificate,
			       const struct verify_time *now)
{
	uint64_t from_s, to_s;
	if (!x509_time_s(&from_s, X509_get0_notBefore(certificate)) ||
	    !x509_time_s(&to_s, X509_get0_notAfter(certificate)))
		return "a date in the chain cannot be read";
	if (verify_time_reached(now, from_s) != CS_OK)
		return "a certificate in the chain is not yet valid";
	/* notAfter itself is still inside (RFC 5280, 4.1.2.5). */
	if (verify_time_before(now, to_s + 1) != CS_OK)
		return "a certificate in the chain has expired, or nothing says that it has not";
	if (facts->chain_count == 0)
		facts->lifetime_s = to_s < from_s ? UINT64_MAX : to_s - from_s;
	if (facts->chain_count == 0 || to_s < facts->valid_until_s)
		facts->valid_until_s = to_s;
	return NULL;
}

static bool hash_spki(struct cs_hash *hash, const X509 *certificate)
{
	uint8_t *der = NULL;
	const int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
	if (n <= 0)
		return false;
	*hash = cs_sha256(cs_bytes(der, (size_t)n));
	OPENSSL_free(der);
	return true;
}

static bool is_private_root(const struct tls *tls, const X509 *root)
{
	struct cs_hash hash;
	unsigned size = 0;
	if (X509_digest(root, EVP_sha256(), hash.b, &size) != 1)
		return false;
	for (size_t i = 0; i < tls->private_count; i++)
		if (cs_hash_eq(&tls->private_roots[i], &hash))
			return true;
	return false;
}

static bool demands_staple(const X509 *leaf)
{
	TLS_FEATURE *features = X509_get_ext_d2i(leaf, NID_tlsfeature, NULL, NULL);
	bool found = false;
	for (int i = 0; features != NULL && i < sk_ASN1_INTEGER_num(features); i++)
		found = found || ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features, i)) ==
					 FEATURE_STATUS_REQUEST;
	TLS_FEATURE_free(features);
	return found;
}

static const char *check_chain(struct tls_facts *facts, const struct tls *tls,
			       STACK_OF(X509) * chain)
{
	const int count = sk_X509_num(chain);
	if (count < 2)
		return "the certificate is its own issuer";
	if (count > (int)TLS_CHAIN_MAX)
		return "the chain is too long";
	for (int i = 0; i < count; i++) {
		X509 *certificate = sk_X509_value(chain, i);
		const char *why = check_key(certificate);
		/* Nobody relies on what a root says about itself. */
		if (why == NULL && i < count - 1)
			why = check_hash(certificate);
		if (why == NULL)
			why = check_dates(facts, certificate, &tls->now);
		if (why != NULL)
			return why;
		if (!hash_spki(&facts->chain[facts->chain_count++], certificate))
			return "a key in the chain cannot be written";
	}
	X509 *leaf = sk_X509_value(chain, 0);
	facts->verified_s = tls->now.low_s;
	facts->private_ca = is_private_root(tls, sk_X509_value(chain, count - 1));
	facts->staple_demanded = demands_staple(leaf);
	facts->sct_count = transparency_count(tls->transparency, leaf, sk_X509_value(chain, 1),
					      tls->now.low_s);
	return NULL;
}

static const char *verify_chain(struct tls_facts *facts, const struct tls_peer *peer,
				X509_STORE_CTX *ctx)
{
	struct cs_ip ip;
	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
	const bool literal = cs_ip4_parse(&ip, cs_bytes_str(peer->host)) == CS_OK;
	if (peer->tls->now.high_s == 0)
		return "no source of time says that the certificate has not expired";
	X509_VERIFY_PARAM_set_time(param, (time_t)peer->tls->now.low_s);
	X509_VERIFY_PARAM_set_depth(param, (int)TLS_CHAIN_MAX - 2);
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
						       X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	if ((literal ? X509_VERIFY_PARAM_set1_ip_asc(param, peer->host)
		     : X509_VERIFY_PARAM_set1_host(param, peer->host, 0)) != 1)
		return "the name cannot be checked";
	if (X509_verify_cert(ctx) != 1)
		return X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx));
	return check_chain(facts, peer->tls, X509_STORE_CTX_get0_chain(ctx));
}

static int on_certificates(X509_STORE_CTX *ctx, void *context)
{
	const struct tls_peer *peer = context;
	SSL *ssl = X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
	SSL_SESSION *session = SSL_get_session(ssl);
	struct tls_facts *facts = calloc(1, sizeof *facts);
	const char *why = facts == NULL || session == NULL ? "no memory" : NULL;
	if (why == NULL)
		why = verify_chain(facts, peer, ctx);
	if (why == NULL) {
		facts->references = 1;
		if (SSL_SESSION_set_ex_data(session, facts_index, facts) == 1)
			return 1;
		why = "no memory";
	}
	free(facts);
	peer->refused(peer->context, peer->id, why);
	/* The alert that goes out is made of it. */
	if (X509_STORE_CTX_get_error(ctx) == X509_V_OK)
		X509_STORE_CTX_set_error(ctx, X509_V_ERR_CERT_UNTRUSTED);
	return 0;
}

/* Called whether there is a response or not, and for resumed sessions, which have none. */
static int on_staple(SSL *ssl, void *context)
{
	const struct tls_peer *peer = context;
	SSL_SESSION *session = SSL_get_session(ssl);
	struct tls_facts *facts =
		session == NULL ? NULL : SSL_SESSION_get_ex_data(session, facts_index);
	STACK_OF(X509) *chain = SSL_get0_verified_chain(ssl);
	unsigned char *response = NULL;
	const long n = SSL_get_tlsext_status_ocsp_resp(ssl, &response);
	if (SSL_session_reused(ssl) || n <= 0 || response == NULL)
		return 1;
	const char *why = "a stapled response without certificates";
	if (facts != NULL && chain != NULL)
		why = staple_check(&facts->staple_until_s, cs_bytes(response, (size_t)n), chain,
				   peer->tls->roots, &peer->tls->now);
	if (why == NULL) {
		facts->stapled_good = true;
		return 1;
	}
	peer->refused(peer->context, peer->id, why);
	return 0;
}

/* Kept here because libcurl resets the connection's own state when it closes it. */
static void on_state(const SSL *ssl, int where, int what)
{
	struct tls_peer *peer = peer_of(ssl);
	if (peer != NULL && (where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT &&
	    (what & 0xff) == SSL_AD_CLOSE_NOTIFY)
		peer->ended = true;
}

/* ---- a connection ---- */

bool tls_prepare(struct tls *tls, SSL_CTX *ctx, const char *host, tls_refused *refused,
		 void *context, uint64_t id)
{
	struct tls_peer *peer = calloc(1, sizeof *peer);
	const size_t n = strlen(host);
	if (peer == NULL || n >= sizeof peer->host ||
	    SSL_CTX_set_ex_data(ctx, peer_index, peer) != 1) {
		free(peer);
		return false;
	}
	*peer = (struct tls_peer){
		.references = 1, .tls = tls, .refused = refused, .context = context, .id = id};
	memcpy(peer->host, host, n + 1);
	SSL_CTX_set_cert_verify_callback(ctx, on_certificates, peer);
	SSL_CTX_set_info_callback(ctx, on_state);
	SSL_CTX_set_security_level(ctx, 2);
	/* libcurl asks to overlook a connection that ends without close_notify. */
	SSL_CTX_clear_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_timeout(ctx, FETCH_EVIDENCE_AGE_MAX_S);
	SSL_CTX_set1_cert_store(ctx, tls->roots);
	return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
	       SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) == 1 &&
	       SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1 &&
	       SSL_CTX_set_tlsext_status_type(ctx, TLSEXT_STATUSTYPE_ocsp) == 1 &&
	       SSL_CTX_set_tlsext_status_cb(ctx, on_staple) == 1 &&
	       SSL_CTX_set_tlsext_status_arg(ctx, peer) == 1;
}

bool tls_is_fresh(SSL *ssl)
{
	struct tls_peer *peer = peer_of(ssl);
	const bool first = peer != NULL && !peer->used;
	if (peer != NULL)
		peer->used = true;
	return first && !SSL_session_reused(ssl);
}

/* ---- a request's own rules ---- */

static bool is_pinned(const struct tls_facts *facts, const struct fetch_request *request)
{
	for (size_t i = 0; i < request->pin_count; i++)
		for (size_t k = 0; k < facts->chain_count; k++)
			if (cs_hash_eq(&request->pins[i], &facts->chain[k]))
				return true;
	return request->pin_count == 0;
}

uint64_t tls_ends_s(const struct tls_facts *facts)
{
	const uint64_t ends_s = facts->valid_until_s + 1;
	return facts->stapled_good && facts->staple_until_s != 0 && facts->staple_until_s < ends_s
		       ? facts->staple_until_s
		       : ends_s;
}

const char *tls_judge(const struct tls *tls, const struct tls_facts *facts,
		      const struct fetch_request *request, bool *renew)
{
	const uint64_t days = request->lifetime_max_days != 0 ? request->lifetime_max_days
							      : LIFETIME_DAYS_DEFAULT;
	const uint64_t sct_min = !request->sct_min_default ? request->sct_min
				 : facts->private_ca       ? 0
							   : SCT_MIN_DEFAULT;
	*renew = verify_time_before(&tls->now, facts->valid_until_s + 1) != CS_OK ||
		 verify_time_before(&tls->now, facts->verified_s + FETCH_EVIDENCE_AGE_MAX_S + 1) !=
			 CS_OK ||
		 (facts->stapled_good &&
		  verify_time_before(&tls->now, facts->staple_until_s) != CS_OK);
	if (*renew)
		return "the certificate was looked at too long ago";
	if (!is_pinned(facts, request))
		return "no key of the chain is among the pins";
	if (facts->lifetime_s > days * DAY_S)
		return "the certificate lives longer than the source allows";
	/* 0 would let any public CA's certificate pass that nobody ever saw. */
	if (sct_min == 0 && !facts->private_ca)
		return "no timestamps were asked for, and the CA is not a private one";
	if (facts->sct_count < sct_min)
		return "too few signed certificate timestamps of the manifest's logs";
	if ((request->stapled || facts->staple_demanded) && !facts->stapled_good)
		return "no OCSP response is stapled";
	return NULL;
}

void tls_evidence(struct wire_evidence_source *evidence, SSL *ssl, const struct tls_facts *facts)
{
	const unsigned char *alpn = NULL;
	unsigned n = 0;
	SSL_get0_alpn_selected(ssl, &alpn, &n);
	evidence->leaf_spki = facts->chain[0];
	evidence->issuer_spki = facts->chain[1];
	evidence->version = (uint16_t)SSL_version(ssl);
	evidence->cipher = SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(ssl));
	evidence->http2 = n == 2 && memcmp(alpn, "h2", 2) == 0;
	evidence->stapled_good = facts->stapled_good;
	evidence->sct_count = facts->sct_count;
}

/* ---- the whole ---- */

static enum cs_err add_anchor(struct tls *tls, const struct fetch_anchor *anchor, size_t index,
			      struct cs_why *why)
{
	const uint8_t *p = anchor->der.p;
	if (anchor->der.n == 0 || anchor->der.n > INT32_MAX)
		return cs_fail(why, CS_ERR_INVALID, "anchor %zu is empty", index);
	X509 *root = d2i_X509(NULL, &p, (long)anchor->der.n);
	enum cs_err err = CS_OK;
	if (root == NULL || p != anchor->der.p + anchor->der.n)
		err = cs_fail(why, CS_ERR_INVALID, "anchor %zu is no certificate", index);
	else if (X509_check_ca(root) == 0 || X509_self_signed(root, 0) != 1)
		err = cs_fail(why, CS_ERR_INVALID, "anchor %zu is no root of a CA", index);
	else if (X509_STORE_add_cert(tls->roots, root) != 1)
		err = CS_ERR_CRYPTO;
	else if (anchor->private_ca)
		tls->private_roots[tls->private_count++] = cs_sha256(anchor->der);
	X509_free(root);
	return err;
}

static enum cs_err fill(struct tls *tls, const struct fetch_options *options, struct cs_why *why)
{
	if (options->anchor_count > FETCH_ANCHORS_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "%zu anchors", options->anchor_count);
	if (facts_index < 0)
		facts_index = SSL_SESSION_get_ex_new_index(0, NULL, NULL, share_facts, free_facts);
	if (peer_index < 0)
		peer_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_peer);
	tls->roots = X509_STORE_new();
	if (facts_index < 0 || peer_index < 0 || tls->roots == NULL)
		return CS_ERR_CRYPTO;
	for (size_t i = 0; i < options->anchor_count; i++)
		CS_TRY(add_anchor(tls, &options->anchors[i], i, why));
	return transparency_new(&tls->transparency, options->logs, options->log_count, why);
}

enum cs_err tls_new(struct tls **out, const struct fetch_options *options, struct cs_why *why)
{
	struct tls *tls = calloc(1, sizeof *tls);
	if (tls == NULL)
		return CS_ERR_NO_MEMORY;
	const enum cs_err err = fill(tls, options, why);
	if (err != CS_OK) {
		tls_free(tls);
		return err;
	}
	*out = tls;
	return CS_OK;
}

void tls_free(struct tls *tls)
{
	if (tls == NULL)
		return;
	transparency_free(tls->transparency);
	X509_STORE_free(tls->roots);
	free(tls);
}

void tls_set_now(struct tls *tls, const struct verify_time *now)
{
	tls->now = *now;
	/* The signer of a stapled response is verified by the store's own time. */
	X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(tls->roots), (time_t)now->low_s);
}
