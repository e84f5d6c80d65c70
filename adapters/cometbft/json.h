/* Reading what a CometBFT node answers: numbers as texts, upper-case hex, base64, and the parts of a
 * light block (rpc/core/types/responses.go; the JSON forms of types/block.go). What is absent, of
 * another type or too large is an error, never a zero. Names of files in this folder that others do
 * not see begin with comet_. */
#ifndef ADAPTERS_COMETBFT_JSON_H
#define ADAPTERS_COMETBFT_JSON_H

#include "core/buf.h"
#include "verify/cometbft/light_block.h"

#include <jansson.h>

/* A text of digits, not below zero. MISSING_FIELD, MALFORMED, OVERFLOW. */
CS_NODISCARD enum cs_err comet_json_u64(uint64_t *value, const json_t *json);
/* Exactly n bytes of hex, with 0x before it or not. */
CS_NODISCARD enum cs_err comet_json_fixed(uint8_t *bytes, size_t n, const json_t *json);
/* Bytes that a base64 text stands for, malloc'd; null is none. MALFORMED. */
CS_NODISCARD enum cs_err comet_json_base64(uint8_t **bytes, size_t *size, const json_t *json);
/* The same of hex with 0x before it. */
CS_NODISCARD enum cs_err comet_json_hex(uint8_t **bytes, size_t *size, const json_t *json);

/* header, of "signed_header" and "block". The errors above and of cmt_header_check. */
CS_NODISCARD enum cs_err comet_json_header(struct cmt_header *header, const json_t *json,
					   struct cs_why *why);
/* commit; the signatures' memory is malloc'd: comet_commit_clear. Checked. */
CS_NODISCARD enum cs_err comet_json_commit(struct cmt_commit *commit, const json_t *json,
					   struct cs_why *why);
void comet_commit_clear(struct cmt_commit *commit);
/* One of "validators". UNSUPPORTED: a key that is not Ed25519. */
CS_NODISCARD enum cs_err comet_json_validator(struct cmt_validator *validator, const json_t *json);

/* New references. */
json_t *comet_json_from_u64(uint64_t value);

#endif
