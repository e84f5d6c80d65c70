/* Reading the values of JSON-RPC ("0x…" texts) out of jansson's tree. What is absent, of another
 * type or too large is an error, never a zero. Names of files in this folder that others do not see
 * begin with evm_. */
#ifndef ADAPTERS_EVM_JSON_H
#define ADAPTERS_EVM_JSON_H

#include "adapters/rpc_json.h"
#include "core/buf.h"
#include "host/json_values.h"

#include <jansson.h>

/* A quantity: "0x" and 1..16 significant digits. MISSING_FIELD, MALFORMED, OVERFLOW. */
CS_NODISCARD enum cs_err evm_json_u64(uint64_t *value, const json_t *json);
CS_NODISCARD enum cs_err evm_json_u32(uint32_t *value, const json_t *json);
/* A quantity of at most 32 bytes as a word. */
CS_NODISCARD enum cs_err evm_json_word(struct cs_hash *word, const json_t *json);
/* Exactly n bytes. */
CS_NODISCARD enum cs_err evm_json_fixed(uint8_t *bytes, size_t n, const json_t *json);
CS_NODISCARD enum cs_err evm_json_hash(struct cs_hash *hash, const json_t *json);
CS_NODISCARD enum cs_err evm_json_address(struct cs_address *address, const json_t *json);
/* Appends the bytes of a "0x…" text to buf, which fails when they do not fit. */
CS_NODISCARD enum cs_err evm_json_bytes(struct cs_buf *buf, const json_t *json);
/* Bytes that a text stands for, 0 when it is none: to size a buffer. */
size_t evm_json_bytes_size(const json_t *json);

/* New references. */
json_t *evm_json_from_u64(uint64_t value);
json_t *evm_json_from_address(const struct cs_address *address);

#endif
