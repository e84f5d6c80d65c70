/* What the files of the application share: its memory, what it knows of the last block, and the
 * answers' parts. For app*.c alone. */
#ifndef LEDGER_APP_PARTS_H
#define LEDGER_APP_PARTS_H

#include "relay_state/ledger/app.h"
#include "relay_state/ledger/block_time.h"
#include "relay_state/ledger/snapshot.h"

#define LEDGER_CODESPACE "ledger"

/* The block that is finalized and not committed. */
struct ledger_staged {
	bool is_there;
	uint64_t version;
	uint64_t time_s;
	uint64_t keep_from;
	struct cs_hash root;
	struct ledger_changes changes[LEDGER_SPACE_COUNT]; /* in the block's arena and state */
};

/* A snapshot, and where each of its chunks begins: chunks are made again when they are asked for. */
struct ledger_taken {
	struct ledger_snapshot snapshot;
	struct cs_hash starts[LEDGER_CHUNKS_MAX];
};

struct ledger_snapshots {
	uint64_t interval; /* 0: none is taken */
	bool is_taking;
	struct ledger_taken taking;
	struct ledger_taken kept[2]; /* version 0: none */
	struct ledger_taken loading; /* scratch of one answer */
	bool is_restoring;
	struct ledger_restore restore;
};

struct ledger_app {
	struct ledger_db db;
	struct ledger_modules modules;
	const struct cs_sig *sig;
	uint64_t version; /* the last committed block, 0: none */
	uint64_t time_s;  /* its time, 0: not known */
	struct ledger_staged staged;
	struct ledger_state *block_state;
	struct ledger_state *check_state; /* accounts as the mempool leaves them */
	struct ledger_state *proposal_state;
	struct cs_arena block_arena; /* of the staged block */
	struct cs_arena tx_arena;
	void *view_memory; /* of a state for each question */
	struct ledger_machine machine;
	struct ledger_machine view_machine;
	struct ledger_verified verified;
	struct ledger_contracts contracts;
	const struct ledger_contract *contract_list[UINT8_MAX];
	struct ledger_snapshots snapshots;
	uint8_t seed[16];
};

/* app_snapshot.c: after each commit; where the chain begins anew; and ABCI's four. */
CS_NODISCARD enum cs_err ledger_snapshots_committed(struct ledger_app *app);
void ledger_snapshots_forget(struct ledger_app *app);
enum cs_err ledger_app_list_snapshots(void *state, struct abci_list_snapshots_response *response,
				      const struct abci_call *call);
enum cs_err ledger_app_offer(void *state, const struct abci_offer_snapshot_request *request,
			     struct abci_offer_snapshot_response *response,
			     const struct abci_call *call);
enum cs_err ledger_app_load_chunk(void *state,
				  const struct abci_load_snapshot_chunk_request *request,
				  struct abci_load_snapshot_chunk_response *response,
				  const struct abci_call *call);
enum cs_err ledger_app_apply_chunk(void *state,
				   const struct abci_apply_snapshot_chunk_request *request,
				   struct abci_apply_snapshot_chunk_response *response,
				   const struct abci_call *call);

/* The logs as events of the type "log" appended to the list, which has room. NO_MEMORY. */
CS_NODISCARD enum cs_err ledger_events(struct abci_event *events, size_t *count,
				       const struct ledger_logs *logs, struct cs_arena *arena);
CS_NODISCARD enum cs_err ledger_event_fee(struct abci_event *event, const struct cs_address *payer,
					  const struct cs_u256 *fee, struct cs_arena *arena);
/* For the mempool (ADR 27). */
CS_NODISCARD enum cs_err ledger_event_mempool(struct abci_event *event, const struct ledger_tx *tx,
					      struct cs_arena *arena);
/* "0x…" in the arena; p is NULL when there is no room. */
struct cs_bytes ledger_hex(struct cs_bytes bytes, struct cs_arena *arena);

/* The memory of a state for questions. */
size_t ledger_view_size(void);
enum cs_err ledger_app_query(void *state, const struct abci_query_request *request,
			     struct abci_query_response *response, const struct abci_call *call);

#endif
