/* Headers of the fuzzer's making: fields from its bytes, hashes and seals right where it wants them
 * right, so that it gets behind the signatures. */
#ifndef TESTS_FUZZ_EVM_HEADERS_H
#define TESTS_FUZZ_EVM_HEADERS_H

#include "core/hash.h"
#include "core/reader.h"
#include "tests/fuzz/fuzz.h"
#include "verify/evm/light_client.h"

#include <stdlib.h>

#define FUZZ_KEYS 6u
#define FUZZ_HEADERS_MAX 48u
#define FUZZ_TIME 1700000000u

struct fuzz_header {
	struct cs_hash parent;
	struct cs_address coinbase;
	uint64_t difficulty;
	uint64_t number;
	uint64_t time_s;
	uint64_t nonce;
	struct cs_hash mix;
	struct cs_hash state_root;
};

struct fuzz_world {
	struct cs_sig *sig;
	struct cs_secret keys[FUZZ_KEYS];
	struct cs_address who[FUZZ_KEYS]; /* ascending */
	void *state;
	struct verify_client client;
	struct cs_buf out;
	uint8_t memory[1 << 20];
};

static inline void fuzz_put_header(struct cs_buf *buf, const struct fuzz_header *h,
				   struct cs_bytes extra)
{
	static const struct cs_hash no_uncles = {{0x1d, 0xcc, 0x4d, 0xe8, 0xde, 0xc7, 0x5d, 0x7a,
						  0xab, 0x85, 0xb5, 0x67, 0xb6, 0xcc, 0xd4, 0x1a,
						  0xd3, 0x12, 0x45, 0x1b, 0x94, 0x8a, 0x74, 0x13,
						  0xf0, 0xa1, 0x42, 0xfd, 0x40, 0xd4, 0x93, 0x47}};
	static const uint8_t bloom[256];
	uint8_t nonce[8];
	size_t begin = cs_rlp_list_begin(buf);
	cs_put_be64(nonce, h->nonce);
	cs_rlp_put_bytes(buf, CS_BYTES_OF(h->parent.b));
	cs_rlp_put_bytes(buf, CS_BYTES_OF(no_uncles.b));
	cs_rlp_put_bytes(buf, CS_BYTES_OF(h->coinbase.b));
	for (size_t i = 0; i < 3; i++)
		cs_rlp_put_bytes(buf, CS_BYTES_OF(h->state_root.b));
	cs_rlp_put_bytes(buf, CS_BYTES_OF(bloom));
	cs_rlp_put_u64(buf, h->difficulty);
	cs_rlp_put_u64(buf, h->number);
	cs_rlp_put_u64(buf, 30000000);
	cs_rlp_put_u64(buf, 0);
	cs_rlp_put_u64(buf, h->time_s);
	cs_rlp_put_bytes(buf, extra);
	cs_rlp_put_bytes(buf, CS_BYTES_OF(h->mix.b));
	cs_rlp_put_bytes(buf, CS_BYTES_OF(nonce));
	cs_rlp_list_end(buf, begin);
}

static inline struct cs_hash fuzz_header_hash(const struct fuzz_header *h, struct cs_bytes extra)
{
	uint8_t memory[4096];
	struct cs_buf buf;
	cs_buf_init(&buf, memory, sizeof memory);
	fuzz_put_header(&buf, h, extra);
	cs_assert(cs_buf_end(&buf) == CS_OK);
	return cs_keccak256(cs_buf_view(&buf));
}

static inline void fuzz_seal(const struct fuzz_world *w, uint8_t seal[65], size_t key,
			     const struct cs_hash *digest)
{
	struct cs_ecdsa signature;
	cs_assert(cs_ecdsa_sign(w->sig, &signature, &w->keys[key], digest) == CS_OK);
	memcpy(seal, signature.r.b, 32);
	memcpy(seal + 32, signature.s.b, 32);
	seal[64] = signature.parity;
}

static inline void fuzz_sort_keys(struct fuzz_world *w)
{
	for (size_t i = 1; i < FUZZ_KEYS; i++)
		for (size_t j = i; j > 0 && memcmp(w->who[j - 1].b, w->who[j].b, 20) > 0; j--) {
			struct cs_address who = w->who[j];
			struct cs_secret key = w->keys[j];
			w->who[j] = w->who[j - 1];
			w->keys[j] = w->keys[j - 1];
			w->who[j - 1] = who;
			w->keys[j - 1] = key;
		}
}

/* One for the process; the client is opened anew for each input. */
static inline struct fuzz_world *fuzz_world(const struct verify_evm_config *config)
{
	static struct fuzz_world w;
	if (!w.sig) {
		w.sig = cs_sig_new(NULL);
		w.state = aligned_alloc(16, (verify_evm_client_size() + 15) / 16 * 16);
		cs_assert(w.sig && w.state);
		for (size_t i = 0; i < FUZZ_KEYS; i++) {
			memset(w.keys[i].b, (int)(i + 1), sizeof w.keys[i].b);
			cs_assert(cs_key_address(w.sig, &w.who[i], &w.keys[i]) == CS_OK);
		}
		fuzz_sort_keys(&w);
	}
	cs_assert(verify_evm_open(&w.client, w.state, config, w.sig, NULL) == CS_OK);
	return &w;
}

/* What must hold whatever came in. */
static inline void fuzz_check_client(struct fuzz_world *w, const struct verify_status *before)
{
	struct verify_status after, again;
	struct cs_bytes encoded;
	verify_client_status(&w->client, &after);
	cs_assert(after.final_height >= before->final_height);
	cs_assert(after.head_height >= after.final_height);
	cs_assert(after.frozen || !before->frozen);
	if (after.final_height == before->final_height)
		cs_assert(cs_hash_eq(&after.final_hash, &before->final_hash));
	cs_buf_init(&w->out, w->memory, w->client.encoded_size_max);
	verify_client_encode(&w->client, &w->out);
	cs_assert(cs_buf_end(&w->out) == CS_OK);
	encoded = cs_buf_view(&w->out);
	cs_assert(verify_client_decode(&w->client, encoded, NULL) == CS_OK);
	verify_client_status(&w->client, &again);
	cs_assert(again.final_height == after.final_height && again.frozen == after.frozen);
	cs_assert(cs_hash_eq(&again.final_hash, &after.final_hash));
}

#endif
