/* What tools/attest_vectors.py made under roots of its own: every verdict and every refusal that no
 * public recording has. The verdicts are the vendors' documents', as the generator reads them. */
#include "given.h"

static const struct {
	const char *file;
	enum attest_kind kind;
	size_t count_min;
} files[] = {
	{"snp", ATTEST_SNP, 170},
	{"tpm", ATTEST_TPM, 100},
	{"ratls", ATTEST_RATLS, 60},
	{"dcap", ATTEST_SGX, 180},
};

static struct cs_bytes object(const json_t *root, const char *name, bool is_text)
{
	const char *text = text_of(json_object_get(root, "objects"), name);
	return is_text ? cs_bytes_str(text) : unhex(text);
}

/* A list of names: as many values. */
static size_t objects(struct cs_bytes *out, size_t max, const json_t *root, const json_t *names)
{
	size_t i;
	json_t *name;
	assert_true(json_array_size(names) <= max);
	json_array_foreach(names, i, name) out[i] = object(root, json_string_value(name), false);
	return json_array_size(names);
}

/* Hex and @names, in a row. */
static struct cs_bytes join(const json_t *root, const json_t *parts)
{
	static uint8_t p[ATTEST_EVIDENCE_SIZE_MAX];
	size_t i, n = 0;
	json_t *part;
	json_array_foreach(parts, i, part)
	{
		const char *text = json_string_value(part);
		struct cs_bytes bytes =
			text[0] == '@' ? object(root, text + 1, false) : unhex(text);
		assert_true(bytes.n <= ATTEST_EVIDENCE_SIZE_MAX - n);
		memcpy(p + n, bytes.p, bytes.n);
		n += bytes.n;
	}
	/* Exactly as many bytes as there are, so that a sanitizer sees every step outside. */
	return cs_bytes(given_copy(cs_bytes(p, n)), n);
}

static void give_signed(struct attest_signed_json *out, const json_t *root, const json_t *given)
{
	if (given == NULL)
		return;
	out->json = object(root, text_of(given, "json"), true);
	out->signature = bytes_of(given, "signature");
}

static enum attest_kind kind_of(const json_t *row, enum attest_kind kind)
{
	const json_t *name = json_object_get(row, "kind");
	return name != NULL && strcmp(json_string_value(name), "tdx") == 0 ? ATTEST_TDX : kind;
}

static void give(struct given *given, const json_t *root, const json_t *row, enum attest_kind kind)
{
	static struct cs_bytes roots[8];
	const json_t *text = json_object_get(row, "text"),
		     *activation = json_object_get(row, "activation");
	given_init(given, kind_of(row, kind),
		   text != NULL ? cs_bytes_str(json_string_value(text))
				: join(root, json_object_get(row, "evidence")),
		   u64_of(row, "now"));
	given_roots(given, roots,
		    objects(roots, CS_LEN(roots), root, json_object_get(row, "roots")));
	given->bag.certificate_count = objects(given->bag.certificates, ATTEST_CERTIFICATES_MAX,
					       root, json_object_get(row, "certificates"));
	given->bag.crl_count =
		objects(given->bag.crls, ATTEST_CRLS_MAX, root, json_object_get(row, "crls"));
	give_signed(&given->bag.tcb_info, root, json_object_get(row, "tcb_info"));
	give_signed(&given->bag.qe_identity, root, json_object_get(row, "qe_identity"));
	if (activation != NULL)
		given->bag.tpm_activation = cs_bytes_str(json_string_value(activation));
	given->in.no_revocation = json_object_get(row, "revocation_asked") == NULL;
}

/* "" when all is as the row says. */
static const char *compare(const struct given *given, const json_t *row)
{
	static char text[600];
	const struct attest_result *result = &given->result;
	const char *status = json_string_value(json_object_get(row, "tcb_status")),
		   *got = attest_tcb_status_name(result->tcb_status), *key;
	const json_t *advisories = json_object_get(row, "advisories");
	json_t *value;
	if (strcmp(given_failed(given), text_of(row, "failed")) != 0) {
		(void)snprintf(text, sizeof text, "failed \"%s\"", given_failed(given));
		return text;
	}
	if (attest_result_verified(result) != (text_of(row, "failed")[0] == '\0'))
		return "verified or not";
	if ((status == NULL) != (got == NULL) || (got != NULL && strcmp(status, got) != 0)) {
		(void)snprintf(text, sizeof text, "TCB %s", got == NULL ? "none" : got);
		return text;
	}
	if (result->debug != json_is_true(json_object_get(row, "debug")))
		return "debug";
	if (result->revocation != json_is_true(json_object_get(row, "revocation")))
		return "revocation";
	if (result->advisory_count != json_array_size(advisories))
		return "advisories";
	for (size_t i = 0; i < result->advisory_count; i++)
		if (!cs_bytes_eq(result->advisories[i],
				 cs_bytes_str(json_string_value(json_array_get(advisories, i)))))
			return "an advisory";
	json_object_foreach(json_object_get(row, "claims"), key, value)
	{
		const struct attest_claim *claim = attest_result_claim(result, key);
		if (json_is_null(value) != (claim == NULL) ||
		    (claim != NULL && !cs_bytes_eq(claim->bytes, unhex(json_string_value(value)))))
			return key;
	}
	return "";
}

static size_t run(const char *name, enum attest_kind kind)
{
	char path[512];
	struct given given;
	size_t i, wrong = 0;
	json_t *row;
	(void)snprintf(path, sizeof path, CS_VECTORS "/attestation/generated/%s.json", name);
	json_t *root = read_json(path), *rows = json_object_get(root, "cases");
	json_array_foreach(rows, i, row)
	{
		const char *error = json_string_value(json_object_get(row, "error")), *what;
		give(&given, root, row, kind);
		enum cs_err err = given_verify(&given);
		if (err != CS_OK || error != NULL)
			what = error != NULL && strcmp(cs_err_name(err), error) == 0
				       ? ""
				       : cs_err_name(err);
		else
			what = compare(&given, row);
		if (what[0] != '\0') {
			print_message("%s: %s: %s (%s)\n", name, text_of(row, "name"), what,
				      given.why.text);
			wrong++;
		}
	}
	assert_int_equal(wrong, 0);
	json_decref(root);
	return i;
}

static void test_all(void **state)
{
	(void)state;
	for (size_t i = 0; i < CS_LEN(files); i++)
		assert_true(run(files[i].file, files[i].kind) >= files[i].count_min);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_all)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
