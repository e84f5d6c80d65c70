/* What the parts of the CometBFT adapter share: the adapter itself, and what each part offers to the
 * others. */
#ifndef ADAPTERS_COMETBFT_INNER_H
#define ADAPTERS_COMETBFT_INNER_H

#include "adapters/cometbft/cometbft.h"
#include "adapters/cometbft/nodes.h"
#include "adapters/evm/contracts.h"
#include "adapters/evm/events.h"
#include "adapters/hint.h"
#include "adapters/later.h"

struct comet_watch;
struct comet_rescan;
struct comet_submit;
struct comet_witness;
struct comet_evidence;

struct comet {
	struct adapter base;
	struct host_loop *loop;
	struct adapter_cometbft_config config;
	struct adapter_listener listener;
	struct evm_contracts contracts;
	struct comet_nodes nodes;
	struct adapter_hint *hint;
	struct adapter_later *later;
	struct comet_watch *watch;
	struct comet_rescan *rescan;
	struct comet_submit *submit;
	struct comet_witness *witness;
	struct comet_evidence *evidence;
	struct adapter_counters counters;
	bool ending;
};

/* ---- dialect.c: the subscription ---- */
extern const char comet_hint_request[];
enum adapter_hint_says comet_hint_read(struct cs_bytes text);

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
	struct evm_logs logs;         /* of the contracts, as the node says */
	struct adapter_event *events; /* in them; views */
	size_t event_count;
	struct evm_left_out left_out;
	struct comet_tx *txs;
	size_t tx_count;
	size_t endpoint;
};
/* The answers to `block` and `block_results`, into a content that is all zeros; above: the header of the
 * next height. MALFORMED, WRONG_BLOCK and the errors of json.h; it is cleared in any case. */
CS_NODISCARD enum cs_err comet_content_read(struct comet_content *content,
					    const struct comet *comet,
					    const struct comet_header *header,
					    const struct comet_header *above, const json_t *block,
					    const json_t *results);
void comet_content_clear(struct comet_content *content);
typedef void comet_contents_done(void *ctx, enum cs_err err, const char *why,
				 struct comet_content *contents, size_t endpoint);
/* Of blocks that have transactions, 1 to 64; contents[i] is that of headers[i], views for the call;
 * above[i] is the header of the next height. Transactions are under the header's data hash, results
 * under the last results hash of the one above it, events are proven. */
CS_NODISCARD enum cs_err comet_contents_fetch(struct comet *comet,
					      const struct adapter_rpc_options *options,
					      struct comet_header *const *headers,
					      struct comet_header *const *above, size_t count,
					      comet_contents_done *done, void *ctx);

/* ---- proven.c: what shows that events happened ---- */
typedef void comet_proven_done(void *ctx, enum cs_err err, const char *why);
/* Every event of the contents, by words of the gateway in the state that this header commits to, which
 * is one above all of them. May be done inside the call. */
void comet_prove(struct comet *comet, struct comet_header *under, struct comet_content *contents,
		 size_t count, comet_proven_done *done, void *ctx);

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
/* The newest header that is known to be signed; NULL before the first. */
struct comet_header *comet_watch_head(const struct comet_watch *watch);
/* The newest one that proofs can be made under: the head, or while a way of many blocks is walked what
 * more than 2/3 of the head's validators signed, because nodes keep the state of the last blocks alone. */
struct comet_header *comet_watch_newest(const struct comet_watch *watch);
/* The newest one of which, and of all before it, everything was reported; NULL before the first. What
 * transactions did the header above theirs shows: it is one below the head when that one has some. */
const struct comet_header *comet_watch_done(const struct comet_watch *watch);
uint64_t comet_watch_low(const struct comet_watch *watch);
/* Above the newest one that was reported. */
uint64_t comet_watch_next(const struct comet_watch *watch);
bool comet_watch_hash(const struct comet_watch *watch, uint64_t height, struct cs_hash *hash);
/* NULL: not within the window, or known by its hash alone. */
struct comet_header *comet_watch_header(const struct comet_watch *watch, uint64_t height);
/* Events of this block that were reported. */
size_t comet_watch_events(const struct comet_watch *watch, uint64_t height);
/* Tells the listener, counts. Returns how many events. */
size_t comet_report_block(struct comet *comet, const struct comet_header *header,
			  const struct comet_content *content, bool late);

/* Who showed the newest header. */
size_t comet_watch_endpoint(const struct comet_watch *watch);

/* ---- witness.c: what the other nodes say of the heights that were reported ---- */
struct comet_witness *comet_witness_new(struct comet *comet);
void comet_witness_free(struct comet_witness *witness);
/* A head was reported. */
void comet_witness_look(struct comet_witness *witness);
/* An endpoint shows another header of a height that was reported. */
void comet_witness_examine(struct comet_witness *witness, size_t endpoint,
			   struct comet_header *other);
size_t comet_others(struct adapter *adapter, struct adapter_header others[ADAPTER_OTHERS_MAX]);

/* ---- evidence.c: what shows the chain's nodes that two branches were signed ---- */
struct comet_evidence *comet_evidence_new(struct comet *comet);
void comet_evidence_free(struct comet_evidence *evidence);
/* An endpoint shows another branch, this is its lowest block: the listener gets evidence as soon as what it takes is there,
 * once for each such block. One branch at a time: another one is told again. */
void comet_evidence_want(struct comet_evidence *evidence, size_t endpoint,
			 struct comet_header *other);
/* A head was reported. */
void comet_evidence_look(struct comet_evidence *evidence);
enum cs_err comet_hand_evidence(struct adapter *adapter, size_t endpoint, struct cs_bytes bytes,
				adapter_done_fn *done, void *ctx);

/* ---- rescan.c: the reconciler, and rescans that somebody asks for ---- */
struct comet_rescan *comet_rescan_new(struct comet *comet);
void comet_rescan_free(struct comet_rescan *rescan);
void comet_rescan_start(struct comet_rescan *rescan);
enum cs_err comet_rescan_add(struct adapter *adapter, uint64_t from, uint64_t to,
			     adapter_done_fn *done, void *ctx);

/* ---- proof.c, requests.c: what the gateway asks ---- */
/* The state's key of a word of the gateway's storage. */
#define COMET_WORD_KEY_SIZE 34u
void comet_word_key(uint8_t key[COMET_WORD_KEY_SIZE], const struct comet *comet,
		    const struct cs_hash *slot);

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
/* By a node's index of transactions (`tx`). */
enum cs_err comet_receipt(struct adapter *adapter, const struct cs_hash *hash,
			  adapter_receipt_fn *done, void *ctx);

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
/* For how long the oldest that a node took has waited for its block; 0: none does. */
uint64_t comet_submit_waits_ms(const struct comet_submit *submit);
void comet_submit_saw_head(struct comet_submit *submit);

static inline struct comet *comet_of(struct adapter *adapter)
{
	return (struct comet *)adapter;
}

#endif
