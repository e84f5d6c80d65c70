/* Registrations that are affirmed, by a register and a policy without anything insecure. Only a maker's hardware
 * signs a quote that binds a registration of ours, and there is none here: a recorded quote binds somebody
 * else's. So this program's roots of the vendors are the tests' (a definition here comes before the library's),
 * and all else is what a ledger runs. */
#include "tests/unit/ledger/register_lab.h"
#include "verify/attest/evidence.h"

static struct cs_bytes intel[1], amd[1];
const struct attest_roots attest_roots_vendors = {
	.intel = intel, .intel_count = CS_LEN(intel), .amd = amd, .amd_count = CS_LEN(amd)};

static void give_roots(struct cs_bytes *roots, size_t count, const json_t *file, const char *vendor)
{
	const json_t *list = json_object_get(json_object_get(file, "vendors"), vendor);
	assert_int_equal(json_array_size(list), count);
	for (size_t i = 0; i < count; i++)
		roots[i] = unhex(json_string_value(json_array_get(list, i)));
}

static void test_story(void **state)
{
	struct lab *lab = register_lab_new();
	json_t *file = read_json(CS_VECTORS "/ledger/affirming.json");
	(void)state;
	give_roots(intel, CS_LEN(intel), file, "intel");
	give_roots(amd, CS_LEN(amd), file, "amd");
	register_lab_story(lab, file);
	json_decref(file);
	lab_free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_story),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
