/* Any bytes as the evidence of a registration: they are refused or judged, within the memory and the
 * signatures that a registration has, and twice to the same verdict.
 *
 *     input = kind (1) ‖ parts of relay_state/ledger/evidence.h */
#include "relay_state/ledger/evidence.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

/* The time of the vectors: tools/register_vectors.py. */
#define NOW_S 1767225600u

static const char policy[] = "{\"version\": 1, \"measurements\": [{\"kind\": \"sgx\", \"values\": "
			     "{\"mr_enclave\": \"00\"}}], "
			     "\"insecure_accept_test_roots\": true}";

/* CS_OK: judged. */
static enum cs_err judge(struct ledger_verdict *verdict, uint8_t kind, struct cs_bytes parts)
{
	static uint8_t *memory;
	const struct ledger_evidence_rules rules = {.policy = cs_bytes_str(policy),
						    .worst = ATTEST_TIER_WARNING,
						    .roots = attest_roots_vendors};
	const struct cs_hash report_data = {{0}};
	struct ledger_evidence evidence;
	struct cs_arena arena;
	if (memory == NULL)
		memory = aligned_alloc(16, LEDGER_EVIDENCE_ARENA_SIZE);
	cs_assert(memory != NULL);
	cs_arena_init(&arena, memory, LEDGER_EVIDENCE_ARENA_SIZE);
	memset(verdict, 0, sizeof *verdict);
	enum cs_err err = ledger_evidence_open(&evidence, kind, parts, &arena);
	if (err == CS_OK) {
		cs_assert(evidence.bag->certificate_count <= LEDGER_EVIDENCE_CERTIFICATES_MAX &&
			  evidence.bag->crl_count <= LEDGER_EVIDENCE_CRLS_MAX);
		err = ledger_evidence_judge(verdict, &evidence, &report_data, &rules, NOW_S,
					    &arena);
		cs_assert(err == CS_OK || err == CS_ERR_NO_MEMORY);
	}
	cs_arena_done(&arena);
	return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ledger_verdict first, second;
	if (size == 0 || size > LEDGER_EVIDENCE_SIZE_MAX)
		return 0;
	const struct cs_bytes parts = cs_bytes(data + 1, size - 1);
	const enum cs_err err = judge(&first, data[0], parts);
	cs_assert(judge(&second, data[0], parts) == err);
	cs_assert(memcmp(&first, &second, sizeof first) == 0);
	/* The makers' roots never signed what a fuzzer makes for zeros as report data. */
	cs_assert(err != CS_OK || (!first.accepted && first.refused_by[0] != 0));
	return 0;
}
