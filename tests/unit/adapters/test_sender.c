/* From a row to a settled transaction: bytes are in the journal before the adapter has them, what was
 * signed before is handed back to it, and nothing is freed that somebody will still answer. */
#include "adapters/sender.h"
#include "tests/unit/support.h"

#define ROWS 4u

/* Stands for the chain's adapter, the journal and the signer; everything is recorded. */
struct world {
	struct adapter adapter;
	struct adapter_sender sender;
	bool stopping;
	/* the adapter */
	struct adapter_submission submission;
	struct adapter_tx_resume resume;
	bool resumed;
	unsigned submitted;
	enum cs_err submit_err;
	unsigned signed_;
	struct cs_hash signed_hash;
	unsigned refused;
	enum cs_err refused_err;
	/* the journal: attempts of row 1 */
	uint64_t rows[ROWS];
	size_t row_count;
	struct adapter_attempt attempts[ADAPTER_TX_ATTEMPTS_MAX];
	size_t attempt_count;
	enum cs_err write_err;
	host_store_committed *then;
	void *then_context;
	unsigned reports;
	uint64_t refused_row;
	unsigned failures;
	/* the signer */
	bool signs_later;
	enum cs_err sign_err;
	struct adapter_sent *asked;
	enum cs_err load_err;
	struct adapter_tx_report known;
	unsigned open;
};

static struct world w;
static uint8_t block[1u << 16];
static struct cs_arena scratch;

/* ---- the adapter ---- */

static enum cs_err submit(struct adapter *adapter, struct adapter_tx **tx,
			  const struct adapter_submission *submission)
{
	assert_ptr_equal(adapter, &w.adapter);
	if (w.submit_err != CS_OK)
		return w.submit_err;
	w.submission = *submission;
	w.resumed = submission->resume != NULL;
	if (w.resumed)
		w.resume = *submission->resume;
	w.submitted++;
	*tx = (struct adapter_tx *)&w;
	return CS_OK;
}

static void tx_signed(struct adapter_tx *tx, struct cs_bytes raw, const struct cs_hash *hash)
{
	assert_ptr_equal(tx, &w);
	assert_true(raw.n > 0);
	w.signed_++;
	w.signed_hash = *hash;
}

static void tx_refused(struct adapter_tx *tx, enum cs_err err, const char *why)
{
	assert_ptr_equal(tx, &w);
	assert_non_null(why);
	w.refused++;
	w.refused_err = err;
}

/* ---- the owner ---- */

struct tx {
	struct adapter_sent sent;
	uint64_t mine;
};

static enum cs_err rows(void *context, uint64_t after, uint64_t *out, size_t count_max,
			size_t *count)
{
	assert_ptr_equal(context, &w);
	*count = 0;
	for (size_t i = 0; i < w.row_count && *count < count_max; i++) {
		if (w.rows[i] > after)
			out[(*count)++] = w.rows[i];
	}
	return CS_OK;
}

static enum cs_err load(struct adapter_sent *sent, struct adapter_submission *submission)
{
	((struct tx *)sent)->mine = sent->n;
	sent->call = "call";
	sent->open = &w.open;
	sent->known = w.known;
	submission->gas_limit = 7;
	return w.load_err;
}

static enum cs_err attempts(void *context, uint64_t n, struct adapter_attempt *out,
			    size_t count_max, size_t *count)
{
	(void)context;
	assert_true(w.attempt_count <= count_max);
	*count = n == 1 ? w.attempt_count : 0;
	memcpy(out, w.attempts, *count * sizeof(*out));
	return CS_OK;
}

static void answer(struct adapter_sent *sent, uint8_t byte)
{
	struct cs_hash hash = {{byte}};
	uint8_t *raw = malloc(1);
	assert_non_null(raw);
	*raw = byte;
	adapter_sent_signed(sent, raw, 1, &hash);
}

static enum cs_err sign(struct adapter_sent *sent)
{
	assert_int_equal(((struct tx *)sent)->mine, sent->n);
	w.asked = sent;
	if (w.sign_err == CS_OK && !w.signs_later)
		answer(sent, 0xa1);
	return w.sign_err;
}

static enum cs_err store_attempt(struct adapter_sent *sent, const struct adapter_attempt *attempt)
{
	assert_int_equal(attempt->submission, sent->n);
	assert_int_equal(attempt->raw.n, 1);
	assert_int_equal(attempt->terms.attempt, w.attempt_count);
	w.attempts[w.attempt_count++] = *attempt;
	return CS_OK;
}

static enum cs_err store_report(struct adapter_sent *sent, const struct adapter_tx_report *report)
{
	(void)sent;
	(void)report;
	w.reports++;
	return CS_OK;
}

static enum cs_err store_refused(struct adapter_sent *sent, enum cs_err err)
{
	assert_int_equal(err, CS_ERR_NO_KEY);
	w.refused_row = sent->n;
	return CS_OK;
}

static enum cs_err write_(void *context, host_store_writer *write, void *write_context,
			  host_store_committed *then)
{
	assert_ptr_equal(context, &w);
	if (w.write_err != CS_OK)
		return w.write_err;
	CS_TRY(write(write_context));
	if (then) {
		w.then = then;
		w.then_context = write_context;
	}
	return CS_OK;
}

static void journal_failed(void *context, enum cs_err err, const char *what)
{
	(void)context;
	(void)err;
	assert_non_null(what);
	w.failures++;
}

static void wake(void *context)
{
	assert_ptr_equal(context, &w);
}

static void commit(enum cs_err err)
{
	host_store_committed *then = w.then;
	assert_non_null(then);
	w.then = NULL;
	then(w.then_context, err);
}

static int setup(void **state)
{
	static const struct adapter_ops adapter_ops = {
		.submit = submit, .tx_signed = tx_signed, .tx_refused = tx_refused};
	static const struct adapter_sender_ops ops = {.rows = rows,
						      .load = load,
						      .attempts = attempts,
						      .sign = sign,
						      .store_attempt = store_attempt,
						      .store_report = store_report,
						      .store_refused = store_refused};
	static const struct adapter_owner owner = {
		.write = write_, .fail = journal_failed, .wake = wake};
	(void)state;
	memset(&w, 0, sizeof(w));
	cs_arena_init(&scratch, block, sizeof(block));
	w.adapter.ops = &adapter_ops;
	w.sender = (struct adapter_sender){.ops = &ops,
					   .owner = &owner,
					   .context = &w,
					   .sent_size = sizeof(struct tx),
					   .scratch = &scratch,
					   .name = "eip155:1",
					   .adapter = &w.adapter,
					   .stopping = &w.stopping};
	w.rows[0] = 1;
	w.row_count = 1;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	adapter_sender_done(&w.sender);
	return 0;
}

static void ask_for_bytes(uint64_t nonce)
{
	const struct adapter_terms terms = {.nonce = nonce, .gas_limit = 7};
	w.submission.sign(w.submission.ctx, (struct adapter_tx *)&w, &terms);
}

static void report(enum adapter_tx_state state)
{
	const struct adapter_tx_report told = {.state = state, .why = "", .succeeded = true};
	w.submission.report(w.submission.ctx, (struct adapter_tx *)&w, &told);
}

/* ---- bytes ---- */

static void bytes_are_stored_before_they_are_sent(void **state)
{
	(void)state;
	adapter_sender_take_up(&w.sender);
	assert_int_equal(w.submitted, 1);
	assert_int_equal(w.submission.gas_limit, 7);
	assert_false(w.resumed);
	ask_for_bytes(9);
	assert_int_equal(w.attempt_count, 1);
	assert_int_equal(w.attempts[0].terms.nonce, 9);
	assert_int_equal(w.signed_, 0);
	commit(CS_OK);
	assert_int_equal(w.signed_, 1);
	assert_int_equal(w.signed_hash.b[0], 0xa1);
	/* taken up once */
	adapter_sender_take_up(&w.sender);
	assert_int_equal(w.submitted, 1);
}

static void what_is_not_stored_is_not_sent(void **state)
{
	(void)state;
	adapter_sender_take_up(&w.sender);
	w.write_err = CS_ERR_FULL;
	ask_for_bytes(9);
	assert_int_equal(w.refused, 1);
	assert_int_equal(w.refused_err, CS_ERR_FULL);
	w.write_err = CS_OK;
	ask_for_bytes(9);
	commit(CS_ERR_IO); /* the batch is not on disk */
	assert_int_equal(w.failures, 1);
	assert_int_equal(w.signed_, 0);
}

static void a_signer_that_refuses(void **state)
{
	(void)state;
	adapter_sender_take_up(&w.sender);
	w.sign_err = CS_ERR_UNAVAILABLE;
	ask_for_bytes(9);
	assert_int_equal(w.refused_err, CS_ERR_UNAVAILABLE);
	w.sign_err = CS_OK;
	w.signs_later = true;
	ask_for_bytes(9);
	adapter_sent_refused(w.asked, CS_ERR_POLICY_FEE, "the fee");
	assert_int_equal(w.refused, 2);
	assert_int_equal(w.refused_err, CS_ERR_POLICY_FEE);
	assert_int_equal(w.attempt_count, 0);
	assert_int_equal(w.signed_, 0);
}

/* The adapter ends a transaction while its signature, or the commit of it, is under way. */
static void answers_that_come_too_late(void **state)
{
	(void)state;
	w.signs_later = true;
	adapter_sender_take_up(&w.sender);
	ask_for_bytes(9);
	report(ADAPTER_TX_FAILED);
	assert_int_equal(w.open, 0);
	answer(w.asked, 0xa2);
	assert_int_equal(w.attempt_count, 0);
	assert_null(w.sender.list);

	w.rows[0] = 2;
	w.signs_later = false;
	adapter_sender_take_up(&w.sender);
	ask_for_bytes(9);
	report(ADAPTER_TX_FAILED);
	assert_non_null(w.sender.list);
	commit(CS_OK);
	assert_null(w.sender.list);
	assert_int_equal(w.signed_, 0);
}

/* ---- rows ---- */

static void what_was_signed_before_is_handed_back(void **state)
{
	(void)state;
	w.attempt_count = 2;
	w.attempts[0] = (struct adapter_attempt){
		.submission = 1, .terms = {.nonce = 4, .gas_limit = 7}, .hash = {{1}}};
	w.attempts[1] = w.attempts[0];
	w.attempts[1].terms.attempt = 1;
	w.attempts[1].terms.cancel = true;
	w.attempts[1].hash.b[0] = 2;
	w.attempts[1].raw = cs_bytes_str("newest");
	adapter_sender_take_up(&w.sender);
	assert_true(w.resumed);
	assert_int_equal(w.resume.count, 2);
	assert_false(w.resume.cancels[0]);
	assert_true(w.resume.cancels[1]);
	assert_int_equal(w.resume.hashes[1].b[0], 2);
	assert_true(cs_bytes_eq(w.resume.raw, cs_bytes_str("newest")));
	assert_int_equal(w.resume.terms.nonce, 4);
	ask_for_bytes(4); /* the third of its attempts */
	assert_int_equal(w.attempt_count, 3);
}

static void what_is_in_a_block_is_handed_back_with_it(void **state)
{
	(void)state;
	w.attempt_count = 1;
	w.attempts[0] = (struct adapter_attempt){.submission = 1, .hash = {{1}}};
	w.known = (struct adapter_tx_report){
		.state = ADAPTER_TX_INCLUDED, .hash = {{1}}, .block.height = 12};
	adapter_sender_take_up(&w.sender);
	assert_true(w.resumed);
	assert_int_equal(w.resume.included.state, ADAPTER_TX_INCLUDED);
	assert_int_equal(w.resume.included.block.height, 12);
	assert_int_equal(w.resume.included.hash.b[0], 1);
}

static void what_cannot_be_taken_now_holds_up_the_rest(void **state)
{
	(void)state;
	w.rows[1] = 2;
	w.row_count = 2;
	w.submit_err = CS_ERR_FULL;
	adapter_sender_take_up(&w.sender);
	assert_int_equal(w.sender.resumed_to, 0);
	assert_int_equal(w.open, 0);
	w.submit_err = CS_OK;
	adapter_sender_take_up(&w.sender);
	assert_int_equal(w.submitted, 2);
	assert_int_equal(w.sender.resumed_to, 2);
	assert_int_equal(w.open, 2);
}

static void what_can_never_be_taken_does_not(void **state)
{
	(void)state;
	w.load_err = CS_ERR_NO_KEY;
	w.write_err = CS_ERR_FULL;
	adapter_sender_take_up(&w.sender);
	assert_int_equal(w.sender.resumed_to, 0); /* its failure is not written: once more */
	w.write_err = CS_OK;
	adapter_sender_take_up(&w.sender);
	assert_int_equal(w.refused_row, 1);
	assert_int_equal(w.sender.resumed_to, 1);
	assert_int_equal(w.submitted, 0);
	assert_null(w.sender.list);
}

/* ---- reports ---- */

static void only_what_waits_for_a_block_takes_room(void **state)
{
	(void)state;
	adapter_sender_take_up(&w.sender);
	assert_int_equal(w.open, 1);
	report(ADAPTER_TX_SENT);
	report(ADAPTER_TX_INCLUDED);
	report(ADAPTER_TX_INCLUDED);
	assert_int_equal(w.open, 0);
	report(ADAPTER_TX_UNINCLUDED);
	assert_int_equal(w.open, 1);
	report(ADAPTER_TX_UNKNOWN);
	assert_int_equal(w.open, 0);
	report(ADAPTER_TX_SETTLED);
	assert_int_equal(w.open, 0);
	assert_int_equal(w.reports, 6);
	assert_null(w.sender.list);
}

static void what_ends_at_the_stop_stays_open_in_the_journal(void **state)
{
	(void)state;
	adapter_sender_take_up(&w.sender);
	w.stopping = true;
	report(ADAPTER_TX_SENT);
	report(ADAPTER_TX_FAILED);
	assert_int_equal(w.reports, 0);
	assert_null(w.sender.list);
}

/* The cursor is past its block, which nobody reports again. */
static void a_block_at_the_stop_is_written(void **state)
{
	(void)state;
	adapter_sender_take_up(&w.sender);
	w.stopping = true;
	report(ADAPTER_TX_INCLUDED);
	assert_int_equal(w.reports, 1);
	report(ADAPTER_TX_SETTLED);
	assert_int_equal(w.reports, 1);
	assert_null(w.sender.list);
}

static void a_report_that_cannot_be_written(void **state)
{
	(void)state;
	adapter_sender_take_up(&w.sender);
	w.write_err = CS_ERR_IO;
	report(ADAPTER_TX_INCLUDED);
	assert_int_equal(w.failures, 1);
}

/* ---- another adapter ---- */

static void another_adapter_takes_up_what_is_open(void **state)
{
	(void)state;
	struct adapter next = w.adapter;
	w.signs_later = true;
	adapter_sender_take_up(&w.sender);
	ask_for_bytes(9);
	assert_int_equal(w.open, 1);
	adapter_sender_move(&w.sender, &next);
	assert_int_equal(w.open, 0);
	assert_int_equal(adapter_sender_raise(&w.sender, 1), CS_ERR_CONFLICT);
	/* The signature that was asked for before is nobody's. */
	answer(w.asked, 0xa2);
	assert_int_equal(w.attempt_count, 0);
	assert_null(w.sender.list);
	w.sender.adapter = &w.adapter;
	w.signs_later = false;
	adapter_sender_take_up(&w.sender);
	assert_int_equal(w.submitted, 2);
	assert_int_equal(w.open, 1);
	assert_false(w.resumed);
}

static void an_attempt_that_is_being_stored_is_not_sent_by_the_old_one(void **state)
{
	(void)state;
	adapter_sender_take_up(&w.sender);
	ask_for_bytes(9);
	assert_int_equal(w.attempt_count, 1);
	adapter_sender_move(&w.sender, &w.adapter);
	commit(CS_OK);
	assert_int_equal(w.signed_, 0);
	assert_null(w.sender.list);
	/* Whoever comes next has its bytes from the journal. */
	adapter_sender_take_up(&w.sender);
	assert_true(w.resumed);
	assert_int_equal(w.resume.terms.nonce, 9);
}

static void nothing_is_raised_that_the_adapter_does_not_raise(void **state)
{
	(void)state;
	assert_int_equal(adapter_sender_raise(&w.sender, 1), CS_ERR_CONFLICT);
	adapter_sender_take_up(&w.sender);
	assert_int_equal(adapter_sender_raise(&w.sender, 1), CS_ERR_UNSUPPORTED);
	assert_int_equal(adapter_sender_raise(&w.sender, 2), CS_ERR_CONFLICT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(bytes_are_stored_before_they_are_sent, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_is_not_stored_is_not_sent, setup, teardown),
		cmocka_unit_test_setup_teardown(a_signer_that_refuses, setup, teardown),
		cmocka_unit_test_setup_teardown(answers_that_come_too_late, setup, teardown),
		cmocka_unit_test_setup_teardown(what_was_signed_before_is_handed_back, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_cannot_be_taken_now_holds_up_the_rest, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_can_never_be_taken_does_not, setup, teardown),
		cmocka_unit_test_setup_teardown(only_what_waits_for_a_block_takes_room, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_ends_at_the_stop_stays_open_in_the_journal,
						setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_in_a_block_is_handed_back_with_it, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_block_at_the_stop_is_written, setup, teardown),
		cmocka_unit_test_setup_teardown(a_report_that_cannot_be_written, setup, teardown),
		cmocka_unit_test_setup_teardown(another_adapter_takes_up_what_is_open, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			an_attempt_that_is_being_stored_is_not_sent_by_the_old_one, setup,
			teardown),
		cmocka_unit_test_setup_teardown(nothing_is_raised_that_the_adapter_does_not_raise,
						setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
