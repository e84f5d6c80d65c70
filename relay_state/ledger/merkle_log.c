#include "relay_state/ledger/merkle_log.h"

#define COUNT_BITS 32u

enum cs_err ledger_merkle_append(struct cmt_merkle *log, struct cs_bytes line)
{
	if (log->count == LEDGER_MERKLE_COUNT_MAX)
		return CS_ERR_FULL;
	cmt_merkle_add(log, line);
	return CS_OK;
}

void ledger_merkle_encode(struct cs_buf *buf, const struct cmt_merkle *log)
{
	cs_put_u64(buf, log->count);
	for (size_t i = COUNT_BITS; i-- > 0;) {
		if (log->count >> i & 1)
			cs_put_word(buf, &log->stack[i]);
	}
}

enum cs_err ledger_merkle_decode(struct cmt_merkle *log, struct cs_reader *reader)
{
	const uint64_t count = cs_get_u64(reader);
	if (count > LEDGER_MERKLE_COUNT_MAX)
		return CS_ERR_TOO_LARGE;
	log->count = count;
	for (size_t i = COUNT_BITS; i-- > 0;) {
		if (count >> i & 1)
			cs_get_copy(reader, log->stack[i].b, sizeof log->stack[i].b);
	}
	return CS_OK;
}

/* ---- consistency ---- */

/* The node over the leaves [begin, end), which is one of the tree's. */
static const struct cs_hash *node_of(const struct cmt_tree *tree, uint64_t begin, uint64_t end)
{
	size_t height = 0;
	while ((UINT64_C(1) << height) < end - begin)
		height++;
	return &tree->levels[height][begin >> height];
}

/* SUBPROOF of RFC 6962 section 2.1.2, from the top down; the nodes are named from the bottom up. */
void ledger_merkle_prove_consistency(struct ledger_consistency *proof, const struct cmt_tree *tree,
				     uint64_t old_count)
{
	struct cs_hash down[CMT_AUNTS_MAX + 1];
	size_t depth = 0;
	uint64_t begin = 0, end = tree->counts[0];
	cs_assert(old_count <= end);
	proof->count = 0;
	if (old_count == 0 || old_count == end)
		return;
	while (old_count != end) {
		uint64_t half = 1;
		while (2 * half < end - begin)
			half *= 2;
		if (old_count <= begin + half) {
			down[depth++] = *node_of(tree, begin + half, end);
			end = begin + half;
		} else {
			down[depth++] = *node_of(tree, begin, begin + half);
			begin += half;
		}
	}
	/* The old log's own root needs no telling. */
	if (begin != 0)
		down[depth++] = *node_of(tree, begin, end);
	while (depth > 0)
		proof->nodes[proof->count++] = down[--depth];
}

struct fold {
	struct cs_hash old_root;
	struct cs_hash root;
	uint64_t old_at;
	uint64_t at;
};

static void fold_node(struct fold *fold, const struct cs_hash *node)
{
	if (fold->old_at % 2 == 1 || fold->old_at == fold->at) {
		fold->old_root = cmt_node_hash(node, &fold->old_root);
		fold->root = cmt_node_hash(node, &fold->root);
		while (fold->old_at % 2 == 0 && fold->old_at != 0) {
			fold->old_at /= 2;
			fold->at /= 2;
		}
	} else {
		fold->root = cmt_node_hash(&fold->root, node);
	}
	fold->old_at /= 2;
	fold->at /= 2;
}

/* Both ends of what fits without a node between. */
static bool is_trivial(const struct ledger_merkle_head *old, const struct ledger_merkle_head *now)
{
	if (old->count == now->count)
		return cs_hash_eq(&old->root, &now->root);
	struct cs_hash empty = cs_sha256(CS_BYTES_NONE);
	return old->count == 0 && cs_hash_eq(&old->root, &empty);
}

enum cs_err ledger_merkle_check_consistency(const struct ledger_consistency *proof,
					    const struct ledger_merkle_head *old,
					    const struct ledger_merkle_head *now)
{
	size_t next = 0;
	if (old->count > now->count || proof->count > CS_LEN(proof->nodes))
		return CS_ERR_BAD_PROOF;
	if (old->count == 0 || old->count == now->count)
		return proof->count == 0 && is_trivial(old, now) ? CS_OK : CS_ERR_BAD_PROOF;
	struct fold fold = {.old_at = old->count - 1, .at = now->count - 1};
	while (fold.old_at % 2 == 1) {
		fold.old_at /= 2;
		fold.at /= 2;
	}
	/* A count that is a power of two has its root as a node of the newer tree. */
	if (fold.old_at == 0) {
		fold.root = old->root;
	} else {
		if (proof->count == 0)
			return CS_ERR_BAD_PROOF;
		fold.root = proof->nodes[next++];
	}
	fold.old_root = fold.root;
	for (; next < proof->count; next++) {
		if (fold.at == 0)
			return CS_ERR_BAD_PROOF;
		fold_node(&fold, &proof->nodes[next]);
	}
	return fold.at == 0 && cs_hash_eq(&fold.old_root, &old->root) &&
			       cs_hash_eq(&fold.root, &now->root)
		       ? CS_OK
		       : CS_ERR_BAD_PROOF;
}
