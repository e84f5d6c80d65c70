#include "verify/evm/receipt.h"

#define BLOOM_SIZE 256u
#define STATE_ROOT_SIZE 32u
/* Types whose receipts are specified: EIP-2930, 1559, 4844, 7702. */
#define KNOWN_TYPE_MAX 4u

static enum cs_err read_log(struct cs_rlp *logs, struct verify_log *log)
{
	struct verify_log l = {0};
	struct cs_rlp fields, topics;
	CS_TRY(cs_rlp_list(logs, &fields));
	CS_TRY(cs_rlp_address(&fields, &l.address));
	CS_TRY(cs_rlp_list(&fields, &topics));
	while (cs_rlp_more(&topics)) {
		if (l.topic_count == VERIFY_LOG_TOPICS_MAX)
			return CS_ERR_TOO_LARGE;
		CS_TRY(cs_rlp_hash(&topics, &l.topics[l.topic_count++]));
	}
	CS_TRY(cs_rlp_bytes(&fields, &l.data));
	CS_TRY(cs_rlp_end(&fields));
	*log = l;
	return CS_OK;
}

static enum cs_err read_status(struct cs_rlp *fields, bool *success)
{
	struct cs_bytes status;
	CS_TRY(cs_rlp_bytes(fields, &status));
	if (status.n == STATE_ROOT_SIZE)
		return CS_ERR_UNSUPPORTED;
	if (status.n > 1 || (status.n == 1 && status.p[0] != 1))
		return CS_ERR_MALFORMED;
	*success = status.n == 1;
	return CS_OK;
}

static enum cs_err read_payload(struct verify_receipt *r, struct cs_bytes payload)
{
	struct cs_rlp fields, logs;
	struct cs_bytes bloom;
	struct verify_log log;
	CS_TRY(cs_rlp_open(&fields, payload));
	CS_TRY(read_status(&fields, &r->success));
	CS_TRY(cs_rlp_u64(&fields, &r->cumulative_gas));
	CS_TRY(cs_rlp_bytes(&fields, &bloom));
	if (bloom.n != BLOOM_SIZE)
		return CS_ERR_MALFORMED;
	CS_TRY(cs_rlp_list(&fields, &logs));
	CS_TRY(cs_rlp_end(&fields));
	r->logs = logs.rest;
	for (; cs_rlp_more(&logs); r->log_count++) {
		if (r->log_count == VERIFY_LOGS_MAX)
			return CS_ERR_TOO_LARGE;
		CS_TRY(read_log(&logs, &log));
	}
	return r->success || r->log_count == 0 ? CS_OK : CS_ERR_MALFORMED;
}

enum cs_err verify_receipt_read(struct verify_receipt *receipt, struct cs_bytes value)
{
	struct verify_receipt r = {0};
	enum cs_err err;
	if (value.n == 0)
		return CS_ERR_TRUNCATED;
	/* EIP-2718: a list is legacy, 0x01 to 0x7f a type; 0 is kept for legacy itself. */
	if (value.p[0] < 0xc0) {
		r.type = value.p[0];
		if (r.type == 0 || r.type > 0x7f)
			return CS_ERR_MALFORMED;
		value = cs_bytes(value.p + 1, value.n - 1);
	}
	err = read_payload(&r, value);
	if (err != CS_OK)
		return r.type > KNOWN_TYPE_MAX ? CS_ERR_UNSUPPORTED : err;
	*receipt = r;
	return CS_OK;
}

enum cs_err verify_receipt(struct verify_receipt *receipt, const struct cs_hash *receipts_root,
			   uint32_t index, const struct verify_nodes *proof)
{
	uint8_t key_bytes[8];
	struct cs_bytes value;
	struct cs_buf key;
	bool present;
	cs_buf_init(&key, key_bytes, sizeof key_bytes);
	cs_rlp_put_u64(&key, index);
	CS_TRY(cs_buf_end(&key));
	CS_TRY(verify_trie(&present, &value, receipts_root, cs_buf_view(&key), proof));
	if (!present)
		return CS_ERR_NO_RECEIPT;
	return verify_receipt_read(receipt, value);
}

enum cs_err verify_receipt_log(struct verify_log *log, const struct verify_receipt *receipt,
			       uint32_t index)
{
	struct cs_rlp logs = {receipt->logs};
	if (index >= receipt->log_count)
		return CS_ERR_NO_LOG;
	CS_TRY(cs_rlp_skip(&logs, index));
	return read_log(&logs, log);
}

bool verify_receipt_has_topic(const struct verify_receipt *receipt, size_t position,
			      const struct cs_hash *topic)
{
	struct cs_rlp logs = {receipt->logs};
	struct verify_log log;
	while (cs_rlp_more(&logs) && read_log(&logs, &log) == CS_OK)
		if (position < log.topic_count && cs_hash_eq(&log.topics[position], topic))
			return true;
	return false;
}
