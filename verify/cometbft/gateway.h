/* What the gateway of a Caisson ledger says under an application hash: the words that an EVM gateway
 * has in its storage (docs/protocol/envelope.md section 5), each a value of the ledger's state tree,
 * proven by ICS-23. The gateway is the ledger's built-in contract 1: it has no code hash, and its key
 * 0x01 ‖ 's' ‖ slot is nobody else's. */
#ifndef CMT_GATEWAY_H
#define CMT_GATEWAY_H

#include "verify/cometbft/ics23.h"
#include "wire/envelope.h"

/* A word of the gateway: zero when the proof is of absence. MALFORMED for a value that is no word, or
 * zero, and the errors of cmt_ics23_lookup; as of all below. */
CS_NODISCARD enum cs_err cmt_gateway_word(struct cs_hash *word, const struct cs_hash *app_hash,
					  const struct cs_hash *slot, struct cs_bytes proof);

/* Is this the gateway of the identity? It binds the chain's id and tag and the gateway's address.
 * NO_SENTINEL (missing or of another identity). */
CS_NODISCARD enum cs_err cmt_gateway(const struct cs_hash *app_hash, const struct cs_hash *identity,
				     struct cs_bytes sentinel);
/* The two bits of (source, sequence). INVALID for sequence 0. */
CS_NODISCARD enum cs_err cmt_gateway_status(enum wire_status *status,
					    const struct cs_hash *app_hash,
					    const struct cs_hash *source, uint64_t sequence,
					    struct cs_bytes proof);
/* The key of (remote, epoch). MALFORMED for a state above 3 or bits that the layout does not have. */
CS_NODISCARD enum cs_err cmt_gateway_key(struct wire_key *key, const struct cs_hash *app_hash,
					 const struct cs_hash *remote, uint64_t epoch,
					 struct cs_bytes x, struct cs_bytes window);
/* Was the message sent? The word that says so stays for ever; its bits are the gateway's own. */
CS_NODISCARD enum cs_err cmt_gateway_sent(bool *sent, const struct cs_hash *app_hash,
					  const struct cs_hash *message_id, struct cs_bytes proof);

#endif
