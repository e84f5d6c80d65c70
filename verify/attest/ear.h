/* An attestation result as claims of EAR (draft-ietf-rats-ear; draft-ietf-rats-ar4si): JSON for relying
 * parties that read it from other verifiers, too. Claims alone: whoever wants them signed signs them. */
#ifndef ATTEST_EAR_H
#define ATTEST_EAR_H

#include "verify/attest/appraise.h"

/* The profile that its readers know (veraison/ear). */
#define EAR_PROFILE "tag:github.com,2023:veraison/ear"
/* All judgements, advisories and names together stay well below. */
#define EAR_SIZE_MAX 16384u

struct ear_verifier {
	const char *developer;
	const char *build;
};

/* One submodule, named after the kind; iat is the low end of now. Beside the draft's claims it has
 * `ear.caisson.tcb-status` (null where nobody judged it), `.advisories`, `.evidence-sha256`, `.class`
 * ("tee" or "whole-machine") and `.insecure` (only an insecure_accept_… lets it pass). The form is the
 * canonical one of core/json.h. Failure is the buffer's. */
void ear_write(struct cs_buf *buf, const struct attest_result *result,
	       const struct attest_appraisal *appraisal, const struct attest_policy *policy,
	       const struct attest_input *in, const struct ear_verifier *verifier);

#endif
