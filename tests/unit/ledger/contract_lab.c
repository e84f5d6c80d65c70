#include "tests/unit/ledger/contract_lab.h"

#include "core/hash.h"

#define KEYS_MAX 20000u
#define BYTES_MAX (32u * 1024 * 1024)
#define ARENA_SIZE (32u * 1024 * 1024)
/* 2026-01-01T00:00:00Z. */
#define TIME_BEGIN_S 1767225600u

/* ---- the lab ---- */

struct lab *lab_new(const struct ledger_contract *const *contracts, size_t count)
{
	struct lab *lab = calloc(1, sizeof *lab);
	assert_non_null(lab);
	const struct ledger_state_options options = {
		.keys_max = KEYS_MAX, .bytes_max = BYTES_MAX, .seed = {1}};
	lab->db = memory_db_new();
	void *memory = malloc(ledger_state_size(&options));
	void *block = malloc(ARENA_SIZE);
	lab->sig = cs_sig_new(NULL);
	assert_true(lab->db != NULL && memory != NULL && block != NULL && lab->sig != NULL);
	const struct ledger_db db = memory_db_table(lab->db);
	lab->state = ledger_state_init(memory, &db, &options);
	cs_arena_init(&lab->arena, block, ARENA_SIZE);
	ledger_machine_init(&lab->machine, lab->state, lab->sig,
			    (struct ledger_contracts){contracts, count});
	lab->block = (struct ledger_block){
		.height = 1, .time_s = TIME_BEGIN_S, .proposer = lab_address(0xbb)};
	lab->from = lab_address(0xaa);
	lab->gas_limit = LAB_GAS;
	return lab;
}

void lab_free(struct lab *lab)
{
	cs_sig_free(lab->sig);
	free(lab->state);
	free(lab->arena.block);
	memory_db_free(lab->db);
	free(lab);
}

struct cs_address lab_address(uint8_t byte)
{
	struct cs_address address;
	memset(address.b, byte, sizeof address.b);
	return address;
}

struct cs_hash lab_word(uint64_t value)
{
	struct cs_hash word = {{0}};
	cs_put_be64(word.b + sizeof word.b - 8, value);
	return word;
}

struct cs_hash lab_address_word(const struct cs_address *address)
{
	struct cs_hash word = {{0}};
	memcpy(word.b + sizeof word.b - sizeof address->b, address->b, sizeof address->b);
	return word;
}

struct cs_hash lab_byte_word(uint8_t byte)
{
	struct cs_hash word;
	memset(word.b, byte, sizeof word.b);
	return word;
}

/* ---- calls ---- */

bool lab_try(struct lab *lab, struct cs_bytes *output, uint8_t number, struct cs_bytes input)
{
	const struct cs_address to = ledger_contract_address(number);
	const struct cs_u256 value = lab->value;
	const size_t mark = ledger_state_mark(lab->state);
	struct cs_why why = {""};
	bool success = false;
	cs_arena_rewind(&lab->arena, 0);
	lab->value = cs_u256_u64(0);
	assert_ok(ledger_run_init(&lab->run, &lab->block, &lab->arena, &why, &lab->from,
				  lab->gas_limit));
	lab->run.is_view = lab->is_view;
	enum cs_err err =
		ledger_machine_call(&lab->machine, &lab->run, &success, output, &to, &value, input);
	if (err != CS_OK)
		fail_msg("the machine ended: %s (%s)", cs_err_name(err), why.text);
	if (lab->is_view)
		ledger_state_revert(lab->state, mark);
	return success;
}

static struct cs_bytes calldata(const char *signature, const struct cs_hash *words, size_t count)
{
	const size_t size = 4 + count * sizeof *words;
	uint8_t *p = keep(size);
	struct cs_hash topic = cs_abi_topic(signature);
	memcpy(p, topic.b, 4);
	if (count > 0)
		memcpy(p + 4, words, count * sizeof *words);
	return cs_bytes(p, size);
}

static const char *hex_of(struct cs_bytes bytes)
{
	char *text = keep(2 * bytes.n + 1);
	cs_hex(text, bytes);
	return text;
}

struct cs_bytes lab_call(struct lab *lab, uint8_t number, const char *signature,
			 const struct cs_hash *words, size_t count)
{
	struct cs_bytes output;
	if (!lab_try(lab, &output, number, calldata(signature, words, count)))
		fail_msg("%s reverts with %s, %llu gas", signature, hex_of(output),
			 (unsigned long long)lab->run.gas.used);
	return output;
}

struct cs_hash lab_ask(struct lab *lab, uint8_t number, const char *signature,
		       const struct cs_hash *words, size_t count)
{
	struct cs_bytes output = lab_call(lab, number, signature, words, count);
	struct cs_hash word;
	assert_int_equal(output.n, sizeof word.b);
	memcpy(word.b, output.p, sizeof word.b);
	return word;
}

void lab_refuse_input(struct lab *lab, uint8_t number, struct cs_bytes input, const char *error,
		      const struct cs_hash *error_words, size_t error_count)
{
	struct cs_bytes output, want = CS_BYTES_NONE;
	if (error != NULL)
		want = calldata(error, error_words, error_count);
	if (lab_try(lab, &output, number, input))
		fail_msg("it succeeds where it must revert with %s", error == NULL ? "-" : error);
	if (!cs_bytes_eq(output, want))
		fail_msg("it reverts with %s, not %s (%s)", hex_of(output), hex_of(want),
			 error == NULL ? "-" : error);
	assert_int_equal(lab->run.logs.count, 0);
}

void lab_refuse(struct lab *lab, uint8_t number, const char *signature, const struct cs_hash *words,
		size_t count, const char *error, const struct cs_hash *error_words,
		size_t error_count)
{
	lab_refuse_input(lab, number, calldata(signature, words, count), error, error_words,
			 error_count);
}

/* ---- logs ---- */

size_t lab_log_count(const struct lab *lab, const char *event)
{
	const struct cs_hash topic = cs_abi_topic(event);
	size_t count = 0;
	for (size_t i = 0; i < lab->run.logs.count; i++)
		count += cs_hash_eq(&lab->run.logs.items[i].topics[0], &topic);
	return count;
}

const struct ledger_log *lab_log(const struct lab *lab, const char *event, size_t index)
{
	const struct cs_hash topic = cs_abi_topic(event);
	for (size_t i = 0; i < lab->run.logs.count; i++) {
		const struct ledger_log *log = &lab->run.logs.items[i];
		if (cs_hash_eq(&log->topics[0], &topic) && index-- == 0)
			return log;
	}
	fail_msg("no log %s", event);
	return NULL;
}

/* ---- funds and blocks ---- */

void lab_fund(struct lab *lab, const struct cs_address *account, uint64_t amount)
{
	struct ledger_account found;
	assert_ok(ledger_account_get(lab->state, &found, account));
	found.balance = cs_u256_u64(amount);
	assert_ok(ledger_account_put(lab->state, account, &found));
}

uint64_t lab_funds(struct lab *lab, const struct cs_address *account)
{
	struct ledger_account found;
	uint64_t amount;
	assert_ok(ledger_account_get(lab->state, &found, account));
	assert_ok(cs_u256_to_u64(&amount, &found.balance));
	return amount;
}

void lab_next_block(struct lab *lab, uint64_t seconds)
{
	const struct ledger_db db = memory_db_table(lab->db);
	struct ledger_changes changes[LEDGER_SPACE_COUNT] = {{NULL, 0}, {NULL, 0}};
	cs_arena_rewind(&lab->arena, 0);
	assert_ok(ledger_state_changes(lab->state, &changes[LEDGER_VALUES], &lab->arena));
	assert_ok(db.commit(db.context, lab->block.height, changes, 1));
	ledger_state_reset(lab->state);
	lab->block.height++;
	lab->block.time_s += seconds;
}

void lab_check_table(const struct ledger_contract *contract)
{
	assert_true(contract->number != LEDGER_OWN_KEYS);
	for (size_t i = 0; i < contract->function_count; i++) {
		const struct ledger_function *function = &contract->functions[i];
		const uint32_t selector = cs_be32(cs_abi_topic(function->signature).b);
		if (function->selector != selector)
			fail_msg("the selector of %s is 0x%08x", function->signature, selector);
		for (size_t j = 0; j < i; j++)
			assert_true(contract->functions[j].selector != selector);
		const bool has_arguments = strstr(function->signature, "()") == NULL;
		assert_int_equal(function->words > 0, has_arguments);
		assert_non_null(function->run);
	}
}
