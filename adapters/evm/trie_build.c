#include "adapters/evm/trie_build.h"

#include "core/hash.h"
#include "core/rlp.h"
#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

#define KEY_NIBBLES_MAX 10
#define NO_NODE UINT32_MAX

struct key {
	uint8_t nibbles[KEY_NIBBLES_MAX];
	uint8_t count;
	uint32_t index;
};

struct node {
	uint8_t *encoded;
	size_t size;
	uint32_t children[16]; /* of a branch; [0] of an extension */
	uint8_t path_count;    /* nibbles that an extension or a leaf takes */
	bool is_branch;
};

struct value {
	uint32_t node;
	size_t offset; /* in the leaf's encoding */
	size_t size;
};

struct evm_trie {
	struct key *keys; /* sorted */
	struct node *nodes;
	size_t node_count;
	struct value *values;
	size_t count;
	size_t size;
	uint32_t root;
	struct cs_hash root_hash;
};

static void make_key(struct key *key, uint32_t index)
{
	uint8_t memory[8];
	struct cs_buf buf;

	cs_buf_init(&buf, memory, sizeof(memory));
	cs_rlp_put_u64(&buf, index);
	key->index = index;
	key->count = (uint8_t)(2 * buf.n);
	for (size_t i = 0; i < buf.n; i++) {
		key->nibbles[2 * i] = memory[i] >> 4;
		key->nibbles[2 * i + 1] = memory[i] & 15;
	}
}

/* RLP sorts 1..127, 0, 128..: by bytes, shorter keys are never prefixes of others. */
static size_t sorted_index(size_t place, size_t count)
{
	size_t below = count < 128 ? count - 1 : 127;

	if (place < below)
		return place + 1;
	return place == below ? 0 : place;
}

static void put_path(struct cs_buf *buf, const uint8_t *nibbles, size_t count, bool is_leaf)
{
	uint8_t packed[1 + KEY_NIBBLES_MAX / 2];
	size_t n = 0;
	uint8_t flag = is_leaf ? 2 : 0;

	if (count % 2 == 1)
		packed[n++] = (uint8_t)((flag | 1) << 4 | *nibbles++);
	else
		packed[n++] = (uint8_t)(flag << 4);
	for (size_t i = 0; i + 1 < count + (count % 2 == 0); i += 2)
		packed[n++] = (uint8_t)(nibbles[i] << 4 | nibbles[i + 1]);
	cs_rlp_put_bytes(buf, cs_bytes(packed, n));
}

static uint32_t add_node(struct evm_trie *trie, const struct cs_buf *buf)
{
	struct node *node = &trie->nodes[trie->node_count];

	cs_assert(cs_buf_end(buf) == CS_OK);
	*node = (struct node){.encoded = host_copy(cs_buf_view(buf)), .size = buf->n};
	memset(node->children, 0xff, sizeof(node->children));
	trie->size += buf->n + sizeof(*node);
	return (uint32_t)trie->node_count++;
}

/* How a parent names it: the hash, or the node itself when it is short. */
static void put_child(struct cs_buf *buf, const struct node *node)
{
	struct cs_bytes encoded = cs_bytes(node->encoded, node->size);

	if (node->size < 32) {
		cs_put(buf, encoded);
		return;
	}
	struct cs_hash hash = cs_keccak256(encoded);
	cs_rlp_put_bytes(buf, CS_BYTES_OF(hash.b));
}

static uint32_t build_leaf(struct evm_trie *trie, const struct key *key, size_t depth,
			   struct cs_bytes value)
{
	size_t size_max = value.n + 32;
	uint8_t *memory = host_alloc(size_max);
	struct cs_buf buf;

	cs_buf_init(&buf, memory, size_max);
	size_t begin = cs_rlp_list_begin(&buf);
	put_path(&buf, key->nibbles + depth, key->count - depth, true);
	cs_rlp_put_bytes(&buf, value);
	cs_rlp_list_end(&buf, begin);
	uint32_t at = add_node(trie, &buf);
	trie->nodes[at].path_count = (uint8_t)(key->count - depth);
	/* the value is what the list ends with */
	trie->values[key->index] =
		(struct value){.node = at, .offset = buf.n - value.n, .size = value.n};
	free(memory);
	return at;
}

static uint32_t build_extension(struct evm_trie *trie, const uint8_t *nibbles, size_t count,
				uint32_t child)
{
	uint8_t memory[64];
	struct cs_buf buf;

	cs_buf_init(&buf, memory, sizeof(memory));
	size_t begin = cs_rlp_list_begin(&buf);
	put_path(&buf, nibbles, count, false);
	put_child(&buf, &trie->nodes[child]);
	cs_rlp_list_end(&buf, begin);
	uint32_t at = add_node(trie, &buf);
	trie->nodes[at].path_count = (uint8_t)count;
	trie->nodes[at].children[0] = child;
	return at;
}

static uint32_t build(struct evm_trie *trie, size_t from, size_t to, size_t depth,
		      const struct cs_bytes *values);

static uint32_t build_branch(struct evm_trie *trie, size_t from, size_t to, size_t depth,
			     const struct cs_bytes *values)
{
	uint8_t memory[600];
	uint32_t children[16];
	struct cs_buf buf;

	cs_buf_init(&buf, memory, sizeof(memory));
	memset(children, 0xff, sizeof(children));
	for (size_t at = from; at < to;) {
		uint8_t nibble = trie->keys[at].nibbles[depth];
		size_t end = at;

		while (end < to && trie->keys[end].nibbles[depth] == nibble)
			end++;
		children[nibble] = build(trie, at, end, depth + 1, values);
		at = end;
	}
	size_t begin = cs_rlp_list_begin(&buf);
	for (size_t i = 0; i < 16; i++) {
		if (children[i] == NO_NODE)
			cs_rlp_put_bytes(&buf, CS_BYTES_NONE);
		else
			put_child(&buf, &trie->nodes[children[i]]);
	}
	cs_rlp_put_bytes(&buf, CS_BYTES_NONE);
	cs_rlp_list_end(&buf, begin);
	uint32_t at = add_node(trie, &buf);
	memcpy(trie->nodes[at].children, children, sizeof(children));
	trie->nodes[at].is_branch = true;
	return at;
}

/* Keys are at most KEY_NIBBLES_MAX long: so deep goes the recursion. */
static uint32_t build(struct evm_trie *trie, size_t from, size_t to, size_t depth,
		      const struct cs_bytes *values)
{
	const struct key *first = &trie->keys[from];
	const struct key *last = &trie->keys[to - 1];
	size_t end = depth;

	if (to - from == 1)
		return build_leaf(trie, first, depth, values[first->index]);
	while (first->nibbles[end] == last->nibbles[end])
		end++;
	uint32_t branch = build_branch(trie, from, to, end, values);
	return end == depth ? branch
			    : build_extension(trie, first->nibbles + depth, end - depth, branch);
}

enum cs_err evm_trie_build(struct evm_trie **out, const struct cs_bytes *values, size_t count)
{
	static const uint8_t empty[] = {0x80};

	if (count > EVM_TRIE_VALUES_MAX)
		return CS_ERR_TOO_LARGE;
	for (size_t i = 0; i < count; i++)
		cs_assert(values[i].n > 0);
	struct evm_trie *trie = host_alloc(sizeof(*trie));
	trie->count = count;
	trie->root = NO_NODE;
	trie->root_hash = cs_keccak256(CS_BYTES_OF(empty));
	if (count > 0) {
		trie->keys = host_calloc(count, sizeof(*trie->keys));
		trie->values = host_calloc(count, sizeof(*trie->values));
		/* every inner node has two children at least, and an extension at most above it */
		trie->nodes = host_calloc(3 * count, sizeof(*trie->nodes));
		for (size_t i = 0; i < count; i++)
			make_key(&trie->keys[i], (uint32_t)sorted_index(i, count));
		trie->root = build(trie, 0, count, 0, values);
		trie->root_hash = cs_keccak256(
			cs_bytes(trie->nodes[trie->root].encoded, trie->nodes[trie->root].size));
	}
	*out = trie;
	return CS_OK;
}

void evm_trie_free(struct evm_trie *trie)
{
	if (trie == NULL)
		return;
	for (size_t i = 0; i < trie->node_count; i++)
		free(trie->nodes[i].encoded);
	free(trie->nodes);
	free(trie->values);
	free(trie->keys);
	free(trie);
}

struct cs_hash evm_trie_root(const struct evm_trie *trie)
{
	return trie->root_hash;
}

size_t evm_trie_count(const struct evm_trie *trie)
{
	return trie->count;
}

size_t evm_trie_size(const struct evm_trie *trie)
{
	return sizeof(*trie) + trie->size +
	       trie->count * (sizeof(struct key) + sizeof(struct value));
}

struct cs_bytes evm_trie_value(const struct evm_trie *trie, size_t index)
{
	cs_assert(index < trie->count);
	const struct value *value = &trie->values[index];

	return cs_bytes(trie->nodes[value->node].encoded + value->offset, value->size);
}

size_t evm_trie_prove(const struct evm_trie *trie, size_t index,
		      struct cs_bytes nodes[EVM_TRIE_PATH_MAX])
{
	struct key key;
	size_t count = 0;
	size_t depth = 0;
	uint32_t at = trie->root;

	cs_assert(index < trie->count);
	make_key(&key, (uint32_t)index);
	for (;;) {
		const struct node *node = &trie->nodes[at];

		if (count == 0 || node->size >= 32)
			nodes[count++] = cs_bytes(node->encoded, node->size);
		if (at == trie->values[index].node)
			return count;
		if (node->is_branch) {
			at = node->children[key.nibbles[depth++]];
		} else {
			depth += node->path_count;
			at = node->children[0];
		}
	}
}
