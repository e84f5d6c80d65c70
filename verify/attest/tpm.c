/* A TPM's quote: signed by its attestation key over the PCRs that came along. What says that the key is
 * a TPM's is in tpm_key.h. SHA-1 is refused, as the hash of the signature and as the bank. */
#include "verify/attest/tpm_key.h"

#include <stdio.h>
#include <string.h>

struct tpm_work {
	struct attest_work *work;
	struct tpm_evidence evidence;
	struct tpm_quote quote;
	struct tpm_signature signature;
};

static bool digest_kind(enum cs_digest_kind *kind, uint16_t hash)
{
	if (hash == TPM_SHA256)
		*kind = CS_SHA256;
	else if (hash == TPM_SHA384)
		*kind = CS_SHA384;
	else if (hash == TPM_SHA512)
		*kind = CS_SHA512;
	else
		return false;
	return true;
}

/* ---- what the quote says ---- */

static const char *pcr_name(size_t i)
{
	static const char *const names[TPM_PCR_COUNT] = {
		"pcr0",  "pcr1",  "pcr2",  "pcr3",  "pcr4",  "pcr5",  "pcr6",  "pcr7",
		"pcr8",  "pcr9",  "pcr10", "pcr11", "pcr12", "pcr13", "pcr14", "pcr15",
		"pcr16", "pcr17", "pcr18", "pcr19", "pcr20", "pcr21", "pcr22", "pcr23"};
	return names[i];
}

static void put_claims(struct attest_result *result, const struct tpm_quote *quote)
{
	attest_claim_bytes(result, "pcr_digest", quote->pcr_digest);
	attest_claim_bytes(result, "qualified_signer", quote->signer);
	attest_claim_number(result, "clock_ms", quote->clock_ms);
	attest_claim_number(result, "clock_safe", quote->safe);
	attest_claim_number(result, "reset_count", quote->reset_count);
	attest_claim_number(result, "restart_count", quote->restart_count);
	attest_claim_number(result, "firmware_version", quote->firmware_version);
}

/* ---- checks ---- */

/* Left with zeros to the size of the curve. */
static bool pad(uint8_t *to, size_t size, struct cs_bytes number)
{
	while (number.n > 0 && number.p[0] == 0)
		number = cs_bytes(number.p + 1, number.n - 1);
	if (number.n > size)
		return false;
	memset(to, 0, size);
	if (number.n > 0)
		memcpy(to + size - number.n, number.p, number.n);
	return true;
}

static enum cs_err verify_ecdsa(struct tpm_work *tpm, const struct x509_key *key,
				const struct cs_digest *digest)
{
	uint8_t rs[CS_NISTP_KEY_SIZE_MAX];
	enum cs_curve curve = key->kind == X509_KEY_P256 ? CS_P256 : CS_P384;
	size_t size = cs_curve_size(curve);
	if (!pad(rs, size, tpm->signature.r) || !pad(rs + size, size, tpm->signature.s))
		return CS_ERR_BAD_SIGNATURE;
	return cs_nistp_verify(tpm->work->nistp, curve, key->point, cs_digest_view(digest),
			       cs_bytes(rs, 2 * size));
}

static enum cs_err verify_signature(struct tpm_work *tpm, const struct x509_key *key,
				    enum cs_digest_kind kind)
{
	struct cs_digest digest = cs_digest(kind, tpm->evidence.message);
	bool is_ecdsa = tpm->signature.scheme == TPM_ECDSA;
	if (is_ecdsa && (key->kind == X509_KEY_P256 || key->kind == X509_KEY_P384))
		return verify_ecdsa(tpm, key, &digest);
	if (is_ecdsa || key->kind != X509_KEY_RSA)
		return CS_ERR_WRONG_KEY;
	return cs_rsa_verify(&key->rsa,
			     tpm->signature.scheme == TPM_RSAPSS ? CS_RSA_PSS : CS_RSA_PKCS1, kind,
			     &digest, tpm->signature.rsa);
}

static enum cs_err check_signature(struct tpm_work *tpm, const struct x509_key *key,
				   enum cs_digest_kind kind)
{
	enum cs_err err = verify_signature(tpm, key, kind);
	if (err == CS_ERR_CRYPTO || err == CS_ERR_NO_MEMORY)
		return err;
	(void)attest_check(tpm->work->result, "quote-signature", err == CS_OK, "%s",
			   err == CS_OK ? "by the attestation key" : cs_err_sentence(err));
	return CS_OK;
}

/* One bank, whose hash is allowed, and values of its size. */
static bool check_bank(struct tpm_work *tpm)
{
	struct attest_result *result = tpm->work->result;
	const struct tpm_quote *quote = &tpm->quote;
	enum cs_digest_kind kind = CS_SHA256;
	if (quote->selection_count != 1)
		return attest_check(result, "pcr-bank", false, "%zu banks, not one",
				    quote->selection_count);
	uint16_t hash = quote->selections[0].hash;
	if (!digest_kind(&kind, hash))
		return attest_check(result, "pcr-bank", false, "the bank is of %s",
				    hash == TPM_SHA1 ? "SHA-1, which is refused" : "no known hash");
	size_t size = cs_digest_size(kind);
	return attest_check(result, "pcr-bank", tpm->evidence.pcrs[0].n == size,
			    "values of %zu bytes in a bank of %zu", tpm->evidence.pcrs[0].n, size);
}

/* The digest over the chosen PCRs in ascending order, by the signature's hash (part 3,
 * TPM2_Quote). Only they become claims. */
static void check_pcrs(struct tpm_work *tpm, enum cs_digest_kind kind)
{
	struct attest_result *result = tpm->work->result;
	struct cs_bytes chosen[TPM_PCR_COUNT];
	size_t count = 0;
	for (size_t i = 0; i < TPM_PCR_COUNT; i++) {
		if (!(tpm->quote.selections[0].pcrs >> i & 1))
			continue;
		chosen[count++] = tpm->evidence.pcrs[i];
		attest_measurement(result, pcr_name(i), tpm->evidence.pcrs[i]);
	}
	struct cs_digest digest = cs_digest_join(kind, chosen, count);
	char what[48];
	(void)snprintf(what, sizeof what, "the digest of the %zu PCRs", count);
	(void)attest_check_same(result, "pcr-digest", what, cs_digest_view(&digest), "the quote's",
				tpm->quote.pcr_digest);
}

/* Bare where it is Azure's. */
static enum cs_err read_signature(struct tpm_work *tpm)
{
	if (tpm->evidence.shape == TPM_PLAIN)
		return tpm_signature_decode(&tpm->signature, tpm->evidence.signature,
					    tpm->work->why);
	tpm->signature = (struct tpm_signature){
		.scheme = TPM_RSASSA, .hash = TPM_SHA256, .rsa = tpm->evidence.signature};
	return CS_OK;
}

enum cs_err tpm_verify(struct attest_work *work, struct cs_bytes bytes)
{
	struct tpm_work tpm = {.work = work};
	struct attest_result *result = work->result;
	enum cs_digest_kind kind = CS_SHA256;
	struct x509_key key;
	bool found;
	CS_TRY(tpm_evidence_decode(&tpm.evidence, bytes, work->arena, work->why));
	CS_TRY(tpm_quote_decode(&tpm.quote, tpm.evidence.message, work->why));
	CS_TRY(read_signature(&tpm));
	if (tpm.evidence.shape == TPM_PLAIN) {
		result->hardware = ATTEST_TPM;
		result->whole_machine = true;
		CS_TRY(tpm_key_plain(&key, &found, work, &tpm.evidence));
	} else {
		CS_TRY(tpm_key_azure(&key, &found, work, &tpm.evidence));
	}
	put_claims(result, &tpm.quote);
	attest_report_data(result, tpm.quote.extra_data);
	if (!found)
		return CS_OK;
	if (!attest_check(result, "signature-hash", digest_kind(&kind, tpm.signature.hash), "%s",
			  tpm.signature.hash == TPM_SHA1           ? "SHA-1, which is refused"
			  : digest_kind(&kind, tpm.signature.hash) ? "of the SHA-2 family"
								   : "no known hash"))
		return CS_OK;
	CS_TRY(check_signature(&tpm, &key, kind));
	if (check_bank(&tpm))
		check_pcrs(&tpm, kind);
	return CS_OK;
}
