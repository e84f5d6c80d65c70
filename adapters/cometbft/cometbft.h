/* The untrusted half of a Caisson ledger behind adapters/adapter.h, on our engine or on CometBFT:
 * JSON-RPC over several HTTP endpoints, a websocket as a hint, proofs of the ledger's state, one writer
 * per account. A block is reported only when more than 2/3 of the validators that the block before it
 * named signed it, and its transactions are those under its data hash; which events they emitted is
 * the node's word. That a block is final the enclave says. */
#ifndef ADAPTERS_COMETBFT_COMETBFT_H
#define ADAPTERS_COMETBFT_COMETBFT_H

#include "adapters/adapter.h"
#include "adapters/hedge.h"

#include <jansson.h>

struct host_loop;

#define ADAPTER_COMETBFT_ENDPOINTS_MAX 8

/* Texts are copied by adapter_cometbft_new. Zeros mean the default in brackets; no
 * hedge: none are sent. */
struct adapter_cometbft_config {
	const char *http[ADAPTER_COMETBFT_ENDPOINTS_MAX]; /* in order of preference */
	size_t http_count;
	const char
		*ws[ADAPTER_COMETBFT_ENDPOINTS_MAX]; /* with the path /websocket; none: polling */
	size_t ws_count;
	const char *caip2;        /* "cosmos:<chain id>" */
	struct cs_hash chain_tag; /* relay_state/ledger/tx.h: what a CAIP-2 id alone does not tell
				     apart */
	struct cs_address gateway;
	/* Where it begins without a cursor; its header must be this one. */
	struct adapter_block_id anchor;
	unsigned block_time_ms; /* [1000] */
	unsigned poll_ms;       /* [block time; a websocket that talks makes it twice that] */
	unsigned stalled_ms;    /* [max(15 s, 10 blocks)] */
	/* It makes blocks for transactions alone: no new block is no stall unless for stalled_ms no
	 * endpoint answers, or a transaction that a node took from here waits. */
	bool blocks_on_demand;
	unsigned request_timeout_ms; /* [10000] */
	struct adapter_hedge_config hedge;
	unsigned reconcile_ms;       /* pause between two rounds of the reconciler [30000] */
	unsigned reconcile_blocks;   /* how far back a round looks [128, at most 256] */
	unsigned settle_blocks;      /* blocks on top of an inclusion until a tx is settled [1] */
	unsigned resend_blocks;      /* blocks without inclusion until a tx is sent again [4] */
	unsigned in_flight_max;      /* transactions of one account in no block [16, at most 64] */
	unsigned gas_margin_percent; /* added to a simulation [20] */
	unsigned valid_s;            /* a transaction expires so long after the newest block [60] */
	uint64_t max_fee_cap_wei;    /* per gas [500e9] */
};

/* Nothing is sent before adapter_start. INVALID (with the field in why) for a config that cannot
 * work. */
CS_NODISCARD enum cs_err adapter_cometbft_new(struct adapter **adapter, struct host_loop *loop,
					      const struct adapter_cometbft_config *config,
					      const struct adapter_listener *listener,
					      struct cs_why *why);

/* For people, of one of the two in an adapter_evidence: {"against": hash of the block, "common_height", "validators": the addresses of the
 * guilty, "evidence": what broadcast_evidence takes}. NULL: it is none. */
json_t *adapter_cometbft_evidence_json(struct cs_bytes bytes);

#endif
