/* The proofs that others published: of cosmos/ics23, and of a Cosmos SDK chain that was recorded. */
#include "tests/unit/cometbft/values.h"
#include "verify/cometbft/ics23.h"

#define COSMOS "../cosmos-sdk/"

/* ---- the published proofs ---- */

struct published {
	const struct cmt_ics23_spec *spec;
	struct cs_hash root;
	struct cs_bytes proof, key, value; /* no value: an absence */
};

static const struct cmt_ics23_spec *const specs[] = {&cmt_ics23_iavl, &cmt_ics23_tendermint,
						     &cmt_ics23_smt};
static const char *const folders[] = {"iavl", "tendermint", "smt"};
static const char *const files[] = {"exist_left",    "exist_middle",    "exist_right",
				    "nonexist_left", "nonexist_middle", "nonexist_right"};
#define PUBLISHED (CS_LEN(specs) * CS_LEN(files))

static const struct published *published(size_t i)
{
	static struct published all[PUBLISHED];
	struct published *p = &all[i];
	char name[64];
	if (p->spec != NULL)
		return p;
	const size_t folder = i / CS_LEN(files);
	(void)snprintf(name, sizeof name, "../ics23/%s/%s.json", folders[folder],
		       files[i % CS_LEN(files)]);
	const json_t *json = read_vector(name);
	*p = (struct published){specs[folder], hash_of(json, "root"), bytes_of(json, "proof"),
				bytes_of(json, "key"), bytes_of(json, "value")};
	return p;
}

/* As the proof's kind asks. */
static enum cs_err verify(const struct published *p)
{
	return p->value.n > 0 ? cmt_ics23_membership(p->spec, &p->root, p->proof, p->key, p->value)
			      : cmt_ics23_absence(p->spec, &p->root, p->proof, p->key);
}

static void test_published(void **state)
{
	(void)state;
	for (size_t i = 0; i < PUBLISHED; i++) {
		const struct published *p = published(i);
		struct cs_bytes value;
		bool found;
		assert_ok(verify(p));
		assert_ok(cmt_ics23_lookup(&found, &value, p->spec, &p->root, p->proof, p->key));
		assert_int_equal(found, p->value.n > 0);
		assert_bytes(value, p->value);
	}
}

static struct cs_bytes flipped(struct cs_bytes bytes, size_t at, uint8_t mask)
{
	uint8_t *p = keep(bytes.n);
	memcpy(p, bytes.p, bytes.n);
	p[at] ^= mask;
	return cs_bytes(p, bytes.n);
}

/* The key that an absence names beside its neighbours is nobody's claim. */
static bool is_note(const struct published *p, size_t at)
{
	if (p->value.n > 0)
		return false;
	/* 0x12, a length of two bytes, 0x0a, a length of one, the key. */
	assert_true(p->proof.p[0] == 0x12 && p->proof.p[2] < 0x80 && p->proof.p[3] == 0x0a);
	return at >= 5 && at < 5u + p->proof.p[4];
}

static void test_every_flip(void **state)
{
	(void)state;
	for (size_t i = 0; i < PUBLISHED; i++) {
		struct published p = *published(i);
		uint8_t *copy = keep(p.proof.n);
		memcpy(copy, p.proof.p, p.proof.n);
		p.proof.p = copy;
		for (size_t at = 0; at < p.proof.n; at++)
			for (unsigned bit = 0; bit < 8; bit++) {
				copy[at] ^= (uint8_t)(1u << bit);
				enum cs_err err = verify(&p);
				copy[at] ^= (uint8_t)(1u << bit);
				if ((err == CS_OK) != is_note(&p, at))
					fail_msg("%zu: byte %zu, bit %u: %s", i, at, bit,
						 cs_err_name(err));
			}
	}
}

static void test_every_truncation(void **state)
{
	(void)state;
	for (size_t i = 0; i < PUBLISHED; i++) {
		struct published p = *published(i);
		struct cs_bytes whole = p.proof;
		for (size_t n = 0; n < whole.n; n++) {
			uint8_t *copy = keep(n);
			memcpy(copy, whole.p, n);
			p.proof = cs_bytes(copy, n);
			assert_int_not_equal(verify(&p), CS_OK);
			if (n % 16 != 0)
				continue;
			/* And what is left over. */
			uint8_t *more = keep(whole.n + 1 + n % 7);
			memcpy(more, whole.p, whole.n);
			p.proof = cs_bytes(more, whole.n + 1 + n % 7);
			assert_int_not_equal(verify(&p), CS_OK);
		}
	}
}

static void test_swapped(void **state)
{
	(void)state;
	for (size_t i = 0; i < PUBLISHED; i++)
		for (size_t j = 0; j < PUBLISHED; j++) {
			const struct published *other = published(j);
			struct published p = *published(i);
			if (i == j)
				continue;
			p.root = other->root;
			assert_err(verify(&p), CS_ERR_BAD_PROOF);
			p = *published(i);
			p.proof = other->proof;
			assert_err(verify(&p), CS_ERR_BAD_PROOF);
			p = *published(i);
			p.spec = other->spec;
			assert_int_equal(verify(&p) == CS_OK, p.spec == published(i)->spec);
			if (published(i)->value.n == 0)
				continue;
			p = *published(i);
			p.key = other->key;
			assert_err(verify(&p), CS_ERR_BAD_PROOF);
			p = *published(i);
			p.value = flipped(p.value, j % p.value.n, 1);
			assert_err(verify(&p), CS_ERR_BAD_PROOF);
			p.value = cs_bytes(p.value.p, p.value.n - 1);
			assert_err(verify(&p), CS_ERR_BAD_PROOF);
		}
}

/* A proof of one kind answers no question of the other; a neighbour's key is not absent. */
static void test_wrong_question(void **state)
{
	(void)state;
	struct cs_bytes value;
	bool found;
	for (size_t i = 0; i < PUBLISHED; i++) {
		const struct published *p = published(i);
		if (p->value.n > 0)
			assert_err(cmt_ics23_absence(p->spec, &p->root, p->proof, p->key),
				   CS_ERR_BAD_PROOF);
		else
			assert_err(cmt_ics23_membership(p->spec, &p->root, p->proof, p->key,
							CS_BYTES_NONE),
				   CS_ERR_BAD_PROOF);
		assert_err(cmt_ics23_lookup(&found, &value, p->spec, &p->root, p->proof,
					    CS_BYTES_NONE),
			   CS_ERR_INVALID);
	}
}

/* ---- a Cosmos SDK chain ---- */

struct recorded {
	struct cmt_ics23_store store;
	struct cs_bytes key, value;
	struct cs_hash app_hash; /* of the header above the height of the query */
};

static struct recorded recorded(const char *query)
{
	const json_t *json = read_vector(query);
	const json_t *response = at_path(json, "result.response");
	const json_t *ops = at_path(response, "proofOps.ops");
	json_t *next = read_vector(COSMOS "light_block_57.json");
	struct recorded r = {.key = base64_of(json_object_get(response, "key")),
			     .value = base64_of(json_object_get(response, "value"))};
	assert_string_equal(text_of(json_array_get(ops, 0), "type"), cmt_ics23_iavl.op_type);
	assert_string_equal(text_of(json_array_get(ops, 1), "type"), cmt_ics23_tendermint.op_type);
	r.store.key_proof = base64_of(at_path(ops, "0.data"));
	r.store.name = base64_of(at_path(ops, "1.key"));
	r.store.store_proof = base64_of(at_path(ops, "1.data"));
	/* The block is what its commit is for: the hash is the header's own. */
	struct cmt_header header = header_of(at_path(next, "commit.signed_header.header"));
	struct cs_bytes app_hash = cmt_header_app_hash(&header);
	assert_int_equal(app_hash.n, sizeof r.app_hash.b);
	memcpy(r.app_hash.b, app_hash.p, app_hash.n);
	assert_hash(r.app_hash, hash_of(read_vector(COSMOS "INDEX.json"), "app_hash"));
	return r;
}

static void test_cosmos_sdk(void **state)
{
	(void)state;
	struct recorded r = recorded(COSMOS "abci_query_bank_proof.json");
	struct cs_bytes value;
	bool found = false;
	assert_bytes(r.store.name, cs_bytes_str("bank"));
	assert_ok(cmt_ics23_lookup_store(&found, &value, &r.app_hash, &r.store, r.key));
	assert_true(found);
	assert_bytes(value, r.value);
	assert_bytes(value, cs_bytes_str("777"));
	/* In the header of the query's own height the state is not yet. */
	json_t *before = read_vector(COSMOS "light_block_56.json");
	struct cmt_header header = header_of(at_path(before, "commit.signed_header.header"));
	struct cs_hash early;
	memcpy(early.b, cmt_header_app_hash(&header).p, sizeof early.b);
	assert_err(cmt_ics23_lookup_store(&found, &value, &early, &r.store, r.key),
		   CS_ERR_BAD_PROOF);
	r.store.name = cs_bytes_str("banc");
	assert_err(cmt_ics23_lookup_store(&found, &value, &r.app_hash, &r.store, r.key),
		   CS_ERR_BAD_PROOF);

	r = recorded(COSMOS "abci_query_absence_proof.json");
	assert_ok(cmt_ics23_lookup_store(&found, &value, &r.app_hash, &r.store, r.key));
	assert_false(found);
	assert_int_equal(value.n, 0);
	/* Not of the key that is there, and no proof of the store in the other's place. */
	struct recorded there = recorded(COSMOS "abci_query_bank_proof.json");
	assert_err(cmt_ics23_lookup_store(&found, &value, &r.app_hash, &r.store, there.key),
		   CS_ERR_BAD_PROOF);
	there.store.key_proof = r.store.store_proof;
	assert_err(cmt_ics23_lookup_store(&found, &value, &r.app_hash, &there.store, there.key),
		   CS_ERR_BAD_PROOF);
	there.store.store_proof = r.store.key_proof;
	assert_err(cmt_ics23_lookup_store(&found, &value, &r.app_hash, &there.store, there.key),
		   CS_ERR_BAD_PROOF);
}

static void test_cosmos_sdk_every_flip(void **state)
{
	(void)state;
	struct recorded r = recorded(COSMOS "abci_query_bank_proof.json");
	struct cs_bytes *proofs[] = {&r.store.key_proof, &r.store.store_proof};
	struct cs_bytes value;
	bool found;
	for (size_t i = 0; i < CS_LEN(proofs); i++) {
		struct cs_bytes whole = *proofs[i];
		for (size_t at = 0; at < whole.n; at++) {
			*proofs[i] = flipped(whole, at, (uint8_t)(1u << at % 8));
			assert_int_not_equal(cmt_ics23_lookup_store(&found, &value, &r.app_hash,
								    &r.store, r.key),
					     CS_OK);
		}
		*proofs[i] = whole;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published),
		cmocka_unit_test(test_every_flip),
		cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_swapped),
		cmocka_unit_test(test_wrong_question),
		cmocka_unit_test(test_cosmos_sdk),
		cmocka_unit_test(test_cosmos_sdk_every_flip),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
