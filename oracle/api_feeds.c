/* Feeds as an operator sees them: the list with values, ages and costs, one with its last rounds,
 * and what may be done: list, pause, resume, remove. */
#include "host/alloc.h"
#include "oracle/answer.h"
#include "oracle/feeds.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS_DEFAULT 20u

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
		if ((state && strcmp(state, oracle_feed_state_name(live)) != 0) ||
		    (contract && strcasecmp(contract, address) != 0))
			continue;
		json_t *json = oracle_feed_json(live, 0, 1);
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
	if (parse_number(&limit, exchange, "limit", ROUNDS_DEFAULT, ORACLE_FEED_ROUNDS_SHOWN_MAX) &&
	    parse_number(&before, exchange, "before", 0, INT64_MAX))
		host_http_reply_json(exchange, 200, oracle_feed_json(live, before, limit));
}

/* ---- one round, signed ---- */

static enum cs_err round_fill(struct oracle_answer *out, const struct oracle_feed_live *live,
			      uint64_t n, struct cs_arena *arena)
{
	struct oracle *oracle = live->feeds->oracle;
	struct oracle_round_row round;
	struct oracle_statement statement;
	ProtobufCMessage *message = NULL;
	CS_TRY(oracle_journal_round(oracle->journal, live->row.n, n, arena, &round));
	CS_TRY(oracle_journal_statement(oracle->journal, round.statement, &statement));
	CS_TRY(oracle_enclave_reply(arena, round.result, &caisson__wire__oracle_result__descriptor,
				    &message));
	return oracle_answer_fill_round(out, oracle, live->contract, live->row.index, live->spec,
					(const Caisson__Wire__OracleResult *)message, &statement,
					round.leaf);
}

static void get_round(void *context, struct host_http_exchange *exchange)
{
	struct oracle *oracle = context;
	const char *text = host_http_param(exchange, "n");
	struct oracle_answer answer;
	struct cs_why why = {{0}};
	const char *rest;
	uint64_t n = 0;
	const struct oracle_feed_live *live = find(oracle, exchange, &rest);
	if (!live)
		return;
	if (*rest || parse_index(&n, text, strlen(text)) != CS_OK || n > INT64_MAX) {
		host_http_reply_problem(exchange, CS_ERR_MALFORMED, "round: not a number");
		return;
	}
	struct cs_arena *arena = oracle_arena_new();
	enum cs_err err = round_fill(&answer, live, n, arena);
	if (err == CS_ERR_NOT_FOUND)
		cs_why_write(&why, "no such round of this feed, or forgotten by now");
	if (err == CS_OK)
		err = oracle_answer_check(&answer, arena, &why);
	if (err == CS_OK)
		host_http_reply_json(exchange, 200, oracle_answer_json(&answer, arena));
	else
		oracle_problem(exchange, err, &why);
	oracle_arena_free(arena);
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
		host_http_reply_json(adding->exchange, 201,
				     oracle_feed_json(live, 0, ROUNDS_DEFAULT));
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
		host_http_reply_json(change->exchange, 200,
				     oracle_feed_json(live, 0, ROUNDS_DEFAULT));
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
	host_http_server_route(server, "GET",
			       "/v1/oracle/feeds/{contract}/{index}/rounds/{n}?chain",
			       ORACLE_SCOPE_READ, get_round, oracle);
	host_http_server_route(server, "POST", "/v1/oracle/feeds/{contract}/{index}?chain",
			       ORACLE_SCOPE_OPERATE, post_feed, oracle);
	host_http_server_route(server, "DELETE", "/v1/oracle/feeds/{contract}/{index}?chain",
			       ORACLE_SCOPE_OPERATE, delete_feed, oracle);
}
