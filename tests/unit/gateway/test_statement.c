/* Rows of statements: their leaves make the root that was signed, and a part with its path folds to
 * it. */
#include "gateway/gateway.h"
#include "tests/unit/support.h"

static struct gateway_statement statement_of(uint32_t count, enum wire_kind kind)
{
	struct gateway_statement st = {.count = count};
	struct cs_hash leaves[CS_BATCH_MAX];
	st.statement.kind = kind;
	for (uint32_t i = 0; i < count; i++) {
		st.ids[i].b[0] = (uint8_t)i;
		st.ids[i].b[31] = 0x5a;
		st.statuses[i] = i % 2 ? WIRE_STATUS_DEAD : WIRE_STATUS_DELIVERED;
	}
	gateway_leaves(leaves, &st);
	st.statement.root = wire_root(leaves, count);
	return st;
}

static void check_part(const struct gateway_statement *st, const struct adapter_part *part)
{
	struct cs_hash leaves[CS_BATCH_MAX];
	struct wire_signed signed_;
	gateway_leaves(leaves, st);
	gateway_part_signed(&signed_, st, part->first, part->count);
	struct cs_hash root = wire_root(leaves + part->first, part->count);
	struct cs_hash folded = wire_fold(&root, signed_.path, signed_.path_count);
	assert_true(cs_hash_eq(&folded, &st->statement.root));
}

static void every_leaf_and_the_whole_fold_to_the_root(void **unused)
{
	(void)unused;
	for (uint32_t count = 1; count <= CS_BATCH_MAX; count++) {
		struct gateway_statement st =
			statement_of(count, count % 2 ? WIRE_KIND_MESSAGE : WIRE_KIND_OUTCOME);
		assert_int_equal(gateway_statement_check(&st), CS_OK);
		for (uint32_t i = 0; i < count; i++)
			check_part(&st, &(struct adapter_part){i, 1});
		check_part(&st, &(struct adapter_part){0, count});
	}
}

static void a_wrong_root_is_refused(void **unused)
{
	(void)unused;
	struct gateway_statement st = statement_of(5, WIRE_KIND_MESSAGE);
	st.statement.root.b[3] ^= 1;
	assert_int_equal(gateway_statement_check(&st), CS_ERR_INVALID);
	st = statement_of(5, WIRE_KIND_OUTCOME);
	st.statuses[2] = WIRE_STATUS_DEAD;
	assert_int_equal(gateway_statement_check(&st), CS_ERR_INVALID);
	st.count = 0;
	assert_int_equal(gateway_statement_check(&st), CS_ERR_INVALID);
}

static void a_rotation_names_the_key_of_the_epoch_after(void **unused)
{
	(void)unused;
	struct gateway_statement st = {.statement = {.kind = WIRE_KIND_ROTATION, .epoch = 4},
				       .count = 1};
	memset(st.ids[0].b, 0x5a, sizeof(st.ids[0].b));
	st.statement.root = wire_leaf_rotation(5, &st.ids[0]);
	assert_int_equal(gateway_statement_check(&st), CS_OK);
	st.statement.epoch = 5;
	assert_int_equal(gateway_statement_check(&st), CS_ERR_INVALID);
	st.statement.epoch = 4;
	st.ids[0].b[31] ^= 1;
	assert_int_equal(gateway_statement_check(&st), CS_ERR_INVALID);
}

static void gas_grows_with_what_is_carried(void **unused)
{
	(void)unused;
	assert_true(gateway_gas(GATEWAY_DELIVER, 200000, 0) > 200000);
	assert_true(gateway_gas(GATEWAY_DELIVER, 200000, 16384) >
		    gateway_gas(GATEWAY_DELIVER, 200000, 0) + 16384u * 16);
	/* A limit that cannot be: more than any block, without wrapping. */
	assert_true(gateway_gas(GATEWAY_DELIVER, UINT64_MAX, 0) > 1000000000u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_leaf_and_the_whole_fold_to_the_root),
		cmocka_unit_test(a_wrong_root_is_refused),
		cmocka_unit_test(a_rotation_names_the_key_of_the_epoch_after),
		cmocka_unit_test(gas_grows_with_what_is_carried),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
