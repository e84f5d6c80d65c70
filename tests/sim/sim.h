/* A deterministic simulator of the BFT engine: some nodes, a virtual clock, one seed for
 * everything that happens. What a real node's shell does (log, store, signer, application, network)
 * is done here over memory, with faults between any two effects. The same seed gives the same run,
 * byte by byte. */
#ifndef TESTS_SIM_H
#define TESTS_SIM_H

#include "core/hash.h"
#include "relay_state/bft/bft.h"
#include "relay_state/bft/message.h"
#include "relay_state/bft/record.h"
#include "relay_state/bft/wal.h"

#include <stdio.h>

#define SIM_NODES_MAX 12u
#define SIM_HEIGHTS_MAX 400
#define SIM_BLOCK_SIZE (16u * 1024)
#define SIM_LOG_SIZE_MAX (4u * 1024 * 1024)
#define MS 1000000ll

/* ---- random numbers ---- */

struct sim_rng {
	uint64_t state;
};

uint64_t sim_random(struct sim_rng *rng);
/* 0 to n - 1. */
uint64_t sim_below(struct sim_rng *rng, uint64_t n);
/* True p times in 10,000. */
bool sim_chance(struct sim_rng *rng, unsigned p);

/* ---- what a node has on its disk ---- */

struct sim_block {
	uint8_t *bytes;
	size_t size;
	uint8_t *commit;
	size_t commit_size;
	struct cmt_block_id id;
	struct cs_pb_time time;
	struct bft_set *validators; /* of this height, once applied */
	uint8_t *state;             /* after it */
	size_t state_size;
	struct cs_hash *evidence; /* hashes of what it carried */
	size_t evidence_count;
};

/* A tendermint.types.Evidence that waits, or did. */
struct sim_evidence {
	struct cs_hash hash; /* of the bytes */
	uint8_t *bytes;
	size_t size;
};

struct sim_app {
	int64_t height;
	struct cs_hash hash;
	struct cs_hash results; /* of the last block's transactions */
};

struct sim_disk {
	uint8_t *log;
	size_t log_size, log_synced;
	bool marked; /* the last fsync has its mark in the log */
	uint8_t slots[2][BFT_SIGN_SLOT_SIZE];
	uint8_t state[BFT_STATE_SIZE_MAX];
	size_t state_size;
	int64_t stored; /* highest block */
	struct sim_block blocks[SIM_HEIGHTS_MAX];
	struct sim_evidence *evidence;
	size_t evidence_count;
	struct sim_app app;
};

/* An old copy of the small files, for restores of a backup. */
struct sim_backup {
	bool taken;
	uint8_t slots[2][BFT_SIGN_SLOT_SIZE];
	uint8_t *log;
	size_t log_size;
};

enum sim_role {
	SIM_HONEST = 0,
	SIM_TWIN,     /* an honest engine whose key another one has too */
	SIM_LIAR,     /* an honest engine whose shell lies: liar.c */
	SIM_FORGER,   /* an honest engine whose key signs for light clients what is not the chain's:
			 attack.c */
	SIM_RESTORED, /* an honest engine whose whole memory of its votes is an old copy */
};

enum sim_disk_fault {
	SIM_DISK_FLIPS = 0, /* bits of the log */
	SIM_DISK_OLD_SLOTS,
	SIM_DISK_OLD_LOG,
	SIM_DISK_OLD_DATA, /* all but the signer's memory: a rollback, or lost and partly restored */
	SIM_DISK_OLD_BOTH, /* beyond what is promised: the peers' memory is all that is left */
	SIM_DISK_FAULTS
};

struct sim_node {
	unsigned index;
	unsigned key; /* index of the key; twins share one */
	enum sim_role role;
	bool up;
	bool halted;
	uint32_t life; /* grows with every start: what was under way for an older one is void */
	struct bft *bft;
	struct bft_sign_state signed_last;
	unsigned slot_next;
	struct sim_disk disk;
	struct sim_ledger *ledger; /* of ledger.c: its application and what that has on disk */
	struct sim_backup backup;
	uint32_t timer_generation[BFT_TIMER_END];
	int64_t stored_at_start;
	int64_t clock_skew_ns;
	int64_t app_delay_ns; /* the application's slowest answer */
	uint64_t tx_counter;
	bool bad_disk; /* loses what was synced, or is restored from backups */
	enum sim_disk_fault disk_fault;
};

/* ---- what happens ---- */

enum sim_happening_type {
	SIM_DELIVER = 1,
	SIM_TIMER,
	SIM_ANSWER,
	SIM_RESTART,
	SIM_CHANGE, /* of partitions, clocks; scheduled crashes */
	SIM_HEAL,
	SIM_OBSERVE, /* somebody who saw an attack on light clients tells nodes */
};

struct sim_happening {
	int64_t at_ns;
	uint64_t sequence;
	enum sim_happening_type type;
	unsigned node;
	uint32_t life;
	unsigned from;
	uint32_t generation;
	struct bft_event event; /* TIMER, ANSWER */
	uint8_t *bytes;         /* owned: the message, or what the event points to */
	size_t size;
};

/* Attacks on light clients, and what only looks like one. */
enum sim_attack_kind {
	SIM_LUNATIC = 0,
	SIM_FORWARD, /* lunatic, above the chain */
	SIM_EQUIVOCATION,
	SIM_AMNESIA,
	SIM_ATTACK_KINDS
};

struct sim_attack {
	enum sim_attack_kind kind;
	bool is_attack; /* enough power has signed it */
	bool taken;     /* by an honest node, durably */
	struct cs_hash hash;
	int64_t judged_from; /* last height of a state that can judge it */
	uint8_t *bytes;
	size_t size;
};

#define SIM_ATTACKS_MAX 12u

struct sim_vote {
	int64_t height;
	int32_t round;
	enum cmt_signed_type type;
	unsigned key;
	struct cmt_block_id id;
};

struct sim_faults {
	unsigned loss, duplicate; /* of 10,000 messages */
	unsigned precommit_loss;  /* of 10,000 precommits: locks without decisions */
	int64_t delay_ns, jitter_ns;
	unsigned crash;     /* of 10,000 effects */
	unsigned flip;      /* of 10,000 restarts: a bit of the log */
	unsigned restore;   /* of 10,000 restarts: an old copy of something */
	unsigned roll_back; /* of 10,000 restarts: heights back, but for the signer's memory */
	unsigned skew;      /* clocks are moved */
	unsigned slow;      /* of 10,000 answers of the application */
	unsigned partition; /* of 10,000 changes */
};

struct sim {
	uint64_t seed;
	struct sim_rng rng;
	int64_t now_ns;
	uint64_t sequence;
	struct sim_happening *heap;
	size_t heap_count, heap_max;
	unsigned nodes, keys;
	struct sim_node node[SIM_NODES_MAX];
	struct cs_secret secret[SIM_NODES_MAX];
	struct cs_ed25519_key key[SIM_NODES_MAX];
	struct cs_address address[SIM_NODES_MAX];
	bool blocked[SIM_NODES_MAX][SIM_NODES_MAX]; /* from, to */
	struct sim_faults faults;
	bool healed;
	int64_t heal_at_ns;
	bool extensions;
	bool set_changes;
	bool whispers;    /* liars tell one node alone their second votes */
	bool forgers;     /* more guilty ones than that, who attack light clients alone */
	bool above_f;     /* more guilty ones than the protocol bears: no agreement is demanded */
	bool roll_backs;  /* every bad disk goes some heights back */
	bool above_disks; /* more nodes than that may lose what they had synced: no progress is */
	struct bft_config config;
	struct bft_state genesis;
	struct cs_arena scratch;
	uint8_t *scratch_memory;
	bool trace;
	uint64_t trace_hash;
	uint64_t steps, crashes, restores, decisions, carried, rounds_max, syncs;
	/* for the checks */
	bool is_decided[SIM_HEIGHTS_MAX];
	struct cmt_block_id decided[SIM_HEIGHTS_MAX];
	struct cs_hash app_hash[SIM_HEIGHTS_MAX];
	bool has_app_hash[SIM_HEIGHTS_MAX];
	struct sim_vote *votes; /* every vote that anybody sent, once */
	size_t vote_count, vote_max;
	bool forked;
	struct sim_attack attacks[SIM_ATTACKS_MAX];
	size_t attack_count;
	uint64_t lies;           /* told to honest nodes, and refused */
	uint64_t restored_twice; /* votes against own ones by SIM_RESTORED */
	struct sim_pair
		*pair; /* of ledger.c: the ledger on the other side, and what is known of both */
	char failure[256];
};

#define sim_trace(sim, ...)                  \
	do {                                 \
		if ((sim)->trace)            \
			printf(__VA_ARGS__); \
	} while (0)

/* world.c */
void sim_init(struct sim *sim, uint64_t seed, bool above, bool trace);
void sim_done(struct sim *sim);
void sim_schedule(struct sim *sim, int64_t delay_ns, struct sim_happening *happening);
void sim_run(struct sim *sim);
/* The first failure stays. */
void sim_fail(struct sim *sim, const char *format, ...) CS_PRINTF(2, 3);
void sim_mix(struct sim *sim, const void *p, size_t n);
void sim_network(struct sim *sim, unsigned from, unsigned to, struct cs_bytes bytes);

/* node.c */
void sim_node_start(struct sim *sim, struct sim_node *node);
void sim_node_crash(struct sim *sim, struct sim_node *node);
void sim_node_event(struct sim *sim, struct sim_node *node, const struct bft_event *given);
/* What the node itself hears later in this life, with bytes of its own. */
void sim_answer(struct sim *sim, struct sim_node *node, int64_t delay_ns,
		const struct bft_event *event, struct cs_bytes bytes);
int64_t sim_node_clock(const struct sim *sim, const struct sim_node *node);
void sim_node_free(struct sim_node *node);
/* Whether a block that this node's state has applied carried the evidence of this hash. */
bool sim_is_carried(const struct sim_node *node, const struct cs_hash *hash);
/* The answers of bft_history; the context is the node. */
struct bft_history sim_history(struct sim_node *node);

/* evidence.c */
void sim_evidence_found(struct sim *sim, struct sim_node *node, struct cs_bytes bytes);
void sim_evidence_committed(struct sim_node *node);
void sim_evidence_bring(struct sim *sim, struct sim_node *node);
void sim_evidence_free(struct sim_disk *disk);
void sim_check_evidence(struct sim *sim, struct sim_node *node, struct cs_bytes bytes);
void sim_check_carried(struct sim *sim, const struct sim_node *node, const struct cmt_block *block);
void sim_check_logged(struct sim *sim, const struct sim_node *node, int64_t height);
void sim_check_waiting(struct sim *sim, const struct sim_node *node);

/* attack.c */
/* Somebody tells some honest nodes of an attack, or lies to them. */
void sim_observe(struct sim *sim);
/* NULL: nobody has made this. */
struct sim_attack *sim_attack_of(struct sim *sim, const struct cmt_evidence *evidence);
/* Every attack that was taken is in a block of every honest node. */
bool sim_attacks_are_carried(const struct sim *sim);
uint64_t sim_attacks_taken(const struct sim *sim);

/* app.c, or ledger.c, which is the ledger's application: one of them is linked */
/* How much longer a network runs until it heals: what the application does takes time. */
int64_t sim_app_life_ns(void);
/* What all seeds together reached, in words, or nothing. */
void sim_app_report(void);
/* Each validator's power at genesis. */
int64_t sim_app_power(const struct sim *sim);
struct cs_hash sim_app_genesis(struct sim *sim);
/* A process begins, over what its disk has. */
void sim_app_start(struct sim *sim, struct sim_node *node);
/* Transactions of a proposal by sim_put_tx, and how many. */
uint32_t sim_app_prepare(struct sim *sim, struct sim_node *node, struct cs_buf *txs);
/* The application's state after the block of these bytes on top of the node's, which stays. */
void sim_app_finalize(struct sim *sim, struct sim_node *node, struct sim_app *after,
		      struct cs_bytes bytes);
/* The same, and it is the node's from now on. */
void sim_app_commit(struct sim *sim, struct sim_node *node, struct cs_bytes bytes);
/* Back to an earlier height. */
void sim_app_take_back(struct sim *sim, struct sim_node *node, int64_t height);
/* ProcessProposal. */
bool sim_app_accepts(struct sim *sim, struct sim_node *node, struct cs_bytes block);
/* What must hold when all is over. */
void sim_app_check_end(struct sim *sim, struct sim_node *node);
void sim_app_free(struct sim_node *node);
void sim_app_done(struct sim *sim);
/* The changes of validators that the block of a height made, at most BFT_UPDATES_MAX. */
size_t sim_app_updates(struct sim *sim, int64_t height, struct cmt_validator *updates);

/* answer.c */
void sim_app_answer(struct sim *sim, struct sim_node *node, const struct bft_effect *effect);
/* A transaction of a proposal as it travels to the engine: size (2), bytes. */
void sim_put_tx(struct cs_buf *buf, struct cs_bytes tx);

/* check.c */
void sim_check_send(struct sim *sim, struct sim_node *node, struct cs_bytes bytes);
void sim_check_store(struct sim *sim, struct sim_node *node, const struct bft_effect *effect);
void sim_check_app(struct sim *sim, struct sim_node *node, int64_t height,
		   const struct cs_hash *hash);
/* Changes of validators are in force two heights later, in the state as the engine saves it. */
void sim_check_state(struct sim *sim, struct sim_node *node, const struct bft_state *state);
void sim_check_view(struct sim *sim, struct sim_node *node);
/* After the replay of a log that lost nothing it had promised. */
void sim_check_replay(struct sim *sim, struct sim_node *node);
/* 8: after a fork the votes that were sent convict f + 1 keys at least, and none that is honest. */
void sim_check_fork(struct sim *sim);
bool sim_is_guilty(const struct sim *sim, unsigned key);
unsigned sim_key_of(const struct sim *sim, const struct cs_address *address);

/* liar.c: what leaves a lying node; true when it was taken care of. */
bool sim_lie(struct sim *sim, struct sim_node *node, uint32_t to, struct cs_bytes bytes);

#endif
