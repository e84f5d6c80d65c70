/* What the parts of rpc.h share: its endpoints, which of them is asked, and the probes. */
#ifndef ADAPTERS_RPC_INNER_H
#define ADAPTERS_RPC_INNER_H

#include "adapters/rpc.h"

/* A bit for each in `avoid` and `tried`. */
#define RPC_ENDPOINTS_MAX 8

struct rpc_endpoint {
	struct adapter_endpoint public;
	struct adapter_health health;
	struct adapter_rpc *rpc;
	size_t index;
	char *url;    /* may hold a provider's key: never shown */
	char *origin; /* what people and metrics see */
	bool identified;
	bool probing;
	unsigned probe_pause_ms;
	uint64_t probe_next_ms;
	uint64_t diverged_until_ms; /* asked when nobody else is there */
};

struct rpc_part;
struct rpc_leg;

struct adapter_rpc {
	struct host_loop *loop;
	struct host_http_client *http;
	struct host_timer *timer;
	struct host_timer *late; /* at hedge_next_ms, when it runs */
	uint64_t hedge_next_ms;
	struct adapter_rpc_config config;
	struct adapter_hedge hedge;
	struct rpc_endpoint endpoints[RPC_ENDPOINTS_MAX];
	size_t endpoint_count;
	uint64_t height_best;
	uint64_t heard_ms; /* when an endpoint of the chain answered last */
	uint64_t id_next;
	struct rpc_part *open;
	struct rpc_leg *legs;
	bool ready;
	bool ending;
};

/* ---- rpc_endpoints.c ---- */
void rpc_endpoint_init(struct rpc_endpoint *endpoint, struct adapter_rpc *rpc, size_t index,
		       const char *url);
void rpc_endpoint_done(struct rpc_endpoint *endpoint);
/* class: NODE, LIMIT or LIE. retry_after_ms: 0 where it did not say. */
void rpc_endpoint_failed(struct rpc_endpoint *endpoint, enum adapter_rpc_class class,
			 enum adapter_failure failure, uint64_t retry_after_ms, const char *why);
/* It answered a request, or (probe) told that it is of the chain. */
void rpc_endpoint_answered(struct rpc_endpoint *endpoint, bool probe);
void rpc_endpoint_took(struct rpc_endpoint *endpoint, uint64_t took_ms);

struct rpc_want {
	unsigned tried; /* a bit for each that is not asked */
	uint64_t height_min;
	bool read;
};
/*~ Which endpoint is asked. Left out while another one is fit: those whose breaker is open (half
 * open: all but one read) and those that said when to come again. When none is fit, a breaker is no
 * reason not to ask (as Envoy's panic threshold): the last endpoint is never left out, but a read
 * still keeps its Retry-After. NULL: nobody. */
struct rpc_endpoint *rpc_pick(struct adapter_rpc *rpc, const struct rpc_want *want);
/* One that may be asked beside `tried`: nothing at all speaks against it. NULL: none. */
struct rpc_endpoint *rpc_pick_hedge(struct adapter_rpc *rpc, const struct rpc_want *want);
/* Its breaker is closed, or half open without a trial, and it wants to be asked. */
bool rpc_endpoint_is_fit(const struct rpc_endpoint *endpoint, bool read);
/* Probes those whose time has come. */
void rpc_probe_all(void *context);

/* ---- rpc.c ---- */
/* One request to this endpoint alone. */
enum cs_err rpc_ask_one(struct rpc_endpoint *endpoint, const struct adapter_rpc_call *calls,
			size_t count, adapter_rpc_done *done, void *ctx);

#endif
