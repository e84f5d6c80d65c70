/* What a backend says about itself: evidence over report data, and which insecurities come with it.
 * Evidence is made by the backend and judged elsewhere (verify/attest). */
#ifndef ENCLAVE_TEE_H
#define ENCLAVE_TEE_H

#include "core/buf.h"
#include "wire/report.h"

#define TEE_REPORT_DATA_SIZE WIRE_REPORT_DATA_SIZE
/* The schema's bound. Quotes of TDX with their certificates are 5 KiB (one cloud pads to 8,000), an SNP
 * report with its table 6 KiB. */
#define TEE_EVIDENCE_SIZE_MAX 8192u

struct tee {
	const char *backend;     /* its name in hello, 16 characters at most */
	uint64_t insecure_flags; /* of insecure.def, that it always has */
	int fd;                  /* to the quoting process (tee_quoter.h); -1: there is none */
	/* Appends the evidence for report_data[TEE_REPORT_DATA_SIZE]; measurement is the program's own
	 * claim, for a backend that has nothing better. UNAVAILABLE, TIMEOUT, NOT_BOUND, CONFLICT and
	 * what else the hardware's interface says. */
	enum cs_err (*evidence)(const struct tee *tee, struct cs_buf *evidence,
				const uint8_t *report_data, const struct cs_hash *measurement,
				struct cs_why *why);
};

extern const struct tee tee_simulated;

#endif
