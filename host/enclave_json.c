#include "host/enclave_json.h"

#include "host/json_values.h"
#include "wire/convert.h"

/* The names of the bits that are set; the table is the enclave's. */
static json_t *insecure_json(uint64_t flags)
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
	json_object_set_new(json, "insecure", insecure_json(hello->insecure_flags));
	json_object_set_new(json, "rollback_detected_only_within_process",
			    json_boolean(hello->rollback_detected_only_within_process));
	json_object_set_new(json, "evidence", host_json_hex(wire_pb_view(hello->evidence)));
	json_object_set_new(json, "evidence_digest", host_json_hash(&digest));
	return json;
}
