/* Proofs under a sparse tree of up to eight keys: the input says which keys are there, which leaves'
 * paths stand in the proof, what is asked, and which bytes change. Whatever is accepted is true of
 * the tree. Then the rest of the input as a proof of each kind of tree. */
#include "core/pb.h"
#include "tests/fuzz/fuzz.h"
#include "verify/cometbft/ics23.h"

#define KEYS 8u
#define CHANGES_MAX 4u

struct node_step {
	bool is_right;
	struct cs_hash sibling;
};

static uint8_t key_byte(size_t i)
{
	return (uint8_t)('a' + i);
}

static struct cs_hash key_hash(size_t i)
{
	uint8_t key = key_byte(i);
	return cs_sha256(cs_bytes(&key, 1));
}

static unsigned bit_of(const struct cs_hash *hash, size_t depth)
{
	return hash->b[depth / 8] >> (7 - depth % 8) & 1;
}

static struct cs_hash leaf_hash(size_t i)
{
	const uint8_t zero = 0, value = (uint8_t)i;
	struct cs_hash k = key_hash(i), v = cs_sha256(cs_bytes(&value, 1));
	const struct cs_bytes pieces[] = {cs_bytes(&zero, 1), CS_BYTES_OF(k.b), CS_BYTES_OF(v.b)};
	return cs_sha256_join(pieces, CS_LEN(pieces));
}

/* Of the keys of the mask that share `depth` bits; the path of `of`, from the leaf up. */
static struct cs_hash subtree(unsigned mask, size_t depth, size_t of, struct node_step *path,
			      size_t *n)
{
	unsigned sides[2] = {0, 0};
	struct cs_hash hashes[2], empty = {{0}};
	const uint8_t one = 1;
	if (mask == 0)
		return empty;
	for (size_t i = 0; i < KEYS; i++) {
		struct cs_hash hash = key_hash(i);
		if (mask == 1u << i)
			return leaf_hash(i);
		if (mask >> i & 1)
			sides[bit_of(&hash, depth)] |= 1u << i;
	}
	for (size_t side = 0; side < 2; side++)
		hashes[side] = subtree(sides[side], depth + 1, of, path, n);
	if (mask >> of & 1) {
		bool is_right = sides[1] >> of & 1;
		path[(*n)++] = (struct node_step){is_right, hashes[!is_right]};
	}
	const struct cs_bytes pieces[] = {cs_bytes(&one, 1), CS_BYTES_OF(hashes[0].b),
					  CS_BYTES_OF(hashes[1].b)};
	return cs_sha256_join(pieces, CS_LEN(pieces));
}

static void put_proof(struct cs_buf *buf, uint32_t field, unsigned mask, size_t of)
{
	struct node_step path[CMT_ICS23_DEPTH_MAX];
	uint8_t key = key_byte(of), value = (uint8_t)of, prefix[33] = {0};
	size_t n = 0, outer = cs_pb_begin(buf, field), inner;
	(void)subtree(mask, 0, of, path, &n);
	cs_pb_put_bytes(buf, 1, cs_bytes(&key, 1));
	cs_pb_put_bytes(buf, 2, cs_bytes(&value, 1));
	inner = cs_pb_begin(buf, 3);
	for (uint32_t i = 1; i <= 3; i++)
		cs_pb_put_uint(buf, i, 1);
	cs_pb_put_bytes(buf, 5, cs_bytes(prefix, 1));
	cs_pb_end(buf, inner);
	for (size_t i = 0; i < n; i++) {
		prefix[0] = 1;
		memcpy(prefix + 1, path[i].sibling.b, sizeof path[i].sibling.b);
		inner = cs_pb_begin(buf, 4);
		cs_pb_put_uint(buf, 1, 1);
		cs_pb_put_bytes(buf, 2, cs_bytes(prefix, path[i].is_right ? 33 : 1));
		cs_pb_put_bytes(buf, 3, cs_bytes(prefix + 1, path[i].is_right ? 0 : 32));
		cs_pb_end(buf, inner);
	}
	cs_pb_end(buf, outer);
}

static void ask(unsigned mask, const struct cs_hash *root, struct cs_bytes proof, size_t asked)
{
	uint8_t key = key_byte(asked);
	struct cs_bytes value;
	bool found;
	if (cmt_ics23_lookup(&found, &value, &cmt_ics23_smt, root, proof, cs_bytes(&key, 1)) !=
	    CS_OK)
		return;
	cs_assert(found == (mask >> asked & 1));
	cs_assert(found ? value.n == 1 && value.p[0] == asked : value.n == 0);
}

/* Six bytes: the mask, left, right, what is asked, kind and who is left out, count of changes. */
static void with_tree(const uint8_t op[6], const uint8_t *rest, size_t size, struct cs_arena *arena)
{
	struct node_step path[CMT_ICS23_DEPTH_MAX];
	struct cs_buf buf;
	size_t n = 0, asked = op[3] % KEYS;
	unsigned mask = op[0];
	struct cs_hash root = subtree(mask, 0, 0, path, &n);
	cs_assert(cs_buf_init_arena(&buf, arena, CMT_ICS23_PROOF_SIZE_MAX) == CS_OK);
	if (op[4] & 1) {
		put_proof(&buf, 1, mask, op[1] % KEYS);
	} else {
		size_t outer = cs_pb_begin(&buf, 2);
		if (!(op[4] & 2))
			put_proof(&buf, 2, mask, op[1] % KEYS);
		if (!(op[4] & 4))
			put_proof(&buf, 3, mask, op[2] % KEYS);
		cs_pb_end(&buf, outer);
	}
	cs_assert(cs_buf_end(&buf) == CS_OK);
	ask(mask, &root, cs_buf_view(&buf), asked);
	for (size_t i = 0; i < op[5] % CHANGES_MAX && size >= 3; i++, rest += 3, size -= 3)
		if (buf.n > 0)
			buf.p[cs_be16(rest) % buf.n] ^= rest[2];
	ask(mask, &root, cs_buf_view(&buf), asked);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct cmt_ics23_spec *const specs[] = {&cmt_ics23_iavl, &cmt_ics23_tendermint,
							     &cmt_ics23_smt};
	const struct cs_hash root = {{0}};
	const uint8_t key = key_byte(0);
	struct cs_bytes value;
	bool found;
	if (size >= 6)
		with_tree(data, data + 6, size - 6, fuzz_arena());
	for (size_t i = 0; i < CS_LEN(specs); i++)
		cs_assert(cmt_ics23_lookup(&found, &value, specs[i], &root, cs_bytes(data, size),
					   cs_bytes(&key, 1)) != CS_OK);
	return 0;
}
