#include "verify/attest/x509.h"

#include "core/der.h"

#include <string.h>

/* ---- object identifiers ---- */

static const uint8_t oid_ec_public_key[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01};
static const uint8_t oid_p256[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
static const uint8_t oid_p384[] = {0x2b, 0x81, 0x04, 0x00, 0x22};
static const uint8_t oid_rsa[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01};
static const uint8_t oid_rsa_pss[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a};
static const uint8_t oid_mgf1[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08};
/* The last byte says which: ecdsa-with-SHA*, sha*WithRSAEncryption, id-sha*. */
static const uint8_t oid_ecdsa_with[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03};
static const uint8_t oid_rsa_with[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01};
static const uint8_t oid_sha2[] = {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02};
/* id-ce: 2.5.29 and one more. */
static const uint8_t oid_extension[] = {0x55, 0x1d};
enum {
	EXTENSION_KEY_USAGE = 15,
	EXTENSION_SUBJECT_ALT_NAME = 17,
	EXTENSION_BASIC_CONSTRAINTS = 19,
	EXTENSION_EXT_KEY_USAGE = 37,
};

#define IS(oid, known) cs_bytes_eq((oid), CS_BYTES_OF(known))

/* oid is prefix and one byte more: that byte; -1 otherwise. */
static int last_of(struct cs_bytes oid, struct cs_bytes prefix)
{
	if (oid.n != prefix.n + 1 || memcmp(oid.p, prefix.p, prefix.n) != 0)
		return -1;
	return oid.p[prefix.n];
}

/* ---- keys ---- */

static enum cs_err read_ec(struct x509_key *key, struct cs_der *algorithm, struct cs_bytes bits)
{
	struct cs_bytes curve;
	/* Explicit parameters of a curve are never taken for the curve. */
	if (!cs_der_is(algorithm, CS_DER_OID))
		return CS_OK;
	CS_TRY(cs_der_oid(algorithm, &curve));
	CS_TRY(cs_der_end(algorithm));
	enum x509_key_kind kind = IS(curve, oid_p256)   ? X509_KEY_P256
				  : IS(curve, oid_p384) ? X509_KEY_P384
							: X509_KEY_OTHER;
	if (kind == X509_KEY_OTHER)
		return CS_OK;
	size_t size = 2 * cs_curve_size(kind == X509_KEY_P256 ? CS_P256 : CS_P384);
	if (bits.n != 1 + size || bits.p[0] != 0x04)
		return CS_ERR_INVALID;
	key->kind = kind;
	key->point = cs_bytes(bits.p + 1, size);
	return CS_OK;
}

static enum cs_err read_rsa(struct x509_key *key, struct cs_der *algorithm, struct cs_bytes bits)
{
	struct cs_der pair;
	struct cs_bytes null;
	struct cs_rsa_key rsa;
	CS_TRY(cs_der_get(algorithm, &null, CS_DER_NULL));
	CS_TRY(cs_der_end(algorithm));
	if (null.n != 0)
		return CS_ERR_MALFORMED;
	CS_TRY(cs_der_one(&pair, bits, CS_DER_SEQUENCE));
	CS_TRY(cs_der_unsigned(&pair, &rsa.modulus));
	CS_TRY(cs_der_unsigned(&pair, &rsa.exponent));
	CS_TRY(cs_der_end(&pair));
	if (rsa.modulus.n < CS_RSA_SIZE_MIN || rsa.modulus.n > CS_RSA_SIZE_MAX ||
	    rsa.exponent.n > 4)
		return CS_OK;
	key->kind = X509_KEY_RSA;
	key->rsa = rsa;
	return CS_OK;
}

enum cs_err x509_key_parse(struct x509_key *key, struct cs_bytes spki)
{
	struct cs_der info, algorithm;
	struct cs_bytes oid, bits;
	struct x509_key made = {.kind = X509_KEY_OTHER, .spki = spki};
	CS_TRY(cs_der_one(&info, spki, CS_DER_SEQUENCE));
	CS_TRY(cs_der_enter(&info, &algorithm, CS_DER_SEQUENCE));
	CS_TRY(cs_der_oid(&algorithm, &oid));
	CS_TRY(cs_der_bits(&info, &bits));
	CS_TRY(cs_der_end(&info));
	if (IS(oid, oid_ec_public_key))
		CS_TRY(read_ec(&made, &algorithm, bits));
	else if (IS(oid, oid_rsa))
		CS_TRY(read_rsa(&made, &algorithm, bits));
	*key = made;
	return CS_OK;
}

/* ---- algorithms of signatures ---- */

/* Nothing, or NULL. */
static enum cs_err no_parameters(struct cs_der *der)
{
	struct cs_bytes null = CS_BYTES_NONE;
	if (cs_der_more(der))
		CS_TRY(cs_der_get(der, &null, CS_DER_NULL));
	return null.n == 0 ? cs_der_end(der) : CS_ERR_MALFORMED;
}

/* AlgorithmIdentifier of a hash; false in *known for one that is not of SHA-2. */
static enum cs_err hash_algorithm(struct cs_der *der, enum cs_digest_kind *kind, bool *known)
{
	struct cs_der algorithm;
	struct cs_bytes oid;
	CS_TRY(cs_der_enter(der, &algorithm, CS_DER_SEQUENCE));
	CS_TRY(cs_der_oid(&algorithm, &oid));
	CS_TRY(no_parameters(&algorithm));
	int last = last_of(oid, CS_BYTES_OF(oid_sha2));
	*known = last >= 1 && last <= 3;
	if (*known)
		*kind = last == 1 ? CS_SHA256 : last == 2 ? CS_SHA384 : CS_SHA512;
	return CS_OK;
}

/* [number] EXPLICIT; absent: *inner is empty. */
static enum cs_err tagged(struct cs_der *der, unsigned number, struct cs_der *inner)
{
	inner->rest = CS_BYTES_NONE;
	if (!cs_der_is(der, CS_DER_CONTEXT_CONSTRUCTED | number))
		return CS_OK;
	return cs_der_enter(der, inner, CS_DER_CONTEXT_CONSTRUCTED | number);
}

/* Absent: SHA-1, which is not known here. */
static enum cs_err pss_hash(struct cs_der *field, enum cs_digest_kind *kind, bool *known)
{
	*known = false;
	if (!cs_der_more(field))
		return CS_OK;
	CS_TRY(hash_algorithm(field, kind, known));
	return cs_der_end(field);
}

/* MGF1 and its hash. */
static enum cs_err pss_mask(struct cs_der *field, enum cs_digest_kind *kind, bool *known)
{
	struct cs_der mask;
	struct cs_bytes oid;
	*known = false;
	if (!cs_der_more(field))
		return CS_OK;
	CS_TRY(cs_der_enter(field, &mask, CS_DER_SEQUENCE));
	CS_TRY(cs_der_end(field));
	CS_TRY(cs_der_oid(&mask, &oid));
	return IS(oid, oid_mgf1) ? pss_hash(&mask, kind, known) : CS_OK;
}

static enum cs_err pss_number(struct cs_der *field, uint64_t *value)
{
	if (!cs_der_more(field))
		return CS_OK;
	CS_TRY(cs_der_u64(field, value));
	return cs_der_end(field);
}

/* RSASSA-PSS-params (RFC 4055, 3.1). AMD writes the trailer field out although it is the default. */
static enum cs_err pss_parameters(struct cs_der *algorithm, struct x509_algorithm *out)
{
	struct cs_der parameters, fields[4];
	enum cs_digest_kind hash = CS_SHA256, mask_hash = CS_SHA256;
	bool hash_known, mask_known;
	uint64_t salt = 20, trailer = 1;
	CS_TRY(cs_der_enter(algorithm, &parameters, CS_DER_SEQUENCE));
	CS_TRY(cs_der_end(algorithm));
	for (unsigned i = 0; i < CS_LEN(fields); i++)
		CS_TRY(tagged(&parameters, i, &fields[i]));
	CS_TRY(cs_der_end(&parameters));
	CS_TRY(pss_hash(&fields[0], &hash, &hash_known));
	CS_TRY(pss_mask(&fields[1], &mask_hash, &mask_known));
	CS_TRY(pss_number(&fields[2], &salt));
	CS_TRY(pss_number(&fields[3], &trailer));
	if (hash_known && mask_known && hash == mask_hash && salt == cs_digest_size(hash) &&
	    trailer == 1)
		*out = (struct x509_algorithm){X509_SIGNATURE_RSA_PSS, hash};
	return CS_OK;
}

/* The contents of an AlgorithmIdentifier. */
static enum cs_err read_algorithm(struct x509_algorithm *out, struct cs_bytes contents)
{
	struct cs_der der = {contents};
	struct cs_bytes oid;
	*out = (struct x509_algorithm){X509_SIGNATURE_OTHER, CS_SHA256};
	CS_TRY(cs_der_oid(&der, &oid));
	if (IS(oid, oid_rsa_pss))
		return pss_parameters(&der, out);
	int ecdsa = last_of(oid, CS_BYTES_OF(oid_ecdsa_with));
	if (ecdsa >= 2 && ecdsa <= 4) {
		*out = (struct x509_algorithm){X509_SIGNATURE_ECDSA, ecdsa == 2   ? CS_SHA256
								     : ecdsa == 3 ? CS_SHA384
										  : CS_SHA512};
		/* mbedTLS writes a NULL, against RFC 5758. */
		return no_parameters(&der);
	}
	int rsa = last_of(oid, CS_BYTES_OF(oid_rsa_with));
	if (rsa >= 11 && rsa <= 13) {
		*out = (struct x509_algorithm){X509_SIGNATURE_RSA_PKCS1, rsa == 11   ? CS_SHA256
									 : rsa == 12 ? CS_SHA384
										     : CS_SHA512};
		return no_parameters(&der);
	}
	return CS_OK;
}

enum cs_err x509_verify_signature(const struct x509_key *key,
				  const struct x509_algorithm *algorithm, struct cs_bytes message,
				  struct cs_bytes signature, struct cs_nistp *nistp)
{
	bool rsa = algorithm->kind == X509_SIGNATURE_RSA_PKCS1 ||
		   algorithm->kind == X509_SIGNATURE_RSA_PSS;
	if (algorithm->kind == X509_SIGNATURE_OTHER || key->kind == X509_KEY_OTHER)
		return CS_ERR_UNSUPPORTED;
	if (rsa != (key->kind == X509_KEY_RSA))
		return CS_ERR_BAD_SIGNATURE;
	struct cs_digest digest = cs_digest(algorithm->digest, message);
	if (rsa) {
		CS_TRY(cs_nistp_spend(nistp));
		return cs_nistp_note(nistp, cs_rsa_verify(&key->rsa,
							  algorithm->kind == X509_SIGNATURE_RSA_PSS
								  ? CS_RSA_PSS
								  : CS_RSA_PKCS1,
							  algorithm->digest, &digest, signature));
	}
	uint8_t rs[CS_NISTP_KEY_SIZE_MAX];
	enum cs_curve curve = key->kind == X509_KEY_P256 ? CS_P256 : CS_P384;
	size_t size = cs_curve_size(curve);
	if (cs_der_ecdsa(rs, size, signature) != CS_OK)
		return CS_ERR_BAD_SIGNATURE;
	return cs_nistp_verify(nistp, curve, key->point, cs_digest_view(&digest),
			       cs_bytes(rs, 2 * size));
}

/* ---- the envelope that certificates and lists share ---- */

struct signed_der {
	struct cs_bytes tbs_whole;
	struct cs_der tbs;
	struct cs_bytes algorithm; /* the contents outside; those inside must be the same */
	struct cs_bytes signature;
};

static enum cs_err open_signed(struct signed_der *out, struct cs_bytes der)
{
	struct cs_der outer;
	struct cs_der_item tbs;
	CS_TRY(cs_der_one(&outer, der, CS_DER_SEQUENCE));
	CS_TRY(cs_der_next(&outer, &tbs));
	if (tbs.tag != CS_DER_SEQUENCE)
		return CS_ERR_INVALID;
	out->tbs_whole = tbs.whole;
	out->tbs.rest = tbs.value;
	CS_TRY(cs_der_get(&outer, &out->algorithm, CS_DER_SEQUENCE));
	CS_TRY(cs_der_bits(&outer, &out->signature));
	return cs_der_end(&outer);
}

/* The next item with its header. */
static enum cs_err whole(struct cs_der *der, struct cs_bytes *out, unsigned tag)
{
	struct cs_der_item item;
	if (!cs_der_is(der, tag))
		return cs_der_more(der) ? CS_ERR_INVALID : CS_ERR_TRUNCATED;
	CS_TRY(cs_der_next(der, &item));
	*out = item.whole;
	return CS_OK;
}

static enum cs_err inner_algorithm(struct signed_der *from, struct x509_algorithm *out)
{
	struct cs_bytes inside;
	CS_TRY(cs_der_get(&from->tbs, &inside, CS_DER_SEQUENCE));
	if (!cs_bytes_eq(inside, from->algorithm))
		return CS_ERR_INVALID;
	return read_algorithm(out, inside);
}

/* ---- extensions ---- */

struct extension {
	struct cs_bytes oid; /* as it stands: Gramine's is no proper one */
	struct cs_bytes value;
	bool critical;
};

static enum cs_err next_extension(struct cs_der *list, struct extension *out)
{
	struct cs_der one;
	CS_TRY(cs_der_enter(list, &one, CS_DER_SEQUENCE));
	CS_TRY(cs_der_get(&one, &out->oid, CS_DER_OID));
	out->critical = false;
	if (cs_der_is(&one, CS_DER_BOOLEAN)) {
		CS_TRY(cs_der_bool(&one, &out->critical));
		/* The default is not written. */
		if (!out->critical)
			return CS_ERR_NON_CANONICAL;
	}
	CS_TRY(cs_der_get(&one, &out->value, CS_DER_OCTET_STRING));
	return cs_der_end(&one);
}

/* Of the next extension only what it is. */
static enum cs_err next_oid(struct cs_der *list, struct cs_bytes *oid)
{
	struct cs_der one;
	CS_TRY(cs_der_enter(list, &one, CS_DER_SEQUENCE));
	return cs_der_get(&one, oid, CS_DER_OID);
}

enum cs_err x509_extension(struct cs_bytes *value, bool *critical,
			   const struct x509_certificate *certificate, struct cs_bytes oid)
{
	struct cs_der list = {certificate->extensions};
	struct extension extension;
	while (cs_der_more(&list)) {
		CS_TRY(next_extension(&list, &extension));
		if (!cs_bytes_eq(extension.oid, oid))
			continue;
		*value = extension.value;
		if (critical != NULL)
			*critical = extension.critical;
		return CS_OK;
	}
	return CS_ERR_NOT_FOUND;
}

static enum cs_err basic_constraints(struct x509_certificate *out, struct cs_bytes value)
{
	struct cs_der constraints;
	CS_TRY(cs_der_one(&constraints, value, CS_DER_SEQUENCE));
	if (cs_der_is(&constraints, CS_DER_BOOLEAN)) {
		CS_TRY(cs_der_bool(&constraints, &out->is_ca));
		/* Some vendors write the default FALSE: no CA either way. */
	}
	if (cs_der_more(&constraints)) {
		uint64_t length;
		CS_TRY(cs_der_u64(&constraints, &length));
		if (!out->is_ca)
			return CS_ERR_INVALID;
		out->has_path_length = true;
		out->path_length = length < 255 ? (uint8_t)length : 255;
	}
	return cs_der_end(&constraints);
}

static enum cs_err key_usage(struct x509_certificate *out, struct cs_bytes value)
{
	struct cs_der der = {value};
	CS_TRY(cs_der_flags(&der, &out->key_usage));
	out->has_key_usage = true;
	return cs_der_end(&der);
}

static enum cs_err read_extension(struct x509_certificate *out, const struct extension *extension)
{
	switch (last_of(extension->oid, CS_BYTES_OF(oid_extension))) {
	case EXTENSION_BASIC_CONSTRAINTS:
		return basic_constraints(out, extension->value);
	case EXTENSION_KEY_USAGE:
		return key_usage(out, extension->value);
	case EXTENSION_SUBJECT_ALT_NAME:
	case EXTENSION_EXT_KEY_USAGE:
		return CS_OK;
	default:
		out->critical_unknown |= extension->critical;
		return CS_OK;
	}
}

/* All of them, each once. Lists are short: all pairs are compared. */
static enum cs_err read_extensions(struct x509_certificate *out)
{
	struct cs_der list = {out->extensions};
	struct extension extension;
	struct cs_bytes other;
	if (!cs_der_more(&list))
		return CS_ERR_MALFORMED;
	while (cs_der_more(&list)) {
		CS_TRY(next_extension(&list, &extension));
		for (struct cs_der later = list; cs_der_more(&later);) {
			CS_TRY(next_oid(&later, &other));
			if (cs_bytes_eq(extension.oid, other))
				return CS_ERR_DUPLICATE;
		}
		CS_TRY(read_extension(out, &extension));
	}
	return CS_OK;
}

/* ---- certificates ---- */

static enum cs_err version_3(struct cs_der *tbs)
{
	struct cs_der inner;
	uint64_t version;
	if (!cs_der_is(tbs, CS_DER_CONTEXT_CONSTRUCTED | 0))
		return CS_ERR_UNSUPPORTED;
	CS_TRY(cs_der_enter(tbs, &inner, CS_DER_CONTEXT_CONSTRUCTED | 0));
	CS_TRY(cs_der_u64(&inner, &version));
	CS_TRY(cs_der_end(&inner));
	return version == 2 ? CS_OK : CS_ERR_UNSUPPORTED;
}

static enum cs_err validity(struct cs_der *tbs, struct x509_certificate *out)
{
	struct cs_der dates;
	CS_TRY(cs_der_enter(tbs, &dates, CS_DER_SEQUENCE));
	CS_TRY(cs_der_time(&dates, &out->not_before_s));
	CS_TRY(cs_der_time(&dates, &out->not_after_s));
	CS_TRY(cs_der_end(&dates));
	return out->not_before_s <= out->not_after_s ? CS_OK : CS_ERR_INVALID;
}

/* Unique identifiers (version 2) are refused by what follows them. */
static enum cs_err extension_list(struct cs_der *tbs, struct x509_certificate *out)
{
	struct cs_der outer;
	if (!cs_der_more(tbs))
		return CS_OK;
	CS_TRY(cs_der_enter(tbs, &outer, CS_DER_CONTEXT_CONSTRUCTED | 3));
	CS_TRY(cs_der_get(&outer, &out->extensions, CS_DER_SEQUENCE));
	CS_TRY(cs_der_end(&outer));
	return read_extensions(out);
}

static enum cs_err read_certificate(struct x509_certificate *out, struct cs_bytes der,
				    const char **part)
{
	struct signed_der from;
	struct cs_bytes spki;
	*part = "the envelope";
	CS_TRY(open_signed(&from, der));
	out->tbs = from.tbs_whole;
	out->signature = from.signature;
	*part = "the version";
	CS_TRY(version_3(&from.tbs));
	*part = "the serial number";
	CS_TRY(cs_der_integer(&from.tbs, &out->serial));
	*part = "the algorithm of the signature";
	CS_TRY(inner_algorithm(&from, &out->algorithm));
	*part = "the issuer";
	CS_TRY(whole(&from.tbs, &out->issuer, CS_DER_SEQUENCE));
	*part = "the validity";
	CS_TRY(validity(&from.tbs, out));
	*part = "the subject";
	CS_TRY(whole(&from.tbs, &out->subject, CS_DER_SEQUENCE));
	*part = "the key";
	CS_TRY(whole(&from.tbs, &spki, CS_DER_SEQUENCE));
	CS_TRY(x509_key_parse(&out->key, spki));
	*part = "the extensions";
	CS_TRY(extension_list(&from.tbs, out));
	return cs_der_end(&from.tbs);
}

enum cs_err x509_certificate_parse(struct x509_certificate *out, struct cs_bytes der,
				   struct cs_why *why)
{
	struct x509_certificate made = {.der = der};
	const char *part;
	if (der.n > X509_CERTIFICATE_SIZE_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "certificate: %zu bytes", der.n);
	enum cs_err err = read_certificate(&made, der, &part);
	if (err != CS_OK)
		return cs_fail(why, err, "certificate: %s: %s", part, cs_err_sentence(err));
	*out = made;
	return CS_OK;
}

struct cs_bytes x509_common_name(struct cs_bytes name)
{
	static const uint8_t oid_common_name[] = {0x55, 0x04, 0x03};
	struct cs_der names, set, pair;
	struct cs_der_item value;
	struct cs_bytes oid, found = CS_BYTES_NONE;
	if (cs_der_one(&names, name, CS_DER_SEQUENCE) != CS_OK)
		return found;
	while (cs_der_more(&names) && cs_der_enter(&names, &set, CS_DER_SET) == CS_OK)
		while (cs_der_more(&set) && cs_der_enter(&set, &pair, CS_DER_SEQUENCE) == CS_OK)
			if (cs_der_oid(&pair, &oid) == CS_OK &&
			    cs_der_next(&pair, &value) == CS_OK && IS(oid, oid_common_name))
				found = value.value;
	return found;
}

/* ---- revocation lists ---- */

/* No extension may be critical: of a list that says "only some" or "only what changed" nothing
 * follows. */
static enum cs_err harmless_extensions(struct cs_der list)
{
	struct extension extension;
	while (cs_der_more(&list)) {
		CS_TRY(next_extension(&list, &extension));
		if (extension.critical)
			return CS_ERR_UNSUPPORTED;
	}
	return CS_OK;
}

/* An entry's serial number. */
static enum cs_err next_entry(struct cs_der *entries, struct cs_bytes *serial)
{
	struct cs_der entry, extensions;
	uint64_t date;
	CS_TRY(cs_der_enter(entries, &entry, CS_DER_SEQUENCE));
	CS_TRY(cs_der_integer(&entry, serial));
	CS_TRY(cs_der_time(&entry, &date));
	if (cs_der_more(&entry)) {
		CS_TRY(cs_der_enter(&entry, &extensions, CS_DER_SEQUENCE));
		CS_TRY(harmless_extensions(extensions));
	}
	return cs_der_end(&entry);
}

static enum cs_err read_entries(struct cs_der *tbs, struct x509_crl *out)
{
	struct cs_bytes serial;
	if (!cs_der_is(tbs, CS_DER_SEQUENCE))
		return CS_OK;
	CS_TRY(cs_der_get(tbs, &out->entries, CS_DER_SEQUENCE));
	for (struct cs_der entries = {out->entries}; cs_der_more(&entries);)
		CS_TRY(next_entry(&entries, &serial));
	return CS_OK;
}

static enum cs_err read_crl(struct x509_crl *out, struct cs_bytes der, const char **part)
{
	struct signed_der from;
	struct cs_der outer, extensions;
	uint64_t version;
	*part = "the envelope";
	CS_TRY(open_signed(&from, der));
	out->tbs = from.tbs_whole;
	out->signature = from.signature;
	*part = "the version";
	CS_TRY(cs_der_u64(&from.tbs, &version));
	if (version != 1)
		return CS_ERR_UNSUPPORTED;
	*part = "the algorithm of the signature";
	CS_TRY(inner_algorithm(&from, &out->algorithm));
	*part = "the issuer";
	CS_TRY(whole(&from.tbs, &out->issuer, CS_DER_SEQUENCE));
	*part = "the dates";
	CS_TRY(cs_der_time(&from.tbs, &out->this_update_s));
	CS_TRY(cs_der_time(&from.tbs, &out->next_update_s));
	*part = "the entries";
	CS_TRY(read_entries(&from.tbs, out));
	*part = "the extensions";
	if (cs_der_more(&from.tbs)) {
		CS_TRY(cs_der_enter(&from.tbs, &outer, CS_DER_CONTEXT_CONSTRUCTED | 0));
		CS_TRY(cs_der_enter(&outer, &extensions, CS_DER_SEQUENCE));
		CS_TRY(cs_der_end(&outer));
		CS_TRY(harmless_extensions(extensions));
	}
	return cs_der_end(&from.tbs);
}

enum cs_err x509_crl_parse(struct x509_crl *out, struct cs_bytes der, struct cs_why *why)
{
	struct x509_crl made = {.der = der};
	const char *part;
	enum cs_err err = read_crl(&made, der, &part);
	if (err != CS_OK)
		return cs_fail(why, err, "revocation list: %s: %s", part, cs_err_sentence(err));
	*out = made;
	return CS_OK;
}

bool x509_crl_lists(const struct x509_crl *crl, struct cs_bytes serial)
{
	struct cs_der entry;
	struct cs_bytes listed;
	for (struct cs_der entries = {crl->entries}; cs_der_more(&entries);) {
		/* It was read before: the serial number comes first. */
		cs_assert(cs_der_enter(&entries, &entry, CS_DER_SEQUENCE) == CS_OK &&
			  cs_der_integer(&entry, &listed) == CS_OK);
		if (cs_bytes_eq(listed, serial))
			return true;
	}
	return false;
}
