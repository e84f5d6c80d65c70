#include "adapters/evm/header.h"

#include "core/hash.h"
#include "host/alloc.h"
#include "verify/evm/header.h"

#include <stdlib.h>
#include <string.h>

enum kind { FIXED, NUMBER, BYTES };

/* In the order of the RLP list. The first 15 are always there, the others follow each other fork by
 * fork. */
static const struct field {
	const char *name;
	enum kind kind;
	size_t size;
} fields[] = {
	{"parentHash", FIXED, 32},
	{"sha3Uncles", FIXED, 32},
	{"miner", FIXED, 20},
	{"stateRoot", FIXED, 32},
	{"transactionsRoot", FIXED, 32},
	{"receiptsRoot", FIXED, 32},
	{"logsBloom", FIXED, EVM_BLOOM_SIZE},
	{"difficulty", NUMBER, 32},
	{"number", NUMBER, 32},
	{"gasLimit", NUMBER, 32},
	{"gasUsed", NUMBER, 32},
	{"timestamp", NUMBER, 32},
	{"extraData", BYTES, CS_HEADER_SIZE_MAX},
	{"mixHash", FIXED, 32},
	{"nonce", FIXED, 8},
	{"baseFeePerGas", NUMBER, 32},  /* London, EIP-1559 */
	{"withdrawalsRoot", FIXED, 32}, /* Shanghai, EIP-4895 */
	{"blobGasUsed", NUMBER, 32},    /* Cancun, EIP-4844 */
	{"excessBlobGas", NUMBER, 32},
	{"parentBeaconBlockRoot", FIXED, 32}, /* Cancun, EIP-4788 */
	{"requestsHash", FIXED, 32},          /* Prague, EIP-7685 */
	{"blockAccessListHash", FIXED, 32},   /* Amsterdam, EIP-7928 */
	{"slotNumber", NUMBER, 32},           /* Amsterdam, EIP-7843 */
};

static enum cs_err put_field(struct cs_buf *buf, const struct field *field, const json_t *json)
{
	uint8_t memory[CS_HEADER_SIZE_MAX];
	struct cs_hash word;
	struct cs_buf bytes;

	switch (field->kind) {
	case NUMBER: {
		CS_TRY(evm_json_word(&word, json));
		struct cs_u256 value = cs_u256_from_word(&word);
		cs_rlp_put_u256(buf, &value);
		return CS_OK;
	}
	case FIXED:
		CS_TRY(evm_json_fixed(memory, field->size, json));
		cs_rlp_put_bytes(buf, cs_bytes(memory, field->size));
		return CS_OK;
	case BYTES:
		cs_buf_init(&bytes, memory, sizeof(memory));
		CS_TRY(evm_json_bytes(&bytes, json));
		CS_TRY(cs_buf_end(&bytes));
		cs_rlp_put_bytes(buf, cs_buf_view(&bytes));
		return CS_OK;
	}
	return CS_ERR_INVALID;
}

static enum cs_err put_header(struct cs_buf *buf, const json_t *block)
{
	size_t begin = cs_rlp_list_begin(buf);

	for (size_t i = 0; i < CS_LEN(fields); i++) {
		const json_t *json = json_object_get(block, fields[i].name);

		if (i >= VERIFY_EVM_FIELDS_MIN && (json == NULL || json_is_null(json)))
			break;
		CS_TRY(put_field(buf, &fields[i], json));
	}
	cs_rlp_list_end(buf, begin);
	return cs_buf_end(buf);
}

static bool hash_fits(const struct verify_evm_header *header, const struct cs_hash *hash)
{
	struct verify_qbft_extra extra;
	struct cs_hash own = verify_evm_header_hash(header);

	if (cs_hash_eq(&own, hash))
		return true;
	if (verify_qbft_extra_read(&extra, header) != CS_OK)
		return false;
	own = verify_qbft_block_hash(header, &extra);
	return cs_hash_eq(&own, hash);
}

/* Bloom and base fee, which the parser of the light client has no use for. */
static enum cs_err read_rest(struct evm_header *header, struct cs_bytes raw)
{
	struct cs_rlp list;
	struct cs_bytes fee;

	CS_TRY(cs_rlp_open(&list, raw));
	CS_TRY(cs_rlp_skip(&list, 6));
	CS_TRY(cs_rlp_fixed(&list, header->bloom, EVM_BLOOM_SIZE));
	CS_TRY(cs_rlp_skip(&list, 8));
	header->has_base_fee = cs_rlp_more(&list);
	if (!header->has_base_fee)
		return CS_OK;
	CS_TRY(cs_rlp_bytes(&list, &fee));
	if (fee.n > 32)
		return CS_ERR_OVERFLOW;
	for (size_t i = 0; i < fee.n && fee.n <= 8; i++)
		header->base_fee_wei = header->base_fee_wei << 8 | fee.p[i];
	if (fee.n > 8)
		header->base_fee_wei = UINT64_MAX;
	return CS_OK;
}

static struct cs_hash *hashes_of(const json_t *transactions)
{
	size_t count = json_array_size(transactions);
	struct cs_hash *hashes = host_calloc(count + 1, sizeof(*hashes));

	for (size_t i = 0; i < count; i++) {
		if (evm_json_hash(&hashes[i], json_array_get(transactions, i)) == CS_OK)
			continue;
		free(hashes);
		return NULL;
	}
	return hashes;
}

enum cs_err evm_header_from_raw(struct evm_header **out, struct cs_bytes raw,
				const struct cs_hash *hash, const json_t *transactions)
{
	struct verify_evm_header parsed;

	CS_TRY(verify_evm_header_read(&parsed, raw));
	if (!hash_fits(&parsed, hash))
		return CS_ERR_RPC_LIE;
	if (parsed.number > INT64_MAX || parsed.time_s > INT64_MAX)
		return CS_ERR_OVERFLOW;
	struct evm_header *header = host_alloc(sizeof(*header) + raw.n);
	header->refs = 1;
	header->raw_size = raw.n;
	memcpy(header->raw, raw.p, raw.n);
	header->public = (struct adapter_header){
		.id = {.height = parsed.number, .hash = *hash},
		.parent = parsed.parent,
		.time_s = parsed.time_s,
		.rlp = cs_bytes(header->raw, raw.n),
	};
	header->state_root = parsed.state_root;
	header->receipts_root = parsed.receipts_root;
	header->gas_limit = parsed.gas_limit;
	header->tx_count = EVM_TX_COUNT_UNKNOWN;
	enum cs_err err = read_rest(header, raw);
	if (err != CS_OK) {
		free(header);
		return err;
	}
	if (json_is_array(transactions)) {
		header->tx_count = json_array_size(transactions);
		header->tx_hashes = hashes_of(transactions);
	}
	*out = header;
	return CS_OK;
}

enum cs_err evm_header_from_json(struct evm_header **header, struct cs_hash *hash,
				 const json_t *block)
{
	uint8_t memory[CS_HEADER_SIZE_MAX];
	struct cs_buf buf;

	cs_buf_init(&buf, memory, sizeof(memory));
	CS_TRY(evm_json_hash(hash, json_object_get(block, "hash")));
	CS_TRY(put_header(&buf, block));
	return evm_header_from_raw(header, cs_buf_view(&buf), hash,
				   json_object_get(block, "transactions"));
}

struct evm_header *evm_header_copy(const struct evm_header *header)
{
	size_t size = sizeof(*header) + header->raw_size;
	struct evm_header *copy = host_alloc(size);

	memcpy(copy, header, size);
	copy->refs = 1;
	copy->public.rlp = cs_bytes(copy->raw, header->public.rlp.n);
	copy->tx_hashes = NULL;
	return copy;
}

struct evm_header *evm_header_ref(struct evm_header *header)
{
	header->refs++;
	return header;
}

void evm_header_unref(struct evm_header *header)
{
	if (header == NULL || --header->refs > 0)
		return;
	free(header->tx_hashes);
	free(header);
}

/* Yellow paper, section 4.3.1: three bits, from the first three pairs of bytes of the hash. */
bool evm_bloom_may_have(const uint8_t bloom[EVM_BLOOM_SIZE], struct cs_bytes address_or_topic)
{
	struct cs_hash hash = cs_keccak256(address_or_topic);

	for (size_t i = 0; i < 6; i += 2) {
		unsigned bit = cs_be16(hash.b + i) & 0x7ffu;

		if ((bloom[EVM_BLOOM_SIZE - 1 - bit / 8] & 1u << bit % 8) == 0)
			return false;
	}
	return true;
}

bool evm_bloom_is_full(const uint8_t bloom[EVM_BLOOM_SIZE])
{
	unsigned bits = 0;

	for (size_t i = 0; i < EVM_BLOOM_SIZE; i++)
		for (unsigned byte = bloom[i]; byte != 0; byte &= byte - 1)
			bits++;
	return bits >= EVM_BLOOM_BITS_FULL;
}
