#include "relay_state/node/forensics.h"

#include "host/alloc.h"
#include "relay_state/bft/message.h"
#include "relay_state/node/reading.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*~ One home after the other is read in the order in which it was written, so that the validators of a
 * height are known before what they signed is verified. What a log says that its own key has signed
 * lacks the block: it is tried with every block that anybody signed in that height. */

/* Validators from this height on, until the next entry. */
struct set_from {
	int64_t from;
	struct bft_set set;
};

/* SIGNED of a log. */
struct own_signed {
	size_t home;
	int64_t height;
	int32_t round;
	enum bft_sign_step step;
	int64_t time_ns;
	struct cmt_signature signature;
};

struct gathering {
	struct node_forensics *f;
	size_t home;
	int64_t from, to;
	struct set_from **sets; /* rising */
	size_t set_count, set_room;
	struct bft_state state; /* after the last outcome */
	uint8_t *block;         /* whose outcome comes next */
	uint8_t *commit;
	size_t block_size, commit_size;
	struct own_signed *own;
	size_t own_count, own_room;
	uint8_t *memory;
	struct cs_arena scratch;
};

/* ---- who validates ---- */

static void add_set(struct gathering *g, int64_t from, const struct bft_set *set)
{
	if (g->set_count > 0) {
		const struct set_from *last = g->sets[g->set_count - 1];
		struct cs_hash a = cmt_validator_set_hash(&last->set.set);
		struct cs_hash b = cmt_validator_set_hash(&set->set);
		if (cs_hash_eq(&a, &b) || from <= last->from)
			return;
	}
	struct set_from *entry = host_alloc(sizeof *entry);
	entry->from = from;
	enum cs_err err = bft_set_copy(&entry->set, &set->set);
	cs_assert(err == CS_OK);
	if (g->set_count == g->set_room) {
		g->set_room = g->set_room == 0 ? 16 : 2 * g->set_room;
		g->sets = host_grow(g->sets, g->set_room * sizeof(struct set_from *));
	}
	g->sets[g->set_count++] = entry;
}

static const struct cmt_validator_set *set_at(const struct gathering *g, int64_t height)
{
	for (size_t i = g->set_count; i > 0; i--) {
		if (g->sets[i - 1]->from <= height)
			return &g->sets[i - 1]->set.set;
	}
	return NULL;
}

static void forget_sets(struct gathering *g)
{
	for (size_t i = 0; i < g->set_count; i++)
		free(g->sets[i]);
	g->set_count = 0;
}

/* ---- statements ---- */

static bool is_wanted(const struct gathering *g, int64_t height)
{
	return height >= g->from && (g->to == 0 || height <= g->to);
}

static enum cs_err keep(struct gathering *g, const struct node_statement *statement, size_t home)
{
	struct node_forensics *f = g->f;
	if (f->count == NODE_STATEMENTS_MAX)
		return CS_ERR_TOO_LARGE;
	if (f->count == f->room) {
		f->room = f->room == 0 ? 1024 : 2 * f->room;
		f->statements = host_grow(f->statements, f->room * sizeof *f->statements);
	}
	f->statements[f->count] = *statement;
	f->statements[f->count++].homes = (uint32_t)1 << home;
	return CS_OK;
}

static struct node_statement statement_of(const struct cmt_vote *v)
{
	return (struct node_statement){.height = v->height,
				       .round = v->round,
				       .type = v->type,
				       .validator = v->validator,
				       .block_id = v->block_id,
				       .pol_round = -1,
				       .index = v->index,
				       .time = v->time,
				       .signature = v->signature};
}

static bool is_signed(const struct gathering *g, const struct cmt_vote *vote)
{
	const struct cmt_validator_set *set = set_at(g, vote->height);
	size_t at = set != NULL ? cmt_validator_set_find(set, &vote->validator) : SIZE_MAX;
	return at != SIZE_MAX &&
	       cmt_vote_verify(vote, &g->f->chain_id, &set->list[at].key) == CS_OK;
}

static enum cs_err add_vote(struct gathering *g, const struct cmt_vote *vote)
{
	struct node_statement statement = statement_of(vote);
	if (!is_wanted(g, vote->height))
		return CS_OK;
	if (is_signed(g, vote))
		return keep(g, &statement, g->home);
	g->f->unverified++;
	return CS_OK;
}

static enum cs_err add_commit(struct gathering *g, const struct cmt_commit *commit)
{
	for (size_t i = 0; i < commit->count; i++) {
		if (commit->sigs[i].flag == CMT_ABSENT)
			continue;
		const struct cmt_vote vote = cmt_commit_vote(commit, i);
		CS_TRY(add_vote(g, &vote));
	}
	return CS_OK;
}

/* A proposal does not say whose it is. */
static bool find_proposer(const struct gathering *g, struct cmt_proposal *p,
			  struct node_statement *out)
{
	const struct cmt_validator_set *set = set_at(g, p->height);
	for (size_t i = 0; set != NULL && i < set->count; i++) {
		if (cmt_proposal_verify(p, &g->f->chain_id, &set->list[i].key) != CS_OK)
			continue;
		*out = (struct node_statement){.height = p->height,
					       .round = p->round,
					       .type = CMT_PROPOSAL,
					       .validator = set->list[i].address,
					       .block_id = p->block_id,
					       .pol_round = p->pol_round,
					       .index = (int32_t)i,
					       .time = p->time,
					       .signature = p->signature};
		return true;
	}
	return false;
}

static enum cs_err add_proposal(struct gathering *g, struct cmt_proposal *proposal)
{
	struct node_statement statement;
	if (!is_wanted(g, proposal->height))
		return CS_OK;
	if (find_proposer(g, proposal, &statement))
		return keep(g, &statement, g->home);
	g->f->unverified++;
	return CS_OK;
}

static enum cs_err add_evidence(struct gathering *g, const struct cmt_evidence *e)
{
	if (e->kind == CMT_LIGHT_ATTACK)
		return add_commit(g, &e->light_attack.conflicting.commit);
	CS_TRY(add_vote(g, &e->duplicate_vote.a));
	return add_vote(g, &e->duplicate_vote.b);
}

/* ---- what a home holds ---- */

static enum cs_err on_block(void *context, const struct node_record *block)
{
	struct gathering *g = context;
	free(g->block);
	free(g->commit);
	g->block = host_copy(block->block);
	g->block_size = block->block.n;
	g->commit = host_copy(block->commit);
	g->commit_size = block->commit.n;
	return CS_OK;
}

static enum cs_err add_block(struct gathering *g)
{
	struct cmt_block block;
	struct cmt_commit commit;
	if (g->block == NULL)
		return CS_OK;
	g->scratch.used = 0;
	CS_TRY(cmt_block_decode(&block, cs_bytes(g->block, g->block_size), &g->scratch, NULL));
	CS_TRY(cmt_extended_commit_decode(&commit, cs_bytes(g->commit, g->commit_size), &g->scratch,
					  NULL));
	CS_TRY(add_commit(g, &commit));
	/* Of the first block that is kept the set of the height before is not. */
	if (set_at(g, block.header.height - 1) != NULL)
		CS_TRY(add_commit(g, &block.last_commit));
	for (size_t i = 0; i < block.evidence_count; i++)
		CS_TRY(add_evidence(g, &block.evidence[i]));
	free(g->block);
	g->block = NULL;
	return CS_OK;
}

static enum cs_err on_outcome(void *context, const struct node_record *outcome)
{
	struct gathering *g = context;
	g->scratch.used = 0;
	CS_TRY(bft_state_decode(&g->state, outcome->state, &g->scratch, NULL));
	if (!cmt_chain_id_eq(&g->state.chain_id, &g->f->chain_id))
		return CS_ERR_WRONG_CHAIN;
	/* The log is of the newest heights, whose sets come with the last state. */
	add_set(g, outcome->height, &g->state.last);
	add_set(g, outcome->height + 1, &g->state.now);
	add_set(g, outcome->height + 2, &g->state.next);
	return add_block(g);
}

static enum cs_err add_own(struct gathering *g, const struct own_signed *own)
{
	if (!is_wanted(g, own->height))
		return CS_OK;
	if (g->own_count == NODE_STATEMENTS_MAX)
		return CS_ERR_TOO_LARGE;
	if (g->own_count == g->own_room) {
		g->own_room = g->own_room == 0 ? 1024 : 2 * g->own_room;
		g->own = host_grow(g->own, g->own_room * sizeof *g->own);
	}
	g->own[g->own_count++] = *own;
	return CS_OK;
}

static enum cs_err on_logged(void *context, int64_t height, const struct bft_event *event,
			     const char *file)
{
	struct gathering *g = context;
	struct bft_message m;
	(void)file;
	if (event->type == BFT_EVENT_SIGNED) {
		struct own_signed own = {g->home,     height,         event->round,
					 event->step, event->time_ns, {.some = true}};
		memcpy(own.signature.b, event->signature, sizeof own.signature.b);
		return add_own(g, &own);
	}
	if (event->type != BFT_EVENT_MESSAGE || bft_message_decode(&m, event->bytes) != CS_OK)
		return CS_OK;
	if (m.type == BFT_MESSAGE_VOTE)
		return add_vote(g, &m.vote);
	if (m.type == BFT_MESSAGE_PROPOSAL)
		return add_proposal(g, &m.proposal);
	for (size_t i = 0; m.type == BFT_MESSAGE_OWN_VOTES && i < m.own_votes.count; i++)
		CS_TRY(add_vote(g, &m.own_votes.votes[i]));
	return CS_OK;
}

static enum cs_err on_evidence(void *context, struct cs_bytes bytes)
{
	struct gathering *g = context;
	struct cmt_evidence evidence;
	g->scratch.used = 0;
	if (cmt_evidence_decode(&evidence, bytes, &g->scratch, NULL) != CS_OK)
		return CS_OK;
	return add_evidence(g, &evidence);
}

/* Whose it is only its signature says. */
static enum cs_err on_signed_last(void *context, const struct bft_sign_state *s)
{
	struct gathering *g = context;
	const struct cmt_validator_set *set = set_at(g, s->height);
	struct cmt_proposal p = {
		s->height,     s->round, s->pol_round, s->block_id, bft_time_pb(s->time_ns),
		{.some = true}};
	struct cmt_vote v = {.type = s->step == BFT_SIGN_PREVOTE ? CMT_PREVOTE : CMT_PRECOMMIT,
			     .height = s->height,
			     .round = s->round,
			     .block_id = s->block_id,
			     .time = p.time,
			     .signature = {.some = true}};
	if (s->step == BFT_SIGN_NONE || set == NULL)
		return CS_OK;
	memcpy(p.signature.b, s->signature, sizeof p.signature.b);
	memcpy(v.signature.b, s->signature, sizeof v.signature.b);
	if (s->step == BFT_SIGN_PROPOSAL)
		return add_proposal(g, &p);
	for (size_t i = 0; i < set->count; i++) {
		v.validator = set->list[i].address;
		v.index = (int32_t)i;
		if (is_signed(g, &v))
			return add_vote(g, &v);
	}
	return CS_OK;
}

static void on_unread(void *context, const char *file, const char *why)
{
	struct gathering *g = context;
	struct node_forensics *f = g->f;
	if (f->unread_count == NODE_UNREAD_MAX)
		return;
	struct node_unread *u = &f->unread[f->unread_count++];
	u->home = g->home;
	(void)snprintf(u->file, sizeof u->file, "%s", file);
	(void)snprintf(u->why, sizeof u->why, "%s", why);
}

/* ---- own signatures ---- */

static bool is_own_vote(const struct gathering *g, const struct own_signed *own,
			const struct cmt_block_id *id, struct node_statement *out)
{
	const struct cmt_validator_set *set = set_at(g, own->height);
	struct cmt_vote v = {.type = own->step == BFT_SIGN_PREVOTE ? CMT_PREVOTE : CMT_PRECOMMIT,
			     .height = own->height,
			     .round = own->round,
			     .block_id = *id,
			     .time = bft_time_pb(own->time_ns),
			     .signature = own->signature};
	for (size_t i = 0; set != NULL && i < set->count; i++) {
		v.validator = set->list[i].address;
		v.index = (int32_t)i;
		if (!is_signed(g, &v))
			continue;
		*out = statement_of(&v);
		return true;
	}
	return false;
}

static bool is_own_proposal(const struct gathering *g, const struct own_signed *own,
			    const struct cmt_block_id *id, struct node_statement *out)
{
	struct cmt_proposal p = {own->height,   own->round, -1, *id, bft_time_pb(own->time_ns),
				 own->signature};
	for (; p.pol_round < own->round; p.pol_round++) {
		if (find_proposer(g, &p, out))
			return true;
	}
	return false;
}

static bool resolve(const struct gathering *g, const struct own_signed *own,
		    const struct cmt_block_id *id, struct node_statement *out)
{
	if (own->step != BFT_SIGN_PROPOSAL)
		return is_own_vote(g, own, id, out);
	return !cmt_block_id_is_nil(id) && is_own_proposal(g, own, id, out);
}

/* Of the first `known`, which are sorted. */
static size_t first_of(const struct node_forensics *f, size_t known, int64_t height)
{
	size_t low = 0, high = known;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (f->statements[middle].height < height)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Each block that somebody signed in this height, then none at all. */
static enum cs_err resolve_own(struct gathering *g, size_t known)
{
	static const struct cmt_block_id nil;
	for (size_t i = 0; i < g->own_count; i++) {
		const struct own_signed *own = &g->own[i];
		struct node_statement statement;
		bool is_found = false;
		const struct cmt_block_id *tried = NULL;
		for (size_t k = first_of(g->f, known, own->height); k < known && !is_found; k++) {
			const struct node_statement *s = &g->f->statements[k];
			if (s->height != own->height)
				break;
			if (cmt_block_id_is_nil(&s->block_id) ||
			    (tried != NULL && cmt_block_id_eq(tried, &s->block_id)))
				continue;
			tried = &s->block_id;
			is_found = resolve(g, own, tried, &statement);
		}
		if (!is_found)
			is_found = resolve(g, own, &nil, &statement);
		if (!is_found)
			g->f->unverified++;
		else
			CS_TRY(keep(g, &statement, own->home));
	}
	g->own_count = 0;
	return CS_OK;
}

/* ---- judging ---- */

static int compare_numbers(int64_t a, int64_t b)
{
	return a < b ? -1 : a > b;
}

static int compare(const void *p, const void *q)
{
	const struct node_statement *a = p, *b = q;
	int order = compare_numbers(a->height, b->height);
	if (order == 0)
		order = compare_numbers(a->round, b->round);
	/* CometBFT's numbers, with proposals first. */
	if (order == 0)
		order = compare_numbers(a->type == CMT_PROPOSAL ? 0 : (int)a->type,
					b->type == CMT_PROPOSAL ? 0 : (int)b->type);
	if (order == 0)
		order = memcmp(a->validator.b, b->validator.b, sizeof a->validator.b);
	if (order == 0)
		order = cmt_block_id_cmp(&a->block_id, &b->block_id);
	if (order == 0)
		order = compare_numbers(a->pol_round, b->pol_round);
	return order;
}

static void sort_and_merge(struct node_forensics *f)
{
	size_t count = 0;
	if (f->count > 0)
		qsort(f->statements, f->count, sizeof *f->statements, compare);
	for (size_t i = 0; i < f->count; i++) {
		if (count > 0 && compare(&f->statements[count - 1], &f->statements[i]) == 0)
			f->statements[count - 1].homes |= f->statements[i].homes;
		else
			f->statements[count++] = f->statements[i];
	}
	f->count = count;
}

static void add_finding(struct node_forensics *f, enum node_finding_kind kind, size_t first,
			size_t second)
{
	f->findings = host_grow(f->findings, (f->finding_count + 1) * sizeof *f->findings);
	f->findings[f->finding_count++] = (struct node_finding){kind, first, second};
}

/* Neighbours of one place; the same block with another time alone is none. */
static void find_equivocation(struct node_forensics *f)
{
	for (size_t i = 1; i < f->count; i++) {
		const struct node_statement *a = &f->statements[i - 1], *b = &f->statements[i];
		if (a->height == b->height && a->round == b->round && a->type == b->type &&
		    cs_address_eq(&a->validator, &b->validator))
			add_finding(f, NODE_EQUIVOCATION, i - 1, i);
	}
}

/* More than two thirds of prevotes for this block in a round of [from, to]. */
static bool has_polka(const struct node_forensics *f, size_t begin, size_t end,
		      const struct cmt_validator_set *set, const struct cmt_block_id *id,
		      int32_t from, int32_t to)
{
	int64_t total = 0;
	for (size_t i = 0; i < set->count; i++)
		total += set->list[i].power;
	for (int32_t round = from; round <= to; round++) {
		int64_t power = 0;
		for (size_t i = begin; i < end; i++) {
			const struct node_statement *s = &f->statements[i];
			size_t at = cmt_validator_set_find(set, &s->validator);
			if (s->type == CMT_PREVOTE && s->round == round && at != SIZE_MAX &&
			    cmt_block_id_eq(&s->block_id, id))
				power += set->list[at].power;
		}
		if (bft_is_two_thirds(power, total))
			return true;
	}
	return false;
}

/* arXiv 1807.04938 lines 22, 28, 36: a lock is left for a block with a later quorum of prevotes. */
static bool is_against_lock(const struct node_statement *lock, const struct node_statement *vote)
{
	return lock->type == CMT_PRECOMMIT && !cmt_block_id_is_nil(&lock->block_id) &&
	       vote->type != CMT_PROPOSAL && vote->round > lock->round &&
	       cs_address_eq(&lock->validator, &vote->validator) &&
	       !cmt_block_id_is_nil(&vote->block_id) &&
	       !cmt_block_id_eq(&lock->block_id, &vote->block_id);
}

static void judge_height(struct gathering *g, size_t begin, size_t end)
{
	struct node_forensics *f = g->f;
	const struct cmt_validator_set *set = set_at(g, f->statements[begin].height);
	for (size_t i = begin; i < end && set != NULL; i++) {
		for (size_t k = i + 1; k < end; k++) {
			const struct node_statement *lock = &f->statements[i];
			const struct node_statement *vote = &f->statements[k];
			int32_t to = vote->type == CMT_PREVOTE ? vote->round - 1 : vote->round;
			if (!is_against_lock(lock, vote) ||
			    has_polka(f, begin, end, set, &vote->block_id, lock->round, to))
				continue;
			add_finding(f, NODE_AMNESIA, i, k);
			break;
		}
	}
}

static void find_amnesia(struct gathering *g)
{
	const struct node_forensics *f = g->f;
	size_t begin = 0;
	for (size_t i = 1; i <= f->count; i++) {
		if (i < f->count && f->statements[i].height == f->statements[begin].height)
			continue;
		/* One round: nothing to forget. */
		if (f->statements[i - 1].round > f->statements[begin].round)
			judge_height(g, begin, i);
		begin = i;
	}
}

/* ---- all of it ---- */

static enum cs_err read_genesis(struct gathering *g, const char *home, struct cs_why *why)
{
	struct node_genesis *genesis = host_alloc(sizeof *genesis);
	char path[NODE_PATH_SIZE_MAX];
	enum cs_err err = node_path(path, home, "config/genesis.json", why);
	if (err == CS_OK)
		err = node_genesis_load(genesis, path, why);
	if (err == CS_OK && g->home > 0 && !cmt_chain_id_eq(&genesis->chain_id, &g->f->chain_id))
		err = cs_fail(why, CS_ERR_WRONG_CHAIN, "%s is of another chain", home);
	if (err == CS_OK) {
		struct bft_set first;
		g->f->chain_id = genesis->chain_id;
		g->scratch.used = 0;
		bft_set_init(&first);
		if (genesis->count > 0 &&
		    cmt_validator_set_make(&first.set, genesis->validators, genesis->count,
					   &g->scratch, NULL) == CS_OK)
			add_set(g, genesis->initial_height, &first);
	}
	node_genesis_done(genesis);
	free(genesis);
	return err;
}

static enum cs_err read_home(struct gathering *g, const char *home, struct cs_why *why)
{
	const struct node_reading reading = {.context = g,
					     .block = on_block,
					     .outcome = on_outcome,
					     .logged = on_logged,
					     .evidence = on_evidence,
					     .signed_last = on_signed_last,
					     .unread = on_unread};
	CS_TRY(read_genesis(g, home, why));
	enum cs_err err = node_reading_walk(home, &reading, why);
	if (err == CS_ERR_TOO_LARGE)
		return cs_fail(why, err, "more than %u signatures: narrow with --from and --to",
			       NODE_STATEMENTS_MAX);
	return err;
}

static enum cs_err read_all(struct gathering *g, struct cs_why *why)
{
	struct node_forensics *f = g->f;
	for (g->home = 0; g->home < f->home_count; g->home++)
		CS_TRY(read_home(g, f->homes[g->home], why));
	sort_and_merge(f);
	CS_TRY(resolve_own(g, f->count));
	sort_and_merge(f);
	find_equivocation(f);
	find_amnesia(g);
	return CS_OK;
}

enum cs_err node_forensics_read(struct node_forensics **out, const char *const *homes,
				size_t home_count, int64_t from, int64_t to, struct cs_why *why)
{
	struct node_forensics *f = host_alloc(sizeof *f);
	struct gathering *g = host_alloc(sizeof *g);
	size_t size = BFT_SCRATCH_SIZE(BFT_BLOCK_SIZE_MAX);
	cs_assert(home_count > 0 && home_count <= NODE_HOMES_MAX);
	f->homes = homes;
	f->home_count = home_count;
	g->f = f;
	g->from = from;
	g->to = to;
	g->memory = host_alloc(size);
	cs_arena_init(&g->scratch, g->memory, size);
	bft_state_init(&g->state);
	enum cs_err err = read_all(g, why);
	forget_sets(g);
	free(g->sets);
	free(g->block);
	free(g->commit);
	free(g->own);
	free(g->memory);
	free(g);
	if (err != CS_OK) {
		node_forensics_free(f);
		return err;
	}
	*out = f;
	return CS_OK;
}

void node_forensics_free(struct node_forensics *f)
{
	if (f == NULL)
		return;
	free(f->statements);
	free(f->findings);
	free(f);
}
