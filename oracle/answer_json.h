/* A signed answer, or a signed round of a feed, as one JSON document ("kind": "oracle-answer",
 * "oracle-round"): what REST returns and `caisson verify` reads without a network. It never signs,
 * and takes no member on faith: what follows from others is computed again. docs/rest.md describes
 * the documents. */
#ifndef ORACLE_ANSWER_JSON_H
#define ORACLE_ANSWER_JSON_H

#include "core/caip.h"
#include "wire/envelope.h"
#include "wire/oracle.h"
#include "wire/spec.h"

#include <jansson.h>

#define ORACLE_ANSWER_KIND "oracle-answer"
#define ORACLE_ANSWER_KIND_ROUND "oracle-round"
/* Scratch of the functions below: spec and value with their trees, arguments, rows. */
#define ORACLE_ANSWER_ARENA_SIZE (4u * 1024 * 1024)
/* The document as text: spec and value in hex, arguments and names with every character escaped. */
#define ORACLE_ANSWER_SIZE_MAX (256u * 1024)

/* Where a request of a chain was made; its identity is the receiver of the answer. */
struct oracle_answer_contract {
	char caip2[CS_CAIP2_SIZE_MAX + 1];
	struct cs_hash genesis;
	struct cs_address address;
};

/* Views belong to the caller, or to the arena after reading. Of request, the hashes of spec and
 * arguments are what the bytes beside it must make. */
struct oracle_answer {
	bool app;                 /* asked by REST for `audience`; else by an event of a chain */
	struct cs_bytes audience; /* UTF-8, at most WIRE_AUDIENCE_SIZE_MAX */
	/* Of a feed: nobody asked, and of request there is the receiver alone. The answer's id is
	 * the feed's; one with a value leads to the root as a feed's value (wire_leaf_feed). */
	bool round;
	uint64_t feed_index;                    /* of the contract, of a round */
	struct oracle_answer_contract contract; /* unless app */
	struct wire_request request;
	struct cs_bytes spec;
	size_t argument_count; /* at most WIRE_ARGUMENTS_MAX */
	struct cs_bytes arguments[WIRE_ARGUMENTS_MAX];
	struct wire_answer answer; /* value: ABI */
	uint64_t time_flags;
	size_t source_count; /* at most WIRE_SOURCES_MAX */
	struct wire_evidence_source sources[WIRE_SOURCES_MAX];
	struct cs_hash lineage;
	struct wire_signed statement; /* with the path from this answer's leaf */
	struct cs_hash key;           /* that of the epoch, as the oracle's host claims it */
	bool insecure;                /* the domain that it is signed under */
	/* Keccak-256 of evidence that the enclave which has the key gave under the statement's manifest.
	 * The host's word: whoever has that evidence finds the key in what it binds. */
	bool has_enclave_evidence;
	struct cs_hash enclave_evidence;
};

/* The word `protocol` of the boundary's rows into version, http2, reused, stapled_good, sct_count.
 * INVALID for bits that have no meaning. */
CS_NODISCARD enum cs_err oracle_evidence_protocol(struct wire_evidence_source *source,
						  uint32_t protocol);

/* Everything but the signature: requestId or feedId, hashes of spec, arguments and evidence,
 * audience and contract against the receiver, lineage against the signer, the value against the
 * spec's type, the leaf against the root. INVALID and why says what differs; WRONG_DESTINATION
 * (receiver, signer or kind); NO_MEMORY. */
CS_NODISCARD enum cs_err oracle_answer_check(const struct oracle_answer *answer,
					     struct cs_arena *arena, struct cs_why *why);
/* BAD_SIGNATURE unless the key signed the statement under the domain that `insecure` names. */
CS_NODISCARD enum cs_err oracle_answer_verify(const struct oracle_answer *answer,
					      const struct cs_sig *sig, const struct cs_hash *key);

/* A number up to 2^53 - 1, its decimals as text above: the one form of 64 bits in documents. */
json_t *oracle_json_u64(uint64_t value);
/* A new reference. The answer passed oracle_answer_check. */
json_t *oracle_answer_json(const struct oracle_answer *answer, struct cs_arena *arena);
/* Strict: UNKNOWN_FIELD, MISSING_FIELD, MALFORMED, TOO_LARGE, OVERFLOW, and the errors of
 * oracle_answer_check, which it calls. INVALID too for a member that says something else than what
 * is signed. Views into the document or the arena. */
CS_NODISCARD enum cs_err oracle_answer_read(struct oracle_answer *out, const json_t *document,
					    struct cs_arena *arena, struct cs_why *why);
/* The value for people: a number as text with its decimals, bytes as 0x…, bool, string, or an array
 * of them; null for an error's answer. A new reference; NULL when it does not have the spec's type. */
json_t *oracle_value_json(struct cs_bytes spec, struct cs_bytes abi, struct cs_arena *arena);

#endif
