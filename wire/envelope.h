/* The envelope: the preimages that both ends hash or sign, the tags of all others, and the calls
 * that carry signed statements to an EVM gateway. docs/protocol/envelope.md is the specification,
 * tests/vectors/envelope/ what independent code computed from it. */
#ifndef WIRE_ENVELOPE_H
#define WIRE_ENVELOPE_H

#include "core/buf.h"
#include "core/hash.h"
#include "core/limits.h"
#include "core/sig.h"

/* Section 3: what a batch states. */
enum wire_kind {
	WIRE_KIND_MESSAGE = 1,
	WIRE_KIND_OUTCOME = 2,
	WIRE_KIND_ROTATION = 3,
	WIRE_KIND_ANSWER = 4,
};

/* Section 4: two bits at the destination. */
enum wire_status {
	WIRE_STATUS_NONE = 0,
	WIRE_STATUS_FAILED = 1,
	WIRE_STATUS_DELIVERED = 2,
	WIRE_STATUS_DEAD = 3,
};

/* Keys made under the simulated backend or an insecure_* flag sign under the second tag. */
enum wire_domain {
	WIRE_DOMAIN_SECURE,
	WIRE_DOMAIN_INSECURE,
};

/* Section 2: all that a messageId commits to, hashes in place of the variable parts. closer and
 * refund_to are words. */
struct wire_message_head {
	struct cs_hash source;
	struct cs_hash destination;
	uint64_t sequence;
	uint64_t deadline;
	struct cs_hash sender_hash;
	struct cs_hash recipient_hash;
	struct cs_hash payload_hash;
	uint64_t min_gas_limit;
	struct cs_hash closer;
	struct cs_hash refund_to;
	uint8_t finality;
};

/* sender and recipient are ERC-7930 bytes; views. */
struct wire_message {
	struct wire_message_head head;
	struct cs_bytes sender;
	struct cs_bytes recipient;
	struct cs_bytes payload;
};

struct wire_outcome {
	struct cs_hash message_id;
	enum wire_status status; /* delivered or dead */
};

/* What is signed; the digest binds all of it. */
struct wire_statement {
	enum wire_kind kind;
	struct cs_hash signer;
	struct cs_hash receiver;
	uint64_t epoch;
	uint64_t manifest_number;
	struct cs_hash root; /* of the batch as it was signed */
};

/* A statement with its signature. path: the siblings that lead from the part at hand up to the
 * root; none for the whole. */
struct wire_signed {
	struct wire_statement statement;
	struct cs_schnorr signature;
	size_t path_count;
	struct cs_hash path[CS_PATH_MAX];
};

/* The tags of the specifications, in one table with their hashes. */
enum wire_tag {
#define WIRE_TAG(name, text, hash) WIRE_TAG_##name,
#include "wire/tags.def"
#undef WIRE_TAG
};
const struct cs_hash *wire_tag(enum wire_tag tag);
/* A chain's raw address as a word: left-padded up to 32 bytes, hashed above. */
struct cs_hash wire_word(struct cs_bytes address);
/* Section 1. caip2 is the chain id's text, address the chain's raw address of the gateway. */
struct cs_hash wire_identity(struct cs_bytes caip2, const struct cs_hash *genesis,
			     struct cs_bytes address);
/* The hash that administrators sign and the next manifest names (docs/protocol/manifest.md). body:
 * the canonical JSON of the member "manifest". */
struct cs_hash wire_manifest_hash(struct cs_bytes body);
struct cs_hash wire_attributes_hash(const struct wire_message_head *head);
struct cs_hash wire_message_id(const struct wire_message_head *head);
/* The three hashes of head follow from the variable parts: INVALID when one differs, TOO_LARGE for
 * a part above its bound. */
CS_NODISCARD enum cs_err wire_message_check(const struct wire_message *message);
/* Fills the three hashes of the head from the variable parts. */
void wire_message_seal(struct wire_message *message);

struct cs_hash wire_leaf_message(const struct cs_hash *message_id);
struct cs_hash wire_leaf_outcome(const struct cs_hash *message_id, enum wire_status status);
struct cs_hash wire_leaf_rotation(uint64_t new_epoch, const struct cs_hash *new_key);
struct cs_hash wire_node(const struct cs_hash *a, const struct cs_hash *b);
/* count from 1 to CS_BATCH_MAX, else a bug. */
struct cs_hash wire_root(const struct cs_hash *leaves, size_t count);
/* The siblings of the leaf at index, from the bottom up; returns how many. */
size_t wire_path(struct cs_hash path[CS_PATH_MAX], const struct cs_hash *leaves, size_t count,
		 size_t index);
struct cs_hash wire_fold(const struct cs_hash *root, const struct cs_hash *path, size_t path_count);
struct cs_hash wire_digest(const struct wire_statement *statement, enum wire_domain domain);
/* part: root of the leaves at hand. BAD_SIGNATURE unless part folded with the path is the
 * statement's root and the signature over its digest is the key's. */
CS_NODISCARD enum cs_err wire_signed_verify(const struct cs_sig *sig,
					    const struct wire_signed *statement,
					    const struct cs_hash *part, const struct cs_hash *key,
					    enum wire_domain domain);

/* ---- section 5: storage of an EVM gateway ---- */

/* Slot 0 and what it holds. */
struct cs_hash wire_evm_sentinel_slot(void);
struct cs_hash wire_evm_sentinel_value(const struct cs_hash *own);
struct cs_hash wire_evm_status_slot(const struct cs_hash *source, uint64_t sequence);
/* The two bits of the sequence in the word of that slot. */
enum wire_status wire_evm_status(const struct cs_hash *word, uint64_t sequence);
/* The word that is not zero once a message was sent: of a ledger's gateway alone. */
struct cs_hash wire_evm_sent_slot(const struct cs_hash *message_id);
/* Word 0 or 1 of the Key of a remote's epoch. */
struct cs_hash wire_evm_key_slot(const struct cs_hash *remote, uint64_t epoch, unsigned word);
#define WIRE_EVM_KEY_WORDS 2u

enum wire_key_state {
	WIRE_KEY_ABSENT = 0,
	WIRE_KEY_ACTIVE = 1,
	WIRE_KEY_SUSPENDED = 2,
	WIRE_KEY_REVOKED = 3,
};
struct wire_key {
	struct cs_hash x;
	enum wire_key_state state;
	uint64_t not_before_s;
	uint64_t not_after_s; /* 0: none */
};
/* The words of a Key. MALFORMED for a state above 3 or bits above 135 of word 1. */
CS_NODISCARD enum cs_err wire_evm_key(struct wire_key *out,
				      const struct cs_hash words[WIRE_EVM_KEY_WORDS]);

/* ---- section 5: events ---- */

struct cs_hash wire_evm_topic_message_sent(void);
struct cs_hash wire_evm_topic_message_committed(void);
struct cs_hash wire_evm_topic_message_status(void);
struct cs_hash wire_evm_topic_message_finalized(void);

/* ---- section 5: calls ---- */

enum wire_call {
	WIRE_CALL_DELIVER,
	WIRE_CALL_RETRY,
	WIRE_CALL_CLOSE,
	WIRE_CALL_EXPIRE,
	WIRE_CALL_FINALIZE,
	WIRE_CALL_ANNOUNCE_ROTATION,
};
#define WIRE_CALL_COUNT 6u

/* deliver, expire: 1 to CS_BATCH_MAX messages; retry, close: exactly one. The recipient of each
 * must be an account of 20 bytes: the error of cs_interop_account otherwise; INVALID for a wrong count.
 * TOO_LARGE when buf is too small. */
CS_NODISCARD enum cs_err wire_evm_call_messages(struct cs_buf *buf, enum wire_call call,
						const struct wire_signed *statement,
						const struct wire_message *messages, size_t count);
/* Upper bound of that calldata's size, for the buffer. */
size_t wire_evm_call_messages_size(const struct wire_signed *statement,
				   const struct wire_message *messages, size_t count);
CS_NODISCARD enum cs_err wire_evm_call_finalize(struct cs_buf *buf,
						const struct wire_signed *statement,
						const struct wire_outcome *outcomes, size_t count);
CS_NODISCARD enum cs_err wire_evm_call_announce_rotation(struct cs_buf *buf,
							 const struct wire_signed *statement,
							 uint64_t new_epoch,
							 const struct cs_hash *new_key);
/* Selector, identity and statement of 13 words, CS_PATH_MAX siblings, CS_BATCH_MAX outcomes. */
#define WIRE_EVM_CALL_FINALIZE_SIZE_MAX (4u + 32u * (16u + CS_PATH_MAX + 2u * CS_BATCH_MAX))
#define WIRE_EVM_CALL_ROTATION_SIZE_MAX (4u + 32u * (16u + CS_PATH_MAX))

#endif
