#include "verify/cometbft/ics23.h"

#include "core/pb.h"

#include <string.h>

/* HashOp and LengthOp of proofs.proto. */
#define HASH_NONE 0u
#define HASH_SHA256 1u
#define LENGTH_NONE 0u
#define LENGTH_VAR_PROTO 1u

#define HASH_SIZE sizeof(struct cs_hash)

static const uint8_t LEAF_PREFIX[] = {0};
static const uint8_t INNER_PREFIX[] = {1};
static const uint8_t EMPTY_CHILD[HASH_SIZE] = {0};

const struct cmt_ics23_spec cmt_ics23_iavl = {
	.op_type = "ics23:iavl",
	.is_iavl = true,
	.leaf_prefix = {LEAF_PREFIX, sizeof LEAF_PREFIX},
	.prehash_value = true,
	.length_prefix = true,
	.child_size = 33,
	.prefix_min = 4,
	.prefix_max = 12,
};
const struct cmt_ics23_spec cmt_ics23_tendermint = {
	.op_type = "ics23:simple",
	.leaf_prefix = {LEAF_PREFIX, sizeof LEAF_PREFIX},
	.prehash_value = true,
	.length_prefix = true,
	.child_size = 32,
	.prefix_min = 1,
	.prefix_max = 1,
};
const struct cmt_ics23_spec cmt_ics23_smt = {
	.op_type = "ics23:smt",
	.leaf_prefix = {LEAF_PREFIX, sizeof LEAF_PREFIX},
	.prehash_key = true,
	.prehash_value = true,
	.child_size = 32,
	.prefix_min = 1,
	.prefix_max = 1,
	.empty_child = EMPTY_CHILD,
	.depth_max = CMT_ICS23_DEPTH_MAX,
	.hashed_order = true,
};

/* ---- reading ---- */

struct leaf {
	uint64_t hash, prehash_key, prehash_value, length;
	struct cs_bytes prefix;
};

struct step {
	uint64_t hash;
	struct cs_bytes prefix, suffix;
};

struct existence {
	struct cs_bytes key, value;
	struct leaf leaf;
	struct step path[CMT_ICS23_DEPTH_MAX]; /* from the leaf up */
	size_t depth;
};

struct proof {
	bool exists; /* `left` is the key's own proof */
	bool has_left, has_right;
	struct existence left, right;
};

static void get_leaf(struct cs_pb *pb, struct leaf *leaf)
{
	struct cs_pb inner;
	cs_pb_enter_required(pb, 3, &inner);
	leaf->hash = cs_pb_uint(&inner, 1, UINT32_MAX);
	leaf->prehash_key = cs_pb_uint(&inner, 2, UINT32_MAX);
	leaf->prehash_value = cs_pb_uint(&inner, 3, UINT32_MAX);
	leaf->length = cs_pb_uint(&inner, 4, UINT32_MAX);
	leaf->prefix = cs_pb_bytes(&inner, 5, CMT_ICS23_AFFIX_SIZE_MAX);
	cs_pb_leave(pb, &inner);
}

/* Fills `e` and closes the reader. */
static void get_existence(struct cs_pb *pb, struct cs_pb *inner, struct existence *e)
{
	struct cs_pb one;
	e->key = cs_pb_bytes(inner, 1, CMT_ICS23_KEY_SIZE_MAX);
	e->value = cs_pb_bytes(inner, 2, CMT_ICS23_PROOF_SIZE_MAX);
	get_leaf(inner, &e->leaf);
	for (e->depth = 0; cs_pb_enter(inner, 4, &one); e->depth++) {
		if (e->depth == CMT_ICS23_DEPTH_MAX) {
			cs_pb_fail(inner, CS_ERR_TOO_LARGE);
			break;
		}
		struct step *step = &e->path[e->depth];
		step->hash = cs_pb_uint(&one, 1, UINT32_MAX);
		step->prefix = cs_pb_bytes(&one, 2, CMT_ICS23_AFFIX_SIZE_MAX);
		step->suffix = cs_pb_bytes(&one, 3, CMT_ICS23_AFFIX_SIZE_MAX);
		cs_pb_leave(inner, &one);
	}
	cs_pb_leave(pb, inner);
}

/* The key that an absence proof names is the prover's note (for some trees a hash): the caller's is
 * compared with the neighbours. */
static void get_absence(struct cs_pb *pb, struct cs_pb *inner, struct proof *proof)
{
	struct cs_pb side;
	(void)cs_pb_bytes(inner, 1, CMT_ICS23_KEY_SIZE_MAX);
	proof->has_left = cs_pb_enter(inner, 2, &side);
	if (proof->has_left)
		get_existence(inner, &side, &proof->left);
	proof->has_right = cs_pb_enter(inner, 3, &side);
	if (proof->has_right)
		get_existence(inner, &side, &proof->right);
	cs_pb_leave(pb, inner);
}

static enum cs_err decode(struct proof *proof, struct cs_bytes bytes)
{
	struct cs_pb pb, inner;
	if (bytes.n > CMT_ICS23_PROOF_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	cs_pb_open(&pb, bytes);
	if (cs_pb_is_next(&pb, 3) || cs_pb_is_next(&pb, 4))
		return CS_ERR_UNSUPPORTED;
	proof->exists = proof->has_left = cs_pb_enter(&pb, 1, &inner);
	proof->has_right = false;
	if (proof->exists)
		get_existence(&pb, &inner, &proof->left);
	else if (cs_pb_enter(&pb, 2, &inner))
		get_absence(&pb, &inner, proof);
	else
		cs_pb_fail(&pb, CS_ERR_MISSING_FIELD);
	return cs_pb_close(&pb);
}

/* ---- against the spec ---- */

static bool begins_with(struct cs_bytes bytes, struct cs_bytes prefix)
{
	return bytes.n >= prefix.n && (prefix.n == 0 || memcmp(bytes.p, prefix.p, prefix.n) == 0);
}

/* Signed varints of Go's encoding/binary: zigzag. */
static enum cs_err take_number(struct cs_bytes *rest, uint64_t *number)
{
	uint64_t zigzag;
	CS_TRY(cs_pb_take_varint(rest, &zigzag));
	if (zigzag & 1)
		return CS_ERR_BAD_PROOF;
	*number = zigzag >> 1;
	return CS_OK;
}

/* Height, size and version of a node; what comes behind them stays in *prefix. */
static enum cs_err check_iavl(struct cs_bytes *prefix, size_t layer)
{
	uint64_t height, size, version;
	CS_TRY(take_number(prefix, &height));
	CS_TRY(take_number(prefix, &size));
	CS_TRY(take_number(prefix, &version));
	if (layer == 0)
		return height == 0 && size == 1 ? CS_OK : CS_ERR_BAD_PROOF;
	return height >= layer ? CS_OK : CS_ERR_BAD_PROOF;
}

static enum cs_err check_leaf(const struct leaf *leaf, const struct cmt_ics23_spec *spec)
{
	struct cs_bytes prefix = leaf->prefix;
	if (leaf->hash != HASH_SHA256 ||
	    leaf->prehash_key != (spec->prehash_key ? HASH_SHA256 : HASH_NONE) ||
	    leaf->prehash_value != (spec->prehash_value ? HASH_SHA256 : HASH_NONE) ||
	    leaf->length != (spec->length_prefix ? LENGTH_VAR_PROTO : LENGTH_NONE) ||
	    !begins_with(prefix, spec->leaf_prefix))
		return CS_ERR_BAD_PROOF;
	if (!spec->is_iavl)
		return prefix.n == spec->leaf_prefix.n ? CS_OK : CS_ERR_BAD_PROOF;
	return check_iavl(&prefix, 0) == CS_OK && prefix.n == 0 ? CS_OK : CS_ERR_BAD_PROOF;
}

/* layer: 1 right above the leaf. */
static enum cs_err check_step(const struct step *step, const struct cmt_ics23_spec *spec,
			      size_t layer)
{
	struct cs_bytes prefix = step->prefix;
	if (step->hash != HASH_SHA256 || begins_with(prefix, spec->leaf_prefix) ||
	    prefix.n < spec->prefix_min || prefix.n > spec->prefix_max + spec->child_size ||
	    (step->suffix.n != 0 && step->suffix.n != spec->child_size))
		return CS_ERR_BAD_PROOF;
	if (!spec->is_iavl) {
		/* A child after this one means that none stands in the prefix. */
		bool good = begins_with(prefix, CS_BYTES_OF(INNER_PREFIX)) &&
			    (step->suffix.n == 0 || prefix.n <= spec->prefix_max);
		return good ? CS_OK : CS_ERR_BAD_PROOF;
	}
	/* A child of 32 bytes is written behind its length: so ends the prefix. */
	if (check_iavl(&prefix, layer) != CS_OK ||
	    (prefix.n != 1 && prefix.n != 1 + spec->child_size))
		return CS_ERR_BAD_PROOF;
	return CS_OK;
}

static enum cs_err check_spec(const struct existence *e, const struct cmt_ics23_spec *spec)
{
	size_t depth_max = spec->depth_max ? spec->depth_max : CMT_ICS23_DEPTH_DEFAULT;
	CS_TRY(check_leaf(&e->leaf, spec));
	if (e->depth < spec->depth_min || e->depth > depth_max)
		return CS_ERR_BAD_PROOF;
	for (size_t i = 0; i < e->depth; i++)
		CS_TRY(check_step(&e->path[i], spec, i + 1));
	return CS_OK;
}

/* ---- the root ---- */

/* A key or value as the leaf hashes it: two pieces, and what they point to. */
struct datum {
	struct cs_hash hash;
	uint8_t length[CS_PB_VARINT_SIZE_MAX];
};

static void put_datum(struct cs_bytes pieces[2], struct datum *datum, struct cs_bytes bytes,
		      bool prehash, bool length_prefix)
{
	struct cs_buf buf;
	cs_buf_init(&buf, datum->length, sizeof datum->length);
	if (prehash) {
		datum->hash = cs_sha256(bytes);
		bytes = CS_BYTES_OF(datum->hash.b);
	}
	if (length_prefix)
		cs_pb_put_varint(&buf, bytes.n);
	pieces[0] = cs_buf_view(&buf);
	pieces[1] = bytes;
}

static struct cs_hash root_of(const struct existence *e, const struct cmt_ics23_spec *spec)
{
	struct datum key, value;
	struct cs_bytes leaf[5] = {e->leaf.prefix};
	put_datum(leaf + 1, &key, e->key, spec->prehash_key, spec->length_prefix);
	put_datum(leaf + 3, &value, e->value, spec->prehash_value, spec->length_prefix);
	struct cs_hash hash = cs_sha256_join(leaf, CS_LEN(leaf));
	for (size_t i = 0; i < e->depth; i++) {
		struct cs_hash child = hash;
		const struct cs_bytes node[] = {e->path[i].prefix, CS_BYTES_OF(child.b),
						e->path[i].suffix};
		hash = cs_sha256_join(node, CS_LEN(node));
	}
	return hash;
}

static enum cs_err verify_existence(const struct existence *e, const struct cmt_ics23_spec *spec,
				    const struct cs_hash *root)
{
	if (e->key.n == 0 || e->value.n == 0)
		return CS_ERR_BAD_PROOF;
	CS_TRY(check_spec(e, spec));
	struct cs_hash computed = root_of(e, spec);
	return cs_hash_eq(&computed, root) ? CS_OK : CS_ERR_BAD_PROOF;
}

/* ---- neighbours ---- */

enum side {
	SIDE_LEFT,
	SIDE_RIGHT,
	SIDE_NONE, /* neither: a step that no tree of the spec has */
};

/* Which child of its parent the step leads from. */
static enum side side_of(const struct step *step, const struct cmt_ics23_spec *spec)
{
	size_t n = step->prefix.n;
	if (n >= spec->prefix_min && n <= spec->prefix_max && step->suffix.n == spec->child_size)
		return SIDE_LEFT;
	if (n >= spec->prefix_min + spec->child_size && n <= spec->prefix_max + spec->child_size &&
	    step->suffix.n == 0)
		return SIDE_RIGHT;
	return SIDE_NONE;
}

/* Whether nothing stands on the other side of a step, whose own side is known. */
static bool sibling_is_empty(const struct step *step, enum side side,
			     const struct cmt_ics23_spec *spec)
{
	struct cs_bytes sibling = step->suffix;
	if (spec->empty_child == NULL)
		return false;
	if (side == SIDE_RIGHT)
		sibling = cs_bytes(step->prefix.p + step->prefix.n - spec->child_size,
				   spec->child_size);
	return cs_bytes_eq(sibling, cs_bytes(spec->empty_child, HASH_SIZE));
}

/* Whether the path leads to the outermost leaf of its subtree, on that side. */
static bool is_outermost(const struct step *path, size_t depth, enum side outer,
			 const struct cmt_ics23_spec *spec)
{
	for (size_t i = 0; i < depth; i++) {
		enum side side = side_of(&path[i], spec);
		if (side == SIDE_NONE || (side != outer && !sibling_is_empty(&path[i], side, spec)))
			return false;
	}
	return true;
}

static bool same_step(const struct step *a, const struct step *b)
{
	return cs_bytes_eq(a->prefix, b->prefix) && cs_bytes_eq(a->suffix, b->suffix);
}

static bool are_neighbours(const struct existence *left, const struct existence *right,
			   const struct cmt_ics23_spec *spec)
{
	size_t l = left->depth, r = right->depth;
	while (l > 0 && r > 0 && same_step(&left->path[l - 1], &right->path[r - 1])) {
		l--;
		r--;
	}
	/* Two leaves part at a node of which both are below. */
	if (l == 0 || r == 0)
		return false;
	return side_of(&left->path[l - 1], spec) == SIDE_LEFT &&
	       side_of(&right->path[r - 1], spec) == SIDE_RIGHT &&
	       is_outermost(left->path, l - 1, SIDE_RIGHT, spec) &&
	       is_outermost(right->path, r - 1, SIDE_LEFT, spec);
}

/* Where the key stands among the leaves. */
static int order(struct cs_bytes a, struct cs_bytes b, const struct cmt_ics23_spec *spec)
{
	if (spec->hashed_order) {
		struct cs_hash x = cs_sha256(a), y = cs_sha256(b);
		return memcmp(x.b, y.b, sizeof x.b);
	}
	int cmp = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
	return cmp != 0 ? cmp : (a.n > b.n) - (a.n < b.n);
}

static enum cs_err verify_absence(const struct proof *proof, const struct cmt_ics23_spec *spec,
				  const struct cs_hash *root, struct cs_bytes key)
{
	const struct existence *left = &proof->left, *right = &proof->right;
	bool good;
	if (proof->has_left) {
		CS_TRY(verify_existence(left, spec, root));
		if (order(left->key, key, spec) >= 0)
			return CS_ERR_BAD_PROOF;
	}
	if (proof->has_right) {
		CS_TRY(verify_existence(right, spec, root));
		if (order(key, right->key, spec) >= 0)
			return CS_ERR_BAD_PROOF;
	}
	if (proof->has_left && proof->has_right)
		good = are_neighbours(left, right, spec);
	else if (proof->has_left)
		good = is_outermost(left->path, left->depth, SIDE_RIGHT, spec);
	else
		good = proof->has_right && is_outermost(right->path, right->depth, SIDE_LEFT, spec);
	return good ? CS_OK : CS_ERR_BAD_PROOF;
}

/* ---- questions ---- */

enum cs_err cmt_ics23_lookup(bool *found, struct cs_bytes *value, const struct cmt_ics23_spec *spec,
			     const struct cs_hash *root, struct cs_bytes bytes, struct cs_bytes key)
{
	struct proof proof;
	if (key.n == 0)
		return CS_ERR_INVALID;
	CS_TRY(decode(&proof, bytes));
	if (proof.exists) {
		if (!cs_bytes_eq(proof.left.key, key))
			return CS_ERR_BAD_PROOF;
		CS_TRY(verify_existence(&proof.left, spec, root));
	} else {
		CS_TRY(verify_absence(&proof, spec, root, key));
	}
	*found = proof.exists;
	*value = proof.exists ? proof.left.value : CS_BYTES_NONE;
	return CS_OK;
}

enum cs_err cmt_ics23_membership(const struct cmt_ics23_spec *spec, const struct cs_hash *root,
				 struct cs_bytes proof, struct cs_bytes key, struct cs_bytes value)
{
	struct cs_bytes proven;
	bool found;
	CS_TRY(cmt_ics23_lookup(&found, &proven, spec, root, proof, key));
	return found && cs_bytes_eq(proven, value) ? CS_OK : CS_ERR_BAD_PROOF;
}

enum cs_err cmt_ics23_absence(const struct cmt_ics23_spec *spec, const struct cs_hash *root,
			      struct cs_bytes proof, struct cs_bytes key)
{
	struct cs_bytes proven;
	bool found;
	CS_TRY(cmt_ics23_lookup(&found, &proven, spec, root, proof, key));
	return found ? CS_ERR_BAD_PROOF : CS_OK;
}

enum cs_err cmt_ics23_lookup_store(bool *found, struct cs_bytes *value,
				   const struct cs_hash *app_hash,
				   const struct cmt_ics23_store *store, struct cs_bytes key)
{
	struct cs_bytes root;
	struct cs_hash hash;
	bool exists;
	CS_TRY(cmt_ics23_lookup(&exists, &root, &cmt_ics23_tendermint, app_hash, store->store_proof,
				store->name));
	if (!exists || root.n != sizeof hash.b)
		return CS_ERR_BAD_PROOF;
	memcpy(hash.b, root.p, sizeof hash.b);
	return cmt_ics23_lookup(found, value, &cmt_ics23_iavl, &hash, store->key_proof, key);
}
