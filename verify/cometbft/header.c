#include "verify/cometbft/header.h"

#include <string.h>

enum cs_err cmt_header_set_app_hash(struct cmt_header *header, struct cs_bytes hash)
{
	if (hash.n > CMT_APP_HASH_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	memset(&header->app_hash, 0, sizeof header->app_hash);
	header->app_hash.n = (uint8_t)hash.n;
	if (hash.n > 0)
		memcpy(header->app_hash.b, hash.p, hash.n);
	return CS_OK;
}

struct cs_bytes cmt_header_app_hash(const struct cmt_header *header)
{
	return cs_bytes(header->app_hash.b, header->app_hash.n);
}

enum cs_err cmt_header_check(const struct cmt_header *header, struct cs_why *why)
{
	if (header->height < 1)
		return cs_fail(why, CS_ERR_INVALID, "height %lld", (long long)header->height);
	if (header->chain_id.n == 0)
		return cs_fail(why, CS_ERR_INVALID, "a header without a chain id");
	if (!cs_pb_time_valid(header->time))
		return cs_fail(why, CS_ERR_INVALID, "the header's time");
	if (!header->validators_hash.some)
		return cs_fail(why, CS_ERR_MISSING_FIELD, "a header without a validators hash");
	return CS_OK;
}

enum cs_err cmt_header_check_protocol(const struct cmt_header *header, uint64_t protocol,
				      struct cs_why *why)
{
	if (header->block_protocol == protocol)
		return CS_OK;
	return cs_fail(why, CS_ERR_UNSUPPORTED, "block protocol %llu",
		       (unsigned long long)header->block_protocol);
}

static void put_version(struct cs_buf *buf, const struct cmt_header *header)
{
	cs_pb_put_uint(buf, 1, header->block_protocol);
	cs_pb_put_uint(buf, 2, header->app_version);
}

void cmt_header_encode(struct cs_buf *buf, const struct cmt_header *header)
{
	const struct cmt_hash *hashes[] = {&header->last_commit_hash, &header->data_hash,
					   &header->validators_hash, &header->next_validators_hash,
					   &header->consensus_hash};
	size_t begin = cs_pb_begin(buf, 1);
	put_version(buf, header);
	cs_pb_end(buf, begin);
	cs_pb_put_bytes(buf, 2, cmt_chain_id_bytes(&header->chain_id));
	cs_pb_put_int(buf, 3, header->height);
	cs_pb_put_time(buf, 4, header->time);
	cmt_put_block_id(buf, 5, &header->last_block_id);
	for (uint32_t i = 0; i < CS_LEN(hashes); i++)
		cs_pb_put_bytes(buf, 6 + i, cmt_hash_bytes(hashes[i]));
	cs_pb_put_bytes(buf, 11, cmt_header_app_hash(header));
	cs_pb_put_bytes(buf, 12, cmt_hash_bytes(&header->last_results_hash));
	cs_pb_put_bytes(buf, 13, cmt_hash_bytes(&header->evidence_hash));
	cs_pb_put_bytes(buf, 14, CS_BYTES_OF(header->proposer.b));
}

enum cs_err cmt_header_decode(struct cmt_header *header, struct cs_bytes bytes, struct cs_why *why)
{
	struct cmt_header h = {0};
	struct cs_pb pb, version;
	cs_pb_open(&pb, bytes);
	cs_pb_enter_required(&pb, 1, &version);
	h.block_protocol = cs_pb_uint(&version, 1, UINT64_MAX);
	h.app_version = cs_pb_uint(&version, 2, UINT64_MAX);
	cs_pb_leave(&pb, &version);
	struct cs_bytes chain_id = cs_pb_bytes(&pb, 2, CMT_CHAIN_ID_SIZE_MAX);
	h.height = cs_pb_int64(&pb, 3);
	h.time = cs_pb_time(&pb, 4);
	h.last_block_id = cmt_get_block_id(&pb, 5);
	h.last_commit_hash = cmt_get_hash(&pb, 6);
	h.data_hash = cmt_get_hash(&pb, 7);
	h.validators_hash = cmt_get_hash(&pb, 8);
	h.next_validators_hash = cmt_get_hash(&pb, 9);
	h.consensus_hash = cmt_get_hash(&pb, 10);
	struct cs_bytes app_hash = cs_pb_bytes(&pb, 11, CMT_APP_HASH_SIZE_MAX);
	h.last_results_hash = cmt_get_hash(&pb, 12);
	h.evidence_hash = cmt_get_hash(&pb, 13);
	(void)cmt_get_address(&pb, 14, &h.proposer, false);
	enum cs_err err = cs_pb_close(&pb);
	if (err == CS_OK)
		err = cmt_chain_id_set(&h.chain_id, chain_id);
	if (err == CS_OK)
		err = cmt_header_set_app_hash(&h, app_hash);
	if (err != CS_OK)
		return cs_fail(why, err, "the header's form");
	CS_TRY(cmt_header_check(&h, why));
	*header = h;
	return CS_OK;
}

/* ---- hash ---- */

/* google.protobuf.BytesValue and StringValue; an empty one is an empty leaf. */
static void add_bytes(struct cmt_merkle *merkle, struct cs_bytes bytes)
{
	uint8_t memory[CMT_APP_HASH_SIZE_MAX + 2];
	struct cs_buf buf;
	cs_buf_init(&buf, memory, sizeof memory);
	cs_pb_put_bytes(&buf, 1, bytes);
	cs_assert(cs_buf_end(&buf) == CS_OK);
	cmt_merkle_add(merkle, cs_buf_view(&buf));
}

static void add_hash(struct cmt_merkle *merkle, const struct cmt_hash *hash)
{
	add_bytes(merkle, cmt_hash_bytes(hash));
}

struct cs_hash cmt_header_hash(const struct cmt_header *header)
{
	uint8_t memory[CMT_BLOCK_ID_SIZE_MAX];
	struct cs_buf buf;
	struct cmt_merkle merkle;
	cmt_merkle_init(&merkle);
	cs_buf_init(&buf, memory, sizeof memory);
	put_version(&buf, header);
	cmt_merkle_add(&merkle, cs_buf_view(&buf));
	add_bytes(&merkle, cmt_chain_id_bytes(&header->chain_id));
	cs_buf_init(&buf, memory, sizeof memory);
	cs_pb_put_int(&buf, 1, header->height);
	cmt_merkle_add(&merkle, cs_buf_view(&buf));
	cs_buf_init(&buf, memory, sizeof memory);
	cs_pb_put_time_body(&buf, header->time);
	cs_assert(cs_buf_end(&buf) == CS_OK);
	cmt_merkle_add(&merkle, cs_buf_view(&buf));
	cs_buf_init(&buf, memory, sizeof memory);
	cmt_block_id_encode(&buf, &header->last_block_id);
	cmt_merkle_add(&merkle, cs_buf_view(&buf));
	add_hash(&merkle, &header->last_commit_hash);
	add_hash(&merkle, &header->data_hash);
	add_hash(&merkle, &header->validators_hash);
	add_hash(&merkle, &header->next_validators_hash);
	add_hash(&merkle, &header->consensus_hash);
	add_bytes(&merkle, cmt_header_app_hash(header));
	add_hash(&merkle, &header->last_results_hash);
	add_hash(&merkle, &header->evidence_hash);
	add_bytes(&merkle, CS_BYTES_OF(header->proposer.b));
	return cmt_merkle_root(&merkle);
}
