/* The manifest's form, lineage and signatures. The good ones are made by tools/manifest.py
 * (tests/vectors/manifest). */
#include "../support.h"
#include "core/arena.h"
#include "core/json.h"
#include "core/sig.h"
#include "enclave/manifest.h"
#include "wire/envelope.h"

static struct cs_arena *arena(void)
{
	static struct cs_arena arena;
	if (arena.block == NULL)
		cs_arena_init(&arena, keep(16u * 1024 * 1024), 16u * 1024 * 1024);
	cs_arena_rewind(&arena, 0);
	return &arena;
}

static struct cs_bytes file_of(const char *name)
{
	char path[512];
	(void)snprintf(path, sizeof path, "%s/manifest/%s", CS_VECTORS, name);
	return read_file(path);
}

static const json_t *facts(const char *name)
{
	static json_t *root;
	char path[512];
	if (root == NULL) {
		(void)snprintf(path, sizeof path, "%s/manifest/facts.json", CS_VECTORS);
		root = read_json(path);
	}
	return json_object_get(root, name);
}

static struct manifest first(void)
{
	struct manifest m;
	struct cs_why why = {""};
	const enum cs_err err = manifest_read(&m, arena(), file_of("first.json"), NULL, &why);
	if (err != CS_OK)
		fail_msg("%s: %s", cs_err_name(err), why.text);
	return m;
}

static void test_what_python_made_is_read(void **state)
{
	(void)state;
	const struct manifest m = first();
	const struct manifest_chain *chain = &m.chains[0];
	assert_hash(m.hash, hash_of_text(json_string_value(facts("first_hash"))));
	assert_hash(m.lineage, m.hash);
	assert_int_equal(m.number, 1);
	assert_int_equal(m.threshold, 2);
	assert_int_equal(m.administrator_count, 3);
	assert_int_equal(m.chain_count, 2);
	assert_string_equal(chain->caip2, "eip155:31337");
	assert_int_equal(chain->chain_id, 31337);
	assert_hash(chain->identity, hash_of_text(json_string_value(facts("identity"))));
	assert_int_equal(chain->finality.mode, MANIFEST_INSECURE_DEV_HEAD);
	assert_int_equal(chain->finality.confirmations, 2);
	assert_int_equal(m.chains[1].finality.mode, MANIFEST_CLIQUE);
	assert_int_equal(chain->policy.total_cap_wei, UINT64_MAX);
	assert_true(manifest_lists_build(&m, &m.builds[0]));
	assert_true(manifest_chain_of(&m, &chain->identity) == chain);
	assert_true(manifest_lists_remote(chain, &m.chains[1].identity));
	assert_false(manifest_lists_remote(chain, &chain->identity));
}

static void test_the_second_follows(void **state)
{
	(void)state;
	const struct manifest before = first();
	struct manifest m;
	struct cs_why why;
	assert_ok(manifest_read(&m, arena(), file_of("second.json"), &before, &why));
	assert_int_equal(m.number, 2);
	assert_hash(m.lineage, before.hash);
	assert_hash(m.hash, hash_of_text(json_string_value(facts("second_hash"))));
	/* It decides a conflict of its first chain. */
	const struct cs_hash other = {{0x62}};
	struct cs_hash id;
	memset(id.b, 0x62, sizeof id.b);
	assert_int_equal(m.chains[0].abandoned.height, 7);
	assert_int_equal(m.chains[0].abandoned.since, 2);
	assert_int_equal(m.chains[0].abandoned.headers[1].b[31], 0x52);
	assert_int_equal(m.chains[0].abandoned.count, 2);
	assert_int_equal(m.abandoned_count, 2);
	assert_true(manifest_lists_abandoned(&m, &m.chains[0], &id));
	assert_false(manifest_lists_abandoned(&m, &m.chains[0], &other));
	assert_false(manifest_lists_abandoned(&m, &m.chains[1], &id));
	assert_int_equal(m.chains[1].abandoned.height, 0);
	/* As many messages as a manifest may list; one more is among the refusals. */
	assert_ok(manifest_read(&m, arena(), cs_bytes_str(json_string_value(facts("full"))),
				&before, &why));
	assert_int_equal(m.abandoned_count, MANIFEST_ABANDONED_MAX);
	assert_ok(manifest_read(&m, arena(), file_of("second.json"), &before, &why));
	/* It is no first one, and does not follow itself. */
	assert_err(manifest_read(&m, arena(), file_of("second.json"), NULL, &why),
		   CS_ERR_WRONG_LINEAGE);
	const struct manifest second = m;
	assert_err(manifest_read(&m, arena(), file_of("second.json"), &second, &why),
		   CS_ERR_WRONG_LINEAGE);
}

static void test_providers_are_read(void **state)
{
	(void)state;
	struct manifest m;
	struct cs_why why = {""};
	assert_ok(manifest_read(&m, arena(), file_of("quorum.json"), NULL, &why));
	const struct manifest_finality *f = &m.chains[0].finality;
	assert_int_equal(f->mode, MANIFEST_RPC_QUORUM);
	assert_int_equal(f->rpc.tag, VERIFY_EVM_FINALIZED);
	assert_int_equal(f->rpc.quorum, 2);
	assert_int_equal(f->rpc.age_max_s, 3600);
	assert_int_equal(f->rpc.count, 3);
	assert_true(m.has_rpc);
	assert_int_equal(m.rpc.private_ca_count, 1);
	assert_int_equal(m.rpc.trust_store.b[0], 0xc2);
	const struct manifest_provider *p = &m.providers[f->rpc.first];
	assert_string_equal(p[0].host, "one.example.org");
	assert_int_equal(p[0].port, 443);
	assert_string_equal(p[0].target, "/v1?x=1");
	assert_false(p[0].tls.sct_min_given);
	assert_int_equal(p[0].tls.lifetime_max_days, 398);
	assert_int_equal(p[1].port, 8443);
	assert_string_equal(p[1].target, "/");
	assert_int_equal(p[1].tls.pin_count, 1);
	assert_true(p[1].tls.sct_min_given && p[1].tls.stapled);
	assert_int_equal(p[2].tls.lifetime_max_days, 90);
	assert_ok(manifest_read(&m, arena(), cs_bytes_str(json_string_value(facts("latest"))), NULL,
				&why));
	assert_int_equal(m.chains[0].finality.rpc.tag, VERIFY_EVM_LATEST);
	assert_int_equal(m.chains[0].finality.confirmations, 20);
}

static void test_a_ledger_is_read(void **state)
{
	(void)state;
	struct manifest m;
	struct cs_why why = {""};
	assert_ok(manifest_read(&m, arena(), file_of("ledger.json"), NULL, &why));
	const struct manifest_chain *chain = &m.chains[0];
	assert_string_equal(chain->caip2, "cosmos:caisson-1");
	assert_int_equal(chain->chain_id, 0);
	assert_bytes(cmt_chain_id_bytes(&chain->cometbft_id), cs_bytes_str("caisson-1"));
	assert_int_equal(chain->finality.mode, MANIFEST_COMETBFT);
	assert_int_equal(chain->finality.anchor_height, 1);
	assert_int_equal(chain->finality.trust_level.numerator, 1);
	assert_int_equal(chain->finality.trust_level.denominator, 3);
	assert_int_equal(chain->gateway.b[19], 1);
	assert_hash(chain->identity, wire_identity(cs_bytes_str(chain->caip2), &chain->genesis,
						   CS_BYTES_OF(chain->gateway.b)));
	assert_int_equal(m.chains[1].cometbft_id.n, 0);
	assert_int_equal(m.chains[1].finality.trust_level.denominator, 0);
}

static void test_the_time_of_a_ledger_is_read(void **state)
{
	(void)state;
	struct manifest m;
	struct cs_why why = {""};
	assert_ok(manifest_read(&m, arena(), file_of("clock.json"), NULL, &why));
	const struct manifest_ledger *ledger = &m.ledger;
	assert_false(m.insecure_host_time);
	assert_string_equal(ledger->chain.caip2, "cosmos:caisson-ledger-1");
	assert_bytes(cmt_chain_id_bytes(&ledger->chain.cometbft_id),
		     cs_bytes_str("caisson-ledger-1"));
	assert_int_equal(ledger->chain.finality.mode, MANIFEST_COMETBFT);
	assert_int_equal(ledger->chain.gateway.b[19], 4);
	assert_hash(ledger->chain.identity,
		    wire_identity(cs_bytes_str(ledger->chain.caip2), &ledger->chain.genesis,
				  CS_BYTES_OF(ledger->chain.gateway.b)));
	assert_int_equal(ledger->time.keys.threshold, 3);
	assert_int_equal(ledger->time.keys.count, 4);
	assert_int_equal(ledger->time.keys.keys[3].b[31], 4);
	assert_int_equal(ledger->time.error_s, 2);
	assert_int_equal(ledger->proof_age_max_s, 600);
	assert_int_equal(ledger->anchor_lag_max, 16);
	assert_ok(manifest_read(&m, arena(), file_of("first.json"), NULL, &why));
	assert_true(m.insecure_host_time);
	assert_int_equal(m.ledger.time.keys.count, 0);
}

/* Each file that must be refused, with its error. */
static void test_refusals(void **state)
{
	(void)state;
	const struct manifest before = first();
	const json_t *list = facts("bad");
	size_t wrong = 0;
	size_t i;
	json_t *bad;
	json_array_foreach(list, i, bad)
	{
		struct manifest m;
		struct manifest untouched;
		struct cs_why why = {""};
		memset(&m, 0x5a, sizeof m);
		memset(&untouched, 0x5a, sizeof untouched);
		const struct manifest *follows =
			json_is_true(json_object_get(bad, "follows")) ? &before : NULL;
		const char *text = text_of(bad, "file");
		const enum cs_err err =
			manifest_read(&m, arena(), cs_bytes_str(text), follows, &why);
		if (strcmp(cs_err_name(err), text_of(bad, "error")) != 0) {
			print_error("%s: %s (%s) where %s is expected\n", text_of(bad, "name"),
				    cs_err_name(err), why.text, text_of(bad, "error"));
			wrong++;
		}
		assert_memory_equal(&m, &untouched, sizeof m);
	}
	assert_int_equal(wrong, 0);
	assert_true(i > 40);
}

static void test_no_bit_may_change(void **state)
{
	(void)state;
	const struct cs_bytes good = file_of("first.json");
	uint8_t *changed = keep(good.n);
	for (size_t i = 0; i < good.n; i++) {
		struct manifest m;
		struct cs_why why;
		memcpy(changed, good.p, good.n);
		changed[i] ^= 1;
		assert_true(manifest_read(&m, arena(), cs_bytes(changed, good.n), NULL, &why) !=
			    CS_OK);
	}
	for (size_t n = 0; n < good.n; n += 3) {
		struct manifest m;
		struct cs_why why;
		assert_true(manifest_read(&m, arena(), cs_bytes(good.p, n), NULL, &why) != CS_OK);
	}
}

static void test_a_file_above_the_bound(void **state)
{
	(void)state;
	struct manifest m;
	struct cs_why why;
	const uint8_t *p = keep(CS_MANIFEST_SIZE_MAX + 1);
	assert_err(manifest_read(&m, arena(), cs_bytes(p, CS_MANIFEST_SIZE_MAX + 1), NULL, &why),
		   CS_ERR_TOO_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_python_made_is_read),
		cmocka_unit_test(test_the_second_follows),
		cmocka_unit_test(test_providers_are_read),
		cmocka_unit_test(test_a_ledger_is_read),
		cmocka_unit_test(test_the_time_of_a_ledger_is_read),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_no_bit_may_change),
		cmocka_unit_test(test_a_file_above_the_bound),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
