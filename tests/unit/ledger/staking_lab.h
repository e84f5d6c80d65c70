/* What the tests of the staking contract share: a world of four validators with small numbers, calls
 * that must succeed or revert with one error. */
#ifndef TESTS_UNIT_LEDGER_STAKING_LAB_H
#define TESTS_UNIT_LEDGER_STAKING_LAB_H

#include "tests/unit/ledger/staking_world.h"
#include "tests/unit/support.h"

#define STAKING LEDGER_STAKING_NUMBER
#define PARAMETERS LEDGER_PARAMETERS_NUMBER
/* Small numbers, so that a test is a few blocks. */
#define VALUES                                                                         \
	"\"power_unit\":100,\"power_min\":2,\"unbonding_s\":20,\"evidence_age_s\":10," \
	"\"downtime_window_blocks\":8,\"downtime_missed_blocks\":4,\"jail_s\":5,"      \
	"\"slash_double_vote_ppm\":100000,\"slash_attack_ppm\":200000,"                \
	"\"slash_downtime_ppm\":10000,\"epoch_blocks\":10"
#define BOND 1000u

static inline int set_up(void **state)
{
	struct world *world = world_new();
	world_found_equal(world, 4, BOND, VALUES);
	world_blocks(world, 3);
	*state = world;
	return 0;
}

static inline int tear_down(void **state)
{
	world_free(*state);
	return 0;
}

/* ---- short forms ---- */

static inline struct cs_hash word(uint64_t value)
{
	return ledger_word_u64(value);
}

static inline struct cs_hash address_word(const struct world *world, size_t i)
{
	return ledger_word_address(&world->keys[i].address);
}

static inline void expect_ok(struct world *world, size_t from, uint64_t value,
			     const char *signature, const struct cs_hash *words, size_t count)
{
	struct cs_bytes output;
	if (!world_do(world, &output, &world->keys[from].operator, value, STAKING, signature, words,
		      count))
		fail_msg("%s reverts with %zu bytes", signature, output.n);
}

static inline void expect_output(struct cs_bytes output, const char *error,
				 const struct cs_hash *words, size_t count)
{
	uint8_t want[4 + 3 * 32];
	const struct cs_hash topic = cs_abi_topic(error);
	memcpy(want, topic.b, 4);
	if (count > 0)
		memcpy(want + 4, words, count * sizeof *words);
	if (!cs_bytes_eq(output, cs_bytes(want, 4 + count * sizeof *words))) {
		char text[300] = "";
		cs_hex(text, cs_bytes(output.p, output.n > 140 ? 140 : output.n));
		fail_msg("reverts with %s, not %s", text, error);
	}
}

static inline void expect_refusal(struct world *world, size_t from, uint64_t value,
				  const char *signature, const struct cs_hash *words, size_t count,
				  const char *error)
{
	struct cs_bytes output;
	if (world_do(world, &output, &world->keys[from].operator, value, STAKING, signature, words,
		     count))
		fail_msg("%s succeeds where it must revert with %s", signature, error);
	expect_output(output, error, NULL, 0);
}

static inline void too_small(struct world *world, size_t from, uint64_t value,
			     const char *signature, const struct cs_hash *words, size_t count)
{
	struct cs_bytes output;
	assert_false(world_do(world, &output, &world->keys[from].operator, value, STAKING,
			      signature, words, count));
	expect_output(output, "BondTooSmall(uint256)", LEDGER_WORDS(word(200)));
}

static inline void unbond(struct world *world, size_t i, uint64_t amount)
{
	const struct cs_hash words[] = {address_word(world, i), word(amount)};
	expect_ok(world, i, 0, "unbond(address,uint256)", words, 2);
}

static inline uint64_t bonded(struct world *world, size_t i)
{
	const struct staking_validator validator = world_validator(world, i);
	uint64_t amount;
	assert_int_equal(cs_u256_to_u64(&amount, &validator.bonded), CS_OK);
	return amount;
}

static inline uint64_t low(const struct cs_u256 *amount)
{
	uint64_t value;
	assert_int_equal(cs_u256_to_u64(&value, amount), CS_OK);
	return value;
}

static inline void punish(struct world *world, const struct abci_misbehavior *items, size_t count)
{
	const struct world_tells tells = {
		.misbehaviors = items, .misbehavior_count = count, .seconds = 1};
	world_begin(world, &tells);
	world_end(world);
}

/* A block after which only these voters (by validator) were not heard of. */
static inline void block_without(struct world *world, size_t i)
{
	enum abci_block_id_flag flags[LEDGER_VALIDATORS_MAX];
	const struct world_tells tells = {.flags = flags, .seconds = 1};
	for (size_t k = 0; k < world->last.count; k++)
		flags[k] = cs_address_eq(&world->last.list[k].address, &world->keys[i].address)
				   ? ABCI_BLOCK_ID_ABSENT
				   : ABCI_BLOCK_ID_COMMIT;
	world_begin(world, &tells);
	world_end(world);
}

static inline size_t log_count(const struct world *world, const char *event)
{
	const struct cs_hash topic = cs_abi_topic(event);
	size_t count = 0;
	for (size_t i = 0; i < world->run.logs.count; i++)
		count += cs_hash_eq(&world->run.logs.items[i].topics[0], &topic);
	return count;
}

/* By the owner, in two steps and after the delay. */
static inline void set_parameter(struct world *world, const char *name, uint64_t value)
{
	uint8_t call[68], scheduled[256];
	const struct cs_hash topic = cs_abi_topic("set(bytes32,uint64)"), amount = word(value);
	struct cs_buf buf;
	struct cs_abi abi;
	struct cs_bytes output;
	memset(call, 0, sizeof call);
	memcpy(call, topic.b, 4);
	memcpy(call + 4, name, strlen(name));
	memcpy(call + 36, amount.b, sizeof amount.b);
	cs_buf_init(&buf, scheduled, sizeof scheduled);
	cs_abi_call(&abi, &buf, "schedule(bytes)");
	cs_abi_put_bytes(&abi, cs_abi_slot(&abi), CS_BYTES_OF(call));
	assert_true(world_call(world, &output, &world->owner, 0, PARAMETERS, cs_buf_view(&buf)));
	world->block.time_s += 100;
	assert_true(world_call(world, &output, &world->owner, 0, PARAMETERS, CS_BYTES_OF(call)));
}

#endif
