/* Evidence in the journal: once for a branch, up to a number of branches; due until nothing is left to do; what nodes said, of
 * which only news are written, and one that took it has it for ever. */
#include "gateway/journal_evidence.h"
#include "tests/unit/gateway/journal_fixture.h"

#define NOW 1000u

struct noting {
	struct cs_hash chain;
	struct adapter_evidence evidence;
	bool added;
	enum cs_err err;
};

static enum cs_err note_body(struct fixture *f, void *context)
{
	struct noting *a = context;
	a->err = gateway_journal_evidence_add(f->journal, &a->chain, &a->evidence, NOW, &a->added);
	return CS_OK;
}

static struct noting note(struct fixture *f, uint8_t chain, uint8_t other)
{
	struct noting a = {.chain = a_hash(0xc0, chain),
			   .evidence = {.other = {40u + other, a_hash(0xd0, other)},
					.ours = a_hash(0xe0, other),
					.against_other = cs_bytes_str("against other"),
					.against_ours = cs_bytes_str("against ours")}};
	assert_int_equal(write_(f, note_body, &a), CS_OK);
	return a;
}

static uint64_t due(struct fixture *f, uint8_t chain, uint64_t now_ms)
{
	struct cs_hash hash = a_hash(0xc0, chain);
	uint64_t n = 0;
	assert_int_equal(gateway_journal_evidence_due(f->journal, &hash, now_ms, &n), CS_OK);
	return n;
}

static struct gateway_evidence row(struct fixture *f, uint8_t chain, size_t index, size_t count)
{
	struct gateway_evidence rows[GATEWAY_EVIDENCE_MAX];
	struct cs_hash hash = a_hash(0xc0, chain);
	size_t found = 0;
	assert_int_equal(gateway_journal_evidence(f->journal, &hash, &f->arena, rows, &found),
			 CS_OK);
	assert_int_equal(found, count);
	return index < count ? rows[index] : (struct gateway_evidence){0};
}

struct tried {
	uint64_t n;
	uint32_t tries;
	uint64_t next_ms;
};

static enum cs_err tried_body(struct fixture *f, void *context)
{
	const struct tried *t = context;
	return gateway_journal_evidence_tried(f->journal, t->n, t->tries, t->next_ms);
}

struct told {
	uint64_t n;
	struct gateway_evidence_node node;
	bool news;
};

static enum cs_err told_body(struct fixture *f, void *context)
{
	struct told *t = context;
	return gateway_journal_evidence_told(f->journal, t->n, &t->node, &t->news);
}

static bool tell(struct fixture *f, uint64_t n, const char *url, bool taken, const char *why,
		 uint64_t time_ms)
{
	struct told t = {
		n, {url, taken, taken ? a_hash(0xd0, 1) : a_hash(0, 0), why, time_ms}, false};
	assert_int_equal(write_(f, told_body, &t), CS_OK);
	return t.news;
}

struct nodes {
	size_t count;
	size_t taken;
	char text[200]; /* url, why, time of each */
};

static void take_node(void *context, const struct gateway_evidence_node *node)
{
	struct nodes *nodes = context;
	size_t used = strlen(nodes->text);
	nodes->count++;
	nodes->taken += node->taken;
	assert_true(cs_hash_is_zero(&node->against) == !node->taken);
	snprintf(nodes->text + used, sizeof(nodes->text) - used, "%s %s %llu|", node->url,
		 node->why, (unsigned long long)node->time_ms);
}

static struct nodes nodes_of(struct fixture *f, uint64_t n)
{
	struct nodes nodes = {.count = 0};
	assert_int_equal(gateway_journal_evidence_nodes(f->journal, n, take_node, &nodes), CS_OK);
	return nodes;
}

static void once_for_a_branch(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(due(f, 1, NOW), 0);
	assert_true(note(f, 1, 1).added);
	struct noting again = note(f, 1, 1);
	assert_true(again.err == CS_OK && !again.added);
	assert_true(note(f, 2, 1).added); /* another chain's */
	reopen(f);
	struct gateway_evidence kept = row(f, 1, 0, 1);
	struct cs_hash other = a_hash(0xd0, 1);
	struct cs_hash ours = a_hash(0xe0, 1);
	assert_int_equal(kept.height, 41);
	assert_true(cs_hash_eq(&kept.other, &other) && cs_hash_eq(&kept.ours, &ours));
	assert_true(cs_bytes_eq(kept.against_other, cs_bytes_str("against other")));
	assert_true(cs_bytes_eq(kept.against_ours, cs_bytes_str("against ours")));
	assert_true(kept.found_ms == NOW && kept.tries == 0 && kept.next_ms == NOW);
}

static void so_many_branches_and_no_more(void **state)
{
	struct fixture *f = *state;
	for (uint8_t i = 1; i <= GATEWAY_EVIDENCE_MAX; i++)
		assert_true(note(f, 1, i).added);
	assert_int_equal(note(f, 1, 99).err, CS_ERR_FULL);
	assert_int_equal(note(f, 1, 1).err, CS_OK); /* it is there */
	assert_int_equal(row(f, 1, 0, GATEWAY_EVIDENCE_MAX).height, 41);
	assert_int_equal(note(f, 2, 1).err, CS_OK);
}

static void due_until_nothing_is_left_to_do(void **state)
{
	struct fixture *f = *state;
	(void)note(f, 1, 1);
	(void)note(f, 1, 2);
	uint64_t first = due(f, 1, NOW);
	assert_true(first != 0 && due(f, 1, NOW - 1) == 0 && due(f, 2, NOW) == 0);
	struct tried t = {first, 1, NOW + 50};
	assert_int_equal(write_(f, tried_body, &t), CS_OK);
	uint64_t second = due(f, 1, NOW);
	assert_true(second != 0 && second != first && due(f, 1, NOW + 50) == first);
	t = (struct tried){first, 2, 0};
	assert_int_equal(write_(f, tried_body, &t), CS_OK);
	t = (struct tried){second, 1, 0};
	assert_int_equal(write_(f, tried_body, &t), CS_OK);
	reopen(f);
	assert_int_equal(due(f, 1, UINT32_MAX), 0);
	assert_int_equal(row(f, 1, 0, 2).tries, 2);
}

static void only_news_of_nodes_are_written(void **state)
{
	struct fixture *f = *state;
	(void)note(f, 1, 1);
	uint64_t n = due(f, 1, NOW);
	assert_true(tell(f, n, "http://b", false, "away", 1));
	assert_false(tell(f, n, "http://b", false, "away", 2));
	assert_true(tell(f, n, "http://b", false, "refused", 3));
	assert_true(tell(f, n, "http://a", true, "", 4));
	assert_false(tell(f, n, "http://a", true, "", 5));
	assert_string_equal(nodes_of(f, n).text, "http://a  4|http://b refused 3|");
	assert_true(tell(f, n, "http://b", true, "", 6));
	/* It has it, whatever it says later. */
	assert_false(tell(f, n, "http://b", false, "never heard of it", 7));
	struct nodes nodes = nodes_of(f, n);
	assert_string_equal(nodes.text, "http://a  4|http://b  6|");
	assert_true(nodes.count == 2 && nodes.taken == 2);
	assert_int_equal(nodes_of(f, n + 1).count, 0);
}

static enum cs_err of_none_body(struct fixture *f, void *context)
{
	(void)context;
	bool news;
	const struct gateway_evidence_node node = {"http://a", false, a_hash(0, 0), "", 1};
	return gateway_journal_evidence_told(f->journal, 77, &node, &news);
}

static void of_evidence_that_is_not_there(void **state)
{
	struct fixture *f = *state;
	assert_int_not_equal(write_(f, of_none_body, NULL), CS_OK);
	assert_int_equal(nodes_of(f, 77).count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(once_for_a_branch, setup, teardown),
		cmocka_unit_test_setup_teardown(so_many_branches_and_no_more, setup, teardown),
		cmocka_unit_test_setup_teardown(due_until_nothing_is_left_to_do, setup, teardown),
		cmocka_unit_test_setup_teardown(only_news_of_nodes_are_written, setup, teardown),
		cmocka_unit_test_setup_teardown(of_evidence_that_is_not_there, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
