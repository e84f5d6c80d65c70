#include "tests/unit/cometbft/values.h"

#include <time.h>

#define ARENA_SIZE (32u * 1024 * 1024)
#define PATH_SIZE_MAX 256u
#define FILES_MAX 128u

struct cs_arena *test_arena(void)
{
	static struct cs_arena arena;
	if (arena.block == NULL)
		cs_arena_init(&arena, keep(ARENA_SIZE), ARENA_SIZE);
	return &arena;
}

struct cs_buf test_buf(size_t size_max)
{
	struct cs_buf buf;
	cs_buf_init(&buf, keep(size_max), size_max);
	return buf;
}

json_t *read_vector(const char *name)
{
	/* Reachable to the end, so that leak checkers stay quiet. */
	static json_t *files[FILES_MAX];
	static size_t count;
	char path[PATH_SIZE_MAX];
	(void)snprintf(path, sizeof path, COMETBFT "%s", name);
	assert_true(count < FILES_MAX);
	return files[count++] = read_json(path);
}

json_t *generated(const char *list)
{
	static json_t *all;
	if (all == NULL)
		all = read_json(COMETBFT "generated.json");
	json_t *found = json_object_get(all, list);
	assert_true(json_is_array(found));
	assert_true(json_array_size(found) > 0);
	return found;
}

const json_t *at_path(const json_t *json, const char *path)
{
	char text[PATH_SIZE_MAX], *rest = text, *key;
	const json_t *at = json;
	(void)snprintf(text, sizeof text, "%s", path);
	while ((key = strsep(&rest, ".")) != NULL) {
		at = json_is_array(at) ? json_array_get(at, strtoul(key, NULL, 10))
				       : json_object_get(at, key);
		if (at == NULL)
			fail_msg("nothing at %s of %s", key, path);
	}
	return at;
}

struct cs_bytes hex_at(const json_t *json, const char *key)
{
	return unhex(text_of(json, key));
}

struct cs_bytes base64_of(const json_t *text)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *s = json_is_string(text) ? json_string_value(text) : "";
	uint8_t *p = keep(strlen(s));
	uint32_t bits = 0;
	size_t n = 0, have = 0;
	for (; *s != 0 && *s != '='; s++) {
		const char *digit = strchr(digits, *s);
		assert_non_null(digit);
		bits = bits << 6 | (uint32_t)(digit - digits);
		have += 6;
		if (have >= 8) {
			have -= 8;
			p[n++] = (uint8_t)(bits >> have);
		}
	}
	return cs_bytes(p, n);
}

struct cs_pb_time time_of(const json_t *text)
{
	struct tm tm = {0};
	const char *s = json_string_value(text);
	int used = 0;
	assert_non_null(s);
	assert_int_equal(sscanf(s, "%d-%d-%dT%d:%d:%d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
				&tm.tm_hour, &tm.tm_min, &tm.tm_sec, &used),
			 6);
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	struct cs_pb_time time = {timegm(&tm), 0};
	s += used;
	if (*s == '.') {
		int32_t scale = 100000000;
		for (s++; *s >= '0' && *s <= '9'; s++, scale /= 10)
			time.ns += (*s - '0') * scale;
	}
	assert_string_equal(s, "Z");
	return time;
}

int64_t i64_at(const json_t *json, const char *key)
{
	const json_t *field = json_object_get(json, key);
	if (json_is_integer(field))
		return json_integer_value(field);
	return field == NULL ? 0 : strtoll(text_of(json, key), NULL, 10);
}

struct cmt_hash opt_hash_at(const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));
	if (text == NULL || *text == 0)
		return (struct cmt_hash){.some = false};
	struct cs_hash hash = hash_of_text(text);
	return cmt_hash_of(&hash);
}

struct cmt_chain_id chain_id_of(const char *text)
{
	struct cmt_chain_id id;
	assert_ok(cmt_chain_id_set(&id, cs_bytes_str(text)));
	return id;
}

struct cmt_block_id block_id_of(const json_t *json)
{
	struct cmt_block_id id = {.parts.total = 0};
	if (!json_is_object(json))
		return id;
	id.hash = opt_hash_at(json, "hash");
	const json_t *parts = json_object_get(json, "parts");
	if (parts == NULL)
		parts = json_object_get(json, "part_set_header");
	id.parts.total = (uint32_t)i64_at(parts, "total");
	id.parts.hash = opt_hash_at(parts, "hash");
	return id;
}

static struct cs_address address_at(const json_t *json, const char *key)
{
	struct cs_address address = {{0}};
	struct cs_bytes bytes = hex_at(json, key);
	if (bytes.n > 0) {
		assert_int_equal(bytes.n, sizeof address.b);
		memcpy(address.b, bytes.p, bytes.n);
	}
	return address;
}

static struct cmt_signature signature_at(const json_t *json, const char *key)
{
	struct cmt_signature signature = {.some = false};
	struct cs_bytes bytes = base64_of(json_object_get(json, key));
	if (bytes.n > 0) {
		assert_int_equal(bytes.n, sizeof signature.b);
		signature.some = true;
		memcpy(signature.b, bytes.p, bytes.n);
	}
	return signature;
}

struct cmt_header header_of(const json_t *json)
{
	struct cmt_header h = {.height = i64_at(json, "height")};
	h.block_protocol = (uint64_t)i64_at(json_object_get(json, "version"), "block");
	h.app_version = (uint64_t)i64_at(json_object_get(json, "version"), "app");
	h.chain_id = chain_id_of(text_of(json, "chain_id"));
	h.time = time_of(json_object_get(json, "time"));
	h.last_block_id = block_id_of(json_object_get(json, "last_block_id"));
	h.last_commit_hash = opt_hash_at(json, "last_commit_hash");
	h.data_hash = opt_hash_at(json, "data_hash");
	h.validators_hash = opt_hash_at(json, "validators_hash");
	h.next_validators_hash = opt_hash_at(json, "next_validators_hash");
	h.consensus_hash = opt_hash_at(json, "consensus_hash");
	assert_ok(cmt_header_set_app_hash(&h, hex_at(json, "app_hash")));
	h.last_results_hash = opt_hash_at(json, "last_results_hash");
	h.evidence_hash = opt_hash_at(json, "evidence_hash");
	h.proposer = address_at(json, "proposer_address");
	return h;
}

static struct cmt_commit_sig sig_of(const json_t *json)
{
	struct cmt_commit_sig sig = CMT_SIG_ABSENT;
	sig.flag = (enum cmt_flag)i64_at(json, "block_id_flag");
	if (sig.flag == CMT_ABSENT)
		return sig;
	sig.validator = address_at(json, "validator_address");
	sig.time = time_of(json_object_get(json, "timestamp"));
	sig.signature = signature_at(json, "signature");
	return sig;
}

struct cmt_commit commit_of(const json_t *json)
{
	struct cmt_commit c = {.height = i64_at(json, "height")};
	const json_t *sigs = json_object_get(json, "signatures");
	c.round = (int32_t)i64_at(json, "round");
	c.block_id = block_id_of(json_object_get(json, "block_id"));
	c.count = json_array_size(sigs);
	c.sigs = keep(c.count * sizeof *c.sigs);
	for (size_t i = 0; i < c.count; i++)
		c.sigs[i] = sig_of(json_array_get(sigs, i));
	return c;
}

struct cmt_vote vote_of(const json_t *json)
{
	return (struct cmt_vote){
		.type = (enum cmt_signed_type)i64_at(json, "type"),
		.height = i64_at(json, "height"),
		.round = (int32_t)i64_at(json, "round"),
		.block_id = block_id_of(json_object_get(json, "block_id")),
		.time = time_of(json_object_get(json, "timestamp")),
		.validator = address_at(json, "validator_address"),
		.index = (int32_t)i64_at(json, "validator_index"),
		.signature = signature_at(json, "signature"),
	};
}

static int by_power(const void *a, const void *b)
{
	return cmt_validator_before(a, b) ? -1 : 1;
}

struct cmt_validator_set set_of(const json_t *list)
{
	struct cmt_validator_set set;
	size_t count = json_array_size(list);
	struct cmt_validator *validators = keep(count * sizeof *validators);
	for (size_t i = 0; i < count; i++) {
		const json_t *one = json_array_get(list, i);
		struct cs_ed25519_key key;
		struct cs_bytes bytes = base64_of(at_path(one, "pub_key.value"));
		assert_int_equal(bytes.n, sizeof key.b);
		memcpy(key.b, bytes.p, bytes.n);
		validators[i] = cmt_validator_of(&key, i64_at(one, "voting_power"));
		validators[i].priority = i64_at(one, "proposer_priority");
		struct cs_address said = address_at(one, "address");
		assert_true(cs_address_eq(&said, &validators[i].address));
	}
	qsort(validators, count, sizeof *validators, by_power);
	assert_ok(cmt_validator_set_init(&set, test_arena(), count));
	if (count == 0)
		return set;
	assert_ok(cmt_validator_set_fill(&set, validators, count, NULL, NULL));
	cmt_validator_set_guess_proposer(&set);
	return set;
}

struct cmt_light_block light_block_of(const json_t *signed_header, const json_t *validators)
{
	return (struct cmt_light_block){
		.header = header_of(json_object_get(signed_header, "header")),
		.commit = commit_of(json_object_get(signed_header, "commit")),
		.validators = set_of(validators),
	};
}

struct cs_secret secret_of(uint32_t number)
{
	struct cs_secret secret = {{0}};
	cs_put_be32(secret.b, number);
	return secret;
}

struct cs_ed25519_key key_of(uint32_t number)
{
	struct cs_secret secret = secret_of(number);
	struct cs_ed25519_key key;
	assert_ok(cs_ed25519_public(&key, &secret));
	return key;
}

struct cmt_validator_set set_from(const json_t *json, const char *key)
{
	struct cmt_validator_set set;
	assert_ok(cmt_validator_set_decode(&set, hex_at(json, key), test_arena(), NULL));
	return set;
}

struct cmt_light_block light_from(const json_t *json, const char *key)
{
	struct cmt_light_block block;
	assert_ok(cmt_light_block_decode(&block, hex_at(json, key), test_arena(), NULL));
	return block;
}
