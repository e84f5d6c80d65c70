/* Nodes of one ledger or other CometBFT chain, as whoever asks them by JSON-RPC shares them: which chain
 * they must be of, questions to the application, headers with their commits, validator sets, light
 * blocks, transactions. Watches nothing and believes nothing: parts of an answer fit together, or it is
 * an error; who signed it is the caller's to check. Names of files in this folder that others do not see
 * begin with comet_. */
#ifndef ADAPTERS_COMETBFT_NODES_H
#define ADAPTERS_COMETBFT_NODES_H

#include "adapters/cometbft/json.h"
#include "adapters/rpc.h"
#include "core/sig.h"
#include "relay_state/ledger/tx.h"

/* Validator sets that are remembered by their hash: the present one, and those of a way back. */
#define COMET_SETS_MAX 4
/* Of a page of RPC's validators. */
#define COMET_PAGE_SIZE 100

struct comet_set {
	struct cs_hash hash;
	struct cmt_validator_set set;
	void *memory;
};

struct comet_nodes {
	struct adapter_rpc *rpc;
	struct cmt_chain_id chain_id;
	struct cs_hash chain_tag;
	struct comet_set sets[COMET_SETS_MAX];
	size_t set_next;
};

/* ---- dialect.c ---- */
extern const struct adapter_rpc_dialect comet_dialect; /* context: struct comet_nodes */
/* ---- signed.c: headers with their commits, as a node gives them ---- */
/* Counted; the commit is one for this header, who signed it nobody has checked. */
struct comet_header {
	unsigned refs;
	struct adapter_header public; /* rlp: none */
	struct cmt_header header;
	struct cmt_commit commit;
};
struct comet_header *comet_header_ref(struct comet_header *header);
void comet_header_unref(struct comet_header *header);
bool comet_header_has_txs(const struct comet_header *header);
/* Views for the call; refs are the receiver's to take. Fewer than asked when the chain ends. */
typedef void comet_headers_done(void *ctx, enum cs_err err, const char *why,
				struct comet_header *const *headers, size_t count, size_t endpoint);
/* Consecutive ones from a height on, linked by their hashes; from 0, count 1: the newest. */
CS_NODISCARD enum cs_err comet_headers_fetch(struct comet_nodes *nodes,
					     const struct adapter_rpc_options *options,
					     uint64_t from, size_t count, comet_headers_done *done,
					     void *ctx);

/* ---- sets.c: validator sets ---- */
/* NULL: not at hand. */
const struct cmt_validator_set *comet_set_find(const struct comet_nodes *nodes,
					       const struct cs_hash *hash);
typedef void comet_set_done(void *ctx, enum cs_err err, const char *why);
/* The set of this hash, in force at the height; afterwards comet_set_find has it. */
CS_NODISCARD enum cs_err comet_set_fetch(struct comet_nodes *nodes,
					 const struct adapter_rpc_options *options, uint64_t height,
					 const struct cs_hash *hash, comet_set_done *done,
					 void *ctx);
void comet_sets_free(struct comet_nodes *nodes);

/* ---- query.c: abci_query ---- */
struct comet_answer {
	enum cs_err err;
	const char *why;
	uint64_t height; /* of the state that answered */
	uint32_t code;   /* of the application: relay_state/ledger/codes.def */
	struct cs_bytes value;
	struct cs_bytes proof; /* of the one op "ics23:smt", or none */
	size_t endpoint;
};
/* Views for the call. An answer of the application that says no has err OK and its code. */
typedef void comet_query_done(void *ctx, const struct comet_answer *answers, size_t count);

struct comet_query {
	const char *path;
	struct cs_bytes data;
	uint64_t height; /* 0: the newest */
	bool prove;
};
#define COMET_QUERIES_MAX 256
CS_NODISCARD enum cs_err comet_query(struct comet_nodes *nodes,
				     const struct adapter_rpc_options *options,
				     const struct comet_query *queries, size_t count,
				     comet_query_done *done, void *ctx);
/* What a code of codes.def means to a caller. */
enum cs_err comet_code_err(uint32_t code);
const char *comet_code_sentence(uint32_t code);
/* ---- light_blocks.c ---- */
/* A light block's bytes, malloc'd. The errors of its encoder. */
CS_NODISCARD enum cs_err comet_light_block(struct cs_bytes *bytes,
					   const struct comet_header *header,
					   const struct cmt_validator_set *set);
/* Light blocks in protobuf (adapter_header.rlp) of consecutive heights from `from` on, from 0 and count 1
 * the newest; fewer when the chain ends, or when together they grow beyond what fits a frame of the
 * enclave. count from 1 to ADAPTER_HEADERS_MAX. */
CS_NODISCARD enum cs_err comet_light_blocks(struct comet_nodes *nodes, uint64_t from, size_t count,
					    adapter_headers_fn *done, void *ctx);

/* ---- sign.c ---- */
/* raw is malloc'd; hash: the transaction's. The body of tx is not looked at, but made. */
CS_NODISCARD enum cs_err comet_sign_tx(uint8_t **raw, size_t *raw_size, struct cs_hash *hash,
				       const struct cs_sig *sig, const struct cs_secret *key,
				       const struct ledger_tx *tx);

/* ---- broadcast.c ---- */
/* broadcast_tx_sync: OK when it is in the mempool, or was before. */
CS_NODISCARD enum cs_err comet_broadcast(struct comet_nodes *nodes, struct cs_bytes raw,
					 adapter_done_fn *done, void *ctx);

#endif
