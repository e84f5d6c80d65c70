/*~ What happened in a block is what its receipts say, all of which together make the receipts root
 * of its header. eth_getLogs proves nothing: it may bring what never was, and leave out what was. */
#include "adapters/evm/inner.h"
#include "host/alloc.h"

#include <stdlib.h>

struct request {
	struct evm *evm;
	struct evm_header *header;
	evm_logs_done *done;
	void *ctx;
};

/* The hash of a transaction is not in its receipt: it is what the node said with the block. */
static enum cs_err read_block(struct evm_logs *logs, const struct request *request,
			      const struct evm_trie *trie)
{
	const struct evm_header *header = request->header;
	struct adapter_position at = {.block = header->public.id, .time_s = header->public.time_s};
	uint32_t first_log = 0;

	for (size_t i = 0; i < evm_trie_count(trie); i++) {
		struct cs_hash none = {{0}};
		size_t count;

		at.tx_index = (uint32_t)i;
		at.tx_hash = header->tx_hashes != NULL && i < header->tx_count
				     ? header->tx_hashes[i]
				     : none;
		CS_TRY(evm_events_receipt_logs(logs, &count, evm_trie_value(trie, i), &at,
					       first_log, &request->evm->contracts));
		first_log += (uint32_t)count;
	}
	return CS_OK;
}

static void receipts_done(void *ctx, enum cs_err err, const char *why, const struct evm_trie *trie)
{
	struct request *request = ctx;
	struct evm_logs logs = {NULL, 0, 0};

	if (err == CS_OK) {
		err = read_block(&logs, request, trie);
		why = err == CS_OK ? "" : "a receipt that cannot be read";
	}
	request->done(request->ctx, err, why, &logs);
	evm_logs_clear(&logs);
	evm_header_unref(request->header);
	free(request);
}

enum cs_err evm_logs_of(struct evm *evm, struct evm_header *header, evm_logs_done *done, void *ctx)
{
	struct request *request = host_alloc(sizeof(*request));

	*request = (struct request){evm, evm_header_ref(header), done, ctx};
	enum cs_err err = evm_receipts_get(evm->receipts, header, receipts_done, request);
	if (err == CS_OK)
		return CS_OK;
	evm_header_unref(header);
	free(request);
	return err;
}
