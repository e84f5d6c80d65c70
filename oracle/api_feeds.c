/* Feeds as an operator sees them: the list with values, ages and costs, one with its last rounds, and
 * what may be done: list, pause, resume, remove. */
#include "gateway/envelope_json.h"
#include "host/alloc.h"
#include "oracle/feeds.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS_DEFAULT 20u
#define ROUNDS_MAX 100u
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
	return gateway_json_u64(now_s > observed_at_s ? now_s - observed_at_s : 0);
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
		point->known ? gateway_json_u64(point->observed_at_s) : json_null(),
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
	json_object_set_new(json, "spec_hash", gateway_json_hash(&row->spec_hash));
	json_object_set_new(json, "decimals", gateway_json_u64(row->decimals));
	json_object_set_new(json, "heartbeat_s", gateway_json_u64(row->heartbeat_s));
	json_object_set_new(json, "stale_after_s", gateway_json_u64(row->stale_after_s));
	json_object_set_new(json, "deviation_ppm", gateway_json_u64(row->deviation_ppm));
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
	json_object_set_new(json, "id", gateway_json_hash(&live->id));
	json_object_set_new(json, "chain", json_string(live->contract->chain->config->id));
	json_object_set_new(json, "contract",
			    gateway_json_hex(CS_BYTES_OF(live->contract->address.b)));
	json_object_set_new(json, "index", gateway_json_u64(row->index));
	json_object_set_new(json, "description", json_string(row->description));
	json_object_set_new(json, "state", json_string(oracle_round_state_name(s)));
	json_object_set_new(json, "stopped_by_contract", json_boolean(live->stopped));
	json_object_set_new(json, "why", json_string(live->why));
	put_point(json, "", &s->good, row->decimals);
	put_point(json, "submitted_", &s->chain, row->decimals);
	json_object_set_new(json, "submitted_round", gateway_json_u64(s->chain_round));
	/* Above 2^63 - 1: a difference from 0, or as good as one. */
	json_object_set_new(json, "moved_ppm",
			    ppm <= INT64_MAX ? gateway_json_u64(ppm) : json_null());
	json_object_set_new(json, "submitting", json_boolean(s->submitting));
	json_object_set_new(json, "failures", gateway_json_u64(s->failures));
	json_object_set_new(json, "gas_total", gateway_json_u64(row->gas_total));
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
		json_object_set_new(json, "index", gateway_json_u64(source->index));
		json_object_set_new(json, "host", json_string(source->host_port));
		json_object_set_new(json, "code", gateway_json_u64(source->code));
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
	json_object_set_new(json, "gas_used", gateway_json_u64(round->gas_used));
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
	json_object_set_new(json, "n", gateway_json_u64(round->n));
	json_object_set_new(json, "time_ms", gateway_json_u64(round->time_ms));
	json_object_set_new(json, "outcome", json_string(outcome_name(round->outcome)));
	json_object_set_new(json, "reason", reason_json(round->reason));
	json_object_set_new(json, "code", gateway_json_u64(round->code));
	json_object_set_new(json, "code_name", code_name_json(round->code));
	json_object_set_new(json, "value",
			    round->code == WIRE_ORACLE_OK
				    ? word_json(&round->value, live->row.decimals)
				    : json_null());
	json_object_set_new(json, "observed_at", gateway_json_u64(round->observed_at));
	json_object_set_new(json, "why", json_string(round->why));
	put_cost(json, round);
	json_object_set_new(json, "tx", sent ? gateway_json_hash(&submission.hash) : json_null());
	json_object_set_new(json, "sources", said_json(live, round));
	return json;
}

static enum cs_err rounds_json(json_t **out, struct oracle_feed_live *live, uint64_t before,
			       size_t limit)
{
	static struct oracle_round_row rounds[ROUNDS_MAX];
	struct oracle *oracle = live->feeds->oracle;
	size_t mark = cs_arena_mark(&oracle->scratch);
	size_t count = 0;
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

static json_t *whole_json(struct oracle_feed_live *live, uint64_t before, size_t limit)
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

/* ---- which one ---- */

static enum cs_err find_contract(struct oracle_contract **out, struct oracle *oracle,
				 const char *chain, const char *address, struct cs_why *why)
{
	struct cs_address at;
	struct oracle_contract *found = NULL;
	if (!address || strncmp(address, "0x", 2) != 0 ||
	    cs_unhex(at.b, sizeof(at.b), cs_bytes_str(address)) != CS_OK)
		return cs_fail(why, CS_ERR_MALFORMED, "contract: not 0x and 40 hex digits");
	for (size_t i = 0; i < oracle->chain_count; i++) {
		struct oracle_contract *here = oracle_contract_at(&oracle->chains[i], &at);
		if (!here || !here->feeds ||
		    (chain && strcmp(chain, oracle->chains[i].config->id) != 0))
			continue;
		if (found)
			return cs_fail(why, CS_ERR_INVALID, "chain: two have such a contract");
		found = here;
	}
	if (!found)
		return cs_fail(why, CS_ERR_NOT_FOUND,
			       "contract: the manifest names none for feeds there");
	*out = found;
	return CS_OK;
}

static enum cs_err parse_index(uint64_t *index, const char *text, size_t n)
{
	struct cs_u256 value;
	CS_TRY(cs_u256_from_decimal(&value, cs_bytes(text, n)));
	return cs_u256_to_u64(index, &value);
}

/* The feed of {contract} and the number that {index} begins with; *rest is what follows it. Answers
 * itself when there is none. */
static struct oracle_feed_live *find(struct oracle *oracle, struct host_http_exchange *exchange,
				     const char **rest)
{
	const char *text = host_http_param(exchange, "index");
	size_t digits = strspn(text, "0123456789");
	struct oracle_contract *contract = NULL;
	struct oracle_feed_live *live = NULL;
	struct cs_why why = {""};
	uint64_t index = 0;
	*rest = text + digits;
	enum cs_err err = find_contract(&contract, oracle, host_http_query(exchange, "chain"),
					host_http_param(exchange, "contract"), &why);
	if (err == CS_OK && parse_index(&index, text, digits) != CS_OK)
		err = cs_fail(&why, CS_ERR_MALFORMED, "index: not a number");
	if (err == CS_OK) {
		live = oracle_feeds_find(oracle, contract, index);
		if (!live)
			err = cs_fail(&why, CS_ERR_NOT_FOUND, "no feed that is listed here");
	}
	if (err != CS_OK)
		oracle_problem(exchange, err, &why);
	return live;
}

/* ---- looking ---- */

static void get_feeds(void *context, struct host_http_exchange *exchange)
{
	struct oracle *oracle = context;
	const char *state = host_http_query(exchange, "state");
	const char *contract = host_http_query(exchange, "contract");
	json_t *list = json_array();
	for (size_t i = 0; oracle->feeds && i < oracle->feeds->count; i++) {
		struct oracle_feed_live *live = oracle->feeds->live[i];
		char address[43] = "0x";
		cs_hex(address + 2, CS_BYTES_OF(live->contract->address.b));
		if ((state && strcmp(state, oracle_round_state_name(&live->state)) != 0) ||
		    (contract && strcasecmp(contract, address) != 0))
			continue;
		json_t *json = whole_json(live, 0, 1);
		json_object_del(json, "rounds");
		json_array_append_new(list, json);
	}
	host_http_reply_json(exchange, 200, json_pack("{s:o}", "feeds", list));
}

static bool parse_number(uint64_t *out, struct host_http_exchange *exchange, const char *name,
			 uint64_t otherwise, uint64_t max)
{
	const char *text = host_http_query(exchange, name);
	uint64_t value = otherwise;
	if (text &&
	    (parse_index(&value, text, strlen(text)) != CS_OK || value == 0 || value > max)) {
		struct cs_why why;
		cs_why_write(&why, "%s: a number from 1 to %" PRIu64, name, max);
		oracle_problem(exchange, CS_ERR_INVALID, &why);
		return false;
	}
	*out = value;
	return true;
}

static void get_feed(void *context, struct host_http_exchange *exchange)
{
	const char *rest;
	uint64_t limit, before;
	struct oracle_feed_live *live = find(context, exchange, &rest);
	if (!live)
		return;
	if (*rest) {
		host_http_reply_problem(exchange, CS_ERR_NOT_FOUND, "no such verb");
		return;
	}
	if (parse_number(&limit, exchange, "limit", ROUNDS_DEFAULT, ROUNDS_MAX) &&
	    parse_number(&before, exchange, "before", 0, INT64_MAX))
		host_http_reply_json(exchange, 200, whole_json(live, before, limit));
}

/* ---- listing one ---- */

struct adding {
	struct oracle *oracle;
	struct oracle_contract *contract;
	struct host_http_exchange *exchange;
	struct oracle_feed row;
	struct cs_bytes spec; /* canonical, malloc'd */
	uint8_t decimals;
	struct oracle_feed_info info;
	struct oracle_feed_round round;
	struct cs_why why;
};

static void adding_end(struct adding *adding, enum cs_err err)
{
	if (err != CS_OK)
		oracle_problem(adding->exchange, err, &adding->why);
	free((void *)(uintptr_t)adding->spec.p);
	free(adding);
}

static void added(void *context, enum cs_err err)
{
	struct adding *adding = context;
	struct oracle_feed_live *live =
		oracle_feeds_find(adding->oracle, adding->contract, adding->row.index);
	if (err == CS_OK && !live)
		err = cs_fail(&adding->why, CS_ERR_CONFLICT, "removed meanwhile");
	if (err == CS_OK) {
		log_info("feed.listed", LOG_TEXT("chain", adding->contract->chain->config->id),
			 LOG_U64("index", adding->row.index));
		host_http_reply_json(adding->exchange, 201, whole_json(live, 0, ROUNDS_DEFAULT));
		oracle_wake(adding->oracle);
	}
	adding_end(adding, err);
}

static enum cs_err write_feed(void *context)
{
	struct adding *adding = context;
	struct oracle_feed_live *live = NULL;
	CS_TRY(oracle_feeds_add(adding->oracle, &adding->row, adding->contract, adding->spec, &live,
				&adding->why));
	oracle_feed_seen(live, &adding->info, &adding->round);
	return oracle_feed_save(live);
}

/* What the contract's owner fixed decides. */
static enum cs_err take_terms(struct adding *adding, const struct oracle_feed_info *info)
{
	struct cs_hash hash = wire_spec_hash(adding->spec);
	struct oracle_feed *row = &adding->row;
	if (!cs_hash_eq(&hash, &info->spec_hash)) {
		char text[65];
		cs_hex(text, CS_BYTES_OF(info->spec_hash.b));
		return cs_fail(&adding->why, CS_ERR_INVALID,
			       "spec: its hash is not the contract's 0x%s", text);
	}
	if (adding->decimals != info->decimals)
		return cs_fail(&adding->why, CS_ERR_INVALID,
			       "spec: %u decimals, the contract has %u", adding->decimals,
			       info->decimals);
	row->chain = adding->contract->chain->identity;
	row->contract = adding->contract->identity;
	row->spec_hash = hash;
	row->state = ORACLE_FEED_ACTIVE;
	row->decimals = info->decimals;
	row->heartbeat_s = info->heartbeat_s;
	row->stale_after_s = info->stale_after_s;
	row->deviation_ppm = info->deviation_ppm;
	snprintf(row->description, sizeof(row->description), "%s", info->description);
	return CS_OK;
}

static void looked(void *context, enum cs_err err, const char *why,
		   const struct oracle_feed_info *info, const struct oracle_feed_round *round)
{
	struct adding *adding = context;
	if (err != CS_OK)
		cs_why_write(&adding->why, "%s", why ? why : "");
	else
		err = take_terms(adding, info);
	if (err == CS_OK) {
		adding->info = *info;
		adding->round = *round;
		err = oracle_write_then(adding->oracle, write_feed, adding, added, adding);
	}
	if (err != CS_OK)
		adding_end(adding, err);
}

static enum cs_err read_spec(struct adding *adding, const json_t *spec)
{
	struct cs_arena *arena = &adding->oracle->scratch;
	struct cs_buf buf;
	struct wire_spec parsed;
	char *text = json_is_object(spec) ? json_dumps(spec, JSON_COMPACT) : NULL;
	if (!text)
		return cs_fail(&adding->why, CS_ERR_MISSING_FIELD, "spec: an object");
	size_t mark = cs_arena_mark(arena);
	enum cs_err err = cs_buf_init_arena(&buf, arena, WIRE_SPEC_SIZE_MAX);
	if (err == CS_OK)
		err = wire_spec_canonical(&buf, cs_bytes_str(text), arena, &adding->why);
	if (err == CS_OK)
		err = oracle_feed_spec(&parsed, cs_buf_view(&buf), arena, &adding->why);
	if (err == CS_OK) {
		uint8_t *copy = host_alloc(buf.n);
		memcpy(copy, buf.p, buf.n);
		adding->spec = cs_bytes(copy, buf.n);
		adding->decimals = parsed.type.decimals;
	}
	cs_arena_rewind(arena, mark);
	free(text);
	return err;
}

static enum cs_err read_body(struct adding *adding, const json_t *body)
{
	static const char *const known[] = {"chain", "contract", "index", "spec"};
	const char *name;
	json_t *value;
	if (!json_is_object(body))
		return cs_fail(&adding->why, CS_ERR_MALFORMED, "not an object");
	json_object_foreach((json_t *)(uintptr_t)body, name, value)
	{
		bool is_known = oracle_feed_is_override(name);
		for (size_t i = 0; i < CS_LEN(known); i++)
			is_known = is_known || strcmp(name, known[i]) == 0;
		if (!is_known)
			return cs_fail(&adding->why, CS_ERR_UNKNOWN_FIELD, "%.60s", name);
	}
	const json_t *index = json_object_get(body, "index");
	if (!json_is_integer(index) || json_integer_value(index) < 0)
		return cs_fail(&adding->why, CS_ERR_MISSING_FIELD, "index: a number");
	adding->row.index = (uint64_t)json_integer_value(index);
	CS_TRY(find_contract(&adding->contract, adding->oracle,
			     json_string_value(json_object_get(body, "chain")),
			     json_string_value(json_object_get(body, "contract")), &adding->why));
	CS_TRY(oracle_feed_overrides(adding->row.settings, body));
	CS_TRY(read_spec(adding, json_object_get(body, "spec")));
	if (oracle_feeds_find(adding->oracle, adding->contract, adding->row.index))
		return cs_fail(&adding->why, CS_ERR_DUPLICATE, "the feed is listed already");
	return CS_OK;
}

static void post_feeds(void *context, struct host_http_exchange *exchange)
{
	struct adding *adding = host_alloc(sizeof(*adding));
	json_t *body = NULL;
	adding->oracle = context;
	adding->exchange = exchange;
	enum cs_err err = host_http_body_json(exchange, &body, &adding->why);
	if (err == CS_OK)
		err = read_body(adding, body);
	json_decref(body);
	if (err == CS_OK)
		err = oracle_feed_look(adding->contract, adding->row.index, looked, adding);
	if (err != CS_OK)
		adding_end(adding, err);
}

/* ---- pausing, resuming, removing ---- */

struct change {
	struct oracle *oracle;
	struct oracle_contract *contract;
	uint64_t index;
	struct host_http_exchange *exchange;
	bool resume;
	bool remove;
};

static enum cs_err write_change(void *context)
{
	const struct change *change = context;
	struct oracle_feed_live *live =
		oracle_feeds_find(change->oracle, change->contract, change->index);
	if (change->remove)
		return oracle_feeds_remove(live);
	if (change->resume)
		oracle_round_resume(&live->state);
	else
		oracle_round_pause(&live->state);
	live->not_before_ms = 0;
	live->tries = 0;
	live->why[0] = 0;
	return oracle_feed_save(live);
}

static void changed(void *context, enum cs_err err)
{
	struct change *change = context;
	struct oracle_feed_live *live =
		oracle_feeds_find(change->oracle, change->contract, change->index);
	if (err != CS_OK)
		host_http_reply_problem(change->exchange, err, NULL);
	else if (change->remove || !live)
		host_http_reply(change->exchange, 204, "application/json", CS_BYTES_NONE);
	else
		host_http_reply_json(change->exchange, 200, whole_json(live, 0, ROUNDS_DEFAULT));
	oracle_wake(change->oracle);
	free(change);
}

static void begin_change(const struct oracle_feed_live *live, struct host_http_exchange *exchange,
			 bool resume, bool remove)
{
	struct change *change = host_alloc(sizeof(*change));
	*change = (struct change){.oracle = live->feeds->oracle,
				  .contract = live->contract,
				  .index = live->row.index,
				  .exchange = exchange,
				  .resume = resume,
				  .remove = remove};
	log_info("feed.changed", LOG_TEXT("chain", live->contract->chain->config->id),
		 LOG_U64("index", live->row.index),
		 LOG_TEXT("how", remove   ? "removed"
				 : resume ? "resumed"
					  : "paused"),
		 LOG_TEXT("key", host_http_key(exchange)->name));
	enum cs_err err = oracle_write_then(change->oracle, write_change, change, changed, change);
	if (err != CS_OK) {
		host_http_reply_problem(exchange, err, NULL);
		free(change);
	}
}

static void post_feed(void *context, struct host_http_exchange *exchange)
{
	const char *rest;
	const struct oracle_feed_live *live = find(context, exchange, &rest);
	if (!live)
		return;
	if (strcmp(rest, ":pause") == 0 || strcmp(rest, ":resume") == 0)
		begin_change(live, exchange, strcmp(rest, ":resume") == 0, false);
	else
		host_http_reply_problem(exchange, CS_ERR_NOT_FOUND, "verbs: :pause, :resume");
}

static void delete_feed(void *context, struct host_http_exchange *exchange)
{
	const char *rest;
	const struct oracle_feed_live *live = find(context, exchange, &rest);
	if (!live)
		return;
	if (*rest)
		host_http_reply_problem(exchange, CS_ERR_NOT_FOUND, "no such feed");
	else
		begin_change(live, exchange, false, true);
}

void oracle_api_feeds_routes(struct oracle *oracle)
{
	struct host_http_server *server = oracle->server;
	host_http_server_route(server, "GET", "/v1/oracle/feeds?state&contract", ORACLE_SCOPE_READ,
			       get_feeds, oracle);
	host_http_server_route(server, "POST", "/v1/oracle/feeds?", ORACLE_SCOPE_OPERATE,
			       post_feeds, oracle);
	host_http_server_route(server, "GET",
			       "/v1/oracle/feeds/{contract}/{index}?chain&limit&before",
			       ORACLE_SCOPE_READ, get_feed, oracle);
	host_http_server_route(server, "POST", "/v1/oracle/feeds/{contract}/{index}?chain",
			       ORACLE_SCOPE_OPERATE, post_feed, oracle);
	host_http_server_route(server, "DELETE", "/v1/oracle/feeds/{contract}/{index}?chain",
			       ORACLE_SCOPE_OPERATE, delete_feed, oracle);
}
