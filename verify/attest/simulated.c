/* The evidence of the simulated backend (enclave/tee_simulated.c): a mark, a measurement and report
 * data, which nobody signed. */
#include "verify/attest/simulated.h"

#include "core/reader.h"

enum cs_err simulated_verify(struct attest_work *work, struct cs_bytes evidence)
{
	struct attest_result *result = work->result;
	struct cs_reader reader;
	cs_reader_init(&reader, evidence);
	const struct cs_bytes mark = cs_get(&reader, sizeof SIMULATED_MARK);
	const struct cs_bytes measurement = cs_get(&reader, sizeof(struct cs_hash));
	const struct cs_bytes report_data = cs_get(&reader, ATTEST_REPORT_DATA_SIZE_MAX);
	const enum cs_err err = cs_reader_end(&reader);
	if (err != CS_OK)
		return cs_fail(work->why, err, "simulated evidence of %zu bytes", evidence.n);
	if (!cs_bytes_eq(mark, cs_bytes(SIMULATED_MARK, sizeof SIMULATED_MARK)))
		return cs_fail(work->why, CS_ERR_MALFORMED, "no mark of simulated evidence");
	result->hardware = ATTEST_SIMULATED;
	attest_check(result, "simulated-form", true, "simulated: nobody signed it");
	attest_measurement(result, "measurement", measurement);
	attest_report_data(result, report_data);
	return CS_OK;
}
