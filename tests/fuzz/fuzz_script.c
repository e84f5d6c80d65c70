/* Any bytes as a script: it ends within its limits, by an error that it is allowed to have, and
 * leaves nothing behind. That no value is ever a float is asserted by the engine itself
 * (lua_conf.h). */
#include "enclave/vm/vm.h"
#include "tests/fuzz/fuzz.h"

static bool expired(void *context)
{
	unsigned *left = context;
	return *left == 0 || --*left == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char body[] = "{\"a\":[1,\"2.50\",true,null,{\"b\":-1e3}],\"c\":\"x\"}";
	struct cs_bytes arguments[] = {cs_bytes_str("ethereum"), cs_bytes_str("")};
	struct cs_arena *arena = fuzz_arena();
	unsigned left = 100;
	struct vm_result result;
	struct cs_why why = {""};
	struct vm_call call = {.script = cs_bytes(data, size),
			       .body = cs_bytes_str(body),
			       .arguments = arguments,
			       .argument_count = CS_LEN(arguments),
			       .limits = {30000, 256 * 1024, 1000},
			       .expired = expired,
			       .context = &left};
	if (size > 16384)
		return 0;
	enum cs_err err = vm_run(&result, &vm_lua, &call, arena, &why);
	cs_assert(err == CS_OK || err == CS_ERR_MALFORMED || err == CS_ERR_INVALID ||
		  err == CS_ERR_TOO_LARGE || err == CS_ERR_TIMEOUT || err == CS_ERR_CONFLICT);
	if (err != CS_OK) {
		cs_assert(why.text[0] != '\0');
		return 0;
	}
	cs_assert(result.array ? result.count <= VM_ITEMS_MAX : result.count == 1);
	size_t total = 0;
	for (size_t i = 0; i < result.count; i++)
		total += result.items[i].n;
	cs_assert(total <= call.limits.result_size_max);
	return 0;
}
