/* Proofs of receipts in the journal, of messages that wait for their signature: a node may have forgotten the receipts by
 * then. They are of this message's block and no other; nothing of them is believed before the enclave has seen it. */
#ifndef GATEWAY_JOURNAL_PROOFS_H
#define GATEWAY_JOURNAL_PROOFS_H

#include "gateway/journal.h"

struct gateway_proofs_kept {
	uint64_t count; /* of receipts */
	uint64_t bytes; /* of their proofs */
};

CS_NODISCARD enum cs_err gateway_journal_proofs_kept(struct gateway_journal *journal,
						     struct gateway_proofs_kept *kept);
/* In place of the one that the message has, if it has one. proof: of adapter_proof_encode; log_index: in
 * the receipt. It goes with the move that ends the message's waiting. Inside a writer. */
CS_NODISCARD enum cs_err gateway_journal_keep_proof(struct gateway_journal *journal,
						    const struct gateway_message *message,
						    struct cs_bytes proof, uint32_t log_index);
/* The proof in the arena. NOT_FOUND: none is kept for the message as it is placed now. */
CS_NODISCARD enum cs_err gateway_journal_proof(struct gateway_journal *journal,
					       const struct gateway_message *message,
					       struct cs_arena *arena, struct cs_bytes *proof,
					       uint32_t *log_index);
/* Inside a writer. */
CS_NODISCARD enum cs_err gateway_journal_forget_proof(struct gateway_journal *journal, uint64_t n);

/* Messages of the chain, whatever their state, that were sent in a higher block than `height`, or there and are above
 * n, in this order. */
CS_NODISCARD enum cs_err gateway_journal_from_height(struct gateway_journal *journal,
						     const struct cs_hash *chain, uint64_t height,
						     uint64_t n, struct gateway_message *messages,
						     size_t count_max, size_t *count);
/* The lowest block that a message still waits to be signed from; 0: none does. */
CS_NODISCARD enum cs_err gateway_journal_lowest_unsigned(struct gateway_journal *journal,
							 const struct cs_hash *chain,
							 uint64_t *height);

#endif
