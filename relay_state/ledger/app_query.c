#include "relay_state/ledger/account.h"
#include "relay_state/ledger/app_parts.h"
#include "relay_state/ledger/chain.h"
#include "relay_state/ledger/gas.h"
#include "relay_state/ledger/tree.h"

#include <string.h>

/* What a question may touch; more is answered with TOO_MUCH. */
#define VIEW_KEYS_MAX 20000u
#define VIEW_BYTES_MAX (32u * 1024 * 1024)

/* A question in the state of one version. */
struct view {
	struct ledger_app *app;
	struct ledger_db db; /* of the version alone */
	uint64_t version;
	const struct abci_query_request *request;
	struct abci_query_response *response;
	struct cs_arena *arena;
	struct cs_why *why;
};

static struct ledger_state_options view_options(const struct ledger_app *app)
{
	struct ledger_state_options options = {.keys_max = VIEW_KEYS_MAX,
					       .bytes_max = VIEW_BYTES_MAX};
	if (app != NULL)
		memcpy(options.seed, app->seed, sizeof options.seed);
	return options;
}

size_t ledger_view_size(void)
{
	const struct ledger_state_options options = view_options(NULL);
	return ledger_state_size(&options);
}

/* "The newest" is the view's version for whoever reads through this table. */
static enum cs_err get_of_version(void *context, struct cs_bytes *value, enum ledger_space space,
				  struct cs_bytes key, uint64_t version, struct cs_arena *arena)
{
	const struct view *view = context;
	const struct ledger_db *db = &view->app->db;
	(void)version;
	return db->get(db->context, value, space, key, view->version, arena);
}

static enum cs_err answer(const struct view *view, enum ledger_code code)
{
	view->response->code = code;
	view->response->log = cs_bytes_str(ledger_code_sentence(code));
	view->response->info = cs_bytes_str(ledger_code_name(code));
	return CS_OK;
}

/* What the store says of a question is no failure of the application. */
static enum cs_err answer_error(const struct view *view, enum cs_err err)
{
	if (err == CS_ERR_UNAVAILABLE)
		return answer(view, LEDGER_CODE_NOT_KEPT);
	if (err == CS_ERR_FULL || err == CS_ERR_NO_MEMORY)
		return answer(view, LEDGER_CODE_TOO_MUCH);
	return err;
}

static struct ledger_state *open_state(struct view *view)
{
	const struct ledger_state_options options = view_options(view->app);
	view->db = (struct ledger_db){.context = view, .get = get_of_version};
	return ledger_state_init(view->app->view_memory, &view->db, &options);
}

/* ---- /store ---- */

static enum cs_err prove(const struct view *view)
{
	struct abci_proof_ops *ops = cs_arena_calloc(view->arena, 1, sizeof *ops);
	struct abci_proof_op *op = cs_arena_calloc(view->arena, 1, sizeof *op);
	struct cs_buf proof;
	bool exists;
	if (ops == NULL || op == NULL ||
	    cs_buf_init_arena(&proof, view->arena, LEDGER_PROOF_SIZE_MAX) != CS_OK)
		return CS_ERR_NO_MEMORY;
	CS_TRY(ledger_tree_prove(&proof, &view->response->value, &exists, &view->app->db,
				 view->version, view->request->data, view->arena));
	*op = (struct abci_proof_op){cs_bytes_str("ics23:smt"), view->request->data,
				     cs_buf_view(&proof)};
	ops->ops.items = op;
	ops->ops.count = 1;
	view->response->proof_ops = ops;
	view->response->log = cs_bytes_str(exists ? "exists" : "does not exist");
	return CS_OK;
}

static enum cs_err query_store(struct view *view)
{
	const struct cs_bytes key = view->request->data;
	if (key.n == 0 || key.n > LEDGER_KEY_SIZE_MAX)
		return answer(view, LEDGER_CODE_INVALID);
	if (view->request->prove)
		return prove(view);
	enum cs_err err = view->app->db.get(view->app->db.context, &view->response->value,
					    LEDGER_VALUES, key, view->version, view->arena);
	if (err != CS_OK && err != CS_ERR_NOT_FOUND)
		return err;
	view->response->log = cs_bytes_str(err == CS_OK ? "exists" : "does not exist");
	return CS_OK;
}

/* ---- /account, /chain ---- */

static enum cs_err answer_bytes(const struct view *view, struct cs_bytes bytes)
{
	view->response->value = cs_arena_copy(view->arena, bytes);
	return view->response->value.p == NULL ? CS_ERR_NO_MEMORY : CS_OK;
}

static enum cs_err query_account(struct view *view)
{
	struct cs_address address;
	struct ledger_account account;
	uint8_t bytes[LEDGER_ACCOUNT_SIZE];
	if (view->request->data.n != sizeof address.b)
		return answer(view, LEDGER_CODE_INVALID);
	memcpy(address.b, view->request->data.p, sizeof address.b);
	CS_TRY(ledger_account_get(open_state(view), &account, &address));
	const struct cs_hash balance = cs_u256_word(&account.balance);
	cs_put_be64(bytes, account.sequence);
	memcpy(bytes + 8, balance.b, sizeof balance.b);
	return answer_bytes(view, CS_BYTES_OF(bytes));
}

static enum cs_err view_time(const struct view *view, uint64_t *time_s)
{
	*time_s = view->app->time_s;
	if (view->version == view->app->version)
		return CS_OK;
	enum cs_err err = ledger_block_time_get(time_s, &view->app->db, view->version, view->arena);
	return err == CS_ERR_NOT_FOUND ? CS_OK : err;
}

static enum cs_err query_chain(struct view *view)
{
	struct ledger_state *state = open_state(view);
	struct ledger_rules rules;
	struct cs_hash tag;
	uint64_t time_s;
	uint8_t bytes[72];
	if (view->request->data.n != 0)
		return answer(view, LEDGER_CODE_INVALID);
	CS_TRY(ledger_chain_get(state, &tag));
	CS_TRY(ledger_rules_get(state, &rules));
	CS_TRY(view_time(view, &time_s));
	memcpy(bytes, tag.b, sizeof tag.b);
	cs_put_be64(bytes + 32, LEDGER_APP_VERSION);
	cs_put_be64(bytes + 40, rules.block_gas);
	cs_put_be64(bytes + 48, rules.gas_price_min.limb[1]);
	cs_put_be64(bytes + 56, rules.gas_price_min.limb[0]);
	cs_put_be64(bytes + 64, time_s);
	return answer_bytes(view, CS_BYTES_OF(bytes));
}

/* ---- /call, /simulate ---- */

static enum cs_err open_machine(struct view *view, struct ledger_block *block)
{
	*block = (struct ledger_block){.height = view->version};
	CS_TRY(view_time(view, &block->time_s));
	ledger_machine_init(&view->app->view_machine, open_state(view), view->app->sig,
			    view->app->contracts);
	return CS_OK;
}

static enum cs_err query_call(struct view *view)
{
	static const struct cs_u256 no_value;
	const struct cs_bytes data = view->request->data;
	struct ledger_block block;
	struct ledger_run run;
	struct cs_address from, to;
	bool success;
	if (data.n < sizeof from.b + sizeof to.b)
		return answer(view, LEDGER_CODE_INVALID);
	memcpy(from.b, data.p, sizeof from.b);
	memcpy(to.b, data.p + sizeof from.b, sizeof to.b);
	CS_TRY(open_machine(view, &block));
	CS_TRY(ledger_run_init(&run, &block, view->arena, view->why, &from, LEDGER_VIEW_GAS));
	run.is_view = true;
	CS_TRY(ledger_machine_call(&view->app->view_machine, &run, &success, &view->response->value,
				   &to, &no_value,
				   cs_bytes(data.p + sizeof from.b + sizeof to.b,
					    data.n - sizeof from.b - sizeof to.b)));
	if (success)
		return CS_OK;
	if (ledger_machine_find(&view->app->view_machine, &to) == NULL)
		return answer(view, LEDGER_CODE_NO_CONTRACT);
	return answer(view, run.gas.used == run.gas.limit ? LEDGER_CODE_OUT_OF_GAS
							  : LEDGER_CODE_REVERTED);
}

static enum cs_err query_simulate(struct view *view)
{
	struct ledger_tx tx;
	struct ledger_block block;
	struct ledger_result result = {0};
	struct cs_buf value;
	size_t signature_count;
	size_t size = view->request->data.n;
	if (ledger_tx_decode(&tx, view->request->data) != CS_OK)
		return answer(view, LEDGER_CODE_MALFORMED);
	if (ledger_tx_signature_count(&tx, &signature_count) != CS_OK) {
		/* Not signed yet: as the one signature of a key will be. */
		signature_count = 1;
		size = tx.body.n + LEDGER_SIGNATURE_SIZE_MAX;
	}
	tx.gas_limit = LEDGER_VIEW_GAS;
	CS_TRY(open_machine(view, &block));
	const struct ledger_execution execution = {.machine = &view->app->view_machine,
						   .block = &block,
						   .arena = view->arena,
						   .why = view->why};
	CS_TRY(ledger_execute_calls(&execution, &result, &tx,
				    ledger_tx_gas(size, signature_count)));
	CS_TRY(cs_buf_init_arena(&value, view->arena, 8 + result.data.n));
	cs_put_u64(&value, result.gas_used);
	cs_put(&value, result.data);
	view->response->value = cs_buf_view(&value);
	return result.code == LEDGER_CODE_OK ? CS_OK : answer(view, result.code);
}

static const struct {
	const char *path;
	enum cs_err (*answer)(struct view *view);
} paths[] = {
	{"/store", query_store}, {"/account", query_account},   {"/call", query_call},
	{"/chain", query_chain}, {"/simulate", query_simulate},
};

enum cs_err ledger_app_query(void *state, const struct abci_query_request *request,
			     struct abci_query_response *response, const struct abci_call *call)
{
	struct ledger_app *app = state;
	struct view view = {.app = app,
			    .version =
				    request->height == 0 ? app->version : (uint64_t)request->height,
			    .request = request,
			    .response = response,
			    .arena = call->arena,
			    .why = call->why};
	response->codespace = cs_bytes_str(LEDGER_CODESPACE);
	response->key = request->data;
	response->height = (int64_t)app->version;
	if (request->height < 0 || view.version > app->version)
		return answer(&view, LEDGER_CODE_NOT_KEPT);
	response->height = (int64_t)view.version;
	for (size_t i = 0; i < CS_LEN(paths); i++) {
		if (!cs_bytes_eq(request->path, cs_bytes_str(paths[i].path)))
			continue;
		enum cs_err err = paths[i].answer(&view);
		return err == CS_OK ? CS_OK : answer_error(&view, err);
	}
	return answer(&view, LEDGER_CODE_NO_PATH);
}
