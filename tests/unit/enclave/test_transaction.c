/* Transactions: what goes to the gateway, and everything that the policy refuses. */
#include "core/hash.h"
#include "core/rlp.h"
#include "enclave/state.h"
#include "scene.h"

/* ---- what is signed ---- */

struct parsed {
	uint64_t chain_id;
	uint64_t nonce;
	uint64_t tip;
	uint64_t fee;
	uint64_t gas;
	struct cs_address to;
	struct cs_u256 value;
	struct cs_bytes data;
	struct cs_ecdsa signature;
	struct cs_hash digest;
};

static struct cs_hash word_of(const struct cs_u256 *number)
{
	return cs_u256_word(number);
}

static void parse_signature(struct parsed *out, struct cs_rlp *list)
{
	struct cs_u256 number;
	assert_ok(cs_rlp_u256(list, &number));
	out->signature.r = word_of(&number);
	assert_ok(cs_rlp_u256(list, &number));
	out->signature.s = word_of(&number);
	assert_ok(cs_rlp_end(list));
}

/* EIP-1559: 0x02 and a list of twelve. */
static struct parsed parse_1559(struct cs_bytes raw)
{
	struct parsed out = {0};
	struct cs_rlp list;
	struct cs_rlp access;
	uint64_t parity = 9;
	assert_int_equal(raw.p[0], 2);
	assert_ok(cs_rlp_open(&list, cs_bytes(raw.p + 1, raw.n - 1)));
	assert_ok(cs_rlp_u64(&list, &out.chain_id));
	const uint8_t *begin = raw.p + 1;
	assert_ok(cs_rlp_u64(&list, &out.nonce));
	assert_ok(cs_rlp_u64(&list, &out.tip));
	assert_ok(cs_rlp_u64(&list, &out.fee));
	assert_ok(cs_rlp_u64(&list, &out.gas));
	assert_ok(cs_rlp_address(&list, &out.to));
	assert_ok(cs_rlp_u256(&list, &out.value));
	assert_ok(cs_rlp_bytes(&list, &out.data));
	assert_ok(cs_rlp_list(&list, &access));
	assert_ok(cs_rlp_end(&access));
	const uint8_t *end = list.rest.p;
	assert_ok(cs_rlp_u64(&list, &parity));
	assert_true(parity <= 1);
	out.signature.parity = (uint8_t)parity;
	parse_signature(&out, &list);
	/* What was signed: the same items without the signature. */
	struct cs_rlp whole;
	assert_ok(cs_rlp_open(&whole, cs_bytes(begin, raw.n - 1)));
	const size_t size = (size_t)(end - whole.rest.p);
	struct cs_buf preimage;
	cs_buf_init(&preimage, keep(size + 16), size + 16);
	cs_put_u8(&preimage, 2);
	cs_rlp_put_list(&preimage, size);
	cs_put(&preimage, cs_bytes(whole.rest.p, size));
	out.digest = cs_keccak256(cs_buf_view(&preimage));
	return out;
}

static const Caisson__Wire__PublicKeysReply *keys_of(struct world *w, uint32_t gas_accounts)
{
	Caisson__Wire__PublicKeysRequest in = CAISSON__WIRE__PUBLIC_KEYS_REQUEST__INIT;
	in.gas_accounts = gas_accounts;
	return (const Caisson__Wire__PublicKeysReply *)(const void *)world_ok(w, WIRE_PUBLIC_KEYS,
									      &in.base);
}

static struct cs_address gas_account_at(struct world *w, uint32_t index)
{
	struct cs_address address;
	const Caisson__Wire__PublicKeysReply *out = keys_of(w, index + 1);
	assert_int_equal(out->n_pools, 1);
	assert_hash(wire_pb_hash(out->pools[0]->chain), w->own);
	assert_int_equal(out->pools[0]->n_addresses, index + 1);
	memcpy(address.b, out->pools[0]->addresses[index].data, sizeof address.b);
	return address;
}

static struct cs_address gas_account(struct world *w)
{
	struct cs_address address;
	const Caisson__Wire__PublicKeysReply *out = keys_of(w, 0);
	assert_int_equal(out->n_pools, 0);
	memcpy(address.b, out->keys[0]->gas_address.data, sizeof address.b);
	return address;
}

static void check_signed_by(struct world *w, const struct parsed *tx, uint32_t index)
{
	struct cs_address signer;
	const struct cs_address account = gas_account_at(w, index);
	assert_true(cs_ecdsa_is_low(&tx->signature));
	assert_ok(cs_ecdsa_recover(w->sig, &signer, &tx->signature, &tx->digest));
	assert_true(cs_address_eq(&signer, &account));
}

/* The first of the pool is what the keys name. */
static void check_signer(struct world *w, const struct parsed *tx)
{
	const struct cs_address first = gas_account_at(w, 0);
	const struct cs_address account = gas_account(w);
	assert_true(cs_address_eq(&first, &account));
	check_signed_by(w, tx, 0);
}

/* functions of tests/vectors/envelope/calldata.json */
static const uint32_t selectors[WIRE_CALL_COUNT] = {
	[WIRE_CALL_DELIVER] = 0x36183acf,  [WIRE_CALL_RETRY] = 0xfc08f268,
	[WIRE_CALL_CLOSE] = 0x011141a3,    [WIRE_CALL_EXPIRE] = 0x3a4ab02e,
	[WIRE_CALL_FINALIZE] = 0x16470cd4, [WIRE_CALL_ANNOUNCE_ROTATION] = 0x3ad7a664,
};

static void check_call(const struct parsed *tx, const struct world *w, enum wire_call call)
{
	assert_true(cs_address_eq(&tx->to, &w->manifest.chains[0].gateway));
	assert_true(cs_u256_is_zero(&tx->value));
	assert_true(tx->data.n > 4);
	assert_int_equal(cs_be32(tx->data.p), selectors[call]);
}

static void test_deliver_by_eip1559(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	const Caisson__Wire__SignTransactionReply *out = sign(s);
	const ProtobufCBinaryData raw = pb(wire_pb_view(out->raw));
	const struct cs_hash hash = wire_pb_hash(out->hash);
	assert_hash(hash, cs_keccak256(wire_pb_view(raw)));
	const struct parsed tx = parse_1559(wire_pb_view(raw));
	assert_int_equal(tx.chain_id, 9);
	assert_int_equal(tx.nonce, 7);
	assert_int_equal(tx.tip, 2);
	assert_int_equal(tx.fee, 100);
	assert_int_equal(tx.gas, 300000);
	check_call(&tx, s->w, WIRE_CALL_DELIVER);
	check_signer(s->w, &tx);
	/* The call is the one that the library builds from the same statement. */
	struct wire_signed st;
	struct cs_buf data;
	assert_ok(wire_signed_from_pb(&st, s->in.statement));
	cs_buf_init(&data, keep(65536), 65536);
	assert_ok(wire_evm_call_messages(&data, WIRE_CALL_DELIVER, &st, &s->message, 1));
	assert_bytes(tx.data, cs_buf_view(&data));
	world_free(s->w);
}

static void test_deliver_by_a_legacy_transaction(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	struct cs_rlp list;
	struct parsed tx = {0};
	uint64_t v = 0;
	s->in.legacy = true;
	s->in.max_priority_fee_wei = 0;
	const ProtobufCBinaryData raw = pb(wire_pb_view(sign(s)->raw));
	assert_ok(cs_rlp_open(&list, wire_pb_view(raw)));
	const uint8_t *begin = list.rest.p;
	assert_ok(cs_rlp_u64(&list, &tx.nonce));
	assert_ok(cs_rlp_u64(&list, &tx.fee));
	assert_ok(cs_rlp_u64(&list, &tx.gas));
	assert_ok(cs_rlp_address(&list, &tx.to));
	assert_ok(cs_rlp_u256(&list, &tx.value));
	assert_ok(cs_rlp_bytes(&list, &tx.data));
	const size_t size = (size_t)(list.rest.p - begin);
	assert_ok(cs_rlp_u64(&list, &v));
	assert_true(v == 9 * 2 + 35 || v == 9 * 2 + 36);
	tx.signature.parity = (uint8_t)(v - 9 * 2 - 35);
	parse_signature(&tx, &list);
	struct cs_buf preimage;
	cs_buf_init(&preimage, keep(size + 16), size + 16);
	cs_rlp_put_list(&preimage, size + 3);
	cs_put(&preimage, cs_bytes(begin, size));
	cs_rlp_put_u64(&preimage, 9);
	cs_rlp_put_u64(&preimage, 0);
	cs_rlp_put_u64(&preimage, 0);
	tx.digest = cs_keccak256(cs_buf_view(&preimage));
	check_call(&tx, s->w, WIRE_CALL_DELIVER);
	check_signer(s->w, &tx);
	world_free(s->w);
}

static void test_retry_and_expire(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	s->in.action = CAISSON__WIRE__ACTION__ACTION_RETRY;
	const ProtobufCBinaryData retry = pb(wire_pb_view(sign(s)->raw));
	struct parsed tx = parse_1559(wire_pb_view(retry));
	check_call(&tx, s->w, WIRE_CALL_RETRY);
	/* The deadline passes in a final block. */
	s->w->next.time_s = s->message.head.deadline;
	world_advance(s->w, 3);
	s->in.action = CAISSON__WIRE__ACTION__ACTION_EXPIRE;
	const ProtobufCBinaryData expire = pb(wire_pb_view(sign(s)->raw));
	tx = parse_1559(wire_pb_view(expire));
	check_call(&tx, s->w, WIRE_CALL_EXPIRE);
	world_free(s->w);
}

static void test_finalize(void **state)
{
	(void)state;
	struct scene *s = outcome_new(WIRE_STATUS_DELIVERED);
	const ProtobufCBinaryData raw = pb(wire_pb_view(sign(s)->raw));
	const struct parsed tx = parse_1559(wire_pb_view(raw));
	check_call(&tx, s->w, WIRE_CALL_FINALIZE);
	check_signer(s->w, &tx);
	world_free(s->w);
}

static void test_announce_rotation(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	const struct cs_hash key = {{0x42}};
	const struct cs_hash leaf = wire_leaf_rotation(2, &key);
	const struct wire_signed st =
		world_sign(s->w, WIRE_KIND_ROTATION, &leaf, 1, &s->w->remote_key);
	request_fill(s, CAISSON__WIRE__ACTION__ACTION_ANNOUNCE_ROTATION);
	s->in.statement = world_statement(&st);
	s->in.new_epoch = 2;
	s->in.new_key = pb_hash(&key);
	const ProtobufCBinaryData raw = pb(wire_pb_view(sign(s)->raw));
	const struct parsed tx = parse_1559(wire_pb_view(raw));
	check_call(&tx, s->w, WIRE_CALL_ANNOUNCE_ROTATION);
	s->in.new_epoch = 3;
	world_refused(s->w, WIRE_SIGN_TRANSACTION, &s->in.base, CS_ERR_BAD_PROOF);
	s->in.new_key = pb(CS_BYTES_NONE);
	refused(s, CS_ERR_MISSING_FIELD);
}

static void test_one_of_a_batch_with_its_path(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	struct cs_hash leaves[5];
	struct wire_signed st;
	for (size_t i = 0; i < 5; i++) {
		const struct wire_message_head head =
			i == 3 ? s->message.head : world_head(s->w, false, 40 + i);
		const struct cs_hash id = wire_message_id(&head);
		leaves[i] = wire_leaf_message(&id);
	}
	st = world_sign(s->w, WIRE_KIND_MESSAGE, leaves, 5, &s->w->remote_key);
	st.path_count = wire_path(st.path, leaves, 5, 3);
	s->in.statement = world_statement(&st);
	(void)sign(s);
	st.path[0].b[0] ^= 1;
	s->in.statement = world_statement(&st);
	refused(s, CS_ERR_BAD_PROOF);
}

/* ---- the policy ---- */

static void test_the_fee_cap(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	s->in.max_fee_wei = 1000;
	(void)sign(s);
	s->in.max_fee_wei = 1001;
	refused(s, CS_ERR_POLICY_FEE);
}

static void test_the_gas_cap(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	s->in.gas_limit = 1000000;
	(void)sign(s);
	s->in.gas_limit = 1000001;
	refused(s, CS_ERR_POLICY_FEE);
}

static void test_the_total_cap(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	s->in.gas_limit = 500000;
	s->in.max_fee_wei = 1000;
	(void)sign(s);
	s->in.gas_limit = 500001;
	world_refused(s->w, WIRE_SIGN_TRANSACTION, &s->in.base, CS_ERR_POLICY_FEE);
	s->in.gas_limit = UINT64_MAX;
	s->in.max_fee_wei = UINT64_MAX;
	refused(s, CS_ERR_POLICY_FEE);
}

static void test_a_tip_above_the_fee(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	s->in.max_priority_fee_wei = 101;
	refused(s, CS_ERR_INVALID);
}

static void test_a_call_to_another_address(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	const struct cs_address other = {{0x66}};
	s->in.sweep_to = pb(CS_BYTES_OF(other.b));
	refused(s, CS_ERR_POLICY_ADDRESS);
}

static void test_a_call_with_a_value(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	static const uint8_t one = 1;
	s->in.sweep_value = pb(cs_bytes(&one, 1));
	refused(s, CS_ERR_POLICY_VALUE);
}

static void test_another_call(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	s->in.action = CAISSON__WIRE__ACTION__ACTION_UNSPECIFIED;
	refused(s, CS_ERR_POLICY_SELECTOR);
}

static void sweep_fill(struct scene *s, const struct cs_address *to)
{
	static const uint8_t value[2] = {1, 0};
	request_fill(s, CAISSON__WIRE__ACTION__ACTION_SWEEP);
	s->in.statement = NULL;
	s->in.n_messages = 0;
	s->in.gas_limit = 21000;
	s->in.sweep_to = pb(CS_BYTES_OF(to->b));
	s->in.sweep_value = pb(cs_bytes(value, sizeof value));
}

static void test_sweep_to_the_address_of_the_manifest(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	sweep_fill(s, &s->w->manifest.chains[0].policy.sweep_to);
	const ProtobufCBinaryData raw = pb(wire_pb_view(sign(s)->raw));
	const struct parsed tx = parse_1559(wire_pb_view(raw));
	const struct cs_u256 value = cs_u256_u64(256);
	assert_true(cs_address_eq(&tx.to, &s->w->manifest.chains[0].policy.sweep_to));
	assert_int_equal(cs_u256_cmp(&tx.value, &value), 0);
	assert_int_equal(tx.data.n, 0);
	check_signer(s->w, &tx);
	world_free(s->w);
}

static void test_sweep_to_another_address(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	const struct cs_address other = {{0x66}};
	sweep_fill(s, &other);
	refused(s, CS_ERR_POLICY_ADDRESS);
}

static void test_sweep_with_a_call(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	sweep_fill(s, &s->w->manifest.chains[0].policy.sweep_to);
	state_message(s, &s->w->remote_key);
	refused(s, CS_ERR_POLICY_SELECTOR);
}

static void test_cancel_goes_to_itself(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	request_fill(s, CAISSON__WIRE__ACTION__ACTION_CANCEL);
	s->in.gas_limit = 21000;
	const ProtobufCBinaryData raw = pb(wire_pb_view(sign(s)->raw));
	const struct parsed tx = parse_1559(wire_pb_view(raw));
	const struct cs_address account = gas_account(s->w);
	assert_true(cs_address_eq(&tx.to, &account));
	assert_true(cs_u256_is_zero(&tx.value));
	assert_int_equal(tx.data.n, 0);
	static const uint8_t one = 1;
	s->in.sweep_value = pb(cs_bytes(&one, 1));
	world_refused(s->w, WIRE_SIGN_TRANSACTION, &s->in.base, CS_ERR_POLICY_VALUE);
	s->in.sweep_value = pb(CS_BYTES_NONE);
	const struct cs_address other = {{0x66}};
	s->in.sweep_to = pb(CS_BYTES_OF(other.b));
	world_refused(s->w, WIRE_SIGN_TRANSACTION, &s->in.base, CS_ERR_POLICY_ADDRESS);
	s->in.sweep_to = pb(CS_BYTES_NONE);
	s->in.gas_limit = 30000;
	refused(s, CS_ERR_POLICY_FEE);
}

static void test_another_chain(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	s->in.chain = pb_hash(&s->w->remote);
	refused(s, CS_ERR_NOT_IN_MANIFEST);
}

static void test_no_call_by_a_client_that_is_too_old(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	const struct verify_time now = s->w->now;
	s->w->now = (struct verify_time){now.low_s, now.high_s + 86400 + 100};
	world_refused(s->w, WIRE_SIGN_TRANSACTION, &s->in.base, CS_ERR_ANCHOR_TOO_OLD);
	/* What a stuck gas account needs goes on: it asks the client nothing. */
	request_fill(s, CAISSON__WIRE__ACTION__ACTION_CANCEL);
	s->in.gas_limit = 21000;
	(void)sign(s);
	world_free(s->w);
}

static void test_nothing_is_signed_without_a_bound_on_time(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	Caisson__Wire__RotateRequest rotate = CAISSON__WIRE__ROTATE_REQUEST__INIT;
	Caisson__Wire__StatusRequest status = CAISSON__WIRE__STATUS_REQUEST__INIT;
	s->w->now.high_s = 0;
	world_refused(s->w, WIRE_SIGN_TRANSACTION, &s->in.base, CS_ERR_NO_TIME);
	rotate.chain = pb_hash(&s->w->own);
	world_refused(s->w, WIRE_ROTATE, &rotate.base, CS_ERR_NO_TIME);
	status.nonce = pb_hash(&s->w->own);
	world_refused(s->w, WIRE_STATUS, &status.base, CS_ERR_NO_TIME);
	request_fill(s, CAISSON__WIRE__ACTION__ACTION_CANCEL);
	s->in.gas_limit = 21000;
	refused(s, CS_ERR_NO_TIME);
}

static void test_no_keys_yet(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	world_restart(s->w);
	refused(s, CS_ERR_NO_KEY);
}

/* ---- the pool ---- */

static void check_pool(struct world *w, const json_t *pool)
{
	struct enclave_chain *chain = &w->e->chains[0];
	struct manifest_chain manifest = *chain->manifest;
	struct enclave_chain_secrets *secrets = enclave_secrets_of(w->e, chain);
	const struct cs_hash gas = hash_of(pool, "gas");
	size_t i;
	json_t *one;
	manifest.identity = hash_of(pool, "identity");
	chain->manifest = &manifest;
	memcpy(secrets->gas.b, gas.b, sizeof gas.b);
	assert_ok(cs_key_address(w->sig, &chain->gas_address, &secrets->gas));
	json_array_foreach(json_object_get(pool, "accounts"), i, one)
	{
		struct cs_secret key;
		struct cs_address address;
		assert_ok(enclave_gas_account(w->e, &key, &address, chain, (uint32_t)i));
		assert_bytes(CS_BYTES_OF(key.b), bytes_of(one, "key"));
		assert_bytes(CS_BYTES_OF(address.b), bytes_of(one, "address"));
	}
	assert_int_equal(i, ENCLAVE_GAS_ACCOUNTS_MAX);
}

static void test_vectors_of_a_pool(void **state)
{
	(void)state;
	struct world *w = world_new();
	json_t *file = read_json(CS_VECTORS "/gas_accounts/gas_accounts.json"), *pool;
	size_t i;
	world_begin(w);
	const struct manifest_chain *manifest = w->e->chains[0].manifest;
	json_array_foreach(json_object_get(file, "pools"), i, pool) check_pool(w, pool);
	assert_true(i > 0);
	w->e->chains[0].manifest = manifest;
	json_decref(file);
	world_free(w);
}

static void test_each_account_of_the_pool_signs(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	for (uint32_t i = 0; i < ENCLAVE_GAS_ACCOUNTS_MAX; i += 5) {
		s->in.gas_account = i;
		const Caisson__Wire__SignTransactionReply *out = sign(s);
		const ProtobufCBinaryData raw = pb(wire_pb_view(out->raw));
		const ProtobufCBinaryData from = pb(wire_pb_view(out->from));
		const struct parsed tx = parse_1559(wire_pb_view(raw));
		const struct cs_address account = gas_account_at(s->w, i);
		check_signed_by(s->w, &tx, i);
		assert_bytes(wire_pb_view(from), CS_BYTES_OF(account.b));
	}
	/* A cancellation goes to the account itself, not to the first. */
	request_fill(s, CAISSON__WIRE__ACTION__ACTION_CANCEL);
	s->in.gas_limit = 21000;
	s->in.gas_account = 5;
	const ProtobufCBinaryData raw = pb(wire_pb_view(sign(s)->raw));
	const struct parsed tx = parse_1559(wire_pb_view(raw));
	const struct cs_address account = gas_account_at(s->w, 5);
	assert_true(cs_address_eq(&tx.to, &account));
	check_signed_by(s->w, &tx, 5);
	world_free(s->w);
}

/* The state that is sealed has the first key alone: what comes back has the same pool. */
static void test_a_pool_comes_back_with_the_sealed_state(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	Caisson__Wire__ExportRequest out = CAISSON__WIRE__EXPORT_REQUEST__INIT;
	Caisson__Wire__ImportRequest in = CAISSON__WIRE__IMPORT_REQUEST__INIT;
	const struct cs_address before = gas_account_at(s->w, 15);
	const Caisson__Wire__ExportReply *reply =
		(const Caisson__Wire__ExportReply *)(const void *)world_ok(s->w, WIRE_EXPORT,
									   &out.base);
	in.sealed = pb(wire_pb_view(reply->sealed));
	world_restart(s->w);
	(void)world_ok(s->w, WIRE_IMPORT, &in.base);
	const struct cs_address after = gas_account_at(s->w, 15);
	assert_true(cs_address_eq(&before, &after));
	world_free(s->w);
}

static void test_an_account_that_no_pool_has(void **state)
{
	(void)state;
	static const uint32_t beyond[] = {ENCLAVE_GAS_ACCOUNTS_MAX, 255, UINT32_MAX};
	struct scene *s = scene_new();
	Caisson__Wire__PublicKeysRequest keys = CAISSON__WIRE__PUBLIC_KEYS_REQUEST__INIT;
	for (size_t i = 0; i < CS_LEN(beyond); i++) {
		s->in.gas_account = beyond[i];
		world_refused(s->w, WIRE_SIGN_TRANSACTION, &s->in.base, CS_ERR_INVALID);
		keys.gas_accounts = beyond[i] == 16 ? 17 : beyond[i];
		world_refused(s->w, WIRE_PUBLIC_KEYS, &keys.base, CS_ERR_INVALID);
	}
	/* The policy stands for every account. */
	s->in.gas_account = 15;
	s->in.max_fee_wei = UINT64_MAX;
	refused(s, CS_ERR_POLICY_FEE);
}

static void test_no_pool_before_there_are_keys(void **state)
{
	(void)state;
	struct world *w = world_new();
	assert_int_equal(keys_of(w, 16)->n_pools, 0);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deliver_by_eip1559),
		cmocka_unit_test(test_deliver_by_a_legacy_transaction),
		cmocka_unit_test(test_retry_and_expire),
		cmocka_unit_test(test_finalize),
		cmocka_unit_test(test_announce_rotation),
		cmocka_unit_test(test_one_of_a_batch_with_its_path),
		cmocka_unit_test(test_the_fee_cap),
		cmocka_unit_test(test_the_gas_cap),
		cmocka_unit_test(test_the_total_cap),
		cmocka_unit_test(test_a_tip_above_the_fee),
		cmocka_unit_test(test_a_call_to_another_address),
		cmocka_unit_test(test_a_call_with_a_value),
		cmocka_unit_test(test_another_call),
		cmocka_unit_test(test_sweep_to_the_address_of_the_manifest),
		cmocka_unit_test(test_sweep_to_another_address),
		cmocka_unit_test(test_sweep_with_a_call),
		cmocka_unit_test(test_cancel_goes_to_itself),
		cmocka_unit_test(test_another_chain),
		cmocka_unit_test(test_no_call_by_a_client_that_is_too_old),
		cmocka_unit_test(test_nothing_is_signed_without_a_bound_on_time),
		cmocka_unit_test(test_no_keys_yet),
		cmocka_unit_test(test_vectors_of_a_pool),
		cmocka_unit_test(test_each_account_of_the_pool_signs),
		cmocka_unit_test(test_a_pool_comes_back_with_the_sealed_state),
		cmocka_unit_test(test_an_account_that_no_pool_has),
		cmocka_unit_test(test_no_pool_before_there_are_keys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
