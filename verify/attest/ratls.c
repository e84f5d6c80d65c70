#include "verify/attest/ratls.h"

#include "core/base64.h"
#include "core/cbor.h"
#include "verify/attest/evidence.h"

#include <string.h>

/* 2.23.133.5.4.9, tcg-dice-TaggedEvidence */
static const uint8_t oid_tcg_dice[] = {0x67, 0x81, 0x05, 0x05, 0x04, 0x09};
/* 1.2.840.113741.1337.6 as Gramine writes it: tag and length stand inside the identifier's own bytes;
 * and as it would be written. */
static const uint8_t oid_gramine_odd[] = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
					  0xf8, 0x4d, 0x8a, 0x39, 0x06};
/* 1.2.840.113741.1.13.1: Intel's SDK puts a quote here, PCK certificates have something else. */
static const uint8_t oid_intel[] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};

/* CBOR tags (IANA): evidence with claims; the two after it are reports for the same machine. */
#define TAG_QUOTE 60000u
#define TAG_REPORT 60001u
#define TAG_LEGACY_REPORT 60002u

/* Named information hash algorithms (IANA). */
#define HASH_SHA256 1u
#define HASH_SHA384 7u
#define HASH_SHA512 8u

/* PEM has lines of 64 characters. An RSA key of 4096 bits takes 550 bytes of DER. */
#define PEM_LINE 64u
#define PEM_KEY_SIZE_MAX 1024u

/* ---- TCG DICE ---- */

static enum cs_err key_hash_read(struct ratls_evidence *out, struct cs_bytes item)
{
	struct cs_bytes pair;
	struct cs_cbor cbor;
	size_t count;
	uint64_t algorithm;
	cs_cbor_init(&cbor, item);
	CS_TRY(cs_cbor_bytes(&cbor, &pair));
	cs_cbor_init(&cbor, pair);
	CS_TRY(cs_cbor_array(&cbor, &count));
	if (count != 2)
		return CS_ERR_INVALID;
	CS_TRY(cs_cbor_uint(&cbor, &algorithm));
	CS_TRY(cs_cbor_bytes(&cbor, &out->key_hash));
	CS_TRY(cs_cbor_end(&cbor));
	if (algorithm != HASH_SHA256 && algorithm != HASH_SHA384 && algorithm != HASH_SHA512)
		return CS_ERR_UNSUPPORTED;
	out->key_hash_kind = algorithm == HASH_SHA256   ? CS_SHA256
			     : algorithm == HASH_SHA384 ? CS_SHA384
							: CS_SHA512;
	return out->key_hash.n == cs_digest_size(out->key_hash_kind) ? CS_OK : CS_ERR_INVALID;
}

/* Left alone where the claims have none of this name. */
static enum cs_err bytes_claim(struct cs_bytes *value, struct cs_bytes claims, const char *name)
{
	struct cs_bytes item;
	struct cs_cbor cbor;
	const enum cs_err err = cs_cbor_find(&item, claims, name);
	if (err == CS_ERR_NOT_FOUND)
		return CS_OK;
	CS_TRY(err);
	cs_cbor_init(&cbor, item);
	return cs_cbor_bytes(&cbor, value);
}

static enum cs_err claims_read(struct ratls_evidence *out, struct cs_why *why)
{
	struct cs_bytes item;
	enum cs_err err = cs_cbor_find(&item, out->claims, "pubkey-hash");
	if (err == CS_ERR_NOT_FOUND)
		return cs_fail(why, CS_ERR_MISSING_FIELD, "the claims have no pubkey-hash");
	if (err != CS_OK)
		return cs_fail(why, err, "the claims are not read");
	err = key_hash_read(out, item);
	if (err != CS_OK)
		return cs_fail(why, err, "the claims' pubkey-hash");
	err = bytes_claim(&out->nonce, out->claims, "nonce");
	if (err != CS_OK)
		return cs_fail(why, err, "the claims' nonce");
	err = bytes_claim(&out->report, out->claims, "caisson-report");
	if (err == CS_OK && out->report.p != NULL && out->report.n != sizeof(struct cs_hash))
		err = CS_ERR_INVALID;
	return err == CS_OK ? CS_OK : cs_fail(why, err, "the claims' caisson-report");
}

static enum cs_err tagged_split(struct ratls_evidence *out, struct cs_bytes value)
{
	struct cs_cbor cbor;
	uint64_t tag;
	size_t count;
	cs_cbor_init(&cbor, value);
	CS_TRY(cs_cbor_tag(&cbor, &tag));
	if (tag != TAG_QUOTE)
		return tag == TAG_REPORT || tag == TAG_LEGACY_REPORT ? CS_ERR_UNSUPPORTED
								     : CS_ERR_INVALID;
	CS_TRY(cs_cbor_array(&cbor, &count));
	if (count != 2)
		return CS_ERR_INVALID;
	CS_TRY(cs_cbor_bytes(&cbor, &out->evidence));
	CS_TRY(cs_cbor_bytes(&cbor, &out->claims));
	return cs_cbor_end(&cbor);
}

enum cs_err ratls_tagged_read(struct ratls_evidence *out, struct cs_bytes extension,
			      struct cs_why *why)
{
	struct ratls_evidence found = {.form = RATLS_TCG_DICE};
	const enum cs_err err = tagged_split(&found, extension);
	if (err != CS_OK)
		return cs_fail(why, err, "the extension 2.23.133.5.4.9");
	CS_TRY(claims_read(&found, why));
	*out = found;
	return CS_OK;
}

/* ---- finding ---- */

static bool extension(struct cs_bytes *value, const struct x509_certificate *certificate,
		      struct cs_bytes oid)
{
	return x509_extension(value, NULL, certificate, oid) == CS_OK;
}

enum cs_err ratls_find(struct ratls_evidence *out, const struct x509_certificate *certificate,
		       struct cs_why *why)
{
	const struct cs_bytes gramine = CS_BYTES_OF(oid_gramine_odd);
	struct ratls_evidence found = {.form = RATLS_TCG_DICE};
	struct cs_bytes value;
	if (extension(&value, certificate, CS_BYTES_OF(oid_tcg_dice))) {
		CS_TRY(ratls_tagged_read(&found, value, why));
	} else if (extension(&value, certificate, gramine) ||
		   extension(&value, certificate, cs_bytes(gramine.p + 2, gramine.n - 2))) {
		found.form = RATLS_GRAMINE;
		found.evidence = value;
	} else if (extension(&value, certificate, CS_BYTES_OF(oid_intel))) {
		found.form = RATLS_INTEL;
		found.evidence = value;
	} else {
		return cs_fail(why, CS_ERR_NOT_FOUND, "the certificate carries no evidence");
	}
	*out = found;
	return CS_OK;
}

/* ---- binding ---- */

/* A hash of 32, 48 or 64 bytes, and zeros behind it. */
static bool report_data_is_hash_of(const struct attest_result *result, struct cs_bytes bytes)
{
	static const enum cs_digest_kind kinds[] = {CS_SHA256, CS_SHA384, CS_SHA512};
	for (size_t i = 0; i < CS_LEN(kinds); i++) {
		const struct cs_digest digest = cs_digest(kinds[i], bytes);
		uint8_t padded[ATTEST_REPORT_DATA_SIZE_MAX] = {0};
		if (digest.n > result->report_data_size)
			continue;
		memcpy(padded, digest.b, digest.n);
		if (memcmp(padded, result->report_data, result->report_data_size) == 0)
			return true;
	}
	return false;
}

/* As OpenSSL writes it, with the zero that Intel's SDK hashes along. */
static bool key_pem(struct cs_buf *buf, struct cs_bytes spki)
{
	char text[CS_BASE64_SIZE(PEM_KEY_SIZE_MAX)];
	if (spki.n > PEM_KEY_SIZE_MAX)
		return false;
	const size_t n = cs_base64(text, spki, CS_BASE64);
	cs_put_text(buf, "-----BEGIN PUBLIC KEY-----\n");
	for (size_t i = 0; i < n; i += PEM_LINE)
		cs_put_text(buf, "%.*s\n", (int)(n - i < PEM_LINE ? n - i : PEM_LINE), text + i);
	cs_put_text(buf, "-----END PUBLIC KEY-----\n");
	cs_put_u8(buf, 0);
	return cs_buf_end(buf) == CS_OK;
}

static void check_hash(struct attest_result *result, const char *name, const char *of,
		       struct cs_bytes bytes)
{
	const bool is_hash = report_data_is_hash_of(result, bytes);
	const struct cs_bytes report_data = cs_bytes(result->report_data, result->report_data_size);
	const struct cs_digest digest = cs_digest(CS_SHA256, bytes);
	attest_check(result, name, is_hash, "the report data is %s, the hash of %s%s%s",
		     attest_hex(report_data, 0).text, of, is_hash ? "" : " (SHA-256) ",
		     is_hash ? "" : attest_hex(cs_digest_view(&digest), 0).text);
}

void ratls_check_binding(struct attest_result *result, const struct ratls_evidence *found,
			 struct cs_bytes spki)
{
	uint8_t memory[2 * PEM_KEY_SIZE_MAX];
	struct cs_digest digest;
	struct cs_buf pem;
	switch (found->form) {
	case RATLS_TCG_DICE:
		check_hash(result, "ratls-claims", "the claims", found->claims);
		digest = cs_digest(found->key_hash_kind, spki);
		attest_check_same(result, "ratls-key", "the claims' pubkey-hash", found->key_hash,
				  "the hash of the certificate's key", cs_digest_view(&digest));
		return;
	case RATLS_GRAMINE:
		check_hash(result, "ratls-key", "the certificate's key", spki);
		return;
	case RATLS_INTEL:
		cs_buf_init(&pem, memory, sizeof memory);
		if (key_pem(&pem, spki))
			check_hash(result, "ratls-key", "the certificate's key as PEM",
				   cs_buf_view(&pem));
		else
			attest_check(result, "ratls-key", false,
				     "the certificate's key has %zu bytes, more than any that is "
				     "taken",
				     spki.n);
		return;
	}
}

/* ---- the kind ---- */

static const char *form_name(enum ratls_form form)
{
	switch (form) {
	case RATLS_TCG_DICE:
		return "TCG DICE tagged evidence";
	case RATLS_GRAMINE:
		return "Gramine's legacy extension";
	case RATLS_INTEL:
		return "the extension of Intel's SDK";
	}
	cs_assert(false);
	return NULL;
}

/* That of a certificate which another one issued is that one's business: the binding to the evidence
 * does not rest on it. */
static enum cs_err check_certificate(struct attest_work *work,
				     const struct x509_certificate *certificate)
{
	struct attest_result *result = work->result;
	const enum cs_err dates = x509_in_dates(certificate, &work->in->now);
	attest_check(result, "ratls-dates", dates == CS_OK, "%s",
		     x509_dates(certificate->not_before_s, certificate->not_after_s, &work->in->now)
			     .text);
	attest_check(result, "ratls-extensions", !certificate->critical_unknown,
		     "%s critical extension that is not read",
		     certificate->critical_unknown ? "there is a" : "no");
	if (!cs_bytes_eq(certificate->issuer, certificate->subject)) {
		attest_skip(result, "ratls-signature",
			    "not self-signed: its issuer vouches for it");
		return CS_OK;
	}
	const enum cs_err err =
		x509_verify_signature(&certificate->key, &certificate->algorithm, certificate->tbs,
				      certificate->signature, work->nistp);
	if (err == CS_ERR_CRYPTO || err == CS_ERR_NO_MEMORY)
		return err;
	attest_check(result, "ratls-signature", err == CS_OK, "%s",
		     err == CS_OK ? "self-signed" : cs_err_sentence(err));
	return CS_OK;
}

enum cs_err ratls_verify(struct attest_work *work, struct cs_bytes der)
{
	struct attest_result *result = work->result;
	struct x509_certificate certificate;
	struct attest_evidence inner;
	struct ratls_evidence found;
	CS_TRY(x509_certificate_parse(&certificate, der, work->why));
	CS_TRY(ratls_find(&found, &certificate, work->why));
	CS_TRY(attest_evidence_find_raw(&inner, found.evidence, work->why));
	attest_check(result, "ratls-evidence", true, "%s", form_name(found.form));
	CS_TRY(check_certificate(work, &certificate));
	attest_claim_bytes(result, "public_key", certificate.key.spki);
	attest_claim_number(result, "certificate_not_before", certificate.not_before_s);
	attest_claim_number(result, "certificate_not_after", certificate.not_after_s);
	attest_until(result, certificate.not_after_s);
	if (found.nonce.p != NULL)
		attest_claim_bytes(result, "nonce", found.nonce);
	if (found.report.p != NULL)
		attest_claim_bytes(result, "caisson_report", found.report);
	CS_TRY(attest_verify_inside(work, &inner));
	ratls_check_binding(result, &found, certificate.key.spki);
	return CS_OK;
}
