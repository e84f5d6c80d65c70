/* TCB info and QE identity as Intel writes them, and Intel's rules for them. */
#include "core/utc.h"
#include "verify/attest/dcap.h"

#include <stdio.h>
#include <string.h>

/* ---- fields ---- */

/* Hex without 0x, in either case: exactly n bytes. */
static enum cs_err member_bytes(uint8_t *p, size_t n, const struct cs_json *json, const char *key,
				struct cs_why *why)
{
	struct cs_bytes text;
	CS_TRY(cs_json_member_string(&text, json, key, DCAP_JSON_SIZE_MAX, why));
	enum cs_err err = text.n == 2 * n ? cs_unhex(p, n, text) : CS_ERR_MALFORMED;
	return err == CS_OK ? err : cs_fail(why, err, "%s must be %zu hex digits", key, 2 * n);
}

static enum cs_err member_time(uint64_t *seconds, const struct cs_json *json, const char *key,
			       struct cs_why *why)
{
	struct cs_bytes text;
	CS_TRY(cs_json_member_string(&text, json, key, DCAP_JSON_SIZE_MAX, why));
	enum cs_err err = cs_utc_parse(seconds, text);
	return err == CS_OK ? err
			    : cs_fail(why, err, "%s must be a time like 2025-06-19T10:56:11Z", key);
}

static enum cs_err member_u16(uint16_t *out, const struct cs_json *json, const char *key,
			      struct cs_why *why)
{
	uint64_t value;
	CS_TRY(cs_json_member_u64(&value, json, key, UINT16_MAX, why));
	*out = (uint16_t)value;
	return CS_OK;
}

/* What a level of this kind may be called. */
enum level_kind {
	LEVEL_SGX,
	LEVEL_TDX,
	LEVEL_ENCLAVE, /* and a TDX module's */
};

static enum cs_err member_status(enum attest_tcb_status *out, const struct cs_json *json,
				 enum level_kind kind, struct cs_why *why)
{
	static const enum attest_tcb_status known[] = {
		ATTEST_TCB_UP_TO_DATE, /* an enclave's or a module's are these three */
		ATTEST_TCB_OUT_OF_DATE,
		ATTEST_TCB_REVOKED,
		ATTEST_TCB_SW_HARDENING_NEEDED,
		ATTEST_TCB_CONFIGURATION_NEEDED,
		ATTEST_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED,
		ATTEST_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED,
	};
	struct cs_bytes text;
	CS_TRY(cs_json_member_string(&text, json, "tcbStatus", 64, why));
	for (size_t i = 0; i < (kind == LEVEL_ENCLAVE ? 3 : CS_LEN(known)); i++) {
		if (cs_bytes_eq(text, cs_bytes_str(attest_tcb_status_name(known[i])))) {
			*out = known[i];
			return CS_OK;
		}
	}
	return cs_fail(why, CS_ERR_INVALID, "tcbStatus is none that is known");
}

static enum cs_err member_advisories(const struct cs_json **out, const struct cs_json *json,
				     struct cs_why *why)
{
	const struct cs_json *list = cs_json_find(json, "advisoryIDs");
	*out = NULL;
	if (list == NULL)
		return CS_OK;
	if (list->type != CS_JSON_ARRAY)
		return cs_fail(why, CS_ERR_INVALID, "advisoryIDs must be an array");
	for (const struct cs_json *one = list->child; one != NULL; one = one->next)
		if (one->type != CS_JSON_STRING || one->text.n > 64)
			return cs_fail(why, CS_ERR_INVALID, "advisoryIDs must be short strings");
	*out = list;
	return CS_OK;
}

/* ---- levels ---- */

static enum cs_err components(uint8_t svns[DCAP_SVNS], const struct cs_json *tcb, const char *key,
			      struct cs_why *why)
{
	const struct cs_json *list;
	size_t i = 0;
	CS_TRY(cs_json_member(&list, tcb, key, CS_JSON_ARRAY, why));
	if (list->count != DCAP_SVNS)
		return cs_fail(why, CS_ERR_INVALID, "%s has %zu components, not %u", key,
			       list->count, DCAP_SVNS);
	for (const struct cs_json *one = list->child; one != NULL; one = one->next) {
		uint64_t svn;
		CS_TRY(cs_json_member_u64(&svn, one, "svn", UINT8_MAX, why));
		svns[i++] = (uint8_t)svn;
	}
	return CS_OK;
}

static enum cs_err read_level(struct dcap_level *out, const struct cs_json *json,
			      enum level_kind kind, struct cs_why *why)
{
	const struct cs_json *tcb;
	CS_TRY(cs_json_member(&tcb, json, "tcb", CS_JSON_OBJECT, why));
	if (kind == LEVEL_ENCLAVE) {
		CS_TRY(member_u16(&out->isv_svn, tcb, "isvsvn", why));
	} else {
		CS_TRY(components(out->sgx, tcb, "sgxtcbcomponents", why));
		CS_TRY(member_u16(&out->pce_svn, tcb, "pcesvn", why));
	}
	if (kind == LEVEL_TDX)
		CS_TRY(components(out->tdx, tcb, "tdxtcbcomponents", why));
	CS_TRY(member_time(&out->date_s, json, "tcbDate", why));
	CS_TRY(member_status(&out->status, json, kind, why));
	return member_advisories(&out->advisories, json, why);
}

/* Positive: a is the higher one. What a level does not have is zero in both. */
static int compare(const struct dcap_level *a, const struct dcap_level *b)
{
	int order = memcmp(a->sgx, b->sgx, sizeof a->sgx);
	if (order == 0)
		order = (a->pce_svn > b->pce_svn) - (a->pce_svn < b->pce_svn);
	if (order == 0)
		order = memcmp(a->tdx, b->tdx, sizeof a->tdx);
	if (order == 0)
		order = (a->isv_svn > b->isv_svn) - (a->isv_svn < b->isv_svn);
	return order;
}

/* By insertion: they come sorted, and are few. Equal ones keep their order. */
static void sort(struct dcap_level *levels, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct dcap_level level = levels[i];
		size_t at = i;
		for (; at > 0 && compare(&level, &levels[at - 1]) > 0; at--)
			levels[at] = levels[at - 1];
		levels[at] = level;
	}
}

static enum cs_err read_levels(struct dcap_levels *out, const struct cs_json *json,
			       enum level_kind kind, struct cs_arena *arena, struct cs_why *why)
{
	const struct cs_json *list;
	CS_TRY(cs_json_member(&list, json, "tcbLevels", CS_JSON_ARRAY, why));
	if (list->count == 0 || list->count > DCAP_LEVELS_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "tcbLevels has %zu levels, not 1 to %u",
			       list->count, DCAP_LEVELS_MAX);
	struct dcap_level *levels = cs_arena_calloc(arena, list->count, sizeof *levels);
	size_t count = 0;
	if (levels == NULL)
		return CS_ERR_NO_MEMORY;
	for (const struct cs_json *one = list->child; one != NULL; one = one->next)
		CS_TRY(read_level(&levels[count++], one, kind, why));
	sort(levels, count);
	*out = (struct dcap_levels){levels, count};
	return CS_OK;
}

/* ---- TDX modules ---- */

static enum cs_err read_module(struct dcap_module *out, const struct cs_json *json,
			       struct cs_why *why)
{
	CS_TRY(member_bytes(out->mr_signer, sizeof out->mr_signer, json, "mrsigner", why));
	CS_TRY(member_bytes(out->attributes, sizeof out->attributes, json, "attributes", why));
	return member_bytes(out->attributes_mask, sizeof out->attributes_mask, json,
			    "attributesMask", why);
}

/* "TDX_" and two hex digits, in either case. */
static enum cs_err module_version(unsigned *out, const struct cs_json *json, struct cs_why *why)
{
	struct cs_bytes id;
	uint8_t version;
	CS_TRY(cs_json_member_string(&id, json, "id", 64, why));
	if (id.n != 6 || (id.p[0] | 0x20) != 't' || (id.p[1] | 0x20) != 'd' ||
	    (id.p[2] | 0x20) != 'x' || id.p[3] != '_' ||
	    cs_unhex(&version, 1, cs_bytes(id.p + 4, 2)) != CS_OK)
		return cs_fail(why, CS_ERR_INVALID, "a TDX module's id must be like TDX_01");
	*out = version;
	return CS_OK;
}

static enum cs_err read_modules(struct dcap_tcb_info *out, const struct cs_json *json,
				struct cs_arena *arena, struct cs_why *why)
{
	const struct cs_json *one;
	CS_TRY(cs_json_member(&one, json, "tdxModule", CS_JSON_OBJECT, why));
	CS_TRY(read_module(&out->module, one, why));
	/* Not there before TDX 1.5. */
	const struct cs_json *list = cs_json_find(json, "tdxModuleIdentities");
	if (list == NULL)
		return CS_OK;
	if (list->type != CS_JSON_ARRAY || list->count > DCAP_MODULES_MAX)
		return cs_fail(why, CS_ERR_INVALID, "tdxModuleIdentities must be at most %u",
			       DCAP_MODULES_MAX);
	struct dcap_module *modules = cs_arena_calloc(arena, list->count, sizeof *modules);
	size_t count = 0;
	if (modules == NULL)
		return CS_ERR_NO_MEMORY;
	for (one = list->child; one != NULL; one = one->next) {
		struct dcap_module *module = &modules[count];
		CS_TRY(module_version(&module->version, one, why));
		for (size_t i = 0; i < count; i++)
			if (modules[i].version == module->version)
				return cs_fail(why, CS_ERR_DUPLICATE, "TDX_%02X is there twice",
					       module->version);
		CS_TRY(read_module(module, one, why));
		CS_TRY(read_levels(&module->levels, one, LEVEL_ENCLAVE, arena, why));
		count++;
	}
	out->modules = modules;
	out->module_count = count;
	return CS_OK;
}

/* ---- the two documents ---- */

static enum cs_err open_json(const struct cs_json **out, struct cs_bytes json, uint64_t version,
			     struct cs_arena *arena, struct cs_why *why)
{
	uint64_t found;
	if (json.n > DCAP_JSON_SIZE_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "%zu bytes of JSON", json.n);
	CS_TRY(cs_json_parse(out, json, CS_JSON_INTEGERS, arena, why));
	if ((*out)->type != CS_JSON_OBJECT)
		return cs_fail(why, CS_ERR_INVALID, "an object belongs here");
	CS_TRY(cs_json_member_u64(&found, *out, "version", UINT32_MAX, why));
	if (found != version)
		return cs_fail(why, CS_ERR_UNSUPPORTED, "version %llu, not %llu",
			       (unsigned long long)found, (unsigned long long)version);
	return CS_OK;
}

/* id is one of the two words. */
static enum cs_err member_id(bool *is_tdx, const struct cs_json *json, const char *sgx,
			     const char *tdx, struct cs_why *why)
{
	struct cs_bytes id;
	CS_TRY(cs_json_member_string(&id, json, "id", 64, why));
	*is_tdx = cs_bytes_eq(id, cs_bytes_str(tdx));
	if (!*is_tdx && !cs_bytes_eq(id, cs_bytes_str(sgx)))
		return cs_fail(why, CS_ERR_UNSUPPORTED, "id is neither %s nor %s", sgx, tdx);
	return CS_OK;
}

struct window {
	uint64_t issued_s;
	uint64_t until_s;
	uint32_t evaluation_number;
};

static enum cs_err read_window(struct window *out, const struct cs_json *json, struct cs_why *why)
{
	uint64_t number;
	CS_TRY(member_time(&out->issued_s, json, "issueDate", why));
	CS_TRY(member_time(&out->until_s, json, "nextUpdate", why));
	CS_TRY(cs_json_member_u64(&number, json, "tcbEvaluationDataNumber", UINT32_MAX, why));
	out->evaluation_number = (uint32_t)number;
	return CS_OK;
}

enum cs_err dcap_tcb_info_parse(struct dcap_tcb_info *out, struct cs_bytes json,
				struct cs_arena *arena, struct cs_why *why)
{
	struct dcap_tcb_info made = {0};
	const struct cs_json *tree;
	struct window window;
	uint64_t type;
	CS_TRY(open_json(&tree, json, 3, arena, why));
	CS_TRY(member_id(&made.is_tdx, tree, "SGX", "TDX", why));
	CS_TRY(read_window(&window, tree, why));
	made.issued_s = window.issued_s;
	made.until_s = window.until_s;
	made.evaluation_number = window.evaluation_number;
	CS_TRY(member_bytes(made.fmspc, sizeof made.fmspc, tree, "fmspc", why));
	CS_TRY(member_bytes(made.pce_id, sizeof made.pce_id, tree, "pceId", why));
	/* How components are composed: there is one way. */
	CS_TRY(cs_json_member_u64(&type, tree, "tcbType", 0, why));
	if (made.is_tdx)
		CS_TRY(read_modules(&made, tree, arena, why));
	CS_TRY(read_levels(&made.levels, tree, made.is_tdx ? LEVEL_TDX : LEVEL_SGX, arena, why));
	*out = made;
	return CS_OK;
}

enum cs_err dcap_qe_identity_parse(struct dcap_qe_identity *out, struct cs_bytes json,
				   struct cs_arena *arena, struct cs_why *why)
{
	struct dcap_qe_identity made = {0};
	const struct cs_json *tree;
	struct window window;
	CS_TRY(open_json(&tree, json, 2, arena, why));
	CS_TRY(member_id(&made.is_tdx, tree, "QE", "TD_QE", why));
	CS_TRY(read_window(&window, tree, why));
	made.issued_s = window.issued_s;
	made.until_s = window.until_s;
	made.evaluation_number = window.evaluation_number;
	CS_TRY(member_bytes(made.misc_select, 4, tree, "miscselect", why));
	CS_TRY(member_bytes(made.misc_select_mask, 4, tree, "miscselectMask", why));
	CS_TRY(member_bytes(made.attributes, 16, tree, "attributes", why));
	CS_TRY(member_bytes(made.attributes_mask, 16, tree, "attributesMask", why));
	CS_TRY(member_bytes(made.mr_signer, 32, tree, "mrsigner", why));
	CS_TRY(member_u16(&made.isv_prod_id, tree, "isvprodid", why));
	CS_TRY(read_levels(&made.levels, tree, LEVEL_ENCLAVE, arena, why));
	*out = made;
	return CS_OK;
}

/* ---- Intel's verdict ---- */

const struct dcap_level *dcap_level_of(const struct dcap_levels *levels, uint16_t isv_svn)
{
	for (size_t i = 0; i < levels->count; i++)
		if (isv_svn >= levels->at[i].isv_svn)
			return &levels->at[i];
	return NULL;
}

const struct dcap_module *dcap_module_find(const struct dcap_tcb_info *info, unsigned version)
{
	for (size_t i = 0; i < info->module_count; i++)
		if (info->modules[i].version == version)
			return &info->modules[i];
	return NULL;
}

static bool reaches(const uint8_t *svns, const uint8_t *wanted, size_t begin)
{
	for (size_t i = begin; i < DCAP_SVNS; i++)
		if (svns[i] < wanted[i])
			return false;
	return true;
}

/* What a part below the platform does to the platform's status; part NULL: it has no level. */
static enum attest_tcb_status converge(enum attest_tcb_status status, const struct dcap_level *part)
{
	if (part == NULL || status == ATTEST_TCB_NOT_SUPPORTED)
		return ATTEST_TCB_NOT_SUPPORTED;
	if (part->status == ATTEST_TCB_REVOKED)
		return ATTEST_TCB_REVOKED;
	if (part->status != ATTEST_TCB_OUT_OF_DATE)
		return status;
	if (status == ATTEST_TCB_UP_TO_DATE || status == ATTEST_TCB_SW_HARDENING_NEEDED)
		return ATTEST_TCB_OUT_OF_DATE;
	if (status == ATTEST_TCB_CONFIGURATION_NEEDED ||
	    status == ATTEST_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED)
		return ATTEST_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED;
	return status;
}

static bool needs_configuration(enum attest_tcb_status status)
{
	return status == ATTEST_TCB_CONFIGURATION_NEEDED ||
	       status == ATTEST_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED ||
	       status == ATTEST_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED;
}

/* The module that is loaded now (TEE_TCB_SVN2) is as new as any, the one that began the TD was not: a
 * relaunch would do. Only where nothing else of the platform is out of date. */
static enum attest_tcb_status relaunch(enum attest_tcb_status status,
				       const struct dcap_tcb_info *info,
				       const struct dcap_level *sgx,
				       const struct dcap_level *module, const struct dcap_level *qe,
				       const uint8_t *svn_2)
{
	bool sgx_current = sgx->status == ATTEST_TCB_UP_TO_DATE ||
			   sgx->status == ATTEST_TCB_SW_HARDENING_NEEDED ||
			   sgx->status == ATTEST_TCB_CONFIGURATION_NEEDED ||
			   sgx->status == ATTEST_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED;
	bool td_old = status == ATTEST_TCB_OUT_OF_DATE ||
		      status == ATTEST_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED;
	if (qe == NULL || qe->status != ATTEST_TCB_UP_TO_DATE || !sgx_current || !td_old ||
	    module == NULL || module->status != ATTEST_TCB_OUT_OF_DATE)
		return status;
	const struct dcap_level *latest = &info->levels.at[0];
	unsigned newest = latest->tdx[0];
	if (svn_2[1] > 0) {
		const struct dcap_module *loaded = dcap_module_find(info, svn_2[1]);
		if (loaded == NULL)
			return ATTEST_TCB_NOT_SUPPORTED;
		newest = loaded->levels.at[0].isv_svn;
	}
	if (svn_2[0] < newest || svn_2[2] < latest->tdx[2])
		return status;
	return needs_configuration(sgx->status) || needs_configuration(status)
		       ? ATTEST_TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED
		       : ATTEST_TCB_TD_RELAUNCH_ADVISED;
}

struct matched {
	const struct dcap_level *sgx;
	const struct dcap_level *tdx;
};

/* The highest level that the platform reaches, and the highest that its TDX reaches as well. */
static struct matched match(const struct dcap_tcb_info *info, const struct dcap_pck *pck,
			    const uint8_t *tee_svn)
{
	struct matched matched = {NULL, NULL};
	for (size_t i = 0; i < info->levels.count && matched.tdx == NULL; i++) {
		const struct dcap_level *level = &info->levels.at[i];
		if (!reaches(pck->svns, level->sgx, 0) || pck->pce_svn < level->pce_svn)
			continue;
		if (matched.sgx == NULL)
			matched.sgx = level;
		if (tee_svn == NULL)
			break;
		/* A module with a version is judged by its own levels. */
		if (reaches(tee_svn, level->tdx, tee_svn[1] > 0 ? 2 : 0))
			matched.tdx = level;
	}
	return matched;
}

struct dcap_verdict dcap_judge(const struct dcap_tcb_info *info, const struct dcap_pck *pck,
			       const struct dcap_td_report *td, const struct dcap_level *qe)
{
	const uint8_t *svn = td == NULL ? NULL : td->tee_tcb_svn.p;
	struct matched matched = match(info, pck, svn);
	struct dcap_verdict verdict = {ATTEST_TCB_NOT_SUPPORTED, NULL, NULL, qe};
	verdict.level = td == NULL ? matched.sgx : matched.tdx;
	if (verdict.level == NULL)
		return verdict;
	enum attest_tcb_status status = verdict.level->status;
	if (td != NULL && svn[1] > 0) {
		const struct dcap_module *module = dcap_module_find(info, svn[1]);
		verdict.module = module == NULL ? NULL : dcap_level_of(&module->levels, svn[0]);
		status = converge(status, verdict.module);
	}
	if (td != NULL && td->tee_tcb_svn_2.n > 0 && status != ATTEST_TCB_REVOKED)
		status = relaunch(status, info, matched.sgx, verdict.module, qe,
				  td->tee_tcb_svn_2.p);
	verdict.status = status == ATTEST_TCB_REVOKED ? status : converge(status, qe);
	return verdict;
}
