/* A ledger's transaction by a secp256k1 key that the host holds. */
#include "adapters/cometbft/inner.h"
#include "host/alloc.h"

#include <stdlib.h>

/* Everything beside the calls: the body's head, a signature. Of a call: all but its input. */
#define FRAME_SIZE_MAX 256u
#define CALL_FRAME_SIZE 64u

static void put_signature(struct cs_buf *buf, const struct cs_ecdsa *signature)
{
	cs_put_u8(buf, LEDGER_SECP256K1);
	cs_put(buf, CS_BYTES_OF(signature->r.b));
	cs_put(buf, CS_BYTES_OF(signature->s.b));
	cs_put_u8(buf, signature->parity);
}

static size_t size_max(const struct ledger_tx *tx)
{
	size_t size = FRAME_SIZE_MAX;

	for (size_t i = 0; i < tx->call_count; i++)
		size += CALL_FRAME_SIZE + tx->calls[i].input.n;
	return size;
}

enum cs_err comet_sign_tx(uint8_t **raw, size_t *raw_size, struct cs_hash *hash,
			  const struct cs_sig *sig, const struct cs_secret *key,
			  const struct ledger_tx *tx)
{
	size_t size = size_max(tx);
	uint8_t *memory = host_alloc(size);
	struct cs_ecdsa signature;
	struct cs_buf buf;

	cs_buf_init(&buf, memory, size);
	ledger_tx_encode_body(&buf, tx);
	enum cs_err err = cs_buf_end(&buf);
	if (err == CS_OK) {
		struct cs_hash digest = ledger_tx_digest(cs_buf_view(&buf));
		err = cs_ecdsa_sign(sig, &signature, key, &digest);
	}
	if (err == CS_OK) {
		put_signature(&buf, &signature);
		err = cs_buf_end(&buf);
	}
	if (err != CS_OK) {
		free(memory);
		return err;
	}
	*hash = cs_sha256(cs_buf_view(&buf));
	*raw = memory;
	*raw_size = buf.n;
	return CS_OK;
}

enum cs_err comet_sign(struct adapter *adapter, uint8_t **raw, size_t *raw_size,
		       struct cs_hash *hash, const struct cs_sig *sig, const struct cs_secret *key,
		       const struct adapter_signing *call, const struct adapter_terms *terms)
{
	struct ledger_tx *tx = host_alloc(sizeof(*tx));

	*tx = (struct ledger_tx){.chain = comet_of(adapter)->config.chain_tag,
				 .sender = call->from,
				 .sequence = terms->nonce,
				 .valid_until = terms->valid_until_s,
				 .gas_limit = terms->gas_limit,
				 .gas_price_low = terms->max_fee_wei,
				 .call_count = 1};
	tx->calls[0] =
		(struct ledger_tx_call){call->to, cs_u256_from_word(&call->value), call->data};
	enum cs_err err = comet_sign_tx(raw, raw_size, hash, sig, key, tx);
	free(tx);
	return err;
}
