#include "enclave/insecure.h"
#include "enclave/tee.h"

const char *tee_backend(void)
{
	return "simulated";
}

uint64_t tee_insecure_flags(void)
{
	return ENCLAVE_INSECURE_simulated_backend | ENCLAVE_INSECURE_simulated_seal_root;
}

/* Nobody signed it: whoever reads it learns what the process claims, and that it is only a claim. */
enum cs_err tee_evidence(struct cs_buf *evidence, const uint8_t *report_data,
			 const struct cs_hash *measurement)
{
	cs_put_text(evidence, "caisson/evidence/simulated/v1");
	cs_put_u8(evidence, 0);
	cs_put(evidence, CS_BYTES_OF(measurement->b));
	cs_put(evidence, cs_bytes(report_data, TEE_REPORT_DATA_SIZE));
	return cs_buf_end(evidence);
}
