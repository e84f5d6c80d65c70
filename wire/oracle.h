/* The oracle's preimages: requests, answers, evidence, feeds. docs/protocol/oracle.md is the
 * specification; the envelope around them is that of wire/envelope.h, kind WIRE_KIND_ANSWER. */
#ifndef WIRE_ORACLE_H
#define WIRE_ORACLE_H

#include "core/hash.h"
#include "core/u256.h"

/* Section 2 and 3. */
#define WIRE_SOURCES_MAX 16u
#define WIRE_ARGUMENTS_MAX 8u
#define WIRE_ARGUMENT_SIZE_MAX 512u
#define WIRE_AUDIENCE_SIZE_MAX 64u
#define WIRE_MAX_AGE_MAX 86400u

enum wire_oracle_code {
#define WIRE_ORACLE(code, number, name, refunded) WIRE_ORACLE_##code = (number),
#include "wire/oracle_codes.def"
#undef WIRE_ORACLE
};
/* "spec_invalid"; NULL for a number that the table does not have. */
const char *wire_oracle_code_name(uint32_t code);
bool wire_oracle_code_is_refunded(uint32_t code);

/* ---- section 1 ---- */

struct cs_hash wire_oracle_identity(const struct cs_hash *lineage);
/* Receiver and asker of an answer that was asked for by REST. */
struct cs_hash wire_app_identity(struct cs_bytes audience);
struct cs_hash wire_app_asker(struct cs_bytes audience);

/* ---- sections 2 and 3 ---- */

/* spec: its canonical bytes. */
struct cs_hash wire_spec_hash(struct cs_bytes spec);
struct cs_hash wire_arguments_hash(const struct cs_bytes *arguments, size_t count);
/* Zero for no sealed secrets. */
struct cs_hash wire_secrets_hash(struct cs_bytes sealed);

struct wire_request {
	struct cs_hash receiver;
	uint64_t counter;
	struct cs_hash asker; /* a word */
	struct cs_hash spec_hash;
	struct cs_hash arguments_hash;
	struct cs_hash secrets_hash;
	struct cs_hash callback; /* a word */
	uint64_t callback_gas;
	struct cs_u256 fee;
	uint64_t max_age;
	uint64_t time;
	uint64_t deadline;
};
struct cs_hash wire_request_id(const struct wire_request *request);

/* ---- section 4 ---- */

struct wire_answer {
	struct cs_hash request_id; /* feedId for a round that failed */
	struct cs_hash spec_hash;
	uint32_t code;
	uint64_t observed_at;
	struct cs_hash evidence_hash;
	struct cs_bytes value; /* ABI; empty unless code is 0 */
};
struct cs_hash wire_leaf_answer(const struct wire_answer *answer);

/* ---- section 5 ---- */

#define WIRE_EVIDENCE_INSECURE_HOST_TIME 1u

struct wire_evidence_source {
	uint32_t code;
	struct cs_bytes host_port; /* "api.example.org:443" */
	struct cs_hash leaf_spki;
	struct cs_hash issuer_spki;
	uint16_t version; /* 0x0303, 0x0304; 0 when no handshake was completed */
	uint16_t cipher;
	uint8_t index;
	bool http2;
	bool reused;
	bool stapled_good;
	/* The connection is another host's than host_port: one that the spec allows, to which it led. */
	bool redirected;
	uint8_t sct_count;
	struct cs_hash response; /* zero where there was none */
	uint64_t completed;
};
/* The word `protocol` of a row. */
uint32_t wire_evidence_protocol(const struct wire_evidence_source *source);
struct cs_hash wire_evidence_source_hash(const struct wire_evidence_source *source);
/* count from 0 to WIRE_SOURCES_MAX, in the order of the spec. */
struct cs_hash wire_evidence_hash(uint64_t time_flags, const struct wire_evidence_source *sources,
				  size_t count);

/* ---- section 8 ---- */

struct cs_hash wire_feed_id(const struct cs_hash *contract, uint64_t index);

struct wire_feed_value {
	struct cs_hash feed_id;
	struct cs_hash spec_hash;
	uint64_t observed_at;
	struct cs_hash evidence_hash;
	struct cs_hash value; /* int256 */
};
struct cs_hash wire_leaf_feed(const struct wire_feed_value *feed);

#endif
