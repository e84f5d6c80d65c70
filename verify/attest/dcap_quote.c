#include "verify/attest/dcap_quote.h"

#include "core/reader.h"

#define HEADER_SIZE 48u
#define KEY_TYPE_P256 2u
#define TEE_SGX 0u
#define TEE_TDX 0x81u

enum {
	CERTIFICATION_PCK_CHAIN = 5,
	CERTIFICATION_QE_REPORT = 6,
};

static uint16_t le16(struct cs_reader *reader)
{
	uint16_t big = cs_get_u16(reader);
	return (uint16_t)(big >> 8 | big << 8);
}

static uint32_t le32(struct cs_reader *reader)
{
	return __builtin_bswap32(cs_get_u32(reader));
}

static enum cs_err end(const struct cs_reader *reader, struct cs_why *why, const char *what)
{
	enum cs_err err = cs_reader_end(reader);
	return err == CS_OK ? err : cs_fail(why, err, "quote: %s: %s", what, cs_err_sentence(err));
}

/* How long a body is, by the kind; 0 for a number that is no kind. */
static size_t body_size(unsigned kind)
{
	switch (kind) {
	case DCAP_BODY_SGX:
		return DCAP_SGX_REPORT_SIZE;
	case DCAP_BODY_TD10:
		return DCAP_TD10_REPORT_SIZE;
	case DCAP_BODY_TD15:
		return DCAP_TD15_REPORT_SIZE;
	default:
		return 0;
	}
}

static enum cs_err read_header(struct dcap_quote *out, uint32_t *tee, struct cs_reader *reader,
			       struct cs_why *why)
{
	out->version = le16(reader);
	uint16_t key_type = le16(reader);
	*tee = le32(reader);
	(void)cs_get(reader, 4); /* versions of QE and PCE, or reserved: nothing rests on them */
	out->qe_vendor = cs_get(reader, 16);
	(void)cs_get(reader, 20);
	if (reader->failed)
		return cs_fail(why, CS_ERR_TRUNCATED, "quote: the header needs %u bytes",
			       HEADER_SIZE);
	if (out->version < 3 || out->version > 5)
		return cs_fail(why, CS_ERR_UNSUPPORTED, "quote: version %u: only 3 to 5 are known",
			       out->version);
	if (key_type != KEY_TYPE_P256)
		return cs_fail(why, CS_ERR_UNSUPPORTED,
			       "quote: attestation key of type %u: only 2 (ECDSA, P-256) is known",
			       key_type);
	if (*tee != TEE_SGX && (*tee != TEE_TDX || out->version == 3))
		return cs_fail(why, CS_ERR_UNSUPPORTED, "quote: TEE type 0x%x in version %u", *tee,
			       out->version);
	return CS_OK;
}

static enum cs_err read_body(struct dcap_quote *out, uint32_t tee, struct cs_reader *reader,
			     struct cs_why *why)
{
	unsigned kind = tee == TEE_SGX ? DCAP_BODY_SGX : DCAP_BODY_TD10;
	if (out->version == 5) {
		kind = le16(reader);
		uint32_t size = le32(reader);
		if (!reader->failed &&
		    (body_size(kind) == 0 || (kind == DCAP_BODY_SGX) != (tee == TEE_SGX)))
			return cs_fail(why, CS_ERR_UNSUPPORTED,
				       "quote: body of type %u with TEE type 0x%x", kind, tee);
		if (!reader->failed && size != body_size(kind))
			return cs_fail(why, CS_ERR_MALFORMED,
				       "quote: body of type %u with %u bytes", kind, size);
	}
	out->kind = (enum dcap_body)kind;
	out->body = cs_get(reader, body_size(kind));
	return reader->failed ? cs_fail(why, CS_ERR_TRUNCATED, "quote: the body is cut off")
			      : CS_OK;
}

/* Type and size, then the data as a cursor of its own. */
static enum cs_err certification(struct cs_reader *reader, uint16_t want, struct cs_bytes *data,
				 struct cs_why *why)
{
	uint16_t type = le16(reader);
	uint32_t size = le32(reader);
	if (!reader->failed && type != want)
		return cs_fail(why, CS_ERR_UNSUPPORTED,
			       "quote: certification data of type %u: only the PCK certificate's "
			       "chain (5) is supported%s",
			       type, type >= 1 && type <= 3 ? "; this has only the PPID" : "");
	*data = cs_get(reader, size);
	return reader->failed
		       ? cs_fail(why, CS_ERR_TRUNCATED, "quote: the certification data is cut off")
		       : CS_OK;
}

static enum cs_err read_qe(struct dcap_quote *out, struct cs_reader *reader, struct cs_why *why)
{
	out->qe_report = cs_get(reader, DCAP_SGX_REPORT_SIZE);
	out->qe_report_signature = cs_get(reader, 64);
	out->qe_auth_data = cs_get(reader, le16(reader));
	if (reader->failed)
		return cs_fail(why, CS_ERR_TRUNCATED, "quote: the QE report is cut off");
	CS_TRY(certification(reader, CERTIFICATION_PCK_CHAIN, &out->chain, why));
	return end(reader, why, "behind the certification data");
}

static enum cs_err read_signature(struct dcap_quote *out, struct cs_bytes bytes, struct cs_why *why)
{
	struct cs_reader reader;
	struct cs_bytes nested;
	cs_reader_init(&reader, bytes);
	out->signature = cs_get(&reader, 64);
	out->attestation_key = cs_get(&reader, 64);
	if (reader.failed)
		return cs_fail(why, CS_ERR_TRUNCATED, "quote: the signature is cut off");
	if (out->version == 3)
		return read_qe(out, &reader, why);
	CS_TRY(certification(&reader, CERTIFICATION_QE_REPORT, &nested, why));
	CS_TRY(end(&reader, why, "behind the signature"));
	cs_reader_init(&reader, nested);
	return read_qe(out, &reader, why);
}

enum cs_err dcap_quote_parse(struct dcap_quote *out, struct cs_bytes bytes, struct cs_why *why)
{
	struct dcap_quote made = {0};
	struct cs_reader reader;
	uint32_t tee;
	cs_reader_init(&reader, bytes);
	CS_TRY(read_header(&made, &tee, &reader, why));
	CS_TRY(read_body(&made, tee, &reader, why));
	made.signed_part = cs_bytes(bytes.p, bytes.n - reader.left);
	struct cs_bytes signature = cs_get(&reader, le32(&reader));
	if (reader.failed)
		return cs_fail(why, CS_ERR_TRUNCATED, "quote: the signature is cut off");
	CS_TRY(read_signature(&made, signature, why));
	made.trailing = cs_bytes(reader.p, reader.left);
	*out = made;
	return CS_OK;
}

static uint16_t le16_at(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

struct dcap_sgx_report dcap_sgx_report(struct cs_bytes bytes)
{
	const uint8_t *p = bytes.p;
	cs_assert(bytes.n == DCAP_SGX_REPORT_SIZE);
	return (struct dcap_sgx_report){
		.cpu_svn = cs_bytes(p, 16),
		.misc_select = cs_bytes(p + 16, 4),
		.attributes = cs_bytes(p + 48, 16),
		.mr_enclave = cs_bytes(p + 64, 32),
		.mr_signer = cs_bytes(p + 128, 32),
		.isv_prod_id = le16_at(p + 256),
		.isv_svn = le16_at(p + 258),
		.report_data = cs_bytes(p + 320, 64),
	};
}

struct dcap_td_report dcap_td_report(struct cs_bytes bytes)
{
	const uint8_t *p = bytes.p;
	bool is_15 = bytes.n == DCAP_TD15_REPORT_SIZE;
	cs_assert(is_15 || bytes.n == DCAP_TD10_REPORT_SIZE);
	return (struct dcap_td_report){
		.tee_tcb_svn = cs_bytes(p, 16),
		.mr_seam = cs_bytes(p + 16, 48),
		.mr_signer_seam = cs_bytes(p + 64, 48),
		.seam_attributes = cs_bytes(p + 112, 8),
		.td_attributes = cs_bytes(p + 120, 8),
		.xfam = cs_bytes(p + 128, 8),
		.mr_td = cs_bytes(p + 136, 48),
		.mr_config_id = cs_bytes(p + 184, 48),
		.mr_owner = cs_bytes(p + 232, 48),
		.mr_owner_config = cs_bytes(p + 280, 48),
		.rtmr = {cs_bytes(p + 328, 48), cs_bytes(p + 376, 48), cs_bytes(p + 424, 48),
			 cs_bytes(p + 472, 48)},
		.report_data = cs_bytes(p + 520, 64),
		.tee_tcb_svn_2 = is_15 ? cs_bytes(p + 584, 16) : CS_BYTES_NONE,
		.mr_service_td = is_15 ? cs_bytes(p + 600, 48) : CS_BYTES_NONE,
	};
}
