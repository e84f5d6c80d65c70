#include "core/caip.h"

#include "core/u256.h"

#include <stdio.h>
#include <string.h>

#define NAMESPACE_MIN 3u
#define NAMESPACE_MAX 8u
#define REFERENCE_MAX 32u
/* Chain ids are at most 64 bits in every EVM implementation that we speak to (EIP-2294 proposes
 * 2^53). */
#define EIP155_REFERENCE_MAX 8u

static bool is_namespace_char(uint8_t c)
{
	return c == '-' || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_reference_char(uint8_t c)
{
	return c == '_' || (c >= 'A' && c <= 'Z') || is_namespace_char(c);
}

static bool is_eip155(struct cs_bytes namespace)
{
	return cs_bytes_eq(namespace, cs_bytes_str("eip155"));
}

static enum cs_err eip155_id(uint64_t *chain_id, struct cs_bytes reference)
{
	struct cs_u256 value;
	CS_TRY(cs_u256_from_decimal(&value, reference));
	if (cs_u256_is_zero(&value))
		return CS_ERR_MALFORMED;
	return cs_u256_to_u64(chain_id, &value);
}

enum cs_err cs_caip2_parse(struct cs_caip2 *out, struct cs_bytes text)
{
	struct cs_caip2 caip2;
	size_t colon = 0;
	uint64_t ignored;
	while (colon < text.n && is_namespace_char(text.p[colon]))
		colon++;
	if (colon < NAMESPACE_MIN || colon > NAMESPACE_MAX || colon == text.n ||
	    text.p[colon] != ':')
		return CS_ERR_MALFORMED;
	caip2.namespace = cs_bytes(text.p, colon);
	caip2.reference = cs_bytes(text.p + colon + 1, text.n - colon - 1);
	if (caip2.reference.n == 0 || caip2.reference.n > REFERENCE_MAX)
		return CS_ERR_MALFORMED;
	for (size_t i = 0; i < caip2.reference.n; i++) {
		if (!is_reference_char(caip2.reference.p[i]))
			return CS_ERR_MALFORMED;
	}
	if (is_eip155(caip2.namespace))
		CS_TRY(eip155_id(&ignored, caip2.reference));
	*out = caip2;
	return CS_OK;
}

enum cs_err cs_caip2_eip155(uint64_t *chain_id, struct cs_bytes text)
{
	struct cs_caip2 caip2;
	CS_TRY(cs_caip2_parse(&caip2, text));
	if (!is_eip155(caip2.namespace))
		return CS_ERR_UNSUPPORTED;
	return eip155_id(chain_id, caip2.reference);
}

void cs_caip2_write_eip155(char text[CS_CAIP2_SIZE_MAX + 1], uint64_t chain_id)
{
	(void)snprintf(text, CS_CAIP2_SIZE_MAX + 1, "eip155:%llu", (unsigned long long)chain_id);
}

static enum cs_err check_eip155(const struct cs_interop *interop)
{
	if (interop->reference.n > 0 && interop->reference.p[0] == 0)
		return CS_ERR_NON_CANONICAL;
	if (interop->reference.n > EIP155_REFERENCE_MAX)
		return CS_ERR_OVERFLOW;
	if (interop->address.n != 0 && interop->address.n != sizeof(struct cs_address))
		return CS_ERR_MALFORMED;
	return CS_OK;
}

/* A length byte and as many bytes. */
static enum cs_err take(struct cs_bytes *part, struct cs_bytes *rest)
{
	if (rest->n == 0 || rest->p[0] > rest->n - 1)
		return CS_ERR_TRUNCATED;
	*part = cs_bytes(rest->p + 1, rest->p[0]);
	*rest = cs_bytes(rest->p + 1 + part->n, rest->n - 1 - part->n);
	return CS_OK;
}

enum cs_err cs_interop_decode(struct cs_interop *out, struct cs_bytes bytes)
{
	struct cs_interop interop;
	if (bytes.n > CS_INTEROP_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	if (bytes.n < 4)
		return CS_ERR_TRUNCATED;
	if (cs_be16(bytes.p) != CS_INTEROP_VERSION)
		return CS_ERR_UNSUPPORTED;
	interop.chain_type = cs_be16(bytes.p + 2);
	struct cs_bytes rest = cs_bytes(bytes.p + 4, bytes.n - 4);
	CS_TRY(take(&interop.reference, &rest));
	CS_TRY(take(&interop.address, &rest));
	if (rest.n > 0)
		return CS_ERR_TRAILING;
	if (interop.reference.n == 0 && interop.address.n == 0)
		return CS_ERR_MALFORMED;
	if (interop.chain_type == CS_CHAIN_TYPE_EIP155)
		CS_TRY(check_eip155(&interop));
	*out = interop;
	return CS_OK;
}

void cs_interop_encode(struct cs_buf *buf, const struct cs_interop *interop)
{
	cs_assert(interop->reference.n <= UINT8_MAX && interop->address.n <= UINT8_MAX);
	cs_put_u16(buf, CS_INTEROP_VERSION);
	cs_put_u16(buf, interop->chain_type);
	cs_put_u8(buf, (uint8_t)interop->reference.n);
	cs_put(buf, interop->reference);
	cs_put_u8(buf, (uint8_t)interop->address.n);
	cs_put(buf, interop->address);
}

enum cs_err cs_interop_eip155(uint64_t *chain_id, struct cs_address *address, struct cs_bytes bytes)
{
	struct cs_interop interop;
	uint64_t id = 0;
	CS_TRY(cs_interop_decode(&interop, bytes));
	if (interop.chain_type != CS_CHAIN_TYPE_EIP155 || interop.reference.n == 0 ||
	    interop.address.n == 0)
		return CS_ERR_INVALID;
	for (size_t i = 0; i < interop.reference.n; i++)
		id = id << 8 | interop.reference.p[i];
	*chain_id = id;
	memcpy(address->b, interop.address.p, sizeof address->b);
	return CS_OK;
}

void cs_interop_encode_eip155(struct cs_buf *buf, uint64_t chain_id,
			      const struct cs_address *address)
{
	uint8_t be[8];
	size_t skip = 0;
	cs_assert(chain_id != 0);
	cs_put_be64(be, chain_id);
	while (be[skip] == 0)
		skip++;
	struct cs_interop interop = {CS_CHAIN_TYPE_EIP155, cs_bytes(be + skip, sizeof be - skip),
				     CS_BYTES_OF(address->b)};
	cs_interop_encode(buf, &interop);
}
