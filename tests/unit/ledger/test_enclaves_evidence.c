/* Registrations by evidence: a story that independent code wrote, with evidence made under roots of the
 * tests, and what it does not tell. */
#include "tests/unit/ledger/register_lab.h"

#define ENCLAVES LEDGER_ENCLAVES_NUMBER
#define VECTORS CS_VECTORS "/ledger/evidence.json"

static void test_story(void **state)
{
	struct lab *lab = register_lab_new_insecure();
	json_t *file = read_json(VECTORS);
	(void)state;
	register_lab_story(lab, file);
	json_decref(file);
	lab_free(lab);
}

/* The calldata of a step of the vectors by its name; only of those that stand there whole. */
static struct cs_bytes calldata(const json_t *file, const char *name)
{
	const json_t *steps = json_object_get(file, "story"), *step;
	size_t i;
	json_array_foreach(steps, i, step)
	{
		const json_t *parts = json_object_get(step, "calldata");
		if (parts != NULL && strcmp(text_of(step, "name"), name) == 0) {
			assert_int_equal(json_array_size(parts), 1);
			return unhex(json_string_value(json_array_get(parts, 0)));
		}
	}
	fail_msg("no step %s", name);
	return CS_BYTES_NONE;
}

/* Test roots, debug: a register that is not insecure takes no policy with them, whoever approved it. */
static void test_nothing_insecure(void **state)
{
	struct lab *lab = register_lab_new();
	json_t *file = read_json(VECTORS);
	(void)state;
	register_lab_from(lab, REGISTER_OTHER);
	lab_refuse_input(lab, ENCLAVES, calldata(file, "set"), "PolicyInsecure()", LAB_NONE);
	lab_refuse(lab, ENCLAVES, "verdictOf(bytes32)", LAB_NONE, NULL, LAB_NONE);
	json_decref(file);
	lab_free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_story),
		cmocka_unit_test(test_nothing_insecure),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
