/*~ A quote of SGX or TDX, in the order of Intel's verification library: the platform's certificate (PCK),
 * the quoting enclave that it vouches for, the attestation key that this enclave made, the quote that the
 * key signed; then what Intel says today about such a platform, in TCB info and QE identity. */
#include "verify/attest/dcap.h"

#include "verify/attest/pem.h"
#include "verify/attest/pool.h"

#include <string.h>

/* Leaf, intermediate and root; with room for a chain that repeats one. */
#define CHAIN_MAX 8u

struct run {
	struct attest_work *work;
	struct attest_result *result;
	const struct dcap_collateral *collateral;
	struct dcap_quote quote;
	struct dcap_td_report td; /* of TDX */
	struct x509_pool pool;    /* the collateral's, and the quote's own chain */
	const struct x509_certificate *leaf;
	struct x509_path path;
	struct dcap_pck pck;
	struct dcap_sgx_report qe;
};

static bool is_td(const struct run *run)
{
	return run->quote.kind != DCAP_BODY_SGX;
}

/* ---- what it says ---- */

static void claim_sgx(struct attest_result *result, const struct dcap_sgx_report *report)
{
	attest_measurement(result, "mr_enclave", report->mr_enclave);
	attest_measurement(result, "mr_signer", report->mr_signer);
	attest_claim_number(result, "isv_prod_id", report->isv_prod_id);
	attest_claim_number(result, "isv_svn", report->isv_svn);
	attest_claim_bytes(result, "attributes", report->attributes);
	attest_claim_bytes(result, "misc_select", report->misc_select);
	attest_claim_bytes(result, "cpu_svn", report->cpu_svn);
	result->debug = (report->attributes.p[0] & 0x02) != 0;
	attest_report_data(result, report->report_data);
}

static void claim_td(struct attest_result *result, const struct dcap_td_report *report)
{
	static const char *const rtmrs[] = {"rtmr0", "rtmr1", "rtmr2", "rtmr3"};
	attest_measurement(result, "mr_td", report->mr_td);
	for (size_t i = 0; i < CS_LEN(rtmrs); i++)
		attest_measurement(result, rtmrs[i], report->rtmr[i]);
	attest_measurement(result, "mr_config_id", report->mr_config_id);
	attest_measurement(result, "mr_owner", report->mr_owner);
	attest_measurement(result, "mr_owner_config", report->mr_owner_config);
	attest_measurement(result, "mr_seam", report->mr_seam);
	if (report->mr_service_td.n > 0)
		attest_measurement(result, "mr_service_td", report->mr_service_td);
	attest_claim_bytes(result, "mr_signer_seam", report->mr_signer_seam);
	attest_claim_bytes(result, "seam_attributes", report->seam_attributes);
	attest_claim_bytes(result, "td_attributes", report->td_attributes);
	attest_claim_bytes(result, "xfam", report->xfam);
	attest_claim_bytes(result, "tee_tcb_svn", report->tee_tcb_svn);
	if (report->tee_tcb_svn_2.n > 0)
		attest_claim_bytes(result, "tee_tcb_svn_2", report->tee_tcb_svn_2);
	/* Bits 0 to 7 are "TD under debug", whatever sort of it. */
	result->debug = report->td_attributes.p[0] != 0;
	attest_report_data(result, report->report_data);
}

static void claim(struct run *run)
{
	run->result->hardware = is_td(run) ? ATTEST_TDX : ATTEST_SGX;
	attest_claim_number(run->result, "quote_version", run->quote.version);
	if (is_td(run)) {
		run->td = dcap_td_report(run->quote.body);
		claim_td(run->result, &run->td);
	} else {
		struct dcap_sgx_report report = dcap_sgx_report(run->quote.body);
		claim_sgx(run->result, &report);
	}
}

/* ---- its form ---- */

static void check_form(struct run *run)
{
	static const uint8_t intel[16] = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
					  0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};
	struct cs_bytes trailing = run->quote.trailing;
	bool zeros = true;
	for (size_t i = 0; i < trailing.n; i++)
		zeros &= trailing.p[i] == 0;
	/* Platforms give a buffer that is longer than the quote. */
	attest_check(run->result, "trailing-bytes", zeros, "%zu bytes behind the quote%s",
		     trailing.n, zeros ? "" : ", not all of them zero");
	attest_check_same(run->result, "qe-vendor", "the quoting enclave's vendor",
			  run->quote.qe_vendor, "Intel's", CS_BYTES_OF(intel));
	if (run->collateral->form != CS_OK)
		attest_check(run->result, "collateral-form", false, "%s",
			     run->collateral->form_why.text);
}

/* ---- the platform's certificate ---- */

/* One of the collateral's, or a new one: chains end in the same two certificates. */
static enum cs_err read_certificate(struct run *run, struct x509_certificate *out,
				    struct cs_bytes der)
{
	const struct x509_pool *known = &run->collateral->pool;
	for (size_t i = 0; i < known->certificate_count; i++)
		if (cs_bytes_eq(known->certificates[i].der, der)) {
			*out = known->certificates[i];
			return CS_OK;
		}
	return x509_certificate_parse(out, der, run->work->why);
}

/* The quote's certificates behind those of the collateral, whose signatures are known to be good. */
static enum cs_err read_chain(struct run *run)
{
	const struct x509_pool *known = &run->collateral->pool;
	struct cs_arena *arena = run->work->arena;
	struct x509_certificate *all =
		cs_arena_calloc(arena, known->certificate_count + CHAIN_MAX, sizeof *all);
	struct cs_bytes text = run->quote.chain, label, der;
	size_t n = known->certificate_count, first = n;
	enum cs_err err;
	if (all == NULL)
		return cs_fail(run->work->why, CS_ERR_NO_MEMORY, "quote: no room for its chain");
	if (n > 0)
		memcpy(all, known->certificates, n * sizeof *all);
	while ((err = pem_next(&text, &label, &der, arena)) == CS_OK) {
		if (n == first + CHAIN_MAX)
			return cs_fail(run->work->why, CS_ERR_TOO_LARGE,
				       "quote: a chain of more than %u certificates", CHAIN_MAX);
		if (!cs_bytes_eq(label, cs_bytes_str("CERTIFICATE")))
			return cs_fail(run->work->why, CS_ERR_MALFORMED,
				       "quote: not only certificates in its chain");
		CS_TRY(read_certificate(run, &all[n++], der));
	}
	if (err != CS_ERR_NOT_FOUND || n == first)
		return cs_fail(run->work->why, n == first ? CS_ERR_MALFORMED : err,
			       "quote: its chain of certificates cannot be read");
	run->leaf = &all[first];
	run->pool = *known;
	run->pool.certificates = all;
	run->pool.certificate_count = n;
	return CS_OK;
}

static bool begins(struct cs_bytes text, const char *with)
{
	size_t n = strlen(with);
	return text.n >= n && memcmp(text.p, with, n) == 0;
}

/* A PCK certificate is issued by one of the two CAs below the root, and by nothing else that the root
 * ever signs. */
static bool check_chain(struct run *run)
{
	struct cs_why why = {{0}};
	enum cs_err err = x509_path_find(&run->path, run->leaf, &run->pool, &run->work->in->now,
					 run->work->nistp, &why);
	if (err != CS_OK)
		return attest_check(run->result, "pck-chain", false, "%s", why.text);
	attest_until_path(run->result, &run->path);
	bool right = run->path.count == 3 && run->leaf->key.kind == X509_KEY_P256 &&
		     !run->leaf->is_ca &&
		     cs_bytes_eq(x509_common_name(run->leaf->subject),
				 cs_bytes_str("Intel SGX PCK Certificate")) &&
		     begins(x509_common_name(run->path.certificates[1]->subject), "Intel SGX PCK ");
	return attest_check(run->result, "pck-chain", right,
			    right ? "the platform's certificate leads to Intel's root"
				  : "the chain's certificates are not those of a platform");
}

/* Every certificate of the path but the root; why says which failed. */
static bool not_revoked(struct run *run, const struct x509_path *path, struct cs_why *why)
{
	for (size_t i = 0; i + 1 < path->count; i++) {
		const struct x509_crl *crl;
		if (x509_not_revoked(&crl, path->certificates[i], path->certificates[i + 1],
				     &run->pool, &run->work->in->now, run->work->nistp,
				     why) != CS_OK)
			return false;
		attest_collateral_dates(run->result, crl->this_update_s, crl->next_update_s);
	}
	return true;
}

static bool check_revocation(struct run *run)
{
	struct cs_why why = {{0}};
	if (run->work->in->no_revocation) {
		attest_skip(run->result, "pck-revocation", "revocation lists are not looked at");
		return false;
	}
	bool good = not_revoked(run, &run->path, &why);
	return attest_check(run->result, "pck-revocation", good, "%s",
			    good ? "neither the platform's certificate nor its CA's is revoked"
				 : why.text);
}

static enum cs_err check_pck(struct run *run, bool *good)
{
	struct cs_why why = {{0}};
	*good = dcap_pck_parse(&run->pck, run->leaf, &why) == CS_OK;
	attest_check(run->result, "pck-extension", *good, "%s",
		     *good ? "the certificate says which platform and TCB" : why.text);
	if (!*good)
		return CS_OK;
	struct cs_arena *arena = run->work->arena;
	struct cs_bytes fmspc = cs_arena_copy(arena, CS_BYTES_OF(run->pck.fmspc));
	struct cs_bytes pce_id = cs_arena_copy(arena, CS_BYTES_OF(run->pck.pce_id));
	struct cs_bytes ppid = cs_arena_copy(arena, CS_BYTES_OF(run->pck.ppid));
	if (fmspc.p == NULL || pce_id.p == NULL || ppid.p == NULL)
		return cs_fail(run->work->why, CS_ERR_NO_MEMORY, "quote: no room");
	attest_claim_bytes(run->result, "fmspc", fmspc);
	attest_claim_bytes(run->result, "pce_id", pce_id);
	attest_claim_number(run->result, "pce_svn", run->pck.pce_svn);
	if (run->pck.has_ppid)
		attest_claim_bytes(run->result, "ppid", ppid);
	return CS_OK;
}

/* ---- from the platform's key to the quote ---- */

static bool signed_by(struct run *run, struct cs_bytes key, struct cs_bytes message,
		      struct cs_bytes rs)
{
	struct cs_digest digest = cs_digest(CS_SHA256, message);
	return cs_nistp_verify(run->work->nistp, CS_P256, key, cs_digest_view(&digest), rs) ==
	       CS_OK;
}

static void check_signature(struct run *run, const char *name, const char *whose,
			    struct cs_bytes key, const char *what, struct cs_bytes bytes,
			    struct cs_bytes signature)
{
	const bool good = signed_by(run, key, bytes, signature);
	attest_check(run->result, name, good, "%s %s %s", whose, good ? "signed" : "did not sign",
		     what);
}

static void check_signatures(struct run *run)
{
	const struct dcap_quote *quote = &run->quote;
	const struct cs_bytes bound[] = {quote->attestation_key, quote->qe_auth_data};
	struct cs_digest digest = cs_digest_join(CS_SHA256, bound, CS_LEN(bound));
	run->qe = dcap_sgx_report(quote->qe_report);
	check_signature(run, "qe-report-signature", "the platform's key", run->leaf->key.point,
			"the quoting enclave's report", quote->qe_report,
			quote->qe_report_signature);
	/* As Intel's library: what follows the hash in the report data is not looked at. */
	attest_check_same(run->result, "qe-report-data", "the quoting enclave's report data",
			  cs_bytes(run->qe.report_data.p, digest.n),
			  "the hash of the attestation key", cs_digest_view(&digest));
	check_signature(run, "quote-signature", "the attestation key", quote->attestation_key,
			"the quote", quote->signed_part, quote->signature);
}

/* ---- what Intel says about such a platform ---- */

static enum cs_err in_time(const struct run *run, uint64_t issued_s, uint64_t until_s)
{
	CS_TRY(verify_time_reached(&run->work->in->now, issued_s));
	return verify_time_before(&run->work->in->now, until_s + 1);
}

/* A certificate of the signer's key that is good now. */
static bool find_signer(struct run *run, struct cs_bytes key, bool *revocation, struct cs_why *why)
{
	const struct x509_pool *pool = &run->pool;
	struct x509_path path;
	for (size_t i = 0; i < pool->certificate_count; i++) {
		const struct x509_certificate *one = &pool->certificates[i];
		if (!cs_bytes_eq(one->key.spki, key) ||
		    !cs_bytes_eq(x509_common_name(one->subject), cs_bytes_str(DCAP_TCB_SIGNING)) ||
		    x509_path_find(&path, one, pool, &run->work->in->now, run->work->nistp, why) !=
			    CS_OK)
			continue;
		if (run->work->in->no_revocation) {
			*revocation = false;
			attest_until_path(run->result, &path);
			return true;
		}
		if (not_revoked(run, &path, why)) {
			attest_until_path(run->result, &path);
			return true;
		}
	}
	return false;
}

struct document {
	const char *name; /* of the check */
	const struct dcap_opened *opened;
	uint64_t issued_s;
	uint64_t until_s;
};

/* Signed by Intel, and of this time. */
static bool check_document(struct run *run, const struct document *document, bool *revocation)
{
	struct attest_result *result = run->result;
	struct cs_why why = {{0}};
	if (!document->opened->given)
		return attest_check(result, document->name, false, "not in the collateral");
	if (document->opened->err != CS_OK)
		return attest_check(result, document->name, false, "%s",
				    document->opened->why.text);
	enum cs_err err = in_time(run, document->issued_s, document->until_s);
	if (err != CS_OK)
		return attest_check(
			result, document->name, false, "%s",
			x509_dates(document->issued_s, document->until_s, &run->work->in->now)
				.text);
	if (!find_signer(run, document->opened->signer, revocation, &why))
		return attest_check(result, document->name, false, "its signer: %s", why.text);
	attest_collateral_dates(result, document->issued_s, document->until_s);
	return attest_check(
		result, document->name, true, "signed by Intel, %s",
		x509_dates(document->issued_s, document->until_s, &run->work->in->now).text);
}

static const char *tee_name(bool is_tdx)
{
	return is_tdx ? "TDX" : "SGX";
}

static bool check_platform(struct run *run)
{
	const struct dcap_tcb_info *info = &run->collateral->tcb_info;
	const bool same = info->is_tdx == is_td(run) &&
			  memcmp(info->fmspc, run->pck.fmspc, sizeof info->fmspc) == 0 &&
			  memcmp(info->pce_id, run->pck.pce_id, sizeof info->pce_id) == 0;
	return attest_check(run->result, "tcb-info-platform", same,
			    "TCB info is of %s, FMSPC %s, PCE-ID %s; the platform is %s, %s, %s",
			    tee_name(info->is_tdx), attest_hex(CS_BYTES_OF(info->fmspc), 0).text,
			    attest_hex(CS_BYTES_OF(info->pce_id), 0).text, tee_name(is_td(run)),
			    attest_hex(CS_BYTES_OF(run->pck.fmspc), 0).text,
			    attest_hex(CS_BYTES_OF(run->pck.pce_id), 0).text);
}

static bool equal_under(const uint8_t *report, const uint8_t *mask, const uint8_t *wanted, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((report[i] & mask[i]) != wanted[i])
			return false;
	return true;
}

static bool check_qe(struct run *run)
{
	const struct dcap_qe_identity *identity = &run->collateral->qe_identity;
	const struct dcap_sgx_report *qe = &run->qe;
	struct attest_result *result = run->result;
	static const char name[] = "qe-identity-match";
	if (identity->is_tdx != is_td(run))
		return attest_check(result, name, false, "QE identity is of %s, the quote of %s",
				    tee_name(identity->is_tdx), tee_name(is_td(run)));
	if (!cs_bytes_eq(qe->mr_signer, CS_BYTES_OF(identity->mr_signer)))
		return attest_check_same(result, name, "the quoting enclave's MRSIGNER",
					 qe->mr_signer, "QE identity's",
					 CS_BYTES_OF(identity->mr_signer));
	if (qe->isv_prod_id != identity->isv_prod_id)
		return attest_check(result, name, false,
				    "the quoting enclave's ISVPRODID is %u, QE identity's %u",
				    qe->isv_prod_id, identity->isv_prod_id);
	const bool same = equal_under(qe->misc_select.p, identity->misc_select_mask,
				      identity->misc_select, sizeof identity->misc_select) &&
			  equal_under(qe->attributes.p, identity->attributes_mask,
				      identity->attributes, sizeof identity->attributes);
	if (same)
		return attest_check(result, name, true,
				    "the quoting enclave's MRSIGNER, ISVPRODID, MISCSELECT and "
				    "attributes are QE identity's");
	return attest_check(result, name, false,
			    "the quoting enclave's MISCSELECT and attributes are %s, %s; QE "
			    "identity's under its masks %s, %s",
			    attest_hex(qe->misc_select, 0).text, attest_hex(qe->attributes, 0).text,
			    attest_hex(CS_BYTES_OF(identity->misc_select), 0).text,
			    attest_hex(CS_BYTES_OF(identity->attributes), 0).text);
}

/* Who signed the module, and that nothing of it is switched on. */
static bool check_module(struct run *run)
{
	const struct dcap_tcb_info *info = &run->collateral->tcb_info;
	unsigned version = run->td.tee_tcb_svn.p[1];
	const struct dcap_module *module =
		version == 0 ? &info->module : dcap_module_find(info, version);
	static const uint8_t none[8];
	if (module == NULL)
		return attest_check(run->result, "tdx-module", false,
				    "TCB info names no module TDX_%02X", version);
	if (!cs_bytes_eq(run->td.mr_signer_seam, CS_BYTES_OF(module->mr_signer)))
		return attest_check_same(run->result, "tdx-module", "the TDX module's signer",
					 run->td.mr_signer_seam, "TCB info's",
					 CS_BYTES_OF(module->mr_signer));
	const bool right = cs_bytes_eq(run->td.seam_attributes, CS_BYTES_OF(none)) &&
			   cs_bytes_eq(run->td.seam_attributes, CS_BYTES_OF(module->attributes));
	return attest_check(run->result, "tdx-module", right,
			    "the TDX module has TCB info's signer; its attributes are %s, TCB "
			    "info's %s, and both have to be zero",
			    attest_hex(run->td.seam_attributes, 0).text,
			    attest_hex(CS_BYTES_OF(module->attributes), 0).text);
}

static enum cs_err add_advisories(struct run *run, const struct dcap_level *level)
{
	if (level == NULL || level->advisories == NULL)
		return CS_OK;
	for (const struct cs_json *one = level->advisories->child; one != NULL; one = one->next)
		CS_TRY(attest_advisory(run->result, one->text));
	return CS_OK;
}

static const char *level_status(const struct dcap_level *level)
{
	return attest_tcb_status_name(level == NULL ? ATTEST_TCB_NOT_SUPPORTED : level->status);
}

static enum cs_err judge(struct run *run)
{
	const struct dcap_collateral *from = run->collateral;
	struct attest_result *result = run->result;
	const struct dcap_level *qe = dcap_level_of(&from->qe_identity.levels, run->qe.isv_svn);
	struct dcap_verdict verdict =
		dcap_judge(&from->tcb_info, &run->pck, is_td(run) ? &run->td : NULL, qe);
	bool has_module = is_td(run) && run->td.tee_tcb_svn.p[1] > 0;
	result->tcb_status = verdict.status;
	result->tcb_date_s = verdict.level == NULL ? 0 : verdict.level->date_s;
	attest_check(result, "tcb-level", true, "%s: platform %s%s%s, quoting enclave %s",
		     attest_tcb_status_name(verdict.status), level_status(verdict.level),
		     has_module ? ", TDX module " : "",
		     has_module ? level_status(verdict.module) : "", level_status(verdict.qe));
	CS_TRY(add_advisories(run, verdict.level));
	CS_TRY(add_advisories(run, verdict.module));
	return add_advisories(run, verdict.qe);
}

/* revocation: the lists that the platform's own path needs were looked at. */
static enum cs_err check_collateral(struct run *run, bool revocation)
{
	const struct dcap_collateral *from = run->collateral;
	struct attest_result *result = run->result;
	const struct document info = {"tcb-info", &from->tcb_info_opened, from->tcb_info.issued_s,
				      from->tcb_info.until_s};
	const struct document qe = {"qe-identity", &from->qe_identity_opened,
				    from->qe_identity.issued_s, from->qe_identity.until_s};
	result->revocation = revocation;
	if (!info.opened->given && !qe.opened->given) {
		attest_skip(result, "tcb-info", "no TCB info: nobody says how current it is");
		attest_skip(result, "qe-identity", "no QE identity");
		return CS_OK;
	}
	bool info_good = check_document(run, &info, &revocation);
	bool qe_good = check_document(run, &qe, &revocation);
	result->revocation = revocation && info_good && qe_good;
	if (!info_good || !qe_good)
		return CS_OK;
	result->tcb_evaluation_number =
		from->tcb_info.evaluation_number < from->qe_identity.evaluation_number
			? from->tcb_info.evaluation_number
			: from->qe_identity.evaluation_number;
	bool platform = check_platform(run);
	bool enclave = check_qe(run);
	bool module = !platform || !is_td(run) || check_module(run);
	/* Nothing is judged that was not proven. */
	if (!platform || !enclave || !module || !attest_result_verified(result))
		return CS_OK;
	return judge(run);
}

enum cs_err dcap_verify(struct attest_work *work, struct cs_bytes quote)
{
	static const struct attest_collateral empty;
	struct run run = {.work = work, .result = work->result, .collateral = work->in->dcap};
	struct dcap_collateral opened;
	bool good;
	CS_TRY(dcap_quote_parse(&run.quote, quote, work->why));
	if (run.collateral == NULL) {
		enum cs_err err = dcap_collateral_open(
			&opened, work->in->collateral == NULL ? &empty : work->in->collateral,
			work->in->roots, work->nistp, work->arena);
		if (err != CS_OK)
			return cs_fail(work->why, err, "collateral: %s", cs_err_sentence(err));
		run.collateral = &opened;
	}
	CS_TRY(read_chain(&run));
	claim(&run);
	check_form(&run);
	if (!check_chain(&run))
		return CS_OK;
	bool revocation = check_revocation(&run);
	CS_TRY(check_pck(&run, &good));
	if (!good)
		return CS_OK;
	check_signatures(&run);
	return check_collateral(&run, revocation);
}
