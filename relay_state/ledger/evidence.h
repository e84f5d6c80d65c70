/* Evidence of hardware inside consensus: what the bytes of a registration, a block's time and the
 * register's policy say about an enclave. Deterministic: collateral travels in the bytes, time is the
 * block's, and everything is read by verify/attest; bad evidence is an answer, never a failure. Knows
 * no enclave, no key and no administrator.
 *
 *     evidence  = parts, ascending by kind
 *     part      = kind (1) ‖ size (4) ‖ bytes
 *     kind 1    once: what report data binds beside the registration: schema digest (32) ‖ insecure
 *               flags (8)
 *     kind 2    once: the evidence, raw, as attest_evidence_find_raw takes it
 *     kind 3    up to LEDGER_COLLATERAL_MAX times: a file of collateral, as attest_collateral_add
 *               takes it */
#ifndef LEDGER_EVIDENCE_H
#define LEDGER_EVIDENCE_H

#include "verify/attest/policy.h"

/* All parts. A DCAP quote is 5 KiB and its collateral 15; a vTPM's JSON with the quote of a TD 26. */
#define LEDGER_EVIDENCE_SIZE_MAX 65536u
#define LEDGER_COLLATERAL_MAX 12u
/* In the bag: Intel's signer, CA and root, or AMD's three; a TPM's maker has a CA or two more. */
#define LEDGER_EVIDENCE_CERTIFICATES_MAX 6u
#define LEDGER_EVIDENCE_CRLS_MAX 3u
/* Signatures that are verified for one registration: a vTPM over TDX takes some 20, and whoever brings
 * certificates that lead nowhere pays for no more than the gas of gas.h. */
#define LEDGER_EVIDENCE_SIGNATURES_MAX 32u

/* As numbers in registrations; docs/protocol/enclaves.md. */
enum ledger_evidence_kind {
	LEDGER_EVIDENCE_ADMINISTRATORS = 0, /* none: who approves has seen it elsewhere */
	LEDGER_EVIDENCE_SGX = 1,
	LEDGER_EVIDENCE_TDX = 2,
	LEDGER_EVIDENCE_SEV_SNP = 3,
	LEDGER_EVIDENCE_TPM = 4,
	LEDGER_EVIDENCE_SIMULATED = 5, /* nobody signed it: administrators alone register such */
};

/* The memory for one registration: of one size on every node, so that running out of it is an answer. It
 * holds the trees of JSON: 64 KiB of text come to less than 3 MiB, and a policy's 16 KiB to 1. */
#define LEDGER_EVIDENCE_ARENA_SIZE (4u * 1024 * 1024)

/* Is the kind verified here? */
bool ledger_evidence_is_supported(uint8_t kind);

struct ledger_evidence {
	uint8_t kind;
	struct cs_hash schema;
	uint64_t insecure_flags;
	struct cs_bytes bytes;         /* raw, a view */
	struct attest_collateral *bag; /* in the arena */
};

/* The parts of a registration's evidence. INVALID: a part that is missing, twice, out of order or of
 * no kind, more collateral than the bounds above, the transcript of an activation (it has the secret
 * that would make it evidence); the errors of attest_collateral_add. NO_MEMORY: the arena. */
CS_NODISCARD enum cs_err ledger_evidence_open(struct ledger_evidence *out, uint8_t kind,
					      struct cs_bytes parts, struct cs_arena *arena);

/* What the register accepts: what its administrators set. */
struct ledger_evidence_rules {
	struct cs_bytes policy; /* JSON: policy.h */
	enum attest_tier worst; /* AFFIRMING, or WARNING too */
	struct attest_roots roots;
};

/* Texts of a check's name: a bytes32 of Solidity. */
#define LEDGER_CHECK_SIZE 32u

struct ledger_verdict {
	bool accepted;
	char refused_by[LEDGER_CHECK_SIZE + 1]; /* the first check that failed, "" where accepted */
	enum attest_tier tier;
	enum attest_tcb_status tcb_status;
	struct cs_hash digest;      /* SHA-256 of the raw evidence */
	struct cs_hash measurement; /* mr_enclave; SHA-256 of mr_td, of SNP's measurement, or of a
				       TPM's PCRs in a row */
	uint64_t until_s;           /* the first end of what it rests on, inclusive; 0: none */
	uint32_t collateral_number; /* Intel's evaluation number; 0: there is none */
};

/* The verdict at a block's time, of evidence whose report data must be these 32 bytes, then zeros. OK
 * whatever the answer is. NO_MEMORY: the arena; CRYPTO: the library failed; DAMAGED: the policy does
 * not parse, which was parsed when it was set. */
CS_NODISCARD enum cs_err ledger_evidence_judge(struct ledger_verdict *out,
					       const struct ledger_evidence *evidence,
					       const struct cs_hash *report_data,
					       const struct ledger_evidence_rules *rules,
					       uint64_t now_s, struct cs_arena *arena);

#endif
