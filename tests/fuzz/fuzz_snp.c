/* A report of SEV-SNP that was generated under a root of ours, with its chain: the input says which
 * bytes change, what stands in the table of certificates, and what lies in the bag. What verifies is
 * the report as it was signed. Then the input as evidence of its own. */
#include "core/nistp.h"
#include "tests/fuzz/attest_given.h"
#include "tests/fuzz/fuzz.h"
#include "verify/attest/snp_report.h"

#include <stdlib.h>

static void table_alone(struct cs_bytes bytes)
{
	struct snp_table table;
	fuzz_fill(&table, sizeof table);
	if (snp_table_decode(&table, bytes, NULL) != CS_OK) {
		fuzz_untouched(&table, sizeof table);
		return;
	}
	for (size_t i = 0; i < SNP_TABLE_KINDS; i++)
		cs_assert(table.found[i].n == 0 ||
			  (table.found[i].p >= bytes.p &&
			   table.found[i].p + table.found[i].n <= bytes.p + bytes.n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t changed[ATTEST_EVIDENCE_SIZE_MAX];
	const struct fuzz_given *given = fuzz_given("snp", "Milan version 5 VCEK");
	struct attest_result result;
	size_t n = given->evidence.n;
	table_alone(cs_bytes(data, size));
	if (fuzz_verify(&result, given, ATTEST_SNP, cs_bytes(data, size), CS_BYTES_NONE) == CS_OK)
		cs_assert(!attest_result_verified(&result));
	if (size < 1)
		return 0;
	/* Three bytes a change, then a table. */
	size_t changes = data[0] % 4;
	data++;
	size--;
	memcpy(changed, given->evidence.p, n);
	for (; changes > 0 && size >= 3; changes--, data += 3, size -= 3)
		changed[cs_be16(data) % n] ^= data[2];
	size_t room = sizeof changed - n;
	memcpy(changed + n, data, size < room ? size : room);
	n += size < room ? size : room;
	if (fuzz_verify(&result, given, ATTEST_SNP, cs_bytes(changed, n), CS_BYTES_NONE) == CS_OK &&
	    attest_result_verified(&result))
		cs_assert(memcmp(changed, given->evidence.p, given->evidence.n) == 0);
	return 0;
}
