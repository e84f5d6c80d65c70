/*~ A header says of itself that it is on the chain. Where much hangs on that, the other endpoints are
 * asked what they have at its height. */
#include "adapters/evm/inner.h"
#include "host/alloc.h"

#include <stdlib.h>

struct question {
	struct adapter_block_id id;
	evm_votes_done *done;
	void *ctx;
	size_t open;
	struct evm_votes votes;
};

static void asked(void *ctx, enum cs_err err, const char *why, struct evm_header *const *headers,
		  size_t count, size_t endpoint)
{
	struct question *question = ctx;
	bool none = cs_hash_is_zero(&question->id.hash);

	(void)why;
	(void)endpoint;
	if (err == CS_OK && count == 0)
		question->votes.agree += none; /* otherwise it is behind: no vote */
	else if (err == CS_OK && cs_hash_eq(&headers[0]->public.id.hash, &question->id.hash))
		question->votes.agree++;
	else if (err == CS_OK)
		question->votes.dissent++;
	if (--question->open > 0)
		return;
	question->done(question->ctx, &question->votes);
	free(question);
}

bool evm_ask_others(struct evm *evm, size_t except, const struct adapter_block_id *id,
		    evm_votes_done *done, void *ctx)
{
	struct question *question = host_alloc(sizeof(*question));

	*question = (struct question){.id = *id, .done = done, .ctx = ctx};
	for (size_t i = 0; i < adapter_rpc_endpoint_count(evm->rpc); i++) {
		struct adapter_rpc_options options = {.pin = i, .only_pin = true};

		if (i != except &&
		    evm_fetch_headers(evm->rpc, &options, id->height, 1, asked, question) == CS_OK)
			question->open++;
	}
	if (question->open > 0)
		return true;
	free(question);
	return false;
}
