/* Calldata and return data of CaissonFeed. The hex was made by tests/lib/abi.py from the contract's
 * artifact, which shares nothing with core/abi.h. */
#include "oracle/feed_call.h"
#include "tests/unit/support.h"

#define ID "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define SPEC "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
#define ZEROS12 "000000000000000000000000"
#define NUMBER(hex) "00000000000000000000000000000000000000000000000000000000" hex
#define HEAD                                                                     \
	ID ZEROS12 "1111111111111111111111111111111111111111" ZEROS12            \
		   "2222222222222222222222222222222222222222" NUMBER("00000001") \
			   NUMBER("000000a0")
#define TEXT NUMBER("00000009") "455448202f205553440000000000000000000000000000000000000000000000"
#define SETTINGS(decimals, heartbeat, stale, deviation)                                            \
	SPEC NUMBER(decimals) NUMBER(heartbeat) NUMBER(stale) NUMBER(deviation) NUMBER("00000003") \
		NUMBER("000000e0")
#define INFO HEAD SETTINGS("00000008", "00000e10", "00000f3c", "00001388") TEXT

static void the_owner_s_terms_are_read(void **unused)
{
	(void)unused;
	struct oracle_feed_info info;
	assert_ok(oracle_feed_read_info(&info, unhex(INFO)));
	assert_hash(info.feed_id, hash_of_text(ID));
	assert_hash(info.spec_hash, hash_of_text(SPEC));
	assert_int_equal(info.feed.b[0], 0x11);
	assert_int_equal(info.uptime.b[19], 0x22);
	assert_true(info.paused);
	assert_int_equal(info.decimals, 8);
	assert_int_equal(info.heartbeat_s, 3600);
	assert_int_equal(info.stale_after_s, 3900);
	assert_int_equal(info.deviation_ppm, 5000);
	assert_int_equal(info.history_bits, 3);
	assert_string_equal(info.description, "ETH / USD");
}

static void what_no_contract_returns_is_refused(void **unused)
{
	(void)unused;
	const struct {
		const char *hex;
		enum cs_err err;
	} rows[] = {
		{"", CS_ERR_TRUNCATED},
		{HEAD, CS_ERR_TRUNCATED},
		{HEAD SETTINGS("00000008", "00000e10", "00000f3c", "00001388"), CS_ERR_TRUNCATED},
		{INFO NUMBER("00000000"), CS_ERR_TRAILING},
		{HEAD SETTINGS("00000025", "00000e10", "00000f3c", "00001388") TEXT,
		 CS_ERR_INVALID},
		{HEAD SETTINGS("00000100", "00000e10", "00000f3c", "00001388") TEXT,
		 CS_ERR_OVERFLOW},
		{HEAD SETTINGS("00000008", "00000000", "00000f3c", "00001388") TEXT,
		 CS_ERR_INVALID},
		{HEAD SETTINGS("00000008", "00000e10", "00000e0f", "00001388") TEXT,
		 CS_ERR_INVALID},
		{HEAD SETTINGS("00000008", "01000000", "01000000", "00001388") TEXT,
		 CS_ERR_OVERFLOW},
		{ID "ff0000000000000000000000"
		    "1111111111111111111111111111111111111111" ZEROS12
		    "2222222222222222222222222222222222222222" NUMBER("00000001") NUMBER("000000a0")
			    SETTINGS("00000008", "00000e10", "00000f3c", "00001388") TEXT,
		 CS_ERR_OVERFLOW},
		{ID ZEROS12
		 "1111111111111111111111111111111111111111" ZEROS12
		 "2222222222222222222222222222222222222222" NUMBER("00000001") NUMBER("000000c0")
			 SETTINGS("00000008", "00000e10", "00000f3c", "00001388") TEXT,
		 CS_ERR_NON_CANONICAL},
	};
	for (size_t i = 0; i < CS_LEN(rows); i++) {
		struct oracle_feed_info info = {.decimals = 77};
		assert_err(oracle_feed_read_info(&info, unhex(rows[i].hex)), rows[i].err);
		assert_int_equal(info.decimals, 77);
	}
}

/* The owner wrote it, and people read it in logs. */
static void a_description_is_plain_text(void **unused)
{
	(void)unused;
	struct oracle_feed_info info;
	assert_ok(oracle_feed_read_info(
		&info, unhex(HEAD SETTINGS("00000008", "00000e10", "00000f3c", "00001388")
				     NUMBER("00000004") "0a1b41ff0000000000000000000000000000000000"
							"0000000000000000000000")));
	assert_string_equal(info.description, "??A?");
}

static void calls_are_those_of_the_artifact(void **unused)
{
	(void)unused;
	uint8_t memory[ORACLE_FEED_CALL_SIZE];
	struct cs_buf buf;
	struct cs_hash id = hash_of_text(ID), spec = hash_of_text(SPEC);
	cs_buf_init(&buf, memory, sizeof(memory));
	assert_ok(oracle_feed_call_info(&buf, 7));
	assert_bytes(cs_buf_view(&buf), unhex("02b9eba5" NUMBER("00000007")));
	cs_buf_init(&buf, memory, sizeof(memory));
	assert_ok(oracle_feed_call_round(&buf, &id, &spec));
	assert_bytes(cs_buf_view(&buf), unhex("41c84c71002030bde3d4cf89919649775cd71875c4d0ab1708a3"
					      "80e03fefc3a28aa24831" NUMBER("00000000")));
	cs_buf_init(&buf, memory, sizeof(memory) - 1);
	assert_err(oracle_feed_call_round(&buf, &id, &spec), CS_ERR_TOO_LARGE);
}

#define MINUS7 "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff9"
#define WIDE "0000000000000000000000000000000100000000000000000000000000000000"

static void rounds_are_read(void **unused)
{
	(void)unused;
	const struct {
		const char *hex;
		enum cs_err err;
	} rows[] = {
		{NUMBER("00000005") MINUS7, CS_ERR_TRUNCATED},
		{NUMBER("00000000") MINUS7 NUMBER("6553f100"), CS_ERR_INVALID},
		{MINUS7 MINUS7 NUMBER("6553f100"), CS_ERR_OVERFLOW},
		{NUMBER("00000005") WIDE NUMBER("6553f100"), CS_ERR_OVERFLOW},
		{NUMBER("00000005") MINUS7 WIDE, CS_ERR_OVERFLOW},
		{NUMBER("00000005") MINUS7 NUMBER("6553f100") "00", CS_ERR_TRAILING},
	};
	struct oracle_feed_round round;
	assert_ok(oracle_feed_read_round(&round,
					 unhex(NUMBER("00000005") MINUS7 NUMBER("6553f100"))));
	assert_int_equal(round.round, 5);
	assert_true(round.value.negative);
	assert_int_equal(round.value.magnitude.limb[0], 7);
	assert_int_equal(round.observed_at_s, 1700000000);
	for (size_t i = 0; i < CS_LEN(rows); i++)
		assert_err(oracle_feed_read_round(&round, unhex(rows[i].hex)), rows[i].err);
	assert_int_equal(round.round, 5);
}

static void only_one_revert_means_no_round(void **unused)
{
	(void)unused;
#define NONE                                  \
	"08c379a0" NUMBER("00000020") NUMBER( \
		"0000000f") "4e6f20646174612070726573656e740000000000000000000000000000000000"
	assert_true(oracle_feed_is_no_round(unhex(NONE)));
	assert_false(oracle_feed_is_no_round(unhex(NONE "00")));
	assert_false(oracle_feed_is_no_round(unhex("08c379a0")));
	assert_false(oracle_feed_is_no_round(CS_BYTES_NONE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_owner_s_terms_are_read),
		cmocka_unit_test(what_no_contract_returns_is_refused),
		cmocka_unit_test(a_description_is_plain_text),
		cmocka_unit_test(calls_are_those_of_the_artifact),
		cmocka_unit_test(rounds_are_read),
		cmocka_unit_test(only_one_revert_means_no_round),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
