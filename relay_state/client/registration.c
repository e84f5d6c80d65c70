#include "relay_state/client/registration.h"

#include "host/alloc.h"

#include <stdlib.h>

struct search {
	struct ledger_client *client;
	ledger_registration_fn *done;
	void *ctx;
	uint64_t height; /* of the state */
	struct cmt_registration found;
	struct cs_bytes proofs[CMT_REGISTRATION_PARTS]; /* heap */
	size_t count;
};

static void release(struct search *search)
{
	for (size_t i = 0; i < search->count; i++)
		free((void *)(uintptr_t)search->proofs[i].p);
	free(search);
}

static void end(struct search *search, enum cs_err err, const char *why)
{
	search->done(search->ctx, err, why, search->proofs, err == CS_OK ? search->count : 0);
	release(search);
}

static enum cs_err ask(struct search *search);

static enum cs_err take(struct search *search, const struct ledger_client_answer *answer,
			bool *more)
{
	if (answer->err != CS_OK)
		return answer->err;
	if (answer->code != 0 || answer->proof.n == 0)
		return CS_ERR_RPC;
	const enum cmt_registration_part part = (enum cmt_registration_part)search->count;
	CS_TRY(cmt_registration_take(&search->found, part, answer->value.n > 0, answer->value,
				     more));
	search->proofs[search->count++] = cs_bytes(host_copy(answer->proof), answer->proof.n);
	return CS_OK;
}

static void came(void *ctx, const struct ledger_client_answer *answers, size_t count)
{
	struct search *search = ctx;
	bool more = false;
	enum cs_err err = count == 1 ? take(search, &answers[0], &more) : CS_ERR_RPC;
	if (err == CS_OK && more)
		err = ask(search);
	if (err != CS_OK || !more)
		end(search, err, count == 1 && answers[0].why ? answers[0].why : "registration");
}

static enum cs_err ask(struct search *search)
{
	const struct cmt_registration_key key =
		cmt_registration_key(&search->found, (enum cmt_registration_part)search->count);
	const struct ledger_client_query query = {.path = "/store",
						  .data = cs_bytes(key.b, key.n),
						  .height = search->height,
						  .prove = true};
	return ledger_client_query(search->client, search->height, &query, 1, came, search);
}

enum cs_err ledger_registration_find(struct ledger_client *client, const struct cs_hash *x,
				     uint64_t height, ledger_registration_fn *done, void *ctx)
{
	struct search *search = host_alloc(sizeof *search);
	*search = (struct search){.client = client, .done = done, .ctx = ctx, .height = height - 1};
	cmt_registration_begin(&search->found, x);
	const enum cs_err err = ask(search);
	if (err != CS_OK)
		release(search);
	return err;
}
