/* How close checking a commit of 100 validators comes to the least that it can cost: OpenSSL's
 * check of each of its signatures, with keys parsed and messages at hand. The light client's step
 * (a skip, then 2/3 of the new set: 101 checks of the same two thirds) and the full check of a
 * block's commit are measured in turns with it, in one process. Writes one JSON object. */
#include "bench/bench.h"
#include "verify/cometbft/light.h"

#include <openssl/evp.h>
#include <string.h>

#define VALIDATORS 100u
#define ROUND 20u
#define TIME_S 1700000000ll

struct scene {
	struct cmt_validator_set set;
	struct cmt_light_block from;
	struct cmt_light_block to;
	EVP_PKEY *keys[VALIDATORS];
	uint8_t messages[VALIDATORS][CMT_SIGN_BYTES_MAX];
	size_t sizes[VALIDATORS];
};

static struct cs_secret secret_of(size_t i)
{
	struct cs_secret secret = {{1}};
	secret.b[31] = (uint8_t)i;
	return secret;
}

static struct cs_secret secret_by(const struct cs_ed25519_key *key)
{
	for (size_t i = 0; i < VALIDATORS; i++) {
		struct cs_secret secret = secret_of(i);
		struct cs_ed25519_key public;
		if (cs_ed25519_public(&public, &secret) == CS_OK &&
		    memcmp(public.b, key->b, sizeof key->b) == 0)
			return secret;
	}
	bench_die("a key of nobody");
	return secret_of(0);
}

static void make_set(struct scene *s, struct cs_arena *arena)
{
	struct cmt_validator list[VALIDATORS];
	for (size_t i = 0; i < VALIDATORS; i++) {
		struct cs_secret secret = secret_of(i);
		struct cs_ed25519_key key;
		if (cs_ed25519_public(&key, &secret) != CS_OK)
			bench_die("no key");
		list[i] = cmt_validator_of(&key, 10);
	}
	if (cmt_validator_set_init(&s->set, arena, VALIDATORS) != CS_OK ||
	    cmt_validator_set_make(&s->set, list, VALIDATORS, arena, NULL) != CS_OK)
		bench_die("no validator set");
}

static void make_block(struct scene *s, struct cmt_light_block *b, int64_t height,
		       struct cs_arena *arena)
{
	struct cs_hash set = cmt_validator_set_hash(&s->set);
	b->validators = s->set;
	b->header = (struct cmt_header){.block_protocol = CMT_BLOCK_PROTOCOL,
					.height = height,
					.time = {TIME_S + height, 5},
					.validators_hash = cmt_hash_of(&set),
					.next_validators_hash = cmt_hash_of(&set)};
	if (cmt_chain_id_set(&b->header.chain_id, cs_bytes_str("bench-chain-1")) != CS_OK)
		bench_die("no chain id");
	struct cs_hash hash = cmt_header_hash(&b->header);
	b->commit = (struct cmt_commit){.height = height,
					.block_id = {cmt_hash_of(&hash), {1, cmt_hash_of(&hash)}},
					.count = VALIDATORS};
	b->commit.sigs = cs_arena_calloc(arena, VALIDATORS, sizeof *b->commit.sigs);
	if (!b->commit.sigs)
		bench_die("no memory");
	for (size_t i = 0; i < VALIDATORS; i++) {
		struct cmt_commit_sig *sig = &b->commit.sigs[i];
		struct cs_secret secret = secret_by(&s->set.list[i].key);
		struct cs_buf buf;
		*sig = (struct cmt_commit_sig){.flag = CMT_COMMIT,
					       .validator = s->set.list[i].address,
					       .time = {TIME_S + height, (int32_t)i},
					       .signature.some = true};
		struct cmt_vote vote = cmt_commit_vote(&b->commit, i);
		cs_buf_init(&buf, s->messages[i], CMT_SIGN_BYTES_MAX);
		cmt_vote_sign_bytes(&buf, &vote, &b->header.chain_id);
		s->sizes[i] = buf.n;
		if (cs_ed25519_sign(sig->signature.b, &secret, cs_buf_view(&buf)) != CS_OK)
			bench_die("no signature");
	}
}

static void make(struct scene *s, struct cs_arena *arena)
{
	make_set(s, arena);
	make_block(s, &s->from, 10, arena);
	make_block(s, &s->to, 1000, arena);
	for (size_t i = 0; i < VALIDATORS; i++)
		s->keys[i] = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL,
							 s->set.list[i].key.b, 32);
}

static void bare(const struct scene *s, size_t count)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	for (size_t i = 0; i < count; i++) {
		if (EVP_MD_CTX_reset(context) != 1 ||
		    EVP_DigestVerifyInit(context, NULL, NULL, NULL, s->keys[i]) != 1 ||
		    EVP_DigestVerify(context, s->to.commit.sigs[i].signature.b, 64, s->messages[i],
				     s->sizes[i]) != 1)
			bench_die("a signature does not verify");
	}
	EVP_MD_CTX_free(context);
}

static void full(const struct scene *s)
{
	if (cmt_commit_verify(&s->to.commit, &s->set, &s->to.header.chain_id,
			      &s->to.commit.block_id, s->to.header.height, NULL) != CS_OK)
		bench_die("the commit does not verify");
}

/* Signatures that a skip checks: more than a third, then more than two thirds. */
#define SKIP_CHECKS (VALIDATORS / 3 + 1 + 2 * VALIDATORS / 3 + 1)

static void skip(const struct scene *s)
{
	const struct cmt_light_options options = {CMT_TRUST_LEVEL_DEFAULT, 100000,
						  CMT_BLOCK_PROTOCOL, CMT_DRIFT_DEFAULT_S};
	const struct verify_time now = {TIME_S, TIME_S + 2000};
	struct cmt_trusted trusted = {&s->from.header, &s->from.validators};
	if (cmt_light_verify(&trusted, &s->to, &options, &now, NULL) != CS_OK)
		bench_die("the light block does not verify");
}

static void bare_skip(const struct scene *s)
{
	bare(s, VALIDATORS / 3 + 1);
	bare(s, 2 * VALIDATORS / 3 + 1);
}

int main(void)
{
	static struct scene s;
	static _Alignas(16) uint8_t block[1024 * 1024];
	struct cs_arena arena;
	cs_arena_init(&arena, block, sizeof(block));
	make(&s, &arena);
	double ours[BENCH_RUNS], least[BENCH_RUNS], ratio[BENCH_RUNS], skips[BENCH_RUNS];
	for (size_t run = 0; run < BENCH_RUNS; run++) {
		double t[5], a = 0, b = 0, c = 0, d = 0;
		for (size_t i = 0; i < ROUND; i++) {
			t[0] = bench_cpu();
			full(&s);
			t[1] = bench_cpu();
			bare(&s, VALIDATORS);
			t[2] = bench_cpu();
			skip(&s);
			t[3] = bench_cpu();
			bare_skip(&s);
			t[4] = bench_cpu();
			a += t[1] - t[0];
			b += t[2] - t[1];
			c += t[3] - t[2];
			d += t[4] - t[3];
		}
		ours[run] = a / ROUND * 1e6;
		least[run] = b / ROUND * 1e6;
		ratio[run] = a / b;
		skips[run] = c / d;
	}
	printf("{\"validators\": %u, \"commit_us\": %.1f, \"signatures_us\": %.1f, \"ratio\": "
	       "%.3f, "
	       "\"skip_checks\": %u, \"skip_ratio\": %.3f}\n",
	       VALIDATORS, bench_median(ours, BENCH_RUNS), bench_median(least, BENCH_RUNS),
	       bench_median(ratio, BENCH_RUNS), SKIP_CHECKS, bench_median(skips, BENCH_RUNS));
	for (size_t i = 0; i < VALIDATORS; i++)
		EVP_PKEY_free(s.keys[i]);
	return 0;
}
