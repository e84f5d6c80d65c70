/* Hello, keys, sealed state: what survives a restart, and what is refused when it comes back. */
#include "core/hash.h"
#include "enclave/state.h"
#include "verify/evm/light_client_state.h"
#include "world.h"

#define SEAL_HEAD_SIZE 120

static Caisson__Wire__ImportRequest import_of(struct cs_bytes sealed)
{
	Caisson__Wire__ImportRequest in = CAISSON__WIRE__IMPORT_REQUEST__INIT;
	in.sealed = pb(sealed);
	return in;
}

static void import_state(struct world *w, struct cs_bytes sealed)
{
	Caisson__Wire__ImportRequest in = import_of(sealed);
	(void)world_ok(w, WIRE_IMPORT, &in.base);
}

static void import_refused(struct world *w, struct cs_bytes sealed, enum cs_err err)
{
	Caisson__Wire__ImportRequest in = import_of(sealed);
	world_refused(w, WIRE_IMPORT, &in.base, err);
}

static const Caisson__Wire__HelloReply *hello(struct world *w)
{
	Caisson__Wire__HelloRequest in = CAISSON__WIRE__HELLO_REQUEST__INIT;
	const struct cs_hash nonce = {{5}};
	in.nonce = pb_hash(&nonce);
	return (const Caisson__Wire__HelloReply *)(const void *)world_ok(w, WIRE_HELLO, &in.base);
}

static struct cs_hash public_key(struct world *w)
{
	const Caisson__Wire__HelloReply *out = hello(w);
	assert_true(out->n_keys > 0);
	return wire_pb_hash(out->keys[out->n_keys - 1]->public_key);
}

static void test_hello_says_what_is_insecure(void **state)
{
	(void)state;
	struct world *w = world_new();
	const Caisson__Wire__HelloReply *out = hello(w);
	assert_int_equal(out->insecure_flags,
			 ENCLAVE_INSECURE_simulated_backend | ENCLAVE_INSECURE_simulated_seal_root |
				 ENCLAVE_INSECURE_host_time | ENCLAVE_INSECURE_dev_head);
	assert_string_equal(out->backend, "simulated");
	assert_string_equal(out->build, "test");
	assert_true(out->rollback_detected_only_within_process);
	assert_int_equal(out->now_low_s, WORLD_START);
	world_free(w);
}

static void test_hello_comes_first(void **state)
{
	(void)state;
	struct world *w = world_new();
	Caisson__Wire__InitRequest in = CAISSON__WIRE__INIT_REQUEST__INIT;
	enclave_connected(w->e);
	world_refused(w, WIRE_INIT, &in.base, CS_ERR_UNAUTHORIZED);
	(void)hello(w);
	(void)world_ok(w, WIRE_INIT, &in.base);
	world_free(w);
}

static void test_types_that_are_no_requests(void **state)
{
	(void)state;
	struct world *w = world_new();
	Caisson__Wire__ExportRequest in = CAISSON__WIRE__EXPORT_REQUEST__INIT;
	world_refused(w, WIRE_ERROR, &in.base, CS_ERR_UNSUPPORTED);
	world_refused(w, WIRE_HELLO_REPLY, &in.base, CS_ERR_UNSUPPORTED);
	world_refused(w, WIRE_STATUS_REPLY, &in.base, CS_ERR_UNSUPPORTED);
	world_free(w);
}

static void test_probe_is_refused_without_probes(void **state)
{
	(void)state;
	struct world *w = world_new();
	Caisson__Wire__ProbeRequest in = CAISSON__WIRE__PROBE_REQUEST__INIT;
	in.what = 1;
	world_refused(w, WIRE_PROBE, &in.base, CS_ERR_UNSUPPORTED);
	world_free(w);
}

static void test_init_makes_keys_once(void **state)
{
	(void)state;
	struct world *w = world_new();
	Caisson__Wire__InitRequest in = CAISSON__WIRE__INIT_REQUEST__INIT;
	(void)world_ok(w, WIRE_INIT, &in.base);
	const struct cs_hash first = public_key(w);
	(void)world_ok(w, WIRE_INIT, &in.base);
	assert_hash(public_key(w), first);
	world_free(w);
}

static void test_there_is_nothing_to_export_before_init(void **state)
{
	(void)state;
	struct world *w = world_new();
	Caisson__Wire__ExportRequest in = CAISSON__WIRE__EXPORT_REQUEST__INIT;
	world_refused(w, WIRE_EXPORT, &in.base, CS_ERR_NO_KEY);
	world_free(w);
}

static void test_the_state_comes_back(void **state)
{
	(void)state;
	struct world *w = world_new();
	world_begin(w);
	world_learn(w);
	const struct cs_hash key = public_key(w);
	const uint64_t final_height = hello(w)->clients[0]->final_height;
	const struct cs_bytes sealed = world_export(w);
	world_restart(w);
	assert_int_equal(hello(w)->n_keys, 0);
	import_state(w, sealed);
	assert_hash(public_key(w), key);
	assert_int_equal(hello(w)->clients[0]->final_height, final_height);
	/* Sealed again it has the next counter, so that the newest can be told. */
	const struct cs_bytes again = world_export(w);
	assert_int_equal(cs_be64(again.p + 80), cs_be64(sealed.p + 80) + 1);
	world_free(w);
}

static void test_secrets_do_not_leave(void **state)
{
	(void)state;
	struct world *w = world_new();
	world_begin(w);
	const struct cs_bytes sealed = world_export(w);
	/* enclave_secrets begins with the sealing root, then the keys of the first chain. */
	const uint8_t *secrets = (const uint8_t *)w->secrets;
	for (size_t at = 0; at < 2; at++)
		assert_null(memmem(sealed.p, sealed.n, secrets + 32 * at, 32));
	/* The scratch with the state in the clear is wiped. */
	const uint8_t *scratch = secrets + enclave_secrets_size() - 1024 * 1024;
	for (size_t i = 0; i < 4096; i++)
		assert_int_equal(scratch[i], 0);
	world_free(w);
}

static void test_one_bit_breaks_the_seal(void **state)
{
	(void)state;
	struct world *w = world_new();
	world_begin(w);
	const struct cs_bytes sealed = world_export(w);
	uint8_t *changed = keep(sealed.n);
	world_restart(w);
	for (size_t i = 0; i < sealed.n; i++) {
		/* All bits in front, one of each byte behind it. */
		for (unsigned bit = 0; bit < (i < SEAL_HEAD_SIZE ? 8u : 1u); bit++) {
			memcpy(changed, sealed.p, sealed.n);
			changed[i] ^= (uint8_t)(1u << (i < SEAL_HEAD_SIZE ? bit : i % 8));
			import_refused(w, cs_bytes(changed, sealed.n), CS_ERR_SEAL_BROKEN);
		}
	}
	import_refused(w, cs_bytes(sealed.p, sealed.n - 1), CS_ERR_SEAL_BROKEN);
	import_refused(w, cs_bytes(sealed.p, 10), CS_ERR_SEAL_BROKEN);
	import_refused(w, CS_BYTES_NONE, CS_ERR_SEAL_BROKEN);
	import_state(w, sealed);
	world_free(w);
}

static void test_another_lineage(void **state)
{
	(void)state;
	struct world *w = world_new();
	world_begin(w);
	const struct cs_bytes sealed = world_export(w);
	w->manifest.lineage.b[0] ^= 1;
	world_restart(w);
	import_refused(w, sealed, CS_ERR_WRONG_LINEAGE);
	assert_int_equal(hello(w)->n_keys, 0);
	world_free(w);
}

static void test_a_secure_key_is_not_opened_under_insecure_flags(void **state)
{
	(void)state;
	struct world *w = world_new();
	const uint64_t flags = w->e->insecure_flags;
	assert_true(flags != 0);
	w->e->insecure_flags = 0; /* as a backend with hardware behind it will find them */
	world_begin(w);
	const struct cs_bytes sealed = world_export(w);
	world_restart(w);
	assert_int_equal(w->e->insecure_flags, flags);
	import_refused(w, sealed, CS_ERR_INSECURE_REFUSED);
	assert_int_equal(hello(w)->n_keys, 0);
	w->e->insecure_flags = 0;
	import_state(w, sealed);
	world_free(w);
}

static void test_an_unlisted_build(void **state)
{
	(void)state;
	struct world *w = world_new();
	world_begin(w);
	const struct cs_bytes sealed = world_export(w);
	/* A new build that lists itself alone does not open what the removed one sealed. */
	w->launch.measurement.b[0] = 0xb2;
	w->manifest.builds[0] = w->launch.measurement;
	world_restart(w);
	import_refused(w, sealed, CS_ERR_UNLISTED_BUILD);
	/* With both listed it does. */
	w->manifest.builds[1].b[0] = 0xb1;
	w->manifest.build_count = 2;
	world_restart(w);
	import_state(w, sealed);
	world_free(w);
}

static void test_an_unlisted_build_does_not_start(void **state)
{
	(void)state;
	struct world *w = world_new();
	struct cs_why why;
	struct enclave *e = calloc(1, enclave_size());
	struct enclave_secrets *secrets = calloc(1, enclave_secrets_size());
	w->launch.measurement.b[0] = 0xb2;
	assert_err(enclave_init(e, secrets, &w->launch, &why), CS_ERR_UNLISTED_BUILD);
	free(e);
	free(secrets);
	world_free(w);
}

static void test_another_sealing_root(void **state)
{
	(void)state;
	struct world *w = world_new();
	world_begin(w);
	const struct cs_bytes sealed = world_export(w);
	w->launch.seal_root =
		unhex("00a15ea15ea15ea15ea15ea15ea15ea15ea15ea15ea15ea15ea15ea15ea15ea1");
	world_restart(w);
	import_refused(w, sealed, CS_ERR_SEAL_BROKEN);
	world_free(w);
}

static void test_an_older_state_within_one_process(void **state)
{
	(void)state;
	struct world *w = world_new();
	world_begin(w);
	const struct cs_bytes older = world_export(w);
	const struct cs_bytes newer = world_export(w);
	import_refused(w, older, CS_ERR_ROLLED_BACK);
	import_refused(w, newer, CS_ERR_CONFLICT);
	world_restart(w);
	import_state(w, newer);
	import_refused(w, older, CS_ERR_ROLLED_BACK);
	world_free(w);
}

static void test_an_older_manifest(void **state)
{
	(void)state;
	struct world *w = world_new();
	w->manifest.number = 2;
	world_restart(w);
	world_begin(w);
	const struct cs_bytes sealed = world_export(w);
	w->manifest.number = 1;
	world_restart(w);
	import_refused(w, sealed, CS_ERR_ROLLED_BACK);
	world_free(w);
}

static void test_a_chain_that_is_not_served(void **state)
{
	(void)state;
	struct world *w = world_new();
	world_begin(w);
	const struct cs_bytes sealed = world_export(w);
	w->manifest.chains[0].identity.b[5] = 1;
	w->launch.serve[0] = w->manifest.chains[0].identity;
	world_restart(w);
	import_refused(w, sealed, CS_ERR_CONFLICT);
	world_free(w);
}

static void test_time_does_not_go_back(void **state)
{
	(void)state;
	struct world *w = world_new();
	world_begin(w);
	const struct cs_bytes sealed = world_export(w);
	w->now = (struct verify_time){WORLD_START - 500, WORLD_START - 500};
	assert_int_equal(hello(w)->now_low_s, WORLD_START);
	assert_int_equal(hello(w)->now_high_s, WORLD_START);
	/* What only the clock said ends with the process: one that was wrong once does no lasting
	 * harm. */
	world_restart(w);
	import_state(w, sealed);
	assert_int_equal(hello(w)->now_low_s, WORLD_START - 500);
	world_free(w);
}

/* ---- rotation ---- */

static const Caisson__Wire__RotateReply *rotate(struct world *w)
{
	Caisson__Wire__RotateRequest in = CAISSON__WIRE__ROTATE_REQUEST__INIT;
	in.chain = pb_hash(&w->own);
	return (const Caisson__Wire__RotateReply *)(const void *)world_ok(w, WIRE_ROTATE, &in.base);
}

static void test_rotation_is_signed_by_the_key_in_use(void **state)
{
	(void)state;
	struct world *w = world_new();
	world_begin(w);
	const struct cs_hash old_key = public_key(w);
	const Caisson__Wire__RotateReply *out = rotate(w);
	struct wire_signed st;
	assert_int_equal(out->new_epoch, 2);
	assert_int_equal(out->n_statements, 1);
	assert_ok(wire_signed_from_pb(&st, out->statements[0]));
	const struct cs_hash new_key = wire_pb_hash(out->new_key);
	const struct cs_hash leaf = wire_leaf_rotation(2, &new_key);
	assert_int_equal(st.statement.kind, WIRE_KIND_ROTATION);
	assert_int_equal(st.statement.epoch, 1);
	assert_hash(st.statement.receiver, w->remote);
	assert_ok(wire_signed_verify(w->sig, &st, &leaf, &old_key, WIRE_DOMAIN_INSECURE));
	assert_err(wire_signed_verify(w->sig, &st, &leaf, &old_key, WIRE_DOMAIN_SECURE),
		   CS_ERR_BAD_SIGNATURE);
	world_free(w);
}

static void test_a_pending_successor_is_announced_again(void **state)
{
	(void)state;
	struct world *w = world_new();
	world_begin(w);
	const struct cs_hash first = wire_pb_hash(rotate(w)->new_key);
	const Caisson__Wire__RotateReply *again = rotate(w);
	assert_int_equal(again->new_epoch, 2);
	assert_hash(wire_pb_hash(again->new_key), first);
	/* Over a restart as well: two keys of one epoch would suspend each other. */
	const ProtobufCBinaryData sealed = pb(wire_pb_view(again->sealed));
	world_restart(w);
	import_state(w, wire_pb_view(sealed));
	assert_hash(wire_pb_hash(rotate(w)->new_key), first);
	world_free(w);
}

static void test_rotation_without_keys(void **state)
{
	(void)state;
	struct world *w = world_new();
	Caisson__Wire__RotateRequest in = CAISSON__WIRE__ROTATE_REQUEST__INIT;
	in.chain = pb_hash(&w->own);
	world_refused(w, WIRE_ROTATE, &in.base, CS_ERR_NO_KEY);
	in.chain = pb_hash(&w->remote);
	world_refused(w, WIRE_ROTATE, &in.base, CS_ERR_NOT_IN_MANIFEST);
	world_free(w);
}

static void sign_with(struct world *w, uint64_t epoch)
{
	/* Statements need a proof; the cheapest one that names an epoch is a message of its own
	 * block. */
	Caisson__Wire__SignMessagesRequest in = CAISSON__WIRE__SIGN_MESSAGES_REQUEST__INIT;
	Caisson__Wire__ReceiptClaim receipt = CAISSON__WIRE__RECEIPT_CLAIM__INIT;
	Caisson__Wire__MessageClaim claim = CAISSON__WIRE__MESSAGE_CLAIM__INIT;
	Caisson__Wire__ReceiptClaim *receipts[1] = {&receipt};
	Caisson__Wire__MessageClaim *claims[1] = {&claim};
	const struct wire_message_head head = world_head(w, true, epoch);
	(void)world_emit(w, &head, 1, NULL, NULL);
	const struct world_block *block = world_mine(w);
	world_update(w, block->height);
	world_advance(w, 2);
	claim.head = world_pb_head(&head);
	receipt.height = block->height;
	receipt.block_hash = pb_hash(&block->hash);
	receipt.proof = world_receipt_proof(block, 0);
	receipt.messages = claims;
	receipt.n_messages = 1;
	in.chain = pb_hash(&w->own);
	in.receiver = pb_hash(&w->remote);
	in.epoch = epoch;
	in.receipts = receipts;
	in.n_receipts = 1;
	(void)world_ok(w, WIRE_SIGN_MESSAGES, &in.base);
}

static void test_the_oldest_epoch_goes_when_four_are_held(void **state)
{
	(void)state;
	struct world *w = world_new();
	world_begin(w);
	for (uint64_t epoch = 2; epoch <= 6; epoch++) {
		assert_int_equal(rotate(w)->new_epoch, epoch);
		sign_with(w, epoch);
	}
	const Caisson__Wire__HelloReply *out = hello(w);
	assert_int_equal(out->n_keys, 4);
	assert_int_equal(out->keys[0]->epoch, 3);
	assert_int_equal(out->keys[3]->epoch, 6);
	/* They come back as they are. */
	const struct cs_hash newest = wire_pb_hash(out->keys[3]->public_key);
	const struct cs_bytes sealed = world_export(w);
	world_restart(w);
	import_state(w, sealed);
	assert_hash(public_key(w), newest);
	world_free(w);
}

/* ---- no randomness ---- */

static bool no_random(void *p, size_t n)
{
	memset(p, 0, n);
	return false;
}

static size_t random_left;

static bool some_random(void *p, size_t n)
{
	memset(p, 0x33 + (int)random_left, n);
	return random_left != 0 && random_left-- != 0;
}

static void test_without_randomness_there_are_no_keys(void **state)
{
	(void)state;
	struct cs_why why;
	struct world *w = world_new();
	struct enclave *e = calloc(1, enclave_size());
	struct enclave_secrets *secrets = calloc(1, enclave_secrets_size());
	w->launch.random = no_random;
	assert_err(enclave_init(e, secrets, &w->launch, &why), CS_ERR_CRYPTO);
	free(e);
	free(secrets);
	/* Randomness for the start and for some of the keys: all or none. */
	for (size_t left = 1; left < 4; left++) {
		Caisson__Wire__InitRequest in = CAISSON__WIRE__INIT_REQUEST__INIT;
		random_left = left;
		w->launch.random = some_random;
		world_restart(w);
		world_refused(w, WIRE_INIT, &in.base, CS_ERR_CRYPTO);
		assert_int_equal(hello(w)->n_keys, 0);
	}
	world_free(w);
}

static void test_a_rotation_that_fails_leaves_no_key(void **state)
{
	(void)state;
	struct world *w = world_new();
	Caisson__Wire__InitRequest init = CAISSON__WIRE__INIT_REQUEST__INIT;
	Caisson__Wire__RotateRequest in = CAISSON__WIRE__ROTATE_REQUEST__INIT;
	in.chain = pb_hash(&w->own);
	w->launch.random = some_random;
	random_left = 20;
	world_restart(w);
	(void)world_ok(w, WIRE_INIT, &init.base);
	/* One for the key, none for the signature; then none for the seal. */
	for (size_t left = 1; left < 3; left++) {
		random_left = left;
		world_refused(w, WIRE_ROTATE, &in.base, CS_ERR_CRYPTO);
		assert_int_equal(hello(w)->n_keys, 1);
	}
	world_free(w);
}

static void test_a_rotation_that_fails_keeps_the_oldest(void **state)
{
	(void)state;
	struct world *w = world_new();
	Caisson__Wire__RotateRequest in = CAISSON__WIRE__ROTATE_REQUEST__INIT;
	in.chain = pb_hash(&w->own);
	w->launch.random = some_random;
	random_left = 100;
	world_restart(w);
	world_begin(w);
	for (uint64_t epoch = 2; epoch <= 4; epoch++) {
		assert_int_equal(rotate(w)->new_epoch, epoch);
		sign_with(w, epoch);
	}
	const Caisson__Wire__HelloReply *out = hello(w);
	struct cs_hash before[4];
	assert_int_equal(out->n_keys, 4);
	for (size_t i = 0; i < 4; i++)
		before[i] = wire_pb_hash(out->keys[i]->public_key);
	for (size_t left = 1; left < 3; left++) {
		random_left = left;
		world_refused(w, WIRE_ROTATE, &in.base, CS_ERR_CRYPTO);
		out = hello(w);
		assert_int_equal(out->n_keys, 4);
		for (size_t i = 0; i < 4; i++)
			assert_hash(wire_pb_hash(out->keys[i]->public_key), before[i]);
	}
	/* Its secret is there too. */
	random_left = 100;
	sign_with(w, 1);
	assert_int_equal(rotate(w)->new_epoch, 5);
	out = hello(w);
	assert_int_equal(out->n_keys, 4);
	assert_int_equal(out->keys[0]->epoch, 2);
	world_free(w);
}

/* ---- the launch ---- */

static void launch_refused(struct world *w, enum cs_err err)
{
	struct cs_why why;
	struct enclave *e = calloc(1, enclave_size());
	struct enclave_secrets *secrets = calloc(1, enclave_secrets_size());
	assert_err(enclave_init(e, secrets, &w->launch, &why), err);
	free(e);
	free(secrets);
}

static void test_what_is_served_is_in_the_manifest_once(void **state)
{
	(void)state;
	struct world *w = world_new();
	w->launch.serve_count = 1;
	w->launch.serve[0] = w->own;
	world_restart(w);
	assert_int_equal(hello(w)->n_clients, 1);
	w->launch.serve[0].b[31] ^= 1;
	launch_refused(w, CS_ERR_NOT_IN_MANIFEST);
	w->launch.serve_count = 2;
	w->launch.serve[0] = w->own;
	w->launch.serve[1] = w->own;
	launch_refused(w, CS_ERR_DUPLICATE);
	w->launch.serve_count = CS_MANIFEST_CHAINS_MAX + 1;
	launch_refused(w, CS_ERR_TOO_LARGE);
	world_free(w);
}

/* As many chains as are served at most, each with as many remotes as a manifest may name. */
static void serve_many(struct world *w, size_t count)
{
	struct manifest *m = &w->manifest;
	for (size_t i = 1; i < count; i++) {
		m->chains[i] = m->chains[0];
		m->chains[i].identity.b[31] = (uint8_t)i;
	}
	for (size_t i = 0; i < count; i++) {
		m->chains[i].remote_count = CS_MANIFEST_REMOTES_MAX;
		for (size_t r = 0; r < CS_MANIFEST_REMOTES_MAX; r++)
			m->chains[i].remotes[r] = (struct cs_hash){{(uint8_t)(1 + r), 0xee}};
		w->launch.serve[i] = m->chains[i].identity;
	}
	m->chain_count = count;
	w->launch.serve_count = count;
}

/* Every table of a light client full, and frozen by two headers of the largest size. */
static void fill_client(struct enclave_chain *chain)
{
	struct verify_evm_client *c = chain->client.state;
	static uint8_t raw[CS_HEADER_SIZE_MAX];
	struct verify_evm_block block = {.hash = {{1}}};
	c->created = true;
	verify_evm_window_begin(c, &block);
	for (block.step.number = 1; block.step.number < c->config.window; block.step.number++) {
		const size_t left = c->config.window - block.step.number;
		const size_t full = VERIFY_EVM_RAW_SEALED_SIZE / sizeof raw;
		if (left <= full)
			verify_evm_raw_put(c, &block, CS_BYTES_OF(raw));
		block.parent = block.hash;
		block.hash.b[1] = (uint8_t)block.step.number;
		assert_ok(verify_evm_window_append(c, &block));
	}
	for (size_t i = 0; i < VERIFY_EVM_SIGNERS_MAX; i++) {
		const struct cs_address who = {{(uint8_t)(1 + i)}};
		assert_ok(verify_evm_signer_add(&c->oldest, &who));
	}
	c->oldest.vote_count = VERIFY_EVM_VOTES_MAX;
	c->frozen = true;
	c->conflict.size[0] = c->conflict.size[1] = CS_HEADER_SIZE_MAX;
}

static void fill_chain(struct world *w, struct enclave_chain *chain)
{
	Caisson__Wire__RotateRequest in = CAISSON__WIRE__ROTATE_REQUEST__INIT;
	in.chain = pb_hash(&chain->manifest->identity);
	while (chain->key_count < ENCLAVE_EPOCHS_MAX) {
		chain->epoch_current = chain->keys[chain->key_count - 1].epoch;
		(void)world_ok(w, WIRE_ROTATE, &in.base);
	}
	for (size_t r = 0; r < CS_MANIFEST_REMOTES_MAX; r++)
		for (uint64_t k = 0; k < ENCLAVE_REMOTE_EPOCHS_MAX; k++)
			chain->remotes[r].keys[chain->remotes[r].key_count++].epoch = 1 + k;
	fill_client(chain);
}

/* The most that can be served is sealed in whole, read again, and takes exactly what was reckoned;
 * one chain more does not start. */
static void test_the_largest_state_fits(void **state)
{
	(void)state;
	struct world *w = world_new();
	Caisson__Wire__InitRequest init = CAISSON__WIRE__INIT_REQUEST__INIT;
	const size_t most = 7;
	serve_many(w, most + 1);
	launch_refused(w, CS_ERR_TOO_LARGE);
	serve_many(w, most);
	world_restart(w);
	(void)world_ok(w, WIRE_INIT, &init.base);
	for (size_t i = 0; i < most; i++)
		fill_chain(w, &w->e->chains[i]);
	const struct cs_bytes sealed = world_export(w);
	assert_int_equal(sealed.n, enclave_sealed_size_max(w->e));
	assert_true(sealed.n <= ENCLAVE_SEALED_SIZE_MAX);
	world_restart(w);
	import_state(w, sealed);
	assert_int_equal(world_export(w).n, sealed.n);
	for (size_t i = 0; i < most; i++)
		assert_true(hello(w)->clients[i]->frozen);
	world_free(w);
}

static void test_a_sealing_root_of_another_size(void **state)
{
	(void)state;
	struct world *w = world_new();
	w->launch.seal_root.n = 31;
	launch_refused(w, CS_ERR_INVALID);
	world_free(w);
}

static void test_keys_without_a_client_come_back(void **state)
{
	(void)state;
	struct world *w = world_new();
	Caisson__Wire__InitRequest in = CAISSON__WIRE__INIT_REQUEST__INIT;
	(void)world_ok(w, WIRE_INIT, &in.base);
	const struct cs_hash key = public_key(w);
	const struct cs_bytes sealed = world_export(w);
	world_restart(w);
	import_state(w, sealed);
	assert_hash(public_key(w), key);
	assert_int_equal(hello(w)->clients[0]->head_height, 0);
	world_free(w);
}

/* ---- signed status ---- */

static void test_status_is_signed_over_the_nonce(void **state)
{
	(void)state;
	struct world *w = world_new();
	Caisson__Wire__StatusRequest in = CAISSON__WIRE__STATUS_REQUEST__INIT;
	struct cs_hash nonce = {{1}};
	in.nonce = pb_hash(&nonce);
	world_refused(w, WIRE_STATUS, &in.base, CS_ERR_NO_KEY);
	world_begin(w);
	const Caisson__Wire__StatusReply *out =
		(const Caisson__Wire__StatusReply *)(const void *)world_ok(w, WIRE_STATUS,
									   &in.base);
	const struct cs_hash x = wire_pb_hash(out->public_key);
	const struct cs_hash digest = wire_pb_hash(out->digest);
	assert_ok(cs_schnorr_verify64(w->sig, out->signature.data, &x, wire_pb_view(out->digest)));
	nonce.b[0] = 2;
	in.nonce = pb_hash(&nonce);
	out = (const Caisson__Wire__StatusReply *)(const void *)world_ok(w, WIRE_STATUS, &in.base);
	const struct cs_hash other = wire_pb_hash(out->digest);
	assert_false(cs_hash_eq(&digest, &other));
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello_says_what_is_insecure),
		cmocka_unit_test(test_hello_comes_first),
		cmocka_unit_test(test_types_that_are_no_requests),
		cmocka_unit_test(test_probe_is_refused_without_probes),
		cmocka_unit_test(test_init_makes_keys_once),
		cmocka_unit_test(test_there_is_nothing_to_export_before_init),
		cmocka_unit_test(test_the_state_comes_back),
		cmocka_unit_test(test_secrets_do_not_leave),
		cmocka_unit_test(test_one_bit_breaks_the_seal),
		cmocka_unit_test(test_another_lineage),
		cmocka_unit_test(test_a_secure_key_is_not_opened_under_insecure_flags),
		cmocka_unit_test(test_an_unlisted_build),
		cmocka_unit_test(test_an_unlisted_build_does_not_start),
		cmocka_unit_test(test_another_sealing_root),
		cmocka_unit_test(test_an_older_state_within_one_process),
		cmocka_unit_test(test_an_older_manifest),
		cmocka_unit_test(test_a_chain_that_is_not_served),
		cmocka_unit_test(test_time_does_not_go_back),
		cmocka_unit_test(test_rotation_is_signed_by_the_key_in_use),
		cmocka_unit_test(test_a_pending_successor_is_announced_again),
		cmocka_unit_test(test_rotation_without_keys),
		cmocka_unit_test(test_the_oldest_epoch_goes_when_four_are_held),
		cmocka_unit_test(test_without_randomness_there_are_no_keys),
		cmocka_unit_test(test_a_rotation_that_fails_leaves_no_key),
		cmocka_unit_test(test_a_rotation_that_fails_keeps_the_oldest),
		cmocka_unit_test(test_what_is_served_is_in_the_manifest_once),
		cmocka_unit_test(test_the_largest_state_fits),
		cmocka_unit_test(test_a_sealing_root_of_another_size),
		cmocka_unit_test(test_keys_without_a_client_come_back),
		cmocka_unit_test(test_status_is_signed_over_the_nonce),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
