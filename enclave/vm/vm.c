#include "enclave/vm/vm.h"

static bool is_same(const struct vm_result *a, const struct vm_result *b)
{
	if (a->array != b->array || a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (!cs_bytes_eq(a->items[i], b->items[i]))
			return false;
	}
	return true;
}

enum cs_err vm_run(struct vm_result *out, const struct vm_engine *engine,
		   const struct vm_call *call, struct cs_arena *arena, struct cs_why *why)
{
	struct vm_result first, second;
	CS_TRY(engine->run(&first, call, 0, arena, why));
	size_t mark = cs_arena_mark(arena);
	CS_TRY(engine->run(&second, call, 1, arena, why));
	bool same = is_same(&first, &second);
	cs_arena_rewind(arena, mark);
	if (!same)
		return cs_fail(why, CS_ERR_CONFLICT, "two runs of the script differ");
	*out = first;
	return CS_OK;
}
