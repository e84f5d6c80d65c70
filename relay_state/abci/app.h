/* An application of ABCI in process: a table of functions that an engine calls, or that a server
 * offers to a CometBFT. Whatever is behind it, a call is answered before the next one begins.
 *
 * Rules for an application (CometBFT spec/abci/abci++_app_requirements.md): process_proposal,
 * verify_vote_extension and finalize_block depend on nothing but the state after the last commit
 * and the question; finalize_block changes nothing that a crash before commit would leave behind,
 * and is called again after one. */
#ifndef ABCI_APP_H
#define ABCI_APP_H

#include "relay_state/abci/messages.h"

/* What every call gets besides its question. */
struct abci_call {
	/* For what the answer consists of; rewound by the caller after it has used the answer. */
	struct cs_arena *arena;
	struct cs_why *why; /* filled on failure, never NULL */
};

/* Each function fills its answer, which is all zeros before; views in it lead into the question,
 * the arena or the application's own memory, and hold until the next call.
 *
 * A negative answer is a code or a status in the answer. A failure means that the application
 * cannot go on: the engine halts, a server answers with an exception and closes the connection.
 *
 * NULL in place of a function: the answer of one that has nothing to say (CometBFT's
 * BaseApplication): everything is accepted, proposals are taken as they are, there are no
 * snapshots. */
struct abci_app {
	void *state;

/* NOLINTBEGIN(bugprone-macro-parentheses): a member's name. */
#define ABCI_FUNCTION(name)                                                           \
	enum cs_err (*name)(void *state, const struct abci_##name##_request *request, \
			    struct abci_##name##_response *response, const struct abci_call *call)
	/* NOLINTEND(bugprone-macro-parentheses) */
	ABCI_FUNCTION(info);
	ABCI_FUNCTION(query);
	ABCI_FUNCTION(check_tx);
	ABCI_FUNCTION(insert_tx);
	ABCI_FUNCTION(reap_txs);
	ABCI_FUNCTION(init_chain);
	ABCI_FUNCTION(prepare_proposal);
	ABCI_FUNCTION(process_proposal);
	ABCI_FUNCTION(extend_vote);
	ABCI_FUNCTION(verify_vote_extension);
	ABCI_FUNCTION(finalize_block);
	ABCI_FUNCTION(offer_snapshot);
	ABCI_FUNCTION(load_snapshot_chunk);
	ABCI_FUNCTION(apply_snapshot_chunk);
#undef ABCI_FUNCTION
	enum cs_err (*commit)(void *state, struct abci_commit_response *response,
			      const struct abci_call *call);
	enum cs_err (*list_snapshots)(void *state, struct abci_list_snapshots_response *response,
				      const struct abci_call *call);
};

/* Calls the function that the question names; echo and flush are answered here. NO_MEMORY: an
 * answer of ours does not fit the arena. The application's failures pass through. The answer is
 * all zeros on failure. */
CS_NODISCARD enum cs_err abci_app_call(const struct abci_app *app,
				       const struct abci_request *request,
				       struct abci_response *response, struct cs_arena *arena,
				       struct cs_why *why);

#endif
