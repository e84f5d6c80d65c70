/* One engine under test and three keys that the test speaks for: everything that the engine asks is
 * answered at once (unless told otherwise), what it sends is kept. Height 1 (or lab->height)
 * of a chain of four validators with power 1, real Ed25519. */
#ifndef TESTS_UNIT_BFT_LAB_H
#define TESTS_UNIT_BFT_LAB_H

#include "relay_state/bft/bft.h"
#include "relay_state/bft/message.h"
#include "relay_state/bft/record.h"
#include "relay_state/bft/wal.h"

/* cmocka.h needs the first four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
/* clang-format on */

#define LAB_KEYS 4u
#define LAB_BLOCK_MAX 4096u
#define LAB_NOW 1700000000000000000ll

struct lab_block {
	struct cmt_block_id id;
	uint8_t bytes[LAB_BLOCK_MAX];
	size_t size;
};

struct lab {
	struct cs_secret secret[LAB_KEYS];
	struct cs_ed25519_key key[LAB_KEYS]; /* in the order of the set */
	struct bft_state state;
	struct bft *bft;
	unsigned own;
	int64_t height; /* of what the others say */
	struct bft_sign_state signed_last;
	uint8_t scratch_memory[1024 * 1024];
	struct cs_arena scratch;
	/* what it did */
	struct cmt_vote votes[64];
	size_t vote_count;
	struct cmt_proposal proposals[16];
	size_t proposal_count;
	size_t parts_sent, statuses_sent, faults, alarms;
	uint32_t faulty; /* the last peer at fault, and whether that is provable */
	bool fault_proven;
	struct {
		uint32_t peer;
		int64_t height;
	} asked[128]; /* for blocks */
	size_t asked_count;
	int timers[BFT_TIMER_END]; /* how often each was set */
	int32_t timer_round[BFT_TIMER_END];
	bool halted, is_stored;
	int64_t stored_height;
	int32_t stored_round;
	struct cmt_block_id stored_id;
	uint8_t stored_commit[4096];
	size_t stored_commit_size;
	uint8_t evidence[1024];
	size_t evidence_size;
	size_t executed;                         /* effects so far */
	size_t last_at[BFT_EFFECT_CONTINUE + 1]; /* when one of this type came last */
	size_t told_at;                          /* when evidence was sent last */
	int64_t prepare_height;
	size_t prepare_evidence;     /* bytes of the list */
	uint8_t part[LAB_BLOCK_MAX]; /* the last one sent */
	size_t part_size;
	uint8_t log[256 * 1024];
	size_t log_size, log_synced;
	size_t block_size_max;       /* of the configuration */
	bool wait_for_txs;           /* likewise */
	int64_t empty_ns;            /* likewise */
	struct cmt_vote own_told[2]; /* what the last OWN_VOTES said, without extensions */
	size_t own_told_count;
	size_t conflicts;  /* RAISE against what the signer remembers */
	bool hold_process; /* PROCESS stays unanswered */
	bool reject;       /* PROCESS is answered with no */
	bool hold_sign;    /* SIGN stays unanswered */
	bool hold_finalize;
	struct cs_hash asked_hash;
	int64_t now_ns;
};

static inline enum cs_err lab_no_set(void *context, const struct cmt_validator_set **set,
				     int64_t height)
{
	struct lab *lab = context;
	(void)height;
	*set = &lab->state.now.set;
	return CS_OK;
}

static inline enum cs_err lab_time(void *context, struct cs_pb_time *time, int64_t height)
{
	(void)context;
	(void)height;
	*time = bft_time_pb(LAB_NOW);
	return CS_OK;
}

static inline enum cs_err lab_no_header(void *context, struct cmt_header *header,
					struct cmt_commit *commit, int64_t height,
					struct cs_arena *arena)
{
	(void)context, (void)header, (void)commit, (void)height, (void)arena;
	return CS_ERR_NOT_FOUND;
}

static inline bool lab_not_committed(void *context, const struct cs_hash *hash)
{
	(void)context;
	(void)hash;
	return false;
}

static inline void lab_genesis(struct lab *lab, int64_t extensions_from)
{
	struct cmt_validator list[LAB_KEYS];
	struct bft_genesis genesis = {.chain_id = cs_bytes_str("lab"), .initial_height = 1};
	struct cs_secret secret[LAB_KEYS];
	for (unsigned i = 0; i < LAB_KEYS; i++) {
		struct cs_ed25519_key key;
		memset(secret[i].b, (int)(i + 1), sizeof secret[i].b);
		assert_int_equal(cs_ed25519_public(&key, &secret[i]), CS_OK);
		list[i] = cmt_validator_of(&key, 1);
	}
	genesis.time = bft_time_pb(LAB_NOW);
	genesis.params = cmt_params_default();
	genesis.params.block_size_max = 64 * 1024;
	genesis.params.evidence_size_max = 16 * 1024;
	genesis.params.extensions_from = extensions_from;
	genesis.validators = list;
	genesis.count = LAB_KEYS;
	bft_state_init(&lab->state);
	assert_int_equal(bft_state_genesis(&lab->state, &genesis, &lab->scratch, NULL), CS_OK);
	for (unsigned i = 0; i < LAB_KEYS; i++) {
		const struct cmt_validator *v = &lab->state.now.set.list[i];
		lab->key[i] = v->key;
		for (unsigned j = 0; j < LAB_KEYS; j++) {
			if (memcmp(list[j].key.b, v->key.b, 32) == 0)
				lab->secret[i] = secret[j];
		}
	}
}

/* Whose turn it is, as CometBFT counts. */
static inline unsigned lab_proposer(struct lab *lab, int32_t round)
{
	struct bft_set set;
	assert_int_equal(bft_set_copy(&set, &lab->state.now.set), CS_OK);
	for (int32_t i = 0; i < round; i++)
		cmt_validator_set_increment(&set.set, 1);
	return (unsigned)cmt_validator_set_find(&lab->state.now.set,
						&cmt_validator_set_proposer(&set.set)->address);
}

static inline void lab_event(struct lab *lab, const struct bft_event *given);

static inline void lab_sign(struct lab *lab, const struct bft_effect *e)
{
	struct bft_event event = {.type = BFT_EVENT_SIGNED,
				  .height = e->height,
				  .round = e->round,
				  .step = e->sign.step};
	uint8_t signature[64], extension_signature[64] = {0};
	struct bft_sign_state *s = &lab->signed_last;
	if (lab->hold_sign)
		return;
	switch (bft_sign_state_may(s, &e->sign)) {
	case BFT_SIGN_REFUSE:
		event.type = BFT_EVENT_SIGN_REFUSED;
		lab_event(lab, &event);
		return;
	case BFT_SIGN_NEW:
		assert_int_equal(cs_ed25519_sign(signature, &lab->secret[lab->own], e->sign_bytes),
				 CS_OK);
		if (e->sign.has_extension)
			assert_int_equal(cs_ed25519_sign(extension_signature,
							 &lab->secret[lab->own],
							 e->extension_sign_bytes),
					 CS_OK);
		bft_sign_state_record(s, &e->sign, signature, extension_signature);
		break;
	case BFT_SIGN_REPEAT:
		break;
	}
	event.time_ns = s->time_ns;
	memcpy(event.signature, s->signature, 64);
	memcpy(event.extension_signature, s->extension_signature, 64);
	event.extension = cs_bytes(s->extension, s->extension_size);
	lab_event(lab, &event);
}

static inline void lab_send(struct lab *lab, const struct bft_effect *e)
{
	struct bft_message m;
	assert_int_equal(bft_message_decode(&m, e->bytes), CS_OK);
	if (m.type == BFT_MESSAGE_VOTE && (unsigned)m.vote.index == lab->own) {
		/* Nothing of ours leaves before its log is synced. */
		if (e->peer == BFT_PEER_ALL)
			assert_int_equal(lab->log_synced, lab->log_size);
		assert_true(lab->vote_count < CS_LEN(lab->votes));
		lab->votes[lab->vote_count++] = m.vote;
	}
	if (m.type == BFT_MESSAGE_PROPOSAL)
		lab->proposals[lab->proposal_count++] = m.proposal;
	if (m.type == BFT_MESSAGE_PART && m.part.part.bytes.n <= sizeof lab->part) {
		lab->part_size = m.part.part.bytes.n;
		memcpy(lab->part, m.part.part.bytes.p, lab->part_size);
	}
	if (m.type == BFT_MESSAGE_EVIDENCE)
		lab->told_at = lab->executed;
	if (m.type == BFT_MESSAGE_BLOCK_REQUEST) {
		assert_true(lab->asked_count < CS_LEN(lab->asked));
		lab->asked[lab->asked_count].peer = e->peer;
		lab->asked[lab->asked_count++].height = m.block_request;
	}
	if (m.type == BFT_MESSAGE_OWN_VOTES) {
		lab->own_told_count = m.own_votes.count;
		for (size_t i = 0; i < m.own_votes.count; i++) {
			lab->own_told[i] = m.own_votes.votes[i];
			lab->own_told[i].extension = CS_BYTES_NONE;
		}
	}
	lab->parts_sent += m.type == BFT_MESSAGE_PART;
	lab->statuses_sent += m.type == BFT_MESSAGE_STATUS;
}

static inline void lab_log(struct lab *lab, struct cs_bytes bytes)
{
	struct cs_buf buf;
	cs_buf_init(&buf, lab->log + lab->log_size, sizeof lab->log - lab->log_size);
	bft_wal_put(&buf, BFT_WAL_EVENT, bytes);
	assert_int_equal(cs_buf_end(&buf), CS_OK);
	lab->log_size += buf.n;
}

static inline void lab_store(struct lab *lab, const struct bft_effect *e)
{
	lab->is_stored = true;
	lab->stored_height = e->height;
	lab->stored_round = e->round;
	lab->stored_id = e->block_id;
	memcpy(lab->stored_commit, e->commit.p, e->commit.n);
	lab->stored_commit_size = e->commit.n;
}

static inline void lab_ask(struct lab *lab, const struct bft_effect *e)
{
	static const struct cs_hash hash;
	struct bft_finalized finalized = {.results_hash = hash, .app_hash = CS_BYTES_OF(hash.b)};
	struct cs_bytes tx = cs_bytes_str("tx");
	struct bft_event event = {.height = e->height, .round = e->round, .hash = e->hash};
	lab->asked_hash = e->hash;
	switch ((int)e->type) {
	case BFT_EFFECT_PREPARE:
		lab->prepare_height = e->height;
		lab->prepare_evidence = e->evidence.n;
		event.type = BFT_EVENT_PREPARED;
		event.txs = &tx;
		event.tx_count = 1;
		break;
	case BFT_EFFECT_PROCESS:
		if (lab->hold_process)
			return;
		event.type = BFT_EVENT_PROCESSED;
		event.accepted = !lab->reject;
		break;
	case BFT_EFFECT_EXTEND:
		event.type = BFT_EVENT_EXTENDED;
		event.bytes = cs_bytes_str("extension");
		break;
	case BFT_EFFECT_VERIFY_EXTENSION:
		event.type = BFT_EVENT_EXTENSION_VERIFIED;
		event.index = e->index;
		event.accepted = e->bytes.n > 0 && e->bytes.p[0] != 'X';
		break;
	case BFT_EFFECT_FINALIZE:
		if (lab->hold_finalize)
			return;
		event.type = BFT_EVENT_FINALIZED;
		event.finalized = &finalized;
		break;
	case BFT_EFFECT_COMMIT:
		event.type = BFT_EVENT_COMMITTED;
		lab->log_size = lab->log_synced = 0;
		break;
	default:
		return;
	}
	lab_event(lab, &event);
}

static inline void lab_execute(struct lab *lab, const struct bft_effect *e)
{
	bool changed;
	lab->last_at[e->type] = ++lab->executed;
	switch (e->type) {
	case BFT_EFFECT_LOG:
		return lab_log(lab, e->bytes);
	case BFT_EFFECT_SYNC:
		lab->log_synced = lab->log_size;
		return;
	case BFT_EFFECT_SEND:
		return lab_send(lab, e);
	case BFT_EFFECT_TIMER:
		lab->timers[e->timer]++;
		lab->timer_round[e->timer] = e->round;
		return;
	case BFT_EFFECT_SIGN:
		return lab_sign(lab, e);
	case BFT_EFFECT_STORE:
		return lab_store(lab, e);
	case BFT_EFFECT_PEER_FAULT:
		lab->faults++;
		lab->faulty = e->peer;
		lab->fault_proven = e->provable;
		return;
	case BFT_EFFECT_ALARM:
		lab->alarms++;
		return;
	case BFT_EFFECT_HALT:
		lab->halted = true;
		return;
	case BFT_EFFECT_EVIDENCE:
		assert_true(e->bytes.n <= sizeof lab->evidence);
		memcpy(lab->evidence, e->bytes.p, e->bytes.n);
		lab->evidence_size = e->bytes.n;
		return;
	case BFT_EFFECT_PREPARE:
	case BFT_EFFECT_PROCESS:
	case BFT_EFFECT_EXTEND:
	case BFT_EFFECT_VERIFY_EXTENSION:
	case BFT_EFFECT_FINALIZE:
	case BFT_EFFECT_COMMIT:
		return lab_ask(lab, e);
	case BFT_EFFECT_RAISE:
		lab->conflicts +=
			bft_sign_state_raise(&lab->signed_last, &changed, &e->sign, e->signature,
					     e->extension_signature) != CS_OK;
		return;
	case BFT_EFFECT_SAVE_STATE:
	case BFT_EFFECT_LOAD:
		return;
	case BFT_EFFECT_CONTINUE:
		lab_event(lab, &(struct bft_event){.type = BFT_EVENT_CONTINUE});
		return;
	}
}

/* Answers are events of their own: the effects of a step are copied before the next one. */
static inline void lab_event(struct lab *lab, const struct bft_event *given)
{
	const struct bft_effects *effects;
	struct bft_event event = *given;
	event.now_ns = lab->now_ns += 1000000;
	assert_int_equal(bft_step(lab->bft, &event, &effects), CS_OK);
	size_t count = effects->count, size = 1;
	for (size_t i = 0; i < count; i++) {
		const struct bft_effect *e = &effects->items[i];
		size += e->bytes.n + e->commit.n + e->sign_bytes.n + e->extension_sign_bytes.n +
			e->sign.extension.n;
	}
	struct bft_effect *copy = calloc(count + 1, sizeof *copy);
	uint8_t *bytes = malloc(size), *p = bytes;
	assert_true(copy != NULL && bytes != NULL);
	for (size_t i = 0; i < count; i++) {
		struct cs_bytes *views[] = {&copy[i].bytes, &copy[i].commit, &copy[i].sign_bytes,
					    &copy[i].extension_sign_bytes, &copy[i].sign.extension};
		copy[i] = effects->items[i];
		for (size_t k = 0; k < CS_LEN(views); k++) {
			if (views[k]->n == 0)
				continue;
			memcpy(p, views[k]->p, views[k]->n);
			views[k]->p = p;
			p += views[k]->n;
		}
	}
	for (size_t i = 0; i < count; i++)
		lab_execute(lab, &copy[i]);
	free(bytes);
	free(copy);
}

static inline void lab_new_engine(struct lab *lab)
{
	struct bft_config config = {
		.block_size_max = lab->block_size_max,
		.propose_ns = 1000,
		.prevote_ns = 1000,
		.precommit_ns = 1000,
		.status_ns = 1000,
		.wait_for_txs = lab->wait_for_txs,
		.empty_ns = lab->empty_ns,
		.has_key = true,
		.key = lab->key[lab->own],
		.history = {lab, lab_no_set, lab_time, lab_no_header, lab_not_committed},
	};
	size_t size = lab->state.last_height > 0 ? lab->stored_commit_size : 0;
	assert_int_equal(
		bft_new(&lab->bft, &config, &lab->state, cs_bytes(lab->stored_commit, size)),
		CS_OK);
}

/* START, and the three others tell that they hold nothing of ours. */
static inline void lab_begin(struct lab *lab)
{
	struct bft_event start = {.type = BFT_EVENT_START};
	bft_set_sign_state(lab->bft, &lab->signed_last);
	lab_event(lab, &start);
	for (unsigned i = 0; i < LAB_KEYS; i++) {
		struct bft_event up = {.type = BFT_EVENT_PEER_UP, .peer = i, .is_validator = true};
		struct bft_message told = {.type = BFT_MESSAGE_OWN_VOTES};
		uint8_t bytes[64];
		struct cs_buf buf;
		if (i == lab->own)
			continue;
		up.address = cmt_address(&lab->key[i]);
		lab_event(lab, &up);
		told.own_votes.height = 1;
		cs_buf_init(&buf, bytes, sizeof bytes);
		bft_message_encode(&buf, &told);
		struct bft_event event = {
			.type = BFT_EVENT_MESSAGE, .peer = i, .bytes = cs_buf_view(&buf)};
		lab_event(lab, &event);
	}
}

/* The engine has this place in the set of four. */
static inline struct lab *lab_make(unsigned own, int64_t extensions_from)
{
	struct lab *lab = calloc(1, sizeof *lab);
	assert_non_null(lab);
	cs_arena_init(&lab->scratch, lab->scratch_memory, sizeof lab->scratch_memory);
	lab_genesis(lab, extensions_from);
	lab->now_ns = LAB_NOW + 5000000000ll;
	bft_sign_state_init(&lab->signed_last);
	lab->own = own;
	lab->height = 1;
	lab->block_size_max = 64 * 1024;
	lab_new_engine(lab);
	return lab;
}

/* The engine proposes in round 0, or first in round 3. */
static inline struct lab *lab_start(bool proposes)
{
	struct lab *probe = lab_make(0, 0);
	unsigned own = lab_proposer(probe, proposes ? 0 : 3);
	bft_free(probe->bft);
	free(probe);
	struct lab *lab = lab_make(own, 0);
	lab_begin(lab);
	return lab;
}

/* Whoever makes a conflict counts it and sets it back. */
static inline void lab_end(struct lab *lab)
{
	assert_int_equal(lab->conflicts, 0);
	bft_free(lab->bft);
	free(lab);
}

/* ---- what the others say ---- */

static inline void lab_message(struct lab *lab, unsigned from, const struct bft_message *m)
{
	static uint8_t bytes[128 * 1024];
	struct cs_buf buf;
	cs_buf_init(&buf, bytes, sizeof bytes);
	bft_message_encode(&buf, m);
	assert_int_equal(cs_buf_end(&buf), CS_OK);
	struct bft_event event = {
		.type = BFT_EVENT_MESSAGE, .peer = from, .bytes = cs_buf_view(&buf)};
	lab_event(lab, &event);
}

/* A valid next block of this proposer, other than those with another tx. */
static inline struct lab_block lab_make_block(struct lab *lab, unsigned proposer, const char *text)
{
	struct lab_block out = {0};
	struct cmt_block block = {0};
	struct cs_bytes tx = cs_bytes_str(text);
	struct cs_address address = cmt_address(&lab->key[proposer]);
	struct cmt_part_set parts;
	struct cs_buf buf;
	size_t mark = cs_arena_mark(&lab->scratch);
	if (lab->state.last_height > 0)
		assert_int_equal(cmt_extended_commit_decode(
					 &block.last_commit,
					 cs_bytes(lab->stored_commit, lab->stored_commit_size),
					 &lab->scratch, NULL),
				 CS_OK);
	assert_int_equal(bft_state_header(&block.header, &lab->state, &block.last_commit, &address),
			 CS_OK);
	block.txs = &tx;
	block.tx_count = 1;
	assert_int_equal(cmt_block_fill_hashes(&block, &lab->scratch), CS_OK);
	cs_buf_init(&buf, out.bytes, sizeof out.bytes);
	cmt_block_encode(&buf, &block);
	assert_int_equal(cs_buf_end(&buf), CS_OK);
	out.size = buf.n;
	assert_int_equal(cmt_part_set_make(&parts, cs_bytes(out.bytes, out.size), &lab->scratch),
			 CS_OK);
	struct cs_hash hash = cmt_header_hash(&block.header);
	out.id = (struct cmt_block_id){cmt_hash_of(&hash), parts.header};
	cs_arena_rewind(&lab->scratch, mark);
	return out;
}

static inline void lab_parts(struct lab *lab, const struct lab_block *block, int32_t round)
{
	struct bft_message m = {.type = BFT_MESSAGE_PART};
	struct cmt_part_set parts;
	size_t mark = cs_arena_mark(&lab->scratch);
	assert_int_equal(
		cmt_part_set_make(&parts, cs_bytes(block->bytes, block->size), &lab->scratch),
		CS_OK);
	for (uint32_t i = 0; i < parts.header.total; i++) {
		m.part.height = lab->height;
		m.part.round = round;
		cmt_part_get(&m.part.part, &parts, i);
		lab_message(lab, (lab->own + 1) % LAB_KEYS, &m);
	}
	cs_arena_rewind(&lab->scratch, mark);
}

/* Signed by `by`, who should be the round's proposer. */
static inline void lab_propose_by(struct lab *lab, unsigned by, const struct lab_block *block,
				  int32_t round, int32_t pol_round)
{
	struct bft_message m = {.type = BFT_MESSAGE_PROPOSAL};
	struct cmt_proposal *p = &m.proposal;
	uint8_t bytes[CMT_SIGN_BYTES_MAX];
	struct cs_buf buf;
	p->height = lab->height;
	p->round = round;
	p->pol_round = pol_round;
	p->block_id = block->id;
	p->time = bft_time_pb(lab->now_ns);
	cs_buf_init(&buf, bytes, sizeof bytes);
	cmt_proposal_sign_bytes(&buf, p, &lab->state.chain_id);
	p->signature.some = true;
	assert_int_equal(cs_ed25519_sign(p->signature.b, &lab->secret[by], cs_buf_view(&buf)),
			 CS_OK);
	lab_message(lab, by, &m);
}

static inline void lab_propose(struct lab *lab, const struct lab_block *block, int32_t round,
			       int32_t pol_round)
{
	lab_propose_by(lab, lab_proposer(lab, round), block, round, pol_round);
}

static inline struct cmt_vote lab_make_vote(struct lab *lab, unsigned by, enum cmt_signed_type type,
					    int32_t round, const struct lab_block *block)
{
	struct cmt_vote vote = {.type = type, .height = lab->height, .round = round};
	uint8_t bytes[CMT_SIGN_BYTES_MAX];
	struct cs_buf buf;
	if (block != NULL)
		vote.block_id = block->id;
	vote.time = bft_time_pb(lab->now_ns);
	vote.validator = cmt_address(&lab->key[by]);
	vote.index = (int32_t)by;
	cs_buf_init(&buf, bytes, sizeof bytes);
	cmt_vote_sign_bytes(&buf, &vote, &lab->state.chain_id);
	vote.signature.some = true;
	assert_int_equal(cs_ed25519_sign(vote.signature.b, &lab->secret[by], cs_buf_view(&buf)),
			 CS_OK);
	return vote;
}

static inline void lab_vote(struct lab *lab, unsigned by, enum cmt_signed_type type, int32_t round,
			    const struct lab_block *block)
{
	struct bft_message m = {.type = BFT_MESSAGE_VOTE};
	m.vote = lab_make_vote(lab, by, type, round, block);
	lab_message(lab, by, &m);
}

/* `count` of the three others vote. block NULL: nil. */
static inline void lab_votes(struct lab *lab, unsigned count, enum cmt_signed_type type,
			     int32_t round, const struct lab_block *block)
{
	for (unsigned i = 0; i < LAB_KEYS && count > 0; i++) {
		if (i == lab->own)
			continue;
		lab_vote(lab, i, type, round, block);
		count--;
	}
}

static inline void lab_timeout(struct lab *lab, enum bft_timer timer, int32_t round)
{
	struct bft_event event = {
		.type = BFT_EVENT_TIMEOUT, .height = lab->height, .round = round, .timer = timer};
	lab_event(lab, &event);
}

/* ---- what the engine did ---- */

/* The engine's last vote is this one. */
static inline void lab_voted(struct lab *lab, enum cmt_signed_type type, int32_t round,
			     const struct lab_block *block)
{
	static const struct cmt_block_id nil;
	assert_true(lab->vote_count > 0);
	const struct cmt_vote *v = &lab->votes[lab->vote_count - 1];
	assert_int_equal(v->type, type);
	assert_int_equal(v->round, round);
	assert_true(cmt_block_id_eq(&v->block_id, block != NULL ? &block->id : &nil));
}

static inline void lab_is_at(struct lab *lab, int32_t round, enum bft_step_name step)
{
	struct bft_view view = bft_look(lab->bft);
	assert_int_equal(view.round, round);
	assert_int_equal(view.step, step);
}

static inline void lab_is_locked(struct lab *lab, int32_t round, const struct lab_block *block)
{
	struct bft_view view = bft_look(lab->bft);
	assert_int_equal(view.locked_round, round);
	if (block != NULL)
		assert_true(cmt_block_id_eq(&view.locked_id, &block->id));
}

#endif
