/* Certificates and revocation lists: the vendors' own, each byte of one of them changed, and made ones
 * that are wrong in one thing. */
#include "core/nistp.h"
#include "given.h"
#include "verify/attest/pem.h"
#include "verify/attest/roots.h"
#include "verify/attest/x509.h"

#include <openssl/ec.h>
#include <openssl/evp.h>

/* 2026-01-01 */
static const struct verify_time now = {1767225600, 1767225600};
static struct cs_nistp *nistp;

/* The certificate at a place of a PEM file, or all of a DER file. */
static struct x509_certificate recorded(const char *name, size_t at)
{
	struct cs_bytes text = given_file(name), label, der = text;
	struct x509_certificate certificate;
	struct cs_arena *arena = keep(sizeof *arena);
	cs_arena_init(arena, keep(4 * text.n), 4 * text.n);
	for (size_t i = 0; pem_is_there(text) && i <= at; i++)
		assert_ok(pem_next(&text, &label, &der, arena));
	assert_ok(x509_certificate_parse(&certificate, der, NULL));
	return certificate;
}

/* ---- the vendors' ---- */

static void test_vendors(void **state)
{
	static const struct {
		const char *name;
		size_t at;
		const char *issuer;
		size_t issuer_at;
	} all[] = {
		/* P-256; RSA-PSS; PKCS#1 v1.5; a P-384 key */
		{"dcap/roots/Intel_SGX_Root_CA.der", 0, "dcap/roots/Intel_SGX_Root_CA.der", 0},
		{"dcap/intel-qvl-sample/pckSignChain.pem", 0,
		 "dcap/intel-qvl-sample/trustedRootCaCert.pem", 0},
		{"snp/roots/milan_ask_ark_asvk.pem", 0, "snp/roots/milan_ask_ark_asvk.pem", 1},
		{"snp/roots/milan_ask_ark_asvk.pem", 1, "snp/roots/milan_ask_ark_asvk.pem", 1},
		{"snp/roots/genoa_ask_ark_asvk.pem", 0, "snp/roots/genoa_ask_ark_asvk.pem", 1},
		{"snp/roots/turin_ask_ark_asvk.pem", 2, "snp/roots/turin_ask_ark_asvk.pem", 1},
		{"snp/virtee-sev/vcek_turin.der", 0, "snp/roots/turin_ask_ark_asvk.pem", 0},
		{"tpm/go-tpm-tools/gcp_ek_ak_ca_intermediate_v3.crt", 0,
		 "tpm/go-tpm-tools/gcp_ek_ak_ca_root.crt", 0},
		{"tpm/go-tpm-tools/tpm_ek_intermediate_2.crt", 0,
		 "tpm/go-tpm-tools/tpm_ek_root_1.cer", 0},
	};
	(void)state;
	for (size_t i = 0; i < CS_LEN(all); i++) {
		struct x509_certificate leaf = recorded(all[i].name, all[i].at);
		struct x509_certificate issuer = recorded(all[i].issuer, all[i].issuer_at);
		assert_ok(x509_issued_by(&leaf, &issuer, nistp));
		assert_true(issuer.is_ca);
	}
	struct x509_certificate root = recorded("dcap/roots/Intel_SGX_Root_CA.der", 0);
	assert_bytes(x509_common_name(root.subject), cs_bytes_str("Intel SGX Root CA"));
	assert_int_equal(root.not_before_s, 1526899510);
	assert_int_equal(root.not_after_s, 2524607999);
	assert_int_equal(root.key_usage, X509_KEY_CERT_SIGN | X509_CRL_SIGN);
	assert_true(root.has_path_length && root.path_length == 1);
	/* One vendor's root signed nothing of another's. */
	struct x509_certificate ask = recorded("snp/roots/milan_ask_ark_asvk.pem", 0);
	struct x509_certificate genoa = recorded("snp/roots/genoa_ask_ark_asvk.pem", 1);
	assert_err(x509_issued_by(&ask, &root, nistp), CS_ERR_UNLINKED);
	ask.issuer = genoa.subject;
	assert_err(x509_issued_by(&ask, &genoa, nistp), CS_ERR_BAD_SIGNATURE);
}

/* No byte is free: what changed is not read, or not the issuer's. */
static void test_every_byte_counts(void **state)
{
	struct x509_certificate root = recorded("dcap/roots/Intel_SGX_Root_CA.der", 0);
	size_t read = 0;
	(void)state;
	for (size_t at = 0; at < root.der.n; at++) {
		for (unsigned bit = 0; bit < 8; bit += 3) {
			struct x509_certificate changed;
			uint8_t *p = given_copy(root.der);
			p[at] ^= (uint8_t)(1u << bit);
			if (x509_certificate_parse(&changed, cs_bytes(p, root.der.n), NULL) !=
			    CS_OK)
				continue;
			assert_true(x509_issued_by(&changed, &root, nistp) != CS_OK);
			read++;
		}
	}
	assert_true(read > 500);
	for (size_t n = 0; n < root.der.n; n++) {
		struct x509_certificate cut;
		uint8_t *p = malloc(n + 1);
		assert_non_null(p);
		memcpy(p, root.der.p, n);
		assert_err(x509_certificate_parse(&cut, cs_bytes(p, n), NULL), CS_ERR_TRUNCATED);
		free(p);
	}
}

static void test_recorded_list(void **state)
{
	struct x509_certificate root = recorded("dcap/roots/Intel_SGX_Root_CA.der", 0), other;
	struct verify_time then = {1688173200, 1688173200};
	struct x509_crl crl, changed;
	size_t read = 0;
	(void)state;
	assert_ok(x509_crl_parse(&crl, given_file("dcap/go-tdx-guest/rootcrl.der"), NULL));
	assert_ok(x509_crl_verify(&crl, &root, &then, nistp));
	assert_err(x509_crl_verify(&crl, &root, &now, nistp), CS_ERR_EXPIRED);
	assert_err(
		x509_crl_verify(&crl, &root, &(struct verify_time){1600000000, 1600000000}, nistp),
		CS_ERR_NOT_YET_VALID);
	for (size_t at = 0; at < crl.der.n; at++) {
		uint8_t *p = given_copy(crl.der);
		p[at] ^= 0x04;
		if (x509_crl_parse(&changed, cs_bytes(p, crl.der.n), NULL) == CS_OK) {
			assert_true(x509_crl_verify(&changed, &root, &then, nistp) != CS_OK);
			read++;
		}
	}
	assert_true(read > 100);
	/* Entries, by their serial numbers as they stand. */
	assert_ok(x509_crl_parse(&crl, given_file("dcap/go-tdx-guest/pckcrl"), NULL));
	assert_true(x509_crl_lists(&crl, unhex("6fc34e5023e728923435d61aa4b83c618166ad35")));
	assert_true(x509_crl_lists(&crl, unhex("00efae6e9715fca13b87e333e8261ed6d990a926ad")));
	assert_false(x509_crl_lists(&crl, unhex("efae6e9715fca13b87e333e8261ed6d990a926ad")));
	assert_false(x509_crl_lists(&crl, unhex("6fc34e5023e728923435d61aa4b83c618166ad36")));
	other = root;
	other.key_usage = X509_KEY_CERT_SIGN;
	other.subject = crl.issuer;
	assert_err(x509_crl_verify(&crl, &other, &then, nistp), CS_ERR_FORBIDDEN);
	/* A certificate is no list, a list no certificate. */
	assert_true(x509_crl_parse(&crl, root.der, NULL) != CS_OK);
	assert_true(x509_certificate_parse(&other, crl.der, NULL) != CS_OK);
}

/* ---- made ---- */

static struct cs_bytes tlv(unsigned tag, struct cs_bytes value)
{
	uint8_t *p = keep(value.n + 4);
	size_t n = 0;
	p[n++] = (uint8_t)tag;
	if (value.n >= 256) {
		p[n++] = 0x82;
		p[n++] = (uint8_t)(value.n >> 8);
	} else if (value.n >= 128) {
		p[n++] = 0x81;
	}
	p[n++] = (uint8_t)value.n;
	if (value.n > 0)
		memcpy(p + n, value.p, value.n);
	return cs_bytes(p, n + value.n);
}

static struct cs_bytes join(const struct cs_bytes *parts, size_t count)
{
	size_t n = 0;
	for (size_t i = 0; i < count; i++)
		n += parts[i].n;
	uint8_t *p = keep(n);
	n = 0;
	for (size_t i = 0; i < count; i++) {
		if (parts[i].n > 0)
			memcpy(p + n, parts[i].p, parts[i].n);
		n += parts[i].n;
	}
	return cs_bytes(p, n);
}

#define SEQUENCE(...)                                          \
	tlv(0x30, join((const struct cs_bytes[]){__VA_ARGS__}, \
		       CS_LEN(((const struct cs_bytes[]){__VA_ARGS__}))))

static struct cs_bytes name_of(const char *common_name)
{
	struct cs_bytes pair = SEQUENCE(unhex("0603550403"), tlv(0x0c, cs_bytes_str(common_name)));
	return SEQUENCE(tlv(0x31, pair));
}

static EVP_PKEY *key_at(size_t i)
{
	static EVP_PKEY *keys[4];
	if (keys[i] == NULL)
		keys[i] = EVP_EC_gen("P-256");
	assert_non_null(keys[i]);
	return keys[i];
}

static struct cs_bytes spki_of(size_t key)
{
	uint8_t *point = keep(65);
	size_t n = 0;
	assert_int_equal(EVP_PKEY_get_octet_string_param(key_at(key), "pub", point, 65, &n), 1);
	return SEQUENCE(
		unhex("301306072a8648ce3d020106082a8648ce3d030107"),
		tlv(0x03, join((const struct cs_bytes[]){unhex("00"), cs_bytes(point, n)}, 2)));
}

static const char ecdsa_sha256[] = "300a06082a8648ce3d040302";
static const char usage_ca[] = "300e0603551d0f0101ff040403020106";
static const char usage_signing[] = "300e0603551d0f0101ff0404030206c0";
static const char ca_path_0[] = "30120603551d130101ff040830060101ff020100";
static const char ca_no_path[] = "300f0603551d130101ff040530030101ff";

static struct cs_bytes sign_der(struct cs_bytes tbs, size_t key)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t n = 80;
	uint8_t *p = keep(n + 1);
	assert_int_equal(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key_at(key)), 1);
	assert_int_equal(EVP_DigestSign(context, p + 1, &n, tbs.p, tbs.n), 1);
	EVP_MD_CTX_free(context);
	return SEQUENCE(cs_bytes(tbs.p, tbs.n), unhex(ecdsa_sha256), tlv(0x03, cs_bytes(p, n + 1)));
}

struct made {
	const char *subject, *issuer;
	size_t key, issuer_key;
	const char *version, *validity, *extensions; /* NULL: the usual one; "" extensions: none */
	const char *serial;
};

static const char usual_validity[] =
	"301e170d3235303130313030303030305a170d3330303130313030303030305a";

static struct cs_bytes make(const struct made *made)
{
	struct cs_bytes extensions = CS_BYTES_NONE;
	if (made->extensions == NULL || made->extensions[0] != '\0') {
		const char *text = made->extensions == NULL ? usage_signing : made->extensions;
		extensions = tlv(0xa3, tlv(0x30, unhex(text)));
	}
	struct cs_bytes tbs =
		SEQUENCE(unhex(made->version == NULL ? "a003020102" : made->version),
			 unhex(made->serial == NULL ? "020101" : made->serial), unhex(ecdsa_sha256),
			 name_of(made->issuer),
			 unhex(made->validity == NULL ? usual_validity : made->validity),
			 name_of(made->subject), spki_of(made->key), extensions);
	return sign_der(tbs, made->issuer_key);
}

static struct x509_certificate parsed(const struct made *made)
{
	struct x509_certificate certificate;
	struct cs_why why;
	if (x509_certificate_parse(&certificate, make(made), &why) != CS_OK)
		fail_msg("%s", why.text);
	return certificate;
}

static char *hex_join(const char *a, const char *b)
{
	size_t size = strlen(a) + strlen(b) + 1;
	char *text = keep(size);
	(void)snprintf(text, size, "%s%s", a, b);
	return text;
}

static void test_refused_forms(void **state)
{
	static const struct {
		struct made made;
		enum cs_err err;
	} all[] = {
		{{.version = "", .extensions = ""}, CS_ERR_UNSUPPORTED},
		{{.version = "a003020101"}, CS_ERR_UNSUPPORTED},
		{{.version = "a003020103"}, CS_ERR_UNSUPPORTED},
		{{.version = "a0050201020500"}, CS_ERR_TRAILING},
		{{.serial = "0200"}, CS_ERR_MALFORMED},
		{{.serial = "02020001"}, CS_ERR_NON_CANONICAL},
		/* ends before it begins; a date that is none; three dates */
		{{.validity = "301e170d3330303130313030303030305a170d3235303130313030303030305a"},
		 CS_ERR_INVALID},
		{{.validity = "301e170d3235313330313030303030305a170d3330303130313030303030305a"},
		 CS_ERR_INVALID},
		{{.validity = "300f170d3330303130313030303030305a"}, CS_ERR_TRUNCATED},
		/* keyUsage twice; "critical" written out as false; a path length without a CA */
		{{.extensions = "300e0603551d0f0101ff0404030206c0300e0603551d0f0101ff0404030206c0"},
		 CS_ERR_DUPLICATE},
		{{.extensions = "300e0603551d0f0101000404030206c0"}, CS_ERR_NON_CANONICAL},
		{{.extensions = "300f0603551d130101ff04053003020100"}, CS_ERR_INVALID},
		{{.extensions = "300e0603551d0f0101ff040403020900"}, CS_ERR_MALFORMED},
	};
	(void)state;
	for (size_t i = 0; i < CS_LEN(all); i++) {
		struct made made = all[i].made;
		struct x509_certificate certificate;
		struct cs_why why;
		made.subject = made.issuer = "A";
		assert_err(x509_certificate_parse(&certificate, make(&made), &why), all[i].err);
		assert_true(why.text[0] != '\0');
	}
	/* Bytes behind it; another algorithm outside than inside. */
	struct cs_bytes good = make(&(struct made){.subject = "A", .issuer = "A"});
	struct x509_certificate certificate;
	uint8_t *longer = keep(good.n + 1);
	memcpy(longer, good.p, good.n);
	assert_err(x509_certificate_parse(&certificate, cs_bytes(longer, good.n + 1), NULL),
		   CS_ERR_TRAILING);
	assert_ok(x509_certificate_parse(&certificate, good, NULL));
	size_t outside = (size_t)(certificate.tbs.p - good.p) + certificate.tbs.n;
	longer[outside + 11] = 0x03;
	assert_err(x509_certificate_parse(&certificate, cs_bytes(longer, good.n), NULL),
		   CS_ERR_INVALID);
	assert_err(x509_certificate_parse(&certificate,
					  cs_bytes(longer, X509_CERTIFICATE_SIZE_MAX + 1), NULL),
		   CS_ERR_TOO_LARGE);
}

/* ---- paths ---- */

struct hierarchy {
	struct x509_certificate root, middle[2], leaf;
	struct x509_pool pool;
};

static const struct made usual_root = {"Root", "Root", 0, 0, NULL, NULL, NULL, NULL};
static const struct made usual_middle = {"CA", "Root", 1, 0, NULL, NULL, NULL, "020102"};
static const struct made usual_leaf = {"Leaf", "CA", 2, 1, NULL, NULL, NULL, "020103"};

static void build(struct hierarchy *h, const struct made *root, const struct made *middle,
		  const struct made *leaf)
{
	struct made with = *root;
	if (with.extensions == NULL)
		with.extensions = hex_join(usage_ca, ca_no_path);
	h->root = parsed(&with);
	with = *middle;
	if (with.extensions == NULL)
		with.extensions = hex_join(usage_ca, ca_path_0);
	h->middle[0] = parsed(&with);
	h->leaf = parsed(leaf);
	h->pool = (struct x509_pool){&h->root, 1, h->middle, 1, NULL, 0};
}

static enum cs_err find(const struct hierarchy *h, struct x509_path *path)
{
	struct cs_why why;
	enum cs_err err = x509_path_find(path, &h->leaf, &h->pool, &now, nistp, &why);
	assert_true(err == CS_OK || why.text[0] != '\0');
	return err;
}

static void test_path(void **state)
{
	struct hierarchy h;
	struct x509_path path;
	(void)state;
	build(&h, &usual_root, &usual_middle, &usual_leaf);
	assert_ok(find(&h, &path));
	assert_int_equal(path.count, 3);
	assert_ptr_equal(path.certificates[0], &h.leaf);
	assert_ptr_equal(path.certificates[2], &h.root);
	/* A renewed CA with the same key and name: the one that is valid is taken. */
	struct made renewed = usual_middle;
	renewed.extensions = hex_join(usage_ca, ca_path_0);
	h.middle[1] = h.middle[0];
	renewed.validity = "301e170d3230303130313030303030305a170d3231303130313030303030305a";
	h.middle[0] = parsed(&renewed);
	assert_err(find(&h, &path), CS_ERR_EXPIRED);
	h.pool.certificate_count = 2;
	assert_ok(find(&h, &path));
	assert_ptr_equal(path.certificates[1], &h.middle[1]);
	/* A leaf that is itself believed. */
	h.pool.roots = &h.leaf;
	assert_ok(find(&h, &path));
	assert_int_equal(path.count, 1);
}

static void test_refused_paths(void **state)
{
	static const char over[] =
		"301e170d3230303130313030303030305a170d3231303130313030303030305a";
	static const char ahead[] =
		"301e170d3239303130313030303030305a170d3330303130313030303030305a";
	/* nameConstraints, critical */
	static const char constraints[] = "300d0603551d1e0101ff0403300100";
	const struct {
		struct made root, middle, leaf;
		enum cs_err err;
	} all[] = {
		{usual_root,
		 usual_middle,
		 {"Leaf", "CA", 2, 1, NULL, over, NULL, NULL},
		 CS_ERR_EXPIRED},
		{usual_root,
		 usual_middle,
		 {"Leaf", "CA", 2, 1, NULL, ahead, NULL, NULL},
		 CS_ERR_NOT_YET_VALID},
		{usual_root,
		 {"CA", "Root", 1, 0, NULL, over, NULL, NULL},
		 usual_leaf,
		 CS_ERR_EXPIRED},
		{{"Root", "Root", 0, 0, NULL, over, NULL, NULL},
		 usual_middle,
		 usual_leaf,
		 CS_ERR_EXPIRED},
		/* another name, another key */
		{usual_root,
		 usual_middle,
		 {"Leaf", "CB", 2, 1, NULL, NULL, NULL, NULL},
		 CS_ERR_NOT_FOUND},
		{usual_root,
		 usual_middle,
		 {"Leaf", "CA", 2, 3, NULL, NULL, NULL, NULL},
		 CS_ERR_BAD_SIGNATURE},
		{usual_root,
		 {"CA", "Root", 1, 3, NULL, NULL, NULL, NULL},
		 usual_leaf,
		 CS_ERR_BAD_SIGNATURE},
		/* no CA; a CA that may not sign certificates; no extensions at all */
		{usual_root,
		 {"CA", "Root", 1, 0, NULL, NULL, usage_ca, NULL},
		 usual_leaf,
		 CS_ERR_FORBIDDEN},
		{usual_root, {"CA", "Root", 1, 0, NULL, NULL, ca_no_path, NULL}, usual_leaf, CS_OK},
		{usual_root,
		 {"CA", "Root", 1, 0, NULL, NULL, "", NULL},
		 usual_leaf,
		 CS_ERR_FORBIDDEN},
		{usual_root,
		 {"CA", "Root", 1, 0, NULL, NULL,
		  "300e0603551d0f0101ff0404030206c0300f0603551d130101ff040530030101ff", NULL},
		 usual_leaf,
		 CS_ERR_FORBIDDEN},
		/* the root allows no CA below it */
		{{"Root", "Root", 0, 0, NULL, NULL, ca_path_0, NULL},
		 usual_middle,
		 usual_leaf,
		 CS_ERR_FORBIDDEN},
		{usual_root,
		 usual_middle,
		 {"Leaf", "CA", 2, 1, NULL, NULL, constraints, NULL},
		 CS_ERR_UNSUPPORTED},
	};
	struct hierarchy h;
	struct x509_path path;
	(void)state;
	for (size_t i = 0; i < CS_LEN(all); i++) {
		build(&h, &all[i].root, &all[i].middle, &all[i].leaf);
		assert_err(find(&h, &path), all[i].err);
	}
	/* Certificates that issue each other: an end, and no path. */
	struct made one = {"A", "B", 0, 1, NULL, NULL, NULL, NULL},
		    two = {"B", "A", 1, 0, NULL, NULL, NULL, NULL};
	one.extensions = two.extensions = hex_join(usage_ca, ca_no_path);
	build(&h, &usual_root, &usual_middle, &usual_leaf);
	h.middle[0] = parsed(&one);
	h.middle[1] = parsed(&two);
	h.leaf = h.middle[0];
	h.pool.certificate_count = 2;
	assert_err(find(&h, &path), CS_ERR_TOO_LARGE);
}

/* ---- revocation ---- */

static struct x509_crl list_of(const char *issuer, size_t key, const char *entries,
			       const char *extensions)
{
	struct x509_crl crl;
	struct cs_why why;
	struct cs_bytes tbs = SEQUENCE(
		unhex("020101"), unhex(ecdsa_sha256), name_of(issuer),
		unhex("170d3235303130313030303030305a"), unhex("170d3330303130313030303030305a"),
		entries[0] == '\0' ? CS_BYTES_NONE : tlv(0x30, unhex(entries)),
		extensions[0] == '\0' ? CS_BYTES_NONE : tlv(0xa0, tlv(0x30, unhex(extensions))));
	if (x509_crl_parse(&crl, sign_der(tbs, key), &why) != CS_OK)
		fail_msg("%s", why.text);
	return crl;
}

#define DATE "170d3235303230313030303030305a"

static void test_revocation(void **state)
{
	struct hierarchy h;
	struct x509_crl crls[3];
	const struct x509_crl *used;
	struct cs_why why;
	(void)state;
	build(&h, &usual_root, &usual_middle, &usual_leaf);
	h.pool.crls = crls;
	assert_err(x509_not_revoked(&used, &h.leaf, h.middle, &h.pool, &now, nistp, &why),
		   CS_ERR_NOT_FOUND);
	/* Of the root; of the CA, by the root's key; the CA's, empty and with another entry. */
	crls[0] = list_of("Root", 0, "3012020103" DATE, "");
	h.pool.crl_count = 1;
	assert_err(x509_not_revoked(&used, &h.leaf, h.middle, &h.pool, &now, nistp, &why),
		   CS_ERR_NOT_FOUND);
	assert_ok(x509_not_revoked(&used, h.middle, &h.root, &h.pool, &now, nistp, &why));
	crls[1] = list_of("CA", 0, "", "");
	h.pool.crl_count = 2;
	assert_err(x509_not_revoked(&used, &h.leaf, h.middle, &h.pool, &now, nistp, &why),
		   CS_ERR_BAD_SIGNATURE);
	crls[1] = list_of("CA", 1, "3012020104" DATE, "");
	assert_ok(x509_not_revoked(&used, &h.leaf, h.middle, &h.pool, &now, nistp, &why));
	assert_ptr_equal(used, &crls[1]);
	/* Two good lists, one of which has it. */
	crls[2] = list_of("CA", 1, "3012020102" DATE "3012020103" DATE, "");
	h.pool.crl_count = 3;
	assert_err(x509_not_revoked(&used, &h.leaf, h.middle, &h.pool, &now, nistp, &why),
		   CS_ERR_REVOKED);
	assert_non_null(strstr(why.text, "Leaf"));
	assert_err(x509_not_revoked(&used, &h.leaf, h.middle, &h.pool,
				    &(struct verify_time){1893456001, 1893456001}, nistp, &why),
		   CS_ERR_EXPIRED);
}

/* Lists that say less than "these, and no others". */
static void test_refused_lists(void **state)
{
	static const struct {
		const char *version, *dates, *entries, *extensions;
		enum cs_err err;
	} all[] = {
		{"020100", DATE DATE, "", "", CS_ERR_UNSUPPORTED},
		{"020101", DATE, "", "", CS_ERR_TRUNCATED},
		/* a delta, an issuing distribution point, an entry of another issuer */
		{"020101", DATE DATE, "", "a00f300d300b0603551d1b0101ff040100", CS_ERR_UNSUPPORTED},
		{"020101", DATE DATE, "", "a00f300d300b0603551d1c0101ff040100", CS_ERR_UNSUPPORTED},
		{"020101", DATE DATE,
		 "30223020020103170d3235303230313030303030305a300c300a0603551d1d0101ff0400", "",
		 CS_ERR_UNSUPPORTED},
		{"020101", DATE DATE, "30143012020103180d3235303230313030303030305a", "",
		 CS_ERR_MALFORMED},
	};
	struct x509_crl crl;
	struct cs_why why;
	(void)state;
	for (size_t i = 0; i < CS_LEN(all); i++) {
		struct cs_bytes tbs = SEQUENCE(unhex(all[i].version), unhex(ecdsa_sha256),
					       name_of("CA"), unhex(all[i].dates),
					       unhex(all[i].entries), unhex(all[i].extensions));
		assert_err(x509_crl_parse(&crl, sign_der(tbs, 1), &why), all[i].err);
	}
}

/* ---- PEM ---- */

static void test_pem(void **state)
{
	static const char good[] =
		"text\n-----BEGIN A B-----\nZm9v\r\nYmFy\n-----END A B-----\ntext"
		"-----BEGIN C-----Zg==-----END C-----";
	static const char *const bad[] = {
		"-----BEGIN A-----\nZm9v\n",           "-----BEGIN A-----\nZm9v\n-----END B-----",
		"-----BEGIN A-----\nZm9v\n-----END A", "-----BEGIN A-----\nZm9\n-----END A-----",
		"-----BEGIN A-----\n-----END A-----",  "-----BEGIN A-----\nZm*v\n-----END A-----",
		"-----BEGIN A\nZm9v\n-----END A-----",
	};
	static _Alignas(16) uint8_t memory[4096];
	struct cs_bytes text = cs_bytes_str(good), label, bytes;
	struct cs_arena arena;
	(void)state;
	cs_arena_init(&arena, memory, sizeof memory);
	assert_true(pem_is_there(text));
	assert_ok(pem_next(&text, &label, &bytes, &arena));
	assert_bytes(label, cs_bytes_str("A B"));
	assert_bytes(bytes, cs_bytes_str("foobar"));
	assert_ok(pem_next(&text, &label, &bytes, &arena));
	assert_bytes(label, cs_bytes_str("C"));
	assert_bytes(bytes, cs_bytes_str("f"));
	assert_err(pem_next(&text, &label, &bytes, &arena), CS_ERR_NOT_FOUND);
	for (size_t i = 0; i < CS_LEN(bad); i++) {
		text = cs_bytes_str(bad[i]);
		assert_err(pem_next(&text, &label, &bytes, &arena), CS_ERR_MALFORMED);
	}
	text = cs_bytes_str(good);
	cs_arena_init(&arena, memory, 4);
	assert_err(pem_next(&text, &label, &bytes, &arena), CS_ERR_NO_MEMORY);
}

static int begin(void **state)
{
	(void)state;
	nistp = cs_nistp_new();
	return nistp == NULL;
}

static int finish(void **state)
{
	(void)state;
	cs_nistp_free(nistp);
	for (size_t i = 0; i < 4; i++)
		EVP_PKEY_free(key_at(i));
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vendors),       cmocka_unit_test(test_every_byte_counts),
		cmocka_unit_test(test_recorded_list), cmocka_unit_test(test_refused_forms),
		cmocka_unit_test(test_path),          cmocka_unit_test(test_refused_paths),
		cmocka_unit_test(test_revocation),    cmocka_unit_test(test_refused_lists),
		cmocka_unit_test(test_pem),
	};
	return cmocka_run_group_tests(tests, begin, finish);
}
