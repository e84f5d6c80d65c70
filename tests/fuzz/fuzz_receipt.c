/* Any bytes as a receipt: every log of what is accepted can be read, and none after the last. */
#include "tests/fuzz/fuzz.h"
#include "verify/evm/receipt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct verify_receipt r;
	struct verify_log log;
	if (verify_receipt_read(&r, cs_bytes(data, size)) != CS_OK)
		return 0;
	cs_assert(r.type <= 0x7f && (r.success || r.log_count == 0));
	/* Reading one walks over those before it: not all pairs of a large receipt. */
	for (uint32_t i = 0; i < r.log_count; i += 1 + i / 16) {
		cs_assert(verify_receipt_log(&log, &r, i) == CS_OK);
		cs_assert(log.topic_count <= VERIFY_LOG_TOPICS_MAX);
		cs_assert(log.data.n == 0 ||
			  (log.data.p >= data && log.data.p + log.data.n <= data + size));
	}
	cs_assert(verify_receipt_log(&log, &r, (uint32_t)r.log_count) == CS_ERR_NO_LOG);
	return 0;
}
