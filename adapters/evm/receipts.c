#include "adapters/evm/receipts.h"

#include "adapters/evm/receipt_json.h"
#include "host/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum method { RAW, BLOCK, SINGLE, METHOD_COUNT };

struct waiter {
	evm_receipts_done *done;
	void *ctx;
	struct waiter *next;
};

struct entry {
	struct evm_receipts *owner;
	struct evm_header *header; /* NULL: unused */
	struct evm_trie *trie;     /* NULL: being asked for */
	struct waiter *waiters;
	struct waiter **waiters_end;
	enum method method;
	size_t pin;
	size_t endpoint;
	uint64_t used;  /* higher is later */
	bool elsewhere; /* a node that has none was passed over already */
	bool known;     /* one of them has the block itself */
	bool busy;
};

struct evm_receipts {
	struct host_loop *loop;
	struct adapter_rpc *rpc;
	struct host_timer *timer; /* for answers from the cache */
	struct entry entries[EVM_RECEIPTS_BLOCKS_MAX];
	enum method first; /* what the node lacks is not asked for again */
	bool quadratic;
	size_t waiter_count;
	uint64_t use_next;
	uint64_t built;
	uint64_t hits;
	bool ending;
};

static enum cs_err ask(struct entry *entry);

static void call_waiters(struct evm_receipts *receipts, struct waiter *waiter, enum cs_err err,
			 const char *why, const struct evm_trie *trie)
{
	while (waiter != NULL) {
		struct waiter *next = waiter->next;

		receipts->waiter_count--;
		waiter->done(waiter->ctx, err, why, trie);
		free(waiter);
		waiter = next;
	}
}

static struct waiter *take_waiters(struct entry *entry)
{
	struct waiter *waiters = entry->waiters;

	entry->waiters = NULL;
	entry->waiters_end = &entry->waiters;
	return waiters;
}

static void answer(struct entry *entry)
{
	entry->busy =
		true; /* who is called may ask for other blocks, which must not push this one out */
	call_waiters(entry->owner, take_waiters(entry), CS_OK, "", entry->trie);
	entry->busy = false;
}

static void drop(struct entry *entry)
{
	evm_trie_free(entry->trie);
	evm_header_unref(entry->header);
	entry->trie = NULL;
	entry->header = NULL;
}

/* Who is called may ask for the same block again: that is a new question. */
static void fail(struct entry *entry, enum cs_err err, const char *why)
{
	struct waiter *waiters = take_waiters(entry);

	drop(entry);
	call_waiters(entry->owner, waiters, err, why, NULL);
}

/* ---- what the node said ---- */

/* The values are right when their root is. */
static bool take_values(struct entry *entry, const struct cs_bytes *values, size_t count)
{
	struct evm_trie *trie;

	for (size_t i = 0; i < count; i++)
		if (values[i].n == 0)
			return false;
	if (evm_trie_build(&trie, values, count) != CS_OK)
		return false;
	struct cs_hash root = evm_trie_root(trie);
	if (!cs_hash_eq(&root, &entry->header->receipts_root)) {
		evm_trie_free(trie);
		return false;
	}
	entry->trie = trie;
	entry->owner->built++;
	return true;
}

struct values {
	struct cs_bytes *views;
	uint8_t **memory;
	size_t count;
};

static void values_free(struct values *values)
{
	for (size_t i = 0; i < values->count; i++)
		free(values->memory[i]);
	free(values->memory);
	free(values->views);
}

static void values_init(struct values *values, size_t count)
{
	values->count = count;
	values->memory = host_calloc(count + 1, sizeof(*values->memory));
	values->views = host_calloc(count + 1, sizeof(*values->views));
}

static enum cs_err put_value(struct values *values, size_t at, const json_t *json, bool raw,
			     const struct cs_hash *block_hash)
{
	size_t size = raw ? evm_json_bytes_size(json) : evm_receipt_size_max(json);
	struct cs_buf buf;

	if (size > EVM_RECEIPT_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	values->memory[at] = host_alloc(size + 1);
	cs_buf_init(&buf, values->memory[at], size);
	if (raw)
		CS_TRY(evm_json_bytes(&buf, json));
	else
		CS_TRY(evm_receipt_put(&buf, json, block_hash, (uint32_t)at));
	values->views[at] = cs_buf_view(&buf);
	return cs_buf_end(&buf);
}

/* An array of raw receipts or of receipt objects. */
static bool take_array(struct entry *entry, const json_t *array, bool raw)
{
	struct values values;
	bool fine = json_is_array(array) && json_array_size(array) <= EVM_TRIE_VALUES_MAX;

	if (!fine)
		return false;
	values_init(&values, json_array_size(array));
	for (size_t i = 0; fine && i < values.count; i++)
		fine = put_value(&values, i, json_array_get(array, i), raw,
				 &entry->header->public.id.hash) == CS_OK;
	fine = fine && take_values(entry, values.views, values.count);
	values_free(&values);
	return fine;
}

/* Next way to ask, or the end. */
static void next_method(struct entry *entry, const char *why)
{
	if (entry->method + 1 < METHOD_COUNT) {
		entry->method++;
		enum cs_err err = ask(entry);
		if (err != CS_OK)
			fail(entry, err, cs_err_sentence(err));
		return;
	}
	adapter_rpc_lied(entry->owner->rpc, entry->endpoint, why);
	fail(entry, CS_ERR_RPC_LIE, why);
}

/* ---- a node that has none ---- */

/* It is behind, or keeps them back, or no longer has them. */
static void ask_elsewhere(struct entry *entry)
{
	size_t other = adapter_rpc_other(entry->owner->rpc, entry->endpoint);

	if (!entry->elsewhere && other != entry->endpoint) {
		entry->elsewhere = true;
		entry->pin = other;
		entry->method = entry->owner->first;
		if (ask(entry) == CS_OK)
			return;
	}
	if (entry->known)
		fail(entry, CS_ERR_UNAVAILABLE,
		     "the node has the block and no receipts of it: pruned, or not there yet");
	else
		fail(entry, CS_ERR_REORGED, "the node has no such block");
}

static void known_done(void *ctx, const struct adapter_rpc_reply *replies, size_t count)
{
	struct entry *entry = ctx;

	(void)count;
	if (replies[0].class == ADAPTER_RPC_FINE && json_is_object(replies[0].result))
		entry->known = true;
	ask_elsewhere(entry);
}

/* Does it have the block that it has no receipts of? Only the sentence depends on the answer. */
static void ask_whether_known(struct entry *entry)
{
	struct adapter_rpc_options options = {.pin = entry->endpoint, .only_pin = true};
	json_t *params = NULL;

	if (!entry->known) {
		params = json_array();
		json_array_append_new(params, host_json_hash(&entry->header->public.id.hash));
		json_array_append_new(params, json_false());
	}
	if (!params || adapter_rpc_call(entry->owner->rpc, &options, "eth_getBlockByHash", params,
					known_done, entry) != CS_OK)
		ask_elsewhere(entry);
}

/* ---- replies ---- */

/* True: the reply holds something to look at. */
static bool reply_is_usable(struct entry *entry, const struct adapter_rpc_reply *reply)
{
	struct evm_receipts *owner = entry->owner;

	entry->endpoint = reply->endpoint;
	if (reply->class == ADAPTER_RPC_METHOD && entry->method != SINGLE) {
		if (owner->first <= entry->method)
			owner->first = entry->method + 1;
		next_method(entry, reply->why);
		return false;
	}
	if (reply->class == ADAPTER_RPC_STATE ||
	    (reply->class == ADAPTER_RPC_FINE && json_is_null(reply->result))) {
		ask_whether_known(entry);
		return false;
	}
	/* what it refuses one way it may give another way */
	if ((reply->class == ADAPTER_RPC_INVALID || reply->class == ADAPTER_RPC_RANGE) &&
	    entry->method != SINGLE) {
		next_method(entry, reply->why);
		return false;
	}
	if (reply->class != ADAPTER_RPC_FINE) {
		fail(entry, reply->err, reply->why);
		return false;
	}
	return true;
}

static void array_done(void *ctx, const struct adapter_rpc_reply *replies, size_t count)
{
	struct entry *entry = ctx;

	(void)count;
	if (!reply_is_usable(entry, &replies[0]))
		return;
	if (take_array(entry, replies[0].result, entry->method == RAW))
		answer(entry);
	else
		next_method(entry, "receipts that are not under the receipts root");
}

static void singles_done(void *ctx, const struct adapter_rpc_reply *replies, size_t count)
{
	struct entry *entry = ctx;
	struct values values;
	bool fine = true;

	for (size_t i = 0; i < count; i++)
		if (!reply_is_usable(entry, &replies[i]))
			return;
	values_init(&values, count);
	for (size_t i = 0; fine && i < count; i++)
		fine = put_value(&values, i, replies[i].result, false,
				 &entry->header->public.id.hash) == CS_OK;
	fine = fine && take_values(entry, values.views, count);
	values_free(&values);
	if (fine)
		answer(entry);
	else
		next_method(entry, "receipts that are not under the receipts root");
}

static void block_done(void *ctx, const struct adapter_rpc_reply *replies, size_t count)
{
	struct entry *entry = ctx;
	struct adapter_rpc_options options = {.pin = replies[0].endpoint, .only_pin = true};

	(void)count;
	if (!reply_is_usable(entry, &replies[0]))
		return;
	const json_t *hashes = json_object_get(replies[0].result, "transactions");
	size_t n = json_array_size(hashes);
	if (n > ADAPTER_RPC_CALLS_MAX) {
		fail(entry, CS_ERR_TOO_LARGE, "more transactions than are asked for one by one");
		return;
	}
	if (!json_is_array(hashes) || n == 0) {
		next_method(entry, "a block without its transactions");
		return;
	}
	struct adapter_rpc_call *calls = host_calloc(n, sizeof(*calls));
	for (size_t i = 0; i < n; i++)
		calls[i] = (struct adapter_rpc_call){"eth_getTransactionReceipt",
						     json_pack("[O]", json_array_get(hashes, i))};
	enum cs_err err =
		adapter_rpc_batch(entry->owner->rpc, &options, calls, n, singles_done, entry);
	free(calls);
	if (err != CS_OK)
		fail(entry, err, cs_err_sentence(err));
}

static enum cs_err ask(struct entry *entry)
{
	struct evm_receipts *owner = entry->owner;
	const struct adapter_block_id *id = &entry->header->public.id;
	struct adapter_rpc_options options = {.pin = entry->pin, .height_min = id->height};
	json_t *params = json_array();

	if (entry->method == BLOCK && owner->quadratic &&
	    entry->header->tx_count > EVM_RECEIPTS_QUADRATIC_MAX)
		entry->method = SINGLE;
	json_array_append_new(params, host_json_hash(&id->hash));
	switch (entry->method) {
	case RAW:
		return adapter_rpc_call(owner->rpc, &options, "debug_getRawReceipts", params,
					array_done, entry);
	case BLOCK:
		return adapter_rpc_call(owner->rpc, &options, "eth_getBlockReceipts", params,
					array_done, entry);
	case SINGLE:
		json_array_append_new(params, json_false());
		return adapter_rpc_call(owner->rpc, &options, "eth_getBlockByHash", params,
					block_done, entry);
	case METHOD_COUNT:
		break;
	}
	json_decref(params);
	return CS_ERR_INVALID;
}

/* ---- the cache ---- */

static struct entry *find(struct evm_receipts *receipts, const struct cs_hash *hash)
{
	for (size_t i = 0; i < CS_LEN(receipts->entries); i++) {
		struct entry *entry = &receipts->entries[i];

		if (entry->header != NULL && cs_hash_eq(&entry->header->public.id.hash, hash))
			return entry;
	}
	return NULL;
}

/* The least recently used entry that nobody waits for. */
static struct entry *oldest(struct evm_receipts *receipts)
{
	struct entry *found = NULL;

	for (size_t i = 0; i < CS_LEN(receipts->entries); i++) {
		struct entry *entry = &receipts->entries[i];

		if (entry->header != NULL && entry->trie != NULL && entry->waiters == NULL &&
		    !entry->busy && (found == NULL || entry->used < found->used))
			found = entry;
	}
	return found;
}

static void keep_within_memory(struct evm_receipts *receipts)
{
	for (;;) {
		size_t size = 0;

		for (size_t i = 0; i < CS_LEN(receipts->entries); i++)
			if (receipts->entries[i].trie != NULL)
				size += evm_trie_size(receipts->entries[i].trie);
		struct entry *entry = size > EVM_RECEIPTS_MEMORY_MAX ? oldest(receipts) : NULL;
		if (entry == NULL)
			return;
		drop(entry);
	}
}

static struct entry *make(struct evm_receipts *receipts, struct evm_header *header)
{
	struct entry *entry = NULL;

	keep_within_memory(receipts);
	for (size_t i = 0; i < CS_LEN(receipts->entries) && entry == NULL; i++)
		if (receipts->entries[i].header == NULL)
			entry = &receipts->entries[i];
	if (entry == NULL) {
		entry = oldest(receipts);
		if (entry == NULL)
			return NULL;
		drop(entry);
	}
	*entry = (struct entry){
		.owner = receipts,
		.header = evm_header_ref(header),
		.method = receipts->first,
		.pin = ADAPTER_RPC_ANY,
	};
	entry->waiters_end = &entry->waiters;
	return entry;
}

/* Answers from the cache, and blocks without transactions. */
static void answer_ready(void *ctx)
{
	struct evm_receipts *receipts = ctx;

	for (size_t i = 0; i < CS_LEN(receipts->entries); i++) {
		struct entry *entry = &receipts->entries[i];

		if (entry->header != NULL && entry->trie != NULL && entry->waiters != NULL)
			answer(entry);
	}
}

static void add_waiter(struct entry *entry, evm_receipts_done *done, void *ctx)
{
	struct waiter *waiter = host_alloc(sizeof(*waiter));

	*waiter = (struct waiter){.done = done, .ctx = ctx};
	*entry->waiters_end = waiter;
	entry->waiters_end = &waiter->next;
	entry->owner->waiter_count++;
}

/* A block that nobody asked for yet. One without transactions is answered by its root alone. */
static enum cs_err begin(struct evm_receipts *receipts, struct entry **out,
			 struct evm_header *header)
{
	struct entry *entry = make(receipts, header);

	if (entry == NULL)
		return CS_ERR_FULL;
	if (!take_values(entry, NULL, 0)) {
		enum cs_err err = ask(entry);

		if (err != CS_OK) {
			drop(entry);
			return err;
		}
	}
	*out = entry;
	return CS_OK;
}

enum cs_err evm_receipts_get(struct evm_receipts *receipts, struct evm_header *header,
			     evm_receipts_done *done, void *ctx)
{
	struct entry *entry = find(receipts, &header->public.id.hash);

	if (receipts->ending)
		return CS_ERR_CLOSED;
	if (!adapter_rpc_is_ready(receipts->rpc))
		return CS_ERR_UNAVAILABLE;
	if (receipts->waiter_count >= EVM_RECEIPTS_WAITERS_MAX)
		return CS_ERR_FULL;
	if (entry != NULL && entry->trie != NULL)
		receipts->hits++;
	if (entry == NULL)
		CS_TRY(begin(receipts, &entry, header));
	entry->used = receipts->use_next++;
	if (done != NULL)
		add_waiter(entry, done, ctx);
	if (entry->trie != NULL)
		host_timer_start(receipts->timer, 0, 0);
	return CS_OK;
}

static void version_done(void *ctx, const struct adapter_rpc_reply *replies, size_t count)
{
	struct evm_receipts *receipts = ctx;

	(void)count;
	if (replies[0].class == ADAPTER_RPC_FINE && json_is_string(replies[0].result))
		receipts->quadratic =
			strncasecmp(json_string_value(replies[0].result), "anvil", 5) == 0;
}

void evm_receipts_start(struct evm_receipts *receipts)
{
	enum cs_err err = adapter_rpc_call(receipts->rpc, ADAPTER_RPC_DEFAULT, "web3_clientVersion",
					   NULL, version_done, receipts);

	(void)err; /* without an answer the careful way stays */
}

struct evm_receipts *evm_receipts_new(struct host_loop *loop, struct adapter_rpc *rpc)
{
	struct evm_receipts *receipts = host_alloc(sizeof(*receipts));

	receipts->loop = loop;
	receipts->rpc = rpc;
	receipts->quadratic = true;
	receipts->timer = host_timer_new(loop, answer_ready, receipts);
	return receipts;
}

void evm_receipts_free(struct evm_receipts *receipts)
{
	if (receipts == NULL)
		return;
	receipts->ending = true;
	host_timer_free(receipts->timer);
	for (size_t i = 0; i < CS_LEN(receipts->entries); i++) {
		if (receipts->entries[i].header != NULL)
			fail(&receipts->entries[i], CS_ERR_CLOSED, "the adapter ends");
	}
	free(receipts);
}

void evm_receipts_counters(const struct evm_receipts *receipts, uint64_t *built, uint64_t *hits)
{
	*built = receipts->built;
	*hits = receipts->hits;
}
