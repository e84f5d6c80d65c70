/* What a peer pushes, against a journal that holds messages on both sides. The first byte says who
 * signs: nobody, the remote's key in either domain, or another key; the rest is the body. Statements
 * are signed after the input was changed, over what they then hold, so that it is the reading behind
 * the signature that is reached. What the remote's key did not sign writes no statement and moves no
 * message by one; a message of another route is never touched; a body that is refused changes
 * nothing; one that comes again is not taken again. */
#include "gateway/gateway.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum signer { NOBODY, SECURE, INSECURE, STRANGER };
enum { OURS = 0xaa, REMOTE = 0xbb, OTHER = 0xcc };
#define EPOCH 3u
/* Pushes that share a transaction of the journal. */
#define TURN 500u

/* A message's id is the byte of its row. */
static const struct {
	uint8_t id;
	uint8_t remote;
	enum relay_side side;
	enum relay_state state;
} rows[] = {
	{1, REMOTE, RELAY_SOURCE, RELAY_SIGNED},
	{2, REMOTE, RELAY_SOURCE, RELAY_SUBMITTED},
	{3, REMOTE, RELAY_SOURCE, RELAY_FAILED},
	{4, REMOTE, RELAY_SOURCE, RELAY_OUTCOME_VERIFIED},
	{5, REMOTE, RELAY_DESTINATION, RELAY_SIGNED},
	{6, REMOTE, RELAY_DESTINATION, RELAY_FAILED},
	{7, REMOTE, RELAY_DESTINATION, RELAY_OUTCOME_VERIFIED},
	{8, OTHER, RELAY_SOURCE, RELAY_SIGNED},
	{9, OTHER, RELAY_DESTINATION, RELAY_FAILED},
};

struct counts {
	uint64_t messages;
	uint64_t statements;
	uint64_t outbox;
	uint64_t others;    /* what the rows of the other route hold: a sum that any move changes */
	uint64_t signed_by; /* the same of the statements that rows were signed with */
};

static struct gateway gateway;
static struct gateway_route routes_before[2];
static struct cs_secret remote_key;

enum sql { CLEAR, COUNT = CLEAR + 7, SQL_END = COUNT + 5 };
static struct host_stmt *statements[SQL_END];
static const char *const texts[SQL_END] = {
	"DELETE FROM steps",
	"DELETE FROM contents",
	"DELETE FROM messages",
	"DELETE FROM statements",
	"DELETE FROM outbox",
	"DELETE FROM events",
	"DELETE FROM peers",
	"SELECT count(*) FROM messages",
	"SELECT count(*) FROM statements",
	"SELECT count(*) FROM outbox",
	"SELECT ifnull(sum(state*1000+outcome*100+wish_retry*10+length(why))"
	"+(SELECT count(*) FROM steps s JOIN messages m ON m.n=s.message WHERE m.remote="
	"x'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc'),0) FROM messages "
	"WHERE remote=x'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc'",
	"SELECT ifnull(sum(statement+outcome_statement+outcome),0) FROM messages",
};

static struct cs_hash word_of(uint8_t byte)
{
	struct cs_hash word;
	memset(word.b, byte, sizeof(word.b));
	return word;
}

/* ---- the world ---- */

static void name_chain(struct host_manifest_chain *chain, const char *caip2, uint8_t byte)
{
	(void)snprintf(chain->caip2, sizeof(chain->caip2), "%s", caip2);
	chain->identity = word_of(byte);
}

static void add_route(struct gateway_chain *chain, struct host_manifest_chain *remote,
		      struct gateway_peer *peer)
{
	struct gateway_route *route = &chain->routes[chain->route_count++];
	route->chain = chain;
	route->remote = remote->identity;
	route->remote_manifest = remote;
	route->peers[route->peer_count++] = peer;
	route->epoch = EPOCH;
	route->next_epoch = EPOCH + 1;
	route->next_key = word_of(0x0e);
}

static void make_gateway(void)
{
	static struct gateway_peer_config peers[] = {
		{.name = "b", .chains = {"eip155:2"}, .chain_count = 1},
		{.name = "c", .chains = {"eip155:3"}, .chain_count = 1}};
	struct host_manifest *manifest = &gateway.config.manifest;
	struct gateway_chain *chain = &gateway.chains[0];
	static const struct cs_secret seed = {{9}};
	manifest->number = 1;
	manifest->chain_count = 3;
	name_chain(&manifest->chains[0], "eip155:1", OURS);
	name_chain(&manifest->chains[1], "eip155:2", REMOTE);
	name_chain(&manifest->chains[2], "eip155:3", OTHER);
	gateway.config.chain_count = 1;
	gateway.config.chains[0] = (struct gateway_chain_config){
		.common = {.id = manifest->chains[0].caip2, .manifest = &manifest->chains[0]}};
	gateway.peer_count = 2;
	for (size_t i = 0; i < 2; i++)
		gateway.peers[i] = (struct gateway_peer){
			.gateway = &gateway, .name = peers[i].name, .config = &peers[i]};
	gateway.chain_count = 1;
	chain->gateway = &gateway;
	chain->own = &gateway.config.chains[0];
	chain->config = &chain->own->common;
	chain->manifest = &manifest->chains[0];
	chain->identity = chain->manifest->identity;
	cs_hex(chain->identity_hex, CS_BYTES_OF(chain->identity.b));
	add_route(chain, &manifest->chains[1], &gateway.peers[0]);
	add_route(chain, &manifest->chains[2], &gateway.peers[1]);
	memcpy(routes_before, chain->routes, sizeof(routes_before));
	gateway.sig = cs_sig_new(&seed);
	gateway.awake = true; /* no pump: nothing is sent anywhere */
	cs_arena_init(&gateway.scratch, malloc(GATEWAY_ARENA_SIZE), GATEWAY_ARENA_SIZE);
	memset(remote_key.b, 7, sizeof(remote_key.b));
}

/* As if the enclave had learned the remotes' key of this epoch. */
static enum cs_err write_keys(void *context)
{
	struct cs_hash key;
	(void)context;
	cs_assert(cs_key_x(gateway.sig, &key, &remote_key) == CS_OK);
	for (size_t i = 0; i < 2; i++) {
		char remote[65];
		char name[160];
		cs_hex(remote, CS_BYTES_OF(routes_before[i].remote.b));
		(void)snprintf(name, sizeof(name), "key:%s:%s:%u", gateway.chains[0].identity_hex,
			       remote, EPOCH);
		CS_TRY(gateway_journal_put(gateway.journal, name, CS_BYTES_OF(key.b)));
	}
	return CS_OK;
}

/* The files are open and have no names any more: nothing stays, however the process ends. */
static void open_journal(void)
{
	static const char *const endings[] = {"", "-wal", "-shm", ".lock"};
	char folder[] = "/tmp/caisson-fuzz-XXXXXX";
	char path[96];
	struct cs_why why;
	cs_assert(mkdtemp(folder) != NULL);
	(void)snprintf(path, sizeof(path), "%s/journal.db", folder);
	cs_assert(gateway_journal_open(&gateway.journal, gateway.loop, path, &why) == CS_OK);
	cs_assert(gateway_write(&gateway, write_keys, NULL) == CS_OK);
	cs_assert(host_store_flush(gateway_journal_store(gateway.journal)) == CS_OK);
	for (size_t i = 0; i < CS_LEN(endings); i++) {
		(void)snprintf(path, sizeof(path), "%s/journal.db%s", folder, endings[i]);
		cs_assert(unlink(path) == 0);
	}
	cs_assert(rmdir(folder) == 0);
	for (size_t i = 0; i < SQL_END; i++)
		cs_assert(host_stmt_new(&statements[i], gateway_journal_store(gateway.journal),
					texts[i]) == CS_OK);
}

static void start(void)
{
	host_log_open(&(struct host_log_options){.level = HOST_LOG_ERROR, .fd = 2});
	gateway.loop = host_loop_new();
	make_gateway();
	open_journal();
}

static enum cs_err write_world(void *context)
{
	const struct wire_message content = {.sender = cs_bytes_str("s"),
					     .recipient = cs_bytes_str("r"),
					     .payload = CS_BYTES_NONE};
	(void)context;
	for (size_t i = CLEAR; i < COUNT; i++)
		CS_TRY(host_stmt_run(statements[i]));
	for (size_t i = 0; i < CS_LEN(rows); i++) {
		struct gateway_message row = {.id = word_of(rows[i].id),
					      .side = rows[i].side,
					      .state = rows[i].state,
					      .chain = word_of(OURS),
					      .remote = word_of(rows[i].remote),
					      .sequence = rows[i].id,
					      .deadline = 2000000000,
					      .height = 5,
					      .created_ms = 1};
		CS_TRY(gateway_journal_add(gateway.journal, &row, &content));
	}
	return CS_OK;
}

static uint64_t number(struct host_stmt *stmt)
{
	bool row = false;
	cs_assert(host_stmt_next(stmt, &row) == CS_OK && row);
	uint64_t value = host_column_u64(stmt, 0);
	host_stmt_reset(stmt);
	return value;
}

static struct counts count_all(void)
{
	struct host_stmt *const *at = &statements[COUNT];
	return (struct counts){number(at[0]), number(at[1]), number(at[2]), number(at[3]),
			       number(at[4])};
}

/* ---- signing what an input holds ---- */

static void leave_messages(struct gateway_statement *st, const json_t *list)
{
	size_t mark = cs_arena_mark(&gateway.scratch);
	struct cs_why why;
	for (size_t i = 0; i < json_array_size(list) && i < CS_BATCH_MAX; i++) {
		struct wire_message message;
		if (gateway_json_read_message(json_array_get(list, i), true, &gateway.scratch,
					      &message, &why) == CS_OK)
			st->ids[i] = wire_message_id(&message.head);
		st->count++;
	}
	cs_arena_rewind(&gateway.scratch, mark);
}

static void replace_word(struct cs_hash *word, const json_t *object, const char *name)
{
	struct cs_hash given;
	struct cs_why why;
	if (host_json_read_hash(object, name, &given, &why) == CS_OK)
		*word = given;
}

static uint64_t number_or(const json_t *object, const char *name, uint64_t otherwise)
{
	uint64_t value = 0;
	struct cs_why why;
	return host_json_read_u64(object, name, &value, &why) == CS_OK ? value : otherwise;
}

static void leave_outcomes(struct gateway_statement *st, const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list) && i < CS_BATCH_MAX; i++) {
		const json_t *outcome = json_array_get(list, i);
		replace_word(&st->ids[i], outcome, "id");
		st->statuses[i] = (uint8_t)number_or(outcome, "status", 0);
		st->count++;
	}
}

/* Chains, epoch and manifest are the input's where it has them. */
static void fill(struct gateway_statement *st, const json_t *item)
{
	const json_t *given = json_object_get(item, "statement");
	const char *kind = json_string_value(json_object_get(item, "kind"));
	bool ours = kind && strcmp(kind, "in_force") == 0;
	memset(st, 0, sizeof(*st));
	st->statement.kind = WIRE_KIND_ROTATION;
	st->statement.signer = word_of(ours ? OURS : REMOTE);
	st->statement.receiver = word_of(ours ? REMOTE : OURS);
	replace_word(&st->statement.signer, given, "signer");
	replace_word(&st->statement.receiver, given, "receiver");
	st->statement.epoch = number_or(given, "epoch", EPOCH);
	st->statement.manifest_number = number_or(given, "manifest", 1);
	if (kind && strcmp(kind, "messages") == 0) {
		st->statement.kind = WIRE_KIND_MESSAGE;
		leave_messages(st, json_object_get(item, "messages"));
	} else if (kind && strcmp(kind, "outcomes") == 0) {
		st->statement.kind = WIRE_KIND_OUTCOME;
		leave_outcomes(st, json_object_get(item, "outcomes"));
	} else {
		st->count = 1;
		replace_word(&st->ids[0], item, "key");
	}
}

static void sign_item(json_t *item, enum signer signer)
{
	static struct gateway_statement st;
	static const struct cs_hash aux;
	struct cs_hash leaves[CS_BATCH_MAX];
	struct cs_secret key = remote_key;
	if (!json_is_object(json_object_get(item, "statement")))
		return;
	fill(&st, item);
	if (st.count == 0)
		return;
	gateway_leaves(leaves, &st);
	st.statement.root = wire_root(leaves, st.count);
	struct cs_hash digest = wire_digest(&st.statement, signer == SECURE ? WIRE_DOMAIN_SECURE
									    : WIRE_DOMAIN_INSECURE);
	key.b[31] ^= signer == STRANGER;
	cs_assert(cs_schnorr_sign(gateway.sig, &st.signature, &key, &digest, &aux) == CS_OK);
	(void)json_object_set_new(item, "statement", gateway_json_statement(&st, NULL));
}

/* ---- one push ---- */

static bool is_same_route(const struct gateway_route *a, const struct gateway_route *b)
{
	return a->epoch == b->epoch && a->announced_statement == b->announced_statement;
}

static void check_refused(struct counts before)
{
	struct counts after = count_all();
	cs_assert(memcmp(&before, &after, sizeof(after)) == 0);
	for (size_t i = 0; i < 2; i++)
		cs_assert(is_same_route(&gateway.chains[0].routes[i], &routes_before[i]));
}

static void check_taken(struct counts before, const json_t *body, enum signer signer,
			uint64_t cursor)
{
	struct counts after = count_all();
	struct cs_why why;
	uint64_t again = 0;
	uint64_t consumed = 0;
	cs_assert(after.others == before.others);
	cs_assert(is_same_route(&gateway.chains[0].routes[1], &routes_before[1]));
	if (signer == NOBODY || signer == STRANGER)
		cs_assert(after.messages == before.messages &&
			  after.statements == before.statements &&
			  after.signed_by == before.signed_by);
	cs_assert(gateway_journal_consumed(gateway.journal, "b",
					   json_string_value(json_object_get(body, "instance")),
					   &consumed) == CS_OK &&
		  consumed == cursor);
	cs_assert(gateway_peer_take(&gateway, "b", body, &again, &why) == CS_OK && again == cursor);
	struct counts then = count_all();
	cs_assert(memcmp(&after, &then, sizeof(then)) == 0);
}

static void push(json_t *body, enum signer signer)
{
	struct cs_why why = {{0}};
	uint64_t cursor = 0;
	json_t *items = json_object_get(body, "items");
	for (size_t i = 0; signer != NOBODY && i < json_array_size(items); i++)
		sign_item(json_array_get(items, i), signer);
	memcpy(gateway.chains[0].routes, routes_before, sizeof(routes_before));
	cs_assert(gateway_write(&gateway, write_world, NULL) == CS_OK);
	const struct counts before = count_all();
	if (gateway_peer_take(&gateway, "b", body, &cursor, &why) == CS_OK) {
		check_taken(before, body, signer, cursor);
	} else {
		cs_assert(why.text[0] != 0);
		check_refused(before);
	}
	cs_assert(!gateway.failed);
}

static bool is_second(void *context)
{
	return ++*(unsigned *)context > 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned count;
	unsigned turns = 0;
	if (gateway.loop == NULL)
		start();
	if (size == 0 || size > 65536)
		return 0;
	json_t *body = json_loadb((const char *)data + 1, size - 1, JSON_REJECT_DUPLICATES, NULL);
	if (body == NULL)
		return 0;
	push(body, (enum signer)(data[0] % 4));
	json_decref(body);
	if (++count % TURN == 0)
		cs_assert(host_loop_run_until(gateway.loop, is_second, &turns, 10000) == CS_OK);
	return 0;
}
