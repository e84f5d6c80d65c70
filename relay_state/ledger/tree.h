/* The state tree: what commits the application's hash to every value of the ledger, and proves that
 * a key has a value or none (ADR 36). A compact sparse Merkle tree over SHA-256 of the key with the
 * hashes of ICS-23's SmtSpec (cosmos/ics23 go/proof.go), stored as pages of four levels among the
 * pairs of a versioned store. Knows nothing of what keys and values mean.
 *
 *     leaf  = SHA-256( 0x00 ‖ SHA-256(key) ‖ SHA-256(value) )
 *     inner = SHA-256( 0x01 ‖ left ‖ right ), bits of the key's hash from the most significant on
 *     a subtree with one leaf is that leaf; with none, 32 zero bytes
 *
 * A page is at the path of the nibbles that all of its leaves share, and has for each next nibble
 * nothing, one leaf (its key, and the hash of its value), or the page below (its hash). A page below
 * the root has two leaves at least: what has one is that leaf, in the page above. The root's page
 * has the empty path, and is not there when nothing is. So the pages follow from the pairs alone. */
#ifndef LEDGER_TREE_H
#define LEDGER_TREE_H

#include "core/buf.h"
#include "core/hash.h"
#include "relay_state/ledger/state.h"

/* An absence proof: two neighbours with their values, of at most 20 KiB, and at most 256 steps of 41
 * bytes. The bound of who reads it: CMT_ICS23_PROOF_SIZE_MAX. */
#define LEDGER_PROOF_SIZE_MAX 65536u

/* The root of the version (0: the newest). Failures of all: those of ledger_db.get; DAMAGED: a page
 * that does not read or does not have the hash that its parent says, or a value that is not the
 * tree's; NO_MEMORY. */
CS_NODISCARD enum cs_err ledger_tree_root(struct cs_hash *root, const struct ledger_db *db,
					  uint64_t version, struct cs_arena *arena);

/* What the changes of values make of the newest tree, before they are committed: its new root, and
 * the changes of pages, in the arena. What is removed need not have been there. Work and memory are
 * bounded by the number of changes times the tree's depth. */
CS_NODISCARD enum cs_err ledger_tree_update(struct cs_hash *root, struct ledger_changes *pages,
					    const struct ledger_db *db,
					    const struct ledger_changes *values,
					    struct cs_arena *arena);

/* The proof for a key at the version, as ICS-23's CommitmentProof in protobuf: of existence with its
 * value when it is there, else of absence by its neighbours; *value is empty and *exists false then.
 * TOO_LARGE: the buffer, which is not to be used then. NOT_FOUND: the tree is empty, of which ICS-23
 * has no proof. UNAVAILABLE: the version is not kept. */
CS_NODISCARD enum cs_err ledger_tree_prove(struct cs_buf *proof, struct cs_bytes *value,
					   bool *exists, const struct ledger_db *db,
					   uint64_t version, struct cs_bytes key,
					   struct cs_arena *arena);

#endif
