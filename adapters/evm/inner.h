/* What the parts of the EVM adapter share: the adapter itself, and what each part offers to the
 * others. */
#ifndef ADAPTERS_EVM_INNER_H
#define ADAPTERS_EVM_INNER_H

#include "adapters/evm/contracts.h"
#include "adapters/evm/events.h"
#include "adapters/evm/evm.h"
#include "adapters/evm/fetch.h"
#include "adapters/evm/header_cache.h"
#include "adapters/evm/receipts.h"
#include "adapters/hint.h"
#include "adapters/later.h"

struct evm_watch;
struct evm_rescan;
struct evm_submit;
struct evm_header_request;

struct evm {
	struct adapter base;
	struct host_loop *loop;
	struct adapter_evm_config config;
	struct adapter_listener listener;
	struct evm_contracts contracts;
	struct adapter_rpc *rpc;
	struct evm_receipts *receipts;
	struct evm_header_cache *header_cache;
	struct evm_header_request *header_requests; /* headers.c: of the node, under way */
	bool filling; /* headers.c: headers that nobody waits for are under way */
	struct evm_watch *watch;
	struct adapter_hint *hint;
	struct evm_rescan *rescan;
	struct evm_submit *submit;
	struct adapter_later *later; /* answers that need nobody */
	unsigned logs_range;         /* what eth_getLogs takes at the moment */
	struct adapter_counters counters;
	bool ending;
};

/* ---- dialect.c ---- */
extern const struct adapter_rpc_dialect evm_dialect; /* context: struct adapter_evm_config */

/* ---- logs.c: eth_getLogs over any range, in ranges that the node takes ---- */
/* Blocks in which the node says that there are events of the contracts, ascending: where to look. What
 * is in them their receipts tell. TOO_LARGE: it refuses even one block. */
typedef void evm_candidates_done(void *ctx, enum cs_err err, const char *why,
				 const struct adapter_block_id *blocks, size_t count,
				 size_t endpoint);
CS_NODISCARD enum cs_err evm_candidates_fetch(struct evm *evm,
					      const struct adapter_rpc_options *options,
					      uint64_t from, uint64_t to, evm_candidates_done *done,
					      void *ctx);

/* ---- proven.c: the contracts' logs in a block, out of its receipts ---- */
/* All of them, in order; the receiver may take the list's contents away by clearing the struct.
 * Errors: those of evm_receipts_get, and of a receipt that cannot be read. */
typedef void evm_logs_done(void *ctx, enum cs_err err, const char *why, struct evm_logs *logs);
CS_NODISCARD enum cs_err evm_logs_of(struct evm *evm, struct evm_header *header,
				     evm_logs_done *done, void *ctx);

/* ---- confirm.c: what the other endpoints have at a height ---- */
struct evm_votes {
	size_t agree;
	size_t dissent; /* has another block there */
};
typedef void evm_votes_done(void *ctx, const struct evm_votes *votes);
/* id.hash zero: that there is no block at this height. False: there is nobody to ask, and done is
 * not called. */
bool evm_ask_others(struct evm *evm, size_t except, const struct adapter_block_id *id,
		    evm_votes_done *done, void *ctx);

/* ---- watch.c, fork.c: the chain as it was reported ---- */
/* Blocks that are remembered: reorganisations are found to their fork within it. */
#define EVM_WATCH_WINDOW 256
/* Headers in one step of catching up. */
#define EVM_WATCH_CHUNK 64

struct evm_watch *evm_watch_new(struct evm *evm);
void evm_watch_free(struct evm_watch *watch);
CS_NODISCARD enum cs_err evm_watch_load(struct evm_watch *watch,
					const struct adapter_cursor *cursor);
/* Forks that take this block away need more than one endpoint. */
void evm_watch_final(struct evm_watch *watch, const struct adapter_block_id *block);
/* The fork that waits is followed. NOT_FOUND: none does; CONFLICT: another one. */
CS_NODISCARD enum cs_err evm_watch_accept(struct evm_watch *watch, const struct cs_hash *new_hash);
/* Begins to poll. */
void evm_watch_start(struct evm_watch *watch);
/* Look now. */
void evm_watch_kick(struct evm_watch *watch);
/* The newest header seen, NULL before the first. */
const struct evm_header *evm_watch_head(const struct evm_watch *watch);
/* Reported are the heights from low up to before next. */
uint64_t evm_watch_low(const struct evm_watch *watch);
uint64_t evm_watch_next(const struct evm_watch *watch);
/* False: not within the window. */
bool evm_watch_hash(const struct evm_watch *watch, uint64_t height, struct cs_hash *hash);
/* NULL: not within the window, or known by its hash alone. */
struct evm_header *evm_watch_header(const struct evm_watch *watch, uint64_t height);
/* A reported block whose events are not known from its receipts: one that the cursor names, or one
 * of a long way back whose bloom is too full to tell anything and that eth_getLogs did not name. The
 * reconciler looks at it in the next round, then after 1, 2, 4, … rounds. */
bool evm_watch_wants_look(const struct evm_watch *watch, uint64_t height, uint64_t round);
void evm_watch_looked(struct evm_watch *watch, uint64_t height, uint64_t round);
/* Its receipts were read after all. */
void evm_watch_settle(struct evm_watch *watch, const struct adapter_block_id *id);
/* Decodes the logs of one block, tells the listener, counts. Logs all have header's hash. Returns
 * how many events. */
size_t evm_report_block(struct evm *evm, const struct evm_header *header,
			const struct evm_logs *logs, bool late);

/* ---- hint.c: the subscription ---- */
extern const char evm_hint_request[];
enum adapter_hint_says evm_hint_read(struct cs_bytes text);

/* ---- rescan.c: the reconciler, and rescans that somebody asks for ---- */
struct evm_rescan *evm_rescan_new(struct evm *evm);
void evm_rescan_free(struct evm_rescan *rescan);
void evm_rescan_start(struct evm_rescan *rescan);
enum cs_err evm_rescan_add(struct evm_rescan *rescan, uint64_t from, uint64_t to,
			   adapter_done_fn *done, void *ctx);

/* ---- submit.c ---- */
struct evm_submit *evm_submit_new(struct evm *evm);
void evm_submit_free(struct evm_submit *submit);
/* For how long the oldest that a node took has waited for its block; 0: none does. */
uint64_t evm_submit_waits_ms(const struct evm_submit *submit);
/* A new head: receipts are looked for. */
void evm_submit_saw_head(struct evm_submit *submit);
/* Nonces that were used may be free again. */
void evm_submit_saw_reorg(struct evm_submit *submit);
enum cs_err evm_submit_add(struct adapter *adapter, struct adapter_tx **tx,
			   const struct adapter_submission *submission);
void evm_tx_signed(struct adapter_tx *tx, struct cs_bytes raw, const struct cs_hash *hash);
void evm_tx_refused(struct adapter_tx *tx, enum cs_err err, const char *why);
enum cs_err evm_tx_cancel(struct adapter_tx *tx);
enum cs_err evm_tx_raise(struct adapter_tx *tx);

/* ---- requests.c, proof.c: what the gateway asks ---- */
enum cs_err evm_receipt_proof(struct adapter *adapter, const struct adapter_block_id *block,
			      uint32_t tx_index, size_t claims_from, adapter_receipt_proof_fn *done,
			      void *ctx);
enum cs_err evm_account_proof(struct adapter *adapter, const struct adapter_block_id *block,
			      const struct cs_address *address, const struct cs_hash *slots,
			      size_t count, adapter_account_proof_fn *done, void *ctx);
enum cs_err evm_call(struct adapter *adapter, const struct cs_address *from,
		     const struct cs_address *to, struct cs_bytes data, adapter_call_fn *done,
		     void *ctx);
enum cs_err evm_rehearse(struct adapter *adapter, const struct cs_address *from,
			 const struct cs_address *to, const struct cs_hash *value,
			 struct cs_bytes data, adapter_call_fn *done, void *ctx);
enum cs_err evm_estimate(struct adapter *adapter, const struct cs_address *from,
			 const struct cs_address *to, struct cs_bytes data, adapter_gas_fn *done,
			 void *ctx);
enum cs_err evm_fees(struct adapter *adapter, adapter_fees_fn *done, void *ctx);
enum cs_err evm_account(struct adapter *adapter, const struct cs_address *address,
			adapter_account_fn *done, void *ctx);
enum cs_err evm_statuses(struct adapter *adapter, const struct cs_hash *source,
			 const uint64_t *sequences, size_t count, adapter_statuses_fn *done,
			 void *ctx);
enum cs_err evm_send_raw(struct adapter *adapter, struct cs_bytes raw, adapter_done_fn *done,
			 void *ctx);
enum cs_err evm_receipt(struct adapter *adapter, const struct cs_hash *hash,
			adapter_receipt_fn *done, void *ctx);

/* ---- headers.c: headers that somebody asks for ---- */
enum cs_err evm_headers(struct adapter *adapter, uint64_t from, size_t count,
			adapter_headers_fn *done, void *ctx);
/* The header of a block: from the window, from what is kept, or from the node. REORGED when another one is
 * there; what is kept of a block that left the window is told even then. with_transactions: with
 * their hashes, which what is kept does not have. */
typedef void evm_header_done(void *ctx, enum cs_err err, const char *why,
			     struct evm_header *header);
CS_NODISCARD enum cs_err evm_header_of(struct evm *evm, const struct adapter_block_id *block,
				       bool with_transactions, evm_header_done *done, void *ctx);

static inline struct evm *evm_of(struct adapter *adapter)
{
	return (struct evm *)adapter;
}

#endif
