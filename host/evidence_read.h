/* What `GET /v1/enclave/evidence` gives, read again: evidence with everything that its report data is a hash of.
 * The hash is made anew here, so that a word of the document which the evidence does not bind is found. Verifies
 * no evidence. */
#ifndef HOST_EVIDENCE_READ_H
#define HOST_EVIDENCE_READ_H

#include "core/arena.h"
#include "core/hash.h"

#include <jansson.h>

struct host_evidence_document {
	struct cs_bytes evidence; /* as hardware gave it; in the arena, as the nonce */
	struct cs_bytes nonce;    /* the asker's, as the document says */
	/* What the evidence's report data must begin with for the document to be its own (docs/protocol/report.md). */
	struct cs_bytes report_data;
	uint64_t insecure_flags; /* bits of insecure.def, as it says */
};

/* Has the member `evidence`, as bare evidence in JSON (a TPM's) has not. */
bool host_evidence_is_document(const json_t *json);
/* MALFORMED, MISSING_FIELD, UNKNOWN_FIELD, TOO_LARGE, NO_MEMORY: *out stays. size_max: of the evidence, in bytes. */
CS_NODISCARD enum cs_err host_evidence_read(struct host_evidence_document *out, const json_t *json,
					    size_t size_max, struct cs_arena *arena,
					    struct cs_why *why);
/* A new reference: what the report data says where it is the document's: role, nonce, keys, manifest, lineage,
 * schema and flags. */
json_t *host_evidence_bound(const json_t *document);

#endif
