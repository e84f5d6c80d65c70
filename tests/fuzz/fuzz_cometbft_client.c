/* A light client of a chain whose four validators' keys the fuzzer has, and the input moves it: light
 * blocks that it describes in six bytes each (height, variant, set, who signs), questions, and the
 * state sealed and opened again, as it is or with changes. A header of an honest chain (variant 0) is
 * never forgotten for another of its height; two variants of one height freeze the client. The rest
 * is a light block and a sealed state as they come. */
#include "tests/fuzz/fuzz.h"
#include "verify/cometbft/client.h"

#define KEYS 4u
#define TIME_S 1700000000ll
#define STEPS_MAX 24u
#define HEIGHTS 32u

static struct cs_secret secret_of(size_t i)
{
	struct cs_secret secret = {{[0] = 9}};
	secret.b[1] = (uint8_t)i;
	return secret;
}

static const struct cs_ed25519_key *key_of(size_t i)
{
	static struct cs_ed25519_key keys[KEYS];
	static bool made;
	for (size_t k = 0; !made && k < KEYS; k++) {
		struct cs_secret secret = secret_of(k);
		cs_assert(cs_ed25519_public(&keys[k], &secret) == CS_OK);
	}
	made = true;
	return &keys[i];
}

/* Of three or four members. */
static struct cmt_validator_set set_of(uint8_t which, struct cs_arena *arena)
{
	struct cmt_validator list[KEYS];
	struct cmt_validator_set set;
	size_t count = 0;
	for (size_t i = 0; i < KEYS; i++)
		if (which % 5 != i + 1)
			list[count++] = cmt_validator_of(key_of(i), 10);
	cs_assert(cmt_validator_set_init(&set, arena, count) == CS_OK);
	cs_assert(cmt_validator_set_make(&set, list, count, arena, NULL) == CS_OK);
	return set;
}

static void sign(struct cmt_light_block *block, size_t i)
{
	uint8_t memory[CMT_SIGN_BYTES_MAX];
	struct cs_buf buf;
	struct cmt_vote vote = cmt_commit_vote(&block->commit, i);
	size_t who = 0;
	while (memcmp(key_of(who)->b, block->validators.list[i].key.b, 32) != 0)
		who++;
	struct cs_secret secret = secret_of(who);
	cs_buf_init(&buf, memory, sizeof memory);
	cmt_vote_sign_bytes(&buf, &vote, &block->header.chain_id);
	block->commit.sigs[i].signature.some = true;
	cs_assert(cs_ed25519_sign(block->commit.sigs[i].signature.b, &secret, cs_buf_view(&buf)) ==
		  CS_OK);
}

static struct cmt_light_block make(const uint8_t op[6], struct cs_arena *arena)
{
	struct cmt_light_block b = {.validators = set_of(op[2], arena)};
	struct cmt_validator_set next = set_of(op[3], arena);
	struct cs_hash set_hash = cmt_validator_set_hash(&b.validators), hash,
		       next_hash = cmt_validator_set_hash(&next);
	const int64_t height = 1 + op[0] % HEIGHTS;
	b.header = (struct cmt_header){.block_protocol = CMT_BLOCK_PROTOCOL,
				       .app_version = op[1] % 3,
				       .height = height,
				       .time = {TIME_S + height * 2 + op[1] / 128, 0},
				       .validators_hash = cmt_hash_of(&set_hash),
				       .next_validators_hash = cmt_hash_of(&next_hash)};
	cs_assert(cmt_chain_id_set(&b.header.chain_id, cs_bytes_str("fuzz")) == CS_OK);
	hash = cmt_header_hash(&b.header);
	b.commit = (struct cmt_commit){.height = height,
				       .block_id = {cmt_hash_of(&hash), {1, cmt_hash_of(&hash)}},
				       .count = b.validators.count};
	b.commit.sigs = cs_arena_calloc(arena, b.commit.count, sizeof *b.commit.sigs);
	cs_assert(b.commit.sigs != NULL);
	for (size_t i = 0; i < b.commit.count; i++) {
		b.commit.sigs[i] = CMT_SIG_ABSENT;
		if (op[4] >> i & 1)
			continue;
		b.commit.sigs[i].flag = CMT_COMMIT;
		b.commit.sigs[i].validator = b.validators.list[i].address;
		b.commit.sigs[i].time = b.header.time;
		sign(&b, i);
		if (op[5] >> i & 1)
			b.commit.sigs[i].signature.b[op[5] % 64] ^= 1;
	}
	return b;
}

static struct cs_bytes encoded(const struct cmt_light_block *block, struct cs_arena *arena)
{
	struct cs_buf buf;
	cs_assert(cs_buf_init_arena(&buf, arena, CMT_LIGHT_BLOCK_SIZE_MAX(KEYS)) == CS_OK);
	cmt_light_block_encode(&buf, block);
	cs_assert(cs_buf_end(&buf) == CS_OK);
	return cs_buf_view(&buf);
}

/* What was trusted of each height, for as long as one client lives. */
struct model {
	struct verify_client client;
	struct verify_time now;
	bool known[HEIGHTS + 1];
	struct cs_hash hash[HEIGHTS + 1];
};

static void check(struct model *m)
{
	struct verify_status status;
	struct verify_block block;
	verify_client_status(&m->client, &status);
	for (uint64_t h = 1; h <= HEIGHTS; h++) {
		if (verify_client_block(&m->client, h, &m->now, &block, NULL) != CS_OK)
			continue;
		cs_assert(!status.frozen && h <= status.final_height);
		cs_assert(!m->known[h] || cs_hash_eq(&m->hash[h], &block.hash));
		m->known[h] = true;
		m->hash[h] = block.hash;
	}
}

static void take(struct model *m, const uint8_t op[6], struct cs_arena *arena)
{
	struct cmt_light_block block = make(op, arena);
	struct cs_bytes bytes = encoded(&block, arena);
	struct cs_hash hash = cmt_header_hash(&block.header);
	struct verify_status before, after;
	size_t accepted = 0;
	verify_client_status(&m->client, &before);
	enum cs_err err = verify_client_update(&m->client, &bytes, 1, &m->now, &accepted, NULL);
	verify_client_status(&m->client, &after);
	cs_assert(accepted == (err == CS_OK ? 1 : 0));
	cs_assert(after.final_height >= before.final_height);
	/* A freeze needs two headers of one height. */
	if (after.frozen && !before.frozen) {
		struct verify_conflict conflict;
		cs_assert(err == CS_ERR_FROZEN);
		cs_assert(verify_client_conflict(&m->client, &conflict) == CS_OK);
		cs_assert(conflict.height == (uint64_t)block.header.height);
		cs_assert(cs_hash_eq(&conflict.second_hash, &hash));
		cs_assert(m->known[conflict.height] &&
			  cs_hash_eq(&conflict.first_hash, &m->hash[conflict.height]));
		cs_assert(!cs_hash_eq(&conflict.first_hash, &conflict.second_hash));
		cs_assert(cs_bytes_eq(conflict.second, bytes));
	}
	if (before.frozen)
		cs_assert(err == CS_ERR_FROZEN && after.frozen);
}

static void seal(struct model *m, const uint8_t op[6], struct cs_arena *arena)
{
	struct verify_status before, after;
	struct cs_buf buf, again;
	cs_assert(cs_buf_init_arena(&buf, arena, m->client.encoded_size_max) == CS_OK);
	cs_assert(cs_buf_init_arena(&again, arena, m->client.encoded_size_max) == CS_OK);
	verify_client_status(&m->client, &before);
	verify_client_encode(&m->client, &buf);
	cs_assert(cs_buf_end(&buf) == CS_OK);
	struct cs_bytes bytes = cs_buf_view(&buf);
	/* First with a change, as nothing that was sealed is; then as it is. */
	buf.p[cs_be16(op + 1) % buf.n] ^= op[3];
	(void)!verify_client_decode(&m->client, bytes, NULL);
	buf.p[cs_be16(op + 1) % buf.n] ^= op[3];
	cs_assert(verify_client_decode(&m->client, bytes, NULL) == CS_OK);
	verify_client_status(&m->client, &after);
	cs_assert(before.final_height == after.final_height && before.frozen == after.frozen);
	cs_assert(cs_hash_eq(&before.final_hash, &after.final_hash));
	verify_client_encode(&m->client, &again);
	fuzz_same(&again, bytes);
}

static void open_client(struct model *m, void *state, const struct cmt_light_block *anchor,
			struct cs_arena *arena)
{
	const struct cmt_client_config config = {.chain_id = anchor->header.chain_id,
						 .anchor_height = (uint64_t)anchor->header.height,
						 .anchor_hash = cmt_header_hash(&anchor->header),
						 .anchor_age_max_s = 200,
						 .trusting_period_s = 200,
						 .window = 5};
	cs_assert(cmt_client_open(&m->client, state, &config, NULL) == CS_OK);
	cs_assert(verify_client_create(&m->client, encoded(anchor, arena), &m->now, NULL) == CS_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t first[6] = {9};
	struct cs_arena *arena = fuzz_arena();
	void *state = cs_arena_calloc(arena, 1, cmt_client_size());
	struct model m = {.now = {TIME_S, TIME_S + 200}};
	struct cmt_light_block anchor = make(first, arena);
	size_t accepted;
	cs_assert(state != NULL);
	open_client(&m, state, &anchor, arena);
	check(&m);
	for (size_t i = 0; i < STEPS_MAX && size >= 6; i++, data += 6, size -= 6) {
		if (data[0] < 224)
			take(&m, data, arena);
		else
			seal(&m, data, arena);
		check(&m);
	}
	struct cs_bytes rest = cs_bytes(data, size);
	(void)!verify_client_update(&m.client, &rest, 1, &m.now, &accepted, NULL);
	(void)!verify_client_decode(&m.client, rest, NULL);
	check(&(struct model){.client = m.client, .now = m.now});
	return 0;
}
