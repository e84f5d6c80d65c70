/* POST /v1/messages and POST /v1/transfers: what the application signs itself (prepare), what it signed
 * (submit), or what the operator's account sends (sponsored). A request asks the chain for fee,
 * allowance and the like one after the other, then is written and answered. */
#include "adapters/evm/contract_error.h"
#include "core/abi.h"
#include "gateway/gateway.h"
#include "gateway/send_body.h"
#include "gateway/send_calls.h"
#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define CALLS_MAX 3u
#define GAS_APPROVE 80000u
#define IDEMPOTENCY_KEY_MAX 128u
/* What a contract quoted is its answer to the same question until the next block, and no longer than this. */
#define QUOTES 64u
#define QUOTE_KEPT_MS 1000u

struct prepared {
	struct cs_address to;
	struct cs_hash value;
	uint64_t gas_limit;
	struct cs_bytes data;
	const char *what;
};

struct send {
	struct gateway *gateway;
	struct gateway_chain *chain;
	struct host_http_exchange *exchange;
	struct cs_arena *arena;
	struct gateway_send_body body;
	bool has_from;
	struct cs_address from;           /* the body's, the operator's account, or who signed */
	struct adapter_transaction given; /* of submit */
	/* what the chain said */
	struct cs_hash question; /* of the quote */
	uint64_t asked_at;       /* the head then */
	struct cs_u256 fee;
	bool needs_approval;
	struct cs_hash payload_hash;
	/* the answer */
	struct prepared calls[CALLS_MAX];
	size_t call_count;
	struct gateway_request request;
	char key_name[HOST_API_KEY_NAME_MAX + 1];
	char key[IDEMPOTENCY_KEY_MAX + 1];
	struct cs_hash body_hash;
	char *answer;
	int status;
	struct send *next; /* of those under way that have a key */
};

static struct send *under_way; /* of this process's one gateway */

static struct quote {
	struct cs_hash question;
	uint64_t height;
	uint64_t time_ms;
	struct cs_u256 fee;
} quotes[QUOTES]; /* of this process's one gateway too */

static void send_free(struct send *send)
{
	struct send **at = &under_way;
	while (*at && *at != send)
		at = &(*at)->next;
	if (*at)
		*at = send->next;
	gateway_arena_free(send->arena);
	free(send->answer);
	free(send);
}

static void send_fail(struct send *send, enum cs_err err, const char *why)
{
	host_http_reply_problem(send->exchange, err, why);
	send_free(send);
}

/* ---- the calls ---- */

static enum cs_err plan_calls(struct send *send)
{
	struct cs_buf buf;
	struct cs_abi abi;
	if (send->needs_approval) {
		CS_TRY(cs_buf_init_arena(&buf, send->arena, 128));
		cs_abi_call(&abi, &buf, "approve(address,uint256)");
		cs_abi_put_address(&abi, &send->chain->own->bridge);
		cs_abi_put_u256(&abi, &send->body.amount);
		CS_TRY(cs_buf_end(&buf));
		send->calls[send->call_count++] = (struct prepared){.to = send->body.token,
								    .gas_limit = GAS_APPROVE,
								    .data = cs_buf_view(&buf),
								    .what = "approve"};
	}
	CS_TRY(gateway_send_data(&buf, &send->body, send->arena));
	send->calls[send->call_count++] =
		(struct prepared){.to = send->body.transfer ? send->chain->own->bridge
							    : send->chain->manifest->gateway,
				  .value = cs_u256_word(&send->fee),
				  .gas_limit = gateway_send_gas(&send->body),
				  .data = cs_buf_view(&buf),
				  .what = send->body.transfer ? "transfer" : "sendMessage"};
	return CS_OK;
}

/* ---- the answer ---- */

static enum cs_err make_answer(struct send *send)
{
	json_t *json = json_object();
	json_t *list = json_array();
	json_object_set_new(json, "request_id", json_string(send->request.id));
	json_object_set_new(json, "mode", json_string(send->request.mode));
	json_object_set_new(json, "chain", json_string(send->chain->config->id));
	for (size_t i = 0; i < send->call_count; i++) {
		const struct prepared *call = &send->calls[i];
		char value[CS_U256_DECIMAL_SIZE];
		struct cs_u256 number = cs_u256_from_word(&call->value);
		cs_u256_decimal(value, &number);
		json_t *item = json_object();
		json_object_set_new(item, "what", json_string(call->what));
		json_object_set_new(item, "chain", json_string(send->chain->config->id));
		if (send->has_from)
			json_object_set_new(item, "from", host_json_hex(CS_BYTES_OF(send->from.b)));
		json_object_set_new(item, "to", host_json_hex(CS_BYTES_OF(call->to.b)));
		json_object_set_new(item, "data", host_json_hex(call->data));
		json_object_set_new(item, "value", json_string(value));
		json_object_set_new(item, "gas", host_json_u64(call->gas_limit));
		json_array_append_new(list, item);
	}
	json_object_set_new(json, "transactions", list);
	send->status = send->body.sponsored || send->body.submitted ? 202 : 200;
	send->answer = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	return send->answer ? CS_OK : CS_ERR_NO_MEMORY;
}

static enum cs_err write_given(struct send *send)
{
	const struct adapter_transaction *given = &send->given;
	struct gateway_submission submission = {.chain = send->chain->identity,
						.kind = GATEWAY_SUBMITTED,
						.account = given->from,
						.to = given->to,
						.value = given->value,
						.gas_limit = given->gas_limit};
	struct adapter_attempt attempt = {
		.terms = {.nonce = given->nonce, .gas_limit = given->gas_limit},
		.hash = given->hash,
		.raw = send->body.transaction};
	uint64_t before = 0;
	enum cs_err err = gateway_journal_attempted(send->gateway->journal, &given->hash, &before);
	if (err != CS_ERR_NOT_FOUND)
		return err == CS_OK ? CS_ERR_CONFLICT : err;
	CS_TRY(gateway_journal_add_given(send->gateway->journal, &submission, &attempt));
	send->request.submission = submission.n;
	return CS_OK;
}

static const struct cs_address *paying(const struct send *send)
{
	return &send->chain->accounts[GATEWAY_ACCOUNT_OPERATOR].address;
}

static enum cs_err write_send(void *context)
{
	struct send *send = context;
	struct gateway_journal *journal = send->gateway->journal;
	for (size_t i = 0; send->body.sponsored && i < send->call_count; i++) {
		const struct prepared *call = &send->calls[i];
		struct gateway_submission submission = {.chain = send->chain->identity,
							.kind = GATEWAY_SPONSORED,
							.account = *paying(send),
							.to = call->to,
							.value = call->value,
							.gas_limit = call->gas_limit};
		CS_TRY(gateway_journal_add_submission(journal, &submission, call->data));
		send->request.submission = submission.n; /* the last one sends the message */
	}
	if (send->body.submitted)
		CS_TRY(write_given(send));
	CS_TRY(gateway_journal_add_request(journal, &send->request));
	if (send->key[0])
		CS_TRY(gateway_journal_remember(journal, send->key_name, send->key,
						&send->body_hash, send->status, send->answer));
	return CS_OK;
}

/* What became of it is seen when it is looked at again. */
static void first_sent(void *ctx, enum cs_err err, const char *why)
{
	(void)ctx;
	if (err != CS_OK)
		log_info("request.not_sent", LOG_ERR(err), LOG_TEXT("why", why));
}

static void send_committed(void *context, enum cs_err err)
{
	struct send *send = context;
	struct gateway *gateway = send->gateway;
	if (err != CS_OK) {
		send_fail(send, err, "the journal cannot be written");
		return;
	}
	log_info("request.taken", LOG_TEXT("request", send->request.id),
		 LOG_TEXT("mode", send->request.mode), LOG_TEXT("chain", send->chain->config->id),
		 LOG_TEXT("key", send->key_name), gateway_log_trace(&send->request.trace));
	if (send->body.submitted && adapter_send_raw(send->chain->adapter, send->body.transaction,
						     first_sent, NULL) != CS_OK)
		log_info("request.not_sent", LOG_TEXT("request", send->request.id));
	host_http_reply(send->exchange, send->status, "application/json",
			cs_bytes_str(send->answer));
	send_free(send);
	gateway_wake(gateway);
}

static void send_commit(struct send *send)
{
	enum cs_err err = make_answer(send);
	if (err == CS_OK)
		err = gateway_write_then(send->gateway, write_send, send, send_committed, send);
	if (err != CS_OK)
		send_fail(send, err,
			  err == CS_ERR_CONFLICT ? "transaction: it was given before" : NULL);
}

static void call_failed(struct send *send, enum cs_err err, const char *why, struct cs_bytes data);

/* An approval that is still to come, or money that is, may be all that is missing; a cap, a pause
 * or a closed route is not. */
static void rehearsed(void *ctx, enum cs_err err, const char *why, struct cs_bytes data)
{
	struct send *send = ctx;
	char text[ADAPTER_CONTRACT_ERROR_MAX];
	bool known = err == CS_ERR_REVERTED && adapter_contract_error(text, sizeof(text), data);
	bool may_change = err == CS_ERR_REVERTED ? !send->body.submitted && (send->needs_approval ||
									     !send->body.sponsored)
						 : !send->body.submitted && !send->body.sponsored;
	if (err == CS_OK || (may_change && !known))
		send_commit(send);
	else
		call_failed(send, err, why, data);
}

/* The transaction that a revert would cost the gas of; before it is made. */
static enum cs_err rehearse(struct send *send)
{
	const struct prepared *last = &send->calls[send->call_count - 1];
	return adapter_rehearse(send->chain->adapter, &send->from, &last->to, &last->value,
				last->data, rehearsed, send);
}

/* ---- what the application signed ---- */

/* All that it may cost: what no block takes otherwise. */
static bool can_pay(const struct adapter_account *account, const struct adapter_transaction *given)
{
	struct cs_u256 balance = cs_u256_from_word(&account->balance);
	struct cs_u256 value = cs_u256_from_word(&given->value);
	struct cs_u256 gas = cs_u256_u64(given->gas_limit);
	struct cs_u256 cost;
	return cs_u256_mul(&cost, &gas, &given->price) == CS_OK &&
	       cs_u256_add(&cost, &cost, &value) == CS_OK && cs_u256_cmp(&cost, &balance) <= 0;
}

static void given_account_done(void *ctx, enum cs_err err, const char *why,
			       const struct adapter_account *account)
{
	struct send *send = ctx;
	if (err != CS_OK)
		call_failed(send, err, why, CS_BYTES_NONE);
	else if (account->nonce > send->given.nonce)
		send_fail(send, CS_ERR_CONFLICT, "transaction: its nonce was used");
	else if (!can_pay(account, &send->given))
		send_fail(send, CS_ERR_NO_FUNDS,
			  "transaction: its account has less than it may cost");
	else if ((err = rehearse(send)) != CS_OK)
		send_fail(send, err, NULL);
}

/* The call that the body asks for, and no other, as it was signed. */
static void check_given(struct send *send)
{
	struct prepared *last = &send->calls[send->call_count - 1];
	uint64_t open = 0;
	if (!cs_address_eq(&last->to, &send->given.to) ||
	    !cs_bytes_eq(last->data, send->given.data)) {
		send_fail(send, CS_ERR_INVALID,
			  "transaction: it does not call what the body asks for");
		return;
	}
	enum cs_err err =
		gateway_journal_given_count(send->gateway->journal, &send->chain->identity, &open);
	if (err == CS_OK && open >= GATEWAY_SUBMITTED_MAX) {
		send_fail(send, CS_ERR_FULL, "as many transactions are under way as may be");
		return;
	}
	send->calls[0] = *last;
	send->calls[0].value = send->given.value;
	send->calls[0].gas_limit = send->given.gas_limit;
	send->call_count = 1;
	if (err == CS_OK)
		err = adapter_account(send->chain->adapter, &send->from, given_account_done, send);
	if (err != CS_OK)
		send_fail(send, err, NULL);
}

static void send_finish(struct send *send)
{
	uint8_t random[12];
	char hex[25];
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
		send_fail(send, CS_ERR_IO, "no randomness");
		return;
	}
	cs_hex(hex, CS_BYTES_OF(random));
	snprintf(send->request.id, sizeof(send->request.id), "r%s", hex);
	/* By its payload a prepared request is known again; a sponsored one by its transaction. */
	if (!send->body.sponsored && !send->body.submitted)
		send->request.payload = send->payload_hash;
	enum cs_err err = plan_calls(send);
	if (err == CS_OK && send->body.submitted) {
		check_given(send);
		return;
	}
	if (err == CS_OK && send->has_from)
		err = rehearse(send);
	else if (err == CS_OK)
		send_commit(send);
	if (err != CS_OK)
		send_fail(send, err, NULL);
}

/* ---- what the chain is asked, in order: quote, then for transfers mode, remote token, balance,
 * allowance ---- */

/* What the caller can mend or wait for. Anything else that a node complains of, a method or a limit
 * of its own, is no fault of the request. */
static enum cs_err callers_error(enum cs_err err)
{
	static const enum cs_err passed_on[] = {CS_ERR_REVERTED,    CS_ERR_NO_FUNDS, CS_ERR_RPC_LIE,
						CS_ERR_UNAVAILABLE, CS_ERR_TIMEOUT,  CS_ERR_CLOSED,
						CS_ERR_NO_MEMORY,   CS_ERR_FULL};
	for (size_t i = 0; i < CS_LEN(passed_on); i++)
		if (err == passed_on[i])
			return err;
	return CS_ERR_RPC;
}

static void call_failed(struct send *send, enum cs_err err, const char *why, struct cs_bytes data)
{
	char text[GATEWAY_WHY_MAX];
	char refusal[ADAPTER_CONTRACT_ERROR_MAX] = "";
	if (err == CS_ERR_REVERTED && data.n >= 4)
		(void)adapter_contract_refusal(refusal, data);
	if (err != CS_ERR_REVERTED || !adapter_contract_error(text, sizeof(text), data))
		snprintf(text, sizeof(text), "%s: %.80s%s%.80s", send->chain->config->id,
			 why ? why : "", refusal[0] ? ": " : "", refusal);
	send_fail(send, callers_error(err), text);
}

static void allowance_done(void *ctx, enum cs_err err, const char *why, struct cs_bytes data)
{
	struct send *send = ctx;
	struct cs_u256 allowance;
	if (err == CS_OK && data.n != 32)
		err = CS_ERR_RPC_LIE;
	if (err == CS_OK)
		err = cs_u256_from_bytes(&allowance, data);
	if (err != CS_OK) {
		call_failed(send, err, why, data);
		return;
	}
	send->needs_approval = cs_u256_cmp(&allowance, &send->body.amount) < 0;
	send_finish(send);
}

static void ask(struct send *send, const struct cs_address *to, struct cs_buf *buf,
		adapter_call_fn *done)
{
	enum cs_err err = cs_buf_end(buf);
	if (err == CS_OK)
		err = adapter_call(send->chain->adapter, send->has_from ? &send->from : NULL, to,
				   cs_buf_view(buf), done, send);
	if (err != CS_OK)
		send_fail(send, err, "the chain could not be asked");
}

static void ask_allowance(struct send *send)
{
	struct cs_buf buf;
	struct cs_abi abi;
	enum cs_err err = cs_buf_init_arena(&buf, send->arena, 128);
	if (err != CS_OK) {
		send_fail(send, err, NULL);
		return;
	}
	cs_abi_call(&abi, &buf, "allowance(address,address)");
	cs_abi_put_address(&abi, &send->from);
	cs_abi_put_address(&abi, &send->chain->own->bridge);
	ask(send, &send->body.token, &buf, allowance_done);
}

/* A transaction that is sure to fail would cost its sender the gas. */
static void balance_done(void *ctx, enum cs_err err, const char *why, struct cs_bytes data)
{
	struct send *send = ctx;
	struct cs_u256 balance;
	if (err == CS_OK && data.n != 32)
		err = CS_ERR_RPC_LIE;
	if (err == CS_OK)
		err = cs_u256_from_bytes(&balance, data);
	if (err != CS_OK)
		call_failed(send, err, why, data);
	else if (cs_u256_cmp(&balance, &send->body.amount) < 0)
		send_fail(send, CS_ERR_NO_FUNDS, "amount: more than the sender has of the token");
	else if (send->needs_approval)
		ask_allowance(send);
	else
		send_finish(send);
}

static void remote_token_done(void *ctx, enum cs_err err, const char *why, struct cs_bytes data)
{
	struct send *send = ctx;
	struct cs_buf buf;
	struct cs_address assets;
	struct cs_interop account;
	struct cs_hash remote;
	if (err == CS_OK && data.n != 32)
		err = CS_ERR_RPC_LIE;
	if (err == CS_OK)
		err = cs_interop_decode(&account, send->body.recipient);
	if (err == CS_OK)
		err = cs_buf_init_arena(&buf, send->arena, 256);
	if (err != CS_OK) {
		call_failed(send, err, why, data);
		return;
	}
	memcpy(remote.b, data.p, 32);
	/* The payload that the bridge will send: tag, token there, amount, recipient. */
	const struct cs_hash words[] = {*wire_tag(WIRE_TAG_TRANSFER), remote,
					cs_u256_word(&send->body.amount),
					wire_word(account.address)};
	send->payload_hash = cs_keccak256(cs_bytes(words, sizeof(words)));
	if (!send->has_from) {
		send_finish(send);
		return;
	}
	adapter_put_balance_of(send->chain->adapter, &buf, &assets, &send->body.token, &send->from);
	ask(send, &assets, &buf, balance_done);
}

/* ERC-7930 of the chain alone: what remoteTokenOf wants. */
static void ask_remote_token(struct send *send)
{
	struct cs_buf buf;
	struct cs_buf chain;
	struct cs_abi abi;
	struct cs_interop account;
	enum cs_err err = cs_interop_decode(&account, send->body.recipient);
	account.address = CS_BYTES_NONE;
	if (err == CS_OK)
		err = cs_buf_init_arena(&chain, send->arena, CS_INTEROP_SIZE_MAX);
	if (err == CS_OK)
		err = cs_buf_init_arena(&buf, send->arena, 512);
	if (err != CS_OK) {
		send_fail(send, err, NULL);
		return;
	}
	cs_interop_encode(&chain, &account);
	cs_abi_call(&abi, &buf, "remoteTokenOf(address,bytes)");
	cs_abi_put_address(&abi, &send->body.token);
	cs_abi_put_bytes(&abi, cs_abi_slot(&abi), cs_buf_view(&chain));
	ask(send, &send->chain->own->bridge, &buf, remote_token_done);
}

static void token_done(void *ctx, enum cs_err err, const char *why, struct cs_bytes data)
{
	struct send *send = ctx;
	if (err == CS_OK && data.n < 32)
		err = CS_ERR_RPC_LIE;
	if (err != CS_OK) {
		call_failed(send, err, why, data);
		return;
	}
	/* Modes of the bridge: 0 not known, 1 locked here, 2 minted here. Only what is locked is
	 * taken by allowance. */
	if (data.p[31] == 0) {
		send_fail(send, CS_ERR_NOT_FOUND, "token: the bridge does not know it");
		return;
	}
	send->needs_approval = data.p[31] == 1 && adapter_has_allowances(send->chain->adapter);
	ask_remote_token(send);
}

/* The fee is known. */
static void quoted(struct send *send)
{
	struct cs_buf buf;
	struct cs_abi abi;
	if (!send->body.transfer) {
		send_finish(send);
		return;
	}
	enum cs_err err = cs_buf_init_arena(&buf, send->arena, 128);
	if (err != CS_OK) {
		send_fail(send, err, NULL);
		return;
	}
	cs_abi_call(&abi, &buf, "tokens(address)");
	cs_abi_put_address(&abi, &send->body.token);
	ask(send, &send->chain->own->bridge, &buf, token_done);
}

static struct quote *quote_of(const struct cs_hash *question)
{
	return &quotes[question->b[0] % QUOTES];
}

static bool quote_is_known(const struct send *send, struct cs_u256 *fee)
{
	const struct quote *quote = quote_of(&send->question);
	if (!cs_hash_eq(&quote->question, &send->question) || quote->height != send->asked_at ||
	    host_now_ms() - quote->time_ms > QUOTE_KEPT_MS)
		return false;
	*fee = quote->fee;
	return true;
}

static void quote_done(void *ctx, enum cs_err err, const char *why, struct cs_bytes data)
{
	struct send *send = ctx;
	if (err == CS_OK && data.n != 32)
		err = CS_ERR_RPC_LIE;
	if (err == CS_OK)
		err = cs_u256_from_bytes(&send->fee, data);
	if (err != CS_OK) {
		call_failed(send, err, why, data);
		return;
	}
	*quote_of(&send->question) = (struct quote){.question = send->question,
						    .height = send->asked_at,
						    .time_ms = host_now_ms(),
						    .fee = send->fee};
	quoted(send);
}

static void ask_quote(struct send *send)
{
	struct cs_buf buf;
	enum cs_err err = gateway_send_quote(&buf, &send->body, send->arena);
	if (err != CS_OK) {
		send_fail(send, err, NULL);
		return;
	}
	const struct cs_address *to =
		send->body.transfer ? &send->chain->own->bridge : &send->chain->manifest->gateway;
	struct cs_keccak keccak;
	cs_keccak_init(&keccak);
	cs_keccak_add(&keccak, CS_BYTES_OF(send->chain->identity.b));
	cs_keccak_add(&keccak, CS_BYTES_OF(to->b));
	cs_keccak_add(&keccak, CS_BYTES_OF(send->from.b)); /* a contract may look at who asks */
	cs_keccak_add(&keccak, cs_buf_view(&buf));
	send->question = cs_keccak_end(&keccak);
	send->asked_at = send->chain->follow.head_height;
	if (quote_is_known(send, &send->fee))
		quoted(send);
	else
		ask(send, to, &buf, quote_done);
}

/* ---- beginning ---- */

/* The first request with this key is not answered yet: the chain is being asked, or it is being
 * written. Its caller may have been told 504. */
static enum cs_err look_under_way(const struct send *send)
{
	for (const struct send *other = under_way; other; other = other->next)
		if (strcmp(other->key_name, send->key_name) == 0 &&
		    strcmp(other->key, send->key) == 0)
			return cs_hash_eq(&other->body_hash, &send->body_hash) ? CS_ERR_IN_PROGRESS
									       : CS_ERR_CONFLICT;
	return CS_OK;
}

static void refuse_again(struct send *send, enum cs_err err)
{
	if (err == CS_ERR_IN_PROGRESS)
		host_http_reply_header(send->exchange, "Retry-After", "1");
	send_fail(send, err,
		  err == CS_ERR_CONFLICT      ? "Idempotency-Key: was used with another request"
		  : err == CS_ERR_IN_PROGRESS ? "Idempotency-Key: its request is being answered"
					      : NULL);
}

/* True: it was answered before, or refused. */
static bool answered_before(struct send *send)
{
	const char *key = host_http_request_header(send->exchange, "Idempotency-Key");
	const struct host_api_key *caller = host_http_key(send->exchange);
	const char *text = NULL;
	int status = 0;
	snprintf(send->key_name, sizeof(send->key_name), "%s", caller ? caller->name : "");
	if (!key)
		return false;
	if (key[0] == 0 || strlen(key) > IDEMPOTENCY_KEY_MAX) {
		send_fail(send, CS_ERR_INVALID, "Idempotency-Key: 1 to 128 characters");
		return true;
	}
	snprintf(send->key, sizeof(send->key), "%s", key);
	struct cs_keccak keccak;
	cs_keccak_init(&keccak);
	cs_keccak_add(&keccak, cs_bytes_str(host_http_path(send->exchange)));
	cs_keccak_add(&keccak, host_http_body(send->exchange));
	send->body_hash = cs_keccak_end(&keccak);
	enum cs_err err = look_under_way(send);
	if (err == CS_OK)
		err = gateway_journal_idempotent(send->gateway->journal, send->key_name, send->key,
						 &send->body_hash, send->arena, &status, &text);
	if (err == CS_ERR_NOT_FOUND) {
		send->next = under_way;
		under_way = send;
		return false;
	}
	if (err != CS_OK) {
		refuse_again(send, err);
		return true;
	}
	host_http_reply_header(send->exchange, "Idempotent-Replayed", "true");
	host_http_reply(send->exchange, status, "application/json", cs_bytes_str(text));
	send_free(send);
	return true;
}

static bool may_sponsor(const struct host_http_exchange *exchange)
{
	const struct host_api_key *key = host_http_key(exchange);
	return key && (key->scopes & GATEWAY_SCOPE_SPONSOR) != 0;
}

/* What no chain takes, or another one, is signed by nobody here. */
static enum cs_err take_given(struct send *send, struct cs_why *why)
{
	struct cs_why inner = {{0}};
	enum cs_err err =
		adapter_read_transaction(send->chain->adapter, &send->given, send->gateway->sig,
					 send->body.transaction, &inner);
	if (err == CS_OK) {
		send->from = send->given.from;
		return CS_OK;
	}
	if (err != CS_ERR_UNSUPPORTED)
		err = CS_ERR_BAD_SIGNATURE;
	return cs_fail(why, err, "transaction: %.180s", inner.text);
}

static enum cs_err take_body(struct send *send, struct cs_why *why)
{
	const struct gateway_send_body *body = &send->body;
	send->chain = gateway_chain_of(send->gateway, &body->chain->common.manifest->identity);
	send->request.chain = send->chain->identity;
	snprintf(send->request.mode, sizeof(send->request.mode), "%s",
		 body->sponsored   ? "sponsored"
		 : body->submitted ? "submit"
				   : "prepare");
	send->has_from = body->sponsored || body->submitted || body->has_from;
	send->from = body->sponsored ? *paying(send) : body->from;
	if (!send->body.transfer)
		send->payload_hash = cs_keccak256(body->payload);
	return body->submitted ? take_given(send, why) : CS_OK;
}

/* What would only wait is not begun. */
static const struct gateway_pause *paused(const struct send *send)
{
	struct cs_account to;
	if (cs_interop_account(&to, send->body.recipient) != CS_OK)
		return NULL;
	return gateway_paused_between(send->gateway, send->chain->config->id, to.caip2, false);
}

static void begin(struct gateway *gateway, struct host_http_exchange *exchange, bool transfer)
{
	struct cs_why why = {{0}};
	char text[GATEWAY_WHY_MAX * 2];
	json_t *json = NULL;
	struct send *send = host_alloc(sizeof(*send));
	send->gateway = gateway;
	send->exchange = exchange;
	send->arena = gateway_arena_new();
	host_http_request_trace(exchange, &send->request.trace);
	const struct gateway_send_terms terms = {.config = &gateway->config,
						 .transfer = transfer,
						 .may_sponsor = may_sponsor(exchange)};
	enum cs_err err = host_http_body_json(exchange, &json, &why);
	if (err == CS_OK)
		err = gateway_send_body_read(&send->body, &terms, json, send->arena, &why);
	json_decref(json);
	if (err == CS_OK)
		err = take_body(send, &why);
	if (err != CS_OK) {
		send_fail(send, err, why.text);
		return;
	}
	if (answered_before(send))
		return;
	const struct gateway_pause *pause = paused(send);
	if (gateway->drain.is_on)
		send_fail(send, CS_ERR_UNAVAILABLE, "it is drained before a stop");
	else if (pause)
		send_fail(send, CS_ERR_PAUSED, gateway_paused_why(pause, text, sizeof(text)));
	else
		ask_quote(send);
}

static void post_message(void *context, struct host_http_exchange *exchange)
{
	begin(context, exchange, false);
}

static void post_transfer(void *context, struct host_http_exchange *exchange)
{
	begin(context, exchange, true);
}

void gateway_api_send_routes(struct gateway *gateway)
{
	host_http_server_route(gateway->server, "POST", "/v1/messages?", GATEWAY_SCOPE_SEND,
			       post_message, gateway);
	host_http_server_route(gateway->server, "POST", "/v1/transfers?", GATEWAY_SCOPE_SEND,
			       post_transfer, gateway);
}
