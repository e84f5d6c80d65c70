#include "relay_state/bft/types.h"

#include <string.h>

#define NS_PER_S 1000000000ll

void bft_block_id_encode(uint8_t out[BFT_BLOCK_ID_SIZE], const struct cmt_block_id *id)
{
	struct cs_buf buf;
	memset(out, 0, BFT_BLOCK_ID_SIZE);
	cs_buf_init(&buf, out + 1, BFT_BLOCK_ID_SIZE - 1);
	cmt_block_id_encode(&buf, id);
	cs_assert(cs_buf_end(&buf) == CS_OK);
	out[0] = (uint8_t)buf.n;
}

enum cs_err bft_block_id_decode(struct cmt_block_id *id, const uint8_t in[BFT_BLOCK_ID_SIZE])
{
	if (in[0] > BFT_BLOCK_ID_SIZE - 1)
		return CS_ERR_MALFORMED;
	for (size_t i = 1u + in[0]; i < BFT_BLOCK_ID_SIZE; i++) {
		if (in[i] != 0)
			return CS_ERR_NON_CANONICAL;
	}
	return cmt_block_id_decode(id, cs_bytes(in + 1, in[0]));
}

enum cs_err bft_time_ns(int64_t *ns, struct cs_pb_time time)
{
	int64_t value;
	if (__builtin_mul_overflow(time.s, NS_PER_S, &value) ||
	    __builtin_add_overflow(value, (int64_t)time.ns, &value))
		return CS_ERR_OVERFLOW;
	*ns = value;
	return CS_OK;
}

struct cs_pb_time bft_time_pb(int64_t ns)
{
	int64_t s = ns / NS_PER_S, rest = ns % NS_PER_S;
	if (rest < 0) {
		s--;
		rest += NS_PER_S;
	}
	return (struct cs_pb_time){s, (int32_t)rest};
}
