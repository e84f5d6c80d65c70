#include "wire/oracle.h"

#include "wire/envelope.h"

static void begin(struct cs_keccak *row, enum wire_tag tag)
{
	cs_keccak_init(row);
	cs_keccak_add(row, CS_BYTES_OF(wire_tag(tag)->b));
}

static void add(struct cs_keccak *row, const struct cs_hash *word)
{
	cs_keccak_add(row, CS_BYTES_OF(word->b));
}

static void add_u64(struct cs_keccak *row, uint64_t value)
{
	struct cs_hash word = {{0}};
	cs_put_be64(word.b + 24, value);
	add(row, &word);
}

static void add_hashed(struct cs_keccak *row, struct cs_bytes bytes)
{
	struct cs_hash hash = cs_keccak256(bytes);
	add(row, &hash);
}

const char *wire_oracle_code_name(uint32_t code)
{
	switch (code) {
#define WIRE_ORACLE(name, number, text, refunded) \
	case (number):                            \
		return (text);
#include "wire/oracle_codes.def"
#undef WIRE_ORACLE
	default:
		return NULL;
	}
}

bool wire_oracle_code_is_refunded(uint32_t code)
{
	switch (code) {
#define WIRE_ORACLE(name, number, text, refunded) \
	case (number):                            \
		return (refunded);
#include "wire/oracle_codes.def"
#undef WIRE_ORACLE
	default:
		return false;
	}
}

struct cs_hash wire_oracle_identity(const struct cs_hash *lineage)
{
	struct cs_keccak row;
	begin(&row, WIRE_TAG_IDENTITY_ORACLE);
	add(&row, lineage);
	return cs_keccak_end(&row);
}

struct cs_hash wire_app_identity(struct cs_bytes audience)
{
	struct cs_keccak row;
	begin(&row, WIRE_TAG_IDENTITY_APP);
	add_hashed(&row, audience);
	return cs_keccak_end(&row);
}

struct cs_hash wire_app_asker(struct cs_bytes audience)
{
	struct cs_keccak row;
	cs_keccak_init(&row);
	cs_keccak_add(&row, cs_bytes_str("app"));
	cs_keccak_add(&row, audience);
	return cs_keccak_end(&row);
}

struct cs_hash wire_spec_hash(struct cs_bytes spec)
{
	struct cs_keccak row;
	begin(&row, WIRE_TAG_SPEC);
	add_hashed(&row, spec);
	return cs_keccak_end(&row);
}

struct cs_hash wire_arguments_hash(const struct cs_bytes *arguments, size_t count)
{
	struct cs_keccak row;
	begin(&row, WIRE_TAG_ARGUMENTS);
	for (size_t i = 0; i < count; i++)
		add_hashed(&row, arguments[i]);
	return cs_keccak_end(&row);
}

struct cs_hash wire_secrets_hash(struct cs_bytes sealed)
{
	return sealed.n > 0 ? cs_keccak256(sealed) : (struct cs_hash){{0}};
}

struct cs_hash wire_request_id(const struct wire_request *request)
{
	struct cs_keccak row;
	struct cs_hash fee = cs_u256_word(&request->fee);
	begin(&row, WIRE_TAG_REQUEST);
	add(&row, &request->receiver);
	add_u64(&row, request->counter);
	add(&row, &request->asker);
	add(&row, &request->spec_hash);
	add(&row, &request->arguments_hash);
	add(&row, &request->secrets_hash);
	add(&row, &request->callback);
	add_u64(&row, request->callback_gas);
	add(&row, &fee);
	add_u64(&row, request->max_age);
	add_u64(&row, request->time);
	add_u64(&row, request->deadline);
	return cs_keccak_end(&row);
}

struct cs_hash wire_leaf_answer(const struct wire_answer *answer)
{
	struct cs_keccak row;
	begin(&row, WIRE_TAG_LEAF_ANSWER);
	add(&row, &answer->request_id);
	add(&row, &answer->spec_hash);
	add_u64(&row, answer->code);
	add_u64(&row, answer->observed_at);
	add(&row, &answer->evidence_hash);
	add_hashed(&row, answer->value);
	return cs_keccak_end(&row);
}

#define PROTOCOL_HTTP2 (UINT32_C(1) << 16)
#define PROTOCOL_REUSED (UINT32_C(1) << 17)
#define PROTOCOL_STAPLED (UINT32_C(1) << 18)
#define PROTOCOL_REDIRECTED (UINT32_C(1) << 19)
#define PROTOCOL_SCT_SHIFT 24

uint32_t wire_evidence_protocol(const struct wire_evidence_source *source)
{
	return source->version | (source->http2 ? PROTOCOL_HTTP2 : 0) |
	       (source->reused ? PROTOCOL_REUSED : 0) |
	       (source->stapled_good ? PROTOCOL_STAPLED : 0) |
	       (source->redirected ? PROTOCOL_REDIRECTED : 0) |
	       (uint32_t)source->sct_count << PROTOCOL_SCT_SHIFT;
}

struct cs_hash wire_evidence_source_hash(const struct wire_evidence_source *source)
{
	struct cs_keccak row;
	begin(&row, WIRE_TAG_EVIDENCE_SOURCE);
	add_u64(&row, source->index);
	add_u64(&row, source->code);
	add_hashed(&row, source->host_port);
	add(&row, &source->leaf_spki);
	add(&row, &source->issuer_spki);
	add_u64(&row, wire_evidence_protocol(source));
	add_u64(&row, source->cipher);
	add(&row, &source->response);
	add_u64(&row, source->completed);
	return cs_keccak_end(&row);
}

struct cs_hash wire_evidence_hash(uint64_t time_flags, const struct wire_evidence_source *sources,
				  size_t count)
{
	struct cs_keccak row;
	cs_assert(count <= WIRE_SOURCES_MAX);
	begin(&row, WIRE_TAG_EVIDENCE);
	add_u64(&row, time_flags);
	for (size_t i = 0; i < count; i++) {
		struct cs_hash hash = wire_evidence_source_hash(&sources[i]);
		add(&row, &hash);
	}
	return cs_keccak_end(&row);
}

struct cs_hash wire_feed_id(const struct cs_hash *contract, uint64_t index)
{
	struct cs_keccak row;
	begin(&row, WIRE_TAG_FEED);
	add(&row, contract);
	add_u64(&row, index);
	return cs_keccak_end(&row);
}

struct cs_hash wire_leaf_feed(const struct wire_feed_value *feed)
{
	struct cs_keccak row;
	begin(&row, WIRE_TAG_LEAF_FEED);
	add(&row, &feed->feed_id);
	add(&row, &feed->spec_hash);
	add_u64(&row, feed->observed_at);
	add(&row, &feed->evidence_hash);
	add(&row, &feed->value);
	return cs_keccak_end(&row);
}
