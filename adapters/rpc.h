/* JSON-RPC 2.0 over several HTTP endpoints of one chain: batches, health by height, circuit breakers,
 * failover, hedged reads. It never believes that an endpoint is of the right chain before chain id and
 * genesis were compared, never retries an answer that says no, and asks nothing twice at a time but
 * reads. */
#ifndef ADAPTERS_RPC_H
#define ADAPTERS_RPC_H

#include "adapters/adapter.h"
#include "adapters/hedge.h"
#include "adapters/rpc_class.h"
#include "adapters/rpc_json.h"
#include "host/loop.h"

/* Calls of one adapter_rpc_batch. */
#define ADAPTER_RPC_CALLS_MAX 8192
/* An answer: receipts of a block of 600 transactions with logs are about 3 MiB; 100,000 logs 60
 * MiB, which are asked for in smaller ranges. */
#define ADAPTER_RPC_REPLY_SIZE_MAX (32u << 20)
/* A raw transaction with a full batch of messages is 1 MiB. */
#define ADAPTER_RPC_REQUEST_SIZE_MAX (8u << 20)
/* Heights behind the best from which on an endpoint is called lagging. */
#define ADAPTER_RPC_LAG_MAX 5
#define ADAPTER_RPC_ANY SIZE_MAX

/* One answer. result is borrowed and NULL unless class is FINE; it may be json null. */
struct adapter_rpc_reply {
	enum adapter_rpc_class class;
	enum cs_err err;
	const json_t *result;
	const json_t *data; /* error.data */
	size_t endpoint;
	char why[120];
};

/* What an error of a node means, never FINE. data: the error's member, or NULL. */
typedef enum adapter_rpc_class adapter_rpc_classify_fn(int64_t code, const char *message,
						       const json_t *data);

/* Pure: takes an answer apart. body answers the calls first_id .. first_id + count - 1 (single: not
 * an array); every id must come exactly once, in any order. One error object in place of the array
 * counts for all. On success *document owns what the replies point into. RPC_LIE: wrong or missing
 * ids, wrong types. MALFORMED: not JSON, or nested too deep. */
CS_NODISCARD enum cs_err adapter_rpc_decode(json_t **document, struct adapter_rpc_reply *replies,
					    size_t count, bool single, uint64_t first_id,
					    struct cs_bytes body, adapter_rpc_classify_fn *classify,
					    struct cs_why *why);

struct adapter_rpc;

struct adapter_rpc_call {
	const char *method;
	json_t *params; /* an array or object; the reference is taken, whatever happens. NULL: [] */
};

/* Calls of a probe. */
#define ADAPTER_RPC_PROBE_MAX 4

/* What differs between kinds of nodes. */
struct adapter_rpc_dialect {
	/* Calls of one HTTP request. Larger batches of callers are cut. */
	size_t batch_max;
	adapter_rpc_classify_fn *classify;
	/* Methods that change nothing and whose answer does not depend on which node gives it, but
	 * for how far it is; NULL ends them. A request of these alone is a read: it may be hedged, and
	 * is the trial of a breaker. Pools are one node's own: they are not in it, and neither are
	 * nonces, by which a sender knows what it sent (options.read, where nobody does). */
	const char *const *reads;
	/* Writes the calls that tell which chain it is and how far; returns how many. */
	size_t (*probe)(const void *context, struct adapter_rpc_call calls[ADAPTER_RPC_PROBE_MAX]);
	/* Of answers that are all FINE: whether it is the configured chain, else why not; and its
	 * height, where it can be read. A node that was exchanged behind its address is noticed
	 * here too. */
	bool (*is_our_chain)(const void *context, char why[120], uint64_t *height,
			     const struct adapter_rpc_reply *replies);
};

struct adapter_rpc_config {
	const struct adapter_rpc_dialect *dialect;
	const void *dialect_context; /* of its functions: the configured chain */
	const char *const *http;
	size_t http_count;
	unsigned timeout_ms;
	unsigned probe_ms;
	struct adapter_hedge_config hedge; /* zero: none */
	void *ctx;
	void (*changed)(void *ctx, const struct adapter_endpoint *endpoint);
	void (*ready)(void *ctx); /* the first endpoint proved to be of the chain; once */
};

CS_NODISCARD enum cs_err adapter_rpc_new(struct adapter_rpc **rpc, struct host_loop *loop,
					 const struct adapter_rpc_config *config,
					 struct cs_why *why);
/* Begins to probe. */
void adapter_rpc_start(struct adapter_rpc *rpc);
/* What is open is answered with NODE and CLOSED, what comes later is refused. */
void adapter_rpc_close(struct adapter_rpc *rpc);
/* Closes it too. NULL is allowed. */
void adapter_rpc_free(struct adapter_rpc *rpc);
bool adapter_rpc_is_ready(const struct adapter_rpc *rpc);
/* For so long no endpoint of the chain has answered anything. */
uint64_t adapter_rpc_silent_ms(const struct adapter_rpc *rpc);
size_t adapter_rpc_endpoint_count(const struct adapter_rpc *rpc);
const struct adapter_endpoint *adapter_rpc_endpoint(const struct adapter_rpc *rpc, size_t index);
/* The answer of an endpoint turned out to be impossible: counted, and it is asked last for a while. */
void adapter_rpc_lied(struct adapter_rpc *rpc, size_t endpoint, const char *why);
/* It tells another history than the others: counted, shown, and asked last for a minute. */
void adapter_rpc_diverged(struct adapter_rpc *rpc, size_t endpoint, const char *why);
/* It does not have what is asked for, and says so. */
void adapter_rpc_lacks(struct adapter_rpc *rpc, size_t endpoint, const char *why);
/* A block of this height was seen there. */
void adapter_rpc_saw_height(struct adapter_rpc *rpc, size_t endpoint, uint64_t height);
/* Another endpoint that is fit to answer; `except` itself when there is none. */
size_t adapter_rpc_other(struct adapter_rpc *rpc, size_t except);

/* Whether an answer of a read holds in itself, cheaply; false is no proof of a lie. ctx: that of done.
 * Asked only when two endpoints were: one that holds wins against one that does not, which counts as
 * a lie. */
typedef bool adapter_rpc_check(const void *ctx, const struct adapter_rpc_reply *replies,
			       size_t count);

/* pin: this endpoint first, or ADAPTER_RPC_ANY. height_min: endpoints that are known to be there come
 * first. */
struct adapter_rpc_options {
	size_t pin;
	uint64_t height_min;
	bool only_pin;            /* no failover from the pinned one, and no hedge */
	bool read;                /* whatever its methods are: it asks, and any node may answer */
	unsigned avoid;           /* a bit for each endpoint that is not asked */
	adapter_rpc_check *check; /* NULL: every answer holds that can be read */
};
#define ADAPTER_RPC_DEFAULT (&(const struct adapter_rpc_options){.pin = ADAPTER_RPC_ANY})
#define ADAPTER_RPC_READ (&(const struct adapter_rpc_options){.pin = ADAPTER_RPC_ANY, .read = true})

/* replies[count] in the order of the calls; each has its own class and names the endpoint that gave it:
 * what belongs together is asked of that one (pin). Only a request that fits one batch is hedged, so
 * that its answers are of one endpoint. Called once, never from inside the request. */
typedef void adapter_rpc_done(void *ctx, const struct adapter_rpc_reply *replies, size_t count);

/* count from 1 to ADAPTER_RPC_CALLS_MAX. UNAVAILABLE: no endpoint is known to be of the chain;
 * RATE_LIMITED: a read, and all of them said when to come again; FULL; TOO_LARGE. */
CS_NODISCARD enum cs_err adapter_rpc_batch(struct adapter_rpc *rpc,
					   const struct adapter_rpc_options *options,
					   const struct adapter_rpc_call *calls, size_t count,
					   adapter_rpc_done *done, void *ctx);
CS_NODISCARD enum cs_err adapter_rpc_call(struct adapter_rpc *rpc,
					  const struct adapter_rpc_options *options,
					  const char *method, json_t *params,
					  adapter_rpc_done *done, void *ctx);

#endif
