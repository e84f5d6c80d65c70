#include "relay_state/node/peers.h"

#include "host/alloc.h"
#include "host/log.h"
#include "relay_state/node/attest_maker.h"
#include "relay_state/node/hello.h"

#include <stdlib.h>
#include <string.h>

/*~ A connection begins as a stranger: TLS tells the id of the other end's key. Then each end says
 * HELLO: which chain it is on, and, if it validates, a signature of its validator key over what both
 * know of this session alone (the TLS exporter) and over who is who in it. So nobody can show one
 * peer's proof to another peer, nor give it back to its maker. */

#define PROOF_PREFIX "caisson/node/validator/v1"
#define PROOF_SIZE (sizeof PROOF_PREFIX - 1 + 20 + 20 + 32 + NODE_LINK_EXPORTER_SIZE)
#define TICK_MS 1000u
/* Collateral is fetched by somebody else, and runs out. */
#define RELOAD_MS (10u * 60 * 1000)

struct dial {
	struct cs_address id;
	const char *text; /* the caller's, behind the @ */
	bool is_name;
	struct host_name name;
	struct host_address address; /* of a name: the one that was found last */
	struct host_resolving *resolving;
	uint32_t attempts;
	struct host_timer *timer;
	struct node_peers *peers;
	uint64_t pause_ms;
};

enum stage { STAGE_FREE = 0, STAGE_STRANGER, STAGE_PEER };

struct connection {
	struct node_peers *peers;
	enum stage stage;
	struct node_link *link;
	struct dial *dial; /* NULL: the other end came to us */
	struct node_peer_info info;
	uint64_t heard_ms;
	uint64_t number; /* of all, rising */
	uint32_t peer;
};

struct ban {
	struct cs_address id;
	uint64_t until_ms;
};

struct node_peers {
	struct host_loop *loop;
	struct node_peers_events events;
	void *context;
	struct node_peers_options options;
	struct node_tls *tls;
	uint8_t spki[NODE_ATTEST_SPKI_SIZE_MAX];
	struct node_maker *maker; /* NULL: no evidence is shown */
	struct node_judge *judge; /* NULL: none is asked for */
	uint64_t reload_ms;
	uint64_t evidence_refused;
	struct host_listener *listener;
	struct host_timer *tick;
	struct dial dials[NODE_DIAL_MAX];
	size_t dial_count;
	uint64_t connection_number;
	struct connection *connections[BFT_PEERS_MAX + NODE_DIAL_MAX + NODE_STRANGERS_MAX];
	struct connection *peers[BFT_PEERS_MAX];
	struct ban bans[NODE_BANS_MAX];
	size_t ban_next;
	uint64_t dropped;
	struct node_traffic traffic[NODE_TRAFFIC_KINDS];
};

static struct node_traffic *traffic_of(struct node_peers *p, struct cs_bytes message)
{
	struct cs_pb_field field;
	bool known = cs_pb_next(&message, &field) == CS_OK && field.number < NODE_TRAFFIC_KINDS;
	return &p->traffic[known ? field.number : NODE_TRAFFIC_KINDS - 1];
}

/* ---- bans ---- */

static bool is_banned(const struct node_peers *p, const struct cs_address *id)
{
	for (size_t i = 0; i < NODE_BANS_MAX; i++) {
		if (p->bans[i].until_ms > host_now_ms() && cs_address_eq(&p->bans[i].id, id))
			return true;
	}
	return false;
}

/* ---- the end of a connection ---- */

static void dial_later(struct dial *dial)
{
	host_timer_start(dial->timer, dial->pause_ms, 0);
	dial->pause_ms = 2 * dial->pause_ms < NODE_RECONNECT_MAX_MS ? 2 * dial->pause_ms
								    : NODE_RECONNECT_MAX_MS;
}

static bool is_connected(const struct node_peers *p, const struct cs_address *id)
{
	for (size_t i = 0; i < BFT_PEERS_MAX; i++) {
		if (p->peers[i] != NULL && cs_address_eq(&p->peers[i]->info.id, id))
			return true;
	}
	return false;
}

static void drop(struct connection *c, const char *why)
{
	struct node_peers *p = c->peers;
	char id[NODE_ID_SIZE];
	node_id_text(id, &c->info.id);
	if (c->stage == STAGE_PEER) {
		log_info("peer.down", LOG_TEXT("id", id), LOG_TEXT("why", why));
		p->peers[c->peer] = NULL;
	} else {
		log_debug("peer.refused", LOG_TEXT("id", id), LOG_TEXT("why", why));
	}
	for (size_t i = 0; i < CS_LEN(p->connections); i++) {
		if (p->connections[i] == c)
			p->connections[i] = NULL;
	}
	node_link_free(c->link);
	/* The other connection of two may be the one that stays. */
	for (size_t i = 0; i < p->dial_count; i++) {
		struct dial *dial = &p->dials[i];
		if ((c->dial == dial || cs_address_eq(&dial->id, &c->info.id)) &&
		    !host_timer_is_running(dial->timer) && dial->resolving == NULL)
			dial_later(dial);
	}
	if (c->stage == STAGE_PEER)
		p->events.down(p->context, c->peer);
	free(c);
}

/* ---- who is there ---- */

static void proof_bytes(uint8_t out[PROOF_SIZE], const struct connection *c,
			const struct cs_address *signer, const struct cs_address *other)
{
	struct cs_buf buf;
	uint8_t exporter[NODE_LINK_EXPORTER_SIZE];
	node_link_exporter(c->link, exporter);
	cs_buf_init(&buf, out, PROOF_SIZE);
	cs_put(&buf, cs_bytes(PROOF_PREFIX, sizeof PROOF_PREFIX - 1));
	cs_put(&buf, CS_BYTES_OF(signer->b));
	cs_put(&buf, CS_BYTES_OF(other->b));
	cs_put(&buf, CS_BYTES_OF(c->peers->options.genesis_hash->b));
	cs_put(&buf, CS_BYTES_OF(exporter));
	cs_assert(cs_buf_end(&buf) == CS_OK && buf.n == PROOF_SIZE);
}

static void say_hello(struct connection *c)
{
	const struct node_peers_options *o = &c->peers->options;
	struct node_hello hello = {.version = NODE_HELLO_VERSION,
				   .chain_id = cmt_chain_id_bytes(o->chain_id),
				   .genesis = CS_BYTES_OF(o->genesis_hash->b),
				   .moniker = cs_bytes_str(o->moniker)};
	uint8_t bytes[NODE_HELLO_SIZE_MAX], proof[PROOF_SIZE], signature[64];
	struct cs_buf buf;
	if (o->validator_key != NULL) {
		proof_bytes(proof, c, &o->node_key->address, &c->info.id);
		if (cs_ed25519_sign(signature, &o->validator_key->secret, CS_BYTES_OF(proof)) ==
		    CS_OK) {
			hello.key = CS_BYTES_OF(o->validator_key->key.b);
			hello.signature = CS_BYTES_OF(signature);
		}
	}
	cs_buf_init(&buf, bytes, sizeof bytes);
	node_hello_encode(&buf, &hello);
	cs_assert(cs_buf_end(&buf) == CS_OK);
	(void)!node_link_send(c->link, NODE_FRAME_HELLO, cs_buf_view(&buf), SIZE_MAX, false);
}

static enum cs_err check_proof(struct connection *c, const struct node_hello *hello)
{
	struct cs_ed25519_key validator;
	uint8_t proof[PROOF_SIZE];
	if (hello->key.n == 0)
		return CS_OK;
	memcpy(validator.b, hello->key.p, sizeof validator.b);
	proof_bytes(proof, c, &c->info.id, &c->peers->options.node_key->address);
	CS_TRY(cs_ed25519_verify(&validator, CS_BYTES_OF(proof), hello->signature));
	c->info.is_validator = true;
	c->info.validator = cmt_address(&validator);
	return CS_OK;
}

static enum cs_err read_hello(struct connection *c, struct cs_bytes bytes)
{
	const struct node_peers_options *o = &c->peers->options;
	struct node_hello hello;
	CS_TRY(node_hello_decode(&hello, bytes));
	if (hello.version != NODE_HELLO_VERSION)
		return CS_ERR_WRONG_SCHEMA;
	if (!cs_bytes_eq(hello.chain_id, cmt_chain_id_bytes(o->chain_id)) ||
	    !cs_bytes_eq(hello.genesis, CS_BYTES_OF(o->genesis_hash->b)))
		return CS_ERR_WRONG_CHAIN;
	host_plain_text(c->info.moniker, sizeof c->info.moniker, (const char *)hello.moniker.p,
			hello.moniker.n);
	return check_proof(c, &hello);
}

/* ---- a stranger becomes a peer ---- */

static bool is_known(const struct node_peers *p, const struct cs_address *id)
{
	for (size_t i = 0; i < p->dial_count; i++) {
		if (cs_address_eq(&p->dials[i].id, id))
			return true;
	}
	return false;
}

static uint32_t unknown_count(const struct node_peers *p)
{
	uint32_t count = 0;
	for (size_t i = 0; i < BFT_PEERS_MAX; i++)
		count += p->peers[i] != NULL && !is_known(p, &p->peers[i]->info.id);
	return count;
}

/* Of two connections between the same nodes both ends keep the one that the lower id has dialed;
 * of two that one end has dialed the later, for the earlier is a dead one. */
static bool is_better(const struct connection *c, const struct connection *old)
{
	const struct cs_address *own = &c->peers->options.node_key->address;
	bool own_is_lower = memcmp(own->b, c->info.id.b, sizeof own->b) < 0;
	if (c->info.is_outbound == old->info.is_outbound)
		return true;
	return c->info.is_outbound == own_is_lower;
}

static uint32_t free_place(const struct node_peers *p)
{
	for (uint32_t i = 0; i < BFT_PEERS_MAX; i++) {
		if (p->peers[i] == NULL)
			return i;
	}
	return BFT_PEER_NONE;
}

static void welcome(struct connection *c)
{
	struct node_peers *p = c->peers;
	for (size_t i = 0; i < BFT_PEERS_MAX; i++) {
		struct connection *old = p->peers[i];
		if (old == NULL || !cs_address_eq(&old->info.id, &c->info.id))
			continue;
		if (!is_better(c, old))
			return drop(c, "there is another connection");
		drop(old, "there is a better connection");
	}
	uint32_t place = free_place(p);
	if (place == BFT_PEER_NONE ||
	    (!is_known(p, &c->info.id) && unknown_count(p) >= p->options.unknown_max))
		return drop(c, "no room for another peer");
	c->stage = STAGE_PEER;
	c->peer = place;
	c->info.since_ms = host_now_ms();
	p->peers[place] = c;
	node_link_trust_size(c->link,
			     p->options.takes_chunks ? NODE_FRAME_SIZE_SYNC : NODE_FRAME_SIZE_MAX);
	for (size_t i = 0; i < p->dial_count; i++) {
		if (cs_address_eq(&p->dials[i].id, &c->info.id)) {
			p->dials[i].pause_ms = NODE_RECONNECT_MIN_MS;
			host_timer_stop(p->dials[i].timer);
			c->info.dialed = p->dials[i].text;
		}
	}
	node_link_remote(c->link, c->info.remote);
	char id[NODE_ID_SIZE];
	node_id_text(id, &c->info.id);
	log_info("peer.up", LOG_TEXT("id", id), LOG_TEXT("moniker", c->info.moniker),
		 LOG_BOOL("outbound", c->info.is_outbound),
		 LOG_BOOL("validator", c->info.is_validator));
	p->events.up(p->context, place, c->info.is_validator ? &c->info.validator : NULL);
}

/* ---- evidence ---- */

static void on_made(void *context, struct cs_bytes extension, uint64_t issued_s)
{
	struct node_peers *p = context;
	struct cs_why why = {{0}};
	if (node_tls_attest(p->tls, extension, issued_s, &why) != CS_OK)
		log_error("node.evidence_failed", LOG_TEXT("why", why.text));
}

/* Before a word is said to it, or heard from it. */
static bool is_admitted(struct node_peers *p, const struct connection *c)
{
	struct node_attest_shown shown;
	struct node_verdict verdict;
	char id[NODE_ID_SIZE];
	if (p->judge == NULL)
		return true;
	if (node_link_shown(c->link, &shown) != CS_OK)
		shown.extension_size = 0;
	node_judge_peer(p->judge, &verdict, &shown, host_wall_ms() / 1000);
	node_id_text(id, &c->info.id);
	if (verdict.is_admitted) {
		log_info("peer.evidence", LOG_TEXT("id", id), LOG_TEXT("kind", verdict.kind),
			 LOG_TEXT("build", verdict.label),
			 LOG_BOOL("insecure", verdict.is_insecure));
		return true;
	}
	p->evidence_refused++;
	log_warn("peer.evidence_refused", LOG_TEXT("id", id), LOG_TEXT("kind", verdict.kind),
		 LOG_TEXT("check", verdict.check), LOG_TEXT("why", verdict.detail));
	return false;
}

static void reload(struct node_peers *p)
{
	struct cs_why why = {{0}};
	if (p->judge == NULL || host_now_ms() < p->reload_ms)
		return;
	p->reload_ms = host_now_ms() + RELOAD_MS;
	if (node_judge_reload(p->judge, &why) != CS_OK)
		log_error("node.collateral_failed", LOG_TEXT("why", why.text));
}

static enum cs_err start_maker(struct node_peers *p, struct cs_why *why)
{
	const struct node_peers_options *o = &p->options;
	size_t size = 0;
	CS_TRY(node_tls_spki(p->tls, p->spki, &size));
	const struct node_maker_options options = {.backend = o->evidence_backend,
						   .state_folder = o->evidence_state_folder,
						   .spki = cs_bytes(p->spki, size),
						   .genesis_hash = o->genesis_hash};
	if (strcmp(o->evidence_backend, "simulated") == 0)
		log_warn("node.insecure",
			 LOG_TEXT("what", "simulated evidence: anybody can write it"));
	return node_maker_new(&p->maker, p->loop, &options, on_made, p, why);
}

static enum cs_err start_evidence(struct node_peers *p, struct cs_why *why)
{
	const struct node_peers_options *o = &p->options;
	const struct node_judge_options options = {.policy_file = o->evidence_policy,
						   .collateral = o->evidence_collateral,
						   .roots = o->evidence_roots,
						   .genesis_hash = o->genesis_hash};
	if (o->evidence_backend != NULL)
		CS_TRY(start_maker(p, why));
	if (o->evidence_policy == NULL)
		return CS_OK;
	CS_TRY(node_judge_new(&p->judge, &options, why));
	p->reload_ms = host_now_ms() + RELOAD_MS;
	if (node_judge_is_insecure(p->judge))
		log_warn("node.insecure",
			 LOG_TEXT("what", "the evidence policy has an insecure_accept_ option"));
	return CS_OK;
}

/* ---- what a link says ---- */

static void on_ready(void *context, const struct cs_address *id)
{
	struct connection *c = context;
	c->info.id = *id;
	if (c->dial != NULL && !cs_address_eq(&c->dial->id, id))
		return drop(c, "another node answers at this address");
	if (cs_address_eq(&c->peers->options.node_key->address, id))
		return drop(c, "it is this node");
	if (is_banned(c->peers, id))
		return drop(c, "it is banned");
	if (!is_admitted(c->peers, c))
		return drop(c, "its evidence is refused");
	say_hello(c);
}

static void on_frame(void *context, uint8_t type, struct cs_bytes bytes)
{
	struct connection *c = context;
	struct node_peers *p = c->peers;
	c->heard_ms = host_now_ms();
	c->info.received += bytes.n;
	if (c->stage == STAGE_STRANGER) {
		enum cs_err err =
			type == NODE_FRAME_HELLO ? read_hello(c, bytes) : CS_ERR_MALFORMED;
		if (err == CS_OK)
			return welcome(c);
		return drop(c, cs_err_sentence(err));
	}
	if (type == NODE_FRAME_CONSENSUS) {
		traffic_of(p, bytes)->received += bytes.n;
		return p->events.consensus(p->context, c->peer, bytes);
	}
	if (type == NODE_FRAME_TX) {
		p->traffic[0].received += bytes.n;
		return p->events.tx(p->context, c->peer, bytes);
	}
	if (type == NODE_FRAME_SYNC)
		return p->events.sync(p->context, c->peer, bytes);
	node_peers_ban(p, c->peer, CS_ERR_MALFORMED);
}

static void on_drained(void *context)
{
	struct connection *c = context;
	if (c->stage == STAGE_PEER)
		c->peers->events.drained(c->peers->context, c->peer);
}

static void on_ended(void *context, enum cs_err err, const char *why)
{
	(void)err;
	drop(context, why);
}

static const struct node_link_events link_events = {on_ready, on_frame, on_drained, on_ended};

/* Whoever holds all places with connections that say nothing must not keep others out: the one that
 * has been silent for longest goes. */
static void make_room(struct node_peers *p)
{
	struct connection *oldest = NULL;
	size_t strangers = 0;
	for (size_t i = 0; i < CS_LEN(p->connections); i++) {
		struct connection *c = p->connections[i];
		if (c == NULL || c->stage != STAGE_STRANGER || c->dial != NULL)
			continue;
		strangers++;
		if (oldest == NULL || c->number < oldest->number)
			oldest = c;
	}
	if (strangers >= NODE_STRANGERS_MAX)
		drop(oldest, "no room for so many strangers");
}

/* NULL: no place. Strangers do not take those of peers and dials. */
static struct connection *new_connection(struct node_peers *p)
{
	size_t at = 0;
	while (at < CS_LEN(p->connections) && p->connections[at] != NULL)
		at++;
	if (at == CS_LEN(p->connections))
		return NULL;
	struct connection *c = host_alloc(sizeof *c);
	c->number = p->connection_number++;
	c->peers = p;
	c->stage = STAGE_STRANGER;
	c->heard_ms = host_now_ms();
	p->connections[at] = c;
	return c;
}

static void on_accepted(void *context, struct host_stream *stream)
{
	struct node_peers *p = context;
	make_room(p);
	struct connection *c = new_connection(p);
	if (c == NULL) {
		host_stream_free(stream);
		return;
	}
	c->link = node_link_accept(p->tls, p->loop, stream, &link_events, c);
}

static void connect_to(struct dial *dial)
{
	struct node_peers *p = dial->peers;
	struct connection *c = is_banned(p, &dial->id) ? NULL : new_connection(p);
	if (c == NULL)
		return dial_later(dial);
	c->dial = dial;
	c->info.is_outbound = true;
	c->link = node_link_connect(p->tls, p->loop, &dial->address, &link_events, c);
}

/* Of several addresses each attempt takes the next. */
static void on_resolved(void *context, enum cs_err err, const struct host_address *addresses,
			size_t count)
{
	struct dial *dial = context;
	dial->resolving = NULL;
	if (is_connected(dial->peers, &dial->id))
		return;
	if (err != CS_OK) {
		log_debug("peer.no_address", LOG_TEXT("name", dial->name.name), LOG_ERR(err));
		return dial_later(dial);
	}
	dial->address = addresses[dial->attempts++ % count];
	connect_to(dial);
}

static void on_dial(void *context)
{
	struct dial *dial = context;
	struct node_peers *p = dial->peers;
	if (is_connected(p, &dial->id) || dial->resolving != NULL)
		return;
	if (dial->is_name)
		dial->resolving = host_name_resolve(p->loop, &dial->name, on_resolved, dial);
	else
		connect_to(dial);
}

/* A stranger that shook hands and says nothing, a peer that has fallen silent. */
static void on_tick(void *context)
{
	struct node_peers *p = context;
	reload(p);
	for (size_t i = 0; i < CS_LEN(p->connections); i++) {
		struct connection *c = p->connections[i];
		uint64_t patience = c != NULL && c->stage == STAGE_STRANGER
					    ? 2 * NODE_LINK_HANDSHAKE_MS
					    : NODE_SILENCE_MS;
		if (c != NULL && host_now_ms() - c->heard_ms > patience)
			drop(c, "nothing was heard for too long");
	}
}

/* ---- from outside ---- */

static enum cs_err add_dial(struct node_peers *p, const char *text, struct cs_why *why)
{
	struct dial *dial = &p->dials[p->dial_count];
	const char *at = strchr(text, '@');
	if (p->dial_count >= NODE_DIAL_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "more than %u peers", NODE_DIAL_MAX);
	if (at == NULL || at - text != 40 ||
	    cs_unhex(dial->id.b, sizeof dial->id.b, cs_bytes(text, 40)) != CS_OK)
		return cs_fail(why, CS_ERR_INVALID, "\"%s\" is not id@host:port", text);
	dial->text = at + 1;
	dial->is_name = host_address_parse(&dial->address, at + 1, NULL) != CS_OK;
	if (dial->is_name)
		CS_TRY(host_name_parse(&dial->name, at + 1, why));
	if (cs_address_eq(&dial->id, &p->options.node_key->address))
		return CS_OK;
	dial->peers = p;
	dial->pause_ms = NODE_RECONNECT_MIN_MS;
	dial->timer = host_timer_new(p->loop, on_dial, dial);
	host_timer_start(dial->timer, 0, 0);
	p->dial_count++;
	return CS_OK;
}

static enum cs_err start(struct node_peers *p, struct cs_why *why)
{
	struct host_address address;
	CS_TRY(node_tls_new(&p->tls, p->options.node_key, why));
	CS_TRY(start_evidence(p, why));
	CS_TRY(host_address_parse(&address, p->options.listen, why));
	CS_TRY(host_listener_new(&p->listener, p->loop, &address, on_accepted, p, why));
	for (size_t i = 0; i < p->options.dial_count; i++)
		CS_TRY(add_dial(p, p->options.dial[i], why));
	return CS_OK;
}

enum cs_err node_peers_new(struct node_peers **out, struct host_loop *loop,
			   const struct node_peers_options *options,
			   const struct node_peers_events *events, void *context,
			   struct cs_why *why)
{
	struct node_peers *p = host_alloc(sizeof *p);
	p->loop = loop;
	p->events = *events;
	p->context = context;
	p->options = *options;
	p->tick = host_timer_new(loop, on_tick, p);
	host_timer_start(p->tick, TICK_MS, TICK_MS);
	enum cs_err err = start(p, why);
	if (err != CS_OK) {
		node_peers_free(p);
		return err;
	}
	*out = p;
	return CS_OK;
}

uint16_t node_peers_port(const struct node_peers *p)
{
	return host_listener_port(p->listener);
}

static void send_one(struct node_peers *p, struct connection *c, struct cs_bytes message)
{
	enum cs_err err = CS_ERR_TOO_LARGE;
	if (message.n < NODE_FRAME_SIZE_MAX)
		err = node_link_send(c->link, NODE_FRAME_CONSENSUS, message,
				     NODE_QUEUE_CONSENSUS_MAX, false);
	if (err == CS_OK) {
		c->info.sent += message.n;
		traffic_of(p, message)->sent += message.n;
	} else {
		p->dropped++;
	}
}

void node_peers_send(struct node_peers *p, uint32_t peer, struct cs_bytes message)
{
	for (uint32_t i = 0; i < BFT_PEERS_MAX; i++) {
		if (p->peers[i] != NULL && (peer == BFT_PEER_ALL || peer == i))
			send_one(p, p->peers[i], message);
	}
}

enum cs_err node_peers_send_tx(struct node_peers *p, uint32_t peer, struct cs_bytes tx)
{
	if (peer >= BFT_PEERS_MAX || p->peers[peer] == NULL)
		return CS_ERR_CLOSED;
	CS_TRY(node_link_send(p->peers[peer]->link, NODE_FRAME_TX, tx, NODE_QUEUE_TXS_MAX, true));
	p->peers[peer]->info.sent += tx.n;
	p->traffic[0].sent += tx.n;
	return CS_OK;
}

enum cs_err node_peers_send_sync(struct node_peers *p, uint32_t peer, struct cs_bytes message)
{
	if (peer >= BFT_PEERS_MAX || p->peers[peer] == NULL)
		return CS_ERR_CLOSED;
	CS_TRY(node_link_send(p->peers[peer]->link, NODE_FRAME_SYNC, message, NODE_QUEUE_SYNC_MAX,
			      false));
	p->peers[peer]->info.sent += message.n;
	return CS_OK;
}

void node_peers_ban(struct node_peers *p, uint32_t peer, enum cs_err err)
{
	if (peer >= BFT_PEERS_MAX || p->peers[peer] == NULL)
		return;
	struct connection *c = p->peers[peer];
	char id[NODE_ID_SIZE];
	node_id_text(id, &c->info.id);
	log_warn("peer.banned", LOG_TEXT("id", id), LOG_ERR(err));
	p->bans[p->ban_next] = (struct ban){c->info.id, host_now_ms() + NODE_BAN_MS};
	p->ban_next = (p->ban_next + 1) % NODE_BANS_MAX;
	drop(c, "it is banned");
}

uint32_t node_peers_count(const struct node_peers *p)
{
	uint32_t count = 0;
	for (size_t i = 0; i < BFT_PEERS_MAX; i++)
		count += p->peers[i] != NULL;
	return count;
}

const struct node_peer_info *node_peers_info(const struct node_peers *p, uint32_t peer)
{
	return peer < BFT_PEERS_MAX && p->peers[peer] != NULL ? &p->peers[peer]->info : NULL;
}

struct node_traffic node_peers_traffic(const struct node_peers *p, uint32_t kind)
{
	return kind < NODE_TRAFFIC_KINDS ? p->traffic[kind] : (struct node_traffic){0};
}

uint64_t node_peers_dropped(const struct node_peers *p)
{
	return p->dropped;
}

uint64_t node_peers_evidence_refused(const struct node_peers *p)
{
	return p->evidence_refused;
}

void node_peers_free(struct node_peers *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < CS_LEN(p->connections); i++) {
		if (p->connections[i] != NULL)
			node_link_free(p->connections[i]->link);
		free(p->connections[i]);
	}
	for (size_t i = 0; i < p->dial_count; i++) {
		host_timer_free(p->dials[i].timer);
		host_resolve_cancel(p->dials[i].resolving);
	}
	host_timer_free(p->tick);
	host_listener_free(p->listener);
	node_maker_free(p->maker);
	node_judge_free(p->judge);
	node_tls_free(p->tls);
	free(p);
}
