#include "relay_state/node/disk.h"

#include "host/alloc.h"
#include "relay_state/node/genesis_file.h"

#include <stdlib.h>

/* What is too old below the base goes every so many heights. */
#define TRIM_HEIGHTS 1000

struct node_disk {
	struct node_store *store;
	struct node_backfill_store *backfill;
	struct node_log *log;
	struct node_evidence *evidence;
	struct node_signer signer;
	bool has_signer;
	struct node_disk_found found;
	struct bft_state state; /* at the opening */
	/* Answers to one height, until its state is saved. */
	int64_t results_height;
	uint8_t *results_memory;
	struct cs_bytes results;
	uint8_t state_bytes[BFT_STATE_SIZE_MAX];
	/* The set that was asked for last. */
	struct bft_state asked;
	struct bft_set set;
	int64_t set_height;
	uint8_t scratch_memory[1024 * 1024];
	struct cs_arena scratch;
};

/* ---- opening ---- */

static enum cs_err read_state(struct node_disk *disk, struct bft_state *state, int64_t height,
			      struct cs_why *why)
{
	struct cs_bytes bytes, results;
	struct cs_why detail = {{0}};
	CS_TRY(node_store_outcome(disk->store, &bytes, &results, height, why));
	disk->scratch.used = 0;
	enum cs_err err = bft_state_decode(state, bytes, &disk->scratch, &detail);
	if (err == CS_OK && state->last_height != height)
		err = CS_ERR_INVALID;
	if (err != CS_OK)
		return cs_fail(why, CS_ERR_DAMAGED, "the state of height %lld does not read: %s",
			       (long long)height, detail.text);
	return CS_OK;
}

static enum cs_err find_state(struct node_disk *disk, struct cs_why *why)
{
	struct node_store_found now = node_store_look(disk->store);
	struct node_disk_found *found = &disk->found;
	struct node_stored_block block;
	found->base = now.base;
	found->stored = now.stored;
	found->store_torn = now.torn;
	if (now.height == 0)
		return CS_OK;
	CS_TRY(read_state(disk, &disk->state, now.height, why));
	CS_TRY(node_store_block(disk->store, &block, now.height, why));
	if (!cmt_block_id_eq(&block.id, &disk->state.last_block_id))
		return cs_fail(why, CS_ERR_DAMAGED, "the state of height %lld is of another block",
			       (long long)now.height);
	found->has_state = true;
	found->state = &disk->state;
	found->last_commit = cs_bytes(host_copy(block.commit), block.commit.n);
	return CS_OK;
}

/* Of a chain that is not there any more nothing counts. */
static enum cs_err open_backfill(struct node_disk *disk, const struct node_disk_options *options,
				 struct cs_why *why)
{
	const struct bft_state *state = &disk->state;
	if (options->backfill_path == NULL)
		return CS_OK;
	CS_TRY(node_backfill_store_open(&disk->backfill, options->backfill_path, why));
	if (!disk->found.has_state && disk->found.stored == 0)
		return node_backfill_store_begin(disk->backfill, 0, why);
	return node_backfill_store_trim(disk->backfill, &state->params, state->last_height,
					state->last_time, why);
}

/* What one of them remembers, another one must not have forgotten. */
static enum cs_err open_parts(struct node_disk *disk, const struct node_disk_options *options,
			      struct cs_why *why)
{
	struct node_store_options store = {.folder = options->folder,
					   .index_path = options->index_path,
					   .segment_size = options->segment_size,
					   .check_all = options->check_all};
	const struct node_log_options log_options = {.folder = options->folder,
						     .file_size = options->log_size,
						     .size_max = options->log_size_max};
	struct node_log_found log = {0};
	/* Names that a dead process made may not be durable yet, and are believed from here on. */
	CS_TRY(node_folder_sync(options->folder, why));
	CS_TRY(node_store_open(&disk->store, &store, why));
	CS_TRY(find_state(disk, why));
	if (disk->found.has_state && !cmt_chain_id_eq(&disk->state.chain_id, options->chain_id))
		return cs_fail(why, CS_ERR_WRONG_CHAIN,
			       "the data are of another chain than the genesis");
	CS_TRY(node_log_open(&disk->log, &log_options, &log, why));
	int64_t next =
		disk->found.has_state ? disk->state.last_height + 1 : options->initial_height;
	if (log.height_max > next)
		return cs_fail(why, CS_ERR_DAMAGED,
			       "the log is of height %lld, the newest state before %lld is missing",
			       (long long)log.height_max, (long long)log.height_max);
	CS_TRY(node_evidence_open(&disk->evidence, options->folder, &disk->found.evidence_torn,
				  why));
	bool is_fresh = node_store_look(disk->store).is_fresh && log.records == 0;
	CS_TRY(node_signer_open(&disk->signer, options->folder, is_fresh, why));
	disk->has_signer = true;
	disk->found.log_torn = log.torn;
	disk->found.is_sign_slot_lost = disk->signer.is_slot_lost;
	CS_TRY(node_genesis_keep(options->folder, options->genesis_hash, is_fresh, why));
	CS_TRY(node_store_mend(disk->store, why));
	CS_TRY(node_evidence_mend(disk->evidence, why));
	CS_TRY(node_log_mend(disk->log, why));
	return open_backfill(disk, options, why);
}

enum cs_err node_disk_open(struct node_disk **opened, const struct node_disk_options *options,
			   struct cs_why *why)
{
	struct node_disk *disk = host_alloc(sizeof *disk);
	bft_state_init(&disk->state);
	bft_state_init(&disk->asked);
	bft_set_init(&disk->set);
	cs_arena_init(&disk->scratch, disk->scratch_memory, sizeof disk->scratch_memory);
	enum cs_err err = open_parts(disk, options, why);
	if (err != CS_OK) {
		node_disk_close(disk);
		return err;
	}
	*opened = disk;
	return CS_OK;
}

static void forget_last_commit(struct node_disk *disk)
{
	free((void *)(uintptr_t)disk->found.last_commit.p);
	disk->found.last_commit = CS_BYTES_NONE;
}

void node_disk_close(struct node_disk *disk)
{
	if (disk == NULL)
		return;
	if (disk->has_signer)
		node_signer_close(&disk->signer);
	node_log_close(disk->log);
	node_evidence_close(disk->evidence);
	node_backfill_store_close(disk->backfill);
	node_store_close(disk->store);
	forget_last_commit(disk);
	free(disk->results_memory);
	free(disk);
}

const struct node_disk_found *node_disk_found(const struct node_disk *disk)
{
	return &disk->found;
}

enum cs_err node_disk_restore(struct node_disk *disk, struct bft *bft, struct cs_why *why)
{
	if (node_log_replay(disk->log, bft, why) != CS_OK)
		return CS_ERR_DAMAGED;
	bft_set_sign_state(bft, &disk->signer.state);
	return CS_OK;
}

bool node_disk_evidence(const struct node_disk *disk, size_t *offset, struct cs_bytes *bytes)
{
	return node_evidence_next(disk->evidence, offset, bytes);
}

/* ---- effects ---- */

bool node_disk_takes(enum bft_effect_type type)
{
	return type == BFT_EFFECT_LOG || type == BFT_EFFECT_SYNC || type == BFT_EFFECT_STORE ||
	       type == BFT_EFFECT_SAVE_STATE || type == BFT_EFFECT_COMMIT ||
	       type == BFT_EFFECT_RAISE || type == BFT_EFFECT_EVIDENCE;
}

static enum cs_err save_state(struct node_disk *disk, int64_t height, const struct bft *bft,
			      struct cs_why *why)
{
	struct cs_buf buf;
	const struct bft_state *state = bft_state_view(bft);
	if (disk->results_height != height || state->last_height != height)
		return cs_fail(why, CS_ERR_INVALID, "the answers to height %lld were not given",
			       (long long)height);
	cs_buf_init(&buf, disk->state_bytes, sizeof disk->state_bytes);
	bft_state_encode(&buf, state);
	cs_assert(cs_buf_end(&buf) == CS_OK);
	return node_store_put_outcome(disk->store, height, cs_buf_view(&buf), disk->results, why);
}

static enum cs_err committed(struct node_disk *disk, int64_t height, const struct bft *bft,
			     struct cs_why *why)
{
	const struct bft_state *state = bft_state_view(bft);
	CS_TRY(node_evidence_committed(disk->evidence, bft, why));
	if (disk->backfill != NULL && height % TRIM_HEIGHTS == 0)
		CS_TRY(node_backfill_store_trim(disk->backfill, &state->params, state->last_height,
						state->last_time, why));
	return node_log_committed(disk->log, why);
}

enum cs_err node_disk_execute(struct node_disk *disk, const struct bft_effect *effect,
			      const struct bft *bft, struct cs_why *why)
{
	struct node_stored_block block = {effect->height, effect->block_id, effect->bytes,
					  effect->commit};
	cs_assert(node_disk_takes(effect->type));
	switch ((int)effect->type) {
	case BFT_EFFECT_LOG:
		return node_log_append(disk->log, effect->bytes, why);
	case BFT_EFFECT_SYNC:
		return node_log_sync(disk->log, why);
	case BFT_EFFECT_STORE:
		return node_store_put_block(disk->store, &block, why);
	case BFT_EFFECT_SAVE_STATE:
		return save_state(disk, effect->height, bft, why);
	case BFT_EFFECT_COMMIT:
		return committed(disk, effect->height, bft, why);
	case BFT_EFFECT_EVIDENCE:
		return node_evidence_put(disk->evidence, effect->bytes, why);
	default:
		return node_signer_raise(&disk->signer, effect, why);
	}
}

enum cs_err node_disk_sign(struct node_disk *disk, struct bft_event *answer,
			   const struct bft_effect *effect, const struct cs_secret *key,
			   struct cs_why *why)
{
	return node_signer_sign(&disk->signer, answer, effect, key, why);
}

const struct bft_sign_state *node_disk_signed(const struct node_disk *disk)
{
	return &disk->signer.state;
}

enum cs_err node_disk_load(struct node_disk *disk, struct bft_event *answer, int64_t height,
			   uint32_t peer, struct cs_why *why)
{
	struct node_stored_block block;
	struct bft_event event = {.type = BFT_EVENT_BLOCK_LOADED, .height = height, .peer = peer};
	enum cs_err err = node_store_block(disk->store, &block, height, why);
	if (err != CS_OK && err != CS_ERR_NOT_FOUND)
		return err;
	if (err == CS_OK) {
		event.accepted = true;
		event.bytes = block.block;
		event.commit = block.commit;
	}
	*answer = event;
	return CS_OK;
}

enum cs_err node_disk_results(struct node_disk *disk, int64_t height,
			      const struct abci_finalize_block_response *results)
{
	struct abci_response answer = {.method = ABCI_FINALIZE_BLOCK, .finalize_block = *results};
	struct cs_buf buf;
	size_t size, head_size, body_size;
	CS_TRY(abci_response_size(&answer, &size));
	uint8_t *memory = host_alloc(size);
	cs_buf_init(&buf, memory, size);
	enum cs_err err = abci_response_encode(&buf, &answer);
	if (err == CS_OK)
		err = abci_frame_open(&head_size, &body_size, cs_buf_view(&buf),
				      ABCI_FRAME_SIZE_MAX);
	if (err != CS_OK) {
		free(memory);
		return err;
	}
	free(disk->results_memory);
	disk->results_memory = memory;
	disk->results = cs_bytes(memory + head_size, body_size);
	disk->results_height = height;
	return CS_OK;
}

struct cs_bytes node_disk_results_view(const struct node_disk *disk)
{
	return disk->results;
}

void node_disk_let_go(struct node_disk *disk, int64_t retain_height)
{
	node_store_let_go(disk->store, retain_height);
}

enum cs_err node_disk_begin_at(struct node_disk *disk, const struct bft_state *state,
			       const struct node_stored_block *block, struct cs_why *why)
{
	struct node_disk_found *found = &disk->found;
	struct cs_buf buf;
	if (found->has_state || found->stored > 0 || state->last_height != block->height)
		return cs_fail(why, CS_ERR_CONFLICT, "there is a chain already");
	cs_buf_init(&buf, disk->state_bytes, sizeof disk->state_bytes);
	bft_state_encode(&buf, state);
	cs_assert(cs_buf_end(&buf) == CS_OK);
	CS_TRY(node_store_begin_at(disk->store, block, cs_buf_view(&buf), why));
	bft_state_copy(&disk->state, state);
	found->has_state = true;
	found->state = &disk->state;
	found->base = found->stored = block->height;
	found->last_commit = cs_bytes(host_copy(block->commit), block->commit.n);
	return CS_OK;
}

enum cs_err node_disk_roll_back(struct node_disk *disk, bool hard, int64_t *height,
				struct cs_bytes *app_hash, struct cs_why *why)
{
	struct node_store_found now = node_store_look(disk->store);
	int64_t left = now.stored > now.height ? now.height : now.height - 1;
	if (left < now.base || left < 1)
		return cs_fail(why, CS_ERR_CONFLICT, "height %lld is not kept", (long long)left);
	CS_TRY(read_state(disk, &disk->asked, left, why));
	/* A log without its state stops a start, a state without its log does not. */
	CS_TRY(node_log_forget(disk->log, why));
	CS_TRY(node_store_roll_back(disk->store, hard, height, why));
	*app_hash = cs_bytes(disk->asked.app_hash, disk->asked.app_hash_size);
	return CS_OK;
}

/* ---- history ---- */

struct node_store *node_disk_store(struct node_disk *disk)
{
	return disk->store;
}

enum cs_err node_disk_validators(struct node_disk *disk, const struct cmt_validator_set **set,
				 int64_t height, struct cs_why *why)
{
	int64_t last = node_store_look(disk->store).height;
	const struct bft_set *from = &disk->asked.last;
	if (last == 0 || height < 1 || height > last + 2)
		return CS_ERR_NOT_FOUND;
	if (height != disk->set_height || height > last) {
		CS_TRY(read_state(disk, &disk->asked, height < last ? height : last, why));
		if (height > last)
			from = height == last + 1 ? &disk->asked.now : &disk->asked.next;
		CS_TRY(bft_set_copy(&disk->set, &from->set));
		disk->set_height = height;
	}
	*set = &disk->set.set;
	return CS_OK;
}

/* ---- below the base ---- */

struct node_backfill_store *node_disk_backfill(struct node_disk *disk)
{
	return disk->backfill;
}

enum cs_err node_disk_lacks_history(struct node_disk *disk, bool *lacks, bool *is_begun,
				    struct cmt_header *base, struct cs_why *why)
{
	struct node_backfill_found now = {.status = NODE_BACKFILL_WHOLE};
	struct node_store_found store = node_store_look(disk->store);
	struct node_stored_block block;
	struct cmt_header header;
	*lacks = *is_begun = false;
	if (disk->backfill == NULL || store.height == 0 || store.base <= disk->state.initial_height)
		return CS_OK;
	CS_TRY(node_backfill_store_look(disk->backfill, &now));
	if (now.status == NODE_BACKFILL_WHOLE || now.status == NODE_BACKFILL_SHORT)
		return CS_OK;
	CS_TRY(node_store_block(disk->store, &block, store.base, why));
	CS_TRY(bft_block_header(&header, block.block));
	*base = header;
	*lacks = true;
	*is_begun = now.status == NODE_BACKFILL_BEGUN;
	return CS_OK;
}

enum cs_err node_disk_backfilled(struct node_disk *disk, struct cs_bytes *light,
				 struct cs_bytes *evidence, int64_t height)
{
	struct node_backfilled found;
	if (disk->backfill == NULL)
		return CS_ERR_NOT_FOUND;
	CS_TRY(node_backfill_store_get(disk->backfill, &found, height));
	*light = found.light;
	*evidence = found.evidence;
	return CS_OK;
}

static bool is_below(struct node_disk *disk, int64_t height)
{
	return height < node_store_look(disk->store).base;
}

static enum cs_err light_block_at(struct node_disk *disk, struct cmt_light_block *block,
				  int64_t height, struct cs_arena *arena)
{
	struct cs_bytes light, evidence;
	struct cmt_light_block made;
	CS_TRY(node_disk_backfilled(disk, &light, &evidence, height));
	CS_TRY(cmt_light_block_decode(&made, light, arena, NULL));
	if (made.header.height != height)
		return CS_ERR_DAMAGED;
	*block = made;
	return CS_OK;
}

/* ---- the engine's questions ---- */

static enum cs_err validators_at(void *context, const struct cmt_validator_set **set,
				 int64_t height)
{
	struct node_disk *disk = context;
	struct cmt_light_block light;
	if (height > node_store_look(disk->store).height)
		return CS_ERR_NOT_FOUND;
	if (!is_below(disk, height))
		return node_disk_validators(disk, set, height, NULL);
	if (height != disk->set_height) {
		disk->scratch.used = 0;
		CS_TRY(light_block_at(disk, &light, height, &disk->scratch));
		CS_TRY(bft_set_copy(&disk->set, &light.validators));
		disk->set_height = height;
	}
	*set = &disk->set.set;
	return CS_OK;
}

static enum cs_err time_at(void *context, struct cs_pb_time *time, int64_t height)
{
	struct node_disk *disk = context;
	struct cmt_light_block light;
	if (!is_below(disk, height))
		return node_index_time(node_store_index(disk->store), time, height);
	disk->scratch.used = 0;
	CS_TRY(light_block_at(disk, &light, height, &disk->scratch));
	*time = light.header.time;
	return CS_OK;
}

static enum cs_err signed_header_at(void *context, struct cmt_header *header,
				    struct cmt_commit *commit, int64_t height,
				    struct cs_arena *arena)
{
	struct node_disk *disk = context;
	struct node_stored_block block;
	struct cmt_light_block light;
	if (height >= node_store_look(disk->store).height)
		return CS_ERR_NOT_FOUND;
	if (is_below(disk, height)) {
		CS_TRY(light_block_at(disk, &light, height, arena));
		*header = light.header;
		*commit = light.commit;
		return CS_OK;
	}
	CS_TRY(node_store_block(disk->store, &block, height, NULL));
	CS_TRY(bft_block_header(header, block.block));
	CS_TRY(node_store_block(disk->store, &block, height + 1, NULL));
	return bft_block_last_commit(commit, block.block, arena);
}

/* Where one of them does not read, nothing is known to be new. */
static bool is_committed(void *context, const struct cs_hash *hash)
{
	struct node_disk *disk = context;
	bool has = true;
	if (node_index_has_evidence(node_store_index(disk->store), &has, hash) != CS_OK || has)
		return true;
	has = true;
	return disk->backfill != NULL &&
	       (node_backfill_store_has_evidence(disk->backfill, &has, hash) != CS_OK || has);
}

struct bft_history node_disk_history(struct node_disk *disk)
{
	return (struct bft_history){disk, validators_at, time_at, signed_header_at, is_committed};
}
