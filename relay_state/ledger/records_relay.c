/* Relay records: the moves of messages. */
#include "core/reader.h"
#include "relay_state/ledger/records_parts.h"

#include <string.h>

#define KIND_MESSAGE 'm'
#define KIND_RECORD 'r'
#define KIND_CONFLICT 'k'
#define KIND_COUNTS 'n'

#define STATES (RELAY_STATE_END - 1u)
#define MESSAGE_SIZE (3u + 2u * 32u)
#define RECORD_SIZE (3u + 8u + 3u * 32u + 1u + 32u + 8u)
#define CONFLICT_SIZE (1u + RECORD_SIZE)
#define COUNTS_SIZE (STATES * 8u)

/* Numbers of events are in records for ever: events.def is only appended to. */
_Static_assert(RELAY_ON_OBSERVE == 0 && RELAY_ON_SIGN == 4 && RELAY_ON_REACH_OUTCOME == 9 &&
		       RELAY_ON_REFUND == 13,
	       "numbers of events");

/* One side of a message. */
struct history {
	enum relay_state state; /* NONE: nothing is recorded */
	uint8_t count;
	uint8_t conflicts; /* 255: that or more */
	struct cs_hash source;
	struct cs_hash destination;
};

/* A record as it is kept. */
struct entry {
	uint8_t from;
	uint8_t event;
	uint8_t to;
	uint64_t height;
	struct cs_hash block;
	struct cs_hash tx;
	struct cs_hash digest;
	uint8_t reporter_kind;
	struct cs_hash reporter;
	uint64_t time_s;
};

/* Who reports a batch, and what was looked up for it last. */
struct batch {
	uint8_t reporter_kind;
	struct cs_hash reporter;
	struct cs_address account; /* of a gateway */
	struct cs_hash identity;   /* for which the reporter speaks */
	bool has_identity;
	bool has_counts;
	struct ledger_key counts_key;
	uint64_t counts[STATES];
};

/* ---- rows ---- */

static struct ledger_key side_key(char kind, const struct cs_hash *message_id, uint8_t side)
{
	struct ledger_key key = ledger_key_of(kind, CS_BYTES_OF(message_id->b));
	ledger_key_add(&key, cs_bytes(&side, sizeof side));
	return key;
}

static struct ledger_key entry_key(const struct cs_hash *message_id, uint8_t side, uint8_t index)
{
	struct ledger_key key = side_key(KIND_RECORD, message_id, side);
	ledger_key_add(&key, cs_bytes(&index, sizeof index));
	return key;
}

static struct ledger_key conflict_key(const struct cs_hash *message_id, uint8_t side, uint8_t n)
{
	struct ledger_key key = side_key(KIND_CONFLICT, message_id, side);
	ledger_key_add(&key, cs_bytes(&n, sizeof n));
	return key;
}

static enum cs_err get_history(struct ledger_call *call, struct history *history,
			       const struct cs_hash *message_id, uint8_t side)
{
	uint8_t value[MESSAGE_SIZE];
	struct cs_reader in;
	const struct ledger_key key = side_key(KIND_MESSAGE, message_id, side);
	CS_TRY(ledger_get_fixed(call, value, sizeof value, &key));
	cs_reader_init(&in, CS_BYTES_OF(value));
	history->state = (enum relay_state)cs_get_u8(&in);
	history->count = cs_get_u8(&in);
	history->conflicts = cs_get_u8(&in);
	cs_get_copy(&in, history->source.b, sizeof history->source.b);
	cs_get_copy(&in, history->destination.b, sizeof history->destination.b);
	return cs_reader_end(&in);
}

static enum cs_err put_history(struct ledger_call *call, const struct cs_hash *message_id,
			       uint8_t side, const struct history *history)
{
	uint8_t value[MESSAGE_SIZE];
	struct cs_buf buf;
	const struct ledger_key key = side_key(KIND_MESSAGE, message_id, side);
	cs_buf_init(&buf, value, sizeof value);
	cs_put_u8(&buf, (uint8_t)history->state);
	cs_put_u8(&buf, history->count);
	cs_put_u8(&buf, history->conflicts);
	cs_put_word(&buf, &history->source);
	cs_put_word(&buf, &history->destination);
	CS_TRY(cs_buf_end(&buf));
	return ledger_put_fixed(call, &key, value, sizeof value);
}

static void get_entry(struct cs_reader *in, struct entry *entry)
{
	entry->from = cs_get_u8(in);
	entry->event = cs_get_u8(in);
	entry->to = cs_get_u8(in);
	entry->height = cs_get_u64(in);
	cs_get_copy(in, entry->block.b, sizeof entry->block.b);
	cs_get_copy(in, entry->tx.b, sizeof entry->tx.b);
	cs_get_copy(in, entry->digest.b, sizeof entry->digest.b);
	entry->reporter_kind = cs_get_u8(in);
	cs_get_copy(in, entry->reporter.b, sizeof entry->reporter.b);
	entry->time_s = cs_get_u64(in);
}

static void put_entry(struct cs_buf *buf, const struct entry *entry)
{
	cs_put_u8(buf, entry->from);
	cs_put_u8(buf, entry->event);
	cs_put_u8(buf, entry->to);
	cs_put_u64(buf, entry->height);
	cs_put_word(buf, &entry->block);
	cs_put_word(buf, &entry->tx);
	cs_put_word(buf, &entry->digest);
	cs_put_u8(buf, entry->reporter_kind);
	cs_put_word(buf, &entry->reporter);
	cs_put_u64(buf, entry->time_s);
}

static enum cs_err load_entry(struct ledger_call *call, struct entry *entry,
			      const struct cs_hash *message_id, uint8_t side, uint8_t index)
{
	uint8_t value[RECORD_SIZE];
	struct cs_reader in;
	const struct ledger_key key = entry_key(message_id, side, index);
	CS_TRY(ledger_get_fixed(call, value, sizeof value, &key));
	cs_reader_init(&in, CS_BYTES_OF(value));
	get_entry(&in, entry);
	return cs_reader_end(&in);
}

static enum cs_err load_conflict(struct ledger_call *call, uint8_t *index, struct entry *entry,
				 const struct cs_hash *message_id, uint8_t side, uint8_t n)
{
	uint8_t value[CONFLICT_SIZE];
	struct cs_reader in;
	const struct ledger_key key = conflict_key(message_id, side, n);
	CS_TRY(ledger_get_fixed(call, value, sizeof value, &key));
	cs_reader_init(&in, CS_BYTES_OF(value));
	*index = cs_get_u8(&in);
	get_entry(&in, entry);
	return cs_reader_end(&in);
}

/* ---- how many messages are in each state ---- */

static struct ledger_key counts_key(const struct cs_hash *source, const struct cs_hash *destination,
				    uint8_t side)
{
	struct ledger_key key = ledger_key_of(KIND_COUNTS, CS_BYTES_OF(source->b));
	ledger_key_add(&key, CS_BYTES_OF(destination->b));
	ledger_key_add(&key, cs_bytes(&side, sizeof side));
	return key;
}

static enum cs_err get_counts(struct ledger_call *call, uint64_t counts[STATES],
			      const struct ledger_key *key)
{
	uint8_t value[COUNTS_SIZE];
	CS_TRY(ledger_get_fixed(call, value, sizeof value, key));
	for (size_t i = 0; i < STATES; i++)
		counts[i] = cs_be64(value + 8 * i);
	return CS_OK;
}

static enum cs_err write_counts(struct ledger_call *call, const struct batch *batch)
{
	uint8_t value[COUNTS_SIZE];
	if (!batch->has_counts)
		return CS_OK;
	for (size_t i = 0; i < STATES; i++)
		cs_put_be64(value + 8 * i, batch->counts[i]);
	return ledger_put_fixed(call, &batch->counts_key, value, sizeof value);
}

/* Most batches are of one route: its row is read and written once. */
static enum cs_err open_counts(struct ledger_call *call, struct batch *batch,
			       const struct ledger_record *record)
{
	const struct ledger_key key =
		counts_key(&record->source, &record->destination, record->side);
	if (batch->has_counts &&
	    cs_bytes_eq(cs_bytes(key.b, key.n), cs_bytes(batch->counts_key.b, batch->counts_key.n)))
		return CS_OK;
	CS_TRY(write_counts(call, batch));
	CS_TRY(get_counts(call, batch->counts, &key));
	batch->counts_key = key;
	batch->has_counts = true;
	return CS_OK;
}

static enum cs_err count_move(struct ledger_call *call, struct batch *batch,
			      const struct ledger_record *record, enum relay_state to)
{
	CS_TRY(open_counts(call, batch, record));
	if (record->from != RELAY_STATE_NONE) {
		if (batch->counts[record->from - 1] == 0)
			return cs_fail(call->why, CS_ERR_DAMAGED, "records: a count is below 0");
		batch->counts[record->from - 1]--;
	}
	if (batch->counts[to - 1] == UINT64_MAX)
		return CS_ERR_OVERFLOW;
	batch->counts[to - 1]++;
	return CS_OK;
}

/* ---- a record ---- */

/* The side's own chain: whoever speaks for it reports it. */
static enum cs_err check_reporter(struct ledger_call *call, struct batch *batch,
				  const struct ledger_record *record)
{
	bool is = false;
	const struct cs_hash *identity =
		record->side == RELAY_SOURCE ? &record->source : &record->destination;
	if (batch->has_identity && cs_hash_eq(&batch->identity, identity))
		return CS_OK;
	if (batch->reporter_kind == LEDGER_REPORTER_GATEWAY)
		CS_TRY(records_is_gateway(call, &is, &batch->account, identity));
	if (!is)
		return ledger_revert_plain(call, "NotReporter()");
	batch->identity = *identity;
	batch->has_identity = true;
	return CS_OK;
}

static bool says_the_same(const struct entry *entry, const struct ledger_record *record)
{
	return entry->from == record->from && entry->event == record->event &&
	       entry->height == record->height && cs_hash_eq(&entry->block, &record->block) &&
	       cs_hash_eq(&entry->tx, &record->tx) && cs_hash_eq(&entry->digest, &record->digest);
}

static struct entry entry_of(const struct ledger_call *call, const struct batch *batch,
			     const struct ledger_record *record, enum relay_state to)
{
	return (struct entry){
		.from = record->from,
		.event = record->event,
		.to = (uint8_t)to,
		.height = record->height,
		.block = record->block,
		.tx = record->tx,
		.digest = record->digest,
		.reporter_kind = batch->reporter_kind,
		.reporter = batch->reporter,
		.time_s = call->block->time_s,
	};
}

/* Where the record leads from its own `from`; NONE: the table has no such move. */
static enum relay_state target(const struct ledger_record *record)
{
	enum relay_state to = (enum relay_state)record->from;
	const enum relay_event first =
		record->side == RELAY_SOURCE ? RELAY_ON_OBSERVE : RELAY_ON_SIGN;
	if (record->from == RELAY_STATE_NONE)
		return record->event == first ? relay_first((enum relay_side)record->side)
					      : RELAY_STATE_NONE;
	return relay_move(&to, (enum relay_event)record->event) == CS_OK ? to : RELAY_STATE_NONE;
}

/* Kept once, up to the bound; above it counted. */
static enum cs_err keep_conflict(struct ledger_call *call, const struct batch *batch,
				 const struct ledger_record *record, struct history *history)
{
	const uint8_t kept = history->conflicts < LEDGER_RECORD_CONFLICTS_MAX
				     ? history->conflicts
				     : LEDGER_RECORD_CONFLICTS_MAX;
	for (uint8_t n = 0; n < kept; n++) {
		struct entry other;
		uint8_t index;
		CS_TRY(load_conflict(call, &index, &other, &record->message_id, record->side, n));
		if (index == record->index && says_the_same(&other, record))
			return CS_OK;
	}
	if (kept < LEDGER_RECORD_CONFLICTS_MAX) {
		uint8_t value[CONFLICT_SIZE];
		struct cs_buf buf;
		const struct ledger_key key = conflict_key(&record->message_id, record->side, kept);
		const struct entry entry = entry_of(call, batch, record, target(record));
		cs_buf_init(&buf, value, sizeof value);
		cs_put_u8(&buf, record->index);
		put_entry(&buf, &entry);
		CS_TRY(cs_buf_end(&buf));
		CS_TRY(ledger_put_fixed(call, &key, value, sizeof value));
	}
	if (history->conflicts < UINT8_MAX)
		history->conflicts++;
	CS_TRY(put_history(call, &record->message_id, record->side, history));
	return ledger_emit_words(
		call, "RecordConflict(bytes32,uint8,uint8,uint8)", &record->message_id, 1,
		LEDGER_WORDS(ledger_word_u64(record->side), ledger_word_u64(record->index),
			     ledger_word_u64(history->conflicts)));
}

static enum cs_err append(struct ledger_call *call, struct batch *batch,
			  const struct ledger_record *record, struct history *history,
			  enum relay_state to)
{
	uint8_t value[RECORD_SIZE];
	struct cs_buf buf;
	const struct ledger_key key = entry_key(&record->message_id, record->side, record->index);
	const struct entry entry = entry_of(call, batch, record, to);
	cs_buf_init(&buf, value, sizeof value);
	put_entry(&buf, &entry);
	CS_TRY(cs_buf_end(&buf));
	CS_TRY(ledger_put_fixed(call, &key, value, sizeof value));
	CS_TRY(count_move(call, batch, record, to));
	history->state = to;
	history->count++;
	history->source = record->source;
	history->destination = record->destination;
	CS_TRY(put_history(call, &record->message_id, record->side, history));
	return ledger_emit_words(call, "Recorded(bytes32,uint8,uint8,uint8)", &record->message_id,
				 1,
				 LEDGER_WORDS(ledger_word_u64(record->side),
					      ledger_word_u64(record->index), ledger_word_u64(to)));
}

static enum cs_err refuse_move(struct ledger_call *call, const struct ledger_record *record,
			       const struct history *history)
{
	return ledger_revert(call, "MoveIllegal(bytes32,uint8,uint8,uint8)",
			     LEDGER_WORDS(record->message_id, ledger_word_u64(record->side),
					  ledger_word_u64(history->count),
					  ledger_word_u64(history->state)));
}

static enum cs_err take(struct ledger_call *call, struct batch *batch,
			const struct ledger_record *record)
{
	struct history history;
	struct entry known;
	CS_TRY(records_check_side(call, record->side));
	CS_TRY(check_reporter(call, batch, record));
	CS_TRY(get_history(call, &history, &record->message_id, record->side));
	if (history.count > 0 && !(cs_hash_eq(&history.source, &record->source) &&
				   cs_hash_eq(&history.destination, &record->destination)))
		return ledger_revert_plain(call, "RouteMismatch()");
	const enum relay_state to = target(record);
	if (to == RELAY_STATE_NONE || record->index > history.count)
		return refuse_move(call, record, &history);
	if (record->index < history.count) {
		CS_TRY(load_entry(call, &known, &record->message_id, record->side, record->index));
		return says_the_same(&known, record) ? CS_OK
						     : keep_conflict(call, batch, record, &history);
	}
	if (record->from != history.state)
		return refuse_move(call, record, &history);
	if (history.count == LEDGER_RECORDS_PER_SIDE_MAX)
		return ledger_revert_plain(call, "RecordsFull()");
	return append(call, batch, record, &history, to);
}

/* ---- batches ---- */

struct records {
	size_t count;
	struct ledger_record items[LEDGER_RECORDS_BATCH_MAX];
};

static enum cs_err read_record(struct cs_abi_reader *in, struct ledger_record *record)
{
	CS_TRY(cs_abi_get_word(in, &record->message_id));
	CS_TRY(cs_abi_get_word(in, &record->source));
	CS_TRY(cs_abi_get_word(in, &record->destination));
	CS_TRY(cs_abi_get_u8(in, &record->side));
	CS_TRY(cs_abi_get_u8(in, &record->index));
	CS_TRY(cs_abi_get_u8(in, &record->from));
	CS_TRY(cs_abi_get_u8(in, &record->event));
	CS_TRY(cs_abi_get_u64(in, &record->height));
	CS_TRY(cs_abi_get_word(in, &record->block));
	CS_TRY(cs_abi_get_word(in, &record->tx));
	return cs_abi_get_word(in, &record->digest);
}

static enum cs_err read_records(struct ledger_call *call, struct cs_abi_reader *in,
				struct records *records)
{
	struct cs_abi_reader list;
	CS_TRY(cs_abi_open_array(in, &list, LEDGER_RECORD_WORDS, LEDGER_RECORDS_BATCH_MAX,
				 &records->count));
	for (size_t i = 0; i < records->count; i++)
		CS_TRY(read_record(&list, &records->items[i]));
	CS_TRY(cs_abi_close(in, &list));
	return records->count == 0 ? ledger_revert_plain(call, "BatchEmpty()") : CS_OK;
}

static enum cs_err take_all(struct ledger_call *call, struct batch *batch,
			    const struct records *records)
{
	for (size_t i = 0; i < records->count; i++)
		CS_TRY(take(call, batch, &records->items[i]));
	return write_counts(call, batch);
}

/* By a gateway's account. All of the records, or none. */
enum cs_err records_record(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct records records;
	struct batch batch = {.reporter_kind = LEDGER_REPORTER_GATEWAY,
			      .reporter = ledger_word_address(&call->sender),
			      .account = call->sender};
	(void)out;
	CS_TRY(read_records(call, in, &records));
	return take_all(call, &batch, &records);
}

static void put_words(struct cs_hash words[LEDGER_RECORD_WORDS], const struct ledger_record *r)
{
	const struct cs_hash row[LEDGER_RECORD_WORDS] = {
		r->message_id,
		r->source,
		r->destination,
		ledger_word_u64(r->side),
		ledger_word_u64(r->index),
		ledger_word_u64(r->from),
		ledger_word_u64(r->event),
		ledger_word_u64(r->height),
		r->block,
		r->tx,
		r->digest,
	};
	memcpy(words, row, sizeof row);
}

struct cs_hash ledger_records_digest(const struct cs_hash *own, const struct ledger_record *records,
				     size_t count)
{
	struct cs_hash words[1 + LEDGER_RECORDS_BATCH_MAX * LEDGER_RECORD_WORDS] = {*own};
	cs_assert(count <= LEDGER_RECORDS_BATCH_MAX);
	for (size_t i = 0; i < count; i++)
		put_words(&words[1 + i * LEDGER_RECORD_WORDS], &records[i]);
	return ledger_digest("caisson/ledger/records/v1", words, 1 + count * LEDGER_RECORD_WORDS);
}

/* By an enclave's key, brought by anybody. */
enum cs_err records_record_signed(struct ledger_call *call, struct cs_abi_reader *in,
				  struct cs_abi *out)
{
	struct records records;
	struct ledger_key_holder holder;
	struct cs_hash x, rx, s, own;
	(void)out;
	CS_TRY(cs_abi_get_word(in, &x));
	CS_TRY(cs_abi_get_word(in, &rx));
	CS_TRY(cs_abi_get_word(in, &s));
	CS_TRY(read_records(call, in, &records));
	CS_TRY(ledger_enclaves_require(call, &holder, &x, LEDGER_ROLE_BRIDGE));
	CS_TRY(ledger_enclaves_identity(call, &own));
	CS_TRY(ledger_use_gas(call, (records.count + 1) * LEDGER_GAS_HASH));
	const struct cs_hash digest = ledger_records_digest(&own, records.items, records.count);
	CS_TRY(records_verify(call, &x, &rx, &s, &digest));
	struct batch batch = {.reporter_kind = LEDGER_REPORTER_ENCLAVE,
			      .reporter = x,
			      .identity = holder.identity,
			      .has_identity = true};
	return take_all(call, &batch, &records);
}

/* ---- views ---- */

enum cs_err records_message_of(struct ledger_call *call, struct cs_abi_reader *in,
			       struct cs_abi *out)
{
	struct cs_hash message_id;
	struct history history;
	uint8_t side;
	CS_TRY(cs_abi_get_word(in, &message_id));
	CS_TRY(cs_abi_get_u8(in, &side));
	CS_TRY(get_history(call, &history, &message_id, side));
	cs_abi_put_u64(out, history.state);
	cs_abi_put_u64(out, history.count);
	cs_abi_put_u64(out, history.conflicts);
	cs_abi_put_word(out, &history.source);
	cs_abi_put_word(out, &history.destination);
	return CS_OK;
}

static void answer_entry(struct cs_abi *out, const struct entry *entry)
{
	cs_abi_put_u64(out, entry->from);
	cs_abi_put_u64(out, entry->event);
	cs_abi_put_u64(out, entry->to);
	cs_abi_put_u64(out, entry->height);
	cs_abi_put_word(out, &entry->block);
	cs_abi_put_word(out, &entry->tx);
	cs_abi_put_word(out, &entry->digest);
	cs_abi_put_u64(out, entry->reporter_kind);
	cs_abi_put_word(out, &entry->reporter);
	cs_abi_put_u64(out, entry->time_s);
}

enum cs_err records_record_of(struct ledger_call *call, struct cs_abi_reader *in,
			      struct cs_abi *out)
{
	struct cs_hash message_id;
	struct entry entry;
	uint8_t side, index;
	CS_TRY(cs_abi_get_word(in, &message_id));
	CS_TRY(cs_abi_get_u8(in, &side));
	CS_TRY(cs_abi_get_u8(in, &index));
	CS_TRY(load_entry(call, &entry, &message_id, side, index));
	answer_entry(out, &entry);
	return CS_OK;
}

/* The index of the record that it contradicts, and the other record. */
enum cs_err records_conflict_of(struct ledger_call *call, struct cs_abi_reader *in,
				struct cs_abi *out)
{
	struct cs_hash message_id;
	struct entry entry;
	uint8_t side, n, index;
	CS_TRY(cs_abi_get_word(in, &message_id));
	CS_TRY(cs_abi_get_u8(in, &side));
	CS_TRY(cs_abi_get_u8(in, &n));
	CS_TRY(load_conflict(call, &index, &entry, &message_id, side, n));
	cs_abi_put_u64(out, index);
	answer_entry(out, &entry);
	return CS_OK;
}

/* Messages in each state, 1 to 13. */
enum cs_err records_backlog(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct cs_hash source, destination;
	uint64_t counts[STATES];
	uint8_t side;
	CS_TRY(cs_abi_get_word(in, &source));
	CS_TRY(cs_abi_get_word(in, &destination));
	CS_TRY(cs_abi_get_u8(in, &side));
	const struct ledger_key key = counts_key(&source, &destination, side);
	CS_TRY(get_counts(call, counts, &key));
	for (size_t i = 0; i < STATES; i++)
		cs_abi_put_u64(out, counts[i]);
	return CS_OK;
}
