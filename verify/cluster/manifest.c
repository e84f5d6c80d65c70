#include "verify/cluster/manifest.h"

#include "core/json.h"
#include "verify/attest/policy_check.h"
#include "verify/attest/x509.h"

#include <string.h>

#define NUMBER_MAX (1ull << 53)
/* A hundred years: above it a number is a mistake. */
#define SECONDS_MAX 3153600000u

#define ONLY(json, why, ...)                                     \
	cs_json_only((json), (const char *const[]){__VA_ARGS__}, \
		     sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *), (why))

/* ---- single values ---- */

/* What is said of a key or application must be one line, whatever prints it. */
static bool is_plain(struct cs_bytes text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] < 0x20 || text.p[i] > 0x7e)
			return false;
	return text.n > 0;
}

static bool is_word(struct cs_bytes text)
{
	for (size_t i = 0; i < text.n; i++) {
		const uint8_t c = text.p[i];
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '.')
			return false;
	}
	return text.n > 0;
}

static enum cs_err read_threshold(size_t *out, size_t count, const struct cs_json *json,
				  struct cs_why *why)
{
	uint64_t threshold = 0;
	CS_TRY(cs_json_member_u64(&threshold, json, "threshold", CLUSTER_ADMINISTRATORS_MAX, why));
	if (threshold > count || (threshold == 0 && count > 0))
		return cs_fail(why, CS_ERR_INVALID,
			       "threshold is not between 1 and the number of keys");
	*out = (size_t)threshold;
	return CS_OK;
}

/* ---- parts ---- */

static enum cs_err read_administrators(struct cluster_manifest *m, const struct cs_json *body,
				       struct cs_why *why)
{
	const struct cs_json *json = NULL;
	CS_TRY(cs_json_member(&json, body, "administrators", CS_JSON_OBJECT, why));
	CS_TRY(ONLY(json, why, "keys", "threshold"));
	CS_TRY(cs_json_member_hashes(m->administrators, &m->administrator_count,
				     CLUSTER_ADMINISTRATORS_MAX, json, "keys", why));
	CS_TRY(read_threshold(&m->threshold, m->administrator_count, json, why));
	return m->threshold > 0 ? CS_OK
				: cs_fail(why, CS_ERR_INVALID, "administrators: there is none");
}

static enum cs_err read_recovery(struct cluster_manifest *m, const struct cs_json *body,
				 struct cs_why *why)
{
	const struct cs_json *json = NULL;
	struct cs_hash keys[CLUSTER_RECOVERY_MAX];
	CS_TRY(cs_json_member(&json, body, "recovery", CS_JSON_OBJECT, why));
	CS_TRY(ONLY(json, why, "keys", "threshold"));
	CS_TRY(cs_json_member_hashes(keys, &m->recovery_count, CLUSTER_RECOVERY_MAX, json, "keys",
				     why));
	for (size_t i = 0; i < m->recovery_count; i++)
		memcpy(m->recovery[i].b, keys[i].b, sizeof m->recovery[i].b);
	return read_threshold(&m->recovery_threshold, m->recovery_count, json, why);
}

static enum cs_err read_lives(struct cluster_manifest *m, const struct cs_json *body,
			      struct cs_why *why)
{
	const struct cs_json *lives = NULL, *epochs = NULL;
	CS_TRY(cs_json_member(&lives, body, "lives", CS_JSON_OBJECT, why));
	CS_TRY(ONLY(lives, why, "key_server_s", "worker_s"));
	CS_TRY(cs_json_member_u64(&m->key_server_life_s, lives, "key_server_s",
				  CLUSTER_KEY_SERVER_LIFE_MAX_S, why));
	CS_TRY(cs_json_member_u64(&m->worker_life_s, lives, "worker_s", CLUSTER_WORKER_LIFE_MAX_S,
				  why));
	/* An authority's certificate is renewed at half of its life, and what it signs ends before it
	 * does. */
	if (m->worker_life_s < CLUSTER_LIFE_MIN_S || m->key_server_life_s < 2 * m->worker_life_s)
		return cs_fail(why, CS_ERR_INVALID,
			       "lives: worker_s below %u, or key_server_s below twice worker_s",
			       CLUSTER_LIFE_MIN_S);
	CS_TRY(cs_json_member(&epochs, body, "epochs", CS_JSON_OBJECT, why));
	CS_TRY(ONLY(epochs, why, "decrypt_s", "length_s"));
	CS_TRY(cs_json_member_u64(&m->decrypt_s, epochs, "decrypt_s", SECONDS_MAX, why));
	CS_TRY(cs_json_member_u64(&m->epoch_s, epochs, "length_s", SECONDS_MAX, why));
	/* What was sealed just before a rotation must be readable by a worker that renews late. */
	if (m->decrypt_s < m->worker_life_s)
		return cs_fail(why, CS_ERR_INVALID, "epochs.decrypt_s is below lives.worker_s");
	return CS_OK;
}

static const char *const policy_names[CLUSTER_ROLE_COUNT] = {"key_server", "guard", "worker"};

/* A policy of docs/attestation.md, with what a cluster cannot do without: builds, each with a label of its
 * own. */
static enum cs_err read_policy(struct attest_policy *out, const struct cs_json *policies,
			       const char *role, struct cs_arena *arena, struct cs_why *why)
{
	const struct cs_json *json = NULL;
	struct cs_buf text;
	struct cs_why inner = {""};
	CS_TRY(cs_json_member(&json, policies, role, CS_JSON_OBJECT, why));
	CS_TRY(cs_buf_init_arena(&text, arena, ATTEST_POLICY_SIZE_MAX));
	CS_TRY(cs_json_write(&text, json, arena));
	CS_TRY(cs_buf_end(&text));
	const enum cs_err err = attest_policy_parse(out, cs_buf_view(&text), arena, &inner);
	if (err != CS_OK)
		return cs_fail(why, err, "policies.%s: %.150s", role, inner.text);
	if (out->reference_count == 0)
		return cs_fail(why, CS_ERR_INVALID, "policies.%s: no build in measurements", role);
	if (out->judges_report_data)
		return cs_fail(why, CS_ERR_INVALID,
			       "policies.%s: report data is the cluster's to judge", role);
	for (size_t i = 0; i < out->reference_count; i++) {
		const struct cs_bytes label = out->references[i].label;
		if (!is_plain(label) || label.n > CLUSTER_BUILD_SIZE_MAX)
			return cs_fail(why, CS_ERR_INVALID, "policies.%s[%zu]: no label", role, i);
		for (size_t k = 0; k < i; k++)
			if (cs_bytes_eq(label, out->references[k].label))
				return cs_fail(why, CS_ERR_DUPLICATE,
					       "policies.%s[%zu]: its label is there twice", role,
					       i);
	}
	return CS_OK;
}

static const struct attest_reference *reference_of(const struct attest_policy *policy,
						   struct cs_bytes label)
{
	for (size_t i = 0; i < policy->reference_count; i++)
		if (cs_bytes_eq(policy->references[i].label, label))
			return &policy->references[i];
	return NULL;
}

static enum cs_err read_application(struct cluster_manifest *m, struct cluster_application *out,
				    const struct cs_json *json, struct cs_arena *arena,
				    struct cs_why *why)
{
	const struct cs_json *builds = NULL;
	CS_TRY(ONLY(json, why, "builds", "name"));
	CS_TRY(cs_json_member_string(&out->name, json, "name", CLUSTER_APPLICATION_SIZE_MAX, why));
	if (!is_word(out->name))
		return cs_fail(why, CS_ERR_INVALID, "name: a-z, 0-9, '-' and '.'");
	CS_TRY(cs_json_member(&builds, json, "builds", CS_JSON_ARRAY, why));
	struct cs_bytes *labels = cs_arena_calloc(arena, builds->count, sizeof *labels);
	if (labels == NULL)
		return CS_ERR_NO_MEMORY;
	for (const struct cs_json *at = builds->child; at != NULL; at = at->next) {
		if (at->type != CS_JSON_STRING ||
		    reference_of(&m->policies[CLUSTER_WORKER - 1], at->text) == NULL)
			return cs_fail(why, CS_ERR_INVALID,
				       "builds[%zu]: no label of policies.worker",
				       out->build_count);
		labels[out->build_count++] = at->text;
	}
	out->builds = labels;
	return CS_OK;
}

static enum cs_err read_applications(struct cluster_manifest *m, const struct cs_json *body,
				     struct cs_arena *arena, struct cs_why *why)
{
	const struct cs_json *array = NULL;
	CS_TRY(cs_json_member(&array, body, "applications", CS_JSON_ARRAY, why));
	if (array->count > CLUSTER_APPLICATIONS_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "applications: more than %u",
			       CLUSTER_APPLICATIONS_MAX);
	for (const struct cs_json *at = array->child; at != NULL; at = at->next) {
		struct cluster_application *application = &m->applications[m->application_count];
		struct cs_why inner = {""};
		const enum cs_err err = read_application(m, application, at, arena, &inner);
		if (err != CS_OK)
			return cs_fail(why, err, "applications[%zu]: %.150s", m->application_count,
				       inner.text);
		for (size_t i = 0; i < m->application_count; i++)
			if (cs_bytes_eq(m->applications[i].name, application->name))
				return cs_fail(why, CS_ERR_DUPLICATE,
					       "applications[%zu]: there already",
					       m->application_count);
		m->application_count++;
	}
	return CS_OK;
}

/* ---- programs ---- */

static enum cs_err read_kind(enum cluster_rule_kind *out, const struct cs_json *json,
			     struct cs_why *why)
{
	static const char *const names[] = {"user", "executable", "interpreter", "container"};
	struct cs_bytes kind;
	CS_TRY(cs_json_member_string(&kind, json, "kind", 16, why));
	for (size_t i = 0; i < CS_LEN(names); i++) {
		if (cs_bytes_eq(kind, cs_bytes_str(names[i]))) {
			*out = (enum cluster_rule_kind)i;
			return CS_OK;
		}
	}
	return cs_fail(why, CS_ERR_UNSUPPORTED,
		       "kind is none of user, executable, interpreter, container");
}

static enum cs_err read_rule(struct cluster_rule *out, const struct cs_json *json,
			     struct cs_why *why)
{
	uint64_t user = 0;
	CS_TRY(read_kind(&out->kind, json, why));
	CS_TRY(cs_json_member_u64(&user, json, "user", UINT32_MAX - 1, why));
	out->user = (uint32_t)user;
	if (out->kind == CLUSTER_RULE_USER)
		return ONLY(json, why, "kind", "user");
	CS_TRY(ONLY(json, why, "hash", "kind", "user"));
	return cs_json_member_hex(out->hash.b, sizeof out->hash.b, json, "hash", why);
}

static enum cs_err read_rules(struct cluster_provision *out, const struct cs_json *json,
			      struct cs_arena *arena, struct cs_why *why)
{
	const struct cs_json *array = NULL;
	CS_TRY(cs_json_member(&array, json, "rules", CS_JSON_ARRAY, why));
	if (array->count == 0)
		return cs_fail(why, CS_ERR_INVALID, "rules: there is none");
	if (array->count > CLUSTER_RULES_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "rules: more than %u", CLUSTER_RULES_MAX);
	struct cluster_rule *rules = cs_arena_calloc(arena, array->count, sizeof *rules);
	if (rules == NULL)
		return CS_ERR_NO_MEMORY;
	for (const struct cs_json *at = array->child; at != NULL; at = at->next)
		CS_TRY(read_rule(&rules[out->rule_count++], at, why));
	out->rules = rules;
	return CS_OK;
}

static bool has_application(const struct cluster_manifest *m, struct cs_bytes name)
{
	for (size_t i = 0; i < m->application_count; i++)
		if (cs_bytes_eq(m->applications[i].name, name))
			return true;
	return false;
}

static enum cs_err read_provision(struct cluster_manifest *m, struct cluster_provision *out,
				  const struct cs_json *json, struct cs_arena *arena,
				  struct cs_why *why)
{
	CS_TRY(ONLY(json, why, "application", "name", "rules"));
	CS_TRY(cs_json_member_string(&out->application, json, "application",
				     CLUSTER_APPLICATION_SIZE_MAX, why));
	CS_TRY(cs_json_member_string(&out->name, json, "name", CLUSTER_SECRET_NAME_SIZE_MAX, why));
	if (!has_application(m, out->application))
		return cs_fail(why, CS_ERR_INVALID, "application: there is no such");
	if (!is_word(out->name))
		return cs_fail(why, CS_ERR_INVALID, "name: a-z, 0-9, '-' and '.'");
	return read_rules(out, json, arena, why);
}

static const struct cluster_provision *
provision_of(const struct cluster_manifest *m, struct cs_bytes application, struct cs_bytes name)
{
	for (size_t i = 0; i < m->provision_count; i++)
		if (cs_bytes_eq(m->provisions[i].application, application) &&
		    cs_bytes_eq(m->provisions[i].name, name))
			return &m->provisions[i];
	return NULL;
}

/* What a program is, its machine's kernel says, and nothing else does: a lineage that allows it is
 * insecure. */
static enum cs_err read_programs(struct cluster_manifest *m, const struct cs_json *body,
				 struct cs_arena *arena, struct cs_why *why)
{
	const struct cs_json *array = NULL;
	if (cs_json_find(body, "insecure_programs") == NULL)
		return CS_OK;
	CS_TRY(cs_json_member(&array, body, "insecure_programs", CS_JSON_ARRAY, why));
	if (array->count == 0)
		return cs_fail(why, CS_ERR_INVALID, "insecure_programs: empty; leave it out");
	if (array->count > CLUSTER_SECRETS_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "insecure_programs: more than %u",
			       CLUSTER_SECRETS_MAX);
	struct cluster_provision *all = cs_arena_calloc(arena, array->count, sizeof *all);
	if (all == NULL)
		return CS_ERR_NO_MEMORY;
	m->insecure = true;
	m->provisions = all;
	for (const struct cs_json *at = array->child; at != NULL; at = at->next) {
		struct cluster_provision *out = &all[m->provision_count];
		struct cs_why inner = {""};
		const enum cs_err err = read_provision(m, out, at, arena, &inner);
		if (err != CS_OK)
			return cs_fail(why, err, "insecure_programs[%zu]: %.150s",
				       m->provision_count, inner.text);
		if (provision_of(m, out->application, out->name) != NULL)
			return cs_fail(why, CS_ERR_DUPLICATE,
				       "insecure_programs[%zu]: there already", m->provision_count);
		m->provision_count++;
	}
	return CS_OK;
}

static enum cs_err read_policies(struct cluster_manifest *m, const struct cs_json *body,
				 struct cs_arena *arena, struct cs_why *why)
{
	const struct cs_json *policies = NULL;
	CS_TRY(cs_json_member(&policies, body, "policies", CS_JSON_OBJECT, why));
	CS_TRY(ONLY(policies, why, "guard", "key_server", "worker"));
	for (size_t i = 0; i < CLUSTER_ROLE_COUNT; i++) {
		const struct attest_policy *policy = &m->policies[i];
		CS_TRY(read_policy(&m->policies[i], policies, policy_names[i], arena, why));
		m->insecure |= policy->insecure_accept_simulated || policy->insecure_accept_debug ||
			       policy->insecure_accept_test_roots;
	}
	return CS_OK;
}

static enum cs_err read_time(struct cluster_manifest *m, const struct cs_json *body,
			     struct cs_why *why)
{
	const struct cs_json *array = NULL;
	CS_TRY(cs_json_member(&array, body, "time", CS_JSON_ARRAY, why));
	const struct cs_bytes source = array->count == 1 && array->child->type == CS_JSON_STRING
					       ? array->child->text
					       : CS_BYTES_NONE;
	m->insecure_host_time = cs_bytes_eq(source, cs_bytes_str("insecure_host_time"));
	if (!m->insecure_host_time && !cs_bytes_eq(source, cs_bytes_str("ledger")))
		return cs_fail(why, CS_ERR_UNSUPPORTED,
			       "time is neither [\"insecure_host_time\"] nor [\"ledger\"]");
	m->insecure |= m->insecure_host_time;
	return CS_OK;
}

/* Without the source it would be a setting without effect. */
static enum cs_err read_ledger(struct cluster_manifest *m, const struct cs_json *body,
			       struct cs_why *why)
{
	const struct cs_json *json = NULL;
	if (m->insecure_host_time)
		return cs_json_find(body, "ledger") == NULL
			       ? CS_OK
			       : cs_fail(why, CS_ERR_INVALID,
					 "ledger is of time [\"ledger\"] alone");
	CS_TRY(cs_json_member(&json, body, "ledger", CS_JSON_OBJECT, why));
	CS_TRY(ONLY(json, why, "anchor", "clock_error_s", "quorum", "time_keys"));
	CS_TRY(verify_clock_source_read(&m->time, json, why));
	if (cs_json_find(json, "anchor") != NULL)
		CS_TRY(cs_json_member_bool(&m->ledger_anchor, json, "anchor", why));
	/* A certificate begins by the low end of the time and ends by the high one: each is wrong by so
	 * much, and what is left has to be renewed at its half. */
	if (m->worker_life_s <= 4 * m->time.error_s)
		return cs_fail(why, CS_ERR_INVALID,
			       "lives.worker_s is not above four times ledger.clock_error_s");
	return CS_OK;
}

/* ---- roots ---- */

static enum cs_err read_certificate(struct cs_bytes *out, const struct cs_json *json,
				    struct cs_arena *arena, struct cs_why *why)
{
	struct x509_certificate certificate;
	const struct cs_bytes text = json->text;
	if (json->type != CS_JSON_STRING || text.n < 2 || text.n > 2 + 2 * CLUSTER_ROOT_SIZE_MAX ||
	    text.n % 2 != 0 || memcmp(text.p, "0x", 2) != 0)
		return cs_fail(why, CS_ERR_MALFORMED, "no DER of %u bytes at most as 0x…",
			       CLUSTER_ROOT_SIZE_MAX);
	const size_t n = text.n / 2 - 1;
	uint8_t *der = cs_arena_alloc(arena, n + 1);
	if (der == NULL)
		return CS_ERR_NO_MEMORY;
	CS_TRY(cs_unhex(der, n, cs_bytes(text.p + 2, 2 * n)));
	*out = cs_bytes(der, n);
	return x509_certificate_parse(&certificate, *out, why);
}

static enum cs_err read_certificates(const struct cs_bytes **list, size_t *count,
				     const struct cs_json *json, const char *key,
				     struct cs_arena *arena, struct cs_why *why)
{
	const struct cs_json *array = NULL;
	struct cs_why inner = {""};
	CS_TRY(cs_json_member(&array, json, key, CS_JSON_ARRAY, why));
	if (array->count > CLUSTER_ROOTS_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "roots.%s: more than %u", key,
			       CLUSTER_ROOTS_MAX);
	if (array->count == 0)
		return CS_OK;
	struct cs_bytes *made = cs_arena_calloc(arena, array->count, sizeof *made);
	if (made == NULL)
		return CS_ERR_NO_MEMORY;
	*count = 0;
	for (const struct cs_json *at = array->child; at != NULL; at = at->next, (*count)++) {
		const enum cs_err err = read_certificate(&made[*count], at, arena, &inner);
		if (err != CS_OK)
			return cs_fail(why, err, "roots.%s[%zu]: %.150s", key, *count, inner.text);
	}
	*list = made;
	return CS_OK;
}

/* Without the member: the vendors' own, and no TPM is believed. */
static enum cs_err read_roots(struct cluster_manifest *m, const struct cs_json *body,
			      struct cs_arena *arena, struct cs_why *why)
{
	struct attest_roots *roots = &m->roots;
	const struct cs_json *json = NULL;
	*roots = attest_roots_vendors;
	if (cs_json_find(body, "roots") == NULL)
		return CS_OK;
	CS_TRY(cs_json_member(&json, body, "roots", CS_JSON_OBJECT, why));
	CS_TRY(ONLY(json, why, "insecure_amd", "insecure_intel", "tpm"));
	CS_TRY(read_certificates(&roots->tpm, &roots->tpm_count, json, "tpm", arena, why));
	CS_TRY(read_certificates(&roots->amd, &roots->amd_count, json, "insecure_amd", arena, why));
	CS_TRY(read_certificates(&roots->intel, &roots->intel_count, json, "insecure_intel", arena,
				 why));
	roots->insecure = roots->amd != attest_roots_vendors.amd ||
			  roots->intel != attest_roots_vendors.intel;
	m->insecure |= roots->insecure;
	return CS_OK;
}

/* Which manifest it is, and of what. */
static enum cs_err read_head(struct cluster_manifest *m, struct cs_hash *previous,
			     const struct cs_json *body, struct cs_why *why)
{
	uint64_t version = 0;
	CS_TRY(cs_json_member_u64(&version, body, "version", UINT64_MAX, why));
	if (version != 1)
		return cs_fail(why, CS_ERR_UNSUPPORTED, "version is not 1");
	CS_TRY(cs_json_member_string(&m->name, body, "name", CS_MANIFEST_NAME_SIZE_MAX, why));
	if (!is_plain(m->name))
		return cs_fail(why, CS_ERR_INVALID, "name is not plain printable ASCII");
	CS_TRY(cs_json_member_u64(&m->number, body, "number", NUMBER_MAX, why));
	CS_TRY(cs_json_member_hex(previous->b, sizeof previous->b, body, "previous", why));
	CS_TRY(cs_json_member_u64(&m->peer_number_min, body, "peer_number_min", NUMBER_MAX, why));
	if (m->peer_number_min == 0 || m->peer_number_min > m->number)
		return cs_fail(why, CS_ERR_INVALID, "peer_number_min is not between 1 and number");
	return CS_OK;
}

static enum cs_err read_body(struct cluster_manifest *m, struct cs_hash *previous,
			     const struct cs_json *body, struct cs_arena *arena, struct cs_why *why)
{
	CS_TRY(ONLY(body, why, "administrators", "applications", "epochs", "insecure_programs",
		    "ledger", "lives", "name", "number", "peer_number_min", "policies", "previous",
		    "recovery", "roots", "time", "version"));
	CS_TRY(read_head(m, previous, body, why));
	CS_TRY(read_administrators(m, body, why));
	CS_TRY(read_recovery(m, body, why));
	CS_TRY(read_lives(m, body, why));
	CS_TRY(read_time(m, body, why));
	CS_TRY(read_ledger(m, body, why));
	CS_TRY(read_roots(m, body, arena, why));
	CS_TRY(read_policies(m, body, arena, why));
	CS_TRY(read_applications(m, body, arena, why));
	return read_programs(m, body, arena, why);
}

/* ---- who says so ---- */

static enum cs_err check_signature(bool *signed_by, const struct cluster_manifest *m,
				   const struct cluster_manifest *judge, const struct cs_json *json,
				   const struct cs_sig *sig, struct cs_why *why)
{
	struct cs_hash key;
	uint8_t signature[64];
	size_t who = 0;
	CS_TRY(ONLY(json, why, "key", "signature"));
	CS_TRY(cs_json_member_hex(key.b, sizeof key.b, json, "key", why));
	CS_TRY(cs_json_member_hex(signature, sizeof signature, json, "signature", why));
	while (who < judge->administrator_count && !cs_hash_eq(&judge->administrators[who], &key))
		who++;
	if (who == judge->administrator_count)
		return cs_fail(why, CS_ERR_WRONG_KEY, "signatures: not an administrator");
	if (signed_by[who])
		return cs_fail(why, CS_ERR_DUPLICATE, "signatures: one administrator twice");
	if (cs_schnorr_verify64(sig, signature, &key, CS_BYTES_OF(m->hash.b)) != CS_OK)
		return cs_fail(why, CS_ERR_BAD_SIGNATURE, "signatures: one does not verify");
	signed_by[who] = true;
	return CS_OK;
}

static enum cs_err check_signatures(const struct cluster_manifest *m,
				    const struct cluster_manifest *judge,
				    const struct cs_json *array, const struct cs_sig *sig,
				    struct cs_why *why)
{
	bool signed_by[CLUSTER_ADMINISTRATORS_MAX] = {false};
	for (const struct cs_json *at = array->child; at != NULL; at = at->next)
		CS_TRY(check_signature(signed_by, m, judge, at, sig, why));
	if (array->count < judge->threshold)
		return cs_fail(why, CS_ERR_UNAUTHORIZED, "%zu of %zu signatures", array->count,
			       judge->threshold);
	return CS_OK;
}

static enum cs_err check_lineage(struct cluster_manifest *m, const struct cs_hash *previous,
				 const struct cluster_manifest *before, struct cs_why *why)
{
	if (before == NULL) {
		if (m->number != 1 || !cs_hash_is_zero(previous))
			return cs_fail(why, CS_ERR_WRONG_LINEAGE,
				       "the first manifest has number 1 and no previous");
		m->hashes[0] = m->hash;
		return CS_OK;
	}
	if (m->number != before->number + 1)
		return cs_fail(why, CS_ERR_WRONG_LINEAGE, "number %llu does not follow %llu",
			       (unsigned long long)m->number, (unsigned long long)before->number);
	if (!cs_hash_eq(previous, &before->hash))
		return cs_fail(why, CS_ERR_WRONG_LINEAGE,
			       "previous is not the hash of manifest %llu",
			       (unsigned long long)before->number);
	if (m->number > CLUSTER_MANIFESTS_MAX)
		return cs_fail(why, CS_ERR_FULL, "a lineage has at most %u manifests",
			       CLUSTER_MANIFESTS_MAX);
	if (m->insecure && !before->insecure)
		return cs_fail(why, CS_ERR_INSECURE_REFUSED,
			       "this lineage was born without anything insecure");
	if (m->insecure_host_time && !before->insecure_host_time)
		return cs_fail(why, CS_ERR_INSECURE_REFUSED,
			       "this lineage takes its time from a ledger");
	if (!m->ledger_anchor && before->ledger_anchor)
		return cs_fail(why, CS_ERR_INSECURE_REFUSED,
			       "this lineage anchors its key servers on a ledger");
	m->insecure = before->insecure;
	memcpy(m->hashes, before->hashes, sizeof m->hashes);
	m->hashes[m->number - 1] = m->hash;
	return CS_OK;
}

/* The whole file is canonical, so what is written again here are the bytes that were read. */
static enum cs_err hash_body(struct cs_hash *hash, const struct cs_json *body,
			     struct cs_arena *arena)
{
	struct cs_buf text;
	CS_TRY(cs_buf_init_arena(&text, arena, CS_MANIFEST_SIZE_MAX));
	CS_TRY(cs_json_write(&text, body, arena));
	CS_TRY(cs_buf_end(&text));
	const struct cs_hash inner = cs_keccak256(cs_buf_view(&text));
	uint8_t both[64];
	memcpy(both, wire_tag(WIRE_TAG_CLUSTER_MANIFEST)->b, 32);
	memcpy(both + 32, inner.b, 32);
	*hash = cs_keccak256(CS_BYTES_OF(both));
	return CS_OK;
}

/* All that the file says by itself. */
static enum cs_err read_file(struct cluster_manifest **out, struct cs_hash *previous,
			     const struct cs_json **signatures, struct cs_bytes file,
			     struct cs_arena *arena, struct cs_why *why)
{
	const struct cs_json *json = NULL, *body = NULL;
	if (file.n > CS_MANIFEST_SIZE_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "more than %u bytes", CS_MANIFEST_SIZE_MAX);
	/* Names and labels are views. */
	const struct cs_bytes own = cs_arena_copy(arena, file);
	struct cluster_manifest *m = cs_arena_calloc(arena, 1, sizeof *m);
	if (own.p == NULL || m == NULL)
		return CS_ERR_NO_MEMORY;
	CS_TRY(cs_json_parse_canonical(&json, own, arena, why));
	CS_TRY(ONLY(json, why, "manifest", "signatures"));
	CS_TRY(cs_json_member(&body, json, "manifest", CS_JSON_OBJECT, why));
	CS_TRY(cs_json_member(signatures, json, "signatures", CS_JSON_ARRAY, why));
	if ((*signatures)->count > CLUSTER_ADMINISTRATORS_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "more than %u signatures",
			       CLUSTER_ADMINISTRATORS_MAX);
	CS_TRY(read_body(m, previous, body, arena, why));
	CS_TRY(hash_body(&m->hash, body, arena));
	*out = m;
	return CS_OK;
}

enum cs_err cluster_manifest_read(struct cluster_manifest *out, struct cs_bytes file,
				  const struct cluster_manifest *before, const struct cs_sig *sig,
				  struct cs_arena *arena, struct cs_why *why)
{
	const struct cs_json *signatures = NULL;
	struct cluster_manifest *m = NULL;
	struct cs_hash previous;
	CS_TRY(read_file(&m, &previous, &signatures, file, arena, why));
	CS_TRY(check_lineage(m, &previous, before, why));
	CS_TRY(check_signatures(m, before != NULL ? before : m, signatures, sig, why));
	*out = *m;
	return CS_OK;
}

enum cs_err cluster_manifest_read_draft(struct cluster_manifest *out, struct cs_bytes file,
					struct cs_arena *arena, struct cs_why *why)
{
	const struct cs_json *signatures = NULL;
	struct cluster_manifest *m = NULL;
	struct cs_hash previous;
	CS_TRY(read_file(&m, &previous, &signatures, file, arena, why));
	CS_TRY(cluster_manifest_check(m, why));
	*out = *m;
	return CS_OK;
}

/* ---- questions ---- */

const struct cs_hash *cluster_manifest_lineage(const struct cluster_manifest *m)
{
	return &m->hashes[0];
}

const struct attest_policy *cluster_manifest_policy(const struct cluster_manifest *m,
						    enum cluster_role role)
{
	return &m->policies[role - 1];
}

enum cs_err cluster_manifest_accepts(const struct cluster_manifest *m, uint64_t number,
				     const struct cs_hash *hash, struct cs_why *why)
{
	if (number < m->peer_number_min)
		return cs_fail(why, CS_ERR_WRONG_MANIFEST, "the peer's manifest %llu is below %llu",
			       (unsigned long long)number, (unsigned long long)m->peer_number_min);
	if (number <= m->number && !cs_hash_eq(hash, &m->hashes[number - 1]))
		return cs_fail(why, CS_ERR_WRONG_MANIFEST,
			       "the peer's manifest %llu is not this lineage's",
			       (unsigned long long)number);
	return CS_OK;
}

enum cs_err cluster_manifest_names(const struct cluster_manifest *m, enum cluster_role role,
				   struct cs_bytes build, const struct verify_time *now,
				   struct cs_why *why)
{
	const struct attest_reference *reference =
		reference_of(cluster_manifest_policy(m, role), build);
	if (reference == NULL)
		return cs_fail(why, CS_ERR_UNLISTED_BUILD, "manifest %llu: no such build of a %s",
			       (unsigned long long)m->number, cluster_role_name(role));
	if (reference->not_after_s == 0)
		return CS_OK;
	const enum cs_err err = verify_time_before(now, reference->not_after_s + 1);
	return err == CS_OK ? CS_OK : cs_fail(why, err, "the build's time is over");
}

enum cs_err cluster_manifest_allows(const struct cluster_manifest *m, struct cs_bytes build,
				    struct cs_bytes application, const struct verify_time *now,
				    struct cs_why *why)
{
	CS_TRY(cluster_manifest_names(m, CLUSTER_WORKER, build, now, why));
	for (size_t i = 0; i < m->application_count; i++) {
		const struct cluster_application *a = &m->applications[i];
		if (!cs_bytes_eq(a->name, application))
			continue;
		for (size_t k = 0; k < a->build_count; k++)
			if (cs_bytes_eq(a->builds[k], build))
				return CS_OK;
		return cs_fail(why, CS_ERR_NOT_IN_MANIFEST,
			       "the application is not for this build");
	}
	return cs_fail(why, CS_ERR_NOT_IN_MANIFEST, "no such application");
}

static bool rule_fits(const struct cluster_rule *rule, const struct cluster_program *program)
{
	if (rule->user != program->user)
		return false;
	switch (rule->kind) {
	case CLUSTER_RULE_USER:
		return true;
	case CLUSTER_RULE_EXECUTABLE:
		return !program->is_interpreter && cs_hash_eq(&rule->hash, &program->executable);
	case CLUSTER_RULE_INTERPRETER:
		return cs_hash_eq(&rule->hash, &program->executable);
	case CLUSTER_RULE_CONTAINER:
		return program->has_container && cs_hash_eq(&rule->hash, &program->container);
	}
	return false;
}

bool cluster_manifest_has_secret(const struct cluster_manifest *m, struct cs_bytes application,
				 struct cs_bytes name)
{
	return provision_of(m, application, name) != NULL;
}

enum cs_err cluster_manifest_provides(const struct cluster_manifest *m, struct cs_bytes application,
				      struct cs_bytes name, const struct cluster_program *program,
				      struct cs_why *why)
{
	const struct cluster_provision *provision = provision_of(m, application, name);
	if (provision == NULL)
		return cs_fail(why, CS_ERR_NOT_IN_MANIFEST, "manifest %llu: no such secret",
			       (unsigned long long)m->number);
	for (size_t i = 0; i < provision->rule_count; i++)
		if (rule_fits(&provision->rules[i], program))
			return CS_OK;
	return cs_fail(why, CS_ERR_FORBIDDEN, "manifest %llu: this secret is not for this program",
		       (unsigned long long)m->number);
}

enum cs_err cluster_manifest_check(const struct cluster_manifest *m, struct cs_why *why)
{
	for (size_t i = 0; i < CLUSTER_ROLE_COUNT; i++) {
		struct cs_why inner = {""};
		const enum cs_err err = attest_policy_check(&m->policies[i], &inner);
		if (err != CS_OK)
			return cs_fail(why, err, "policies.%s: %.180s", policy_names[i],
				       inner.text);
	}
	return CS_OK;
}
