#include "core/caip.h"

#include "core/hash.h"
#include "core/u256.h"

#include <stdio.h>
#include <string.h>

#define NAMESPACE_MIN 3u
#define NAMESPACE_MAX 8u
#define REFERENCE_MAX 32u
/* Chain ids are at most 64 bits in every EVM implementation that we speak to (EIP-2294 proposes
 * 2^53). */
#define EIP155_REFERENCE_MAX 8u
/* Of the SHA-256 of a chain id that CAIP-2 cannot carry. */
#define COSMOS_HASHED_SIZE 8u

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

static bool is_cosmos(struct cs_bytes namespace)
{
	return cs_bytes_eq(namespace, cs_bytes_str("cosmos"));
}

static bool is_cosmos_reference(struct cs_bytes reference)
{
	if (reference.n == 0 || reference.n > REFERENCE_MAX)
		return false;
	for (size_t i = 0; i < reference.n; i++) {
		if (!is_reference_char(reference.p[i]) || reference.p[i] == '_')
			return false;
	}
	return true;
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
	if (is_cosmos(caip2.namespace) && !is_cosmos_reference(caip2.reference))
		return CS_ERR_MALFORMED;
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

void cs_caip2_write_cosmos(char text[CS_CAIP2_SIZE_MAX + 1], struct cs_bytes chain_id)
{
	static const char hashed[] = "hashed-";
	char hex[2 * COSMOS_HASHED_SIZE + 1];
	if (is_cosmos_reference(chain_id) &&
	    (chain_id.n < strlen(hashed) || memcmp(chain_id.p, hashed, strlen(hashed)) != 0)) {
		(void)snprintf(text, CS_CAIP2_SIZE_MAX + 1, "cosmos:%.*s", (int)chain_id.n,
			       (const char *)chain_id.p);
		return;
	}
	struct cs_hash hash = cs_sha256(chain_id);
	cs_hex(hex, cs_bytes(hash.b, COSMOS_HASHED_SIZE));
	(void)snprintf(text, CS_CAIP2_SIZE_MAX + 1, "cosmos:%s%s", hashed, hex);
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

static enum cs_err check_cosmos(const struct cs_interop *interop)
{
	bool sized = interop->address.n == 0 || interop->address.n == sizeof(struct cs_address);
	return sized && is_cosmos_reference(interop->reference) ? CS_OK : CS_ERR_MALFORMED;
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
	if (interop.chain_type == CS_CHAIN_TYPE_COSMOS)
		CS_TRY(check_cosmos(&interop));
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

/* The number without leading zeros. */
static struct cs_bytes eip155_reference(uint8_t be[EIP155_REFERENCE_MAX], uint64_t chain_id)
{
	size_t skip = 0;
	cs_assert(chain_id != 0);
	cs_put_be64(be, chain_id);
	while (be[skip] == 0)
		skip++;
	return cs_bytes(be + skip, EIP155_REFERENCE_MAX - skip);
}

void cs_interop_encode_eip155(struct cs_buf *buf, uint64_t chain_id,
			      const struct cs_address *address)
{
	uint8_t be[EIP155_REFERENCE_MAX];
	struct cs_interop interop = {CS_CHAIN_TYPE_EIP155, eip155_reference(be, chain_id),
				     CS_BYTES_OF(address->b)};
	cs_interop_encode(buf, &interop);
}

enum cs_err cs_interop_account(struct cs_account *out, struct cs_bytes bytes)
{
	struct cs_interop interop;
	struct cs_account account;
	uint64_t id;
	CS_TRY(cs_interop_decode(&interop, bytes));
	if (interop.reference.n == 0 || interop.address.n == 0)
		return CS_ERR_INVALID;
	switch (interop.chain_type) {
	case CS_CHAIN_TYPE_EIP155:
		CS_TRY(cs_interop_eip155(&id, &account.address, bytes));
		cs_caip2_write_eip155(account.caip2, id);
		break;
	case CS_CHAIN_TYPE_COSMOS:
		(void)snprintf(account.caip2, sizeof account.caip2, "cosmos:%.*s",
			       (int)interop.reference.n, (const char *)interop.reference.p);
		memcpy(account.address.b, interop.address.p, sizeof account.address.b);
		break;
	default:
		return CS_ERR_UNSUPPORTED;
	}
	*out = account;
	return CS_OK;
}

enum cs_err cs_interop_encode_account(struct cs_buf *buf, const char *caip2,
				      const struct cs_address *address)
{
	struct cs_caip2 chain;
	struct cs_interop interop = {.address = address == NULL ? CS_BYTES_NONE
								: CS_BYTES_OF(address->b)};
	uint8_t be[EIP155_REFERENCE_MAX];
	CS_TRY(cs_caip2_parse(&chain, cs_bytes_str(caip2)));
	if (is_eip155(chain.namespace)) {
		uint64_t id = 0;
		CS_TRY(eip155_id(&id, chain.reference));
		interop.chain_type = CS_CHAIN_TYPE_EIP155;
		interop.reference = eip155_reference(be, id);
	} else if (is_cosmos(chain.namespace)) {
		interop.chain_type = CS_CHAIN_TYPE_COSMOS;
		interop.reference = chain.reference;
	} else {
		return CS_ERR_UNSUPPORTED;
	}
	cs_interop_encode(buf, &interop);
	return CS_OK;
}

enum cs_err cs_caip10_parse(struct cs_account *out, struct cs_bytes text)
{
	static const size_t tail = 1 + 2 + 2 * sizeof(struct cs_address);
	struct cs_account account;
	struct cs_caip2 caip2;
	if (text.n <= tail || text.n > CS_CAIP10_SIZE_MAX)
		return CS_ERR_MALFORMED;
	size_t size = text.n - tail;
	const uint8_t *rest = text.p + size;
	if (rest[0] != ':' || rest[1] != '0' || rest[2] != 'x')
		return CS_ERR_MALFORMED;
	CS_TRY(cs_unhex(account.address.b, sizeof account.address.b, cs_bytes(rest + 1, tail - 1)));
	CS_TRY(cs_caip2_parse(&caip2, cs_bytes(text.p, size)));
	if (!is_eip155(caip2.namespace) && !is_cosmos(caip2.namespace))
		return CS_ERR_UNSUPPORTED;
	memcpy(account.caip2, text.p, size);
	account.caip2[size] = '\0';
	*out = account;
	return CS_OK;
}

void cs_caip10_write(char text[CS_CAIP10_SIZE_MAX + 1], const struct cs_account *account)
{
	char hex[2 * sizeof account->address.b + 1];
	cs_hex(hex, CS_BYTES_OF(account->address.b));
	(void)snprintf(text, CS_CAIP10_SIZE_MAX + 1, "%s:0x%s", account->caip2, hex);
}
