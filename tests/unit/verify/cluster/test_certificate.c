/* Certificates of the cluster: OpenSSL takes what we write, and we take nothing but what we write. */
#include "scene.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

struct certificates {
	struct cluster_pair authority, worker;
	struct cluster_certificate root, leaf;
	struct cs_buf root_der, leaf_der;
};

static struct certificates *make(void)
{
	struct certificates *c = keep(sizeof *c);
	const struct cs_secret a = {{1}}, w = {{2}};
	ok(cluster_pair_make(&c->authority, &a));
	ok(cluster_pair_make(&c->worker, &w));
	c->root = (struct cluster_certificate){.role = CLUSTER_KEY_SERVER,
					       .authority = true,
					       .lineage = {{5}},
					       .epoch = 3,
					       .serial = {0x41, 9},
					       .key = c->authority.key,
					       .issuer = c->authority.key,
					       .not_before_s = SCENE_NOW - 100,
					       .not_after_s = SCENE_NOW + 86300};
	c->leaf = (struct cluster_certificate){.role = CLUSTER_WORKER,
					       .lineage = {{5}},
					       .epoch = 3,
					       .application_size = 7,
					       .application = "records",
					       .serial = {0x7f, 0xff},
					       .key = c->worker.key,
					       .issuer = c->authority.key,
					       .not_before_s = SCENE_NOW - 60,
					       .not_after_s = SCENE_NOW + 3540};
	c->root_der = scene_buf(1024);
	c->leaf_der = scene_buf(1024);
	ok(cluster_certificate_write(&c->root_der, &c->root, &c->authority.secret));
	ok(cluster_certificate_write(&c->leaf_der, &c->leaf, &c->authority.secret));
	return c;
}

static X509 *openssl(const struct cs_buf *der)
{
	const unsigned char *p = der->p;
	X509 *x = d2i_X509(NULL, &p, (long)der->n);
	assert_non_null(x);
	assert_ptr_equal(p, der->p + der->n);
	return x;
}

static int path(X509 *root, X509 *leaf, time_t when, unsigned long flags)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	assert_int_equal(X509_STORE_add_cert(store, root), 1);
	assert_int_equal(X509_STORE_CTX_init(context, store, leaf, NULL), 1);
	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(context);
	X509_VERIFY_PARAM_set_time(param, when);
	assert_int_equal(X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_CLIENT), 1);
	X509_VERIFY_PARAM_set_flags(param, flags);
	X509_verify_cert(context);
	const int error = X509_STORE_CTX_get_error(context);
	X509_STORE_CTX_free(context);
	X509_STORE_free(store);
	return error;
}

static void openssl_takes_them(void **state)
{
	(void)state;
	const struct certificates *c = make();
	X509 *root = openssl(&c->root_der), *leaf = openssl(&c->leaf_der);
	assert_int_equal(path(root, leaf, SCENE_NOW, X509_V_FLAG_X509_STRICT), X509_V_OK);
	assert_int_equal(path(root, leaf, SCENE_NOW + 3541, 0), X509_V_ERR_CERT_HAS_EXPIRED);
	assert_int_equal(path(root, leaf, SCENE_NOW - 61, 0), X509_V_ERR_CERT_NOT_YET_VALID);
	assert_int_equal(X509_check_purpose(leaf, X509_PURPOSE_SSL_SERVER, 0), 1);
	assert_int_equal(X509_check_ca(leaf), 0);
	assert_int_equal(X509_check_ca(root), 1);
	/* The hash that revocation and evidence name. */
	unsigned char *spki = NULL;
	const int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &spki);
	assert_int_equal(n, CLUSTER_SPKI_SIZE);
	const struct cs_hash hash = cs_sha256(cs_bytes(spki, (size_t)n));
	const struct cs_hash own = cluster_spki_hash(&c->worker.key);
	assert_true(cs_hash_eq(&hash, &own));
	OPENSSL_free(spki);
	X509_free(root);
	X509_free(leaf);
}

static void they_come_back(void **state)
{
	(void)state;
	const struct certificates *c = make();
	struct cluster_certificate read;
	struct cs_ed25519_key key;
	struct cs_why why;
	ok(cluster_certificate_read(&read, cs_buf_view(&c->leaf_der), &c->authority.key, &why));
	assert_memory_equal(&read.key, &c->leaf.key, 32);
	assert_memory_equal(read.serial, c->leaf.serial, sizeof read.serial);
	assert_int_equal(read.not_before_s, c->leaf.not_before_s);
	assert_int_equal(read.not_after_s, c->leaf.not_after_s);
	assert_string_equal(read.application, "records");
	assert_int_equal(read.epoch, 3);
	assert_false(read.authority || read.insecure);
	ok(cluster_certificate_read(&read, cs_buf_view(&c->root_der), NULL, &why));
	assert_true(read.authority);
	ok(cluster_certificate_key(&key, cs_buf_view(&c->leaf_der)));
	assert_memory_equal(key.b, c->worker.key.b, 32);
	/* After 2049 a date has another form. */
	struct cluster_certificate late = c->root;
	struct cs_buf der = scene_buf(1024);
	late.not_after_s = 2524608000; /* 2050-01-01 */
	ok(cluster_certificate_write(&der, &late, &c->authority.secret));
	ok(cluster_certificate_read(&read, cs_buf_view(&der), NULL, &why));
	assert_int_equal(read.not_after_s, late.not_after_s);
	X509 *x = openssl(&der);
	X509_free(x);
}

/* Every bit of every byte; and every length. */
static void nothing_else_is_read(void **state)
{
	(void)state;
	const struct certificates *c = make();
	struct cluster_certificate read;
	struct cs_why why;
	uint8_t *p = keep(c->leaf_der.n + 1);
	memcpy(p, c->leaf_der.p, c->leaf_der.n);
	for (size_t i = 0; i < 8 * c->leaf_der.n; i++) {
		p[i / 8] ^= (uint8_t)(1u << (i % 8));
		assert_int_not_equal(cluster_certificate_read(&read, cs_bytes(p, c->leaf_der.n),
							      &c->authority.key, &why),
				     CS_OK);
		p[i / 8] ^= (uint8_t)(1u << (i % 8));
	}
	for (size_t n = 0; n <= c->leaf_der.n + 1; n++)
		if (n != c->leaf_der.n)
			assert_int_not_equal(cluster_certificate_read(&read, cs_bytes(p, n),
								      &c->authority.key, &why),
					     CS_OK);
	assert_int_equal(
		cluster_certificate_read(&read, cs_buf_view(&c->leaf_der), &c->worker.key, &why),
		CS_ERR_UNLINKED);
	assert_int_equal(cluster_certificate_read(&read, cs_buf_view(&c->leaf_der), NULL, &why),
			 CS_ERR_UNLINKED);
	/* Under the right name, signed by somebody else. */
	struct cs_buf forged = scene_buf(1024);
	ok(cluster_certificate_write(&forged, &c->leaf, &c->worker.secret));
	assert_int_equal(
		cluster_certificate_read(&read, cs_buf_view(&forged), &c->authority.key, &why),
		CS_ERR_BAD_SIGNATURE);
	struct cluster_certificate wrong = c->leaf;
	wrong.not_before_s = wrong.not_after_s + 1;
	assert_int_equal(cluster_certificate_write(&forged, &wrong, &c->authority.secret),
			 CS_ERR_INVALID);
}

static enum cs_err trusted(const struct certificates *c, const struct cluster_certificate *leaf,
			   const struct cs_secret *issuer, struct cluster_trust *trust)
{
	const struct verify_time now = {SCENE_NOW, SCENE_NOW};
	struct cluster_certificate read;
	struct cs_buf der = scene_buf(1024);
	struct cs_why why;
	ok(cluster_certificate_write(&der, leaf, issuer));
	(void)c;
	return cluster_trust_verify(&read, cs_buf_view(&der), trust, &now, &why);
}

static void who_is_trusted(void **state)
{
	(void)state;
	const struct certificates *c = make();
	struct cluster_trust *trust = keep(sizeof *trust);
	trust->lineage = c->root.lineage;
	trust->authority_count = 1;
	trust->authorities[0] = c->root;
	ok(trusted(c, &c->leaf, &c->authority.secret, trust));
	struct cluster_certificate other = c->leaf;
	other.epoch = 2;
	assert_int_equal(trusted(c, &other, &c->authority.secret, trust), CS_ERR_UNLINKED);
	other = c->leaf;
	other.lineage.b[0] ^= 1;
	assert_int_equal(trusted(c, &other, &c->authority.secret, trust), CS_ERR_WRONG_LINEAGE);
	other = c->leaf;
	other.role = CLUSTER_GUARD;
	assert_int_equal(trusted(c, &other, &c->authority.secret, trust), CS_ERR_FORBIDDEN);
	other = c->leaf;
	other.insecure = true;
	assert_int_equal(trusted(c, &other, &c->authority.secret, trust), CS_ERR_FORBIDDEN);
	assert_int_equal(trusted(c, &c->root, &c->authority.secret, trust), CS_ERR_FORBIDDEN);
	other = c->leaf;
	other.not_before_s = SCENE_NOW + 1;
	assert_int_equal(trusted(c, &other, &c->authority.secret, trust), CS_ERR_NOT_YET_VALID);
	other = c->leaf;
	other.not_after_s = SCENE_NOW - 1;
	assert_int_equal(trusted(c, &other, &c->authority.secret, trust), CS_ERR_EXPIRED);
	trust->authorities[0].not_after_s = SCENE_NOW - 1;
	assert_int_equal(trusted(c, &c->leaf, &c->authority.secret, trust), CS_ERR_EXPIRED);
	trust->authorities[0] = c->root;
	trust->revoked[0] = cluster_spki_hash(&c->worker.key);
	trust->revoked_count = 1;
	assert_int_equal(trusted(c, &c->leaf, &c->authority.secret, trust), CS_ERR_REVOKED);
	trust->authority_count = 0;
	assert_int_equal(trusted(c, &c->leaf, &c->authority.secret, trust), CS_ERR_UNLINKED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(openssl_takes_them),
		cmocka_unit_test(they_come_back),
		cmocka_unit_test(nothing_else_is_read),
		cmocka_unit_test(who_is_trusted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
