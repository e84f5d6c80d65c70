/* A transaction of the ledger: bytes, what is signed, and who may sign for an account. Reads one
 * canonical form and refuses every other; verifies signatures, and knows no balance and no block.
 *
 *     transaction = body ‖ signatures
 *     body        = version (1) ‖ chain tag (32) ‖ sender (20) ‖ sequence (8) ‖ valid until (8)
 *                   ‖ gas limit (8) ‖ gas price (16) ‖ count of calls (1) ‖ calls
 *     call        = to (20) ‖ value (32) ‖ size (4) ‖ input
 *     signatures  = kind (1) ‖ what the kind says
 *
 * Numbers are big-endian. What is signed is H( TAG("caisson/ledger/transaction/v1") ‖ H(body) ), H
 * being keccak-256; the transaction's hash is SHA-256 of its bytes, as everywhere in CometBFT.
 *
 * Accounts: of a secp256k1 key the address of Ethereum (the last 20 bytes of keccak-256 of the
 * point), of an Ed25519 key the one of CometBFT (the first 20 bytes of SHA-256 of the key), of a
 * multisignature the first 20 bytes of H( TAG("caisson/ledger/multisig/v1") ‖ threshold (32) ‖ member
 * addresses, ascending, 32 each ): a key has the same address here as where it comes from. */
#ifndef LEDGER_TX_H
#define LEDGER_TX_H

#include "core/buf.h"
#include "core/sig.h"
#include "core/u256.h"

#define LEDGER_TX_VERSION 1u
/* A batch of 64 deliveries with the longest payloads is 1.1 MiB. */
#define LEDGER_TX_SIZE_MAX (2u * 1024 * 1024)
/* A gateway's records of one block go into one transaction. */
#define LEDGER_CALLS_MAX 64u
#define LEDGER_MULTISIG_MAX 16u

enum ledger_signature_kind {
	LEDGER_SECP256K1 = 1, /* r (32) ‖ s (32) ‖ parity (1); s in the lower half */
	LEDGER_ED25519 = 2,   /* key (32) ‖ signature (64) */
	LEDGER_MULTISIG = 3,  /* threshold (1) ‖ members (1) ‖ of each, ascending by address:
			         address (20) ‖ 0, or 1 or 2 and that kind's signature */
};

/* The longest of one key, with its kind. */
#define LEDGER_SIGNATURE_SIZE_MAX 97u

struct ledger_tx_call {
	struct cs_address to;
	struct cs_u256 value;
	struct cs_bytes input; /* a view */
};

struct ledger_tx {
	struct cs_hash chain; /* the tag of the chain: ledger_chain_tag */
	struct cs_address sender;
	uint64_t sequence;
	uint64_t valid_until; /* Unix seconds of a block's time, 0: no end */
	uint64_t gas_limit;
	uint64_t gas_price_high; /* of 128 bits, in the smallest unit */
	uint64_t gas_price_low;
	size_t call_count;
	struct ledger_tx_call calls[LEDGER_CALLS_MAX];
	struct cs_bytes body;       /* as it was read */
	struct cs_bytes signatures; /* the rest */
};

/* Of the chain's id and the root of its state at genesis: two private chains may share an id, and
 * do not share this. H( TAG("caisson/ledger/chain/v1") ‖ H(chain id) ‖ genesis time (32) ‖ initial
 * height (32) ‖ root ). */
struct cs_hash ledger_chain_tag(struct cs_bytes chain_id, uint64_t genesis_time_s,
				uint64_t initial_height, const struct cs_hash *root);

/* Of 1 to LEDGER_MULTISIG_MAX members in ascending order, of whom the threshold signs. */
struct cs_address ledger_multisig_address(uint8_t threshold, const struct cs_address *members,
					  size_t count);

/* TRUNCATED, TOO_LARGE (bytes, calls), INVALID (no call), UNSUPPORTED (version). Views into the
 * bytes; what stands behind the calls are the signatures, which are not looked at. */
CS_NODISCARD enum cs_err ledger_tx_decode(struct ledger_tx *tx, struct cs_bytes bytes);
/* The body; signatures are the caller's to add. */
void ledger_tx_encode_body(struct cs_buf *buf, const struct ledger_tx *tx);
/* What is signed. */
struct cs_hash ledger_tx_digest(struct cs_bytes body);

/* Are these signatures over the digest those of the sender? BAD_SIGNATURE (fewer than the threshold
 * too), WRONG_KEY (good ones of another account), UNSUPPORTED (kind), NON_CANONICAL (s in the upper
 * half, members not ascending, a threshold of 0 or above them, more signatures than the threshold),
 * TOO_LARGE (members), TRUNCATED, TRAILING. CRYPTO is no answer but a failure of the library. */
CS_NODISCARD enum cs_err ledger_tx_verify(const struct ledger_tx *tx, const struct cs_sig *sig);
/* How many signatures that takes, for their gas. The errors of the form. */
CS_NODISCARD enum cs_err ledger_tx_signature_count(const struct ledger_tx *tx, size_t *count);

#endif
