/* caisson_time: the node's clock over somebody's nonce, signed by its time key; and where a key server of a
 * key cluster is named, how far the node's state says that it is. */
#include "host/loop.h"
#include "relay_state/node/application.h"
#include "relay_state/node/rpc_methods.h"
#include "relay_state/node/time_key.h"
#include "verify/anchor_answers.h"

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

/* 32 bytes of an argument. False: the call was ended. *given NULL: it has to be there. */
static bool get_word(struct rpc_call *call, uint8_t out[32], const char *name, bool *given)
{
	char *text;
	if (!rpc_text(call, name, &text))
		return false;
	const bool is_empty = text[0] == '\0' && given != NULL;
	const enum cs_err err = is_empty ? CS_OK
				: strncmp(text, "0x", 2) == 0
					? cs_unhex(out, 32, cs_bytes_str(text))
					: CS_ERR_MALFORMED;
	free(text);
	if (given != NULL)
		*given = !is_empty;
	if (err != CS_OK)
		rpc_fail(call, RPC_INVALID_PARAMS, "a %s is 0x and 64 hex digits", name);
	return err == CS_OK;
}

/* After the nonce came: that is what is signed. NULL: the call was ended. */
static json_t *answer(struct rpc_call *call, uint64_t time_ms, const struct cs_hash *digest)
{
	const struct node_time_key *key = node_time_key_of(call->rpc->node);
	uint8_t signature[64];
	if (node_time_key_sign(key, signature, digest) != CS_OK) {
		rpc_refuse(call, "the time cannot be signed");
		return NULL;
	}
	return json_pack("{sososo}", "key", json_0x(CS_BYTES_OF(node_time_key_x(key)->b)),
			 "time_ms", cometbft_json_number((int64_t)time_ms), "signature",
			 json_0x(CS_BYTES_OF(signature)));
}

/* ---- with an anchor ---- */

struct question {
	struct rpc_call *call;
	struct cs_hash nonce;
	struct verify_anchor_owner owner;
};

static void on_anchor(void *context, enum cs_err err, const char *why,
		      const struct abci_response *response)
{
	const struct question question = *(struct question *)context;
	struct rpc_call *call = question.call;
	struct verify_anchor anchor;
	free(context);
	if (err != CS_OK)
		return rpc_refuse(call, "%s", why);
	if (response->query.code != 0 ||
	    verify_anchor_read(&anchor, response->query.value) != CS_OK)
		return rpc_refuse(call, "the application has no anchors of key clusters");
	const uint64_t time_ms = host_wall_ms();
	const struct cs_hash digest =
		verify_anchor_time_digest(&question.nonce, time_ms, &question.owner, &anchor);
	json_t *result = answer(call, time_ms, &digest);
	if (result == NULL)
		return;
	json_object_set_new(result, "anchor",
			    json_pack("{sososososo}", "manifest_number",
				      cometbft_json_number((int64_t)anchor.manifest_number),
				      "epoch", cometbft_json_number((int64_t)anchor.epoch),
				      "authority", json_0x(CS_BYTES_OF(anchor.authority.b)),
				      "start", json_0x(CS_BYTES_OF(anchor.start.b)), "height",
				      cometbft_json_number(response->query.height)));
	rpc_result(call, result);
}

static void ask_anchor(struct rpc_call *call, const struct cs_hash *nonce,
		       const struct verify_anchor_owner *owner)
{
	struct abci_request request = {.method = ABCI_QUERY};
	uint8_t key[VERIFY_ANCHOR_KEY_SIZE];
	struct question *question = host_alloc(sizeof *question);
	*question = (struct question){call, *nonce, *owner};
	verify_anchor_key(key, owner);
	request.query.path = cs_bytes_str("/store");
	request.query.data = CS_BYTES_OF(key);
	node_application_call(node_application_of(call->rpc->node), &request, on_anchor, question);
}

void rpc_run_caisson_time(struct rpc_call *call)
{
	struct verify_anchor_owner owner;
	struct cs_hash nonce;
	bool has_lineage = false, has_key = false;
	if (!get_word(call, nonce.b, "nonce", NULL) ||
	    !get_word(call, owner.lineage.b, "lineage", &has_lineage) ||
	    !get_word(call, owner.key.b, "key", &has_key))
		return;
	if (has_lineage != has_key)
		return rpc_fail(call, RPC_INVALID_PARAMS, "an anchor has a lineage and a key");
	if (node_time_key_of(call->rpc->node) == NULL)
		return rpc_refuse(call, "this node has no time key");
	if (has_key)
		return ask_anchor(call, &nonce, &owner);
	const uint64_t time_ms = host_wall_ms();
	const struct cs_hash digest = verify_time_digest(&nonce, time_ms);
	json_t *result = answer(call, time_ms, &digest);
	if (result != NULL)
		rpc_result(call, result);
}
