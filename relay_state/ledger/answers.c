#include "relay_state/ledger/answers.h"

#include "core/hash.h"
#include "core/reader.h"
#include "relay_state/ledger/enclaves.h"
#include "relay_state/ledger/gas.h"
#include "relay_state/ledger/pairs.h"
#include "wire/oracle.h"

#include <string.h>

#define KIND_ANSWER 'a'
#define KIND_VALUE 'v'
#define KIND_OTHERS 'k'
#define KIND_FEED 'f'
#define KIND_ROUND 'r'
#define KIND_FAILURES 'x'

#define ANSWER_SIZE (1u + 8u + 4u * 32u + 8u + 8u)
#define OTHERS_SIZE (1u + 32u + 8u)
#define FEED_SIZE (8u + 8u)
#define ROUND_SIZE (8u + 4u * 32u + 8u + 8u)
#define FAILURES_SIZE (8u + 1u + 8u + 32u + 8u)
#define OTHERS_AT_AT 33u

#define ANSWER_WORDS 6u
#define VALUE_WORDS 5u

/* Who answered whom, of a whole call. */
struct session {
	struct cs_hash oracle;
	struct cs_hash receiver;
	struct ledger_statement statement;
};

struct answers {
	size_t count;
	struct wire_answer items[CS_BATCH_MAX];
};

struct values {
	size_t count;
	struct wire_feed_value items[CS_BATCH_MAX];
};

/* ---- reading ---- */

static enum cs_err read_session(struct cs_abi_reader *in, struct session *session)
{
	CS_TRY(cs_abi_get_word(in, &session->oracle));
	CS_TRY(cs_abi_get_word(in, &session->receiver));
	return ledger_statement_read(in, &session->statement);
}

enum cs_err ledger_answer_read(struct cs_abi_reader *list, struct wire_answer *answer)
{
	struct cs_abi_reader in;
	uint8_t code;
	CS_TRY(cs_abi_open(list, &in, ANSWER_WORDS));
	CS_TRY(cs_abi_get_word(&in, &answer->request_id));
	CS_TRY(cs_abi_get_word(&in, &answer->spec_hash));
	CS_TRY(cs_abi_get_u8(&in, &code));
	CS_TRY(cs_abi_get_u64(&in, &answer->observed_at));
	CS_TRY(cs_abi_get_word(&in, &answer->evidence_hash));
	CS_TRY(cs_abi_get_bytes(&in, LEDGER_ANSWER_VALUE_SIZE_MAX, &answer->value));
	answer->code = code;
	return cs_abi_close(list, &in);
}

static enum cs_err read_answers(struct ledger_call *call, struct cs_abi_reader *in,
				struct answers *answers)
{
	struct cs_abi_reader list;
	CS_TRY(cs_abi_open_array(in, &list, 1, CS_BATCH_MAX, &answers->count));
	for (size_t i = 0; i < answers->count; i++)
		CS_TRY(ledger_answer_read(&list, &answers->items[i]));
	CS_TRY(cs_abi_close(in, &list));
	return answers->count == 0 ? ledger_revert_plain(call, "BatchEmpty()") : CS_OK;
}

static enum cs_err read_values(struct ledger_call *call, struct cs_abi_reader *in,
			       struct values *values)
{
	struct cs_abi_reader list;
	CS_TRY(cs_abi_open_array(in, &list, VALUE_WORDS, CS_BATCH_MAX, &values->count));
	for (size_t i = 0; i < values->count; i++) {
		struct wire_feed_value *item = &values->items[i];
		CS_TRY(cs_abi_get_word(&list, &item->feed_id));
		CS_TRY(cs_abi_get_u64(&list, &item->observed_at));
		CS_TRY(cs_abi_get_word(&list, &item->spec_hash));
		CS_TRY(cs_abi_get_word(&list, &item->evidence_hash));
		CS_TRY(cs_abi_get_word(&list, &item->value));
	}
	CS_TRY(cs_abi_close(in, &list));
	return values->count == 0 ? ledger_revert_plain(call, "BatchEmpty()") : CS_OK;
}

/* ---- what is signed ---- */

/* Leaves and nodes of a batch, a hash each; those of an answer hash their value too. */
static enum cs_err check_statement(struct ledger_call *call, const struct session *session,
				   const struct cs_hash *leaves, size_t count)
{
	CS_TRY(ledger_use_gas(call, 2 * count * LEDGER_GAS_HASH));
	const struct cs_hash root = wire_root(leaves, count);
	return ledger_enclaves_check(call, LEDGER_ROLE_ORACLE, WIRE_KIND_ANSWER, &session->oracle,
				     &session->receiver, &session->statement, &root);
}

static enum cs_err check_answers(struct ledger_call *call, const struct session *session,
				 const struct answers *answers, struct cs_hash leaves[CS_BATCH_MAX])
{
	for (size_t i = 0; i < answers->count; i++) {
		const struct wire_answer *answer = &answers->items[i];
		if (wire_oracle_code_name(answer->code) == NULL ||
		    (answer->code != WIRE_ORACLE_OK && answer->value.n != 0) ||
		    (answer->code == WIRE_ORACLE_OK && answer->value.n == 0))
			return ledger_revert_plain(call, "AnswerInvalid()");
		if (answer->observed_at > call->block->time_s)
			return ledger_revert_plain(call, "ObservedInFuture()");
		leaves[i] = wire_leaf_answer(answer);
	}
	return check_statement(call, session, leaves, answers->count);
}

/* ---- answers ---- */

static struct ledger_key key_of(char kind, const struct cs_hash *oracle, const struct cs_hash *id)
{
	struct ledger_key key = ledger_key_of(kind, CS_BYTES_OF(oracle->b));
	ledger_key_add(&key, CS_BYTES_OF(id->b));
	return key;
}

/* An answer as it is kept; recorded_s 0: none. */
struct kept {
	uint8_t code;
	uint64_t observed_s;
	struct cs_hash spec_hash;
	struct cs_hash evidence_hash;
	struct cs_hash value_hash;
	struct cs_hash receiver;
	uint64_t epoch;
	uint64_t recorded_s;
};

static enum cs_err get_kept(struct ledger_call *call, struct kept *kept,
			    const struct cs_hash *oracle, const struct cs_hash *request_id)
{
	uint8_t value[ANSWER_SIZE];
	struct cs_reader in;
	const struct ledger_key key = key_of(KIND_ANSWER, oracle, request_id);
	CS_TRY(ledger_get_fixed(call, value, sizeof value, &key));
	cs_reader_init(&in, CS_BYTES_OF(value));
	kept->code = cs_get_u8(&in);
	kept->observed_s = cs_get_u64(&in);
	cs_get_copy(&in, kept->spec_hash.b, sizeof kept->spec_hash.b);
	cs_get_copy(&in, kept->evidence_hash.b, sizeof kept->evidence_hash.b);
	cs_get_copy(&in, kept->value_hash.b, sizeof kept->value_hash.b);
	cs_get_copy(&in, kept->receiver.b, sizeof kept->receiver.b);
	kept->epoch = cs_get_u64(&in);
	kept->recorded_s = cs_get_u64(&in);
	return cs_reader_end(&in);
}

static enum cs_err put_kept(struct ledger_call *call, const struct session *session,
			    const struct wire_answer *answer)
{
	uint8_t value[ANSWER_SIZE];
	struct cs_buf buf;
	const struct cs_hash value_hash = cs_keccak256(answer->value);
	const struct ledger_key key = key_of(KIND_ANSWER, &session->oracle, &answer->request_id);
	const struct ledger_key value_key =
		key_of(KIND_VALUE, &session->oracle, &answer->request_id);
	cs_buf_init(&buf, value, sizeof value);
	cs_put_u8(&buf, (uint8_t)answer->code);
	cs_put_u64(&buf, answer->observed_at);
	cs_put_word(&buf, &answer->spec_hash);
	cs_put_word(&buf, &answer->evidence_hash);
	cs_put_word(&buf, &value_hash);
	cs_put_word(&buf, &session->receiver);
	cs_put_u64(&buf, session->statement.epoch);
	cs_put_u64(&buf, call->block->time_s);
	CS_TRY(cs_buf_end(&buf));
	CS_TRY(ledger_put_fixed(call, &key, value, sizeof value));
	if (answer->value.n > 0)
		CS_TRY(ledger_put_fixed(call, &value_key, answer->value.p, answer->value.n));
	return ledger_emit_words(
		call, "AnswerRecorded(bytes32,bytes32,uint8,uint64)",
		(const struct cs_hash[]){session->oracle, answer->request_id}, 2,
		LEDGER_WORDS(ledger_word_u64(answer->code), ledger_word_u64(answer->observed_at)));
}

static bool is_same(const struct kept *kept, const struct session *session,
		    const struct wire_answer *answer)
{
	const struct cs_hash value_hash = cs_keccak256(answer->value);
	return kept->code == answer->code && kept->observed_s == answer->observed_at &&
	       cs_hash_eq(&kept->spec_hash, &answer->spec_hash) &&
	       cs_hash_eq(&kept->evidence_hash, &answer->evidence_hash) &&
	       cs_hash_eq(&kept->value_hash, &value_hash) &&
	       cs_hash_eq(&kept->receiver, &session->receiver);
}

/* A host may have let an oracle run more than once and chosen: that there were others is seen. */
static enum cs_err keep_other(struct ledger_call *call, const struct session *session,
			      const struct cs_hash *request_id, const struct cs_hash *leaf)
{
	uint8_t value[OTHERS_SIZE];
	const struct ledger_key key = key_of(KIND_OTHERS, &session->oracle, request_id);
	CS_TRY(ledger_get_fixed(call, value, sizeof value, &key));
	if (value[0] == UINT8_MAX || (value[0] > 0 && memcmp(value + 1, leaf->b, 32) == 0))
		return CS_OK;
	if (value[0] == 0) {
		memcpy(value + 1, leaf->b, sizeof leaf->b);
		cs_put_be64(value + OTHERS_AT_AT, call->block->time_s);
	}
	value[0]++;
	CS_TRY(ledger_put_fixed(call, &key, value, sizeof value));
	return ledger_emit_words(call, "AnswerConflict(bytes32,bytes32,bytes32)",
				 (const struct cs_hash[]){session->oracle, *request_id}, 2,
				 LEDGER_WORDS(*leaf));
}

/* The first answer to a request stays; the same one again changes nothing. */
static enum cs_err record(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct session session;
	struct answers answers;
	struct cs_hash leaves[CS_BATCH_MAX];
	(void)out;
	CS_TRY(read_session(in, &session));
	CS_TRY(read_answers(call, in, &answers));
	CS_TRY(check_answers(call, &session, &answers, leaves));
	for (size_t i = 0; i < answers.count; i++) {
		const struct wire_answer *answer = &answers.items[i];
		struct kept kept;
		CS_TRY(get_kept(call, &kept, &session.oracle, &answer->request_id));
		if (kept.recorded_s == 0)
			CS_TRY(put_kept(call, &session, answer));
		else if (!is_same(&kept, &session, answer))
			CS_TRY(keep_other(call, &session, &answer->request_id, &leaves[i]));
	}
	return CS_OK;
}

/* ---- feeds ---- */

struct feed {
	uint64_t rounds;
	uint64_t observed_s;
};

static enum cs_err get_feed(struct ledger_call *call, struct feed *feed,
			    const struct cs_hash *oracle, const struct cs_hash *feed_id)
{
	uint8_t value[FEED_SIZE];
	const struct ledger_key key = key_of(KIND_FEED, oracle, feed_id);
	CS_TRY(ledger_get_fixed(call, value, sizeof value, &key));
	*feed = (struct feed){cs_be64(value), cs_be64(value + 8)};
	return CS_OK;
}

static struct ledger_key round_key(const struct cs_hash *oracle, const struct cs_hash *feed_id,
				   uint64_t round)
{
	struct ledger_key key = key_of(KIND_ROUND, oracle, feed_id);
	ledger_key_add_u64(&key, round);
	return key;
}

static enum cs_err put_round(struct ledger_call *call, const struct session *session,
			     const struct wire_feed_value *item, struct feed *feed)
{
	uint8_t value[ROUND_SIZE], newest[FEED_SIZE];
	struct cs_buf buf;
	if (feed->rounds == UINT64_MAX)
		return CS_ERR_OVERFLOW;
	*feed = (struct feed){feed->rounds + 1, item->observed_at};
	const struct ledger_key feed_key = key_of(KIND_FEED, &session->oracle, &item->feed_id);
	const struct ledger_key key = round_key(&session->oracle, &item->feed_id, feed->rounds);
	cs_buf_init(&buf, value, sizeof value);
	cs_put_u64(&buf, item->observed_at);
	cs_put_word(&buf, &item->spec_hash);
	cs_put_word(&buf, &item->evidence_hash);
	cs_put_word(&buf, &item->value);
	cs_put_word(&buf, &session->receiver);
	cs_put_u64(&buf, session->statement.epoch);
	cs_put_u64(&buf, call->block->time_s);
	CS_TRY(cs_buf_end(&buf));
	cs_put_be64(newest, feed->rounds);
	cs_put_be64(newest + 8, feed->observed_s);
	CS_TRY(ledger_put_fixed(call, &key, value, sizeof value));
	CS_TRY(ledger_put_fixed(call, &feed_key, newest, sizeof newest));
	return ledger_emit_words(call, "FeedRecorded(bytes32,bytes32,uint64,int256,uint64)",
				 (const struct cs_hash[]){session->oracle, item->feed_id}, 2,
				 LEDGER_WORDS(ledger_word_u64(feed->rounds), item->value,
					      ledger_word_u64(item->observed_at)));
}

/* Why a value is no round; NULL: it is one. */
static const char *refusal(const struct ledger_call *call, const struct feed *feed,
			   const struct wire_feed_value *item)
{
	if (item->observed_at > call->block->time_s)
		return "ObservedInFuture()";
	return item->observed_at <= feed->observed_s ? "ObservedNotNewer()" : NULL;
}

/* Values that are not newer are passed over; one alone reverts with its reason, and so does a call
 * that does nothing (CaissonFeed.sol). */
static enum cs_err submit(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct session session;
	struct values values;
	struct cs_hash leaves[CS_BATCH_MAX];
	size_t taken = 0;
	(void)out;
	CS_TRY(read_session(in, &session));
	CS_TRY(read_values(call, in, &values));
	for (size_t i = 0; i < values.count; i++)
		leaves[i] = wire_leaf_feed(&values.items[i]);
	CS_TRY(check_statement(call, &session, leaves, values.count));
	for (size_t i = 0; i < values.count; i++) {
		struct feed feed;
		const struct wire_feed_value *item = &values.items[i];
		CS_TRY(get_feed(call, &feed, &session.oracle, &item->feed_id));
		const char *why = refusal(call, &feed, item);
		if (why != NULL && values.count == 1)
			return ledger_revert_plain(call, why);
		if (why != NULL)
			continue;
		CS_TRY(put_round(call, &session, item, &feed));
		taken++;
	}
	return taken == 0 ? ledger_revert_plain(call, "NothingToDo()") : CS_OK;
}

struct failures {
	uint64_t count;
	uint8_t code;
	uint64_t observed_s;
	struct cs_hash evidence_hash;
	uint64_t recorded_s;
};

static enum cs_err get_failures(struct ledger_call *call, struct failures *failures,
				const struct cs_hash *oracle, const struct cs_hash *feed_id)
{
	uint8_t value[FAILURES_SIZE];
	struct cs_reader in;
	const struct ledger_key key = key_of(KIND_FAILURES, oracle, feed_id);
	CS_TRY(ledger_get_fixed(call, value, sizeof value, &key));
	cs_reader_init(&in, CS_BYTES_OF(value));
	failures->count = cs_get_u64(&in);
	failures->code = cs_get_u8(&in);
	failures->observed_s = cs_get_u64(&in);
	cs_get_copy(&in, failures->evidence_hash.b, sizeof failures->evidence_hash.b);
	failures->recorded_s = cs_get_u64(&in);
	return cs_reader_end(&in);
}

static enum cs_err put_failure(struct ledger_call *call, const struct session *session,
			       const struct wire_answer *answer, uint64_t count)
{
	uint8_t value[FAILURES_SIZE];
	struct cs_buf buf;
	const struct ledger_key key = key_of(KIND_FAILURES, &session->oracle, &answer->request_id);
	cs_buf_init(&buf, value, sizeof value);
	cs_put_u64(&buf, count);
	cs_put_u8(&buf, (uint8_t)answer->code);
	cs_put_u64(&buf, answer->observed_at);
	cs_put_word(&buf, &answer->evidence_hash);
	cs_put_u64(&buf, call->block->time_s);
	CS_TRY(cs_buf_end(&buf));
	CS_TRY(ledger_put_fixed(call, &key, value, sizeof value));
	return ledger_emit_words(
		call, "FeedFailed(bytes32,bytes32,uint8,uint64)",
		(const struct cs_hash[]){session->oracle, answer->request_id}, 2,
		LEDGER_WORDS(ledger_word_u64(answer->code), ledger_word_u64(answer->observed_at)));
}

/* Rounds that failed: answers with a code, the feed in place of a request. Newer ones alone. */
static enum cs_err report_failed(struct ledger_call *call, struct cs_abi_reader *in,
				 struct cs_abi *out)
{
	struct session session;
	struct answers answers;
	struct cs_hash leaves[CS_BATCH_MAX];
	(void)out;
	CS_TRY(read_session(in, &session));
	CS_TRY(read_answers(call, in, &answers));
	CS_TRY(check_answers(call, &session, &answers, leaves));
	for (size_t i = 0; i < answers.count; i++) {
		const struct wire_answer *answer = &answers.items[i];
		struct failures failures;
		if (answer->code == WIRE_ORACLE_OK)
			return ledger_revert_plain(call, "AnswerInvalid()");
		CS_TRY(get_failures(call, &failures, &session.oracle, &answer->request_id));
		if (answer->observed_at <= failures.observed_s)
			return ledger_revert_plain(call, "ObservedNotNewer()");
		if (failures.count == UINT64_MAX)
			return CS_ERR_OVERFLOW;
		CS_TRY(put_failure(call, &session, answer, failures.count + 1));
	}
	return CS_OK;
}

/* ---- views ---- */

static enum cs_err read_ids(struct cs_abi_reader *in, struct cs_hash *oracle, struct cs_hash *id)
{
	CS_TRY(cs_abi_get_word(in, oracle));
	return cs_abi_get_word(in, id);
}

/* An answer's parts and its value. */
static enum cs_err answer_of(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct cs_hash oracle, request_id;
	struct kept kept;
	struct cs_bytes value = CS_BYTES_NONE;
	CS_TRY(read_ids(in, &oracle, &request_id));
	CS_TRY(get_kept(call, &kept, &oracle, &request_id));
	if (kept.recorded_s != 0 && kept.code == WIRE_ORACLE_OK) {
		const struct ledger_key key = key_of(KIND_VALUE, &oracle, &request_id);
		CS_TRY(ledger_get(call, &value, cs_bytes(key.b, key.n)));
	}
	cs_abi_put_u64(out, kept.code);
	cs_abi_put_u64(out, kept.observed_s);
	cs_abi_put_word(out, &kept.spec_hash);
	cs_abi_put_word(out, &kept.evidence_hash);
	cs_abi_put_word(out, &kept.receiver);
	cs_abi_put_u64(out, kept.epoch);
	cs_abi_put_u64(out, kept.recorded_s);
	const size_t slot = cs_abi_slot(out);
	cs_abi_put_bytes(out, slot, value);
	return CS_OK;
}

/* How many other answers there were, the leaf of the first, and when it came. */
static enum cs_err others_of(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct cs_hash oracle, request_id, leaf;
	uint8_t value[OTHERS_SIZE];
	CS_TRY(read_ids(in, &oracle, &request_id));
	const struct ledger_key key = key_of(KIND_OTHERS, &oracle, &request_id);
	CS_TRY(ledger_get_fixed(call, value, sizeof value, &key));
	memcpy(leaf.b, value + 1, sizeof leaf.b);
	cs_abi_put_u64(out, value[0]);
	cs_abi_put_word(out, &leaf);
	cs_abi_put_u64(out, cs_be64(value + OTHERS_AT_AT));
	return CS_OK;
}

static enum cs_err feed_of(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct cs_hash oracle, feed_id;
	struct feed feed;
	CS_TRY(read_ids(in, &oracle, &feed_id));
	CS_TRY(get_feed(call, &feed, &oracle, &feed_id));
	cs_abi_put_u64(out, feed.rounds);
	cs_abi_put_u64(out, feed.observed_s);
	return CS_OK;
}

static enum cs_err round_of(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct cs_hash oracle, feed_id, word;
	uint8_t value[ROUND_SIZE];
	struct cs_reader reader;
	uint64_t round;
	CS_TRY(read_ids(in, &oracle, &feed_id));
	CS_TRY(cs_abi_get_u64(in, &round));
	const struct ledger_key key = round_key(&oracle, &feed_id, round);
	CS_TRY(ledger_get_fixed(call, value, sizeof value, &key));
	cs_reader_init(&reader, CS_BYTES_OF(value));
	cs_abi_put_u64(out, cs_get_u64(&reader));
	for (unsigned i = 0; i < 4; i++) {
		cs_get_copy(&reader, word.b, sizeof word.b);
		cs_abi_put_word(out, &word);
	}
	cs_abi_put_u64(out, cs_get_u64(&reader));
	cs_abi_put_u64(out, cs_get_u64(&reader));
	return cs_reader_end(&reader);
}

static enum cs_err failures_of(struct ledger_call *call, struct cs_abi_reader *in,
			       struct cs_abi *out)
{
	struct cs_hash oracle, feed_id;
	struct failures failures;
	CS_TRY(read_ids(in, &oracle, &feed_id));
	CS_TRY(get_failures(call, &failures, &oracle, &feed_id));
	cs_abi_put_u64(out, failures.count);
	cs_abi_put_u64(out, failures.code);
	cs_abi_put_u64(out, failures.observed_s);
	cs_abi_put_word(out, &failures.evidence_hash);
	cs_abi_put_u64(out, failures.recorded_s);
	return CS_OK;
}

/* ---- the table ---- */

#define STATEMENT "(uint64,uint64,uint256,uint256,uint256,bytes32[])"
#define ANSWER "(bytes32,bytes32,uint8,uint64,bytes32,bytes)"
#define FEED_VALUE "(bytes32,uint64,bytes32,bytes32,int256)"

static const struct ledger_function functions[] = {
	{"record(bytes32,bytes32," STATEMENT "," ANSWER "[])", 0x4dafa607, 4, false, 0, record},
	{"submit(bytes32,bytes32," STATEMENT "," FEED_VALUE "[])", 0x114324b9, 4, false, 0, submit},
	{"reportFailed(bytes32,bytes32," STATEMENT "," ANSWER "[])", 0x39207955, 4, false, 0,
	 report_failed},
	{"answerOf(bytes32,bytes32)", 0x2bbb1e0a, 2, false, 0, answer_of},
	{"othersOf(bytes32,bytes32)", 0x82f348db, 2, false, 0, others_of},
	{"feedOf(bytes32,bytes32)", 0x38097b84, 2, false, 0, feed_of},
	{"roundOf(bytes32,bytes32,uint64)", 0xb14b9a06, 3, false, 0, round_of},
	{"failuresOf(bytes32,bytes32)", 0x63ebffbd, 2, false, 0, failures_of},
};

const struct ledger_contract ledger_answers = {
	.name = "answers",
	.number = LEDGER_ANSWERS_NUMBER,
	.functions = functions,
	.function_count = CS_LEN(functions),
};
