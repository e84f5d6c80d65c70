/* Proofs made here: single operations as cosmos/ics23 publishes them, sparse trees, and what could
 * pass for something else. */
#include "tests/unit/cometbft/values.h"
#include "verify/cometbft/ics23.h"

#define STEPS_MAX 300u

/* ---- proofs made here: the writer of a prover, with whatever operations ---- */

struct made_step {
	uint64_t hash;
	struct cs_bytes prefix, suffix;
};

struct made {
	struct cs_bytes key, value;
	uint64_t hash, prehash_key, prehash_value, length;
	struct cs_bytes prefix;
	bool has_leaf;
	size_t depth;
	struct made_step path[STEPS_MAX];
};

static void put_made(struct cs_buf *buf, uint32_t field, const struct made *m)
{
	size_t outer = cs_pb_begin(buf, field), inner;
	cs_pb_put_bytes(buf, 1, m->key);
	cs_pb_put_bytes(buf, 2, m->value);
	if (m->has_leaf) {
		inner = cs_pb_begin(buf, 3);
		cs_pb_put_uint(buf, 1, m->hash);
		cs_pb_put_uint(buf, 2, m->prehash_key);
		cs_pb_put_uint(buf, 3, m->prehash_value);
		cs_pb_put_uint(buf, 4, m->length);
		cs_pb_put_bytes(buf, 5, m->prefix);
		cs_pb_end(buf, inner);
	}
	for (size_t i = 0; i < m->depth; i++) {
		inner = cs_pb_begin(buf, 4);
		cs_pb_put_uint(buf, 1, m->path[i].hash);
		cs_pb_put_bytes(buf, 2, m->path[i].prefix);
		cs_pb_put_bytes(buf, 3, m->path[i].suffix);
		cs_pb_end(buf, inner);
	}
	cs_pb_end(buf, outer);
}

static struct cs_bytes exist_proof(const struct made *m)
{
	struct cs_buf buf = test_buf(CMT_ICS23_PROOF_SIZE_MAX);
	put_made(&buf, 1, m);
	assert_ok(cs_buf_end(&buf));
	return cs_buf_view(&buf);
}

static struct cs_bytes absence_proof(const struct made *left, const struct made *right)
{
	struct cs_buf buf = test_buf(2 * CMT_ICS23_PROOF_SIZE_MAX);
	size_t outer = cs_pb_begin(&buf, 2);
	if (left != NULL)
		put_made(&buf, 2, left);
	if (right != NULL)
		put_made(&buf, 3, right);
	cs_pb_end(&buf, outer);
	assert_ok(cs_buf_end(&buf));
	return cs_buf_view(&buf);
}

static struct cs_hash climb(struct cs_hash hash, const struct made *m)
{
	for (size_t i = 0; i < m->depth; i++) {
		struct cs_hash child = hash;
		const struct cs_bytes node[] = {m->path[i].prefix, CS_BYTES_OF(child.b),
						m->path[i].suffix};
		hash = cs_sha256_join(node, CS_LEN(node));
	}
	return hash;
}

static struct made made_of(const json_t *json)
{
	const json_t *leaf = json_object_get(json, "leaf"), *step;
	struct made m = {.key = base64_of(json_object_get(json, "key")),
			 .value = base64_of(json_object_get(json, "value")),
			 .has_leaf = json_is_object(leaf)};
	size_t i;
	m.hash = (uint64_t)i64_at(leaf, "hash");
	m.prehash_key = (uint64_t)i64_at(leaf, "prehash_key");
	m.prehash_value = (uint64_t)i64_at(leaf, "prehash_value");
	m.length = (uint64_t)i64_at(leaf, "length");
	m.prefix = base64_of(json_object_get(leaf, "prefix"));
	json_array_foreach(json_object_get(json, "path"), i, step) m.path[m.depth++] =
		(struct made_step){(uint64_t)i64_at(step, "hash"),
				   base64_of(json_object_get(step, "prefix")),
				   base64_of(json_object_get(step, "suffix"))};
	return m;
}

static struct cs_hash root_of_base64(const json_t *text)
{
	struct cs_hash hash;
	struct cs_bytes bytes = base64_of(text);
	assert_int_equal(bytes.n, sizeof hash.b);
	memcpy(hash.b, bytes.p, sizeof hash.b);
	return hash;
}

/* The specs that say what an operation of a vector may be; false: no tree here is so. */
static bool leaf_spec(struct cmt_ics23_spec *spec, const struct made *m)
{
	if (m->hash != 1 || m->prehash_key > 1 || m->prehash_value > 1 || m->length > 1)
		return false;
	*spec = cmt_ics23_tendermint;
	spec->leaf_prefix = m->prefix;
	spec->prehash_key = m->prehash_key == 1;
	spec->prehash_value = m->prehash_value == 1;
	spec->length_prefix = m->length == 1;
	return true;
}

static struct made made_leaf(const json_t *row, const json_t *op)
{
	struct made m = made_of(row);
	m.key = base64_of(json_object_get(row, "Key"));
	m.value = base64_of(json_object_get(row, "Value"));
	m.has_leaf = true;
	m.hash = (uint64_t)i64_at(op, "hash");
	m.prehash_key = (uint64_t)i64_at(op, "prehash_key");
	m.prehash_value = (uint64_t)i64_at(op, "prehash_value");
	m.length = (uint64_t)i64_at(op, "length");
	m.prefix = base64_of(json_object_get(op, "prefix"));
	return m;
}

static const struct cmt_ics23_spec *const specs[] = {&cmt_ics23_iavl, &cmt_ics23_tendermint,
						     &cmt_ics23_smt};

static void refused_by_all(const struct made *m)
{
	struct cs_hash root = {{0}};
	for (size_t i = 0; i < CS_LEN(specs); i++)
		assert_err(cmt_ics23_membership(specs[i], &root, exist_proof(m), m->key, m->value),
			   m->has_leaf ? CS_ERR_BAD_PROOF : CS_ERR_MISSING_FIELD);
}

static void test_leaf_operations(void **state)
{
	(void)state;
	const char *name;
	json_t *row, *rows = read_vector("../ics23/TestLeafOpData.json");
	size_t done = 0;
	json_object_foreach(rows, name, row)
	{
		struct made m = made_leaf(row, json_object_get(row, "Op"));
		struct cmt_ics23_spec spec;
		if (m.key.n == 0 || m.value.n == 0) {
			assert_true(json_is_true(json_object_get(row, "IsErr")));
			m.key = m.key.n > 0 ? m.key : cs_bytes_str("k");
			refused_by_all(&m);
		} else if (!leaf_spec(&spec, &m)) {
			refused_by_all(&m);
		} else {
			struct cs_hash root = root_of_base64(json_object_get(row, "Expected"));
			assert_ok(cmt_ics23_membership(&spec, &root, exist_proof(&m), m.key,
						       m.value));
			done++;
		}
	}
	assert_true(done >= 4);
}

static void test_existence_data(void **state)
{
	(void)state;
	const char *name;
	json_t *row, *rows = read_vector("../ics23/TestExistenceProofData.json");
	size_t done = 0;
	json_object_foreach(rows, name, row)
	{
		struct made m = made_of(json_object_get(row, "Proof"));
		struct cmt_ics23_spec spec;
		if (json_is_true(json_object_get(row, "IsErr"))) {
			refused_by_all(&m);
			continue;
		}
		assert_true(leaf_spec(&spec, &m));
		struct cs_hash root = root_of_base64(json_object_get(row, "Expected"));
		enum cs_err err =
			cmt_ics23_membership(&spec, &root, exist_proof(&m), m.key, m.value);
		/* A step that begins with no tree's prefix is computed there, and refused by specs. */
		assert_err(err, m.depth > 0 ? CS_ERR_BAD_PROOF : CS_OK);
		refused_by_all(&m);
		done++;
	}
	assert_int_equal(done, 4);
}

/* A leaf's operation against another's: the proof has the right root, so that only the spec can
 * refuse it. */
static void test_check_leaf(void **state)
{
	(void)state;
	const char *name;
	json_t *row, *rows = read_vector("../ics23/TestCheckLeafData.json");
	size_t refused = 0;
	json_object_foreach(rows, name, row)
	{
		json_t *leaf = json_object_get(row, "Leaf"), *other = json_object_get(row, "Spec");
		struct made m = made_leaf(row, leaf), want = made_leaf(row, other);
		bool is_err = json_is_true(json_object_get(row, "IsErr"));
		struct cmt_ics23_spec spec;
		m.key = m.value = cs_bytes_str("x");
		refused_by_all(&m);
		/* Those with SHA-512 are asked of SHA-256: only whether the two agree is asked. */
		if (want.hash == 0 && want.prefix.n == 0)
			continue;
		m.hash = m.hash == 2 ? 1 : m.hash == 1 && want.hash == 2 ? 2 : m.hash;
		want.hash = 1;
		assert_true(leaf_spec(&spec, &want));
		struct cs_bytes x = cs_bytes_str("x");
		struct cs_hash hashed = cs_sha256(x);
		const uint8_t one = 1, size = sizeof hashed.b;
		const struct cs_bytes pieces[] = {
			m.prefix,
			m.length == 0 ? CS_BYTES_NONE : cs_bytes(m.prehash_key ? &size : &one, 1),
			m.prehash_key ? CS_BYTES_OF(hashed.b) : x,
			m.length == 0 ? CS_BYTES_NONE : cs_bytes(m.prehash_value ? &size : &one, 1),
			m.prehash_value ? CS_BYTES_OF(hashed.b) : x,
		};
		struct cs_hash root = cs_sha256_join(pieces, CS_LEN(pieces));
		enum cs_err err =
			cmt_ics23_membership(&spec, &root, exist_proof(&m), m.key, m.value);
		assert_int_equal(err == CS_OK, !is_err);
		refused += is_err;
	}
	assert_true(refused >= 4);
}

static void test_check_against_spec(void **state)
{
	(void)state;
	const char *name;
	json_t *row, *rows = read_vector("../ics23/TestCheckAgainstSpecData.json");
	size_t good = 0, bad = 0;
	json_object_foreach(rows, name, row)
	{
		struct made m = made_of(json_object_get(row, "Proof"));
		const json_t *limits = json_object_get(row, "Spec");
		struct cmt_ics23_spec spec = cmt_ics23_iavl;
		spec.depth_min = (size_t)i64_at(limits, "min_depth");
		spec.depth_max = (size_t)i64_at(limits, "max_depth");
		const uint8_t sizes[] = {(uint8_t)m.key.n, 32};
		struct cs_hash value = cs_sha256(m.value);
		const struct cs_bytes leaf[] = {m.prefix, cs_bytes(sizes, 1), m.key,
						cs_bytes(sizes + 1, 1), CS_BYTES_OF(value.b)};
		struct cs_hash root = climb(cs_sha256_join(leaf, CS_LEN(leaf)), &m);
		if (m.key.n == 0)
			m.key = cs_bytes_str("k");
		enum cs_err err =
			cmt_ics23_membership(&spec, &root, exist_proof(&m), m.key, m.value);
		bool is_err = *text_of(row, "Err") != 0;
		if ((err == CS_OK) == is_err)
			fail_msg("%s: %s", name, cs_err_name(err));
		good += !is_err;
		bad += is_err;
	}
	assert_int_equal(good, 3);
	assert_true(bad >= 7);
}

/* Hash operations by their number: SHA-256 is the only one that leads anywhere. */
static void test_hash_operations(void **state)
{
	(void)state;
	const char *name;
	json_t *row, *rows = read_vector("../ics23/TestDoHashData.json");
	json_object_foreach(rows, name, row)
	{
		struct made m = {.key = cs_bytes_str("k"),
				 .value = cs_bytes_str("v"),
				 .has_leaf = true,
				 .hash = (uint64_t)i64_at(row, "HashOp"),
				 .prehash_value = 1,
				 .length = 1,
				 .prefix = unhex("00")};
		if (m.hash == 1)
			assert_hash(cs_sha256(cs_bytes_str("food")), hash_of(row, "ExpectedHash"));
		else
			refused_by_all(&m);
	}
}

/* ---- a sparse tree of the ledger's kind ---- */

static struct cs_hash smt_leaf(struct cs_bytes key, struct cs_bytes value)
{
	struct cs_hash k = cs_sha256(key), v = cs_sha256(value);
	const struct cs_bytes pieces[] = {unhex("00"), CS_BYTES_OF(k.b), CS_BYTES_OF(v.b)};
	return cs_sha256_join(pieces, CS_LEN(pieces));
}

static struct made smt_made(const char *key, const char *value)
{
	return (struct made){.key = cs_bytes_str(key),
			     .value = cs_bytes_str(value),
			     .has_leaf = true,
			     .hash = 1,
			     .prehash_key = 1,
			     .prehash_value = 1,
			     .prefix = unhex("00")};
}

/* Puts a step above: the made one is on that side of its parent, `other` on the other. */
static void rise(struct made *m, bool is_right, struct cs_hash other)
{
	uint8_t *p = keep(33);
	struct made_step *step = &m->path[m->depth++];
	p[0] = 1;
	*step = (struct made_step){1, cs_bytes(p, 1), CS_BYTES_NONE};
	memcpy(p + 1, other.b, sizeof other.b);
	if (is_right)
		step->prefix.n = 33;
	else
		step->suffix = cs_bytes(p + 1, 32);
}

static struct cs_hash smt_root(const struct made *m)
{
	return climb(smt_leaf(m->key, m->value), m);
}

/* Keys in the order of their hashes. */
static void three_keys(char keys[3][16])
{
	for (size_t n = 0, next = 0; next < 3; n++) {
		(void)snprintf(keys[next], 16, "key%zu", n);
		struct cs_hash hash = cs_sha256(cs_bytes_str(keys[next]));
		/* First bits 0, 10 and 11. */
		const uint8_t top = hash.b[0] >> 6;
		if ((next == 0 && top < 2) || (next == 1 && top == 2) || (next == 2 && top == 3))
			next++;
	}
}

/* A tree of the first and the last key; the middle one is absent between them. */
static void test_sparse_tree(void **state)
{
	(void)state;
	const struct cs_hash none = {{0}};
	char keys[3][16];
	three_keys(keys);
	struct made a = smt_made(keys[0], "a"), c = smt_made(keys[2], "c");
	struct cs_hash leaf_a = smt_leaf(a.key, a.value), leaf_c = smt_leaf(c.key, c.value);
	rise(&a, false, leaf_c);
	rise(&c, true, leaf_a);
	struct cs_hash root = smt_root(&a);
	assert_hash(smt_root(&c), root);
	struct cs_bytes middle = cs_bytes_str(keys[1]);
	assert_ok(cmt_ics23_absence(&cmt_ics23_smt, &root, absence_proof(&a, &c), middle));
	assert_ok(cmt_ics23_membership(&cmt_ics23_smt, &root, exist_proof(&a), a.key, a.value));
	/* One neighbour is not enough where there is another, and neither is none. */
	assert_err(cmt_ics23_absence(&cmt_ics23_smt, &root, absence_proof(&a, NULL), middle),
		   CS_ERR_BAD_PROOF);
	assert_err(cmt_ics23_absence(&cmt_ics23_smt, &root, absence_proof(NULL, &c), middle),
		   CS_ERR_BAD_PROOF);
	assert_err(cmt_ics23_absence(&cmt_ics23_smt, &root, absence_proof(NULL, NULL), middle),
		   CS_ERR_BAD_PROOF);
	/* Exchanged, or the same twice. */
	assert_err(cmt_ics23_absence(&cmt_ics23_smt, &root, absence_proof(&c, &a), middle),
		   CS_ERR_BAD_PROOF);
	assert_err(cmt_ics23_absence(&cmt_ics23_smt, &root, absence_proof(&a, &a), middle),
		   CS_ERR_BAD_PROOF);
	/* A key that is there. */
	assert_err(cmt_ics23_absence(&cmt_ics23_smt, &root, absence_proof(&a, &c), a.key),
		   CS_ERR_BAD_PROOF);
	assert_err(cmt_ics23_absence(&cmt_ics23_smt, &root, absence_proof(&a, &c), c.key),
		   CS_ERR_BAD_PROOF);

	/* Below a node whose other side is empty, both stay what they are. */
	struct made deep_a = a, deep_c = c;
	rise(&deep_a, true, none);
	rise(&deep_c, true, none);
	root = smt_root(&deep_a);
	assert_ok(
		cmt_ics23_absence(&cmt_ics23_smt, &root, absence_proof(&deep_a, &deep_c), middle));
	assert_err(cmt_ics23_absence(&cmt_ics23_smt, &root, absence_proof(NULL, &deep_c), middle),
		   CS_ERR_BAD_PROOF);
}

/* All on the right of an empty subtree: the first leaf is the first nevertheless. */
static void test_empty_sides(void **state)
{
	(void)state;
	const struct cs_hash none = {{0}}, some = {{1}};
	char keys[3][16];
	three_keys(keys);
	struct cs_bytes first = cs_bytes_str(keys[0]);
	struct made c = smt_made(keys[2], "c");
	rise(&c, true, none);
	rise(&c, true, none);
	struct cs_hash root = smt_root(&c);
	assert_ok(cmt_ics23_absence(&cmt_ics23_smt, &root, absence_proof(NULL, &c), first));
	c.depth = 0;
	rise(&c, true, none);
	rise(&c, true, some);
	root = smt_root(&c);
	assert_err(cmt_ics23_absence(&cmt_ics23_smt, &root, absence_proof(NULL, &c), first),
		   CS_ERR_BAD_PROOF);
	/* A tree of one leaf has no path, and nobody else. */
	c.depth = 0;
	root = smt_root(&c);
	assert_ok(cmt_ics23_absence(&cmt_ics23_smt, &root, absence_proof(NULL, &c), first));
	assert_err(cmt_ics23_absence(&cmt_ics23_smt, &root, absence_proof(&c, &c), first),
		   CS_ERR_BAD_PROOF);
	/* Trees without empty places take zeros for a hash. */
	struct made t = {.key = cs_bytes_str("k"),
			 .value = cs_bytes_str("v"),
			 .has_leaf = true,
			 .hash = 1,
			 .prehash_value = 1,
			 .length = 1,
			 .prefix = unhex("00")};
	rise(&t, true, none);
	const uint8_t one = 1, size = 32;
	struct cs_hash hashed = cs_sha256(t.value);
	const struct cs_bytes leaf[] = {t.prefix, cs_bytes(&one, 1), t.key, cs_bytes(&size, 1),
					CS_BYTES_OF(hashed.b)};
	root = climb(cs_sha256_join(leaf, CS_LEN(leaf)), &t);
	assert_ok(cmt_ics23_membership(&cmt_ics23_tendermint, &root, exist_proof(&t), t.key,
				       t.value));
	assert_err(cmt_ics23_absence(&cmt_ics23_tendermint, &root, absence_proof(NULL, &t),
				     cs_bytes_str("a")),
		   CS_ERR_BAD_PROOF);
}

/* The published steps beside an empty subtree, under trees with another mark for it. */
static void test_empty_branches(void **state)
{
	(void)state;
	json_t *row, *rows = read_vector("../ics23/TestEmptyBranchData.json");
	size_t i, empty = 0;
	json_array_foreach(rows, i, row)
	{
		const json_t *op = json_object_get(row, "Op");
		struct cmt_ics23_spec spec = cmt_ics23_smt;
		struct cs_bytes mark =
			base64_of(json_object_get(at_path(row, "Spec.inner_spec"), "empty_child"));
		char keys[3][16];
		three_keys(keys);
		assert_true(mark.n == 0 || mark.n == 32);
		spec.empty_child = mark.n > 0 ? mark.p : NULL;
		struct made m = smt_made(keys[1], "v");
		m.path[m.depth++] = (struct made_step){(uint64_t)i64_at(op, "hash"),
						       base64_of(json_object_get(op, "prefix")),
						       base64_of(json_object_get(op, "suffix"))};
		struct cs_hash root = smt_root(&m);
		bool is_left = json_is_true(json_object_get(row, "IsLeft"));
		bool is_right = json_is_true(json_object_get(row, "IsRight"));
		/* The outermost is also one with nothing but its own place on that side. */
		bool first = m.path[0].prefix.n == 1 && m.path[0].suffix.n == 32;
		bool last = m.path[0].prefix.n == 33 && m.path[0].suffix.n == 0;
		enum cs_err below = cmt_ics23_absence(&spec, &root, absence_proof(NULL, &m),
						      cs_bytes_str(keys[0]));
		enum cs_err above = cmt_ics23_absence(&spec, &root, absence_proof(&m, NULL),
						      cs_bytes_str(keys[2]));
		assert_err(below, is_left || first ? CS_OK : CS_ERR_BAD_PROOF);
		assert_err(above, is_right || last ? CS_OK : CS_ERR_BAD_PROOF);
		empty += is_left + is_right;
	}
	assert_true(empty >= 2);
}

/* ---- what could pass for something else ---- */

static void refuse(const struct made *m)
{
	struct cs_hash root = smt_root(m);
	assert_err(cmt_ics23_membership(&cmt_ics23_smt, &root, exist_proof(m), m->key, m->value),
		   CS_ERR_BAD_PROOF);
}

static void test_malleable(void **state)
{
	(void)state;
	const struct cs_hash some = {{1}};
	struct made good = smt_made("key", "value"), m;
	rise(&good, false, some);
	struct cs_hash root = smt_root(&good);
	assert_ok(cmt_ics23_membership(&cmt_ics23_smt, &root, exist_proof(&good), good.key,
				       good.value));
	/* An inner node that begins as a leaf does, or with anything else. */
	m = good;
	m.path[0].prefix = unhex("00");
	refuse(&m);
	m.path[0].prefix = unhex("02");
	refuse(&m);
	m.path[0].prefix = CS_BYTES_NONE;
	refuse(&m);
	/* Two children beside the own one; a part of one. */
	m = good;
	m.path[0].prefix = cs_bytes(memset(keep(33), 1, 33), 33);
	refuse(&m);
	m = good;
	m.path[0].suffix.n = 31;
	refuse(&m);
	/* A suffix of two children, which no node has. */
	m = good;
	m.path[0].suffix = cs_bytes(keep(64), 64);
	refuse(&m);
	m.path[0].suffix = cs_bytes(keep(65), 65);
	root = smt_root(&m);
	assert_err(cmt_ics23_membership(&cmt_ics23_smt, &root, exist_proof(&m), m.key, m.value),
		   CS_ERR_TOO_LARGE);
	/* A leaf whose prefix swallows a part of what is hashed. */
	m = smt_made("key", "value");
	m.prefix = unhex("0000");
	struct cs_hash k = cs_sha256(m.key), v = cs_sha256(m.value);
	const struct cs_bytes pieces[] = {m.prefix, CS_BYTES_OF(k.b), CS_BYTES_OF(v.b)};
	root = cs_sha256_join(pieces, CS_LEN(pieces));
	assert_err(cmt_ics23_membership(&cmt_ics23_smt, &root, exist_proof(&m), m.key, m.value),
		   CS_ERR_BAD_PROOF);
	/* Another hash along the way. */
	m = good;
	m.path[0].hash = 3;
	refuse(&m);
}

/* As long as a key's hash has bits, and no longer. */
static void test_depth(void **state)
{
	(void)state;
	const struct cs_hash some = {{1}};
	struct made m = smt_made("key", "value");
	while (m.depth < CMT_ICS23_DEPTH_MAX)
		rise(&m, m.depth % 2 == 0, some);
	struct cs_hash root = smt_root(&m);
	assert_ok(cmt_ics23_membership(&cmt_ics23_smt, &root, exist_proof(&m), m.key, m.value));
	rise(&m, false, some);
	root = smt_root(&m);
	assert_err(cmt_ics23_membership(&cmt_ics23_smt, &root, exist_proof(&m), m.key, m.value),
		   CS_ERR_TOO_LARGE);
	m.depth = 0;
	while (m.depth <= 128)
		rise(&m, false, some);
	struct cmt_ics23_spec spec = cmt_ics23_smt;
	spec.depth_max = 0;
	root = smt_root(&m);
	assert_err(cmt_ics23_membership(&spec, &root, exist_proof(&m), m.key, m.value),
		   CS_ERR_BAD_PROOF);
	m.depth--;
	root = smt_root(&m);
	assert_ok(cmt_ics23_membership(&spec, &root, exist_proof(&m), m.key, m.value));
}

static void test_sizes_and_kinds(void **state)
{
	(void)state;
	const struct cs_hash root = {{0}};
	struct cs_bytes value, key = cs_bytes_str("key");
	bool found;
	struct cs_bytes large =
		cs_bytes(keep(CMT_ICS23_PROOF_SIZE_MAX + 1), CMT_ICS23_PROOF_SIZE_MAX + 1);
	assert_err(cmt_ics23_lookup(&found, &value, &cmt_ics23_smt, &root, large, key),
		   CS_ERR_TOO_LARGE);
	/* Batches, and no kind at all. */
	const char *const unsupported[] = {"1a00", "2200"};
	for (size_t i = 0; i < CS_LEN(unsupported); i++)
		assert_err(cmt_ics23_lookup(&found, &value, &cmt_ics23_smt, &root,
					    unhex(unsupported[i]), key),
			   CS_ERR_UNSUPPORTED);
	assert_err(cmt_ics23_lookup(&found, &value, &cmt_ics23_smt, &root, CS_BYTES_NONE, key),
		   CS_ERR_MISSING_FIELD);
	assert_err(cmt_ics23_lookup(&found, &value, &cmt_ics23_smt, &root, unhex("2a00"), key),
		   CS_ERR_MISSING_FIELD);
	/* Both kinds at once. */
	struct made m = smt_made("key", "value");
	struct cs_bytes one = exist_proof(&m), other = absence_proof(&m, NULL);
	uint8_t *both = keep(one.n + other.n);
	memcpy(both, one.p, one.n);
	memcpy(both + one.n, other.p, other.n);
	assert_err(cmt_ics23_lookup(&found, &value, &cmt_ics23_smt, &root,
				    cs_bytes(both, one.n + other.n), key),
		   CS_ERR_UNKNOWN_FIELD);
	/* No leaf. */
	m.has_leaf = false;
	assert_err(cmt_ics23_lookup(&found, &value, &cmt_ics23_smt, &root, exist_proof(&m), key),
		   CS_ERR_MISSING_FIELD);
	/* A key longer than any. */
	m = smt_made("key", "value");
	m.key = cs_bytes(keep(CMT_ICS23_KEY_SIZE_MAX + 1), CMT_ICS23_KEY_SIZE_MAX + 1);
	assert_err(cmt_ics23_lookup(&found, &value, &cmt_ics23_smt, &root, exist_proof(&m), key),
		   CS_ERR_TOO_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_leaf_operations), cmocka_unit_test(test_existence_data),
		cmocka_unit_test(test_check_leaf),      cmocka_unit_test(test_check_against_spec),
		cmocka_unit_test(test_hash_operations), cmocka_unit_test(test_sparse_tree),
		cmocka_unit_test(test_empty_sides),     cmocka_unit_test(test_empty_branches),
		cmocka_unit_test(test_malleable),       cmocka_unit_test(test_depth),
		cmocka_unit_test(test_sizes_and_kinds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
