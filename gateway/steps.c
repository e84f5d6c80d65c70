#include <string.h>

#include "gateway/gateway.h"

struct collect {
	json_t *list;
	enum relay_side side; /* 0: both */
};

static json_t *fact_json(const struct gateway_step *step)
{
	json_t *json = json_object();
	json_object_set_new(json, "n", gateway_json_u64(step->step));
	json_object_set_new(json, "t_ms", gateway_json_u64(step->time_ms));
	json_object_set_new(json, "chain", step->chain ? json_string(step->chain) : json_null());
	json_object_set_new(json, "tx", step->tx ? gateway_json_hash(step->tx) : json_null());
	json_object_set_new(json, "block", step->block ? gateway_json_u64(step->block) : json_null());
	json_object_set_new(json, "detail", step->detail ? json_string(step->detail) : json_null());
	return json;
}

static void collect_fact(void *ctx, const struct gateway_step *step)
{
	struct collect *collect = ctx;
	if (step->step == RELAY_STEP_NONE || step->step >= RELAY_STEP_END)
		return;
	if (collect->side == 0 || relay_step_side(step->step) == collect->side)
		json_array_append_new(collect->list, fact_json(step));
}

json_t *gateway_json_facts(struct gateway *gateway, const struct gateway_message *message, enum relay_side side)
{
	struct collect collect = {json_array(), side};
	if (gateway_journal_steps(gateway->journal, message->n, collect_fact, &collect) != CS_OK)
		json_array_clear(collect.list);
	return collect.list;
}

enum cs_err gateway_take_facts(struct gateway *gateway, uint64_t message, enum relay_side side, const json_t *facts)
{
	for (size_t i = 0; i < json_array_size(facts) && i < RELAY_STEP_COUNT; i++) {
		const json_t *fact = json_array_get(facts, i);
		struct cs_hash tx;
		json_int_t n = json_integer_value(json_object_get(fact, "n"));
		const char *hash = json_string_value(json_object_get(fact, "tx"));
		json_int_t time_ms = json_integer_value(json_object_get(fact, "t_ms"));
		json_int_t block = json_integer_value(json_object_get(fact, "block"));
		/* Its own steps are its own; what it says of ours is not asked for. */
		if (n <= 0 || n > RELAY_STEP_COUNT || relay_step_side((unsigned)n) != side || time_ms <= 0 || block < 0)
			continue;
		struct gateway_step step = {.message = message,
					    .step = (enum relay_step)n,
					    .time_ms = (uint64_t)time_ms,
					    .chain = json_string_value(json_object_get(fact, "chain")),
					    .block = (uint64_t)block,
					    .detail = json_string_value(json_object_get(fact, "detail"))};
		if (hash && cs_unhex(tx.b, sizeof(tx.b), cs_bytes_str(hash)) == CS_OK)
			step.tx = &tx;
		if (step.chain && strlen(step.chain) > CS_CAIP2_SIZE_MAX)
			step.chain = NULL;
		if (step.detail && strlen(step.detail) > GATEWAY_WHY_MAX)
			step.detail = NULL;
		CS_TRY(gateway_journal_step_again(gateway->journal, &step));
	}
	return CS_OK;
}

/* Why a message that is past a step has no fact for it. */
static const char *skipped(const struct gateway_message *message, unsigned n, const bool *seen)
{
	bool absent = message->outcome == RELAY_STATUS_DEAD && !seen[RELAY_STEP_EXECUTED];
	switch ((enum relay_step)n) {
	case RELAY_STEP_INVOKED:
		return "the application sent its own transaction";
	case RELAY_STEP_CHECKED:
	case RELAY_STEP_RECEIVED:
	case RELAY_STEP_SUBMITTED:
		return absent ? "nothing was sent: it was not delivered in time" : "somebody else submitted it";
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

json_t *gateway_json_steps(struct gateway *gateway, const struct gateway_message *message)
{
	json_t *facts = gateway_json_facts(gateway, message, 0);
	json_t *list = json_array();
	const json_t *of[RELAY_STEP_END] = {NULL};
	bool seen[RELAY_STEP_END] = {false};
	unsigned last = 0;
	for (size_t i = 0; i < json_array_size(facts); i++) {
		const json_t *fact = json_array_get(facts, i);
		unsigned n = (unsigned)json_integer_value(json_object_get(fact, "n"));
		of[n] = fact;
		seen[n] = true;
		last = n > last ? n : last;
	}
	for (unsigned n = 1; n <= RELAY_STEP_COUNT; n++) {
		json_t *step = of[n] ? json_deep_copy(of[n]) : json_object();
		json_object_set_new(step, "n", gateway_json_u64(n));
		json_object_set_new(step, "name", json_string(relay_step_name(n)));
		/* The source's request may be unknown at the destination until the envelope told. */
		if (!of[n] && (n < last || relay_ends(message->state)))
			json_object_set_new(step, "skipped", json_string(skipped(message, n, seen)));
		else if (!of[n])
			json_object_set_new(step, "pending", json_true());
		json_array_append_new(list, step);
	}
	json_decref(facts);
	return list;
}
