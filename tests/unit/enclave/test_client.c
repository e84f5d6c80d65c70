/* Light clients through the enclave: headers that are refused without harm, keys learned from
 * storage. The headers come from the generator that shares no code with the verifier, and from real
 * nodes (tests/vectors/evm). */
#include "client.h"
#include "core/hash.h"

/* ---- vectors ---- */

static json_t *vectors(const char *name)
{
	char path[512];
	(void)snprintf(path, sizeof path, "%s/evm/%s", CS_VECTORS, name);
	return read_json(path);
}

/* Hex in which {x} stands for a part that the file names. */
static struct cs_bytes expand(const json_t *root, const char *text)
{
	const json_t *parts = json_object_get(root, "parts");
	char *whole = keep(65536);
	size_t n = 0;
	while (*text != '\0') {
		const char *piece = text;
		size_t size = strcspn(text, "{");
		if (size == 0) {
			const char key[2] = {text[1], '\0'};
			assert_true(text[1] != '\0' && text[2] == '}');
			piece = text_of(parts, key);
			size = strlen(piece);
			text += 3;
		} else {
			text += size;
		}
		assert_true(n + size < 65536);
		memcpy(whole + n, piece, size);
		n += size;
	}
	return unhex(whole);
}

static struct cs_bytes header_at(const json_t *root, const json_t *headers, size_t i)
{
	return expand(root, json_string_value(json_array_get(headers, i)));
}

static const json_t *named(const json_t *list, const char *name)
{
	size_t i;
	json_t *one;
	json_array_foreach(list, i, one) if (strcmp(text_of(one, "name"), name) == 0) return one;
	fail_msg("no %s", name);
	return NULL;
}

/* ---- a world whose chain is the vector's ---- */

static void begin_at(struct world *w, enum manifest_mode mode, struct cs_bytes anchor,
		     const char *hash, uint64_t height, uint64_t epoch, uint64_t period_s,
		     uint64_t now)
{
	struct manifest_finality *f = &w->manifest.chains[0].finality;
	*f = (struct manifest_finality){.mode = mode,
					.anchor_height = height,
					.anchor_hash = hash_of_text(hash),
					.anchor_age_max_s = 86400,
					.trusting_period_s = 86400,
					.epoch = epoch,
					.period_s = period_s,
					.reorg_margin_s = mode == MANIFEST_QBFT ? 0 : 5};
	w->blocks[0].raw = anchor;
	w->now = (struct verify_time){now, now};
	world_restart(w);
	world_begin(w);
}

static uint64_t now_low(struct world *w)
{
	Caisson__Wire__HelloRequest in = CAISSON__WIRE__HELLO_REQUEST__INIT;
	const struct cs_hash nonce = {{5}};
	in.nonce = pb_hash(&nonce);
	const Caisson__Wire__HelloReply *out =
		(const Caisson__Wire__HelloReply *)(const void *)world_ok(w, WIRE_HELLO, &in.base);
	return out->now_low_s;
}

/* Each bad header after the good ones before it: its error, and the next good one is still taken. */
static void each_bad(const json_t *root, const json_t *chain, const json_t *bad,
		     enum manifest_mode mode)
{
	const json_t *headers = json_object_get(chain, "headers");
	const uint64_t after = u64_of(bad, "after");
	struct world *w = world_new();
	struct cs_bytes good[64];
	begin_at(w, mode, header_at(root, headers, 0), text_of(chain, "hash"),
		 u64_of(chain, "height"), u64_of(chain, "epoch"), u64_of(chain, "period"),
		 u64_of(chain, "time"));
	for (size_t i = 1; i <= after; i++)
		good[i - 1] = header_at(root, headers, i);
	update(w, good, (size_t)after, "ok");
	const Caisson__Wire__ClientStatus before = status_of(w);
	const uint64_t final_height = before.final_height;
	const struct cs_bytes header = expand(root, text_of(bad, "header"));
	update(w, &header, 1, text_of(bad, "error"));
	assert_false(status_of(w).frozen);
	assert_int_equal(status_of(w).final_height, final_height);
	const struct cs_bytes next = header_at(root, headers, (size_t)after + 1);
	update(w, &next, 1, "ok");
	world_free(w);
}

static void test_bad_clique_headers_are_refused(void **state)
{
	(void)state;
	json_t *root = vectors("generated/clique.json");
	size_t i;
	json_t *bad;
	json_array_foreach(json_object_get(root, "bad"), i, bad)
		each_bad(root, named(json_object_get(root, "chains"), text_of(bad, "chain")), bad,
			 MANIFEST_CLIQUE);
	assert_true(i >= 25);
	json_decref(root);
}

static void test_bad_qbft_headers_are_refused(void **state)
{
	(void)state;
	json_t *root = vectors("generated/qbft.json");
	size_t i;
	json_t *bad;
	json_array_foreach(json_object_get(root, "bad"), i, bad)
		each_bad(root, json_object_get(root, "chain"), bad, MANIFEST_QBFT);
	assert_true(i >= 25);
	json_decref(root);
}

static void test_clique_forks_and_conflicts(void **state)
{
	(void)state;
	json_t *root = vectors("generated/clique.json");
	size_t i;
	size_t k;
	json_t *fork;
	json_t *step;
	json_array_foreach(json_object_get(root, "forks"), i, fork)
	{
		const json_t *chain = NULL;
		size_t c;
		json_t *one;
		struct world *w = world_new();
		json_array_foreach(json_object_get(root, "chains"), c,
				   one) if (strcmp(text_of(one, "hash"), text_of(fork, "hash")) ==
					    0) chain = one;
		if (chain == NULL) {
			/* Its anchor is in the file of the forks alone. */
			world_free(w);
			continue;
		}
		begin_at(w, MANIFEST_CLIQUE, header_at(root, json_object_get(chain, "headers"), 0),
			 text_of(fork, "hash"), u64_of(fork, "height"), u64_of(fork, "epoch"),
			 u64_of(fork, "period"), u64_of(fork, "time"));
		json_array_foreach(json_object_get(fork, "steps"), k, step)
		{
			struct cs_bytes headers[16];
			const json_t *list = json_object_get(step, "headers");
			const size_t count = json_array_size(list);
			for (size_t h = 0; h < count; h++)
				headers[h] = header_at(root, list, h);
			/* What was taken is told first: a refusal behind it comes with the next
			 * request. */
			update(w, headers, count,
			       u64_of(step, "accepted") > 0 ? "ok" : text_of(step, "error"));
			assert_int_equal(status_of(w).final_height, u64_of(step, "final"));
		}
		world_free(w);
	}
	json_decref(root);
}

static void test_headers_of_real_nodes(void **state)
{
	(void)state;
	json_t *root = vectors("clique-3signers.json");
	const json_t *list = json_object_get(root, "headers");
	const size_t count = json_array_size(list);
	struct cs_bytes headers[64];
	struct world *w = world_new();
	assert_true(count > 20 && count < 64);
	for (size_t i = 0; i < count; i++)
		headers[i] = bytes_of(json_array_get(list, i), "headerRlp");
	const uint64_t now =
		strtoull(text_of(json_object_get(root, "headerJson"), "timestamp"), NULL, 16);
	struct manifest_finality *f = &w->manifest.chains[0].finality;
	*f = (struct manifest_finality){.mode = MANIFEST_CLIQUE,
					.anchor_hash = hash_of(root, "genesisHash"),
					.anchor_age_max_s = UINT64_C(1) << 40,
					.trusting_period_s = UINT64_C(1) << 40,
					.epoch = 30000,
					.reorg_margin_s = 5};
	w->blocks[0].raw = headers[0];
	w->now = (struct verify_time){now + 100, now + 100};
	world_restart(w);
	world_begin(w);
	update(w, headers + 1, count - 1, "ok");
	/* All three signers are asked for: final is where the last three distinct ones reach. */
	assert_true(status_of(w).final_height >= count - 8);
	assert_false(status_of(w).insecure_dev_head);
	world_free(w);
	json_decref(root);
}

/* The low end of time follows what was verified, and is sealed. */
static void test_time_rises_with_final_blocks(void **state)
{
	(void)state;
	json_t *root = vectors("generated/qbft.json");
	const json_t *chain = json_object_get(root, "chain");
	const json_t *headers = json_object_get(chain, "headers");
	const uint64_t time = u64_of(chain, "time");
	struct cs_bytes good[64];
	struct world *w = world_new();
	const size_t count = json_array_size(headers);
	begin_at(w, MANIFEST_QBFT, header_at(root, headers, 0), text_of(chain, "hash"), 0,
		 u64_of(chain, "epoch"), u64_of(chain, "period"), time);
	for (size_t i = 1; i < count; i++)
		good[i - 1] = header_at(root, headers, i);
	update(w, good, count - 1, "ok");
	const uint64_t last = status_of(w).final_time_s;
	assert_true(last > WORLD_START);
	const struct cs_bytes sealed = world_export(w);
	w->now = (struct verify_time){1000, 1000};
	world_restart(w);
	assert_int_equal(now_low(w), 1000);
	import_state(w, sealed);
	assert_int_equal(now_low(w), last);
	world_free(w);
	json_decref(root);
}

/* ---- create, order ---- */

static void test_an_anchor_that_is_too_old(void **state)
{
	(void)state;
	struct world *w = world_new();
	w->now = (struct verify_time){WORLD_START + 86401, WORLD_START + 86401};
	Caisson__Wire__ClientCreateRequest in = create_of(w, w->blocks[0].raw);
	world_refused(w, WIRE_CLIENT_CREATE, &in.base, CS_ERR_ANCHOR_TOO_OLD);
	world_free(w);
}

static void test_the_age_of_the_anchor_is_of_the_high_end(void **state)
{
	(void)state;
	struct world *w = world_new();
	w->now = (struct verify_time){WORLD_START, WORLD_START + 86401};
	Caisson__Wire__ClientCreateRequest in = create_of(w, w->blocks[0].raw);
	world_refused(w, WIRE_CLIENT_CREATE, &in.base, CS_ERR_ANCHOR_TOO_OLD);
	w->now = (struct verify_time){WORLD_START, 0};
	world_refused(w, WIRE_CLIENT_CREATE, &in.base, CS_ERR_NO_TIME);
	world_free(w);
}

static void test_another_block_than_the_anchor(void **state)
{
	(void)state;
	struct world *w = world_new();
	const struct world_block *other = world_mine(w);
	Caisson__Wire__ClientCreateRequest in = create_of(w, other->raw);
	world_refused(w, WIRE_CLIENT_CREATE, &in.base, CS_ERR_ANCHOR_MISMATCH);
	world_free(w);
}

static void test_a_client_begins_once(void **state)
{
	(void)state;
	struct world *w = world_new();
	world_begin(w);
	Caisson__Wire__ClientCreateRequest in = create_of(w, w->blocks[0].raw);
	world_refused(w, WIRE_CLIENT_CREATE, &in.base, CS_ERR_CONFLICT);
	world_free(w);
}

static void test_an_update_before_the_client(void **state)
{
	(void)state;
	struct world *w = world_new();
	(void)world_mine(w);
	update(w, &w->blocks[1].raw, 1, "not-found");
	update(w, NULL, 0, "invalid");
	world_free(w);
}

static void test_a_header_that_does_not_link(void **state)
{
	(void)state;
	struct world *w = world_new();
	world_begin(w);
	(void)world_mine(w);
	(void)world_mine(w);
	update(w, &w->blocks[2].raw, 1, "unlinked");
	assert_false(status_of(w).frozen);
	world_update(w, 1);
	world_free(w);
}

static void test_an_older_header_does_not_freeze(void **state)
{
	(void)state;
	struct world *w = world_new();
	world_begin(w);
	world_advance(w, 6);
	const struct world_block old = world_block_on(w, &w->blocks[1], w->blocks[1].time_s + 1, 9);
	update(w, &old.raw, 1, "stale-header");
	assert_false(status_of(w).frozen);
	assert_int_equal(status_of(w).final_height, 4);
	world_free(w);
}

static void test_what_is_known_is_passed_over(void **state)
{
	(void)state;
	struct world *w = world_new();
	world_begin(w);
	world_advance(w, 4);
	world_update(w, 1);
	assert_int_equal(status_of(w).head_height, 4);
	world_free(w);
}

static void test_a_header_from_the_future(void **state)
{
	(void)state;
	struct world *w = world_new();
	world_begin(w);
	const uint64_t now = w->now.high_s;
	w->next.time_s = now + 100;
	const struct world_block *block = world_mine(w);
	w->now = (struct verify_time){now, now};
	update(w, &block->raw, 1, "future-header");
	world_free(w);
}

/* ---- keys of remotes ---- */

static Caisson__Wire__LearnKeyRequest learn_of(const struct world *w,
					       const struct world_block *block, uint64_t epoch)
{
	Caisson__Wire__LearnKeyRequest in = CAISSON__WIRE__LEARN_KEY_REQUEST__INIT;
	const struct cs_hash sentinel = wire_evm_sentinel_slot();
	const struct cs_hash key = wire_evm_key_slot(&w->remote, epoch, 0);
	const struct cs_hash window = wire_evm_key_slot(&w->remote, epoch, 1);
	in.chain = pb_hash(&w->own);
	in.remote = pb_hash(&w->remote);
	in.epoch = epoch;
	in.height = block->height;
	in.account = world_account_proof(w, block);
	in.sentinel = world_slot_proof(block, &sentinel);
	in.key = world_slot_proof(block, &key);
	in.window = world_slot_proof(block, &window);
	return in;
}

static void test_a_key_is_learned_from_storage(void **state)
{
	(void)state;
	struct world *w = world_new();
	world_begin(w);
	world_register_key(w, 1, &w->remote_x, WIRE_KEY_SUSPENDED, 77, 88);
	world_advance(w, 3);
	Caisson__Wire__LearnKeyRequest in = learn_of(w, &w->blocks[1], 1);
	const Caisson__Wire__LearnKeyReply *out =
		(const Caisson__Wire__LearnKeyReply *)(const void *)world_ok(w, WIRE_LEARN_KEY,
									     &in.base);
	assert_hash(wire_pb_hash(out->public_key), w->remote_x);
	assert_int_equal(out->state, WIRE_KEY_SUSPENDED);
	assert_int_equal(out->not_before, 77);
	assert_int_equal(out->not_after, 88);
	world_free(w);
}

static void test_four_epochs_of_a_remote_are_remembered(void **state)
{
	(void)state;
	struct world *w = world_new();
	world_begin(w);
	for (uint64_t epoch = 1; epoch <= 6; epoch++)
		world_register_key(w, epoch, &w->remote_x, WIRE_KEY_ACTIVE, 0, 0);
	world_advance(w, 3);
	for (uint64_t epoch = 6; epoch >= 3; epoch--) {
		Caisson__Wire__LearnKeyRequest in = learn_of(w, &w->blocks[1], epoch);
		(void)world_ok(w, WIRE_LEARN_KEY, &in.base);
	}
	/* An older one has no place any more; again a newer one pushes the oldest out. */
	Caisson__Wire__LearnKeyRequest older = learn_of(w, &w->blocks[1], 2);
	world_refused(w, WIRE_LEARN_KEY, &older.base, CS_ERR_FULL);
	world_register_key(w, 7, &w->remote_x, WIRE_KEY_ACTIVE, 0, 0);
	world_advance(w, 3);
	Caisson__Wire__LearnKeyRequest newer = learn_of(w, &w->blocks[4], 7);
	(void)world_ok(w, WIRE_LEARN_KEY, &newer.base);
	Caisson__Wire__LearnKeyRequest pushed = learn_of(w, &w->blocks[4], 3);
	world_refused(w, WIRE_LEARN_KEY, &pushed.base, CS_ERR_FULL);
	world_free(w);
}

static void test_an_older_view_of_a_key(void **state)
{
	(void)state;
	struct world *w = world_new();
	world_begin(w);
	world_register_key(w, 1, &w->remote_x, WIRE_KEY_ACTIVE, 0, 0);
	world_advance(w, 1);
	world_register_key(w, 1, &w->remote_x, WIRE_KEY_REVOKED, 0, 0);
	world_advance(w, 3);
	Caisson__Wire__LearnKeyRequest newer = learn_of(w, &w->blocks[2], 1);
	(void)world_ok(w, WIRE_LEARN_KEY, &newer.base);
	/* A host that shows the time before the revocation again. */
	Caisson__Wire__LearnKeyRequest older = learn_of(w, &w->blocks[1], 1);
	world_refused(w, WIRE_LEARN_KEY, &older.base, CS_ERR_STALE_HEADER);
	world_free(w);
}

static void test_a_key_that_is_not_registered(void **state)
{
	(void)state;
	struct world *w = world_new();
	world_begin(w);
	world_advance(w, 3);
	Caisson__Wire__LearnKeyRequest in = learn_of(w, &w->blocks[1], 1);
	world_refused(w, WIRE_LEARN_KEY, &in.base, CS_ERR_NOT_FOUND);
	world_free(w);
}

static void test_a_key_of_one_who_is_no_remote(void **state)
{
	(void)state;
	struct world *w = world_new();
	world_begin(w);
	world_advance(w, 3);
	const struct cs_hash stranger = {{0xee}};
	Caisson__Wire__LearnKeyRequest in = learn_of(w, &w->blocks[1], 1);
	in.remote = pb_hash(&stranger);
	world_refused(w, WIRE_LEARN_KEY, &in.base, CS_ERR_NOT_IN_MANIFEST);
	world_free(w);
}

static void test_a_key_of_a_block_that_is_not_final(void **state)
{
	(void)state;
	struct world *w = world_new();
	world_begin(w);
	world_register_key(w, 1, &w->remote_x, WIRE_KEY_ACTIVE, 0, 0);
	world_advance(w, 2);
	Caisson__Wire__LearnKeyRequest in = learn_of(w, &w->blocks[2], 1);
	world_refused(w, WIRE_LEARN_KEY, &in.base, CS_ERR_NOT_FINAL);
	world_free(w);
}

static void test_a_key_of_another_account(void **state)
{
	(void)state;
	struct world *w = world_new();
	world_begin(w);
	world_register_key(w, 1, &w->remote_x, WIRE_KEY_ACTIVE, 0, 0);
	w->next.code_hash.b[3] ^= 1;
	world_advance(w, 3);
	Caisson__Wire__LearnKeyRequest in = learn_of(w, &w->blocks[1], 1);
	world_refused(w, WIRE_LEARN_KEY, &in.base, CS_ERR_WRONG_CODE);
	world_free(w);
}

static void test_a_proof_of_another_keys_slot(void **state)
{
	(void)state;
	struct world *w = world_new();
	world_begin(w);
	world_register_key(w, 1, &w->remote_x, WIRE_KEY_ACTIVE, 0, 0);
	world_advance(w, 3);
	Caisson__Wire__LearnKeyRequest in = learn_of(w, &w->blocks[1], 1);
	in.epoch = 2;
	world_refused(w, WIRE_LEARN_KEY, &in.base, CS_ERR_BAD_PROOF);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_clique_headers_are_refused),
		cmocka_unit_test(test_bad_qbft_headers_are_refused),
		cmocka_unit_test(test_clique_forks_and_conflicts),
		cmocka_unit_test(test_headers_of_real_nodes),
		cmocka_unit_test(test_time_rises_with_final_blocks),
		cmocka_unit_test(test_an_anchor_that_is_too_old),
		cmocka_unit_test(test_the_age_of_the_anchor_is_of_the_high_end),
		cmocka_unit_test(test_another_block_than_the_anchor),
		cmocka_unit_test(test_a_client_begins_once),
		cmocka_unit_test(test_an_update_before_the_client),
		cmocka_unit_test(test_a_header_that_does_not_link),
		cmocka_unit_test(test_an_older_header_does_not_freeze),
		cmocka_unit_test(test_what_is_known_is_passed_over),
		cmocka_unit_test(test_a_header_from_the_future),
		cmocka_unit_test(test_a_key_is_learned_from_storage),
		cmocka_unit_test(test_four_epochs_of_a_remote_are_remembered),
		cmocka_unit_test(test_an_older_view_of_a_key),
		cmocka_unit_test(test_a_key_that_is_not_registered),
		cmocka_unit_test(test_a_key_of_one_who_is_no_remote),
		cmocka_unit_test(test_a_key_of_a_block_that_is_not_final),
		cmocka_unit_test(test_a_key_of_another_account),
		cmocka_unit_test(test_a_proof_of_another_keys_slot),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
