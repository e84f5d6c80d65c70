/* The transactions that are under way, for people, and POST …/raise: another offer for one that no block
 * takes, under the same nonce, signed by whoever signed it before and never above its caps (chains[].max_fee_gwei
 * here, the manifest's in the enclave). The adapter raises by itself too, after chains[].replace_blocks:
 * this is for who cannot wait. */
#include "gateway/operator.h"
#include "host/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LISTED_MAX 256u

/* ---- the list ---- */

static void set_attempts(struct gateway *gateway, json_t *json, uint64_t n)
{
	struct adapter_attempt attempts[ADAPTER_TX_ATTEMPTS_MAX];
	size_t count = 0;
	size_t mark = cs_arena_mark(&gateway->scratch);
	if (gateway_journal_attempts(gateway->journal, n, &gateway->scratch, attempts,
				     CS_LEN(attempts), &count) != CS_OK)
		count = 0;
	const struct adapter_attempt *last = count > 0 ? &attempts[count - 1] : NULL;
	char wei[24] = "0";
	if (last)
		(void)snprintf(wei, sizeof(wei), "%llu",
			       (unsigned long long)last->terms.max_fee_wei);
	json_object_set_new(json, "nonce", last ? host_json_u64(last->terms.nonce) : json_null());
	json_object_set_new(json, "tx", last ? host_json_hash(&last->hash) : json_null());
	json_object_set_new(json, "max_fee_wei", json_string(wei));
	json_object_set_new(json, "attempts", host_json_u64(count));
	cs_arena_rewind(&gateway->scratch, mark);
}

static json_t *transaction_json(struct gateway_chain *chain,
				const struct gateway_submission *submission)
{
	static const char *const states[] = {[GATEWAY_SUBMISSION_OPEN] = "open",
					     [GATEWAY_SUBMISSION_INCLUDED] = "included",
					     [GATEWAY_SUBMISSION_UNKNOWN] = "unknown"};
	json_t *json = json_object();
	json_object_set_new(json, "n", host_json_u64(submission->n));
	json_object_set_new(json, "chain", json_string(chain->config->id));
	json_object_set_new(json, "call", json_string(gateway_kind_name(submission->kind)));
	json_object_set_new(json, "state", json_string(states[submission->state]));
	json_object_set_new(json, "account", host_json_hex(CS_BYTES_OF(submission->account.b)));
	json_object_set_new(json, "messages", host_json_u64(submission->count));
	json_object_set_new(json, "created_ms", host_json_u64(submission->created_ms));
	set_attempts(chain->gateway, json, submission->n);
	return json;
}

static void list_chain(struct gateway_chain *chain, json_t *list, bool *complete)
{
	struct gateway *gateway = chain->gateway;
	uint64_t rows[LISTED_MAX];
	size_t count = 0;
	if (gateway_journal_open_submissions(gateway->journal, &chain->identity, 0, rows,
					     LISTED_MAX, &count) != CS_OK)
		return;
	for (size_t i = 0; i < count; i++) {
		struct gateway_submission submission;
		if (json_array_size(list) == LISTED_MAX) {
			*complete = false;
			return;
		}
		if (gateway_journal_submission(gateway->journal, rows[i], &submission, NULL,
					       NULL) == CS_OK)
			json_array_append_new(list, transaction_json(chain, &submission));
	}
	*complete = *complete && count < LISTED_MAX;
}

static void get_transactions(void *context, struct host_http_exchange *exchange)
{
	struct gateway *gateway = context;
	json_t *list = json_array();
	bool complete = true;
	for (size_t i = 0; i < gateway->chain_count; i++)
		list_chain(&gateway->chains[i], list, &complete);
	host_http_reply_json(exchange, 200,
			     json_pack("{s:o,s:b}", "transactions", list, "complete", complete));
}

/* ---- raise ---- */

struct raise {
	struct gateway_chain *chain;
	struct host_http_exchange *exchange;
	struct gateway_submission submission;
	char who[HOST_API_KEY_NAME_MAX + 1];
};

static enum cs_err write_told(void *context)
{
	const struct raise *raise = context;
	return gateway_operator_told(raise->chain->gateway, "operator.raise", raise->who,
				     "%s: transaction %llu", raise->chain->config->id,
				     (unsigned long long)raise->submission.n);
}

static const char *why_not(enum cs_err err)
{
	if (err == CS_ERR_CONFLICT)
		return "no node has it, or a block has: there is nothing to raise";
	if (err == CS_ERR_POLICY_FEE)
		return "another offer would be above chains[].max_fee_gwei";
	if (err == CS_ERR_FULL)
		return "the last attempt was made, or another is being signed";
	return NULL;
}

static void told(void *context, enum cs_err err)
{
	struct raise *raise = context;
	struct gateway_chain *chain = raise->chain;
	if (err == CS_OK)
		err = adapter_sender_raise(&chain->sender, raise->submission.n);
	if (err != CS_OK)
		host_http_reply_problem(raise->exchange, err, why_not(err));
	else
		host_http_reply_json(raise->exchange, 202,
				     transaction_json(chain, &raise->submission));
	free(raise);
}

static enum cs_err find(struct gateway *gateway, const char *text, struct raise *raise,
			struct cs_why *why)
{
	uint64_t n = 0;
	if (!gateway_read_number(text, INT64_MAX, &n))
		return cs_fail(why, CS_ERR_MALFORMED, "n: not a number");
	if (n == 0 || gateway_journal_submission(gateway->journal, n, &raise->submission, NULL,
						 NULL) != CS_OK)
		return cs_fail(why, CS_ERR_NOT_FOUND, "no such transaction");
	raise->chain = gateway_chain_of(gateway, &raise->submission.chain);
	if (!raise->chain)
		return cs_fail(why, CS_ERR_NOT_FOUND, "its chain is not one of this gateway");
	if (raise->submission.state != GATEWAY_SUBMISSION_OPEN)
		return cs_fail(why, CS_ERR_CONFLICT, "it is not open any more");
	return CS_OK;
}

static void post_raise(void *context, struct host_http_exchange *exchange)
{
	struct gateway *gateway = context;
	struct cs_why why = {{0}};
	if (!gateway_body_is_empty(exchange))
		return;
	struct raise *raise = host_alloc(sizeof(*raise));
	raise->exchange = exchange;
	(void)snprintf(raise->who, sizeof(raise->who), "%s", gateway_operator_of(exchange));
	enum cs_err err = find(gateway, host_http_param(exchange, "n"), raise, &why);
	if (err == CS_OK)
		err = gateway_write_then(gateway, write_told, raise, told, raise);
	if (err != CS_OK) {
		gateway_problem(exchange, err, &why);
		free(raise);
	}
}

void gateway_api_transaction_routes(struct gateway *gateway)
{
	struct host_http_server *server = gateway->server;
	host_http_server_route(server, "GET", "/v1/operator/transactions?", GATEWAY_SCOPE_READ,
			       get_transactions, gateway);
	host_http_server_route(server, "POST", "/v1/operator/transactions/{n}/raise?",
			       GATEWAY_SCOPE_OPERATE, post_raise, gateway);
}
