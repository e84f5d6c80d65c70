/* Key rotation, both halves. Ours: a new key is made, sealed and announced to every remote, and a
 * route signs with it once the remote says that its contract has it in force. The remote's: its
 * announcement is brought on our chain by our gas account, and looked for there before. */
#include "core/abi.h"
#include "gateway/gateway.h"
#include "host/alloc.h"
#include "relay_state/client/clock.h"

#include <stdlib.h>
#include <string.h>

#define NAME_SIZE 160u
/* keyOf: x, state, notBefore, notAfter, namers. */
#define KEY_WORDS 5u
#define LOOK_PAUSE_MS 500u
/* What no gas of ours can change: the owner suspended or named another key. */
#define BLOCKED_PAUSE_MS 5000u

/* ---- what the journal keeps of a route ---- */

static void name_of(char name[NAME_SIZE], const char *what, const struct gateway_route *route)
{
	char remote[65];
	cs_hex(remote, CS_BYTES_OF(route->remote.b));
	snprintf(name, NAME_SIZE, "%s:%s:%s", what, route->chain->identity_hex, remote);
}

static enum cs_err put(struct gateway_route *route, const char *what, struct cs_bytes value)
{
	char name[NAME_SIZE];
	name_of(name, what, route);
	return gateway_journal_put(route->chain->gateway->journal, name, value);
}

static enum cs_err save_ours(struct gateway_route *route)
{
	uint8_t b[56];
	cs_put_be64(b, route->epoch);
	cs_put_be64(b + 8, route->next_epoch);
	memcpy(b + 16, route->next_key.b, 32);
	cs_put_be64(b + 48, route->next_statement);
	return put(route, "rotation", CS_BYTES_OF(b));
}

static enum cs_err save_announcement(struct gateway_route *route)
{
	uint8_t b[16];
	cs_put_be64(b, route->announced_statement);
	cs_put_be64(b + 8, route->announced_submission);
	return put(route, "announcement", CS_BYTES_OF(b));
}

static enum cs_err load(struct gateway_route *route, const char *what, uint8_t *b, size_t size)
{
	struct cs_arena *arena = &route->chain->gateway->scratch;
	char name[NAME_SIZE];
	struct cs_bytes value;
	size_t mark = cs_arena_mark(arena);
	name_of(name, what, route);
	memset(b, 0, size);
	enum cs_err err = gateway_journal_get(route->chain->gateway->journal, name, arena, &value);
	if (err == CS_OK && value.n != size)
		err = CS_ERR_INVALID;
	if (err == CS_OK)
		memcpy(b, value.p, size);
	cs_arena_rewind(arena, mark);
	return err == CS_ERR_NOT_FOUND ? CS_OK : err;
}

enum cs_err gateway_rotation_load(struct gateway_route *route)
{
	uint8_t ours[56];
	uint8_t theirs[16];
	CS_TRY(load(route, "rotation", ours, sizeof(ours)));
	CS_TRY(load(route, "announcement", theirs, sizeof(theirs)));
	route->epoch = cs_be64(ours);
	route->next_epoch = cs_be64(ours + 8);
	memcpy(route->next_key.b, ours + 16, 32);
	route->next_statement = cs_be64(ours + 48);
	route->announced_statement = cs_be64(theirs);
	route->announced_submission = cs_be64(theirs + 8);
	return CS_OK;
}

/* ---- ours: made and announced ---- */

struct rotate {
	struct gateway_chain *chain;
	struct host_http_exchange *exchange;
	const Caisson__Wire__RotateReply *reply; /* during the writer */
};

static json_t *rotation_json(const struct gateway_chain *chain)
{
	json_t *json = json_object();
	json_t *remotes = json_array();
	const struct gateway_route *first = &chain->routes[0];
	uint64_t epoch = first->next_epoch;
	for (size_t i = 0; i < chain->route_count; i++) {
		const struct gateway_route *route = &chain->routes[i];
		json_t *remote = json_object();
		json_object_set_new(remote, "chain", json_string(route->remote_manifest->caip2));
		json_object_set_new(remote, "in_force", json_boolean(route->epoch == epoch));
		json_array_append_new(remotes, remote);
	}
	json_object_set_new(json, "chain", json_string(chain->config->id));
	json_object_set_new(json, "epoch", host_json_u64(epoch));
	json_object_set_new(json, "public_key", host_json_hash(&first->next_key));
	json_object_set_new(json, "remotes", remotes);
	return json;
}

static enum cs_err write_statement(struct gateway_chain *chain,
				   const Caisson__Wire__RotateReply *reply,
				   const Caisson__Wire__Statement *pb)
{
	struct wire_signed from;
	CS_TRY(wire_signed_from_pb(&from, pb));
	struct gateway_statement st = {
		.statement = from.statement, .signature = from.signature, .count = 1};
	st.ids[0] = wire_pb_hash(reply->new_key);
	/* Of the ledger's register, where the enclave has its time from: see ledger_clock_announce. */
	const struct host_manifest_ledger *ledger = &chain->gateway->config.manifest.ledger;
	if (ledger->is_there && cs_hash_eq(&st.statement.receiver, &ledger->identity))
		return CS_OK;
	struct gateway_route *route = gateway_route_of(chain, &st.statement.receiver);
	if (!route || st.statement.kind != WIRE_KIND_ROTATION ||
	    reply->new_epoch != st.statement.epoch + 1 || gateway_statement_check(&st) != CS_OK)
		return CS_ERR_INVALID;
	CS_TRY(gateway_journal_add_statement(chain->gateway->journal, &st));
	/* By number: what the enclave takes for newest changes with the first route that moves. */
	route->epoch = st.statement.epoch;
	route->next_epoch = reply->new_epoch;
	route->next_key = st.ids[0];
	route->next_statement = st.n;
	CS_TRY(save_ours(route));
	return gateway_post_item(route, GATEWAY_ITEM_ROTATION, st.n);
}

/* The key is sealed in the journal, in the same commit as what announces it. */
static enum cs_err write_rotation(void *context)
{
	struct rotate *rotate = context;
	struct gateway *gateway = rotate->chain->gateway;
	CS_TRY(gateway_journal_put(gateway->journal, GATEWAY_SEALED_NAME,
				   wire_pb_view(rotate->reply->sealed)));
	for (size_t i = 0; i < rotate->reply->n_statements; i++)
		CS_TRY(write_statement(rotate->chain, rotate->reply, rotate->reply->statements[i]));
	return ledger_clock_announce(gateway->clock, rotate->reply);
}

static void rotate_committed(void *context, enum cs_err err)
{
	struct rotate *rotate = context;
	struct gateway *gateway = rotate->chain->gateway;
	if (err != CS_OK) {
		gateway_fail(gateway, err, "commit of a rotation");
		host_http_reply_problem(rotate->exchange, err, NULL);
	} else {
		host_http_reply_json(rotate->exchange, 202, rotation_json(rotate->chain));
		gateway_enclave_stored(gateway);
		gateway_enclave_ask_hello(gateway);
		gateway_wake(gateway);
	}
	free(rotate);
}

static void rotate_done(void *context, enum cs_err err, const char *why, struct cs_bytes body)
{
	struct rotate *rotate = context;
	struct gateway *gateway = rotate->chain->gateway;
	size_t mark = cs_arena_mark(&gateway->scratch);
	ProtobufCMessage *message = NULL;
	if (err == CS_OK)
		err = gateway_enclave_reply(&gateway->scratch, body,
					    &caisson__wire__rotate_reply__descriptor, &message);
	if (err == CS_OK) {
		rotate->reply = (const Caisson__Wire__RotateReply *)message;
		log_info("rotation.made", LOG_TEXT("chain", rotate->chain->config->id),
			 LOG_U64("epoch", rotate->reply->new_epoch),
			 LOG_U64("remotes", rotate->reply->n_statements));
		err = gateway_write_then(gateway, write_rotation, rotate, rotate_committed, rotate);
	}
	cs_arena_rewind(&gateway->scratch, mark);
	if (err != CS_OK) {
		host_http_reply_problem(rotate->exchange, err, why);
		free(rotate);
	}
}

/* One rotation at a time: another key is made when every remote has this one. Until then the same
 * one is announced again where it is not in force. */
static bool is_under_way(const struct gateway_chain *chain)
{
	for (size_t i = 0; i < chain->route_count; i++) {
		if (chain->routes[i].next_epoch > chain->routes[i].epoch)
			return true;
	}
	return false;
}

static enum cs_err write_again(void *context)
{
	struct gateway_chain *chain = context;
	for (size_t i = 0; i < chain->route_count; i++) {
		struct gateway_route *route = &chain->routes[i];
		if (route->next_epoch > route->epoch)
			CS_TRY(gateway_post_item(route, GATEWAY_ITEM_ROTATION,
						 route->next_statement));
	}
	return CS_OK;
}

static enum cs_err read_chain(struct gateway *gateway, const struct host_http_exchange *exchange,
			      struct gateway_chain **chain, struct cs_why *why)
{
	static const char *const names[] = {"chain", NULL};
	json_t *body = NULL;
	CS_TRY(host_http_body_json(exchange, &body, why));
	enum cs_err err = host_json_known(body, names, "body", why);
	const json_t *id = json_object_get(body, "chain");
	*chain = NULL;
	if (json_is_string(id))
		*chain = gateway_chain_named(gateway, json_string_value(id));
	else if (!id && gateway->chain_count == 1)
		*chain = &gateway->chains[0];
	if (err == CS_OK && id && !json_is_string(id))
		err = cs_fail(why, CS_ERR_MALFORMED, "chain: not a text");
	if (err == CS_OK && !*chain)
		err = cs_fail(why, id ? CS_ERR_NOT_FOUND : CS_ERR_MISSING_FIELD, "chain: %s",
			      id ? "not one of this gateway" : "say which");
	json_decref(body);
	return err;
}

static enum cs_err ask_rotate(struct rotate *rotate)
{
	struct gateway *gateway = rotate->chain->gateway;
	Caisson__Wire__RotateRequest request = CAISSON__WIRE__ROTATE_REQUEST__INIT;
	size_t mark = cs_arena_mark(&gateway->scratch);
	request.chain = wire_pb_bytes(&gateway->scratch, CS_BYTES_OF(rotate->chain->identity.b));
	enum cs_err err =
		gateway_enclave_call(gateway, WIRE_ROTATE, &request.base, rotate_done, rotate);
	cs_arena_rewind(&gateway->scratch, mark);
	return err;
}

static void post_rotate(void *context, struct host_http_exchange *exchange)
{
	struct gateway *gateway = context;
	struct gateway_chain *chain = NULL;
	struct cs_why why = {{0}};
	enum cs_err err = read_chain(gateway, exchange, &chain, &why);
	if (err == CS_OK && !gateway->enclave_ready)
		err = cs_fail(&why, CS_ERR_UNAVAILABLE, "the enclave is not ready");
	if (err == CS_OK && chain->follow.frozen)
		err = cs_fail(&why, CS_ERR_FROZEN, "nothing is signed for this chain");
	if (err == CS_OK && chain->route_count == 0)
		err = cs_fail(&why, CS_ERR_CONFLICT, "no remote would learn of it");
	if (err != CS_OK) {
		host_http_reply_problem(exchange, err, why.text);
		return;
	}
	if (is_under_way(chain)) {
		err = gateway_write(gateway, write_again, chain);
		if (err != CS_OK)
			host_http_reply_problem(exchange, err, NULL);
		else
			host_http_reply_json(exchange, 202, rotation_json(chain));
		return;
	}
	struct rotate *rotate = host_alloc(sizeof(*rotate));
	*rotate = (struct rotate){chain, exchange, NULL};
	err = ask_rotate(rotate);
	if (err != CS_OK)
		rotate_done(rotate, err, NULL, CS_BYTES_NONE);
}

void gateway_api_rotation_routes(struct gateway *gateway)
{
	host_http_server_route(gateway->server, "POST", "/v1/keys/rotate?", GATEWAY_SCOPE_OPERATE,
			       post_rotate, gateway);
}

/* The remote says that its contract has our key in force. It can only lie to its own harm: nothing
 * that we sign too early is taken there. */
enum cs_err gateway_rotation_in_force(struct gateway_route *route,
				      const struct gateway_statement *st)
{
	if (route->next_epoch != st->statement.epoch + 1 || route->epoch == route->next_epoch ||
	    !cs_hash_eq(&route->next_key, &st->ids[0]))
		return CS_OK; /* told again, or of another time */
	route->epoch = route->next_epoch;
	log_info("rotation.in_force", LOG_TEXT("chain", route->chain->config->id),
		 LOG_TEXT("remote", route->remote_manifest->caip2), LOG_U64("epoch", route->epoch));
	return save_ours(route);
}

/* ---- theirs: brought on our chain ---- */

enum cs_err gateway_rotation_take(struct gateway_route *route, struct gateway_statement *st)
{
	CS_TRY(gateway_journal_add_statement(route->chain->gateway->journal, st));
	if (route->announced_statement == st->n)
		return CS_OK;
	route->announced_statement = st->n;
	route->announced_submission = 0;
	route->announce_after_ms = 0;
	log_info("rotation.taken", LOG_TEXT("chain", route->chain->config->id),
		 LOG_TEXT("remote", route->remote_manifest->caip2),
		 LOG_U64("epoch", st->statement.epoch + 1));
	return save_announcement(route);
}

static enum cs_err write_submission(void *context)
{
	struct gateway_route *route = context;
	struct gateway_chain *chain = route->chain;
	uint64_t max = gateway_gas_max(chain);
	struct gateway_submission submission = {
		.chain = chain->identity,
		.kind = GATEWAY_ROTATION,
		.account = *gateway_pool_take(chain),
		.statement = route->announced_statement,
		.count = 1,
		.to = chain->manifest->gateway,
		.gas_limit = max < GATEWAY_GAS_BASE ? max : GATEWAY_GAS_BASE};
	CS_TRY(gateway_journal_add_submission(chain->gateway->journal, &submission, CS_BYTES_NONE));
	route->announced_submission = submission.n;
	return save_announcement(route);
}

static enum cs_err write_in_force(void *context)
{
	struct gateway_route *route = context;
	uint64_t statement = route->announced_statement;
	route->announced_statement = 0;
	route->announced_submission = 0;
	CS_TRY(save_announcement(route));
	return gateway_post_item(route, GATEWAY_ITEM_IN_FORCE, statement);
}

static bool is_on_its_way(const struct gateway_route *route)
{
	struct gateway_submission submission;
	return route->announced_submission != 0 &&
	       gateway_journal_submission(route->chain->gateway->journal,
					  route->announced_submission, &submission, NULL,
					  NULL) == CS_OK &&
	       (submission.state == GATEWAY_SUBMISSION_OPEN ||
		submission.state == GATEWAY_SUBMISSION_INCLUDED);
}

static void announce(struct gateway_route *route, const struct gateway_statement *st)
{
	struct gateway_chain *chain = route->chain;
	if (is_on_its_way(route) || !gateway_may_submit(chain, GATEWAY_ROTATION, GATEWAY_LANE_NEW))
		return;
	if (!gateway_key_is_learned(route, st->statement.epoch)) {
		gateway_key_learn(route, st->statement.epoch);
		return;
	}
	if (route->announced_submission != 0) /* one was refused: not at once again */
		route->announce_after_ms = host_now_ms() + BLOCKED_PAUSE_MS;
	if (gateway_write(chain->gateway, write_submission, route) != CS_OK)
		log_error("rotation.not_announced", LOG_TEXT("chain", chain->config->id));
}

struct key_words {
	struct cs_hash x;
	uint8_t state;
	uint64_t not_before;
};

static enum cs_err read_key(struct key_words *key, struct cs_bytes data)
{
	struct cs_abi_reader reader;
	CS_TRY(cs_abi_read(&reader, data, KEY_WORDS));
	CS_TRY(cs_abi_get_word(&reader, &key->x));
	CS_TRY(cs_abi_get_u8(&reader, &key->state));
	return cs_abi_get_u64(&reader, &key->not_before);
}

/* What the chain says decides: somebody else may have announced it, or we before a crash. In force
 * by final time means announced in a final block, since the delay lies between. */
static void looked(void *ctx, enum cs_err err, const char *why, struct cs_bytes data)
{
	struct gateway_route *route = ctx;
	struct gateway_chain *chain = route->chain;
	struct gateway *gateway = chain->gateway;
	struct gateway_statement st;
	struct key_words key = {0};
	route->announcing = false;
	route->announce_after_ms = host_now_ms() + LOOK_PAUSE_MS;
	if (gateway->stopping || route->announced_statement == 0)
		return;
	if (err == CS_OK)
		err = read_key(&key, data);
	if (err == CS_OK)
		err = gateway_journal_statement(gateway->journal, route->announced_statement, &st);
	if (err != CS_OK) {
		log_warn("rotation.not_looked", LOG_TEXT("chain", chain->config->id), LOG_ERR(err),
			 LOG_TEXT("why", why));
		return;
	}
	if (cs_hash_is_zero(&key.x)) {
		announce(route, &st);
		return;
	}
	if (!cs_hash_eq(&key.x, &st.ids[0]) || key.state != WIRE_KEY_ACTIVE) {
		route->announce_after_ms = host_now_ms() + BLOCKED_PAUSE_MS;
		log_warn("rotation.blocked", LOG_TEXT("chain", chain->config->id),
			 LOG_TEXT("remote", route->remote_manifest->caip2),
			 LOG_U64("epoch", st.statement.epoch + 1), LOG_U64("state", key.state));
		return;
	}
	if (key.not_before > chain->follow.final_time_s)
		return;
	if (gateway_write(gateway, write_in_force, route) != CS_OK)
		log_error("rotation.not_told", LOG_TEXT("chain", chain->config->id));
}

void gateway_rotation_announce(struct gateway_route *route)
{
	struct gateway_chain *chain = route->chain;
	struct cs_arena *arena = &chain->gateway->scratch;
	struct gateway_statement st;
	struct cs_buf buf;
	struct cs_abi abi;
	if (route->announced_statement == 0 || route->announcing ||
	    host_now_ms() < route->announce_after_ms ||
	    gateway_journal_statement(chain->gateway->journal, route->announced_statement, &st) !=
		    CS_OK)
		return;
	size_t mark = cs_arena_mark(arena);
	enum cs_err err = cs_buf_init_arena(&buf, arena, 128);
	if (err == CS_OK) {
		cs_abi_call(&abi, &buf, "keyOf(bytes32,uint64)");
		cs_abi_put_word(&abi, &route->remote);
		cs_abi_put_u64(&abi, st.statement.epoch + 1);
		err = cs_buf_end(&buf);
	}
	route->announcing = true;
	if (err == CS_OK)
		err = adapter_call(chain->adapter, NULL, &chain->manifest->gateway,
				   cs_buf_view(&buf), looked, route);
	cs_arena_rewind(arena, mark);
	if (err != CS_OK)
		looked(route, err, NULL, CS_BYTES_NONE);
}
