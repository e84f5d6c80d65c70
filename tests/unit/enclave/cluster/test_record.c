/* A key server's record in a TPM: what is written when, and which states it refuses. */
#include "host.h"

/* A TPM's: what it keeps, and how it fails. */
struct memory {
	bool has;
	uint8_t bytes[RECORD_SIZE];
	unsigned writes;
	enum cs_err fails;
};

static enum cs_err memory_read(void *context, uint8_t out[RECORD_SIZE], struct cs_why *why)
{
	const struct memory *memory = context;
	(void)why;
	if (memory->fails != CS_OK)
		return memory->fails;
	if (!memory->has)
		return CS_ERR_NOT_FOUND;
	memcpy(out, memory->bytes, RECORD_SIZE);
	return CS_OK;
}

static enum cs_err memory_write(void *context, const uint8_t in[RECORD_SIZE], struct cs_why *why)
{
	struct memory *memory = context;
	(void)why;
	if (memory->fails != CS_OK)
		return memory->fails;
	memcpy(memory->bytes, in, RECORD_SIZE);
	memory->has = true;
	memory->writes++;
	return CS_OK;
}

/* What the service gave last to be kept. */
static struct told state_to_keep(const struct host *host)
{
	const struct told *told = find_told(host, WIRE_PIPE_KEEP);
	if (told == NULL) {
		fail_msg("no state was to be kept");
		return (struct told){.number = 0};
	}
	return *told;
}

static enum cs_err open_with(struct memory *memory, struct scene *scene, struct cs_bytes state)
{
	static struct host host;
	const struct scene_manifest text = scene_manifest();
	host.record = memory == NULL ? (struct record_keeper){.read = NULL}
				     : (struct record_keeper){memory, memory_read, memory_write};
	ok(start(&host, scene, &text, &seal_root));
	const enum cs_err err = tell(&host, WIRE_PIPE_STATE, 0, state);
	stop(&host);
	return err;
}

static void the_record_is_written_before_anything_leaves(void **state)
{
	struct memory memory = {.has = false};
	const struct scene_manifest text = scene_manifest();
	struct scene *scene = scene_new();
	static struct host host;
	(void)state;
	host.record = (struct record_keeper){&memory, memory_read, memory_write};
	ok(start(&host, scene, &text, &seal_root));
	assert_int_equal(memory.writes, 0);
	ok(tell(&host, WIRE_PIPE_STATE, 0, CS_BYTES_NONE));
	assert_int_equal(memory.writes, 1); /* an empty one */
	host.told_count = 0;
	ask(&host, 1, WIRE_CLUSTER_ASK_CREATE);
	assert_int_equal(memory.writes, 1);
	keep_state(&host);
	assert_true(answered_ok(&host));
	assert_int_equal(memory.writes, 2);
	assert_int_equal(cs_be64(memory.bytes + 40), 1);
	/* Once an epoch, not with every state or tick. */
	ok(tell(&host, WIRE_PIPE_TICK, 0, CS_BYTES_NONE));
	assert_int_equal(memory.writes, 2);
	/* A TPM that does not take it: the process ends, and its answer with it. */
	host.told_count = 0;
	ask(&host, 2, WIRE_CLUSTER_ASK_ROTATE);
	memory.fails = CS_ERR_UNAVAILABLE;
	assert_int_equal(tell(&host, WIRE_PIPE_KEPT, state_to_keep(&host).number, CS_BYTES_NONE),
			 CS_ERR_UNAVAILABLE);
	assert_null(find_told(&host, WIRE_PIPE_ANSWER));
	stop(&host);
	assert_int_equal(open_with(&memory, scene, CS_BYTES_NONE), CS_ERR_UNAVAILABLE);
	scene_free(scene);
}

static void old_states_are_not_of_the_record(void **state)
{
	struct memory memory = {.has = false}, of_now;
	const struct scene_manifest text = scene_manifest();
	struct scene *scene = scene_new();
	static struct host host;
	(void)state;
	host.record = (struct record_keeper){&memory, memory_read, memory_write};
	serve(&host, scene);
	ask(&host, 2, WIRE_CLUSTER_ASK_ROTATE);
	const struct cs_bytes second = state_to_keep(&host).body;
	const struct memory of_first = memory;
	keep_state(&host);
	host.told_count = 0;
	ask(&host, 3, WIRE_CLUSTER_ASK_ROTATE);
	const struct cs_bytes third = state_to_keep(&host).body;
	keep_state(&host);
	of_now = memory;
	stop(&host);
	ok(open_with(&memory, scene, third));
	assert_int_equal(open_with(&memory, scene, second), CS_ERR_ROLLED_BACK);
	/* Kept, and not recorded: it is good, and recorded by that; what was before it is not any more. */
	memory = of_first;
	ok(open_with(&memory, scene, third));
	assert_memory_equal(memory.bytes, of_now.bytes, RECORD_SIZE);
	/* Another epoch of the same number, which was never recorded. */
	memory = of_first;
	ok(start(&host, scene, &text, &seal_root));
	ok(tell(&host, WIRE_PIPE_STATE, 0, second));
	host.told_count = 0;
	ask(&host, 4, WIRE_CLUSTER_ASK_ROTATE);
	keep_state(&host);
	stop(&host);
	assert_int_equal(open_with(&memory, scene, third), CS_ERR_ROLLED_BACK);
	/* Taken away, and made anew; and no record where the state has one. */
	memory.has = false;
	assert_int_equal(open_with(&memory, scene, third), CS_ERR_ROLLED_BACK);
	assert_int_equal(open_with(&memory, scene, third), CS_ERR_ROLLED_BACK);
	assert_int_equal(open_with(NULL, scene, third), CS_ERR_ROLLED_BACK);
	scene_free(scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_record_is_written_before_anything_leaves),
		cmocka_unit_test(old_states_are_not_of_the_record),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
