#include "relay_state/ledger/app_parts.h"

#include <string.h>

/* Chunks that one commit takes of the snapshot under way: blocks wait for at most so much. */
#define CHUNKS_PER_BLOCK 4u

/* ---- taking ---- */

/* The older of the two places. */
static struct ledger_taken *place_for_next(struct ledger_snapshots *s)
{
	return s->kept[0].snapshot.version <= s->kept[1].snapshot.version ? &s->kept[0]
									  : &s->kept[1];
}

static enum cs_err take_chunk(struct ledger_app *app, struct cs_arena *arena)
{
	struct ledger_taken *taking = &app->snapshots.taking;
	const size_t mark = cs_arena_mark(arena);
	const uint32_t index = taking->snapshot.chunk_count;
	const struct cs_hash start = taking->snapshot.next;
	struct cs_buf chunk;
	CS_TRY(cs_buf_init_arena(&chunk, arena, LEDGER_CHUNK_SIZE_MAX));
	enum cs_err err = ledger_snapshot_next(&taking->snapshot, &chunk, &app->db, arena);
	cs_arena_rewind(arena, mark);
	if (err == CS_OK)
		taking->starts[index] = start;
	return err;
}

/* Not taken: its version is gone, or the state is larger than a snapshot may be. */
static bool is_given_up(enum cs_err err)
{
	return err == CS_ERR_UNAVAILABLE || err == CS_ERR_TOO_LARGE || err == CS_ERR_NOT_FOUND;
}

enum cs_err ledger_snapshots_committed(struct ledger_app *app)
{
	struct ledger_snapshots *s = &app->snapshots;
	enum cs_err err = CS_OK;
	if (s->interval == 0)
		return CS_OK;
	if (!s->is_taking && app->version % s->interval == 0) {
		err = ledger_snapshot_begin(&s->taking.snapshot, app->version, app->time_s,
					    &app->db, &app->tx_arena);
		s->is_taking = err == CS_OK;
	}
	for (size_t i = 0; i < CHUNKS_PER_BLOCK && err == CS_OK && s->is_taking; i++) {
		err = take_chunk(app, &app->tx_arena);
		if (err == CS_OK && s->taking.snapshot.is_done) {
			*place_for_next(s) = s->taking;
			s->is_taking = false;
		}
	}
	cs_arena_rewind(&app->tx_arena, 0);
	if (!is_given_up(err))
		return err;
	s->is_taking = false;
	return CS_OK;
}

void ledger_snapshots_forget(struct ledger_app *app)
{
	struct ledger_snapshots *s = &app->snapshots;
	s->is_taking = s->is_restoring = false;
	s->kept[0].snapshot.version = s->kept[1].snapshot.version = 0;
}

/* ---- serving ---- */

/* Chunks are read from the version, as long as it is kept. */
static bool is_served(const struct ledger_app *app, const struct ledger_taken *taken,
		      struct cs_arena *arena)
{
	uint64_t time_s;
	if (taken->snapshot.version == 0)
		return false;
	enum cs_err err = ledger_block_time_get(&time_s, &app->db, taken->snapshot.version, arena);
	return err == CS_OK || err == CS_ERR_NOT_FOUND;
}

enum cs_err ledger_app_list_snapshots(void *state, struct abci_list_snapshots_response *response,
				      const struct abci_call *call)
{
	struct ledger_app *app = state;
	struct abci_snapshot *items = cs_arena_calloc(call->arena, 2, sizeof *items);
	size_t count = 0;
	if (items == NULL)
		return cs_fail(call->why, CS_ERR_NO_MEMORY, "no memory for the answer");
	for (size_t i = 0; i < CS_LEN(app->snapshots.kept); i++) {
		const struct ledger_taken *taken = &app->snapshots.kept[i];
		if (!is_served(app, taken, call->arena))
			continue;
		const struct cs_hash hash = ledger_snapshot_hash(&taken->snapshot);
		items[count++] = (struct abci_snapshot){
			.height = taken->snapshot.version,
			.format = LEDGER_SNAPSHOT_FORMAT,
			.chunks = taken->snapshot.chunk_count,
			.hash = cs_arena_copy(call->arena, CS_BYTES_OF(hash.b)),
			.metadata = ledger_snapshot_metadata(&taken->snapshot)};
	}
	response->snapshots.items = items;
	response->snapshots.count = count;
	return CS_OK;
}

/* What is not there has no bytes. */
enum cs_err ledger_app_load_chunk(void *state,
				  const struct abci_load_snapshot_chunk_request *request,
				  struct abci_load_snapshot_chunk_response *response,
				  const struct abci_call *call)
{
	struct ledger_app *app = state;
	struct ledger_taken *again = &app->snapshots.loading;
	struct cs_buf chunk;
	for (size_t i = 0; i < CS_LEN(app->snapshots.kept); i++) {
		const struct ledger_taken *taken = &app->snapshots.kept[i];
		if (request->height == 0 || taken->snapshot.version != request->height ||
		    request->format != LEDGER_SNAPSHOT_FORMAT ||
		    request->chunk >= taken->snapshot.chunk_count)
			continue;
		*again = *taken;
		again->snapshot.is_done = false;
		again->snapshot.chunk_count = request->chunk;
		again->snapshot.next = taken->starts[request->chunk];
		CS_TRY(cs_buf_init_arena(&chunk, call->arena, LEDGER_CHUNK_SIZE_MAX));
		enum cs_err err =
			ledger_snapshot_next(&again->snapshot, &chunk, &app->db, call->arena);
		if (err == CS_OK)
			response->chunk = cs_buf_view(&chunk);
		else if (!is_given_up(err))
			return cs_fail(call->why, err, "the ledger's state: %s",
				       cs_err_sentence(err));
	}
	return CS_OK;
}

/* ---- restoring ---- */

enum cs_err ledger_app_offer(void *state, const struct abci_offer_snapshot_request *request,
			     struct abci_offer_snapshot_response *response,
			     const struct abci_call *call)
{
	struct ledger_app *app = state;
	const struct abci_snapshot *snapshot = request->snapshot;
	struct cs_hash root;
	bool accepted = false;
	response->result = ABCI_OFFER_REJECT;
	if (snapshot == NULL || app->version != 0 || request->app_hash.n != sizeof root.b)
		return CS_OK;
	if (snapshot->format != LEDGER_SNAPSHOT_FORMAT) {
		response->result = ABCI_OFFER_REJECT_FORMAT;
		return CS_OK;
	}
	memcpy(root.b, request->app_hash.p, sizeof root.b);
	const struct ledger_offer offer = {.version = snapshot->height,
					   .format = snapshot->format,
					   .chunks = snapshot->chunks,
					   .hash = snapshot->hash,
					   .metadata = snapshot->metadata};
	enum cs_err err =
		ledger_restore_begin(&app->snapshots.restore, &accepted, &offer, &root, &app->db);
	if (err != CS_OK)
		return cs_fail(call->why, err, "the ledger's state: %s", cs_err_sentence(err));
	app->snapshots.is_restoring = accepted;
	response->result = accepted ? ABCI_OFFER_ACCEPT : ABCI_OFFER_REJECT;
	return CS_OK;
}

static enum cs_err ask_again(const struct ledger_app *app,
			     struct abci_apply_snapshot_chunk_response *response,
			     struct cs_bytes sender, const struct abci_call *call)
{
	uint32_t *chunk = cs_arena_alloc(call->arena, sizeof *chunk);
	struct cs_bytes *senders = cs_arena_calloc(call->arena, 1, sizeof *senders);
	if (chunk == NULL || senders == NULL)
		return cs_fail(call->why, CS_ERR_NO_MEMORY, "no memory for the answer");
	*chunk = app->snapshots.restore.next;
	response->result = ABCI_APPLY_RETRY;
	response->refetch_chunks = (struct abci_u32_list){chunk, 1};
	if (sender.n > 0) {
		*senders = sender;
		response->reject_senders = (struct abci_bytes_list){senders, 1};
	}
	return CS_OK;
}

static void restored(struct ledger_app *app)
{
	app->version = app->snapshots.restore.version;
	app->time_s = app->snapshots.restore.time_s;
	ledger_state_reset(app->block_state);
	ledger_state_reset(app->check_state);
	ledger_state_reset(app->proposal_state);
}

enum cs_err ledger_app_apply_chunk(void *state,
				   const struct abci_apply_snapshot_chunk_request *request,
				   struct abci_apply_snapshot_chunk_response *response,
				   const struct abci_call *call)
{
	struct ledger_app *app = state;
	struct ledger_snapshots *s = &app->snapshots;
	enum ledger_restore_verdict verdict = LEDGER_RESTORE_BAD_SNAPSHOT;
	response->result = ABCI_APPLY_ABORT;
	if (!s->is_restoring)
		return CS_OK;
	if (request->index != s->restore.next)
		return ask_again(app, response, CS_BYTES_NONE, call);
	enum cs_err err = ledger_restore_chunk(&s->restore, &verdict, request->chunk, &app->db,
					       &app->block_arena);
	cs_arena_rewind(&app->block_arena, 0);
	if (err != CS_OK)
		return cs_fail(call->why, err, "the ledger's state: %s", cs_err_sentence(err));
	if (verdict == LEDGER_RESTORE_BAD_CHUNK)
		return ask_again(app, response, request->sender, call);
	if (verdict == LEDGER_RESTORE_DONE)
		restored(app);
	s->is_restoring = verdict == LEDGER_RESTORE_MORE;
	response->result = verdict == LEDGER_RESTORE_BAD_SNAPSHOT ? ABCI_APPLY_REJECT_SNAPSHOT
								  : ABCI_APPLY_ACCEPT;
	return CS_OK;
}
