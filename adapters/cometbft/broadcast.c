#include "adapters/cometbft/nodes.h"
#include "host/alloc.h"
#include "host/cometbft_text.h"

#include <stdlib.h>

struct raw {
	adapter_done_fn *done;
	void *ctx;
};

static void raw_done(void *ctx, const struct adapter_rpc_reply *replies, size_t count)
{
	struct raw *request = ctx;
	const json_t *code = json_object_get(replies[0].result, "code");
	enum cs_err err = replies[0].class == ADAPTER_RPC_KNOWN ? CS_OK : replies[0].err;
	const char *why = err == CS_OK ? "" : replies[0].why;

	(void)count;
	if (replies[0].class == ADAPTER_RPC_FINE && !json_is_integer(code)) {
		err = CS_ERR_RPC_LIE;
		why = "an answer without a code";
	} else if (replies[0].class == ADAPTER_RPC_FINE && json_integer_value(code) != 0) {
		err = comet_code_err((uint32_t)json_integer_value(code));
		why = comet_code_sentence((uint32_t)json_integer_value(code));
	}
	request->done(request->ctx, err, why);
	free(request);
}

enum cs_err comet_broadcast(struct comet_nodes *nodes, struct cs_bytes raw, adapter_done_fn *done,
			    void *ctx)
{
	struct raw *request = host_alloc(sizeof(*request));

	*request = (struct raw){done, ctx};
	enum cs_err err = adapter_rpc_call(nodes->rpc, ADAPTER_RPC_DEFAULT, "broadcast_tx_sync",
					   json_pack("{s:o}", "tx", cometbft_json_base64(raw)),
					   raw_done, request);
	if (err != CS_OK)
		free(request);
	return err;
}
