/* The journal: rows come back as they went in, after a restart too; illegal moves and repeated keys
 * change nothing. */
#include "tests/unit/gateway/journal_fixture.h"

static void what_a_reorganisation_touches_comes_in_pages(void **state)
{
	struct fixture *f = *state;
	struct gateway_message page[2];
	uint64_t after = 0;
	size_t count = 0;
	size_t found = 0;
	for (uint8_t n = 1; n <= 6; n++) {
		struct gateway_message m = sample(n, RELAY_SOURCE);
		assert_int_equal(add(f, &m), CS_OK);
	}
	struct gateway_message m = sample(1, RELAY_SOURCE);
	do {
		assert_int_equal(gateway_journal_above(f->journal, &m.chain, GATEWAY_PLACE_SOURCE,
						       102, after, page, 2, &count),
				 CS_OK);
		for (size_t i = 0; i < count; i++)
			assert_int_equal(page[i].height, 102 + found + i);
		found += count;
		after = count > 0 ? page[count - 1].n : 0;
	} while (count == 2);
	assert_int_equal(found, 5);
}

static void messages_come_back_after_a_restart(void **state)
{
	struct fixture *f = *state;
	char instance[40];
	snprintf(instance, sizeof(instance), "%s", gateway_journal_instance(f->journal));
	assert_int_equal(strlen(instance), 32);
	for (uint8_t n = 1; n <= 3; n++) {
		struct gateway_message m = sample(n, RELAY_SOURCE);
		assert_int_equal(add(f, &m), CS_OK);
		assert_int_equal(m.n, n);
	}
	reopen(f);
	/* Its outbox may have been counted further before: peers begin anew with it. */
	assert_string_not_equal(gateway_journal_instance(f->journal), instance);
	for (uint8_t n = 1; n <= 3; n++) {
		struct gateway_message want = sample(n, RELAY_SOURCE);
		struct gateway_message got;
		struct wire_message content;
		assert_int_equal(gateway_journal_find(f->journal, &want.id, RELAY_SOURCE, &got),
				 CS_OK);
		assert_int_equal(got.state, RELAY_OBSERVED);
		assert_int_equal(got.sequence, n);
		assert_int_equal(got.finality, n);
		assert_true(cs_hash_eq(&got.block, &want.block) && cs_hash_eq(&got.tx, &want.tx));
		assert_true(cs_hash_is_zero(&got.closer));
		assert_int_equal(got.log_index, 4);
		cs_arena_rewind(&f->arena, 0);
		assert_int_equal(gateway_journal_content(f->journal, &got, &f->arena, &content),
				 CS_OK);
		assert_true(cs_bytes_eq(content.sender, cs_bytes_str("sender")));
		assert_int_equal(content.payload.n, n == 2 ? 0 : 7);
		assert_true(cs_hash_eq(&content.head.source, &want.chain));
		assert_true(cs_hash_eq(&content.head.destination, &want.remote));
	}
	struct gateway_message got;
	struct cs_hash none = a_hash(9, 9);
	assert_int_equal(gateway_journal_find(f->journal, &none, RELAY_SOURCE, &got),
			 CS_ERR_NOT_FOUND);
}

static void one_message_has_one_row_a_side(void **state)
{
	struct fixture *f = *state;
	struct gateway_message a = sample(1, RELAY_SOURCE);
	struct gateway_message b = sample(1, RELAY_DESTINATION);
	assert_int_equal(add(f, &a), CS_OK);
	assert_int_equal(add(f, &b), CS_OK);
	assert_int_equal(add(f, &a), CS_ERR_DUPLICATE);
	struct gateway_message list[8];
	size_t count = 0;
	uint64_t next = 1;
	assert_ok(gateway_journal_list(f->journal, &(struct gateway_filter){0}, 0, list, 8, &count,
				       &next));
	assert_int_equal(next, 0);
	assert_int_equal(count, 2);
	assert_int_equal(list[0].side, RELAY_DESTINATION);
	assert_int_equal(list[0].state, RELAY_SIGNED);
}

static void only_legal_moves_are_written(void **state)
{
	struct fixture *f = *state;
	struct gateway_message m = sample(1, RELAY_SOURCE);
	struct gateway_message got;
	assert_int_equal(add(f, &m), CS_OK);
	assert_int_equal(move(f, &m, RELAY_ON_SIGN), CS_ERR_CONFLICT);
	assert_int_equal(move(f, &m, RELAY_ON_FINALIZE), CS_ERR_CONFLICT);
	assert_int_equal(gateway_journal_row(f->journal, m.n, &got), CS_OK);
	assert_int_equal(got.state, RELAY_OBSERVED);
	assert_int_equal(move(f, &m, RELAY_ON_REACH_FINALITY), CS_OK);
	assert_int_equal(gateway_journal_row(f->journal, m.n, &got), CS_OK);
	assert_int_equal(got.state, RELAY_FINAL);
}

static size_t pick(struct fixture *f, struct gateway_pick *p, struct gateway_message *rows)
{
	static struct cs_hash chain;
	size_t count = 0;
	chain = a_hash(0xc0, 1);
	p->chain = &chain;
	p->side = RELAY_SOURCE;
	p->state = RELAY_OBSERVED;
	assert_int_equal(gateway_journal_pick(f->journal, p, rows, 8, &count), CS_OK);
	return count;
}

static void work_is_picked_by_time_height_and_route(void **state)
{
	struct fixture *f = *state;
	struct gateway_message rows[8];
	struct cs_hash other = a_hash(0xc0, 9);
	struct cs_hash remote = a_hash(0xc0, 2);
	for (uint8_t n = 1; n <= 5; n++) {
		struct gateway_message m = sample(n, RELAY_SOURCE);
		assert_int_equal(add(f, &m), CS_OK);
	}
	assert_int_equal(pick(f, &(struct gateway_pick){.due_ms = 30}, rows), 3);
	assert_int_equal(rows[0].sequence, 1);
	assert_int_equal(pick(f, &(struct gateway_pick){.due_ms = 30, .newest_first = true}, rows),
			 3);
	assert_int_equal(rows[0].sequence, 3);
	assert_int_equal(pick(f, &(struct gateway_pick){.due_ms = 1000, .remote = &other}, rows),
			 0);
	assert_int_equal(pick(f, &(struct gateway_pick){.due_ms = 1000, .remote = &remote}, rows),
			 5);
	/* height + finality is 102, 104, 106, … */
	assert_int_equal(pick(f, &(struct gateway_pick){.due_ms = 1000, .height_max = 104}, rows),
			 2);
	assert_int_equal(
		pick(f, &(struct gateway_pick){.due_ms = 1000, .deadline_max = 1899999999}, rows),
		0);
	assert_int_equal(
		pick(f, &(struct gateway_pick){.due_ms = 1000, .deadline_max = 1900000000}, rows),
		5);
	assert_int_equal(
		pick(f, &(struct gateway_pick){.due_ms = 1000, .deadline_min = 1900000000}, rows),
		0);
	assert_int_equal(pick(f, &(struct gateway_pick){.due_ms = 1000, .wish_retry = true}, rows),
			 0);
}

static enum cs_err statement_body(struct fixture *f, void *context)
{
	return gateway_journal_add_statement(f->journal, context);
}

static void statements_are_kept_once(void **state)
{
	struct fixture *f = *state;
	struct gateway_statement st = {
		.statement = {.kind = WIRE_KIND_OUTCOME, .epoch = 3, .manifest_number = 7},
		.count = 2};
	st.statement.signer = a_hash(1, 1);
	st.signature.rx = a_hash(2, 2);
	st.signature.s = a_hash(3, 3);
	st.ids[1] = a_hash(4, 4);
	st.statuses[1] = 3;
	assert_int_equal(write_(f, statement_body, &st), CS_OK);
	uint64_t n = st.n;
	assert_int_equal(write_(f, statement_body, &st), CS_OK);
	assert_int_equal(st.n, n);
	struct gateway_statement got;
	assert_int_equal(gateway_journal_statement(f->journal, n, &got), CS_OK);
	assert_int_equal(got.statement.epoch, 3);
	assert_int_equal(got.statement.manifest_number, 7);
	assert_int_equal(got.count, 2);
	assert_int_equal(got.statuses[1], 3);
	assert_true(cs_hash_eq(&got.ids[1], &st.ids[1]));
	assert_int_equal(gateway_journal_statement(f->journal, n + 1, &got), CS_ERR_NOT_FOUND);
}

static enum cs_err submission_body(struct fixture *f, void *context)
{
	static const uint8_t raw[] = {1, 2, 3};
	struct gateway_submission *sub = context;
	CS_TRY(gateway_journal_add_submission(f->journal, sub, cs_bytes_str("data")));
	struct adapter_attempt attempt = {.submission = sub->n,
					  .terms = {.nonce = 5, .max_fee_wei = 9},
					  .raw = CS_BYTES_OF(raw)};
	CS_TRY(gateway_journal_add_attempt(f->journal, &attempt));
	attempt.terms.attempt = 1;
	attempt.terms.max_fee_wei = 12;
	attempt.terms.cancel = true;
	return gateway_journal_add_attempt(f->journal, &attempt);
}

static enum cs_err settle_body(struct fixture *f, void *context)
{
	return gateway_journal_save_submission(f->journal, context, NULL);
}

static void submissions_stay_open_until_they_are_settled(void **state)
{
	struct fixture *f = *state;
	struct gateway_submission sub = {
		.chain = a_hash(0xc0, 1), .kind = GATEWAY_DELIVER, .count = 2, .gas_limit = 500000};
	struct gateway_submission got;
	struct adapter_attempt attempts[4];
	struct cs_bytes data;
	uint64_t rows[4];
	size_t count = 0;
	assert_int_equal(write_(f, submission_body, &sub), CS_OK);
	reopen(f);
	assert_int_equal(
		gateway_journal_open_submissions(f->journal, &sub.chain, 0, rows, 4, &count),
		CS_OK);
	assert_int_equal(count, 1);
	assert_int_equal(gateway_journal_submission(f->journal, rows[0], &got, &f->arena, &data),
			 CS_OK);
	assert_int_equal(got.kind, GATEWAY_DELIVER);
	assert_true(cs_bytes_eq(data, cs_bytes_str("data")));
	assert_int_equal(
		gateway_journal_attempts(f->journal, got.n, &f->arena, attempts, 4, &count), CS_OK);
	assert_int_equal(count, 2);
	assert_true(attempts[1].terms.cancel && attempts[1].terms.max_fee_wei == 12 &&
		    attempts[0].raw.n == 3);
	got.state = GATEWAY_SUBMISSION_SETTLED;
	assert_int_equal(write_(f, settle_body, &got), CS_OK);
	assert_int_equal(
		gateway_journal_open_submissions(f->journal, &sub.chain, 0, rows, 4, &count),
		CS_OK);
	assert_int_equal(count, 0);
}

static enum cs_err many_body(struct fixture *f, void *context)
{
	struct add add = {.content = {.sender = cs_bytes_str("somebody"),
				      .recipient = cs_bytes_str("recipient")}};
	(void)context;
	for (uint64_t i = 1; i <= GATEWAY_LIST_ROWS + 5; i++) {
		struct gateway_message message = sample(1, RELAY_SOURCE);
		memcpy(message.id.b, &i, sizeof(i));
		add.message = &message;
		add.content.sender = cs_bytes_str(i == 3 ? "the one" : "somebody");
		CS_TRY(add_body(f, &add));
	}
	return CS_OK;
}

/* What is far down is found on the second page; the first one is empty and says that there is more. */
static void a_list_looks_at_so_many_rows_at_once(void **state)
{
	struct fixture *f = *state;
	const struct gateway_filter filter = {.sender = cs_bytes_str("the one")};
	struct gateway_message list[2];
	uint64_t next = 0;
	size_t count = 0;
	assert_int_equal(write_(f, many_body, NULL), CS_OK);
	assert_ok(gateway_journal_list(f->journal, &filter, 0, list, 2, &count, &next));
	assert_int_equal(count, 0);
	assert_int_equal(next, 6);
	assert_ok(gateway_journal_list(f->journal, &filter, next, list, 2, &count, &next));
	assert_int_equal(count, 1);
	assert_int_equal(list[0].n, 3);
	assert_int_equal(next, 0);
	assert_ok(
		gateway_journal_list(f->journal, &filter, UINT64_MAX / 2, list, 2, &count, &next));
	assert_int_equal(next, 6);
}

static enum cs_err given_body(struct fixture *f, void *context)
{
	static const uint8_t raw[] = {2, 0xc0};
	struct gateway_submission *sub = context;
	struct adapter_attempt attempt = {
		.terms.nonce = 7, .hash = a_hash(0xee, 1), .raw = CS_BYTES_OF(raw)};
	return gateway_journal_add_given(f->journal, sub, &attempt);
}

/* Of the enclave's and the operator's accounts nothing is mixed with it: nobody here can sign it anew. */
static void what_applications_signed_is_followed_apart(void **state)
{
	struct fixture *f = *state;
	struct gateway_submission sub = {.chain = a_hash(0xc0, 1), .kind = GATEWAY_SUBMITTED};
	struct gateway_submission got;
	struct cs_hash hash = a_hash(0xee, 1);
	uint64_t rows[4];
	uint64_t n = 0;
	size_t count = 0;
	assert_int_equal(gateway_journal_attempted(f->journal, &hash, &n), CS_ERR_NOT_FOUND);
	assert_int_equal(write_(f, given_body, &sub), CS_OK);
	reopen(f);
	assert_ok(gateway_journal_given(f->journal, &sub.chain, 0, rows, 4, &count));
	assert_int_equal(count, 1);
	assert_ok(gateway_journal_given_count(f->journal, &sub.chain, &n));
	assert_int_equal(n, 1);
	assert_ok(gateway_journal_attempted(f->journal, &hash, &n));
	assert_int_equal(n, rows[0]);
	assert_ok(gateway_journal_open_submissions(f->journal, &sub.chain, 0, rows, 4, &count));
	assert_int_equal(count, 0);
	assert_ok(gateway_journal_submission(f->journal, n, &got, &f->arena, NULL));
	assert_int_equal(got.nonce, 7);
	assert_true(cs_hash_eq(&got.hash, &hash));
	got.state = GATEWAY_SUBMISSION_LOST;
	assert_int_equal(write_(f, settle_body, &got), CS_OK);
	assert_ok(gateway_journal_given(f->journal, &sub.chain, 0, rows, 4, &count));
	assert_int_equal(count, 0);
	assert_ok(gateway_journal_open_submissions(f->journal, &sub.chain, 0, rows, 4, &count));
	assert_int_equal(count, 0);
}

static enum cs_err post_body(struct fixture *f, void *context)
{
	uint64_t *ref = context;
	return gateway_journal_post(f->journal, "b", GATEWAY_ITEM_NOTE, *ref);
}

static enum cs_err acked_body(struct fixture *f, void *context)
{
	uint64_t *n = context;
	return gateway_journal_acked(f->journal, "b", *n);
}

static enum cs_err consume_body(struct fixture *f, void *context)
{
	return gateway_journal_consume(f->journal, "b", context, 12);
}

static void the_outbox_keeps_its_order_and_its_numbers(void **state)
{
	struct fixture *f = *state;
	struct gateway_outbox_item items[8];
	size_t count = 0;
	uint64_t n = 0;
	for (uint64_t ref = 1; ref <= 4; ref++)
		assert_int_equal(write_(f, post_body, &ref), CS_OK);
	assert_int_equal(gateway_journal_outbox(f->journal, "b", 0, items, 8, &count), CS_OK);
	assert_int_equal(count, 4);
	assert_true(items[0].ref == 1 && items[3].ref == 4 && items[3].n > items[0].n);
	/* Counted by peer and kind, and no further than asked. */
	assert_ok(gateway_journal_untold(f->journal, "b", GATEWAY_ITEM_NOTE, 8, &n));
	assert_int_equal(n, 4);
	assert_ok(gateway_journal_untold(f->journal, "b", GATEWAY_ITEM_NOTE, 3, &n));
	assert_int_equal(n, 3);
	assert_ok(gateway_journal_untold(f->journal, "b", GATEWAY_ITEM_MESSAGES, 8, &n));
	assert_int_equal(n, 0);
	assert_ok(gateway_journal_untold(f->journal, "c", GATEWAY_ITEM_NOTE, 8, &n));
	assert_int_equal(n, 0);
	uint64_t last = items[3].n;
	assert_int_equal(write_(f, acked_body, &last), CS_OK);
	/* What was never sent was never taken. */
	uint64_t beyond = last + 1;
	assert_int_equal(write_(f, acked_body, &beyond), CS_ERR_CONFLICT);
	/* An older answer that comes late takes nothing back. */
	assert_int_equal(write_(f, acked_body, &items[0].n), CS_OK);
	assert_int_equal(gateway_journal_ack(f->journal, "b", &n), CS_OK);
	assert_int_equal(n, last);
	assert_int_equal(gateway_journal_backlog(f->journal, "b", &n), CS_OK);
	assert_int_equal(n, 0);
	/* Numbers of what is gone are not given again: the peer would pass over the new items. */
	uint64_t ref = 9;
	reopen(f);
	assert_int_equal(write_(f, post_body, &ref), CS_OK);
	assert_int_equal(gateway_journal_outbox(f->journal, "b", last, items, 8, &count), CS_OK);
	assert_int_equal(count, 1);
	assert_int_equal(gateway_journal_outbox(f->journal, "c", 0, items, 8, &count), CS_OK);
	assert_int_equal(count, 0);
	/* What a peer sent counts per journal of the peer. */
	char instance[] = "0123456789abcdef0123456789abcdef";
	assert_int_equal(write_(f, consume_body, instance), CS_OK);
	assert_int_equal(gateway_journal_consumed(f->journal, "b", instance, &n), CS_OK);
	assert_int_equal(n, 12);
	assert_int_equal(gateway_journal_consumed(f->journal, "b", "another", &n), CS_OK);
	assert_int_equal(n, 0);
}

static void count_event(void *ctx, const struct gateway_event *event)
{
	unsigned *count = ctx;
	assert_non_null(event->kind);
	(*count)++;
}

static enum cs_err prune_body(struct fixture *f, void *context)
{
	(void)context;
	return gateway_journal_events_prune(f->journal, 2);
}

static void events_have_one_ascending_cursor(void **state)
{
	struct fixture *f = *state;
	struct gateway_message m = sample(1, RELAY_SOURCE);
	uint64_t first = 0;
	uint64_t last = 0;
	unsigned count = 0;
	assert_int_equal(add(f, &m), CS_OK);
	assert_int_equal(move(f, &m, RELAY_ON_REACH_FINALITY), CS_OK);
	assert_int_equal(move(f, &m, RELAY_ON_VERIFY), CS_OK);
	assert_int_equal(move(f, &m, RELAY_ON_VERIFY), CS_ERR_CONFLICT);
	assert_int_equal(gateway_journal_events(f->journal, 0, 100, count_event, &count, &last),
			 CS_OK);
	assert_int_equal(count, 3);
	uint64_t from = last;
	assert_int_equal(gateway_journal_events(f->journal, from, 100, count_event, &count, &last),
			 CS_OK);
	assert_true(count == 3 && last == from);
	assert_int_equal(write_(f, prune_body, NULL), CS_OK);
	assert_int_equal(gateway_journal_events_span(f->journal, &first, &last), CS_OK);
	assert_true(first == last - 1);
}

struct idem {
	const char *key;
	struct cs_hash body;
};

static enum cs_err remember_body(struct fixture *f, void *context)
{
	struct idem *idem = context;
	return gateway_journal_remember(f->journal, "app", idem->key, &idem->body, 202,
					"{\"a\":1}");
}

static void an_idempotency_key_belongs_to_one_body(void **state)
{
	struct fixture *f = *state;
	struct idem idem = {"k1", a_hash(1, 1)};
	struct cs_hash other = a_hash(1, 2);
	const char *text = NULL;
	int status = 0;
	assert_int_equal(gateway_journal_idempotent(f->journal, "app", "k1", &idem.body, &f->arena,
						    &status, &text),
			 CS_ERR_NOT_FOUND);
	assert_int_equal(write_(f, remember_body, &idem), CS_OK);
	assert_int_equal(write_(f, remember_body, &idem), CS_ERR_DUPLICATE);
	assert_int_equal(gateway_journal_idempotent(f->journal, "app", "k1", &idem.body, &f->arena,
						    &status, &text),
			 CS_OK);
	assert_int_equal(status, 202);
	assert_string_equal(text, "{\"a\":1}");
	assert_int_equal(gateway_journal_idempotent(f->journal, "app", "k1", &other, &f->arena,
						    &status, &text),
			 CS_ERR_CONFLICT);
	assert_int_equal(gateway_journal_idempotent(f->journal, "app2", "k1", &idem.body, &f->arena,
						    &status, &text),
			 CS_ERR_NOT_FOUND);
}

static enum cs_err request_body(struct fixture *f, void *context)
{
	return gateway_journal_add_request(f->journal, context);
}

struct link {
	uint64_t request;
	uint64_t message;
};

static enum cs_err link_body(struct fixture *f, void *context)
{
	struct link *link = context;
	return gateway_journal_link_request(f->journal, link->request, link->message);
}

static void a_request_is_matched_once_by_its_payload(void **state)
{
	struct fixture *f = *state;
	struct gateway_request a = {
		.id = "ra", .mode = "prepare", .chain = a_hash(0xc0, 1), .payload = a_hash(5, 5)};
	struct gateway_request b = a;
	struct gateway_request got;
	struct cs_hash tx = a_hash(7, 7);
	struct host_trace trace = {"as it was", "as it was"};
	snprintf(b.id, sizeof(b.id), "rb");
	host_trace_read(&b.trace, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
			"vendor=1,other@vendor=2");
	assert_int_equal(write_(f, request_body, &a), CS_OK);
	assert_int_equal(write_(f, request_body, &b), CS_OK);
	assert_int_equal(gateway_journal_request(f->journal, "ra", &got), CS_OK);
	assert_string_equal(got.trace.parent, "");
	assert_int_equal(gateway_journal_request(f->journal, "rb", &got), CS_OK);
	assert_string_equal(got.trace.parent, b.trace.parent);
	assert_string_equal(got.trace.state, "vendor=1,other@vendor=2");
	/* One that an import may have brought goes into no header and no log. */
	snprintf(b.id, sizeof(b.id), "rc");
	snprintf(b.trace.state, sizeof(b.trace.state), "a=1\r\nX-More: 1");
	assert_int_equal(write_(f, request_body, &b), CS_OK);
	assert_int_equal(gateway_journal_request(f->journal, "rc", &got), CS_OK);
	assert_string_equal(got.trace.parent, b.trace.parent);
	assert_string_equal(got.trace.state, "");
	snprintf(b.id, sizeof(b.id), "rd");
	snprintf(b.trace.parent, sizeof(b.trace.parent), "00-x\r\nX-More: 1");
	assert_int_equal(write_(f, request_body, &b), CS_OK);
	assert_int_equal(gateway_journal_request(f->journal, "rd", &got), CS_OK);
	assert_string_equal(got.trace.parent, "");
	snprintf(b.id, sizeof(b.id), "rb");
	gateway_journal_trace(f->journal, 77, &trace);
	assert_string_equal(trace.parent, "");
	assert_string_equal(trace.state, "");
	assert_int_equal(gateway_journal_match_request(f->journal, &a.chain, &tx, &a.payload, &got),
			 CS_OK);
	assert_string_equal(got.id, "ra");
	struct link link = {got.n, 17};
	assert_int_equal(write_(f, link_body, &link), CS_OK);
	assert_int_equal(gateway_journal_match_request(f->journal, &a.chain, &tx, &a.payload, &got),
			 CS_OK);
	assert_string_equal(got.id, "rb");
	assert_int_equal(gateway_journal_request(f->journal, "ra", &got), CS_OK);
	assert_int_equal(got.message, 17);
	assert_int_equal(gateway_journal_request(f->journal, "rz", &got), CS_ERR_NOT_FOUND);
}

/* ---- what was signed ---- */

struct outcome {
	struct gateway_message message;
	uint64_t final_block;
};

static enum cs_err outcome_body(struct fixture *f, void *context)
{
	struct outcome *o = context;
	struct gateway_step step = {.message = o->message.n,
				    .step = RELAY_STEP_OUTCOME_FINAL,
				    .block = o->final_block,
				    .time_ms = 1};
	CS_TRY(gateway_journal_step(f->journal, &step));
	return gateway_journal_save(f->journal, &o->message);
}

static void add_outcome(struct fixture *f, uint8_t n, enum wire_status status,
			uint64_t status_height, uint64_t final_block, uint64_t statement)
{
	struct outcome o = {sample(n, RELAY_DESTINATION), final_block};
	assert_int_equal(add(f, &o.message), CS_OK);
	o.message.status = status;
	o.message.status_height = status_height;
	o.message.outcome_statement = statement;
	assert_int_equal(write_(f, outcome_body, &o), CS_OK);
}

/* From block 105 of chain c0…01 on, in the order of ids, nothing else. */
static void what_was_signed_from_a_height_on(void **state)
{
	struct fixture *f = *state;
	const struct cs_hash chain = a_hash(0xc0, 1);
	struct cs_hash ids[8];
	size_t count = 99;
	for (uint8_t n = 9; n >= 4; n--) { /* heights 109 to 104 */
		struct gateway_message m = sample(n, RELAY_SOURCE);
		m.statement = n == 7 ? 0 : n; /* 7 is not signed */
		if (n == 8)
			m.chain = a_hash(0xc0, 2);
		assert_int_equal(add(f, &m), CS_OK);
	}
	assert_int_equal(gateway_journal_signed(f->journal, &chain, false, 105, ids, 8, &count),
			 CS_OK);
	assert_int_equal(count, 3);
	assert_int_equal(ids[0].b[31], 5);
	assert_int_equal(ids[1].b[31], 6);
	assert_int_equal(ids[2].b[31], 9);
	assert_int_equal(gateway_journal_signed(f->journal, &chain, false, 105, ids, 2, &count),
			 CS_OK);
	assert_int_equal(count, 2);
	add_outcome(f, 21, WIRE_STATUS_DELIVERED, 105, 107, 3);
	add_outcome(f, 22, WIRE_STATUS_DELIVERED, 104, 107, 3); /* below it, and for ever */
	add_outcome(f, 23, WIRE_STATUS_NONE, 0, 105, 3);        /* proven by absence */
	add_outcome(f, 24, WIRE_STATUS_NONE, 0, 104, 3);
	add_outcome(f, 25, WIRE_STATUS_FAILED, 104, 106, 3); /* might have been retried */
	add_outcome(f, 26, WIRE_STATUS_DELIVERED, 106, 107, 0);
	assert_int_equal(gateway_journal_signed(f->journal, &chain, true, 105, ids, 8, &count),
			 CS_OK);
	assert_int_equal(count, 3);
	assert_int_equal(ids[0].b[31], 21);
	assert_int_equal(ids[1].b[31], 23);
	assert_int_equal(ids[2].b[31], 25);
}

static uint64_t cost_of(struct fixture *f, const struct gateway_submission *sub)
{
	uint64_t cost = 7;
	assert_int_equal(gateway_journal_call_cost(f->journal, &sub->chain, &sub->account, &cost),
			 CS_OK);
	return cost;
}

static void a_call_costs_what_the_dearest_did(void **state)
{
	struct fixture *f = *state;
	struct gateway_submission sub = {.chain = a_hash(0xc0, 1), .kind = GATEWAY_DELIVER};
	assert_int_equal(cost_of(f, &sub), 0);
	for (uint64_t i = 1; i <= 3; i++) {
		assert_int_equal(write_(f, submission_body, &sub), CS_OK);
		sub.gas_used = 1000 * i;
		sub.gas_price_wei = 10 - 3 * i;
		assert_int_equal(write_(f, settle_body, &sub), CS_OK);
	}
	assert_int_equal(cost_of(f, &sub), 8000);
	sub.gas_used = sub.gas_price_wei = (uint64_t)1 << 40;
	assert_int_equal(write_(f, settle_body, &sub), CS_OK);
	assert_true(cost_of(f, &sub) == UINT64_MAX);
	sub.account.b[0] = 2;
	assert_int_equal(cost_of(f, &sub), 0);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(messages_come_back_after_a_restart),
		T(what_a_reorganisation_touches_comes_in_pages),
		T(one_message_has_one_row_a_side),
		T(only_legal_moves_are_written),
		T(work_is_picked_by_time_height_and_route),
		T(statements_are_kept_once),
		T(submissions_stay_open_until_they_are_settled),
		T(what_applications_signed_is_followed_apart),
		T(a_list_looks_at_so_many_rows_at_once),
		T(the_outbox_keeps_its_order_and_its_numbers),
		T(events_have_one_ascending_cursor),
		T(an_idempotency_key_belongs_to_one_body),
		T(a_request_is_matched_once_by_its_payload),
		T(what_was_signed_from_a_height_on),
		T(a_call_costs_what_the_dearest_did),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
