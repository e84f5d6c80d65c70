/* Admission, order and bounds of transactions that wait, with an application that says priorities. */
#include "relay_state/node/mempool.h"
#include "tests/unit/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINE_MS 10000u

/* A transaction is "sender:priority:anything"; "bad…" is refused, "old…" from the recheck on. "gas N"
 * wants N of gas. */
struct scene {
	struct host_loop *loop;
	struct node_application *application;
	struct node_mempool *mempool;
	struct node_peers *peers; /* none */
	bool ready;
	uint32_t available, checks, rechecks;
	uint32_t rechecks_before; /* the last new one */
	uint32_t answers;
	enum cs_err err;
	uint32_t code;
};

static bool begins(struct cs_bytes tx, const char *text)
{
	size_t n = strlen(text);
	return tx.n >= n && memcmp(tx.p, text, n) == 0;
}

static enum cs_err check_tx(void *state, const struct abci_check_tx_request *request,
			    struct abci_check_tx_response *response, const struct abci_call *call)
{
	struct scene *scene = state;
	struct abci_event_attribute *a = cs_arena_calloc(call->arena, 2, sizeof *a);
	struct abci_event *event = cs_arena_calloc(call->arena, 1, sizeof *event);
	const uint8_t *first = memchr(request->tx.p, ':', request->tx.n);
	const uint8_t *end = request->tx.p + request->tx.n;
	bool again = request->type == ABCI_CHECK_TX_RECHECK;
	assert_non_null(a);
	assert_non_null(event);
	scene->checks += !again;
	scene->rechecks += again;
	if (!again)
		scene->rechecks_before = scene->rechecks;
	if (begins(request->tx, "bad") || (again && begins(request->tx, "old")))
		response->code = 7;
	if (begins(request->tx, "gas ") && request->tx.n > 4)
		response->gas_wanted = request->tx.p[4] == '-' ? -1 : request->tx.p[4] - '0';
	if (first == NULL)
		return CS_OK;
	const uint8_t *second = memchr(first + 1, ':', (size_t)(end - first - 1));
	assert_non_null(second);
	a[0].key = cs_bytes_str("sender");
	a[0].value = cs_bytes(request->tx.p, (size_t)(first - request->tx.p));
	a[1].key = cs_bytes_str("priority");
	a[1].value = cs_bytes(first + 1, (size_t)(second - first - 1));
	event->type = cs_bytes_str("mempool");
	event->attributes.items = a;
	event->attributes.count = 2;
	response->events.items = event;
	response->events.count = 1;
	return CS_OK;
}

static void on_ready(void *context)
{
	((struct scene *)context)->ready = true;
}

static void on_failed(void *context, enum cs_err err, const char *why)
{
	(void)context;
	(void)err;
	fail_msg("%s", why);
}

static void on_available(void *context)
{
	((struct scene *)context)->available++;
}

static bool is_ready(void *context)
{
	return ((struct scene *)context)->ready;
}

static void open_scene(struct scene *scene, struct node_mempool_options options)
{
	static const struct abci_client_events events = {on_ready, on_failed};
	memset(scene, 0, sizeof *scene);
	scene->loop = host_loop_new();
	const struct abci_app app = {.state = scene, .check_tx = check_tx};
	const struct node_application_options application = {.app = &app};
	assert_ok(node_application_new(&scene->application, scene->loop, &application, &events,
				       scene, NULL));
	assert_ok(host_loop_run_until(scene->loop, is_ready, scene, DEADLINE_MS));
	scene->mempool =
		node_mempool_new(&options, scene->application, &scene->peers, on_available, scene);
}

static void close_scene(struct scene *scene)
{
	node_application_free(scene->application);
	node_mempool_free(scene->mempool);
	host_loop_free(scene->loop);
}

static void on_added(void *context, enum cs_err err, const char *why,
		     const struct abci_check_tx_response *response)
{
	struct scene *scene = context;
	(void)why;
	scene->answers++;
	scene->err = err;
	scene->code = err == CS_OK ? response->code : 0;
	assert_int_equal(response != NULL, err == CS_OK);
}

static bool is_answered(void *context)
{
	return ((struct scene *)context)->answers > 0;
}

static enum cs_err add(struct scene *scene, const char *tx)
{
	scene->answers = 0;
	node_mempool_add(scene->mempool, cs_bytes_str(tx), BFT_PEER_NONE, on_added, scene);
	assert_ok(host_loop_run_until(scene->loop, is_answered, scene, DEADLINE_MS));
	return scene->err;
}

/* What a proposal would have, with spaces between. */
static void assert_picks(struct scene *scene, size_t size_max, const char *expected)
{
	static uint8_t memory[1 << 20];
	struct cs_arena arena;
	struct abci_bytes_list txs;
	char text[512] = "";
	cs_arena_init(&arena, memory, sizeof memory);
	assert_ok(node_mempool_pick(scene->mempool, &txs, size_max, &arena));
	for (size_t i = 0; i < txs.count; i++) {
		size_t n = strlen(text);
		(void)snprintf(text + n, sizeof text - n, "%s%.*s", i > 0 ? " " : "",
			       (int)txs.items[i].n, (const char *)txs.items[i].p);
	}
	assert_string_equal(text, expected);
}

static bool is_rechecked(void *context)
{
	const struct scene *scene = context;
	return scene->rechecks >= 2;
}

static void priorities_then_age(void **state)
{
	struct scene scene;
	(void)state;
	open_scene(&scene, (struct node_mempool_options){0});
	assert_ok(add(&scene, "a:1:x"));
	assert_ok(add(&scene, "plain"));
	assert_ok(add(&scene, "b:9:x"));
	assert_ok(add(&scene, "c:1:x"));
	assert_ok(add(&scene, "d:-3:x"));
	assert_picks(&scene, 1000, "b:9:x a:1:x c:1:x plain d:-3:x");
	/* Tag and length of each count: 7 bytes the short ones. */
	assert_picks(&scene, 21, "b:9:x a:1:x c:1:x");
	assert_picks(&scene, 20, "b:9:x a:1:x");
	assert_picks(&scene, 0, "");
	assert_int_equal(node_mempool_count(scene.mempool), 5);
	assert_int_equal(node_mempool_bytes(scene.mempool), 26);
	assert_int_equal(scene.available, 1);
	close_scene(&scene);
}

static void what_is_refused(void **state)
{
	struct scene scene;
	(void)state;
	open_scene(&scene, (struct node_mempool_options){
				   .count_max = 3, .tx_size_max = 8, .per_sender_max = 2});
	assert_ok(add(&scene, "a:1:1"));
	assert_err(add(&scene, "a:1:1"), CS_ERR_DUPLICATE);
	assert_ok(add(&scene, "bad"));
	assert_int_equal(scene.code, 7);
	/* Refused by the application: it may be good later, and is asked about again. */
	assert_ok(add(&scene, "bad"));
	assert_int_equal(scene.checks, 3);
	assert_err(add(&scene, "123456789"), CS_ERR_TOO_LARGE);
	assert_ok(add(&scene, "a:1:2"));
	assert_err(add(&scene, "a:1:3"), CS_ERR_FULL);
	assert_ok(add(&scene, "b:1:1"));
	assert_err(add(&scene, "c:9:1"), CS_ERR_FULL);
	assert_int_equal(node_mempool_count(scene.mempool), 3);
	assert_int_equal(node_mempool_counts(scene.mempool).failed, 2);
	assert_int_equal(node_mempool_counts(scene.mempool).rejected, 2);
	node_mempool_flush(scene.mempool);
	assert_int_equal(node_mempool_bytes(scene.mempool), 0);
	assert_ok(add(&scene, "a:1:1"));
	close_scene(&scene);
	open_scene(&scene, (struct node_mempool_options){.bytes_max = 10});
	assert_ok(add(&scene, "123456"));
	assert_err(add(&scene, "12345"), CS_ERR_FULL);
	assert_ok(add(&scene, "1234"));
	close_scene(&scene);
}

/* What no block holds is refused, and goes when blocks become smaller: before the others it would let
 * nothing be proposed any more. */
static void what_a_block_holds(void **state)
{
	struct scene scene;
	(void)state;
	open_scene(&scene, (struct node_mempool_options){0});
	assert_ok(add(&scene, "a:9:123456"));
	assert_ok(add(&scene, "b:1:1"));
	assert_ok(add(&scene, "gas 5"));
	assert_ok(add(&scene, "gas 3"));
	assert_picks(&scene, 1000, "a:9:123456 b:1:1 gas 5 gas 3");
	node_mempool_bound(scene.mempool, 10, 7);
	assert_picks(&scene, 1000, "b:1:1 gas 5");
	assert_int_equal(node_mempool_count(scene.mempool), 3);
	assert_int_equal(node_mempool_counts(scene.mempool).evicted, 1);
	assert_err(add(&scene, "123456789"), CS_ERR_TOO_LARGE);
	assert_ok(add(&scene, "12345678"));
	assert_int_equal(scene.checks, 5);
	assert_err(add(&scene, "gas 8"), CS_ERR_TOO_LARGE);
	assert_err(add(&scene, "gas -"), CS_ERR_TOO_LARGE);
	assert_int_equal(node_mempool_counts(scene.mempool).failed, 2);
	assert_picks(&scene, 1000, "b:1:1 gas 5");
	node_mempool_bound(scene.mempool, 10, 4);
	assert_picks(&scene, 1000, "b:1:1 gas 3 12345678");
	/* Larger ones again: what was refused and what went may come back. */
	node_mempool_bound(scene.mempool, 1000, -1);
	assert_ok(add(&scene, "123456789"));
	assert_ok(add(&scene, "gas 8"));
	assert_ok(add(&scene, "gas 5"));
	assert_ok(add(&scene, "a:9:123456"));
	assert_picks(&scene, 1000, "a:9:123456 b:1:1 gas 3 12345678 123456789 gas 8 gas 5");
	close_scene(&scene);
}

static void after_a_block(void **state)
{
	struct scene scene;
	const struct abci_tx_result results[] = {{.code = 0}, {.code = 4}};
	const struct cs_bytes txs[] = {cs_bytes_str("in"), cs_bytes_str("failed")};
	struct abci_finalize_block_response response = {0};
	(void)state;
	response.tx_results.items = results;
	response.tx_results.count = 2;
	open_scene(&scene, (struct node_mempool_options){.recheck = true});
	assert_ok(add(&scene, "in"));
	assert_ok(add(&scene, "failed"));
	assert_ok(add(&scene, "old one"));
	assert_ok(add(&scene, "stays"));
	node_mempool_update(scene.mempool, 1, txs, 2, &response);
	assert_int_equal(scene.available, 2);
	assert_ok(host_loop_run_until(scene.loop, is_rechecked, &scene, DEADLINE_MS));
	assert_picks(&scene, 1000, "stays");
	assert_int_equal(node_mempool_counts(scene.mempool).rechecked, 2);
	assert_int_equal(node_mempool_counts(scene.mempool).evicted, 1);
	assert_err(add(&scene, "in"), CS_ERR_DUPLICATE);
	assert_ok(add(&scene, "failed"));
	assert_ok(add(&scene, "old one"));
	/* Of others' proposals nothing need be here. */
	node_mempool_update(scene.mempool, 2, txs, 1, &response);
	assert_int_equal(node_mempool_count(scene.mempool), 3);
	close_scene(&scene);
}

/* While a block is committed the application forgets what waits: what comes then is asked about behind that, in
 * its order. */
static void while_a_block_is_committed(void **state)
{
	struct scene scene;
	struct abci_finalize_block_response response = {0};
	(void)state;
	open_scene(&scene, (struct node_mempool_options){.recheck = true});
	assert_ok(add(&scene, "one"));
	assert_ok(add(&scene, "two"));
	scene.answers = 0;
	node_mempool_hold(scene.mempool);
	node_mempool_add(scene.mempool, cs_bytes_str("three"), BFT_PEER_NONE, on_added, &scene);
	node_mempool_hold(scene.mempool);
	node_mempool_add(scene.mempool, cs_bytes_str("four"), BFT_PEER_NONE, NULL, NULL);
	node_mempool_update(scene.mempool, 1, NULL, 0, &response);
	assert_ok(host_loop_run_until(scene.loop, is_answered, &scene, DEADLINE_MS));
	assert_int_equal(scene.rechecks_before, 2);
	assert_ok(add(&scene, "five"));
	assert_picks(&scene, 1000, "one two three four five");
	/* What still waits when the node ends is given back. */
	node_mempool_hold(scene.mempool);
	node_mempool_add(scene.mempool, cs_bytes_str("six"), BFT_PEER_NONE, NULL, NULL);
	close_scene(&scene);
}

/* More hashes than are remembered: the oldest go, the rest is found. */
static void many(void **state)
{
	struct scene scene;
	static struct cs_bytes txs[4000];
	static char texts[4000][24];
	static struct abci_tx_result results[4000];
	struct abci_finalize_block_response response = {0};
	(void)state;
	open_scene(&scene, (struct node_mempool_options){0});
	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < 4000; i++) {
			(void)snprintf(texts[i], sizeof texts[i], "%d-%d", round, i);
			txs[i] = cs_bytes_str(texts[i]);
			node_mempool_add(scene.mempool, txs[i], BFT_PEER_NONE, NULL, NULL);
		}
		/* Answers come in order: with this one all are there. */
		char last[24];
		(void)snprintf(last, sizeof last, "last %d", round);
		assert_ok(add(&scene, last));
		assert_int_equal(node_mempool_count(scene.mempool), 4001);
		response.tx_results.items = results;
		response.tx_results.count = 4000;
		node_mempool_update(scene.mempool, round + 1, txs, 4000, &response);
		const struct cs_bytes last_tx = cs_bytes_str(last);
		node_mempool_update(scene.mempool, round + 1, &last_tx, 1, &response);
		assert_int_equal(node_mempool_count(scene.mempool), 0);
		assert_err(add(&scene, texts[0]), CS_ERR_DUPLICATE);
	}
	/* Of the first round nothing is remembered any more. */
	assert_ok(add(&scene, "0-0"));
	assert_err(add(&scene, "3-3999"), CS_ERR_DUPLICATE);
	close_scene(&scene);
}

/* ---- the mesh ---- */

/* [0] has the mempool, [1] and [2] are connected to it and not to each other. */
struct mesh_node {
	struct mesh *mesh;
	struct node_key node_key, validator_key;
	struct node_peers *peers;
	uint32_t txs;
	char last[24];
};

struct mesh {
	struct scene scene;
	struct cmt_chain_id chain_id;
	struct cs_hash genesis;
	struct mesh_node nodes[3];
};

static void on_mesh_up(void *context, uint32_t peer, const struct cs_address *validator)
{
	const struct mesh_node *n = context;
	assert_non_null(validator);
	if (n == &n->mesh->nodes[0])
		node_mempool_peer_up(n->mesh->scene.mempool, peer);
}

static void on_mesh_down(void *context, uint32_t peer)
{
	const struct mesh_node *n = context;
	if (n == &n->mesh->nodes[0])
		node_mempool_peer_down(n->mesh->scene.mempool, peer);
}

static void on_mesh_message(void *context, uint32_t peer, struct cs_bytes message)
{
	(void)context, (void)peer, (void)message;
}

static void on_mesh_tx(void *context, uint32_t peer, struct cs_bytes tx)
{
	struct mesh_node *n = context;
	(void)peer;
	n->txs++;
	assert_true(tx.n < sizeof n->last);
	memcpy(n->last, tx.p, tx.n);
	n->last[tx.n] = 0;
}

static void on_mesh_drained(void *context, uint32_t peer)
{
	(void)context, (void)peer;
}

static const struct node_peers_events mesh_events = {on_mesh_up, on_mesh_down,    on_mesh_message,
						     on_mesh_tx, on_mesh_drained, on_mesh_message};

static void open_mesh_node(struct mesh *mesh, int i, const char *dial)
{
	struct mesh_node *n = &mesh->nodes[i];
	const char *dials[] = {dial};
	n->mesh = mesh;
	assert_ok(node_key_make(&n->node_key, NULL));
	assert_ok(node_key_make(&n->validator_key, NULL));
	const struct node_peers_options options = {.listen = "tcp://127.0.0.1:0",
						   .dial = dials,
						   .dial_count = dial != NULL,
						   .unknown_max = 4,
						   .node_key = &n->node_key,
						   .validator_key = &n->validator_key,
						   .chain_id = &mesh->chain_id,
						   .genesis_hash = &mesh->genesis,
						   .moniker = "mesh"};
	assert_ok(node_peers_new(&n->peers, mesh->scene.loop, &options, &mesh_events, n, NULL));
}

static bool is_meshed(void *context)
{
	return node_peers_count(((const struct mesh *)context)->nodes[0].peers) == 2;
}

static bool all_have_the_second(void *context)
{
	const struct mesh *mesh = context;
	return strcmp(mesh->nodes[1].last, "second") == 0 &&
	       strcmp(mesh->nodes[2].last, "second") == 0;
}

/* Blocks that carry nothing go by. */
static bool is_mended(void *context)
{
	struct mesh *mesh = context;
	const struct abci_finalize_block_response response = {0};
	node_mempool_update(mesh->scene.mempool, 1, NULL, 0, &response);
	return strcmp(mesh->nodes[2].last, "first") == 0;
}

static uint32_t peer_of(const struct mesh *mesh, int i)
{
	for (uint32_t p = 0; p < BFT_PEERS_MAX; p++) {
		const struct node_peer_info *info = node_peers_info(mesh->nodes[0].peers, p);
		if (info != NULL && cs_address_eq(&info->id, &mesh->nodes[i].node_key.address))
			return p;
	}
	fail_msg("node %d is no peer", i);
	return BFT_PEER_NONE;
}

/* What a validator told is not told to other validators, until it has stayed too long; to itself
 * never. What came from elsewhere is told at once. */
static void the_mesh_tells_itself(void **state)
{
	struct mesh *mesh = calloc(1, sizeof *mesh);
	char address[128], id[NODE_ID_SIZE];
	(void)state;
	assert_non_null(mesh);
	open_scene(&mesh->scene, (struct node_mempool_options){.broadcast = true});
	assert_ok(cmt_chain_id_set(&mesh->chain_id, cs_bytes_str("mesh")));
	open_mesh_node(mesh, 0, NULL);
	mesh->scene.peers = mesh->nodes[0].peers;
	node_id_text(id, &mesh->nodes[0].node_key.address);
	(void)snprintf(address, sizeof address, "%s@127.0.0.1:%u", id,
		       node_peers_port(mesh->nodes[0].peers));
	open_mesh_node(mesh, 1, address);
	open_mesh_node(mesh, 2, address);
	assert_ok(host_loop_run_until(mesh->scene.loop, is_meshed, mesh, DEADLINE_MS));
	node_mempool_add(mesh->scene.mempool, cs_bytes_str("first"), peer_of(mesh, 1), NULL, NULL);
	assert_ok(add(&mesh->scene, "second"));
	assert_ok(host_loop_run_until(mesh->scene.loop, all_have_the_second, mesh, DEADLINE_MS));
	/* In order: the first would have come before. */
	assert_int_equal(mesh->nodes[1].txs, 1);
	assert_int_equal(mesh->nodes[2].txs, 1);
	assert_ok(host_loop_run_until(mesh->scene.loop, is_mended, mesh, DEADLINE_MS));
	assert_int_equal(mesh->nodes[1].txs, 1);
	assert_int_equal(mesh->nodes[2].txs, 2);
	for (int i = 0; i < 3; i++)
		node_peers_free(mesh->nodes[i].peers);
	mesh->scene.peers = NULL;
	close_scene(&mesh->scene);
	free(mesh);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(priorities_then_age),        cmocka_unit_test(what_is_refused),
		cmocka_unit_test(what_a_block_holds),         cmocka_unit_test(after_a_block),
		cmocka_unit_test(while_a_block_is_committed), cmocka_unit_test(many),
		cmocka_unit_test(the_mesh_tells_itself),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
