#include "relay_state/node/chain_files.h"

#include "core/hash.h"
#include "host/alloc.h"
#include "host/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define KEY_TYPE "tendermint/PubKeyEd25519"
#define PRIVATE_KEY_TYPE "tendermint/PrivKeyEd25519"

/* ---- files ---- */

enum cs_err node_path(char path[NODE_PATH_SIZE_MAX], const char *folder, const char *name,
		      struct cs_why *why)
{
	const size_t folder_size = strlen(folder), name_size = strlen(name) + 1;
	if (folder_size + 1 + name_size > NODE_PATH_SIZE_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "the path of %s is too long", name);
	memcpy(path, folder, folder_size);
	path[folder_size] = '/';
	memcpy(path + folder_size + 1, name, name_size);
	return CS_OK;
}

static enum cs_err write_all(int fd, struct cs_bytes bytes)
{
	while (bytes.n > 0) {
		ssize_t n = write(fd, bytes.p, bytes.n);
		if (n < 0)
			return CS_ERR_IO;
		bytes = cs_bytes(bytes.p + n, bytes.n - (size_t)n);
	}
	return fsync(fd) == 0 ? CS_OK : CS_ERR_IO;
}

enum cs_err node_file_make(const char *path, struct cs_bytes bytes, unsigned mode,
			   struct cs_why *why)
{
	char beside[NODE_PATH_SIZE_MAX + 8];
	(void)snprintf(beside, sizeof beside, "%s.new", path);
	(void)unlink(beside);
	int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, (mode_t)mode);
	if (fd < 0)
		return cs_fail(why, CS_ERR_IO, "%s: %s", beside, strerror(errno));
	enum cs_err err = write_all(fd, bytes);
	if (close(fd) != 0 || err != CS_OK)
		err = cs_fail(why, CS_ERR_IO, "%s: %s", beside, strerror(errno));
	else if (link(beside, path) != 0)
		err = cs_fail(why, errno == EEXIST ? CS_ERR_CONFLICT : CS_ERR_IO, "%s: %s", path,
			      strerror(errno));
	(void)unlink(beside);
	return err;
}

/* ---- reading JSON ---- */

static enum cs_err text_of(const char **text, const json_t *object, const char *name,
			   struct cs_why *why)
{
	const json_t *value = json_object_get(object, name);
	if (!json_is_string(value))
		return cs_fail(why, CS_ERR_MISSING_FIELD, "%s is not there, or no text", name);
	*text = json_string_value(value);
	return CS_OK;
}

static enum cs_err number_of(int64_t *number, const json_t *object, const char *name,
			     struct cs_why *why)
{
	const char *text;
	CS_TRY(text_of(&text, object, name, why));
	enum cs_err err = cometbft_unnumber(number, text);
	return err == CS_OK ? CS_OK : cs_fail(why, err, "%s is no number", name);
}

static enum cs_err key_bytes(uint8_t *p, size_t size, const json_t *object, const char *type,
			     struct cs_why *why)
{
	const char *text, *kind;
	uint8_t bytes[72];
	size_t n = 0;
	CS_TRY(text_of(&kind, object, "type", why));
	CS_TRY(text_of(&text, object, "value", why));
	if (strcmp(kind, type) != 0)
		return cs_fail(why, CS_ERR_UNSUPPORTED, "a key is not of the type %s", type);
	if (strlen(text) > 92 || cometbft_unbase64(bytes, &n, cs_bytes_str(text)) != CS_OK ||
	    n != size)
		return cs_fail(why, CS_ERR_MALFORMED, "a key is not %zu bytes of base64", size);
	memcpy(p, bytes, size);
	cs_wipe(bytes, sizeof bytes);
	return CS_OK;
}

/* ---- consensus parameters ---- */

static const char *const key_type_names[] = {[CMT_KEY_ED25519] = "ed25519",
					     [CMT_KEY_SECP256K1] = "secp256k1",
					     [CMT_KEY_MLDSA65] = "mldsa65"};

json_t *node_params_json(const struct cmt_params *params)
{
	json_t *types = json_array();
	for (size_t i = 0; i < params->key_type_count; i++)
		(void)json_array_append_new(types,
					    json_string(key_type_names[params->key_types[i]]));
	return json_pack(
		"{s{soso} s{sososo} s{so} s{so} s{so}}", "block", "max_bytes",
		cometbft_json_number(params->block_size_max), "max_gas",
		cometbft_json_number(params->block_gas_max), "evidence", "max_age_num_blocks",
		cometbft_json_number(params->evidence_age_blocks), "max_age_duration",
		cometbft_json_number(params->evidence_age_ns), "max_bytes",
		cometbft_json_number(params->evidence_size_max), "validator", "pub_key_types",
		types, "version", "app", cometbft_json_number((int64_t)params->app_version), "abci",
		"vote_extensions_enable_height", cometbft_json_number(params->extensions_from));
}

static enum cs_err key_types(struct cmt_params *params, const json_t *validator, struct cs_why *why)
{
	const json_t *list = json_object_get(validator, "pub_key_types");
	size_t count = json_array_size(list);
	if (!json_is_array(list) || count > CMT_KEY_TYPES_MAX)
		return cs_fail(why, CS_ERR_INVALID, "pub_key_types");
	params->key_type_count = count;
	for (size_t i = 0; i < count; i++) {
		const char *name = json_string_value(json_array_get(list, i));
		size_t type = 0;
		for (size_t t = 1; t < CS_LEN(key_type_names) && name != NULL; t++) {
			if (strcmp(name, key_type_names[t]) == 0)
				type = t;
		}
		if (type == 0)
			return cs_fail(why, CS_ERR_UNSUPPORTED, "a type of keys is not known");
		params->key_types[i] = (enum cmt_key_type)type;
	}
	return CS_OK;
}

static enum cs_err parse_params(struct cmt_params *params, const json_t *root, struct cs_why *why)
{
	const json_t *block = json_object_get(root, "block");
	const json_t *evidence = json_object_get(root, "evidence");
	const json_t *version = json_object_get(root, "version");
	const json_t *abci = json_object_get(root, "abci");
	int64_t app = 0;
	CS_TRY(number_of(&params->block_size_max, block, "max_bytes", why));
	CS_TRY(number_of(&params->block_gas_max, block, "max_gas", why));
	CS_TRY(number_of(&params->evidence_age_blocks, evidence, "max_age_num_blocks", why));
	CS_TRY(number_of(&params->evidence_age_ns, evidence, "max_age_duration", why));
	CS_TRY(number_of(&params->evidence_size_max, evidence, "max_bytes", why));
	CS_TRY(key_types(params, json_object_get(root, "validator"), why));
	if (json_object_get(version, "app") != NULL)
		CS_TRY(number_of(&app, version, "app", why));
	if (json_object_get(abci, "vote_extensions_enable_height") != NULL)
		CS_TRY(number_of(&params->extensions_from, abci, "vote_extensions_enable_height",
				 why));
	params->app_version = (uint64_t)app;
	return cmt_params_check(params, why);
}

/* ---- genesis ---- */

static enum cs_err parse_validator(struct node_genesis *genesis, size_t i, const json_t *root,
				   struct cs_why *why)
{
	struct cs_ed25519_key key;
	int64_t power;
	const char *text;
	CS_TRY(key_bytes(key.b, sizeof key.b, json_object_get(root, "pub_key"), KEY_TYPE, why));
	CS_TRY(number_of(&power, root, "power", why));
	if (power < 1)
		return cs_fail(why, CS_ERR_INVALID, "a validator's power is below 1");
	genesis->validators[i] = cmt_validator_of(&key, power);
	if (json_object_get(root, "address") != NULL) {
		uint8_t address[20];
		CS_TRY(text_of(&text, root, "address", why));
		if (strlen(text) > 0 &&
		    (cs_unhex(address, sizeof address, cs_bytes_str(text)) != CS_OK ||
		     memcmp(address, genesis->validators[i].address.b, sizeof address) != 0))
			return cs_fail(why, CS_ERR_INVALID,
				       "a validator's address is not its key's");
	}
	text = json_string_value(json_object_get(root, "name"));
	if (text != NULL && strlen(text) > NODE_NAME_SIZE_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "a validator's name is too long");
	(void)snprintf(genesis->names[i], sizeof genesis->names[i], "%s", text != NULL ? text : "");
	return CS_OK;
}

static enum cs_err parse_head(struct node_genesis *genesis, const json_t *root, struct cs_why *why)
{
	const char *text;
	CS_TRY(text_of(&text, root, "chain_id", why));
	if (cmt_chain_id_set(&genesis->chain_id, cs_bytes_str(text)) != CS_OK)
		return cs_fail(why, CS_ERR_INVALID, "chain_id is empty or too long");
	CS_TRY(text_of(&text, root, "genesis_time", why));
	if (cometbft_untime(&genesis->time, text) != CS_OK)
		return cs_fail(why, CS_ERR_INVALID, "genesis_time is no time in UTC");
	if (json_object_get(root, "initial_height") != NULL)
		CS_TRY(number_of(&genesis->initial_height, root, "initial_height", why));
	if (genesis->initial_height < 0)
		return cs_fail(why, CS_ERR_INVALID, "initial_height is below 0");
	if (genesis->initial_height == 0)
		genesis->initial_height = 1;
	text = json_string_value(json_object_get(root, "app_hash"));
	genesis->app_hash_size = text != NULL ? strlen(text) / 2 : 0;
	if (genesis->app_hash_size > CMT_APP_HASH_SIZE_MAX ||
	    (text != NULL &&
	     cs_unhex(genesis->app_hash, genesis->app_hash_size, cs_bytes_str(text)) != CS_OK))
		return cs_fail(why, CS_ERR_INVALID, "app_hash");
	genesis->params = cmt_params_default();
	if (json_is_object(json_object_get(root, "consensus_params")))
		CS_TRY(parse_params(&genesis->params, json_object_get(root, "consensus_params"),
				    why));
	return CS_OK;
}

static enum cs_err parse_root(struct node_genesis *genesis, const json_t *root, struct cs_why *why)
{
	const json_t *validators = json_object_get(root, "validators");
	CS_TRY(parse_head(genesis, root, why));
	genesis->count = json_array_size(validators);
	if (genesis->count > BFT_VALIDATORS_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "more than %u validators",
			       BFT_VALIDATORS_MAX);
	for (size_t i = 0; i < genesis->count; i++)
		CS_TRY(parse_validator(genesis, i, json_array_get(validators, i), why));
	const json_t *app_state = json_object_get(root, "app_state");
	if (app_state != NULL && !json_is_null(app_state))
		genesis->app_state = json_dumps(app_state, JSON_COMPACT | JSON_ENCODE_ANY);
	return CS_OK;
}

enum cs_err node_genesis_parse(struct node_genesis *out, struct cs_bytes text, struct cs_why *why)
{
	struct node_genesis genesis = {0};
	json_error_t error;
	json_t *root = json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES, &error);
	if (root == NULL)
		return cs_fail(why, CS_ERR_MALFORMED, "line %d: %s", error.line, error.text);
	enum cs_err err = parse_root(&genesis, root, why);
	json_decref(root);
	if (err != CS_OK) {
		node_genesis_done(&genesis);
		return err;
	}
	root = node_genesis_json(&genesis);
	char *line = cometbft_json_dump(root, 0);
	genesis.hash = cs_sha256(cs_bytes_str(line));
	free(line);
	json_decref(root);
	*out = genesis;
	return CS_OK;
}

enum cs_err node_genesis_load(struct node_genesis *genesis, const char *path, struct cs_why *why)
{
	uint8_t *bytes;
	size_t size;
	struct cs_why inner = {{0}};
	CS_TRY(host_file_load(&bytes, &size, path, NODE_GENESIS_SIZE_MAX, why));
	enum cs_err err = node_genesis_parse(genesis, cs_bytes(bytes, size), &inner);
	free(bytes);
	return err == CS_OK ? CS_OK : cs_fail(why, err, "%s: %s", path, inner.text);
}

void node_genesis_done(struct node_genesis *genesis)
{
	free(genesis->app_state);
	genesis->app_state = NULL;
}

json_t *node_genesis_json(const struct node_genesis *g)
{
	struct cs_bytes id = cmt_chain_id_bytes(&g->chain_id);
	json_t *validators = json_array();
	for (size_t i = 0; i < g->count; i++)
		(void)json_array_append_new(
			validators,
			json_pack("{sosososs}", "address",
				  cometbft_json_hex(CS_BYTES_OF(g->validators[i].address.b)),
				  "pub_key", cometbft_json_key(&g->validators[i].key), "power",
				  cometbft_json_number(g->validators[i].power), "name",
				  g->names[i]));
	json_t *root = json_pack("{sosososososo}", "genesis_time", cometbft_json_time(g->time),
				 "chain_id", cometbft_json_text(id), "initial_height",
				 cometbft_json_number(g->initial_height), "consensus_params",
				 node_params_json(&g->params), "validators", validators, "app_hash",
				 cometbft_json_hex(cs_bytes(g->app_hash, g->app_hash_size)));
	if (g->app_state != NULL)
		(void)json_object_set_new(root, "app_state",
					  json_loads(g->app_state, JSON_DECODE_ANY, NULL));
	return root;
}

/* ---- keys ---- */

void node_id_text(char text[NODE_ID_SIZE], const struct cs_address *id)
{
	cs_hex(text, CS_BYTES_OF(id->b));
}

enum cs_err node_key_make(struct node_key *key, struct cs_why *why)
{
	if (getrandom(key->secret.b, sizeof key->secret.b, 0) != (ssize_t)sizeof key->secret.b)
		return cs_fail(why, CS_ERR_IO, "no randomness: %s", strerror(errno));
	if (cs_ed25519_public(&key->key, &key->secret) != CS_OK)
		return cs_fail(why, CS_ERR_CRYPTO, "no public key");
	key->address = cmt_address(&key->key);
	return CS_OK;
}

static enum cs_err parse_key(struct node_key *key, const json_t *root, struct cs_why *why)
{
	uint8_t both[64];
	struct cs_ed25519_key named;
	const json_t *public = json_object_get(root, "pub_key");
	CS_TRY(key_bytes(both, sizeof both, json_object_get(root, "priv_key"), PRIVATE_KEY_TYPE,
			 why));
	memcpy(key->secret.b, both, 32);
	memcpy(named.b, both + 32, 32);
	cs_wipe(both, sizeof both);
	if (cs_ed25519_public(&key->key, &key->secret) != CS_OK)
		return cs_fail(why, CS_ERR_CRYPTO, "no public key");
	if (memcmp(key->key.b, named.b, 32) != 0)
		return cs_fail(why, CS_ERR_INVALID,
			       "the private key is not that of its second half");
	if (public != NULL) {
		CS_TRY(key_bytes(named.b, 32, public, KEY_TYPE, why));
		if (memcmp(key->key.b, named.b, 32) != 0)
			return cs_fail(why, CS_ERR_INVALID, "pub_key is not that of priv_key");
	}
	key->address = cmt_address(&key->key);
	return CS_OK;
}

enum cs_err node_key_parse(struct node_key *out, struct cs_bytes text, struct cs_why *why)
{
	struct node_key key;
	json_error_t error;
	json_t *root = json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES, &error);
	/* The parser's own words may show what it read. */
	if (root == NULL)
		return cs_fail(why, CS_ERR_MALFORMED, "line %d is no JSON", error.line);
	enum cs_err err = parse_key(&key, root, why);
	json_decref(root);
	if (err == CS_OK)
		*out = key;
	cs_wipe(&key, sizeof key);
	return err;
}

enum cs_err node_key_load(struct node_key *out, const char *path, struct cs_why *why)
{
	struct cs_why inner = {{0}};
	uint8_t *bytes;
	size_t size;
	CS_TRY(host_file_load_own(&bytes, &size, path, NODE_KEY_FILE_SIZE_MAX, 077, why));
	enum cs_err err = node_key_parse(out, cs_bytes(bytes, size), &inner);
	cs_wipe(bytes, size);
	free(bytes);
	return err == CS_OK ? CS_OK : cs_fail(why, err, "%s: %s", path, inner.text);
}

enum cs_err node_key_save(const struct node_key *key, const char *path, bool is_validator,
			  struct cs_why *why)
{
	uint8_t both[64];
	char private[COMETBFT_BASE64_SIZE(64)], public[COMETBFT_BASE64_SIZE(32)], address[41],
		text[640];
	memcpy(both, key->secret.b, 32);
	memcpy(both + 32, key->key.b, 32);
	cometbft_base64(private, CS_BYTES_OF(both));
	cometbft_base64(public, CS_BYTES_OF(key->key.b));
	cometbft_hex(address, CS_BYTES_OF(key->address.b));
	int n;
	if (is_validator)
		n = snprintf(
			text, sizeof text,
			"{\n  \"address\": \"%s\",\n  \"pub_key\": {\n    \"type\": \"" KEY_TYPE
			"\",\n    \"value\": \"%s\"\n  },\n  \"priv_key\": {\n    \"type\": "
			"\"" PRIVATE_KEY_TYPE "\",\n    \"value\": \"%s\"\n  }\n}",
			address, public, private);
	else
		n = snprintf(text, sizeof text,
			     "{\"priv_key\":{\"type\":\"" PRIVATE_KEY_TYPE "\",\"value\":\"%s\"}}",
			     private);
	enum cs_err err = node_file_make(path, cs_bytes(text, (size_t)n), 0600, why);
	cs_wipe(both, sizeof both);
	cs_wipe(private, sizeof private);
	cs_wipe(text, sizeof text);
	return err;
}
