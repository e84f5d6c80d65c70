#include "adapters/cometbft/json.h"

#include "host/alloc.h"
#include "host/cometbft_text.h"

#include <stdlib.h>
#include <string.h>

/* ---- small values ---- */

static enum cs_err text_of(const char **text, const json_t *json)
{
	if (json == NULL)
		return CS_ERR_MISSING_FIELD;
	if (!json_is_string(json) || strlen(json_string_value(json)) != json_string_length(json))
		return CS_ERR_MALFORMED;
	*text = json_string_value(json);
	return CS_OK;
}

static enum cs_err read_i64(int64_t *value, const json_t *json)
{
	const char *text;

	CS_TRY(text_of(&text, json));
	return cometbft_unnumber(value, text);
}

enum cs_err comet_json_u64(uint64_t *value, const json_t *json)
{
	int64_t number;

	CS_TRY(read_i64(&number, json));
	if (number < 0)
		return CS_ERR_MALFORMED;
	*value = (uint64_t)number;
	return CS_OK;
}

static const char *past_prefix(const char *text)
{
	return strncmp(text, "0x", 2) == 0 ? text + 2 : text;
}

enum cs_err comet_json_fixed(uint8_t *bytes, size_t n, const json_t *json)
{
	const char *text;

	CS_TRY(text_of(&text, json));
	text = past_prefix(text);
	return strlen(text) == 2 * n ? cs_unhex(bytes, n, cs_bytes_str(text)) : CS_ERR_MALFORMED;
}

enum cs_err comet_json_base64(uint8_t **out, size_t *size, const json_t *json)
{
	const char *text;

	if (json_is_null(json)) {
		*out = NULL;
		*size = 0;
		return CS_OK;
	}
	CS_TRY(text_of(&text, json));
	uint8_t *bytes = host_alloc(json_string_length(json) / 4 * 3 + 1);
	enum cs_err err = cometbft_unbase64(bytes, size, cs_bytes_str(text));
	if (err != CS_OK) {
		free(bytes);
		return err;
	}
	*out = bytes;
	return CS_OK;
}

enum cs_err comet_json_hex(uint8_t **out, size_t *size, const json_t *json)
{
	const char *text;

	CS_TRY(text_of(&text, json));
	text = past_prefix(text);
	size_t n = strlen(text) / 2;
	uint8_t *bytes = host_alloc(n + 1);
	enum cs_err err =
		strlen(text) % 2 == 0 ? cs_unhex(bytes, n, cs_bytes_str(text)) : CS_ERR_MALFORMED;
	if (err != CS_OK) {
		free(bytes);
		return err;
	}
	*out = bytes;
	*size = n;
	return CS_OK;
}

/* Empty or 32 bytes. */
static enum cs_err read_hash(struct cmt_hash *hash, const json_t *json)
{
	struct cs_hash value;
	const char *text;

	CS_TRY(text_of(&text, json));
	if (text[0] == '\0') {
		*hash = (struct cmt_hash){.some = false};
		return CS_OK;
	}
	CS_TRY(comet_json_fixed(value.b, sizeof(value.b), json));
	*hash = cmt_hash_of(&value);
	return CS_OK;
}

static enum cs_err read_time(struct cs_pb_time *time, const json_t *json)
{
	const char *text;

	CS_TRY(text_of(&text, json));
	return cometbft_untime(time, text);
}

static enum cs_err read_block_id(struct cmt_block_id *id, const json_t *json)
{
	const json_t *parts = json_object_get(json, "parts");
	const json_t *total = json_object_get(parts, "total");

	if (!json_is_integer(total) || json_integer_value(total) < 0 ||
	    json_integer_value(total) > UINT32_MAX)
		return CS_ERR_MALFORMED;
	CS_TRY(read_hash(&id->hash, json_object_get(json, "hash")));
	CS_TRY(read_hash(&id->parts.hash, json_object_get(parts, "hash")));
	id->parts.total = (uint32_t)json_integer_value(total);
	return CS_OK;
}

/* ---- headers ---- */

/* Zeros are left out. */
static enum cs_err read_version(uint64_t *value, const json_t *json)
{
	*value = 0;
	return json == NULL ? CS_OK : comet_json_u64(value, json);
}

static enum cs_err read_app_hash(struct cmt_header *header, const json_t *json)
{
	uint8_t *bytes = NULL;
	size_t size = 0;

	CS_TRY(comet_json_hex(&bytes, &size, json));
	enum cs_err err = cmt_header_set_app_hash(header, cs_bytes(bytes, size));
	free(bytes);
	return err;
}

static enum cs_err read_hashes(struct cmt_header *header, const json_t *json)
{
	const struct {
		const char *name;
		struct cmt_hash *hash;
	} rows[] = {
		{"last_commit_hash", &header->last_commit_hash},
		{"data_hash", &header->data_hash},
		{"validators_hash", &header->validators_hash},
		{"next_validators_hash", &header->next_validators_hash},
		{"consensus_hash", &header->consensus_hash},
		{"last_results_hash", &header->last_results_hash},
		{"evidence_hash", &header->evidence_hash},
	};

	for (size_t i = 0; i < CS_LEN(rows); i++)
		CS_TRY(read_hash(rows[i].hash, json_object_get(json, rows[i].name)));
	return CS_OK;
}

static enum cs_err read_header(struct cmt_header *header, const json_t *json)
{
	const json_t *version = json_object_get(json, "version");
	const char *chain_id;

	CS_TRY(read_version(&header->block_protocol, json_object_get(version, "block")));
	CS_TRY(read_version(&header->app_version, json_object_get(version, "app")));
	CS_TRY(text_of(&chain_id, json_object_get(json, "chain_id")));
	CS_TRY(cmt_chain_id_set(&header->chain_id, cs_bytes_str(chain_id)));
	CS_TRY(read_i64(&header->height, json_object_get(json, "height")));
	CS_TRY(read_time(&header->time, json_object_get(json, "time")));
	CS_TRY(read_block_id(&header->last_block_id, json_object_get(json, "last_block_id")));
	CS_TRY(read_hashes(header, json));
	CS_TRY(read_app_hash(header, json_object_get(json, "app_hash")));
	return comet_json_fixed(header->proposer.b, sizeof(header->proposer.b),
				json_object_get(json, "proposer_address"));
}

enum cs_err comet_json_header(struct cmt_header *header, const json_t *json, struct cs_why *why)
{
	struct cmt_header out = {.height = 0};
	enum cs_err err = read_header(&out, json);

	if (err != CS_OK)
		return cs_fail(why, err, "a header that does not read");
	CS_TRY(cmt_header_check(&out, why));
	*header = out;
	return CS_OK;
}

/* ---- commits ---- */

static enum cs_err read_signature(struct cmt_signature *signature, const json_t *json)
{
	uint8_t *bytes = NULL;
	size_t size = 0;

	CS_TRY(comet_json_base64(&bytes, &size, json));
	bool fits = size == 0 || size == sizeof(signature->b);
	if (fits && size > 0)
		memcpy(signature->b, bytes, size);
	signature->some = fits && size > 0;
	free(bytes);
	return fits ? CS_OK : CS_ERR_MALFORMED;
}

static enum cs_err read_sig(struct cmt_commit_sig *sig, const json_t *json)
{
	const json_t *flag = json_object_get(json, "block_id_flag");
	const json_t *address = json_object_get(json, "validator_address");

	if (!json_is_integer(flag) || json_integer_value(flag) < CMT_ABSENT ||
	    json_integer_value(flag) > CMT_NIL)
		return CS_ERR_MALFORMED;
	*sig = CMT_SIG_ABSENT;
	sig->flag = (enum cmt_flag)json_integer_value(flag);
	if (sig->flag == CMT_ABSENT)
		return CS_OK;
	CS_TRY(comet_json_fixed(sig->validator.b, sizeof(sig->validator.b), address));
	CS_TRY(read_time(&sig->time, json_object_get(json, "timestamp")));
	return read_signature(&sig->signature, json_object_get(json, "signature"));
}

static enum cs_err read_commit(struct cmt_commit *commit, const json_t *json)
{
	const json_t *round = json_object_get(json, "round");
	const json_t *list = json_object_get(json, "signatures");

	if (!json_is_integer(round) || json_integer_value(round) < 0 ||
	    json_integer_value(round) > INT32_MAX || !json_is_array(list) ||
	    json_array_size(list) > CMT_VALIDATORS_MAX)
		return CS_ERR_MALFORMED;
	commit->round = (int32_t)json_integer_value(round);
	CS_TRY(read_i64(&commit->height, json_object_get(json, "height")));
	CS_TRY(read_block_id(&commit->block_id, json_object_get(json, "block_id")));
	commit->sigs = host_calloc(json_array_size(list) + 1, sizeof(*commit->sigs));
	commit->count = json_array_size(list);
	for (size_t i = 0; i < commit->count; i++)
		CS_TRY(read_sig(&commit->sigs[i], json_array_get(list, i)));
	return CS_OK;
}

enum cs_err comet_json_commit(struct cmt_commit *commit, const json_t *json, struct cs_why *why)
{
	struct cmt_commit out = {.sigs = NULL};
	enum cs_err err = read_commit(&out, json);

	if (err != CS_OK)
		(void)cs_fail(why, err, "a commit that does not read");
	else
		err = cmt_commit_check(&out, why);
	if (err != CS_OK) {
		free(out.sigs);
		return err;
	}
	*commit = out;
	return CS_OK;
}

void comet_commit_clear(struct cmt_commit *commit)
{
	free(commit->sigs);
	*commit = (struct cmt_commit){.sigs = NULL};
}

/* ---- validators ---- */

enum cs_err comet_json_validator(struct cmt_validator *validator, const json_t *json)
{
	const json_t *key = json_object_get(json, "pub_key");
	const char *type;
	struct cs_ed25519_key public_key;
	uint8_t *bytes = NULL;
	size_t size = 0;
	int64_t power;
	int64_t priority;

	CS_TRY(text_of(&type, json_object_get(key, "type")));
	if (strcmp(type, "tendermint/PubKeyEd25519") != 0)
		return CS_ERR_UNSUPPORTED;
	CS_TRY(read_i64(&power, json_object_get(json, "voting_power")));
	CS_TRY(read_i64(&priority, json_object_get(json, "proposer_priority")));
	CS_TRY(comet_json_base64(&bytes, &size, json_object_get(key, "value")));
	bool fits = size == sizeof(public_key.b);
	if (fits)
		memcpy(public_key.b, bytes, sizeof(public_key.b));
	free(bytes);
	if (!fits)
		return CS_ERR_MALFORMED;
	*validator = cmt_validator_of(&public_key, power);
	validator->priority = priority;
	return CS_OK;
}

/* ---- writing ---- */

json_t *comet_json_from_u64(uint64_t value)
{
	cs_assert(value <= INT64_MAX);
	return cometbft_json_number((int64_t)value);
}
