/* What shows an enclave that events are in final blocks: the proofs of the receipts that hold them with
 * each event's place there, and, of blocks that left the light client's window, the headers between.
 * It gathers these for one call; nothing of it is believed before the enclave has seen it. */
#ifndef ADAPTERS_CLAIMS_H
#define ADAPTERS_CLAIMS_H

#include "adapters/follow.h"
#include "core/limits.h"

/* So far below its newest final block the light client still holds blocks (VERIFY_EVM_WINDOW_MAX is
 * twice that), unless it began later. */
#define ADAPTER_CLAIMS_INSIDE 250u

struct adapter_claimed_receipt {
	struct adapter_block_id block;
	uint32_t tx_index;
	struct adapter_proof proof; /* in the arena */
	bool has_proof;
	size_t claims_from;
	/* of the newest question; OK: it was answered, or none was asked */
	enum cs_err err;
	char why[160];
};

/* The first part is the owner's to fill in, the rest zero; the second is for him to read. */
struct adapter_claims {
	struct adapter *adapter;
	struct cs_arena *arena; /* as long as the claims */
	void *context;
	/* Once after every adapter_claims_ask or _walk that began something. why: a sentence, or
	 * ""; WRONG_EVENT: a receipt does not hold its event. Of proofs it is the first failure:
	 * adapter_claims_failed tells those of each event. */
	void (*done)(void *context, enum cs_err err, const char *why);
	/* events */
	size_t count;
	struct cs_hash ids[CS_BATCH_MAX];
	uint32_t receipt_of[CS_BATCH_MAX];
	uint32_t log_index[CS_BATCH_MAX]; /* in the receipt */
	struct adapter_claimed_receipt receipts[CS_BATCH_MAX];
	size_t receipt_count;
	/* of blocks that left the window: a stretch at a time, downwards from walk_top */
	struct cs_bytes headers[ADAPTER_HEADERS_MAX];
	size_t header_count;
	uint64_t walk_top; /* 0: not begun */
	/* claims.c's */
	size_t walk_mark;          /* of the arena */
	bool placed[CS_BATCH_MAX]; /* its log index is known */
	unsigned waiting;
	enum cs_err err;
	char why[160];
};

/* One more event, of the transaction at this place: at most CS_BATCH_MAX. */
void adapter_claims_add(struct adapter_claims *claims, const struct cs_hash *id,
			const struct adapter_block_id *block, uint32_t tx_index);
/* What was kept of the event i, of an earlier proof of the same block: it is not asked for then. proof: of
 * adapter_proof_encode. MALFORMED, TOO_LARGE; NO_MEMORY: of the arena. */
CS_NODISCARD enum cs_err adapter_claims_give(struct adapter_claims *claims, size_t i,
					     struct cs_bytes proof, uint32_t log_index);
/* Asks for the proofs. An error: none could be asked for, and adapter_claims_failed tells it of each. done is
 * not called then, nor when nothing had to be asked for (adapter_claims_are_there). */
CS_NODISCARD enum cs_err adapter_claims_ask(struct adapter_claims *claims);
/* Every event has its proof. */
bool adapter_claims_are_there(const struct adapter_claims *claims);
/* Why the event i could not be shown, its own reason in *why: a sentence, or "". OK: it has its proof, or nobody
 * was asked. */
CS_NODISCARD enum cs_err adapter_claims_failed(const struct adapter_claims *claims, size_t i,
					       const char **why);
/* Leaves out the events that are not kept, and receipts without any. */
void adapter_claims_keep(struct adapter_claims *claims, const bool *kept);
/* The lowest block that the light client holds for sure: inside of its window, and not below where it
 * begins. */
uint64_t adapter_claims_inside(const struct adapter_follow *follow);
/* The client refused a block as too old: asks for the next stretch of headers on the way from its
 * window down to `lowest`. False: the whole way was shown. A block that is below a stretch is refused
 * again, but the client has then reached the stretch's end, and the next one joins there. */
bool adapter_claims_walk(struct adapter_claims *claims, const struct adapter_follow *follow,
			 uint64_t lowest);

/* A proof to be kept: in the arena. NO_MEMORY. Of receipts alone. */
CS_NODISCARD enum cs_err adapter_proof_encode(struct cs_bytes *bytes, struct cs_arena *arena,
					      const struct adapter_proof *proof);
/* Views of bytes. MALFORMED; TOO_LARGE: more nodes, or a larger one, than a proof has. */
CS_NODISCARD enum cs_err adapter_proof_decode(struct adapter_proof *proof, struct cs_bytes bytes);

/* Into a request, in the arena: NO_MEMORY. */
CS_NODISCARD enum cs_err adapter_proof_to_pb(Caisson__Wire__ProofNodes **out,
					     struct cs_arena *arena,
					     const struct adapter_proof *proof);
CS_NODISCARD enum cs_err adapter_claims_headers(const struct adapter_claims *claims,
						ProtobufCBinaryData **headers, size_t *count);

#endif
