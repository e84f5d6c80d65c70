#include "relay_state/abci/app.h"

#include <string.h>

/* ---- the answers of an application that leaves a function out ---- */

static enum cs_err take_proposal(const struct abci_prepare_proposal_request *request,
				 struct abci_prepare_proposal_response *response)
{
	int64_t left = request->max_tx_bytes;
	size_t count = 0;
	for (; count < request->txs.count; count++) {
		size_t size = request->txs.items[count].n;
		if (left < 0 || size > (uint64_t)left)
			break;
		left -= (int64_t)size;
	}
	response->txs = (struct abci_bytes_list){request->txs.items, count};
	return CS_OK;
}

static enum cs_err finalize_blindly(const struct abci_finalize_block_request *request,
				    struct abci_finalize_block_response *response,
				    const struct abci_call *call)
{
	const size_t count = request->txs.count;
	struct abci_tx_result *results = cs_arena_calloc(call->arena, count, sizeof *results);
	if (results == NULL)
		return cs_fail(call->why, CS_ERR_NO_MEMORY, "no memory for %zu results", count);
	response->tx_results.items = results;
	response->tx_results.count = count;
	return CS_OK;
}

/* ---- dispatch ---- */

#define CALL(name) \
	(app->name == NULL ? CS_OK : app->name(app->state, &request->name, &response->name, call))

static enum cs_err dispatch(const struct abci_app *app, const struct abci_request *request,
			    struct abci_response *response, const struct abci_call *call)
{
	switch (request->method) {
	case ABCI_EXCEPTION:
		return cs_fail(call->why, CS_ERR_INVALID, "an exception is no question");
	case ABCI_ECHO:
		response->echo.message = request->echo.message;
		return CS_OK;
	case ABCI_FLUSH:
		return CS_OK;
	case ABCI_INFO:
		return CALL(info);
	case ABCI_INIT_CHAIN:
		return CALL(init_chain);
	case ABCI_QUERY:
		return CALL(query);
	case ABCI_CHECK_TX:
		return CALL(check_tx);
	case ABCI_COMMIT:
		return app->commit == NULL ? CS_OK
					   : app->commit(app->state, &response->commit, call);
	case ABCI_LIST_SNAPSHOTS:
		return app->list_snapshots == NULL
			       ? CS_OK
			       : app->list_snapshots(app->state, &response->list_snapshots, call);
	case ABCI_OFFER_SNAPSHOT:
		return CALL(offer_snapshot);
	case ABCI_LOAD_SNAPSHOT_CHUNK:
		return CALL(load_snapshot_chunk);
	case ABCI_APPLY_SNAPSHOT_CHUNK:
		return CALL(apply_snapshot_chunk);
	case ABCI_PREPARE_PROPOSAL:
		return app->prepare_proposal == NULL ? take_proposal(&request->prepare_proposal,
								     &response->prepare_proposal)
						     : CALL(prepare_proposal);
	case ABCI_PROCESS_PROPOSAL:
		response->process_proposal.status =
			app->process_proposal == NULL ? ABCI_ACCEPT : ABCI_VERDICT_UNKNOWN;
		return CALL(process_proposal);
	case ABCI_EXTEND_VOTE:
		return CALL(extend_vote);
	case ABCI_VERIFY_VOTE_EXTENSION:
		response->verify_vote_extension.status =
			app->verify_vote_extension == NULL ? ABCI_ACCEPT : ABCI_VERDICT_UNKNOWN;
		return CALL(verify_vote_extension);
	case ABCI_FINALIZE_BLOCK:
		return app->finalize_block == NULL
			       ? finalize_blindly(&request->finalize_block,
						  &response->finalize_block, call)
			       : CALL(finalize_block);
	case ABCI_INSERT_TX:
		return CALL(insert_tx);
	case ABCI_REAP_TXS:
		return CALL(reap_txs);
	}
	return cs_fail(call->why, CS_ERR_UNSUPPORTED, "no such method");
}

enum cs_err abci_app_call(const struct abci_app *app, const struct abci_request *request,
			  struct abci_response *response, struct cs_arena *arena,
			  struct cs_why *why)
{
	struct cs_why own = {""};
	const struct abci_call call = {arena, why != NULL ? why : &own};
	memset(response, 0, sizeof *response);
	response->method = request->method;
	enum cs_err err = dispatch(app, request, response, &call);
	if (err != CS_OK)
		memset(response, 0, sizeof *response);
	return err;
}
