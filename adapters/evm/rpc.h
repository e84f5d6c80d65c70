/* JSON-RPC 2.0 over several HTTP endpoints of one chain: batches, health by height, failover. It
 * never believes that an endpoint is of the right chain before chain id and genesis were compared,
 * and never retries an answer that says no. */
#ifndef ADAPTERS_EVM_RPC_H
#define ADAPTERS_EVM_RPC_H

#include "adapters/adapter.h"
#include "adapters/evm/json.h"
#include "adapters/evm/rpc_error.h"
#include "host/loop.h"

/* Calls of one HTTP request: geth takes 1000, anvil a body of 2 MB. Larger batches of callers are
 * cut. */
#define EVM_RPC_BATCH_MAX 200
/* Calls of one evm_rpc_batch. */
#define EVM_RPC_CALLS_MAX 8192
/* An answer: receipts of a block of 600 transactions with logs are about 3 MiB; 100,000 logs 60
 * MiB, which are asked for in smaller ranges. */
#define EVM_RPC_REPLY_SIZE_MAX (32u << 20)
/* A raw transaction with a full batch of messages is 1 MiB. */
#define EVM_RPC_REQUEST_SIZE_MAX (8u << 20)
/* Heights behind the best from which on an endpoint is called lagging. */
#define EVM_RPC_LAG_MAX 5
/* Failures in a row from which on an endpoint is asked last. */
#define EVM_RPC_FAILURES_MAX 3
#define EVM_RPC_ANY SIZE_MAX

/* One answer. result is borrowed and NULL unless class is FINE; it may be json null. */
struct evm_rpc_reply {
	enum evm_rpc_class class;
	enum cs_err err;
	const json_t *result;
	const json_t *data; /* error.data */
	size_t endpoint;
	char why[120];
};

/* Pure: takes an answer apart. body answers the calls first_id .. first_id + count - 1 (single: not
 * an array); every id must come exactly once, in any order. One error object in place of the array
 * counts for all. On success *document owns what the replies point into. RPC_LIE: wrong or missing
 * ids, wrong types. MALFORMED: not JSON, or nested too deep. */
CS_NODISCARD enum cs_err evm_rpc_decode(json_t **document, struct evm_rpc_reply *replies,
					size_t count, bool single, uint64_t first_id,
					struct cs_bytes body, struct cs_why *why);

struct evm_rpc;

struct evm_rpc_config {
	const char *const *http;
	size_t http_count;
	uint64_t chain_id;
	struct cs_hash genesis_hash;
	unsigned timeout_ms;
	unsigned probe_ms;
	void *ctx;
	void (*changed)(void *ctx, const struct adapter_endpoint *endpoint);
	void (*ready)(void *ctx); /* the first endpoint proved to be of the chain; once */
};

CS_NODISCARD enum cs_err evm_rpc_new(struct evm_rpc **rpc, struct host_loop *loop,
				     const struct evm_rpc_config *config, struct cs_why *why);
/* Begins to probe. */
void evm_rpc_start(struct evm_rpc *rpc);
/* What is open is answered with NODE and CLOSED, what comes later is refused. */
void evm_rpc_close(struct evm_rpc *rpc);
/* Closes it too. NULL is allowed. */
void evm_rpc_free(struct evm_rpc *rpc);
bool evm_rpc_is_ready(const struct evm_rpc *rpc);
size_t evm_rpc_endpoint_count(const struct evm_rpc *rpc);
const struct adapter_endpoint *evm_rpc_endpoint(const struct evm_rpc *rpc, size_t index);
/* The answer of an endpoint turned out to be impossible: counted, and it is asked last for a while. */
void evm_rpc_lied(struct evm_rpc *rpc, size_t endpoint, const char *why);
/* It tells another history than the others: counted, shown, and asked last for a minute. */
void evm_rpc_diverged(struct evm_rpc *rpc, size_t endpoint, const char *why);
/* A block of this height was seen there. */
void evm_rpc_saw_height(struct evm_rpc *rpc, size_t endpoint, uint64_t height);
/* Another endpoint that is fit to answer; `except` itself when there is none. */
size_t evm_rpc_other(struct evm_rpc *rpc, size_t except);

/* Scheme, host and port of a URL, whose rest may hold a provider's key: what may be shown. Freed by
 * free(). */
char *evm_rpc_origin(const char *url);

struct evm_rpc_call {
	const char *method;
	json_t *params; /* an array; the reference is taken, whatever happens. NULL: [] */
};

/* pin: this endpoint alone, or EVM_RPC_ANY with failover. height_min: endpoints that are known to
 * be there come first. */
struct evm_rpc_options {
	size_t pin;
	uint64_t height_min;
	bool only_pin; /* no failover from the pinned one */
};
#define EVM_RPC_DEFAULT (&(const struct evm_rpc_options){.pin = EVM_RPC_ANY})

/* replies[count] in the order of the calls; each has its own class. Called once, never from inside
 * the request. */
typedef void evm_rpc_done(void *ctx, const struct evm_rpc_reply *replies, size_t count);

/* count from 1 to EVM_RPC_CALLS_MAX. UNAVAILABLE: no endpoint is known to be of the chain; FULL;
 * TOO_LARGE. */
CS_NODISCARD enum cs_err evm_rpc_batch(struct evm_rpc *rpc, const struct evm_rpc_options *options,
				       const struct evm_rpc_call *calls, size_t count,
				       evm_rpc_done *done, void *ctx);
CS_NODISCARD enum cs_err evm_rpc_call(struct evm_rpc *rpc, const struct evm_rpc_options *options,
				      const char *method, json_t *params, evm_rpc_done *done,
				      void *ctx);

#endif
