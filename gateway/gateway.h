/* One gateway process: its chains, its enclave, its peers, its journal, and the pump that looks for
 * work in the journal after every commit. Private to gateway/: the parts below know each other
 * through this header; nobody outside includes it.
 *
 * How it drives messages: every callback (a block, a reply of the enclave, an envelope of a peer)
 * only writes the journal. After the commit the pump reads the journal and starts what is due, at
 * most one flight per lane of a stage (lanes.h) and route; batches form because everything that
 * arrives during a flight is taken by the next. A crash at any point loses nothing but flights. */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include "adapters/adapter.h"
#include "adapters/claims.h"
#include "adapters/listen.h"
#include "adapters/parts.h"
#include "adapters/providers.h"
#include "adapters/sender.h"
#include "gateway/attested_check.h"
#include "gateway/config.h"
#include "gateway/envelope_json.h"
#include "gateway/journal_feed.h"
#include "gateway/journal_operator.h"
#include "gateway/journal_proofs.h"
#include "gateway/lanes.h"
#include "host/api_key.h"
#include "host/enclave_session.h"
#include "host/evidence.h"
#include "host/http_client.h"
#include "host/http_server.h"
#include "host/json_values.h"
#include "host/keyfile.h"
#include "host/log.h"
#include "host/metrics.h"
#include "host/supervisor.h"
#include "host/ws_server.h"
#include "verify/evm/quorum.h"
#include "wire/convert.h"

/* A request with a full batch of messages or proofs, decoded or encoded: twice the frame's bound
 * and the pointers. */
#define GATEWAY_ARENA_SIZE (6u * 1024 * 1024)
/* Of peers, gone ones that calls still point to among them, and of ourselves. */
#define GATEWAY_PEER_PLACES (2 * GATEWAY_PEERS_MAX + 1)
/* Epochs of a remote's keys that are remembered as learned; more are learned again. */
#define GATEWAY_EPOCHS_MAX 8u
#define GATEWAY_ENCLAVE_TIMEOUT_MS 20000u
/* As ADAPTER_FOLLOW_LEAD, before a message that waits for its signature. */
#define GATEWAY_CLIENT_WAIT 440u
/* It waits for one that moves: what is paused, or refused, is proven by headers of old blocks later. */
#define GATEWAY_CLIENT_WAIT_MS 10000u
/* Every route each way, and every chain. */
#define GATEWAY_PAUSES_MAX 256u

struct gateway;
struct gateway_chain;
struct gateway_lease;
struct gateway_ledger;
struct gateway_observation;
struct gateway_reload;
struct gateway_retired;
struct gateway_webhooks;

struct gateway_peer {
	struct gateway *gateway;
	const char *name;                         /* "" is this process itself */
	const struct gateway_peer_config *config; /* NULL: ourselves */
	char authorization[HOST_TOKEN_MAX + 16];
	char url[2100]; /* of its envelopes: POST pushes, GET pulls */
	bool pushing;
	bool pulling;
	uint64_t push_after_ms; /* backoff */
	uint64_t pull_after_ms;
	uint32_t failures;
	uint32_t stuck;                              /* pushes of which nothing was taken */
	bool reachable;                              /* as the newest call says */
	bool is_judged;                              /* there was a call */
	uint64_t manifest_told;                      /* newer than ours, of a statement of its */
	uint64_t held_after_ms;                      /* what of it waits here is looked at then */
	uint32_t held_tries;                         /* looks of which nothing came */
	bool gone;                                   /* the configuration has it no more */
	struct gateway_attested_peer attested;       /* its enclave */
	struct gateway_peer_attested attested_asked; /* how it is asked; texts of a configuration */
	enum gateway_attested attested_told;         /* the state that was told last */
	struct gateway_attested_check *attested_check; /* NULL: it is not being asked */
};

/* What one local chain does with one remote. */
struct gateway_route {
	struct gateway_chain *chain;
	struct cs_hash remote;
	const struct host_manifest_chain *remote_manifest;
	/* of the gateways that serve the remote: each is told everything; several share a route, and
	 * the ledger's lease says which of them submits */
	struct gateway_peer *peers[GATEWAY_PEERS_MAX + 1];
	size_t peer_count;
	struct gateway_lease *leases[RELAY_DESTINATION + 1]; /* by side; NULL without a ledger */
	struct gateway_stage sign;
	struct gateway_stage deliver;
	struct gateway_stage prove;
	struct gateway_stage finalize; /* flights are the rehearsals */
	bool expiring;
	bool retrying;
	bool learning;
	uint64_t absence_height; /* final block for which absence was looked at */
	uint64_t learned[GATEWAY_EPOCHS_MAX];
	uint32_t learned_count;
	uint64_t learn_after_ms;
	uint64_t absent_epoch; /* that was looked for last, 0: it was there */
	/* rotation of our own key: what is signed with for this remote (0: the enclave's newest),
	 * and what was announced to it last */
	uint64_t epoch;
	uint64_t next_epoch;
	struct cs_hash next_key;
	uint64_t next_statement;
	/* of the remote's key: the statement to bring on our chain (0: none) and its transaction */
	uint64_t announced_statement;
	uint64_t announced_submission;
	uint64_t announce_after_ms;
	bool announcing;
};

/* The accounts of a chain: the enclave's gas accounts by their index, then the operator's. */
#define GATEWAY_ACCOUNT_OPERATOR GATEWAY_GAS_ACCOUNTS_MAX
#define GATEWAY_ACCOUNT_COUNT (GATEWAY_GAS_ACCOUNTS_MAX + 1u)
/* One of them: what is under way in it, and what it has left, as its nodes say it. */
struct gateway_account {
	bool is_there; /* and its address is known */
	struct cs_address address;
	unsigned open;     /* transactions that the adapter has and no block */
	unsigned promised; /* … that are written down and not handed over yet */
	uint64_t moved_ms; /* a block took one of them last, or the first of them began */
	bool is_out;       /* it could not pay for the last call that was tried */
	uint64_t out_ms;
	struct cs_u256 need; /* what that call wanted to be there */
	bool asking;
	bool is_known;
	struct cs_u256 balance;
	uint64_t
		call_cost; /* of the dearest of its newest calls, in the chain's smallest unit; 0: none */
	uint64_t asked_ms; /* 0: never */
	uint64_t told_ms;
};

/* For which block with a message to be signed the light client waits, and since when. */
struct gateway_client_wait {
	uint64_t height; /* 0: for none yet */
	uint64_t since_ms;
};

/* Of proofs.c: which messages were looked at, by block and number. */
struct gateway_keeper {
	uint64_t height;
	uint64_t n;
	uint64_t after_ms; /* monotonic */
	bool begun;
	bool busy;
	bool single; /* one at a time: some proof could not be had */
	bool full;
};

/* Of postpone.c: how the chain was at the last look, and how far its rows are hurried. */
struct gateway_hurried {
	size_t well; /* endpoints */
	bool troubled;
	size_t at;       /* route by stage; behind the last one: nothing is under way */
	uint64_t due_ms; /* wall clock: rows that wait for later are hurried */
};

struct gateway_chain {
	struct gateway *gateway;
	const struct host_chain_config *config;
	const struct gateway_chain_config *own; /* beside it, what gateways alone know */
	const struct host_manifest_chain *manifest;
	struct cs_hash identity;
	char identity_hex[65];
	struct adapter *adapter;
	struct adapter_follow follow;
	struct adapter_listen listen;
	struct adapter_providers providers;
	/* All that the enclave could sign for; the pool are the first own->gas_accounts of them. */
	struct gateway_account accounts[GATEWAY_ACCOUNT_COUNT];
	size_t gas_last; /* of the pool, that was chosen last */
	struct cs_secret *operator_key;
	unsigned open_elsewhere;      /* of accounts that the enclave does not have any more */
	struct adapter_sender sender; /* of all accounts: one order of rows */
	/* what applications signed: one is looked at, then the next, and all again a block later */
	bool submitted_busy;
	uint64_t submitted_after;
	uint64_t submitted_pause_ms;
	struct gateway_route routes[CS_MANIFEST_CHAINS_MAX];
	size_t route_count;
	struct gateway_observation *observation; /* an operator's; NULL: none is under way */
	struct gateway_keeper keeper;
	struct gateway_hurried hurry;
	struct gateway_client_wait client_wait;
	/* of unrouted.c */
	bool unrouted_busy;
	uint64_t unrouted_after_ms; /* monotonic; UINT64_MAX: with the next route */
};

/* Before a stop: nothing new is begun. */
struct gateway_drain {
	bool is_on;
	bool is_told;      /* that it is over */
	uint64_t since_ms; /* wall clock */
	uint64_t until_ms; /* monotonic */
	char who[HOST_API_KEY_NAME_MAX + 1];
};

struct gateway {
	struct host_loop *loop;
	struct gateway_config config;
	struct gateway_journal *journal;
	struct host_metrics *metrics;
	struct host_http_server *server;
	struct host_ws_server *events;
	struct host_timer *events_pace; /* runs: it is too early for the next round of readers */
	bool events_due;                /* something may have happened for them */
	struct host_http_client *http;
	struct host_enclave_session *enclave;
	struct host_attested *attested; /* NULL: none is configured */
	struct host_api_keys keys;
	struct cs_sig *sig;
	struct gateway_ledger *ledger; /* NULL: it writes to none */
	struct gateway_webhooks *webhooks;
	struct ledger_clock *clock; /* NULL: the enclave's time is ours */
	struct host_timer *timer;   /* due times, keys file, housekeeping */
	struct host_timer *export_timer;
	struct gateway_chain chains[GATEWAY_CHAINS_MAX];
	size_t chain_count;
	struct gateway_peer
		peers[GATEWAY_PEER_PLACES]; /* one of them, without a name, is ourselves */
	size_t peer_count;
	struct gateway_pause pauses[GATEWAY_PAUSES_MAX]; /* as they are in the journal */
	size_t pause_count;
	struct gateway_drain drain;
	struct gateway_retired *retired; /* configurations that were in force */
	unsigned reload_count;
	bool reloading;
	bool reload_again; /* a signal came meanwhile */
	/* a configuration that the enclave does not run under yet (rollover.c) */
	struct gateway_reload *coming; /* NULL: none waits */
	struct host_timer *coming_timer;
	struct host_supervisor *supervisor; /* NULL: the enclave is somebody else's to start */
	int supervisor_fd;                  /* -1: there is none */
	bool supervisor_asked;              /* at a start under a newer file than the enclave's */
	struct cs_arena scratch;            /* for what ends before the function returns */
	bool awake;                         /* a pump is posted */
	bool stopping;
	bool failed; /* the journal cannot be written: the process ends with an error */
	/* the enclave's session */
	bool enclave_ready; /* keys are there and stored */
	char enclave_why[GATEWAY_WHY_MAX + 1];
	struct host_evidence evidence;
	uint64_t
		reader_stalled_ms; /* a reader of events that takes nothing for so long is dropped */
	char *reference;           /* the page of /docs */
	struct gateway_answers *answers; /* NULL: none was kept */
	struct gateway_recent *recent;   /* events that readers are told; NULL: nobody reads */
	uint64_t started_ms;
	uint64_t keys_checked_ms;
	int64_t keys_mtime_ns;
	uint64_t tidied_ms;
};

/* ---- gateway.c ---- */
/* Everything but the loop's run: errors are logged. */
/* supervisor_fd: of whoever starts the enclave too (host/supervisor.h); -1: nobody does. */
CS_NODISCARD enum cs_err gateway_start(struct gateway *gateway, struct host_loop *loop,
				       const char *config_path, int supervisor_fd);
void gateway_stop(struct gateway *gateway);
/* The place of a chain as gateway->config has it; without its account, routes and adapter. */
void gateway_chain_prepare(struct gateway *gateway, size_t index);
/* The routes that the manifest has and the chain has not yet. INVALID: nobody serves one, or the
 * journal's part of it cannot be read. */
CS_NODISCARD enum cs_err gateway_routes_prepare(struct gateway_chain *chain, struct cs_why *why);
/* *key is untouched where none is configured. The errors of host_keyfile_load; INVALID. */
CS_NODISCARD enum cs_err gateway_operator_load(struct gateway *gateway,
					       const struct host_chain_config *config,
					       struct cs_secret **key, struct cs_address *address,
					       struct cs_why *why);
/* Wipes. NULL is allowed. */
void gateway_operator_free(struct cs_secret *key);
/* Asks for a turn of the pump; many asks make one. */
void gateway_wake(struct gateway *gateway);

/* ---- base.c ---- */
/* One writer; the pump runs after its commit. A failure that is no answer (disk full, I/O) ends the
 * process. */
CS_NODISCARD enum cs_err gateway_write(struct gateway *gateway, host_store_writer *write,
				       void *context);
/* The same, with its own call after the commit; not called on failure. */
CS_NODISCARD enum cs_err gateway_write_then(struct gateway *gateway, host_store_writer *write,
					    void *context, host_store_committed *committed,
					    void *committed_context);
void gateway_fail(struct gateway *gateway, enum cs_err err, const char *what);
/* The same for what follows a chain; context: struct gateway_chain. */
extern const struct adapter_owner gateway_owner;
/* What keeps messages of the chain from moving here, for people; NULL: nothing. */
const char *gateway_chain_trouble(const struct gateway_chain *chain);
struct gateway_chain *gateway_chain_of(struct gateway *gateway, const struct cs_hash *identity);
struct gateway_chain *gateway_chain_named(struct gateway *gateway, const char *caip2);
struct gateway_route *gateway_route_of(struct gateway_chain *chain, const struct cs_hash *remote);
/* Items of one batch: the smaller of what the configuration and the manifest allow. */
size_t gateway_batch_max(const struct gateway *gateway);
/* For a log line, as its last field: the traceparent; where there is none, nothing. */
struct host_log_field gateway_log_trace(const struct host_trace *trace);
/* The same of a message, which is read into trace. */
struct host_log_field gateway_log_message_trace(const struct gateway *gateway, uint64_t message,
						struct host_trace *trace);
/* Block times are whole seconds: what was just seen takes our clock. */
uint64_t gateway_block_ms(uint64_t time_s);
/* CAIP-2 of an identity of the manifest, "" for an unknown one. */
const char *gateway_caip2(const struct gateway *gateway, const struct cs_hash *identity);
/* Fresh arena with malloc'd block; gateway_arena_free. */
struct cs_arena *gateway_arena_new(void);
void gateway_arena_free(struct cs_arena *arena);
struct gateway_peer *gateway_peer_named(struct gateway *gateway, const char *name);

/* ---- postpone.c ---- */
/* Wall clock of the next try after this many failures. */
uint64_t gateway_backoff(const struct gateway *gateway, uint32_t tries);
/* A message's failure: tries, pause and sentence, if it is still in this state. Only what may not
 * be repeated unchanged counts as a try; every pause grows. Inside a writer. */
CS_NODISCARD enum cs_err gateway_postpone(struct gateway *gateway, uint64_t n,
					  enum relay_state state, enum cs_err err, const char *why);

/* ---- enclave_link.c ---- */
CS_NODISCARD enum cs_err gateway_enclave_start(struct gateway *gateway);
void gateway_enclave_stop(struct gateway *gateway);
/* Encodes and sends; on failure done is not called. */
CS_NODISCARD enum cs_err gateway_enclave_call(struct gateway *gateway, enum wire_type type,
					      const ProtobufCMessage *message,
					      host_enclave_done *done, void *context);
/* What hello tells changed: it is asked for again. */
void gateway_enclave_ask_hello(struct gateway *gateway);
/* Protobuf of the last HelloReply; none before the first. */
struct cs_bytes gateway_enclave_hello(const struct gateway *gateway);
/* The enclave's state is not the stored one any more. */
void gateway_enclave_changed(struct gateway *gateway);
#define GATEWAY_SEALED_NAME "sealed" /* in the journal */
/* What is there under that name is on disk. */
void gateway_enclave_stored(struct gateway *gateway);
/* Stores the sealed state when something changed. then may be NULL; is called once, at the latest
 * on failure. */
void gateway_enclave_export(struct gateway *gateway, host_call *then, void *context);
/* Decodes a reply into the arena; what cannot be decoded is logged. */
CS_NODISCARD enum cs_err gateway_enclave_reply(struct cs_arena *arena, struct cs_bytes body,
					       const ProtobufCMessageDescriptor *type,
					       ProtobufCMessage **message);

/* ---- rollover.c: what waits until the enclave runs under it ---- */
/* INVALID: supervisor_fd is none. */
CS_NODISCARD enum cs_err gateway_rollover_start(struct gateway *gateway, struct cs_why *why);
void gateway_rollover_stop(struct gateway *gateway);
/* What the enclave says of itself, before anything is believed of it. *waits: it runs under what is
 * coming and has no state yet, which is given to it now. What is coming is in force as soon as it has
 * its keys. WRONG_MANIFEST, NOT_IN_MANIFEST: it is neither the one in force nor the one that comes. */
CS_NODISCARD enum cs_err gateway_rollover_hello(struct gateway *gateway,
						const Caisson__Wire__HelloReply *hello, bool *waits,
						struct cs_why *why);
/* The session stands under what is in force. */
void gateway_rollover_ready(struct gateway *gateway);
/* State is about to be stored that was sealed by the enclave of the last hello. */
void gateway_rollover_sealed(struct gateway *gateway);
void gateway_rollover_failed(struct gateway *gateway, enum cs_err err, const char *why);
void gateway_rollover_down(struct gateway *gateway);
/* `reload` of GET /v1/status: null, or what waits and why. */
json_t *gateway_rollover_json(const struct gateway *gateway);

/* ---- pauses.c: what an operator holds up ---- */
CS_NODISCARD enum cs_err gateway_pauses_load(struct gateway *gateway, struct cs_why *why);
/* What holds up the messages of a route (refunds: what brings dead ones back) in the direction in
 * which our chain is on this side; NULL: nothing. A view until the next verb. */
const struct gateway_pause *gateway_paused(const struct gateway_route *route, enum relay_side side,
					   bool refunds);
const struct gateway_pause *gateway_paused_between(const struct gateway *gateway, const char *from,
						   const char *to, bool refunds);
/* A sentence for people; returns text. */
const char *gateway_paused_why(const struct gateway_pause *pause, char *text, size_t size);
json_t *gateway_json_pauses(const struct gateway *gateway);
void gateway_api_pause_routes(struct gateway *gateway);

/* ---- clock.c ---- */
/* After gateway_ledger_start. The errors of ledger_clock_new. */
CS_NODISCARD enum cs_err gateway_clock_start(struct gateway *gateway, struct cs_why *why);
/* After the ledger's client and the enclave's session have ended. */
void gateway_clock_stop(struct gateway *gateway);

/* ---- light_client.c ---- */
/* What following the chain asks of a gateway; the rest of chain is filled in already. */
void gateway_follow_init(struct gateway_chain *chain);
/* How far a client that catches up may go now: `to`, or no further above `waiting`, the oldest block with a message to
 * be signed (0: none), than it can look back, until that one has not changed for GATEWAY_CLIENT_WAIT_MS. Pure. */
uint64_t gateway_client_hold(struct gateway_client_wait *held, uint64_t waiting, uint64_t to,
			     uint64_t now_ms);

/* When the client is of no use any more unless a block becomes final before: then it takes an anchor of
 * the next manifest. Unix seconds; 0: nothing is final by its word yet. */
uint64_t gateway_client_expires_s(const struct gateway_chain *chain);

/* ---- chain_events.c ---- */
/* With chain->adapter where one was made already (adapter_listen_make). */
CS_NODISCARD enum cs_err gateway_chain_start(struct gateway_chain *chain, struct cs_why *why);

/* ---- proofs.c ---- */
/* Asks for proofs of what waits for its signature for long, and keeps them. */
void gateway_proofs_keep(struct gateway_chain *chain);
/* A message was placed in this block, which may have been passed already. */
void gateway_proofs_look_from(struct gateway_chain *chain, uint64_t height);
/* Gives what is kept for these messages, which are those of the claims. False: nothing is. */
bool gateway_proofs_take(struct gateway_chain *chain, struct adapter_claims *claims,
			 const struct gateway_message *messages);

/* ---- relay_source.c ---- */
void gateway_source_mark_final(struct gateway_chain *chain);
void gateway_source_sign(struct gateway_route *route);
/* ---- relay_destination.c ---- */
void gateway_destination_deliver(struct gateway_route *route);
void gateway_destination_expire(struct gateway_route *route);
void gateway_destination_retry(struct gateway_route *route);
/* ---- relay_outcome.c ---- */
void gateway_outcome_mark_final(struct gateway_route *route);
void gateway_outcome_prove(struct gateway_route *route);
/* ---- relay_finalize.c ---- */
void gateway_finalize(struct gateway_route *route);
void gateway_finalize_end(struct gateway_chain *chain);

/* ---- rehearse.c ---- */
/* Calldata for one message, in the scratch arena; finalize: of its outcome. */
CS_NODISCARD enum cs_err gateway_message_call(struct gateway *gateway,
					      const struct gateway_message *row,
					      enum wire_call call, struct cs_buf *data);
/* REVERTED: why says it, and it is written: the row keeps the reason and waits for another look,
 * longer where the contract will never take it; people and the other gateway are told.
 * Any other error is the caller's. */
typedef void gateway_rehearsed(void *ctx, enum cs_err err, const char *why);
CS_NODISCARD enum cs_err gateway_rehearse(struct gateway_chain *chain, enum wire_call call,
					  const struct cs_address *from,
					  const struct gateway_message *row,
					  gateway_rehearsed *done, void *ctx);
/* The contract will never take it as it is: no transaction is made for it. At the source, as the
 * destination told it. */
bool gateway_is_stopped(const struct gateway_message *message);
/* May somebody ask that it is looked at now, whatever pause its last try brought? One that failed or is stopped is called
 * again, one that is past its deadline is brought back. The chain's clock decides, ours only whether it is asked. */
bool gateway_may_retry(const struct gateway_message *message);
/* Past its deadline by our clock: from then on it is brought back, and not called again. */
bool gateway_is_late(const struct gateway_message *message);
/* Its detail begins with the request's id and a space. */
#define GATEWAY_EVENT_REQUEST_FAILED "request.failed"
/* An event with the row's reason, and a note to the other side. Inside a writer. */
CS_NODISCARD enum cs_err gateway_tell_refused(struct gateway_chain *chain,
					      struct gateway_message *row);

/* ---- pool.c: which gas account pays ---- */
#define GATEWAY_POOL_NONE SIZE_MAX
/* Of the first `count`: the one with the fewest transactions under way, `last` only where no other has
 * so few, of those that are best off; of one that cannot pay, or in which nothing has moved for hold_ms,
 * only while none is better off. NONE: the best off have in_flight_max each, or there are none. Pure. */
size_t gateway_pool_choose(const struct gateway_account *accounts, size_t count, size_t last,
			   unsigned in_flight_max, uint64_t hold_ms, uint64_t now_ms);
/* The same of a chain, as it is now. Old messages have half of what may be under way, rounded up: a new
 * one finds a place, and not all of the others before it in its account's order. */
size_t gateway_pool_now(const struct gateway_chain *chain, enum gateway_lane lane);
/* The same for a submission that is being written, whether there is room or not. */
const struct cs_address *gateway_pool_take(struct gateway_chain *chain);
/* NONE: it is not the enclave's. */
size_t gateway_pool_index(const struct gateway_chain *chain, const struct cs_address *address);
/* Whether another account of the pool could do what this one cannot pay for. */
bool gateway_pool_has_better(const struct gateway_chain *chain,
			     const struct gateway_account *account);
/* None of the pool can pay, and that was found out by a call. */
bool gateway_pool_is_out(const struct gateway_chain *chain);
/* A sentence where it is out, else NULL. */
const char *gateway_pool_trouble(const struct gateway_chain *chain);
/* What waits for this account, with whom to send money to: the text, which is the caller's. */
const char *gateway_no_funds_why(const struct gateway_chain *chain, size_t index,
				 const char *trouble, char *text, size_t size);
/* What it waits for where its chain's pool is out, with whom to send money to; NULL: for something else. Nothing of it
 * is written: it is true for as long as the pool is out. The text is in the caller's. */
const char *gateway_unpaid_why(struct gateway *gateway, const struct gateway_message *message,
			       char *text, size_t size);
/* Transactions of all accounts that no block has. */
unsigned gateway_open_transactions(const struct gateway_chain *chain);

/* ---- accounts.c ---- */
/* Fewer calls than this are few: an operator has hours, not days. */
#define GATEWAY_CALLS_LOW 100u
#define GATEWAY_ACCOUNT_NAME_SIZE 12
/* Asks the chain for the balances whose time has come. */
void gateway_accounts_look(struct gateway_chain *chain);
/* "gas", from the second on "gas-1" …; "operator". Returns text. */
const char *gateway_account_name(char text[GATEWAY_ACCOUNT_NAME_SIZE], size_t index);
/* Those that people look at: the pool, what else has something under way, the operator's. */
bool gateway_account_is_shown(const struct gateway_chain *chain, size_t index);
/* How many calls like the dearest of its newest ones it pays for. False: not known. */
bool gateway_account_calls(const struct gateway_account *account, uint64_t *calls);
bool gateway_account_is_low(const struct gateway_account *account);
json_t *gateway_accounts_json(const struct gateway_chain *chain);

/* ---- parts.c: aligned parts of a batch ---- */
/* The leaves of a statement row. */
void gateway_leaves(struct cs_hash leaves[CS_BATCH_MAX], const struct gateway_statement *statement);
/* The statement with the path of this part. */
void gateway_part_signed(struct wire_signed *out, const struct gateway_statement *statement,
			 uint32_t first, uint32_t count);
/* By the statement's own leaves: INVALID unless their root is its root. */
CS_NODISCARD enum cs_err gateway_statement_check(const struct gateway_statement *statement);

/* ---- batch.c ---- */
/* Inside a writer: makes submissions of the rows (all of one statement, in the states that the kind
 * begins from) in as few aligned parts as gas allows. */
CS_NODISCARD enum cs_err gateway_batch_write(struct gateway_chain *chain, enum gateway_kind kind,
					     uint64_t statement, struct gateway_message *rows,
					     size_t count);
/* What failed before goes alone: how many of the first rows may go together. */
size_t gateway_batch_keep(const struct gateway_message *rows, size_t count);

/* ---- submit.c ---- */
bool gateway_may_submit(const struct gateway_chain *chain, enum gateway_kind kind,
			enum gateway_lane lane);
uint64_t gateway_gas(enum gateway_kind kind, uint64_t min_gas_limit, size_t payload_size);
#define GATEWAY_GAS_BASE 300000u /* the least that any call is given */
uint64_t gateway_gas_max(const struct gateway_chain *chain);

/* The contract's function, or who signed it. */
const char *gateway_kind_name(enum gateway_kind kind);
/* What a sponsored submission that no node took yet waits for: the operator's account, or those before it; NULL: for
 * none of these. Nothing of it is written: it ends with what it tells of. The text is the caller's. */
const char *gateway_sponsored_why(const struct gateway_chain *chain, uint64_t n, char *text,
				  size_t size);
/* With the chain's adapter made. */
void gateway_submit_start(struct gateway_chain *chain);
/* Takes up what the journal has open: after a start all of it, later what was written since. */
void gateway_submit_new(struct gateway_chain *chain);

/* Whoever asked for the message by a request hears that it will not be. Inside a writer. */
CS_NODISCARD enum cs_err gateway_tell_request_failed(struct gateway *gateway, uint64_t submission,
						     const char *why);

/* ---- submitted.c: transactions that applications signed ---- */
#define GATEWAY_SUBMITTED_MAX 1000u /* of a chain, that no final block has */
/* One more of them is looked at: it is settled, left to wait, or sent again. */
void gateway_submitted_follow(struct gateway_chain *chain);

/* ---- sign_host.c: transactions of the operator's account ---- */
/* raw is malloc'd. */
CS_NODISCARD enum cs_err gateway_sign_operator(struct gateway_chain *chain,
					       const struct gateway_submission *submission,
					       struct cs_bytes data,
					       const struct adapter_terms *terms, uint8_t **raw,
					       size_t *raw_size, struct cs_hash *hash);

/* ---- learn_key.c ---- */
bool gateway_key_is_learned(const struct gateway_route *route, uint64_t epoch);
/* Proves the remote's key of this epoch to the enclave; the pump looks again afterwards. */
void gateway_key_learn(struct gateway_route *route, uint64_t epoch);
void gateway_key_forget(struct gateway_route *route, uint64_t epoch);
/* The remote's key of an epoch, as the enclave learned it once. NOT_FOUND. */
CS_NODISCARD enum cs_err gateway_key_of(const struct gateway_route *route, uint64_t epoch,
					struct cs_hash *key);

/* ---- rotation.c ---- */
CS_NODISCARD enum cs_err gateway_rotation_load(struct gateway_route *route);
/* Brings what a remote announced on our chain, and tells it when it is in force. */
void gateway_rotation_announce(struct gateway_route *route);
/* Of a peer, inside a writer; the statement is checked. Sets its n. */
CS_NODISCARD enum cs_err gateway_rotation_take(struct gateway_route *route,
					       struct gateway_statement *statement);
CS_NODISCARD enum cs_err gateway_rotation_in_force(struct gateway_route *route,
						   const struct gateway_statement *statement);
void gateway_api_rotation_routes(struct gateway *gateway);

/* ---- peers.c: who they are ---- */
/* Name, address and key of one of the configuration; the rest is left. The errors of
 * host_tokenfile_load and host_http_client_allow. */
CS_NODISCARD enum cs_err gateway_peer_load(struct gateway_peer *peer, struct gateway *gateway,
					   const struct gateway_peer_config *config,
					   struct cs_why *why);
/* Those that serve the route's remote, ourselves among them where the chain is ours. */
void gateway_route_peers(struct gateway_route *route);
/* Whether there are places for these, in place of those that there are. */
bool gateway_peers_fit(const struct gateway *gateway, const struct gateway_peer *fresh,
		       size_t count);
/* The peers of gateway->config, loaded into fresh in their order; every route's too. */
void gateway_peers_replace(struct gateway *gateway, struct gateway_peer *fresh, size_t count);

/* ---- unrouted.c: messages for destinations to which no route goes yet ---- */
/* Remembers where one lies, up to a number of destinations. Inside a writer. */
CS_NODISCARD enum cs_err gateway_unrouted_note(struct gateway_chain *chain,
					       const struct adapter_event *event);
/* Reads the next stretch again in which such messages lie for a route that there is now. */
void gateway_unrouted_take(struct gateway_chain *chain);
/* Messages that are remembered. */
uint64_t gateway_unrouted_count(const struct gateway_chain *chain);
json_t *gateway_unrouted_json(const struct gateway_chain *chain);

/* ---- steps.c ---- */
/* All eighteen: what happened, what is to come, what is skipped and why. */
json_t *gateway_json_steps(struct gateway *gateway, const struct gateway_message *message);
/* The facts alone, of one side, for the other gateway; and taking them. */
json_t *gateway_json_facts(struct gateway *gateway, const struct gateway_message *message,
			   enum relay_side side, enum relay_step from);
CS_NODISCARD enum cs_err gateway_take_facts(struct gateway *gateway,
					    const struct gateway_message *message,
					    enum relay_side side, const json_t *facts);
/* The destination's row ends as the source told, FINALIZED or REFUNDED; of any other state, and before
 * the outcome is verified, nothing happens. Inside a writer. */
CS_NODISCARD enum cs_err gateway_end_as_told(struct gateway *gateway,
					     struct gateway_message *message, enum relay_state end);
/* The same where the source told before the outcome was verified here: another gateway of this chain was
 * faster, and the facts of the source are in the journal. */
CS_NODISCARD enum cs_err gateway_end_as_known(struct gateway *gateway,
					      struct gateway_message *message);

/* ---- peer_out.c, peer_in.c ---- */
void gateway_peers_pump(struct gateway *gateway);
/* What the outbox holds for a peer after a cursor: an object with instance, items, next. NULL when
 * there is nothing. */
json_t *gateway_peer_items(struct gateway *gateway, const char *peer, uint64_t after, bool *more);
/* Takes the items of a push or a pull. *cursor: everything up to it is written down, taken or to be. */
CS_NODISCARD enum cs_err gateway_peer_take(struct gateway *gateway, const char *peer,
					   const json_t *body, uint64_t *cursor,
					   struct cs_why *why);
/* Looks at what of a peer waits here (journal_held.h), when it is time. */
void gateway_peer_take_held(struct gateway_peer *peer);
/* Writes into the outbox of the peer of this route, inside a writer. */
CS_NODISCARD enum cs_err gateway_post_item(struct gateway_route *route, enum gateway_item kind,
					   uint64_t ref);
/* Statements of a kind that wait for one peer, above which no more are made: what is signed goes to a peer
 * in its order, so that a new message would wait for all that were signed before it. Two are enough that
 * one is made while the other one is on its way; for new messages there is room for as many again. */
#define GATEWAY_AHEAD_OLD 2u
#define GATEWAY_AHEAD_NEW 4u
/* Whether a peer of the route has that many to take. One that does not answer holds up nothing, because
 * others may deliver what is signed. */
bool gateway_is_ahead(const struct gateway_route *route, enum gateway_item kind,
		      enum gateway_lane lane);

/* ---- attested.c: the enclaves behind the peers ---- */
#define GATEWAY_EVENT_PEER_ATTESTED "peer.attested"
/* After its configuration was set or taken away. What is known holds if it would be asked the same, and it
 * is asked anew at once; else it begins again. */
void gateway_attested_configure(struct gateway_peer *peer);
/* Asks whom it is time for, and tells what changed. */
void gateway_attested_tick(struct gateway *gateway);
void gateway_attested_stop(struct gateway *gateway);
/* NOT_ATTESTED: nothing of the peer is taken. */
CS_NODISCARD enum cs_err gateway_attested_gate(const struct gateway_peer *peer, struct cs_why *why);
/* The key that signed a statement of the peer is one of its attested enclave, or nobody wants to know. */
bool gateway_attested_has_key(struct gateway_peer *peer, const struct cs_hash *signer,
			      uint64_t epoch, const struct cs_hash *x);
json_t *gateway_attested_json(const struct gateway_peer *peer);

/* ---- ledger.c: the bridge's ledger, where the configuration names one ---- */
/* With chains and routes made. */
CS_NODISCARD enum cs_err gateway_ledger_start(struct gateway *gateway, struct cs_why *why);
void gateway_ledger_stop(struct gateway *gateway);
/* The process ends: leases are released, for which the loop is held for a few seconds at most. */
void gateway_ledger_drain(struct gateway *gateway);
/* A route that came while the process runs: its leases. Nothing without a ledger. */
void gateway_ledger_add(struct gateway_route *route);
/* Another gateway that lives holds the lease of this side: the submitting is left to it. */
bool gateway_ledger_yields(const struct gateway_route *route, enum relay_side side);
/* ledger_status.c: for status; null without a ledger. And its figures. */
json_t *gateway_ledger_json(struct gateway *gateway);
void gateway_ledger_collect(struct gateway *gateway);

/* ---- the surface ---- */
/* All of them; needs the server alone. */
void gateway_api_routes(struct gateway *gateway);
void gateway_api_peer_routes(struct gateway *gateway);
void gateway_api_message_routes(struct gateway *gateway);
void gateway_api_list_route(struct gateway *gateway);
void gateway_api_send_routes(struct gateway *gateway);
void gateway_api_quote_routes(struct gateway *gateway);
/* Of a query: decimal digits, at most max; NULL leaves the value. */
bool gateway_read_number(const char *text, uint64_t max, uint64_t *value);
void gateway_events_route(struct gateway *gateway);
CS_NODISCARD enum cs_err gateway_events_start(struct gateway *gateway, struct cs_why *why);
/* Before the server is freed. */
void gateway_events_stop(struct gateway *gateway);
void gateway_events_pump(struct gateway *gateway);
/* As every reader of events gets it. */
json_t *gateway_event_json(const struct gateway_event *event);
/* CONFLICT: what follows this cursor is not all there, or never was. */
CS_NODISCARD enum cs_err gateway_events_keep(struct gateway *gateway, uint64_t cursor,
					     struct cs_why *why);
void gateway_metrics_start(struct gateway *gateway);
/* Answers with the problem. */
void gateway_problem(struct host_http_exchange *exchange, enum cs_err err,
		     const struct cs_why *why);
/* The public keys of our enclave, as hello told them. */
json_t *gateway_json_keys(struct gateway *gateway);
/* A verb that takes no member: nothing, or {}. False: it is answered. */
bool gateway_body_is_empty(struct host_http_exchange *exchange);
json_t *gateway_json_row(struct gateway *gateway, const struct gateway_message *message,
			 bool with_steps);

/* ---- api_reference.c: the description of all this, api/openapi.json, and the page made of it ---- */
extern const unsigned char gateway_openapi[]; /* UTF-8, not terminated */
extern const size_t gateway_openapi_size;
/* HTML of an OpenAPI 3.1 description that keeps to the part of it which ours uses; malloc'd. */
char *gateway_reference_html(const json_t *description);
void gateway_api_reference_routes(struct gateway *gateway);

/* ---- api_ui.c: the operators' page, whose files are embedded ---- */
void gateway_api_ui_routes(struct gateway *gateway);

#endif
