#include "core/rlp.h"
#include "gateway/gateway.h"
#include "host/alloc.h"

#include <stdlib.h>

struct fields {
	const struct gateway_submission *submission;
	const struct adapter_terms *terms;
	struct cs_bytes data;
	uint64_t chain_id;
};

static void put_word(struct cs_buf *buf, const struct cs_hash *word)
{
	struct cs_u256 number = cs_u256_from_word(word);
	cs_rlp_put_u256(buf, &number);
}

static void put_call(struct cs_buf *buf, const struct fields *f, const struct cs_address *self)
{
	cs_rlp_put_bytes(buf, f->terms->cancel ? CS_BYTES_OF(self->b)
					       : CS_BYTES_OF(f->submission->to.b));
	if (f->terms->cancel)
		cs_rlp_put_u64(buf, 0);
	else
		put_word(buf, &f->submission->value);
	cs_rlp_put_bytes(buf, f->terms->cancel ? CS_BYTES_NONE : f->data);
}

/* EIP-155 for chains without a base fee, EIP-1559 otherwise. */
static void put_transaction(struct cs_buf *buf, const struct fields *f,
			    const struct cs_address *self, const struct cs_ecdsa *signature)
{
	if (!f->terms->legacy)
		cs_put_u8(buf, 2);
	size_t list = cs_rlp_list_begin(buf);
	if (!f->terms->legacy)
		cs_rlp_put_u64(buf, f->chain_id);
	cs_rlp_put_u64(buf, f->terms->nonce);
	if (!f->terms->legacy)
		cs_rlp_put_u64(buf, f->terms->max_priority_fee_wei);
	cs_rlp_put_u64(buf, f->terms->max_fee_wei);
	cs_rlp_put_u64(buf, f->terms->gas_limit);
	put_call(buf, f, self);
	if (!f->terms->legacy)
		cs_rlp_put_list(buf, 0);
	if (signature) {
		cs_rlp_put_u64(buf, f->terms->legacy ? f->chain_id * 2 + 35 + signature->parity
						     : signature->parity);
		put_word(buf, &signature->r);
		put_word(buf, &signature->s);
	} else if (f->terms->legacy) {
		cs_rlp_put_u64(buf, f->chain_id);
		cs_rlp_put_u64(buf, 0);
		cs_rlp_put_u64(buf, 0);
	}
	cs_rlp_list_end(buf, list);
}

enum cs_err gateway_sign_operator(struct gateway_chain *chain,
				  const struct gateway_submission *submission, struct cs_bytes data,
				  const struct adapter_terms *terms, uint8_t **raw,
				  size_t *raw_size, struct cs_hash *hash)
{
	struct fields fields = {submission, terms, data, chain->manifest->chain_id};
	struct cs_ecdsa signature;
	struct cs_buf buf;
	size_t size = data.n + 512;
	if (!chain->has_operator)
		return CS_ERR_NO_KEY;
	uint8_t *memory = host_alloc(size);
	cs_buf_init(&buf, memory, size);
	put_transaction(&buf, &fields, &chain->operator, NULL);
	enum cs_err err = cs_buf_end(&buf);
	if (err == CS_OK) {
		struct cs_hash digest = cs_keccak256(cs_buf_view(&buf));
		err = cs_ecdsa_sign(chain->gateway->sig, &signature, chain->operator_key, &digest);
	}
	if (err == CS_OK) {
		cs_buf_init(&buf, memory, size);
		put_transaction(&buf, &fields, &chain->operator, & signature);
		err = cs_buf_end(&buf);
	}
	if (err != CS_OK) {
		free(memory);
		return err;
	}
	*hash = cs_keccak256(cs_buf_view(&buf));
	*raw = memory;
	*raw_size = buf.n;
	return CS_OK;
}
