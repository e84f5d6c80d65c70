#include "relay_state/abci/kvstore.h"

#include "core/hash.h"
#include "relay_state/abci/codec.h"

#include <string.h>

#define APP_VERSION 1u
#define ABCI_VERSION "2.0.0"
#define KEY_SIZE 32u
#define APP_HASH_SIZE 8u

/* ---- pairs: records one after the other, found by an index of open addressing ---- */

/* slot: where the index has it; STAGED and DEAD are no slots. Key and value follow, and zeros up to
 * the next multiple of UNIT. */
struct record {
	uint32_t slot;
	uint32_t key_size;
	uint32_t value_size;
	uint8_t bytes[];
};
#define UNIT 8u
#define SLOT_STAGED (UINT32_MAX - 1)
#define SLOT_DEAD UINT32_MAX
#define SLOT_COUNT_MIN 1024u

static size_t record_size(size_t key_size, size_t value_size)
{
	return (sizeof(struct record) + key_size + value_size + UNIT - 1) / UNIT * UNIT;
}

static struct record *record_at(const struct abci_kvstore *store, size_t place)
{
	return (struct record *)(void *)(store->heap + place);
}

static struct cs_bytes key_of(const struct record *record)
{
	return cs_bytes(record->bytes, record->key_size);
}

static struct cs_bytes value_of(const struct record *record)
{
	return cs_bytes(record->bytes + record->key_size, record->value_size);
}

static uint64_t spread(const struct abci_kvstore *store, struct cs_bytes key)
{
	/* Chained, because a key may be long: the seed and the key's hash. */
	uint8_t both[sizeof store->seed + sizeof(struct cs_hash)];
	struct cs_hash hash = cs_sha256(key);
	memcpy(both, store->seed, sizeof store->seed);
	memcpy(both + sizeof store->seed, hash.b, sizeof hash.b);
	hash = cs_sha256(CS_BYTES_OF(both));
	return cs_be64(hash.b);
}

/* The slot of the key, or the empty one where it would be; there always is an empty one. */
static uint32_t find_slot(const struct abci_kvstore *store, struct cs_bytes key)
{
	size_t i = (size_t)spread(store, key) & (store->slot_count - 1);
	for (;; i = (i + 1) & (store->slot_count - 1)) {
		if (store->slots[i] == 0)
			return (uint32_t)i;
		const struct record *record =
			record_at(store, (store->slots[i] - 1) * (size_t)UNIT);
		if (cs_bytes_eq(key_of(record), key))
			return (uint32_t)i;
	}
}

static const struct record *find(const struct abci_kvstore *store, struct cs_bytes key)
{
	uint32_t slot = find_slot(store, key);
	if (store->slots[slot] == 0)
		return NULL;
	return record_at(store, (store->slots[slot] - 1) * (size_t)UNIT);
}

/* The slots at the end of the memory, all empty. */
static void lay_out(struct abci_kvstore *store, size_t slot_count)
{
	const size_t size = slot_count * sizeof *store->slots;
	store->heap_size = store->memory_size - size;
	store->slots = (uint32_t *)(void *)(store->heap + store->heap_size);
	store->slot_count = slot_count;
	memset(store->slots, 0, size);
}

/* Closes the gaps of replaced records; nothing is staged. */
static void compact(struct abci_kvstore *store)
{
	size_t to = 0;
	cs_assert(store->staged_used == store->heap_used);
	for (size_t from = 0; from < store->heap_used;) {
		const struct record *record = record_at(store, from);
		const size_t size = record_size(record->key_size, record->value_size);
		if (record->slot != SLOT_DEAD) {
			store->slots[record->slot] = (uint32_t)(to / UNIT + 1);
			memmove(store->heap + to, record, size);
			to += size;
		}
		from += size;
	}
	store->heap_used = store->staged_used = to;
}

/* A record behind the others, not in the index yet. */
static enum cs_err stage(struct abci_kvstore *store, struct cs_bytes key, struct cs_bytes value)
{
	if (key.n > UINT32_MAX || value.n > UINT32_MAX ||
	    record_size(key.n, value.n) > store->heap_size - store->staged_used)
		return CS_ERR_NO_MEMORY;
	struct record *record = record_at(store, store->staged_used);
	*record = (struct record){SLOT_STAGED, (uint32_t)key.n, (uint32_t)value.n};
	memcpy(record->bytes, key.p, key.n);
	if (value.n > 0)
		memcpy(record->bytes + key.n, value.p, value.n);
	store->staged_used += record_size(key.n, value.n);
	return CS_OK;
}

/* The staged records, in order, are the pairs from now on. */
static void unstage(struct abci_kvstore *store)
{
	while (store->heap_used < store->staged_used) {
		struct record *record = record_at(store, store->heap_used);
		uint32_t slot = find_slot(store, key_of(record));
		if (store->slots[slot] != 0)
			record_at(store, (store->slots[slot] - 1) * (size_t)UNIT)->slot = SLOT_DEAD;
		else
			store->pair_count++;
		store->slots[slot] = (uint32_t)(store->heap_used / UNIT + 1);
		record->slot = slot;
		store->heap_used += record_size(record->key_size, record->value_size);
	}
}

/* The index gets slots for so many pairs; false when there is no room for it. */
static bool reach(struct abci_kvstore *store, size_t pair_count)
{
	size_t slot_count = store->slot_count;
	while (slot_count / 2 < pair_count)
		slot_count *= 2;
	const size_t size = slot_count * sizeof *store->slots;
	if (slot_count == store->slot_count)
		return true;
	if (size > store->memory_size || store->heap_used > store->memory_size - size)
		return false;
	lay_out(store, slot_count);
	for (size_t place = 0; place < store->heap_used;) {
		struct record *record = record_at(store, place);
		if (record->slot != SLOT_DEAD) {
			record->slot = find_slot(store, key_of(record));
			store->slots[record->slot] = (uint32_t)(place / UNIT + 1);
		}
		place += record_size(record->key_size, record->value_size);
	}
	return true;
}

/* Room for so many new pairs of so many bytes together: NO_MEMORY leaves all as it was. */
static enum cs_err make_room(struct abci_kvstore *store, size_t pair_count, size_t size)
{
	cs_assert(store->staged_used == store->heap_used);
	if (!reach(store, store->pair_count + pair_count)) {
		compact(store);
		if (!reach(store, store->pair_count + pair_count))
			return CS_ERR_NO_MEMORY;
	}
	if (size > store->heap_size - store->heap_used)
		compact(store);
	return size > store->heap_size - store->heap_used ? CS_ERR_NO_MEMORY : CS_OK;
}

/* ---- validators ---- */

static struct abci_kvstore_validator *find_key(struct abci_kvstore_validator *list, uint32_t count,
					       const uint8_t *key)
{
	for (uint32_t i = 0; i < count; i++) {
		if (memcmp(list[i].key, key, KEY_SIZE) == 0)
			return &list[i];
	}
	return NULL;
}

static enum cs_err set_validator(struct abci_kvstore *store, const uint8_t *key, int64_t power)
{
	struct abci_kvstore_validator *validator =
		find_key(store->validators, store->validator_count, key);
	if (validator == NULL && power == 0)
		return CS_OK;
	if (validator != NULL && power == 0) {
		*validator = store->validators[--store->validator_count];
		return CS_OK;
	}
	if (validator == NULL) {
		if (store->validator_count == ABCI_KVSTORE_VALIDATORS_MAX)
			return CS_ERR_FULL;
		validator = &store->validators[store->validator_count++];
		memcpy(validator->key, key, KEY_SIZE);
	}
	validator->power = power;
	return CS_OK;
}

static enum cs_err tell_validator(const struct abci_kvstore_hooks *hooks, const uint8_t *key,
				  int64_t power)
{
	if (hooks->validator == NULL)
		return CS_OK;
	return hooks->validator(hooks->context, cs_bytes(key, KEY_SIZE), power);
}

static enum cs_err take_validator(struct abci_kvstore *store, const uint8_t *key, int64_t power,
				  const struct abci_call *call)
{
	if (set_validator(store, key, power) != CS_OK)
		return cs_fail(call->why, CS_ERR_FULL, "more than %u validators",
			       ABCI_KVSTORE_VALIDATORS_MAX);
	return tell_validator(&store->hooks, key, power);
}

/* The first 20 bytes of the key's SHA-256 (CometBFT crypto/tmhash). */
static const struct abci_kvstore_validator *validator_at(const struct abci_kvstore *store,
							 struct cs_bytes address)
{
	for (uint32_t i = 0; i < store->validator_count; i++) {
		struct cs_hash hash = cs_sha256(CS_BYTES_OF(store->validators[i].key));
		if (cs_bytes_eq(cs_bytes(hash.b, sizeof(struct cs_address)), address))
			return &store->validators[i];
	}
	return NULL;
}

/* ---- transactions ---- */

static const uint8_t *byte_in(struct cs_bytes bytes, char c)
{
	return bytes.n == 0 ? NULL : memchr(bytes.p, c, bytes.n);
}

static size_t count_of(struct cs_bytes bytes, char c)
{
	size_t count = 0;
	for (size_t i = 0; i < bytes.n; i++)
		count += bytes.p[i] == (uint8_t)c;
	return count;
}

/* Splits at the first c: false when there is none. */
static bool split(struct cs_bytes bytes, char c, struct cs_bytes *before, struct cs_bytes *after)
{
	const uint8_t *at = byte_in(bytes, c);
	if (at == NULL)
		return false;
	size_t n = (size_t)(at - bytes.p);
	*before = cs_bytes(bytes.p, n);
	*after = cs_bytes(at + 1, bytes.n - n - 1);
	return true;
}

static int base64_value(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Exactly 32 bytes of base64 with its padding; line ends in it do not count, as in Go. */
static bool read_key(uint8_t key[KEY_SIZE], struct cs_bytes text)
{
	uint32_t bits = 0, bit_count = 0;
	size_t n = 0, chars = 0, padding = 0;
	for (size_t i = 0; i < text.n; i++) {
		const uint8_t c = text.p[i];
		if (c == '\r' || c == '\n')
			continue;
		chars++;
		if (c == '=' && ++padding == 1)
			continue;
		const int value = base64_value(c);
		if (value < 0 || padding > 0)
			return false;
		bits = (bits << 6 | (uint32_t)value) & 0xffff;
		bit_count += 6;
		if (bit_count < 8)
			continue;
		bit_count -= 8;
		if (n == KEY_SIZE)
			return false;
		key[n++] = (uint8_t)(bits >> bit_count);
	}
	return n == KEY_SIZE && chars == 44 && padding == 1;
}

/* What Go's strconv.ParseInt(text, 10, 64) takes, and not below 0. */
static bool read_power(int64_t *power, struct cs_bytes text)
{
	bool negative = text.n > 0 && text.p[0] == '-';
	int64_t value = 0;
	if (text.n > 0 && (negative || text.p[0] == '+'))
		text = cs_bytes(text.p + 1, text.n - 1);
	for (size_t i = 0; i < text.n; i++) {
		const uint8_t c = text.p[i];
		if (c < '0' || c > '9' || __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, c - '0', &value))
			return false;
	}
	*power = value;
	return text.n > 0 && (!negative || value == 0);
}

static const char validator_prefix[] = "val=";

static bool is_validator_tx(struct cs_bytes tx)
{
	const size_t n = sizeof validator_prefix - 1;
	return tx.n >= n && memcmp(tx.p, validator_prefix, n) == 0;
}

/* val=ed25519!BASE64!POWER; the type may be empty. */
static bool read_validator_tx(struct abci_kvstore_validator *validator, struct cs_bytes tx)
{
	const size_t n = sizeof validator_prefix - 1;
	struct cs_bytes type, key, power, rest = cs_bytes(tx.p + n, tx.n - n);
	if (!split(rest, '!', &type, &rest) || !split(rest, '!', &key, &power))
		return false;
	if (type.n > 0 && !cs_bytes_eq(type, cs_bytes_str("ed25519")))
		return false;
	return read_key(validator->key, key) && read_power(&validator->power, power);
}

/* One ':' or one '=', neither first nor last. */
static bool is_pair_tx(struct cs_bytes tx)
{
	const size_t colons = count_of(tx, ':'), equals = count_of(tx, '=');
	if (colons + equals != 1)
		return false;
	const char c = colons == 1 ? ':' : '=';
	return tx.p[0] != (uint8_t)c && tx.p[tx.n - 1] != (uint8_t)c;
}

static bool is_valid_tx(struct cs_bytes tx)
{
	struct abci_kvstore_validator validator;
	return is_validator_tx(tx) ? read_validator_tx(&validator, tx) : is_pair_tx(tx);
}

/* An upper bound of what its result and events take. */
static uint64_t answer_size(struct cs_bytes tx)
{
	return ABCI_KVSTORE_ANSWER_EXTRA + (is_validator_tx(tx) ? 2 : 1) * (uint64_t)tx.n;
}

/* ---- the functions ---- */

/* The size as Go's binary.PutVarint, in eight bytes. */
static enum cs_err put_app_hash(struct cs_bytes *hash, int64_t size, const struct abci_call *call)
{
	uint8_t *p = cs_arena_calloc(call->arena, 1, APP_HASH_SIZE);
	uint64_t zigzag = (uint64_t)size << 1;
	if (p == NULL)
		return CS_ERR_NO_MEMORY;
	*hash = cs_bytes(p, APP_HASH_SIZE);
	for (size_t i = 0; i < APP_HASH_SIZE; i++, zigzag >>= 7)
		p[i] = (uint8_t)((zigzag & 0x7f) | (zigzag >= 0x80 ? 0x80 : 0));
	return CS_OK;
}

static enum cs_err no_memory(const struct abci_call *call)
{
	return cs_fail(call->why, CS_ERR_NO_MEMORY, "no memory for the answer");
}

static enum cs_err info(void *state, const struct abci_info_request *request,
			struct abci_info_response *response, const struct abci_call *call)
{
	const struct abci_kvstore *store = state;
	struct cs_buf data;
	(void)request;
	if (cs_buf_init_arena(&data, call->arena, 64) != CS_OK ||
	    put_app_hash(&response->last_block_app_hash, store->size, call) != CS_OK)
		return no_memory(call);
	cs_put_text(&data, "{\"size\":%lld}", (long long)store->size);
	response->data = cs_buf_view(&data);
	response->version = cs_bytes_str(ABCI_VERSION);
	response->app_version = APP_VERSION;
	response->last_block_height = store->height;
	return cs_buf_end(&data);
}

static enum cs_err init_chain(void *state, const struct abci_init_chain_request *request,
			      struct abci_init_chain_response *response,
			      const struct abci_call *call)
{
	struct abci_kvstore *store = state;
	for (size_t i = 0; i < request->validators.count; i++) {
		const struct abci_validator_update *update = &request->validators.items[i];
		if (update->pub_key.type != ABCI_KEY_ED25519 || update->pub_key.bytes.n != KEY_SIZE)
			return cs_fail(call->why, CS_ERR_UNSUPPORTED,
				       "validator %zu has no key of Ed25519", i);
		if (update->power < 0)
			return cs_fail(call->why, CS_ERR_INVALID, "validator %zu has power %lld", i,
				       (long long)update->power);
		CS_TRY(take_validator(store, update->pub_key.bytes.p, update->power, call));
	}
	if (put_app_hash(&response->app_hash, store->size, call) != CS_OK)
		return no_memory(call);
	return CS_OK;
}

static enum cs_err check_tx(void *state, const struct abci_check_tx_request *request,
			    struct abci_check_tx_response *response, const struct abci_call *call)
{
	(void)state, (void)call;
	if (is_valid_tx(request->tx))
		response->gas_wanted = 1;
	else
		response->code = ABCI_KVSTORE_CODE_INVALID_FORMAT;
	return CS_OK;
}

/* x:y becomes x=y, what is not valid is left out. */
static enum cs_err prepare_proposal(void *state,
				    const struct abci_prepare_proposal_request *request,
				    struct abci_prepare_proposal_response *response,
				    const struct abci_call *call)
{
	struct cs_bytes *txs = cs_arena_calloc(call->arena, request->txs.count, sizeof *txs);
	size_t count = 0;
	uint64_t answer = 0;
	(void)state;
	if (txs == NULL)
		return no_memory(call);
	for (size_t i = 0; i < request->txs.count; i++) {
		struct cs_bytes tx = request->txs.items[i];
		if (!is_valid_tx(tx))
			continue;
		answer += answer_size(tx);
		if (answer > ABCI_KVSTORE_ANSWER_SIZE_MAX)
			break;
		const uint8_t *colon = byte_in(tx, ':');
		txs[count] = colon == NULL ? tx : cs_arena_copy(call->arena, tx);
		if (txs[count].p == NULL)
			return no_memory(call);
		if (colon != NULL)
			((uint8_t *)(uintptr_t)txs[count].p)[colon - tx.p] = '=';
		count++;
	}
	response->txs = (struct abci_bytes_list){txs, count};
	return CS_OK;
}

static enum cs_err process_proposal(void *state,
				    const struct abci_process_proposal_request *request,
				    struct abci_process_proposal_response *response,
				    const struct abci_call *call)
{
	(void)state, (void)call;
	uint64_t answer = 0;
	response->status = ABCI_REJECT;
	for (size_t i = 0; i < request->txs.count; i++) {
		answer += answer_size(request->txs.items[i]);
		if (!is_valid_tx(request->txs.items[i]) || answer > ABCI_KVSTORE_ANSWER_SIZE_MAX)
			return CS_OK;
	}
	response->status = ABCI_ACCEPT;
	return CS_OK;
}

/* ---- finalize_block ---- */

static enum cs_err add_update(struct abci_kvstore *store,
			      const struct abci_kvstore_validator *update,
			      const struct abci_call *call)
{
	if (store->update_count == ABCI_KVSTORE_VALIDATORS_MAX)
		return cs_fail(call->why, CS_ERR_FULL, "more than %u validators in one block",
			       ABCI_KVSTORE_VALIDATORS_MAX);
	store->updates[store->update_count++] = *update;
	return CS_OK;
}

static enum cs_err punish(struct abci_kvstore *store, const struct abci_misbehaviors *misbehavior,
			  const struct abci_call *call)
{
	for (size_t i = 0; i < misbehavior->count; i++) {
		const struct abci_misbehavior *item = &misbehavior->items[i];
		if (item->type != ABCI_DUPLICATE_VOTE)
			continue;
		const struct abci_kvstore_validator *validator =
			validator_at(store, item->validator.address);
		/* One who has gone since, or evidence of two offences: an engine ends at two
		 * changes of one validator. */
		if (validator == NULL ||
		    find_key(store->updates, store->update_count, validator->key) != NULL)
			continue;
		struct abci_kvstore_validator update = *validator;
		if (__builtin_sub_overflow(item->validator.power, 1, &update.power))
			return cs_fail(call->why, CS_ERR_INVALID, "the power is no power");
		CS_TRY(add_update(store, &update, call));
	}
	return CS_OK;
}

static struct abci_event_attribute attribute(const char *key, struct cs_bytes value, bool index)
{
	return (struct abci_event_attribute){cs_bytes_str(key), value, index};
}

#define EVENT_COUNT 2u
#define ATTRIBUTE_COUNT 4u

static enum cs_err put_events(struct abci_events *events, struct cs_bytes tx,
			      const struct abci_call *call)
{
	struct abci_event *event = cs_arena_calloc(call->arena, EVENT_COUNT, sizeof *event);
	struct abci_event_attribute *a =
		cs_arena_calloc(call->arena, EVENT_COUNT * ATTRIBUTE_COUNT, sizeof *a);
	const struct cs_bytes works = cs_bytes_str("index is working");
	const char *const creators[EVENT_COUNT] = {"Cosmoshi Netowoko", "Cosmoshi"};
	struct cs_bytes named[EVENT_COUNT] = {tx, tx};
	if (event == NULL || a == NULL)
		return no_memory(call);
	if (count_of(tx, '=') == 1)
		(void)split(tx, '=', &named[0], &named[1]);
	for (size_t i = 0; i < EVENT_COUNT; i++, a += ATTRIBUTE_COUNT) {
		a[0] = attribute("creator", cs_bytes_str(creators[i]), true);
		a[1] = attribute("key", named[i], true);
		a[2] = attribute("index_key", works, true);
		a[3] = attribute("noindex_key", works, false);
		event[i].type = cs_bytes_str("app");
		event[i].attributes.items = a;
		event[i].attributes.count = ATTRIBUTE_COUNT;
	}
	*events = (struct abci_events){event, EVENT_COUNT};
	return CS_OK;
}

static enum cs_err execute(struct abci_kvstore *store, struct cs_bytes tx,
			   struct abci_tx_result *result, const struct abci_call *call)
{
	struct abci_kvstore_validator update;
	struct cs_bytes key, value;
	if (is_validator_tx(tx)) {
		if (!read_validator_tx(&update, tx))
			return cs_fail(call->why, CS_ERR_INVALID,
				       "a block with a transaction that was never valid");
		CS_TRY(add_update(store, &update, call));
	} else if (count_of(tx, '=') == 1 && split(tx, '=', &key, &value)) {
		/* x:y, which no honest proposer leaves in a block, stores nothing. */
		enum cs_err err = stage(store, key, value);
		if (err != CS_OK)
			return cs_fail(call->why, err, "the store is full: %zu pairs",
				       store->pair_count);
	}
	return put_events(&result->events, tx, call);
}

/* So that a block is taken as a whole or not at all. */
static enum cs_err make_room_for(struct abci_kvstore *store, const struct abci_bytes_list *txs,
				 const struct abci_call *call)
{
	size_t size = 0;
	for (size_t i = 0; i < txs->count; i++) {
		if (__builtin_add_overflow(size, record_size(txs->items[i].n, 0), &size))
			return cs_fail(call->why, CS_ERR_NO_MEMORY, "a block above all memory");
	}
	enum cs_err err = make_room(store, txs->count, size);
	if (err != CS_OK)
		return cs_fail(call->why, err, "the store is full: %zu pairs", store->pair_count);
	return CS_OK;
}

static enum cs_err put_updates(const struct abci_kvstore *store,
			       struct abci_validator_updates *updates, const struct abci_call *call)
{
	struct abci_validator_update *items =
		cs_arena_calloc(call->arena, store->update_count, sizeof *items);
	if (items == NULL)
		return no_memory(call);
	for (uint32_t i = 0; i < store->update_count; i++) {
		items[i].pub_key.type = ABCI_KEY_ED25519;
		items[i].pub_key.bytes = CS_BYTES_OF(store->updates[i].key);
		items[i].power = store->updates[i].power;
	}
	*updates = (struct abci_validator_updates){items, store->update_count};
	return CS_OK;
}

static enum cs_err execute_block(struct abci_kvstore *store,
				 const struct abci_finalize_block_request *request,
				 struct abci_finalize_block_response *response,
				 const struct abci_call *call)
{
	const size_t count = request->txs.count;
	struct abci_tx_result *results = cs_arena_calloc(call->arena, count, sizeof *results);
	if (results == NULL)
		return no_memory(call);
	CS_TRY(punish(store, &request->misbehavior, call));
	CS_TRY(make_room_for(store, &request->txs, call));
	for (size_t i = 0; i < count; i++)
		CS_TRY(execute(store, request->txs.items[i], &results[i], call));
	response->tx_results.items = results;
	response->tx_results.count = count;
	CS_TRY(put_updates(store, &response->validator_updates, call));
	if (put_app_hash(&response->app_hash, store->size + (int64_t)count, call) != CS_OK)
		return no_memory(call);
	return CS_OK;
}

static enum cs_err finalize_block(void *state, const struct abci_finalize_block_request *request,
				  struct abci_finalize_block_response *response,
				  const struct abci_call *call)
{
	struct abci_kvstore *store = state;
	store->update_count = 0;
	store->staged_used = store->heap_used;
	store->size_next = store->size;
	store->height_next = store->height;
	enum cs_err err = execute_block(store, request, response, call);
	if (err != CS_OK) {
		store->update_count = 0;
		store->staged_used = store->heap_used;
		return err;
	}
	store->size_next = store->size + (int64_t)request->txs.count;
	store->height_next = request->height;
	return CS_OK;
}

static enum cs_err tell_staged(const struct abci_kvstore *store)
{
	for (size_t place = store->heap_used; place < store->staged_used;) {
		const struct record *record = record_at(store, place);
		if (store->hooks.pair != NULL)
			CS_TRY(store->hooks.pair(store->hooks.context, key_of(record),
						 value_of(record)));
		place += record_size(record->key_size, record->value_size);
	}
	return CS_OK;
}

static enum cs_err commit(void *state, struct abci_commit_response *response,
			  const struct abci_call *call)
{
	struct abci_kvstore *store = state;
	CS_TRY(tell_staged(store));
	for (uint32_t i = 0; i < store->update_count; i++) {
		const struct abci_kvstore_validator *update = &store->updates[i];
		CS_TRY(take_validator(store, update->key, update->power, call));
	}
	store->update_count = 0;
	unstage(store);
	store->size = store->size_next;
	store->height = store->height_next;
	if (store->retain_blocks > 0 && store->height >= store->retain_blocks)
		response->retain_height = store->height - store->retain_blocks + 1;
	if (store->hooks.committed == NULL)
		return CS_OK;
	return store->hooks.committed(store->hooks.context, store->height, store->size);
}

/* ---- query ---- */

/* The ValidatorUpdate with its length before it, as the real one stores it. */
static enum cs_err query_validator(struct abci_kvstore *store, struct cs_bytes key,
				   struct cs_bytes *value, const struct abci_call *call)
{
	const struct abci_kvstore_validator *validator =
		key.n == KEY_SIZE ? find_key(store->validators, store->validator_count, key.p)
				  : NULL;
	struct cs_buf buf;
	if (validator == NULL)
		return CS_OK;
	struct abci_validator_update update = {
		.pub_key = {ABCI_KEY_ED25519, CS_BYTES_OF(validator->key)},
		.power = validator->power,
	};
	if (cs_buf_init_arena(&buf, call->arena, 64) != CS_OK)
		return no_memory(call);
	size_t begin = cs_pb_begin_delimited(&buf);
	CS_TRY(abci_validator_update_encode(&buf, &update));
	cs_pb_end(&buf, begin);
	*value = cs_buf_view(&buf);
	return cs_buf_end(&buf);
}

static enum cs_err query(void *state, const struct abci_query_request *request,
			 struct abci_query_response *response, const struct abci_call *call)
{
	struct abci_kvstore *store = state;
	response->key = request->data;
	if (cs_bytes_eq(request->path, cs_bytes_str("/val")))
		return query_validator(store, request->data, &response->value, call);
	const struct record *record = find(store, request->data);
	response->log = cs_bytes_str(record == NULL ? "does not exist" : "exists");
	if (record != NULL)
		response->value = value_of(record);
	if (request->prove)
		response->index = -1;
	response->height = store->height;
	return CS_OK;
}

/* ---- the store itself ---- */

enum cs_err abci_kvstore_init(struct abci_kvstore *store,
			      const struct abci_kvstore_options *options)
{
	const size_t size = options->memory_size;
	if (size < ABCI_KVSTORE_MEMORY_MIN || size > ABCI_KVSTORE_MEMORY_MAX ||
	    (uintptr_t)options->memory % UNIT != 0)
		return CS_ERR_INVALID;
	memset(store, 0, sizeof *store);
	store->heap = options->memory;
	store->memory_size = size / UNIT * UNIT;
	lay_out(store, SLOT_COUNT_MIN);
	memcpy(store->seed, options->seed, sizeof store->seed);
	store->retain_blocks = options->retain_blocks;
	store->hooks = options->hooks;
	return CS_OK;
}

struct abci_app abci_kvstore_app(struct abci_kvstore *store)
{
	return (struct abci_app){
		.state = store,
		.info = info,
		.query = query,
		.check_tx = check_tx,
		.init_chain = init_chain,
		.prepare_proposal = prepare_proposal,
		.process_proposal = process_proposal,
		.finalize_block = finalize_block,
		.commit = commit,
	};
}

enum cs_err abci_kvstore_get(const struct abci_kvstore *store, struct cs_bytes key,
			     struct cs_bytes *value)
{
	const struct record *record = find(store, key);
	if (record == NULL)
		return CS_ERR_NOT_FOUND;
	*value = value_of(record);
	return CS_OK;
}

enum cs_err abci_kvstore_export(const struct abci_kvstore *store,
				const struct abci_kvstore_hooks *to)
{
	for (size_t place = 0; place < store->heap_used;) {
		const struct record *record = record_at(store, place);
		if (record->slot != SLOT_DEAD && to->pair != NULL)
			CS_TRY(to->pair(to->context, key_of(record), value_of(record)));
		place += record_size(record->key_size, record->value_size);
	}
	for (uint32_t i = 0; i < store->validator_count; i++)
		CS_TRY(tell_validator(to, store->validators[i].key, store->validators[i].power));
	if (to->committed == NULL)
		return CS_OK;
	return to->committed(to->context, store->height, store->size);
}

enum cs_err abci_kvstore_import_pair(struct abci_kvstore *store, struct cs_bytes key,
				     struct cs_bytes value)
{
	if (key.n == 0)
		return CS_ERR_INVALID;
	store->staged_used = store->heap_used;
	CS_TRY(make_room(store, 1, record_size(key.n, value.n)));
	CS_TRY(stage(store, key, value));
	unstage(store);
	return CS_OK;
}

enum cs_err abci_kvstore_import_validator(struct abci_kvstore *store, struct cs_bytes key,
					  int64_t power)
{
	if (key.n != KEY_SIZE || power < 0)
		return CS_ERR_INVALID;
	return set_validator(store, key.p, power);
}

enum cs_err abci_kvstore_import_end(struct abci_kvstore *store, int64_t height, int64_t size)
{
	if (height < 0 || size < 0)
		return CS_ERR_INVALID;
	store->height = store->height_next = height;
	store->size = store->size_next = size;
	return CS_OK;
}
