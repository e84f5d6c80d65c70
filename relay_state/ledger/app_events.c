#include "relay_state/ledger/app_parts.h"

#include <string.h>

struct cs_bytes ledger_hex(struct cs_bytes bytes, struct cs_arena *arena)
{
	char *text = cs_arena_alloc(arena, 2 + 2 * bytes.n + 1);
	if (text == NULL)
		return CS_BYTES_NONE;
	text[0] = '0';
	text[1] = 'x';
	cs_hex(text + 2, bytes);
	return cs_bytes(text, 2 + 2 * bytes.n);
}

static enum cs_err put(struct abci_event_attribute *a, const char *key, struct cs_bytes value,
		       bool index)
{
	*a = (struct abci_event_attribute){cs_bytes_str(key), value, index};
	return value.p == NULL ? CS_ERR_NO_MEMORY : CS_OK;
}

static enum cs_err begin(struct abci_event *event, struct abci_event_attribute **a,
			 const char *type, size_t count, struct cs_arena *arena)
{
	*a = cs_arena_calloc(arena, count, sizeof **a);
	if (*a == NULL)
		return CS_ERR_NO_MEMORY;
	event->type = cs_bytes_str(type);
	event->attributes.items = *a;
	event->attributes.count = count;
	return CS_OK;
}

static enum cs_err put_log(struct abci_event *event, const struct ledger_log *log,
			   struct cs_arena *arena)
{
	static const char *const names[LEDGER_TOPICS_MAX] = {"topic0", "topic1", "topic2",
							     "topic3"};
	struct abci_event_attribute *a;
	CS_TRY(begin(event, &a, "log", log->topic_count + 2, arena));
	CS_TRY(put(a++, "address", ledger_hex(CS_BYTES_OF(log->address.b), arena), true));
	for (size_t i = 0; i < log->topic_count; i++)
		CS_TRY(put(a++, names[i], ledger_hex(CS_BYTES_OF(log->topics[i].b), arena), true));
	return put(a, "data", ledger_hex(log->data, arena), false);
}

enum cs_err ledger_events(struct abci_event *events, size_t *count, const struct ledger_logs *logs,
			  struct cs_arena *arena)
{
	for (size_t i = 0; i < logs->count; i++)
		CS_TRY(put_log(&events[(*count)++], &logs->items[i], arena));
	return CS_OK;
}

static struct cs_bytes text_of(const char *text, struct cs_arena *arena)
{
	return cs_arena_copy(arena, cs_bytes_str(text));
}

enum cs_err ledger_event_fee(struct abci_event *event, const struct cs_address *payer,
			     const struct cs_u256 *fee, struct cs_arena *arena)
{
	struct abci_event_attribute *a;
	char amount[CS_U256_DECIMAL_SIZE];
	cs_u256_decimal(amount, fee);
	CS_TRY(begin(event, &a, "fee", 2, arena));
	CS_TRY(put(&a[0], "payer", ledger_hex(CS_BYTES_OF(payer->b), arena), true));
	return put(&a[1], "amount", text_of(amount, arena), false);
}

enum cs_err ledger_event_mempool(struct abci_event *event, const struct ledger_tx *tx,
				 struct cs_arena *arena)
{
	const bool is_top = tx->gas_price_high != 0 || tx->gas_price_low > INT64_MAX;
	const struct cs_u256 price = cs_u256_u64(is_top ? INT64_MAX : tx->gas_price_low);
	struct abci_event_attribute *a;
	char priority[CS_U256_DECIMAL_SIZE];
	cs_u256_decimal(priority, &price);
	CS_TRY(begin(event, &a, "mempool", 2, arena));
	CS_TRY(put(&a[0], "priority", text_of(priority, arena), false));
	return put(&a[1], "sender", ledger_hex(CS_BYTES_OF(tx->sender.b), arena), false);
}
