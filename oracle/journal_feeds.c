#include "oracle/journal_feeds.h"

#include "oracle/journal_private.h"

/* ---- feeds ---- */

/* What changes, from parameter `first` on; *wei is kept by the caller until the statement ran. */
static void bind_changing(struct host_stmt *s, uint32_t first, const struct oracle_feed *feed,
			  const struct cs_hash *wei)
{
	host_bind_u64(s, first + 0, feed->state);
	host_bind_text(s, first + 1, feed->description);
	host_bind_u64(s, first + 2, feed->decimals);
	host_bind_u64(s, first + 3, feed->heartbeat_s);
	host_bind_u64(s, first + 4, feed->stale_after_s);
	host_bind_u64(s, first + 5, feed->deviation_ppm);
	host_bind_text(s, first + 6, feed->settings);
	host_bind_blob(s, first + 7, CS_BYTES_OF(feed->value.b));
	host_bind_u64(s, first + 8, feed->observed_at);
	host_bind_u64(s, first + 9, feed->good_ms);
	host_bind_u64(s, first + 10, feed->spent);
	host_bind_u64(s, first + 11, feed->jump_allowed);
	host_bind_u64(s, first + 12, feed->asked_ms);
	host_bind_blob(s, first + 13, CS_BYTES_OF(feed->submitted_value.b));
	host_bind_u64(s, first + 14, feed->submitted_at);
	host_bind_u64(s, first + 15, feed->chain_round);
	host_bind_u64(s, first + 16, feed->last_round);
	host_bind_u64(s, first + 17, feed->submission);
	host_bind_u64(s, first + 18, feed->failures);
	host_bind_u64(s, first + 19, feed->next_ms);
	host_bind_text(s, first + 20, feed->why);
	host_bind_u64(s, first + 21, feed->gas_total);
	oracle_bind_hash(s, first + 22, wei);
	host_bind_u64(s, first + 23, feed->stopped);
}

enum cs_err oracle_journal_add_feed(struct oracle_journal *journal, struct oracle_feed *feed)
{
	struct host_stmt *s = sql(journal, SQL_FEED_ADD);
	struct cs_hash wei = cs_u256_word(&feed->wei_total);
	feed->created_ms = host_wall_ms();
	host_bind_blob(s, 0, CS_BYTES_OF(feed->chain.b));
	host_bind_blob(s, 1, CS_BYTES_OF(feed->contract.b));
	host_bind_u64(s, 2, feed->index);
	host_bind_blob(s, 3, CS_BYTES_OF(feed->spec_hash.b));
	bind_changing(s, 4, feed, &wei);
	host_bind_u64(s, 28, feed->created_ms);
	CS_TRY(host_stmt_run(s));
	feed->n = host_store_row(journal->store);
	return CS_OK;
}

enum cs_err oracle_journal_save_feed(struct oracle_journal *journal, const struct oracle_feed *feed)
{
	struct host_stmt *s = sql(journal, SQL_FEED_SAVE);
	struct cs_hash wei = cs_u256_word(&feed->wei_total);
	host_bind_u64(s, 0, feed->n);
	bind_changing(s, 1, feed, &wei);
	host_bind_u64(s, 25, host_wall_ms());
	return host_stmt_run(s);
}

enum cs_err oracle_journal_remove_feed(struct oracle_journal *journal,
				       const struct oracle_feed *feed)
{
	struct host_stmt *s = sql(journal, SQL_FEED_REMOVE);
	host_bind_u64(s, 0, feed->n);
	return host_stmt_run(s);
}

static enum cs_err read_feed(struct host_stmt *s, struct oracle_feed *out)
{
	struct oracle_feed feed = {.n = host_column_u64(s, 0)};
	struct cs_hash wei;
	CS_TRY(host_column_copy(s, 1, feed.chain.b, sizeof(feed.chain.b)));
	CS_TRY(host_column_copy(s, 2, feed.contract.b, sizeof(feed.contract.b)));
	feed.index = host_column_u64(s, 3);
	CS_TRY(host_column_copy(s, 4, feed.spec_hash.b, sizeof(feed.spec_hash.b)));
	feed.state = (enum oracle_feed_state)host_column_u64(s, 5);
	oracle_column_text(s, 6, feed.description, sizeof(feed.description));
	feed.decimals = (uint8_t)host_column_u64(s, 7);
	feed.heartbeat_s = host_column_u64(s, 8);
	feed.stale_after_s = host_column_u64(s, 9);
	feed.deviation_ppm = (uint32_t)host_column_u64(s, 10);
	oracle_column_text(s, 11, feed.settings, sizeof(feed.settings));
	CS_TRY(oracle_column_hash(s, 12, &feed.value));
	feed.observed_at = host_column_u64(s, 13);
	feed.good_ms = host_column_u64(s, 14);
	feed.spent = host_column_u64(s, 15) != 0;
	feed.jump_allowed = host_column_u64(s, 16) != 0;
	feed.asked_ms = host_column_u64(s, 17);
	CS_TRY(oracle_column_hash(s, 18, &feed.submitted_value));
	feed.submitted_at = host_column_u64(s, 19);
	feed.chain_round = host_column_u64(s, 20);
	feed.last_round = host_column_u64(s, 21);
	feed.submission = host_column_u64(s, 22);
	feed.failures = (uint32_t)host_column_u64(s, 23);
	feed.next_ms = host_column_u64(s, 24);
	oracle_column_text(s, 25, feed.why, sizeof(feed.why));
	feed.gas_total = host_column_u64(s, 26);
	CS_TRY(oracle_column_hash(s, 27, &wei));
	feed.wei_total = cs_u256_from_word(&wei);
	feed.created_ms = host_column_u64(s, 28);
	feed.stopped = host_column_u64(s, 29) != 0;
	*out = feed;
	return CS_OK;
}

enum cs_err oracle_journal_feed(struct oracle_journal *journal, const struct cs_hash *contract,
				uint64_t index, struct oracle_feed *feed)
{
	struct host_stmt *s = sql(journal, SQL_FEED);
	bool row = false;
	host_bind_blob(s, 0, CS_BYTES_OF(contract->b));
	host_bind_u64(s, 1, index);
	CS_TRY(host_stmt_next(s, &row));
	if (!row)
		return CS_ERR_NOT_FOUND;
	enum cs_err err = read_feed(s, feed);
	host_stmt_reset(s);
	return err;
}

enum cs_err oracle_journal_feeds(struct oracle_journal *journal, uint64_t after,
				 struct oracle_feed *feeds, size_t count_max, size_t *count)
{
	struct host_stmt *s = sql(journal, SQL_FEEDS);
	size_t n = 0;
	host_bind_u64(s, 0, after);
	host_bind_u64(s, 1, count_max);
	for (;;) {
		bool row = false;
		CS_TRY(host_stmt_next(s, &row));
		if (!row)
			break;
		enum cs_err err = read_feed(s, &feeds[n]);
		if (err != CS_OK) {
			host_stmt_reset(s);
			return err;
		}
		n++;
	}
	*count = n;
	return CS_OK;
}

/* ---- rounds ---- */

enum cs_err oracle_journal_add_round(struct oracle_journal *journal, struct oracle_round_row *round)
{
	struct host_stmt *s = sql(journal, SQL_ROUND_ADD);
	host_bind_u64(s, 0, round->feed);
	host_bind_u64(s, 1, round->time_ms);
	host_bind_u64(s, 2, round->outcome);
	host_bind_u64(s, 3, round->code);
	host_bind_blob(s, 4, CS_BYTES_OF(round->value.b));
	host_bind_u64(s, 5, round->observed_at);
	host_bind_u64(s, 6, round->agreed);
	host_bind_u64(s, 7, round->reason);
	host_bind_u64(s, 8, round->statement);
	host_bind_u64(s, 9, round->leaf);
	host_bind_u64(s, 10, round->submission);
	host_bind_u64(s, 11, round->gas_used);
	host_bind_u64(s, 12, round->gas_price_wei);
	host_bind_blob(s, 13, round->result);
	host_bind_text(s, 14, round->why);
	CS_TRY(host_stmt_run(s));
	round->n = host_store_row(journal->store);
	return CS_OK;
}

enum cs_err oracle_journal_save_round(struct oracle_journal *journal,
				      const struct oracle_round_row *round)
{
	struct host_stmt *s = sql(journal, SQL_ROUND_SAVE);
	host_bind_u64(s, 0, round->n);
	host_bind_u64(s, 1, round->outcome);
	host_bind_u64(s, 2, round->reason);
	host_bind_u64(s, 3, round->submission);
	host_bind_u64(s, 4, round->gas_used);
	host_bind_u64(s, 5, round->gas_price_wei);
	host_bind_text(s, 6, round->why);
	return host_stmt_run(s);
}

static enum cs_err read_round(struct host_stmt *s, struct cs_arena *arena,
			      struct oracle_round_row *out)
{
	struct oracle_round_row round = {.n = host_column_u64(s, 0),
					 .feed = host_column_u64(s, 1),
					 .time_ms = host_column_u64(s, 2)};
	round.outcome = (enum oracle_round_outcome)host_column_u64(s, 3);
	round.code = (uint32_t)host_column_u64(s, 4);
	CS_TRY(oracle_column_hash(s, 5, &round.value));
	round.observed_at = host_column_u64(s, 6);
	round.agreed = (uint32_t)host_column_u64(s, 7);
	round.reason = (uint32_t)host_column_u64(s, 8);
	round.statement = host_column_u64(s, 9);
	round.leaf = (uint32_t)host_column_u64(s, 10);
	round.submission = host_column_u64(s, 11);
	round.gas_used = host_column_u64(s, 12);
	round.gas_price_wei = host_column_u64(s, 13);
	CS_TRY(oracle_column_copy(s, 14, arena, &round.result));
	oracle_column_text(s, 15, round.why, sizeof(round.why));
	*out = round;
	return CS_OK;
}

static enum cs_err read_rounds(struct host_stmt *s, struct cs_arena *arena,
			       struct oracle_round_row *rounds, size_t *count)
{
	size_t n = 0;
	for (;;) {
		bool row = false;
		CS_TRY(host_stmt_next(s, &row));
		if (!row)
			break;
		enum cs_err err = read_round(s, arena, &rounds[n]);
		if (err != CS_OK) {
			host_stmt_reset(s);
			return err;
		}
		n++;
	}
	*count = n;
	return CS_OK;
}

enum cs_err oracle_journal_rounds(struct oracle_journal *journal, uint64_t feed, uint64_t before,
				  struct cs_arena *arena, struct oracle_round_row *rounds,
				  size_t count_max, size_t *count)
{
	struct host_stmt *s = sql(journal, SQL_ROUNDS);
	host_bind_u64(s, 0, feed);
	host_bind_u64(s, 1, before);
	host_bind_u64(s, 2, count_max);
	return read_rounds(s, arena, rounds, count);
}

enum cs_err oracle_journal_round(struct oracle_journal *journal, uint64_t feed, uint64_t n,
				 struct cs_arena *arena, struct oracle_round_row *round)
{
	struct host_stmt *s = sql(journal, SQL_ROUND);
	struct oracle_round_row found[1];
	size_t count = 0;
	host_bind_u64(s, 0, feed);
	host_bind_u64(s, 1, n);
	host_bind_u64(s, 2, CS_LEN(found));
	CS_TRY(read_rounds(s, arena, found, &count));
	if (count == 0)
		return CS_ERR_NOT_FOUND;
	*round = found[0];
	return CS_OK;
}

enum cs_err oracle_journal_rounds_of(struct oracle_journal *journal, uint64_t submission,
				     struct cs_arena *arena, struct oracle_round_row *rounds,
				     size_t count_max, size_t *count)
{
	struct host_stmt *s = sql(journal, SQL_ROUNDS_OF);
	host_bind_u64(s, 0, submission);
	host_bind_u64(s, 1, count_max);
	return read_rounds(s, arena, rounds, count);
}

/* ---- sources ---- */

enum cs_err oracle_journal_count_source(struct oracle_journal *journal, uint64_t feed,
					uint32_t index, const char *host_port, bool failed,
					bool disagreed)
{
	struct host_stmt *s = sql(journal, SQL_SOURCE_COUNT);
	host_bind_u64(s, 0, feed);
	host_bind_u64(s, 1, index);
	host_bind_text(s, 2, host_port);
	host_bind_u64(s, 3, failed);
	host_bind_u64(s, 4, disagreed);
	return host_stmt_run(s);
}

enum cs_err oracle_journal_feed_sources(struct oracle_journal *journal, uint64_t feed,
					struct oracle_feed_source *sources, size_t count_max,
					size_t *count)
{
	struct host_stmt *s = sql(journal, SQL_SOURCES);
	size_t n = 0;
	host_bind_u64(s, 0, feed);
	host_bind_u64(s, 1, count_max);
	for (;;) {
		bool row = false;
		CS_TRY(host_stmt_next(s, &row));
		if (!row)
			break;
		struct oracle_feed_source *source = &sources[n++];
		source->index = (uint32_t)host_column_u64(s, 0);
		oracle_column_text(s, 1, source->host_port, sizeof(source->host_port));
		source->rounds = host_column_u64(s, 2);
		source->failed = host_column_u64(s, 3);
		source->disagreed = host_column_u64(s, 4);
	}
	*count = n;
	return CS_OK;
}
