/* How a message ends that another gateway of the same chain was faster with: at the source its end is
 * final before this gateway signed it, at the destination the source told the end before this
 * gateway's outcome was verified. What cannot end yet costs no write. */
#include "gateway/gateway.h"
#include "tests/unit/support.h"

#include <unistd.h>

#define FINAL_HEIGHT 100u

static struct gateway gateway;
static struct gateway_chain *const chain = &gateway.chains[0];
static char path[64];

static int set_up(void **state)
{
	static const struct host_chain_config config = {.id = "eip155:31337"};
	struct cs_why why = {{0}};
	(void)state;
	memset(&gateway, 0, sizeof(gateway));
	snprintf(path, sizeof(path), "/tmp/caisson-endings-XXXXXX");
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	unlink(path);
	gateway.awake = true; /* the pump's turns are the test's */
	gateway.loop = host_loop_new();
	gateway.chain_count = 1;
	chain->gateway = &gateway;
	chain->config = &config;
	chain->identity.b[0] = 0xc0;
	chain->follow.final_height = FINAL_HEIGHT;
	assert_ok(gateway_journal_open(&gateway.journal, gateway.loop, path, &why));
	return 0;
}

static int tear_down(void **state)
{
	static const char *const ends[] = {"", "-wal", "-shm", "-lock", ".lock"};
	(void)state;
	gateway_journal_close(gateway.journal);
	host_loop_free(gateway.loop);
	for (size_t i = 0; i < CS_LEN(ends); i++) {
		char name[96];
		snprintf(name, sizeof(name), "%s%s", path, ends[i]);
		unlink(name);
	}
	return 0;
}

/* ---- the journal ---- */

static struct gateway_message a_row(enum relay_side side)
{
	struct gateway_message row = {.side = side,
				      .state = relay_first(side),
				      .chain = chain->identity,
				      .remote = {{0xc1}},
				      .sequence = 1,
				      .deadline = 1900000000,
				      .height = 50};
	row.id.b[0] = (uint8_t)side;
	return row;
}

static enum cs_err write_add(void *context)
{
	static const struct wire_message content;
	return gateway_journal_add(gateway.journal, context, &content);
}

struct move {
	struct gateway_message *row;
	enum relay_event event;
};

static enum cs_err write_move(void *context)
{
	const struct move *move = context;
	return gateway_journal_move(gateway.journal, move->row, move->event);
}

static void move_row(struct gateway_message *row, enum relay_event event)
{
	struct move move = {row, event};
	assert_ok(gateway_write(&gateway, write_move, &move));
}

static enum cs_err write_save(void *context)
{
	return gateway_journal_save(gateway.journal, context);
}

/* The chain's event MessageFinalized, of a transaction that was another gateway's. */
static void is_finalized(struct gateway_message *row, enum wire_status outcome, uint64_t height)
{
	row->outcome = outcome;
	row->end_height = height;
	assert_ok(gateway_write(&gateway, write_save, row));
}

static uint64_t writes(void)
{
	return host_store_figures(gateway_journal_store(gateway.journal)).writes;
}

static enum relay_state state_of(const struct gateway_message *row)
{
	struct gateway_message now;
	assert_ok(gateway_journal_row(gateway.journal, row->n, &now));
	return now.state;
}

/* ---- at the source ---- */

static void ends_unsigned(enum wire_status outcome, enum relay_state end)
{
	struct gateway_message row = a_row(RELAY_SOURCE);
	assert_ok(gateway_write(&gateway, write_add, &row));
	move_row(&row, RELAY_ON_REACH_FINALITY);
	is_finalized(&row, outcome, FINAL_HEIGHT + 1);
	uint64_t before = writes();
	gateway_finalize_end(chain);
	assert_int_equal(state_of(&row), RELAY_FINAL); /* its end may vanish still */
	assert_int_equal(writes(), before);
	chain->follow.final_height++;
	gateway_finalize_end(chain);
	assert_int_equal(state_of(&row), end);
	assert_int_equal(writes(), before + 1);
	gateway_finalize_end(chain);
	assert_int_equal(writes(), before + 1);
}

static void what_another_gateway_delivered_ends_unsigned(void **state)
{
	(void)state;
	ends_unsigned(WIRE_STATUS_DELIVERED, RELAY_FINALIZED);
}

static void what_another_gateway_refunded_ends_unsigned(void **state)
{
	(void)state;
	ends_unsigned(WIRE_STATUS_DEAD, RELAY_REFUNDED);
}

static void what_cannot_end_yet_costs_no_write(void **state)
{
	struct gateway_message row = a_row(RELAY_SOURCE);
	(void)state;
	assert_ok(gateway_write(&gateway, write_add, &row));
	is_finalized(&row, WIRE_STATUS_DELIVERED, 60);
	uint64_t before = writes();
	gateway_finalize_end(chain);
	gateway_finalize_end(chain);
	assert_int_equal(state_of(&row), RELAY_OBSERVED);
	assert_int_equal(writes(), before);
}

/* ---- at the destination ---- */

static enum cs_err write_told(void *context)
{
	const struct gateway_message *row = context;
	const struct gateway_step step = {
		.message = row->n, .step = RELAY_STEP_NOTIFIED, .detail = row->why};
	return gateway_journal_step(gateway.journal, &step);
}

static enum cs_err write_known(void *context)
{
	return gateway_end_as_known(&gateway, context);
}

static enum relay_state end_of(const char *told, bool verified)
{
	struct gateway_message row = a_row(RELAY_DESTINATION);
	static uint8_t n;
	row.id.b[1] = ++n;
	assert_ok(gateway_write(&gateway, write_add, &row));
	move_row(&row, RELAY_ON_INCLUDE);
	move_row(&row, RELAY_ON_REACH_OUTCOME);
	snprintf(row.why, sizeof(row.why), "%s", told ? told : "");
	if (told)
		assert_ok(gateway_write(&gateway, write_told, &row));
	if (verified)
		move_row(&row, RELAY_ON_VERIFY_OUTCOME);
	assert_ok(gateway_write(&gateway, write_known, &row));
	return state_of(&row);
}

static void an_end_that_was_told_too_early_is_not_lost(void **state)
{
	(void)state;
	assert_int_equal(end_of("finalized", true), RELAY_FINALIZED);
	assert_int_equal(end_of("refunded", true), RELAY_REFUNDED);
}

static void an_end_that_nobody_told_is_waited_for(void **state)
{
	(void)state;
	assert_int_equal(end_of(NULL, true), RELAY_OUTCOME_VERIFIED);
	assert_int_equal(end_of("signed", true), RELAY_OUTCOME_VERIFIED);
	assert_int_equal(end_of("no state of a message", true), RELAY_OUTCOME_VERIFIED);
	/* Its word is not enough before our own enclave's. */
	assert_int_equal(end_of("finalized", false), RELAY_OUTCOME_FINAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_another_gateway_delivered_ends_unsigned,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_another_gateway_refunded_ends_unsigned, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(what_cannot_end_yet_costs_no_write, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(an_end_that_was_told_too_early_is_not_lost, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(an_end_that_nobody_told_is_waited_for, set_up,
						tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
