#include "verify/evm/trie.h"

#include "core/hash.h"

#define BRANCH_ITEMS 17u
#define HASH_SIZE 32u

/* Where the walk stands: the node to read next, and how much of the key is spent. */
struct walk {
	struct cs_bytes key;
	size_t at;       /* nibbles of the key that are spent */
	size_t used;     /* nodes of the proof that are spent */
	bool branch_due; /* an extension leads to a branch, always */
	bool done;
	struct cs_bytes node;
	struct cs_bytes value;
};

struct cs_hash verify_trie_empty_root(void)
{
	static const uint8_t empty_string = 0x80;
	return cs_keccak256(cs_bytes(&empty_string, 1));
}

static size_t key_left(const struct walk *w)
{
	return 2 * w->key.n - w->at;
}

static uint8_t nibble(struct cs_bytes bytes, size_t at)
{
	uint8_t byte = bytes.p[at / 2];
	return at % 2 == 0 ? byte >> 4 : byte & 15;
}

/* Takes the next node of the proof, which must have this hash. */
static enum cs_err follow_hash(struct walk *w, const struct cs_hash *hash,
			       const struct verify_nodes *proof)
{
	struct cs_hash found;
	if (w->used == proof->n)
		return CS_ERR_BAD_PROOF;
	w->node = proof->p[w->used];
	found = cs_keccak256(w->node);
	if (!cs_hash_eq(&found, hash))
		return CS_ERR_BAD_PROOF;
	/* Smaller ones are written into their parents. */
	if (w->used > 0 && w->node.n < HASH_SIZE)
		return CS_ERR_NON_CANONICAL;
	w->used++;
	return CS_OK;
}

static enum cs_err follow(struct walk *w, const struct cs_rlp_item *child,
			  const struct verify_nodes *proof)
{
	struct cs_hash hash;
	if (child->is_list) {
		w->node = child->whole;
		return CS_OK;
	}
	for (size_t i = 0; i < sizeof hash.b; i++)
		hash.b[i] = child->payload.p[i];
	return follow_hash(w, &hash, proof);
}

/* A child is nothing, a hash, or a node of less than 32 bytes. */
static enum cs_err check_child(const struct cs_rlp_item *item)
{
	if (item->is_list)
		return item->whole.n < HASH_SIZE ? CS_OK : CS_ERR_NON_CANONICAL;
	return item->payload.n == 0 || item->payload.n == HASH_SIZE ? CS_OK : CS_ERR_MALFORMED;
}

static enum cs_err step_branch(struct walk *w, struct cs_rlp list, const struct verify_nodes *proof)
{
	struct cs_rlp_item item, next = {0};
	size_t filled = 0, way = key_left(w) == 0 ? BRANCH_ITEMS - 1 : nibble(w->key, w->at);
	for (size_t i = 0; i < BRANCH_ITEMS; i++) {
		CS_TRY(cs_rlp_next(&list, &item));
		if (i < BRANCH_ITEMS - 1)
			CS_TRY(check_child(&item));
		else if (item.is_list)
			return CS_ERR_MALFORMED;
		filled += item.payload.n > 0;
		if (i == way)
			next = item;
	}
	if (filled < 2)
		return CS_ERR_NON_CANONICAL;
	w->branch_due = false;
	if (key_left(w) == 0 || next.payload.n == 0) {
		w->value = next.payload;
		w->done = true;
		return CS_OK;
	}
	w->at++;
	return follow(w, &next, proof);
}

/* Compact path: flag nibble 0..3 (odd length, leaf), for even lengths a nibble 0. */
static enum cs_err step_short(struct walk *w, struct cs_rlp list, const struct verify_nodes *proof)
{
	struct cs_rlp_item path, second;
	bool odd, leaf, same;
	size_t skip, n;
	CS_TRY(cs_rlp_next(&list, &path));
	CS_TRY(cs_rlp_next(&list, &second));
	if (path.is_list || path.payload.n == 0 || path.payload.p[0] > 0x3f)
		return CS_ERR_MALFORMED;
	odd = path.payload.p[0] & 0x10;
	leaf = path.payload.p[0] & 0x20;
	if (!odd && (path.payload.p[0] & 0x0f) != 0)
		return CS_ERR_NON_CANONICAL;
	skip = odd ? 1 : 2;
	n = 2 * path.payload.n - skip;
	same = n <= key_left(w);
	for (size_t i = 0; same && i < n; i++)
		same = nibble(path.payload, skip + i) == nibble(w->key, w->at + i);
	if (leaf) {
		if (w->branch_due || second.is_list || second.payload.n == 0)
			return CS_ERR_MALFORMED;
		if (same && n == key_left(w))
			w->value = second.payload;
		w->done = true;
		return CS_OK;
	}
	CS_TRY(check_child(&second));
	if (w->branch_due || n == 0 || second.payload.n == 0)
		return CS_ERR_NON_CANONICAL;
	w->done = !same;
	if (w->done)
		return CS_OK;
	w->branch_due = true;
	w->at += n;
	return follow(w, &second, proof);
}

static enum cs_err walk(struct walk *w, const struct verify_nodes *proof)
{
	/* Each step spends a nibble of the key or ends the walk. */
	while (!w->done) {
		struct cs_rlp list;
		size_t items;
		CS_TRY(cs_rlp_open(&list, w->node));
		CS_TRY(cs_rlp_count(&list, BRANCH_ITEMS, &items));
		if (items == BRANCH_ITEMS)
			CS_TRY(step_branch(w, list, proof));
		else if (items == 2)
			CS_TRY(step_short(w, list, proof));
		else
			return CS_ERR_MALFORMED;
	}
	return w->used == proof->n ? CS_OK : CS_ERR_BAD_PROOF;
}

static bool proves_empty(const struct verify_nodes *proof)
{
	return proof->n == 0 || (proof->n == 1 && proof->p[0].n == 1 && proof->p[0].p[0] == 0x80);
}

enum cs_err verify_trie(bool *present, struct cs_bytes *value, const struct cs_hash *root,
			struct cs_bytes key, const struct verify_nodes *proof)
{
	struct cs_hash empty = verify_trie_empty_root();
	struct walk w = {.key = key};
	if (key.n > VERIFY_TRIE_KEY_SIZE_MAX || proof->n > VERIFY_TRIE_NODES_MAX)
		return CS_ERR_TOO_LARGE;
	if (cs_hash_eq(root, &empty)) {
		if (!proves_empty(proof))
			return CS_ERR_BAD_PROOF;
	} else {
		CS_TRY(follow_hash(&w, root, proof));
		CS_TRY(walk(&w, proof));
	}
	*present = w.value.n > 0;
	*value = *present ? w.value : CS_BYTES_NONE;
	return CS_OK;
}
