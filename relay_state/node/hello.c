#include "relay_state/node/hello.h"

#include "verify/cometbft/block_id.h"

#define HASH_SIZE 32u
#define KEY_SIZE 32u
#define SIGNATURE_SIZE 64u

void node_hello_encode(struct cs_buf *buf, const struct node_hello *hello)
{
	cs_pb_put_uint(buf, 1, hello->version);
	cs_pb_put_bytes(buf, 2, hello->chain_id);
	cs_pb_put_bytes(buf, 3, hello->genesis);
	cs_pb_put_bytes(buf, 4, hello->moniker);
	cs_pb_put_bytes(buf, 5, hello->key);
	cs_pb_put_bytes(buf, 6, hello->signature);
}

enum cs_err node_hello_decode(struct node_hello *hello, struct cs_bytes bytes)
{
	struct node_hello made;
	struct cs_pb pb;
	cs_pb_open(&pb, bytes);
	made.version = (uint32_t)cs_pb_uint(&pb, 1, UINT32_MAX);
	made.chain_id = cs_pb_bytes(&pb, 2, CMT_CHAIN_ID_SIZE_MAX);
	made.genesis = cs_pb_bytes(&pb, 3, HASH_SIZE);
	made.moniker = cs_pb_bytes(&pb, 4, NODE_MONIKER_SIZE_MAX);
	made.key = cs_pb_bytes(&pb, 5, KEY_SIZE);
	made.signature = cs_pb_bytes(&pb, 6, SIGNATURE_SIZE);
	CS_TRY(cs_pb_close(&pb));
	if (made.genesis.n != HASH_SIZE || (made.key.n != 0 && made.key.n != KEY_SIZE) ||
	    made.signature.n != (made.key.n != 0 ? SIGNATURE_SIZE : 0))
		return CS_ERR_INVALID;
	*hello = made;
	return CS_OK;
}
