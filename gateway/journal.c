#include "gateway/journal_private.h"
#include "gateway/journal_proofs.h"
#include "host/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Migration i brings a journal of version i to i + 1. */
static const char *const migrations[] = {
#define SCHEMA(text) text
#include "gateway/journal_schema.def"
	,
#include "gateway/journal_ledger_schema.def"
	,
	"CREATE INDEX submissions_given ON submissions(chain, n) WHERE state=5;",
	/* to_chain '': a chain, whatever comes from it or goes to it. */
	"CREATE TABLE pauses(from_chain TEXT NOT NULL, to_chain TEXT NOT NULL, refunds INTEGER NOT "
	"NULL,"
	" since_ms INTEGER NOT NULL, who TEXT NOT NULL, reason TEXT NOT NULL,"
	" PRIMARY KEY(from_chain, to_chain)) STRICT, WITHOUT ROWID;",
#include "gateway/journal_webhooks_schema.def"
#undef SCHEMA
	,
	/* Who carries a request ('': nobody said), and a message that came of one. */
	"ALTER TABLE requests ADD COLUMN traceparent TEXT NOT NULL DEFAULT '';"
	"CREATE TABLE traces(message INTEGER PRIMARY KEY REFERENCES messages(n),"
	" traceparent TEXT NOT NULL) STRICT;",
	/* How many messages are where: kept by whatever writes them, so that nobody counts rows. */
	"CREATE TABLE counts(chain BLOB NOT NULL, remote BLOB NOT NULL, side INTEGER NOT NULL,"
	" state INTEGER NOT NULL, count INTEGER NOT NULL,"
	" PRIMARY KEY(chain, remote, side, state)) STRICT, WITHOUT ROWID;"
	"INSERT INTO counts SELECT chain,remote,side,state,count(*) FROM messages GROUP BY 1,2,3,4;"
	"CREATE TRIGGER messages_added AFTER INSERT ON messages BEGIN"
	" INSERT INTO counts VALUES(NEW.chain,NEW.remote,NEW.side,NEW.state,1)"
	" ON CONFLICT(chain,remote,side,state) DO UPDATE SET count=count+1; END;"
	"CREATE TRIGGER messages_moved AFTER UPDATE OF state ON messages"
	" WHEN OLD.state<>NEW.state BEGIN"
	" UPDATE counts SET count=count-1 WHERE chain=OLD.chain AND remote=OLD.remote"
	" AND side=OLD.side AND state=OLD.state;"
	" INSERT INTO counts VALUES(NEW.chain,NEW.remote,NEW.side,NEW.state,1)"
	" ON CONFLICT(chain,remote,side,state) DO UPDATE SET count=count+1; END;",
	/* What goes with a traceparent. */
	"ALTER TABLE requests ADD COLUMN tracestate TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE traces ADD COLUMN tracestate TEXT NOT NULL DEFAULT '';",
#define SCHEMA(text) text
#include "gateway/journal_proofs_schema.def"
#undef SCHEMA
	,
	/* Destinations to which no route goes yet, and between which heights they were written to. */
	"CREATE TABLE unrouted(chain BLOB NOT NULL, remote BLOB NOT NULL,"
	" from_height INTEGER NOT NULL, to_height INTEGER NOT NULL,"
	" from_sequence INTEGER NOT NULL, to_sequence INTEGER NOT NULL, since_ms INTEGER NOT NULL,"
	" PRIMARY KEY(chain, remote)) STRICT, WITHOUT ROWID;",
	/* Whoever saves a message sees to both (gateway_journal_save). Indices of what has a statement
	 * alone, and of sources, whose heights are looked for. */
	"DROP TRIGGER messages_added;"
	"DROP TRIGGER messages_moved;"
	"DROP TRIGGER messages_proven;"
	"DROP INDEX messages_statement;"
	"CREATE INDEX messages_statement ON messages(statement, side, leaf) WHERE statement<>0;"
	"DROP INDEX messages_outcome;"
	"CREATE INDEX messages_outcome ON messages(outcome_statement, side, outcome_leaf)"
	" WHERE outcome_statement<>0;"
	"DROP INDEX messages_height;"
	"CREATE INDEX messages_height ON messages(chain, side, height) WHERE side=1;",
	/* Items of other gateways that cannot be taken yet. */
	"CREATE TABLE held(n INTEGER PRIMARY KEY, peer TEXT NOT NULL, instance TEXT NOT NULL,"
	" ours BLOB NOT NULL, remote BLOB NOT NULL, item TEXT NOT NULL) STRICT;"
	"CREATE INDEX held_peer ON held(peer, instance, ours, remote);",
};

/* The numbers that the conditions of indices and queries name. */
_Static_assert(RELAY_SOURCE == 1, "side=1");
_Static_assert(RELAY_STEP_COMMITTED == 3, "LATENCIES");
_Static_assert(GATEWAY_SUBMISSION_OPEN == 0 && GATEWAY_SUBMISSION_INCLUDED == 1 &&
		       GATEWAY_SUBMISSION_UNKNOWN == 4,
	       "ADAPTER_SQL_SUBMISSIONS_OPEN");
_Static_assert(GATEWAY_SUBMISSION_GIVEN == 5, "submissions_given");
_Static_assert(RELAY_FINAL == 2, "LOWEST_UNSIGNED");
_Static_assert(RELAY_OBSERVED == 1 && RELAY_SUBMITTED == 5 && RELAY_INCLUDED == 6, "ROW_WAITING");
_Static_assert(RELAY_SIGNED == 4 && RELAY_OUTCOME_VERIFIED == 8 && RELAY_REFUNDING == 11,
	       "ROW_WANTS_PAY");
_Static_assert(RELAY_FINALIZED == 9 && RELAY_REFUNDED == 12 && RELAY_ABANDONED == 13, "ROW_OPEN");

static const char *const texts[SQL_COUNT] = {
#define SQL(name, text) [SQL_##name] = text,
#include "gateway/journal_sql.def"
#undef SQL
};

/* ---- opening ---- */

/* Anew at every opening: a journal that came back from a backup counts its outbox again from an older
 * number, and a peer must not take that for what it has. */
static enum cs_err make_instance(struct gateway_journal *journal, struct cs_why *why)
{
	uint8_t random[16];
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return cs_fail(why, CS_ERR_IO, "no randomness");
	cs_hex(journal->instance, CS_BYTES_OF(random));
	return CS_OK;
}

enum cs_err gateway_journal_open(struct gateway_journal **out, struct host_loop *loop,
				 const char *path, struct cs_why *why)
{
	static const struct host_store_schema schema = {.migrations = migrations,
							.migration_count = CS_LEN(migrations),
							.application_id = 0x43414953};
	struct gateway_journal *journal = host_alloc(sizeof(*journal));
	enum cs_err err = host_store_open(&journal->store, loop, path, &schema, why);
	for (size_t i = 0; i < SQL_COUNT && err == CS_OK; i++) {
		err = host_stmt_new(&journal->stmt[i], journal->store, texts[i]);
		if (err != CS_OK)
			err = cs_fail(why, err, "statement %zu: %.150s", i,
				      host_store_why(journal->store));
	}
	if (err == CS_OK)
		err = gateway_journal_number(sql(journal, SQL_OUTBOX_LAST), &journal->outbox_last);
	if (err == CS_OK)
		err = make_instance(journal, why);
	if (err != CS_OK) {
		gateway_journal_close(journal);
		return err;
	}
	host_store_at_end(journal->store, gateway_journal_write_counts, journal);
	*out = journal;
	return CS_OK;
}

void gateway_journal_close(struct gateway_journal *journal)
{
	if (!journal)
		return;
	for (size_t i = 0; i < SQL_COUNT; i++)
		host_stmt_free(journal->stmt[i]);
	for (size_t i = 0; i <= INDEXED_ALL; i++)
		host_stmt_free(journal->save[i]);
	host_store_close(journal->store);
	free(journal);
}

struct host_store *gateway_journal_store(struct gateway_journal *journal)
{
	return journal->store;
}

const char *gateway_journal_instance(const struct gateway_journal *journal)
{
	return journal->instance;
}

enum cs_err gateway_journal_number(struct host_stmt *stmt, uint64_t *number)
{
	bool row = false;
	CS_TRY(host_stmt_next(stmt, &row));
	uint64_t value = row ? host_column_u64(stmt, 0) : 0;
	host_stmt_reset(stmt);
	*number = value;
	return CS_OK;
}

enum cs_err gateway_journal_put(struct gateway_journal *journal, const char *name,
				struct cs_bytes value)
{
	struct host_stmt *s = sql(journal, SQL_PUT);
	host_bind_text(s, 0, name);
	host_bind_blob(s, 1, value);
	return host_stmt_run(s);
}

enum cs_err gateway_journal_get(struct gateway_journal *journal, const char *name,
				struct cs_arena *arena, struct cs_bytes *value)
{
	struct host_stmt *s = sql(journal, SQL_GET);
	bool row = false;
	host_bind_text(s, 0, name);
	CS_TRY(host_stmt_next(s, &row));
	if (!row)
		return CS_ERR_NOT_FOUND;
	struct cs_bytes found = host_column_blob(s, 0);
	struct cs_bytes copy = cs_arena_copy(arena, found);
	bool fits = copy.p || found.n == 0;
	host_stmt_reset(s);
	if (!fits)
		return CS_ERR_NO_MEMORY;
	*value = copy;
	return CS_OK;
}

/* ---- messages ---- */

void gateway_journal_bind_hash(struct host_stmt *s, uint32_t index, const struct cs_hash *hash)
{
	host_bind_blob(s, index, cs_hash_is_zero(hash) ? CS_BYTES_NONE : CS_BYTES_OF(hash->b));
}

enum cs_err gateway_journal_column_hash(struct host_stmt *s, uint32_t index, struct cs_hash *hash)
{
	if (host_column_blob(s, index).n == 0) {
		memset(hash, 0, sizeof(*hash));
		return CS_OK;
	}
	return host_column_copy(s, index, hash->b, sizeof(hash->b));
}

static void note_stored(struct gateway_message *m)
{
	m->stored.state = m->state;
	m->stored.height = m->height;
	m->stored.statement = m->statement;
	m->stored.leaf = m->leaf;
	m->stored.outcome_statement = m->outcome_statement;
	m->stored.outcome_leaf = m->outcome_leaf;
	m->stored.status_height = m->status_height;
	m->stored.end_height = m->end_height;
	m->stored.submission = m->submission;
}

static enum cs_err read_position(struct host_stmt *s, struct gateway_message *m)
{
	m->height = host_column_u64(s, 12);
	CS_TRY(gateway_journal_column_hash(s, 13, &m->block));
	CS_TRY(gateway_journal_column_hash(s, 14, &m->tx));
	m->tx_index = (uint32_t)host_column_u64(s, 15);
	m->log_index = (uint32_t)host_column_u64(s, 16);
	m->time_s = host_column_u64(s, 17);
	m->statement = host_column_u64(s, 18);
	m->leaf = (uint32_t)host_column_u64(s, 19);
	m->status = (enum wire_status)host_column_u64(s, 20);
	m->status_height = host_column_u64(s, 21);
	CS_TRY(gateway_journal_column_hash(s, 22, &m->status_tx));
	m->status_time_s = host_column_u64(s, 23);
	m->outcome = (enum wire_status)host_column_u64(s, 24);
	m->outcome_statement = host_column_u64(s, 25);
	m->outcome_leaf = (uint32_t)host_column_u64(s, 26);
	m->end_height = host_column_u64(s, 27);
	CS_TRY(gateway_journal_column_hash(s, 28, &m->end_tx));
	m->end_time_s = host_column_u64(s, 29);
	return CS_OK;
}

enum cs_err gateway_journal_read_message(struct host_stmt *s, struct gateway_message *message)
{
	struct gateway_message m = {.n = host_column_u64(s, 0)};
	CS_TRY(host_column_copy(s, 1, m.id.b, sizeof(m.id.b)));
	m.side = (enum relay_side)host_column_u64(s, 2);
	m.state = (enum relay_state)host_column_u64(s, 3);
	CS_TRY(host_column_copy(s, 4, m.chain.b, sizeof(m.chain.b)));
	CS_TRY(host_column_copy(s, 5, m.remote.b, sizeof(m.remote.b)));
	m.sequence = host_column_u64(s, 6);
	m.deadline = host_column_u64(s, 7);
	m.min_gas_limit = host_column_u64(s, 8);
	m.finality = (uint8_t)host_column_u64(s, 9);
	CS_TRY(gateway_journal_column_hash(s, 10, &m.closer));
	CS_TRY(gateway_journal_column_hash(s, 11, &m.refund_to));
	CS_TRY(read_position(s, &m));
	m.submission = host_column_u64(s, 30);
	m.wish_retry = host_column_u64(s, 31);
	m.next_ms = host_column_u64(s, 32);
	m.tries = (uint32_t)host_column_u64(s, 33);
	const char *why = host_column_text(s, 34);
	if (why && why[0])
		snprintf(m.why, sizeof(m.why), "%s", why);
	m.created_ms = host_column_u64(s, 35);
	m.updated_ms = host_column_u64(s, 36);
	m.request = host_column_u64(s, 37);
	note_stored(&m);
	*message = m;
	return CS_OK;
}

enum cs_err gateway_journal_read_messages(struct host_stmt *stmt, struct gateway_message *messages,
					  size_t count_max, size_t *count)
{
	size_t n = 0;
	for (;;) {
		bool row = false;
		CS_TRY(host_stmt_next(stmt, &row));
		if (!row)
			break;
		enum cs_err err = n < count_max ? gateway_journal_read_message(stmt, &messages[n])
						: CS_ERR_TOO_LARGE;
		if (err != CS_OK) {
			host_stmt_reset(stmt);
			return err;
		}
		n++;
	}
	*count = n;
	return CS_OK;
}

static enum cs_err read_one(struct host_stmt *stmt, struct gateway_message *message)
{
	bool row = false;
	CS_TRY(host_stmt_next(stmt, &row));
	if (!row)
		return CS_ERR_NOT_FOUND;
	enum cs_err err = gateway_journal_read_message(stmt, message);
	host_stmt_reset(stmt);
	return err;
}

enum cs_err gateway_journal_add(struct gateway_journal *journal, struct gateway_message *m,
				const struct wire_message *content)
{
	struct host_stmt *s = sql(journal, SQL_MESSAGE_ADD);
	m->created_ms = m->created_ms ? m->created_ms : host_wall_ms();
	m->updated_ms = m->created_ms;
	host_bind_blob(s, 0, CS_BYTES_OF(m->id.b));
	host_bind_u64(s, 1, m->side);
	host_bind_u64(s, 2, m->state);
	host_bind_blob(s, 3, CS_BYTES_OF(m->chain.b));
	host_bind_blob(s, 4, CS_BYTES_OF(m->remote.b));
	host_bind_u64(s, 5, m->sequence);
	host_bind_u64(s, 6, m->deadline);
	host_bind_u64(s, 7, m->min_gas_limit);
	host_bind_u64(s, 8, m->finality);
	gateway_journal_bind_hash(s, 9, &m->closer);
	gateway_journal_bind_hash(s, 10, &m->refund_to);
	host_bind_u64(s, 11, m->height);
	gateway_journal_bind_hash(s, 12, &m->block);
	gateway_journal_bind_hash(s, 13, &m->tx);
	host_bind_u64(s, 14, m->tx_index);
	host_bind_u64(s, 15, m->log_index);
	host_bind_u64(s, 16, m->time_s);
	host_bind_u64(s, 17, m->statement);
	host_bind_u64(s, 18, m->leaf);
	host_bind_u64(s, 19, m->next_ms);
	host_bind_u64(s, 20, m->created_ms);
	CS_TRY(host_stmt_run(s));
	m->n = host_store_row(journal->store);
	note_stored(m);
	CS_TRY(gateway_journal_count(journal, m, m->state, 1));
	s = sql(journal, SQL_CONTENT_ADD);
	host_bind_u64(s, 0, m->n);
	host_bind_blob(s, 1, content->sender);
	host_bind_blob(s, 2, content->recipient);
	host_bind_blob(s, 3, content->payload);
	CS_TRY(host_stmt_run(s));
	return gateway_journal_told(journal, m,
				    m->side == RELAY_SOURCE ? RELAY_ON_OBSERVE : RELAY_ON_SIGN);
}

enum cs_err gateway_journal_find(struct gateway_journal *journal, const struct cs_hash *id,
				 enum relay_side side, struct gateway_message *message)
{
	struct host_stmt *s = sql(journal, SQL_MESSAGE_FIND);
	host_bind_blob(s, 0, CS_BYTES_OF(id->b));
	host_bind_u64(s, 1, side);
	return read_one(s, message);
}

enum cs_err gateway_journal_row(struct gateway_journal *journal, uint64_t n,
				struct gateway_message *message)
{
	struct host_stmt *s = sql(journal, SQL_MESSAGE_ROW);
	host_bind_u64(s, 0, n);
	return read_one(s, message);
}

enum cs_err gateway_journal_content(struct gateway_journal *journal,
				    const struct gateway_message *m, struct cs_arena *arena,
				    struct wire_message *content)
{
	struct host_stmt *s = sql(journal, SQL_CONTENT);
	bool row = false;
	host_bind_u64(s, 0, m->n);
	CS_TRY(host_stmt_next(s, &row));
	if (!row)
		return CS_ERR_NOT_FOUND;
	struct wire_message out = {.sender = cs_arena_copy(arena, host_column_blob(s, 0)),
				   .recipient = cs_arena_copy(arena, host_column_blob(s, 1)),
				   .payload = cs_arena_copy(arena, host_column_blob(s, 2))};
	bool fits =
		out.sender.p && out.recipient.p && (out.payload.p || host_column_blob(s, 2).n == 0);
	host_stmt_reset(s);
	if (!fits)
		return CS_ERR_NO_MEMORY;
	bool source = m->side == RELAY_SOURCE;
	out.head.source = source ? m->chain : m->remote;
	out.head.destination = source ? m->remote : m->chain;
	out.head.sequence = m->sequence;
	out.head.deadline = m->deadline;
	out.head.min_gas_limit = m->min_gas_limit;
	out.head.closer = m->closer;
	out.head.refund_to = m->refund_to;
	out.head.finality = m->finality;
	wire_message_seal(&out);
	*content = out;
	return CS_OK;
}

static unsigned changed(const struct gateway_message *m)
{
	unsigned mask = 0;
	if (m->height != m->stored.height)
		mask |= INDEXED_HEIGHT;
	if (m->statement != m->stored.statement || m->leaf != m->stored.leaf)
		mask |= INDEXED_STATEMENT;
	if (m->outcome_statement != m->stored.outcome_statement ||
	    m->outcome_leaf != m->stored.outcome_leaf)
		mask |= INDEXED_OUTCOME;
	if (m->status_height != m->stored.status_height)
		mask |= INDEXED_STATUS;
	if (m->end_height != m->stored.end_height)
		mask |= INDEXED_END;
	if (m->submission != m->stored.submission)
		mask |= INDEXED_SUBMISSION;
	return mask;
}

static enum cs_err save_statement(struct gateway_journal *journal, unsigned mask,
				  struct host_stmt **stmt)
{
	char text[640];
	if (!journal->save[mask]) {
		int n = snprintf(
			text, sizeof(text),
			"UPDATE messages SET state=?2,block=?3,tx=?4,tx_index=?5,log_index=?6,"
			"time_s=?7,status=?8,status_tx=?9,status_time_s=?10,outcome=?11,end_tx=?12,"
			"end_time_s=?13,wish_retry=?14,next_ms=?15,tries=?16,why=?17,"
			"updated_ms=?18,request=?19%s%s%s%s%s%s WHERE n=?1 AND state=?28",
			mask & INDEXED_HEIGHT ? ",height=?20" : "",
			mask & INDEXED_STATEMENT ? ",statement=?21,leaf=?22" : "",
			mask & INDEXED_OUTCOME ? ",outcome_statement=?23,outcome_leaf=?24" : "",
			mask & INDEXED_STATUS ? ",status_height=?25" : "",
			mask & INDEXED_END ? ",end_height=?26" : "",
			mask & INDEXED_SUBMISSION ? ",submission=?27" : "");
		cs_assert(n > 0 && (size_t)n < sizeof(text));
		CS_TRY(host_stmt_new(&journal->save[mask], journal->store, text));
	}
	*stmt = journal->save[mask];
	return CS_OK;
}

static void bind_indexed(struct host_stmt *s, unsigned mask, const struct gateway_message *m)
{
	if (mask & INDEXED_HEIGHT)
		host_bind_u64(s, 19, m->height);
	if (mask & INDEXED_STATEMENT) {
		host_bind_u64(s, 20, m->statement);
		host_bind_u64(s, 21, m->leaf);
	}
	if (mask & INDEXED_OUTCOME) {
		host_bind_u64(s, 22, m->outcome_statement);
		host_bind_u64(s, 23, m->outcome_leaf);
	}
	if (mask & INDEXED_STATUS)
		host_bind_u64(s, 24, m->status_height);
	if (mask & INDEXED_END)
		host_bind_u64(s, 25, m->end_height);
	if (mask & INDEXED_SUBMISSION)
		host_bind_u64(s, 26, m->submission);
}

uint64_t gateway_journal_version(const struct gateway_journal *journal, uint64_t message)
{
	return journal->version + journal->versions[message % VERSIONS];
}

static void count_change(struct gateway_journal *journal, uint64_t message)
{
	journal->versions[message % VERSIONS]++;
}

/* Nothing, where the row's state is another than it was. */
static enum cs_err write_row(struct gateway_journal *journal, const struct gateway_message *m)
{
	struct host_stmt *s = NULL;
	unsigned mask = changed(m);
	CS_TRY(save_statement(journal, mask, &s));
	host_bind_u64(s, 0, m->n);
	host_bind_u64(s, 1, m->state);
	gateway_journal_bind_hash(s, 2, &m->block);
	gateway_journal_bind_hash(s, 3, &m->tx);
	host_bind_u64(s, 4, m->tx_index);
	host_bind_u64(s, 5, m->log_index);
	host_bind_u64(s, 6, m->time_s);
	host_bind_u64(s, 7, m->status);
	gateway_journal_bind_hash(s, 8, &m->status_tx);
	host_bind_u64(s, 9, m->status_time_s);
	host_bind_u64(s, 10, m->outcome);
	gateway_journal_bind_hash(s, 11, &m->end_tx);
	host_bind_u64(s, 12, m->end_time_s);
	host_bind_u64(s, 13, m->wish_retry);
	host_bind_u64(s, 14, m->next_ms);
	host_bind_u64(s, 15, m->tries);
	host_bind_text(s, 16, m->why);
	host_bind_u64(s, 17, m->updated_ms);
	host_bind_u64(s, 18, m->request);
	bind_indexed(s, mask, m);
	host_bind_u64(s, 27, m->stored.state);
	return host_stmt_run(s);
}

/* Of a structure whose last writer was undone, or that was read before another one wrote. */
static enum cs_err read_state(struct gateway_journal *journal, struct gateway_message *m)
{
	struct host_stmt *s = sql(journal, SQL_MESSAGE_STATE);
	uint64_t state = RELAY_STATE_NONE;
	host_bind_u64(s, 0, m->n);
	CS_TRY(gateway_journal_number(s, &state));
	m->stored.state = (enum relay_state)state;
	return state == RELAY_STATE_NONE ? CS_ERR_NOT_FOUND : CS_OK;
}

/* What follows from the state: how many are where, and that its proof is needed no more. */
static enum cs_err write_moved(struct gateway_journal *journal, const struct gateway_message *m)
{
	enum relay_state before = m->stored.state;
	bool waited = before == RELAY_OBSERVED || before == RELAY_FINAL;
	bool waits = m->state == RELAY_OBSERVED || m->state == RELAY_FINAL;
	if (before == m->state)
		return CS_OK;
	CS_TRY(gateway_journal_count(journal, m, before, -1));
	CS_TRY(gateway_journal_count(journal, m, m->state, 1));
	return m->side == RELAY_SOURCE && waited && !waits
		       ? gateway_journal_forget_proof(journal, m->n)
		       : CS_OK;
}

enum cs_err gateway_journal_save(struct gateway_journal *journal, struct gateway_message *m)
{
	m->updated_ms = host_wall_ms();
	count_change(journal, m->n);
	CS_TRY(write_row(journal, m));
	if (host_store_changes(journal->store) == 0) {
		CS_TRY(read_state(journal, m));
		CS_TRY(write_row(journal, m));
	}
	CS_TRY(write_moved(journal, m));
	note_stored(m);
	return CS_OK;
}

enum cs_err gateway_journal_move(struct gateway_journal *journal, struct gateway_message *m,
				 enum relay_event event)
{
	enum relay_state before = m->state;
	CS_TRY(relay_move(&m->state, event));
	enum cs_err err = gateway_journal_save(journal, m);
	if (err == CS_OK)
		err = gateway_journal_told(journal, m, event);
	if (err != CS_OK)
		m->state = before;
	return err;
}

enum cs_err gateway_journal_told(struct gateway_journal *journal, const struct gateway_message *m,
				 enum relay_event event)
{
	CS_TRY(gateway_journal_event(journal, "message", m, NULL));
	return gateway_journal_keep_move(journal, m, event);
}

/* ---- steps ---- */

static enum cs_err put_step(struct host_stmt *s, const struct gateway_step *step)
{
	host_bind_u64(s, 0, step->message);
	host_bind_u64(s, 1, step->step);
	host_bind_u64(s, 2, step->time_ms ? step->time_ms : host_wall_ms());
	host_bind_text(s, 3, step->chain);
	if (step->tx && !cs_hash_is_zero(step->tx))
		host_bind_blob(s, 4, CS_BYTES_OF(step->tx->b));
	else
		host_bind_null(s, 4);
	host_bind_u64(s, 5, step->block);
	host_bind_text(s, 6, step->detail);
	return host_stmt_run(s);
}

enum cs_err gateway_journal_step(struct gateway_journal *journal, const struct gateway_step *step)
{
	count_change(journal, step->message);
	return put_step(sql(journal, SQL_STEP_ADD), step);
}

enum cs_err gateway_journal_step_again(struct gateway_journal *journal,
				       const struct gateway_step *step)
{
	count_change(journal, step->message);
	return put_step(sql(journal, SQL_STEP_SET), step);
}

enum cs_err gateway_journal_steps_undo(struct gateway_journal *journal, uint64_t message,
				       unsigned from, unsigned to)
{
	struct host_stmt *s = sql(journal, SQL_STEPS_UNDO);
	count_change(journal, message);
	host_bind_u64(s, 0, message);
	host_bind_u64(s, 1, from);
	host_bind_u64(s, 2, to);
	return host_stmt_run(s);
}

enum cs_err gateway_journal_steps(struct gateway_journal *journal, uint64_t message,
				  enum relay_step from, gateway_step_fn *each, void *ctx)
{
	struct host_stmt *s = sql(journal, SQL_STEPS);
	host_bind_u64(s, 0, message);
	host_bind_u64(s, 1, from);
	for (;;) {
		bool row = false;
		CS_TRY(host_stmt_next(s, &row));
		if (!row)
			return CS_OK;
		struct cs_hash tx;
		bool has_tx = host_column_copy(s, 3, tx.b, sizeof(tx.b)) == CS_OK;
		struct gateway_step step = {.message = message,
					    .step = (enum relay_step)host_column_u64(s, 0),
					    .time_ms = host_column_u64(s, 1),
					    .chain = host_column_text(s, 2),
					    .tx = has_tx ? &tx : NULL,
					    .block = host_column_u64(s, 4),
					    .detail = host_column_text(s, 5)};
		each(ctx, &step);
	}
}
