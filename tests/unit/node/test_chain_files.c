/* Genesis and key files: what a recorded CometBFT genesis says, what is written is read, what is
 * refused. */
#include "relay_state/node/chain_files.h"
#include "tests/unit/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY "a+QZTnMgYVmqmQ9P8jtLC/QcbIQ81URpPdpry6uekZg="
#define ADDRESS "5F63AEE4CD49021421B057D84083BE4A80373043"
#define PUB_KEY "\"pub_key\":{\"type\":\"tendermint/PubKeyEd25519\",\"value\":\"" KEY "\"}"
#define VALIDATOR "{\"address\":\"" ADDRESS "\"," PUB_KEY ",\"power\":\"1\",\"name\":\"node0\"}"
#define HEAD "\"genesis_time\":\"2026-11-21T11:52:40.83708623Z\",\"chain_id\":\"chain\""

static enum cs_err parse(struct node_genesis *genesis, const char *text)
{
	struct cs_why why = {{0}};
	enum cs_err err = node_genesis_parse(genesis, cs_bytes_str(text), &why);
	assert_true(err == CS_OK || why.text[0] != 0);
	return err;
}

static void a_genesis(void **state)
{
	struct node_genesis g, again;
	(void)state;
	assert_ok(parse(&g, "{" HEAD ",\"initial_height\":\"0\",\"validators\":[" VALIDATOR
			    "],\"app_hash\":\"0a0B\",\"app_state\":{\"b\": 1, \"a\": [ ]}}"));
	assert_int_equal(g.initial_height, 1);
	assert_int_equal(g.count, 1);
	assert_string_equal(g.names[0], "node0");
	assert_int_equal(g.app_hash_size, 2);
	assert_string_equal(g.app_state, "{\"b\":1,\"a\":[]}");
	assert_int_equal(g.time.ns, 837086230);
	assert_int_equal(g.params.block_size_max, cmt_params_default().block_size_max);
	/* What is written is the same genesis, by its hash too. */
	json_t *root = node_genesis_json(&g);
	char *text = cometbft_json_dump(root, JSON_INDENT(2));
	assert_ok(parse(&again, text));
	assert_true(cs_hash_eq(&g.hash, &again.hash));
	free(text);
	json_decref(root);
	node_genesis_done(&again);
	node_genesis_done(&g);
}

static void genesis_files_that_are_refused(void **state)
{
	static const char *const wrong[] = {
		"",
		"[]",
		"{}",
		"{\"chain_id\":\"chain\"}",
		"{" HEAD "} x",
		"{" HEAD "," HEAD "}",
		"{\"genesis_time\":\"yesterday\",\"chain_id\":\"chain\"}",
		"{\"genesis_time\":\"2026-11-21T11:52:40Z\",\"chain_id\":\"\"}",
		"{" HEAD ",\"initial_height\":\"-1\"}",
		"{" HEAD ",\"initial_height\":\"one\"}",
		"{" HEAD ",\"app_hash\":\"xy\"}",
		"{" HEAD ",\"validators\":[{}]}",
		"{" HEAD ",\"validators\":[{" PUB_KEY ",\"power\":\"0\"}]}",
		"{" HEAD ",\"validators\":[{" PUB_KEY ",\"power\":1}]}",
		"{" HEAD ",\"validators\":[{\"address\":\"00\"," PUB_KEY ",\"power\":\"1\"}]}",
		"{" HEAD ",\"validators\":[{\"pub_key\":{\"type\":\"tendermint/PubKeySecp256k1\","
		"\"value\":\"" KEY "\"},\"power\":\"1\"}]}",
		"{" HEAD ",\"validators\":[{\"pub_key\":{\"type\":\"tendermint/PubKeyEd25519\","
		"\"value\":\"AAAA\"},\"power\":\"1\"}]}",
		"{" HEAD ",\"consensus_params\":{\"block\":{\"max_bytes\":\"0\"}}}",
	};
	struct node_genesis g;
	(void)state;
	for (size_t i = 0; i < CS_LEN(wrong); i++) {
		if (parse(&g, wrong[i]) == CS_OK)
			fail_msg("taken: %s", wrong[i]);
	}
}

static void too_many_validators(void **state)
{
	static char text[64 * 1024];
	struct node_genesis g;
	(void)state;
	int n = snprintf(text, sizeof text, "{" HEAD ",\"validators\":[");
	for (size_t i = 0; i <= BFT_VALIDATORS_MAX; i++)
		n += snprintf(text + n, sizeof text - (size_t)n, "%s" VALIDATOR, i > 0 ? "," : "");
	(void)snprintf(text + n, sizeof text - (size_t)n, "]}");
	assert_err(parse(&g, text), CS_ERR_TOO_LARGE);
}

static void keys(void **state)
{
	char folder[] = "/tmp/caisson-keys-XXXXXX", path[64];
	struct node_key key, read;
	struct cs_why why = {{0}};
	(void)state;
	assert_non_null(mkdtemp(folder));
	(void)snprintf(path, sizeof path, "%s/key.json", folder);
	assert_ok(node_key_make(&key, NULL));
	for (int is_validator = 0; is_validator < 2; is_validator++) {
		struct stat status;
		assert_ok(node_key_save(&key, path, is_validator == 1, NULL));
		assert_err(node_key_save(&key, path, is_validator == 1, &why), CS_ERR_CONFLICT);
		assert_int_equal(stat(path, &status), 0);
		assert_int_equal(status.st_mode & 0777, 0600);
		assert_ok(node_key_load(&read, path, NULL));
		assert_memory_equal(read.secret.b, key.secret.b, 32);
		assert_true(cs_address_eq(&read.address, &key.address));
		assert_int_equal(chmod(path, 0640), 0);
		assert_err(node_key_load(&read, path, &why), CS_ERR_FORBIDDEN);
		assert_int_equal(unlink(path), 0);
	}
	/* A private key whose second half is another key's. */
	struct node_key other;
	assert_ok(node_key_make(&other, NULL));
	other.key = key.key;
	assert_ok(node_key_save(&other, path, false, NULL));
	assert_err(node_key_load(&read, path, &why), CS_ERR_INVALID);
	assert_int_equal(unlink(path), 0);
	assert_ok(node_file_make(path, cs_bytes_str("{\"priv_key\":"), 0600, NULL));
	assert_err(node_key_load(&read, path, &why), CS_ERR_MALFORMED);
	assert_int_equal(unlink(path), 0);
	assert_err(node_key_load(&read, path, &why), CS_ERR_NOT_FOUND);
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_genesis),
		cmocka_unit_test(genesis_files_that_are_refused),
		cmocka_unit_test(too_many_validators),
		cmocka_unit_test(keys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
