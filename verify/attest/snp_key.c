#include "verify/attest/snp_key.h"

#include "core/der.h"

#include <string.h>

#define TURIN_HWID_SIZE 8u

/* Below 1.3.6.1.4.1.3704.1. */
#define AMD 0x2b, 0x06, 0x01, 0x04, 0x01, 0x9c, 0x78, 0x01
static const uint8_t oid_product_name[] = {AMD, 2};
static const uint8_t oid_boot_loader[] = {AMD, 3, 1};
static const uint8_t oid_tee[] = {AMD, 3, 2};
static const uint8_t oid_snp[] = {AMD, 3, 3};
static const uint8_t oid_microcode[] = {AMD, 3, 8};
static const uint8_t oid_fmc[] = {AMD, 3, 9};
static const uint8_t oid_hwid[] = {AMD, 4};
static const uint8_t oid_csp_id[] = {AMD, 5};

bool snp_key_is(const struct x509_certificate *certificate, enum snp_signer kind)
{
	const char *name = kind == SNP_SIGNER_VCEK ? "SEV-VCEK" : "SEV-VLEK";
	return cs_bytes_eq(x509_common_name(certificate->subject), cs_bytes_str(name));
}

static enum cs_err find(struct cs_bytes *value, const struct x509_certificate *certificate,
			struct cs_bytes oid, const char *name, struct cs_why *why)
{
	enum cs_err err = x509_extension(value, NULL, certificate, oid);
	if (err == CS_ERR_NOT_FOUND)
		return cs_fail(why, CS_ERR_MISSING_FIELD, "the certificate does not say its %s",
			       name);
	return err;
}

static enum cs_err read_level(uint8_t *level, const struct x509_certificate *certificate,
			      struct cs_bytes oid, const char *name, struct cs_why *why)
{
	struct cs_bytes value;
	struct cs_der der;
	uint64_t number;
	CS_TRY(find(&value, certificate, oid, name, why));
	der = (struct cs_der){value};
	if (cs_der_u64(&der, &number) != CS_OK || cs_der_end(&der) != CS_OK || number > UINT8_MAX)
		return cs_fail(why, CS_ERR_MALFORMED, "the certificate's level of %s", name);
	*level = (uint8_t)number;
	return CS_OK;
}

static enum cs_err read_text(struct cs_bytes *text, const struct x509_certificate *certificate,
			     struct cs_bytes oid, const char *name, struct cs_why *why)
{
	struct cs_bytes value;
	struct cs_der der;
	CS_TRY(find(&value, certificate, oid, name, why));
	der = (struct cs_der){value};
	if (cs_der_get(&der, text, CS_DER_IA5_STRING) != CS_OK || cs_der_end(&der) != CS_OK)
		return cs_fail(why, CS_ERR_MALFORMED, "the certificate's %s", name);
	return CS_OK;
}

/* Bare, as AMD's service writes it, or in an OCTET STRING, as it does at times. */
static enum cs_err read_hwid(struct cs_bytes *hwid, const struct x509_certificate *certificate,
			     struct cs_why *why)
{
	struct cs_bytes value;
	CS_TRY(find(&value, certificate, CS_BYTES_OF(oid_hwid), "hardware identifier", why));
	if (value.n == SNP_CHIP_ID_SIZE + 2 || value.n == TURIN_HWID_SIZE + 2) {
		struct cs_der der = {value};
		if (cs_der_get(&der, &value, CS_DER_OCTET_STRING) != CS_OK ||
		    cs_der_end(&der) != CS_OK)
			return cs_fail(why, CS_ERR_MALFORMED,
				       "the certificate's hardware identifier");
	}
	if (value.n != SNP_CHIP_ID_SIZE && value.n != TURIN_HWID_SIZE)
		return cs_fail(why, CS_ERR_MALFORMED, "a hardware identifier of %zu bytes",
			       value.n);
	*hwid = value;
	return CS_OK;
}

static enum cs_err read_tcb(struct snp_tcb *tcb, const struct x509_certificate *certificate,
			    struct cs_why *why)
{
	struct cs_bytes value;
	CS_TRY(read_level(&tcb->boot_loader, certificate, CS_BYTES_OF(oid_boot_loader),
			  "boot loader", why));
	CS_TRY(read_level(&tcb->tee, certificate, CS_BYTES_OF(oid_tee), "TEE", why));
	CS_TRY(read_level(&tcb->snp, certificate, CS_BYTES_OF(oid_snp), "SNP", why));
	CS_TRY(read_level(&tcb->microcode, certificate, CS_BYTES_OF(oid_microcode), "microcode",
			  why));
	tcb->fmc = 0;
	if (x509_extension(&value, NULL, certificate, CS_BYTES_OF(oid_fmc)) != CS_OK)
		return CS_OK;
	return read_level(&tcb->fmc, certificate, CS_BYTES_OF(oid_fmc), "FMC", why);
}

enum cs_err snp_key_decode(struct snp_key *out, const struct x509_certificate *certificate,
			   enum snp_signer kind, struct cs_why *why)
{
	struct snp_key key = {.certificate = certificate, .kind = kind};
	if (certificate->key.kind != X509_KEY_P384)
		return cs_fail(why, CS_ERR_UNSUPPORTED, "the endorsement key is not of P-384");
	CS_TRY(read_text(&key.product_name, certificate, CS_BYTES_OF(oid_product_name), "product",
			 why));
	CS_TRY(read_tcb(&key.tcb, certificate, why));
	if (kind == SNP_SIGNER_VCEK)
		CS_TRY(read_hwid(&key.hwid, certificate, why));
	else
		CS_TRY(read_text(&key.csp_id, certificate, CS_BYTES_OF(oid_csp_id), "provider",
				 why));
	*out = key;
	return CS_OK;
}

bool snp_key_is_of_chip(const struct snp_key *key, const struct snp_report *report)
{
	static const uint8_t zeros[SNP_CHIP_ID_SIZE];
	const uint8_t *chip = report->chip_id.p;
	size_t n = key->hwid.n;
	return n > 0 && memcmp(chip, zeros, n) != 0 && memcmp(chip, key->hwid.p, n) == 0 &&
	       memcmp(chip + n, zeros, SNP_CHIP_ID_SIZE - n) == 0;
}
