/* Preimages and the key schedule against numbers that other code made (tests/vectors/cluster), and what a ring
 * refuses. */
#include "scene.h"
#include "wire/convert.h"

static ProtobufCBinaryData field(const json_t *object, const char *key)
{
	const struct cs_bytes bytes = bytes_of(object, key);
	return (ProtobufCBinaryData){bytes.n, (uint8_t *)(uintptr_t)bytes.p};
}

static uint64_t number_of(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	assert_true(json_is_integer(value));
	return (uint64_t)json_integer_value(value);
}

static ProtobufCBinaryData *fields(const json_t *object, const char *key, size_t *count)
{
	const json_t *array = json_object_get(object, key);
	*count = json_array_size(array);
	ProtobufCBinaryData *out = keep(*count * sizeof *out);
	for (size_t i = 0; i < *count; i++) {
		const struct cs_bytes b = unhex(json_string_value(json_array_get(array, i)));
		out[i] = (ProtobufCBinaryData){b.n, (uint8_t *)(uintptr_t)b.p};
	}
	return out;
}

static void is(struct cs_hash made, const json_t *v, const char *key)
{
	const struct cs_hash expected = hash_of(v, key);
	assert_memory_equal(made.b, expected.b, sizeof made.b);
}

static void preimages(void **state)
{
	(void)state;
	json_t *all = read_json(CS_VECTORS "/cluster/cluster.json");
	const json_t *v = json_object_get(all, "messages");
	const struct cs_hash lineage = hash_of(v, "lineage");
	Caisson__Wire__ClusterCsr csr = CAISSON__WIRE__CLUSTER_CSR__INIT;
	csr.application = (char *)(uintptr_t)text_of(v, "application");
	csr.key = field(v, "key");
	csr.box_key = field(v, "box_key");
	csr.nonce = field(v, "nonce");
	const struct cs_hash csr_hash = cluster_hash_csr(&lineage, &csr);
	is(csr_hash, v, "csr_hash");

	const struct cluster_channel channel = {.exporter = hash_of(v, "exporter"),
						.client_spki = hash_of(v, "client_spki"),
						.server_spki = hash_of(v, "server_spki")};
	Caisson__Wire__ClusterVouchRequest vouch = CAISSON__WIRE__CLUSTER_VOUCH_REQUEST__INIT;
	vouch.csr = &csr;
	vouch.build = (char *)(uintptr_t)text_of(v, "build");
	vouch.kind = (uint32_t)number_of(v, "kind");
	vouch.manifest_number = number_of(v, "manifest_number");
	vouch.guard_key = field(v, "guard_key");
	vouch.platform = field(v, "platform");
	is(cluster_hash_vouch(&lineage, &channel, &vouch), v, "vouch_hash");

	Caisson__Wire__ClusterAnchor anchor = CAISSON__WIRE__CLUSTER_ANCHOR__INIT;
	anchor.key_server = field(v, "key_server");
	anchor.manifest_number = number_of(v, "manifest_number");
	anchor.epoch = number_of(v, "epoch");
	anchor.counter = number_of(v, "counter");
	anchor.authority = field(v, "authority");
	is(cluster_hash_anchor(&lineage, &anchor), v, "anchor_hash");

	Caisson__Wire__ClusterStatement statement = CAISSON__WIRE__CLUSTER_STATEMENT__INIT;
	statement.issued_s = number_of(v, "issued_s");
	statement.anchor_key = field(v, "anchor_key");
	statement.authorities = fields(v, "authorities", &statement.n_authorities);
	struct wire_report_fresh expected;
	const struct cs_hash nonce = hash_of(v, "statement_nonce");
	ok(wire_report_fresh_nonce(&expected, CS_BYTES_OF(nonce.b)));
	struct wire_report_fresh made = cluster_fresh_statement(&lineage, &statement);
	assert_memory_equal(&made, &expected, sizeof made);

	Caisson__Wire__ClusterGrant grant = CAISSON__WIRE__CLUSTER_GRANT__INIT;
	grant.statement = &statement;
	grant.anchor = &anchor;
	grant.certificate = field(v, "certificate");
	grant.sealed = field(v, "sealed");
	grant.revoked = fields(v, "revoked", &grant.n_revoked);
	is(cluster_hash_grant(&lineage, &csr_hash, &grant), v, "grant_hash");

	struct cs_hash revoked[2];
	assert_int_equal(grant.n_revoked, CS_LEN(revoked));
	for (size_t i = 0; i < CS_LEN(revoked); i++)
		memcpy(revoked[i].b, grant.revoked[i].data, sizeof revoked[i].b);
	is(cluster_hash_revoked(&lineage, revoked, CS_LEN(revoked)), v, "revoked_hash");

	const struct cs_hash guard = hash_of(v, "guard_spki"), challenge = hash_of(v, "challenge");
	const struct cs_hash local = hash_of(v, "local_nonce");
	ok(wire_report_fresh_nonce(&expected, CS_BYTES_OF(local.b)));
	made = cluster_fresh_local(&lineage, &guard, &challenge, &csr_hash);
	assert_memory_equal(&made, &expected, sizeof made);
	json_decref(all);
}

static void take_secret(struct cs_secret *out, const json_t *v, const char *key)
{
	const struct cs_hash hash = hash_of(v, key);
	memcpy(out->b, hash.b, sizeof out->b);
}

static void the_schedule(void **state)
{
	(void)state;
	const struct verify_time now = {SCENE_NOW, SCENE_NOW};
	json_t *all = read_json(CS_VECTORS "/cluster/cluster.json");
	const json_t *list = json_object_get(all, "keys");
	assert_int_equal(json_array_size(list), 2);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *v = json_array_get(list, i);
		const bool insecure = json_is_true(json_object_get(v, "insecure"));
		const struct cs_hash lineage = hash_of(v, "lineage");
		struct cluster_epoch epoch = {.number = number_of(v, "epoch")};
		struct cs_secret key, expected, salt;
		struct cluster_pair authority;
		struct cluster_ring ring = {.lineage = lineage,
					    .insecure = insecure,
					    .application_size = 7,
					    .application = "records",
					    .until_s = SCENE_NOW,
					    .count = 1};
		take_secret(&epoch.root, v, "root");
		take_secret(&expected, v, "application_key");
		take_secret(&salt, v, "salt");
		cluster_key_application(&key, &epoch, &lineage, insecure, CLUSTER_WORKER,
					cs_bytes_str(text_of(v, "application")));
		assert_memory_equal(key.b, expected.b, sizeof key.b);
		ok(cluster_key_authority(&authority, &epoch, &lineage, insecure));
		take_secret(&expected, v, "authority_secret");
		assert_memory_equal(authority.secret.b, expected.b, sizeof key.b);

		ring.keys[0] = (struct cluster_epoch_key){.epoch = epoch.number, .key = key};
		const struct cs_bytes purpose = cs_bytes_str(text_of(v, "purpose"));
		const struct cs_bytes sealed = bytes_of(v, "sealed"), plain = bytes_of(v, "plain");
		struct cs_buf out = scene_buf(1024);
		ok(cluster_data_seal(&out, &ring, purpose, bytes_of(v, "aad"), plain, &salt, &now));
		assert_true(cs_bytes_eq(cs_buf_view(&out), sealed));
		out = scene_buf(1024);
		ok(cluster_data_open(&out, &ring, purpose, bytes_of(v, "aad"), sealed, &now));
		assert_true(cs_bytes_eq(cs_buf_view(&out), plain));

		struct cluster_program_secret secret;
		ok(cluster_program_secret(&secret, &ring, purpose, 0, &now));
		take_secret(&expected, v, "program_secret");
		assert_memory_equal(secret.secret.b, expected.b, sizeof expected.b);
		assert_int_equal(secret.epoch, epoch.number);
		out = scene_buf(1024);
		ok(cluster_file_seal(&out, &ring, purpose, plain, &salt, &now));
		assert_true(cs_bytes_eq(cs_buf_view(&out), bytes_of(v, "file")));
	}
	json_decref(all);
}

static struct cluster_ring a_ring(void)
{
	return (struct cluster_ring){
		.application_size = 7,
		.application = "records",
		.until_s = SCENE_NOW + 100,
		.count = 2,
		.keys = {{.epoch = 1, .decrypt_until_s = SCENE_NOW + 50, .key = {{1}}},
			 {.epoch = 2, .key = {{2}}}},
	};
}

static void what_a_ring_refuses(void **state)
{
	(void)state;
	struct cluster_ring ring = a_ring(), other = a_ring();
	struct verify_time now = {SCENE_NOW, SCENE_NOW};
	const struct cs_secret salt = {{3}};
	const struct cs_bytes rows = cs_bytes_str("rows"), aad = cs_bytes_str("7");
	struct cs_buf sealed = scene_buf(1024), out = scene_buf(1024);
	ok(cluster_data_seal(&sealed, &ring, rows, aad, cs_bytes_str("plain"), &salt, &now));
	/* The newest epoch alone encrypts. */
	assert_int_equal(cs_be64(sealed.p + 1), 2);
	const struct cs_bytes whole = cs_buf_view(&sealed);
	ok(cluster_data_open(&out, &ring, rows, aad, whole, &now));
	assert_int_equal(cluster_data_open(&out, &ring, cs_bytes_str("files"), aad, whole, &now),
			 CS_ERR_SEAL_BROKEN);
	assert_int_equal(cluster_data_open(&out, &ring, rows, cs_bytes_str("8"), whole, &now),
			 CS_ERR_SEAL_BROKEN);
	other.application[0] = 'x';
	assert_int_equal(cluster_data_open(&out, &other, rows, aad, whole, &now),
			 CS_ERR_SEAL_BROKEN);
	other = a_ring();
	other.lineage.b[0] = 1;
	assert_int_equal(cluster_data_open(&out, &other, rows, aad, whole, &now),
			 CS_ERR_SEAL_BROKEN);
	for (size_t i = 1 + 8; i < whole.n; i++) {
		sealed.p[i] ^= 1;
		assert_int_equal(cluster_data_open(&out, &ring, rows, aad, whole, &now),
				 CS_ERR_SEAL_BROKEN);
		sealed.p[i] ^= 1;
	}
	/* Under the old epoch's number it is another key. */
	sealed.p[8] = 1;
	assert_int_equal(cluster_data_open(&out, &ring, rows, aad, whole, &now),
			 CS_ERR_SEAL_BROKEN);
	now.high_s = SCENE_NOW + 51;
	assert_int_equal(cluster_data_open(&out, &ring, rows, aad, whole, &now), CS_ERR_EXPIRED);
	sealed.p[8] = 3;
	assert_int_equal(cluster_data_open(&out, &ring, rows, aad, whole, &now),
			 CS_ERR_WRONG_EPOCH);
	sealed.p[8] = 2;
	ok(cluster_data_open(&out, &ring, rows, aad, whole, &now));
	/* With the certificate everything ends. */
	now.high_s = SCENE_NOW + 101;
	assert_int_equal(cluster_data_open(&out, &ring, rows, aad, whole, &now), CS_ERR_EXPIRED);
	assert_int_equal(cluster_data_seal(&out, &ring, rows, aad, aad, &salt, &now),
			 CS_ERR_EXPIRED);
	now.high_s = 0;
	assert_int_equal(cluster_data_seal(&out, &ring, rows, aad, aad, &salt, &now),
			 CS_ERR_NO_TIME);
	now.high_s = SCENE_NOW;
	sealed.p[0] = 2;
	assert_int_equal(cluster_data_open(&out, &ring, rows, aad, whole, &now),
			 CS_ERR_UNSUPPORTED);
	assert_int_equal(cluster_data_open(&out, &ring, rows, aad,
					   cs_bytes(whole.p, CLUSTER_DATA_OVERHEAD - 1), &now),
			 CS_ERR_TRUNCATED);
	assert_int_equal(
		cluster_data_seal(&out, &ring, cs_bytes_str("Rows"), aad, aad, &salt, &now),
		CS_ERR_INVALID);
	struct cs_buf small = scene_buf(CLUSTER_DATA_OVERHEAD);
	assert_int_equal(cluster_data_seal(&small, &ring, rows, aad, aad, &salt, &now),
			 CS_ERR_TOO_LARGE);
	ring.count = 0;
	assert_int_equal(cluster_data_seal(&out, &ring, rows, aad, aad, &salt, &now),
			 CS_ERR_NO_KEY);
}

static void secrets_of_programs(void **state)
{
	(void)state;
	struct cluster_ring ring = a_ring(), other = a_ring();
	struct verify_time now = {SCENE_NOW, SCENE_NOW};
	struct cluster_program_secret a, b;
	const struct cs_secret salt = {{3}};
	const struct cs_bytes name = cs_bytes_str("reports");
	struct cs_buf out = scene_buf(1024), small = scene_buf(CLUSTER_FILE_OVERHEAD);
	ok(cluster_program_secret(&a, &ring, name, 0, &now));
	assert_int_equal(a.epoch, 2);
	assert_int_equal(a.until_s, 0);
	/* One for each name, epoch, application and cluster. */
	ok(cluster_program_secret(&b, &ring, name, 1, &now));
	assert_int_equal(b.until_s, SCENE_NOW + 50);
	assert_memory_not_equal(a.secret.b, b.secret.b, 32);
	ok(cluster_program_secret(&b, &ring, cs_bytes_str("report"), 0, &now));
	assert_memory_not_equal(a.secret.b, b.secret.b, 32);
	other.application[0] = 'x';
	ok(cluster_program_secret(&b, &other, name, 0, &now));
	assert_memory_not_equal(a.secret.b, b.secret.b, 32);
	other = a_ring();
	other.lineage.b[0] = 1;
	ok(cluster_program_secret(&b, &other, name, 0, &now));
	assert_memory_not_equal(a.secret.b, b.secret.b, 32);
	/* What is refused. */
	assert_int_equal(cluster_program_secret(&b, &ring, CS_BYTES_NONE, 0, &now), CS_ERR_INVALID);
	assert_int_equal(cluster_program_secret(&b, &ring, cs_bytes_str("Reports"), 0, &now),
			 CS_ERR_INVALID);
	assert_int_equal(cluster_program_secret(&b, &ring, name, 3, &now), CS_ERR_WRONG_EPOCH);
	assert_int_equal(cluster_file_seal(&small, &ring, name, cs_bytes_str("x"), &salt, &now),
			 CS_ERR_TOO_LARGE);
	now.high_s = SCENE_NOW + 51;
	assert_int_equal(cluster_program_secret(&b, &ring, name, 1, &now), CS_ERR_EXPIRED);
	ok(cluster_program_secret(&b, &ring, name, 2, &now));
	now.high_s = SCENE_NOW + 101;
	assert_int_equal(cluster_program_secret(&b, &ring, name, 2, &now), CS_ERR_EXPIRED);
	assert_int_equal(cluster_file_seal(&out, &ring, name, cs_bytes_str("x"), &salt, &now),
			 CS_ERR_EXPIRED);
	assert_int_equal(out.n, 0);
	ring.count = 0;
	now.high_s = SCENE_NOW;
	assert_int_equal(cluster_program_secret(&b, &ring, name, 0, &now), CS_ERR_NO_KEY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(preimages),
		cmocka_unit_test(the_schedule),
		cmocka_unit_test(what_a_ring_refuses),
		cmocka_unit_test(secrets_of_programs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
