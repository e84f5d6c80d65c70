#include "relay_state/abci/kvstore_snapshot.h"

#include "core/hash.h"

#include <string.h>

#define MAGIC "CSKV"
#define VERSION 1u
#define HEAD_SIZE 36u
#define HASH_SIZE sizeof(struct cs_hash)

/*~ A slot has its content at the front and the hashes of its chunks behind. The content comes by an
 * export of the store, or chunk by chunk from a peer; either way it is whole before anything is made
 * of it. */

static struct abci_kvstore_snapshots *of(void *state)
{
	return ((struct abci_kvstore *)state)->snapshots;
}

static uint32_t chunks_of(size_t size)
{
	return (uint32_t)((size + ABCI_KVSTORE_CHUNK_SIZE - 1) / ABCI_KVSTORE_CHUNK_SIZE);
}

static struct cs_bytes metadata_of(const struct abci_kvstore_snapshot *slot)
{
	return cs_bytes(slot->hashes, slot->chunk_count * HASH_SIZE);
}

static struct cs_bytes chunk_of(const struct abci_kvstore_snapshot *slot, uint32_t index)
{
	size_t at = (size_t)index * ABCI_KVSTORE_CHUNK_SIZE;
	size_t left = slot->size - at;
	return cs_bytes(slot->content + at,
			left < ABCI_KVSTORE_CHUNK_SIZE ? left : ABCI_KVSTORE_CHUNK_SIZE);
}

/* The oldest, but not the one that is being restored. */
static struct abci_kvstore_snapshot *free_slot(struct abci_kvstore_snapshots *s)
{
	struct abci_kvstore_snapshot *oldest = NULL;
	for (size_t i = 0; i < ABCI_KVSTORE_SNAPSHOT_SLOTS; i++) {
		struct abci_kvstore_snapshot *slot = &s->slots[i];
		if (slot != s->coming && (oldest == NULL || slot->height < oldest->height))
			oldest = slot;
	}
	oldest->height = 0;
	oldest->size = 0;
	return oldest;
}

static void seal(struct abci_kvstore_snapshot *slot, int64_t height)
{
	slot->chunk_count = chunks_of(slot->size);
	for (uint32_t i = 0; i < slot->chunk_count; i++) {
		struct cs_hash hash = cs_sha256(chunk_of(slot, i));
		memcpy(slot->hashes + i * HASH_SIZE, hash.b, HASH_SIZE);
	}
	slot->hash = cs_sha256(metadata_of(slot));
	slot->height = height;
}

/* ---- taking ---- */

static enum cs_err put_pair(void *context, struct cs_bytes key, struct cs_bytes value)
{
	struct cs_buf *buf = context;
	cs_put_u32(buf, (uint32_t)key.n);
	cs_put_u32(buf, (uint32_t)value.n);
	cs_put(buf, key);
	cs_put(buf, value);
	return cs_buf_end(buf);
}

static enum cs_err put_validator(void *context, struct cs_bytes key, int64_t power)
{
	struct cs_buf *buf = context;
	cs_put(buf, key);
	cs_put_u64(buf, (uint64_t)power);
	return cs_buf_end(buf);
}

static enum cs_err take(struct abci_kvstore_snapshots *s)
{
	const struct abci_kvstore *store = s->store;
	struct abci_kvstore_snapshot *slot = free_slot(s);
	struct cs_buf buf;
	const struct abci_kvstore_hooks hooks = {
		.context = &buf, .pair = put_pair, .validator = put_validator};
	cs_buf_init(&buf, slot->content, s->slot_size);
	cs_put(&buf, cs_bytes_str(MAGIC));
	cs_put_u32(&buf, VERSION);
	cs_put_u64(&buf, (uint64_t)store->height);
	cs_put_u64(&buf, (uint64_t)store->size);
	cs_put_u64(&buf, store->pair_count);
	cs_put_u32(&buf, store->validator_count);
	if (abci_kvstore_export(store, &hooks) != CS_OK || cs_buf_end(&buf) != CS_OK) {
		s->too_large++;
		return CS_OK;
	}
	slot->size = buf.n;
	seal(slot, store->height);
	if (s->options.taken == NULL)
		return CS_OK;
	return s->options.taken(s->options.context, slot->height,
				cs_bytes(slot->content, slot->size));
}

static enum cs_err commit(void *state, struct abci_commit_response *response,
			  const struct abci_call *call)
{
	struct abci_kvstore_snapshots *s = of(state);
	CS_TRY(s->inner.commit(state, response, call));
	if (s->options.interval == 0 || s->store->height == 0 ||
	    s->store->height % s->options.interval != 0)
		return CS_OK;
	enum cs_err err = take(s);
	return err == CS_OK ? CS_OK : cs_fail(call->why, err, "the snapshot cannot be kept");
}

/* ---- giving ---- */

static enum cs_err list_snapshots(void *state, struct abci_list_snapshots_response *response,
				  const struct abci_call *call)
{
	struct abci_kvstore_snapshots *s = of(state);
	struct abci_snapshot *items =
		cs_arena_calloc(call->arena, ABCI_KVSTORE_SNAPSHOT_SLOTS, sizeof *items);
	if (items == NULL)
		return cs_fail(call->why, CS_ERR_NO_MEMORY, "no memory for the answer");
	response->snapshots.items = items;
	for (size_t i = 0; i < ABCI_KVSTORE_SNAPSHOT_SLOTS; i++) {
		const struct abci_kvstore_snapshot *slot = &s->slots[i];
		if (slot->height == 0)
			continue;
		items[response->snapshots.count++] = (struct abci_snapshot){
			(uint64_t)slot->height, ABCI_KVSTORE_SNAPSHOT_FORMAT, slot->chunk_count,
			CS_BYTES_OF(slot->hash.b), metadata_of(slot)};
	}
	return CS_OK;
}

static enum cs_err load_snapshot_chunk(void *state,
				       const struct abci_load_snapshot_chunk_request *request,
				       struct abci_load_snapshot_chunk_response *response,
				       const struct abci_call *call)
{
	struct abci_kvstore_snapshots *s = of(state);
	(void)call;
	for (size_t i = 0; i < ABCI_KVSTORE_SNAPSHOT_SLOTS; i++) {
		const struct abci_kvstore_snapshot *slot = &s->slots[i];
		if (slot->height > 0 && (uint64_t)slot->height == request->height &&
		    request->format == ABCI_KVSTORE_SNAPSHOT_FORMAT &&
		    request->chunk < slot->chunk_count)
			response->chunk = chunk_of(slot, request->chunk);
	}
	return CS_OK;
}

/* ---- restoring ---- */

static enum cs_err make_empty(struct abci_kvstore *store)
{
	struct abci_kvstore_snapshots *snapshots = store->snapshots;
	struct abci_kvstore_options options = {.memory = store->heap,
					       .memory_size = store->memory_size,
					       .retain_blocks = store->retain_blocks};
	memcpy(options.seed, store->seed, sizeof options.seed);
	CS_TRY(abci_kvstore_init(store, &options));
	store->snapshots = snapshots;
	return CS_OK;
}

static bool get(struct cs_bytes *rest, struct cs_bytes *out, size_t n)
{
	if (rest->n < n)
		return false;
	*out = cs_bytes(rest->p, n);
	*rest = cs_bytes(rest->p + n, rest->n - n);
	return true;
}

static enum cs_err import_pairs(struct abci_kvstore *store, struct cs_bytes *rest, uint64_t count)
{
	struct cs_bytes head, key, value;
	for (uint64_t i = 0; i < count; i++) {
		if (!get(rest, &head, 8) || !get(rest, &key, cs_be32(head.p)) ||
		    !get(rest, &value, cs_be32(head.p + 4)))
			return CS_ERR_MALFORMED;
		CS_TRY(abci_kvstore_import_pair(store, key, value));
	}
	return store->pair_count == count ? CS_OK : CS_ERR_MALFORMED;
}

static enum cs_err import_validators(struct abci_kvstore *store, struct cs_bytes *rest,
				     uint32_t count)
{
	struct cs_bytes key, power;
	for (uint32_t i = 0; i < count; i++) {
		if (!get(rest, &key, 32) || !get(rest, &power, 8))
			return CS_ERR_MALFORMED;
		CS_TRY(abci_kvstore_import_validator(store, key, (int64_t)cs_be64(power.p)));
	}
	return store->validator_count == count ? CS_OK : CS_ERR_MALFORMED;
}

static enum cs_err import(struct abci_kvstore *store, struct cs_bytes content)
{
	struct cs_bytes head, rest = content;
	if (!get(&rest, &head, HEAD_SIZE) || memcmp(head.p, MAGIC, 4) != 0 ||
	    cs_be32(head.p + 4) != VERSION)
		return CS_ERR_MALFORMED;
	int64_t height = (int64_t)cs_be64(head.p + 8);
	CS_TRY(import_pairs(store, &rest, cs_be64(head.p + 24)));
	CS_TRY(import_validators(store, &rest, cs_be32(head.p + 32)));
	if (rest.n > 0 || height < 1)
		return CS_ERR_MALFORMED;
	return abci_kvstore_import_end(store, height, (int64_t)cs_be64(head.p + 16));
}

static enum abci_offer_snapshot_result judge(const struct abci_kvstore_snapshots *s,
					     const struct abci_offer_snapshot_request *request)
{
	const struct abci_snapshot *offered = request->snapshot;
	if (offered == NULL || offered->height == 0 || offered->height > INT64_MAX)
		return ABCI_OFFER_REJECT;
	if (offered->format != ABCI_KVSTORE_SNAPSHOT_FORMAT)
		return ABCI_OFFER_REJECT_FORMAT;
	struct cs_hash hash = cs_sha256(offered->metadata);
	if (offered->chunks == 0 || offered->chunks > chunks_of(s->slot_size) ||
	    offered->metadata.n != offered->chunks * HASH_SIZE ||
	    !cs_bytes_eq(offered->hash, CS_BYTES_OF(hash.b)) ||
	    request->app_hash.n > sizeof s->app_hash)
		return ABCI_OFFER_REJECT;
	return ABCI_OFFER_ACCEPT;
}

static enum cs_err offer_snapshot(void *state, const struct abci_offer_snapshot_request *request,
				  struct abci_offer_snapshot_response *response,
				  const struct abci_call *call)
{
	struct abci_kvstore_snapshots *s = of(state);
	const struct abci_snapshot *offered = request->snapshot;
	response->result = judge(s, request);
	if (response->result != ABCI_OFFER_ACCEPT)
		return CS_OK;
	/* Whatever an earlier offer has left. */
	s->coming = NULL;
	s->coming = free_slot(s);
	enum cs_err err = make_empty(s->store);
	if (err != CS_OK)
		return cs_fail(call->why, err, "the store cannot be emptied");
	memcpy(s->coming->hashes, offered->metadata.p, offered->metadata.n);
	s->coming->chunk_count = offered->chunks;
	memcpy(s->coming->hash.b, offered->hash.p, HASH_SIZE);
	s->coming_height = (int64_t)offered->height;
	s->next = 0;
	s->app_hash_size = request->app_hash.n;
	if (request->app_hash.n > 0)
		memcpy(s->app_hash, request->app_hash.p, request->app_hash.n);
	return CS_OK;
}

/* Everything is there: does it say what it must? */
static enum cs_err restore(struct abci_kvstore_snapshots *s,
			   struct abci_apply_snapshot_chunk_response *response,
			   const struct abci_call *call)
{
	static const struct abci_info_request question = {.abci_version = {NULL, 0}};
	struct abci_kvstore_snapshot *slot = s->coming;
	struct abci_info_response info = {.app_version = 0};
	s->coming = NULL;
	enum cs_err err = import(s->store, cs_bytes(slot->content, slot->size));
	if (err == CS_OK)
		err = s->inner.info(s->store, &question, &info, call);
	if (err == CS_OK && s->store->height == s->coming_height &&
	    cs_bytes_eq(info.last_block_app_hash, cs_bytes(s->app_hash, s->app_hash_size))) {
		slot->height = s->coming_height;
		response->result = ABCI_APPLY_ACCEPT;
		if (s->options.taken == NULL)
			return CS_OK;
		return s->options.taken(s->options.context, slot->height,
					cs_bytes(slot->content, slot->size));
	}
	slot->size = 0;
	response->result = ABCI_APPLY_REJECT_SNAPSHOT;
	return make_empty(s->store);
}

/* A chunk of another size than ours would be served in other pieces than its hashes are of. */
static bool is_chunk(const struct abci_kvstore_snapshots *s, struct cs_bytes chunk)
{
	const struct abci_kvstore_snapshot *slot = s->coming;
	struct cs_hash hash = cs_sha256(chunk);
	bool is_last = s->next + 1 == slot->chunk_count;
	if (chunk.n == 0 || chunk.n > ABCI_KVSTORE_CHUNK_SIZE ||
	    (chunk.n < ABCI_KVSTORE_CHUNK_SIZE && !is_last) || chunk.n > s->slot_size - slot->size)
		return false;
	return memcmp(hash.b, slot->hashes + s->next * HASH_SIZE, HASH_SIZE) == 0;
}

static enum cs_err apply_snapshot_chunk(void *state,
					const struct abci_apply_snapshot_chunk_request *request,
					struct abci_apply_snapshot_chunk_response *response,
					const struct abci_call *call)
{
	struct abci_kvstore_snapshots *s = of(state);
	if (s->coming == NULL) {
		response->result = ABCI_APPLY_ABORT;
		return CS_OK;
	}
	if (request->index != s->next) {
		response->result = ABCI_APPLY_RETRY_SNAPSHOT;
		return CS_OK;
	}
	if (!is_chunk(s, request->chunk)) {
		response->result = ABCI_APPLY_RETRY;
		s->refetch = request->index;
		response->refetch_chunks = (struct abci_u32_list){&s->refetch, 1};
		s->refused_sender = request->sender;
		response->reject_senders =
			(struct abci_bytes_list){&s->refused_sender, request->sender.n > 0};
		return CS_OK;
	}
	memcpy(s->coming->content + s->coming->size, request->chunk.p, request->chunk.n);
	s->coming->size += request->chunk.n;
	response->result = ABCI_APPLY_ACCEPT;
	if (++s->next < s->coming->chunk_count)
		return CS_OK;
	return restore(s, response, call);
}

/* ---- the snapshots themselves ---- */

enum cs_err abci_kvstore_snapshots_init(struct abci_kvstore_snapshots *s, struct abci_app *app,
					struct abci_kvstore *store,
					const struct abci_kvstore_snapshots_options *options)
{
	size_t room = options->memory_size / ABCI_KVSTORE_SNAPSHOT_SLOTS;
	/* A hash for every chunk that has begun. */
	size_t chunks = room / (ABCI_KVSTORE_CHUNK_SIZE + HASH_SIZE) + 1;
	const struct abci_kvstore_hooks *hooks = &store->hooks;
	if (hooks->pair != NULL || hooks->validator != NULL || hooks->committed != NULL ||
	    options->interval < 0 || room < HEAD_SIZE + chunks * HASH_SIZE)
		return CS_ERR_INVALID;
	memset(s, 0, sizeof *s);
	s->store = store;
	s->options = *options;
	s->slot_size = room - chunks * HASH_SIZE;
	for (size_t i = 0; i < ABCI_KVSTORE_SNAPSHOT_SLOTS; i++) {
		s->slots[i].content = (uint8_t *)options->memory + i * room;
		s->slots[i].hashes = s->slots[i].content + s->slot_size;
	}
	store->snapshots = s;
	s->inner = abci_kvstore_app(store);
	*app = s->inner;
	app->commit = commit;
	app->list_snapshots = list_snapshots;
	app->load_snapshot_chunk = load_snapshot_chunk;
	app->offer_snapshot = offer_snapshot;
	app->apply_snapshot_chunk = apply_snapshot_chunk;
	return CS_OK;
}

enum cs_err abci_kvstore_snapshots_load(struct abci_kvstore_snapshots *s, struct cs_bytes content)
{
	cs_assert(s->store->height == 0);
	enum cs_err err = content.n <= s->slot_size ? import(s->store, content) : CS_ERR_NO_MEMORY;
	if (err != CS_OK) {
		enum cs_err emptied = make_empty(s->store);
		cs_assert(emptied == CS_OK);
		return err == CS_ERR_NO_MEMORY ? err : CS_ERR_MALFORMED;
	}
	struct abci_kvstore_snapshot *slot = free_slot(s);
	memcpy(slot->content, content.p, content.n);
	slot->size = content.n;
	seal(slot, s->store->height);
	return CS_OK;
}
