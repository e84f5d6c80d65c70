/* What the files that read a manifest share. Private to them. */
#ifndef ENCLAVE_MANIFEST_PARTS_H
#define ENCLAVE_MANIFEST_PARTS_H

#include "core/json.h"
#include "enclave/manifest.h"

/* Heights and seconds that can still be added up without a thought of overflow. */
#define MANIFEST_NUMBER_MAX (UINT64_C(1) << 53)

#define MANIFEST_ONLY(json, why, ...)                          \
	cs_json_only(json, (const char *const[]){__VA_ARGS__}, \
		     CS_LEN(((const char *const[]){__VA_ARGS__})), why)

/* Elements of an array of hex strings of 32 bytes, all different. */
CS_NODISCARD enum cs_err manifest_read_hashes(struct cs_hash *out, size_t *count, size_t count_max,
					      const struct cs_json *object, const char *key,
					      struct cs_why *why);
/* Members of an object that may have others. */
CS_NODISCARD enum cs_err manifest_read_trust(struct manifest_trust *trust,
					     const struct cs_json *json, struct cs_why *why);
CS_NODISCARD enum cs_err manifest_read_oracle(struct manifest *m, const struct cs_json *body,
					      struct cs_why *why);

#endif
