/*~ Headers that somebody asks for. Those of the watcher's window are at hand; older ones are asked of the node
 * once, and kept by hash (header_cache.h). By height an older one is found from above: each header of the
 * branch that was reported names the one below it, so that nothing has to be forgotten in a reorganisation,
 * and no node can put a header there that is not of this branch. */
#include "adapters/evm/inner.h"
#include "host/alloc.h"

#include <stdlib.h>

static const char *sentence(enum cs_err err)
{
	return err == CS_OK ? "" : cs_err_sentence(err);
}

static void keep(struct evm *evm, struct evm_header *const *headers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		evm_header_cache_put(evm->header_cache, headers[i]);
}

/* ---- several in a row ---- */

struct headers {
	struct evm *evm;
	adapter_headers_fn *done;
	void *ctx;
	struct evm_header *own[ADAPTER_HEADERS_MAX];
	size_t count;
};

static void headers_end(struct headers *request, enum cs_err err, const char *why)
{
	struct adapter_header *list = host_calloc(request->count + 1, sizeof(*list));

	for (size_t i = 0; i < request->count; i++)
		list[i] = request->own[i]->public;
	request->done(request->ctx, err, why, err == CS_OK ? list : NULL,
		      err == CS_OK ? request->count : 0);
	for (size_t i = 0; i < request->count; i++)
		evm_header_unref(request->own[i]);
	free(list);
	free(request);
}

static void headers_ready(void *context, bool closing)
{
	enum cs_err err = closing ? CS_ERR_CLOSED : CS_OK;

	headers_end(context, err, sentence(err));
}

/* What the node says must be what was reported, where that is remembered. */
static void headers_done(void *ctx, enum cs_err err, const char *why,
			 struct evm_header *const *headers, size_t count, size_t endpoint)
{
	struct headers *request = ctx;
	struct cs_hash known;

	(void)endpoint;
	for (size_t i = 0; i < count && err == CS_OK; i++) {
		const struct adapter_block_id *id = &headers[i]->public.id;

		if (evm_watch_hash(request->evm->watch, id->height, &known) &&
		    !cs_hash_eq(&known, &id->hash)) {
			err = CS_ERR_REORGED;
			why = "the chain has changed";
			evm_watch_kick(request->evm->watch);
		}
	}
	if (err == CS_OK && count == 0) {
		err = CS_ERR_NOT_FOUND;
		why = "the node has no such block";
	}
	if (err == CS_OK)
		keep(request->evm, headers, count);
	for (size_t i = 0; i < count && err == CS_OK; i++)
		request->own[request->count++] = evm_header_ref(headers[i]);
	headers_end(request, err, why);
}

/* Takes count headers from `from` on, all below what is reported next, out of what is at hand. False: the
 * one at *missing, at or above `from`, is not; nothing is taken then. */
static bool take_at_hand(struct headers *request, uint64_t from, size_t count, uint64_t *missing)
{
	const struct evm *evm = request->evm;
	const struct evm_watch *watch = evm->watch;
	uint64_t top = from + count - 1;
	uint64_t at = top > evm_watch_low(watch) ? top : evm_watch_low(watch);
	struct cs_hash hash;

	/* What the cursor named is known by its hash alone, and hangs on the first header above. */
	while (at + 1 < evm_watch_next(watch) && evm_watch_header(watch, at) == NULL)
		at++;
	*missing = top;
	if (!evm_watch_hash(watch, at, &hash))
		return false;
	for (;; at--) {
		struct evm_header *header = evm_watch_header(watch, at);

		if (header == NULL)
			header = evm_header_cache_get(evm->header_cache, &hash);
		if (header == NULL || header->public.id.height != at)
			break;
		if (at <= top)
			request->own[at - from] = header;
		if (at == from) {
			for (; request->count < count; request->count++)
				(void)evm_header_ref(request->own[request->count]);
			return true;
		}
		hash = header->public.parent;
	}
	*missing = at;
	return false;
}

/* ---- the way between what is asked for and what was reported ---- */

/* The chain of hashes has a gap up to here: it is closed beside the request, a batch at a time from above,
 * so that the next one finds its way. Further down it is not worth it. */
#define GAP_MAX (EVM_HEADER_CACHE_MAX / 2)

static void gap_done(void *ctx, enum cs_err err, const char *why, struct evm_header *const *headers,
		     size_t count, size_t endpoint)
{
	struct evm *evm = ctx;

	(void)why;
	(void)endpoint;
	evm->filling = false;
	if (err == CS_OK)
		keep(evm, headers, count);
}

static void fill_gap(struct evm *evm, uint64_t above, uint64_t to)
{
	if (evm->filling || to <= above || to - above > GAP_MAX)
		return;
	uint64_t count = to - above < ADAPTER_HEADERS_MAX ? to - above : ADAPTER_HEADERS_MAX;

	evm->filling = evm_fetch_headers(evm->rpc, ADAPTER_RPC_DEFAULT, to - count + 1,
					 (size_t)count, gap_done, evm) == CS_OK;
}

enum cs_err evm_headers(struct adapter *adapter, uint64_t from, size_t count,
			adapter_headers_fn *done, void *ctx)
{
	struct evm *evm = evm_of(adapter);
	uint64_t next = evm_watch_next(evm->watch);
	uint64_t missing = 0;

	if (count == 0 || count > ADAPTER_HEADERS_MAX)
		return CS_ERR_INVALID;
	if (from >= next)
		return CS_ERR_NOT_FOUND;
	if (next - from < count)
		count = (size_t)(next - from);
	struct headers *request = host_alloc(sizeof(*request));
	*request = (struct headers){.evm = evm, .done = done, .ctx = ctx};
	if (take_at_hand(request, from, count, &missing)) {
		adapter_later_add(evm->later, headers_ready, request);
		return CS_OK;
	}
	enum cs_err err = evm_fetch_headers(evm->rpc, ADAPTER_RPC_DEFAULT, from, count,
					    headers_done, request);
	if (err != CS_OK)
		free(request);
	else
		fill_gap(evm, from + count - 1, missing);
	return err;
}

/* ---- one ---- */

struct evm_header_request {
	struct evm *evm;
	struct adapter_block_id block;
	struct evm_header *header;
	evm_header_done *done;
	void *ctx;
	struct evm_header_request *next; /* of those that the node is asked for */
	struct evm_header_request *same; /* who waits for the same block */
};

static void header_ready(void *context, bool closing)
{
	struct evm_header_request *request = context;

	request->done(request->ctx, closing ? CS_ERR_CLOSED : CS_OK,
		      closing ? "the adapter ends" : "", request->header);
	evm_header_unref(request->header);
	free(request);
}

static void header_fetched(void *ctx, enum cs_err err, const char *why,
			   struct evm_header *const *headers, size_t count, size_t endpoint)
{
	struct evm_header_request *request = ctx;
	struct evm_header_request **at = &request->evm->header_requests;

	(void)endpoint;
	while (*at != request)
		at = &(*at)->next;
	*at = request->next; /* who is told may ask again */
	if (err == CS_OK &&
	    (count == 0 || !cs_hash_eq(&headers[0]->public.id.hash, &request->block.hash))) {
		err = CS_ERR_REORGED;
		why = "the block is not on the chain";
	}
	if (err == CS_OK)
		keep(request->evm, headers, 1);
	while (request != NULL) {
		struct evm_header_request *same = request->same;

		request->done(request->ctx, err, why, err == CS_OK ? headers[0] : NULL);
		free(request);
		request = same;
	}
}

/* What the node is asked for already is not asked for again. */
static bool join(const struct evm *evm, struct evm_header_request *request)
{
	struct evm_header_request *first = evm->header_requests;

	while (first != NULL && !(first->block.height == request->block.height &&
				  cs_hash_eq(&first->block.hash, &request->block.hash)))
		first = first->next;
	if (first == NULL)
		return false;
	request->same = first->same;
	first->same = request;
	return true;
}

/* Is it at hand, and nothing else reported at its height? */
static struct evm_header *at_hand(const struct evm *evm, const struct adapter_block_id *block,
				  bool with_transactions)
{
	struct evm_header *header = evm_watch_header(evm->watch, block->height);
	struct cs_hash reported;

	if (header != NULL)
		return cs_hash_eq(&header->public.id.hash, &block->hash) ? header : NULL;
	if (with_transactions || (evm_watch_hash(evm->watch, block->height, &reported) &&
				  !cs_hash_eq(&reported, &block->hash)))
		return NULL;
	header = evm_header_cache_get(evm->header_cache, &block->hash);
	return header != NULL && header->public.id.height == block->height ? header : NULL;
}

enum cs_err evm_header_of(struct evm *evm, const struct adapter_block_id *block,
			  bool with_transactions, evm_header_done *done, void *ctx)
{
	struct evm_header *header = at_hand(evm, block, with_transactions);
	struct evm_header_request *request = host_alloc(sizeof(*request));

	*request =
		(struct evm_header_request){.evm = evm, .block = *block, .done = done, .ctx = ctx};
	if (header != NULL) {
		request->header = evm_header_ref(header);
		adapter_later_add(evm->later, header_ready, request);
		return CS_OK;
	}
	if (join(evm, request))
		return CS_OK;
	enum cs_err err = evm_fetch_headers(evm->rpc, ADAPTER_RPC_DEFAULT, block->height, 1,
					    header_fetched, request);
	if (err != CS_OK) {
		free(request);
		return err;
	}
	request->next = evm->header_requests;
	evm->header_requests = request;
	return CS_OK;
}
