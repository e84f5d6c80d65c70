/* Tendermint consensus (arXiv 1807.04938) as a pure machine: one event in, a bounded list of
 * effects out. It has no clock, file, socket or random number, and allocates only in bft_new; it
 * makes and believes the blocks, votes and commits of CometBFT 0.38.
 *
 * The shell around it executes the effects strictly in order and may die between any two of them:
 * every input that changes the state of a height is in the log (LOG) before it acts, and the log
 * is synced (SYNC) before anything of our own leaves. After a start the shell feeds the log's
 * records of the unfinished height (bft_replay), then START.
 *
 * Application, disk, signer and network are behind effects and answers: whether they are in
 * process, slow, remote or dead is the shell's affair. An effect that asks (PREPARE, PROCESS,
 * EXTEND, VERIFY_EXTENSION, FINALIZE, COMMIT, SIGN, LOAD) is answered by one event, any time
 * later. */
#ifndef BFT_BFT_H
#define BFT_BFT_H

#include "relay_state/bft/evidence.h"
#include "relay_state/bft/sign_state.h"

/* Rounds of one height whose votes are kept. Older ones that are neither locked, valid nor the
 * proposal's POL go first; whoever precommitted in one of them is locked, so that nothing is lost
 * but time. */
#define BFT_ROUNDS_KEPT_DEFAULT 16u
#define BFT_ROUNDS_KEPT_MAX 64u
#define BFT_ROUNDS_KEPT_MIN 8u
/* How far above our round votes are kept; of rounds further up only the highest of each validator
 * is remembered, for the rule of f + 1 (line 55). */
#define BFT_ROUNDS_AHEAD 2
/* Messages of the next height that came early; what does not fit is asked for by STATUS. */
#define BFT_STASH_SIZE_DEFAULT (256u * 1024)
/* Effects of one step: every rule fires at most once; an answer to a STATUS is four sets of votes
 * and the parts of a block at most. What is sent to others is left out when the room ends: they
 * ask again. */
#define BFT_EFFECTS_MAX 256u

/* Ticks of the status timer for which a node waits after a start until more than two thirds of the
 * others' power has told what it holds of us; then a quorum that counts us is enough. */
#define BFT_TOLD_PATIENCE 10u

#define BFT_PEER_ALL UINT32_MAX
#define BFT_PEER_NONE (UINT32_MAX - 1)

/* ---- events ---- */

enum bft_event_type {
	BFT_EVENT_START = 1, /* once, after the replay */
	BFT_EVENT_TIMEOUT,
	BFT_EVENT_MESSAGE,
	BFT_EVENT_PEER_UP,
	BFT_EVENT_PEER_DOWN,
	BFT_EVENT_TXS_AVAILABLE,
	BFT_EVENT_PREPARED,
	BFT_EVENT_PROCESSED,
	BFT_EVENT_EXTENDED,
	BFT_EVENT_EXTENSION_VERIFIED,
	BFT_EVENT_FINALIZED,
	BFT_EVENT_COMMITTED,
	BFT_EVENT_SIGNED,
	BFT_EVENT_SIGN_REFUSED,
	BFT_EVENT_BLOCK_LOADED,
	BFT_EVENT_CONTINUE, /* after an effect CONTINUE */
	BFT_EVENT_EVIDENCE, /* that no peer brought: from an earlier life, of a person */
	BFT_EVENT_END
};

enum bft_timer {
	BFT_TIMER_COMMIT = 1, /* until round 0 of the next height begins */
	BFT_TIMER_PROPOSE,
	BFT_TIMER_PREVOTE,
	BFT_TIMER_PRECOMMIT,
	BFT_TIMER_STATUS, /* says where we are, asks again for what is missing */
	BFT_TIMER_END
};

/* One input. now_ns is the shell's wall clock at the moment it arrived; it may jump. Bytes are read
 * during the step and not kept by reference. */
struct bft_event {
	enum bft_event_type type;
	int64_t now_ns;
	int64_t height; /* TIMEOUT and the answers: as in the effect that asked */
	int32_t round;
	enum bft_timer timer; /* TIMEOUT */
	uint32_t peer;        /* MESSAGE, PEER_UP, PEER_DOWN, BLOCK_LOADED: below BFT_PEERS_MAX */
	bool is_validator;    /* PEER_UP: it has proven to be the validator of `address` */
	struct cs_address address;
	struct cs_bytes bytes;      /* MESSAGE; EXTENDED: the extension; BLOCK_LOADED: the block;
				       EVIDENCE: tendermint.types.Evidence */
	const struct cs_bytes *txs; /* PREPARED */
	size_t tx_count;
	bool accepted;           /* PROCESSED, EXTENSION_VERIFIED; BLOCK_LOADED: it was there */
	struct cs_hash hash;     /* PROCESSED, EXTENDED: of the block */
	uint32_t index;          /* EXTENSION_VERIFIED: of the validator */
	enum bft_sign_step step; /* SIGNED, SIGN_REFUSED */
	int64_t time_ns;         /* SIGNED: what was signed */
	uint8_t signature[BFT_SIGNATURE_SIZE];
	uint8_t extension_signature[BFT_SIGNATURE_SIZE];
	struct cs_bytes extension;             /* SIGNED: what was signed */
	struct cs_bytes commit;                /* BLOCK_LOADED: a commit of the block */
	const struct bft_finalized *finalized; /* FINALIZED, see state.h */
};

/* ---- effects ---- */

enum bft_effect_type {
	BFT_EFFECT_LOG = 1,          /* append bytes to the log (BFT_WAL_EVENT) */
	BFT_EFFECT_SYNC,             /* fsync the log */
	BFT_EFFECT_SEND,             /* bytes to peer, or to BFT_PEER_ALL */
	BFT_EFFECT_TIMER,            /* (re)start this timer: delay_ns, height, round */
	BFT_EFFECT_SIGN,             /* ask the signer, through bft_sign_state; answer SIGNED or
					SIGN_REFUSED */
	BFT_EFFECT_RAISE,            /* bft_sign_state_raise with `sign` and the signatures, written
					and fsynced; no answer */
	BFT_EFFECT_PREPARE,          /* bytes: the extended commit of the block before, empty at the
					first height; evidence: tendermint.types.EvidenceList of
					what the block will carry; size_max: of all txs, each with its field's
					tag and length */
	BFT_EFFECT_PROCESS,          /* bytes: the block; hash */
	BFT_EFFECT_EXTEND,           /* bytes: the block; hash */
	BFT_EFFECT_VERIFY_EXTENSION, /* bytes: the extension; hash, index, address */
	BFT_EFFECT_STORE,            /* durable before the next effect: block (bytes), block_id and
					a commit of it (commit; with extensions where they are on) */
	BFT_EFFECT_FINALIZE,         /* bytes: the block, block_id; answer FINALIZED */
	BFT_EFFECT_SAVE_STATE,       /* durable before the next effect: bft_state_view */
	BFT_EFFECT_COMMIT,           /* the application persists; the log's records of this height
					and below may go; answer COMMITTED */
	BFT_EFFECT_LOAD,             /* the stored block of height, for peer */
	BFT_EFFECT_PEER_FAULT, /* err; provable: signed by the peer's own doing, a ban is just */
	BFT_EFFECT_EVIDENCE,   /* bytes: tendermint.types.Evidence that this node found or took,
				  durable before the next effect: after START the shell brings
				  it again, by EVIDENCE, and once more after the COMMIT of a block
				  that was stored at the start, and not applied */
	BFT_EFFECT_ALARM,      /* why: somebody must look; the engine goes on */
	BFT_EFFECT_HALT,       /* why: nothing more is done until a person decided */
	BFT_EFFECT_CONTINUE,   /* step again with CONTINUE, soon */
};

/* Views are valid until the next step. */
struct bft_effect {
	enum bft_effect_type type;
	uint32_t peer;
	int64_t height;
	int32_t round;
	enum bft_timer timer;
	int64_t delay_ns;
	struct cs_bytes bytes;
	struct cs_bytes commit;
	struct cs_bytes evidence;
	struct cs_hash hash;
	struct cmt_block_id block_id;
	uint32_t index;
	struct cs_address address;
	size_t size_max;
	struct bft_sign_request sign;
	struct cs_bytes sign_bytes;            /* SIGN: what the key signs */
	struct cs_bytes extension_sign_bytes;  /* SIGN: where the request has an extension */
	uint8_t signature[BFT_SIGNATURE_SIZE]; /* RAISE */
	uint8_t extension_signature[BFT_SIGNATURE_SIZE]; /* RAISE */
	enum cs_err err;
	bool provable;
	const char *why; /* static */
};

struct bft_effects {
	size_t count;
	struct bft_effect *items; /* the engine's memory, BFT_EFFECTS_MAX of them */
};

/* ---- configuration ---- */

/* The index of the proposer of (height, round) in the set. The same at every node: a function of
 * its arguments and of blocks alone. */
typedef size_t (*bft_proposer_fn)(void *context, const struct cmt_validator_set *set,
				  int64_t height, int32_t round);

struct bft_config {
	/* At most BFT_BLOCK_SIZE_MAX; 0: that. Larger blocks are invalid here, so that it is one value
	 * for all nodes of a chain, and not below the chain's parameter (where that says more, or -1,
	 * BFT_BLOCK_SIZE_MAX). */
	size_t block_size_max;
	uint32_t rounds_kept; /* 0: the default */
	size_t stash_size;
	/* Of the round: base + round × delta. */
	int64_t propose_ns, propose_delta_ns;
	int64_t prevote_ns, prevote_delta_ns;
	int64_t precommit_ns, precommit_delta_ns;
	int64_t commit_ns; /* 0: the next height begins at once */
	int64_t status_ns; /* not 0 */
	/* Round 0 begins when TXS_AVAILABLE (after START or COMMITTED) says so, when another one
	 * proposes, when the last block changed the application's hash, which only the next header
	 * proves (that of a block before START is not remembered), or after empty_ns; 0: never. */
	bool wait_for_txs;
	int64_t empty_ns;
	bool has_key;
	struct cs_ed25519_key key;
	bft_proposer_fn proposer; /* NULL: CometBFT's priorities */
	void *proposer_context;
	struct bft_history history;
};

/* ---- the machine ---- */

struct bft;

/* One allocation, as large as the configuration says. state: the chain after its last block,
 * copied. last_commit: the extended commit of that block, empty at genesis. NO_MEMORY; INVALID: the
 * configuration, one that is too small for the state's blocks included; the errors of
 * cmt_commit_verify. */
CS_NODISCARD enum cs_err bft_new(struct bft **bft, const struct bft_config *config,
				 const struct bft_state *state, struct cs_bytes last_commit);
void bft_free(struct bft *bft);

/* A record of the log, before START, in order. Records of other heights do nothing; one that this
 * height cannot read is MALFORMED (another build wrote it, or it is damaged). */
CS_NODISCARD enum cs_err bft_replay(struct bft *bft, struct cs_bytes record);
/* START: the last-sign state that the signer loaded, or an empty one. */
void bft_set_sign_state(struct bft *bft, const struct bft_sign_state *signed_last);
/* *effects belongs to the engine and lives until the next step. OK also for input that is refused:
 * the refusal is an effect. INVALID for an event that no effect asked for, CLOSED after HALT. */
CS_NODISCARD enum cs_err bft_step(struct bft *bft, const struct bft_event *event,
				  const struct bft_effects **effects);

/* ---- looking inside ---- */

enum bft_step_name {
	BFT_STEP_NEW_HEIGHT = 1,
	BFT_STEP_PROPOSE,
	BFT_STEP_PREVOTE,
	BFT_STEP_PRECOMMIT,
	BFT_STEP_COMMIT,
};

struct bft_view {
	int64_t height;
	int32_t round;
	enum bft_step_name step;
	int32_t locked_round; /* -1: none */
	struct cmt_block_id locked_id;
	int32_t valid_round;
	struct cmt_block_id valid_id;
	bool may_sign; /* peers have told what they hold of us, or there is nobody to ask */
	bool halted;
};

struct bft_view bft_look(const struct bft *bft);
struct bft_votes;
/* The votes of a round of the height in work (votes.h), NULL when none are kept; until the next
 * step. */
const struct bft_votes *bft_look_votes(const struct bft *bft, int32_t round,
				       enum cmt_signed_type type);
/* The block that the proposal of this round is for. False: there is no proposal. */
bool bft_look_proposal(const struct bft *bft, struct cmt_block_id *id);
/* Whose turn it is: an index in bft_look_set. */
size_t bft_look_proposer(struct bft *bft);
/* Who validates at the height in work. */
const struct cmt_validator_set *bft_look_set(const struct bft *bft);
/* Bytes of transactions that the next block has room for when it carries no evidence. */
size_t bft_look_data_room(const struct bft *bft);
/* The chain after its last block: what SAVE_STATE saves. */
const struct bft_state *bft_state_view(const struct bft *bft);
/* Evidence that waits for a block; until the next step. */
size_t bft_evidence_waiting(const struct bft *bft);
struct cs_bytes bft_evidence_at(const struct bft *bft, size_t index);
bool bft_evidence_waits(const struct bft *bft, const struct cs_hash *hash);

#endif
