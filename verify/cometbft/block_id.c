#include "verify/cometbft/block_id.h"

#include "core/hash.h"

#include <string.h>

struct cmt_hash cmt_hash_of(const struct cs_hash *hash)
{
	return (struct cmt_hash){true, *hash};
}

bool cmt_hash_eq(const struct cmt_hash *a, const struct cmt_hash *b)
{
	return cs_bytes_eq(cmt_hash_bytes(a), cmt_hash_bytes(b));
}

struct cs_bytes cmt_hash_bytes(const struct cmt_hash *hash)
{
	return cs_bytes(hash->hash.b, hash->some ? sizeof hash->hash.b : 0);
}

enum cs_err cmt_chain_id_set(struct cmt_chain_id *id, struct cs_bytes text)
{
	struct cmt_chain_id made = {.n = 0};
	if (text.n > CMT_CHAIN_ID_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	if (text.n == 0)
		return CS_ERR_INVALID;
	made.n = (uint8_t)text.n;
	memcpy(made.text, text.p, text.n);
	*id = made;
	return CS_OK;
}

bool cmt_chain_id_eq(const struct cmt_chain_id *a, const struct cmt_chain_id *b)
{
	return cs_bytes_eq(cmt_chain_id_bytes(a), cmt_chain_id_bytes(b));
}

struct cs_bytes cmt_chain_id_bytes(const struct cmt_chain_id *id)
{
	return cs_bytes(id->text, id->n);
}

struct cs_address cmt_address(const struct cs_ed25519_key *key)
{
	struct cs_hash hash = cs_sha256(CS_BYTES_OF(key->b));
	struct cs_address address;
	memcpy(address.b, hash.b, sizeof address.b);
	return address;
}

struct cs_bytes cmt_signature_bytes(const struct cmt_signature *signature)
{
	return cs_bytes(signature->b, signature->some ? sizeof signature->b : 0);
}

bool cmt_block_id_eq(const struct cmt_block_id *a, const struct cmt_block_id *b)
{
	return cmt_hash_eq(&a->hash, &b->hash) && a->parts.total == b->parts.total &&
	       cmt_hash_eq(&a->parts.hash, &b->parts.hash);
}

bool cmt_block_id_is_nil(const struct cmt_block_id *id)
{
	return !id->hash.some && id->parts.total == 0 && !id->parts.hash.some;
}

bool cmt_block_id_is_complete(const struct cmt_block_id *id)
{
	return id->hash.some && id->parts.total > 0 && id->parts.hash.some;
}

static void put_parts(struct cs_buf *buf, const struct cmt_part_set_header *parts)
{
	cs_pb_put_uint(buf, 1, parts->total);
	cs_pb_put_bytes(buf, 2, cmt_hash_bytes(&parts->hash));
}

int cmt_block_id_cmp(const struct cmt_block_id *a, const struct cmt_block_id *b)
{
	uint8_t memory[2][CMT_BLOCK_ID_SIZE_MAX];
	struct cs_buf keys[2];
	const struct cmt_block_id *ids[] = {a, b};
	for (size_t i = 0; i < 2; i++) {
		cs_buf_init(&keys[i], memory[i], sizeof memory[i]);
		cs_put(&keys[i], cmt_hash_bytes(&ids[i]->hash));
		put_parts(&keys[i], &ids[i]->parts);
	}
	size_t n = keys[0].n < keys[1].n ? keys[0].n : keys[1].n;
	int order = memcmp(memory[0], memory[1], n);
	if (order != 0)
		return order < 0 ? -1 : 1;
	return (keys[0].n > keys[1].n) - (keys[0].n < keys[1].n);
}

void cmt_put_part_set_header(struct cs_buf *buf, uint32_t field,
			     const struct cmt_part_set_header *parts)
{
	size_t begin = cs_pb_begin(buf, field);
	put_parts(buf, parts);
	cs_pb_end(buf, begin);
}

void cmt_block_id_encode(struct cs_buf *buf, const struct cmt_block_id *id)
{
	cs_pb_put_bytes(buf, 1, cmt_hash_bytes(&id->hash));
	cmt_put_part_set_header(buf, 2, &id->parts);
}

void cmt_put_block_id(struct cs_buf *buf, uint32_t field, const struct cmt_block_id *id)
{
	size_t begin = cs_pb_begin(buf, field);
	cmt_block_id_encode(buf, id);
	cs_pb_end(buf, begin);
}

struct cmt_hash cmt_get_hash(struct cs_pb *pb, uint32_t field)
{
	struct cmt_hash hash = {.some = false};
	struct cs_bytes bytes = cs_pb_bytes(pb, field, sizeof hash.hash.b);
	if (bytes.n == sizeof hash.hash.b) {
		hash.some = true;
		memcpy(hash.hash.b, bytes.p, bytes.n);
	} else if (bytes.n > 0) {
		cs_pb_fail(pb, CS_ERR_INVALID);
	}
	return hash;
}

struct cmt_signature cmt_get_signature(struct cs_pb *pb, uint32_t field)
{
	struct cmt_signature signature = {.some = false};
	struct cs_bytes bytes = cs_pb_bytes(pb, field, sizeof signature.b);
	if (bytes.n == sizeof signature.b) {
		signature.some = true;
		memcpy(signature.b, bytes.p, bytes.n);
	} else if (bytes.n > 0) {
		cs_pb_fail(pb, CS_ERR_INVALID);
	}
	return signature;
}

bool cmt_get_address(struct cs_pb *pb, uint32_t field, struct cs_address *address,
		     bool may_be_empty)
{
	struct cs_bytes bytes = cs_pb_bytes(pb, field, sizeof address->b);
	*address = (struct cs_address){{0}};
	if (bytes.n == sizeof address->b)
		memcpy(address->b, bytes.p, bytes.n);
	else if (bytes.n > 0 || !may_be_empty)
		cs_pb_fail(pb, CS_ERR_INVALID);
	return bytes.n > 0;
}

static struct cmt_block_id read_block_id(struct cs_pb *pb)
{
	struct cmt_block_id id;
	struct cs_pb parts;
	id.hash = cmt_get_hash(pb, 1);
	cs_pb_enter_required(pb, 2, &parts);
	id.parts.total = (uint32_t)cs_pb_uint(&parts, 1, UINT32_MAX);
	id.parts.hash = cmt_get_hash(&parts, 2);
	cs_pb_leave(pb, &parts);
	return id;
}

struct cmt_block_id cmt_get_block_id(struct cs_pb *pb, uint32_t field)
{
	struct cs_pb inner;
	cs_pb_enter_required(pb, field, &inner);
	struct cmt_block_id id = read_block_id(&inner);
	cs_pb_leave(pb, &inner);
	return id;
}

enum cs_err cmt_block_id_decode(struct cmt_block_id *id, struct cs_bytes bytes)
{
	struct cs_pb pb;
	cs_pb_open(&pb, bytes);
	struct cmt_block_id made = read_block_id(&pb);
	CS_TRY(cs_pb_close(&pb));
	*id = made;
	return CS_OK;
}
