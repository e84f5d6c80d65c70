/* Records, statements, pruning: what is taken, what is refused, and that a statement is complete. */
#include "tests/unit/ledger/usage_lab.h"

#define JANUARY 202601u
#define DAY 86400u

static struct usage_lab *usage;

static int begin(void **state)
{
	(void)state;
	usage = usage_lab_new(&(struct usage_lab_options){.insecure = false});
	return 0;
}

static int end(void **state)
{
	(void)state;
	usage_lab_free(usage);
	return 0;
}

static uint64_t now(void)
{
	return usage->lab->block.time_s;
}

/* Signs what is given, and sees it refused. */
static void refuse(struct ledger_usage_record record, const char *error,
		   const struct cs_hash *words, size_t count)
{
	usage_sign(usage, &record, 0, false);
	lab_refuse_input(usage->lab, USAGE, usage_calldata(&record, 1), error, words, count);
}

/* ---- records ---- */

static void test_the_table(void **state)
{
	(void)state;
	lab_check_table(&ledger_usage);
	lab_check_table(&ledger_tasks);
}

static void test_a_record_is_a_line_of_both(void **state)
{
	(void)state;
	const struct ledger_usage_record record = usage_take(usage, 0, 7);
	assert_int_equal(lab_log_count(usage->lab,
				       "UsageRecorded(bytes32,address,address,uint64,uint32,"
				       "uint256)"),
			 1);
	const struct usage_seen mine =
		usage_statement_seen(usage, &usage->provider, LEDGER_USAGE_PROVIDER, JANUARY);
	assert_true(mine.count == 1 && mine.charged == 5000 && mine.credited == 0 && !mine.closed);
	const struct usage_seen theirs =
		usage_statement_seen(usage, &usage->consumer, LEDGER_USAGE_CONSUMER, JANUARY);
	assert_hash(theirs.root, mine.root);
	/* Roles are not parties. */
	assert_true(usage_statement_seen(usage, &usage->consumer, LEDGER_USAGE_PROVIDER, JANUARY)
			    .count == 0);
	assert_true(usage_sums(usage, JANUARY).charged == 5000);
	const struct cs_bytes out = lab_call(usage->lab, USAGE, "recordOf(bytes32,uint64)",
					     LAB_WORDS(record.enclave, lab_word(record.nonce)));
	struct ledger_usage_line line;
	struct cs_abi_reader reader;
	struct cs_bytes bytes;
	assert_ok(cs_abi_read(&reader, out, 1));
	assert_ok(cs_abi_get_bytes(&reader, 1000, &bytes));
	assert_ok(ledger_usage_line_decode(&line, bytes));
	assert_true(line.time_s == now() && line.height == 1 && line.amount.limb[0] == 5000);
	assert_memory_equal(line.record.signature, record.signature, 64);
}

static void test_many_records_make_one_complete_statement(void **state)
{
	struct ledger_usage_record records[LEDGER_USAGE_RECORDS_MAX];
	struct cs_bytes output;
	(void)state;
	for (size_t i = 0; i < CS_LEN(records); i++) {
		records[i] = usage_make(usage, i % USAGE_ENCLAVES, 1000 - i);
		records[i].quantity = cs_u256_u64(i + 1);
		records[i].purpose.n = i % 14;
		usage_sign(usage, &records[i], i % USAGE_ENCLAVES, false);
	}
	assert_true(lab_try(usage->lab, &output, USAGE, usage_calldata(records, CS_LEN(records))));
	assert_true(usage->lab->run.gas.used < 10000000);
	usage_take(usage, 0, 1);
	assert_int_equal(
		usage_check_complete(usage, &usage->provider, LEDGER_USAGE_PROVIDER, JANUARY), 65);
	assert_int_equal(
		usage_check_complete(usage, &usage->consumer, LEDGER_USAGE_CONSUMER, JANUARY), 65);
	assert_true(usage_sums(usage, JANUARY).charged == 5 * 64 * 65 / 2 + 5000);
}

static void test_a_batch_is_taken_whole_or_not(void **state)
{
	struct ledger_usage_record records[2] = {usage_make(usage, 0, 1), usage_make(usage, 0, 2)};
	(void)state;
	usage_sign(usage, &records[0], 0, false);
	usage_sign(usage, &records[1], 1, false);
	lab_refuse_input(usage->lab, USAGE, usage_calldata(records, 2), "SignatureInvalid()",
			 LAB_NONE);
	assert_true(usage_statement_seen(usage, &usage->provider, LEDGER_USAGE_PROVIDER, JANUARY)
			    .count == 0);
	/* The same record twice in it. */
	usage_sign(usage, &records[1], 0, false);
	records[1] = records[0];
	lab_refuse_input(usage->lab, USAGE, usage_calldata(records, 2),
			 "RecordKnown(bytes32,uint64)", LAB_WORDS(records[0].enclave, lab_word(1)));
}

static void test_how_many_records(void **state)
{
	static struct ledger_usage_record records[LEDGER_USAGE_RECORDS_MAX + 1];
	(void)state;
	lab_refuse_input(usage->lab, USAGE, usage_calldata(records, 0), "NoRecords()", LAB_NONE);
	lab_refuse_input(usage->lab, USAGE, usage_calldata(records, CS_LEN(records)), NULL,
			 LAB_NONE);
}

static void test_replays(void **state)
{
	(void)state;
	const struct ledger_usage_record record = usage_take(usage, 0, 7);
	lab_refuse_input(usage->lab, USAGE, usage_calldata(&record, 1),
			 "RecordKnown(bytes32,uint64)", LAB_WORDS(record.enclave, lab_word(7)));
	lab_next_block(usage->lab, DAY);
	/* Another record of the same number. */
	struct ledger_usage_record other = usage_make(usage, 0, 7);
	other.quantity = cs_u256_u64(1);
	refuse(other, "RecordKnown(bytes32,uint64)", LAB_WORDS(record.enclave, lab_word(7)));
	/* Numbers of other enclaves are theirs, and may come in any order. */
	usage_take(usage, 1, 7);
	usage_take(usage, 0, 6);
}

static void test_the_time_of_an_observation(void **state)
{
	struct ledger_usage_record record = usage_make(usage, 0, 1);
	struct cs_bytes output;
	(void)state;
	record.observed_s = now() + 1;
	refuse(record, "ObservedInFuture(uint64,uint64)",
	       LAB_WORDS(lab_word(now() + 1), lab_word(now())));
	record.observed_s = now() - USAGE_AGE_MAX - 1;
	refuse(record, "ObservedTooOld(uint64,uint64)",
	       LAB_WORDS(lab_word(record.observed_s), lab_word(now())));
	record.observed_s = now() - USAGE_AGE_MAX;
	usage_sign(usage, &record, 0, false);
	assert_true(lab_try(usage->lab, &output, USAGE, usage_calldata(&record, 1)));
	/* It is a line of the block's month, not of December. */
	assert_true(usage_statement_seen(usage, &usage->provider, LEDGER_USAGE_PROVIDER, JANUARY)
			    .count == 1);
	assert_true(usage_statement_seen(usage, &usage->provider, LEDGER_USAGE_PROVIDER, 202512)
			    .count == 0);
}

static void test_parties(void **state)
{
	struct ledger_usage_record record = usage_make(usage, 0, 1);
	const struct ledger_usage_record good = record;
	(void)state;
	record.consumer = record.provider;
	refuse(record, "ProviderIsConsumer()", LAB_NONE);
	record.consumer = (struct cs_address){{0}};
	refuse(record, "PartyInvalid()", LAB_NONE);
	record = good;
	record.provider = (struct cs_address){{0}};
	refuse(record, "PartyInvalid()", LAB_NONE);
}

static void test_quantities_prices_and_metrics(void **state)
{
	struct ledger_usage_record record = usage_make(usage, 0, 1);
	struct cs_u256 most = {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
	(void)state;
	record.quantity = cs_u256_u64(0);
	refuse(record, "QuantityZero()", LAB_NONE);
	record.quantity = most;
	refuse(record, "AmountOverflow()", LAB_NONE);
	record.metric = usage_label("columns");
	refuse(record, "MetricUnknown(bytes32)", LAB_WORDS(record.metric));
	/* 1.999 hours at 5: 9.995 is 9. */
	record.metric = usage->hours;
	record.quantity = cs_u256_u64(1999);
	struct cs_bytes output;
	usage_sign(usage, &record, 0, false);
	assert_true(lab_try(usage->lab, &output, USAGE, usage_calldata(&record, 1)));
	assert_true(usage_sums(usage, JANUARY).charged == 9);
}

static void test_sums_that_overflow(void **state)
{
	struct ledger_usage_record record = usage_make(usage, 0, 1);
	struct cs_bytes output;
	struct cs_u256 rest;
	(void)state;
	/* Amounts of a little less than a fourth of 2^256 / 10^18. */
	record.quantity = (struct cs_u256){{0, 0, 0, UINT64_MAX}};
	record.price = cs_u256_u64(1);
	usage_sign(usage, &record, 0, false);
	assert_true(lab_try(usage->lab, &output, USAGE, usage_calldata(&record, 1)));
	/* What is charged is put to the brim as no test can do with records alone. */
	const struct ledger_usage_account account = {usage->provider, LEDGER_USAGE_PROVIDER,
						     JANUARY};
	struct ledger_usage_statement statement;
	uint8_t key[LEDGER_USAGE_STATEMENT_KEY_SIZE], memory[LEDGER_USAGE_STATEMENT_SIZE_MAX];
	struct cs_buf buf;
	ledger_usage_statement_key(key, &account, false);
	assert_ok(ledger_state_get(usage->lab->state, &output, CS_BYTES_OF(key)));
	assert_ok(ledger_usage_statement_decode(&statement, output));
	rest = (struct cs_u256){{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
	statement.charged = rest;
	cs_buf_init(&buf, memory, sizeof memory);
	ledger_usage_statement_encode(&buf, &statement);
	assert_ok(ledger_state_put(usage->lab->state, CS_BYTES_OF(key), cs_buf_view(&buf)));
	record = usage_make(usage, 0, 2);
	refuse(record, "TotalOverflow()", LAB_NONE);
	/* The log is full. */
	statement.charged = cs_u256_u64(0);
	statement.log.count = LEDGER_MERKLE_COUNT_MAX;
	memset(statement.log.stack, 1, sizeof statement.log.stack);
	cs_buf_init(&buf, memory, sizeof memory);
	ledger_usage_statement_encode(&buf, &statement);
	assert_ok(ledger_state_put(usage->lab->state, CS_BYTES_OF(key), cs_buf_view(&buf)));
	refuse(record, "LogFull()", LAB_NONE);
}

static void test_who_signs(void **state)
{
	struct ledger_usage_record record = usage_make(usage, 0, 1);
	(void)state;
	usage_sign(usage, &record, 1, false);
	lab_refuse_input(usage->lab, USAGE, usage_calldata(&record, 1), "SignatureInvalid()",
			 LAB_NONE);
	/* Of the domain of insecure enclaves; of another ledger. */
	usage_sign(usage, &record, 0, true);
	lab_refuse_input(usage->lab, USAGE, usage_calldata(&record, 1), "SignatureInvalid()",
			 LAB_NONE);
	const struct cs_hash chain = usage->chain;
	usage->chain.b[0] ^= 1;
	usage_sign(usage, &record, 0, false);
	usage->chain = chain;
	lab_refuse_input(usage->lab, USAGE, usage_calldata(&record, 1), "SignatureInvalid()",
			 LAB_NONE);
	usage_enclave_active[0] = false;
	refuse(record, "EnclaveNotActive(bytes32)", LAB_WORDS(record.enclave));
	usage_enclave_active[0] = true;
	record.enclave = lab_byte_word(0x77);
	refuse(record, "EnclaveNotActive(bytes32)", LAB_WORDS(record.enclave));
}

static void test_a_ledger_of_insecure_enclaves_takes_no_others(void **state)
{
	struct cs_bytes output;
	(void)state;
	usage_lab_free(usage);
	usage = usage_lab_new(&(struct usage_lab_options){.insecure = true});
	struct ledger_usage_record record = usage_make(usage, 0, 1);
	refuse(record, "SignatureInvalid()", LAB_NONE);
	usage_sign(usage, &record, 0, true);
	assert_true(lab_try(usage->lab, &output, USAGE, usage_calldata(&record, 1)));
}

static void test_calldata_that_is_cut_or_longer(void **state)
{
	struct ledger_usage_record record = usage_make(usage, 0, 1);
	(void)state;
	usage_sign(usage, &record, 0, false);
	const struct cs_bytes good = usage_calldata(&record, 1);
	uint8_t *copy = keep(good.n + 32);
	memcpy(copy, good.p, good.n);
	for (size_t n = 4; n < good.n; n += 17)
		lab_refuse_input(usage->lab, USAGE, cs_bytes(copy, n), NULL, LAB_NONE);
	lab_refuse_input(usage->lab, USAGE, cs_bytes(copy, good.n + 32), NULL, LAB_NONE);
	/* A purpose of 65 bytes. */
	uint8_t long_one[65] = {0};
	record.purpose = CS_BYTES_OF(long_one);
	refuse(record, NULL, LAB_NONE);
}

static void test_a_pause_takes_nothing(void **state)
{
	struct ledger_usage_record record = usage_make(usage, 0, 1);
	(void)state;
	usage->lab->from = usage->guardian;
	lab_call(usage->lab, USAGE, "pause()", LAB_NONE);
	refuse(record, "InPause()", LAB_NONE);
	usage->lab->from = usage->owner;
	lab_call(usage->lab, USAGE, "unpause()", LAB_NONE);
	usage_take(usage, 0, 1);
}

/* ---- months ---- */

static void test_a_month_that_is_over_gets_no_more_lines(void **state)
{
	(void)state;
	usage_take(usage, 0, 1);
	lab_next_block(usage->lab, 31 * DAY - 1);
	usage_take(usage, 0, 2);
	struct usage_seen seen =
		usage_statement_seen(usage, &usage->provider, LEDGER_USAGE_PROVIDER, JANUARY);
	assert_true(seen.count == 2 && !seen.closed);
	lab_next_block(usage->lab, 1);
	struct ledger_usage_record late = usage_make(usage, 0, 3);
	late.observed_s--;
	usage_sign(usage, &late, 0, false);
	struct cs_bytes output;
	assert_true(lab_try(usage->lab, &output, USAGE, usage_calldata(&late, 1)));
	const struct cs_hash root = seen.root;
	seen = usage_statement_seen(usage, &usage->provider, LEDGER_USAGE_PROVIDER, JANUARY);
	assert_true(seen.count == 2 && seen.closed);
	assert_hash(seen.root, root);
	assert_int_equal(
		usage_check_complete(usage, &usage->provider, LEDGER_USAGE_PROVIDER, 202602), 1);
}

static void test_questions_about_no_statement(void **state)
{
	const struct cs_hash party = lab_address_word(&usage->provider);
	const struct usage_seen none =
		usage_statement_seen(usage, &usage->anyone, LEDGER_USAGE_PROVIDER, JANUARY);
	(void)state;
	assert_true(none.count == 0 && none.charged == 0);
	assert_int_equal(
		usage_check_complete(usage, &usage->anyone, LEDGER_USAGE_CONSUMER, JANUARY), 0);
	lab_refuse(usage->lab, USAGE, "statementOf(address,uint8,uint32)",
		   LAB_WORDS(party, lab_word(0), lab_word(JANUARY)), NULL, LAB_NONE);
	lab_refuse(usage->lab, USAGE, "statementOf(address,uint8,uint32)",
		   LAB_WORDS(party, lab_word(3), lab_word(JANUARY)), NULL, LAB_NONE);
	lab_refuse(usage->lab, USAGE, "statementOf(address,uint8,uint32)",
		   LAB_WORDS(party, lab_word(1), lab_word(202613)), NULL, LAB_NONE);
	lab_refuse(usage->lab, USAGE, "recordOf(bytes32,uint64)",
		   LAB_WORDS(usage->enclaves[0], lab_word(1)), "RecordUnknown()", LAB_NONE);
}

/* ---- metrics and terms ---- */

#define REGISTER "registerMetric(bytes32,uint8,bytes32)"

static void test_metrics(void **state)
{
	const struct cs_hash name = usage_label("gpu_seconds"), unit = usage_label("s");
	struct cs_hash gap = usage_label("a");
	(void)state;
	gap.b[5] = 'b';
	lab_refuse(usage->lab, USAGE, REGISTER, LAB_WORDS(name, lab_word(6), unit), "NotOwner()",
		   LAB_NONE);
	usage->lab->from = usage->owner;
	lab_refuse(usage->lab, USAGE, REGISTER, LAB_WORDS(usage->rows, lab_word(0), unit),
		   "MetricKnown()", LAB_NONE);
	lab_refuse(usage->lab, USAGE, REGISTER, LAB_WORDS(name, lab_word(19), unit),
		   "MetricInvalid()", LAB_NONE);
	lab_refuse(usage->lab, USAGE, REGISTER, LAB_WORDS(lab_word(0), lab_word(1), unit),
		   "MetricInvalid()", LAB_NONE);
	lab_refuse(usage->lab, USAGE, REGISTER, LAB_WORDS(usage_label("a\"b"), lab_word(1), unit),
		   "MetricInvalid()", LAB_NONE);
	lab_refuse(usage->lab, USAGE, REGISTER, LAB_WORDS(gap, lab_word(1), unit),
		   "MetricInvalid()", LAB_NONE);
	lab_refuse(usage->lab, USAGE, REGISTER, LAB_WORDS(name, lab_word(1), usage_label("=1+1")),
		   "MetricInvalid()", LAB_NONE);
	lab_call(usage->lab, USAGE, REGISTER, LAB_WORDS(name, lab_word(18), usage_label("GPU/s%")));
	const struct cs_bytes out =
		lab_call(usage->lab, USAGE, "metricOf(bytes32)", LAB_WORDS(name));
	assert_int_equal(out.n, 96);
	assert_int_equal(out.p[31], 1);
	assert_int_equal(out.p[63], 18);
	assert_memory_equal(out.p + 64, usage_label("GPU/s%").b, 32);
}

static void test_terms_that_are_none(void **state)
{
	struct ledger_usage_terms terms = {
		.owner = usage->owner,
		.delay_s = 1,
		.age_max_s = 1000,
		.window_s = 1000,
		.retention_s = 4000,
	};
	const struct ledger_usage_terms good = terms;
	(void)state;
	assert_ok(usage_lab_construct(usage->lab, &terms));
	terms.retention_s--;
	assert_err(usage_lab_construct(usage->lab, &terms), CS_ERR_INVALID);
	terms = good;
	terms.age_max_s = 4001;
	assert_err(usage_lab_construct(usage->lab, &terms), CS_ERR_INVALID);
	terms = good;
	terms.age_max_s = 0;
	assert_err(usage_lab_construct(usage->lab, &terms), CS_ERR_INVALID);
	terms = good;
	terms.window_s = 0;
	assert_err(usage_lab_construct(usage->lab, &terms), CS_ERR_INVALID);
	terms.window_s = UINT64_MAX;
	assert_err(usage_lab_construct(usage->lab, &terms), CS_ERR_INVALID);
	terms = good;
	terms.retention_s = LEDGER_USAGE_TERM_MAX_S + 1;
	assert_err(usage_lab_construct(usage->lab, &terms), CS_ERR_INVALID);
	terms = good;
	terms.owner = (struct cs_address){{0}};
	assert_err(usage_lab_construct(usage->lab, &terms), CS_ERR_INVALID);
}

/* ---- pruning ---- */

#define PRUNE "prune(address,uint8,uint32,uint64)"

static struct cs_bytes prune_words(uint64_t count)
{
	struct cs_hash *words = keep(4 * sizeof *words);
	words[0] = lab_address_word(&usage->provider);
	words[1] = lab_word(LEDGER_USAGE_PROVIDER);
	words[2] = lab_word(JANUARY);
	words[3] = lab_word(count);
	return cs_bytes(words, 4 * sizeof *words);
}

static void refuse_to_prune(uint64_t count)
{
	const struct cs_bytes words = prune_words(count);
	lab_refuse(usage->lab, USAGE, PRUNE, (const struct cs_hash *)(const void *)words.p, 4,
		   "NothingToPrune()", LAB_NONE);
}

static void prune(uint64_t count)
{
	const struct cs_bytes words = prune_words(count);
	lab_call(usage->lab, USAGE, PRUNE, (const struct cs_hash *)(const void *)words.p, 4);
}

static void test_old_lines_are_pruned_and_sums_stay(void **state)
{
	struct ledger_usage_record record = {.nonce = 0};
	(void)state;
	for (uint64_t i = 0; i < 5; i++)
		record = usage_take(usage, 0, i);
	lab_next_block(usage->lab, DAY);
	for (uint64_t i = 5; i < 9; i++)
		usage_take(usage, 0, i);
	const struct usage_seen before =
		usage_statement_seen(usage, &usage->provider, LEDGER_USAGE_PROVIDER, JANUARY);
	lab_next_block(usage->lab, USAGE_RETENTION - DAY);
	refuse_to_prune(10);
	lab_next_block(usage->lab, 1);
	refuse_to_prune(0);
	prune(2);
	assert_int_equal(
		usage_check_complete(usage, &usage->provider, LEDGER_USAGE_PROVIDER, JANUARY), 7);
	/* The other five are not old yet. */
	prune(UINT64_MAX);
	assert_int_equal(
		usage_check_complete(usage, &usage->provider, LEDGER_USAGE_PROVIDER, JANUARY), 4);
	refuse_to_prune(1);
	const struct usage_seen after =
		usage_statement_seen(usage, &usage->provider, LEDGER_USAGE_PROVIDER, JANUARY);
	assert_true(after.pruned == 5 && after.count == before.count);
	assert_true(after.charged == before.charged && after.closed);
	assert_hash(after.root, before.root);
	lab_refuse(usage->lab, USAGE, "lines(address,uint8,uint32,uint64,uint64)",
		   LAB_WORDS(lab_address_word(&usage->provider), lab_word(1), lab_word(JANUARY),
			     lab_word(4), lab_word(1)),
		   "LinesPruned(uint64)", LAB_WORDS(lab_word(5)));
	/* The consumer's is another statement, which has all of them. */
	assert_int_equal(
		usage_check_complete(usage, &usage->consumer, LEDGER_USAGE_CONSUMER, JANUARY), 9);
	lab_call(usage->lab, USAGE, "recordOf(bytes32,uint64)",
		 LAB_WORDS(record.enclave, lab_word(record.nonce)));
}

static void test_what_both_pruned_is_gone_and_never_taken_again(void **state)
{
	(void)state;
	const struct ledger_usage_record record = usage_take(usage, 0, 1);
	lab_next_block(usage->lab, USAGE_RETENTION + 1);
	prune(1);
	lab_call(usage->lab, USAGE, PRUNE,
		 LAB_WORDS(lab_address_word(&usage->consumer), lab_word(LEDGER_USAGE_CONSUMER),
			   lab_word(JANUARY), lab_word(1)));
	lab_refuse(usage->lab, USAGE, "recordOf(bytes32,uint64)",
		   LAB_WORDS(record.enclave, lab_word(1)), "RecordUnknown()", LAB_NONE);
	assert_int_equal(
		usage_check_complete(usage, &usage->provider, LEDGER_USAGE_PROVIDER, JANUARY), 0);
	lab_refuse_input(usage->lab, USAGE, usage_calldata(&record, 1),
			 "ObservedTooOld(uint64,uint64)",
			 LAB_WORDS(lab_word(record.observed_s), lab_word(now())));
}

/* A longest age as long as the retention: a record that may still come is not forgotten, at no second. */
static void test_what_may_still_come_is_not_pruned(void **state)
{
	(void)state;
	usage_lab_free(usage);
	usage = usage_lab_new(&(struct usage_lab_options){.age_max_s = USAGE_RETENTION});
	const struct ledger_usage_record record = usage_take(usage, 0, 1);
	lab_next_block(usage->lab, USAGE_RETENTION);
	refuse_to_prune(1);
	lab_refuse_input(usage->lab, USAGE, usage_calldata(&record, 1),
			 "RecordKnown(bytes32,uint64)", LAB_WORDS(record.enclave, lab_word(1)));
	lab_next_block(usage->lab, 1);
	prune(1);
	lab_call(usage->lab, USAGE, PRUNE,
		 LAB_WORDS(lab_address_word(&usage->consumer), lab_word(LEDGER_USAGE_CONSUMER),
			   lab_word(JANUARY), lab_word(1)));
	lab_refuse_input(usage->lab, USAGE, usage_calldata(&record, 1),
			 "ObservedTooOld(uint64,uint64)",
			 LAB_WORDS(lab_word(record.observed_s), lab_word(now())));
}

static void test_a_call_prunes_so_many_lines(void **state)
{
	struct ledger_usage_record records[LEDGER_USAGE_RECORDS_MAX];
	struct cs_bytes output;
	(void)state;
	for (uint64_t batch = 0; batch < 9; batch++) {
		for (size_t i = 0; i < CS_LEN(records); i++) {
			records[i] = usage_make(usage, 0, 100 * batch + i);
			usage_sign(usage, &records[i], 0, false);
		}
		assert_true(lab_try(usage->lab, &output, USAGE,
				    usage_calldata(records, CS_LEN(records))));
	}
	lab_next_block(usage->lab, USAGE_RETENTION + 1);
	prune(UINT64_MAX);
	assert_true(usage_statement_seen(usage, &usage->provider, LEDGER_USAGE_PROVIDER, JANUARY)
			    .pruned == LEDGER_USAGE_PRUNE_MAX);
	assert_int_equal(
		usage_check_complete(usage, &usage->provider, LEDGER_USAGE_PROVIDER, JANUARY), 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_table, begin, end),
		cmocka_unit_test_setup_teardown(test_a_record_is_a_line_of_both, begin, end),
		cmocka_unit_test_setup_teardown(test_many_records_make_one_complete_statement,
						begin, end),
		cmocka_unit_test_setup_teardown(test_a_batch_is_taken_whole_or_not, begin, end),
		cmocka_unit_test_setup_teardown(test_how_many_records, begin, end),
		cmocka_unit_test_setup_teardown(test_replays, begin, end),
		cmocka_unit_test_setup_teardown(test_the_time_of_an_observation, begin, end),
		cmocka_unit_test_setup_teardown(test_parties, begin, end),
		cmocka_unit_test_setup_teardown(test_quantities_prices_and_metrics, begin, end),
		cmocka_unit_test_setup_teardown(test_sums_that_overflow, begin, end),
		cmocka_unit_test_setup_teardown(test_who_signs, begin, end),
		cmocka_unit_test_setup_teardown(test_a_ledger_of_insecure_enclaves_takes_no_others,
						begin, end),
		cmocka_unit_test_setup_teardown(test_calldata_that_is_cut_or_longer, begin, end),
		cmocka_unit_test_setup_teardown(test_a_pause_takes_nothing, begin, end),
		cmocka_unit_test_setup_teardown(test_a_month_that_is_over_gets_no_more_lines, begin,
						end),
		cmocka_unit_test_setup_teardown(test_questions_about_no_statement, begin, end),
		cmocka_unit_test_setup_teardown(test_metrics, begin, end),
		cmocka_unit_test_setup_teardown(test_terms_that_are_none, begin, end),
		cmocka_unit_test_setup_teardown(test_old_lines_are_pruned_and_sums_stay, begin,
						end),
		cmocka_unit_test_setup_teardown(test_what_both_pruned_is_gone_and_never_taken_again,
						begin, end),
		cmocka_unit_test_setup_teardown(test_what_may_still_come_is_not_pruned, begin, end),
		cmocka_unit_test_setup_teardown(test_a_call_prunes_so_many_lines, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
