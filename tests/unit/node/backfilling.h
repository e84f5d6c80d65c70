/* Three peers over real connections that have the light blocks of the chain in syncing.h and may
 * lie about them, and a backfill beside them whose store is a file. */
#ifndef TESTS_UNIT_NODE_BACKFILLING_H
#define TESTS_UNIT_NODE_BACKFILLING_H

#include "relay_state/node/backfill.h"
#include "relay_state/node/statesync_serve.h"
#include "tests/unit/node/syncing.h"

#include <unistd.h>

#define BASE 10
#define EVIDENCE_AT 6 /* about height 4 */

enum untruth {
	TRUE_ALL = 0,
	FALSE_LINK,       /* another header, signed by all */
	FALSE_VALIDATORS, /* another power */
	FALSE_HEIGHT,     /* the light block below */
	FALSE_COMMIT,     /* of the height below */
	FALSE_FEW,        /* two of four signatures */
	FALSE_QUORUM,     /* three of four: not the next block's */
	FALSE_SEAL,       /* a signature of another */
	FALSE_CHAIN,
	FALSE_CUT,
	FALSE_EVIDENCE,    /* where there is none */
	FALSE_NO_EVIDENCE, /* where there is some */
	FALSE_FORM,        /* bytes that are no message */
	SAYS_NOTHING,
	GOES_AWAY,
	HAS_PRUNED, /* what is below `at` */
};

/* What a helper gives for one height. */
struct given {
	struct cs_bytes light, evidence;
	uint8_t bytes[NODE_LIGHT_BLOCK_SIZE_MAX + 4096], list[4096];
};

struct helper {
	struct scene *scene;
	struct node_key node_key;
	struct node_peers *peers;
	enum untruth untruth;
	int64_t at; /* from this height down; 0: all */
	unsigned asked[HEIGHTS + 1], untruths;
	bool is_gone, was_dropped;
	struct node_statesync_server *server; /* answers in its place */
};

struct filling {
	struct scene *s;
	struct helper helpers[SERVERS];
	char path[96];
	struct node_backfill_store *store;
	struct node_backfill *backfill;
	struct node_backfill_options options;
	struct bft_state state; /* after BASE */
	struct cmt_header base;
	bool is_done;
	enum cs_err err;
	struct node_backfill_found found;
};

/* ---- what may be said ---- */

static inline void sign_by(struct lab *lab, struct cmt_light_block *light, unsigned count)
{
	static struct cmt_commit_sig sigs[LAB_KEYS];
	const struct cs_hash hash = cmt_header_hash(&light->header);
	struct cmt_block_id id = light->commit.block_id;
	id.hash = cmt_hash_of(&hash);
	sign_commit(lab, &light->commit, sigs, light->header.height, &id);
	for (unsigned i = count; i < LAB_KEYS; i++)
		sigs[i] = CMT_SIG_ABSENT;
}

static inline void falsify(struct scene *s, struct cmt_light_block *light, enum untruth untruth)
{
	struct cs_hash hash;
	switch (untruth) {
	case FALSE_LINK:
		assert_ok(cmt_header_set_app_hash(&light->header, cs_bytes_str("12345678")));
		return sign_by(s->lab, light, LAB_KEYS);
	case FALSE_CHAIN:
		assert_ok(cmt_chain_id_set(&light->header.chain_id, cs_bytes_str("bal")));
		hash = cmt_header_hash(&light->header);
		light->commit.block_id.hash = cmt_hash_of(&hash);
		return;
	case FALSE_VALIDATORS:
		light->validators.list[0].power++;
		return;
	case FALSE_COMMIT:
		light->commit.height--;
		return;
	case FALSE_FEW:
		return sign_by(s->lab, light, 2);
	case FALSE_QUORUM:
		return sign_by(s->lab, light, 3);
	case FALSE_SEAL:
		light->commit.sigs[0].signature = light->commit.sigs[1].signature;
		return;
	case TRUE_ALL:
	case FALSE_HEIGHT:
	case FALSE_CUT:
	case FALSE_EVIDENCE:
	case FALSE_NO_EVIDENCE:
	case FALSE_FORM:
	case SAYS_NOTHING:
	case GOES_AWAY:
	case HAS_PRUNED:
		return;
	}
}

static inline void put_list(struct given *given, const struct cmt_evidence *evidence)
{
	struct cs_buf buf;
	cs_buf_init(&buf, given->list, sizeof given->list);
	size_t one = cs_pb_begin(&buf, 1);
	cmt_evidence_encode(&buf, evidence);
	cs_pb_end(&buf, one);
	assert_ok(cs_buf_end(&buf));
	given->evidence = cs_buf_view(&buf);
}

/* The truth about a height, or that with one thing wrong. */
static inline void give(struct scene *s, struct given *given, int64_t height, enum untruth untruth)
{
	const struct height *h = &s->heights[untruth == FALSE_HEIGHT ? height - 1 : height];
	size_t mark = cs_arena_mark(&s->arena);
	struct cmt_light_block light;
	struct cmt_evidence evidence;
	struct cs_buf buf;
	given->evidence = CS_BYTES_NONE;
	assert_ok(
		cmt_light_block_decode(&light, cs_bytes(h->light, h->light_size), &s->arena, NULL));
	falsify(s, &light, untruth);
	cs_buf_init(&buf, given->bytes, sizeof given->bytes);
	cmt_light_block_encode(&buf, &light);
	assert_ok(cs_buf_end(&buf));
	given->light = cs_buf_view(&buf);
	given->light.n -= untruth == FALSE_CUT;
	if ((height == s->evidence_at || untruth == FALSE_EVIDENCE) &&
	    untruth != FALSE_NO_EVIDENCE) {
		make_pair(s, &evidence, untruth == FALSE_EVIDENCE ? 2 : 1, s->evidence_at - 2);
		put_list(given, &evidence);
	}
	cs_arena_rewind(&s->arena, mark);
}

/* ---- a peer ---- */

static inline void send_to(struct helper *helper, uint32_t peer,
			   const struct node_statesync_message *m)
{
	struct cs_buf buf;
	size_t size = node_statesync_size_max(m);
	uint8_t *bytes = host_alloc(size);
	cs_buf_init(&buf, bytes, size);
	node_statesync_encode(&buf, m);
	assert_ok(cs_buf_end(&buf));
	assert_ok(node_peers_send_sync(helper->peers, peer, cs_buf_view(&buf)));
	free(bytes);
}

static inline void help(void *context, uint32_t peer, struct cs_bytes bytes)
{
	struct helper *helper = context;
	struct node_statesync_message m;
	struct given given = {.evidence = CS_BYTES_NONE};
	assert_ok(node_statesync_decode(&m, bytes));
	assert_int_equal(m.type, NODE_LIGHT_REQUEST);
	int64_t height = (int64_t)m.height;
	assert_in_range(height, 1, BASE - 1);
	if (helper->server != NULL) {
		helper->asked[height]++;
		assert_ok(node_statesync_serve(helper->server, peer, bytes));
		return;
	}
	bool lies = helper->untruth != TRUE_ALL && (helper->at == 0 || height <= helper->at);
	/* A false list where there is a right one, and the other way. */
	if (helper->untruth == FALSE_EVIDENCE || helper->untruth == FALSE_NO_EVIDENCE)
		lies = (height == EVIDENCE_AT) == (helper->untruth == FALSE_NO_EVIDENCE);
	/* Below the first there is none. */
	lies = lies && !(helper->untruth == FALSE_HEIGHT && height == 1);
	helper->asked[height]++;
	helper->untruths += lies;
	m.type = NODE_LIGHT_ANSWER;
	if (lies && helper->untruth == FALSE_FORM) {
		assert_ok(node_peers_send_sync(helper->peers, peer, cs_bytes_str("rubbish")));
		return;
	}
	if (lies && helper->untruth == GOES_AWAY)
		helper->is_gone = true;
	if (helper->is_gone || (lies && helper->untruth == SAYS_NOTHING))
		return;
	if (!lies || helper->untruth != HAS_PRUNED)
		give(helper->scene, &given, height, lies ? helper->untruth : TRUE_ALL);
	m.bytes = given.light;
	m.evidence = given.evidence;
	send_to(helper, peer, &m);
}

static inline void dropped(void *context, uint32_t peer)
{
	struct helper *helper = context;
	(void)peer;
	helper->was_dropped = true;
}

static inline void open_helper(struct filling *f, unsigned i)
{
	static const struct node_peers_events events = {on_up, dropped, on_tx,
							on_tx, on_peer, help};
	struct helper *helper = &f->helpers[i];
	struct node_peers_options options = peers_options(f->s, &helper->node_key);
	helper->scene = f->s;
	assert_ok(node_key_make(&helper->node_key, NULL));
	assert_ok(node_peers_new(&helper->peers, f->s->loop, &options, &events, helper, NULL));
}

/* ---- a backfill ---- */

static inline int fill_set_up(void **state)
{
	struct filling *f = host_alloc(sizeof *f);
	struct scene *s = f->s = host_alloc(sizeof *s);
	const char *folder = getenv("TMPDIR");
	s->memory = host_alloc(16u * 1024 * 1024);
	cs_arena_init(&s->arena, s->memory, 16u * 1024 * 1024);
	s->lab = lab_make(0, 0);
	make_kv(&s->source, 0);
	make_kv(&s->evil, 0);
	make_kv(&s->target, 0);
	s->evidence_at = EVIDENCE_AT;
	make_chain(s);
	s->loop = host_loop_new();
	s->genesis.chain_id = s->lab->state.chain_id;
	s->genesis.initial_height = 1;
	assert_ok(node_key_make(&s->node_key, NULL));
	for (unsigned i = 0; i < SERVERS; i++)
		open_helper(f, i);
	const struct height *base = &s->heights[BASE];
	bft_state_init(&f->state);
	struct bft_state *decoded = host_alloc(sizeof *decoded);
	assert_ok(bft_state_decode(decoded, cs_bytes(base->state, base->state_size), &s->arena,
				   NULL));
	bft_state_copy(&f->state, decoded);
	free(decoded);
	assert_ok(bft_block_header(&f->base, cs_bytes(base->block, base->block_size)));
	(void)snprintf(f->path, sizeof f->path, "%s/caisson-backfill-%d",
		       folder != NULL ? folder : "/tmp", (int)getpid());
	assert_ok(node_backfill_store_open(&f->store, f->path, NULL));
	f->options = (struct node_backfill_options){

		.request_ms = 10000,
		.retry_ms = 20,
		.rounds = UINT32_MAX,
		.base = &f->base,
		.state = &f->state};
	*state = f;
	return 0;
}

static inline void fill_done(void *context)
{
	struct filling *f = context;
	f->is_done = true;
}

static inline void fill_failed(void *context, enum cs_err err, const char *why)
{
	struct filling *f = context;
	(void)why;
	f->is_done = true;
	f->err = err;
}

static inline void fill_begin(struct filling *f)
{
	static const struct node_backfill_events events = {fill_done, fill_failed};
	static char texts[SERVERS][96];
	const char *dial[SERVERS];
	char id[NODE_ID_SIZE];
	struct node_peers_options options = peers_options(f->s, &f->s->node_key);
	for (unsigned i = 0; i < SERVERS; i++) {
		node_id_text(id, &f->helpers[i].node_key.address);
		(void)snprintf(texts[i], sizeof texts[i], "%s@127.0.0.1:%u", id,
			       node_peers_port(f->helpers[i].peers));
		dial[i] = texts[i];
	}
	options.dial = dial;
	options.dial_count = SERVERS;
	f->is_done = false;
	assert_ok(node_backfill_new(&f->backfill, f->s->loop, &f->options, &options, f->store,
				    &events, f, NULL));
}

static inline void end_gone(struct filling *f)
{
	for (unsigned i = 0; i < SERVERS; i++) {
		if (!f->helpers[i].is_gone || f->helpers[i].peers == NULL)
			continue;
		node_peers_free(f->helpers[i].peers);
		f->helpers[i].peers = NULL;
	}
}

static inline bool fill_is_over(void *context)
{
	struct filling *f = context;
	end_gone(f);
	return f->is_done;
}

static inline void fill_end(struct filling *f)
{
	node_backfill_free(f->backfill);
	f->backfill = NULL;
	assert_ok(node_backfill_store_look(f->store, &f->found));
}

/* To its end. */
static inline void fill_run(struct filling *f)
{
	fill_begin(f);
	assert_ok(host_loop_run_until(f->s->loop, fill_is_over, f, DEADLINE_MS));
	assert_int_equal(f->err, CS_OK);
	fill_end(f);
}

/* A database's files. */
static inline void forget(const char *name)
{
	static const char *const ends[] = {"", "-wal", "-shm", ".lock"};
	char path[128];
	for (size_t i = 0; i < CS_LEN(ends); i++) {
		(void)snprintf(path, sizeof path, "%s%s", name, ends[i]);
		(void)unlink(path);
	}
}

static inline int fill_tear_down(void **state)
{
	struct filling *f = *state;
	struct scene *s = f->s;
	node_backfill_free(f->backfill);
	node_backfill_store_close(f->store);
	forget(f->path);
	for (unsigned i = 0; i < SERVERS; i++)
		node_peers_free(f->helpers[i].peers);
	void *scene = s;
	free(f);
	return tear_down(&scene);
}

#endif
