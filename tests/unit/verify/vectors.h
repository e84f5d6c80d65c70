/* Reads tests/vectors/evm for the tests: JSON by jansson, hex with or without 0x, {name} for a part
 * that the file names. What is read lives until vectors_close. A vector that is not there or not of
 * the form fails the test. */
#ifndef TEST_VERIFY_VECTORS_H
#define TEST_VERIFY_VECTORS_H

#include "core/bytes.h"
#include "core/sig.h"
#include "tests/unit/support.h"
#include "verify/evm/light_client.h"
#include "verify/evm/trie.h"

struct vectors {
	json_t *root;
	void **kept; /* each exactly as large as its content, so that a sanitizer sees every step
			outside */
	size_t kept_count;
};

void vectors_open(struct vectors *v, const char *name);
void vectors_close(struct vectors *v);

json_t *vectors_at(const json_t *object, const char *key);
struct cs_bytes vectors_bytes(struct vectors *v, const json_t *text);
struct cs_hash vectors_hash(struct vectors *v, const json_t *text);
struct cs_address vectors_address(struct vectors *v, const json_t *text);
struct verify_nodes vectors_nodes(struct vectors *v, const json_t *array);
/* A JSON number, a decimal string or a 0x quantity. */
uint64_t vectors_u64(const json_t *number);
void *vectors_keep(struct vectors *v, size_t size);
struct cs_bytes vectors_copy(struct vectors *v, struct cs_bytes bytes);

#define VECTORS_GENESIS_TIME 1700000000ull
/* A header made here, one second after its parent. Everything else is zero; extra is what makes one
 * differ from another. */
struct cs_bytes vectors_header(struct vectors *v, const struct cs_hash *parent, uint64_t number,
			       uint64_t difficulty, struct cs_bytes extra);

/* Turns one bit of what was read over; twice is as before. */
static inline void vectors_flip(struct cs_bytes bytes, size_t bit)
{
	((uint8_t *)(uintptr_t)bytes.p)[bit / 8] ^= (uint8_t)(1u << (bit % 8));
}

/* An interval that ends at t. */
struct verify_time vectors_now(uint64_t t);

/* A client with its memory; sig is shared. */
struct test_client {
	struct verify_client client;
	struct cs_sig *sig;
	void *state;
};
void test_client_open(struct test_client *t, const struct verify_evm_config *config);
void test_client_close(struct test_client *t);
/* Feeds one header. */
enum cs_err test_client_take(struct test_client *t, struct cs_bytes header, uint64_t now);

#define assert_says(name, err) assert_string_equal(cs_err_name(err), (name))

#endif
