/* GET /v1/enclave/evidence?nonce=…: fresh evidence of the enclave over a nonce of the asker's, with everything
 * that its report data is a hash of (docs/protocol/report.md). Passes on what the enclave says, and judges
 * nothing: `caisson attest verify` does. */
#ifndef HOST_EVIDENCE_H
#define HOST_EVIDENCE_H

#include "host/enclave_session.h"
#include "host/http_server.h"
#include "wire/report.h"

/* Hardware takes up to a second for each, and the enclave does nothing else meanwhile: one at a time.
 * Zeroed at first. */
struct host_evidence {
	struct host_enclave_session *session;
	struct cs_arena *arena; /* the caller's scratch */
	enum wire_report_role role;
	bool busy;
};

/* Answers the exchange, at once or later: 200; MISSING_FIELD and MALFORMED (400) for another nonce than hex of
 * 16 to 64 bytes; FULL (503) while another is asked for; UNAVAILABLE
 * with what the enclave or its hardware said; CLOSED, TIMEOUT. */
void host_evidence_get(struct host_evidence *evidence, struct host_http_exchange *exchange);

/* The document: evidence in a hello that was asked with the nonce's keccak-256, and what its report data is
 * a hash of. A new reference. */
json_t *host_evidence_json(enum wire_report_role role, struct cs_bytes nonce,
			   const Caisson__Wire__HelloReply *hello);

#endif
