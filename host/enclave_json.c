#include "host/enclave_json.h"

#include "host/json_values.h"
#include "wire/convert.h"

const char *host_enclave_anchor_name(uint32_t state)
{
	static const char *const names[] = {"not_proven", "proven", "keys_not_anchored",
					    "rolled_back"};
	return state < CS_LEN(names) ? names[state] : "unknown";
}

/* The names of the bits that are set; the table is the enclave's. */
json_t *host_insecure_json(uint64_t flags)
{
	static const struct {
		unsigned bit;
		const char *name;
	} rows[] = {
#define INSECURE(bit, name, option, sentence) {bit, #name},
#include "enclave/insecure.def"
#undef INSECURE
	};
	json_t *list = json_array();
	for (size_t i = 0; i < CS_LEN(rows); i++) {
		if (flags >> rows[i].bit & 1)
			json_array_append_new(list, json_string(rows[i].name));
	}
	return list;
}

/* null where the time is the host's. */
static json_t *anchor_json(const Caisson__Wire__AnchorStatus *anchor)
{
	if (!anchor)
		return json_null();
	json_t *json = json_object();
	json_object_set_new(json, "state", json_string(host_enclave_anchor_name(anchor->state)));
	json_object_set_new(json, "epoch", host_json_u64(anchor->epoch));
	json_object_set_new(json, "counter", host_json_u64(anchor->counter));
	json_object_set_new(json, "proven_epoch", host_json_u64(anchor->proven_epoch));
	json_object_set_new(json, "proven_counter", host_json_u64(anchor->proven_counter));
	json_object_set_new(json, "proof_height", host_json_u64(anchor->proof_height));
	json_object_set_new(json, "proof_time", host_json_u64(anchor->proof_time_s));
	return json;
}

json_t *host_enclave_json(const Caisson__Wire__HelloReply *hello)
{
	json_t *json = json_object();
	struct cs_hash digest = cs_keccak256(wire_pb_view(hello->evidence));
	json_object_set_new(json, "backend", json_string(hello->backend));
	json_object_set_new(json, "build", json_string(hello->build));
	json_object_set_new(json, "version", host_json_u64(hello->version));
	json_object_set_new(json, "schema_digest",
			    host_json_hex(wire_pb_view(hello->schema_digest)));
	json_object_set_new(json, "measurement", host_json_hex(wire_pb_view(hello->measurement)));
	json_object_set_new(json, "manifest_hash",
			    host_json_hex(wire_pb_view(hello->manifest_hash)));
	json_object_set_new(json, "manifest_number", host_json_u64(hello->manifest_number));
	json_object_set_new(json, "lineage", host_json_hex(wire_pb_view(hello->lineage)));
	json_object_set_new(json, "insecure_flags", host_json_u64(hello->insecure_flags));
	json_object_set_new(json, "insecure", host_insecure_json(hello->insecure_flags));
	json_object_set_new(json, "rollback_detected_only_within_process",
			    json_boolean(hello->rollback_detected_only_within_process));
	json_object_set_new(json, "time_source",
			    json_string(hello->anchor ? "ledger" : "insecure_host_time"));
	json_object_set_new(json, "anchor", anchor_json(hello->anchor));
	json_object_set_new(json, "evidence", host_json_hex(wire_pb_view(hello->evidence)));
	json_object_set_new(json, "evidence_digest", host_json_hash(&digest));
	return json;
}
