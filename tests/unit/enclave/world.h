/* A small world for tests of the enclave: one EVM chain whose headers, storage and receipts are
 * made here, the gateway contract on it as the layout of docs/protocol/envelope.md has it, a remote
 * gateway with a key of its own, and an enclave in memory. */
#ifndef TESTS_UNIT_ENCLAVE_WORLD_H
#define TESTS_UNIT_ENCLAVE_WORLD_H

#include "../support.h"
#include "core/arena.h"
#include "core/sig.h"
#include "enclave/enclave.h"
#include "wire/convert.h"
#include "wire/envelope.h"

#define WORLD_BLOCKS_MAX 64
#define WORLD_SLOTS_MAX 32
#define WORLD_RECEIPTS_MAX 16
#define WORLD_START UINT64_C(1700000000)

struct world_slot {
	struct cs_hash slot;
	struct cs_hash value;
};

struct world_block {
	uint64_t height;
	uint64_t time_s;
	struct cs_hash hash;
	struct cs_bytes raw;
	size_t slot_count;
	struct world_slot slots[WORLD_SLOTS_MAX];
	size_t receipt_count;
	struct cs_bytes receipts[WORLD_RECEIPTS_MAX];
	bool account_absent;
	struct cs_hash code_hash;
};

struct world {
	struct manifest manifest;
	struct enclave_launch launch;
	struct enclave *e;
	struct enclave_secrets *secrets;
	struct cs_sig *sig;
	struct verify_time now;
	struct cs_hash own;    /* identity of the gateway of the chain */
	struct cs_hash remote; /* of the other one */
	struct cs_secret remote_key;
	struct cs_hash remote_x;
	/* What the next block holds. */
	struct world_block next;
	size_t block_count;
	struct world_block blocks[WORLD_BLOCKS_MAX];
	/* Of the last step. */
	struct cs_arena arena;
	enum cs_err err;
	struct cs_why why;
	struct cs_bytes reply;
};

/* A chain of one block (the anchor, height 0), a manifest of one chain in insecure_dev_head with 2
 * confirmations and a margin of 10 s, an enclave that answered hello. */
struct world *world_new(void);
/* Another enclave of the same world, with what launch and manifest say now; hello is answered. */
void world_restart(struct world *w);
/* Init and ClientCreate. */
void world_begin(struct world *w);
void world_free(struct world *w);

/* Seals the next block: one second later, slots stay, receipts are gone afterwards. */
struct world_block *world_mine(struct world *w);
/* A block on any parent, of any time; not added to the chain. */
struct world_block world_block_on(const struct world *w, const struct world_block *parent,
				  uint64_t time_s, uint8_t salt);
/* ClientUpdate with all blocks from a height on. */
void world_update(struct world *w, uint64_t from);
/* count more blocks, and the client knows them. */
void world_advance(struct world *w, size_t count);

void world_store(struct world *w, const struct cs_hash *slot, const struct cs_hash *value);
/* Own gateway as the remote's destination: the status of a sequence. */
void world_set_status(struct world *w, uint64_t sequence, enum wire_status status);
void world_register_key(struct world *w, uint64_t epoch, const struct cs_hash *x,
			enum wire_key_state state, uint64_t not_before, uint64_t not_after);
/* Registers the remote's key of epoch 1, makes it final and lets the enclave learn it. */
void world_learn(struct world *w);
/* The same with the state and the window that the contract tells. */
void world_learn_as(struct world *w, enum wire_key_state state, uint64_t not_before,
		    uint64_t not_after);
/* The sealed state, a copy. */
struct cs_bytes world_export(struct world *w);

/* A message from the own gateway to the remote (out) or back (in). */
struct wire_message_head world_head(const struct world *w, bool out, uint64_t sequence);
struct wire_message world_message(const struct world *w, uint64_t sequence);
/* One receipt with the logs of these messages, emitted by the address under the topic. Returns the
 * receipt's index. */
uint32_t world_emit(struct world *w, const struct wire_message_head *heads, size_t count,
		    const struct cs_address *emitter, const struct cs_hash *topic);
/* One receipt with one log of these topics. */
uint32_t world_emit_topics(struct world *w, const struct cs_address *emitter,
			   const struct cs_hash *topics, size_t count);

/* Proofs in the form of the schema, kept for the test's life. */
Caisson__Wire__ProofNodes *world_receipt_proof(const struct world_block *block, uint32_t index);
Caisson__Wire__ProofNodes *world_account_proof(const struct world *w,
					       const struct world_block *block);
Caisson__Wire__ProofNodes *world_slot_proof(const struct world_block *block,
					    const struct cs_hash *slot);

ProtobufCBinaryData pb(struct cs_bytes bytes);
ProtobufCBinaryData pb_hash(const struct cs_hash *hash);

/* One step; err, why and reply are of the answer. The reply's message, NULL after a refusal. */
ProtobufCMessage *world_step(struct world *w, enum wire_type type, const ProtobufCMessage *request);
ProtobufCMessage *world_ok(struct world *w, enum wire_type type, const ProtobufCMessage *request);
void world_refused(struct world *w, enum wire_type type, const ProtobufCMessage *request,
		   enum cs_err err);

/* A statement of the remote over leaves, signed by a key. */
struct wire_signed world_sign(const struct world *w, enum wire_kind kind,
			      const struct cs_hash *leaves, size_t count,
			      const struct cs_secret *key);
Caisson__Wire__Statement *world_statement(const struct wire_signed *st);
Caisson__Wire__MessageHead *world_pb_head(const struct wire_message_head *head);
Caisson__Wire__MessageFull *world_pb_message(const struct wire_message *message);

#endif
