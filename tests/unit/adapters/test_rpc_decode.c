#include "adapters/evm/rpc_error.h"
#include "adapters/rpc.h"
#include "common.h"

#define REPLIES 4

static struct adapter_rpc_reply replies[REPLIES];
static struct cs_why why;

static enum adapter_rpc_class classify(int64_t code, const char *message, const json_t *data)
{
	(void)data;
	return evm_rpc_classify(code, message);
}

static enum cs_err decode(const char *text, size_t count, bool single, uint64_t first_id)
{
	json_t *document = NULL;
	enum cs_err err = adapter_rpc_decode(&document, replies, count, single, first_id,
					     cs_bytes_str(text), classify, &why);

	assert_true((document != NULL) == (err == CS_OK));
	for (size_t i = 0; i < count; i++) /* what a test looks at is a copy: the document goes */
		replies[i].data = NULL;
	json_decref(document);
	return err;
}

static void test_answers(void **state)
{
	(void)state;
	assert_ok(decode("{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":\"0x1\"}", 1, true, 7));
	assert_int_equal(replies[0].class, ADAPTER_RPC_FINE);
	assert_ok(decode("{\"id\":7,\"result\":null}", 1, true, 7));
	assert_int_equal(replies[0].class, ADAPTER_RPC_FINE);
	assert_ok(decode("{\"id\":7,\"result\":false,\"error\":null}", 1, true, 7));
	/* any order, errors among them */
	assert_ok(decode("[{\"id\":12,\"result\":1},{\"id\":10,\"error\":{\"code\":3,\"message\":"
			 "\"execution "
			 "reverted\",\"data\":\"0x\"}},{\"id\":11,\"result\":2}]",
			 3, false, 10));
	assert_int_equal(replies[0].class, ADAPTER_RPC_REVERT);
	assert_int_equal(replies[0].err, CS_ERR_REVERTED);
	assert_int_equal(replies[2].class, ADAPTER_RPC_FINE);
}

static void test_one_error_for_all(void **state)
{
	(void)state;
	assert_ok(decode("{\"id\":null,\"error\":{\"code\":-32005,\"message\":\"rate limit\"}}", 3,
			 false, 1));
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(replies[i].class, ADAPTER_RPC_LIMIT);
	assert_ok(decode(
		"[{\"id\":1,\"error\":{\"code\":-32003,\"message\":\"response too large\"}}]", 3,
		false, 1));
	assert_int_equal(replies[2].class, ADAPTER_RPC_RANGE);
	assert_ok(decode("{\"error\":{\"code\":-32600,\"message\":\"Invalid request\"}}", 1, true,
			 1));
	assert_int_equal(replies[0].class, ADAPTER_RPC_INVALID);
}

static void test_refusals(void **state)
{
	static const struct {
		const char *text;
		enum cs_err err;
	} bad[] = {
		{"", CS_ERR_MALFORMED},
		{"<html>Bad Gateway</html>", CS_ERR_MALFORMED},
		{"[{\"id\":1,\"resu", CS_ERR_MALFORMED},
		{"null", CS_ERR_RPC_LIE},
		{"7", CS_ERR_RPC_LIE},
		{"\"0x1\"", CS_ERR_RPC_LIE},
		{"{}", CS_ERR_RPC_LIE},
		{"[]", CS_ERR_RPC_LIE},
		{"[{\"id\":1,\"result\":1}]", CS_ERR_RPC_LIE},
		{"[{\"id\":1,\"result\":1},{\"id\":1,\"result\":1}]", CS_ERR_RPC_LIE},
		{"[{\"id\":1,\"result\":1},{\"id\":3,\"result\":1}]", CS_ERR_RPC_LIE},
		{"[{\"id\":1,\"result\":1},{\"id\":0,\"result\":1}]", CS_ERR_RPC_LIE},
		{"[{\"id\":1,\"result\":1},{\"id\":-9223372036854775808,\"result\":1}]",
		 CS_ERR_RPC_LIE},
		{"[{\"id\":1,\"result\":1},{\"id\":\"2\",\"result\":1}]", CS_ERR_RPC_LIE},
		{"[{\"id\":1,\"result\":1},{\"result\":1}]", CS_ERR_RPC_LIE},
		{"[{\"id\":1,\"result\":1},{\"id\":2}]", CS_ERR_RPC_LIE},
		{"[{\"id\":1,\"result\":1},null]", CS_ERR_RPC_LIE},
		{"[{\"id\":1,\"result\":1},[]]", CS_ERR_RPC_LIE},
		{"[{\"id\":1,\"result\":1},{\"id\":2,\"error\":\"no\"}]", CS_ERR_RPC_LIE},
		{"[{\"id\":1,\"result\":1},{\"id\":2,\"error\":{\"code\":\"1\",\"message\":\"x\"}}"
		 "]",
		 CS_ERR_RPC_LIE},
		{"[{\"id\":1,\"result\":1},{\"id\":2,\"error\":{\"code\":1}}]", CS_ERR_RPC_LIE},
		{"[{\"id\":1,\"result\":1},{\"id\":2,\"result\":1,\"error\":{\"code\":1,"
		 "\"message\":\"x\"}}]",
		 CS_ERR_RPC_LIE},
		{"[{\"id\":1,\"result\":1},{\"id\":2,\"result\":1},{\"id\":3,\"result\":1}]",
		 CS_ERR_RPC_LIE},
	};

	(void)state;
	for (size_t i = 0; i < CS_LEN(bad); i++)
		if (decode(bad[i].text, 2, false, 1) != bad[i].err)
			fail_msg("%s", bad[i].text);
	assert_err(RPC_LIE, decode("[{\"id\":1,\"result\":1}]", 1, true, 1));
	assert_err(RPC_LIE, decode("{\"id\":2,\"result\":1}", 1, true, 1));
}

/* The texts that the nodes gave on loopback, with what they mean. */
static void test_texts(void **state)
{
	static const struct {
		int code;
		const char *text;
		enum adapter_rpc_class class;
	} texts[] = {
		/* anvil 1.7.1 */
		{-32602, "Empty transaction data", ADAPTER_RPC_INVALID},
		{-32602, "Failed to decode transaction", ADAPTER_RPC_INVALID},
		{-32003, "invalid chain id for signer", ADAPTER_RPC_INVALID},
		{-32000, "intrinsic gas too low", ADAPTER_RPC_INVALID},
		{-32000, "intrinsic gas too high -- tx.gas_limit > env.block.gas_limit",
		 ADAPTER_RPC_INVALID},
		{-32003, "max fee per gas less than block base fee", ADAPTER_RPC_FEE},
		{-32003, "Insufficient funds for gas * price + value", ADAPTER_RPC_FUNDS},
		{-32003, "transaction already imported", ADAPTER_RPC_KNOWN},
		{-32003, "replacement transaction underpriced", ADAPTER_RPC_FEE},
		{-32003, "nonce too low", ADAPTER_RPC_NONCE},
		{-32601, "Method not found", ADAPTER_RPC_METHOD},
		{-32001, "Resource not found", ADAPTER_RPC_STATE},
		{-32000, "unknown block", ADAPTER_RPC_STATE},
		{-32602, "BlockOutOfRangeError: block height is 3 but requested was 5",
		 ADAPTER_RPC_STATE},
		{3, "execution reverted: custom error 0x12345678", ADAPTER_RPC_REVERT},
		/* geth 1.13.15 */
		{-32000, "already known", ADAPTER_RPC_KNOWN},
		{-32000, "replacement transaction underpriced", ADAPTER_RPC_FEE},
		{-32000, "transaction underpriced: tip needed 1, tip permitted 0", ADAPTER_RPC_FEE},
		{-32000, "nonce too low: next nonce 1, tx nonce 0", ADAPTER_RPC_NONCE},
		{-32000,
		 "insufficient funds for gas * price + value: balance 10, tx cost 11, overshot 1",
		 ADAPTER_RPC_FUNDS},
		{-32000,
		 "failed with 50000000 gas: insufficient funds for gas * price + value: address "
		 "0x77 have 0 want 1",
		 ADAPTER_RPC_FUNDS},
		{-32000, "intrinsic gas too low: gas 20000, minimum needed 21000",
		 ADAPTER_RPC_INVALID},
		{-32000, "exceeds block gas limit", ADAPTER_RPC_INVALID},
		{-32000, "max priority fee per gas higher than max fee per gas",
		 ADAPTER_RPC_INVALID},
		{-32000, "oversized data: transaction size 140118, limit 131072",
		 ADAPTER_RPC_INVALID},
		{-32000, "typed transaction too short", ADAPTER_RPC_INVALID},
		{-32000, "rlp: value size exceeds available input length", ADAPTER_RPC_INVALID},
		{-32000, "transaction type not supported", ADAPTER_RPC_INVALID},
		{-32000, "invalid sender", ADAPTER_RPC_INVALID},
		{-32000, "invalid block range params", ADAPTER_RPC_INVALID},
		{-32000, "header not found", ADAPTER_RPC_STATE},
		{4444, "Pruned history unavailable", ADAPTER_RPC_STATE},
		{-32000, "header for hash not found", ADAPTER_RPC_STATE},
		{-32000, "missing trie node 1234 (path ) state 0x12 is not available",
		 ADAPTER_RPC_STATE},
		{-32601, "the method debug_nope does not exist/is not available",
		 ADAPTER_RPC_METHOD},
		{3, "execution reverted", ADAPTER_RPC_REVERT},
		{-32000, "gas required exceeds allowance (50000000)", ADAPTER_RPC_REVERT},
		/* providers */
		{-32005, "query returned more than 10000 results", ADAPTER_RPC_RANGE},
		{-32600, "eth_getLogs is limited to a 10,000 range", ADAPTER_RPC_RANGE},
		{-32000, "exceed maximum block range: 5000", ADAPTER_RPC_RANGE},
		{429, "Your app has exceeded its throughput limit", ADAPTER_RPC_LIMIT},
		{-32005, "daily request count exceeded, request rate limited", ADAPTER_RPC_LIMIT},
		/* nobody's */
		{-32603, "internal error", ADAPTER_RPC_NODE},
		{-1, "", ADAPTER_RPC_NODE},
		{-32602, "?", ADAPTER_RPC_INVALID},
	};

	(void)state;
	for (size_t i = 0; i < CS_LEN(texts); i++) {
		enum adapter_rpc_class class = evm_rpc_classify(texts[i].code, texts[i].text);

		if (class != texts[i].class)
			fail_msg("%s: %s, not %s", texts[i].text, adapter_rpc_class_name(class),
				 adapter_rpc_class_name(texts[i].class));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_one_error_for_all),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
