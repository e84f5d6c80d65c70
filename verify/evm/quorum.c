#include "verify/evm/quorum.h"

#include "core/json.h"
#include "verify/evm/light_client_state.h"

#include <string.h>

/* ---- question and answer ---- */

const char *verify_evm_tag_name(enum verify_evm_tag tag)
{
	switch (tag) {
	case VERIFY_EVM_FINALIZED:
		return "finalized";
	case VERIFY_EVM_SAFE:
		return "safe";
	case VERIFY_EVM_LATEST:
		return "latest";
	}
	return NULL;
}

#define QUESTION(tag)                                                                            \
	cs_bytes_str(                                                                            \
		"{\"id\":1,\"jsonrpc\":\"2.0\",\"method\":\"eth_getBlockByNumber\",\"params\":[" \
		"\"" tag "\",false]}")

struct cs_bytes verify_evm_quorum_question(enum verify_evm_tag tag)
{
	switch (tag) {
	case VERIFY_EVM_FINALIZED:
		return QUESTION("finalized");
	case VERIFY_EVM_SAFE:
		return QUESTION("safe");
	case VERIFY_EVM_LATEST:
		return QUESTION("latest");
	}
	return CS_BYTES_NONE;
}

/* "0x" and hex without leading zeros: the quantities of the Ethereum JSON-RPC specification. */
static enum cs_err read_quantity(uint64_t *out, const struct cs_json *block, const char *key,
				 struct cs_why *why)
{
	struct cs_bytes text;
	uint64_t value = 0;
	CS_TRY(cs_json_member_string(&text, block, key, 2 + 16, why));
	bool good = text.n > 2 && text.p[0] == '0' && text.p[1] == 'x' &&
		    (text.n == 3 || text.p[2] != '0');
	for (size_t i = 2; good && i < text.n; i++) {
		const uint8_t c = text.p[i];
		const bool digit = c >= '0' && c <= '9';
		good = digit || (c >= 'a' && c <= 'f');
		value = value << 4 | (uint64_t)(digit ? c - '0' : c - 'a' + 10);
	}
	if (!good)
		return cs_fail(why, CS_ERR_MALFORMED, "%s is no quantity", key);
	*out = value;
	return CS_OK;
}

static enum cs_err read_block(struct verify_evm_answer *out, const struct cs_json *block,
			      struct cs_why *why)
{
	struct verify_evm_answer read = {.present = true};
	CS_TRY(read_quantity(&read.height, block, "number", why));
	CS_TRY(read_quantity(&read.time_s, block, "timestamp", why));
	if (cs_json_member_hex(read.hash.b, sizeof read.hash.b, block, "hash", why) != CS_OK)
		return cs_fail(why, CS_ERR_MALFORMED, "hash is not 32 bytes of hex");
	*out = read;
	return CS_OK;
}

enum cs_err verify_evm_quorum_read(struct verify_evm_answer *out, struct cs_bytes body,
				   struct cs_arena *arena, struct cs_why *why)
{
	const struct cs_json *json = NULL;
	struct cs_bytes version;
	uint64_t id = 0;
	if (body.n > VERIFY_EVM_ANSWER_SIZE_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "more than %u bytes",
			       VERIFY_EVM_ANSWER_SIZE_MAX);
	CS_TRY(cs_json_parse(&json, body, CS_JSON_ANY_NUMBER, arena, why));
	if (cs_json_member_string(&version, json, "jsonrpc", 3, why) != CS_OK ||
	    !cs_bytes_eq(version, cs_bytes_str("2.0")) ||
	    cs_json_member_u64(&id, json, "id", UINT64_MAX, why) != CS_OK || id != 1)
		return cs_fail(why, CS_ERR_INVALID, "not the answer to what was asked");
	const struct cs_json *error = cs_json_find(json, "error");
	if (error != NULL && error->type != CS_JSON_NULL)
		return cs_fail(why, CS_ERR_RPC, "the provider answers with an error");
	const struct cs_json *block = cs_json_find(json, "result");
	if (block == NULL || block->type == CS_JSON_NULL)
		return cs_fail(why, CS_ERR_NOT_FOUND, "the provider knows no such block");
	if (block->type != CS_JSON_OBJECT)
		return cs_fail(why, CS_ERR_MALFORMED, "the result is no block");
	return read_block(out, block, why);
}

/* ---- votes ---- */

static bool is_old(const struct verify_evm_client *c, const struct verify_evm_answer *answer,
		   const struct verify_time *now)
{
	return now->high_s > answer->time_s &&
	       now->high_s - answer->time_s > c->config.answer_age_max_s;
}

void verify_evm_quorum_keep(struct verify_evm_client *c, const struct verify_evm_answer *answers,
			    size_t count, const struct verify_time *now)
{
	c->answered_s = now->high_s;
	c->answer_count = 0;
	for (size_t i = 0; i < count; i++)
		if (answers[i].present && !is_old(c, &answers[i], now))
			c->answers[c->answer_count++] = answers[i];
}

void verify_evm_quorum_expire(struct verify_evm_client *c, const struct verify_time *now)
{
	if (now->high_s < c->answered_s || now->high_s - c->answered_s > VERIFY_EVM_ROUND_AGE_MAX_S)
		c->answer_count = 0;
}

size_t verify_evm_quorum_count(const struct verify_evm_client *c, const uint16_t *path, size_t n)
{
	uint8_t support[VERIFY_EVM_PENDING_MAX] = {0};
	uint16_t named[VERIFY_EVM_PENDING_MAX];
	const struct verify_evm_block *root;
	size_t count = 0;
	for (size_t i = 0; i < c->answer_count; i++) {
		const struct verify_evm_answer *answer = &c->answers[i];
		const struct verify_evm_block *block =
			verify_evm_find(c, answer->height, &answer->hash);
		if (block == NULL || block->step.number != answer->height)
			continue;
		const size_t length = verify_evm_path_to(c, block, named, &root);
		for (size_t k = 0; k + c->config.confirmations < length; k++)
			support[named[k]]++;
	}
	while (count < n && support[path[count]] >= c->config.quorum_min)
		count++;
	return count;
}

const struct verify_evm_answer *verify_evm_quorum_conflict(const struct verify_evm_client *c)
{
	/* Of the block that a provider names nothing is final yet where others must follow on it. */
	if (c->config.confirmations != 0)
		return NULL;
	for (size_t i = 0; i < c->answer_count; i++) {
		const struct verify_evm_answer *answer = &c->answers[i];
		const struct verify_evm_block *final = verify_evm_window_at(c, answer->height);
		size_t same = 0;
		if (final == NULL || cs_hash_eq(&final->hash, &answer->hash))
			continue;
		for (size_t k = 0; k < c->answer_count; k++)
			same += c->answers[k].height == answer->height &&
				cs_hash_eq(&c->answers[k].hash, &answer->hash);
		if (same >= c->config.quorum_min)
			return answer;
	}
	return NULL;
}
