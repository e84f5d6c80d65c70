/* What the parts of the CometBFT adapter share: the adapter itself, and what each part offers to the
 * others. */
#ifndef ADAPTERS_COMETBFT_INNER_H
#define ADAPTERS_COMETBFT_INNER_H

#include "adapters/cometbft/cometbft.h"
#include "adapters/cometbft/json.h"
#include "adapters/evm/contracts.h"
#include "adapters/evm/events.h"
#include "adapters/hint.h"
#include "adapters/later.h"
#include "adapters/rpc.h"

/* Validator sets that are remembered by their hash: the present one, and those of a way back. */
#define COMET_SETS_MAX 4
/* Of a page of RPC's validators. */
#define COMET_PAGE_SIZE 100

struct comet_watch;
struct comet_rescan;
struct comet_submit;

struct comet_set {
	struct cs_hash hash;
	struct cmt_validator_set set;
	void *memory;
};

struct comet {
	struct adapter base;
	struct host_loop *loop;
	struct adapter_cometbft_config config;
	struct cmt_chain_id chain_id;
	struct adapter_listener listener;
	struct evm_contracts contracts;
	struct adapter_rpc *rpc;
	struct adapter_hint *hint;
	struct adapter_later *later;
	struct comet_watch *watch;
	struct comet_rescan *rescan;
	struct comet_submit *submit;
	struct comet_set sets[COMET_SETS_MAX];
	size_t set_next;
	struct adapter_counters counters;
	bool ending;
};

/* ---- dialect.c ---- */
extern const struct adapter_rpc_dialect comet_dialect; /* context: struct comet */
extern const char comet_hint_request[];
enum adapter_hint_says comet_hint_read(struct cs_bytes text);

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
CS_NODISCARD enum cs_err comet_headers_fetch(struct comet *comet,
					     const struct adapter_rpc_options *options,
					     uint64_t from, size_t count, comet_headers_done *done,
					     void *ctx);

/* ---- sets.c: validator sets ---- */
/* NULL: not at hand. */
const struct cmt_validator_set *comet_set_find(const struct comet *comet,
					       const struct cs_hash *hash);
typedef void comet_set_done(void *ctx, enum cs_err err, const char *why);
/* The set of this hash, in force at the height; afterwards comet_set_find has it. */
CS_NODISCARD enum cs_err comet_set_fetch(struct comet *comet, uint64_t height,
					 const struct cs_hash *hash, comet_set_done *done,
					 void *ctx);
void comet_sets_free(struct comet *comet);

/* ---- contents.c: transactions and events of blocks ---- */
/* What is kept of what a transaction reverted with: a custom error with its arguments. */
#define COMET_DATA_KEPT 256u

struct comet_tx {
	struct cs_hash hash;
	uint32_t code;
	uint64_t gas_used;
	uint8_t data[COMET_DATA_KEPT];
	size_t data_size;
};

struct comet_content {
	struct evm_logs logs; /* of the contracts */
	struct comet_tx *txs;
	size_t tx_count;
};
typedef void comet_contents_done(void *ctx, enum cs_err err, const char *why,
				 struct comet_content *contents, size_t endpoint);
/* Of blocks that have transactions, 1 to 64; contents[i] is that of headers[i], views for the call.
 * Their transactions are under the header's data hash. */
CS_NODISCARD enum cs_err comet_contents_fetch(struct comet *comet,
					      const struct adapter_rpc_options *options,
					      struct comet_header *const *headers, size_t count,
					      comet_contents_done *done, void *ctx);

/* ---- watch.c: the chain as it was reported ---- */
#define COMET_WATCH_WINDOW 256
/* Headers in one step of catching up. */
#define COMET_WATCH_CHUNK 64

struct comet_watch *comet_watch_new(struct comet *comet);
void comet_watch_free(struct comet_watch *watch);
CS_NODISCARD enum cs_err comet_watch_load(struct comet_watch *watch,
					  const struct adapter_cursor *cursor);
void comet_watch_start(struct comet_watch *watch);
void comet_watch_kick(struct comet_watch *watch);
/* The newest header that is reported; NULL before the first. */
const struct comet_header *comet_watch_head(const struct comet_watch *watch);
uint64_t comet_watch_low(const struct comet_watch *watch);
uint64_t comet_watch_next(const struct comet_watch *watch);
bool comet_watch_hash(const struct comet_watch *watch, uint64_t height, struct cs_hash *hash);
/* NULL: not within the window, or known by its hash alone. */
struct comet_header *comet_watch_header(const struct comet_watch *watch, uint64_t height);
/* Events of this block that were reported. */
size_t comet_watch_events(const struct comet_watch *watch, uint64_t height);
/* Decodes the logs of one block, tells the listener, counts. Returns how many events. */
size_t comet_report_block(struct comet *comet, const struct comet_header *header,
			  const struct evm_logs *logs, bool late);

/* ---- rescan.c: the reconciler, and rescans that somebody asks for ---- */
struct comet_rescan *comet_rescan_new(struct comet *comet);
void comet_rescan_free(struct comet_rescan *rescan);
void comet_rescan_start(struct comet_rescan *rescan);
enum cs_err comet_rescan_add(struct adapter *adapter, uint64_t from, uint64_t to,
			     adapter_done_fn *done, void *ctx);

/* ---- query.c: abci_query ---- */
struct comet_answer {
	enum cs_err err;
	const char *why;
	uint32_t code; /* of the application: relay_state/ledger/codes.def */
	struct cs_bytes value;
	struct cs_bytes proof; /* of the one op "ics23:smt", or none */
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
CS_NODISCARD enum cs_err comet_query(struct comet *comet, const struct adapter_rpc_options *options,
				     const struct comet_query *queries, size_t count,
				     comet_query_done *done, void *ctx);
/* What a code of codes.def means to a caller. */
enum cs_err comet_code_err(uint32_t code);
const char *comet_code_sentence(uint32_t code);
/* The state's key of a word of the gateway's storage. */
#define COMET_WORD_KEY_SIZE 34u
void comet_word_key(uint8_t key[COMET_WORD_KEY_SIZE], const struct comet *comet,
		    const struct cs_hash *slot);

/* ---- proof.c, requests.c: what the gateway asks ---- */
enum cs_err comet_headers(struct adapter *adapter, uint64_t from, size_t count,
			  adapter_headers_fn *done, void *ctx);
enum cs_err comet_receipt_proof(struct adapter *adapter, const struct adapter_block_id *block,
				uint32_t tx_index, size_t claims_from,
				adapter_receipt_proof_fn *done, void *ctx);
enum cs_err comet_account_proof(struct adapter *adapter, const struct adapter_block_id *block,
				const struct cs_address *address, const struct cs_hash *slots,
				size_t count, adapter_account_proof_fn *done, void *ctx);
enum cs_err comet_call(struct adapter *adapter, const struct cs_address *from,
		       const struct cs_address *to, struct cs_bytes data, adapter_call_fn *done,
		       void *ctx);
enum cs_err comet_rehearse(struct adapter *adapter, const struct cs_address *from,
			   const struct cs_address *to, const struct cs_hash *value,
			   struct cs_bytes data, adapter_call_fn *done, void *ctx);
enum cs_err comet_estimate(struct adapter *adapter, const struct cs_address *from,
			   const struct cs_address *to, struct cs_bytes data, adapter_gas_fn *done,
			   void *ctx);
enum cs_err comet_fees(struct adapter *adapter, adapter_fees_fn *done, void *ctx);
enum cs_err comet_account(struct adapter *adapter, const struct cs_address *address,
			  adapter_account_fn *done, void *ctx);
enum cs_err comet_statuses(struct adapter *adapter, const struct cs_hash *source,
			   const uint64_t *sequences, size_t count, adapter_statuses_fn *done,
			   void *ctx);
enum cs_err comet_send_raw(struct adapter *adapter, struct cs_bytes raw, adapter_done_fn *done,
			   void *ctx);

/* ---- sign.c ---- */
enum cs_err comet_sign(struct adapter *adapter, uint8_t **raw, size_t *raw_size,
		       struct cs_hash *hash, const struct cs_sig *sig, const struct cs_secret *key,
		       const struct adapter_signing *call, const struct adapter_terms *terms);

/* ---- submit.c ---- */
struct comet_submit *comet_submit_new(struct comet *comet);
void comet_submit_free(struct comet_submit *submit);
enum cs_err comet_submit_add(struct adapter *adapter, struct adapter_tx **tx,
			     const struct adapter_submission *submission);
void comet_tx_signed(struct adapter_tx *tx, struct cs_bytes raw, const struct cs_hash *hash);
void comet_tx_refused(struct adapter_tx *tx, enum cs_err err, const char *why);
enum cs_err comet_tx_cancel(struct adapter_tx *tx);

/* ---- track.c ---- */
/* A block was reported, with these transactions; in order. */
void comet_submit_saw_block(struct comet_submit *submit, const struct comet_header *header,
			    const struct comet_content *content);
/* All blocks up to the newest were. */
void comet_submit_saw_head(struct comet_submit *submit);

static inline struct comet *comet_of(struct adapter *adapter)
{
	return (struct comet *)adapter;
}

#endif
