/* The configuration is read whole: what is wrong is named by its path, all of it at once; and what
 * of it meets the manifest. */
#include "gateway/config.h"
#include "tests/unit/support.h"

#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/caisson-config-XXXXXX";
static char path[64];

static const char good[] =
	"name = \"a\"\n"
	"[enclave]\nmanifests = [\"" CS_VECTORS "/manifest/first.json\"]\n"
	"[[chains]]\nid = \"eip155:31337\"\nrpc = [\"http://127.0.0.1:8545\"]\n"
	"bridge = \"0x1111111111111111111111111111111111111111\"\n"
	"[[peers]]\nname = \"b\"\nurl = \"http://127.0.0.1:9000\"\napi_key_file = "
	"\"b.key\"\nchains = [\"eip155:1903\"]\n"
	"[[routes]]\nfrom = \"eip155:1903\"\nto = \"eip155:31337\"\nexpire = \"absence\"\n";

static int make_folder(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "%s/c.toml", mkdtemp(folder));
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

static enum cs_err load(struct gateway_config *config, const char *text)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	return gateway_config_load(config, path, true);
}

static bool complains(const struct gateway_config *config, const char *part)
{
	for (uint32_t i = 0; i < host_config_error_count(config->file); i++) {
		if (strstr(host_config_error(config->file, i), part))
			return true;
	}
	return false;
}

static void a_good_one_is_taken(void **state)
{
	struct gateway_config config;
	char want[96];
	(void)state;
	enum cs_err err = load(&config, good);
	for (uint32_t i = 0; i < host_config_error_count(config.file); i++)
		print_message("%s\n", host_config_error(config.file, i));
	assert_int_equal(err, CS_OK);
	assert_string_equal(config.name, "a");
	assert_int_equal(config.chain_count, 1);
	assert_int_equal(config.chains[0].common.manifest->chain_id, 31337);
	assert_true(config.chains[0].has_bridge && !config.chains[0].has_token);
	assert_int_equal(config.batch_max, 64);
	snprintf(want, sizeof(want), "%s/journal.db", folder);
	assert_string_equal(config.service.journal, want);
	snprintf(want, sizeof(want), "%s/b.key", folder);
	assert_string_equal(config.peers[0].api_key_file, want);
	const struct cs_hash *here = &config.manifest.chains[0].identity;
	const struct cs_hash *there = &config.manifest.chains[1].identity;
	assert_int_equal(gateway_config_expire(&config, there, here), GATEWAY_EXPIRE_ABSENCE);
	assert_int_equal(gateway_config_expire(&config, here, there), GATEWAY_EXPIRE_TOMBSTONE);
	gateway_config_free(&config);
}

static void the_manifest_is_hashed_as_it_was_signed(void **state)
{
	struct host_manifest manifest;
	struct cs_why why;
	char hex[65];
	(void)state;
	json_t *facts = read_json(CS_VECTORS "/manifest/facts.json");
	assert_int_equal(host_manifest_load(&manifest, CS_VECTORS "/manifest/first.json", &why),
			 CS_OK);
	cs_hex(hex, CS_BYTES_OF(manifest.hash.b));
	assert_string_equal(hex, json_string_value(json_object_get(facts, "first_hash")));
	cs_hex(hex, CS_BYTES_OF(manifest.chains[0].identity.b));
	assert_string_equal(hex, json_string_value(json_object_get(facts, "identity")));
	assert_true(manifest.insecure_host_time);
	assert_true(host_manifest_lists(&manifest.chains[0], &manifest.chains[1].identity));
	assert_int_equal(host_manifest_load(&manifest, CS_VECTORS "/manifest/second.json", &why),
			 CS_OK);
	cs_hex(hex, CS_BYTES_OF(manifest.hash.b));
	assert_string_equal(hex, json_string_value(json_object_get(facts, "second_hash")));
	json_decref(facts);
}

static void a_broken_manifest_is_refused(void **state)
{
	static const char *const bad[] = {"",
					  "{}",
					  "{\"manifest\":1}",
					  "[]",
					  "{\"manifest\":{}}",
					  "{\"manifest\":{\"name\":\"x\",\"number\":1}} "};
	struct host_manifest manifest = {.number = 77};
	(void)state;
	for (size_t i = 0; i < CS_LEN(bad); i++) {
		struct cs_why why = {{0}};
		assert_int_not_equal(host_manifest_read(&manifest, cs_bytes_str(bad[i]), &why),
				     CS_OK);
		assert_int_equal(manifest.number, 77);
	}
}

/* ---- peers that are looked at ---- */

#define ONES "1111111111111111111111111111111111111111111111111111111111111111"
#define LOOKED_AT(place) "[[peers]]\nattested = \"" place "\"\nattested_policy = \"policy.json\"\n"

static void load_with(struct gateway_config *config, const char *peer)
{
	char text[4096];
	const char *at = strstr(good, "[[peers]]\n");
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - good), good, peer,
		 at + strlen("[[peers]]\n"));
	const enum cs_err err = load(config, text);
	for (uint32_t i = 0; i < host_config_error_count(config->file); i++)
		print_message("%s\n", host_config_error(config->file, i));
	assert_int_equal(err, CS_OK);
}

static void a_peer_that_is_looked_at(void **state)
{
	struct gateway_config config;
	char want[96];
	struct cs_hash ones;
	const struct gateway_peer_attested *attested = &config.peers[0].attested;
	(void)state;
	memset(ones.b, 0x11, sizeof(ones.b));
	load_with(&config, "[[peers]]\n");
	assert_null(attested->place);
	gateway_config_free(&config);
	load_with(&config, LOOKED_AT("gateway.example:8443"));
	assert_string_equal(attested->place, "gateway.example:8443");
	snprintf(want, sizeof(want), "%s/policy.json", folder);
	assert_string_equal(attested->policy, want);
	assert_null(attested->collateral);
	assert_null(attested->roots);
	assert_int_equal(attested->every_s, 1800);
	/* Ours: the hash of the first manifest, which here is the only one. */
	assert_true(cs_hash_eq(&attested->lineage, &config.manifest.hash));
	gateway_config_free(&config);
	load_with(&config,
		  LOOKED_AT("[::1]:8443") "attested_collateral = \"folder\"\n"
					  "attested_roots = \"/roots.pem\"\nattested_every_s = 60\n"
					  "attested_lineage = \"0x" ONES "\"\n");
	snprintf(want, sizeof(want), "%s/folder", folder);
	assert_string_equal(attested->collateral, want);
	assert_string_equal(attested->roots, "/roots.pem");
	assert_int_equal(attested->every_s, 60);
	assert_true(cs_hash_eq(&attested->lineage, &ones));
	gateway_config_free(&config);
}

/* What is said of a chain's pool; ledgers have none, which is told whatever else is wrong. */
static void a_pool_of_gas_accounts(void **state)
{
	static const struct {
		const char *id;
		const char *count;
		unsigned taken; /* 0: refused */
	} table[] = {{"eip155:31337", "16", 16}, {"eip155:31337", "1", 1},
		     {"eip155:31337", "0", 0},   {"eip155:31337", "17", 0},
		     {"eip155:31337", "-1", 0},  {"eip155:31337", "\"4\"", 0},
		     {"cosmos:ledger-1", "2", 0}};
	(void)state;
	for (size_t i = 0; i < CS_LEN(table); i++) {
		char text[256];
		struct gateway_config config;
		snprintf(text, sizeof(text),
			 "name = \"a\"\n[[chains]]\nid = \"%s\"\nrpc = "
			 "[\"http://127.0.0.1:8545\"]\ngas_accounts = %s\n",
			 table[i].id, table[i].count);
		FILE *file = fopen(path, "w");
		assert_non_null(file);
		assert_true(fputs(text, file) >= 0);
		assert_int_equal(fclose(file), 0);
		assert_int_equal(gateway_config_load(&config, path, false),
				 table[i].taken > 0 ? CS_OK : CS_ERR_INVALID);
		if (table[i].taken > 0)
			assert_int_equal(config.chains[0].gas_accounts, table[i].taken);
		else
			assert_true(complains(&config, "chains[0].gas_accounts"));
		gateway_config_free(&config);
	}
}

struct bad {
	const char *from;
	const char *to;
	const char *path;
};

static void every_error_is_named_by_its_path(void **state)
{
	static const struct bad table[] = {
		{"name = \"a\"\n", "", "name"},
		{"name = \"a\"\n", "name = \"a\"\nnonsense = 1\n", "nonsense"},
		{"name = \"a\"\n", "name = \"b\"\n", "peers[0].name"},
		{"name = \"a\"\n", "name = \"a\"\n[api]\nport = 99999\n", "api.port"},
		{"name = \"a\"\n", "name = \"a\"\n[api]\nport = 80\nevents_port = 80\n",
		 "api.events_port"},
		{"name = \"a\"\n", "name = \"a\"\n[api]\ncors_origins = [\"*\"]\n",
		 "api.cors_origins[0]"},
		{"name = \"a\"\n", "name = \"a\"\n[api]\ncors_origins = [\"null\"]\n",
		 "api.cors_origins[0]"},
		{"name = \"a\"\n",
		 "name = \"a\"\n[api]\ncors_origins = [\"https://a.example\", "
		 "\"https://a.example/\"]\n",
		 "api.cors_origins[1]"},
		{"name = \"a\"\n", "name = \"a\"\n[api]\ncors_origins = [\"https://\"]\n",
		 "api.cors_origins[0]"},
		{"name = \"a\"\n", "name = \"a\"\n[webhooks]\nnetworks = [\"10.0.0.1/8\"]\n",
		 "webhooks.networks[0]"},
		{"name = \"a\"\n",
		 "name = \"a\"\n[webhooks]\nretry_min_ms = 5000\nretry_max_ms = 1000\n",
		 "webhooks.retry_max_ms"},
		{"name = \"a\"\n", "name = \"a\"\n[log]\nlevel = \"loud\"\n", "log.level"},
		{"name = \"a\"\n", "name = \"a\"\n[relay]\nbatch_max = 65\n", "relay.batch_max"},
		{"name = \"a\"\n",
		 "name = \"a\"\n[relay]\nretry_min_ms = 5000\nretry_max_ms = 100\n",
		 "relay.retry_max_ms"},
		{"id = \"eip155:31337\"",
		 "hedge_delay_min_ms = 300\nhedge_delay_max_ms = 299\nid = \"eip155:31337\"",
		 "chains[0].hedge_delay_max_ms"},
		{"id = \"eip155:31337\"", "hedge_percent = 101\nid = \"eip155:31337\"",
		 "chains[0].hedge_percent"},
		{"id = \"eip155:31337\"", "id = \"solana:hub\"", "chains[0].id"},
		{"id = \"eip155:31337\"", "id = \"eip155:4\"", "chains[0].id"},
		{"http://127.0.0.1:8545", "ftp://x", "chains[0].rpc"},
		{"bridge = \"0x11", "bridge = \"0xzz", "chains[0].bridge"},
		{"url = \"http://127.0.0.1:9000\"\n", "", "peers[0].url"},
		{"[\"eip155:1903\"]", "[\"eip155:5\"]", "peers[0].chains[0]"},
		{"[[peers]]\n", "[[peers]]\nattested = \"h:8443\"\n", "needs attested_policy"},
		{"[[peers]]\n", "[[peers]]\nattested_policy = \"p\"\n",
		 "missing beside attested_policy"},
		{"[[peers]]\n", "[[peers]]\nattested_collateral = \"c\"\n",
		 "missing beside attested_collateral"},
		{"[[peers]]\n", "[[peers]]\nattested_roots = \"r\"\n",
		 "missing beside attested_roots"},
		{"[[peers]]\n", "[[peers]]\nattested_lineage = \"0x" ONES "\"\n",
		 "missing beside attested_lineage"},
		{"[[peers]]\n", LOOKED_AT("h"), "peers[0].attested:"},
		{"[[peers]]\n", LOOKED_AT(":1"), "peers[0].attested:"},
		{"[[peers]]\n", LOOKED_AT("h:0"), "peers[0].attested:"},
		{"[[peers]]\n", LOOKED_AT("h:65536"), "peers[0].attested:"},
		{"[[peers]]\n", LOOKED_AT("h:1x"), "peers[0].attested:"},
		{"[[peers]]\n", LOOKED_AT("--ear:1"), "peers[0].attested:"},
		{"[[peers]]\n", LOOKED_AT("h:1") "attested_every_s = 1801\n",
		 "peers[0].attested_every_s"},
		{"[[peers]]\n", LOOKED_AT("h:1") "attested_every_s = 0\n",
		 "peers[0].attested_every_s"},
		{"[[peers]]\n", LOOKED_AT("h:1") "attested_lineage = \"0x11\"\n",
		 "peers[0].attested_lineage"},
		{"[\"eip155:1903\"]", "[\"eip155:5\"]",
		 "chains[0].id"}, /* its remote is served by nobody */
		{"expire = \"absence\"", "expire = \"never\"", "routes[0].expire"},
		{"from = \"eip155:1903\"", "from = \"eip155:9\"", "routes[0].from"},
		{"to = \"eip155:31337\"", "to = \"eip155:1903\"", "routes[0].to"},
		{"first.json", "absent.json", "enclave.manifests"},
		{"first.json", "quorum.json", "enclave.trust_store"},
		{"name = \"a\"\n", "name = \"a\"\n[egress]\nnames = [\"x.example\"]\n",
		 "egress.names"},
		{"name = \"a\"\n", "name = \"a\"\n[egress]\nnames = [\"=1.2.3.4\"]\n",
		 "egress.names"},
	};
	(void)state;
	for (size_t i = 0; i < CS_LEN(table); i++) {
		static char text[8192];
		struct gateway_config config;
		const char *at = strstr(good, table[i].from);
		assert_non_null(at);
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - good), good, table[i].to,
			 at + strlen(table[i].from));
		assert_int_equal(load(&config, text), CS_ERR_INVALID);
		if (!complains(&config, table[i].path))
			fail_msg("case %zu: no complaint names %s", i, table[i].path);
		gateway_config_free(&config);
	}
}

static void a_chain_with_providers_needs_a_proxy(void **state)
{
	struct gateway_config config;
	char text[4096];
	char want[96];
	(void)state;
	const char *at = strstr(good, "[enclave]\n") + strlen("[enclave]\n");
	snprintf(text, sizeof(text),
		 "%.*strust_store = \"store.pem\"\n%.*squorum.json\"]\n[egress]\nnetworks = "
		 "[\"10.1.0.0/16\"]\nnames = [\"one.example=10.1.0.1\"]\n%s",
		 (int)(at - good), good, (int)(strstr(at, "first.json") - at), at,
		 strstr(at, "[[chains]]"));
	enum cs_err err = load(&config, text);
	for (uint32_t i = 0; i < host_config_error_count(config.file); i++)
		print_message("%s\n", host_config_error(config.file, i));
	assert_int_equal(err, CS_OK);
	assert_true(config.asks_providers);
	snprintf(want, sizeof(want), "%s/store.pem", folder);
	assert_string_equal(config.service.trust_store, want);
	assert_null(config.service.logs);
	assert_string_equal(config.service.egress.networks[0], "10.1.0.0/16");
	assert_string_equal(config.service.egress.names[0].name, "one.example");
	assert_string_equal(config.service.egress.names[0].address, "10.1.0.1");
	gateway_config_free(&config);
	assert_int_equal(load(&config, good), CS_OK);
	assert_false(config.asks_providers);
	gateway_config_free(&config);
}

static void all_errors_are_found_in_one_pass(void **state)
{
	struct gateway_config config;
	(void)state;
	assert_int_equal(
		load(&config, "name = 3\n[api]\nport = -1\n[[chains]]\nid = \"x\"\nrpc = []\n"),
		CS_ERR_INVALID);
	assert_true(complains(&config, "name") && complains(&config, "api.port") &&
		    complains(&config, "chains[0].id") && complains(&config, "chains[0].rpc"));
	gateway_config_free(&config);
	assert_int_equal(gateway_config_load(&config, "/nowhere/at/all.toml", true),
			 CS_ERR_INVALID);
	assert_int_equal(host_config_error_count(config.file), 1);
	gateway_config_free(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_one_is_taken),
		cmocka_unit_test(the_manifest_is_hashed_as_it_was_signed),
		cmocka_unit_test(a_broken_manifest_is_refused),
		cmocka_unit_test(a_peer_that_is_looked_at),
		cmocka_unit_test(a_pool_of_gas_accounts),
		cmocka_unit_test(every_error_is_named_by_its_path),
		cmocka_unit_test(a_chain_with_providers_needs_a_proxy),
		cmocka_unit_test(all_errors_are_found_in_one_pass),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
