/* What comes from other gateways. Nothing of it is believed: a statement is written down only if the
 * remote's key signed it, so that a peer, or whoever has its API key, can put nothing in the place of
 * what an enclave said; the enclave and the contract check it again. Notes only say what people see.
 * An item that is wrong is passed over with a line in the log, so that it holds up nothing behind
 * it; one whose key is not learned yet, or whose route only a newer manifest has, is written down as it is and waits
 * with what is behind it of its route (journal_held.h), and other routes go on. Everything waits, at the peer, of
 * one whose enclave is to be seen and is not accepted (attested.c). */
#include "gateway/gateway.h"
#include "gateway/journal_held.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Lines in the log for the items of one body: a peer does not fill the disk with them. */
#define REFUSALS_TOLD 16u
#define INSTANCE_DIGITS 32u
/* Routes that wait, of one look at what is held; more of them wait for the next. */
#define WAITING_MAX 32u
/* Items that one look takes: up to so many batches are written together, and live ones come between. */
#define HELD_AT_ONCE 8u
/* What is held is looked at so often; after so many times of which nothing came, for it waits for somebody then: the
 * key's owner, the next manifest; so much later. */
#define HELD_PAUSE_MS 100u
#define HELD_TRIES 20u
#define HELD_LONG_MS 2000u

/* What becomes of an item. */
enum fate {
	FATE_DONE,  /* taken, or passed over */
	FATE_LATER, /* it waits for a key, or for a route of a newer manifest */
	FATE_STAYS, /* a key that the peer's enclave has not shown: with all behind it */
};

/* A key of this route's remote, of this epoch. */
struct wanted {
	struct gateway_route *route;
	uint64_t epoch;
};

struct take {
	struct gateway *gateway;
	const char *peer;
	const char *instance;
	const json_t *items;
	uint64_t consumed;
	struct cs_arena *arena;
	struct cs_why *why; /* of what ends all of it */
	enum fate fate;     /* of the item at hand */
	uint64_t held;      /* items that wait in the journal */
	bool begins;        /* the first of them came */
	bool moves;         /* one of them was taken */
	uint64_t refused;
	struct wanted wanted[WAITING_MAX];
	size_t wanted_count;
};

/* A peer speaks for the chains that it serves: what it says of another one is nobody's word. */
static struct gateway_route *route_of(const struct take *take, const struct cs_hash *ours,
				      const struct cs_hash *remote)
{
	struct gateway_chain *chain = gateway_chain_of(take->gateway, ours);
	struct gateway_route *route = chain ? gateway_route_of(chain, remote) : NULL;
	const struct gateway_peer *peer = gateway_peer_named(take->gateway, take->peer);
	if (!route || !peer)
		return NULL;
	const char *caip2 = route->remote_manifest->caip2;
	if (!peer->config)
		return gateway_chain_named(take->gateway, caip2) ? route : NULL;
	for (size_t i = 0; i < peer->config->chain_count; i++) {
		if (strcmp(peer->config->chains[i], caip2) == 0)
			return route;
	}
	return NULL;
}

/* A peer that took the next manifest before us signs for routes that we have not yet: that waits until we took it
 * too. */
static enum cs_err find_route(struct take *take, struct gateway_route **route,
			      const struct gateway_statement *st, const struct cs_hash *ours,
			      const struct cs_hash *remote, struct cs_why *why)
{
	const uint64_t manifest = st->statement.manifest_number;
	struct gateway_peer *peer = gateway_peer_named(take->gateway, take->peer);
	*route = route_of(take, ours, remote);
	if (*route)
		return CS_OK;
	bool is_newer = peer && manifest > take->gateway->config.manifest.number;
	if (is_newer)
		take->fate = FATE_LATER;
	if (is_newer && peer->manifest_told != manifest)
		log_warn("peer.manifest_is_newer", LOG_TEXT("peer", take->peer),
			 LOG_U64("manifest", manifest),
			 LOG_U64("ours", take->gateway->config.manifest.number));
	if (is_newer)
		peer->manifest_told = manifest;
	return cs_fail(why, CS_ERR_WRONG_DESTINATION, "statement: no route with this peer");
}

/* Whoever names keys to a contract may name others than the enclave's that was looked at. */
static enum cs_err check_attested(struct take *take, const struct gateway_statement *st,
				  const struct cs_hash *key)
{
	struct gateway_peer *peer = gateway_peer_named(take->gateway, take->peer);
	if (peer && gateway_attested_has_key(peer, &st->statement.signer, st->statement.epoch, key))
		return CS_OK;
	take->fate = FATE_STAYS;
	return CS_ERR_NOT_ATTESTED;
}

static void want_key(struct take *take, struct gateway_route *route, uint64_t epoch)
{
	take->fate = FATE_LATER;
	if (take->wanted_count < WAITING_MAX)
		take->wanted[take->wanted_count++] = (struct wanted){route, epoch};
}

/* NO_KEY: not learned yet. NOT_ATTESTED: the peer's enclave has not shown it. */
static enum cs_err check_signature(struct take *take, struct gateway_route *route,
				   const struct gateway_statement *st, struct cs_why *why)
{
	const struct cs_sig *sig = take->gateway->sig;
	struct cs_hash key;
	enum cs_err err = gateway_key_of(route, st->statement.epoch, &key);
	if (err == CS_ERR_NOT_FOUND &&
	    gateway_key_of(route, st->statement.epoch + 1, &key) == CS_OK)
		return cs_fail(why, CS_ERR_WRONG_EPOCH,
			       "statement: a key of epoch %llu was never registered",
			       (unsigned long long)st->statement.epoch);
	if (err == CS_ERR_NOT_FOUND) {
		want_key(take, route, st->statement.epoch);
		return CS_ERR_NO_KEY;
	}
	CS_TRY(err);
	/* Of which domain it must be is the contract's to say. */
	for (enum wire_domain domain = WIRE_DOMAIN_SECURE; domain <= WIRE_DOMAIN_INSECURE;
	     domain++) {
		struct cs_hash digest = wire_digest(&st->statement, domain);
		if (cs_schnorr_verify(sig, &st->signature, &key, &digest) == CS_OK)
			return check_attested(take, st, &key);
	}
	return cs_fail(why, CS_ERR_BAD_SIGNATURE, "statement: not signed by the key of epoch %llu",
		       (unsigned long long)st->statement.epoch);
}

/* ---- messages: we are the destination ---- */

struct incoming {
	struct gateway_statement statement;
	struct wire_message contents[CS_BATCH_MAX];
};

static void read_evidence(struct gateway_message *message, const json_t *evidence)
{
	struct cs_why why;
	uint64_t number = 0;
	if (host_json_read_u64(evidence, "height", &number, &why) == CS_OK)
		message->height = number;
	if (host_json_read_u64(evidence, "tx_index", &number, &why) == CS_OK)
		message->tx_index = (uint32_t)number;
	if (host_json_read_u64(evidence, "log_index", &number, &why) == CS_OK)
		message->log_index = (uint32_t)number;
	if (host_json_read_u64(evidence, "time_s", &number, &why) == CS_OK)
		message->time_s = number;
	/* What is missing stays zero: it is evidence for people. */
	if (host_json_read_hash(evidence, "block", &message->block, &why) != CS_OK)
		memset(&message->block, 0, sizeof(message->block));
	if (host_json_read_hash(evidence, "tx", &message->tx, &why) != CS_OK)
		memset(&message->tx, 0, sizeof(message->tx));
}

static enum cs_err read_messages(struct take *take, const json_t *item, struct incoming *in,
				 struct cs_why *why)
{
	const json_t *list = json_object_get(item, "messages");
	CS_TRY(gateway_json_read_statement(json_object_get(item, "statement"), &in->statement,
					   why));
	if (in->statement.statement.kind != WIRE_KIND_MESSAGE)
		return cs_fail(why, CS_ERR_INVALID, "statement: not of messages");
	if (json_array_size(list) == 0 || json_array_size(list) > CS_BATCH_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "messages: not 1 to %u", CS_BATCH_MAX);
	in->statement.count = (uint32_t)json_array_size(list);
	for (uint32_t i = 0; i < in->statement.count; i++) {
		struct wire_message *content = &in->contents[i];
		CS_TRY(gateway_json_read_message(json_array_get(list, i), true, take->arena,
						 content, why));
		if (!cs_hash_eq(&content->head.source, &in->statement.statement.signer) ||
		    !cs_hash_eq(&content->head.destination, &in->statement.statement.receiver))
			return cs_fail(why, CS_ERR_WRONG_DESTINATION,
				       "messages[%u]: of another route", i);
		in->statement.ids[i] = wire_message_id(&content->head);
	}
	if (gateway_statement_check(&in->statement) != CS_OK)
		return cs_fail(why, CS_ERR_BAD_PROOF, "the messages do not lead to the root");
	return CS_OK;
}

/* Of this message, where its peer says something that is right. */
static void read_trace(struct host_trace *trace, const json_t *item, uint32_t leaf)
{
	const json_t *parents = json_object_get(item, "traceparents");
	const json_t *states = json_object_get(item, "tracestates");
	host_trace_read(trace, json_string_value(json_array_get(parents, leaf)),
			json_string_value(json_array_get(states, leaf)));
}

static enum cs_err add_message(struct take *take, struct gateway_chain *chain,
			       const struct incoming *in, uint32_t leaf, const json_t *item)
{
	const json_t *json = json_array_get(json_object_get(item, "messages"), leaf);
	struct host_trace trace;
	struct gateway_journal *journal = take->gateway->journal;
	const struct wire_message *content = &in->contents[leaf];
	struct gateway_message message = {0};
	enum cs_err err = gateway_journal_find(journal, &in->statement.ids[leaf], RELAY_DESTINATION,
					       &message);
	if (err == CS_OK) {
		/* Signed again: under another key, by a source that lost its journal, or from the
		 * branch that a manifest kept. */
		struct gateway_route *route = gateway_route_of(chain, &message.remote);
		if (message.outcome_statement != 0)
			return route ? gateway_post_item(route, GATEWAY_ITEM_OUTCOMES,
							 message.outcome_statement)
				     : CS_OK;
		/* What is submitted goes on under the statement that it was made for. */
		if (message.state != RELAY_SIGNED && message.state != RELAY_FAILED &&
		    message.state != RELAY_SUBMITTED)
			return CS_OK;
		message.statement = in->statement.n;
		message.leaf = leaf;
		message.tries = 0;
		message.why[0] = 0;
		message.next_ms = host_wall_ms();
		return gateway_journal_save(journal, &message);
	}
	if (err != CS_ERR_NOT_FOUND)
		return err;
	message.id = in->statement.ids[leaf];
	message.side = RELAY_DESTINATION;
	message.state = relay_first(RELAY_DESTINATION);
	message.chain = chain->identity;
	message.remote = content->head.source;
	message.sequence = content->head.sequence;
	message.deadline = content->head.deadline;
	message.min_gas_limit = content->head.min_gas_limit;
	message.finality = content->head.finality;
	message.closer = content->head.closer;
	message.refund_to = content->head.refund_to;
	message.statement = in->statement.n;
	message.leaf = leaf;
	read_evidence(&message, json_object_get(json, "evidence"));
	message.next_ms = gateway_turn_ms(&message, host_wall_ms());
	CS_TRY(gateway_journal_add(journal, &message, content));
	read_trace(&trace, item, leaf);
	CS_TRY(gateway_journal_add_trace(journal, message.n, &trace));
	return gateway_take_facts(take->gateway, &message, RELAY_SOURCE,
				  json_object_get(json, "steps"));
}

static enum cs_err take_messages(struct take *take, const json_t *item, struct cs_why *why)
{
	static struct incoming in; /* 64 messages by views: too large for the stack of a callback */
	memset(&in, 0, sizeof(in));
	CS_TRY(read_messages(take, item, &in, why));
	struct gateway_route *route = NULL;
	CS_TRY(find_route(take, &route, &in.statement, &in.statement.statement.receiver,
			  &in.statement.statement.signer, why));
	struct gateway_chain *chain = route->chain;
	CS_TRY(check_signature(take, route, &in.statement, why));
	CS_TRY(gateway_journal_add_statement(take->gateway->journal, &in.statement));
	for (uint32_t i = 0; i < in.statement.count; i++)
		CS_TRY(add_message(take, chain, &in, i, item));
	log_info("envelope.taken", LOG_TEXT("peer", take->peer),
		 LOG_TEXT("chain", chain->config->id), LOG_U64("count", in.statement.count),
		 LOG_HASH("root", &in.statement.statement.root));
	return CS_OK;
}

/* ---- outcomes: we are the source ---- */

static enum cs_err read_outcomes(const json_t *item, struct gateway_statement *st,
				 struct cs_why *why)
{
	static const char *const names[] = {"id", "status", "steps", NULL};
	const json_t *list = json_object_get(item, "outcomes");
	CS_TRY(gateway_json_read_statement(json_object_get(item, "statement"), st, why));
	if (st->statement.kind != WIRE_KIND_OUTCOME)
		return cs_fail(why, CS_ERR_INVALID, "statement: not of outcomes");
	if (json_array_size(list) == 0 || json_array_size(list) > CS_BATCH_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "outcomes: not 1 to %u", CS_BATCH_MAX);
	st->count = (uint32_t)json_array_size(list);
	for (uint32_t i = 0; i < st->count; i++) {
		const json_t *outcome = json_array_get(list, i);
		uint64_t status = 0;
		CS_TRY(host_json_known(outcome, names, "outcomes[]", why));
		CS_TRY(host_json_read_hash(outcome, "id", &st->ids[i], why));
		CS_TRY(host_json_read_u64(outcome, "status", &status, why));
		if (status != WIRE_STATUS_DELIVERED && status != WIRE_STATUS_DEAD)
			return cs_fail(why, CS_ERR_INVALID,
				       "outcomes[%u]: status is neither 2 nor 3", i);
		st->statuses[i] = (uint8_t)status;
	}
	if (gateway_statement_check(st) != CS_OK)
		return cs_fail(why, CS_ERR_BAD_PROOF, "the outcomes do not lead to the root");
	return CS_OK;
}

static enum cs_err take_outcome(struct take *take, const struct gateway_statement *st,
				uint32_t leaf, const json_t *json)
{
	struct gateway_journal *journal = take->gateway->journal;
	struct gateway_message message;
	enum cs_err err = gateway_journal_find(journal, &st->ids[leaf], RELAY_SOURCE, &message);
	if (err == CS_ERR_NOT_FOUND)
		return CS_OK; /* comes again when its message is signed again */
	CS_TRY(err);
	/* A remote's key says what became of messages to that remote alone. */
	if (!cs_hash_eq(&message.chain, &st->statement.receiver) ||
	    !cs_hash_eq(&message.remote, &st->statement.signer))
		return CS_OK;
	CS_TRY(gateway_take_facts(take->gateway, &message, RELAY_DESTINATION,
				  json_object_get(json, "steps")));
	bool first = relay_may_move(message.state, RELAY_ON_VERIFY_OUTCOME);
	/* Under another key, while the first one cannot be used. */
	bool other =
		(message.state == RELAY_OUTCOME_VERIFIED || message.state == RELAY_REFUNDING) &&
		message.submission == 0 && message.end_height == 0 &&
		message.outcome == (enum wire_status)st->statuses[leaf];
	if (!first && !other)
		return CS_OK;
	message.outcome = (enum wire_status)st->statuses[leaf];
	message.outcome_statement = st->n;
	message.outcome_leaf = leaf;
	message.tries = 0;
	message.why[0] = 0;
	message.next_ms = gateway_turn_ms(&message, host_wall_ms());
	return first ? gateway_journal_move(journal, &message, RELAY_ON_VERIFY_OUTCOME)
		     : gateway_journal_save(journal, &message);
}

static enum cs_err take_outcomes(struct take *take, const json_t *item, struct cs_why *why)
{
	struct gateway_statement st = {0};
	CS_TRY(read_outcomes(item, &st, why));
	struct gateway_route *route = route_of(take, &st.statement.receiver, &st.statement.signer);
	if (!route)
		return cs_fail(why, CS_ERR_WRONG_DESTINATION, "statement: no route with this peer");
	struct gateway_chain *chain = route->chain;
	CS_TRY(check_signature(take, route, &st, why));
	CS_TRY(gateway_journal_add_statement(take->gateway->journal, &st));
	for (uint32_t i = 0; i < st.count; i++)
		CS_TRY(take_outcome(take, &st, i,
				    json_array_get(json_object_get(item, "outcomes"), i)));
	log_info("outcome.taken", LOG_TEXT("peer", take->peer),
		 LOG_TEXT("chain", chain->config->id), LOG_U64("count", st.count),
		 LOG_HASH("root", &st.statement.root));
	return CS_OK;
}

/* ---- notes ---- */

static enum relay_event event_of(enum relay_state state)
{
	switch (state) {
	case RELAY_SIGNED:
		return RELAY_ON_DROP;
	case RELAY_SUBMITTED:
		return RELAY_ON_SUBMIT;
	case RELAY_INCLUDED:
		return RELAY_ON_INCLUDE;
	case RELAY_FAILED:
		return RELAY_ON_FAIL;
	case RELAY_STATE_NONE:
	case RELAY_OBSERVED:
	case RELAY_FINAL:
	case RELAY_VERIFIED:
	case RELAY_OUTCOME_FINAL:
	case RELAY_OUTCOME_VERIFIED:
	case RELAY_FINALIZED:
	case RELAY_REFUNDING:
	case RELAY_REFUNDED:
	case RELAY_ABANDONED:
	case RELAY_STATE_END:
		break;
	}
	return RELAY_EVENT_END;
}

/* True: the destination gives a reason that we had not. */
static bool take_why(struct gateway_message *message, const json_t *item)
{
	const json_t *why = json_object_get(item, "why");
	char text[GATEWAY_WHY_MAX + 1];
	host_plain_text(text, sizeof(text), json_is_string(why) ? json_string_value(why) : "",
			json_string_length(why));
	bool news = text[0] && strcmp(message->why, text) != 0;
	memcpy(message->why, text, sizeof(text));
	return news;
}

/* Between the same two states only the reason may be new. */
static enum cs_err note_reason(struct take *take, struct gateway_message *message,
			       const json_t *item)
{
	char before[GATEWAY_WHY_MAX + 1];
	memcpy(before, message->why, sizeof(before));
	bool news = take_why(message, item);
	if (strcmp(before, message->why) == 0)
		return CS_OK;
	CS_TRY(gateway_journal_save(take->gateway->journal, message));
	return news ? gateway_journal_event(take->gateway->journal, "message.refused", message,
					    message->why)
		    : CS_OK;
}

/* The destination says how far it is. */
static enum cs_err note_at_source(struct take *take, struct gateway_message *message,
				  enum relay_state state, const json_t *item)
{
	struct gateway_journal *journal = take->gateway->journal;
	json_int_t status = json_integer_value(json_object_get(item, "status"));
	enum relay_event event = event_of(state);
	CS_TRY(gateway_take_facts(take->gateway, message, RELAY_DESTINATION,
				  json_object_get(item, "steps")));
	if (event == RELAY_EVENT_END || message->outcome != WIRE_STATUS_NONE)
		return CS_OK;
	if (message->state == state)
		return note_reason(take, message, item);
	if (!relay_may_move(message->state, event))
		return CS_OK;
	message->status = status >= 0 && status <= WIRE_STATUS_DEAD ? (enum wire_status)status
								    : WIRE_STATUS_NONE;
	bool news = take_why(message, item);
	CS_TRY(gateway_journal_move(journal, message, event));
	return news ? gateway_journal_event(journal, "message.refused", message, message->why)
		    : CS_OK;
}

/* The source says how it ended. */
static enum cs_err note_at_destination(struct take *take, struct gateway_message *message,
				       enum relay_state state, const json_t *item)
{
	CS_TRY(gateway_take_facts(take->gateway, message, RELAY_SOURCE,
				  json_object_get(item, "steps")));
	return gateway_end_as_told(take->gateway, message, state);
}

static enum cs_err take_note(struct take *take, const json_t *item, bool retry, struct cs_why *why)
{
	struct gateway_journal *journal = take->gateway->journal;
	struct gateway_message message;
	struct cs_hash id;
	uint64_t side = 0;
	enum relay_state state = RELAY_STATE_NONE;
	const char *name = json_string_value(json_object_get(item, "state"));
	CS_TRY(host_json_read_hash(item, "id", &id, why));
	CS_TRY(host_json_read_u64(item, "side", &side, why));
	if (side != RELAY_SOURCE && side != RELAY_DESTINATION)
		return cs_fail(why, CS_ERR_INVALID, "side: neither 1 nor 2");
	if (!retry && (!name || relay_state_parse(&state, name) != CS_OK))
		return cs_fail(why, CS_ERR_INVALID, "state: no state of a message");
	enum relay_side ours = side == RELAY_SOURCE ? RELAY_DESTINATION : RELAY_SOURCE;
	enum cs_err err = gateway_journal_find(journal, &id, ours, &message);
	if (err == CS_ERR_NOT_FOUND)
		return CS_OK;
	CS_TRY(err);
	if (!route_of(take, &message.chain, &message.remote))
		return cs_fail(why, CS_ERR_WRONG_DESTINATION, "id: of no route with this peer");
	if (!retry)
		return ours == RELAY_SOURCE ? note_at_source(take, &message, state, item)
					    : note_at_destination(take, &message, state, item);
	if (ours != RELAY_DESTINATION || !gateway_may_retry(&message))
		return CS_OK;
	message.wish_retry = message.state == RELAY_FAILED && !gateway_is_late(&message);
	message.next_ms = host_wall_ms();
	return gateway_journal_save(journal, &message);
}

/* ---- keys ---- */

/* rotation: the peer's next key, for our contract. in_force: ours, which its contract has. */
static enum cs_err take_key(struct take *take, const json_t *item, bool theirs, struct cs_why *why)
{
	struct gateway_statement st = {0};
	CS_TRY(gateway_json_read_statement(json_object_get(item, "statement"), &st, why));
	CS_TRY(host_json_read_hash(item, "key", &st.ids[0], why));
	st.count = 1;
	if (st.statement.kind != WIRE_KIND_ROTATION)
		return cs_fail(why, CS_ERR_INVALID, "statement: not of a rotation");
	if (gateway_statement_check(&st) != CS_OK)
		return cs_fail(why, CS_ERR_BAD_PROOF, "the key does not lead to the root");
	const struct cs_hash *ours = theirs ? &st.statement.receiver : &st.statement.signer;
	const struct cs_hash *other = theirs ? &st.statement.signer : &st.statement.receiver;
	struct gateway_route *route = NULL;
	CS_TRY(find_route(take, &route, &st, ours, other, why));
	if (!theirs)
		return gateway_rotation_in_force(route, &st);
	CS_TRY(check_signature(take, route, &st, why));
	return gateway_rotation_take(route, &st);
}

/* ---- all of it ---- */

static enum cs_err take_item(struct take *take, const json_t *item, struct cs_why *why)
{
	const char *kind = json_string_value(json_object_get(item, "kind"));
	if (!kind)
		return cs_fail(why, CS_ERR_MISSING_FIELD, "kind: is missing");
	if (strcmp(kind, "messages") == 0)
		return take_messages(take, item, why);
	if (strcmp(kind, "outcomes") == 0)
		return take_outcomes(take, item, why);
	bool retry = strcmp(kind, "retry") == 0;
	if (retry || strcmp(kind, "note") == 0)
		return take_note(take, item, retry, why);
	bool rotation = strcmp(kind, "rotation") == 0;
	if (rotation || strcmp(kind, "in_force") == 0)
		return take_key(take, item, rotation, why);
	return cs_fail(why, CS_ERR_UNSUPPORTED, "kind: \"%.40s\"", kind);
}

/* Refusals of one item are passed over; what the journal cannot do ends everything. */
static bool is_fatal(enum cs_err err)
{
	return err == CS_ERR_IO || err == CS_ERR_FULL || err == CS_ERR_NO_MEMORY;
}

/* Before anything is taken: what a writer changed outside of the journal, the routes' keys, is not
 * undone with it. */
static enum cs_err check_numbers(const struct take *take)
{
	uint64_t n = 0;
	for (size_t i = 0; i < json_array_size(take->items); i++)
		CS_TRY(host_json_read_u64(json_array_get(take->items, i), "n", &n, take->why));
	return CS_OK;
}

/* OK for what is passed over too. */
static enum cs_err try_item(struct take *take, const json_t *item)
{
	struct cs_why why = {{0}};
	size_t mark = cs_arena_mark(take->arena);
	take->fate = FATE_DONE;
	enum cs_err err = take_item(take, item, &why);
	cs_arena_rewind(take->arena, mark);
	if (is_fatal(err))
		return err;
	if (err != CS_OK && take->fate == FATE_DONE && take->refused++ < REFUSALS_TOLD)
		log_warn("peer.item_refused", LOG_TEXT("peer", take->peer),
			 LOG_U64("n", (uint64_t)json_integer_value(json_object_get(item, "n"))),
			 LOG_ERR(err), LOG_TEXT("why", why.text));
	return CS_OK;
}

static void tell_refused(const struct take *take)
{
	if (take->refused > REFUSALS_TOLD)
		log_warn("peer.items_refused", LOG_TEXT("peer", take->peer),
			 LOG_U64("count", take->refused));
}

/* ---- what waits here ---- */

/* False: it is of no route, as notes are. */
static bool read_route(const struct take *take, struct gateway_held_route *route,
		       const json_t *item)
{
	struct gateway_statement st;
	struct cs_why why;
	const char *kind = json_string_value(json_object_get(item, "kind"));
	if (!kind ||
	    gateway_json_read_statement(json_object_get(item, "statement"), &st, &why) != CS_OK)
		return false;
	bool is_ours = strcmp(kind, "in_force") == 0;
	snprintf(route->instance, sizeof(route->instance), "%s", take->instance);
	route->ours = is_ours ? st.statement.signer : st.statement.receiver;
	route->remote = is_ours ? st.statement.receiver : st.statement.signer;
	return true;
}

/* Its fate stays FATE_STAYS where there is no room. */
static enum cs_err hold(struct take *take, const struct gateway_held_route *route,
			const json_t *item)
{
	enum cs_err err = gateway_journal_hold(take->gateway->journal, take->peer, route, item);
	take->fate = err == CS_OK ? FATE_LATER : FATE_STAYS;
	if (err == CS_ERR_FULL)
		return CS_OK;
	CS_TRY(err);
	take->begins = take->begins || take->held == 0;
	take->held++;
	return CS_OK;
}

/* Behind what waits of its route, if anything does. */
static enum cs_err take_or_hold(struct take *take, const json_t *item)
{
	struct gateway_held_route route;
	bool waits = false;
	if (take->held > 0 && read_route(take, &route, item))
		CS_TRY(gateway_journal_is_held(take->gateway->journal, take->peer, &route, &waits));
	if (waits)
		return hold(take, &route, item);
	CS_TRY(try_item(take, item));
	if (take->fate != FATE_LATER)
		return CS_OK;
	return read_route(take, &route, item) ? hold(take, &route, item) : CS_OK;
}

static bool is_among(const struct gateway_held_route *routes, size_t count,
		     const struct gateway_held_route *route)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(routes[i].instance, route->instance) == 0 &&
		    cs_hash_eq(&routes[i].ours, &route->ours) &&
		    cs_hash_eq(&routes[i].remote, &route->remote))
			return true;
	return false;
}

/* In their order; of a route that waits for something the first one alone is looked at. */
static enum cs_err take_held(struct take *take)
{
	struct gateway_journal *journal = take->gateway->journal;
	struct gateway_held_route waiting[WAITING_MAX];
	struct gateway_held_route route;
	size_t count = 0;
	unsigned taken = 0;
	uint64_t n = 0;
	while (taken < HELD_AT_ONCE && count < WAITING_MAX) {
		json_t *item = NULL;
		enum cs_err err = gateway_journal_held_next(journal, take->peer, &n, &route);
		if (err == CS_ERR_NOT_FOUND)
			break;
		CS_TRY(err);
		if (is_among(waiting, count, &route))
			continue;
		CS_TRY(gateway_journal_held_item(journal, n, &item));
		err = try_item(take, item);
		json_decref(item);
		CS_TRY(err);
		if (take->fate != FATE_DONE) {
			waiting[count++] = route;
			continue;
		}
		CS_TRY(gateway_journal_held_done(journal, n));
		taken++;
	}
	take->moves = taken > 0;
	return CS_OK;
}

static enum cs_err write_held(void *context)
{
	struct take *take = context;
	CS_TRY(take_held(take));
	tell_refused(take);
	return CS_OK;
}

static void learn_keys(const struct take *take)
{
	for (size_t i = 0; i < take->wanted_count; i++)
		gateway_key_learn(take->wanted[i].route, take->wanted[i].epoch);
}

static void pause_held(struct gateway_peer *peer, bool moves)
{
	if (moves)
		peer->held_tries = 0;
	else if (peer->held_tries < HELD_TRIES)
		peer->held_tries++;
	peer->held_after_ms =
		host_now_ms() + (peer->held_tries < HELD_TRIES ? HELD_PAUSE_MS : HELD_LONG_MS);
}

void gateway_peer_take_held(struct gateway_peer *peer)
{
	struct gateway *gateway = peer->gateway;
	struct cs_why why = {{0}};
	uint64_t count = 0;
	if (host_now_ms() < peer->held_after_ms || gateway_attested_gate(peer, &why) != CS_OK ||
	    gateway_journal_held_count(gateway->journal, peer->name, &count) != CS_OK)
		return;
	if (count == 0) {
		peer->held_after_ms = host_now_ms() + HELD_LONG_MS;
		return;
	}
	struct take take = {.gateway = gateway, .peer = peer->name, .arena = gateway_arena_new()};
	enum cs_err err = gateway_write(gateway, write_held, &take);
	if (err != CS_OK)
		log_error("peer.held_not_taken", LOG_TEXT("peer", peer->name), LOG_ERR(err));
	pause_held(peer, err == CS_OK && take.moves);
	learn_keys(&take);
	gateway_arena_free(take.arena);
}

/* ---- a push, or a pull ---- */

static enum cs_err write_items(void *context)
{
	struct take *take = context;
	CS_TRY(gateway_journal_held_count(take->gateway->journal, take->peer, &take->held));
	for (size_t i = 0; i < json_array_size(take->items); i++) {
		const json_t *item = json_array_get(take->items, i);
		uint64_t n = (uint64_t)json_integer_value(json_object_get(item, "n"));
		if (n <= take->consumed)
			continue; /* came by the other way before */
		CS_TRY(take_or_hold(take, item));
		if (take->fate == FATE_STAYS)
			break;
		take->consumed = n;
	}
	tell_refused(take);
	return gateway_journal_consume(take->gateway->journal, take->peer, take->instance,
				       take->consumed);
}

/* As gateway_journal_instance gives it. */
static bool is_instance(const char *text)
{
	return text && strlen(text) == INSTANCE_DIGITS &&
	       strspn(text, "0123456789abcdef") == INSTANCE_DIGITS;
}

enum cs_err gateway_peer_take(struct gateway *gateway, const char *peer, const json_t *body,
			      uint64_t *cursor, struct cs_why *why)
{
	static const char *const names[] = {"instance", "after", "items", "more", NULL};
	struct take take = {
		.gateway = gateway, .peer = peer, .arena = gateway_arena_new(), .why = why};
	uint64_t after = 0;
	struct gateway_peer *from = gateway_peer_named(gateway, peer);
	enum cs_err err = from ? gateway_attested_gate(from, why) : CS_OK;
	if (err == CS_OK)
		err = host_json_known(body, names, "body", why);
	take.instance = json_string_value(json_object_get(body, "instance"));
	take.items = json_object_get(body, "items");
	const json_t *more = json_object_get(body, "more");
	if (err == CS_OK && !is_instance(take.instance))
		err = cs_fail(why, CS_ERR_MALFORMED, "instance: not 32 digits of hex");
	if (err == CS_OK && !json_is_array(take.items))
		err = cs_fail(why, CS_ERR_MALFORMED, "items: not a list");
	if (err == CS_OK && more && !json_is_boolean(more))
		err = cs_fail(why, CS_ERR_MALFORMED, "more: neither true nor false");
	if (err == CS_OK)
		err = host_json_read_u64(body, "after", &after, why);
	if (err == CS_OK)
		err = check_numbers(&take);
	if (err == CS_OK)
		err = gateway_journal_consumed(gateway->journal, peer, take.instance,
					       &take.consumed);
	if (err == CS_OK)
		err = gateway_write(gateway, write_items, &take);
	if (err == CS_OK)
		*cursor = take.consumed;
	if (err == CS_OK && from && take.begins)
		pause_held(from, true);
	learn_keys(&take);
	gateway_arena_free(take.arena);
	return err;
}
