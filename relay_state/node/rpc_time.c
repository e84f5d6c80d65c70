/* caisson_time: the node's clock over somebody's nonce, signed by its time key. */
#include "host/loop.h"
#include "relay_state/node/rpc_methods.h"
#include "relay_state/node/time_key.h"
#include "verify/time_answers.h"

#include <stdlib.h>
#include <string.h>

/* "0x" and digits, malloc'd by jansson. */
static json_t *json_0x(struct cs_bytes bytes)
{
	char text[2 + 2 * 64 + 1] = "0x";
	cs_assert(bytes.n <= 64);
	cs_hex(text + 2, bytes);
	return json_string(text);
}

void rpc_run_caisson_time(struct rpc_call *call)
{
	const struct node_time_key *key = node_time_key_of(call->rpc->node);
	struct cs_hash nonce;
	uint8_t signature[64];
	char *text;
	if (!rpc_text(call, "nonce", &text))
		return;
	const enum cs_err err = strncmp(text, "0x", 2) == 0
					? cs_unhex(nonce.b, sizeof nonce.b, cs_bytes_str(text))
					: CS_ERR_MALFORMED;
	free(text);
	if (err != CS_OK)
		return rpc_fail(call, RPC_INVALID_PARAMS, "a nonce is 0x and 64 hex digits");
	if (key == NULL)
		return rpc_refuse(call, "this node has no time key");
	/* After the nonce came: that is what is signed. */
	const uint64_t time_ms = host_wall_ms();
	const struct cs_hash digest = verify_time_digest(&nonce, time_ms);
	if (node_time_key_sign(key, signature, &digest) != CS_OK)
		return rpc_refuse(call, "the time cannot be signed");
	rpc_result(call, json_pack("{sososo}", "key", json_0x(CS_BYTES_OF(node_time_key_x(key)->b)),
				   "time_ms", cometbft_json_number((int64_t)time_ms), "signature",
				   json_0x(CS_BYTES_OF(signature))));
}
