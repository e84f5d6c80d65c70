/* What the files of the simulated ledger share. Each node has the ledger's application with its own
 * state on its own disk. Beside the chain that the nodes agree on (side 0) there is one more ledger
 * (side 1) without an engine: the same application, whose blocks the test makes. Gateways of both are
 * remotes of each other; the test is both enclaves and the relayer. */
#ifndef TESTS_SIM_LEDGER_H
#define TESTS_SIM_LEDGER_H

#include "core/abi.h"
#include "core/caip.h"
#include "relay_state/ledger/app.h"
#include "relay_state/node/execution.h"
#include "tests/sim/sim.h"
#include "tests/unit/ledger/memory_db.h"
#include "wire/envelope.h"

/* ---- accounts: users, operators of each key, the owner of all contracts ---- */

#define SIM_USERS 6u
#define SIM_OPERATOR SIM_USERS /* of key 0 */
#define SIM_OWNER (SIM_USERS + SIM_NODES_MAX)
#define SIM_ACCOUNTS (SIM_OWNER + 1u)
#define SIM_FUNDS 100000000u
/* A validator's deposit at genesis, and of a unit of power. */
#define SIM_BOND 1000u
#define SIM_POWER_UNIT 100u
#define SIM_UNBONDING_S 10u
/* Of the asset that goes over the bridge, at side 0. */
#define SIM_GIVEN 100000u

enum sim_side {
	SIM_NEAR = 0,
	SIM_FAR = 1,
};

struct sim_ledger {
	struct memory_db *db; /* the disk */
	struct ledger_app *app;
	struct abci_app abci;
	void *memory;
	struct cs_sig *sig;
	struct cs_arena arena; /* of one answer */
	struct cs_why why;
	enum sim_side side;
	struct cs_hash chain; /* its tag */
	uint64_t fees;        /* of the last block that was finalized */
	unsigned starts;
	uint64_t taken, failed; /* transactions that were finalized */
};

/* ---- messages between both sides ---- */

#define SIM_FLIGHTS 64u
#define SIM_POOL 24u
#define SIM_CALL_SIZE_MAX 1800u

struct sim_flight {
	enum sim_side from;
	uint64_t amount; /* of a transfer; 0: a message without one */
	struct cs_hash id;
	struct wire_message message; /* points into bytes */
	uint8_t bytes[640];
	bool is_closable;
	bool is_finalized;
	bool has_signed[4]; /* outcomes, by the destination's enclave */
	enum wire_status status, outcome;
};

/* Calldata with a statement, which may come late, twice, in any order, or never. */
struct sim_relayed {
	unsigned account;
	size_t size;
	uint8_t bytes[SIM_CALL_SIZE_MAX];
};

struct sim_pair {
	struct sim_ledger *far;
	int64_t far_height;
	uint64_t time_s[2];
	int64_t height; /* of side 0, up to which it was looked at */
	struct cs_hash tag[2];
	struct cs_secret key[2]; /* of the enclaves */
	struct cs_hash x[2];
	struct sim_flight flights[SIM_FLIGHTS];
	size_t flight_count;
	struct sim_relayed pool[2][SIM_POOL]; /* to be brought to each side */
	size_t pool_next[2];
	/* Of side 0's blocks. */
	struct cmt_validator updates[SIM_HEIGHTS_MAX][BFT_UPDATES_MAX];
	size_t update_count[SIM_HEIGHTS_MAX];
	bool has_updates[SIM_HEIGHTS_MAX];
	bool must_be_out[SIM_NODES_MAX]; /* keys of which evidence was committed in time */
	/* What was reached. */
	size_t delivered, refunded, retried, jailed, tombstoned, snapshots, exports;
};

/* ---- ledger.c ---- */

struct sim_ledger *sim_ledger_new(const struct sim *sim, enum sim_side side,
				  struct cs_hash *genesis);
/* With nothing on its disk. */
struct sim_ledger *sim_ledger_empty(enum sim_side side);
enum cs_err sim_ledger_init_chain(struct sim_ledger *ledger, struct cs_hash *hash,
				  struct cs_bytes app_state, const char *chain_id,
				  const struct abci_validator_updates *validators);
/* A process over the disk as it is. */
void sim_ledger_open(struct sim_ledger *ledger);
void sim_ledger_free(struct sim_ledger *ledger);
/* The arena begins anew. */
struct abci_call sim_ledger_call(struct sim_ledger *ledger);
/* The answer lies in the ledger's arena until the next call. */
struct abci_finalize_block_response
sim_ledger_finalize(struct sim_ledger *ledger, const struct abci_finalize_block_request *request);
void sim_ledger_commit(struct sim_ledger *ledger);
struct cs_address sim_ledger_address(unsigned account);
struct cs_secret sim_ledger_secret(unsigned account);
const char *sim_ledger_caip2(enum sim_side side);
struct cs_bytes sim_ledger_query(struct sim_ledger *ledger, const char *path, struct cs_bytes data);
/* A view's answer; nothing where it reverts. */
struct cs_bytes sim_ledger_ask(struct sim_ledger *ledger, uint8_t number, const char *signature,
			       const struct cs_hash *words, size_t count);
/* A stored block of a node's, as it is finalized. */
struct abci_request sim_ledger_block(struct sim *sim, const struct sim_node *node,
				     struct cs_bytes bytes);

/* ---- ledger_txs.c ---- */

/* Calls signed by the account, with this sequence. */
struct cs_bytes sim_ledger_sign(struct sim_ledger *ledger, struct cs_buf *out, unsigned account,
				uint64_t sequence, const struct ledger_tx_call *calls,
				size_t count);
uint64_t sim_ledger_sequence(struct sim_ledger *ledger, unsigned account);
/* Transactions of users, operators and relayers of this side, in memory of the caller: `out` begins
 * where the last one ends. */
size_t sim_ledger_txs(struct sim *sim, struct sim_ledger *ledger, struct cs_bytes *txs,
		      size_t count_max, struct cs_buf *out);

/* ---- ledger_pair.c ---- */

void sim_pair_new(struct sim *sim);
void sim_pair_free(struct sim_pair *pair);
/* A transaction by the owner, if there is one to be made: the other side's gateway and key, routes,
 * the bridge. */
bool sim_pair_found(struct sim *sim, struct sim_ledger *ledger, struct cs_bytes *tx,
		    struct cs_buf *out);
/* A user sends a message, or a part of the asset: calldata and contract. */
size_t sim_pair_send(struct sim *sim, enum sim_side side, uint8_t *input, size_t size_max,
		     struct cs_address *to);
/* What a block's transactions sent, by its answer. */
void sim_pair_observe(struct sim *sim, enum sim_side side,
		      const struct abci_finalize_block_response *response);
/* Side 0 has a new block, which this node's ledger has committed: what is proven is signed, some of
 * it is brought; side 1 makes a block; both are compared. */
void sim_pair_step(struct sim *sim, struct sim_ledger *near);

/* ---- ledger_check.c ---- */

/* After a commit: all that is owned adds up. */
void sim_ledger_check(struct sim *sim, struct sim_ledger *ledger, const char *who);
/* The validators' deposits are the set, and whom evidence names is out. */
void sim_ledger_check_set(struct sim *sim, struct sim_node *node);
/* Of both sides. */
void sim_pair_check(struct sim *sim, struct sim_ledger *near);

#endif
