/* One oracle process: its enclave with the egress proxy, its chains with the contracts that take
 * answers, its journal, its REST, and the pump that looks for work in the journal after every
 * commit. Private to oracle/: the parts below know each other through this header; nobody outside
 * includes it.
 *
 * How it drives requests: every callback (a block, a reply of the enclave, a call of an app) only
 * writes the journal. After the commit the pump reads the journal and starts what is due. A crash
 * at any point loses nothing but flights: what is open and inside its deadline is asked again. */
#ifndef ORACLE_ORACLE_H
#define ORACLE_ORACLE_H

#include "adapters/adapter.h"
#include "adapters/evm/evm.h"
#include "adapters/listen.h"
#include "adapters/providers.h"
#include "adapters/sender.h"
#include "host/api_key.h"
#include "host/child.h"
#include "host/egress.h"
#include "host/evidence.h"
#include "host/http_server.h"
#include "host/metrics.h"
#include "oracle/config.h"
#include "oracle/journal_feeds.h"
#include "oracle/journal_submit.h"
#include "wire/convert.h"

/* A request with a full batch of claims and their headers, decoded or encoded: twice the frame's
 * bound and the pointers. */
#define ORACLE_ARENA_SIZE (6u * 1024 * 1024)
/* What it answers at once. */
#define ORACLE_ENCLAVE_TIMEOUT_MS 20000u
/* Longer than a job of the enclave takes (LOOKUP_MS_MAX of enclave/oracle/lookup.h: 30 s), so that
 * nothing is asked a second time while it is worked on, and nothing is worked on that nobody waits
 * for. */
#define ORACLE_ANSWER_TIMEOUT_MS 45000u
/* A source that fails is asked so often in all while there is time for it. */
#define ORACLE_SOURCE_TRIES 3u
/* Gas for calls that bring no fee is counted over so long: an hour. */
#define ORACLE_UNPAID_MS 3600000u
/* What one more try may take: 10 s of a source, and its way. */
#define ORACLE_SOURCE_MS 12000u
#define ORACLE_SEALED_NAME "sealed" /* of the enclave's state in the journal */

struct oracle;
struct oracle_chain;
struct oracle_enclave;
struct oracle_apps;
struct oracle_feeds;
struct oracle_ledger;
struct oracle_listening;

/* New requests of one API key in this second. */
struct oracle_rate {
	char key_name[HOST_API_KEY_NAME_MAX + 1];
	uint64_t second;
	uint32_t count;
};

/* Of our key at one contract: rotation.c's. */
struct oracle_rotation {
	uint64_t epoch; /* to sign with for this contract; 0: the enclave's newest in use */
	uint64_t next_epoch;
	struct cs_hash next_key;
	uint64_t statement;  /* row: announces it; 0: none */
	uint64_t submission; /* row, 0: none */
	bool looking;
	uint64_t after_ms;
};

/* A contract of the manifest on one of our chains. */
struct oracle_contract {
	struct oracle_chain *chain;
	const struct oracle_manifest_contract *manifest;
	struct cs_hash identity; /* the receiver of its answers */
	struct cs_address address;
	bool feeds; /* takes rounds; else it takes requests */
	struct oracle_rotation rotation;
};

struct oracle_chain {
	struct oracle *oracle;
	const struct host_chain_config *config;
	const struct oracle_chain_config *own; /* beside it, what oracles alone know */
	const struct host_manifest_chain *manifest;
	struct cs_hash identity; /* as the manifest and the enclave call the chain */
	char identity_hex[65];
	struct adapter *adapter; /* made by oracle_chain_start; NULL: the chain is not watched */
	struct adapter_follow follow;
	struct adapter_listen listen;
	struct adapter_providers providers;
	/* the account that pays for calls */
	bool has_operator;
	struct cs_address operator;
	struct cs_secret *operator_key;
	struct adapter_sender sender; /* of its calls */
	unsigned open_txs;            /* that no block has */
	/* chain_requests.c's and contracts.c's own; NULL before they start */
	struct oracle_listening *listening;
	struct oracle_contract contracts[ORACLE_CONTRACTS_MAX];
	size_t contract_count;
};

struct oracle {
	struct host_loop *loop;
	struct oracle_config config;
	struct oracle_journal *journal;
	struct host_metrics *metrics;
	struct host_http_server *server;
	struct host_api_keys keys;
	struct cs_sig *sig;
	struct host_timer *timer; /* due times, keys file, housekeeping */
	struct oracle_chain chains[ORACLE_CHAINS_MAX];
	size_t chain_count;
	struct cs_arena scratch; /* for what ends before the function returns */
	bool awake;              /* a pump is posted */
	bool stopping;
	bool failed; /* the journal cannot be written: the process ends with an error */
	struct oracle_enclave *enclave; /* enclave_link.c's own */
	struct ledger_clock *clock;     /* NULL: the enclave's time is ours */
	struct host_evidence evidence;
	bool enclave_ready;      /* keys are there and stored */
	uint64_t insecure_flags; /* of the enclave, as hello says; 0 too before it */
	char enclave_why[ORACLE_WHY_MAX + 1];
	/* the parts' own */
	struct oracle_apps *apps; /* app_requests.c */
	struct oracle_rate rates[HOST_API_KEYS_MAX];
	struct oracle_feeds *feeds;   /* feeds.c */
	struct oracle_ledger *ledger; /* ledger.c; NULL: it writes to none */
	uint64_t app_epoch;    /* to sign with for apps; 0: the newest of the enclave in use */
	unsigned dry_runs;     /* under way */
	uint64_t refused_rate; /* above what their key may make or have open */
	uint64_t started_ms;
	uint64_t keys_checked_ms;
	int64_t keys_mtime_ns;
	uint64_t tidied_ms;
	size_t tidy_step; /* of the housekeeping: chains, then enum oracle_prune */
};

/* ---- oracle.c ---- */
/* Everything but the loop's run: errors are logged. */
CS_NODISCARD enum cs_err oracle_start(struct oracle *oracle, struct host_loop *loop,
				      const char *config_path);
void oracle_stop(struct oracle *oracle);
/* Asks for a turn of the pump; many asks make one. */
void oracle_wake(struct oracle *oracle);

/* ---- base.c ---- */
/* One writer; the pump runs after its commit. A failure that is no answer (disk full, I/O) ends the
 * process. */
CS_NODISCARD enum cs_err oracle_write(struct oracle *oracle, host_store_writer *write,
				      void *context);
/* The same, with its own call after the commit; not called on failure. */
CS_NODISCARD enum cs_err oracle_write_then(struct oracle *oracle, host_store_writer *write,
					   void *context, host_store_committed *committed,
					   void *committed_context);
void oracle_fail(struct oracle *oracle, enum cs_err err, const char *what);
/* The same for what follows a chain; context: struct oracle_chain. */
extern const struct adapter_owner oracle_owner;
/* NULL when there is none. */
struct oracle_chain *oracle_chain_of(struct oracle *oracle, const struct cs_hash *identity);
struct oracle_chain *oracle_chain_named(struct oracle *oracle, const char *caip2);
struct oracle_contract *oracle_contract_of(struct oracle *oracle, const struct cs_hash *identity);
/* feeds: of which kind. NULL when there is none. */
struct oracle_contract *oracle_contract_at(struct oracle_chain *chain,
					   const struct cs_address *address);
/* Wall clock of the next try after this many failures. */
uint64_t oracle_backoff(const struct oracle *oracle, uint32_t tries);
/* An answer of this code, got after so many tries that failed, is better asked for once more: the
 * code is a source's failure, and before until_ms (wall clock) there is time. */
bool oracle_asks_again(const struct oracle *oracle, uint32_t code, uint32_t tries,
		       uint64_t until_ms);
/* Fresh arena with malloc'd block; oracle_arena_free. */
struct cs_arena *oracle_arena_new(void);
void oracle_arena_free(struct cs_arena *arena);
/* A refusal as the journal keeps it: name of the error and sentence, one line of plain text. */
void oracle_why(char why[ORACLE_WHY_MAX + 1], enum cs_err err, const char *text);
/* The row of a statement of the enclave over these leaves, 1 to ORACLE_BATCH_MAX: INVALID unless
 * they make its root. */
CS_NODISCARD enum cs_err oracle_statement_take(struct oracle_statement *out,
					       const Caisson__Wire__Statement *pb,
					       const struct cs_hash *leaves, size_t count);

/* ---- clock.c ---- */
/* After oracle_ledger_start. The errors of ledger_clock_new. */
CS_NODISCARD enum cs_err oracle_clock_start(struct oracle *oracle, struct cs_why *why);
/* After the ledger's client and the enclave's session have ended. */
void oracle_clock_stop(struct oracle *oracle);

/* ---- enclave_link.c ---- */
CS_NODISCARD enum cs_err oracle_enclave_start(struct oracle *oracle, struct cs_why *why);
void oracle_enclave_stop(struct oracle *oracle);
/* Encodes and sends; on failure done is not called. UNAVAILABLE before it is ready. When the
 * enclave or the connection ends, what is open is done with CLOSED: it is asked again. */
CS_NODISCARD enum cs_err oracle_enclave_call(struct oracle *oracle, enum wire_type type,
					     const ProtobufCMessage *message, uint64_t timeout_ms,
					     host_enclave_done *done, void *context);
/* Decodes a reply into the arena; what cannot be decoded is logged. */
CS_NODISCARD enum cs_err oracle_enclave_reply(struct cs_arena *arena, struct cs_bytes body,
					      const ProtobufCMessageDescriptor *type,
					      ProtobufCMessage **message);
/* Protobuf of the last HelloReply; none before the first. */
/* Of a body that is encoded, to an enclave that is ready. */
CS_NODISCARD enum cs_err oracle_enclave_send(const struct oracle *oracle, enum wire_type type,
					     struct cs_bytes body, host_enclave_done *done,
					     void *context);
/* The sealed state that is in the journal is on disk. */
void oracle_enclave_stored(struct oracle *oracle);
/* Keys that are missing are made, once the enclave may. */
void oracle_enclave_init(const struct oracle *oracle);
struct host_enclave_session *oracle_enclave_session(const struct oracle *oracle);
struct cs_bytes oracle_enclave_hello(const struct oracle *oracle);
void oracle_enclave_ask_hello(struct oracle *oracle);
/* Since the start. running: the enclave's process. */
void oracle_enclave_figures(const struct oracle *oracle, struct host_egress_counters *counters,
			    uint64_t *restarts, bool *running);
/* The light clients moved: the sealed state is stored soon. */
void oracle_enclave_changed(struct oracle *oracle);
/* Stores the sealed state when something changed. then may be NULL; is called once, at the latest
 * on failure. */
void oracle_enclave_export(struct oracle *oracle, host_call *then, void *context);

/* ---- light_client.c ---- */
/* What following the chain asks of an oracle's host; the rest of chain is filled in already. */
void oracle_follow_init(struct oracle_chain *chain);

/* ---- app_requests.c: requests of apps ---- */
CS_NODISCARD enum cs_err oracle_apps_start(struct oracle *oracle);
void oracle_apps_stop(struct oracle *oracle);
void oracle_apps_pump(struct oracle *oracle);

/* ---- contracts.c: what the chains tell, into the journal ---- */
/* Makes and starts the chain's adapter (nothing where the chain has no contract). */
CS_NODISCARD enum cs_err oracle_chain_start(struct oracle_chain *chain, struct cs_why *why);
/* Ends the adapter and what hangs on it. */
void oracle_chain_stop(struct oracle_chain *chain);

/* ---- chain_requests.c: requests of contracts ---- */
/* Final → proof → AnswerChain → submission. Called with the enclave ready and the client created
 * and neither frozen nor diverged; agrees: adapter_follow_agrees. */
void oracle_requests_pump(struct oracle_chain *chain, bool agrees);
/* Calls that no block takes in time any more do not stay to revert. */
void oracle_requests_cancel_late(struct oracle_chain *chain);
/* Inside the writer that stores a report: the state of a fulfil changed. cancelled: what was included
 * is its cancellation. */
CS_NODISCARD enum cs_err oracle_requests_reported(struct oracle_chain *chain,
						  const struct oracle_submission *submission,
						  bool cancelled);

/* ---- chain_refund.c ---- */
/* The same of a refund. */
CS_NODISCARD enum cs_err oracle_refund_reported(struct oracle_chain *chain,
						const struct oracle_submission *submission);

/* ---- submit.c: calls of the operator's account ---- */
struct oracle_call_wish {
	struct oracle_contract *contract; /* to whom */
	enum oracle_call call;
	uint64_t statement; /* row */
	uint64_t gas_limit; /* 0: estimated */
	struct cs_bytes data;
};
/* With the chain's adapter made. */
void oracle_submit_start(struct oracle_chain *chain);
/* How many further calls may be begun: none without an operator's account. What was written and is not
 * taken up yet counts. */
unsigned oracle_submit_room(const struct oracle_chain *chain);
bool oracle_may_submit(const struct oracle_chain *chain);
/* Inside a writer: the submission is written and taken up by the pump after the commit. */
CS_NODISCARD enum cs_err oracle_submit(struct oracle *oracle, const struct oracle_call_wish *wish,
				       uint64_t *submission);
/* Takes up what the journal has open: after a start all of it, later what was written since. */
void oracle_submit_resume(struct oracle_chain *chain);
/* Cancels, once, what is not in a block and brings nothing that a block of this time takes. */
void oracle_submit_cancel_late(struct oracle_chain *chain, uint64_t next_block_s);

/* ---- feeds.c ---- */
CS_NODISCARD enum cs_err oracle_feeds_start(struct oracle *oracle, struct cs_why *why);
void oracle_feeds_stop(struct oracle *oracle);
/* With the enclave ready. */
void oracle_feeds_pump(struct oracle *oracle);
/* Inside the writer that stores a report: the state of a submit changed. */
CS_NODISCARD enum cs_err oracle_feeds_reported(struct oracle_chain *chain,
					       const struct oracle_submission *submission);
/* Inside the writer of a block: FeedUpdated of a contract of ours. */
CS_NODISCARD enum cs_err oracle_feeds_updated(struct oracle_contract *contract, uint64_t index,
					      const struct cs_hash *value, uint64_t observed_at,
					      uint64_t height);

/* Inside the writer of a block: FeedPaused. late: of a block that was passed long ago. */
CS_NODISCARD enum cs_err oracle_feeds_paused(struct oracle_contract *contract, uint64_t index,
					     bool paused, bool late);
/* FeedAdded: for the log. Which feeds are served is the operator's to say. */
void oracle_feeds_announced(const struct oracle_contract *contract,
			    const struct adapter_feed_addition *feed, bool late);

/* ---- the surface ---- */
void oracle_api_routes(struct oracle *oracle);
void oracle_api_request_routes(struct oracle *oracle);
void oracle_api_feeds_routes(struct oracle *oracle);
void oracle_metrics_start(struct oracle *oracle);
/* Answers with the problem. */
void oracle_problem(struct host_http_exchange *exchange, enum cs_err err, const struct cs_why *why);
/* Counts one request of the caller's key; false: it was answered with 429. */
bool oracle_rate_takes(struct oracle *oracle, struct host_http_exchange *exchange);

#endif
