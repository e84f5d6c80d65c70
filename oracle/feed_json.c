/* A feed and its rounds as REST tells them: docs/rest.md. */
#include "host/json_values.h"
#include "oracle/feeds.h"

#include <stdio.h>

#define WORD 32u

/* ---- a feed as JSON ---- */

static json_t *number_json(const struct cs_int256 *value, unsigned decimals)
{
	char text[CS_DECIMAL_TEXT_SIZE];
	cs_decimal_text(text, value, decimals);
	return json_string(text);
}

static json_t *word_json(const struct cs_hash *word, unsigned decimals)
{
	struct cs_int256 value = cs_int256_from_word(word);
	return number_json(&value, decimals);
}

static json_t *u256_json(const struct cs_u256 *value)
{
	char text[CS_U256_DECIMAL_SIZE];
	cs_u256_decimal(text, value);
	return json_string(text);
}

static json_t *age_json(uint64_t observed_at_s)
{
	uint64_t now_s = host_wall_ms() / 1000;
	return host_json_u64(now_s > observed_at_s ? now_s - observed_at_s : 0);
}

static json_t *code_name_json(uint32_t code)
{
	const char *name = wire_oracle_code_name(code);
	return name ? json_string(name) : json_null();
}

static void put_point(json_t *json, const char *prefix, const struct oracle_round_point *point,
		      unsigned decimals)
{
	static const char *const names[] = {"value", "observed_at", "age_s"};
	json_t *values[] = {
		point->known ? number_json(&point->value, decimals) : json_null(),
		point->known ? host_json_u64(point->observed_at_s) : json_null(),
		point->known ? age_json(point->observed_at_s) : json_null(),
	};
	for (size_t i = 0; i < CS_LEN(names); i++) {
		char name[40];
		snprintf(name, sizeof(name), "%s%s", prefix, names[i]);
		json_object_set_new(json, name, values[i]);
	}
}

static enum cs_err sources_json(json_t *list, const struct oracle_feed_live *live)
{
	struct oracle_feed_source sources[WIRE_SOURCES_MAX];
	size_t count = 0;
	CS_TRY(oracle_journal_feed_sources(live->feeds->oracle->journal, live->row.n, sources,
					   CS_LEN(sources), &count));
	for (size_t i = 0; i < count; i++)
		json_array_append_new(
			list, json_pack("{s:I,s:s,s:I,s:I,s:I}", "index",
					(json_int_t)sources[i].index, "host", sources[i].host_port,
					"rounds", (json_int_t)sources[i].rounds, "failures",
					(json_int_t)sources[i].failed, "disagreements",
					(json_int_t)sources[i].disagreed));
	return CS_OK;
}

static void put_terms(json_t *json, const struct oracle_feed_live *live)
{
	const struct oracle_feed *row = &live->row;
	json_object_set_new(json, "spec_hash", host_json_hash(&row->spec_hash));
	json_object_set_new(json, "decimals", host_json_u64(row->decimals));
	json_object_set_new(json, "heartbeat_s", host_json_u64(row->heartbeat_s));
	json_object_set_new(json, "stale_after_s", host_json_u64(row->stale_after_s));
	json_object_set_new(json, "deviation_ppm", host_json_u64(row->deviation_ppm));
	json_object_set_new(json, "settings", oracle_feed_settings_json(&live->settings));
	json_t *overrides = json_loads(row->settings, 0, NULL);
	json_object_set_new(json, "overrides", overrides ? overrides : json_object());
}

static json_t *feed_json(const struct oracle_feed_live *live)
{
	const struct oracle_feed *row = &live->row;
	const struct oracle_round_state *s = &live->state;
	json_t *json = json_object();
	json_t *sources = json_array();
	uint64_t ppm = s->good.known && s->chain.known
			       ? oracle_round_ppm(&s->good.value, &s->chain.value)
			       : 0;
	json_object_set_new(json, "id", host_json_hash(&live->id));
	json_object_set_new(json, "chain", json_string(live->contract->chain->config->id));
	json_object_set_new(json, "contract",
			    host_json_hex(CS_BYTES_OF(live->contract->address.b)));
	json_object_set_new(json, "index", host_json_u64(row->index));
	json_object_set_new(json, "description", json_string(row->description));
	json_object_set_new(json, "state", json_string(oracle_feed_state_name(live)));
	json_object_set_new(json, "stopped_by_contract", json_boolean(live->stopped));
	json_object_set_new(json, "why", json_string(live->why));
	put_point(json, "", &s->good, row->decimals);
	put_point(json, "submitted_", &s->chain, row->decimals);
	json_object_set_new(json, "submitted_round", host_json_u64(s->chain_round));
	/* Above 2^63 - 1: a difference from 0, or as good as one. */
	json_object_set_new(json, "moved_ppm", ppm <= INT64_MAX ? host_json_u64(ppm) : json_null());
	json_object_set_new(json, "submitting", json_boolean(s->submitting));
	json_object_set_new(json, "failures", host_json_u64(s->failures));
	json_object_set_new(json, "gas_total", host_json_u64(row->gas_total));
	json_object_set_new(json, "cost_wei_total", u256_json(&row->wei_total));
	put_terms(json, live);
	if (sources_json(sources, live) != CS_OK)
		json_array_clear(sources);
	json_object_set_new(json, "sources", sources);
	return json;
}

/* ---- a round as JSON ---- */

static const char *outcome_name(enum oracle_round_outcome outcome)
{
	switch (outcome) {
	case ORACLE_ROUND_HELD:
		return "held";
	case ORACLE_ROUND_SUBMITTED:
		return "submitted";
	case ORACLE_ROUND_INCLUDED:
		return "included";
	case ORACLE_ROUND_FAILED:
		return "failed";
	case ORACLE_ROUND_REFUSED:
		return "refused";
	case ORACLE_ROUND_LOST:
		return "lost";
	}
	return "";
}

static json_t *reason_json(uint32_t reason)
{
	switch ((enum oracle_round_verb)reason) {
	case ORACLE_ROUND_SUBMIT_DEVIATION:
		return json_string("deviation");
	case ORACLE_ROUND_SUBMIT_HEARTBEAT:
		return json_string("heartbeat");
	case ORACLE_ROUND_SUBMIT_ALONG:
		return json_string("along");
	case ORACLE_ROUND_HOLD:
	case ORACLE_ROUND_WAIT:
	case ORACLE_ROUND_ASK:
		break;
	}
	return json_null();
}

/* What every source of the round said. */
static json_t *said_json(struct oracle_feed_live *live, const struct oracle_round_row *round)
{
	struct cs_arena *arena = &live->feeds->oracle->scratch;
	ProtobufCMessage *message = NULL;
	json_t *list = json_array();
	if (oracle_enclave_reply(arena, round->result, &caisson__wire__oracle_result__descriptor,
				 &message) != CS_OK)
		return list;
	const Caisson__Wire__OracleResult *result = (const Caisson__Wire__OracleResult *)message;
	for (size_t i = 0; i < result->n_sources && i < WIRE_SOURCES_MAX; i++) {
		const Caisson__Wire__OracleSource *source = result->sources[i];
		bool answered = source->code == WIRE_ORACLE_OK && source->value.len == WORD;
		json_t *json = json_object();
		json_object_set_new(json, "index", host_json_u64(source->index));
		json_object_set_new(json, "host", json_string(source->host_port));
		json_object_set_new(json, "code", host_json_u64(source->code));
		json_object_set_new(json, "code_name", code_name_json(source->code));
		struct cs_hash word = {{0}};
		if (answered)
			word = wire_pb_hash(source->value);
		json_object_set_new(json, "value",
				    answered ? word_json(&word, live->row.decimals) : json_null());
		json_object_set_new(json, "agrees", json_boolean(round->agreed >> i & 1));
		json_array_append_new(list, json);
	}
	return list;
}

static void put_cost(json_t *json, const struct oracle_round_row *round)
{
	struct cs_u256 gas = cs_u256_u64(round->gas_used);
	struct cs_u256 wei = cs_u256_u64(round->gas_price_wei);
	/* Two numbers of 64 bits. */
	cs_assert(cs_u256_mul(&wei, &wei, &gas) == CS_OK);
	json_object_set_new(json, "gas_used", host_json_u64(round->gas_used));
	json_object_set_new(json, "cost_wei", u256_json(&wei));
}

static json_t *round_json(struct oracle_feed_live *live, const struct oracle_round_row *round)
{
	struct oracle_submission submission;
	json_t *json = json_object();
	bool sent = round->submission != 0 &&
		    oracle_journal_submission(live->feeds->oracle->journal, round->submission,
					      &submission, NULL, NULL) == CS_OK &&
		    !cs_hash_is_zero(&submission.hash);
	json_object_set_new(json, "n", host_json_u64(round->n));
	json_object_set_new(json, "time_ms", host_json_u64(round->time_ms));
	json_object_set_new(json, "outcome", json_string(outcome_name(round->outcome)));
	json_object_set_new(json, "reason", reason_json(round->reason));
	json_object_set_new(json, "code", host_json_u64(round->code));
	json_object_set_new(json, "code_name", code_name_json(round->code));
	json_object_set_new(json, "value",
			    round->code == WIRE_ORACLE_OK
				    ? word_json(&round->value, live->row.decimals)
				    : json_null());
	json_object_set_new(json, "observed_at", host_json_u64(round->observed_at));
	json_object_set_new(json, "why", json_string(round->why));
	put_cost(json, round);
	json_object_set_new(json, "tx", sent ? host_json_hash(&submission.hash) : json_null());
	json_object_set_new(json, "sources", said_json(live, round));
	return json;
}

static enum cs_err rounds_json(json_t **out, struct oracle_feed_live *live, uint64_t before,
			       size_t limit)
{
	static struct oracle_round_row rounds[ORACLE_FEED_ROUNDS_SHOWN_MAX];
	struct oracle *oracle = live->feeds->oracle;
	size_t mark = cs_arena_mark(&oracle->scratch);
	size_t count = 0;
	cs_assert(limit <= CS_LEN(rounds));
	enum cs_err err = oracle_journal_rounds(oracle->journal, live->row.n, before,
						&oracle->scratch, rounds, limit, &count);
	json_t *list = json_array();
	for (size_t i = 0; i < count && err == CS_OK; i++)
		json_array_append_new(list, round_json(live, &rounds[i]));
	cs_arena_rewind(&oracle->scratch, mark);
	if (err == CS_OK)
		*out = list;
	else
		json_decref(list);
	return err;
}

json_t *oracle_feed_json(struct oracle_feed_live *live, uint64_t before, size_t limit)
{
	json_t *json = feed_json(live);
	json_t *rounds = NULL;
	if (rounds_json(&rounds, live, before, limit) != CS_OK)
		rounds = json_array();
	json_object_set_new(json, "last_round",
			    before == 0 && json_array_size(rounds) > 0
				    ? json_incref(json_array_get(rounds, 0))
				    : json_null());
	json_object_set_new(json, "rounds", rounds);
	return json;
}
