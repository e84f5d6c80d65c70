#include "oracle/feed_call.h"

#include <string.h>

#define WORD 32u
#define INFO_WORDS 5u
#define SETTINGS_WORDS 7u

/* ---- feedInfo ---- */

enum cs_err oracle_feed_call_info(struct cs_buf *buf, uint64_t index)
{
	struct cs_abi abi;
	cs_abi_call(&abi, buf, "feedInfo(uint64)");
	cs_abi_put_u64(&abi, index);
	return cs_buf_end(buf);
}

static enum cs_err get_below(struct cs_abi_reader *reader, uint64_t max, uint64_t *value)
{
	uint64_t n;
	CS_TRY(cs_abi_get_u64(reader, &n));
	if (n > max)
		return CS_ERR_OVERFLOW;
	*value = n;
	return CS_OK;
}

static enum cs_err get_address(struct cs_abi_reader *reader, struct cs_address *address)
{
	static const uint8_t zeros[WORD - sizeof(address->b)];
	struct cs_hash word;
	CS_TRY(cs_abi_get_word(reader, &word));
	if (memcmp(word.b, zeros, sizeof(zeros)) != 0)
		return CS_ERR_OVERFLOW;
	memcpy(address->b, word.b + sizeof(zeros), sizeof(address->b));
	return CS_OK;
}

static enum cs_err read_settings(struct oracle_feed_info *info, struct cs_bytes data)
{
	struct cs_abi_reader reader;
	struct cs_bytes text;
	uint64_t heartbeat, stale_after, deviation;
	CS_TRY(cs_abi_read(&reader, data, SETTINGS_WORDS));
	CS_TRY(cs_abi_get_word(&reader, &info->spec_hash));
	CS_TRY(cs_abi_get_u8(&reader, &info->decimals));
	CS_TRY(get_below(&reader, 0xffffff, &heartbeat));
	CS_TRY(get_below(&reader, 0xffffff, &stale_after));
	CS_TRY(get_below(&reader, UINT32_MAX, &deviation));
	CS_TRY(cs_abi_get_u8(&reader, &info->history_bits));
	CS_TRY(cs_abi_get_bytes(&reader, ORACLE_FEED_DESCRIPTION_MAX, &text));
	CS_TRY(cs_abi_end(&reader));
	if (info->decimals > ORACLE_FEED_DECIMALS_MAX || heartbeat == 0 || stale_after < heartbeat)
		return CS_ERR_INVALID;
	info->heartbeat_s = (uint32_t)heartbeat;
	info->stale_after_s = (uint32_t)stale_after;
	info->deviation_ppm = (uint32_t)deviation;
	for (size_t i = 0; i < text.n; i++)
		info->description[i] = text.p[i] >= ' ' && text.p[i] <= '~' ? (char)text.p[i] : '?';
	return CS_OK;
}

enum cs_err oracle_feed_read_info(struct oracle_feed_info *out, struct cs_bytes data)
{
	struct oracle_feed_info info = {0};
	struct cs_abi_reader reader;
	uint64_t offset;
	CS_TRY(cs_abi_read(&reader, data, INFO_WORDS));
	CS_TRY(cs_abi_get_word(&reader, &info.feed_id));
	CS_TRY(get_address(&reader, &info.feed));
	CS_TRY(get_address(&reader, &info.uptime));
	CS_TRY(cs_abi_get_bool(&reader, &info.paused));
	CS_TRY(cs_abi_get_u64(&reader, &offset));
	if (offset != INFO_WORDS * WORD)
		return CS_ERR_NON_CANONICAL;
	CS_TRY(read_settings(&info, cs_bytes(data.p + offset, data.n - offset)));
	*out = info;
	return CS_OK;
}

/* ---- roundAt ---- */

enum cs_err oracle_feed_call_round(struct cs_buf *buf, const struct cs_hash *feed_id,
				   const struct cs_hash *spec_hash)
{
	struct cs_abi abi;
	uint8_t both[2 * WORD];
	memcpy(both, feed_id->b, WORD);
	memcpy(both + WORD, spec_hash->b, WORD);
	struct cs_hash key = cs_keccak256(CS_BYTES_OF(both));
	cs_abi_call(&abi, buf, "roundAt(bytes32,uint80)");
	cs_abi_put_word(&abi, &key);
	cs_abi_put_u64(&abi, 0);
	return cs_buf_end(buf);
}

enum cs_err oracle_feed_read_round(struct oracle_feed_round *out, struct cs_bytes data)
{
	struct cs_abi_reader reader;
	struct oracle_feed_round round;
	struct cs_hash value;
	CS_TRY(cs_abi_read(&reader, data, 3));
	CS_TRY(get_below(&reader, UINT32_MAX, &round.round));
	CS_TRY(cs_abi_get_word(&reader, &value));
	CS_TRY(get_below(&reader, UINT32_MAX, &round.observed_at_s));
	CS_TRY(cs_abi_end(&reader));
	if (round.round == 0)
		return CS_ERR_INVALID;
	round.value = cs_int256_from_word(&value);
	/* int128 */
	if (round.value.magnitude.limb[3] != 0 || round.value.magnitude.limb[2] != 0)
		return CS_ERR_OVERFLOW;
	*out = round;
	return CS_OK;
}

bool oracle_feed_is_no_round(struct cs_bytes data)
{
	uint8_t memory[4 + 3 * WORD];
	struct cs_buf buf;
	struct cs_abi abi;
	cs_buf_init(&buf, memory, sizeof(memory));
	cs_abi_call(&abi, &buf, "Error(string)");
	cs_abi_put_bytes(&abi, cs_abi_slot(&abi), cs_bytes_str("No data present"));
	return cs_buf_end(&buf) == CS_OK && cs_bytes_eq(cs_buf_view(&buf), data);
}
