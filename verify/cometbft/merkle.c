#include "verify/cometbft/merkle.h"

#include <string.h>

static const uint8_t leaf_prefix = 0, node_prefix = 1;

struct cs_hash cmt_leaf_hash(struct cs_bytes item)
{
	const struct cs_bytes pieces[] = {{&leaf_prefix, 1}, item};
	return cs_sha256_join(pieces, CS_LEN(pieces));
}

struct cs_hash cmt_node_hash(const struct cs_hash *left, const struct cs_hash *right)
{
	const struct cs_bytes pieces[] = {
		{&node_prefix, 1}, CS_BYTES_OF(left->b), CS_BYTES_OF(right->b)};
	return cs_sha256_join(pieces, CS_LEN(pieces));
}

/* ---- a root ---- */

void cmt_merkle_init(struct cmt_merkle *merkle)
{
	merkle->count = 0;
}

/* As a binary counter: every full subtree of 2^i leaves waits in stack[i] for its right sibling. */
void cmt_merkle_add(struct cmt_merkle *merkle, struct cs_bytes item)
{
	struct cs_hash hash = cmt_leaf_hash(item);
	size_t i = 0;
	for (; merkle->count >> i & 1; i++)
		hash = cmt_node_hash(&merkle->stack[i], &hash);
	merkle->stack[i] = hash;
	merkle->count++;
}

struct cs_hash cmt_merkle_root(const struct cmt_merkle *merkle)
{
	struct cs_hash root;
	bool some = false;
	if (merkle->count == 0)
		return cs_sha256(CS_BYTES_NONE);
	for (size_t i = 0; i < CS_LEN(merkle->stack); i++) {
		if (!(merkle->count >> i & 1))
			continue;
		root = some ? cmt_node_hash(&merkle->stack[i], &root) : merkle->stack[i];
		some = true;
	}
	return root;
}

/* ---- proofs ---- */

enum cs_err cmt_tree_build(struct cmt_tree *tree, struct cs_arena *arena, struct cs_hash *leaves,
			   size_t count)
{
	tree->levels[0] = leaves;
	tree->counts[0] = count;
	tree->height = 0;
	for (size_t n = count; n > 1; n = (n + 1) / 2) {
		const struct cs_hash *below = tree->levels[tree->height];
		struct cs_hash *level = cs_arena_calloc(arena, (n + 1) / 2, sizeof *level);
		if (level == NULL)
			return CS_ERR_NO_MEMORY;
		for (size_t i = 0; i < n / 2; i++)
			level[i] = cmt_node_hash(&below[2 * i], &below[2 * i + 1]);
		if (n % 2 == 1)
			level[n / 2] = below[n - 1];
		tree->levels[++tree->height] = level;
		tree->counts[tree->height] = (n + 1) / 2;
	}
	return CS_OK;
}

struct cs_hash cmt_tree_root(const struct cmt_tree *tree)
{
	return tree->counts[0] == 0 ? cs_sha256(CS_BYTES_NONE) : tree->levels[tree->height][0];
}

void cmt_tree_prove(struct cmt_proof *proof, const struct cmt_tree *tree, size_t index)
{
	cs_assert(index < tree->counts[0]);
	proof->total = (int64_t)tree->counts[0];
	proof->index = (int64_t)index;
	proof->leaf = tree->levels[0][index];
	proof->count = 0;
	for (size_t h = 0; h < tree->height; h++, index /= 2)
		if ((index ^ 1) < tree->counts[h])
			proof->aunts[proof->count++] = tree->levels[h][index ^ 1];
}

enum cs_err cmt_proof_check(const struct cmt_proof *proof, const struct cs_hash *root,
			    struct cs_bytes item)
{
	struct cs_hash hash = cmt_leaf_hash(item);
	if (proof->index < 0 || proof->index >= proof->total || !cs_hash_eq(&hash, &proof->leaf))
		return CS_ERR_BAD_PROOF;
	uint64_t at = (uint64_t)proof->index, last = (uint64_t)proof->total - 1;
	size_t used = 0;
	for (; last > 0; at /= 2, last /= 2) {
		/* The last node of a level that has no sibling is its own parent. */
		if (at == last && at % 2 == 0)
			continue;
		if (used == proof->count)
			return CS_ERR_BAD_PROOF;
		const struct cs_hash *aunt = &proof->aunts[used++];
		hash = at % 2 == 1 ? cmt_node_hash(aunt, &hash) : cmt_node_hash(&hash, aunt);
	}
	return used == proof->count && cs_hash_eq(&hash, root) ? CS_OK : CS_ERR_BAD_PROOF;
}

void cmt_proof_encode(struct cs_buf *buf, const struct cmt_proof *proof)
{
	cs_pb_put_int(buf, 1, proof->total);
	cs_pb_put_int(buf, 2, proof->index);
	cs_pb_put_bytes(buf, 3, CS_BYTES_OF(proof->leaf.b));
	for (size_t i = 0; i < proof->count; i++)
		cs_pb_put_element(buf, 4, CS_BYTES_OF(proof->aunts[i].b));
}

static struct cs_hash whole_hash(struct cs_pb *pb, struct cs_bytes bytes)
{
	struct cs_hash hash = {{0}};
	if (bytes.n == sizeof hash.b)
		memcpy(hash.b, bytes.p, sizeof hash.b);
	else
		cs_pb_fail(pb, CS_ERR_INVALID);
	return hash;
}

enum cs_err cmt_proof_decode(struct cmt_proof *proof, struct cs_bytes bytes)
{
	struct cmt_proof p = {.count = 0};
	struct cs_pb pb;
	struct cs_bytes aunt;
	cs_pb_open(&pb, bytes);
	p.total = cs_pb_int64(&pb, 1);
	p.index = cs_pb_int64(&pb, 2);
	p.leaf = whole_hash(&pb, cs_pb_bytes(&pb, 3, sizeof p.leaf.b));
	if (p.total < 0 || p.index < 0)
		cs_pb_fail(&pb, CS_ERR_INVALID);
	while (cs_pb_element(&pb, 4, &aunt, sizeof p.leaf.b)) {
		if (p.count == CMT_AUNTS_MAX)
			cs_pb_fail(&pb, CS_ERR_TOO_LARGE);
		else
			p.aunts[p.count++] = whole_hash(&pb, aunt);
	}
	CS_TRY(cs_pb_close(&pb));
	*proof = p;
	return CS_OK;
}
