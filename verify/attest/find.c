/* What kind of evidence some bytes are, and in which clothes they came. */
#include "core/base64.h"
#include "verify/attest/pem.h"
#include "verify/attest/simulated.h"

#include <string.h>

/* Text is at most twice as long as what it says, with line ends and a prefix. */
#define TEXT_SIZE_MAX (3u * ATTEST_EVIDENCE_SIZE_MAX)

/* Of a quote's header: version, key type, TEE type, and at 12 the quoting enclave's vendor. */
#define QUOTE_HEADER_SIZE 48u
#define QUOTE_TEE_SGX 0x00000000u
#define QUOTE_TEE_TDX 0x00000081u
static const uint8_t quote_vendor_intel[16] = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
					       0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};

#define SNP_REPORT_SIZE 1184u
#define SNP_SIGNATURE_ALGORITHM_AT 0x34u
/* Above the versions that there are and below anything that another kind begins with. */
#define SNP_VERSION_MAX 15u

static uint32_t le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* ---- raw ---- */

static bool begins_with(struct cs_bytes bytes, const void *mark, size_t n)
{
	return bytes.n >= n && memcmp(bytes.p, mark, n) == 0;
}

/* By its vendor, or, where that is damaged, by version and key type together: so that whoever
 * verifies it says what is wrong. */
static bool is_quote(struct cs_bytes bytes)
{
	if (bytes.n < QUOTE_HEADER_SIZE)
		return false;
	const uint32_t version = bytes.p[0] | (uint32_t)bytes.p[1] << 8;
	const uint32_t key_type = bytes.p[2] | (uint32_t)bytes.p[3] << 8;
	return memcmp(bytes.p + 12, quote_vendor_intel, sizeof quote_vendor_intel) == 0 ||
	       (version >= 3 && version <= 5 && (key_type == 2 || key_type == 3));
}

static bool is_snp_report(struct cs_bytes bytes)
{
	return bytes.n >= SNP_REPORT_SIZE && le32(bytes.p) >= 1 &&
	       le32(bytes.p) <= SNP_VERSION_MAX &&
	       le32(bytes.p + SNP_SIGNATURE_ALGORITHM_AT) <= SNP_VERSION_MAX;
}

/* A SEQUENCE whose length is in two bytes: no certificate with evidence is shorter. */
static bool is_certificate(struct cs_bytes bytes)
{
	return bytes.n > 4 && bytes.p[0] == 0x30 && bytes.p[1] == 0x82 &&
	       (size_t)cs_be16(bytes.p + 2) == bytes.n - 4;
}

enum cs_err attest_evidence_find_raw(struct attest_evidence *out, struct cs_bytes bytes,
				     struct cs_why *why)
{
	enum attest_kind kind = ATTEST_NONE;
	if (begins_with(bytes, SIMULATED_MARK, sizeof SIMULATED_MARK)) {
		kind = ATTEST_SIMULATED;
	} else if (is_quote(bytes)) {
		const uint32_t tee = le32(bytes.p + 4);
		if (tee != QUOTE_TEE_SGX && tee != QUOTE_TEE_TDX)
			return cs_fail(why, CS_ERR_UNSUPPORTED, "a quote of TEE type 0x%x", tee);
		kind = tee == QUOTE_TEE_SGX ? ATTEST_SGX : ATTEST_TDX;
	} else if (is_snp_report(bytes)) {
		kind = ATTEST_SNP;
	} else if (is_certificate(bytes)) {
		kind = ATTEST_RATLS;
	} else if (begins_with(bytes, "{", 1)) {
		kind = ATTEST_TPM;
	} else if (begins_with(bytes, "\xff\x54\x43\x47", 4)) {
		return cs_fail(why, CS_ERR_UNSUPPORTED,
			       "a TPM's quote without its signature and key");
	} else {
		return cs_fail(why, CS_ERR_UNSUPPORTED, "like no kind of evidence that is known");
	}
	*out = (struct attest_evidence){kind, bytes};
	return CS_OK;
}

/* ---- text ---- */

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static bool is_text(struct cs_bytes bytes)
{
	for (size_t i = 0; i < bytes.n; i++) {
		if (!is_space(bytes.p[i]) && (bytes.p[i] < 0x20 || bytes.p[i] > 0x7e))
			return false;
	}
	return bytes.n > 0;
}

static bool is_hex(struct cs_bytes text)
{
	for (size_t i = 0; i < text.n; i++) {
		const uint8_t c = text.p[i];
		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f') && !(c >= 'A' && c <= 'F'))
			return false;
	}
	return text.n > 0 && text.n % 2 == 0;
}

/* The characters of text that are no white space; NULL when there is no room. */
static struct cs_bytes squeeze(struct cs_bytes text, struct cs_arena *arena)
{
	uint8_t *p = cs_arena_alloc(arena, text.n);
	size_t n = 0;
	if (p == NULL)
		return CS_BYTES_NONE;
	for (size_t i = 0; i < text.n; i++) {
		if (!is_space(text.p[i]))
			p[n++] = text.p[i];
	}
	return cs_bytes(p, n);
}

/* What decodes in place stays where the text was. */
static enum cs_err find_text(struct attest_evidence *out, struct cs_bytes text,
			     struct cs_arena *arena, struct cs_why *why)
{
	struct cs_bytes digits = squeeze(text, arena);
	if (digits.p == NULL)
		return CS_ERR_NO_MEMORY;
	const size_t prefix = begins_with(digits, "0x", 2) ? 2 : 0;
	const struct cs_bytes hex = cs_bytes(digits.p + prefix, digits.n - prefix);
	uint8_t *p = cs_arena_alloc(arena, CS_UNBASE64_SIZE(digits.n));
	size_t n = hex.n / 2;
	if (p == NULL)
		return CS_ERR_NO_MEMORY;
	if (is_hex(hex)) {
		CS_TRY(cs_unhex(p, n, hex));
	} else if (cs_unbase64(p, &n, digits, CS_BASE64) != CS_OK) {
		const enum cs_err err = cs_unbase64(p, &n, digits, CS_BASE64_URL);
		if (err != CS_OK)
			return cs_fail(why, err, "text that is neither hex nor base64");
	}
	return attest_evidence_find_raw(out, cs_bytes(p, n), why);
}

/* The first certificate: a chain has the leaf in front. */
static enum cs_err find_pem(struct attest_evidence *out, struct cs_bytes text,
			    struct cs_arena *arena, struct cs_why *why)
{
	struct cs_bytes label, der;
	do {
		const enum cs_err err = pem_next(&text, &label, &der, arena);
		if (err != CS_OK)
			return cs_fail(why, err, "no certificate in PEM");
	} while (!cs_bytes_eq(label, cs_bytes_str("CERTIFICATE")));
	*out = (struct attest_evidence){ATTEST_RATLS, der};
	return CS_OK;
}

enum cs_err attest_evidence_find(struct attest_evidence *out, struct cs_bytes bytes,
				 struct cs_arena *arena, struct cs_why *why)
{
	struct cs_bytes text = bytes;
	if (bytes.n > TEXT_SIZE_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "%zu bytes of evidence", bytes.n);
	if (!is_text(bytes))
		return attest_evidence_find_raw(out, bytes, why);
	while (text.n > 0 && is_space(text.p[0]))
		text = cs_bytes(text.p + 1, text.n - 1);
	if (begins_with(text, "{", 1))
		return attest_evidence_find_raw(out, text, why);
	return pem_is_there(text) ? find_pem(out, text, arena, why)
				  : find_text(out, text, arena, why);
}
