/* What GET /v1/messages/{id} answered is kept until something of the message changes, and never longer. */
#include "gateway/answers.h"
#include "host/alloc.h"
#include "tests/unit/support.h"

#include <stdlib.h>
#include <unistd.h>

struct fixture {
	struct gateway gateway;
	char path[64];
	struct gateway_message message;
	struct gateway_submission submission;
};

static struct cs_hash a_hash(uint8_t first, uint8_t last)
{
	struct cs_hash hash = {{0}};
	hash.b[0] = first;
	hash.b[31] = last;
	return hash;
}

/* ---- writers ---- */

static enum cs_err write_add(void *context)
{
	struct fixture *f = context;
	const struct wire_message content = {.sender = cs_bytes_str("sender"),
					     .recipient = cs_bytes_str("recipient")};
	CS_TRY(gateway_journal_add_submission(f->gateway.journal, &f->submission, CS_BYTES_NONE));
	return gateway_journal_add(f->gateway.journal, &f->message, &content);
}

static enum cs_err write_save(void *context)
{
	struct fixture *f = context;
	return gateway_journal_save(f->gateway.journal, &f->message);
}

static enum cs_err write_step(void *context)
{
	struct fixture *f = context;
	const struct gateway_step step = {.message = f->message.n, .step = RELAY_STEP_NOTIFIED};
	return gateway_journal_step(f->gateway.journal, &step);
}

static enum cs_err write_step_again(void *context)
{
	struct fixture *f = context;
	const struct gateway_step step = {.message = f->message.n, .step = RELAY_STEP_NOTIFIED};
	return gateway_journal_step_again(f->gateway.journal, &step);
}

static enum cs_err write_steps_undone(void *context)
{
	struct fixture *f = context;
	return gateway_journal_steps_undo(f->gateway.journal, f->message.n, 1, 18);
}

static enum cs_err write_submission(void *context)
{
	struct fixture *f = context;
	return gateway_journal_save_submission(f->gateway.journal, &f->submission, NULL);
}

static enum cs_err write_attempt(void *context)
{
	struct fixture *f = context;
	const struct adapter_attempt attempt = {.submission = f->submission.n,
						.raw = cs_bytes_str("raw")};
	return gateway_journal_add_attempt(f->gateway.journal, &attempt);
}

static void write_(struct fixture *f, host_store_writer *write)
{
	assert_ok(
		host_store_write(gateway_journal_store(f->gateway.journal), write, f, NULL, NULL));
}

/* ---- */

static int set_up(void **state)
{
	struct fixture *f = host_alloc(sizeof(*f));
	struct cs_why why = {{0}};
	snprintf(f->path, sizeof(f->path), "/tmp/caisson-answers-XXXXXX");
	int fd = mkstemp(f->path);
	assert_true(fd >= 0);
	close(fd);
	unlink(f->path);
	assert_ok(gateway_journal_open(&f->gateway.journal, NULL, f->path, &why));
	f->message = (struct gateway_message){.id = a_hash(1, 2),
					      .side = RELAY_SOURCE,
					      .state = relay_first(RELAY_SOURCE),
					      .chain = a_hash(3, 4),
					      .remote = a_hash(5, 6)};
	write_(f, write_add);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	static const char *const ends[] = {"", "-wal", "-shm", "-lock", ".lock"};
	struct fixture *f = *state;
	gateway_answers_free(&f->gateway);
	gateway_journal_close(f->gateway.journal);
	for (size_t i = 0; i < CS_LEN(ends); i++) {
		char name[96];
		snprintf(name, sizeof(name), "%s%s", f->path, ends[i]);
		unlink(name);
	}
	free(f);
	return 0;
}

static void keep_it(struct fixture *f, const char *side)
{
	gateway_answer_keep(&f->gateway, &f->message, side, cs_bytes_str("{\"a\":1}"));
}

static bool is_kept(struct fixture *f, const char *side)
{
	const struct cs_hash *sha256 = NULL;
	const struct cs_hash expected = cs_sha256(cs_bytes_str("{\"a\":1}"));
	struct cs_bytes kept = gateway_answer(&f->gateway, &f->message.id, side, &sha256);
	if (kept.n == 0)
		return false;
	assert_true(cs_bytes_eq(kept, cs_bytes_str("{\"a\":1}")));
	assert_true(cs_hash_eq(sha256, &expected));
	return true;
}

static void one_that_was_kept_is_found_by_what_was_asked(void **state)
{
	struct fixture *f = *state;
	assert_false(is_kept(f, NULL));
	keep_it(f, NULL);
	assert_true(is_kept(f, NULL));
	assert_false(is_kept(f, "source"));
	assert_false(is_kept(f, "destination"));
	assert_false(is_kept(f, ""));
	keep_it(f, "source");
	assert_true(is_kept(f, "source"));
	assert_false(is_kept(f, "sources"));
	assert_false(is_kept(f, "s"));
	assert_false(is_kept(f, NULL));
	/* Another message in the same place. */
	struct cs_hash other = a_hash(1, 3);
	const struct cs_hash *sha256 = NULL;
	assert_int_equal(gateway_answer(&f->gateway, &other, "source", &sha256).n, 0);
	assert_null(sha256);
}

static void every_change_ends_it(void **state)
{
	static host_store_writer *const writers[] = {write_save,       write_step,
						     write_step_again, write_steps_undone,
						     write_submission, write_attempt};
	struct fixture *f = *state;
	for (size_t i = 0; i < CS_LEN(writers); i++) {
		keep_it(f, NULL);
		assert_true(is_kept(f, NULL));
		write_(f, writers[i]);
		assert_false(is_kept(f, NULL));
	}
	keep_it(f, NULL);
	f->gateway.reload_count++;
	assert_false(is_kept(f, NULL));
}

/* A pause shows in what waits, and no row changes by it. */
static void what_a_pause_would_change_is_not_kept(void **state)
{
	struct fixture *f = *state;
	f->message.state = RELAY_FINAL;
	keep_it(f, NULL);
	assert_false(is_kept(f, NULL));
	f->message.side = RELAY_DESTINATION;
	f->message.state = RELAY_SIGNED;
	keep_it(f, "destination");
	assert_false(is_kept(f, "destination"));
	f->message.state = RELAY_FAILED;
	keep_it(f, "destination");
	assert_true(is_kept(f, "destination"));
}

/* That nobody can pay shows in what wants it, and no row changes by it. */
static void what_nobody_can_pay_for_is_not_kept(void **state)
{
	static const struct gateway_chain_config own = {.gas_accounts = 1};
	struct fixture *f = *state;
	struct gateway_chain *chain = &f->gateway.chains[0];
	chain->identity = f->message.chain;
	chain->own = &own;
	f->gateway.chain_count = 1;
	keep_it(f, NULL); /* observed: it wants nothing yet */
	chain->accounts[0].is_out = true;
	assert_true(is_kept(f, NULL));
	f->message.state = RELAY_OUTCOME_VERIFIED;
	f->message.outcome_statement = 1;
	gateway_answers_free(&f->gateway);
	keep_it(f, NULL);
	assert_false(is_kept(f, NULL));
	chain->accounts[0].is_out = false;
	assert_false(is_kept(f, NULL));
	keep_it(f, NULL);
	assert_true(is_kept(f, NULL));
	chain->accounts[0].is_out = true;
	assert_false(is_kept(f, NULL));
}

/* Where this gateway has both chains the source's row comes first as soon as it is there. */
static void a_side_that_may_still_change_is_not_kept(void **state)
{
	struct fixture *f = *state;
	f->message.side = RELAY_DESTINATION;
	f->message.state = RELAY_FAILED;
	keep_it(f, NULL);
	assert_true(is_kept(f, NULL));
	gateway_answers_free(&f->gateway);
	f->gateway.chains[0].identity = f->message.remote;
	f->gateway.chain_count = 1;
	keep_it(f, NULL);
	assert_false(is_kept(f, NULL));
	keep_it(f, "destination");
	assert_true(is_kept(f, "destination"));
}

static void a_large_one_is_not_kept(void **state)
{
	struct fixture *f = *state;
	static char text[GATEWAY_ANSWER_SIZE_MAX + 1];
	const struct cs_hash *sha256 = NULL;
	memset(text, 'a', sizeof(text));
	gateway_answer_keep(&f->gateway, &f->message, NULL, cs_bytes(text, sizeof(text)));
	assert_int_equal(gateway_answer(&f->gateway, &f->message.id, NULL, &sha256).n, 0);
	gateway_answer_keep(&f->gateway, &f->message, NULL, cs_bytes(text, sizeof(text) - 1));
	assert_int_equal(gateway_answer(&f->gateway, &f->message.id, NULL, &sha256).n,
			 sizeof(text) - 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {T(one_that_was_kept_is_found_by_what_was_asked),
					   T(every_change_ends_it),
					   T(what_a_pause_would_change_is_not_kept),
					   T(what_nobody_can_pay_for_is_not_kept),
					   T(a_side_that_may_still_change_is_not_kept),
					   T(a_large_one_is_not_kept)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
