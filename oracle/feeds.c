/* The scheduler of feeds: what is listed, and which of it is asked for or submitted next. */
#include "oracle/feeds.h"

#include "host/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SEED_NAME "feeds.seed" /* in the journal */
/* A feed that is paused at its contract is looked at so seldom, besides by the logs. */
#define STOPPED_MS 15000u
/* Rows that are read at a time. */
#define ROWS 16u

/* ---- state and row ---- */

static struct cs_int256 number_of(const struct cs_hash *word)
{
	return cs_int256_from_word(word);
}

static void state_from_row(struct oracle_feed_live *live)
{
	const struct oracle_feed *row = &live->row;
	struct oracle_round_state *s = &live->state;
	*s = (struct oracle_round_state){
		.paused = row->state == ORACLE_FEED_PAUSED,
		.tripped = row->state == ORACLE_FEED_TRIPPED,
		.jump_allowed = row->jump_allowed,
		.submitting = row->submission != 0,
		/* Its place in its statement is not kept: it is asked for again. */
		.spent = true,
		.chain_round = row->chain_round,
		.good_ms = row->good_ms,
		.asked_ms = row->asked_ms,
		.failures = row->failures,
	};
	if (row->observed_at != 0)
		s->good =
			(struct oracle_round_point){true, number_of(&row->value), row->observed_at};
	if (row->submitted_at != 0)
		s->chain = (struct oracle_round_point){true, number_of(&row->submitted_value),
						       row->submitted_at};
}

static struct cs_hash word_of(const struct oracle_round_point *point)
{
	struct cs_hash word = {{0}};
	/* What is in the state fits an int128. */
	if (point->known)
		cs_assert(cs_int256_word(&word, &point->value) == CS_OK);
	return word;
}

enum cs_err oracle_feed_save(struct oracle_feed_live *live)
{
	const struct oracle_round_state *s = &live->state;
	struct oracle_feed *row = &live->row;
	row->state = s->paused    ? ORACLE_FEED_PAUSED
		     : s->tripped ? ORACLE_FEED_TRIPPED
				  : ORACLE_FEED_ACTIVE;
	row->jump_allowed = s->jump_allowed;
	row->spent = s->spent;
	row->good_ms = s->good_ms;
	row->asked_ms = s->asked_ms;
	row->failures = s->failures;
	row->value = word_of(&s->good);
	row->observed_at = s->good.observed_at_s;
	row->submitted_value = word_of(&s->chain);
	row->submitted_at = s->chain.observed_at_s;
	row->chain_round = s->chain_round;
	row->next_ms = live->not_before_ms;
	row->stopped = live->stopped;
	snprintf(row->why, sizeof(row->why), "%s", live->why);
	return oracle_journal_save_feed(live->feeds->oracle->journal, row);
}

const char *oracle_feed_state_name(const struct oracle_feed_live *live)
{
	return live->stopped ? "paused" : oracle_round_state_name(&live->state);
}

static void note_paused(struct oracle_feed_live *live, bool paused)
{
	live->tries = 0;
	live->why[0] = 0;
	live->stopped = paused;
	if (!paused)
		return;
	live->not_before_ms = host_wall_ms() + STOPPED_MS;
	snprintf(live->why, sizeof(live->why), "the contract's feed is paused");
}

void oracle_feed_seen(struct oracle_feed_live *live, const struct oracle_feed_info *info,
		      const struct oracle_feed_round *round)
{
	if (!cs_hash_eq(&info->spec_hash, &live->row.spec_hash)) {
		oracle_feed_hold_up(live, CS_ERR_RPC_LIE, "the contract's spec became another");
		return;
	}
	note_paused(live, info->paused);
	oracle_round_seen(&live->state, round->round, &round->value, round->observed_at_s);
}

void oracle_feed_hold_up(struct oracle_feed_live *live, enum cs_err err, const char *why)
{
	if (live->tries < UINT32_MAX)
		live->tries++;
	live->not_before_ms = oracle_backoff(live->feeds->oracle, live->tries);
	oracle_why(live->why, err, why);
	if (live->tries == 1)
		log_warn("feed.held_up", LOG_TEXT("chain", live->contract->chain->config->id),
			 LOG_U64("index", live->row.index), LOG_TEXT("why", live->why));
}

enum cs_err oracle_feeds_updated(struct oracle_contract *contract, uint64_t index,
				 const struct cs_hash *value, uint64_t observed_at, uint64_t height)
{
	struct oracle_feed_live *live = oracle_feeds_find(contract->chain->oracle, contract, index);
	(void)height;
	/* Older ones, and what a reorganisation brings back, are seen with the next look. */
	if (!live || (live->state.chain.known && observed_at <= live->state.chain.observed_at_s))
		return CS_OK;
	struct cs_int256 number = number_of(value);
	oracle_round_seen(&live->state, live->state.chain_round + 1, &number, observed_at);
	return oracle_feed_save(live);
}

enum cs_err oracle_feeds_paused(struct oracle_contract *contract, uint64_t index, bool paused,
				bool late)
{
	struct oracle_feed_live *live = oracle_feeds_find(contract->chain->oracle, contract, index);
	/* A log of long ago says nothing of now: the next look does. */
	if (!live || late)
		return CS_OK;
	log_info(paused ? "feed.paused_at_contract" : "feed.resumed_at_contract",
		 LOG_TEXT("chain", contract->chain->config->id), LOG_U64("index", index));
	if (live->stopped == paused)
		return CS_OK;
	note_paused(live, paused);
	if (!paused)
		live->not_before_ms = 0;
	return oracle_feed_save(live);
}

void oracle_feeds_announced(const struct oracle_contract *contract,
			    const struct adapter_feed_addition *feed, bool late)
{
	if (late)
		return;
	log_info("feed.added_at_contract", LOG_TEXT("chain", contract->chain->config->id),
		 LOG_U64("index", feed->index), LOG_HASH("feed", &feed->feed_id),
		 LOG_HASH("spec", &feed->spec_hash),
		 LOG_BOOL("listed", oracle_feeds_find(contract->chain->oracle, contract,
						      feed->index) != NULL));
}

/* ---- the list ---- */

struct oracle_feed_live *oracle_feeds_find(struct oracle *oracle,
					   const struct oracle_contract *contract, uint64_t index)
{
	const struct oracle_feeds *feeds = oracle->feeds;
	for (size_t i = 0; feeds && i < feeds->count; i++) {
		if (feeds->live[i]->contract == contract && feeds->live[i]->row.index == index)
			return feeds->live[i];
	}
	return NULL;
}

static uint64_t seed_of(const struct oracle_feeds *feeds, const struct oracle_contract *contract)
{
	return feeds->seed ^ cs_be64(contract->identity.b);
}

/* Settings and memory of a row; spec is copied. */
static enum cs_err make(struct oracle_feed_live **out, struct oracle_feeds *feeds,
			const struct oracle_feed *row, struct oracle_contract *contract,
			struct cs_bytes spec, struct cs_why *why)
{
	struct cs_arena *arena = &feeds->oracle->scratch;
	struct oracle_round_settings settings;
	struct wire_spec parsed;
	size_t mark = cs_arena_mark(arena);
	if (feeds->count == ORACLE_FEEDS_MAX)
		return cs_fail(why, CS_ERR_FULL, "more than %u feeds", ORACLE_FEEDS_MAX);
	enum cs_err err = oracle_feed_spec(&parsed, spec, arena, why);
	if (err == CS_OK)
		err = oracle_feed_settings(&settings, row, &parsed, contract->chain->config,
					   seed_of(feeds, contract), why);
	cs_arena_rewind(arena, mark);
	CS_TRY(err);
	struct oracle_feed_live *live = host_alloc(sizeof(*live));
	uint8_t *copy = host_alloc(spec.n);
	memcpy(copy, spec.p, spec.n);
	*live = (struct oracle_feed_live){.feeds = feeds,
					  .contract = contract,
					  .row = *row,
					  .id = wire_feed_id(&contract->identity, row->index),
					  .spec = cs_bytes(copy, spec.n),
					  .source_count = parsed.source_count,
					  .settings = settings,
					  .stopped = row->stopped,
					  .not_before_ms = row->next_ms};
	snprintf(live->why, sizeof(live->why), "%s", row->why);
	state_from_row(live);
	*out = live;
	return CS_OK;
}

enum cs_err oracle_feeds_add(struct oracle *oracle, struct oracle_feed *row,
			     struct oracle_contract *contract, struct cs_bytes spec,
			     struct oracle_feed_live **out, struct cs_why *why)
{
	struct oracle_feeds *feeds = oracle->feeds;
	struct oracle_feed_live *live = NULL;
	struct cs_hash hash;
	CS_TRY(make(&live, feeds, row, contract, spec, why));
	enum cs_err err = oracle_journal_put_spec(oracle->journal, spec, "", &hash);
	if (err == CS_OK)
		err = oracle_journal_add_feed(oracle->journal, &live->row);
	if (err != CS_OK) {
		oracle_feed_free(live);
		return cs_fail(why, err, "%s",
			       err == CS_ERR_DUPLICATE ? "the feed is listed already" : "");
	}
	feeds->live[feeds->count++] = live;
	oracle_feed_metrics_add(live);
	*out = live;
	return CS_OK;
}

enum cs_err oracle_feeds_remove(struct oracle_feed_live *live)
{
	struct oracle_feeds *feeds = live->feeds;
	size_t i = 0;
	CS_TRY(oracle_journal_remove_feed(feeds->oracle->journal, &live->row));
	while (feeds->live[i] != live)
		i++;
	for (; i + 1 < feeds->count; i++)
		feeds->live[i] = feeds->live[i + 1];
	feeds->count--;
	oracle_feed_metrics_remove(live);
	live->removed = true;
	if (!live->flight)
		oracle_feed_free(live);
	return CS_OK;
}

/* ---- what is next ---- */

static bool is_free(const struct oracle_feed_live *live, const struct oracle_contract *contract,
		    uint64_t now_ms)
{
	return live->contract == contract && !live->flight && live->not_before_ms <= now_ms;
}

static bool may_submit(struct oracle_feed_live *live)
{
	if (oracle_may_submit(live->contract->chain))
		return true;
	snprintf(live->why, sizeof(live->why), "%s",
		 live->contract->chain->has_operator
			 ? "the operator's account has no room for another call"
			 : "no operator's account: rounds are not submitted");
	return false;
}

/* The feeds of the statement of `first` that could go, due or not: what it takes to choose. */
static void begin_submit(struct oracle_feeds *feeds, struct oracle_feed_live *first,
			 uint64_t now_ms)
{
	struct oracle_feed_live *members[ORACLE_BATCH_MAX];
	const struct oracle_chain *chain = first->contract->chain;
	size_t count = 0;
	for (size_t i = 0; i < feeds->count && count < ORACLE_BATCH_MAX; i++) {
		struct oracle_feed_live *live = feeds->live[i];
		if (is_free(live, first->contract, now_ms) && live->statement == first->statement &&
		    oracle_round_may_submit(&live->settings, &live->state, now_ms,
					    chain->follow.head_time_s))
			members[count++] = live;
	}
	oracle_feed_fly(first->contract, members, count, oracle_feed_submit);
}

/* A slow one is asked by itself, so that it delays no other. */
static void begin_ask(struct oracle_feeds *feeds, struct oracle_feed_live *first, uint64_t now_ms)
{
	struct oracle_feed_live *members[ORACLE_BATCH_MAX] = {first};
	size_t count = 1;
	for (size_t i = 0; !first->slow && i < feeds->count && count < ORACLE_BATCH_MAX; i++) {
		struct oracle_feed_live *live = feeds->live[i];
		if (live != first && !live->slow && is_free(live, first->contract, now_ms) &&
		    oracle_round_asks_along(&live->settings, &live->state, now_ms))
			members[count++] = live;
	}
	oracle_feed_fly(first->contract, members, count, oracle_feed_ask);
}

/* Starts what is due of this feed and those beside it. */
static void start(struct oracle_feeds *feeds, struct oracle_feed_live *live, uint64_t now_ms)
{
	/* A log can be missed, or its block taken back: until the contract is seen to take
	 * rounds. */
	if (live->stopped) {
		oracle_feed_fly(live->contract, &live, 1, oracle_feed_ask);
		return;
	}
	struct oracle_round_decision next = oracle_round_decide(
		&live->settings, &live->state, now_ms, live->contract->chain->follow.head_time_s);
	switch (next.verb) {
	case ORACLE_ROUND_HOLD:
	case ORACLE_ROUND_WAIT:
		return;
	case ORACLE_ROUND_ASK:
		begin_ask(feeds, live, now_ms);
		return;
	case ORACLE_ROUND_SUBMIT_DEVIATION:
	case ORACLE_ROUND_SUBMIT_HEARTBEAT:
		if (may_submit(live))
			begin_submit(feeds, live, now_ms);
		return;
	case ORACLE_ROUND_SUBMIT_ALONG:
		break;
	}
	cs_bug("never decided", __FILE__, __LINE__);
}

/* The process's own tick comes often enough for every due moment. */
void oracle_feeds_pump(struct oracle *oracle)
{
	struct oracle_feeds *feeds = oracle->feeds;
	uint64_t now_ms = host_wall_ms();
	for (size_t i = 0; feeds && i < feeds->count; i++) {
		struct oracle_feed_live *live = feeds->live[i];
		if (is_free(live, live->contract, now_ms))
			start(feeds, live, now_ms);
	}
}

/* ---- start and stop ---- */

static enum cs_err write_seed(void *context)
{
	struct oracle_feeds *feeds = context;
	uint8_t bytes[8];
	cs_put_be64(bytes, feeds->seed);
	return oracle_journal_put(feeds->oracle->journal, SEED_NAME, CS_BYTES_OF(bytes));
}

/* Of its own for every oracle, and the same after a restart. */
static enum cs_err find_seed(struct oracle_feeds *feeds, struct cs_why *why)
{
	struct oracle *oracle = feeds->oracle;
	size_t mark = cs_arena_mark(&oracle->scratch);
	struct cs_bytes bytes = CS_BYTES_NONE;
	enum cs_err err = oracle_journal_get(oracle->journal, SEED_NAME, &oracle->scratch, &bytes);
	if (err == CS_OK && bytes.n == sizeof(feeds->seed))
		feeds->seed = cs_be64(bytes.p);
	cs_arena_rewind(&oracle->scratch, mark);
	if (err != CS_ERR_NOT_FOUND)
		return err == CS_OK ? CS_OK : cs_fail(why, err, "journal: %s", SEED_NAME);
	if (getrandom(&feeds->seed, sizeof(feeds->seed), 0) != (ssize_t)sizeof(feeds->seed))
		return cs_fail(why, CS_ERR_IO, "no random bytes");
	return oracle_write(oracle, write_seed, feeds);
}

static enum cs_err load_row(struct oracle_feeds *feeds, const struct oracle_feed *row,
			    struct cs_why *why)
{
	struct oracle *oracle = feeds->oracle;
	struct oracle_contract *contract = oracle_contract_of(oracle, &row->contract);
	struct oracle_feed_live *live = NULL;
	struct cs_bytes spec;
	if (!contract) {
		/* The manifest may name it again. */
		log_warn("feeds.contract_gone", LOG_HASH("contract", &row->contract),
			 LOG_U64("index", row->index));
		return CS_OK;
	}
	size_t mark = cs_arena_mark(&oracle->scratch);
	enum cs_err err =
		oracle_journal_spec(oracle->journal, &row->spec_hash, &oracle->scratch, &spec);
	if (err == CS_OK)
		err = make(&live, feeds, row, contract, spec, why);
	cs_arena_rewind(&oracle->scratch, mark);
	CS_TRY(err);
	feeds->live[feeds->count++] = live;
	oracle_feed_metrics_add(live);
	return CS_OK;
}

static enum cs_err load(struct oracle_feeds *feeds, struct cs_why *why)
{
	static struct oracle_feed rows[ROWS];
	uint64_t after = 0;
	size_t count;
	do {
		CS_TRY(oracle_journal_feeds(feeds->oracle->journal, after, rows, ROWS, &count));
		for (size_t i = 0; i < count; i++) {
			CS_TRY(load_row(feeds, &rows[i], why));
			after = rows[i].n;
		}
	} while (count == ROWS);
	return CS_OK;
}

enum cs_err oracle_feeds_start(struct oracle *oracle, struct cs_why *why)
{
	struct oracle_feeds *feeds = host_alloc(sizeof(*feeds));
	feeds->oracle = oracle;
	oracle->feeds = feeds;
	CS_TRY(find_seed(feeds, why));
	CS_TRY(load(feeds, why));
	host_metrics_on_collect(oracle->metrics, oracle_feed_metrics_collect, oracle);
	if (feeds->count > 0)
		log_info("feeds.listed", LOG_U64("count", feeds->count));
	return CS_OK;
}

void oracle_feeds_stop(struct oracle *oracle)
{
	struct oracle_feeds *feeds = oracle->feeds;
	if (!feeds)
		return;
	while (feeds->flights)
		oracle_feed_land(feeds->flights);
	for (size_t i = 0; i < feeds->count; i++)
		oracle_feed_free(feeds->live[i]);
	free(feeds);
	oracle->feeds = NULL;
}
