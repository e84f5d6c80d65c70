/* GET /v1/messages…, and the operator's verbs on one message. */
#include "core/abi.h"
#include "gateway/answers.h"
#include "gateway/operator.h"
#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

/* What keyOf returns. */
#define KEY_WORDS 5u

/* CAIP-10 of an account of a namespace that we know, hex of anything else. */
static json_t *account_json(struct cs_bytes account)
{
	struct cs_account known;
	char text[CS_CAIP10_SIZE_MAX + 1];
	if (cs_interop_account(&known, account) != CS_OK)
		return host_json_hex(account);
	cs_caip10_write(text, &known);
	return json_string(text);
}

static json_t *hash_or_null(const struct cs_hash *hash)
{
	return cs_hash_is_zero(hash) ? json_null() : host_json_hash(hash);
}

/* As it was given: the address in the word, where the chain has addresses of 20 bytes. */
static json_t *word_or_null(const struct cs_hash *word)
{
	static const uint8_t zeros[12];
	if (cs_hash_is_zero(word))
		return json_null();
	return memcmp(word->b, zeros, sizeof(zeros)) == 0
		       ? host_json_hex(cs_bytes(word->b + sizeof(zeros), 20))
		       : host_json_hash(word);
}

static json_t *number_or_null(uint64_t value)
{
	return value ? host_json_u64(value) : json_null();
}

static json_t *place_json(uint64_t height, const struct cs_hash *tx, uint64_t time_s)
{
	json_t *json = json_object();
	json_object_set_new(json, "block", number_or_null(height));
	json_object_set_new(json, "tx", hash_or_null(tx));
	json_object_set_new(json, "time_s", number_or_null(time_s));
	return json;
}

static void set_content(struct gateway *gateway, json_t *json,
			const struct gateway_message *message)
{
	struct wire_message content;
	size_t mark = cs_arena_mark(&gateway->scratch);
	if (gateway_journal_content(gateway->journal, message, &gateway->scratch, &content) ==
	    CS_OK) {
		json_object_set_new(json, "sender", account_json(content.sender));
		json_object_set_new(json, "recipient", account_json(content.recipient));
		json_object_set_new(json, "payload", host_json_hex(content.payload));
	}
	cs_arena_rewind(&gateway->scratch, mark);
}

static void set_gas(struct gateway *gateway, json_t *json, const struct gateway_message *message)
{
	struct gateway_submission submission;
	size_t mark = cs_arena_mark(&gateway->scratch);
	if (message->submission != 0 &&
	    gateway_journal_submission(gateway->journal, message->submission, &submission,
				       &gateway->scratch, NULL) == CS_OK) {
		json_t *sub = json_object();
		json_object_set_new(sub, "tx", hash_or_null(&submission.hash));
		json_object_set_new(sub, "nonce", host_json_u64(submission.nonce));
		json_object_set_new(sub, "messages", host_json_u64(submission.count));
		json_object_set_new(json, "submission", sub);
	}
	cs_arena_rewind(&gateway->scratch, mark);
}

/* Why it does not go on: the pause that holds it, the account that cannot pay for it, or what failed last. */
static json_t *why_json(struct gateway *gateway, const struct gateway_message *m)
{
	bool source = m->side == RELAY_SOURCE;
	bool waits = source ? m->state == RELAY_FINAL : m->state == RELAY_SIGNED;
	const struct gateway_pause *pause = NULL;
	char text[2 * GATEWAY_WHY_MAX];
	if (waits)
		pause = gateway_paused_between(
			gateway, gateway_caip2(gateway, source ? &m->chain : &m->remote),
			gateway_caip2(gateway, source ? &m->remote : &m->chain), false);
	if (pause)
		return json_string(gateway_paused_why(pause, text, sizeof(text)));
	if (gateway_unpaid_why(gateway, m, text, sizeof(text)))
		return json_string(text);
	return m->why[0] ? json_string(m->why) : json_null();
}

static void set_trace(json_t *json, const struct host_trace *trace)
{
	if (trace->parent[0])
		json_object_set_new(json, "traceparent", json_string(trace->parent));
	if (trace->state[0])
		json_object_set_new(json, "tracestate", json_string(trace->state));
}

json_t *gateway_json_row(struct gateway *gateway, const struct gateway_message *m, bool with_steps)
{
	struct host_trace trace;
	bool source = m->side == RELAY_SOURCE;
	const struct cs_hash *from = source ? &m->chain : &m->remote;
	const struct cs_hash *to = source ? &m->remote : &m->chain;
	json_t *json = json_object();
	json_object_set_new(json, "id", host_json_hash(&m->id));
	json_object_set_new(json, "side", json_string(source ? "source" : "destination"));
	json_object_set_new(json, "state", json_string(relay_state_name(m->state)));
	json_object_set_new(json, "ended", json_boolean(relay_ends(m->state)));
	json_object_set_new(json, "from_chain", json_string(gateway_caip2(gateway, from)));
	json_object_set_new(json, "to_chain", json_string(gateway_caip2(gateway, to)));
	json_object_set_new(json, "source", host_json_hash(from));
	json_object_set_new(json, "destination", host_json_hash(to));
	json_object_set_new(json, "sequence", host_json_u64(m->sequence));
	json_object_set_new(json, "deadline", host_json_u64(m->deadline));
	json_object_set_new(json, "min_gas_limit", host_json_u64(m->min_gas_limit));
	json_object_set_new(json, "finality", host_json_u64(m->finality));
	json_object_set_new(json, "closer", word_or_null(&m->closer));
	json_object_set_new(json, "refund_to", word_or_null(&m->refund_to));
	set_content(gateway, json, m);
	json_object_set_new(json, "sent", place_json(m->height, &m->tx, m->time_s));
	json_object_set_new(json, "status", json_string(relay_status_name(m->status)));
	json_object_set_new(json, "executed",
			    place_json(m->status_height, &m->status_tx, m->status_time_s));
	json_object_set_new(json, "outcome",
			    m->outcome ? json_string(relay_status_name(m->outcome)) : json_null());
	json_object_set_new(json, "finalization",
			    place_json(m->end_height, &m->end_tx, m->end_time_s));
	json_object_set_new(json, "tries", host_json_u64(m->tries));
	json_object_set_new(json, "why", why_json(gateway, m));
	json_object_set_new(json, "stopped", json_boolean(gateway_is_stopped(m)));
	json_object_set_new(json, "created_ms", host_json_u64(m->created_ms));
	json_object_set_new(json, "updated_ms", host_json_u64(m->updated_ms));
	struct gateway_request request;
	if (m->request != 0 &&
	    gateway_journal_request_row(gateway->journal, m->request, &request) == CS_OK)
		json_object_set_new(json, "request_id", json_string(request.id));
	gateway_journal_trace(gateway->journal, m->n, &trace);
	set_trace(json, &trace);
	if (with_steps) {
		set_gas(gateway, json, m);
		json_object_set_new(json, "steps", gateway_json_steps(gateway, m));
	}
	return json;
}

/* ---- finding ---- */

static void set_failure(struct gateway *gateway, json_t *json,
			const struct gateway_submission *submission)
{
	char why[GATEWAY_WHY_MAX + 1] = "";
	char plain[GATEWAY_WHY_MAX + 1];
	char text[GATEWAY_WHY_MAX + 64] = "its transaction reverted";
	if (submission->state == GATEWAY_SUBMISSION_FAILED) {
		if (gateway_journal_submission_why(gateway->journal, submission->n, why) != CS_OK)
			why[0] = 0;
		host_plain_text(plain, sizeof(plain), why, sizeof(why));
		snprintf(text, sizeof(text), "its transaction could not be sent%s%s",
			 plain[0] ? ": " : "", plain);
	}
	json_object_set_new(json, "state", json_string("request_failed"));
	json_object_set_new(json, "ended", json_true());
	json_object_set_new(json, "why", json_string(text));
}

static void set_why(struct gateway *gateway, json_t *json,
		    const struct gateway_submission *submission)
{
	char why[GATEWAY_WHY_MAX + 1] = "";
	char plain[GATEWAY_WHY_MAX + 1];
	if (gateway_journal_submission_why(gateway->journal, submission->n, why) != CS_OK)
		why[0] = 0;
	host_plain_text(plain, sizeof(plain), why, sizeof(why));
	if (plain[0])
		json_object_set_new(json, "why", json_string(plain));
}

/* It is not asked for again: it may have happened. */
static void set_unknown(struct gateway *gateway, json_t *json,
			const struct gateway_submission *submission)
{
	json_object_set_new(json, "state", json_string("request_unknown"));
	json_object_set_new(json, "why", json_string(""));
	set_why(gateway, json, submission);
}

/* What is written down and did not go out. */
static void set_waits(struct gateway *gateway, json_t *json,
		      const struct gateway_submission *submission)
{
	const struct gateway_chain *chain = gateway_chain_of(gateway, &submission->chain);
	char text[2 * GATEWAY_WHY_MAX];
	if (chain && gateway_sponsored_why(chain, submission->n, text, sizeof(text)))
		json_object_set_new(json, "why", json_string(text));
}

static void reply_request(struct gateway *gateway, struct host_http_exchange *exchange,
			  const struct gateway_request *request)
{
	json_t *json = json_object();
	struct gateway_submission submission;
	json_object_set_new(json, "id", json_null());
	json_object_set_new(json, "request_id", json_string(request->id));
	json_object_set_new(json, "mode", json_string(request->mode));
	json_object_set_new(json, "from_chain",
			    json_string(gateway_caip2(gateway, &request->chain)));
	json_object_set_new(json, "state", json_string("requested"));
	json_object_set_new(json, "ended", json_false());
	json_object_set_new(json, "created_ms", host_json_u64(request->created_ms));
	set_trace(json, &request->trace);
	size_t mark = cs_arena_mark(&gateway->scratch);
	if (request->submission != 0 &&
	    gateway_journal_submission(gateway->journal, request->submission, &submission,
				       &gateway->scratch, NULL) == CS_OK) {
		bool failed =
			submission.state == GATEWAY_SUBMISSION_FAILED ||
			(submission.state == GATEWAY_SUBMISSION_SETTLED && !submission.succeeded);
		if (failed)
			set_failure(gateway, json, &submission);
		if (submission.state == GATEWAY_SUBMISSION_UNKNOWN ||
		    submission.state == GATEWAY_SUBMISSION_LOST)
			set_unknown(gateway, json, &submission);
		if (submission.state == GATEWAY_SUBMISSION_GIVEN)
			set_why(gateway, json, &submission);
		if (submission.state == GATEWAY_SUBMISSION_OPEN)
			set_waits(gateway, json, &submission);
		json_object_set_new(json, "tx", hash_or_null(&submission.hash));
	}
	cs_arena_rewind(&gateway->scratch, mark);
	host_http_reply_json(exchange, 200, json);
}

/* The message of {id}: 0x and 64 digits, or a request's id; by side when both are here the
 * source's. Answers itself and returns false when there is none; a request that is no message yet
 * is shown, or refused to who wants the message alone. */
static bool find(struct gateway *gateway, struct host_http_exchange *exchange, bool shows_requests,
		 struct gateway_message *message)
{
	const char *text = host_http_param(exchange, "id");
	const char *side = host_http_query(exchange, "side");
	struct gateway_request request;
	struct cs_hash id;
	enum cs_err err = CS_ERR_NOT_FOUND;
	if (side && strcmp(side, "source") != 0 && strcmp(side, "destination") != 0) {
		host_http_reply_problem(exchange, CS_ERR_INVALID,
					"side: neither source nor destination");
		return false;
	}
	if (text[0] == 'r' && gateway_journal_request(gateway->journal, text, &request) == CS_OK) {
		if (request.message == 0 && shows_requests) {
			reply_request(gateway, exchange, &request);
			return false;
		}
		if (request.message == 0) {
			host_http_reply_problem(exchange, CS_ERR_NOT_FINAL,
						"the request is no message yet");
			return false;
		}
		err = gateway_journal_row(gateway->journal, request.message, message);
	} else if (text[0] == '0' && strlen(text) == 66 &&
		   cs_unhex(id.b, sizeof(id.b), cs_bytes_str(text)) == CS_OK) {
		if (!side || strcmp(side, "destination") != 0)
			err = gateway_journal_find(gateway->journal, &id, RELAY_SOURCE, message);
		if (err == CS_ERR_NOT_FOUND && (!side || strcmp(side, "source") != 0))
			err = gateway_journal_find(gateway->journal, &id, RELAY_DESTINATION,
						   message);
	} else if (text[0] != 'r') {
		host_http_reply_problem(exchange, CS_ERR_MALFORMED,
					"id: neither 0x and 64 hex digits nor a request's id");
		return false;
	}
	if (err == CS_OK)
		return true;
	host_http_reply_problem(exchange, err, "no such message here");
	return false;
}

static void get_message(void *context, struct host_http_exchange *exchange)
{
	struct gateway *gateway = context;
	struct gateway_message message;
	const char *id = host_http_param(exchange, "id");
	const char *side = host_http_query(exchange, "side");
	struct cs_hash hash;
	if (id[0] == '0' && cs_unhex(hash.b, sizeof(hash.b), cs_bytes_str(id)) == CS_OK) {
		const struct cs_hash *sha256 = NULL;
		struct cs_bytes kept = gateway_answer(gateway, &hash, side, &sha256);
		if (kept.n > 0) {
			host_http_reply_hashed(exchange, kept, sha256);
			return;
		}
	}
	if (!find(gateway, exchange, true, &message))
		return;
	char *text = host_json_text(gateway_json_row(gateway, &message, true));
	/* Without the enclave it names no key of ours. */
	if (gateway->enclave_ready)
		gateway_answer_keep(gateway, &message, side, cs_bytes_str(text));
	host_http_reply(exchange, 200, "application/json", cs_bytes_str(text));
	free(text);
}

/* ---- the envelope: what anybody needs to deliver or to verify it ---- */

/* The destination's row, or ours as the source. *remote_epoch: of the other gateway's key that
 * signed a part of it, 0 when it signed none. */
static enum cs_err envelope_json(struct gateway *gateway, const struct gateway_message *message,
				 json_t **out, uint64_t *remote_epoch)
{
	uint64_t epoch = 0;
	struct gateway_statement statement;
	struct wire_message content;
	struct wire_signed part;
	if (message->statement == 0)
		return CS_ERR_NOT_FINAL;
	CS_TRY(gateway_journal_statement(gateway->journal, message->statement, &statement));
	if (message->side == RELAY_DESTINATION)
		epoch = statement.statement.epoch;
	size_t mark = cs_arena_mark(&gateway->scratch);
	enum cs_err err =
		gateway_journal_content(gateway->journal, message, &gateway->scratch, &content);
	json_t *json = json_object();
	if (err == CS_OK) {
		gateway_part_signed(&part, &statement, message->leaf, 1);
		json_object_set_new(json, "statement", gateway_json_statement(&statement, &part));
		json_object_set_new(json, "message", gateway_json_message(&content, &message->id));
	}
	cs_arena_rewind(&gateway->scratch, mark);
	if (err == CS_OK && message->outcome_statement != 0) {
		err = gateway_journal_statement(gateway->journal, message->outcome_statement,
						&statement);
		if (err == CS_OK) {
			if (message->side == RELAY_SOURCE)
				epoch = statement.statement.epoch;
			gateway_part_signed(&part, &statement, message->outcome_leaf, 1);
			json_object_set_new(json, "outcome_statement",
					    gateway_json_statement(&statement, &part));
			json_object_set_new(json, "outcome", host_json_u64(message->outcome));
		}
	}
	if (err != CS_OK) {
		json_decref(json);
		return err;
	}
	json_object_set_new(json, "keys", gateway_json_keys(gateway));
	*out = json;
	*remote_epoch = epoch;
	return CS_OK;
}

struct envelope {
	struct gateway *gateway;
	struct host_http_exchange *exchange;
	json_t *json;
	struct cs_hash remote;
	uint64_t epoch;
};

/* Key (x, state, notBefore, notAfter) and its namers. An envelope without it is still worth having. */
static void key_done(void *ctx, enum cs_err err, const char *why, struct cs_bytes data)
{
	struct envelope *envelope = ctx;
	struct cs_abi_reader reader;
	struct cs_hash x = {{0}};
	if (err == CS_OK)
		err = cs_abi_read(&reader, data, KEY_WORDS);
	if (err == CS_OK)
		err = cs_abi_get_word(&reader, &x);
	if (err != CS_OK)
		log_warn("envelope.no_key", LOG_HASH("remote", &envelope->remote), LOG_ERR(err),
			 LOG_TEXT("why", why ? why : ""));
	if (!cs_hash_is_zero(&x)) {
		json_t *key = json_object();
		json_object_set_new(
			key, "chain",
			json_string(gateway_caip2(envelope->gateway, &envelope->remote)));
		json_object_set_new(key, "identity", host_json_hash(&envelope->remote));
		json_object_set_new(key, "epoch", host_json_u64(envelope->epoch));
		json_object_set_new(key, "public_key", host_json_hash(&x));
		json_array_append_new(json_object_get(envelope->json, "keys"), key);
	}
	host_http_reply_json(envelope->exchange, 200, envelope->json);
	free(envelope);
}

/* The other gateway's key is what our contract names. */
static enum cs_err ask_key(struct envelope *envelope, struct gateway_chain *chain)
{
	struct cs_arena *arena = &envelope->gateway->scratch;
	struct cs_buf buf;
	struct cs_abi abi;
	size_t mark = cs_arena_mark(arena);
	enum cs_err err = cs_buf_init_arena(&buf, arena, 128);
	if (err == CS_OK) {
		cs_abi_call(&abi, &buf, "keyOf(bytes32,uint64)");
		cs_abi_put_word(&abi, &envelope->remote);
		cs_abi_put_u64(&abi, envelope->epoch);
		err = cs_buf_end(&buf);
	}
	if (err == CS_OK)
		err = adapter_call(chain->adapter, NULL, &chain->manifest->gateway,
				   cs_buf_view(&buf), key_done, envelope);
	cs_arena_rewind(arena, mark);
	return err;
}

static void get_envelope(void *context, struct host_http_exchange *exchange)
{
	struct gateway *gateway = context;
	struct gateway_message message;
	json_t *json = NULL;
	uint64_t epoch = 0;
	if (!find(gateway, exchange, false, &message))
		return;
	enum cs_err err = envelope_json(gateway, &message, &json, &epoch);
	if (err != CS_OK) {
		host_http_reply_problem(exchange, err, "the message is not signed yet");
		return;
	}
	struct gateway_chain *chain = gateway_chain_of(gateway, &message.chain);
	if (epoch == 0 || !chain) {
		host_http_reply_json(exchange, 200, json);
		return;
	}
	struct envelope *envelope = host_alloc(sizeof(*envelope));
	*envelope = (struct envelope){gateway, exchange, json, message.remote, epoch};
	err = ask_key(envelope, chain);
	if (err != CS_OK)
		key_done(envelope, err, NULL, CS_BYTES_NONE);
}

/* ---- verbs ---- */

struct verb {
	struct gateway *gateway;
	struct host_http_exchange *exchange;
	struct gateway_message message;
	uint64_t gas; /* of a retry; 0: what the node estimates */
	char who[HOST_API_KEY_NAME_MAX + 1];
};

static enum cs_err write_wish(struct verb *verb)
{
	struct gateway_message *row = &verb->message;
	char id[2 * sizeof(row->id.b) + 1];
	const bool is_called = row->state == RELAY_FAILED && !gateway_is_late(row);
	row->wish_retry = !is_called ? 0 : verb->gas ? verb->gas : 1;
	if (row->wish_retry)
		row->tries = 0;
	row->next_ms = host_wall_ms();
	CS_TRY(gateway_journal_save(verb->gateway->journal, row));
	if (verb->gas == 0)
		return CS_OK;
	cs_hex(id, CS_BYTES_OF(row->id.b));
	return gateway_operator_told(verb->gateway, "operator.retry", verb->who, "0x%s: %llu gas",
				     id, (unsigned long long)verb->gas);
}

static enum cs_err write_retry(void *context)
{
	struct verb *verb = context;
	struct gateway *gateway = verb->gateway;
	if (verb->message.side == RELAY_DESTINATION)
		return write_wish(verb);
	struct gateway_chain *chain = gateway_chain_of(gateway, &verb->message.chain);
	struct gateway_route *route = chain ? gateway_route_of(chain, &verb->message.remote) : NULL;
	return route ? gateway_post_item(route, GATEWAY_ITEM_RETRY, verb->message.n)
		     : CS_ERR_CONFLICT;
}

static void retry_committed(void *context, enum cs_err err)
{
	struct verb *verb = context;
	if (err != CS_OK)
		host_http_reply_problem(verb->exchange, err, NULL);
	else
		host_http_reply_json(verb->exchange, 202,
				     gateway_json_row(verb->gateway, &verb->message, false));
	gateway_wake(verb->gateway);
	free(verb);
}

/* Nothing, {} or {"gas": N}. */
static enum cs_err read_gas(const struct host_http_exchange *exchange, uint64_t *gas,
			    struct cs_why *why)
{
	static const char *const names[] = {"gas", NULL};
	json_t *body = NULL;
	*gas = 0;
	if (host_http_body(exchange).n == 0)
		return CS_OK;
	CS_TRY(host_http_body_json(exchange, &body, why));
	enum cs_err err = host_json_known(body, names, "body", why);
	bool given = json_object_get(body, "gas") != NULL;
	if (err == CS_OK && given)
		err = host_json_read_u64(body, "gas", gas, why);
	json_decref(body);
	if (err == CS_OK && given && *gas < GATEWAY_GAS_BASE)
		err = cs_fail(why, CS_ERR_INVALID, "gas: below %u", GATEWAY_GAS_BASE);
	return err;
}

/* Gas is paid for where the message is called: there, and up to what one transaction may have. */
static enum cs_err check_gas(struct gateway *gateway, const struct gateway_message *message,
			     uint64_t gas, struct cs_why *why)
{
	const struct gateway_chain *chain = gateway_chain_of(gateway, &message->chain);
	if (gas == 0)
		return CS_OK;
	if (message->side != RELAY_DESTINATION || message->state != RELAY_FAILED || !chain ||
	    gateway_is_late(message))
		return cs_fail(why, CS_ERR_CONFLICT,
			       "gas is for a failed message before its deadline, at its "
			       "destination's gateway");
	if (gas > gateway_gas_max(chain))
		return cs_fail(why, CS_ERR_POLICY_FEE, "gas: at most %llu in one transaction",
			       (unsigned long long)gateway_gas_max(chain));
	return CS_OK;
}

static void begin_retry(struct gateway *gateway, struct host_http_exchange *exchange,
			const struct gateway_message *message, uint64_t gas)
{
	struct verb *verb = host_alloc(sizeof(*verb));
	*verb = (struct verb){
		.gateway = gateway, .exchange = exchange, .message = *message, .gas = gas};
	(void)snprintf(verb->who, sizeof(verb->who), "%s", gateway_operator_of(exchange));
	enum cs_err err = gateway_write_then(gateway, write_retry, verb, retry_committed, verb);
	if (err != CS_OK) {
		host_http_reply_problem(exchange, err, NULL);
		free(verb);
	}
}

static void post_retry(void *context, struct host_http_exchange *exchange)
{
	struct gateway *gateway = context;
	struct gateway_message message;
	struct cs_why why = {{0}};
	uint64_t gas = 0;
	enum cs_err err = read_gas(exchange, &gas, &why);
	if (err != CS_OK) {
		gateway_problem(exchange, err, &why);
		return;
	}
	if (!find(gateway, exchange, false, &message))
		return;
	if (!gateway_may_retry(&message)) {
		host_http_reply_problem(exchange, CS_ERR_CONFLICT,
					"only a failed message is retried, or one that is signed "
					"and past its deadline");
		return;
	}
	err = check_gas(gateway, &message, gas, &why);
	if (err != CS_OK) {
		gateway_problem(exchange, err, &why);
		return;
	}
	begin_retry(gateway, exchange, &message, gas);
}

/* Before its deadline nothing proves that it was not delivered: who has the envelope may still do it. */
static enum cs_err refuse_early(const struct gateway_message *message, struct cs_why *why)
{
	const unsigned long long deadline = message->deadline;
	if (message->state != RELAY_FAILED)
		return cs_fail(why, CS_ERR_CONFLICT,
			       "until its deadline (%llu) anybody may deliver it, and nothing "
			       "proves that nobody does",
			       deadline);
	if (cs_hash_is_zero(&message->closer))
		return cs_fail(why, CS_ERR_CONFLICT,
			       "until its deadline (%llu) anybody may retry what failed, and it "
			       "has no closer",
			       deadline);
	return cs_fail(why, CS_ERR_CONFLICT,
		       "until its deadline (%llu) its closer alone gives up what failed: close",
		       deadline);
}

/* What is left to ask for is the proof that it was not delivered. */
static enum cs_err check_abandon(const struct gateway_message *message, struct cs_why *why)
{
	if (relay_ends(message->state))
		return cs_fail(why, CS_ERR_CONFLICT, "it has ended: %s",
			       relay_state_name(message->state));
	const bool is_decided =
		message->state == RELAY_INCLUDED || message->state == RELAY_OUTCOME_FINAL ||
		message->state == RELAY_OUTCOME_VERIFIED || message->state == RELAY_REFUNDING;
	if (is_decided)
		return cs_fail(
			why, CS_ERR_CONFLICT, "its destination has decided: %s",
			relay_status_name(message->outcome ? message->outcome : message->status));
	if (!gateway_is_late(message))
		return refuse_early(message, why);
	if (message->state == RELAY_SUBMITTED)
		return cs_fail(why, CS_ERR_CONFLICT,
			       "a transaction for it is on its way, and its block decides");
	if (!gateway_may_retry(message))
		return cs_fail(why, CS_ERR_CONFLICT,
			       "it is not signed yet, without which nothing is proven of it");
	return CS_OK;
}

static void post_abandon(void *context, struct host_http_exchange *exchange)
{
	struct gateway *gateway = context;
	struct gateway_message message;
	struct cs_why why = {{0}};
	if (!gateway_body_is_empty(exchange) || !find(gateway, exchange, false, &message))
		return;
	enum cs_err err = check_abandon(&message, &why);
	if (err != CS_OK)
		gateway_problem(exchange, err, &why);
	else
		begin_retry(gateway, exchange, &message, 0);
}

static json_t *transaction_json(const char *chain, const struct cs_address *to,
				struct cs_bytes data)
{
	json_t *json = json_object();
	json_object_set_new(json, "chain", json_string(chain));
	json_object_set_new(json, "to", host_json_hex(CS_BYTES_OF(to->b)));
	json_object_set_new(json, "data", host_json_hex(data));
	json_object_set_new(json, "value", json_string("0"));
	return json;
}

static enum cs_err close_json(struct gateway *gateway, const struct gateway_message *message,
			      json_t **out)
{
	struct cs_buf data;
	const struct cs_hash *to =
		message->side == RELAY_SOURCE ? &message->remote : &message->chain;
	const struct host_manifest_chain *chain =
		host_manifest_chain(&gateway->config.manifest, to);
	if (!chain)
		return CS_ERR_NOT_IN_MANIFEST;
	CS_TRY(gateway_message_call(gateway, message, WIRE_CALL_CLOSE, &data));
	json_t *json = json_object();
	json_object_set_new(json, "id", host_json_hash(&message->id));
	json_object_set_new(json, "closer", word_or_null(&message->closer));
	json_object_set_new(json, "transactions",
			    json_pack("[o]", transaction_json(chain->caip2, &chain->gateway,
							      cs_buf_view(&data))));
	*out = json;
	return CS_OK;
}

static void reply_close(struct gateway *gateway, struct host_http_exchange *exchange,
			const struct gateway_message *message)
{
	json_t *json = NULL;
	size_t mark = cs_arena_mark(&gateway->scratch);
	enum cs_err err = close_json(gateway, message, &json);
	cs_arena_rewind(&gateway->scratch, mark);
	if (err != CS_OK)
		host_http_reply_problem(exchange, err, NULL);
	else
		host_http_reply_json(exchange, 200, json);
}

/* What the contract would refuse is not handed out; where it cannot be asked its answer is the
 * closer's to see. */
static void close_rehearsed(void *ctx, enum cs_err err, const char *why)
{
	struct verb *verb = ctx;
	if (err == CS_ERR_REVERTED)
		host_http_reply_problem(verb->exchange, err, why);
	else
		reply_close(verb->gateway, verb->exchange, &verb->message);
	free(verb);
}

static enum cs_err ask_close(struct gateway *gateway, struct host_http_exchange *exchange,
			     const struct gateway_message *message)
{
	struct gateway_chain *chain = gateway_chain_of(gateway, &message->chain);
	struct cs_address closer;
	if (message->side != RELAY_DESTINATION || !chain)
		return CS_ERR_UNSUPPORTED;
	memcpy(closer.b, message->closer.b + 12, sizeof(closer.b));
	struct verb *verb = host_alloc(sizeof(*verb));
	*verb = (struct verb){.gateway = gateway, .exchange = exchange, .message = *message};
	enum cs_err err =
		gateway_rehearse(chain, WIRE_CALL_CLOSE, &closer, message, close_rehearsed, verb);
	if (err != CS_OK)
		free(verb);
	return err;
}

static void post_close(void *context, struct host_http_exchange *exchange)
{
	struct gateway *gateway = context;
	struct gateway_message message;
	if (!gateway_body_is_empty(exchange) || !find(gateway, exchange, false, &message))
		return;
	if (message.state != RELAY_FAILED) {
		host_http_reply_problem(exchange, CS_ERR_CONFLICT,
					"only a failed message is closed");
		return;
	}
	if (cs_hash_is_zero(&message.closer)) {
		host_http_reply_problem(exchange, CS_ERR_CONFLICT, "the message has no closer");
		return;
	}
	if (ask_close(gateway, exchange, &message) != CS_OK)
		reply_close(gateway, exchange, &message);
}

void gateway_api_message_routes(struct gateway *gateway)
{
	struct host_http_server *server = gateway->server;
	gateway_api_list_route(gateway);
	host_http_server_route(server, "GET", "/v1/messages/{id}?side", GATEWAY_SCOPE_READ,
			       get_message, gateway);
	host_http_server_route(server, "GET", "/v1/messages/{id}/envelope?side", GATEWAY_SCOPE_READ,
			       get_envelope, gateway);
	host_http_server_route(server, "POST", "/v1/messages/{id}/retry?side",
			       GATEWAY_SCOPE_OPERATE, post_retry, gateway);
	host_http_server_route(server, "POST", "/v1/messages/{id}/abandon?side",
			       GATEWAY_SCOPE_OPERATE, post_abandon, gateway);
	host_http_server_route(server, "POST", "/v1/messages/{id}/close?side", GATEWAY_SCOPE_SEND,
			       post_close, gateway);
}
