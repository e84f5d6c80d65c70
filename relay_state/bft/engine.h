/* What the files of the engine share: its memory, and the functions by which one part calls
 * another. Not for users of the engine. */
#ifndef BFT_ENGINE_H
#define BFT_ENGINE_H

#include "relay_state/bft/bft.h"
#include "relay_state/bft/evidence.h"
#include "relay_state/bft/message.h"
#include "relay_state/bft/sync.h"
#include "relay_state/bft/votes.h"

/* Blocks of one height in memory: locked, valid, of the proposals of three rounds, and one that a
 * quorum of strangers voted for. */
#define BFT_SLOTS 6u
/* Tree of a part set: 34 bytes a leaf, 16 a level. */
#define BFT_SLOT_TREE_SIZE 8192u
/* A proposal and two votes of this round, as many of the next, and two that wait since before. */
#define BFT_SIGN_QUEUE 8u
/* Beside twice the block: an answer to a STATUS, an extended commit, a state; all evidence. */
#define BFT_OUT_SIZE (768u * 1024 + 2 * BFT_EVIDENCE_POOL_SIZE)
/* Effects that a step must always find room for. */
#define BFT_EFFECTS_RESERVE 48u

enum bft_validity {
	BFT_UNKNOWN = 0,
	BFT_VALID,
	BFT_INVALID,
};

enum bft_verdict {
	BFT_NOT_ASKED = 0,
	BFT_ASKED,
	BFT_ACCEPTED,
	BFT_REJECTED,
};

struct bft_slot {
	bool used;
	bool complete;
	struct cmt_block_id id;
	uint64_t have; /* bit i: part i is there */
	uint8_t *bytes;
	size_t size;
	enum bft_validity validity;
	enum bft_verdict verdict; /* of ProcessProposal */
	struct cs_pb_time time;   /* of its header, once complete and readable */
	struct cmt_header header;
	struct cmt_part_set parts; /* once complete */
	uint8_t *tree;
};

struct bft_round {
	bool used;
	int32_t round;
	bool has_proposal;
	struct cmt_proposal proposal;
	struct bft_votes prevotes;
	struct bft_votes precommits;
	/* "for the first time" of lines 34, 36, 47. */
	bool prevote_wait, precommit_wait, polka_done;
	uint32_t refused; /* bit i: the application refused an extension of validator i */
};

struct bft_to_sign {
	struct bft_sign_request request;
	bool needs_extension; /* the application has not given it yet */
	bool asked;
	struct cs_hash hash;
	uint8_t extension[BFT_EXTENSION_SIZE_MAX];
};

struct bft_peer {
	bool is_validator;
	struct cs_address address;
	bool has_told;        /* since this start: what it holds of us */
	int64_t told_height;  /* at which it was then */
	int64_t alarm_height; /* of its last vote of our key that its signer's memory contradicts */
	int32_t evidence_work; /* signatures that it may still make us check; below 0: owed */
	size_t stashed;        /* bytes of the stash that are its own */
};

struct bft {
	struct bft_config config;
	struct bft_state state;
	int64_t height;
	int32_t round;
	enum bft_step_name step;
	int64_t now_ns;
	size_t own; /* index in state.now, SIZE_MAX: no validator */
	struct cs_address address;

	int32_t locked_round;
	struct cmt_block_id locked_id;
	int32_t valid_round;
	struct cmt_block_id valid_id;
	struct bft_round *rounds;               /* config.rounds_kept */
	int32_t round_seen[BFT_VALIDATORS_MAX]; /* the highest of each validator's votes, -1 */
	struct bft_slot slots[BFT_SLOTS];
	bool has_wanted; /* a block that a quorum voted for and that is not here */
	struct cmt_block_id wanted_id;
	bool prepare_asked;      /* of this round */
	size_t prepare_evidence; /* entries of the pool that this block will carry */
	bool txs_available;
	bool proof_due; /* the next header proves what the last block did */

	bool is_decided;
	size_t decided_slot;
	bool decided_stored;           /* it came out of the store */
	struct bft_votes *decided;     /* precommits that decided */
	struct bft_votes *last_commit; /* those of the block before; round -1: none */
	struct bft_votes commits[2];

	struct bft_to_sign queue[BFT_SIGN_QUEUE];
	size_t queue_count;
	struct bft_sign_state signed_last; /* as START found it, raised by the peers since */

	/* Priorities of the proposer's choice, at this round. */
	struct bft_set turn;
	int32_t turn_round;

	bool started;
	bool replaying;
	bool halted;
	bool may_sign;
	int64_t sign_from; /* below nothing is signed: the peers that told were further */
	uint32_t ticks;    /* of the status timer, since START */

	struct bft_peer peers[BFT_PEERS_MAX];
	struct bft_sync sync;
	uint8_t *stash;
	size_t stash_begin, stash_end;
	int64_t moved_height; /* at the last tick of BFT_TIMER_STATUS */
	int32_t moved_round;
	enum bft_step_name moved_step;

	struct bft_evidence_pool evidence;

	struct bft_effects effects;
	struct bft_effect trash;
	struct cs_buf out; /* what effects point to */
	struct cs_arena scratch;
	struct bft_event logged; /* the event in work, and whether it is in the log */
	bool is_logged;
};

/* ---- bft.c: effects, log, dispatch ---- */

/* A new effect at the end of the list; while replaying one that nobody sees. */
struct bft_effect *bft_emit(struct bft *bft, enum bft_effect_type type);
void bft_emit_timer(struct bft *bft, enum bft_timer timer, int64_t delay_ns);
/* Dropped when the step has no room left: whoever misses it asks again. */
void bft_send(struct bft *bft, uint32_t peer, const struct bft_message *message);
void bft_fault(struct bft *bft, uint32_t peer, enum cs_err err, bool provable);
void bft_halt(struct bft *bft, const char *why);
/* The event in work changes the state: it is written down, once, before it acts. */
void bft_log(struct bft *bft);
void bft_log_as(struct bft *bft, const struct bft_event *event);
void bft_handle(struct bft *bft, const struct bft_event *event);
/* What the signer remembers of the height in work and the log does not: lock and place. Asked
 * whenever a height begins: a node may be behind what its key has signed. */
void bft_remember_signed(struct bft *bft);
bool bft_is_validator(const struct bft *bft);
/* Of the height in work: once it is applied and not yet committed, the state is one ahead. */
const struct cmt_validator_set *bft_validators(const struct bft *bft);
bool bft_has_extensions(const struct bft *bft, int64_t height);
bool bft_demands_extension(const struct bft *bft, const struct cmt_vote *vote);
/* Room for an encoding of at most size_max bytes; bft_out_end gives what was written. False:
 * none. */
bool bft_out_begin(struct bft *bft, struct cs_buf *buf, size_t size_max);
struct cs_bytes bft_out_end(struct bft *bft, const struct cs_buf *buf);
/* What an effect points to must live until the next step, not only as long as the event. */
struct cs_bytes bft_out_copy(struct bft *bft, struct cs_bytes bytes);

/* ---- rounds.c: rounds, slots, proposer ---- */

struct bft_round *bft_round_find(struct bft *bft, int32_t round);
/* Finds it or makes room; NULL for an old one that no rule asks for when there is none. */
struct bft_round *bft_round_open(struct bft *bft, int32_t round);
size_t bft_proposer(struct bft *bft, int32_t round);
struct bft_slot *bft_slot_find(struct bft *bft, const struct cmt_block_id *id);
/* Finds it or makes room; NULL when all slots are needed or the block is too large. */
struct bft_slot *bft_slot_open(struct bft *bft, const struct cmt_block_id *id);
void bft_slot_free(struct bft_slot *slot);
/* All bytes are there: reads, checks and judges them. */
void bft_slot_complete(struct bft *bft, struct bft_slot *slot);
size_t bft_block_size_max(const struct bft *bft);

/* ---- rules.c: the paper's ---- */

void bft_start_round(struct bft *bft, int32_t round);
void bft_settle(struct bft *bft);
void bft_on_timeout(struct bft *bft, const struct bft_event *event);
void bft_adopt_lock(struct bft *bft, int32_t round, const struct cmt_block_id *id);
/* This place was signed and forgotten: nothing can be signed up to it, so the next round begins. */
void bft_skip_signed(struct bft *bft, int32_t round, enum bft_sign_step step);
void bft_ask_process(struct bft *bft, struct bft_slot *slot);
void bft_ask_prepare(struct bft *bft);

/* ---- propose.c: own blocks, proposals and parts of others ---- */

void bft_on_prepared(struct bft *bft, const struct bft_event *event);
void bft_on_processed(struct bft *bft, const struct bft_event *event);
void bft_on_proposal(struct bft *bft, uint32_t peer, const struct cmt_proposal *proposal);
void bft_on_part(struct bft *bft, uint32_t peer, const struct bft_message *message);
void bft_send_proposal(struct bft *bft, uint32_t peer, const struct bft_round *round);
void bft_send_parts(struct bft *bft, uint32_t peer, const struct bft_slot *slot, uint64_t have,
		    int32_t round);

/* ---- voting.c: votes of others, own signatures ---- */

/* Index, address, signature, and the extension where the height has them. */
CS_NODISCARD enum cs_err bft_check_vote(struct bft *bft, const struct cmt_vote *vote,
					const struct cmt_validator_set *set);
void bft_on_vote(struct bft *bft, uint32_t peer, const struct cmt_vote *vote);
void bft_on_extension_verified(struct bft *bft, const struct bft_event *event);
void bft_want(struct bft *bft, enum bft_sign_step step, const struct cmt_block_id *id,
	      int32_t pol_round);
void bft_pump_signer(struct bft *bft);
void bft_on_extended(struct bft *bft, const struct bft_event *event);
void bft_on_signed(struct bft *bft, const struct bft_event *event);
void bft_on_sign_refused(struct bft *bft, const struct bft_event *event);
void bft_ask_extension(struct bft *bft, const struct bft_to_sign *entry);
void bft_ask_verify_extension(struct bft *bft, const struct cmt_vote *vote);

/* ---- finish.c: decision to next height ---- */

void bft_decide(struct bft *bft, struct bft_slot *slot);
void bft_ask_finalize(struct bft *bft);
void bft_on_finalized(struct bft *bft, const struct bft_event *event);
void bft_on_committed(struct bft *bft, const struct bft_event *event);
/* The commit that these precommits make; sigs: BFT_VALIDATORS_MAX of them. */
void bft_commit_of(struct cmt_commit *commit, struct cmt_commit_sig *sigs,
		   const struct bft_votes *votes, const struct cmt_validator_set *set,
		   int64_t height, const struct cmt_block_id *id);
/* Conflicts of the last height become evidence: durable (EVIDENCE) before anything else. */
void bft_ripen(struct bft *bft);
/* Tells the peers what they have not been told. */
void bft_tell_evidence(struct bft *bft);
/* Precommits out of a commit that was verified. */
void bft_votes_of_commit(struct bft_votes *votes, const struct cmt_commit *commit,
			 const struct cmt_validator_set *set);
void bft_enter_height(struct bft *bft);
/* Round 0, at once or when the timer says so. */
void bft_begin_height(struct bft *bft);
/* A whole block of this height with a commit: verified, decided. */
CS_NODISCARD enum cs_err bft_take_block(struct bft *bft, struct cs_bytes block,
					struct cs_bytes commit);

/* ---- gossip.c: status, own votes, peers, stash, blocks for others ---- */

void bft_on_status(struct bft *bft, uint32_t peer, const struct bft_status *status);
void bft_send_status(struct bft *bft, uint32_t peer);
void bft_on_tick(struct bft *bft);
void bft_on_own_ask(struct bft *bft, uint32_t peer, const struct bft_message *message);
void bft_on_own_votes(struct bft *bft, uint32_t peer, const struct bft_message *message);
void bft_ask_own(struct bft *bft, uint32_t peer);
void bft_raise_from_log(struct bft *bft);
void bft_check_may_sign(struct bft *bft);
void bft_on_peer_up(struct bft *bft, const struct bft_event *event);
void bft_on_peer_down(struct bft *bft, const struct bft_event *event);
void bft_stash(struct bft *bft, uint32_t peer, struct cs_bytes bytes);
void bft_unstash(struct bft *bft);
void bft_on_block_request(struct bft *bft, uint32_t peer, int64_t height);
void bft_on_block_loaded(struct bft *bft, const struct bft_event *event);
void bft_on_block_answer(struct bft *bft, uint32_t peer, const struct bft_message *message);
/* Asks for blocks, as many as may be under way. */
void bft_pump_sync(struct bft *bft);
/* Decides with the block of this height that came before its turn, where there is one. */
void bft_take_held(struct bft *bft);

#endif
