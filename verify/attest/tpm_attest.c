#include "verify/attest/tpm_attest.h"

#include "core/reader.h"

/* TPM_GENERATED_VALUE: what the TPM itself made begins with it, and it signs nothing else that does
 * with a restricted key. */
#define MAGIC 0xff544347u
#define ATTEST_QUOTE 0x8018u
#define ALGORITHM_NULL 0x0010u
#define ALGORITHM_RSAES 0x0015u
#define ALGORITHM_OAEP 0x0017u
#define ALGORITHM_ECDAA 0x001au
#define SELECT_SIZE_MAX 4u
#define EXPONENT_DEFAULT 65537u

size_t tpm_hash_size(uint16_t hash)
{
	switch (hash) {
	case TPM_SHA1:
		return 20;
	case TPM_SHA256:
		return 32;
	case TPM_SHA384:
		return 48;
	case TPM_SHA512:
		return 64;
	}
	return 0;
}

/* A TPM2B: its size, then its bytes. */
static struct cs_bytes get_sized(struct cs_reader *reader, size_t size_max)
{
	size_t n = cs_get_u16(reader);
	if (n > size_max)
		reader->failed = true;
	return cs_get(reader, n);
}

static enum cs_err read_selections(struct tpm_quote *quote, struct cs_reader *reader,
				   struct cs_why *why)
{
	uint32_t count = cs_get_u32(reader);
	if (count > TPM_SELECTIONS_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "%u banks of PCRs", count);
	for (size_t i = 0; i < count; i++) {
		struct tpm_selection *selection = &quote->selections[i];
		selection->hash = cs_get_u16(reader);
		struct cs_bytes bits = cs_get(reader, cs_get_u8(reader));
		if (!reader->failed && (bits.n == 0 || bits.n > SELECT_SIZE_MAX))
			return cs_fail(why, CS_ERR_MALFORMED, "a selection of PCRs of %zu bytes",
				       bits.n);
		for (size_t j = 0; j < bits.n; j++)
			selection->pcrs |= (uint32_t)bits.p[j] << (8 * j);
		if (selection->pcrs >> TPM_PCR_COUNT)
			return cs_fail(why, CS_ERR_UNSUPPORTED, "a PCR above %u",
				       TPM_PCR_COUNT - 1);
	}
	quote->selection_count = count;
	return CS_OK;
}

enum cs_err tpm_quote_decode(struct tpm_quote *out, struct cs_bytes bytes, struct cs_why *why)
{
	struct tpm_quote quote = {0};
	struct cs_reader reader;
	cs_reader_init(&reader, bytes);
	uint32_t magic = cs_get_u32(&reader);
	uint16_t type = cs_get_u16(&reader);
	if (!reader.failed && magic != MAGIC)
		return cs_fail(why, CS_ERR_MALFORMED, "TPMS_ATTEST begins with %08x", magic);
	if (!reader.failed && type != ATTEST_QUOTE)
		return cs_fail(why, CS_ERR_UNSUPPORTED, "TPMS_ATTEST of type %04x, not a quote",
			       type);
	quote.signer = get_sized(&reader, TPM_NAME_SIZE_MAX);
	quote.extra_data = get_sized(&reader, TPM_EXTRA_DATA_SIZE_MAX);
	quote.clock_ms = cs_get_u64(&reader);
	quote.reset_count = cs_get_u32(&reader);
	quote.restart_count = cs_get_u32(&reader);
	uint8_t safe = cs_get_u8(&reader);
	quote.firmware_version = cs_get_u64(&reader);
	CS_TRY(read_selections(&quote, &reader, why));
	quote.pcr_digest = get_sized(&reader, TPM_NAME_SIZE_MAX);
	enum cs_err err = cs_reader_end(&reader);
	if (err != CS_OK)
		return cs_fail(why, err, "TPMS_ATTEST of %zu bytes", bytes.n);
	if (safe > 1)
		return cs_fail(why, CS_ERR_MALFORMED, "TPMS_ATTEST's `safe` is %u", safe);
	quote.safe = safe;
	*out = quote;
	return CS_OK;
}

enum cs_err tpm_signature_decode(struct tpm_signature *out, struct cs_bytes bytes,
				 struct cs_why *why)
{
	struct tpm_signature signature = {0};
	struct cs_reader reader;
	cs_reader_init(&reader, bytes);
	uint16_t scheme = cs_get_u16(&reader);
	if (!reader.failed && scheme != TPM_RSASSA && scheme != TPM_RSAPSS && scheme != TPM_ECDSA)
		return cs_fail(why, CS_ERR_UNSUPPORTED, "TPM signature scheme %04x", scheme);
	signature.scheme = (enum tpm_scheme)scheme;
	signature.hash = cs_get_u16(&reader);
	if (scheme == TPM_ECDSA) {
		signature.r = get_sized(&reader, TPM_NUMBER_SIZE_MAX);
		signature.s = get_sized(&reader, TPM_NUMBER_SIZE_MAX);
	} else {
		signature.rsa = get_sized(&reader, TPM_NUMBER_SIZE_MAX);
	}
	enum cs_err err = cs_reader_end(&reader);
	if (err != CS_OK)
		return cs_fail(why, err, "TPMT_SIGNATURE of %zu bytes", bytes.n);
	*out = signature;
	return CS_OK;
}

/* ---- TPMT_PUBLIC ---- */

/* The parameters of both types begin with a symmetric algorithm (of keys that keep others) and a
 * scheme, each of which may be TPM_ALG_NULL. */
static enum cs_err read_scheme(struct tpm_public *key, struct cs_reader *reader, struct cs_why *why)
{
	if (cs_get_u16(reader) != ALGORITHM_NULL)
		(void)cs_get_u32(reader); /* key bits and mode */
	key->scheme = cs_get_u16(reader);
	switch (key->scheme) {
	case TPM_RSASSA:
	case TPM_RSAPSS:
	case TPM_ECDSA:
	case ALGORITHM_OAEP:
		key->scheme_hash = cs_get_u16(reader);
		return CS_OK;
	case ALGORITHM_ECDAA:
		key->scheme_hash = cs_get_u16(reader);
		(void)cs_get_u16(reader); /* count */
		return CS_OK;
	case ALGORITHM_RSAES:
	case ALGORITHM_NULL:
		return CS_OK;
	}
	if (reader->failed)
		return CS_OK; /* told by who reads on */
	return cs_fail(why, CS_ERR_UNSUPPORTED, "a TPM key of scheme %04x", key->scheme);
}

static void read_rsa(struct tpm_public *key, struct cs_reader *reader)
{
	(void)cs_get_u16(reader); /* key bits: the modulus says it */
	key->exponent = cs_get_u32(reader);
	if (key->exponent == 0)
		key->exponent = EXPONENT_DEFAULT;
	key->n = get_sized(reader, TPM_NUMBER_SIZE_MAX);
}

static void read_ecc(struct tpm_public *key, struct cs_reader *reader)
{
	key->curve = cs_get_u16(reader);
	if (cs_get_u16(reader) != ALGORITHM_NULL)
		(void)cs_get_u16(reader); /* hash of the key derivation */
	key->x = get_sized(reader, TPM_NUMBER_SIZE_MAX);
	key->y = get_sized(reader, TPM_NUMBER_SIZE_MAX);
}

enum cs_err tpm_public_decode(struct tpm_public *out, struct cs_bytes bytes, struct cs_why *why)
{
	struct tpm_public key = {0};
	struct cs_reader reader;
	/* A type is 1 or 23h: as a size before the rest it would be too small. */
	if (bytes.n >= 2 && cs_be16(bytes.p) == bytes.n - 2)
		bytes = cs_bytes(bytes.p + 2, bytes.n - 2);
	cs_reader_init(&reader, bytes);
	uint16_t type = cs_get_u16(&reader);
	if (!reader.failed && type != TPM_RSA && type != TPM_ECC)
		return cs_fail(why, CS_ERR_UNSUPPORTED, "a TPM key of type %04x", type);
	key.type = (enum tpm_key_type)type;
	key.name_hash = cs_get_u16(&reader);
	key.attributes = cs_get_u32(&reader);
	(void)get_sized(&reader, TPM_NAME_SIZE_MAX); /* policy */
	CS_TRY(read_scheme(&key, &reader, why));
	if (type == TPM_RSA)
		read_rsa(&key, &reader);
	else
		read_ecc(&key, &reader);
	enum cs_err err = cs_reader_end(&reader);
	if (err != CS_OK)
		return cs_fail(why, err, "TPMT_PUBLIC of %zu bytes", bytes.n);
	key.area = bytes;
	*out = key;
	return CS_OK;
}

bool tpm_public_is_attestation_key(const struct tpm_public *key)
{
	return (key->attributes & (TPM_ATTESTATION_KEY | TPM_DECRYPT)) == TPM_ATTESTATION_KEY;
}
