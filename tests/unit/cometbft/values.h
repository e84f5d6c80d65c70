/* Reads CometBFT's JSON (RPC, the vectors of tendermint-rs) and hex of tests/vectors/cometbft into
 * what verify/cometbft works on. What is read lives until the test program ends; a vector that is
 * not of the form fails the test. */
#ifndef TEST_COMETBFT_VALUES_H
#define TEST_COMETBFT_VALUES_H

#include "core/hash.h"
#include "tests/unit/support.h"
#include "verify/cometbft/block.h"
#include "verify/cometbft/light.h"

#define COMETBFT CS_VECTORS "/cometbft/"

/* 32 MiB, made on first use; a test takes what it needs and never gives it back. */
struct cs_arena *test_arena(void);
/* A buffer of its own. */
struct cs_buf test_buf(size_t size_max);

/* tests/vectors/cometbft/<name>, whole; generated.json. */
json_t *read_vector(const char *name);
json_t *generated(const char *list);
/* At a path of keys and indices: "result.block.header". */
const json_t *at_path(const json_t *json, const char *path);

struct cs_bytes hex_at(const json_t *json, const char *key);
struct cs_bytes base64_of(const json_t *text);
struct cs_pb_time time_of(const json_t *text);
/* A number, or one as text. */
int64_t i64_at(const json_t *json, const char *key);
struct cmt_hash opt_hash_at(const json_t *json, const char *key);
struct cmt_chain_id chain_id_of(const char *text);

struct cmt_block_id block_id_of(const json_t *json);
struct cmt_header header_of(const json_t *json);
struct cmt_commit commit_of(const json_t *json);
struct cmt_vote vote_of(const json_t *json);
/* From a list; sorted as CometBFT sorts, since some files are not. The proposer is guessed. */
struct cmt_validator_set set_of(const json_t *list);
/* From {signed_header, validator_set: {validators}} or {commit, validators} of an RPC. */
struct cmt_light_block light_block_of(const json_t *signed_header, const json_t *validators);

/* Keys made from a number, as a test wants them. */
struct cs_secret secret_of(uint32_t number);
struct cs_ed25519_key key_of(uint32_t number);
/* Decodes what the generator wrote. */
struct cmt_validator_set set_from(const json_t *json, const char *key);
struct cmt_light_block light_from(const json_t *json, const char *key);

#define assert_says(name, err) assert_string_equal(cs_err_name(err), (name))

#endif
