/* The place where evidence of hardware is verified inside consensus: what a kind of evidence, its
 * bytes and a block's time say about an enclave. Deterministic: collateral travels in the bytes, time
 * is the block's. */
#ifndef LEDGER_EVIDENCE_H
#define LEDGER_EVIDENCE_H

#include "core/bytes.h"

/* Evidence with its collateral: a DCAP quote with certificates, CRLs and TCB info is some 20 KiB. */
#define LEDGER_EVIDENCE_SIZE_MAX 65536u

/* As numbers in registrations; docs/protocol/enclaves.md. */
enum ledger_evidence_kind {
	LEDGER_EVIDENCE_ADMINISTRATORS = 0, /* none: who approves has seen it elsewhere */
	LEDGER_EVIDENCE_SGX = 1,
	LEDGER_EVIDENCE_TDX = 2,
	LEDGER_EVIDENCE_SEV_SNP = 3,
	LEDGER_EVIDENCE_TPM = 4,
	LEDGER_EVIDENCE_SIMULATED = 5,
};

enum ledger_verdict {
	LEDGER_UNDECIDED, /* nothing was verified here: the administrators' word counts */
	LEDGER_PROVEN,
	LEDGER_REFUTED,
};

/* The verdict at a block's time. UNSUPPORTED: a kind that is not verified here, which today is each
 * but ADMINISTRATORS; INVALID: bytes with ADMINISTRATORS, which nobody would look at. */
CS_NODISCARD enum cs_err ledger_evidence_verify(enum ledger_verdict *verdict, uint8_t kind,
						struct cs_bytes bytes, uint64_t now_s);

#endif
