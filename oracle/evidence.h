/* Evidence of the enclave for each key that it signs answers with, asked for once under each manifest and
 * kept: answers name it, and whoever checks one later finds it. Judges nothing. Private to oracle/. */
#ifndef ORACLE_EVIDENCE_H
#define ORACLE_EVIDENCE_H

#include "oracle/oracle.h"

/* Asks the enclave where hello lists a key without evidence, and writes down what it says; what fails is
 * logged, and answers of that key name none. */
void oracle_evidence_look(struct oracle *oracle);
/* The same without looking: the enclave has a new key. */
void oracle_evidence_ask(struct oracle *oracle);

/* Keccak-256 of the evidence for the key of an epoch under the manifest of this number. NOT_FOUND. */
CS_NODISCARD enum cs_err oracle_evidence_of(struct oracle *oracle, uint64_t epoch,
					    uint64_t manifest_number, struct cs_hash *digest);
/* Its document (host/evidence.h) as text, in the arena. NOT_FOUND. */
CS_NODISCARD enum cs_err oracle_evidence_document(struct oracle *oracle,
						  const struct cs_hash *digest,
						  struct cs_arena *arena, struct cs_bytes *text);

#endif
