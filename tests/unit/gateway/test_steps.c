/* What the steps that sign say: who signed and what was shown, as the journal has it, and nothing of what it has not. */
#include "gateway/gateway.h"
#include "tests/unit/support.h"

#include <unistd.h>

#define HEIGHT 50u
#define FINAL_HEIGHT 53u
#define SHOWN_HEIGHT 57u
#define EPOCH 7u

static struct gateway gateway;
static struct gateway_chain *const chain = &gateway.chains[0];
static struct host_manifest_chain *const ours = &gateway.config.manifest.chains[0];
static struct host_manifest_chain *const theirs = &gateway.config.manifest.chains[1];
static uint8_t scratch[1 << 16];
static char path[64];

/* Of two EVM chains, the first of them served. */
static int set_up(void **state)
{
	struct cs_why why = {{0}};
	(void)state;
	memset(&gateway, 0, sizeof(gateway));
	snprintf(path, sizeof(path), "/tmp/caisson-steps-XXXXXX");
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	unlink(path);
	cs_arena_init(&gateway.scratch, scratch, sizeof(scratch));
	gateway.awake = true; /* the pump's turns are the test's */
	gateway.loop = host_loop_new();
	gateway.config.manifest.chain_count = 2;
	*ours = (struct host_manifest_chain){.chain_id = 31337, .identity = {{0xc0}}};
	*theirs = (struct host_manifest_chain){.chain_id = 31338, .identity = {{0xc1}}};
	gateway.chain_count = 1;
	chain->gateway = &gateway;
	chain->identity = ours->identity;
	cs_hex(chain->identity_hex, CS_BYTES_OF(chain->identity.b));
	chain->route_count = 1;
	chain->routes[0].chain = chain;
	chain->routes[0].remote = theirs->identity;
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

static enum cs_err write_add(void *context)
{
	static const struct wire_message content;
	return gateway_journal_add(gateway.journal, context, &content);
}

static enum cs_err write_save(void *context)
{
	return gateway_journal_save(gateway.journal, context);
}

static enum cs_err write_statement(void *context)
{
	return gateway_journal_add_statement(gateway.journal, context);
}

static enum cs_err write_step(void *context)
{
	return gateway_journal_step(gateway.journal, context);
}

static enum cs_err write_key(void *context)
{
	char name[160];
	char remote[65];
	cs_hex(remote, CS_BYTES_OF(theirs->identity.b));
	snprintf(name, sizeof(name), "key:%s:%s:%u", chain->identity_hex, remote, EPOCH);
	return gateway_journal_put(gateway.journal, name,
				   CS_BYTES_OF(((const struct cs_hash *)context)->b));
}

static struct gateway_statement a_statement(enum wire_kind kind, const struct cs_hash *signer,
					    const struct cs_hash *receiver)
{
	struct gateway_statement st = {.statement = {.kind = kind,
						     .signer = *signer,
						     .receiver = *receiver,
						     .epoch = EPOCH,
						     .manifest_number = 2,
						     .root = {{0x40}}},
				       .signature = {.rx = {{0x41}}, .ry = {{0x42}}, .s = {{0x43}}},
				       .count = 1};
	assert_ok(gateway_write(&gateway, write_statement, &st));
	return st;
}

static struct gateway_message a_row(enum relay_side side, uint64_t statement)
{
	struct gateway_message row = {.id = {{0x1d}},
				      .side = side,
				      .state = relay_first(side),
				      .chain = ours->identity,
				      .remote = theirs->identity,
				      .sequence = 1,
				      .deadline = 1900000000,
				      .height = HEIGHT,
				      .block = {{0xb0}},
				      .statement = statement};
	assert_ok(gateway_write(&gateway, write_add, &row));
	return row;
}

static void happens(const struct gateway_message *row, enum relay_step n, uint64_t height)
{
	struct gateway_step step = {.message = row->n, .step = n, .time_ms = n, .block = height};
	assert_ok(gateway_write(&gateway, write_step, &step));
}

/* ---- what is told ---- */

static json_t *steps_of(const struct gateway_message *row)
{
	json_t *steps = gateway_json_steps(&gateway, row);
	assert_int_equal(json_array_size(steps), RELAY_STEP_COUNT);
	return steps;
}

static const json_t *at(const json_t *steps, enum relay_step n, const char *name)
{
	return json_object_get(json_array_get(steps, (size_t)n - 1), name);
}

static void says_nothing(const json_t *steps, enum relay_step n)
{
	assert_null(at(steps, n, "signature"));
	assert_null(at(steps, n, "proof"));
}

/* Everything of the statement but the path, and this key; NULL: null. */
static void is_signed(const json_t *step, const struct gateway_statement *st,
		      const struct cs_hash *key)
{
	json_t *expected = gateway_json_statement(st, NULL);
	json_object_set_new(expected, "public_key", key ? host_json_hash(key) : json_null());
	assert_true(json_equal(step, expected));
	json_decref(expected);
}

static void is_shown(const json_t *proof, const char *kind, uint64_t height,
		     const struct cs_hash *hash, uint64_t final_height)
{
	json_t *expected = json_object();
	json_object_set_new(expected, "kind", json_string(kind));
	json_object_set_new(expected, "block", height ? host_json_u64(height) : json_null());
	json_object_set_new(expected, "block_hash", hash ? host_json_hash(hash) : json_null());
	json_object_set_new(expected, "final_block",
			    final_height ? host_json_u64(final_height) : json_null());
	assert_true(json_equal(proof, expected));
	json_decref(expected);
}

static void nothing_is_said_before_it_is_signed(void **unused)
{
	(void)unused;
	struct gateway_message row = a_row(RELAY_SOURCE, 0);
	happens(&row, RELAY_STEP_COMMITTED, HEIGHT);
	happens(&row, RELAY_STEP_OBSERVED, HEIGHT);
	happens(&row, RELAY_STEP_FINAL, FINAL_HEIGHT);
	json_t *steps = steps_of(&row);
	for (unsigned n = 1; n <= RELAY_STEP_COUNT; n++)
		says_nothing(steps, (enum relay_step)n);
	assert_true(json_is_true(at(steps, RELAY_STEP_SIGNED, "pending")));
	json_decref(steps);
}

/* A step that another gateway told, of a statement that is not here. */
static void nothing_is_said_without_the_statement(void **unused)
{
	(void)unused;
	struct gateway_message row = a_row(RELAY_SOURCE, 0);
	happens(&row, RELAY_STEP_OUTCOME_FINAL, FINAL_HEIGHT);
	happens(&row, RELAY_STEP_OUTCOME_SIGNED, SHOWN_HEIGHT);
	json_t *steps = steps_of(&row);
	assert_non_null(at(steps, RELAY_STEP_OUTCOME_SIGNED, "t_ms"));
	says_nothing(steps, RELAY_STEP_OUTCOME_SIGNED);
	row.outcome_statement = 99; /* no such row */
	json_decref(steps);
	steps = steps_of(&row);
	says_nothing(steps, RELAY_STEP_OUTCOME_SIGNED);
	json_decref(steps);
}

static void both_signatures_at_the_source(void **unused)
{
	(void)unused;
	const struct cs_hash key = {{0x5e}};
	struct gateway_statement sent =
		a_statement(WIRE_KIND_MESSAGE, &ours->identity, &theirs->identity);
	struct gateway_message row = a_row(RELAY_SOURCE, sent.n);
	happens(&row, RELAY_STEP_FINAL, FINAL_HEIGHT);
	happens(&row, RELAY_STEP_SIGNED, HEIGHT);
	json_t *steps = steps_of(&row);
	is_signed(at(steps, RELAY_STEP_SIGNED, "signature"), &sent, NULL); /* no enclave says it */
	is_shown(at(steps, RELAY_STEP_SIGNED, "proof"), "receipt", HEIGHT, &row.block,
		 FINAL_HEIGHT);
	says_nothing(steps, RELAY_STEP_OUTCOME_SIGNED);
	json_decref(steps);

	struct gateway_statement outcome =
		a_statement(WIRE_KIND_OUTCOME, &theirs->identity, &ours->identity);
	row.outcome_statement = outcome.n;
	assert_ok(gateway_write(&gateway, write_save, &row));
	happens(&row, RELAY_STEP_OUTCOME_FINAL, FINAL_HEIGHT + 1);
	happens(&row, RELAY_STEP_OUTCOME_SIGNED, SHOWN_HEIGHT);
	steps = steps_of(&row);
	is_signed(at(steps, RELAY_STEP_OUTCOME_SIGNED, "signature"), &outcome, NULL);
	json_decref(steps);
	assert_ok(gateway_write(&gateway, write_key, (void *)(uintptr_t)&key));
	steps = steps_of(&row);
	is_signed(at(steps, RELAY_STEP_OUTCOME_SIGNED, "signature"), &outcome, &key);
	is_shown(at(steps, RELAY_STEP_OUTCOME_SIGNED, "proof"), "storage", SHOWN_HEIGHT, NULL,
		 FINAL_HEIGHT + 1);
	is_signed(at(steps, RELAY_STEP_SIGNED, "signature"), &sent, NULL);
	for (unsigned n = 1; n <= RELAY_STEP_COUNT; n++) {
		if (n != RELAY_STEP_SIGNED && n != RELAY_STEP_OUTCOME_SIGNED)
			says_nothing(steps, (enum relay_step)n);
	}
	json_decref(steps);
}

/* By a gateway that wrote no block down yet, on a chain that shows its state alone; then of a chain that the manifest
 * has no longer. */
static void what_is_not_known_is_null(void **unused)
{
	(void)unused;
	struct gateway_statement sent =
		a_statement(WIRE_KIND_MESSAGE, &theirs->identity, &ours->identity);
	struct gateway_message row = a_row(RELAY_DESTINATION, sent.n);
	theirs->chain_id = 0;
	happens(&row, RELAY_STEP_SIGNED, 0);
	json_t *steps = steps_of(&row);
	is_signed(at(steps, RELAY_STEP_SIGNED, "signature"), &sent, NULL);
	is_shown(at(steps, RELAY_STEP_SIGNED, "proof"), "ics23", 0, NULL, 0);
	json_decref(steps);
	theirs->chain_id = 31338;
	memset(&row.block, 0, sizeof(row.block));
	steps = steps_of(&row);
	is_shown(at(steps, RELAY_STEP_SIGNED, "proof"), "receipt", HEIGHT, NULL, 0);
	json_decref(steps);
	gateway.config.manifest.chain_count = 1;
	steps = steps_of(&row);
	is_signed(at(steps, RELAY_STEP_SIGNED, "signature"), &sent, NULL);
	assert_true(json_is_null(at(steps, RELAY_STEP_SIGNED, "proof")));
	json_decref(steps);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(nothing_is_said_before_it_is_signed), T(nothing_is_said_without_the_statement),
		T(both_signatures_at_the_source), T(what_is_not_known_is_null)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
