/* Transactions of the gas account: the remote's statement is checked as the contract will check it,
 * the call is built here from what was checked, and the policy of the manifest decides about
 * address, value and fee. */
#include "core/caip.h"
#include "core/rlp.h"
#include "enclave/state.h"

#include <string.h>

#define GAS_PLAIN_TRANSFER 21000u
/* A ledger's takes 24,580 by the schedule of its version 1 (relay_state/ledger/gas.h). */
#define GAS_LEDGER_TRANSFER_MAX 50000u

/* docs/ledger.md, Transactions: the version, the kind of signature, and all beside the input. */
#define LEDGER_VERSION 1u
#define LEDGER_SECP256K1 1u
#define LEDGER_REST_SIZE (1 + 32 + 20 + 3 * 8 + 16 + 1 + 20 + 32 + 4 + 66)

struct transaction {
	const struct cs_secret *key; /* of the account that sends it */
	struct cs_address from;
	struct cs_address to;
	struct cs_u256 value;
	struct cs_bytes data;
};

/* ---- the statement ---- */

struct items {
	struct wire_message messages[CS_BATCH_MAX];
	struct wire_outcome outcomes[CS_BATCH_MAX];
	struct cs_hash leaves[CS_BATCH_MAX];
	size_t count;
};

static const struct enclave_remote_key *remote_key_of(const struct enclave_remote *remote,
						      uint64_t epoch)
{
	for (size_t i = 0; i < remote->key_count; i++)
		if (remote->keys[i].epoch == epoch)
			return &remote->keys[i];
	return NULL;
}

/* The contract compares with its block's time. The newest final block is a little behind it, the
 * clock may be: a key that could be in force by one of the two is let through, because the contract
 * decides. */
static enum cs_err check_key_in_force(struct enclave_call *call, const struct enclave_chain *chain,
				      const struct enclave_remote_key *key)
{
	struct verify_status status;
	struct verify_time now = call->now;
	verify_client_status(&chain->client, &status);
	if (status.final_time_s > now.low_s)
		now.low_s = status.final_time_s;
	if (now.high_s != 0 && now.low_s > now.high_s)
		now.high_s = now.low_s;
	if (key->key.state != WIRE_KEY_ACTIVE)
		return cs_fail(&call->why, CS_ERR_WRONG_EPOCH,
			       "the key of epoch %llu is suspended or revoked",
			       (unsigned long long)key->epoch);
	enum cs_err err = verify_time_reached(&now, key->key.not_before_s);
	if (err == CS_OK)
		err = verify_time_before(&now, key->key.not_after_s);
	if (err != CS_OK)
		return cs_fail(&call->why, CS_ERR_WRONG_EPOCH,
			       "the key of epoch %llu is not in force now",
			       (unsigned long long)key->epoch);
	return CS_OK;
}

/* A signature that cannot be one is told apart from one of another key. */
static enum cs_err check_signature(struct enclave_call *call, const struct wire_signed *st,
				   const struct enclave_remote_key *key)
{
	struct cs_hash even;
	const struct cs_hash digest = wire_digest(&st->statement, enclave_domain(call->e));
	if (cs_lift_x(call->e->sig, &even, &st->signature.rx) != CS_OK ||
	    !cs_hash_eq(&even, &st->signature.ry))
		return cs_fail(&call->why, CS_ERR_BAD_SIGNATURE,
			       "R is not the even point of its x");
	if (cs_schnorr_verify(call->e->sig, &st->signature, &key->key.x, &digest) != CS_OK)
		return cs_fail(&call->why, CS_ERR_WRONG_KEY,
			       "not signed by the registered key of epoch %llu",
			       (unsigned long long)key->epoch);
	return CS_OK;
}

static enum cs_err check_statement(struct enclave_call *call, const struct enclave_chain *chain,
				   const struct wire_signed *st, enum wire_kind kind,
				   const struct items *items)
{
	size_t remote = 0;
	const Caisson__Wire__SignTransactionRequest *in =
		(const Caisson__Wire__SignTransactionRequest *)call->request;
	if (st->statement.kind != kind)
		return cs_fail(&call->why, CS_ERR_INVALID,
			       "a statement of another kind than the action's");
	if (!cs_hash_eq(&st->statement.receiver, &chain->manifest->identity))
		return cs_fail(&call->why, CS_ERR_WRONG_GATEWAY,
			       "the statement is for another gateway");
	CS_TRY(enclave_remote_find(call, &remote, chain, in->statement->signer));
	if (st->statement.manifest_number < call->e->manifest.statement_manifest_min)
		return cs_fail(&call->why, CS_ERR_WRONG_MANIFEST,
			       "signed under manifest %llu, at least %llu",
			       (unsigned long long)st->statement.manifest_number,
			       (unsigned long long)call->e->manifest.statement_manifest_min);
	const struct enclave_remote_key *key =
		remote_key_of(&chain->remotes[remote], st->statement.epoch);
	if (key == NULL)
		return cs_fail(&call->why, CS_ERR_WRONG_EPOCH,
			       "no key of epoch %llu was learned: LearnKey",
			       (unsigned long long)st->statement.epoch);
	CS_TRY(check_key_in_force(call, chain, key));
	const struct cs_hash part = wire_root(items->leaves, items->count);
	const struct cs_hash root = wire_fold(&part, st->path, st->path_count);
	if (!cs_hash_eq(&root, &st->statement.root))
		return cs_fail(&call->why, CS_ERR_BAD_PROOF,
			       "the items and the path do not lead to the root");
	return check_signature(call, st, key);
}

/* What was signed from an abandoned branch counts when it is signed again from the other one. */
static enum cs_err check_abandoned(struct enclave_call *call, const struct wire_signed *st,
				   const struct cs_hash *id, size_t item)
{
	const struct manifest *m = &call->e->manifest;
	const struct manifest_chain *signer = manifest_chain_of(m, &st->statement.signer);
	if (signer == NULL || st->statement.manifest_number >= signer->abandoned.since ||
	    !manifest_lists_abandoned(m, signer, id))
		return CS_OK;
	return cs_fail(&call->why, CS_ERR_WRONG_MANIFEST,
		       "item %zu: of an abandoned branch of %s, signed under manifest %llu, not "
		       "again since %llu",
		       item, signer->caip2, (unsigned long long)st->statement.manifest_number,
		       (unsigned long long)signer->abandoned.since);
}

/* ---- calls ---- */

static enum cs_err read_messages(struct enclave_call *call, struct items *items,
				 const struct enclave_chain *chain, const struct wire_signed *st)
{
	const Caisson__Wire__SignTransactionRequest *in =
		(const Caisson__Wire__SignTransactionRequest *)call->request;
	if (in->n_messages == 0)
		return cs_fail(&call->why, CS_ERR_INVALID, "no messages");
	for (size_t i = 0; i < in->n_messages; i++) {
		struct wire_message *message = &items->messages[i];
		CS_TRY(wire_message_from_pb(message, in->messages[i]));
		if (wire_message_check(message) != CS_OK)
			return cs_fail(&call->why, CS_ERR_INVALID,
				       "message %zu: the parts do not have the hashes", i);
		if (!cs_hash_eq(&message->head.destination, &chain->manifest->identity))
			return cs_fail(&call->why, CS_ERR_WRONG_DESTINATION,
				       "message %zu: for another destination", i);
		if (!cs_hash_eq(&message->head.source, &st->statement.signer))
			return cs_fail(&call->why, CS_ERR_WRONG_SOURCE,
				       "message %zu: from another source", i);
		const struct cs_hash id = wire_message_id(&message->head);
		CS_TRY(check_abandoned(call, st, &id, i));
		items->leaves[i] = wire_leaf_message(&id);
	}
	items->count = in->n_messages;
	return CS_OK;
}

/* Against the chain's own time: what the contract would refuse costs gas for nothing. */
static enum cs_err check_deadlines(struct enclave_call *call, const struct enclave_chain *chain,
				   enum wire_call what, const struct items *items)
{
	struct verify_status status;
	verify_client_status(&chain->client, &status);
	for (size_t i = 0; i < items->count; i++) {
		const uint64_t deadline = items->messages[i].head.deadline;
		const bool passed = status.final_time_s >= deadline;
		if (what == WIRE_CALL_EXPIRE && !passed)
			return cs_fail(&call->why, CS_ERR_BEFORE_DEADLINE,
				       "message %zu: final time %llu, deadline %llu", i,
				       (unsigned long long)status.final_time_s,
				       (unsigned long long)deadline);
		if (what != WIRE_CALL_EXPIRE && passed)
			return cs_fail(&call->why, CS_ERR_AFTER_DEADLINE,
				       "message %zu: final time %llu, deadline %llu", i,
				       (unsigned long long)status.final_time_s,
				       (unsigned long long)deadline);
	}
	return CS_OK;
}

/* A recipient knows of where a message came from only its sender: a remote speaks for its own chain
 * alone. The contract has the same rule, and spends gas on it. */
static enum cs_err check_senders(struct enclave_call *call, const struct wire_signed *st,
				 const struct items *items)
{
	const struct manifest_chain *source =
		manifest_chain_of(&call->e->manifest, &st->statement.signer);
	if (source == NULL)
		return cs_fail(&call->why, CS_ERR_NOT_IN_MANIFEST,
			       "the manifest does not say on which chain the remote is");
	for (size_t i = 0; i < items->count; i++) {
		struct cs_account sender;
		if (cs_interop_account(&sender, items->messages[i].sender) != CS_OK ||
		    strcmp(sender.caip2, source->caip2) != 0)
			return cs_fail(&call->why, CS_ERR_WRONG_CONTRACT,
				       "message %zu: the sender is not on %s", i, source->caip2);
	}
	return CS_OK;
}

static enum cs_err call_messages(struct enclave_call *call, struct cs_buf *data,
				 const struct enclave_chain *chain, const struct wire_signed *st,
				 struct items *items, enum wire_call what)
{
	CS_TRY(read_messages(call, items, chain, st));
	CS_TRY(check_statement(call, chain, st, WIRE_KIND_MESSAGE, items));
	CS_TRY(check_deadlines(call, chain, what, items));
	if (what != WIRE_CALL_EXPIRE)
		CS_TRY(check_senders(call, st, items));
	CS_TRY(cs_buf_init_arena(data, &call->e->arena,
				 wire_evm_call_messages_size(st, items->messages, items->count)));
	return wire_evm_call_messages(data, what, st, items->messages, items->count);
}

static enum cs_err call_finalize(struct enclave_call *call, struct cs_buf *data,
				 const struct enclave_chain *chain, const struct wire_signed *st,
				 struct items *items)
{
	const Caisson__Wire__SignTransactionRequest *in =
		(const Caisson__Wire__SignTransactionRequest *)call->request;
	if (in->n_outcomes == 0)
		return cs_fail(&call->why, CS_ERR_INVALID, "no outcomes");
	for (size_t i = 0; i < in->n_outcomes; i++) {
		CS_TRY(wire_outcome_from_pb(&items->outcomes[i], in->outcomes[i]));
		CS_TRY(check_abandoned(call, st, &items->outcomes[i].message_id, i));
		items->leaves[i] = wire_leaf_outcome(&items->outcomes[i].message_id,
						     items->outcomes[i].status);
	}
	items->count = in->n_outcomes;
	CS_TRY(check_statement(call, chain, st, WIRE_KIND_OUTCOME, items));
	CS_TRY(cs_buf_init_arena(data, &call->e->arena, WIRE_EVM_CALL_FINALIZE_SIZE_MAX));
	return wire_evm_call_finalize(data, st, items->outcomes, items->count);
}

static enum cs_err call_rotation(struct enclave_call *call, struct cs_buf *data,
				 const struct enclave_chain *chain, const struct wire_signed *st,
				 struct items *items)
{
	const Caisson__Wire__SignTransactionRequest *in =
		(const Caisson__Wire__SignTransactionRequest *)call->request;
	if (in->new_key.len != sizeof(struct cs_hash))
		return cs_fail(&call->why, CS_ERR_MISSING_FIELD, "new_key is not 32 bytes");
	const struct cs_hash new_key = wire_pb_hash(in->new_key);
	items->leaves[0] = wire_leaf_rotation(in->new_epoch, &new_key);
	items->count = 1;
	CS_TRY(check_statement(call, chain, st, WIRE_KIND_ROTATION, items));
	CS_TRY(cs_buf_init_arena(data, &call->e->arena, WIRE_EVM_CALL_ROTATION_SIZE_MAX));
	return wire_evm_call_announce_rotation(data, st, in->new_epoch, &new_key);
}

/* Keys and deadlines are judged by what the client knows: it must be there and not too old. */
static enum cs_err check_alive(struct enclave_call *call, const struct enclave_chain *chain)
{
	struct verify_status status;
	struct verify_block newest;
	verify_client_status(&chain->client, &status);
	return verify_client_block(&chain->client, status.final_height, &call->now, &newest,
				   &call->why);
}

/* A call to the gateway of the chain, value 0. */
static enum cs_err build_call(struct enclave_call *call, struct transaction *tx,
			      const struct enclave_chain *chain, Caisson__Wire__Action action)
{
	const Caisson__Wire__SignTransactionRequest *in =
		(const Caisson__Wire__SignTransactionRequest *)call->request;
	struct cs_buf data;
	struct items *items = cs_arena_calloc(&call->e->arena, 1, sizeof *items);
	struct wire_signed *st = cs_arena_calloc(&call->e->arena, 1, sizeof *st);
	if (items == NULL || st == NULL)
		return CS_ERR_NO_MEMORY;
	if (in->statement == NULL)
		return cs_fail(&call->why, CS_ERR_MISSING_FIELD, "statement");
	if (in->sweep_value.len != 0)
		return cs_fail(&call->why, CS_ERR_POLICY_VALUE,
			       "a call to the gateway carries no value");
	if (in->sweep_to.len != 0)
		return cs_fail(&call->why, CS_ERR_POLICY_ADDRESS,
			       "a call goes to the gateway of %s alone", chain->manifest->caip2);
	CS_TRY(check_alive(call, chain));
	CS_TRY(wire_signed_from_pb(st, in->statement));
	cs_buf_init(&data, NULL, 0);
	switch (action) {
	case CAISSON__WIRE__ACTION__ACTION_DELIVER:
		CS_TRY(call_messages(call, &data, chain, st, items, WIRE_CALL_DELIVER));
		break;
	case CAISSON__WIRE__ACTION__ACTION_RETRY:
		CS_TRY(call_messages(call, &data, chain, st, items, WIRE_CALL_RETRY));
		break;
	case CAISSON__WIRE__ACTION__ACTION_EXPIRE:
		CS_TRY(call_messages(call, &data, chain, st, items, WIRE_CALL_EXPIRE));
		break;
	case CAISSON__WIRE__ACTION__ACTION_FINALIZE:
		CS_TRY(call_finalize(call, &data, chain, st, items));
		break;
	case CAISSON__WIRE__ACTION__ACTION_ANNOUNCE_ROTATION:
		CS_TRY(call_rotation(call, &data, chain, st, items));
		break;
	case CAISSON__WIRE__ACTION__ACTION_SWEEP:
	case CAISSON__WIRE__ACTION__ACTION_CANCEL:
	case CAISSON__WIRE__ACTION__ACTION_UNSPECIFIED:
	case _CAISSON__WIRE__ACTION_IS_INT_SIZE:
		return CS_ERR_POLICY_SELECTOR;
	}
	CS_TRY(cs_buf_end(&data));
	tx->to = chain->manifest->gateway;
	tx->data = cs_buf_view(&data);
	return CS_OK;
}

static enum cs_err build_plain(struct enclave_call *call, struct transaction *tx,
			       const struct enclave_chain *chain, bool sweep)
{
	const Caisson__Wire__SignTransactionRequest *in =
		(const Caisson__Wire__SignTransactionRequest *)call->request;
	const struct cs_bytes to = wire_pb_view(in->sweep_to);
	const struct cs_address *target = &chain->manifest->policy.sweep_to;
	if (in->statement != NULL || in->n_messages != 0 || in->n_outcomes != 0)
		return cs_fail(&call->why, CS_ERR_POLICY_SELECTOR,
			       "a plain transfer carries no call");
	if (enclave_chain_is_ledger(chain) && in->gas_limit > GAS_LEDGER_TRANSFER_MAX)
		return cs_fail(&call->why, CS_ERR_POLICY_FEE,
			       "gas_limit of a plain transfer is at most %u",
			       GAS_LEDGER_TRANSFER_MAX);
	if (!enclave_chain_is_ledger(chain) && in->gas_limit != GAS_PLAIN_TRANSFER)
		return cs_fail(&call->why, CS_ERR_POLICY_FEE, "gas_limit of a plain transfer is %u",
			       GAS_PLAIN_TRANSFER);
	if (!sweep) {
		if (in->sweep_value.len != 0)
			return cs_fail(&call->why, CS_ERR_POLICY_VALUE,
				       "a cancellation carries no value");
		if (to.n != 0)
			return cs_fail(&call->why, CS_ERR_POLICY_ADDRESS,
				       "a cancellation goes to itself");
		tx->to = tx->from;
		return CS_OK;
	}
	if (!cs_bytes_eq(to, CS_BYTES_OF(target->b)))
		return cs_fail(&call->why, CS_ERR_POLICY_ADDRESS,
			       "not the sweep_to of the manifest");
	tx->to = *target;
	return cs_u256_from_bytes(&tx->value, wire_pb_view(in->sweep_value));
}

/* ---- fees, encoding ---- */

static enum cs_err check_fee(struct enclave_call *call, const struct enclave_chain *chain)
{
	const Caisson__Wire__SignTransactionRequest *in =
		(const Caisson__Wire__SignTransactionRequest *)call->request;
	const struct manifest_policy *policy = &chain->manifest->policy;
	const unsigned __int128 total = (unsigned __int128)in->gas_limit * in->max_fee_wei;
	if (in->max_fee_wei > policy->fee_cap_wei)
		return cs_fail(&call->why, CS_ERR_POLICY_FEE,
			       "max_fee_wei %llu is above the cap %llu",
			       (unsigned long long)in->max_fee_wei,
			       (unsigned long long)policy->fee_cap_wei);
	if (in->gas_limit > policy->gas_limit_max)
		return cs_fail(&call->why, CS_ERR_POLICY_FEE,
			       "gas_limit %llu is above the cap %llu",
			       (unsigned long long)in->gas_limit,
			       (unsigned long long)policy->gas_limit_max);
	if (total > policy->total_cap_wei)
		return cs_fail(&call->why, CS_ERR_POLICY_FEE,
			       "gas_limit times max_fee_wei is above the cap %llu",
			       (unsigned long long)policy->total_cap_wei);
	if (in->max_priority_fee_wei > in->max_fee_wei ||
	    (in->legacy && in->max_priority_fee_wei != 0))
		return cs_fail(&call->why, CS_ERR_INVALID, "max_priority_fee_wei");
	if (!enclave_chain_is_ledger(chain) && in->valid_until_s != 0)
		return cs_fail(&call->why, CS_ERR_INVALID,
			       "valid_until_s: a transaction of an EVM chain has no end");
	return CS_OK;
}

static void put_word(struct cs_buf *buf, const struct cs_hash *word)
{
	const struct cs_u256 number = cs_u256_from_word(word);
	cs_rlp_put_u256(buf, &number);
}

/* EIP-155: r, s and v stand where chain id, 0, 0 are signed. */
static void put_legacy(struct cs_buf *buf, const struct enclave_call *call,
		       const struct transaction *tx, uint64_t chain_id,
		       const struct cs_ecdsa *signature)
{
	const Caisson__Wire__SignTransactionRequest *in =
		(const Caisson__Wire__SignTransactionRequest *)call->request;
	const size_t list = cs_rlp_list_begin(buf);
	cs_rlp_put_u64(buf, in->nonce);
	cs_rlp_put_u64(buf, in->max_fee_wei);
	cs_rlp_put_u64(buf, in->gas_limit);
	cs_rlp_put_bytes(buf, CS_BYTES_OF(tx->to.b));
	cs_rlp_put_u256(buf, &tx->value);
	cs_rlp_put_bytes(buf, tx->data);
	if (signature == NULL) {
		cs_rlp_put_u64(buf, chain_id);
		cs_rlp_put_u64(buf, 0);
		cs_rlp_put_u64(buf, 0);
	} else {
		cs_rlp_put_u64(buf, chain_id * 2 + 35 + signature->parity);
		put_word(buf, &signature->r);
		put_word(buf, &signature->s);
	}
	cs_rlp_list_end(buf, list);
}

/* EIP-1559, without an access list. */
static void put_dynamic(struct cs_buf *buf, const struct enclave_call *call,
			const struct transaction *tx, uint64_t chain_id,
			const struct cs_ecdsa *signature)
{
	const Caisson__Wire__SignTransactionRequest *in =
		(const Caisson__Wire__SignTransactionRequest *)call->request;
	cs_put_u8(buf, 2);
	const size_t list = cs_rlp_list_begin(buf);
	cs_rlp_put_u64(buf, chain_id);
	cs_rlp_put_u64(buf, in->nonce);
	cs_rlp_put_u64(buf, in->max_priority_fee_wei);
	cs_rlp_put_u64(buf, in->max_fee_wei);
	cs_rlp_put_u64(buf, in->gas_limit);
	cs_rlp_put_bytes(buf, CS_BYTES_OF(tx->to.b));
	cs_rlp_put_u256(buf, &tx->value);
	cs_rlp_put_bytes(buf, tx->data);
	cs_rlp_put_list(buf, 0);
	if (signature != NULL) {
		cs_rlp_put_u64(buf, signature->parity);
		put_word(buf, &signature->r);
		put_word(buf, &signature->s);
	}
	cs_rlp_list_end(buf, list);
}

static enum cs_err encode(struct enclave_call *call, struct cs_bytes *raw,
			  const struct transaction *tx, uint64_t chain_id,
			  const struct cs_ecdsa *signature)
{
	const Caisson__Wire__SignTransactionRequest *in =
		(const Caisson__Wire__SignTransactionRequest *)call->request;
	struct cs_buf buf;
	/* Ten numbers and the header of a list beside the data. */
	CS_TRY(cs_buf_init_arena(&buf, &call->e->arena, tx->data.n + 512));
	if (in->legacy)
		put_legacy(&buf, call, tx, chain_id, signature);
	else
		put_dynamic(&buf, call, tx, chain_id, signature);
	CS_TRY(cs_buf_end(&buf));
	*raw = cs_buf_view(&buf);
	return CS_OK;
}

static enum cs_err reply_raw(struct enclave_call *call, const struct transaction *tx,
			     struct cs_bytes raw, const struct cs_hash *hash)
{
	Caisson__Wire__SignTransactionReply out = CAISSON__WIRE__SIGN_TRANSACTION_REPLY__INIT;
	out.raw = wire_pb_bytes(&call->e->arena, raw);
	out.hash = wire_pb_bytes(&call->e->arena, CS_BYTES_OF(hash->b));
	out.from = wire_pb_bytes(&call->e->arena, CS_BYTES_OF(tx->from.b));
	return enclave_reply(call, &out.base);
}

static enum cs_err sign_evm(struct enclave_call *call, const struct enclave_chain *chain,
			    const struct transaction *tx)
{
	const uint64_t chain_id = chain->manifest->chain_id;
	struct cs_bytes unsigned_bytes;
	struct cs_bytes raw;
	struct cs_ecdsa signature;
	if (chain_id > (UINT64_MAX - 36) / 2)
		return cs_fail(&call->why, CS_ERR_OVERFLOW,
			       "the chain id is too large for EIP-155");
	CS_TRY(encode(call, &unsigned_bytes, tx, chain_id, NULL));
	const struct cs_hash digest = cs_keccak256(unsigned_bytes);
	CS_TRY(cs_ecdsa_sign(call->e->sig, &signature, tx->key, &digest));
	CS_TRY(encode(call, &raw, tx, chain_id, &signature));
	const struct cs_hash hash = cs_keccak256(raw);
	return reply_raw(call, tx, raw, &hash);
}

/* ---- a ledger's transaction (docs/ledger.md): one call, one key ---- */

static void put_ledger_body(struct cs_buf *buf, const struct enclave_call *call,
			    const struct enclave_chain *chain, const struct transaction *tx)
{
	const Caisson__Wire__SignTransactionRequest *in =
		(const Caisson__Wire__SignTransactionRequest *)call->request;
	const struct cs_hash value = cs_u256_word(&tx->value);
	cs_put_u8(buf, LEDGER_VERSION);
	cs_put_word(buf, &chain->manifest->genesis);
	cs_put(buf, CS_BYTES_OF(tx->from.b));
	cs_put_u64(buf, in->nonce);
	cs_put_u64(buf, in->valid_until_s);
	cs_put_u64(buf, in->gas_limit);
	cs_put_u64(buf, 0); /* the price has 128 bits, the policy's caps 64 */
	cs_put_u64(buf, in->max_fee_wei);
	cs_put_u8(buf, 1);
	cs_put(buf, CS_BYTES_OF(tx->to.b));
	cs_put_word(buf, &value);
	cs_put_u32(buf, (uint32_t)tx->data.n);
	cs_put(buf, tx->data);
}

static struct cs_hash ledger_digest(struct cs_bytes body)
{
	const struct cs_hash tag = cs_keccak256(cs_bytes_str("caisson/ledger/transaction/v1"));
	const struct cs_hash inner = cs_keccak256(body);
	struct cs_keccak keccak;
	cs_keccak_init(&keccak);
	cs_keccak_add(&keccak, CS_BYTES_OF(tag.b));
	cs_keccak_add(&keccak, CS_BYTES_OF(inner.b));
	return cs_keccak_end(&keccak);
}

static enum cs_err sign_ledger(struct enclave_call *call, const struct enclave_chain *chain,
			       const struct transaction *tx)
{
	const Caisson__Wire__SignTransactionRequest *in =
		(const Caisson__Wire__SignTransactionRequest *)call->request;
	struct cs_ecdsa signature;
	struct cs_buf buf;
	if (in->legacy || in->max_priority_fee_wei != 0)
		return cs_fail(&call->why, CS_ERR_INVALID,
			       "a ledger has one gas price: no legacy, no priority fee");
	CS_TRY(cs_buf_init_arena(&buf, &call->e->arena, tx->data.n + LEDGER_REST_SIZE));
	put_ledger_body(&buf, call, chain, tx);
	CS_TRY(cs_buf_end(&buf));
	const struct cs_hash digest = ledger_digest(cs_buf_view(&buf));
	CS_TRY(cs_ecdsa_sign(call->e->sig, &signature, tx->key, &digest));
	cs_put_u8(&buf, LEDGER_SECP256K1);
	cs_put_word(&buf, &signature.r);
	cs_put_word(&buf, &signature.s);
	cs_put_u8(&buf, signature.parity);
	CS_TRY(cs_buf_end(&buf));
	const struct cs_hash hash = cs_sha256(cs_buf_view(&buf));
	return reply_raw(call, tx, cs_buf_view(&buf), &hash);
}

static enum cs_err build_and_sign(struct enclave_call *call, struct transaction *tx,
				  const struct enclave_chain *chain)
{
	const Caisson__Wire__SignTransactionRequest *in =
		(const Caisson__Wire__SignTransactionRequest *)call->request;
	switch (in->action) {
	case CAISSON__WIRE__ACTION__ACTION_DELIVER:
	case CAISSON__WIRE__ACTION__ACTION_RETRY:
	case CAISSON__WIRE__ACTION__ACTION_EXPIRE:
	case CAISSON__WIRE__ACTION__ACTION_FINALIZE:
	case CAISSON__WIRE__ACTION__ACTION_ANNOUNCE_ROTATION:
		CS_TRY(build_call(call, tx, chain, in->action));
		break;
	case CAISSON__WIRE__ACTION__ACTION_SWEEP:
		CS_TRY(build_plain(call, tx, chain, true));
		break;
	case CAISSON__WIRE__ACTION__ACTION_CANCEL:
		CS_TRY(build_plain(call, tx, chain, false));
		break;
	case CAISSON__WIRE__ACTION__ACTION_UNSPECIFIED:
	case _CAISSON__WIRE__ACTION_IS_INT_SIZE:
		return cs_fail(&call->why, CS_ERR_POLICY_SELECTOR,
			       "no action that the policy knows");
	}
	CS_TRY(enclave_may_sign(call));
	return enclave_chain_is_ledger(chain) ? sign_ledger(call, chain, tx)
					      : sign_evm(call, chain, tx);
}

enum cs_err enclave_sign_transaction(struct enclave_call *call)
{
	const Caisson__Wire__SignTransactionRequest *in =
		(const Caisson__Wire__SignTransactionRequest *)call->request;
	struct enclave_chain *chain = NULL;
	struct transaction tx = {.data = CS_BYTES_NONE};
	struct verify_status status;
	CS_TRY(enclave_chain_find(call, &chain, in->chain));
	if (chain->key_count == 0)
		return cs_fail(&call->why, CS_ERR_NO_KEY, "%s: no keys yet, Init makes them",
			       chain->manifest->caip2);
	verify_client_status(&chain->client, &status);
	if (status.frozen)
		return cs_fail(&call->why, CS_ERR_FROZEN, "%s: nothing is signed",
			       chain->manifest->caip2);
	CS_TRY(check_fee(call, chain));
	if (in->gas_account >= ENCLAVE_GAS_ACCOUNTS_MAX)
		return cs_fail(&call->why, CS_ERR_INVALID, "gas_account: a pool has %u",
			       ENCLAVE_GAS_ACCOUNTS_MAX);
	struct cs_secret *key = (struct cs_secret *)(void *)call->e->secrets->scratch;
	tx.key = key;
	enum cs_err err = enclave_gas_account(call->e, key, &tx.from, chain, in->gas_account);
	if (err == CS_OK)
		err = build_and_sign(call, &tx, chain);
	cs_wipe(key, sizeof *key);
	return err;
}
