#include "tests/fuzz/attest_given.h"

#include "core/nistp.h"
#include "tests/fuzz/fuzz.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static struct cs_bytes bytes_of(const char *hex)
{
	size_t n = strlen(hex) / 2;
	uint8_t *p = malloc(n + 1);
	cs_assert(p != NULL && cs_unhex(p, n, cs_bytes_str(hex)) == CS_OK);
	return cs_bytes(p, n);
}

static struct cs_bytes object(const json_t *root, const char *name)
{
	return bytes_of(json_string_value(json_object_get(json_object_get(root, "objects"), name)));
}

static size_t objects(struct cs_bytes *out, size_t max, const json_t *root, const json_t *names)
{
	size_t count = json_array_size(names);
	cs_assert(count <= max);
	for (size_t i = 0; i < count; i++)
		out[i] = object(root, json_string_value(json_array_get(names, i)));
	return count;
}

static struct cs_bytes evidence_of(const json_t *root, const json_t *row)
{
	const json_t *text = json_object_get(row, "text"),
		     *parts = json_object_get(row, "evidence");
	static uint8_t joined[ATTEST_EVIDENCE_SIZE_MAX];
	size_t n = 0;
	if (text != NULL)
		return cs_bytes_str(json_string_value(text));
	for (size_t i = 0; i < json_array_size(parts); i++) {
		const char *part = json_string_value(json_array_get(parts, i));
		struct cs_bytes bytes = part[0] == '@' ? object(root, part + 1) : bytes_of(part);
		cs_assert(bytes.n <= sizeof joined - n);
		memcpy(joined + n, bytes.p, bytes.n);
		n += bytes.n;
		free((void *)(uintptr_t)bytes.p);
	}
	return cs_bytes(joined, n);
}

/* The file stays in memory: views lead into it. */
static void load(struct fuzz_given *given, const char *file, const char *name)
{
	char path[512];
	const json_t *row = NULL;
	(void)snprintf(path, sizeof path, CS_VECTORS "/attestation/generated/%s.json", file);
	json_t *root = json_load_file(path, 0, NULL);
	given->file = root;
	const json_t *rows = json_object_get(root, "cases");
	for (size_t i = 0; i < json_array_size(rows); i++)
		if (strcmp(json_string_value(json_object_get(json_array_get(rows, i), "name")),
			   name) == 0)
			row = json_array_get(rows, i);
	cs_assert(row != NULL);
	given->evidence = evidence_of(root, row);
	given->root_count =
		objects(given->roots, CS_LEN(given->roots), root, json_object_get(row, "roots"));
	given->bag.certificate_count = objects(given->bag.certificates, ATTEST_CERTIFICATES_MAX,
					       root, json_object_get(row, "certificates"));
	given->bag.crl_count =
		objects(given->bag.crls, ATTEST_CRLS_MAX, root, json_object_get(row, "crls"));
	const json_t *activation = json_object_get(row, "activation");
	if (activation != NULL)
		given->bag.tpm_activation = cs_bytes_str(json_string_value(activation));
	given->now_s = (uint64_t)json_integer_value(json_object_get(row, "now"));
}

const struct fuzz_given *fuzz_given(const char *file, const char *name)
{
	static struct {
		const char *name;
		struct fuzz_given given;
	} all[2];
	struct attest_result result;
	size_t i = 0;
	while (i < CS_LEN(all) && all[i].name != NULL && strcmp(all[i].name, name) != 0)
		i++;
	cs_assert(i < CS_LEN(all));
	struct fuzz_given *given = &all[i].given;
	if (all[i].name != NULL)
		return given;
	load(given, file, name);
	cs_assert(fuzz_verify(&result, given, file[0] == 's' ? ATTEST_SNP : ATTEST_TPM,
			      given->evidence, CS_BYTES_NONE) == CS_OK &&
		  attest_result_verified(&result));
	all[i].name = name;
	return given;
}

enum cs_err fuzz_verify(struct attest_result *result, const struct fuzz_given *given,
			enum attest_kind kind, struct cs_bytes evidence, struct cs_bytes activation)
{
	static struct cs_nistp *nistp;
	struct attest_collateral bag = given->bag;
	struct attest_roots roots = {
		given->roots, given->root_count, given->roots, given->root_count,
		given->roots, given->root_count, true};
	struct attest_input in = {.evidence = {kind, evidence},
				  .collateral = &bag,
				  .roots = &roots,
				  .now = {given->now_s, given->now_s},
				  .no_revocation = true};
	struct cs_why why;
	if (nistp == NULL)
		nistp = cs_nistp_new();
	cs_assert(nistp != NULL);
	if (activation.n > 0)
		bag.tpm_activation = activation;
	enum cs_err err = attest_verify(result, &in, nistp, fuzz_arena(), &why);
	cs_assert(err != CS_ERR_NO_MEMORY && err != CS_ERR_CRYPTO);
	return err;
}
