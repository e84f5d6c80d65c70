#include "cli/ledger_subject.h"

#include "core/utc.h"
#include "relay_state/ledger/evidence.h"
#include "verify/attest/collateral.h"
#include "verify/attest/policy_check.h"

#include <stdlib.h>
#include <string.h>

#define FILE_SIZE_MAX 65536u

static enum cli_exit load(struct cli *cli, struct cs_arena *arena, struct cs_bytes *bytes,
			  const char *path, size_t size_max)
{
	struct cs_why why = {{0}};
	uint8_t *memory = NULL;
	size_t size = 0;
	if (host_file_load(&memory, &size, path, size_max, &why) != CS_OK)
		return cli_fail(cli, CLI_USAGE, "%s", why.text);
	*bytes = cs_arena_copy(arena, cs_bytes(memory, size));
	free(memory);
	return bytes->p != NULL ? CLI_OK : cli_fail(cli, CLI_FAILED, "out of memory");
}

/* ---- an enclave's registration: JSON ---- */

static bool get_hex(const json_t *json, const char *name, void *out, size_t n)
{
	const char *text = json_string_value(json_object_get(json, name));
	return text != NULL && cs_unhex(out, n, cs_bytes_str(text)) == CS_OK;
}

static bool get_word(const json_t *json, const char *name, struct cs_hash *word)
{
	return get_hex(json, name, word->b, sizeof(word->b));
}

/* Absent is zero. */
static bool get_number(const json_t *json, const char *name, uint64_t *number)
{
	const json_t *value = json_object_get(json, name);
	const json_int_t n = json_integer_value(value);
	*number = n < 0 ? 0 : (uint64_t)n;
	return value == NULL || (json_is_integer(value) && n >= 0);
}

static bool get_name(const json_t *json, const char *name, const char *const *names, size_t count,
		     uint8_t *number)
{
	const char *text = json_string_value(json_object_get(json, name));
	for (size_t i = 0; text != NULL && i < count; i++) {
		if (names[i] != NULL && strcmp(text, names[i]) == 0) {
			*number = (uint8_t)i;
			return true;
		}
	}
	return false;
}

static bool get_time(const json_t *json, const char *name, uint64_t *seconds)
{
	const json_t *value = json_object_get(json, name);
	return json_is_string(value)
		       ? cs_utc_parse(seconds, cs_bytes_str(json_string_value(value))) == CS_OK
		       : value != NULL && get_number(json, name, seconds);
}

static bool get_amount(const json_t *json, const char *name, struct cs_u256 *amount)
{
	const char *text = json_string_value(json_object_get(json, name));
	return text != NULL && cs_u256_from_decimal(amount, cs_bytes_str(text)) == CS_OK;
}

static bool has_only(const json_t *json, const char *const *names, size_t count, const char **other)
{
	void *at = json_object_iter((json_t *)(uintptr_t)json);
	for (; at != NULL; at = json_object_iter_next((json_t *)(uintptr_t)json, at)) {
		size_t i = 0;
		*other = json_object_iter_key(at);
		while (i < count && strcmp(names[i], *other) != 0)
			i++;
		if (i == count)
			return false;
	}
	return true;
}

static const char *read_key(struct ledger_enclave_key *key, const json_t *json)
{
	static const char *const names[] = {"identity", "epoch", "x", "gas"};
	const char *wrong = NULL;
	if (!has_only(json, names, CS_LEN(names), &wrong))
		return wrong;
	if (!get_word(json, "identity", &key->identity))
		return "identity";
	if (!get_number(json, "epoch", &key->epoch) || key->epoch == 0)
		return "epoch";
	if (!get_word(json, "x", &key->x))
		return "x";
	if (json_object_get(json, "gas") != NULL &&
	    !get_hex(json, "gas", key->gas.b, sizeof(key->gas.b)))
		return "gas";
	return NULL;
}

static const char *read_keys(struct ledger_registration *r, const json_t *list)
{
	if (json_array_size(list) == 0 || json_array_size(list) > CS_LEN(r->keys))
		return "keys";
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *wrong = read_key(&r->keys[r->key_count++], json_array_get(list, i));
		if (wrong != NULL)
			return wrong;
	}
	return NULL;
}

static const char *const roles[] = {NULL, "bridge", "oracle", "compute"};
static const char *const kinds[] = {"administrators", "sgx", "tdx", "snp", "tpm"};

/* What stands there only for one of the two ways. */
static const char *read_word_of(struct ledger_subject *out, const json_t *json)
{
	struct ledger_registration *r = &out->enclave;
	if (r->evidence_kind == LEDGER_EVIDENCE_ADMINISTRATORS) {
		if (!get_word(json, "evidence_digest", &r->evidence_digest))
			return "evidence_digest";
		return json_object_get(json, "schema_digest") != NULL ? "schema_digest" : NULL;
	}
	if (json_object_get(json, "evidence_digest") != NULL)
		return "evidence_digest";
	if (!get_word(json, "schema_digest", &out->schema))
		return "schema_digest";
	return get_number(json, "insecure_flags", &out->insecure_flags) ? NULL : "insecure_flags";
}

/* The name of the first member that is missing, wrong or unknown; NULL: none. */
static const char *read_enclave(struct ledger_subject *out, const json_t *json)
{
	static const char *const names[] = {
		"enclave",         "role",          "measurement",   "lineage",
		"manifest_number", "manifest_hash", "evidence_kind", "evidence_digest",
		"expires",         "bond",          "bonder",        "keys",
		"schema_digest",   "insecure_flags"};
	struct ledger_registration *r = &out->enclave;
	const char *wrong = "an object";
	if (!json_is_object(json) || !has_only(json, names, CS_LEN(names), &wrong))
		return wrong;
	if (json_object_get(json, "enclave") != NULL && !get_word(json, "enclave", &r->enclave))
		return "enclave";
	if (!get_name(json, "role", roles, CS_LEN(roles), &r->role))
		return "role";
	if (!get_word(json, "measurement", &r->measurement))
		return "measurement";
	if (!get_word(json, "lineage", &r->lineage))
		return "lineage";
	if (!get_number(json, "manifest_number", &r->manifest_number) || r->manifest_number == 0)
		return "manifest_number";
	if (!get_word(json, "manifest_hash", &r->manifest_hash))
		return "manifest_hash";
	if (!get_name(json, "evidence_kind", kinds, CS_LEN(kinds), &r->evidence_kind))
		return "evidence_kind";
	if (!get_time(json, "expires", &r->expires_s))
		return "expires";
	if (!get_amount(json, "bond", &r->bond))
		return "bond";
	if (!get_hex(json, "bonder", r->bonder.b, sizeof(r->bonder.b)))
		return "bonder";
	wrong = read_keys(r, json_object_get(json, "keys"));
	return wrong != NULL ? wrong : read_word_of(out, json);
}

static enum cli_exit enclave_from(struct ledger_subject *out, struct cli *cli, const char *path)
{
	struct cs_bytes text;
	json_error_t error;
	out->kind = LEDGER_SUBJECT_ENCLAVE;
	const enum cli_exit code = load(cli, out->arena, &text, path, FILE_SIZE_MAX);
	if (code != CLI_OK)
		return code;
	json_t *json = json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES, &error);
	if (json == NULL)
		return cli_fail(cli, CLI_USAGE, "%s: line %d: %s", path, error.line, error.text);
	const char *wrong = read_enclave(out, json);
	char name[64] = "";
	if (wrong != NULL)
		snprintf(name, sizeof(name), "%s", wrong);
	json_decref(json);
	return wrong == NULL ? CLI_OK
			     : cli_fail(cli, CLI_USAGE, "%s: %s is missing, wrong or unknown", path,
					name);
}

/* ---- evidence ---- */

static void put_part(struct cs_buf *buf, uint8_t kind, struct cs_bytes bytes)
{
	cs_put_u8(buf, kind);
	cs_put_u32(buf, (uint32_t)bytes.n);
	cs_put(buf, bytes);
}

static enum cli_exit put_collateral(struct cli *cli, struct ledger_subject *out, struct cs_buf *buf)
{
	unsigned at = 0;
	for (const char *path; (path = cli_option_next(cli, "collateral", &at)) != NULL;) {
		struct attest_collateral bag = {.certificate_count = 0};
		struct cs_why why = {{0}};
		struct cs_bytes file;
		const enum cli_exit code =
			load(cli, out->arena, &file, path, LEDGER_EVIDENCE_SIZE_MAX);
		if (code != CLI_OK)
			return code;
		const enum cs_err err = attest_collateral_add(&bag, file, out->arena, &why);
		if (err != CS_OK)
			return cli_fail(cli, CLI_USAGE, "%s: %s: %s", path, cs_err_sentence(err),
					why.text);
		put_part(buf, 3, file);
	}
	return CLI_OK;
}

/* The parts of relay_state/ledger/evidence.h, opened once as the ledger will. */
static enum cli_exit evidence_from(struct ledger_subject *out, struct cli *cli, const char *path)
{
	struct attest_evidence found;
	struct ledger_evidence opened;
	struct cs_why why = {{0}};
	struct cs_bytes file;
	struct cs_buf buf, binding;
	uint8_t bound[sizeof(out->schema.b) + 8];
	enum cli_exit code =
		load(cli, out->arena, &file, path, (size_t)3 * ATTEST_EVIDENCE_SIZE_MAX);
	if (code != CLI_OK)
		return code;
	if (cs_buf_init_arena(&buf, out->arena, LEDGER_EVIDENCE_SIZE_MAX) != CS_OK)
		return cli_fail(cli, CLI_FAILED, "out of memory");
	enum cs_err err = attest_evidence_find(&found, file, out->arena, &why);
	if (err != CS_OK)
		return cli_fail(cli, CLI_USAGE, "%s: %s: %s", path, cs_err_sentence(err), why.text);
	const char *kind = attest_kind_name(found.kind);
	if (strcmp(kind, kinds[out->enclave.evidence_kind]) != 0)
		return cli_fail(cli, CLI_USAGE, "%s: evidence of kind %s, the file says %s", path,
				kind, kinds[out->enclave.evidence_kind]);
	cs_buf_init(&binding, bound, sizeof(bound));
	cs_put_word(&binding, &out->schema);
	cs_put_u64(&binding, out->insecure_flags);
	put_part(&buf, 1, cs_buf_view(&binding));
	put_part(&buf, 2, found.bytes);
	code = put_collateral(cli, out, &buf);
	if (code != CLI_OK)
		return code;
	if (cs_buf_end(&buf) != CS_OK)
		return cli_fail(cli, CLI_USAGE, "evidence and collateral are above %u bytes",
				LEDGER_EVIDENCE_SIZE_MAX);
	out->enclave.evidence = cs_buf_view(&buf);
	err = ledger_evidence_open(&opened, out->enclave.evidence_kind, out->enclave.evidence,
				   out->arena);
	return err == CS_OK ? CLI_OK
			    : cli_fail(cli, CLI_USAGE,
				       "the ledger does not take this collateral: at most %u "
				       "certificates, %u lists, no transcript",
				       LEDGER_EVIDENCE_CERTIFICATES_MAX, LEDGER_EVIDENCE_CRLS_MAX);
}

static enum cli_exit read_evidence(struct ledger_subject *out, struct cli *cli)
{
	const char *path = cli_option(cli, "evidence");
	const bool wanted = ledger_evidence_is_supported(out->enclave.evidence_kind);
	if (path == NULL)
		return CLI_OK;
	return wanted ? evidence_from(out, cli, path)
		      : cli_fail(cli, CLI_USAGE,
				 "--evidence: the file says that administrators register it");
}

/* ---- a manifest, a policy ---- */

static enum cli_exit manifest_from(struct ledger_subject *out, struct cli *cli, const char *hash)
{
	const char *lineage = cli_option(cli, "lineage");
	out->kind = LEDGER_SUBJECT_MANIFEST;
	if (cs_unhex(out->manifest_hash.b, sizeof(out->manifest_hash.b), cs_bytes_str(hash)) !=
	    CS_OK)
		return cli_fail(cli, CLI_USAGE, "--manifest-hash: not 32 bytes of hex");
	if (lineage == NULL ||
	    cs_unhex(out->lineage.b, sizeof(out->lineage.b), cs_bytes_str(lineage)) != CS_OK)
		return cli_fail(cli, CLI_USAGE, "--lineage: the hash of its first manifest");
	if (!cli_number(cli, "number", INT64_MAX, &out->manifest_number) ||
	    out->manifest_number == 0)
		return cli_fail(cli, CLI_USAGE, "--number: of the manifest");
	return CLI_OK;
}

/* Certificates of files, one after the other, as DER. */
static enum cli_exit roots_from(struct ledger_subject *out, struct cli *cli, const char *name,
				struct cs_bytes *roots, size_t *count)
{
	static struct attest_collateral found;
	struct cs_why why = {{0}};
	unsigned at = 0;
	for (const char *path; (path = cli_option_next(cli, name, &at)) != NULL;) {
		struct cs_bytes file;
		const enum cli_exit code =
			load(cli, out->arena, &file, path, ATTEST_COLLATERAL_SIZE_MAX);
		if (code != CLI_OK)
			return code;
		found = (struct attest_collateral){.certificate_count = 0};
		if (attest_collateral_add(&found, file, out->arena, &why) != CS_OK ||
		    found.certificate_count == 0)
			return cli_fail(cli, CLI_USAGE, "--%s %s: no certificate: %s", name, path,
					why.text);
		if (found.certificate_count > LEDGER_POLICY_ROOTS_MAX - *count)
			return cli_fail(cli, CLI_USAGE, "--%s: more than %u", name,
					LEDGER_POLICY_ROOTS_MAX);
		memcpy(&roots[*count], found.certificates,
		       found.certificate_count * sizeof(found.certificates[0]));
		*count += found.certificate_count;
	}
	return CLI_OK;
}

static enum cli_exit policy_from(struct ledger_subject *out, struct cli *cli, const char *path)
{
	struct ledger_policy *policy = &out->policy;
	const char *tier = cli_option(cli, "tier");
	struct attest_policy parsed;
	struct cs_why why = {{0}};
	out->kind = LEDGER_SUBJECT_POLICY;
	if (tier == NULL || (strcmp(tier, "affirming") != 0 && strcmp(tier, "warning") != 0))
		return cli_fail(cli, CLI_USAGE, "--tier: affirming, or warning");
	policy->worst = strcmp(tier, "warning") == 0 ? ATTEST_TIER_WARNING : ATTEST_TIER_AFFIRMING;
	if (!cli_number(cli, "number", INT64_MAX, &policy->number) || policy->number == 0)
		return cli_fail(cli, CLI_USAGE, "--number: the ledger's last policy's and one");
	enum cli_exit code = load(cli, out->arena, &policy->text, path, LEDGER_POLICY_SIZE_MAX);
	if (code != CLI_OK)
		return code;
	enum cs_err err = attest_policy_parse(&parsed, policy->text, out->arena, &why);
	if (err == CS_OK)
		err = attest_policy_check(&parsed, &why);
	if (err != CS_OK)
		return cli_fail(cli, CLI_USAGE, "%s: %s: %s", path, cs_err_sentence(err), why.text);
	code = roots_from(out, cli, "root", policy->tpm, &policy->tpm_count);
	return code == CLI_OK ? roots_from(out, cli, "insecure-root", policy->insecure,
					   &policy->insecure_count)
			      : code;
}

/* ---- the whole ---- */

enum cli_exit ledger_subject_read(struct ledger_subject *out, struct cli *cli,
				  struct cs_arena *arena)
{
	const char *policy = cli_option(cli, "policy"), *hash = cli_option(cli, "manifest-hash");
	const unsigned given = cli->positional_count + (policy != NULL) + (hash != NULL);
	memset(out, 0, sizeof(*out));
	out->arena = arena;
	if (given != 1)
		return cli_fail(cli, CLI_USAGE,
				"what? one of FILE (an enclave), --manifest-hash, --policy");
	if (policy != NULL)
		return policy_from(out, cli, policy);
	if (hash != NULL)
		return manifest_from(out, cli, hash);
	const enum cli_exit code = enclave_from(out, cli, cli->positional[0]);
	return code == CLI_OK ? read_evidence(out, cli) : code;
}

struct cs_hash ledger_subject_digest(const struct ledger_subject *subject,
				     const struct cs_hash *own)
{
	switch (subject->kind) {
	case LEDGER_SUBJECT_ENCLAVE:
		return ledger_registration_digest(own, &subject->enclave);
	case LEDGER_SUBJECT_MANIFEST:
		return ledger_manifest_digest(own, &subject->lineage, subject->manifest_number,
					      &subject->manifest_hash);
	case LEDGER_SUBJECT_POLICY:
		return ledger_policy_digest(own, &subject->policy);
	}
	cs_assert(false);
	return *own;
}

/* ---- calls ---- */

static void put_enclave(struct cs_abi *abi, const struct ledger_registration *r)
{
	cs_abi_put_word(abi, &r->enclave);
	cs_abi_put_u64(abi, r->role);
	cs_abi_put_word(abi, &r->measurement);
	cs_abi_put_word(abi, &r->lineage);
	cs_abi_put_u64(abi, r->manifest_number);
	cs_abi_put_word(abi, &r->manifest_hash);
	cs_abi_put_u64(abi, r->evidence_kind);
	cs_abi_put_word(abi, &r->evidence_digest);
	cs_abi_put_u64(abi, r->expires_s);
	cs_abi_put_u256(abi, &r->bond);
	cs_abi_put_address(abi, &r->bonder);
	const size_t keys = cs_abi_slot(abi), evidence = cs_abi_slot(abi);
	cs_abi_enter_array(abi, keys, r->key_count);
	for (size_t i = 0; i < r->key_count; i++) {
		cs_abi_put_word(abi, &r->keys[i].identity);
		cs_abi_put_u64(abi, r->keys[i].epoch);
		cs_abi_put_word(abi, &r->keys[i].x);
		cs_abi_put_address(abi, &r->keys[i].gas);
	}
	cs_abi_leave(abi);
	cs_abi_put_bytes(abi, evidence, r->evidence);
}

static void put_roots(struct cs_abi *abi, size_t slot, const struct cs_bytes *roots, size_t count)
{
	size_t slots[LEDGER_POLICY_ROOTS_MAX];
	cs_abi_enter_array(abi, slot, count);
	for (size_t i = 0; i < count; i++)
		slots[i] = cs_abi_slot(abi);
	for (size_t i = 0; i < count; i++)
		cs_abi_put_bytes(abi, slots[i], roots[i]);
	cs_abi_leave(abi);
}

static void put_approvals(struct cs_abi *abi, size_t slot, const struct ledger_approval *approvals,
			  size_t count)
{
	cs_abi_enter_array(abi, slot, count);
	for (size_t i = 0; i < count; i++) {
		cs_abi_put_u64(abi, approvals[i].administrator);
		cs_abi_put_word(abi, &approvals[i].rx);
		cs_abi_put_word(abi, &approvals[i].s);
	}
	cs_abi_leave(abi);
}

#define APPROVALS "(uint8,bytes32,bytes32)[]"

void ledger_subject_encode(struct cs_buf *buf, const struct ledger_subject *subject,
			   const struct ledger_approval *approvals, size_t count)
{
	const struct ledger_policy *policy = &subject->policy;
	struct cs_abi abi;
	size_t first, tpm, insecure;
	switch (subject->kind) {
	case LEDGER_SUBJECT_ENCLAVE:
		cs_abi_call(&abi, buf,
			    "register((bytes32,uint8,bytes32,bytes32,uint64,bytes32,uint8,bytes32,"
			    "uint64,uint256,address,(bytes32,uint64,bytes32,address)[],"
			    "bytes)," APPROVALS ")");
		first = cs_abi_slot(&abi);
		const size_t last = cs_abi_slot(&abi);
		cs_abi_enter(&abi, first);
		put_enclave(&abi, &subject->enclave);
		cs_abi_leave(&abi);
		put_approvals(&abi, last, approvals, count);
		break;
	case LEDGER_SUBJECT_MANIFEST:
		cs_abi_call(&abi, buf, "approveManifest(bytes32,uint64,bytes32," APPROVALS ")");
		cs_abi_put_word(&abi, &subject->lineage);
		cs_abi_put_u64(&abi, subject->manifest_number);
		cs_abi_put_word(&abi, &subject->manifest_hash);
		put_approvals(&abi, cs_abi_slot(&abi), approvals, count);
		break;
	case LEDGER_SUBJECT_POLICY:
		cs_abi_call(&abi, buf,
			    "setPolicy(uint64,uint8,bytes,bytes[],bytes[]," APPROVALS ")");
		cs_abi_put_u64(&abi, policy->number);
		cs_abi_put_u64(&abi, policy->worst);
		first = cs_abi_slot(&abi);
		tpm = cs_abi_slot(&abi);
		insecure = cs_abi_slot(&abi);
		const size_t signatures = cs_abi_slot(&abi);
		cs_abi_put_bytes(&abi, first, policy->text);
		put_roots(&abi, tpm, policy->tpm, policy->tpm_count);
		put_roots(&abi, insecure, policy->insecure, policy->insecure_count);
		put_approvals(&abi, signatures, approvals, count);
		break;
	}
}
