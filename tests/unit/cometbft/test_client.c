#include "tests/unit/cometbft/scene.h"

#include <dirent.h>

/* ---- tendermint-rs' model-based cases ---- */

static struct verify_time now_of(const json_t *text)
{
	return scene_until((uint64_t)time_of(text).s);
}

static json_t *read_case(const char *name)
{
	char path[300];
	(void)snprintf(path, sizeof path, "light/single_step/%s", name);
	return read_vector(path);
}

static void for_each_case(void (*visit)(void *context, const char *name), void *context)
{
	DIR *folder = opendir(COMETBFT "light/single_step");
	const struct dirent *entry;
	assert_non_null(folder);
	while ((entry = readdir(folder)) != NULL)
		if (entry->d_name[0] != '.')
			visit(context, entry->d_name);
	closedir(folder);
}

static void add_all(json_t *known, const json_t *list)
{
	json_t *validator;
	size_t i;
	json_array_foreach(list, i, validator)
		json_object_set(known, text_of(validator, "address"), validator);
}

static void gather(void *known, const char *name)
{
	const json_t *json = read_case(name), *input;
	size_t i;
	add_all(known, at_path(json, "initial.next_validator_set.validators"));
	json_array_foreach(at_path(json, "input"), i, input)
	{
		add_all(known, at_path(input, "block.validator_set.validators"));
		add_all(known, at_path(input, "block.next_validator_set.validators"));
	}
}

/* The initial header's own validators are not in its file as a list: all of them signed it, and each
 * stands somewhere in the files, which share their keys. */
static json_t *initial_validators(const json_t *json)
{
	static json_t *known;
	json_t *list = json_array(), *signature;
	size_t i;
	if (known == NULL) {
		known = json_object();
		for_each_case(gather, known);
	}
	json_array_foreach(at_path(json, "initial.signed_header.commit.signatures"), i, signature)
		json_array_append(list,
				  json_object_get(known, text_of(signature, "validator_address")));
	return list;
}

static void begin_case(struct scene *s, const json_t *json, struct cmt_header *header)
{
	const json_t *initial = at_path(json, "initial");
	json_t *validators = initial_validators(json);
	struct cmt_light_block anchor =
		light_block_of(at_path(initial, "signed_header"), validators);
	json_decref(validators);
	assert_ok(cmt_light_block_check(&anchor, NULL));
	struct cmt_client_config config = scene_config(&anchor);
	config.trusting_period_s = (uint64_t)i64_at(initial, "trusting_period") / 1000000000;
	config.anchor_age_max_s = UINT64_MAX;
	config.drift_max_s = 1;
	scene_open(s, &config);
	s->now = scene_until((uint64_t)anchor.header.time.s + 1);
	assert_ok(scene_create(s, &anchor));
	*header = anchor.header;
}

static const char *verdict_of(enum cs_err err)
{
	if (err == CS_OK)
		return "SUCCESS";
	return err == CS_ERR_NOT_ENOUGH_TRUST ? "NOT_ENOUGH_TRUST" : "INVALID";
}

struct counts {
	size_t files;
	size_t steps;
};

static void run_case(void *context, const char *name)
{
	struct counts *counts = context;
	const json_t *json = read_case(name), *input;
	struct cmt_header newest;
	struct scene s;
	size_t i;
	begin_case(&s, json, &newest);
	json_array_foreach(at_path(json, "input"), i, input)
	{
		const json_t *block = at_path(input, "block");
		const char *verdict = text_of(input, "verdict");
		struct cmt_light_block untrusted =
			light_block_of(at_path(block, "signed_header"),
				       at_path(block, "validator_set.validators"));
		/* Here the case would ask the next height's validators, a client asks its own. */
		if (untrusted.header.height != newest.height + 1 &&
		    !cmt_hash_eq(&newest.validators_hash, &newest.next_validators_hash)) {
			if (strcmp(verdict, "SUCCESS") == 0)
				break;
			continue;
		}
		/* Without validators it has no encoding. */
		if (untrusted.validators.count == 0) {
			assert_string_equal(verdict, "INVALID");
			continue;
		}
		s.now = now_of(at_path(input, "now"));
		enum cs_err err = scene_update(&s, &untrusted);
		if (strcmp(verdict_of(err), verdict) != 0)
			fail_msg("%s, input %zu: %s, not %s", name, i, cs_err_name(err), verdict);
		counts->steps++;
		if (err == CS_OK)
			newest = untrusted.header;
	}
	counts->files++;
}

static void test_model_based(void **state)
{
	(void)state;
	struct counts counts = {0};
	for_each_case(run_case, &counts);
	assert_int_equal(counts.files, 12);
	assert_int_equal(counts.steps, 15);
}

/* ---- skipping, with the verdicts of CometBFT's own client ---- */

static const char *block_named(const char *name)
{
	const json_t *one, *hex;
	size_t i;
	json_array_foreach(generated("light"), i, one)
	{
		hex = json_object_get(json_object_get(one, "blocks"), name);
		if (hex != NULL)
			return json_string_value(hex);
	}
	fail_msg("no block %s", name);
	abort();
}

struct provider {
	struct cmt_light_block blocks[24];
	struct cs_bytes raw[24];
	size_t count;
};

static void read_provider(struct provider *p, const json_t *names)
{
	const json_t *name;
	size_t i;
	p->count = json_array_size(names);
	assert_in_range(p->count, 1, CS_LEN(p->blocks));
	json_array_foreach(names, i, name)
	{
		p->raw[i] = unhex(block_named(json_string_value(name)));
		assert_ok(cmt_light_block_decode(&p->blocks[i], p->raw[i], test_arena(), NULL));
	}
}

static size_t place_of(const struct provider *p, int64_t height)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->blocks[i].header.height == height)
			return i;
	fail_msg("no block of height %lld", (long long)height);
	abort();
}

/* What a host does: asks for the target, then for heights in between. */
static enum cs_err skip_to(struct scene *s, int64_t target, const struct provider *from)
{
	int64_t ask = target;
	size_t accepted;
	while ((int64_t)scene_status(s).final_height < target) {
		enum cs_err err = verify_client_update(&s->client, &from->raw[place_of(from, ask)],
						       1, &s->now, &accepted, NULL);
		if (err == CS_OK) {
			ask = target;
			continue;
		}
		ask = cmt_light_pivot((int64_t)scene_status(s).final_height, ask);
		if (err != CS_ERR_NOT_ENOUGH_TRUST || ask == 0)
			return err;
	}
	return CS_OK;
}

/* All that a witness has, from the lowest on; what does not follow is its own affair. */
static enum cs_err hear(struct scene *s, const struct provider *witness)
{
	size_t accepted;
	for (size_t i = 0; i < witness->count; i++) {
		enum cs_err err = verify_client_update(&s->client, &witness->raw[i], 1, &s->now,
						       &accepted, NULL);
		if (err == CS_ERR_FROZEN)
			return err;
	}
	return CS_OK;
}

static const char *run_skipping(const json_t *json)
{
	struct scene s;
	struct provider primary, witness;
	const json_t *names;
	size_t i;
	read_provider(&primary, json_object_get(json, "primary"));
	struct cmt_client_config config = scene_config(&primary.blocks[0]);
	config.trusting_period_s = (uint64_t)i64_at(json, "period_s");
	config.anchor_age_max_s = UINT64_MAX;
	scene_open(&s, &config);
	s.now = scene_until((uint64_t)i64_at(json, "now"));
	if (scene_create(&s, &primary.blocks[0]) != CS_OK ||
	    skip_to(&s, i64_at(json, "target"), &primary) != CS_OK)
		return "error";
	json_array_foreach(json_object_get(json, "witnesses"), i, names)
	{
		read_provider(&witness, names);
		if (hear(&s, &witness) == CS_ERR_FROZEN)
			return "attack";
	}
	return "ok";
}

static void test_skipping(void **state)
{
	(void)state;
	json_t *one;
	size_t i;
	json_array_foreach(generated("light"), i, one)
	{
		const char *verdict = run_skipping(one);
		if (strcmp(verdict, text_of(one, "verdict")) != 0)
			fail_msg("%s: %s", text_of(one, "name"), verdict);
	}
	assert_int_equal(i, 9);
}

/* ---- recorded chains ---- */

static struct cmt_light_block recorded(const char *name)
{
	json_t *json = read_vector(name);
	return light_block_of(at_path(json, "commit.signed_header"),
			      at_path(json, "validators.validators"));
}

static void test_recorded(void **state)
{
	(void)state;
	static const int64_t heights[] = {1155, 1158, 1159, 1160, 1161};
	struct cmt_light_block from = recorded("testnet-0.38.19/light_block_1154.json"), last;
	struct verify_block block;
	struct scene s;
	char name[64];
	scene_open_at(&s, &from, (uint64_t)from.header.time.s + 60);
	assert_ok(scene_create(&s, &from));
	for (size_t i = 0; i < CS_LEN(heights); i++) {
		(void)snprintf(name, sizeof name, "testnet-0.38.19/light_block_%lld.json",
			       (long long)heights[i]);
		last = recorded(name);
		assert_ok(scene_update(&s, &last));
		assert_ok(scene_ask(&s, (uint64_t)heights[i], &block));
		assert_hash(block.hash, cmt_header_hash(&last.header));
		assert_int_equal(block.time_s, last.header.time.s);
		assert_int_equal(block.final_height, heights[i]);
		/* An application hash of eight bytes is no root. */
		assert_true(cs_hash_is_zero(&block.state_root));
	}
	/* From before the change to after it nobody known signed enough. */
	scene_open_at(&s, &from, (uint64_t)from.header.time.s + 60);
	assert_ok(scene_create(&s, &from));
	assert_err(scene_update(&s, &last), CS_ERR_NOT_ENOUGH_TRUST);
}

static void test_recorded_sdk(void **state)
{
	(void)state;
	struct cmt_light_block a = recorded("simapp/light_block_56.json");
	struct cmt_light_block b = recorded("simapp/light_block_57.json");
	struct verify_block block;
	struct scene s;
	scene_open_at(&s, &a, (uint64_t)b.header.time.s + 1);
	assert_ok(scene_create(&s, &a));
	assert_ok(scene_update(&s, &b));
	assert_ok(scene_ask(&s, 57, &block));
	assert_bytes(CS_BYTES_OF(block.state_root.b), cmt_header_app_hash(&b.header));
	assert_ok(scene_ask(&s, 56, &block));
	assert_hash(block.hash, cmt_header_hash(&a.header));
	/* Of another chain: neither the anchor nor an update. */
	struct cmt_validator_set set = made_set(1, 4, 10);
	struct cmt_light_block other = made_block(58, &set, &set);
	other.header.time = b.header.time;
	other.header.time.s++;
	made_seal(&other);
	assert_err(scene_update(&s, &other), CS_ERR_WRONG_CHAIN);
	other = made_block(57, &set, &set);
	assert_err(scene_update(&s, &other), CS_ERR_WRONG_CHAIN);
}

/* ---- beginning ---- */

static void test_configuration(void **state)
{
	(void)state;
	struct cmt_light_block anchor = scene_block(10);
	const struct cmt_client_config good = scene_config(&anchor);
	struct cmt_client_config config;
	struct verify_client client;
	void *memory = keep(cmt_client_size());
	assert_ok(cmt_client_open(&client, memory, &good, NULL));
	assert_string_equal(client.ops->name, "cometbft");
#define REFUSED(change, err)                                                      \
	do {                                                                      \
		config = good;                                                    \
		config.change;                                                    \
		assert_err(cmt_client_open(&client, memory, &config, NULL), err); \
	} while (0)
	REFUSED(chain_id.n = 0, CS_ERR_INVALID);
	REFUSED(anchor_height = 0, CS_ERR_INVALID);
	REFUSED(anchor_height = (uint64_t)INT64_MAX + 1, CS_ERR_INVALID);
	REFUSED(anchor_age_max_s = 0, CS_ERR_INVALID);
	REFUSED(trusting_period_s = 0, CS_ERR_INVALID);
	REFUSED(trust_level.numerator = 1, CS_ERR_INVALID);
	REFUSED(window = 1, CS_ERR_INVALID);
	REFUSED(window = CMT_CLIENT_WINDOW_MAX + 1, CS_ERR_TOO_LARGE);
	config = good;
	config.trust_level = (struct cmt_fraction){1, 4};
	assert_err(cmt_client_open(&client, memory, &config, NULL), CS_ERR_INVALID);
	config.trust_level = (struct cmt_fraction){5, 4};
	assert_err(cmt_client_open(&client, memory, &config, NULL), CS_ERR_INVALID);
	config.trust_level = (struct cmt_fraction){2, 3};
	assert_ok(cmt_client_open(&client, memory, &config, NULL));
}

static void test_before_it_begins(void **state)
{
	(void)state;
	struct cmt_light_block anchor = scene_block(10), next = scene_block(11);
	struct verify_conflict conflict;
	struct verify_block block;
	struct scene s;
	scene_open_at(&s, &anchor, (uint64_t)MADE_TIME_S + 100);
	assert_false(scene_status(&s).created);
	assert_err(scene_update(&s, &next), CS_ERR_NOT_FOUND);
	assert_err(scene_ask(&s, 10, &block), CS_ERR_NOT_FOUND);
	assert_err(verify_client_conflict(&s.client, &conflict), CS_ERR_NOT_FOUND);
	assert_err(scene_create(&s, &next), CS_ERR_ANCHOR_MISMATCH);
	/* The same height, another header. */
	next = scene_block(10);
	next.header.time.ns++;
	made_seal(&next);
	assert_err(scene_create(&s, &next), CS_ERR_ANCHOR_MISMATCH);
	/* The anchor, with a commit that nobody signed. */
	struct cmt_light_block unsigned_one = anchor;
	unsigned_one.commit.sigs = keep(anchor.commit.count * sizeof *anchor.commit.sigs);
	memcpy(unsigned_one.commit.sigs, anchor.commit.sigs,
	       anchor.commit.count * sizeof *anchor.commit.sigs);
	unsigned_one.commit.sigs[0].signature.b[5] ^= 1;
	assert_err(scene_create(&s, &unsigned_one), CS_ERR_BAD_SEAL);
	for (size_t i = 0; i < 2; i++)
		unsigned_one.commit.sigs[i] = CMT_SIG_ABSENT;
	assert_err(scene_create(&s, &unsigned_one), CS_ERR_TOO_FEW_SEALS);
	assert_false(scene_status(&s).created);
	assert_ok(scene_create(&s, &anchor));
	assert_true(scene_status(&s).created);
	assert_int_equal(scene_status(&s).final_height, 10);
	assert_int_equal(scene_status(&s).final_time_s, MADE_TIME_S + 10);
	assert_false(scene_status(&s).insecure);
}

static void test_anchor_time_and_chain(void **state)
{
	(void)state;
	struct cmt_light_block anchor = scene_block(10);
	struct cmt_client_config config = scene_config(&anchor);
	struct scene s;
	config.anchor_age_max_s = 50;
	scene_open(&s, &config);
	s.now = scene_until(0);
	assert_err(scene_create(&s, &anchor), CS_ERR_NO_TIME);
	s.now = scene_until(MADE_TIME_S + 10 + 51);
	assert_err(scene_create(&s, &anchor), CS_ERR_ANCHOR_TOO_OLD);
	/* By the high end: a low one that is young does not help. */
	s.now = (struct verify_time){MADE_TIME_S + 10, MADE_TIME_S + 10 + 51};
	assert_err(scene_create(&s, &anchor), CS_ERR_ANCHOR_TOO_OLD);
	s.now = scene_until(MADE_TIME_S + 10 - CMT_DRIFT_DEFAULT_S - 1);
	assert_err(scene_create(&s, &anchor), CS_ERR_FUTURE_HEADER);
	s.now = scene_until(MADE_TIME_S + 10 - CMT_DRIFT_DEFAULT_S);
	assert_ok(scene_create(&s, &anchor));
	/* An age above the trusting period is none. */
	config.anchor_age_max_s = UINT64_MAX;
	scene_open(&s, &config);
	s.now = scene_until(MADE_TIME_S + 10 + SCENE_PERIOD_S + 1);
	assert_err(scene_create(&s, &anchor), CS_ERR_ANCHOR_TOO_OLD);
	config.chain_id = chain_id_of("another");
	scene_open(&s, &config);
	s.now = scene_until(MADE_TIME_S + 20);
	assert_err(scene_create(&s, &anchor), CS_ERR_WRONG_CHAIN);
}

/* ---- going on ---- */

static void test_heights(void **state)
{
	(void)state;
	struct cmt_light_block at[40];
	struct verify_block block;
	struct scene s;
	size_t accepted;
	scene_begin(&s);
	for (int64_t h = 5; h < 40; h++)
		at[h] = h <= 10 ? scene_block(h) : scene_linked(&at[h - 1]);
	const struct cmt_light_block *some[] = {&at[11], &at[12], &at[20], &at[30]};
	assert_ok(scene_update_by(&s, some, CS_LEN(some), &accepted));
	assert_int_equal(accepted, 4);
	assert_int_equal(scene_status(&s).final_height, 30);
	/* Known ones are passed over, and alone they are nothing. */
	const struct cmt_light_block *more[] = {&at[20], &at[30], &at[31]};
	assert_ok(scene_update_by(&s, more, CS_LEN(more), &accepted));
	assert_int_equal(accepted, 1);
	assert_err(scene_update_by(&s, more, CS_LEN(more), &accepted), CS_ERR_STALE_HEADER);
	assert_int_equal(accepted, 0);
	/* Between and right below trusted ones; below all of them. */
	assert_err(scene_ask(&s, 19, &block), CS_ERR_STALE_HEADER);
	assert_ok(scene_update(&s, &at[19]));
	assert_ok(scene_ask(&s, 19, &block));
	assert_hash(block.hash, cmt_header_hash(&at[19].header));
	assert_ok(scene_update(&s, &at[25]));
	assert_int_equal(scene_status(&s).final_height, 31);
	assert_err(scene_update(&s, &at[9]), CS_ERR_STALE_HEADER);
	assert_err(scene_ask(&s, 9, &block), CS_ERR_STALE_HEADER);
	assert_err(scene_ask(&s, 32, &block), CS_ERR_NOT_FINAL);
	/* What was taken before a refusal stays. */
	struct cmt_light_block bad = at[33];
	bad.commit.sigs = keep(bad.commit.count * sizeof *bad.commit.sigs);
	memcpy(bad.commit.sigs, at[33].commit.sigs, bad.commit.count * sizeof *bad.commit.sigs);
	bad.commit.sigs[1].signature.b[0] ^= 1;
	const struct cmt_light_block *half[] = {&at[32], &bad, &at[34]};
	assert_err(scene_update_by(&s, half, CS_LEN(half), &accepted), CS_ERR_BAD_SEAL);
	assert_int_equal(accepted, 1);
	assert_int_equal(scene_status(&s).final_height, 32);
	assert_ok(scene_ask(&s, 12, &block));
	assert_hash(block.parent, cmt_header_hash(&at[11].header));
	assert_int_equal(block.reorg_margin_s, 0);
	assert_err(verify_client_ancestors(&s.client,
					   &(struct cs_bytes){scene_encoded(&at[9]).p, 1}, 1,
					   &s.now, &block, NULL),
		   CS_ERR_UNSUPPORTED);
}

/* Between two, though the upper one names another parent and an earlier time: which of them is forged
 * is not known yet. */
static void test_between(void **state)
{
	(void)state;
	struct cmt_light_block stray = scene_block(19), above = scene_block(20);
	struct verify_block block;
	struct scene s;
	scene_begin(&s);
	assert_ok(scene_update(&s, &above));
	stray.header.time.s = above.header.time.s + 1;
	made_seal(&stray);
	assert_ok(scene_update(&s, &stray));
	assert_ok(scene_ask(&s, 19, &block));
	assert_hash(block.hash, cmt_header_hash(&stray.header));
	assert_int_equal(scene_status(&s).final_height, 20);
	/* Not later than the one below: by the rule. */
	stray = scene_block(15);
	stray.header.time.s = MADE_TIME_S + 10;
	made_seal(&stray);
	assert_err(scene_update(&s, &stray), CS_ERR_BAD_TIME);
}

static void test_time(void **state)
{
	(void)state;
	struct cmt_light_block next = scene_block(20);
	struct verify_block block;
	struct scene s;
	scene_begin(&s);
	s.now = scene_until(0);
	assert_err(scene_update(&s, &next), CS_ERR_NO_TIME);
	assert_err(scene_ask(&s, 10, &block), CS_ERR_NO_TIME);
	s.now = scene_until(MADE_TIME_S + 20 - CMT_DRIFT_DEFAULT_S);
	assert_err(scene_update(&s, &next), CS_ERR_FUTURE_HEADER);
	/* By the high end, whatever the low one is. */
	s.now = (struct verify_time){MADE_TIME_S + 10, MADE_TIME_S + 10 + SCENE_PERIOD_S + 1};
	assert_err(scene_update(&s, &next), CS_ERR_ANCHOR_TOO_OLD);
	assert_err(scene_ask(&s, 10, &block), CS_ERR_ANCHOR_TOO_OLD);
	s.now = scene_until(MADE_TIME_S + 10 + SCENE_PERIOD_S);
	assert_ok(scene_update(&s, &next));
	/* The new header's time counts from now on; an older trusted one begins nothing any more. */
	s.now = scene_until(MADE_TIME_S + 20 + SCENE_PERIOD_S);
	assert_ok(scene_ask(&s, 20, &block));
	struct cmt_light_block between = scene_block(15);
	assert_err(scene_update(&s, &between), CS_ERR_ANCHOR_TOO_OLD);
	s.now = scene_until(MADE_TIME_S + 20 + SCENE_PERIOD_S + 1);
	assert_err(scene_ask(&s, 20, &block), CS_ERR_ANCHOR_TOO_OLD);
}

/* Validators change one by one, so that a skip over all of them is too far. */
static void test_changing_validators(void **state)
{
	(void)state;
	struct cmt_light_block at[30];
	struct scene s;
	for (int64_t h = 10; h < 30; h++) {
		struct cmt_validator_set set = made_set((uint32_t)h, 4, 10);
		struct cmt_validator_set next = made_set((uint32_t)h + 1, 4, 10);
		at[h] = made_block(h, &set, &next);
		if (h > 10) {
			struct cs_hash under = cmt_header_hash(&at[h - 1].header);
			at[h].header.last_block_id = (struct cmt_block_id){
				cmt_hash_of(&under), {1, cmt_hash_of(&under)}};
			made_seal(&at[h]);
		}
	}
	scene_open_at(&s, &at[10], (uint64_t)MADE_TIME_S + 100);
	assert_ok(scene_create(&s, &at[10]));
	/* Three of four are enough for a third, two too, one is not. */
	assert_err(scene_update(&s, &at[14]), CS_ERR_NOT_ENOUGH_TRUST);
	assert_err(scene_update(&s, &at[13]), CS_ERR_NOT_ENOUGH_TRUST);
	assert_ok(scene_update(&s, &at[12]));
	for (int64_t h = 13; h < 30; h++)
		assert_ok(scene_update(&s, &at[h]));
	/* Of those below only the next height follows any more: their validators are gone. */
	scene_begin(&s);
	scene_open_at(&s, &at[10], (uint64_t)MADE_TIME_S + 100);
	assert_ok(scene_create(&s, &at[10]));
	for (int64_t h = 12; h < 30; h += 2)
		assert_ok(scene_update(&s, &at[h]));
	assert_ok(scene_update(&s, &at[13]));
	/* The next set is not the one that was announced. */
	struct cmt_validator_set stranger = made_set(200, 4, 10);
	struct cmt_light_block bad = made_block(29, &stranger, &stranger);
	assert_err(scene_update(&s, &bad), CS_ERR_BAD_SIGNER_SET);
	bad = made_block(35, &stranger, &stranger);
	assert_err(scene_update(&s, &bad), CS_ERR_NOT_ENOUGH_TRUST);
}

/* A trust level above a third asks for more of the trusted set. */
static void test_trust_level(void **state)
{
	(void)state;
	struct cmt_validator_set set = scene_set(), other = made_set(3, 4, 10);
	struct cmt_light_block anchor = made_block(10, &set, &set);
	struct cmt_light_block far = made_block(20, &other, &other);
	struct cmt_client_config config = scene_config(&anchor);
	struct scene s;
	scene_open(&s, &config);
	s.now = scene_until(MADE_TIME_S + 100);
	assert_ok(scene_create(&s, &anchor));
	assert_ok(scene_update(&s, &far));
	config.trust_level = (struct cmt_fraction){2, 3};
	scene_open(&s, &config);
	assert_ok(scene_create(&s, &anchor));
	assert_err(scene_update(&s, &far), CS_ERR_NOT_ENOUGH_TRUST);
}

static void test_window(void **state)
{
	(void)state;
	struct cmt_light_block anchor = scene_block(10), block;
	struct cmt_client_config config = scene_config(&anchor);
	struct verify_block found;
	struct scene s;
	config.window = 3;
	scene_open(&s, &config);
	s.now = scene_until(MADE_TIME_S + 100);
	assert_ok(scene_create(&s, &anchor));
	for (int64_t h = 20; h <= 50; h += 10) {
		block = scene_block(h);
		assert_ok(scene_update(&s, &block));
	}
	assert_err(scene_ask(&s, 20, &found), CS_ERR_STALE_HEADER);
	assert_ok(scene_ask(&s, 30, &found));
	/* Into a full one: the oldest goes, never the newest. */
	block = scene_block(35);
	assert_ok(scene_update(&s, &block));
	assert_err(scene_ask(&s, 30, &found), CS_ERR_STALE_HEADER);
	assert_ok(scene_ask(&s, 35, &found));
	block = scene_block(36);
	assert_ok(scene_update(&s, &block));
	assert_ok(scene_ask(&s, 36, &found));
	assert_ok(scene_ask(&s, 40, &found));
	assert_ok(scene_ask(&s, 50, &found));
	assert_err(scene_ask(&s, 35, &found), CS_ERR_STALE_HEADER);
	block = scene_block(34);
	assert_err(scene_update(&s, &block), CS_ERR_STALE_HEADER);
	assert_int_equal(scene_status(&s).final_height, 50);
}

static void test_too_large(void **state)
{
	(void)state;
	struct cmt_validator_set set = made_set(1, CMT_CLIENT_VALIDATORS_MAX + 1, 1);
	struct cmt_light_block large = made_block(11, &set, &set);
	struct scene s;
	size_t accepted;
	scene_begin(&s);
	assert_err(scene_update(&s, &large), CS_ERR_TOO_LARGE);
	/* Few bytes, because nobody signed. */
	for (size_t i = 0; i < large.commit.count; i++)
		large.commit.sigs[i] = CMT_SIG_ABSENT;
	assert_err(scene_update(&s, &large), CS_ERR_TOO_LARGE);
	struct cs_bytes bytes =
		cs_bytes(keep(CMT_CLIENT_BLOCK_SIZE_MAX + 1), CMT_CLIENT_BLOCK_SIZE_MAX + 1);
	assert_err(verify_client_update(&s.client, &bytes, 1, &s.now, &accepted, NULL),
		   CS_ERR_TOO_LARGE);
}

static void test_every_truncation(void **state)
{
	(void)state;
	struct cmt_light_block next = scene_block(20);
	struct cs_bytes whole = scene_encoded(&next);
	struct scene s;
	size_t accepted;
	scene_begin(&s);
	for (size_t n = 0; n < whole.n; n++) {
		uint8_t *copy = keep(n);
		memcpy(copy, whole.p, n);
		struct cs_bytes cut = cs_bytes(copy, n);
		assert_int_not_equal(
			verify_client_update(&s.client, &cut, 1, &s.now, &accepted, NULL), CS_OK);
		assert_int_equal(accepted, 0);
	}
	assert_int_equal(scene_status(&s).final_height, 10);
	assert_ok(scene_update(&s, &next));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model_based),
		cmocka_unit_test(test_skipping),
		cmocka_unit_test(test_recorded),
		cmocka_unit_test(test_recorded_sdk),
		cmocka_unit_test(test_configuration),
		cmocka_unit_test(test_before_it_begins),
		cmocka_unit_test(test_anchor_time_and_chain),
		cmocka_unit_test(test_heights),
		cmocka_unit_test(test_between),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_changing_validators),
		cmocka_unit_test(test_trust_level),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_every_truncation),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
