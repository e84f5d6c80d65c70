/* Transactions that applications signed. Each is in the journal before a node sees it, and is then sent
 * as it is, again and again, until a final block has it, its nonce went to another, or a day is over:
 * nobody here could sign it anew. What it did is told by its events; here it is told that it did
 * nothing. */
#include "gateway/gateway.h"
#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

#define KEPT_MS (24u * 3600u * 1000u)

struct look {
	struct gateway_chain *chain;
	struct gateway_submission row;
	bool freed; /* its nonce was used, and is not any more: a reorganisation */
	char why[GATEWAY_WHY_MAX + 1]; /* to be kept */
};

static void look_end(struct look *look)
{
	struct gateway_chain *chain = look->chain;
	chain->submitted_busy = false;
	if (!chain->gateway->stopping)
		gateway_wake(chain->gateway);
	free(look);
}

static enum cs_err write_look(void *context)
{
	struct look *look = context;
	struct gateway *gateway = look->chain->gateway;
	CS_TRY(gateway_journal_save_submission(gateway->journal, &look->row,
					       look->why[0] ? look->why : NULL));
	if (look->row.state == GATEWAY_SUBMISSION_SETTLED && !look->row.succeeded)
		return gateway_tell_request_failed(gateway, look->row.n,
						   "its transaction reverted");
	return CS_OK;
}

static void keep(struct look *look, const char *why)
{
	snprintf(look->why, sizeof(look->why), "%s", why);
	if (gateway_write(look->chain->gateway, write_look, look) != CS_OK)
		log_warn("request.not_kept", LOG_U64("submission", look->row.n));
	look_end(look);
}

static void lose(struct look *look, const char *why)
{
	look->row.state = GATEWAY_SUBMISSION_LOST;
	log_warn("request.lost", LOG_HASH("tx", &look->row.hash), LOG_TEXT("why", why));
	keep(look, why);
}

/* A final block has it: nothing more will come of it than what the block's events told. */
static void settle(struct look *look, const struct adapter_receipt *receipt)
{
	look->row.state = GATEWAY_SUBMISSION_SETTLED;
	look->row.height = receipt->height;
	look->row.succeeded = receipt->succeeded;
	log_info("request.settled", LOG_HASH("tx", &look->row.hash),
		 LOG_U64("height", receipt->height), LOG_BOOL("succeeded", receipt->succeeded));
	keep(look, "");
}

static void sent(void *ctx, enum cs_err err, const char *why)
{
	struct look *look = ctx;
	char text[GATEWAY_WHY_MAX + 1] = "";
	char before[GATEWAY_WHY_MAX + 1] = "";
	if (err != CS_OK)
		snprintf(text, sizeof(text), "%s: %.160s", cs_err_name(err), why);
	if (look->chain->gateway->stopping ||
	    gateway_journal_submission_why(look->chain->gateway->journal, look->row.n, before) !=
		    CS_OK ||
	    (strcmp(text, before) == 0 && !look->freed))
		look_end(look);
	else
		keep(look, text);
}

static enum cs_err send_again(struct look *look)
{
	struct gateway *gateway = look->chain->gateway;
	struct adapter_attempt attempt;
	size_t count = 0;
	size_t mark = cs_arena_mark(&gateway->scratch);
	enum cs_err err = gateway_journal_attempts(gateway->journal, look->row.n, &gateway->scratch,
						   &attempt, 1, &count);
	if (err == CS_OK && count == 1)
		err = adapter_send_raw(look->chain->adapter, attempt.raw, sent, look);
	else if (err == CS_OK)
		err = CS_ERR_NOT_FOUND;
	cs_arena_rewind(&gateway->scratch, mark);
	return err;
}

/* row.height: the head when its nonce was first seen used. Once that block is final every event below
 * is in the journal, so that a message of it would be here. */
static void account_done(void *ctx, enum cs_err err, const char *why,
			 const struct adapter_account *account)
{
	struct look *look = ctx;
	struct gateway_chain *chain = look->chain;
	bool used = err == CS_OK && account->nonce > look->row.nonce;
	(void)why;
	if (err != CS_OK || chain->gateway->stopping) {
		look_end(look);
	} else if (used && look->row.height == 0) {
		look->row.height = chain->follow.head_height;
		keep(look, "its nonce was used, and the node does not tell by what");
	} else if (used && look->row.height <= chain->follow.final_height) {
		lose(look, "its nonce was used, and no node tells that it was by it");
	} else if (used) {
		look_end(look);
	} else if (host_wall_ms() - look->row.created_ms > KEPT_MS) {
		lose(look, "no block took it for a day: it is sent no more");
	} else {
		look->freed = look->row.height != 0;
		look->row.height = 0;
		if (send_again(look) != CS_OK)
			look_end(look);
	}
}

static void receipt_done(void *ctx, enum cs_err err, const char *why,
			 const struct adapter_receipt *receipt)
{
	struct look *look = ctx;
	struct gateway_chain *chain = look->chain;
	(void)why;
	if (err != CS_OK || chain->gateway->stopping)
		look_end(look);
	else if (receipt && receipt->height <= chain->follow.final_height &&
		 adapter_follow_agrees(&chain->follow))
		settle(look, receipt);
	else if (receipt ||
		 adapter_account(chain->adapter, &look->row.account, account_done, look) != CS_OK)
		look_end(look);
}

void gateway_submitted_follow(struct gateway_chain *chain)
{
	struct gateway *gateway = chain->gateway;
	uint64_t n = 0;
	size_t count = 0;
	if (chain->submitted_busy || host_now_ms() < chain->submitted_pause_ms)
		return;
	if (gateway_journal_given(gateway->journal, &chain->identity, chain->submitted_after, &n, 1,
				  &count) != CS_OK)
		return;
	if (count == 0) {
		chain->submitted_after = 0;
		chain->submitted_pause_ms = host_now_ms() + chain->config->block_time_ms;
		return;
	}
	chain->submitted_after = n;
	struct look *look = host_alloc(sizeof(*look));
	look->chain = chain;
	chain->submitted_busy = true;
	size_t mark = cs_arena_mark(&gateway->scratch);
	enum cs_err err = gateway_journal_submission(gateway->journal, n, &look->row,
						     &gateway->scratch, NULL);
	cs_arena_rewind(&gateway->scratch, mark);
	if (err != CS_OK ||
	    adapter_receipt(chain->adapter, &look->row.hash, receipt_done, look) != CS_OK)
		look_end(look);
}
