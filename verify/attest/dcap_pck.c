/* The SGX extension of a platform's certificate. Source: "Intel SGX PCK Certificate and Certificate
 * Revocation List Profile Specification". */
#include "core/der.h"
#include "verify/attest/dcap.h"

#include <string.h>

/* 1.2.840.113741.1.13.1 */
static const uint8_t oid_sgx[] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};

enum {
	SGX_PPID = 1,
	SGX_TCB = 2,
	SGX_PCE_ID = 3,
	SGX_FMSPC = 4,
	TCB_PCE_SVN = 17, /* 1 to 16: the components */
};

/* Object identifiers below a prefix, one number each. */
struct pairs {
	struct cs_der der;
	struct cs_bytes prefix;
};

/* {OID, value}: the number, 0 for an OID elsewhere, and the value as a cursor. */
static enum cs_err next_pair(struct pairs *pairs, unsigned *number, struct cs_der *value)
{
	struct cs_bytes oid;
	size_t n = pairs->prefix.n;
	CS_TRY(cs_der_enter(&pairs->der, value, CS_DER_SEQUENCE));
	CS_TRY(cs_der_oid(value, &oid));
	*number = oid.n == n + 1 && memcmp(oid.p, pairs->prefix.p, n) == 0 ? oid.p[n] : 0;
	return CS_OK;
}

static enum cs_err octets(struct cs_der *value, uint8_t *p, size_t n)
{
	struct cs_bytes bytes;
	CS_TRY(cs_der_get(value, &bytes, CS_DER_OCTET_STRING));
	if (bytes.n != n)
		return CS_ERR_INVALID;
	memcpy(p, bytes.p, n);
	return cs_der_end(value);
}

static enum cs_err number_up_to(struct cs_der *value, uint64_t max, uint64_t *out)
{
	CS_TRY(cs_der_u64(value, out));
	if (*out > max)
		return CS_ERR_INVALID;
	return cs_der_end(value);
}

/* Sets the bit; DUPLICATE when it was set. */
static enum cs_err once(uint32_t *seen, unsigned bit)
{
	if ((*seen & 1u << bit) != 0)
		return CS_ERR_DUPLICATE;
	*seen |= 1u << bit;
	return CS_OK;
}

static enum cs_err read_tcb(struct dcap_pck *out, struct cs_der *value)
{
	static const uint8_t prefix[] = {0x2a, 0x86, 0x48, 0x86, 0xf8,
					 0x4d, 0x01, 0x0d, 0x01, SGX_TCB};
	struct pairs pairs = {.prefix = CS_BYTES_OF(prefix)};
	struct cs_der one;
	uint32_t seen = 0;
	CS_TRY(cs_der_enter(value, &pairs.der, CS_DER_SEQUENCE));
	CS_TRY(cs_der_end(value));
	while (cs_der_more(&pairs.der)) {
		unsigned number;
		uint64_t svn;
		CS_TRY(next_pair(&pairs, &number, &one));
		if (number < 1 || number > TCB_PCE_SVN)
			continue;
		CS_TRY(once(&seen, number));
		CS_TRY(number_up_to(&one, number == TCB_PCE_SVN ? UINT16_MAX : UINT8_MAX, &svn));
		if (number == TCB_PCE_SVN)
			out->pce_svn = (uint16_t)svn;
		else
			out->svns[number - 1] = (uint8_t)svn;
	}
	return seen == (1u << (TCB_PCE_SVN + 1)) - 2 ? CS_OK : CS_ERR_MISSING_FIELD;
}

static enum cs_err read_extension(struct dcap_pck *out, struct cs_bytes extension)
{
	struct pairs pairs = {.prefix = CS_BYTES_OF(oid_sgx)};
	struct cs_der one;
	uint32_t seen = 0;
	CS_TRY(cs_der_one(&pairs.der, extension, CS_DER_SEQUENCE));
	while (cs_der_more(&pairs.der)) {
		unsigned number;
		CS_TRY(next_pair(&pairs, &number, &one));
		if (number < SGX_PPID || number > SGX_FMSPC)
			continue;
		CS_TRY(once(&seen, number));
		if (number == SGX_PPID)
			CS_TRY(octets(&one, out->ppid, sizeof out->ppid));
		else if (number == SGX_TCB)
			CS_TRY(read_tcb(out, &one));
		else if (number == SGX_PCE_ID)
			CS_TRY(octets(&one, out->pce_id, sizeof out->pce_id));
		else
			CS_TRY(octets(&one, out->fmspc, sizeof out->fmspc));
	}
	out->has_ppid = (seen & 1u << SGX_PPID) != 0;
	seen &= ~(1u << SGX_PPID);
	return seen == (1u << SGX_TCB | 1u << SGX_PCE_ID | 1u << SGX_FMSPC) ? CS_OK
									    : CS_ERR_MISSING_FIELD;
}

enum cs_err dcap_pck_parse(struct dcap_pck *out, const struct x509_certificate *certificate,
			   struct cs_why *why)
{
	struct dcap_pck made = {.pce_svn = 0};
	struct cs_bytes extension;
	enum cs_err err = x509_extension(&extension, NULL, certificate, CS_BYTES_OF(oid_sgx));
	if (err == CS_ERR_NOT_FOUND)
		err = CS_ERR_MISSING_FIELD;
	if (err == CS_OK)
		err = read_extension(&made, extension);
	if (err != CS_OK)
		return cs_fail(why, err, "the SGX extension of the PCK certificate: %s",
			       cs_err_sentence(err));
	*out = made;
	return CS_OK;
}
