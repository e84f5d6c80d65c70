#include "enclave/cluster/record.h"

#include "core/reader.h"

#include <string.h>

static enum cs_err write_record(struct record *record, const struct cluster_anchor *anchor,
				struct cs_why *why)
{
	uint8_t bytes[RECORD_SIZE];
	struct cs_buf out;
	cs_buf_init(&out, bytes, sizeof bytes);
	cs_put_word(&out, &record->id);
	cs_put_u64(&out, anchor->manifest_number);
	cs_put_u64(&out, anchor->epoch);
	cs_put(&out, CS_BYTES_OF(anchor->authority.b));
	cs_assert(cs_buf_end(&out) == CS_OK && out.n == RECORD_SIZE);
	CS_TRY(record->keeper->write(record->keeper->context, bytes, why));
	record->anchor = *anchor;
	return CS_OK;
}

static void take(struct record *record, const uint8_t bytes[RECORD_SIZE])
{
	struct cs_reader reader;
	cs_reader_init(&reader, cs_bytes(bytes, RECORD_SIZE));
	cs_get_copy(&reader, record->id.b, sizeof record->id.b);
	record->anchor.manifest_number = cs_get_u64(&reader);
	record->anchor.epoch = cs_get_u64(&reader);
	cs_get_copy(&reader, record->anchor.authority.b, sizeof record->anchor.authority.b);
	cs_assert(cs_reader_end(&reader) == CS_OK);
}

enum cs_err record_open(struct record *record, const struct record_keeper *keeper,
			const struct cs_secret *random, struct cs_why *why)
{
	uint8_t bytes[RECORD_SIZE];
	*record = (struct record){.keeper = NULL};
	if (keeper->read == NULL)
		return CS_OK;
	record->keeper = keeper;
	const enum cs_err err = keeper->read(keeper->context, bytes, why);
	if (err == CS_OK) {
		take(record, bytes);
		return CS_OK;
	}
	if (err != CS_ERR_NOT_FOUND)
		return err;
	const struct cluster_anchor nothing = {.epoch = 0};
	memcpy(record->id.b, random->b, sizeof record->id.b);
	return write_record(record, &nothing, why);
}

enum cs_err record_check(const struct record *record, const struct cs_hash *sealed_id,
			 struct cs_why *why)
{
	return cs_hash_eq(&record->id, sealed_id)
		       ? CS_OK
		       : cs_fail(why, CS_ERR_ROLLED_BACK,
				 "the state goes with another record than the TPM has: it was put "
				 "back, or the TPM was cleared");
}

const struct cluster_anchor *record_anchor(const struct record *record)
{
	return record->keeper == NULL ? NULL : &record->anchor;
}

enum cs_err record_advance(struct record *record, const struct cluster_key_server *ks,
			   struct cs_why *why)
{
	struct cluster_anchor now;
	if (record->keeper == NULL || ks->epoch_count == 0)
		return CS_OK;
	cluster_key_server_anchor(ks, &now);
	if (now.epoch == record->anchor.epoch &&
	    now.manifest_number == record->anchor.manifest_number &&
	    cs_bytes_eq(CS_BYTES_OF(now.authority.b), CS_BYTES_OF(record->anchor.authority.b)))
		return CS_OK;
	return write_record(record, &now, why);
}
