#include "tests/unit/ledger/usage_lab.h"

#include "core/hash.h"

#define ARENA_ENOUGH (64u * 1024)

/* ---- the register ---- */

bool usage_enclave_active[USAGE_ENCLAVES];
static struct cs_hash registered[USAGE_ENCLAVES];

static enum cs_err is_active(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct cs_hash key;
	uint8_t role;
	bool active = false;
	(void)call;
	CS_TRY(cs_abi_get_word(in, &key));
	CS_TRY(cs_abi_get_u8(in, &role));
	for (size_t i = 0; i < USAGE_ENCLAVES; i++)
		active = active ||
			 (role == 3 && usage_enclave_active[i] && cs_hash_eq(&key, &registered[i]));
	cs_abi_put_u64(out, active);
	return CS_OK;
}

static const struct ledger_function register_functions[] = {
	{"isActive(bytes32,uint8)", 0x224c6632, 2, false, 0, is_active},
};
static const struct ledger_contract register_contract = {
	.name = "register",
	.number = 4,
	.functions = register_functions,
	.function_count = CS_LEN(register_functions),
};

static const struct ledger_contract *const contracts[] = {
	&ledger_assets,
	&register_contract,
	&ledger_usage,
	&ledger_tasks,
};

/* ---- the lab ---- */

struct cs_hash usage_label(const char *text)
{
	struct cs_hash word = {{0}};
	assert_true(strlen(text) <= sizeof word.b);
	memcpy(word.b, text, strlen(text));
	return word;
}

static struct ledger_call call_of(struct lab *lab, const struct ledger_contract *contract)
{
	static const struct cs_address nobody;
	static struct cs_why why;
	cs_arena_rewind(&lab->arena, 0);
	assert_ok(ledger_run_init(&lab->run, &lab->block, &lab->arena, &why, &nobody, UINT64_MAX));
	return ledger_machine_as(&lab->machine, &lab->run, contract);
}

enum cs_err usage_lab_construct(struct lab *lab, const struct ledger_usage_terms *terms)
{
	struct ledger_call call = call_of(lab, &ledger_usage);
	return ledger_usage_construct(&call, terms);
}

static void found(struct usage_lab *usage, const struct usage_lab_options *options)
{
	struct lab *lab = usage->lab;
	const struct ledger_usage_terms terms = {
		.owner = usage->owner,
		.guardian = usage->guardian,
		.delay_s = USAGE_DELAY,
		.arbiter = usage->arbiter,
		.asset = options->asset,
		.age_max_s = options->age_max_s == 0 ? USAGE_AGE_MAX : options->age_max_s,
		.window_s = options->window_s == 0 ? USAGE_WINDOW : options->window_s,
		.retention_s = USAGE_RETENTION,
		.insecure = options->insecure,
	};
	const struct cs_hash row = usage_label("row"), hour = usage_label("h");
	assert_ok(usage_lab_construct(lab, &terms));
	struct ledger_call call = call_of(lab, &ledger_usage);
	assert_ok(ledger_usage_add_metric(&call, &usage->rows, 0, &row));
	assert_ok(ledger_usage_add_metric(&call, &usage->hours, 3, &hour));
	call = call_of(lab, &ledger_tasks);
	assert_ok(ledger_tasks_construct(&call, options->insecure));
	assert_ok(ledger_chain_put(lab->state, &usage->chain));
}

struct usage_lab *usage_lab_new(const struct usage_lab_options *options)
{
	struct usage_lab *usage = calloc(1, sizeof *usage);
	assert_non_null(usage);
	usage->lab = lab_new(contracts, CS_LEN(contracts));
	usage->chain = lab_byte_word(0xc4);
	usage->owner = lab_address(0x01);
	usage->guardian = lab_address(0x02);
	usage->arbiter = lab_address(0x03);
	usage->provider = lab_address(0x11);
	usage->consumer = lab_address(0x22);
	usage->anyone = lab_address(0x99);
	usage->rows = usage_label("rows");
	usage->hours = usage_label("cpu-hours");
	for (size_t i = 0; i < USAGE_ENCLAVES; i++) {
		usage->keys[i].b[31] = (uint8_t)(0xe1 + i);
		assert_ok(cs_key_x(usage->lab->sig, &usage->enclaves[i], &usage->keys[i]));
		registered[i] = usage->enclaves[i];
		usage_enclave_active[i] = true;
	}
	found(usage, options);
	usage->lab->from = usage->anyone;
	return usage;
}

void usage_lab_free(struct usage_lab *usage)
{
	lab_free(usage->lab);
	free(usage);
}

/* ---- records ---- */

struct ledger_usage_record usage_make(const struct usage_lab *usage, size_t enclave, uint64_t nonce)
{
	struct ledger_usage_record record = {
		.data_hash = lab_byte_word(0xda),
		.provider = usage->provider,
		.consumer = usage->consumer,
		.purpose = cs_bytes_str("model training"),
		.enclave = usage->enclaves[enclave],
		.metric = usage->rows,
		.quantity = cs_u256_u64(1000),
		.price = cs_u256_u64(5000000000000000000u),
		.observed_s = usage->lab->block.time_s,
		.nonce = nonce,
	};
	return record;
}

void usage_sign(const struct usage_lab *usage, struct ledger_usage_record *record, size_t enclave,
		bool insecure)
{
	static const struct cs_hash aux;
	const struct cs_hash digest = ledger_usage_digest(record, &usage->chain, insecure);
	struct cs_schnorr signature;
	assert_ok(
		cs_schnorr_sign(usage->lab->sig, &signature, &usage->keys[enclave], &digest, &aux));
	memcpy(record->signature, signature.rx.b, sizeof signature.rx.b);
	memcpy(record->signature + 32, signature.s.b, sizeof signature.s.b);
}

static void put_record(struct cs_abi *abi, const struct ledger_usage_record *record)
{
	struct cs_hash r, s;
	memcpy(r.b, record->signature, sizeof r.b);
	memcpy(s.b, record->signature + 32, sizeof s.b);
	cs_abi_put_word(abi, &record->data_hash);
	cs_abi_put_address(abi, &record->provider);
	cs_abi_put_address(abi, &record->consumer);
	const size_t purpose = cs_abi_slot(abi);
	cs_abi_put_word(abi, &record->enclave);
	cs_abi_put_word(abi, &record->metric);
	cs_abi_put_u256(abi, &record->quantity);
	cs_abi_put_u256(abi, &record->price);
	cs_abi_put_u64(abi, record->observed_s);
	cs_abi_put_u64(abi, record->nonce);
	cs_abi_put_word(abi, &r);
	cs_abi_put_word(abi, &s);
	cs_abi_put_bytes(abi, purpose, record->purpose);
}

struct cs_bytes usage_calldata(const struct ledger_usage_record *records, size_t count)
{
	static uint8_t memory[ARENA_ENOUGH];
	size_t slots[LEDGER_USAGE_RECORDS_MAX + 1];
	struct cs_abi abi;
	struct cs_buf buf;
	cs_buf_init(&buf, memory, sizeof memory);
	cs_abi_call(&abi, &buf, "record(" RECORD_TUPLE "[])");
	cs_abi_enter_array(&abi, cs_abi_slot(&abi), count);
	for (size_t i = 0; i < count; i++)
		slots[i] = cs_abi_slot(&abi);
	for (size_t i = 0; i < count; i++) {
		cs_abi_enter(&abi, slots[i]);
		put_record(&abi, &records[i]);
		cs_abi_leave(&abi);
	}
	cs_abi_leave(&abi);
	assert_ok(cs_buf_end(&buf));
	return cs_buf_view(&buf);
}

struct ledger_usage_record usage_take(struct usage_lab *usage, size_t enclave, uint64_t nonce)
{
	struct ledger_usage_record record = usage_make(usage, enclave, nonce);
	struct cs_bytes output;
	usage_sign(usage, &record, enclave, false);
	assert_true(lab_try(usage->lab, &output, USAGE, usage_calldata(&record, 1)));
	assert_int_equal(output.n, 0);
	return record;
}

/* ---- what is seen ---- */

static uint64_t u64_at(struct cs_bytes words, size_t index)
{
	struct cs_u256 value;
	uint64_t small;
	assert_true(words.n >= 32 * (index + 1));
	assert_ok(cs_u256_from_bytes(&value, cs_bytes(words.p + 32 * index, 32)));
	assert_ok(cs_u256_to_u64(&small, &value));
	return small;
}

struct usage_seen usage_statement_seen(struct usage_lab *usage, const struct cs_address *party,
				       enum ledger_usage_role role, uint32_t period)
{
	const struct cs_bytes out =
		lab_call(usage->lab, USAGE, "statementOf(address,uint8,uint32)",
			 LAB_WORDS(lab_address_word(party), lab_word(role), lab_word(period)));
	struct usage_seen seen = {
		.count = u64_at(out, 0),
		.charged = u64_at(out, 2),
		.credited = u64_at(out, 3),
		.pruned = u64_at(out, 4),
		.closed = u64_at(out, 5) == 1,
	};
	assert_int_equal(out.n, 6 * 32);
	memcpy(seen.root.b, out.p + 32, sizeof seen.root.b);
	return seen;
}

static struct cs_bytes page_of(struct usage_lab *usage, const struct ledger_usage_account *account,
			       uint64_t from, uint64_t count)
{
	const struct cs_bytes out =
		lab_call(usage->lab, USAGE, "lines(address,uint8,uint32,uint64,uint64)",
			 LAB_WORDS(lab_address_word(&account->party), lab_word(account->role),
				   lab_word(account->period), lab_word(from), lab_word(count)));
	struct cs_abi_reader reader;
	struct cs_bytes lines;
	assert_ok(cs_abi_read(&reader, out, 1));
	assert_ok(cs_abi_get_bytes(&reader, LEDGER_OUTPUT_SIZE_MAX, &lines));
	assert_ok(cs_abi_end(&reader));
	return lines;
}

/* The lines of a page, added; how many. */
static uint64_t add_page(struct ledger_usage_statement *statement, struct cs_bytes page)
{
	struct cs_reader reader;
	uint64_t count = 0;
	cs_reader_init(&reader, page);
	for (; reader.left > 0; count++) {
		const struct cs_bytes bytes = cs_get(&reader, cs_get_u16(&reader));
		struct ledger_usage_line line;
		assert_false(reader.failed);
		assert_ok(ledger_usage_line_decode(&line, bytes));
		assert_ok(ledger_usage_statement_add(statement, line.kind, &line.amount, bytes));
	}
	return count;
}

static struct cs_bytes encoded(const struct ledger_usage_statement *statement)
{
	struct cs_buf buf;
	cs_buf_init(&buf, keep(LEDGER_USAGE_STATEMENT_SIZE_MAX), LEDGER_USAGE_STATEMENT_SIZE_MAX);
	ledger_usage_statement_encode(&buf, statement);
	return cs_buf_view(&buf);
}

size_t usage_check_complete(struct usage_lab *usage, const struct cs_address *party,
			    enum ledger_usage_role role, uint32_t period)
{
	const struct ledger_usage_account account = {*party, role, period};
	const struct usage_seen seen = usage_statement_seen(usage, party, role, period);
	struct ledger_usage_statement statement;
	uint8_t key[LEDGER_USAGE_STATEMENT_KEY_SIZE];
	struct cs_bytes value;
	uint64_t next = seen.pruned;
	ledger_usage_statement_init(&statement);
	if (seen.pruned > 0) {
		ledger_usage_statement_key(key, &account, true);
		assert_ok(ledger_state_get(usage->lab->state, &value, CS_BYTES_OF(key)));
		assert_ok(ledger_usage_statement_decode(&statement, value));
		assert_true(statement.log.count == seen.pruned);
	}
	while (next < seen.count) {
		const uint64_t some = add_page(&statement, page_of(usage, &account, next, 7));
		assert_true(some > 0);
		next += some;
	}
	assert_int_equal(page_of(usage, &account, next, 7).n, 0);
	ledger_usage_statement_key(key, &account, false);
	enum cs_err err = ledger_state_get(usage->lab->state, &value, CS_BYTES_OF(key));
	if (seen.count == 0) {
		assert_err(err, CS_ERR_NOT_FOUND);
	} else {
		assert_ok(err);
		assert_bytes(encoded(&statement), value);
	}
	assert_hash(seen.root, cmt_merkle_root(&statement.log));
	return seen.count - seen.pruned;
}

struct usage_sums usage_sums(struct usage_lab *usage, uint32_t period)
{
	const struct cs_bytes out =
		lab_call(usage->lab, USAGE, "balanceOf(address,address,uint32)",
			 LAB_WORDS(lab_address_word(&usage->provider),
				   lab_address_word(&usage->consumer), lab_word(period)));
	return (struct usage_sums){u64_at(out, 0), u64_at(out, 1), u64_at(out, 2)};
}

/* ---- tasks ---- */

struct cs_schnorr usage_sign_step(const struct usage_lab *usage,
				  const struct ledger_task_step *step, size_t enclave,
				  bool insecure)
{
	static const struct cs_hash aux;
	const struct cs_hash digest = ledger_task_digest(step, &usage->chain, insecure);
	struct cs_schnorr signature;
	assert_ok(
		cs_schnorr_sign(usage->lab->sig, &signature, &usage->keys[enclave], &digest, &aux));
	return signature;
}
