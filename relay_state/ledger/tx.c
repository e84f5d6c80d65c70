#include "relay_state/ledger/tx.h"

#include "core/ed25519.h"
#include "core/hash.h"
#include "core/reader.h"

#include <string.h>

/* ---- preimages ---- */

static struct cs_hash tag(const char *text)
{
	return cs_keccak256(cs_bytes_str(text));
}

static void add_hash(struct cs_keccak *keccak, struct cs_hash hash)
{
	cs_keccak_add(keccak, CS_BYTES_OF(hash.b));
}

static void add_u64(struct cs_keccak *keccak, uint64_t value)
{
	uint8_t word[32] = {0};
	cs_put_be64(word + 24, value);
	cs_keccak_add(keccak, CS_BYTES_OF(word));
}

struct cs_hash ledger_chain_tag(struct cs_bytes chain_id, uint64_t genesis_time_s,
				uint64_t initial_height, const struct cs_hash *root)
{
	struct cs_keccak keccak;
	cs_keccak_init(&keccak);
	add_hash(&keccak, tag("caisson/ledger/chain/v1"));
	add_hash(&keccak, cs_keccak256(chain_id));
	add_u64(&keccak, genesis_time_s);
	add_u64(&keccak, initial_height);
	add_hash(&keccak, *root);
	return cs_keccak_end(&keccak);
}

struct cs_hash ledger_tx_digest(struct cs_bytes body)
{
	struct cs_keccak keccak;
	cs_keccak_init(&keccak);
	add_hash(&keccak, tag("caisson/ledger/transaction/v1"));
	add_hash(&keccak, cs_keccak256(body));
	return cs_keccak_end(&keccak);
}

struct cs_address ledger_multisig_address(uint8_t threshold, const struct cs_address *members,
					  size_t count)
{
	struct cs_keccak keccak;
	struct cs_address address;
	static const uint8_t zeros[12];
	cs_keccak_init(&keccak);
	add_hash(&keccak, tag("caisson/ledger/multisig/v1"));
	add_u64(&keccak, threshold);
	for (size_t i = 0; i < count; i++) {
		cs_keccak_add(&keccak, CS_BYTES_OF(zeros));
		cs_keccak_add(&keccak, CS_BYTES_OF(members[i].b));
	}
	struct cs_hash hash = cs_keccak_end(&keccak);
	memcpy(address.b, hash.b, sizeof address.b);
	return address;
}

/* ---- bodies ---- */

static void read_head(struct cs_reader *reader, struct ledger_tx *tx)
{
	cs_get_copy(reader, tx->chain.b, sizeof tx->chain.b);
	cs_get_copy(reader, tx->sender.b, sizeof tx->sender.b);
	tx->sequence = cs_get_u64(reader);
	tx->valid_until = cs_get_u64(reader);
	tx->gas_limit = cs_get_u64(reader);
	tx->gas_price_high = cs_get_u64(reader);
	tx->gas_price_low = cs_get_u64(reader);
}

static void read_call(struct cs_reader *reader, struct ledger_tx_call *call)
{
	struct cs_hash value;
	cs_get_copy(reader, call->to.b, sizeof call->to.b);
	cs_get_copy(reader, value.b, sizeof value.b);
	call->value = cs_u256_from_word(&value);
	call->input = cs_get(reader, cs_get_u32(reader));
}

enum cs_err ledger_tx_decode(struct ledger_tx *tx, struct cs_bytes bytes)
{
	struct cs_reader reader;
	struct ledger_tx read;
	if (bytes.n > LEDGER_TX_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	cs_reader_init(&reader, bytes);
	const uint8_t version = cs_get_u8(&reader);
	if (!reader.failed && version != LEDGER_TX_VERSION)
		return CS_ERR_UNSUPPORTED;
	read_head(&reader, &read);
	read.call_count = cs_get_u8(&reader);
	if (reader.failed)
		return CS_ERR_TRUNCATED;
	if (read.call_count == 0)
		return CS_ERR_INVALID;
	if (read.call_count > LEDGER_CALLS_MAX)
		return CS_ERR_TOO_LARGE;
	for (size_t i = 0; i < read.call_count; i++)
		read_call(&reader, &read.calls[i]);
	if (reader.failed)
		return CS_ERR_TRUNCATED;
	read.body = cs_bytes(bytes.p, bytes.n - reader.left);
	read.signatures = cs_bytes(reader.p, reader.left);
	*tx = read;
	return CS_OK;
}

void ledger_tx_encode_body(struct cs_buf *buf, const struct ledger_tx *tx)
{
	cs_assert(tx->call_count > 0 && tx->call_count <= LEDGER_CALLS_MAX);
	cs_put_u8(buf, LEDGER_TX_VERSION);
	cs_put(buf, CS_BYTES_OF(tx->chain.b));
	cs_put(buf, CS_BYTES_OF(tx->sender.b));
	cs_put_u64(buf, tx->sequence);
	cs_put_u64(buf, tx->valid_until);
	cs_put_u64(buf, tx->gas_limit);
	cs_put_u64(buf, tx->gas_price_high);
	cs_put_u64(buf, tx->gas_price_low);
	cs_put_u8(buf, (uint8_t)tx->call_count);
	for (size_t i = 0; i < tx->call_count; i++) {
		const struct ledger_tx_call *call = &tx->calls[i];
		struct cs_hash value = cs_u256_word(&call->value);
		cs_put(buf, CS_BYTES_OF(call->to.b));
		cs_put_word(buf, &value);
		cs_assert(call->input.n <= LEDGER_TX_SIZE_MAX);
		cs_put_u32(buf, (uint32_t)call->input.n);
		cs_put(buf, call->input);
	}
}

/* ---- signatures ---- */

/* One key's signature, of whichever kind, as far as its form goes. */
struct signature {
	uint8_t kind;
	struct cs_ecdsa ecdsa;
	struct cs_ed25519_key key;
	struct cs_bytes ed25519; /* a view */
};

static enum cs_err read_ecdsa(struct cs_reader *reader, struct cs_ecdsa *ecdsa)
{
	cs_get_copy(reader, ecdsa->r.b, sizeof ecdsa->r.b);
	cs_get_copy(reader, ecdsa->s.b, sizeof ecdsa->s.b);
	ecdsa->parity = cs_get_u8(reader);
	if (reader->failed)
		return CS_ERR_TRUNCATED;
	return ecdsa->parity > 1 || !cs_ecdsa_is_low(ecdsa) ? CS_ERR_NON_CANONICAL : CS_OK;
}

static enum cs_err read_signature(struct cs_reader *reader, uint8_t kind,
				  struct signature *signature)
{
	signature->kind = kind;
	if (kind == LEDGER_SECP256K1)
		return read_ecdsa(reader, &signature->ecdsa);
	if (kind != LEDGER_ED25519)
		return reader->failed ? CS_ERR_TRUNCATED : CS_ERR_UNSUPPORTED;
	cs_get_copy(reader, signature->key.b, sizeof signature->key.b);
	signature->ed25519 = cs_get(reader, CS_ED25519_SIGNATURE_SIZE);
	return reader->failed ? CS_ERR_TRUNCATED : CS_OK;
}

static enum cs_err verify_signature(const struct signature *signature,
				    const struct cs_address *signer, const struct cs_hash *digest,
				    const struct cs_sig *sig)
{
	struct cs_address address;
	if (signature->kind == LEDGER_SECP256K1) {
		CS_TRY(cs_ecdsa_recover(sig, &address, &signature->ecdsa, digest));
	} else {
		struct cs_hash hash = cs_sha256(CS_BYTES_OF(signature->key.b));
		memcpy(address.b, hash.b, sizeof address.b);
		CS_TRY(cs_ed25519_verify(&signature->key, CS_BYTES_OF(digest->b),
					 signature->ed25519));
	}
	return cs_address_eq(&address, signer) ? CS_OK : CS_ERR_WRONG_KEY;
}

/* What is read of a transaction's signatures: whose they say that they are. */
struct signers {
	size_t count;              /* signatures */
	struct cs_address account; /* of a multisignature; else the sender */
	struct cs_address addresses[LEDGER_MULTISIG_MAX];
	struct signature signatures[LEDGER_MULTISIG_MAX];
};

static enum cs_err read_member(struct cs_reader *reader, struct signers *signers, uint8_t threshold,
			       struct cs_address *members, size_t i)
{
	cs_get_copy(reader, members[i].b, sizeof members[i].b);
	const uint8_t kind = cs_get_u8(reader);
	if (reader->failed)
		return CS_ERR_TRUNCATED;
	if (i > 0 && memcmp(members[i - 1].b, members[i].b, sizeof members[i].b) >= 0)
		return CS_ERR_NON_CANONICAL;
	if (kind == 0)
		return CS_OK;
	if (signers->count == threshold)
		return CS_ERR_NON_CANONICAL;
	signers->addresses[signers->count] = members[i];
	return read_signature(reader, kind, &signers->signatures[signers->count++]);
}

static enum cs_err read_multisig(struct cs_reader *reader, struct signers *signers)
{
	struct cs_address members[LEDGER_MULTISIG_MAX];
	const uint8_t threshold = cs_get_u8(reader), count = cs_get_u8(reader);
	if (reader->failed)
		return CS_ERR_TRUNCATED;
	if (count > LEDGER_MULTISIG_MAX)
		return CS_ERR_TOO_LARGE;
	if (threshold == 0 || threshold > count)
		return CS_ERR_NON_CANONICAL;
	for (size_t i = 0; i < count; i++)
		CS_TRY(read_member(reader, signers, threshold, members, i));
	if (signers->count < threshold)
		return CS_ERR_BAD_SIGNATURE;
	signers->account = ledger_multisig_address(threshold, members, count);
	return CS_OK;
}

static enum cs_err read_signers(const struct ledger_tx *tx, struct signers *signers)
{
	struct cs_reader reader;
	cs_reader_init(&reader, tx->signatures);
	const uint8_t kind = cs_get_u8(&reader);
	signers->count = 0;
	if (kind == LEDGER_MULTISIG) {
		CS_TRY(read_multisig(&reader, signers));
	} else {
		CS_TRY(read_signature(&reader, kind, &signers->signatures[0]));
		signers->addresses[0] = signers->account = tx->sender;
		signers->count = 1;
	}
	return cs_reader_end(&reader);
}

enum cs_err ledger_tx_verify(const struct ledger_tx *tx, const struct cs_sig *sig)
{
	struct signers signers;
	CS_TRY(read_signers(tx, &signers));
	if (!cs_address_eq(&signers.account, &tx->sender))
		return CS_ERR_WRONG_KEY;
	const struct cs_hash digest = ledger_tx_digest(tx->body);
	for (size_t i = 0; i < signers.count; i++)
		CS_TRY(verify_signature(&signers.signatures[i], &signers.addresses[i], &digest,
					sig));
	return CS_OK;
}

enum cs_err ledger_tx_signature_count(const struct ledger_tx *tx, size_t *count)
{
	struct signers signers;
	CS_TRY(read_signers(tx, &signers));
	*count = signers.count;
	return CS_OK;
}
