/* Scripts: one untrusted program over one response, by an engine behind a table of one function.
 * A script reaches no file, socket, clock, random number or other script; the same input gives
 * the same bytes on every machine. It runs in the caller's thread, takes less than 512 KiB of its
 * stack, and is stopped from inside. */
#ifndef ENCLAVE_VM_H
#define ENCLAVE_VM_H

#include "core/arena.h"

/* The result: one text, or an array of them. */
#define VM_ITEMS_MAX 64u

struct vm_limits {
	uint64_t steps_max;     /* instructions, and what the library's loops count for them */
	size_t memory_max;      /* bytes of the script's own heap, for each run */
	size_t result_size_max; /* bytes of all texts */
};

/* What an ordinary script needs a hundredth of: a decoded response of some 100 KiB, and about 10
 * ms. */
#define VM_STEPS_MAX 2000000u
#define VM_MEMORY_MAX (8u * 1024 * 1024)
#define VM_RESULT_SIZE_MAX 16384u
/* For both runs together, where `expired` looks at a clock. */
#define VM_TIME_MS 250u
#define VM_LIMITS ((struct vm_limits){VM_STEPS_MAX, VM_MEMORY_MAX, VM_RESULT_SIZE_MAX})

struct vm_call {
	struct cs_bytes script;
	struct cs_bytes body;
	const struct cs_bytes *arguments;
	size_t argument_count;
	struct vm_limits limits;
	/* Asked every few microseconds: true ends the script. Where no limit counts right this
	 * is the last resort; never part of what a good script does. NULL: never. */
	bool (*expired)(void *context);
	void *context;
};

struct vm_result {
	bool array;
	size_t count; /* 1 unless array; an array has 0 to VM_ITEMS_MAX */
	struct cs_bytes items[VM_ITEMS_MAX];
};

struct vm_engine {
	const char *name;
	/* One run in a fresh state; `run` is 0 or 1 and may steer what must not matter (the seed
	 * of hash tables). The errors of vm_run without CONFLICT. */
	enum cs_err (*run)(struct vm_result *out, const struct vm_call *call, unsigned run,
			   struct cs_arena *arena, struct cs_why *why);
};

/* Lua 5.4: section 6 of docs/protocol/oracle.md. */
extern const struct vm_engine vm_lua;

/* Runs the script twice, in two fresh states; the result's texts are in the arena. MALFORMED:
 * not a program. INVALID: it failed, or its result is none. TOO_LARGE: steps, memory or result.
 * TIMEOUT: it expired. CONFLICT: the two runs differ. All these are the code
 * `script`, and TIMEOUT is `timeout`: a host can have caused it.
 * NO_MEMORY: the machine's memory or the arena, which is nobody's fault. why quotes the script's
 * own message, printable ASCII: it may tell of the response, so it is for the asker and never
 * for a log. */
CS_NODISCARD enum cs_err vm_run(struct vm_result *out, const struct vm_engine *engine,
				const struct vm_call *call, struct cs_arena *arena,
				struct cs_why *why);

#endif
