/* The cluster's manifest: lineages, signatures, and everything that it may not say. */
#include "scene.h"

static enum cs_err read(struct scene *s, struct cs_bytes file,
			const struct cluster_manifest *before, struct cluster_manifest *out)
{
	struct cs_why why;
	const size_t mark = cs_arena_mark(&s->manifests);
	const enum cs_err err =
		cluster_manifest_read(out, file, before, s->sig, &s->manifests, &why);
	if (err != CS_OK)
		cs_arena_rewind(&s->manifests, mark);
	return err;
}

static enum cs_err try(struct scene *s, const struct scene_manifest *text,
		       const struct cluster_manifest *before)
{
	struct cluster_manifest m;
	return read(s, scene_manifest_file(s, text, before), before, &m);
}

static void a_lineage(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	struct scene_manifest text = scene_manifest();
	const struct verify_time now = {SCENE_NOW, SCENE_NOW};
	struct cs_why why;
	const struct cluster_manifest *first = scene_manifest_read(s, &text, NULL);
	assert_true(cs_hash_eq(&first->hash, cluster_manifest_lineage(first)));
	assert_true(first->insecure && first->insecure_host_time);
	text.number = 2;
	text.workers = "wx";
	const struct cluster_manifest *second = scene_manifest_read(s, &text, first);
	assert_true(cs_hash_eq(&first->hash, cluster_manifest_lineage(second)));
	ok(cluster_manifest_accepts(second, 1, &first->hash, &why));
	ok(cluster_manifest_accepts(first, 2, &second->hash, &why));
	assert_int_equal(cluster_manifest_accepts(second, 1, &second->hash, &why),
			 CS_ERR_WRONG_MANIFEST);
	assert_int_equal(cluster_manifest_accepts(second, 0, &first->hash, &why),
			 CS_ERR_WRONG_MANIFEST);
	const struct cs_bytes records = cs_bytes_str(APPLICATION);
	ok(cluster_manifest_allows(second, cs_bytes_str("worker-x"), records, &now, &why));
	assert_int_equal(
		cluster_manifest_allows(first, cs_bytes_str("worker-x"), records, &now, &why),
		CS_ERR_UNLISTED_BUILD);
	/* What does not follow. */
	assert_int_equal(try(s, &text, NULL), CS_ERR_WRONG_LINEAGE);
	assert_int_equal(try(s, &text, second), CS_ERR_WRONG_LINEAGE);
	text.number = 3;
	assert_int_equal(try(s, &text, first), CS_ERR_WRONG_LINEAGE);
	text.number = 2;
	struct scene_manifest other = scene_manifest();
	other.worker_s = 1000;
	const struct cluster_manifest *stranger = scene_manifest_read(s, &other, NULL);
	struct cluster_manifest m;
	assert_int_equal(read(s, scene_manifest_file(s, &text, stranger), first, &m),
			 CS_ERR_WRONG_LINEAGE);
	scene_free(s);
}

static void k_of_n_administrators(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	struct scene_manifest text = scene_manifest();
	struct cluster_manifest m;
	text.signers = 1;
	assert_int_equal(try(s, &text, NULL), CS_ERR_UNAUTHORIZED);
	text.signers = 0;
	assert_int_equal(try(s, &text, NULL), CS_ERR_UNAUTHORIZED);
	text.signers = 3;
	ok(try(s, &text, NULL));
	/* Every byte: nothing else was signed. */
	text.signers = 2;
	const struct cs_bytes file = scene_manifest_file(s, &text, NULL);
	uint8_t *p = keep(file.n);
	memcpy(p, file.p, file.n);
	for (size_t i = 0; i < file.n; i++) {
		p[i] ^= 1;
		assert_int_not_equal(read(s, cs_bytes(p, file.n), NULL, &m), CS_OK);
		p[i] ^= 1;
	}
	ok(read(s, cs_bytes(p, file.n), NULL, &m));
	/* The administrators of before say it, not those that the new one names. */
	const struct cluster_manifest *first = scene_manifest_read(s, &text, NULL);
	text.number = 2;
	s->administrators[0].b[0] = 7;
	s->administrators[1].b[0] = 7;
	assert_int_equal(try(s, &text, first), CS_ERR_WRONG_KEY);
	scene_free(s);
}

static void insecure_is_for_ever(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	struct scene_manifest text = scene_manifest();
	const struct cluster_manifest *insecure = scene_manifest_read(s, &text, NULL);
	text.secure = true;
	const struct cluster_manifest *secure = scene_manifest_read(s, &text, NULL);
	assert_false(secure->insecure || secure->insecure_host_time);
	text.number = 2;
	assert_false(scene_manifest_read(s, &text, secure)->insecure);
	/* What was insecure stays so, whatever the next one says. */
	assert_true(scene_manifest_read(s, &text, insecure)->insecure);
	text.secure = false;
	assert_int_equal(try(s, &text, secure), CS_ERR_INSECURE_REFUSED);
	/* A ledger's time is not given up, in an insecure lineage neither; the other way it is taken. */
	text = scene_manifest();
	text.ledger = true;
	const struct cluster_manifest *timed = scene_manifest_read(s, &text, NULL);
	text.number = 2;
	ok(try(s, &text, insecure));
	text.ledger = false;
	assert_int_equal(try(s, &text, timed), CS_ERR_INSECURE_REFUSED);
	scene_free(s);
}

static void what_it_may_not_say(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	struct scene_manifest text = scene_manifest();
	text.guards = "";
	assert_int_equal(try(s, &text, NULL), CS_ERR_INVALID);
	text = scene_manifest();
	text.guards = "gg";
	assert_int_equal(try(s, &text, NULL), CS_ERR_DUPLICATE);
	text = scene_manifest();
	text.worker_s = 1;
	assert_int_equal(try(s, &text, NULL), CS_ERR_INVALID);
	text.worker_s = 3601;
	assert_int_not_equal(try(s, &text, NULL), CS_OK);
	text = scene_manifest();
	text.peer_number_min = 2;
	assert_int_equal(try(s, &text, NULL), CS_ERR_INVALID);
	text.peer_number_min = 0;
	assert_int_equal(try(s, &text, NULL), CS_ERR_INVALID);
	text = scene_manifest();
	text.worker_policy = "\"surprise\":1,";
	assert_int_not_equal(try(s, &text, NULL), CS_OK);
	text = scene_manifest();
	text.recovery = "{\"keys\":[\"0x"
			"0101010101010101010101010101010101010101010101010101010101010101\"],"
			"\"threshold\":2}";
	assert_int_equal(try(s, &text, NULL), CS_ERR_INVALID);
	text.recovery = "{\"keys\":[\"0x"
			"0101010101010101010101010101010101010101010101010101010101010101\"],"
			"\"threshold\":0}";
	assert_int_equal(try(s, &text, NULL), CS_ERR_INVALID);
	text.recovery = "{\"keys\":[\"0x"
			"0101010101010101010101010101010101010101010101010101010101010101\"],"
			"\"threshold\":1}";
	ok(try(s, &text, NULL));
	/* The ledger's object beside the host's time, and the other way; a quorum of half; a life that
	 * the clocks' error eats up. */
	text = scene_manifest();
	text.ledger_text = "{}";
	assert_int_equal(try(s, &text, NULL), CS_ERR_INVALID);
	text.ledger = true;
	assert_int_equal(try(s, &text, NULL), CS_ERR_MISSING_FIELD);
#define TWO_KEYS "\"time_keys\":[" ONE_KEY("01") "," ONE_KEY("02") "]}"
#define ONE_KEY(x) "\"0x" x "010101010101010101010101010101010101010101010101010101010101" x "\""
	text.ledger_text = "{\"clock_error_s\":1,\"quorum\":1," TWO_KEYS;
	assert_int_equal(try(s, &text, NULL), CS_ERR_INVALID);
	text.ledger_text = "{\"clock_error_s\":1,\"quorum\":3," TWO_KEYS;
	assert_int_equal(try(s, &text, NULL), CS_ERR_INVALID);
	text.ledger_text = "{\"clock_error_s\":900,\"quorum\":2," TWO_KEYS;
	assert_int_equal(try(s, &text, NULL), CS_ERR_INVALID);
	text.ledger_text = "{\"clock_error_s\":1,\"height\":1,\"quorum\":2," TWO_KEYS;
	assert_int_equal(try(s, &text, NULL), CS_ERR_UNKNOWN_FIELD);
	text.ledger_text = "{\"clock_error_s\":899,\"quorum\":2," TWO_KEYS;
	ok(try(s, &text, NULL));
	struct cluster_manifest m;
	assert_int_equal(read(s, cs_bytes_str("{}"), NULL, &m), CS_ERR_MISSING_FIELD);
	assert_int_equal(read(s, cs_bytes_str(" {}"), NULL, &m), CS_ERR_NON_CANONICAL);
	scene_free(s);
}

#define HASH_A \
	"0x"   \
	"0101010101010101010101010101010101010101010101010101010101010101"
#define HASH_B \
	"0x"   \
	"0202020202020202020202020202020202020202020202020202020202020202"
#define OF(rules) "[{\"application\":\"records\",\"name\":\"reports\",\"rules\":" rules "}]"

static void which_programs_get_a_secret(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	struct scene_manifest text = scene_manifest();
	struct cs_why why;
	text.programs = OF("[{\"hash\":\"" HASH_A "\",\"kind\":\"executable\",\"user\":7},"
			   "{\"hash\":\"" HASH_B "\",\"kind\":\"interpreter\",\"user\":8},"
			   "{\"hash\":\"" HASH_A "\",\"kind\":\"container\",\"user\":9},"
			   "{\"kind\":\"user\",\"user\":10}]");
	const struct cluster_manifest *m = scene_manifest_read(s, &text, NULL);
	const struct cs_bytes records = cs_bytes_str(APPLICATION), name = cs_bytes_str("reports");
	struct cluster_program program = {.user = 7};
	memset(program.executable.b, 1, 32);
	ok(cluster_manifest_provides(m, records, name, &program, &why));
	assert_true(cluster_manifest_has_secret(m, records, name));
	assert_false(cluster_manifest_has_secret(m, cs_bytes_str("sealed"), name));
	assert_int_equal(
		cluster_manifest_provides(m, records, cs_bytes_str("report"), &program, &why),
		CS_ERR_NOT_IN_MANIFEST);
	assert_int_equal(cluster_manifest_provides(m, cs_bytes_str("sealed"), name, &program, &why),
			 CS_ERR_NOT_IN_MANIFEST);
	/* A rule about programs is never one about what runs scripts. */
	program.is_interpreter = true;
	assert_int_equal(cluster_manifest_provides(m, records, name, &program, &why),
			 CS_ERR_FORBIDDEN);
	program.is_interpreter = false;
	program.executable.b[31] = 2;
	assert_int_equal(cluster_manifest_provides(m, records, name, &program, &why),
			 CS_ERR_FORBIDDEN);
	memset(program.executable.b, 2, 32);
	program.user = 8;
	ok(cluster_manifest_provides(m, records, name, &program, &why));
	program.user = 7;
	assert_int_equal(cluster_manifest_provides(m, records, name, &program, &why),
			 CS_ERR_FORBIDDEN);
	program.user = 9;
	memset(program.container.b, 1, 32);
	assert_int_equal(cluster_manifest_provides(m, records, name, &program, &why),
			 CS_ERR_FORBIDDEN);
	program.has_container = true;
	ok(cluster_manifest_provides(m, records, name, &program, &why));
	program.container.b[0] = 9;
	assert_int_equal(cluster_manifest_provides(m, records, name, &program, &why),
			 CS_ERR_FORBIDDEN);
	program.user = 10;
	ok(cluster_manifest_provides(m, records, name, &program, &why));
	scene_free(s);
}

static void what_a_manifest_may_not_say_of_programs(void **state)
{
	(void)state;
	static const struct {
		const char *programs;
		enum cs_err err;
	} rows[] = {
		{"[]", CS_ERR_INVALID},
		{"{}", CS_ERR_INVALID},
		{OF("[]"), CS_ERR_INVALID},
		{OF("[{\"kind\":\"everybody\",\"user\":1}]"), CS_ERR_UNSUPPORTED},
		{OF("[{\"kind\":\"executable\",\"user\":1}]"), CS_ERR_MISSING_FIELD},
		{OF("[{\"hash\":\"" HASH_A "\",\"kind\":\"executable\"}]"), CS_ERR_MISSING_FIELD},
		{OF("[{\"hash\":\"" HASH_A "\",\"kind\":\"user\",\"user\":1}]"),
		 CS_ERR_UNKNOWN_FIELD},
		{OF("[{\"hash\":\"0x01\",\"kind\":\"executable\",\"user\":1}]"), CS_ERR_MALFORMED},
		{OF("[{\"kind\":\"user\",\"user\":4294967295}]"), CS_ERR_OVERFLOW},
		{"[{\"application\":\"nobody\",\"name\":\"a\",\"rules\":[{\"kind\":\"user\","
		 "\"user\":1}]}]",
		 CS_ERR_INVALID},
		{"[{\"application\":\"records\",\"name\":\"A\",\"rules\":[{\"kind\":\"user\","
		 "\"user\":1}]}]",
		 CS_ERR_INVALID},
		{"[{\"application\":\"records\",\"name\":\"a\",\"rules\":[{\"kind\":\"user\","
		 "\"user\":1}]},{\"application\":\"records\",\"name\":\"a\",\"rules\":[{\"kind\":"
		 "\"user\",\"user\":2}]}]",
		 CS_ERR_DUPLICATE},
	};
	struct scene *s = scene_new();
	struct scene_manifest text = scene_manifest();
	for (size_t i = 0; i < CS_LEN(rows); i++) {
		text.programs = rows[i].programs;
		const enum cs_err err = try(s, &text, NULL);
		if (err != rows[i].err)
			fail_msg("%s: %s", rows[i].programs, cs_err_name(err));
	}
	/* What a program is, is a machine's word: a lineage without anything insecure never takes it. */
	text = scene_manifest();
	text.secure = true;
	const struct cluster_manifest *first = scene_manifest_read(s, &text, NULL);
	assert_false(first->insecure);
	text.number = 2;
	ok(try(s, &text, first));
	text.programs = OF("[{\"kind\":\"user\",\"user\":1}]");
	assert_int_equal(try(s, &text, first), CS_ERR_INSECURE_REFUSED);
	text.number = 1;
	assert_true(scene_manifest_read(s, &text, NULL)->insecure);
	scene_free(s);
}

/* {"insecure_amd":[…],"insecure_intel":[…],"tpm":[…]}: a root of Intel's or nothing in each place. */
static const char *roots(bool amd, bool intel, bool tpm)
{
	struct cs_buf out = scene_buf(65536);
	char *hex = keep(2 * attest_roots_vendors.intel[0].n + 1);
	cs_hex(hex, attest_roots_vendors.intel[0]);
	const struct {
		const char *name;
		bool has;
	} members[] = {{"insecure_amd", amd}, {"insecure_intel", intel}, {"tpm", tpm}};
	for (size_t i = 0; i < CS_LEN(members); i++) {
		cs_put_text(&out, "%s\"%s\":[", i == 0 ? "{" : ",", members[i].name);
		if (members[i].has) {
			cs_put_text(&out, "\"0x");
			cs_put(&out, cs_bytes_str(hex));
			cs_put_text(&out, "\"");
		}
		cs_put_text(&out, "]");
	}
	cs_put_text(&out, "}");
	cs_put_u8(&out, 0);
	ok(cs_buf_end(&out));
	return (const char *)out.p;
}

static void roots_are_the_manifest_s(void **state)
{
	(void)state;
	struct scene *s = scene_new();
	struct scene_manifest text = scene_manifest();
	const struct attest_roots *found = &scene_manifest_read(s, &text, NULL)->roots;
	assert_true(found->intel == attest_roots_vendors.intel && found->tpm_count == 0);
	/* A TPM's are somebody's choice; Intel's and AMD's are not, but insecurely. */
	text.secure = true;
	text.roots = roots(false, false, true);
	const struct cluster_manifest *m = scene_manifest_read(s, &text, NULL);
	assert_true(m->roots.tpm_count == 1 && !m->roots.insecure && !m->insecure);
	assert_true(m->roots.intel == attest_roots_vendors.intel &&
		    m->roots.amd == attest_roots_vendors.amd);
	assert_true(cs_bytes_eq(m->roots.tpm[0], attest_roots_vendors.intel[0]));
	text.roots = roots(true, false, false);
	const struct cluster_manifest *weak = scene_manifest_read(s, &text, NULL);
	assert_true(weak->roots.insecure && weak->insecure && weak->roots.amd_count == 1);
	assert_true(weak->roots.intel == attest_roots_vendors.intel);
	text.number = 2;
	assert_int_equal(try(s, &text, m), CS_ERR_INSECURE_REFUSED);
	text.roots = roots(false, true, false);
	assert_int_equal(try(s, &text, m), CS_ERR_INSECURE_REFUSED);
	text.roots = roots(false, false, false);
	ok(try(s, &text, m));
	scene_free(s);
}

static void roots_without_a_form(void **state)
{
	static const struct {
		const char *text;
		enum cs_err err;
	} cases[] = {
		{"{\"insecure_amd\":[],\"insecure_intel\":[]}", CS_ERR_MISSING_FIELD},
		{"{\"amd\":[],\"insecure_amd\":[],\"insecure_intel\":[],\"tpm\":[]}",
		 CS_ERR_UNKNOWN_FIELD},
		{"{\"insecure_amd\":[],\"insecure_intel\":[],\"tpm\":[\"3000\"]}",
		 CS_ERR_MALFORMED},
		{"{\"insecure_amd\":[],\"insecure_intel\":[],\"tpm\":[\"0x300\"]}",
		 CS_ERR_MALFORMED},
		{"{\"insecure_amd\":[],\"insecure_intel\":[],\"tpm\":[7]}", CS_ERR_MALFORMED},
		{"{\"insecure_amd\":[],\"insecure_intel\":[],\"tpm\":[\"0x\",\"0x\",\"0x\",\"0x\","
		 "\"0x\"]}",
		 CS_ERR_TOO_LARGE},
		{"[]", CS_ERR_INVALID},
	};
	(void)state;
	struct scene *s = scene_new();
	struct scene_manifest text = scene_manifest();
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		text.roots = cases[i].text;
		assert_int_equal(try(s, &text, NULL), cases[i].err);
	}
	/* What is no certificate. */
	text.roots = "{\"insecure_amd\":[],\"insecure_intel\":[],\"tpm\":[\"0x3000\"]}";
	assert_int_not_equal(try(s, &text, NULL), CS_OK);
	scene_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lineage),
		cmocka_unit_test(k_of_n_administrators),
		cmocka_unit_test(insecure_is_for_ever),
		cmocka_unit_test(which_programs_get_a_secret),
		cmocka_unit_test(what_a_manifest_may_not_say_of_programs),
		cmocka_unit_test(what_it_may_not_say),
		cmocka_unit_test(roots_are_the_manifest_s),
		cmocka_unit_test(roots_without_a_form),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
