#include "relay_state/node/ledger_run.h"

bool ledger_run_add(struct cs_buf *run, const struct ledger_run_entry *entry)
{
	struct cs_buf longer = *run;
	cs_assert(entry->key.n > 0 && entry->key.n <= UINT8_MAX && entry->value.n <= UINT32_MAX);
	cs_put_u8(&longer, (uint8_t)entry->key.n);
	cs_put(&longer, entry->key);
	cs_put_u64(&longer, entry->since);
	cs_put_u8(&longer, entry->is_there);
	cs_put_u32(&longer, (uint32_t)entry->value.n);
	cs_put(&longer, entry->value);
	if (cs_buf_end(&longer) != CS_OK || (run->n > 0 && longer.n > LEDGER_RUN_SIZE))
		return false;
	*run = longer;
	return true;
}

enum cs_err ledger_run_next(struct cs_reader *run, struct ledger_run_entry *entry)
{
	if (run->left == 0)
		return CS_ERR_NOT_FOUND;
	entry->key = cs_get(run, cs_get_u8(run));
	entry->since = cs_get_u64(run);
	const uint8_t is_there = cs_get_u8(run);
	entry->is_there = is_there == 1;
	entry->value = cs_get(run, cs_get_u32(run));
	if (run->failed || entry->key.n == 0 || is_there > 1 ||
	    (!entry->is_there && entry->value.n > 0))
		return CS_ERR_MALFORMED;
	return CS_OK;
}

enum cs_err ledger_run_find(struct cs_bytes run, struct ledger_run_entry *entry,
			    struct cs_bytes key)
{
	struct cs_reader reader;
	cs_reader_init(&reader, run);
	do
		CS_TRY(ledger_run_next(&reader, entry));
	while (!cs_bytes_eq(entry->key, key));
	return CS_OK;
}
