#include "host/evidence_read.h"

#include "host/json_values.h"
#include "wire/report.h"

#include <string.h>

#define KEYS_MAX 64u

static enum cs_err read_role(enum wire_report_role *role, const json_t *json, struct cs_why *why)
{
	const char *name = json_string_value(json_object_get(json, "role"));
	for (unsigned i = 0; name != NULL && i < WIRE_REPORT_ROLE_COUNT; i++) {
		*role = (enum wire_report_role)i;
		if (strcmp(wire_report_role_name(*role), name) == 0)
			return CS_OK;
	}
	return cs_fail(why, CS_ERR_MALFORMED, "role: none that is known");
}

static enum cs_err read_keys(struct cs_hash *hash, const json_t *json, struct cs_arena *arena,
			     struct cs_why *why)
{
	const json_t *list = json_object_get(json, "keys");
	struct cs_keccak keys;
	if (!json_is_array(list) || json_array_size(list) > KEYS_MAX)
		return cs_fail(why, CS_ERR_MALFORMED, "keys: no list of at most %u", KEYS_MAX);
	wire_report_keys_begin(&keys);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *row = json_array_get(list, i);
		struct wire_report_key key;
		struct cs_bytes address;
		CS_TRY(host_json_read_hash(row, "identity", &key.chain, why));
		CS_TRY(host_json_read_u64(row, "epoch", &key.epoch, why));
		CS_TRY(host_json_read_hash(row, "public_key", &key.x, why));
		CS_TRY(host_json_read_hex(row, "gas_address", sizeof(key.gas_address.b), arena,
					  &address, why));
		if (address.n != sizeof(key.gas_address.b))
			return cs_fail(why, CS_ERR_MALFORMED, "gas_address: not 20 bytes");
		memcpy(key.gas_address.b, address.p, address.n);
		wire_report_keys_add(&keys, &key);
	}
	*hash = cs_keccak_end(&keys);
	return CS_OK;
}

static enum cs_err read_report(struct wire_report *report, struct cs_bytes *nonce,
			       const json_t *json, struct cs_arena *arena, struct cs_why *why)
{
	static const char *const names[] = {"role",
					    "nonce",
					    "backend",
					    "schema_digest",
					    "manifest_hash",
					    "manifest_number",
					    "lineage",
					    "insecure_flags",
					    "insecure",
					    "keys",
					    "report_data",
					    "evidence",
					    "evidence_digest",
					    NULL};
	CS_TRY(host_json_known(json, names, "the document", why));
	CS_TRY(read_role(&report->role, json, why));
	CS_TRY(read_keys(&report->key, json, arena, why));
	CS_TRY(host_json_read_hex(json, "nonce", WIRE_REPORT_NONCE_SIZE_MAX, arena, nonce, why));
	if (wire_report_fresh_nonce(&report->fresh, *nonce) != CS_OK)
		return cs_fail(why, CS_ERR_MALFORMED, "nonce: not 16 to 64 bytes");
	CS_TRY(host_json_read_hash(json, "manifest_hash", &report->manifest_hash, why));
	CS_TRY(host_json_read_u64(json, "manifest_number", &report->manifest_number, why));
	CS_TRY(host_json_read_hash(json, "lineage", &report->lineage, why));
	CS_TRY(host_json_read_hash(json, "schema_digest", &report->schema_digest, why));
	return host_json_read_u64(json, "insecure_flags", &report->insecure_flags, why);
}

bool host_evidence_is_document(const json_t *json)
{
	return json_is_string(json_object_get(json, "evidence"));
}

enum cs_err host_evidence_read(struct host_evidence_document *out, const json_t *json,
			       size_t size_max, struct cs_arena *arena, struct cs_why *why)
{
	struct host_evidence_document made;
	struct wire_report report;
	CS_TRY(read_report(&report, &made.nonce, json, arena, why));
	CS_TRY(host_json_read_hex(json, "evidence", size_max, arena, &made.evidence, why));
	const struct cs_hash hash = wire_report_hash(&report);
	made.report_data = cs_arena_copy(arena, CS_BYTES_OF(hash.b));
	if (made.report_data.p == NULL)
		return CS_ERR_NO_MEMORY;
	made.insecure_flags = report.insecure_flags;
	*out = made;
	return CS_OK;
}

json_t *host_evidence_bound(const json_t *document)
{
	static const char *const bound[] = {"role",          "nonce",           "keys",
					    "manifest_hash", "manifest_number", "lineage",
					    "schema_digest", "insecure_flags"};
	json_t *json = json_object();
	for (size_t i = 0; i < sizeof(bound) / sizeof(bound[0]); i++)
		json_object_set(json, bound[i], json_object_get(document, bound[i]));
	return json;
}
