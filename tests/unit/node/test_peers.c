/* Two nodes over real sockets, and strangers who are not what they say. */
#include "relay_state/node/peers.h"
#include "tests/unit/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINE_MS 10000u

struct side {
	struct node_key node_key, validator_key;
	struct node_peers *peers;
	uint32_t ups, downs;
	uint32_t peer;
	bool is_validator;
	struct cs_address validator;
	uint32_t messages, txs;
	size_t message_size;
};

struct scene {
	struct host_loop *loop;
	struct side sides[2];
	struct cmt_chain_id chain_id;
	struct cs_hash genesis;
};

static void on_up(void *context, uint32_t peer, const struct cs_address *validator)
{
	struct side *s = context;
	s->ups++;
	s->peer = peer;
	s->is_validator = validator != NULL;
	if (validator != NULL)
		s->validator = *validator;
}

static void on_down(void *context, uint32_t peer)
{
	struct side *s = context;
	(void)peer;
	s->downs++;
}

static void on_consensus(void *context, uint32_t peer, struct cs_bytes message)
{
	struct side *s = context;
	(void)peer;
	s->messages++;
	s->message_size = message.n;
}

static void on_tx(void *context, uint32_t peer, struct cs_bytes tx)
{
	struct side *s = context;
	(void)peer;
	(void)tx;
	s->txs++;
}

static void on_drained(void *context, uint32_t peer)
{
	(void)context;
	(void)peer;
}

static void on_sync(void *context, uint32_t peer, struct cs_bytes message)
{
	(void)context;
	(void)peer;
	(void)message;
}

static const struct node_peers_events events = {on_up, on_down,    on_consensus,
						on_tx, on_drained, on_sync};

static void open_side(struct scene *scene, int i, const char *dial, const struct cs_hash *genesis,
		      uint32_t unknown_max)
{
	const char *dials[] = {dial};
	struct side *s = &scene->sides[i];
	const struct node_peers_options options = {.listen = "tcp://127.0.0.1:0",
						   .dial = dials,
						   .dial_count = dial != NULL,
						   .unknown_max = unknown_max,
						   .node_key = &s->node_key,
						   .validator_key = &s->validator_key,
						   .chain_id = &scene->chain_id,
						   .genesis_hash = genesis,
						   .moniker = "test"};
	assert_ok(node_peers_new(&s->peers, scene->loop, &options, &events, s, NULL));
}

static void address_of(char text[128], const struct scene *scene, int i)
{
	char id[NODE_ID_SIZE];
	node_id_text(id, &scene->sides[i].node_key.address);
	(void)snprintf(text, 128, "%s@127.0.0.1:%u", id, node_peers_port(scene->sides[i].peers));
}

static int set_up(void **state)
{
	struct scene *scene = calloc(1, sizeof *scene);
	assert_non_null(scene);
	scene->loop = host_loop_new();
	assert_ok(cmt_chain_id_set(&scene->chain_id, cs_bytes_str("peers")));
	for (int i = 0; i < 2; i++) {
		assert_ok(node_key_make(&scene->sides[i].node_key, NULL));
		assert_ok(node_key_make(&scene->sides[i].validator_key, NULL));
	}
	*state = scene;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *scene = *state;
	node_peers_free(scene->sides[0].peers);
	node_peers_free(scene->sides[1].peers);
	host_loop_free(scene->loop);
	free(scene);
	return 0;
}

static bool both_up(void *context)
{
	const struct scene *scene = context;
	return node_peers_count(scene->sides[0].peers) == 1 &&
	       node_peers_count(scene->sides[1].peers) == 1;
}

static bool second_has_messages(void *context)
{
	return ((const struct scene *)context)->sides[1].messages >= 2;
}

static bool second_has_tx(void *context)
{
	return ((const struct scene *)context)->sides[1].txs >= 1;
}

static bool second_went_down(void *context)
{
	return ((const struct scene *)context)->sides[1].downs >= 1;
}

static void connect_both(struct scene *scene)
{
	char address[128];
	open_side(scene, 1, NULL, &scene->genesis, 16);
	address_of(address, scene, 1);
	open_side(scene, 0, address, &scene->genesis, 16);
	assert_ok(host_loop_run_until(scene->loop, both_up, scene, DEADLINE_MS));
}

static void two_validators(void **state)
{
	struct scene *scene = *state;
	struct side *a = &scene->sides[0], *b = &scene->sides[1];
	uint8_t *large = calloc(1, NODE_FRAME_SIZE_MAX);
	assert_non_null(large);
	connect_both(scene);
	assert_true(a->is_validator && cs_address_eq(&a->validator, &b->validator_key.address));
	assert_true(b->is_validator && cs_address_eq(&b->validator, &a->validator_key.address));
	assert_true(cs_address_eq(&node_peers_info(a->peers, a->peer)->id, &b->node_key.address));
	node_peers_send(a->peers, BFT_PEER_ALL, cs_bytes_str("vote"));
	node_peers_send(a->peers, a->peer, cs_bytes(large, NODE_FRAME_SIZE_MAX - 1));
	assert_ok(host_loop_run_until(scene->loop, second_has_messages, scene, DEADLINE_MS));
	assert_int_equal(b->message_size, NODE_FRAME_SIZE_MAX - 1);
	assert_ok(node_peers_send_tx(a->peers, a->peer, cs_bytes_str("tx")));
	assert_int_equal(node_peers_traffic(a->peers, 0).sent, 2);
	assert_ok(host_loop_run_until(scene->loop, second_has_tx, scene, DEADLINE_MS));
	assert_err(node_peers_send_tx(a->peers, a->peer + 1, cs_bytes_str("tx")), CS_ERR_CLOSED);
	/* Too large for a frame: dropped here, and counted. */
	node_peers_send(a->peers, a->peer, cs_bytes(large, NODE_FRAME_SIZE_MAX));
	assert_int_equal(node_peers_dropped(a->peers), 1);
	free(large);
}

/* Who does not read fills its queue and nobody else's memory. */
static void a_full_queue(void **state)
{
	struct scene *scene = *state;
	uint8_t *large = calloc(1, NODE_FRAME_SIZE_MAX);
	enum cs_err err = CS_OK;
	assert_non_null(large);
	connect_both(scene);
	for (int i = 0; i < 64 && err == CS_OK; i++)
		err = node_peers_send_tx(scene->sides[0].peers, scene->sides[0].peer,
					 cs_bytes(large, 512 * 1024));
	assert_err(err, CS_ERR_FULL);
	for (int i = 0; i < 16; i++)
		node_peers_send(scene->sides[0].peers, BFT_PEER_ALL,
				cs_bytes(large, NODE_FRAME_SIZE_MAX - 1));
	assert_true(node_peers_dropped(scene->sides[0].peers) > 0);
	free(large);
	assert_ok(host_loop_run_until(scene->loop, second_has_messages, scene, DEADLINE_MS));
}

static void a_ban(void **state)
{
	struct scene *scene = *state;
	connect_both(scene);
	node_peers_ban(scene->sides[0].peers, scene->sides[0].peer, CS_ERR_BAD_SEAL);
	assert_int_equal(scene->sides[0].downs, 1);
	assert_ok(host_loop_run_until(scene->loop, second_went_down, scene, DEADLINE_MS));
	assert_err(host_loop_run_until(scene->loop, both_up, scene, 500), CS_ERR_TIMEOUT);
}

static void no_room_for_unknown_ones(void **state)
{
	struct scene *scene = *state;
	char address[128];
	open_side(scene, 1, NULL, &scene->genesis, 0);
	address_of(address, scene, 1);
	open_side(scene, 0, address, &scene->genesis, 16);
	assert_err(host_loop_run_until(scene->loop, both_up, scene, 500), CS_ERR_TIMEOUT);
	assert_int_equal(scene->sides[1].ups, 0);
}

/* ---- strangers ---- */

struct stranger {
	struct scene *scene;
	struct node_link *link;
	uint8_t type;
	uint8_t bytes[2048];
	size_t size;
	bool ended;
};

/* The proof of a HELLO, made anew for this session by who holds the node's key. */
static size_t make_hello(struct stranger *s, const struct node_key *validator,
			 const struct cs_address *signer, const struct cs_hash *genesis)
{
	uint8_t proof[256], signature[64], exporter[NODE_LINK_EXPORTER_SIZE];
	struct cs_buf buf;
	cs_buf_init(&buf, proof, sizeof proof);
	node_link_exporter(s->link, exporter);
	cs_put(&buf, cs_bytes_str("caisson/node/validator/v1"));
	cs_put(&buf, CS_BYTES_OF(signer->b));
	cs_put(&buf, CS_BYTES_OF(s->scene->sides[1].node_key.address.b));
	cs_put(&buf, CS_BYTES_OF(genesis->b));
	cs_put(&buf, CS_BYTES_OF(exporter));
	assert_ok(cs_ed25519_sign(signature, &validator->secret, cs_buf_view(&buf)));
	cs_buf_init(&buf, s->bytes, sizeof s->bytes);
	cs_pb_put_uint(&buf, 1, 1);
	cs_pb_put_bytes(&buf, 2, cs_bytes_str("peers"));
	cs_pb_put_bytes(&buf, 3, CS_BYTES_OF(genesis->b));
	cs_pb_put_bytes(&buf, 5, CS_BYTES_OF(validator->key.b));
	cs_pb_put_bytes(&buf, 6, CS_BYTES_OF(signature));
	return buf.n;
}

enum lie { HONEST, SIGNED_FOR_ANOTHER, OTHER_GENESIS, NO_HELLO, RUBBISH, LARGE };
static enum lie lie;

static void on_stranger_ready(void *context, const struct cs_address *id)
{
	struct stranger *s = context;
	struct scene *scene = s->scene;
	const struct side *me = &scene->sides[0];
	struct cs_hash other = {{7}};
	assert_true(cs_address_eq(id, &scene->sides[1].node_key.address));
	s->type = lie == NO_HELLO ? NODE_FRAME_CONSENSUS : NODE_FRAME_HELLO;
	s->size = make_hello(s, &me->validator_key,
			     lie == SIGNED_FOR_ANOTHER ? &scene->sides[1].node_key.address
						       : &me->node_key.address,
			     lie == OTHER_GENESIS ? &other : &scene->genesis);
	if (lie == RUBBISH)
		memset(s->bytes, 0xff, s->size);
	if (lie == LARGE)
		s->size = sizeof s->bytes;
	assert_ok(node_link_send(s->link, s->type, cs_bytes(s->bytes, s->size), SIZE_MAX, false));
}

static void on_stranger_frame(void *context, uint8_t type, struct cs_bytes bytes)
{
	(void)context;
	(void)type;
	(void)bytes;
}

static void on_stranger_ended(void *context, enum cs_err err, const char *why)
{
	struct stranger *s = context;
	(void)err;
	(void)why;
	s->ended = true;
}

static bool is_over(void *context)
{
	const struct stranger *s = context;
	return s->ended || s->scene->sides[1].ups > 0;
}

static void strangers(void **state)
{
	static const struct node_link_events link_events = {on_stranger_ready, on_stranger_frame,
							    NULL, on_stranger_ended};
	struct scene *scene = *state;
	struct host_address address;
	struct node_tls *tls;
	char text[64];
	open_side(scene, 1, NULL, &scene->genesis, 16);
	(void)snprintf(text, sizeof text, "127.0.0.1:%u", node_peers_port(scene->sides[1].peers));
	assert_ok(host_address_parse(&address, text, NULL));
	assert_ok(node_tls_new(&tls, &scene->sides[0].node_key, NULL));
	static const enum lie lies[] = {
		SIGNED_FOR_ANOTHER, OTHER_GENESIS, NO_HELLO, RUBBISH, LARGE, HONEST};
	for (size_t i = 0; i < CS_LEN(lies); i++) {
		struct stranger s = {.scene = scene};
		lie = lies[i];
		s.link = node_link_connect(tls, scene->loop, &address, &link_events, &s);
		assert_ok(host_loop_run_until(scene->loop, is_over, &s, DEADLINE_MS));
		assert_int_equal(scene->sides[1].ups, lie == HONEST);
		assert_int_equal(s.ended, lie != HONEST);
		node_link_free(s.link);
	}
	assert_true(
		cs_address_eq(&scene->sides[1].validator, &scene->sides[0].validator_key.address));
	node_tls_free(tls);
}

static void addresses_that_are_none(void **state)
{
	static const char *const wrong[] = {"127.0.0.1:1", "abc@127.0.0.1:1",
					    "zz00000000000000000000000000000000000000@127.0.0.1:1",
					    "0000000000000000000000000000000000000000@"};
	struct scene *scene = *state;
	struct side *s = &scene->sides[0];
	for (size_t i = 0; i < CS_LEN(wrong); i++) {
		const struct node_peers_options options = {.listen = "tcp://127.0.0.1:0",
							   .dial = &wrong[i],
							   .dial_count = 1,
							   .node_key = &s->node_key,
							   .chain_id = &scene->chain_id,
							   .genesis_hash = &scene->genesis,
							   .moniker = "test"};
		struct cs_why why = {{0}};
		assert_true(node_peers_new(&s->peers, scene->loop, &options, &events, s, &why) !=
			    CS_OK);
		assert_null(s->peers);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(two_validators, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_queue, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_ban, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_room_for_unknown_ones, set_up, tear_down),
		cmocka_unit_test_setup_teardown(strangers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(addresses_that_are_none, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
