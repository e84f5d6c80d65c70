/* The untrusted half of an EVM chain behind adapters/adapter.h: JSON-RPC over several HTTP
 * endpoints, a websocket as a hint, proofs from what the node has, one writer per gas account. It
 * trusts no answer that it can check and marks the endpoint whose answer cannot be; what it cannot
 * check (that a block is final) the enclave does. */
#ifndef ADAPTERS_EVM_EVM_H
#define ADAPTERS_EVM_EVM_H

#include "adapters/adapter.h"
#include "adapters/hedge.h"

struct host_loop;

#define ADAPTER_EVM_ENDPOINTS_MAX 8
/* Of one kind: what a manifest may name. */
#define ADAPTER_EVM_ORACLES_MAX 16

/* Texts are copied by adapter_evm_new. Zeros mean the default in brackets; no
 * hedge: none are sent. */
struct adapter_evm_config {
	const char
		*http[ADAPTER_EVM_ENDPOINTS_MAX]; /* http:// or https://, in order of preference */
	size_t http_count;
	const char *ws[ADAPTER_EVM_ENDPOINTS_MAX]; /* ws:// or wss://; none: polling alone */
	size_t ws_count;
	uint64_t chain_id;
	struct cs_hash genesis_hash;
	struct cs_address gateway;                          /* zero: none */
	struct cs_address oracles[ADAPTER_EVM_ORACLES_MAX]; /* contracts that take requests */
	size_t oracle_count;
	struct cs_address feeds[ADAPTER_EVM_ORACLES_MAX]; /* contracts that take feeds */
	size_t feed_count;
	uint64_t start_height;  /* of the first block that can hold an event: the contract's */
	unsigned block_time_ms; /* [1000] */
	unsigned poll_ms;       /* [block time; a websocket that talks makes it twice that] */
	unsigned stalled_ms;    /* [max(15 s, 10 blocks)] */
	/* It makes blocks for transactions alone: no new block is no stall unless for stalled_ms no
	 * endpoint answers, or a transaction that a node took from here waits. */
	bool blocks_on_demand;
	unsigned request_timeout_ms; /* [10000] */
	struct adapter_hedge_config hedge;
	unsigned reconcile_ms;     /* pause between two rounds of the reconciler [30000] */
	unsigned reconcile_blocks; /* how far back a round looks [128, at most 256] */
	unsigned logs_range; /* heights in one eth_getLogs, at most [2000]; found by halving below
				that */
	unsigned settle_blocks;      /* blocks on top of an inclusion until a tx is settled [2] */
	/* A fork above the final block that is deeper, or below everything that is remembered, waits for
	 * adapter_accept_reorg; 0: none does. At most 256, which are
	 * remembered. */
	unsigned reorg_blocks_max;
	unsigned replace_blocks;     /* blocks without inclusion until a tx is replaced [4] */
	unsigned in_flight_max;      /* unconfirmed transactions of one account [16, at most 64] */
	unsigned gas_margin_percent; /* added to an estimate [20] */
	uint64_t max_fee_cap_wei;    /* per gas [500 gwei] */
	uint64_t min_priority_fee_wei; /* [1 gwei; 0 on chains without base fee] */
	bool force_legacy;
};

/* Nothing is sent before adapter_start. INVALID (with the field in why) for a config that cannot
 * work. */
CS_NODISCARD enum cs_err adapter_evm_new(struct adapter **adapter, struct host_loop *loop,
					 const struct adapter_evm_config *config,
					 const struct adapter_listener *listener,
					 struct cs_why *why);

#endif
