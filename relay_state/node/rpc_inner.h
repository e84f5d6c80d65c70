/* What the files of the RPC share: a call with its arguments and its one answer (rpc.c), the methods
 * (rpc_methods.c, rpc_chain.c), JSON of chain and application (rpc_json.c), subscriptions
 * (rpc_events.c). */
#ifndef NODE_RPC_INNER_H
#define NODE_RPC_INNER_H

#include "host/cometbft_values.h"
#include "host/http_server.h"
#include "host/ws_server.h"
#include "relay_state/node/rpc.h"

/* Of JSON-RPC 2.0, and CometBFT's for what a handler says. */
#define RPC_PARSE_ERROR (-32700)
#define RPC_INVALID_REQUEST (-32600)
#define RPC_METHOD_NOT_FOUND (-32601)
#define RPC_INVALID_PARAMS (-32602)
#define RPC_INTERNAL_ERROR (-32603)

struct rpc_call;
/* response: the whole JSON-RPC object, the callee's; NULL: a notification has none. is_error: by URI
 * HTTP says 500. */
typedef void rpc_answered(void *context, json_t *response, bool is_error);

struct rpc_call {
	struct node_rpc *rpc;
	json_t *id;               /* owned; NULL: of what could not be read */
	json_t *params;           /* owned: an object, or a list by position */
	bool is_uri;              /* values are texts in CometBFT's URI forms */
	const char *const *names; /* of the parameters by position */
	rpc_answered *answered;
	void *context;
	struct host_ws_peer *peer; /* of a subscription; NULL over HTTP */
};

/* Exactly one of these ends a call. */
void rpc_result(struct rpc_call *call, json_t *result);
void rpc_fail(struct rpc_call *call, int code, const char *data, ...) CS_PRINTF(3, 4);
/* "Internal error" with the sentence as its data. */
void rpc_refuse(struct rpc_call *call, const char *data, ...) CS_PRINTF(2, 3);

/* ---- arguments; false: the call was ended with what is wrong ---- */
bool rpc_number(struct rpc_call *call, const char *name, int64_t *value, bool *given);
bool rpc_bool(struct rpc_call *call, const char *name, bool *value);
/* Malloc'd, "" when not given. */
bool rpc_text(struct rpc_call *call, const char *name, char **text);
/* Malloc'd; is_hex: JSON has hex where it otherwise has base64. */
bool rpc_bytes(struct rpc_call *call, const char *name, bool is_hex, uint8_t **bytes, size_t *size);

struct rpc_method {
	const char *name;
	void (*run)(struct rpc_call *call);
	const char *const *names; /* ends with NULL */
	bool is_ws;               /* over WebSocket alone */
};
/* NULL: there is none. */
const struct rpc_method *rpc_method_find(const char *name);
const struct rpc_method *rpc_method_at(size_t index);

/* ---- what HTTP brings ---- */
/* text: the answer's JSON, empty when nothing is answered, until this returns; status: HTTP's. */
typedef void rpc_done(void *context, const char *text, int status);
/* The body of a POST, not empty: an object or a batch. Answered once, now or later. */
void rpc_take_post(struct node_rpc *rpc, struct cs_bytes body, rpc_done *done, void *context);
/* A URI: params is the callee's, an object of texts by the method's names. */
void rpc_take_get(struct node_rpc *rpc, const struct rpc_method *method, json_t *params,
		  rpc_done *done, void *context);

/* ---- subscriptions ---- */
struct rpc_events;
struct rpc_events *rpc_events_new(struct node_rpc *rpc, struct host_loop *loop, struct node *node);
void rpc_events_free(struct rpc_events *events);
void rpc_events_peer_gone(struct rpc_events *events, struct host_ws_peer *peer);
void rpc_subscribe(struct rpc_call *call);
void rpc_unsubscribe(struct rpc_call *call);
void rpc_unsubscribe_all(struct rpc_call *call);
/* The answer of broadcast_tx_commit: once the transaction is in a block, or too late. check_tx is
 * taken. */
void rpc_await_tx(struct rpc_call *call, const struct cs_hash *hash, json_t *check_tx);

struct rpc_route {
	struct node_rpc *rpc;
	const struct rpc_method *method;
};
#define RPC_METHODS_MAX 40u
/* Signatures that broadcast_evidence checks, of all callers together; the engine looks once more at
 * what is good. What one piece costs beyond that is owed. */
#define RPC_EVIDENCE_WORK_PER_S 128

struct node_rpc {
	struct rpc_route routes[RPC_METHODS_MAX];
	struct host_loop *loop;
	struct node *node;
	struct host_http_server *http;
	struct host_ws_server *ws;
	struct node_rpc_port *port;
	struct rpc_events *events;
	char address[HOST_ADDRESS_SIZE_MAX + 16];
	uint64_t evidence_ms; /* until when evidence_work was earned */
	int64_t evidence_work;
	struct cs_arena arena; /* of the call that runs */
	void *arena_memory;
};

/* ---- JSON, new references ---- */
json_t *rpc_json_block(const struct cmt_block *block);
json_t *rpc_json_txs(const struct cs_bytes *txs, size_t count);
json_t *rpc_json_events(const struct abci_events *events);
/* With every field, as jsonpb writes it; without what is empty, as struct tags have it. */
json_t *rpc_json_tx_result(const struct abci_tx_result *result);
json_t *rpc_json_tx_result_short(const struct abci_tx_result *result);
json_t *rpc_json_check_tx(const struct abci_check_tx_response *response);
json_t *rpc_json_updates(const struct abci_validator_updates *updates);
json_t *rpc_json_consensus_params(const struct abci_consensus_params *params);
json_t *rpc_json_proof(const struct cmt_proof *proof);
/* "RoundStepPropose" and CometBFT's number of it. */
const char *rpc_step_name(enum bft_step_name step);
int rpc_step_number(enum bft_step_name step);

#endif
