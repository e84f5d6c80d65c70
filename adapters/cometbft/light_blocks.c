#include "adapters/cometbft/nodes.h"
#include "host/alloc.h"

#include <stdlib.h>

/* Light blocks of one answer of one call, together: what fits a frame of the enclave beside all
 * else. */
#define HEADERS_SIZE_MAX (2u * 1024 * 1024)

struct headers {
	struct comet_nodes *nodes;
	adapter_headers_fn *done;
	void *ctx;
	struct comet_header *signed_[ADAPTER_HEADERS_MAX];
	size_t count;
	struct adapter_header public[ADAPTER_HEADERS_MAX];
	size_t made;
	size_t size;
};

enum cs_err comet_light_block(struct cs_bytes *bytes, const struct comet_header *header,
			      const struct cmt_validator_set *set)
{
	struct cmt_light_block block = {header->header, header->commit, *set};
	size_t size = CMT_LIGHT_BLOCK_SIZE_MAX(set->count);
	uint8_t *memory = host_alloc(size);
	struct cs_buf buf;

	cs_buf_init(&buf, memory, size);
	cmt_light_block_encode(&buf, &block);
	enum cs_err err = cs_buf_end(&buf);
	if (err != CS_OK) {
		free(memory);
		return err;
	}
	*bytes = cs_buf_view(&buf);
	return CS_OK;
}

static void headers_end(struct headers *request, enum cs_err err, const char *why)
{
	request->done(request->ctx, err, why, err == CS_OK ? request->public : NULL,
		      err == CS_OK ? request->made : 0);
	for (size_t i = 0; i < request->count; i++)
		comet_header_unref(request->signed_[i]);
	for (size_t i = 0; i < request->made; i++)
		free((void *)(uintptr_t)request->public[i].rlp.p);
	free(request);
}

static enum cs_err make_one(struct headers *request, const struct cmt_validator_set *set)
{
	const struct comet_header *header = request->signed_[request->made];
	struct adapter_header *public = &request->public[request->made];

	*public = header->public;
	CS_TRY(comet_light_block(&public->rlp, header, set));
	request->size += public->rlp.n;
	request->made++;
	return CS_OK;
}

static void set_done(void *ctx, enum cs_err err, const char *why);

/* Goes on until a set is missing. */
static void make_all(struct headers *request)
{
	struct comet_nodes *nodes = request->nodes;
	enum cs_err err = CS_OK;

	while (request->made < request->count && request->size < HEADERS_SIZE_MAX) {
		const struct comet_header *header = request->signed_[request->made];
		const struct cs_hash *hash = &header->header.validators_hash.hash;
		const struct cmt_validator_set *set = comet_set_find(nodes, hash);

		if (set == NULL) {
			err = comet_set_fetch(nodes, ADAPTER_RPC_DEFAULT, header->public.id.height,
					      hash, set_done, request);
			if (err == CS_OK)
				return;
		} else {
			err = make_one(request, set);
		}
		if (err != CS_OK)
			break;
	}
	headers_end(request, err, err == CS_OK ? "" : cs_err_sentence(err));
}

static void set_done(void *ctx, enum cs_err err, const char *why)
{
	struct headers *request = ctx;

	if (err != CS_OK)
		headers_end(request, err, why);
	else
		make_all(request);
}

static void fetched(void *ctx, enum cs_err err, const char *why,
		    struct comet_header *const *headers, size_t count, size_t endpoint)
{
	struct headers *request = ctx;

	(void)endpoint;
	if (err != CS_OK) {
		headers_end(request, err, why);
		return;
	}
	for (size_t i = 0; i < count; i++)
		request->signed_[request->count++] = comet_header_ref(headers[i]);
	make_all(request);
}

enum cs_err comet_light_blocks(struct comet_nodes *nodes, uint64_t from, size_t count,
			       adapter_headers_fn *done, void *ctx)
{
	struct headers *request = host_alloc(sizeof(*request));

	*request = (struct headers){.nodes = nodes, .done = done, .ctx = ctx};
	enum cs_err err =
		comet_headers_fetch(nodes, ADAPTER_RPC_DEFAULT, from, count, fetched, request);
	if (err != CS_OK)
		free(request);
	return err;
}
