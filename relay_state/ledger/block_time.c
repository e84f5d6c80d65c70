#include "relay_state/ledger/block_time.h"

#include "core/bytes.h"

static const uint8_t time_key[] = {0xff};

enum cs_err ledger_block_time_get(uint64_t *time_s, const struct ledger_db *db, uint64_t version,
				  struct cs_arena *arena)
{
	struct cs_bytes value;
	CS_TRY(db->get(db->context, &value, LEDGER_PAGES, CS_BYTES_OF(time_key), version, arena));
	if (value.n != LEDGER_TIME_SIZE)
		return CS_ERR_DAMAGED;
	*time_s = cs_be64(value.p);
	return CS_OK;
}

/* In the order of keys: behind it are the pages whose path begins as it does, which are as many bytes
 * longer. */
enum cs_err ledger_block_time_add(struct ledger_changes *pages, uint64_t time_s,
				  struct cs_arena *arena)
{
	struct ledger_change *items = cs_arena_calloc(arena, pages->count + 1, sizeof *items);
	uint8_t *value = cs_arena_alloc(arena, LEDGER_TIME_SIZE);
	if (items == NULL || value == NULL)
		return CS_ERR_NO_MEMORY;
	size_t at = pages->count;
	while (at > 0 && pages->items[at - 1].key.p[0] == time_key[0])
		at--;
	for (size_t i = 0; i < pages->count; i++)
		items[i < at ? i : i + 1] = pages->items[i];
	cs_put_be64(value, time_s);
	items[at] = (struct ledger_change){CS_BYTES_OF(time_key), cs_bytes(value, LEDGER_TIME_SIZE),
					   false};
	*pages = (struct ledger_changes){items, pages->count + 1};
	return CS_OK;
}
