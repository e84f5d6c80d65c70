#include "relay_state/ledger/app_parts.h"
#include "relay_state/ledger/gas.h"
#include "relay_state/ledger/genesis.h"
#include "relay_state/ledger/tree.h"

#include <string.h>

/* What a full block can read and write at most: each key costs LEDGER_GAS_READ, each byte of a value
 * LEDGER_GAS_READ_BYTE; a transaction pays for its own account with its signature; and what contracts
 * do at a block's begin and end, which is bounded by the number of validators. */
#define HOOK_KEYS 20000u
#define BLOCK_KEYS                                                                           \
	(LEDGER_BLOCK_GAS / LEDGER_GAS_READ + 4u * LEDGER_BLOCK_GAS / LEDGER_GAS_SIGNATURE + \
	 HOOK_KEYS)
#define BLOCK_BYTES (LEDGER_BLOCK_GAS / LEDGER_GAS_READ_BYTE + 64u * 1024 * 1024)
/* Accounts of transactions that wait, or are proposed: a block holds fewer. */
#define PENDING_KEYS (2u * LEDGER_BLOCK_GAS / LEDGER_GAS_SIGNATURE)
#define PENDING_BYTES (8u * 1024 * 1024)
/* Pages of the tree that a full block changes; logs and output of one transaction. */
#define BLOCK_ARENA_SIZE (512u * 1024 * 1024)
#define TX_ARENA_SIZE (128u * 1024 * 1024)
/* Transactions of one sender that the mempool has in another order than their sequences'. */
#define PROPOSAL_PASSES 64u

/* ---- memory ---- */

static size_t padded(size_t size)
{
	return (size + 15) / 16 * 16;
}

static struct ledger_state_options options_of(size_t keys_max, size_t bytes_max,
					      const uint8_t *seed)
{
	struct ledger_state_options options = {.keys_max = keys_max, .bytes_max = bytes_max};
	if (seed != NULL)
		memcpy(options.seed, seed, sizeof options.seed);
	return options;
}

static size_t size_of(size_t keys_max, size_t bytes_max)
{
	const struct ledger_state_options options = options_of(keys_max, bytes_max, NULL);
	return padded(ledger_state_size(&options));
}

size_t ledger_app_size(void)
{
	return padded(sizeof(struct ledger_app)) + size_of(BLOCK_KEYS, BLOCK_BYTES) +
	       2 * size_of(PENDING_KEYS, PENDING_BYTES) + padded(ledger_view_size()) +
	       BLOCK_ARENA_SIZE + TX_ARENA_SIZE;
}

static void *take(uint8_t **rest, size_t size)
{
	void *p = *rest;
	*rest += padded(size);
	return p;
}

static struct ledger_state *take_state(uint8_t **rest, const struct ledger_app *app,
				       size_t keys_max, size_t bytes_max)
{
	const struct ledger_state_options options = options_of(keys_max, bytes_max, app->seed);
	return ledger_state_init(take(rest, ledger_state_size(&options)), &app->db, &options);
}

static enum cs_err no_memory(const struct abci_call *call)
{
	return cs_fail(call->why, CS_ERR_NO_MEMORY, "no memory for the answer");
}

/* A failure of the store or of the memory: said once, here. */
static enum cs_err fail(const struct abci_call *call, enum cs_err err)
{
	if (call->why->text[0] == 0)
		cs_why_write(call->why, "the ledger's state: %s", cs_err_sentence(err));
	return err;
}

enum cs_err ledger_app_init(struct ledger_app **out, void *memory,
			    const struct ledger_app_options *options, struct cs_why *why)
{
	uint8_t *rest = memory;
	struct ledger_app *app = take(&rest, sizeof *app);
	struct cs_hash root;
	memset(app, 0, sizeof *app);
	app->db = options->db;
	app->modules = options->modules;
	app->sig = options->sig;
	app->version = options->version;
	app->snapshots.interval = options->snapshot_interval;
	memcpy(app->seed, options->seed, sizeof app->seed);
	app->block_state = take_state(&rest, app, BLOCK_KEYS, BLOCK_BYTES);
	app->check_state = take_state(&rest, app, PENDING_KEYS, PENDING_BYTES);
	app->proposal_state = take_state(&rest, app, PENDING_KEYS, PENDING_BYTES);
	app->view_memory = take(&rest, ledger_view_size());
	cs_arena_init(&app->block_arena, take(&rest, BLOCK_ARENA_SIZE), BLOCK_ARENA_SIZE);
	cs_arena_init(&app->tx_arena, take(&rest, TX_ARENA_SIZE), TX_ARENA_SIZE);
	for (size_t i = 0; i < app->modules.count; i++)
		app->contract_list[i] = app->modules.items[i].contract;
	app->contracts = (struct ledger_contracts){app->contract_list, app->modules.count};
	ledger_machine_init(&app->machine, app->block_state, app->sig, app->contracts);
	enum cs_err err = ledger_tree_root(&root, &app->db, 0, &app->tx_arena);
	if (err == CS_OK && app->version != 0) {
		err = ledger_block_time_get(&app->time_s, &app->db, 0, &app->tx_arena);
		err = err == CS_ERR_NOT_FOUND ? CS_OK : err;
	}
	cs_arena_rewind(&app->tx_arena, 0);
	if (err != CS_OK)
		return cs_fail(why, err, "the ledger's state at height %llu: %s",
			       (unsigned long long)app->version, cs_err_sentence(err));
	*out = app;
	return CS_OK;
}

/* ---- info, init_chain ---- */

static enum cs_err put_hash(struct cs_bytes *out, const struct cs_hash *hash,
			    const struct abci_call *call)
{
	*out = cs_arena_copy(call->arena, CS_BYTES_OF(hash->b));
	return out->p == NULL ? no_memory(call) : CS_OK;
}

static enum cs_err info(void *state, const struct abci_info_request *request,
			struct abci_info_response *response, const struct abci_call *call)
{
	struct ledger_app *app = state;
	struct cs_hash root;
	(void)request;
	response->data = cs_bytes_str("caisson-ledger");
	response->version = cs_bytes_str("1");
	response->app_version = LEDGER_APP_VERSION;
	response->last_block_height = (int64_t)app->version;
	if (app->version == 0)
		return CS_OK;
	enum cs_err err = ledger_tree_root(&root, &app->db, 0, call->arena);
	return err == CS_OK ? put_hash(&response->last_block_app_hash, &root, call)
			    : fail(call, err);
}

static uint64_t seconds_of(struct cs_pb_time time)
{
	return time.s > 0 ? (uint64_t)time.s : 0;
}

static void forget_pending(struct ledger_app *app)
{
	ledger_state_reset(app->check_state);
	ledger_state_reset(app->proposal_state);
}

static enum cs_err init_chain(void *state, const struct abci_init_chain_request *request,
			      struct abci_init_chain_response *response,
			      const struct abci_call *call)
{
	struct ledger_app *app = state;
	const uint64_t initial_height =
		request->initial_height > 0 ? (uint64_t)request->initial_height : 1;
	const struct ledger_block block = {.height = initial_height - 1,
					   .time_s = seconds_of(request->time)};
	const struct ledger_genesis genesis = {.chain_id = request->chain_id,
					       .time_s = block.time_s,
					       .initial_height = initial_height,
					       .validators = request->validators,
					       .params = request->consensus_params};
	const struct ledger_founding founding = {.db = app->db,
						 .machine = &app->machine,
						 .modules = app->modules,
						 .block = &block,
						 .arena = call->arena,
						 .why = call->why};
	struct cs_hash root;
	app->staged.is_there = false;
	ledger_snapshots_forget(app);
	app->version = 0;
	app->time_s = block.time_s;
	forget_pending(app);
	enum cs_err err = ledger_found(&founding, &root, &genesis, request->app_state_bytes);
	return err == CS_OK ? put_hash(&response->app_hash, &root, call) : fail(call, err);
}

/* ---- the mempool ---- */

static enum cs_err check_tx(void *state, const struct abci_check_tx_request *request,
			    struct abci_check_tx_response *response, const struct abci_call *call)
{
	struct ledger_app *app = state;
	struct ledger_admission admission;
	struct ledger_tx tx;
	enum ledger_code code = LEDGER_CODE_OK;
	const size_t mark = ledger_state_mark(app->check_state);
	enum cs_err err = ledger_admission_init(&admission, app->check_state, app->sig,
						&app->verified, app->time_s);
	admission.skip_signatures = request->type == ABCI_CHECK_TX_RECHECK;
	if (err == CS_OK)
		err = ledger_admit(&admission, &code, &tx, request->tx);
	if (err == CS_ERR_FULL) {
		ledger_state_revert(app->check_state, mark);
		code = LEDGER_CODE_BUSY;
		err = CS_OK;
	}
	if (err != CS_OK)
		return fail(call, err);
	response->code = code;
	response->codespace = cs_bytes_str(LEDGER_CODESPACE);
	response->log = cs_bytes_str(ledger_code_sentence(code));
	response->info = cs_bytes_str(ledger_code_name(code));
	if (code != LEDGER_CODE_OK)
		return CS_OK;
	struct abci_event *event = cs_arena_calloc(call->arena, 1, sizeof *event);
	if (event == NULL || ledger_event_mempool(event, &tx, call->arena) != CS_OK)
		return no_memory(call);
	response->gas_wanted = (int64_t)tx.gas_limit;
	response->events = (struct abci_events){event, 1};
	return CS_OK;
}

/* ---- proposals ---- */

struct proposal {
	struct ledger_admission admission;
	uint64_t gas_left;
	uint64_t bytes_left;
	struct cs_bytes *txs;
	size_t count;
};

/* Of a transaction in a block: field's tag, length, bytes. */
static uint64_t size_in_block(struct cs_bytes tx)
{
	return 1 + cs_pb_varint_size(tx.n) + tx.n;
}

/* Takes the transaction if it fits and is its sender's next; *later: it may be so after others. */
static enum cs_err propose(struct proposal *p, bool *later, struct cs_bytes bytes)
{
	struct ledger_tx tx;
	enum ledger_code code;
	const size_t mark = ledger_state_mark(p->admission.state);
	*later = false;
	if (size_in_block(bytes) > p->bytes_left)
		return CS_OK;
	CS_TRY(ledger_admit(&p->admission, &code, &tx, bytes));
	*later = code == LEDGER_CODE_WRONG_SEQUENCE;
	if (code != LEDGER_CODE_OK)
		return CS_OK;
	if (tx.gas_limit > p->gas_left) {
		ledger_state_revert(p->admission.state, mark);
		return CS_OK;
	}
	p->gas_left -= tx.gas_limit;
	p->bytes_left -= size_in_block(bytes);
	p->txs[p->count++] = bytes;
	return CS_OK;
}

static enum cs_err open_proposal(struct ledger_app *app, struct proposal *p, struct cs_pb_time time)
{
	ledger_state_reset(app->proposal_state);
	CS_TRY(ledger_admission_init(&p->admission, app->proposal_state, app->sig, &app->verified,
				     seconds_of(time)));
	p->gas_left = p->admission.rules.block_gas;
	return CS_OK;
}

static enum cs_err prepare_all(struct proposal *p, const struct abci_bytes_list *txs,
			       struct cs_arena *arena)
{
	struct cs_bytes *waiting = cs_arena_calloc(arena, txs->count, sizeof *waiting);
	size_t waiting_count = txs->count;
	if (waiting == NULL)
		return CS_ERR_NO_MEMORY;
	for (size_t i = 0; i < txs->count; i++)
		waiting[i] = txs->items[i];
	for (size_t pass = 0; pass < PROPOSAL_PASSES && waiting_count > 0; pass++) {
		const size_t before = p->count;
		size_t left = 0;
		for (size_t i = 0; i < waiting_count; i++) {
			bool later;
			CS_TRY(propose(p, &later, waiting[i]));
			if (later)
				waiting[left++] = waiting[i];
		}
		waiting_count = left;
		if (p->count == before)
			break;
	}
	return CS_OK;
}

static enum cs_err prepare_proposal(void *state,
				    const struct abci_prepare_proposal_request *request,
				    struct abci_prepare_proposal_response *response,
				    const struct abci_call *call)
{
	struct ledger_app *app = state;
	struct proposal p = {.count = 0};
	p.txs = cs_arena_calloc(call->arena, request->txs.count, sizeof *p.txs);
	if (p.txs == NULL)
		return no_memory(call);
	enum cs_err err = open_proposal(app, &p, request->time);
	p.bytes_left = request->max_tx_bytes > 0 ? (uint64_t)request->max_tx_bytes : 0;
	if (err == CS_OK)
		err = prepare_all(&p, &request->txs, call->arena);
	if (err != CS_OK)
		return fail(call, err);
	response->txs = (struct abci_bytes_list){p.txs, p.count};
	return CS_OK;
}

/* Every transaction can be taken and the block holds their gas: else no honest proposer made it. */
static enum cs_err process_proposal(void *state,
				    const struct abci_process_proposal_request *request,
				    struct abci_process_proposal_response *response,
				    const struct abci_call *call)
{
	struct ledger_app *app = state;
	struct proposal p = {.bytes_left = UINT64_MAX};
	p.txs = cs_arena_calloc(call->arena, request->txs.count, sizeof *p.txs);
	if (p.txs == NULL)
		return no_memory(call);
	enum cs_err err = open_proposal(app, &p, request->time);
	for (size_t i = 0; i < request->txs.count && err == CS_OK && p.count == i; i++) {
		bool later;
		err = propose(&p, &later, request->txs.items[i]);
	}
	if (err != CS_OK)
		return fail(call, err);
	response->status = p.count == request->txs.count ? ABCI_ACCEPT : ABCI_REJECT;
	return CS_OK;
}

/* ---- blocks ---- */

struct executing {
	struct ledger_app *app;
	const struct abci_finalize_block_request *request;
	struct abci_finalize_block_response *response;
	const struct abci_call *call;
	struct ledger_block block;
	struct ledger_admission admission;
	struct cs_u256 fees;
};

static enum cs_err put_result(const struct executing *x, struct abci_tx_result *out,
			      const struct ledger_result *result)
{
	struct abci_event *events =
		cs_arena_calloc(x->call->arena, result->logs.count + 1, sizeof *events);
	size_t count = 0;
	if (events == NULL)
		return CS_ERR_NO_MEMORY;
	out->code = result->code;
	out->codespace = cs_bytes_str(LEDGER_CODESPACE);
	out->log = cs_bytes_str(ledger_code_sentence(result->code));
	out->info = cs_bytes_str(ledger_code_name(result->code));
	out->gas_wanted = (int64_t)result->gas_wanted;
	out->gas_used = (int64_t)result->gas_used;
	if (result->data.n > 0) {
		out->data = cs_arena_copy(x->call->arena, result->data);
		if (out->data.p == NULL)
			return CS_ERR_NO_MEMORY;
	}
	/* Nothing was paid by what was not taken. */
	if (result->gas_wanted > 0)
		CS_TRY(ledger_event_fee(&events[count++], &result->payer, &result->fee,
					x->call->arena));
	CS_TRY(ledger_events(events, &count, &result->logs, x->call->arena));
	out->events = (struct abci_events){events, count};
	return CS_OK;
}

static enum cs_err execute_all(struct executing *x)
{
	struct ledger_app *app = x->app;
	const size_t count = x->request->txs.count;
	struct abci_tx_result *results = cs_arena_calloc(x->call->arena, count, sizeof *results);
	const struct ledger_execution execution = {.machine = &app->machine,
						   .admission = &x->admission,
						   .block = &x->block,
						   .arena = &app->tx_arena,
						   .why = x->call->why};
	if (results == NULL)
		return CS_ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		struct ledger_result result;
		CS_TRY(ledger_execute(&execution, &result, x->request->txs.items[i]));
		CS_TRY(put_result(x, &results[i], &result));
		CS_TRY(cs_u256_add(&x->fees, &x->fees, &result.fee));
		cs_arena_rewind(&app->tx_arena, 0);
	}
	x->response->tx_results.items = results;
	x->response->tx_results.count = count;
	return CS_OK;
}

/* What a contract does at the begin or end must not revert: that would be the end of the chain. */
static enum cs_err not_reverted(const struct executing *x, const struct ledger_module *module,
				enum cs_err err)
{
	if (err == CS_ERR_REVERTED)
		return cs_fail(x->call->why, CS_ERR_DAMAGED, "contract %s reverts in a block",
			       module->contract->name);
	return err;
}

/* Logs of the begin and the end are the block's events. */
static enum cs_err run_hooks(struct executing *x, struct ledger_run *run,
			     const struct ledger_begin *begin, struct ledger_end *end)
{
	static const struct cs_address nobody;
	CS_TRY(ledger_run_init(run, &x->block, x->call->arena, x->call->why, &nobody, UINT64_MAX));
	for (size_t i = 0; i < x->app->modules.count; i++) {
		const struct ledger_module *module = &x->app->modules.items[i];
		struct ledger_call call =
			ledger_machine_as(&x->app->machine, run, module->contract);
		enum cs_err err = CS_OK;
		if (begin != NULL && module->begin != NULL)
			err = module->begin(&call, begin);
		else if (end != NULL && module->end != NULL)
			err = module->end(&call, end);
		CS_TRY(not_reverted(x, module, err));
	}
	return CS_OK;
}

static enum cs_err put_block_events(struct executing *x, const struct ledger_logs *first,
				    const struct ledger_logs *last)
{
	struct abci_event *events =
		cs_arena_calloc(x->call->arena, first->count + last->count, sizeof *events);
	size_t count = 0;
	if (events == NULL)
		return CS_ERR_NO_MEMORY;
	CS_TRY(ledger_events(events, &count, first, x->call->arena));
	CS_TRY(ledger_events(events, &count, last, x->call->arena));
	x->response->events = (struct abci_events){events, count};
	return CS_OK;
}

static enum cs_err run_block(struct executing *x)
{
	const struct ledger_begin begin = {x->request->decided_last_commit,
					   x->request->misbehavior};
	struct ledger_run first, last;
	CS_TRY(run_hooks(x, &first, &begin, NULL));
	CS_TRY(ledger_admission_init(&x->admission, x->app->block_state, x->app->sig,
				     &x->app->verified, x->block.time_s));
	CS_TRY(execute_all(x));
	struct ledger_end end = {.fees = x->fees};
	CS_TRY(run_hooks(x, &last, NULL, &end));
	x->response->validator_updates = end.validator_updates;
	x->response->consensus_param_updates = end.param_updates;
	return put_block_events(x, &first.logs, &last.logs);
}

static enum cs_err stage(struct executing *x)
{
	struct ledger_app *app = x->app;
	struct ledger_staged staged = {.version = x->block.height, .time_s = x->block.time_s};
	struct ledger_rules rules;
	CS_TRY(ledger_rules_get(app->block_state, &rules));
	CS_TRY(ledger_state_changes(app->block_state, &staged.changes[LEDGER_VALUES],
				    &app->block_arena));
	CS_TRY(ledger_tree_update(&staged.root, &staged.changes[LEDGER_PAGES], &app->db,
				  &staged.changes[LEDGER_VALUES], &app->block_arena));
	CS_TRY(ledger_block_time_add(&staged.changes[LEDGER_PAGES], staged.time_s,
				     &app->block_arena));
	staged.keep_from =
		staged.version > rules.versions_kept ? staged.version - rules.versions_kept : 1;
	staged.is_there = true;
	app->staged = staged;
	return put_hash(&x->response->app_hash, &staged.root, x->call);
}

static void drop_staged(struct ledger_app *app)
{
	app->staged.is_there = false;
	ledger_state_reset(app->block_state);
	cs_arena_rewind(&app->block_arena, 0);
	cs_arena_rewind(&app->tx_arena, 0);
}

static enum cs_err finalize_block(void *state, const struct abci_finalize_block_request *request,
				  struct abci_finalize_block_response *response,
				  const struct abci_call *call)
{
	struct ledger_app *app = state;
	struct executing x = {.app = app,
			      .request = request,
			      .response = response,
			      .call = call,
			      .block = {.height = (uint64_t)request->height,
					.time_s = seconds_of(request->time)}};
	if (request->height <= 0 || (uint64_t)request->height <= app->version)
		return cs_fail(call->why, CS_ERR_INVALID,
			       "a block of height %lld after height %llu",
			       (long long)request->height, (unsigned long long)app->version);
	if (request->proposer_address.n == sizeof x.block.proposer.b)
		memcpy(x.block.proposer.b, request->proposer_address.p, sizeof x.block.proposer.b);
	drop_staged(app);
	enum cs_err err = run_block(&x);
	if (err == CS_OK)
		err = stage(&x);
	if (err == CS_OK)
		return CS_OK;
	drop_staged(app);
	return fail(call, err);
}

static enum cs_err commit(void *state, struct abci_commit_response *response,
			  const struct abci_call *call)
{
	struct ledger_app *app = state;
	const struct ledger_staged *staged = &app->staged;
	(void)response;
	if (!staged->is_there)
		return cs_fail(call->why, CS_ERR_INVALID, "a commit without a block");
	enum cs_err err = app->db.commit(app->db.context, staged->version, staged->changes,
					 staged->keep_from);
	if (err != CS_OK)
		return fail(call, err);
	app->version = staged->version;
	app->time_s = staged->time_s;
	drop_staged(app);
	forget_pending(app);
	err = ledger_snapshots_committed(app);
	return err == CS_OK ? CS_OK : fail(call, err);
}

struct abci_app ledger_app_table(struct ledger_app *app)
{
	return (struct abci_app){
		.state = app,
		.info = info,
		.query = ledger_app_query,
		.check_tx = check_tx,
		.init_chain = init_chain,
		.prepare_proposal = prepare_proposal,
		.process_proposal = process_proposal,
		.finalize_block = finalize_block,
		.commit = commit,
		.list_snapshots = ledger_app_list_snapshots,
		.offer_snapshot = ledger_app_offer,
		.load_snapshot_chunk = ledger_app_load_chunk,
		.apply_snapshot_chunk = ledger_app_apply_chunk,
	};
}
