/* Which manifests a running gateway may go over to: the vectors' lineage, and what it may not change. */
#include "gateway/succession.h"
#include "tests/unit/support.h"

#include <stdlib.h>

#define FIRST CS_VECTORS "/manifest/first.json"
#define SECOND CS_VECTORS "/manifest/second.json"
#define OTHER CS_VECTORS "/manifest/quorum.json"

struct fixture {
	struct gateway_config now;
	struct gateway_config fresh;
	struct cs_why why;
};

static void name(struct gateway_config *config, size_t count, const char *const *files)
{
	struct cs_why why = {{0}};
	config->service.manifest_count = count;
	for (size_t i = 0; i < count; i++)
		config->service.manifests[i] = files[i];
	assert_int_equal(host_manifest_load(&config->manifest, files[count - 1], &why), CS_OK);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	static const char *const first[] = {FIRST};
	static const char *const both[] = {FIRST, SECOND};
	name(&f->now, 1, first);
	name(&f->fresh, 2, both);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static enum cs_err lineage(struct fixture *f)
{
	f->why = (struct cs_why){{0}};
	return gateway_lineage_check(&f->now, &f->fresh, &f->why);
}

static void test_the_next_one(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(lineage(f), CS_OK);
	/* Where it is in force already it follows itself. */
	f->now = f->fresh;
	assert_int_equal(lineage(f), CS_OK);
}

static void refuses(struct fixture *f, const char *what)
{
	assert_int_equal(lineage(f), CS_ERR_WRONG_MANIFEST);
	if (!strstr(f->why.text, what))
		fail_msg("%s", f->why.text);
}

static void test_older_ones_and_strangers(void **state)
{
	struct fixture *f = *state;
	static const char *const alone[] = {SECOND};
	static const char *const twice[] = {FIRST, FIRST};
	static const char *const other[] = {OTHER};
	struct gateway_config both = f->fresh;
	struct gateway_config first = f->now;
	/* An older one. */
	f->now = both;
	f->fresh = first;
	refuses(f, "the newest has the number 1, in force is 2");
	/* A lineage that is not named whole. */
	f->now = first;
	name(&f->fresh, 1, alone);
	refuses(f, "1 files for the number 2");
	name(&f->fresh, 2, twice);
	refuses(f, "2 files for the number 1");
	/* Of another bridge, with the same number. */
	name(&f->fresh, 1, other);
	refuses(f, "is not the manifest in force");
	/* The number is right, the one before is not. */
	f->fresh = both;
	f->now.manifest.hash.b[0] ^= 1;
	refuses(f, "is not the manifest in force");
}

static void test_what_follows_names_what_it_follows(void **state)
{
	struct fixture *f = *state;
	struct host_manifest next = f->fresh.manifest;
	assert_int_equal(host_manifest_follows(&next, &f->now.manifest, &f->why), CS_OK);
	next.previous.b[31] ^= 1;
	assert_int_equal(host_manifest_follows(&next, &f->now.manifest, &f->why),
			 CS_ERR_WRONG_MANIFEST);
	next = f->fresh.manifest;
	next.number++;
	assert_int_equal(host_manifest_follows(&next, &f->now.manifest, &f->why),
			 CS_ERR_WRONG_MANIFEST);
	/* A file that is gone. */
	f->fresh.service.manifests[0] = CS_VECTORS "/manifest/none.json";
	assert_int_not_equal(lineage(f), CS_OK);
	assert_non_null(strstr(f->why.text, "none.json"));
}

static enum cs_err goes_on(struct fixture *f, const struct host_manifest *next)
{
	f->why = (struct cs_why){{0}};
	return gateway_chain_goes_on(&f->now.manifest, next, &f->now.manifest.chains[0], &f->why);
}

static void test_what_a_served_chain_keeps(void **state)
{
	struct fixture *f = *state;
	const struct host_manifest *now = &f->now.manifest;
	struct host_manifest next = *now;
	assert_true(now->chain_count > 1 && now->chains[0].remote_count > 0);
	assert_int_equal(goes_on(f, &next), CS_OK);
	/* Another order, caps and lists of builds are nothing to us. */
	next.chains[0] = now->chains[1];
	next.chains[1] = now->chains[0];
	next.chains[1].gas_limit_max++;
	next.chains[1].reorg_margin_s++;
	assert_int_equal(goes_on(f, &next), CS_OK);
	/* One more remote. */
	next = *now;
	next.chains[0].remotes[next.chains[0].remote_count++] = next.chains[0].identity;
	assert_int_equal(goes_on(f, &next), CS_OK);
}

static void test_what_takes_a_start(void **state)
{
	struct fixture *f = *state;
	const struct host_manifest *now = &f->now.manifest;
	struct host_manifest next = *now;
	struct host_manifest_chain *chain = &next.chains[0];
#define REFUSED(change, what)                                            \
	do {                                                             \
		next = *now;                                             \
		change;                                                  \
		assert_int_equal(goes_on(f, &next), CS_ERR_UNSUPPORTED); \
		assert_non_null(strstr(f->why.text, what));              \
	} while (0)
	REFUSED(chain->identity.b[0] ^= 1, "genesis or gateway");
	REFUSED(chain->mode[0] ^= 1, "finality");
	REFUSED(chain->anchor_height++, "finality");
	REFUSED(chain->anchor_hash.b[3] ^= 1, "finality");
	REFUSED(chain->confirmations++, "finality");
	REFUSED(chain->abandoned_height = 5, "conflict");
	REFUSED(chain->remote_count--, "is gone");
	REFUSED(next.chain_count = 1, "is gone");
#undef REFUSED
	next = *now;
	assert_int_equal(gateway_time_goes_on(now, &next, &f->why), CS_OK);
	next.insecure_host_time = !next.insecure_host_time;
	assert_int_equal(gateway_time_goes_on(now, &next, &f->why), CS_ERR_UNSUPPORTED);
	next = *now;
	next.ledger.quorum++;
	assert_int_equal(gateway_time_goes_on(now, &next, &f->why), CS_ERR_UNSUPPORTED);
	next = *now;
	next.ledger.is_there = !next.ledger.is_there;
	assert_int_equal(gateway_time_goes_on(now, &next, &f->why), CS_ERR_UNSUPPORTED);
}

/* A plan is the manifest and the chains, in their order; nothing else of a file. */
static void test_plans(void **state)
{
	struct fixture *f = *state;
	struct gateway_config *a = &f->now;
	a->chain_count = 1;
	a->chains[0].common.manifest = &a->manifest.chains[0];
	struct cs_hash one = gateway_plan_of(a);
	a->name = "another";
	struct cs_hash same = gateway_plan_of(a);
	assert_true(cs_hash_eq(&one, &same));
	a->chain_count = 2;
	a->chains[1].common.manifest = &a->manifest.chains[1];
	struct cs_hash two = gateway_plan_of(a);
	assert_false(cs_hash_eq(&one, &two));
	a->chain_count = 1;
	a->manifest.hash.b[0] ^= 1;
	struct cs_hash other = gateway_plan_of(a);
	assert_false(cs_hash_eq(&one, &other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_next_one, setup, teardown),
		cmocka_unit_test_setup_teardown(test_older_ones_and_strangers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_follows_names_what_it_follows, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_what_a_served_chain_keeps, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_takes_a_start, setup, teardown),
		cmocka_unit_test_setup_teardown(test_plans, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
