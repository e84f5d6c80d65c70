/* What the files of the journal share: the prepared statements. For them alone. */
#ifndef GATEWAY_JOURNAL_PRIVATE_H
#define GATEWAY_JOURNAL_PRIVATE_H

#include "gateway/journal_feed.h"
#include "gateway/journal_ledger.h"
#include "gateway/journal_operator.h"

#define MESSAGE_COLUMNS                                                                     \
	"n,id,side,state,chain,remote,sequence,deadline,min_gas,finality,closer,refund_to," \
	"height,block,tx,tx_index,log_index,time_s,statement,leaf,"                         \
	"status,status_height,status_tx,status_time_s,"                                     \
	"outcome,outcome_statement,outcome_leaf,end_height,end_tx,end_time_s,"              \
	"submission,wish_retry,next_ms,tries,why,created_ms,updated_ms,request"
/* The height at which a row is ripe: of the source's event with its finality, or of the status. */
#define ROW_REACH "CASE side WHEN 1 THEN height+finality ELSE status_height END"
/* Rows that a block or a transaction moves on, and rows that we move on and nobody has in hand. A
 * partial index serves a query that repeats its condition to the letter. No IN: a list of three or
 * more becomes a table of its own at every write. States by number: relay_state/relay/states.def. */
#define ROW_WAITING "(state=1 OR state=5 OR state=6)"
#define ROW_OPEN "state<>9 AND state<>12 AND state<>13"
#define ROW_FREE \
	"submission=0 AND end_height=0 AND state<>1 AND state<>5 AND state<>6 AND " ROW_OPEN
#define ROW_ENDING "side=1 AND end_height<>0 AND " ROW_OPEN
/* All that has not ended, each once, by what is indexed for other queries: what ended is not looked at. An
 * end is of the source alone. */
#define ROW_REST "state<>1 AND state<>5 AND state<>6 AND " ROW_OPEN
#define ROWS_OPEN                                                                        \
	"(SELECT n FROM messages INDEXED BY messages_waiting WHERE " ROW_WAITING         \
	" UNION ALL SELECT n FROM messages INDEXED BY messages_free WHERE " ROW_FREE     \
	" UNION ALL SELECT n FROM messages INDEXED BY messages_submission WHERE "        \
	"submission<>0 AND " ROW_REST                                                    \
	" UNION ALL SELECT n FROM messages INDEXED BY messages_ending WHERE " ROW_ENDING \
	" AND submission=0 AND " ROW_REST ")"
#define PICK_WHERE                                                                               \
	"chain=?1 AND side=?2 AND state=?3 AND next_ms<=?4 AND (?5 IS NULL OR remote=?5) "       \
	"AND (?7=0 OR deadline<=?7) AND (?8=0 OR wish_retry<>0) AND deadline>?10 AND (?11=0 OR " \
	"outcome<>?11) AND "
/* Of a route, in a state: what waits for a time to come, or (?6) a wish that nobody has; of those (?7)
 * that never counted as tried and were not written since. */
#define STUCK_WHERE                                                 \
	"chain=?1 AND side=?2 AND state=?3 AND remote=?4 AND "      \
	"CASE ?6 WHEN 0 THEN next_ms>?5 ELSE wish_retry=0 END AND " \
	"(?7=0 OR (tries=0 AND updated_ms<?7)) AND "

enum sql {
#define SQL(name, text) SQL_##name,
#include "gateway/journal_sql.def"
#undef SQL
	SQL_COUNT
};

/* What a row has in indices: an index is written anew by every statement that names one of its
 * columns, so that a row is saved by the statement that names those alone that changed. */
enum indexed {
	INDEXED_HEIGHT = 1 << 0,
	INDEXED_STATEMENT = 1 << 1,
	INDEXED_OUTCOME = 1 << 2,
	INDEXED_STATUS = 1 << 3,
	INDEXED_END = 1 << 4,
	INDEXED_SUBMISSION = 1 << 5,
	INDEXED_ALL = (1 << 6) - 1,
};

/* Messages whose changes are counted apart. */
#define VERSIONS 1024u

/* By how many messages a row of the table counts changes with the writer under way. */
struct count_sum {
	struct cs_hash chain;
	struct cs_hash remote;
	enum relay_side side;
	enum relay_state state;
	int64_t change;
};
/* More than these are written before the writer ends. */
#define SUMS_MAX 64u

struct gateway_journal {
	struct host_store *store;
	struct host_stmt *stmt[SQL_COUNT];
	struct host_stmt *save[INDEXED_ALL + 1]; /* made when it is needed first */
	bool keeps_moves;                        /* for the bridge's ledger */
	uint64_t versions[VERSIONS];             /* of messages, by number; several share one */
	uint64_t version;                        /* of what any message may show */
	char instance[33];
	uint64_t outbox_last; /* numbers are never given twice, though rows are removed */
	struct count_sum sums[SUMS_MAX];
	size_t sum_count;
};

static inline struct host_stmt *sql(struct gateway_journal *journal, enum sql which)
{
	return journal->stmt[which];
}

/* An absent hash is an empty blob in the row, zeros in the structure. */
void gateway_journal_bind_hash(struct host_stmt *stmt, uint32_t index, const struct cs_hash *hash);
CS_NODISCARD enum cs_err gateway_journal_column_hash(struct host_stmt *stmt, uint32_t index,
						     struct cs_hash *hash);
/* The columns of MESSAGE_COLUMNS. */
CS_NODISCARD enum cs_err gateway_journal_read_message(struct host_stmt *stmt,
						      struct gateway_message *message);
/* Keeps a move for the bridge's ledger, where there is one; inside a writer. */
CS_NODISCARD enum cs_err gateway_journal_keep_move(struct gateway_journal *journal,
						   const struct gateway_message *message,
						   enum relay_event event);
/* The message is one more (or, -1, one less) in that state; inside a writer. */
CS_NODISCARD enum cs_err gateway_journal_count(struct gateway_journal *journal,
					       const struct gateway_message *message,
					       enum relay_state state, int change);
/* Of a journal whose messages came as rows. */
CS_NODISCARD enum cs_err gateway_journal_count_all(struct gateway_journal *journal);
/* The host_store_end of a journal, its context: the sums are the writer's. */
CS_NODISCARD enum cs_err gateway_journal_write_counts(void *journal, enum cs_err err);
/* Runs a query of messages whose parameters are bound. */
CS_NODISCARD enum cs_err gateway_journal_read_messages(struct host_stmt *stmt,
						       struct gateway_message *messages,
						       size_t count_max, size_t *count);
/* A query that gives one number; 0 without a row. */
CS_NODISCARD enum cs_err gateway_journal_number(struct host_stmt *stmt, uint64_t *number);

#endif
