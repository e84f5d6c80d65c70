/* A ledger's transaction of one call, by a secp256k1 key that the host holds. */
#include "adapters/cometbft/inner.h"
#include "host/alloc.h"
#include "relay_state/ledger/tx.h"

#include <stdlib.h>

/* Everything beside the input: the body's head, one call's, a signature. */
#define FRAME_SIZE_MAX 512u

static void put_signature(struct cs_buf *buf, const struct cs_ecdsa *signature)
{
	cs_put_u8(buf, LEDGER_SECP256K1);
	cs_put(buf, CS_BYTES_OF(signature->r.b));
	cs_put(buf, CS_BYTES_OF(signature->s.b));
	cs_put_u8(buf, signature->parity);
}

enum cs_err comet_sign(struct adapter *adapter, uint8_t **raw, size_t *raw_size,
		       struct cs_hash *hash, const struct cs_sig *sig, const struct cs_secret *key,
		       const struct adapter_signing *call, const struct adapter_terms *terms)
{
	size_t size = call->data.n + FRAME_SIZE_MAX;
	uint8_t *memory = host_alloc(size);
	struct ledger_tx *tx = host_alloc(sizeof(*tx));
	struct cs_ecdsa signature;
	struct cs_buf buf;

	*tx = (struct ledger_tx){.chain = comet_of(adapter)->config.chain_tag,
				 .sender = call->from,
				 .sequence = terms->nonce,
				 .valid_until = terms->valid_until_s,
				 .gas_limit = terms->gas_limit,
				 .gas_price_low = terms->max_fee_wei,
				 .call_count = 1};
	tx->calls[0] =
		(struct ledger_tx_call){call->to, cs_u256_from_word(&call->value), call->data};
	cs_buf_init(&buf, memory, size);
	ledger_tx_encode_body(&buf, tx);
	free(tx);
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
