/* An EVM block header: the fields that every fork has, and whatever follows them as opaque bytes
 * that are hashed with the rest. Parses and hashes; whether a header is to be believed is the light
 * client's question.
 *
 * Sources: go-ethereum core/types/block.go (fields), consensus/clique (sealing hash),
 * hyperledger/besu QbftExtraDataCodec and BftBlockHashing, quorum consensus/istanbul (QBFT). */
#ifndef VERIFY_EVM_HEADER_H
#define VERIFY_EVM_HEADER_H

#include "core/rlp.h"

/* Signers of Clique, validators of QBFT: as many as seal in practice, and as fit a header. */
#define VERIFY_EVM_SIGNERS_MAX 64u
/* Fields of a header: 21 in Prague, 23 announced. */
#define VERIFY_EVM_FIELDS_MAX 40u
#define VERIFY_EVM_FIELDS_MIN 15u

/* 32 bytes of vanity before everything else in extraData, 65 of r, s, v in a seal. */
#define VERIFY_EVM_VANITY_SIZE 32u
#define VERIFY_EVM_SEAL_SIZE 65u

/* Views into the caller's bytes. */
struct verify_evm_header {
	struct cs_bytes raw; /* the whole RLP */
	struct cs_hash parent;
	struct cs_hash uncles;
	struct cs_address coinbase;
	struct cs_hash state_root;
	struct cs_hash transactions_root;
	struct cs_hash receipts_root;
	struct cs_u256 difficulty;
	uint64_t number;
	uint64_t gas_limit;
	uint64_t gas_used;
	uint64_t time_s;
	struct cs_bytes extra;
	struct cs_hash mix_hash;
	uint64_t nonce;
	size_t field_count;
	struct cs_bytes before_extra; /* the fields before extraData, as they are encoded */
	struct cs_bytes after_extra;
};

/* TOO_LARGE above CS_HEADER_SIZE_MAX bytes or VERIFY_EVM_FIELDS_MAX fields, MISSING_FIELD below 15,
 * and the errors of rlp.h. Trailing fields must be canonical RLP. */
CS_NODISCARD enum cs_err verify_evm_header_read(struct verify_evm_header *header,
						struct cs_bytes raw);

/* keccak256 of the RLP: the block hash everywhere but under QBFT and IBFT. */
struct cs_hash verify_evm_header_hash(const struct verify_evm_header *header);

/* What a Clique seal signs: the header without the last 65 bytes of extraData. TRUNCATED when there
 * are not 32 + 65. */
CS_NODISCARD enum cs_err verify_clique_seal_hash(struct cs_hash *hash,
						 const struct verify_evm_header *header);

/* QBFT's extraData = RLP [vanity 32, [validators], vote, round, [seals]]; vote = [] or [address,
 * 0xff | empty | 0x00]. Views into the header. */
struct verify_qbft_extra {
	struct cs_bytes head; /* vanity, validators and vote, as they are encoded */
	struct cs_address validators[VERIFY_EVM_SIGNERS_MAX];
	size_t validator_count; /* 0: the chain keeps them in a contract */
	bool has_vote;
	bool vote_adds;
	struct cs_address vote_address;
	uint32_t round;
	struct cs_bytes seals[VERIFY_EVM_SIGNERS_MAX]; /* 65 bytes each */
	size_t seal_count;
};

/* MALFORMED and the errors of rlp.h, TOO_LARGE, DUPLICATE for a validator listed twice. */
CS_NODISCARD enum cs_err verify_qbft_extra_read(struct verify_qbft_extra *extra,
						const struct verify_evm_header *header);
/* The block hash: round 0 and no seals. */
struct cs_hash verify_qbft_block_hash(const struct verify_evm_header *header,
				      const struct verify_qbft_extra *extra);
/* What a committed seal signs: the real round and no seals. */
struct cs_hash verify_qbft_commit_digest(const struct verify_evm_header *header,
					 const struct verify_qbft_extra *extra);

#endif
