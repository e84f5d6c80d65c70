#include "gateway/gateway.h"

#include <string.h>

/* ---- facts for the other gateway ---- */

/* [n, time, transaction, block, detail]: short because there are many. */

struct collect {
	json_t *list;
	enum relay_side side;
};

static void collect_fact(void *ctx, const struct gateway_step *step)
{
	struct collect *collect = ctx;
	if (step->step >= RELAY_STEP_END || relay_step_side(step->step) != collect->side)
		return;
	json_t *fact = json_array();
	json_array_append_new(fact, host_json_u64(step->step));
	json_array_append_new(fact, host_json_u64(step->time_ms));
	json_array_append_new(fact, step->tx ? host_json_hash(step->tx) : json_null());
	json_array_append_new(fact, host_json_u64(step->block));
	if (step->detail)
		json_array_append_new(fact, json_string(step->detail));
	json_array_append_new(collect->list, fact);
}

json_t *gateway_json_facts(struct gateway *gateway, const struct gateway_message *message,
			   enum relay_side side, enum relay_step from)
{
	struct collect collect = {json_array(), side};
	if (gateway_journal_steps(gateway->journal, message->n, from, collect_fact, &collect) !=
	    CS_OK)
		json_array_clear(collect.list);
	return collect.list;
}

enum cs_err gateway_take_facts(struct gateway *gateway, const struct gateway_message *message,
			       enum relay_side side, const json_t *facts)
{
	const struct cs_hash *place = message->side == side ? &message->chain : &message->remote;
	const char *chain = gateway_caip2(gateway, place);
	for (size_t i = 0; i < json_array_size(facts) && i < RELAY_STEP_COUNT; i++) {
		const json_t *fact = json_array_get(facts, i);
		struct cs_hash tx;
		json_int_t n = json_integer_value(json_array_get(fact, 0));
		json_int_t time_ms = json_integer_value(json_array_get(fact, 1));
		const char *hash = json_string_value(json_array_get(fact, 2));
		json_int_t block = json_integer_value(json_array_get(fact, 3));
		/* Its own steps are its own; what it says of ours is not asked for. */
		if (n <= 0 || n > RELAY_STEP_COUNT || relay_step_side((unsigned)n) != side ||
		    time_ms <= 0 || block < 0)
			continue;
		struct gateway_step step = {.message = message->n,
					    .step = (enum relay_step)n,
					    .time_ms = (uint64_t)time_ms,
					    .chain = n == RELAY_STEP_NOTIFIED ? NULL : chain,
					    .block = (uint64_t)block,
					    .detail = json_string_value(json_array_get(fact, 4))};
		if (hash && cs_unhex(tx.b, sizeof(tx.b), cs_bytes_str(hash)) == CS_OK)
			step.tx = &tx;
		if (step.detail && strlen(step.detail) > GATEWAY_WHY_MAX)
			step.detail = NULL;
		CS_TRY(gateway_journal_step_again(gateway->journal, &step));
	}
	return CS_OK;
}

/* ---- the end, which the source told ---- */

enum cs_err gateway_end_as_told(struct gateway *gateway, struct gateway_message *message,
				enum relay_state end)
{
	struct gateway_journal *journal = gateway->journal;
	if (message->state == RELAY_OUTCOME_VERIFIED && end == RELAY_FINALIZED)
		return gateway_journal_move(journal, message, RELAY_ON_FINALIZE);
	if (message->state == RELAY_OUTCOME_VERIFIED && end == RELAY_REFUNDED)
		CS_TRY(gateway_journal_move(journal, message, RELAY_ON_BEGIN_REFUND));
	if (message->state == RELAY_REFUNDING && end == RELAY_REFUNDED)
		return gateway_journal_move(journal, message, RELAY_ON_REFUND);
	return CS_OK;
}

static void read_end(void *ctx, const struct gateway_step *step)
{
	enum relay_state *end = ctx;
	if (step->step != RELAY_STEP_NOTIFIED || !step->detail ||
	    relay_state_parse(end, step->detail) != CS_OK)
		*end = RELAY_STATE_NONE;
}

enum cs_err gateway_end_as_known(struct gateway *gateway, struct gateway_message *message)
{
	enum relay_state end = RELAY_STATE_NONE;
	CS_TRY(gateway_journal_steps(gateway->journal, message->n, RELAY_STEP_NOTIFIED, read_end,
				     &end));
	return gateway_end_as_told(gateway, message, end);
}

/* ---- the eighteen ---- */

/* Why a message that is past a step has no fact for it. */
static const char *skipped(const struct gateway_message *message, unsigned n, const bool *seen)
{
	bool absent = message->outcome == WIRE_STATUS_DEAD && !seen[RELAY_STEP_EXECUTED];
	switch ((enum relay_step)n) {
	case RELAY_STEP_INVOKED:
		return "the application sent its own transaction";
	case RELAY_STEP_CHECKED:
	case RELAY_STEP_RECEIVED:
	case RELAY_STEP_SUBMITTED:
		return absent ? "nothing was sent: it was not delivered in time"
			      : "somebody else submitted it";
	case RELAY_STEP_EXECUTED:
	case RELAY_STEP_OUTCOME_OBSERVED:
		return absent ? "nothing happened there: absence at the deadline is what is proven"
			      : "the destination's gateway did not tell";
	case RELAY_STEP_FINALIZATION_CHECKED:
	case RELAY_STEP_FINALIZATION_RECEIVED:
		return "somebody else finalized it";
	case RELAY_STEP_NONE:
	case RELAY_STEP_REQUESTED:
	case RELAY_STEP_COMMITTED:
	case RELAY_STEP_OBSERVED:
	case RELAY_STEP_FINAL:
	case RELAY_STEP_SIGNED:
	case RELAY_STEP_OUTCOME_FINAL:
	case RELAY_STEP_OUTCOME_SIGNED:
	case RELAY_STEP_FINALIZED:
	case RELAY_STEP_FINALIZATION_FINAL:
	case RELAY_STEP_NOTIFIED:
	case RELAY_STEP_END:
		break;
	}
	return "the other gateway did not tell";
}

/* What a transaction of ours cost, all of it; nothing of somebody else's, which nobody here knows. */
static void set_cost(struct gateway *gateway, json_t *json, const struct cs_hash *tx)
{
	struct gateway_submission submission;
	char text[CS_U256_DECIMAL_SIZE];
	uint64_t n = 0;
	size_t mark = cs_arena_mark(&gateway->scratch);
	if (gateway_journal_attempted(gateway->journal, tx, &n) == CS_OK &&
	    gateway_journal_submission(gateway->journal, n, &submission, &gateway->scratch, NULL) ==
		    CS_OK &&
	    submission.gas_used != 0 && cs_hash_eq(&submission.hash, tx)) {
		struct cs_u256 paid = cs_u256_u64(submission.gas_used);
		struct cs_u256 price = cs_u256_u64(submission.gas_price_wei);
		if (cs_u256_mul(&paid, &paid, &price) == CS_OK) {
			json_t *cost = json_object();
			cs_u256_decimal(text, &paid);
			json_object_set_new(cost, "gas_used", host_json_u64(submission.gas_used));
			json_object_set_new(cost, "paid", json_string(text));
			json_object_set_new(cost, "messages",
					    host_json_u64(submission.count ? submission.count : 1));
			json_object_set_new(json, "cost", cost);
		}
	}
	cs_arena_rewind(&gateway->scratch, mark);
}

/* ---- who signed, and what it was shown ---- */

/* One of the enclave's keys as it names them now. */
static json_t *own_key(const json_t *keys, const struct wire_statement *st)
{
	struct cs_why why;
	for (size_t i = 0; i < json_array_size(keys); i++) {
		const json_t *key = json_array_get(keys, i);
		struct cs_hash identity;
		uint64_t epoch = 0;
		if (host_json_read_hash(key, "identity", &identity, &why) == CS_OK &&
		    host_json_read_u64(key, "epoch", &epoch, &why) == CS_OK &&
		    cs_hash_eq(&identity, &st->signer) && epoch == st->epoch)
			return json_object_get(key, "public_key");
	}
	return NULL;
}

/* Null: not learned by this gateway, or its own enclave has it no longer, or does not answer. */
static json_t *public_key(struct gateway *gateway, const struct gateway_message *message,
			  const struct wire_statement *st)
{
	struct gateway_chain *chain = gateway_chain_of(gateway, &message->chain);
	const struct gateway_route *route =
		chain ? gateway_route_of(chain, &message->remote) : NULL;
	struct cs_hash key;
	if (cs_hash_eq(&st->signer, &message->remote))
		return route && gateway_key_of(route, st->epoch, &key) == CS_OK
			       ? host_json_hash(&key)
			       : json_null();
	json_t *keys = gateway->enclave_ready ? gateway_json_keys(gateway) : NULL;
	json_t *found = json_incref(own_key(keys, st));
	json_decref(keys);
	return found ? found : json_null();
}

/* An event is shown by its receipt, a status by a word of the gateway's storage; a ledger shows both by such a word
 * under its application hash. Of a receipt the message's place is the block that was shown; of a word the step's, and
 * nobody wrote down its hash. */
static json_t *proof_json(struct gateway *gateway, const struct gateway_message *message,
			  const struct gateway_step *step, const struct cs_hash *signer,
			  const json_t *final_step)
{
	const struct host_manifest_chain *chain =
		host_manifest_chain(&gateway->config.manifest, signer);
	if (!chain)
		return json_null();
	const bool is_ledger = chain->chain_id == 0;
	const bool is_receipt = !is_ledger && step->step == RELAY_STEP_SIGNED;
	const uint64_t block = is_receipt ? message->height : step->block;
	const bool has_hash = is_receipt && !cs_hash_is_zero(&message->block);
	json_t *final_block = json_object_get(final_step, "block");
	json_t *json = json_object();
	json_object_set_new(json, "kind",
			    json_string(is_ledger    ? "ics23"
					: is_receipt ? "receipt"
						     : "storage"));
	json_object_set_new(json, "block", block ? host_json_u64(block) : json_null());
	json_object_set_new(json, "block_hash",
			    has_hash ? host_json_hash(&message->block) : json_null());
	json_object_set_new(json, "final_block",
			    final_block ? json_incref(final_block) : json_null());
	return json;
}

/* final_step: the one before, NULL where it is not known. Nothing is said of a statement that is not here. */
static void set_signature(struct gateway *gateway, json_t *json,
			  const struct gateway_message *message, const struct gateway_step *step,
			  const json_t *final_step)
{
	struct gateway_statement st;
	const uint64_t n =
		step->step == RELAY_STEP_SIGNED ? message->statement : message->outcome_statement;
	if (n == 0 || gateway_journal_statement(gateway->journal, n, &st) != CS_OK)
		return;
	json_t *signature = gateway_json_statement(&st, NULL);
	json_object_set_new(signature, "public_key", public_key(gateway, message, &st.statement));
	json_object_set_new(json, "signature", signature);
	json_object_set_new(json, "proof",
			    proof_json(gateway, message, step, &st.statement.signer, final_step));
}

/* ---- all of them ---- */

struct eighteen {
	struct gateway *gateway;
	const struct gateway_message *message;
	json_t *of[RELAY_STEP_END];
	bool seen[RELAY_STEP_END];
	unsigned last;
};

/* The steps that are a transaction's block. */
static bool is_inclusion(enum relay_step step)
{
	return step == RELAY_STEP_COMMITTED || step == RELAY_STEP_EXECUTED ||
	       step == RELAY_STEP_FINALIZED;
}

static void take_step(void *ctx, const struct gateway_step *step)
{
	struct eighteen *all = ctx;
	if (step->step == RELAY_STEP_NONE || step->step >= RELAY_STEP_END)
		return;
	json_t *json = json_object();
	json_object_set_new(json, "n", host_json_u64(step->step));
	json_object_set_new(json, "name", json_string(relay_step_name(step->step)));
	json_object_set_new(json, "t_ms", host_json_u64(step->time_ms));
	json_object_set_new(json, "chain", step->chain ? json_string(step->chain) : json_null());
	json_object_set_new(json, "tx", step->tx ? host_json_hash(step->tx) : json_null());
	json_object_set_new(json, "block", step->block ? host_json_u64(step->block) : json_null());
	json_object_set_new(json, "detail", step->detail ? json_string(step->detail) : json_null());
	if (step->tx && is_inclusion(step->step))
		set_cost(all->gateway, json, step->tx);
	if (step->step == RELAY_STEP_SIGNED || step->step == RELAY_STEP_OUTCOME_SIGNED)
		set_signature(all->gateway, json, all->message, step, all->of[step->step - 1]);
	all->of[step->step] = json;
	all->seen[step->step] = true;
	all->last = step->step > all->last ? step->step : all->last;
}

json_t *gateway_json_steps(struct gateway *gateway, const struct gateway_message *message)
{
	struct eighteen all = {.gateway = gateway, .message = message};
	json_t *list = json_array();
	if (gateway_journal_steps(gateway->journal, message->n, RELAY_STEP_REQUESTED, take_step,
				  &all) != CS_OK)
		log_warn("steps.not_read", LOG_U64("message", message->n));
	for (unsigned n = 1; n <= RELAY_STEP_COUNT; n++) {
		json_t *step = all.of[n];
		if (!step) {
			step = json_object();
			json_object_set_new(step, "n", host_json_u64(n));
			json_object_set_new(step, "name", json_string(relay_step_name(n)));
			/* A step before one that is known will not come any more. */
			if (n < all.last || relay_ends(message->state))
				json_object_set_new(step, "skipped",
						    json_string(skipped(message, n, all.seen)));
			else
				json_object_set_new(step, "pending", json_true());
		}
		json_array_append_new(list, step);
	}
	return list;
}
